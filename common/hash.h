/*
 * hash.h - the packaged uthash and utlist, with memory that ends the process when it
 * runs out, as everywhere (mem.h). Include this instead of <uthash.h>.
 *
 * uthash iterates in insertion order, which keeps runs repeatable and listings stable.
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include "common/assert.h"
#include "common/mem.h"

#include <stdint.h>
#include <string.h>

#define uthash_malloc(size) mem_array(1, (size))
#define uthash_free(ptr, size) mem_free(ptr)
#define uthash_fatal(message) assert_fail(message, __FILE__, __LINE__, __func__)
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_bytes((key), (len)))

/* Eight bytes at a time: run ids are hashed by the thousand. */
static inline unsigned hash_bytes(const void *key, size_t len)
{
    const char *at = key;
    uint64_t hash = len, word;

    for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < len; i++)
        word = word << 8 | (unsigned char)at[i];
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(hash >> 32);
}

#include <uthash.h>
#include <utlist.h>

#endif
