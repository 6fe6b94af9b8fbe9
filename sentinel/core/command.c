/*
 * command.c - the commands we send, as bytes ready for the wire.
 *
 * Names go through the master's rename-command table. The tag of a command comes back
 * with its replies and says what they mean; for a question to a peer also about which
 * master and in which round it was asked, so that a late answer about an old master
 * cannot count against the new one.
 */
#include "sentinel/core/internal.h"

#define GEN_MASK 0xfffffu
/* With TAG_SLAVEOF, beside the parts. */
#define TAG_NO_ONE 256u

static uint64_t tag_pack(enum tag_kind kind, const struct voter *voter)
{
    uint64_t tag = (uint64_t)kind << 60;

    if (voter != NULL)
        tag |= (uint64_t)voter->round << 52 |
               (uint64_t)(voter->id.gen & GEN_MASK) << 32 | voter->id.slot;
    return tag;
}

struct tag tag_unpack(uint64_t tag)
{
    struct tag out = {
        .kind = (enum tag_kind)(tag >> 60),
        .parts = (uint8_t)tag,
        .no_one = (tag & TAG_NO_ONE) != 0,
        .round = (uint8_t)(tag >> 52),
        .voter = {.slot = (uint32_t)tag, .gen = (uint32_t)(tag >> 32) & GEN_MASK},
    };
    return out;
}

struct voter *command_voter(const struct core *core, const struct tag *tag)
{
    struct voter *voter = slots_get(&core->voter_ids, tag->voter);

    /* More than a million generations in one slot are possible only in theory; then
     * the cut id finds nothing and the answer is asked for again. */
    return voter;
}

/* Hands |bytes| (released) to the driver. */
static void command_send(struct core *core, struct link *link, enum link_chan chan,
                         struct buf *bytes, int n_replies, uint64_t tag)
{
    struct core_action *action = emit(core, CORE_AC_SEND);

    action->send.link = link->id;
    action->send.chan = chan;
    action->send.bytes = arena_strndup(emit_arena(core), bytes->data, bytes->len);
    action->send.len = bytes->len;
    action->send.n_replies = n_replies;
    action->send.tag = tag;
    if (chan == LINK_CMD)
        link->n_in_flight += n_replies;
    buf_release(bytes);
}

/* Whose rename table a command on |link| goes through. */
static const struct master *link_master(const struct link *link)
{
    if (link->node != NULL)
        return link->node->master;
    return link->peer->voters != NULL ? link->peer->voters->master : NULL;
}

/* AUTH as behaviour.md 3.2 has it; nothing, and false, without a password. */
static bool command_auth(struct core *core, struct link *link, enum link_chan chan,
                         enum tag_kind kind)
{
    const struct master *master = link_master(link);
    const char *name = master_command(master, "AUTH");
    const char *user, *pass;
    struct buf bytes = {0};

    if (link->node != NULL) {
        user = master->auth_user;
        pass = master->auth_pass;
    } else if (core->sentinel_pass != NULL) {
        user = core->sentinel_user;
        pass = core->sentinel_pass;
    } else {
        user = NULL;
        pass = core->requirepass;
    }
    if (pass == NULL)
        return false;
    if (user != NULL)
        resp_command(&bytes, name, user, pass, (char *)NULL);
    else
        resp_command(&bytes, name, pass, (char *)NULL);
    command_send(core, link, chan, &bytes, 1, tag_pack(kind, NULL));
    return true;
}

bool command_reauth(struct core *core, struct link *link)
{
    return command_auth(core, link, LINK_CMD, TAG_REAUTH);
}

void command_preamble(struct core *core, struct link *link, enum link_chan chan)
{
    const char *client = master_command(link_master(link), "CLIENT");
    char name[64];
    struct buf bytes = {0};

    command_auth(core, link, chan, TAG_AUTH);
    snprintf(name, sizeof(name), "sentinel-%.8s-%s", core->myid,
             chan == LINK_CMD ? "cmd" : "pubsub");
    resp_command(&bytes, client, "SETNAME", name, (char *)NULL);
    command_send(core, link, chan, &bytes, 1, tag_pack(TAG_SETNAME, NULL));
}

void command_ping(struct core *core, struct link *link)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(link_master(link), "PING"), (char *)NULL);
    command_send(core, link, LINK_CMD, &bytes, 1, tag_pack(TAG_PING, NULL));
}

void command_info(struct core *core, struct node *node)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(node->master, "INFO"), (char *)NULL);
    command_send(core, node->link, LINK_CMD, &bytes, 1, tag_pack(TAG_INFO, NULL));
    node->info_asked_at = core->now;
}

void command_subscribe(struct core *core, struct link *link)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(link_master(link), "SUBSCRIBE"), HELLO_CHANNEL,
                 (char *)NULL);
    command_send(core, link, LINK_SUB, &bytes, 1, tag_pack(TAG_SUBSCRIBE, NULL));
}

void command_publish(struct core *core, struct link *link, const struct master *master,
                     const char *payload)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(master, "PUBLISH"), HELLO_CHANNEL, payload,
                 (char *)NULL);
    command_send(core, link, LINK_CMD, &bytes, 1, tag_pack(TAG_HELLO, NULL));
}

void command_ask(struct core *core, struct voter *voter, uint64_t epoch)
{
    const struct master *master = voter->master;
    const struct addr *addr = &master->current->addr;
    /* In the form in which it knows the master: it may not look names up. */
    const char *host =
        voter->says_ip && addr->ip[0] != '\0' ? addr->ip : core_host(core, addr);
    char port[16], epoch_text[32];
    struct buf bytes = {0};

    snprintf(port, sizeof(port), "%u", addr->port);
    snprintf(epoch_text, sizeof(epoch_text), "%" PRIu64,
             epoch != 0 ? epoch : core->disk_epoch);
    resp_command(&bytes, master_command(master, "SENTINEL"), "is-master-down-by-addr",
                 host, port, epoch_text, epoch != 0 ? core->myid : "*", (char *)NULL);
    command_send(core, voter->peer->link, LINK_CMD, &bytes, 1,
                 tag_pack(epoch != 0 ? TAG_VOTE : TAG_ASK, voter));
    if (voter->asked_at == CORE_NEVER)
        voter->open_since = core->now;
    voter->asked_at = core->now;
    if (epoch != 0)
        voter->asked_epoch = epoch;
}

void command_myid(struct core *core, struct peer *peer)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(link_master(peer->link), "SENTINEL"), "myid",
                 (char *)NULL);
    command_send(core, peer->link, LINK_CMD, &bytes, 1, tag_pack(TAG_MYID, NULL));
}

void command_claim(struct core *core, struct voter *voter)
{
    const struct master *master = voter->master;
    struct buf bytes = {0};

    resp_command(&bytes, master_command(master, "SENTINEL"), "get-master-addr-by-name",
                 master->name, (char *)NULL);
    command_send(core, voter->peer->link, LINK_CMD, &bytes, 1,
                 tag_pack(TAG_CLAIM, voter));
    voter->claim.asked = true;
}

/* Appends |parts| to |bytes|; returns how many that are. */
static int command_parts(struct buf *bytes, const struct master *master, unsigned parts,
                         const char *host, const char *port)
{
    const char *client = master_command(master, "CLIENT");
    int n = 0;

    if (parts & PART_MULTI)
        resp_command(bytes, master_command(master, "MULTI"), (char *)NULL);
    if (parts & PART_SLAVEOF)
        resp_command(bytes, master_command(master, "SLAVEOF"), host, port,
                     (char *)NULL);
    if (parts & PART_REWRITE)
        resp_command(bytes, master_command(master, "CONFIG"), "REWRITE", (char *)NULL);
    if (parts & PART_KILL_NORMAL)
        resp_command(bytes, client, "KILL", "TYPE", "normal", (char *)NULL);
    if (parts & PART_KILL_PUBSUB)
        resp_command(bytes, client, "KILL", "TYPE", "pubsub", (char *)NULL);
    if (parts & PART_EXEC)
        resp_command(bytes, master_command(master, "EXEC"), (char *)NULL);
    for (; parts != 0; parts &= parts - 1)
        n++;
    return n;
}

void command_slaveof_again(struct core *core, struct node *node, const struct addr *to)
{
    unsigned parts = PART_ALL & ~(unsigned)node->reconf_without;
    uint64_t tag = tag_pack(TAG_SLAVEOF, NULL) | parts | (to == NULL ? TAG_NO_ONE : 0);
    char port[16];
    struct buf bytes = {0};

    snprintf(port, sizeof(port), "%u", to != NULL ? to->port : 0);
    int n = command_parts(&bytes, node->master, parts,
                          to != NULL ? core_host(core, to) : "NO",
                          to != NULL ? port : "ONE");
    command_send(core, node->link, LINK_CMD, &bytes, n, tag);
    command_info(core, node);
}

void command_slaveof(struct core *core, struct node *node, const struct addr *to)
{
    node->reconf_without = 0; /* rights may have been given since */
    node->reconf_again = false;
    command_slaveof_again(core, node, to);
}

void command_script_kill(struct core *core, struct node *node)
{
    struct buf bytes = {0};

    resp_command(&bytes, master_command(node->master, "SCRIPT"), "KILL", (char *)NULL);
    command_send(core, node->link, LINK_CMD, &bytes, 1, tag_pack(TAG_SCRIPT, NULL));
}
