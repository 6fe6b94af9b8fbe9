/*
 * stream.h - one byte stream, outgoing or incoming, over TCP or a Unix socket.
 *
 * The owner puts bytes into a buffer of its own and calls stream_touch(); they leave at
 * the end of the turn of the loop, in one system call. What the kernel does not take
 * waits in the stream, and on_flushed() tells how much has gone.
 *
 * All bytes pass through one function on their way in (stream_input) and one on their
 * way out (stream_flush): the two places where a filter such as TLS belongs.
 */
#ifndef SENTINEL_RUNTIME_STREAM_H
#define SENTINEL_RUNTIME_STREAM_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_READ_CAP 65536

struct stream;

/* What a stream tells its owner. Any of these may call stream_close(). */
struct stream_events {
    void (*on_up)(struct stream *stream); /* an outgoing one is connected */
    void (*on_bytes)(struct stream *stream, const char *bytes, size_t len);
    /* The kernel has taken |len| bytes; also called, with 0, at the end of each turn in
     * which the stream was touched. */
    void (*on_flushed)(struct stream *stream, size_t len);
    /* It cannot be used any more and should be closed. Called at most once. */
    void (*on_down)(struct stream *stream, const char *reason);
};

/* What all streams of a loop share. A zeroed one with |loop| set is ready. */
struct streams {
    uv_loop_t *loop;
    struct stream *touched; /* to be flushed at the end of this turn, oldest first */
    struct stream *touched_last;
    size_t n; /* not yet closed */
    char read_buf[STREAM_READ_CAP];
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
    struct buf in_flight; /* taken out of |out|, not yet written */
    uv_connect_t connect;
    uv_write_t write;
    bool is_unix;
    bool up, reading, writing, failed, closing;
    bool touched;
    struct stream *touched_next;
};

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

#endif
