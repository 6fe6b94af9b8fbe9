/*
 * turn.c - how much of one turn of the driver's loop the clients may take.
 *
 * Every request is charged what it costs. When the turn is spent, clients that want
 * more stand in line, and are served in that order in the turns that follow, so that
 * nobody who asks much keeps others waiting, nor the loop from its other work.
 */
#include "sentinel/server/internal.h"

/* In bytes of output, like the budget: about the time of writing that many. */
#define TURN_REQUEST_COST 256

void turn_charge(struct server *server, size_t n_bytes)
{
    server->turn_left -= (int64_t)n_bytes + TURN_REQUEST_COST;
}

bool turn_admits(struct session *session)
{
    struct server *server = session->server;
    bool is_its_turn = server->line == NULL || server->served == session;

    if (server->options.turn_budget == 0 || (server->turn_left > 0 && is_its_turn))
        return true;
    if (session->rq.pos == session->rq.in.len) /* it wants nothing */
        return true;
    if (!session->is_in_line)
        DL_APPEND2(server->line, session, line_prev, line_next);
    session->is_in_line = true;
    return false;
}

void turn_leave_line(struct session *session)
{
    if (session->is_in_line)
        DL_DELETE2(session->server->line, session, line_prev, line_next);
    session->is_in_line = false;
}

bool server_end_turn(struct server *server)
{
    server->turn_left = server->options.turn_budget;
    return server->line != NULL;
}

bool server_serve_next(struct server *server)
{
    struct session *session = server->line;

    if (session == NULL || server->turn_left <= 0)
        return false;
    turn_leave_line(session);
    server->served = session;
    session_go_on(session);
    server->served = NULL;
    server_settle(server);
    return true;
}
