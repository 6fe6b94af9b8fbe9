/*
 * node.c - masters and replicas: creation, INFO and hello cadence.
 */
#include "sentinel/core/internal.h"

/* While something is awaited INFO is asked for this often, then half as often, ... */
#define INFO_WAIT_MAX_MS 1000
#define INFO_FAST_MS 1000
#define INFO_SPREAD_LOTS 64

bool node_is_master(const struct node *node)
{
    return node->master->current == node;
}

bool node_is_same(const struct node *a, const struct node *b)
{
    return a->run_id[0] != '\0' && strcmp(a->run_id, b->run_id) == 0;
}

void node_rename(struct node *node)
{
    char name[ADDR_NAME_CAP];
    const struct core *core = node->master->core;

    mem_free(node->name);
    node->name = mem_strdup(addr_name(
        &node->addr, core_number(core, CORE_OPT_ANNOUNCE_HOSTNAMES) != 0, name));
}

static void node_init_facts(struct core *core, struct node *node)
{
    node->role = node_is_master(node) ? ROLE_MASTER : ROLE_REPLICA;
    node->role_at = core->now;
    node->in_ring = node->was_seen = false;
    node->conf_changed_at = core->now;
    node->s_down_at = CORE_NEVER;
    node->rebooted = false;
    node->reconf = RECONF_NONE;
    node->info_wait_ms = 0;
    node->repaired_at = CORE_NEVER;
}

struct node *node_new(struct core *core, struct master *master, const struct addr *addr)
{
    struct node *node = mem_zalloc(sizeof(*node));

    node->master = master;
    addr_copy(&node->addr, addr);
    node_rename(node);
    node->link = link_new(core, node, NULL);
    node->info_at = node->info_asked_at = CORE_NEVER;
    node->info_due_at = core->now;
    node->priority = 100;
    node->announced = true;
    node->listed_at = CORE_NEVER;
    node->hello_due_at = core->now + core_number(core, CORE_OPT_PUBLISH_PERIOD);
    if (master->current == NULL)
        master->current = node;
    node_init_facts(core, node);
    timer_init(&node->timer, TIMER_NODE, node);
    timer_init(&node->down_timer, TIMER_NODE_DOWN, node);
    timer_init(&node->forget_timer, TIMER_NODE_FORGET, node);
    link_refresh(core, node->link);
    if (core->started) {
        link_reset(core, node->link);
        detect_node(core, node);
        node_rearm(core, node);
    }
    return node;
}

void node_free(struct core *core, struct node *node)
{
    timer_disarm(core, &node->timer);
    timer_disarm(core, &node->down_timer);
    timer_disarm(core, &node->forget_timer);
    link_free(core, node->link);
    addr_release(&node->addr);
    buf_release(&node->info_text);
    mem_free(node->reported_host);
    mem_free(node->name);
    mem_free(node);
}

void node_forget_facts(struct core *core, struct node *node)
{
    struct link *link = node->link;

    if (node->s_down)
        link->n_down--;
    node->s_down = false;
    node->script_kill_sent = false;
    node_init_facts(core, node);
    node->info_at = CORE_NEVER; /* what it said belonged to its old place */
    node->run_id[0] = '\0';     /* and its next run is no +reboot of this one */
    /* Judged from now: silence it owed to somebody else's master does not count. */
    if (link->ping_pending_at != CORE_NEVER)
        link->ping_pending_at = core->now;
    link->avail_at = link->pong_at = core->now;
    timer_disarm(core, &node->down_timer);
    node_info_soon(core, node, 0);
    detect_node(core, node);
}

static int64_t node_info_period(const struct core *core, const struct node *node)
{
    const struct master *master = node->master;
    int64_t period = core_number(core, CORE_OPT_INFO_PERIOD);
    bool is_master = node_is_master(node);

    if (!is_master &&
        (master->o_down || failover_in_progress(master) || node->link_down_ms != 0))
        period = min_i64(period, INFO_FAST_MS);
    if (node->role != (is_master ? ROLE_MASTER : ROLE_REPLICA))
        period = min_i64(period, INFO_FAST_MS);
    return period;
}

/* What is due every |period| and not urgent goes out with a PING, so that one write and
 * one read serve all; it may be earlier or later by this for that. */
static int64_t node_slack(const struct node *node, int64_t period)
{
    int64_t ping = node->link->ping_period_ms;
    return period >= 2 * ping ? ping / 2 : 0;
}

static int64_t node_info_slack(const struct core *core, const struct node *node)
{
    return node->info_wait_ms > 0 ? 0 : node_slack(node, node_info_period(core, node));
}

static int64_t node_hello_slack(const struct core *core, const struct node *node)
{
    return node_slack(node, core_number(core, CORE_OPT_PUBLISH_PERIOD));
}

void node_rearm(struct core *core, struct node *node)
{
    int64_t at;

    if (!node->link->cmd.up) {
        timer_disarm(core, &node->timer);
        return;
    }
    at = node->hello_due_at + node_hello_slack(core, node);
    if (node->info_asked_at == CORE_NEVER)
        at = min_i64(at, node->info_due_at + node_info_slack(core, node));
    timer_arm(core, &node->timer, at);
}

static void node_ask_info(struct core *core, struct node *node)
{
    if (node->info_asked_at != CORE_NEVER || !link_is_open(node->link))
        return;
    command_info(core, node);
}

void node_info_soon(struct core *core, struct node *node, int64_t wait_ms)
{
    node->info_wait_ms = wait_ms;
    node->info_due_at = core->now;
    node_ask_info(core, node);
    node_rearm(core, node);
}

/* All servers are asked when they connect. Where there are very many, the second time
 * comes earlier for some, by up to half a period, so that their answers do not come in
 * one wave for ever. */
static int64_t node_info_spread(const struct core *core, const struct node *node,
                                int64_t period)
{
    const struct link *link = node->link;

    if (core->links.n_used < SPREAD_LINKS || period <= INFO_FAST_MS ||
        core->now - link->cmd.up_at > period / 4)
        return period;
    return period - period / 2 * (link->id.slot % INFO_SPREAD_LOTS) / INFO_SPREAD_LOTS;
}

void node_info_next(struct core *core, struct node *node)
{
    int64_t period = node_info_spread(core, node, node_info_period(core, node));

    node->info_asked_at = CORE_NEVER;
    if (node->info_wait_ms > 0) {
        period = min_i64(period, node->info_wait_ms);
        node->info_wait_ms = min_i64(node->info_wait_ms * 2, INFO_WAIT_MAX_MS);
    }
    node->info_due_at = core->now + period;
    node_rearm(core, node);
}

static void node_hello(struct core *core, struct node *node)
{
    node->hello_due_at = core->now + core_number(core, CORE_OPT_PUBLISH_PERIOD);
    if (!node->hello_pending)
        hello_publish(core, node->master, node->link, node);
}

void node_on_up(struct core *core, struct node *node)
{
    node->info_asked_at = CORE_NEVER;
    node->hello_pending = false;
    node->info_due_at = core->now;
    node_ask_info(core, node);
    if (core->now >= node->hello_due_at)
        node_hello(core, node);
    node_rearm(core, node);
    reconf_on_up(core, node);
    failover_input(core, node->master, FI_LINK_UP, node);
}

void node_on_subscribed(struct core *core, struct node *node)
{
    if (!node->was_subscribed && node_is_master(node))
        hello_publish(core, node->master, node->link, node);
    node->was_subscribed = true;
}

void node_on_down(struct core *core, struct node *node)
{
    node->info_asked_at = CORE_NEVER;
    node->hello_pending = false;
    timer_disarm(core, &node->timer);
}

void node_on_ping(struct core *core, struct node *node)
{
    bool is_info_due = core->now >= node->info_due_at - node_info_slack(core, node);
    bool is_hello_due = core->now >= node->hello_due_at - node_hello_slack(core, node);

    if (is_info_due)
        node_ask_info(core, node);
    if (is_hello_due)
        node_hello(core, node);
    if (is_info_due || is_hello_due)
        node_rearm(core, node);
}

void node_on_timer(struct core *core, struct node *node)
{
    int64_t info_at = node->info_due_at + node_info_slack(core, node);

    if (!node->link->cmd.up)
        return;
    if (core->now >= info_at)
        node_ask_info(core, node);
    if (core->now >= node->hello_due_at + node_hello_slack(core, node))
        node_hello(core, node);
    /* INFO that could not be sent for the moment must not spin. */
    if (node->info_asked_at == CORE_NEVER && core->now >= info_at)
        node->info_due_at = core->now + INFO_FAST_MS;
    node_rearm(core, node);
}

struct node *node_find(const struct master *master, const struct addr *addr)
{
    char name[ADDR_NAME_CAP];
    struct node *node;
    bool names = core_number(master->core, CORE_OPT_ANNOUNCE_HOSTNAMES) != 0;

    HASH_FIND_STR(master->replicas, addr_name(addr, names, name), node);
    if (node != NULL)
        return node;
    /* A name and its address are one place. */
    for (node = master->replicas; node != NULL; node = node->hh.next)
        if (addr_equal(&node->addr, addr))
            return node;
    return NULL;
}

struct node *node_add_replica(struct core *core, struct master *master,
                              const struct addr *addr)
{
    struct node *node;

    if (addr_equal(&master->current->addr, addr))
        return NULL;
    node = node_find(master, addr);
    if (node != NULL)
        return node;
    node = node_new(core, master, addr);
    HASH_ADD_KEYPTR(hh, master->replicas, node->name, strlen(node->name), node);
    durable_touch(core, master);
    return node;
}

void node_forget(struct core *core, struct node *replica)
{
    struct master *master = replica->master;

    ASSERT(master->failover.promoted != replica);
    HASH_DEL(master->replicas, replica);
    node_free(core, replica);
    durable_touch(core, master);
    master_rearm(core, master);
}

/* Its key in master->replicas follows its address. */
static void node_rekey(struct node *node)
{
    struct master *master = node->master;

    if (node_is_master(node)) {
        node_rename(node);
        return;
    }
    HASH_DEL(master->replicas, node);
    node_rename(node);
    HASH_ADD_KEYPTR(hh, master->replicas, node->name, strlen(node->name), node);
}

void node_rename_all(struct core *core)
{
    for (struct master *m = core->masters; m != NULL; m = m->hh.next) {
        struct node *replicas = m->replicas, *node, *next;
        /* All out before the first is back in: new names may be old ones of others. */
        m->replicas = NULL;
        HASH_ITER(hh, replicas, node, next)
        {
            HASH_DEL(replicas, node);
            node_rename(node);
            HASH_ADD_KEYPTR(hh, m->replicas, node->name, strlen(node->name), node);
        }
        node_rename(m->current);
        durable_touch(core, m);
    }
}

static void node_set_name(struct core *core, struct node *node, const char *host)
{
    mem_replace(&node->addr.host, host);
    resolve_attach(core, node->link);
    if (node_is_master(node))
        master_reindex(core, node->master);
    node_rekey(node);
}

void node_take_name(struct core *core, struct node *node, const struct node *other)
{
    if (node->addr.host == NULL && other->addr.host != NULL)
        node_set_name(core, node, other->addr.host);
}

/* |node|, a replica, is what |twin| is already. */
static void node_merge(struct core *core, struct node *node, struct node *twin)
{
    struct master *master = node->master;

    emit_note(core, "replica %s of %s turned out to be %s", node->name, master->name,
              node_is_master(twin) ? "the master itself" : twin->name);
    if (master->failover.promoted == node)
        failover_reset(core, master);
    node_take_name(core, twin, node);
    /* What it has said by the other name counts: it was not silent then. */
    if (node->link->was_heard && twin->link->ping_pending_at != CORE_NEVER)
        twin->link->ping_pending_at =
            max_i64(twin->link->ping_pending_at, node->link->avail_at);
    node_forget(core, node);
    if (twin->s_down)
        detect_node(core, twin);
}

/* Another entry of |master| at |port| of |host|, whatever address that has there. */
static struct node *node_named(const struct master *master, const struct node *but,
                               const char *host)
{
    struct node *node = master->current;

    if (node != but && addr_is(&node->addr, host, but->addr.port))
        return node;
    for (node = master->replicas; node != NULL; node = node->hh.next)
        if (node != but && addr_is(&node->addr, host, but->addr.port))
            return node;
    return NULL;
}

bool node_learn_name(struct core *core, struct node *node, const char *host)
{
    struct master *master = node->master;

    if (node->addr.host != NULL || !addr_is_name(host))
        return false;
    const char *ip = resolve_known(core, host);
    if (ip == NULL || strcmp(ip, node->addr.ip) != 0)
        return false;
    struct node *named = node_named(master, node, host);
    if (named == NULL) {
        node_set_name(core, node, host);
        durable_touch(core, master);
        return false;
    }
    /* It has moved, and its own entry has not heard of it yet. */
    bool is_gone = !node_is_master(node) &&
                   (node_is_master(named) || master->failover.promoted == named);
    node_merge(core, is_gone ? node : named, is_gone ? named : node);
    return is_gone;
}

bool node_on_moved(struct core *core, struct node *node)
{
    struct master *master = node->master;
    struct node *replica, *next;

    durable_touch(core, master);
    if (!node_is_master(node) && addr_equal(&node->addr, &master->current->addr)) {
        node_merge(core, node, master->current);
        return true;
    }
    node_rekey(node);
    if (node_is_master(node))
        master_reindex(core, master);
    HASH_ITER(hh, master->replicas, replica, next)
    {
        if (replica == node || !addr_equal(&replica->addr, &node->addr))
            continue;
        if (node_is_master(node) || master->failover.promoted == node) {
            node_merge(core, replica, node);
            continue;
        }
        node_merge(core, node, replica);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ ghosts ------- */

void node_arm_forget(struct core *core, struct node *node)
{
    int64_t after = node->master->forget_replica_ms;
    int64_t at = CORE_NEVER;

    if (after > 0 && node->s_down && !node_is_master(node))
        at = time_after(node->s_down_at, after);
    timer_arm(core, &node->forget_timer, at);
}

/* Nobody needs it: the master is healthy, has said so after the replica went down, and
 * does not list it. While anything is in motion all are kept. */
static bool node_is_ghost(const struct core *core, const struct node *node)
{
    const struct master *master = node->master;
    const struct node *current = master->current;

    return !core->tilt && !failover_in_progress(master) &&
           master_looks_sane(core, master) && current->lists_all &&
           current->info_at > node->s_down_at && node->listed_at != current->info_at;
}

void node_on_forget_timer(struct core *core, struct node *node)
{
    if (!node->s_down || node_is_master(node) || node->master->forget_replica_ms == 0)
        return;
    if (!node_is_ghost(core, node)) {
        timer_arm(core, &node->forget_timer,
                  core->now + core_number(core, CORE_OPT_INFO_PERIOD));
        return;
    }
    emit_node(core, LOG_LVL_WARNING, "-slave", node,
              "#down for %" PRId64 " s and not listed by the master",
              (core->now - node->s_down_at) / 1000);
    node_forget(core, node);
}
