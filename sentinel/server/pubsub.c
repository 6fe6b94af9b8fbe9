/*
 * pubsub.c - subscriptions and the delivery of events (interface.md 4.11, 5.1).
 *
 * A topic (channel or pattern) exists while somebody is subscribed to it. One hash of
 * (session, topic) pairs for the whole server answers "is it subscribed already?",
 * which keeps sessions small and every step constant in the number of subscriptions.
 */
#include "common/glob.h"
#include "common/hash.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

#define PUBSUB_HELLO_CHANNEL "__sentinel__:hello"

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN };

static struct topic **pubsub_topics(struct server *server, enum pubsub_kind kind)
{
    return kind == PUBSUB_CHANNEL ? &server->channels : &server->patterns;
}

static struct topic *pubsub_find(struct server *server, enum pubsub_kind kind,
                                 const char *name, size_t len)
{
    struct topic *topic;

    HASH_FIND(hh, *pubsub_topics(server, kind), name, len, topic);
    return topic;
}

static struct sub *pubsub_find_sub(struct session *session, struct topic *topic)
{
    struct sub_key key = {session, topic};
    struct sub *sub;

    HASH_FIND(hh, session->server->subs, &key, sizeof(key), sub);
    return sub;
}

/* ----------------------------------------------------------- joining, leaving ---- */

static void pubsub_join(struct session *session, enum pubsub_kind kind,
                        const struct resp_arg *name)
{
    struct server *server = session->server;
    struct topic **topics = pubsub_topics(server, kind);
    struct topic *topic = pubsub_find(server, kind, name->str, name->len);

    if (topic == NULL) {
        topic = mem_zalloc(sizeof(*topic) + name->len + 1);
        topic->len = name->len;
        memcpy(topic->name, name->str, name->len);
        HASH_ADD_KEYPTR(hh, *topics, topic->name, topic->len, topic);
    } else if (pubsub_find_sub(session, topic) != NULL) {
        return;
    }

    struct sub *sub = mem_zalloc(sizeof(*sub));
    sub->key = (struct sub_key){session, topic};
    HASH_ADD(hh, server->subs, key, sizeof(sub->key), sub);
    DL_APPEND(topic->subs, sub);
    topic->n_subs++;
    if (!session_is_subscriber(session))
        server->n_subscribers++;
    if (kind == PUBSUB_CHANNEL) {
        DL_APPEND2(session->channels, sub, s_prev, s_next);
        session->n_channels++;
    } else {
        DL_APPEND2(session->patterns, sub, s_prev, s_next);
        session->n_patterns++;
    }
}

/* Frees |sub|, and its topic if that has no other. */
static void pubsub_leave(struct session *session, enum pubsub_kind kind,
                         struct sub *sub)
{
    struct server *server = session->server;
    struct topic **topics = pubsub_topics(server, kind);
    struct topic *topic = sub->key.topic;

    HASH_DELETE(hh, server->subs, sub);
    DL_DELETE(topic->subs, sub);
    topic->n_subs--;
    if (kind == PUBSUB_CHANNEL) {
        DL_DELETE2(session->channels, sub, s_prev, s_next);
        session->n_channels--;
    } else {
        DL_DELETE2(session->patterns, sub, s_prev, s_next);
        session->n_patterns--;
    }
    if (!session_is_subscriber(session))
        server->n_subscribers--;
    mem_free(sub);
    if (topic->n_subs == 0) {
        HASH_DELETE(hh, *topics, topic);
        mem_free(topic);
    }
}

void pubsub_leave_all(struct session *session)
{
    while (session->channels != NULL)
        pubsub_leave(session, PUBSUB_CHANNEL, session->channels);
    while (session->patterns != NULL)
        pubsub_leave(session, PUBSUB_PATTERN, session->patterns);
}

/* ------------------------------------------------------------------ commands ---- */

/* |name| NULL: there was nothing to leave. */
static void pubsub_confirm(struct session *session, const char *what, const char *name,
                           size_t len)
{
    struct buf *out = &session->out;

    resp_push(out, session->proto, 3);
    resp_bulk_str(out, what);
    if (name != NULL)
        resp_bulk(out, name, len);
    else
        resp_nil(out, session->proto);
    resp_int(out, (int64_t)session->n_channels + session->n_patterns);
}

static void pubsub_join_all(struct session *session, enum pubsub_kind kind,
                            const char *what, const struct resp_arg *argv, size_t argc)
{
    for (size_t i = 1; i < argc; i++) {
        pubsub_join(session, kind, &argv[i]);
        pubsub_confirm(session, what, argv[i].str, argv[i].len);
    }
}

/* Leaves what was named, or everything of |kind|. */
static void pubsub_leave_named(struct session *session, enum pubsub_kind kind,
                               const char *what, const struct resp_arg *argv,
                               size_t argc)
{
    struct sub **mine =
        kind == PUBSUB_CHANNEL ? &session->channels : &session->patterns;

    for (size_t i = 1; i < argc; i++) {
        struct topic *topic =
            pubsub_find(session->server, kind, argv[i].str, argv[i].len);
        struct sub *sub = topic != NULL ? pubsub_find_sub(session, topic) : NULL;
        if (sub != NULL)
            pubsub_leave(session, kind, sub);
        pubsub_confirm(session, what, argv[i].str, argv[i].len);
    }
    if (argc > 1)
        return;
    if (*mine == NULL)
        pubsub_confirm(session, what, NULL, 0);
    while (*mine != NULL) {
        size_t len = (*mine)->key.topic->len;
        char *name = mem_strndup((*mine)->key.topic->name, len);
        pubsub_leave(session, kind, *mine);
        pubsub_confirm(session, what, name, len);
        mem_free(name);
    }
}

void pubsub_subscribe(struct session *session, const struct resp_arg *argv, size_t argc)
{
    pubsub_join_all(session, PUBSUB_CHANNEL, "subscribe", argv, argc);
}

void pubsub_psubscribe(struct session *session, const struct resp_arg *argv,
                       size_t argc)
{
    pubsub_join_all(session, PUBSUB_PATTERN, "psubscribe", argv, argc);
}

void pubsub_unsubscribe(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    pubsub_leave_named(session, PUBSUB_CHANNEL, "unsubscribe", argv, argc);
}

void pubsub_punsubscribe(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    pubsub_leave_named(session, PUBSUB_PATTERN, "punsubscribe", argv, argc);
}

/* PUBLISH is how other sentinels hand us a hello; it publishes nothing. */
void pubsub_publish(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argc;
    if (strcmp(argv[1].str, PUBSUB_HELLO_CHANNEL) != 0 || !arg_is_text(&argv[1])) {
        session_error(session,
                      "ERR Only HELLO messages are accepted by Sentinel instances.");
        return;
    }

    struct core_request request = {
        .type = CORE_RQ_HELLO,
        .text = argv[2].str,
        .text_len = argv[2].len,
    };
    session_post(session, &request);
}

/* ------------------------------------------------------------------ delivery ---- */

/* Renders one message for both protocol versions. |pattern| NULL: to the subscribers of
 * the channel itself. */
static void pubsub_render(struct server *server, const struct topic *pattern,
                          const char *channel, const char *text)
{
    for (int i = 0; i < 2; i++) {
        struct buf *out = &server->frames[i];
        buf_clear(out);
        resp_push(out, i + 2, pattern != NULL ? 4 : 3);
        resp_bulk_str(out, pattern != NULL ? "pmessage" : "message");
        if (pattern != NULL)
            resp_bulk(out, pattern->name, pattern->len);
        resp_bulk_str(out, channel);
        resp_bulk_str(out, text);
    }
}

static void pubsub_send(struct server *server, const struct topic *topic)
{
    struct sub *sub;

    DL_FOREACH(topic->subs, sub)
    {
        struct session *session = sub->key.session;
        session_push(session, &server->frames[session->proto - 2]);
    }
}

void server_publish(struct server *server, const char *channel, const char *text)
{
    size_t len = strlen(channel);
    struct topic *topic = pubsub_find(server, PUBSUB_CHANNEL, channel, len);

    if (topic != NULL) {
        pubsub_render(server, NULL, channel, text);
        pubsub_send(server, topic);
    }

    struct topic *pattern, *next;
    HASH_ITER(hh, server->patterns, pattern, next)
    {
        if (!glob_match(pattern->name, pattern->len, channel, len, false))
            continue;
        pubsub_render(server, pattern, channel, text);
        pubsub_send(server, pattern);
    }
}
