/*
 * check_peer.c - who counts as a voter: strangers, and whom RESET made us forget.
 */
#include "tests/lib/rig.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define PEER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct rig rig;

/* A master on 6379, with sentinels on 5001 and 5002 if |has_peers|. */
static void begin(bool has_peers)
{
    rig_init(&rig, 7);
    ck_assert_int_eq(core_load_monitor(rig.core, "m", "127.0.0.1", 6379, 2, NULL), 0);
    if (has_peers) {
        core_load_sentinel(rig.core, "m", "127.0.0.1", 5001, PEER_A, NULL);
        core_load_sentinel(rig.core, "m", "127.0.0.1", 5002, PEER_B, NULL);
    }
    rig_start(&rig);
}

/* A stranger is no voter until it has said who it is. */
START_TEST(test_strangers_do_not_count)
{
    char hello[200];

    begin(false);
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",7,m,127.0.0.1,6380,7");
    ck_assert(!rig_sent(&rig, "5001 PUBLISH"));
    ck_assert_uint_eq(core_master_by_name(rig.core, "m")->config_epoch, 0);
    rig_reply_text(&rig, 5001, "myid", RESP_BULK, PEER_B);
    ck_assert_uint_eq(rig.core->n_strangers, 0);
    ck_assert_uint_eq(rig.core->n_contradicted, 1);
    /* A data server answers PING, too. */
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",7,m,127.0.0.1,6380,7");
    rig_reply_text(&rig, 5001, "PING", RESP_STATUS, "PONG");
    rig_reply_text(&rig, 5001, "myid", RESP_ERROR,
                   "ERR unknown command 'SENTINEL', with args beginning with: 'myid'");
    ck_assert_uint_eq(rig.core->n_strangers, 0);
    /* Or it says nothing of use. */
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",7,m,127.0.0.1,6380,7");
    rig_reply_text(&rig, 5001, "PING", RESP_ERROR, "LOADING the dataset");
    rig_reply_text(&rig, 5001, "myid", RESP_ERROR, "LOADING the dataset");
    ck_assert_uint_eq(rig.core->n_strangers, 1);
    ck_assert_uint_eq(master_known_voters(core_master_by_name(rig.core, "m")), 1);
    rig_lose_link(&rig, 5001, "Connection reset by peer");
    rig_run(&rig, 100);
    /* One that will not tell is taken at its word, when it answers PING. */
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",7,m,127.0.0.1,6379,0");
    rig_reply_text(&rig, 5001, "PING", RESP_STATUS, "PONG");
    rig_reply_text(&rig, 5001, "myid", RESP_ERROR,
                   "NOPERM this user has no permissions");
    ck_assert(rig_saw(&rig, "+sentinel sentinel " PEER_A));
    ck_assert_uint_eq(rig.core->current_epoch, 7); /* its hello was kept */
    /* However many are invented, there is room for a few only. */
    for (int i = 0; i < 1000; i++) {
        snprintf(hello, sizeof(hello), "127.0.0.1,%d,%040d,7,m,127.0.0.1,6379,0",
                 10000 + i, i);
        rig_say_hello(&rig, hello);
    }
    ck_assert_uint_eq(rig.core->n_strangers, 64);
    ck_assert_uint_eq(master_known_voters(core_master_by_name(rig.core, "m")), 2);
    core_check(rig.core);
    rig_run(&rig, 400000);
    ck_assert_uint_eq(rig.core->n_strangers, 0);
    rig_release(&rig);
}
END_TEST

/* RESET forgets whom we count, not who is real. */
START_TEST(test_reset_remembers_who_is_real)
{
    struct core_request rq = {
        .type = CORE_RQ_RESET, .client = 1, .text = "*", .text_len = 1};

    begin(true);
    rig_request(&rig, &rq);
    ck_assert_uint_eq(master_known_voters(core_master_by_name(rig.core, "m")), 1);
    struct core_request vote = {.type = CORE_RQ_VOTE,
                                .client = 1,
                                .host = "127.0.0.1",
                                .port = 6379,
                                .epoch = 5,
                                .text = PEER_A};
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, PEER_A);
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",0,m,127.0.0.1,6379,0");
    ck_assert(rig_saw(&rig, "+sentinel sentinel " PEER_A));
    ck_assert_uint_eq(master_known_voters(core_master_by_name(rig.core, "m")), 2);
    rig_release(&rig);
}
END_TEST

/* Of two sentinels that start together neither waits for the other's next hello. */
START_TEST(test_a_new_peer_is_greeted)
{
    rig_init(&rig, 7);
    core_load_monitor(rig.core, "m", "127.0.0.1", 6379, 2, NULL);
    core_load_monitor(rig.core, "n", "127.0.0.1", 6380, 2, NULL);
    rig_start(&rig);
    /* What is said before we listen may be lost on both sides: it is said again. */
    rig_forget(&rig);
    rig_reply_text(&rig, 6379, "SUBSCRIBE", RESP_BULK, "subscribe");
    ck_assert(rig_sent(&rig, "6379 PUBLISH"));
    /* The one that we hear may not have heard us. */
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",0,m,127.0.0.1,6379,0");
    rig_introduce(&rig, 5001, PEER_A);
    ck_assert(rig_sent(&rig, "5001 PUBLISH"));
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",0,n,127.0.0.1,6380,0");
    ck_assert(rig_sent(&rig, "5001 PUBLISH"));
    ck_assert(rig_sent(&rig, ",n,127.0.0.1,6380,0"));
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",0,n,127.0.0.1,6380,0");
    ck_assert(!rig_sent(&rig, "5001 PUBLISH"));
    rig_release(&rig);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("peer");
    TCase *tcase = tcase_create("peer");

    tcase_add_test(tcase, test_strangers_do_not_count);
    tcase_add_test(tcase, test_reset_remembers_who_is_real);
    tcase_add_test(tcase, test_a_new_peer_is_greeted);
    suite_add_tcase(suite, tcase);
    return suite;
}
