/*
 * check_evidence.c - is it true, and is it about this server, what a sentinel counts?
 *
 * S10 +odown counts only peers that answered "down" about this very address, and
 * lately. S13 No sentinel goes to and fro between masters of one configuration. S11 A
 * new master is judged from scratch: it is not sdown before it had a full down-after of
 * its own. S5  (last part) No replica is selected whose data is older than the master's
 * outage explains.
 */
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Five ask periods, and a freeze that is too short for TILT. */
#define OPINION_MS (5000 + 3000)
/* The age of an INFO that may be relied upon when the master is down. */
#define INFO_DOWN_MS 6000
/* Switches without a newer configuration: more is going in circles. */
#define SWITCHES_MAX 10

void check_opinion(struct host *host, int peer, int about,
                   const struct resp_value *value)
{
    struct sim *sim = host->sim;
    const struct redis *redis = sim->nodes[about].redis;

    if (sim->judge->is_off || redis == NULL || value->type != RESP_ARRAY ||
        value->n_items != 3 || value->items[0].type != RESP_INT)
        return;
    struct opinion *opinion =
        &sim->judge->opinions[host->machine->id][peer][redis->group];
    opinion->about = value->items[0].integer == 1 ? about + 1 : 0;
    opinion->at = sim->now;
}

/* The address of "master <name> <ip> <port> ...", as the event has it: by the end of
 * the step the sentinel may have gone on to another. */
static bool event_address(const char *text, char ip[64], int *port)
{
    return sscanf(text, "master %*s %63s %d", ip, port) == 2;
}

/* The server that is, or was, there. */
static int event_server(const struct sim *sim, const char *text)
{
    char ip[64] = "";
    int port = 0;

    return event_address(text, ip, &port) ? world_node_at(sim, ip, port) : -1;
}

bool check_said_down(const struct host *host, int peer, int group, int node)
{
    const struct sim *sim = host->sim;
    const struct opinion *opinion =
        &sim->judge->opinions[host->machine->id][peer][group];

    return opinion->about == node + 1 && sim->now - opinion->at <= OPINION_MS;
}

/* "master <name> <ip> <port> #quorum <n>/<quorum>" */
void check_odown(struct host *host, int group, const char *text)
{
    struct sim *sim = host->sim;
    struct judge *judge = sim->judge;
    int node = event_server(sim, text), n_true = 1, n_counted = 0;
    const char *quorum = strstr(text, "#quorum ");

    if (judge->odown_at[group] < 0)
        judge->odown_at[group] = sim->now;
    if (quorum == NULL || sscanf(quorum, "#quorum %d/", &n_counted) != 1 || node < 0)
        return;
    for (int i = 0; i < sim->n_nodes; i++)
        n_true += check_said_down(host, i, group, node);
    if (n_counted > n_true)
        world_fail(sim,
                   "S10: %s counts %d sentinels that hold %s down, but only %d said so",
                   host->machine->name, n_counted, sim->nodes[node].name, n_true);
}

static void check_to_and_fro(struct host *host, int group)
{
    struct switches *switches = &host->sim->judge->switches[host->machine->id][group];
    const struct master *master = host_master(host, group);

    if (master == NULL)
        return;
    if (switches->config_epoch != master->config_epoch)
        switches->n = 0;
    switches->config_epoch = master->config_epoch;
    if (++switches->n > SWITCHES_MAX)
        world_fail(host->sim,
                   "S13: %s switches the master of %s for the %dth time in epoch "
                   "%" PRIu64,
                   host->machine->name, master->name, switches->n,
                   master->config_epoch);
}

/* "<name> <ip> <port> <new ip> <port>" of +switch-master, "master <name> <ip> <port>
 * ..." of +monitor */
void check_adopted(struct host *host, const char *text)
{
    struct sim *sim = host->sim;
    const char *name = strncmp(text, "master ", 7) == 0 ? text + 7 : text;
    int group = check_group_named(sim, name, strcspn(name, " "));

    char ip[64] = "";
    int port = 0;
    bool is_switch = name == text;

    if (group < 0 || sscanf(text, is_switch ? "%*s %*s %*s %63s %d" : "%*s %*s %63s %d",
                            ip, &port) != 2)
        return;
    struct opinion *adopted = &sim->judge->adopted[host->machine->id][group];
    int about = world_node_at(sim, ip, port) + 1;
    /* A switch to another entry of the same server is nothing new. */
    if (!is_switch || about != adopted->about)
        adopted->at = sim->now;
    adopted->about = about;
    if (is_switch)
        check_to_and_fro(host, group);
}

void check_sdown(struct host *host, const struct master *master, int group,
                 const char *text)
{
    struct sim *sim = host->sim;
    const struct opinion *adopted = &sim->judge->adopted[host->machine->id][group];
    int64_t had = sim->now - adopted->at;
    char ip[64] = "";
    int port = 0;

    /* The new master may have been the old one before, at an address that it has left.
     */
    if (!event_address(text, ip, &port) || sim->groups[group].reboot_ms > 0 ||
        event_server(sim, text) + 1 != adopted->about ||
        names_now_at(sim, ip, port) + 1 != adopted->about)
        return;
    if (had < master->down_after_ms * 99 / 100)
        world_fail(sim,
                   "S11: %s holds %s down %" PRId64 " ms after it came to that "
                   "master, down-after is %" PRId64,
                   host->machine->name, master->name, had, master->down_after_ms);
}

void check_stale(struct host *host, const struct master *master,
                 const struct redis *redis)
{
    const struct node *current = master->current;
    int64_t now = host->sim->now, outage = 0;

    if (redis_is_master(redis) || redis->repl == REPL_UP ||
        redis->repl == REPL_STALLED || redis->repl_down_at < 0)
        return;
    /* A master has fresh data, and who says that it is one must be believed. */
    if (redis->lied_at > 0 && now - redis->lied_at <= INFO_UP_MS)
        return;
    if (current->s_down) {
        int64_t by_role = host->core->now - current->role_at + 10000;
        outage = host->core->now - current->s_down_at;
        if (current->role == ROLE_REPLICA && by_role > outage)
            outage = by_role;
    }
    int64_t most = outage + 10 * master->down_after_ms +
                   (current->s_down ? INFO_DOWN_MS : INFO_UP_MS);
    if (now - redis->repl_down_at > most)
        world_fail(
            host->sim, "S5: %s selects %s, which lost its master %" PRId64 " ms ago",
            host->machine->name, redis->machine->name, now - redis->repl_down_at);
}
