/*
 * forge.c - somebody who may publish, and lies: hellos and vote requests with invented
 * and with stolen run ids, and old hellos once more. Nothing of it may change who is
 * counted (S12) or where clients are sent (S6).
 *
 * One lie is not told here: a new master in the name of a real sentinel that cannot be
 * asked at that moment. While our own master is not well it is believed, as the truth
 * would have to be (decisions/0026); against that only a secret helps. Where signatures
 * are required it is told, too, and nothing of all this may be believed (S14).
 */
#include "tests/sim/check.h"

#include "tests/lib/mac.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Epochs that only a forger tells, where nobody may believe them. */
#define FORGED_EPOCH 500000

static bool forge_is_hopeless(const struct sim *sim)
{
    return sim->auth == GOSSIP_AUTH_REQUIRE;
}

static struct host *forge_host(struct sim *sim, struct rng *rng)
{
    for (;;) {
        uint32_t i = rng_below(rng, (uint32_t)sim->n_nodes);
        if (sim->nodes[i].host != NULL)
            return sim->nodes[i].host;
    }
}

static void forge_run_id(struct rng *rng, char id[RUN_ID_CAP])
{
    for (int i = 0; i < RUN_ID_LEN; i++)
        id[i] = "0123456789abcdef"[rng_below(rng, 16)];
    id[RUN_ID_LEN] = '\0';
}

/* Who says it, and where that is. True: the run id is stolen. */
static bool forge_sender(struct sim *sim, struct rng *rng, char id[RUN_ID_CAP],
                         const char **ip, int *port)
{
    static const char *const nowhere[] = {"10.9.9.1", "10.9.9.2", "10.9.9.3"};
    const struct machine *at = &sim->nodes[rng_below(rng, (uint32_t)sim->n_nodes)];
    const struct host *victim = forge_host(sim, rng);
    bool is_stolen = victim->id[0] != '\0' && rng_chance(rng, 1, 3);

    forge_run_id(rng, id);
    if (is_stolen)
        memcpy(id, victim->id, RUN_ID_CAP);
    bool is_somewhere = rng_chance(rng, 1, 2);
    *ip = is_somewhere ? at->ip : nowhere[rng_below(rng, 3)];
    *port = is_somewhere ? at->port : 26379;
    return is_stolen;
}

static void forge_hello(struct sim *sim, struct rng *rng, struct buf *out)
{
    static const char *const absurd[] = {"-1", "9223372036854775808",
                                         "18446744073709551615", "9223372036854775807"};
    const struct group *group = &sim->groups[rng_below(rng, (uint32_t)sim->n_groups)];
    const struct machine *master = &sim->nodes[group->master];
    char id[RUN_ID_CAP], epoch[24], config_epoch[24];
    const char *ip;
    int port;

    bool is_stolen = forge_sender(sim, rng, id, &ip, &port);
    int least = forge_is_hopeless(sim) ? FORGED_EPOCH : 0;
    snprintf(epoch, sizeof(epoch), "%d", least + (int)rng_below(rng, 20));
    snprintf(config_epoch, sizeof(config_epoch), "%d",
             is_stolen ? least : least + (int)rng_below(rng, 1000));
    if (rng_chance(rng, 1, 4)) {
        char *which = rng_chance(rng, 1, 2) ? epoch : config_epoch;
        snprintf(which, sizeof(epoch), "%s", absurd[rng_below(rng, 4)]);
    }
    /* An invented one may name any server at all. */
    if (!is_stolen || forge_is_hopeless(sim))
        master = &sim->nodes[rng_below(rng, (uint32_t)sim->n_nodes)];
    buf_printf(out, "%s,%d,%s,%s,%s,%s,%d,%s", ip, port, id, epoch, group->name,
               master->ip, master->port, config_epoch);
    if (sim->auth != GOSSIP_AUTH_UNSET && rng_chance(rng, 1, 2))
        mac_companion(out, "a guess at the secret", sim->now, 1);
}

/* To a sentinel directly, or through a server. */
static void forge_publish(struct sim *sim, struct rng *rng, const char *text)
{
    const struct machine *to = &sim->nodes[rng_below(rng, (uint32_t)sim->n_nodes)];

    world_note(sim, "forged hello to %s: %s", to->name, text);
    if (to->host != NULL)
        host_tell(to->host, "PUBLISH", SIM_HELLO, text, NULL);
    else if (redis_is_running(to->redis))
        redis_publish(to->redis, text, strlen(text), redis_is_master(to->redis), 0);
}

static void forge_vote(struct sim *sim, struct rng *rng)
{
    struct host *host = forge_host(sim, rng);
    const struct group *group = &sim->groups[rng_below(rng, (uint32_t)sim->n_groups)];
    const struct machine *master = &sim->nodes[group->master];
    char id[RUN_ID_CAP], epoch[24], port[16];
    const char *ip;
    int unused;

    if (!host_is_running(host))
        return;
    forge_sender(sim, rng, id, &ip, &unused);
    snprintf(port, sizeof(port), "%d", master->port);
    snprintf(epoch, sizeof(epoch), "%" PRIu64,
             host->core->current_epoch + rng_below(rng, 3));
    world_note(sim, "forged vote request to %s for %.8s", host->machine->name, id);
    host_tell(host, "SENTINEL", "is-master-down-by-addr", master->ip, port, epoch, id,
              NULL);
}

void forge_remember(struct sim *sim, const char *payload)
{
    struct judge *judge = sim->judge;
    char *slot = judge->overheard[judge->n_overheard++ % FORGE_OVERHEARD];

    snprintf(slot, sizeof(judge->overheard[0]), "%s", payload);
}

void forge_strike(struct sim *sim, struct rng *rng)
{
    struct judge *judge = sim->judge;
    struct buf text = {0};
    uint32_t n = 1 + rng_below(rng, 5);

    if (rng_chance(rng, 1, 3)) {
        forge_vote(sim, rng);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        buf_clear(&text);
        if (judge->n_overheard >= FORGE_OVERHEARD && rng_chance(rng, 1, 3))
            buf_puts(&text, judge->overheard[rng_below(rng, FORGE_OVERHEARD)]);
        else
            forge_hello(sim, rng, &text);
        forge_publish(sim, rng, text.data);
    }
    buf_release(&text);
}

static bool forge_exists(const struct sim *sim, const struct host *host,
                         const struct peer *peer)
{
    for (int i = 0; i < sim->n_nodes; i++)
        if (sim->nodes[i].host != NULL && sim->nodes[i].host != host &&
            strcmp(sim->nodes[i].host->id, peer->run_id) == 0)
            return true;
    return false;
}

/* S12: only sentinels that exist are counted, each once. */
void forge_check(const struct sim *sim, const struct host *host,
                 const struct master *master)
{
    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        if (!forge_exists(sim, host, v->peer))
            world_fail((struct sim *)sim, "S12: %s counts %s, which nobody is",
                       host->machine->name, v->peer->run_id);
}

/* S14: where hellos must be signed, nothing that is not leaves a trace. */
void forge_check_signed(const struct sim *sim, const struct host *host)
{
    const struct core *core = host->core;

    if (!forge_is_hopeless(sim))
        return;
    if (core->current_epoch >= FORGED_EPOCH)
        world_fail((struct sim *)sim, "S14: %s believes epoch %" PRIu64,
                   host->machine->name, core->current_epoch);
    for (const struct peer *p = core->peers; p != NULL; p = p->hh.next)
        if (!forge_exists(sim, host, p))
            world_fail((struct sim *)sim, "S14: %s looks for %s, which nobody is",
                       host->machine->name, p->run_id);
}

/* S14, too: |host| gave its vote to |leader|, which must have asked for one. */
void forge_check_vote(const struct host *host, int group, uint64_t epoch,
                      const char *leader)
{
    struct sim *sim = host->sim;
    const struct judge *judge = sim->judge;

    if (!forge_is_hopeless(sim) || group < 0 || judge->is_off)
        return;
    for (size_t i = judge->n_votes; i-- > 0;) {
        const struct vote *vote = &judge->votes[i];
        if (vote->group == group && vote->epoch == epoch &&
            strcmp(vote->leader, leader) == 0 &&
            strcmp(sim->nodes[vote->sentinel].host->id, leader) == 0)
            return;
    }
    world_fail(sim,
               "S14: %s votes for %.8s in epoch %" PRIu64 " of %s, which did not ask",
               host->machine->name, leader, epoch, sim->groups[group].name);
}
