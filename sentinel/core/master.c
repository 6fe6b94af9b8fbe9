/*
 * master.c - monitored masters: add, remove, reset, change of address.
 */
#include "sentinel/core/internal.h"

/* INFO of a master that looks sane is younger than this many INFO periods. */
#define SANE_INFO_PERIODS 2
/* Sentinels forgotten by RESET that are still known to be real. */
#define FORMER_MAX 64

struct master *core_master_by_name(const struct core *core, const char *name)
{
    struct master *master;

    HASH_FIND_STR(core->masters, name, master);
    return master;
}

const struct node *master_address_node(const struct master *master)
{
    const struct failover *fo = &master->failover;

    return fo->state >= FO_RECONF && fo->promoted != NULL ? fo->promoted
                                                          : master->current;
}

const char *core_host(const struct core *core, const struct addr *addr)
{
    return addr_host(addr, core_number(core, CORE_OPT_ANNOUNCE_HOSTNAMES) != 0);
}

uint32_t master_known_voters(const struct master *master)
{
    return 1 + HASH_COUNT(master->voters);
}

uint32_t master_usable_voters(const struct master *master)
{
    uint32_t n = 1;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        n += v->s_down ? 0 : 1;
    return n;
}

/* ------------------------------------------------------------- life cycle ---- */

struct master *master_new(struct core *core, const char *name, const struct addr *addr,
                          int64_t quorum)
{
    struct master *master = mem_zalloc(sizeof(*master));

    master->core = core;
    master->name = mem_strdup(name);
    master->quorum = quorum;
    master->parallel_syncs = DEFAULT_PARALLEL_SYNCS;
    master->tls = -1;
    master->down_after_ms = core_number(core, CORE_OPT_DEFAULT_DOWN_AFTER);
    master->failover_timeout_ms = core_number(core, CORE_OPT_DEFAULT_FAILOVER_TIMEOUT);
    master->o_down_at = CORE_NEVER;
    master->ask_at = CORE_NEVER;
    timer_init(&master->timer, TIMER_MASTER, master);
    master->failover.start_at = master->failover.awaiting_since = CORE_NEVER;
    master->failover.retry_at = master->failover.retry_logged = core->now;
    HASH_ADD_KEYPTR(hh, core->masters, master->name, strlen(master->name), master);
    node_new(core, master, addr);
    master_reindex(core, master);
    /* It may have been monitored here before: no second vote in an epoch of then. */
    if (core->started)
        master->leader_epoch = core->current_epoch;
    durable_touch(core, master);
    return master;
}

void master_forget_former(struct master *master, const char *run_id)
{
    for (size_t i = 0; i < master->n_former; i++)
        if (strcmp(master->former[i], run_id) == 0)
            memcpy(master->former[i], master->former[--master->n_former], RUN_ID_CAP);
}

bool master_remembers(const struct master *master, const char *run_id)
{
    for (size_t i = 0; i < master->n_former; i++)
        if (strcmp(master->former[i], run_id) == 0)
            return true;
    return false;
}

void master_remember(struct master *master, const struct voter *voter)
{
    master_forget_former(master, voter->peer->run_id);
    if (master->n_former == FORMER_MAX)
        memmove(master->former, master->former + 1, --master->n_former * RUN_ID_CAP);
    master->former =
        mem_resize(master->former, master->n_former + 1, sizeof(*master->former));
    memcpy(master->former[master->n_former++], voter->peer->run_id, RUN_ID_CAP);
}

static void master_drop_children(struct core *core, struct master *master)
{
    struct node *node, *next_node;
    struct voter *voter, *next_voter;

    HASH_ITER(hh, master->replicas, node, next_node)
    {
        HASH_DEL(master->replicas, node);
        node_free(core, node);
    }
    HASH_ITER(hh, master->voters, voter, next_voter)
    voter_free(core, voter);
    HASH_ITER(hh, master->strangers, voter, next_voter)
    voter_free(core, voter);
}

void master_free(struct core *core, struct master *master)
{
    struct renamed *renamed = master->renames, *next;

    durable_forget(core, master);
    timer_disarm(core, &master->timer);
    master_drop_children(core, master);
    place_forget(core, master);
    node_free(core, master->current);
    HASH_DEL(core->masters, master);
    for (; renamed != NULL; renamed = next) {
        next = renamed->next;
        mem_free(renamed->from);
        mem_free(renamed->to);
        mem_free(renamed);
    }
    mem_free(master->notification_script);
    mem_free(master->reconfig_script);
    mem_free(master->auth_pass);
    mem_free(master->auth_user);
    mem_free(master->former);
    mem_free(master->name);
    mem_free(master);
}

void master_reset(struct core *core, struct master *master)
{
    struct node *node = master->current;

    failover_reset(core, master);
    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        master_remember(master, v);
    master_drop_children(core, master);
    master->o_down = false;
    master->leader[0] = '\0';
    node->run_id[0] = '\0';
    mem_replace(&node->reported_host, NULL);
    node->reported_port = 0;
    link_reset(core, node->link);
    node_forget_facts(core, node);
    durable_touch(core, master);
    master_rearm(core, master);
}

/* The old master becomes a replica of the new one. */
static void master_keep_old(struct core *core, struct master *master, struct node *old)
{
    struct node *twin = node_find(master, &old->addr);

    if (twin == NULL && addr_equal(&old->addr, &master->current->addr))
        twin = master->current;
    if (twin != NULL) {
        node_take_name(core, twin, old);
        node_free(core, old);
        return;
    }
    node_rename(old);
    HASH_ADD_KEYPTR(hh, master->replicas, old->name, strlen(old->name), old);
}

void master_switch(struct core *core, struct master *master, struct node *node)
{
    struct node *old = master->current;

    failover_reset(core, master);
    HASH_DEL(master->replicas, node);
    master->current = node;
    mem_replace(&master->alias, NULL); /* it was the old one's */
    master_keep_old(core, master, old);
    master_reindex(core, master);
    master->o_down = false;
    /* Old evidence says nothing about the new master: it is judged from scratch, and
     * answers to questions about the old address do not count. */
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next)
        voter_forget_opinion(v);
    for (struct node *r = master->replicas; r != NULL; r = r->hh.next)
        emit_node(core, LOG_LVL_NOTICE, "+slave", r, NULL);
    node_forget_facts(core, node);
    for (struct node *r = master->replicas; r != NULL; r = r->hh.next)
        node_forget_facts(core, r);
    durable_touch_config(core, master);
    master_rearm(core, master);
}

/* ----------------------------------------------------------------- timing ---- */

void master_rearm(struct core *core, struct master *master)
{
    int64_t at = failover_deadline(core, master);

    if (master->current->s_down)
        at = min_i64(at, master->ask_at);
    timer_arm(core, &master->timer, core->tilt ? CORE_NEVER : at);
}

void master_ask_round(struct core *core, struct master *master)
{
    master->ask_at = core->now + core_number(core, CORE_OPT_ASK_PERIOD);
    master->reasks_left = 2 * master_known_voters(master);
    vote_ask_all(core, master);
}

void master_on_timer(struct core *core, struct master *master)
{
    if (core->tilt)
        return;
    if (master->current->s_down && core->now >= master->ask_at) {
        master_ask_round(core, master);
    }
    detect_master(core, master); /* opinions may have expired; a retry may be due */
    failover_input(core, master, FI_DEADLINE, NULL);
    master_rearm(core, master);
}

bool master_looks_sane(const struct core *core, const struct master *master)
{
    const struct node *node = master->current;

    return node->role == ROLE_MASTER && !node->s_down && !master->o_down &&
           node->info_at != CORE_NEVER &&
           core->now - node->info_at <
               SANE_INFO_PERIODS * core_number(core, CORE_OPT_INFO_PERIOD);
}

const char *master_command(const struct master *master, const char *name)
{
    if (master != NULL)
        for (const struct renamed *r = master->renames; r != NULL; r = r->next)
            if (strcasecmp(r->from, name) == 0)
                return r->to;
    return name;
}
