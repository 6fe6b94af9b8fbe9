/*
 * mem.h - allocation that never fails: running out of memory aborts the process.
 *
 * A daemon with limits on every input and durable state restarts better than it
 * limps (design 12, row 14), so no caller checks for NULL.
 */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stddef.h>

/* Zeroed memory of |size| bytes; |size| may be 0. Free with mem_free(). */
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));

/* Room for |n| elements of |size| bytes, not zeroed; aborts if the product overflows.
 */
void *mem_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes |ptr| (may be NULL) to |n| elements of |size| bytes. */
void *mem_resize(void *ptr, size_t n, size_t size) __attribute__((returns_nonnull));

char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

/* Copies |len| bytes and adds a NUL. */
char *mem_strndup(const char *text, size_t len)
    __attribute__((malloc, returns_nonnull));

/*
 * mem_replace() frees |*slot| and puts a copy of |text| there. NULL or "" leaves
 * NULL: the form in which optional settings are kept.
 */
void mem_replace(char **slot, const char *text);

void mem_free(void *ptr); /* NULL is allowed */

#endif
