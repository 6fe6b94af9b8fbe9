/*
 * lag.c - how long the turns of the loop take.
 */
#include "sentinel/runtime/lag.h"

#include <uv.h>

#define LAG_WINDOW_NS UINT64_C(30000000000)
#define LAG_STEPS (1 << LAG_STEP_BITS) /* buckets per doubling */

/* The last value that belongs to |bucket|. */
static uint64_t lag_limit_us(int bucket)
{
    if (bucket < LAG_STEPS)
        return (uint64_t)bucket;
    int shift = bucket / LAG_STEPS - 1;
    return ((uint64_t)(LAG_STEPS + bucket % LAG_STEPS + 1) << shift) - 1;
}

static int lag_bucket(uint64_t us)
{
    if (us < LAG_STEPS)
        return (int)us;
    int shift = 63 - __builtin_clzll(us) - LAG_STEP_BITS;
    int bucket = (shift + 1) * LAG_STEPS + (int)(us >> shift) - LAG_STEPS;
    return bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1;
}

void lag_add(struct lag *lag, uint64_t began_ns, uint64_t ended_ns)
{
    uint64_t us = (ended_ns - began_ns) / 1000;

    if (ended_ns - lag->window_ns >= LAG_WINDOW_NS) {
        /* What came before a pause longer than a window is old news. */
        lag->before = ended_ns - lag->window_ns < 2 * LAG_WINDOW_NS
                          ? lag->now
                          : (struct lag_window){0};
        lag->now = (struct lag_window){0};
        lag->window_ns = ended_ns;
    }
    lag->now.n++;
    lag->now.buckets[lag_bucket(us)]++;
    if (us > lag->now.max_us)
        lag->now.max_us = us;
}

void lag_begin(struct lag *lag)
{
    if (lag->began_ns == 0)
        lag->began_ns = uv_hrtime();
}

void lag_end(struct lag *lag)
{
    if (lag->began_ns != 0)
        lag_add(lag, lag->began_ns, uv_hrtime());
    lag->began_ns = 0;
}

void lag_figures(const struct lag *lag, double out[2])
{
    uint64_t n = lag->now.n + lag->before.n, n_above = 0;
    uint64_t max_us =
        lag->now.max_us > lag->before.max_us ? lag->now.max_us : lag->before.max_us;
    int bucket = LAG_BUCKETS - 1;

    for (; bucket > 0; bucket--) {
        n_above += (uint64_t)lag->now.buckets[bucket] + lag->before.buckets[bucket];
        if (n_above > n / 100)
            break;
    }
    uint64_t p99_us = lag_limit_us(bucket);
    out[0] = (double)(p99_us < max_us ? p99_us : max_us) / 1000;
    out[1] = (double)max_us / 1000;
}
