/*
 * hello.c - gossip: eight comma-separated fields on __sentinel__:hello
 * (behaviour.md 5).
 */
#include "sentinel/core/internal.h"

#define HELLO_FIELDS 8
#define HELLO_TEXT_MAX 1024
#define HELLO_BATCHES 20
#define BAD_HELLO_LOG_MS 10000

struct hello {
    char ip[ADDR_HOST_MAX + 1];
    int64_t port;
    char run_id[RUN_ID_CAP];
    uint64_t epoch;
    char master[HELLO_TEXT_MAX];
    char host[ADDR_HOST_MAX + 1];
    int64_t master_port;
    uint64_t config_epoch;
};

static bool field_copy(char *out, size_t cap, const char *text, size_t len)
{
    if (len == 0 || len >= cap || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* Strict unsigned decimal; epochs above INT64_MAX are refused as absurd. */
static bool field_number(uint64_t *out, const char *text, size_t len)
{
    uint64_t value = 0;

    if (len == 0 || len > 19)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return value <= (uint64_t)INT64_MAX;
}

static bool field_port(int64_t *out, const char *text, size_t len)
{
    uint64_t value;

    if (!field_number(&value, text, len) || value > 65535)
        return false;
    *out = (int64_t)value;
    return true;
}

/* NULL if |text| is a well-formed hello, else what is wrong with it. */
static const char *hello_parse(struct hello *hello, const char *text, size_t len)
{
    struct {
        const char *text;
        size_t len;
    } f[HELLO_FIELDS];
    size_t n = 0;
    const char *end = text + len;

    if (len >= HELLO_TEXT_MAX)
        return "too long";
    while (n < HELLO_FIELDS) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        f[n].text = text;
        f[n++].len = (size_t)((comma != NULL ? comma : end) - text);
        if (comma == NULL)
            break;
        text = comma + 1;
        if (n == HELLO_FIELDS)
            return "more than 8 fields";
    }
    if (n != HELLO_FIELDS)
        return "fewer than 8 fields";
    if (!field_copy(hello->ip, sizeof(hello->ip), f[0].text, f[0].len))
        return "bad address";
    if (!field_port(&hello->port, f[1].text, f[1].len))
        return "bad port";
    if (f[2].len != RUN_ID_LEN ||
        !field_copy(hello->run_id, sizeof(hello->run_id), f[2].text, f[2].len) ||
        !vote_run_id_ok(hello->run_id))
        return "bad run id";
    if (!field_number(&hello->epoch, f[3].text, f[3].len))
        return "bad epoch";
    if (!field_copy(hello->master, sizeof(hello->master), f[4].text, f[4].len))
        return "bad master name";
    if (!field_copy(hello->host, sizeof(hello->host), f[5].text, f[5].len))
        return "bad master address";
    if (!field_port(&hello->master_port, f[6].text, f[6].len))
        return "bad master port";
    if (!field_number(&hello->config_epoch, f[7].text, f[7].len))
        return "bad config epoch";
    return NULL;
}

static void hello_refuse(struct core *core, const char *text, size_t len,
                         const char *why)
{
    core->n_bad_hellos++;
    if (core->bad_hello_logged_at != CORE_NEVER &&
        core->now - core->bad_hello_logged_at < BAD_HELLO_LOG_MS)
        return;
    core->bad_hello_logged_at = core->now;
    char shown[121];
    size_t n = len < sizeof(shown) - 1 ? len : sizeof(shown) - 1;
    for (size_t i = 0; i < n; i++)
        shown[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    shown[n] = '\0';
    emit_log(core, LOG_LVL_WARNING, "Ignored a hello message (%s): '%s'", why, shown);
}

/* The sender is not known at this address: learn it (behaviour.md 5.3 step 3). */
static struct voter *hello_learn_peer(struct core *core, struct master *master,
                                      const struct hello *hello,
                                      const struct addr *addr)
{
    struct voter *voter = voter_find(master, hello->run_id);

    if (voter != NULL) {
        struct peer *peer = voter->peer;
        emit_master(core, LOG_LVL_NOTICE, "+sentinel-address-switch", master,
                    "ip %s port %" PRId64 " for %s", hello->ip, hello->port,
                    hello->run_id);
        peer_change_address(core, peer, addr);
        if (peer->n_voters > 1)
            emit_voter(core, LOG_LVL_NOTICE, "+sentinel-address-update", voter,
                       "%u additional matching instances", peer->n_voters - 1);
        durable_touch(core, master);
        return voter;
    }
    struct voter *other = voter_at(master, addr);
    if (other != NULL) {
        emit_voter(core, LOG_LVL_NOTICE, "+sentinel-invalid-addr", other, NULL);
        struct peer *old = other->peer;
        while (old->voters != NULL && old->voters->next != NULL)
            voter_free(core, old->voters);
        voter_free(core, old->voters); /* the last one takes the peer along */
    }
    voter = peer_add_voter(core, master, hello->run_id, addr);
    emit_voter(core, LOG_LVL_NOTICE, "+sentinel", voter, NULL);
    durable_touch(core, master);
    return voter;
}

/* A newer configuration of the master: adopt it (behaviour.md 5.3 step 5). */
static void hello_adopt_config(struct core *core, struct master *master,
                               struct voter *voter, const struct hello *hello,
                               const struct link *from)
{
    struct addr addr = {0};

    if (resolve_compare(core, &master->current->addr, hello->host,
                        hello->master_port) == SAME_YES) {
        master->config_epoch = hello->config_epoch;
        durable_touch_config(core, master);
        return;
    }
    /* Not a name without an address: while it has none, the old one serves better. */
    if (resolve_addr(core, &addr, hello->host, hello->master_port) != 0 ||
        addr.port == 0 || addr.ip[0] == '\0') {
        addr_release(&addr);
        hello_refuse(core, hello->host, strlen(hello->host),
                     "the new master's address cannot be used");
        return;
    }
    if (!scope_accepts(core, from, &addr, "the new master")) {
        addr_release(&addr);
        return;
    }
    emit_voter(core, LOG_LVL_WARNING, "+config-update-from", voter, NULL);
    emit_plain(core, LOG_LVL_WARNING, "+switch-master", master, "%s %s %u %s %" PRId64,
               master->name, core_host(core, &master->current->addr),
               master->current->addr.port, hello->host, hello->master_port);
    struct addr old = {0};
    addr_copy(&old, &master->current->addr);
    struct node *node = node_find(master, &addr);
    if (node == NULL)
        node = node_add_replica(core, master, &addr);
    master->config_epoch = hello->config_epoch;
    master_switch(core, master, node);
    jobs_reconfig(core, master, "observer", &old, &master->current->addr);
    addr_release(&old);
    addr_release(&addr);
}

/*
 * Two configurations of one epoch that name different masters can come of failovers by
 * hand in two halves of a divided network. Neither is newer, so by epochs alone the
 * halves would disagree for ever (behaviour.md 14, number 23). If both servers really
 * are masters the greater address wins; if ours has become a replica, of theirs or of
 * whomever, theirs does.
 */
static bool hello_wins_tie(const struct core *core, const struct master *master,
                           const struct hello *hello)
{
    const struct node *ours = master->current, *theirs = NULL;

    if (hello->config_epoch != master->config_epoch || hello->config_epoch == 0 ||
        failover_in_progress(master) || core->tilt ||
        addr_is(&ours->addr, hello->host, hello->master_port))
        return false;
    if (ours->role == ROLE_REPLICA && ours->reported_host != NULL &&
        strcasecmp(ours->reported_host, hello->host) == 0 &&
        ours->reported_port == hello->master_port)
        return true;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (addr_is(&n->addr, hello->host, hello->master_port))
            theirs = n;
    if (theirs == NULL || theirs->role != ROLE_MASTER || theirs->s_down)
        return false;
    if (ours->role == ROLE_REPLICA)
        return true;
    int order = strcmp(theirs->addr.ip, ours->addr.ip);
    return order > 0 || (order == 0 && theirs->addr.port > ours->addr.port);
}

/* Does |hello| name a replica of |master| as we call it? */
static bool hello_names_replica(const struct master *master, const struct hello *hello)
{
    const struct node *node = master->replicas;

    while (node != NULL && !addr_is(&node->addr, hello->host, hello->master_port))
        node = node->hh.next;
    return node != NULL;
}

/* Names in |hello| that must be looked up before it can be judged; NULL if none. */
static const char *hello_awaits(struct core *core, const struct master *master,
                                const struct voter *voter, const struct hello *hello)
{
    if ((voter == NULL && !resolve_learn(core, hello->ip)) ||
        (voter != NULL && resolve_compare(core, &voter->peer->addr, hello->ip,
                                          hello->port) == SAME_UNKNOWN))
        return hello->ip;
    bool is_newer = hello->config_epoch > master->config_epoch &&
                    !hello_names_replica(master, hello);
    enum same same =
        resolve_compare(core, &master->current->addr, hello->host, hello->master_port);
    return is_newer && (same == SAME_UNKNOWN ||
                        (same == SAME_NO && !resolve_learn(core, hello->host)))
               ? hello->host
               : NULL;
}

/* In which form |voter| speaks of the master, whose configuration we agree on: it may
 * be asked in that form only, and ask us in it. */
static void hello_note_form(struct core *core, struct master *master,
                            struct voter *voter, const struct hello *hello)
{
    if (hello->config_epoch != master->config_epoch ||
        hello->master_port != master->current->addr.port)
        return;
    voter->says_ip = !addr_is_name(hello->host);
    node_learn_name(core, master->current, hello->host);
    if (!voter->says_ip && core_number(core, CORE_OPT_RESOLVE_HOSTNAMES) == 0 &&
        !addr_is(&master->current->addr, hello->host, hello->master_port))
        master_set_alias(core, master, hello->host);
}

void hello_on_text(struct core *core, const char *text, size_t len,
                   const struct link *sub)
{
    struct hello hello;
    struct addr addr = {0};

    if (sub != NULL) {
        for (size_t i = 0; i + RUN_ID_LEN <= len; i++)
            if (memcmp(text + i, core->myid, RUN_ID_LEN) == 0)
                return; /* our own, coming back */
    }
    const char *wrong = hello_parse(&hello, text, len);
    if (wrong != NULL) {
        hello_refuse(core, text, len, wrong);
        return;
    }
    struct master *master = core_master_by_name(core, hello.master);
    if (master == NULL) {
        emit_note(core, "hello about '%s', which is not monitored here", hello.master);
        return;
    }
    if (strcmp(hello.run_id, core->myid) == 0) {
        hello_refuse(core, text, len, "it carries our own run id");
        return;
    }
    if (hello.epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX ||
        hello.config_epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX) {
        hello_refuse(core, text, len, "absurd epoch");
        return;
    }
    struct voter *voter = voter_find(master, hello.run_id);
    const char *name = hello_awaits(core, master, voter, &hello);
    if (name != NULL) {
        resolve_then_hello(core, name, text, len);
        return;
    }
    const struct link *from = sub != NULL ? sub : master->current->link;
    if (voter == NULL ||
        resolve_compare(core, &voter->peer->addr, hello.ip, hello.port) != SAME_YES) {
        if (resolve_addr(core, &addr, hello.ip, hello.port) != 0 || addr.port == 0 ||
            addr.ip[0] == '\0') {
            addr_release(&addr);
            hello_refuse(core, text, len, "the sender's address cannot be used");
            return;
        }
        if (!scope_accepts(core, from, &addr, "a sentinel")) {
            addr_release(&addr);
            return;
        }
        voter = hello_learn_peer(core, master, &hello, &addr);
        addr_release(&addr);
    }
    voter->hello_at = core->now;
    /* No configuration is newer than our epoch: a failover of ours would be older. */
    uint64_t epoch = max_u64(hello.epoch, hello.config_epoch);
    if (epoch > core->current_epoch)
        vote_raise_epoch(core, master, epoch);
    if (hello.config_epoch > master->config_epoch ||
        hello_wins_tie(core, master, &hello))
        hello_adopt_config(core, master, voter, &hello, from);
    hello_note_form(core, master, voter, &hello);
}

void hello_publish(struct core *core, struct master *master, struct link *link,
                   struct node *node)
{
    char payload[HELLO_TEXT_MAX + ADDR_HOST_MAX];
    const struct addr *addr = &master_address_node(master)->addr;
    const char *own = scope_own_host(core, link), *host = core_host(core, addr);
    int64_t port = core_number(core, CORE_OPT_ANNOUNCE_PORT);

    if (!link_is_open(link) || own[0] == '\0' || !durable_hello_allowed(master))
        return;
    scope_check_told(core, link, own, "This sentinel");
    scope_check_told(core, link, host, master->name);
    if (port == 0)
        port = core_number(core, CORE_OPT_PORT);
    snprintf(payload, sizeof(payload),
             "%s,%" PRId64 ",%s,%" PRIu64 ",%s,%s,%u,%" PRIu64, own, port, core->myid,
             core->disk_epoch, master->name, host, addr->port, master->config_epoch);
    command_publish(core, link, master, payload, node != NULL);
    if (node != NULL)
        node->hello_pending = true;
}

void hello_publish_all(struct core *core, struct master *master)
{
    int64_t publish = core_number(core, CORE_OPT_PUBLISH_PERIOD);

    hello_publish(core, master, master->current->link, master->current);
    master->current->hello_due_at = core->now + publish;
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        hello_publish(core, master, n->link, n);
        n->hello_due_at = core->now + publish;
    }
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next)
        hello_publish(core, master, v->peer->link, NULL);
}

/* Peers get one hello per master and period, in up to HELLO_BATCHES lots, so that those
 * of a thousand masters leave in few writes and not all at once. */
void hello_on_peer_timer(struct core *core, struct peer *peer)
{
    int64_t publish = core_number(core, CORE_OPT_PUBLISH_PERIOD);
    uint32_t n_batches =
        peer->n_voters < HELLO_BATCHES ? peer->n_voters : HELLO_BATCHES;

    if (n_batches == 0 || !peer->link->cmd.up)
        return; /* armed again when the link is up */
    uint32_t n = (peer->n_voters + n_batches - 1) / n_batches;
    for (uint32_t i = 0; i < n; i++) {
        if (peer->hello_next == NULL)
            peer->hello_next = peer->voters;
        hello_publish(core, peer->hello_next->master, peer->link, NULL);
        peer->hello_next = peer->hello_next->next;
    }
    timer_arm(core, &peer->hello_timer, core->now + max_i64(1, publish / n_batches));
}
