/*
 * check_resolve.c - host names in the core: who is asked, what is believed, which two
 * entries are one.
 */
#include "tests/lib/rig.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define PEER "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MYID "0123456789012345678901234567890123456789"

static struct rig rig;

static void resolved(const char *host, const char *ip)
{
    struct core_event event = {.type = CORE_EV_RESOLVED};

    event.resolved.host = host;
    event.resolved.ip = ip;
    rig_step(&rig, &event);
}

/* m at |host|, port 6379, and a peer at 127.0.0.1:5001. */
static void begin(const char *host, bool names)
{
    rig_init(&rig, 7);
    rig_set_text(&rig, NULL, CORE_OPT_MYID, MYID);
    rig_set(&rig, NULL, CORE_OPT_RESOLVE_HOSTNAMES, names);
    ck_assert_int_eq(core_load_monitor(rig.core, "m", host, 6379, 2, NULL), 0);
    rig_set(&rig, "m", CORE_OPT_DOWN_AFTER, 30000);
    core_load_sentinel(rig.core, "m", "127.0.0.1", 5001, PEER, NULL);
    rig_start(&rig);
}

static void end(void)
{
    rig_release(&rig);
}

static struct master *the_master(void)
{
    return core_master_by_name(rig.core, "m");
}

static void pong(void)
{
    rig_reply_text(&rig, 6379, "PING", RESP_STATUS, "PONG");
}

static void info(const char *text)
{
    rig_reply_text(&rig, 6379, "INFO", RESP_BULK, text);
}

static void hello(const char *ip, const char *host, int config_epoch)
{
    char text[256];
    struct core_request rq = {.type = CORE_RQ_HELLO, .client = 1, .text = text};

    rq.text_len =
        (size_t)snprintf(text, sizeof text, "%s,5001," PEER ",%d,m,%s,6379,%d", ip,
                         config_epoch, host, config_epoch);
    rig_request(&rig, &rq);
}

static int count(const char *text)
{
    int n = 0;
    for (const char *at = buf_text(&rig.log); (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

START_TEST(a_working_link_is_left_alone)
{
    begin("db", true);
    resolved("db", "127.0.0.1");
    pong();
    rig_forget(&rig);
    resolved("db", "127.0.0.2"); /* nobody asked for this one */
    ck_assert(!rig_sent(&rig, "open"));
    ck_assert_str_eq(the_master()->current->addr.ip, "127.0.0.1");
    /* An unanswered PING, and it is looked for: there is the new place. */
    rig_run(&rig, 2500);
    ck_assert(rig_sent(&rig, "resolve db"));
    resolved("db", "127.0.0.2");
    ck_assert(rig_sent(&rig, "open 127.0.0.2 6379"));
    end();
}
END_TEST

START_TEST(a_known_address_is_not_kept_waiting)
{
    begin("db", true);
    resolved("db", "127.0.0.1");
    pong();
    rig_forget(&rig);
    struct core_event down = {.type = CORE_EV_LINK_DOWN};
    down.down.link = rig_link(&rig, 6379)->id;
    down.down.reason = "gone";
    rig_step(&rig, &down);
    rig_run(&rig, 60);
    ck_assert(rig_sent(&rig, "resolve db"));
    ck_assert(!rig_sent(&rig, "open"));
    rig_run(&rig, 100); /* no answer so far */
    ck_assert(rig_sent(&rig, "open 127.0.0.1 6379"));
    /* It came up at the old place; what the name means now is still wanted. */
    pong();
    rig_forget(&rig);
    resolved("db", "127.0.0.3");
    ck_assert(rig_sent(&rig, "open 127.0.0.3 6379"));
    end();
}
END_TEST

START_TEST(failures_are_told_once)
{
    begin("db", true);
    for (int i = 0; i < 5; i++) {
        resolved("db", NULL);
        rig_run(&rig, 2000);
    }
    ck_assert_int_eq(count("Failed to resolve hostname 'db'"), 1);
    resolved("db", "127.0.0.1");
    ck_assert_int_eq(count("Hostname 'db' resolves again: 127.0.0.1"), 1);
    end();
}
END_TEST

START_TEST(an_unknown_name_in_info_waits)
{
    static const char *const text = "role:master\r\n"
                                    "slave0:ip=one,port=6380,state=online,offset=1\r\n"
                                    "slave1:ip=two,port=6380,state=online,offset=1\r\n";

    begin("127.0.0.1", true);
    pong();
    info(text);
    ck_assert_int_eq(HASH_COUNT(the_master()->replicas), 0);
    resolved("one", "127.0.0.9");
    resolved("two", "127.0.0.9"); /* another name for the same */
    info(text);
    ck_assert_int_eq(HASH_COUNT(the_master()->replicas), 1);
    ck_assert_int_eq(count("+slave"), 1);
    end();
}
END_TEST

START_TEST(entries_for_one_place_are_merged)
{
    begin("127.0.0.1", true);
    pong();
    info("role:master\r\nslave0:ip=127.0.0.9,port=6380,state=online,offset=1\r\n");
    ck_assert_int_eq(HASH_COUNT(the_master()->replicas), 1);
    rig_run(&rig, 10000);
    pong();
    info("role:master\r\nslave0:ip=one,port=6380,state=online,offset=1\r\n");
    resolved("one", "127.0.0.9"); /* INFO is asked for again */
    info("role:master\r\nslave0:ip=one,port=6380,state=online,offset=1\r\n");
    ck_assert_int_eq(HASH_COUNT(the_master()->replicas), 1);
    ck_assert_str_eq(the_master()->replicas->addr.host, "one");
    ck_assert_str_eq(the_master()->replicas->addr.ip, "127.0.0.9");
    end();
}
END_TEST

START_TEST(a_master_by_a_name_nobody_knows_is_not_adopted)
{
    begin("127.0.0.1", true);
    hello("127.0.0.1", "other", 5);
    ck_assert(rig_sent(&rig, "resolve other"));
    ck_assert_str_eq(the_master()->current->addr.ip, "127.0.0.1");
    resolved("other", NULL);
    ck_assert(!rig_saw(&rig, "+switch-master"));
    ck_assert_uint_eq(the_master()->config_epoch, 0);
    rig_run(&rig, 4000);
    hello("127.0.0.1", "other", 5);
    resolved("other", "127.0.0.8");
    ck_assert(rig_saw(&rig, "+switch-master m 127.0.0.1 6379 other 6379"));
    end();
}
END_TEST

START_TEST(a_peer_is_asked_in_its_own_form)
{
    struct core_setting on = {.option = CORE_OPT_ANNOUNCE_HOSTNAMES, .number = 1};
    struct core_request rq = {
        .type = CORE_RQ_CONFIG, .client = 1, .settings = &on, .n_settings = 1};

    begin("db", true);
    rig_request(&rig, &rq);
    resolved("db", "127.0.0.1");
    hello("127.0.0.1", "127.0.0.1", 0);
    rig_run(&rig, 31100);
    rig_introduce(&rig, 5001, PEER);
    ck_assert(rig_sent(&rig, "5001 SENTINEL is-master-down-by-addr 127.0.0.1 6379"));
    ck_assert(!rig_sent(&rig, "is-master-down-by-addr db"));
    end();
}
END_TEST

START_TEST(a_peers_name_for_the_master_is_understood)
{
    begin("127.0.0.1", false);
    ck_assert_ptr_null(core_master_at(rig.core, "db", 6379));
    hello("127.0.0.1", "db", 0);
    ck_assert_ptr_eq(core_master_at(rig.core, "DB", 6379), the_master());
    ck_assert_ptr_null(core_master_at(rig.core, "db", 6380));
    ck_assert(!rig_sent(&rig, "resolve"));
    /* It was a name of that master; the next one may be somebody else. */
    hello("127.0.0.1", "127.0.0.7", 3);
    ck_assert_str_eq(the_master()->current->addr.ip, "127.0.0.7");
    ck_assert_ptr_null(core_master_at(rig.core, "db", 6379));
    end();
}
END_TEST

START_TEST(names_stay_on_while_needed)
{
    struct core_setting off = {.option = CORE_OPT_RESOLVE_HOSTNAMES, .number = 0};
    struct core_request rq = {
        .type = CORE_RQ_CONFIG, .client = 1, .settings = &off, .n_settings = 1};

    begin("db", true);
    rig_request(&rig, &rq);
    ck_assert_ptr_nonnull(strstr(rig.answer_text, "'db' has no address yet"));
    resolved("db", "127.0.0.1");
    rig_request(&rig, &rq);
    rig_saved(&rig, true);
    ck_assert_int_eq(rig.answer.answer.kind, CORE_ANSWER_OK);
    end();
}
END_TEST

START_TEST(strangers_cause_few_look_ups)
{
    char name[32];
    struct core_request rq = {.type = CORE_RQ_ASKED, .host = name, .port = 6379};

    begin("127.0.0.1", true);
    rig_forget(&rig);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        rig_request(&rig, &rq);
    }
    int n = 0;
    for (const char *at = buf_text(&rig.sent); (at = strstr(at, "resolve")) != NULL;
         at++)
        n++;
    ck_assert_int_eq(n, 64);
    ck_assert_uint_le(HASH_COUNT(rig.core->hostnames), 4096);
    end();
}
END_TEST

START_TEST(loopback_of_others_is_not_taken)
{
    begin("10.0.0.5", false); /* our end is 127.0.0.1: another machine */
    pong();
    info("role:master\r\nslave0:ip=127.0.0.1,port=6380,state=online,offset=1\r\n"
         "slave1:ip=0.0.0.0,port=6381,state=online,offset=1\r\n"
         "slave2:ip=10.0.0.6,port=6379,state=online,offset=1\r\n");
    ck_assert_int_eq(HASH_COUNT(the_master()->replicas), 1);
    ck_assert_int_eq(count("Ignored the address 127.0.0.1:6380 of a replica"), 1);
    ck_assert_int_eq(count("Ignored the address 0.0.0.0:6381 of a replica"), 1);
    end();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("resolve");
    TCase *tc = tcase_create("resolve");
    tcase_add_test(tc, a_working_link_is_left_alone);
    tcase_add_test(tc, a_known_address_is_not_kept_waiting);
    tcase_add_test(tc, failures_are_told_once);
    tcase_add_test(tc, an_unknown_name_in_info_waits);
    tcase_add_test(tc, entries_for_one_place_are_merged);
    tcase_add_test(tc, a_master_by_a_name_nobody_knows_is_not_adopted);
    tcase_add_test(tc, a_peer_is_asked_in_its_own_form);
    tcase_add_test(tc, a_peers_name_for_the_master_is_understood);
    tcase_add_test(tc, names_stay_on_while_needed);
    tcase_add_test(tc, strangers_cause_few_look_ups);
    tcase_add_test(tc, loopback_of_others_is_not_taken);
    suite_add_tcase(suite, tc);
    return suite;
}
