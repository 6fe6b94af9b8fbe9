/*
 * check_rng.c - same seed, same numbers; no bias.
 */
#include "common/rng.h"
#include "tests/lib/runner.h"

#include <stdint.h>

/* The first numbers the authors of PCG32 publish for seed 42 and stream 54. */
START_TEST(known_numbers)
{
    static const uint32_t expected[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330,
                                        0x83d2f293, 0xbfa4784b, 0xcbed606e};
    struct rng rng;
    rng_seed(&rng, 42, 54);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_uint_eq(rng_next(&rng), expected[i]);
}
END_TEST

START_TEST(streams_differ)
{
    struct rng a;
    struct rng b;
    int n_equal = 0;
    rng_seed(&a, 1, 1);
    rng_seed(&b, 1, 2);
    for (int i = 0; i < 1000; i++)
        n_equal += rng_next(&a) == rng_next(&b);
    ck_assert_int_lt(n_equal, 3);
}
END_TEST

START_TEST(below_is_even)
{
    int counts[7] = {0};
    struct rng rng;
    rng_seed(&rng, 5, 0);
    for (int i = 0; i < 70000; i++) {
        uint32_t n = rng_below(&rng, 7);
        ck_assert_uint_lt(n, 7);
        counts[n]++;
    }
    for (int i = 0; i < 7; i++) {
        ck_assert_int_gt(counts[i], 9500);
        ck_assert_int_lt(counts[i], 10500);
    }
    ck_assert_uint_eq(rng_below(&rng, 1), 0);
}
END_TEST

/* With 3 * 2^30 values a plain remainder would give the lowest third twice the share.
 */
START_TEST(below_has_no_bias_for_large_ranges)
{
    struct rng rng;
    int n_low = 0;
    rng_seed(&rng, 6, 0);
    for (int i = 0; i < 30000; i++)
        n_low += rng_below(&rng, 3U << 30) < 1U << 30;
    ck_assert_int_gt(n_low, 9500);
    ck_assert_int_lt(n_low, 10500);
}
END_TEST

START_TEST(between_stays_in_range)
{
    static const int64_t ranges[][2] = {
        {0, 0},
        {-3, 3},
        {INT64_MIN, INT64_MIN},
        {INT64_MAX - 1, INT64_MAX},
        {0, (int64_t)UINT32_MAX - 1},
        {0, UINT32_MAX},
        {-1, (int64_t)UINT32_MAX + 1},
        {INT64_MIN, INT64_MAX},
        {INT64_MIN, 0},
    };
    struct rng rng;
    rng_seed(&rng, 7, 0);
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
        for (int i = 0; i < 1000; i++) {
            int64_t n = rng_between(&rng, ranges[r][0], ranges[r][1]);
            ck_assert_int_ge(n, ranges[r][0]);
            ck_assert_int_le(n, ranges[r][1]);
        }
    }
}
END_TEST

START_TEST(between_reaches_both_ends)
{
    struct rng rng;
    bool low = false;
    bool high = false;
    rng_seed(&rng, 8, 0);
    for (int i = 0; i < 200; i++) {
        int64_t n = rng_between(&rng, -2, 2);
        low = low || n == -2;
        high = high || n == 2;
    }
    ck_assert(low && high);
}
END_TEST

START_TEST(chance)
{
    struct rng rng;
    int n_true = 0;
    rng_seed(&rng, 9, 0);
    for (int i = 0; i < 10000; i++) {
        n_true += rng_chance(&rng, 1, 4);
        ck_assert(!rng_chance(&rng, 0, 4));
        ck_assert(rng_chance(&rng, 4, 4));
    }
    ck_assert_int_gt(n_true, 2300);
    ck_assert_int_lt(n_true, 2700);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("rng");
    TCase *tc = tcase_create("rng");
    tcase_add_test(tc, known_numbers);
    tcase_add_test(tc, streams_differ);
    tcase_add_test(tc, below_is_even);
    tcase_add_test(tc, below_has_no_bias_for_large_ranges);
    tcase_add_test(tc, between_stays_in_range);
    tcase_add_test(tc, between_reaches_both_ends);
    tcase_add_test(tc, chance);
    suite_add_tcase(suite, tc);
    return suite;
}
