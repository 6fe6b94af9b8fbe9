/*
 * stream.c - one byte stream over libuv.
 *
 * Its memory belongs to libuv until the close callback; the owner only ever holds it
 * until stream_close().
 */
#include "sentinel/runtime/stream.h"

#include "common/addr.h"
#include "common/assert.h"
#include "common/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* An idle connection keeps no more than this for its next write. */
#define STREAM_IDLE_CAP 4096
/* One system call writes no more than this. */
#define STREAM_WRITE_MAX ((size_t)1 << 30)

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* ------------------------------------------------------------------- life ------- */

static struct stream *stream_new(struct streams *streams, bool is_unix)
{
    struct stream *stream = mem_zalloc(sizeof *stream);
    stream->streams = streams;
    stream->is_unix = is_unix;
    streams->n++;
    return stream;
}

static void stream_free(struct stream *stream)
{
    buf_release(&stream->in_flight);
    mem_free(stream);
}

static void stream_on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    stream_free(stream);
}

static void stream_untouch(struct stream *stream)
{
    struct streams *streams = stream->streams;
    struct stream **at = &streams->touched;
    struct stream *before = NULL;

    if (!stream->touched)
        return;
    while (*at != stream) {
        before = *at;
        at = &before->touched_next;
    }
    *at = stream->touched_next;
    if (streams->touched_last == stream)
        streams->touched_last = before;
    stream->touched = false;
    stream->touched_next = NULL;
}

/* What was put out in this turn is offered to the kernel although the connection is
 * about to go: whoever closes behind a reply meant that to leave. */
static void stream_last_words(struct stream *stream)
{
    if (!stream->up || stream->failed || stream->writing || stream->out == NULL ||
        stream->out->len == 0 || stream->out->len > STREAM_WRITE_MAX)
        return;
    uv_buf_t buf = uv_buf_init(stream->out->data, (unsigned)stream->out->len);
    int ignored = uv_try_write(&stream->uv.stream, &buf, 1);
    (void)ignored;
}

void stream_close(struct stream *stream)
{
    ASSERT(!stream->closing);
    stream_last_words(stream);
    stream_untouch(stream);
    stream->closing = true;
    stream->owner = NULL;
    stream->events = NULL;
    stream->out = NULL;
    stream->streams->n--;
    uv_close(&stream->uv.handle, stream_on_closed);
}

static void stream_fail(struct stream *stream, const char *reason)
{
    if (stream->closing || stream->failed)
        return;
    stream->failed = true;
    stream_read(stream, false);
    stream->events->on_down(stream, reason);
}

void stream_own(struct stream *stream, const struct stream_events *events, void *owner,
                struct buf *out)
{
    stream->events = events;
    stream->owner = owner;
    stream->out = out;
}

/* ------------------------------------------------------------------ opening ----- */

static int stream_sockaddr(const char *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (uv_ip4_addr(ip, port, (struct sockaddr_in *)(void *)out) == 0)
        return 0;
    return uv_ip6_addr(ip, port, (struct sockaddr_in6 *)(void *)out);
}

static void stream_on_connected(uv_connect_t *request, int status)
{
    struct stream *stream = request->data;
    if (stream->closing)
        return;
    if (status < 0) {
        stream_fail(stream, uv_strerror(status));
        return;
    }
    stream->up = true;
    stream_touch(stream); /* for what was put out before there was a connection */
    stream_read(stream, true);
    /* Reading may have failed at once. */
    if (!stream->failed)
        stream->events->on_up(stream);
}

/* The port is chosen at connect time: bound sockets would run out of ports per source,
 * not per connection. */
static int stream_bind_source(struct stream *stream, const char *source)
{
    struct sockaddr_storage from;
    int on = 1;
    int status = stream_sockaddr(source, 0, &from);
    if (status < 0)
        return status;
    setsockopt(stream_fd(stream), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return uv_tcp_bind(&stream->uv.tcp, (const struct sockaddr *)&from, 0);
}

static int stream_start_connect(struct stream *stream, const struct sockaddr *to,
                                const char *source)
{
    uv_tcp_nodelay(&stream->uv.tcp, 1);
    if (source[0] != '\0') {
        int status = stream_bind_source(stream, source);
        if (status < 0)
            return status;
    }
    return uv_tcp_connect(&stream->connect, &stream->uv.tcp, to, stream_on_connected);
}

struct stream *stream_connect(struct streams *streams, const char *ip, uint16_t port,
                              const char *source, struct error *err)
{
    struct sockaddr_storage to;
    int status = stream_sockaddr(ip, port, &to);
    if (status < 0) {
        error_set(err, ERR_SYNTAX, "%s", uv_strerror(status));
        return NULL;
    }

    struct stream *stream = stream_new(streams, false);
    status = uv_tcp_init_ex(streams->loop, &stream->uv.tcp, to.ss_family);
    stream->uv.handle.data = stream;
    stream->connect.data = stream;
    stream->write.data = stream;
    if (status < 0) {
        /* Without a socket there is no handle to close either. */
        error_set(err, ERR_IO, "%s", uv_strerror(status));
        streams->n--;
        stream_free(stream);
        return NULL;
    }
    status = stream_start_connect(stream, (const struct sockaddr *)&to, source);
    if (status < 0) {
        error_set(err, ERR_IO, "%s", uv_strerror(status));
        stream_close(stream);
        return NULL;
    }
    return stream;
}

struct stream *stream_accept(struct streams *streams, uv_stream_t *listener,
                             bool is_unix)
{
    struct stream *stream = stream_new(streams, is_unix);
    int status = is_unix ? uv_pipe_init(streams->loop, &stream->uv.pipe, 0)
                         : uv_tcp_init(streams->loop, &stream->uv.tcp);
    ASSERT_CMP(status, ==, 0);
    stream->uv.handle.data = stream;
    stream->write.data = stream;
    if (uv_accept(listener, &stream->uv.stream) < 0) {
        stream_close(stream);
        return NULL;
    }
    stream->up = true;
    if (!is_unix)
        uv_tcp_nodelay(&stream->uv.tcp, 1);
    return stream;
}

/* ------------------------------------------------------------------ reading ----- */

static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct stream *stream = handle->data;
    (void)suggested;
    /* One buffer serves all: what is read is consumed before the next read. */
    *buf = uv_buf_init(stream->streams->read_buf, STREAM_READ_CAP);
}

/* Everything that arrives comes through here. */
static void stream_input(struct stream *stream, const char *bytes, size_t len)
{
    stream->events->on_bytes(stream, bytes, len);
}

/* The other side may have closed only its half, and still read. */
static void stream_end(struct stream *stream)
{
    stream_last_words(stream);
    stream_fail(stream, "Server closed the connection");
}

static void stream_on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *stream = handle->data;
    if (stream->closing || n == 0)
        return;
    if (n > 0)
        stream_input(stream, buf->base, (size_t)n);
    else if (n == UV_EOF)
        stream_end(stream);
    else
        stream_fail(stream, uv_strerror((int)n));
}

void stream_read(struct stream *stream, bool on)
{
    if (on == stream->reading || !stream->up || stream->closing)
        return;
    stream->reading = on;
    if (!on) {
        uv_read_stop(&stream->uv.stream);
        return;
    }
    int status = uv_read_start(&stream->uv.stream, stream_on_alloc, stream_on_read);
    if (status < 0)
        stream_fail(stream, uv_strerror(status));
}

/* ------------------------------------------------------------------ writing ----- */

void stream_touch(struct stream *stream)
{
    struct streams *streams = stream->streams;
    if (stream->touched || stream->closing)
        return;
    stream->touched = true;
    stream->touched_next = NULL;
    if (streams->touched == NULL)
        streams->touched = stream;
    else
        streams->touched_last->touched_next = stream;
    streams->touched_last = stream;
}

bool stream_is_drained(const struct stream *stream)
{
    return !stream->writing && stream->out->len == 0;
}

static void stream_on_written(uv_write_t *request, int status)
{
    struct stream *stream = request->data;
    size_t len = stream->in_flight.len;

    stream->writing = false;
    if (stream->in_flight.cap > STREAM_IDLE_CAP)
        buf_release(&stream->in_flight);
    else
        buf_clear(&stream->in_flight);
    if (stream->closing || stream->failed)
        return;
    if (status < 0) {
        stream_fail(stream, uv_strerror(status));
        return;
    }
    stream->events->on_flushed(stream, len);
    if (!stream->closing && !stream->failed && stream->out->len > 0)
        stream_flush(stream);
}

/* The kernel is full: what is left waits with libuv until it is not. Swapped rather
 * than copied, so that a long queue is not moved again for each piece of it. */
static void stream_write_rest(struct stream *stream)
{
    struct buf *out = stream->out;
    ASSERT_CMP(stream->in_flight.len, ==, 0);
    if (out->len <= STREAM_WRITE_MAX) {
        struct buf empty = stream->in_flight;
        stream->in_flight = *out;
        *out = empty;
    } else {
        buf_append(&stream->in_flight, out->data, STREAM_WRITE_MAX);
        buf_consume(out, STREAM_WRITE_MAX);
    }

    uv_buf_t buf = uv_buf_init(stream->in_flight.data, (unsigned)stream->in_flight.len);
    int status =
        uv_write(&stream->write, &stream->uv.stream, &buf, 1, stream_on_written);
    if (status < 0)
        stream_fail(stream, uv_strerror(status));
    else
        stream->writing = true;
}

void stream_flush(struct stream *stream)
{
    struct buf *out = stream->out;
    size_t written = 0;

    if (!stream->up || stream->failed || stream->closing)
        return;
    if (!stream->writing && out->len > 0) {
        size_t len = out->len < STREAM_WRITE_MAX ? out->len : STREAM_WRITE_MAX;
        uv_buf_t buf = uv_buf_init(out->data, (unsigned)len);
        int n = uv_try_write(&stream->uv.stream, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            stream_fail(stream, uv_strerror(n));
            return;
        }
        if (n > 0) {
            written = (size_t)n;
            buf_consume(out, written);
        }
        if (out->len > 0)
            stream_write_rest(stream);
        else if (out->cap > STREAM_IDLE_CAP)
            buf_release(out);
    }
    if (!stream->failed)
        stream->events->on_flushed(stream, written);
}

void streams_flush(struct streams *streams)
{
    struct stream *stream;
    while ((stream = streams->touched) != NULL) {
        stream_untouch(stream);
        stream_flush(stream);
    }
}

/* ------------------------------------------------------------- socket facts ----- */

int stream_fd(const struct stream *stream)
{
    uv_os_fd_t fd;
    return uv_fileno(&stream->uv.handle, &fd) == 0 ? fd : -1;
}

void stream_keepalive(struct stream *stream, int idle_s)
{
    int interval_s = idle_s / 3 > 0 ? idle_s / 3 : 1;
    int count = 3;
    if (stream->is_unix || idle_s <= 0)
        return;
    uv_tcp_keepalive(&stream->uv.tcp, 1, (unsigned)idle_s);
    setsockopt(stream_fd(stream), IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
               sizeof interval_s);
    setsockopt(stream_fd(stream), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static bool stream_split(const struct sockaddr_storage *from, char ip[ADDR_IP_CAP],
                         uint16_t *port)
{
    const struct sockaddr_in *in4 = (const void *)from;
    const struct sockaddr_in6 *in6 = (const void *)from;

    ip[0] = '\0';
    if (from->ss_family == AF_INET) {
        *port = ntohs(in4->sin_port);
        return uv_ip4_name(in4, ip, ADDR_IP_CAP) == 0;
    }
    if (from->ss_family == AF_INET6) {
        *port = ntohs(in6->sin6_port);
        return uv_ip6_name(in6, ip, ADDR_IP_CAP) == 0;
    }
    return false;
}

typedef int stream_name_fn(const uv_tcp_t *tcp, struct sockaddr *name, int *len);

static bool stream_name(const struct stream *stream, stream_name_fn *get,
                        char ip[ADDR_IP_CAP], uint16_t *port)
{
    struct sockaddr_storage name;
    int len = sizeof name;
    ip[0] = '\0';
    return !stream->is_unix &&
           get(&stream->uv.tcp, (struct sockaddr *)&name, &len) == 0 &&
           stream_split(&name, ip, port);
}

static void stream_print(const struct stream *stream, stream_name_fn *get, char *out,
                         size_t cap)
{
    char ip[ADDR_IP_CAP];
    uint16_t port;
    out[0] = '\0';
    if (stream_name(stream, get, ip, &port))
        snprintf(out, cap, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip, port);
}

void stream_local(const struct stream *stream, char *out, size_t cap)
{
    stream_print(stream, uv_tcp_getsockname, out, cap);
}

void stream_peer(const struct stream *stream, char *out, size_t cap)
{
    stream_print(stream, uv_tcp_getpeername, out, cap);
}

void stream_local_ip(const struct stream *stream, char *out, size_t cap)
{
    char ip[ADDR_IP_CAP];
    uint16_t port;
    if (!stream_name(stream, uv_tcp_getsockname, ip, &port))
        ip[0] = '\0';
    snprintf(out, cap, "%s", ip);
}
