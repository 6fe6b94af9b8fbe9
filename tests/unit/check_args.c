/*
 * check_args.c - words, quoting and strict integers.
 */
#include "common/args.h"
#include "common/err.h"
#include "common/rng.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

/* Splits |line| and shows the words as <a><b>, other bytes than printable as {hex}. */
static const char *show_split(const char *line, size_t len)
{
    static char shown[1024];
    struct buf out = {0};
    struct args args;
    int rc = args_split(&args, line, len);

    if (rc != 0)
        buf_puts(&out, rc == ERR_SYNTAX && args.n == 0 ? "unbalanced" : "?");
    for (size_t i = 0; i < args.n; i++) {
        ck_assert_int_eq(args.words[i][args.lens[i]], '\0');
        buf_putc(&out, '<');
        for (size_t k = 0; k < args.lens[i]; k++) {
            unsigned char c = (unsigned char)args.words[i][k];
            if (c >= ' ' && c < 127)
                buf_putc(&out, (char)c);
            else
                buf_printf(&out, "{%02x}", c);
        }
        buf_putc(&out, '>');
    }
    snprintf(shown, sizeof shown, "%s", buf_text(&out));
    buf_release(&out);
    args_release(&args);
    return shown;
}

START_TEST(lines_and_their_words)
{
    static const char *const lines[][2] = {
        {"", ""},
        {" \t \r\n", ""},
        {"PING", "<PING>"},
        {"  sentinel\tmonitor  m 127.0.0.1 6379 2 \r", "<sentinel><monitor><m>"
                                                       "<127.0.0.1><6379><2>"},
        {"a\vb\fc", "<a><b><c>"},
        {"\"\" ''", "<><>"},
        {"\"a b\" 'c d'", "<a b><c d>"},
        {"\"\\n\\r\\t\\b\\a\"", "<{0a}{0d}{09}{08}{07}>"},
        {"\"a\\x41\\n\"", "<aA{0a}>"},
        {"\"\\x00\\xff\\xFf\"", "<{00}{ff}{ff}>"},
        {"\"\\x4\\xg1\\x\"", "<x4xg1x>"},
        {"\"\\q\\\\\\\"\"", "<q\\\">"},
        {"'\\n\\x41\\'\"'", "<\\n\\x41'\">"},
        {"a\\n \\\"b\"", "<a\\n><\\b>"},
        {"ab\"c d\"", "<abc d>"},
        {"ab'c d'", "<abc d>"},
        {"a\"b\" c", "<ab><c>"},
        {"loglevel notice # x", "<loglevel><notice><#><x>"},
        {"caf\xc3\xa9", "<caf{c3}{a9}>"},
        {"\"", "unbalanced"},
        {"'", "unbalanced"},
        {"\"abc", "unbalanced"},
        {"\"abc\\\"", "unbalanced"},
        {"\"abc\\", "unbalanced"},
        {"'abc\\'", "unbalanced"},
        {"\"a\"b", "unbalanced"},
        {"'a'b", "unbalanced"},
        {"\"a\"\"b\"", "unbalanced"},
        {"fine words then \"bad", "unbalanced"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_str_eq(show_split(lines[i][0], strlen(lines[i][0])), lines[i][1]);
    ck_assert_str_eq(show_split("a\0b c", 5), "<a{00}b><c>");
    ck_assert_str_eq(show_split(NULL, 0), "");
    /* What lies behind the line is not looked at. */
    ck_assert_str_eq(show_split("\"\\x41\"", 4), "unbalanced");
    ck_assert_str_eq(show_split("\"a\"b", 3), "<a>");
}
END_TEST

START_TEST(quoting_only_where_needed)
{
    static const char *const words[][3] = {
        {"mymaster", "mymaster", "\"mymaster\""},
        {"", "\"\"", "\"\""},
        {"two words", "\"two words\"", "\"two words\""},
        {"it's", "\"it's\"", "\"it's\""},
        {"say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "back\\slash", "\"back\\\\slash\""},
        {"a\nb\r\t\b\a", "\"a\\nb\\r\\t\\b\\a\"", "\"a\\nb\\r\\t\\b\\a\""},
        {"\x01\x1f\x7f", "\"\\x01\\x1f\\x7f\"", "\"\\x01\\x1f\\x7f\""},
        {"caf\xc3\xa9", "caf\xc3\xa9", "\"caf\xc3\xa9\""},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct buf out = {0};
        args_quote(&out, words[i][0], strlen(words[i][0]));
        ck_assert_str_eq(buf_text(&out), words[i][1]);
        buf_clear(&out);
        args_quote_always(&out, words[i][0], strlen(words[i][0]));
        ck_assert_str_eq(buf_text(&out), words[i][2]);
        buf_release(&out);
    }
}
END_TEST

/* Any bytes, often of the kind that quoting is about. */
static size_t make_word(struct rng *rng, char *word, size_t cap)
{
    static const char special[] = " \t\n\r\"'\\xab09\0\x7f\xff#";
    size_t len = rng_below(rng, (uint32_t)cap);
    for (size_t i = 0; i < len; i++)
        word[i] = rng_chance(rng, 1, 2) ? special[rng_below(rng, sizeof special)]
                                        : (char)rng_below(rng, 256);
    return len;
}

START_TEST(quoted_words_read_back_equal)
{
    char words[8][24];
    size_t lens[8];
    struct rng rng;

    rng_seed(&rng, (uint64_t)_i, 4);
    for (int round = 0; round < 200; round++) {
        struct buf line = {0};
        struct args args;
        size_t n = rng_below(&rng, 9);
        for (size_t i = 0; i < n; i++) {
            lens[i] = make_word(&rng, words[i], sizeof words[i]);
            if (rng_chance(&rng, 1, 4))
                args_quote_always(&line, words[i], lens[i]);
            else
                args_quote(&line, words[i], lens[i]);
            buf_putc(&line, ' ');
        }
        /* It is one line of a file. */
        if (line.len > 0)
            ck_assert_ptr_null(memchr(line.data, '\n', line.len));
        ck_assert_int_eq(args_split(&args, buf_text(&line), line.len), 0);
        ck_assert_uint_eq(args.n, n);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(args.lens[i], lens[i]);
            ck_assert_int_eq(memcmp(args.words[i], words[i], lens[i]), 0);
        }
        args_release(&args);
        buf_release(&line);
    }
}
END_TEST

START_TEST(signed_integers)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"1", 1},
        {"-1", -1},
        {"10", 10},
        {"-9007199254740993", -9007199254740993},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "-0",
        " 1",
        "1 ",
        "1a",
        "a",
        "1.0",
        "--1",
        "0x1",
        "1\n",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551617",
        "99999999999999999999999999",
    };
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(args_int(good[i].text, strlen(good[i].text), &value));
        ck_assert_int_eq(value, good[i].value);
    }
    value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!args_int(bad[i], strlen(bad[i]), &value), "%s", bad[i]);
    ck_assert(!args_int("1\0", 2, &value));
    ck_assert_int_eq(value, 77);
    /* Only |len| bytes count. */
    ck_assert(args_int("123", 2, &value));
    ck_assert_int_eq(value, 12);
}
END_TEST

START_TEST(unsigned_integers)
{
    uint64_t value = 77;
    ck_assert(!args_uint("-1", 2, &value));
    ck_assert(!args_uint("", 0, &value));
    ck_assert(!args_uint("18446744073709551616", 20, &value));
    ck_assert(!args_uint("18446744073709551620", 20, &value));
    ck_assert_uint_eq(value, 77);
    ck_assert(args_uint("18446744073709551615", 20, &value));
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert(args_uint("0", 1, &value));
    ck_assert_uint_eq(value, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("args");
    TCase *tc = tcase_create("args");
    tcase_add_test(tc, lines_and_their_words);
    tcase_add_test(tc, quoting_only_where_needed);
    tcase_add_loop_test(tc, quoted_words_read_back_equal, 0, 20);
    tcase_add_test(tc, signed_integers);
    tcase_add_test(tc, unsigned_integers);
    suite_add_tcase(suite, tc);
    return suite;
}
