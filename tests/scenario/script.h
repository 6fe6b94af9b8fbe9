/*
 * script.h - a scenario file as blocks: commands, a line `----`, what is then told.
 */
#ifndef TESTS_SCENARIO_SCRIPT_H
#define TESTS_SCENARIO_SCRIPT_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct block {
    int line;            /* of the first command, from 1 */
    struct buf text;     /* the commands and comments as written, up to ---- */
    struct buf expected; /* what follows, without the blank line at its end */
};

struct script {
    struct block *blocks;
    size_t n;
    struct buf tail; /* comments behind the last block */
};

/* Reads |path|. False: it cannot be read. */
bool script_read(struct script *script, const char *path);
void script_release(struct script *script);
/* Writes it back, with |expected| as it now is. */
bool script_write(const struct script *script, const char *path);

/* Prints where |got| differs from |expected|. */
void script_print_difference(const char *path, const struct block *block,
                             const struct buf *got);

#endif
