/*
 * client.h - a client's connection: a stream and a session of the server.
 */
#ifndef SENTINEL_RUNTIME_CLIENT_H
#define SENTINEL_RUNTIME_CLIENT_H

#include "sentinel/server/server.h"

#include <stdbool.h>

struct runtime;
struct stream;

/* Takes over a connection that was just accepted. */
void client_open(struct runtime *rt, struct stream *stream, bool is_unix);
void clients_close(struct runtime *rt);

/* What the server asks of its driver; |ctx| is the runtime. */
struct server_hooks client_hooks(struct runtime *rt);

#endif
