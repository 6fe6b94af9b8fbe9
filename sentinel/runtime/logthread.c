/*
 * logthread.c - a thread that writes the log.
 *
 * Lines gather in a buffer that the thread swaps for an empty one, so a burst becomes
 * few writes. The state is static because there is one log per process.
 */
#include "sentinel/runtime/logthread.h"

#include "common/buf.h"
#include "common/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define LOGTHREAD_STACK_SIZE ((size_t)256 << 10)
#define LOGTHREAD_BYTES_MAX ((size_t)4 << 20)
#define LOGTHREAD_KEPT_MAX ((size_t)64 << 10) /* memory that is not given back */
#define LOGTHREAD_HANDLER_MS 100

struct logthread_batch {
    struct buf lines;
    struct buf messages; /* for syslog: each a byte, the level, and text with its NUL */
    unsigned long long n_lost; /* behind these */
    bool reopens;
};

static struct {
    uv_thread_t id;
    uv_mutex_t lock;
    uv_cond_t wake, idle;
    struct logthread_batch batch; /* what the thread has not taken yet */
    bool is_started, is_waiting, is_closed;
    atomic_bool is_busy; /* something has not been written */
} logthread;

static bool logthread_batch_is_empty(const struct logthread_batch *batch)
{
    return batch->lines.len == 0 && batch->messages.len == 0 && batch->n_lost == 0 &&
           !batch->reopens;
}

static void logthread_put(enum log_level level, const char *line, size_t len,
                          const char *message)
{
    struct logthread_batch *batch = &logthread.batch;
    size_t message_len = message != NULL ? strlen(message) + 2 : 0;

    uv_mutex_lock(&logthread.lock);
    batch->reopens |= len == 0 && message == NULL;
    size_t n_bytes = batch->lines.len + batch->messages.len + len + message_len;
    if (n_bytes > LOGTHREAD_BYTES_MAX) {
        batch->n_lost++;
    } else {
        buf_append(&batch->lines, line, len);
        if (message != NULL) {
            buf_putc(&batch->messages, (char)level);
            buf_append(&batch->messages, message, message_len - 1);
        }
    }
    atomic_store(&logthread.is_busy, true);
    if (logthread.is_waiting)
        uv_cond_signal(&logthread.wake);
    uv_mutex_unlock(&logthread.lock);
}

static void logthread_write(const struct logthread_batch *batch)
{
    if (batch->lines.len > 0 || batch->reopens)
        log_write_lines(buf_text(&batch->lines), batch->lines.len);
    for (size_t at = 0; at < batch->messages.len;) {
        const char *message = batch->messages.data + at;
        log_write_syslog((enum log_level)message[0], message + 1);
        at += strlen(message + 1) + 2;
    }
    log_count_lost(batch->n_lost);
}

static void logthread_reuse(struct buf *buf)
{
    buf_clear(buf);
    if (buf->cap > LOGTHREAD_KEPT_MAX)
        buf_release(buf);
}

static void logthread_run(void *arg)
{
    struct logthread_batch taken = {0};
    sigset_t all;

    (void)arg;
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    uv_mutex_lock(&logthread.lock);
    for (;;) {
        if (logthread_batch_is_empty(&logthread.batch)) {
            atomic_store(&logthread.is_busy, false);
            uv_cond_broadcast(&logthread.idle);
            if (logthread.is_closed)
                break;
            logthread.is_waiting = true;
            uv_cond_wait(&logthread.wake, &logthread.lock);
            logthread.is_waiting = false;
            continue;
        }
        struct logthread_batch empty = taken;
        taken = logthread.batch;
        logthread.batch = empty;
        uv_mutex_unlock(&logthread.lock);
        logthread_write(&taken);
        logthread_reuse(&taken.lines);
        logthread_reuse(&taken.messages);
        taken.n_lost = 0;
        taken.reopens = false;
        uv_mutex_lock(&logthread.lock);
    }
    uv_mutex_unlock(&logthread.lock);
    buf_release(&taken.lines);
    buf_release(&taken.messages);
}

void logthread_start(void)
{
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                   .stack_size = LOGTHREAD_STACK_SIZE};

    uv_mutex_init(&logthread.lock);
    uv_cond_init(&logthread.wake);
    uv_cond_init(&logthread.idle);
    logthread.is_closed = false;
    log_set_sink(logthread_put); /* before there is anybody who looks at it */
    logthread.is_started =
        uv_thread_create_ex(&logthread.id, &options, logthread_run, NULL) == 0;
    if (!logthread.is_started)
        log_set_sink(NULL);
}

bool logthread_drain(int timeout_ms)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)timeout_ms * 1000000;

    if (!atomic_load(&logthread.is_busy))
        return true;
    uv_mutex_lock(&logthread.lock);
    while (atomic_load(&logthread.is_busy)) {
        uint64_t now_ns = uv_hrtime();
        if (now_ns >= end_ns ||
            uv_cond_timedwait(&logthread.idle, &logthread.lock, end_ns - now_ns) != 0)
            break;
    }
    uv_mutex_unlock(&logthread.lock);
    return !atomic_load(&logthread.is_busy);
}

void logthread_drain_in_handler(void)
{
    const struct timespec step = {.tv_nsec = 1000000};

    for (int i = 0; i < LOGTHREAD_HANDLER_MS && atomic_load(&logthread.is_busy); i++)
        nanosleep(&step, NULL);
}

bool logthread_stop(int timeout_ms)
{
    if (!logthread.is_started)
        return true;
    if (!logthread_drain(timeout_ms))
        return false;
    uv_mutex_lock(&logthread.lock);
    logthread.is_closed = true;
    uv_cond_signal(&logthread.wake);
    uv_mutex_unlock(&logthread.lock);
    uv_thread_join(&logthread.id);
    logthread.is_started = false;
    log_set_sink(NULL);
    buf_release(&logthread.batch.lines);
    buf_release(&logthread.batch.messages);
    uv_cond_destroy(&logthread.idle);
    uv_cond_destroy(&logthread.wake);
    uv_mutex_destroy(&logthread.lock);
    return true;
}
