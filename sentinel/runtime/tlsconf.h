/*
 * tlsconf.h - the TLS settings in force: read at start, again on SIGHUP, and changed by
 * SENTINEL CONFIG SET. Files are read on a thread; what is wrong changes nothing, and
 * connections go on in any case.
 */
#ifndef SENTINEL_RUNTIME_TLSCONF_H
#define SENTINEL_RUNTIME_TLSCONF_H

#include "sentinel/conf/conf.h"
#include "sentinel/runtime/tlsctx.h"
#include "sentinel/server/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct runtime;
struct tlsconf_job;

struct tlsconf {
    struct tlsctx *ctx; /* new connections are made from it; NULL: none are possible */
    struct error why;   /* and why not */
    struct tlsconf_job *jobs; /* the first is under way */
    uv_work_t work;
};

/* Reads the configuration. False, after stock's log lines, if it asks for TLS and that
 * is not possible. */
bool tlsconf_start(struct runtime *rt);
/* All that would keep tlsconf_start() from succeeding, each as one of its sentences. */
void tlsconf_each_error(const struct conf *conf, const struct core *core,
                        tlsctx_error_fn *each, void *each_ctx);
/* Reads the files anew, and says in the log what came of it; nothing if there is no TLS
 * and no CA file or directory is named, without which there is none. */
void tlsconf_reload(struct runtime *rt);
/* Forgets what has not begun. What has begun still ends. */
void tlsconf_cancel(struct runtime *rt);
void tlsconf_release(struct runtime *rt);

/* The server's hooks; |ctx| is the runtime. */
const char *tlsconf_hook_get(void *ctx, const char *name);
void tlsconf_hook_set(void *ctx, uint64_t session,
                      const struct server_tls_setting *settings, size_t n);

#endif
