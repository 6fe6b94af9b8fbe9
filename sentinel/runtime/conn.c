/*
 * conn.c - the connections of the core's links.
 *
 * A conn lives until it fails or the core closes it. Its callbacks may do either, by
 * way of the core's actions, so each checks whether it is still there afterwards.
 */
#include "sentinel/runtime/conn.h"

#include "common/addr.h"
#include "common/assert.h"
#include "common/mem.h"
#include "sentinel/runtime/daemon.h"
#include "sentinel/runtime/replies.h"
#include "sentinel/runtime/runtime.h"

#include <stdio.h>
#include <string.h>

/* What the next replies are the answers to. */
struct conn_expect {
    uint64_t tag;
    int n_replies;
    int next; /* index of the next one */
};

struct conn {
    struct runtime *rt;
    struct slot_id link;
    enum link_chan chan;
    uint64_t dial;
    struct stream *stream;
    struct buf out;
    struct replies *replies;    /* NULL unless a reply is half read */
    struct conn_expect *expect; /* a ring */
    size_t expect_first, n_expect, expect_cap;
    bool reading; /* conn_on_bytes() is on the stack */
    bool closed;  /* and frees the conn when it returns */
};

/* ----------------------------------------------------------- what is expected --- */

static void conn_expect_push(struct conn *conn, uint64_t tag, int n_replies)
{
    if (conn->n_expect == conn->expect_cap) {
        size_t cap = conn->expect_cap > 0 ? conn->expect_cap * 2 : 4;
        struct conn_expect *ring = mem_array(cap, sizeof *ring);
        for (size_t i = 0; i < conn->n_expect; i++)
            ring[i] = conn->expect[(conn->expect_first + i) % conn->expect_cap];
        mem_free(conn->expect);
        conn->expect = ring;
        conn->expect_cap = cap;
        conn->expect_first = 0;
    }
    size_t at = (conn->expect_first + conn->n_expect) % conn->expect_cap;
    conn->expect[at] = (struct conn_expect){tag, n_replies, 0};
    conn->n_expect++;
}

/* Takes the place of one reply; false if none is expected. */
static bool conn_expect_next(struct conn *conn, uint64_t *tag, int *index)
{
    if (conn->n_expect == 0)
        return false;
    struct conn_expect *expect = &conn->expect[conn->expect_first];
    *tag = expect->tag;
    *index = expect->next++;
    if (expect->next >= expect->n_replies) {
        conn->expect_first = (conn->expect_first + 1) % conn->expect_cap;
        conn->n_expect--;
    }
    return true;
}

/* ------------------------------------------------------------------- the table -- */

static struct conn_chan *conn_find(const struct runtime *rt, struct slot_id link,
                                   enum link_chan chan)
{
    const struct conns *conns = &rt->conns;
    if (link.slot >= conns->cap || conns->slots[link.slot].gen != link.gen)
        return NULL;
    return &conns->slots[link.slot].chans[chan];
}

bool conn_is_current(const struct runtime *rt, struct slot_id link, enum link_chan chan,
                     uint64_t dial)
{
    const struct conn_chan *at = conn_find(rt, link, chan);
    return at != NULL && at->dial == dial;
}

/* ----------------------------------------------------------------- the readers -- */

static struct replies *conn_take_reader(struct conns *conns)
{
    if (conns->n_readers > 0)
        return conns->readers[--conns->n_readers];
    struct replies *replies = mem_zalloc(sizeof *replies);
    replies_init(replies);
    return replies;
}

/* Unless the rest of a reply is still to come. */
static void conn_give_reader(struct conn *conn, bool is_over)
{
    struct conns *conns = &conn->rt->conns;
    struct replies *replies = conn->replies;
    bool is_idle = replies != NULL && replies_is_idle(replies);

    if (replies == NULL || (!is_idle && !is_over))
        return;
    conn->replies = NULL;
    if (is_idle && conns->n_readers < CONNS_READERS_MAX) {
        conns->readers[conns->n_readers++] = replies;
        return;
    }
    replies_release(replies);
    mem_free(replies);
}

static void conn_free(struct conn *conn)
{
    conn_give_reader(conn, true);
    buf_release(&conn->out);
    mem_free(conn->expect);
    mem_free(conn);
}

/* Ends |at|'s connection; nothing of it reaches the core any more but what was posted
 * already. */
static void conn_drop(struct runtime *rt, struct conn_chan *at)
{
    struct conn *conn = at->conn;
    if (conn == NULL)
        return;
    at->conn = NULL;
    rt->conns.n--;
    if (conn->stream != NULL)
        stream_close(conn->stream);
    conn->stream = NULL;
    if (conn->reading)
        conn->closed = true;
    else
        conn_free(conn);
}

/* The entry for |link|, made if need be. A slot that now stands for another link loses
 * what the former one left. */
static struct conn_chan *conn_claim(struct runtime *rt, struct slot_id link,
                                    enum link_chan chan)
{
    struct conns *conns = &rt->conns;
    if (link.slot >= conns->cap) {
        size_t cap = conns->cap > 0 ? conns->cap : 64;
        while (cap <= link.slot)
            cap *= 2;
        conns->slots = mem_resize(conns->slots, cap, sizeof *conns->slots);
        memset(conns->slots + conns->cap, 0, (cap - conns->cap) * sizeof *conns->slots);
        conns->cap = cap;
    }
    struct conn_slot *slot = &conns->slots[link.slot];
    if (slot->gen != link.gen) {
        for (int i = 0; i < 2; i++) {
            conn_drop(rt, &slot->chans[i]);
            slot->chans[i].dial = 0;
        }
        slot->gen = link.gen;
    }
    return &slot->chans[chan];
}

/* ------------------------------------------------------------ stream callbacks -- */

static void conn_down(struct conn *conn, const char *reason)
{
    struct runtime *rt = conn->rt;
    struct core_event event = {
        .type = CORE_EV_LINK_DOWN,
        .down = {.link = conn->link,
                 .chan = conn->chan,
                 .reason = reason,
                 .tls = stream_failed_tls(conn->stream)},
    };
    enum link_chan chan = conn->chan;
    uint64_t dial = conn->dial;
    struct conn_chan *at = conn_find(rt, conn->link, chan);

    ASSERT(at != NULL && at->conn == conn);
    /* |reason| may point into what goes away here, but not into the stream: that is
     * freed by the loop later. */
    char text[256];
    snprintf(text, sizeof text, "%s", reason);
    event.down.reason = text;
    conn_drop(rt, at);
    runtime_post_link(rt, &event, chan, dial);
}

static void conn_on_up(struct stream *stream)
{
    struct conn *conn = stream->owner;
    char local_ip[ADDR_IP_CAP];
    stream_local_ip(stream, local_ip, sizeof local_ip);
    struct core_event event = {
        .type = CORE_EV_LINK_UP,
        .up = {.link = conn->link, .chan = conn->chan, .local_ip = local_ip},
    };
    runtime_post_link(conn->rt, &event, conn->chan, conn->dial);
}

static void conn_on_down(struct stream *stream, const char *reason)
{
    conn_down(stream->owner, reason);
}

/* What is owed to a link is bounded by the commands in flight. Idle links keep no
 * buffer: there are thousands. */
static void conn_on_flushed(struct stream *stream, size_t len)
{
    struct conn *conn = stream->owner;
    (void)len;
    if (conn->out.len == 0)
        buf_release(&conn->out);
}

static bool conn_is_message(const struct resp_value *value)
{
    if (value->type != RESP_ARRAY || value->n_items != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (value->items[i].type != RESP_BULK)
            return false;
    return strcmp(value->items[0].str, "message") == 0;
}

/* Returns NULL, or why the connection cannot go on. */
static const char *conn_on_reply(struct conn *conn, const struct resp_value *value)
{
    struct core_event event;

    if (conn->chan == LINK_SUB && conn_is_message(value)) {
        event = (struct core_event){
            .type = CORE_EV_MESSAGE,
            .message = {.link = conn->link,
                        .channel = value->items[1].str,
                        .text = value->items[2].str,
                        .len = value->items[2].len},
        };
    } else {
        event = (struct core_event){
            .type = CORE_EV_REPLY,
            .reply = {.link = conn->link, .chan = conn->chan, .value = value},
        };
        if (!conn_expect_next(conn, &event.reply.tag, &event.reply.index))
            return "Protocol error, reply to nothing";
    }
    runtime_post_link(conn->rt, &event, conn->chan, conn->dial);
    return NULL;
}

static void conn_on_bytes(struct stream *stream, const char *bytes, size_t len)
{
    struct conn *conn = stream->owner;
    struct error err;
    const char *problem = NULL;

    if (conn->replies == NULL)
        conn->replies = conn_take_reader(&conn->rt->conns);
    int status = replies_feed(conn->replies, bytes, len, &err);
    conn->reading = true;
    while (status == 0 && problem == NULL && !conn->closed) {
        const struct resp_value *value;
        status = replies_next(conn->replies, &value, &err);
        if (status == 0)
            problem = conn_on_reply(conn, value);
    }
    conn->reading = false;
    if (status == ERR_MORE)
        conn_give_reader(conn, false);

    if (conn->closed)
        conn_free(conn);
    else if (problem != NULL)
        conn_down(conn, problem);
    else if (status != ERR_MORE)
        conn_down(conn, err.text);
}

static const struct stream_events conn_events = {
    .on_up = conn_on_up,
    .on_bytes = conn_on_bytes,
    .on_flushed = conn_on_flushed,
    .on_down = conn_on_down,
};

/* ---------------------------------------------------------------------- actions - */

/* Masters added at run time must not live at the expense of clients. */
static void conn_make_room(struct runtime *rt)
{
    if (rt->conns.n < rt->n_links_expected)
        return;
    rt->n_links_expected = rt->conns.n * 2 + 64;
    daemon_grow_limit(rt->maxclients, (int)rt->n_links_expected);
}

/* Connects as |action| says. NULL, with the reason in |err|, if that cannot be tried.
 */
static struct stream *conn_connect(struct runtime *rt, const struct core_action *action,
                                   struct error *err)
{
    if (action->open.tls && rt->tls.ctx == NULL) {
        *err = rt->tls.why;
        return NULL;
    }
    struct stream *stream = stream_connect(&rt->streams, action->open.ip,
                                           action->open.port, rt->bind_source, err);
    if (stream != NULL && action->open.tls)
        stream_secure(stream, tls_connect(rt->tls.ctx, action->open.host));
    return stream;
}

void conn_open(struct runtime *rt, const struct core_action *action)
{
    struct slot_id link = action->open.link;
    enum link_chan chan = action->open.chan;
    struct conn_chan *at = conn_claim(rt, link, chan);
    struct error err;

    conn_drop(rt, at);
    conn_make_room(rt);
    at->dial = ++rt->conns.n_dials;
    struct stream *stream = conn_connect(rt, action, &err);
    if (stream == NULL) {
        struct core_event event = {
            .type = CORE_EV_LINK_DOWN,
            .down = {.link = link,
                     .chan = chan,
                     .reason = err.text,
                     .tls = action->open.tls && rt->tls.ctx == NULL},
        };
        runtime_post_link(rt, &event, chan, at->dial);
        return;
    }
    struct conn *conn = mem_zalloc(sizeof *conn);
    conn->rt = rt;
    conn->link = link;
    conn->chan = chan;
    conn->dial = at->dial;
    conn->stream = stream;
    stream_own(stream, &conn_events, conn, &conn->out);
    at->conn = conn;
    rt->conns.n++;
}

void conn_close(struct runtime *rt, struct slot_id link, enum link_chan chan)
{
    struct conn_chan *at = conn_find(rt, link, chan);
    if (at == NULL)
        return;
    conn_drop(rt, at);
    at->dial = 0;
}

void conn_send(struct runtime *rt, const struct core_action *action)
{
    struct conn_chan *at = conn_find(rt, action->send.link, action->send.chan);
    /* It may have failed in the meantime; LINK_DOWN is then on its way. */
    if (at == NULL || at->conn == NULL)
        return;
    struct conn *conn = at->conn;
    buf_append(&conn->out, action->send.bytes, action->send.len);
    if (action->send.n_replies > 0)
        conn_expect_push(conn, action->send.tag, action->send.n_replies);
    stream_touch(conn->stream);
}

void conns_close(struct runtime *rt)
{
    struct conns *conns = &rt->conns;
    for (size_t i = 0; i < conns->cap; i++)
        for (int chan = 0; chan < 2; chan++)
            conn_drop(rt, &conns->slots[i].chans[chan]);
    for (size_t i = 0; i < conns->n_readers; i++) {
        replies_release(conns->readers[i]);
        mem_free(conns->readers[i]);
    }
    mem_free(conns->slots);
    memset(conns, 0, sizeof *conns);
}
