/*
 * check_assert.c - a broken assertion stops the process and says enough to act on.
 */
#include "common/assert.h"
#include "tests/lib/death.h"
#include "tests/lib/runner.h"

#include <limits.h>
#include <string.h>

static void break_condition(void)
{
    int n_masters = 0;
    ASSERT(n_masters > 0);
}

static void break_comparison(void)
{
    long long used = -3;
    ASSERT_CMP(used, ==, LLONG_MAX);
}

START_TEST(true_conditions_do_nothing)
{
    int calls = 0;
    ASSERT(++calls == 1);
    ASSERT_CMP(calls, ==, 1);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(failure_names_condition_and_place)
{
    char said[1024];
    ck_assert(death_aborts(break_condition, said, sizeof said));
    ck_assert_ptr_nonnull(strstr(said, "n_masters > 0"));
    ck_assert_ptr_nonnull(strstr(said, "check_assert.c"));
    ck_assert_ptr_nonnull(strstr(said, "break_condition"));
}
END_TEST

START_TEST(failed_comparison_shows_both_values)
{
    char said[1024];
    ck_assert(death_aborts(break_comparison, said, sizeof said));
    ck_assert_ptr_nonnull(strstr(said, "(-3, 9223372036854775807)"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("assert");
    TCase *tc = tcase_create("assert");
    tcase_add_test(tc, true_conditions_do_nothing);
    tcase_add_test(tc, failure_names_condition_and_place);
    tcase_add_test(tc, failed_comparison_shows_both_values);
    suite_add_tcase(suite, tc);
    return suite;
}
