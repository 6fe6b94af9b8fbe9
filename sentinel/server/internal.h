/*
 * internal.h - what the files of server/ share with one another and nobody else.
 */
#ifndef SENTINEL_SERVER_INTERNAL_H
#define SENTINEL_SERVER_INTERNAL_H

#include "common/buf.h"
#include "common/hash.h"
#include "common/resp.h"
#include "sentinel/core/core.h"
#include "sentinel/core/state.h"
#include "sentinel/server/acl.h"
#include "sentinel/server/command.h"
#include "sentinel/server/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client that owes us this much reading is not served further requests until it has
 * taken some of it: a pipeline that is never read must not grow without limit. */
#define SESSION_OWED_MAX ((size_t)128 << 10)

/* No time span in ms may be larger: added to any instant it must not overflow. */
#define SERVER_MS_MAX INT64_C(1000000000000000)

/* ------------------------------------------------------------------ commands ---- */

/* What COMMAND DOCS says; never NULL for a name in the tables (docs.c). */
struct doc {
    const char *name;
    const char *since;
    const char *complexity;
    const char *summary;
    const char *usage; /* arguments, see docs.c; NULL: none */
};
const struct doc *doc_find(const char *name);

/* How a command has changed over the versions. */
struct doc_change {
    const char *name;
    const char *version;
    const char *text;
};
size_t doc_count_changes(const char *name);
/* The one of |name| behind |last|, or the first if that is NULL; NULL at the end. */
const struct doc_change *doc_next_change(const char *name,
                                         const struct doc_change *last);

/* The lines of HELP of a container, after the header; NULL-terminated (help.c). */
void help_reply(struct session *session, const char *container,
                const char *const *lines);
command_fn help_sentinel, help_client, help_command, help_acl;

/* ------------------------------------------------------ tls-* of SENTINEL CONFIG -- */

#define CMD_SENTINEL_TLS_N 17
const char *cmd_sentinel_tls_name(size_t i);
/* Appends the name and the value of parameter |i|. */
void cmd_sentinel_tls_write(struct session *session, size_t i);
/* Is any of what SENTINEL CONFIG SET is to change a tls-* parameter? */
bool cmd_sentinel_tls_is_meant(const struct resp_arg *argv, size_t argc);
void cmd_sentinel_tls_set(struct session *session, const struct resp_arg *argv,
                          size_t argc);

/* ------------------------------------------------------------------ sessions ---- */

enum session_wait {
    WAIT_NONE,
    WAIT_CORE,  /* for server_answer() */
    WAIT_FILE,  /* for server_file_done() or server_tls_done() */
    WAIT_PAUSE, /* CLIENT PAUSE or a vote (promise.c) holds back what is parsed */
};

/* CLIENT TRACKING, which never has anything to report. */
enum tracking_flag {
    TRACK_ON = 1 << 0,
    TRACK_BCAST = 1 << 1,
    TRACK_OPTIN = 1 << 2,
    TRACK_OPTOUT = 1 << 3,
    TRACK_NOLOOP = 1 << 4,
    TRACK_CACHING = 1 << 5,
};

struct tracking {
    unsigned flags;
    uint64_t redirect; /* 0: none */
    char **prefixes;
    size_t n_prefixes;
};

struct session {
    struct server *server;
    uint64_t id;
    void *driver;
    char *peer, *local;
    int fd;
    int proto; /* 2 or 3 */
    enum session_wait wait;

    struct resp_request rq;
    struct buf out;           /* for the driver to take */
    struct buf pushes;        /* messages that must follow the reply being waited for */
    struct buf instead;       /* reply to give when the core says OK; empty: +OK */
    size_t n_owed;            /* bytes put out and not yet session_written() */
    struct promise *promises; /* replies that wait for votes, in order; see promise.c */
    uint32_t n_promises;
    uint16_t last_ticket;
    size_t argv_len; /* bytes of the arguments of the last request */

    const struct user *user;       /* never NULL */
    const struct command *command; /* the last one run, or the one held back */
    char *name, *lib_name, *lib_ver;
    struct tracking *tracking; /* NULL: never switched on */
    struct sub *channels, *patterns;
    uint32_t n_channels, n_patterns;

    int64_t opened_at, active_at;
    int64_t soft_at; /* over the soft output limit since; CORE_NEVER: is not */

    bool is_unix : 1;
    bool is_authed : 1;    /* by AUTH, or because no password was needed */
    bool is_closing : 1;   /* after its output */
    bool is_ending : 1;    /* after what it is owed (promise.c): nothing is read on */
    bool is_dropped : 1;   /* at once */
    bool is_reply_off : 1; /* CLIENT REPLY OFF */
    bool skips_next : 1;   /* CLIENT REPLY SKIP: the next command */
    bool is_skipping : 1;  /* this command */
    bool is_no_evict : 1;
    bool is_in_line : 1; /* see turn.c */
    bool is_let_by : 1;  /* the request passes those who stand in line */
    uint32_t turn;       /* its last one with a request, and what they cost in it */
    int64_t turn_cost;
    struct session *line_prev, *line_next;
    UT_hash_handle hh; /* in server->sessions, by id */
};

/* ---- promise.c: replies that are owed, while the session goes on ---- */
/* May |command| be run although the replies to earlier votes are still owed? */
bool promise_admits(const struct session *session, const struct command *command);
/* May the reply to a vote request be owed? Otherwise the session waits for it. */
bool promise_is_possible(const struct session *session);
/* Asks the core for a vote whose reply is owed. */
void promise_vote(struct session *session, struct core_request *request);
/* Output since |before| follows what is owed. */
void promise_follow(struct session *session, size_t before);
/* The answer to a request with a ticket: it and what follows it may go out now. */
void promise_keep(struct session *session, uint16_t ticket,
                  const struct core_action *answer);
void promise_release(struct session *session);
/* What the core knows a client by: the session, and which of its votes. */
#define PROMISE_CLIENT(id, ticket) ((uint64_t)(ticket) << 48 | (id))
#define PROMISE_SESSION(client) ((client) & (((uint64_t)1 << 48) - 1))
#define PROMISE_TICKET(client) ((uint16_t)((client) >> 48))

/* Appends "-ERR ..." (the text with its code) to the output. */
void session_error(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void session_ok(struct session *session);

/* Hands |request| to the core; the session waits for the answer. */
void session_post(struct session *session, struct core_request *request);
/* Writes the answer and goes on with what the client sent meanwhile. */
void session_answer(struct session *session, const struct core_action *answer);
/* As session_post(), at the end of a wait for a file. */
void session_wait_core(struct session *session, struct core_request *request);
/* Appends the reply that says what the core answered. */
void session_write_answer(struct session *session, const struct core_action *answer);
/* The answer to a vote that is owed (promise.c). */
void session_keep_promise(struct session *session, const struct core_action *answer);
/* The session waits for server_file_done() or server_tls_done(). */
void session_wait_file(struct session *session);
/* Ends a wait with |reply|, and goes on with what the client sent meanwhile. */
void session_end_wait(struct session *session, const struct buf *reply);
/* Runs the request that CLIENT PAUSE held back, and those behind it. */
void session_resume(struct session *session);
/* Runs what was left when the turn was spent. */
void session_go_on(struct session *session);
/* Appends a pub/sub frame. */
void session_push(struct session *session, const struct buf *frame);

void session_close_after_reply(struct session *session);
void session_drop(struct session *session);
void session_check_output(struct session *session);
/* Gives back buffers nobody needs at the moment. */
void session_shrink(struct session *session);
void session_wake(struct session *session);
bool session_needs_auth(const struct session *session);
void session_login(struct session *session, const struct user *user);
bool session_is_subscriber(const struct session *session);
/* Closes it: at once, or after the reply if it is |caller|. */
void session_evict(struct session *session, const struct session *caller);
/* An entry for ACL LOG about |session|. */
void session_log_denial(struct session *session, enum acl_log_reason reason,
                        const struct resp_arg *object,
                        const struct resp_arg *user_name);
/* Sets the name, after checking it; false (with the error replied) if it is bad. */
bool session_set_name(struct session *session, const struct resp_arg *name);
/* One line of CLIENT LIST, without line end. */
/* Bytes held for it. */
size_t session_memory(const struct session *session);
void session_describe(const struct session *session, struct buf *out);

static inline struct resp_arg arg_of(const char *text)
{
    return (struct resp_arg){text, strlen(text)};
}

static inline bool arg_is(const struct resp_arg *arg, const char *word)
{
    size_t len = strlen(word);

    return arg->len == len && strncasecmp(arg->str, word, len) == 0;
}

/* Can |arg| be used as a C string? */
static inline bool arg_is_text(const struct resp_arg *arg)
{
    return strlen(arg->str) == arg->len;
}

/* -------------------------------------------------------------------- pubsub ---- */

/* A channel or a pattern somebody subscribed to. */
struct topic {
    struct sub *subs;
    uint32_t n_subs;
    UT_hash_handle hh; /* by name */
    size_t len;
    char name[];
};

struct sub_key {
    struct session *session;
    struct topic *topic;
};

/* One session's interest in one topic. */
struct sub {
    struct sub_key key;
    struct sub *prev, *next;     /* of the topic */
    struct sub *s_prev, *s_next; /* of the session, in order of subscription */
    UT_hash_handle hh;           /* in server->subs, by key */
};

void pubsub_leave_all(struct session *session); /* without replies */
void cmd_client_forget_tracking(struct session *session);

/* ---------------------------------------------------------------------- turn ---- */

/* A request of |session| was answered with |n_bytes|. */
void turn_charge(struct session *session, size_t n_bytes);
/* May |session| run another request in this turn? If not, it stands in line. */
bool turn_admits(struct session *session);
void turn_leave_line(struct session *session);

/* -------------------------------------------------------------------- server ---- */

struct server_stats {
    uint64_t n_connections, n_rejected, n_commands, n_errors;
    uint64_t n_in_bytes, n_out_bytes, n_reads, n_writes;
    uint64_t n_query_limit_closes, n_output_limit_closes, n_evicted;
    uint64_t n_denied_auth, n_denied_command, n_denied_channel;
    size_t max_input, max_output; /* lately */
};

/* What INFO's "instantaneous" figures are made from: the last whole second. */
struct server_rates {
    int64_t at;
    uint64_t n_commands, n_in_bytes, n_out_bytes;
    double ops, in_kbps, out_kbps;
};

struct server {
    const struct core *core;
    struct server_options options; /* strings are ours */
    struct server_hooks hooks;
    struct resp_limits limits;
    int64_t now, wall;
    int64_t started_at; /* CORE_NEVER before the first server_set_time() */
    uint64_t next_id;
    struct session *sessions; /* uthash by id, in order of opening */
    struct topic *channels, *patterns;
    struct sub *subs;
    uint32_t n_subscribers; /* sessions with at least one subscription */
    uint32_t n_tracking, n_waiting;
    struct acl acl;
    struct acl_log acl_log;
    struct command_names names;
    int64_t paused_until; /* CORE_NEVER: clients are not paused */
    bool pauses_writes_only;
    bool must_resume;         /* the pause is over, sessions still wait */
    struct buf frames[2];     /* scratch of pubsub.c: one message, RESP2 and RESP3 */
    uint32_t turn;            /* counts the turns of the loop, round and round */
    int64_t turn_left;        /* of options.turn_budget; may go below 0 */
    int64_t turn_left_little; /* of the part for those who ask little */
    struct session *line;     /* clients whose requests wait for another turn */
    struct session *served;   /* who was taken out of the line */
    struct server_stats stats;
    struct server_rates rates;
    int64_t http_logged_at; /* CORE_NEVER: not yet */
};

/* Closes the clients that are subscribed to what |user| may not hear any more. */
void server_check_topics(struct server *server, const struct user *user,
                         const struct session *caller);
bool server_is_paused(const struct server *server, const struct command *command);
/* Ends a CLIENT PAUSE; what was held back runs before the present call returns. */
void server_unpause(struct server *server);
/* Last thing each entry point does: see server_unpause(). */
void server_settle(struct server *server);
void server_log(const struct server *server, enum log_level level, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

/* Milliseconds of lived time since |at|; 0 for CORE_NEVER and for the future. */
int64_t server_ms_since(const struct server *server, int64_t at);

/* ---------------------------------------------------------- rows and commands ---- */

/* One row each, as the map of interface.md 3.20. */
void view_write_node(const struct server *server, struct buf *out, int proto,
                     const struct node *node);
void view_write_voter(const struct server *server, struct buf *out, int proto,
                      const struct voter *voter);

/* Replies the error and returns NULL if there is no such master. */
struct master *cmd_sentinel_master_arg(struct session *session,
                                       const struct resp_arg *name);

command_fn cmd_connection_auth, cmd_connection_hello, cmd_connection_ping,
    cmd_connection_quit, cmd_connection_role, cmd_connection_shutdown;
command_fn cmd_acl_cat, cmd_acl_deluser, cmd_acl_dryrun, cmd_acl_genpass,
    cmd_acl_getuser, cmd_acl_list, cmd_acl_load, cmd_acl_log, cmd_acl_save,
    cmd_acl_setuser, cmd_acl_users, cmd_acl_whoami;
command_fn cmd_info;
command_fn cmd_client_caching, cmd_client_getname, cmd_client_getredir, cmd_client_id,
    cmd_client_info, cmd_client_kill, cmd_client_list, cmd_client_no_evict,
    cmd_client_pause, cmd_client_reply, cmd_client_setinfo, cmd_client_setname,
    cmd_client_tracking, cmd_client_trackinginfo, cmd_client_unblock,
    cmd_client_unpause;
command_fn cmd_command_all, cmd_command_count, cmd_command_docs, cmd_command_getkeys,
    cmd_command_info, cmd_command_list;
command_fn pubsub_psubscribe, pubsub_publish, pubsub_punsubscribe, pubsub_subscribe,
    pubsub_unsubscribe;
command_fn cmd_sentinel_ckquorum, cmd_sentinel_failover, cmd_sentinel_flushconfig,
    cmd_sentinel_forget, cmd_sentinel_get_master_addr, cmd_sentinel_info_cache,
    cmd_sentinel_is_master_down, cmd_sentinel_master, cmd_sentinel_masters,
    cmd_sentinel_myid, cmd_sentinel_pending_scripts, cmd_sentinel_remove,
    cmd_sentinel_replicas, cmd_sentinel_reset, cmd_sentinel_sentinels,
    cmd_sentinel_simulate_failure;
command_fn cmd_sentinel_set, cmd_sentinel_set_config, cmd_sentinel_set_debug,
    cmd_sentinel_set_monitor;

#endif
