/*
 * promise.c - replies that are owed while a session goes on.
 *
 * A vote leaves only when it is on disk. When a thousand masters die, a peer asks for a
 * thousand votes on one connection: were each to hold up the next, each would cost a
 * save of its own, and the PING behind them would come too late. So further requests
 * for votes, and PINGs, are run meanwhile. Their replies follow in order.
 */
#include "sentinel/server/internal.h"

#include "common/mem.h"

#include <string.h>
#include <utlist.h>

/* Of one client. More wait, unread. */
#define PROMISES_MAX 10000

struct promise {
    uint16_t ticket; /* 0: only output that must not overtake */
    bool is_kept;
    struct buf out;
    struct promise *prev, *next;
};

bool promise_admits(const struct session *session, const struct command *command)
{
    return session->promises == NULL || command->run == cmd_connection_ping ||
           (command->run == cmd_sentinel_is_master_down &&
            session->n_promises < PROMISES_MAX);
}

bool promise_is_possible(const struct session *session)
{
    return !session->is_reply_off && !session->is_skipping;
}

static struct promise *promise_add(struct session *session, uint16_t ticket)
{
    struct promise *promise = mem_zalloc(sizeof *promise);

    promise->ticket = ticket;
    promise->is_kept = ticket == 0;
    DL_APPEND(session->promises, promise);
    session->n_promises++;
    return promise;
}

static void promise_free(struct session *session, struct promise *promise)
{
    DL_DELETE(session->promises, promise);
    session->n_promises--;
    buf_release(&promise->out);
    mem_free(promise);
}

void promise_vote(struct session *session, struct core_request *request)
{
    struct server *server = session->server;

    if (++session->last_ticket == 0)
        session->last_ticket = 1;
    request->client = PROMISE_CLIENT(session->id, session->last_ticket);
    promise_add(session, session->last_ticket);
    server->hooks.request(server->hooks.ctx, request);
}

void promise_follow(struct session *session, size_t before)
{
    struct buf *out = &session->out;

    if (session->promises == NULL || out->len == before)
        return;
    buf_append(&promise_add(session, 0)->out, out->data + before, out->len - before);
    buf_truncate(out, before);
}

void promise_keep(struct session *session, uint16_t ticket,
                  const struct core_action *answer)
{
    struct promise *promise;
    size_t before = session->out.len;

    DL_SEARCH_SCALAR(session->promises, promise, ticket, ticket);
    if (promise == NULL || promise->is_kept)
        return;
    session_write_answer(session, answer);
    buf_append(&promise->out, session->out.data + before, session->out.len - before);
    session->n_owed += session->out.len - before;
    buf_truncate(&session->out, before);
    promise->is_kept = true;
    while (session->promises != NULL && session->promises->is_kept) {
        promise = session->promises;
        buf_append(&session->out, promise->out.data, promise->out.len);
        promise_free(session, promise);
    }
}

void promise_release(struct session *session)
{
    while (session->promises != NULL)
        promise_free(session, session->promises);
}
