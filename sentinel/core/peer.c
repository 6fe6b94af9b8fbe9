/*
 * peer.c - other sentinels. A peer is a process, known by its run id, with one link; a
 * voter is that peer as seen by one master.
 */
#include "sentinel/core/internal.h"

struct peer *peer_find(const struct core *core, const char *run_id)
{
    struct peer *peer;

    HASH_FIND_STR(core->peers, run_id, peer);
    return peer;
}

struct voter *voter_find(const struct master *master, const char *run_id)
{
    struct voter *voter;

    HASH_FIND_STR(master->voters, run_id, voter);
    return voter;
}

struct voter *voter_at(const struct master *master, const struct addr *addr)
{
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next)
        if (addr_equal(&v->peer->addr, addr))
            return v;
    return NULL;
}

static struct peer *peer_new(struct core *core, const char *run_id,
                             const struct addr *addr)
{
    struct peer *peer = mem_zalloc(sizeof(*peer));

    memcpy(peer->run_id, run_id, RUN_ID_CAP);
    addr_copy(&peer->addr, addr);
    timer_init(&peer->hello_timer, TIMER_PEER_HELLO, peer);
    peer->link = link_new(core, NULL, peer);
    HASH_ADD_STR(core->peers, run_id, peer);
    return peer;
}

void peer_free(struct core *core, struct peer *peer)
{
    timer_disarm(core, &peer->hello_timer);
    link_free(core, peer->link);
    addr_release(&peer->addr);
    HASH_DEL(core->peers, peer);
    mem_free(peer);
}

struct voter *peer_add_voter(struct core *core, struct master *master,
                             const char *run_id, const struct addr *addr)
{
    struct peer *peer = peer_find(core, run_id);
    bool is_new = peer == NULL;

    if (is_new)
        peer = peer_new(core, run_id, addr);
    else if (!addr_equal(&peer->addr, addr))
        peer_change_address(core, peer, addr);
    struct voter *voter = mem_zalloc(sizeof(*voter));
    voter->id = slots_add(&core->voter_ids, voter);
    voter->peer = peer;
    voter->master = master;
    voter->said_at = voter->hello_at = core->now;
    voter->asked_at = CORE_NEVER;
    voter->s_down_at = CORE_NEVER;
    timer_init(&voter->down_timer, TIMER_VOTER_DOWN, voter);
    DL_APPEND(peer->voters, voter);
    peer->n_voters++;
    HASH_ADD_KEYPTR(hh, master->voters, peer->run_id, RUN_ID_LEN, voter);
    /* Not a walk over all voters for each one that is loaded: core_start() does it
     * once, and later only a shorter down-after than the others' changes anything. */
    if (core->started) {
        if (is_new || master->down_after_ms < peer->link->down_after_ms)
            link_refresh(core, peer->link);
        if (is_new)
            link_reset(core, peer->link);
        detect_voter(core, voter);
        if (peer->link->cmd.up) {
            timer_arm_by(core, &peer->hello_timer, core->now);
            vote_ask_one(core, voter);
        }
    }
    return voter;
}

void voter_free(struct core *core, struct voter *voter)
{
    struct peer *peer = voter->peer;

    timer_disarm(core, &voter->down_timer);
    if (voter->s_down)
        peer->link->n_down--;
    if (peer->hello_next == voter)
        peer->hello_next = voter->next;
    DL_DELETE(peer->voters, voter);
    peer->n_voters--;
    HASH_DEL(voter->master->voters, voter);
    slots_remove(&core->voter_ids, voter->id);
    bool was_least = voter->master->down_after_ms <= peer->link->down_after_ms;
    mem_free(voter);
    if (peer->n_voters == 0)
        peer_free(core, peer);
    else if (was_least)
        link_refresh(core, peer->link);
}

void voter_forget_opinion(struct voter *voter)
{
    voter->says_down = false;
    voter->leader[0] = '\0';
    voter->asked_at = CORE_NEVER;
    voter->asked_epoch = 0;
    voter->round++;
}

void peer_change_address(struct core *core, struct peer *peer, const struct addr *addr)
{
    addr_copy(&peer->addr, addr);
    resolve_attach(core, peer->link);
    link_reset(core, peer->link);
}

void peer_on_up(struct core *core, struct peer *peer)
{
    int64_t publish = core_number(core, CORE_OPT_PUBLISH_PERIOD);
    struct voter *voter;

    timer_arm(core, &peer->hello_timer,
              core->now + rng_below(&core->rng, (uint32_t)max_i64(1, publish / 10)));
    DL_FOREACH(peer->voters, voter)
    vote_ask_one(core, voter);
}

void peer_on_down(struct core *core, struct peer *peer, bool refused)
{
    struct voter *voter;

    timer_disarm(core, &peer->hello_timer);
    DL_FOREACH(peer->voters, voter)
    {
        voter->asked_at = CORE_NEVER; /* no answer will come */
        if (voter->asked_epoch != voter->answered_epoch)
            voter->asked_epoch = 0;
        /* A refused connection is a process that is gone: if it was to lead our
         * failover, somebody else must. */
        if (refused)
            failover_candidate_gone(core, voter->master, peer->run_id);
    }
}
