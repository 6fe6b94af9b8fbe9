/*
 * check_sign.c - signed hellos: their form, who is believed, and how secrets change.
 */
#include "tests/lib/mac.h"
#include "tests/lib/rig.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define PEER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HELLO(epoch) "127.0.0.1,5001," PEER_A "," epoch ",m,127.0.0.1,6379,0"
#define OLD "the old secret of all"
#define NEW "the new secret of all"

static struct rig rig;

static int set(enum core_option option, const char *text, int64_t number)
{
    struct core_setting setting = {.option = option, .text = text, .number = number};
    struct core_request request = {
        .type = CORE_RQ_CONFIG, .client = 1, .settings = &setting, .n_settings = 1};

    rig.answer.answer.kind = CORE_ANSWER_ERROR;
    rig_request(&rig, &request);
    return rig.answer.answer.kind == CORE_ANSWER_OK ? 0 : -1;
}

/* A master on 6379, and PEER_A on 5001. */
static void begin(const char *secret, enum core_gossip_auth auth)
{
    rig_init(&rig, 7);
    ck_assert_int_eq(core_load_monitor(rig.core, "m", "127.0.0.1", 6379, 2, NULL), 0);
    core_load_sentinel(rig.core, "m", "127.0.0.1", 5001, PEER_A, NULL);
    if (secret != NULL)
        rig_set_text(&rig, NULL, CORE_OPT_GOSSIP_SECRET, secret);
    rig_set(&rig, NULL, CORE_OPT_GOSSIP_AUTH, auth);
    rig_start(&rig);
}

static void say_signed(const char *hello, const char *secret, int64_t stamp)
{
    struct buf text = {0};

    buf_puts(&text, hello);
    mac_companion(&text, secret, stamp, 0);
    rig_say_hello(&rig, text.data);
    buf_release(&text);
}

START_TEST(test_who_is_believed)
{
    begin(OLD, GOSSIP_AUTH_REQUIRE);
    rig_say_hello(&rig, HELLO("3"));
    ck_assert(rig_saw(&rig, "-hello-unsigned " PEER_A " 127.0.0.1:5001 m"));
    say_signed(HELLO("4"), NEW, rig.wall);
    ck_assert(rig_saw(&rig, "-hello-bad-signature " PEER_A));
    ck_assert_uint_eq(rig.core->current_epoch, 0);
    say_signed(HELLO("5"), OLD, rig.wall);
    ck_assert(rig_saw(&rig, "+hello-signed " PEER_A));
    ck_assert_uint_eq(rig.core->current_epoch, 5);
    /* What it signed comes plain as well, and is not worth a word. */
    rig_say_hello(&rig, HELLO("5"));
    ck_assert_uint_eq(rig.core->n_unsigned, 1);
    rig_say_hello(&rig, HELLO("6"));
    ck_assert_uint_eq(rig.core->n_unsigned, 2);
    ck_assert_uint_eq(rig.core->current_epoch, 5);
    /* Without a secret of its own, a sentinel reads neither. */
    rig_release(&rig);
    begin(NULL, GOSSIP_AUTH_UNSET);
    say_signed(HELLO("5"), OLD, rig.wall);
    ck_assert_uint_eq(rig.core->current_epoch, 0);
    ck_assert_uint_eq(rig.core->n_bad_hellos, 0);
    rig_say_hello(&rig, HELLO("5"));
    ck_assert_uint_eq(rig.core->current_epoch, 5);
    rig_release(&rig);
}
END_TEST

/* Every bit of a companion is proved, and nothing but a companion is taken for one. */
START_TEST(test_damaged_companions)
{
    struct buf good = {0}, text = {0};

    begin(OLD, GOSSIP_AUTH_REQUIRE);
    buf_puts(&good, HELLO("5"));
    mac_companion(&good, OLD, rig.wall, 7);
    for (size_t i = 0; i < good.len; i++) {
        static const char others[] = "0,g\377\001";
        for (size_t k = 0; k < sizeof(others) - 1; k++) {
            buf_clear(&text);
            buf_append(&text, good.data, good.len);
            if (text.data[i] == others[k])
                continue;
            text.data[i] = others[k];
            rig_say_hello(&rig, text.data);
            ck_assert_uint_eq(rig.core->current_epoch, 0);
        }
        buf_clear(&text); /* and cut short */
        buf_append(&text, good.data, i);
        rig_say_hello(&rig, buf_text(&text));
        ck_assert_uint_eq(rig.core->current_epoch, 0);
    }
    ck_assert(!core_is_signer(rig.core, PEER_A));
    rig_say_hello(&rig, good.data);
    ck_assert_uint_eq(rig.core->current_epoch, 5);
    buf_release(&good);
    buf_release(&text);
    rig_release(&rig);
}
END_TEST

START_TEST(test_old_companions)
{
    begin(OLD, GOSSIP_AUTH_REQUIRE);
    say_signed(HELLO("4"), OLD, rig.wall);
    rig_introduce(&rig, 5001, PEER_A);
    say_signed(HELLO("5"), OLD, rig.wall);
    say_signed(HELLO("6"), OLD, rig.wall - 9000); /* through a slow server */
    ck_assert_uint_eq(rig.core->current_epoch, 6);
    say_signed(HELLO("7"), OLD, rig.wall - 11000);
    ck_assert_uint_eq(rig.core->current_epoch, 6);
    ck_assert_uint_eq(rig.core->n_stale, 1);
    /* It starts again, perhaps elsewhere, with a clock that went back. */
    rig_lose_link(&rig, 5001, "gone");
    say_signed(HELLO("8"), OLD, rig.wall - 3600000);
    ck_assert_uint_eq(rig.core->current_epoch, 8);
    rig_release(&rig);
}
END_TEST

START_TEST(test_secrets_change_places)
{
    begin(OLD, GOSSIP_AUTH_REQUIRE);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET_ALSO, NEW, 0), 0);
    say_signed(HELLO("1"), NEW, rig.wall);
    say_signed(HELLO("2"), OLD, rig.wall);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, NEW, 0), 0);
    ck_assert_str_eq(rig.core->gossip_secret, NEW);
    ck_assert_str_eq(rig.core->gossip_secret_also, OLD);
    say_signed(HELLO("3"), OLD, rig.wall);
    say_signed(HELLO("4"), NEW, rig.wall);
    ck_assert_uint_eq(rig.core->current_epoch, 4);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET_ALSO, "", 0), 0);
    say_signed(HELLO("5"), OLD, rig.wall);
    ck_assert_uint_eq(rig.core->current_epoch, 4);
    ck_assert_uint_eq(rig.core->n_bad_signatures, 1);
    /* A new one that nobody was told of just replaces the other. */
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, OLD, 0), 0);
    ck_assert_ptr_null(rig.core->gossip_secret_also);
    rig_release(&rig);
}
END_TEST

START_TEST(test_settings_that_cannot_be)
{
    char text[GOSSIP_SECRET_MAX + 2];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    begin(NULL, GOSSIP_AUTH_UNSET);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_AUTH, NULL, GOSSIP_AUTH_REQUIRE), -1);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, "123456789012345", 0), -1);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, text, 0), -1);
    ck_assert_int_eq(core_gossip_auth(rig.core), GOSSIP_AUTH_OFF);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, text + 1, 0), 0);
    ck_assert_int_eq(core_gossip_auth(rig.core), GOSSIP_AUTH_PREFER);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_AUTH, NULL, GOSSIP_AUTH_REQUIRE), 0);
    ck_assert_int_eq(set(CORE_OPT_GOSSIP_SECRET, "", 0), -1);
    ck_assert_int_eq(core_gossip_auth(rig.core), GOSSIP_AUTH_REQUIRE);
    rig_release(&rig);
    /* A driver that cannot sign must not seem to. */
    struct core_setting secret = {.option = CORE_OPT_GOSSIP_SECRET, .text = OLD};
    struct error err = {{0}};
    struct core *core = core_new(1);
    ck_assert_int_eq(core_load_setting(core, NULL, &secret, &err), ERR_STATE);
    core_free(core);
}
END_TEST

/* The memory of who signs is bounded, and drops who was silent for longest. */
START_TEST(test_many_signers)
{
    char hello[200];

    begin(OLD, GOSSIP_AUTH_PREFER);
    for (int i = 0; i < 300; i++) {
        rig_run(&rig, 1);
        snprintf(hello, sizeof(hello), "127.0.0.1,5001,%040d,0,m,127.0.0.1,6379,0", i);
        say_signed(hello, OLD, rig.wall);
    }
    ck_assert_uint_le(HASH_COUNT(rig.core->signers), 256);
    ck_assert(!core_is_signer(rig.core, "0000000000000000000000000000000000000000"));
    ck_assert(core_is_signer(rig.core, "0000000000000000000000000000000000000299"));
    rig_release(&rig);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("sign");
    TCase *tc = tcase_create("sign");

    tcase_add_test(tc, test_who_is_believed);
    tcase_add_test(tc, test_damaged_companions);
    tcase_add_test(tc, test_old_companions);
    tcase_add_test(tc, test_secrets_change_places);
    tcase_add_test(tc, test_settings_that_cannot_be);
    tcase_add_test(tc, test_many_signers);
    suite_add_tcase(suite, tc);
    return suite;
}
