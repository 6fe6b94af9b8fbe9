/*
 * check_buf.c - growable bytes.
 */
#include "common/buf.h"
#include "tests/lib/death.h"
#include "tests/lib/runner.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

START_TEST(zeroed_is_empty_text)
{
    struct buf buf = {0};
    ck_assert_str_eq(buf_text(&buf), "");
    buf_clear(&buf);
    buf_consume(&buf, 0);
    buf_truncate(&buf, 0);
    buf_append(&buf, NULL, 0);
    ck_assert_str_eq(buf_text(&buf), "");
    ck_assert_uint_eq(buf.len, 0);
    buf_release(&buf);
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(pieces_add_up_and_end_in_nul)
{
    struct buf buf = {0};
    char expected[4096] = "";
    size_t len = 0;

    for (int i = 0; i < 200; i++) {
        buf_puts(&buf, "ab");
        buf_putc(&buf, '-');
        buf_printf(&buf, "%d,", i);
        len += (size_t)snprintf(expected + len, sizeof expected - len, "ab-%d,", i);
        ck_assert_uint_eq(buf.len, len);
        ck_assert_uint_lt(buf.len, buf.cap);
        ck_assert_str_eq(buf_text(&buf), expected);
    }
    buf_release(&buf);
}
END_TEST

START_TEST(what_is_set_fits)
{
    static char text[8192];
    struct buf buf = {0};

    memset(text, 'x', sizeof text - 1);
    for (size_t len = 0; len < sizeof text; len += 1 + len / 3) {
        buf_set(&buf, text, len);
        ck_assert_uint_eq(buf.len, len);
        ck_assert_uint_eq(strlen(buf_text(&buf)), len);
        ck_assert_uint_le(buf.cap, len + 200 + len / 30);
    }
    char *data = buf.data;
    buf_set(&buf, text, buf.len - 20); /* about the same again: in place */
    ck_assert_ptr_eq(buf.data, data);
    buf_set(&buf, text, 10);
    ck_assert_uint_lt(buf.cap, 200);
    buf_release(&buf);
}
END_TEST

START_TEST(binary_bytes_survive)
{
    struct buf buf = {0};
    buf_append(&buf, "\0\xff\n", 3);
    buf_putc(&buf, '\0');
    ck_assert_uint_eq(buf.len, 4);
    ck_assert_mem_eq(buf.data, "\0\xff\n\0\0", 5);
    buf_release(&buf);
}
END_TEST

START_TEST(integers_of_all_sizes)
{
    static const long long values[] = {0,  1,    -1,        9,         10,
                                       99, -100, LLONG_MAX, LLONG_MIN, 1234567890};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf buf = {0};
        char expected[32];
        snprintf(expected, sizeof expected, "%lld", values[i]);
        buf_putint(&buf, values[i]);
        ck_assert_str_eq(buf_text(&buf), expected);
        buf_release(&buf);
    }
}
END_TEST

/* Around the places where formatted text just fits, or just does not. */
START_TEST(printf_of_every_length)
{
    for (int len = 0; len < 300; len++) {
        struct buf buf = {0};
        buf_puts(&buf, "x");
        buf_printf(&buf, "%*s", len, "");
        ck_assert_uint_eq(buf.len, (size_t)len + 1);
        ck_assert_uint_eq(strlen(buf.data), (size_t)len + 1);
        buf_release(&buf);
    }
}
END_TEST

START_TEST(consume_and_truncate)
{
    struct buf buf = {0};
    buf_puts(&buf, "one two three");
    buf_consume(&buf, 4);
    ck_assert_str_eq(buf_text(&buf), "two three");
    buf_truncate(&buf, 3);
    ck_assert_str_eq(buf_text(&buf), "two");
    buf_consume(&buf, 3);
    ck_assert_str_eq(buf_text(&buf), "");
    buf_puts(&buf, "four");
    ck_assert_str_eq(buf_text(&buf), "four");
    buf_release(&buf);
}
END_TEST

START_TEST(reserved_room_does_not_move)
{
    struct buf buf = {0};
    buf_puts(&buf, "x");
    buf_reserve(&buf, 5000);
    const char *before = buf.data;
    for (int i = 0; i < 5000; i++)
        buf_putc(&buf, 'y');
    ck_assert_ptr_eq(buf.data, before);
    ck_assert_uint_eq(buf.len, 5001);
    buf_release(&buf);
}
END_TEST

static void consume_too_much(void)
{
    struct buf buf = {0};
    buf_puts(&buf, "abc");
    buf_consume(&buf, 4);
}

START_TEST(consuming_more_than_there_is_aborts)
{
    char said[1024];
    ck_assert(death_aborts(consume_too_much, said, sizeof said));
    ck_assert_ptr_nonnull(strstr(said, "(4, 3)"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tc = tcase_create("buf");
    tcase_add_test(tc, zeroed_is_empty_text);
    tcase_add_test(tc, pieces_add_up_and_end_in_nul);
    tcase_add_test(tc, what_is_set_fits);
    tcase_add_test(tc, binary_bytes_survive);
    tcase_add_test(tc, integers_of_all_sizes);
    tcase_add_test(tc, printf_of_every_length);
    tcase_add_test(tc, consume_and_truncate);
    tcase_add_test(tc, reserved_room_does_not_move);
    tcase_add_test(tc, consuming_more_than_there_is_aborts);
    suite_add_tcase(suite, tc);
    return suite;
}
