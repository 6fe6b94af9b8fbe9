/*
 * dns.h - host names looked up on threads of the pool, with a small cache.
 *
 * libuv lets slow lookups occupy at most half of the pool, so a save never waits behind
 * a name server that does not answer.
 */
#ifndef SENTINEL_RUNTIME_DNS_H
#define SENTINEL_RUNTIME_DNS_H

#include "common/addr.h"

struct addrinfo;
struct dns_name;
struct runtime;

struct dns {
    struct dns_name *names; /* uthash by host */
};

/* The first numeric address of |found|, as getaddrinfo() ranks them; "" if there is
 * none. */
void dns_pick(const struct addrinfo *found, char ip[ADDR_IP_CAP]);

/* CORE_EV_RESOLVED follows. */
void dns_resolve(struct runtime *rt, const char *host);
/* Gives up what has not begun; the rest ends before the loop does. */
void dns_cancel(struct runtime *rt);
void dns_release(struct runtime *rt);

#endif
