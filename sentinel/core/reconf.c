/*
 * reconf.c - pointing the other replicas at the new master, parallel-syncs at a time
 * (behaviour.md 8.8). Every step follows the INFO that allows it; a replica that does
 * not follow gives its place up after slave-reconf-timeout.
 */
#include "sentinel/core/internal.h"

/* First pause between two INFOs while a replica is being moved; doubles. */
#define RECONF_POLL_MS 10

static void reconf_send(struct core *core, struct node *node)
{
    node->info_wait_ms = RECONF_POLL_MS;
    node->reconf_sent_at = core->now;
    command_slaveof(core, node, &node->master->failover.promoted->addr);
    emit_node(core, LOG_LVL_NOTICE, "+slave-reconf-sent", node, NULL);
}

static int64_t reconf_in_progress(const struct master *master)
{
    int64_t n = 0;

    for (const struct node *r = master->replicas; r != NULL; r = r->hh.next)
        n += !r->s_down && (r->reconf == RECONF_SENT || r->reconf == RECONF_INPROG);
    return n;
}

static bool reconf_timed_out(const struct core *core, const struct node *node)
{
    return node->reconf == RECONF_SENT &&
           core->now - node->reconf_sent_at >
               core_number(core, CORE_OPT_SLAVE_RECONF_TIMEOUT);
}

void reconf_step(struct core *core, struct master *master)
{
    int64_t limit = max_i64(1, master->parallel_syncs);

    for (struct node *r = master->replicas; r != NULL; r = r->hh.next) {
        if (!reconf_timed_out(core, r))
            continue;
        emit_node(core, LOG_LVL_NOTICE, "-slave-reconf-sent-timeout", r, NULL);
        if (link_is_open(r->link))
            reconf_send(core, r); /* once more, and it is not waited for */
        r->reconf = RECONF_DONE;
    }
    int64_t n = reconf_in_progress(master);
    for (struct node *r = master->replicas; r != NULL && n < limit; r = r->hh.next) {
        if (r == master->failover.promoted || r->reconf != RECONF_NONE ||
            !link_is_open(r->link))
            continue;
        reconf_send(core, r);
        r->reconf = RECONF_SENT;
        n += !r->s_down; /* one that is down takes no place from the others */
    }
}

bool reconf_is_done(const struct master *master)
{
    for (const struct node *r = master->replicas; r != NULL; r = r->hh.next)
        if (r != master->failover.promoted && r->reconf != RECONF_DONE && !r->s_down)
            return false;
    return true;
}

void reconf_best_effort(struct core *core, struct master *master)
{
    for (struct node *r = master->replicas; r != NULL; r = r->hh.next) {
        if (r == master->failover.promoted || r->reconf != RECONF_NONE ||
            !link_is_open(r->link))
            continue;
        command_slaveof(core, r, &master->failover.promoted->addr);
        emit_node(core, LOG_LVL_NOTICE, "+slave-reconf-sent-be", r, NULL);
        r->reconf = RECONF_SENT;
    }
}

/* INFO of a replica that is being moved: does it follow the promoted one by now? */
void reconf_on_info(struct core *core, struct node *node)
{
    struct master *master = node->master;
    const struct node *promoted = master->failover.promoted;

    if (promoted == NULL ||
        (node->reconf != RECONF_SENT && node->reconf != RECONF_INPROG))
        return;
    if (node->reconf == RECONF_SENT && node->reported_host != NULL &&
        resolve_compare(core, &promoted->addr, node->reported_host,
                        node->reported_port) == SAME_YES) {
        node->reconf = RECONF_INPROG;
        emit_node(core, LOG_LVL_NOTICE, "+slave-reconf-inprog", node, NULL);
    }
    if (node->reconf == RECONF_INPROG && node->reported_link_up) {
        node->reconf = RECONF_DONE;
        node->info_wait_ms = 0;
        emit_node(core, LOG_LVL_NOTICE, "+slave-reconf-done", node, NULL);
        failover_input(core, master, FI_REPLICA_MOVED, node);
    }
}

int64_t reconf_deadline(const struct core *core, const struct master *master)
{
    int64_t at = CORE_NEVER;

    for (const struct node *r = master->replicas; r != NULL; r = r->hh.next)
        if (r->reconf == RECONF_SENT)
            at = min_i64(at, r->reconf_sent_at +
                                 core_number(core, CORE_OPT_SLAVE_RECONF_TIMEOUT) + 1);
    return at;
}
