/*
 * host.c - one sentinel process: a real core with its driver, the same few lines as the
 * pump of the runtime, and the clocks of its machine.
 */
#include "tests/sim/world.h"

#include "common/mem.h"
#include "tests/lib/mac.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOST_CRON_MS 1000

/* A request that waits for its turn, with everything it points to. */
struct request_copy {
    struct core_request rq;
    struct arena arena;
    struct request_copy *next;
};

/* ------------------------------------------------------------------ clocks ------- */

int64_t host_now(const struct host *host)
{
    int64_t since = host->sim->now - host->boot_at;

    return host->mono_base + since + since * host->drift_ppm / 1000000;
}

int64_t host_wall(const struct host *host)
{
    return host->wall_base + host_now(host) - host->mono_base;
}

/* The first instant of the world at which the machine's clock shows |at|. */
static int64_t host_world_time(const struct host *host, int64_t at)
{
    int64_t since = at - host->mono_base;
    int64_t guess =
        host->boot_at + since - since * host->drift_ppm / (1000000 + host->drift_ppm);
    struct sim *sim = host->sim;
    int64_t now = sim->now;

    for (guess -= 2;; guess++) {
        int64_t passed = guess - host->boot_at;
        if (host->mono_base + passed + passed * host->drift_ppm / 1000000 >= at)
            return guess > now ? guess : now;
    }
}

void host_step_clock(struct host *host, int64_t by_ms)
{
    host->wall_base += by_ms;
}

bool host_is_running(const struct host *host)
{
    return host->machine->up && !host->machine->off && !host->machine->frozen;
}

/* ---------------------------------------------------------------- requests ------- */

static const char *request_text(struct request_copy *copy, const char *text)
{
    return text != NULL ? arena_strdup(&copy->arena, text) : NULL;
}

static void request_settings(struct request_copy *copy, const struct core_request *rq)
{
    struct core_setting *settings =
        arena_alloc(&copy->arena, rq->n_settings * sizeof(*settings) + 1);

    for (size_t i = 0; i < rq->n_settings; i++) {
        settings[i] = rq->settings[i];
        settings[i].text = request_text(copy, rq->settings[i].text);
        settings[i].text2 = request_text(copy, rq->settings[i].text2);
        settings[i].word = request_text(copy, rq->settings[i].word);
    }
    copy->rq.settings = settings;
}

static void host_on_request(void *ctx, const struct core_request *rq)
{
    struct host *host = ctx;
    struct request_copy *copy = mem_zalloc(sizeof(*copy));

    copy->rq = *rq;
    copy->rq.name = request_text(copy, rq->name);
    copy->rq.host = request_text(copy, rq->host);
    if (rq->text != NULL) {
        size_t len = rq->type == CORE_RQ_HELLO ? rq->text_len : strlen(rq->text);
        copy->rq.text = arena_strndup(&copy->arena, rq->text, len);
    }
    request_settings(copy, rq);
    *host->requests_tail = copy;
    host->requests_tail = &copy->next;
    if (rq->type == CORE_RQ_VOTE) {
        struct ballot *ballot = mem_zalloc(sizeof(*ballot));
        int node = world_node_at(host->sim, rq->host, rq->port);
        ballot->client = rq->client;
        ballot->group = node >= 0 && host->sim->nodes[node].redis != NULL
                            ? host->sim->nodes[node].redis->group
                            : -1;
        ballot->next = host->ballots;
        host->ballots = ballot;
    }
}

static void request_free(struct request_copy *copy)
{
    arena_release(&copy->arena);
    mem_free(copy);
}

/* ----------------------------------------------------------------- actions ------- */

static void host_answer(struct host *host, const struct core_action *action)
{
    for (struct ballot **at = &host->ballots; *at != NULL; at = &(*at)->next) {
        struct ballot *ballot = *at;
        if (ballot->client != action->answer.client)
            continue;
        if (action->answer.kind == CORE_ANSWER_VOTE)
            check_vote_answer(host, ballot->group, action);
        *at = ballot->next;
        mem_free(ballot);
        break;
    }
    server_answer(host->server, action);
}

static void host_event(struct host *host, const struct core_action *action)
{
    char text[1200];

    snprintf(text, sizeof(text), "%s %s", action->event.channel, action->event.text);
    world_tell(host->sim, host->machine->id, SIM_LINE_EVENT, text);
    faults_moment(host, action->event.channel);
    if (action->event.level > LOG_LVL_DEBUG)
        server_publish(host->server, action->event.channel, action->event.text);
}

static void host_log(struct host *host, const struct core_action *action)
{
    char text[1200];

    if (action->event.wall_at == 0)
        snprintf(text, sizeof(text), "%s", action->event.text);
    else /* the real driver appends a date */
        snprintf(text, sizeof(text), "%s %" PRId64 " ms from now", action->event.text,
                 action->event.wall_at - host_wall(host));
    world_tell(host->sim, host->machine->id, SIM_LINE_LOG, text);
}

static void host_perform(struct host *host, const struct core_action *action)
{
    struct sim *sim = host->sim;
    int id = host->machine->id;

    switch (action->type) {
    case CORE_AC_LINK_OPEN:
        host_link_open(host, action);
        return;
    case CORE_AC_LINK_CLOSE:
        host_link_close(host, action->close.link, action->close.chan);
        return;
    case CORE_AC_SEND:
        host_send(host, action);
        return;
    case CORE_AC_RESOLVE:
        names_resolve(host, action->resolve.host);
        return;
    case CORE_AC_PERSIST:
        host_persist(host);
        return;
    case CORE_AC_EVENT:
        host_event(host, action);
        return;
    case CORE_AC_LOG:
        host_log(host, action);
        return;
    case CORE_AC_NOTE:
        world_tell(sim, id, SIM_LINE_NOTE, action->event.text);
        return;
    case CORE_AC_ANSWER:
        host_answer(host, action);
        return;
    case CORE_AC_JOB_START:
        host_job_start(host, action);
        return;
    case CORE_AC_JOB_KILL:
        host_job_kill(host, action->job_kill.job);
        return;
    case CORE_AC_EXIT:
        host->exiting = true;
        host->exit_code = action->exit.code;
        return;
    }
}

static void host_perform_all(struct host *host, bool was_tilt)
{
    const struct core_action *action;

    while (!host->exiting && (action = core_actions_next(host->actions)) != NULL) {
        world_hash(host->sim, &action->type, sizeof(action->type));
        check_action(host, was_tilt, action);
        host_perform(host, action);
    }
}

static void host_arm(struct host *host);

static void host_core_step(struct host *host, struct core_event *event)
{
    bool was_tilt = host->core->tilt;

    event->now = host_now(host);
    event->wall = host_wall(host);
    server_set_time(host->server, event->now, event->wall);
    core_step(host->core, event, host->actions);
    host->is_checked = false;
    host->sim->stats.n_steps++;
    host_perform_all(host, was_tilt);
}

/* Everything that waits: requests for the core, output for clients; then the timer. */
void host_pump(struct host *host)
{
    if (host->pumping || host->core == NULL)
        return;
    host->pumping = true;
    for (;;) {
        struct request_copy *copy = host->requests;
        if (host->exiting)
            break;
        if (copy != NULL) {
            struct core_event event = {.type = CORE_EV_REQUEST, .request = &copy->rq};
            host->requests = copy->next;
            if (host->requests == NULL)
                host->requests_tail = &host->requests;
            host_core_step(host, &event);
            request_free(copy);
            continue;
        }
        host_flush(host);
        if (host->requests == NULL)
            break;
    }
    host->pumping = false;
    if (host->exiting) {
        world_note(host->sim, "%s exits with status %d", host->machine->name,
                   host->exit_code);
        host_crash(host);
    } else {
        host_arm(host);
    }
}

void host_step(struct host *host, struct core_event *event)
{
    if (host->core == NULL)
        return;
    host_core_step(host, event);
    host_pump(host);
}

/* ------------------------------------------------------------------ timers ------- */

static void host_deadline(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct core_event event = {.type = CORE_EV_DEADLINE};

    (void)sim;
    if (host_is_running(host))
        host_step(host, &event);
}

static void host_arm(struct host *host)
{
    int64_t at = core_deadline(host->core);

    if (at == CORE_NEVER)
        heap_remove(&host->sim->queue, &host->deadline.node);
    else
        world_arm(host->sim, &host->deadline, host_world_time(host, at), host_deadline,
                  host);
}

void host_thaw(struct host *host)
{
    if (host->kind != NULL)
        host->kind->thaw(host);
    else if (host_is_running(host))
        host_arm(host);
}

static void host_cron(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;

    if (host_is_running(host)) {
        server_set_time(host->server, host_now(host), host_wall(host));
        server_cron(host->server);
        host_pump(host);
    }
    world_arm(sim, entry, sim->now + HOST_CRON_MS, host_cron, host);
}

/* -------------------------------------------------------------- life cycle ------- */

static void host_on_wake(void *ctx, struct session *session)
{
    struct client *client = session_driver(session);

    (void)ctx;
    if (client != NULL)
        host_client_wake(client);
}

static void host_on_shutdown(void *ctx)
{
    struct host *host = ctx;

    host->exiting = true;
    host->exit_code = 0;
}

static bool host_on_executable(void *ctx, const char *path)
{
    (void)ctx;
    return strstr(path, "missing") == NULL;
}

static void host_on_cpu(void *ctx, double out[4])
{
    (void)ctx;
    out[0] = out[1] = out[2] = out[3] = 0;
}

static struct server *host_new_server(struct host *host)
{
    const struct conf_options *conf = conf_options(host->conf);
    char run_id[RUN_ID_CAP];

    for (int i = 0; i < RUN_ID_LEN; i++)
        run_id[i] = "0123456789abcdef"[rng_below(&host->rng, 16)];
    run_id[RUN_ID_LEN] = '\0';
    struct server_options options = {
        .requirepass = conf->requirepass,
        .maxclients = 10000,
        .query_buffer_limit = conf->query_buffer_limit,
        .bulk_max = conf->bulk_max,
        .output_normal_hard = conf->output_normal.hard,
        .output_normal_soft = conf->output_normal.soft,
        .output_normal_soft_s = conf->output_normal.soft_s,
        .output_pubsub_hard = conf->output_pubsub.hard,
        .output_pubsub_soft = conf->output_pubsub.soft,
        .output_pubsub_soft_s = conf->output_pubsub.soft_s,
        .tcp_port = host->machine->port,
        .pid = 1000 + host->machine->id,
        .run_id = run_id,
        .executable = "redis-sentinel",
        .config_file = "sentinel.conf",
        .supervised = "no",
        .listeners = "",
    };
    struct server_hooks hooks = {.ctx = host,
                                 .request = host_on_request,
                                 .wake = host_on_wake,
                                 .shutdown = host_on_shutdown,
                                 .executable = host_on_executable,
                                 .cpu = host_on_cpu};
    return server_new(host->core, &options, &hooks);
}

void host_start(struct host *host)
{
    struct sim *sim = host->sim;
    struct machine *machine = host->machine;
    struct conf_error error = {0};

    if (machine->up)
        return;
    machine->up = true;
    machine->off = false;
    machine->incarnation++;
    host->exiting = false;
    if (host->kind != NULL) {
        host->n_starts++;
        host->kind->start(host);
        return;
    }
    host->requests_tail = &host->requests;
    host->conf = conf_new();
    host->core = core_new(((uint64_t)rng_next(&host->rng) << 32) ^ ++host->n_starts);
    core_use_mac(host->core, mac_fake);
    host->actions = core_actions_new();
    int rc =
        conf_read_main_text(host->conf, buf_text(&host->disk), host->disk.len, &error);
    if (rc == 0)
        rc = conf_apply(host->conf, host->core, &error);
    if (rc != 0) {
        world_fail(sim, "S9: %s refuses its own file, line %d '%s': %s", machine->name,
                   error.line, error.text, error.reason);
        core_free(host->core);
        core_actions_free(host->actions);
        conf_free(host->conf);
        host->core = NULL;
        machine->up = false;
        return;
    }
    host->server = host_new_server(host);
    core_start(host->core, host_now(host), host_wall(host), host->actions);
    host->is_checked = false;
    memcpy(host->id, host->core->myid, RUN_ID_CAP);
    host_read_facts(host);
    check_started(host);
    host_perform_all(host, false);
    host_pump(host);
    world_arm(sim, &host->cron, sim->now + HOST_CRON_MS, host_cron, host);
}

static void host_drop_all(struct host *host)
{
    struct sim *sim = host->sim;

    host_disk_crash(host);
    host_jobs_forget(host);
    host_drop_io(host);
    while (host->requests != NULL) {
        struct request_copy *copy = host->requests;
        host->requests = copy->next;
        request_free(copy);
    }
    host->requests_tail = &host->requests;
    while (host->ballots != NULL) {
        struct ballot *ballot = host->ballots;
        host->ballots = ballot->next;
        mem_free(ballot);
    }
    heap_remove(&sim->queue, &host->deadline.node);
    heap_remove(&sim->queue, &host->cron.node);
    server_free(host->server);
    core_free(host->core);
    core_actions_free(host->actions);
    conf_free(host->conf);
    host->server = NULL;
    host->core = NULL;
    host->actions = NULL;
    host->conf = NULL;
}

void host_crash(struct host *host)
{
    struct sim *sim = host->sim;
    struct machine *machine = host->machine;

    if (!machine->up)
        return;
    if (host->pumping) { /* in the middle of its own actions: end those first */
        host->exiting = true;
        return;
    }
    machine->up = false;
    machine->frozen = false;
    machine->incarnation++;
    if (host->kind != NULL)
        host->kind->stop(host);
    else
        host_drop_all(host);
    net_process_gone(sim, machine->id);
    while (machine->waiting != NULL) {
        struct entry *entry = machine->waiting;
        machine->waiting = entry->next;
        world_entry_free(sim, entry);
    }
    machine->waiting_tail = &machine->waiting;
}

struct host *host_new(struct sim *sim, const char *name, const char *id)
{
    struct machine *machine = &sim->nodes[sim->n_nodes];
    struct host *host = mem_zalloc(sizeof(*host));

    machine->kind = NODE_SENTINEL;
    machine->id = sim->n_nodes++;
    machine->host = host;
    machine->waiting_tail = &machine->waiting;
    machine->port = 26379;
    snprintf(machine->name, sizeof(machine->name), "%s", name);
    snprintf(machine->ip, sizeof(machine->ip), "10.1.0.%d", (machine->id + 1) & 0xff);
    snprintf(host->id, sizeof(host->id), "%s", id);
    host->sim = sim;
    host->machine = machine;
    host->requests_tail = &host->requests;
    rng_seed(&host->rng, sim->options.seed, 1000 + (uint64_t)machine->id);
    host->boot_at = sim->now;
    host->mono_base = sim->options.calm ? 1000 : rng_between(&host->rng, 0, 1000000);
    host->wall_base =
        HOST_WALL_BASE + (sim->options.calm ? 0 : rng_between(&host->rng, 0, 100000));
    host->job_ms = 20;
    host->next_pid = 100;
    return host;
}

void host_free(struct host *host)
{
    if (host->impl != NULL)
        host->kind->stop(host);
    if (host->core != NULL)
        host_drop_all(host);
    buf_release(&host->disk);
    buf_release(&host->image);
    mem_free(host->channels);
    host->machine->host = NULL;
    mem_free(host);
}

const struct master *host_master(const struct host *host, int group)
{
    return host->core != NULL
               ? core_master_by_name(host->core, host->sim->groups[group].name)
               : NULL;
}

/* Where the replicas and peers of |master| are. */
static void view_known(const struct host *host, const struct master *master,
                       struct view *out)
{
    const struct sim *sim = host->sim;

    out->servers = out->peers = 0;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        int node = names_node_of(sim, &n->addr);
        out->servers |= node >= 0 ? NODE_BIT(node) : 0;
    }
    if (out->master >= 0)
        out->servers |= NODE_BIT(out->master);
    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next) {
        int node = names_now_at(sim, v->peer->addr.ip, v->peer->addr.port);
        out->peers |= node >= 0 ? NODE_BIT(node) : 0;
    }
}

bool host_view(const struct host *host, int group, struct view *out)
{
    if (host->kind != NULL)
        return host->impl != NULL && host->kind->view(host, group, out);
    const struct master *master = host_master(host, group);
    if (master == NULL)
        return false;
    out->master = names_node_of(host->sim, &master->current->addr);
    out->config_epoch = master->config_epoch;
    out->tilt = host->core->tilt;
    out->failing_over = master->failover.state != FO_NONE;
    out->down = master->current->s_down;
    out->down_after_ms = master->down_after_ms;
    out->failover_timeout_ms = master->failover_timeout_ms;
    view_known(host, master, out);
    return true;
}
