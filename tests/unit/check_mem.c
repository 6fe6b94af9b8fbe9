/*
 * check_mem.c - allocation that never returns NULL.
 */
#include "common/mem.h"
#include "tests/lib/death.h"
#include "tests/lib/runner.h"

#include <stdint.h>
#include <string.h>

static volatile size_t huge = SIZE_MAX / 4;

START_TEST(zalloc_is_zeroed)
{
    static const char zeroes[300];
    char *p = mem_zalloc(sizeof zeroes);
    ck_assert_mem_eq(p, zeroes, sizeof zeroes);
    mem_free(p);
}
END_TEST

START_TEST(nothing_is_not_null)
{
    void *none = mem_zalloc(0);
    void *array = mem_array(0, 8);
    void *resized = mem_resize(NULL, 0, 8);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_nonnull(array);
    ck_assert_ptr_nonnull(resized);
    mem_free(none);
    mem_free(array);
    mem_free(resized);
    mem_free(NULL);
}
END_TEST

START_TEST(resize_keeps_contents)
{
    int *p = mem_resize(NULL, 2, sizeof *p);
    p[0] = 11;
    p[1] = 22;
    p = mem_resize(p, 1000, sizeof *p);
    ck_assert_int_eq(p[0], 11);
    ck_assert_int_eq(p[1], 22);
    mem_free(p);
}
END_TEST

START_TEST(strndup_takes_any_bytes)
{
    char *p = mem_strndup("a\0b!", 3);
    ck_assert_mem_eq(p, "a\0b\0", 4);
    mem_free(p);
    p = mem_strndup("", 0);
    ck_assert_str_eq(p, "");
    mem_free(p);
}
END_TEST

START_TEST(replace_keeps_null_for_nothing)
{
    char *setting = NULL;
    mem_replace(&setting, "secret");
    ck_assert_str_eq(setting, "secret");
    mem_replace(&setting, setting + 2); /* part of itself */
    ck_assert_str_eq(setting, "cret");
    mem_replace(&setting, "");
    ck_assert_ptr_null(setting);
    mem_replace(&setting, "again");
    mem_replace(&setting, NULL);
    ck_assert_ptr_null(setting);
}
END_TEST

/* The product is small again after the overflow, so malloc() alone would succeed. */
static void overflow_array(void)
{
    mem_free(mem_array(huge + 1, 4));
}

static void overflow_resize(void)
{
    mem_free(mem_resize(NULL, huge + 2, 4));
}

START_TEST(overflow_aborts)
{
    char said[1024];
    ck_assert(death_aborts(overflow_array, said, sizeof said));
    ck_assert_ptr_nonnull(strstr(said, "overflows"));
    ck_assert(death_aborts(overflow_resize, said, sizeof said));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("mem");
    TCase *tc = tcase_create("mem");
    tcase_add_test(tc, zalloc_is_zeroed);
    tcase_add_test(tc, nothing_is_not_null);
    tcase_add_test(tc, resize_keeps_contents);
    tcase_add_test(tc, strndup_takes_any_bytes);
    tcase_add_test(tc, replace_keeps_null_for_nothing);
    tcase_add_test(tc, overflow_aborts);
    suite_add_tcase(suite, tc);
    return suite;
}
