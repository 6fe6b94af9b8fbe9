/*
 * acl_file.c - the file that `aclfile` names: one "user NAME rule..." a line.
 */
#include "common/mem.h"
#include "sentinel/server/acl.h"

#include <ctype.h>
#include <string.h>

struct acl_file {
    struct acl *acl;
    const char *path;
    struct buf *errors;
    int line;
    bool has_default;
};

/* Splits |text| at blanks, in place. Returns how many words; empty ones count. */
static size_t acl_file_split(const char *text, size_t len, struct resp_arg **words)
{
    size_t n = 1, at = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == ' ';
    *words = mem_array(n, sizeof(**words));
    for (size_t i = 0; i < n; i++) {
        const char *blank = memchr(text + at, ' ', len - at);
        size_t end = blank != NULL ? (size_t)(blank - text) : len;
        (*words)[i] = (struct resp_arg){text + at, end - at};
        at = end + 1;
    }
    return n;
}

static void acl_file_apply(struct acl_file *file, struct user *user,
                           const struct resp_arg *rules, size_t n)
{
    struct error err = {0};
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = acl_rule_apply(user, rules[i].str, rules[i].len,
                            file->acl->has_open_channels, &err);
        if (rc == ERR_UNKNOWN)
            buf_printf(file->errors, "%s:%d: Error in applying operation '%s': %s. ",
                       file->path, file->line, rules[i].str, err.text);
        else if (rc != 0)
            buf_printf(file->errors, "%s:%d: %s. ", file->path, file->line, err.text);
    }
    acl_rule_tidy(user);
}

/* The user of this name, as new; NULL if that cannot be. */
static struct user *acl_file_user(struct acl_file *file, const struct resp_arg *name)
{
    struct acl *acl = file->acl;
    struct user *user = NULL;
    char *text = mem_strndup(name->str, name->len);
    bool is_default = strcmp(text, "default") == 0;
    bool is_bad = memchr(name->str, '\0', name->len) != NULL;

    for (const char *c = text; *c != '\0'; c++)
        is_bad |= isspace((unsigned char)*c) != 0;
    if (is_bad) {
        buf_printf(file->errors, "'%s:%d: username '%s' contains invalid characters. ",
                   file->path, file->line, text);
    } else if (is_default ? file->has_default
                          : acl_find(acl, name->str, name->len) != NULL) {
        buf_printf(file->errors, "WARNING: Duplicate user '%s' found on line %d. ",
                   text, file->line);
    } else if (is_default) {
        file->has_default = true;
        user = acl->default_user;
        acl_rule_reset(user, acl->has_open_channels);
    } else {
        user = acl_add(acl, text);
    }
    mem_free(text);
    return user;
}

static void acl_file_line(struct acl_file *file, const char *text, size_t len)
{
    struct resp_arg *words, *rules;
    size_t n = acl_file_split(text, len, &words), open;

    if (n < 2 || words[0].len != 4 || memcmp(words[0].str, "user", 4) != 0) {
        buf_printf(file->errors,
                   "%s:%d should start with user keyword followed by the username. ",
                   file->path, file->line);
        mem_free(words);
        return;
    }
    struct user *user = acl_file_user(file, &words[1]);
    if (user != NULL) {
        rules = mem_array(n, sizeof(*rules));
        int n_rules = acl_words_join(words + 2, n - 2, rules, &open);
        if (n_rules < 0) {
            buf_printf(file->errors,
                       "%s:%d: Unmatched parenthesis in selector definition.",
                       file->path, file->line);
        } else {
            acl_file_apply(file, user, rules, (size_t)n_rules);
            acl_words_free(rules, (size_t)n_rules);
        }
        mem_free(rules);
    }
    mem_free(words);
}

int acl_file_read(struct acl *acl, const char *path, const char *text, size_t len,
                  struct buf *errors)
{
    struct acl_file file = {.acl = acl, .path = path, .errors = errors};
    const char *end = text + len;

    for (file.line = 1; text <= end; file.line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline != NULL ? newline : end;
        const char *start = text, *stop = next;
        while (start < stop && strchr(" \t\r", *start) != NULL && *start != '\0')
            start++;
        while (stop > start && strchr(" \t\r", stop[-1]) != NULL && stop[-1] != '\0')
            stop--;
        if (start < stop)
            acl_file_line(&file, start, (size_t)(stop - start));
        text = next + 1;
    }
    if (errors->len == 0) {
        acl_sort(acl);
        return 0;
    }
    buf_puts(errors, "WARNING: ACL errors detected, no change to the previously active "
                     "ACL rules was performed");
    return ERR_SYNTAX;
}

void acl_file_write(struct buf *out, const struct acl *acl)
{
    for (const struct user *user = acl->users; user != NULL; user = user->hh.next) {
        acl_text_user(out, user);
        buf_putc(out, '\n');
    }
}
