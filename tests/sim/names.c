/*
 * names.c - host names: a machine's name means its address, as far as the name server
 * knows, and as far as a sentinel can ask it. A machine that moves comes back with an
 * address that nobody had before; the old one is a black hole.
 */
#include "tests/sim/world.h"

#include "common/mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAMES_ANSWER_MS 3
/* The driver's deadline: a question fails after it. */
#define NAMES_DEADLINE_MS 2000

/* The address of |machine| after its |n|-th move. */
static void names_ip(const struct machine *machine, int n, char out[16])
{
    int second = (machine->redis != NULL ? 0 : 1) + 10 * n;
    int third = machine->redis != NULL ? machine->redis->group : 0;

    snprintf(out, 16, "10.%d.%d.%d", second & 0xff, third & 0xff,
             (machine->id + 1) & 0xff);
}

bool names_had(const struct machine *machine, const char *host)
{
    char ip[16];

    if (strcmp(machine->ip, host) == 0 || strcasecmp(machine->name, host) == 0)
        return true;
    for (int i = 0; i < machine->n_moves; i++) {
        names_ip(machine, i, ip);
        if (strcmp(ip, host) == 0)
            return true;
    }
    return false;
}

int names_now_at(const struct sim *sim, const char *host, int64_t port)
{
    int node = world_node_at(sim, host, port);

    if (node < 0 || strcmp(sim->nodes[node].ip, host) == 0 ||
        strcasecmp(sim->nodes[node].name, host) == 0)
        return node;
    return -1;
}

int names_node_of(const struct sim *sim, const struct addr *addr)
{
    return world_node_at(sim, addr->ip[0] != '\0' ? addr->ip : addr->host, addr->port);
}

const char *names_of(const struct sim *sim, const struct machine *machine)
{
    return sim->names.used ? machine->name : machine->ip;
}

/* ------------------------------------------------------------------- look-ups ---- */

static void names_answer(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    const char *name = buf_text(&entry->bytes);
    const struct machine *found = world_node_named(sim, name);
    struct core_event event = {.type = CORE_EV_RESOLVED};

    event.resolved.host = name;
    event.resolved.ip = found != NULL && entry->a == 0 ? found->dns_ip : NULL;
    if (found != NULL && found->dns_ip[0] == '\0')
        event.resolved.ip = found->ip;
    host_step(host, &event);
}

static void names_answer_in(struct host *host, const char *name, int64_t ms, bool fails)
{
    struct entry *entry =
        world_at(host->sim, host->sim->now + ms, host->machine->id, names_answer);

    entry->ptr = host;
    entry->a = fails;
    buf_puts(&entry->bytes, name);
}

void names_resolve(struct host *host, const char *name)
{
    switch (host->dns) {
    case DNS_FINE:
        names_answer_in(host, name, NAMES_ANSWER_MS, false);
        break;
    case DNS_FAILS:
        names_answer_in(host, name, NAMES_ANSWER_MS, true);
        break;
    case DNS_SLOW:
        names_answer_in(host, name, host->dns_ms, false);
        break;
    case DNS_HANGS:
        names_answer_in(host, name, NAMES_DEADLINE_MS, true);
        /* The thread comes back, much later, perhaps with an answer. */
        names_answer_in(host, name, NAMES_DEADLINE_MS + host->dns_ms, false);
        break;
    }
}

/* ---------------------------------------------------------------------- moves ---- */

static void names_update(struct sim *sim, struct entry *entry)
{
    struct machine *machine = &sim->nodes[entry->a];

    if (machine->n_moves != entry->b)
        return; /* it has moved again */
    memcpy(machine->dns_ip, machine->ip, sizeof(machine->dns_ip));
    world_note(sim, "the name server knows that %s has moved", machine->name);
}

void names_move(struct sim *sim, struct machine *machine, int64_t dns_ms)
{
    if (machine->dns_ip[0] == '\0')
        memcpy(machine->dns_ip, machine->ip, sizeof(machine->dns_ip));
    machine->off = true; /* nobody is told that it is gone */
    if (machine->redis != NULL)
        redis_crash(machine->redis);
    else
        host_crash(machine->host);
    net_leave(sim, machine->id);
    names_ip(machine, ++machine->n_moves, machine->ip);
    redis_follow_all(sim);
    struct entry *entry = world_at(sim, sim->now + dns_ms, -1, names_update);
    entry->a = machine->id;
    entry->b = machine->n_moves;
}

/* ---------------------------------------------------------------------- build ---- */

void names_draw(struct sim *sim)
{
    struct rng *rng = &sim->names.rng;

    rng_seed(rng, sim->options.seed, 5);
    sim->names.used = rng_chance(rng, 1, 3);
    sim->names.announced = rng_chance(rng, 2, 3);
    if (!sim->names.used)
        sim->faults &= ~(FAULT_BIT(FAULT_DNS) | FAULT_BIT(FAULT_MOVE));
    /* Replicas that are listed by numbers cannot be followed. */
    if (!sim->names.announced)
        sim->faults &= ~FAULT_BIT(FAULT_MOVE);
}

void names_config(struct sim *sim, const struct machine *machine, struct buf *out)
{
    struct rng *rng = &sim->names.rng;

    if (!sim->names.used)
        return;
    buf_puts(out, "sentinel resolve-hostnames yes\n");
    if (sim->options.calm ? sim->names.shown : rng_chance(rng, 1, 2))
        buf_puts(out, "sentinel announce-hostnames yes\n");
    if (!sim->options.calm && rng_chance(rng, 1, 4))
        buf_printf(out, "sentinel announce-ip %s\n", machine->name);
}
