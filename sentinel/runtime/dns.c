/*
 * dns.c - host names looked up on threads of the pool.
 *
 * The cache only serves the burst: many masters of one name, or a name that is asked
 * for at each attempt to connect. It is short because in a failover of the kind that
 * moves a name, a stale address costs more than a lookup.
 */
#include "sentinel/runtime/dns.h"

#include "common/addr.h"
#include "common/mem.h"
#include "sentinel/runtime/runtime.h"

#include "common/hash.h"
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define DNS_GOOD_MS 1000
#define DNS_BAD_MS 500 /* how long a failure is remembered */
#define DNS_NAMES_MAX 1024

struct dns_name {
    struct runtime *rt;
    uv_getaddrinfo_t request;
    bool running;
    char ip[ADDR_IP_CAP]; /* "" if it did not resolve */
    int64_t until;        /* the answer is good before this */
    UT_hash_handle hh;
    char host[];
};

static void dns_post(struct runtime *rt, const char *host, const char *ip)
{
    struct core_event event = {
        .type = CORE_EV_RESOLVED,
        .resolved = {.host = host, .ip = ip[0] != '\0' ? ip : NULL},
    };
    runtime_post(rt, &event);
}

void dns_pick(const struct addrinfo *found, char ip[ADDR_IP_CAP])
{
    ip[0] = '\0';
    for (; found != NULL && ip[0] == '\0'; found = found->ai_next) {
        const void *addr = found->ai_addr;
        if (found->ai_family == AF_INET)
            uv_ip4_name(addr, ip, ADDR_IP_CAP);
        else if (found->ai_family == AF_INET6)
            uv_ip6_name(addr, ip, ADDR_IP_CAP);
    }
}

static void dns_on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct dns_name *name = request->data;
    struct runtime *rt = name->rt;

    name->running = false;
    dns_pick(status == 0 ? found : NULL, name->ip);
    uv_freeaddrinfo(found);
    clock_read(&rt->clock);
    name->until = rt->clock.now + (name->ip[0] != '\0' ? DNS_GOOD_MS : DNS_BAD_MS);
    dns_post(rt, name->host, name->ip);
}

static void dns_start(struct dns_name *name)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    name->request.data = name;
    name->running = true;
    int status = uv_getaddrinfo(&name->rt->loop, &name->request, dns_on_answer,
                                name->host, NULL, &hints);
    if (status < 0)
        dns_on_answer(&name->request, status, NULL);
}

/* Names that were asked for once and never again. */
static void dns_prune(struct runtime *rt)
{
    struct dns_name *name;
    struct dns_name *next;
    if (HASH_COUNT(rt->dns.names) < DNS_NAMES_MAX)
        return;
    HASH_ITER(hh, rt->dns.names, name, next)
    {
        if (name->running || name->until > rt->clock.now)
            continue;
        HASH_DEL(rt->dns.names, name);
        mem_free(name);
    }
}

void dns_resolve(struct runtime *rt, const char *host)
{
    struct dns_name *name;

    HASH_FIND_STR(rt->dns.names, host, name);
    if (name == NULL) {
        dns_prune(rt);
        size_t len = strlen(host);
        name = mem_zalloc(sizeof *name + len + 1);
        name->rt = rt;
        memcpy(name->host, host, len + 1);
        HASH_ADD_STR(rt->dns.names, host, name);
    } else if (name->running) {
        return; /* its answer is this one's too */
    } else if (rt->clock.now < name->until) {
        dns_post(rt, name->host, name->ip);
        return;
    }
    dns_start(name);
}

void dns_cancel(struct runtime *rt)
{
    for (struct dns_name *name = rt->dns.names; name != NULL; name = name->hh.next)
        if (name->running)
            uv_cancel((uv_req_t *)&name->request);
}

void dns_release(struct runtime *rt)
{
    struct dns_name *name;
    struct dns_name *next;
    HASH_ITER(hh, rt->dns.names, name, next)
    {
        HASH_DEL(rt->dns.names, name);
        mem_free(name);
    }
}
