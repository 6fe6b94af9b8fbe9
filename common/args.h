/*
 * args.h - words of a configuration line or inline command, with Redis's quoting
 * (interface.md 6.1), and the reverse; strict integers (interface.md 2.2).
 */
#ifndef COMMON_ARGS_H
#define COMMON_ARGS_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words; each is NUL-terminated but may hold NULs, hence the lengths. */
struct args {
    char **words;
    size_t *lens;
    size_t n;
};

/*
 * args_split() splits |line| of |len| bytes into |args| (overwritten; release it with
 * args_release() whatever is returned). Returns 0, or ERR_SYNTAX for unbalanced quotes
 * (then |args| is empty).
 */
int args_split(struct args *args, const char *line, size_t len);
void args_release(struct args *args);

/* Appends |word| so that args_split() reads it back as one equal word: as it is when it
 * survives unquoted, otherwise in double quotes with escapes. */
void args_quote(struct buf *out, const char *word, size_t len);

/* Appends |word| always in double quotes. */
void args_quote_always(struct buf *out, const char *word, size_t len);

/* Strict 64-bit integers: optional '-', no '+', blanks or leading zeros. False (and
 * |value| untouched) otherwise. */
bool args_int(const char *text, size_t len, int64_t *value);
bool args_uint(const char *text, size_t len, uint64_t *value);

#endif
