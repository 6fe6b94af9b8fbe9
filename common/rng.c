/*
 * rng.c - PCG32: a 64-bit linear congruential generator whose output is permuted
 * (XSH-RR) down to 32 bits. See M. O'Neill, "PCG: A Family of Simple Fast
 * Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014.
 */
#include "common/rng.h"

#include "common/assert.h"

#define RNG_MULTIPLIER 6364136223846793005ULL

void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream)
{
    /* The increment must be odd for the generator to have its full period. */
    rng->inc = stream << 1 | 1;
    rng->state = 0;
    (void)rng_next(rng);
    rng->state += seed;
    (void)rng_next(rng);
}

uint32_t rng_next(struct rng *rng)
{
    uint64_t old = rng->state;
    rng->state = old * RNG_MULTIPLIER + rng->inc;

    uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    ASSERT(n > 0);
    /* The lowest 2^32 mod n numbers would make some remainders likelier. */
    uint32_t skip = -n % n;
    uint32_t number;
    do
        number = rng_next(rng);
    while (number < skip);
    return number % n;
}

static uint64_t rng_next64(struct rng *rng)
{
    uint64_t high = rng_next(rng);
    return high << 32 | rng_next(rng);
}

int64_t rng_between(struct rng *rng, int64_t low, int64_t high)
{
    ASSERT_CMP(low, <=, high);
    uint64_t span = (uint64_t)high - (uint64_t)low; /* one less than the choices */
    uint64_t offset;

    if (span < UINT32_MAX) {
        offset = rng_below(rng, (uint32_t)span + 1);
    } else if (span == UINT64_MAX) {
        offset = rng_next64(rng);
    } else {
        uint64_t n = span + 1;
        uint64_t skip = -n % n;
        do
            offset = rng_next64(rng);
        while (offset < skip);
        offset %= n;
    }
    return (int64_t)((uint64_t)low + offset);
}

bool rng_chance(struct rng *rng, uint32_t numerator, uint32_t denominator)
{
    return rng_below(rng, denominator) < numerator;
}
