/*
 * check_server_protocol.c - what a client may send, in what form, and what happens if
 * it sends something else (interface.md 1 and 2).
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN(name) "-ERR unknown command '" name "', with args beginning with: "
#define PROTOCOL "-ERR Protocol error: "

static struct clients clients;
static struct session *session;

static void setup(void)
{
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2");
    clients_start(&clients);
    session = clients_open(&clients);
}

static void teardown(void)
{
    clients_release(&clients);
}

static void setup_password(void)
{
    clients_init(&clients, NULL);
    clients.options.requirepass = "secret";
    clients_start(&clients);
    session = clients_open(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)

/* The reply must be the same however the bytes are cut up. */
static void expect_bytewise(const char *bytes, const char *reply)
{
    struct buf all = {0};

    for (size_t i = 0; bytes[i] != '\0'; i++)
        buf_puts(&all, clients_send_n(&clients, session, bytes + i, 1));
    ck_assert_str_eq(buf_text(&all), reply);
    buf_release(&all);
    EXPECT(bytes, reply);
}

START_TEST(test_requests_in_both_forms)
{
    expect_bytewise("PING\r\n", "+PONG\r\n");
    expect_bytewise("PING\n", "+PONG\r\n");
    expect_bytewise("*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    expect_bytewise("*2\r\n$4\r\nping\r\n$5\r\na\r\nb \r\n", "$5\r\na\r\nb \r\n");
    expect_bytewise("PING \"a\\x41\\n\"\r\n", "$3\r\naA\n\r\n");
    expect_bytewise("ping ''\r\n", "$0\r\n\r\n");
}
END_TEST

START_TEST(test_pipeline_keeps_order)
{
    expect_bytewise(
        "PING a\r\n*2\r\n$4\r\nPING\r\n$1\r\nb\r\n\r\n*0\r\n*-1\r\nPING c\r\n",
        "$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}
END_TEST

START_TEST(test_empty_requests_get_no_reply)
{
    EXPECT("\r\n\n   \r\n*0\r\n*-5\r\n", "");
    EXPECT("PING\r\n", "+PONG\r\n");
}
END_TEST

static const struct {
    const char *bytes, *error;
} protocol_errors[] = {
    {"*3000000000\r\n", "invalid multibulk length"},
    {"*x\r\n", "invalid multibulk length"},
    {"*1\r\nPING\r\n", "expected '$', got 'P'"},
    {"*1\r\n$-1\r\n", "invalid bulk length"},
    {"*1\r\n$x\r\n", "invalid bulk length"},
    {"*1\r\n$536870913\r\n", "invalid bulk length"},
    {"PING \"a\r\n", "unbalanced quotes in request"},
};

START_TEST(test_protocol_error_is_said_and_ends_it)
{
    struct buf expected = {0};

    buf_printf(&expected, "+PONG\r\n" PROTOCOL "%s\r\n", protocol_errors[_i].error);
    SEND("PING\r\n");
    ck_assert_str_eq(SEND("PING\r\n"), "+PONG\r\n");
    session_feed(session, "PING\r\n", 6);
    EXPECT(protocol_errors[_i].bytes, expected.data);
    ck_assert(session_wants_close(session));
    ck_assert(!session_must_drop(session));
    EXPECT("PING\r\n", "");
    buf_release(&expected);
}
END_TEST

START_TEST(test_endless_lines_end_it)
{
    struct buf line = {0};

    while (line.len <= 64 * 1024)
        buf_puts(&line, "aaaaaaaaaaaaaaaa");
    EXPECT(line.data, PROTOCOL "too big inline request\r\n");
    session = clients_open(&clients);
    line.data[0] = '*';
    EXPECT(line.data, PROTOCOL "too big mbulk count string\r\n");
    session = clients_open(&clients);
    SEND("*1\r\n");
    line.data[0] = '$';
    EXPECT(line.data, PROTOCOL "too big bulk count string\r\n");
    buf_release(&line);
}
END_TEST

START_TEST(test_http_is_cut_off_silently)
{
    EXPECT("GET / HTTP/1.0\r\nHost: x\r\n\r\n", "");
    ck_assert(session_must_drop(session));
    session = clients_open(&clients);
    EXPECT("*1\r\n$4\r\nPoSt\r\n", "");
    ck_assert(session_must_drop(session));
    ck_assert_str_eq(buf_text(&clients.log),
                     "A client at 127.0.0.1:5000 sends HTTP: connection closed\n");
    buf_clear(&clients.log);
    clients_wait(&clients, 60000);
    session = clients_open(&clients);
    EXPECT("HOST:\r\n", "");
    ck_assert_uint_gt(clients.log.len, 0);
}
END_TEST

START_TEST(test_unknown_commands)
{
    EXPECT("FOO\r\n", UNKNOWN("FOO") "\r\n");
    EXPECT("get a 'b c'\r\n", UNKNOWN("get") "'a' 'b c' \r\n");
    EXPECT("*1\r\n$0\r\n\r\n", UNKNOWN("") "\r\n");
    EXPECT("*2\r\n$1\r\nx\r\n$4\r\na\r\nb\r\n", UNKNOWN("x") "'a  b' \r\n");
    EXPECT("SELECT 1\r\n", UNKNOWN("SELECT") "'1' \r\n");
    EXPECT("pin\r\n", UNKNOWN("pin") "\r\n");
    EXPECT("pingg\r\n", UNKNOWN("pingg") "\r\n");
    EXPECT("sentinel|masters\r\n", UNKNOWN("sentinel|masters") "\r\n");
}
END_TEST

/* 128 bytes of name; words until 128 bytes of text are full, the last one cut. */
START_TEST(test_unknown_command_text_is_cut)
{
    char request[1024], expected[1024], a[201], b[201];

    memset(a, 'a', 200);
    memset(b, 'b', 200);
    a[200] = b[200] = '\0';
    snprintf(request, sizeof(request), "%.200s %.100s %.100s c\r\n", a, a, b);
    snprintf(expected, sizeof(expected), UNKNOWN("%.128s") "'%.100s' '%.25s' \r\n", a,
             a, b);
    EXPECT(request, expected);
    snprintf(request, sizeof(request), "foo %.124s bcdefgh\r\n", a);
    snprintf(expected, sizeof(expected), UNKNOWN("foo") "'%.124s' 'b' \r\n", a);
    EXPECT(request, expected);
    snprintf(request, sizeof(request), "foo %.128s b\r\n", a);
    snprintf(expected, sizeof(expected), UNKNOWN("foo") "'%.128s' \r\n", a);
    EXPECT(request, expected);
    snprintf(request, sizeof(request), "sentinel %.200s\r\n", a);
    snprintf(expected, sizeof(expected),
             "-ERR unknown subcommand '%.128s'. Try SENTINEL HELP.\r\n", a);
    EXPECT(request, expected);
}
END_TEST

START_TEST(test_arity_names_the_command_in_full)
{
    EXPECT("SENTINEL\r\n", "-ERR wrong number of arguments for 'sentinel' command\r\n");
    EXPECT("SENTINEL Masters x\r\n",
           "-ERR wrong number of arguments for 'sentinel|masters' command\r\n");
    EXPECT("sentinel primary\r\n",
           "-ERR wrong number of arguments for 'sentinel|primary' command\r\n");
    EXPECT("ping a b\r\n", "-ERR wrong number of arguments for 'ping' command\r\n");
    EXPECT("role x\r\n", "-ERR wrong number of arguments for 'role' command\r\n");
    EXPECT("client\r\n", "-ERR wrong number of arguments for 'client' command\r\n");
    EXPECT("client no-touch on\r\n",
           "-ERR unknown subcommand 'no-touch'. Try CLIENT HELP.\r\n");
    EXPECT("command FOO\r\n", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
}
END_TEST

/* ---------------------------------------------------------- before logging in ---- */

#define NOAUTH "-NOAUTH Authentication required.\r\n"

START_TEST(test_unknown_and_arity_come_before_noauth)
{
    EXPECT("FOO\r\n", UNKNOWN("FOO") "\r\n");
    EXPECT("ROLE x\r\n", "-ERR wrong number of arguments for 'role' command\r\n");
    EXPECT("PING\r\n", NOAUTH);
    EXPECT("SENTINEL MASTERS\r\n", NOAUTH);
    EXPECT("SUBSCRIBE x\r\n", NOAUTH);
    EXPECT("QUIT\r\n", "+OK\r\n");
    ck_assert(session_wants_close(session));
}
END_TEST

START_TEST(test_auth)
{
    EXPECT("AUTH wrong\r\n", "-WRONGPASS invalid username-password pair or user is "
                             "disabled.\r\n");
    EXPECT("AUTH nobody secret\r\n", "-WRONGPASS invalid username-password pair or "
                                     "user is disabled.\r\n");
    EXPECT("PING\r\n", NOAUTH);
    EXPECT("AUTH a b c\r\n", "-ERR syntax error\r\n");
    EXPECT("AUTH\r\n", "-ERR wrong number of arguments for 'auth' command\r\n");
    EXPECT("AUTH secret\r\n", "+OK\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    EXPECT("AUTH default wrong\r\n", "-WRONGPASS invalid username-password pair or "
                                     "user is disabled.\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    EXPECT("AUTH default secret\r\n", "+OK\r\n");
}
END_TEST

START_TEST(test_auth_in_one_pipeline)
{
    expect_bytewise("AUTH default secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
}
END_TEST

START_TEST(test_hello_logs_in)
{
    EXPECT("HELLO\r\n",
           "-NOAUTH HELLO must be called with the client already authenticated, "
           "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
           "authenticate the client and select the RESP protocol version at the same "
           "time\r\n");
    EXPECT("HELLO 3 AUTH default wrong\r\n",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT("HELLO 4 AUTH default secret\r\n",
           "-NOPROTO unsupported protocol version\r\n");
    EXPECT("PING\r\n", NOAUTH);
    ck_assert_int_eq(strncmp(SEND("HELLO 3 AUTH default secret SETNAME me\r\n"),
                             "%6\r\n$6\r\nserver\r\n", 16),
                     0);
    EXPECT("CLIENT GETNAME\r\n", "$2\r\nme\r\n");
}
END_TEST

START_TEST(test_limits_before_logging_in)
{
    struct buf big = {0};

    buf_puts(&big, "*10\r\n");
    for (int i = 0; i < 10; i++)
        buf_puts(&big, "$1\r\nx\r\n");
    ck_assert_int_eq(strncmp(SEND(big.data), "-ERR unknown", 12), 0);
    EXPECT("*11\r\n", PROTOCOL "unauthenticated multibulk length\r\n");
    ck_assert(session_wants_close(session));

    session = clients_open(&clients);
    EXPECT("*2\r\n$4\r\nPING\r\n$16384\r\n", "");
    session = clients_open(&clients);
    EXPECT("*2\r\n$4\r\nPING\r\n$16385\r\n",
           PROTOCOL "unauthenticated bulk length\r\n");
    ck_assert(session_wants_close(session));

    session = clients_open(&clients);
    EXPECT("AUTH secret\r\n*2\r\n$4\r\nPING\r\n$16385\r\n", "+OK\r\n");
    buf_release(&big);
}
END_TEST

START_TEST(test_auth_without_a_password_set)
{
    EXPECT("AUTH x\r\n",
           "-ERR AUTH <password> called without any password configured for the "
           "default user. Are you sure your configuration is correct?\r\n");
    EXPECT("AUTH default anything\r\n", "+OK\r\n");
    EXPECT("AUTH nobody x\r\n",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
}
END_TEST

/* -------------------------------------------------------------------- limits ---- */

START_TEST(test_maxclients)
{
    struct session *second;

    clients_init(&clients, NULL);
    clients.options.maxclients = 1;
    clients_start(&clients);
    session = clients_open(&clients);
    second = clients_open(&clients);
    ck_assert(session_wants_close(second));
    ck_assert_str_eq(clients_read(&clients, second),
                     "-ERR max number of clients reached\r\n");
    ck_assert_str_eq(clients_send(&clients, second, "PING\r\n"), "");
    session_close(second);
    EXPECT("PING\r\n", "+PONG\r\n");
    ck_assert_ptr_nonnull(
        strstr(SEND("INFO stats\r\n"), "\r\nrejected_connections:1\r\n"));
    session_close(session);
    session = clients_open(&clients);
    EXPECT("PING\r\n", "+PONG\r\n");
    clients_release(&clients);
}
END_TEST

START_TEST(test_protected_mode)
{
    clients_init(&clients, NULL);
    clients.options.protected_mode = true;
    clients_start(&clients);
    session = session_open(clients.server, "10.0.0.9:1", "10.0.0.1:26379", 9, false,
                           false, NULL);
    ck_assert(session_wants_close(session));
    ck_assert_int_eq(strncmp(clients_read(&clients, session), "-DENIED ", 8), 0);
    session = clients_open(&clients);
    EXPECT("PING\r\n", "+PONG\r\n");
    session =
        session_open(clients.server, "/tmp/s:0", "/tmp/s:0", 9, true, false, NULL);
    EXPECT("PING\r\n", "+PONG\r\n");
    clients_release(&clients);

    clients_init(&clients, NULL);
    clients.options.protected_mode = true;
    clients.options.requirepass = "x";
    clients_start(&clients);
    session = session_open(clients.server, "10.0.0.9:1", "10.0.0.1:26379", 9, false,
                           false, NULL);
    EXPECT("PING\r\n", NOAUTH);
    clients_release(&clients);
}
END_TEST

START_TEST(test_idle_clients_are_closed)
{
    struct session *subscriber;

    clients_init(&clients, NULL);
    clients.options.timeout_s = 10;
    clients_start(&clients);
    session = clients_open(&clients);
    subscriber = clients_open(&clients);
    clients_send(&clients, subscriber, "SUBSCRIBE x\r\n");
    clients_wait(&clients, 10000);
    server_cron(clients.server);
    ck_assert(!session_must_drop(session));
    clients_wait(&clients, 1);
    server_cron(clients.server);
    ck_assert(session_must_drop(session));
    ck_assert(!session_wants_close(subscriber));
    ck_assert_str_eq(clients_read(&clients, session), "");
    clients_release(&clients);
}
END_TEST

START_TEST(test_query_buffer_limit)
{
    char chunk[1000];

    memset(chunk, 'x', sizeof(chunk));
    clients_init(&clients, NULL);
    clients.options.query_buffer_limit = 2000;
    clients_start(&clients);
    session = clients_open(&clients);
    EXPECT("*2\r\n$4\r\nPING\r\n$100000\r\n", "");
    ck_assert_str_eq(clients_send_n(&clients, session, chunk, sizeof(chunk)), "");
    ck_assert(!session_must_drop(session));
    ck_assert_str_eq(clients_send_n(&clients, session, chunk, sizeof(chunk)), "");
    ck_assert(session_must_drop(session));
    clients_release(&clients);
}
END_TEST

START_TEST(test_bulk_max_is_configurable)
{
    clients_init(&clients, NULL);
    clients.options.bulk_max = 1 << 20;
    clients_start(&clients);
    session = clients_open(&clients);
    EXPECT("*2\r\n$4\r\nPING\r\n$1048576\r\n", "");
    session = clients_open(&clients);
    EXPECT("*2\r\n$4\r\nPING\r\n$1048577\r\n", PROTOCOL "invalid bulk length\r\n");
    clients_release(&clients);
}
END_TEST

START_TEST(test_hard_output_limit)
{
    clients_init(&clients, NULL);
    clients.options.output_normal_hard = 100;
    clients_start(&clients);
    session = clients_open(&clients);
    session_feed(session, "COMMAND\r\n", 9);
    ck_assert(session_must_drop(session));
    ck_assert_ptr_nonnull(strstr(
        buf_text(&clients.log), " scheduled to be closed ASAP for overcoming of output "
                                "buffer limits."));
    clients_release(&clients);
}
END_TEST

START_TEST(test_soft_output_limit)
{
    clients_init(&clients, NULL);
    clients.options.output_pubsub_soft = 40;
    clients.options.output_pubsub_soft_s = 5;
    clients_start(&clients);
    session = clients_open(&clients);
    EXPECT("SUBSCRIBE x\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    server_publish(clients.server, "x", "some text");
    server_publish(clients.server, "x", "some text");
    clients_wait(&clients, 5000);
    server_cron(clients.server);
    ck_assert(!session_must_drop(session));
    clients_read(&clients, session); /* below it: the time starts anew */
    server_cron(clients.server);
    server_publish(clients.server, "x", "some text");
    server_publish(clients.server, "x", "some text");
    clients_wait(&clients, 5000);
    server_cron(clients.server);
    ck_assert(!session_must_drop(session));
    clients_wait(&clients, 1);
    server_cron(clients.server);
    ck_assert(session_must_drop(session));
    clients_release(&clients);
}
END_TEST

/* All clients together hold too much: the largest goes, unless it is protected. */
START_TEST(test_clients_are_evicted)
{
    static char half_sent[200000];

    memset(half_sent, 'x', sizeof(half_sent));
    clients_init(&clients, NULL);
    clients.options.maxmemory_clients = 300000;
    clients_start(&clients);
    session = clients_open(&clients);
    struct session *large = clients_open(&clients), *spared = clients_open(&clients);
    clients_send(&clients, spared, "CLIENT NO-EVICT on\r\n");
    session_feed(large, "*2\r\n$4\r\nPING\r\n$300000\r\n", 24);
    session_feed(large, half_sent, 100000);
    session_feed(spared, "*2\r\n$4\r\nPING\r\n$300000\r\n", 24);
    session_feed(spared, half_sent, 120000);
    server_cron(clients.server);
    ck_assert(!session_must_drop(large));
    session_feed(spared, half_sent, sizeof(half_sent) - 120000);
    session_feed(large, half_sent, 100000);
    server_cron(clients.server);
    ck_assert(session_must_drop(large));
    ck_assert(!session_must_drop(spared));
    ck_assert(!session_must_drop(session));
    ck_assert_ptr_nonnull(strstr(buf_text(&clients.log), "Evicting client: id=2 "));
    ck_assert_ptr_nonnull(
        strstr(clients_send(&clients, session, "INFO stats\r\n"), "evicted_clients:1"));
    clients_release(&clients);
}
END_TEST

/* A pipeline whose replies are not read stops being served, and goes on later. */
START_TEST(test_unread_replies_hold_up_a_pipeline)
{
    struct buf pipeline = {0};
    size_t total = 0, n_rounds = 0;

    for (int i = 0; i < 1000; i++)
        buf_puts(&pipeline, "COMMAND\r\n");
    session_feed(session, pipeline.data, pipeline.len);
    ck_assert(session_is_blocked(session));
    size_t first = session_output(session)->len;
    ck_assert_uint_lt(first, 2 << 20);
    size_t one = strlen(clients_send(&clients, clients_open(&clients), "COMMAND\r\n"));
    clients.n_wakes = 0;
    while (session_output(session)->len > 0) {
        size_t len = session_output(session)->len;
        total += len;
        n_rounds++;
        clients_read_some(session, len);
    }
    ck_assert_uint_eq(total, one * 1000);
    ck_assert_uint_gt(n_rounds, 5);
    ck_assert_uint_ge(clients.n_wakes, n_rounds - 1);
    ck_assert(!session_is_blocked(session));
    buf_release(&pipeline);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_protocol");
    TCase *open = tcase_create("open");
    TCase *password = tcase_create("password");
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(open, setup, teardown);
    tcase_add_test(open, test_requests_in_both_forms);
    tcase_add_test(open, test_pipeline_keeps_order);
    tcase_add_test(open, test_empty_requests_get_no_reply);
    tcase_add_loop_test(open, test_protocol_error_is_said_and_ends_it, 0,
                        sizeof(protocol_errors) / sizeof(protocol_errors[0]));
    tcase_add_test(open, test_endless_lines_end_it);
    tcase_add_test(open, test_http_is_cut_off_silently);
    tcase_add_test(open, test_unknown_commands);
    tcase_add_test(open, test_unknown_command_text_is_cut);
    tcase_add_test(open, test_arity_names_the_command_in_full);
    tcase_add_test(open, test_auth_without_a_password_set);
    tcase_add_test(open, test_unread_replies_hold_up_a_pipeline);
    suite_add_tcase(suite, open);

    tcase_add_checked_fixture(password, setup_password, teardown);
    tcase_add_test(password, test_unknown_and_arity_come_before_noauth);
    tcase_add_test(password, test_auth);
    tcase_add_test(password, test_auth_in_one_pipeline);
    tcase_add_test(password, test_hello_logs_in);
    tcase_add_test(password, test_limits_before_logging_in);
    suite_add_tcase(suite, password);

    tcase_add_test(limits, test_maxclients);
    tcase_add_test(limits, test_protected_mode);
    tcase_add_test(limits, test_idle_clients_are_closed);
    tcase_add_test(limits, test_query_buffer_limit);
    tcase_add_test(limits, test_bulk_max_is_configurable);
    tcase_add_test(limits, test_hard_output_limit);
    tcase_add_test(limits, test_soft_output_limit);
    tcase_add_test(limits, test_clients_are_evicted);
    suite_add_tcase(suite, limits);
    return suite;
}
