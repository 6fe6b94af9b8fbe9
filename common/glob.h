/*
 * glob.h - Redis patterns: * ? [abc] [^a] [a-z] and backslash escapes.
 */
#ifndef COMMON_GLOB_H
#define COMMON_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Work is bounded by pattern length times text length, whatever the pattern. */
bool glob_match(const char *pattern, size_t pattern_len, const char *text,
                size_t text_len, bool ignore_case);

#endif
