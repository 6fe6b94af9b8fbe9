/*
 * users.c - users and renamed commands as the configuration has them, and what happens
 * to clients when users change.
 */
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

static bool users_may_hear(const struct user *user, const struct sub *sub,
                           bool is_pattern)
{
    for (; sub != NULL; sub = sub->s_next)
        if (!acl_permits_topic(user, sub->key.topic->name, sub->key.topic->len,
                               is_pattern))
            return false;
    return true;
}

void server_check_topics(struct server *server, const struct user *user,
                         const struct session *caller)
{
    struct session *session, *next;

    HASH_ITER(hh, server->sessions, session, next)
    {
        if (session->user == user && !session->is_dropped &&
            !(users_may_hear(user, session->channels, false) &&
              users_may_hear(user, session->patterns, true)))
            session_evict(session, caller);
    }
}

/* ------------------------------------------------------- lines of configuration ----
 */

/* The rules of a `user` line, joined; a negative code if a parenthesis stays open. The
 * caller frees them with users_free_rules(). */
static int users_rules(const struct args *line, struct resp_arg **rules, size_t *open)
{
    size_t n = line->n - 2;
    struct resp_arg *words = mem_array(n, sizeof(*words));

    for (size_t i = 0; i < n; i++)
        words[i] = (struct resp_arg){line->words[i + 2], line->lens[i + 2]};
    *rules = mem_array(n, sizeof(**rules));
    int n_rules = acl_words_join(words, n, *rules, open);
    mem_free(words);
    return n_rules;
}

static void users_free_rules(struct resp_arg *rules, int n)
{
    acl_words_free(rules, n > 0 ? (size_t)n : 0);
    mem_free(rules);
}

int server_check_user(const struct args *line, bool has_open_channels,
                      struct error *err)
{
    struct acl acl;
    struct resp_arg *rules;
    struct error why;
    size_t open;
    int n = users_rules(line, &rules, &open), rc = 0;

    acl_init(&acl, NULL, has_open_channels);
    struct user *user = acl_add(&acl, "user");
    if (n < 0)
        rc = error_set(err, n,
                       "Error in user declaration '%s': Unmatched parenthesis in acl "
                       "selector",
                       line->words[2 + open]);
    for (int i = 0; i < n && rc == 0; i++) {
        rc = acl_rule_apply(user, rules[i].str, rules[i].len, has_open_channels, &why);
        if (rc == ERR_UNKNOWN)
            rc = 0;
        if (rc != 0)
            error_set(err, rc, "Error in user declaration '%s': %s", rules[i].str,
                      why.text);
    }
    users_free_rules(rules, n);
    acl_release(&acl);
    return rc;
}

int server_add_user(struct server *server, const struct args *line, struct error *err)
{
    struct acl *acl = &server->acl;
    const char *name = line->words[1];
    struct resp_arg *rules;
    struct error why;
    size_t open;
    int rc = 0;

    if (strpbrk(name, " \t\n\v\f\r") != NULL)
        return error_set(err, ERR_SYNTAX, "Spaces not allowed in ACL usernames");
    struct user *user = acl_find(acl, name, strlen(name));
    if (user == NULL)
        user = acl_add(acl, name);
    acl_rule_reset(user, acl->has_open_channels);

    int n = users_rules(line, &rules, &open);
    if (n < 0)
        rc =
            error_set(err, n, "Unmatched parenthesis in a rule of the user '%s'", name);
    for (int i = 0; i < n && rc == 0; i++) {
        rc = acl_rule_apply(user, rules[i].str, rules[i].len, acl->has_open_channels,
                            &why);
        if (rc != 0)
            error_set(err, rc,
                      "Error loading ACL rule '%s' for the user named '%s': %s",
                      rules[i].str, name, why.text);
    }
    users_free_rules(rules, n);
    acl_rule_tidy(user);
    acl_sort(acl);
    return rc;
}

void server_each_user(const struct server *server,
                      void (*fn)(void *ctx, const char *name, const char *line,
                                 bool is_default),
                      void *ctx)
{
    const struct user *user = server->acl.users;
    struct buf line = {0};

    for (; user != NULL; user = user->hh.next) {
        buf_clear(&line);
        acl_text_user(&line, user);
        fn(ctx, user->name, line.data, acl_is_pristine(&server->acl, user));
    }
    buf_release(&line);
}

int server_rename_command(struct server *server, const struct args *line,
                          struct error *err)
{
    return command_rename(&server->names, line->words[1], line->words[2], err);
}

int server_check_renames(const struct args *const *lines, size_t n, struct error *err)
{
    struct command_names names = {0};
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = command_rename(&names, lines[i]->words[1], lines[i]->words[2], err);
    command_names_release(&names);
    return rc;
}

/* ------------------------------------------------------------------ the ACL file ----
 */

/* Gives every client the user of its name in |acl|, and closes those who have none. */
static void users_switch(struct server *server, struct acl *acl,
                         const struct session *caller)
{
    struct acl old = server->acl;
    struct session *session, *next;

    server->acl = *acl;
    HASH_ITER(hh, server->sessions, session, next)
    {
        const char *name = session->user->name;
        struct user *user = acl_find(&server->acl, name, strlen(name));
        if (user == NULL)
            session_evict(session, caller);
        else
            session->user = user;
    }
    for (struct user *user = server->acl.users; user != NULL; user = user->hh.next)
        server_check_topics(server, user, caller);
    acl_release(&old);
}

static int users_read(struct server *server, const struct session *caller,
                      const char *text, size_t len, struct buf *errors)
{
    struct acl acl;

    /* Stock's way: what the file does not say about "default" is not taken from
     * requirepass. */
    acl_init(&acl, NULL, server->acl.has_open_channels);
    int rc = acl_file_read(&acl, server->options.acl_file, text, len, errors);
    if (rc == 0)
        users_switch(server, &acl, caller);
    else
        acl_release(&acl);
    return rc;
}

int server_read_users(struct server *server, const char *text, size_t len,
                      struct buf *errors)
{
    return users_read(server, NULL, text, len, errors);
}

/* Writes the reply to ACL LOAD, having done it. |session| may be gone: NULL. */
static void users_load(struct server *server, const struct session *session, int error,
                       const char *bytes, size_t len, struct buf *reply)
{
    struct buf wrong = {0};

    if (error != 0)
        buf_printf(&wrong, "Error loading ACLs, opening file '%s': %s",
                   server->options.acl_file, strerror(error));
    else
        users_read(server, session, bytes, len, &wrong);
    if (wrong.len == 0) {
        resp_status(reply, "OK");
    } else {
        struct buf text = {0};
        buf_printf(&text, "ERR %s", wrong.data);
        resp_error(reply, text.data);
        buf_release(&text);
        server->stats.n_errors++;
    }
    buf_release(&wrong);
}

void server_file_done(struct server *server, uint64_t id, bool is_write, int error,
                      const char *bytes, size_t len)
{
    struct session *session = NULL;
    struct buf reply = {0};

    HASH_FIND(hh, server->sessions, &id, sizeof(id), session);
    if (session != NULL && session->wait != WAIT_FILE)
        session = NULL;
    if (!is_write) {
        users_load(server, session, error, bytes, len, &reply);
    } else if (error != 0) {
        server_log(server, LOG_LVL_WARNING, "Saving the ACL file %s: %s",
                   server->options.acl_file, strerror(error));
        resp_error(&reply, "ERR There was an error trying to save the ACLs. Please "
                           "check the server logs for more information");
    } else {
        resp_status(&reply, "OK");
    }
    if (session != NULL)
        session_end_wait(session, &reply);
    buf_release(&reply);
    server_settle(server);
}
