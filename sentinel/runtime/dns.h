/*
 * dns.h - host names looked up on threads of their own, with a small cache.
 *
 * getaddrinfo() is kept, because it honours nsswitch.conf and the hosts file, and it
 * blocks for as long as a name server is silent. So it gets threads that do nothing
 * else: neither the loop nor the saving of votes ever waits behind it, and the end of
 * the process does not either.
 */
#ifndef SENTINEL_RUNTIME_DNS_H
#define SENTINEL_RUNTIME_DNS_H

#include "common/addr.h"

#include <uv.h>

/* A question not answered after this counts as failed. */
#define DNS_DEADLINE_MS 2000
/* How long an answer, or a failure, is given again without asking. Short: where a name
 * moves, a stale address costs more than a look-up; it serves bursts. */
#define DNS_GOOD_MS 500
#define DNS_BAD_MS 500
/* Names that are remembered; all beyond them fail. */
#define DNS_NAMES_MAX 4096
#define DNS_THREADS_MAX 8
/* Addresses of one name that are looked at. */
#define DNS_IPS_MAX 16

struct addrinfo;
struct dns_name;
struct dns_pool;

/* |ip| is canonical numeric text, NULL if the name did not resolve. */
typedef void dns_answer_fn(void *ctx, const char *host, const char *ip);

/* Runs on a thread, may block. Returns how many addresses it wrote, best first. */
typedef int dns_lookup_fn(const char *host, char ips[DNS_IPS_MAX][ADDR_IP_CAP]);

struct dns {
    dns_answer_fn *answer;
    void *ctx;
    int64_t deadline_ms, good_ms, bad_ms; /* as above */
    struct dns_name *names;               /* uthash by host */
    struct dns_name *asking; /* utlist: questions that wait, oldest first */
    uv_timer_t deadline;
    uv_async_t arrived; /* the pool has answers */
    struct dns_pool *pool;
};

/* The numeric addresses of |found|, as getaddrinfo() ranks them. Returns how many. */
int dns_pick(const struct addrinfo *found, char ips[DNS_IPS_MAX][ADDR_IP_CAP]);

/* |lookup| NULL: getaddrinfo(). No thread is started before the first question. */
void dns_open(struct dns *dns, uv_loop_t *loop, dns_lookup_fn *lookup,
              dns_answer_fn *answer, void *ctx);

/*
 * dns_resolve() asks for the address of |host|; answer() is called once for it, at the
 * latest after DNS_DEADLINE_MS, maybe before this returns. One look-up is under way per
 * name. What arrives after its deadline is told by another call of answer(), unless it
 * is a failure. A name with several addresses keeps the one it had while that is among
 * them.
 */
void dns_resolve(struct dns *dns, const char *host);

/* Gives everything up: nothing is answered any more. Waits only for threads that have
 * nothing to do; those in a look-up are left behind. The handles close in the loop. */
void dns_close(struct dns *dns);

/* After the loop has closed. */
void dns_release(struct dns *dns);

#endif
