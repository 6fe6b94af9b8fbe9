/*
 * mem.c - the one place that calls malloc and friends.
 */
#include "common/mem.h"

#include "common/assert.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* malloc(0) may return NULL, which must not look like exhaustion. */
static size_t mem_size(size_t n, size_t size)
{
    size_t total;
    bool overflows = __builtin_mul_overflow(n, size, &total);
    ASSERT(!overflows);
    return total > 0 ? total : 1;
}

static void *mem_checked(void *ptr)
{
    bool out_of_memory = ptr == NULL;
    ASSERT(!out_of_memory);
    return ptr;
}

void *mem_zalloc(size_t size)
{
    return mem_checked(calloc(1, mem_size(1, size)));
}

void *mem_array(size_t n, size_t size)
{
    return mem_checked(malloc(mem_size(n, size)));
}

void *mem_resize(void *ptr, size_t n, size_t size)
{
    return mem_checked(realloc(ptr, mem_size(n, size)));
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    ASSERT(len < SIZE_MAX);
    char *copy = mem_array(len + 1, 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void mem_replace(char **slot, const char *text)
{
    /* Copied before the old text goes: |text| may be part of it. */
    char *copy = text != NULL && text[0] != '\0' ? mem_strdup(text) : NULL;
    free(*slot);
    *slot = copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}
