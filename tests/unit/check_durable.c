/*
 * check_durable.c - when the state is saved: what nothing waits for is put off a
 * little, what somebody waits for is not.
 */
#include "sentinel/core/core.h"
#include "tests/lib/rig.h"
#include "tests/lib/runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MYID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PAUSE_MS 100 /* that a few masters are worth */

static struct rig rig;
static uint64_t epoch;

/* One master, one other sentinel, everything saved long ago. */
static void begin(void)
{
    rig_init(&rig, 7);
    rig_set_text(&rig, NULL, CORE_OPT_MYID, MYID);
    ck_assert_int_eq(core_load_monitor(rig.core, "m", "127.0.0.1", 6379, 2, NULL), 0);
    core_load_sentinel(rig.core, "m", "127.0.0.1", 5001, PEER, NULL);
    rig_start(&rig);
    rig_introduce(&rig, 5001, PEER);
    rig_run(&rig, 1000);
    ck_assert_uint_eq(rig.core->disk_version, core_version(rig.core));
    rig.auto_save = false;
    epoch = 0;
}

/* Something to save that nothing waits for: somebody is in a newer epoch. */
static void change(void)
{
    char text[200];

    snprintf(text, sizeof(text),
             "127.0.0.1,5001," PEER ",%" PRIu64 ",m,127.0.0.1,6379,0", ++epoch);
    rig_say_hello(&rig, text);
    ck_assert_uint_eq(rig.core->current_epoch, epoch);
}

static bool is_asked(void)
{
    return rig.persist != 0;
}

static void ask_for_vote(void)
{
    struct core_request vote = {.type = CORE_RQ_VOTE,
                                .client = 9,
                                .host = "127.0.0.1",
                                .port = 6379,
                                .epoch = ++epoch,
                                .text = PEER};
    rig_request(&rig, &vote);
}

/* After a while without any, a change is saved at once; those that follow are gathered,
 * and the last of them is not forgotten. */
START_TEST(test_a_crowd_of_changes_is_saved_some_times)
{
    int n_saves = 0;

    begin();
    change();
    ck_assert(is_asked());
    rig_saved(&rig, true);
    for (int i = 0; i < 1000; i++) {
        rig_run(&rig, 1);
        change();
        if (!is_asked())
            continue;
        n_saves++;
        rig_saved(&rig, true);
    }
    ck_assert_int_ge(n_saves, 1000 / PAUSE_MS - 1);
    ck_assert_int_le(n_saves, 1000 / PAUSE_MS);
    rig_run(&rig, PAUSE_MS);
    ck_assert(is_asked());
    rig_saved(&rig, true);
    ck_assert_uint_eq(rig.core->disk_version, core_version(rig.core));
    ck_assert_uint_eq(rig.core->disk_epoch, epoch);
    rig_run(&rig, 10 * PAUSE_MS);
    ck_assert(!is_asked()); /* nothing is saved twice */
    rig_release(&rig);
}
END_TEST

/* A vote, a command and a RESET are saved at once, also right after another save. */
START_TEST(test_what_somebody_waits_for_is_saved_at_once)
{
    struct core_request flush = {.type = CORE_RQ_FLUSH, .client = 9};
    struct core_request reset = {.type = CORE_RQ_RESET, .client = 9, .text = "m"};

    begin();
    change();
    rig_saved(&rig, true);
    change();
    ck_assert(!is_asked());
    ask_for_vote();
    ck_assert(is_asked());
    ck_assert_str_ne(rig.answer_leader, PEER);
    rig_saved(&rig, true);
    ck_assert_str_eq(rig.answer_leader, PEER);

    change();
    ck_assert(!is_asked());
    rig_request(&rig, &flush);
    ck_assert(is_asked());
    rig_saved(&rig, true);

    change();
    ck_assert(!is_asked());
    rig_request(&rig, &reset);
    ck_assert(is_asked());
    rig_saved(&rig, true);
    rig_release(&rig);
}
END_TEST

/* A vote that an asked save covers does not make the next changes urgent. */
START_TEST(test_a_save_under_way_is_enough)
{
    begin();
    ask_for_vote();
    ck_assert(is_asked());
    uint64_t asked = rig.persist;
    change();
    ck_assert_uint_eq(rig.persist, asked);
    rig_saved(&rig, true);
    ck_assert_str_eq(rig.answer_leader, PEER);
    ck_assert(!is_asked());
    rig_run(&rig, PAUSE_MS);
    ck_assert(is_asked());
    rig_saved(&rig, true);
    rig_release(&rig);
}
END_TEST

/* That a save was put off is no failure: a failover may begin, a vote be given. */
START_TEST(test_put_off_is_not_failed)
{
    begin();
    change();
    rig_saved(&rig, true);
    change();
    rig_run(&rig, PAUSE_MS);
    ck_assert(is_asked());
    ck_assert(!rig.core->save_failed);
    change();
    ask_for_vote(); /* waits, and is not withheld */
    ck_assert_str_ne(rig.answer_leader, PEER);
    rig_saved(&rig, true);
    ck_assert_str_eq(rig.answer_leader, PEER);

    /* One that fails is tried again when its time comes, not before. */
    rig_run(&rig, PAUSE_MS);
    change();
    ck_assert(is_asked());
    rig_saved(&rig, false);
    ck_assert(rig.core->save_failed);
    change();
    ck_assert(!is_asked());
    rig_run(&rig, 200);
    ck_assert(is_asked());
    rig_saved(&rig, true);
    ck_assert(!rig.core->save_failed);
    rig_release(&rig);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("durable");
    TCase *tcase = tcase_create("durable");

    tcase_add_test(tcase, test_a_crowd_of_changes_is_saved_some_times);
    tcase_add_test(tcase, test_what_somebody_waits_for_is_saved_at_once);
    tcase_add_test(tcase, test_a_save_under_way_is_enough);
    tcase_add_test(tcase, test_put_off_is_not_failed);
    suite_add_tcase(suite, tcase);
    return suite;
}
