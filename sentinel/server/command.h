/*
 * command.h - which commands exist, and finding one by name.
 */
#ifndef SENTINEL_SERVER_COMMAND_H
#define SENTINEL_SERVER_COMMAND_H

#include "common/err.h"
#include "common/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_flag {
    CMD_ADMIN = 1 << 0,
    CMD_PUBSUB = 1 << 1,
    CMD_NOSCRIPT = 1 << 2,
    CMD_LOADING = 1 << 3,
    CMD_STALE = 1 << 4,
    CMD_FAST = 1 << 5,
    CMD_NO_AUTH = 1 << 6, /* runs before authentication */
    CMD_NO_MULTI = 1 << 7,
    CMD_ALLOW_BUSY = 1 << 8,
    CMD_SHOWN = (1 << 9) - 1, /* the flags above are shown by COMMAND INFO */

    CMD_HIDDEN = 1 << 9,      /* not listed by COMMAND */
    CMD_SUBSCRIBER = 1 << 10, /* a RESP2 subscriber may run it */
    CMD_UNMUTED = 1 << 11,    /* CLIENT REPLY does not silence it */
    CMD_WRITE = 1 << 12,      /* CLIENT PAUSE WRITE holds it back */
    CMD_CHANNEL = 1 << 13,    /* the first argument is a channel */
    CMD_CHANNELS = 1 << 14,   /* all arguments are channels */
    CMD_PATTERNS = 1 << 15,   /* all arguments are patterns of channels */
};

enum command_category {
    CAT_KEYSPACE = 1 << 0,
    CAT_READ = 1 << 1,
    CAT_WRITE = 1 << 2,
    CAT_SET = 1 << 3,
    CAT_SORTEDSET = 1 << 4,
    CAT_LIST = 1 << 5,
    CAT_HASH = 1 << 6,
    CAT_STRING = 1 << 7,
    CAT_BITMAP = 1 << 8,
    CAT_HYPERLOGLOG = 1 << 9,
    CAT_GEO = 1 << 10,
    CAT_STREAM = 1 << 11,
    CAT_PUBSUB = 1 << 12,
    CAT_ADMIN = 1 << 13,
    CAT_FAST = 1 << 14,
    CAT_SLOW = 1 << 15,
    CAT_BLOCKING = 1 << 16,
    CAT_DANGEROUS = 1 << 17,
    CAT_CONNECTION = 1 << 18,
    CAT_TRANSACTION = 1 << 19,
    CAT_SCRIPTING = 1 << 20,
    CAT_N = 21
};

struct session;

/* |argv| is valid until the function returns; argv[0] is the command word. */
typedef void command_fn(struct session *session, const struct resp_arg *argv,
                        size_t argc);

struct command {
    const char *name; /* full and lower case: "ping", "sentinel|masters" */
    int arity;        /* words with the command's own; negative: at least that many */
    uint32_t flags;
    uint32_t categories;
    command_fn *run;
    const struct command *subs; /* ends with a NULL name; NULL if not a container */
};

/* All top-level commands; ends with a NULL name. */
extern const struct command command_table[];

enum command_result { COMMAND_FOUND, COMMAND_UNKNOWN, COMMAND_UNKNOWN_SUB };

/* What rename-command has changed. A zeroed one: nothing. */
struct command_names {
    struct command_renamed *renamed; /* utlist */
    uint64_t moved; /* bit by command_id(): no longer called by its own name */
};

/* Does what `rename-command |from| |to|` says; |to| "" removes the command. Returns 0,
 * or ERR_UNKNOWN or ERR_DUPLICATE with stock's sentence. */
int command_rename(struct command_names *names, const char *from, const char *to,
                   struct error *err);
void command_names_release(struct command_names *names);
/* Can |command|, or its container, still be called? */
bool command_is_callable(const struct command_names *names,
                         const struct command *command);

/* Finds what |argv| names, down to the subcommand. COMMAND_UNKNOWN_SUB leaves the
 * container in |out|. A container named alone is found itself. */
enum command_result command_find(const struct command_names *names,
                                 const struct resp_arg *argv, size_t argc,
                                 const struct command **out);
/* The same for a full name such as "sentinel|masters", any case; NULL if unknown.
 * |names| may be NULL: no renaming. */
const struct command *command_by_name(const struct command_names *names,
                                      const char *name, size_t len);
/* Every command has a number below COMMANDS_MAX. */
#define COMMANDS_MAX 128
int command_id(const struct command *command);
const struct command *command_by_id(int id); /* NULL: no such number */
bool command_arity_ok(const struct command *command, size_t argc);
/* The word a subcommand is called by: "masters". */
const char *command_word(const struct command *command);
/* "keyspace" and so on, by bit number below CAT_N; the reverse gives -1 if unknown. */
const char *command_category_name(int bit);
int command_category_by_name(const char *name, size_t len);

#endif
