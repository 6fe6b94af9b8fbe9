/*
 * reconf.c - pointing the other replicas at the new master, parallel-syncs at a time
 * (behaviour.md 8.8). Every step follows the INFO that allows it; a replica that does
 * not follow gives its place up after slave-reconf-timeout.
 */
#include "sentinel/core/internal.h"

/* First pause between two INFOs while a replica is being moved; doubles. */
#define RECONF_POLL_MS 10

/* How often one replica is told again because it follows somebody else. */
#define RECONF_AGAIN_MAX 3

/* ------------------------------------------------------------- what was refused -- */

static const struct {
    enum part part;
    enum refused what;
} reconf_parts[] = {
    {PART_MULTI, REFUSED_MULTI},      {PART_SLAVEOF, REFUSED_SLAVEOF},
    {PART_REWRITE, REFUSED_CONFIG},   {PART_KILL_NORMAL, REFUSED_KILL},
    {PART_KILL_PUBSUB, REFUSED_KILL}, {PART_EXEC, REFUSED_EXEC},
};
#define RECONF_N_PARTS (sizeof(reconf_parts) / sizeof(reconf_parts[0]))

/* Sends it again, without what was refused, if it is still what we want. */
static void reconf_send_again(struct core *core, struct node *node, bool no_one)
{
    const struct failover *fo = &node->master->failover;
    const struct node *to = master_address_node(node->master);
    bool is_promotion = fo->promoted == node && fo->state == FO_CONFIRM;

    if (no_one != is_promotion || to == node || !link_is_open(node->link))
        return;
    node->reconf_sent_at = core->now;
    command_slaveof_again(core, node, no_one ? NULL : &to->addr);
}

/* A replica that does not let us move it takes no place from the others. */
static void reconf_give_up(struct core *core, struct node *node)
{
    if (node->master->failover.promoted == node) {
        failover_input(core, node->master, FI_REFUSED, node);
    } else if (node->reconf == RECONF_SENT) {
        node->reconf = RECONF_DONE;
        failover_input(core, node->master, FI_REPLICA_MOVED, node);
    }
}

/* The last reply of a reconfiguration is here; |is_aborted|: the transaction was ended
 * by the server. */
static void reconf_answered(struct core *core, struct node *node, const struct tag *tag,
                            bool is_aborted)
{
    unsigned refused = node->reconf_without & tag->parts;
    bool in_multi = (tag->parts & PART_MULTI) != 0 && (refused & PART_MULTI) == 0;

    if (refused & PART_SLAVEOF) {
        reconf_give_up(core, node);
    } else if (in_multi && (refused & PART_EXEC)) {
        node->reconf_without |= PART_MULTI;
        if (is_aborted) {
            reconf_send_again(core, node, tag->no_one);
            return;
        }
        /* Redis 6.0: the connection is in a transaction that we cannot end. */
        node->reconf_again = true;
        link_reset(core, node->link);
    } else if (in_multi && refused != 0) {
        reconf_send_again(core, node, tag->no_one);
    }
}

void reconf_on_reply(struct core *core, struct node *node, const struct tag *tag,
                     int index, const struct resp_value *value)
{
    unsigned later = tag->parts;
    size_t i = 0;

    for (; i < RECONF_N_PARTS; i++) {
        if (later & reconf_parts[i].part) {
            later &= ~(unsigned)reconf_parts[i].part;
            if (index-- == 0)
                break;
        }
    }
    if (i == RECONF_N_PARTS)
        return;
    enum part part = reconf_parts[i].part;
    bool is_lasting = refusal_is_lasting(value);
    if (part == PART_EXEC && (node->reconf_without & PART_MULTI))
        is_lasting = false; /* there was nothing to execute */
    else
        refusal_on_reply(core, node->link, reconf_parts[i].what, value);
    if (is_lasting)
        node->reconf_without |= (uint8_t)part;
    if (value->type == RESP_ARRAY ||
        (part == PART_SLAVEOF && value->type != RESP_ERROR))
        node->reconf_refused = false;
    /* Say it in the server's own words, once; the time-outs do the rest. */
    if (value->type == RESP_ERROR && part == PART_SLAVEOF && !node->reconf_refused) {
        node->reconf_refused = true;
        if (!is_lasting)
            emit_log(core, LOG_LVL_WARNING,
                     "Reconfiguring %s was refused by the server: %s", node->name,
                     value->str);
    }
    if (later == 0)
        reconf_answered(core, node, tag,
                        value->type == RESP_ERROR &&
                            strncmp(value->str, "EXECABORT", 9) == 0);
}

void reconf_on_up(struct core *core, struct node *node)
{
    if (!node->reconf_again)
        return;
    node->reconf_again = false;
    if (node->master->failover.promoted != node) /* else failover.c does it */
        reconf_send_again(core, node, false);
}

/* ----------------------------------------------------------- one after another --- */

static void reconf_send(struct core *core, struct node *node)
{
    node->info_wait_ms = RECONF_POLL_MS;
    node->reconf_sent_at = core->now;
    node->reconf_n_again = 0;
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
    for (struct node *r = master->replicas; r != NULL; r = r->hh.next) {
        if (r == master->failover.promoted || r->reconf != RECONF_NONE ||
            !node_is_same(r, master->failover.promoted))
            continue;
        emit_log(core, LOG_LVL_WARNING,
                 "%s and %s are one server: it is not told to follow itself", r->name,
                 master->failover.promoted->name);
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
            !link_is_open(r->link) || node_is_same(r, master->failover.promoted))
            continue;
        command_slaveof(core, r, &master->failover.promoted->addr);
        emit_node(core, LOG_LVL_NOTICE, "+slave-reconf-sent-be", r, NULL);
        r->reconf = RECONF_SENT;
    }
}

/* Was the INFO that was asked for at |asked_at| answered after our SLAVEOF, and still
 * shows another master? Then that was lost with its connection (which the CLIENT KILL
 * of an older leader ends), or somebody said something else since. */
static bool reconf_is_undone(const struct node *node, enum same same, int64_t asked_at)
{
    return same == SAME_NO && asked_at > node->reconf_sent_at &&
           !node->reconf_refused && node->reconf_n_again < RECONF_AGAIN_MAX;
}

void reconf_on_info(struct core *core, struct node *node, int64_t asked_at)
{
    struct master *master = node->master;
    const struct node *promoted = master->failover.promoted;

    if (promoted == NULL || node->reported_host == NULL ||
        (node->reconf != RECONF_SENT && node->reconf != RECONF_INPROG))
        return;
    enum same same = resolve_compare(core, &promoted->addr, node->reported_host,
                                     node->reported_port);
    if (reconf_is_undone(node, same, asked_at)) {
        node->reconf_n_again++;
        node->reconf_sent_at = core->now;
        emit_note(core, "%s follows %s still: told again", node->name,
                  node->reported_host);
        command_slaveof(core, node, &promoted->addr);
        return;
    }
    if (node->reconf == RECONF_SENT && same == SAME_YES) {
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
