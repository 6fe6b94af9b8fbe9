/*
 * server.h - what clients see: sessions, commands, pub/sub. No sockets: a driver feeds
 * bytes in and takes bytes out.
 */
#ifndef SENTINEL_SERVER_SERVER_H
#define SENTINEL_SERVER_SERVER_H

#include "common/args.h"
#include "common/buf.h"
#include "common/err.h"
#include "sentinel/core/core.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What INFO calls redis_version: the interface level that clients may rely on. */
#define SERVER_COMPAT_VERSION "7.4.1"

struct server;
struct session;

/* Strings are copied. */
struct server_options {
    const char *requirepass; /* "" or NULL: none */
    int maxclients;
    int timeout_s; /* 0: clients may idle for ever */
    int64_t query_buffer_limit, bulk_max;
    int64_t maxmemory_clients; /* of all clients together; 0: no limit */
    /* Bytes of replies that requests may make in one turn of the driver's loop, the
     * last one in full; see server_end_turn(). 0: no limit. */
    int64_t turn_budget;
    int64_t output_normal_hard, output_normal_soft;
    int output_normal_soft_s;
    int64_t output_pubsub_hard, output_pubsub_soft;
    int output_pubsub_soft_s;
    bool protected_mode;
    const char *acl_file;   /* "" or NULL: none */
    int64_t acl_log_max;    /* entries */
    bool has_open_channels; /* new users may hear every channel */
    /* for INFO */
    int tcp_port;
    int pid;
    const char *run_id; /* of this process: 40 hex digits, new at every start */
    const char *executable, *config_file;
    const char *supervised; /* "no", "systemd", ... */
    /* "name=tcp,bind=127.0.0.1,port=26379" lines, LF-separated: TCP, Unix, TLS; empty
     * ones count */
    const char *listeners;
};

/* A file to be written or read for ACL SAVE and LOAD. */
struct server_file_job {
    uint64_t session; /* for server_file_done() */
    const char *path;
    bool is_write;
    const char *bytes; /* to be written; borrowed for the call */
    size_t len;
};

/* A tls-* directive and its new value. */
struct server_tls_setting {
    const char *name, *value;
};

/* Called by the server; |ctx| is passed back. None may call back into the server. */
struct server_hooks {
    void *ctx;
    /* Post |request| to the core. Everything it points to is borrowed for the call:
     * copy it. Exactly one CORE_AC_ANSWER for request->client must come back through
     * server_answer(), in any order. */
    void (*request)(void *ctx, const struct core_request *request);
    /* |session| has output to write, or wants to be closed, although the driver did not
     * just feed it. */
    void (*wake)(void *ctx, struct session *session);
    /* SHUTDOWN was accepted. */
    void (*shutdown)(void *ctx);
    /* Is |path| a file that may be executed? For SENTINEL SET of scripts. */
    bool (*executable)(void *ctx, const char *path);
    /* Resource figures for INFO: user and system CPU seconds, self and children. */
    void (*cpu)(void *ctx, double out[4]);
    /* How long turns of the loop took lately, in ms: 99th percentile, longest. */
    void (*lag)(void *ctx, double out[2]);
    /* Do |job|, later and in the order given; exactly one server_file_done() follows. A
     * written file is replaced as a whole, or stays as it was. */
    void (*file)(void *ctx, const struct server_file_job *job);
    /* The value of a tls-* directive as it is in force. */
    const char *(*tls_get)(void *ctx, const char *name);
    /* Change these together, later, or none of them; exactly one server_tls_done()
     * follows. They are borrowed for the call. */
    void (*tls_set)(void *ctx, uint64_t session,
                    const struct server_tls_setting *settings, size_t n);
    /* |len| bytes that nobody can guess. */
    void (*random)(void *ctx, void *out, size_t len);
    /* A line for the log. May be NULL, like all the hooks above except request. */
    void (*log)(void *ctx, enum log_level level, const char *text);
};

struct server *server_new(const struct core *core, const struct server_options *options,
                          const struct server_hooks *hooks);
void server_free(struct server *server); /* also frees sessions that are left */

/* The driver's clocks, in ms, before any other call of a turn: |now| monotonic, |wall|
 * Unix time. Ends a CLIENT PAUSE that is over, so hooks may be called. */
void server_set_time(struct server *server, int64_t now, int64_t wall);

/*
 * session_open() is called for each accepted connection. |peer| and |local| are
 * "ip:port" texts ("[ip]:port" for IPv6, "PATH:0" for a Unix socket), copied; |is_unix|
 * and |is_local| matter for protected mode. |driver| is remembered for the driver. The
 * session may be born closing (maxclients, protected mode): write its output and close.
 */
struct session *session_open(struct server *server, const char *peer, const char *local,
                             int fd, bool is_unix, bool is_local, void *driver);

/* The connection is gone. Answers still under way for it are dropped. */
void session_close(struct session *session);

/* Bytes arrived. Replies appear in session_output(). */
void session_feed(struct session *session, const char *bytes, size_t len);

/* What to write. Consume it with buf_consume() (or swap it out and clear it), and call
 * session_written() once for every byte taken, when it has left: until then it counts
 * against the client's limits. That call may run requests that were held up, and then
 * wakes the session. */
struct buf *session_output(struct session *session);
void session_written(struct session *session, size_t len);

/* At the end of each turn of the driver's loop. True if clients still have requests for
 * which this turn had no room: call server_serve_next() in the next, until it returns
 * false, and do not wait. */
bool server_end_turn(struct server *server);
bool server_serve_next(struct server *server);

/* Close it once its output is written (or now, if session_must_drop()). */
bool session_wants_close(const struct session *session);
bool session_must_drop(const struct session *session);
/* Stop reading from it for the moment (it waits for the core or another turn, or owes
 * too much). The driver asks after each feed and again when woken. */
bool session_is_blocked(const struct session *session);
void *session_driver(const struct session *session);
uint64_t session_id(const struct session *session);
/* As given to session_open(). */
const char *session_peer(const struct session *session);
const char *session_local(const struct session *session);

/* The answer of the core to a request. */
void server_answer(struct server *server, const struct core_action *answer);

/*
 * How a file job went: |error| is 0 or an errno, |bytes| what was read. Users that were
 * read take the place of those there were, unless something is wrong with any of them.
 */
void server_file_done(struct server *server, uint64_t session, bool is_write, int error,
                      const char *bytes, size_t len);

/* How a tls_set went: NULL, it is in force and to be saved; or why nothing changed. */
void server_tls_done(struct server *server, uint64_t session, const char *error);

/* An event, to everybody who subscribed to |channel| or a pattern that matches it. */
void server_publish(struct server *server, const char *channel, const char *text);

/* ------------------------------------------------- users and names of commands ---- */

/*
 * server_check_user() checks a `user NAME rule...` line of the configuration as stock
 * does when it reads one: commands that do not exist are found later, by
 * server_add_user(). Returns 0, or a negative code with the sentence for the line.
 */
int server_check_user(const struct args *line, bool has_open_channels,
                      struct error *err);
/* Makes the user of such a line. |err| gets a sentence for the log. Before the first
 * session is opened, like the two that follow. */
int server_add_user(struct server *server, const struct args *line, struct error *err);
/* Takes the users from the contents of options.acl_file; |errors| as for the log. */
int server_read_users(struct server *server, const char *text, size_t len,
                      struct buf *errors);

/*
 * server_rename_command() does what the line `rename-command from to` says.
 * server_check_renames() says whether |n| such lines can be carried out in turn. Both
 * return 0, or a negative code with stock's sentence.
 */
int server_rename_command(struct server *server, const struct args *line,
                          struct error *err);
int server_check_renames(const struct args *const *lines, size_t n, struct error *err);

/*
 * server_each_user() calls |fn| with the configuration line of each user, in the order
 * of their names. |is_default| says that the line could be left out: it is the user
 * "default" as requirepass makes it.
 */
void server_each_user(const struct server *server,
                      void (*fn)(void *ctx, const char *name, const char *line,
                                 bool is_default),
                      void *ctx);

/* Once a second: idle timeouts, soft output limits. O(clients). */
void server_cron(struct server *server);

#endif
