/*
 * check_server_turn.c - clients share the turns of the loop: none keeps others waiting.
 */
#include "common/buf.h"
#include "common/resp.h"
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include <string.h>

#define BUDGET 20000

static struct clients clients;

static void setup(void)
{
    clients_init(&clients, "monitor m1 127.0.0.1 1 1");
    clients.options.turn_budget = BUDGET;
    clients_start(&clients);
    ck_assert(!server_end_turn(clients.server));
}

static void teardown(void)
{
    clients_release(&clients);
}

static void feed_many(struct session *session, const char *request, int n)
{
    struct buf pipeline = {0};

    for (int i = 0; i < n; i++)
        buf_puts(&pipeline, request);
    session_feed(session, pipeline.data, pipeline.len);
    buf_release(&pipeline);
}

/* The next turn; returns whether another is needed. */
static bool turn(void)
{
    while (server_serve_next(clients.server))
        continue;
    return server_end_turn(clients.server);
}

static size_t take_output(struct session *session)
{
    size_t len = session_output(session)->len;

    clients_read_some(session, len);
    return len;
}

START_TEST(test_a_long_pipeline_takes_many_turns)
{
    struct session *greedy = clients_open(&clients);
    size_t total = 0, n_turns = 0;
    bool is_more = true;

    feed_many(greedy, "PING\r\n", 1000);
    ck_assert(session_is_blocked(greedy));
    while (is_more) {
        size_t len = take_output(greedy);
        ck_assert_uint_le(len, BUDGET);
        total += len;
        is_more = turn();
        n_turns++;
    }
    total += take_output(greedy);
    ck_assert_uint_eq(total, 1000 * strlen("+PONG\r\n"));
    ck_assert_uint_gt(n_turns, 5);
    ck_assert(!session_is_blocked(greedy));
}
END_TEST

START_TEST(test_those_who_ask_much_take_turns)
{
    struct session *first = clients_open(&clients);
    struct session *second = clients_open(&clients);

    feed_many(first, "PING\r\n", 1000);
    ck_assert(server_end_turn(clients.server));
    feed_many(second, "PING\r\n", 1000);
    take_output(first);
    size_t little = take_output(second);
    for (int i = 0; i < 2; i++)
        ck_assert(turn());
    ck_assert_uint_gt(take_output(first), 2 * little);
    ck_assert_uint_gt(take_output(second), 2 * little);
    ck_assert(session_is_blocked(first));
    ck_assert(session_is_blocked(second));
}
END_TEST

START_TEST(test_who_asks_little_does_not_wait)
{
    struct session *greedy = clients_open(&clients);
    struct session *modest = clients_open(&clients);

    feed_many(greedy, "PING\r\n", 1000);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(clients_send(&clients, modest, "PING\r\n"), "+PONG\r\n");
        ck_assert(session_is_blocked(greedy));
        ck_assert(server_end_turn(clients.server));
    }
    /* It has asked for much: the next time it stands in line. */
    session_feed(modest, "COMMAND DOCS\r\n", 14);
    ck_assert_uint_gt(take_output(modest), BUDGET);
    ck_assert(server_end_turn(clients.server));
    session_feed(modest, "PING\r\n", 6);
    ck_assert_uint_eq(session_output(modest)->len, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(turn());
    ck_assert_str_eq(clients_read(&clients, modest), "+PONG\r\n");
    ck_assert(session_is_blocked(greedy));
}
END_TEST

/* However many there are, they take no more of a turn than a part of it. */
START_TEST(test_many_who_ask_little_wait)
{
    struct session *greedy = clients_open(&clients), *modest[100];
    int n_answered = 0;

    feed_many(greedy, "PING\r\n", 1000);
    for (int i = 0; i < 100; i++) {
        modest[i] = clients_open(&clients);
        session_feed(modest[i], "PING\r\n", 6);
        n_answered += session_output(modest[i])->len > 0;
    }
    ck_assert_int_gt(n_answered, 10);
    ck_assert_int_lt(n_answered, 25);
    while (turn())
        take_output(greedy);
    for (int i = 0; i < 100; i++)
        ck_assert_str_eq(clients_read(&clients, modest[i]), "+PONG\r\n");
}
END_TEST

/* Who has asked for nothing does not stand in line, nor who has gone. */
START_TEST(test_the_line_ends)
{
    struct session *greedy = clients_open(&clients);
    struct session *gone = clients_open(&clients);

    feed_many(greedy, "PING\r\n", 1000);
    session_feed(gone, "PING\r\n", 6);
    session_close(gone);
    session_close(greedy);
    ck_assert(!server_end_turn(clients.server));
    ck_assert(!server_serve_next(clients.server));
    ck_assert_str_eq(clients_send(&clients, clients_open(&clients), "PING\r\nPI"),
                     "+PONG\r\n");
}
END_TEST

START_TEST(test_one_large_reply_is_made_in_full)
{
    struct session *session = clients_open(&clients);
    struct session *other = clients_open(&clients);
    struct session *last = clients_open(&clients);

    session_feed(session, "COMMAND DOCS\r\n", 14);
    ck_assert_uint_gt(session_output(session)->len, BUDGET);
    session_feed(other, "COMMAND DOCS\r\n", 14);
    session_feed(last, "PING\r\n", 6); /* not even little is left */
    ck_assert_uint_gt(session_output(other)->len, BUDGET);
    ck_assert_uint_eq(session_output(last)->len, 0);
    ck_assert(server_end_turn(clients.server));
    ck_assert(!turn());
    ck_assert_str_eq(clients_read(&clients, last), "+PONG\r\n");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_turn");
    TCase *tcase = tcase_create("turn");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_a_long_pipeline_takes_many_turns);
    tcase_add_test(tcase, test_those_who_ask_much_take_turns);
    tcase_add_test(tcase, test_who_asks_little_does_not_wait);
    tcase_add_test(tcase, test_many_who_ask_little_wait);
    tcase_add_test(tcase, test_the_line_ends);
    tcase_add_test(tcase, test_one_large_reply_is_made_in_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
