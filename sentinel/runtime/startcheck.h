/*
 * startcheck.h - what would end a start although every line is right: files and folders
 * that are not there, or that the user we are may not use. Only looks: nothing is made,
 * changed, locked or logged.
 */
#ifndef SENTINEL_RUNTIME_STARTCHECK_H
#define SENTINEL_RUNTIME_STARTCHECK_H

#include "common/err.h"
#include "sentinel/conf/conf.h"

/*
 * Is there a place where the state can be saved: |dir|, or, if that is "", the file
 * |conf_path|? Returns 0, or ERR_IO with the sentence, without "Exiting...".
 */
int startcheck_state(const char *dir, const char *conf_path, struct error *err);

/*
 * startcheck_each_error() calls |each| with a sentence for everything of this kind in
 * |conf|, which has been read and applied to |core|: the place of the state, log file,
 * Unix socket, users and ACL file. For TLS there is tlsconf_each_error().
 */
typedef void startcheck_error_fn(void *ctx, const char *text);
void startcheck_each_error(const struct conf *conf, const struct core *core,
                           const char *conf_path, startcheck_error_fn *each, void *ctx);

#endif
