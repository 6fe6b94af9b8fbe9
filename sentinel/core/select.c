/*
 * select.c - which replica is promoted (behaviour.md 8.4), and why each other is not.
 */
#include "sentinel/core/internal.h"

#define PING_AGE_PERIODS 5
#define INFO_AGE_PERIODS 3
#define LINK_DOWN_FACTOR 10

/*
 * Replicas whose data is older than this lost their master too long before it went
 * down: it took writes that they do not have. One that became a replica by hand has
 * taken none since, although that makes it sdown only much later; its INFO says so with
 * a delay of up to a period.
 */
int64_t core_link_down_max(const struct master *master)
{
    const struct core *core = master->core;
    const struct node *current = master->current;
    int64_t max = LINK_DOWN_FACTOR * master->down_after_ms;

    if (!current->s_down)
        return max;
    int64_t since = current->s_down_at;
    if (current->role == ROLE_REPLICA)
        since =
            min_i64(since, current->role_at - core_number(core, CORE_OPT_INFO_PERIOD));
    return core->now - since + max;
}

/* It surely lacks something: a replica that has had no link since it was started or
 * told whom to follow, or a master of ours from before that has followed nobody since.
 * Offsets of such are of another history, and whoever is in step is better, whatever
 * the priorities. */
bool select_is_doubtful(const struct node *node)
{
    if (node->role == ROLE_MASTER)
        return node->reign[0] != '\0';
    return !node->reported_link_up && node->link_down_ms < 0;
}

/* NULL if |node| may be promoted, else why not. */
static const char *select_veto(const struct core *core, const struct node *node)
{
    const struct master *master = node->master;
    const struct node *current = master->current;
    int64_t ping = core_number(core, CORE_OPT_PING_PERIOD);
    int64_t info_max = current->s_down
                           ? PING_AGE_PERIODS * ping
                           : INFO_AGE_PERIODS * core_number(core, CORE_OPT_INFO_PERIOD);

    /* Or is just becoming so: its timer may run later in this very step. */
    if (node->s_down || core->now >= detect_next(core, node))
        return "it is sdown";
    if (!node->link->cmd.up)
        return "no connection to it";
    if (core->now - node->link->avail_at > PING_AGE_PERIODS * ping)
        return "its last PONG is too old";
    if (node->priority == 0)
        return "its priority is 0";
    if (node->info_at == CORE_NEVER || core->now - node->info_at > info_max)
        return "its last INFO is too old";
    /* As of when we asked, if the network or the server took its time. */
    if (node->link_down_ms + node->info_at - node->info_from_at >
        core_link_down_max(master))
        return "it lost its master too long ago";
    /* Then everything would be lost, and there is nothing to serve. */
    if (node->is_empty && select_is_doubtful(node) &&
        (!current->s_down ||
         core->now - current->s_down_at < 2 * master->failover_timeout_ms))
        return "it is empty, and the master may come back";
    return NULL;
}

/* Is |a| a better choice than |b|? */
static bool select_better(const struct node *a, const struct node *b)
{
    bool a_refuses = refusal_has(a->link, REFUSED_SLAVEOF);
    bool b_refuses = refusal_has(b->link, REFUSED_SLAVEOF);

    if (a_refuses != b_refuses)
        return b_refuses; /* it would only cost time */
    if (select_is_doubtful(a) != select_is_doubtful(b))
        return select_is_doubtful(b);
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (a->offset != b->offset)
        return a->offset > b->offset;
    if (a->run_id[0] == '\0' || b->run_id[0] == '\0')
        return a->run_id[0] != '\0' && b->run_id[0] == '\0';
    return strcasecmp(a->run_id, b->run_id) < 0;
}

struct node *select_replica(struct core *core, struct master *master, bool explain)
{
    struct node *best = NULL;

    for (struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        const char *veto = select_veto(core, n);
        if (veto != NULL) {
            if (explain)
                emit_note(core, "%s not chosen: %s", n->name, veto);
            continue;
        }
        if (best == NULL || select_better(n, best))
            best = n;
    }
    if (explain && best != NULL)
        emit_note(core, "%s chosen: priority %" PRId64 ", offset %" PRIu64, best->name,
                  best->priority, best->offset);
    return best;
}

bool select_may_improve(const struct core *core, const struct master *master)
{
    int64_t since = master->current->s_down ? master->current->s_down_at
                                            : master->failover.start_at;

    (void)core;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (!n->s_down && n->link->cmd.up && n->priority != 0 &&
            n->info_asked_at != CORE_NEVER &&
            (n->info_at == CORE_NEVER || n->info_at < since))
            return true;
    return false;
}

bool select_has_hope(const struct master *master)
{
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (!n->s_down && n->priority != 0 && n->addr.port != 0)
            return true;
    return false;
}
