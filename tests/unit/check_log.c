/*
 * check_log.c - log lines as users and their tools read them, and where they go.
 */
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/runtime/logthread.h"
#include "tests/lib/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WALL_MS 1795369505064 /* 2026-11-22 17:45:05.064 UTC */

static void use_timezone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

static const char *render(enum log_format format, enum log_stamp stamp,
                          enum log_level level, const char *message)
{
    static char line[512];
    struct log_options options = {.format = format, .stamp = stamp};
    int len = log_render(line, sizeof line, &options, 4711, WALL_MS, level, message);
    ck_assert_int_eq(len, (int)strlen(line));
    return line;
}

START_TEST(legacy_lines)
{
    use_timezone("UTC0");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_LEGACY, LOG_LVL_WARNING,
                            "+sdown master mymaster 127.0.0.1 6379"),
                     "4711:X 22 Nov 2026 17:45:05.064 # "
                     "+sdown master mymaster 127.0.0.1 6379");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_LEGACY, LOG_LVL_NOTICE, ""),
                     "4711:X 22 Nov 2026 17:45:05.064 * ");
    ck_assert_str_eq(
        render(LOG_FORMAT_LEGACY, LOG_STAMP_LEGACY, LOG_LVL_VERBOSE, "\"a"),
        "4711:X 22 Nov 2026 17:45:05.064 - \"a");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_LEGACY, LOG_LVL_DEBUG, "a"),
                     "4711:X 22 Nov 2026 17:45:05.064 . a");
}
END_TEST

START_TEST(time_is_local)
{
    use_timezone("XXX-5:30");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_LEGACY, LOG_LVL_NOTICE, "a"),
                     "4711:X 22 Nov 2026 23:15:05.064 * a");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_ISO8601, LOG_LVL_NOTICE, "a"),
                     "4711:X 2026-11-22T23:15:05.064+05:30 * a");
    use_timezone("XXX3:30");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_ISO8601, LOG_LVL_NOTICE, "a"),
                     "4711:X 2026-11-22T14:15:05.064-03:30 * a");
    ck_assert_str_eq(render(LOG_FORMAT_LEGACY, LOG_STAMP_MS, LOG_LVL_NOTICE, "a"),
                     "4711:X 1795369505064 * a");
}
END_TEST

START_TEST(a_clock_before_1970_is_no_problem)
{
    char line[100];
    struct log_options options = {.stamp = LOG_STAMP_LEGACY};
    use_timezone("UTC0");
    log_render(line, sizeof line, &options, 1, -1, LOG_LVL_NOTICE, "a");
    ck_assert_str_eq(line, "1:X 31 Dec 1969 23:59:59.999 * a");
}
END_TEST

START_TEST(logfmt_lines)
{
    use_timezone("UTC0");
    ck_assert_str_eq(render(LOG_FORMAT_LOGFMT, LOG_STAMP_ISO8601, LOG_LVL_NOTICE,
                            "say \"hi\"\r\nto all"),
                     "pid=4711 role=sentinel "
                     "timestamp=\"2026-11-22T17:45:05.064+00:00\" level=notice "
                     "message=\"say 'hi'  to all\"");
    ck_assert_str_eq(render(LOG_FORMAT_LOGFMT, LOG_STAMP_LEGACY, LOG_LVL_VERBOSE, "x"),
                     "pid=4711 role=sentinel timestamp=\"22 Nov 2026 17:45:05.064\" "
                     "level=info message=\"x\"");
}
END_TEST

START_TEST(json_lines)
{
    use_timezone("UTC0");
    ck_assert_str_eq(render(LOG_FORMAT_JSON, LOG_STAMP_MS, LOG_LVL_WARNING,
                            "a\"b\\c\n\x01\x7f caf\xc3\xa9"),
                     "{\"pid\":4711,\"role\":\"sentinel\","
                     "\"timestamp\":\"1795369505064\",\"level\":\"warning\","
                     "\"message\":\"a\\\"b\\\\c\\u000a\\u0001\\u007f caf\xc3\xa9\"}");
}
END_TEST

/* Readers of JSON throw a line away if a single byte of it is not UTF-8. */
START_TEST(json_is_valid_utf8)
{
    static const char *const cases[][2] = {
        {"\x80", "\\ufffd"},
        {"\xc3", "\\ufffd"},
        {"\xc3(", "\\ufffd("},
        {"\xc0\x80", "\\ufffd\\ufffd"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xe2\x82", "\\ufffd\\ufffd"},
        {"\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf0\x8f\x98\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xff", "\\ufffd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *line =
            render(LOG_FORMAT_JSON, LOG_STAMP_MS, LOG_LVL_NOTICE, cases[i][0]);
        const char *message = strstr(line, "\"message\":\"") + 11;
        size_t len = strlen(cases[i][1]);
        ck_assert_mem_eq(message, cases[i][1], len);
        ck_assert_str_eq(message + len, "\"}");
    }
}
END_TEST

/* However little room there is, the line ends properly and no escape is cut. */
START_TEST(long_messages_are_cut)
{
    static const char *const ends[] = {"", "\"", "\"}"};
    char line[400];
    for (int format = LOG_FORMAT_LEGACY; format <= LOG_FORMAT_JSON; format++) {
        struct log_options options = {.format = (enum log_format)format};
        for (int cap = 150; cap < (int)sizeof line; cap++) {
            memset(line, 'z', sizeof line);
            char message[500];
            memset(message, '\x01', sizeof message);
            message[499] = '\0';
            int len =
                log_render(line, cap, &options, 1, WALL_MS, LOG_LVL_NOTICE, message);
            ck_assert_int_lt(len, cap);
            ck_assert_int_gt(len, cap - 7);
            ck_assert_int_eq((int)strlen(line), len);
            ck_assert_str_eq(line + len - strlen(ends[format]), ends[format]);
            if (format == LOG_FORMAT_JSON)
                ck_assert_str_eq(line + len - 8, "\\u0001\"}");
        }
        for (int cap = 0; cap < 150; cap++) {
            int len = log_render(line, cap, &options, 1, WALL_MS, LOG_LVL_NOTICE, "m");
            ck_assert_int_lt(len, cap > 0 ? cap : 1);
        }
    }
}
END_TEST

/* ---- files ---- */

static char dir[64];
static char path[128];
static char old_path[128];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/check_log.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(old_path, sizeof old_path, "%s/log.1", dir);
}

static void remove_dir(void)
{
    struct log_options options = {.level = LOG_LVL_NOTICE};
    log_configure(&options);
    unlink(path);
    unlink(old_path);
    rmdir(dir);
}

static void configure(enum log_level level, const char *file)
{
    struct log_options options = {.level = level, .path = file};
    ck_assert_int_eq(log_configure(&options), 0);
}

/* The messages in |file|, each with a '|' behind it. */
static const char *messages(const char *file)
{
    static char shown[512];
    struct buf text = {0};
    size_t len = 0;

    shown[0] = '\0';
    if (file_read(file, 100000, &text, NULL) != 0)
        return "no file";
    for (char *line = text.data; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        const char *message = strchr(line, '.') + 7; /* ".mmm c " */
        len += (size_t)snprintf(shown + len, sizeof shown - len, "%s|", message);
        line = end + 1;
    }
    buf_release(&text);
    return shown;
}

START_TEST(level_decides)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    ck_assert_int_eq(log_get_level(), LOG_LVL_NOTICE);
    log_line(LOG_LVL_VERBOSE, "hidden");
    log_line(LOG_LVL_NOTICE, "shown %d", 1);
    log_set_level(LOG_LVL_DEBUG);
    log_line(LOG_LVL_DEBUG, "shown 2");
    log_set_level(LOG_LVL_NOTHING);
    log_line(LOG_LVL_WARNING, "hidden");
    log_line(LOG_LVL_NOTHING, "hidden");
    ck_assert_str_eq(messages(path), "shown 1|shown 2|");
    remove_dir();
}
END_TEST

START_TEST(file_is_appended_to)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "one");
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "two");
    ck_assert_str_eq(messages(path), "one|two|");
    remove_dir();
}
END_TEST

START_TEST(rotation_needs_no_signal)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "one");
    ck_assert_int_eq(rename(path, old_path), 0);
    log_line(LOG_LVL_NOTICE, "two");
    ck_assert_str_eq(messages(old_path), "one|");
    ck_assert_str_eq(messages(path), "two|");
    /* Also if whoever rotates puts a new file there. */
    ck_assert_int_eq(rename(path, old_path), 0);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    log_line(LOG_LVL_NOTICE, "two and a half");
    ck_assert_str_eq(messages(path), "two and a half|");
    /* Nor does removal. */
    unlink(path);
    log_line(LOG_LVL_NOTICE, "three");
    ck_assert_str_eq(messages(path), "three|");
    /* Or truncation, as logrotate's copytruncate does it. */
    ck_assert_int_eq(truncate(path, 0), 0);
    log_line(LOG_LVL_NOTICE, "four");
    ck_assert_str_eq(messages(path), "four|");
    remove_dir();
}
END_TEST

START_TEST(reopening_is_harmless)
{
    make_dir();
    log_reopen();
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "one");
    log_reopen();
    log_line(LOG_LVL_NOTICE, "two");
    ck_assert_str_eq(messages(path), "one|two|");
    remove_dir();
}
END_TEST

START_TEST(failed_configuration_changes_nothing)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    struct log_options options = {.level = LOG_LVL_DEBUG, .path = "/nowhere/at/all"};
    errno = 0;
    ck_assert_int_eq(log_configure(&options), ERR_IO);
    ck_assert_int_eq(errno, ENOENT);
    log_line(LOG_LVL_DEBUG, "hidden");
    log_line(LOG_LVL_NOTICE, "still here");
    ck_assert_str_eq(messages(path), "still here|");
    remove_dir();
}
END_TEST

/* The directory is gone, so a new file cannot be opened: the old one has to do. */
START_TEST(logging_survives_loss_of_the_path)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    int fd = open(path, O_RDONLY);
    unlink(path);
    rmdir(dir);
    errno = EAGAIN;
    log_line(LOG_LVL_NOTICE, "into the void");
    ck_assert_int_eq(errno, EAGAIN); /* callers go on to use it */
    char text[200];
    ssize_t n = read(fd, text, sizeof text - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "into the void\n"));
    close(fd);
    remove_dir();
}
END_TEST

START_TEST(options_are_copied)
{
    make_dir();
    char *copy = mem_strdup(path);
    configure(LOG_LVL_NOTICE, copy);
    memset(copy, 'x', strlen(copy));
    mem_free(copy);
    log_line(LOG_LVL_NOTICE, "one");
    ck_assert_str_eq(messages(path), "one|");
    remove_dir();
}
END_TEST

/* Whether or not somebody listens there. */
START_TEST(syslog_comes_on_top)
{
    make_dir();
    struct log_options options = {
        .level = LOG_LVL_NOTICE, .path = path, .syslog = true, .syslog_ident = "test"};
    ck_assert_int_eq(log_configure(&options), 0);
    log_line(LOG_LVL_NOTICE, "one %%s");
    options.syslog_ident = NULL;
    ck_assert_int_eq(log_configure(&options), 0);
    log_line(LOG_LVL_WARNING, "two");
    ck_assert_str_eq(messages(path), "one %s|two|");
    remove_dir();
}
END_TEST

/* Standard output becomes a file for the time of the test. */
START_TEST(standard_output_and_quiet)
{
    make_dir();
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);

    configure(LOG_LVL_NOTICE, "");
    log_line(LOG_LVL_NOTICE, "one");
    struct log_options options = {.level = LOG_LVL_NOTICE, .quiet_stdout = true};
    ck_assert_int_eq(log_configure(&options), 0);
    log_line(LOG_LVL_WARNING, "hidden");
    options.path = old_path;
    ck_assert_int_eq(log_configure(&options), 0);
    log_line(LOG_LVL_WARNING, "two");

    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    ck_assert_str_eq(messages(path), "one|");
    ck_assert_str_eq(messages(old_path), "two|");
    remove_dir();
}
END_TEST

/* ---- what nobody reads ---- */

#define PATIENCE_MS 10000
#define N_UNREAD 3000 /* lines of 4 kB: more than any pipe or terminal keeps */

/* Reads until there was nothing for a while: what is written to a terminal arrives
 * later. */
static void drain(int fd, struct buf *text)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    char chunk[4096];
    ssize_t n;

    while (poll(&at, 1, 100) > 0 && (n = read(fd, chunk, sizeof chunk)) > 0)
        buf_append(text, chunk, (size_t)n);
}

/* Logs to standard output, or to |file|, while nobody reads there, then reads until the
 * latest line has come. Returns how many were logged, each with a '!' at its end. */
static int fill_and_read(const char *file, int reader, bool has_thread,
                         struct buf *text)
{
    char latest[32];
    int n_logged = N_UNREAD;

    configure(LOG_LVL_NOTICE, file);
    if (has_thread)
        logthread_start();
    for (int i = 0; i < N_UNREAD; i++)
        log_line(LOG_LVL_NOTICE, "unread%4000s", "!");
    do {
        drain(reader, text);
        snprintf(latest, sizeof latest, "line %d!", ++n_logged);
        log_line(LOG_LVL_NOTICE, "%s", latest);
        drain(reader, text);
    } while (strstr(buf_text(text), latest) == NULL && n_logged < N_UNREAD + 100);
    log_verbatim("as it is", 8);
    drain(reader, text);
    ck_assert(logthread_stop(PATIENCE_MS));
    return n_logged;
}

/* Every line came, or was counted by one that says how many did not. */
static void expect_all_lines(const char *text, int n_logged)
{
    int n_kept = 0;
    int n_told = 0;
    int n = 0;

    for (const char *at = text; (at = strchr(at, '!')) != NULL; at++)
        n_kept++;
    for (const char *at = text; (at = strstr(at, " # ")) != NULL; at++) {
        ck_assert_int_eq(sscanf(at, " # %d log line", &n), 1);
        n_told += n;
    }
    ck_assert_int_gt(n_kept, 0);
    ck_assert_int_gt(n_told, 0);
    /* Of one only the newline may have been missing. */
    ck_assert_int_ge(n_kept + n_told, n_logged);
    ck_assert_int_le(n_kept + n_told, n_logged + 1);
    ck_assert_ptr_nonnull(strstr(text, "could not be written"));
    ck_assert_str_eq(text + strlen(text) - 8, "as it is");
}

/* The same with |fd| as standard output, which goes by another name, too; written at
 * once or by a thread. */
static void check_unread(int fd, int reader, bool has_thread)
{
    static const char *const files[] = {"", "/dev/stdout"};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct stat info;
        struct buf text = {0};

        ck_assert_int_eq(fstat(fd, &info), 0);
        if (S_ISSOCK(info.st_mode) && files[i][0] != '\0')
            continue; /* has no other */
        fflush(stdout);
        int saved = dup(STDOUT_FILENO);
        dup2(fd, STDOUT_FILENO);
        int n_logged = fill_and_read(files[i], reader, has_thread, &text);
        configure(LOG_LVL_NOTICE, old_path); /* closes what it had */
        dup2(saved, STDOUT_FILENO);
        close(saved);
        expect_all_lines(buf_text(&text), n_logged);
        /* The flags of what a shell gave to others, too, are left alone. */
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        buf_release(&text);
    }
    close(reader);
    close(fd);
}

START_TEST(an_unread_pipe_stops_nothing)
{
    int ends[2];
    make_dir();
    ck_assert_int_eq(pipe(ends), 0);
    check_unread(ends[1], ends[0], _i == 1);
    remove_dir();
}
END_TEST

START_TEST(an_unread_terminal_stops_nothing)
{
    make_dir();
    int reader = posix_openpt(O_RDWR | O_NOCTTY);
    if (reader >= 0 && grantpt(reader) == 0 && unlockpt(reader) == 0) {
        int fd = open(ptsname(reader), O_RDWR | O_NOCTTY);
        ck_assert_int_ge(fd, 0);
        check_unread(fd, reader, _i == 1);
    }
    remove_dir();
}
END_TEST

/* It cannot be opened anew, but asked for room. */
START_TEST(an_unread_socket_stops_nothing)
{
    int ends[2];
    make_dir();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    check_unread(ends[1], ends[0], _i == 1);
    remove_dir();
}
END_TEST

START_TEST(a_thread_keeps_the_order)
{
    struct buf wanted = {0};

    make_dir();
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "before");
    buf_puts(&wanted, "before|");
    logthread_start();
    for (int i = 0; i < 20; i++) {
        log_line(LOG_LVL_NOTICE, "%d", i);
        buf_printf(&wanted, "%d|", i);
        ck_assert(i % 7 != 0 || logthread_drain(PATIENCE_MS));
    }
    ck_assert(logthread_drain(PATIENCE_MS));
    ck_assert_str_eq(messages(path), buf_text(&wanted));
    log_line(LOG_LVL_NOTICE, "last");
    ck_assert(logthread_stop(PATIENCE_MS));
    log_line(LOG_LVL_NOTICE, "after");
    buf_puts(&wanted, "last|after|");
    ck_assert_str_eq(messages(path), buf_text(&wanted));
    buf_release(&wanted);
    remove_dir();
}
END_TEST

START_TEST(a_line_is_one_line)
{
    make_dir();
    configure(LOG_LVL_NOTICE, path);
    log_line(LOG_LVL_NOTICE, "one\n1:X forged");
    log_line(LOG_LVL_NOTICE, "%9000s", "long");
    struct buf text = {0};
    ck_assert_int_eq(file_read(path, 100000, &text, NULL), 0);
    int n_lines = 0;
    for (size_t i = 0; i < text.len; i++)
        n_lines += text.data[i] == '\n';
    ck_assert_int_eq(n_lines, 2);
    ck_assert_int_eq(text.data[text.len - 1], '\n');
    buf_release(&text);
    remove_dir();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");
    tcase_add_test(tc, legacy_lines);
    tcase_add_test(tc, time_is_local);
    tcase_add_test(tc, a_clock_before_1970_is_no_problem);
    tcase_add_test(tc, logfmt_lines);
    tcase_add_test(tc, json_lines);
    tcase_add_test(tc, json_is_valid_utf8);
    tcase_add_test(tc, long_messages_are_cut);
    tcase_add_test(tc, level_decides);
    tcase_add_test(tc, file_is_appended_to);
    tcase_add_test(tc, rotation_needs_no_signal);
    tcase_add_test(tc, reopening_is_harmless);
    tcase_add_test(tc, failed_configuration_changes_nothing);
    tcase_add_test(tc, logging_survives_loss_of_the_path);
    tcase_add_test(tc, options_are_copied);
    tcase_add_test(tc, syslog_comes_on_top);
    tcase_add_test(tc, standard_output_and_quiet);
    tcase_add_loop_test(tc, an_unread_pipe_stops_nothing, 0, 2);
    tcase_add_loop_test(tc, an_unread_terminal_stops_nothing, 0, 2);
    tcase_add_loop_test(tc, an_unread_socket_stops_nothing, 0, 2);
    tcase_add_test(tc, a_thread_keeps_the_order);
    tcase_add_test(tc, a_line_is_one_line);
    suite_add_tcase(suite, tc);
    return suite;
}
