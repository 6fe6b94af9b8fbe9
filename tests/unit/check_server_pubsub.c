/*
 * check_server_pubsub.c - subscriptions and what is delivered (interface.md 4.11, 4.13,
 * 5.1).
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define CONFIRM(mark, what, name, count) mark "3\r\n" what name ":" count "\r\n"
#define SUB "$9\r\nsubscribe\r\n"
#define PSUB "$10\r\npsubscribe\r\n"
#define UNSUB "$11\r\nunsubscribe\r\n"
#define PUNSUB "$12\r\npunsubscribe\r\n"
#define A "$1\r\na\r\n"
#define B "$1\r\nb\r\n"
#define ONLY(name)                                                                     \
    "-ERR Can't execute '" name "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "  \
    "QUIT / RESET are allowed in this context\r\n"

static struct clients clients;
static struct session *session;

static void setup(void)
{
    clients_init(&clients, NULL);
    clients_start(&clients);
    session = clients_open(&clients);
}

static void teardown(void)
{
    clients_release(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)
#define EXPECT_PUBLISHED(reply) ck_assert_str_eq(clients_read(&clients, session), reply)

START_TEST(test_confirmations)
{
    EXPECT("SUBSCRIBE a a b\r\n", CONFIRM("*", SUB, A, "1") CONFIRM("*", SUB, A, "1")
                                      CONFIRM("*", SUB, B, "2"));
    EXPECT("PSUBSCRIBE a\r\n", CONFIRM("*", PSUB, A, "3"));
    EXPECT("UNSUBSCRIBE x a\r\n",
           CONFIRM("*", UNSUB, "$1\r\nx\r\n", "3") CONFIRM("*", UNSUB, A, "2"));
    EXPECT("PUNSUBSCRIBE b\r\n", CONFIRM("*", PUNSUB, B, "2"));
    EXPECT("SUBSCRIBE a\r\n", CONFIRM("*", SUB, A, "3"));
    EXPECT("UNSUBSCRIBE\r\n", CONFIRM("*", UNSUB, B, "2") CONFIRM("*", UNSUB, A, "1"));
    EXPECT("UNSUBSCRIBE\r\n", CONFIRM("*", UNSUB, "$-1\r\n", "1"));
    EXPECT("PUNSUBSCRIBE\r\n", CONFIRM("*", PUNSUB, A, "0"));
    EXPECT("PUNSUBSCRIBE\r\n", CONFIRM("*", PUNSUB, "$-1\r\n", "0"));
}
END_TEST

START_TEST(test_confirmations_are_pushes_in_resp3)
{
    SEND("HELLO 3\r\n");
    EXPECT("SUBSCRIBE a\r\n", CONFIRM(">", SUB, A, "1"));
    EXPECT("PSUBSCRIBE b\r\n", CONFIRM(">", PSUB, B, "2"));
    EXPECT("UNSUBSCRIBE\r\n", CONFIRM(">", UNSUB, A, "1"));
    EXPECT("UNSUBSCRIBE\r\n", CONFIRM(">", UNSUB, "_\r\n", "1"));
}
END_TEST

START_TEST(test_resp2_subscriber_may_do_little)
{
    SEND("SUBSCRIBE a\r\n");
    EXPECT("PING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    EXPECT("PING x\r\n", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    EXPECT("SENTINEL masters\r\n", ONLY("sentinel|masters"));
    EXPECT("hello 3\r\n", ONLY("hello"));
    EXPECT("AUTH default x\r\n", ONLY("auth"));
    EXPECT("client list\r\n", ONLY("client|list"));
    EXPECT("get x\r\n",
           "-ERR unknown command 'get', with args beginning with: 'x' \r\n");
    EXPECT("ROLE x\r\n", "-ERR wrong number of arguments for 'role' command\r\n");
    SEND("UNSUBSCRIBE\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    SEND("PSUBSCRIBE a\r\n");
    EXPECT("QUIT\r\n", "+OK\r\n");
    ck_assert(session_wants_close(session));
}
END_TEST

START_TEST(test_resp3_subscriber_may_do_anything)
{
    SEND("HELLO 3\r\nSUBSCRIBE a\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    EXPECT("SENTINEL MASTERS\r\n", "*0\r\n");
}
END_TEST

/* Channel subscribers first, then each pattern, in the order of subscription. */
START_TEST(test_delivery)
{
    SEND("PSUBSCRIBE +s* [+-]sdown\r\nSUBSCRIBE +sdown\r\nPSUBSCRIBE +x\r\n");
    server_publish(clients.server, "+sdown", "master m1 1.2.3.4 5");
    EXPECT_PUBLISHED("*3\r\n$7\r\nmessage\r\n$6\r\n+sdown\r\n"
                     "$19\r\nmaster m1 1.2.3.4 5\r\n"
                     "*4\r\n$8\r\npmessage\r\n$3\r\n+s*\r\n$6\r\n+sdown\r\n"
                     "$19\r\nmaster m1 1.2.3.4 5\r\n"
                     "*4\r\n$8\r\npmessage\r\n$9\r\n[+-]sdown\r\n$6\r\n+sdown\r\n"
                     "$19\r\nmaster m1 1.2.3.4 5\r\n");
    server_publish(clients.server, "-sdown", "x");
    EXPECT_PUBLISHED("*4\r\n$8\r\npmessage\r\n$9\r\n[+-]sdown\r\n$6\r\n-sdown\r\n"
                     "$1\r\nx\r\n");
    server_publish(clients.server, "+SDOWN", "x");
    EXPECT_PUBLISHED("");
}
END_TEST

START_TEST(test_delivery_in_both_protocols)
{
    struct session *other = clients_open(&clients);

    clients_send(&clients, other, "HELLO 3\r\nSUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
    SEND("SUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
    clients.n_wakes = 0;
    server_publish(clients.server, "a", "");
    ck_assert_uint_ge(clients.n_wakes, 2);
    EXPECT_PUBLISHED("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n"
                     "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$0\r\n\r\n");
    ck_assert_str_eq(clients_read(&clients, other),
                     ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n"
                     ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$0\r\n\r\n");
}
END_TEST

START_TEST(test_leaving_ends_delivery)
{
    struct session *other = clients_open(&clients);

    clients_send(&clients, other, "SUBSCRIBE a b\r\nPSUBSCRIBE *\r\n");
    SEND("SUBSCRIBE a\r\nUNSUBSCRIBE a\r\n");
    session_close(other);
    server_publish(clients.server, "a", "x");
    EXPECT_PUBLISHED("");
    ck_assert_ptr_nonnull(strstr(SEND("INFO stats\r\n"),
                                 "\r\npubsub_channels:0\r\npubsub_patterns:0\r\n"));
}
END_TEST

START_TEST(test_counts_in_info)
{
    struct session *other = clients_open(&clients);

    clients_send(&clients, other, "SUBSCRIBE a b\r\nPSUBSCRIBE *\r\n");
    SEND("HELLO 3\r\nSUBSCRIBE a\r\n");
    const char *text = SEND("INFO stats clients\r\n");
    ck_assert_ptr_nonnull(
        strstr(text, "\r\npubsub_channels:2\r\npubsub_patterns:1\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\npubsub_clients:2\r\n"));
}
END_TEST

/* CLIENT REPLY OFF silences replies, not messages and not confirmations. */
START_TEST(test_messages_are_never_muted)
{
    EXPECT("CLIENT REPLY OFF\r\n", "");
    EXPECT("SUBSCRIBE a\r\n", CONFIRM("*", SUB, A, "1"));
    server_publish(clients.server, "a", "x");
    EXPECT_PUBLISHED("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
    EXPECT("PING\r\n", "");
}
END_TEST

/* A subscriber that does not read is cut off; the others are not affected. */
START_TEST(test_slow_subscriber)
{
    struct session *other;

    teardown();
    clients_init(&clients, NULL);
    clients.options.output_pubsub_hard = 1000;
    clients_start(&clients);
    session = clients_open(&clients);
    other = clients_open(&clients);
    SEND("SUBSCRIBE a\r\n");
    clients_send(&clients, other, "SUBSCRIBE a\r\n");
    for (int i = 0; i < 100; i++) {
        server_publish(clients.server, "a", "x");
        EXPECT_PUBLISHED("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
    }
    ck_assert(session_must_drop(other));
    ck_assert(!session_must_drop(session));
    ck_assert_uint_lt(session_output(other)->len, 1100);
    ck_assert_ptr_nonnull(
        strstr(SEND("UNSUBSCRIBE\r\nINFO stats\r\n"),
               "\r\nclient_output_buffer_limit_disconnections:1\r\n"));
}
END_TEST

START_TEST(test_many_subscriptions)
{
    struct buf request = {0};

    for (int i = 0; i < 5000; i++)
        buf_printf(&request, "SUBSCRIBE c%d\r\n", i);
    for (int i = 0; i < 5000; i++)
        buf_printf(&request, "PSUBSCRIBE p%d\r\n", i);
    session_feed(session, request.data, request.len);
    clients_read(&clients, session);
    server_publish(clients.server, "c4999", "x");
    EXPECT_PUBLISHED("*3\r\n$7\r\nmessage\r\n$5\r\nc4999\r\n$1\r\nx\r\n");
    server_publish(clients.server, "p17", "x");
    EXPECT_PUBLISHED("*4\r\n$8\r\npmessage\r\n$3\r\np17\r\n$3\r\np17\r\n$1\r\nx\r\n");
    buf_release(&request);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_pubsub");
    TCase *tcase = tcase_create("pubsub");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_confirmations);
    tcase_add_test(tcase, test_confirmations_are_pushes_in_resp3);
    tcase_add_test(tcase, test_resp2_subscriber_may_do_little);
    tcase_add_test(tcase, test_resp3_subscriber_may_do_anything);
    tcase_add_test(tcase, test_delivery);
    tcase_add_test(tcase, test_delivery_in_both_protocols);
    tcase_add_test(tcase, test_leaving_ends_delivery);
    tcase_add_test(tcase, test_counts_in_info);
    tcase_add_test(tcase, test_messages_are_never_muted);
    tcase_add_test(tcase, test_slow_subscriber);
    tcase_add_test(tcase, test_many_subscriptions);
    suite_add_tcase(suite, tcase);
    return suite;
}
