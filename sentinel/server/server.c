/*
 * server.c - the clients of a sentinel as a whole: who is connected, which answer is
 * for whom, and what happens once a second.
 */
#include "sentinel/server/server.h"

#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <stdarg.h>
#include <string.h>

static const char *server_own_text(const char *text)
{
    return mem_strdup(text != NULL ? text : "");
}

static void server_own_options(struct server_options *options)
{
    options->requirepass = server_own_text(options->requirepass);
    options->acl_file = server_own_text(options->acl_file);
    options->run_id = server_own_text(options->run_id);
    options->executable = server_own_text(options->executable);
    options->config_file = server_own_text(options->config_file);
    options->supervised = server_own_text(options->supervised);
    options->listeners = server_own_text(options->listeners);
}

struct server *server_new(const struct core *core, const struct server_options *options,
                          const struct server_hooks *hooks)
{
    struct server *server = mem_zalloc(sizeof(*server));

    server->core = core;
    server->options = *options;
    server_own_options(&server->options);
    server->hooks = *hooks;
    server->limits = resp_limits_default;
    if (options->bulk_max > 0)
        server->limits.bulk_max = options->bulk_max;
    server->started_at = CORE_NEVER;
    server->paused_until = CORE_NEVER;
    server->http_logged_at = CORE_NEVER;
    server->next_id = 1;
    acl_init(&server->acl, server->options.requirepass, options->has_open_channels);
    server->acl_log.max = options->acl_log_max;
    return server;
}

void server_free(struct server *server)
{
    while (server->sessions != NULL)
        session_close(server->sessions);
    acl_release(&server->acl);
    acl_log_clear(&server->acl_log);
    command_names_release(&server->names);
    buf_release(&server->frames[0]);
    buf_release(&server->frames[1]);
    mem_free((char *)server->options.requirepass);
    mem_free((char *)server->options.acl_file);
    mem_free((char *)server->options.run_id);
    mem_free((char *)server->options.executable);
    mem_free((char *)server->options.config_file);
    mem_free((char *)server->options.supervised);
    mem_free((char *)server->options.listeners);
    mem_free(server);
}

void server_set_time(struct server *server, int64_t now, int64_t wall)
{
    server->now = now;
    server->wall = wall;
    if (server->started_at == CORE_NEVER) {
        server->started_at = now;
        server->rates.at = now;
    }
    if (server->paused_until != CORE_NEVER && now >= server->paused_until) {
        server_unpause(server);
        server_settle(server);
    }
}

int64_t server_ms_since(const struct server *server, int64_t at)
{
    int64_t lived = core_lived(server->core, server->now);

    return at == CORE_NEVER || at > lived ? 0 : lived - at;
}

bool server_is_paused(const struct server *server, const struct command *command)
{
    return server->paused_until != CORE_NEVER &&
           (!server->pauses_writes_only || (command->flags & CMD_WRITE) != 0);
}

void server_unpause(struct server *server)
{
    server->paused_until = CORE_NEVER;
    server->must_resume = true;
}

/*
 * Sessions are resumed here, from the outermost call, and not where the pause ended: a
 * resumed session may itself pause or unpause clients, and ten thousand of them must
 * not nest. server->must_resume is set anew by such a session; the loop sees it.
 */
void server_settle(struct server *server)
{
    while (server->must_resume) {
        struct session *session, *next;
        server->must_resume = false;
        HASH_ITER(hh, server->sessions, session, next)
        {
            if (session->wait == WAIT_PAUSE)
                session_resume(session);
        }
    }
}

void server_log(const struct server *server, enum log_level level, const char *format,
                ...)
{
    if (server->hooks.log == NULL)
        return;

    struct buf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    server->hooks.log(server->hooks.ctx, level, buf_text(&text));
    buf_release(&text);
}

void server_answer(struct server *server, const struct core_action *answer)
{
    uint64_t id = PROMISE_SESSION(answer->answer.client);
    struct session *session = NULL;

    HASH_FIND(hh, server->sessions, &id, sizeof id, session);
    if (session == NULL)
        return;
    if (PROMISE_TICKET(answer->answer.client) != 0)
        session_keep_promise(session, answer);
    else if (session->wait == WAIT_CORE)
        session_answer(session, answer);
    server_settle(server);
}

static double server_rate(uint64_t *before, uint64_t after, int64_t ms)
{
    double per_second = (double)(after - *before) * 1000.0 / (double)ms;

    *before = after;
    return per_second;
}

static void server_update_rates(struct server *server)
{
    struct server_rates *rates = &server->rates;
    int64_t ms = server->now - rates->at;

    if (ms < 500)
        return;
    rates->at = server->now;
    rates->ops = server_rate(&rates->n_commands, server->stats.n_commands, ms);
    rates->in_kbps =
        server_rate(&rates->n_in_bytes, server->stats.n_in_bytes, ms) / 1024.0;
    rates->out_kbps =
        server_rate(&rates->n_out_bytes, server->stats.n_out_bytes, ms) / 1024.0;
}

/* Per second: each costs a look at all clients. */
#define EVICTIONS_MAX 64

/* maxmemory-clients: the largest go first; CLIENT NO-EVICT protects. */
static void server_evict(struct server *server)
{
    int64_t limit = server->options.maxmemory_clients, total = 0;
    struct session *session, *next;

    HASH_ITER(hh, server->sessions, session, next)
    total += session->is_dropped ? 0 : (int64_t)session_memory(session);
    for (int n = 0; total > limit && n < EVICTIONS_MAX; n++) {
        struct session *largest = NULL;
        HASH_ITER(hh, server->sessions, session, next)
        if (!session->is_dropped && !session->is_no_evict &&
            (largest == NULL || session_memory(session) > session_memory(largest)))
            largest = session;
        if (largest == NULL)
            return;
        struct buf line = {0};
        session_describe(largest, &line);
        server_log(server, LOG_LVL_NOTICE, "Evicting client: %s", buf_text(&line));
        buf_release(&line);
        total -= (int64_t)session_memory(largest);
        server->stats.n_evicted++;
        session_drop(largest);
    }
}

void server_cron(struct server *server)
{
    struct session *session, *next;
    int64_t timeout_ms = (int64_t)server->options.timeout_s * 1000;

    server_update_rates(server);
    server->stats.max_input = 0;
    server->stats.max_output = 0;
    HASH_ITER(hh, server->sessions, session, next)
    {
        if (session->is_dropped)
            continue;
        if (timeout_ms > 0 && server->now - session->active_at > timeout_ms &&
            session->wait == WAIT_NONE && !session_is_subscriber(session)) {
            server_log(server, LOG_LVL_VERBOSE, "Closing idle client");
            session_drop(session);
            continue;
        }
        session_check_output(session);
        session_shrink(session);
    }
    if (server->options.maxmemory_clients > 0)
        server_evict(server);
    server_settle(server);
}
