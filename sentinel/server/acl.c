/*
 * acl.c - the table of users, and what they may do.
 */
#include "sentinel/server/acl.h"

#include "common/glob.h"
#include "common/mem.h"
#include "sentinel/server/command.h"

#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------ users ----
 */

static void selector_free(struct acl_selector *selector)
{
    for (size_t i = 0; i < selector->n_first_args; i++)
        mem_free(selector->first_args[i].word);
    for (size_t i = 0; i < selector->n_keys; i++)
        mem_free(selector->keys[i].pattern);
    for (size_t i = 0; i < selector->n_channels; i++)
        mem_free(selector->channels[i]);
    mem_free(selector->rules);
    mem_free(selector->first_args);
    mem_free(selector->keys);
    mem_free(selector->channels);
    mem_free(selector);
}

void acl_selectors_free(struct acl_selector **list)
{
    while (*list != NULL) {
        struct acl_selector *selector = *list;
        *list = selector->next;
        selector_free(selector);
    }
}

static void *acl_copy_array(const void *items, size_t n, size_t size)
{
    void *copy = mem_array(n, size);

    if (n > 0)
        memcpy(copy, items, n * size);
    return copy;
}

static struct acl_selector *selector_copy(const struct acl_selector *from)
{
    struct acl_selector *to = mem_zalloc(sizeof(*to));

    *to = *from;
    to->next = NULL;
    to->rules = acl_copy_array(from->rules, from->n_rules, sizeof(from->rules[0]));
    to->first_args = acl_copy_array(from->first_args, from->n_first_args,
                                    sizeof(from->first_args[0]));
    to->keys = acl_copy_array(from->keys, from->n_keys, sizeof(from->keys[0]));
    to->channels =
        acl_copy_array(from->channels, from->n_channels, sizeof(from->channels[0]));
    for (size_t i = 0; i < to->n_first_args; i++)
        to->first_args[i].word = mem_strdup(from->first_args[i].word);
    for (size_t i = 0; i < to->n_keys; i++)
        to->keys[i].pattern = mem_strdup(from->keys[i].pattern);
    for (size_t i = 0; i < to->n_channels; i++)
        to->channels[i] = mem_strdup(from->channels[i]);
    return to;
}

void user_release(struct user *user)
{
    mem_free(user->name);
    mem_free(user->digests);
    acl_selectors_free(&user->selectors);
}

void user_copy(struct user *to, const struct user *from)
{
    struct acl_selector **tail = &to->selectors;

    *to = *from;
    to->name = mem_strdup(from->name);
    to->digests =
        acl_copy_array(from->digests, from->n_digests, sizeof(from->digests[0]));
    to->selectors = NULL;
    for (const struct acl_selector *s = from->selectors; s != NULL; s = s->next) {
        *tail = selector_copy(s);
        tail = &(*tail)->next;
    }
}

void user_replace(struct user *user, struct user *with)
{
    UT_hash_handle hh = user->hh;
    char *name = user->name;

    user->name = NULL;
    user_release(user);
    mem_free(with->name);
    *user = *with;
    user->name = name;
    user->hh = hh;
    *with = (struct user){0};
}

static void acl_make_pristine(const struct acl *acl, struct user *user)
{
    static const char *const rules[] = {"reset", "on", "nopass", "+@all", "~*", "&*"};
    const char *password = acl->requirepass;

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        int rc = acl_rule_apply(user, rules[i], strlen(rules[i]), false, NULL);
        ASSERT(rc == 0);
    }
    if (password[0] == '\0')
        return;
    user->is_nopass = false;
    user->digests = mem_resize(user->digests, 1, sizeof(user->digests[0]));
    user->n_digests = 1;
    digest_make(user->digests[0], password, strlen(password));
}

void acl_init(struct acl *acl, const char *requirepass, bool has_open_channels)
{
    *acl = (struct acl){.has_open_channels = has_open_channels};
    acl->requirepass = mem_strdup(requirepass != NULL ? requirepass : "");
    acl->default_user = acl_add(acl, "default");
    acl_make_pristine(acl, acl->default_user);
}

void acl_release(struct acl *acl)
{
    struct user *user, *next;

    HASH_ITER(hh, acl->users, user, next)
    {
        acl_remove(acl, user);
    }
    mem_free(acl->requirepass);
    *acl = (struct acl){0};
}

struct user *acl_find(const struct acl *acl, const char *name, size_t len)
{
    struct user *user;

    HASH_FIND(hh, acl->users, name, len, user);
    return user;
}

struct user *acl_add(struct acl *acl, const char *name)
{
    struct user *user = mem_zalloc(sizeof(*user));

    user->name = mem_strdup(name);
    user->selectors = mem_zalloc(sizeof(*user->selectors));
    user->selectors->has_all_channels = acl->has_open_channels;
    HASH_ADD_KEYPTR(hh, acl->users, user->name, strlen(user->name), user);
    return user;
}

void acl_remove(struct acl *acl, struct user *user)
{
    HASH_DEL(acl->users, user);
    user_release(user);
    mem_free(user);
}

static int acl_compare_names(const struct user *a, const struct user *b)
{
    return strcmp(a->name, b->name);
}

void acl_sort(struct acl *acl)
{
    HASH_SORT(acl->users, acl_compare_names);
}

bool acl_needs_auth(const struct acl *acl)
{
    return !acl->default_user->is_on || !acl->default_user->is_nopass;
}

const struct user *acl_authenticate(const struct acl *acl, const struct resp_arg *name,
                                    const struct resp_arg *password)
{
    const struct user *user = acl_find(acl, name->str, name->len);

    if (user == NULL || !user->is_on)
        return NULL;
    if (user->is_nopass)
        return user;

    uint8_t digest[DIGEST_LEN];
    bool is_right = false;
    digest_make(digest, password->str, password->len);
    for (size_t i = 0; i < user->n_digests; i++)
        is_right |= digest_equal(digest, user->digests[i]);
    return is_right ? user : NULL;
}

bool acl_is_pristine(const struct acl *acl, const struct user *user)
{
    struct acl fresh;
    struct buf is = {0}, was = {0};

    if (user != acl->default_user)
        return false;
    acl_init(&fresh, acl->requirepass, acl->has_open_channels);
    acl_text_user(&is, user);
    acl_text_user(&was, fresh.default_user);
    bool is_same = strcmp(buf_text(&is), buf_text(&was)) == 0;
    acl_release(&fresh);
    buf_release(&is);
    buf_release(&was);
    return is_same;
}

/* ------------------------------------------------------------------ permissions ----
 */

static bool selector_permits_topic(const struct acl_selector *selector,
                                   const char *name, size_t len, bool is_pattern)
{
    if (selector->has_all_channels)
        return true;
    for (size_t i = 0; i < selector->n_channels; i++) {
        const char *channel = selector->channels[i];
        size_t channel_len = strlen(channel);
        /* A pattern may hear more than any one pattern permits, unless it is that. */
        if (is_pattern ? channel_len == len && memcmp(channel, name, len) == 0
                       : glob_match(channel, channel_len, name, len, false))
            return true;
    }
    return false;
}

bool acl_permits_topic(const struct user *user, const char *name, size_t len,
                       bool is_pattern)
{
    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next)
        if (selector_permits_topic(s, name, len, is_pattern))
            return true;
    return false;
}

static bool selector_permits_command(const struct acl_selector *selector,
                                     const struct command *command,
                                     const struct resp_arg *argv, size_t argc)
{
    int id = command_id(command);

    if ((command->flags & CMD_NO_AUTH) != 0 ||
        (selector->allowed[id / 64] >> (id % 64) & 1) != 0)
        return true;
    for (size_t i = 0; i < selector->n_first_args && argc > 1; i++) {
        const struct acl_first_arg *first = &selector->first_args[i];
        if (first->id == id && strlen(first->word) == argv[1].len &&
            strcasecmp(first->word, argv[1].str) == 0)
            return true;
    }
    return false;
}

static const struct resp_arg *selector_bad_channel(const struct acl_selector *selector,
                                                   const struct command *command,
                                                   const struct resp_arg *argv,
                                                   size_t argc)
{
    size_t end = (command->flags & CMD_CHANNEL) != 0 && argc > 2 ? 2 : argc;

    if (selector->has_all_channels ||
        (command->flags & (CMD_CHANNEL | CMD_CHANNELS | CMD_PATTERNS)) == 0)
        return NULL;
    for (size_t i = 1; i < end; i++)
        if (!selector_permits_topic(selector, argv[i].str, argv[i].len,
                                    (command->flags & CMD_PATTERNS) != 0))
            return &argv[i];
    return NULL;
}

enum acl_verdict acl_check(const struct user *user, const struct command *command,
                           const struct resp_arg *argv, size_t argc,
                           const struct resp_arg **bad)
{
    enum acl_verdict verdict = ACL_DENIED_COMMAND;

    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next) {
        if (!selector_permits_command(s, command, argv, argc))
            continue;
        const struct resp_arg *channel = selector_bad_channel(s, command, argv, argc);
        if (channel == NULL)
            return ACL_OK;
        verdict = ACL_DENIED_CHANNEL;
        *bad = channel;
    }
    return verdict;
}
