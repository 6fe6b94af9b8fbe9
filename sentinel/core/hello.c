/*
 * hello.c - gossip: eight comma-separated fields on __sentinel__:hello
 * (behaviour.md 5), and companions that prove who wrote them (sign.c).
 */
#include "sentinel/core/internal.h"

#define HELLO_BATCHES 20
#define BAD_HELLO_LOG_MS 10000
#define OWN_PLACES                                                                     \
    (sizeof(((struct core *)NULL)->own_place) /                                        \
     sizeof(((struct core *)NULL)->own_place[0]))
/* Where we told that we are is ours for so long; then it may be somebody else's. */
#define OWN_PLACE_MS 60000
/* A peer that answers where it was, but says hello from elsewhere only, has moved after
 * so many publish periods. */
#define MOVED_PERIODS 3
/* With more replicas than this no rival is learnt: hellos may be forged. */
#define RIVAL_REPLICAS_MAX 64

static void hello_log(struct core *core, const char *text, size_t len, const char *why)
{
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

/* One that is not well-formed, or speaks of what cannot be. */
static void hello_refuse(struct core *core, const char *text, size_t len,
                         const char *why)
{
    core->n_bad_hellos++;
    hello_log(core, text, len, why);
}

/* A hello that what we see ourselves gives the lie to. It changes nothing. */
static void hello_contradict(struct core *core, const struct hello *hello,
                             const char *why)
{
    char text[HELLO_TEXT_MAX];

    core->n_contradicted++;
    snprintf(text, sizeof(text), "%s at %s:%" PRId64 " about %.60s", hello->run_id,
             hello->ip, hello->port, hello->master);
    hello_log(core, text, strlen(text), why);
}

/* ------------------------------------------------------------- who and where ----- */

/* One run id, two addresses: somebody copied a configuration file with its myid, or
 * lies. Votes are asked of the one that answers at the address we know, and count once.
 */
static void hello_tell_twins(struct core *core, struct master *master,
                             const char *run_id, const char *here, const char *there,
                             int64_t *told_at)
{
    if (*told_at != CORE_NEVER && core->now - *told_at < BAD_HELLO_LOG_MS)
        return;
    *told_at = core->now;
    emit_plain(core, LOG_LVL_WARNING, "+duplicate-myid", master, "%s %s %s", run_id,
               here, there);
}

/* "host:port", from the first two fields of a hello. */
static bool hello_is_own_place(const struct core *core, const char *place)
{
    for (uint32_t i = 0; i < core->n_own_places && i < OWN_PLACES; i++)
        if (strcmp(core->own_place[i], place) == 0 &&
            core->now - core->own_place_at[i] <= OWN_PLACE_MS)
            return true;
    return false;
}

/* A hello with our own run id, which does not come back from where we sent it: somebody
 * lies, or is our twin. */
static void hello_on_own_id(struct core *core, const char *place, const char *text,
                            size_t len, const struct companion *companion,
                            bool from_pubsub)
{
    if (companion != NULL ? !sign_is_good(core, companion, text)
                          : core_gossip_auth(core) == GOSSIP_AUTH_REQUIRE)
        return;
    if (!from_pubsub)
        hello_refuse(core, text, len, "it carries our own run id");
    if (hello_is_own_place(core, place) || core->n_own_places == 0)
        return;
    core->twin_at = core->now;
    snprintf(core->twin, sizeof(core->twin), "%s", place);
    hello_tell_twins(core, NULL, core->myid,
                     core->own_place[(core->n_own_places - 1) % OWN_PLACES], place,
                     &core->twin_told_at);
}

/* A verified peer that answers where we know it is said to be at |addr|. It has moved
 * if nothing else has been heard for a while, and is left alone until then. */
static bool hello_has_moved(struct core *core, struct master *master, struct peer *peer,
                            const struct addr *addr)
{
    int64_t patience = MOVED_PERIODS * core_number(core, CORE_OPT_PUBLISH_PERIOD);
    char here[ADDR_NAME_CAP], there[ADDR_NAME_CAP];

    if (peer->rival_at == CORE_NEVER || !addr_equal(&peer->rival, addr)) {
        addr_copy(&peer->rival, addr);
        peer->rival_since = core->now;
    }
    peer->rival_at = core->now;
    bool is_quiet = core->now - peer->heard_at > patience;
    if (is_quiet)
        return core->now - peer->rival_since > patience;
    if (core->now > peer->rival_since)
        hello_tell_twins(core, master, peer->run_id,
                         addr_name(&peer->addr, false, here),
                         addr_name(addr, false, there), &peer->rival_told_at);
    return false;
}

static void hello_move_peer(struct core *core, struct master *master, struct peer *peer,
                            const struct hello *hello, const struct addr *addr)
{
    struct voter *voter = voter_find(master, peer->run_id);

    if (voter != NULL) {
        emit_master(core, LOG_LVL_NOTICE, "+sentinel-address-switch", master,
                    "ip %s port %" PRId64 " for %s", hello->ip, hello->port,
                    hello->run_id);
        if (peer->n_voters > 1)
            emit_voter(core, LOG_LVL_NOTICE, "+sentinel-address-update", voter,
                       "%u additional matching instances", peer->n_voters - 1);
        durable_touch(core, master);
    }
    if (peer->verified && peer->home.port == 0)
        addr_copy(&peer->home, &peer->addr);
    peer_change_address(core, peer, addr);
}

/* May the sender of |hello| be at |addr|? */
static bool hello_place_ok(struct core *core, struct master *master,
                           const struct hello *hello, const struct addr *addr)
{
    struct peer *peer = peer_find(core, hello->run_id);
    const struct peer *holder = peer_at(core, addr, hello->run_id);
    char place[ADDR_NAME_CAP];

    addr_place(place, hello->ip, ':', hello->port);
    if (hello_is_own_place(core, place)) {
        hello_contradict(core, hello, "that is our own address");
        return false;
    }
    if (holder != NULL && peer_answers(core, holder)) {
        hello_contradict(core, hello, "another sentinel answers at that address");
        return false;
    }
    if (peer != NULL && peer->verified && !addr_equal(&peer->addr, addr) &&
        peer_answers(core, peer) && !hello_has_moved(core, master, peer, addr)) {
        hello_contradict(core, hello, "that sentinel answers at another address");
        return false;
    }
    return true;
}

/* The sender is not known at this address. NULL if its hello does not count (yet). */
static struct voter *hello_learn_peer(struct core *core, struct master *master,
                                      const struct hello *hello, const char *text,
                                      size_t len, const struct addr *addr,
                                      bool is_signed)
{
    if (!hello_place_ok(core, master, hello, addr))
        return NULL;
    struct peer *peer = peer_find(core, hello->run_id);
    if (peer != NULL && !addr_equal(&peer->addr, addr))
        hello_move_peer(core, master, peer, hello, addr);
    struct voter *voter = voter_find(master, hello->run_id);
    if (voter != NULL)
        return voter;
    voter = voter_find_stranger(master, hello->run_id);
    if (voter == NULL) {
        bool verified =
            (peer != NULL && peer->verified) || master_remembers(master, hello->run_id);
        voter = peer_add_voter(core, master, hello->run_id, addr, verified);
        if (verified) {
            emit_voter(core, LOG_LVL_NOTICE, "+sentinel", voter, NULL);
            durable_touch(core, master);
            return voter;
        }
    }
    voter->peer->heard_at = core->now;
    mem_free(voter->unread);
    voter->unread = mem_strndup(text, len);
    voter->unread_signed = is_signed;
    return NULL;
}

/* --------------------------------------------------------- the master's address -- */

/* A newer configuration of the master: adopt it (behaviour.md 5.3 step 5). */
static void hello_adopt_config(struct core *core, struct master *master,
                               struct voter *voter, const struct claim *claim,
                               const struct link *from)
{
    const struct claim copy = *claim; /* a switch makes those of peers void */
    struct addr addr = {0};

    claim = &copy;
    /* It keeps the server that we are replacing: our failover is history, and ends with
     * its switch. From there this is a new address like any other. */
    if (master->failover.state == FO_RECONF &&
        resolve_compare(core, &master->current->addr, claim->host, claim->port) ==
            SAME_YES) {
        failover_complete(core, master);
        from = master->current->link; /* the old one's may be gone */
    }
    if (resolve_compare(core, &master->current->addr, claim->host, claim->port) ==
        SAME_YES) {
        master->config_epoch = claim->config_epoch;
        durable_touch_config(core, master);
        return; /* somebody else was quicker to tell */
    }
    /* Not a name without an address: while it has none, the old one serves better. */
    if (resolve_addr(core, &addr, claim->host, claim->port) != 0 || addr.port == 0 ||
        addr.ip[0] == '\0') {
        addr_release(&addr);
        hello_refuse(core, claim->host, strlen(claim->host),
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
               master->current->addr.port, claim->host, claim->port);
    struct addr old = {0};
    addr_copy(&old, &master->current->addr);
    struct node *node = node_find(master, &addr);
    if (node == NULL)
        node = node_add_replica(core, master, &addr);
    master->config_epoch = claim->config_epoch;
    master_switch(core, master, node);
    jobs_reconfig(core, master, "observer", &old, &master->current->addr);
    addr_release(&old);
    addr_release(&addr);
}

static bool node_reports_master(const struct node *node, const char *host, int64_t port)
{
    return node->role == ROLE_REPLICA && node->reported_host != NULL &&
           strcasecmp(node->reported_host, host) == 0 && node->reported_port == port;
}

/* Is |addr| where |host| is, by whichever of its names, as far as we know? */
static bool hello_means(const struct core *core, const struct addr *addr,
                        const char *host, int64_t port)
{
    if (addr_is(addr, host, port))
        return true;
    const char *ip = resolve_known(core, host);
    return ip != NULL && addr_is(addr, ip, port);
}

/* Does |node| report that it is a replica of |addr|? */
static bool node_follows(const struct core *core, const struct node *node,
                         const struct addr *addr)
{
    return node->role == ROLE_REPLICA && node->reported_host != NULL &&
           hello_means(core, addr, node->reported_host, node->reported_port);
}

static bool tie_by_address(const struct node *ours, const struct node *theirs)
{
    int order = strcmp(theirs->addr.ip, ours->addr.ip);

    return order > 0 || (order == 0 && theirs->addr.port > ours->addr.port);
}

/* Ours is down, and too few agree that it is for as long as a failover may take: others
 * who think so, but of another address, may be what is missing. */
static bool tie_lasts(const struct core *core, const struct master *master)
{
    const struct node *ours = master->current;

    return ours->s_down && !master->o_down &&
           core->now - ours->s_down_at > master->failover_timeout_ms;
}

/* Whom |node| follows may be a name that has to be looked up first. */
static bool tie_leader_is_known(struct core *core, const struct node *node)
{
    return node->role != ROLE_REPLICA || node->reported_host == NULL ||
           resolve_learn(core, node->reported_host);
}

/*
 * Two configurations of one epoch that name different masters can come of failovers by
 * hand in two halves of a divided network. Neither is newer, so by epochs alone the
 * halves would disagree for ever (behaviour.md 14, number 23). If both servers really
 * are masters the greater address wins; if ours has become a replica of theirs, or of
 * whomever while theirs is a master, or is down, theirs does. Two replicas, of each
 * other or of a third, are like two masters: who ran after each hello would do so for
 * ever, and hold none of them down; who stayed would never agree that one is down. So
 * it is with two that are down: two addresses that one server has left.
 */
static bool hello_wins_tie(struct core *core, const struct master *master,
                           const struct hello *hello)
{
    const struct node *ours = master->current, *theirs = NULL;

    if (hello->config_epoch != master->config_epoch || hello->config_epoch == 0 ||
        failover_in_progress(master) || core->tilt ||
        hello_means(core, &ours->addr, hello->host, hello->master_port))
        return false;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (hello_means(core, &n->addr, hello->host, hello->master_port))
            theirs = n;
    if (!tie_leader_is_known(core, ours) ||
        (theirs != NULL && !tie_leader_is_known(core, theirs)))
        return false;
    bool is_theirs = theirs != NULL
                         ? node_follows(core, ours, &theirs->addr)
                         : node_reports_master(ours, hello->host, hello->master_port);
    bool is_ours = theirs != NULL && node_follows(core, theirs, &ours->addr);
    if (is_theirs != is_ours)
        return is_theirs;
    if (theirs == NULL)
        return false;
    if (theirs->s_down)
        return tie_lasts(core, master) && tie_by_address(ours, theirs);
    bool are_replicas = ours->role == ROLE_REPLICA && theirs->role == ROLE_REPLICA;
    if (!are_replicas && theirs->role != ROLE_MASTER)
        return ours->s_down; /* theirs may be where ours has moved to */
    if (!are_replicas && (ours->role == ROLE_REPLICA || ours->s_down))
        return true;
    return tie_by_address(ours, theirs);
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
    enum same place = voter == NULL ? SAME_NO
                                    : resolve_compare(core, &voter->peer->addr,
                                                      hello->ip, hello->port);
    if (place == SAME_UNKNOWN || (place == SAME_NO && !resolve_learn(core, hello->ip)))
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

/*
 * We see a healthy master ourselves, and nothing that speaks for the new one: neither
 * does it say that it is a master, nor does anybody follow it. Only asked when the
 * sender cannot be asked itself: what it tells may be true all the same, and is
 * believed as soon as our own master looks less healthy.
 */
static bool hello_is_contradicted(struct core *core, struct master *master,
                                  const struct claim *claim)
{
    struct node *claimed = NULL;

    if (!master_looks_sane(core, master))
        return false;
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        if (n->s_down)
            continue;
        if (addr_is(&n->addr, claim->host, claim->port))
            claimed = n;
        if (node_reports_master(n, claim->host, claim->port))
            return false;
    }
    if (claimed != NULL && claimed->role == ROLE_MASTER)
        return false;
    if (claimed != NULL)
        node_info_soon(core, claimed, 0); /* for the next hello */
    return true;
}

static void claim_contradict(struct core *core, const struct voter *voter,
                             const char *why)
{
    const struct claim *claim = &voter->claim;
    char text[HELLO_TEXT_MAX];

    core->n_contradicted++;
    snprintf(text, sizeof(text), "%.60s at %s:%" PRId64 " by %s", voter->master->name,
             claim->host, claim->port, voter->peer->run_id);
    hello_log(core, text, strlen(text), why);
}

/* The other side of a tie may be a server we do not know, after a RESET: it is looked
 * at before anything is decided. Only a peer that says so itself makes us do that. */
static void hello_learn_rival(struct core *core, struct master *master,
                              const struct claim *claim, const struct link *from)
{
    struct addr addr = {0};

    if (failover_in_progress(master) ||
        addr_is(&master->current->addr, claim->host, claim->port))
        return; /* no tie any more */
    if (resolve_addr(core, &addr, claim->host, claim->port) == 0 && addr.port != 0 &&
        addr.ip[0] != '\0' && node_find(master, &addr) == NULL &&
        HASH_COUNT(master->replicas) < RIVAL_REPLICAS_MAX &&
        scope_accepts(core, from, &addr, "a replica")) {
        struct node *node = node_add_replica(core, master, &addr);
        if (node != NULL)
            emit_node(core, LOG_LVL_NOTICE, "+slave", node, NULL);
    }
    addr_release(&addr);
}

/* Does it name a master we do not know, in a configuration as new as ours? */
static bool hello_names_rival(struct core *core, const struct master *master,
                              const struct hello *hello)
{
    if (hello->config_epoch != master->config_epoch || hello->config_epoch == 0 ||
        failover_in_progress(master) ||
        resolve_compare(core, &master->current->addr, hello->host,
                        hello->master_port) != SAME_NO)
        return false;
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (hello_means(core, &n->addr, hello->host, hello->master_port))
            return false;
    return true;
}

/* A hello names another master. The one who says so is asked over our own connection,
 * whose other end we know; only if that cannot be done, what we see decides. */
static void hello_on_news(struct core *core, struct voter *voter,
                          const struct hello *hello, const struct link *from)
{
    struct claim *claim = &voter->claim;

    claim->config_epoch = hello->config_epoch;
    memcpy(claim->host, hello->host, sizeof(claim->host));
    claim->port = hello->master_port;
    if (claim->asked)
        return;
    if (peer_answers(core, voter->peer) && link_is_open(voter->peer->link))
        command_claim(core, voter);
    else if (hello->config_epoch == voter->master->config_epoch)
        return; /* there is time until it can be asked */
    else if (hello_is_contradicted(core, voter->master, claim))
        claim_contradict(core, voter, "the master we know is well");
    else
        hello_adopt_config(core, voter->master, voter, claim, from);
}

void hello_on_claim(struct core *core, struct voter *voter,
                    const struct resp_value *value)
{
    struct claim *claim = &voter->claim;
    const struct resp_value *item = value->items;
    char port[24];

    claim->asked = false;
    if (claim->host[0] == '\0' || claim->config_epoch < voter->master->config_epoch)
        return;
    snprintf(port, sizeof(port), "%" PRId64, claim->port);
    bool agrees = value->type == RESP_ARRAY && value->n_items == 2 &&
                  item[0].type == RESP_BULK && item[1].type == RESP_BULK &&
                  strcasecmp(item[0].str, claim->host) == 0 &&
                  strcmp(item[1].str, port) == 0;
    if (value->type == RESP_ERROR) /* we may not ask */
        agrees = !hello_is_contradicted(core, voter->master, claim);
    if (!agrees)
        claim_contradict(core, voter, "the sentinel that should say so does not");
    else if (claim->config_epoch == voter->master->config_epoch)
        hello_learn_rival(core, voter->master, claim, voter->master->current->link);
    else
        hello_adopt_config(core, voter->master, voter, claim,
                           voter->master->current->link);
}

/* Epochs and the master's address, as a verified peer tells them. */
static void hello_apply(struct core *core, struct voter *voter,
                        const struct hello *hello, const struct link *from)
{
    struct master *master = voter->master;
    uint64_t epoch = max_u64(hello->epoch, hello->config_epoch);

    voter->hello_at = voter->peer->heard_at = core->now;
    voter->told_epoch = hello->config_epoch;
    /* No configuration is newer than our epoch: a failover of ours would be older. */
    if (epoch > core->current_epoch)
        vote_raise_epoch(core, master, epoch);
    if (hello->config_epoch > master->config_epoch &&
        master->failover.state != FO_RECONF &&
        resolve_compare(core, &master->current->addr, hello->host,
                        hello->master_port) == SAME_YES) {
        master->config_epoch = hello->config_epoch;
        durable_touch_config(core, master);
    } else if (hello_wins_tie(core, master, hello)) {
        struct claim claim = {.config_epoch = hello->config_epoch,
                              .port = hello->master_port};
        memcpy(claim.host, hello->host, sizeof(claim.host));
        hello_adopt_config(core, master, voter, &claim, from);
    } else if (hello->config_epoch > master->config_epoch ||
               hello_names_rival(core, master, hello)) {
        hello_on_news(core, voter, hello, from);
    }
    hello_note_form(core, master, voter, hello);
}

/* The sender could not be asked yet, or lets nobody ask. But if our master itself says
 * that it follows the one that the hello names, and that one that it is a master, there
 * is no need to trust who says so. */
static void hello_from_stranger(struct core *core, struct master *master,
                                const struct hello *hello, const struct link *from)
{
    struct voter *stranger = voter_find_stranger(master, hello->run_id);
    struct claim claim = {.config_epoch = hello->config_epoch,
                          .port = hello->master_port};
    const struct node *theirs = NULL;

    if (stranger == NULL || hello->config_epoch <= master->config_epoch ||
        failover_in_progress(master) || core->tilt ||
        !node_reports_master(master->current, hello->host, hello->master_port))
        return;
    memcpy(claim.host, hello->host, sizeof(claim.host));
    for (const struct node *n = master->replicas; n != NULL; n = n->hh.next)
        if (hello_means(core, &n->addr, hello->host, hello->master_port))
            theirs = n;
    if (theirs == NULL) {
        hello_learn_rival(core, master, &claim, from);
    } else if (theirs->role == ROLE_MASTER && theirs->info_at != CORE_NEVER &&
               !theirs->s_down) {
        if (vote_raise_epoch(core, master, claim.config_epoch))
            hello_adopt_config(core, master, stranger, &claim, from);
    }
}

/* One that may be believed, as far as signatures go. */
static void hello_take(struct core *core, struct master *master,
                       const struct hello *hello, const char *text, size_t len,
                       const struct link *sub, bool is_signed)
{
    struct addr addr = {0};

    if (hello->epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX ||
        hello->config_epoch > core->current_epoch + CORE_EPOCH_JUMP_MAX) {
        hello_refuse(core, text, len, "absurd epoch");
        return;
    }
    struct voter *voter = voter_find(master, hello->run_id);
    const char *name = hello_awaits(core, master, voter, hello);
    if (name != NULL) {
        resolve_then_hello(core, name, text, len, is_signed);
        return;
    }
    const struct link *from = sub != NULL ? sub : master->current->link;
    if (voter == NULL ||
        resolve_compare(core, &voter->peer->addr, hello->ip, hello->port) != SAME_YES) {
        voter = NULL;
        if (resolve_addr(core, &addr, hello->ip, hello->port) != 0 || addr.port == 0 ||
            addr.ip[0] == '\0')
            hello_refuse(core, text, len, "the sender's address cannot be used");
        else if (scope_accepts(core, from, &addr, "a sentinel"))
            voter = hello_learn_peer(core, master, hello, text, len, &addr, is_signed);
        addr_release(&addr);
    }
    if (voter != NULL)
        hello_apply(core, voter, hello, from);
    else
        hello_from_stranger(core, master, hello, from);
}

/* |len| bytes of |text| are a hello, which is plain or came in |companion|. */
static void hello_judge(struct core *core, const char *text, size_t len,
                        const struct companion *companion, const struct link *sub)
{
    char place[ADDR_NAME_CAP];
    struct hello hello;

    const char *wrong = hello_parse(&hello, text, len);
    if (wrong != NULL && sub != NULL &&
        memmem(text, len, core->myid, strlen(core->myid)) != NULL)
        return; /* our own, about a master whose name has a comma in it */
    if (wrong != NULL) {
        hello_refuse(core, text, len, wrong);
        return;
    }
    addr_place(place, hello.ip, ':', hello.port);
    if (strcmp(hello.run_id, core->myid) == 0) {
        if (sub == NULL || !hello_is_own_place(core, place))
            hello_on_own_id(core, place, text, len, companion, sub != NULL);
        return;
    }
    struct master *master = core_master_by_name(core, hello.master);
    if (master == NULL) {
        emit_note(core, "hello about '%s', which is not monitored here", hello.master);
    } else if (companion == NULL) {
        if (sign_accepts_plain(core, master, text, len, hello.run_id, place))
            hello_take(core, master, &hello, text, len, sub, false);
    } else if (sign_accepts(core, master, companion, text, hello.run_id, place)) {
        hello_take(core, master, &hello, text, len, sub, true);
        sign_note(core, master, hello.run_id, companion, text);
    }
}

void hello_on_text(struct core *core, const char *text, size_t len,
                   const struct link *sub)
{
    struct companion companion;

    if (!sign_split(&companion, text, len))
        hello_judge(core, text, len, NULL, sub);
    else if (core_gossip_auth(core) != GOSSIP_AUTH_OFF)
        hello_judge(core, text, companion.hello_len, &companion, sub);
    /* else the plain one says the same */
}

void hello_again(struct core *core, const char *text, size_t len, bool is_signed)
{
    struct hello hello;

    if (!is_signed) {
        hello_on_text(core, text, len, NULL);
        return;
    }
    if (hello_parse(&hello, text, len) != NULL)
        return;
    struct master *master = core_master_by_name(core, hello.master);
    if (master != NULL)
        hello_take(core, master, &hello, text, len, NULL, true);
}

/* So that a hello of ours is recognised when it comes back. */
static void hello_note_own_place(struct core *core, const char *host, int64_t port)
{
    char place[ADDR_NAME_CAP];

    addr_place(place, host, ':', port);
    uint32_t i = 0,
             n = core->n_own_places < OWN_PLACES ? core->n_own_places : OWN_PLACES;
    while (i < n && strcmp(core->own_place[i], place) != 0)
        i++;
    if (i == n)
        i = core->n_own_places++ % OWN_PLACES;
    memcpy(core->own_place[i], place, sizeof(place));
    core->own_place_at[i] = core->now;
}

#define HELLO_PAYLOAD_CAP (HELLO_TEXT_MAX + ADDR_HOST_MAX + SIGN_EXTRA_CAP)

/* What |link| is to be told about |master|; false: nothing now. */
static bool hello_compose(struct core *core, const struct master *master,
                          const struct link *link, char payload[HELLO_PAYLOAD_CAP])
{
    const struct addr *addr = &master_address_node(master)->addr;
    const char *own = scope_own_host(core, link), *host = core_host(core, addr);
    int64_t port = core_number(core, CORE_OPT_ANNOUNCE_PORT);

    if (!link_is_open(link) || own[0] == '\0' || !durable_hello_allowed(master) ||
        (link->peer != NULL && !peer_is_itself(link->peer)))
        return false;
    scope_check_told(core, link, own, "This sentinel");
    scope_check_told(core, link, host, master->name);
    if (port == 0)
        port = core_number(core, CORE_OPT_PORT);
    hello_note_own_place(core, own, port);
    snprintf(payload, HELLO_PAYLOAD_CAP - SIGN_EXTRA_CAP,
             "%s,%" PRId64 ",%s,%" PRIu64 ",%s,%s,%u,%" PRIu64, own, port, core->myid,
             core->disk_epoch, master->name, host, addr->port, master->config_epoch);
    return true;
}

/* The companion of the hello in |payload|. */
static void hello_publish_companion(struct core *core, const struct master *master,
                                    struct link *link, const char *payload)
{
    char companion[HELLO_PAYLOAD_CAP];

    snprintf(companion, sizeof(companion), "%s", payload);
    sign_append(core, master, companion, sizeof(companion));
    command_publish(core, link, master, companion);
}

void hello_publish(struct core *core, struct master *master, struct link *link,
                   struct node *node)
{
    char payload[HELLO_PAYLOAD_CAP];

    if (!hello_compose(core, master, link, payload))
        return;
    /* First, so that the plain one is known when it comes. */
    if (core_gossip_auth(core) != GOSSIP_AUTH_OFF)
        hello_publish_companion(core, master, link, payload);
    command_publish(core, link, master, payload);
    if (node != NULL)
        node->hello_pending = true;
}

void hello_stand(struct core *core, struct master *master, struct link *link)
{
    char payload[HELLO_PAYLOAD_CAP];

    if (core_gossip_auth(core) != GOSSIP_AUTH_OFF &&
        hello_compose(core, master, link, payload))
        hello_publish_companion(core, master, link, payload);
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

    if (!peer->verified) {
        peer_on_stranger_timer(core, peer);
        return;
    }
    if (n_batches == 0 || !peer_is_itself(peer))
        return; /* armed again when it has told who it is */
    uint32_t n = (peer->n_voters + n_batches - 1) / n_batches;
    for (uint32_t i = 0; i < n; i++) {
        if (peer->hello_next == NULL)
            peer->hello_next = peer->voters;
        hello_publish(core, peer->hello_next->master, peer->link, NULL);
        peer->hello_next = peer->hello_next->next;
    }
    timer_arm(core, &peer->hello_timer, core->now + max_i64(1, publish / n_batches));
}
