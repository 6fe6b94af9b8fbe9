/*
 * clock.h - what time it is, in the two kinds the core knows.
 */
#ifndef SENTINEL_RUNTIME_CLOCK_H
#define SENTINEL_RUNTIME_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t now;  /* monotonic, ms */
    int64_t wall; /* Unix time, ms */
};

/* Reads the clocks themselves, not the time the loop has cached: after SIGCONT the
 * first event must carry the new time. */
void clock_read(struct clock *clock);

#endif
