/*
 * bench.h - one core in a small world, driven by a fuzz input.
 *
 * Whatever the core waits for (a connection, a reply, a save, a name, a script) is an
 * item in a queue. The target chooses which item ends next, and whether as the world
 * would have it or otherwise. The promises of core.h to the core are kept: replies of a
 * channel come in order, and none after it was closed.
 */
#ifndef TESTS_FUZZ_BENCH_H
#define TESTS_FUZZ_BENCH_H

#include "common/buf.h"
#include "sentinel/core/core.h"
#include "sentinel/core/state.h"
#include "tests/fuzz/input.h"

#define BENCH_SERVERS 4 /* ports from BENCH_PORT on; the first is the master */
#define BENCH_PEERS 3   /* ports from BENCH_PEER_PORT on */
#define BENCH_PORT 6379
#define BENCH_PEER_PORT 26380
#define BENCH_STEPS_MAX 2000
#define BENCH_REQUESTS_MAX 512

enum bench_wait {
    BENCH_DIAL,
    BENCH_REPLY,
    BENCH_SAVE,
    BENCH_RESOLVE,
    BENCH_JOB_START,
    BENCH_JOB_EXIT
};

struct bench_item {
    enum bench_wait wait;
    struct slot_id link, job;
    enum link_chan chan;
    uint16_t port;
    uint64_t tag, version;
    int index;
    char *text; /* the command, blanks between its words; the host name */
    struct bench_item *prev, *next;
};

struct bench_server {
    bool is_dead, is_replica, is_behind;
    int64_t master_port;
    uint64_t offset;
    int priority;
};

struct bench_peer {
    bool is_dead, says_down, votes_for_itself;
    char leader[RUN_ID_CAP];
    int64_t leader_epoch;
};

struct bench {
    struct core *core;
    struct core_actions *actions;
    int64_t now, wall;
    struct bench_item *items; /* oldest first */
    struct bench_server servers[BENCH_SERVERS];
    struct bench_peer peers[BENCH_PEERS];
    bool is_disk_bad;
    bool is_over; /* the core asked for the end, or took enough steps */
    int n_steps;
    int64_t spin_at; /* steps without time passing, to see endless ones */
    int n_spins;
    uint64_t n_requests; /* clients are 1..n_requests */
    bool is_answered[BENCH_REQUESTS_MAX + 1];
};

/* bench.c. Load more, then bench_start(). */
void bench_init(struct bench *bench, uint64_t seed);
void bench_load_master(struct bench *bench, const char *name, int64_t quorum);
void bench_load_peers(struct bench *bench, const char *master, int n);
void bench_set(struct bench *bench, const char *master, enum core_option option,
               int64_t number, const char *text);
void bench_start(struct bench *bench);
/* Sees that all requests get their answer and that the state can be saved. */
void bench_finish(struct bench *bench);

/* One event; core_check() follows. */
void bench_step(struct bench *bench, struct core_event *event);
void bench_request(struct bench *bench, struct core_request *request);
/* Ends |item| as the world would, or a reply with |value|. False: it is left as it is,
 * because the other side is silent. */
bool bench_end(struct bench *bench, struct bench_item *item);
void bench_reply(struct bench *bench, struct bench_item *item,
                 const struct resp_value *value);
/* Ends |item| with something else than the world would. */
void bench_fail(struct bench *bench, struct bench_item *item);
/* The item number |n|, or the first reply its channel waits for; NULL: none. */
struct bench_item *bench_item(const struct bench *bench, unsigned n);
/* The first reply to |command| that |port| owes; NULL: none. */
struct bench_item *bench_item_of(const struct bench *bench, int port,
                                 const char *command);
/* The link number |n| in some order; NULL: none. */
struct link *bench_link(const struct bench *bench, unsigned n);
void bench_break(struct bench *bench, struct slot_id link, enum link_chan chan);
void bench_message(struct bench *bench, struct slot_id link, const char *text,
                   size_t len);
/* Everything that can end ends; then |ms| pass. */
void bench_run(struct bench *bench, int64_t ms);
/* |ms| pass, or the time to the next deadline if 0, and nothing ends. */
void bench_wait_only(struct bench *bench, int64_t ms);

/* bench_world.c */
void bench_world_init(struct bench *bench);
bool bench_world_is_dead(const struct bench *bench, uint16_t port);
const char *bench_world_peer_id(int n); /* run id of a peer */
/* What the other side of |item| replies to its command. */
void bench_world_reply(struct bench *bench, const struct bench_item *item);

#endif
