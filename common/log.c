/*
 * log.c - writes log lines to standard output or a file, and to syslog.
 *
 * The state is static because there is one log per process, and because a line must be
 * possible before and after everything else exists. One thread logs: the loop's. Once
 * there is a sink, another one writes, and has the fields of log_state that change.
 */
#include "common/log.h"

#include "common/err.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_MESSAGE_CAP 4096
#define LOG_LINE_CAP 8192
#define LOG_STAMP_CAP 64

static struct {
    struct log_options options;
    char *path;  /* NULL: standard output */
    char *ident; /* openlog() keeps the pointer */
    int fd;      /* of path, or of standard output opened anew; -1 if not open */
    /* Lines that did not go since the last that did; the last of them may have gone
     * in part. */
    unsigned long long n_lost;
    bool is_cut;
    atomic_bool wants_reopen;
    log_sink sink; /* NULL: lines are written at once */
} log_state = {.options = {.level = LOG_LVL_NOTICE}, .fd = -1};

/* ---- one line as text ---- */

/* A line under construction; what does not fit is left out. */
struct log_text {
    char *out;
    size_t len;
    size_t max; /* bytes that may be used, without the NUL */
};

/* All of |bytes| or nothing, so that no escape is cut in two. False if they do not fit.
 */
static bool log_put(struct log_text *text, const char *bytes, size_t len)
{
    if (len > text->max - text->len)
        return false;
    memcpy(text->out + text->len, bytes, len);
    text->len += len;
    return true;
}

/* As much of |string| as fits. */
static void log_puts(struct log_text *text, const char *string)
{
    size_t len = strlen(string);
    size_t room = text->max - text->len;
    log_put(text, string, len < room ? len : room);
}

static void log_format_stamp(char out[LOG_STAMP_CAP], enum log_stamp stamp,
                             int64_t wall_ms)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int ms = (int)(wall_ms % 1000);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (stamp == LOG_STAMP_MS || localtime_r(&seconds, &tm) == NULL) {
        snprintf(out, LOG_STAMP_CAP, "%lld", (long long)wall_ms);
    } else if (stamp == LOG_STAMP_ISO8601) {
        long offset_min = tm.tm_gmtoff / 60;
        long offset_abs = offset_min < 0 ? -offset_min : offset_min;
        snprintf(out, LOG_STAMP_CAP, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02ld:%02ld",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                 tm.tm_sec, ms, offset_min < 0 ? '-' : '+', offset_abs / 60,
                 offset_abs % 60);
    } else {
        /* Not strftime(): names of months must not follow the locale. */
        snprintf(out, LOG_STAMP_CAP, "%02d %s %d %02d:%02d:%02d.%03d", tm.tm_mday,
                 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 ms);
    }
}

/* One line is one record, whatever a peer managed to get into the message. */
static void log_put_plain(struct log_text *text, const char *message, bool quotes)
{
    for (const char *p = message; *p != '\0'; p++) {
        char c = *p;
        if (c == '\r' || c == '\n')
            c = ' ';
        else if (c == '"' && quotes)
            c = '\'';
        if (!log_put(text, &c, 1))
            return;
    }
}

/* Length of the valid UTF-8 sequence at |s|; 0 if there is none. */
static size_t log_utf8_len(const unsigned char *s)
{
    size_t len;
    unsigned char low = 0x80; /* least and greatest second byte */
    unsigned char high = 0xbf;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;

    /* Neither longer than need be, nor surrogates, nor past the last code point. */
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return len;
}

static void log_put_json(struct log_text *text, const char *message)
{
    for (const char *p = message; *p != '\0';) {
        unsigned char c = (unsigned char)*p;
        size_t len = log_utf8_len((const unsigned char *)p);
        char escape[8];
        bool fits;

        if (len == 0) {
            /* Readers reject a whole object for one bad byte. */
            fits = log_put(text, "\\ufffd", 6);
            len = 1;
        } else if (c < ' ' || c == 127) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            fits = log_put(text, escape, 6);
        } else if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = *p;
            fits = log_put(text, escape, 2);
        } else {
            fits = log_put(text, p, len);
        }
        if (!fits)
            return;
        p += len;
    }
}

int log_render(char *out, int cap, const struct log_options *options, int pid,
               int64_t wall_ms, enum log_level level, const char *message)
{
    static const char marks[] = {'.', '-', '*', '#'};
    static const char *const names[] = {"debug", "info", "notice", "warning"};
    if (cap <= 0)
        return 0;

    /* The end of the line always gets in: a cut message is still a whole record. */
    const char *tail = options->format == LOG_FORMAT_LEGACY   ? ""
                       : options->format == LOG_FORMAT_LOGFMT ? "\""
                                                              : "\"}";
    size_t max = (size_t)cap - 1;
    size_t tail_len = strlen(tail) < max ? strlen(tail) : max;
    struct log_text text = {.out = out, .max = max - tail_len};
    unsigned int which = level <= LOG_LVL_WARNING ? level : LOG_LVL_WARNING;
    char stamp[LOG_STAMP_CAP];
    char head[256];

    log_format_stamp(stamp, options->stamp, wall_ms);
    if (options->format == LOG_FORMAT_LEGACY) {
        snprintf(head, sizeof head, "%d:X %s %c ", pid, stamp, marks[which]);
        log_puts(&text, head);
        log_put_plain(&text, message, false);
    } else if (options->format == LOG_FORMAT_LOGFMT) {
        snprintf(head, sizeof head,
                 "pid=%d role=sentinel timestamp=\"%s\" level=%s message=\"", pid,
                 stamp, names[which]);
        log_puts(&text, head);
        log_put_plain(&text, message, true);
    } else {
        snprintf(head, sizeof head,
                 "{\"pid\":%d,\"role\":\"sentinel\",\"timestamp\":\"%s\","
                 "\"level\":\"%s\",\"message\":\"",
                 pid, stamp, names[which]);
        log_puts(&text, head);
        log_put_json(&text, message);
    }
    text.max = max;
    log_puts(&text, tail);
    out[text.len] = '\0';
    return (int)text.len;
}

/* ---- where lines go ---- */

/* Without blocking, which means nothing to a file, and much to a pipe or a terminal. */
static int log_open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                0666);
}

/* Others share the descriptor and its flags: only one of our own may be made not to
 * block. -1: it has to do as it is (a file, a socket, somebody else's pipe). */
static int log_open_stdout(void)
{
    struct stat info;

    if (fstat(STDOUT_FILENO, &info) != 0 ||
        (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode)))
        return -1;
    return open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int log_configure(const struct log_options *options)
{
    bool has_path = options->path != NULL && options->path[0] != '\0';
    int fd = -1;

    if (has_path) {
        fd = log_open_file(options->path);
        if (fd < 0)
            return ERR_IO;
    } else if (!options->quiet_stdout) {
        fd = log_open_stdout();
    }
    if (log_state.fd >= 0)
        close(log_state.fd);
    log_state.fd = fd;

    if (log_state.options.syslog)
        closelog();
    mem_replace(&log_state.path, options->path);
    mem_replace(&log_state.ident, options->syslog_ident);
    log_state.options = *options;
    log_state.options.path = log_state.path;
    log_state.options.syslog_ident = log_state.ident;
    if (options->syslog)
        openlog(log_state.ident != NULL ? log_state.ident : "redis",
                LOG_PID | LOG_NDELAY | LOG_NOWAIT, options->syslog_facility);
    return ERR_OK;
}

enum log_level log_get_level(void)
{
    return log_state.options.level;
}

void log_set_level(enum log_level level)
{
    log_state.options.level = level;
}

void log_reopen(void)
{
    if (log_state.path == NULL)
        return;
    atomic_store(&log_state.wants_reopen, true);
    if (log_state.sink != NULL)
        log_state.sink(LOG_LVL_WARNING, "", 0, NULL);
    else
        log_write_lines("", 0);
}

/*
 * Goes on in a new file when the path no longer names the open one. Stock opens the
 * file for every line; one stat() notices a rotation just as soon, and a process that
 * is out of descriptors can still say so.
 */
static void log_follow_path(void)
{
    struct stat at_path;
    struct stat open_file;

    if (!atomic_exchange(&log_state.wants_reopen, false) && log_state.fd >= 0 &&
        stat(log_state.path, &at_path) == 0 && fstat(log_state.fd, &open_file) == 0 &&
        at_path.st_dev == open_file.st_dev && at_path.st_ino == open_file.st_ino)
        return;
    /* If it cannot be opened, the old file is better than none. */
    int fd = log_open_file(log_state.path);
    if (fd < 0)
        return;
    if (log_state.fd >= 0)
        close(log_state.fd);
    log_state.fd = fd;
}

/* Only a thread that has nothing else to do may wait for it. */
static bool log_has_room(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLOUT};
    return poll(&at, 1, log_state.sink != NULL ? -1 : 0) > 0;
}

static unsigned long long log_count_lines(const char *text, size_t len)
{
    unsigned long long n = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

/*
 * A log that cannot be written, or that nobody reads, must not stop a failover: what
 * does not go is lost, and counted. False if that is so.
 */
static bool log_write(int fd, const char *lines, size_t len)
{
    bool may_block = fd == STDOUT_FILENO; /* others share it */
    size_t n_gone = 0;

    while (n_gone < len) {
        size_t left = len - n_gone;
        if (may_block && !log_has_room(fd))
            break;
        /* A pipe that has room at all has room for that much. */
        ssize_t n =
            write(fd, lines + n_gone, may_block && left > PIPE_BUF ? PIPE_BUF : left);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && log_has_room(fd))))
            continue;
        if (n <= 0)
            break;
        n_gone += (size_t)n;
    }
    if (n_gone > 0)
        log_state.is_cut = lines[n_gone - 1] != '\n';
    log_state.n_lost += log_count_lines(lines + n_gone, len - n_gone);
    return n_gone == len;
}

/* |message| as a line with the time of now and its newline; returns the length. */
static size_t log_render_now(char line[LOG_LINE_CAP], enum log_level level,
                             const char *message)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int len = log_render(line, LOG_LINE_CAP - 1, &log_state.options, (int)getpid(),
                         wall_ms, level, message);
    line[len] = '\n';
    return (size_t)len + 1;
}

/* Says how many lines were lost, once there is room again. */
static bool log_own_up(int fd)
{
    unsigned long long n_lost = log_state.n_lost;
    char message[96];
    char line[LOG_LINE_CAP];

    snprintf(message, sizeof message, "%llu log line%s could not be written", n_lost,
             n_lost == 1 ? "" : "s");
    log_state.n_lost = 0;
    if ((!log_state.is_cut || log_write(fd, "\n", 1)) &&
        log_write(fd, line, log_render_now(line, LOG_LVL_WARNING, message)))
        return true;
    log_state.n_lost = n_lost;
    return false;
}

/* How much of |lines| goes in one write, so that lines of several processes do not mix:
 * whole lines, and only as many as a pipe takes at once. */
static size_t log_portion(const char *lines, size_t len, bool is_file)
{
    if (is_file || len <= PIPE_BUF)
        return len;
    const char *end = memrchr(lines, '\n', PIPE_BUF);
    if (end == NULL)
        end = memchr(lines, '\n', len);
    return end != NULL ? (size_t)(end - lines) + 1 : len;
}

void log_write_lines(const char *lines, size_t len)
{
    struct stat info;

    if (log_state.path != NULL)
        log_follow_path();
    int fd = log_state.path == NULL && log_state.fd < 0 ? STDOUT_FILENO : log_state.fd;
    if (fd < 0 || (log_state.n_lost > 0 && !log_own_up(fd))) {
        log_state.n_lost += log_count_lines(lines, len);
        return;
    }
    bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    while (len > 0) {
        size_t n = log_portion(lines, len, is_file);
        bool is_gone = log_write(fd, lines, n);
        lines += n;
        len -= n;
        if (!is_gone) {
            log_state.n_lost += log_count_lines(lines, len);
            return;
        }
    }
}

void log_count_lost(unsigned long long n)
{
    log_state.n_lost += n;
}

void log_write_syslog(enum log_level level, const char *message)
{
    static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};

    syslog(priorities[level], "%s", message);
}

void log_set_sink(log_sink sink)
{
    log_state.sink = sink;
}

/* |message|: for syslog, or NULL. */
static void log_give(enum log_level level, const char *line, size_t len,
                     const char *message)
{
    if (log_state.path == NULL && log_state.options.quiet_stdout)
        len = 0;
    if (len == 0 && message == NULL)
        return;
    if (log_state.sink != NULL) {
        log_state.sink(level, line, len, message);
        return;
    }
    if (len > 0)
        log_write_lines(line, len);
    if (message != NULL)
        log_write_syslog(level, message);
}

void log_verbatim(const char *line, size_t len)
{
    log_give(LOG_LVL_WARNING, line, len, NULL);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < log_state.options.level || level >= LOG_LVL_NOTHING)
        return;

    /* Callers log what errno says and go on to use it. */
    int saved_errno = errno;
    char message[LOG_MESSAGE_CAP];
    char line[LOG_LINE_CAP];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);

    log_give(level, line, log_render_now(line, level, message),
             log_state.options.syslog ? message : NULL);
    errno = saved_errno;
}
