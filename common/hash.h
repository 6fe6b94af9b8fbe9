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

#define uthash_malloc(size) mem_array(1, (size))
#define uthash_free(ptr, size) mem_free(ptr)
#define uthash_fatal(message) assert_fail(message, __FILE__, __LINE__, __func__)
#include <uthash.h>
#include <utlist.h>

#endif
