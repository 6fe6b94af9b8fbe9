/*
 * addr.c - where a server is.
 */
#include "common/addr.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * One decimal number of at most |max| at |*text|, which moves past it. No leading
 * zeros: inet_aton() would read them as octal, so "010" has no meaning all agree on.
 */
static bool addr_parse_part(const char **text, uint32_t max, uint32_t *value)
{
    const char *p = *text;
    uint64_t sum = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        sum = sum * 10 + (uint64_t)(*p - '0');
        if (sum > max)
            return false;
    }
    *text = p;
    *value = (uint32_t)sum;
    return true;
}

/* a, a.b, a.b.c or a.b.c.d: the last number fills all bytes that are left. */
static bool addr_parse_ipv4(const char *text, uint32_t *ip)
{
    uint32_t head = 0;
    uint32_t rest_max = UINT32_MAX;

    for (int n_parts = 1;; n_parts++) {
        uint32_t value;
        if (!addr_parse_part(&text, rest_max, &value))
            return false;
        if (*text == '\0') {
            *ip = head | value;
            return true;
        }
        if (*text != '.' || n_parts == 4 || value > 255)
            return false;
        text++;
        head |= value << (32 - 8 * n_parts);
        rest_max >>= 8;
    }
}

bool addr_canon_ip(char out[ADDR_IP_CAP], const char *text)
{
    uint32_t ip;
    struct in6_addr ip6;

    out[0] = '\0';
    if (addr_parse_ipv4(text, &ip)) {
        snprintf(out, ADDR_IP_CAP, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
                 ip >> 8 & 255, ip & 255);
        return true;
    }
    if (inet_pton(AF_INET6, text, &ip6) != 1)
        return false;
    const char *canon = inet_ntop(AF_INET6, &ip6, out, ADDR_IP_CAP);
    ASSERT(canon != NULL);
    return true;
}

/* What may stand in a name without upsetting hello messages or the configuration. */
static bool addr_is_host(const char *host)
{
    size_t len = 0;
    for (; host[len] != '\0'; len++) {
        unsigned char c = (unsigned char)host[len];
        if (len == ADDR_HOST_MAX || c <= ' ' || c == 127 || c == ',')
            return false;
    }
    return len > 0;
}

bool addr_is_name(const char *host)
{
    char ip[ADDR_IP_CAP];
    return addr_is_host(host) && !addr_canon_ip(ip, host);
}

enum addr_scope addr_scope(const char *text)
{
    static const char mapped[] = "::ffff:";
    char ip[ADDR_IP_CAP];

    /* Nearly all addresses can be told by how they begin. */
    if (text[0] != '0' && text[0] != '1' && text[0] != ':')
        return ADDR_SCOPE_OTHER;
    if (!addr_canon_ip(ip, text))
        return ADDR_SCOPE_OTHER;
    const char *ip4 =
        strncmp(ip, mapped, sizeof mapped - 1) == 0 ? ip + sizeof mapped - 1 : ip;
    if (strcmp(ip4, "0.0.0.0") == 0 || strcmp(ip, "::") == 0)
        return ADDR_SCOPE_ANY;
    if (strncmp(ip4, "127.", 4) == 0 || strcmp(ip, "::1") == 0)
        return ADDR_SCOPE_LOOPBACK;
    return ADDR_SCOPE_OTHER;
}

int addr_set(struct addr *addr, const char *host, int64_t port)
{
    if (port < 0 || port > UINT16_MAX)
        return ERR_RANGE;
    if (!addr_is_host(host))
        return ERR_SYNTAX;

    char ip[ADDR_IP_CAP];
    bool is_numeric = addr_canon_ip(ip, host);
    mem_replace(&addr->host, is_numeric ? NULL : host);
    memcpy(addr->ip, ip, sizeof ip);
    addr->port = (uint16_t)port;
    return ERR_OK;
}

void addr_copy(struct addr *to, const struct addr *from)
{
    if (to == from)
        return;
    mem_replace(&to->host, from->host);
    memcpy(to->ip, from->ip, sizeof to->ip);
    to->port = from->port;
}

void addr_release(struct addr *addr)
{
    mem_free(addr->host);
    *addr = (struct addr){0};
}

void addr_set_ip(struct addr *addr, const char *ip)
{
    size_t len = strlen(ip);
    ASSERT_CMP(len, <, ADDR_IP_CAP);
    memmove(addr->ip, ip, len + 1);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->port != b->port)
        return false;
    if (a->ip[0] != '\0' && strcmp(a->ip, b->ip) == 0)
        return true;
    return a->host != NULL && b->host != NULL && strcasecmp(a->host, b->host) == 0;
}

bool addr_is(const struct addr *addr, const char *host, int64_t port)
{
    char ip[ADDR_IP_CAP];
    if (port != addr->port)
        return false;
    /* Hellos come by the thousand and nearly always have it in its canonical form. */
    if (host[0] != '\0' && strcmp(addr->ip, host) == 0)
        return true;
    if (addr_canon_ip(ip, host))
        return strcmp(addr->ip, ip) == 0;
    return addr->host != NULL && strcasecmp(addr->host, host) == 0;
}

const char *addr_host(const struct addr *addr, bool names)
{
    if (addr->host != NULL && (names || addr->ip[0] == '\0'))
        return addr->host;
    return addr->ip;
}

const char *addr_name(const struct addr *addr, bool names, char out[ADDR_NAME_CAP])
{
    const char *host = addr_host(addr, names);
    bool is_ipv6 = strchr(host, ':') != NULL;
    snprintf(out, ADDR_NAME_CAP, is_ipv6 ? "[%s]:%u" : "%s:%u", host, addr->port);
    return out;
}
