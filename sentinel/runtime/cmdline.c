/*
 * cmdline.c - the command line.
 */
#include "sentinel/runtime/cmdline.h"

#include "common/args.h"
#include "common/mem.h"
#include "sentinel/runtime/version.h"
#include "sentinel/server/server.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The path as it stays valid when `dir` changes the working directory. */
static char *cmdline_absolute(const char *path)
{
    char cwd[4096];
    struct buf whole = {0};

    if (path[0] == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return mem_strdup(path);
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (path[0] == '/')
            path++;
    }
    buf_printf(&whole, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path);
    char *result = mem_strdup(buf_text(&whole));
    buf_release(&whole);
    return result;
}

static bool cmdline_is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

/*
 * Options become lines `name "value" "value"`. A word that starts with "--" is a new
 * option unless the last one was bare and still lacks its value; "--sentinel" alone
 * only names the mode we are in and never takes one of those.
 */
static void cmdline_add_options(struct buf *out, int argc, char *const *argv)
{
    bool lacks_value = false;

    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (cmdline_is_option(word) && !lacks_value) {
            if (out->len > 0)
                buf_putc(out, '\n');
            buf_puts(out, word + 2);
            /* "--port 26380" in one word brings its value along. */
            lacks_value = strpbrk(word + 2, " \t") == NULL &&
                          !(strcmp(word, "--sentinel") == 0 && i + 1 < argc &&
                            cmdline_is_option(argv[i + 1]));
        } else {
            if (out->len > 0)
                buf_putc(out, ' ');
            args_quote_always(out, word, strlen(word));
            lacks_value = false;
        }
    }
    if (out->len > 0)
        buf_putc(out, '\n');
}

static bool cmdline_special(struct cmdline *cmdline, int argc, char *const *argv)
{
    if (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0) {
        cmdline->mode = CMDLINE_VERSION;
        return true;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        cmdline->mode = CMDLINE_HELP;
        return true;
    }
    if (strcmp(argv[1], "--check-config") == 0) {
        cmdline->mode = argc == 3 ? CMDLINE_CHECK : CMDLINE_HELP;
        if (argc == 3)
            cmdline->conf_path = cmdline_absolute(argv[2]);
        return true;
    }
    return false;
}

void cmdline_parse(struct cmdline *cmdline, int argc, char *const *argv)
{
    memset(cmdline, 0, sizeof *cmdline);
    if (argc < 2 || cmdline_special(cmdline, argc, argv))
        return;

    int first = 1;
    if (argv[1][0] != '-')
        cmdline->conf_path = cmdline_absolute(argv[first++]);
    if (first < argc && strcmp(argv[first], "-") == 0) {
        cmdline->reads_stdin = true;
        first++;
    }
    if (first < argc && strcmp(argv[argc - 1], "-") == 0) {
        cmdline->reads_stdin = true;
        argc--;
    }
    cmdline_add_options(&cmdline->options, argc - first, argv + first);
}

void cmdline_release(struct cmdline *cmdline)
{
    mem_free(cmdline->conf_path);
    buf_release(&cmdline->options);
}

/* Some number that differs between versions; a date would make builds differ. */
static uint64_t cmdline_build_id(void)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = "redis-sentinel " SENTINEL_VERSION; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    return hash;
}

void cmdline_print_version(void)
{
    printf("Redis server v=%s sha=00000000:0 malloc=libc bits=%d build=%" PRIx64 "\n",
           SERVER_COMPAT_VERSION, (int)sizeof(void *) * 8, cmdline_build_id());
}

void cmdline_print_help(const char *program)
{
    fprintf(stderr,
            "redis-sentinel %s\n"
            "Usage: %s /path/to/sentinel.conf [--option value ...] [-]\n"
            "       %s --check-config /path/to/sentinel.conf\n"
            "       %s -v or --version\n"
            "       %s -h or --help\n"
            "\n"
            "Options are directives of the file and override it; - reads more of them "
            "from\nstandard input. All of them are saved into the file.\n"
            "\n"
            "--check-config names what would end a start with this file, for the user "
            "who asks:\nwrong lines, and files and folders that cannot be used. It "
            "changes nothing.\n"
            "\n"
            "Examples:\n"
            "       %s /etc/redis/sentinel.conf\n"
            "       %s /etc/redis/sentinel.conf --port 26380 --loglevel verbose\n"
            "       %s /etc/redis/sentinel.conf --sentinel monitor mymaster 127.0.0.1 "
            "6379 2\n",
            SENTINEL_VERSION, program, program, program, program, program, program,
            program);
}
