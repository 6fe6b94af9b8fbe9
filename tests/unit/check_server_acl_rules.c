/*
 * check_server_acl_rules.c - random rules, compared with a simple model; the line that
 * ACL LIST shows of them, read again, must permit exactly the same. The number of the
 * loop is the seed.
 */
#include "sentinel/server/acl.h"
#include "tests/lib/runner.h"

#include "common/args.h"
#include "common/mem.h"
#include "common/rng.h"

#include <check.h>
#include <string.h>

#define N_SEEDS 300
#define N_RULES 12

/* What is allowed, by command_id(): all, or with the first argument "a" or "b". */
struct model {
    bool all[COMMANDS_MAX];
    bool a[COMMANDS_MAX], b[COMMANDS_MAX];
};

static struct rng rng;

static const struct command *random_command(void)
{
    const struct command *command;

    do {
        command = command_by_id((int)rng_below(&rng, COMMANDS_MAX));
    } while (command == NULL || (command->flags & CMD_HIDDEN) != 0);
    return command;
}

static void model_set(struct model *model, int id, bool on)
{
    model->all[id] = on;
    model->a[id] = model->b[id] = false;
}

static bool is_within(const struct command *command, const struct command *container)
{
    size_t len = strlen(container->name);

    return command == container || (strncmp(command->name, container->name, len) == 0 &&
                                    command->name[len] == '|');
}

/* Makes up a rule about commands, and does in |model| what it says. */
static void random_rule(struct model *model, struct buf *rule)
{
    const struct command *named = random_command(), *command;
    bool allows = rng_chance(&rng, 1, 2);
    int category = (int)rng_below(&rng, CAT_N);
    uint32_t kind = rng_below(&rng, 16);

    buf_putc(rule, allows ? '+' : '-');
    if (kind == 0)
        buf_puts(rule, "@all");
    else if (kind < 6)
        buf_printf(rule, "@%s", command_category_name(category));
    else
        buf_puts(rule, named->name);
    if (kind >= 12 && allows && named->subs == NULL &&
        strchr(named->name, '|') == NULL) {
        int id = command_id(named);
        bool is_a = rng_chance(&rng, 1, 2);
        buf_puts(rule, is_a ? "|a" : "|b");
        *(is_a ? &model->a[id] : &model->b[id]) |= !model->all[id];
        return;
    }
    for (int id = 0; (command = command_by_id(id)) != NULL; id++) {
        if ((command->flags & CMD_HIDDEN) != 0)
            continue;
        if (kind == 0 || (kind < 6 ? (command->categories >> category & 1) != 0
                                   : is_within(command, named)))
            model_set(model, id, allows);
    }
}

static bool permits(const struct user *user, const struct command *command,
                    const char *first)
{
    struct resp_arg argv[2] = {{"x", 1}, {first, strlen(first)}};
    const struct resp_arg *bad;

    return acl_check(user, command, argv, 2, &bad) != ACL_DENIED_COMMAND;
}

static void expect_model(const struct user *user, const struct model *model)
{
    const struct command *command;

    for (int id = 0; (command = command_by_id(id)) != NULL; id++) {
        if ((command->flags & CMD_NO_AUTH) != 0)
            continue;
        ck_assert_int_eq(permits(user, command, "A"), model->all[id] || model->a[id]);
        ck_assert_int_eq(permits(user, command, "b"), model->all[id] || model->b[id]);
        ck_assert_int_eq(permits(user, command, "c"), model->all[id]);
    }
}

static void apply(struct user *user, const char *rule, size_t len)
{
    struct error err;

    ck_assert_int_eq(acl_rule_apply(user, rule, len, false, &err), 0);
}

/* The user whom |line| describes. */
static void read_line(struct acl *acl, const char *line)
{
    struct buf errors = {0};

    acl_init(acl, NULL, false);
    int rc = acl_file_read(acl, "file", line, strlen(line), &errors);
    ck_assert_msg(rc == 0, "%s: %s", line, buf_text(&errors));
    buf_release(&errors);
}

static size_t count_rules(const struct user *user)
{
    return user->selectors->n_rules + user->selectors->n_first_args;
}

START_TEST(test_random_rules)
{
    struct model model = {0};
    struct acl acl, again;
    struct buf rule = {0}, line = {0}, same = {0};

    rng_seed(&rng, (uint64_t)_i, 1);
    acl_init(&acl, NULL, false);
    struct user *user = acl_add(&acl, "x");
    apply(user, "allchannels", 11);
    for (uint32_t n = rng_below(&rng, N_RULES + 1); n > 0; n--) {
        buf_clear(&rule);
        random_rule(&model, &rule);
        apply(user, rule.data, rule.len);
        if (rng_chance(&rng, 1, 4))
            acl_rule_tidy(user);
        expect_model(user, &model);
    }
    acl_rule_tidy(user);
    expect_model(user, &model);

    acl_text_user(&line, user);
    read_line(&again, line.data);
    struct user *other = acl_find(&again, "x", 1);
    expect_model(other, &model);
    ck_assert_uint_eq(count_rules(other), count_rules(user));
    acl_text_user(&same, other);
    ck_assert_str_eq(same.data, line.data);

    acl_release(&acl);
    acl_release(&again);
    buf_release(&rule);
    buf_release(&line);
    buf_release(&same);
}
END_TEST

static const char *const random_words[] = {
    "on",
    "off",
    "nopass",
    "resetpass",
    "reset",
    ">p",
    "<p",
    ">",
    "#12",
    "~a",
    "~*",
    "%R~a",
    "%W~b",
    "%RW~*",
    "%R",
    "%",
    "allkeys",
    "resetkeys",
    "&a",
    "&*",
    "&a*",
    "(+ping",
    "+info)",
    "(~a)",
    "()",
    "((",
    "(&* +@all)",
    "+@all",
    "-@all",
    "+@fast",
    "-@slow",
    "+ping",
    "-ping",
    "+ping|x",
    "+x",
    "+@x",
    "+sentinel",
    "-sentinel|set",
    "foo",
    "",
    "+|",
    "clearselectors",
    "skip-sanitize-payload",
    "sanitize-payload",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
    "&\"",
    "~\\",
};

#define N_WORDS ((uint32_t)(sizeof(random_words) / sizeof(random_words[0])))

/* Rules of any kind, right or wrong, and bytes of any kind: nothing may go wrong, and
 * what is shown reads back. */
START_TEST(test_random_words)
{
    enum { N = 20 };
    struct resp_arg in[N], joined[N];
    struct acl acl, again;
    struct buf line = {0}, same = {0};
    struct error err;
    size_t open, n;

    rng_seed(&rng, (uint64_t)_i, 2);
    n = rng_below(&rng, N);
    acl_init(&acl, NULL, rng_chance(&rng, 1, 2));
    struct user *user = acl_add(&acl, "x");
    for (size_t i = 0; i < n; i++) {
        const char *word = random_words[rng_below(&rng, N_WORDS)];
        in[i] = (struct resp_arg){word, strlen(word)};
    }
    int n_joined = acl_words_join(in, n, joined, &open);
    for (int i = 0; i < n_joined; i++) {
        struct user changed;
        user_copy(&changed, user);
        if (acl_rule_apply(&changed, joined[i].str, joined[i].len,
                           acl.has_open_channels, &err) == 0)
            user_replace(user, &changed);
        else
            user_release(&changed);
    }
    if (n_joined > 0)
        acl_words_free(joined, (size_t)n_joined);
    acl_rule_tidy(user);
    acl_text_user(&line, user);
    read_line(&again, line.data);
    acl_text_user(&same, acl_find(&again, "x", 1));
    ck_assert_str_eq(same.data, line.data);

    acl_release(&acl);
    acl_release(&again);
    buf_release(&line);
    buf_release(&same);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_acl_rules");
    TCase *tcase = tcase_create("rules");

    tcase_add_loop_test(tcase, test_random_rules, 0, N_SEEDS);
    tcase_add_loop_test(tcase, test_random_words, 0, N_SEEDS);
    suite_add_tcase(suite, tcase);
    return suite;
}
