/* death.h - for tests of what must end the process. */
#ifndef TESTS_LIB_DEATH_H
#define TESTS_LIB_DEATH_H

#include <stdbool.h>
#include <stddef.h>

/* Calls |act| in a child process. True if that died of SIGABRT; |out| then holds what
 * it said on standard error, cut to |cap|. Works with CK_FORK=no, too. */
bool death_aborts(void (*act)(void), char *out, size_t cap);

#endif
