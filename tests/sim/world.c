/*
 * world.c - virtual time, the queue of what will happen, machines, narration.
 */
#include "tests/sim/world.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events at one instant beyond which somebody must be going round in circles. */
#define WORLD_SAME_INSTANT_MAX 200000

static const char *const fault_names[] = {
#define FAULT_X(name, text) text,
    FAULT_MAP(FAULT_X)
#undef FAULT_X
};

const char *fault_name(enum fault_kind kind)
{
    return fault_names[kind];
}

/* ------------------------------------------------------------------- queue ------- */

struct entry *world_entry(struct sim *sim, int owner, entry_fire *fire)
{
    struct entry *entry = sim->spare;

    if (entry != NULL)
        sim->spare = entry->next;
    else
        entry = mem_zalloc(sizeof(*entry));
    entry->fire = fire;
    entry->owner = owner;
    entry->incarnation = owner >= 0 ? sim->nodes[owner].incarnation : 0;
    entry->next = NULL;
    return entry;
}

struct entry *world_at(struct sim *sim, int64_t at, int owner, entry_fire *fire)
{
    struct entry *entry = world_entry(sim, owner, fire);

    heap_set(&sim->queue, &entry->node, at < sim->now ? sim->now : at);
    return entry;
}

void world_arm(struct sim *sim, struct entry *entry, int64_t at, entry_fire *fire,
               void *ptr)
{
    entry->fire = fire;
    entry->owner = -1;
    entry->ptr = ptr;
    entry->embedded = true;
    heap_set(&sim->queue, &entry->node, at < sim->now ? sim->now : at);
}

void world_entry_free(struct sim *sim, struct entry *entry)
{
    struct buf bytes = entry->bytes;

    if (bytes.cap > 65536)
        buf_release(&bytes);
    buf_clear(&bytes);
    memset(entry, 0, sizeof(*entry));
    entry->bytes = bytes;
    entry->next = sim->spare;
    sim->spare = entry;
}

static struct entry *world_entry_of(struct heap_node *node)
{
    return (struct entry *)(void *)((char *)node - offsetof(struct entry, node));
}

/* The entry is due; a frozen process gets it when it runs again. */
static void world_fire(struct sim *sim, struct entry *entry)
{
    if (entry->embedded) {
        entry->fire(sim, entry);
        return;
    }
    if (entry->owner >= 0) {
        struct machine *machine = &sim->nodes[entry->owner];
        if (machine->incarnation == entry->incarnation && machine->frozen) {
            *machine->waiting_tail = entry;
            machine->waiting_tail = &entry->next;
            return;
        }
        if (machine->incarnation == entry->incarnation)
            entry->fire(sim, entry);
    } else {
        entry->fire(sim, entry);
    }
    world_entry_free(sim, entry);
}

static bool world_run_next(struct sim *sim, int64_t until)
{
    struct heap_node *node = heap_min(&sim->queue);

    if (node == NULL || node->at > until)
        return false;
    heap_remove(&sim->queue, node);
    sim->now = node->at;
    sim->stats.n_events++;
    world_fire(sim, world_entry_of(node));
    return true;
}

bool sim_run(struct sim *sim, int64_t for_ms)
{
    int64_t until = sim->now + for_ms, instant = -1;
    uint32_t n_same = 0, n_since = 0;
    /* A look at very many masters costs accordingly. */
    int every_n = sim->options.check_every;
    uint32_t every = (uint32_t)(sim->n_groups > 3 ? every_n * sim->n_groups : every_n);

    while (!sim->failed && world_run_next(sim, until)) {
        n_same = sim->now == instant ? n_same + 1 : 0;
        instant = sim->now;
        if (n_same > WORLD_SAME_INSTANT_MAX)
            world_fail(sim, "S8: no end of events at one instant");
        if (every > 0 && ++n_since >= every) {
            n_since = 0;
            check_state(sim);
        }
    }
    if (!sim->failed) {
        sim->now = until;
        check_state(sim);
    }
    return !sim->failed;
}

/* ---------------------------------------------------------------- machines ------- */

bool world_has_fault(const struct sim *sim, enum fault_kind kind)
{
    return (sim->faults & FAULT_BIT(kind)) != 0;
}

bool world_makes_forget(const struct sim *sim)
{
    return world_has_fault(sim, FAULT_RESET) || world_has_fault(sim, FAULT_FORGET);
}

node_set world_all(const struct sim *sim)
{
    return sim->n_nodes < SIM_NODES_MAX ? NODE_BIT(sim->n_nodes) - 1 : ~(node_set)0;
}

int world_node_at(const struct sim *sim, const char *host, int64_t port)
{
    /* Most addresses end in the number of the machine (redis.c, host.c). */
    const char *dot = strrchr(host, '.');
    int guess = dot != NULL ? (int)strtol(dot + 1, NULL, 10) - 1 : -1;

    if (guess >= 0 && guess < sim->n_nodes && sim->nodes[guess].port == port &&
        strcmp(sim->nodes[guess].ip, host) == 0)
        return guess;
    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].port == port && names_had(&sim->nodes[i], host))
            return i;
    return -1;
}

struct machine *world_node_named(struct sim *sim, const char *name)
{
    for (int i = 0; i < sim->n_nodes; i++)
        if (strcmp(sim->nodes[i].name, name) == 0)
            return &sim->nodes[i];
    return NULL;
}

void world_freeze(struct sim *sim, int node)
{
    if (sim->nodes[node].frozen || !sim->nodes[node].up)
        return;
    sim->nodes[node].frozen = true;
    sim->nodes[node].froze_at = sim->now;
    redis_refresh_all(sim);
}

void world_thaw(struct sim *sim, int node)
{
    struct machine *machine = &sim->nodes[node];
    struct entry *entry = machine->waiting;

    if (!machine->frozen)
        return;
    machine->frozen = false;
    machine->thawed_at = sim->now;
    machine->frozen_ms = sim->now - machine->froze_at;
    machine->waiting = NULL;
    machine->waiting_tail = &machine->waiting;
    redis_refresh_all(sim);
    /* Timers or sockets first? Event loops differ. */
    bool timers_first = !sim->options.calm && rng_chance(&sim->world_rng, 1, 2);
    if (timers_first && machine->host != NULL)
        host_thaw(machine->host);
    while (entry != NULL) {
        struct entry *next = entry->next;
        entry->next = NULL;
        world_fire(sim, entry);
        entry = next;
    }
    if (!timers_first && machine->host != NULL)
        host_thaw(machine->host);
}

/* --------------------------------------------------------------- narration ------- */

void world_hash(struct sim *sim, const void *bytes, size_t len)
{
    const char *at = bytes;
    uint64_t hash = sim->hash ^ len, word;

    for (; len > 0; at += sizeof(word)) {
        size_t n = len < sizeof(word) ? len : sizeof(word);
        word = 0;
        memcpy(&word, at, n);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
        len -= n;
    }
    sim->hash = hash;
}

static void names_replace(struct buf *text, const char *from, const char *to)
{
    struct buf out = {0};
    const char *at = buf_text(text), *hit;
    size_t len = strlen(from);

    if (len == 0 || strstr(at, from) == NULL)
        return;
    while ((hit = strstr(at, from)) != NULL) {
        /* "10.0.0.1 6379" must not match inside "10.0.0.1 63790". */
        bool whole = hit[len] < '0' || hit[len] > '9';
        buf_append(&out, at, (size_t)(hit - at));
        buf_puts(&out, whole ? to : from);
        at = hit + len;
    }
    buf_puts(&out, at);
    buf_release(text);
    *text = out;
}

void world_names(const struct sim *sim, const char *text, struct buf *out)
{
    struct buf copy = {0};
    char from[160];

    buf_puts(&copy, text);
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct machine *m = &sim->nodes[i];
        const char *id = m->host != NULL ? m->host->id : "";
        if (id[0] != '\0') {
            snprintf(from, sizeof(from), "%s %s %d", id, m->ip, m->port);
            names_replace(&copy, from, m->name);
            names_replace(&copy, id, m->name);
            snprintf(from, sizeof(from), "%.8s", id);
            names_replace(&copy, from, m->name);
        }
        snprintf(from, sizeof(from), "%s:%d %s %d", m->ip, m->port, m->ip, m->port);
        names_replace(&copy, from, m->name);
        snprintf(from, sizeof(from), "%s %d", m->ip, m->port);
        names_replace(&copy, from, m->name);
        snprintf(from, sizeof(from), "%s:%d", m->ip, m->port);
        names_replace(&copy, from, m->name);
    }
    buf_append(out, buf_text(&copy), copy.len);
    buf_release(&copy);
}

void world_tell(struct sim *sim, int node, enum sim_line kind, const char *text)
{
    struct buf named = {0};

    world_hash(sim, &sim->now, sizeof(sim->now));
    world_hash(sim, &node, sizeof(node));
    world_hash(sim, text, strlen(text));
    if (sim->options.sink == NULL)
        return;
    world_names(sim, text, &named);
    sim->options.sink(sim->options.sink_ctx, sim->now,
                      node >= 0 ? sim->nodes[node].name : "", kind, buf_text(&named));
    buf_release(&named);
}

void world_note(struct sim *sim, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    world_tell(sim, -1, SIM_LINE_WORLD, text);
}

void world_fail(struct sim *sim, const char *format, ...)
{
    va_list ap;

    if (sim->failed)
        return;
    sim->failed = true;
    va_start(ap, format);
    vsnprintf(sim->violation, sizeof(sim->violation), format, ap);
    va_end(ap);
    world_note(sim, "VIOLATION %s", sim->violation);
}

const char *sim_violation(const struct sim *sim)
{
    return sim->failed ? sim->violation : NULL;
}

uint64_t sim_hash(const struct sim *sim)
{
    return sim->hash;
}

const struct sim_statistics *sim_statistics(const struct sim *sim)
{
    return &sim->stats;
}

int64_t sim_now(const struct sim *sim)
{
    return sim->now;
}

/* -------------------------------------------------------------- life cycle ------- */

uint64_t world_stream(enum fault_kind kind)
{
    uint64_t stream = 5381;

    for (const char *name = fault_names[kind]; *name != '\0'; name++)
        stream = stream * 33 + (unsigned char)*name;
    return stream;
}

struct sim *sim_new(const struct sim_options *options)
{
    struct sim *sim = mem_zalloc(sizeof(*sim));

    sim->options = *options;
    sim->hash = UINT64_C(14695981039346656037);
    rng_seed(&sim->build_rng, options->seed, 1);
    rng_seed(&sim->net_rng, options->seed, 2);
    rng_seed(&sim->world_rng, options->seed, 3);
    for (int i = 0; i < FAULT_N; i++)
        rng_seed(&sim->fault_rng[i], options->seed, world_stream((enum fault_kind)i));
    sim->judge = check_new(sim);
    sim->stats.settle_ms = -1;
    if (!options->calm) {
        build_swarm(sim);
        return sim;
    }
    for (int i = 0; i < SIM_NODES_MAX; i++)
        for (int j = 0; j < SIM_NODES_MAX; j++)
            sim->latency[i][j] = 1;
    return sim;
}

void sim_free(struct sim *sim)
{
    sim->dying = true;
    for (int i = 0; i < sim->n_nodes; i++) {
        if (sim->nodes[i].host != NULL)
            host_free(sim->nodes[i].host);
        if (sim->nodes[i].redis != NULL)
            redis_free(sim->nodes[i].redis);
        while (sim->nodes[i].waiting != NULL) {
            struct entry *entry = sim->nodes[i].waiting;
            sim->nodes[i].waiting = entry->next;
            world_entry_free(sim, entry);
        }
    }
    net_release(sim);
    struct heap_node *node;
    while ((node = heap_min(&sim->queue)) != NULL) {
        heap_remove(&sim->queue, node);
        world_entry_free(sim, world_entry_of(node));
    }
    while (sim->spare != NULL) {
        struct entry *entry = sim->spare;
        sim->spare = entry->next;
        buf_release(&entry->bytes);
        mem_free(entry);
    }
    heap_release(&sim->queue);
    check_free(sim->judge);
    buf_release(&sim->scratch);
    mem_free(sim);
}
