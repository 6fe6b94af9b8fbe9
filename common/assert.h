/*
 * assert.h - assertions that are always compiled in.
 *
 * They catch our own mistakes only. Anything a peer, a client, a server, a file or a
 * user can cause is handled, never asserted.
 */
#ifndef COMMON_ASSERT_H
#define COMMON_ASSERT_H

#define ASSERT(cond)                                                                   \
    ((cond) ? (void)0 : assert_fail(#cond, __FILE__, __LINE__, __func__))

/* ASSERT_CMP(a, <=, b) prints both values when it fails. Integers only. */
#define ASSERT_CMP(a, op, b)                                                           \
    (((a)op(b)) ? (void)0                                                              \
                : assert_cmp_fail(#a " " #op " " #b, (long long)(a), (long long)(b),   \
                                  __FILE__, __LINE__, __func__))

void assert_fail(const char *what, const char *file, int line, const char *func)
    __attribute__((noreturn));
void assert_cmp_fail(const char *what, long long a, long long b, const char *file,
                     int line, const char *func) __attribute__((noreturn));

#endif
