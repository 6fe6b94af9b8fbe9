/*
 * state.h - the data of the core. Others may read it (through const pointers), only
 * files in sentinel/core write it.
 *
 * All instants are in the core's own lived time (clock.c): milliseconds that do not
 * pass while the process is frozen. core_lived() converts a driver's clock reading.
 */
#ifndef SENTINEL_CORE_STATE_H
#define SENTINEL_CORE_STATE_H

#include "common/addr.h"
#include "common/buf.h"
#include "common/hash.h"
#include "common/heap.h"
#include "common/rng.h"
#include "common/slots.h"
#include "sentinel/core/core.h"

enum timer_kind {
    TIMER_PULSE,       /* program: notices stalls, every CORE_PULSE_MS */
    TIMER_PERSIST,     /* program: a save that was put off, or retry of a failed one */
    TIMER_LINK,        /* link: dial, PING, stale checks */
    TIMER_NODE,        /* node: INFO, hello, reconfiguration deadlines */
    TIMER_NODE_DOWN,   /* node: the earliest moment it can become sdown */
    TIMER_NODE_FORGET, /* replica: it has been sdown for forget-replica-after */
    TIMER_VOTER_DOWN,  /* voter: the same for a peer as seen by one master */
    TIMER_PEER_HELLO,  /* peer: the next batch of hellos */
    TIMER_MASTER,      /* master: ask round, election and failover deadlines, retry */
    TIMER_JOB,         /* job: kill or retry */
};

struct timer {
    struct heap_node node;
    enum timer_kind kind;
    void *owner;
};

/* One channel of a link. */
struct chan {
    bool dialling;
    bool up;
    int64_t dialled_at; /* start of the present or last connection */
    int64_t up_at;
};

/* What the other end of a link can refuse us (refusal.c). */
enum refused {
    REFUSED_AUTH,
    REFUSED_NOAUTH, /* anything, for want of a password */
    REFUSED_SETNAME,
    REFUSED_PING,
    REFUSED_INFO,
    REFUSED_SUBSCRIBE,
    REFUSED_PUBLISH,
    REFUSED_SENTINEL,
    REFUSED_MYID,
    REFUSED_CLAIM,
    REFUSED_SCRIPT,
    REFUSED_MULTI,
    REFUSED_SLAVEOF,
    REFUSED_CONFIG,
    REFUSED_KILL,
    REFUSED_EXEC,
    REFUSED_N
};

/* A remote address: to a data server (then |node|) or to a peer (then |peer|, and all
 * masters that know the peer share this link). */
struct link {
    struct slot_id id;
    struct node *node;
    struct peer *peer;
    struct chan cmd, sub;
    char local_ip[ADDR_IP_CAP]; /* our end of cmd; "" while it is down */
    int n_in_flight;            /* commands sent on cmd and not yet answered */
    int64_t ping_pending_at;    /* oldest PING without acceptable answer; CORE_NEVER if
                                 * none. The time of creation to begin with */
    int64_t ping_sent_at;       /* last PING */
    int64_t ping_slot_at;       /* when it should have been sent, give or take */
    int64_t ping_due_at;        /* next PING */
    int64_t pong_at;            /* last answer of any kind to a PING */
    int64_t avail_at;           /* last acceptable answer to a PING */
    int64_t sub_heard_at;       /* last sign of life on sub */
    int64_t rtt_ms;          /* of the last PING that was answered at once; 0 unknown */
    int64_t redial_at;       /* when cmd (or sub) may be dialled again */
    uint32_t n_failed_dials; /* in a row */
    int64_t ping_period_ms;  /* least over the users */
    int64_t down_after_ms;   /* least over the users */
    uint32_t n_down;         /* users that hold it to be sdown */
    struct hostname *hostname; /* of its address; NULL if that was given as numbers */
    struct link *name_prev, *name_next; /* in hostname->links */
    int64_t ask_due_at;   /* the name is not looked up for this link before this */
    int64_t ask_pause_ms; /* grows while the link is in trouble */
    bool confirm; /* dialled, or about to be, without a fresh answer for the name */
    char *tls_problem; /* why TLS failed, logged; NULL since it works */
    uint32_t n_mute;   /* connections in a row that ended without a PONG */
    bool is_mute;      /* cmd is up, or was, and has not answered a PING */
    bool was_heard;    /* it has answered a PING, since it was made or reset */
    char **refusals;   /* by enum refused: the words of the other end, NULL where it did
                        * not refuse; NULL if it refuses nothing */
    struct timer timer;
};

enum role { ROLE_NONE, ROLE_MASTER, ROLE_REPLICA };

enum reconf { RECONF_NONE, RECONF_SENT, RECONF_INPROG, RECONF_DONE };

/* A master or a replica. It is the master iff node == node->master->current. */
struct node {
    struct master *master;
    struct addr addr;
    char *name; /* of a replica: "host:port", key in master->replicas */
    struct link *link;

    /* what its INFO says; kept from the last one that had the field */
    char run_id[RUN_ID_CAP];
    char reign[RUN_ID_CAP]; /* master_replid while it was the master here and since, if
                             * it has not been seen as a replica; "" unknown */
    int64_t info_at;        /* last INFO reply; CORE_NEVER if none yet */
    int64_t info_asked_at;  /* INFO under way since; CORE_NEVER if none */
    int64_t info_from_at; /* when the last one was asked for: what it says is no older,
                           * however long the reply was held back. With info_at */
    int64_t info_due_at;  /* when the next one is to be asked for */
    struct buf info_text;
    enum role role;      /* reported; the configured one to begin with */
    bool was_seen;       /* as a master, since it is ours */
    bool in_ring;        /* was not, and is a replica of its own replica */
    int64_t role_at;     /* since when */
    char *reported_host; /* master_host; NULL until known */
    int reported_port;
    bool reported_link_up;
    int64_t link_down_ms; /* master_link_down_since_seconds x 1000; may be negative */
    int64_t priority;
    uint64_t offset;
    bool announced;
    bool is_empty;           /* has no keys */
    int64_t conf_changed_at; /* role replica and its master: since when */
    int64_t listed_at; /* of a replica: the last INFO of the master that listed it */
    bool lists_all;    /* of a master: its last INFO had room for all its replicas */

    bool s_down;
    int64_t s_down_at; /* last entry; CORE_NEVER if never */
    bool script_kill_sent;
    bool rebooted; /* master only: run id changed, no PONG since */
    int64_t rebooted_at;

    int64_t hello_due_at; /* next PUBLISH of a hello */
    bool hello_pending;   /* one is under way */
    bool was_subscribed;  /* we have listened to it, some time */

    int64_t repaired_at;    /* last SLAVEOF to put it right; CORE_NEVER if none */
    bool reconf_refused;    /* the last reconfiguration was, and that is logged */
    uint8_t reconf_without; /* parts of it that are left out, being refused */
    bool reconf_again;      /* to be sent once more when the link is up */
    uint8_t reconf_n_again; /* times it was told again, following somebody else */
    enum reconf reconf;
    int64_t reconf_sent_at;
    int64_t info_wait_ms; /* fast INFO while something is awaited; 0: no */

    struct timer timer, down_timer, forget_timer;
    UT_hash_handle hh;
};

/* Who answers at the address of a peer, on its present connection. */
enum peer_ident {
    IDENT_UNKNOWN, /* it has not said yet */
    IDENT_SELF,    /* the run id we know it by */
    IDENT_WORD,    /* a sentinel that does not tell its run id: its hello is believed */
    IDENT_OTHER,   /* somebody else, or no sentinel */
};

/* What was said about refused hellos of a sender (sign.c). */
struct refusal_told {
    uint8_t why; /* the worst reason; 0: nothing */
    int64_t at;  /* the last refusal, said or not */
};

/* Another sentinel process, once for the whole program. */
struct peer {
    char run_id[RUN_ID_CAP];
    struct addr addr;
    struct link *link;
    bool verified; /* reached at least once, by us or by the one who wrote our file: it
                    * counts. Else its voters are in master->strangers */
    bool refused;  /* the last connection was: nobody is there */
    enum peer_ident ident;
    int64_t known_at;  /* when it was first heard of */
    int64_t heard_at;  /* last hello that gave the address we know */
    struct addr rival; /* address that other hellos give although it answers at ours */
    int64_t rival_since, rival_at; /* first and last of these; CORE_NEVER if none */
    int64_t rival_told_at;         /* when we last said so */
    struct addr home; /* where it was before a hello moved it, until it has answered at
                       * the new address; port 0: none */
    int64_t absent_since; /* somebody else answers at its address; CORE_NEVER if not */
    struct voter *voters; /* utlist, one per master it monitors too */
    uint32_t n_voters;
    uint32_t n_refused_hellos; /* for want of a good signature */
    struct refusal_told hellos_told;
    struct voter *hello_next; /* whose hello goes out next */
    struct timer hello_timer; /* of a stranger: when it is given up */
    UT_hash_handle hh;        /* in core->peers, by run_id */
};

/* A master's new address, as a hello told it, until its sender has confirmed it. */
struct claim {
    bool asked; /* the sender was asked and has not answered yet */
    uint64_t config_epoch;
    char host[ADDR_HOST_MAX + 1]; /* "": none */
    int64_t port;
};

/* A run id of which somebody knows the group's secret (sign.c). */
struct signer {
    char run_id[RUN_ID_CAP];
    int64_t stamp;    /* the newest it has signed; 0: any is new */
    int64_t heard_at; /* when that was heard */
    UT_hash_handle hh;
};

/* The last few hellos of a voter that were signed, by their digests: they also come
 * without signature, for those who do not know of any. */
#define VOUCHED_N 4
struct vouched {
    unsigned digest[VOUCHED_N];
    uint8_t next;
    int64_t at; /* when the last companion came */
};

/* Senders that are not peers and were refused, as far as this was said. */
#define REFUSED_SENDERS 16
struct refused_sender {
    char run_id[RUN_ID_CAP];
    struct refusal_told told;
};

/* What one peer last said about one master. */
struct voter {
    struct slot_id id;
    struct peer *peer;
    struct master *master;
    bool says_down;
    int64_t said_at; /* when the last well-formed answer was asked for, as a network may
                      * hold it back; time of creation to begin with */
    int64_t asked_at;        /* last question; CORE_NEVER if none */
    int64_t open_since;      /* first question without an answer, while there is one */
    uint8_t round;           /* answers to questions of earlier rounds do not count */
    char leader[RUN_ID_CAP]; /* whom it voted for; "" unknown */
    uint64_t leader_epoch;
    uint64_t asked_epoch;    /* election of ours it was asked to vote in; 0 none */
    uint64_t answered_epoch; /* election of ours that it has answered; 0 none */
    bool s_down;
    int64_t s_down_at;
    int64_t hello_at;    /* last hello from it about this master */
    uint64_t told_epoch; /* the config epoch in that */
    struct claim claim;  /* what that said, while it is being confirmed */
    char *unread;        /* of a stranger: its last hello, read once it is verified */
    bool unread_signed;  /* and that was signed */
    struct vouched vouched;
    uint64_t stands_epoch; /* it has signed that it stands for election then; 0 never */
    bool may_be_real;      /* of a stranger: counts in our majority for a moment */
    bool says_ip;          /* and that gave the master's address in numbers */
    struct timer down_timer;
    struct voter *prev, *next; /* in peer->voters */
    UT_hash_handle hh;         /* in master->voters, by peer->run_id */
};

enum failover_state {
    FO_NONE,
    FO_ELECT,   /* wait_start: votes are being counted */
    FO_SELECT,  /* select_slave */
    FO_PROMOTE, /* send_slaveof_noone: waiting for its link */
    FO_CONFIRM, /* wait_promotion */
    FO_RECONF,  /* reconf_slaves */
    FO_SWITCH,  /* update_config */
    FO_N
};

struct failover {
    enum failover_state state;
    uint64_t epoch;       /* of this election */
    bool forced;          /* SENTINEL FAILOVER */
    bool by_majority;     /* a majority voted for us in |epoch| */
    bool asked;           /* our own vote is on disk, peers may be asked */
    bool announced;       /* +switch-master is out */
    uint8_t n_told_again; /* times a server was told its role again */
    struct node *promoted;
    int64_t start_at;         /* of the last attempt of ours; CORE_NEVER if none */
    int64_t state_at;         /* last change of state */
    int64_t retry_at;         /* no automatic attempt before this */
    int64_t awaiting_since;   /* first vote of ours for another in this incident, with
                               * no attempt of our own since; CORE_NEVER if none */
    bool lacked_replica;      /* the last attempt ended for want of a good replica */
    int64_t retry_logged;     /* retry_at for which the delay was logged */
    uint32_t n_lost;          /* elections lost in a row: grows the retry delay */
    char awaited[RUN_ID_CAP]; /* candidate we voted for: while it lives it has time */
};

struct renamed {
    char *from, *to;
    struct renamed *next;
};

/* How a master is found by where it is (place.c). */
enum place_by { PLACE_BY_IP, PLACE_BY_HOST, PLACE_BY_ALIAS, PLACE_BY_N };

struct place_user {
    struct master *master;
    struct place *place; /* NULL: not in use */
    struct place_user *prev, *next;
};

struct master {
    struct core *core;
    char *name;
    struct node *current;
    struct node *replicas;      /* uthash by name */
    struct voter *voters;       /* uthash by run id; of verified peers */
    struct voter *strangers;    /* the same of peers that only a hello has told of */
    char (*former)[RUN_ID_CAP]; /* verified ones that SENTINEL RESET made us forget */
    size_t n_former;
    int64_t quorum, parallel_syncs;
    int64_t down_after_ms, failover_timeout_ms, reboot_down_after_ms;
    int tls; /* of links to its servers: 1, 0; -1: as tls-replication says */
    int64_t forget_replica_ms; /* 0: replicas are never forgotten by themselves */
    char *notification_script, *reconfig_script, *auth_pass, *auth_user;
    bool auth_changed;       /* while settings are applied */
    struct renamed *renames; /* in the order given */
    uint64_t config_epoch;
    char leader[RUN_ID_CAP]; /* our own last vote; "" unknown */
    uint64_t leader_epoch;   /* and the epoch it was cast in */
    bool o_down;
    int64_t o_down_at;
    int64_t ask_at;       /* next ask round while sdown */
    uint32_t reasks_left; /* further questions allowed before that round */
    struct failover failover;
    uint64_t config_version; /* core->version when its address or config epoch changed:
                              * no hello about it before that is on disk */
    uint64_t dirty_version;  /* core->version of its last change of any saved thing */
    struct timer timer;
    char *alias; /* a name that peers use for its present address, and that we may not
                  * look up; NULL */
    struct place_user places[PLACE_BY_N];
    UT_hash_handle hh; /* in core->masters, by name */
};

/* Masters by address, so that is-master-down-by-addr does not search. */
struct place {
    struct place_user *users; /* utlist: masters whose current address it is */
    UT_hash_handle hh;
    char key[]; /* "host port" */
};

/* A host name and what it stands for. */
struct hostname {
    char *host;             /* as it was first given */
    char ip[ADDR_IP_CAP];   /* its last answer; "" if there was none yet */
    int64_t asked_at;       /* it is being looked up since; CORE_NEVER */
    int64_t answered_at;    /* last answer or failure; CORE_NEVER */
    bool is_failing;        /* that was a failure; it is logged */
    bool is_stray;          /* no link had it when it was asked for */
    struct link *links;     /* utlist: links whose address was given by this name */
    struct waiter *waiters; /* utlist: what goes on when it has been looked up */
    uint32_t n_waiters;
    UT_hash_handle hh;
    char key[]; /* in lower case */
};

/* A script to run. */
struct job {
    struct slot_id id;
    char **argv; /* NULL-terminated */
    bool running;
    bool starting; /* JOB_START is out, no answer yet */
    bool killed;
    int pid;
    int64_t start_at; /* when it was started, or may be started again */
    int n_runs;
    struct timer timer;
    struct job *prev, *next;
};

/* Something held back until a version is on disk (durable.c), and something that waits
 * for a host name (resolve.c). */
struct held;
struct waiter;
struct warned;

struct core {
    struct rng rng;
    char myid[RUN_ID_CAP];
    bool started, id_is_new;

    /* settings, indexed by enum core_option where they are numbers */
    int64_t numbers[CORE_OPT_N];
    char *announce_ip, *sentinel_user, *sentinel_pass, *requirepass;
    char *gossip_secret, *gossip_secret_also;
    bool auth_changed; /* while settings are applied */

    uint64_t current_epoch;
    uint64_t disk_epoch; /* current_epoch as last known to be on disk; what we tell */

    /* time (clock.c) */
    int64_t seen_at; /* driver's now at the last event */
    int64_t seen_wall;
    int64_t stalled_ms; /* driver's now minus this is lived time */
    int64_t now;        /* lived */
    int64_t wall;
    bool tilt;
    int64_t tilt_at;
    uint32_t n_tilts;

    struct heap timers;
    struct timer pulse_timer, persist_timer;
    struct slots links, voter_ids, job_ids;
    struct master *masters; /* uthash by name, in order of creation */
    struct peer *peers;     /* uthash by run id */
    struct place *places;   /* uthash by key */

    /* durability (durable.c) */
    uint64_t version, asked_version, disk_version;
    uint64_t timed_version; /* its save is timed; 0: none is */
    int64_t timed_at;       /* since then */
    int64_t save_ms;        /* what saves take lately */
    int64_t save_again_at;  /* not before, unless something waits for it */
    uint64_t epoch_version; /* version when current_epoch last changed */
    struct held *held;
    bool save_failed;
    int64_t save_failed_at; /* since when; CORE_NEVER if the last save worked */
    int64_t save_retry_ms;

    struct hostname *hostnames; /* uthash by host in lower case */
    struct warned *warned;      /* uthash: what was said once (scope.c) */
    uint32_t n_strays;          /* look-ups under way of names that no link has */

    struct job *jobs;
    uint32_t n_jobs, n_jobs_running;
    uint32_t simulate_flags;

    /* A crowd of masters that die together: how many, and when the last one did. */
    uint32_t n_struck;
    int64_t struck_at;

    uint64_t n_late_inputs; /* failover inputs for a stage already over */
    uint64_t n_bad_hellos;  /* hellos that were refused */
    int64_t bad_hello_logged_at;
    uint64_t n_contradicted;  /* hellos that direct connections contradict */
    uint64_t n_refused_votes; /* for candidates that are no known sentinels */
    int64_t refused_vote_logged_at;
    uint32_t n_strangers;             /* peers that are not verified */
    char own_place[8][ADDR_NAME_CAP]; /* "host:port" as our hellos gave them */
    uint32_t n_own_places;

    /* signed hellos (sign.c) */
    core_mac_fn *mac;
    struct signer *signers;                         /* uthash by run id */
    int64_t stamp;                                  /* the last one that we signed */
    uint64_t n_unsigned, n_bad_signatures, n_stale; /* hellos that were refused */
    struct refused_sender refused_senders[REFUSED_SENDERS];
    uint32_t n_refused_senders;
    int64_t refused_sender_at; /* when the last one was said; CORE_NEVER */

    char twin[ADDR_NAME_CAP]; /* where our own run id was announced from as well */
    int64_t twin_at, twin_told_at;
    struct core_actions *actions; /* of the step under way */
    int64_t own_place_at[8];      /* when each own_place was told last */
};

/* ------------------------------------------------------ reading, for drivers ---- */

/* Lived time for a driver's clock reading. */
static inline int64_t core_lived(const struct core *core, int64_t now)
{
    return now - core->stalled_ms;
}

struct master *core_master_by_name(const struct core *core, const char *name);

/* How long the link of a replica to |master| may be down for the replica still to be
 * promoted, in ms. */
int64_t core_link_down_max(const struct master *master);

/* The node clients should be sent to: the promoted replica from FO_RECONF on, else the
 * current master. */
const struct node *master_address_node(const struct master *master);

/* The first master whose current address that is; NULL. */
struct master *core_master_at(const struct core *core, const char *host, int64_t port);

/* Does this sentinel see a master at |host| (numeric or name) and |port| as down? false
 * in TILT and for an unknown address. The first element of is-master-down-by-addr. */
bool core_is_master_down(const struct core *core, const char *host, int64_t port);

/* Does |voter| say that the master is down, and has it said so lately enough to count?
 * An answer can come after the master is up again, and nobody asks once more. */
bool core_voter_says_down(const struct core *core, const struct voter *voter);

/* Is |host| a name that the core would look up, if it were told of it? */
bool core_may_learn(const struct core *core, const char *host);

bool node_is_master(const struct node *node);
/* The word of the flags field: is a channel that should be up down, or of no use for
 * want of a password? A subscription that is refused is not missed: what else the
 * server says counts, and link_refusals() tells. */
bool link_is_disconnected(const struct link *link);
/* Appends what the other end refuses us, in its words; false if nothing. */
bool link_refusals(const struct link *link, struct buf *out);
/* Host text to show for |addr|, by announce-hostnames. */
const char *core_host(const struct core *core, const struct addr *addr);
/* "wait_start" and so on. */
const char *failover_state_name(enum failover_state state);

/* Sentinels that can be used for |master| and known ones, ourselves included. */
uint32_t master_usable_voters(const struct master *master);
uint32_t master_known_voters(const struct master *master);

/* What is demanded of hellos: never GOSSIP_AUTH_UNSET, and OFF without a secret. */
enum core_gossip_auth core_gossip_auth(const struct core *core);
/* "off", "prefer" or "require"; "" for GOSSIP_AUTH_UNSET. */
const char *gossip_auth_name(enum core_gossip_auth auth);
/* And back, in any case; GOSSIP_AUTH_UNSET for any other word. */
enum core_gossip_auth gossip_auth_named(const char *word);
/* Has that sentinel ever signed a hello? */
bool core_is_signer(const struct core *core, const char *run_id);

/* Is there news of another address for |peer| that is not a minute old? */
bool peer_has_rival(const struct core *core, const struct peer *peer);
/* The same about our own run id. */
bool core_has_twin(const struct core *core);

#define CORE_PULSE_MS 100

/* Defaults that decide whether a value is written to the file. */
#define DEFAULT_PARALLEL_SYNCS 1

#endif
