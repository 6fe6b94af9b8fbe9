/*
 * bench_world.c - the servers and sentinels around a core on the bench: they remember
 * what they were told, and answer as well-behaved ones do.
 */
#include "common/args.h"
#include "common/assert.h"
#include "common/mem.h"
#include "tests/fuzz/bench.h"

#include <stdio.h>
#include <string.h>

void bench_world_init(struct bench *bench)
{
    for (int i = 0; i < BENCH_SERVERS; i++) {
        bench->servers[i].is_replica = i > 0;
        bench->servers[i].master_port = BENCH_PORT;
        bench->servers[i].priority = 100;
        bench->servers[i].offset = 1000;
    }
}

static int server_of(uint16_t port)
{
    return port >= BENCH_PORT && port < BENCH_PORT + BENCH_SERVERS ? port - BENCH_PORT
                                                                   : -1;
}

static int peer_of(uint16_t port)
{
    return port >= BENCH_PEER_PORT && port < BENCH_PEER_PORT + BENCH_PEERS
               ? port - BENCH_PEER_PORT
               : -1;
}

/* What is at no known port is dead. */
bool bench_world_is_dead(const struct bench *bench, uint16_t port)
{
    if (server_of(port) >= 0)
        return bench->servers[server_of(port)].is_dead;
    return peer_of(port) < 0 || bench->peers[peer_of(port)].is_dead;
}

const char *bench_world_peer_id(int n)
{
    static const char *const ids[BENCH_PEERS] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "cccccccccccccccccccccccccccccccccccccccc",
    };

    return ids[n];
}

static void print_info(const struct bench *bench, int n, struct buf *out)
{
    const struct bench_server *server = &bench->servers[n];
    int n_replicas = 0;

    buf_printf(out, "# Server\r\nrun_id:%040d\r\n# Replication\r\nrole:%s\r\n", n + 1,
               server->is_replica ? "slave" : "master");
    if (server->is_replica)
        buf_printf(out,
                   "master_host:127.0.0.1\r\nmaster_port:%d\r\n"
                   "master_link_status:%s\r\nmaster_link_down_since_seconds:%d\r\n"
                   "slave_repl_offset:%d\r\nslave_priority:%d\r\n",
                   (int)server->master_port, server->is_behind ? "down" : "up",
                   server->is_behind ? 5 : 0, (int)server->offset, server->priority);
    for (int i = 0; i < BENCH_SERVERS; i++)
        if (bench->servers[i].is_replica &&
            bench->servers[i].master_port == BENCH_PORT + n)
            buf_printf(out,
                       "slave%d:ip=127.0.0.1,port=%d,state=online,offset=1000,lag=0\r"
                       "\n",
                       n_replicas++, BENCH_PORT + i);
}

static void do_slaveof(struct bench_server *server, const char *text)
{
    const char *port = strrchr(text, ' ') + 1;
    int64_t number;

    server->is_replica = args_int(port, strlen(port), &number);
    if (server->is_replica)
        server->master_port = number;
}

static void reply_text(struct bench *bench, const struct bench_item *item,
                       enum resp_type type, const char *text)
{
    struct resp_value value = {.type = type, .str = text, .len = strlen(text)};
    struct core_event event = {.type = CORE_EV_REPLY};

    event.reply.link = item->link;
    event.reply.chan = item->chan;
    event.reply.tag = item->tag;
    event.reply.index = item->index;
    event.reply.value = &value;
    bench_step(bench, &event);
}

static void reply_items(struct bench *bench, const struct bench_item *item,
                        const struct resp_value *items, size_t n)
{
    struct resp_value value = {.type = RESP_ARRAY, .items = items, .n_items = n};
    struct core_event event = {.type = CORE_EV_REPLY};

    event.reply.link = item->link;
    event.reply.chan = item->chan;
    event.reply.tag = item->tag;
    event.reply.index = item->index;
    event.reply.value = &value;
    bench_step(bench, &event);
}

/* SENTINEL is-master-down-by-addr HOST PORT EPOCH RUNID */
static void reply_vote(struct bench *bench, const struct bench_item *item, int n)
{
    struct bench_peer *peer = &bench->peers[n];
    struct args args;
    int64_t epoch = 0;

    ASSERT(args_split(&args, item->text, strlen(item->text)) == 0 && args.n == 6);
    ASSERT(args_int(args.words[4], args.lens[4], &epoch) && epoch >= 0);
    if (args.words[5][0] != '*' && epoch > peer->leader_epoch) {
        snprintf(peer->leader, sizeof(peer->leader), "%s",
                 peer->votes_for_itself ? bench_world_peer_id(n) : args.words[5]);
        peer->leader_epoch = epoch;
    }
    const char *leader = args.words[5][0] != '*' ? peer->leader : "*";
    struct resp_value items[3] = {
        {.type = RESP_INT, .integer = peer->says_down ? 1 : 0},
        {.type = RESP_BULK, .str = leader, .len = strlen(leader)},
        {.type = RESP_INT, .integer = peer->leader_epoch},
    };
    reply_items(bench, item, items, 3);
    args_release(&args);
}

static bool is_command(const struct bench_item *item, const char *name)
{
    size_t len = strlen(name);

    return strncmp(item->text, name, len) == 0 &&
           (item->text[len] == ' ' || item->text[len] == '\0');
}

void bench_world_reply(struct bench *bench, const struct bench_item *item)
{
    int server = server_of(item->port), peer = peer_of(item->port);
    struct buf text = {0};

    if (is_command(item, "PING")) {
        reply_text(bench, item, RESP_STATUS, "PONG");
    } else if (server >= 0 && is_command(item, "INFO")) {
        print_info(bench, server, &text);
        reply_text(bench, item, RESP_BULK, buf_text(&text));
    } else if (is_command(item, "PUBLISH")) {
        struct core_event event = {.type = CORE_EV_REPLY};
        struct resp_value value = {.type = RESP_INT, .integer = 1};
        event.reply.link = item->link;
        event.reply.chan = item->chan;
        event.reply.tag = item->tag;
        event.reply.value = &value;
        bench_step(bench, &event);
    } else if (peer >= 0 && is_command(item, "SENTINEL myid")) {
        reply_text(bench, item, RESP_BULK, bench_world_peer_id(peer));
    } else if (peer >= 0 && is_command(item, "SENTINEL get-master-addr-by-name")) {
        struct resp_value items[2] = {{.type = RESP_BULK, .str = "127.0.0.1", .len = 9},
                                      {.type = RESP_BULK, .str = "6380", .len = 4}};
        reply_items(bench, item, items, 2);
    } else if (peer >= 0 && is_command(item, "SENTINEL")) {
        reply_vote(bench, item, peer);
    } else if (is_command(item, "SUBSCRIBE") || is_command(item, "EXEC")) {
        reply_items(bench, item, NULL, 0);
    } else {
        if (server >= 0 && is_command(item, "SLAVEOF"))
            do_slaveof(&bench->servers[server], item->text);
        reply_text(bench, item, RESP_STATUS, item->index > 0 ? "QUEUED" : "OK");
    }
    buf_release(&text);
}
