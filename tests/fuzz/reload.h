/*
 * reload.h - what a core is saved as must bring it back: for the ends of fuzz runs.
 */
#ifndef TESTS_FUZZ_RELOAD_H
#define TESTS_FUZZ_RELOAD_H

#include "common/buf.h"
#include "sentinel/core/core.h"

/*
 * reload_check_text() loads |text|, which conf_render() made of |core|, into a second
 * core. Aborts if it does not load, if masters, replicas, sentinels or epochs are not
 * the same, or if rendering the second core gives another text. Passes over a core with
 * names that were never resolved and must not be any more.
 */
void reload_check_text(const struct core *core, const struct buf *text);
/* The same for a core that was configured without a file. */
void reload_check(const struct core *core);

#endif
