/*
 * stock_serve.c - what a stock sentinel does when others speak to it: hellos, vote
 * requests, administrators; and its file.
 */
#include "tests/sim/stock.h"

#include "common/args.h"
#include "common/mem.h"
#include "tests/sim/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct stock_client {
    struct stock *stock;
    struct slot_id conn;
    struct resp_request parser;
    struct stock_client *prev, *next;
};

static struct stock_master *master_named(struct stock *stock, const char *name)
{
    int group = check_group_named(stock->host->sim, name, strlen(name));

    return group >= 0 ? &stock->masters[group] : NULL;
}

/* ------------------------------------------------------------------- hello ------- */

struct hello {
    char ip[48], run_id[RUN_ID_CAP], name[16], master_ip[48];
    int port, master_port;
    uint64_t epoch, config_epoch;
};

static bool hello_read(const char *payload, struct hello *hello)
{
    return sscanf(payload, "%47[^,],%d,%40[^,],%" SCNu64 ",%15[^,],%47[^,],%d,%" SCNu64,
                  hello->ip, &hello->port, hello->run_id, &hello->epoch, hello->name,
                  hello->master_ip, &hello->master_port, &hello->config_epoch) == 8;
}

static struct stock_inst *peer_find(struct stock_master *master, const char *run_id,
                                    const char *ip, int port)
{
    struct stock_inst *peer;

    DL_FOREACH(master->peers, peer)
    if ((run_id == NULL || strcmp(peer->run_id, run_id) == 0) &&
        (ip == NULL || (peer->port == port && strcmp(peer->ip, ip) == 0)))
        return peer;
    return NULL;
}

static void peer_moved(struct stock_master *but, const struct hello *hello)
{
    struct stock *stock = but->stock;

    for (int g = 0; g < stock->host->sim->n_groups; g++) {
        struct stock_master *master = &stock->masters[g];
        struct stock_inst *peer = peer_find(master, hello->run_id, NULL, 0);
        if (master == but || peer == NULL)
            continue;
        snprintf(peer->ip, sizeof(peer->ip), "%s", hello->ip);
        peer->port = hello->port;
        stock_close(&peer->cmd);
    }
}

static void peer_replaced(struct stock *stock, const char *run_id)
{
    char gone[RUN_ID_CAP];
    struct stock_inst *peer;

    snprintf(gone, sizeof(gone), "%s", run_id); /* it is part of what is removed */
    for (int g = 0; g < stock->host->sim->n_groups; g++)
        while ((peer = peer_find(&stock->masters[g], gone, NULL, 0)) != NULL)
            stock_remove(peer);
}

static void hello_sender(struct stock_master *master, const struct hello *hello)
{
    struct stock *stock = master->stock;
    struct stock_inst *peer;
    bool moved = false;

    if (peer_find(master, hello->run_id, hello->ip, hello->port) != NULL)
        return;
    while ((peer = peer_find(master, hello->run_id, NULL, 0)) != NULL) {
        stock_remove(peer);
        moved = true;
    }
    if (!moved && (peer = peer_find(master, NULL, hello->ip, hello->port)) != NULL) {
        stock_event(stock, "+sentinel-invalid-addr", peer, " ");
        peer_replaced(stock, peer->run_id);
    }
    peer = stock_add(master, STOCK_PEER, hello->ip, hello->port, hello->run_id);
    if (moved) {
        stock_event(stock, "+sentinel-address-switch", &master->inst,
                    " ip %s port %d for %s", hello->ip, hello->port, hello->run_id);
        peer_moved(master, hello);
    } else {
        stock_event(stock, "+sentinel", peer, " ");
    }
    stock_save(stock);
}

void stock_hello(struct stock *stock, const char *payload)
{
    struct hello hello;

    if (!hello_read(payload, &hello))
        return;
    struct stock_master *master = master_named(stock, hello.name);
    if (master == NULL)
        return;
    hello_sender(master, &hello);
    if (hello.epoch > stock->current_epoch) {
        stock->current_epoch = hello.epoch;
        stock_save(stock);
        stock_event(stock, "+new-epoch", NULL, "%" PRIu64, hello.epoch);
    }
    if (hello.config_epoch <= master->config_epoch)
        return;
    master->config_epoch = hello.config_epoch;
    if (hello.master_port == master->inst.port &&
        strcmp(hello.master_ip, master->inst.ip) == 0)
        return; /* not saved, either */
    stock_event(stock, "+config-update-from",
                peer_find(master, hello.run_id, hello.ip, hello.port), " ");
    stock_event(stock, "+switch-master", NULL, "%s %s %d %s %d", hello.name,
                master->inst.ip, master->inst.port, hello.master_ip, hello.master_port);
    stock_switch(master, hello.master_ip, hello.master_port);
}

/* ---------------------------------------------------------------- commands ------- */

/* SENTINEL is-master-down-by-addr <ip> <port> <epoch> <run id or *> */
static void cmd_ask(struct stock *stock, const struct resp_arg *args, struct buf *out)
{
    struct stock_master *master = NULL;
    int64_t port = 0, epoch = 0;

    if (!args_int(args[3].str, args[3].len, &port) ||
        !args_int(args[4].str, args[4].len, &epoch)) {
        resp_error(out, "ERR value is not an integer or out of range");
        return;
    }
    for (int g = 0; g < stock->host->sim->n_groups && master == NULL; g++)
        if (stock->masters[g].inst.port == port &&
            strcmp(stock->masters[g].inst.ip, args[2].str) == 0)
            master = &stock->masters[g];
    bool is_vote = master != NULL && strcmp(args[5].str, "*") != 0;
    if (is_vote)
        stock_vote(master, (uint64_t)epoch, args[5].str);
    resp_array(out, 3);
    resp_int(out, !stock->tilt && master != NULL && master->inst.s_down);
    resp_bulk_str(out, is_vote && master->leader[0] != '\0' ? master->leader : "*");
    resp_int(out, is_vote ? (int64_t)master->leader_epoch : 0);
}

static void cmd_sentinel(struct stock *stock, const struct resp_request *rq,
                         struct buf *out)
{
    const char *what = rq->n_args > 1 ? rq->args[1].str : "";

    if (strcasecmp(what, "is-master-down-by-addr") == 0 && rq->n_args == 6) {
        cmd_ask(stock, rq->args, out);
    } else if (strcasecmp(what, "myid") == 0) {
        resp_bulk_str(out, stock->host->id);
    } else if (strcasecmp(what, "get-master-addr-by-name") == 0 && rq->n_args == 3) {
        struct stock_master *master = master_named(stock, rq->args[2].str);
        if (master == NULL) {
            resp_nil_array(out, 2);
            return;
        }
        resp_array(out, 2);
        resp_bulk_str(out, stock_current(master)->ip);
        resp_bulk_int(out, stock_current(master)->port);
    } else {
        resp_error(out, "ERR unknown subcommand");
    }
}

static void command(struct stock *stock, const struct resp_request *rq, struct buf *out)
{
    const char *word = rq->args[0].str;
    char text[400];

    if (strcasecmp(word, "PING") == 0) {
        resp_status(out, "PONG");
    } else if (strcasecmp(word, "SENTINEL") == 0) {
        cmd_sentinel(stock, rq, out);
    } else if (strcasecmp(word, "PUBLISH") == 0 && rq->n_args == 3) {
        snprintf(text, sizeof(text), "%.399s", rq->args[2].str);
        stock_hello(stock, text);
        resp_int(out, 1);
    } else if (strcasecmp(word, "CLIENT") == 0 || strcasecmp(word, "AUTH") == 0) {
        resp_status(out, "OK");
    } else {
        resp_error(out, "ERR unknown command");
    }
}

static void set_option(struct stock_master *master, const char *name, int64_t value)
{
    if (strcmp(name, "down-after-milliseconds") == 0)
        master->down_after_ms = value;
    else if (strcmp(name, "failover-timeout") == 0)
        master->failover_timeout_ms = value;
    else if (strcmp(name, "parallel-syncs") == 0)
        master->parallel_syncs = value;
    else if (strcmp(name, "quorum") == 0)
        master->quorum = value;
    else if (strcmp(name, "master-reboot-down-after-period") == 0)
        master->reboot_ms = value;
}

/* What administrators do: FAILOVER, RESET and SET. */
static void tell(struct host *host, const char *const *words, size_t n)
{
    struct stock *stock = host->impl;

    for (int g = 0; n >= 3 && g < host->sim->n_groups; g++) {
        struct stock_master *master = &stock->masters[g];
        if (strcmp(words[2], "*") != 0 && master_named(stock, words[2]) != master)
            continue;
        if (strcmp(words[1], "FAILOVER") == 0 && master->state == STOCK_NONE &&
            stock_select(master) != NULL) {
            stock_start_failover(master);
            master->forced = true;
        } else if (strcmp(words[1], "RESET") == 0) {
            stock_reset(master, false);
            stock_event(stock, "+reset-master", &master->inst, " ");
        } else if (strcmp(words[1], "SET") == 0) {
            for (size_t i = 3; i + 1 < n; i += 2)
                set_option(master, words[i], strtoll(words[i + 1], NULL, 10));
            stock_save(stock);
        }
    }
}

/* ----------------------------------------------------------------- clients ------- */

static void accept_client(struct host *host, struct conn *conn)
{
    struct stock *stock = host->impl;
    struct stock_client *client = mem_zalloc(sizeof(*client));

    client->stock = stock;
    client->conn = conn->id;
    conn->end[END_SERVER] = client;
    DL_APPEND(stock->clients, client);
}

static void free_client(struct stock_client *client)
{
    struct conn *conn = net_conn(client->stock->host->sim, client->conn);

    if (conn != NULL)
        conn->end[END_SERVER] = NULL;
    DL_DELETE(client->stock->clients, client);
    resp_request_release(&client->parser);
    mem_free(client);
}

static void serve(struct stock_client *client, struct conn *conn, const char *bytes,
                  size_t len)
{
    struct sim *sim = client->stock->host->sim;
    struct buf out = {0};
    struct error err;
    int rc;

    resp_request_feed(&client->parser, bytes, len);
    while ((rc = resp_request_next(&client->parser, &resp_limits_default, &err)) == 0)
        if (client->parser.n_args > 0)
            command(client->stock, &client->parser, &out);
    if (rc == ERR_SYNTAX)
        world_fail(sim, "S8: %s was sent what is no request: %s",
                   client->stock->host->machine->name, err.text);
    net_send(sim, conn, END_SERVER, out.data, out.len);
    buf_release(&out);
}

static void conn_data(struct host *host, struct conn *conn, int end, const char *bytes,
                      size_t len)
{
    if (end == END_CLIENT)
        stock_replies(host, conn, bytes, len);
    else if (conn->end[END_SERVER] != NULL)
        serve(conn->end[END_SERVER], conn, bytes, len);
}

static void conn_down(struct host *host, struct conn *conn, int end)
{
    (void)host;
    if (conn->end[end] != NULL && end == END_CLIENT)
        stock_close(conn->end[END_CLIENT]);
    else if (conn->end[end] != NULL)
        free_client(conn->end[END_SERVER]);
}

/* -------------------------------------------------------------------- file ------- */

static void save_master(const struct stock_master *m, struct buf *out)
{
    const char *name = m->stock->host->sim->groups[m->group].name;
    const struct stock_inst *current = stock_current(m), *i;

    buf_printf(out, "sentinel monitor %s %s %d %" PRId64 "\n", name, current->ip,
               current->port, m->quorum);
    buf_printf(out, "sentinel down-after-milliseconds %s %" PRId64 "\n", name,
               m->down_after_ms);
    buf_printf(out, "sentinel failover-timeout %s %" PRId64 "\n", name,
               m->failover_timeout_ms);
    buf_printf(out, "sentinel parallel-syncs %s %" PRId64 "\n", name,
               m->parallel_syncs);
    if (m->password[0] != '\0')
        buf_printf(out, "sentinel auth-pass %s %s\n", name, m->password);
    if (m->reboot_ms > 0)
        buf_printf(out, "sentinel master-reboot-down-after-period %s %" PRId64 "\n",
                   name, m->reboot_ms);
    buf_printf(out, "sentinel config-epoch %s %" PRIu64 "\n", name, m->config_epoch);
    buf_printf(out, "sentinel leader-epoch %s %" PRIu64 "\n", name, m->leader_epoch);
    DL_FOREACH(m->replicas, i)
    {
        const struct stock_inst *r = i == current ? &m->inst : i;
        buf_printf(out, "sentinel known-replica %s %s %d\n", name, r->ip, r->port);
    }
    DL_FOREACH(m->peers, i)
    buf_printf(out, "sentinel known-sentinel %s %s %d %s\n", name, i->ip, i->port,
               i->run_id);
}

/* A save that fails is only logged, and what depends on it goes on. */
void stock_save(struct stock *stock)
{
    struct host *host = stock->host;

    if (host->disk_full || host->disk_readonly) {
        world_tell(host->sim, host->machine->id, SIM_LINE_LOG,
                   "WARNING: Sentinel was not able to save the new configuration");
        return;
    }
    buf_clear(&host->disk);
    buf_printf(&host->disk, "sentinel myid %s\n", host->id);
    for (int g = 0; g < host->sim->n_groups; g++)
        save_master(&stock->masters[g], &host->disk);
    buf_printf(&host->disk, "sentinel current-epoch %" PRIu64 "\n",
               stock->current_epoch);
}

static void load_line(struct stock *stock, const char *line)
{
    char what[40] = "", name[48] = "", host[48] = "", run_id[RUN_ID_CAP] = "";
    unsigned port = 0;

    sscanf(line, "sentinel %39s %47s %47s %u %40s", what, name, host, &port, run_id);
    int64_t value = strtoll(host, NULL, 10);
    struct stock_master *master = master_named(stock, name);
    if (strcmp(what, "myid") == 0) {
        snprintf(stock->host->id, sizeof(stock->host->id), "%.40s", name);
    } else if (strcmp(what, "current-epoch") == 0) {
        stock->current_epoch = strtoull(name, NULL, 10);
    } else if (master == NULL) {
        return;
    } else if (strcmp(what, "monitor") == 0) {
        snprintf(master->inst.ip, sizeof(master->inst.ip), "%s", host);
        master->inst.port = (int)port;
        master->quorum = strtoll(run_id, NULL, 10);
    } else if (strcmp(what, "auth-pass") == 0) {
        snprintf(master->password, sizeof(master->password), "%.31s", host);
    } else if (strcmp(what, "config-epoch") == 0) {
        master->config_epoch = (uint64_t)value;
    } else if (strcmp(what, "leader-epoch") == 0) {
        master->leader_epoch = (uint64_t)value;
    } else if (strcmp(what, "known-replica") == 0) {
        stock_add(master, STOCK_REPLICA, host, (int)port, "");
    } else if (strcmp(what, "known-sentinel") == 0) {
        stock_add(master, STOCK_PEER, host, (int)port, run_id);
    } else {
        set_option(master, what, value);
    }
}

/* ------------------------------------------------------------- the process ------- */

static void start(struct host *host)
{
    struct stock *stock = mem_zalloc(sizeof(*stock));

    host->impl = stock;
    stock->host = host;
    rng_seed(&stock->rng, host->sim->options.seed,
             2000 + (uint64_t)host->machine->id + ((uint64_t)host->n_starts << 32));
    stock->ticked_at = stock_now(stock);
    for (int g = 0; g < host->sim->n_groups; g++) {
        struct stock_master *master = &stock->masters[g];
        master->stock = stock;
        master->group = g;
        master->inst.kind = STOCK_MASTER;
        master->inst.master = master;
        stock_init(&master->inst);
    }
    host->id[0] = '\0';
    for (const char *line = buf_text(&host->disk); *line != '\0';) {
        load_line(stock, line);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    for (int i = 0; i < RUN_ID_LEN && strlen(host->id) < RUN_ID_LEN; i++) {
        host->id[i] = "0123456789abcdef"[rng_below(&stock->rng, 16)];
        host->id[i + 1] = '\0';
    }
    stock_save(stock);
    stock_wake(host);
}

static void stop(struct host *host)
{
    struct stock *stock = host->impl;

    heap_remove(&host->sim->queue, &host->deadline.node);
    host_read_facts(host);
    while (stock->clients != NULL)
        free_client(stock->clients);
    for (int g = 0; g < host->sim->n_groups; g++) {
        struct stock_master *master = &stock->masters[g];
        check_stock_forgets(host, g, master->leader_epoch);
        stock_reset(master, false);
    }
    mem_free(stock);
    host->impl = NULL;
}

/* Times in the future: its clock was put back. */
static bool is_blind(const struct stock_inst *inst)
{
    int64_t now = stock_now(inst->master->stock);

    return inst->ping_at > now || inst->pong_at > now || inst->info_at > now ||
           inst->act_ping_at > now || inst->avail_at > now || inst->role_at > now ||
           inst->reconnected_at > now || inst->published_at > now ||
           inst->answered_at > now || inst->s_down_at > now;
}

static bool view(const struct host *host, int group, struct view *out)
{
    const struct stock *stock = host->impl;
    const struct stock_master *master = &stock->masters[group];
    const struct stock_inst *i;
    const struct sim *sim = host->sim;

    out->master = world_node_at(sim, master->inst.ip, master->inst.port);
    out->config_epoch = master->config_epoch;
    out->tilt = stock->tilt;
    out->failing_over = master->state != STOCK_NONE;
    out->down = master->inst.s_down;
    out->blind = is_blind(&master->inst) || master->start_at > stock_now(stock) + 1000;
    out->down_after_ms = master->down_after_ms;
    out->failover_timeout_ms = master->failover_timeout_ms;
    out->servers = NODE_BIT(out->master);
    out->peers = 0;
    DL_FOREACH(master->replicas, i)
    {
        int node = world_node_at(sim, i->ip, i->port);
        out->servers |= node >= 0 ? NODE_BIT(node) : 0;
        out->blind |= is_blind(i);
    }
    DL_FOREACH(master->peers, i)
    {
        out->blind |= is_blind(i);
        int node = names_now_at(sim, i->ip, i->port);
        out->peers |= node >= 0 ? NODE_BIT(node) : 0;
    }
    return true;
}

const struct host_kind stock_kind = {
    .start = start,
    .stop = stop,
    .thaw = stock_wake,
    .accept = accept_client,
    .up = stock_conn_up,
    .data = conn_data,
    .down = conn_down,
    .tell = tell,
    .view = view,
};
