/*
 * resp.h - the Redis protocol: requests in, replies as values, replies out.
 */
#ifndef COMMON_RESP_H
#define COMMON_RESP_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- replies as values: what a server answered to one of our commands ---- */

enum resp_type {
    RESP_NIL,
    RESP_STATUS, /* +text */
    RESP_ERROR,  /* -text */
    RESP_INT,
    RESP_BULK,  /* bulk, verbatim, and every other RESP3 scalar as text */
    RESP_ARRAY, /* array, set, push; a map as key, value, key, value */
};

/* A view: somebody else owns the bytes and the items. str is NUL-terminated. */
struct resp_value {
    enum resp_type type;
    int64_t integer;
    const char *str;
    size_t len;
    const struct resp_value *items;
    size_t n_items;
};

/* ---- requests: what a client sent us ---- */

struct resp_limits {
    size_t inline_max;    /* 64 KiB: also the longest count or length line */
    int64_t elements_max; /* of one request */
    int64_t bulk_max;     /* bytes of one argument */
};

/* Limits of an authenticated and of an unauthenticated client (interface.md 1.2, 1.3).
 */
extern const struct resp_limits resp_limits_default;
extern const struct resp_limits resp_limits_unauth;

/* One argument; points into the parser's input until the next resp_request_next(). Read
 * it through the parser's args: resp_request_feed() may move the input and then adjusts
 * those. */
struct resp_arg {
    const char *str; /* NUL-terminated */
    size_t len;
};

/*
 * Incremental parser: feed bytes as they come, take complete requests out. It keeps
 * its place, so a request that arrives byte by byte is scanned once. A zeroed struct is
 * a valid fresh parser.
 */
struct resp_request {
    struct buf in;  /* input; what is before start is done with */
    size_t start;   /* of the request being read, or last returned, within in */
    size_t pos;     /* parsed so far within in */
    size_t scanned; /* bytes after pos known to hold no line end */
    struct resp_arg *args;
    size_t n_args, cap_args;
    size_t *offsets;    /* of the arguments, from start: the input may still move */
    int64_t multi_left; /* elements still to come; 0 outside a multibulk request */
    int64_t bulk_len;   /* length of the argument being read; -1 if not known yet */
    struct buf inline_words; /* backing store of inline arguments */
};

void resp_request_release(struct resp_request *rq);
void resp_request_feed(struct resp_request *rq, const char *bytes, size_t len);

/*
 * resp_request_next() parses the next request out of what was fed. Returns 0 with args
 * and n_args set (n_args 0: an empty request, to be skipped); ERR_MORE if it is not
 * complete; ERR_SYNTAX for a protocol error, with the text for the client in |err|
 * exactly as interface.md 1.3 gives it ("Protocol error: ..."): the connection must
 * then be closed after the error is sent.
 */
int resp_request_next(struct resp_request *rq, const struct resp_limits *limits,
                      struct error *err);

/* ---- writing ---- */

/* One command as a multibulk request; the words end with a NULL pointer. */
void resp_command(struct buf *out, const char *first, ...) __attribute__((sentinel));
void resp_command_v(struct buf *out, const char *const *words, size_t n);

/* Replies; |proto| is 2 or 3 and matters where the two differ. */
void resp_status(struct buf *out, const char *text);
/* CR and LF become blanks. The text starts with its code ("ERR ..."). */
void resp_error(struct buf *out, const char *text);
void resp_int(struct buf *out, int64_t value);
void resp_bulk(struct buf *out, const char *bytes, size_t len);
void resp_bulk_str(struct buf *out, const char *text);
void resp_bulk_int(struct buf *out, int64_t value); /* a number as bulk */
void resp_bulk_uint(struct buf *out, uint64_t value);
void resp_array(struct buf *out, size_t n);
void resp_map(struct buf *out, int proto, size_t n_pairs);
void resp_set(struct buf *out, int proto, size_t n);
void resp_push(struct buf *out, int proto, size_t n);
void resp_nil(struct buf *out, int proto);       /* $-1 or _ */
void resp_nil_array(struct buf *out, int proto); /* *-1 or _ */
void resp_verbatim(struct buf *out, int proto, const char *bytes, size_t len);
void resp_double(struct buf *out, int proto, double value);

#endif
