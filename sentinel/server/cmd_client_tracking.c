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

/* Whether one of the two begins with the other. */
static bool cmd_client_tracking_overlap(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b);

    return strncmp(a, b, len_a < len_b ? len_a : len_b) == 0;
}

/* Keeps the prefixes in order; takes over |prefix|. */
static void cmd_client_tracking_add(struct tracking *tracking, char *prefix)
{
    size_t i = tracking->n_prefixes;

    tracking->prefixes = mem_resize(tracking->prefixes, tracking->n_prefixes + 1,
                                    sizeof(tracking->prefixes[0]));
    for (; i > 0 && strcmp(tracking->prefixes[i - 1], prefix) > 0; i--)
        tracking->prefixes[i] = tracking->prefixes[i - 1];
    tracking->prefixes[i] = prefix;
    tracking->n_prefixes++;
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
    if (cmd_client_tracking_is_on(session) && opts != 0 &&
        (session->tracking->flags & (TRACK_OPTIN | TRACK_OPTOUT) & ~opts) != 0)
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for "
               "this client, and then re-enabling it with a different mode.";
    return NULL;
}

static bool cmd_client_tracking_find(struct session *session, const char *prefix,
                                     char *const *others, size_t n, const char *which)
{
    for (size_t i = 0; i < n; i++) {
        if (!cmd_client_tracking_overlap(prefix, others[i]))
            continue;
        session_error(session,
                      "ERR Prefix '%s' overlaps with %s prefix '%s'. Prefixes for a "
                      "single client must not overlap.",
                      prefix, which, others[i]);
        return true;
    }
    return false;
}

/* Whether prefixes overlap, with each other or with earlier ones; replies the error. */
static bool cmd_client_tracking_overlaps(struct session *session,
                                         const struct tracking *wanted)
{
    static const struct tracking none;
    const struct tracking *old = session->tracking != NULL ? session->tracking : &none;

    for (size_t i = 0; i < wanted->n_prefixes; i++) {
        const char *prefix = wanted->prefixes[i];
        size_t next = i + 1;
        if (cmd_client_tracking_find(session, prefix, old->prefixes, old->n_prefixes,
                                     "an existing") ||
            cmd_client_tracking_find(session, prefix, wanted->prefixes + next,
                                     wanted->n_prefixes - next, "another provided"))
            return true;
    }
    return false;
}

/* Tracking with these options from now on; earlier prefixes stay. */
static void cmd_client_tracking_start(struct session *session,
                                      const struct tracking *wanted)
{
    struct tracking *tracking = mem_zalloc(sizeof(*tracking));

    tracking->flags = wanted->flags;
    tracking->redirect = wanted->redirect;
    for (size_t i = 0; i < wanted->n_prefixes; i++)
        cmd_client_tracking_add(tracking, mem_strdup(wanted->prefixes[i]));
    if ((wanted->flags & TRACK_BCAST) != 0 && wanted->n_prefixes == 0)
        cmd_client_tracking_add(tracking, mem_strdup("")); /* everything */
    const struct tracking *old = session->tracking;
    for (size_t i = 0; old != NULL && i < old->n_prefixes; i++)
        if (wanted->n_prefixes > 0 || old->prefixes[i][0] != '\0')
            cmd_client_tracking_add(tracking, mem_strdup(old->prefixes[i]));
    cmd_client_forget_tracking(session);
    session->tracking = tracking;
    session->server->n_tracking++;
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
    } else if (!is_on) {
        cmd_client_forget_tracking(session);
        session_ok(session);
    } else if (!cmd_client_tracking_overlaps(session, &wanted)) {
        cmd_client_tracking_start(session, &wanted);
        session_ok(session);
    }
    cmd_client_tracking_release(&wanted);
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
