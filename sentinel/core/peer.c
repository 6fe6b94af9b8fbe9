/*
 * peer.c - other sentinels. A peer is a process, known by its run id, with one link; a
 * voter is that peer as seen by one master.
 *
 * Anybody can publish a hello. A peer that only a hello told of is a stranger: it has a
 * link, and is asked for its run id; it does not vote, is not saved and is not shown.
 * When it has answered, it is verified, for good, and counts (decisions/0026).
 */
#include "sentinel/core/internal.h"

#define STRANGERS_MAX 64
/* A stranger that is not heard of for so long is given up. */
#define STRANGER_KEEP_MS 300000
/* A real one that cannot be reached for a moment must not let a minority act: so long
 * does a stranger count in the majority that we need. */
#define STRANGER_COUNTS_MS 10000
/* News of a second address is shown for so long. */
#define RIVAL_SHOWN_MS 60000

struct peer *peer_find(const struct core *core, const char *run_id)
{
    struct peer *peer;

    HASH_FIND_STR(core->peers, run_id, peer);
    return peer;
}

struct voter *voter_find(const struct master *master, const char *run_id)
{
    struct voter *voter;

    HASH_FIND_STR(master->voters, run_id, voter);
    return voter;
}

struct voter *voter_find_stranger(const struct master *master, const char *run_id)
{
    struct voter *voter;

    HASH_FIND_STR(master->strangers, run_id, voter);
    return voter;
}

struct peer *peer_at(const struct core *core, const struct addr *addr,
                     const char *run_id)
{
    for (struct peer *p = core->peers; p != NULL; p = p->hh.next)
        if (p->verified && addr_equal(&p->addr, addr) && strcmp(p->run_id, run_id) != 0)
            return p;
    return NULL;
}

bool peer_is_itself(const struct peer *peer)
{
    return peer->ident == IDENT_SELF || peer->ident == IDENT_WORD;
}

bool peer_answers(const struct core *core, const struct peer *peer)
{
    const struct link *link = peer->link;

    return link->cmd.up && peer_is_itself(peer) &&
           (link->ping_pending_at == CORE_NEVER ||
            core->now - link->ping_pending_at <= 2 * link->ping_period_ms);
}

bool peer_has_rival(const struct core *core, const struct peer *peer)
{
    return peer->rival_at != CORE_NEVER && core->now - peer->rival_at < RIVAL_SHOWN_MS;
}

bool core_has_twin(const struct core *core)
{
    return core->twin_at != CORE_NEVER && core->now - core->twin_at < RIVAL_SHOWN_MS;
}

/* ---------------------------------------------------------------- strangers ------ */

/* The one to go when there are too many: the oldest, but rather one that has not even
 * accepted a connection. */
static struct peer *stranger_oldest(const struct core *core)
{
    struct peer *oldest = NULL;

    for (struct peer *p = core->peers; p != NULL; p = p->hh.next) {
        if (p->verified)
            continue;
        if (oldest == NULL || (oldest->link->cmd.up && !p->link->cmd.up))
            oldest = p; /* in order of creation */
    }
    return oldest;
}

static bool stranger_outstays(const struct core *core, const struct peer *peer)
{
    return core->now - peer->known_at >= STRANGER_COUNTS_MS;
}

/* While one is about that was announced and never reached, more of the kind are taken
 * for inventions. */
static bool stranger_may_be_real(const struct core *core, const struct master *master)
{
    for (const struct voter *v = master->strangers; v != NULL; v = v->hh.next)
        if (stranger_outstays(core, v->peer))
            return false;
    return true;
}

static bool stranger_counts(const struct core *core, const struct voter *voter)
{
    return voter->may_be_real && !voter->peer->refused &&
           !stranger_outstays(core, voter->peer);
}

uint32_t master_possible_voters(const struct core *core, const struct master *master)
{
    uint32_t n = master_known_voters(master);

    for (const struct voter *v = master->strangers; v != NULL; v = v->hh.next)
        n += stranger_counts(core, v);
    return n;
}

int64_t master_voters_until(const struct core *core, const struct master *master)
{
    int64_t at = CORE_NEVER;

    for (const struct voter *v = master->strangers; v != NULL; v = v->hh.next)
        if (stranger_counts(core, v))
            at = min_i64(at, v->peer->known_at + STRANGER_COUNTS_MS);
    return at;
}

void peer_on_stranger_timer(struct core *core, struct peer *peer)
{
    if (core->now - peer->heard_at >= STRANGER_KEEP_MS)
        peer_forget(core, peer);
    else
        timer_arm(core, &peer->hello_timer, peer->heard_at + STRANGER_KEEP_MS);
}

/* Its hellos, kept until now, are read; what they lead to may be the end of anybody. */
static void peer_read_hellos(struct core *core, const char *run_id)
{
    char id[RUN_ID_CAP], *text = NULL;

    memcpy(id, run_id, sizeof(id));
    do {
        struct peer *peer = peer_find(core, id);
        struct voter *voter = peer != NULL ? peer->voters : NULL;
        mem_free(text);
        text = NULL;
        while (voter != NULL && voter->unread == NULL)
            voter = voter->next;
        if (voter != NULL) {
            text = voter->unread;
            voter->unread = NULL;
            hello_again(core, text, strlen(text), voter->unread_signed);
        }
    } while (text != NULL);
}

static void peer_verify(struct core *core, struct peer *peer)
{
    struct voter *voter;

    peer->verified = true;
    core->n_strangers--;
    timer_disarm(core, &peer->hello_timer);
    DL_FOREACH(peer->voters, voter)
    {
        struct master *master = voter->master;
        HASH_DELETE(hh, master->strangers, voter);
        HASH_ADD_KEYPTR(hh, master->voters, peer->run_id, RUN_ID_LEN, voter);
        emit_voter(core, LOG_LVL_NOTICE, "+sentinel", voter, NULL);
        durable_touch(core, master);
        detect_voter(core, voter);
    }
}

/* -------------------------------------------------------------- life cycle ------- */

static struct peer *peer_new(struct core *core, const char *run_id,
                             const struct addr *addr, bool verified)
{
    struct peer *peer = mem_zalloc(sizeof(*peer));

    memcpy(peer->run_id, run_id, RUN_ID_CAP);
    addr_copy(&peer->addr, addr);
    peer->known_at = peer->heard_at = core->now;
    peer->rival_since = peer->rival_at = peer->rival_told_at = CORE_NEVER;
    peer->absent_since = CORE_NEVER;
    timer_init(&peer->hello_timer, TIMER_PEER_HELLO, peer);
    peer->link = link_new(core, NULL, peer);
    peer->verified = verified;
    if (!verified) {
        if (core->n_strangers >= STRANGERS_MAX)
            peer_forget(core, stranger_oldest(core));
        core->n_strangers++;
        timer_arm(core, &peer->hello_timer, core->now + STRANGER_KEEP_MS);
    }
    HASH_ADD_STR(core->peers, run_id, peer);
    return peer;
}

void peer_free(struct core *core, struct peer *peer)
{
    timer_disarm(core, &peer->hello_timer);
    link_free(core, peer->link);
    addr_release(&peer->addr);
    addr_release(&peer->rival);
    addr_release(&peer->home);
    core->n_strangers -= peer->verified ? 0 : 1;
    HASH_DEL(core->peers, peer);
    mem_free(peer);
}

void peer_forget(struct core *core, struct peer *peer)
{
    while (peer->voters->next != NULL)
        voter_free(core, peer->voters);
    voter_free(core, peer->voters); /* the last one takes the peer along */
}

struct voter *peer_add_voter(struct core *core, struct master *master,
                             const char *run_id, const struct addr *addr, bool verified)
{
    struct peer *peer = peer_find(core, run_id);
    bool is_new = peer == NULL;

    if (is_new)
        peer = peer_new(core, run_id, addr, verified);
    else if (verified && !peer->verified)
        peer_verify(core, peer);
    if (!is_new && !addr_equal(&peer->addr, addr))
        peer_change_address(core, peer, addr);
    struct voter *voter = mem_zalloc(sizeof(*voter));
    voter->id = slots_add(&core->voter_ids, voter);
    voter->peer = peer;
    voter->master = master;
    voter->said_at = voter->open_since = voter->hello_at = core->now;
    voter->asked_at = CORE_NEVER;
    voter->s_down_at = CORE_NEVER;
    timer_init(&voter->down_timer, TIMER_VOTER_DOWN, voter);
    DL_APPEND(peer->voters, voter);
    peer->n_voters++;
    if (peer->verified) {
        HASH_ADD_KEYPTR(hh, master->voters, peer->run_id, RUN_ID_LEN, voter);
    } else {
        voter->may_be_real = stranger_may_be_real(core, master);
        HASH_ADD_KEYPTR(hh, master->strangers, peer->run_id, RUN_ID_LEN, voter);
    }
    /* Not a walk over all voters for each one that is loaded: core_start() does it
     * once, and later only a shorter down-after than the others' changes anything. */
    if (core->started) {
        if (is_new || master->down_after_ms < peer->link->down_after_ms)
            link_refresh(core, peer->link);
        if (is_new)
            link_reset(core, peer->link);
        detect_voter(core, voter);
        if (peer_is_itself(peer)) {
            hello_publish(core, master, peer->link, NULL);
            vote_ask_one(core, voter);
        }
    }
    return voter;
}

void voter_free(struct core *core, struct voter *voter)
{
    struct peer *peer = voter->peer;
    struct master *master = voter->master;

    timer_disarm(core, &voter->down_timer);
    if (voter->s_down)
        peer->link->n_down--;
    if (peer->hello_next == voter)
        peer->hello_next = voter->next;
    DL_DELETE(peer->voters, voter);
    peer->n_voters--;
    if (peer->verified)
        HASH_DELETE(hh, master->voters, voter);
    else
        HASH_DELETE(hh, master->strangers, voter);
    slots_remove(&core->voter_ids, voter->id);
    bool was_least = master->down_after_ms <= peer->link->down_after_ms;
    mem_free(voter->unread);
    mem_free(voter);
    if (peer->n_voters == 0)
        peer_free(core, peer);
    else if (was_least)
        link_refresh(core, peer->link);
}

void voter_forget_opinion(struct voter *voter)
{
    voter->says_down = false;
    voter->leader[0] = '\0';
    voter->asked_at = CORE_NEVER;
    voter->asked_epoch = 0;
    voter->round++;
    voter->claim.host[0] = '\0';
}

void peer_change_address(struct core *core, struct peer *peer, const struct addr *addr)
{
    addr_copy(&peer->addr, addr);
    resolve_attach(core, peer->link);
    peer->absent_since = CORE_NEVER;
    peer->rival_since = peer->rival_at = CORE_NEVER;
    peer->heard_at = core->now;
    peer->refused = false;
    link_reset(core, peer->link);
}

bool peer_go_home(struct core *core, struct peer *peer)
{
    struct addr home = peer->home;
    struct voter *voter;

    if (home.port == 0 || peer_is_itself(peer))
        return false;
    peer->home = (struct addr){0};
    emit_log(core, LOG_LVL_NOTICE,
             "Sentinel %s does not answer at %s:%u: back to %s:%u, where it was",
             peer->run_id, peer->addr.ip, peer->addr.port, home.ip, home.port);
    peer_change_address(core, peer, &home);
    addr_release(&home);
    DL_FOREACH(peer->voters, voter)
    durable_touch(core, voter->master);
    return true;
}

/* --------------------------------------------------------------- connection ------ */

void peer_on_up(struct core *core, struct peer *peer)
{
    peer->ident = IDENT_UNKNOWN;
    command_myid(core, peer);
}

/* Those that were at its address are not there any more. */
static void peer_replace_others(struct core *core, struct peer *peer)
{
    struct peer *other;

    while ((other = peer_at(core, &peer->addr, peer->run_id)) != NULL) {
        if (other->ident == IDENT_SELF)
            return; /* one address, two answers: whatever that is, nobody has gone */
        for (struct voter *v = other->voters; v != NULL; v = v->next) {
            emit_voter(core, LOG_LVL_NOTICE, "+sentinel-invalid-addr", v, NULL);
            durable_touch(core, v->master);
        }
        peer_forget(core, other);
    }
}

/* It has answered, and now takes part. */
static void peer_identified(struct core *core, struct peer *peer, enum peer_ident ident)
{
    int64_t publish = core_number(core, CORE_OPT_PUBLISH_PERIOD);
    struct voter *voter;

    peer->ident = ident;
    peer->refused = false;
    peer->absent_since = CORE_NEVER;
    addr_release(&peer->home);
    if (ident == IDENT_SELF) {
        sign_on_reached(core, peer->run_id);
        peer_replace_others(core, peer);
    }
    bool is_news = !peer->verified;
    if (is_news)
        peer_verify(core, peer);
    timer_arm(core, &peer->hello_timer,
              core->now + rng_below(&core->rng, (uint32_t)max_i64(1, publish / 10)));
    DL_FOREACH(peer->voters, voter)
    {
        detect_voter(core, voter);
        if (is_news) /* it may not have listened yet when we spoke */
            hello_publish(core, voter->master, peer->link, NULL);
        vote_ask_one(core, voter);
        if (voter->claim.host[0] != '\0' &&
            voter->claim.config_epoch > voter->master->config_epoch)
            command_claim(core, voter); /* could not be confirmed so far */
    }
    if (is_news)
        peer_read_hellos(core, peer->run_id);
}

/* What is at its address is not it. A stranger is disproved; one that we know counts
 * on, as one that is silent. */
static void peer_is_absent(struct core *core, struct peer *peer, const char *who)
{
    struct voter *voter;

    peer->ident = IDENT_OTHER;
    if (!peer->verified) {
        core->n_contradicted++;
        emit_note(core, "sentinel %.8s is not at %s:%u: %s", peer->run_id,
                  peer->addr.ip, peer->addr.port, who);
        peer_forget(core, peer);
        return;
    }
    if (peer_go_home(core, peer))
        return;
    if (peer->absent_since == CORE_NEVER) {
        peer->absent_since = core->now;
        emit_log(core, LOG_LVL_WARNING, "Sentinel %s is not at %s:%u any more: %s",
                 peer->run_id, peer->addr.ip, peer->addr.port, who);
    }
    DL_FOREACH(peer->voters, voter)
    {
        voter_forget_opinion(voter);
        timer_arm_by(core, &voter->down_timer,
                     time_after(peer->absent_since, voter->master->down_after_ms + 1));
    }
}

void peer_on_myid(struct core *core, struct peer *peer, const struct resp_value *value)
{
    const struct link *link = peer->link;
    char who[RUN_ID_CAP + 24];

    if (value->type == RESP_BULK && value->len == RUN_ID_LEN &&
        vote_run_id_ok(value->str)) {
        if (strcmp(value->str, peer->run_id) == 0) {
            peer_identified(core, peer, IDENT_SELF);
            return;
        }
        snprintf(who, sizeof(who), "that is %s", value->str);
        peer_is_absent(core, peer, who);
        return;
    }
    if (value->type != RESP_ERROR) {
        peer_is_absent(core, peer, "no sentinel answers so");
        return;
    }
    if (strncmp(value->str, "ERR unknown command", 19) == 0) {
        peer_is_absent(core, peer, "that is no sentinel");
        return;
    }
    /* Only a sentinel that is too old to know the question, or that we may not ask,
     * says so. If it accepts us and answers PING, it is taken for what its hello says,
     * but cannot take the place of another. Any other error (LOADING, BUSY) proves
     * nothing.
     */
    if (strncmp(value->str, "NOPERM", 6) != 0 &&
        strncasecmp(value->str, "ERR unknown s", 13) != 0)
        return;
    const struct peer *other = peer_at(core, &peer->addr, peer->run_id);
    if (link->cmd.up && link->avail_at >= link->cmd.up_at && other == NULL)
        peer_identified(core, peer, IDENT_WORD);
}

void peer_on_down(struct core *core, struct peer *peer, bool refused)
{
    struct voter *voter;

    peer->ident = IDENT_UNKNOWN;
    if (peer->verified)
        timer_disarm(core, &peer->hello_timer);
    DL_FOREACH(peer->voters, voter)
    {
        voter->claim.asked = false;
        voter->asked_at = CORE_NEVER; /* no answer will come */
        if (voter->asked_epoch != voter->answered_epoch)
            voter->asked_epoch = 0;
        /* A refused connection is a process that is gone: if it was to lead our
         * failover, somebody else must. */
        if (refused)
            failover_candidate_gone(core, voter->master, peer->run_id);
    }
}
