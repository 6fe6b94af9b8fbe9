/*
 * signals.c - what the signals mean to the daemon.
 */
#include "sentinel/runtime/signals.h"

#include "common/log.h"
#include "sentinel/runtime/logthread.h"
#include "sentinel/runtime/runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INSIST_PATIENCE_MS 100

static const int signals_end[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1};

static void signals_exit(int number)
{
    _exit(128 + number);
}

void signals_begin(void)
{
    struct sigaction action = {.sa_handler = signals_exit};

    if (getpid() != 1)
        return;
    for (size_t i = 0; i < sizeof signals_end / sizeof signals_end[0]; i++)
        sigaction(signals_end[i], &action, NULL);
}

void signals_ignore(void)
{
    /* The last two end a process that does not know them; stock survives both. */
    static const int ignored[] = {SIGPIPE, SIGUSR2, SIGALRM};
    struct sigaction action = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        sigaction(ignored[i], &action, NULL);
}

/* Stock logs from within the handler, in a form of its own that tools match. */
static void signals_log(const char *text)
{
    char line[256];

    if (log_get_level() > LOG_LVL_WARNING)
        return;
    int len = snprintf(line, sizeof line, "%d:signal-handler (%lld) %s\n",
                       (int)getpid(), (long long)time(NULL), text);
    log_verbatim(line, (size_t)len);
}

static void signals_on_end(uv_signal_t *handle, int number)
{
    struct runtime *rt = handle->data;
    char text[64];

    if (number == SIGINT && rt->stopping) {
        signals_log("You insist... exiting now.");
        logthread_drain(INSIST_PATIENCE_MS);
        _exit(1);
    }
    snprintf(text, sizeof text, "Received SIG%s scheduling shutdown...",
             sigabbrev_np(number));
    signals_log(text);
    runtime_stop(rt);
}

static void signals_on_hangup(uv_signal_t *handle, int number)
{
    struct runtime *rt = handle->data;

    (void)number;
    log_reopen();
    tlsconf_reload(rt);
}

static void signals_watch(struct runtime *rt, uv_signal_t *handle,
                          uv_signal_cb callback, int number)
{
    uv_signal_init(&rt->loop, handle);
    handle->data = rt;
    if (callback != NULL)
        uv_signal_start(handle, callback, number);
}

void signals_open(struct runtime *rt)
{
    /* Elsewhere these two end a process in the way of the system, with a core file. */
    uv_signal_cb also = getpid() == 1 ? signals_on_end : NULL;

    signals_watch(rt, &rt->signals.term, signals_on_end, SIGTERM);
    signals_watch(rt, &rt->signals.interrupt, signals_on_end, SIGINT);
    signals_watch(rt, &rt->signals.hangup, signals_on_hangup, SIGHUP);
    signals_watch(rt, &rt->signals.quit, also, SIGQUIT);
    signals_watch(rt, &rt->signals.user, also, SIGUSR1);
}

void signals_close(struct runtime *rt)
{
    uv_close((uv_handle_t *)&rt->signals.term, NULL);
    uv_close((uv_handle_t *)&rt->signals.interrupt, NULL);
    uv_close((uv_handle_t *)&rt->signals.hangup, NULL);
    uv_close((uv_handle_t *)&rt->signals.quit, NULL);
    uv_close((uv_handle_t *)&rt->signals.user, NULL);
}
