/*
 * proctitle.c - what `ps` shows instead of the command line.
 */
#include "sentinel/runtime/proctitle.h"

#include "common/mem.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static struct {
    char *start; /* NULL: there is no room */
    size_t cap;
    char **environment; /* the copy; environ points to it until somebody changes it */
} proctitle;

/* The end of |word| if it begins where the last one ended, else |end|. */
static char *proctitle_extend(char *end, char *word)
{
    return word == end ? word + strlen(word) + 1 : end;
}

static void proctitle_move_environment(void)
{
    size_t n = 0;
    while (environ[n] != NULL)
        n++;
    proctitle.environment = mem_array(n + 1, sizeof *proctitle.environment);
    for (size_t i = 0; i < n; i++)
        proctitle.environment[i] = mem_strdup(environ[i]);
    proctitle.environment[n] = NULL;
    environ = proctitle.environment;
}

void proctitle_init(int argc, char **argv)
{
    if (argc < 1 || argv[0] == NULL || proctitle.start != NULL)
        return;
    char *end = argv[0];
    for (int i = 0; i < argc; i++)
        end = proctitle_extend(end, argv[i]);
    for (char **word = environ; *word != NULL; word++)
        end = proctitle_extend(end, *word);
    proctitle.start = argv[0];
    proctitle.cap = (size_t)(end - argv[0]);

    proctitle_move_environment();
    for (int i = 0; i < argc; i++)
        argv[i] = mem_strdup(argv[i]);
    /* The C library names us by these, in messages of assertions among others. */
    char *slash = strrchr(argv[0], '/');
    program_invocation_name = argv[0];
    program_invocation_short_name = slash != NULL ? slash + 1 : argv[0];
}

void proctitle_set(const char *title)
{
    size_t len = strlen(title);
    if (proctitle.start == NULL)
        return;
    if (len > proctitle.cap - 1)
        len = proctitle.cap - 1;
    memset(proctitle.start, 0, proctitle.cap);
    memcpy(proctitle.start, title, len);
}
