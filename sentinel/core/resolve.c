/*
 * resolve.c - host names and what they stand for. Looking up is the driver's work and
 * never blocks; what came of it last stays known, so that a question can be answered,
 * and a connection dialled, while a name server is silent.
 */
#include "sentinel/core/internal.h"

/* Names that are remembered. */
#define NAMES_MAX 4096
/* Look-ups at once of names that are only heard of: no link of ours needs them. */
#define STRAYS_MAX 64
/* That two names do not mean the same is concluded from answers younger than this. */
#define FRESH_MS 10000
#define FRESH_FAILURE_MS 3000
/* What waits for one name. */
#define WAITERS_MAX 64

enum waiter_kind { WAIT_INFO, WAIT_HELLO, WAIT_MONITOR };

/* Something that goes on when a name has been looked up. */
struct waiter {
    enum waiter_kind kind;
    struct slot_id link; /* WAIT_INFO: of the node that is asked again */
    char *text;          /* WAIT_HELLO: the message; WAIT_MONITOR: the master's name */
    size_t len;
    bool is_signed; /* WAIT_HELLO */
    struct core_request monitor;
    struct waiter *prev, *next;
};

static bool resolve_is_on(const struct core *core)
{
    return core_number(core, CORE_OPT_RESOLVE_HOSTNAMES) != 0;
}

bool core_may_learn(const struct core *core, const char *host)
{
    return resolve_is_on(core) && addr_is_name(host);
}

/* ------------------------------------------------------------------- the table --- */

static void waiter_free(struct waiter *waiter)
{
    mem_free(waiter->text);
    mem_free(waiter);
}

static void hostname_free(struct core *core, struct hostname *name)
{
    struct waiter *waiter, *next;

    DL_FOREACH_SAFE(name->waiters, waiter, next)
    waiter_free(waiter);
    HASH_DEL(core->hostnames, name);
    mem_free(name->host);
    mem_free(name);
}

static void hostnames_prune(struct core *core)
{
    struct hostname *name, *next;

    HASH_ITER(hh, core->hostnames, name, next)
    {
        if (name->links == NULL && name->asked_at == CORE_NEVER)
            hostname_free(core, name);
    }
}

static size_t hostname_key(char key[ADDR_HOST_MAX + 1], const char *host)
{
    size_t len = strlen(host);

    ASSERT_CMP(len, <=, ADDR_HOST_MAX);
    for (size_t i = 0; i <= len; i++)
        key[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
    return len;
}

static struct hostname *hostname_find(const struct core *core, const char *host)
{
    char key[ADDR_HOST_MAX + 1];
    struct hostname *name;
    size_t len = hostname_key(key, host);

    HASH_FIND(hh, core->hostnames, key, len, name);
    return name;
}

static struct hostname *hostname_add(struct core *core, const char *host)
{
    char key[ADDR_HOST_MAX + 1];
    size_t len = hostname_key(key, host);
    struct hostname *name = mem_zalloc(sizeof(*name) + len + 1);

    memcpy(name->key, key, len + 1);
    name->host = mem_strdup(host);
    name->asked_at = name->answered_at = CORE_NEVER;
    HASH_ADD_KEYPTR(hh, core->hostnames, name->key, len, name);
    return name;
}

/* For a name that no link has; NULL if there are too many. */
static struct hostname *hostname_stray(struct core *core, const char *host)
{
    struct hostname *name = hostname_find(core, host);

    if (name != NULL)
        return name;
    if (HASH_COUNT(core->hostnames) >= NAMES_MAX)
        hostnames_prune(core);
    return HASH_COUNT(core->hostnames) < NAMES_MAX ? hostname_add(core, host) : NULL;
}

void resolve_attach(struct core *core, struct link *link)
{
    const char *host = link_addr(link)->host;

    resolve_detach(link);
    if (host == NULL)
        return;
    link->hostname = hostname_find(core, host);
    if (link->hostname == NULL)
        link->hostname = hostname_add(core, host);
    DL_APPEND2(link->hostname->links, link, name_prev, name_next);
    link->ask_due_at = core->now;
    link->ask_pause_ms = 0;
    link->confirm = false;
}

/* The name itself stays known until the table is full. */
void resolve_detach(struct link *link)
{
    if (link->hostname != NULL)
        DL_DELETE2(link->hostname->links, link, name_prev, name_next);
    link->hostname = NULL;
}

void resolve_release(struct core *core)
{
    struct hostname *name, *next;

    HASH_ITER(hh, core->hostnames, name, next)
    hostname_free(core, name);
}

/* ------------------------------------------------------------------- questions --- */

void resolve_ask(struct core *core, struct hostname *name)
{
    if (name->asked_at != CORE_NEVER || !resolve_is_on(core))
        return;
    if (name->links == NULL) {
        if (core->n_strays >= STRAYS_MAX)
            return;
        core->n_strays++;
        name->is_stray = true;
    }
    name->asked_at = core->now;
    emit(core, CORE_AC_RESOLVE)->resolve.host =
        arena_strdup(emit_arena(core), name->host);
}

static bool hostname_is_fresh(const struct core *core, const struct hostname *name)
{
    int64_t limit = name->is_failing ? FRESH_FAILURE_MS : FRESH_MS;

    return name->answered_at != CORE_NEVER && core->now - name->answered_at < limit;
}

/* A look-up of |host| if its last one is too old; NULL if nothing has to be, or can be,
 * waited for. */
static struct hostname *hostname_refresh(struct core *core, const char *host)
{
    if (core->actions == NULL || !core_may_learn(core, host))
        return NULL;
    struct hostname *name = hostname_stray(core, host);
    if (name == NULL || hostname_is_fresh(core, name))
        return NULL;
    resolve_ask(core, name);
    return name->asked_at != CORE_NEVER ? name : NULL;
}

bool resolve_learn(struct core *core, const char *host)
{
    return hostname_refresh(core, host) == NULL;
}

int resolve_addr(struct core *core, struct addr *addr, const char *host, int64_t port)
{
    int status = addr_set(addr, host, port);

    if (status != 0 || addr->host == NULL)
        return status;
    if (!resolve_is_on(core)) {
        addr_release(addr);
        return ERR_SYNTAX;
    }
    const struct hostname *name = hostname_find(core, host);
    if (name != NULL)
        addr_set_ip(addr, name->ip);
    return 0;
}

const char *resolve_known(const struct core *core, const char *host)
{
    if (!resolve_is_on(core) || strlen(host) > ADDR_HOST_MAX)
        return NULL;
    const struct hostname *name = hostname_find(core, host);
    return name != NULL && name->ip[0] != '\0' ? name->ip : NULL;
}

enum same resolve_compare(struct core *core, const struct addr *addr, const char *host,
                          int64_t port)
{
    if (addr_is(addr, host, port))
        return SAME_YES;
    if (port != addr->port)
        return SAME_NO;
    if (addr->ip[0] == '\0' && addr->host != NULL &&
        hostname_refresh(core, addr->host) != NULL)
        return SAME_UNKNOWN;
    const char *ip = resolve_known(core, host);
    if (ip != NULL && strcmp(ip, addr->ip) == 0)
        return SAME_YES;
    return hostname_refresh(core, host) != NULL ? SAME_UNKNOWN : SAME_NO;
}

/* --------------------------------------------------------------------- waiting --- */

static struct waiter *waiter_add(struct core *core, const char *host,
                                 enum waiter_kind kind)
{
    struct hostname *name = hostname_refresh(core, host);

    if (name == NULL || name->n_waiters >= WAITERS_MAX)
        return NULL;
    struct waiter *waiter = mem_zalloc(sizeof(*waiter));
    waiter->kind = kind;
    DL_APPEND(name->waiters, waiter);
    name->n_waiters++;
    return waiter;
}

void resolve_then_info(struct core *core, const char *host, const struct node *node)
{
    struct waiter *waiter = waiter_add(core, host, WAIT_INFO);

    if (waiter != NULL)
        waiter->link = node->link->id;
}

void resolve_then_hello(struct core *core, const char *host, const char *text,
                        size_t len, bool is_signed)
{
    const struct hostname *name = hostname_find(core, host);
    struct waiter *waiter;

    /* The same message comes through each server. */
    DL_FOREACH(name != NULL ? name->waiters : NULL, waiter)
    {
        if (waiter->kind == WAIT_HELLO && waiter->is_signed == is_signed &&
            waiter->len == len && memcmp(waiter->text, text, len) == 0)
            return;
    }
    waiter = waiter_add(core, host, WAIT_HELLO);
    if (waiter == NULL)
        return;
    waiter->text = mem_strndup(text, len);
    waiter->len = len;
    waiter->is_signed = is_signed;
}

bool resolve_then_monitor(struct core *core, const struct core_request *rq)
{
    struct waiter *waiter = waiter_add(core, rq->host, WAIT_MONITOR);

    if (waiter == NULL)
        return false;
    waiter->text = mem_strdup(rq->name);
    waiter->monitor.type = CORE_RQ_MONITOR;
    waiter->monitor.client = rq->client;
    waiter->monitor.port = rq->port;
    waiter->monitor.number = rq->number;
    return true;
}

static void waiter_run(struct core *core, struct waiter *waiter, const char *host)
{
    struct link *link;

    switch (waiter->kind) {
    case WAIT_INFO:
        link = slots_get(&core->links, waiter->link);
        if (link != NULL && link->node != NULL)
            node_info_soon(core, link->node, 0);
        break;
    case WAIT_HELLO:
        hello_again(core, waiter->text, waiter->len, waiter->is_signed);
        break;
    case WAIT_MONITOR:
        waiter->monitor.name = waiter->text;
        waiter->monitor.host = host;
        request_handle(core, &waiter->monitor);
        break;
    }
    waiter_free(waiter);
}

/* --------------------------------------------------------------------- answers --- */

/* Says what a person must know, once per change. */
static void hostname_note(struct core *core, struct hostname *name, const char *ip)
{
    bool was_failing = name->is_failing;

    name->is_failing = ip == NULL;
    if (name->is_failing && !was_failing && name->links != NULL)
        emit_log(core, LOG_LVL_WARNING, "Failed to resolve hostname '%s'", name->host);
    if (ip == NULL)
        return;
    if (name->ip[0] != '\0' && strcmp(name->ip, ip) != 0 && name->links != NULL)
        emit_log(core, LOG_LVL_NOTICE, "Hostname '%s' now means %s, it was %s",
                 name->host, ip, name->ip);
    else if (was_failing && name->links != NULL)
        emit_log(core, LOG_LVL_NOTICE, "Hostname '%s' resolves again: %s", name->host,
                 ip);
    memmove(name->ip, ip, strlen(ip) + 1);
}

/* Each link that has the name. It may be gone, or have another address, when its turn
 * comes. */
static void hostname_tell_links(struct core *core, const struct hostname *name,
                                const char *ip)
{
    struct link *link;
    size_t n = 0;

    DL_FOREACH2(name->links, link, name_next)
    n++;
    struct slot_id *ids = arena_alloc(emit_arena(core), n * sizeof(*ids) + 1);
    n = 0;
    DL_FOREACH2(name->links, link, name_next)
    ids[n++] = link->id;
    for (size_t i = 0; i < n; i++) {
        link = slots_get(&core->links, ids[i]);
        if (link != NULL && link->hostname == name)
            link_on_address(core, link, ip);
    }
}

void resolve_on_answer(struct core *core, const char *host, const char *ip)
{
    struct hostname *name =
        strlen(host) <= ADDR_HOST_MAX ? hostname_find(core, host) : NULL;

    if (name == NULL || (name->asked_at == CORE_NEVER && ip == NULL))
        return;
    name->asked_at = CORE_NEVER;
    name->answered_at = core->now;
    if (name->is_stray)
        core->n_strays--;
    name->is_stray = false;
    hostname_note(core, name, ip);

    struct waiter *waiters = name->waiters, *waiter, *next;
    char *copy = arena_strdup(emit_arena(core), name->host);
    name->waiters = NULL;
    name->n_waiters = 0;
    hostname_tell_links(core, name, ip);
    DL_FOREACH_SAFE(waiters, waiter, next)
    waiter_run(core, waiter, copy);
}

/* -------------------------------------------------------------------- settings --- */

bool resolve_may_be_off(const struct core *core, struct error *err)
{
    const struct hostname *name, *next;
    const struct link *link;

    HASH_ITER(hh, core->hostnames, name, next)
    {
        DL_FOREACH2(name->links, link, name_next)
        {
            if (link_addr(link)->ip[0] != '\0')
                continue;
            error_set(err, ERR_RANGE,
                      "Host name '%s' has no address yet: without names its place "
                      "would be lost",
                      name->host);
            return false;
        }
    }
    return true;
}

void resolve_switched(struct core *core)
{
    struct hostname *name, *next;
    struct link *link;

    HASH_ITER(hh, core->hostnames, name, next)
    {
        DL_FOREACH2(name->links, link, name_next)
        link_refresh(core, link);
    }
}
