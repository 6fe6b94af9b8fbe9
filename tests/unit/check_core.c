/*
 * check_core.c - one core, its events by hand: what it does and when, to the
 * millisecond.
 */
#include "tests/lib/rig.h"
#include "tests/lib/runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PEER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MYID "0123456789012345678901234567890123456789"

static struct rig rig;

static const char *const master_info =
    "# Server\r\nrun_id:1111111111111111111111111111111111111111\r\n"
    "# Replication\r\nrole:master\r\nconnected_slaves:1\r\n"
    "slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=1\r\n";

static void replica_info(char *out, size_t cap, const char *role, int master_port,
                         uint64_t offset)
{
    snprintf(out, cap,
             "run_id:2222222222222222222222222222222222222222\r\nrole:%s\r\n"
             "master_host:127.0.0.1\r\nmaster_port:%d\r\nmaster_link_status:up\r\n"
             "slave_repl_offset:%" PRIu64 "\r\nslave_priority:100\r\n",
             role, master_port, offset);
}

/* One master on 6379 with a replica on 6380; |n_peers| sentinels on 5001, 5002. */
static void begin(int64_t quorum, int n_peers)
{
    rig_init(&rig, 7);
    rig_set_text(&rig, NULL, CORE_OPT_MYID, MYID);
    ck_assert_int_eq(core_load_monitor(rig.core, "m", "127.0.0.1", 6379, quorum, NULL),
                     0);
    rig_set(&rig, "m", CORE_OPT_DOWN_AFTER, 3000);
    rig_set(&rig, "m", CORE_OPT_FAILOVER_TIMEOUT, 20000);
    ck_assert_int_eq(core_load_replica(rig.core, "m", "127.0.0.1", 6380, NULL), 0);
    if (n_peers > 0)
        core_load_sentinel(rig.core, "m", "127.0.0.1", 5001, PEER_A, NULL);
    if (n_peers > 1)
        core_load_sentinel(rig.core, "m", "127.0.0.1", 5002, PEER_B, NULL);
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

static void pong(int port)
{
    rig_reply_text(&rig, port, "PING", RESP_STATUS, "PONG");
}

static void info_of_replica(const char *role, int master_port, uint64_t offset)
{
    char text[512];

    replica_info(text, sizeof(text), role, master_port, offset);
    rig_reply_text(&rig, 6380, "INFO", RESP_BULK, text);
}

/* Everybody is well. */
static void settle_in(void)
{
    pong(6379);
    pong(6380);
    rig_reply_text(&rig, 6379, "INFO", RESP_BULK, master_info);
    info_of_replica("slave", 6379, 100);
    if (rig_link(&rig, 5001) != NULL)
        rig_introduce(&rig, 5001, PEER_A);
    if (rig_link(&rig, 5002) != NULL)
        rig_introduce(&rig, 5002, PEER_B);
    rig_forget(&rig);
}

/* Lets |ms| pass while everybody but the master answers. */
static void run_without_master(int64_t ms)
{
    int64_t end_at = rig.now + ms;

    while (rig.now < end_at) {
        int64_t due = core_deadline(rig.core);
        rig_run(&rig, due > end_at    ? end_at - rig.now
                      : due > rig.now ? due - rig.now
                                      : 0);
        struct link *links[] = {rig_link(&rig, 6380), rig_link(&rig, 5001),
                                rig_link(&rig, 5002)};
        int ports[] = {6380, 5001, 5002};
        for (int i = 0; i < 3; i++)
            while (links[i] != NULL && links[i]->cmd.up &&
                   links[i]->ping_pending_at != CORE_NEVER)
                pong(ports[i]);
    }
}

START_TEST(test_start_dials_and_greets)
{
    begin(1, 0);
    ck_assert(rig_saw(&rig, "+monitor master m 127.0.0.1 6379 quorum 1"));
    ck_assert(rig_sent(&rig, "6379 CLIENT SETNAME sentinel-01234567-cmd\n6379 PING\n"));
    ck_assert(rig_sent(&rig, "6379 SUBSCRIBE __sentinel__:hello\n"));
    ck_assert(rig_sent(&rig, "6379 INFO\n"));
    end();
}
END_TEST

/* sdown is 3001 ms after the first PING without an answer, not earlier, not later. */
START_TEST(test_sdown_is_exact)
{
    begin(1, 0);
    settle_in();
    struct link *link = rig_link(&rig, 6379);
    run_without_master(link->ping_due_at - core_lived(rig.core, rig.now));
    int64_t pinged_at = link->ping_pending_at;
    ck_assert_int_ne(pinged_at, CORE_NEVER);
    run_without_master(pinged_at + 3000 - core_lived(rig.core, rig.now));
    ck_assert(!rig_saw(&rig, "+sdown"));
    run_without_master(1);
    ck_assert(rig_saw(&rig, "+sdown master m 127.0.0.1 6379"));
    ck_assert(rig_saw(&rig, "+odown master m 127.0.0.1 6379 #quorum 1/1"));
    end();
}
END_TEST

/* The whole of a failover with one sentinel, in the order operators know. */
START_TEST(test_failover_order)
{
    static const char *const order[] = {
        "+sdown master m 127.0.0.1 6379\n",
        "+odown master m 127.0.0.1 6379 #quorum 1/1\n",
        "+new-epoch 1\n",
        "+try-failover master m 127.0.0.1 6379\n",
        "+vote-for-leader " MYID " 1\n",
        "+elected-leader master m 127.0.0.1 6379\n",
        "+failover-state-select-slave master m 127.0.0.1 6379\n",
        "+selected-slave slave 127.0.0.1:6380 127.0.0.1 6380 @ m 127.0.0.1 6379\n",
        "+failover-state-send-slaveof-noone slave 127.0.0.1:6380 127.0.0.1 6380 @ m",
        "+failover-state-wait-promotion slave 127.0.0.1:6380 127.0.0.1 6380 @ m",
        "+promoted-slave slave 127.0.0.1:6380 127.0.0.1 6380 @ m 127.0.0.1 6379\n",
        "+failover-state-reconf-slaves master m 127.0.0.1 6379\n",
        "+failover-end master m 127.0.0.1 6379\n",
        "+switch-master m 127.0.0.1 6379 127.0.0.1 6380\n",
        "+slave slave 127.0.0.1:6379 127.0.0.1 6379 @ m 127.0.0.1 6380\n",
    };

    begin(1, 0);
    settle_in();
    run_without_master(4100);
    ck_assert(rig_saw(&rig, "+odown"));
    info_of_replica("slave", 6379, 100); /* asked for at +sdown */
    ck_assert(rig_sent(&rig,
                       "6380 MULTI\n6380 SLAVEOF NO ONE\n6380 CONFIG REWRITE\n"
                       "6380 CLIENT KILL TYPE normal\n6380 CLIENT KILL TYPE pubsub\n"
                       "6380 EXEC\n6380 INFO\n"));
    info_of_replica("master", 6379, 100);
    const char *at = buf_text(&rig.log);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        const char *found = strstr(at, order[i]);
        ck_assert_msg(found != NULL, "missing or out of order: %s in\n%s", order[i],
                      buf_text(&rig.log));
        at = found + 1;
    }
    ck_assert_int_eq(the_master()->current->addr.port, 6380);
    ck_assert_uint_eq(the_master()->config_epoch, 1);
    end();
}
END_TEST

/* Votes are asked for only when our own vote is on disk. */
START_TEST(test_vote_requests_wait_for_the_disk)
{
    begin(2, 2);
    settle_in();
    rig.auto_save = false;
    run_without_master(4100);
    ck_assert(rig_saw(&rig, "+sdown master"));
    rig_vote_reply(&rig, 5001, 1, "*", 0);
    ck_assert(rig_saw(&rig, "+try-failover"));
    ck_assert(!rig_sent(&rig, "1 " MYID));
    rig_saved(&rig, true);
    ck_assert(
        rig_sent(&rig, "5001 SENTINEL is-master-down-by-addr 127.0.0.1 6379 1 " MYID));
    rig_vote_reply(&rig, 5002, 1, "*", 0);
    rig_vote_reply(&rig, 5001, 1, MYID, 1);
    ck_assert(rig_saw(&rig, "+elected-leader"));
    end();
}
END_TEST

/* With a broken disk nobody is asked and no vote is given. */
START_TEST(test_broken_disk_withholds_votes)
{
    struct core_request vote = {.type = CORE_RQ_VOTE,
                                .client = 9,
                                .host = "127.0.0.1",
                                .port = 6379,
                                .epoch = 5,
                                .text = PEER_A};

    begin(2, 2);
    settle_in();
    rig.auto_save = false;
    rig_request(&rig, &vote);
    ck_assert_int_eq(rig.n_answers, 0); /* held */
    rig_saved(&rig, false);
    ck_assert_int_eq(rig.n_answers, 1);
    ck_assert_str_eq(rig.answer_leader, "");
    rig_request(&rig, &vote); /* known to be broken: answered at once, without a vote */
    ck_assert_int_eq(rig.n_answers, 2);
    ck_assert_str_eq(rig.answer_leader, "");
    rig_run(&rig, 200); /* the save is tried again */
    ck_assert_uint_ne(rig.persist, 0);
    rig_saved(&rig, true);
    rig_request(&rig, &vote);
    ck_assert_int_eq(rig.n_answers, 3);
    ck_assert_str_eq(rig.answer_leader, PEER_A);
    ck_assert_uint_eq(rig.answer.answer.epoch, 5);
    end();
}
END_TEST

START_TEST(test_one_vote_per_epoch)
{
    struct core_request vote = {.type = CORE_RQ_VOTE,
                                .client = 9,
                                .host = "127.0.0.1",
                                .port = 6379,
                                .epoch = 5,
                                .text = PEER_A};

    begin(2, 2);
    settle_in();
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, PEER_A);
    vote.text = PEER_B;
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, PEER_A);
    vote.epoch = 4;
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, PEER_A);
    ck_assert_uint_eq(rig.answer.answer.epoch, 5);
    vote.epoch = 6;
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, PEER_B);
    end();
}
END_TEST

START_TEST(test_absurd_epochs_poison_nothing)
{
    struct core_request vote = {.type = CORE_RQ_VOTE,
                                .client = 9,
                                .host = "127.0.0.1",
                                .port = 6379,
                                .epoch = (uint64_t)INT64_MAX,
                                .text = PEER_A};
    static const char *const hellos[] = {
        "127.0.0.1,5001," PEER_A ",9223372036854775807,m,127.0.0.1,6379,0",
        "127.0.0.1,5001," PEER_A ",18446744073709551615,m,127.0.0.1,6379,0",
        "127.0.0.1,5001," PEER_A ",-1,m,127.0.0.1,6379,0",
        "127.0.0.1,5001," PEER_A ",1,m,127.0.0.1,6379,-1",
        "127.0.0.1,5001," PEER_A ",1,m,127.0.0.1,6380,9223372036854775807",
        "127.0.0.1,5001," PEER_A ",1,m,127.0.0.1,6379",
        "127.0.0.1,5001," PEER_A ",1,m,127.0.0.1,6379,0,0",
        "127.0.0.1,99999," PEER_A ",1,m,127.0.0.1,6379,0",
        "127.0.0.1,5001,short,1,m,127.0.0.1,6379,0",
        ",,,,,,,",
        "",
    };

    begin(2, 2);
    settle_in();
    rig_request(&rig, &vote);
    ck_assert_str_eq(rig.answer_leader, "");
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        struct core_request rq = {.type = CORE_RQ_HELLO,
                                  .client = 1,
                                  .text = hellos[i],
                                  .text_len = strlen(hellos[i])};
        rig_request(&rig, &rq);
        ck_assert_int_eq(rig.answer.answer.number, 1);
        ck_assert_uint_eq(rig.core->current_epoch, 0);
        ck_assert_int_eq(the_master()->current->addr.port, 6379);
    }
    ck_assert(rig_saw(&rig, "Ignored a hello message"));
    ck_assert_uint_eq(rig.core->n_bad_hellos, sizeof(hellos) / sizeof(hellos[0]));
    end();
}
END_TEST

/* A split election is known from the answers and run again within tens of ms. */
START_TEST(test_split_vote_is_retried_at_once)
{
    begin(1, 2);
    settle_in();
    run_without_master(4100);
    ck_assert(rig_saw(&rig, "+try-failover"));
    int64_t at = rig.now;
    rig_vote_reply(&rig, 5001, 1, "*", 0); /* asked before the election */
    rig_vote_reply(&rig, 5002, 1, "*", 0);
    rig_vote_reply(&rig, 5001, 1, PEER_A, 1);
    ck_assert(!rig_saw(&rig, "-failover-abort-not-elected"));
    rig_vote_reply(&rig, 5002, 1, PEER_B, 1);
    ck_assert(rig_saw(&rig, "-failover-abort-not-elected"));
    rig_forget(&rig);
    run_without_master(100);
    ck_assert(rig_saw(&rig, "+new-epoch 2"));
    ck_assert_int_le(rig.now - at, 200);
    end();
}
END_TEST

/* Somebody else has a majority: it gets the time to work. */
START_TEST(test_loser_lets_the_winner_work)
{
    begin(1, 2);
    settle_in();
    run_without_master(4100);
    rig_vote_reply(&rig, 5001, 1, "*", 0);
    rig_vote_reply(&rig, 5002, 1, "*", 0);
    rig_vote_reply(&rig, 5001, 1, PEER_A, 1);
    rig_vote_reply(&rig, 5002, 1, PEER_A, 1);
    ck_assert(rig_saw(&rig, "-failover-abort-not-elected"));
    rig_forget(&rig);
    run_without_master(9000);
    ck_assert(!rig_saw(&rig, "+try-failover"));
    run_without_master(3000);
    ck_assert(rig_saw(&rig, "+try-failover"));
    end();
}
END_TEST

/* An answer about the old master does not count against the new one. */
START_TEST(test_late_answer_does_not_depose_the_new_master)
{
    begin(2, 2);
    settle_in();
    run_without_master(4100);
    ck_assert(rig_saw(&rig, "+sdown master"));
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",3,m,127.0.0.1,6380,3");
    rig_confirm_master(&rig, 5001, "6380");
    ck_assert(rig_saw(&rig, "+config-update-from sentinel " PEER_A));
    ck_assert(rig_saw(&rig, "+switch-master m 127.0.0.1 6379 127.0.0.1 6380"));
    rig_vote_reply(&rig, 5001, 1, "*", 0); /* about 6379 */
    struct voter *voter;
    HASH_FIND_STR(the_master()->voters, PEER_A, voter);
    ck_assert(!voter->says_down);
    ck_assert(!the_master()->current->s_down);
    end();
}
END_TEST

/* A hello in the name of a sentinel that, asked itself, knows nothing of it. */
START_TEST(test_forged_switch_is_not_believed)
{
    begin(2, 2);
    settle_in();
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",3,m,127.0.0.1,6380,3");
    ck_assert(rig_sent(&rig, "5001 SENTINEL get-master-addr-by-name m\n"));
    rig_confirm_master(&rig, 5001, "6379");
    ck_assert(!rig_saw(&rig, "+switch-master"));
    ck_assert(rig_saw(&rig, "Ignored a hello message"));
    ck_assert_uint_eq(rig.core->n_contradicted, 1);
    ck_assert_uint_eq(the_master()->config_epoch, 0);
    /* It cannot be asked: what we see ourselves decides. A master that is well is
     * kept... */
    rig_lose_link(&rig, 5002, "Connection reset by peer");
    rig_say_hello(&rig, "127.0.0.1,5002," PEER_B ",3,m,127.0.0.1,6380,3");
    ck_assert(!rig_saw(&rig, "+switch-master"));
    /* ...until the other one is seen to be a master. */
    rig_run(&rig, 0);
    info_of_replica("master", 6379, 100);
    rig_say_hello(&rig, "127.0.0.1,5002," PEER_B ",3,m,127.0.0.1,6380,3");
    ck_assert(rig_saw(&rig, "+switch-master"));
    end();
}
END_TEST

START_TEST(test_freeze_is_not_held_against_the_master)
{
    begin(1, 0);
    settle_in();
    rig_run(&rig, 500);
    rig.now += 60000; /* stopped for a minute; answers wait in the sockets */
    rig.wall += 60000;
    struct core_event event = {.type = CORE_EV_DEADLINE};
    rig_step(&rig, &event);
    ck_assert(rig_saw(&rig, "+tilt #tilt mode entered"));
    ck_assert(!rig_saw(&rig, "+sdown"));
    run_without_master(29000);
    ck_assert(!rig_saw(&rig, "+sdown master"));
    run_without_master(1200);
    ck_assert(rig_saw(&rig, "-tilt #tilt mode exited"));
    end();
}
END_TEST

START_TEST(test_short_freeze_moves_the_deadline)
{
    begin(1, 0);
    settle_in();
    run_without_master(1500);
    rig.now += 1900; /* below the tilt trigger */
    rig.wall += 1900;
    struct core_event event = {.type = CORE_EV_DEADLINE};
    rig_step(&rig, &event);
    run_without_master(1000);
    ck_assert(!rig_saw(&rig, "+sdown"));
    ck_assert(!rig_saw(&rig, "+tilt"));
    run_without_master(3000);
    ck_assert(rig_saw(&rig, "+sdown"));
    end();
}
END_TEST

START_TEST(test_manual_failover_demotes_the_old_master)
{
    struct core_request rq = {.type = CORE_RQ_FAILOVER, .client = 4, .name = "m"};

    begin(2, 0);
    settle_in();
    rig_request(&rig, &rq);
    ck_assert_int_eq(rig.answer.answer.kind, CORE_ANSWER_OK);
    info_of_replica("slave", 6379, 200);
    ck_assert(rig_saw(&rig, "+failover-state-wait-promotion"));
    rig_forget(&rig);
    info_of_replica("master", 6379, 200);
    ck_assert(rig_sent(&rig, "6379 SLAVEOF 127.0.0.1 6380\n"));
    ck_assert(rig_saw(&rig, "+switch-master m 127.0.0.1 6379 127.0.0.1 6380"));
    rig_request(&rig, &rq);
    ck_assert_str_eq(rig.answer_text, "NOGOODSLAVE No suitable replica to promote");
    end();
}
END_TEST

/* Two manual failovers in one epoch: who learns of the other's vote gives way. */
START_TEST(test_manual_failover_yields_in_a_shared_epoch)
{
    struct core_request rq = {.type = CORE_RQ_FAILOVER, .client = 4, .name = "m"};

    begin(2, 2);
    settle_in();
    rig_request(&rig, &rq);
    rig_vote_reply(&rig, 5001, 0, PEER_A, 1);
    ck_assert(!rig_saw(&rig, "+elected-leader"));
    rig_vote_reply(&rig, 5002, 0, PEER_A, 1);
    ck_assert(rig_saw(&rig, "-failover-abort-not-elected"));
    ck_assert(!rig_saw(&rig, "+elected-leader"));
    end();
}
END_TEST

START_TEST(test_no_good_replica_aborts_and_recovers)
{
    begin(1, 0);
    settle_in();
    rig.dead[6380] = true;
    struct core_event down = {.type = CORE_EV_LINK_DOWN};
    down.down.link = rig_link(&rig, 6380)->id;
    down.down.chan = LINK_CMD;
    down.down.reason = "Connection reset by peer";
    rig_step(&rig, &down);
    run_without_master(6000);
    ck_assert(rig_saw(&rig, "-failover-abort-no-good-slave master m"));
    rig_forget(&rig);
    rig.dead[6380] = false;
    run_without_master(1500);
    info_of_replica("slave", 6379, 100);
    run_without_master(200);
    ck_assert(rig_saw(&rig, "+try-failover"));
    end();
}
END_TEST

START_TEST(test_hello_learns_switches_and_replaces_peers)
{
    begin(2, 0);
    settle_in();
    rig_say_hello(&rig, "127.0.0.1,5001," PEER_A ",0,m,127.0.0.1,6379,0");
    ck_assert(!rig_saw(&rig, "+sentinel"));
    ck_assert_uint_eq(master_known_voters(the_master()), 1);
    rig_introduce(&rig, 5001, PEER_A);
    ck_assert(rig_saw(&rig, "+sentinel sentinel " PEER_A
                            " 127.0.0.1 5001 @ m 127.0.0.1 6379"));
    /* While it answers where it is, it is not elsewhere. */
    rig_say_hello(&rig, "127.0.0.1,5009," PEER_A ",0,m,127.0.0.1,6379,0");
    ck_assert(!rig_saw(&rig, "+sentinel"));
    rig.dead[5001] = true;
    rig_lose_link(&rig, 5001, "Connection reset by peer");
    rig_say_hello(&rig, "127.0.0.1,5009," PEER_A ",0,m,127.0.0.1,6379,0");
    ck_assert(rig_saw(&rig, "+sentinel-address-switch master m 127.0.0.1 6379 ip "
                            "127.0.0.1 port 5009 for " PEER_A));
    rig_introduce(&rig, 5009, PEER_A);
    rig_lose_link(&rig, 5009, "Connection reset by peer");
    rig_run(&rig, 2000);
    /* Another one at that address takes its place when it is seen to be there. */
    rig_say_hello(&rig, "127.0.0.1,5009," PEER_B ",0,m,127.0.0.1,6379,0");
    ck_assert(!rig_saw(&rig, "+sentinel"));
    rig_reply_text(&rig, 5009, "myid", RESP_BULK, PEER_B); /* to A's connection */
    ck_assert(rig_saw(&rig, "is not at 127.0.0.1:5009 any more"));
    rig_reply_text(&rig, 5009, "myid", RESP_BULK, PEER_B); /* to B's */
    ck_assert(rig_saw(&rig, "+sentinel-invalid-addr sentinel " PEER_A
                            " 127.0.0.1 5009 @ m 127.0.0.1 6379\n"
                            "+sentinel sentinel " PEER_B " 127.0.0.1 5009"));
    ck_assert_uint_eq(master_known_voters(the_master()), 2);
    end();
}
END_TEST

START_TEST(test_script_retries_and_limits)
{
    begin(1, 0);
    struct core_setting script = {.option = CORE_OPT_NOTIFICATION_SCRIPT,
                                  .text = "/bin/notify",
                                  .word = "notification-script"};
    struct core_request rq = {.type = CORE_RQ_SET,
                              .client = 2,
                              .name = "m",
                              .settings = &script,
                              .n_settings = 1};
    settle_in();
    rig_request(&rig, &rq); /* +set runs the script it has just installed */
    ck_assert_int_eq(rig.n_jobs_started, 1);
    int64_t delay = 30000;
    for (int run = 1; run <= 10; run++) {
        struct core_event started = {.type = CORE_EV_JOB_STARTED};
        started.job_started.job = rig.job;
        started.job_started.pid = 100 + run;
        rig_step(&rig, &started);
        struct core_event done = {.type = CORE_EV_JOB_EXIT};
        done.job_exit.job = rig.job;
        done.job_exit.status = 1;
        rig_step(&rig, &done);
        ck_assert_int_eq(rig.n_jobs_started, run);
        if (run == 10)
            break;
        ck_assert_uint_eq(rig.core->n_jobs, 1);
        struct job *job = rig.core->jobs;
        ck_assert_int_eq(job->start_at - rig.core->now, delay);
        job->start_at = rig.core->now; /* do not wait hours of virtual time */
        heap_set(&rig.core->timers, &job->timer.node, rig.core->now);
        struct core_event tick = {.type = CORE_EV_DEADLINE};
        rig_step(&rig, &tick);
        delay *= 2;
    }
    ck_assert(rig_saw(&rig, "-script-error /bin/notify 0 1"));
    ck_assert_uint_eq(rig.core->n_jobs, 0);
    end();
}
END_TEST

/* PINGs that a late turn sends together have moments of their own the next time. */
START_TEST(test_a_late_turn_does_not_gather_pings)
{
    begin(1, 0);
    settle_in();
    struct link *links[] = {rig_link(&rig, 6379), rig_link(&rig, 6380)};
    links[1]->ping_due_at = links[0]->ping_due_at + 50;
    int64_t due_at[] = {links[0]->ping_due_at, links[1]->ping_due_at};
    rig_run(&rig, due_at[0] - 1 - core_lived(rig.core, rig.now));
    rig.now += 60;
    struct core_event tick = {.type = CORE_EV_DEADLINE};
    rig_step(&rig, &tick);
    ck_assert_int_eq(links[0]->ping_sent_at, links[1]->ping_sent_at);
    pong(6379);
    pong(6380);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(links[i]->ping_due_at, due_at[i] + links[i]->ping_period_ms);
    end();
}
END_TEST

/* A replica that reports role master is left alone for 8 s, in case our view is old,
 * and then told to follow. */
START_TEST(test_stray_master_is_converted)
{
    begin(1, 0);
    settle_in();
    int64_t start = rig.now;
    while (!rig_saw(&rig, "+convert-to-slave") && rig.now < start + 30000) {
        rig_run(&rig, 50);
        while (rig_link(&rig, 6379)->ping_pending_at != CORE_NEVER)
            pong(6379);
        while (rig_link(&rig, 6380)->ping_pending_at != CORE_NEVER)
            pong(6380);
        if (rig_link(&rig, 6379)->node->info_asked_at != CORE_NEVER)
            rig_reply_text(&rig, 6379, "INFO", RESP_BULK, master_info);
        if (rig_link(&rig, 6380)->node->info_asked_at != CORE_NEVER)
            info_of_replica("master", 0, 5);
    }
    ck_assert(rig_saw(&rig, "-role-change slave 127.0.0.1:6380"));
    ck_assert(rig_saw(&rig, "+convert-to-slave slave 127.0.0.1:6380"));
    ck_assert(rig_sent(&rig, "6380 SLAVEOF 127.0.0.1 6379"));
    struct node *node = rig_link(&rig, 6380)->node;
    ck_assert_int_gt(rig.core->now - node->role_at, 8000);
    ck_assert_int_le(rig.core->now - node->role_at, 9100);
    end();
}
END_TEST

/* ------------------------------------------------------------------------- TLS ---- */

/* "port:tls:host" of each connection asked for. */
static void tls_links(struct core_actions *actions, char *text, size_t cap)
{
    const struct core_action *action;
    size_t len = 0;

    text[0] = '\0';
    while ((action = core_actions_next(actions)) != NULL)
        if (action->type == CORE_AC_LINK_OPEN)
            len += (size_t)snprintf(text + len, cap - len, "%d:%d:%s ",
                                    action->open.port, action->open.tls,
                                    action->open.host != NULL ? action->open.host : "");
}

static void tls_load(struct core *core, const char *master, enum core_option option,
                     int64_t number)
{
    struct core_setting setting = {.option = option, .number = number};
    ck_assert_int_eq(core_load_setting(core, master, &setting, NULL), 0);
}

/* Its port was changed, and the old one leads to it still. */
START_TEST(test_one_server_at_two_addresses)
{
    static const char info[] =
        "run_id:2222222222222222222222222222222222222222\r\nrole:%s\r\n"
        "master_host:127.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n"
        "slave_repl_offset:100\r\nslave_priority:100\r\n";
    struct core_request failover = {.type = CORE_RQ_FAILOVER, .client = 4, .name = "m"};
    char slave[sizeof(info) + 8], master[sizeof(info) + 8];

    snprintf(slave, sizeof(slave), info, "slave");
    snprintf(master, sizeof(master), info, "master");
    rig_init(&rig, 7);
    core_load_monitor(rig.core, "m", "127.0.0.1", 6379, 1, NULL);
    core_load_replica(rig.core, "m", "127.0.0.1", 6380, NULL);
    core_load_replica(rig.core, "m", "127.0.0.1", 6390, NULL);
    rig_start(&rig);
    for (int port = 6380; port <= 6390; port += 10) {
        rig_reply_text(&rig, port, "PING", RESP_STATUS, "PONG");
        rig_reply_text(&rig, port, "INFO", RESP_BULK, slave);
    }
    rig_request(&rig, &failover);
    rig_reply_text(&rig, 6380, "INFO", RESP_BULK, slave);
    rig_reply_text(&rig, 6390, "INFO", RESP_BULK, slave);
    rig_run(&rig, 100);
    bool is_first = rig_sent(&rig, "6380 SLAVEOF NO ONE");
    ck_assert(is_first != rig_sent(&rig, "6390 SLAVEOF NO ONE"));
    rig_reply_text(&rig, is_first ? 6380 : 6390, "INFO", RESP_BULK, master);
    rig_run(&rig, 200);
    ck_assert(rig_saw(&rig, "+switch-master m 127.0.0.1 6379"));
    ck_assert(rig_saw(&rig, "are one server: it is not told to follow itself"));
    ck_assert(!rig_sent(&rig, "6390 SLAVEOF 127.0.0.1 6380"));
    ck_assert(!rig_sent(&rig, "6380 SLAVEOF 127.0.0.1 6390"));
    end();
}
END_TEST

START_TEST(test_tls_of_links)
{
    static const struct {
        int of_m, replication, verify;
        const char *links;
    } cases[] = {
        {-1, 0, 0, "6379:0: 6380:0: 5001:0: "},
        {-1, 1, 0, "6379:1: 6380:1: 5001:1: "},
        {0, 1, 0, "6379:0: 6380:0: 5001:1: "},
        {1, 0, 0, "6379:1: 6380:1: 5001:0: "},
        {1, 0, 1, "6379:1:127.0.0.1 6380:1:127.0.0.1 5001:0:127.0.0.1 "},
    };
    struct core_event step = {.type = CORE_EV_DEADLINE, .now = 1000, .wall = 1000};
    char links[256];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct core *core = core_new(7);
        struct core_actions *actions = core_actions_new();
        core_load_monitor(core, "m", "127.0.0.1", 6379, 1, NULL);
        core_load_replica(core, "m", "127.0.0.1", 6380, NULL);
        core_load_sentinel(core, "m", "127.0.0.1", 5001, PEER_A, NULL);
        tls_load(core, "m", CORE_OPT_TLS, cases[i].of_m);
        tls_load(core, NULL, CORE_OPT_TLS_REPLICATION, cases[i].replication);
        tls_load(core, NULL, CORE_OPT_TLS_VERIFY_HOSTNAME, cases[i].verify);
        core_start(core, 1000, 1000, actions);
        core_step(core, &step, actions);
        tls_links(actions, links, sizeof links);
        ck_assert_str_eq(links, cases[i].links);
        core_actions_free(actions);
        core_free(core);
    }
}
END_TEST

static void tls_down(const char *reason, bool is_tls)
{
    struct core_event down = {.type = CORE_EV_LINK_DOWN};
    down.down.link = rig_link(&rig, 6380)->id;
    down.down.chan = LINK_CMD;
    down.down.reason = reason;
    down.down.tls = is_tls;
    rig_step(&rig, &down);
}

/* Said when it changes, and again once it has worked in between. */
START_TEST(test_tls_problem_is_said_once)
{
    static const struct {
        const char *reason;
        bool works_before, is_said;
    } steps[] = {{"expired", false, true}, {"expired", false, false},
                 {"unknown", false, true}, {"expired", false, true},
                 {"expired", true, true},  {"expired", false, false}};

    begin(1, 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rig_run(&rig, 1500);
        if (steps[i].works_before)
            pong(6380);
        rig_forget(&rig);
        tls_down(steps[i].reason, true);
        ck_assert_int_eq(rig_saw(&rig, "TLS with a replica of m at 127.0.0.1:6380 "
                                       "failed: "),
                         steps[i].is_said);
    }
    end();
}
END_TEST

START_TEST(test_mute_server_may_want_tls)
{
    begin(1, 0);
    for (int i = 1; i <= 5; i++) {
        rig_run(&rig, 1500);
        rig_forget(&rig);
        tls_down("Connection reset by peer", false);
        ck_assert_int_eq(rig_saw(&rig, "a replica of m at 127.0.0.1:6380 ends every "
                                       "connection without an answer (Connection reset "
                                       "by peer): does it expect TLS?"),
                         i == 3);
    }
    end();
}
END_TEST

Suite *make_suite(void)
{
    const TTest *const tests[] = {
        test_start_dials_and_greets,
        test_sdown_is_exact,
        test_failover_order,
        test_vote_requests_wait_for_the_disk,
        test_broken_disk_withholds_votes,
        test_one_vote_per_epoch,
        test_absurd_epochs_poison_nothing,
        test_split_vote_is_retried_at_once,
        test_loser_lets_the_winner_work,
        test_late_answer_does_not_depose_the_new_master,
        test_freeze_is_not_held_against_the_master,
        test_short_freeze_moves_the_deadline,
        test_manual_failover_demotes_the_old_master,
        test_manual_failover_yields_in_a_shared_epoch,
        test_no_good_replica_aborts_and_recovers,
        test_hello_learns_switches_and_replaces_peers,
        test_forged_switch_is_not_believed,
        test_script_retries_and_limits,
        test_a_late_turn_does_not_gather_pings,
        test_stray_master_is_converted,
        test_one_server_at_two_addresses,
        test_tls_of_links,
        test_tls_problem_is_said_once,
        test_mute_server_may_want_tls,
    };
    Suite *suite = suite_create("core");
    TCase *tcase = tcase_create("core");

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite;
}
