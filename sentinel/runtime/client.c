/*
 * client.c - a client's connection, and what the server asks of its driver.
 */
#include "sentinel/runtime/client.h"

#include "common/log.h"
#include "common/mem.h"
#include "sentinel/runtime/daemon.h"
#include "sentinel/runtime/runtime.h"

#include "common/hash.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_NAME_CAP 160 /* of "ip:port"; "path:0" has a path of at most 107 */

/* Output this long does not wait for the end of the turn. */
#define CLIENT_FLUSH_LEN ((size_t)16 << 10)

struct client {
    struct runtime *rt;
    struct stream *stream;
    struct session *session;
    struct client *prev, *next;
};

static void client_close(struct client *client)
{
    DL_DELETE(client->rt->clients, client);
    stream_close(client->stream); /* while the session still has the output */
    session_close(client->session);
    mem_free(client);
}

/* Does what the session now wants. May free |client|. */
static void client_settle(struct client *client)
{
    struct session *session = client->session;

    /* Before the TLS handshake nothing can be said, so nothing is waited for. */
    if (session_must_drop(session) ||
        (session_wants_close(session) &&
         (stream_is_drained(client->stream) || !stream_is_up(client->stream)))) {
        client_close(client);
        return;
    }
    stream_read(client->stream,
                !session_wants_close(session) && !session_is_blocked(session));
}

static void client_on_bytes(struct stream *stream, const char *bytes, size_t len)
{
    struct client *client = stream->owner;
    struct runtime *rt = client->rt;

    rt->n_heard++;
    runtime_tick(rt);
    session_feed(client->session, bytes, len);
    stream_touch(stream);
    runtime_pump(rt);
    /* A session that still waits for the core is not to be fed more in this turn. */
    if (session_is_blocked(client->session))
        stream_read(stream, false);
    /* Long output leaves now, so that its memory serves the next client. */
    if (session_output(client->session)->len >= CLIENT_FLUSH_LEN)
        stream_flush(stream);
}

static void client_on_flushed(struct stream *stream, size_t len)
{
    struct client *client = stream->owner;
    struct runtime *rt = client->rt;

    if (len > 0) {
        runtime_tick(rt);
        session_written(client->session, len);
    }
    client_settle(client);
    runtime_pump(rt);
}

static void client_on_down(struct stream *stream, const char *reason)
{
    struct client *client = stream->owner;
    struct runtime *rt = client->rt;
    runtime_tick(rt);
    if (stream_failed_tls(stream) && !stream_is_up(stream))
        listener_log_refused(rt, session_peer(client->session),
                             session_local(client->session), reason);
    client_close(client);
    runtime_pump(rt);
}

static const struct stream_events client_events = {
    .on_bytes = client_on_bytes,
    .on_flushed = client_on_flushed,
    .on_down = client_on_down,
};

static bool client_is_local(const char *peer, bool is_unix)
{
    return is_unix || strncmp(peer, "127.", 4) == 0 || strncmp(peer, "[::1]:", 6) == 0;
}

void client_open(struct runtime *rt, struct stream *stream, bool is_unix)
{
    char peer[CLIENT_NAME_CAP];
    char local[CLIENT_NAME_CAP];

    if (is_unix) {
        snprintf(peer, sizeof peer, "%s:0", rt->options->unixsocket);
        memcpy(local, peer, sizeof local);
    } else {
        stream_peer(stream, peer, sizeof peer);
        stream_local(stream, local, sizeof local);
    }
    stream_keepalive(stream, rt->options->tcp_keepalive);

    struct client *client = mem_zalloc(sizeof *client);
    client->rt = rt;
    client->stream = stream;
    runtime_tick(rt);
    client->session = session_open(rt->server, peer, local, stream_fd(stream), is_unix,
                                   client_is_local(peer, is_unix), client);
    stream_own(stream, &client_events, client, session_output(client->session));
    DL_APPEND(rt->clients, client);
    /* It may be born closing; otherwise reading starts at the end of the turn. */
    stream_touch(stream);
    runtime_pump(rt);
}

void clients_close(struct runtime *rt)
{
    struct client *client;
    struct client *next;
    DL_FOREACH_SAFE(rt->clients, client, next)
    client_close(client);
}

/* ----------------------------------------------------------- hooks of the server - */

static void client_hook_request(void *ctx, const struct core_request *request)
{
    struct core_event event = {.type = CORE_EV_REQUEST, .request = request};
    runtime_post_later(ctx, &event);
}

static void client_hook_wake(void *ctx, struct session *session)
{
    struct client *client = session_driver(session);
    (void)ctx;
    stream_touch(client->stream);
}

static void client_hook_shutdown(void *ctx)
{
    runtime_stop(ctx);
}

static bool client_hook_executable(void *ctx, const char *path)
{
    struct stat st;
    (void)ctx;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static void client_hook_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    daemon_random_bytes(out, len);
}

static void client_hook_log(void *ctx, enum log_level level, const char *text)
{
    (void)ctx;
    log_line(level, "%s", text);
}

static double client_seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void client_hook_cpu(void *ctx, double out[4])
{
    static const int whose[2] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    (void)ctx;
    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        if (getrusage(whose[i], &usage) != 0)
            memset(&usage, 0, sizeof usage);
        out[2 * i] = client_seconds(usage.ru_utime);
        out[2 * i + 1] = client_seconds(usage.ru_stime);
    }
}

static void client_hook_lag(void *ctx, double out[2])
{
    const struct runtime *rt = ctx;

    lag_figures(&rt->lag, out);
}

struct server_hooks client_hooks(struct runtime *rt)
{
    return (struct server_hooks){
        .ctx = rt,
        .request = client_hook_request,
        .wake = client_hook_wake,
        .shutdown = client_hook_shutdown,
        .executable = client_hook_executable,
        .cpu = client_hook_cpu,
        .lag = client_hook_lag,
        .file = aclfile_hook,
        .tls_get = tlsconf_hook_get,
        .tls_set = tlsconf_hook_set,
        .random = client_hook_random,
        .log = client_hook_log,
    };
}
