/*
 * stream.c - one byte stream over libuv.
 *
 * Its memory belongs to libuv until the close callback; the owner only ever holds it
 * until stream_close().
 */
#include "sentinel/runtime/stream.h"

#include "common/addr.h"
#include "common/assert.h"
#include "common/hash.h"
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
/* No more is encrypted at a time: until that has been written, the rest stays where
 * limits on the output count it. */
#define STREAM_ENCRYPT_MAX ((size_t)1 << 20)
/* What TLS answers by itself to somebody who does not read it. */
#define STREAM_WIRE_MAX 16384

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* A connect and a write are never under way at the same time, and both are rare. */
union stream_request {
    uv_connect_t connect;
    uv_write_t write;
};

static union stream_request *stream_request(struct stream *stream)
{
    if (stream->request == NULL)
        stream->request = mem_zalloc(sizeof *stream->request);
    return stream->request;
}

static void stream_request_end(struct stream *stream)
{
    mem_free(stream->request);
    stream->request = NULL;
}

/* ------------------------------------------------------------------- life ------- */

void streams_init(struct streams *streams, uv_loop_t *loop, struct lag *lag)
{
    streams->loop = loop;
    streams->lag = lag;
    uv_timer_init(loop, &streams->handshake_timer);
    streams->handshake_timer.data = streams;
}

void streams_close(struct streams *streams)
{
    uv_close((uv_handle_t *)&streams->handshake_timer, NULL);
}

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
    tls_free(stream->tls);
    buf_release(&stream->wire);
    buf_release(&stream->held);
    stream_request_end(stream);
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

/* Encrypts what the owner has put out, or part of it. False: the stream has failed. */
static bool stream_encrypt(struct stream *stream, struct error *err)
{
    struct buf *out = stream->out;
    size_t len = out->len < STREAM_ENCRYPT_MAX ? out->len : STREAM_ENCRYPT_MAX;

    if (len == 0 || !tls_is_up(stream->tls))
        return true;
    if (tls_write(stream->tls, out->data, len, err) != 0)
        return false;
    stream->n_plain += len;
    buf_consume(out, len);
    if (out->len == 0 && out->cap > STREAM_IDLE_CAP)
        buf_release(out);
    return true;
}

/* Goodbye belongs behind everything, or nowhere. */
static void stream_encrypt_last(struct stream *stream)
{
    struct error ignored;
    if (tls_is_up(stream->tls) && stream_encrypt(stream, &ignored) &&
        stream->out->len == 0)
        tls_end(stream->tls);
}

/* What was put out in this turn is offered to the kernel although the connection is
 * about to go: whoever closes behind a reply meant that to leave. */
static void stream_last_words(struct stream *stream)
{
    struct buf *words = stream->out;

    if (!stream->up || stream->failed || stream->writing || words == NULL)
        return;
    if (stream->tls != NULL) {
        stream_encrypt_last(stream);
        words = &stream->wire;
    }
    if (words->len == 0 || words->len > STREAM_WRITE_MAX)
        return;
    uv_buf_t buf = uv_buf_init(words->data, (unsigned)words->len);
    int ignored = uv_try_write(&stream->uv.stream, &buf, 1);
    (void)ignored;
}

/* Our own connections come first: failure detection depends on them. */
static struct stream **stream_line(struct stream *stream)
{
    return &stream->streams->lines[stream->until_ms != 0];
}

static void stream_leave_line(struct stream *stream)
{
    if (stream->in_line)
        DL_DELETE2(*stream_line(stream), stream, line_prev, line_next);
    stream->in_line = false;
}

/* The handshake is over, one way or the other. */
static void stream_stop_waiting(struct stream *stream)
{
    stream_leave_line(stream);
    if (stream->until_ms == 0)
        return;
    DL_DELETE(stream->streams->handshakes, stream);
    stream->until_ms = 0;
}

void stream_close(struct stream *stream)
{
    ASSERT(!stream->closing);
    stream_last_words(stream);
    stream_untouch(stream);
    stream_stop_waiting(stream);
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
    stream_stop_waiting(stream);
    stream_read(stream, false);
    stream->events->on_down(stream, reason);
}

/* TLS has ended; the other side is told why if that can be done at once. */
static void stream_fail_tls(struct stream *stream, const char *reason)
{
    if (stream->closing || stream->failed)
        return;
    if (!stream->writing && stream->wire.len > 0) {
        uv_buf_t buf = uv_buf_init(stream->wire.data, (unsigned)stream->wire.len);
        int ignored = uv_try_write(&stream->uv.stream, &buf, 1);
        (void)ignored;
    }
    stream->tls_failed = true;
    stream_fail(stream, reason);
}

bool stream_failed_tls(const struct stream *stream)
{
    return stream->tls_failed;
}

bool stream_is_up(const struct stream *stream)
{
    return stream->up && (stream->tls == NULL || tls_is_up(stream->tls));
}

void stream_own(struct stream *stream, const struct stream_events *events, void *owner,
                struct buf *out)
{
    stream->events = events;
    stream->owner = owner;
    stream->out = out;
}

/* ------------------------------------------------------------------ handshakes -- */

static void streams_on_handshake_timer(uv_timer_t *timer);

/* All get the same time, so the first in the list is the next to be late. */
static void streams_arm_handshakes(struct streams *streams)
{
    const struct stream *first = streams->handshakes;
    uint64_t now = uv_now(streams->loop);

    if (first != NULL && !uv_is_active((uv_handle_t *)&streams->handshake_timer))
        uv_timer_start(&streams->handshake_timer, streams_on_handshake_timer,
                       first->until_ms > now ? first->until_ms - now : 0, 0);
}

static void streams_on_handshake_timer(uv_timer_t *timer)
{
    struct streams *streams = timer->data;
    struct stream *stream;

    while ((stream = streams->handshakes) != NULL &&
           stream->until_ms <= uv_now(streams->loop))
        stream_fail_tls(stream, "the TLS handshake takes too long");
    streams_arm_handshakes(streams);
}

void stream_secure(struct stream *stream, struct tls *tls)
{
    ASSERT(stream->tls == NULL);
    stream->tls = tls;
    tls_set_wire(tls, &stream->wire);
    if (!stream->up) /* the core has a deadline for connecting */
        return;
    stream->until_ms = uv_now(stream->streams->loop) + STREAM_HANDSHAKE_MS;
    DL_APPEND(stream->streams->handshakes, stream);
    streams_arm_handshakes(stream->streams);
}

/* Returns true once the handshake is done, and the stream is still there. */
static bool stream_handshake(struct stream *stream)
{
    struct error err;
    uint64_t began_ns = uv_hrtime();
    int rc = tls_handshake(stream->tls, &err);

    stream->streams->handshakes_ns += uv_hrtime() - began_ns;

    if (rc != 0 && rc != ERR_MORE) {
        stream_fail_tls(stream, err.text);
        return false;
    }
    stream_touch(stream);
    if (rc == ERR_MORE)
        return false;
    stream_stop_waiting(stream);
    if (stream->events->on_up != NULL)
        stream->events->on_up(stream);
    return !stream->closing && !stream->failed;
}

/* Is there no room left in this turn for a handshake, or somebody before? */
static bool streams_are_busy(const struct streams *streams)
{
    return streams->lines[0] != NULL || streams->lines[1] != NULL ||
           streams->handshakes_ns >= STREAM_HANDSHAKES_NS;
}

/* Nothing more is read, so that what waits does not grow. */
static void stream_enter_line(struct stream *stream, const char *bytes, size_t len)
{
    DL_APPEND2(*stream_line(stream), stream, line_prev, line_next);
    stream->in_line = true;
    stream->reading = false;
    buf_append(&stream->held, bytes, len);
}

bool streams_end_turn(struct streams *streams)
{
    streams->handshakes_ns = 0;
    return streams->lines[0] != NULL || streams->lines[1] != NULL;
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
    stream_request_end(stream);
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
    if (stream->failed)
        return;
    if (stream->tls != NULL)
        stream_handshake(stream);
    else
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
    union stream_request *request = stream_request(stream);
    request->connect.data = stream;
    return uv_tcp_connect(&request->connect, &stream->uv.tcp, to, stream_on_connected);
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

/* No buffer for libuv: it then only says that there is something to read. recv() costs
 * less than its read(), which goes through the layer of files. */
static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0);
}

/* The other side may have closed only its half, and still read. */
static void stream_end(struct stream *stream)
{
    /* Who comes and goes without a word, as health checks do, has not failed. */
    if (stream->tls != NULL && !tls_is_up(stream->tls) && tls_has_begun(stream->tls)) {
        tls_feed(stream->tls, NULL, 0);
        stream_handshake(stream); /* fails, and says why */
    }
    stream_last_words(stream);
    stream_fail(stream, "Server closed the connection");
}

/* One read becomes one on_bytes(), as without TLS. */
static void stream_decrypt(struct stream *stream, const char *bytes, size_t len)
{
    char *plain = stream->streams->plain_buf;
    size_t n_plain = 0;
    struct error err;
    int n;

    tls_feed(stream->tls, bytes, len);
    if (!tls_is_up(stream->tls) && !stream_handshake(stream))
        return;
    while ((n = tls_read(stream->tls, plain + n_plain, STREAM_PLAIN_CAP - n_plain,
                         &err)) > 0)
        n_plain += (size_t)n;
    if (stream->wire.len > 0)
        stream_touch(stream);
    if (n_plain > 0)
        stream->events->on_bytes(stream, plain, n_plain);
    if (stream->closing || stream->failed)
        return;
    if (n == ERR_STATE)
        stream_end(stream);
    else if (n != ERR_MORE)
        stream_fail_tls(stream, err.text);
    else if (stream->writing && stream->wire.len > STREAM_WIRE_MAX)
        stream_fail(stream, "the other side does not read");
}

/* Everything that arrives comes through here. */
static void stream_input(struct stream *stream, const char *bytes, size_t len)
{
    if (stream->tls == NULL)
        stream->events->on_bytes(stream, bytes, len);
    else if (!tls_is_up(stream->tls) && streams_are_busy(stream->streams))
        stream_enter_line(stream, bytes, len);
    else
        stream_decrypt(stream, bytes, len);
}

void streams_shake_hands(struct streams *streams)
{
    while (streams->handshakes_ns < STREAM_HANDSHAKES_NS) {
        struct stream *stream = streams->lines[streams->lines[0] == NULL];
        if (stream == NULL)
            return;
        lag_begin(streams->lag);
        stream_leave_line(stream);
        struct buf held = stream->held;
        stream->held = (struct buf){0};
        stream_read(stream, true);
        if (!stream->failed)
            stream_decrypt(stream, held.data, held.len);
        buf_release(&held);
    }
}

/* One buffer serves all: what is read is consumed before the next read, or is little
 * enough to be kept. */
static void stream_receive(struct stream *stream)
{
    bool is_up = stream->tls == NULL || tls_is_up(stream->tls);
    char *bytes = stream->streams->read_buf;
    ssize_t n =
        recv(stream_fd(stream), bytes, is_up ? STREAM_READ_CAP : STREAM_WIRE_MAX, 0);

    if (n > 0)
        stream_input(stream, bytes, (size_t)n);
    else if (n == 0)
        stream_end(stream);
    else if (errno != EAGAIN && errno != EINTR)
        stream_fail(stream, uv_strerror(-errno));
}

static void stream_on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *stream = handle->data;

    (void)buf;
    if (stream->closing)
        return;
    if (!stream->reading) {
        stream->is_armed = false;
        uv_read_stop(&stream->uv.stream);
        return;
    }
    lag_begin(stream->streams->lag);
    if (n == UV_ENOBUFS)
        stream_receive(stream);
    else if (n == UV_EOF)
        stream_end(stream);
    else if (n < 0)
        stream_fail(stream, uv_strerror((int)n));
}

/* Told to stop, libuv stops only when something comes that is not to be read: most who
 * must wait have said all they have to say, and both ways cost a system call or two. */
void stream_read(struct stream *stream, bool on)
{
    if (on == stream->reading || !stream->up || stream->closing || stream->in_line)
        return;
    if (!on && !stream->failed && !stream_is_up(stream))
        return; /* a handshake needs to read, whatever the owner waits for */
    stream->reading = on;
    if (!on || stream->is_armed)
        return;
    stream->is_armed = true;
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
    return !stream->writing && stream->out->len == 0 && stream->wire.len == 0;
}

/* What the owner is told has been written, now that all is. */
static size_t stream_take_plain(struct stream *stream)
{
    size_t n_plain = stream->n_plain;
    stream->n_plain = 0;
    return n_plain;
}

static void stream_on_written(uv_write_t *request, int status)
{
    struct stream *stream = request->data;
    size_t len = stream->in_flight.len - stream->in_flight_at;

    stream_request_end(stream);
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
    if (stream->tls != NULL)
        len = stream_take_plain(stream);
    stream->events->on_flushed(stream, len);
    if (!stream->closing && !stream->failed && !stream_is_drained(stream))
        stream_flush(stream);
}

/* The kernel is full: what is left after |n_written| bytes waits with libuv until it is
 * not. Swapped rather than copied or moved to the front, for it may be long. */
static void stream_write_rest(struct stream *stream, struct buf *out, size_t n_written)
{
    ASSERT_CMP(stream->in_flight.len, ==, 0);
    if (out->len - n_written <= STREAM_WRITE_MAX) {
        struct buf empty = stream->in_flight;
        stream->in_flight = *out;
        stream->in_flight_at = n_written;
        *out = empty;
    } else {
        buf_append(&stream->in_flight, out->data + n_written, STREAM_WRITE_MAX);
        stream->in_flight_at = 0;
        buf_consume(out, n_written + STREAM_WRITE_MAX);
    }

    uv_buf_t buf =
        uv_buf_init(stream->in_flight.data + stream->in_flight_at,
                    (unsigned)(stream->in_flight.len - stream->in_flight_at));
    union stream_request *request = stream_request(stream);
    request->write.data = stream;
    int status =
        uv_write(&request->write, &stream->uv.stream, &buf, 1, stream_on_written);
    if (status < 0)
        stream_fail(stream, uv_strerror(status));
    else
        stream->writing = true;
}

/* Offers |out| to the kernel and returns how much of it was taken; the rest waits. */
static size_t stream_write(struct stream *stream, struct buf *out)
{
    size_t len = out->len < STREAM_WRITE_MAX ? out->len : STREAM_WRITE_MAX;

    if (len == 0)
        return 0;
    ssize_t n = send(stream_fd(stream), out->data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        stream_fail(stream, uv_strerror(-errno));
        return 0;
    }
    size_t written = n > 0 ? (size_t)n : 0;
    if (written < out->len)
        stream_write_rest(stream, out, written);
    else if (out->cap > STREAM_IDLE_CAP)
        buf_release(out);
    else
        buf_clear(out);
    return written;
}

/* The same with TLS; what it says by itself goes along. */
static size_t stream_write_tls(struct stream *stream)
{
    size_t written = 0;
    struct error err;

    do {
        if (!stream_encrypt(stream, &err)) {
            stream_fail_tls(stream, err.text);
            break;
        }
        stream_write(stream, &stream->wire);
        if (stream->writing || stream->failed)
            break;
        written += stream_take_plain(stream);
    } while (tls_is_up(stream->tls) && stream->out->len > 0);
    return written;
}

void stream_flush(struct stream *stream)
{
    size_t written = 0;

    if (!stream->up || stream->failed || stream->closing)
        return;
    if (!stream->writing)
        written = stream->tls == NULL ? stream_write(stream, stream->out)
                                      : stream_write_tls(stream);
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
