/*
 * check.c - every invariant of the data. Run after each step in tests.
 */
#include "sentinel/core/internal.h"

static void check_link(const struct core *core, const struct link *link)
{
    uint32_t n_down = 0;

    ASSERT(slots_get(&core->links, link->id) == link);
    ASSERT((link->hostname != NULL) == (link_addr(link)->host != NULL));
    if (link->hostname != NULL) {
        const struct hostname *name;
        HASH_FIND_STR(core->hostnames, link->hostname->key, name);
        ASSERT(name == link->hostname);
        ASSERT(strcasecmp(name->host, link_addr(link)->host) == 0);
    }
    ASSERT((link->node != NULL) != (link->peer != NULL));
    ASSERT_CMP(link->n_in_flight, >=, 0);
    ASSERT(link->cmd.up || link->ping_pending_at != CORE_NEVER);
    ASSERT(!(link->cmd.up && link->cmd.dialling));
    ASSERT(!(link->sub.up && link->sub.dialling));
    if (link->node != NULL) {
        n_down = link->node->s_down ? 1 : 0;
    } else {
        const struct voter *v;
        DL_FOREACH(link->peer->voters, v)
        n_down += v->s_down ? 1 : 0;
    }
    ASSERT_CMP(link->n_down, ==, n_down);
    if (core->started && link->cmd.up)
        ASSERT(heap_has(&link->timer.node));
}

/* A node that could become sdown has a timer for it, unless TILT keeps it from that. */
static void check_node(const struct core *core, const struct master *master,
                       const struct node *node)
{
    ASSERT(node->master == master);
    ASSERT(node->link->node == node);
    check_link(core, node->link);
    if (core->started && !core->tilt && !node->s_down &&
        detect_next(core, node) != CORE_NEVER) {
        ASSERT(heap_has(&node->down_timer.node));
        ASSERT_CMP(node->down_timer.node.at, <=,
                   max_i64(core->now, detect_next(core, node)));
    }
}

static void check_failover(const struct core *core, const struct master *master)
{
    const struct failover *fo = &master->failover;

    ASSERT((fo->promoted != NULL) == (fo->state >= FO_PROMOTE));
    if (fo->promoted != NULL) {
        struct node *found;
        HASH_FIND_STR(master->replicas, fo->promoted->name, found);
        ASSERT(found == fo->promoted);
        ASSERT(fo->promoted != master->current);
    }
    ASSERT(fo->state != FO_SWITCH); /* passed through within a step */
    ASSERT_CMP(master->leader_epoch, <=, core->current_epoch);
    ASSERT_CMP(master->config_epoch, <=, core->current_epoch + CORE_EPOCH_JUMP_MAX);
    if (fo->state != FO_NONE && !core->tilt)
        ASSERT(heap_has(&master->timer.node));
    if (master->o_down && !core->tilt) {
        ASSERT(master->current->s_down);
        ASSERT(heap_has(&master->timer.node));
    }
}

/* One entry for each place, under the name that its address gives it. */
static void check_replicas(const struct master *master)
{
    bool names = core_number(master->core, CORE_OPT_ANNOUNCE_HOSTNAMES) != 0;
    char name[ADDR_NAME_CAP];

    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        ASSERT(n != master->current);
        ASSERT(!addr_equal(&n->addr, &master->current->addr));
        ASSERT(strcmp(n->name, addr_name(&n->addr, names, name)) == 0);
        for (const struct node *other = n->hh.next; other != NULL;
             other = other->hh.next)
            ASSERT(!addr_equal(&n->addr, &other->addr));
    }
}

static void check_hostnames(const struct core *core)
{
    uint32_t n_strays = 0;

    for (const struct hostname *h = core->hostnames; h != NULL; h = h->hh.next) {
        n_strays += h->is_stray;
        ASSERT(!h->is_stray || h->asked_at != CORE_NEVER);
        ASSERT(h->waiters == NULL || h->asked_at != CORE_NEVER);
    }
    ASSERT_CMP(n_strays, ==, core->n_strays);
}

/* Returns how many voters it has. */
static uint32_t check_master(const struct core *core, const struct master *master)
{
    const struct node *n;
    const struct voter *v;

    ASSERT(master->core == core);
    ASSERT(master->current != NULL);
    check_node(core, master, master->current);
    check_replicas(master);
    for (n = master->replicas; n != NULL; n = n->hh.next)
        check_node(core, master, n);
    const struct master *found = core_master_at(
        core, core_host(core, &master->current->addr), master->current->addr.port);
    ASSERT(found != NULL && (found == master || addr_equal(&found->current->addr,
                                                           &master->current->addr)));
    for (v = master->voters; v != NULL; v = v->hh.next) {
        ASSERT(v->master == master);
        ASSERT(v->peer->verified);
        ASSERT(slots_get(&core->voter_ids, v->id) == v);
    }
    /* A stranger is no voter: it is not down, says nothing and has no vote. */
    for (v = master->strangers; v != NULL; v = v->hh.next) {
        ASSERT(v->master == master);
        ASSERT(!v->peer->verified);
        ASSERT(!v->s_down && !v->says_down && v->leader[0] == '\0');
    }
    check_failover(core, master);
    return HASH_COUNT(master->voters) + HASH_COUNT(master->strangers);
}

void core_check(const struct core *core)
{
    uint32_t n_jobs = 0, n_running = 0, n_voters = 0, n_strangers = 0;
    const struct job *job;

    heap_check(&core->timers);
    check_hostnames(core);
    for (const struct master *m = core->masters; m != NULL; m = m->hh.next)
        n_voters += check_master(core, m);
    for (const struct peer *p = core->peers; p != NULL; p = p->hh.next) {
        uint32_t n = 0;
        const struct voter *v;
        ASSERT(peer_find(core, p->run_id) == p);
        ASSERT(strcmp(p->run_id, core->myid) != 0);
        DL_FOREACH(p->voters, v)
        {
            ASSERT(v->peer == p);
            n++;
        }
        n_voters -= n;
        n_strangers += p->verified ? 0 : 1;
        ASSERT_CMP(n, ==, p->n_voters);
        ASSERT_CMP(n, >, 0);
        check_link(core, p->link);
    }
    ASSERT_CMP(n_strangers, ==, core->n_strangers);
    ASSERT_CMP(n_voters, ==, 0); /* as many by master as by peer */
    DL_FOREACH(core->jobs, job)
    {
        n_jobs++;
        n_running += job->running ? 1 : 0;
    }
    ASSERT_CMP(n_jobs, ==, core->n_jobs);
    ASSERT_CMP(n_running, ==, core->n_jobs_running);
    ASSERT_CMP(core->disk_version, <=, core->version);
    ASSERT_CMP(core->disk_epoch, <=, core->current_epoch);
}
