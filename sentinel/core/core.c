/*
 * core.c - create, start, dispatch one event, settle.
 */
#include "sentinel/core/internal.h"

/* Dialling everything at once is for small sets; large ones are spread over this. */
#define START_SPREAD_MS 1000
#define START_SPREAD_LINKS 64

struct core *core_new(uint64_t seed)
{
    static const char hex[] = "0123456789abcdef";
    struct core *core = mem_zalloc(sizeof(*core));

    rng_seed(&core->rng, seed, 1);
    for (int i = 0; i < RUN_ID_LEN; i++)
        core->myid[i] = hex[rng_below(&core->rng, 16)];
    core->id_is_new = true;
    core->bad_hello_logged_at = core->refused_vote_logged_at = CORE_NEVER;
    core->twin_at = core->twin_told_at = CORE_NEVER;
    core->refused_sender_at = CORE_NEVER;
    core->struck_at = CORE_NEVER;
    core->save_failed_at = CORE_NEVER;
    timer_init(&core->pulse_timer, TIMER_PULSE, NULL);
    timer_init(&core->persist_timer, TIMER_PERSIST, NULL);
    settings_init(core);
    return core;
}

void core_free(struct core *core)
{
    struct master *master, *next;

    if (core == NULL)
        return;
    core->actions = NULL; /* nobody is told any more */
    durable_release(core);
    jobs_release(core);
    HASH_ITER(hh, core->masters, master, next)
    master_free(core, master);
    resolve_release(core);
    scope_release(core);
    sign_release(core);
    settings_release(core);
    slots_release(&core->links);
    slots_release(&core->voter_ids);
    slots_release(&core->job_ids);
    heap_release(&core->timers);
    mem_free(core);
}

/* What was stamped with instant 0 while loading happened now. */
static void start_node(struct core *core, struct node *node, int64_t spread_ms)
{
    struct link *link = node->link;

    node->role_at = node->conf_changed_at = core->now;
    node->hello_due_at = core->now;
    link->ping_pending_at = link->pong_at = link->avail_at = core->now;
    link->redial_at = core->now + rng_between(&core->rng, 0, spread_ms);
    link->ask_due_at = link->redial_at;
    link_refresh(core, link);
    detect_node(core, node);
}

static void start_peer(struct core *core, struct peer *peer, int64_t spread_ms)
{
    struct link *link = peer->link;
    struct voter *voter;

    peer->known_at = peer->heard_at = core->now;
    link->ping_pending_at = link->pong_at = link->avail_at = core->now;
    link->redial_at = core->now + rng_between(&core->rng, 0, spread_ms);
    link->ask_due_at = link->redial_at;
    link_refresh(core, link);
    DL_FOREACH(peer->voters, voter)
    {
        voter->said_at = voter->hello_at = core->now;
        detect_voter(core, voter);
    }
}

void core_id_is_saved(struct core *core)
{
    ASSERT(!core->started);
    core->id_is_new = false;
}

void core_use_mac(struct core *core, core_mac_fn *mac)
{
    ASSERT(!core->started);
    core->mac = mac;
}

void core_start(struct core *core, int64_t now, int64_t wall,
                struct core_actions *actions)
{
    int64_t spread;

    ASSERT(!core->started);
    emit_begin(core, actions);
    core->seen_at = core->now = now;
    core->seen_wall = core->wall = wall;
    core->started = true;
    core->disk_epoch = core->current_epoch;
    /* What was loaded is what the disk has; only a new run id must be written. */
    core->disk_version = core->asked_version = core->version;
    if (core->id_is_new)
        durable_touch(core, NULL);
    spread = core->links.n_used > START_SPREAD_LINKS ? START_SPREAD_MS : 0;
    for (struct master *m = core->masters; m != NULL; m = m->hh.next) {
        m->failover.retry_at = m->failover.retry_logged = now;
        emit_master(core, LOG_LVL_WARNING, "+monitor", m, "quorum %" PRId64, m->quorum);
        start_node(core, m->current, spread);
        for (struct node *n = m->replicas; n != NULL; n = n->hh.next)
            start_node(core, n, spread);
    }
    for (struct peer *p = core->peers; p != NULL; p = p->hh.next)
        start_peer(core, p, spread);
    scope_check_announced(core);
    sign_on_settings(core);
    timer_arm(core, &core->pulse_timer, core->now + CORE_PULSE_MS);
    durable_settle(core);
    core->actions = NULL;
}

static void on_node_reply(struct core *core, struct link *link, const struct tag *tag,
                          const struct core_event *event)
{
    struct node *node = link->node;
    const struct resp_value *value = event->reply.value;

    switch (tag->kind) {
    case TAG_INFO:
        info_on_reply(core, node, value);
        break;
    case TAG_HELLO:
        node->hello_pending = false;
        break;
    case TAG_SLAVEOF:
        reconf_on_reply(core, node, tag, event->reply.index, value);
        break;
    default:
        break;
    }
}

/* What an answer says about our rights, whatever else it says. */
static void on_any_reply(struct core *core, struct link *link, enum tag_kind kind,
                         const struct resp_value *value)
{
    static const enum refused refused[] = {
        [TAG_AUTH] = REFUSED_AUTH,           [TAG_PING] = REFUSED_PING,
        [TAG_INFO] = REFUSED_INFO,           [TAG_HELLO] = REFUSED_PUBLISH,
        [TAG_ASK] = REFUSED_SENTINEL,        [TAG_VOTE] = REFUSED_SENTINEL,
        [TAG_MYID] = REFUSED_MYID,           [TAG_CLAIM] = REFUSED_CLAIM,
        [TAG_SUBSCRIBE] = REFUSED_SUBSCRIBE, [TAG_SETNAME] = REFUSED_SETNAME,
        [TAG_SCRIPT] = REFUSED_SCRIPT,       [TAG_REAUTH] = REFUSED_AUTH,
    };

    if (kind != TAG_SLAVEOF)
        refusal_on_reply(core, link, refused[kind], value);
}

static void on_reply(struct core *core, const struct core_event *event)
{
    struct link *link = slots_get(&core->links, event->reply.link);
    struct tag tag = tag_unpack(event->reply.tag);

    if (link == NULL)
        return;
    on_any_reply(core, link, tag.kind, event->reply.value);
    if (tag.kind == TAG_SUBSCRIBE) {
        link_on_subscribed(core, link, event->reply.value);
        return;
    }
    if (event->reply.chan == LINK_SUB) {
        link->sub_heard_at = core->now;
        return;
    }
    if (link->n_in_flight > 0)
        link->n_in_flight--;
    if (tag.kind == TAG_PING) {
        link_on_pong(core, link, event->reply.value);
    } else if (tag.kind == TAG_REAUTH) {
        link_on_reauth(core, link, event->reply.value);
    } else if (tag.kind == TAG_ASK || tag.kind == TAG_VOTE) {
        struct voter *voter = command_voter(core, &tag);
        if (voter != NULL && voter->peer->link == link)
            vote_on_reply(core, voter, &tag, event->reply.value);
    } else if (tag.kind == TAG_CLAIM) {
        struct voter *voter = command_voter(core, &tag);
        if (voter != NULL && voter->peer->link == link)
            hello_on_claim(core, voter, event->reply.value);
    } else if (tag.kind == TAG_MYID && link->peer != NULL) {
        peer_on_myid(core, link->peer, event->reply.value); /* may be the end of it */
    } else if (link->node != NULL) {
        on_node_reply(core, link, &tag, event);
    }
}

static void on_message(struct core *core, const struct core_event *event)
{
    struct link *link = slots_get(&core->links, event->message.link);

    if (link == NULL)
        return;
    link->sub_heard_at = core->now;
    if (strcmp(event->message.channel, HELLO_CHANNEL) == 0)
        hello_on_text(core, event->message.text, event->message.len, link);
}

static void dispatch(struct core *core, const struct core_event *event)
{
    struct link *link;

    switch (event->type) {
    case CORE_EV_DEADLINE:
        break; /* due timers run after every event */
    case CORE_EV_LINK_UP:
        link = slots_get(&core->links, event->up.link);
        if (link != NULL)
            link_on_up(core, link, event->up.chan, event->up.local_ip);
        break;
    case CORE_EV_LINK_DOWN:
        link = slots_get(&core->links, event->down.link);
        if (link != NULL)
            link_on_down(core, link, event->down.chan, event->down.reason,
                         event->down.tls);
        break;
    case CORE_EV_REPLY:
        on_reply(core, event);
        break;
    case CORE_EV_MESSAGE:
        on_message(core, event);
        break;
    case CORE_EV_RESOLVED:
        resolve_on_answer(core, event->resolved.host, event->resolved.ip);
        break;
    case CORE_EV_PERSISTED:
        durable_on_persisted(core, event->persisted.version, event->persisted.ok,
                             event->persisted.reason);
        break;
    case CORE_EV_JOB_STARTED:
        jobs_on_started(core, event->job_started.job, event->job_started.pid);
        break;
    case CORE_EV_JOB_EXIT:
        jobs_on_exit(core, event->job_exit.job, event->job_exit.status,
                     event->job_exit.signal);
        break;
    case CORE_EV_REQUEST:
        request_handle(core, event->request);
        break;
    }
}

void core_step(struct core *core, const struct core_event *event,
               struct core_actions *actions)
{
    ASSERT(core->started);
    emit_begin(core, actions);
    /* The clock first: after a freeze, what piled up must not be judged by timers that
     * expired while we were not there. */
    clock_observe(core, event->now, event->wall);
    dispatch(core, event);
    timers_run(core);
    durable_settle(core);
    core->actions = NULL;
}

int64_t core_deadline(const struct core *core)
{
    const struct heap_node *first = heap_min(&core->timers);

    return first == NULL ? CORE_NEVER : time_after(first->at, core->stalled_ms);
}

uint64_t core_version(const struct core *core)
{
    return core->version;
}
