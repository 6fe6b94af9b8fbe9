/*
 * acl_log.c - what was denied to whom, for ACL LOG.
 */
#include "common/mem.h"
#include "sentinel/server/acl.h"

#include <string.h>

#define ACL_LOG_MERGE_MS 60000
/* Entries looked at for an equal one: each denial costs no more than this. */
#define ACL_LOG_SCAN_MAX 128
/* Names come from anybody; longer ones are cut. */
#define ACL_LOG_TEXT_MAX 1024

static char *acl_log_text(const struct resp_arg *arg)
{
    return mem_strndup(arg->str,
                       arg->len < ACL_LOG_TEXT_MAX ? arg->len : ACL_LOG_TEXT_MAX);
}

static void acl_log_free(struct acl_log *log, struct acl_log_entry *entry)
{
    DL_DELETE(log->entries, entry);
    log->n--;
    mem_free(entry->object);
    mem_free(entry->user_name);
    mem_free(entry->client);
    mem_free(entry);
}

void acl_log_clear(struct acl_log *log)
{
    while (log->entries != NULL)
        acl_log_free(log, log->entries);
}

static struct acl_log_entry *acl_log_find(const struct acl_log *log,
                                          const struct acl_log_entry *like)
{
    struct acl_log_entry *entry = log->entries;

    for (int i = 0; entry != NULL && i < ACL_LOG_SCAN_MAX; i++, entry = entry->next) {
        int64_t age = like->updated_wall - entry->updated_wall;
        if (entry->reason == like->reason && age <= ACL_LOG_MERGE_MS &&
            age >= -ACL_LOG_MERGE_MS && strcmp(entry->object, like->object) == 0 &&
            strcmp(entry->user_name, like->user_name) == 0)
            return entry;
    }
    return NULL;
}

void acl_log_add(struct acl_log *log, enum acl_log_reason reason,
                 const struct resp_arg *object, const struct resp_arg *user_name,
                 const char *client, int64_t wall)
{
    struct acl_log_entry *entry = mem_zalloc(sizeof(*entry));

    *entry = (struct acl_log_entry){
        .reason = reason,
        .count = 1,
        .object = acl_log_text(object),
        .user_name = acl_log_text(user_name),
        .client = mem_strdup(client),
        .created_wall = wall,
        .updated_wall = wall,
    };
    struct acl_log_entry *equal = acl_log_find(log, entry);
    if (equal != NULL) {
        entry->count += equal->count;
        entry->id = equal->id;
        entry->created_wall = equal->created_wall;
        acl_log_free(log, equal);
    } else {
        entry->id = log->next_id++;
    }
    DL_PREPEND(log->entries, entry);
    log->n++;
    while (log->n > log->max)
        acl_log_free(log, log->entries->prev); /* the oldest */
}

const char *acl_log_reason_name(enum acl_log_reason reason)
{
    static const char *const names[] = {"command", "channel", "auth"};

    return names[reason];
}
