/*
 * excuse.c - what is not promised. When a healed majority does not come to agree, that
 * is a failure, unless one of these is the reason (INVARIANTS.md says them to users).
 */
#include "tests/sim/check.h"

#include <string.h>

static const char *const texts[EXCUSE_N] = {
#define EXCUSE_X(name, text) text,
    EXCUSE_MAP(EXCUSE_X)
#undef EXCUSE_X
};

const char *excuse_text(enum excuse excuse)
{
    return texts[excuse];
}

/* The sentinels of |set| that run and monitor |group|, stock's among them only
 * |with_stock|; returns how many. */
static int members_of(const struct sim *sim, node_set set, int group, bool with_stock,
                      const struct host *out[SIM_NODES_MAX])
{
    struct view view;
    int n = 0;

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        if (host != NULL && (set >> i & 1) != 0 && (host->kind == NULL || with_stock) &&
            host_view(host, group, &view))
            out[n++] = host;
    }
    return n;
}

static int members(const struct sim *sim, node_set set, int group,
                   const struct host *out[SIM_NODES_MAX])
{
    return members_of(sim, set, group, false, out);
}

/* Given as numbers, and its server has left it: no name tells where that is now. */
static bool is_left(const struct sim *sim, const struct node *node)
{
    return node->link->hostname == NULL &&
           names_now_at(sim, node->addr.ip, node->addr.port) < 0;
}

/* Could |r| be promoted, for all that is known of its data? Its link has been down for
 * longer by now than its last INFO says, which is some seconds old at most. */
static bool is_recent(const struct node *r)
{
    const struct core *core = r->master->core;
    int64_t down_ms = r->link_down_ms;

    if (down_ms > 0 && core->now - r->info_at < 10000)
        down_ms += core->now - r->info_at;
    return down_ms <= core_link_down_max(r->master);
}

/* Nobody has a candidate: each replica lost its master so long before the master was
 * found down that selection refuses it (behaviour.md 14, number 31). */
static bool has_no_candidate(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts);

    for (int i = 0; i < n; i++) {
        const struct master *m = host_master(hosts[i], group);
        if (!m->current->s_down)
            return false;
        for (const struct node *r = m->replicas; r != NULL; r = r->hh.next)
            if (r->priority != 0 && !is_left(sim, r) && is_recent(r))
                return false;
    }
    return true;
}

static bool knows(const struct host *a, const struct host *b, int group);

/* Does |host| know where enough of the others are to be elected? */
static bool can_lead(const struct host *host, const struct host *const hosts[], int n,
                     int group)
{
    const struct master *m = host_master(host, group);
    int64_t n_known = 1;

    for (int i = 0; i < n; i++)
        n_known += hosts[i] != host && knows(host, hosts[i], group);
    return n_known >= m->quorum && n_known > (int64_t)HASH_COUNT(m->voters) / 2;
}

/* The master was made a replica by hand, or has left its address, and RESET or MONITOR
 * made those who could lead forget all replicas that may be promoted: its own replicas
 * are not named by anybody any more. */
static bool have_no_replica(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts), n_leaders = 0;

    if (!world_makes_forget(sim))
        return false;
    for (int i = 0; i < n; i++) {
        const struct master *m = host_master(hosts[i], group);
        if (m->current->role != ROLE_REPLICA && !is_left(sim, m->current))
            return false;
        if (!can_lead(hosts[i], hosts, n, group))
            continue;
        n_leaders++;
        for (const struct node *r = m->replicas; r != NULL; r = r->hh.next)
            if (r->priority != 0 && !is_left(sim, r))
                return false;
    }
    return n_leaders > 0;
}

/* Is |node| a server that |master| knows as well? Where it was once nobody is. */
static bool is_shared(const struct sim *sim, const struct node *node,
                      const struct master *master)
{
    const struct addr *addr = &node->addr;

    if (names_now_at(sim, addr->ip, addr->port) < 0)
        return false;
    if (addr_is(&master->current->addr, addr->ip, addr->port))
        return true;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (addr_is(&n->addr, addr->ip, addr->port))
            return true;
    return false;
}

/* Does |a| know where |b| is? */
static bool knows(const struct host *a, const struct host *b, int group)
{
    struct voter *voter;

    HASH_FIND_STR(host_master(a, group)->voters, b->core->myid, voter);
    return voter != NULL &&
           addr_is(&voter->peer->addr, b->machine->ip, b->machine->port);
}

/* Can |a| and |b| hear of each other? One of them knows the other, or a server that
 * both know carries their hellos. */
static bool can_meet(const struct host *a, const struct host *b, int group)
{
    const struct master *ma = host_master(a, group), *mb = host_master(b, group);
    struct view va, vb;

    if ((ma == NULL || mb == NULL) && host_view(a, group, &va) &&
        host_view(b, group, &vb)) /* a stock sentinel */
        return (va.peers >> b->machine->id & 1) != 0 ||
               (vb.peers >> a->machine->id & 1) != 0 || (va.servers & vb.servers) != 0;
    if (knows(a, b, group) || knows(b, a, group))
        return true;
    if (is_shared(a->sim, ma->current, mb))
        return true;
    for (const struct node *n = ma->replicas; n != NULL; n = n->hh.next)
        if (is_shared(a->sim, n, mb))
            return true;
    return false;
}

/* Could |host| be elected if it knew all of the others whom it can meet? */
static bool could_lead(const struct host *host, const struct host *const hosts[], int n,
                       int group)
{
    const struct master *m = host_master(host, group);
    int64_t n_met = 1, n_voters = HASH_COUNT(m->voters);

    for (int i = 0; i < n; i++) {
        if (hosts[i] == host || !can_meet(host, hosts[i], group))
            continue;
        n_met++;
        n_voters += !knows(host, hosts[i], group);
    }
    return n_met >= m->quorum && n_met > n_voters / 2;
}

/* The master has left its address, and nobody knows, or can meet, enough of the others
 * to be elected. */
static bool are_too_few(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts);

    for (int i = 0; i < n; i++)
        if (!is_left(sim, host_master(hosts[i], group)->current) ||
            could_lead(hosts[i], hosts, n, group))
            return false;
    return n > 0;
}

/* Sentinels that were made to forget each other (RESET, or REMOVE and MONITOR) while
 * they knew different servers have no way to meet again. */
static bool are_estranged(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members_of(sim, set, group, true, hosts), n_met = 1;
    bool met[SIM_NODES_MAX] = {true};

    if (!world_makes_forget(sim) || n == 0)
        return false;
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                if (met[i] && !met[j] && can_meet(hosts[i], hosts[j], group))
                    met[j] = more = true, n_met++;
    }
    return n_met < n || are_too_few(sim, set, group);
}

/* Sentinels that were all made to forget the master, and were told different ones when
 * they were to monitor it again, have no epoch to say who is right (behaviour.md 14,
 * number 23). */
static bool has_no_epoch(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts);

    for (int i = 1; world_has_fault(sim, FAULT_FORGET) && i < n; i++) {
        const struct master *a = host_master(hosts[0], group);
        const struct master *b = host_master(hosts[i], group);
        if (a->config_epoch == 0 && b->config_epoch == 0 &&
            !addr_equal(&a->current->addr, &b->current->addr))
            return true;
    }
    return false;
}

/* Stock compares epochs only: two masters of one config epoch, as failovers by hand can
 * leave them, stay two (behaviour.md 14, number 23). Ours must be of one mind. */
static bool has_stock_tie(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members_of(sim, set, group, true, hosts);
    struct view ours = {.master = -1}, view;
    bool is_tie = false;

    for (int i = 0; i < n; i++) {
        host_view(hosts[i], group, &view);
        if (hosts[i]->kind != NULL)
            continue;
        if (ours.master >= 0 &&
            (view.master != ours.master || view.config_epoch != ours.config_epoch))
            return false;
        ours = view;
    }
    for (int i = 0; i < n; i++) {
        host_view(hosts[i], group, &view);
        is_tie |= hosts[i]->kind != NULL && view.config_epoch == ours.config_epoch &&
                  view.master != ours.master;
    }
    return is_tie;
}

/* Stock that has not seen the failover yet makes the new master a replica of the dead
 * one (+convert-to-slave). Without another server there is nobody to promote. */
static bool was_demoted_by_stock(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts);

    for (int i = 0; i < n; i++) {
        const struct master *m = host_master(hosts[i], group);
        int node = names_node_of(sim, &m->current->addr);
        if (node < 0 || m->current->role != ROLE_REPLICA ||
            (sim->judge->stock_demoted >> node & 1) == 0)
            return false;
        for (const struct node *r = m->replicas; r != NULL; r = r->hh.next)
            if (r->priority != 0 && !r->s_down)
                return false;
    }
    return n > 0;
}

bool excuse_ours_suffice(const struct sim *sim, node_set set, int group)
{
    const struct host *hosts[SIM_NODES_MAX];
    int n = members(sim, set, group, hosts), n_all = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n_all += sim->nodes[i].host != NULL;
    for (int i = 0; i < n; i++)
        if (host_master(hosts[i], group)->quorum > n)
            return false;
    return n >= n_all / 2 + 1;
}

enum excuse excuse_find(const struct sim *sim, node_set set, int group)
{
    if (are_estranged(sim, set, group))
        return EXCUSE_ESTRANGED;
    if (have_no_replica(sim, set, group))
        return EXCUSE_NO_REPLICA;
    if (has_no_candidate(sim, set, group))
        return EXCUSE_NO_CANDIDATE;
    if (has_no_epoch(sim, set, group))
        return EXCUSE_NO_EPOCH;
    if (has_stock_tie(sim, set, group))
        return EXCUSE_STOCK_TIE;
    if (was_demoted_by_stock(sim, set, group))
        return EXCUSE_STOCK_DEMOTED;
    return EXCUSE_NONE;
}
