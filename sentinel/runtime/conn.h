/*
 * conn.h - the connections of the core's links: a stream and a reply reader for each of
 * a link's two channels.
 */
#ifndef SENTINEL_RUNTIME_CONN_H
#define SENTINEL_RUNTIME_CONN_H

#include "sentinel/core/core.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct replies;
struct runtime;

/* One channel as the core knows it. |dial| numbers its connections: events carry it,
 * and those of an earlier connection are recognised as late. */
struct conn_chan {
    struct conn *conn; /* NULL while there is no connection */
    uint64_t dial;     /* 0: closed by the core */
};

/* Link ids are slots of a dense table in the core, so they index one here. */
struct conn_slot {
    uint32_t gen;
    struct conn_chan chans[2];
};

/* A reply rarely comes in two pieces, so a few readers serve all connections. */
#define CONNS_READERS_MAX 16

struct conns {
    struct conn_slot *slots;
    size_t cap;
    size_t n; /* open or opening */
    uint64_t n_dials;
    struct replies *readers[CONNS_READERS_MAX]; /* idle ones */
    size_t n_readers;
};

void conn_open(struct runtime *rt, const struct core_action *action);
void conn_close(struct runtime *rt, struct slot_id link, enum link_chan chan);
void conn_send(struct runtime *rt, const struct core_action *action);
/* Is |dial| still the connection of that channel? */
bool conn_is_current(const struct runtime *rt, struct slot_id link, enum link_chan chan,
                     uint64_t dial);
void conns_close(struct runtime *rt);

#endif
