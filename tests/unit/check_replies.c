/*
 * check_replies.c - what servers answer, and what they must not be able to do to us.
 */
#include "common/buf.h"
#include "common/rng.h"
#include "sentinel/runtime/replies.h"
#include "tests/lib/runner.h"

#include <stdlib.h>
#include <string.h>

static struct replies replies;
static struct error err;
static const struct resp_value *value;

static void setup(void)
{
    replies_init(&replies);
}

static void teardown(void)
{
    replies_release(&replies);
}

static int feed(const char *text)
{
    return replies_feed(&replies, text, strlen(text), &err);
}

START_TEST(each_type_is_read)
{
    ck_assert_int_eq(feed("+OK\r\n-ERR no\r\n:-7\r\n$2\r\nhi\r\n$-1\r\n*-1\r\n*0\r\n"),
                     0);
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_int_eq(value->type, RESP_STATUS);
    ck_assert_str_eq(value->str, "OK");
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_int_eq(value->type, RESP_ERROR);
    ck_assert_str_eq(value->str, "ERR no");
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_int_eq(value->type, RESP_INT);
    ck_assert_int_eq(value->integer, -7);
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_int_eq(value->type, RESP_BULK);
    ck_assert_uint_eq(value->len, 2);
    ck_assert_str_eq(value->str, "hi");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
        ck_assert_int_eq(value->type, RESP_NIL);
    }
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_int_eq(value->type, RESP_ARRAY);
    ck_assert_uint_eq(value->n_items, 0);
    ck_assert_int_eq(replies_next(&replies, &value, &err), ERR_MORE);
}
END_TEST

/* One that is idle may serve another connection; one that is not, or is broken, not. */
START_TEST(idle_is_between_two_replies)
{
    static const char text[] = "*2\r\n$2\r\nhi\r\n:7\r\n";

    ck_assert(replies_is_idle(&replies));
    for (int round = 0; round < 300; round++) {
        for (const char *at = text; *at != '\0'; at++) {
            ck_assert_int_eq(replies_next(&replies, &value, &err), ERR_MORE);
            ck_assert(replies_is_idle(&replies) == (at == text));
            ck_assert_int_eq(replies_feed(&replies, at, 1, &err), 0);
            ck_assert(!replies_is_idle(&replies));
        }
        ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
        ck_assert(replies_is_idle(&replies));
    }
    ck_assert_int_eq(feed("what?\r\n"), 0);
    ck_assert_int_lt(replies_next(&replies, &value, &err), 0);
    ck_assert(!replies_is_idle(&replies));
}
END_TEST

/* Byte by byte: a reply keeps what was read of it between two reads. */
START_TEST(arrays_arrive_in_pieces)
{
    const char *text = "*3\r\n:1\r\n*2\r\n$40\r\n"
                       "0123456789012345678901234567890123456789\r\n+x\r\n$0\r\n\r\n";
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < strlen(text); i++) {
            ck_assert_int_eq(replies_next(&replies, &value, &err), ERR_MORE);
            ck_assert_int_eq(replies_feed(&replies, text + i, 1, &err), 0);
        }
        ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
        ck_assert_int_eq(value->type, RESP_ARRAY);
        ck_assert_uint_eq(value->n_items, 3);
        ck_assert_int_eq(value->items[0].integer, 1);
        ck_assert_uint_eq(value->items[1].n_items, 2);
        ck_assert_uint_eq(value->items[1].items[0].len, 40);
        ck_assert_str_eq(value->items[1].items[1].str, "x");
        ck_assert_str_eq(value->items[2].str, "");
    }
}
END_TEST

/* An idle connection must not keep the memory of its largest reply. */
START_TEST(memory_goes_when_a_reply_is_done)
{
    struct buf big = {0};
    buf_puts(&big, "$100000\r\n");
    for (int i = 0; i < 100000; i++)
        buf_putc(&big, 'x');
    buf_puts(&big, "\r\n");
    ck_assert_int_eq(replies_feed(&replies, big.data, big.len, &err), 0);
    buf_release(&big);
    ck_assert_int_eq(replies_next(&replies, &value, &err), 0);
    ck_assert_uint_eq(value->len, 100000);
    ck_assert_int_eq(replies_next(&replies, &value, &err), ERR_MORE);
    ck_assert_ptr_null(replies.arena.blocks);
    ck_assert_uint_eq(replies.n_bytes, 0);
}
END_TEST

START_TEST(rubbish_is_an_error)
{
    static const char *const cases[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "*99999999999999999999\r\n",
        "*2147483647\r\n",  /* would be 16 GB of pointers */
        "*65537\r\n",       /* one too many */
        "*2\r\n*40000\r\n", /* in sum; the rest follows below */
        "$99999999999999999\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    };
    const char *text = cases[_i];
    int status = feed(text);
    if (_i == 4) {
        struct buf rest = {0};
        for (int i = 0; i < 40000; i++)
            buf_puts(&rest, ":1\r\n");
        buf_puts(&rest, "*40000\r\n");
        ck_assert_int_eq(replies_next(&replies, &value, &err), ERR_MORE);
        status = feed(buf_text(&rest));
        buf_release(&rest);
    }
    if (status == 0)
        status = replies_next(&replies, &value, &err);
    /* hiredis waits for the bytes of an absurd bulk: then only the limit ends it. */
    if (_i == 5 && status == ERR_MORE)
        return;
    ck_assert(status == ERR_SYNTAX || status == ERR_LIMIT);
    ck_assert_str_ne(err.text, "");
    ck_assert_int_ne(replies_next(&replies, &value, &err), 0);
}
END_TEST

static int feed_without_end(const char *begin)
{
    char chunk[4096];
    int status = feed(begin);
    memset(chunk, 'a', sizeof chunk);
    for (size_t n = 0; status == 0 && n < 2 * REPLIES_BYTES_MAX; n += sizeof chunk) {
        status = replies_feed(&replies, chunk, sizeof chunk, &err);
        if (status == 0) {
            status = replies_next(&replies, &value, &err);
            ck_assert_int_ne(status, 0);
            if (status == ERR_MORE)
                status = 0;
        }
    }
    return status;
}

START_TEST(a_reply_without_end_is_cut)
{
    ck_assert_int_eq(feed_without_end(_i == 0 ? "$500000000\r\n" : "+"), ERR_LIMIT);
}
END_TEST

/* Nothing that arrives may crash, whatever pieces it arrives in. */
START_TEST(noise_is_survived)
{
    static const char alphabet[] = "*$+-:0123456789\r\n\r\n\r\nab%>~_#,";
    struct rng rng;
    rng_seed(&rng, (uint64_t)_i, 0);
    for (int round = 0; round < 200; round++) {
        int status = 0;
        for (int piece = 0; piece < 20 && status >= 0; piece++) {
            char text[64];
            size_t len = rng_below(&rng, sizeof text);
            for (size_t i = 0; i < len; i++)
                text[i] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
            status = replies_feed(&replies, text, len, &err);
            while (status == 0)
                status = replies_next(&replies, &value, &err);
            if (status == ERR_MORE)
                status = 0;
        }
        replies_release(&replies);
        replies_init(&replies);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("replies");
    TCase *tc = tcase_create("replies");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_type_is_read);
    tcase_add_test(tc, idle_is_between_two_replies);
    tcase_add_test(tc, arrays_arrive_in_pieces);
    tcase_add_test(tc, memory_goes_when_a_reply_is_done);
    tcase_add_loop_test(tc, rubbish_is_an_error, 0, 7);
    tcase_add_loop_test(tc, a_reply_without_end_is_cut, 0, 2);
    tcase_add_loop_test(tc, noise_is_survived, 0, 20);
    suite_add_tcase(suite, tc);
    return suite;
}
