/*
 * host_io.c - a sentinel's connections: links of the core to servers and peers, and the
 * sessions of its own clients.
 */
#include "tests/sim/world.h"

#include "common/mem.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- channels ------- */

static struct channel *channel_get(struct host *host, struct slot_id link,
                                   enum link_chan chan)
{
    size_t at = (size_t)link.slot * 2 + chan;
    struct channel *channel = at < host->n_channels ? host->channels[at] : NULL;

    return channel != NULL && channel->link.gen == link.gen ? channel : NULL;
}

/* Forgets it; the connection itself is left alone. */
static void channel_free(struct channel *channel)
{
    struct host *host = channel->host;
    struct conn *conn = net_conn(host->sim, channel->conn);

    if (conn != NULL)
        conn->end[END_CLIENT] = NULL;
    host->channels[(size_t)channel->link.slot * 2 + channel->chan] = NULL;
    while (channel->pending != NULL) {
        struct pending *pending = channel->pending;
        channel->pending = pending->next;
        mem_free(pending);
    }
    reply_release(&channel->parser);
    mem_free(channel);
}

static void channel_drop(struct channel *channel)
{
    struct sim *sim = channel->host->sim;
    struct conn *conn = net_conn(sim, channel->conn);

    channel_free(channel);
    if (conn != NULL)
        net_close(sim, conn, END_CLIENT);
}

void host_link_open(struct host *host, const struct core_action *action)
{
    size_t at = (size_t)action->open.link.slot * 2 + action->open.chan;

    if (at >= host->n_channels) {
        size_t n = at + 16;
        host->channels = mem_resize(host->channels, n, sizeof(*host->channels));
        while (host->n_channels < n)
            host->channels[host->n_channels++] = NULL;
    }
    if (host->channels[at] != NULL) {
        world_fail(host->sim, "S8: %s opens a channel that is open",
                   host->machine->name);
        return;
    }
    struct channel *channel = mem_zalloc(sizeof(*channel));
    channel->host = host;
    channel->link = action->open.link;
    channel->chan = action->open.chan;
    channel->to_peer = action->open.to_peer;
    channel->pending_tail = &channel->pending;
    channel->to = world_node_at(host->sim, action->open.ip, action->open.port);
    host->channels[at] = channel;
    channel->conn = net_connect(host->sim, host->machine->id, action->open.ip,
                                action->open.port, channel);
}

void host_link_close(struct host *host, struct slot_id link, enum link_chan chan)
{
    struct channel *channel = channel_get(host, link, chan);

    if (channel != NULL)
        channel_drop(channel);
}

void host_send(struct host *host, const struct core_action *action)
{
    struct channel *channel = channel_get(host, action->send.link, action->send.chan);
    struct conn *conn;

    if (channel == NULL || !channel->up ||
        (conn = net_conn(host->sim, channel->conn)) == NULL) {
        world_fail(host->sim, "S8: %s sends on a channel that is not up",
                   host->machine->name);
        return;
    }
    struct pending *pending = mem_zalloc(sizeof(*pending));
    pending->tag = action->send.tag;
    pending->n_left = action->send.n_replies;
    *channel->pending_tail = pending;
    channel->pending_tail = &pending->next;
    world_hash(host->sim, action->send.bytes, action->send.len);
    pending->about = check_sent(host, channel, action->send.bytes, action->send.len);
    net_send(host->sim, conn, END_CLIENT, action->send.bytes, action->send.len);
    if (host->crash_after[0] != '\0' &&
        memmem(action->send.bytes, action->send.len, host->crash_after,
               strlen(host->crash_after)) != NULL) {
        host->crash_after[0] = '\0';
        host->exiting = true;
        host->exit_code = -1;
    }
}

/* ------------------------------------------------------------------ events ------- */

void host_conn_up(struct host *host, struct conn *conn)
{
    struct channel *channel = conn->end[END_CLIENT];
    struct core_event event = {.type = CORE_EV_LINK_UP};

    if (host->kind != NULL) {
        host->kind->up(host, conn);
        return;
    }
    if (channel == NULL)
        return;
    channel->up = true;
    event.up.link = channel->link;
    event.up.chan = channel->chan;
    event.up.local_ip = host->machine->ip;
    host_step(host, &event);
}

static void channel_down(struct channel *channel, const char *reason)
{
    struct host *host = channel->host;
    struct core_event event = {.type = CORE_EV_LINK_DOWN};

    event.down.link = channel->link;
    event.down.chan = channel->chan;
    event.down.reason = reason;
    channel_drop(channel);
    host_step(host, &event);
}

static bool is_message(const struct resp_value *value)
{
    return value->type == RESP_ARRAY && value->n_items == 3 &&
           value->items[0].type == RESP_BULK && value->items[1].type == RESP_BULK &&
           value->items[2].type == RESP_BULK &&
           strcmp(value->items[0].str, "message") == 0;
}

/* Does it prove that the server is alive and willing (behaviour.md 3.6)? */
static bool is_valid_ping_reply(const struct resp_value *value)
{
    if (value->type == RESP_STATUS)
        return strncmp(value->str, "PONG", 4) == 0;
    return value->type == RESP_ERROR && (strncmp(value->str, "LOADING", 7) == 0 ||
                                         strncmp(value->str, "MASTERDOWN", 10) == 0);
}

static void host_echo(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct core_event event = {.type = CORE_EV_MESSAGE};

    (void)sim;
    event.message.link = (struct slot_id){(uint32_t)entry->a, (uint32_t)entry->b};
    event.message.channel = SIM_HELLO;
    event.message.text = buf_text(&entry->bytes);
    event.message.len = entry->bytes.len;
    host_step(host, &event);
}

/* The same message once more, later: by way of a slow replica, say. */
static void host_echo_later(struct channel *channel, const struct resp_value *text)
{
    struct host *host = channel->host;
    struct rng *rng = &host->sim->fault_rng[FAULT_ECHO];

    if (host->sim->now >= host->echo_until || !rng_chance(rng, 1, 2))
        return;
    struct entry *entry =
        world_at(host->sim, host->sim->now + rng_between(rng, 0, 3000),
                 host->machine->id, host_echo);
    entry->ptr = host;
    entry->a = channel->link.slot;
    entry->b = channel->link.gen;
    buf_append(&entry->bytes, text->str, text->len);
}

static void channel_reply(struct channel *channel, const struct resp_value *value)
{
    struct host *host = channel->host;
    struct core_event event = {0};

    if (channel->chan == LINK_SUB && is_message(value)) {
        host_echo_later(channel, &value->items[2]);
        event.type = CORE_EV_MESSAGE;
        event.message.link = channel->link;
        event.message.channel = value->items[1].str;
        event.message.text = value->items[2].str;
        event.message.len = value->items[2].len;
        host_step(host, &event);
        return;
    }
    struct pending *pending = channel->pending;
    if (pending == NULL) {
        channel_down(channel, "Protocol error");
        return;
    }
    if (channel->chan == LINK_CMD && channel->to >= 0 && is_valid_ping_reply(value))
        check_valid_reply(host, channel->to, channel->link);
    if (channel->to_peer && channel->to >= 0 && pending->about >= 0)
        check_opinion(host, channel->to, pending->about, value);
    event.type = CORE_EV_REPLY;
    event.reply.link = channel->link;
    event.reply.chan = channel->chan;
    event.reply.tag = pending->tag;
    event.reply.index = pending->n_done++;
    event.reply.value = value;
    if (--pending->n_left == 0) {
        channel->pending = pending->next;
        if (channel->pending == NULL)
            channel->pending_tail = &channel->pending;
        mem_free(pending);
    }
    host_step(host, &event);
}

static void channel_data(struct host *host, struct conn *conn, const char *bytes,
                         size_t len)
{
    struct slot_id id = conn->id;
    struct channel *channel = conn->end[END_CLIENT];
    const struct resp_value *value;

    if (channel == NULL)
        return;
    reply_feed(&channel->parser, bytes, len);
    for (;;) {
        /* Each reply may make the core close this very channel. */
        conn = net_conn(host->sim, id);
        channel = conn != NULL ? conn->end[END_CLIENT] : NULL;
        if (channel == NULL)
            return;
        int rc = reply_next(&channel->parser, &value);
        if (rc == ERR_SYNTAX)
            channel_down(channel, "Protocol error");
        if (rc != 0)
            return;
        channel_reply(channel, value);
    }
}

/* ----------------------------------------------------------------- clients ------- */

void host_client_free(struct client *client)
{
    struct host *host = client->host;
    struct conn *conn = net_conn(host->sim, client->conn);

    if (conn != NULL)
        conn->end[END_SERVER] = NULL;
    if (host->teller == client)
        host->teller = NULL;
    session_close(client->session);
    DL_DELETE(host->clients, client);
    buf_release(&client->in);
    buf_release(&client->out);
    mem_free(client);
}

void host_client_wake(struct client *client)
{
    client->awake = client->host->awake = true;
}

static struct client *client_new(struct host *host, const char *peer, bool is_admin)
{
    struct client *client = mem_zalloc(sizeof(*client));
    char local[64];

    snprintf(local, sizeof(local), "%s:%d", host->machine->ip, host->machine->port);
    client->host = host;
    client->is_admin = is_admin;
    host_client_wake(client);
    DL_APPEND(host->clients, client);
    client->session =
        session_open(host->server, peer, local, 10, false, is_admin, client);
    return client;
}

void host_accept(struct host *host, struct conn *conn)
{
    const struct machine *from = &host->sim->nodes[conn->node[END_CLIENT]];
    char peer[64];

    if (host->kind != NULL) {
        host->kind->accept(host, conn);
        return;
    }
    snprintf(peer, sizeof(peer), "%s:%d", from->ip, 40000 + (int)conn->id.slot % 20000);
    server_set_time(host->server, host_now(host), host_wall(host));
    struct client *client = client_new(host, peer, false);
    client->conn = conn->id;
    conn->end[END_SERVER] = client;
    host_pump(host);
}

struct client *host_admin(struct host *host)
{
    server_set_time(host->server, host_now(host), host_wall(host));
    return client_new(host, "127.0.0.1:50000", true);
}

void host_feed(struct client *client, const char *bytes, size_t len)
{
    struct host *host = client->host;

    server_set_time(host->server, host_now(host), host_wall(host));
    host_client_wake(client);
    if (client->in.len > 0 || session_is_blocked(client->session))
        buf_append(&client->in, bytes, len);
    else
        session_feed(client->session, bytes, len);
    host_pump(host);
}

/* Output of one client to its connection. False: the client is gone. */
static bool client_flush(struct client *client)
{
    struct host *host = client->host;
    struct buf *out = session_output(client->session);
    struct conn *conn = net_conn(host->sim, client->conn);
    size_t len = out->len;

    if (len > 0 && client->is_admin)
        buf_append(&client->out, out->data, len);
    else if (len > 0 && conn != NULL)
        net_send(host->sim, conn, END_SERVER, out->data, len);
    if (len > 0) {
        buf_consume(out, len);
        session_written(client->session, len);
    }
    if (client == host->teller)
        buf_clear(&client->out);
    if (session_wants_close(client->session) || session_must_drop(client->session)) {
        host_client_free(client);
        if (conn != NULL)
            net_close(host->sim, conn, END_SERVER);
        return false;
    }
    return true;
}

void host_flush(struct host *host)
{
    struct client *client, *next;

    if (!host->awake)
        return;
    host->awake = false;
    DL_FOREACH_SAFE(host->clients, client, next)
    {
        if (!client->awake)
            continue;
        client->awake = false;
        if (!client_flush(client))
            continue;
        if (client->in.len > 0 && !session_is_blocked(client->session)) {
            struct buf in = client->in;
            memset(&client->in, 0, sizeof(client->in));
            host_client_wake(client);
            session_feed(client->session, in.data, in.len);
            buf_release(&in);
            client_flush(client);
        }
    }
}

void host_tell(struct host *host, const char *first, ...)
{
    const char *words[16];
    size_t n = 0;
    va_list ap;
    struct buf bytes = {0};

    if (!host_is_running(host))
        return;
    va_start(ap, first);
    for (const char *word = first; word != NULL && n < 16;
         word = va_arg(ap, const char *))
        words[n++] = word;
    va_end(ap);
    if (host->kind != NULL) {
        host->kind->tell(host, words, n);
        return;
    }
    if (host->teller == NULL)
        host->teller = host_admin(host);
    resp_command_v(&bytes, words, n);
    host_feed(host->teller, bytes.data, bytes.len);
    buf_release(&bytes);
}

/* ------------------------------------------------------------- connections ------- */

void host_conn_data(struct host *host, struct conn *conn, int end, const char *bytes,
                    size_t len)
{
    if (host->kind != NULL)
        host->kind->data(host, conn, end, bytes, len);
    else if (end == END_CLIENT)
        channel_data(host, conn, bytes, len);
    else if (conn->end[END_SERVER] != NULL)
        host_feed(conn->end[END_SERVER], bytes, len);
}

void host_conn_down(struct host *host, struct conn *conn, int end, const char *reason)
{
    if (conn->end[end] == NULL)
        return;
    if (host->kind != NULL) {
        host->kind->down(host, conn, end);
        return;
    }
    if (end == END_CLIENT)
        channel_down(conn->end[end], reason);
    else
        host_client_free(conn->end[end]);
    host_pump(host);
}

void host_drop_io(struct host *host)
{
    while (host->clients != NULL)
        host_client_free(host->clients);
    for (size_t i = 0; i < host->n_channels; i++)
        if (host->channels[i] != NULL)
            channel_free(host->channels[i]);
}
