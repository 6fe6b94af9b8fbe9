/*
 * stock_link.c - a stock sentinel's connections to masters, replicas and peers: what it
 * sends there and when, and what it makes of the replies.
 */
#include "tests/sim/stock.h"

#include "common/mem.h"
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INFO_MS 10000
#define INFO_FAST_MS 1000
#define PUBLISH_MS 2000
#define ASK_MS 1000
#define PENDING_MAX 100
#define KERNEL_MS 30000

/* ---------------------------------------------------------------- channels ------- */

void stock_close(struct stock_chan *chan)
{
    struct sim *sim = chan->inst->master->stock->host->sim;
    struct conn *conn = net_conn(sim, chan->conn);

    if (!chan->open)
        return;
    if (conn != NULL) {
        conn->end[END_CLIENT] = NULL;
        net_close(sim, conn, END_CLIENT);
    }
    buf_release(&chan->out);
    buf_release(&chan->awaited);
    reply_release(&chan->parser);
    memset(&chan->parser, 0, sizeof(chan->parser));
    chan->open = chan->up = false;
    if (chan == &chan->inst->cmd)
        chan->inst->n_pending = 0;
}

bool stock_is_connected(const struct stock_inst *inst)
{
    return inst->cmd.open && (inst->kind == STOCK_PEER || inst->sub.open);
}

bool stock_send(struct stock_chan *chan, enum stock_reply reply, const char *first, ...)
{
    struct sim *sim = chan->inst->master->stock->host->sim;
    struct conn *conn = net_conn(sim, chan->conn);
    const char *words[8];
    size_t n = 0;
    va_list ap;

    if (!chan->open)
        return false;
    va_start(ap, first);
    for (const char *word = first; word != NULL && n < 8; word = va_arg(ap, char *))
        words[n++] = word;
    va_end(ap);
    size_t had = chan->out.len;
    resp_command_v(&chan->out, words, n);
    world_hash(sim, chan->out.data + had, chan->out.len - had);
    buf_putc(&chan->awaited, (char)reply);
    chan->inst->n_pending += reply != STOCK_SUBSCRIBE;
    if (chan->up && conn != NULL) {
        net_send(sim, conn, END_CLIENT, chan->out.data, chan->out.len);
        buf_clear(&chan->out);
    }
    return true;
}

void stock_conn_up(struct host *host, struct conn *conn)
{
    struct stock_chan *chan = conn->end[END_CLIENT];

    if (chan == NULL)
        return;
    chan->up = true;
    net_send(host->sim, conn, END_CLIENT, chan->out.data, chan->out.len);
    buf_clear(&chan->out);
}

static void chan_open(struct stock_chan *chan)
{
    struct stock_inst *inst = chan->inst;
    struct stock *stock = inst->master->stock;
    bool is_cmd = chan == &inst->cmd;
    char name[40];

    if (chan->open)
        return;
    chan->open = true;
    chan->opened_at = stock_now(stock);
    chan->heard_at = stock->host->sim->now;
    chan->conn = net_connect(stock->host->sim, stock->host->machine->id, inst->ip,
                             inst->port, chan);
    if (is_cmd)
        inst->n_pending = 0;
    else
        inst->sub_heard_at = chan->opened_at;
    if (inst->kind != STOCK_PEER && inst->master->password[0] != '\0')
        stock_send(chan, STOCK_DROP, "AUTH", inst->master->password, NULL);
    snprintf(name, sizeof(name), "sentinel-%.8s-%s", stock->host->id,
             is_cmd ? "cmd" : "pubsub");
    stock_send(chan, STOCK_DROP, "CLIENT", "SETNAME", name, NULL);
}

static void send_ping(struct stock_inst *inst)
{
    int64_t now = stock_now(inst->master->stock);

    if (!stock_send(&inst->cmd, STOCK_PING, "PING", NULL))
        return;
    inst->ping_at = now;
    if (inst->act_ping_at == 0)
        inst->act_ping_at = now;
}

void stock_connect(struct stock_inst *inst)
{
    int64_t now = stock_now(inst->master->stock);

    /* With so much unanswered nothing more is sent, and net.c does not repeat what was
     * lost with the reset of a server that is gone: here the kernel gives up. */
    if (inst->n_pending >= PENDING_MAX &&
        inst->master->stock->host->sim->now - inst->cmd.heard_at > KERNEL_MS)
        stock_close(&inst->cmd);
    if (stock_is_connected(inst) || inst->port == 0 ||
        now - inst->reconnected_at < 1000)
        return;
    inst->reconnected_at = now;
    if (!inst->cmd.open) {
        chan_open(&inst->cmd);
        send_ping(inst);
    }
    if (inst->kind != STOCK_PEER && !inst->sub.open) {
        chan_open(&inst->sub);
        stock_send(&inst->sub, STOCK_SUBSCRIBE, "SUBSCRIBE", SIM_HELLO, NULL);
    }
}

/* --------------------------------------------------------------- instances ------- */

void stock_init(struct stock_inst *inst)
{
    int64_t now = stock_now(inst->master->stock);

    inst->cmd.inst = inst->sub.inst = inst;
    inst->act_ping_at = inst->avail_at = inst->pong_at = inst->published_at = now;
    inst->answered_at = inst->role_at = inst->conf_at = now;
    inst->says_replica = inst->kind == STOCK_REPLICA;
    inst->priority = 100;
}

struct stock_inst *stock_add(struct stock_master *master, enum stock_kind kind,
                             const char *ip, int port, const char *run_id)
{
    struct stock_inst *inst = mem_zalloc(sizeof(*inst));

    inst->kind = kind;
    inst->master = master;
    inst->port = port;
    snprintf(inst->ip, sizeof(inst->ip), "%s", ip);
    snprintf(inst->run_id, sizeof(inst->run_id), "%s", run_id);
    stock_init(inst);
    if (kind == STOCK_REPLICA)
        DL_APPEND(master->replicas, inst);
    else
        DL_APPEND(master->peers, inst);
    return inst;
}

void stock_remove(struct stock_inst *inst)
{
    stock_close(&inst->cmd);
    stock_close(&inst->sub);
    if (inst->kind == STOCK_REPLICA)
        DL_DELETE(inst->master->replicas, inst);
    else
        DL_DELETE(inst->master->peers, inst);
    mem_free(inst);
}

/* ----------------------------------------------------------------- sending ------- */

static void send_hello(struct stock_inst *inst)
{
    const struct stock_master *master = inst->master;
    const struct stock *stock = master->stock;
    const struct stock_inst *current = stock_current(master);
    char text[400];

    snprintf(text, sizeof(text), "%s,%d,%s,%" PRIu64 ",%s,%s,%d,%" PRIu64,
             stock->host->machine->ip, stock->host->machine->port, stock->host->id,
             stock->current_epoch, stock->host->sim->groups[master->group].name,
             current->ip, current->port, master->config_epoch);
    stock_send(&inst->cmd, STOCK_PUBLISH, "PUBLISH", SIM_HELLO, text, NULL);
}

void stock_periodic(struct stock_inst *inst)
{
    const struct stock_master *master = inst->master;
    int64_t now = stock_now(master->stock);
    int64_t ping_ms = master->down_after_ms < 1000 ? master->down_after_ms : 1000;
    bool fast = inst->kind == STOCK_REPLICA &&
                (master->o_down || master->state != STOCK_NONE || inst->link_down_ms);

    if (!stock_is_connected(inst) || inst->n_pending >= PENDING_MAX)
        return;
    if (inst->kind != STOCK_PEER &&
        (inst->info_at == 0 || now - inst->info_at > (fast ? INFO_FAST_MS : INFO_MS)))
        stock_send(&inst->cmd, STOCK_INFO, "INFO", NULL);
    if (now - inst->pong_at > ping_ms && now - inst->ping_at > ping_ms / 2)
        send_ping(inst);
    if (now - inst->published_at > PUBLISH_MS)
        send_hello(inst);
}

void stock_ask(struct stock_master *master, bool forced)
{
    const struct stock *stock = master->stock;
    int64_t now = stock_now(stock);
    struct stock_inst *peer;
    char port[8], epoch[24];

    snprintf(port, sizeof(port), "%d", master->inst.port & 0xffff);
    snprintf(epoch, sizeof(epoch), "%" PRIu64, stock->current_epoch);
    DL_FOREACH(master->peers, peer)
    {
        if (now - peer->answered_at > 5 * ASK_MS) {
            peer->says_down = false;
            peer->leader[0] = '\0';
        }
        if (master->inst.s_down && stock_is_connected(peer) &&
            (forced || now - peer->answered_at >= ASK_MS))
            stock_send(&peer->cmd, STOCK_ASK, "SENTINEL", "is-master-down-by-addr",
                       master->inst.ip, port, epoch,
                       master->state > STOCK_NONE ? stock->host->id : "*", NULL);
    }
}

bool stock_slaveof(struct stock_inst *inst, const char *ip, int port)
{
    char text[8];

    snprintf(text, sizeof(text), "%d", port & 0xffff);
    if (ip == NULL)
        check_stock_promotes(inst->master->stock->host, inst->master->group, inst->ip,
                             inst->port);
    else
        check_stock_demotes(inst->master->stock->host, inst->ip, inst->port);
    if (!stock_send(&inst->cmd, STOCK_DROP, "MULTI", NULL))
        return false;
    if (ip == NULL)
        stock_send(&inst->cmd, STOCK_DROP, "SLAVEOF", "NO", "ONE", NULL);
    else
        stock_send(&inst->cmd, STOCK_DROP, "SLAVEOF", ip, text, NULL);
    stock_send(&inst->cmd, STOCK_DROP, "CONFIG", "REWRITE", NULL);
    stock_send(&inst->cmd, STOCK_DROP, "CLIENT", "KILL", "TYPE", "normal", NULL);
    stock_send(&inst->cmd, STOCK_DROP, "CLIENT", "KILL", "TYPE", "pubsub", NULL);
    return stock_send(&inst->cmd, STOCK_DROP, "EXEC", NULL);
}

/* -------------------------------------------------------------------- INFO ------- */

static bool after(const char *line, const char *word, const char **value)
{
    size_t len = strlen(word);

    if (strncmp(line, word, len) != 0)
        return false;
    *value = line + len;
    return true;
}

/* "slave0:ip=10.0.0.2,port=6379,state=..." */
static void info_replica(struct stock_master *master, const char *line)
{
    const char *ip = strstr(line, "ip="), *port = strstr(line, "port=");
    struct stock_inst *replica;
    char text[48] = "";

    if (ip == NULL || port == NULL || strcspn(ip + 3, ",") >= sizeof(text))
        return;
    memcpy(text, ip + 3, strcspn(ip + 3, ","));
    int number = (int)strtol(port + 5, NULL, 10);
    if (text[0] == '\0' || number <= 0 || number > 65535)
        return;
    DL_FOREACH(master->replicas, replica)
    if (replica->port == number && strcmp(replica->ip, text) == 0)
        return;
    replica = stock_add(master, STOCK_REPLICA, text, number, "");
    stock_event(master->stock, "+slave", replica, " ");
    stock_save(master->stock);
}

static void info_run_id(struct stock_inst *inst, const char *value)
{
    if (strlen(value) < RUN_ID_LEN)
        return;
    if (inst->run_id[0] != '\0' && strncmp(inst->run_id, value, RUN_ID_LEN) != 0) {
        stock_event(inst->master->stock, "+reboot", inst, " ");
        if (inst->kind == STOCK_MASTER && inst->master->reboot_ms > 0) {
            inst->master->rebooted = true;
            inst->master->rebooted_at = stock_now(inst->master->stock);
        }
    }
    snprintf(inst->run_id, sizeof(inst->run_id), "%.40s", value);
}

/* What a replica says about its replication. */
static void info_of_replica(struct stock_inst *inst, const char *line)
{
    int64_t now = stock_now(inst->master->stock);
    const char *value;

    if (after(line, "master_host:", &value)) {
        if (strcasecmp(inst->of_ip, value) != 0)
            inst->conf_at = now;
        snprintf(inst->of_ip, sizeof(inst->of_ip), "%.47s", value);
    } else if (after(line, "master_port:", &value)) {
        int port = (int)strtol(value, NULL, 10);
        if (inst->of_port != port)
            inst->conf_at = now;
        inst->of_port = port;
    } else if (after(line, "master_link_status:", &value)) {
        inst->of_up = strcasecmp(value, "up") == 0;
    } else if (after(line, "slave_priority:", &value)) {
        inst->priority = strtoll(value, NULL, 10);
    } else if (after(line, "slave_repl_offset:", &value)) {
        inst->offset = strtoull(value, NULL, 10);
    }
}

static bool looks_sane(const struct stock_master *master)
{
    return !master->inst.says_replica && !master->inst.s_down && !master->o_down &&
           stock_now(master->stock) - master->inst.info_at < 2 * INFO_MS;
}

/* No state of being down began within |ms|. */
static bool was_up_for(const struct stock_inst *inst, int64_t ms)
{
    return inst->s_down_at == 0 ||
           stock_now(inst->master->stock) - inst->s_down_at > ms;
}

static bool follows(const struct stock_inst *inst, const struct stock_inst *master)
{
    return inst->of_port == master->port && strcasecmp(inst->of_ip, master->ip) == 0;
}

static void info_reactions(struct stock_inst *inst)
{
    struct stock_master *master = inst->master;
    struct stock *stock = master->stock;
    int64_t now = stock_now(stock);

    if (!inst->says_replica) {
        if (inst->is_promoted && master->state == STOCK_WAIT_PROMOTION)
            stock_promoted(master);
        else if (!inst->is_promoted && looks_sane(master) &&
                 was_up_for(inst, 4 * PUBLISH_MS) &&
                 now - inst->role_at > 4 * PUBLISH_MS &&
                 stock_slaveof(inst, master->inst.ip, master->inst.port))
            stock_event(stock, "+convert-to-slave", inst, " ");
        return;
    }
    if (!follows(inst, &master->inst) && looks_sane(master) &&
        was_up_for(inst, master->failover_timeout_ms) &&
        now - inst->conf_at > master->failover_timeout_ms &&
        stock_slaveof(inst, master->inst.ip, master->inst.port))
        stock_event(stock, "+fix-slave-config", inst, " ");
    if (inst->sent && master->promoted != NULL && follows(inst, master->promoted)) {
        inst->sent = false;
        inst->inprog = true;
        stock_event(stock, "+slave-reconf-inprog", inst, " ");
    }
    if (inst->inprog && inst->of_up) {
        inst->inprog = false;
        inst->done = true;
        stock_event(stock, "+slave-reconf-done", inst, " ");
    }
}

static void info_read(struct stock_inst *inst, const char *text)
{
    int64_t now = stock_now(inst->master->stock);
    enum { NO_ROLE, IS_MASTER, IS_REPLICA } role = NO_ROLE;
    const char *value;
    char line[256];

    inst->link_down_ms = 0;
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\r\n");
        snprintf(line, sizeof(line), "%.*s", (int)(len < 255 ? len : 255), at);
        at += len;
        at += strspn(at, "\r\n");
        if (after(line, "run_id:", &value))
            info_run_id(inst, value);
        else if (inst->kind == STOCK_MASTER && after(line, "slave", &value) &&
                 *value >= '0' && *value <= '9')
            info_replica(inst->master, line);
        else if (after(line, "master_link_down_since_seconds:", &value))
            inst->link_down_ms = strtoll(value, NULL, 10) * 1000;
        else if (after(line, "role:master", &value))
            role = IS_MASTER;
        else if (after(line, "role:slave", &value))
            role = IS_REPLICA;
        else if (role == IS_REPLICA)
            info_of_replica(inst, line);
    }
    inst->info_at = now;
    if ((role == IS_REPLICA) != inst->says_replica) {
        inst->says_replica = role == IS_REPLICA;
        inst->role_at = now;
        if (inst->says_replica)
            inst->conf_at = now;
        bool fits = inst->says_replica == (inst->kind == STOCK_REPLICA);
        stock_event(inst->master->stock, fits ? "+role-change" : "-role-change", inst,
                    " new reported role is %s",
                    inst->says_replica ? "slave" : "master");
    }
    if (!inst->master->stock->tilt && inst->kind == STOCK_REPLICA && role != NO_ROLE)
        info_reactions(inst);
}

/* ----------------------------------------------------------------- replies ------- */

static void ping_reply(struct stock_inst *inst, const struct resp_value *value)
{
    static const char *const fine[] = {"PONG", "LOADING", "MASTERDOWN"};
    int64_t now = stock_now(inst->master->stock);

    inst->pong_at = now;
    if (value->type != RESP_STATUS && value->type != RESP_ERROR)
        return;
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(value->str, fine[i], strlen(fine[i])) != 0)
            continue;
        inst->avail_at = now;
        inst->act_ping_at = 0;
        if (i == 0 && inst->kind == STOCK_MASTER)
            inst->master->rebooted = false;
        return;
    }
    if (strncmp(value->str, "BUSY", 4) == 0 && inst->s_down && !inst->script_killed) {
        inst->script_killed = true;
        stock_send(&inst->cmd, STOCK_DROP, "SCRIPT", "KILL", NULL);
    }
}

static void ask_reply(struct stock_inst *peer, const struct resp_value *value)
{
    const struct resp_value *item = value->items;

    if (value->type != RESP_ARRAY || value->n_items != 3 || item[0].type != RESP_INT ||
        item[1].type != RESP_BULK || item[2].type != RESP_INT)
        return;
    peer->answered_at = stock_now(peer->master->stock);
    peer->says_down = item[0].integer == 1;
    if (strcmp(item[1].str, "*") == 0)
        return;
    snprintf(peer->leader, sizeof(peer->leader), "%.40s", item[1].str);
    peer->leader_epoch = (uint64_t)item[2].integer;
}

static void chan_message(struct stock_chan *chan, const struct resp_value *value)
{
    struct stock *stock = chan->inst->master->stock;
    char text[400];

    chan->inst->sub_heard_at = stock_now(stock);
    if (value->type != RESP_ARRAY || value->n_items != 3 ||
        value->items[0].type != RESP_BULK || value->items[2].type != RESP_BULK ||
        strcmp(value->items[0].str, "message") != 0 ||
        strstr(value->items[2].str, stock->host->id) != NULL)
        return;
    /* The switch it may cause closes this channel. */
    snprintf(text, sizeof(text), "%.399s", value->items[2].str);
    stock_hello(stock, text);
}

static void chan_reply(struct stock_chan *chan, const struct resp_value *value)
{
    struct stock_inst *inst = chan->inst;

    if (chan->awaited.len == 0) {
        if (chan == &inst->sub)
            chan_message(chan, value);
        return;
    }
    enum stock_reply reply = (enum stock_reply)chan->awaited.data[0];
    buf_consume(&chan->awaited, 1);
    inst->n_pending -= reply != STOCK_SUBSCRIBE && inst->n_pending > 0;
    if (reply == STOCK_PING)
        ping_reply(inst, value);
    else if (reply == STOCK_INFO && value->type == RESP_BULK)
        info_read(inst, value->str);
    else if (reply == STOCK_PUBLISH && value->type != RESP_ERROR)
        inst->published_at = stock_now(inst->master->stock);
    else if (reply == STOCK_ASK)
        ask_reply(inst, value);
    else if (reply == STOCK_SUBSCRIBE && value->type == RESP_ERROR)
        stock_close(chan);
}

void stock_replies(struct host *host, struct conn *conn, const char *bytes, size_t len)
{
    struct slot_id id = conn->id;
    struct stock_chan *chan = conn->end[END_CLIENT];
    const struct resp_value *value;

    if (chan == NULL)
        return;
    chan->heard_at = host->sim->now;
    reply_feed(&chan->parser, bytes, len);
    for (;;) { /* a reply may close this very channel */
        conn = net_conn(host->sim, id);
        chan = conn != NULL ? conn->end[END_CLIENT] : NULL;
        if (chan == NULL)
            return;
        int rc = reply_next(&chan->parser, &value);
        if (rc == ERR_SYNTAX)
            stock_close(chan);
        if (rc != 0)
            return;
        chan_reply(chan, value);
    }
}
