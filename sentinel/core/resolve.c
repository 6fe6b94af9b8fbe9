/*
 * resolve.c - host names waiting for addresses. Looking up is the driver's work and
 * never blocks; one question is under way per name, however many links wait for it.
 */
#include "sentinel/core/internal.h"

struct lookup {
    struct slot_id *links;
    size_t n, cap;
    UT_hash_handle hh;
    char host[];
};

int resolve_addr(struct core *core, struct addr *addr, const char *host, int64_t port)
{
    int status = addr_set(addr, host, port);

    if (status != 0)
        return status;
    if (addr->host != NULL && core_number(core, CORE_OPT_RESOLVE_HOSTNAMES) == 0) {
        addr_release(addr);
        return ERR_SYNTAX;
    }
    return 0;
}

void resolve_ask(struct core *core, struct link *link)
{
    const char *host = link_addr(link)->host;
    struct lookup *lookup;

    HASH_FIND_STR(core->lookups, host, lookup);
    if (lookup == NULL) {
        size_t len = strlen(host);
        lookup = mem_zalloc(sizeof(*lookup) + len + 1);
        memcpy(lookup->host, host, len + 1);
        HASH_ADD_STR(core->lookups, host, lookup);
        emit(core, CORE_AC_RESOLVE)->resolve.host =
            arena_strdup(emit_arena(core), host);
    }
    if (lookup->n == lookup->cap) {
        lookup->cap = lookup->cap == 0 ? 4 : lookup->cap * 2;
        lookup->links = mem_resize(lookup->links, lookup->cap, sizeof(*lookup->links));
    }
    lookup->links[lookup->n++] = link->id;
    link->resolving = true;
}

static void lookup_free(struct core *core, struct lookup *lookup)
{
    HASH_DEL(core->lookups, lookup);
    mem_free(lookup->links);
    mem_free(lookup);
}

void resolve_on_answer(struct core *core, const char *host, const char *ip)
{
    struct lookup *lookup;

    HASH_FIND_STR(core->lookups, host, lookup);
    if (lookup == NULL)
        return;
    if (ip == NULL)
        emit_log(core, LOG_LVL_WARNING, "Failed to resolve hostname '%s'", host);
    for (size_t i = 0; i < lookup->n; i++) {
        struct link *link = slots_get(&core->links, lookup->links[i]);
        if (link != NULL)
            link_on_address(core, link, ip);
    }
    lookup_free(core, lookup);
}

void resolve_release(struct core *core)
{
    struct lookup *lookup, *next;

    HASH_ITER(hh, core->lookups, lookup, next)
    lookup_free(core, lookup);
}
