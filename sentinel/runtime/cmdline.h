/*
 * cmdline.h - the command line (interface.md 7).
 */
#ifndef SENTINEL_RUNTIME_CMDLINE_H
#define SENTINEL_RUNTIME_CMDLINE_H

#include "common/buf.h"

#include <stdbool.h>

enum cmdline_mode {
    CMDLINE_RUN,
    CMDLINE_VERSION,
    CMDLINE_HELP,
    CMDLINE_CHECK, /* --check-config FILE */
};

struct cmdline {
    enum cmdline_mode mode;
    char *conf_path;    /* absolute; NULL if there is none */
    struct buf options; /* the `--option value...` words as configuration lines */
    bool reads_stdin;
};

/* Release it with cmdline_release(). */
void cmdline_parse(struct cmdline *cmdline, int argc, char *const *argv);
void cmdline_release(struct cmdline *cmdline);

/* The two texts for people. */
void cmdline_print_version(void);
void cmdline_print_help(const char *program);

#endif
