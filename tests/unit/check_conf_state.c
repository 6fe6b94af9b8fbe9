/*
 * check_conf_state.c - `sentinel state-dir`: what was declared and what was recorded.
 */
#include "common/mem.h"
#include "tests/unit/conf_fixture.h"

#include <stdio.h>

#define ID "0123456789012345678901234567890123456789"
#define PEER "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct fixture f;
static char notes[2000];

/* A sentinel whose configuration is |declared| and whose state file holds |state|. */
static void start(const char *declared, const char *state)
{
    struct conf_error error = {0};
    enum log_level level;
    const char *note;

    f.conf = conf_new();
    f.core = core_new(7);
    f.actions = core_actions_new();
    f.out = (struct buf){0};
    int rc = conf_read_main_text(f.conf, declared, strlen(declared), &error);
    ck_assert_int_eq(rc, 0);
    ck_assert_str_eq(conf_state_dir(f.conf), "/s");
    rc = conf_read_state_text(f.conf, "/s/x.state", state, strlen(state), &error);
    if (rc == 0)
        rc = conf_apply(f.conf, f.core, &error);
    ck_assert_msg(rc == 0, "line %d: %s: %s\nin:\n%s", error.line, error.text,
                  error.reason, state);
    notes[0] = '\0';
    while ((note = conf_next_note(f.conf, &level)) != NULL)
        snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", note);
}

/* The same after a restart with another configuration: the state file is what the last
 * one would have written. */
static void restart(const char *declared)
{
    char *state = mem_strdup(fixture_render(&f));

    fixture_release(&f);
    start(declared, state);
    mem_free(state);
}

/* The state file without its comments. */
static const char *state(void)
{
    const char *text = fixture_render(&f);

    while (*text == '#')
        text = strchr(text, '\n') + 1;
    return text;
}

static void monitor(const char *name, int port, int quorum)
{
    fixture_request(&f, &(struct core_request){.type = CORE_RQ_MONITOR,
                                               .client = 1,
                                               .name = name,
                                               .host = "10.0.0.9",
                                               .port = port,
                                               .number = quorum});
}

static void remove_master(const char *name)
{
    fixture_request(
        &f, &(struct core_request){.type = CORE_RQ_REMOVE, .client = 1, .name = name});
}

/* As after a failover. */
static void move_master(const char *name, const char *hello)
{
    char text[300];

    struct master *master = (struct master *)fixture_master(&f, name);

    ck_assert_ptr_nonnull(master);
    /* As if SENTINEL RESET had made us forget the sender: it is known to be real. */
    if (master->former == NULL)
        master->former = mem_resize(NULL, 1, sizeof(*master->former));
    memcpy(master->former[0], PEER, RUN_ID_CAP);
    master->n_former = 1;
    snprintf(text, sizeof text, "10.0.0.5,26379,%s,7,%s,%s,7", PEER, name, hello);
    fixture_request(&f, &(struct core_request){.type = CORE_RQ_HELLO,
                                               .client = 1,
                                               .text = text,
                                               .text_len = strlen(text)});
}

#define HEAD                                                                           \
    "sentinel state-dir /s\n"                                                          \
    "sentinel myid " ID "\n"

START_TEST(only_state_is_written)
{
    start(HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
               "port 1234\nsentinel auth-pass m \"a b\"\n",
          "");
    ck_assert_str_eq(state(), "sentinel myid " ID "\n"
                              "sentinel config-epoch m 0\n"
                              "sentinel leader-epoch m 0\n"
                              "sentinel current-epoch 0\n");
    ck_assert_int_eq(strncmp(fixture_render(&f), "# State of a sentinel", 21), 0);
    fixture_release(&f);
}
END_TEST

START_TEST(a_failover_survives)
{
    start(HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
               "sentinel down-after-milliseconds m 5000\n",
          "");
    move_master("m", "10.0.0.2,6380");
    ck_assert_ptr_nonnull(strstr(state(), "sentinel monitor m 10.0.0.2 6380 2\n"
                                          "sentinel declared m 10.0.0.1 6379 2\n"));
    /* The quorum is changed, the address is not where the master is. */
    restart(HEAD "sentinel monitor m 10.0.0.1 6379 3\n"
                 "sentinel down-after-milliseconds m 7000\n");
    const struct master *master = fixture_master(&f, "m");
    ck_assert_str_eq(master->current->addr.ip, "10.0.0.2");
    ck_assert_int_eq(master->quorum, 3);
    ck_assert_int_eq(master->down_after_ms, 7000);
    ck_assert_uint_eq(master->config_epoch, 7);
    ck_assert_ptr_null(strstr(state(), "down-after"));
    /* The failover is history, but nobody else may say where the master is. */
    restart(HEAD "sentinel monitor m 10.0.0.77 6379 3\n");
    ck_assert_str_eq(fixture_master(&f, "m")->current->addr.ip, "10.0.0.2");
    ck_assert_ptr_nonnull(strstr(notes, "declared at 10.0.0.77:6379, but is known to be"
                                        " at 10.0.0.2:6380"));
    fixture_release(&f);
}
END_TEST

START_TEST(before_the_first_failover_the_declaration_counts)
{
    start(HEAD "sentinel monitor m 10.0.0.1 6379 2\n", "");
    restart(HEAD "sentinel monitor m 10.0.0.4 6379 2\n");
    ck_assert_str_eq(fixture_master(&f, "m")->current->addr.ip, "10.0.0.4");
    ck_assert_str_eq(notes, "");
    fixture_release(&f);
}
END_TEST

START_TEST(what_clients_set_survives)
{
    const char *declared = HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
                                "sentinel parallel-syncs m 3\n"
                                "sentinel auth-pass m x\n"
                                "sentinel sentinel-pass y\n"
                                "sentinel rename-command m CONFIG GUESS\n";
    start(declared, "");
    fixture_set_number(&f, "m", CORE_OPT_PARALLEL_SYNCS, 1); /* the default */
    fixture_set_number(&f, "m", CORE_OPT_QUORUM, 5);
    fixture_set_text(&f, "m", CORE_OPT_AUTH_PASS, "", NULL);
    fixture_set_text(&f, "m", CORE_OPT_RENAME_COMMAND, "config", "CONFIG");
    struct core_setting no_pass = {
        .option = CORE_OPT_SENTINEL_PASS, .text = "", .word = "sentinel-pass"};
    fixture_request(&f, &(struct core_request){.type = CORE_RQ_CONFIG,
                                               .client = 1,
                                               .settings = &no_pass,
                                               .n_settings = 1});
    monitor("new", 6379, 1);
    restart(declared);
    const struct master *master = fixture_master(&f, "m");
    ck_assert_int_eq(master->parallel_syncs, 1);
    ck_assert_int_eq(master->quorum, 5);
    ck_assert_ptr_null(master->auth_pass);
    ck_assert_ptr_null(f.core->sentinel_pass);
    ck_assert_str_eq(master->renames->to, "CONFIG");
    ck_assert_str_eq(fixture_master(&f, "new")->current->addr.ip, "10.0.0.9");
    ck_assert_ptr_nonnull(strstr(notes, "parallel-syncs of m: the value in /s/x.state "
                                        "counts, not the declared one\n"));
    /* Set to what is declared, it is not in the state any more. */
    fixture_set_number(&f, "m", CORE_OPT_PARALLEL_SYNCS, 3);
    fixture_set_number(&f, "m", CORE_OPT_QUORUM, 2);
    ck_assert_ptr_null(strstr(state(), "parallel-syncs"));
    ck_assert_ptr_null(strstr(state(), "monitor m"));
    fixture_release(&f);
}
END_TEST

START_TEST(a_removed_master_stays_away)
{
    const char *declared = HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
                                "sentinel down-after-milliseconds m 5000\n";
    start(declared, "");
    remove_master("m");
    ck_assert_ptr_nonnull(strstr(state(), "sentinel removed m 10.0.0.1 6379 2\n"));
    restart(declared);
    ck_assert_ptr_null(core_master_by_name(f.core, "m"));
    ck_assert_ptr_nonnull(strstr(notes, "removed by SENTINEL REMOVE"));
    restart(declared);
    ck_assert_ptr_null(core_master_by_name(f.core, "m"));
    /* Monitored again by hand, somewhere else. */
    monitor("m", 6390, 2);
    ck_assert_ptr_null(strstr(state(), "removed"));
    restart(declared);
    ck_assert_int_eq(fixture_master(&f, "m")->current->addr.port, 6390);
    /* A declaration that is changed is a new wish. */
    remove_master("m");
    restart(HEAD "sentinel monitor m 10.0.0.3 6379 2\n");
    ck_assert_str_eq(fixture_master(&f, "m")->current->addr.ip, "10.0.0.3");
    ck_assert_ptr_null(strstr(state(), "removed"));
    fixture_release(&f);
}
END_TEST

START_TEST(a_master_that_is_not_declared_any_more_goes)
{
    start(HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
               "sentinel monitor other 10.0.0.8 6379 2\n",
          "");
    monitor("mine", 6379, 1);
    move_master("m", "10.0.0.2,6380");
    restart(HEAD);
    ck_assert_ptr_null(core_master_by_name(f.core, "m"));
    ck_assert_ptr_null(core_master_by_name(f.core, "other"));
    ck_assert_ptr_nonnull(core_master_by_name(f.core, "mine"));
    ck_assert_ptr_nonnull(strstr(notes, "Master 'm' is not declared any more"));
    ck_assert_ptr_null(strstr(state(), " m "));
    fixture_release(&f);
}
END_TEST

/* A file that was written itself so far becomes the declared one. */
START_TEST(a_whole_file_is_taken_over)
{
    start(HEAD "sentinel monitor m 10.0.0.1 6379 2\n"
               "sentinel config-epoch m 4\nsentinel leader-epoch m 5\n"
               "sentinel known-replica m 10.0.0.2 6379\n"
               "sentinel known-sentinel m 10.0.0.5 26379 " PEER "\n"
               "sentinel current-epoch 5\n",
          "");
    const char *first = state();
    ck_assert_ptr_nonnull(strstr(first, "sentinel monitor m 10.0.0.1 6379 2\n"));
    ck_assert_ptr_nonnull(strstr(first, "sentinel leader-epoch m 5\n"));
    ck_assert_ptr_nonnull(strstr(first, "sentinel known-replica m 10.0.0.2 6379\n"));
    ck_assert_ptr_nonnull(strstr(first, PEER "\nsentinel current-epoch 5\n"));
    /* From then on its records are old: this replica is gone, the peer is not. */
    restart("sentinel state-dir /s\nsentinel monitor m 10.0.0.1 6379 2\n"
            "sentinel known-replica m 10.0.0.66 6379\n");
    ck_assert_str_eq(f.core->myid, ID);
    ck_assert_uint_eq(fixture_master(&f, "m")->leader_epoch, 5);
    ck_assert_uint_eq(HASH_COUNT(fixture_master(&f, "m")->replicas), 1);
    ck_assert_uint_eq(HASH_COUNT(fixture_master(&f, "m")->voters), 1);
    fixture_release(&f);
}
END_TEST

START_TEST(the_command_line_is_declared_too)
{
    static const char line[] = "sentinel monitor m 10.0.0.1 6379 2\nport 7\n"
                               "sentinel state-dir /s\n";
    struct conf_error error = {0};

    f.conf = conf_new();
    f.core = core_new(7);
    f.actions = core_actions_new();
    f.out = (struct buf){0};
    ck_assert_int_eq(conf_read_text(f.conf, line, strlen(line), &error), 0);
    ck_assert_str_eq(conf_state_dir(f.conf), "/s");
    ck_assert_int_eq(conf_read_state_text(f.conf, "/s/x.state", "", 0, &error), 0);
    ck_assert_int_eq(conf_apply(f.conf, f.core, &error), 0);
    ck_assert_ptr_null(strstr(state(), "port"));
    ck_assert_ptr_null(strstr(state(), "monitor"));
    ck_assert_ptr_nonnull(strstr(state(), "config-epoch m 0"));
    fixture_release(&f);
}
END_TEST

START_TEST(a_bad_state_file_is_named)
{
    static const char *const bad[] = {"sentinel current-epoch 1\nfrob yes\n",
                                      "sentinel monitor m 10.0.0.1 6379 0\n",
                                      "sentinel removed m\n"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct conf_error error = {0};
        struct conf *conf = conf_new();
        struct core *core = core_new(7);
        ck_assert_int_eq(conf_read_main_text(conf, "sentinel state-dir /s\n", 22, NULL),
                         0);
        int rc =
            conf_read_state_text(conf, "/s/x.state", bad[i], strlen(bad[i]), &error);
        if (rc == 0)
            rc = conf_apply(conf, core, &error);
        ck_assert_int_ne(rc, 0);
        ck_assert_ptr_nonnull(strstr(error.reason, " (in /s/x.state)"));
        core_free(core);
        conf_free(conf);
    }
}
END_TEST

/* ---------------------------------------------------------------------- users ---- */

static const char *users[3]; /* lines; NULL ends them */

static void each_user(void *ctx, conf_user_fn *each, void *each_ctx)
{
    (void)ctx;
    for (size_t i = 0; users[i] != NULL; i++) {
        char name[20];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(users[i] + 5, " "),
                 users[i] + 5);
        each(each_ctx, name, users[i], false);
    }
}

START_TEST(users_are_written_when_they_differ)
{
    const char *declared = HEAD "user ann on >x +ping\n";
    users[0] = "user ann on #11 +ping";
    users[1] = users[2] = NULL;
    start(declared, "");
    conf_set_users(f.conf, each_user, NULL);
    ck_assert_ptr_null(strstr(state(), "user"));
    users[0] = "user ann on #11 +info";
    users[1] = "user bob on";
    ck_assert_ptr_nonnull(strstr(state(), "user ann on #11 +info\nuser bob on\n"));

    restart(declared);
    conf_set_users(f.conf, each_user, NULL);
    ck_assert_str_eq(conf_words(f.conf, "user", 0)->words[3], "#11");
    ck_assert_str_eq(conf_words(f.conf, "user", 1)->words[1], "bob");
    ck_assert_ptr_null(conf_words(f.conf, "user", 2));

    /* Nobody who is declared can be left out, but can lose all rights. */
    users[0] = NULL;
    ck_assert_ptr_nonnull(strstr(state(), "user ann off\n"));
    ck_assert_ptr_null(strstr(state(), "bob"));
    ck_assert_ptr_nonnull(strstr(state(), "user ann off\n"));
    fixture_release(&f);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_state");
    TCase *tcase = tcase_create("conf_state");

    tcase_add_test(tcase, only_state_is_written);
    tcase_add_test(tcase, a_failover_survives);
    tcase_add_test(tcase, before_the_first_failover_the_declaration_counts);
    tcase_add_test(tcase, what_clients_set_survives);
    tcase_add_test(tcase, a_removed_master_stays_away);
    tcase_add_test(tcase, a_master_that_is_not_declared_any_more_goes);
    tcase_add_test(tcase, a_whole_file_is_taken_over);
    tcase_add_test(tcase, the_command_line_is_declared_too);
    tcase_add_test(tcase, a_bad_state_file_is_named);
    tcase_add_test(tcase, users_are_written_when_they_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}
