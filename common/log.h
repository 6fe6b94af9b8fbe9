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

/* Never waits for a pipe or terminal: a line that it does not take at once is lost, and
 * the next one that goes is preceded by one that says how many were. A disk or syslog
 * may make it wait, as long as there is no sink. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes |len| bytes that are a line already, with its newline, to where lines go
 * (syslog excepted), whatever the level. */
void log_verbatim(const char *line, size_t len);

/*
 * Somebody who takes lines and has another thread write them: |len| bytes of a line for
 * log_write_lines() (0: there is no place for it), and |message| for log_write_syslog()
 * (NULL: nobody wants it). Both are only lent. With neither, log_write_lines() is to be
 * called all the same, for log_reopen(). NULL: no sink. log_configure() must not
 * be called while there is one.
 */
typedef void (*log_sink)(enum log_level level, const char *line, size_t len,
                         const char *message);
void log_set_sink(log_sink sink);

/* For that thread. Writes |len| bytes of whole lines, and waits for a pipe or terminal
 * as long as that takes. */
void log_write_lines(const char *lines, size_t len);
void log_write_syslog(enum log_level level, const char *message);
void log_count_lost(unsigned long long n); /* as if they could not be written */

/* Formats one line as log_line() would write it, without the newline and with a given
 * time; for tests and the demo. |wall_ms| is Unix time; returns the length written,
 * always NUL-terminated. A message that does not fit is cut. */
int log_render(char *out, int cap, const struct log_options *options, int pid,
               int64_t wall_ms, enum log_level level, const char *message);

#endif
