/*
 * internal.h - what the files of the core share with one another.
 */
#ifndef SENTINEL_CORE_INTERNAL_H
#define SENTINEL_CORE_INTERNAL_H

#include "common/arena.h"
#include "common/assert.h"
#include "common/mem.h"
#include "sentinel/core/state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HELLO_CHANNEL "__sentinel__:hello"
#define EVENT_TEXT_MAX 1023
/* With so many connections, what comes again and again is spread over its period. */
#define SPREAD_LINKS 5000

/* ---- timers.c: one heap for everything that waits ---- */
void timer_init(struct timer *timer, enum timer_kind kind, void *owner);
/* Due at |at| (not before now); replaces what was armed. CORE_NEVER disarms. */
void timer_arm(struct core *core, struct timer *timer, int64_t at);
/* As timer_arm(), unless it is armed for an earlier moment already (lazy timers). */
void timer_arm_by(struct core *core, struct timer *timer, int64_t at);
void timer_disarm(struct core *core, struct timer *timer);
/* Runs what is due. A timer armed meanwhile never runs in the same call. */
void timers_run(struct core *core);

/* ---- clock.c ---- */
/* Tells the core what time it is; notices that the process was frozen. */
void clock_observe(struct core *core, int64_t now, int64_t wall);
void clock_pulse(struct core *core); /* the pulse timer */

/* ---- emit.c: appending actions ---- */
/* Starts the list of a step in |actions|. */
void emit_begin(struct core *core, struct core_actions *actions);
struct core_action *emit(struct core *core, enum core_action_type type);
struct arena *emit_arena(struct core *core);
/* The action appended last. */
struct core_action *core_action_last(struct core *core);
/* Events about a master, a node (master or replica) or a peer as known to one master;
 * |format| gives what follows the identity, NULL for nothing. */
void emit_master(struct core *core, enum log_level level, const char *event,
                 struct master *master, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void emit_node(struct core *core, enum log_level level, const char *event,
               struct node *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void emit_voter(struct core *core, enum log_level level, const char *event,
                struct voter *voter, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* An event without identity; |master| (may be NULL) is whose scripts hear of it. */
void emit_plain(struct core *core, enum log_level level, const char *event,
                struct master *master, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void emit_log(struct core *core, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void emit_note(struct core *core, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void emit_answer_ok(struct core *core, uint64_t client);
void emit_answer_int(struct core *core, uint64_t client, int64_t number);
void emit_answer_error(struct core *core, uint64_t client, const char *text);
void emit_answer_vote(struct core *core, uint64_t client, bool down, const char *leader,
                      uint64_t epoch);

/* ---- durable.c: nothing leaves before the disk has it ---- */
/* Something that is saved has changed; |master| is whose, or NULL. */
void durable_touch(struct core *core, struct master *master);
/* current_epoch has changed. */
void durable_touch_epoch(struct core *core);
/* The master's address or config epoch has changed; hellos about it follow the disk. */
void durable_touch_config(struct core *core, struct master *master);
/* Hold until the state as of now is on disk: the answer to a vote request, ... */
void durable_hold_vote(struct core *core, struct master *master, uint64_t client,
                       bool down);
/* ... the questions of our own election, ... */
void durable_hold_election(struct core *core, struct master *master);
/* ... the OK of a command that saves, ... */
void durable_hold_ok(struct core *core, uint64_t client);
/* ... or the end of the process. */
void durable_hold_exit(struct core *core, int code);
void durable_on_persisted(struct core *core, uint64_t version, bool ok,
                          const char *reason);
/* The next save is not put off: a person asked for what has changed. */
void durable_hurry(struct core *core);
void durable_on_timer(struct core *core);
void durable_settle(struct core *core); /* end of a step */
void durable_forget(struct core *core, const struct master *master);
void durable_release(struct core *core);
bool durable_hello_allowed(const struct master *master);

/* ---- command.c: what we send ---- */
enum tag_kind {
    TAG_AUTH,
    TAG_PING,
    TAG_INFO,
    TAG_HELLO,
    TAG_ASK,  /* is-master-down-by-addr without a vote */
    TAG_VOTE, /* with one */
    TAG_SUBSCRIBE,
    TAG_SLAVEOF, /* the replies of a reconfiguration */
    TAG_MYID,    /* who a peer is */
    TAG_CLAIM,   /* whom a peer takes for the master */
    TAG_SETNAME,
    TAG_SCRIPT,
    TAG_REAUTH, /* AUTH on a connection that is in use */
};
/* The parts of a reconfiguration, in the order in which they are sent. Without MULTI
 * and EXEC it is no transaction, but does the same. */
enum part {
    PART_MULTI = 1,
    PART_SLAVEOF = 2,
    PART_REWRITE = 4,
    PART_KILL_NORMAL = 8,
    PART_KILL_PUBSUB = 16,
    PART_EXEC = 32,
    PART_ALL = 63
};
struct tag {
    enum tag_kind kind;
    uint8_t round;
    uint8_t parts;        /* of TAG_SLAVEOF: those that were sent */
    bool no_one;          /* and whether that was SLAVEOF NO ONE */
    struct slot_id voter; /* generation cut to 20 bits */
};
struct tag tag_unpack(uint64_t tag);
/* The voter a reply is about; NULL if it is gone. */
struct voter *command_voter(const struct core *core, const struct tag *tag);
void command_preamble(struct core *core, struct link *link, enum link_chan chan);
void command_ping(struct core *core, struct link *link);
void command_info(struct core *core, struct node *node);
void command_subscribe(struct core *core, struct link *link);
void command_publish(struct core *core, struct link *link, const struct master *master,
                     const char *payload);
/* Asks |voter| whether the master is down; |epoch| 0: no vote wanted. */
void command_ask(struct core *core, struct voter *voter, uint64_t epoch);
/* Asks a peer for its run id, and the peer of |voter| for the master's address. */
void command_myid(struct core *core, struct peer *peer);
void command_claim(struct core *core, struct voter *voter);
/* The reconfiguration transaction (behaviour.md 8.6); |to| NULL: SLAVEOF NO ONE. An
 * INFO follows at once, so that the effect is known after one round trip. */
void command_slaveof(struct core *core, struct node *node, const struct addr *to);
/* The same, without what the server has refused since the last command_slaveof(). */
void command_slaveof_again(struct core *core, struct node *node, const struct addr *to);
/* AUTH, with a password that is new, on a connection in use. False if we have none. */
bool command_reauth(struct core *core, struct link *link);
void command_script_kill(struct core *core, struct node *node);

/* ---- link.c ---- */
struct link *link_new(struct core *core, struct node *node, struct peer *peer);
void link_free(struct core *core, struct link *link);
struct addr *link_addr(const struct link *link);
void link_on_up(struct core *core, struct link *link, enum link_chan chan,
                const char *local_ip);
void link_on_down(struct core *core, struct link *link, enum link_chan chan,
                  const char *reason, bool is_tls);
void link_on_timer(struct core *core, struct link *link);
void link_on_pong(struct core *core, struct link *link, const struct resp_value *value);
/* An answer of a kind its question cannot have: the two are out of step, and every
 * later answer would be taken for another's. */
void link_confused(struct core *core, struct link *link);
/* The answer to link_reauth(). */
void link_on_reauth(struct core *core, struct link *link,
                    const struct resp_value *value);
void link_on_subscribed(struct core *core, struct link *link,
                        const struct resp_value *value);
/* Closes both channels; they are dialled again at once. */
void link_reset(struct core *core, struct link *link);
/* Credentials have changed: they are used at once. What works goes on meanwhile. */
void link_reauth(struct core *core, struct link *link);
/* Users, their down-after or the address have changed. */
void link_refresh(struct core *core, struct link *link);
/* The name of its address was looked up: it means |ip|, or (NULL) nobody knows. */
void link_on_address(struct core *core, struct link *link, const char *ip);
/* May another command be sent on cmd now? */
bool link_is_open(const struct link *link);

/* ---- refusal.c ---- */
/* |value| answers |what|: logs if that is refused now, or is not any more. */
void refusal_on_reply(struct core *core, struct link *link, enum refused what,
                      const struct resp_value *value);
/* An error that asking again does not mend. */
bool refusal_is_lasting(const struct resp_value *value);
bool refusal_has(const struct link *link, enum refused what);
/* Nothing is known to be refused, and nothing is logged. */
void refusal_forget(struct link *link);

/* ---- resolve.c ---- */
/* The link's address has been set: hears of its host name from now on. */
void resolve_attach(struct core *core, struct link *link);
void resolve_detach(struct link *link);
/* Looks |name| up, unless that is under way, or names may not be used. */
void resolve_ask(struct core *core, struct hostname *name);
void resolve_on_answer(struct core *core, const char *host, const char *ip);
void resolve_release(struct core *core);
/* Sets |addr| from texts under the present settings: ERR_SYNTAX if |host| is a name and
 * resolve-hostnames is off, ERR_RANGE for a bad port. A name gets the address that is
 * known for it, fresh or not; "" if none is. */
int resolve_addr(struct core *core, struct addr *addr, const char *host, int64_t port);
/* What the name |host| stood for last; NULL if that is not known. */
const char *resolve_known(const struct core *core, const char *host);
/* True if |host| is known as well as it can be. If not it is being looked up now. */
bool resolve_learn(struct core *core, const char *host);
/* Do |host| and |port| name the place |addr|? SAME_UNKNOWN: a look-up will tell. */
enum same { SAME_NO, SAME_YES, SAME_UNKNOWN };
enum same resolve_compare(struct core *core, const struct addr *addr, const char *host,
                          int64_t port);
/* When |host| has been looked up: asks |node| for INFO again, ... */
void resolve_then_info(struct core *core, const char *host, const struct node *node);
/* ... takes the message |text| as if it came then, ... */
void resolve_then_hello(struct core *core, const char *host, const char *text,
                        size_t len, bool is_signed);
/* ... or handles |rq|, a CORE_RQ_MONITOR, again. False: there is nothing to wait for.
 */
bool resolve_then_monitor(struct core *core, const struct core_request *rq);
/* May resolve-hostnames be switched off? Not while the name is all we know of a place:
 * a file that says so would be refused at the next start. */
bool resolve_may_be_off(const struct core *core, struct error *err);
/* resolve-hostnames has changed. */
void resolve_switched(struct core *core);

/* ---- node.c ---- */
struct node *node_new(struct core *core, struct master *master,
                      const struct addr *addr);
void node_free(struct core *core, struct node *node);
/* All that it said and that we concluded is forgotten; it is judged from now. */
void node_forget_facts(struct core *core, struct node *node);
void node_on_up(struct core *core, struct node *node);
/* We listen to hellos there. The first time we speak again: of two sentinels that are
 * new here neither may have heard the other so far, and now the later one is heard. */
void node_on_subscribed(struct core *core, struct node *node);
void node_on_down(struct core *core, struct node *node);
void node_on_timer(struct core *core, struct node *node);
/* A PING has just been sent: whatever else is due soon goes along. */
void node_on_ping(struct core *core, struct node *node);
/* Something awaited: ask for INFO now and every |wait_ms| (doubling); 0: as usual. */
void node_info_soon(struct core *core, struct node *node, int64_t wait_ms);
void node_rearm(struct core *core, struct node *node);
/* INFO came: sets when the next one is due. */
void node_info_next(struct core *core, struct node *node);
struct node *node_find(const struct master *master, const struct addr *addr);
/* Finds the replica at |addr| or creates it; NULL if it is the master's own address. */
struct node *node_add_replica(struct core *core, struct master *master,
                              const struct addr *addr);
void node_rename(struct node *node); /* name from its address */
/* Are they one server, known at two addresses? By the run ids that both have told. */
bool node_is_same(const struct node *a, const struct node *b);
/* Removes a replica that no failover is promoting. */
void node_forget(struct core *core, struct node *replica);
/* It has become sdown, or forget-replica-after has changed: when is it to be forgotten?
 */
void node_arm_forget(struct core *core, struct node *node);
void node_on_forget_timer(struct core *core, struct node *node);
/* announce-hostnames has changed: so have the names of replicas. */
void node_rename_all(struct core *core);
/* |node| is at another numeric address than before. Of two entries for one place one
 * is dropped, and its host name kept. True if that was |node|. */
bool node_on_moved(struct core *core, struct node *node);
/* |node| and |other| are one place: what was given in numbers gets the name. */
void node_take_name(struct core *core, struct node *node, const struct node *other);
/* |node| is called |host| by somebody who knows: if that is a name of its address, and
 * it has none, it gets it, so that it can be followed. True if |node| is gone: there
 * was an entry with that name. */
bool node_learn_name(struct core *core, struct node *node, const char *host);

/* ---- info.c ---- */
#define INFO_REPLICAS_MAX 512
struct info_replica {
    const char *host;
    size_t host_len;
    int64_t port;
};
struct info {
    char run_id[RUN_ID_CAP]; /* "" if absent */
    char replid[RUN_ID_CAP]; /* "" if absent */
    enum role role;
    char master_host[ADDR_HOST_MAX + 1];
    int64_t master_port; /* -1 absent */
    int link_up;         /* -1 absent */
    int64_t link_down_ms;
    int64_t priority; /* -1 absent */
    bool has_offset;
    uint64_t offset;
    int announced; /* -1 absent */
    int has_keys;  /* -1: there is no section of keys */
    struct info_replica replicas[INFO_REPLICAS_MAX];
    size_t n_replicas;
};
/* Pure: text to facts. Unknown lines are skipped; never fails. */
void info_parse(struct info *info, const char *text, size_t len);
void info_on_reply(struct core *core, struct node *node,
                   const struct resp_value *value);

/* ---- pace.c ---- */

/* |master| has become sdown. */
void pace_note_struck(struct core *core, struct master *master);
/* The master has become odown: when may we start, so that not all do at once? */
int64_t pace_turn_ms(const struct core *core, const struct master *master);
/* The pause after a lost election, random, longer with each that was lost. */
int64_t pace_retry_ms(struct core *core, const struct master *master);

/* ---- hello_parse.c ---- */

#define HELLO_TEXT_MAX 1024

struct hello {
    char ip[ADDR_HOST_MAX + 1];
    int64_t port;
    char run_id[RUN_ID_CAP];
    uint64_t epoch;
    char master[HELLO_TEXT_MAX];
    char host[ADDR_HOST_MAX + 1];
    int64_t master_port;
    uint64_t config_epoch;
};

/* NULL if |text| is a well-formed hello, else what is wrong with it. */
const char *hello_parse(struct hello *hello, const char *text, size_t len);
/* Strict unsigned decimal; epochs above INT64_MAX are refused as absurd. */
bool hello_parse_number(uint64_t *out, const char *text, size_t len);

/* ---- hello.c ---- */
/* |sub| is the link whose subscription it came through; NULL: somebody sent it to us,
 * or it has waited for a name. */
void hello_on_text(struct core *core, const char *text, size_t len,
                   const struct link *sub);
/* Takes a hello, not a companion, that was put off: |is_signed| says whether it had
 * one. */
void hello_again(struct core *core, const char *text, size_t len, bool is_signed);
/* Tells the peer of |link|, signed, that we stand for election as leader of |master|.
 * Nothing without a secret. */
void hello_stand(struct core *core, struct master *master, struct link *link);
/* Sends one hello about |master| over |link|; |node| is whose link it is, or NULL. */
void hello_publish(struct core *core, struct master *master, struct link *link,
                   struct node *node);
/* To every server and peer of |master| at once. */
void hello_publish_all(struct core *core, struct master *master);
void hello_on_peer_timer(struct core *core, struct peer *peer);
/* The sender of a hello was asked whether it is true. */
void hello_on_claim(struct core *core, struct voter *voter,
                    const struct resp_value *value);

/* ---- sign.c ---- */
/* A companion: a hello with the proof that its sender knows the secret. */
struct companion {
    size_t hello_len;  /* so many bytes of the text are the plain hello */
    size_t signed_len; /* so many are proved */
    int64_t stamp;
    uint64_t stands_epoch; /* of the election its sender stands in; 0: none */
    const char *code;      /* SIGN_CODE_LEN hexadecimal digits */
};
#define SIGN_CODE_LEN ((size_t)2 * CORE_MAC_LEN)
/* Bytes that a companion has more than its hello, at most, and the NUL. */
#define SIGN_EXTRA_CAP 128
/* Has |text| the form of a companion? */
bool sign_split(struct companion *companion, const char *text, size_t len);
/* Appends to the hello in |text| what makes it a companion; |cap| has room for it. */
void sign_append(struct core *core, const struct master *master, char *text,
                 size_t cap);
/* Does its writer know a secret of ours? */
bool sign_is_good(const struct core *core, const struct companion *companion,
                  const char *text);
/* Is the companion |text| of |run_id| (at |place|, about |master|) good, and not an old
 * one? If so, that one is a signer from now on; if not it is counted and said. */
bool sign_accepts(struct core *core, struct master *master,
                  const struct companion *companion, const char *text,
                  const char *run_id, const char *place);
/* The same of a hello without signature. */
bool sign_accepts_plain(struct core *core, struct master *master, const char *text,
                        size_t len, const char *run_id, const char *place);
/* The companion that was accepted has been read: what it vouches for. */
void sign_note(const struct core *core, struct master *master, const char *run_id,
               const struct companion *companion, const char *text);
/* May |candidate| have a vote in |epoch|, as far as signatures go? */
bool sign_may_stand(const struct core *core, const struct master *master,
                    const char *candidate, uint64_t epoch);
/* The peer of that run id answers for itself on a new connection: its clock may have
 * gone back. */
void sign_on_reached(struct core *core, const char *run_id);
void sign_add_signer(struct core *core, const char *run_id);
void sign_forget(struct core *core, const char *run_id);
/* Settings have changed, or loading ends. */
void sign_on_settings(struct core *core);
/* If |setting| is a secret: ERR_RANGE if it is too short or long, ERR_STATE if nobody
 * gave us core_use_mac(). */
int sign_check_secret(const struct core *core, const struct core_setting *setting,
                      struct error *err);
/* The same of several settings of a running sentinel; ERR_STATE also if signatures
 * would be required without a secret. */
int sign_check_settings(const struct core *core, const struct core_setting *settings,
                        size_t n, struct error *err);
void sign_release(struct core *core);

/* ---- scope.c ---- */
/* May |addr|, which |what| is said to have by whoever is behind |from|, be used? Logs
 * once if not. */
bool scope_accepts(struct core *core, const struct link *from, const struct addr *addr,
                   const char *what);
/* announce-ip has been set. */
void scope_check_announced(struct core *core);
/* What we call ourselves towards the other end of |link|; "" if it is not up. */
const char *scope_own_host(const struct core *core, const struct link *link);
/* |what| is about to be told to the other end of |to| as |host|: warns once if that
 * means something else there. */
void scope_check_told(struct core *core, const struct link *to, const char *host,
                      const char *what);
void scope_release(struct core *core);

/* ---- peer.c ---- */
struct peer *peer_find(const struct core *core, const char *run_id);
/* Makes the process |run_id| at |addr| a voter of |master|; |verified| if it is known
 * to be real. Else it is a stranger until it has answered for itself. */
struct voter *peer_add_voter(struct core *core, struct master *master,
                             const char *run_id, const struct addr *addr,
                             bool verified);
void voter_free(struct core *core, struct voter *voter);
/* The verified one of that run id; NULL. */
struct voter *voter_find(const struct master *master, const char *run_id);
struct voter *voter_find_stranger(const struct master *master, const char *run_id);
/* Everything it said about the master is void; late answers do not count. */
void voter_forget_opinion(struct voter *voter);
/* The verified peer at |addr| that is not |run_id|; NULL. */
struct peer *peer_at(const struct core *core, const struct addr *addr,
                     const char *run_id);
void peer_forget(struct core *core, struct peer *peer); /* with all its voters */
/* Has it told who it is, on the present connection? */
bool peer_is_itself(const struct peer *peer);
/* And does it answer now? */
bool peer_answers(const struct core *core, const struct peer *peer);
void peer_on_myid(struct core *core, struct peer *peer, const struct resp_value *value);
/* A stranger has not been heard of for too long. */
void peer_on_stranger_timer(struct core *core, struct peer *peer);
/* The voters that a majority of ours is a majority of: the known ones, and strangers
 * that may be real. */
uint32_t master_possible_voters(const struct core *core, const struct master *master);
/* When they become fewer: a stranger has had its time. */
int64_t master_voters_until(const struct core *core, const struct master *master);
/* RESET forgets |voter|; it is believed when it is heard again. */
void master_remember(struct master *master, const struct voter *voter);
bool master_remembers(const struct master *master, const char *run_id);
void master_forget_former(struct master *master, const char *run_id);
void peer_change_address(struct core *core, struct peer *peer, const struct addr *addr);
/* A hello moved it, and it cannot be reached there: it is looked for where it was. Its
 * own next hello moves it again if it has really gone. Returns false if it did not come
 * from anywhere. */
bool peer_go_home(struct core *core, struct peer *peer);
void peer_on_up(struct core *core, struct peer *peer);
void peer_on_down(struct core *core, struct peer *peer, bool refused);
void peer_free(struct core *core, struct peer *peer);

/* ---- detect.c ---- */
void detect_node(struct core *core, struct node *node);
/* An INFO has come: is the master a replica of its own replica? */
void detect_ring(struct core *core, struct master *master);
void detect_voter(struct core *core, struct voter *voter);
void detect_master(struct core *core, struct master *master);
/* The earliest moment |node| could become sdown as things stand; CORE_NEVER. */
int64_t detect_next(const struct core *core, const struct node *node);
void detect_all(struct core *core);
/* A link may have changed for better or worse. */
void detect_link(struct core *core, struct link *link);
/* Silence of |link| begins: sees that it is judged in time, and judges nothing now. */
void detect_lost(struct core *core, struct link *link);

/* ---- vote.c ---- */
void vote_ask_all(struct core *core, struct master *master);
void vote_ask_one(struct core *core, struct voter *voter);
/* A peer has asked about |master|, so it holds it to be sdown: if we do too, the others
 * are worth asking again now. */
void vote_on_asked(struct core *core, struct master *master);
void vote_on_reply(struct core *core, struct voter *voter, const struct tag *tag,
                   const struct resp_value *value);
const char *vote_grant(struct core *core, struct master *master, uint64_t epoch,
                       const char *candidate, uint64_t *leader_epoch);
bool vote_run_id_ok(const char *run_id);
void vote_on_request(struct core *core, const struct core_request *request);
/* Raises current_epoch; false (and a log line) if the jump is absurd. */
bool vote_raise_epoch(struct core *core, struct master *master, uint64_t epoch);
enum vote_result {
    VOTE_OPEN, /* may still go either way */
    VOTE_WON,
    VOTE_SPLIT,     /* we cannot win, and nobody has won as far as we can see */
    VOTE_OTHER_WON, /* somebody else has a majority, or may have */
};
struct vote_count {
    uint32_t n_voters, needed;
    uint32_t for_us, unanswered;
    uint32_t n_conflicts;    /* votes for others in this epoch */
    uint32_t best_other;     /* most votes of any other candidate */
    const char *other;       /* and who that is; NULL if none */
    uint32_t connected_open; /* unanswered whose link is up */
};
enum vote_result vote_result(const struct core *core, const struct master *master,
                             struct vote_count *count);

/* ---- failover.c ---- */
enum failover_input {
    FI_ODOWN,         /* the master is odown, and an attempt may be due */
    FI_FORCED,        /* SENTINEL FAILOVER */
    FI_DURABLE,       /* our own vote is on disk */
    FI_VOTE,          /* a peer answered */
    FI_OUTBID,        /* we voted for somebody else in a later epoch */
    FI_INFO,          /* a replica's INFO arrived; |node| */
    FI_LINK_UP,       /* a replica's command link is up; |node| */
    FI_REPLICA_MOVED, /* a replica follows the new master, is gone or is sdown */
    FI_IS_MASTER,     /* the promoted replica reports role master */
    FI_OLD_IS_MASTER, /* and so does the one that is being replaced */
    FI_REFUSED,       /* the promoted replica does not let us; |node| */
    FI_DEADLINE,      /* the master's timer ran */
    FI_N
};
void failover_input(struct core *core, struct master *master, enum failover_input input,
                    struct node *node);
/* The next moment at which FI_DEADLINE matters; CORE_NEVER. */
int64_t failover_deadline(const struct core *core, const struct master *master);
void failover_reset(struct core *core, struct master *master);
/* A failover whose replica is promoted cannot be undone, only cut short: it ends now,
 * with the switch. Others are left alone. */
void failover_complete(struct core *core, struct master *master);
bool failover_in_progress(const struct master *master);
/* TILT is over: what came up meanwhile has not had its orders. */
void failover_resume(struct core *core, struct master *master);
/* The master is no longer odown. */
void failover_incident_over(struct core *core, struct master *master);
/* A sentinel that was down answers again, and will be asked for its vote. If the quorum
 * is less than a majority, it may have been we who were cut off, together with few
 * others or none, and the master may be well. */
void failover_voter_back(struct core *core, const struct voter *voter);
/* We have given our vote to |candidate|: let it work. */
void failover_await(struct core *core, struct master *master, const char *candidate);
/* The candidate of that name was found dead. */
void failover_candidate_gone(struct core *core, struct master *master,
                             const char *candidate);

/* ---- select.c ---- */
/* |node| surely lacks something: a replica that has had no link since it was started or
 * told whom to follow, or a master of ours from before that has followed nobody since.
 * Offsets of such are of another history: the last choice, whatever the priorities. */
bool select_is_doubtful(const struct node *node);
/* The best replica to promote now (behaviour.md 8.4), NULL if none; notes say why each
 * other is not, if |explain|. */
struct node *select_replica(struct core *core, struct master *master, bool explain);
/* Is there a replica whose INFO is under way and could change the choice? */
bool select_may_improve(const struct core *core, const struct master *master);
/* Is there one that only lacks fresh facts? */
bool select_has_hope(const struct master *master);

/* ---- reconf.c ---- */
void reconf_step(struct core *core, struct master *master);
bool reconf_is_done(const struct master *master);
void reconf_best_effort(struct core *core, struct master *master);
/* INFO, asked for at |asked_at|, of a replica that is being moved: does it follow the
 * promoted one by now? */
void reconf_on_info(struct core *core, struct node *node, int64_t asked_at);
/* The |index|-th reply to command_slaveof(). */
void reconf_on_reply(struct core *core, struct node *node, const struct tag *tag,
                     int index, const struct resp_value *value);
/* Its link is up. */
void reconf_on_up(struct core *core, struct node *node);
int64_t reconf_deadline(const struct core *core, const struct master *master);

/* ---- master.c ---- */
struct master *master_new(struct core *core, const char *name, const struct addr *addr,
                          int64_t quorum);
void master_free(struct core *core, struct master *master);
void master_reset(struct core *core, struct master *master);
/* |node|, a replica, becomes the master; the old one becomes a replica. +slave events.
 */
void master_switch(struct core *core, struct master *master, struct node *node);
/* Asks all peers about a master that is sdown; the next round is an ask period away. */
void master_ask_round(struct core *core, struct master *master);
void master_on_timer(struct core *core, struct master *master);
void master_rearm(struct core *core, struct master *master);
/* The master record can be trusted (behaviour.md 4.4). */
bool master_looks_sane(const struct core *core, const struct master *master);
/* Command name after rename-command; |master| may be NULL. */
const char *master_command(const struct master *master, const char *name);

/* ---- place.c ---- */
/* Its current address has changed. */
void master_reindex(struct core *core, struct master *master);
/* Peers call its present address by the name |host| (NULL: by none of their own). */
void master_set_alias(struct core *core, struct master *master, const char *host);
void place_forget(struct core *core, struct master *master);

/* ---- settings.c ---- */
void settings_init(struct core *core);
void settings_release(struct core *core);
/* Applies a setting; |master| for those of one master. Emits nothing. */
int settings_apply(struct core *core, struct master *master,
                   const struct core_setting *setting, struct error *err);
/* Ends a list of settings: new credentials are used, once all are there. */
void settings_applied(struct core *core, struct master *master);

/* ---- request.c ---- */
void request_handle(struct core *core, const struct core_request *request);

/* ---- jobs.c ---- */
void jobs_notify(struct core *core, const struct master *master, const char *event,
                 const char *text);
void jobs_reconfig(struct core *core, const struct master *master, const char *role,
                   const struct addr *from, const struct addr *to);
void jobs_on_started(struct core *core, struct slot_id id, int pid);
void jobs_on_exit(struct core *core, struct slot_id id, int status, int signal);
void jobs_on_timer(struct core *core, struct job *job);
void jobs_release(struct core *core);

static inline int64_t core_number(const struct core *core, enum core_option option)
{
    return core->numbers[option];
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* |at| + |ms|, never past CORE_NEVER. */
static inline int64_t time_after(int64_t at, int64_t ms)
{
    return at == CORE_NEVER || ms > CORE_NEVER - at ? CORE_NEVER : at + ms;
}

/* Milliseconds from |at| until now; 0 if |at| never was. */
static inline int64_t time_since(const struct core *core, int64_t at)
{
    return at == CORE_NEVER ? 0 : core->now - at;
}

#endif
