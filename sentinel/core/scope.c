/*
 * scope.c - addresses that mean something else on another machine: 127.0.0.1 and ::1
 * are whoever reads them, 0.0.0.0 and :: are nobody. They are taken only from a server
 * on this machine, and never told to another without a warning, which comes once.
 */
#include "sentinel/core/internal.h"

/* Warnings that are remembered; beyond, all may come once more. */
#define WARNED_MAX 256

struct warned {
    UT_hash_handle hh;
    char text[];
};

void scope_release(struct core *core)
{
    struct warned *warned, *next;

    HASH_ITER(hh, core->warned, warned, next)
    {
        HASH_DEL(core->warned, warned);
        mem_free(warned);
    }
}

static void scope_warn(struct core *core, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void scope_warn(struct core *core, const char *format, ...)
{
    struct warned *warned;
    va_list ap;

    va_start(ap, format);
    const char *text = arena_vprintf(emit_arena(core), format, ap);
    va_end(ap);
    HASH_FIND_STR(core->warned, text, warned);
    if (warned != NULL)
        return;
    if (HASH_COUNT(core->warned) >= WARNED_MAX)
        scope_release(core);
    size_t len = strlen(text);
    warned = mem_zalloc(sizeof(*warned) + len + 1);
    memcpy(warned->text, text, len + 1);
    HASH_ADD_STR(core->warned, text, warned);
    emit_log(core, LOG_LVL_WARNING, "%s", text);
}

/* Is the other end of |link| a process of this machine, as far as we can see? */
static bool scope_is_here(const struct link *link)
{
    const char *ip = link_addr(link)->ip;

    return addr_scope(ip) == ADDR_SCOPE_LOOPBACK ||
           (ip[0] != '\0' && strcmp(ip, link->local_ip) == 0);
}

bool scope_accepts(struct core *core, const struct link *from, const struct addr *addr,
                   const char *what)
{
    enum addr_scope scope = addr_scope(addr->ip);

    if (addr->host != NULL || scope == ADDR_SCOPE_OTHER ||
        (scope == ADDR_SCOPE_LOOPBACK && scope_is_here(from)))
        return true;
    scope_warn(core,
               "Ignored the address %s:%u of %s, heard through %s:%u: %s. Let it "
               "announce another",
               addr->ip, addr->port, what, link_addr(from)->ip, link_addr(from)->port,
               scope == ADDR_SCOPE_ANY ? "nobody can be reached there"
                                       : "here it means this machine");
    return false;
}

void scope_check_announced(struct core *core)
{
    if (core->announce_ip != NULL && addr_scope(core->announce_ip) == ADDR_SCOPE_ANY)
        emit_log(core, LOG_LVL_WARNING,
                 "announce-ip %s is no address that others can reach: the address of "
                 "each connection is announced instead",
                 core->announce_ip);
}

const char *scope_own_host(const struct core *core, const struct link *link)
{
    const char *announced = core->announce_ip;

    return announced != NULL && addr_scope(announced) != ADDR_SCOPE_ANY
               ? announced
               : link->local_ip;
}

void scope_check_told(struct core *core, const struct link *to, const char *host,
                      const char *what)
{
    enum addr_scope scope = addr_scope(host);

    if (scope == ADDR_SCOPE_OTHER ||
        (scope == ADDR_SCOPE_LOOPBACK && scope_is_here(to)))
        return;
    scope_warn(core, "%s is announced as %s to other machines, where it means %s", what,
               host, scope == ADDR_SCOPE_ANY ? "nobody" : "whoever hears it");
}
