/*
 * check_conf_read.c - grammar, options, includes, hostile input.
 */
#include "common/rng.h"
#include "sentinel/conf/conf.h"
#include "tests/lib/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static char tmp[64]; /* a directory of the running test's own */
static struct conf *conf;
static struct conf_error error;

static void setup(void)
{
    snprintf(tmp, sizeof tmp, "/tmp/check_conf_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tmp));
    ck_assert_int_eq(chdir(tmp), 0);
    conf = conf_new();
    error = (struct conf_error){0};
}

static void teardown(void)
{
    static const char *const names[] = {"a.conf",    "b.conf",     "c.conf",
                                        "main.conf", "sub/a.conf", "sub/b.conf"};
    char path[128];

    conf_free(conf);
    ck_assert_int_eq(chdir("/"), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", tmp, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/sub", tmp);
    rmdir(path);
    ck_assert_int_eq(rmdir(tmp), 0);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static int read_text(const char *text)
{
    return conf_read_main_text(conf, text, strlen(text), &error);
}

static const struct conf_options *options_of(const char *text)
{
    int rc = read_text(text);

    ck_assert_msg(rc == 0, "%s", error.reason);
    return conf_options(conf);
}

START_TEST(defaults)
{
    const struct conf_options *o = options_of("");

    ck_assert_int_eq(o->port, 26379);
    ck_assert(!o->bind_set);
    ck_assert_int_eq(o->n_bind, 0);
    ck_assert_str_eq(o->bind_source_addr, "");
    ck_assert_str_eq(o->unixsocket, "");
    ck_assert_int_eq(o->unixsocketperm, 0);
    ck_assert_int_eq(o->tcp_backlog, 511);
    ck_assert_int_eq(o->tcp_keepalive, 300);
    ck_assert_int_eq(o->timeout_s, 0);
    ck_assert_int_eq(o->maxclients, 10000);
    ck_assert(!o->protected_mode);
    ck_assert_int_eq(o->query_buffer_limit, 1 << 30);
    ck_assert_int_eq(o->bulk_max, 512 << 20);
    ck_assert_int_eq(o->output_normal.hard, 0);
    ck_assert_int_eq(o->output_pubsub.hard, 32 << 20);
    ck_assert_int_eq(o->output_pubsub.soft, 8 << 20);
    ck_assert_int_eq(o->output_pubsub.soft_s, 60);
    ck_assert_str_eq(o->supervised, "no");
    ck_assert_int_eq(o->loglevel, LOG_LVL_NOTICE);
    ck_assert_str_eq(o->syslog_ident, "redis");
    ck_assert_int_eq(o->syslog_facility, LOG_LOCAL0);
}
END_TEST

START_TEST(options)
{
    const struct conf_options *o = options_of(
        "port 1\nPORT 26380\nbind 127.0.0.1 -::1\nbind-source-addr 10.0.0.1\n"
        "unixsocket /tmp/s\nunixsocketperm 0700\ntcp-backlog 5\ntcp-keepalive 0\n"
        "timeout 9\nmaxclients 4294967295\nprotected-mode YES\nrequirepass 'a b'\n"
        "client-query-buffer-limit 2MB\nproto-max-bulk-len 3g\n"
        "client-output-buffer-limit normal 1kb 2k 3 slave 1 1 1 pubsub 4 5 6\n"
        "daemonize yes\nsupervised Systemd\npidfile /p\ndir /d\nlogfile l\n"
        "loglevel nothing\nlog-format json\nlog-timestamp-format iso8601\n"
        "syslog-enabled yes\nsyslog-ident x\nsyslog-facility local7\n"
        "always-show-logo yes\n");

    ck_assert_int_eq(o->port, 26380);
    ck_assert_int_eq(o->n_bind, 2);
    ck_assert_str_eq(o->bind[1], "-::1");
    ck_assert_str_eq(o->bind_source_addr, "10.0.0.1");
    ck_assert_str_eq(o->unixsocket, "/tmp/s");
    ck_assert_int_eq(o->unixsocketperm, 0700);
    ck_assert_int_eq(o->tcp_backlog, 5);
    ck_assert_int_eq(o->tcp_keepalive, 0);
    ck_assert_int_eq(o->timeout_s, 9);
    ck_assert_int_eq(o->maxclients, 2147483647);
    ck_assert(o->protected_mode && o->daemonize && o->syslog && o->always_show_logo);
    ck_assert_str_eq(o->requirepass, "a b");
    ck_assert_int_eq(o->query_buffer_limit, 2 << 20);
    ck_assert_int_eq(o->bulk_max, 3000000000);
    ck_assert_int_eq(o->output_normal.hard, 1024);
    ck_assert_int_eq(o->output_normal.soft, 2000);
    ck_assert_int_eq(o->output_normal.soft_s, 3);
    ck_assert_int_eq(o->output_pubsub.hard, 4);
    ck_assert_str_eq(o->supervised, "systemd");
    ck_assert_str_eq(o->pidfile, "/p");
    ck_assert_str_eq(o->dir, "/d"); /* noted only: this is not a real file */
    ck_assert_str_eq(o->logfile, "l");
    ck_assert_int_eq(o->loglevel, LOG_LVL_NOTHING);
    ck_assert_int_eq(o->log_format, LOG_FORMAT_JSON);
    ck_assert_int_eq(o->log_stamp, LOG_STAMP_ISO8601);
    ck_assert_str_eq(o->syslog_ident, "x");
    ck_assert_int_eq(o->syslog_facility, LOG_LOCAL7);
}
END_TEST

START_TEST(lists_in_one_word)
{
    const struct conf_options *o =
        options_of("bind a b c\nbind \"127.0.0.1  ::1\"\n"
                   "client-output-buffer-limit \"normal 1 2 3\"\n");
    ck_assert_int_eq(o->n_bind, 2);
    ck_assert_str_eq(o->bind[1], "::1");
    ck_assert_int_eq(o->output_normal.soft_s, 3);
    o = options_of("bind \"\"\n");
    ck_assert(o->bind_set);
    ck_assert_int_eq(o->n_bind, 0);
}
END_TEST

/* What inih would make of the line by itself does not matter. */
START_TEST(values_are_left_alone)
{
    static const char *const values[][2] = {
        {"a=b", "a=b"},
        {"a:b", "a:b"},
        {"\" #x ; y=z:w \"", " #x ; y=z:w "},
        {"#hash", "#hash"},
        {";", ";"},
        {"[x]", "[x]"},
        {"=", "="},
        {"::1", "::1"},
        {"x;y", "x;y"},
        {"\"x ;y\"", "x ;y"},
        {"\303\244\377", "\303\244\377"},
        {"a\\b", "a\\b"},
        {"\"\\x41\\n\\\"\"", "A\n\""},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "\trequirepass \t %s \r\n", values[i][0]);
        ck_assert_str_eq(options_of(text)->requirepass, values[i][1]);
    }
}
END_TEST

START_TEST(long_values)
{
    static const size_t lens[] = {199,   200,   5000,  65520,  65521,  65522,
                                  65523, 65524, 70000, 131000, 1048000};

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct buf text = {0};
        buf_puts(&text, "requirepass ");
        for (size_t k = 0; k < lens[i]; k++)
            buf_putc(&text, (char)('a' + k % 26));
        buf_puts(&text, "\nport 77");
        ck_assert_int_eq(read_text(text.data), 0);
        ck_assert_uint_eq(strlen(conf_options(conf)->requirepass), lens[i]);
        ck_assert_int_eq(conf_options(conf)->port, 77);
        buf_release(&text);
    }
}
END_TEST

static void refuse(const char *text, size_t len, int line, const char *reason)
{
    ck_assert_int_lt(conf_read_main_text(conf, text, len, &error), 0);
    ck_assert_str_eq(error.reason, reason);
    ck_assert_int_eq(error.line, line);
}

START_TEST(hostile_files)
{
    struct buf text = {0};

    refuse("port 1\nport \0 2\n", 16, 2, "NUL byte in configuration line");
    refuse("\0", 1, 1, "NUL byte in configuration line");
    refuse("\x7f"
           "ELF\x02\x01",
           6, 1, "Bad directive or wrong number of arguments");
    buf_puts(&text, "# c\nport 1\nrequirepass ");
    for (size_t i = 0; i < 2 << 20; i++)
        buf_putc(&text, 'x');
    refuse(text.data, text.len, 3, "Line too long");
    ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
    /* A comment may be as long, and hold anything. */
    text.data[11] = '#';
    text.data[100000] = '\0';
    ck_assert_int_eq(conf_read_main_text(conf, text.data, text.len, &error), 0);
    buf_release(&text);
    refuse("port 1\nrequirepass \"tru", 23, 2,
           "Unbalanced quotes in configuration line");
}
END_TEST

/* Random bytes, and valid text with random damage: an error or not, never a crash. */
START_TEST(random_files)
{
    static const char sample[] =
        "port 26379\nbind 127.0.0.1 ::1\nrequirepass \"a\\x41 b\"\n# comment\n\n"
        "sentinel monitor m 127.0.0.1 6379 2\nsentinel auth-pass m 'x y'\n"
        "sentinel known-replica m ::1 6380\nsentinel rename-command m A B\n"
        "client-output-buffer-limit normal 1kb 2mb 3\nuser a on >p\nx.y z\n";
    struct rng rng;
    char text[sizeof sample];

    rng_seed(&rng, (uint64_t)_i, 1);
    memcpy(text, sample, sizeof sample);
    for (uint32_t n = 1 + rng_below(&rng, 8); n > 0; n--)
        text[rng_below(&rng, sizeof sample - 1)] = (char)rng_below(&rng, 256);
    size_t len = rng_below(&rng, sizeof sample);
    if (conf_read_main_text(conf, text, len, &error) == 0) {
        struct core *core = core_new(1);
        struct buf out = {0};
        if (conf_apply(conf, core, &error) == 0)
            conf_render(conf, core, &out);
        buf_release(&out);
        core_free(core);
    }
}
END_TEST

START_TEST(file_limits)
{
    int fd = open("main.conf", O_CREAT | O_WRONLY, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)CONF_FILE_MAX + 1), 0);
    close(fd);
    ck_assert_int_lt(conf_read_file(conf, "main.conf", &error), 0);
    ck_assert(error.is_file_error);
    ck_assert_str_eq(error.reason,
                     "Fatal error, can't open config file 'main.conf': File too large");
    ck_assert_int_lt(conf_read_file(conf, "none.conf", &error), 0);
    ck_assert_str_eq(
        error.reason,
        "Fatal error, can't open config file 'none.conf': No such file or directory");
}
END_TEST

START_TEST(includes)
{
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    put("sub/a.conf", "port 2\ninclude ../c.conf\n");
    put("sub/b.conf", "timeout 4\nport 3\n");
    put("c.conf", "tcp-backlog 9\n");
    put("main.conf", "port 1\ndir sub\ninclude *.conf\ninclude none*.conf\n");
    ck_assert_int_eq(conf_read_file(conf, "main.conf", &error), 0);
    ck_assert_int_eq(conf_options(conf)->port, 3);
    ck_assert_int_eq(conf_options(conf)->timeout_s, 4);
    ck_assert_int_eq(conf_options(conf)->tcp_backlog, 9);
    ck_assert_str_eq(conf_text(conf, "port"), "3");
    ck_assert_str_eq(conf_words(conf, "port", 1)->words[1], "2");
    ck_assert_ptr_null(conf_words(conf, "port", 3));
}
END_TEST

START_TEST(bad_includes)
{
    put("a.conf", "port 1\n\nport x\n");
    put("main.conf", "\n\n\ninclude a.conf\n");
    ck_assert_int_lt(conf_read_file(conf, "main.conf", &error), 0);
    ck_assert_int_eq(error.line, 3);
    ck_assert_str_eq(error.text, "port x");
    ck_assert_str_eq(error.reason, "argument couldn't be parsed into an integer");

    put("main.conf", "include b.conf\n");
    ck_assert_int_lt(conf_read_file(conf, "main.conf", &error), 0);
    ck_assert(error.is_file_error);
    ck_assert_str_eq(
        error.reason,
        "Fatal error, can't open config file 'b.conf': No such file or directory");

    put("main.conf", "# x\ninclude main.conf\n");
    ck_assert_int_lt(conf_read_file(conf, "main.conf", &error), 0);
    ck_assert_str_eq(error.reason, "Includes are nested too deeply");
    ck_assert_int_eq(error.line, 2);

    ck_assert_int_lt(read_text("include main.conf\n"), 0);
    ck_assert_str_eq(error.reason, "include is not possible here");
}
END_TEST

START_TEST(texts_go_on_counting)
{
    static const struct {
        const char *file, *text;
        int line;
    } cases[] = {
        {"port 1\n", "nosuch 1", 3},
        {"port 1", "nosuch 1", 2},
        {"port 1\n\n", "port 2\nnosuch 1", 5},
        {"", "nosuch 1", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf *c = conf_new();
        ck_assert_int_eq(
            conf_read_main_text(c, cases[i].file, strlen(cases[i].file), &error), 0);
        ck_assert_int_lt(
            conf_read_text(c, cases[i].text, strlen(cases[i].text), &error), 0);
        ck_assert_int_eq(error.line, cases[i].line);
        conf_free(c);
    }
}
END_TEST

START_TEST(notes)
{
    enum log_level level;

    ck_assert_int_eq(read_text("maxmemory 1gb\nmodule.x 1\nport 3\ntls-port 0\n"
                               "user default on nopass\ntls-replication yes\n"
                               "bind\naclfile \"\"\n"),
                     0);
    ck_assert_str_eq(conf_next_note(conf, &level),
                     "Directive 'maxmemory' has no effect here");
    ck_assert_int_eq(level, LOG_LVL_DEBUG);
    ck_assert_str_eq(conf_next_note(conf, &level),
                     "Directive 'module.x' has no effect here");
    ck_assert_ptr_null(conf_next_note(conf, &level));
    ck_assert_ptr_null(conf_next_note(conf, &level));
    ck_assert_str_eq(conf_text(conf, "maxmemory"), "1gb");
    ck_assert_str_eq(conf_text(conf, "tls-port"), "0");
    ck_assert(conf_options(conf)->tls_replication);
    ck_assert_str_eq(conf_text(conf, "tls-cert-file"), "");
}
END_TEST

START_TEST(printed_errors)
{
    struct buf out = {0};

    ck_assert_int_lt(read_text("\n  port \033[1m x\n"), 0);
    conf_error_print(&error, &out);
    ck_assert_str_eq(out.data, "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\n"
                               "Reading the configuration file, at line 2\n"
                               ">>> 'port ?[1m x'\n"
                               "wrong number of arguments\n");
    buf_clear(&out);
    struct conf_error late = {.reason = "Can't open the log file: Is a directory"};
    conf_error_print(&late, &out);
    ck_assert_str_eq(out.data, "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\n"
                               "Can't open the log file: Is a directory\n");
    buf_release(&out);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_read");
    TCase *tcase = tcase_create("read");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, options);
    tcase_add_test(tcase, lists_in_one_word);
    tcase_add_test(tcase, values_are_left_alone);
    tcase_add_test(tcase, long_values);
    tcase_add_test(tcase, hostile_files);
    tcase_add_loop_test(tcase, random_files, 0, 300);
    tcase_add_test(tcase, file_limits);
    tcase_add_test(tcase, includes);
    tcase_add_test(tcase, bad_includes);
    tcase_add_test(tcase, texts_go_on_counting);
    tcase_add_test(tcase, notes);
    tcase_add_test(tcase, printed_errors);
    suite_add_tcase(suite, tcase);
    return suite;
}
