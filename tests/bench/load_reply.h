/*
 * load_reply.h - where a RESP reply ends, as far as it has arrived. Counts, keeps
 * nothing.
 */
#ifndef TESTS_BENCH_LOAD_REPLY_H
#define TESTS_BENCH_LOAD_REPLY_H

#include <stddef.h>
#include <stdint.h>

struct reply_scan {
    int64_t values_left; /* of the reply being read; 0 between two */
    int64_t skip;        /* bytes of a bulk string still to come */
    int64_t number;      /* of a header line being read */
    char type;           /* of that line; 0 before its first byte */
    char is_negative;
    uint64_t n_replies; /* complete ones so far */
    uint64_t n_errors;  /* of these, by their first byte */
};

/* Takes |len| more bytes. Replies may be cut anywhere. */
void reply_scan(struct reply_scan *scan, const char *bytes, size_t len);

#endif
