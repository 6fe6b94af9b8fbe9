/*
 * acl_rule.c - the language of ACL rules (interface.md 4.6).
 *
 * The rules about commands are kept as they were given, so that they can be shown and
 * saved; what they come to is a set of bits. Each rule sets the bits of what it names,
 * which undoes every earlier rule with the same name: those are dropped at once, and
 * acl_rule_tidy() drops those that others undid. First arguments ("+ping|x") only live
 * until the next rule that touches their command, so they can be written last.
 */
#include "common/mem.h"
#include "sentinel/server/acl.h"
#include "sentinel/server/command.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HEX_LEN (2 * (size_t)DIGEST_LEN)
#define LATE_PATTERN(what, flag, things)                                               \
    "Adding a pattern after the * pattern (or the '" flag                              \
    "' flag) is not valid and does not have any effect. Try '" what                    \
    "' to start with an empty list of " things

static int acl_bad_syntax(struct error *err)
{
    return error_set(err, ERR_SYNTAX, "Syntax error");
}

static int acl_unknown(struct error *err)
{
    return error_set(err, ERR_UNKNOWN, "Unknown command or category name in ACL");
}

static bool rule_is(const char *rule, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(rule, word, len) == 0;
}

/* --------------------------------------------------------------------- commands ----
 */

static void acl_set_bit(uint64_t *bits, int id, bool on)
{
    uint64_t bit = UINT64_C(1) << (id % 64);

    if (on)
        bits[id / 64] |= bit;
    else
        bits[id / 64] &= ~bit;
}

/* Commands that are not listed are nobody's to allow or deny. */
static bool rule_touches(const struct acl_rule *rule, int id,
                         const struct command *command)
{
    if ((command->flags & CMD_HIDDEN) != 0)
        return false;
    if (rule->is_category)
        return (command->categories >> rule->id & 1) != 0;
    if (rule->id == id)
        return true;
    const struct command *named = command_by_id(rule->id);
    for (const struct command *sub = named->subs; sub != NULL && sub->name != NULL;
         sub++)
        if (sub == command)
            return true;
    return false;
}

static void rule_set_bits(const struct acl_rule *rule, uint64_t *bits)
{
    const struct command *command;

    for (int id = 0; (command = command_by_id(id)) != NULL; id++)
        if (rule_touches(rule, id, command))
            acl_set_bit(bits, id, rule->allows);
}

static void bits_set_all(uint64_t *bits, bool on)
{
    const struct command *command;

    for (int id = 0; (command = command_by_id(id)) != NULL; id++)
        acl_set_bit(bits, id, on && (command->flags & CMD_HIDDEN) == 0);
}

/* Forgets the first arguments of what |rule| touches, of everything if it is NULL. */
static void selector_drop_first_args(struct acl_selector *selector,
                                     const struct acl_rule *rule)
{
    size_t n = 0;

    for (size_t i = 0; i < selector->n_first_args; i++) {
        struct acl_first_arg *first = &selector->first_args[i];
        if (rule == NULL || rule_touches(rule, first->id, command_by_id(first->id)))
            mem_free(first->word);
        else
            selector->first_args[n++] = *first;
    }
    selector->n_first_args = n;
}

static void selector_set_all(struct acl_selector *selector, bool allows)
{
    selector->starts_with_all = allows;
    selector->n_rules = 0;
    selector_drop_first_args(selector, NULL);
    bits_set_all(selector->allowed, allows);
}

static void selector_set_rule(struct acl_selector *selector, bool allows,
                              bool is_category, int id)
{
    struct acl_rule rule = {allows, is_category, id};
    size_t n = 0;

    for (size_t i = 0; i < selector->n_rules; i++)
        if (selector->rules[i].is_category != is_category ||
            selector->rules[i].id != id)
            selector->rules[n++] = selector->rules[i];
    selector->rules = mem_resize(selector->rules, n + 1, sizeof(rule));
    selector->rules[n] = rule;
    selector->n_rules = n + 1;
    selector_drop_first_args(selector, &rule);
    rule_set_bits(&rule, selector->allowed);
}

static void selector_tidy(struct acl_selector *selector)
{
    for (size_t i = 0; i < selector->n_rules;) {
        uint64_t bits[COMMANDS_MAX / 64] = {0};
        bits_set_all(bits, selector->starts_with_all);
        for (size_t j = 0; j < selector->n_rules; j++)
            if (j != i)
                rule_set_bits(&selector->rules[j], bits);
        if (memcmp(bits, selector->allowed, sizeof(bits)) != 0) {
            i++;
            continue;
        }
        selector->n_rules--;
        memmove(&selector->rules[i], &selector->rules[i + 1],
                (selector->n_rules - i) * sizeof(selector->rules[0]));
    }
}

void acl_rule_tidy(struct user *user)
{
    for (struct acl_selector *s = user->selectors; s != NULL; s = s->next)
        selector_tidy(s);
}

/* A rule with blanks would be read back as several. */
static bool acl_has_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (isspace((unsigned char)text[i]))
            return true;
    return false;
}

static int selector_add_first_arg(struct acl_selector *selector, const char *name,
                                  size_t len, struct error *err)
{
    const char *bar = memrchr(name, '|', len);
    const struct command *command = command_by_name(NULL, name, (size_t)(bar - name));
    size_t word_len = len - (size_t)(bar + 1 - name);

    if (command == NULL || (command->flags & CMD_HIDDEN) != 0)
        return acl_unknown(err);
    if (word_len == 0 || acl_has_blank(bar, word_len + 1))
        return acl_bad_syntax(err);
    if (strchr(command->name, '|') != NULL)
        return error_set(err, ERR_SYNTAX,
                         "Allowing first-arg of a subcommand is not supported");
    if (command->subs != NULL)
        return acl_unknown(err);

    int id = command_id(command);
    if ((selector->allowed[id / 64] >> (id % 64) & 1) != 0)
        return 0;
    for (size_t i = 0; i < selector->n_first_args; i++) {
        const struct acl_first_arg *first = &selector->first_args[i];
        if (first->id == id && strncasecmp(first->word, bar + 1, word_len) == 0 &&
            strlen(first->word) == word_len)
            return 0;
    }
    selector->first_args = mem_resize(selector->first_args, selector->n_first_args + 1,
                                      sizeof(selector->first_args[0]));
    selector->first_args[selector->n_first_args++] =
        (struct acl_first_arg){id, mem_strndup(bar + 1, word_len)};
    return 0;
}

/* "+name", "-name", "+@category", "-@category" */
static int selector_apply_command(struct acl_selector *selector, const char *rule,
                                  size_t len, struct error *err)
{
    bool allows = rule[0] == '+';
    const char *name = rule + 1;

    len--;
    if (rule_is(name, len, "@all")) {
        selector_set_all(selector, allows);
        return 0;
    }
    if (len > 0 && name[0] == '@') {
        int bit = command_category_by_name(name + 1, len - 1);
        if (bit < 0)
            return acl_unknown(err);
        selector_set_rule(selector, allows, true, bit);
        return 0;
    }
    const struct command *command = command_by_name(NULL, name, len);
    if (command == NULL && allows && memchr(name, '|', len) != NULL)
        return selector_add_first_arg(selector, name, len, err);
    if (command == NULL || (command->flags & CMD_HIDDEN) != 0)
        return acl_unknown(err);
    selector_set_rule(selector, allows, false, command_id(command));
    return 0;
}

/* ------------------------------------------------------------- keys and channels ----
 */

static void selector_drop_keys(struct acl_selector *selector)
{
    for (size_t i = 0; i < selector->n_keys; i++)
        mem_free(selector->keys[i].pattern);
    selector->n_keys = 0;
}

static void selector_drop_channels(struct acl_selector *selector)
{
    for (size_t i = 0; i < selector->n_channels; i++)
        mem_free(selector->channels[i]);
    selector->n_channels = 0;
}

static int selector_add_key(struct acl_selector *selector, const char *pattern,
                            size_t len, bool reads, bool writes, struct error *err)
{
    bool is_all = len == 1 && pattern[0] == '*' && reads && writes;

    if (selector->has_all_keys && !is_all)
        return error_set(err, ERR_SYNTAX, "%s",
                         LATE_PATTERN("resetkeys", "allkeys", "patterns"));
    if (is_all) {
        selector->has_all_keys = true;
        selector_drop_keys(selector);
        return 0;
    }
    for (size_t i = 0; i < selector->n_keys; i++) {
        struct acl_key *key = &selector->keys[i];
        if (strlen(key->pattern) != len || memcmp(key->pattern, pattern, len) != 0)
            continue;
        key->reads |= reads;
        key->writes |= writes;
        return 0;
    }
    selector->keys =
        mem_resize(selector->keys, selector->n_keys + 1, sizeof(selector->keys[0]));
    selector->keys[selector->n_keys++] =
        (struct acl_key){mem_strndup(pattern, len), reads, writes};
    return 0;
}

/* "~pattern" and "%RW~pattern" */
static int selector_apply_key(struct acl_selector *selector, const char *rule,
                              size_t len, struct error *err)
{
    bool reads = rule[0] == '~', writes = reads;
    size_t i = 1;

    if (acl_has_blank(rule, len))
        return acl_bad_syntax(err);
    for (; rule[0] == '%' && i < len && rule[i] != '~'; i++) {
        char c = (char)toupper((unsigned char)rule[i]);
        if (c == 'R' && !reads)
            reads = true;
        else if (c == 'W' && !writes)
            writes = true;
        else
            return acl_bad_syntax(err);
    }
    if (!reads && !writes)
        return acl_bad_syntax(err);
    if (rule[0] == '%' && i < len)
        i++;
    return selector_add_key(selector, rule + i, len - i, reads, writes, err);
}

static int selector_apply_channel(struct acl_selector *selector, const char *rule,
                                  size_t len, struct error *err)
{
    bool is_all = len == 2 && rule[1] == '*';

    if (acl_has_blank(rule, len))
        return acl_bad_syntax(err);
    if (selector->has_all_channels && !is_all)
        return error_set(err, ERR_SYNTAX, "%s",
                         LATE_PATTERN("resetchannels", "allchannels", "channels"));
    if (is_all) {
        selector->has_all_channels = true;
        selector_drop_channels(selector);
        return 0;
    }
    for (size_t i = 0; i < selector->n_channels; i++)
        if (strlen(selector->channels[i]) == len - 1 &&
            memcmp(selector->channels[i], rule + 1, len - 1) == 0)
            return 0;
    selector->channels = mem_resize(selector->channels, selector->n_channels + 1,
                                    sizeof(selector->channels[0]));
    selector->channels[selector->n_channels++] = mem_strndup(rule + 1, len - 1);
    return 0;
}

/* What may stand within parentheses, too. */
static int selector_apply(struct acl_selector *selector, const char *rule, size_t len,
                          struct error *err)
{
    if (rule_is(rule, len, "allkeys"))
        return selector_add_key(selector, "*", 1, true, true, err);
    if (rule_is(rule, len, "allchannels"))
        return selector_apply_channel(selector, "&*", 2, err);
    if (rule_is(rule, len, "resetkeys")) {
        selector->has_all_keys = false;
        selector_drop_keys(selector);
        return 0;
    }
    if (rule_is(rule, len, "resetchannels")) {
        selector->has_all_channels = false;
        selector_drop_channels(selector);
        return 0;
    }
    if (rule_is(rule, len, "allcommands") || rule_is(rule, len, "nocommands")) {
        selector_set_all(selector, rule_is(rule, len, "allcommands"));
        return 0;
    }
    switch (rule[0]) {
    case '~':
    case '%':
        return selector_apply_key(selector, rule, len, err);
    case '&':
        return selector_apply_channel(selector, rule, len, err);
    case '+':
    case '-':
        return selector_apply_command(selector, rule, len, err);
    default:
        return acl_bad_syntax(err);
    }
}

/* -------------------------------------------------------------------- passwords ----
 */

void acl_digest_put(struct buf *out, const uint8_t digest[DIGEST_LEN])
{
    for (size_t i = 0; i < DIGEST_LEN; i++)
        buf_printf(out, "%02x", digest[i]);
}

static int acl_digest_read(uint8_t digest[DIGEST_LEN], const char *hex, size_t len,
                           struct error *err)
{
    static const char digits[] = "0123456789abcdef";

    if (len != HEX_LEN || strspn(hex, digits) < HEX_LEN)
        return error_set(err, ERR_SYNTAX,
                         "The password hash must be exactly 64 characters and contain "
                         "only lowercase hexadecimal characters");
    for (size_t i = 0; i < DIGEST_LEN; i++)
        digest[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) * 16 +
                              (strchr(digits, hex[2 * i + 1]) - digits));
    return 0;
}

static size_t user_find_digest(const struct user *user, const uint8_t *digest)
{
    size_t i = 0;

    while (i < user->n_digests && memcmp(user->digests[i], digest, DIGEST_LEN) != 0)
        i++;
    return i;
}

/* ">password", "#hash" and what takes them away */
static int user_apply_password(struct user *user, const char *rule, size_t len,
                               struct error *err)
{
    uint8_t digest[DIGEST_LEN];
    int rc = 0;

    if (rule[0] == '>' || rule[0] == '<')
        digest_make(digest, rule + 1, len - 1);
    else
        rc = acl_digest_read(digest, rule + 1, len - 1, err);
    if (rc != 0)
        return rc;

    size_t at = user_find_digest(user, digest);
    if (rule[0] == '>' || rule[0] == '#') {
        user->is_nopass = false;
        if (at < user->n_digests)
            return 0;
        user->digests = mem_resize(user->digests, at + 1, sizeof(user->digests[0]));
        memcpy(user->digests[user->n_digests++], digest, sizeof(digest));
        return 0;
    }
    if (at == user->n_digests)
        return error_set(err, ERR_SYNTAX,
                         "The password you are trying to remove from the user does not "
                         "exist");
    user->n_digests--;
    memmove(user->digests[at], user->digests[at + 1],
            (user->n_digests - at) * sizeof(user->digests[0]));
    return 0;
}

/* ------------------------------------------------------------------------ users ----
 */

static void user_reset_password(struct user *user, bool is_nopass)
{
    user->is_nopass = is_nopass;
    user->n_digests = 0;
}

void acl_rule_reset(struct user *user, bool has_open_channels)
{
    acl_selectors_free(&user->selectors);
    user->selectors = mem_zalloc(sizeof(*user->selectors));
    user->selectors->has_all_channels = has_open_channels;
    user->is_on = false;
    user->skips_sanitize = false;
    user_reset_password(user, false);
}

/* "( rule ... )". It starts with the channels that a new user has. */
static int user_add_selector(struct user *user, const char *rule, size_t len,
                             bool has_open_channels, struct error *err)
{
    struct acl_selector **tail = &user->selectors;
    const char *at = rule + 1, *end = rule + len - 1;
    int rc = 0;

    if (len < 2 || *end != ')')
        return acl_bad_syntax(err);
    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = mem_zalloc(sizeof(**tail));
    (*tail)->has_all_channels = has_open_channels;
    while (rc == 0) {
        while (at < end && isspace((unsigned char)*at))
            at++;
        const char *start = at;
        while (at < end && !isspace((unsigned char)*at))
            at++;
        if (at == start)
            break;
        rc = selector_apply(*tail, start, (size_t)(at - start), err);
        /* A pattern: written before another word it would end the selector. */
        if (rc == 0 && at[-1] == ')')
            rc = acl_bad_syntax(err);
    }
    return rc;
}

/* The rules that are one word. False: |rule| is none of them. */
static bool user_apply_word(struct user *user, const char *rule, size_t len,
                            bool has_open_channels)
{
    if (rule_is(rule, len, "on"))
        user->is_on = true;
    else if (rule_is(rule, len, "off"))
        user->is_on = false;
    else if (rule_is(rule, len, "nopass"))
        user_reset_password(user, true);
    else if (rule_is(rule, len, "resetpass"))
        user_reset_password(user, false);
    else if (rule_is(rule, len, "sanitize-payload"))
        user->skips_sanitize = false;
    else if (rule_is(rule, len, "skip-sanitize-payload"))
        user->skips_sanitize = true;
    else if (rule_is(rule, len, "clearselectors"))
        acl_selectors_free(&user->selectors->next);
    else if (rule_is(rule, len, "reset"))
        acl_rule_reset(user, has_open_channels);
    else
        return false;
    return true;
}

int acl_rule_apply(struct user *user, const char *rule, size_t len,
                   bool has_open_channels, struct error *err)
{
    if (len == 0)
        return 0;
    if (memchr(rule, '\0', len) != NULL && rule[0] != '>' && rule[0] != '<')
        return acl_bad_syntax(err);
    if (user_apply_word(user, rule, len, has_open_channels))
        return 0;
    if (strchr("><#!", rule[0]) != NULL)
        return user_apply_password(user, rule, len, err);
    if (rule[0] == '(')
        return user_add_selector(user, rule, len, has_open_channels, err);
    return selector_apply(user->selectors, rule, len, err);
}

/* ------------------------------------------------------------------ whole lists ----
 */

int acl_words_join(const struct resp_arg *in, size_t n, struct resp_arg *words,
                   size_t *open)
{
    struct buf text = {0};
    int n_words = 0;

    *open = n;
    for (size_t i = 0; i < n; i++) {
        if (*open == n && in[i].len > 0 && in[i].str[0] == '(')
            *open = i;
        if (*open < i && *open != n)
            buf_putc(&text, ' ');
        buf_append(&text, in[i].str, in[i].len);
        if (*open != n && (in[i].len == 0 || in[i].str[in[i].len - 1] != ')'))
            continue;
        words[n_words++] =
            (struct resp_arg){mem_strndup(buf_text(&text), text.len), text.len};
        buf_clear(&text);
        *open = n;
    }
    buf_release(&text);
    if (*open == n)
        return n_words;
    acl_words_free(words, (size_t)n_words);
    return ERR_SYNTAX;
}

void acl_words_free(struct resp_arg *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free((char *)words[i].str);
}
