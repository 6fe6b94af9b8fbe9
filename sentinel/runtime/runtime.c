/*
 * runtime.c - the pump: events in, actions out, one turn after the other.
 */
#include "sentinel/runtime/runtime.h"

#include "common/addr.h"
#include "common/args.h"
#include "common/assert.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/core/state.h"
#include "sentinel/runtime/client.h"
#include "sentinel/runtime/daemon.h"
#include "sentinel/runtime/logthread.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Queued events per turn; what is left waits behind the sockets once. */
#define RUNTIME_BATCH 1000
/* Replies per turn, in bytes: a millisecond or two. */
#define RUNTIME_CLIENT_BYTES (1 << 20)
#define RUNTIME_CRON_MS 1000
/* Behind a turn that heard several clients, the loop looks for more a few times before
 * it sleeps: being woken costs the clients and us more than a few looks. A single one
 * needs that time to read what it was told, and often the same processor. */
#define RUNTIME_LOOKS_MAX 4
/* Entries of ACL LOG, unless acllog-max-len says otherwise. */
#define RUNTIME_ACL_LOG_MAX 128
/* Replicas that a master is taken to have at least, and connections for what nobody has
 * told us of yet. With thousands of masters each set aside here is a client less. */
#define RUNTIME_REPLICAS_MIN 2
#define RUNTIME_LINKS_SPARE 16
/* How long the end may wait for a thread that saves. */
#define RUNTIME_END_MS 2000
#define RUNTIME_LAST_LINES_MS 1000

void runtime_tick(struct runtime *rt)
{
    lag_begin(&rt->lag);
    clock_read(&rt->clock);
    server_set_time(rt->server, rt->clock.now, rt->clock.wall);
}

/* --------------------------------------------------------------------- actions -- */

static void runtime_event(struct runtime *rt, const struct core_action *action)
{
    log_line(action->event.level, "%s %s", action->event.channel, action->event.text);
    /* Subscribers hear it whatever the log is set to. */
    if (action->event.level != LOG_LVL_DEBUG)
        server_publish(rt->server, action->event.channel, action->event.text);
}

static void runtime_exit(int code)
{
    fflush(NULL);
    logthread_drain(RUNTIME_LAST_LINES_MS);
    _exit(code); /* as a crash would: no goodbye to anybody */
}

/* A log line; one that names an instant gets it appended in local time, ctime(3)'s
 * layout without the newline. */
static void runtime_log(const struct core_action *action)
{
    time_t at = (time_t)(action->event.wall_at / 1000);
    char text[32] = "";

    if (action->event.wall_at == 0 || ctime_r(&at, text) == NULL) {
        log_line(action->event.level, "%s", action->event.text);
        return;
    }
    text[strcspn(text, "\n")] = '\0';
    log_line(action->event.level, "%s %s", action->event.text, text);
}

static void runtime_perform(struct runtime *rt, const struct core_action *action)
{
    switch (action->type) {
    case CORE_AC_LINK_OPEN:
        conn_open(rt, action);
        break;
    case CORE_AC_LINK_CLOSE:
        conn_close(rt, action->close.link, action->close.chan);
        break;
    case CORE_AC_SEND:
        conn_send(rt, action);
        break;
    case CORE_AC_RESOLVE:
        dns_resolve(&rt->dns, action->resolve.host);
        break;
    case CORE_AC_PERSIST:
        persist_want(rt);
        break;
    case CORE_AC_EVENT:
        runtime_event(rt, action);
        break;
    case CORE_AC_LOG:
        runtime_log(action);
        break;
    case CORE_AC_NOTE:
        log_line(LOG_LVL_DEBUG, "  %s", action->event.text);
        break;
    case CORE_AC_ANSWER:
        server_answer(rt->server, action);
        break;
    case CORE_AC_JOB_START:
        proc_start(rt, action->job_start.job, action->job_start.argv);
        break;
    case CORE_AC_JOB_KILL:
        proc_kill(rt, action->job_kill.job);
        break;
    case CORE_AC_EXIT:
        runtime_exit(action->exit.code);
        break;
    }
}

static void runtime_perform_all(struct runtime *rt)
{
    const struct core_action *action;
    while ((action = core_actions_next(rt->actions)) != NULL)
        runtime_perform(rt, action);
}

/* ------------------------------------------------------------------------ pump -- */

static void runtime_step(struct runtime *rt, const struct core_event *event)
{
    struct core_event timed = *event;

    ASSERT(!rt->in_step);
    rt->in_step = true;
    runtime_tick(rt);
    timed.now = rt->clock.now;
    timed.wall = rt->clock.wall;
    core_step(rt->core, &timed, rt->actions);
    runtime_perform_all(rt);
    rt->in_step = false;
}

static struct slot_id runtime_link_of(const struct core_event *event)
{
    switch (event->type) {
    case CORE_EV_LINK_UP:
        return event->up.link;
    case CORE_EV_LINK_DOWN:
        return event->down.link;
    case CORE_EV_REPLY:
        return event->reply.link;
    case CORE_EV_MESSAGE:
        return event->message.link;
    default:
        return (struct slot_id){0, 0};
    }
}

/* An event of a connection that the core has closed or replaced since. */
static bool runtime_is_late(const struct runtime *rt, const struct queued *queued)
{
    return queued->dial != 0 && !conn_is_current(rt, runtime_link_of(&queued->event),
                                                 queued->chan, queued->dial);
}

void runtime_pump(struct runtime *rt)
{
    if (rt->in_step)
        return;
    for (int i = 0; i < RUNTIME_BATCH; i++) {
        struct queued *queued = queue_pop(&rt->queue);
        if (queued == NULL)
            return;
        if (!rt->stopped && !runtime_is_late(rt, queued))
            runtime_step(rt, &queued->event);
        queue_free(queued);
    }
    if (rt->queue.first != NULL)
        runtime_again(rt);
}

void runtime_post_link(struct runtime *rt, const struct core_event *event,
                       enum link_chan chan, uint64_t dial)
{
    if (rt->stopped)
        return;
    if (rt->in_step || rt->queue.first != NULL) {
        queue_push(&rt->queue, event, chan, dial);
        return;
    }
    runtime_step(rt, event);
    runtime_pump(rt);
}

void runtime_post(struct runtime *rt, const struct core_event *event)
{
    runtime_post_link(rt, event, LINK_CMD, 0);
}

void runtime_post_later(struct runtime *rt, const struct core_event *event)
{
    if (!rt->stopped)
        queue_push(&rt->queue, event, LINK_CMD, 0);
}

/* ----------------------------------------------------------------------- turns -- */

static void runtime_on_again(uv_idle_t *idle)
{
    struct runtime *rt = idle->data;
    uv_idle_stop(idle);
    listeners_turn(rt);
    streams_shake_hands(&rt->streams);
    runtime_tick(rt);
    /* Flushed one by one, so that the memory of one reply serves the next. */
    while (server_serve_next(rt->server))
        streams_flush(&rt->streams);
    runtime_pump(rt);
}

void runtime_again(struct runtime *rt)
{
    uv_idle_start(&rt->again, runtime_on_again);
}

static void runtime_on_deadline(uv_timer_t *timer)
{
    struct runtime *rt = timer->data;
    struct core_event event = {.type = CORE_EV_DEADLINE};
    rt->armed_at = CORE_NEVER;
    runtime_post(rt, &event);
}

/* An early timer has no effect and is armed again, so rounding is harmless. */
static void runtime_arm(struct runtime *rt)
{
    int64_t at = core_deadline(rt->core);
    if (at == rt->armed_at)
        return;
    rt->armed_at = at;
    if (at == CORE_NEVER) {
        uv_timer_stop(&rt->deadline_timer);
        return;
    }
    clock_read(&rt->clock);
    uv_update_time(&rt->loop);
    uint64_t wait_ms = at > rt->clock.now ? (uint64_t)(at - rt->clock.now) : 0;
    uv_timer_start(&rt->deadline_timer, runtime_on_deadline, wait_ms, 0);
}

static void runtime_on_look(uv_idle_t *idle)
{
    (void)idle; /* that it is active is what keeps the loop awake */
}

static void runtime_stay_awake(struct runtime *rt)
{
    int n_looks = rt->n_heard - 1;

    rt->n_heard = 0;
    if (n_looks > 0)
        rt->n_looks = n_looks < RUNTIME_LOOKS_MAX ? n_looks : RUNTIME_LOOKS_MAX;
    else if (rt->n_looks > 0)
        rt->n_looks--;
    if (rt->n_looks > 0)
        uv_idle_start(&rt->look, runtime_on_look);
    else
        uv_idle_stop(&rt->look);
}

/* Runs before the loop waits for anything. */
static void runtime_end_turn(uv_prepare_t *prepare)
{
    struct runtime *rt = prepare->data;

    streams_flush(&rt->streams);
    runtime_stay_awake(rt);
    bool is_more = server_end_turn(rt->server);
    if (streams_end_turn(&rt->streams) || is_more)
        runtime_again(rt);
    persist_end_turn(rt);
    for (int i = 0; i < rt->listeners.n; i++)
        if (!rt->listeners.all[i].waiting)
            rt->listeners.all[i].n_accepted = 0;
    if (rt->stopping) {
        uv_stop(&rt->loop);
        return;
    }
    runtime_arm(rt);
    lag_end(&rt->lag);
}

static void runtime_on_cron(uv_timer_t *timer)
{
    struct runtime *rt = timer->data;
    runtime_tick(rt);
    server_cron(rt->server);
    procs_reap(rt);
    runtime_pump(rt);
}

/* From the loop, so that a loop that hangs is noticed. */
static void runtime_on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    daemon_keepalive();
}

void runtime_stop(struct runtime *rt)
{
    rt->stopping = true;
}

/* ------------------------------------------------------------------ life cycle -- */

static int64_t runtime_acl_log_max(const struct conf *conf)
{
    const char *text = conf_text(conf, "acllog-max-len");
    int64_t max = RUNTIME_ACL_LOG_MAX;

    args_int(text, strlen(text), &max);
    return max;
}

/* For conf_render(): the users there are, unless a file of their own has them. */
static void runtime_users(void *ctx, conf_user_fn *each, void *each_ctx)
{
    const struct runtime *rt = ctx;

    if (conf_text(rt->conf, "aclfile")[0] == '\0')
        server_each_user(rt->server, each, each_ctx);
}

static struct server *runtime_new_server(struct runtime *rt,
                                         const struct runtime_setup *setup)
{
    const struct conf_options *options = rt->options;
    struct buf listeners = {0};
    listeners_describe(options, &listeners);
    struct server_options server_options = {
        .requirepass = options->requirepass,
        .maxclients = setup->maxclients,
        .timeout_s = options->timeout_s,
        .query_buffer_limit = options->query_buffer_limit,
        .bulk_max = options->bulk_max,
        .maxmemory_clients = options->maxmemory_clients,
        .turn_budget = RUNTIME_CLIENT_BYTES,
        .output_normal_hard = options->output_normal.hard,
        .output_normal_soft = options->output_normal.soft,
        .output_normal_soft_s = options->output_normal.soft_s,
        .output_pubsub_hard = options->output_pubsub.hard,
        .output_pubsub_soft = options->output_pubsub.soft,
        .output_pubsub_soft_s = options->output_pubsub.soft_s,
        .protected_mode = options->protected_mode,
        .acl_file = conf_text(rt->conf, "aclfile"),
        .acl_log_max = runtime_acl_log_max(rt->conf),
        .has_open_channels =
            strcasecmp(conf_text(rt->conf, "acl-pubsub-default"), "allchannels") == 0,
        .tcp_port = options->port != 0 ? options->port : options->tls_port,
        .pid = (int)getpid(),
        .run_id = setup->run_id,
        .executable = setup->executable,
        .config_file = setup->conf_path != NULL ? setup->conf_path : "",
        .supervised = setup->supervised,
        .listeners = buf_text(&listeners),
    };
    struct server_hooks hooks = client_hooks(rt);
    struct server *server = server_new(rt->core, &server_options, &hooks);
    buf_release(&listeners);
    return server;
}

static void runtime_on_resolved(void *ctx, const char *host, const char *ip)
{
    struct core_event event = {.type = CORE_EV_RESOLVED,
                               .resolved = {.host = host, .ip = ip}};
    runtime_post(ctx, &event);
}

static void runtime_init_handles(struct runtime *rt)
{
    uv_loop_init(&rt->loop);
    uv_timer_init(&rt->loop, &rt->deadline_timer);
    uv_timer_init(&rt->loop, &rt->cron_timer);
    uv_timer_init(&rt->loop, &rt->watchdog_timer);
    uv_prepare_init(&rt->loop, &rt->turn_end);
    uv_idle_init(&rt->loop, &rt->again);
    uv_idle_init(&rt->loop, &rt->look);
    rt->deadline_timer.data = rt;
    rt->cron_timer.data = rt;
    rt->turn_end.data = rt;
    rt->again.data = rt;
    rt->armed_at = CORE_NEVER;
    streams_init(&rt->streams, &rt->loop, &rt->lag);
    dns_open(&rt->dns, &rt->loop, NULL, runtime_on_resolved, rt);
    signals_open(rt);
    procs_open(rt);
}

/* bind-source-addr may be a name; it is looked up once, before the loop runs. */
static bool runtime_set_source(struct runtime *rt)
{
    const char *source = rt->options->bind_source_addr;
    uv_getaddrinfo_t request;

    if (source[0] == '\0')
        return true;
    int status = uv_getaddrinfo(&rt->loop, &request, NULL, source, NULL, NULL);
    if (status < 0) {
        log_line(LOG_LVL_WARNING, "bind-source-addr '%s': %s", source,
                 uv_strerror(status));
        return false;
    }
    char ips[DNS_IPS_MAX][ADDR_IP_CAP] = {""};
    dns_pick(request.addrinfo, ips);
    memcpy(rt->bind_source, ips[0], sizeof rt->bind_source);
    uv_freeaddrinfo(request.addrinfo);
    return true;
}

int runtime_count_links(const struct core *core, bool is_guess)
{
    size_t n = (is_guess ? RUNTIME_LINKS_SPARE : 0) + (size_t)HASH_COUNT(core->peers);

    for (const struct master *m = core->masters; m != NULL; m = m->hh.next) {
        size_t n_replicas = HASH_COUNT(m->replicas);
        if (is_guess && n_replicas < RUNTIME_REPLICAS_MIN)
            n_replicas = RUNTIME_REPLICAS_MIN;
        n += 2 * (1 + n_replicas);
    }
    return n < 1000000 ? (int)n : 1000000;
}

struct runtime *runtime_new(const struct runtime_setup *setup)
{
    struct runtime *rt = mem_zalloc(sizeof *rt);
    rt->core = setup->core;
    rt->conf = setup->conf;
    rt->options = conf_options(setup->conf);
    rt->state_path = setup->state_path;
    rt->supervised = setup->supervised;
    rt->maxclients = setup->maxclients;
    rt->n_links_expected = (size_t)runtime_count_links(setup->core, true);
    rt->actions = core_actions_new();
    runtime_init_handles(rt);
    rt->server = runtime_new_server(rt, setup);
    runtime_tick(rt);
    if (tlsconf_start(rt) && aclfile_start(rt) && runtime_set_source(rt) &&
        listeners_open(rt)) {
        conf_set_users(rt->conf, runtime_users, rt);
        return rt;
    }
    runtime_free(rt);
    return NULL;
}

bool runtime_run(struct runtime *rt)
{
    if (!persist_new_id(rt)) {
        log_line(LOG_LVL_WARNING,
                 "The new id of this sentinel cannot be saved in %s: another one would "
                 "be made at each start, and other sentinels would count them all. "
                 "Exiting...",
                 rt->state_path);
        return false;
    }
    persist_start(rt);
    uv_timer_start(&rt->cron_timer, runtime_on_cron, RUNTIME_CRON_MS, RUNTIME_CRON_MS);
    uv_prepare_start(&rt->turn_end, runtime_end_turn);
    uint64_t watchdog_ms = daemon_watchdog_ms(rt->supervised);
    if (watchdog_ms > 0)
        uv_timer_start(&rt->watchdog_timer, runtime_on_watchdog, watchdog_ms,
                       watchdog_ms);

    runtime_tick(rt);
    rt->in_step = true;
    core_start(rt->core, rt->clock.now, rt->clock.wall, rt->actions);
    log_line(LOG_LVL_NOTICE, "Sentinel ID is %s", rt->core->myid);
    runtime_perform_all(rt);
    rt->in_step = false;
    runtime_pump(rt);

    uv_run(&rt->loop, UV_RUN_DEFAULT);
    return true;
}

static void runtime_on_end_timeout(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Lets handles close and threads finish, for a while. */
static bool runtime_drain(struct runtime *rt)
{
    uv_timer_t timeout;
    uv_timer_init(&rt->loop, &timeout);
    uv_timer_start(&timeout, runtime_on_end_timeout, RUNTIME_END_MS, 0);
    uv_unref((uv_handle_t *)&timeout);
    uv_run(&rt->loop, UV_RUN_DEFAULT);
    bool timed_out = !uv_is_active((uv_handle_t *)&timeout);
    uv_close((uv_handle_t *)&timeout, NULL);
    if (timed_out)
        return false;
    uv_run(&rt->loop, UV_RUN_DEFAULT);
    return true;
}

static void runtime_release(struct runtime *rt)
{
    int status = uv_loop_close(&rt->loop);
    ASSERT_CMP(status, ==, 0);
    persist_release(rt);
    tlsconf_release(rt);
    aclfile_release(rt);
    dns_release(&rt->dns);
    queue_release(&rt->queue);
    server_free(rt->server);
    core_actions_free(rt->actions);
    mem_free(rt);
}

bool runtime_free(struct runtime *rt)
{
    rt->stopped = true;
    listeners_close(rt);
    clients_close(rt);
    conns_close(rt);
    procs_close(rt);
    dns_close(&rt->dns);
    aclfile_cancel(rt);
    tlsconf_cancel(rt);
    signals_close(rt);
    streams_close(&rt->streams);
    uv_close((uv_handle_t *)&rt->deadline_timer, NULL);
    uv_close((uv_handle_t *)&rt->cron_timer, NULL);
    uv_close((uv_handle_t *)&rt->watchdog_timer, NULL);
    uv_close((uv_handle_t *)&rt->turn_end, NULL);
    uv_close((uv_handle_t *)&rt->again, NULL);
    uv_close((uv_handle_t *)&rt->look, NULL);
    if (!runtime_drain(rt))
        return false;
    runtime_release(rt);
    return true;
}
