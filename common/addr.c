/*
 * addr.c - where a server is.
 */
#include "common/addr.h"

#include "common/assert.h"
#include "common/buf.h"
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

/* By hand, as addr_place() is: hellos come by the thousand, and snprintf() takes longer
 * than everything else that is done with one. */
static void addr_put_ipv4(char out[ADDR_IP_CAP], uint32_t ip)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        out = buf_put_digits(out, ip >> shift & 255);
        *out++ = shift > 0 ? '.' : '\0';
    }
}

bool addr_canon_ip(char out[ADDR_IP_CAP], const char *text)
{
    uint32_t ip;
    struct in6_addr ip6;

    out[0] = '\0';
    if (addr_parse_ipv4(text, &ip)) {
        addr_put_ipv4(out, ip);
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
    uint32_t ip;
    struct in6_addr ip6;

    return addr_is_host(host) && !addr_parse_ipv4(host, &ip) &&
           inet_pton(AF_INET6, host, &ip6) != 1;
}

enum addr_scope addr_scope(const char *text)
{
    struct in6_addr ip6;
    uint32_t ip;

    if (!addr_parse_ipv4(text, &ip)) {
        /* Nearly all others can be told by how they begin. */
        if ((text[0] != '0' && text[0] != ':') || inet_pton(AF_INET6, text, &ip6) != 1)
            return ADDR_SCOPE_OTHER;
        if (IN6_IS_ADDR_UNSPECIFIED(&ip6))
            return ADDR_SCOPE_ANY;
        if (IN6_IS_ADDR_LOOPBACK(&ip6))
            return ADDR_SCOPE_LOOPBACK;
        if (!IN6_IS_ADDR_V4MAPPED(&ip6))
            return ADDR_SCOPE_OTHER;
        const uint8_t *last = &ip6.s6_addr[12];
        ip = (uint32_t)last[0] << 24 | (uint32_t)last[1] << 16 |
             (uint32_t)last[2] << 8 | last[3];
    }
    if (ip == 0)
        return ADDR_SCOPE_ANY;
    return ip >> 24 == 127 ? ADDR_SCOPE_LOOPBACK : ADDR_SCOPE_OTHER;
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

    if (strchr(host, ':') != NULL)
        snprintf(out, ADDR_NAME_CAP, "[%s]:%u", host, addr->port);
    else
        addr_place(out, host, ':', addr->port);
    return out;
}

size_t addr_place(char out[ADDR_NAME_CAP], const char *host, char separator,
                  int64_t port)
{
    size_t len = strnlen(host, ADDR_HOST_MAX + 1);

    out[0] = '\0';
    if (len > ADDR_HOST_MAX || port < 0 || port > UINT16_MAX)
        return 0;
    memcpy(out, host, len);
    out[len] = separator;
    char *end = buf_put_digits(out + len + 1, (uint64_t)port);
    *end = '\0';
    return (size_t)(end - out);
}
