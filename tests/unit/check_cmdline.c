/*
 * check_cmdline.c - the command line, as stock reads it (interface.md 7).
 */
#include "sentinel/runtime/cmdline.h"
#include "tests/lib/runner.h"

#include <string.h>

#define MAX_WORDS 12

START_TEST(options_become_lines)
{
    static const struct {
        const char *words[MAX_WORDS];
        const char *path; /* NULL: none */
        const char *options;
        bool reads_stdin;
    } cases[] = {
        {{"prog"}, NULL, "", false},
        {{"prog", "/a.conf"}, "/a.conf", "", false},
        {{"prog", "/a.conf", "--port", "1"}, "/a.conf", "port \"1\"\n", false},
        {{"prog", "/a.conf", "--port 1"}, "/a.conf", "port 1\n", false},
        {{"prog", "--port", "1"}, NULL, "port \"1\"\n", false},
        {{"prog", "/a.conf", "--port"}, "/a.conf", "port\n", false},
        /* The word behind a bare option is its value, whatever it looks like ... */
        {{"prog", "/a.conf", "--port", "--loglevel", "debug"},
         "/a.conf",
         "port \"--loglevel\" \"debug\"\n",
         false},
        {{"prog", "/a.conf", "--a", "x", "--b", "y z"},
         "/a.conf",
         "a \"x\"\nb \"y z\"\n",
         false},
        /* ... except behind the name of the mode. */
        {{"prog", "/a.conf", "--sentinel", "--port", "1"},
         "/a.conf",
         "sentinel\nport \"1\"\n",
         false},
        {{"prog", "/a.conf", "--sentinel"}, "/a.conf", "sentinel\n", false},
        {{"prog", "/a.conf", "--sentinel", "monitor", "m", "::1", "1", "2"},
         "/a.conf",
         "sentinel \"monitor\" \"m\" \"::1\" \"1\" \"2\"\n",
         false},
        {{"prog", "/a.conf", "-"}, "/a.conf", "", true},
        {{"prog", "-"}, NULL, "", true},
        {{"prog", "/a.conf", "--x", "y", "-"}, "/a.conf", "x \"y\"\n", true},
        {{"prog", "-", "--x", "y"}, NULL, "x \"y\"\n", true},
        {{"prog", "/a.conf", "junk"}, "/a.conf", "\"junk\"\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cmdline cmdline;
        int argc = 0;
        while (argc < MAX_WORDS && cases[i].words[argc] != NULL)
            argc++;
        cmdline_parse(&cmdline, argc, (char *const *)cases[i].words);
        ck_assert_msg(strcmp(buf_text(&cmdline.options), cases[i].options) == 0,
                      "case %zu: %s", i, buf_text(&cmdline.options));
        ck_assert_int_eq(cmdline.mode, CMDLINE_RUN);
        ck_assert_int_eq(cmdline.reads_stdin, cases[i].reads_stdin);
        if (cases[i].path != NULL)
            ck_assert_str_eq(cmdline.conf_path, cases[i].path);
        else
            ck_assert_ptr_null(cmdline.conf_path);
        cmdline_release(&cmdline);
    }
}
END_TEST

START_TEST(special_words_count_only_first)
{
    static const struct {
        const char *words[MAX_WORDS];
        enum cmdline_mode mode;
    } cases[] = {
        {{"prog", "-v"}, CMDLINE_VERSION},
        {{"prog", "--version", "x"}, CMDLINE_VERSION},
        {{"prog", "-h"}, CMDLINE_HELP},
        {{"prog", "--help"}, CMDLINE_HELP},
        {{"prog", "--check-config", "/a"}, CMDLINE_CHECK},
        {{"prog", "--check-config"}, CMDLINE_HELP},
        {{"prog", "/a", "--version"}, CMDLINE_RUN},
        {{"prog", "/a", "--help"}, CMDLINE_RUN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cmdline cmdline;
        int argc = 0;
        while (argc < MAX_WORDS && cases[i].words[argc] != NULL)
            argc++;
        cmdline_parse(&cmdline, argc, (char *const *)cases[i].words);
        ck_assert_int_eq(cmdline.mode, cases[i].mode);
        cmdline_release(&cmdline);
    }
}
END_TEST

/* `dir` may change the working directory before the file is saved. */
START_TEST(path_is_made_absolute)
{
    static const char *const words[] = {"prog", "./x//y.conf"};
    struct cmdline cmdline;
    cmdline_parse(&cmdline, 2, (char *const *)words);
    ck_assert_int_eq(cmdline.conf_path[0], '/');
    ck_assert_ptr_nonnull(strstr(cmdline.conf_path, "/x//y.conf"));
    ck_assert_ptr_null(strstr(cmdline.conf_path, "/./"));
    cmdline_release(&cmdline);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("cmdline");
    TCase *tc = tcase_create("cmdline");
    tcase_add_test(tc, options_become_lines);
    tcase_add_test(tc, special_words_count_only_first);
    tcase_add_test(tc, path_is_made_absolute);
    suite_add_tcase(suite, tc);
    return suite;
}
