/*
 * acl.c - see acl.h.
 */
#include "sentinel/server/acl.h"

#include "common/mem.h"
#include "sentinel/server/internal.h"
#include "sentinel/server/sha256.h"

#include <string.h>

static void acl_add_password(struct user *user, const char *password)
{
    user->digests =
        mem_resize(user->digests, user->n_digests + 1, sizeof(user->digests[0]));
    sha256(user->digests[user->n_digests++], password, strlen(password));
}

void acl_init(struct acl *acl, const char *requirepass)
{
    struct user *user = mem_zalloc(sizeof(*user));

    user->name = mem_strdup("default");
    user->is_on = true;
    if (requirepass != NULL && requirepass[0] != '\0')
        acl_add_password(user, requirepass);
    else
        user->is_nopass = true;
    acl->users = user;
}

void acl_release(struct acl *acl)
{
    while (acl->users != NULL) {
        struct user *user = acl->users;
        acl->users = user->next;
        mem_free(user->name);
        mem_free(user->digests);
        mem_free(user);
    }
}

struct user *acl_default(const struct acl *acl)
{
    return acl->users;
}

struct user *acl_find(const struct acl *acl, const char *name, size_t len)
{
    for (struct user *user = acl->users; user != NULL; user = user->next)
        if (strlen(user->name) == len && memcmp(user->name, name, len) == 0)
            return user;
    return NULL;
}

bool acl_needs_auth(const struct acl *acl)
{
    return !acl->users->is_on || !acl->users->is_nopass;
}

const struct user *acl_authenticate(const struct acl *acl, const struct resp_arg *name,
                                    const struct resp_arg *password)
{
    const struct user *user = acl_find(acl, name->str, name->len);

    if (user == NULL || !user->is_on)
        return NULL;
    if (user->is_nopass)
        return user;

    uint8_t digest[ACL_DIGEST_LEN];
    bool is_right = false;
    sha256(digest, password->str, password->len);
    for (size_t i = 0; i < user->n_digests; i++) {
        unsigned difference = 0;
        for (size_t j = 0; j < ACL_DIGEST_LEN; j++)
            difference |= (unsigned)(digest[j] ^ user->digests[i][j]);
        is_right |= difference == 0;
    }
    return is_right ? user : NULL;
}

enum acl_verdict acl_check(const struct user *user, const struct command *command,
                           const struct resp_arg *argv, size_t argc)
{
    /* The one user there is may do everything. */
    (void)user;
    (void)command;
    (void)argv;
    (void)argc;
    return ACL_OK;
}

void cmd_acl_whoami(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    resp_bulk_str(&session->out, session->user->name);
}
