/*
 * daemon.c - being a good process.
 */
#include "sentinel/runtime/daemon.h"

#include "common/args.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void daemon_open_stdio(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* ---------------------------------------------------------------- descriptors ---- */

/* The greatest soft limit up to |want| that the system grants. */
static rlim_t daemon_try_limit(struct rlimit limit, rlim_t want)
{
    rlim_t had = limit.rlim_cur;
    while (want > had) {
        struct rlimit next = {.rlim_cur = want, .rlim_max = limit.rlim_max};
        if (next.rlim_max != RLIM_INFINITY && next.rlim_max < want)
            next.rlim_max = want;
        if (setrlimit(RLIMIT_NOFILE, &next) == 0)
            return want;
        want = want > 16 ? want - 16 : 0;
    }
    return had;
}

int daemon_raise_limit(int maxclients, int n_known, int n_expected)
{
    rlim_t own = (rlim_t)(DAEMON_FDS_RESERVED + n_expected);
    rlim_t want = (rlim_t)maxclients + own;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_line(LOG_LVL_WARNING,
                 "Unable to obtain the current limit of open files (%s), assuming 1024",
                 strerror(errno));
        limit.rlim_cur = limit.rlim_max = 1024;
    }
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= want)
        return maxclients;

    rlim_t got = daemon_try_limit(limit, want);
    int error = errno;
    if (got >= want) {
        log_line(LOG_LVL_NOTICE,
                 "Increased maximum number of open files to %llu (it was originally "
                 "set to %llu).",
                 (unsigned long long)want, (unsigned long long)limit.rlim_cur);
        return maxclients;
    }
    if (got <= own) /* more of us might come than fit, but those we know may do */
        own = (rlim_t)(DAEMON_FDS_RESERVED + n_known);
    if (got <= own) {
        log_line(LOG_LVL_WARNING,
                 "Only %llu files may be open, which is not enough to work: raise "
                 "'ulimit -n'. Exiting.",
                 (unsigned long long)got);
        return 0;
    }
    log_line(LOG_LVL_WARNING,
             "maxclients %d needs at least %llu open files, counting %d of our own.",
             maxclients, (unsigned long long)want, (int)own);
    log_line(LOG_LVL_WARNING, "The limit of open files cannot be raised to that: %s.",
             strerror(error));
    log_line(LOG_LVL_WARNING,
             "The limit of open files is %llu, so maxclients is reduced to %llu. Use "
             "'ulimit -n' if you need more.",
             (unsigned long long)got, (unsigned long long)(got - own));
    return (int)(got - own);
}

void daemon_grow_limit(int maxclients, int n_links)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)(maxclients + DAEMON_FDS_RESERVED + n_links);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    if (limit.rlim_max != RLIM_INFINITY && want > limit.rlim_max)
        want = limit.rlim_max;
    if (want <= limit.rlim_cur)
        return;
    limit.rlim_cur = want;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---------------------------------------------------------------- supervision ---- */

const char *daemon_supervisor(const char *wish)
{
    bool is_auto = strcmp(wish, "auto") == 0;
    if (strcmp(wish, "upstart") == 0 || (is_auto && getenv("UPSTART_JOB") != NULL)) {
        if (getenv("UPSTART_JOB") == NULL) {
            log_line(LOG_LVL_WARNING,
                     "upstart supervision requested, but UPSTART_JOB not found!");
            return "no";
        }
        log_line(LOG_LVL_NOTICE,
                 "supervised by upstart, will stop to signal readiness.");
        return "upstart";
    }
    if (strcmp(wish, "systemd") == 0 || (is_auto && getenv("NOTIFY_SOCKET") != NULL)) {
        if (getenv("NOTIFY_SOCKET") == NULL) {
            log_line(
                LOG_LVL_WARNING,
                "systemd supervision requested or auto-detected, but NOTIFY_SOCKET "
                "not found!");
            return "no";
        }
        return "systemd";
    }
    return "no";
}

static int daemon_send(const char *path, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    /* An abstract name is written with '@' for the NUL it starts with. */
    if (len < 2 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return -EINVAL;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t n = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                       (const struct sockaddr *)&address, address_len);
    int status = n < 0 ? -errno : 0;
    close(fd);
    return status;
}

void daemon_notify(const char *supervisor, const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (strcmp(supervisor, "systemd") != 0 || path == NULL)
        return;
    int status = daemon_send(path, text);
    if (status < 0)
        log_line(LOG_LVL_WARNING, "systemd supervision error: sd_notify: %d", status);
}

uint64_t daemon_watchdog_ms(const char *supervisor)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t value;

    if (strcmp(supervisor, "systemd") != 0 || usec == NULL ||
        !args_uint(usec, strlen(usec), &value) || value == 0)
        return 0;
    /* It may be meant for whoever started us. */
    uint64_t whose;
    if (pid != NULL &&
        (!args_uint(pid, strlen(pid), &whose) || whose != (uint64_t)getpid()))
        return 0;
    /* Half of the time after which it would end us, as sd_watchdog_enabled(3) asks. */
    return value >= 2000 ? value / 2000 : 1;
}

void daemon_keepalive(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path != NULL)
        (void)daemon_send(path, "WATCHDOG=1\n"); /* the next one may arrive */
}

/* ----------------------------------------------------------------- background ---- */

void daemon_detach(void)
{
    pid_t pid = fork();
    if (pid != 0)
        _exit(pid < 0 ? 1 : 0);
    setsid();
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0)
        return;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(fd, i);
    if (fd > STDERR_FILENO)
        close(fd);
}

void daemon_write_pidfile(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        log_line(LOG_LVL_WARNING, "Failed to write PID file '%s': %s", path,
                 strerror(errno));
        return;
    }
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
}

void daemon_remove_pidfile(const char *path)
{
    log_line(LOG_LVL_NOTICE, "Removing the pid file.");
    unlink(path);
}

void daemon_check_directory(const char *path)
{
    char file[PATH_MAX];
    char directory[PATH_MAX];

    if (realpath(path, file) != NULL)
        path = file;
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;

    if (len >= sizeof directory)
        return;
    memcpy(directory, len > 0 ? path : "/", len > 0 ? len : 1);
    directory[len > 0 ? len : 1] = '\0';
    if (access(directory, W_OK) == 0)
        return;
    log_line(
        LOG_LVL_WARNING,
        "WARNING: the directory %s of the configuration file is not writable (%s). The "
        "file is rewritten in place: if the machine dies while that is done, it may be "
        "damaged. 'sentinel state-dir' avoids it.",
        directory, strerror(errno));
}

/* --------------------------------------------------------------------- chance ---- */

void daemon_random_bytes(void *out, size_t len)
{
    uint8_t *bytes = out;
    while (len > 0) {
        ssize_t n = getrandom(bytes, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            perror("getrandom");
            exit(1);
        }
        bytes += n;
        len -= (size_t)n;
    }
}

void daemon_random_id(char out[41])
{
    uint8_t bytes[20];
    daemon_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

unsigned long long daemon_random(void)
{
    unsigned long long number;
    daemon_random_bytes(&number, sizeof number);
    return number;
}
