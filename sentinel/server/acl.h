/*
 * acl.h - users: who a client is and what it may do.
 *
 * So far there is only the user "default", whose password is requirepass. Everything
 * else asks through these functions, so that further users and rules need changes in
 * acl.c alone.
 */
#ifndef SENTINEL_SERVER_ACL_H
#define SENTINEL_SERVER_ACL_H

#include "common/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACL_DIGEST_LEN 32

struct command;

struct user {
    char *name;
    bool is_on;
    bool is_nopass;                     /* any password will do */
    uint8_t (*digests)[ACL_DIGEST_LEN]; /* SHA-256 of the passwords */
    size_t n_digests;
    struct user *next;
};

struct acl {
    struct user *users; /* the first is "default" */
};

enum acl_verdict { ACL_OK, ACL_DENIED_COMMAND, ACL_DENIED_CHANNEL };

void acl_init(struct acl *acl, const char *requirepass);
void acl_release(struct acl *acl);

struct user *acl_default(const struct acl *acl);
struct user *acl_find(const struct acl *acl, const char *name, size_t len);

/* Must a client that has not said who it is do so? */
bool acl_needs_auth(const struct acl *acl);

/* NULL unless the user exists, is on, and the password is one of its. The time taken
 * does not depend on how much of the password is right. */
const struct user *acl_authenticate(const struct acl *acl, const struct resp_arg *name,
                                    const struct resp_arg *password);

/* May |user| run |command| with these arguments? */
enum acl_verdict acl_check(const struct user *user, const struct command *command,
                           const struct resp_arg *argv, size_t argc);

#endif
