/*
 * cmd_connection.c - PING, AUTH, HELLO, QUIT, ROLE, SHUTDOWN.
 */
#include "common/args.h"
#include "sentinel/server/internal.h"

#include <string.h>

#define WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."

void cmd_connection_ping(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    struct buf *out = &session->out;

    if (argc > 2) {
        session_error(session, "ERR wrong number of arguments for 'ping' command");
    } else if (session->proto == 2 && session_is_subscriber(session)) {
        resp_array(out, 2);
        resp_bulk_str(out, "pong");
        resp_bulk(out, argc == 2 ? argv[1].str : "", argc == 2 ? argv[1].len : 0);
    } else if (argc == 2) {
        resp_bulk(out, argv[1].str, argv[1].len);
    } else {
        resp_status(out, "PONG");
    }
}

/* False, with the error replied, if these are not the credentials of a user. |word| is
 * the command word, as it was sent. */
static bool cmd_connection_login(struct session *session, const struct resp_arg *word,
                                 const struct resp_arg *name,
                                 const struct resp_arg *password)
{
    struct server *server = session->server;
    const struct user *user = acl_authenticate(&server->acl, name, password);

    if (user == NULL) {
        server->stats.n_denied_auth++;
        session_log_denial(session, ACL_LOG_AUTH, word, name);
        session_error(session, WRONGPASS);
        return false;
    }
    session_login(session, user);
    return true;
}

void cmd_connection_auth(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    static const struct resp_arg default_name = {"default", 7};

    if (argc > 3) {
        session_error(session, "ERR syntax error");
        return;
    }
    if (argc == 2 && session->server->acl.default_user->is_nopass) {
        session_error(session, "ERR AUTH <password> called without any password "
                               "configured for the default user. Are you sure your "
                               "configuration is correct?");
        return;
    }
    if (cmd_connection_login(session, &argv[0], argc == 3 ? &argv[1] : &default_name,
                             &argv[argc - 1]))
        session_ok(session);
}

static void cmd_connection_write_hello(struct session *session)
{
    struct buf *out = &session->out;

    resp_map(out, session->proto, 6);
    resp_bulk_str(out, "server");
    resp_bulk_str(out, "redis");
    resp_bulk_str(out, "version");
    resp_bulk_str(out, SERVER_COMPAT_VERSION);
    resp_bulk_str(out, "proto");
    resp_int(out, session->proto);
    resp_bulk_str(out, "id");
    resp_int(out, (int64_t)session->id);
    resp_bulk_str(out, "mode");
    resp_bulk_str(out, "sentinel");
    resp_bulk_str(out, "modules");
    resp_array(out, 0);
}

/* The options behind the version. False: the error is replied. */
static bool cmd_connection_read_hello(struct session *session,
                                      const struct resp_arg *argv, size_t argc,
                                      const struct resp_arg **user,
                                      const struct resp_arg **name)
{
    for (size_t i = 2; i < argc;) {
        if (arg_is(&argv[i], "auth") && argc - i > 2) {
            *user = &argv[i + 1];
            i += 3;
        } else if (arg_is(&argv[i], "setname") && argc - i > 1) {
            *name = &argv[i + 1];
            i += 2;
        } else {
            session_error(session, "ERR Syntax error in HELLO option '%s'",
                          argv[i].str);
            return false;
        }
    }
    return true;
}

void cmd_connection_hello(struct session *session, const struct resp_arg *argv,
                          size_t argc)
{
    const struct resp_arg *user = NULL, *name = NULL;
    int64_t proto = session->proto;

    if (argc > 1 && !args_int(argv[1].str, argv[1].len, &proto)) {
        session_error(session,
                      "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (proto < 2 || proto > 3) {
        session_error(session, "NOPROTO unsupported protocol version");
        return;
    }
    if (!cmd_connection_read_hello(session, argv, argc, &user, &name))
        return;
    if (user != NULL && !cmd_connection_login(session, &argv[0], user, user + 1))
        return;
    if (session_needs_auth(session)) {
        session_error(session,
                      "NOAUTH HELLO must be called with the client already "
                      "authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
                      "option can be used to authenticate the client and select the "
                      "RESP protocol version at the same time");
        return;
    }
    if (name != NULL && !session_set_name(session, name))
        return;
    session->proto = (int)proto;
    cmd_connection_write_hello(session);
}

void cmd_connection_quit(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    (void)argv;
    (void)argc;
    session_ok(session);
    session_close_after_reply(session);
}

void cmd_connection_role(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    const struct core *core = session->server->core;
    const struct master *master;

    (void)argv;
    (void)argc;
    resp_array(&session->out, 2);
    resp_bulk_str(&session->out, "sentinel");
    resp_array(&session->out, HASH_COUNT(core->masters));
    for (master = core->masters; master != NULL; master = master->hh.next)
        resp_bulk_str(&session->out, master->name);
}

/* SAVE and FORCE concern data servers; nothing is saved here. */
void cmd_connection_shutdown(struct session *session, const struct resp_arg *argv,
                             size_t argc)
{
    const struct server_hooks *hooks = &session->server->hooks;
    bool is_save = false, is_nosave = false, is_abort = false, is_other = false;

    for (size_t i = 1; i < argc; i++) {
        if (arg_is(&argv[i], "save"))
            is_save = true;
        else if (arg_is(&argv[i], "nosave"))
            is_nosave = true;
        else if (arg_is(&argv[i], "abort"))
            is_abort = true;
        else if (arg_is(&argv[i], "now") || arg_is(&argv[i], "force"))
            is_other = true;
        else {
            session_error(session, "ERR syntax error");
            return;
        }
    }
    if ((is_save && is_nosave) || (is_abort && (is_save || is_nosave || is_other))) {
        session_error(session, "ERR syntax error");
        return;
    }
    if (is_abort) {
        session_error(session, "ERR No shutdown in progress.");
        return;
    }
    session_close_after_reply(session);
    if (hooks->shutdown != NULL)
        hooks->shutdown(hooks->ctx);
}
