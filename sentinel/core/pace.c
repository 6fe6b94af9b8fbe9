/*
 * pace.c - how long candidates keep out of each other's way (decisions 0014, 0030).
 */
#include "sentinel/core/internal.h"

/* A split election is run again after this, doubled for each further loss. */
#define RETRY_LOW_MS 15
#define RETRY_HIGH_MS 45
#define RETRY_DOUBLINGS_MAX 6
/* Round trips spread the pauses; one that is out of all proportion does not. */
#define RTT_MAX_MS 500
/* All sentinels see a killed server die in the same millisecond. They take turns: the
 * one with the least run id starts at once, the others this much later each, which is
 * enough for its request to arrive first; on slow networks and disks, later. */
#define TURN_MS 20
/* When masters die together, the requests for each wait behind those for the others and
 * for the disk: turns and pauses are longer by this for each. Those that became sdown
 * with no more than a second between them count as one crowd, for so long. */
#define CROWD_EACH_MS 2
#define CROWD_GAP_MS 1000
#define CROWD_LASTS_MS 10000

/* The slowest round trip to a peer that can be reached. */
static int64_t slowest_rtt(const struct master *master)
{
    int64_t rtt = 0;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        if (v->peer->link->cmd.up && !v->s_down)
            rtt = max_i64(rtt, v->peer->link->rtt_ms);
    return min_i64(rtt, RTT_MAX_MS);
}

/* How long it takes until a candidate's request is with the others: it leaves when its
 * vote is on disk, and a disk is taken to be like ours. */
static int64_t request_ms(const struct core *core, const struct master *master)
{
    return slowest_rtt(master) + core->save_ms;
}

void pace_note_struck(struct core *core, struct master *master)
{
    /* A new incident: patience that was lost in an older one, which may have ended
     * without us, is back. */
    master->failover.awaiting_since = CORE_NEVER;
    if (time_since(core, core->struck_at) > CROWD_GAP_MS)
        core->n_struck = 0;
    core->n_struck++;
    core->struck_at = core->now;
}

/* How much longer things take because of the masters that died together. */
static int64_t crowd_ms(const struct core *core)
{
    if (core->n_struck < 2 || time_since(core, core->struck_at) > CROWD_LASTS_MS)
        return 0;
    return (int64_t)(core->n_struck - 1) * CROWD_EACH_MS;
}

int64_t pace_retry_ms(struct core *core, const struct master *master)
{
    const struct failover *fo = &master->failover;
    uint32_t n = fo->n_lost < RETRY_DOUBLINGS_MAX ? fo->n_lost : RETRY_DOUBLINGS_MAX;

    int64_t high = RETRY_HIGH_MS + 3 * request_ms(core, master);

    return (rng_between(&core->rng, RETRY_LOW_MS, high) << n) +
           rng_between(&core->rng, 0, crowd_ms(core));
}

int64_t pace_turn_ms(const struct core *core, const struct master *master)
{
    int64_t rank = 0;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        if (v->peer->link->cmd.up && !v->s_down &&
            strcmp(v->peer->run_id, core->myid) < 0)
            rank++;
    return rank * (TURN_MS + request_ms(core, master) + crowd_ms(core));
}
