/*
 * check_conf_errors.c - conf_on_error(): every wrong line of a file, not only the
 * first.
 */
#include "sentinel/conf/conf.h"
#include "sentinel/core/state.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct collected {
    struct buf text;
    int n;
};

static void collect(void *ctx, const char *file, const struct conf_error *error)
{
    struct collected *collected = ctx;

    collected->n++;
    conf_error_print_at(error, file, &collected->text);
}

/* What is said of |text| as the main file; |file| is where it is, if it is anywhere. */
static void check(struct collected *collected, const char *file, const char *text,
                  size_t len)
{
    struct conf *conf = conf_new();
    struct core *core = core_new(7);
    struct conf_error error = {0};

    *collected = (struct collected){0};
    conf_on_error(conf, collect, collected);
    int rc = file != NULL ? conf_read_file(conf, file, &error)
                          : conf_read_main_text(conf, text, len, &error);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(conf_apply(conf, core, &error), 0);
    core_free(core);
    conf_free(conf);
}

static void check_text(const char *text, size_t len, const char *wanted)
{
    struct collected collected;

    check(&collected, NULL, text, len);
    ck_assert_str_eq(buf_text(&collected.text), wanted);
    buf_release(&collected.text);
}

#define CHECK(text, wanted) check_text(text, sizeof(text) - 1, wanted)

START_TEST(none)
{
    CHECK("", "");
    CHECK("port 1\nsentinel monitor m 127.0.0.1 1 1\n", "");
}
END_TEST

START_TEST(all_are_told)
{
    CHECK("port many\n# comment\n  loglevel\nnosuch 1\r\n"
          "sentinel monitor m 127.0.0.1 1 1\nsentinel parallel-syncs\n"
          "sentinel down-after-milliseconds m 0\nrequirepass \"x\n"
          "sentinel auth-pass other x",
          "-:1: argument couldn't be parsed into an integer\n>>> 'port many'\n"
          "-:3: wrong number of arguments\n>>> 'loglevel'\n"
          "-:4: Bad directive or wrong number of arguments\n>>> 'nosuch 1'\n"
          "-:8: Unbalanced quotes in configuration line\n>>> 'requirepass \"x'\n"
          "-:6: Unrecognized sentinel configuration statement.\n"
          ">>> 'sentinel parallel-syncs'\n"
          "-:7: negative or zero time parameter.\n"
          ">>> 'sentinel down-after-milliseconds m 0'\n"
          "-:9: No such master with specified name.\n"
          ">>> 'sentinel auth-pass other x'\n");
    CHECK("port x\0y\nport x\n",
          "-:1: NUL byte in configuration line\n>>> 'port x'\n"
          "-:2: argument couldn't be parsed into an integer\n>>> 'port x'\n");
}
END_TEST

START_TEST(consequences_are_not)
{
    CHECK(
        "sentinel monitor m 127.0.0.1 1 0\nsentinel auth-pass m x\n"
        "sentinel known-replica m 127.0.0.1 5\n",
        "-:1: Quorum must be 1 or greater.\n>>> 'sentinel monitor m 127.0.0.1 1 0'\n");
    /* that a quorum is missing hides nothing of the rest, either */
    CHECK("sentinel monitor m 127.0.0.1 1\nsentinel auth-pass m x\n",
          "-:1: Unrecognized sentinel configuration statement.\n"
          ">>> 'sentinel monitor m 127.0.0.1 1'\n");
}
END_TEST

START_TEST(control_characters_are_masked)
{
    CHECK("no\033such 1", "-:1: Bad directive or wrong number of arguments\n"
                          ">>> 'no?such 1'\n");
}
END_TEST

START_TEST(there_is_a_limit)
{
    struct conf *conf = conf_new();
    struct conf_error error = {0};
    struct collected collected = {0};
    struct buf text = {0};

    for (int i = 0; i < 3000; i++)
        buf_puts(&text, "x\n");
    conf_on_error(conf, collect, &collected);
    ck_assert_int_lt(conf_read_main_text(conf, text.data, text.len, &error), 0);
    ck_assert_int_eq(collected.n, 1000);
    buf_release(&text);
    buf_release(&collected.text);
    conf_free(conf);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(included_files_are_named)
{
    char folder[] = "/tmp/check-conf-errors-XXXXXX";
    struct collected collected;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("main", "include gone\ninclude part\nport x\nsentinel monitor\n");
    write_file("part", "\nsentinel nosuch\nport y\n");
    check(&collected, "main", NULL, 0);
    ck_assert_str_eq(
        buf_text(&collected.text),
        "main:1: Fatal error, can't open config file 'gone': No such file or directory"
        "\n>>> 'include gone'\n"
        "part:3: argument couldn't be parsed into an integer\n>>> 'port y'\n"
        "main:3: argument couldn't be parsed into an integer\n>>> 'port x'\n"
        "main:4: Unrecognized sentinel configuration statement.\n"
        ">>> 'sentinel monitor'\n"
        "part:2: Unrecognized sentinel configuration statement.\n"
        ">>> 'sentinel nosuch'\n");
    buf_release(&collected.text);
    unlink("main");
    unlink("part");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_errors");
    TCase *tcase = tcase_create("errors");

    tcase_add_test(tcase, none);
    tcase_add_test(tcase, all_are_told);
    tcase_add_test(tcase, consequences_are_not);
    tcase_add_test(tcase, control_characters_are_masked);
    tcase_add_test(tcase, there_is_a_limit);
    tcase_add_test(tcase, included_files_are_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
