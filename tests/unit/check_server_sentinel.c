/*
 * check_server_sentinel.c - SENTINEL subcommands that ask, and those that make the core
 * do something: replies byte by byte (interface.md 3).
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include "common/mem.h"
#include "common/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG                                                                         \
    "monitor m1 10.0.0.1 6379 2\n"                                                     \
    "replica m1 10.0.0.2 6379\n"                                                       \
    "replica m1 10.0.0.3 6379\n"                                                       \
    "sentinel m1 10.0.0.11 26379 " PEER1 "\n"                                          \
    "sentinel m1 10.0.0.12 26379 " PEER2 "\n"                                          \
    "monitor m2 10.0.1.1 6380 1\n"                                                     \
    "sentinel m2 10.0.0.11 26379 " PEER1 "\n"
#define PEER1 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER2 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define RUN_ID "cccccccccccccccccccccccccccccccccccccccc"
#define NO_MASTER "-ERR No such master with that name\r\n"

static struct clients clients;
static struct session *session;
static struct buf expected;

static void setup(void)
{
    clients_init(&clients, CONFIG);
    clients_start(&clients);
    session = clients_open(&clients);
}

static void teardown(void)
{
    buf_release(&expected);
    clients_release(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)

static struct master *master_of(const char *name)
{
    return core_master_by_name(clients.core, name);
}

static struct node *replica_of(const char *master, const char *name)
{
    struct node *node;

    HASH_FIND_STR(master_of(master)->replicas, name, node);
    ck_assert_ptr_nonnull(node);
    return node;
}

static struct voter *voter_of(const char *master, const char *run_id)
{
    struct voter *voter;

    HASH_FIND_STR(master_of(master)->voters, run_id, voter);
    ck_assert_ptr_nonnull(voter);
    return voter;
}

/* Adds a row to |expected|: "field=value" texts, separated by blanks. */
static void expect_row(int proto, const char *fields)
{
    size_t n = 0;

    for (const char *p = fields; *p != '\0'; p++)
        n += *p == '=' ? 1 : 0;
    resp_map(&expected, proto, n);
    while (*fields != '\0') {
        size_t name = strcspn(fields, "=");
        size_t value = strcspn(fields + name + 1, " ");
        resp_bulk(&expected, fields, name);
        resp_bulk(&expected, fields + name + 1, value);
        fields += name + 1 + value;
        fields += strspn(fields, " ");
    }
}

/* Makes |link| look connected and answered |ms| ago. */
static void connect_link(struct link *link, int64_t ms)
{
    int64_t lived = core_lived(clients.core, clients.now);

    link->cmd.up = true;
    link->sub.up = link->node != NULL;
    link->n_in_flight = 0;
    link->ping_pending_at = CORE_NEVER;
    link->avail_at = lived - ms;
    link->pong_at = lived - ms;
}

/* ------------------------------------------------------------------------ rows ---- */

START_TEST(test_row_of_a_fresh_master)
{
    resp_array(&expected, 2);
    expect_row(2, "name=m1 ip=10.0.0.1 port=6379 runid= flags=master,disconnected "
                  "link-pending-commands=0 link-refcount=1 last-ping-sent=0 "
                  "last-ok-ping-reply=0 last-ping-reply=0 "
                  "down-after-milliseconds=30000 info-refresh=0 role-reported=master "
                  "role-reported-time=0 config-epoch=0 num-slaves=2 "
                  "num-other-sentinels=2 quorum=2 failover-timeout=180000 "
                  "parallel-syncs=1");
    expect_row(2, "name=m2 ip=10.0.1.1 port=6380 runid= flags=master,disconnected "
                  "link-pending-commands=0 link-refcount=1 last-ping-sent=0 "
                  "last-ok-ping-reply=0 last-ping-reply=0 "
                  "down-after-milliseconds=30000 info-refresh=0 role-reported=master "
                  "role-reported-time=0 config-epoch=0 num-slaves=0 "
                  "num-other-sentinels=1 quorum=1 failover-timeout=180000 "
                  "parallel-syncs=1");
    EXPECT("SENTINEL MASTERS\r\n", expected.data);
    EXPECT("sentinel primaries\r\n", expected.data);
}
END_TEST

START_TEST(test_row_of_a_master_in_failover)
{
    struct master *m = master_of("m1");
    int64_t lived = core_lived(clients.core, clients.now);

    connect_link(m->current->link, 758);
    m->current->link->n_in_flight = 3;
    m->current->link->ping_pending_at = lived - 2116;
    m->current->link->cmd.up = false;
    m->current->s_down = true;
    m->current->s_down_at = lived - 64;
    m->current->info_at = lived - 7683;
    m->current->role_at = lived - 7697;
    snprintf(m->current->run_id, sizeof(m->current->run_id), "%s", RUN_ID);
    m->o_down = true;
    m->o_down_at = lived - 8;
    m->failover.state = FO_ELECT;
    m->failover.forced = true;
    m->config_epoch = UINT64_MAX;
    mem_replace(&m->notification_script, "/n");
    mem_replace(&m->reconfig_script, "/r");
    const char *row =
        "name=m1 ip=10.0.0.1 port=6379 runid=" RUN_ID " "
        "flags=s_down,o_down,master,disconnected,failover_in_progress,force_failover "
        "link-pending-commands=3 link-refcount=1 failover-state=wait_start "
        "last-ping-sent=2116 last-ok-ping-reply=758 last-ping-reply=758 s-down-time=64 "
        "o-down-time=8 down-after-milliseconds=30000 info-refresh=7683 "
        "role-reported=master role-reported-time=7697 "
        "config-epoch=18446744073709551615 num-slaves=2 num-other-sentinels=2 quorum=2 "
        "failover-timeout=180000 parallel-syncs=1 notification-script=/n "
        "client-reconfig-script=/r";
    expect_row(2, row);
    EXPECT("SENTINEL MASTER m1\r\n", expected.data);
    EXPECT("SENTINEL PRIMARY m1\r\n", expected.data);
    SEND("HELLO 3\r\n");
    buf_clear(&expected);
    expect_row(3, row);
    ck_assert_int_eq(strncmp(expected.data, "%25\r\n", 5), 0);
    EXPECT("SENTINEL MASTER m1\r\n", expected.data);
    EXPECT("SENTINEL MASTER M1\r\n", NO_MASTER);
    m->failover.state = FO_NONE;
}
END_TEST

START_TEST(test_rows_of_replicas)
{
    struct node *a = replica_of("m1", "10.0.0.2:6379");
    struct node *b = replica_of("m1", "10.0.0.3:6379");
    int64_t lived = core_lived(clients.core, clients.now);

    connect_link(a->link, 407);
    a->info_at = lived - 6;
    a->role_at = lived - 7689;
    mem_replace(&a->reported_host, "10.0.0.1");
    a->reported_port = 6379;
    a->link_down_ms = 2000;
    a->offset = 827;
    a->reconf = RECONF_INPROG;
    b->s_down = true;
    b->s_down_at = lived - 5;
    b->priority = 0;
    b->reported_link_up = true;
    const char *row_a =
        "name=10.0.0.2:6379 ip=10.0.0.2 port=6379 runid= flags=slave,reconf_inprog "
        "link-pending-commands=0 link-refcount=1 last-ping-sent=0 "
        "last-ok-ping-reply=407 last-ping-reply=407 down-after-milliseconds=30000 "
        "info-refresh=6 role-reported=slave role-reported-time=7689 "
        "master-link-down-time=2000 master-link-status=err master-host=10.0.0.1 "
        "master-port=6379 slave-priority=100 slave-repl-offset=827 "
        "replica-announced=1";
    resp_array(&expected, 2);
    expect_row(2, row_a);
    expect_row(2, "name=10.0.0.3:6379 ip=10.0.0.3 port=6379 runid= "
                  "flags=s_down,slave,disconnected link-pending-commands=0 "
                  "link-refcount=1 last-ping-sent=0 last-ok-ping-reply=0 "
                  "last-ping-reply=0 s-down-time=5 down-after-milliseconds=30000 "
                  "info-refresh=0 role-reported=slave role-reported-time=0 "
                  "master-link-down-time=0 master-link-status=ok master-host=? "
                  "master-port=0 slave-priority=0 slave-repl-offset=0 "
                  "replica-announced=1");
    EXPECT("SENTINEL REPLICAS m1\r\n", expected.data);
    EXPECT("SENTINEL SLAVES m1\r\n", expected.data);

    /* Unannounced ones are not listed, but counted. */
    b->announced = false;
    buf_clear(&expected);
    resp_array(&expected, 1);
    expect_row(2, row_a);
    EXPECT("SENTINEL REPLICAS m1\r\n", expected.data);
    ck_assert_ptr_nonnull(
        strstr(SEND("SENTINEL MASTER m1\r\n"), "$10\r\nnum-slaves\r\n$1\r\n2\r\n"));
    EXPECT("SENTINEL REPLICAS m2\r\n", "*0\r\n");
    EXPECT("SENTINEL REPLICAS m3\r\n", NO_MASTER);
}
END_TEST

START_TEST(test_rows_of_sentinels)
{
    struct voter *voter = voter_of("m1", PEER1);
    int64_t lived = core_lived(clients.core, clients.now);

    connect_link(voter->peer->link, 406);
    voter->hello_at = lived - 1606;
    voter->says_down = true;
    voter->leader_epoch = 7;
    snprintf(voter->leader, sizeof(voter->leader), "%s", PEER2);
    voter_of("m1", PEER2)->s_down = true;
    voter_of("m1", PEER2)->s_down_at = lived - 9;
    resp_array(&expected, 2);
    expect_row(2, "name=" PEER1 " ip=10.0.0.11 port=26379 runid=" PEER1 " "
                  "flags=sentinel,master_down link-pending-commands=0 link-refcount=2 "
                  "last-ping-sent=0 last-ok-ping-reply=406 last-ping-reply=406 "
                  "down-after-milliseconds=30000 last-hello-message=1606 "
                  "voted-leader=" PEER2 " voted-leader-epoch=7");
    expect_row(2, "name=" PEER2 " ip=10.0.0.12 port=26379 runid=" PEER2 " "
                  "flags=s_down,sentinel,disconnected link-pending-commands=0 "
                  "link-refcount=1 last-ping-sent=0 last-ok-ping-reply=0 "
                  "last-ping-reply=0 s-down-time=9 down-after-milliseconds=30000 "
                  "last-hello-message=0 voted-leader=? voted-leader-epoch=0");
    EXPECT("SENTINEL SENTINELS m1\r\n", expected.data);
    EXPECT("SENTINEL SENTINELS x\r\n", NO_MASTER);
    voter->said_at = clients.core->now - 5001; /* an opinion counts for 5 s */
    ck_assert_ptr_null(strstr(SEND("SENTINEL SENTINELS m1\r\n"), "master_down"));
    voter->says_down = false;
    voter_of("m1", PEER2)->s_down = false;
}
END_TEST

/* ------------------------------------------------------------------- questions ---- */

START_TEST(test_get_master_addr)
{
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m1\r\n",
           "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n");
    EXPECT("SENTINEL GET-PRIMARY-ADDR-BY-NAME m2\r\n",
           "*2\r\n$8\r\n10.0.1.1\r\n$4\r\n6380\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME nope\r\n", "*-1\r\n");
    ck_assert_str_eq(
        clients_send_n(&clients, session,
                       "*3\r\n$8\r\nSENTINEL\r\n$23\r\nGET-MASTER-ADDR-BY-NAME\r\n"
                       "$4\r\nm1\0x\r\n",
                       58),
        "*-1\r\n");
    SEND("HELLO 3\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME nope\r\n", "_\r\n");
}
END_TEST

START_TEST(test_get_master_addr_during_failover)
{
    struct master *m = master_of("m1");

    m->failover.promoted = replica_of("m1", "10.0.0.3:6379");
    m->failover.state = FO_CONFIRM;
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m1\r\n",
           "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n");
    m->failover.state = FO_RECONF;
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m1\r\n",
           "*2\r\n$8\r\n10.0.0.3\r\n$4\r\n6379\r\n");
    ck_assert_ptr_nonnull(strstr(SEND("SENTINEL REPLICAS m1\r\n"),
                                 "\r\nslave,disconnected,promoted\r\n"));
    m->failover.state = FO_NONE;
    m->failover.promoted = NULL;
}
END_TEST

START_TEST(test_myid_and_role)
{
    EXPECT("SENTINEL MYID\r\n", "$40\r\n" CLIENTS_MYID "\r\n");
    EXPECT("ROLE\r\n", "*2\r\n$8\r\nsentinel\r\n*2\r\n$2\r\nm1\r\n$2\r\nm2\r\n");
}
END_TEST

START_TEST(test_ckquorum)
{
    EXPECT("SENTINEL CKQUORUM m1\r\n", "+OK 3 usable Sentinels. Quorum and failover "
                                       "authorization can be reached\r\n");
    voter_of("m1", PEER1)->s_down = true;
    EXPECT("SENTINEL CKQUORUM m1\r\n", "+OK 2 usable Sentinels. Quorum and failover "
                                       "authorization can be reached\r\n");
    voter_of("m1", PEER2)->s_down = true;
    EXPECT("SENTINEL CKQUORUM m1\r\n",
           "-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the "
           "specified quorum for this master. Not enough available Sentinels to reach "
           "the majority and authorize a failover\r\n");
    master_of("m1")->quorum = 1;
    EXPECT("SENTINEL CKQUORUM m1\r\n",
           "-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the "
           "majority and authorize a failover\r\n");
    voter_of("m1", PEER1)->s_down = false;
    voter_of("m1", PEER2)->s_down = false;
    master_of("m1")->quorum = 5;
    EXPECT("SENTINEL CKQUORUM m1\r\n",
           "-NOQUORUM 3 usable Sentinels. Not enough available Sentinels to reach the "
           "specified quorum for this master\r\n");
    EXPECT("SENTINEL CKQUORUM x\r\n", NO_MASTER);
}
END_TEST

START_TEST(test_info_cache)
{
    struct node *node = master_of("m1")->current;

    EXPECT("SENTINEL INFO-CACHE m2\r\n", "*2\r\n$2\r\nm2\r\n*1\r\n*2\r\n:0\r\n$-1\r\n");
    buf_puts(&node->info_text, "# Server\r\n");
    node->info_at = core_lived(clients.core, clients.now) - 7020;
    EXPECT("SENTINEL INFO-CACHE m1 x m1\r\n",
           "*2\r\n$2\r\nm1\r\n*3\r\n*2\r\n:7020\r\n$10\r\n# Server\r\n\r\n"
           "*2\r\n:0\r\n$-1\r\n*2\r\n:0\r\n$-1\r\n");
    EXPECT("SENTINEL INFO-CACHE x\r\n", "*0\r\n");
    SEND("HELLO 3\r\n");
    EXPECT("SENTINEL INFO-CACHE m2 x\r\n", "*2\r\n$2\r\nm2\r\n*1\r\n*2\r\n:0\r\n_\r\n");
}
END_TEST

START_TEST(test_pending_scripts)
{
    char *argv[] = {"/x.sh", "+monitor", "master m1", NULL};
    int64_t lived = core_lived(clients.core, clients.now);
    struct job waits = {
        .argv = argv + 2, .start_at = lived + 30000, .n_runs = 1, .prev = &waits};
    struct job runs = {.argv = argv,
                       .running = true,
                       .pid = 5380,
                       .start_at = lived - 537,
                       .n_runs = 1,
                       .prev = &waits,
                       .next = &waits};

    EXPECT("SENTINEL PENDING-SCRIPTS\r\n", "*0\r\n");
    waits.prev = &runs;
    clients.core->jobs = &runs;
    EXPECT("SENTINEL PENDING-SCRIPTS\r\n",
           "*2\r\n*10\r\n$4\r\nargv\r\n*3\r\n$5\r\n/x.sh\r\n$8\r\n+monitor\r\n"
           "$9\r\nmaster m1\r\n$5\r\nflags\r\n$7\r\nrunning\r\n$3\r\npid\r\n$4\r\n5380"
           "\r\n$8\r\nrun-time\r\n$3\r\n537\r\n$9\r\nretry-num\r\n$1\r\n1\r\n*10\r\n"
           "$4\r\nargv\r\n*1\r\n$9\r\nmaster m1\r\n$5\r\nflags\r\n$9\r\nscheduled\r\n"
           "$3\r\npid\r\n$1\r\n0\r\n$9\r\nrun-delay\r\n$5\r\n30000\r\n$9\r\nretry-num"
           "\r\n$1\r\n1\r\n");
    clients.core->jobs = NULL;
}
END_TEST

START_TEST(test_help_has_the_header_scripts_look_for)
{
    const char *text = SEND("SENTINEL HELP\r\n");

    ck_assert_ptr_nonnull(strstr(text,
                                 "\r\n+SENTINEL <subcommand> [<arg> [value] [opt] "
                                 "...]. Subcommands are:\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\n+HELP\r\n+    "));
    int n_lines = -1; /* the count itself */
    for (const char *p = text; (p = strstr(p, "\r\n")) != NULL; p += 2)
        n_lines++;
    ck_assert_int_eq(strtol(text + 1, NULL, 10), n_lines);
}
END_TEST

/* ----------------------------------------------------------- votes and changes ---- */

START_TEST(test_is_master_down_without_vote)
{
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 0 *\r\n",
           "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
    master_of("m1")->current->s_down = true;
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 99 *\r\n",
           "*3\r\n:1\r\n$1\r\n*\r\n:0\r\n");
    EXPECT("SENTINEL IS-PRIMARY-DOWN-BY-ADDR 10.0.0.1 6379 0 *\r\n",
           "*3\r\n:1\r\n$1\r\n*\r\n:0\r\n");
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 99999 0 *\r\n",
           "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR nowhere 6379 0 *\r\n",
           "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
    master_of("m1")->current->s_down = false;
}
END_TEST

START_TEST(test_is_master_down_wants_integers)
{
    static const char *const bad[] = {"x 0", "6379 x", "6379 -1", "06379 0", "6379 +1"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char request[100];
        snprintf(request, sizeof(request),
                 "SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 %s *\r\n", bad[i]);
        EXPECT(request, "-ERR value is not an integer or out of range\r\n");
    }
}
END_TEST

/* A vote is answered when it is on disk, and everything behind it follows: other votes
 * and PINGs are run at once, the rest is held back. */
START_TEST(test_vote_waits_for_the_disk)
{
    clients.is_disk_slow = true;
    EXPECT("PING\r\nSENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 5 " PEER1 "\r\n"
           "PING x\r\n"
           "SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 6 " PEER2 "\r\n",
           "+PONG\r\n");
    ck_assert(!session_is_blocked(session));
    EXPECT("PING y\r\n", "");
    EXPECT("ROLE x\r\nSENTINEL CKQUORUM nobody\r\nPING z\r\n", "");
    ck_assert(session_is_blocked(session));
    clients.n_wakes = 0;
    clients_save(&clients);
    ck_assert_uint_gt(clients.n_wakes, 0);
    ck_assert_str_eq(clients_read(&clients, session),
                     "*3\r\n:0\r\n$40\r\n" PEER1 "\r\n:5\r\n$1\r\nx\r\n"
                     "*3\r\n:0\r\n$40\r\n" PEER2 "\r\n:6\r\n$1\r\ny\r\n"
                     "-ERR wrong number of arguments for 'role' command\r\n"
                     "-ERR No such master with that name\r\n$1\r\nz\r\n");
    ck_assert(!session_is_blocked(session));
    clients.is_disk_slow = false;
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 5 " PEER1 "\r\n",
           "*3\r\n:0\r\n$40\r\n" PEER2 "\r\n:6\r\n");
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.9.9.9 6379 5 " PEER2 "\r\n",
           "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
}
END_TEST

/* Votes that are given are answered, whatever the client sends behind. */
START_TEST(test_votes_before_a_protocol_error)
{
    static const char more[] = "PING\r\n";

    clients.is_disk_slow = true;
    EXPECT("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 5 " PEER1 "\r\n"
           "SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 6 " PEER2 "\r\n"
           "*1\r\n$9999999999\r\nPING\r\n",
           "");
    ck_assert(!session_wants_close(session));
    session_feed(session, more, sizeof more - 1);
    clients_save(&clients);
    ck_assert_str_eq(clients_read(&clients, session),
                     "*3\r\n:0\r\n$40\r\n" PEER1 "\r\n:5\r\n"
                     "*3\r\n:0\r\n$40\r\n" PEER2 "\r\n:6\r\n"
                     "-ERR Protocol error: invalid bulk length\r\n");
    ck_assert(session_wants_close(session));
}
END_TEST

/* A client that left while its answer was under way does not matter. */
START_TEST(test_answer_for_a_closed_session)
{
    struct session *other = clients_open(&clients);

    clients.is_disk_slow = true;
    clients_send(&clients, other,
                 "SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 5 " PEER1 "\r\n");
    session_close(other);
    clients_save(&clients);
    EXPECT("PING\r\n", "+PONG\r\n");
}
END_TEST

START_TEST(test_reset)
{
    EXPECT("SENTINEL RESET x*\r\n", ":0\r\n");
    EXPECT("SENTINEL RESET M1\r\n", ":0\r\n");
    EXPECT("SENTINEL RESET m1\r\n", ":1\r\n");
    EXPECT("SENTINEL REPLICAS m1\r\n", "*0\r\n");
    EXPECT("SENTINEL SENTINELS m1\r\n", "*0\r\n");
    EXPECT("SENTINEL RESET *\r\n", ":2\r\n");
    EXPECT("SENTINEL RESET m[12]\r\n", ":2\r\n");
}
END_TEST

START_TEST(test_failover)
{
    EXPECT("SENTINEL FAILOVER x\r\n", NO_MASTER);
    EXPECT("SENTINEL FAILOVER m2\r\n",
           "-NOGOODSLAVE No suitable replica to promote\r\n");
    struct node *node = replica_of("m1", "10.0.0.2:6379");
    int64_t lived = core_lived(clients.core, clients.now);
    connect_link(node->link, 0);
    node->info_at = node->info_from_at = lived;
    EXPECT("SENTINEL FAILOVER m1\r\n", "+OK\r\n");
    EXPECT("SENTINEL FAILOVER m1\r\n", "-INPROG Failover already in progress\r\n");
    ck_assert_ptr_nonnull(
        strstr(SEND("SENTINEL MASTER m1\r\n"), "failover_in_progress,force_failover"));
}
END_TEST

START_TEST(test_remove)
{
    EXPECT("SENTINEL REMOVE x\r\n", NO_MASTER);
    EXPECT("SENTINEL REMOVE m1\r\n", "+OK\r\n");
    EXPECT("SENTINEL REMOVE m1\r\n", NO_MASTER);
    EXPECT("ROLE\r\n", "*2\r\n$8\r\nsentinel\r\n*1\r\n$2\r\nm2\r\n");
}
END_TEST

/* Two clients remove the same master in one turn: the second finds out from the core.
 */
START_TEST(test_changes_race)
{
    struct session *other = clients_open(&clients);

    session_feed(session, "SENTINEL REMOVE m1\r\n", 20);
    session_feed(other, "SENTINEL REMOVE m1\r\n", 20);
    clients_settle(&clients);
    ck_assert_str_eq(clients_read(&clients, session), "+OK\r\n");
    ck_assert_str_eq(clients_read(&clients, other), NO_MASTER);
}
END_TEST

START_TEST(test_forget)
{
    EXPECT("SENTINEL FORGET m1 REPLICA 10.0.0.9:6379\r\n",
           "-ERR No such replica with that address\r\n");
    EXPECT("SENTINEL FORGET m1 REPLICA 10.0.0.1:6379\r\n",
           "-ERR That is the current master, not a replica\r\n");
    EXPECT("SENTINEL FORGET m1 SENTINEL " RUN_ID "\r\n",
           "-ERR No such sentinel with that run ID\r\n");
    EXPECT("SENTINEL FORGET nobody SENTINEL " PEER1 "\r\n", NO_MASTER);
    EXPECT("SENTINEL FORGET m1 PEER " PEER1 "\r\n",
           "-ERR SENTINEL FORGET takes REPLICA or SENTINEL, not 'PEER'\r\n");
    static const char *const bad[] = {
        "10.0.0.2",   ":6379",          "10.0.0.2:", "10.0.0.2:x",
        "10.0.0.2:0", "10.0.0.2:65536", "[]:1",      ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char command[80], reply[100];
        snprintf(command, sizeof(command), "SENTINEL FORGET m1 REPLICA \"%s\"\r\n",
                 bad[i]);
        snprintf(reply, sizeof(reply),
                 "-ERR Invalid address '%s', it must be <host>:<port>\r\n", bad[i]);
        EXPECT(command, reply);
    }
    EXPECT("SENTINEL FORGET m1 REPLICA\r\n",
           "-ERR wrong number of arguments for 'sentinel|forget' command\r\n");
    /* Answered when it is saved, and not before. */
    EXPECT("SENTINEL FORGET m1 slave 10.0.0.2:6379\r\n", "+OK\r\n");
    ck_assert_uint_eq(HASH_COUNT(master_of("m1")->replicas), 1);
    clients.is_disk_bad = true;
    EXPECT("SENTINEL FORGET m1 SENTINEL " PEER1 "\r\n",
           "-ERR Failed to save config file. Check server logs.\r\n");
    ck_assert_uint_eq(HASH_COUNT(master_of("m1")->voters), 1);
    ck_assert_uint_eq(HASH_COUNT(master_of("m2")->voters), 1);
}
END_TEST

START_TEST(test_forget_ipv6)
{
    teardown();
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2\n"
                           "replica m1 ::1 6379\n"
                           "replica m1 fd00::2 6379\n");
    clients_start(&clients);
    session = clients_open(&clients);
    EXPECT("SENTINEL FORGET m1 REPLICA [::1]:6379\r\n", "+OK\r\n");
    EXPECT("SENTINEL FORGET m1 REPLICA fd00::3:6379\r\n",
           "-ERR No such replica with that address\r\n");
    EXPECT("SENTINEL FORGET m1 REPLICA fd00:0::2:6379\r\n", "+OK\r\n");
    ck_assert_uint_eq(HASH_COUNT(master_of("m1")->replicas), 0);
}
END_TEST

START_TEST(test_flushconfig)
{
    EXPECT("SENTINEL FLUSHCONFIG\r\n", "+OK\r\n");
    clients.is_disk_bad = true;
    clients.is_disk_slow = true; /* a failed save is not tried again at once */
    EXPECT("SENTINEL FLUSHCONFIG\r\n", "");
    clients_save(&clients);
    ck_assert_str_eq(clients_read(&clients, session),
                     "-ERR Failed to save config file. Check server logs.\r\n");
}
END_TEST

START_TEST(test_simulate_failure)
{
    EXPECT("SENTINEL SIMULATE-FAILURE crash-after-election CRASH-AFTER-PROMOTION\r\n",
           "+OK\r\n");
    ck_assert_uint_eq(clients.core->simulate_flags, 3);
    EXPECT("SENTINEL SIMULATE-FAILURE crash-after-promotion help foo\r\n",
           "*2\r\n$20\r\ncrash-after-election\r\n$21\r\ncrash-after-promotion\r\n");
    ck_assert_uint_eq(clients.core->simulate_flags, 2);
    EXPECT("SENTINEL SIMULATE-FAILURE crash-after-election foo\r\n",
           "-ERR Unknown failure simulation specified\r\n");
    ck_assert_uint_eq(clients.core->simulate_flags, 1);
    EXPECT("SENTINEL SIMULATE-FAILURE help\r\n",
           "*2\r\n$20\r\ncrash-after-election\r\n$21\r\ncrash-after-promotion\r\n");
    ck_assert_uint_eq(clients.core->simulate_flags, 0);
    EXPECT("SENTINEL SIMULATE-FAILURE crash-after-election\r\n", "+OK\r\n");
}
END_TEST

START_TEST(test_publish_takes_hellos_only)
{
    EXPECT("PUBLISH x y\r\n",
           "-ERR Only HELLO messages are accepted by Sentinel instances.\r\n");
    EXPECT("PUBLISH __sentinel__:hello rubbish\r\n", ":1\r\n");
    EXPECT("PUBLISH __sentinel__:hello 10.0.0.13,26379,"
           "dddddddddddddddddddddddddddddddddddddddd,0,m1,10.0.0.1,6379,0\r\n",
           ":1\r\n");
    /* Kept in mind until it has been reached, and not shown before. */
    ck_assert_uint_eq(clients.core->n_strangers, 1);
    ck_assert_ptr_null(strstr(SEND("SENTINEL SENTINELS m1\r\n"),
                              "dddddddddddddddddddddddddddddddddddddddd"));
    ck_assert_ptr_nonnull(
        strstr(SEND("INFO sentinel\r\n"), "sentinel_unverified_peers:1\r\n"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_sentinel");
    TCase *tcase = tcase_create("sentinel");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_row_of_a_fresh_master);
    tcase_add_test(tcase, test_row_of_a_master_in_failover);
    tcase_add_test(tcase, test_rows_of_replicas);
    tcase_add_test(tcase, test_rows_of_sentinels);
    tcase_add_test(tcase, test_get_master_addr);
    tcase_add_test(tcase, test_get_master_addr_during_failover);
    tcase_add_test(tcase, test_myid_and_role);
    tcase_add_test(tcase, test_ckquorum);
    tcase_add_test(tcase, test_info_cache);
    tcase_add_test(tcase, test_pending_scripts);
    tcase_add_test(tcase, test_help_has_the_header_scripts_look_for);
    tcase_add_test(tcase, test_is_master_down_without_vote);
    tcase_add_test(tcase, test_is_master_down_wants_integers);
    tcase_add_test(tcase, test_vote_waits_for_the_disk);
    tcase_add_test(tcase, test_votes_before_a_protocol_error);
    tcase_add_test(tcase, test_answer_for_a_closed_session);
    tcase_add_test(tcase, test_reset);
    tcase_add_test(tcase, test_failover);
    tcase_add_test(tcase, test_remove);
    tcase_add_test(tcase, test_changes_race);
    tcase_add_test(tcase, test_forget);
    tcase_add_test(tcase, test_forget_ipv6);
    tcase_add_test(tcase, test_flushconfig);
    tcase_add_test(tcase, test_simulate_failure);
    tcase_add_test(tcase, test_publish_takes_hellos_only);
    suite_add_tcase(suite, tcase);
    return suite;
}
