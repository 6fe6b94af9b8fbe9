/*
 * cmd_sentinel_tls.c - the tls-* parameters of SENTINEL CONFIG, which are not the
 * core's: the driver has them, and reads the files they name.
 */
#include "common/args.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

enum cmd_sentinel_tls_kind { TLS_TEXT, TLS_YESNO, TLS_AUTH, TLS_NUMBER };

/* In the order of CONFIG GET. */
static const struct {
    const char *name;
    enum cmd_sentinel_tls_kind kind;
} cmd_sentinel_tls_params[] = {
    {"tls-cert-file", TLS_TEXT},
    {"tls-key-file", TLS_TEXT},
    {"tls-key-file-pass", TLS_TEXT},
    {"tls-client-cert-file", TLS_TEXT},
    {"tls-client-key-file", TLS_TEXT},
    {"tls-client-key-file-pass", TLS_TEXT},
    {"tls-ca-cert-file", TLS_TEXT},
    {"tls-ca-cert-dir", TLS_TEXT},
    {"tls-dh-params-file", TLS_TEXT},
    {"tls-auth-clients", TLS_AUTH},
    {"tls-protocols", TLS_TEXT},
    {"tls-ciphers", TLS_TEXT},
    {"tls-ciphersuites", TLS_TEXT},
    {"tls-prefer-server-ciphers", TLS_YESNO},
    {"tls-session-caching", TLS_YESNO},
    {"tls-session-cache-size", TLS_NUMBER},
    {"tls-session-cache-timeout", TLS_NUMBER},
};
_Static_assert(sizeof cmd_sentinel_tls_params / sizeof cmd_sentinel_tls_params[0] ==
                   CMD_SENTINEL_TLS_N,
               "one name for each parameter");

const char *cmd_sentinel_tls_name(size_t i)
{
    return cmd_sentinel_tls_params[i].name;
}

void cmd_sentinel_tls_write(struct session *session, size_t i)
{
    const struct server_hooks *hooks = &session->server->hooks;
    const char *name = cmd_sentinel_tls_params[i].name;

    resp_bulk_str(&session->out, name);
    resp_bulk_str(&session->out,
                  hooks->tls_get != NULL ? hooks->tls_get(hooks->ctx, name) : "");
}

static size_t cmd_sentinel_tls_find(const struct resp_arg *name)
{
    size_t i = 0;

    while (i < CMD_SENTINEL_TLS_N && !arg_is(name, cmd_sentinel_tls_params[i].name))
        i++;
    return i;
}

bool cmd_sentinel_tls_is_meant(const struct resp_arg *argv, size_t argc)
{
    for (size_t i = 3; i < argc; i += 2)
        if (cmd_sentinel_tls_find(&argv[i]) < CMD_SENTINEL_TLS_N)
            return true;
    return false;
}

static bool cmd_sentinel_tls_check(enum cmd_sentinel_tls_kind kind,
                                   const struct resp_arg *value)
{
    int64_t number;

    switch (kind) {
    case TLS_YESNO:
        return arg_is(value, "yes") || arg_is(value, "no");
    case TLS_AUTH:
        return arg_is(value, "yes") || arg_is(value, "no") || arg_is(value, "optional");
    case TLS_NUMBER:
        return args_int(value->str, value->len, &number) && number >= 0 &&
               number <= INT32_MAX;
    case TLS_TEXT:
        break;
    }
    return arg_is_text(value);
}

/* One pair, of which |n| words are there. False: the error is replied. */
static bool cmd_sentinel_tls_read(struct session *session, const struct resp_arg *argv,
                                  size_t n, bool *is_given,
                                  struct server_tls_setting *setting)
{
    size_t i = cmd_sentinel_tls_find(&argv[0]);

    if (i == CMD_SENTINEL_TLS_N)
        session_error(session, "ERR '%s' cannot be set together with tls-* parameters",
                      argv[0].str);
    else if (is_given[i])
        session_error(session, "ERR Duplicate argument '%s' to SENTINEL CONFIG SET",
                      argv[0].str);
    else if (n < 2)
        session_error(session, "ERR Missing argument '%s' value", argv[0].str);
    else if (!cmd_sentinel_tls_check(cmd_sentinel_tls_params[i].kind, &argv[1]))
        session_error(session, "ERR Invalid value '%s' to SENTINEL CONFIG SET '%s'",
                      argv[1].str, argv[0].str);
    else {
        is_given[i] = true;
        *setting =
            (struct server_tls_setting){cmd_sentinel_tls_params[i].name, argv[1].str};
        return true;
    }
    return false;
}

void cmd_sentinel_tls_set(struct session *session, const struct resp_arg *argv,
                          size_t argc)
{
    const struct server_hooks *hooks = &session->server->hooks;
    struct server_tls_setting settings[CMD_SENTINEL_TLS_N];
    bool is_given[CMD_SENTINEL_TLS_N] = {false};
    size_t n = 0;

    for (size_t i = 3; i < argc; i += 2)
        if (!cmd_sentinel_tls_read(session, &argv[i], argc - i, is_given,
                                   &settings[n++]))
            return;
    if (hooks->tls_set == NULL) {
        session_error(session, "ERR There is no TLS here");
        return;
    }
    session_wait_file(session);
    hooks->tls_set(hooks->ctx, session->id, settings, n);
}

void server_tls_done(struct server *server, uint64_t id, const char *error)
{
    struct core_request request = {.type = CORE_RQ_FLUSH};
    struct session *session = NULL;
    struct buf reply = {0}, text = {0};

    HASH_FIND(hh, server->sessions, &id, sizeof(id), session);
    if (session != NULL && session->wait != WAIT_FILE)
        session = NULL;
    if (error == NULL && session != NULL) {
        session_wait_core(session, &request);
    } else if (error == NULL) {
        server->hooks.request(server->hooks.ctx, &request);
    } else if (session != NULL) {
        buf_printf(&text, "ERR Nothing was changed: %s", error);
        resp_error(&reply, text.data);
        server->stats.n_errors++;
        session_end_wait(session, &reply);
    }
    buf_release(&reply);
    buf_release(&text);
    server_settle(server);
}
