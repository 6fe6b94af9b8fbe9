/*
 * vote.c - giving votes and counting them (behaviour.md 7).
 *
 * Votes are counted by the epoch of the election they were asked for, never by the
 * global epoch, so that elections of other masters have no say; a sentinel votes once
 * per master and epoch, and the vote is on disk before it leaves.
 */
#include "sentinel/core/internal.h"

#define REFUSED_VOTE_LOG_MS 10000

bool vote_raise_epoch(struct core *core, struct master *master, uint64_t epoch)
{
    if (epoch <= core->current_epoch)
        return true;
    if (epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX) {
        emit_log(core, LOG_LVL_WARNING,
                 "Refused epoch %" PRIu64 " for master %s: the current one is %" PRIu64,
                 epoch, master->name, core->current_epoch);
        return false;
    }
    core->current_epoch = epoch;
    durable_touch_epoch(core);
    emit_plain(core, LOG_LVL_WARNING, "+new-epoch", master, "%" PRIu64, epoch);
    return true;
}

/*
 * vote_grant() answers a request for this sentinel's vote: may |candidate| lead the
 * failover of |master| in |epoch|?
 *
 * Once per master and epoch; the caller holds the answer until it is on disk. Returns
 * the run id voted for, now or earlier, and sets |leader_epoch| to the epoch of that
 * vote; NULL if it is not known (never voted, or voted before a restart).
 */
const char *vote_grant(struct core *core, struct master *master, uint64_t epoch,
                       const char *candidate, uint64_t *leader_epoch)
{
    if (vote_raise_epoch(core, master, epoch) && master->leader_epoch < epoch) {
        snprintf(master->leader, sizeof(master->leader), "%s", candidate);
        master->leader_epoch = epoch;
        durable_touch(core, master);
        emit_plain(core, LOG_LVL_WARNING, "+vote-for-leader", master, "%s %" PRIu64,
                   candidate, epoch);
        if (strcmp(candidate, core->myid) != 0) {
            failover_input(core, master, FI_OUTBID, NULL);
            failover_await(core, master, candidate);
        }
    }
    ASSERT(master->leader_epoch <= core->current_epoch);
    *leader_epoch = master->leader_epoch;
    return master->leader[0] != '\0' ? master->leader : NULL;
}

/* Run ids reach logs and the file: visible characters only, and the right number. */
bool vote_run_id_ok(const char *run_id)
{
    for (const char *c = run_id; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return strlen(run_id) == RUN_ID_LEN;
}

/* A vote for somebody whom we could not count as a voter would let anybody spend it:
 * candidates are sentinels that we know of this very master. The vote is not spent; a
 * candidate that is real is heard and reached within its election, and asks again. */
static bool vote_may_go_to(const struct core *core, const struct master *master,
                           const char *candidate)
{
    return core_number(core, CORE_OPT_VOTE_FOR_UNKNOWN) != 0 ||
           strcmp(candidate, core->myid) == 0 ||
           voter_find(master, candidate) != NULL || master_remembers(master, candidate);
}

/* |why|: what the candidate is not, or has not done. */
static void vote_refuse(struct core *core, const struct master *master,
                        const struct core_request *request, bool down, const char *why)
{
    core->n_refused_votes++;
    emit_answer_vote(core, request->client, down, NULL, 0);
    if (core->refused_vote_logged_at != CORE_NEVER &&
        core->now - core->refused_vote_logged_at < REFUSED_VOTE_LOG_MS)
        return;
    core->refused_vote_logged_at = core->now;
    emit_log(core, LOG_LVL_WARNING, "Refused a vote for master %s: %s %s", master->name,
             request->text, why);
}

void vote_on_request(struct core *core, const struct core_request *request)
{
    struct master *master = core_master_at(core, request->host, request->port);
    uint64_t leader_epoch;

    if (master == NULL) {
        resolve_learn(core, request->host); /* for the next time */
        emit_answer_vote(core, request->client, false, NULL, 0);
        return;
    }
    bool down = !core->tilt && master->current->s_down;
    if (!vote_run_id_ok(request->text)) {
        emit_log(core, LOG_LVL_WARNING, "Refused a vote for master %s: bad run id",
                 master->name);
        emit_answer_vote(core, request->client, down, NULL, 0);
        return;
    }
    if (request->epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX) {
        vote_raise_epoch(core, master, request->epoch); /* says why not */
        emit_answer_vote(core, request->client, down, NULL, 0);
        return;
    }
    if (!vote_may_go_to(core, master, request->text)) {
        vote_refuse(core, master, request, down, "is not a known sentinel (yet)");
        return;
    }
    if (!sign_may_stand(core, master, request->text, request->epoch)) {
        vote_refuse(core, master, request, down, "has not signed that it asks for it");
        return;
    }
    vote_grant(core, master, request->epoch, request->text, &leader_epoch);
    durable_hold_vote(core, master, request->client, down);
}

/* The question |voter| should be asked now, if any. */
void vote_ask_one(struct core *core, struct voter *voter)
{
    const struct failover *fo = &voter->master->failover;

    if (core->tilt || !link_is_open(voter->peer->link) ||
        !peer_is_itself(voter->peer) || !voter->peer->verified)
        return;
    if (fo->state == FO_ELECT && fo->asked) {
        /* One request per election, and another each ask period while the answer is
         * not a vote: a voter whose disk was full may have recovered. */
        bool voted = voter->answered_epoch == fo->epoch && voter->leader[0] != '\0' &&
                     voter->leader_epoch >= fo->epoch;
        if (voter->asked_epoch != fo->epoch ||
            (!voted && voter->answered_epoch == fo->epoch)) {
            hello_stand(core, voter->master, voter->peer->link);
            command_ask(core, voter, fo->epoch);
        }
        return;
    }
    if (voter->master->current->s_down && voter->asked_at == CORE_NEVER)
        command_ask(core, voter, 0);
}

void vote_ask_all(struct core *core, struct master *master)
{
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next)
        vote_ask_one(core, v);
}

void vote_on_asked(struct core *core, struct master *master)
{
    if (core->tilt || master->o_down || !master->current->s_down ||
        master->reasks_left == 0)
        return;
    master->reasks_left--;
    vote_ask_all(core, master);
}

void vote_on_reply(struct core *core, struct voter *voter, const struct tag *tag,
                   const struct resp_value *value)
{
    struct master *master = voter->master;
    const struct resp_value *item = value->items;

    if (tag->round != voter->round)
        return; /* about an address or an incident that is history */
    voter->asked_at = CORE_NEVER;
    if (!peer_is_itself(voter->peer))
        return; /* somebody else sits at its address, whose voice may count already */
    if (value->type != RESP_ARRAY || value->n_items != 3 || item[0].type != RESP_INT ||
        item[1].type != RESP_BULK || item[2].type != RESP_INT || item[2].integer < 0) {
        if (value->type == RESP_ERROR)
            emit_note(core, "sentinel %.8s refused a question: %s", voter->peer->run_id,
                      value->str);
        return;
    }
    voter->said_at = voter->open_since;
    voter->says_down = item[0].integer == 1;
    if (item[1].len == RUN_ID_LEN && vote_run_id_ok(item[1].str)) {
        uint64_t epoch = (uint64_t)item[2].integer;
        if (voter->leader_epoch != epoch)
            emit_log(core, LOG_LVL_NOTICE, "%s voted for %s %" PRIu64,
                     voter->peer->run_id, item[1].str, epoch);
        memcpy(voter->leader, item[1].str, RUN_ID_CAP);
        voter->leader_epoch = epoch;
    }
    if (tag->kind == TAG_VOTE && master->failover.state == FO_ELECT &&
        voter->asked_epoch == master->failover.epoch)
        voter->answered_epoch = master->failover.epoch;
    detect_master(core, master);
    failover_input(core, master, FI_VOTE, NULL);
}

/* How many voters of |master| gave |candidate| their vote in |epoch|. */
static uint32_t vote_count_for(const struct master *master, const char *candidate,
                               uint64_t epoch)
{
    uint32_t n = 0;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        n += v->leader_epoch == epoch && strcmp(v->leader, candidate) == 0 ? 1 : 0;
    return n;
}

enum vote_result vote_result(const struct core *core, const struct master *master,
                             struct vote_count *count)
{
    uint64_t epoch = master->failover.epoch;
    bool own = master->leader_epoch == epoch && strcmp(master->leader, core->myid) == 0;

    memset(count, 0, sizeof(*count));
    count->n_voters = master_possible_voters(core, master);
    uint32_t majority = count->n_voters / 2 + 1;
    count->needed =
        (int64_t)majority >= master->quorum ? majority : (uint32_t)master->quorum;
    count->for_us = vote_count_for(master, core->myid, epoch) + (own ? 1 : 0);
    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next) {
        bool voted = v->leader_epoch == epoch && v->leader[0] != '\0';
        if (voted && strcmp(v->leader, core->myid) != 0) {
            uint32_t n = vote_count_for(master, v->leader, epoch);
            count->n_conflicts++;
            if (n > count->best_other) {
                count->best_other = n;
                count->other = v->leader;
            }
        } else if (!voted && v->answered_epoch != epoch) {
            count->unanswered++;
            if (v->peer->link->cmd.up && !v->s_down)
                count->connected_open++;
        }
    }
    if (count->for_us >= count->needed)
        return VOTE_WON;
    if (count->best_other >= majority)
        return VOTE_OTHER_WON;
    /* Whoever cannot be reached may still come back, and is waited for; but not when
     * the ones that can be reached have given their votes to several candidates. */
    uint32_t open = count->n_conflicts > 0 ? count->connected_open : count->unanswered;
    return count->for_us + open < count->needed ? VOTE_SPLIT : VOTE_OPEN;
}
