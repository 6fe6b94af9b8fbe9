/* runner.h - what a unit test file provides: its suite. */
#ifndef TESTS_LIB_RUNNER_H
#define TESTS_LIB_RUNNER_H

#include <check.h>

Suite *make_suite(void);

#endif
