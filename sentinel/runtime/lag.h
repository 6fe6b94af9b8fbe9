/*
 * lag.h - how long the turns of the loop take: whatever happens meanwhile waits so
 * long.
 *
 * From the first callback of a turn to its end, when everything is written. Figures are
 * about the last half to whole minute.
 */
#ifndef SENTINEL_RUNTIME_LAG_H
#define SENTINEL_RUNTIME_LAG_H

#include <stdint.h>

/* Sixteen for each doubling, from microseconds to hours. */
#define LAG_STEP_BITS 4
#define LAG_BUCKETS 512

struct lag_window {
    uint64_t n;
    uint64_t max_us;
    uint32_t buckets[LAG_BUCKETS];
};

/* A zeroed one is ready. */
struct lag {
    uint64_t began_ns; /* the turn under way; 0: nothing has happened in it */
    uint64_t window_ns;
    struct lag_window now, before;
};

/* Something happens; the first call in a turn counts. */
void lag_begin(struct lag *lag);
void lag_end(struct lag *lag);
/* The same, with the clock passed in. */
void lag_add(struct lag *lag, uint64_t began_ns, uint64_t ended_ns);

/* |out|: the 99th percentile (at most a sixteenth too high) and the longest, in ms. */
void lag_figures(const struct lag *lag, double out[2]);

#endif
