/*
 * listener.h - the sockets clients connect to.
 */
#ifndef SENTINEL_RUNTIME_LISTENER_H
#define SENTINEL_RUNTIME_LISTENER_H

#include "common/buf.h"
#include "sentinel/conf/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define LISTENER_MAX (2 * CONF_BIND_MAX + 1) /* TCP, TLS, and a Unix socket */

struct runtime;

enum listener_kind { LISTENER_TCP, LISTENER_TLS, LISTENER_UNIX };

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct runtime *rt;
    enum listener_kind kind;
    int n_accepted; /* in this turn */
    bool waiting;   /* one more is there, left for the next turn */
};

struct listeners {
    struct listener all[LISTENER_MAX];
    int n;
    bool has_unix;
    int64_t refused_at; /* the second of the last such line in the log, */
    int n_refused;      /* and how many there were in it */
};

/* Opens what the options ask for. False, after the log lines of interface.md 1.1, if
 * that is not possible. */
bool listeners_open(struct runtime *rt);
/* A new turn: takes the connections that were left over. */
void listeners_turn(struct runtime *rt);
void listeners_close(struct runtime *rt);
/* Logs, in stock's words, that |peer| at |local| is not let in; a few times a second.
 */
void listener_log_refused(struct runtime *rt, const char *peer, const char *local,
                          const char *reason);
/* For INFO: a "name=tcp,bind=...,port=..." line each for TCP, Unix and TLS; empty for
 * what is not there. */
void listeners_describe(const struct conf_options *options, struct buf *out);

#endif
