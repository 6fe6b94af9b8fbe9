/*
 * check_lag.c - how long turns took: the figures of INFO.
 */
#include "sentinel/runtime/lag.h"
#include "tests/lib/runner.h"

#define US UINT64_C(1000)
#define S UINT64_C(1000000000)

static void add(struct lag *lag, uint64_t at_s, uint64_t took_us, int n)
{
    for (int i = 0; i < n; i++)
        lag_add(lag, at_s * S - took_us * US, at_s * S);
}

START_TEST(test_nothing_yet)
{
    struct lag lag = {0};
    double ms[2];

    lag_figures(&lag, ms);
    ck_assert_double_eq(ms[0], 0);
    ck_assert_double_eq(ms[1], 0);
}
END_TEST

START_TEST(test_one_in_a_hundred_does_not_count)
{
    struct lag lag = {0};
    double ms[2];

    add(&lag, 100, 200, 990);
    add(&lag, 101, 50000, 10);
    lag_figures(&lag, ms);
    ck_assert_double_ge(ms[0], 0.2);
    ck_assert_double_le(ms[0], 0.25);
    ck_assert_double_eq(ms[1], 50);
    add(&lag, 102, 50000, 5);
    lag_figures(&lag, ms);
    ck_assert_double_eq(ms[0], 50);
}
END_TEST

/* Each size is reported as itself or a little more, never less. */
START_TEST(test_all_sizes)
{
    for (uint64_t us = 0; us < 100000000; us += 1 + us / 7) {
        struct lag lag = {0};
        double ms[2];

        add(&lag, 1000, us, 10);
        lag_add(&lag, 0, 2000 * S); /* so that the maximum says nothing */
        add(&lag, 2000, us, 1000);
        lag_figures(&lag, ms);
        ck_assert_double_ge(ms[0], (double)us / 1000);
        ck_assert_double_le(ms[0], (double)us / 1000 * 1.0626);
    }
}
END_TEST

START_TEST(test_old_turns_are_forgotten)
{
    struct lag lag = {0};
    double ms[2];

    add(&lag, 100, 70000, 10);
    add(&lag, 131, 10, 10);
    lag_figures(&lag, ms);
    ck_assert_double_eq(ms[1], 70);
    add(&lag, 162, 10, 10);
    lag_figures(&lag, ms);
    ck_assert_double_eq(ms[1], 0.01);
    add(&lag, 163, 70000, 10);
    add(&lag, 900, 10, 10); /* after a long pause, too */
    lag_figures(&lag, ms);
    ck_assert_double_eq(ms[1], 0.01);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("lag");
    TCase *tcase = tcase_create("lag");

    tcase_add_test(tcase, test_nothing_yet);
    tcase_add_test(tcase, test_one_in_a_hundred_does_not_count);
    tcase_add_test(tcase, test_all_sizes);
    tcase_add_test(tcase, test_old_turns_are_forgotten);
    suite_add_tcase(suite, tcase);
    return suite;
}
