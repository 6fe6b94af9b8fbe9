/*
 * internal.h - what the files of conf/ share.
 *
 * A file goes reader.c (lines) -> conf.c (words, includes) -> directive.c (generic
 * directives, into options) or statement.c (the queue of `sentinel` lines, later into
 * the core). doc.c remembers the lines of the main file, render.c edits them.
 */
#ifndef SENTINEL_CONF_INTERNAL_H
#define SENTINEL_CONF_INTERNAL_H

#include "common/arena.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/state.h" /* and uthash, with our allocator */

#define CONF_LINE_MAX ((1u << 20) - 16) /* bytes of one line; more is an error */
#define CONF_DEPTH_MAX 16               /* includes within includes */
#define CONF_FILES_MAX 4096             /* included files, all in all */
#define CONF_ERRORS_MAX 1000            /* told to conf_on_error() */

/* Where a line came from. Only lines of the main file are ever rewritten. */
enum conf_source { SOURCE_INCLUDE, SOURCE_MAIN, SOURCE_TEXT };

/* ------------------------------------------------------------------- error.c ---- */

/* Fills |error| (may be NULL) and returns |code|. |text| of |len| bytes is the trimmed
 * line; NULL if the fault is not in a line. */
int error_at(struct conf_error *error, int code, int line, const char *text, size_t len,
             const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A file that cannot be read; the reason is a log line. */
int error_file(struct conf_error *error, const char *path, const char *why);

/* ------------------------------------------------------------------ reader.c ---- */

/* Called for each directive: |text| of |len| bytes is the trimmed line as it stands in
 * the file, |words| is its name and its value with one blank between. Returns 0, or a
 * negative code with |error| filled in, which ends the reading. */
typedef int (*reader_fn)(void *ctx, int line, const char *text, size_t len,
                         const struct buf *words, struct conf_error *error);

/* Hands every directive in |bytes| to |fn|. Lines are counted from |first_line| on. */
int reader_parse(const char *bytes, size_t len, int first_line, reader_fn fn, void *ctx,
                 struct conf_error *error);

/* Is |c| one of the bytes that stock trims from both ends of a line? */
bool reader_is_blank(char c);

/* ------------------------------------------------------------- sentinel lines ---- */

/* In the order in which new lines are written. */
enum sline_kind {
    SLINE_MYID,
    SLINE_DENY_SCRIPTS,
    SLINE_RESOLVE_HOSTNAMES,
    SLINE_ANNOUNCE_HOSTNAMES,
    SLINE_VOTE_FOR_UNKNOWN,
    SLINE_MONITOR,
    SLINE_DECLARED, /* state file: the monitor line that was declared then */
    SLINE_REMOVED,  /* state file: the same, of a master that was removed since */
    SLINE_DOWN_AFTER,
    SLINE_FAILOVER_TIMEOUT,
    SLINE_PARALLEL_SYNCS,
    SLINE_NOTIFICATION_SCRIPT,
    SLINE_RECONFIG_SCRIPT,
    SLINE_AUTH_PASS,
    SLINE_AUTH_USER,
    SLINE_REBOOT_DOWN_AFTER,
    SLINE_FORGET_REPLICA,
    SLINE_TLS,
    SLINE_CONFIG_EPOCH,
    SLINE_LEADER_EPOCH,
    SLINE_KNOWN_REPLICA,
    SLINE_KNOWN_SENTINEL,
    SLINE_RENAME_COMMAND,
    SLINE_CURRENT_EPOCH,
    SLINE_ANNOUNCE_IP,
    SLINE_ANNOUNCE_PORT,
    SLINE_SENTINEL_USER,
    SLINE_SENTINEL_PASS,
    SLINE_TLS_VERIFY_HOSTNAME,
    SLINE_GOSSIP_SECRET,
    SLINE_GOSSIP_SECRET_ALSO,
    SLINE_GOSSIP_AUTH,
    SLINE_KNOWN_SIGNER,
    SLINE_STATE_DIR, /* never written */
    SLINE_N
};

/* How the words behind the directive (and the master's name) are read. */
enum sline_type {
    SLINE_TYPE_OTHER,  /* an own function */
    SLINE_TYPE_TIME,   /* ms, > 0 */
    SLINE_TYPE_NUMBER, /* as atoi() reads it */
    SLINE_TYPE_EPOCH,
    SLINE_TYPE_TEXT,
    SLINE_TYPE_SCRIPT, /* an executable file */
    SLINE_TYPE_YESNO
};

struct sline_rule {
    const char *name;
    enum sline_kind kind;
    enum sline_type type;
    enum core_option option;
    uint8_t pass;    /* 1, 2 or 3 */
    uint8_t n_words; /* after `sentinel <name>` */
    bool has_master; /* the first of them is a master's name */
};

/* Is it a setting, as opposed to a record of what the sentinel learnt? */
bool sline_is_setting(enum sline_kind kind);
/* The rule for a word behind `sentinel`, in any case; NULL if there is none. */
const struct sline_rule *sline_rule_by_name(const char *name);
/* The rule whose name is written for |kind|. */
const struct sline_rule *sline_rule_by_kind(enum sline_kind kind);

/* Numbers as atoi() reads them (trailing junk ignored, "abc" is 0), without overflow:
 * the result is within +-SLINE_NUMBER_MAX. */
int64_t sline_number(const char *text);
int64_t
sline_epoch(const char *text); /* anything greater is INT64_MAX; negative is 0 */
#define SLINE_NUMBER_MAX 1000000000000000

/* One `sentinel` line read and not applied yet. */
struct statement {
    const struct sline_rule *rule; /* NULL: not a known statement */
    enum conf_source source;
    const char *file; /* "" if it is in none; of conf->strings */
    int line;
    char *text; /* trimmed, for messages */
    size_t text_len;
    struct args args;   /* `sentinel` is words[0] */
    bool is_wrong;      /* too many words, or too few */
    bool is_overridden; /* by a line of the main file; set while applying */
    struct statement *next;
};

/* -------------------------------------------------------------------- doc.c ---- */

/* One line of the main file, as it will be written. */
struct doc_line {
    struct doc_line *prev, *next;
    char *text; /* without line end */
    size_t len;
    bool is_blank;

    /* of a `sentinel` line that render.c owns; else key is NULL */
    bool is_old_name;            /* spelled known-slave */
    bool is_taken;               /* while its block is brought up to date */
    char *key;                   /* see doc_key() */
    struct doc_line *block_next; /* next of the same block */
};

/* A `sentinel` line of an included file: it need not be written again. */
struct doc_included {
    char *key;
    struct doc_included *next;
};

/* All `sentinel` lines about one master, or about none. */
struct doc_block {
    char *name; /* of the master */
    struct doc_line *lines, *lines_tail;
    struct doc_included *included; /* what included files say about it */
    uint64_t round;                /* of conf_render() that last met the master */
    uint64_t version; /* the master as it was last rendered: its version, */
    uint32_t n_replicas, n_voters; /* its sizes, */
    const void *address;           /* the node that was written as the master */
    UT_hash_handle hh;
};

struct doc {
    struct doc_line *lines;
    struct doc_block globals;
    struct doc_block *blocks; /* uthash by name */
    bool has_header;          /* "# Generated by CONFIG REWRITE" is there */
    bool is_state;            /* of a state file */
};

void doc_release(struct doc *doc);

/* Appends all lines of |bytes|. */
void doc_load(struct doc *doc, const char *bytes, size_t len);
/* Appends a line, behind the header that marks what users did not write. */
struct doc_line *doc_append_generated(struct doc *doc, const char *text, size_t len);
void doc_set_text(struct doc_line *line, const char *text, size_t len);
void doc_remove(struct doc *doc, struct doc_line *line);

/* The block of a master, made if missing; of NULL: what is about no master. */
struct doc_block *doc_block(struct doc *doc, const char *name);
void doc_block_add(struct doc_block *block, struct doc_line *line);
/* Removes its lines; what included files say stays known. */
void doc_block_clear(struct doc *doc, struct doc_block *block);
void doc_block_free(struct doc *doc, struct doc_block *block); /* and its lines */
/* The key of the last line of |kind| in included files (whatever else they say of it
 * before does not count); NULL if there is none. */
const char *doc_block_included(const struct doc_block *block, enum sline_kind kind);
/* Does an included file say anything of |kind|? */
bool doc_block_includes(const struct doc_block *block, enum sline_kind kind);

/*
 * The key of a `sentinel` line says what it says in one spelling: the kind as one byte,
 * then the words behind the master's name, quoted where needed, numbers in plain form.
 * Equal keys (of the same master) mean equal lines.
 */
void doc_key(struct buf *key, const struct sline_rule *rule, const struct args *args);
void doc_key_start(struct buf *key, enum sline_kind kind);
void doc_key_word(struct buf *key, const char *word);
void doc_key_text(struct buf *key, enum sline_kind kind, const char *text);
void doc_key_int(struct buf *key, int64_t number);
#define DOC_KEY_KIND(key) ((enum sline_kind)((key)[0] - '0'))

/* Appends what |key| is about where a master may have several lines of a kind: a
 * sentinel's run id, the old name of a command in lower case. Nothing for others. */
void doc_key_put_subject(struct buf *out, const char *key);

/* Writes all lines; runs of blank ones become one. */
void doc_print(struct doc *doc, struct buf *out);

/* ------------------------------------------------------------------- the rest ---- */

/* A generic directive as it was read. */
struct conf_line {
    char *name; /* lower case */
    enum conf_source source;
    struct args args;
    struct doc_line *doc;   /* of the main file, else NULL */
    bool is_declared;       /* outside the state file, if there is one */
    bool is_live;           /* users.c: the user exists */
    struct conf_line *next; /* same name, later */
    struct conf_line *last; /* in the first one of a name: the last one */
    struct conf_line *text_next;
    UT_hash_handle hh; /* the first one of a name */
};

struct conf_note {
    enum log_level level;
    char *text;
    struct conf_note *next;
};

struct conf {
    struct conf_options options;
    struct arena strings; /* of options */
    bool in_memory; /* conf_read_main_text(): no chdir, no other file is touched */

    conf_error_fn on_error; /* NULL: the first error ends all */
    void *on_error_ctx;
    int n_errors;           /* it was told of */
    const char *file;       /* being read; "" if it is none */
    const char *state_dir;  /* NULL: not set */
    const char *state_file; /* NULL: the main file is written itself */

    int n_lines; /* numbered so far, over main file and texts */
    int n_files, depth;
    size_t n_bytes;

    struct conf_line *lines;   /* uthash by name */
    struct conf_line *pending; /* of SOURCE_TEXT, to be put into the file */
    struct conf_line *pending_tail;
    struct statement *queue; /* utlist (singly linked) of `sentinel` lines */
    struct statement *queue_tail;
    struct conf_note *notes, *notes_tail;
    char *note_taken; /* given out last */

    struct doc doc;
    struct doc_line *doc_at; /* while the main file is read: the line of number ... */
    int doc_at_line;         /* ... this */

    conf_check_fn *check;
    void *check_ctx;
    conf_users_fn *users;
    void *users_ctx;
    struct users_declared *users_declared; /* uthash by name; with a state file only */

    /* render.c: for what the blocks were last brought up to date */
    const struct core *rendered_core;
    uint64_t rendered_stamp;
    uint64_t round;
};

void conf_note(struct conf *conf, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells whoever asked by conf_on_error(). False: the error ends the reading. */
bool conf_report(struct conf *conf, const char *file, const struct conf_error *error);

/* Reads |bytes| as the file that is written. */
int conf_read_main(struct conf *conf, const char *bytes, size_t len,
                   struct conf_error *error);

/* Remembers a generic directive; |args| becomes its own. */
struct conf_line *conf_keep_line(struct conf *conf, enum conf_source source,
                                 struct args *args, struct doc_line *doc);

/* users.c: brings the `user` lines up to date. */
void users_render(struct conf *conf);
/* Is that user declared, outside the state file that is being read? Then a line of the
 * state file is no duplicate but replaces the declared one. */
bool users_is_declared(const struct conf *conf, const char *name);
/* Does so with |args| if that is a `user` line of that kind; |args| is taken then. */
bool users_replace(struct conf *conf, struct args *args, struct doc_line *doc);
void users_release(struct conf *conf);

/* state.c: sees which statements count, before they are applied. */
void state_reconcile(struct conf *conf);
/* Adds to the reason in which file the line is. */
void state_name_file(const struct conf *conf, struct conf_error *error);

/* directive.c: checks a generic directive of at least one word, the first in lower
 * case, and puts it into the options. */
int directive_apply(struct conf *conf, const struct args *args, struct error *err);
void directive_defaults(struct conf_options *options);
bool directive_yesno(const char *word, bool *value); /* false: neither */
#define DIRECTIVE_BAD "Bad directive or wrong number of arguments"

/* title.c: expands |template|. False if that leaves nothing, or it is malformed. */
bool title_expand(const struct conf *conf, const char *template, const char *program,
                  const char *conf_path, struct buf *out);

/* known.c: what is known about a directive without effect. */
enum known_type {
    KNOWN_NOT,
    KNOWN_YESNO,
    KNOWN_INT,
    KNOWN_MEMORY,
    KNOWN_WORD,
    KNOWN_LIST
};
enum known_type known_type_of(const char *name);

/* statement.c */
int statement_queue(struct conf *conf, enum conf_source source, int line,
                    const char *text, size_t text_len, struct args *args,
                    struct doc_line *doc, struct error *err);
void statement_free_all(struct conf *conf);
/* Ties a complete statement to the place that render.c will look for it in. */
void statement_place(struct conf *conf, const struct statement *st,
                     struct doc_line *doc);

#endif
