/*
 * fleet.h - what the two files of the fleet share; fleet.c says what it is.
 */
#ifndef TESTS_BENCH_FLEET_H
#define TESTS_BENCH_FLEET_H

#include "common/addr.h"
#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTIONS_MAX 32
/* A replica that was pointed at a living master follows it after this long. */
#define SYNC_MS 20
#define NOBODY (-1)

struct word {
    const char *text;
    size_t len;
};

/* One command inside MULTI, kept until EXEC. */
struct queued {
    char words[4][ADDR_IP_CAP];
    size_t n;
};

struct conn {
    bool is_conn; /* what epoll's pointer points to */
    int fd;       /* -1: closed, to be freed at the end of the batch */
    struct server *server;
    bool subscribed, in_multi, dirty, wants_out;
    struct queued *queued;
    size_t n_queued;
    struct buf in;  /* the begin of a command */
    struct buf out; /* what is to be written */
    struct conn *prev, *next, *dirty_next;
};

struct server {
    bool is_conn;
    int listen_fd; /* -1: dead */
    int index;
    char ip[ADDR_IP_CAP];
    uint16_t port;
    char run_id[41];
    bool hung;
    int follows;        /* index, or NOBODY: a master */
    int64_t link_at;    /* of a replica: since when its link is up; INT64_MAX: down */
    int64_t down_since; /* while it is down */
    int64_t offset;     /* while it is down, or as a dead server */
    struct conn *conns;
};

struct section {
    const char *name;
    size_t name_len;
    const char *text;
    size_t len;
    ptrdiff_t run_id_at; /* within text; -1: none */
};

struct fleet {
    int epoll;
    int first, n_groups, n_members, base_port;
    struct server *servers;
    struct section sections[SECTIONS_MAX];
    size_t n_sections;
    int64_t now;
    struct conn *dirty, *graveyard;
    size_t n_conns;
    uint64_t n_ping, n_info, n_publish, n_slaveof, n_client, n_other, n_delivered;
    uint64_t n_info_bytes, n_reads, n_accepted;
};
extern struct fleet fleet;

/* ---- fleet.c ---- */
void die(const char *what);
/* Something was put out on |conn|. */
void conn_touch(struct conn *conn);
void conn_close(struct conn *conn);

/* ---- fleet_answer.c ---- */
int server_group(const struct server *server);
bool server_link_up(const struct server *server);
int64_t server_offset(const struct server *server);
/* |master| has become able, or unable, to feed those who follow it. */
void server_feed(const struct server *master);
/* Cuts a real server's INFO, in the file |path|, into its sections. */
void info_load(const char *path);
/* Executes one command and puts out its reply. */
void run(struct conn *conn, const struct word *words, size_t n);

#endif
