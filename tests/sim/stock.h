/*
 * stock.h - a model of a stock sentinel (7.0.15), written from what it is seen to do:
 * stock.exchange has the recorded evidence, exchange.c compares. A tick 10 to 20 times
 * a second looks at every master, replica and peer.
 *
 * Left out: host names, scripts, links shared between masters, the time its disk takes.
 */
#ifndef TESTS_SIM_STOCK_H
#define TESTS_SIM_STOCK_H

#include "tests/sim/world.h"

enum stock_kind { STOCK_MASTER, STOCK_REPLICA, STOCK_PEER };

/* What is to be done with a reply. */
enum stock_reply {
    STOCK_DROP,
    STOCK_PING,
    STOCK_INFO,
    STOCK_PUBLISH,
    STOCK_ASK,
    STOCK_SUBSCRIBE
};

struct stock_inst;

/* A connection, "cc" or "pc". */
struct stock_chan {
    struct stock_inst *inst;
    bool open; /* begun; the end is not known */
    bool up;
    struct slot_id conn;
    int64_t opened_at;
    int64_t heard_at; /* last bytes from there, or its beginning, in the world's time */
    struct buf out;   /* until it is up */
    struct buf awaited; /* enum stock_reply, one byte per reply */
    struct reply_parser parser;
};

/* A master, replica or peer as one master's record has it. */
struct stock_inst {
    enum stock_kind kind;
    struct stock_master *master;
    char run_id[RUN_ID_CAP];
    char ip[48];
    int port;
    struct stock_chan cmd, sub;
    int n_pending;
    int64_t reconnected_at, act_ping_at, ping_at, avail_at, pong_at, sub_heard_at;
    int64_t published_at;
    bool s_down;
    int64_t s_down_at; /* of the last entry */
    bool script_killed;
    /* masters and replicas, from INFO */
    int64_t info_at; /* 0: never */
    bool says_replica;
    int64_t role_at, conf_at, link_down_ms, priority;
    uint64_t offset;
    char of_ip[48]; /* its master, as it reports */
    int of_port;
    bool of_up;
    /* replicas */
    bool is_promoted, sent, inprog, done;
    int64_t sent_at;
    /* peers */
    bool says_down;
    int64_t answered_at;
    char leader[RUN_ID_CAP]; /* "": none */
    uint64_t leader_epoch;
    struct stock_inst *prev, *next;
};

enum stock_state {
    STOCK_NONE,
    STOCK_WAIT_START,
    STOCK_SELECT,
    STOCK_SEND_NO_ONE,
    STOCK_WAIT_PROMOTION,
    STOCK_RECONF,
    STOCK_UPDATE
};

struct stock_master {
    struct stock *stock;
    int group;
    struct stock_inst inst;
    struct stock_inst *replicas, *peers;
    int64_t quorum, down_after_ms, failover_timeout_ms, parallel_syncs, reboot_ms;
    char password[32];
    bool o_down, rebooted;
    int64_t o_down_at, rebooted_at;
    uint64_t config_epoch, leader_epoch, failover_epoch;
    char leader[RUN_ID_CAP]; /* our vote */
    enum stock_state state;
    int64_t state_at, start_at;
    bool forced;
    struct stock_inst *promoted;
};

struct stock {
    struct host *host;
    struct rng rng;
    uint64_t current_epoch;
    bool tilt;
    int64_t tilt_at, ticked_at;
    struct stock_master masters[SIM_GROUPS_MAX];
    struct stock_client *clients;
};

/* stock.c: the tick */
int64_t stock_now(const struct stock *stock);
void stock_event(struct stock *stock, const char *event, const struct stock_inst *inst,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The address that is told to others: the promoted replica's once it is a master. */
const struct stock_inst *stock_current(const struct stock_master *master);
void stock_start_failover(struct stock_master *master);
/* As RESET does; without the peers, if they are kept. */
void stock_reset(struct stock_master *master, bool keep_peers);
void stock_switch(struct stock_master *master, const char *ip, int port);
/* The vote of |master| for |epoch|: that of |candidate|, unless it was given before. */
void stock_vote(struct stock_master *master, uint64_t epoch, const char *candidate);
void stock_promoted(struct stock_master *master); /* its INFO says so */
/* The best replica that may be promoted, NULL if there is none. */
struct stock_inst *stock_select(const struct stock_master *master);
void stock_wake(struct host *host); /* the next tick */

/* stock_link.c: what it asks of others */
struct stock_inst *stock_add(struct stock_master *master, enum stock_kind kind,
                             const char *ip, int port, const char *run_id);
void stock_init(struct stock_inst *inst);
void stock_remove(struct stock_inst *inst);
void stock_close(struct stock_chan *chan);
bool stock_is_connected(const struct stock_inst *inst);
void stock_connect(struct stock_inst *inst);
void stock_periodic(struct stock_inst *inst);
void stock_ask(struct stock_master *master, bool forced);
bool stock_slaveof(struct stock_inst *inst, const char *ip,
                   int port); /* NULL: NO ONE */
bool stock_send(struct stock_chan *chan, enum stock_reply reply, const char *first, ...)
    __attribute__((sentinel));
void stock_conn_up(struct host *host, struct conn *conn);
void stock_replies(struct host *host, struct conn *conn, const char *bytes, size_t len);

/* stock_serve.c: what others ask of it; its file */
void stock_hello(struct stock *stock, const char *payload);
void stock_save(struct stock *stock);

#endif
