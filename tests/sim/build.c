/*
 * build.c - draws a world from its seed: sizes, settings, latencies, kinds of faults.
 */
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* More masters than this are many: smaller sets, shorter runs. */
#define GROUPS_MANY 3

static int64_t pick(struct rng *rng, const int64_t *values, uint32_t n)
{
    return values[rng_below(rng, n)];
}

void build_config(struct host *host)
{
    struct sim *sim = host->sim;
    struct buf *out = &host->disk;

    buf_clear(out);
    buf_printf(out, "# %s\nport %d\n", host->machine->name, host->machine->port);
    if (host->id[0] != '\0')
        buf_printf(out, "sentinel myid %s\n", host->id);
    names_config(sim, host->machine, out);
    if (sim->auth != GOSSIP_AUTH_UNSET && host->kind == NULL)
        buf_printf(out, "sentinel gossip-secret \"%s\"\nsentinel gossip-auth %s\n",
                   SIM_SECRET, gossip_auth_name(sim->auth));
    for (int i = 0; i < sim->n_groups; i++) {
        const struct group *g = &sim->groups[i];
        const struct machine *master = &sim->nodes[g->master];
        buf_printf(out, "\n# group %d\nsentinel monitor %s %s %d %d\n", i, g->name,
                   names_of(sim, master), master->port, g->quorum);
        buf_printf(out, "sentinel down-after-milliseconds %s %" PRId64 "\n", g->name,
                   g->down_after_ms);
        buf_printf(out, "sentinel failover-timeout %s %" PRId64 "\n", g->name,
                   g->failover_timeout_ms);
        buf_printf(out, "sentinel parallel-syncs %s %" PRId64 "\n", g->name,
                   g->parallel_syncs);
        if (g->password[0] != '\0')
            buf_printf(out, "sentinel auth-pass %s %s\n", g->name, g->password);
        if (g->scripts)
            buf_printf(out,
                       "sentinel notification-script %s /bin/sh\n"
                       "sentinel client-reconfig-script %s /bin/sh\n",
                       g->name, g->name);
        if (g->reboot_ms > 0)
            buf_printf(out, "sentinel master-reboot-down-after-period %s %" PRId64 "\n",
                       g->name, g->reboot_ms);
    }
}

/* Each kind of fault is on or off in a run: what some hide, others must not. Each draws
 * from its own stream, here too, so that a new kind leaves old seeds as they were. */
static void build_faults(struct sim *sim)
{
    static const int64_t means[] = {2000, 4000, 8000, 15000, 30000};
    struct rng *rng = &sim->build_rng;

    for (int i = 0; i < FAULT_N; i++)
        if (rng_chance(&sim->fault_rng[i], 2, 5))
            sim->faults |= FAULT_BIT(i);
    sim->faults = (sim->faults | sim->options.with) & ~sim->options.without;
    sim->fault_mean_ms = pick(rng, means, 5);
    int64_t horizon = rng_between(rng, 20000, 90000);
    if (sim->n_groups > GROUPS_MANY)
        horizon /= 4;
    if (sim->options.horizon_ms == 0)
        sim->options.horizon_ms = horizon;
}

static void build_group(struct sim *sim, int index, int n_sentinels)
{
    static const int64_t down_after[] = {500, 1000, 1000, 2000, 3000, 5000};
    static const int64_t timeouts[] = {3000, 6000, 10000, 20000};
    struct rng *rng = &sim->groups[index].rng;
    struct group *g = &sim->groups[index];
    int majority = n_sentinels / 2 + 1;

    snprintf(g->name, sizeof(g->name), "m%d", (index + 1) & 0xff);
    g->down_after_ms = pick(rng, down_after, 6);
    g->failover_timeout_ms = pick(rng, timeouts, 4);
    g->parallel_syncs = rng_between(rng, 1, 3);
    g->quorum = (int)rng_between(rng, 1, majority);
    /* Sentinels that forgot their peers are outvoted only by a majority's quorum. */
    if (rng_chance(rng, 1, 2) || world_makes_forget(sim))
        g->quorum = majority;
    if (rng_chance(rng, 1, 4))
        snprintf(g->password, sizeof(g->password), "secret%d", index & 0xff);
    g->scripts = rng_chance(rng, 1, 4);
    if (rng_chance(rng, 1, 8))
        g->reboot_ms = rng_between(rng, 500, 5000);
}

static void build_servers(struct sim *sim, int group)
{
    struct rng *rng = &sim->groups[group].rng;
    int n = 2 + (int)rng_below(rng, 3);
    int master = -1;
    char name[8];

    if (sim->n_groups > GROUPS_MANY)
        n = 2;
    if (sim->options.n_servers > 0)
        n = sim->options.n_servers;
    for (int i = 0; i < n; i++) {
        int64_t priority = 100;
        if (rng_chance(rng, 1, 8))
            priority = rng_chance(rng, 1, 2) ? 0 : rng_between(rng, 1, 200);
        snprintf(name, sizeof(name), "r%d%c", (group + 1) & 0xff, 'a' + (i & 15));
        struct redis *redis = redis_new(sim, name, group, master, priority);
        if (i == 0) {
            master = redis->machine->id;
            sim->groups[group].master = master;
            check_allow(sim, group, master);
        }
        redis->rate = rng_between(rng, 0, 20000);
        redis->lag_ms = rng_between(rng, 0, 300);
        redis->sync_ms = rng_between(rng, 5, 2500);
        redis->repl_timeout_ms = rng_between(rng, 3000, 60000);
        redis->announced = !rng_chance(rng, 1, 10);
        redis->unkillable = rng_chance(rng, 1, 2);
    }
}

static void build_network(struct sim *sim, int n_nodes)
{
    struct rng rng;

    rng_seed(&rng, sim->options.seed, 4);
    int64_t most = rng_chance(&rng, 1, 8) ? 60 : 5;
    for (int i = 0; i < n_nodes; i++)
        for (int j = 0; j < i; j++)
            sim->latency[i][j] = sim->latency[j][i] =
                (int16_t)rng_between(&rng, 0, most);
    sim->jitter = (int16_t)rng_below(&rng, 4);
}

/* In one run of three hellos are signed, in half of these they must be: not where stock
 * sentinels are, who cannot. */
static void build_auth(struct sim *sim, bool has_stock)
{
    struct rng rng;

    rng_seed(&rng, sim->options.seed, 6);
    if (rng_chance(&rng, 1, 3))
        sim->auth = rng_chance(&rng, 1, 2) || has_stock ? GOSSIP_AUTH_PREFER
                                                        : GOSSIP_AUTH_REQUIRE;
}

/* One to three masters; once in a while one set of sentinels watches very many. */
static int draw_groups(struct rng *rng)
{
    int n = 1 + (int)(rng_below(rng, 3) * rng_below(rng, 3) / 2);

    return rng_chance(rng, 1, 1000) ? (int)rng_between(rng, GROUPS_MANY + 1, 50) : n;
}

/* How many of the sentinels are stock's: in about every eighth run some, never all. The
 * model knows no host names, and stock believes what is forged. */
static int draw_stock(struct sim *sim, int n_sentinels)
{
    struct rng *rng = &sim->fault_rng[FAULT_STOCK];

    bool wanted = (sim->options.with & FAULT_BIT(FAULT_STOCK)) != 0;

    wanted |= rng_chance(rng, 1, 2);
    if (sim->names.used || n_sentinels < 2 || !wanted)
        sim->faults &= ~FAULT_BIT(FAULT_STOCK);
    if (!world_has_fault(sim, FAULT_STOCK))
        return 0;
    sim->faults &= ~FAULT_BIT(FAULT_FORGE);
    return (int)rng_between(rng, 1, n_sentinels - 1);
}

void build_swarm(struct sim *sim)
{
    struct rng *rng = &sim->build_rng, *stock = &sim->fault_rng[FAULT_STOCK];
    int n_sentinels = 3 + (int)(rng_below(rng, 5) * rng_below(rng, 5) * 3 / 8);
    char name[8];

    sim->n_groups = draw_groups(rng);
    if (sim->options.n_sentinels > 0)
        n_sentinels = sim->options.n_sentinels;
    if (sim->options.n_groups > 0)
        sim->n_groups = sim->options.n_groups;
    build_faults(sim);
    names_draw(sim);
    int n_stock = draw_stock(sim, n_sentinels);
    build_auth(sim, n_stock > 0);
    for (int g = 0; g < sim->n_groups; g++) {
        rng_seed(&sim->groups[g].rng, sim->options.seed, 3000 + (uint64_t)g);
        build_group(sim, g, n_sentinels);
        build_servers(sim, g);
    }
    build_network(sim, sim->n_nodes + n_sentinels);
    for (int i = 0; i < sim->n_nodes; i++)
        redis_start(sim->nodes[i].redis, false);
    bool drift = world_has_fault(sim, FAULT_CLOCK);
    for (int i = 0; i < n_sentinels; i++) {
        snprintf(name, sizeof(name), "s%d", (i + 1) & 0xff);
        struct host *host = host_new(sim, name, "");
        host->drift_ppm = drift ? rng_between(rng, -5000, 5000) : 0;
        if (n_stock > 0 &&
            (int)rng_below(stock, (uint32_t)(n_sentinels - i)) < n_stock) {
            host->kind = &stock_kind;
            n_stock--;
        }
        build_config(host);
        host_start(host);
    }
}

void sim_describe(const struct sim *sim, struct buf *out)
{
    int n_redis = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n_redis += sim->nodes[i].redis != NULL;
    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].host != NULL && sim->nodes[i].host->kind != NULL)
            buf_printf(out, "%s is stock's, ", sim->nodes[i].name);
    buf_printf(out, "%d sentinels, %d groups, %d servers, faults %" PRId64 " ms apart:",
               sim->n_nodes - n_redis, sim->n_groups, n_redis, sim->fault_mean_ms);
    if (sim->names.used)
        buf_puts(out, sim->names.announced ? " (names)" : " (names, replicas without)");
    if (sim->auth != GOSSIP_AUTH_UNSET)
        buf_printf(out, " (signed: %s)", gossip_auth_name(sim->auth));
    for (int i = 0; i < FAULT_N; i++)
        if (world_has_fault(sim, (enum fault_kind)i))
            buf_printf(out, " %s", fault_name((enum fault_kind)i));
}
