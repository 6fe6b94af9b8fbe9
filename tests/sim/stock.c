/*
 * stock.c - a stock sentinel's tick: what is down, elections, the steps of a failover.
 * All times are of its wall clock, which may step.
 */
#include "tests/sim/stock.h"

#include "common/mem.h"
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TILT_TRIGGER_MS 2000
#define TILT_MS 30000
#define RECYCLE_MS 15000
#define SUB_SILENCE_MS 6000
#define INFO_MS 10000
#define ELECTION_MS 10000
#define DESYNC_MS 1000
#define FRESH_MS 5000 /* PING and, while the master is down, INFO of a candidate */
#define RECONF_MS 10000

int64_t stock_now(const struct stock *stock)
{
    return host_wall(stock->host);
}

static const char *master_name(const struct stock_master *master)
{
    return master->stock->host->sim->groups[master->group].name;
}

void stock_event(struct stock *stock, const char *event, const struct stock_inst *inst,
                 const char *format, ...)
{
    static const char *const kinds[] = {"master", "slave", "sentinel"};
    const struct stock_inst *master = inst != NULL ? &inst->master->inst : NULL;
    struct host *host = stock->host;
    struct buf text = {0};
    va_list ap;

    buf_printf(&text, "%s ", event);
    if (inst == master && inst != NULL)
        buf_printf(&text, "master %s %s %d", master_name(inst->master), inst->ip,
                   inst->port);
    else if (inst != NULL)
        buf_printf(&text, "%s %s %s %d @ %s %s %d", kinds[inst->kind],
                   inst->kind == STOCK_PEER ? inst->run_id : inst->ip, inst->ip,
                   inst->port, master_name(inst->master), master->ip, master->port);
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    if (text.data[text.len - 1] == ' ') /* nothing more to say */
        buf_truncate(&text, text.len - 1);
    world_tell(host->sim, host->machine->id, SIM_LINE_EVENT, buf_text(&text));
    buf_release(&text);
    faults_moment(host, event);
}

const struct stock_inst *stock_current(const struct stock_master *master)
{
    return master->state >= STOCK_RECONF && master->promoted != NULL ? master->promoted
                                                                     : &master->inst;
}

static void set_state(struct stock_master *master, enum stock_state state)
{
    master->state = state;
    master->state_at = stock_now(master->stock);
}

static bool is_same(const struct stock_inst *inst, const char *ip, int port)
{
    return inst->port == port && strcmp(inst->ip, ip) == 0;
}

/* ------------------------------------------------------- what becomes of it ------- */

void stock_reset(struct stock_master *master, bool keep_peers)
{
    struct stock_inst *inst = &master->inst;
    int64_t now = stock_now(master->stock);

    while (master->replicas != NULL)
        stock_remove(master->replicas);
    while (!keep_peers && master->peers != NULL)
        stock_remove(master->peers);
    stock_close(&inst->cmd);
    stock_close(&inst->sub);
    inst->s_down = inst->script_killed = inst->says_replica = false;
    inst->run_id[0] = inst->of_ip[0] = '\0';
    inst->act_ping_at = inst->avail_at = inst->pong_at = inst->role_at = now;
    inst->ping_at = 0;
    master->o_down = master->forced = master->rebooted = false;
    master->leader[0] = '\0';
    master->state = STOCK_NONE;
    master->state_at = master->start_at = 0;
    master->promoted = NULL;
}

void stock_switch(struct stock_master *master, const char *ip, int port)
{
    struct stock_inst *kept = NULL, *inst, *next;
    struct stock_inst old = master->inst;
    char new_ip[48];

    snprintf(new_ip, sizeof(new_ip), "%s", ip); /* it may be a replica's own */
    DL_FOREACH_SAFE(master->replicas, inst, next)
    {
        if (is_same(inst, new_ip, port))
            continue;
        stock_close(&inst->cmd);
        stock_close(&inst->sub);
        DL_DELETE(master->replicas, inst);
        DL_APPEND(kept, inst);
    }
    stock_reset(master, true);
    snprintf(master->inst.ip, sizeof(master->inst.ip), "%s", new_ip);
    master->inst.port = port;
    master->inst.s_down_at = master->o_down_at = 0;
    DL_FOREACH_SAFE(kept, inst, next)
    {
        stock_event(master->stock, "+slave",
                    stock_add(master, STOCK_REPLICA, inst->ip, inst->port, ""), " ");
        mem_free(inst);
    }
    if (!is_same(&old, new_ip, port))
        stock_event(master->stock, "+slave",
                    stock_add(master, STOCK_REPLICA, old.ip, old.port, ""), " ");
    stock_save(master->stock);
}

/* -------------------------------------------------------------------- down ------- */

static void detect_sdown(struct stock_inst *inst)
{
    struct stock_master *master = inst->master;
    int64_t now = stock_now(master->stock), elapsed = 0, limit = master->down_after_ms;

    if (inst->act_ping_at != 0)
        elapsed = now - inst->act_ping_at;
    else if (!stock_is_connected(inst))
        elapsed = now - inst->avail_at;
    if (inst->cmd.open && now - inst->cmd.opened_at > RECYCLE_MS &&
        inst->act_ping_at != 0 && now - inst->act_ping_at > limit / 2 &&
        now - inst->pong_at > limit / 2)
        stock_close(&inst->cmd);
    if (inst->sub.open && now - inst->sub.opened_at > RECYCLE_MS &&
        now - inst->sub_heard_at > SUB_SILENCE_MS)
        stock_close(&inst->sub);
    bool down = elapsed > limit;
    if (inst->kind == STOCK_MASTER)
        down |= (inst->says_replica && now - inst->role_at > limit + 2 * INFO_MS) ||
                (master->rebooted && now - master->rebooted_at > master->reboot_ms);
    if (down == inst->s_down)
        return;
    stock_event(master->stock, down ? "+sdown" : "-sdown", inst, " ");
    inst->s_down = down;
    if (down)
        inst->s_down_at = now;
    else
        inst->script_killed = false;
}

static void detect_odown(struct stock_master *master)
{
    const struct stock_inst *peer;
    int n = 1;

    DL_FOREACH(master->peers, peer)
    n += peer->says_down;
    bool down = master->inst.s_down && n >= master->quorum;
    if (down == master->o_down)
        return;
    master->o_down = down;
    if (down) {
        master->o_down_at = stock_now(master->stock);
        stock_event(master->stock, "+odown", &master->inst, " #quorum %d/%" PRId64, n,
                    master->quorum);
    } else {
        stock_event(master->stock, "-odown", &master->inst, " ");
    }
}

/* ---------------------------------------------------------------- election ------- */

void stock_vote(struct stock_master *master, uint64_t epoch, const char *candidate)
{
    struct stock *stock = master->stock;

    if (epoch > stock->current_epoch) {
        stock->current_epoch = epoch;
        stock_save(stock);
        stock_event(stock, "+new-epoch", NULL, "%" PRIu64, epoch);
    }
    if (master->leader_epoch >= epoch || stock->current_epoch > epoch)
        return;
    snprintf(master->leader, sizeof(master->leader), "%s", candidate);
    master->leader_epoch = stock->current_epoch;
    stock_save(stock);
    stock_event(stock, "+vote-for-leader", NULL, "%s %" PRIu64, candidate, epoch);
    if (strcmp(candidate, stock->host->id) != 0)
        master->start_at = stock_now(stock) + rng_below(&stock->rng, DESYNC_MS);
}

/* Votes of peers for |leader|, by the epoch of now, not by that of the failover. */
static int n_votes(const struct stock_master *master, const char *leader)
{
    const struct stock_inst *peer;
    int n = 0;

    DL_FOREACH(master->peers, peer)
    n += peer->leader_epoch == master->stock->current_epoch &&
         strcmp(peer->leader, leader) == 0;
    return n;
}

/* Casts the own vote, too. */
static bool is_elected(struct stock_master *master)
{
    const char *winner = NULL, *own = master->stock->host->id;
    const struct stock_inst *peer;
    int most = 0, n_voters = 1;

    DL_FOREACH(master->peers, peer)
    {
        int n = peer->leader[0] != '\0' ? n_votes(master, peer->leader) : 0;
        n_voters++;
        if (n > most) {
            most = n;
            winner = peer->leader;
        }
    }
    stock_vote(master, master->failover_epoch, winner != NULL ? winner : own);
    if (master->leader[0] != '\0' && master->leader_epoch == master->failover_epoch) {
        int n = n_votes(master, master->leader) + 1;
        if (n > most) {
            most = n;
            winner = master->leader;
        }
    }
    return most >= n_voters / 2 + 1 && most >= master->quorum &&
           strcmp(winner, own) == 0;
}

void stock_start_failover(struct stock_master *master)
{
    struct stock *stock = master->stock;

    master->failover_epoch = ++stock->current_epoch;
    stock_event(stock, "+new-epoch", NULL, "%" PRIu64, stock->current_epoch);
    stock_event(stock, "+try-failover", &master->inst, " ");
    master->start_at = stock_now(stock) + rng_below(&stock->rng, DESYNC_MS);
    set_state(master, STOCK_WAIT_START);
    stock->host->sim->judge->stock_tried_at[master->group] = stock->host->sim->now;
}

static void abort_failover(struct stock_master *master, const char *event)
{
    stock_event(master->stock, event, &master->inst, " ");
    master->forced = false;
    set_state(master, STOCK_NONE);
    if (master->promoted != NULL)
        master->promoted->is_promoted = false;
    master->promoted = NULL;
}

static void wait_start(struct stock_master *master)
{
    int64_t limit = master->failover_timeout_ms < ELECTION_MS
                        ? master->failover_timeout_ms
                        : ELECTION_MS;

    if (is_elected(master) || master->forced) {
        stock_event(master->stock, "+elected-leader", &master->inst, " ");
        set_state(master, STOCK_SELECT);
    } else if (stock_now(master->stock) - master->start_at > limit) {
        abort_failover(master, "-failover-abort-not-elected");
    }
}

/* --------------------------------------------------------------- promotion ------- */

static bool is_better(const struct stock_inst *a, const struct stock_inst *b)
{
    if (b == NULL || a->priority != b->priority)
        return b == NULL || a->priority < b->priority;
    if (a->offset != b->offset)
        return a->offset > b->offset;
    if (a->run_id[0] == '\0' || b->run_id[0] == '\0')
        return b->run_id[0] == '\0' && a->run_id[0] != '\0';
    return strcasecmp(a->run_id, b->run_id) < 0;
}

struct stock_inst *stock_select(const struct stock_master *master)
{
    int64_t now = stock_now(master->stock);
    bool down = master->inst.s_down;
    int64_t down_max =
        (down ? now - master->inst.s_down_at : 0) + 10 * master->down_after_ms;
    struct stock_inst *best = NULL, *inst;

    DL_FOREACH(master->replicas, inst)
    {
        if (inst->s_down || !stock_is_connected(inst) ||
            now - inst->avail_at > FRESH_MS || inst->priority == 0 ||
            now - inst->info_at > (down ? FRESH_MS : 3 * INFO_MS) ||
            inst->link_down_ms > down_max)
            continue;
        if (is_better(inst, best))
            best = inst;
    }
    return best;
}

static void select_replica(struct stock_master *master)
{
    struct stock_inst *inst = stock_select(master);

    if (inst == NULL) {
        abort_failover(master, "-failover-abort-no-good-slave");
        return;
    }
    stock_event(master->stock, "+selected-slave", inst, " ");
    inst->is_promoted = true;
    master->promoted = inst;
    set_state(master, STOCK_SEND_NO_ONE);
}

static void send_no_one(struct stock_master *master)
{
    if (!stock_is_connected(master->promoted)) {
        if (stock_now(master->stock) - master->state_at > master->failover_timeout_ms)
            abort_failover(master, "-failover-abort-slave-timeout");
        return;
    }
    if (!stock_slaveof(master->promoted, NULL, 0))
        return;
    stock_event(master->stock, "+failover-state-wait-promotion", master->promoted, " ");
    set_state(master, STOCK_WAIT_PROMOTION);
}

void stock_promoted(struct stock_master *master)
{
    struct stock_inst *inst;

    master->config_epoch = master->failover_epoch;
    set_state(master, STOCK_RECONF);
    stock_save(master->stock);
    stock_event(master->stock, "+promoted-slave", master->promoted, " ");
    master->inst.published_at -= 2001;
    DL_FOREACH(master->replicas, inst)
    inst->published_at -= 2001;
    DL_FOREACH(master->peers, inst)
    inst->published_at -= 2001;
}

/* ---------------------------------------------------------- other replicas ------- */

static void send_reconf(struct stock_master *master, struct stock_inst *inst)
{
    const struct stock_inst *promoted = master->promoted;

    if (!stock_slaveof(inst, promoted->ip, promoted->port))
        return;
    inst->sent = true;
    inst->sent_at = stock_now(master->stock);
    stock_event(master->stock, "+slave-reconf-sent", inst, " ");
}

static void reconf_step(struct stock_master *master)
{
    int64_t now = stock_now(master->stock);
    struct stock_inst *inst;
    int n = 0;

    DL_FOREACH(master->replicas, inst)
    n += inst->sent || inst->inprog;
    for (inst = master->replicas; inst != NULL && n < master->parallel_syncs;
         inst = inst->next) {
        if (inst->is_promoted || inst->done)
            continue;
        if (inst->sent && now - inst->sent_at > RECONF_MS) {
            stock_event(master->stock, "-slave-reconf-sent-timeout", inst, " ");
            inst->sent = false;
            inst->done = true;
        }
        if (inst->sent || inst->inprog || !stock_is_connected(inst))
            continue;
        send_reconf(master, inst);
        n += inst->sent;
    }
}

static void reconf_end(struct stock_master *master)
{
    bool late =
        stock_now(master->stock) - master->state_at > master->failover_timeout_ms;
    struct stock_inst *inst;
    int n = 0;

    if (master->promoted == NULL || master->promoted->s_down)
        return;
    DL_FOREACH(master->replicas, inst)
    n += !inst->is_promoted && !inst->done && !inst->s_down;
    if (late)
        stock_event(master->stock, "+failover-end-for-timeout", &master->inst, " ");
    if (n > 0 && !late)
        return;
    stock_event(master->stock, "+failover-end", &master->inst, " ");
    set_state(master, STOCK_UPDATE);
    DL_FOREACH(master->replicas, inst)
    if (late && !inst->is_promoted && !inst->done && !inst->sent &&
        stock_is_connected(inst))
        send_reconf(master, inst);
}

/* -------------------------------------------------------------------- tick ------- */

static void failover_step(struct stock_master *master)
{
    switch (master->state) {
    case STOCK_NONE:
    case STOCK_UPDATE:
        return;
    case STOCK_WAIT_START:
        wait_start(master);
        return;
    case STOCK_SELECT:
        select_replica(master);
        return;
    case STOCK_SEND_NO_ONE:
        send_no_one(master);
        return;
    case STOCK_WAIT_PROMOTION:
        if (stock_now(master->stock) - master->state_at > master->failover_timeout_ms)
            abort_failover(master, "-failover-abort-slave-timeout");
        return;
    case STOCK_RECONF:
        reconf_step(master);
        reconf_end(master);
        return;
    }
}

static void handle(struct stock_inst *inst)
{
    struct stock_master *master = inst->master;
    struct stock *stock = master->stock;
    int64_t now = stock_now(stock);

    stock_connect(inst);
    stock_periodic(inst);
    if (stock->tilt) {
        if (now - stock->tilt_at < TILT_MS)
            return;
        stock->tilt = false;
        stock_event(stock, "-tilt", NULL, "#tilt mode exited");
    }
    detect_sdown(inst);
    if (inst->kind != STOCK_MASTER)
        return;
    detect_odown(master);
    if (master->o_down && master->state == STOCK_NONE &&
        now - master->start_at >= 2 * master->failover_timeout_ms) {
        stock_start_failover(master);
        stock_ask(master, true);
    }
    failover_step(master);
    stock_ask(master, false);
}

static void check_gap(struct stock *stock)
{
    int64_t now = stock_now(stock), gap = now - stock->ticked_at;

    if (gap < 0 || gap > TILT_TRIGGER_MS) {
        stock->tilt = true;
        stock->tilt_at = now;
        stock_event(stock, "+tilt", NULL, "#tilt mode entered");
    }
    stock->ticked_at = now;
}

static void tick(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct stock *stock = host->impl;
    struct stock_master *done = NULL;
    struct stock_inst *inst;

    if (!host_is_running(host))
        return; /* stock_thaw() goes on */
    check_gap(stock);
    for (int g = 0; g < sim->n_groups; g++) {
        struct stock_master *master = &stock->masters[g];
        handle(&master->inst);
        DL_FOREACH(master->replicas, inst)
        handle(inst);
        DL_FOREACH(master->peers, inst)
        handle(inst);
        if (master->state == STOCK_UPDATE)
            done = master;
    }
    if (done != NULL) { /* one per tick, the last */
        const struct stock_inst *to = stock_current(done);
        stock_event(stock, "+switch-master", NULL, "%s %s %d %s %d", master_name(done),
                    done->inst.ip, done->inst.port, to->ip, to->port);
        stock_switch(done, to->ip, to->port);
    }
    stock_wake(host);
}

void stock_wake(struct host *host)
{
    struct stock *stock = host->impl;
    int64_t pause = 1000 / (10 + rng_below(&stock->rng, 10));

    world_arm(host->sim, &host->deadline, host->sim->now + pause, tick, host);
}
