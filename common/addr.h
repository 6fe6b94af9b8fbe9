/*
 * addr.h - where a server is: the host as somebody wrote it, the numeric address it
 * stands for, and the port.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_IP_CAP 46 /* longest numeric IPv6 text and its NUL */
#define ADDR_HOST_MAX 255
#define ADDR_NAME_CAP (ADDR_HOST_MAX + 16)

struct addr {
    char *host;           /* the name as given, owned; NULL when it was numeric */
    char ip[ADDR_IP_CAP]; /* numeric text; "" while the name is unresolved */
    uint16_t port;        /* 0: never connect */
};

/*
 * addr_canon_ip() writes the canonical numeric text of |text| into |out|: IPv4 in the
 * forms inet_aton() takes in decimal ("1.2.3" is 1.2.0.3), IPv6 as inet_ntop() prints
 * it. Returns false, and leaves |out| "", if |text| is no numeric address.
 */
bool addr_canon_ip(char out[ADDR_IP_CAP], const char *text);

/* Is |host| acceptable as a name: short enough, without blanks, control characters and
 * commas, and not a numeric address? */
bool addr_is_name(const char *host);

/* Whom a numeric address means. */
enum addr_scope {
    ADDR_SCOPE_ANY,      /* 0.0.0.0 and ::, nobody in particular */
    ADDR_SCOPE_LOOPBACK, /* 127.0.0.0/8 and ::1, the machine that uses it */
    ADDR_SCOPE_OTHER,    /* anything else, names and "" included */
};
enum addr_scope addr_scope(const char *ip);

/*
 * addr_set() makes |addr| (initialised or zeroed) stand for |host| and |port|. A
 * numeric |host| fills ip; any other is kept as host with ip "". Returns 0; ERR_RANGE
 * if |port| is not 0..65535; ERR_SYNTAX if |host| is empty, longer than ADDR_HOST_MAX,
 * or holds blanks, control characters or commas.
 */
int addr_set(struct addr *addr, const char *host, int64_t port);

void addr_copy(struct addr *to, const struct addr *from);
void addr_release(struct addr *addr);

/* A resolved ip for addr->host; |ip| is canonical numeric text. */
void addr_set_ip(struct addr *addr, const char *ip);

/*
 * Same place (behaviour.md 1.5): ports equal, and either the ip texts are equal and
 * not empty, or both have host names that are equal without regard to case.
 */
bool addr_equal(const struct addr *a, const struct addr *b);

/* Is |addr| the place that the texts |host| (numeric or name) and |port| name? */
bool addr_is(const struct addr *addr, const char *host, int64_t port);

/* What others are told: the host name if |names| and there is one, else the ip (or
 * the host name while there is no ip). Valid as long as |addr| is unchanged. */
const char *addr_host(const struct addr *addr, bool names);

/* |host|, |separator| and |port|. Returns the length; 0, and "" in |out|, if |host| is
 * longer than ADDR_HOST_MAX or |port| is not 0..65535. */
size_t addr_place(char out[ADDR_NAME_CAP], const char *host, char separator,
                  int64_t port);

/* "host:port", IPv6 as "[host]:port"; the name of a replica. Returns |out|. */
const char *addr_name(const struct addr *addr, bool names, char out[ADDR_NAME_CAP]);

#endif
