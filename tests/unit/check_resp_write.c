/*
 * check_resp_write.c - commands and replies, byte for byte.
 */
#include "common/resp.h"
#include "tests/lib/runner.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Does |out| hold exactly |text|? Empties it. */
static void expect(struct buf *out, const char *text)
{
    ck_assert_str_eq(buf_text(out), text);
    ck_assert_uint_eq(out->len, strlen(text));
    buf_clear(out);
}

START_TEST(commands)
{
    struct buf out = {0};
    static const char *const words[] = {"SLAVEOF", "NO", "ONE"};
    resp_command(&out, "PING", NULL);
    expect(&out, "*1\r\n$4\r\nPING\r\n");
    resp_command(&out, "SUBSCRIBE", "__sentinel__:hello", "", NULL);
    expect(&out, "*3\r\n$9\r\nSUBSCRIBE\r\n$18\r\n__sentinel__:hello\r\n$0\r\n\r\n");
    resp_command_v(&out, words, 3);
    expect(&out, "*3\r\n$7\r\nSLAVEOF\r\n$2\r\nNO\r\n$3\r\nONE\r\n");
    buf_release(&out);
}
END_TEST

START_TEST(lines_stay_lines)
{
    struct buf out = {0};
    resp_status(&out, "OK");
    expect(&out, "+OK\r\n");
    resp_error(&out, "ERR unknown command 'a\r\n+OK\n'");
    expect(&out, "-ERR unknown command 'a  +OK '\r\n");
    resp_status(&out, "a\r\nb");
    expect(&out, "+a  b\r\n");
    buf_release(&out);
}
END_TEST

START_TEST(numbers)
{
    struct buf out = {0};
    resp_int(&out, INT64_MIN);
    expect(&out, ":-9223372036854775808\r\n");
    resp_bulk_int(&out, -42);
    expect(&out, "$3\r\n-42\r\n");
    resp_bulk_uint(&out, UINT64_MAX);
    expect(&out, "$20\r\n18446744073709551615\r\n");
    buf_release(&out);
}
END_TEST

START_TEST(bulk_is_binary)
{
    struct buf out = {0};
    resp_bulk(&out, "a\0\r\n", 4);
    ck_assert_uint_eq(out.len, 10);
    ck_assert_mem_eq(out.data, "$4\r\na\0\r\n\r\n", 10);
    buf_clear(&out);
    resp_bulk(&out, NULL, 0);
    expect(&out, "$0\r\n\r\n");
    buf_release(&out);
}
END_TEST

START_TEST(where_the_protocols_differ)
{
    static const char *const expected[] = {
        "*2\r\n*4\r\n*3\r\n*1\r\n$-1\r\n*-1\r\n$5\r\nhello\r\n$5\r\n0.001\r\n",
        "*2\r\n%2\r\n~3\r\n>1\r\n_\r\n_\r\n=9\r\ntxt:hello\r\n,0.001\r\n",
    };
    for (int proto = 2; proto <= 3; proto++) {
        struct buf out = {0};
        resp_array(&out, 2);
        resp_map(&out, proto, 2);
        resp_set(&out, proto, 3);
        resp_push(&out, proto, 1);
        resp_nil(&out, proto);
        resp_nil_array(&out, proto);
        resp_verbatim(&out, proto, "hello", 5);
        resp_double(&out, proto, 0.001);
        expect(&out, expected[proto - 2]);
        buf_release(&out);
    }
}
END_TEST

START_TEST(doubles)
{
    struct buf out = {0};
    resp_double(&out, 3, 12.5);
    expect(&out, ",12.5\r\n");
    resp_double(&out, 3, 3);
    expect(&out, ",3\r\n");
    resp_double(&out, 3, -86399.999);
    expect(&out, ",-86399.999\r\n");
    resp_double(&out, 3, INFINITY);
    expect(&out, ",inf\r\n");
    resp_double(&out, 3, -INFINITY);
    expect(&out, ",-inf\r\n");
    resp_double(&out, 2, NAN);
    expect(&out, "$3\r\nnan\r\n");
    buf_release(&out);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("resp_write");
    TCase *tc = tcase_create("resp_write");
    tcase_add_test(tc, commands);
    tcase_add_test(tc, lines_stay_lines);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, bulk_is_binary);
    tcase_add_test(tc, where_the_protocols_differ);
    tcase_add_test(tc, doubles);
    suite_add_tcase(suite, tc);
    return suite;
}
