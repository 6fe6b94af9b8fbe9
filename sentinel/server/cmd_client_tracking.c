/*
 * cmd_client_tracking.c - CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO.
 *
 * A sentinel has no keys, so no invalidation is ever sent. Libraries that switch
 * tracking on for every connection still have to get the answers they expect.
 */
#include "common/args.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

static bool cmd_client_tracking_is_on(const struct session *session)
{
    return session->tracking != NULL && (session->tracking->flags & TRACK_ON) != 0;
}

static void cmd_client_tracking_release(struct tracking *tracking)
{
    for (size_t i = 0; i < tracking->n_prefixes; i++)
        mem_free(tracking->prefixes[i]);
    mem_free(tracking->prefixes);
    *tracking = (struct tracking){0};
}

void cmd_client_forget_tracking(struct session *session)
{
    if (session->tracking == NULL)
        return;
    if (cmd_client_tracking_is_on(session))
        session->server->n_tracking--;
    cmd_client_tracking_release(session->tracking);
    mem_free(session->tracking);
    session->tracking = NULL;
}

/* REDIRECT |id|. False: the error is replied. */
static bool cmd_client_tracking_redirect(struct session *session,
                                         const struct resp_arg *arg,
                                         struct tracking *wanted)
{
    struct session *target = NULL;
    int64_t id;

    if (!args_int(arg->str, arg->len, &id) || id < 0) {
        session_error(session, "ERR value is not an integer or out of range");
        return false;
    }
    wanted->redirect = (uint64_t)id;
    HASH_FIND(hh, session->server->sessions, &wanted->redirect, sizeof(uint64_t),
              target);
    if (target == NULL)
        session_error(session, "ERR The client ID you want redirect to does not exist");
    return target != NULL;
}

/* The options behind ON or OFF. False: the error is replied. */
static bool cmd_client_tracking_read(struct session *session,
                                     const struct resp_arg *argv, size_t argc,
                                     struct tracking *wanted)
{
    for (size_t i = 3; i < argc; i++) {
        if (arg_is(&argv[i], "bcast")) {
            wanted->flags |= TRACK_BCAST;
        } else if (arg_is(&argv[i], "optin")) {
            wanted->flags |= TRACK_OPTIN;
        } else if (arg_is(&argv[i], "optout")) {
            wanted->flags |= TRACK_OPTOUT;
        } else if (arg_is(&argv[i], "noloop")) {
            wanted->flags |= TRACK_NOLOOP;
        } else if (arg_is(&argv[i], "redirect") && i + 1 < argc) {
            if (!cmd_client_tracking_redirect(session, &argv[++i], wanted))
                return false;
        } else if (arg_is(&argv[i], "prefix") && i + 1 < argc) {
            i++;
            wanted->prefixes = mem_resize(wanted->prefixes, wanted->n_prefixes + 1,
                                          sizeof(wanted->prefixes[0]));
            wanted->prefixes[wanted->n_prefixes++] =
                mem_strndup(argv[i].str, argv[i].len);
        } else {
            session_error(session, "ERR syntax error");
            return false;
        }
    }
    return true;
}

/* What does not go together; NULL if all is well. */
static const char *cmd_client_tracking_conflict(const struct session *session,
                                                const struct tracking *wanted)
{
    unsigned opts = wanted->flags & (TRACK_OPTIN | TRACK_OPTOUT);
    bool is_bcast = (wanted->flags & TRACK_BCAST) != 0;

    if (!is_bcast && wanted->n_prefixes > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if (cmd_client_tracking_is_on(session) &&
        is_bcast != ((session->tracking->flags & TRACK_BCAST) != 0))
        return "ERR You can't switch BCAST mode on/off before disabling tracking for "
               "this client, and then re-enabling it with a different mode.";
    if (is_bcast && opts != 0)
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if (opts == (TRACK_OPTIN | TRACK_OPTOUT))
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    return NULL;
}

void cmd_client_tracking(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    struct tracking wanted = {.flags = TRACK_ON};
    bool is_on = arg_is(&argv[2], "on");

    if (!cmd_client_tracking_read(session, argv, argc, &wanted)) {
        cmd_client_tracking_release(&wanted);
        return;
    }
    const char *conflict = NULL;
    if (!is_on && !arg_is(&argv[2], "off"))
        conflict = "ERR syntax error";
    else if (is_on)
        conflict = cmd_client_tracking_conflict(session, &wanted);
    if (conflict != NULL) {
        session_error(session, "%s", conflict);
        cmd_client_tracking_release(&wanted);
        return;
    }
    cmd_client_forget_tracking(session);
    if (is_on) {
        session->tracking = mem_zalloc(sizeof(*session->tracking));
        *session->tracking = wanted;
        session->server->n_tracking++;
    } else {
        cmd_client_tracking_release(&wanted);
    }
    session_ok(session);
}

void cmd_client_caching(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    unsigned flags = session->tracking != NULL ? session->tracking->flags : 0;
    bool is_yes = arg_is(&argv[2], "yes");

    (void)argc;
    if ((flags & (TRACK_OPTIN | TRACK_OPTOUT)) == 0)
        session_error(session,
                      "ERR CLIENT CACHING can be called only when the client is in "
                      "tracking mode with OPTIN or OPTOUT mode enabled");
    else if (!is_yes && !arg_is(&argv[2], "no"))
        session_error(session, "ERR syntax error");
    else if (is_yes && (flags & TRACK_OPTIN) == 0)
        session_error(session, "ERR CLIENT CACHING YES is only valid when tracking is "
                               "enabled in OPTIN mode.");
    else if (!is_yes && (flags & TRACK_OPTOUT) == 0)
        session_error(session, "ERR CLIENT CACHING NO is only valid when tracking is "
                               "enabled in OPTOUT mode.");
    else {
        session->tracking->flags |= TRACK_CACHING;
        session_ok(session);
    }
}

void cmd_client_getredir(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    (void)argv;
    (void)argc;
    resp_int(&session->out, cmd_client_tracking_is_on(session)
                                ? (int64_t)session->tracking->redirect
                                : -1);
}

static size_t cmd_client_tracking_words(unsigned flags, const char *words[8])
{
    size_t n = 0;

    words[n++] = (flags & TRACK_ON) != 0 ? "on" : "off";
    if ((flags & TRACK_BCAST) != 0)
        words[n++] = "bcast";
    if ((flags & TRACK_OPTIN) != 0)
        words[n++] = "optin";
    if ((flags & TRACK_OPTOUT) != 0)
        words[n++] = "optout";
    if ((flags & TRACK_CACHING) != 0)
        words[n++] = (flags & TRACK_OPTIN) != 0 ? "caching-yes" : "caching-no";
    if ((flags & TRACK_NOLOOP) != 0)
        words[n++] = "noloop";
    return n;
}

void cmd_client_trackinginfo(struct session *session, const struct resp_arg *argv,
                             size_t argc)
{
    static const struct tracking none;
    const struct tracking *tracking =
        session->tracking != NULL ? session->tracking : &none;
    struct buf *out = &session->out;
    const char *words[8];
    size_t n = cmd_client_tracking_words(tracking->flags, words);

    resp_map(out, session->proto, 3);
    resp_bulk_str(out, "flags");
    resp_set(out, session->proto, n);
    for (size_t i = 0; i < n; i++)
        resp_bulk_str(out, words[i]);
    resp_bulk_str(out, "redirect");
    cmd_client_getredir(session, argv, argc);
    resp_bulk_str(out, "prefixes");
    resp_array(out, tracking->n_prefixes);
    for (size_t i = 0; i < tracking->n_prefixes; i++)
        resp_bulk_str(out, tracking->prefixes[i]);
}
