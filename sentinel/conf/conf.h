/*
 * conf.h - sentinel.conf: reading it, applying it to a core, writing it back in place.
 *
 * Order of use: conf_new(); conf_read_*() as often as needed; conf_options(); then
 * conf_apply() into a fresh core; from then on conf_render() gives the text to save.
 */
#ifndef SENTINEL_CONF_CONF_H
#define SENTINEL_CONF_CONF_H

#include "common/args.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include "sentinel/core/core.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_FILE_MAX (64u << 20) /* bytes of one file; more is an error */
#define CONF_BIND_MAX 16
#define CONF_COMPAT_VERSION "7.4.1" /* in the banner of conf_error_print() */

struct conf;

/* Why a file was refused. */
struct conf_error {
    int line;       /* 1-based; 0 if it was found after the last line */
    char text[512]; /* the trimmed line, cut to fit */
    char reason[512];
    bool is_file_error; /* the file could not be read: |reason| is a log line of its own
                         */
};

/* Prints |error| as stock does (interface.md 6.2): blank line, banner, line, reason. */
void conf_error_print(const struct conf_error *error, struct buf *out);
/* Prints |error| as compilers do: "file:line: reason", then the line. */
void conf_error_print_at(const struct conf_error *error, const char *file,
                         struct buf *out);

/* Generic directives that have an effect (interface.md 6.4). Strings are owned by the
 * conf and last as long as it does; "" means unset. */
struct conf_options {
    int port;
    int tls_port; /* 0: no TLS listener */
    bool tls_replication, tls_cluster;
    const char *bind[CONF_BIND_MAX];
    int n_bind;
    bool bind_set;
    const char *bind_source_addr;
    const char *unixsocket;
    int unixsocketperm; /* 0: leave as umask makes it */
    int tcp_backlog, tcp_keepalive;
    int timeout_s;
    int maxclients;
    bool protected_mode;
    const char *requirepass;
    int64_t query_buffer_limit, bulk_max;
    int64_t maxmemory_clients; /* bytes of all clients together; 0: no limit */
    struct {
        int64_t hard, soft;
        int soft_s;
    } output_normal, output_pubsub;
    bool daemonize;
    const char *supervised; /* "no", "systemd", "upstart", "auto" */
    const char *pidfile;
    const char *dir;
    const char *logfile;
    enum log_level loglevel;
    enum log_format log_format;
    enum log_stamp log_stamp;
    bool syslog;
    const char *syslog_ident;
    int syslog_facility; /* LOG_LOCAL0 and so on */
    bool always_show_logo;
    bool set_proc_title;
    const char *proc_title_template;
    bool crash_log;
    int64_t socket_mark; /* of listening sockets; 0: none */
};

struct conf *conf_new(void);
void conf_free(struct conf *conf);

/*
 * conf_set_check() has |fn| check each `user` and `rename-command` line as well, when
 * it is read: of the lines of that name, |conf| has the earlier ones. It returns 0, or
 * a negative code with the reason. To be called before any reading; NULL: none.
 */
typedef int conf_check_fn(void *ctx, const struct conf *conf, const struct args *line,
                          struct error *err);
void conf_set_check(struct conf *conf, conf_check_fn *fn, void *ctx);

/*
 * conf_read_file() reads |path| (and the files it includes), remembering its lines for
 * conf_render(). conf_read_text() reads |len| bytes of configuration that are not in
 * the file: standard input, or command-line options as lines. Each may be called once
 * per source, the file first; line numbers go on. Both return 0 or a negative code with
 * |error| filled in: for anything wrong in a generic directive, unbalanced quotes, or
 * an unreadable file. `sentinel` lines are only queued here.
 */
int conf_read_file(struct conf *conf, const char *path, struct conf_error *error);
int conf_read_text(struct conf *conf, const char *text, size_t len,
                   struct conf_error *error);

/*
 * `sentinel state-dir`: conf_state_dir() is the directory named in what was read so
 * far,
 * "" if there is none. If there is one, conf_read_state() follows as the last reading:
 * all that was read before is then declared configuration, which is never written, and
 * |path|, a file in that directory which need not exist yet, is what conf_render()
 * renders. conf_read_state_text() is the same for what that file holds.
 */
const char *conf_state_dir(const struct conf *conf);
int conf_read_state(struct conf *conf, const char *path, struct conf_error *error);
int conf_read_state_text(struct conf *conf, const char *path, const char *text,
                         size_t len, struct conf_error *error);

/* As conf_read_file(), from memory: the main file of a simulated host. */
int conf_read_main_text(struct conf *conf, const char *text, size_t len,
                        struct conf_error *error);

/*
 * conf_on_error() makes reading and conf_apply() tell |fn| of a wrong line and go on
 * behind it, as if it were not there; they then return 0. |file| is where the line is,
 * "" if it is in no file. What cannot be read at all, and more errors than anybody
 * reads, still end them. For looking at a file only: what was read is incomplete.
 */
typedef void (*conf_error_fn)(void *ctx, const char *file,
                              const struct conf_error *error);
void conf_on_error(struct conf *conf, conf_error_fn fn, void *ctx);

const struct conf_options *conf_options(const struct conf *conf);

/*
 * Every other directive, by its name in lower case: conf_words() gives the words of the
 * |i|-th line of that name in the order read (words[0] is the name), NULL if there are
 * fewer; conf_text() the first word behind the name of the last line, "" if there is
 * none. They last as long as |conf|. For tls-*, user, aclfile, rename-command.
 */
const struct args *conf_words(const struct conf *conf, const char *name, size_t i);
const char *conf_text(const struct conf *conf, const char *name);

/* What `ps` should show, by proc-title-template; |program| is the path as started.
 * False if the title should be left alone. |out| is overwritten. */
bool conf_title(const struct conf *conf, const char *program, const char *conf_path,
                struct buf *out);

/* What reading and conf_apply() found worth a log line, oldest first; NULL when there
 * is no more. The text is valid until the next call. */
const char *conf_next_note(struct conf *conf, enum log_level *level);

/*
 * conf_apply() hands the queued `sentinel` lines to |core| in stock's three passes
 * (behaviour.md 12.1), then requirepass and port. Returns 0, or a negative code with
 * |error| naming the line. May be called once: the queue is gone afterwards.
 *
 * A line of the main file that records state (monitor, epochs, known-*, rename-command)
 * wins over lines of included files and of the command line about the same thing.
 */
int conf_apply(struct conf *conf, struct core *core, struct conf_error *error);

/*
 * conf_set_users() has conf_render() ask |fn| for the users there are, and write their
 * lines: it calls |each| for every user with its name, its line ("user NAME rule...")
 * and whether it can do without a line. NULL: `user` lines stay as they are.
 */
typedef void conf_user_fn(void *ctx, const char *name, const char *line,
                          bool is_default);
typedef void conf_users_fn(void *ctx, conf_user_fn *each, void *each_ctx);
void conf_set_users(struct conf *conf, conf_users_fn *fn, void *ctx);

/*
 * conf_set() gives the generic directive |name| the one value |value|, as if a last
 * line said so, and puts it into the next rendering. For directives that conf_text()
 * reads. Returns 0, or a negative code with stock's sentence.
 */
int conf_set(struct conf *conf, const char *name, const char *value, struct error *err);

/* The log level was changed: it is in the next rendering. */
void conf_set_loglevel(struct conf *conf, enum log_level level);

/*
 * conf_render() writes the file as it should now be: the lines read (comments, order
 * and generic directives kept) with the `sentinel` lines brought up to date with
 * |core|, reusing old lines of the same directive and master where there are any,
 * appending the rest behind "# Generated by CONFIG REWRITE" (behaviour.md 12.4, 12.5).
 * Values that need quotes get them. |out| is overwritten. What was rendered becomes the
 * remembered text, so that the next call edits that.
 */
void conf_render(struct conf *conf, const struct core *core, struct buf *out);

#endif
