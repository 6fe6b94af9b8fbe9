/*
 * stream.h - one byte stream, outgoing or incoming, over TCP or a Unix socket.
 *
 * The owner puts bytes into a buffer of its own and calls stream_touch(); they leave at
 * the end of the turn of the loop, in one system call. What the kernel does not take
 * waits in the stream, and on_flushed() tells how much has gone.
 *
 * All bytes pass through one function on their way in (stream_input) and one on their
 * way out (stream_flush): the two places where TLS is put between, if there is any.
 */
#ifndef SENTINEL_RUNTIME_STREAM_H
#define SENTINEL_RUNTIME_STREAM_H

#include "common/buf.h"
#include "common/err.h"
#include "sentinel/runtime/lag.h"
#include "sentinel/runtime/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_READ_CAP 65536
/* What one read can be decrypted to: that, and the record begun before it. */
#define STREAM_PLAIN_CAP (STREAM_READ_CAP + 32768)
/* An incoming connection that is not through its TLS handshake by then goes. */
#define STREAM_HANDSHAKE_MS 10000
/* What TLS handshakes may take of one turn of the loop, the last one in full: each
 * costs about a signature. Who has to wait stands in line for the turns that follow. */
#define STREAM_HANDSHAKES_NS UINT64_C(4000000)

struct stream;

/* What a stream tells its owner. Any of these may call stream_close(). */
struct stream_events {
    /* An outgoing one is connected, or any is through its TLS handshake. May be NULL if
     * the stream is incoming. */
    void (*on_up)(struct stream *stream);
    void (*on_bytes)(struct stream *stream, const char *bytes, size_t len);
    /* The kernel has taken |len| bytes; also called, with 0, at the end of each turn in
     * which the stream was touched. */
    void (*on_flushed)(struct stream *stream, size_t len);
    /* It cannot be used any more and should be closed. Called at most once. */
    void (*on_down)(struct stream *stream, const char *reason);
};

/* What all streams of a loop share. */
struct streams {
    uv_loop_t *loop;
    struct stream *touched; /* to be flushed at the end of this turn, oldest first */
    struct stream *touched_last;
    size_t n;                  /* not yet closed */
    struct stream *handshakes; /* incoming, oldest first */
    uv_timer_t handshake_timer;
    struct stream *lines[2]; /* whose handshake waits for a turn: our own, others' */
    uint64_t handshakes_ns;  /* taken of this turn */
    struct lag *lag;         /* told when something happens */
    char read_buf[STREAM_READ_CAP];
    char plain_buf[STREAM_PLAIN_CAP];
};

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct streams *streams;
    const struct stream_events *events;
    void *owner;
    struct buf *out;      /* the owner's; where bytes to be written are */
    struct buf in_flight; /* taken out of |out| or |wire|, not yet written... */
    size_t in_flight_at;  /* ...from here on */
    union stream_request *request; /* under way with libuv; NULL: none */
    bool is_unix;
    bool up, reading, writing, failed, closing;
    bool is_armed; /* libuv says when there is something to read */
    bool touched;
    struct stream *touched_next;

    struct tls *tls;   /* NULL: none; the rest is then unused */
    bool tls_failed;   /* that is why it is down */
    struct buf wire;   /* encrypted, to be written */
    size_t n_plain;    /* bytes of |out| that are in |wire| and |in_flight| */
    uint64_t until_ms; /* of the loop's clock: end of the handshake; 0: no such */
    struct stream *prev, *next; /* of |handshakes| */
    bool in_line;               /* nothing more is read until it is served */
    struct buf held;            /* read before, for the handshake */
    struct stream *line_prev, *line_next;
};

void streams_init(struct streams *streams, uv_loop_t *loop, struct lag *lag);
/* Once all streams are closed. */
void streams_close(struct streams *streams);

/*
 * stream_connect() starts a connection to numeric |ip| and |port|, from the numeric
 * address |source| unless that is "". on_up or on_down follows, never before it
 * returns. Returns NULL with the reason in |err| if it cannot even be tried.
 */
struct stream *stream_connect(struct streams *streams, const char *ip, uint16_t port,
                              const char *source, struct error *err);

/* Takes the connection that waits on |listener|; NULL if it is gone already or there is
 * no descriptor for it. */
struct stream *stream_accept(struct streams *streams, uv_stream_t *listener,
                             bool is_unix);

/* To be called before anything can happen on the stream. */
void stream_own(struct stream *stream, const struct stream_events *events, void *owner,
                struct buf *out);

/*
 * stream_secure() puts |tls| between, which then belongs to the stream. Before
 * stream_own(). An incoming connection gets STREAM_HANDSHAKE_MS for the handshake; who
 * opened an outgoing one sees to that. What is put out before waits until then.
 */
void stream_secure(struct stream *stream, struct tls *tls);
/* Bytes can be written: it is connected and, with TLS, through the handshake. */
bool stream_is_up(const struct stream *stream);
/* on_down was called because of TLS: a certificate, the handshake, a bad record. */
bool stream_failed_tls(const struct stream *stream);

void stream_read(struct stream *stream, bool on);
void stream_touch(struct stream *stream);
void stream_flush(struct stream *stream);
/* Nothing is left to be written. */
bool stream_is_drained(const struct stream *stream);
/* Keepalive probes after |idle_s| seconds of silence. */
void stream_keepalive(struct stream *stream, int idle_s);
/* "ip:port", "[ip]:port", or "" if it is not known. */
void stream_local(const struct stream *stream, char *out, size_t cap);
void stream_peer(const struct stream *stream, char *out, size_t cap);
/* Our own numeric address, "" if it is not known. */
void stream_local_ip(const struct stream *stream, char *out, size_t cap);
int stream_fd(const struct stream *stream);

/* No more calls to the owner, which may free itself and its buffer afterwards. Bytes
 * not yet written are offered to the kernel once more. */
void stream_close(struct stream *stream);

/* Flushes all streams touched in this turn. */
void streams_flush(struct streams *streams);

/* At the end of each turn of the loop. True if handshakes wait for which this turn had
 * no room: call streams_shake_hands() in the next, and do not wait. */
bool streams_end_turn(struct streams *streams);
void streams_shake_hands(struct streams *streams);

#endif
