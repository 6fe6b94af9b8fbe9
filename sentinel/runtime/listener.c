/*
 * listener.c - the sockets clients connect to.
 *
 * The sockets are made here and then given to libuv, because a failure must be
 * reported in the words of interface.md 1.1, per step, and libuv delays some of them.
 */
#include "sentinel/runtime/listener.h"

#include "common/assert.h"
#include "common/log.h"
#include "sentinel/runtime/client.h"
#include "sentinel/runtime/runtime.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections taken per listener and turn, so that a flood of them leaves time for the
 * links on which failure detection depends. */
#define LISTENER_BATCH 64
/* With TLS each costs a signature as well. */
#define LISTENER_BATCH_TLS 8
/* Lines a second about connections that were refused. */
#define LISTENER_LOG_MAX 10

static void listener_on_connection(uv_stream_t *handle, int status)
{
    struct listener *listener = handle->data;
    struct runtime *rt = listener->rt;

    /* Out of descriptors: libuv has then taken and closed it with a spare one, so this
     * does not come again and again. */
    if (status < 0) {
        log_line(LOG_LVL_WARNING, "Accepting client connection: %s",
                 uv_strerror(status));
        return;
    }
    /* Not taking it makes libuv wait until listeners_turn() does. */
    int batch = listener->kind == LISTENER_TLS ? LISTENER_BATCH_TLS : LISTENER_BATCH;
    if (listener->n_accepted++ >= batch) {
        listener->waiting = true;
        runtime_again(rt);
        return;
    }
    bool is_unix = listener->kind == LISTENER_UNIX;
    struct stream *stream = stream_accept(&rt->streams, handle, is_unix);
    if (stream == NULL)
        return;
    if (listener->kind == LISTENER_TLS)
        stream_secure(stream, tls_accept(rt->tls.ctx));
    client_open(rt, stream, is_unix);
}

void listener_log_refused(struct runtime *rt, const char *peer, const char *local,
                          const char *reason)
{
    struct listeners *listeners = &rt->listeners;
    int64_t second = rt->clock.now / 1000;

    if (second != listeners->refused_at) {
        if (listeners->n_refused > LISTENER_LOG_MAX)
            log_line(LOG_LVL_WARNING, "Error accepting %d more client connections",
                     listeners->n_refused - LISTENER_LOG_MAX);
        listeners->refused_at = second;
        listeners->n_refused = 0;
    }
    if (listeners->n_refused++ < LISTENER_LOG_MAX)
        log_line(LOG_LVL_WARNING,
                 "Error accepting a client connection: %s (addr=%s laddr=%s)", reason,
                 peer, local);
}

void listeners_turn(struct runtime *rt)
{
    for (int i = 0; i < rt->listeners.n; i++) {
        struct listener *listener = &rt->listeners.all[i];
        listener->n_accepted = 0;
        if (listener->waiting) {
            listener->waiting = false;
            listener_on_connection(&listener->uv.stream, 0);
        }
    }
}

/* --------------------------------------------------------------------- opening -- */

/* Gives |fd| to the loop. Returns 0 or a libuv error. */
static int listener_start(struct runtime *rt, int fd, enum listener_kind kind)
{
    ASSERT(rt->listeners.n < LISTENER_MAX);
    struct listener *listener = &rt->listeners.all[rt->listeners.n++];
    listener->rt = rt;
    listener->kind = kind;
    int status;
    if (kind == LISTENER_UNIX) {
        uv_pipe_init(&rt->loop, &listener->uv.pipe, 0);
        status = uv_pipe_open(&listener->uv.pipe, fd);
    } else {
        uv_tcp_init(&rt->loop, &listener->uv.tcp);
        status = uv_tcp_open(&listener->uv.tcp, fd);
    }
    listener->uv.handle.data = listener;
    if (status < 0) {
        close(fd);
        return status;
    }
    return uv_listen(&listener->uv.stream, rt->options->tcp_backlog,
                     listener_on_connection);
}

/* Binds a new socket to |address|. Returns it, or -1 with errno set. */
static int listener_bind(const struct sockaddr *address, socklen_t len)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, address, len) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

/* socket-mark-id; accepted connections inherit it. */
static void listener_mark(struct runtime *rt, int fd)
{
    uint32_t mark = (uint32_t)rt->options->socket_mark;

    if (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
        log_line(LOG_LVL_WARNING, "Unable to mark a listening socket with %u: %s",
                 (unsigned)mark, strerror(errno));
}

static bool listener_may_skip(int error, bool is_optional)
{
    return (error == EADDRNOTAVAIL && is_optional) || error == ENOPROTOOPT ||
           error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT ||
           error == EPFNOSUPPORT || error == EAFNOSUPPORT;
}

static void listener_refused(const char *address, int port, const char *step,
                             const char *reason)
{
    log_line(LOG_LVL_WARNING,
             "Warning: Could not create server TCP listening socket %s:%d: %s%s",
             address, port, step, reason);
}

/* One bind address. False if starting must not go on. */
static bool listener_open_tcp(struct runtime *rt, const char *address, int port,
                              enum listener_kind kind)
{
    bool is_optional = address[0] == '-';
    if (is_optional)
        address++;

    const char *host = address;
    if (strcmp(address, "*") == 0 || strcmp(address, "::*") == 0)
        host = NULL;
    char service[12];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {
        .ai_family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE,
    };
    struct addrinfo *found = NULL;
    int status = getaddrinfo(host, service, &hints, &found);
    if (status != 0) {
        listener_refused(address, port, "", gai_strerror(status));
        return false;
    }
    int fd = listener_bind(found->ai_addr, found->ai_addrlen);
    int error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        listener_refused(address, port, "bind: ", strerror(error));
        return listener_may_skip(error, is_optional);
    }
    listener_mark(rt, fd);
    status = listener_start(rt, fd, kind);
    if (status < 0) {
        listener_refused(address, port, "listen: ", strerror(-status));
        return false;
    }
    return true;
}

static bool listeners_open_tcp(struct runtime *rt, int port, enum listener_kind kind)
{
    static const char *const everywhere[] = {"*", "-::*"};
    const struct conf_options *options = rt->options;
    const char *const *addresses = options->bind_set ? options->bind : everywhere;
    int n = options->bind_set ? options->n_bind : 2;

    if (port == 0)
        return true;
    for (int i = 0; i < n; i++) {
        if (addresses[i][0] == '\0' || listener_open_tcp(rt, addresses[i], port, kind))
            continue;
        log_line(LOG_LVL_WARNING, "Failed listening on port %d (%s), aborting.", port,
                 kind == LISTENER_TLS ? "tls" : "tcp");
        return false;
    }
    return true;
}

static bool listener_unix_failed(const char *step, int error)
{
    log_line(LOG_LVL_WARNING, "Failed opening Unix socket: %s: %s", step,
             strerror(error));
    return false;
}

static bool listeners_open_unix(struct runtime *rt)
{
    const char *path = rt->options->unixsocket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path[0] == '\0')
        return true;
    if (strlen(path) >= sizeof address.sun_path)
        return listener_unix_failed("bind", ENAMETOOLONG);
    memcpy(address.sun_path, path, strlen(path));
    unlink(path); /* left behind by a process that was killed */
    int fd = listener_bind((const struct sockaddr *)&address, sizeof address);
    if (fd < 0)
        return listener_unix_failed("bind", errno);
    rt->listeners.has_unix = true;
    if (rt->options->unixsocketperm != 0 &&
        chmod(path, (mode_t)rt->options->unixsocketperm) < 0)
        log_line(LOG_LVL_WARNING, "Could not chmod the Unix socket: %s",
                 strerror(errno));
    int status = listener_start(rt, fd, LISTENER_UNIX);
    if (status < 0)
        return listener_unix_failed("listen", -status);
    return true;
}

static void listener_check_backlog(int backlog)
{
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    int limit = 0;
    if (file == NULL)
        return;
    if (fscanf(file, "%d", &limit) == 1 && limit > 0 && limit < backlog)
        log_line(LOG_LVL_WARNING,
                 "WARNING: The TCP backlog setting of %d cannot be enforced because "
                 "/proc/sys/net/core/somaxconn is set to the lower value of %d.",
                 backlog, limit);
    fclose(file);
}

bool listeners_open(struct runtime *rt)
{
    if (!listeners_open_tcp(rt, rt->options->port, LISTENER_TCP) ||
        !listeners_open_tcp(rt, rt->options->tls_port, LISTENER_TLS) ||
        !listeners_open_unix(rt))
        return false;
    if (rt->listeners.n == 0) {
        log_line(LOG_LVL_WARNING, "Configured to not listen anywhere, exiting.");
        return false;
    }
    listener_check_backlog(rt->options->tcp_backlog);
    return true;
}

void listeners_close(struct runtime *rt)
{
    struct listeners *listeners = &rt->listeners;
    for (int i = 0; i < listeners->n; i++)
        uv_close(&listeners->all[i].uv.handle, NULL);
    listeners->n = 0;
    if (listeners->has_unix) {
        log_line(LOG_LVL_NOTICE, "Removing the unix socket file.");
        unlink(rt->options->unixsocket);
        listeners->has_unix = false;
    }
}

static void listener_describe(const struct conf_options *options, const char *name,
                              int port, struct buf *out)
{
    if (port == 0)
        return;
    buf_printf(out, "name=%s", name);
    if (!options->bind_set)
        buf_puts(out, ",bind=*,bind=-::*");
    for (int i = 0; options->bind_set && i < options->n_bind; i++)
        buf_printf(out, ",bind=%s", options->bind[i]);
    buf_printf(out, ",port=%d", port);
}

void listeners_describe(const struct conf_options *options, struct buf *out)
{
    listener_describe(options, "tcp", options->port, out);
    buf_putc(out, '\n');
    if (options->unixsocket[0] != '\0')
        buf_printf(out, "name=unix,bind=%s", options->unixsocket);
    buf_putc(out, '\n');
    listener_describe(options, "tls", options->tls_port, out);
}
