/*
 * check_conf_roundtrip.c - whatever the state is, the file that holds it gives it back.
 */
#include "common/rng.h"
#include "tests/unit/conf_fixture.h"

#include <stdio.h>

/* Odd texts: blanks, quotes, comment signs, line ends, other bytes; no NUL. */
static const char *random_text(struct rng *rng, char *out, size_t cap)
{
    static const char odd[] = " \t\n\r\"'\\#;=:,[]x\a\b\v\x7f\x80\xff";
    size_t len = 1 + rng_below(rng, (uint32_t)cap - 2);

    for (size_t i = 0; i < len; i++) {
        if (rng_chance(rng, 1, 3))
            out[i] = odd[rng_below(rng, sizeof odd - 1)];
        else if (rng_chance(rng, 1, 20))
            out[i] = (char)(1 + rng_below(rng, 255));
        else
            out[i] = (char)('a' + rng_below(rng, 26));
    }
    out[len] = '\0';
    return out;
}

static const char *random_host(struct rng *rng, char *out, size_t cap, bool names)
{
    uint32_t n = rng_below(rng, 200);

    if (names && rng_chance(rng, 1, 3))
        snprintf(out, cap, "host-%u.Example", n);
    else if (rng_chance(rng, 1, 3))
        snprintf(out, cap, "fe80::%x", n + 1);
    else
        snprintf(out, cap, "10.0.0.%u", n);
    return out;
}

static void random_id(struct rng *rng, char out[RUN_ID_CAP])
{
    for (int i = 0; i < RUN_ID_LEN; i++)
        out[i] = "0123456789abcdef"[rng_below(rng, 16)];
    out[RUN_ID_LEN] = '\0';
}

/* A number that is often an edge. */
static int64_t random_number(struct rng *rng, int64_t max)
{
    const int64_t edges[] = {1, 2, 30000, 180000, 2147483648, max};

    if (rng_chance(rng, 1, 2))
        return edges[rng_below(rng, sizeof edges / sizeof edges[0])];
    return rng_between(rng, 1, 1000000);
}

static void load_setting(struct core *core, const char *master, enum core_option option,
                         int64_t number, const char *text, const char *text2)
{
    struct core_setting setting = {
        .option = option, .number = number, .text = text, .text2 = text2};

    core_load_setting(core, master, &setting, NULL); /* a rename twice is refused */
}

static void random_settings(struct rng *rng, struct core *core, const char *name)
{
    static const enum core_option texts[] = {CORE_OPT_NOTIFICATION_SCRIPT,
                                             CORE_OPT_RECONFIG_SCRIPT,
                                             CORE_OPT_AUTH_PASS, CORE_OPT_AUTH_USER};
    static const enum core_option numbers[] = {
        CORE_OPT_DOWN_AFTER, CORE_OPT_FAILOVER_TIMEOUT,  CORE_OPT_PARALLEL_SYNCS,
        CORE_OPT_QUORUM,     CORE_OPT_REBOOT_DOWN_AFTER, CORE_OPT_FORGET_REPLICA};
    char a[40], b[40];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (rng_chance(rng, 1, 2))
            load_setting(core, name, texts[i], 0, random_text(rng, a, sizeof a), NULL);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (rng_chance(rng, 1, 2))
            load_setting(core, name, numbers[i], random_number(rng, 1000000000000000),
                         NULL, NULL);
    }
    load_setting(core, name, CORE_OPT_CONFIG_EPOCH, random_number(rng, INT64_MAX - 9),
                 NULL, NULL);
    load_setting(core, name, CORE_OPT_LEADER_EPOCH, random_number(rng, INT64_MAX - 9),
                 NULL, NULL);
    for (uint32_t n = rng_below(rng, 3); n > 0; n--)
        load_setting(core, name, CORE_OPT_RENAME_COMMAND, 0,
                     random_text(rng, a, sizeof a), random_text(rng, b, sizeof b));
}

static void random_master(struct rng *rng, struct core *core, const char *name,
                          bool names)
{
    char host[64], id[RUN_ID_CAP];

    if (core_load_monitor(core, name, random_host(rng, host, sizeof host, names),
                          rng_between(rng, 1, 65535), 1 + rng_below(rng, 9), NULL) != 0)
        return; /* there is one of that name */
    random_settings(rng, core, name);
    for (uint32_t n = rng_below(rng, 6); n > 0; n--)
        core_load_replica(core, name, random_host(rng, host, sizeof host, names),
                          rng_between(rng, 1, 65535), NULL);
    for (uint32_t n = rng_below(rng, 5); n > 0; n--) {
        random_id(rng, id);
        core_load_sentinel(core, name, random_host(rng, host, sizeof host, names),
                           rng_between(rng, 1, 65535), id, NULL);
    }
}

static struct core *random_core(struct rng *rng)
{
    struct core *core = core_new(rng_next(rng));
    bool names = rng_chance(rng, 1, 2);
    char text[40], id[RUN_ID_CAP];

    load_setting(core, NULL, CORE_OPT_RESOLVE_HOSTNAMES, names, NULL, NULL);
    load_setting(core, NULL, CORE_OPT_VOTE_FOR_UNKNOWN, rng_below(rng, 2), NULL, NULL);
    load_setting(core, NULL, CORE_OPT_ANNOUNCE_HOSTNAMES, rng_below(rng, 2), NULL,
                 NULL);
    load_setting(core, NULL, CORE_OPT_DENY_SCRIPTS, rng_below(rng, 2), NULL, NULL);
    random_id(rng, id);
    load_setting(core, NULL, CORE_OPT_MYID, 0, id, NULL);
    for (uint32_t n = rng_below(rng, 5); n > 0; n--)
        random_master(rng, core, random_text(rng, text, sizeof text), names);
    if (rng_chance(rng, 1, 4))
        random_master(rng, core, "", names);
    load_setting(core, NULL, CORE_OPT_CURRENT_EPOCH, random_number(rng, INT64_MAX - 1),
                 NULL, NULL);
    static const enum core_option texts[] = {
        CORE_OPT_ANNOUNCE_IP, CORE_OPT_SENTINEL_USER, CORE_OPT_SENTINEL_PASS};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (rng_chance(rng, 1, 2))
            load_setting(core, NULL, texts[i], 0, random_text(rng, text, sizeof text),
                         NULL);
    }
    if (rng_chance(rng, 1, 2))
        load_setting(core, NULL, CORE_OPT_ANNOUNCE_PORT, rng_below(rng, 65536), NULL,
                     NULL);
    return core;
}

static void same_text(const char *a, const char *b)
{
    ck_assert_str_eq(a != NULL ? a : "", b != NULL ? b : "");
}

static void same_addr(const struct addr *a, const struct addr *b)
{
    same_text(a->host, b->host);
    ck_assert_str_eq(a->ip, b->ip);
    ck_assert_uint_eq(a->port, b->port);
}

static void same_master(const struct master *a, const struct master *b)
{
    same_addr(&a->current->addr, &b->current->addr);
    ck_assert_int_eq(a->quorum, b->quorum);
    ck_assert_int_eq(a->parallel_syncs, b->parallel_syncs);
    ck_assert_int_eq(a->down_after_ms, b->down_after_ms);
    ck_assert_int_eq(a->failover_timeout_ms, b->failover_timeout_ms);
    ck_assert_int_eq(a->reboot_down_after_ms, b->reboot_down_after_ms);
    ck_assert_int_eq(a->forget_replica_ms, b->forget_replica_ms);
    ck_assert_int_eq(a->tls, b->tls);
    same_text(a->notification_script, b->notification_script);
    same_text(a->reconfig_script, b->reconfig_script);
    same_text(a->auth_pass, b->auth_pass);
    same_text(a->auth_user, b->auth_user);
    ck_assert_uint_eq(a->config_epoch, b->config_epoch);
    ck_assert_uint_eq(a->leader_epoch, b->leader_epoch);
    ck_assert_uint_eq(HASH_COUNT(a->replicas), HASH_COUNT(b->replicas));
    const struct node *other = b->replicas;
    for (const struct node *n = a->replicas; n != NULL; n = n->hh.next) {
        same_addr(&n->addr, &other->addr);
        other = other->hh.next;
    }
    ck_assert_uint_eq(HASH_COUNT(a->voters), HASH_COUNT(b->voters));
    const struct voter *twin = b->voters;
    for (const struct voter *v = a->voters; v != NULL; v = v->hh.next) {
        ck_assert_str_eq(v->peer->run_id, twin->peer->run_id);
        same_addr(&v->peer->addr, &twin->peer->addr);
        twin = twin->hh.next;
    }
    const struct renamed *renamed = b->renames;
    for (const struct renamed *r = a->renames; r != NULL; r = r->next) {
        ck_assert_str_eq(r->from, renamed->from);
        ck_assert_str_eq(r->to, renamed->to);
        renamed = renamed->next;
    }
    ck_assert_ptr_null(renamed);
}

static void same_core(const struct core *a, const struct core *b)
{
    static const enum core_option numbers[] = {
        CORE_OPT_DENY_SCRIPTS, CORE_OPT_RESOLVE_HOSTNAMES, CORE_OPT_ANNOUNCE_HOSTNAMES,
        CORE_OPT_VOTE_FOR_UNKNOWN, CORE_OPT_ANNOUNCE_PORT};

    ck_assert_str_eq(a->myid, b->myid);
    ck_assert_uint_eq(a->current_epoch, b->current_epoch);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ck_assert_int_eq(a->numbers[numbers[i]], b->numbers[numbers[i]]);
    same_text(a->announce_ip, b->announce_ip);
    same_text(a->sentinel_user, b->sentinel_user);
    same_text(a->sentinel_pass, b->sentinel_pass);
    ck_assert_uint_eq(HASH_COUNT(a->masters), HASH_COUNT(b->masters));
    for (const struct master *m = a->masters; m != NULL; m = m->hh.next) {
        const struct master *other = core_master_by_name(b, m->name);
        ck_assert_ptr_nonnull(other);
        same_master(m, other);
    }
}

START_TEST(state_survives)
{
    struct fixture loaded;
    struct buf first = {0};
    struct rng rng;

    rng_seed(&rng, (uint64_t)_i, 5);
    struct core *core = random_core(&rng);
    struct conf *conf = conf_new();
    conf_render(conf, core, &first);
    fixture_init(&loaded, buf_text(&first), first.len);
    same_core(core, loaded.core);
    ck_assert_str_eq(fixture_render(&loaded), first.data);

    fixture_release(&loaded);
    core_free(core);
    conf_free(conf);
    buf_release(&first);
}
END_TEST

static const char *random_name(struct rng *rng, struct core *core)
{
    uint32_t n = HASH_COUNT(core->masters);
    const struct master *master = core->masters;

    if (n == 0)
        return "nobody";
    for (n = rng_below(rng, n); n > 0; n--)
        master = master->hh.next;
    return master->name;
}

/* One change as clients make them. */
static void random_change(struct rng *rng, struct fixture *f)
{
    char text[40], text2[40], host[64];
    struct core_request request = {.client = 1};
    struct core_setting setting = {.text = random_text(rng, text, sizeof text),
                                   .text2 = random_text(rng, text2, sizeof text2),
                                   .number = random_number(rng, 1000000),
                                   .word = "x"};

    request.name = random_name(rng, f->core);
    request.settings = &setting;
    request.n_settings = 1;
    switch (rng_below(rng, 6)) {
    case 0:
        request.type = CORE_RQ_MONITOR;
        request.name = setting.text;
        request.host = random_host(rng, host, sizeof host, false);
        request.port = 6379;
        request.number = 2;
        break;
    case 1:
        request.type = CORE_RQ_REMOVE;
        break;
    case 2:
        request.type = CORE_RQ_RESET;
        request.text = rng_chance(rng, 1, 2) ? "*" : "[a-m]*";
        break;
    case 3:
        request.type = CORE_RQ_CONFIG;
        setting.option =
            rng_chance(rng, 1, 2) ? CORE_OPT_SENTINEL_PASS : CORE_OPT_RESOLVE_HOSTNAMES;
        setting.number = rng_below(rng, 2);
        break;
    default:
        request.type = CORE_RQ_SET;
        setting.option = rng_below(rng, CORE_OPT_RENAME_COMMAND + 1);
        break;
    }
    fixture_request(f, &request);
}

/* Rendering skips what did not change: is what it writes always the whole state? And do
 * lines of the user's own stay? */
START_TEST(edits_survive)
{
    struct fixture f, again;
    struct buf text = {0};
    struct rng rng;

    rng_seed(&rng, (uint64_t)_i, 6);
    struct core *core = random_core(&rng);
    struct conf *conf = conf_new();
    conf_render(conf, core, &text);
    core_free(core);
    conf_free(conf);
    buf_puts(&text, "\n\n  # comment of mine\nport  77 \n\n");
    fixture_init(&f, text.data, text.len);
    for (int i = 0; i < 12; i++) {
        random_change(&rng, &f);
        bool is_broken = f.core->numbers[CORE_OPT_RESOLVE_HOSTNAMES] == 0 &&
                         strstr(fixture_render(&f), "host-") != NULL;
        if (is_broken) /* names that were never resolved, and must not be any more */
            continue;
        fixture_check_reload(&f);
        fixture_init(&again, f.out.data, f.out.len);
        same_core(f.core, again.core);
        fixture_release(&again);
        ck_assert_ptr_nonnull(
            strstr(f.out.data, "\n\n  # comment of mine\nport  77 \n"));
    }
    fixture_release(&f);
    buf_release(&text);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_roundtrip");
    TCase *tcase = tcase_create("roundtrip");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, state_survives, 0, 500);
    tcase_add_loop_test(tcase, edits_survive, 0, 200);
    suite_add_tcase(suite, tcase);
    return suite;
}
