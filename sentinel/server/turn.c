/*
 * turn.c - how much of one turn of the driver's loop the clients may take.
 *
 * Every request is charged what it costs. When the turn is spent, clients that want
 * more stand in line, and are served in that order in the turns that follow, so that
 * nobody who asks much keeps others waiting, nor the loop from its other work.
 *
 * Who asks little (a sentinel, a health check, a client library that looks for the
 * master) does not stand behind those who list everything: a part of each turn is set
 * aside for such, and each may take some of it.
 */
#include "sentinel/server/internal.h"

/* In bytes of output, like the budget: about the time of writing that many. */
#define TURN_REQUEST_COST 256
/* Parts of the budget: for all who ask little, and the most that is little. */
#define TURN_LITTLE_ALL 4
#define TURN_LITTLE_EACH 16

void turn_charge(struct session *session, size_t n_bytes)
{
    struct server *server = session->server;
    int64_t cost = (int64_t)n_bytes + TURN_REQUEST_COST;

    if (session->turn != server->turn)
        session->turn_cost = 0;
    session->turn = server->turn;
    session->turn_cost += cost;
    server->turn_left -= cost;
    if (session->is_let_by)
        server->turn_left_little -= cost;
}

/* May it pass those who stand in line? What its last turn with a request came to counts
 * until the next. */
static bool turn_lets_by(const struct session *session)
{
    const struct server *server = session->server;

    return server->turn_left_little > 0 && !session->is_in_line &&
           session->turn_cost <= server->options.turn_budget / TURN_LITTLE_EACH;
}

bool turn_admits(struct session *session)
{
    struct server *server = session->server;
    bool is_its_turn = server->line == NULL || server->served == session;

    session->is_let_by = false;
    if (server->options.turn_budget == 0 || (server->turn_left > 0 && is_its_turn))
        return true;
    if (session->rq.pos == session->rq.in.len) /* it wants nothing */
        return true;
    session->is_let_by = turn_lets_by(session);
    if (session->is_let_by)
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
    server->turn++;
    server->turn_left = server->options.turn_budget;
    server->turn_left_little = server->options.turn_budget / TURN_LITTLE_ALL;
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
