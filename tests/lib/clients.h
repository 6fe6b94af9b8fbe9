/*
 * clients.h - a server over a real core, for tests: no sockets, no clock, and a disk
 * that answers when the test says so.
 */
#ifndef TESTS_LIB_CLIENTS_H
#define TESTS_LIB_CLIENTS_H

#include "common/buf.h"
#include "sentinel/core/core.h"
#include "sentinel/core/state.h"
#include "sentinel/server/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENTS_MYID "1111111111111111111111111111111111111111"

struct clients {
    struct core *core;
    struct core_actions *actions;
    struct server *server;
    struct server_options options; /* change before clients_start() */
    int64_t now, wall;
    struct clients_request *queue; /* posted and not yet given to the core */
    uint64_t asked_version;        /* of the last CORE_AC_PERSIST; 0: nothing to save */
    bool is_disk_slow;             /* saves wait for clients_save() */
    bool is_disk_bad;              /* saves fail */
    bool is_stopped;               /* SHUTDOWN was accepted */
    size_t n_wakes;
    struct buf log;  /* lines of the server's log hook */
    struct buf file; /* the last one the server wanted written */
};

/* |config| holds lines "option value" for the core: monitor NAME HOST PORT QUORUM,
 * replica NAME HOST PORT, sentinel NAME HOST PORT RUNID; NULL: none. */
void clients_init(struct clients *clients, const char *config);
void clients_start(struct clients *clients);
void clients_release(struct clients *clients);

/* Lets |ms| pass. */
void clients_wait(struct clients *clients, int64_t ms);
/* Gives the core what was posted, and the server what comes back. */
void clients_settle(struct clients *clients);
/* Answers the look-up of |host|; |ip| NULL: it failed. */
void clients_resolve(struct clients *clients, const char *host, const char *ip);
/* Ends a slow save. */
void clients_save(struct clients *clients);

struct session *clients_open(struct clients *clients);
/* Feeds, settles, and returns what came out since the last time; the text lasts until
 * the next call. */
const char *clients_send(struct clients *clients, struct session *session,
                         const char *bytes);
const char *clients_send_n(struct clients *clients, struct session *session,
                           const char *bytes, size_t len);
/* What came out without asking. */
const char *clients_read(struct clients *clients, struct session *session);
/* Reads |len| bytes only, as a slow client would. */
void clients_read_some(struct session *session, size_t len);

#endif
