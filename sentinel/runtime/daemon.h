/*
 * daemon.h - being a good process: limits, background, pid file, supervision.
 */
#ifndef SENTINEL_RUNTIME_DAEMON_H
#define SENTINEL_RUNTIME_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptors we need besides those of clients and links. */
#define DAEMON_FDS_RESERVED 32

/* Descriptors 0, 1 and 2 are open from now on: nothing of ours may get such a number.
 */
void daemon_open_stdio(void);

/*
 * Raises the descriptor limit so that |maxclients| clients and |n_expected| connections
 * of our own fit, and logs what came of it. Returns how many clients do fit; 0 if not
 * even the |n_known| connections that are sure do.
 */
int daemon_raise_limit(int maxclients, int n_known, int n_expected);

/* The same later on, for links nobody expected at start: as far as the system lets us,
 * and without a word. */
void daemon_grow_limit(int maxclients, int n_links);

/* "no", "systemd" or "upstart", for |wish| one of these or "auto". */
const char *daemon_supervisor(const char *wish);
/* One datagram to systemd; does nothing unless |supervisor| is "systemd". */
void daemon_notify(const char *supervisor, const char *text);

/* How often systemd wants to hear that we are well, in ms; 0: it does not. */
uint64_t daemon_watchdog_ms(const char *supervisor);
/* Tells it so. */
void daemon_keepalive(void);

/* Goes on in a child process without a terminal; the parent exits. */
void daemon_detach(void);

void daemon_write_pidfile(const char *path);
void daemon_remove_pidfile(const char *path);

/* Warns if the file at |path| can only be written in place. */
void daemon_check_directory(const char *path);

/* |len| bytes of the operating system's random numbers. */
void daemon_random_bytes(void *out, size_t len);
/* 40 hexadecimal digits by the operating system's random numbers. */
void daemon_random_id(char out[41]);
/* Any number, by the same. */
unsigned long long daemon_random(void);

#endif
