/*
 * play.c - one seed from beginning to end.
 *
 * 1. Quiet: everybody finds everybody.
 * 2. Faults of all the kinds drawn; nothing wrong may happen (check.c).
 * 3. A majority of the sentinels and all servers are healed, what else is broken stays
 *    so. They must come to agree (L2).
 * 4. The masters die for good, perhaps with some replicas. Others must be promoted in
 *    bounded time (L1), and all that live must follow (L2).
 */
#include "tests/sim/check.h"

#include <inttypes.h>
#include <string.h>

/* Long enough for all to have dialled; then until everybody knows everybody. */
#define QUIET_MS 3000
#define QUIET_MAX_MS 60000
#define STEP_MS 50

/* L1: from the death of a master to agreement about the next, beyond the greatest
 * down-after. Elections that are split again and again are the rare long ones. */
#define L1_MS 15000

static int n_servers_of(const struct sim *sim, int group)
{
    int n = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n += sim->nodes[i].redis != NULL && sim->nodes[i].redis->group == group;
    return n;
}

static int n_sentinels_in(const struct sim *sim, node_set set)
{
    int n = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n += sim->nodes[i].host != NULL && (set >> i & 1) != 0;
    return n;
}

static int n_ours_in(const struct sim *sim, node_set set)
{
    int n = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n += sim->nodes[i].host != NULL && sim->nodes[i].host->kind == NULL &&
             (set >> i & 1) != 0;
    return n;
}

/* One that was known by numbers only, and has left that address: nobody can tell where
 * it is now, it is found again as somebody else. */
static bool is_ghost(const struct sim *sim, const struct node *node)
{
    return node->addr.host == NULL &&
           names_now_at(sim, node->addr.ip, node->addr.port) < 0;
}

/* How many servers of |group| and sentinels must each sentinel of |set| know? After
 * SENTINEL RESET it cannot know of servers that follow nobody it knows. */
static bool knows_enough(const struct sim *sim, node_set set, const struct master *m,
                         int group, bool quiet)
{
    bool was_reset = !quiet && world_makes_forget(sim);
    int n_replicas = 0;

    for (const struct node *n = m->replicas; n != NULL; n = n->hh.next)
        n_replicas += !is_ghost(sim, n);
    return (int)HASH_COUNT(m->voters) >= n_sentinels_in(sim, set) - 1 &&
           (was_reset || n_replicas >= n_servers_of(sim, group) - 1);
}

static int n_nodes_in(node_set set)
{
    return __builtin_popcountll((uint64_t)set) +
           __builtin_popcountll((uint64_t)(set >> 64));
}

/* Stock gets time to find everybody before the faults begin; later that is its affair.
 */
static bool is_known_to_stock(const struct sim *sim, const struct host *host,
                              node_set set, int group, bool quiet)
{
    struct view view;

    return !quiet || (host_view(host, group, &view) &&
                      n_nodes_in(view.peers) >= n_sentinels_in(sim, set) - 1 &&
                      n_nodes_in(view.servers) >= n_servers_of(sim, group));
}

/* Does each sentinel of |set| know everybody, as usable? */
static bool everybody_is_known(const struct sim *sim, node_set set, bool quiet)
{
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        if (host == NULL || (set >> i & 1) == 0)
            continue;
        for (int g = 0; g < sim->n_groups; g++) {
            const struct master *master = host_master(host, g);
            if (host->kind != NULL && !is_known_to_stock(sim, host, set, g, quiet))
                return false;
            if (host->kind != NULL)
                continue;
            if (master == NULL || !knows_enough(sim, set, master, g, quiet))
                return false;
            for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
                if (!is_ghost(sim, n) &&
                    (n->s_down || !n->link->cmd.up || n->role != ROLE_REPLICA ||
                     !n->reported_link_up))
                    return false;
        }
    }
    return true;
}

static const char *disagreement(struct sim *sim, node_set set)
{
    for (int g = 0; g < sim->n_groups; g++) {
        const char *why = check_agreement(sim, set, g, NULL);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* What everybody thinks, into the trace: the last lines before a violation. */
static void describe(struct sim *sim, node_set set)
{
    for (int g = 0; sim->options.sink != NULL && g < sim->n_groups; g++) {
        for (int i = 0; i < sim->n_nodes; i++) {
            const struct host *host = sim->nodes[i].host;
            const struct redis *redis = sim->nodes[i].redis;
            const struct master *m = host != NULL ? host_master(host, g) : NULL;
            if (redis != NULL && redis->group == g)
                world_note(sim, "  %s is %s %s, up %d frozen %d, link %d",
                           redis->machine->name,
                           redis_is_master(redis) ? "a master" : "a replica of",
                           redis->master_host, redis->machine->up,
                           redis->machine->frozen, (int)redis->repl);
            struct view view;
            if (host != NULL && host->kind != NULL && (set >> i & 1) != 0 &&
                host_view(host, g, &view) && view.master >= 0)
                world_note(sim, "  %s (stock): %s epoch %d, down %d, tilt %d, busy %d",
                           sim->nodes[i].name, sim->nodes[view.master].name,
                           (int)view.config_epoch, view.down, view.tilt,
                           view.failing_over);
            if (m == NULL || (set >> i & 1) == 0)
                continue;
            world_note(sim, "  %s: %s is %s epoch %d, down %d%d, %s%s",
                       sim->nodes[i].name, m->name, m->current->addr.ip,
                       (int)m->config_epoch, m->current->s_down, m->o_down,
                       failover_state_name(m->failover.state),
                       host->core->tilt ? ", tilt" : "");
            for (const struct node *n = m->replicas; n != NULL; n = n->hh.next)
                world_note(sim,
                           "     %s role %d link %d/%d down %d, of %s:%d for %d ms",
                           n->name, (int)n->role, n->link->cmd.up, n->link->n_in_flight,
                           n->s_down, n->reported_host, n->reported_port,
                           (int)n->link_down_ms);
        }
    }
}

static bool play_quiet(struct sim *sim)
{
    if (!sim_run(sim, QUIET_MS))
        return false;
    while (!everybody_is_known(sim, world_all(sim), true)) {
        if (sim->now > QUIET_MAX_MS) {
            world_fail(sim, "L0: not everybody is known after %d s",
                       QUIET_MAX_MS / 1000);
            return false;
        }
        if (!sim_run(sim, 500))
            return false;
    }
    return true;
}

/* ----------------------------------------------------------------- healing ------- */

/* A random set of sentinels that can decide, and all servers. */
static node_set draw_majority(struct sim *sim)
{
    struct rng *rng = &sim->world_rng;
    int n = n_sentinels_in(sim, world_all(sim)), wanted = n / 2 + 1;
    node_set set = 0;

    for (int g = 0; g < sim->n_groups; g++)
        if (sim->groups[g].quorum > wanted)
            wanted = sim->groups[g].quorum;
    wanted = (int)rng_between(rng, wanted, n);
    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].redis != NULL)
            set |= NODE_BIT(i);
    while (wanted > 0) {
        int i = (int)rng_below(rng, (uint32_t)sim->n_nodes);
        if (sim->nodes[i].host == NULL || (set >> i & 1) != 0)
            continue;
        set |= NODE_BIT(i);
        wanted--;
    }
    /* What stock does without us is not ours to promise. */
    for (int i = 0; i < sim->n_nodes && n_ours_in(sim, set) == 0; i++)
        if (sim->nodes[i].host != NULL && sim->nodes[i].host->kind == NULL)
            set |= NODE_BIT(i);
    return set;
}

/* Those that are not healed: dead, or cut off with whatever is wrong with them. */
static void bury_others(struct sim *sim, node_set set)
{
    for (int i = 0; i < sim->n_nodes; i++) {
        if ((set >> i & 1) != 0)
            continue;
        if (rng_chance(&sim->world_rng, 1, 2))
            host_crash(sim->nodes[i].host);
        else
            faults_isolate(sim, i, true);
        world_note(sim, "%s stays out", sim->nodes[i].name);
    }
}

/* The slowest rules that may still be at work when all is healed: TILT, the pause after
 * a failed failover and a whole one, replicas led back one INFO later. */
static int64_t settle_bound(const struct sim *sim)
{
    int64_t longest = 0;

    for (int i = 0; i < sim->n_nodes; i++) {
        for (int g = 0; g < sim->n_groups; g++) {
            struct view view;
            if (sim->nodes[i].host != NULL && host_view(sim->nodes[i].host, g, &view) &&
                view.failover_timeout_ms > longest)
                longest = view.failover_timeout_ms;
        }
    }
    return 30000 + 3 * longest + 60000;
}

static bool is_excused(struct sim *sim, node_set set)
{
    for (int g = 0; g < sim->n_groups; g++) {
        if (check_agreement(sim, set, g, NULL) == NULL)
            continue;
        enum excuse excuse = excuse_find(sim, set, g);
        if (excuse == EXCUSE_NONE)
            continue;
        world_note(sim, "%s cannot be settled: %s", sim->groups[g].name,
                   excuse_text(excuse));
        sim->stats.n_excused[excuse]++;
        return true;
    }
    return false;
}

/* Stock goes by the wall clock. Put back, it sends neither PING nor anything else until
 * the time is again what it was: so long it gets before it is to agree or to vote. */
static bool is_blind(const struct sim *sim, node_set set)
{
    struct view view;

    for (int i = 0; world_has_fault(sim, FAULT_STOCK) && i < sim->n_nodes; i++)
        for (int g = 0; g < sim->n_groups; g++)
            if ((set >> i & 1) != 0 && sim->nodes[i].host != NULL &&
                sim->nodes[i].host->kind != NULL &&
                host_view(sim->nodes[i].host, g, &view) && view.blind)
                return true;
    return false;
}

/* A group that cannot do without stock waits for stock, which pauses two failover
 * timeouts whenever it finds no good replica at once. */
static bool waits_for_stock(const struct sim *sim, node_set set)
{
    for (int g = 0; world_has_fault(sim, FAULT_STOCK) && g < sim->n_groups; g++)
        if (!excuse_ours_suffice(sim, set, g))
            return true;
    return false;
}

static bool play_heal(struct sim *sim, node_set set)
{
    int64_t bound = settle_bound(sim), since = sim->now;
    const char *why;

    faults_stop(sim);
    bury_others(sim, set);
    faults_heal(sim, set);
    /* Who starts again may have lost the SET of its failover-timeout. */
    if (settle_bound(sim) > bound)
        bound = settle_bound(sim);
    world_note(sim, "healed");
    while ((why = disagreement(sim, set)) != NULL ||
           !everybody_is_known(sim, set, false) || is_blind(sim, set)) {
        if (is_blind(sim, set))
            since = sim->now;
        if (sim->now - since > bound * (waits_for_stock(sim, set) ? 2 : 1)) {
            describe(sim, set);
            if (is_excused(sim, set))
                return false;
            world_fail(sim, "L2: %" PRId64 " s after healing: %s", bound / 1000,
                       why != NULL ? why : "not everybody is known");
            return false;
        }
        faults_remember(sim, set);
        if (!sim_run(sim, STEP_MS))
            return false;
    }
    sim->stats.settle_ms = sim->now - since;
    return true;
}

/* -------------------------------------------------------------- last phase ------- */

struct death {
    int master; /* node that dies; -1: this group is left in peace */
    int64_t at, down_after_ms;
};

static int n_promotable(const struct sim *sim, node_set set, int group, int master)
{
    int n = 0;

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *redis = sim->nodes[i].redis;
        n += redis != NULL && redis->group == group && i != master &&
             (set >> i & 1) != 0 && redis->priority != 0 &&
             check_is_known(sim, set, i, true);
    }
    return n;
}

static void end_server(struct sim *sim, int node)
{
    struct redis *redis = sim->nodes[node].redis;
    uint32_t how = rng_below(&sim->world_rng, 4);

    world_note(sim, "%s dies for good", redis->machine->name);
    if (how == 0)
        redis->machine->off = true;
    if (how <= 1)
        redis_crash(redis);
    else if (how == 2)
        world_freeze(sim, node);
    else
        faults_isolate(sim, node, true);
}

static void kill_master(struct sim *sim, node_set *set, int group, struct death *death)
{
    int master = -1;

    death->master = -1;
    if (check_agreement(sim, *set, group, &master) != NULL ||
        n_promotable(sim, *set, group, master) == 0)
        return;
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *redis = sim->nodes[i].redis;
        const struct host *host = sim->nodes[i].host;
        struct view view;
        if (host != NULL && (*set >> i & 1) != 0 && host_view(host, group, &view) &&
            view.down_after_ms > death->down_after_ms)
            death->down_after_ms = view.down_after_ms;
        if (redis == NULL || redis->group != group || i == master)
            continue;
        /* One that only some know is led back by those, much later. */
        if (!check_is_known(sim, *set, i, true))
            *set &= ~NODE_BIT(i);
        if (!rng_chance(&sim->world_rng, 1, 3))
            continue;
        if (redis->priority == 0 || n_promotable(sim, *set, group, master) > 1) {
            *set &= ~NODE_BIT(i);
            end_server(sim, i);
        }
    }
    *set &= ~NODE_BIT(master);
    death->master = master;
    death->at = sim->now;
    sim->judge->odown_at[group] = -1;
    end_server(sim, master);
}

static void note_promotion(struct sim *sim, int group, const struct death *death)
{
    struct sim_statistics *stats = &sim->stats;

    if (stats->detect_ms[group] < 0 && sim->judge->odown_at[group] >= 0)
        stats->detect_ms[group] = sim->judge->odown_at[group] - death->at;
    if (stats->promoted_ms[group] >= 0)
        return;
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *redis = sim->nodes[i].redis;
        if (redis != NULL && redis->group == group && redis->promoted_at > death->at)
            stats->promoted_ms[group] = redis->promoted_at - death->at;
    }
}

/* Where stock leads, or is needed, its pauses count, too. */
static int64_t death_bound(const struct sim *sim, node_set set, int group,
                           const struct death *death)
{
    bool stock_led = sim->judge->stock_tried_at[group] >= death->at;

    return stock_led || !excuse_ours_suffice(sim, set, group) ? settle_bound(sim)
                                                              : L1_MS;
}

static bool play_deaths(struct sim *sim, node_set set)
{
    struct death deaths[SIM_GROUPS_MAX] = {0};
    struct sim_statistics *stats = &sim->stats;
    int n_open = 0;

    for (int g = 0; g < sim->n_groups; g++) {
        kill_master(sim, &set, g, &deaths[g]);
        n_open += deaths[g].master >= 0;
        if (!sim_run(sim, rng_chance(&sim->world_rng, 1, 2) ? 0 : 100))
            return false;
    }
    while (n_open > 0) {
        if (!sim_run(sim, STEP_MS))
            return false;
        n_open = 0;
        for (int g = 0; g < sim->n_groups; g++) {
            const struct death *death = &deaths[g];
            int master = -1;
            if (death->master < 0 || stats->agreed_ms[g] >= 0)
                continue;
            note_promotion(sim, g, death);
            const char *why = check_agreement(sim, set, g, &master);
            if (why == NULL && master != death->master) {
                stats->agreed_ms[g] = sim->now - death->at;
                continue;
            }
            n_open++;
            if (sim->now - death->at >
                death->down_after_ms + death_bound(sim, set, g, death)) {
                describe(sim, set);
                if (is_excused(sim, set))
                    return true;
                world_fail(sim, "L1: %s has no new master after %" PRId64 " ms: %s",
                           sim->groups[g].name, sim->now - death->at,
                           why != NULL ? why : "they name the dead one");
                return false;
            }
        }
    }
    return true;
}

bool sim_play(struct sim *sim)
{
    struct sim_statistics *stats = &sim->stats;

    stats->n_groups = sim->n_groups;
    for (int g = 0; g < SIM_GROUPS_MAX; g++)
        stats->promoted_ms[g] = stats->agreed_ms[g] = stats->detect_ms[g] = -1;
    if (!play_quiet(sim))
        return false;
    world_note(sim, "faults begin");
    faults_start(sim, sim->now + sim->options.horizon_ms);
    if (!sim_run(sim, sim->options.horizon_ms))
        return false;
    node_set set = draw_majority(sim);
    if (!play_heal(sim, set))
        return !sim->failed;
    if (!sim_run(sim, 3000) || !play_deaths(sim, set))
        return !sim->failed;
    bool ok = sim_run(sim, 2000);
    stats->virtual_ms = sim->now;
    return ok;
}
