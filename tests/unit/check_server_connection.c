/*
 * check_server_connection.c - HELLO, CLIENT, SHUTDOWN, QUIT, INFO and COMMAND
 * (interface.md 2.4, 4).
 */
#include "tests/lib/clients.h"
#include "tests/lib/reply.h"
#include "tests/lib/runner.h"

#include <stdlib.h>
#include <string.h>

#define HELLO(mark, proto)                                                             \
    mark "\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.1\r\n"         \
         "$5\r\nproto\r\n:" proto "\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n"               \
         "$8\r\nsentinel\r\n$7\r\nmodules\r\n*0\r\n"
#define BAD_NAME                                                                       \
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"

static struct clients clients;
static struct session *session;

static void setup(void)
{
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2\nmonitor m2 ::1 21800 1");
    clients_start(&clients);
    session = clients_open(&clients);
}

static void teardown(void)
{
    clients_release(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)
#define EXPECT_IN(bytes, part) ck_assert_ptr_nonnull(strstr(SEND(bytes), part))

/* ----------------------------------------------------------------------- HELLO ---- */

START_TEST(test_hello)
{
    EXPECT("HELLO\r\n", HELLO("*12", "2"));
    EXPECT("HELLO 3\r\n", HELLO("%6", "3"));
    EXPECT("HELLO\r\n", HELLO("%6", "3"));
    EXPECT("CLIENT GETNAME\r\n", "_\r\n");
    EXPECT("HELLO 2 SETNAME x AUTH default any\r\n", HELLO("*12", "2"));
    EXPECT("CLIENT GETNAME\r\n", "$1\r\nx\r\n");
}
END_TEST

START_TEST(test_hello_refuses)
{
    EXPECT("HELLO x\r\n",
           "-ERR Protocol version is not an integer or out of range\r\n");
    EXPECT("HELLO 1\r\n", "-NOPROTO unsupported protocol version\r\n");
    EXPECT("HELLO 4 FOO\r\n", "-NOPROTO unsupported protocol version\r\n");
    EXPECT("HELLO 3 FOO\r\n", "-ERR Syntax error in HELLO option 'FOO'\r\n");
    EXPECT("HELLO 3 auth x\r\n", "-ERR Syntax error in HELLO option 'auth'\r\n");
    EXPECT("HELLO 3 SETNAME\r\n", "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    EXPECT("HELLO 3 AUTH nobody x\r\n",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT("HELLO 3 SETNAME 'a b'\r\n", BAD_NAME);
    EXPECT("HELLO\r\n", HELLO("*12", "2"));
}
END_TEST

/* ---------------------------------------------------------------- CLIENT, names ----
 */

START_TEST(test_client_names)
{
    EXPECT("CLIENT ID\r\n", ":1\r\n");
    EXPECT("CLIENT GETNAME\r\n", "$-1\r\n");
    EXPECT("CLIENT SETNAME a-b\r\n", "+OK\r\n");
    EXPECT("CLIENT SETNAME 'a b'\r\n", BAD_NAME);
    EXPECT("CLIENT SETNAME \"a\\n\"\r\n", BAD_NAME);
    EXPECT("CLIENT SETNAME \"\\xc3\\xa9\"\r\n", BAD_NAME);
    EXPECT("CLIENT GETNAME\r\n", "$3\r\na-b\r\n");
    EXPECT("CLIENT SETNAME ''\r\n", "+OK\r\n");
    EXPECT("CLIENT GETNAME\r\n", "$-1\r\n");
    EXPECT("CLIENT SETINFO LIB-NAME redis-py\r\n", "+OK\r\n");
    EXPECT("CLIENT SETINFO lib-ver 5.0\r\n", "+OK\r\n");
    EXPECT("CLIENT SETINFO FOO x\r\n", "-ERR Unrecognized option 'FOO'\r\n");
    EXPECT("CLIENT SETINFO Lib-Name 'a b'\r\n",
           "-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_IN("CLIENT INFO\r\n", " lib-name=redis-py lib-ver=5.0\n\r\n");
}
END_TEST

START_TEST(test_client_info_line)
{
    static const char *const fields[] = {
        "id",    "addr",      "laddr",    "fd",        "name", "age",   "idle",
        "flags", "db",        "sub",      "psub",      "ssub", "multi", "watch",
        "qbuf",  "qbuf-free", "argv-mem", "multi-mem", "rbs",  "rbp",   "obl",
        "oll",   "omem",      "tot-mem",  "events",    "cmd",  "user",  "redir",
        "resp",  "lib-name",  "lib-ver"};
    struct buf names = {0}, expected = {0};

    clients_wait(&clients, 3500);
    const char *line = strchr(SEND("*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n"), '\n') + 1;
    ck_assert_int_eq(strncmp(line,
                             "id=1 addr=127.0.0.1:5000 laddr=127.0.0.1:26379 fd=9 "
                             "name= age=3 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 "
                             "multi=-1 watch=0 qbuf=26 qbuf-free=",
                             139),
                     0);
    ck_assert_ptr_nonnull(strstr(line, " argv-mem=10 "));
    ck_assert_ptr_nonnull(strstr(
        line, " events=r cmd=client|info user=default redir=-1 resp=2 lib-name= "));
    for (const char *p = line; *p != '\n';
         p += strcspn(p, " \n") + (p[strcspn(p, " \n")] == ' '))
        buf_printf(&names, "%.*s ", (int)strcspn(p, "="), p);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        buf_printf(&expected, "%s ", fields[i]);
    ck_assert_str_eq(names.data, expected.data);
    SEND("HELLO 3\r\n");
    ck_assert_int_eq(strncmp(strchr(SEND("CLIENT INFO\r\n"), '\n') + 1, "txt:id=1 ", 9),
                     0);
    buf_release(&names);
    buf_release(&expected);
}
END_TEST

START_TEST(test_client_list)
{
    struct session *other =
        session_open(clients.server, "/s:0", "/s:0", 4, true, false, NULL);

    clients_send(&clients, other,
                 "HELLO 3\r\nCLIENT TRACKING on\r\nCLIENT NO-EVICT on\r\n"
                 "SUBSCRIBE a\r\nPSUBSCRIBE b c\r\n");
    EXPECT_IN("CLIENT LIST TYPE pubsub\r\n",
              "id=2 addr=/s:0 laddr=/s:0 fd=4 name= age=0 idle=0 flags=PtUe db=0 sub=1 "
              "psub=2 ");
    const char *all = SEND("CLIENT LIST\r\n");
    ck_assert_ptr_nonnull(strstr(all, "\nid=1 "));
    ck_assert_ptr_nonnull(strstr(all, "\nid=2 "));
    ck_assert_ptr_null(strstr(SEND("CLIENT LIST TYPE normal\r\n"), "\nid=2 "));
    EXPECT("CLIENT LIST TYPE replica\r\n", "$0\r\n\r\n");
    EXPECT("CLIENT LIST ID 7 99\r\n", "$0\r\n\r\n");
    EXPECT_IN("CLIENT LIST ID 7 2\r\n", "\r\nid=2 ");
    EXPECT("CLIENT LIST ID x\r\n", "-ERR Invalid client ID\r\n");
    EXPECT("CLIENT LIST ID\r\n", "-ERR syntax error\r\n");
    EXPECT("CLIENT LIST TYPE\r\n", "-ERR syntax error\r\n");
    EXPECT("CLIENT LIST TYPE foo\r\n", "-ERR Unknown client type 'foo'\r\n");
}
END_TEST

START_TEST(test_client_kill)
{
    struct session *a = session_open(clients.server, "10.0.0.5:1", "127.0.0.1:26379", 4,
                                     false, false, NULL);
    struct session *b = session_open(clients.server, "10.0.0.5:2", "127.0.0.1:26379", 4,
                                     false, false, NULL);

    EXPECT("CLIENT KILL 10.0.0.5:3\r\n", "-ERR No such client\r\n");
    clients.n_wakes = 0;
    EXPECT("CLIENT KILL 10.0.0.5:1\r\n", "+OK\r\n");
    ck_assert(session_must_drop(a));
    ck_assert_uint_eq(clients.n_wakes, 1);
    EXPECT("CLIENT KILL ADDR 10.0.0.5:2 ID 99\r\n", ":0\r\n");
    EXPECT("CLIENT KILL ADDR 10.0.0.5:2 TYPE pubsub\r\n", ":0\r\n");
    EXPECT("CLIENT KILL ADDR 10.0.0.5:2 MAXAGE 10\r\n", ":0\r\n");
    clients_wait(&clients, 10000);
    EXPECT("CLIENT KILL LADDR 127.0.0.1:26379 MAXAGE 10 TYPE normal USER default\r\n",
           ":1\r\n");
    ck_assert(session_must_drop(b));
    ck_assert(!session_wants_close(session));
    EXPECT("CLIENT KILL USER nobody\r\n", "-ERR No such user 'nobody'\r\n");
    EXPECT("CLIENT KILL ID 0\r\n", "-ERR client-id should be greater than 0\r\n");
    EXPECT("CLIENT KILL SKIPME maybe\r\n", "-ERR syntax error\r\n");
    EXPECT("CLIENT KILL ID 1 foo\r\n", "-ERR syntax error\r\n");
    EXPECT("CLIENT KILL foo bar\r\n", "-ERR syntax error\r\n");
    EXPECT("CLIENT KILL USER default SKIPME no\r\nPING\r\n", ":1\r\n");
    ck_assert(session_wants_close(session) && !session_must_drop(session));
}
END_TEST

START_TEST(test_client_reply)
{
    EXPECT("CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n", "$1\r\nb\r\n");
    EXPECT("CLIENT REPLY SKIP\r\nNOSUCH\r\nPING b\r\n", "$1\r\nb\r\n");
    EXPECT("CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nPING\r\n", "");
    EXPECT("SENTINEL FLUSHCONFIG\r\n", "");
    EXPECT("CLIENT REPLY ON\r\n", "+OK\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    EXPECT("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    EXPECT("CLIENT REPLY SKIP\r\nSENTINEL FLUSHCONFIG\r\nPING\r\n", "+PONG\r\n");
    EXPECT("CLIENT REPLY foo\r\n", "-ERR syntax error\r\n");
}
END_TEST

/* ---------------------------------------------------------------------- pausing ----
 */

START_TEST(test_pause_holds_everything_back)
{
    struct session *other = clients_open(&clients);

    EXPECT("CLIENT PAUSE 1500\r\nPING a\r\n", "+OK\r\n");
    ck_assert(session_is_blocked(session));
    /* Mistakes are still told at once. */
    ck_assert_ptr_nonnull(strstr(clients_send(&clients, other, "FOO\r\n"), "unknown"));
    ck_assert_str_eq(clients_send(&clients, other, "CLIENT UNPAUSE\r\n"), "");
    /* More input must not disturb the request that waits. */
    for (int i = 0; i < 100; i++)
        session_feed(session, "PING bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n", 46);
    clients_wait(&clients, 1499);
    ck_assert_str_eq(clients_read(&clients, session), "");
    clients.n_wakes = 0;
    clients_wait(&clients, 1);
    ck_assert_uint_ge(clients.n_wakes, 2);
    ck_assert_int_eq(
        strncmp(clients_read(&clients, session), "$1\r\na\r\n$39\r\nbbb", 15), 0);
    ck_assert_str_eq(clients_read(&clients, other), "+OK\r\n");
}
END_TEST

START_TEST(test_pause_of_writes_holds_back_publish)
{
    struct session *other = clients_open(&clients);

    EXPECT("CLIENT PAUSE 100000 WRITE\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    EXPECT("PUBLISH a b\r\nPING\r\n", "");
    EXPECT_IN("PING\r\n", "");
    ck_assert_str_eq(clients_send(&clients, other, "CLIENT UNPAUSE\r\n"), "+OK\r\n");
    ck_assert_str_eq(clients_read(&clients, session),
                     "-ERR Only HELLO messages are accepted by Sentinel instances.\r\n"
                     "+PONG\r\n+PONG\r\n");
}
END_TEST

/* Whoever goes on may pause again; the others then wait on. */
START_TEST(test_pause_again)
{
    struct session *other = clients_open(&clients);

    EXPECT("CLIENT PAUSE 100\r\nCLIENT PAUSE 100\r\n", "+OK\r\n");
    clients_send(&clients, other, "PING\r\n");
    clients_wait(&clients, 100);
    ck_assert_str_eq(clients_read(&clients, session), "+OK\r\n");
    ck_assert_str_eq(clients_read(&clients, other), "");
    clients_wait(&clients, 100);
    ck_assert_str_eq(clients_read(&clients, other), "+PONG\r\n");
}
END_TEST

/* Another pause makes one longer and stricter, never the contrary. */
START_TEST(test_pause_upon_pause)
{
    struct session *other = clients_open(&clients);

    EXPECT("CLIENT PAUSE 100 WRITE\r\nCLIENT PAUSE 10 WRITE\r\n", "+OK\r\n+OK\r\n");
    EXPECT("CLIENT PAUSE 0 WRITE\r\nPUBLISH a b\r\n", "+OK\r\n");
    clients_wait(&clients, 50);
    ck_assert_str_eq(clients_send(&clients, other, "CLIENT PAUSE 10\r\nPING\r\n"),
                     "+OK\r\n");
    clients_wait(&clients, 49);
    ck_assert_str_eq(clients_read(&clients, other), "");
    ck_assert_str_eq(clients_read(&clients, session), "");
    clients_wait(&clients, 1);
    ck_assert_str_eq(clients_read(&clients, other), "+PONG\r\n");
    ck_assert_int_eq(clients_read(&clients, session)[0], '-');
    /* What is over counts no more. */
    EXPECT("CLIENT PAUSE 10 WRITE\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    EXPECT("CLIENT UNPAUSE\r\nPUBLISH __sentinel__:hello x\r\n", "+OK\r\n:1\r\n");
}
END_TEST

/* Each of many clients, going on, unpauses the next: this must not nest. */
START_TEST(test_unpause_by_the_unpaused)
{
    enum { N = 5000 };
    static struct session *all[N];

    for (int i = 0; i < N; i++)
        all[i] = clients_open(&clients);
    SEND("CLIENT PAUSE 100\r\n");
    for (int i = 0; i < N; i++)
        clients_send(&clients, all[i], "CLIENT UNPAUSE\r\nPING\r\n");
    clients_wait(&clients, 100);
    for (int i = 0; i < N; i++)
        ck_assert_str_eq(clients_read(&clients, all[i]), "+OK\r\n+PONG\r\n");
}
END_TEST

START_TEST(test_pause_and_closing)
{
    struct session *other = clients_open(&clients);

    SEND("CLIENT PAUSE 100\r\n");
    clients_send(&clients, other, "PING\r\n");
    session_close(other);
    clients_wait(&clients, 100);
    EXPECT_IN("INFO clients\r\n", "\r\nblocked_clients:0\r\n");
    EXPECT("CLIENT PAUSE x\r\n", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT("CLIENT PAUSE -1\r\n", "-ERR timeout is negative\r\n");
    EXPECT("CLIENT PAUSE 1 x\r\n", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
    EXPECT("CLIENT UNBLOCK 5\r\n", ":0\r\n");
    EXPECT("CLIENT UNBLOCK x\r\n", "-ERR value is not an integer or out of range\r\n");
    EXPECT("CLIENT NO-EVICT x\r\n", "-ERR syntax error\r\n");
}
END_TEST

START_TEST(test_tracking)
{
    EXPECT("CLIENT TRACKINGINFO\r\n",
           "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n"
           "$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n");
    EXPECT("CLIENT CACHING yes\r\n",
           "-ERR CLIENT CACHING can be called only when the client is in tracking mode "
           "with OPTIN or OPTOUT mode enabled\r\n");
    EXPECT("CLIENT TRACKING on OPTIN\r\n", "+OK\r\n");
    EXPECT("CLIENT GETREDIR\r\n", ":0\r\n");
    EXPECT("CLIENT CACHING yes\r\n", "+OK\r\n");
    EXPECT("CLIENT TRACKING on OPTOUT\r\n",
           "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this "
           "client, and then re-enabling it with a different mode.\r\n");
    EXPECT("CLIENT TRACKING on BCAST PREFIX a\r\n",
           "-ERR You can't switch BCAST mode on/off before disabling tracking for this "
           "client, and then re-enabling it with a different mode.\r\n");
    EXPECT("CLIENT TRACKING off\r\n", "+OK\r\n");
    EXPECT("CLIENT TRACKING on PREFIX a\r\n",
           "-ERR PREFIX option requires BCAST mode to be enabled\r\n");
    SEND("HELLO 3\r\n");
    EXPECT("CLIENT TRACKING on BCAST PREFIX a PREFIX b REDIRECT 1\r\n", "+OK\r\n");
    EXPECT("CLIENT TRACKINGINFO\r\n",
           "%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:1"
           "\r\n$8\r\nprefixes\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    EXPECT_IN("INFO clients\r\n", "\r\ntracking_clients:1\r\n");
    EXPECT("CLIENT GETREDIR\r\n", ":1\r\n");
    EXPECT("CLIENT TRACKING foo\r\n", "-ERR syntax error\r\n");
}
END_TEST

START_TEST(test_tracking_prefixes)
{
    EXPECT("CLIENT TRACKING on BCAST PREFIX a PREFIX ab\r\n",
           "-ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a "
           "single client must not overlap.\r\n");
    EXPECT("CLIENT TRACKING on BCAST PREFIX b\r\n", "+OK\r\n");
    EXPECT("CLIENT TRACKING on BCAST PREFIX bc\r\n",
           "-ERR Prefix 'bc' overlaps with an existing prefix 'b'. Prefixes for a "
           "single client must not overlap.\r\n");
    EXPECT("CLIENT TRACKING on BCAST PREFIX a\r\n", "+OK\r\n");
    SEND("CLIENT TRACKING on BCAST\r\n");
    SEND("CLIENT TRACKING on BCAST\r\n");
    EXPECT("CLIENT TRACKINGINFO\r\n",
           "*6\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:0"
           "\r\n$8\r\nprefixes\r\n*3\r\n$0\r\n\r\n$1\r\na\r\n$1\r\nb\r\n");
}
END_TEST

/* -------------------------------------------------------------- SHUTDOWN, QUIT ---- */

START_TEST(test_shutdown)
{
    EXPECT("SHUTDOWN SAVE NOSAVE\r\n", "-ERR syntax error\r\n");
    EXPECT("SHUTDOWN foo\r\n", "-ERR syntax error\r\n");
    EXPECT("SHUTDOWN ABORT NOW\r\n", "-ERR syntax error\r\n");
    EXPECT("SHUTDOWN ABORT\r\n", "-ERR No shutdown in progress.\r\n");
    ck_assert(!clients.is_stopped);
    EXPECT("SHUTDOWN nosave NOW force\r\nPING\r\n", "");
    ck_assert(clients.is_stopped);
    ck_assert(session_wants_close(session));
}
END_TEST

START_TEST(test_quit)
{
    EXPECT("PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n");
    ck_assert(session_wants_close(session));
    ck_assert(!session_must_drop(session));
}
END_TEST

/* ------------------------------------------------------------------------ INFO ---- */

START_TEST(test_info_sentinel)
{
    EXPECT("INFO sentinel SENTINEL nosuch\r\n",
           "$569\r\n# Sentinel\r\nsentinel_masters:2\r\nsentinel_tilt:0\r\n"
           "sentinel_tilt_since_seconds:-1\r\nsentinel_running_scripts:0\r\n"
           "sentinel_scripts_queue_length:0\r\nsentinel_simulate_failure_flags:0\r\n"
           "master0:name=m1,status=ok,address=10.0.0.1:6379,slaves=0,sentinels=1\r\n"
           "master1:name=m2,status=ok,address=::1:21800,slaves=0,sentinels=1\r\n"
           "sentinel_state_saved:1\r\n"
           "sentinel_unverified_peers:0\r\nsentinel_hellos_malformed:0\r\n"
           "sentinel_hellos_contradicted:0\r\nsentinel_hellos_unsigned:0\r\n"
           "sentinel_hellos_bad_signature:0\r\nsentinel_hellos_stale:0\r\n"
           "sentinel_votes_refused:0\r\n"
           "sentinel_duplicate_myid:none\r\n\r\n");
    core_master_by_name(clients.core, "m1")->current->s_down = true;
    core_master_by_name(clients.core, "m2")->o_down = true;
    clients.core->tilt = true;
    clients.core->tilt_at = core_lived(clients.core, clients.now) - 2999;
    EXPECT_IN("INFO sentinel\r\n", "name=m1,status=sdown,");
    EXPECT_IN("INFO sentinel\r\n", "name=m2,status=odown,");
    EXPECT_IN("INFO sentinel\r\n",
              "sentinel_tilt:1\r\nsentinel_tilt_since_seconds:2\r\n");
    core_master_by_name(clients.core, "m1")->current->s_down = false;
    core_master_by_name(clients.core, "m2")->o_down = false;
    clients.core->tilt = false;
}
END_TEST

/* Section headers in the order they appear. */
static const char *sections(const char *info)
{
    static struct buf names;

    buf_clear(&names);
    for (const char *p = info; (p = strstr(p, "\n# ")) != NULL; p += 3)
        buf_printf(&names, "%.*s ", (int)strcspn(p + 3, "\r"), p + 3);
    return buf_text(&names);
}

START_TEST(test_info_sections)
{
    static const char *const all = "Server Clients Stats CPU Sentinel ";

    ck_assert_str_eq(sections(SEND("INFO\r\n")), all);
    ck_assert_str_eq(sections(SEND("INFO everything\r\n")), all);
    ck_assert_str_eq(sections(SEND("INFO default x\r\n")), all);
    ck_assert_str_eq(sections(SEND("INFO cpu ALL\r\n")), all);
    ck_assert_str_eq(sections(SEND("info Sentinel CPU server\r\n")),
                     "Server CPU Sentinel ");
    EXPECT("INFO keyspace\r\n", "$0\r\n\r\n");
    EXPECT_IN("INFO cpu\r\n", "# CPU\r\nused_cpu_sys:0.000000\r\nused_cpu_user:");
    EXPECT_IN("INFO server\r\n", "\r\nredis_mode:sentinel\r\nos:");
    EXPECT_IN("INFO server\r\n",
              "\r\nlistener0:name=tcp,bind=127.0.0.1,port=26379\r\n");
    EXPECT_IN("INFO server\r\n",
              "\r\nprocess_id:42\r\nprocess_supervised:no\r\n"
              "run_id:2222222222222222222222222222222222222222\r\ntcp_port:26379\r\n");
    SEND("HELLO 3\r\n");
    ck_assert_int_eq(SEND("INFO cpu\r\n")[0], '$');
}
END_TEST

START_TEST(test_info_counters)
{
    SEND("PING\r\nPING\r\nFOO\r\nPING a b\r\nAUTH nobody x\r\n");
    const char *text = SEND("INFO stats\r\n");
    ck_assert_ptr_nonnull(strstr(text, "\r\ntotal_connections_received:1\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\ntotal_commands_processed:5\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\ntotal_error_replies:3\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\ntotal_net_input_bytes:54\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nacl_access_denied_auth:1\r\n"));
    for (int i = 0; i < 60; i++)
        SEND("PING\r\n");
    clients_wait(&clients, 1000);
    server_cron(clients.server);
    EXPECT_IN("INFO stats\r\n", "\r\ninstantaneous_ops_per_sec:65\r\n");
    clients_wait(&clients, 86400000);
    EXPECT_IN("INFO server\r\n", "\r\nuptime_in_seconds:86401\r\nuptime_in_days:1\r\n");
}
END_TEST

/* --------------------------------------------------------------------- COMMAND ---- */

static const struct resp_value *parse(struct reply_parser *parser, const char *bytes)
{
    const struct resp_value *value;

    reply_feed(parser, bytes, strlen(bytes));
    ck_assert_int_eq(reply_next(parser, &value), 0);
    ck_assert_uint_eq(parser->pos, parser->in.len);
    return value;
}

START_TEST(test_command_info)
{
    EXPECT("COMMAND COUNT\r\n", ":15\r\n");
    EXPECT("COMMAND INFO ping\r\n",
           "*1\r\n*10\r\n$4\r\nping\r\n:-1\r\n*1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n*2\r\n"
           "+@fast\r\n+@connection\r\n*2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\n"
           "response_policy:all_succeeded\r\n*0\r\n*0\r\n");
    EXPECT("COMMAND INFO SENTINEL|Masters\r\n",
           "*1\r\n*10\r\n$16\r\nsentinel|masters\r\n:2\r\n*1\r\n+admin\r\n:0\r\n:0\r\n"
           ":0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n");
    EXPECT("COMMAND INFO quit ping|x sentinel| x\r\n",
           "*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n");
    SEND("HELLO 3\r\n");
    EXPECT("COMMAND INFO x role\r\n",
           "*2\r\n_\r\n*10\r\n$4\r\nrole\r\n:1\r\n~4\r\n+noscript\r\n+loading\r\n"
           "+stale\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~3\r\n+@admin\r\n+@fast\r\n"
           "+@dangerous\r\n~0\r\n~0\r\n~0\r\n");
}
END_TEST

START_TEST(test_command_list)
{
    EXPECT("COMMAND LIST FILTERBY PATTERN ACL|L*\r\n",
           "*3\r\n$8\r\nacl|list\r\n$8\r\nacl|load\r\n$7\r\nacl|log\r\n");
    EXPECT("COMMAND LIST FILTERBY MODULE x\r\n", "*0\r\n");
    EXPECT("COMMAND LIST FILTERBY ACLCAT nosuch\r\n", "*0\r\n");
    ck_assert_int_eq(
        strncmp(SEND("COMMAND LIST filterby aclcat PubSub\r\n"), "*5\r\n", 4), 0);
    EXPECT("COMMAND LIST x\r\n", "-ERR syntax error\r\n");
    EXPECT("COMMAND LIST FILTERBY x y\r\n", "-ERR syntax error\r\n");
    EXPECT("COMMAND LIST FILTERBY PATTERN\r\n", "-ERR syntax error\r\n");
    EXPECT_IN("COMMAND LIST\r\n", "\r\n$14\r\nclient|setinfo\r\n");
}
END_TEST

START_TEST(test_command_getkeys)
{
    EXPECT("COMMAND GETKEYS role x\r\n", "-ERR The command has no key arguments\r\n");
    EXPECT("COMMAND GETKEYS foo\r\n", "-ERR Invalid command specified\r\n");
    EXPECT("COMMAND GETKEYSANDFLAGS sentinel nosuch\r\n",
           "-ERR Invalid command specified\r\n");
}
END_TEST

/* Every listed command has a document of the right shape, in both protocols. */
static void check_doc(const struct resp_value *doc, int depth)
{
    static const char *const order[] = {
        "summary",          "since",       "group",   "complexity", "doc_flags",
        "deprecated_since", "replaced_by", "history", "arguments",  "subcommands",
    };
    const size_t n_fields = sizeof(order) / sizeof(order[0]);
    size_t at = 0;

    ck_assert_int_eq(doc->type, RESP_ARRAY);
    ck_assert_uint_ge(doc->n_items, 8);
    for (size_t i = 0; i < doc->n_items; i += 2) {
        const struct resp_value *value = &doc->items[i + 1];
        while (at < n_fields && strcmp(order[at], doc->items[i].str) != 0)
            at++;
        ck_assert_uint_lt(at, n_fields);
        const char *field = order[at];
        if (strcmp(field, "doc_flags") == 0) {
            ck_assert_int_eq(value->items[0].type, RESP_STATUS);
        } else if (strcmp(field, "history") == 0) {
            for (size_t j = 0; j < value->n_items; j++)
                ck_assert_uint_eq(value->items[j].n_items, 2);
        } else if (at < n_fields - 2) {
            ck_assert_int_eq(value->type, RESP_BULK);
            ck_assert_uint_gt(value->len, 0);
        } else if (strcmp(field, "arguments") == 0) {
            for (size_t j = 0; j < value->n_items; j++)
                ck_assert_str_eq(value->items[j].items[0].str, "name");
        } else {
            ck_assert_int_eq(depth, 0);
            for (size_t j = 0; j < value->n_items; j += 2)
                check_doc(&value->items[j + 1], 1);
        }
    }
}

START_TEST(test_command_docs)
{
    struct reply_parser parser = {0};

    EXPECT("COMMAND DOCS save quit\r\n", "*0\r\n");
    EXPECT_IN("COMMAND DOCS x PING\r\n",
              "$9\r\narguments\r\n*1\r\n*8\r\n$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype"
              "\r\n$6\r\nstring\r\n$12\r\ndisplay_text\r\n$7\r\nmessage\r\n$5\r\nflags"
              "\r\n*1\r\n+optional\r\n");
    EXPECT_IN("COMMAND DOCS HELLO\r\n", "$7\r\nhistory\r\n*1\r\n*2\r\n$5\r\n6.2.0\r\n");
    EXPECT_IN("COMMAND DOCS HELLO\r\n",
              "$17\r\nusername_password\r\n$4\r\ntype\r\n$5\r\nblock\r\n"
              "$5\r\ntoken\r\n$4\r\nAUTH\r\n$5\r\nflags\r\n*1\r\n+optional\r\n"
              "$9\r\narguments\r\n*2\r\n*6\r\n$4\r\nname\r\n$8\r\nusername\r\n");
    EXPECT_IN("COMMAND DOCS CLIENT\r\n",
              "$4\r\nname\r\n$7\r\nreplica\r\n$4\r\ntype\r\n$10\r\npure-token\r\n"
              "$12\r\ndisplay_text\r\n$7\r\nreplica\r\n$5\r\ntoken\r\n$7\r\nREPLICA"
              "\r\n$5\r\nsince\r\n$5\r\n5.0.0\r\n");
    for (int i = 0; i < 2; i++) {
        const struct resp_value *all = parse(&parser, SEND("COMMAND DOCS\r\n"));
        ck_assert_uint_eq(all->n_items, 30);
        for (size_t j = 0; j < all->n_items; j += 2)
            check_doc(&all->items[j + 1], 0);
        SEND("HELLO 3\r\n");
    }
    EXPECT("COMMAND DOCS save\r\n", "%0\r\n");
    reply_release(&parser);
}
END_TEST

START_TEST(test_command_itself)
{
    struct reply_parser parser = {0};
    const struct resp_value *all = parse(&parser, SEND("COMMAND\r\n"));

    ck_assert_uint_eq(all->n_items, 15);
    for (size_t i = 0; i < all->n_items; i++)
        ck_assert_uint_eq(all->items[i].n_items, 10);
    all = parse(&parser, SEND("COMMAND INFO\r\n"));
    ck_assert_uint_eq(all->n_items, 15);
    parse(&parser, SEND("COMMAND HELP\r\n"));
    parse(&parser, SEND("CLIENT HELP\r\n"));
    parse(&parser, SEND("ACL HELP\r\n"));
    EXPECT("ACL WHOAMI\r\n", "$7\r\ndefault\r\n");
    reply_release(&parser);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_connection");
    TCase *tcase = tcase_create("connection");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_hello);
    tcase_add_test(tcase, test_hello_refuses);
    tcase_add_test(tcase, test_client_names);
    tcase_add_test(tcase, test_client_info_line);
    tcase_add_test(tcase, test_client_list);
    tcase_add_test(tcase, test_client_kill);
    tcase_add_test(tcase, test_client_reply);
    tcase_add_test(tcase, test_pause_holds_everything_back);
    tcase_add_test(tcase, test_pause_of_writes_holds_back_publish);
    tcase_add_test(tcase, test_pause_again);
    tcase_add_test(tcase, test_pause_upon_pause);
    tcase_add_test(tcase, test_unpause_by_the_unpaused);
    tcase_add_test(tcase, test_pause_and_closing);
    tcase_add_test(tcase, test_tracking);
    tcase_add_test(tcase, test_tracking_prefixes);
    tcase_add_test(tcase, test_shutdown);
    tcase_add_test(tcase, test_quit);
    tcase_add_test(tcase, test_info_sentinel);
    tcase_add_test(tcase, test_info_sections);
    tcase_add_test(tcase, test_info_counters);
    tcase_add_test(tcase, test_command_info);
    tcase_add_test(tcase, test_command_list);
    tcase_add_test(tcase, test_command_getkeys);
    tcase_add_test(tcase, test_command_docs);
    tcase_add_test(tcase, test_command_itself);
    suite_add_tcase(suite, tcase);
    return suite;
}
