/*
 * cmd_acl.c - ACL and its subcommands (interface.md 4.6).
 */
#include "common/args.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <ctype.h>
#include <string.h>

#define GENPASS_BITS_MAX 4096
#define LOG_DEFAULT 10
#define NO_FILE                                                                        \
    "ERR This Redis instance is not configured to use an ACL file. You may want to "   \
    "specify users via the ACL SETUSER command and then issue a CONFIG REWRITE "       \
    "(assuming you have a Redis configuration file set) in order to store users in "   \
    "the Redis configuration."

/* Too many words for a subcommand that may have one or two. */
static void cmd_acl_bad_call(struct session *session, const struct resp_arg *argv)
{
    session_error(session,
                  "ERR unknown subcommand or wrong number of arguments for '%.128s'. "
                  "Try ACL HELP.",
                  argv[1].str);
}

/* ---------------------------------------------------------------------- reading ----
 */

void cmd_acl_whoami(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    resp_bulk_str(&session->out, session->user->name);
}

void cmd_acl_users(struct session *session, const struct resp_arg *argv, size_t argc)
{
    const struct user *user = session->server->acl.users;

    (void)argv;
    (void)argc;
    resp_array(&session->out, HASH_COUNT(user));
    for (; user != NULL; user = user->hh.next)
        resp_bulk_str(&session->out, user->name);
}

void cmd_acl_list(struct session *session, const struct resp_arg *argv, size_t argc)
{
    const struct user *user = session->server->acl.users;
    struct buf line = {0};

    (void)argv;
    (void)argc;
    resp_array(&session->out, HASH_COUNT(user));
    for (; user != NULL; user = user->hh.next) {
        buf_clear(&line);
        acl_text_user(&line, user);
        resp_bulk(&session->out, line.data, line.len);
    }
    buf_release(&line);
}

/* "commands", "keys" and "channels" of a selector. */
static void cmd_acl_write_selector(struct buf *out, const struct acl_selector *selector)
{
    static const struct {
        const char *name;
        void (*write)(struct buf *out, const struct acl_selector *selector);
    } fields[] = {{"commands", acl_text_commands},
                  {"keys", acl_text_keys},
                  {"channels", acl_text_channels}};
    struct buf text = {0};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        buf_clear(&text);
        fields[i].write(&text, selector);
        resp_bulk_str(out, fields[i].name);
        resp_bulk(out, buf_text(&text), text.len);
    }
    buf_release(&text);
}

static void cmd_acl_write_user(struct buf *out, int proto, const struct user *user)
{
    const struct acl_selector *selector = user->selectors;
    struct buf text = {0};
    size_t n = 0;

    resp_map(out, proto, 6);
    resp_bulk_str(out, "flags");
    resp_set(out, proto, user->is_nopass ? 3 : 2);
    resp_bulk_str(out, user->is_on ? "on" : "off");
    if (user->is_nopass)
        resp_bulk_str(out, "nopass");
    resp_bulk_str(out,
                  user->skips_sanitize ? "skip-sanitize-payload" : "sanitize-payload");
    resp_bulk_str(out, "passwords");
    resp_array(out, user->n_digests);
    for (size_t i = 0; i < user->n_digests; i++) {
        buf_clear(&text);
        acl_digest_put(&text, user->digests[i]);
        resp_bulk(out, text.data, text.len);
    }
    buf_release(&text);
    cmd_acl_write_selector(out, selector);

    resp_bulk_str(out, "selectors");
    for (const struct acl_selector *s = selector->next; s != NULL; s = s->next)
        n++;
    resp_array(out, n);
    while ((selector = selector->next) != NULL) {
        resp_map(out, proto, 3);
        cmd_acl_write_selector(out, selector);
    }
}

void cmd_acl_getuser(struct session *session, const struct resp_arg *argv, size_t argc)
{
    const struct user *user = acl_find(&session->server->acl, argv[2].str, argv[2].len);

    (void)argc;
    if (user == NULL)
        resp_nil(&session->out, session->proto);
    else
        cmd_acl_write_user(&session->out, session->proto, user);
}

/* --------------------------------------------------------------------- changing ----
 */

/* Applies |rules| to |user|, all of them or none. */
static int cmd_acl_apply(struct session *session, struct user *user,
                         const struct resp_arg *rules, size_t n)
{
    bool is_open = session->server->acl.has_open_channels;
    struct user changed;
    struct error err;

    user_copy(&changed, user);
    for (size_t i = 0; i < n; i++) {
        int rc = acl_rule_apply(&changed, rules[i].str, rules[i].len, is_open, &err);
        if (rc == 0)
            continue;
        session_error(session, "ERR Error in ACL SETUSER modifier '%s': %s",
                      rules[i].str, err.text);
        user_release(&changed);
        return rc;
    }
    acl_rule_tidy(&changed);
    user_replace(user, &changed);
    return 0;
}

static bool cmd_acl_is_name(const struct resp_arg *name)
{
    for (size_t i = 0; i < name->len; i++)
        if (name->str[i] == '\0' || isspace((unsigned char)name->str[i]))
            return false;
    return true;
}

static void cmd_acl_set(struct session *session, const struct resp_arg *name,
                        const struct resp_arg *rules, size_t n)
{
    struct server *server = session->server;
    struct user *user = acl_find(&server->acl, name->str, name->len);
    bool is_new = user == NULL;

    if (is_new)
        user = acl_add(&server->acl, name->str);
    if (cmd_acl_apply(session, user, rules, n) != 0) {
        if (is_new)
            acl_remove(&server->acl, user);
        return;
    }
    if (is_new)
        acl_sort(&server->acl);
    else
        server_check_topics(server, user, session);
    session_ok(session);
}

void cmd_acl_setuser(struct session *session, const struct resp_arg *argv, size_t argc)
{
    size_t open;

    if (!cmd_acl_is_name(&argv[2])) {
        session_error(session, "ERR Usernames can't contain spaces or null characters");
        return;
    }
    struct resp_arg *rules = mem_array(argc, sizeof(*rules));
    int n = acl_words_join(argv + 3, argc - 3, rules, &open);
    if (n < 0) {
        session_error(session,
                      "ERR Unmatched parenthesis in acl selector starting at '%s'.",
                      argv[3 + open].str);
    } else {
        cmd_acl_set(session, &argv[2], rules, (size_t)n);
        acl_words_free(rules, (size_t)n);
    }
    mem_free(rules);
}

void cmd_acl_deluser(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct server *server = session->server;
    struct session *other, *next;
    int64_t n = 0;

    for (size_t i = 2; i < argc; i++) {
        if (acl_find(&server->acl, argv[i].str, argv[i].len) !=
            server->acl.default_user)
            continue;
        session_error(session, "ERR The 'default' user cannot be removed");
        return;
    }
    for (size_t i = 2; i < argc; i++) {
        struct user *user = acl_find(&server->acl, argv[i].str, argv[i].len);
        if (user == NULL)
            continue;
        n++;
        HASH_ITER(hh, server->sessions, other, next)
        {
            if (other->user == user)
                session_evict(other, session);
        }
        acl_remove(&server->acl, user);
    }
    resp_int(&session->out, n);
}

/* -------------------------------------------------------------------- questions ----
 */

static void cmd_acl_write_category(struct session *session, uint32_t category)
{
    const struct command *command;
    size_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            resp_array(&session->out, n);
        for (int id = 0; (command = command_by_id(id)) != NULL; id++) {
            if ((command->categories & category) == 0 ||
                (command->flags & CMD_HIDDEN) != 0)
                continue;
            n++;
            if (pass == 1)
                resp_bulk_str(&session->out, command->name);
        }
    }
}

void cmd_acl_cat(struct session *session, const struct resp_arg *argv, size_t argc)
{
    if (argc > 3) {
        cmd_acl_bad_call(session, argv);
        return;
    }
    if (argc == 2) {
        resp_array(&session->out, CAT_N);
        for (int i = 0; i < CAT_N; i++)
            resp_bulk_str(&session->out, command_category_name(i));
        return;
    }
    int bit = command_category_by_name(argv[2].str, argv[2].len);
    if (bit < 0)
        session_error(session, "ERR Unknown category '%s'", argv[2].str);
    else
        cmd_acl_write_category(session, UINT32_C(1) << bit);
}

static void cmd_acl_write_verdict(struct session *session, const struct user *user,
                                  const struct command *command,
                                  const struct resp_arg *argv, size_t argc)
{
    const struct resp_arg *channel;
    struct buf text = {0};

    switch (acl_check(user, command, argv, argc, &channel)) {
    case ACL_OK:
        session_ok(session);
        break;
    case ACL_DENIED_COMMAND:
        buf_printf(&text, "User %s has no permissions to run the '%s' command",
                   user->name, command->name);
        break;
    case ACL_DENIED_CHANNEL:
        buf_printf(&text, "User %s has no permissions to access the '%s' channel",
                   user->name, channel->str);
        break;
    }
    if (text.len > 0)
        resp_bulk(&session->out, text.data, text.len);
    buf_release(&text);
}

void cmd_acl_dryrun(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct server *server = session->server;
    const struct user *user = acl_find(&server->acl, argv[2].str, argv[2].len);
    const struct command *command;

    if (user == NULL)
        session_error(session, "ERR User '%s' not found", argv[2].str);
    else if (command_find(&server->names, argv + 3, argc - 3, &command) !=
             COMMAND_FOUND)
        session_error(session, "ERR Command '%s' not found", argv[3].str);
    else if (!command_arity_ok(command, argc - 3))
        session_error(session, "ERR wrong number of arguments for '%s' command",
                      command->name);
    else
        cmd_acl_write_verdict(session, user, command, argv + 3, argc - 3);
}

void cmd_acl_genpass(struct session *session, const struct resp_arg *argv, size_t argc)
{
    const struct server_hooks *hooks = &session->server->hooks;
    uint8_t bytes[GENPASS_BITS_MAX / 8];
    char hex[GENPASS_BITS_MAX / 4 + 1];
    int64_t bits = 256;

    if (argc > 3) {
        cmd_acl_bad_call(session, argv);
        return;
    }
    if (argc == 3 && !args_int(argv[2].str, argv[2].len, &bits)) {
        session_error(session, "ERR value is not an integer or out of range");
        return;
    }
    if (bits < 1 || bits > GENPASS_BITS_MAX) {
        session_error(session,
                      "ERR ACL GENPASS argument must be the number of bits for the "
                      "output password, a positive number up to %d",
                      GENPASS_BITS_MAX);
        return;
    }
    if (hooks->random == NULL) {
        session_error(session, "ERR no source of randomness");
        return;
    }
    size_t n_digits = ((size_t)bits + 3) / 4;
    hooks->random(hooks->ctx, bytes, (n_digits + 1) / 2);
    for (size_t i = 0; i < n_digits; i++)
        hex[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    resp_bulk(&session->out, hex, n_digits);
}

/* -------------------------------------------------------------------------- LOG ----
 */

static void cmd_acl_write_entry(struct buf *out, int proto, int64_t wall,
                                const struct acl_log_entry *entry)
{
    int64_t age_ms = wall > entry->updated_wall ? wall - entry->updated_wall : 0;

    resp_map(out, proto, 10);
    resp_bulk_str(out, "count");
    resp_int(out, (int64_t)entry->count);
    resp_bulk_str(out, "reason");
    resp_bulk_str(out, acl_log_reason_name(entry->reason));
    resp_bulk_str(out, "context");
    resp_bulk_str(out, "toplevel");
    resp_bulk_str(out, "object");
    resp_bulk_str(out, entry->object);
    resp_bulk_str(out, "username");
    resp_bulk_str(out, entry->user_name);
    resp_bulk_str(out, "age-seconds");
    resp_double(out, proto, (double)age_ms / 1000);
    resp_bulk_str(out, "client-info");
    resp_bulk_str(out, entry->client);
    resp_bulk_str(out, "entry-id");
    resp_int(out, (int64_t)entry->id);
    resp_bulk_str(out, "timestamp-created");
    resp_int(out, entry->created_wall);
    resp_bulk_str(out, "timestamp-last-updated");
    resp_int(out, entry->updated_wall);
}

void cmd_acl_log(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct acl_log *log = &session->server->acl_log;
    const struct acl_log_entry *entry = log->entries;
    int64_t n = LOG_DEFAULT;

    if (argc > 3) {
        cmd_acl_bad_call(session, argv);
        return;
    }
    if (argc == 3 && arg_is(&argv[2], "reset")) {
        acl_log_clear(log);
        session_ok(session);
        return;
    }
    if (argc == 3 && !args_int(argv[2].str, argv[2].len, &n)) {
        session_error(session, "ERR value is not an integer or out of range");
        return;
    }
    n = n < 0 ? 0 : n > log->n ? log->n : n;
    resp_array(&session->out, (size_t)n);
    for (; n > 0; n--, entry = entry->next)
        cmd_acl_write_entry(&session->out, session->proto, session->server->wall,
                            entry);
}

/* ----------------------------------------------------------------- SAVE and LOAD ----
 */

/* Hands the job to the driver; the session waits for server_file_done(). */
static void cmd_acl_use_file(struct session *session, bool is_write,
                             const struct buf *text)
{
    struct server *server = session->server;
    struct server_file_job job = {
        .session = session->id,
        .path = server->options.acl_file,
        .is_write = is_write,
        .bytes = buf_text(text),
        .len = text->len,
    };

    if (server->hooks.file == NULL) {
        session_error(session, "ERR There is no file system here");
        return;
    }
    session_wait_file(session);
    server->hooks.file(server->hooks.ctx, &job);
}

void cmd_acl_save(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct buf text = {0};

    (void)argv;
    (void)argc;
    if (session->server->options.acl_file[0] == '\0') {
        session_error(session, "%s", NO_FILE);
        return;
    }
    acl_file_write(&text, &session->server->acl);
    cmd_acl_use_file(session, true, &text);
    buf_release(&text);
}

void cmd_acl_load(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct buf none = {0};

    (void)argv;
    (void)argc;
    if (session->server->options.acl_file[0] == '\0')
        session_error(session, "%s", NO_FILE);
    else
        cmd_acl_use_file(session, false, &none);
}
