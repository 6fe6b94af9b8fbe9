/*
 * world.h - what is inside the simulator: machines, connections, data servers and
 * sentinel processes. For tests/sim and the scenario runner.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "common/buf.h"
#include "common/heap.h"
#include "common/rng.h"
#include "common/slots.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/core.h"
#include "sentinel/core/state.h"
#include "sentinel/server/server.h"
#include "tests/lib/reply.h"
#include "tests/sim/sim.h"

#define SIM_NODES_MAX 128
/* What the clocks of machines show to begin with, where there is no chance. */
#define HOST_WALL_BASE INT64_C(1800000000000)
#define SIM_HELLO "__sentinel__:hello"
/* The group's secret, where there is one. */
#define SIM_SECRET "known to sentinels only"

/* Which machines, as bits of node ids. */
__extension__ typedef unsigned __int128 node_set;
#define NODE_BIT(node) ((node_set)1 << (node))

/* ------------------------------------------------------------ queue (world.c) ---- */

struct entry;
typedef void entry_fire(struct sim *sim, struct entry *entry);

/* Something that will happen. */
struct entry {
    struct heap_node node;
    entry_fire *fire;
    int owner; /* the process that must handle it; -1: nobody in particular */
    uint32_t incarnation; /* of that process: later ones do not get it */
    struct slot_id conn;
    int64_t a, b;
    void *ptr;
    struct buf bytes;
    uint32_t round;     /* of faults: what an earlier one began is not ended twice */
    bool embedded;      /* part of another object, which |ptr| is: never freed */
    struct entry *next; /* while it waits for a frozen process */
};

/* A new entry at |at|; the caller fills in the rest. */
struct entry *world_at(struct sim *sim, int64_t at, int owner, entry_fire *fire);
/* The same, not yet in the queue. */
struct entry *world_entry(struct sim *sim, int owner, entry_fire *fire);
void world_entry_free(struct sim *sim, struct entry *entry);
/* Arms an embedded entry (zeroed to begin with); it fires also when |ptr| is frozen. */
void world_arm(struct sim *sim, struct entry *entry, int64_t at, entry_fire *fire,
               void *ptr);

/* --------------------------------------------------------- machines (world.c) ---- */

enum node_kind { NODE_REDIS, NODE_SENTINEL };

/* A machine and its one process. */
struct machine {
    enum node_kind kind;
    int id;
    char name[8]; /* "r1", "s1" */
    char ip[16];
    char dns_ip[16]; /* what the name server says while it has not heard; "": ip */
    int n_moves;     /* addresses it had before */
    uint16_t port;
    bool up;              /* the process exists */
    bool off;             /* the machine has no power: packets vanish */
    bool frozen;          /* the process gets no time */
    uint32_t incarnation; /* of the process */
    struct entry *waiting, **waiting_tail;  /* for a frozen process, in order */
    int64_t froze_at, thawed_at, frozen_ms; /* the last time */
    struct redis *redis;
    struct host *host;
};

bool world_has_fault(const struct sim *sim, enum fault_kind kind);
/* Are sentinels made to forget their peers, by RESET or by REMOVE? */
bool world_makes_forget(const struct sim *sim);
node_set world_all(const struct sim *sim); /* every machine */
/* Whose name that is, or whose address it is or was; -1 nobody's. */
int world_node_at(const struct sim *sim, const char *host, int64_t port);
struct machine *world_node_named(struct sim *sim, const char *name);
void world_freeze(struct sim *sim, int node);
void world_thaw(struct sim *sim, int node);
/* The stream of chance of a kind of fault: by its name, not by its place in the list.
 */
uint64_t world_stream(enum fault_kind kind);
/* Narration and trace hash. */
void world_tell(struct sim *sim, int node, enum sim_line kind, const char *text);
void world_note(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_hash(struct sim *sim, const void *bytes, size_t len);
/* Appends |text| with addresses and run ids replaced by names. */
void world_names(const struct sim *sim, const char *text, struct buf *out);
/* A broken invariant; the first one is kept. */
void world_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---------------------------------------------------------- network (net.c) ------ */

enum { END_CLIENT, END_SERVER }; /* who connected, and who was connected to */

/* A TCP connection between the processes of two machines. */
struct conn {
    struct slot_id id;
    int node[2];
    bool open[2];           /* this end has not closed it, nor learnt that it is gone */
    int64_t last_at[2];     /* last arrival planned at this end: order is kept */
    struct entry *stuck[2]; /* towards this end, while the path is blocked */
    struct entry **stuck_tail[2];
    int64_t stuck_since[2];
    int n_tries; /* connection attempts or retransmissions in a row */
    void *end[2];
    struct conn *prev, *next; /* all connections, in order of creation */
};

/* |end| is handed back in host_conn_*. */
struct slot_id net_connect(struct sim *sim, int from, const char *ip, int port,
                           void *end);
struct conn *net_conn(struct sim *sim, struct slot_id id);
void net_send(struct sim *sim, struct conn *conn, int from_end, const char *bytes,
              size_t len);
/* Closes one end in good order; the other learns of it after what was sent. */
void net_close(struct sim *sim, struct conn *conn, int end);
/* The process of |node| is gone: the kernel resets what it had. */
void net_process_gone(struct sim *sim, int node);
bool net_path(const struct sim *sim, int from, int to);        /* is it open? */
void net_block(struct sim *sim, int from, int to, bool block); /* counted */
void net_unblock_all(struct sim *sim);
int64_t net_latency(struct sim *sim, int from, int to);
void net_release(struct sim *sim);

/* The machine has left its address: connections are black holes. */
void net_leave(struct sim *sim, int node);

/* ------------------------------------------------------- names (names.c) --------- */

struct names {
    struct rng rng;
    bool used;      /* by configurations */
    bool announced; /* by replicas to their masters */
    bool shown;     /* by sentinels (announce-hostnames), where chance does not say */
};

/* Is |host| the name of |machine|, or an address that it has or had? */
bool names_had(const struct machine *machine, const char *host);
/* Whose name or present address that is; -1 nobody's. */
int names_now_at(const struct sim *sim, const char *host, int64_t port);
struct addr;
int names_node_of(const struct sim *sim, const struct addr *addr); /* or -1 */
/* How a configuration calls |machine|. */
const char *names_of(const struct sim *sim, const struct machine *machine);
/* Looks |name| up for |host|: CORE_EV_RESOLVED will follow. */
void names_resolve(struct host *host, const char *name);
/* The process dies, and will start at a new address; the name server hears of it
 * |dns_ms| from now. */
void names_move(struct sim *sim, struct machine *machine, int64_t dns_ms);
/* Are names used in this run? */
void names_draw(struct sim *sim);
/* Lines about names for a sentinel's configuration. */
void names_config(struct sim *sim, const struct machine *machine, struct buf *out);

/* ------------------------------------------------ data servers (redis*.c) -------- */

enum repl_state { REPL_NONE, REPL_SYNC, REPL_UP, REPL_STALLED };

struct redis_client {
    struct redis *redis;
    struct slot_id conn;
    struct resp_request parser;
    bool authed, subscribed, in_multi, multi_failed;
    struct buf queued; /* commands between MULTI and EXEC, encoded */
    int n_queued;
    bool closing;
    struct redis_client *prev, *next;
};

/* A model of one data server. */
struct redis {
    struct sim *sim;
    struct machine *machine;
    int group;
    struct redis_client *clients;

    /* its configuration file: what a restart begins with */
    char saved_host[48];
    int saved_port; /* 0: a master */
    int64_t priority;
    bool announced;
    char password[32];

    char run_id[RUN_ID_CAP];
    char replid[RUN_ID_CAP]; /* of its data: changes as that of a real one does */
    char master_host[48];
    int master_port; /* 0: a master */
    int master;      /* node id of that address, -1 unknown */

    /* replication */
    uint32_t repl_gen; /* replicas of an earlier generation have lost their link */
    enum repl_state repl;
    uint32_t repl_master_gen;
    int64_t repl_at;      /* of the present state */
    int64_t repl_down_at; /* -1: never had a link to this master */
    int64_t offset;       /* at offset_at */
    int64_t offset_at;
    int64_t rate; /* bytes written per second while master */
    int64_t lag_ms;
    int64_t sync_ms;
    int64_t repl_timeout_ms;

    int64_t loading_until, loading_ms;
    bool busy, unkillable, garbage, refuses;
    int64_t lied_at;     /* said that it is a master, being none; 0 never */
    char denied[64];     /* commands nobody may give, "config,exec" */
    int64_t promoted_at; /* last SLAVEOF NO ONE that was obeyed */
    struct entry cron;
};

struct redis *redis_new(struct sim *sim, const char *name, int group, int master,
                        int64_t priority);
void redis_free(struct redis *redis);
void redis_start(struct redis *redis, bool empty);
void redis_crash(struct redis *redis);
/* Somebody with a console: SLAVEOF without a sentinel. |master| -1: NO ONE. */
void redis_slaveof(struct redis *redis, int master);
/* Judge all replication links again: paths or processes changed. */
void redis_refresh_all(struct sim *sim);
/* Addresses have changed: who follows whom? */
void redis_follow_all(struct sim *sim);
int64_t redis_offset(const struct redis *redis);
bool redis_is_running(const struct redis *redis); /* up, on, not frozen */
bool redis_is_master(const struct redis *redis);
/* Does it follow |master| with a working link? */
bool redis_follows(const struct redis *redis, const struct redis *master);
bool redis_has_replica(const struct redis *redis, const struct redis *replica);
void redis_set_master(struct redis *redis, const char *host, int port);

void redis_info(const struct redis *redis, struct buf *out);
/* redis_cmd.c */
void redis_accept(struct redis *redis, struct conn *conn);
void redis_data(struct redis *redis, struct conn *conn, const char *bytes, size_t len);
void redis_closed(struct redis *redis, struct conn *conn);
void redis_drop_clients(struct redis *redis, const struct redis_client *except,
                        bool subscribed);
void redis_client_free(struct redis_client *client);
/* A hello to the subscribers, and |replicate|d to those of its replicas. */
void redis_publish(struct redis *redis, const char *payload, size_t len, bool replicate,
                   int depth);

/* ---------------------------------------------- sentinel processes (host*.c) ----- */

/* A command whose replies are awaited. */
struct pending {
    uint64_t tag;
    int about; /* a question to a peer: about which server; -1 none */
    int n_left, n_done;
    struct pending *next;
};

/* One channel of a link of the core. */
struct channel {
    struct host *host;
    struct slot_id link;
    enum link_chan chan;
    struct slot_id conn;
    int to; /* node, -1 unknown */
    bool to_peer, up;
    struct reply_parser parser;
    struct pending *pending, **pending_tail;
};

/* A client of the sentinel: a peer, or an administrator (conn zero). */
struct client {
    struct host *host;
    struct slot_id conn;
    struct session *session;
    struct buf in; /* not yet fed: the session waits for the core */
    bool awake;    /* has output, or news */
    /* of administrators */
    struct buf out;
    bool is_admin;
    struct client *prev, *next;
};

/* A vote request under way in the core. */
struct ballot {
    uint64_t client;
    int group;
    struct ballot *next;
};

/* What the durable image says, for the judges. */
struct disk_facts {
    uint64_t current_epoch;
    uint64_t config_epoch[SIM_GROUPS_MAX], leader_epoch[SIM_GROUPS_MAX];
};

/* What a sentinel thinks of a group, whoever made it. */
struct view {
    int master; /* node; -1 unknown */
    uint64_t config_epoch;
    bool tilt, failing_over, down;
    bool blind; /* it will not ask the master before its clock is where it was */
    int64_t down_after_ms, failover_timeout_ms;
    node_set servers, peers; /* that it knows, at their present addresses */
};

/* A sentinel that is not the real core: a model. It keeps what it is in host->impl. */
struct host_kind {
    void (*start)(struct host *host); /* from host->disk */
    void (*stop)(struct host *host);  /* all but host->disk is lost */
    void (*thaw)(struct host *host);
    void (*accept)(struct host *host, struct conn *conn);
    void (*up)(struct host *host, struct conn *conn);
    void (*data)(struct host *host, struct conn *conn, int end, const char *bytes,
                 size_t len);
    void (*down)(struct host *host, struct conn *conn, int end);
    void (*tell)(struct host *host, const char *const *words, size_t n);
    bool (*view)(const struct host *host, int group, struct view *out);
};

extern const struct host_kind stock_kind; /* stock_serve.c */

struct host {
    const struct host_kind *kind; /* NULL: the real core */
    void *impl;                   /* of |kind|, while it runs */
    struct sim *sim;
    struct machine *machine;
    char id[RUN_ID_CAP]; /* its run id, once known */
    uint32_t n_starts;
    struct rng rng;

    struct core *core;
    struct server *server;
    struct conf *conf;
    struct core_actions *actions;
    bool is_checked; /* core_check() has passed since the last step */
    struct request_copy *requests, **requests_tail; /* for the core, in order */
    struct client *clients, *teller;
    bool awake;                /* some client is */
    struct channel **channels; /* [slot * 2 + chan] */
    size_t n_channels;
    struct ballot *ballots;
    bool exiting;
    int exit_code;
    bool pumping;

    /* clocks */
    int64_t boot_at, mono_base, wall_base;
    int64_t drift_ppm;

    struct entry deadline, cron;

    /* disk */
    struct buf disk, image;
    uint64_t image_version;
    bool writing, write_again;
    bool disk_full, disk_readonly;
    int64_t echo_until; /* hellos are read twice until then */
    int64_t disk_slow_ms;
    struct disk_facts facts;

    /* how look-ups fare */
    enum { DNS_FINE, DNS_FAILS, DNS_SLOW, DNS_HANGS } dns;
    int64_t dns_ms;

    /* scripts: exit statuses to come, "0" when used up; < 0: signal */
    int job_status[16];
    int n_job_status;
    int64_t job_ms;
    int next_pid;
    struct job_run *jobs;

    /* scenario: die right after a command with this word was sent */
    char crash_after[32];
};

struct host *host_new(struct sim *sim, const char *name, const char *id);
void host_free(struct host *host);
void host_start(struct host *host);
void host_crash(struct host *host);
bool host_is_running(const struct host *host); /* up, on, not frozen */
void host_thaw(struct host *host);
int64_t host_now(const struct host *host);
int64_t host_wall(const struct host *host);
void host_step(struct host *host, struct core_event *event);
/* The clock jumps (wall) by |by_ms|. */
void host_step_clock(struct host *host, int64_t by_ms);
/* NULL as well if the sentinel is a model. */
const struct master *host_master(const struct host *host, int group);
/* False: it does not run, or does not monitor |group|. */
bool host_view(const struct host *host, int group, struct view *out);

/* host_io.c: connections and sessions */
void host_link_open(struct host *host, const struct core_action *action);
void host_link_close(struct host *host, struct slot_id link, enum link_chan chan);
void host_send(struct host *host, const struct core_action *action);
void host_conn_up(struct host *host, struct conn *conn);
void host_conn_data(struct host *host, struct conn *conn, int end, const char *bytes,
                    size_t len);
void host_conn_down(struct host *host, struct conn *conn, int end, const char *reason);
void host_accept(struct host *host, struct conn *conn);
struct client *host_admin(struct host *host);
void host_feed(struct client *client, const char *bytes, size_t len);
void host_client_free(struct client *client);
void host_client_wake(struct client *client); /* host_flush() looks at it */
/* One request by an administrator whose answer nobody awaits. */
void host_tell(struct host *host, const char *first, ...) __attribute__((sentinel));
void host_pump(struct host *host);
void host_flush(struct host *host);
void host_drop_io(struct host *host);

/* host_disk.c: disk and scripts */
void host_persist(struct host *host);
void host_disk_crash(struct host *host);
void host_read_facts(struct host *host);
void host_job_start(struct host *host, const struct core_action *action);
void host_job_kill(struct host *host, struct slot_id id);
void host_jobs_forget(struct host *host);

/* ------------------------------------------------------- judges (check*.c) ------- */

struct judge;
struct judge *check_new(struct sim *sim);
void check_free(struct judge *judge);
void check_action(struct host *host, bool was_tilt, const struct core_action *action);
void check_valid_reply(struct host *host, int node, struct slot_id from);
/* Returns the server a question to a peer is about; -1 if it is no question. */
int check_sent(struct host *host, const struct channel *channel, const char *bytes,
               size_t len);
/* |peer| answered a question about the server |about|. */
void check_opinion(struct host *host, int peer, int about,
                   const struct resp_value *value);
/* An event says that the sentinel came to another master of some group. */
void check_adopted(struct host *host, const char *text);
void check_vote_answer(struct host *host, int group, const struct core_action *action);
void check_started(struct host *host);
/* A stock sentinel tells a replica to be master. */
void check_stock_promotes(struct host *host, int group, const char *ip, int port);
/* A stock sentinel tells a server to follow another. */
void check_stock_demotes(struct host *host, const char *ip, int port);
/* A stock sentinel dies; its last vote, which need not be on its disk, was for
 * |leader_epoch|. It may vote again in an epoch it has forgotten: S1 is not judged. */
void check_stock_forgets(struct host *host, int group, uint64_t leader_epoch);
/* Everything that is judged by looking at the states. */
void check_state(struct sim *sim);
/* Before a server of |group| follows another one: remembers who is the master by hand.
 */
void check_note_heirs(struct sim *sim, int group);
void check_allow(struct sim *sim, int group, int node);
/* Is the server |node| known to all (or to any) of the sentinels of |set|? */
bool check_is_known(const struct sim *sim, node_set set, int node, bool by_all);
/* The sentinels of |set| (bits of node ids) agree about |group|, all its live servers
 * follow. NULL, or why not. */
const char *check_agreement(struct sim *sim, node_set set, int group, int *master);
bool check_was_told(const struct sim *sim, int group, int node, int64_t since);

/* excuse.c: why the sentinels of |set| need not agree about |group|, as things stand.
 */
enum excuse excuse_find(const struct sim *sim, node_set set, int group);
/* Have ours in |set| the quorum and the majority without stock's? */
bool excuse_ours_suffice(const struct sim *sim, node_set set, int group);

/* ------------------------------------------------------- faults (faults.c) ------- */

void faults_start(struct sim *sim, int64_t until);
/* No new faults, and those under way last for ever... */
void faults_stop(struct sim *sim);
/* ... but for these machines and the paths among them. */
void faults_heal(struct sim *sim, node_set set);
/* A sentinel tells an event: a bad moment for an administrator to act? */
void faults_moment(struct host *host, const char *channel);
/* Sentinels of |set| monitor again what they were made to forget. */
void faults_remember(struct sim *sim, node_set set);
void faults_isolate(struct sim *sim, int node, bool cut);
/* build.c */
void build_swarm(struct sim *sim);
void build_config(struct host *host);

/* --------------------------------------------------------------- the world ------- */

struct group {
    char name[8]; /* "m1" */
    int master;   /* first configured */
    int quorum;
    int64_t down_after_ms, failover_timeout_ms, parallel_syncs, reboot_ms;
    char password[32];
    bool scripts;
    struct rng rng; /* for what is drawn about it when it is built */
};

struct sim {
    struct sim_options options;
    int64_t now;
    struct heap queue;
    struct entry *spare;
    struct rng net_rng, world_rng, build_rng, fault_rng[FAULT_N];
    uint64_t hash;
    char violation[512];
    bool failed;

    struct machine nodes[SIM_NODES_MAX];
    int n_nodes;
    struct group groups[SIM_GROUPS_MAX];
    int n_groups;

    struct slots conns;
    struct conn *conn_list;
    uint8_t blocked[SIM_NODES_MAX][SIM_NODES_MAX];
    int16_t latency[SIM_NODES_MAX][SIM_NODES_MAX];
    int16_t jitter;
    int16_t slow[SIM_NODES_MAX][SIM_NODES_MAX]; /* added */

    struct names names;
    enum core_gossip_auth auth; /* UNSET: sentinels have no secret */
    uint64_t faults;            /* FAULT_BIT() */
    uint32_t n_strikes[FAULT_N];
    int64_t fault_mean_ms;
    int64_t faults_until;
    uint32_t fault_round;
    bool dying; /* no violation is looked for while all is torn down */

    struct judge *judge;
    struct sim_statistics stats;
    struct buf scratch;
};

#endif
