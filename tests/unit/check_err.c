/*
 * check_err.c - codes and the sentences that go with them.
 */
#include "common/err.h"
#include "tests/lib/runner.h"

#include <string.h>

START_TEST(every_code_has_its_text)
{
    ck_assert_str_eq(err_text(ERR_OK), "no error");
    ck_assert_str_eq(err_text(ERR_MORE), "more input is needed");
    ck_assert_str_ne(err_text(12345), "");
#define ERR_X(name, text)                                                              \
    ck_assert_int_lt(name, 0);                                                         \
    ck_assert_str_eq(err_text(name), text);
    ERR_MAP(ERR_X)
#undef ERR_X
}
END_TEST

START_TEST(set_returns_the_code)
{
    struct error err = {""};
    ck_assert_int_eq(error_set(&err, ERR_RANGE, "port %d", 70000), ERR_RANGE);
    ck_assert_str_eq(err.text, "port 70000");
    ck_assert_int_eq(error_set(NULL, ERR_IO, "nobody asked"), ERR_IO);
}
END_TEST

START_TEST(context_can_be_added_in_place)
{
    struct error err;
    error_set(&err, ERR_SYNTAX, "bad number");
    error_set(&err, ERR_SYNTAX, "line %d: %s", 7, err.text);
    ck_assert_str_eq(err.text, "line 7: bad number");
}
END_TEST

START_TEST(long_text_is_cut)
{
    struct error err;
    error_set(&err, ERR_IO, "%600d", 1);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *tc = tcase_create("err");
    tcase_add_test(tc, every_code_has_its_text);
    tcase_add_test(tc, set_returns_the_code);
    tcase_add_test(tc, context_can_be_added_in_place);
    tcase_add_test(tc, long_text_is_cut);
    suite_add_tcase(suite, tc);
    return suite;
}
