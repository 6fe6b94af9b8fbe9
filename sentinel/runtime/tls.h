/*
 * tls.h - TLS on one connection, as a filter without a socket: the network's bytes go
 * in, bytes for the network come out into a buffer of the owner.
 */
#ifndef SENTINEL_RUNTIME_TLS_H
#define SENTINEL_RUNTIME_TLS_H

#include "common/buf.h"
#include "common/err.h"
#include "sentinel/runtime/tlsctx.h"

#include <stdbool.h>
#include <stddef.h>

struct tls;

/* An incoming connection. |ctx| is used during the call only. NULL if |ctx| is for
 * outgoing ones only. */
struct tls *tls_accept(const struct tlsctx *ctx);
/* An outgoing one. The certificate must be for |host|, a name or a numeric address,
 * unless that is NULL; a name is sent as SNI. */
struct tls *tls_connect(const struct tlsctx *ctx, const char *host);
void tls_free(struct tls *tls); /* NULL is fine */

/* Where bytes for the network are appended from now on; to be set before all else. */
void tls_set_wire(struct tls *tls, struct buf *wire);

/* Bytes from the network, borrowed until one of the next two has said ERR_MORE. No
 * bytes: the connection has ended. */
void tls_feed(struct tls *tls, const char *bytes, size_t len);
/* Begins the handshake, or goes on with it. Returns 0 when it is done, ERR_MORE, or
 * ERR_DENIED with the reason. */
int tls_handshake(struct tls *tls, struct error *err);
/* Puts up to |cap| decrypted bytes into |out|. Returns their number (> 0), ERR_MORE,
 * ERR_STATE if the other side said goodbye, or ERR_DENIED with the reason. */
int tls_read(struct tls *tls, char *out, size_t cap, struct error *err);

/* The other side has sent anything at all. */
bool tls_has_begun(const struct tls *tls);
/* The handshake is done: bytes can be written. */
bool tls_is_up(const struct tls *tls);
/* Returns 0, or ERR_DENIED with the reason: nothing more can be written then. */
int tls_write(struct tls *tls, const char *bytes, size_t len, struct error *err);
/* Says goodbye (close_notify). */
void tls_end(struct tls *tls);

#endif
