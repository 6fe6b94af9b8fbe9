/*
 * err.h - error codes and the reason for people that goes with them.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stddef.h>

#define ERR_MAP(X)                                                                     \
    X(ERR_SYNTAX, "syntax error")                                                      \
    X(ERR_RANGE, "value out of range")                                                 \
    X(ERR_DUPLICATE, "already exists")                                                 \
    X(ERR_UNKNOWN, "no such object")                                                   \
    X(ERR_IO, "input or output failed")                                                \
    X(ERR_LIMIT, "limit exceeded")                                                     \
    X(ERR_STATE, "not possible in this state")                                         \
    X(ERR_MORE, "more input is needed")                                                \
    X(ERR_DENIED, "not permitted")

enum err_code {
    ERR_OK = 0,
    ERR_BASE_ = -1000,
#define ERR_X(name, text) name,
    ERR_MAP(ERR_X)
#undef ERR_X
};

/* The sentence a person should read; "" if there is none. */
struct error {
    char text[512];
};

/* Constant text for a code; never NULL. */
const char *err_text(int code);

/* Formats the reason into |err| (NULL: ignored), cut to fit, and returns |code|, so
 * that callers can write `return error_set(err, ERR_RANGE, "...")`. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
