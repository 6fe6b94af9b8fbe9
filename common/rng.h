/*
 * rng.h - PCG32, the only source of chance in the core and the simulator.
 *
 * Same seed, same numbers, on every compiler. Integers only. Not for secrets.
 */
#ifndef COMMON_RNG_H
#define COMMON_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state, inc;
};

/* |stream| separates independent uses of one seed. */
void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream);
uint32_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n); /* 0..n-1 without bias; n > 0 */
int64_t rng_between(struct rng *rng, int64_t low, int64_t high); /* both included */
bool rng_chance(struct rng *rng, uint32_t numerator, uint32_t denominator);

#endif
