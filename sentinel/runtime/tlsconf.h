/*
 * tlsconf.h - the TLS settings in force: read at start, and again on SIGHUP.
 */
#ifndef SENTINEL_RUNTIME_TLSCONF_H
#define SENTINEL_RUNTIME_TLSCONF_H

#include "sentinel/runtime/tlsctx.h"

#include <stdbool.h>

struct runtime;

struct tlsconf {
    struct tlsctx *ctx; /* new connections are made from it; NULL: none are possible */
    struct error why;   /* and why not */
};

/* Reads the configuration. False, after stock's log lines, if it asks for TLS and that
 * is not possible. */
bool tlsconf_start(struct runtime *rt);
void tlsconf_release(struct runtime *rt);

#endif
