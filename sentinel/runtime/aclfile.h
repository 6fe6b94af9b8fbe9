/*
 * aclfile.h - the ACL file, written and read by a thread of the pool, one job at a time
 * in the order given; and the users at start.
 */
#ifndef SENTINEL_RUNTIME_ACLFILE_H
#define SENTINEL_RUNTIME_ACLFILE_H

#include "common/buf.h"
#include "sentinel/conf/conf.h"
#include "sentinel/server/server.h"

#include <stdbool.h>
#include <uv.h>

struct runtime;
struct aclfile_job;

struct aclfile {
    struct aclfile_job *jobs; /* the first is under way */
    uv_work_t work;
};

/* The server's hook; |ctx| is the runtime. */
void aclfile_hook(void *ctx, const struct server_file_job *job);
/* Forgets what has not begun. What has begun still ends. */
void aclfile_cancel(struct runtime *rt);
void aclfile_release(struct runtime *rt);

/* aclfile_load() gives a server the users and renamed commands of the configuration,
 * before any client comes. Returns 0, or a negative code with the sentence in |why|;
 * the server then has some of them. */
int aclfile_load(struct server *server, const struct conf *conf, struct buf *why);
/* The same for ours. False, after log lines, if something is wrong with them. */
bool aclfile_start(struct runtime *rt);

#endif
