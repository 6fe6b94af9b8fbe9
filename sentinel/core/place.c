/*
 * place.c - masters by where they are, so that is-master-down-by-addr searches nothing:
 * by numeric address, by host name, and by the name the others use.
 */
#include "sentinel/core/internal.h"

/* "host port", names in lower case. */
static size_t place_key(char key[ADDR_NAME_CAP], const char *host, int64_t port)
{
    size_t len = addr_place(key, host, ' ', port);

    for (size_t i = 0; i < len; i++)
        if (key[i] >= 'A' && key[i] <= 'Z')
            key[i] = (char)(key[i] | 0x20);
    return len;
}

static void place_leave(struct core *core, struct place_user *user)
{
    struct place *place = user->place;

    if (place == NULL)
        return;
    DL_DELETE(place->users, user);
    user->place = NULL;
    if (place->users == NULL) {
        HASH_DEL(core->places, place);
        mem_free(place);
    }
}

static void place_enter(struct core *core, struct master *master, enum place_by by,
                        const char *host)
{
    struct place_user *user = &master->places[by];
    char key[ADDR_NAME_CAP];
    struct place *place;

    place_leave(core, user);
    if (host == NULL || host[0] == '\0')
        return;
    size_t len = place_key(key, host, master->current->addr.port);
    HASH_FIND(hh, core->places, key, len, place);
    if (place == NULL) {
        place = mem_zalloc(sizeof(*place) + len + 1);
        memcpy(place->key, key, len + 1);
        HASH_ADD_KEYPTR(hh, core->places, place->key, len, place);
    }
    user->master = master;
    user->place = place;
    DL_APPEND(place->users, user);
}

void place_forget(struct core *core, struct master *master)
{
    for (int by = 0; by < PLACE_BY_N; by++)
        place_leave(core, &master->places[by]);
    mem_replace(&master->alias, NULL);
}

void master_reindex(struct core *core, struct master *master)
{
    const struct addr *addr = &master->current->addr;

    place_enter(core, master, PLACE_BY_IP, addr->ip);
    place_enter(core, master, PLACE_BY_HOST, addr->host);
    place_enter(core, master, PLACE_BY_ALIAS, master->alias);
}

void master_set_alias(struct core *core, struct master *master, const char *host)
{
    if (host != NULL && master->alias != NULL && strcasecmp(host, master->alias) == 0)
        return;
    mem_replace(&master->alias, host);
    place_enter(core, master, PLACE_BY_ALIAS, host);
}

static struct master *place_find(const struct core *core, const char *host,
                                 int64_t port)
{
    char key[ADDR_NAME_CAP];
    struct place *place;
    size_t len = place_key(key, host, port);

    HASH_FIND(hh, core->places, key, len, place);
    return place != NULL ? place->users->master : NULL;
}

struct master *core_master_at(const struct core *core, const char *host, int64_t port)
{
    char ip[ADDR_IP_CAP];

    if (addr_canon_ip(ip, host))
        return place_find(core, ip, port);
    struct master *master = place_find(core, host, port);
    if (master != NULL)
        return master;
    const char *known = resolve_known(core, host);
    return known != NULL ? place_find(core, known, port) : NULL;
}

bool core_is_master_down(const struct core *core, const char *host, int64_t port)
{
    const struct master *master = core_master_at(core, host, port);

    return master != NULL && !core->tilt && master->current->s_down;
}
