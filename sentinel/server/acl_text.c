/*
 * acl_text.c - users as text: for ACL LIST and GETUSER, and to be saved.
 */
#include "sentinel/server/acl.h"

static void acl_text_blank(struct buf *out, size_t start)
{
    if (out->len > start)
        buf_putc(out, ' ');
}

void acl_text_commands(struct buf *out, const struct acl_selector *selector)
{
    buf_puts(out, selector->starts_with_all ? "+@all" : "-@all");
    for (size_t i = 0; i < selector->n_rules; i++) {
        const struct acl_rule *rule = &selector->rules[i];
        buf_printf(out, " %c%s%s", rule->allows ? '+' : '-',
                   rule->is_category ? "@" : "",
                   rule->is_category ? command_category_name(rule->id)
                                     : command_by_id(rule->id)->name);
    }
    for (size_t i = 0; i < selector->n_first_args; i++)
        buf_printf(out, " +%s|%s", command_by_id(selector->first_args[i].id)->name,
                   selector->first_args[i].word);
}

void acl_text_keys(struct buf *out, const struct acl_selector *selector)
{
    size_t start = out->len;

    if (selector->has_all_keys)
        buf_puts(out, "~*");
    for (size_t i = 0; i < selector->n_keys; i++) {
        const struct acl_key *key = &selector->keys[i];
        acl_text_blank(out, start);
        if (!key->reads || !key->writes)
            buf_puts(out, key->reads ? "%R" : "%W");
        buf_printf(out, "~%s", key->pattern);
    }
}

void acl_text_channels(struct buf *out, const struct acl_selector *selector)
{
    size_t start = out->len;

    if (selector->has_all_channels)
        buf_puts(out, "&*");
    for (size_t i = 0; i < selector->n_channels; i++) {
        acl_text_blank(out, start);
        buf_printf(out, "&%s", selector->channels[i]);
    }
}

static void acl_text_selector(struct buf *out, const struct acl_selector *selector)
{
    size_t before = out->len;

    acl_text_keys(out, selector);
    acl_text_blank(out, before);
    if (!selector->has_all_channels)
        buf_puts(out, selector->n_channels > 0 ? "resetchannels " : "resetchannels");
    acl_text_channels(out, selector);
    buf_putc(out, ' ');
    acl_text_commands(out, selector);
}

void acl_text_user(struct buf *out, const struct user *user)
{
    const struct acl_selector *selector = user->selectors;

    buf_printf(out, "user %s %s%s %s", user->name, user->is_on ? "on" : "off",
               user->is_nopass ? " nopass" : "",
               user->skips_sanitize ? "skip-sanitize-payload" : "sanitize-payload");
    for (size_t i = 0; i < user->n_digests; i++) {
        buf_puts(out, " #");
        acl_digest_put(out, user->digests[i]);
    }
    buf_putc(out, ' ');
    acl_text_selector(out, selector);
    while ((selector = selector->next) != NULL) {
        buf_puts(out, " (");
        acl_text_selector(out, selector);
        buf_putc(out, ')');
    }
}
