/*
 * check.c - the judges: what must hold whatever happens (safety), by number.
 *
 * S1  For one master and epoch at most one sentinel is elected, and by that election at
 *     most one server is told to be master. A forced failover that went on without a
 *     majority is exempt: its operator asked for that.
 * S2  A sentinel votes at most once per master and epoch, also across crashes. Judged
 * by what leaves the process: answers to vote requests, and its own requests. S3 Epochs
 * that left a process do not go back, also across crashes. S4  No automatic failover
 * begins unless a quorum of sentinels truly had no valid reply from the master for its
 * down-after. The world knows who got which reply. S5  No replica is selected that has
 * priority 0, is down for the leader, or belongs to another group. S6  Addresses for
 * clients name a server that was configured, promoted by us, or that one of these
 * follows. S7  In TILT nothing is
 * decided; nothing leaves that must be on disk first and is not. S8  core_check(), and
 * the contract between the core and its driver. S9  A sentinel can read the file it
 * wrote, and keeps the run id it has told.
 * S12  Only sentinels that exist are counted as voters (forge.c).
 * S14  Where hellos must be signed, nothing else is believed (forge.c).
 */
#include "tests/sim/check.h"

#include "common/args.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How old the evidence of a peer may be when it is counted: five ask periods, and the
 * way here. */
#define EVIDENCE_MS 7000
/* What is shorter, as nearly all PINGs are, holds nothing that is judged. */
#define CHECK_SENT_MIN (sizeof("*3\r\n$7\r\nSLAVEOF") - 1)

struct judge *check_new(struct sim *sim)
{
    (void)sim;
    return mem_zalloc(sizeof(struct judge));
}

void check_free(struct judge *judge)
{
    mem_free(judge->votes);
    mem_free(judge->elections);
    for (int i = 0; i < SIM_NODES_MAX; i++)
        mem_free(judge->opinions[i]);
    resp_request_release(&judge->parser);
    mem_free(judge);
}

void check_allow(struct sim *sim, int group, int node)
{
    sim->judge->allowed[group] |= NODE_BIT(node);
}

bool check_was_told(const struct sim *sim, int group, int node, int64_t since)
{
    (void)group;
    return sim->judge->n_told[node] > 0 && sim->judge->told_at[node] >= since;
}

int check_group_named(const struct sim *sim, const char *name, size_t len)
{
    for (int i = 0; i < sim->n_groups; i++)
        if (strlen(sim->groups[i].name) == len &&
            memcmp(sim->groups[i].name, name, len) == 0)
            return i;
    return -1;
}

static struct election *election_get(struct judge *judge, int group, uint64_t epoch)
{
    for (size_t i = judge->n_elections; i-- > 0;)
        if (judge->elections[i].group == group && judge->elections[i].epoch == epoch)
            return &judge->elections[i];
    judge->elections =
        mem_resize(judge->elections, judge->n_elections + 1, sizeof(*judge->elections));
    struct election *election = &judge->elections[judge->n_elections++];
    memset(election, 0, sizeof(*election));
    election->group = group;
    election->epoch = epoch;
    election->winner = election->promoted = -1;
    return election;
}

/* ----------------------------------------------------------- S2, S3, S7: votes --- */

static void check_vote(struct host *host, int group, uint64_t epoch, const char *leader,
                       const char *how)
{
    struct sim *sim = host->sim;
    struct judge *judge = sim->judge;
    int id = host->machine->id;

    if (group < 0 || host->core == NULL || judge->is_off)
        return;
    if (host->facts.leader_epoch[group] < epoch)
        world_fail(sim,
                   "S7: %s %s for %s in epoch %" PRIu64
                   ", but its disk says leader-epoch %" PRIu64,
                   host->machine->name, how, sim->groups[group].name, epoch,
                   host->facts.leader_epoch[group]);
    for (size_t i = judge->n_votes; i-- > 0;) {
        const struct vote *vote = &judge->votes[i];
        if (vote->sentinel != id || vote->group != group || vote->epoch != epoch)
            continue;
        if (strcmp(vote->leader, leader) != 0)
            world_fail(sim,
                       "S2: %s %s for %s in epoch %" PRIu64 ": %.8s, but earlier %.8s",
                       host->machine->name, how, sim->groups[group].name, epoch, leader,
                       vote->leader);
        return;
    }
    judge->votes = mem_resize(judge->votes, judge->n_votes + 1, sizeof(*judge->votes));
    struct vote *vote = &judge->votes[judge->n_votes++];
    vote->sentinel = id;
    vote->group = group;
    vote->epoch = epoch;
    snprintf(vote->leader, sizeof(vote->leader), "%s", leader);
}

void check_vote_answer(struct host *host, int group, const struct core_action *action)
{
    if (action->answer.leader != NULL && strcmp(action->answer.leader, "*") != 0) {
        check_vote(host, group, action->answer.epoch, action->answer.leader,
                   "answers a vote");
        forge_check_vote(host, group, action->answer.epoch, action->answer.leader);
    }
}

/* |epoch| leaves the process; |seen| is the greatest that did. */
static void check_epoch(struct host *host, const char *what, uint64_t epoch,
                        uint64_t durable, uint64_t *seen)
{
    if (epoch < *seen)
        world_fail(host->sim, "S3: %s tells %s %" PRIu64 ", but told %" PRIu64,
                   host->machine->name, what, epoch, *seen);
    if (epoch > durable)
        world_fail(host->sim, "S7: %s tells %s %" PRIu64 ", its disk says %" PRIu64,
                   host->machine->name, what, epoch, durable);
    if (epoch > *seen)
        *seen = epoch;
}

/* ip,port,runid,current_epoch,name,master ip,master port,config_epoch, and of a
 * companion hmac-sha256,stamp,stands,mac: who stands has voted for itself */
static void check_hello(struct host *host, const char *payload)
{
    struct sim *sim = host->sim;
    struct told *told = &sim->judge->told[host->machine->id];
    const char *field[13];
    uint64_t stands = 0;
    int n = 0;

    field[n++] = payload;
    for (const char *at = payload; n < 13 && (at = strchr(at, ',')) != NULL;)
        field[n++] = ++at;
    if ((sim->faults & FAULT_BIT(FAULT_FORGE)) != 0)
        forge_remember(sim, payload);
    if (n != 8 && n != 12) {
        world_fail(sim, "S8: %s sends a hello of %d fields: %s", host->machine->name, n,
                   payload);
        return;
    }
    int group = check_group_named(sim, field[4], (size_t)(field[5] - field[4]) - 1);
    if (told->run_id[0] != '\0' && memcmp(told->run_id, field[2], RUN_ID_LEN) != 0)
        world_fail(sim, "S9: %s changes its run id", host->machine->name);
    memcpy(told->run_id, field[2], RUN_ID_LEN);
    check_epoch(host, "current epoch", strtoull(field[3], NULL, 10),
                host->facts.current_epoch, &told->current_epoch);
    if (group >= 0)
        check_epoch(host, "config epoch", strtoull(field[7], NULL, 10),
                    host->facts.config_epoch[group], &told->config_epoch[group]);
    if (n == 12)
        stands = strtoull(field[10], NULL, 10);
    if (stands != 0)
        check_vote(host, group, stands, told->run_id, "stands");
}

/* Returns the server that is asked about, -1 if there is none. */
static int check_ask(struct host *host, const struct resp_request *rq)
{
    uint64_t epoch = strtoull(rq->args[4].str, NULL, 10);
    int64_t port = strtoll(rq->args[3].str, NULL, 10);
    int node = world_node_at(host->sim, rq->args[2].str, port);

    if (strcmp(rq->args[5].str, "*") != 0 && node >= 0 &&
        host->sim->nodes[node].redis != NULL)
        check_vote(host, host->sim->nodes[node].redis->group, epoch, rq->args[5].str,
                   "asks for votes");
    return node;
}

/* -------------------------------------------------------------- S1: promotions --- */

static void check_no_one(struct host *host, const struct channel *channel)
{
    struct sim *sim = host->sim;
    struct judge *judge = sim->judge;
    const struct link *link = slots_get(&host->core->links, channel->link);
    const struct node *node = link != NULL ? link->node : NULL;
    const struct master *master = node != NULL ? node->master : NULL;

    if (master == NULL || channel->to < 0 || sim->nodes[channel->to].redis == NULL) {
        world_fail(sim, "S1: %s sends SLAVEOF NO ONE to what is no replica",
                   host->machine->name);
        return;
    }
    int group = sim->nodes[channel->to].redis->group;
    const struct failover *fo = &master->failover;
    if (fo->promoted != node)
        world_fail(sim, "S1: %s sends SLAVEOF NO ONE to %s which it did not select",
                   host->machine->name, sim->nodes[channel->to].name);
    struct election *election = election_get(judge, group, fo->epoch);
    bool exempt = fo->forced && !fo->by_majority;
    if (!exempt && !election->exempt && election->promoted >= 0 &&
        election->promoted != channel->to)
        world_fail(sim, "S1: epoch %" PRIu64 " of %s promotes %s and %s", fo->epoch,
                   master->name, sim->nodes[election->promoted].name,
                   sim->nodes[channel->to].name);
    election->promoted = channel->to;
    election->exempt |= exempt;
    judge->allowed[group] |= NODE_BIT(channel->to);
    judge->told_at[channel->to] = sim->now;
    if (judge->n_told[channel->to]++ == 0 || fo->epoch != judge->told_epoch[group])
        sim->stats.n_promotions++;
    judge->told_epoch[group] = fo->epoch;
}

void check_stock_promotes(struct host *host, int group, const char *ip, int port)
{
    struct judge *judge = host->sim->judge;
    int node = world_node_at(host->sim, ip, port);

    if (node < 0)
        return;
    judge->allowed[group] |= NODE_BIT(node);
    judge->told_at[node] = host->sim->now;
    judge->n_told[node]++;
}

void check_stock_demotes(struct host *host, const char *ip, int port)
{
    int node = world_node_at(host->sim, ip, port);

    if (node >= 0 && host->sim->nodes[node].redis != NULL &&
        redis_is_master(host->sim->nodes[node].redis))
        host->sim->judge->stock_demoted |= NODE_BIT(node);
}

void check_stock_forgets(struct host *host, int group, uint64_t leader_epoch)
{
    if (host->sim->dying)
        return;
    for (uint64_t e = host->facts.leader_epoch[group] + 1; e <= leader_epoch; e++)
        election_get(host->sim->judge, group, e)->exempt = true;
}

int check_sent(struct host *host, const struct channel *channel, const char *bytes,
               size_t len)
{
    int about = -1;
    struct resp_request *rq = &host->sim->judge->parser;
    struct error err;
    int rc;

    if (host->sim->judge->is_off || len < CHECK_SENT_MIN)
        return -1;
    if (memmem(bytes, len, "PUBLISH", 7) == NULL &&
        memmem(bytes, len, "SLAVEOF", 7) == NULL &&
        memmem(bytes, len, "is-master", 9) == NULL)
        return -1;
    resp_request_feed(rq, bytes, len);
    while ((rc = resp_request_next(rq, &resp_limits_default, &err)) == 0) {
        if (rq->n_args == 3 && strcmp(rq->args[0].str, "PUBLISH") == 0)
            check_hello(host, rq->args[2].str);
        else if (rq->n_args == 3 && strcmp(rq->args[0].str, "SLAVEOF") == 0 &&
                 strcmp(rq->args[1].str, "NO") == 0)
            check_no_one(host, channel);
        else if (rq->n_args == 6 && channel->to_peer &&
                 strcmp(rq->args[1].str, "is-master-down-by-addr") == 0)
            about = check_ask(host, rq);
    }
    if (rc != ERR_MORE || rq->pos != rq->in.len)
        world_fail(host->sim, "S8: %s sends half a request", host->machine->name);
    return about;
}

/* ------------------------------------------------------------ S4: real evidence -- */

/* SENTINEL SET, or MONITOR. */
static void note_patience(struct host *host, const struct master *master, int group)
{
    struct patience *patience = &host->sim->judge->patience[host->machine->id][group];
    int64_t had = patience->now_ms > 0 ? patience->now_ms
                                       : host->sim->groups[group].down_after_ms;

    if (had < master->down_after_ms) {
        patience->was_ms = had;
        patience->at = host->sim->now;
    }
    patience->now_ms = master->down_after_ms;
}

/* The least silence that |host| called down at some moment of the last |window_ms|:
 * what it said before it was told to have more patience still counts. */
static int64_t patience_ms(const struct host *host, int group, int64_t window_ms)
{
    const struct sim *sim = host->sim;
    const struct master *master = host_master(host, group);
    const struct patience *patience = &sim->judge->patience[host->machine->id][group];
    int64_t down_after = master != NULL ? master->down_after_ms
                         : patience->now_ms > 0 /* it is off now */
                             ? patience->now_ms
                             : sim->groups[group].down_after_ms;

    if (patience->at > 0 && sim->now - patience->at <= window_ms &&
        patience->was_ms < down_after)
        return patience->was_ms;
    return down_after;
}

/* What a server says where a sentinel is supposed to be says nothing of the server. */
void check_valid_reply(struct host *host, int node, struct slot_id from)
{
    struct judge *judge = host->sim->judge;
    int id = host->machine->id, group;
    int64_t now = host->sim->now;
    int64_t *last = &judge->valid_at[id][node];
    const struct link *link = slots_get(&host->core->links, from);

    if (host->sim->nodes[node].redis == NULL || link == NULL || link->node == NULL)
        return;
    group = host->sim->nodes[node].redis->group;
    if (host_master(host, group) != NULL &&
        now - *last >= patience_ms(host, group, EVIDENCE_MS) * 99 / 100)
        judge->silence_end[id][node] = now;
    *last = now;
}

/* |host| hears from the master that it is one again: until now it was down as if it had
 * been silent (behaviour.md 6.1 b). */
static void note_master_again(struct host *host, const struct master *master)
{
    int node = names_node_of(host->sim, &master->current->addr);

    if (node >= 0)
        host->sim->judge->silence_end[host->machine->id][node] = host->sim->now;
}

/* Was |node| silent for |host| at some moment of the last |window_ms|? */
static bool was_silent(const struct host *host, int node, int group, int64_t window_ms)
{
    const struct sim *sim = host->sim;
    const struct judge *judge = sim->judge;
    int id = host->machine->id;
    const struct master *master = host_master(host, group);
    int64_t end = judge->silence_end[id][node];

    if (sim->now - judge->valid_at[id][node] >=
        patience_ms(host, group, window_ms) * 99 / 100)
        return true;
    /* It may be heard at another address, where it is a replica to |host|. */
    if (master != NULL &&
        names_now_at(sim, master->current->addr.ip, master->current->addr.port) < 0)
        return true;
    /* A master that says it is a replica is down as well (behaviour.md 6.1 b). */
    if (master != NULL && master->current->role != ROLE_MASTER)
        return true;
    return end > 0 && sim->now - end <= window_ms;
}

/* "<name> <ip> <port> <new ip> <port>" */
static void note_moved_on(struct host *host, const char *text)
{
    char ip[64] = "";
    int port = 0;
    int group = check_group_named(host->sim, text, strcspn(text, " "));

    if (group >= 0 && sscanf(text, "%*s %63s %d", ip, &port) == 2 &&
        names_now_at(host->sim, ip, port) < 0)
        host->sim->judge->moved_on_at[host->machine->id][group] = host->sim->now;
}

/* Has |host| come, within |window_ms|, from an address of the master where nobody was
 * left? The master's server may be heard at another, where it follows it by now. */
static bool has_moved_on(const struct host *host, int group, int64_t window_ms)
{
    int64_t at = host->sim->judge->moved_on_at[host->machine->id][group];

    return at > 0 && host->sim->now - at <= window_ms;
}

static void check_try(struct host *host, const struct master *master, int group)
{
    struct sim *sim = host->sim;
    const struct machine *machine = host->machine;
    const struct addr *addr = &master->current->addr;
    int node = names_node_of(sim, addr);
    bool is_left = names_now_at(sim, addr->ip, addr->port) < 0;
    int64_t window = EVIDENCE_MS;
    int n_silent = 0;

    sim->judge->tried_forced[machine->id][group] = master->failover.forced;
    struct election *election = election_get(sim->judge, group, master->failover.epoch);
    election->n_candidates++;
    sim->stats.n_elections += election->n_candidates == 1;
    sim->stats.n_contested += election->n_candidates == 2;
    if (master->failover.forced || node < 0 || sim->groups[group].reboot_ms > 0)
        return;
    if (sim->nodes[node].redis != NULL && !redis_is_master(sim->nodes[node].redis))
        return;
    if (sim->now - machine->thawed_at < 60000)
        window += machine->frozen_ms;
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *other = sim->nodes[i].host;
        if (other != NULL && other->kind != NULL) /* its word has to do */
            n_silent += check_said_down(host, i, group, node);
        else if (other != NULL)
            n_silent += was_silent(other, node, group, window) ||
                        (is_left && has_moved_on(other, group, window));
    }
    if (n_silent < master->quorum)
        world_fail(sim,
                   "S4: %s begins a failover of %s, but %s was silent for only %d "
                   "sentinels, quorum %" PRId64,
                   machine->name, master->name, sim->nodes[node].name, n_silent,
                   master->quorum);
}

/* -------------------------------------------------------------------- events ----- */

static void check_elected(struct host *host, const struct master *master, int group)
{
    struct sim *sim = host->sim;
    const struct failover *fo = &master->failover;
    struct election *election = election_get(sim->judge, group, fo->epoch);
    /* An attempt that was given up in the same step has lost its flags. */
    bool forced = sim->judge->tried_forced[host->machine->id][group];
    bool exempt = forced && !fo->by_majority;

    sim->stats.n_elected++;
    if (!exempt && !election->exempt && election->winner >= 0 &&
        election->winner != host->machine->id)
        world_fail(sim, "S1: epoch %" PRIu64 " of %s elects %s and %s", fo->epoch,
                   master->name, sim->nodes[election->winner].name,
                   host->machine->name);
    election->winner = host->machine->id;
    election->exempt |= exempt;
}

static void check_selected(struct host *host, const struct master *master, int group,
                           const char *text)
{
    struct sim *sim = host->sim;
    char ip[64] = "";
    int port = 0;

    if (sscanf(text, "slave %*s %63s %d", ip, &port) != 2)
        return;
    int id = world_node_at(sim, ip, port);
    if (id < 0 || sim->nodes[id].redis == NULL ||
        sim->nodes[id].redis->group != group) {
        world_fail(sim, "S5: %s selects %s:%d which is not of %s", host->machine->name,
                   ip, port, master->name);
        return;
    }
    for (const struct node *node = master->replicas; node != NULL;
         node = node->hh.next) {
        if (!addr_is(&node->addr, ip, port))
            continue;
        if (node->priority == 0 || node->s_down)
            world_fail(sim, "S5: %s selects %s: %s", host->machine->name,
                       sim->nodes[id].name,
                       node->s_down ? "it is sdown" : "its priority is 0");
        check_stale(host, master, sim->nodes[id].redis);
    }
}

/* The group an event is about: "master <name> ..." or "... @ <name> ...". */
static int check_event_group(const struct sim *sim, const char *text)
{
    const char *at = strstr(text, " @ ");

    if (at != NULL)
        at += 3;
    else if (strncmp(text, "master ", 7) == 0)
        at = text + 7;
    else
        return -1;
    return check_group_named(sim, at, strcspn(at, " "));
}

static void check_tilt(struct host *host, const struct core_action *action)
{
    static const char *const forbidden[] = {
        "+sdown",
        "-sdown",
        "+odown",
        "-odown",
        "+try-failover",
        "+elected-leader",
        "+selected-slave",
        "+promoted-slave",
        "+failover-end",
        "+slave-reconf-sent",
        "+convert-to-slave",
        "+fix-slave-config",
    };

    if (action->type == CORE_AC_SEND &&
        memmem(action->send.bytes, action->send.len, "SLAVEOF", 7) != NULL)
        world_fail(host->sim, "S7: %s reconfigures a server in TILT",
                   host->machine->name);
    if (action->type != CORE_AC_EVENT)
        return;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (strcmp(action->event.channel, forbidden[i]) == 0)
            world_fail(host->sim, "S7: %s emits %s in TILT", host->machine->name,
                       forbidden[i]);
}

static void check_event(struct host *host, const struct core_action *action)
{
    struct sim_statistics *stats = &host->sim->stats;
    const char *channel = action->event.channel;
    int group = check_event_group(host->sim, action->event.text);
    const struct master *master = group >= 0 ? host_master(host, group) : NULL;

    if (strcmp(channel, "+switch-master") == 0 || strcmp(channel, "+monitor") == 0)
        check_adopted(host, action->event.text);
    if (strcmp(channel, "+switch-master") == 0)
        note_moved_on(host, action->event.text);
    if (strcmp(channel, "-monitor") == 0 && group >= 0) /* it may forget its epoch */
        host->sim->judge->told[host->machine->id].config_epoch[group] = 0;
    stats->n_switches += strcmp(channel, "+switch-master") == 0;
    stats->n_tilts += strcmp(channel, "+tilt") == 0;
    stats->n_aborts_votes += strcmp(channel, "-failover-abort-not-elected") == 0;
    stats->n_aborts_replica += strcmp(channel, "-failover-abort-no-good-slave") == 0;
    stats->n_aborts_timeout += strcmp(channel, "-failover-abort-slave-timeout") == 0;
    if (master == NULL)
        return;
    if (strcmp(channel, "+set") == 0 || strcmp(channel, "+monitor") == 0)
        note_patience(host, master, group);
    if (strcmp(channel, "+role-change") == 0 &&
        strncmp(action->event.text, "master ", strlen("master ")) == 0)
        note_master_again(host, master);
    if (strcmp(channel, "+try-failover") == 0)
        check_try(host, master, group);
    else if (strcmp(channel, "+elected-leader") == 0)
        check_elected(host, master, group);
    else if (strcmp(channel, "+selected-slave") == 0)
        check_selected(host, master, group, action->event.text);
    else if (strcmp(channel, "+odown") == 0)
        check_odown(host, group, action->event.text);
    else if (strcmp(channel, "+sdown") == 0)
        check_sdown(host, master, group, action->event.text);
}

void check_action(struct host *host, bool was_tilt, const struct core_action *action)
{
    if (host->sim->judge->is_off)
        return;
    if (was_tilt && host->core->tilt)
        check_tilt(host, action);
    if (action->type == CORE_AC_EVENT)
        check_event(host, action);
}

void check_started(struct host *host)
{
    struct sim *sim = host->sim;
    struct told *told = &sim->judge->told[host->machine->id];

    sim->stats.n_restarts += host->n_starts > 1;
    mem_free(sim->judge->opinions[host->machine->id]);
    sim->judge->opinions[host->machine->id] =
        mem_zalloc(SIM_NODES_MAX * sizeof(*sim->judge->opinions[0]));
    if (told->run_id[0] != '\0' && strcmp(told->run_id, host->id) != 0)
        world_fail(sim, "S9: %s comes back with another run id", host->machine->name);
}

/* -------------------------------------------------------------------- states ----- */

/* Somebody made |node| the master by hand, and a server that was it says so as well. */
static bool is_heir(const struct sim *sim, int group, int node)
{
    if (sim->nodes[node].redis == NULL || !redis_is_master(sim->nodes[node].redis))
        return false;
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *redis = sim->nodes[i].redis;
        if (redis != NULL && (sim->judge->allowed[group] >> i & 1) != 0 &&
            !redis_is_master(redis) &&
            world_node_at(sim, redis->master_host, redis->master_port) == node)
            return true;
    }
    return false;
}

void check_note_heirs(struct sim *sim, int group)
{
    for (int i = 0; sim->judge != NULL && i < sim->n_nodes; i++)
        if (is_heir(sim, group, i))
            sim->judge->heir_at[i] = sim->now;
}

/* Sentinels may have heard of it some time ago. */
static bool check_is_heir(struct sim *sim, int group, int node)
{
    int64_t at = sim->judge->heir_at[node];

    if (!is_heir(sim, group, node) && (at == 0 || sim->now - at > INFO_UP_MS))
        return false;
    sim->judge->allowed[group] |= NODE_BIT(node);
    return true;
}

void check_state(struct sim *sim)
{
    for (int i = 0; i < sim->n_nodes; i++) {
        struct host *host = sim->nodes[i].host;
        if (host == NULL || host->core == NULL)
            continue;
        if (!host->is_checked)
            core_check(host->core);
        host->is_checked = true;
        forge_check_signed(sim, host);
        for (int g = 0; g < sim->n_groups && !sim->judge->is_off; g++) {
            const struct master *master = host_master(host, g);
            if (master == NULL)
                continue;
            const struct node *node = master_address_node(master);
            int id = names_node_of(sim, &node->addr);
            if (id < 0 ||
                ((sim->judge->allowed[g] >> id & 1) == 0 && !check_is_heir(sim, g, id)))
                world_fail(sim, "S6: %s sends clients of %s to %s:%d",
                           sim->nodes[i].name, master->name, node->addr.ip,
                           node->addr.port);
            if ((sim->faults & FAULT_BIT(FAULT_FORGE)) != 0)
                forge_check(sim, host, master);
        }
    }
}

static bool follows(const struct redis *redis, const struct redis *master)
{
    return redis == master || redis_follows(redis, master);
}

bool check_is_known(const struct sim *sim, node_set set, int node, bool by_all)
{
    const struct machine *machine = &sim->nodes[node];

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        struct view view;
        if (host == NULL || (set >> i & 1) == 0 ||
            !host_view(host, machine->redis->group, &view))
            continue;
        const struct master *m = host_master(host, machine->redis->group);
        if (m == NULL) {
            if (((view.servers >> node & 1) != 0) != by_all)
                return !by_all;
            continue;
        }
        bool found = addr_is(&m->current->addr, machine->ip, machine->port);
        for (const struct node *n = m->replicas; n != NULL && !found; n = n->hh.next)
            found = addr_is(&n->addr, machine->ip, machine->port);
        if (found != by_all)
            return found;
    }
    return by_all;
}

const char *check_agreement(struct sim *sim, node_set set, int group, int *master)
{
    uint64_t epoch = 0;
    int agreed = -1;

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        if (host == NULL || (set >> i & 1) == 0)
            continue;
        struct view view;
        if (!host_view(host, group, &view))
            return "a sentinel does not run";
        if (view.tilt)
            return "a sentinel is in TILT";
        if (view.failing_over)
            return "a failover is under way";
        if (view.down)
            return "the master is down";
        if (agreed >= 0 && (view.master != agreed || view.config_epoch != epoch))
            return "sentinels disagree";
        agreed = view.master;
        epoch = view.config_epoch;
    }
    if (master != NULL)
        *master = agreed;
    const struct redis *redis = agreed >= 0 ? sim->nodes[agreed].redis : NULL;
    if (redis == NULL || !redis_is_running(redis) || !redis_is_master(redis))
        return "the master they name is none";
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *replica = sim->nodes[i].redis;
        if (replica != NULL && replica->group == group && (set >> i & 1) != 0 &&
            redis_is_running(replica) && !follows(replica, redis) &&
            check_is_known(sim, set, i, false))
            return "a replica follows another";
    }
    return NULL;
}
