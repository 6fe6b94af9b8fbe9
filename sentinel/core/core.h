/*
 * core.h - the contract of the decision core: the one header its drivers include.
 *
 * The core is a pure function with a memory. A driver (the libuv runtime, or the
 * simulator) tells it what happened and when; it answers with a list of what to do. It
 * performs no I/O, reads no clock, draws no randomness but from its own seed, and keeps
 * no global state, so that the same configuration, seed and events always give the same
 * actions.
 */
#ifndef SENTINEL_CORE_CORE_H
#define SENTINEL_CORE_CORE_H

#include "common/err.h"
#include "common/log.h"
#include "common/resp.h"
#include "common/slots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_ID_LEN 40
#define RUN_ID_CAP (RUN_ID_LEN + 1)

/* An instant that never comes. */
#define CORE_NEVER INT64_MAX

/* No epoch is raised by more than this in one go by something received (a forged or
 * damaged message would otherwise end all elections for ever). */
#define CORE_EPOCH_JUMP_MAX 1000000000

struct core;
struct core_actions;

/* ------------------------------------------------------------------- signing ---- */

#define CORE_MAC_LEN 32

/*
 * HMAC-SHA256 of |text| with |key|, written to |mac|. The core has no cryptography of
 * its own, and calls this one from core_step(). It must be a pure function.
 */
typedef void core_mac_fn(unsigned char mac[CORE_MAC_LEN], const char *key,
                         size_t key_len, const char *text, size_t text_len);

/* What is demanded of the hellos of others (decisions/0027). */
enum core_gossip_auth {
    GOSSIP_AUTH_UNSET, /* as PREFER if there is a secret, else as OFF */
    GOSSIP_AUTH_OFF,
    GOSSIP_AUTH_PREFER,  /* who has ever signed must sign */
    GOSSIP_AUTH_REQUIRE, /* all must */
};

#define GOSSIP_SECRET_MIN 16 /* bytes */
#define GOSSIP_SECRET_MAX 256

/* ------------------------------------------------------------------ settings ---- */

/* What can be set, at load time, by SENTINEL SET, by SENTINEL CONFIG SET or by SENTINEL
 * DEBUG. The group says which of these may. */
enum core_option {
    /* of one master: `sentinel <option> <master> ...` and SENTINEL SET */
    CORE_OPT_DOWN_AFTER,        /* number, ms, > 0 */
    CORE_OPT_FAILOVER_TIMEOUT,  /* number, ms, > 0 */
    CORE_OPT_PARALLEL_SYNCS,    /* number; below 1 behaves as 1 */
    CORE_OPT_QUORUM,            /* number, > 0 */
    CORE_OPT_REBOOT_DOWN_AFTER, /* number, ms, >= 0; master-reboot-down-after-period */
    CORE_OPT_NOTIFICATION_SCRIPT, /* text; NULL or "" removes */
    CORE_OPT_RECONFIG_SCRIPT,     /* text; client-reconfig-script */
    CORE_OPT_AUTH_PASS,           /* text */
    CORE_OPT_AUTH_USER,           /* text */
    CORE_OPT_RENAME_COMMAND,      /* text = old name, text2 = new name */
    CORE_OPT_FORGET_REPLICA,      /* number, ms, >= 0; forget-replica-after, 0: never */
    CORE_OPT_TLS,                 /* number: 1, 0; -1: as tls-replication says */
    /* of one master, only in the file */
    CORE_OPT_CONFIG_EPOCH,
    CORE_OPT_LEADER_EPOCH,
    /* of the whole sentinel */
    CORE_OPT_MYID,               /* text of RUN_ID_LEN characters */
    CORE_OPT_CURRENT_EPOCH,      /* the greater of this and the present value is kept */
    CORE_OPT_DENY_SCRIPTS,       /* number 0 or 1; deny-scripts-reconfig */
    CORE_OPT_RESOLVE_HOSTNAMES,  /* 0 or 1 */
    CORE_OPT_ANNOUNCE_HOSTNAMES, /* 0 or 1 */
    CORE_OPT_ANNOUNCE_IP,        /* text; "" unsets */
    CORE_OPT_ANNOUNCE_PORT,      /* 0 unsets */
    CORE_OPT_SENTINEL_USER,      /* text */
    CORE_OPT_SENTINEL_PASS,      /* text */
    CORE_OPT_REQUIREPASS,        /* text: our own password, used towards peers when
                                  * sentinel-pass is unset */
    CORE_OPT_TLS_REPLICATION,    /* 0 or 1: links use TLS, to peers always */
    CORE_OPT_TLS_VERIFY_HOSTNAME, /* 0 or 1: certificates must name the server */
    CORE_OPT_VOTE_FOR_UNKNOWN,    /* 0 or 1: candidates need not be known sentinels */
    CORE_OPT_GOSSIP_SECRET, /* text: hellos are signed with it; "" unsets. Set at run
                             * time to the value of the next one, the two change
                             * places */
    CORE_OPT_GOSSIP_SECRET_ALSO, /* text: one more with which others may sign */
    CORE_OPT_GOSSIP_AUTH,        /* enum core_gossip_auth */
    CORE_OPT_KNOWN_SIGNER,       /* text: run id that has signed; only in the file */
    CORE_OPT_PORT,               /* the port hellos announce when announce-port is 0 */
    /* periods, SENTINEL DEBUG only; ms, > 0; never saved */
    CORE_OPT_INFO_PERIOD,
    CORE_OPT_PING_PERIOD,
    CORE_OPT_ASK_PERIOD,
    CORE_OPT_PUBLISH_PERIOD,
    CORE_OPT_DEFAULT_DOWN_AFTER,
    CORE_OPT_DEFAULT_FAILOVER_TIMEOUT,
    CORE_OPT_TILT_TRIGGER,
    CORE_OPT_TILT_PERIOD,
    CORE_OPT_SLAVE_RECONF_TIMEOUT,
    CORE_OPT_MIN_LINK_RECONNECT_PERIOD,
    CORE_OPT_ELECTION_TIMEOUT,
    CORE_OPT_SCRIPT_MAX_RUNTIME,
    CORE_OPT_SCRIPT_RETRY_DELAY,
    CORE_OPT_N
};

/* One value. Numbers are already checked for the range given above. */
struct core_setting {
    enum core_option option;
    int64_t number;
    const char *text, *text2;
    const char *word; /* the option as the client spelled it, for the +set event */
};

/* -------------------------------------------------------------------- events ---- */

enum link_chan {
    LINK_CMD, /* commands and their replies */
    LINK_SUB, /* the subscription to __sentinel__:hello; data servers only */
};

enum core_event_type {
    CORE_EV_DEADLINE,    /* core_deadline() has been reached */
    CORE_EV_LINK_UP,     /* a channel is connected and may carry commands */
    CORE_EV_LINK_DOWN,   /* a channel could not connect, failed, or was closed by the
                          * other side; not sent for a CORE_AC_LINK_CLOSE */
    CORE_EV_REPLY,       /* one reply to one command of a CORE_AC_SEND, in order */
    CORE_EV_MESSAGE,     /* one pub/sub message on a LINK_SUB channel */
    CORE_EV_RESOLVED,    /* answer to CORE_AC_RESOLVE */
    CORE_EV_PERSISTED,   /* state up to a version is on stable storage, or is not */
    CORE_EV_JOB_STARTED, /* answer to CORE_AC_JOB_START */
    CORE_EV_JOB_EXIT,    /* a script ended */
    CORE_EV_REQUEST,     /* a client asks for a change or for a vote */
};

enum core_request_type {
    CORE_RQ_VOTE,     /* host, port, epoch, text = run id (not "*") */
    CORE_RQ_ASKED,    /* host, port: a peer asked whether that master is down, without
                       * wanting a vote; nobody waits for an answer */
    CORE_RQ_HELLO,    /* text, text_len: a payload sent by PUBLISH; answered INT 1 */
    CORE_RQ_FAILOVER, /* name */
    CORE_RQ_RESET,    /* text = pattern; answered INT */
    CORE_RQ_MONITOR,  /* name, host, port, number = quorum; answered once saved */
    CORE_RQ_REMOVE,   /* name; answered once saved */
    CORE_RQ_FORGET,   /* name, and host, port of a replica or text = run id of a
                       * sentinel; answered once saved */
    CORE_RQ_SET,      /* name, settings; answered once saved. A non-NULL text is the
                       * error to answer instead: the caller found it behind the
                       * settings given here, which are applied all the same */
    CORE_RQ_CONFIG,   /* settings of the whole sentinel; answered once saved */
    CORE_RQ_DEBUG,    /* settings: periods; not saved */
    CORE_RQ_SIMULATE, /* number: the new simulate-failure flags (1, 2) */
    CORE_RQ_FLUSH,    /* answered once saved */
};

struct core_request {
    enum core_request_type type;
    uint64_t client; /* comes back in the answer; 0: nobody waits */
    const char *name;
    const char *host;
    int64_t port;
    int64_t number;
    uint64_t epoch;
    const char *text;
    size_t text_len;
    const struct core_setting *settings;
    size_t n_settings;
};

/* Everything an event points to is only borrowed for the call. */
struct core_event {
    enum core_event_type type;
    int64_t now;  /* monotonic ms; never less than in the previous event */
    int64_t wall; /* Unix time in ms; for people and for noticing a frozen machine */
    union {
        struct {
            struct slot_id link;
            enum link_chan chan;
            const char *local_ip; /* numeric; our end of the connection */
        } up;
        struct {
            struct slot_id link;
            enum link_chan chan;
            const char *reason;
            bool tls; /* it failed because of TLS, which a person must mend */
        } down;
        struct {
            struct slot_id link;
            enum link_chan chan;
            uint64_t tag;
            int index; /* which reply of that CORE_AC_SEND: 0 .. n_replies-1 */
            const struct resp_value *value;
        } reply;
        struct {
            struct slot_id link;
            const char *channel;
            const char *text;
            size_t len;
        } message;
        struct {
            const char *host;
            const char *ip; /* canonical numeric text; NULL if it did not resolve */
        } resolved;
        struct {
            uint64_t version;
            bool ok;
            const char *reason; /* if not |ok|, for people; NULL unknown */
        } persisted;
        struct {
            struct slot_id job;
            int pid; /* < 0: could not be started */
        } job_started;
        struct {
            struct slot_id job;
            int status; /* exit code; 0 if a signal ended it */
            int signal; /* 0 if it exited by itself */
        } job_exit;
        const struct core_request *request;
    };
};

/* ------------------------------------------------------------------- actions ---- */

enum core_action_type {
    CORE_AC_LINK_OPEN,  /* connect; LINK_UP or LINK_DOWN will follow */
    CORE_AC_LINK_CLOSE, /* close; events of it that are still queued are dropped */
    CORE_AC_SEND,       /* write; n_replies replies will follow, or LINK_DOWN */
    CORE_AC_RESOLVE,    /* look a host name up; RESOLVED will follow */
    CORE_AC_PERSIST,    /* save the state; PERSISTED with a version at least this great
                         * will follow. Merging several is fine */
    CORE_AC_EVENT,      /* log (if the level asks for it) and publish (unless DEBUG) */
    CORE_AC_LOG,        /* log only */
    CORE_AC_NOTE,       /* narration: why something was decided; debug log, traces */
    CORE_AC_ANSWER,     /* answer to a CORE_EV_REQUEST */
    CORE_AC_JOB_START,  /* run a script; JOB_STARTED, then JOB_EXIT will follow */
    CORE_AC_JOB_KILL,   /* SIGKILL it; JOB_EXIT will follow */
    CORE_AC_EXIT,       /* simulated failure: end the process now with this status */
};

enum core_answer_kind {
    CORE_ANSWER_OK,
    CORE_ANSWER_ERROR, /* text, with its code ("INPROG ...") or without ("ERR " is
                          added) */
    CORE_ANSWER_INT,   /* number */
    CORE_ANSWER_VOTE,  /* down, leader (NULL: "*"), epoch */
};

/* Everything an action points to is valid until the next core_step() with the same
 * |actions|. */
struct core_action {
    enum core_action_type type;
    union {
        struct {
            struct slot_id link;
            enum link_chan chan;
            const char *ip;
            uint16_t port;
            bool to_peer; /* another sentinel, not a data server */
            bool tls;
            const char *host; /* what the certificate must be for; NULL: anything */
        } open;
        struct {
            struct slot_id link;
            enum link_chan chan;
        } close;
        struct {
            struct slot_id link;
            enum link_chan chan;
            const char *bytes;
            size_t len;
            int n_replies;
            uint64_t tag;
        } send;
        struct {
            const char *host;
        } resolve;
        struct {
            uint64_t version;
        } persist;
        struct {
            enum log_level level;
            const char *channel; /* event name; NULL for CORE_AC_LOG and CORE_AC_NOTE */
            const char *text;
            int64_t wall_at; /* CORE_AC_LOG: if not 0, the driver appends this Unix time
                              * (ms) as ctime(3) lays it out, local, without newline */
        } event;
        struct {
            uint64_t client;
            enum core_answer_kind kind;
            const char *text;
            int64_t number;
            bool down;
            const char *leader;
            uint64_t epoch;
        } answer;
        struct {
            struct slot_id job;
            char *const *argv; /* NULL-terminated */
        } job_start;
        struct {
            struct slot_id job;
        } job_kill;
        struct {
            int code;
        } exit;
    };
};

struct core_actions *core_actions_new(void);
void core_actions_free(struct core_actions *actions);
/* The next action not yet taken, in order; NULL when there is none. */
const struct core_action *core_actions_next(struct core_actions *actions);

/* ---------------------------------------------------------------- life cycle ---- */

/* |seed| decides every random choice. The run id is drawn from |seed| as well unless
 * CORE_OPT_MYID is loaded; a driver therefore seeds from the operating system. */
struct core *core_new(uint64_t seed);
void core_free(struct core *core);

/*
 * Loading, before core_start(). All return 0, or with a reason in |err| (the sentence
 * of behaviour.md 12.2): ERR_UNKNOWN no such master; ERR_DUPLICATE; ERR_SYNTAX a host
 * that is neither numeric nor, with resolve-hostnames, a name; ERR_RANGE a bad port or
 * value. Load CORE_OPT_RESOLVE_HOSTNAMES first.
 */
int core_load_setting(struct core *core, const char *master,
                      const struct core_setting *setting, struct error *err);
int core_load_monitor(struct core *core, const char *name, const char *host,
                      int64_t port, int64_t quorum, struct error *err);
int core_load_replica(struct core *core, const char *master, const char *host,
                      int64_t port, struct error *err);
int core_load_sentinel(struct core *core, const char *master, const char *host,
                       int64_t port, const char *run_id, struct error *err);

/* With which function hellos are signed. Before loading: without one no gossip-secret
 * is accepted. */
void core_use_mac(struct core *core, core_mac_fn *mac);

/* The run id that core_new() drew is on disk: the driver saved it before core_start(),
 * which then does not ask for it. */
void core_id_is_saved(struct core *core);

/*
 * core_start() ends loading and begins work at |now|: links are dialled, timers run,
 * the run id is saved if it is new, +monitor is emitted for each master.
 */
void core_start(struct core *core, int64_t now, int64_t wall,
                struct core_actions *actions);

/*
 * core_step() tells the core that |event| happened at |event->now| and replaces the
 * contents of |actions| with what the driver must now do, in order.
 *
 * Not reentrant: the driver performs the actions after the call returns, and queues
 * whatever happens while it does. Events that refer to a link or job that no longer
 * exists are normal and have no effect.
 */
void core_step(struct core *core, const struct core_event *event,
               struct core_actions *actions);

/* When CORE_EV_DEADLINE is due; CORE_NEVER if nothing waits. Changes only in
 * core_step() and core_start(). Being late is safe; being early has no effect. */
int64_t core_deadline(const struct core *core);

/* The version of the state as it is now: what a driver that renders it now may report
 * as PERSISTED once that rendering is on disk. */
uint64_t core_version(const struct core *core);

/* Would CORE_RQ_CONFIG with these |n| settings be refused now? Returns 0, or ERR_RANGE
 * or ERR_STATE with the reason in |err|. Changes nothing. */
int core_check_settings(const struct core *core, const struct core_setting *settings,
                        size_t n, struct error *err);

/* Aborts if any invariant of the data does not hold. O(everything); for tests. */
void core_check(const struct core *core);

#endif
