/*
 * detect.c - subjectively and objectively down (behaviour.md 6), computed at the exact
 * moment either can change. Down timers are lazy: an answer moves the true deadline
 * later, the armed timer stays, and when it fires early it is armed anew.
 */
#include "sentinel/core/internal.h"

/* Opinions older than this many ask periods do not count. */
#define OPINION_PERIODS 5

/* Silence is counted from the first PING without an acceptable answer, or from the loss
 * of the connection (link.c), over any number of connections. */
static int64_t link_down_at(const struct link *link, int64_t down_after_ms)
{
    return time_after(link->ping_pending_at, down_after_ms + 1);
}

/* By its last INFO. */
static bool detect_follows(struct core *core, const struct addr *addr,
                           const struct node *n)
{
    return n->role == ROLE_REPLICA && n->reported_host != NULL &&
           resolve_compare(core, addr, n->reported_host, n->reported_port) == SAME_YES;
}

/* Does |node|, which says that it is a replica, follow one that, asked since, follows
 * it? Then nobody is master. */
static bool detect_is_ring(struct core *core, const struct node *node)
{
    for (const struct node *n = node->master->replicas; n != NULL; n = n->hh.next)
        if (n->info_from_at >= node->role_at && detect_follows(core, &n->addr, node) &&
            detect_follows(core, &node->addr, n))
            return true;
    return false;
}

int64_t detect_next(const struct core *core, const struct node *node)
{
    const struct master *master = node->master;
    int64_t at = link_down_at(node->link, master->down_after_ms);

    if (!node_is_master(node))
        return at;
    /* What it became because our failover told it to is no fault. */
    bool was_told = master->failover.state == FO_RECONF &&
                    node->role_at >= master->failover.state_at;
    if (node->role == ROLE_REPLICA && !was_told) {
        int64_t wait_ms = node->in_ring ? 0 /* nothing will come of waiting */
                                        : 2 * core_number(core, CORE_OPT_INFO_PERIOD);
        at =
            min_i64(at, time_after(node->role_at, master->down_after_ms + wait_ms + 1));
    }
    if (node->rebooted && master->reboot_down_after_ms > 0)
        at = min_i64(at,
                     time_after(node->rebooted_at, master->reboot_down_after_ms + 1));
    return at;
}

static void node_becomes_down(struct core *core, struct node *node)
{
    struct master *master = node->master;

    emit_node(core, LOG_LVL_WARNING, "+sdown", node, NULL);
    if (node->link->ping_pending_at != CORE_NEVER)
        emit_note(core, "%s for %" PRId64 " ms",
                  node->link->cmd.up ? "PING unanswered" : "no connection",
                  core->now - node->link->ping_pending_at);
    else
        emit_note(core, "role or run id is not what it should be");
    node->s_down = true;
    if (node_is_master(node))
        pace_note_struck(core, master);
    node->s_down_at = core->now;
    node->link->n_down++;
    if (!node_is_master(node)) {
        node_arm_forget(core, node);
        failover_input(core, master, FI_REPLICA_MOVED, node);
        return;
    }
    /* Fresh facts about the replicas, so that an election that takes milliseconds does
     * not have to choose by facts that are seconds old. */
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        node_info_soon(core, n, 0);
    master_ask_round(core, master);
    detect_master(core, master);
    master_rearm(core, master);
}

static void node_becomes_up(struct core *core, struct node *node)
{
    emit_node(core, LOG_LVL_WARNING, "-sdown", node, NULL);
    node->s_down = false;
    node->script_kill_sent = false;
    node->link->n_down--;
    if (node_is_master(node)) {
        detect_master(core, node->master);
        for (struct voter *v = node->master->voters; v != NULL; v = v->hh.next)
            voter_forget_opinion(v);
        master_rearm(core, node->master);
    }
}

void detect_node(struct core *core, struct node *node)
{
    int64_t at;

    if (!core->started || core->tilt)
        return;
    at = detect_next(core, node);
    if (core->now >= at && !node->s_down)
        node_becomes_down(core, node);
    else if (core->now < at && node->s_down)
        node_becomes_up(core, node);
    if (!node->s_down)
        timer_arm_by(core, &node->down_timer, at);
}

/* Two leaders, one soon after the other, can each have moved the other's new master. A
 * master that was one before somebody made it a replica is waited for, as ever: he may
 * be about to change their places by hand. */
void detect_ring(struct core *core, struct master *master)
{
    struct node *node = master->current;
    bool in_ring =
        !node->was_seen && node->role == ROLE_REPLICA && detect_is_ring(core, node);

    if (in_ring == node->in_ring)
        return;
    node->in_ring = in_ring;
    detect_node(core, node);
}

void detect_voter(struct core *core, struct voter *voter)
{
    struct link *link = voter->peer->link;
    int64_t at;

    if (!core->started || core->tilt || !voter->peer->verified)
        return;
    at = min_i64(
        link_down_at(link, voter->master->down_after_ms),
        time_after(voter->peer->absent_since, voter->master->down_after_ms + 1));
    if (core->now >= at && !voter->s_down) {
        emit_voter(core, LOG_LVL_WARNING, "+sdown", voter, NULL);
        voter->s_down = true;
        voter->s_down_at = core->now;
        link->n_down++;
        failover_candidate_gone(core, voter->master, voter->peer->run_id);
    } else if (core->now < at && voter->s_down) {
        emit_voter(core, LOG_LVL_WARNING, "-sdown", voter, NULL);
        voter->s_down = false;
        link->n_down--;
        failover_voter_back(core, voter);
    }
    if (!voter->s_down)
        timer_arm_by(core, &voter->down_timer, at);
}

void detect_link(struct core *core, struct link *link)
{
    bool silent = link->ping_pending_at != CORE_NEVER;
    struct voter *voter;

    if (link->node != NULL) {
        if (silent || link->n_down > 0)
            detect_node(core, link->node);
        return;
    }
    if (silent || link->n_down > 0)
        DL_FOREACH(link->peer->voters, voter)
    detect_voter(core, voter);
}

void detect_lost(struct core *core, struct link *link)
{
    struct voter *voter;

    if (!core->started)
        return;
    if (link->node != NULL) {
        if (!link->node->s_down)
            timer_arm_by(core, &link->node->down_timer, detect_next(core, link->node));
        return;
    }
    DL_FOREACH(link->peer->voters, voter)
    {
        if (!voter->s_down && voter->peer->verified)
            timer_arm_by(core, &voter->down_timer,
                         link_down_at(link, voter->master->down_after_ms));
    }
}

bool core_voter_says_down(const struct core *core, const struct voter *voter)
{
    return voter->says_down &&
           core->now - voter->said_at <=
               OPINION_PERIODS * core_number(core, CORE_OPT_ASK_PERIOD);
}

static int64_t detect_count(const struct core *core, const struct master *master)
{
    int64_t n = 1;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        n += core_voter_says_down(core, v) ? 1 : 0;
    return n;
}

void detect_master(struct core *core, struct master *master)
{
    int64_t n;

    if (!core->started || core->tilt)
        return;
    n = master->current->s_down ? detect_count(core, master) : 0;
    bool down = n > 0 && n >= master->quorum;
    if (down && !master->o_down) {
        emit_master(core, LOG_LVL_WARNING, "+odown", master,
                    "#quorum %" PRId64 "/%" PRId64, n, master->quorum);
        master->o_down = true;
        master->o_down_at = core->now;
        master->failover.retry_at =
            max_i64(master->failover.retry_at, core->now + pace_turn_ms(core, master));
    } else if (!down && master->o_down) {
        emit_master(core, LOG_LVL_WARNING, "-odown", master, NULL);
        master->o_down = false;
        if (!master->current->s_down)
            failover_incident_over(core, master);
    }
    if (master->o_down)
        failover_input(core, master, FI_ODOWN, NULL);
}

void detect_all(struct core *core)
{
    for (struct master *m = core->masters, *next; m != NULL; m = next) {
        next = m->hh.next;
        for (struct voter *v = m->voters; v != NULL; v = v->hh.next)
            detect_voter(core, v);
        for (struct node *n = m->replicas; n != NULL; n = n->hh.next) {
            detect_node(core, n);
            link_refresh(core, n->link);
        }
        detect_node(core, m->current);
        link_refresh(core, m->current->link);
        detect_master(core, m);
        master_rearm(core, m);
    }
}
