/*
 * cmd_client.c - CLIENT about connections: names, listing, killing, pausing
 * (interface.md 4.4, 4.5). CLIENT TRACKING and its kin are in cmd_client_tracking.c.
 */
#include "common/args.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

/* ---------------------------------------------------------------- one's own data ----
 */

/* Names end up in CLIENT LIST, whose readers split at blanks and line ends. */
static bool cmd_client_is_printable(const struct resp_arg *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->str[i] < '!' || text->str[i] > '~')
            return false;
    return true;
}

bool session_set_name(struct session *session, const struct resp_arg *name)
{
    if (!cmd_client_is_printable(name)) {
        session_error(session, "ERR Client names cannot contain spaces, newlines or "
                               "special characters.");
        return false;
    }
    mem_replace(&session->name, name->str);
    return true;
}

void cmd_client_setname(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    (void)argc;
    if (session_set_name(session, &argv[2]))
        session_ok(session);
}

void cmd_client_getname(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    (void)argv;
    (void)argc;
    if (session->name != NULL)
        resp_bulk_str(&session->out, session->name);
    else
        resp_nil(&session->out, session->proto);
}

void cmd_client_setinfo(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    char **slot;

    (void)argc;
    if (arg_is(&argv[2], "lib-name")) {
        slot = &session->lib_name;
    } else if (arg_is(&argv[2], "lib-ver")) {
        slot = &session->lib_ver;
    } else {
        session_error(session, "ERR Unrecognized option '%s'", argv[2].str);
        return;
    }
    if (!cmd_client_is_printable(&argv[3])) {
        session_error(session,
                      "ERR %s cannot contain spaces, newlines or special characters.",
                      argv[2].str);
        return;
    }
    mem_replace(slot, argv[3].str);
    session_ok(session);
}

void cmd_client_id(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    resp_int(&session->out, (int64_t)session->id);
}

void cmd_client_no_evict(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    (void)argc;
    if (!arg_is(&argv[2], "on") && !arg_is(&argv[2], "off")) {
        session_error(session, "ERR syntax error");
        return;
    }
    session->is_no_evict = arg_is(&argv[2], "on");
    session_ok(session);
}

void cmd_client_reply(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argc;
    if (arg_is(&argv[2], "on")) {
        session->is_reply_off = false;
        session->is_skipping = false;
        session_ok(session);
    } else if (arg_is(&argv[2], "off")) {
        session->is_reply_off = true;
    } else if (arg_is(&argv[2], "skip")) {
        session->skips_next = !session->is_reply_off;
    } else {
        session_error(session, "ERR syntax error");
    }
}

/* ------------------------------------------------------------------ INFO, LIST ---- */

static void cmd_client_flags(const struct session *session, char out[8])
{
    size_t n = 0;

    if (session_is_subscriber(session))
        out[n++] = 'P';
    if (session->tracking != NULL && (session->tracking->flags & TRACK_ON) != 0)
        out[n++] = 't';
    if (session->is_closing && !session->is_dropped)
        out[n++] = 'c';
    if (session->is_dropped)
        out[n++] = 'A';
    if (session->is_unix)
        out[n++] = 'U';
    if (session->is_no_evict)
        out[n++] = 'e';
    if (n == 0)
        out[n++] = 'N';
    out[n] = '\0';
}

static const char *cmd_client_text(const char *text)
{
    return text != NULL ? text : "";
}

size_t session_memory(const struct session *session)
{
    return sizeof(*session) + session->rq.in.cap + session->out.cap;
}

void session_describe(const struct session *session, struct buf *out)
{
    const struct server *server = session->server;
    const struct resp_request *rq = &session->rq;
    const struct tracking *tracking = session->tracking;
    bool is_tracking = tracking != NULL && (tracking->flags & TRACK_ON) != 0;
    size_t qbuf = rq->in.len - rq->start;
    size_t total = session_memory(session);
    char flags[8];

    cmd_client_flags(session, flags);
    buf_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld ",
               (unsigned long long)session->id, session->peer, session->local,
               session->fd, cmd_client_text(session->name),
               (long long)(server->now - session->opened_at) / 1000,
               (long long)(server->now - session->active_at) / 1000);
    buf_printf(out, "flags=%s db=0 sub=%u psub=%u ssub=0 multi=-1 watch=0 ", flags,
               session->n_channels, session->n_patterns);
    buf_printf(out, "qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=0 ", qbuf,
               rq->in.cap > rq->in.len ? rq->in.cap - rq->in.len - 1 : 0,
               session->argv_len);
    buf_printf(out, "rbs=%zu rbp=%zu obl=%zu oll=0 omem=0 tot-mem=%zu events=%s ",
               session->out.cap, session->out.len, session->n_owed, total,
               session->n_owed > 0 ? "rw" : "r");
    buf_printf(out, "cmd=%s user=%s redir=%lld resp=%d lib-name=%s lib-ver=%s",
               session->command != NULL ? session->command->name : "NULL",
               session->user->name, is_tracking ? (long long)tracking->redirect : -1,
               session->proto, cmd_client_text(session->lib_name),
               cmd_client_text(session->lib_ver));
}

void cmd_client_info(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct buf text = {0};

    (void)argv;
    (void)argc;
    session_describe(session, &text);
    buf_putc(&text, '\n');
    resp_verbatim(&session->out, session->proto, text.data, text.len);
    buf_release(&text);
}

enum cmd_client_type { TYPE_ANY, TYPE_NORMAL, TYPE_PUBSUB, TYPE_OTHER };

/* False, with the error replied, if |word| is no type. */
static bool cmd_client_read_type(struct session *session, const struct resp_arg *word,
                                 enum cmd_client_type *type)
{
    if (arg_is(word, "normal"))
        *type = TYPE_NORMAL;
    else if (arg_is(word, "pubsub"))
        *type = TYPE_PUBSUB;
    else if (arg_is(word, "master") || arg_is(word, "replica") || arg_is(word, "slave"))
        *type = TYPE_OTHER;
    else {
        session_error(session, "ERR Unknown client type '%s'", word->str);
        return false;
    }
    return true;
}

static bool cmd_client_has_type(const struct session *session,
                                enum cmd_client_type type)
{
    switch (type) {
    case TYPE_ANY:
        return true;
    case TYPE_NORMAL:
        return !session_is_subscriber(session);
    case TYPE_PUBSUB:
        return session_is_subscriber(session);
    case TYPE_OTHER:
        break;
    }
    return false;
}

static struct session *cmd_client_find(const struct server *server, uint64_t id)
{
    struct session *session;

    HASH_FIND(hh, server->sessions, &id, sizeof(id), session);
    return session;
}

/* The lines of the clients with the ids in |argv|; false if one is no id. */
static bool cmd_client_list_ids(struct session *session, const struct resp_arg *argv,
                                size_t argc, struct buf *text)
{
    for (size_t i = 3; i < argc; i++) {
        int64_t id;
        if (!args_int(argv[i].str, argv[i].len, &id)) {
            session_error(session, "ERR Invalid client ID");
            return false;
        }
        const struct session *found = cmd_client_find(session->server, (uint64_t)id);
        if (found != NULL) {
            session_describe(found, text);
            buf_putc(text, '\n');
        }
    }
    return true;
}

void cmd_client_list(struct session *session, const struct resp_arg *argv, size_t argc)
{
    enum cmd_client_type type = TYPE_ANY;
    struct buf text = {0};
    bool is_ok = true;

    if (argc > 3 && arg_is(&argv[2], "id")) {
        is_ok = cmd_client_list_ids(session, argv, argc, &text);
    } else if (argc == 4 && arg_is(&argv[2], "type")) {
        is_ok = cmd_client_read_type(session, &argv[3], &type);
    } else if (argc != 2) {
        session_error(session, "ERR syntax error");
        is_ok = false;
    }
    if (is_ok && !(argc > 3 && arg_is(&argv[2], "id"))) {
        for (struct session *s = session->server->sessions; s != NULL; s = s->hh.next) {
            if (!cmd_client_has_type(s, type))
                continue;
            session_describe(s, &text);
            buf_putc(&text, '\n');
        }
    }
    if (is_ok)
        resp_verbatim(&session->out, session->proto, buf_text(&text), text.len);
    buf_release(&text);
}

/* ------------------------------------------------------------------------ KILL ---- */

struct cmd_client_filter {
    uint64_t id; /* 0: any */
    enum cmd_client_type type;
    const char *addr, *local;
    const struct user *user;
    int64_t max_age_s; /* 0: any */
    bool skips_me;
};

static bool cmd_client_matches(const struct session *session,
                               const struct cmd_client_filter *filter)
{
    int64_t age_ms = session->server->now - session->opened_at;

    return (filter->id == 0 || session->id == filter->id) &&
           cmd_client_has_type(session, filter->type) &&
           (filter->addr == NULL || strcmp(session->peer, filter->addr) == 0) &&
           (filter->local == NULL || strcmp(session->local, filter->local) == 0) &&
           (filter->user == NULL || session->user == filter->user) &&
           (filter->max_age_s == 0 || age_ms / 1000 >= filter->max_age_s);
}

/* Kills the matching clients and returns how many. One's own connection ends after the
 * reply. */
static int64_t cmd_client_kill_matching(struct session *session,
                                        const struct cmd_client_filter *filter)
{
    struct session *other, *next;
    int64_t n = 0;

    HASH_ITER(hh, session->server->sessions, other, next)
    {
        if (!cmd_client_matches(other, filter) || other->is_dropped ||
            (other == session && filter->skips_me))
            continue;
        n++;
        if (other == session)
            session_close_after_reply(session);
        else
            session_drop(other);
    }
    return n;
}

/* One filter and its value. False: the error is replied. */
static bool cmd_client_read_filter(struct session *session, const struct resp_arg *word,
                                   struct cmd_client_filter *filter)
{
    const struct resp_arg *value = word + 1;
    int64_t number;
    bool is_number = args_int(value->str, value->len, &number);

    if (arg_is(word, "id")) {
        if (!is_number || number < 1) {
            session_error(session, "ERR client-id should be greater than 0");
            return false;
        }
        filter->id = (uint64_t)number;
    } else if (arg_is(word, "type")) {
        return cmd_client_read_type(session, value, &filter->type);
    } else if (arg_is(word, "user")) {
        filter->user = acl_find(&session->server->acl, value->str, value->len);
        if (filter->user == NULL) {
            session_error(session, "ERR No such user '%s'", value->str);
            return false;
        }
    } else if (arg_is(word, "addr")) {
        filter->addr = value->str;
    } else if (arg_is(word, "laddr")) {
        filter->local = value->str;
    } else if (arg_is(word, "maxage")) {
        if (!is_number || number < 1) {
            session_error(session, "ERR value is not an integer or out of range");
            return false;
        }
        filter->max_age_s = number;
    } else if (arg_is(word, "skipme") &&
               (arg_is(value, "yes") || arg_is(value, "no"))) {
        filter->skips_me = arg_is(value, "yes");
    } else {
        session_error(session, "ERR syntax error");
        return false;
    }
    return true;
}

void cmd_client_kill(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct cmd_client_filter filter = {.skips_me = true};

    if (argc == 3) {
        filter.addr = argv[2].str;
        filter.skips_me = false;
        if (cmd_client_kill_matching(session, &filter) > 0)
            session_ok(session);
        else
            session_error(session, "ERR No such client");
        return;
    }
    for (size_t i = 2; i < argc; i += 2) {
        if (i + 1 == argc) {
            session_error(session, "ERR syntax error");
            return;
        }
        if (!cmd_client_read_filter(session, &argv[i], &filter))
            return;
    }
    resp_int(&session->out, cmd_client_kill_matching(session, &filter));
}

/* ------------------------------------------------------- PAUSE, UNPAUSE, UNBLOCK ----
 */

/* More arguments than PAUSE and UNBLOCK take, which their arity lets pass. */
static bool cmd_client_has_excess(struct session *session, const struct resp_arg *argv,
                                  size_t argc)
{
    if (argc <= 4)
        return false;
    session_error(session,
                  "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try "
                  "CLIENT HELP.",
                  (int)argv[1].len, argv[1].str);
    return true;
}

void cmd_client_pause(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct server *server = session->server;
    int64_t ms;

    if (cmd_client_has_excess(session, argv, argc))
        return;
    if (argc == 4 && !arg_is(&argv[3], "write") && !arg_is(&argv[3], "all")) {
        session_error(session, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!args_int(argv[2].str, argv[2].len, &ms) || ms > SERVER_MS_MAX) {
        session_error(session, "ERR timeout is not an integer or out of range");
        return;
    }
    if (ms < 0) {
        session_error(session, "ERR timeout is negative");
        return;
    }
    int64_t until = server->now + ms;
    bool is_of_writes = argc == 4 && arg_is(&argv[3], "write");
    /* Who asked for a pause that is not over counts on it: it gets no shorter, and does
     * not let more through. */
    if (server->paused_until != CORE_NEVER) {
        until = until > server->paused_until ? until : server->paused_until;
        is_of_writes = is_of_writes && server->pauses_writes_only;
    }
    server->paused_until = until;
    server->pauses_writes_only = is_of_writes;
    session_ok(session);
}

void cmd_client_unpause(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    (void)argv;
    (void)argc;
    server_unpause(session->server);
    session_ok(session);
}

/* No command of a sentinel blocks. */
void cmd_client_unblock(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    int64_t id;

    if (cmd_client_has_excess(session, argv, argc))
        return;
    if (argc == 4 && !arg_is(&argv[3], "timeout") && !arg_is(&argv[3], "error"))
        session_error(session, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    else if (!args_int(argv[2].str, argv[2].len, &id))
        session_error(session, "ERR value is not an integer or out of range");
    else
        resp_int(&session->out, 0);
}
