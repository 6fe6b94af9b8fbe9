/*
 * failover.c - the failover state machine: one table, one function per row. Every step
 * is taken on the event that allows it; nothing waits for a tick.
 */
#include "sentinel/core/internal.h"

/* A pause after an election when somebody may have won without our knowing: time to
 * hear from it. */
#define RETRY_UNSURE_MS 150
/* Waiting for INFO that is under way, when a choice exists and when none does. */
#define SELECT_IMPROVE_MS 100
#define SELECT_HOPE_MS 1000
/* INFO older than this is asked for again before the choice. */
#define FACTS_AGE_MS 1000
/* When sentinels that were away are back, the master has so long to show that it was we
 * who were away: a new connection, and a PING. */
#define AWAY_PAUSE_MS 2000
/* SENTINEL FAILOVER waits so long for peers that do not answer. */
#define FORCED_ASK_MS 1000
#define FORCED_TRIES_MAX 5
/* +switch-master is announced at the latest so long after the promotion. */
#define ANNOUNCE_MS 100
/* First pause between two INFOs to the promoted replica; doubles. */
#define CONFIRM_POLL_MS 10
/* A replica that refused its promotion is asked again after this. */
#define REFUSED_PAUSE_MS 1000
/* A server is told its role again so many times in one failover. */
#define TOLD_AGAIN_MAX 3
/* How far patience with a candidate we voted for is spread. */
#define AWAIT_SPREAD_MS 1000

/* A stock sentinel looks at the time this often, and a little more. */
#define STOCK_TICK_MS 200

/* The pause of a leader that found no good replica is at least this. */
#define OTHERS_FIRST_MS 12000

#define IN(state) (1u << (state))

typedef void failover_fn(struct core *core, struct master *master, struct node *node);

static failover_fn begin, begin_forced, ask_votes, count_votes, outbid, elect_deadline,
    choose, promote, resend, confirm, give_up_if_late, promoted_lost, next_replica,
    reconf_late, reconsider, try_again, promotion_refused, demote_again, promote_again;

/* clang-format off */
static const struct {
    unsigned states;
    enum failover_input input;
    failover_fn *run;
} failover_table[] = {
    /* in state     on input       do            usually leads to */
    {IN(FO_NONE),     FI_ODOWN,         begin},            /* ELECT */
    {IN(FO_NONE),     FI_FORCED,        begin_forced},     /* ELECT */
    {IN(FO_NONE),     FI_INFO,          reconsider},       /* NONE */
    {IN(FO_ELECT),    FI_DURABLE,       ask_votes},        /* ELECT or SELECT */
    {IN(FO_ELECT),    FI_VOTE,          count_votes},      /* ELECT or SELECT */
    {IN(FO_ELECT),    FI_OUTBID,        outbid},           /* NONE */
    {IN(FO_ELECT),    FI_DEADLINE,      elect_deadline},   /* NONE */
    {IN(FO_SELECT),   FI_INFO,          choose},           /* PROMOTE */
    {IN(FO_SELECT),   FI_LINK_UP,       choose},           /* PROMOTE */
    {IN(FO_SELECT),   FI_DEADLINE,      choose},           /* PROMOTE or NONE */
    {IN(FO_PROMOTE),  FI_LINK_UP,       promote},          /* CONFIRM */
    {IN(FO_PROMOTE) | IN(FO_CONFIRM), FI_DEADLINE,      give_up_if_late},  /* NONE */
    {IN(FO_PROMOTE) | IN(FO_CONFIRM), FI_REPLICA_MOVED, promoted_lost},    /* NONE */
    {IN(FO_CONFIRM),  FI_LINK_UP,       resend},           /* CONFIRM */
    {IN(FO_CONFIRM),  FI_INFO,          try_again},        /* CONFIRM */
    {IN(FO_CONFIRM),  FI_REFUSED,       promotion_refused}, /* CONFIRM or NONE */
    {IN(FO_CONFIRM),  FI_IS_MASTER,     confirm},          /* RECONF */
    {IN(FO_RECONF),   FI_LINK_UP,       next_replica},     /* RECONF */
    {IN(FO_RECONF),   FI_REPLICA_MOVED, next_replica},     /* or SWITCH, NONE */
    {IN(FO_RECONF),   FI_DEADLINE,      reconf_late},      /* or SWITCH, NONE */
    {IN(FO_RECONF),   FI_OLD_IS_MASTER, demote_again},     /* RECONF */
    {IN(FO_RECONF),   FI_INFO,          promote_again},    /* RECONF */
};
/* clang-format on */

/* What may follow what. A broken rule is our bug, so it is asserted. After the config
 * epoch is taken (RECONF) the way back to NONE is through SWITCH, or by somebody else's
 * newer configuration (failover_reset). */
static const unsigned failover_allowed[FO_N] = {
    [FO_NONE] = IN(FO_ELECT),
    [FO_ELECT] = IN(FO_SELECT) | IN(FO_NONE),
    [FO_SELECT] = IN(FO_PROMOTE) | IN(FO_NONE),
    [FO_PROMOTE] = IN(FO_CONFIRM) | IN(FO_NONE),
    [FO_CONFIRM] = IN(FO_RECONF) | IN(FO_NONE),
    [FO_RECONF] = IN(FO_SWITCH),
    [FO_SWITCH] = IN(FO_NONE),
};

const char *failover_state_name(enum failover_state state)
{
    static const char *const names[FO_N] = {
        "none",           "wait_start",    "select_slave", "send_slaveof_noone",
        "wait_promotion", "reconf_slaves", "update_config"};

    return names[state];
}

bool failover_in_progress(const struct master *master)
{
    return master->failover.state != FO_NONE;
}

static void enter(struct core *core, struct master *master, enum failover_state state)
{
    struct failover *fo = &master->failover;

    ASSERT(failover_allowed[fo->state] & IN(state));
    fo->state = state;
    fo->state_at = core->now;
}

void failover_input(struct core *core, struct master *master, enum failover_input input,
                    struct node *node)
{
    unsigned in = IN(master->failover.state);

    if (core->tilt)
        return;
    for (size_t i = 0; i < sizeof(failover_table) / sizeof(failover_table[0]); i++) {
        if ((failover_table[i].states & in) && failover_table[i].input == input) {
            failover_table[i].run(core, master, node);
            master_rearm(core, master);
            return;
        }
    }
    core->n_late_inputs++; /* a late reply for a stage already over */
}

static void failover_clear(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;

    fo->state = FO_NONE;
    fo->state_at = core->now;
    fo->forced = fo->asked = fo->by_majority = fo->announced = false;
    fo->promoted = NULL;
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        n->reconf = RECONF_NONE;
}

void failover_reset(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;

    failover_clear(core, master);
    fo->start_at = fo->awaiting_since = CORE_NEVER;
    fo->retry_at = fo->retry_logged = core->now;
    fo->n_lost = 0;
    fo->lacked_replica = false;
    fo->awaited[0] = '\0';
}

/* ------------------------------------------------------------------ election ---- */

static int64_t election_timeout(const struct core *core, const struct master *master)
{
    return min_i64(core_number(core, CORE_OPT_ELECTION_TIMEOUT),
                   master->failover_timeout_ms);
}

static void start_election(struct core *core, struct master *master, bool forced)
{
    struct failover *fo = &master->failover;
    uint64_t leader_epoch;

    enter(core, master, FO_ELECT);
    fo->forced = forced;
    fo->asked = fo->by_majority = fo->announced = false;
    fo->n_told_again = 0;
    fo->lacked_replica = false;
    fo->start_at = core->now;
    fo->awaiting_since = CORE_NEVER;
    fo->awaited[0] = '\0';
    fo->epoch = core->current_epoch + 1;
    vote_raise_epoch(core, master, fo->epoch);
    emit_master(core, LOG_LVL_WARNING, "+try-failover", master, NULL);
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next)
        v->asked_epoch = v->answered_epoch = 0;
    vote_grant(core, master, fo->epoch, core->myid, &leader_epoch);
    ASSERT_CMP(leader_epoch, ==, fo->epoch);
    durable_hold_election(core, master);
}

/* Can an attempt begin at all? */
static bool may_begin(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;

    if (core->current_epoch >= (uint64_t)INT64_MAX) {
        emit_log(core, LOG_LVL_WARNING,
                 "The epochs are used up: no failover of %s can be started",
                 master->name);
        fo->retry_at = core->now + master->failover_timeout_ms;
        return false;
    }
    if (core->save_failed) {
        emit_note(core, "no failover: the state cannot be saved");
        fo->retry_at = core->now + 1000;
        return false;
    }
    return true;
}

static void begin(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    (void)node;
    if (core->now < fo->retry_at) {
        /* Only delays a person would notice are worth a line. */
        if (fo->retry_logged != fo->retry_at && fo->retry_at - core->now >= 1000) {
            emit_log(core, LOG_LVL_NOTICE,
                     "Next failover delay: I will not start a failover before");
            core_action_last(core)->event.wall_at =
                core->wall + fo->retry_at - core->now;
        }
        fo->retry_logged = fo->retry_at;
        return;
    }
    if (may_begin(core, master))
        start_election(core, master, false);
}

static void begin_forced(struct core *core, struct master *master, struct node *node)
{
    (void)node;
    if (!may_begin(core, master))
        return;
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        node_info_soon(core, n, 0);
    start_election(core, master, true);
}

static void ask_votes(struct core *core, struct master *master, struct node *node)
{
    master->failover.asked = true;
    vote_ask_all(core, master);
    count_votes(core, master, node);
}

static void not_elected(struct core *core, struct master *master)
{
    emit_master(core, LOG_LVL_WARNING, "-failover-abort-not-elected", master, NULL);
    enter(core, master, FO_NONE);
    failover_clear(core, master);
}

/* We cannot win. If somebody has won, it has time to work; if nobody has, all try again
 * after a short random pause. */
static void lose(struct core *core, struct master *master, enum vote_result result,
                 const struct vote_count *count)
{
    struct failover *fo = &master->failover;
    char winner[RUN_ID_CAP];

    snprintf(winner, sizeof(winner), "%s", count->other != NULL ? count->other : "");
    emit_note(core, "epoch %" PRIu64 ": %u votes of %u, %u needed, %u open%s%.8s",
              fo->epoch, count->for_us, count->n_voters, count->needed,
              count->unanswered, winner[0] != '\0' ? ", best other " : "", winner);
    not_elected(core, master);
    if (result == VOTE_OTHER_WON) {
        failover_await(core, master, winner);
        return;
    }
    bool unsure = count->best_other + count->unanswered > count->n_voters / 2;
    fo->retry_at =
        core->now + pace_retry_ms(core, master) + (unsure ? RETRY_UNSURE_MS : 0);
    fo->n_lost++;
}

static void elected(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;

    fo->n_lost = 0;
    /* Somebody has won, so the long pause before a next attempt of ours is in order. */
    fo->retry_at = fo->start_at + 2 * master->failover_timeout_ms;
    emit_master(core, LOG_LVL_WARNING, "+elected-leader", master, NULL);
    if (core->simulate_flags & 1) {
        emit_log(core, LOG_LVL_WARNING,
                 "Sentinel CRASH because of SENTINEL simulate-failure");
        emit(core, CORE_AC_EXIT)->exit.code = 99;
        return;
    }
    enter(core, master, FO_SELECT);
    emit_master(core, LOG_LVL_WARNING, "+failover-state-select-slave", master, NULL);
    /* After a long election the facts are old. */
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (n->info_at == CORE_NEVER || core->now - n->info_at > FACTS_AGE_MS)
            node_info_soon(core, n, 0);
    choose(core, master, NULL);
}

/* SENTINEL FAILOVER needs no majority, but two of them that can reach each other must
 * not share an epoch: whoever learns of a vote for somebody else in its own epoch, and
 * has no majority, gives way. */
static void count_forced(struct core *core, struct master *master,
                         enum vote_result result, const struct vote_count *count,
                         bool late)
{
    struct failover *fo = &master->failover;

    if (result != VOTE_WON && count->n_conflicts > 0) {
        if (result == VOTE_OPEN && !late)
            return;
        bool tie = result == VOTE_SPLIT && strcmp(core->myid, count->other) < 0;
        not_elected(core, master);
        if (tie && ++fo->n_lost <= FORCED_TRIES_MAX)
            start_election(core, master, true);
        return;
    }
    if (result != VOTE_WON && count->connected_open > 0 && !late)
        return;
    fo->by_majority = result == VOTE_WON;
    elected(core, master);
}

static void count_votes(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;
    struct vote_count count;

    (void)node;
    if (!fo->asked)
        return; /* our own vote does not count before it is on disk */
    enum vote_result result = vote_result(core, master, &count);
    if (fo->forced) {
        count_forced(core, master, result, &count, false);
    } else if (result == VOTE_WON) {
        emit_note(core, "%u votes of %u, %u needed", count.for_us, count.n_voters,
                  count.needed);
        fo->by_majority = true;
        elected(core, master);
    } else if (result != VOTE_OPEN) {
        lose(core, master, result, &count);
    }
}

static void outbid(struct core *core, struct master *master, struct node *node)
{
    (void)node;
    not_elected(core, master);
}

static void elect_deadline(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;
    struct vote_count count;
    enum vote_result result = vote_result(core, master, &count);

    if (core->now >= fo->start_at + election_timeout(core, master))
        lose(core, master, result == VOTE_OTHER_WON ? result : VOTE_SPLIT, &count);
    else if (fo->forced && fo->asked && core->now >= fo->start_at + FORCED_ASK_MS)
        count_forced(core, master, result, &count, true);
    else
        count_votes(core, master, node); /* it may take fewer now */
}

void failover_await(struct core *core, struct master *master, const char *candidate)
{
    struct failover *fo = &master->failover;
    int64_t patience = election_timeout(core, master);

    if (fo->state != FO_NONE)
        return;
    snprintf(fo->awaited, sizeof(fo->awaited), "%s", candidate);
    if (fo->awaiting_since == CORE_NEVER)
        fo->awaiting_since = core->now;
    /* One that asks for vote after vote and gets nowhere is not waited for for ever. */
    int64_t until = min_i64(core->now, fo->awaiting_since + patience) + patience;
    fo->retry_at =
        max_i64(fo->retry_at, until + rng_between(&core->rng, 0, AWAIT_SPREAD_MS));
    master_rearm(core, master);
}

void failover_candidate_gone(struct core *core, struct master *master,
                             const char *candidate)
{
    struct failover *fo = &master->failover;

    if (fo->state != FO_NONE || strcmp(fo->awaited, candidate) != 0)
        return;
    emit_note(core, "%s: the awaited leader %.8s is gone", master->name, candidate);
    fo->awaited[0] = '\0';
    fo->retry_at = core->now + pace_retry_ms(core, master);
    master_rearm(core, master);
}

/* ----------------------------------------------------- selection, promotion ---- */

static void no_good_replica(struct core *core, struct master *master)
{
    emit_master(core, LOG_LVL_WARNING, "-failover-abort-no-good-slave", master, NULL);
    enter(core, master, FO_NONE);
    failover_clear(core, master);
}

static void choose(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;
    int64_t waited = core->now - fo->state_at;
    struct node *best = select_replica(core, master, false);

    (void)node;
    if (best != NULL && waited < SELECT_IMPROVE_MS && select_may_improve(core, master))
        return;
    if (best == NULL && waited < SELECT_HOPE_MS && select_has_hope(master))
        return;
    best = select_replica(core, master, true);
    if (best == NULL) {
        no_good_replica(core, master);
        fo->lacked_replica = true;
        /* Somebody else may know a replica that we do not: after ours it is the turn
         * of those who voted for us, whose patience may be longer than our pause (of
         * stock's, by a second that is spread and a tick). */
        fo->retry_at = max_i64(fo->retry_at + AWAIT_SPREAD_MS + STOCK_TICK_MS,
                               core->now + OTHERS_FIRST_MS) +
                       rng_between(&core->rng, 0, AWAIT_SPREAD_MS);
        return;
    }
    if (select_is_doubtful(best))
        emit_log(core, LOG_LVL_WARNING,
                 "Replica %s of %s is the best there is, but it may lack data: it %s",
                 best->name, master->name,
                 best->role == ROLE_MASTER
                     ? "is what an older configuration left"
                     : "has had no link to a master since it was started");
    emit_node(core, LOG_LVL_WARNING, "+selected-slave", best, NULL);
    fo->promoted = best;
    enter(core, master, FO_PROMOTE);
    emit_node(core, LOG_LVL_NOTICE, "+failover-state-send-slaveof-noone", best, NULL);
    if (link_is_open(best->link))
        promote(core, master, best);
}

/* An attempt ended for want of a good replica, and now there is one: the long pause has
 * lost its reason. */
static void reconsider(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    (void)node;
    if (!fo->lacked_replica || !master->o_down)
        return;
    const struct node *best = select_replica(core, master, false);
    if (best == NULL || select_is_doubtful(best))
        return; /* the master has the pause to come back */
    fo->lacked_replica = false;
    fo->retry_at = min_i64(fo->retry_at, core->now + pace_retry_ms(core, master));
}

static void promote(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    if (node != fo->promoted || !link_is_open(node->link))
        return;
    node->info_wait_ms = CONFIRM_POLL_MS;
    command_slaveof(core, node, NULL);
    emit_node(core, LOG_LVL_NOTICE, "+failover-state-wait-promotion", node, NULL);
    node->repaired_at = core->now;
    enter(core, master, FO_CONFIRM);
}

/* Its time is up; the timer that says so may run later in this very step. */
static bool promotion_is_late(const struct core *core, const struct master *master)
{
    return core->now - master->failover.state_at > master->failover_timeout_ms;
}

/* The connection was lost with the command in it, or was cut by the command itself. */
static void resend(struct core *core, struct master *master, struct node *node)
{
    if (node != master->failover.promoted || promotion_is_late(core, master))
        return;
    node->info_wait_ms = CONFIRM_POLL_MS;
    command_slaveof_again(core, node, NULL);
}

/* It refused, perhaps only for now (LOADING, BUSY). */
static void try_again(struct core *core, struct master *master, struct node *node)
{
    if (node != master->failover.promoted || !node->reconf_refused ||
        promotion_is_late(core, master) ||
        core->now - node->repaired_at < REFUSED_PAUSE_MS || !link_is_open(node->link))
        return;
    node->repaired_at = core->now;
    command_slaveof(core, node, NULL);
}

static void abort_promotion(struct core *core, struct master *master)
{
    emit_master(core, LOG_LVL_WARNING, "-failover-abort-slave-timeout", master, NULL);
    enter(core, master, FO_NONE);
    failover_clear(core, master);
    if (!master->o_down)
        failover_incident_over(core, master);
}

static void give_up_if_late(struct core *core, struct master *master, struct node *node)
{
    (void)node;
    if (promotion_is_late(core, master))
        abort_promotion(core, master);
}

/* The chosen replica died before it was promoted. This epoch has told one server to be
 * master and must not tell another: a new election chooses again. */
static void promoted_lost(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    if (node != fo->promoted)
        return;
    emit_note(core, "%s %s", node->name,
              node->s_down ? "died while it was being promoted"
                           : "does not let itself be promoted");
    abort_promotion(core, master);
    fo->retry_at = core->now + pace_retry_ms(core, master);
}

/* We have no right to promote it. If there is another, a new election chooses that. */
static void promotion_refused(struct core *core, struct master *master,
                              struct node *node)
{
    const struct node *best = select_replica(core, master, false);

    if (best == NULL || best == node || refusal_has(best->link, REFUSED_SLAVEOF))
        return; /* asked again, until its time is up */
    promoted_lost(core, master, node);
}

/* The old master, if it can be reached, is told to follow at once: it must not take
 * writes that are then lost (behaviour.md 14, number 4). */
static void demote_old_master(struct core *core, struct master *master)
{
    struct node *old = master->current;

    if (!link_is_open(old->link) || node_is_same(old, master->failover.promoted))
        return;
    emit_note(core, "%s is told to follow %s", master->name,
              master->failover.promoted->name);
    old->repaired_at = core->now;
    command_slaveof(core, old, &master->failover.promoted->addr);
}

/* May |node| be told its role again? Only by the leader of the newest election that we
 * know of, and not for ever: there may be a newer one that we do not hear of. */
static bool may_tell_again(const struct core *core, struct master *master,
                           const struct node *node)
{
    struct failover *fo = &master->failover;

    if (!fo->by_majority || core->current_epoch != fo->epoch ||
        fo->n_told_again == TOLD_AGAIN_MAX || !link_is_open(node->link) ||
        (node->repaired_at != CORE_NEVER &&
         core->now - node->repaired_at < REFUSED_PAUSE_MS))
        return false;
    fo->n_told_again++;
    return true;
}

/* It could not be reached then, or has been restarted since. */
static void demote_again(struct core *core, struct master *master, struct node *node)
{
    if (may_tell_again(core, master, node))
        demote_old_master(core, master);
}

/* Somebody has made it a replica since: the leader of an older election, as a rule, who
 * moves replicas to the one it had promoted. */
static void promote_again(struct core *core, struct master *master, struct node *node)
{
    if (node != master->failover.promoted || node->role != ROLE_REPLICA ||
        !may_tell_again(core, master, node))
        return;
    emit_note(core, "%s is told again to be the master of %s", node->name,
              master->name);
    node->repaired_at = core->now;
    command_slaveof(core, node, NULL);
}

static void confirm(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    node->info_wait_ms = 0;
    enter(core, master, FO_RECONF);
    master->config_epoch = max_u64(master->config_epoch, fo->epoch);
    emit_node(core, LOG_LVL_WARNING, "+promoted-slave", node, NULL);
    if (core->simulate_flags & 2) {
        durable_touch(core, master);
        emit_log(core, LOG_LVL_WARNING,
                 "Sentinel CRASH because of SENTINEL simulate-failure");
        durable_hold_exit(core, 99);
        return;
    }
    durable_touch_config(core, master); /* hellos go out once that is on disk */
    emit_master(core, LOG_LVL_WARNING, "+failover-state-reconf-slaves", master, NULL);
    jobs_reconfig(core, master, "leader", &master->current->addr, &node->addr);
    demote_old_master(core, master);
    next_replica(core, master, node);
}

/* ------------------------------------------------------------ reconfiguration ---- */

static void announce(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;
    const struct addr *from = &master->current->addr, *to = &fo->promoted->addr;

    if (fo->announced)
        return;
    fo->announced = true;
    emit_plain(core, LOG_LVL_WARNING, "+switch-master", master, "%s %s %u %s %u",
               master->name, core_host(core, from), from->port, core_host(core, to),
               to->port);
}

static void switch_over(struct core *core, struct master *master)
{
    struct node *promoted = master->failover.promoted;

    enter(core, master, FO_SWITCH);
    announce(core, master);
    master_switch(core, master, promoted);
}

static void finish(struct core *core, struct master *master)
{
    emit_master(core, LOG_LVL_WARNING, "+failover-end", master, NULL);
    switch_over(core, master);
}

void failover_complete(struct core *core, struct master *master)
{
    if (master->failover.state == FO_RECONF)
        switch_over(core, master);
}

static void next_replica(struct core *core, struct master *master, struct node *node)
{
    (void)node;
    /* If the new master is dead the next failover cannot wait for those still to move.
     */
    if (master->failover.promoted->s_down) {
        finish(core, master);
        return;
    }
    reconf_step(core, master);
    if (reconf_is_done(master))
        finish(core, master);
}

static void reconf_late(struct core *core, struct master *master, struct node *node)
{
    struct failover *fo = &master->failover;

    if (core->now - fo->state_at >= ANNOUNCE_MS)
        announce(core, master);
    if (core->now - fo->state_at > master->failover_timeout_ms) {
        emit_master(core, LOG_LVL_WARNING, "+failover-end-for-timeout", master, NULL);
        reconf_best_effort(core, master);
        finish(core, master);
        return;
    }
    next_replica(core, master, node);
}

void failover_resume(struct core *core, struct master *master)
{
    const struct failover *fo = &master->failover;
    bool waits = fo->state == FO_PROMOTE || fo->state == FO_CONFIRM;

    if (waits && fo->promoted->role == ROLE_REPLICA && link_is_open(fo->promoted->link))
        failover_input(core, master, FI_LINK_UP, fo->promoted);
}

void failover_incident_over(struct core *core, struct master *master)
{
    struct failover *fo = &master->failover;

    /* Nobody was told anything yet: a master that is back keeps its place. */
    if (fo->state == FO_ELECT && !fo->forced)
        not_elected(core, master);
    else if (fo->state == FO_SELECT && !fo->forced)
        no_good_replica(core, master);
    /* The pause belonged to this incident; the next one is another. */
    if (fo->state == FO_NONE)
        fo->retry_at = core->now;
    fo->awaiting_since = CORE_NEVER;
    fo->n_lost = 0;
}

void failover_voter_back(struct core *core, const struct voter *voter)
{
    struct master *master = voter->master;
    struct failover *fo = &master->failover;
    int64_t slack = 2 * core_number(core, CORE_OPT_PING_PERIOD);

    /* One that was lost later than the master was not cut off together with it; and
     * one that comes and goes must not put the failover off for ever. */
    if (!master->o_down || voter->s_down_at > master->current->s_down_at + slack ||
        master->quorum > master_possible_voters(core, master) / 2)
        return;
    if (fo->state == FO_ELECT && !fo->forced)
        not_elected(core, master);
    if (fo->state != FO_NONE)
        return;
    fo->retry_at = max_i64(fo->retry_at, core->now + AWAY_PAUSE_MS);
    master_rearm(core, master);
}

int64_t failover_deadline(const struct core *core, const struct master *master)
{
    const struct failover *fo = &master->failover;
    int64_t at;

    switch (fo->state) {
    case FO_NONE:
        return master->o_down && !core->tilt ? fo->retry_at : CORE_NEVER;
    case FO_ELECT:
        at = fo->start_at + election_timeout(core, master);
        if (fo->forced && fo->asked && core->now < fo->start_at + FORCED_ASK_MS)
            at = min_i64(at, fo->start_at + FORCED_ASK_MS);
        return min_i64(at, master_voters_until(core, master));
    case FO_SELECT:
        return core->now < fo->state_at + SELECT_IMPROVE_MS
                   ? fo->state_at + SELECT_IMPROVE_MS
                   : fo->state_at + SELECT_HOPE_MS;
    case FO_PROMOTE:
    case FO_CONFIRM:
        return time_after(fo->state_at, master->failover_timeout_ms + 1);
    case FO_RECONF:
        at = time_after(fo->state_at, master->failover_timeout_ms + 1);
        if (!fo->announced)
            at = min_i64(at, fo->state_at + ANNOUNCE_MS);
        return min_i64(at, reconf_deadline(core, master));
    default:
        return CORE_NEVER;
    }
}
