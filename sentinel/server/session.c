/*
 * session.c - one client: its input becomes requests, requests become calls, replies
 * pile up until the driver takes them.
 */
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/* Buffers larger than this are given back as soon as they are empty; smaller ones once
 * the client has been idle for SESSION_IDLE_MS. */
#define SESSION_KEEP_CAP ((size_t)16 * 1024)
#define SESSION_IDLE_MS 2000

/* Words of a request quoted in the unknown-command error (interface.md 2.2). */
#define SESSION_QUOTE_MAX 128

#define SESSION_HTTP_LOG_MS 60000

/* ---------------------------------------------------------------- life cycle ---- */

static void session_refuse(struct session *session, const char *text)
{
    session->server->stats.n_rejected++;
    session_error(session, "%s", text);
    session->is_closing = true;
}

struct session *session_open(struct server *server, const char *peer, const char *local,
                             int fd, bool is_unix, bool is_local, void *driver)
{
    struct session *session = mem_zalloc(sizeof(*session));
    size_t n_before = HASH_COUNT(server->sessions);

    session->server = server;
    session->id = server->next_id++;
    session->driver = driver;
    session->peer = mem_strdup(peer);
    session->local = mem_strdup(local);
    session->fd = fd;
    session->proto = 2;
    session->is_unix = is_unix;
    session->opened_at = server->now;
    session->active_at = server->now;
    session->soft_at = CORE_NEVER;
    session->user = server->acl.default_user;
    session->is_authed = !acl_needs_auth(&server->acl);
    HASH_ADD(hh, server->sessions, id, sizeof(session->id), session);

    server->stats.n_connections++;
    if (server->options.maxclients > 0 &&
        n_before >= (size_t)server->options.maxclients)
        session_refuse(session, "ERR max number of clients reached");
    else if (server->options.protected_mode && !is_unix && !is_local &&
             !acl_needs_auth(&server->acl))
        session_refuse(session,
                       "DENIED This sentinel runs in protected mode and its default "
                       "user has no password, so it talks to clients on the same "
                       "machine only. Set requirepass, or turn protected-mode off.");
    return session;
}

static void session_leave_wait(struct session *session)
{
    if (session->wait != WAIT_NONE)
        session->server->n_waiting--;
    session->wait = WAIT_NONE;
}

void session_close(struct session *session)
{
    struct server *server = session->server;

    session_leave_wait(session);
    turn_leave_line(session);
    pubsub_leave_all(session);
    cmd_client_forget_tracking(session);
    HASH_DELETE(hh, server->sessions, session);
    resp_request_release(&session->rq);
    promise_release(session);
    buf_release(&session->out);
    buf_release(&session->pushes);
    buf_release(&session->instead);
    mem_free(session->peer);
    mem_free(session->local);
    mem_free(session->name);
    mem_free(session->lib_name);
    mem_free(session->lib_ver);
    mem_free(session);
}

void session_wake(struct session *session)
{
    struct server *server = session->server;

    if (server->hooks.wake != NULL)
        server->hooks.wake(server->hooks.ctx, session);
}

void session_close_after_reply(struct session *session)
{
    session->is_closing = true;
}

void session_drop(struct session *session)
{
    if (session->is_dropped)
        return;
    session->is_closing = true;
    session->is_dropped = true;
    session_wake(session);
}

void session_evict(struct session *session, const struct session *caller)
{
    session->user = session->server->acl.default_user;
    session->is_authed = false;
    if (session == caller)
        session_close_after_reply(session);
    else
        session_drop(session);
}

/* -------------------------------------------------------------------- output ---- */

void session_error(struct session *session, const char *format, ...)
{
    struct buf text = {0};
    va_list ap;

    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    resp_error(&session->out, buf_text(&text));
    buf_release(&text);
    session->server->stats.n_errors++;
}

void session_ok(struct session *session)
{
    resp_status(&session->out, "OK");
}

bool session_is_subscriber(const struct session *session)
{
    return session->n_channels + session->n_patterns > 0;
}

void session_check_output(struct session *session)
{
    const struct server_options *options = &session->server->options;
    bool is_pubsub = session_is_subscriber(session);
    int64_t owed = (int64_t)session->n_owed;
    int64_t now = session->server->now;
    int64_t hard =
        is_pubsub ? options->output_pubsub_hard : options->output_normal_hard;
    int64_t soft =
        is_pubsub ? options->output_pubsub_soft : options->output_normal_soft;
    int soft_s =
        is_pubsub ? options->output_pubsub_soft_s : options->output_normal_soft_s;
    bool is_over = hard > 0 && owed > hard;

    if (session->n_owed > session->server->stats.max_output)
        session->server->stats.max_output = session->n_owed;
    if (soft <= 0 || owed <= soft)
        session->soft_at = CORE_NEVER;
    else if (session->soft_at == CORE_NEVER)
        session->soft_at = now;
    else if (now - session->soft_at > (int64_t)soft_s * 1000)
        is_over = true;
    if (!is_over || session->is_dropped)
        return;

    struct buf line = {0};
    session_describe(session, &line);
    server_log(session->server, LOG_LVL_WARNING,
               "Client %s scheduled to be closed ASAP for overcoming of output buffer "
               "limits.",
               buf_text(&line));
    buf_release(&line);
    session->server->stats.n_output_limit_closes++;
    session_drop(session);
}

/* Counts what was put into the output since it was |before| bytes long. */
static void session_count_output(struct session *session, size_t before)
{
    session->n_owed += session->out.len - before;
    session_check_output(session);
}

void session_push(struct session *session, const struct buf *frame)
{
    if (session->is_closing)
        return;
    /* The reply to a command comes before the messages it caused (interface.md 1.4). */
    bool must_wait = session->wait == WAIT_CORE || session->wait == WAIT_FILE;
    struct buf *out = must_wait ? &session->pushes : &session->out;
    buf_append(out, frame->data, frame->len);
    session->n_owed += frame->len;
    session_check_output(session);
    session_wake(session);
}

struct buf *session_output(struct session *session)
{
    return &session->out;
}

/* --------------------------------------------------------- requests and calls ---- */

bool session_needs_auth(const struct session *session)
{
    return !session->is_authed && acl_needs_auth(&session->server->acl);
}

void session_login(struct session *session, const struct user *user)
{
    session->user = user;
    session->is_authed = true;
}

static void session_unknown_command(struct session *session,
                                    const struct resp_arg *argv, size_t argc)
{
    struct buf words = {0};

    for (size_t i = 1; i < argc && words.len < SESSION_QUOTE_MAX; i++) {
        size_t len = argv[i].len;
        if (len > SESSION_QUOTE_MAX - words.len)
            len = SESSION_QUOTE_MAX - words.len;
        buf_printf(&words, "'%.*s' ", (int)len, argv[i].str);
    }
    session_error(session, "ERR unknown command '%.*s', with args beginning with: %s",
                  SESSION_QUOTE_MAX, argv[0].str, buf_text(&words));
    buf_release(&words);
}

static void session_unknown_sub(struct session *session, const struct resp_arg *argv)
{
    struct buf name = {0};

    for (size_t i = 0; i < argv[0].len && i < SESSION_QUOTE_MAX; i++)
        buf_putc(&name, (char)toupper((unsigned char)argv[0].str[i]));
    session_error(session, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                  SESSION_QUOTE_MAX, argv[1].str, buf_text(&name));
    buf_release(&name);
}

void session_log_denial(struct session *session, enum acl_log_reason reason,
                        const struct resp_arg *object, const struct resp_arg *user_name)
{
    struct server *server = session->server;
    struct buf line = {0};

    if (server->acl_log.max <= 0)
        return;
    session_describe(session, &line);
    acl_log_add(&server->acl_log, reason, object, user_name, buf_text(&line),
                server->wall);
    buf_release(&line);
}

static void session_deny_command(struct session *session, const struct command *command)
{
    struct resp_arg name = arg_of(command->name);
    struct resp_arg user_name = arg_of(session->user->name);

    session->command = command;
    session->server->stats.n_denied_command++;
    session_log_denial(session, ACL_LOG_COMMAND, &name, &user_name);
    session_error(session, "NOPERM User %s has no permissions to run the '%s' command",
                  session->user->name, command->name);
}

static void session_deny_channel(struct session *session, const struct command *command,
                                 const struct resp_arg *channel)
{
    struct resp_arg user_name = arg_of(session->user->name);

    session->command = command;
    session->server->stats.n_denied_channel++;
    session_log_denial(session, ACL_LOG_CHANNEL, channel, &user_name);
    session_error(session, "NOPERM No permissions to access a channel");
}

/* Is |session| denied this by its user's rules? Then the error is replied. */
static bool session_is_denied(struct session *session, const struct command *command,
                              const struct resp_arg *argv, size_t argc)
{
    const struct resp_arg *channel = NULL;

    switch (acl_check(session->user, command, argv, argc, &channel)) {
    case ACL_DENIED_COMMAND:
        session_deny_command(session, command);
        return true;
    case ACL_DENIED_CHANNEL:
        session_deny_channel(session, command, channel);
        return true;
    case ACL_OK:
        break;
    }
    return false;
}

/* What a request may not do although it is well-formed; true if it may go on. */
static bool session_permit(struct session *session, const struct command *command,
                           const struct resp_arg *argv, size_t argc)
{
    if (session_needs_auth(session) && (command->flags & CMD_NO_AUTH) == 0) {
        session_error(session, "NOAUTH Authentication required.");
        return false;
    }
    if (session_is_denied(session, command, argv, argc))
        return false;
    if (session->proto == 2 && session_is_subscriber(session) &&
        (command->flags & CMD_SUBSCRIBER) == 0) {
        session_error(session,
                      "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE "
                      "/ PING / QUIT / RESET are allowed in this context",
                      command->name);
        return false;
    }
    return true;
}

/* An HTTP request, perhaps forged by a browser: nothing of it may run, nor may earlier
 * replies leave. Attempts come in bursts, hence one line a minute at most. */
static void session_cut_off_http(struct session *session)
{
    struct server *server = session->server;

    if (server->http_logged_at == CORE_NEVER ||
        server->now - server->http_logged_at >= SESSION_HTTP_LOG_MS) {
        server->http_logged_at = server->now;
        server_log(server, LOG_LVL_WARNING,
                   "A client at %s sends HTTP: connection closed", session->peer);
    }
    buf_clear(&session->out);
    session_drop(session);
}

/* Decides, in the order of interface.md 2.1, what to call; NULL if that ended the
 * matter. */
static const struct command *session_dispatch(struct session *session)
{
    const struct resp_arg *argv = session->rq.args;
    size_t argc = session->rq.n_args;
    const struct command *command;

    if (arg_is(&argv[0], "post") || arg_is(&argv[0], "host:")) {
        session_cut_off_http(session);
        return NULL;
    }
    switch (command_find(&session->server->names, argv, argc, &command)) {
    case COMMAND_UNKNOWN:
        session_unknown_command(session, argv, argc);
        return NULL;
    case COMMAND_UNKNOWN_SUB:
        session_unknown_sub(session, argv);
        return NULL;
    case COMMAND_FOUND:
        break;
    }
    if (!command_arity_ok(command, argc)) {
        session_error(session, "ERR wrong number of arguments for '%s' command",
                      command->name);
        return NULL;
    }
    return session_permit(session, command, argv, argc) ? command : NULL;
}

/* Drops what was written since |before| if CLIENT REPLY says so. */
static void session_mute(struct session *session, size_t before)
{
    if (session->is_reply_off || session->is_skipping)
        buf_truncate(&session->out, before);
}

static void session_call(struct session *session, const struct command *command)
{
    size_t before = session->out.len;

    session->command = command;
    session->server->stats.n_commands++;
    command->run(session, session->rq.args, session->rq.n_args);
    turn_charge(session, session->out.len - before);
    if ((command->flags & CMD_UNMUTED) == 0)
        session_mute(session, before);
    session_count_output(session, before);
    promise_follow(session, before);
}

/* Must |command| wait, for the end of a pause or for a vote? */
static bool session_is_held_back(const struct session *session,
                                 const struct command *command)
{
    return server_is_paused(session->server, command) ||
           !promise_admits(session, command);
}

static void session_execute(struct session *session)
{
    size_t before = session->out.len;

    session->argv_len = 0;
    for (size_t i = 0; i < session->rq.n_args; i++)
        session->argv_len += session->rq.args[i].len;
    session->is_skipping = session->skips_next;
    session->skips_next = false;

    const struct command *command = session_dispatch(session);
    if (command == NULL) {
        if (session->is_dropped)
            return;
        turn_charge(session, session->out.len - before);
        session_mute(session, before);
        session_count_output(session, before);
        promise_follow(session, before);
    } else if (session_is_held_back(session, command)) {
        session->command = command;
        session->wait = WAIT_PAUSE;
        session->server->n_waiting++;
    } else {
        session_call(session, command);
    }
}

/* The client broke the protocol. Votes it asked for before are given, so that their
 * replies, and the error behind them, still reach it. */
static void session_break_off(struct session *session, const char *why)
{
    size_t before = session->out.len;

    server_log(session->server, LOG_LVL_VERBOSE, "%s from client %s", why,
               session->peer);
    session_error(session, "ERR %s", why);
    session_count_output(session, before);
    promise_follow(session, before);
    if (session->promises != NULL)
        session->is_ending = true;
    else
        session->is_closing = true;
}

/* Runs what has been fed, as far as that is possible now. */
static void session_run(struct session *session)
{
    struct server *server = session->server;
    struct error err;

    while (session->wait == WAIT_NONE && !session->is_closing && !session->is_ending &&
           session->n_owed < SESSION_OWED_MAX && turn_admits(session)) {
        const struct resp_limits *limits =
            session_needs_auth(session) ? &resp_limits_unauth : &server->limits;
        int rc = resp_request_next(&session->rq, limits, &err);
        if (rc == ERR_MORE)
            break;
        if (rc != 0) {
            session_break_off(session, err.text);
            return;
        }
        if (session->rq.n_args > 0)
            session_execute(session);
    }

    size_t n_unparsed = session->rq.in.len - session->rq.start;
    if (n_unparsed > server->stats.max_input)
        server->stats.max_input = n_unparsed;
    if (server->options.query_buffer_limit > 0 && !session->is_closing &&
        !session->is_ending &&
        (int64_t)n_unparsed > server->options.query_buffer_limit) {
        server_log(server, LOG_LVL_WARNING,
                   "Closing client %s that reached max query buffer length",
                   session->peer);
        server->stats.n_query_limit_closes++;
        session_drop(session);
    }
}

void session_go_on(struct session *session)
{
    session_run(session);
    session_wake(session);
}

void session_feed(struct session *session, const char *bytes, size_t len)
{
    struct server *server = session->server;

    server->stats.n_in_bytes += len;
    server->stats.n_reads++;
    session->active_at = server->now;
    if (session->is_closing || session->is_ending)
        return;
    resp_request_feed(&session->rq, bytes, len);
    session_run(session);
    server_settle(server);
}

void session_written(struct session *session, size_t len)
{
    struct server *server = session->server;

    server->stats.n_out_bytes += len;
    server->stats.n_writes++;
    session->active_at = server->now;

    bool was_full = session->n_owed >= SESSION_OWED_MAX;
    session->n_owed -= len < session->n_owed ? len : session->n_owed;
    if (session->out.len == 0 && session->out.cap > SESSION_KEEP_CAP)
        buf_release(&session->out);
    if (was_full && session->n_owed < SESSION_OWED_MAX) {
        session_go_on(session);
        server_settle(server);
    }
}

void session_resume(struct session *session)
{
    if (session->is_closing)
        return;
    if (session_is_held_back(session, session->command))
        return;
    session_leave_wait(session);
    session_call(session, session->command);
    session_go_on(session);
}

/* ------------------------------------------------------- requests to the core ---- */

void session_post(struct session *session, struct core_request *request)
{
    struct server *server = session->server;

    request->client = session->id;
    session->wait = WAIT_CORE;
    server->n_waiting++;
    server->hooks.request(server->hooks.ctx, request);
}

/* Does |text| begin with an error code, such as INPROG? */
static bool session_has_code(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return len >= 2 && text[len] == ' ';
}

void session_write_answer(struct session *session, const struct core_action *answer)
{
    struct buf *out = &session->out;
    const char *text = answer->answer.text != NULL ? answer->answer.text : "";

    switch (answer->answer.kind) {
    case CORE_ANSWER_OK:
        if (session->instead.len > 0)
            buf_append(out, session->instead.data, session->instead.len);
        else
            session_ok(session);
        break;
    case CORE_ANSWER_ERROR:
        session_error(session, "%s%s", session_has_code(text) ? "" : "ERR ", text);
        break;
    case CORE_ANSWER_INT:
        resp_int(out, answer->answer.number);
        break;
    case CORE_ANSWER_VOTE:
        resp_array(out, 3);
        resp_int(out, answer->answer.down ? 1 : 0);
        resp_bulk_str(out, answer->answer.leader != NULL ? answer->answer.leader : "*");
        resp_int(out, (int64_t)answer->answer.epoch);
        break;
    }
    buf_release(&session->instead);
}

/* The reply waited for stands in the output, from |before| on. */
static void session_finish_wait(struct session *session, size_t before)
{
    session_leave_wait(session);
    if (session->is_closing)
        return;
    session_mute(session, before);
    session_count_output(session, before);
    /* Counted when they came. */
    buf_append(&session->out, session->pushes.data, session->pushes.len);
    buf_release(&session->pushes);
    session_go_on(session);
}

void session_answer(struct session *session, const struct core_action *answer)
{
    size_t before = session->out.len;

    if (!session->is_closing)
        session_write_answer(session, answer);
    session_finish_wait(session, before);
}

void session_keep_promise(struct session *session, const struct core_action *answer)
{
    if (session->is_closing)
        return;
    promise_keep(session, PROMISE_TICKET(answer->answer.client), answer);
    session_check_output(session);
    if (session->is_ending && session->promises == NULL)
        session->is_closing = true;
    if (session->wait == WAIT_PAUSE)
        session_resume(session);
    session_wake(session);
}

void session_wait_file(struct session *session)
{
    session->wait = WAIT_FILE;
    session->server->n_waiting++;
}

void session_wait_core(struct session *session, struct core_request *request)
{
    session_leave_wait(session);
    session_post(session, request);
}

void session_end_wait(struct session *session, const struct buf *reply)
{
    size_t before = session->out.len;

    if (!session->is_closing)
        buf_append(&session->out, reply->data, reply->len);
    session_finish_wait(session, before);
}
/* ------------------------------------------------------------- for the driver ---- */

void session_shrink(struct session *session)
{
    if (session->server->now - session->active_at < SESSION_IDLE_MS)
        return;
    if (session->wait == WAIT_NONE && session->rq.in.len == 0 &&
        session->rq.multi_left == 0)
        resp_request_release(&session->rq);
    if (session->out.len == 0)
        buf_release(&session->out);
}

bool session_wants_close(const struct session *session)
{
    return session->is_closing;
}

bool session_must_drop(const struct session *session)
{
    return session->is_dropped;
}

bool session_is_blocked(const struct session *session)
{
    return session->wait != WAIT_NONE || session->is_in_line ||
           session->n_owed >= SESSION_OWED_MAX;
}

void *session_driver(const struct session *session)
{
    return session->driver;
}

const char *session_peer(const struct session *session)
{
    return session->peer;
}

const char *session_local(const struct session *session)
{
    return session->local;
}

uint64_t session_id(const struct session *session)
{
    return session->id;
}
