/*
 * refusal.c - what the other end of a link does not let us do: a wrong password, a
 * missing permission (decisions/0024). It is alive and says so in its own words; they
 * are logged when they change, with what would put it right, and shown in the rows.
 */
#include "sentinel/core/internal.h"

#define REFUSAL_TEXT_MAX 300 /* of the server's words */

static const struct {
    const char *command;
    const char *rule; /* what ACL SETUSER needs; NULL: it is not about rights */
} refusal_kinds[REFUSED_N] = {
    [REFUSED_AUTH] = {"AUTH", NULL},
    [REFUSED_NOAUTH] = {"access", NULL},
    [REFUSED_SETNAME] = {"CLIENT SETNAME", "+client|setname"},
    [REFUSED_PING] = {"PING", "+ping"},
    [REFUSED_INFO] = {"INFO", "+info"},
    [REFUSED_SUBSCRIBE] = {"SUBSCRIBE", "+subscribe"},
    [REFUSED_PUBLISH] = {"PUBLISH", "+publish"},
    [REFUSED_SENTINEL] = {"SENTINEL IS-MASTER-DOWN-BY-ADDR",
                          "+sentinel|is-master-down-by-addr"},
    [REFUSED_MYID] = {"SENTINEL MYID", "+sentinel|myid"},
    [REFUSED_CLAIM] = {"SENTINEL GET-MASTER-ADDR-BY-NAME",
                       "+sentinel|get-master-addr-by-name"},
    [REFUSED_SCRIPT] = {"SCRIPT KILL", "+script|kill"},
    [REFUSED_MULTI] = {"MULTI", "+multi"},
    [REFUSED_SLAVEOF] = {"SLAVEOF", "+slaveof"},
    [REFUSED_CONFIG] = {"CONFIG REWRITE", "+config|rewrite"},
    [REFUSED_KILL] = {"CLIENT KILL", "+client|kill"},
    [REFUSED_EXEC] = {"EXEC", "+exec"},
};

static bool refusal_starts(const struct resp_value *value, const char *prefix)
{
    return strncmp(value->str, prefix, strlen(prefix)) == 0;
}

/* EXEC is refused in other words: the transaction is discarded because of it. */
static bool refusal_is_of_exec(const struct resp_value *value)
{
    return refusal_starts(value, "EXECABORT") && strstr(value->str, "permission");
}

bool refusal_is_lasting(const struct resp_value *value)
{
    return value->type == RESP_ERROR &&
           (refusal_starts(value, "NOPERM") || refusal_starts(value, "NOAUTH") ||
            refusal_starts(value, "DENIED") || refusal_is_of_exec(value) ||
            refusal_starts(value, "ERR unknown command"));
}

bool refusal_has(const struct link *link, enum refused what)
{
    return link->refusals != NULL && link->refusals[what] != NULL;
}

/* What a person can do about it, to be put in parentheses; "" if we do not know. */
static void refusal_advise(const struct core *core, const struct link *link,
                           enum refused what, const struct resp_value *value,
                           struct buf *out)
{
    const struct master *master = link->node != NULL ? link->node->master : NULL;
    const char *user = master != NULL                ? master->auth_user
                       : core->sentinel_pass != NULL ? core->sentinel_user
                                                     : NULL;

    if (what == REFUSED_AUTH || what == REFUSED_NOAUTH) {
        if (master != NULL)
            buf_printf(out, "see 'sentinel auth-user' and 'auth-pass' of %s",
                       master->name);
        else
            buf_puts(out, "see 'sentinel sentinel-user' and 'sentinel-pass'");
    } else if (refusal_starts(value, "ERR unknown command")) {
        buf_puts(out, "see 'sentinel rename-command'");
    } else if (refusal_starts(value, "NOPERM") || refusal_is_of_exec(value)) {
        bool is_channel = strstr(value->str, "channel") != NULL &&
                          (what == REFUSED_SUBSCRIBE || what == REFUSED_PUBLISH);
        buf_printf(out, "allowed there by: ACL SETUSER %s %s",
                   user != NULL ? user : "default",
                   is_channel ? "&" HELLO_CHANNEL : refusal_kinds[what].rule);
    }
}

static void refusal_add(struct core *core, struct link *link, enum refused what,
                        const struct resp_value *value)
{
    const struct addr *addr = link_addr(link);
    struct buf text = {0}, advice = {0};

    if (link->refusals == NULL)
        link->refusals = mem_zalloc(REFUSED_N * sizeof(*link->refusals));
    refusal_advise(core, link, what, value, &advice);
    buf_printf(&text, "%.*s", REFUSAL_TEXT_MAX, value->str);
    if (advice.len > 0)
        buf_printf(&text, " (%s)", buf_text(&advice));
    bool is_news = link->refusals[what] == NULL ||
                   strcmp(link->refusals[what], buf_text(&text)) != 0;
    /* All that follows a wrong password is refused for want of one. */
    bool is_known = what == REFUSED_NOAUTH && refusal_has(link, REFUSED_AUTH);
    if (is_news && !is_known)
        emit_log(core, LOG_LVL_WARNING, "%s to the %s at %s:%u was refused: %s",
                 refusal_kinds[what].command,
                 link->node != NULL ? "server" : "sentinel", addr->ip, addr->port,
                 buf_text(&text));
    if (is_news)
        mem_replace(&link->refusals[what], buf_text(&text));
    buf_release(&text);
    buf_release(&advice);
}

static void refusal_remove(struct core *core, struct link *link, enum refused what)
{
    const struct addr *addr = link_addr(link);

    if (!refusal_has(link, what))
        return;
    mem_replace(&link->refusals[what], NULL);
    if (what != REFUSED_NOAUTH || !refusal_has(link, REFUSED_AUTH))
        emit_log(core, LOG_LVL_NOTICE, "%s to the %s at %s:%u is not refused any more",
                 refusal_kinds[what].command,
                 link->node != NULL ? "server" : "sentinel", addr->ip, addr->port);
    for (int i = 0; i < REFUSED_N; i++)
        if (link->refusals[i] != NULL)
            return;
    mem_free(link->refusals);
    link->refusals = NULL;
}

void refusal_on_reply(struct core *core, struct link *link, enum refused what,
                      const struct resp_value *value)
{
    if (value->type != RESP_ERROR) {
        /* Whoever answers knows us, or does not care who we are. */
        refusal_remove(core, link, REFUSED_NOAUTH);
        refusal_remove(core, link, what);
    } else if (what == REFUSED_AUTH && !refusal_starts(value, "LOADING") &&
               !refusal_starts(value, "BUSY")) {
        refusal_add(core, link, what, value);
    } else if (refusal_starts(value, "NOAUTH")) {
        refusal_add(core, link, REFUSED_NOAUTH, value);
    } else if (refusal_is_lasting(value) &&
               (what != REFUSED_MYID || !refusal_starts(value, "ERR"))) {
        /* (Who does not know SENTINEL MYID is no sentinel, and refuses nothing.) */
        refusal_add(core, link, what, value);
    }
}

void refusal_forget(struct link *link)
{
    for (int i = 0; link->refusals != NULL && i < REFUSED_N; i++)
        mem_free(link->refusals[i]);
    mem_free(link->refusals);
    link->refusals = NULL;
}

bool link_refusals(const struct link *link, struct buf *out)
{
    if (link->refusals == NULL)
        return false;
    for (int i = 0; i < REFUSED_N; i++) {
        if (link->refusals[i] == NULL ||
            (i == REFUSED_NOAUTH && refusal_has(link, REFUSED_AUTH)))
            continue;
        buf_printf(out, "%s%s: %s", out->len > 0 ? "; " : "", refusal_kinds[i].command,
                   link->refusals[i]);
    }
    return true;
}
