/*
 * fuzz_acl.c - rules of users: a file of them that is accepted must be written so that
 * it is read back as the same permissions; single rules must leave a user that can be
 * shown, and read back, too.
 */
#include "common/args.h"
#include "common/assert.h"
#include "sentinel/server/acl.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool permits(const struct user *user, const struct command *command,
                    const char *first)
{
    struct resp_arg argv[2] = {{"x", 1}, {first, strlen(first)}};
    const struct resp_arg *bad;

    return acl_check(user, command, argv, 2, &bad) != ACL_DENIED_COMMAND;
}

static void check_same_permissions(const struct user *a, const struct user *b)
{
    const struct command *command;

    ASSERT(a->is_on == b->is_on && a->is_nopass == b->is_nopass);
    ASSERT_CMP(a->n_digests, ==, b->n_digests);
    for (int id = 0; (command = command_by_id(id)) != NULL; id++) {
        ASSERT(permits(a, command, "a") == permits(b, command, "a"));
        ASSERT(permits(a, command, "zz") == permits(b, command, "zz"));
    }
    ASSERT(acl_permits_topic(a, "+sdown", 6, false) ==
           acl_permits_topic(b, "+sdown", 6, false));
    ASSERT(acl_permits_topic(a, "+s*", 3, true) ==
           acl_permits_topic(b, "+s*", 3, true));
}

/* What acl_file_write() makes of |acl| must be read as the same, and stay as it is. */
static void check_round_trip(const struct acl *acl)
{
    struct buf text = {0}, text_again = {0}, errors = {0};
    struct acl again;

    acl_file_write(&text, acl);
    acl_init(&again, NULL, acl->has_open_channels);
    int status = acl_file_read(&again, "f", buf_text(&text), text.len, &errors);
    ASSERT(status == 0);
    ASSERT_CMP(HASH_COUNT(acl->users), ==, HASH_COUNT(again.users));
    for (const struct user *u = acl->users; u != NULL; u = u->hh.next) {
        const struct user *other = acl_find(&again, u->name, strlen(u->name));
        ASSERT(other != NULL);
        check_same_permissions(u, other);
    }
    acl_file_write(&text_again, &again);
    ASSERT(text.len == text_again.len &&
           memcmp(buf_text(&text), buf_text(&text_again), text.len) == 0);
    acl_release(&again);
    buf_release(&text);
    buf_release(&text_again);
    buf_release(&errors);
}

static void check_file(const char *text, size_t len)
{
    struct buf errors = {0};
    struct acl acl;

    acl_init(&acl, NULL, false);
    if (acl_file_read(&acl, "f", text, len, &errors) == 0) {
        acl_sort(&acl);
        check_round_trip(&acl);
    } else {
        ASSERT(errors.len > 0);
    }
    acl_release(&acl);
    buf_release(&errors);
}

/* Each word is a rule; those that are refused must leave the user as it was. */
static void check_rules(const char *text, size_t len)
{
    struct acl acl;
    struct args args;

    acl_init(&acl, "secret", true);
    struct user *user = acl_add(&acl, "alice");
    if (args_split(&args, text, len) == 0) {
        for (size_t i = 0; i < args.n; i++) {
            struct user copy = {0};
            struct error err;
            user_copy(&copy, user);
            if (acl_rule_apply(&copy, args.words[i], args.lens[i], true, &err) == 0)
                user_replace(user, &copy);
            else
                ASSERT(err.text[0] != '\0');
            user_release(&copy);
        }
        acl_rule_tidy(user);
        acl_sort(&acl);
        check_round_trip(&acl);
    }
    args_release(&args);
    acl_release(&acl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[1 << 16];

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_file(text, size);
    check_rules(text, size);
    return 0;
}
