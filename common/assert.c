/*
 * assert.c - the last words of a process that found a mistake of ours.
 *
 * The message goes through glibc's __assert_fail() because the pure core must not
 * link against streams of its own.
 */
#include "common/assert.h"

/* The declaration disappears under NDEBUG, and our assertions never do. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

void assert_fail(const char *what, const char *file, int line, const char *func)
{
    __assert_fail(what, file, (unsigned int)line, func);
}

void assert_cmp_fail(const char *what, long long a, long long b, const char *file,
                     int line, const char *func)
{
    char text[512];
    snprintf(text, sizeof text, "%s (%lld, %lld)", what, a, b);
    assert_fail(text, file, line, func);
}
