/*
 * runner.c - main() of every unit test binary.
 *
 * Each tests/unit/check_<module>.c defines make_suite(); the binary exits with 1 if a
 * test failed and prints one line a failure.
 */
#include "tests/lib/runner.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
