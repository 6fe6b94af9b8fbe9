/*
 * listener.h - the sockets clients connect to.
 */
#ifndef SENTINEL_RUNTIME_LISTENER_H
#define SENTINEL_RUNTIME_LISTENER_H

#include "common/buf.h"
#include "sentinel/conf/conf.h"

#include <stdbool.h>
#include <uv.h>

#define LISTENER_MAX (CONF_BIND_MAX + 1) /* TCP addresses and a Unix socket */

struct runtime;

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct runtime *rt;
    bool is_unix;
    int n_accepted; /* in this turn */
    bool waiting;   /* one more is there, left for the next turn */
};

struct listeners {
    struct listener all[LISTENER_MAX];
    int n;
    bool has_unix;
};

/* Opens what the options ask for. False, after the log lines of interface.md 1.1, if
 * that is not possible. */
bool listeners_open(struct runtime *rt);
/* A new turn: takes the connections that were left over. */
void listeners_turn(struct runtime *rt);
void listeners_close(struct runtime *rt);
/* For INFO: one "name=tcp,bind=...,port=..." line each. */
void listeners_describe(const struct conf_options *options, struct buf *out);

#endif
