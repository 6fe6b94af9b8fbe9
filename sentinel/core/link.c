/*
 * link.c - one remote address: dialling, PING bookkeeping, stale connections
 * (behaviour.md 3). A peer's link is shared by all masters that know the peer.
 */
#include "sentinel/core/internal.h"

#define REDIAL_FIRST_MS 50
#define REDIAL_MAX_MS 1000
#define REDIAL_FORMER_MS 100
/* A connection that lived this long and then broke is dialled again at once. */
#define REDIAL_STEADY_MS 1000
#define DIAL_TIMEOUT_MIN_MS 250
#define DIAL_TIMEOUT_MAX_MS 2000
#define IN_FLIGHT_MAX 100
/* So many connections without an answer are no accident. */
#define MUTE_MAX 3
/* A name is looked up anew for each connection, but one that has an address already is
 * waited for only so long: a name server that hangs must not keep a server away. */
#define NAME_PATIENCE_MS 100
/* An established connection without an answer to PING for so long may be to a place
 * that its name does not mean any more. */
#define NAME_SILENT_MS 1000
/* Pauses between two look-ups for one link: while it is silent, or works. */
#define NAME_PAUSE_MS 100
#define NAME_PAUSE_SILENT_MS 1000
#define NAME_PAUSE_MAX_MS 10000
/* PINGs of healthy links leave together, about this many at a time, but none is moved
 * by more than half of this. */
#define PING_BATCH 64
#define PING_GRID_MAX_MS 50

struct addr *link_addr(const struct link *link)
{
    return link->node != NULL ? &link->node->addr : &link->peer->addr;
}

static uint32_t link_users(const struct link *link)
{
    return link->peer != NULL && link->peer->n_voters > 0 ? link->peer->n_voters : 1;
}

static struct chan *link_chan(struct link *link, enum link_chan chan)
{
    return chan == LINK_CMD ? &link->cmd : &link->sub;
}

bool link_is_disconnected(const struct link *link)
{
    if (!link->cmd.up || refusal_has(link, REFUSED_NOAUTH))
        return true;
    return link->node != NULL && !link->sub.up && !refusal_has(link, REFUSED_SUBSCRIBE);
}

bool link_is_open(const struct link *link)
{
    return link->cmd.up && link->n_in_flight < IN_FLIGHT_MAX * (int)link_users(link);
}

struct link *link_new(struct core *core, struct node *node, struct peer *peer)
{
    struct link *link = mem_zalloc(sizeof(*link));

    link->id = slots_add(&core->links, link);
    link->node = node;
    link->peer = peer;
    link->ping_pending_at = core->now;
    link->ping_sent_at = CORE_NEVER;
    link->pong_at = link->avail_at = core->now;
    link->sub_heard_at = CORE_NEVER;
    link->redial_at = core->now;
    link->cmd.dialled_at = link->sub.dialled_at = CORE_NEVER;
    link->cmd.up_at = link->sub.up_at = CORE_NEVER;
    timer_init(&link->timer, TIMER_LINK, link);
    resolve_attach(core, link);
    return link;
}

/* Silence begins when the connection is lost: it was alive until then, and a PING that
 * cannot be sent is a PING without answer. */
static void link_lost_cmd(struct core *core, struct link *link)
{
    link->n_in_flight = 0;
    link->local_ip[0] = '\0';
    if (link->ping_pending_at == CORE_NEVER) {
        link->ping_pending_at = core->now;
        link->ask_due_at = min_i64(link->ask_due_at, core->now);
        detect_lost(core, link);
    }
}

static void link_close_chan(struct core *core, struct link *link, enum link_chan which)
{
    struct chan *chan = link_chan(link, which);

    if (!chan->up && !chan->dialling)
        return;
    struct core_action *action = emit(core, CORE_AC_LINK_CLOSE);
    action->close.link = link->id;
    action->close.chan = which;
    chan->up = chan->dialling = false;
    if (which == LINK_CMD) {
        link_lost_cmd(core, link);
        if (link->node != NULL)
            node_on_down(core, link->node);
        else
            peer_on_down(core, link->peer, false);
    }
}

void link_free(struct core *core, struct link *link)
{
    if (core->actions != NULL) {
        for (int i = 0; i < 2; i++) {
            struct chan *chan = link_chan(link, i == 0 ? LINK_CMD : LINK_SUB);
            if (!chan->up && !chan->dialling)
                continue;
            struct core_action *action = emit(core, CORE_AC_LINK_CLOSE);
            action->close.link = link->id;
            action->close.chan = i == 0 ? LINK_CMD : LINK_SUB;
        }
    }
    timer_disarm(core, &link->timer);
    resolve_detach(link);
    refusal_forget(link);
    slots_remove(&core->links, link->id);
    mem_free(link->tls_problem);
    mem_free(link);
}

static int64_t link_dial_timeout(const struct link *link)
{
    return max_i64(DIAL_TIMEOUT_MIN_MS,
                   min_i64(DIAL_TIMEOUT_MAX_MS, link->down_after_ms / 2));
}

/* When cmd is to be given up as dead although the other side never closed it
 * (behaviour.md 3.5): CORE_NEVER if no PING is waiting. */
static int64_t link_stale_at(const struct core *core, const struct link *link)
{
    int64_t half = link->down_after_ms / 2;

    if (!link->cmd.up || link->ping_pending_at == CORE_NEVER || core->tilt)
        return CORE_NEVER;
    int64_t at =
        link->cmd.up_at + core_number(core, CORE_OPT_MIN_LINK_RECONNECT_PERIOD);
    at = max_i64(at, link->ping_pending_at + half);
    return max_i64(at, link->pong_at + half) + 1;
}

static int64_t link_sub_stale_at(const struct core *core, const struct link *link)
{
    if (!link->sub.up || core->tilt)
        return CORE_NEVER;
    int64_t at =
        link->sub.up_at + core_number(core, CORE_OPT_MIN_LINK_RECONNECT_PERIOD);
    int64_t heard =
        max_i64(link->sub.up_at, link->sub_heard_at == CORE_NEVER ? link->sub.up_at
                                                                  : link->sub_heard_at);
    return max_i64(at, heard + 3 * core_number(core, CORE_OPT_PUBLISH_PERIOD)) + 1;
}

/* Does nothing answer where we think it is? */
static bool link_is_lost(const struct core *core, const struct link *link)
{
    return !link->cmd.up || (link->ping_pending_at != CORE_NEVER &&
                             core->now - link->ping_pending_at >= NAME_SILENT_MS);
}

/* When the name is to be looked up (again): for each connection, and while there is no
 * answer. CORE_NEVER if there is no need, or no way. */
static int64_t link_ask_at(const struct core *core, const struct link *link)
{
    int64_t at = link->ask_due_at;

    if (link->hostname == NULL || link->hostname->asked_at != CORE_NEVER ||
        link_addr(link)->port == 0 ||
        core_number(core, CORE_OPT_RESOLVE_HOSTNAMES) == 0)
        return CORE_NEVER;
    if (link_is_lost(core, link) || link->confirm)
        return at;
    return link->ping_pending_at == CORE_NEVER
               ? CORE_NEVER
               : max_i64(at, link->ping_pending_at + NAME_SILENT_MS);
}

/* When what is down may be dialled. */
static int64_t link_dial_at(const struct link *link)
{
    const struct hostname *name = link->hostname;

    if (link_addr(link)->port == 0 || link_addr(link)->ip[0] == '\0')
        return CORE_NEVER;
    if (link->cmd.up || name == NULL || name->is_failing || !link->confirm ||
        name->asked_at == CORE_NEVER)
        return link->redial_at;
    return max_i64(link->redial_at, name->asked_at + NAME_PATIENCE_MS);
}

static void link_rearm(struct core *core, struct link *link)
{
    int64_t at = CORE_NEVER;
    bool want_sub = link->node != NULL && link->cmd.up; /* see link_dial() */

    if (link->cmd.up)
        at = min_i64(at, link->ping_due_at);
    if (link->cmd.dialling)
        at = min_i64(at, link->cmd.dialled_at + link_dial_timeout(link));
    if (link->sub.dialling)
        at = min_i64(at, link->sub.dialled_at + link_dial_timeout(link));
    if ((!link->cmd.up && !link->cmd.dialling) ||
        (want_sub && !link->sub.up && !link->sub.dialling))
        at = min_i64(at, link_dial_at(link));
    at = min_i64(at, link_ask_at(core, link));
    at = min_i64(at, link_stale_at(core, link));
    at = min_i64(at, link_sub_stale_at(core, link));
    timer_arm(core, &link->timer, at);
}

static bool link_uses_tls(const struct core *core, const struct link *link)
{
    int tls = link->node != NULL ? link->node->master->tls : -1;

    return tls >= 0 ? tls != 0 : core_number(core, CORE_OPT_TLS_REPLICATION) != 0;
}

static void link_dial_chan(struct core *core, struct link *link, enum link_chan which)
{
    const struct addr *addr = link_addr(link);
    struct chan *chan = link_chan(link, which);

    if (chan->up || chan->dialling)
        return;
    struct core_action *action = emit(core, CORE_AC_LINK_OPEN);
    action->open.link = link->id;
    action->open.chan = which;
    action->open.ip = arena_strdup(emit_arena(core), addr->ip);
    action->open.port = addr->port;
    action->open.to_peer = link->peer != NULL;
    action->open.tls = link_uses_tls(core, link);
    if (core_number(core, CORE_OPT_TLS_VERIFY_HOSTNAME) != 0)
        action->open.host =
            arena_strdup(emit_arena(core), addr->host != NULL ? addr->host : addr->ip);
    chan->dialling = true;
    chan->dialled_at = core->now;
}

static void link_ask(struct core *core, struct link *link)
{
    if (core->now < link_ask_at(core, link))
        return;
    link->confirm = true;
    resolve_ask(core, link->hostname);
}

/* Dials what is down, if it is time. */
static void link_dial(struct core *core, struct link *link)
{
    link_ask(core, link);
    if (core->now < link_dial_at(link))
        return;
    link_dial_chan(core, link, LINK_CMD);
    /* The subscription follows a working command channel; a dead server then costs one
     * connection attempt, not two. */
    if (link->node != NULL && link->cmd.up)
        link_dial_chan(core, link, LINK_SUB);
}

/* What is dialled next is somewhere else. True if |link| is gone. */
static bool link_move(struct core *core, struct link *link, const char *ip)
{
    link_close_chan(core, link, LINK_CMD);
    link_close_chan(core, link, LINK_SUB);
    link->redial_at = core->now;
    link->n_failed_dials = 0;
    addr_set_ip(link_addr(link), ip);
    if (link->node != NULL)
        return node_on_moved(core, link->node);
    durable_touch(core, NULL);
    return false;
}

void link_on_address(struct core *core, struct link *link, const char *ip)
{
    int64_t most = link_is_lost(core, link) ? NAME_PAUSE_SILENT_MS : NAME_PAUSE_MAX_MS;
    int64_t pause = max_i64(NAME_PAUSE_MS, link->ask_pause_ms);

    /* One that works is left alone, whatever its name means now: names with several
     * addresses give another one each time. */
    if (ip != NULL && strcmp(link_addr(link)->ip, ip) != 0 &&
        (link->confirm || link_is_lost(core, link)) && link_move(core, link, ip))
        return;
    if (ip != NULL)
        link->confirm = false;
    link->ask_due_at = core->now + pause;
    link->ask_pause_ms = min_i64(most, 2 * pause);
    if (!link->cmd.up)
        link_dial(core, link);
    link_rearm(core, link);
}

/* The longest pause between two attempts. A former master takes writes in the moment it
 * is back, so it is to be found soon, by less than a thousand attempts a second in all.
 */
static int64_t link_redial_max(const struct core *core, const struct link *link)
{
    const struct node *node = link->node;

    if (node == NULL || node_is_master(node) || node->reign[0] == '\0')
        return REDIAL_MAX_MS;
    return min_i64(REDIAL_MAX_MS, REDIAL_FORMER_MS + (int64_t)core->links.n_used);
}

static void link_backoff(struct core *core, struct link *link)
{
    uint32_t n = link->n_failed_dials++;
    int64_t delay = n >= 5 ? REDIAL_MAX_MS : (int64_t)REDIAL_FIRST_MS << n;

    delay = min_i64(delay, link_redial_max(core, link));
    link->redial_at = core->now + rng_between(&core->rng, delay * 3 / 4, delay);
}

/* The moment next to |at| at which other links, too, have their PINGs: waking up costs
 * more than a PING. With many links the moments lie close together, lest a batch take
 * long. */
static int64_t link_on_grid(const struct core *core, const struct link *link,
                            int64_t at)
{
    int64_t n_links = max_i64(1, (int64_t)core->links.n_used);
    int64_t grid =
        min_i64(link->ping_period_ms * PING_BATCH / n_links, link->ping_period_ms / 20);

    grid = max_i64(1, min_i64(grid, PING_GRID_MAX_MS));
    return max_i64(core->now + 1, (at + grid / 2) / grid * grid);
}

void link_on_up(struct core *core, struct link *link, enum link_chan which,
                const char *local_ip)
{
    struct chan *chan = link_chan(link, which);

    if (!chan->dialling)
        return;
    chan->dialling = false;
    chan->up = true;
    chan->up_at = core->now;
    command_preamble(core, link, which);
    if (which == LINK_SUB) {
        link->sub_heard_at = core->now;
        command_subscribe(core, link);
        link_rearm(core, link);
        return;
    }
    link->n_in_flight = link->n_in_flight < 0 ? 0 : link->n_in_flight;
    link->is_mute = true;
    snprintf(link->local_ip, sizeof(link->local_ip), "%s",
             local_ip != NULL ? local_ip : "");
    command_ping(core, link);
    link->ping_sent_at = link->ping_slot_at = core->now;
    if (link->ping_pending_at == CORE_NEVER)
        link->ping_pending_at = core->now;
    /* A random phase; thousands of links spread over the whole of the period. */
    int64_t latest = core->links.n_used < SPREAD_LINKS ? link->ping_period_ms
                                                       : link->ping_period_ms * 3 / 2;
    link->ping_due_at = link_on_grid(
        core, link,
        core->now + rng_between(&core->rng, link->ping_period_ms / 2, latest));
    link_dial(core, link);
    /* First: what has become sdown in this very moment is given no promotion. */
    detect_link(core, link);
    if (link->node != NULL)
        node_on_up(core, link->node);
    else
        peer_on_up(core, link->peer);
    link_rearm(core, link);
}

/* "the master m1 at 192.0.2.1:6379" */
static void link_describe(const struct core *core, const struct link *link, char *text,
                          size_t cap)
{
    const struct addr *addr = link_addr(link);
    const struct node *node = link->node;
    const char *what = node == NULL           ? "the sentinel"
                       : node_is_master(node) ? "the master"
                                              : "a replica of";

    snprintf(text, cap, "%s %s at %s:%u", what,
             node != NULL ? node->master->name : link->peer->run_id,
             core_host(core, addr), addr->port);
}

/* What a person must mend is said once per change, not at each attempt. */
static void link_tell_problem(struct core *core, struct link *link, const char *reason,
                              bool is_tls, bool was_up)
{
    char name[512];

    link_describe(core, link, name, sizeof(name));
    if (is_tls) {
        if (link->tls_problem != NULL && strcmp(link->tls_problem, reason) == 0)
            return;
        mem_replace(&link->tls_problem, reason);
        emit_log(core, LOG_LVL_WARNING, "TLS with %s failed: %s", name, reason);
    } else if (was_up && link->is_mute && ++link->n_mute == MUTE_MAX) {
        emit_log(core, LOG_LVL_WARNING,
                 "%s ends every connection without an answer (%s): %s", name, reason,
                 link_uses_tls(core, link) ? "does it know our certificate?"
                                           : "does it expect TLS?");
    }
}

void link_on_down(struct core *core, struct link *link, enum link_chan which,
                  const char *reason, bool is_tls)
{
    struct chan *chan = link_chan(link, which);
    bool was_up = chan->up;
    bool refused = chan->dialling;

    if (!chan->up && !chan->dialling)
        return;
    chan->up = chan->dialling = false;
    if (was_up && core->now - chan->up_at >= REDIAL_STEADY_MS) {
        link->n_failed_dials = 0;
        link->redial_at = core->now;
    } else {
        link_backoff(core, link);
    }
    const char *event =
        which == LINK_CMD ? "-cmd-link-reconnection" : "-pubsub-link-reconnection";
    if (link->node != NULL)
        emit_node(core, LOG_LVL_DEBUG, event, link->node, "#%s", reason);
    else if (link->peer->voters != NULL)
        emit_voter(core, LOG_LVL_DEBUG, event, link->peer->voters, "#%s", reason);
    if (which == LINK_CMD || is_tls)
        link_tell_problem(core, link, reason, is_tls, was_up);
    if (which == LINK_CMD) {
        link_lost_cmd(core, link);
        if (link->node != NULL)
            node_on_down(core, link->node);
        else
            peer_on_down(core, link->peer, refused);
        if (link->peer != NULL)
            link->peer->refused = refused && strstr(reason, "refused") != NULL;
        detect_link(core, link);
        if (link->peer != NULL)
            peer_go_home(core, link->peer);
    }
    link_rearm(core, link);
}

static void link_ping(struct core *core, struct link *link)
{
    command_ping(core, link);
    link->ping_sent_at = link->ping_slot_at = core->now;
    if (link->node != NULL)
        node_on_ping(core, link->node);
    if (link->ping_pending_at == CORE_NEVER) {
        link->ping_pending_at = core->now;
        detect_link(core, link);
    }
}

static void link_on_ping_due(struct core *core, struct link *link)
{
    int64_t due_at = link->ping_due_at;

    link->ping_due_at = core->now + max_i64(1, link->ping_period_ms / 2);
    if (!link_is_open(link))
        return;
    link_ping(core, link);
    /* A turn that is late takes the PINGs of several moments along. Each keeps its own
     * for the next time, or they would gather there, more and more of them. */
    if (core->now - due_at < link->ping_period_ms / 2)
        link->ping_slot_at = due_at;
}

static void link_recycle(struct core *core, struct link *link, enum link_chan which,
                         const char *why)
{
    emit_note(core, "%s:%u: %s connection given up: %s", link_addr(link)->ip,
              link_addr(link)->port, which == LINK_CMD ? "command" : "hello", why);
    link_close_chan(core, link, which);
    if (which == LINK_CMD)
        link_close_chan(core, link, LINK_SUB);
}

void link_confused(struct core *core, struct link *link)
{
    link_recycle(core, link, LINK_CMD, "answers do not fit the questions");
    link_backoff(core, link);
    detect_link(core, link);
    link_rearm(core, link);
}

void link_on_timer(struct core *core, struct link *link)
{
    int64_t timeout = link_dial_timeout(link);

    if (link->cmd.dialling && core->now >= link->cmd.dialled_at + timeout) {
        link_recycle(core, link, LINK_CMD, "no answer to connect");
        /* A server that does not speak TLS waits for the end of our first line. */
        if (link_uses_tls(core, link) && !link->was_heard)
            link_tell_problem(core, link,
                              "no answer (is it down, or does it not speak TLS?)", true,
                              false);
        link_backoff(core, link);
        if (link->peer != NULL)
            peer_go_home(core, link->peer);
    }
    if (link->sub.dialling && core->now >= link->sub.dialled_at + timeout) {
        link_recycle(core, link, LINK_SUB, "no answer to connect");
        link_backoff(core, link);
    }
    if (core->now >= link_stale_at(core, link))
        link_recycle(core, link, LINK_CMD, "PING unanswered");
    if (core->now >= link_sub_stale_at(core, link))
        link_recycle(core, link, LINK_SUB, "silent");
    link_dial(core, link);
    if (link->cmd.up && core->now >= link->ping_due_at)
        link_on_ping_due(core, link);
    link_rearm(core, link);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void link_on_pong(struct core *core, struct link *link, const struct resp_value *value)
{
    link->pong_at = core->now;
    link->n_mute = 0;
    link->is_mute = false;
    link->was_heard = true;
    mem_replace(&link->tls_problem, NULL);
    link->ping_due_at =
        max_i64(link->ping_due_at, core->now + link->ping_period_ms / 2);
    if (value->type != RESP_STATUS && value->type != RESP_ERROR) {
        link_confused(core, link);
        return;
    }
    if (starts_with(value->str, "PONG") || starts_with(value->str, "LOADING") ||
        starts_with(value->str, "MASTERDOWN")) {
        link->avail_at = core->now;
        link->ping_pending_at = CORE_NEVER;
        if (link->ping_sent_at != CORE_NEVER)
            link->rtt_ms = core->now - link->ping_sent_at;
        if (link->ping_sent_at == CORE_NEVER)
            link->ping_due_at = core->now;
        else if (link->ping_sent_at != link->cmd.up_at) /* else its phase is set */
            link->ping_due_at =
                link_on_grid(core, link, link->ping_slot_at + link->ping_period_ms);
        link->n_failed_dials = 0;
        link->ask_pause_ms = link->confirm ? link->ask_pause_ms : 0;
        if (link->node != NULL && starts_with(value->str, "PONG"))
            link->node->rebooted = false;
        detect_link(core, link);
        link_rearm(core, link);
    } else if (starts_with(value->str, "BUSY") && link->node != NULL &&
               link->node->s_down && !link->node->script_kill_sent) {
        link->node->script_kill_sent = true;
        command_script_kill(core, link->node);
    }
}

void link_on_subscribed(struct core *core, struct link *link,
                        const struct resp_value *value)
{
    link->sub_heard_at = core->now;
    if (value->type != RESP_ERROR) {
        if (link->node != NULL)
            node_on_subscribed(core, link->node);
        return;
    }
    link_close_chan(core, link, LINK_SUB);
    link->redial_at = core->now + REDIAL_MAX_MS;
    link_rearm(core, link);
}

void link_reset(struct core *core, struct link *link)
{
    link_close_chan(core, link, LINK_CMD);
    link_close_chan(core, link, LINK_SUB);
    link->redial_at = core->now;
    link->n_failed_dials = 0;
    link->n_mute = 0;
    link->was_heard = false;
    mem_replace(&link->tls_problem, NULL);
    if (core->started)
        link_dial(core, link);
    link_rearm(core, link);
}

/* A connection in use is not cut for it: there is no gap in which it could look dead,
 * and a password that is wrong is refused without harm to what works. */
void link_reauth(struct core *core, struct link *link)
{
    if (!link->cmd.up || !command_reauth(core, link)) {
        refusal_forget(link); /* it was refused to somebody else */
        link_reset(core, link);
        return;
    }
    link_ping(core, link);
    link_rearm(core, link);
}

void link_on_reauth(struct core *core, struct link *link,
                    const struct resp_value *value)
{
    if (value->type == RESP_ERROR || link->node == NULL)
        return;
    /* A subscribed connection takes no AUTH: it is made anew. */
    link_close_chan(core, link, LINK_SUB);
    link->redial_at = core->now;
    link->n_failed_dials = 0;
    link_dial(core, link);
    node_info_soon(core, link->node, 0);
    link_rearm(core, link);
}

void link_refresh(struct core *core, struct link *link)
{
    int64_t down_after = CORE_NEVER;
    int64_t period = core_number(core, CORE_OPT_PING_PERIOD);

    if (link->node != NULL) {
        down_after = link->node->master->down_after_ms;
    } else {
        const struct voter *v;
        DL_FOREACH(link->peer->voters, v)
        down_after = min_i64(down_after, v->master->down_after_ms);
    }
    if (down_after == CORE_NEVER)
        down_after = core_number(core, CORE_OPT_DEFAULT_DOWN_AFTER);
    link->down_after_ms = down_after;
    link->ping_period_ms = min_i64(period, down_after);
    if (!core->started)
        return;
    if (link->cmd.up)
        link->ping_due_at =
            min_i64(link->ping_due_at, core->now + link->ping_period_ms);
    link_rearm(core, link);
}
