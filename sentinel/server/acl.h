/*
 * acl.h - users: who a client is and what it may do (interface.md 4.6).
 *
 * A user has passwords and one or more selectors, each a set of commands and channels
 * that it permits; the first selector is the user's own, the others were written in
 * parentheses. Patterns of keys are kept and shown, for there are no keys here.
 */
#ifndef SENTINEL_SERVER_ACL_H
#define SENTINEL_SERVER_ACL_H

#include "common/buf.h"
#include "common/err.h"
#include "common/hash.h"
#include "common/resp.h"
#include "sentinel/server/command.h"
#include "sentinel/server/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "+name", "-@category": what it names, it sets. */
struct acl_rule {
    bool allows;
    bool is_category;
    int id; /* command_id(), or a bit number of enum command_category */
};

/* "+name|word": the command is allowed if this is its first argument. */
struct acl_first_arg {
    int id;
    char *word;
};

struct acl_key {
    char *pattern;
    bool reads, writes;
};

struct acl_selector {
    uint64_t allowed[COMMANDS_MAX / 64]; /* bits by command_id() */
    bool starts_with_all;                /* the rules follow +@all, not -@all */
    struct acl_rule *rules;
    size_t n_rules;
    struct acl_first_arg *first_args;
    size_t n_first_args;
    struct acl_key *keys;
    size_t n_keys;
    char **channels;
    size_t n_channels;
    bool has_all_keys, has_all_channels;
    struct acl_selector *next;
};

struct user {
    char *name;
    bool is_on;
    bool is_nopass; /* any password will do */
    bool skips_sanitize;
    uint8_t (*digests)[DIGEST_LEN]; /* SHA-256 of the passwords */
    size_t n_digests;
    struct acl_selector *selectors; /* the first is the user's own */
    UT_hash_handle hh;              /* by name */
};

struct acl {
    struct user *users;
    struct user *default_user; /* is always among them */
    char *requirepass;
    bool has_open_channels; /* acl-pubsub-default allchannels */
};

/* ------------------------------------------------------------------------ users ----
 */

void acl_init(struct acl *acl, const char *requirepass, bool has_open_channels);
void acl_release(struct acl *acl);

struct user *acl_find(const struct acl *acl, const char *name, size_t len);
/* A user as SETUSER makes one: off, without passwords, may do nothing. */
struct user *acl_add(struct acl *acl, const char *name);
/* Not of the default user. */
void acl_remove(struct acl *acl, struct user *user);
void acl_sort(struct acl *acl); /* by name; listings are in this order */

/* Must a client that has not said who it is do so? */
bool acl_needs_auth(const struct acl *acl);

/* NULL unless the user exists, is on, and the password is one of its. The time taken
 * does not depend on how much of the password is right. */
const struct user *acl_authenticate(const struct acl *acl, const struct resp_arg *name,
                                    const struct resp_arg *password);

/* Is |user| the default user as requirepass alone makes it? */
bool acl_is_pristine(const struct acl *acl, const struct user *user);

void user_release(struct user *user); /* what it holds, not |user| itself */
void user_copy(struct user *to, const struct user *from);
/* |user| becomes what |with| is, but for its name; |with| is emptied. */
void user_replace(struct user *user, struct user *with);
void acl_selectors_free(struct acl_selector **list);

/* ------------------------------------------------------------------ permissions ----
 */

enum acl_verdict { ACL_OK, ACL_DENIED_COMMAND, ACL_DENIED_CHANNEL };

/* May |user| run |command| with these arguments? |bad| is set to the first channel that
 * it may not use if the verdict is ACL_DENIED_CHANNEL. */
enum acl_verdict acl_check(const struct user *user, const struct command *command,
                           const struct resp_arg *argv, size_t argc,
                           const struct resp_arg **bad);

/* May |user| be subscribed to this channel, or pattern? */
bool acl_permits_topic(const struct user *user, const char *name, size_t len,
                       bool is_pattern);

/* ------------------------------------------------------------ rules (acl_rule.c) ----
 */

/*
 * acl_rule_apply() changes |user| as |rule| says. Returns 0, or with the reason in
 * |err|: ERR_UNKNOWN for a command or category that does not exist, ERR_SYNTAX for
 * anything else; |user| may then be changed in part.
 */
int acl_rule_apply(struct user *user, const char *rule, size_t len,
                   bool has_open_channels, struct error *err);
/* "reset" */
void acl_rule_reset(struct user *user, bool has_open_channels);
/* Drops the rules that make no difference. After any number of acl_rule_apply(). */
void acl_rule_tidy(struct user *user);

/*
 * acl_words_join() joins the words of a selector that holds blanks: "(+ping", "&a)"
 * become "(+ping &a)". |words| gets |n| strings of its own at most; release them with
 * acl_words_free(). Returns how many, or ERR_SYNTAX with the index of the word whose
 * parenthesis stays open in |open|.
 */
int acl_words_join(const struct resp_arg *in, size_t n, struct resp_arg *words,
                   size_t *open);
void acl_words_free(struct resp_arg *words, size_t n);

/* As it stands behind "#". */
void acl_digest_put(struct buf *out, const uint8_t digest[DIGEST_LEN]);

/* ------------------------------------------------------------- text (acl_text.c) ----
 */

/* "-@all +ping" */
void acl_text_commands(struct buf *out, const struct acl_selector *selector);
/* "~a %R~b" and "&a &b"; nothing if there are none. */
void acl_text_keys(struct buf *out, const struct acl_selector *selector);
void acl_text_channels(struct buf *out, const struct acl_selector *selector);
/* "user NAME on ..." as ACL LIST shows it. */
void acl_text_user(struct buf *out, const struct user *user);

/* ------------------------------------------------------------- file (acl_file.c) ----
 */

/*
 * acl_file_read() makes |acl|, which acl_init() made, hold the users of the ACL file
 * |path| with contents |text|. Returns 0, or ERR_SYNTAX with stock's list of what is
 * wrong in |errors|; |acl| is then to be thrown away.
 */
int acl_file_read(struct acl *acl, const char *path, const char *text, size_t len,
                  struct buf *errors);
void acl_file_write(struct buf *out, const struct acl *acl);

/* -------------------------------------------------------------- log (acl_log.c) ----
 */

enum acl_log_reason { ACL_LOG_COMMAND, ACL_LOG_CHANNEL, ACL_LOG_AUTH };

struct acl_log_entry {
    enum acl_log_reason reason;
    uint64_t count;
    char *object, *user_name, *client;
    uint64_t id;
    int64_t created_wall, updated_wall;
    struct acl_log_entry *prev, *next;
};

/* Newest first. */
struct acl_log {
    struct acl_log_entry *entries;
    int64_t n, max;
    uint64_t next_id;
};

/* Adds an entry, or one to the count of an equal one of the last minute. Long texts are
 * cut. |wall| in ms. */
void acl_log_add(struct acl_log *log, enum acl_log_reason reason,
                 const struct resp_arg *object, const struct resp_arg *user_name,
                 const char *client, int64_t wall);
void acl_log_clear(struct acl_log *log);
const char *acl_log_reason_name(enum acl_log_reason reason);

#endif
