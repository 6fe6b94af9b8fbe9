/*
 * reply.h - what servers answer to us, parsed by hiredis's redisReader straight into
 * struct resp_value trees.
 *
 * The other side may be anything, so all is bounded: the bytes of a reply, its
 * elements, and how deep they nest.
 */
#ifndef SENTINEL_RUNTIME_REPLY_H
#define SENTINEL_RUNTIME_REPLY_H

#include "common/arena.h"
#include "common/err.h"
#include "common/resp.h"

#include <stddef.h>

#define REPLY_BYTES_MAX ((size_t)16 << 20)
#define REPLY_ITEMS_MAX 65536
#define REPLY_DEPTH_MAX 7

struct redisReader;

struct reply_reader {
    struct redisReader *reader;
    struct arena arena;  /* of the reply being read, or last returned */
    size_t n_items;      /* in it */
    size_t n_bytes;      /* fed and not yet part of a complete reply */
    const char *refused; /* why a part of it was refused; NULL if none was */
};

void reply_init(struct reply_reader *reader);
void reply_release(struct reply_reader *reader);

/* Returns 0; ERR_LIMIT or ERR_SYNTAX with a reason in |err|: then the connection is
 * of no use any more. */
int reply_feed(struct reply_reader *reader, const char *bytes, size_t len,
               struct error *err);

/* The next complete reply in |value|, valid until the next call; ERR_MORE if there is
 * none; otherwise as reply_feed(). */
int reply_next(struct reply_reader *reader, const struct resp_value **value,
               struct error *err);

#endif
