/*
 * log.h - levels and the log line format (behaviour.md 10.4, interface.md 8.1).
 *
 * The core and the server never log; they emit actions, and the runtime logs those.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LVL_DEBUG,
    LOG_LVL_VERBOSE,
    LOG_LVL_NOTICE,
    LOG_LVL_WARNING,
    LOG_LVL_NOTHING
};
enum log_format { LOG_FORMAT_LEGACY, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_stamp { LOG_STAMP_LEGACY, LOG_STAMP_ISO8601, LOG_STAMP_MS };

struct log_options {
    enum log_level level;
    const char *path; /* "" or NULL: standard output; copied */
    enum log_format format;
    enum log_stamp stamp;
    bool syslog;
    const char *syslog_ident; /* copied */
    int syslog_facility;
    bool quiet_stdout; /* daemonized without a logfile: nothing is written */
};

/* May be called again at any time. Returns 0 or ERR_IO (the file cannot be opened;
 * errno is set, nothing changed). */
int log_configure(const struct log_options *options);
enum log_level log_get_level(void);
void log_set_level(enum log_level level);
/* Reopens the file (SIGHUP). Rotation by rename works without it. */
void log_reopen(void);

/* Never waits: a line that the file, pipe or terminal does not take at once is lost,
 * and the next one that goes is preceded by one that says how many were. Syslog may
 * wait. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes |len| bytes that are a line already, with its newline, to where lines go
 * (syslog excepted), whatever the level. */
void log_verbatim(const char *line, size_t len);

/* Formats one line as log_line() would write it, without the newline and with a given
 * time; for tests and the demo. |wall_ms| is Unix time; returns the length written,
 * always NUL-terminated. A message that does not fit is cut. */
int log_render(char *out, int cap, const struct log_options *options, int pid,
               int64_t wall_ms, enum log_level level, const char *message);

#endif
