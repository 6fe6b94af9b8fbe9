/*
 * fleet_answer.c - what the servers of a fleet answer: replication, INFO, commands.
 */
#include "tests/bench/fleet.h"

#include "common/mem.h"
#include "common/resp.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define QUEUED_MAX 8

/* ------------------------------------------------------------- replication ------ */

int server_group(const struct server *server)
{
    return server->index / fleet.n_members;
}

bool server_link_up(const struct server *server)
{
    return server->follows != NOBODY && fleet.now >= server->link_at;
}

/* Everything written anywhere, so to speak: grows by ten a second. */
int64_t server_offset(const struct server *server)
{
    bool is_live =
        server->listen_fd >= 0 && (server->follows == NOBODY || server_link_up(server));
    return is_live ? fleet.now / 100 : server->offset;
}

static void server_unlink(struct server *server)
{
    if (server_link_up(server)) {
        server->offset = server_offset(server);
        server->down_since = fleet.now;
    }
    server->link_at = INT64_MAX;
}

void server_feed(const struct server *master)
{
    int group = server_group(master);
    bool can = master->listen_fd >= 0 && !master->hung && master->follows == NOBODY;

    for (int r = 0; r < fleet.n_members; r++) {
        struct server *server = &fleet.servers[group * fleet.n_members + r];
        if (server->follows != master->index)
            continue;
        if (!can)
            server_unlink(server);
        else if (server->link_at == INT64_MAX)
            server->link_at = fleet.now + SYNC_MS;
    }
}

static struct server *server_at(int group, const char *ip, int port)
{
    for (int r = 0; r < fleet.n_members; r++) {
        struct server *server = &fleet.servers[group * fleet.n_members + r];
        if (strcmp(server->ip, ip) == 0 && server->port == port)
            return server;
    }
    return NULL;
}

static void server_follow(struct server *server, const char *host, const char *port)
{
    struct server *master =
        server_at(server_group(server), host, (int)strtol(port, NULL, 10));

    if (strcasecmp(host, "no") == 0) {
        server->follows = NOBODY;
        server_feed(server);
        return;
    }
    if (master == NULL || master == server || master->index == server->follows)
        return;
    server_unlink(server);
    server->follows = master->index;
    server_feed(server); /* those who followed it */
    server_feed(master);
}

/* ------------------------------------------------------------------ INFO -------- */

static void info_put_master(struct buf *out, const struct server *server)
{
    const struct server *group = &fleet.servers[server_group(server) * fleet.n_members];
    struct buf lines = {0};
    int n = 0;

    for (int r = 0; r < fleet.n_members; r++) {
        const struct server *s = &group[r];
        if (s->listen_fd >= 0 && s->follows == server->index && server_link_up(s))
            buf_printf(&lines,
                       "slave%d:ip=%s,port=%u,state=online,offset=%" PRId64
                       ",lag=0\r\n",
                       n++, s->ip, s->port, server_offset(s));
    }
    buf_printf(out, "role:master\r\nconnected_slaves:%d\r\n%s", n, buf_text(&lines));
    buf_release(&lines);
}

static void info_put_replica(struct buf *out, const struct server *server)
{
    const struct server *master = &fleet.servers[server->follows];
    bool is_up = server_link_up(server);

    buf_printf(out,
               "role:slave\r\nmaster_host:%s\r\nmaster_port:%u\r\n"
               "master_link_status:%s\r\nmaster_last_io_seconds_ago:%d\r\n"
               "master_sync_in_progress:0\r\nslave_read_repl_offset:%" PRId64
               "\r\nslave_repl_offset:%" PRId64 "\r\n",
               master->ip, master->port, is_up ? "up" : "down", is_up ? 0 : -1,
               server_offset(server), server_offset(server));
    if (!is_up)
        buf_printf(out, "master_link_down_since_seconds:%" PRId64 "\r\n",
                   (fleet.now - server->down_since) / 1000);
    buf_puts(out, "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n"
                  "connected_slaves:0\r\n");
}

static void info_put_replication(struct buf *out, const struct server *server)
{
    buf_puts(out, "# Replication\r\n");
    if (server->follows == NOBODY)
        info_put_master(out, server);
    else
        info_put_replica(out, server);
    buf_printf(out,
               "master_failover_state:no-failover\r\nmaster_replid:%s\r\n"
               "master_replid2:0000000000000000000000000000000000000000\r\n"
               "master_repl_offset:%" PRId64 "\r\nsecond_repl_offset:-1\r\n"
               "repl_backlog_active:1\r\nrepl_backlog_size:1048576\r\n"
               "repl_backlog_first_byte_offset:1\r\nrepl_backlog_histlen:%" PRId64
               "\r\n",
               fleet.servers[server_group(server) * fleet.n_members].run_id,
               server_offset(server), server_offset(server));
}

static bool section_is_asked(const struct section *section, const struct word *words,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (words[i].len == section->name_len &&
            strncasecmp(words[i].text, section->name, section->name_len) == 0)
            return true;
        if ((words[i].len == 3 && strncasecmp(words[i].text, "all", 3) == 0) ||
            (words[i].len == 7 && strncasecmp(words[i].text, "default", 7) == 0))
            return true;
    }
    return n == 0;
}

static void info_reply(struct conn *conn, const struct word *words, size_t n)
{
    static struct buf text;

    buf_clear(&text);
    for (size_t i = 0; i < fleet.n_sections; i++) {
        const struct section *section = &fleet.sections[i];
        if (!section_is_asked(section, words, n))
            continue;
        if (text.len > 0)
            buf_puts(&text, "\r\n");
        if (strncasecmp(section->name, "replication", section->name_len) == 0) {
            info_put_replication(&text, conn->server);
            continue;
        }
        size_t at = text.len;
        buf_append(&text, section->text, section->len);
        if (section->run_id_at >= 0)
            memcpy(text.data + at + section->run_id_at, conn->server->run_id, 40);
    }
    fleet.n_info++;
    fleet.n_info_bytes += text.len;
    resp_bulk(&conn->out, buf_text(&text), text.len);
}

void info_load(const char *path)
{
    static char text[65536];
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (len <= 0)
        die(path);
    close(fd);
    for (char *at = strstr(text, "# "); at != NULL; at = strstr(at + 2, "\r\n# ")) {
        if (*at == '\r')
            at += 2;
        struct section *section = &fleet.sections[fleet.n_sections];
        const char *end = strstr(at, "\r\n\r\n");
        section->name = at + 2;
        section->name_len = strcspn(section->name, "\r\n");
        section->text = at;
        section->len = end != NULL ? (size_t)(end - at) + 2 : strlen(at);
        const char *id = strstr(at, "\r\nrun_id:");
        bool has_id = id != NULL && id < at + section->len;
        section->run_id_at = has_id ? id + strlen("\r\nrun_id:") - at : -1;
        if (++fleet.n_sections == SECTIONS_MAX)
            break;
    }
}

/* --------------------------------------------------------------- commands ------- */

static bool word_is(const struct word *word, const char *text)
{
    return word->len == strlen(text) && strncasecmp(word->text, text, word->len) == 0;
}

static void publish(struct conn *from, const struct word *channel,
                    const struct word *message)
{
    int64_t n = 0;

    fleet.n_publish++;
    for (struct conn *conn = from->server->conns; conn != NULL; conn = conn->next) {
        if (!conn->subscribed)
            continue;
        buf_puts(&conn->out, "*3\r\n$7\r\nmessage\r\n");
        resp_bulk(&conn->out, channel->text, channel->len);
        resp_bulk(&conn->out, message->text, message->len);
        conn_touch(conn);
        n++;
    }
    fleet.n_delivered += (uint64_t)n;
    resp_int(&from->out, n);
}

/* The connection that asks is spared, as a real server does by default. */
static void client_kill(struct conn *from, const char *type)
{
    bool pubsub = strcasecmp(type, "pubsub") == 0;
    struct conn *next;
    int64_t n = 0;

    for (struct conn *conn = from->server->conns; conn != NULL; conn = next) {
        next = conn->next;
        if (conn == from || conn->subscribed != pubsub)
            continue;
        conn_close(conn);
        n++;
    }
    resp_int(&from->out, n);
}

static void exec_one(struct conn *conn, struct queued *queued)
{
    if (strcasecmp(queued->words[0], "slaveof") == 0 && queued->n >= 3) {
        fleet.n_slaveof++;
        server_follow(conn->server, queued->words[1], queued->words[2]);
        resp_status(&conn->out, "OK");
    } else if (strcasecmp(queued->words[0], "client") == 0 && queued->n >= 4) {
        client_kill(conn, queued->words[3]);
    } else {
        resp_status(&conn->out, "OK");
    }
}

static void exec(struct conn *conn)
{
    resp_array(&conn->out, conn->n_queued);
    for (size_t i = 0; i < conn->n_queued; i++)
        exec_one(conn, &conn->queued[i]);
    conn->in_multi = false;
    conn->n_queued = 0;
    mem_free(conn->queued);
    conn->queued = NULL;
}

static void queue(struct conn *conn, const struct word *words, size_t n)
{
    if (conn->queued == NULL)
        conn->queued = mem_array(QUEUED_MAX, sizeof *conn->queued);
    if (conn->n_queued == QUEUED_MAX) {
        resp_error(&conn->out, "ERR too much in MULTI");
        return;
    }
    struct queued *queued = &conn->queued[conn->n_queued++];
    queued->n = n < 4 ? n : 4;
    for (size_t i = 0; i < queued->n; i++)
        snprintf(queued->words[i], sizeof queued->words[i], "%.*s", (int)words[i].len,
                 words[i].text);
    resp_status(&conn->out, "QUEUED");
}

static void role(struct conn *conn)
{
    const struct server *server = conn->server;

    if (server->follows == NOBODY) {
        resp_array(&conn->out, 3);
        resp_bulk_str(&conn->out, "master");
        resp_int(&conn->out, server_offset(server));
        resp_array(&conn->out, 0);
        return;
    }
    resp_array(&conn->out, 5);
    resp_bulk_str(&conn->out, "slave");
    resp_bulk_str(&conn->out, fleet.servers[server->follows].ip);
    resp_int(&conn->out, fleet.servers[server->follows].port);
    resp_bulk_str(&conn->out, server_link_up(server) ? "connected" : "connect");
    resp_int(&conn->out, server_offset(server));
}

void run(struct conn *conn, const struct word *words, size_t n)
{
    struct buf *out = &conn->out;

    if (word_is(words, "exec")) {
        exec(conn);
    } else if (conn->in_multi) {
        queue(conn, words, n);
    } else if (word_is(words, "ping")) {
        fleet.n_ping++;
        if (conn->subscribed)
            buf_puts(out, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        else
            resp_status(out, "PONG");
    } else if (word_is(words, "publish") && n == 3) {
        publish(conn, &words[1], &words[2]);
    } else if (word_is(words, "info")) {
        info_reply(conn, words + 1, n - 1);
    } else if (word_is(words, "subscribe") && n == 2) {
        conn->subscribed = true;
        buf_puts(out, "*3\r\n$9\r\nsubscribe\r\n");
        resp_bulk(out, words[1].text, words[1].len);
        resp_int(out, 1);
    } else if (word_is(words, "multi")) {
        conn->in_multi = true;
        resp_status(out, "OK");
    } else if (word_is(words, "role")) {
        role(conn);
    } else if (word_is(words, "client") || word_is(words, "auth") ||
               word_is(words, "config")) {
        fleet.n_client++;
        resp_status(out, "OK");
    } else if (word_is(words, "script")) {
        resp_error(out, "NOTBUSY No scripts in execution right now.");
    } else {
        fleet.n_other++;
        resp_error(out, "ERR unknown command");
    }
    conn_touch(conn);
}
