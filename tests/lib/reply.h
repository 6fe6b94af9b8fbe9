/*
 * reply.h - reads the replies of a server out of a stream of bytes, for drivers in
 * tests (the runtime uses hiredis).
 */
#ifndef TESTS_LIB_REPLY_H
#define TESTS_LIB_REPLY_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/resp.h"

#include <stddef.h>

/* A zeroed struct is a valid fresh parser. */
struct reply_parser {
    struct buf in;
    size_t pos; /* bytes of |in| already handed out */
    struct arena arena;
};

void reply_release(struct reply_parser *parser);
void reply_feed(struct reply_parser *parser, const char *bytes, size_t len);

/*
 * reply_next() takes the next complete reply. Returns 0 with |value| set, valid until
 * the next call; ERR_MORE if the bytes fed so far hold no complete one; ERR_SYNTAX if
 * they are no protocol (the connection is then of no more use).
 */
int reply_next(struct reply_parser *parser, const struct resp_value **value)
    __attribute__((warn_unused_result));

#endif
