/*
 * arena.h - memory freed all at once: the actions of one step, the values of one reply.
 *
 * Memory is aligned for any type and stays valid until arena_reset() or
 * arena_release(). A zeroed struct arena is a valid empty one.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes used in the newest block */
};

void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_vprintf(struct arena *arena, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *arena); /* keeps at most one block for reuse */
void arena_release(struct arena *arena);

#endif
