/*
 * check_server_set.c - SENTINEL MONITOR, SET, CONFIG and DEBUG: what is accepted, what
 * is said about the rest, and what stays applied when something is wrong (interface.md
 * 3.11, 3.15, 3.16, 3.19).
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include "common/log.h"

#include <string.h>

#define NO_MASTER "-ERR No such master with that name\r\n"
#define BAD_OPTION(o)                                                                  \
    "-ERR Unknown option or number of arguments for SENTINEL SET '" o "'\r\n"
#define BAD_VALUE(v, o) "-ERR Invalid argument '" v "' for SENTINEL SET '" o "'\r\n"
#define DENIED                                                                         \
    "-ERR Reconfiguration of scripts path is denied for security reasons. Check the "  \
    "deny-scripts-reconfig configuration directive in your Sentinel configuration\r\n"

static struct clients clients;
static struct session *session;
static struct master *m1;

static void setup(void)
{
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2");
    clients_start(&clients);
    session = clients_open(&clients);
    m1 = core_master_by_name(clients.core, "m1");
}

static void teardown(void)
{
    clients_release(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)
#define SET(rest, reply) EXPECT("SENTINEL SET m1 " rest "\r\n", reply)

/* ------------------------------------------------------------------------- SET ---- */

START_TEST(test_set_every_option)
{
    SET("down-after-milliseconds 1", "+OK\r\n");
    SET("Failover-Timeout 2 PARALLEL-SYNCS 3 quorum 4", "+OK\r\n");
    SET("auth-pass \"p w\" auth-user u", "+OK\r\n");
    SET("master-reboot-down-after-period 0", "+OK\r\n");
    SET("primary-reboot-down-after-period 7", "+OK\r\n");
    SET("forget-replica-after 3600000", "+OK\r\n");
    SET("tls YES", "+OK\r\n");
    ck_assert_int_eq(m1->tls, 1);
    SET("tls maybe", "-ERR Invalid argument 'maybe' for SENTINEL SET 'tls'\r\n");
    SET("tls no", "+OK\r\n");
    ck_assert_int_eq(m1->tls, 0);
    SET("rename-command config guarded", "+OK\r\n");
    ck_assert_int_eq(m1->down_after_ms, 1);
    ck_assert_int_eq(m1->failover_timeout_ms, 2);
    ck_assert_int_eq(m1->parallel_syncs, 3);
    ck_assert_int_eq(m1->quorum, 4);
    ck_assert_int_eq(m1->reboot_down_after_ms, 7);
    ck_assert_int_eq(m1->forget_replica_ms, 3600000);
    ck_assert_str_eq(m1->auth_pass, "p w");
    ck_assert_str_eq(m1->auth_user, "u");
    ck_assert_str_eq(m1->renames->from, "config");
    ck_assert_str_eq(m1->renames->to, "guarded");
    SET("auth-pass '' auth-user '' rename-command config CONFIG", "+OK\r\n");
    ck_assert_ptr_null(m1->auth_pass);
    ck_assert_ptr_null(m1->auth_user);
    ck_assert_ptr_null(m1->renames);
}
END_TEST

START_TEST(test_set_refuses)
{
    EXPECT("SENTINEL SET m9 foo\r\n",
           "-ERR wrong number of arguments for 'sentinel|set' command\r\n");
    EXPECT("SENTINEL SET m9 foo bar\r\n", NO_MASTER);
    SET("foo bar", BAD_OPTION("foo"));
    SET("config-epoch 1", BAD_OPTION("config-epoch"));
    SET("quorum 2 foo", BAD_OPTION("foo"));
    SET("quorum 2 Quorum", BAD_OPTION("Quorum"));
    SET("rename-command a", BAD_OPTION("rename-command"));
    SET("rename-command '' b", BAD_VALUE("", "rename-command"));
    SET("rename-command a ''", BAD_VALUE("", "rename-command"));
    SET("quorum 0", BAD_VALUE("0", "quorum"));
    SET("quorum abc", BAD_VALUE("abc", "quorum"));
    SET("QUORUM 01", BAD_VALUE("01", "QUORUM"));
    SET("quorum 2147483647", "+OK\r\n");
    SET("quorum 2147483648", BAD_VALUE("2147483648", "quorum"));
    SET("parallel-syncs 5000000000", BAD_VALUE("5000000000", "parallel-syncs"));
    SET("down-after-milliseconds 0", BAD_VALUE("0", "down-after-milliseconds"));
    SET("failover-timeout -1", BAD_VALUE("-1", "failover-timeout"));
    SET("down-after-milliseconds 9223372036854775807",
        BAD_VALUE("9223372036854775807", "down-after-milliseconds"));
    SET("master-reboot-down-after-period -1",
        BAD_VALUE("-1", "master-reboot-down-after-period"));
}
END_TEST

/* What stands before the mistake is applied and saved; only the error is said. */
START_TEST(test_set_keeps_what_came_before_the_mistake)
{
    struct session *watcher = clients_open(&clients);

    clients_send(&clients, watcher, "SUBSCRIBE +set\r\n");
    SET("quorum 7 PARALLEL-SYNCS 3 foo bar", BAD_OPTION("foo"));
    ck_assert_int_eq(m1->quorum, 7);
    ck_assert_int_eq(m1->parallel_syncs, 3);
    ck_assert_str_eq(
        clients_read(&clients, watcher),
        "*3\r\n$7\r\nmessage\r\n$4\r\n+set\r\n$32\r\nmaster m1 10.0.0.1 6379 quorum 7"
        "\r\n"
        "*3\r\n$7\r\nmessage\r\n$4\r\n+set\r\n$40\r\nmaster m1 10.0.0.1 6379 "
        "PARALLEL-SYNCS 3\r\n");
}
END_TEST

START_TEST(test_set_says_when_saving_failed)
{
    clients.is_disk_bad = true;
    clients.is_disk_slow = true;
    SET("quorum 7", "");
    clients_save(&clients);
    ck_assert_str_eq(clients_read(&clients, session),
                     "-ERR Failed to save config file. Check server logs.\r\n");
    ck_assert_int_eq(m1->quorum, 7);
}
END_TEST

START_TEST(test_set_scripts)
{
    struct core_setting allow = {.option = CORE_OPT_DENY_SCRIPTS, .number = 0};
    struct error err;

    SET("notification-script /bin/good", DENIED);
    SET("client-reconfig-script ''", DENIED);
    teardown();
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2");
    ck_assert_int_eq(core_load_setting(clients.core, NULL, &allow, &err), 0);
    clients_start(&clients);
    session = clients_open(&clients);
    m1 = core_master_by_name(clients.core, "m1");
    SET("notification-script /bin/good client-reconfig-script /bin/good", "+OK\r\n");
    ck_assert_str_eq(m1->notification_script, "/bin/good");
    ck_assert_str_eq(m1->reconfig_script, "/bin/good");
    SET("notification-script /bin/bad",
        "-ERR Notification script seems non existing or non executable\r\n");
    SET("client-reconfig-script /bin/bad",
        "-ERR Client reconfiguration script seems non existing or non executable\r\n");
    SET("notification-script '' client-reconfig-script ''", "+OK\r\n");
    ck_assert_ptr_null(m1->notification_script);
    ck_assert_ptr_null(m1->reconfig_script);
}
END_TEST

/* The reply first, then the messages the command caused (interface.md 1.4). */
START_TEST(test_set_by_a_subscriber)
{
    SEND("HELLO 3\r\nSUBSCRIBE +set\r\nPSUBSCRIBE +se*\r\n");
    EXPECT("SENTINEL SET m1 quorum 2\r\nPING\r\n",
           "+OK\r\n"
           ">3\r\n$7\r\nmessage\r\n$4\r\n+set\r\n"
           "$32\r\nmaster m1 10.0.0.1 6379 quorum 2\r\n"
           ">4\r\n$8\r\npmessage\r\n$4\r\n+se*\r\n$4\r\n+set\r\n"
           "$32\r\nmaster m1 10.0.0.1 6379 quorum 2\r\n"
           "+PONG\r\n");
}
END_TEST

/* --------------------------------------------------------------------- MONITOR ---- */

#define MONITOR(rest, reply) EXPECT("SENTINEL MONITOR " rest "\r\n", reply)

START_TEST(test_monitor_checks_in_order)
{
    MONITOR("m1 x y z", "-ERR Invalid quorum\r\n");
    MONITOR("m1 x y 0", "-ERR Invalid port\r\n");
    MONITOR("m1 x 99999 0", "-ERR Quorum must be 1 or greater.\r\n");
    MONITOR("m1 x 99999 1", "-ERR Invalid IP address or hostname specified\r\n");
    MONITOR("m1 localhost 1 1", "-ERR Invalid IP address or hostname specified\r\n");
    MONITOR("m1 10.0.0.9 99999 1", "-ERR Invalid port number.\r\n");
    MONITOR("m1 10.0.0.9 -1 1", "-ERR Invalid port number.\r\n");
    MONITOR("m1 10.0.0.9 1 1", "-ERR Duplicate master name.\r\n");
    MONITOR("m2 10.0.0.9 1 2147483648", "-ERR Invalid quorum\r\n");
    EXPECT("ROLE\r\n", "*2\r\n$8\r\nsentinel\r\n*1\r\n$2\r\nm1\r\n");
}
END_TEST

START_TEST(test_monitor_refuses_names_that_would_break_things)
{
    static const char *const names[] = {"''",       "'a b'",      "a,b",      "a=b",
                                        "\"a\\n\"", "\"a\\x00\"", "\"\\x7f\""};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf request = {0};
        buf_printf(&request, "SENTINEL MONITOR %s 10.0.0.9 1 1\r\n", names[i]);
        ck_assert_ptr_nonnull(strstr(SEND(request.data), "-ERR Invalid argument: "));
        buf_release(&request);
    }
    MONITOR("A-b_c.9 10.0.0.9 1 1", "+OK\r\n");
}
END_TEST

START_TEST(test_monitor)
{
    struct session *watcher = clients_open(&clients);

    clients_send(&clients, watcher, "SUBSCRIBE +monitor\r\n");
    MONITOR("m2 10.0.0.9 6380 3", "+OK\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m2\r\n",
           "*2\r\n$8\r\n10.0.0.9\r\n$4\r\n6380\r\n");
    ck_assert_str_eq(clients_read(&clients, watcher),
                     "*3\r\n$7\r\nmessage\r\n$8\r\n+monitor\r\n"
                     "$32\r\nmaster m2 10.0.0.9 6380 quorum 3\r\n");
    MONITOR("m3 1.2.3 0 1", "+OK\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m3\r\n",
           "*2\r\n$7\r\n1.2.0.3\r\n$1\r\n0\r\n");
    MONITOR("m4 ::1 1 1", "+OK\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m4\r\n", "*2\r\n$3\r\n::1\r\n$1\r\n1\r\n");
}
END_TEST

START_TEST(test_monitor_host_names)
{
    EXPECT("SENTINEL CONFIG SET resolve-hostnames yes\r\n", "+OK\r\n");
    MONITOR("m5 'a b' 1 1", "-ERR Invalid IP address or hostname specified\r\n");
    MONITOR("m5 '' 1 1", "-ERR Invalid IP address or hostname specified\r\n");
    /* Answered when the name has been looked up. */
    MONITOR("m5 redis.example 1 1", "");
    clients_resolve(&clients, "redis.example", NULL);
    ck_assert_str_eq(clients_read(&clients, session),
                     "-ERR Invalid IP address or hostname specified\r\n");
    MONITOR("m5 other.example 1 1", "");
    clients_resolve(&clients, "other.example", "10.0.0.5");
    ck_assert_str_eq(clients_read(&clients, session), "+OK\r\n");
    EXPECT("SENTINEL GET-MASTER-ADDR-BY-NAME m5\r\n",
           "*2\r\n$8\r\n10.0.0.5\r\n$1\r\n1\r\n");
}
END_TEST

/* ---------------------------------------------------------------------- CONFIG ---- */

#define CONFIG_USAGE                                                                   \
    "-ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / SET <param> "       \
    "<value> [<param> <value> ...] are supported.\r\n"

START_TEST(test_config_get)
{
    EXPECT("SENTINEL CONFIG GET [ahj-s]* tls-v*\r\n",
           "*16\r\n$17\r\nresolve-hostnames\r\n$2\r\nno\r\n$18\r\nannounce-hostnames"
           "\r\n$2\r\nno\r\n$11\r\nannounce-ip\r\n$0\r\n\r\n$13\r\nannounce-port\r\n"
           "$1\r\n0\r\n$13\r\nsentinel-user\r\n$0\r\n\r\n$13\r\nsentinel-pass\r\n$0\r\n"
           "\r\n$8\r\nloglevel\r\n$6\r\nnotice\r\n$19\r\ntls-verify-hostname"
           "\r\n$2\r\nno\r\n");
    EXPECT("SENTINEL CONFIG GET ANNOUNCE-port announce-* x\r\n",
           "*6\r\n$13\r\nannounce-port\r\n$1\r\n0\r\n$18\r\nannounce-hostnames\r\n$2"
           "\r\nno\r\n$11\r\nannounce-ip\r\n$0\r\n\r\n");
    EXPECT("SENTINEL CONFIG GET x\r\n", "*0\r\n");
    SEND("HELLO 3\r\n");
    EXPECT("SENTINEL CONFIG GET x\r\n", "%0\r\n");
    EXPECT("SENTINEL CONFIG GET loglevel\r\n",
           "%1\r\n$8\r\nloglevel\r\n$6\r\nnotice\r\n");
}
END_TEST

START_TEST(test_config_set)
{
    EXPECT("SENTINEL CONFIG SET announce-ip 1.2.3.4 ANNOUNCE-PORT 1234 sentinel-user u "
           "sentinel-pass 'p w' resolve-hostnames YES announce-hostnames no loglevel "
           "Warning\r\n",
           "+OK\r\n");
    ck_assert_int_eq(log_get_level(), LOG_LVL_WARNING);
    EXPECT("SENTINEL CONFIG GET [ahj-s]* tls-v*\r\n",
           "*16\r\n$17\r\nresolve-hostnames\r\n$3\r\nyes\r\n$18\r\nannounce-hostnames"
           "\r\n$2\r\nno\r\n$11\r\nannounce-ip\r\n$7\r\n1.2.3.4\r\n$13\r\nannounce-port"
           "\r\n$4\r\n1234\r\n$13\r\nsentinel-user\r\n$1\r\nu\r\n$13\r\nsentinel-pass"
           "\r\n$3\r\np w\r\n$8\r\nloglevel\r\n$7\r\nwarning\r\n"
           "$19\r\ntls-verify-hostname\r\n$2\r\nno\r\n");
    EXPECT("SENTINEL CONFIG SET announce-ip '' announce-port 0 sentinel-user '' "
           "sentinel-pass ''\r\n",
           "+OK\r\n");
    EXPECT("SENTINEL CONFIG GET announce-ip announce-port sentinel-*\r\n",
           "*8\r\n$11\r\nannounce-ip\r\n$0\r\n\r\n$13\r\nannounce-port\r\n$1\r\n0\r\n"
           "$13\r\nsentinel-user\r\n$0\r\n\r\n$13\r\nsentinel-pass\r\n$0\r\n\r\n");
    EXPECT("SENTINEL CONFIG SET loglevel notice\r\n", "+OK\r\n");
    ck_assert_int_eq(log_get_level(), LOG_LVL_NOTICE);
}
END_TEST

START_TEST(test_config_tls)
{
    EXPECT("SENTINEL CONFIG GET TLS-session-*\r\n",
           "*6\r\n$19\r\ntls-session-caching\r\n$0\r\n\r\n$22\r\n"
           "tls-session-cache-size\r\n$0\r\n\r\n$25\r\ntls-session-cache-timeout\r\n"
           "$0\r\n\r\n");
    EXPECT("SENTINEL CONFIG SET tls-cert-file c tls-auth-clients maybe\r\n",
           "-ERR Invalid value 'maybe' to SENTINEL CONFIG SET 'tls-auth-clients'\r\n");
    EXPECT(
        "SENTINEL CONFIG SET tls-session-cache-size -1\r\n",
        "-ERR Invalid value '-1' to SENTINEL CONFIG SET 'tls-session-cache-size'\r\n");
    EXPECT("SENTINEL CONFIG SET tls-cert-file c TLS-cert-file d\r\n",
           "-ERR Duplicate argument 'TLS-cert-file' to SENTINEL CONFIG SET\r\n");
    EXPECT("SENTINEL CONFIG SET tls-cert-file c tls-key-file\r\n",
           "-ERR Missing argument 'tls-key-file' value\r\n");
    EXPECT("SENTINEL CONFIG SET announce-port 5 tls-key-file k\r\n",
           "-ERR 'announce-port' cannot be set together with tls-* parameters\r\n");
    EXPECT("SENTINEL CONFIG SET tls-cert-file c\r\n", "-ERR There is no TLS here\r\n");
    EXPECT("SENTINEL CONFIG SET tls-port 5\r\n",
           "-ERR Invalid argument 'tls-port' to SENTINEL CONFIG SET\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
}
END_TEST

/* One bad pair, and none is applied. */
START_TEST(test_config_set_refuses)
{
    EXPECT("SENTINEL CONFIG SET announce-port 5 a b\r\n",
           "-ERR Invalid argument 'a' to SENTINEL CONFIG SET\r\n");
    EXPECT("SENTINEL CONFIG SET announce-port 5 Announce-Port 6\r\n",
           "-ERR Duplicate argument 'Announce-Port' to SENTINEL CONFIG SET\r\n");
    EXPECT("SENTINEL CONFIG SET announce-port 5 announce-ip\r\n",
           "-ERR Missing argument 'announce-ip' value\r\n");
    EXPECT("SENTINEL CONFIG SET loglevel debug announce-port abc\r\n",
           "-ERR Invalid value 'abc' to SENTINEL CONFIG SET 'announce-port'\r\n");
    EXPECT("SENTINEL CONFIG SET announce-port 65536\r\n",
           "-ERR Invalid value '65536' to SENTINEL CONFIG SET 'announce-port'\r\n");
    EXPECT("SENTINEL CONFIG SET resolve-hostnames 1\r\n",
           "-ERR Invalid value '1' to SENTINEL CONFIG SET 'resolve-hostnames'\r\n");
    EXPECT("SENTINEL CONFIG SET loglevel loud\r\n",
           "-ERR Invalid value 'loud' to SENTINEL CONFIG SET 'loglevel'\r\n");
    EXPECT("SENTINEL CONFIG SET loglevel warning gossip-auth require\r\n",
           "-ERR gossip-auth require needs a gossip-secret\r\n");
    EXPECT("SENTINEL CONFIG GET announce-port loglevel\r\n",
           "*4\r\n$13\r\nannounce-port\r\n$1\r\n0\r\n$8\r\nloglevel\r\n$6\r\nnotice"
           "\r\n");
    EXPECT("SENTINEL CONFIG SET a\r\n", CONFIG_USAGE);
    EXPECT("SENTINEL CONFIG foo a b\r\n", CONFIG_USAGE);
    EXPECT("SENTINEL CONFIG GET\r\n",
           "-ERR wrong number of arguments for 'sentinel|config' command\r\n");
}
END_TEST

/* ----------------------------------------------------------------------- DEBUG ---- */

START_TEST(test_debug_shows_the_periods)
{
#define PERIODS                                                                        \
    "$11\r\nINFO-PERIOD\r\n$5\r\n10000\r\n$11\r\nPING-PERIOD\r\n$4\r\n1000\r\n"        \
    "$10\r\nASK-PERIOD\r\n$4\r\n1000\r\n$14\r\nPUBLISH-PERIOD\r\n$4\r\n2000\r\n"       \
    "$18\r\nDEFAULT-DOWN-AFTER\r\n$5\r\n30000\r\n$24\r\nDEFAULT-FAILOVER-TIMEOUT\r\n"  \
    "$6\r\n180000\r\n$12\r\nTILT-TRIGGER\r\n$4\r\n2000\r\n$11\r\nTILT-PERIOD\r\n"      \
    "$5\r\n30000\r\n$20\r\nSLAVE-RECONF-TIMEOUT\r\n$5\r\n10000\r\n"                    \
    "$25\r\nMIN-LINK-RECONNECT-PERIOD\r\n$5\r\n15000\r\n$16\r\nELECTION-TIMEOUT\r\n"   \
    "$5\r\n10000\r\n$18\r\nSCRIPT-MAX-RUNTIME\r\n$5\r\n60000\r\n"                      \
    "$18\r\nSCRIPT-RETRY-DELAY\r\n$5\r\n30000\r\n"
    EXPECT("SENTINEL DEBUG\r\n", "*26\r\n" PERIODS);
    SEND("HELLO 3\r\n");
    EXPECT("SENTINEL DEBUG\r\n", "%13\r\n" PERIODS);
}
END_TEST

START_TEST(test_debug_sets_up_to_the_mistake)
{
    EXPECT("SENTINEL DEBUG info-period 5000 PING-period 500\r\n", "+OK\r\n");
    ck_assert_int_eq(clients.core->numbers[CORE_OPT_INFO_PERIOD], 5000);
    ck_assert_int_eq(clients.core->numbers[CORE_OPT_PING_PERIOD], 500);
    EXPECT("SENTINEL DEBUG ask-period 700 foo 1\r\n",
           "-ERR Unknown option or number of arguments for SENTINEL DEBUG 'foo'\r\n");
    ck_assert_int_eq(clients.core->numbers[CORE_OPT_ASK_PERIOD], 700);
    EXPECT("SENTINEL DEBUG info-period\r\n",
           "-ERR Unknown option or number of arguments for SENTINEL DEBUG "
           "'info-period'\r\n");
    EXPECT("SENTINEL DEBUG info-period 0\r\n",
           "-ERR Invalid argument '0' for SENTINEL DEBUG 'info-period'\r\n");
    ck_assert_int_eq(clients.core->numbers[CORE_OPT_INFO_PERIOD], 5000);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_set");
    TCase *tcase = tcase_create("set");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_set_every_option);
    tcase_add_test(tcase, test_set_refuses);
    tcase_add_test(tcase, test_set_keeps_what_came_before_the_mistake);
    tcase_add_test(tcase, test_set_says_when_saving_failed);
    tcase_add_test(tcase, test_set_scripts);
    tcase_add_test(tcase, test_set_by_a_subscriber);
    tcase_add_test(tcase, test_monitor_checks_in_order);
    tcase_add_test(tcase, test_monitor_refuses_names_that_would_break_things);
    tcase_add_test(tcase, test_monitor);
    tcase_add_test(tcase, test_monitor_host_names);
    tcase_add_test(tcase, test_config_get);
    tcase_add_test(tcase, test_config_set);
    tcase_add_test(tcase, test_config_tls);
    tcase_add_test(tcase, test_config_set_refuses);
    tcase_add_test(tcase, test_debug_shows_the_periods);
    tcase_add_test(tcase, test_debug_sets_up_to_the_mistake);
    suite_add_tcase(suite, tcase);
    return suite;
}
