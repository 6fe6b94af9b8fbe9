/*
 * clock.c - what time it is.
 */
#include "sentinel/runtime/clock.h"

#include <time.h>
#include <uv.h>

void clock_read(struct clock *clock)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock->now = (int64_t)(uv_hrtime() / 1000000);
    clock->wall = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}
