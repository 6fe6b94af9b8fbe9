/*
 * redis_cmd.c - what a data server answers: the commands sentinels send, INFO in the
 * real format, Pub/Sub of hellos, transactions, and the ways in which it misbehaves.
 */
#include "tests/sim/world.h"

#include "common/args.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct words {
    const struct resp_arg *at;
    size_t n;
};

static bool word_is(const struct words *words, size_t i, const char *text)
{
    return i < words->n && strcasecmp(words->at[i].str, text) == 0;
}

/* -------------------------------------------------------------------- INFO ------- */

static void redis_info_replicas(const struct redis *redis, struct buf *out)
{
    struct sim *sim = redis->sim;
    int n = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            buf_printf(out, "connected_slaves:%d\r\n", n);
        int index = 0;
        for (int i = 0; i < sim->n_nodes; i++) {
            const struct redis *replica = sim->nodes[i].redis;
            if (replica == NULL || !redis_has_replica(redis, replica))
                continue;
            n += pass == 0;
            if (pass == 1)
                buf_printf(
                    out, "slave%d:ip=%s,port=%d,state=%s,offset=%" PRId64 ",lag=%d\r\n",
                    index++,
                    sim->names.announced ? names_of(sim, &sim->nodes[i])
                                         : sim->nodes[i].ip,
                    sim->nodes[i].port,
                    replica->repl == REPL_SYNC ? "wait_bgsave" : "online",
                    redis_offset(replica), replica->repl == REPL_UP ? 0 : 1);
        }
    }
}

void redis_info(const struct redis *redis, struct buf *out)
{
    int64_t now = redis->sim->now;
    int64_t offset = redis_offset(redis);

    buf_printf(out, "# Server\r\nredis_version:7.4.1\r\nrun_id:%s\r\ntcp_port:%d\r\n",
               redis->run_id, redis->machine->port);
    buf_printf(out, "\r\n# Persistence\r\nloading:%d\r\n\r\n# Replication\r\n",
               redis->loading_until > now);
    if (redis_is_master(redis)) {
        buf_puts(out, "role:master\r\n");
    } else {
        bool is_up = redis->repl == REPL_UP || redis->repl == REPL_STALLED;
        buf_printf(out, "role:slave\r\nmaster_host:%s\r\nmaster_port:%d\r\n",
                   redis->master_host, redis->master_port);
        buf_printf(out, "master_link_status:%s\r\nmaster_last_io_seconds_ago:%d\r\n",
                   is_up ? "up" : "down", is_up ? 0 : -1);
        buf_printf(out, "master_sync_in_progress:%d\r\n", redis->repl == REPL_SYNC);
        buf_printf(out, "slave_read_repl_offset:%" PRId64 "\r\n", offset);
        buf_printf(out, "slave_repl_offset:%" PRId64 "\r\n", offset);
        if (!is_up)
            buf_printf(out, "master_link_down_since_seconds:%" PRId64 "\r\n",
                       redis->repl_down_at < 0 ? -1
                                               : (now - redis->repl_down_at) / 1000);
        buf_printf(out, "slave_priority:%" PRId64 "\r\nslave_read_only:1\r\n",
                   redis->priority);
        buf_printf(out, "replica_announced:%d\r\n", redis->announced);
    }
    redis_info_replicas(redis, out);
    buf_printf(out, "master_failover_state:no-failover\r\n");
    buf_printf(out, "master_replid:%s\r\n", redis->replid);
    buf_printf(out, "master_repl_offset:%" PRId64 "\r\n\r\n# Keyspace\r\n", offset);
    if (offset > 0)
        buf_printf(out, "db0:keys=%" PRId64 ",expires=0,avg_ttl=0\r\n", offset);
}

/* ----------------------------------------------------------------- clients ------- */

void redis_client_free(struct redis_client *client)
{
    struct conn *conn = net_conn(client->redis->sim, client->conn);

    if (conn != NULL)
        conn->end[END_SERVER] = NULL;
    DL_DELETE(client->redis->clients, client);
    resp_request_release(&client->parser);
    buf_release(&client->queued);
    mem_free(client);
}

static void redis_client_drop(struct redis_client *client)
{
    struct sim *sim = client->redis->sim;
    struct conn *conn = net_conn(sim, client->conn);

    redis_client_free(client);
    if (conn != NULL)
        net_close(sim, conn, END_SERVER);
}

void redis_drop_clients(struct redis *redis, const struct redis_client *except,
                        bool subscribed)
{
    struct redis_client *client, *next;

    DL_FOREACH_SAFE(redis->clients, client, next)
    if (client != except && client->subscribed == subscribed)
        redis_client_drop(client);
}

void redis_publish(struct redis *redis, const char *payload, size_t len, bool replicate,
                   int depth)
{
    struct sim *sim = redis->sim;
    struct redis_client *client;
    struct buf out = {0};

    DL_FOREACH(redis->clients, client)
    {
        struct conn *conn = net_conn(sim, client->conn);
        if (!client->subscribed || conn == NULL)
            continue;
        if (out.len == 0) {
            resp_array(&out, 3);
            resp_bulk_str(&out, "message");
            resp_bulk_str(&out, SIM_HELLO);
            resp_bulk(&out, payload, len);
        }
        net_send(sim, conn, END_SERVER, out.data, out.len);
    }
    buf_release(&out);
    for (int i = 0; replicate && depth < 4 && i < sim->n_nodes; i++) {
        struct redis *replica = sim->nodes[i].redis;
        if (replica != NULL && redis_has_replica(redis, replica) &&
            replica->repl == REPL_UP && redis_is_running(replica))
            redis_publish(replica, payload, len, true, depth + 1);
    }
}

/* ---------------------------------------------------------------- commands ------- */

static void cmd_client(struct redis_client *client, const struct words *words,
                       struct buf *out)
{
    struct redis_client *other, *next;
    int n = 0;

    if (word_is(words, 1, "SETNAME")) {
        resp_status(out, "OK");
        return;
    }
    if (!word_is(words, 1, "KILL") || !word_is(words, 2, "TYPE") || words->n < 4) {
        resp_error(out, "ERR syntax error");
        return;
    }
    bool pubsub = word_is(words, 3, "pubsub");
    DL_FOREACH_SAFE(client->redis->clients, other, next)
    n += other != client && other->subscribed == pubsub;
    redis_drop_clients(client->redis, client, pubsub);
    resp_int(out, n);
}

static void cmd_slaveof(struct redis *redis, const struct words *words, struct buf *out)
{
    int64_t port = 0;

    if (words->n != 3) {
        resp_error(out, "ERR wrong number of arguments for 'slaveof' command");
        return;
    }
    if (word_is(words, 1, "NO") && word_is(words, 2, "ONE")) {
        redis_set_master(redis, "", 0);
    } else if (!args_int(words->at[2].str, words->at[2].len, &port) || port < 1 ||
               port > 65535) {
        resp_error(out, "ERR Invalid master port");
        return;
    } else {
        redis_set_master(redis, words->at[1].str, (int)port);
    }
    resp_status(out, "OK");
}

static void cmd_config(struct redis *redis, const struct words *words, struct buf *out)
{
    if (!word_is(words, 1, "REWRITE")) {
        resp_error(out, "ERR unknown subcommand");
        return;
    }
    snprintf(redis->saved_host, sizeof(redis->saved_host), "%s", redis->master_host);
    redis->saved_port = redis->master_port;
    resp_status(out, "OK");
}

static void cmd_subscribe(struct redis_client *client, const struct words *words,
                          struct buf *out)
{
    client->subscribed = true;
    resp_array(out, 3);
    resp_bulk_str(out, "subscribe");
    resp_bulk(out, words->at[1].str, words->at[1].len);
    resp_int(out, 1);
}

/* One command of a client who may use it. */
static void redis_execute(struct redis_client *client, const struct words *words,
                          struct buf *out)
{
    struct redis *redis = client->redis;

    if (word_is(words, 0, "PING")) {
        resp_status(out, "PONG");
    } else if (word_is(words, 0, "INFO")) {
        struct buf info = {0};
        redis_info(redis, &info);
        resp_bulk(out, info.data, info.len);
        buf_release(&info);
    } else if (word_is(words, 0, "PUBLISH") && words->n == 3) {
        redis_publish(redis, words->at[2].str, words->at[2].len, redis_is_master(redis),
                      0);
        resp_int(out, 1);
    } else if (word_is(words, 0, "SUBSCRIBE") && words->n == 2) {
        cmd_subscribe(client, words, out);
    } else if (word_is(words, 0, "CLIENT")) {
        cmd_client(client, words, out);
    } else if (word_is(words, 0, "SLAVEOF")) {
        cmd_slaveof(redis, words, out);
    } else if (word_is(words, 0, "CONFIG")) {
        cmd_config(redis, words, out);
    } else if (word_is(words, 0, "SCRIPT")) {
        resp_error(out, "NOTBUSY No scripts in execution right now.");
    } else {
        resp_error(out, "ERR unknown command");
    }
}

/* Is it one of the commands that nobody may give? */
static bool redis_denies(const struct redis *redis, const struct words *words)
{
    const char *at = redis->denied;

    while (*at != '\0') {
        size_t len = strcspn(at, ",");
        if (words->at[0].len == len && strncasecmp(words->at[0].str, at, len) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

/* Refused before anything is looked at? Appends the refusal. */
static bool redis_refuses(struct redis_client *client, const struct words *words,
                          struct buf *out)
{
    struct redis *redis = client->redis;
    const char *why = NULL;

    if (!client->authed && !word_is(words, 0, "AUTH"))
        why = "NOAUTH Authentication required.";
    else if (redis->busy && !word_is(words, 0, "AUTH") &&
             !word_is(words, 0, "SUBSCRIBE") &&
             (!word_is(words, 0, "SCRIPT") || redis->unkillable))
        why = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
              "SHUTDOWN NOSAVE.";
    else if (redis->loading_until > redis->sim->now &&
             (word_is(words, 0, "PING") || word_is(words, 0, "SLAVEOF")))
        why = "LOADING Redis is loading the dataset in memory";
    else if (redis->refuses && word_is(words, 0, "SLAVEOF"))
        why = "NOPERM this user has no permissions to run the 'slaveof' command";
    else if (redis_denies(redis, words))
        why = "NOPERM this user has no permissions to run that command";
    if (why != NULL)
        resp_error(out, why);
    return why != NULL;
}

static void redis_exec(struct redis_client *client, struct buf *out)
{
    struct resp_request parser = {0};
    struct error err;

    client->in_multi = false;
    if (client->multi_failed) {
        resp_error(out, "EXECABORT Transaction discarded because of previous errors.");
        buf_clear(&client->queued);
        return;
    }
    resp_array(out, (size_t)client->n_queued);
    resp_request_feed(&parser, client->queued.data, client->queued.len);
    while (client->queued.len > 0 &&
           resp_request_next(&parser, &resp_limits_default, &err) == 0) {
        struct words words = {parser.args, parser.n_args};
        redis_execute(client, &words, out);
    }
    buf_clear(&client->queued);
    resp_request_release(&parser);
}

static void redis_queue(struct redis_client *client, const struct words *words)
{
    const char *texts[16];
    size_t n = words->n < 16 ? words->n : 16;

    for (size_t i = 0; i < n; i++)
        texts[i] = words->at[i].str;
    resp_command_v(&client->queued, texts, n);
    client->n_queued++;
}

static void redis_garbage(struct redis *redis, struct buf *out)
{
    switch (rng_below(&redis->sim->world_rng, 8)) {
    case 0:
        resp_nil(out, 2);
        return;
    case 1:
        resp_int(out, -7);
        return;
    case 2:
        resp_array(out, 2);
        resp_int(out, 1);
        resp_nil_array(out, 2);
        return;
    case 3:
        redis->lied_at = redis->sim->now;
        resp_bulk_str(out, "role:master\r\nrun_id:short\r\nslave0:ip=,port=x\r\n");
        return;
    case 4:
        resp_bulk_str(out, "role:slave\r\nmaster_host:\r\nmaster_port:-1\r\n");
        return;
    case 5:
        resp_error(out, "WHAT is this");
        return;
    case 6:
        resp_status(out, "");
        return;
    default:
        buf_puts(out, "?!\r\n"); /* no protocol at all */
        return;
    }
}

static void redis_command(struct redis_client *client, const struct words *words,
                          struct buf *out)
{
    struct redis *redis = client->redis;

    if (redis->garbage && !word_is(words, 0, "SUBSCRIBE") &&
        !word_is(words, 0, "AUTH")) {
        redis_garbage(redis, out);
        return;
    }
    if (redis->busy && !redis->unkillable && client->authed &&
        word_is(words, 0, "SCRIPT")) {
        redis->busy = false;
        world_note(redis->sim, "%s: the script was killed", redis->machine->name);
        resp_status(out, "OK");
        return;
    }
    if (redis_refuses(client, words, out)) {
        client->multi_failed = client->in_multi;
    } else if (word_is(words, 0, "AUTH")) {
        const char *given = words->at[words->n - 1].str;
        bool is_right = strcmp(given, redis->password) == 0;
        client->authed = client->authed || is_right; /* who was known stays so */
        if (is_right)
            resp_status(out, "OK");
        else
            resp_error(out, "WRONGPASS invalid username-password pair or user is "
                            "disabled.");
    } else if (word_is(words, 0, "MULTI")) {
        client->in_multi = true;
        client->multi_failed = false;
        client->n_queued = 0;
        resp_status(out, "OK");
    } else if (word_is(words, 0, "EXEC") && client->in_multi) {
        redis_exec(client, out);
    } else if (client->in_multi) {
        redis_queue(client, words);
        resp_status(out, "QUEUED");
    } else {
        redis_execute(client, words, out);
    }
}

/* ------------------------------------------------------------- connections ------- */

void redis_accept(struct redis *redis, struct conn *conn)
{
    struct redis_client *client = mem_zalloc(sizeof(*client));

    client->redis = redis;
    client->conn = conn->id;
    client->authed = redis->password[0] == '\0';
    conn->end[END_SERVER] = client;
    DL_APPEND(redis->clients, client);
}

void redis_data(struct redis *redis, struct conn *conn, const char *bytes, size_t len)
{
    struct redis_client *client = conn->end[END_SERVER];
    struct slot_id id = conn->id;
    struct buf out = {0};
    struct error err;
    int rc = ERR_MORE;

    if (client == NULL)
        return;
    resp_request_feed(&client->parser, bytes, len);
    for (;;) {
        rc = resp_request_next(&client->parser, &resp_limits_default, &err);
        if (rc != 0)
            break;
        struct words words = {client->parser.args, client->parser.n_args};
        if (words.n > 0)
            redis_command(client, &words, &out);
    }
    conn = net_conn(redis->sim, id);
    if (conn != NULL && out.len > 0)
        net_send(redis->sim, conn, END_SERVER, out.data, out.len);
    buf_release(&out);
    if (rc == ERR_SYNTAX)
        world_fail(redis->sim, "S8: %s was sent what is no request: %s",
                   redis->machine->name, err.text);
}

void redis_closed(struct redis *redis, struct conn *conn)
{
    (void)redis;
    if (conn->end[END_SERVER] != NULL)
        redis_client_free(conn->end[END_SERVER]);
}
