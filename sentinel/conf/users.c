/*
 * users.c - what others know better than the file: users, the log level.
 */
#include "sentinel/conf/internal.h"

#include <string.h>

static struct conf_line *users_find(const struct conf *conf, const char *name)
{
    struct conf_line *line;

    HASH_FIND_STR(conf->lines, "user", line);
    while (line != NULL && strcmp(line->args.words[1], name) != 0)
        line = line->next;
    return line;
}

/* ------------------------------------------------- users and the state file ----- */

/* A user as it was declared, in the words in which users are asked for. */
struct users_declared {
    char *name, *line;
    UT_hash_handle hh;
};

static void users_remember(void *ctx, const char *name, const char *text,
                           bool is_default)
{
    struct conf *conf = ctx;
    struct conf_line *line = users_find(conf, name);
    struct users_declared *user;

    (void)is_default;
    if (line != NULL && !users_is_declared(conf, name))
        return; /* what was declared about it is not known any more */
    user = mem_zalloc(sizeof *user);
    user->name = mem_strdup(name);
    user->line = mem_strdup(text);
    HASH_ADD_KEYPTR(hh, conf->users_declared, user->name, strlen(user->name), user);
}

void users_release(struct conf *conf)
{
    struct users_declared *user, *tmp;

    HASH_ITER(hh, conf->users_declared, user, tmp)
    {
        HASH_DEL(conf->users_declared, user);
        mem_free(user->name);
        mem_free(user->line);
        mem_free(user);
    }
}

void conf_set_users(struct conf *conf, conf_users_fn *fn, void *ctx)
{
    conf->users = fn;
    conf->users_ctx = ctx;
    if (conf->state_file != NULL && fn != NULL)
        fn(ctx, users_remember, conf);
}

bool users_is_declared(const struct conf *conf, const char *name)
{
    const struct conf_line *line = users_find(conf, name);

    return conf->state_file != NULL && line != NULL && line->source == SOURCE_INCLUDE;
}

bool users_replace(struct conf *conf, struct args *args, struct doc_line *doc)
{
    struct conf_line *line;

    if (doc == NULL || strcmp(args->words[0], "user") != 0 ||
        !users_is_declared(conf, args->words[1]))
        return false;
    line = users_find(conf, args->words[1]);
    args_release(&line->args);
    line->args = *args;
    *args = (struct args){0};
    line->source = SOURCE_MAIN;
    line->doc = doc;
    return true;
}

/* Is the user as it was declared, so that the state file need not have it? */
static bool users_is_unchanged(const struct conf *conf, const char *name,
                               const char *text)
{
    const struct users_declared *user;

    HASH_FIND_STR(conf->users_declared, name, user);
    return user != NULL && strcmp(user->line, text) == 0;
}

/* ----------------------------------------------------------------- the lines ----- */

/* |line| with every word quoted where needed: words have no blanks in them, except that
 * the name may be empty. */
static void users_quote(struct buf *out, const char *name, const char *line)
{
    const char *rules = line + strlen("user ") + strlen(name);

    buf_puts(out, "user ");
    args_quote(out, name, strlen(name));
    while (*rules == ' ') {
        size_t len = strcspn(++rules, " ");
        buf_putc(out, ' ');
        args_quote(out, rules, len);
        rules += len;
    }
}

/* A line of its own for a user that had none. */
static void users_append(struct conf *conf, struct conf_line *known,
                         const struct buf *text)
{
    struct doc_line *doc = doc_append_generated(&conf->doc, text->data, text->len);
    struct args args;

    if (known != NULL) {
        known->doc = doc;
        return;
    }
    int rc = args_split(&args, text->data, text->len);
    ASSERT(rc == 0);
    conf_keep_line(conf, SOURCE_MAIN, &args, doc)->is_live = true;
}

static void users_take(void *ctx, const char *name, const char *text, bool is_default)
{
    struct conf *conf = ctx;
    struct conf_line *line = users_find(conf, name);
    struct buf quoted = {0};

    if (line != NULL)
        line->is_live = true;
    if ((line == NULL || line->doc == NULL) && users_is_unchanged(conf, name, text))
        return;
    /* Twice the same user would be an error at the next start. */
    if (line != NULL && line->source == SOURCE_INCLUDE && conf->state_file == NULL)
        return;
    users_quote(&quoted, name, text);
    if (line != NULL && line->doc != NULL) {
        if (strcmp(line->doc->text, quoted.data) != 0)
            doc_set_text(line->doc, quoted.data, quoted.len);
    } else if (!is_default) {
        users_append(conf, line, &quoted);
    }
    buf_release(&quoted);
}

/* A user that is declared cannot be left out: it comes back without any rights. */
static void users_disable(struct conf *conf, struct conf_line *line)
{
    struct buf text = {0};

    buf_puts(&text, "user ");
    args_quote(&text, line->args.words[1], line->args.lens[1]);
    buf_puts(&text, " off");
    if (line->doc == NULL)
        line->doc = doc_append_generated(&conf->doc, text.data, text.len);
    else
        doc_set_text(line->doc, text.data, text.len);
    buf_release(&text);
}

void users_render(struct conf *conf)
{
    struct conf_line *first;

    if (conf->users == NULL)
        return;
    HASH_FIND_STR(conf->lines, "user", first);
    for (struct conf_line *line = first; line != NULL; line = line->next)
        line->is_live = false;
    conf->users(conf->users_ctx, users_take, conf);

    HASH_FIND_STR(conf->lines, "user", first);
    for (struct conf_line *line = first; line != NULL; line = line->next) {
        if (!line->is_live && line->is_declared)
            users_disable(conf, line);
        if (line->is_live || line->is_declared || line->doc == NULL)
            continue;
        doc_remove(&conf->doc, line->doc);
        line->doc = NULL;
    }
}

int conf_set(struct conf *conf, const char *name, const char *value, struct error *err)
{
    struct buf text = {0};
    struct args args;

    buf_printf(&text, "%s ", name);
    args_quote(&text, value, strlen(value));
    int rc = args_split(&args, text.data, text.len);
    ASSERT(rc == 0);
    buf_release(&text);
    rc = directive_apply(conf, &args, err);
    if (rc == 0)
        conf_keep_line(conf, SOURCE_TEXT, &args, NULL);
    args_release(&args);
    return rc;
}

void conf_set_loglevel(struct conf *conf, enum log_level level)
{
    static const char *const names[] = {
        [LOG_LVL_DEBUG] = "debug",     [LOG_LVL_VERBOSE] = "verbose",
        [LOG_LVL_NOTICE] = "notice",   [LOG_LVL_WARNING] = "warning",
        [LOG_LVL_NOTHING] = "nothing",
    };
    struct buf text = {0};
    struct args args;

    if (level == conf->options.loglevel)
        return;
    conf->options.loglevel = level;
    buf_printf(&text, "loglevel %s", names[level]);
    int rc = args_split(&args, text.data, text.len);
    ASSERT(rc == 0);
    conf_keep_line(conf, SOURCE_TEXT, &args, NULL);
    buf_release(&text);
}
