/*
 * faults.c - the nemesis. Each kind of fault has a stream of chance of its own, so that
 * one kind more or less does not change when the others strike.
 */
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int pick_node(struct sim *sim, struct rng *rng, enum node_kind kind)
{
    int found[SIM_NODES_MAX], n = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].kind == kind)
            found[n++] = i;
    return found[rng_below(rng, (uint32_t)n)];
}

static struct host *pick_host(struct sim *sim, struct rng *rng)
{
    return sim->nodes[pick_node(sim, rng, NODE_SENTINEL)].host;
}

static struct redis *pick_redis(struct sim *sim, struct rng *rng)
{
    /* The masters make the better stories. */
    struct redis *redis = sim->nodes[pick_node(sim, rng, NODE_REDIS)].redis;
    bool again = rng_chance(rng, 1, 2);
    struct redis *other = sim->nodes[pick_node(sim, rng, NODE_REDIS)].redis;

    return again && !redis_is_master(redis) ? other : redis;
}

/* ---------------------------------------------------------------- how it ends ---- */

static struct entry *later(struct sim *sim, int64_t in_ms, entry_fire *fire, int64_t a,
                           int64_t b)
{
    struct entry *entry = world_at(sim, sim->now + in_ms, -1, fire);

    entry->round = sim->fault_round;
    entry->a = a;
    entry->b = b;
    return entry;
}

static void end_down(struct sim *sim, struct entry *entry)
{
    struct machine *machine = &sim->nodes[entry->a];

    if (entry->round != sim->fault_round || machine->up)
        return;
    world_note(sim, "restart %s%s", machine->name, entry->b != 0 ? ", empty" : "");
    if (machine->redis != NULL)
        redis_start(machine->redis, entry->b != 0);
    else
        host_start(machine->host);
}

static void end_frozen(struct sim *sim, struct entry *entry)
{
    if (entry->round != sim->fault_round || !sim->nodes[entry->a].frozen)
        return;
    world_note(sim, "resume %s", sim->nodes[entry->a].name);
    world_thaw(sim, (int)entry->a);
}

static void redis_end_odd(struct redis *redis)
{
    redis->busy = redis->garbage = redis->refuses = false;
    redis->loading_ms = redis->loading_until = 0;
}

static void end_odd(struct sim *sim, struct entry *entry)
{
    if (entry->round != sim->fault_round)
        return;
    world_note(sim, "%s is itself again", sim->nodes[entry->a].name);
    redis_end_odd(sim->nodes[entry->a].redis);
}

static void end_dns(struct sim *sim, struct entry *entry)
{
    struct host *host = sim->nodes[entry->a].host;

    if (entry->round != sim->fault_round)
        return;
    world_note(sim, "%s can look names up again", host->machine->name);
    host->dns = DNS_FINE;
}

static void end_disk(struct sim *sim, struct entry *entry)
{
    struct host *host = sim->nodes[entry->a].host;

    if (entry->round != sim->fault_round)
        return;
    world_note(sim, "disk of %s is fine again", host->machine->name);
    host->disk_full = host->disk_readonly = false;
    host->disk_slow_ms = 0;
}

/* Blocks, or opens again, the paths from the machines of |a| to those of |b|. */
static void cut(struct sim *sim, node_set a, node_set b, bool block)
{
    for (int i = 0; i < sim->n_nodes; i++)
        for (int j = 0; j < sim->n_nodes; j++)
            if (i != j && (a >> i & 1) != 0 && (b >> j & 1) != 0)
                net_block(sim, i, j, block);
    redis_refresh_all(sim);
}

static void end_cut(struct sim *sim, struct entry *entry)
{
    if (entry->round != sim->fault_round)
        return;
    world_note(sim, "paths open again");
    node_set sets[2];
    memcpy(sets, entry->bytes.data, sizeof(sets));
    cut(sim, sets[0], sets[1], false);
}

/* The paths from |a| to |b| open again |in_ms| from now. */
static void later_open(struct sim *sim, int64_t in_ms, node_set a, node_set b)
{
    node_set sets[2] = {a, b};

    buf_append(&later(sim, in_ms, end_cut, 0, 0)->bytes, (const char *)sets,
               sizeof(sets));
}

static node_set pick_set(const struct sim *sim, struct rng *rng)
{
    node_set set = 0;

    for (int i = 0; i < SIM_NODES_MAX; i += 32)
        set |= (node_set)rng_next(rng) << i;
    return set & world_all(sim);
}

static void end_slow(struct sim *sim, struct entry *entry)
{
    if (entry->round != sim->fault_round)
        return;
    for (int j = 0; j < SIM_NODES_MAX; j++)
        sim->slow[entry->a][j] = sim->slow[j][entry->a] = 0;
}

/* --------------------------------------------------------------- how it begins --- */

static void fault_crash(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    bool off = rng_chance(rng, 1, 4);
    int64_t ms = rng_between(rng, 200, 25000);

    world_note(sim, "crash %s%s", redis->machine->name, off ? ", power off" : "");
    if (off)
        redis->machine->off = true;
    redis_crash(redis);
    later(sim, ms, end_down, redis->machine->id, 0);
}

static void fault_reboot(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    bool empty = rng_chance(rng, 1, 2);
    int64_t ms = rng_between(rng, 1, 600);

    world_note(sim, "reboot %s", redis->machine->name);
    redis_crash(redis);
    later(sim, ms, end_down, redis->machine->id, empty);
}

static void fault_hang(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    int64_t ms = rng_between(rng, 300, 15000);

    world_note(sim, "hang %s", redis->machine->name);
    world_freeze(sim, redis->machine->id);
    later(sim, ms, end_frozen, redis->machine->id, 0);
}

static void fault_loading(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    int64_t ms = rng_between(rng, 500, 15000);

    world_note(sim, "%s restarts and loads", redis->machine->name);
    redis_crash(redis);
    redis->loading_ms = ms;
    later(sim, 10, end_down, redis->machine->id, 0);
    later(sim, 11 + ms, end_odd, redis->machine->id, 0);
}

static void fault_busy(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    int64_t ms = rng_between(rng, 300, 12000);

    world_note(sim, "%s is busy", redis->machine->name);
    redis->busy = true;
    later(sim, ms, end_odd, redis->machine->id, 0);
}

static void fault_garbage(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    int64_t ms = rng_between(rng, 300, 8000);

    world_note(sim, "%s talks nonsense", redis->machine->name);
    redis->garbage = true;
    later(sim, ms, end_odd, redis->machine->id, 0);
}

static void fault_refuse(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    int64_t ms = rng_between(rng, 1000, 20000);

    world_note(sim, "%s refuses SLAVEOF", redis->machine->name);
    redis->refuses = true;
    later(sim, ms, end_odd, redis->machine->id, 0);
}

static void fault_role(struct sim *sim, struct rng *rng)
{
    struct redis *redis = pick_redis(sim, rng);
    struct redis *other = pick_redis(sim, rng);
    bool to_master = rng_chance(rng, 1, 3);

    if (!redis->machine->up || (!to_master && other->group != redis->group) ||
        (!to_master && other == redis))
        return;
    world_note(sim, "somebody types SLAVEOF %s on %s",
               to_master ? "NO ONE" : other->machine->name, redis->machine->name);
    redis_slaveof(redis, to_master ? -1 : other->machine->id);
}

static void fault_kill(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    bool off = rng_chance(rng, 1, 4);
    int64_t ms =
        rng_chance(rng, 1, 2) ? rng_between(rng, 1, 500) : rng_between(rng, 500, 20000);

    world_note(sim, "kill %s%s", host->machine->name, off ? ", power off" : "");
    if (off)
        host->machine->off = true;
    host_crash(host);
    later(sim, ms, end_down, host->machine->id, 0);
}

static void fault_stall(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    int64_t ms = rng_chance(rng, 1, 2) ? rng_between(rng, 50, 2500)
                                       : rng_between(rng, 2000, 12000);

    world_note(sim, "stall %s for %d ms", host->machine->name, (int)ms);
    world_freeze(sim, host->machine->id);
    later(sim, ms, end_frozen, host->machine->id, 0);
}

static void fault_cut(struct sim *sim, node_set a, node_set b, int64_t ms,
                      const char *what)
{
    char names[200] = "";

    for (int i = 0; i < sim->n_nodes; i++)
        if ((a >> i & 1) != 0)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s",
                     sim->nodes[i].name);
    world_note(sim, "%s:%s", what, names);
    cut(sim, a, b, true);
    later_open(sim, ms, a, b);
}

static void fault_partition(struct sim *sim, struct rng *rng)
{
    node_set a = pick_set(sim, rng), all = world_all(sim);
    int64_t ms = rng_between(rng, 500, 25000);

    fault_cut(sim, a, all & ~a, ms, "partition");
    fault_cut(sim, all & ~a, a, ms, "from");
}

static void fault_isolate(struct sim *sim, struct rng *rng)
{
    int node = (int)rng_below(rng, (uint32_t)sim->n_nodes);
    node_set one = NODE_BIT(node), all = world_all(sim);
    int64_t ms = rng_between(rng, 500, 25000);

    fault_cut(sim, one, all & ~one, ms, "isolate");
    cut(sim, all & ~one, one, true);
    later_open(sim, ms, all & ~one, one);
}

static void fault_oneway(struct sim *sim, struct rng *rng)
{
    node_set one = NODE_BIT(rng_below(rng, (uint32_t)sim->n_nodes));
    node_set others = pick_set(sim, rng) & ~one;
    int64_t ms = rng_between(rng, 500, 20000);

    if (rng_chance(rng, 1, 2))
        fault_cut(sim, one, others, ms, "nothing leaves");
    else
        fault_cut(sim, others, one, ms, "nothing arrives from");
}

static void fault_flap(struct sim *sim, struct rng *rng)
{
    node_set a = NODE_BIT(rng_below(rng, (uint32_t)sim->n_nodes));
    node_set b = pick_set(sim, rng) & ~a;

    /* The next flaps of the same kind follow by themselves; short ones pile up. */
    fault_cut(sim, a, b, rng_between(rng, 10, 900), "flap");
    fault_cut(sim, b, a, rng_between(rng, 10, 900), "flap back");
}

static void fault_slow(struct sim *sim, struct rng *rng)
{
    int node = (int)rng_below(rng, (uint32_t)sim->n_nodes);
    int64_t by = rng_between(rng, 20, 1500), ms = rng_between(rng, 1000, 20000);

    world_note(sim, "%s is slow by %d ms", sim->nodes[node].name, (int)by);
    for (int j = 0; j < SIM_NODES_MAX; j++)
        sim->slow[node][j] = sim->slow[j][node] = (int16_t)by;
    later(sim, ms, end_slow, node, 0);
}

static void fault_clock(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    int64_t ms = rng_chance(rng, 1, 2) ? rng_between(rng, -1900, 1900)
                                       : rng_between(rng, -100000, 100000);

    world_note(sim, "clock of %s steps by %d ms", host->machine->name, (int)ms);
    host_step_clock(host, ms);
}

static void fault_disk(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    bool full = rng_chance(rng, 1, 2);
    int64_t slow = rng_between(rng, 20, 2000), ms = rng_between(rng, 500, 20000);

    world_note(sim, "disk of %s is %s", host->machine->name, full ? "full" : "slow");
    host->disk_full = full;
    host->disk_slow_ms = full ? 0 : slow;
    later(sim, ms, end_disk, host->machine->id, 0);
}

static void fault_dns(struct sim *sim, struct rng *rng)
{
    static const char *const how[] = {"", "fails", "is slow", "hangs"};
    struct host *host = pick_host(sim, rng);
    int64_t ms = rng_between(rng, 500, 20000);

    host->dns = 1 + rng_below(rng, 3);
    host->dns_ms = rng_between(rng, 20, host->dns == DNS_HANGS ? 8000 : 1900);
    world_note(sim, "the name server of %s %s", host->machine->name, how[host->dns]);
    later(sim, ms, end_dns, host->machine->id, 0);
}

static void fault_move(struct sim *sim, struct rng *rng)
{
    int node = rng_chance(rng, 1, 4) ? pick_host(sim, rng)->machine->id
                                     : pick_redis(sim, rng)->machine->id;
    int64_t down_ms = rng_between(rng, 1, rng_chance(rng, 1, 2) ? 500 : 15000);
    int64_t dns_ms = rng_between(rng, 0, 4000);

    if (!sim->nodes[node].up)
        return; /* somebody else will start it */
    world_note(sim, "move %s", sim->nodes[node].name);
    names_move(sim, &sim->nodes[node], dns_ms);
    later(sim, down_ms, end_down, node, 0);
}

static void fault_readonly(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    int64_t ms = rng_between(rng, 500, 20000);

    world_note(sim, "disk of %s is read-only", host->machine->name);
    host->disk_readonly = true;
    later(sim, ms, end_disk, host->machine->id, 0);
}

static void fault_echo(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);

    world_note(sim, "%s reads hellos twice", host->machine->name);
    host->echo_until = sim->now + rng_between(rng, 1000, 20000);
}

static void fault_together(struct sim *sim, struct rng *rng)
{
    world_note(sim, "all masters die");
    for (int i = 0; i < sim->n_nodes; i++) {
        struct redis *redis = sim->nodes[i].redis;
        if (redis == NULL || !redis->machine->up || !redis_is_master(redis))
            continue;
        redis_crash(redis);
        later(sim, rng_between(rng, 200, 25000), end_down, i, 0);
    }
}

static void fault_asym(struct sim *sim, struct rng *rng)
{
    node_set a = pick_set(sim, rng);

    fault_cut(sim, a, world_all(sim) & ~a, rng_between(rng, 500, 20000),
              "nothing leaves the part");
}

/* ------------------------------------------------------------- administrators ---- */

static void fault_manual(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    const char *name = sim->groups[rng_below(rng, (uint32_t)sim->n_groups)].name;

    world_note(sim, "SENTINEL FAILOVER %s on %s", name, host->machine->name);
    host_tell(host, "SENTINEL", "FAILOVER", name, NULL);
}

static void fault_twice(struct sim *sim, struct rng *rng)
{
    struct host *a = pick_host(sim, rng), *b = pick_host(sim, rng);
    const char *name = sim->groups[rng_below(rng, (uint32_t)sim->n_groups)].name;

    world_note(sim, "SENTINEL FAILOVER %s on %s and %s", name, a->machine->name,
               b->machine->name);
    host_tell(a, "SENTINEL", "FAILOVER", name, NULL);
    host_tell(b, "SENTINEL", "FAILOVER", name, NULL);
}

static void fault_reset(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);

    world_note(sim, "SENTINEL RESET * on %s", host->machine->name);
    host_tell(host, "SENTINEL", "RESET", "*", NULL);
}

static void fault_set(struct sim *sim, struct rng *rng)
{
    static const char *const options[] = {"down-after-milliseconds", "failover-timeout",
                                          "parallel-syncs", "quorum"};
    static const int64_t low[] = {400, 2000, 1, 1}, high[] = {6000, 30000, 4, 2};
    struct host *host = pick_host(sim, rng);
    struct group *group = &sim->groups[rng_below(rng, (uint32_t)sim->n_groups)];
    uint32_t i = rng_below(rng, world_makes_forget(sim) ? 3 : 4);
    char value[24];

    snprintf(value, sizeof(value), "%d", (int)rng_between(rng, low[i], high[i]));
    world_note(sim, "SENTINEL SET %s %s %s on %s", group->name, options[i], value,
               host->machine->name);
    host_tell(host, "SENTINEL", "SET", group->name, options[i], value, NULL);
}

/* What somebody would read from the other sentinels: the newest configuration. */
static const struct addr *newest_address(const struct sim *sim, int group, node_set set)
{
    const struct master *newest = NULL;

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        const struct master *m = host != NULL ? host_master(host, group) : NULL;
        if (m != NULL && (set >> i & 1) != 0 &&
            (newest == NULL || m->config_epoch > newest->config_epoch))
            newest = m;
    }
    return newest != NULL ? &newest->current->addr : NULL;
}

/* Makes |host| monitor |group| as it once did. Commands may have been lost with the
 * process, or wait for its disk: so not all is there that was asked for. */
static void monitor_again(struct sim *sim, struct host *host, int group, node_set set)
{
    const struct group *g = &sim->groups[group];
    const struct addr *addr = newest_address(sim, group, set);
    int server = addr != NULL ? names_node_of(sim, addr) : g->master;
    const char *known = addr != NULL && addr->host != NULL ? addr->host : NULL;
    /* who has moved a server knows where it is now */
    const char *ip = known != NULL ? known
                     : server >= 0 ? sim->nodes[server].ip
                                   : addr->ip;
    char port[8], quorum[8], down[24], timeout[24];

    if (!host_is_running(host) || host->kind != NULL)
        return;
    const struct master *master = host_master(host, group);
    if (master == NULL) {
        snprintf(port, sizeof(port), "%u", addr != NULL ? addr->port : 6379u);
        snprintf(quorum, sizeof(quorum), "%d", g->quorum & 0xff);
        snprintf(down, sizeof(down), "%" PRId64, g->down_after_ms);
        snprintf(timeout, sizeof(timeout), "%" PRId64, g->failover_timeout_ms);
        world_note(sim, "SENTINEL MONITOR %s %s on %s", g->name, ip,
                   host->machine->name);
        host_tell(host, "SENTINEL", "MONITOR", g->name, ip, port, quorum, NULL);
        host_tell(host, "SENTINEL", "SET", g->name, "down-after-milliseconds", down,
                  "failover-timeout", timeout, NULL);
    }
    if (g->password[0] != '\0' && (master == NULL || master->auth_pass == NULL))
        host_tell(host, "SENTINEL", "SET", g->name, "auth-pass", g->password, NULL);
}

void faults_remember(struct sim *sim, node_set set)
{
    for (int i = 0; world_has_fault(sim, FAULT_FORGET) && i < sim->n_nodes; i++)
        for (int g = 0; g < sim->n_groups; g++)
            if (sim->nodes[i].host != NULL && (set >> i & 1) != 0)
                monitor_again(sim, sim->nodes[i].host, g, set);
}

static void end_forget(struct sim *sim, struct entry *entry)
{
    if (entry->round == sim->fault_round)
        monitor_again(sim, sim->nodes[entry->a].host, (int)entry->b, world_all(sim));
}

static void forget(struct sim *sim, struct rng *rng, struct host *host, int group)
{
    const char *name = sim->groups[group].name;

    if (host->kind != NULL) /* the model has no REMOVE */
        return;
    world_note(sim, "SENTINEL REMOVE %s on %s", name, host->machine->name);
    host_tell(host, "SENTINEL", "REMOVE", name, NULL);
    later(sim, rng_between(rng, 1, 12000), end_forget, host->machine->id, group);
}

static void fault_forget(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);

    forget(sim, rng, host, (int)rng_below(rng, (uint32_t)sim->n_groups));
}

/* Nothing strikes by itself: faults_moment() waits for the moments, and stock sentinels
 * are there from the beginning. */
static void fault_none(struct sim *sim, struct rng *rng)
{
    (void)sim;
    (void)rng;
}

static void moment_come(struct sim *sim, struct entry *entry)
{
    struct rng *rng = &sim->fault_rng[FAULT_MOMENT];
    struct host *host = sim->nodes[entry->a].host;
    int group = (int)rng_below(rng, (uint32_t)sim->n_groups);
    const char *name = sim->groups[group].name;
    uint32_t what = rng_below(rng, 4);

    if (entry->round != sim->fault_round ||
        !sim_options_keep(&sim->options, sim->stats.n_strikes++))
        return;
    if (what == 0 && world_has_fault(sim, FAULT_RESET)) {
        world_note(sim, "SENTINEL RESET %s on %s", name, host->machine->name);
        host_tell(host, "SENTINEL", "RESET", name, NULL);
    } else if (what == 1 && world_has_fault(sim, FAULT_FORGET)) {
        forget(sim, rng, host, group);
    } else if (what == 2) {
        char value[24];
        snprintf(value, sizeof(value), "%d", (int)rng_between(rng, 400, 6000));
        world_note(sim, "SENTINEL SET %s down-after %s on %s", name, value,
                   host->machine->name);
        host_tell(host, "SENTINEL", "SET", name, "down-after-milliseconds", value,
                  NULL);
    } else {
        world_note(sim, "SENTINEL FAILOVER %s on %s", name, host->machine->name);
        host_tell(host, "SENTINEL", "FAILOVER", name, NULL);
    }
}

void faults_moment(struct host *host, const char *channel)
{
    static const char *const moments[] = {"+odown",
                                          "+try-failover",
                                          "+vote-for-leader",
                                          "+elected-leader",
                                          "+selected-slave",
                                          "+promoted-slave",
                                          "+switch-master",
                                          "+failover-end",
                                          "+slave-reconf-sent",
                                          "+config-update-from"};
    struct sim *sim = host->sim;
    struct rng *rng = &sim->fault_rng[FAULT_MOMENT];

    if (!world_has_fault(sim, FAULT_MOMENT) || sim->now >= sim->faults_until)
        return;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        if (strcmp(channel, moments[i]) != 0 || !rng_chance(rng, 1, 16))
            continue;
        /* On the same sentinel, or on another. */
        struct host *other = rng_chance(rng, 1, 2) ? pick_host(sim, rng) : host;
        later(sim, rng_between(rng, 0, 30), moment_come, other->machine->id, 0);
    }
}

static void fault_query(struct sim *sim, struct rng *rng)
{
    struct host *host = pick_host(sim, rng);
    const char *name = sim->groups[rng_below(rng, (uint32_t)sim->n_groups)].name;

    host_tell(host, "SENTINEL", "MASTERS", NULL);
    host_tell(host, "SENTINEL", "MASTER", name, NULL);
    host_tell(host, "SENTINEL", "REPLICAS", name, NULL);
    host_tell(host, "SENTINEL", "SENTINELS", name, NULL);
    host_tell(host, "SENTINEL", "CKQUORUM", name, NULL);
    host_tell(host, "SENTINEL", "INFO-CACHE", name, NULL);
    host_tell(host, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name, NULL);
    host_tell(host, "SENTINEL", "FLUSHCONFIG", NULL);
    host_tell(host, "SENTINEL", "PENDING-SCRIPTS", NULL);
    host_tell(host, "INFO", NULL);
    host_tell(host, "ROLE", NULL);
}

/* ------------------------------------------------------------------ schedule ----- */

typedef void fault_begin(struct sim *sim, struct rng *rng);

static fault_begin *const fault_begins[FAULT_N] = {
    [FAULT_CRASH] = fault_crash,
    [FAULT_REBOOT] = fault_reboot,
    [FAULT_HANG] = fault_hang,
    [FAULT_LOADING] = fault_loading,
    [FAULT_BUSY] = fault_busy,
    [FAULT_GARBAGE] = fault_garbage,
    [FAULT_REFUSE] = fault_refuse,
    [FAULT_ROLE] = fault_role,
    [FAULT_KILL] = fault_kill,
    [FAULT_STALL] = fault_stall,
    [FAULT_PARTITION] = fault_partition,
    [FAULT_ISOLATE] = fault_isolate,
    [FAULT_ONEWAY] = fault_oneway,
    [FAULT_FLAP] = fault_flap,
    [FAULT_SLOW] = fault_slow,
    [FAULT_CLOCK] = fault_clock,
    [FAULT_DISK] = fault_disk,
    [FAULT_MANUAL] = fault_manual,
    [FAULT_TWICE] = fault_twice,
    [FAULT_RESET] = fault_reset,
    [FAULT_SET] = fault_set,
    [FAULT_QUERY] = fault_query,
    [FAULT_DNS] = fault_dns,
    [FAULT_MOVE] = fault_move,
    [FAULT_READONLY] = fault_readonly,
    [FAULT_MOMENT] = fault_none,
    [FAULT_FORGET] = fault_forget,
    [FAULT_ECHO] = fault_echo,
    [FAULT_TOGETHER] = fault_together,
    [FAULT_ASYM] = fault_asym,
    [FAULT_FORGE] = forge_strike,
    [FAULT_STOCK] = fault_none,
};

static int64_t fault_pause(struct sim *sim, enum fault_kind kind)
{
    int64_t pause = rng_between(&sim->fault_rng[kind], 0, 2 * sim->fault_mean_ms);

    return kind == FAULT_FLAP ? pause / 8 : pause;
}

static void fault_strike(struct sim *sim, struct entry *entry)
{
    enum fault_kind kind = (enum fault_kind)entry->a;

    if (entry->round != sim->fault_round || sim->now >= sim->faults_until)
        return;
    /* A stream for each strike: one that is left out changes nothing else. */
    struct rng rng;
    rng_seed(&rng, sim->options.seed,
             world_stream(kind) + ((uint64_t)++sim->n_strikes[kind] << 40));
    if (sim_options_keep(&sim->options, sim->stats.n_strikes++))
        fault_begins[kind](sim, &rng);
    later(sim, fault_pause(sim, kind), fault_strike, kind, 0);
}

void faults_start(struct sim *sim, int64_t until)
{
    sim->faults_until = until;
    for (int i = 0; i < FAULT_N; i++)
        if (world_has_fault(sim, (enum fault_kind)i))
            later(sim, fault_pause(sim, (enum fault_kind)i), fault_strike, i, 0);
}

void faults_stop(struct sim *sim)
{
    sim->fault_round++;
    sim->faults_until = sim->now;
}

void faults_isolate(struct sim *sim, int node, bool block)
{
    node_set one = NODE_BIT(node), all = world_all(sim);

    cut(sim, one, all & ~one, block);
    cut(sim, all & ~one, one, block);
}

void faults_heal(struct sim *sim, node_set set)
{
    for (int i = 0; i < sim->n_nodes; i++) {
        for (int j = 0; j < sim->n_nodes; j++)
            if ((set >> i & set >> j & 1) != 0)
                sim->blocked[i][j] = 0, sim->slow[i][j] = 0;
    }
    for (int i = 0; i < sim->n_nodes; i++) {
        struct machine *machine = &sim->nodes[i];
        if ((set >> i & 1) == 0)
            continue;
        if (machine->redis != NULL) {
            redis_end_odd(machine->redis);
            redis_start(machine->redis, false);
        } else {
            machine->host->disk_full = machine->host->disk_readonly = false;
            machine->host->echo_until = 0;
            machine->host->disk_slow_ms = 0;
            machine->host->dns = DNS_FINE;
            host_start(machine->host);
        }
        machine->off = false;
        if (machine->frozen)
            world_thaw(sim, i);
    }
    redis_refresh_all(sim);
}
