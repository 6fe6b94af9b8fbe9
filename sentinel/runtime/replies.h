/*
 * replies.h - what servers answer to us, parsed by hiredis's redisReader straight into
 * struct resp_value trees.
 *
 * The other side may be anything, so all is bounded: the bytes of a reply, its
 * elements, and how deep they nest.
 */
#ifndef SENTINEL_RUNTIME_REPLIES_H
#define SENTINEL_RUNTIME_REPLIES_H

#include "common/arena.h"
#include "common/err.h"
#include "common/resp.h"

#include <stdbool.h>
#include <stddef.h>

#define REPLIES_BYTES_MAX ((size_t)16 << 20)
#define REPLIES_LINE_MAX ((size_t)64 << 10)
#define REPLIES_ITEMS_MAX 65536
#define REPLIES_DEPTH_MAX 7

struct redisReader;

struct replies {
    struct redisReader *reader;
    struct arena arena;  /* of the reply being read, or last returned */
    size_t n_items;      /* in it */
    size_t n_text;       /* bytes of text in it */
    size_t n_bytes;      /* fed and not yet part of a complete reply */
    const char *refused; /* why a part of it was refused; NULL if none was */
};

void replies_init(struct replies *replies);
void replies_release(struct replies *replies);

/* Nothing is half read: another connection may use it. */
bool replies_is_idle(const struct replies *replies);

/* Returns 0; ERR_LIMIT or ERR_SYNTAX with a reason in |err|: then the connection is
 * of no use any more. */
int replies_feed(struct replies *replies, const char *bytes, size_t len,
                 struct error *err);

/* The next complete reply in |value|, valid until the next call; ERR_MORE if there is
 * none; otherwise as replies_feed(). */
int replies_next(struct replies *replies, const struct resp_value **value,
                 struct error *err);

#endif
