/*
 * check_conf_title.c - proc-title-template filled in.
 */
#include "sentinel/conf/conf.h"
#include "tests/lib/runner.h"

#include <string.h>

#define PROGRAM "/usr/bin/redis-sentinel"

static const struct {
    const char *conf;
    const char *title; /* NULL: left alone */
} cases[] = {
    {"", PROGRAM " *:26379 [sentinel]"},
    {"set-proc-title no", NULL},
    {"port 1\nbind 127.0.0.2 127.0.0.1", PROGRAM " 127.0.0.2:1 [sentinel]"},
    {"bind -10.0.0.1", PROGRAM " 10.0.0.1:26379 [sentinel]"},
    {"port 0\nunixsocket /tmp/s", PROGRAM " /tmp/s [sentinel]"},
    {"port 0\ntls-port 7000\nunixsocket /tmp/s", PROGRAM " *:7000 [sentinel]"},
    {"proc-title-template \"{title} {port} {tls-port} {unixsocket} {config-file}\"",
     PROGRAM " 26379 0  /etc/s.conf"},
    {"proc-title-template \"  {title}  x \"", PROGRAM "  x"},
    {"proc-title-template \"a }b{server-mode}{server-mode}\"",
     "a }b[sentinel][sentinel]"},
};

START_TEST(expanded)
{
    struct conf *conf = conf_new();
    struct conf_error error;
    struct buf out = {0};
    const char *text = cases[_i].conf;

    ck_assert_int_eq(conf_read_main_text(conf, text, strlen(text), &error), 0);
    bool is_set = conf_title(conf, PROGRAM, "/etc/s.conf", &out);
    ck_assert(is_set == (cases[_i].title != NULL));
    if (is_set)
        ck_assert_str_eq(buf_text(&out), cases[_i].title);
    buf_release(&out);
    conf_free(conf);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_title");
    TCase *tcase = tcase_create("title");

    tcase_add_loop_test(tcase, expanded, 0, (int)(sizeof cases / sizeof cases[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
