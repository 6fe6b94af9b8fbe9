/*
 * check_conf_apply.c - `sentinel` lines into the core: order, included files, state.
 */
#include "tests/unit/conf_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ID "0000000000000000000000000000000000000001"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char tmp[64];
static struct fixture f;

static void setup(void)
{
    snprintf(tmp, sizeof tmp, "/tmp/check_conf_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tmp));
    ck_assert_int_eq(chdir(tmp), 0);
    f = (struct fixture){0};
}

static void teardown(void)
{
    fixture_release(&f);
    unlink("main.conf");
    unlink("inc.conf");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(tmp), 0);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* (Re)starts from main.conf. */
static void start(void)
{
    struct conf_error error = {0};

    fixture_release(&f);
    f = (struct fixture){
        .conf = conf_new(), .core = core_new(1), .actions = core_actions_new()};
    int rc = conf_read_file(f.conf, "main.conf", &error);
    if (rc == 0)
        rc = conf_apply(f.conf, f.core, &error);
    ck_assert_msg(rc == 0, "line %d: %s: %s", error.line, error.text, error.reason);
}

/* Saves, starts again, and checks that this changed nothing. */
static void restart(void)
{
    struct buf text = {0};

    buf_puts(&text, fixture_render(&f));
    put("main.conf", text.data);
    start();
    ck_assert_str_eq(fixture_render(&f), text.data);
    buf_release(&text);
}

START_TEST(order_does_not_matter)
{
    put("main.conf", "sentinel known-sentinel m db 26380 " ID_A "\n"
                     "sentinel config-epoch m 9\n"
                     "sentinel down-after-milliseconds m 5s\n"
                     "sentinel monitor m db.example 6379 2\n"
                     "sentinel resolve-hostnames yes\n"
                     "requirepass x\nport 5\n"
                     "sentinel current-epoch 4\n");
    start();
    struct master *m = fixture_master(&f, "m");
    ck_assert_int_eq(m->down_after_ms, 5);
    ck_assert_uint_eq(m->config_epoch, 9);
    ck_assert_uint_eq(f.core->current_epoch, 9);
    ck_assert_str_eq(m->current->addr.host, "db.example");
    ck_assert_str_eq(f.core->requirepass, "x");
    ck_assert_int_eq(f.core->numbers[CORE_OPT_PORT], 5);
}
END_TEST

START_TEST(large_epochs)
{
    put("main.conf", "sentinel current-epoch 18446744073709551615\n"
                     "sentinel monitor m 127.0.0.1 6379 2\n"
                     "sentinel leader-epoch m -1\n"
                     "sentinel config-epoch m 9223372036854775807\n");
    start();
    ck_assert_uint_eq(f.core->current_epoch, INT64_MAX);
    ck_assert_uint_eq(fixture_master(&f, "m")->config_epoch, INT64_MAX);
    ck_assert_uint_eq(fixture_master(&f, "m")->leader_epoch, 0);
}
END_TEST

START_TEST(harmless_oddities)
{
    enum log_level level;

    put("main.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                     "sentinel known-replica m 127.0.0.1 6379\n"
                     "sentinel known-sentinel m 127.0.0.1 26380\n"
                     "sentinel known-sentinel m 127.0.0.1 26380 short\n"
                     "sentinel announce-port 99999\n"
                     "sentinel announce-ip \"\"\n"
                     "sentinel\n");
    start();
    ck_assert_ptr_null(fixture_master(&f, "m")->replicas);
    ck_assert_ptr_null(f.core->peers);
    ck_assert_int_eq(f.core->numbers[CORE_OPT_ANNOUNCE_PORT], 0);
    ck_assert_str_eq(conf_next_note(f.conf, &level),
                     "announce-port '99999' is not a port and is ignored");
    ck_assert_int_eq(level, LOG_LVL_WARNING);
    ck_assert_ptr_nonnull(strstr(conf_next_note(f.conf, &level), "Run id 'short'"));
    ck_assert_ptr_null(conf_next_note(f.conf, &level));
}
END_TEST

/* The same replica by two names: one of them will do. */
START_TEST(one_replica_twice)
{
    enum log_level level;
    struct conf_error error;

    put("main.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                     "sentinel resolve-hostnames yes\n"
                     "sentinel known-replica m R.example 6380\n"
                     "sentinel known-replica m r.example 6380\n");
    start();
    ck_assert_uint_eq(HASH_COUNT(fixture_master(&f, "m")->replicas), 1);
    ck_assert_ptr_nonnull(strstr(conf_next_note(f.conf, &level), "is known already"));

    put("main.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                     "sentinel known-replica m 127.0.0.1 6380\n"
                     "sentinel known-slave m 127.0.0.1 6380\n");
    fixture_release(&f);
    f = (struct fixture){.conf = conf_new(), .core = core_new(1)};
    f.actions = core_actions_new();
    ck_assert_int_eq(conf_read_file(f.conf, "main.conf", &error), 0);
    ck_assert_int_eq(conf_apply(f.conf, f.core, &error), ERR_DUPLICATE);
    ck_assert_str_eq(error.reason, "Duplicate hostname and port for replica.");
    ck_assert_int_eq(error.line, 3);
}
END_TEST

/* Masters of an included file: what it says is not written again, until it is no
 * longer so. */
START_TEST(included_masters)
{
    put("inc.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                    "sentinel down-after-milliseconds m 5000\n"
                    "sentinel auth-pass m secret\n"
                    "sentinel notification-script m /bin/true\n"
                    "sentinel rename-command m CONFIG x\n"
                    "sentinel known-replica m 127.0.0.1 6380\n"
                    "sentinel known-sentinel m 127.0.0.1 26380 " ID_A "\n");
    put("main.conf", "include inc.conf\nsentinel myid " ID "\n");
    start();
    ck_assert_str_eq(fixture_render(&f),
                     "include inc.conf\nsentinel myid " ID "\n\n"
                     "# Generated by CONFIG REWRITE\n"
                     "sentinel config-epoch m 0\nsentinel leader-epoch m 0\n"
                     "sentinel current-epoch 0\n");
    restart();

    /* The master moves, a peer moves, options change, also back to the defaults. */
    struct master *m = fixture_master(&f, "m");
    m->failover.promoted = m->replicas;
    m->failover.state = FO_RECONF;
    m->config_epoch = f.core->current_epoch = 3;
    addr_set(&m->voters->peer->addr, "127.0.0.9", 9);
    fixture_set_number(&f, "m", CORE_OPT_DOWN_AFTER, 30000);
    fixture_set_text(&f, "m", CORE_OPT_AUTH_PASS, "", NULL);
    fixture_set_text(&f, "m", CORE_OPT_NOTIFICATION_SCRIPT, "", NULL);
    fixture_set_text(&f, "m", CORE_OPT_RENAME_COMMAND, "config", "y");
    ck_assert_str_eq(fixture_render(&f),
                     "include inc.conf\nsentinel myid " ID "\n\n"
                     "# Generated by CONFIG REWRITE\n"
                     "sentinel config-epoch m 3\nsentinel leader-epoch m 0\n"
                     "sentinel current-epoch 3\n"
                     "sentinel monitor m 127.0.0.1 6380 2\n"
                     "sentinel down-after-milliseconds m 30000\n"
                     "sentinel notification-script m \"\"\n"
                     "sentinel auth-pass m \"\"\n"
                     "sentinel known-replica m 127.0.0.1 6379\n"
                     "sentinel known-sentinel m 127.0.0.9 9 " ID_A "\n"
                     "sentinel rename-command m CONFIG y\n");
    m->failover.promoted = NULL;
    m->failover.state = FO_NONE;
}
END_TEST

/* A master that is removed, and another by its name: it has nothing of the first one.
 */
START_TEST(included_master_is_replaced)
{
    struct core_request remove = {.type = CORE_RQ_REMOVE, .name = "m"};
    struct core_request monitor = {.type = CORE_RQ_MONITOR,
                                   .name = "m",
                                   .host = "127.0.0.1",
                                   .port = 7000,
                                   .number = 1};

    put("inc.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                    "sentinel down-after-milliseconds m 5000\n"
                    "sentinel auth-pass m old\n"
                    "sentinel rename-command m CONFIG x\n");
    put("main.conf", "include inc.conf\nsentinel myid " ID "\n");
    start();
    restart();
    fixture_request(&f, &remove);
    ck_assert_str_eq(fixture_render(&f),
                     "include inc.conf\nsentinel myid " ID "\n\n"
                     "# Generated by CONFIG REWRITE\nsentinel current-epoch 0\n");
    fixture_request(&f, &monitor);
    ck_assert_str_eq(fixture_render(&f),
                     "include inc.conf\nsentinel myid " ID "\n\n"
                     "# Generated by CONFIG REWRITE\nsentinel current-epoch 0\n"
                     "sentinel monitor m 127.0.0.1 7000 1\n"
                     "sentinel down-after-milliseconds m 30000\n"
                     "sentinel auth-pass m \"\"\n"
                     "sentinel config-epoch m 0\nsentinel leader-epoch m 0\n"
                     "sentinel rename-command m CONFIG CONFIG\n");
    restart();
    struct master *m = fixture_master(&f, "m");
    ck_assert_uint_eq(m->current->addr.port, 7000);
    ck_assert_int_eq(m->down_after_ms, 30000);
    ck_assert_ptr_null(m->auth_pass);
    ck_assert_str_eq(m->renames->to, "CONFIG");
}
END_TEST

START_TEST(main_file_knows_better)
{
    put("inc.conf", "sentinel monitor m 127.0.0.1 6379 2\n"
                    "sentinel config-epoch m 1\nsentinel leader-epoch m 1\n"
                    "sentinel known-replica m 127.0.0.1 6380\n"
                    "sentinel known-sentinel m 127.0.0.1 26380 " ID_A "\n"
                    "sentinel rename-command m CONFIG x\n"
                    "sentinel failover-timeout m 7\n");
    put("main.conf", "sentinel myid " ID "\nsentinel monitor m 127.0.0.1 6380 3\n"
                     "sentinel config-epoch m 5\nsentinel leader-epoch m 6\n"
                     "sentinel known-replica m 127.0.0.1 6380\n"
                     "sentinel known-replica m 127.0.0.1 6379\n"
                     "sentinel known-sentinel m 127.0.0.9 9 " ID_A "\n"
                     "sentinel rename-command m config y\n"
                     "sentinel failover-timeout m 8\n"
                     "sentinel current-epoch 6\ninclude inc.conf\n");
    start();
    struct master *m = fixture_master(&f, "m");
    ck_assert_uint_eq(m->current->addr.port, 6380);
    ck_assert_int_eq(m->quorum, 3);
    ck_assert_uint_eq(m->config_epoch, 5);
    ck_assert_uint_eq(m->leader_epoch, 6);
    ck_assert_uint_eq(HASH_COUNT(m->replicas), 1);
    ck_assert_str_eq(m->voters->peer->addr.ip, "127.0.0.9");
    ck_assert_str_eq(m->renames->to, "y");
    ck_assert_ptr_null(m->renames->next);
    /* Plain settings: the later line counts, as stock's manual says. */
    ck_assert_int_eq(m->failover_timeout_ms, 7);
    restart();
}
END_TEST

START_TEST(two_included_files_disagree)
{
    struct conf_error error;

    put("inc.conf", "sentinel monitor m 127.0.0.1 6379 2\n");
    put("main.conf", "include inc.conf\ninclude inc.conf\n");
    f = (struct fixture){.conf = conf_new(), .core = core_new(1)};
    f.actions = core_actions_new();
    ck_assert_int_eq(conf_read_file(f.conf, "main.conf", &error), 0);
    ck_assert_int_eq(conf_apply(f.conf, f.core, &error), ERR_DUPLICATE);
    ck_assert_str_eq(error.reason, "Duplicate master name.");
}
END_TEST

/* Written by stock: interface.md appendix A and behaviour.md 15.2. */
START_TEST(files_of_stock)
{
    put("main.conf", "# my comment\nport 20011\nbind 127.0.0.1\ndir \"/tmp\"\n"
                     "logfile \"/tmp/log\"\nloglevel debug\n\n# another comment\n"
                     "sentinel monitor mymaster 127.0.0.1 20002 2\n"
                     "sentinel down-after-milliseconds mymaster 3000\n"
                     "sentinel failover-timeout mymaster 20000\n\n"
                     "# Generated by CONFIG REWRITE\n"
                     "latency-tracking-info-percentiles 50 99 99.9\n"
                     "protected-mode no\n"
                     "user default on nopass sanitize-payload ~* &* +@all\n"
                     "sentinel myid " ID "\n"
                     "sentinel config-epoch mymaster 1\n"
                     "sentinel leader-epoch mymaster 1\n"
                     "sentinel current-epoch 1\n\n"
                     "sentinel known-replica mymaster 127.0.0.1 20001\n\n"
                     "sentinel known-replica mymaster 127.0.0.1 20003\n\n"
                     "sentinel known-sentinel mymaster 127.0.0.1 20013 " ID_A "\n\n"
                     "sentinel known-sentinel mymaster 127.0.0.1 20012 " ID_B "\n");
    FILE *file = fopen("main.conf", "r");
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    start();
    ck_assert_str_eq(fixture_render(&f), text);
    ck_assert_int_eq(chdir(tmp), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_apply");
    TCase *tcase = tcase_create("apply");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, order_does_not_matter);
    tcase_add_test(tcase, large_epochs);
    tcase_add_test(tcase, harmless_oddities);
    tcase_add_test(tcase, one_replica_twice);
    tcase_add_test(tcase, included_masters);
    tcase_add_test(tcase, included_master_is_replaced);
    tcase_add_test(tcase, main_file_knows_better);
    tcase_add_test(tcase, two_included_files_disagree);
    tcase_add_test(tcase, files_of_stock);
    suite_add_tcase(suite, tcase);
    return suite;
}
