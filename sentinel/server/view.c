/*
 * view.c - a master, a replica or a sentinel as the fields clients see (interface.md
 * 3.20). The order of fields and flags is part of the interface.
 */
#include "common/assert.h"
#include "sentinel/server/internal.h"

#include <string.h>

/* All flags of a row at once have well under this many bytes. */
#define VIEW_FLAGS_CAP 256

struct view_flags {
    char text[VIEW_FLAGS_CAP];
    size_t len;
};

static void view_flag(struct view_flags *flags, bool is_set, const char *word)
{
    if (!is_set)
        return;
    if (flags->len > 0)
        flags->text[flags->len++] = ',';
    size_t len = strlen(word);
    ASSERT(flags->len + len + 2 < sizeof(flags->text)); /* a comma and the NUL */
    memcpy(flags->text + flags->len, word, len + 1);
    flags->len += len;
}

/* Inline, so that the length of each field's name is a constant. */
static inline void view_text(struct buf *out, const char *field, const char *value)
{
    resp_bulk(out, field, strlen(field));
    resp_bulk_str(out, value != NULL ? value : "");
}

static inline void view_int(struct buf *out, const char *field, int64_t value)
{
    resp_bulk(out, field, strlen(field));
    resp_bulk_int(out, value);
}

static inline void view_uint(struct buf *out, const char *field, uint64_t value)
{
    resp_bulk(out, field, strlen(field));
    resp_bulk_uint(out, value);
}

static inline void view_since(const struct server *server, struct buf *out,
                              const char *field, int64_t at)
{
    view_int(out, field, server_ms_since(server, at));
}

/* Fields 9 to 11. */
static void view_pings(const struct server *server, struct buf *out,
                       const struct link *link)
{
    view_since(server, out, "last-ping-sent", link->ping_pending_at);
    view_since(server, out, "last-ok-ping-reply", link->avail_at);
    view_since(server, out, "last-ping-reply", link->pong_at);
}

static bool view_in_failover(const struct node *node)
{
    return node_is_master(node) && node->master->failover.state != FO_NONE;
}

static void view_node_flags(const struct node *node, struct view_flags *flags)
{
    const struct master *master = node->master;
    bool is_master = node_is_master(node);

    view_flag(flags, node->s_down, "s_down");
    view_flag(flags, is_master && master->o_down, "o_down");
    view_flag(flags, true, is_master ? "master" : "slave");
    view_flag(flags, link_is_disconnected(node->link), "disconnected");
    view_flag(flags, view_in_failover(node), "failover_in_progress");
    view_flag(flags, master->failover.promoted == node, "promoted");
    view_flag(flags, node->reconf == RECONF_SENT, "reconf_sent");
    view_flag(flags, node->reconf == RECONF_INPROG, "reconf_inprog");
    view_flag(flags, node->reconf == RECONF_DONE, "reconf_done");
    view_flag(flags, view_in_failover(node) && master->failover.forced,
              "force_failover");
    view_flag(flags, node->script_kill_sent, "script_kill_sent");
    view_flag(flags, is_master && node->rebooted, "master_reboot");
}

static size_t view_count_fields(const struct node *node)
{
    const struct master *master = node->master;
    size_t refusals = node->link->refusals != NULL ? 1 : 0;

    if (!node_is_master(node))
        return 21 + (size_t)(node->s_down ? 1 : 0) + refusals;
    return 20 + refusals + (size_t)(view_in_failover(node) ? 1 : 0) +
           (node->s_down ? 1 : 0) + (master->o_down ? 1 : 0) +
           (master->notification_script != NULL ? 1 : 0) +
           (master->reconfig_script != NULL ? 1 : 0);
}

/* The last field, while there is something to say. */
static void view_refusals(struct buf *out, const struct link *link)
{
    struct buf text = {0};

    if (link_refusals(link, &text))
        view_text(out, "auth-error", buf_text(&text));
    buf_release(&text);
}

/* Fields 18 to 25. */
static void view_write_master_part(struct buf *out, const struct master *master)
{
    view_uint(out, "config-epoch", master->config_epoch);
    view_uint(out, "num-slaves", HASH_COUNT(master->replicas));
    view_uint(out, "num-other-sentinels", HASH_COUNT(master->voters));
    view_int(out, "quorum", master->quorum);
    view_int(out, "failover-timeout", master->failover_timeout_ms);
    view_int(out, "parallel-syncs", master->parallel_syncs);
    if (master->notification_script != NULL)
        view_text(out, "notification-script", master->notification_script);
    if (master->reconfig_script != NULL)
        view_text(out, "client-reconfig-script", master->reconfig_script);
}

/* Fields 26 to 32. */
static void view_write_replica_part(struct buf *out, const struct node *node)
{
    view_int(out, "master-link-down-time", node->link_down_ms);
    view_text(out, "master-link-status", node->reported_link_up ? "ok" : "err");
    view_text(out, "master-host",
              node->reported_host != NULL ? node->reported_host : "?");
    view_int(out, "master-port", node->reported_port);
    view_int(out, "slave-priority", node->priority);
    view_uint(out, "slave-repl-offset", node->offset);
    view_int(out, "replica-announced", node->announced ? 1 : 0);
}

void view_write_node(const struct server *server, struct buf *out, int proto,
                     const struct node *node)
{
    const struct master *master = node->master;
    bool is_master = node_is_master(node);
    struct view_flags flags = {.len = 0};

    view_node_flags(node, &flags);
    resp_map(out, proto, view_count_fields(node));
    view_text(out, "name", is_master ? master->name : node->name);
    view_text(out, "ip", core_host(server->core, &node->addr));
    view_int(out, "port", node->addr.port);
    view_text(out, "runid", node->run_id);
    view_text(out, "flags", flags.text);
    view_int(out, "link-pending-commands", node->link->n_in_flight);
    view_int(out, "link-refcount", 1);
    if (view_in_failover(node))
        view_text(out, "failover-state", failover_state_name(master->failover.state));
    view_pings(server, out, node->link);
    if (node->s_down)
        view_since(server, out, "s-down-time", node->s_down_at);
    if (is_master && master->o_down)
        view_since(server, out, "o-down-time", master->o_down_at);
    view_int(out, "down-after-milliseconds", master->down_after_ms);
    view_since(server, out, "info-refresh", node->info_at);
    view_text(out, "role-reported", node->role == ROLE_MASTER ? "master" : "slave");
    view_since(server, out, "role-reported-time", node->role_at);
    if (is_master)
        view_write_master_part(out, master);
    else
        view_write_replica_part(out, node);
    view_refusals(out, node->link);
}

void view_write_voter(const struct server *server, struct buf *out, int proto,
                      const struct voter *voter)
{
    const struct peer *peer = voter->peer;
    struct view_flags flags = {.len = 0};

    view_flag(&flags, voter->s_down, "s_down");
    view_flag(&flags, true, "sentinel");
    view_flag(&flags, link_is_disconnected(peer->link), "disconnected");
    view_flag(&flags, core_voter_says_down(server->core, voter), "master_down");

    bool has_rival = peer_has_rival(server->core, peer);
    bool has_auth = core_gossip_auth(server->core) != GOSSIP_AUTH_OFF;
    char rival[ADDR_NAME_CAP];

    resp_map(out, proto,
             14 + (size_t)(voter->s_down ? 1 : 0) + (has_rival ? 1 : 0) +
                 (has_auth ? 2 : 0) + (size_t)(peer->link->refusals != NULL ? 1 : 0));
    view_text(out, "name", peer->run_id);
    view_text(out, "ip", core_host(server->core, &peer->addr));
    view_int(out, "port", peer->addr.port);
    view_text(out, "runid", peer->run_id);
    view_text(out, "flags", flags.text);
    view_int(out, "link-pending-commands", peer->link->n_in_flight);
    view_uint(out, "link-refcount", peer->n_voters);
    view_pings(server, out, peer->link);
    if (voter->s_down)
        view_since(server, out, "s-down-time", voter->s_down_at);
    view_int(out, "down-after-milliseconds", voter->master->down_after_ms);
    view_since(server, out, "last-hello-message", voter->hello_at);
    view_text(out, "voted-leader", voter->leader[0] != '\0' ? voter->leader : "?");
    view_uint(out, "voted-leader-epoch", voter->leader_epoch);
    if (has_rival) /* the same run id is announced from there as well */
        view_text(out, "duplicate-myid-at", addr_name(&peer->rival, false, rival));
    if (has_auth) {
        bool is_signer = core_is_signer(server->core, peer->run_id);
        view_text(out, "hello-signed", is_signer ? "yes" : "no");
        view_uint(out, "hellos-refused", peer->n_refused_hellos);
    }
    view_refusals(out, peer->link);
}
