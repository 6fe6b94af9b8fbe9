/*
 * proctitle.h - what `ps` shows instead of the command line.
 */
#ifndef SENTINEL_RUNTIME_PROCTITLE_H
#define SENTINEL_RUNTIME_PROCTITLE_H

/*
 * proctitle_init() sets the memory of the arguments and the environment aside for
 * titles, as there is no other that the kernel would show; both are copied first, and
 * |argv| points to the copies. Once, before there are threads and before anybody keeps
 * what getenv() returns.
 */
void proctitle_init(int argc, char **argv);

/* Shows |title|, or as much of it as there is room for. */
void proctitle_set(const char *title);

#endif
