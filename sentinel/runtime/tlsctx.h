/*
 * tlsctx.h - what TLS connections are made from: certificates, keys, trusted
 * authorities, protocols and ciphers, as the tls-* directives name them. No socket and
 * no runtime: contexts may be made on any thread.
 */
#ifndef SENTINEL_RUNTIME_TLSCTX_H
#define SENTINEL_RUNTIME_TLSCTX_H

#include "common/err.h"

#include <stdbool.h>

/* The tls-* directives (interface.md 1.6). Texts are never NULL; "" means unset. */
struct tlsctx_config {
    const char *cert_file, *key_file, *key_pass;
    const char *client_cert_file, *client_key_file, *client_key_pass;
    const char *ca_file, *ca_dir;
    const char *auth_clients; /* "yes", "no", "optional" */
    const char *protocols, *ciphers, *ciphersuites;
    const char *dh_file;
    bool prefers_server_ciphers;
    bool caches_sessions;
    int session_cache_size, session_cache_timeout_s;
    /* tls-port, tls-replication or tls-cluster is set: a certificate is needed. Without
     * it only outgoing connections are possible, and may have no certificate. */
    bool is_server;
    bool needs_ca; /* tls-replication or tls-cluster */
};

struct tlsctx;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/*
 * tlsctx_new() reads the files |config| names and checks that they fit together. Reads
 * files, so it may take long. Returns NULL with stock's sentence for the log in |err|.
 */
struct tlsctx *tlsctx_new(const struct tlsctx_config *config, struct error *err);
/* Calls |each| with all that is wrong with the files, not only the first of it, in the
 * sentences of tlsctx_new(). Nothing if that would return a context. */
typedef void tlsctx_error_fn(void *each_ctx, const char *text);
void tlsctx_each_error(const struct tlsctx_config *config, tlsctx_error_fn *each,
                       void *each_ctx);
/* Connections made from it go on. NULL is fine. */
void tlsctx_free(struct tlsctx *ctx);

/* For tls.c: the one for incoming connections (NULL if there is none), or for outgoing
 * ones. Belongs to |ctx|. */
struct ssl_ctx_st *tlsctx_of(const struct tlsctx *ctx, bool is_server);

#endif
