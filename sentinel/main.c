/*
 * main.c - the order in which things start and end (behaviour.md 12.1,
 * interface.md 8.2).
 */
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/core.h"
#include "sentinel/runtime/cmdline.h"
#include "sentinel/runtime/crash.h"
#include "sentinel/runtime/daemon.h"
#include "sentinel/runtime/hmac.h"
#include "sentinel/runtime/logthread.h"
#include "sentinel/runtime/proctitle.h"
#include "sentinel/runtime/runtime.h"
#include "sentinel/runtime/startcheck.h"
#include "sentinel/runtime/tlsconf.h"
#include "sentinel/runtime/version.h"
#include "sentinel/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PIDFILE "/var/run/redis.pid"
#define LOG_PATIENCE_MS 1000 /* for the last lines, at the end */

struct program {
    const char *name; /* as it was started */
    struct cmdline cmdline;
    struct conf *conf;
    struct core *core;
    const char *supervised;
    const char *pidfile;   /* "" if none is written */
    struct buf state_path; /* the file of state-dir; empty if there is none */
    int unlocked;          /* why nobody else is kept from it (errno); 0: they are */
};

static void main_release(struct program *program)
{
    if (program->core != NULL)
        core_free(program->core);
    if (program->conf != NULL)
        conf_free(program->conf);
    cmdline_release(&program->cmdline);
    buf_release(&program->state_path);
}

/* The file that is written. */
static const char *main_state_path(const struct program *program)
{
    return program->state_path.len > 0 ? buf_text(&program->state_path)
                                       : program->cmdline.conf_path;
}

static int main_open_log(const struct conf_options *options)
{
    struct log_options log_options = {
        .level = options->loglevel,
        .path = options->logfile,
        .format = options->log_format,
        .stamp = options->log_stamp,
        .syslog = options->syslog,
        .syslog_ident = options->syslog_ident,
        .syslog_facility = options->syslog_facility,
    };
    return log_configure(&log_options);
}

/* ------------------------------------------------------------------ configuration */

static int main_read_stdin(struct conf *conf, struct conf_error *error)
{
    struct buf text = {0};
    char chunk[4096];
    size_t n;

    log_line(LOG_LVL_NOTICE, "Reading config from stdin");
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0 && text.len < CONF_FILE_MAX)
        buf_append(&text, chunk, n);
    int status = conf_read_text(conf, buf_text(&text), text.len, error);
    buf_release(&text);
    return status;
}

/* What the reader of the configuration does not know about itself. */
static int main_check_line(void *ctx, const struct conf *conf, const struct args *line,
                           struct error *err)
{
    const struct args **renames = NULL;
    size_t n = 0;

    (void)ctx;
    if (strcmp(line->words[0], "user") == 0)
        return server_check_user(
            line, strcasecmp(conf_text(conf, "acl-pubsub-default"), "allchannels") == 0,
            err);
    while (conf_words(conf, "rename-command", n) != NULL)
        n++;
    renames = mem_array(n + 1, sizeof *renames);
    for (size_t i = 0; i < n; i++)
        renames[i] = conf_words(conf, "rename-command", i);
    renames[n] = line;
    int rc = server_check_renames(renames, n + 1, err);
    mem_free(renames);
    return rc;
}

/* DIR/sentinel.state for DIR and /etc/redis/sentinel.conf. */
static void main_name_state(struct program *program, const char *dir)
{
    const char *path = program->cmdline.conf_path;
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    const char *name = path == NULL ? "sentinel" : slash != NULL ? slash + 1 : path;
    size_t len = strlen(name);

    if (len > 5 && strcmp(name + len - 5, ".conf") == 0)
        len -= 5;
    buf_printf(&program->state_path, "%s/%.*s.state", dir, (int)len, name);
}

/* The state belongs to us as long as we live, from before it is read: two that write it
 * would undo each other's votes. Where nothing can be locked nothing is, and
 * main_warn_unlocked() says so once there is a log. */
static int main_lock_state(struct program *program, struct conf_error *error)
{
    struct buf lock_path = {0};
    const char *path = main_state_path(program);

    buf_printf(&lock_path, "%s.lock", path);
    /* Not for writing: the file system can still be made read-only. */
    int fd = open(buf_text(&lock_path), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    bool is_used = fd >= 0 && !is_locked && errno == EWOULDBLOCK;
    program->unlocked = is_locked ? 0 : errno;
    buf_release(&lock_path);
    if (!is_used)
        return 0; /* and stays open */
    close(fd);
    error->is_file_error = true;
    snprintf(error->reason, sizeof error->reason,
             "Sentinel state file %s is in use by another process. Exiting...", path);
    return -1;
}

static int main_read_conf(struct program *program, struct conf_error *error)
{
    const struct cmdline *cmdline = &program->cmdline;
    int status = 0;

    conf_set_check(program->conf, main_check_line, NULL);
    if (cmdline->conf_path != NULL)
        status = conf_read_file(program->conf, cmdline->conf_path, error);
    if (status == 0 && cmdline->reads_stdin)
        status = main_read_stdin(program->conf, error);
    if (status == 0 && cmdline->options.len > 0)
        status = conf_read_text(program->conf, cmdline->options.data,
                                cmdline->options.len, error);
    const char *state_dir = status == 0 ? conf_state_dir(program->conf) : "";
    if (state_dir[0] != '\0') {
        main_name_state(program, state_dir);
        if (cmdline->mode != CMDLINE_CHECK) /* which looks on, and leaves nothing */
            status = main_lock_state(program, error);
        if (status == 0)
            status = conf_read_state(program->conf, main_state_path(program), error);
    }
    if (status == 0)
        status = conf_apply(program->conf, program->core, error);
    return status;
}

/* Wrong lines go to the terminal, trouble with files to the log, unless it is only a
 * check: the log is the daemon's. */
static void main_report(const struct program *program, const struct conf_error *error)
{
    struct buf text = {0};
    if (error->is_file_error && program->cmdline.mode == CMDLINE_CHECK) {
        fprintf(stderr, "%s\n", error->reason);
        return;
    }
    if (error->is_file_error) {
        if (main_open_log(conf_options(program->conf)) == 0)
            log_line(LOG_LVL_WARNING, "%s", error->reason);
        return;
    }
    conf_error_print(error, &text);
    fputs(buf_text(&text), stderr);
    buf_release(&text);
}

static void main_log_notes(struct program *program)
{
    enum log_level level;
    const char *text;
    while ((text = conf_next_note(program->conf, &level)) != NULL)
        log_line(level, "%s", text);
}

static bool main_load(struct program *program)
{
    struct conf_error error = {0};
    program->conf = conf_new();
    program->core = core_new(daemon_random());
    core_use_mac(program->core, hmac_sha256);
    if (main_read_conf(program, &error) != 0) {
        main_log_notes(program);
        main_report(program, &error);
        return false;
    }
    return true;
}

static bool main_start_log(const struct program *program)
{
    struct conf_error error = {0};
    if (main_open_log(conf_options(program->conf)) == 0)
        return true;
    snprintf(error.reason, sizeof error.reason, "Can't open the log file: %s",
             strerror(errno));
    main_report(program, &error);
    return false;
}

static void main_warn_unlocked(const struct program *program)
{
    if (program->unlocked == 0)
        return;
    log_line(LOG_LVL_WARNING,
             "WARNING: %s.lock cannot be locked (%s): another process could use the "
             "same state, and undo the votes of this one.",
             main_state_path(program), strerror(program->unlocked));
}

/* Is there a place where the state can be saved? */
static bool main_check_place(const struct program *program)
{
    const char *dir = conf_state_dir(program->conf);
    struct error err;

    if (startcheck_state(dir, program->cmdline.conf_path, &err) == 0)
        return true;
    log_line(LOG_LVL_WARNING, "%s. Exiting...", err.text);
    if (dir[0] != '\0')
        log_line(LOG_LVL_WARNING,
                 "It must be a directory in which user %d may make files, on storage "
                 "that outlives this process.",
                 (int)geteuid());
    else
        log_line(LOG_LVL_WARNING,
                 "A configuration that is not to be written needs another place for "
                 "the state: 'sentinel state-dir DIR' in it, or '--sentinel state-dir "
                 "DIR' on the command line, where user %d may make files in DIR.",
                 (int)geteuid());
    return false;
}

static void main_print_error(void *ctx, const char *file,
                             const struct conf_error *error)
{
    struct buf text = {0};
    int *n = ctx;

    ++*n;
    conf_error_print_at(error, file, &text);
    fputs(buf_text(&text), stderr);
    buf_release(&text);
}

/* What main_print_file_error() is told to add to. */
struct main_check {
    struct program *program;
    int *n_errors;
};

static void main_print_file_error(void *ctx, const char *text)
{
    const struct main_check *check = ctx;
    const char *path = check->program->cmdline.conf_path;
    struct conf_error error = {0};

    snprintf(error.reason, sizeof error.reason, "%s", text);
    main_print_error(check->n_errors, path != NULL ? path : "", &error);
}

static int main_check_config(struct program *program)
{
    struct conf_error error = {0};
    int n_errors = 0;
    struct main_check check = {program, &n_errors};

    program->conf = conf_new();
    program->core = core_new(0);
    core_use_mac(program->core, hmac_sha256);
    conf_on_error(program->conf, main_print_error, &n_errors);
    int status = main_read_conf(program, &error);
    main_log_notes(program);
    if (status != 0) {
        main_report(program, &error);
        return 1;
    }
    startcheck_each_error(program->conf, program->core, program->cmdline.conf_path,
                          main_print_file_error, &check);
    tlsconf_each_error(program->conf, program->core, main_print_file_error, &check);
    if (n_errors > 0) {
        fprintf(stderr, "%d error%s\n", n_errors, n_errors == 1 ? "" : "s");
        return 1;
    }
    puts("OK");
    return 0;
}

/* ------------------------------------------------------------------------ start -- */

static void main_background(struct program *program)
{
    const struct conf_options *options = conf_options(program->conf);
    bool detaches = options->daemonize && strcmp(program->supervised, "no") == 0;

    if (detaches && getpid() == 1) {
        log_line(LOG_LVL_WARNING, "daemonize has no effect: this is process 1, and a "
                                  "container ends with it");
        detaches = false;
    }
    if (detaches) {
        daemon_detach();
        if (options->logfile[0] == '\0') {
            /* Nobody reads the log; syslog does if it was asked for. */
            struct log_options quiet = {
                .level = options->loglevel,
                .syslog = options->syslog,
                .syslog_ident = options->syslog_ident,
                .syslog_facility = options->syslog_facility,
                .quiet_stdout = true,
            };
            if (log_configure(&quiet) != 0)
                _exit(1);
        }
    }
    program->pidfile = options->pidfile;
    if (detaches && program->pidfile[0] == '\0')
        program->pidfile = DEFAULT_PIDFILE;
}

static void main_banner(struct program *program)
{
    log_line(LOG_LVL_NOTICE, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log_line(LOG_LVL_NOTICE,
             "Redis version=%s, bits=%d, commit=00000000, modified=0, pid=%d, "
             "just started",
             SERVER_COMPAT_VERSION, (int)sizeof(void *) * 8, (int)getpid());
    log_line(LOG_LVL_NOTICE, "redis-sentinel %s, compatible with Redis %s",
             SENTINEL_VERSION, SERVER_COMPAT_VERSION);
    log_line(LOG_LVL_NOTICE, "Configuration loaded");
    main_log_notes(program);
}

static void main_set_title(const struct program *program)
{
    struct buf title = {0};

    const char *path = program->cmdline.conf_path;
    if (conf_title(program->conf, program->name, path != NULL ? path : "", &title))
        proctitle_set(buf_text(&title));
    buf_release(&title);
}

static bool main_serve(struct program *program, struct runtime *rt)
{
    const struct conf_options *options = conf_options(program->conf);

    log_line(LOG_LVL_NOTICE, "monotonic clock: POSIX clock_gettime");
    log_line(LOG_LVL_NOTICE, "Running mode=sentinel, port=%d.",
             options->port != 0 ? options->port : options->tls_port);
    daemon_check_directory(main_state_path(program));
    daemon_notify(program->supervised, "STATUS=Ready to accept connections\nREADY=1\n");
    bool has_run = runtime_run(rt);

    if (has_run)
        log_line(LOG_LVL_NOTICE, "User requested shutdown...");
    daemon_notify(program->supervised, "STOPPING=1\n");
    if (program->pidfile[0] != '\0')
        daemon_remove_pidfile(program->pidfile);
    return has_run;
}

static int main_run(struct program *program)
{
    char run_id[RUN_ID_CAP];
    char executable[PATH_MAX] = "";
    size_t executable_len = sizeof executable;
    const struct conf_options *options = conf_options(program->conf);

    main_banner(program);
    main_set_title(program);
    int maxclients = daemon_raise_limit(options->maxclients,
                                        runtime_count_links(program->core, false),
                                        runtime_count_links(program->core, true));
    if (maxclients <= 0)
        return 1;
    daemon_random_id(run_id);
    uv_exepath(executable, &executable_len);
    struct runtime_setup setup = {
        .core = program->core,
        .conf = program->conf,
        .conf_path = program->cmdline.conf_path,
        .state_path = main_state_path(program),
        .executable = executable,
        .supervised = program->supervised,
        .run_id = run_id,
        .maxclients = maxclients,
    };
    struct runtime *rt = runtime_new(&setup);
    if (rt == NULL)
        return 1;
    /* Only now: if the ports are somebody else's, the file may be, too. */
    if (program->pidfile[0] != '\0')
        daemon_write_pidfile(program->pidfile);
    int status = main_serve(program, rt) ? 0 : 1;
    bool is_free = runtime_free(rt);
    log_line(LOG_LVL_WARNING, "Sentinel is now ready to exit, bye bye...");
    if (!logthread_stop(LOG_PATIENCE_MS) || !is_free)
        _exit(status); /* a thread is stuck in a write: do not wait for it */
    uv_library_shutdown();
    return status;
}

static int main_start(struct program *program)
{
    if (!main_load(program) || !main_start_log(program) || !main_check_place(program))
        return 1;
    main_warn_unlocked(program);
    signals_ignore();
    program->supervised = daemon_supervisor(conf_options(program->conf)->supervised);
    daemon_notify(program->supervised, "STATUS=Redis is loading...\n");
    if (strcmp(program->supervised, "upstart") == 0)
        raise(SIGSTOP);
    main_background(program);
    if (conf_options(program->conf)->crash_log)
        crash_watch(conf_options(program->conf)->logfile);
    logthread_start();
    int status = main_run(program);
    if (!logthread_stop(LOG_PATIENCE_MS))
        _exit(status);
    return status;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    int status = 0;

    signals_begin();
    tzset();
    daemon_open_stdio();
    proctitle_init(argc, argv);
    program.name = argc > 0 ? argv[0] : "redis-sentinel";
    cmdline_parse(&program.cmdline, argc, argv);
    switch (program.cmdline.mode) {
    case CMDLINE_VERSION:
        cmdline_print_version();
        break;
    case CMDLINE_HELP:
        cmdline_print_help(argv[0]);
        status = 1;
        break;
    case CMDLINE_CHECK:
        status = main_check_config(&program);
        break;
    case CMDLINE_RUN:
        status = main_start(&program);
        break;
    }
    main_release(&program);
    return status;
}
