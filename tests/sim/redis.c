/*
 * redis.c - a model of a data server: role, replication, restarts. What it answers to
 * commands is in redis_cmd.c.
 *
 * There is no data, only an offset that grows while it is master. Replication links are
 * not connections of net.c: their state follows from paths and processes, judged each
 * time one of those changes and once a second.
 */
#include "tests/sim/world.h"

#include "common/mem.h"

#include <stdio.h>
#include <string.h>

#define REDIS_CRON_MS 1000
#define REDIS_CHAIN_MAX 8

bool redis_is_running(const struct redis *redis)
{
    return redis->machine->up && !redis->machine->off && !redis->machine->frozen;
}

bool redis_is_master(const struct redis *redis)
{
    return redis->master_port == 0;
}

static struct redis *redis_master(const struct redis *redis)
{
    return redis->master >= 0 ? redis->sim->nodes[redis->master].redis : NULL;
}

/* --------------------------------------------------------------- replication ----- */

static int64_t redis_offset_at(const struct redis *redis, int64_t at, int depth)
{
    if (redis_is_master(redis)) {
        int64_t since = at > redis->offset_at ? at - redis->offset_at : 0;
        return redis->offset + since * redis->rate / 1000;
    }
    const struct redis *master = redis_master(redis);
    if (redis->repl != REPL_UP || master == NULL || depth > REDIS_CHAIN_MAX)
        return redis->offset;
    int64_t offset = redis_offset_at(master, at - redis->lag_ms, depth + 1);
    return offset > redis->offset ? offset : redis->offset;
}

int64_t redis_offset(const struct redis *redis)
{
    return redis_offset_at(redis, redis->sim->now, 0);
}

/* From now on the offset stands, or grows, from where it is. */
static void redis_pin_offset(struct redis *redis)
{
    redis->offset = redis_offset(redis);
    redis->offset_at = redis->sim->now;
}

static void redis_link_set(struct redis *redis, enum repl_state state)
{
    redis_pin_offset(redis);
    if (redis->repl == REPL_UP || redis->repl == REPL_STALLED) {
        if (state == REPL_NONE || state == REPL_SYNC)
            redis->repl_down_at = redis->sim->now;
    }
    redis->repl = state;
    redis->repl_at = redis->sim->now;
}

static bool redis_paths(const struct redis *a, const struct redis *b)
{
    return net_path(a->sim, a->machine->id, b->machine->id) &&
           net_path(a->sim, b->machine->id, a->machine->id);
}

static void redis_sync_done(struct sim *sim, struct entry *entry)
{
    struct redis *redis = entry->ptr;
    struct redis *master = redis_master(redis);

    if (redis->repl != REPL_SYNC || redis->repl_at != entry->a || master == NULL)
        return;
    redis_refresh_all(sim);
    if (redis->repl != REPL_SYNC)
        return;
    redis->repl = REPL_UP;
    memcpy(redis->replid, master->replid, sizeof(redis->replid));
    redis->repl_at = sim->now;
    redis->offset = redis_offset_at(master, sim->now - redis->lag_ms, 0);
    redis->offset_at = sim->now;
    world_hash(sim, &redis->offset, sizeof(redis->offset));
}

/* A replica without a link tries to get one. */
static void redis_connect(struct redis *redis)
{
    struct redis *master = redis_master(redis);

    if (redis->repl != REPL_NONE || redis_is_master(redis) || master == NULL ||
        master == redis || !redis_is_running(redis) || !redis_is_running(master) ||
        !redis_paths(redis, master) || master->loading_until > redis->sim->now ||
        redis->loading_until > redis->sim->now)
        return;
    /* A replica serves other replicas only while it has a link itself. */
    if (!redis_is_master(master) && master->repl != REPL_UP)
        return;
    if (strcmp(redis->password, master->password) != 0)
        return;
    redis_link_set(redis, REPL_SYNC);
    redis->repl_master_gen = master->repl_gen;
    struct entry *entry = world_at(redis->sim, redis->sim->now + redis->sync_ms,
                                   redis->machine->id, redis_sync_done);
    entry->ptr = redis;
    entry->a = redis->repl_at;
}

static void redis_refresh(struct redis *redis)
{
    struct redis *master = redis_master(redis);
    int64_t now = redis->sim->now;

    if (redis->repl == REPL_NONE || master == NULL)
        return;
    bool lost = redis->repl_master_gen != master->repl_gen;
    bool silent =
        !redis_paths(redis, master) || master->machine->off || master->machine->frozen;
    if (!silent && (lost || !master->machine->up)) {
        redis_link_set(redis, REPL_NONE);
    } else if (silent && redis->repl == REPL_SYNC) {
        redis_link_set(redis, REPL_NONE);
    } else if (silent && redis->repl == REPL_UP) {
        redis_link_set(redis, REPL_STALLED);
    } else if (silent && now - redis->repl_at > redis->repl_timeout_ms) {
        redis_link_set(redis, REPL_NONE);
    } else if (!silent && redis->repl == REPL_STALLED) {
        redis_pin_offset(redis);
        redis->repl = REPL_UP;
        redis->repl_at = now;
    }
}

void redis_refresh_all(struct sim *sim)
{
    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].redis != NULL)
            redis_refresh(sim->nodes[i].redis);
}

void redis_follow_all(struct sim *sim)
{
    for (int i = 0; i < sim->n_nodes; i++) {
        struct redis *redis = sim->nodes[i].redis;
        if (redis == NULL || redis_is_master(redis))
            continue;
        int master = names_now_at(sim, redis->master_host, redis->master_port);
        if (master == redis->master)
            continue;
        redis_link_set(redis, REPL_NONE);
        redis->master = master;
    }
}

static void redis_cron(struct sim *sim, struct entry *entry)
{
    struct redis *redis = entry->ptr;

    if (redis_is_running(redis)) {
        redis_refresh(redis);
        redis_connect(redis);
    }
    world_arm(sim, entry, sim->now + REDIS_CRON_MS, redis_cron, redis);
}

/* With its next promotion, or its next life, begins a history of its own. */
static void redis_new_replid(struct redis *redis)
{
    snprintf(redis->replid, sizeof(redis->replid), "%.32s%08x", redis->run_id,
             redis->repl_gen);
}

void redis_set_master(struct redis *redis, const char *host, int port)
{
    bool is_same = port == redis->master_port && strcmp(host, redis->master_host) == 0;

    if (is_same)
        return;
    check_note_heirs(redis->sim, redis->group);
    bool was_master = redis_is_master(redis);
    redis_pin_offset(redis);
    if (was_master || port == 0)
        redis->repl_gen++;
    if (port == 0)
        redis_new_replid(redis);
    redis->repl = REPL_NONE;
    redis->repl_down_at = -1;
    snprintf(redis->master_host, sizeof(redis->master_host), "%s", host);
    redis->master_port = port;
    redis->master = port != 0 ? names_now_at(redis->sim, host, port) : -1;
    redis->repl_at = redis->sim->now;
    if (port == 0)
        redis->promoted_at = redis->sim->now;
    redis_refresh_all(redis->sim);
    redis_connect(redis);
}

void redis_slaveof(struct redis *redis, int master)
{
    struct sim *sim = redis->sim;

    if (master < 0)
        redis_set_master(redis, "", 0);
    else
        redis_set_master(redis, names_of(sim, &sim->nodes[master]),
                         sim->nodes[master].port);
}

bool redis_follows(const struct redis *redis, const struct redis *master)
{
    return !redis_is_master(redis) && redis->master == master->machine->id &&
           redis->repl == REPL_UP;
}

bool redis_has_replica(const struct redis *redis, const struct redis *replica)
{
    return !redis_is_master(replica) && replica->master == redis->machine->id &&
           replica->repl != REPL_NONE && replica->repl_master_gen == redis->repl_gen;
}

/* -------------------------------------------------------------- life cycle ------- */

static void redis_new_run_id(struct redis *redis)
{
    for (int i = 0; i < RUN_ID_LEN; i++)
        redis->run_id[i] = "0123456789abcdef"[rng_below(&redis->sim->world_rng, 16)];
    redis->run_id[RUN_ID_LEN] = '\0';
}

void redis_start(struct redis *redis, bool empty)
{
    struct sim *sim = redis->sim;
    struct machine *machine = redis->machine;

    if (machine->up)
        return;
    machine->up = true;
    machine->off = false;
    machine->incarnation++;
    redis_new_run_id(redis);
    if (empty)
        redis->offset = 0;
    redis->offset_at = sim->now;
    redis->repl = REPL_NONE;
    redis->repl_at = sim->now;
    redis->repl_down_at = -1;
    redis->repl_gen++;
    redis_new_replid(redis);
    redis->loading_until = sim->now + redis->loading_ms;
    redis->busy = false;
    snprintf(redis->master_host, sizeof(redis->master_host), "%s", redis->saved_host);
    redis->master_port = redis->saved_port;
    redis->master = redis->saved_port != 0
                        ? names_now_at(sim, redis->saved_host, redis->saved_port)
                        : -1;
    if (redis_is_master(redis))
        redis->promoted_at = sim->now;
    redis_refresh_all(sim);
    redis_connect(redis);
}

void redis_crash(struct redis *redis)
{
    struct sim *sim = redis->sim;

    if (!redis->machine->up)
        return;
    redis_pin_offset(redis);
    redis->machine->up = false;
    redis->machine->frozen = false;
    redis->machine->incarnation++;
    while (redis->clients != NULL)
        redis_client_free(redis->clients);
    net_process_gone(sim, redis->machine->id);
    while (redis->machine->waiting != NULL) {
        struct entry *entry = redis->machine->waiting;
        redis->machine->waiting = entry->next;
        world_entry_free(sim, entry);
    }
    redis->machine->waiting_tail = &redis->machine->waiting;
    if (!redis->machine->off) /* its master is told, and lists it no more */
        redis_link_set(redis, REPL_NONE);
    redis_refresh_all(sim);
}

struct redis *redis_new(struct sim *sim, const char *name, int group, int master,
                        int64_t priority)
{
    struct machine *machine = &sim->nodes[sim->n_nodes];
    struct redis *redis = mem_zalloc(sizeof(*redis));

    machine->kind = NODE_REDIS;
    machine->id = sim->n_nodes++;
    machine->redis = redis;
    machine->waiting_tail = &machine->waiting;
    machine->port = 6379;
    snprintf(machine->name, sizeof(machine->name), "%s", name);
    snprintf(machine->ip, sizeof(machine->ip), "10.0.%d.%d", group & 0xff,
             (machine->id + 1) & 0xff);
    redis->sim = sim;
    redis->machine = machine;
    redis->group = group;
    redis->priority = priority;
    redis->announced = true;
    redis->rate = 1000;
    redis->lag_ms = 0;
    redis->sync_ms = 100;
    redis->repl_timeout_ms = 60000;
    redis->promoted_at = -1;
    if (master >= 0) {
        snprintf(redis->saved_host, sizeof(redis->saved_host), "%s",
                 names_of(sim, &sim->nodes[master]));
        redis->saved_port = sim->nodes[master].port;
    }
    snprintf(redis->password, sizeof(redis->password), "%s",
             sim->groups[group].password);
    world_arm(sim, &redis->cron, sim->now + REDIS_CRON_MS, redis_cron, redis);
    return redis;
}

void redis_free(struct redis *redis)
{
    while (redis->clients != NULL)
        redis_client_free(redis->clients);
    heap_remove(&redis->sim->queue, &redis->cron.node);
    redis->machine->redis = NULL;
    mem_free(redis);
}
