/*
 * check_resp_parse.c - requests of clients, good, bad and in pieces (interface.md 1.3).
 */
#include "common/resp.h"
#include "common/rng.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

/* Adds what resp_request_next() gave to |seen|, in a form that can be compared. */
static void show(struct buf *seen, const struct resp_request *rq, int rc,
                 const struct error *err)
{
    if (rc != 0) {
        buf_printf(seen, "!%s", err->text);
        return;
    }
    buf_putc(seen, '(');
    for (size_t i = 0; i < rq->n_args; i++) {
        ck_assert_int_eq(rq->args[i].str[rq->args[i].len], '\0');
        buf_printf(seen, "%zu<", rq->args[i].len);
        buf_append(seen, rq->args[i].str, rq->args[i].len);
        buf_putc(seen, '>');
    }
    buf_putc(seen, ')');
}

/*
 * Feeds |bytes| in pieces of at most |piece_max| (0: all at once), sizes drawn from
 * |rng|, and appends everything that comes out to |seen|, up to an error.
 */
static void parse(struct buf *seen, const char *bytes, size_t len,
                  const struct resp_limits *limits, struct rng *rng, uint32_t piece_max)
{
    struct resp_request rq = {0};
    struct error err = {""};
    int rc = ERR_MORE;

    while (len > 0 && rc == ERR_MORE) {
        size_t piece = piece_max > 0 ? 1 + rng_below(rng, piece_max) : len;
        if (piece > len)
            piece = len;
        resp_request_feed(&rq, bytes, piece);
        bytes += piece;
        len -= piece;
        while ((rc = resp_request_next(&rq, limits, &err)) != ERR_MORE) {
            show(seen, &rq, rc, &err);
            if (rc != 0)
                break;
        }
    }
    resp_request_release(&rq);
}

static void expect(const char *bytes, size_t len, const struct resp_limits *limits,
                   const char *expected)
{
    struct rng rng;
    rng_seed(&rng, 1, 6);
    for (uint32_t piece_max = 0; piece_max < 4; piece_max++) {
        struct buf seen = {0};
        parse(&seen, bytes, len, limits, &rng, piece_max);
        ck_assert_str_eq(buf_text(&seen), expected);
        buf_release(&seen);
    }
}

START_TEST(requests_and_errors)
{
    static const char *const cases[][2] = {
        {"PING\r\n", "(4<PING>)"},
        {"PING\n", "(4<PING>)"},
        {"  PING  hello \r\n", "(4<PING>5<hello>)"},
        {"PING \"a\\x41 b\"\r\n", "(4<PING>4<aA b>)"},
        {"\r\n\n  \r\nPING\r\n", "()()()(4<PING>)"},
        {"PING\r\r\n", "(4<PING>)"},
        {"PING \"a\r\n", "!Protocol error: unbalanced quotes in request"},
        {"PING 'a'b\r\n", "!Protocol error: unbalanced quotes in request"},
        {"PING", ""},
        {"*1\r\n$4\r\nPING\r\n", "(4<PING>)"},
        {"*2\r\n$4\r\nPING\r\n$0\r\n\r\n", "(4<PING>0<>)"},
        {"*1\r\n$0\r\n\r\n", "(0<>)"},
        {"*1\r\n$4\r\nPINGxy*1\r\n$4\r\nPONG\r\n", "(4<PING>)(4<PONG>)"},
        {"*1\r\n$4\r\n\r\n*1\r\nPING\n", "(4<\r\n*1>)(4<PING>)"},
        {"*0\r\n*-1\r\n*-10\r\nPING\r\n", "()()()(4<PING>)"},
        {"PING\r\n*1\r\n$4\r\nPING\r\nPING\n", "(4<PING>)(4<PING>)(4<PING>)"},
        {"*1\r\n$4\r\nPING", ""},
        {"*1\r\n$4\r\nPING\r", ""},
        {"*1\r", ""},
        {"*x\r\n", "!Protocol error: invalid multibulk length"},
        {"*\r\n", "!Protocol error: invalid multibulk length"},
        {"*01\r\n", "!Protocol error: invalid multibulk length"},
        {"*+1\r\n", "!Protocol error: invalid multibulk length"},
        {"* 1\r\n", "!Protocol error: invalid multibulk length"},
        {"*1\rx", "!Protocol error: invalid multibulk length"},
        {"*2147483648\r\n", "!Protocol error: invalid multibulk length"},
        {"*99999999999999999999\r\n", "!Protocol error: invalid multibulk length"},
        {"*1\r\nPING\r\n", "!Protocol error: expected '$', got 'P'"},
        {"*2\r\n$1\r\na\r\n:1\r\n", "!Protocol error: expected '$', got ':'"},
        {"*1\r\n$x\r\n", "!Protocol error: invalid bulk length"},
        {"*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"},
        {"*1\r\n$\r\n", "!Protocol error: invalid bulk length"},
        {"*1\r\n$536870913\r\n", "!Protocol error: invalid bulk length"},
        {"*1\r\n$536870912\r\n", ""},
        {"PING\r\n*1\r\nx", "(4<PING>)!Protocol error: expected '$', got 'x'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i][0], strlen(cases[i][0]), &resp_limits_default, cases[i][1]);
}
END_TEST

START_TEST(unauthenticated_clients)
{
    const struct resp_limits *unauth = &resp_limits_unauth;
    char request[64];
    char big[16384 + 64];

    ck_assert_int_eq(snprintf(request, sizeof request, "*10\r\n"), 5);
    expect(request, 5, unauth, "");
    snprintf(request, sizeof request, "*11\r\n");
    expect(request, 5, unauth, "!Protocol error: unauthenticated multibulk length");
    expect(request, 5, &resp_limits_default, "");
    snprintf(request, sizeof request, "*2147483648\r\n");
    expect(request, 13, unauth, "!Protocol error: invalid multibulk length");
    snprintf(request, sizeof request, "*1\r\n$16385\r\n");
    expect(request, 12, unauth, "!Protocol error: unauthenticated bulk length");
    snprintf(request, sizeof request, "*1\r\n$536870913\r\n");
    expect(request, 16, unauth, "!Protocol error: invalid bulk length");

    int head = snprintf(big, sizeof big, "*1\r\n$16384\r\n");
    memset(big + head, 'x', 16384);
    memcpy(big + head + 16384, "\r\n", 2);
    struct resp_request rq = {0};
    resp_request_feed(&rq, big, (size_t)head + 16386);
    ck_assert_int_eq(resp_request_next(&rq, unauth, NULL), 0);
    ck_assert_uint_eq(rq.args[0].len, 16384);
    resp_request_release(&rq);
}
END_TEST

START_TEST(configured_bulk_limit)
{
    struct resp_limits limits = resp_limits_default;
    limits.bulk_max = 1024 * 1024;
    expect("*1\r\n$1048577\r\n", 14, &limits, "!Protocol error: invalid bulk length");
    expect("*1\r\n$1048576\r\n", 14, &limits, "");
    limits.elements_max = 1000;
    expect("*1001\r\n", 7, &limits, "!Protocol error: invalid multibulk length");
}
END_TEST

/* A line may have 64 KiB before its end, and is refused as soon as it has more. */
START_TEST(over_long_lines)
{
    static const struct {
        const char *start, *end, *error;
        size_t most;
    } cases[] = {
        {"x", "\n", "!Protocol error: too big inline request", 65536},
        {"*1", "\r\n", "!Protocol error: too big mbulk count string", 65536},
        {"*1\r\n$1", "\r\n", "!Protocol error: too big bulk count string", 65540},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int n_over = 0; n_over < 2; n_over++) {
            struct buf line = {0};
            buf_puts(&line, cases[i].start);
            while (line.len < cases[i].most + (size_t)n_over)
                buf_putc(&line, '1');
            for (int with_end = 0; with_end < 2; with_end++) {
                struct buf seen = {0};
                if (with_end)
                    buf_puts(&line, cases[i].end);
                parse(&seen, line.data, line.len, &resp_limits_default, NULL, 0);
                if (n_over)
                    ck_assert_str_eq(buf_text(&seen), cases[i].error);
                else
                    ck_assert_ptr_null(strstr(buf_text(&seen), "too big"));
                buf_release(&seen);
            }
            buf_release(&line);
        }
    }
}
END_TEST

/* ---- properties ---- */

/* One request of random form, with random bytes in it, and how it should be shown. */
static void make_request(struct rng *rng, struct buf *bytes, struct buf *expected)
{
    bool is_inline = rng_chance(rng, 1, 3);
    uint32_t n = is_inline ? rng_below(rng, 5) : 1 + rng_below(rng, 6);

    if (!is_inline)
        resp_array(bytes, n);
    buf_putc(expected, '(');
    for (uint32_t i = 0; i < n; i++) {
        char word[400];
        size_t len = rng_below(rng, rng_chance(rng, 1, 10) ? sizeof word : 12);
        for (size_t k = 0; k < len; k++)
            word[k] = (char)(is_inline ? 'a' + (int)rng_below(rng, 26)
                                       : (int)rng_below(rng, 256));
        if (is_inline)
            buf_printf(bytes, "\"%.*s\" ", (int)len, word);
        else
            resp_bulk(bytes, word, len);
        buf_printf(expected, "%zu<", len);
        buf_append(expected, word, len);
        buf_putc(expected, '>');
    }
    buf_putc(expected, ')');
    if (is_inline)
        buf_puts(bytes, rng_chance(rng, 1, 2) ? "\r\n" : "\n");
}

START_TEST(pieces_make_no_difference)
{
    struct rng rng;
    struct buf bytes = {0};
    struct buf expected = {0};
    static const uint32_t pieces[] = {0, 1, 2, 7, 100, 3000};

    rng_seed(&rng, (uint64_t)_i, 7);
    for (int i = 0; i < 300; i++)
        make_request(&rng, &bytes, &expected);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf seen = {0};
        parse(&seen, bytes.data, bytes.len, &resp_limits_default, &rng, pieces[i]);
        ck_assert_uint_eq(seen.len, expected.len);
        ck_assert_int_eq(memcmp(seen.data, expected.data, seen.len), 0);
        buf_release(&seen);
    }
    buf_release(&bytes);
    buf_release(&expected);
}
END_TEST

/* Nor do they in damaged streams: same requests, then the same error or none. */
START_TEST(pieces_make_no_difference_to_errors)
{
    static const char spice[] = "*$\r\n0129-\"' x";
    struct rng rng;
    rng_seed(&rng, (uint64_t)_i, 8);
    for (int round = 0; round < 200; round++) {
        struct buf bytes = {0};
        struct buf expected = {0};
        struct buf whole = {0};
        struct buf pieced = {0};
        for (int i = 0; i < 5; i++)
            make_request(&rng, &bytes, &expected);
        for (int i = 0; i < 3 && bytes.len > 0; i++)
            bytes.data[rng_below(&rng, (uint32_t)bytes.len)] =
                spice[rng_below(&rng, sizeof spice - 1)];
        parse(&whole, bytes.data, bytes.len, &resp_limits_unauth, &rng, 0);
        parse(&pieced, bytes.data, bytes.len, &resp_limits_unauth, &rng, 5);
        ck_assert_uint_eq(whole.len, pieced.len);
        ck_assert_int_eq(memcmp(buf_text(&whole), buf_text(&pieced), whole.len), 0);
        buf_release(&bytes);
        buf_release(&expected);
        buf_release(&whole);
        buf_release(&pieced);
    }
}
END_TEST

/* ---- cost ---- */

/* Moving the rest after each request would move 600 GB here, and time out. */
START_TEST(pipelining_is_linear)
{
    struct resp_request rq = {0};
    struct buf bytes = {0};
    for (int i = 0; i < 300000; i++)
        buf_puts(&bytes, "*1\r\n$4\r\nPING\r\n");
    resp_request_feed(&rq, bytes.data, bytes.len);
    int n = 0;
    while (resp_request_next(&rq, &resp_limits_default, NULL) == 0)
        n++;
    ck_assert_int_eq(n, 300000);
    /* An idle client keeps little of what it once needed. */
    ck_assert_uint_le(rq.in.cap, 65536);
    resp_request_release(&rq);
    buf_release(&bytes);
}
END_TEST

/* The same while more arrives all the time: 3 TB. */
START_TEST(moving_is_linear)
{
    struct resp_request rq = {0};
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    const size_t len = sizeof ping - 1;
    const size_t n = 200000;
    size_t n_right = 0;

    for (size_t i = 0; i < n; i++)
        resp_request_feed(&rq, ping, len);
    for (size_t i = 0; i < 5 * n; i++) {
        if (resp_request_next(&rq, &resp_limits_default, NULL) == 0)
            n_right += strcmp(rq.args[0].str, "PING") == 0;
        resp_request_feed(&rq, ping, len);
    }
    ck_assert_uint_eq(n_right, 5 * n);
    /* What is done with does not pile up either. */
    ck_assert_uint_lt(rq.in.len, 3 * n * len);
    resp_request_release(&rq);
}
END_TEST

/* Looking for the end from the start each time would look at 2 TB. */
START_TEST(long_lines_are_linear)
{
    struct resp_request rq = {0};
    struct resp_limits limits = resp_limits_default;
    bool is_waiting = true;

    limits.inline_max = 4 * 1024 * 1024;
    for (size_t i = 0; i < limits.inline_max; i += 4) {
        resp_request_feed(&rq, "0123", 4);
        is_waiting = is_waiting && resp_request_next(&rq, &limits, NULL) == ERR_MORE;
    }
    ck_assert(is_waiting);
    resp_request_feed(&rq, "\n", 1);
    ck_assert_int_eq(resp_request_next(&rq, &limits, NULL), 0);
    ck_assert_uint_eq(rq.args[0].len, limits.inline_max);
    resp_request_release(&rq);
}
END_TEST

/* Starting again with each piece would look at 15 GB here. */
START_TEST(waiting_is_linear)
{
    struct resp_request rq = {0};
    char piece[16];
    const size_t n_args = 64 * 1024;
    bool is_waiting = true;

    memset(piece, 0, sizeof piece);
    snprintf(piece, sizeof piece, "*%zu\r\n", n_args + 1);
    resp_request_feed(&rq, piece, strlen(piece));
    for (size_t i = 0; i < n_args; i++) {
        resp_request_feed(&rq, "$1\r\nx\r\n", 7);
        is_waiting = is_waiting &&
                     resp_request_next(&rq, &resp_limits_default, NULL) == ERR_MORE;
    }
    ck_assert(is_waiting);
    resp_request_feed(&rq, "$1\r\nx\r\n", 7);
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), 0);
    ck_assert_uint_eq(rq.n_args, n_args + 1);
    ck_assert_str_eq(rq.args[n_args].str, "x");
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), ERR_MORE);
    ck_assert_uint_le(rq.cap_args, 256);
    resp_request_release(&rq);
}
END_TEST

START_TEST(announced_sizes_cost_nothing)
{
    struct resp_request rq = {0};
    const char *greedy = "*2147483647\r\n$536870912\r\nabc";
    resp_request_feed(&rq, greedy, strlen(greedy));
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), ERR_MORE);
    ck_assert_uint_lt(rq.in.cap, 1024);
    ck_assert_uint_lt(rq.cap_args, 64);
    resp_request_release(&rq);
}
END_TEST

/* ---- arguments that are still in use ---- */

START_TEST(feeding_does_not_take_arguments_away)
{
    struct resp_request rq = {0};
    static const char more[5000];
    const char *requests = "PING long enough to make it worth moving the "
                           "rest\r\n*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n";

    resp_request_feed(&rq, requests, strlen(requests));
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), 0);
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), 0);
    for (int i = 0; i < 20; i++)
        resp_request_feed(&rq, more, sizeof more);
    ck_assert_uint_eq(rq.n_args, 2);
    ck_assert_str_eq(rq.args[0].str, "AUTH");
    ck_assert_str_eq(rq.args[1].str, "pw");
    resp_request_release(&rq);

    resp_request_feed(&rq, "PING \"a b\"\r\n", 12);
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, NULL), 0);
    resp_request_feed(&rq, more, sizeof more);
    ck_assert_str_eq(rq.args[1].str, "a b");
    resp_request_release(&rq);
}
END_TEST

/* The limits may change between two requests of one read. */
START_TEST(logging_in_lifts_the_limits)
{
    struct resp_request rq = {0};
    struct error err;
    resp_request_feed(&rq, "AUTH pw\r\n*11\r\n", 14);
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_unauth, &err), 0);
    ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, &err), ERR_MORE);
    resp_request_release(&rq);
}
END_TEST

/* A caller that goes on all the same gets the same error, not a second life. */
START_TEST(errors_are_final)
{
    struct resp_request rq = {0};
    struct error err;
    resp_request_feed(&rq, "*1\r\nPING\r\n", 10);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(resp_request_next(&rq, &resp_limits_default, &err),
                         ERR_SYNTAX);
        ck_assert_str_eq(err.text, "Protocol error: expected '$', got 'P'");
        resp_request_feed(&rq, "PING\r\n", 6);
    }
    resp_request_release(&rq);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("resp_parse");
    TCase *tc = tcase_create("resp_parse");
    tcase_add_test(tc, requests_and_errors);
    tcase_add_test(tc, unauthenticated_clients);
    tcase_add_test(tc, configured_bulk_limit);
    tcase_add_test(tc, over_long_lines);
    tcase_add_loop_test(tc, pieces_make_no_difference, 0, 20);
    tcase_add_loop_test(tc, pieces_make_no_difference_to_errors, 0, 20);
    tcase_add_test(tc, pipelining_is_linear);
    tcase_add_test(tc, moving_is_linear);
    tcase_add_test(tc, long_lines_are_linear);
    tcase_add_test(tc, waiting_is_linear);
    tcase_add_test(tc, announced_sizes_cost_nothing);
    tcase_add_test(tc, feeding_does_not_take_arguments_away);
    tcase_add_test(tc, logging_in_lifts_the_limits);
    tcase_add_test(tc, errors_are_final);
    suite_add_tcase(suite, tc);
    return suite;
}
