/*
 * arena.c - memory freed all at once.
 */
#include "common/arena.h"

#include "common/assert.h"
#include "common/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BLOCK_MIN 4096
/* Where doubling ends; also the largest block that arena_reset() keeps. */
#define ARENA_BLOCK_MAX ((size_t)256 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes[] */
    _Alignas(max_align_t) char bytes[];
};

static size_t arena_round(size_t size)
{
    size_t mask = _Alignof(max_align_t) - 1;
    ASSERT(size < SIZE_MAX / 4);
    return (size + mask) & ~mask;
}

static size_t arena_room(const struct arena *arena)
{
    return arena->blocks != NULL ? arena->blocks->size - arena->used : 0;
}

/* Makes a new block that holds at least |size| bytes the newest one. */
static void arena_grow(struct arena *arena, size_t size)
{
    size_t block_size =
        arena->blocks != NULL ? arena->blocks->size * 2 : ARENA_BLOCK_MIN;
    if (block_size > ARENA_BLOCK_MAX)
        block_size = ARENA_BLOCK_MAX;
    if (block_size < size)
        block_size = size;

    struct arena_block *block = mem_array(sizeof *block + block_size, 1);
    block->next = arena->blocks;
    block->size = block_size;
    arena->blocks = block;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = arena_round(size);
    if (arena->blocks == NULL || size > arena_room(arena))
        arena_grow(arena, size);
    char *ptr = arena->blocks->bytes + arena->used;
    arena->used += size;
    ASSERT_CMP(arena->used, <=, arena->blocks->size);
    return ptr;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(struct arena *arena, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);

    /* Most texts fit the block at hand: formatted in place, once. */
    size_t room = arena_room(arena);
    char *text = room > 0 ? arena->blocks->bytes + arena->used : NULL;
    int n = vsnprintf(text, room, format, ap);
    ASSERT(n >= 0);
    size_t len = (size_t)n;
    text = arena_alloc(arena, len + 1);
    if (len >= room)
        vsnprintf(text, len + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text = arena_vprintf(arena, format, ap);
    va_end(ap);
    return text;
}

/* Frees all blocks but |keep|, which may be NULL. */
static void arena_free_blocks(struct arena *arena, struct arena_block *keep)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        if (block != keep)
            mem_free(block);
        block = next;
    }
    if (keep != NULL)
        keep->next = NULL;
    arena->blocks = keep;
    arena->used = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = NULL;
#ifndef __SANITIZE_ADDRESS__
    /* Under the sanitizer everything goes, so that late uses are seen. */
    for (struct arena_block *block = arena->blocks; block != NULL; block = block->next)
        if (block->size <= ARENA_BLOCK_MAX &&
            (keep == NULL || block->size > keep->size))
            keep = block;
#endif
    arena_free_blocks(arena, keep);
}

void arena_release(struct arena *arena)
{
    arena_free_blocks(arena, NULL);
}
