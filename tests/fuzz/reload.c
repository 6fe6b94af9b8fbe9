/*
 * reload.c - what a core is saved as must bring it back.
 */
#include "tests/fuzz/reload.h"

#include "common/assert.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/state.h"

#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* A place whose name may not be used any more and never had an address: no file that
 * says so can be loaded. */
static bool is_nowhere(const struct core *core, const struct addr *addr)
{
    return addr->ip[0] == '\0' && core->numbers[CORE_OPT_RESOLVE_HOSTNAMES] == 0;
}

static bool is_loadable(const struct core *core)
{
    for (const struct master *m = core->masters; m != NULL; m = m->hh.next) {
        if (is_nowhere(core, &m->current->addr))
            return false;
        for (const struct node *n = m->replicas; n != NULL; n = n->hh.next)
            if (is_nowhere(core, &n->addr))
                return false;
        for (const struct voter *v = m->voters; v != NULL; v = v->hh.next)
            if (is_nowhere(core, &v->peer->addr))
                return false;
    }
    return true;
}

static bool has_names(const struct master *master)
{
    bool found = master->current->addr.host != NULL;

    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        found = found || n->addr.host != NULL;
    return found;
}

static void check_master(const struct master *a, const struct master *b)
{
    const struct addr *addr = &master_address_node(a)->addr;

    ASSERT(b != NULL);
    ASSERT_CMP(addr->port, ==, b->current->addr.port);
    ASSERT_CMP(a->quorum, ==, b->quorum);
    ASSERT_CMP(a->config_epoch, ==, b->config_epoch);
    ASSERT_CMP(a->leader_epoch, ==, b->leader_epoch);
    ASSERT_CMP(a->down_after_ms, ==, b->down_after_ms);
    ASSERT_CMP(a->failover_timeout_ms, ==, b->failover_timeout_ms);
    ASSERT_CMP(a->parallel_syncs, ==, b->parallel_syncs);
    ASSERT_CMP(a->reboot_down_after_ms, ==, b->reboot_down_after_ms);
    ASSERT_CMP(a->forget_replica_ms, ==, b->forget_replica_ms);
    ASSERT_CMP(a->tls, ==, b->tls);
    ASSERT(same_text(a->auth_pass, b->auth_pass));
    ASSERT(same_text(a->auth_user, b->auth_user));
    ASSERT(same_text(a->notification_script, b->notification_script));
    ASSERT(same_text(a->reconfig_script, b->reconfig_script));
    ASSERT_CMP(HASH_COUNT(a->voters), ==, HASH_COUNT(b->voters));
    for (const struct voter *v = a->voters; v != NULL; v = v->hh.next) {
        const struct voter *w;
        HASH_FIND_STR(b->voters, v->peer->run_id, w);
        ASSERT(w != NULL);
    }
    /* With names, several may be found to mean one place. */
    if (!has_names(a)) {
        ASSERT(strcmp(addr->ip, b->current->addr.ip) == 0);
        ASSERT_CMP(HASH_COUNT(a->replicas), ==, HASH_COUNT(b->replicas));
    }
    const struct renamed *r = a->renames, *s = b->renames;
    for (; r != NULL && s != NULL; r = r->next, s = s->next)
        ASSERT(strcmp(r->to, s->to) == 0);
    ASSERT(r == NULL && s == NULL);
}

static void check_core(const struct core *a, const struct core *b)
{
    ASSERT(strcmp(a->myid, b->myid) == 0);
    ASSERT_CMP(a->current_epoch, ==, b->current_epoch);
    ASSERT_CMP(HASH_COUNT(a->masters), ==, HASH_COUNT(b->masters));
    ASSERT(same_text(a->announce_ip, b->announce_ip));
    ASSERT(same_text(a->sentinel_user, b->sentinel_user));
    ASSERT(same_text(a->sentinel_pass, b->sentinel_pass));
    ASSERT_CMP(a->numbers[CORE_OPT_ANNOUNCE_PORT], ==,
               b->numbers[CORE_OPT_ANNOUNCE_PORT]);
    for (const struct master *m = a->masters; m != NULL; m = m->hh.next)
        check_master(m, core_master_by_name(b, m->name));
}

void reload_check_text(const struct core *core, const struct buf *text)
{
    if (!is_loadable(core))
        return;

    struct conf *conf = conf_new();
    struct core *again = core_new(99);
    struct conf_error error = {0};
    struct buf out = {0};

    int rc = conf_read_main_text(conf, buf_text(text), text->len, &error);
    if (rc == 0)
        rc = conf_apply(conf, again, &error);
    if (rc == 0)
        conf_render(conf, again, &out);
    if (rc != 0 || out.len != text->len || memcmp(out.data, text->data, out.len) != 0)
        fprintf(stderr, "---- saved\n%s---- loaded: %d, line %d: %s: %s\n%s----\n",
                buf_text(text), rc, error.line, error.text, error.reason,
                buf_text(&out));
    ASSERT(rc == 0);
    ASSERT_CMP(out.len, ==, text->len);
    ASSERT(memcmp(out.data, text->data, out.len) == 0);
    core_check(again);
    check_core(core, again);
    buf_release(&out);
    core_free(again);
    conf_free(conf);
}

void reload_check(const struct core *core)
{
    struct conf *conf = conf_new();
    struct buf text = {0};

    conf_render(conf, core, &text);
    reload_check_text(core, &text);
    buf_release(&text);
    conf_free(conf);
}
