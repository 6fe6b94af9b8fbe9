/*
 * net.c - TCP as its users see it: ordered and reliable while a connection lives.
 *
 * A blocked path is a black hole: what is sent is kept and sent again, with growing
 * pauses, until the path opens or the sender gives up and finds its connection reset.
 * The other end of a connection that is gone learns of it when it sends.
 */
#include "tests/sim/world.h"

#include "common/mem.h"

#include <string.h>

#define NET_RETRY_MS 200
#define NET_RETRY_MAX_MS 4000
#define NET_SYN_RETRY_MS 1000
#define NET_SYN_MAX_MS 127000

enum net_kind { NET_ACCEPT, NET_UP, NET_DATA, NET_FIN, NET_RST, NET_REFUSED };

bool net_path(const struct sim *sim, int from, int to)
{
    return from >= 0 && to >= 0 && sim->blocked[from][to] == 0 &&
           !sim->nodes[from].off && !sim->nodes[to].off;
}

int64_t net_latency(struct sim *sim, int from, int to)
{
    int64_t ms = sim->latency[from][to] + sim->slow[from][to];

    if (sim->jitter > 0)
        ms += rng_below(&sim->net_rng, (uint32_t)sim->jitter + 1);
    return ms;
}

void net_block(struct sim *sim, int from, int to, bool block)
{
    if (block)
        sim->blocked[from][to]++;
    else if (sim->blocked[from][to] > 0)
        sim->blocked[from][to]--;
}

void net_unblock_all(struct sim *sim)
{
    memset(sim->blocked, 0, sizeof(sim->blocked));
    memset(sim->slow, 0, sizeof(sim->slow));
}

struct conn *net_conn(struct sim *sim, struct slot_id id)
{
    return slots_get(&sim->conns, id);
}

static void net_free_stuck(struct sim *sim, struct conn *conn, int end)
{
    while (conn->stuck[end] != NULL) {
        struct entry *entry = conn->stuck[end];
        conn->stuck[end] = entry->next;
        world_entry_free(sim, entry);
    }
    conn->stuck_tail[end] = &conn->stuck[end];
}

static void net_conn_free(struct sim *sim, struct conn *conn)
{
    net_free_stuck(sim, conn, 0);
    net_free_stuck(sim, conn, 1);
    slots_remove(&sim->conns, conn->id);
    DL_DELETE(sim->conn_list, conn);
    mem_free(conn);
}

void net_release(struct sim *sim)
{
    while (sim->conn_list != NULL)
        net_conn_free(sim, sim->conn_list);
    slots_release(&sim->conns);
}

/* ---------------------------------------------------------------- arrivals ------- */

static void net_dispatch(struct sim *sim, struct conn *conn, int end,
                         enum net_kind kind, struct entry *entry)
{
    struct machine *machine = &sim->nodes[conn->node[end]];

    if (kind == NET_ACCEPT) {
        if (machine->redis != NULL)
            redis_accept(machine->redis, conn);
        else
            host_accept(machine->host, conn);
    } else if (kind == NET_UP) {
        host_conn_up(machine->host, conn);
    } else if (kind == NET_DATA) {
        if (machine->redis != NULL)
            redis_data(machine->redis, conn, entry->bytes.data, entry->bytes.len);
        else
            host_conn_data(machine->host, conn, end, entry->bytes.data,
                           entry->bytes.len);
    } else {
        struct slot_id id = conn->id;
        static const char *const reasons[] = {[NET_FIN] = "Connection closed by peer",
                                              [NET_RST] = "Connection reset by peer",
                                              [NET_REFUSED] = "Connection refused"};
        conn->open[end] = false;
        if (machine->redis != NULL)
            redis_closed(machine->redis, conn);
        else
            host_conn_down(machine->host, conn, end, reasons[kind]);
        conn = net_conn(sim, id);
        if (conn != NULL && !conn->open[!end])
            net_conn_free(sim, conn);
    }
}

static void net_transmit(struct sim *sim, struct conn *conn, int to,
                         struct entry *entry);

static struct entry *net_entry(struct sim *sim, struct conn *conn, int to,
                               enum net_kind kind);

/* A reset is not repeated when it is lost. */
static void net_reset(struct sim *sim, struct conn *conn, int to)
{
    if (!conn->open[to] || !net_path(sim, conn->node[!to], conn->node[to]))
        return;
    net_free_stuck(sim, conn, to);
    net_transmit(sim, conn, to, net_entry(sim, conn, to, NET_RST));
}

static void net_arrive(struct sim *sim, struct entry *entry)
{
    struct conn *conn = net_conn(sim, entry->conn);
    int to = (int)entry->a;
    enum net_kind kind = (enum net_kind)entry->b;

    if (conn == NULL)
        return;
    if (!conn->open[to]) {
        /* Nobody is there any more: the kernel says so. */
        if (kind == NET_DATA)
            net_reset(sim, conn, !to);
        return;
    }
    net_dispatch(sim, conn, to, kind, entry);
}

/* ----------------------------------------------------------------- sending ------- */

static struct entry *net_entry(struct sim *sim, struct conn *conn, int to,
                               enum net_kind kind)
{
    struct entry *entry =
        world_entry(sim, conn->open[to] ? conn->node[to] : -1, net_arrive);

    entry->conn = conn->id;
    entry->a = to;
    entry->b = kind;
    return entry;
}

static void net_schedule(struct sim *sim, struct conn *conn, int to,
                         struct entry *entry)
{
    int64_t at = sim->now + net_latency(sim, conn->node[!to], conn->node[to]);

    if (at < conn->last_at[to])
        at = conn->last_at[to];
    conn->last_at[to] = at;
    heap_set(&sim->queue, &entry->node, at);
}

static int64_t net_patience(struct sim *sim)
{
    return sim->options.calm ? 15000 : rng_between(&sim->net_rng, 8000, 30000);
}

/* Time to send again what is stuck towards one end. */
static void net_retry(struct sim *sim, struct entry *entry)
{
    struct conn *conn = net_conn(sim, entry->conn);
    int to = (int)entry->a;

    if (conn == NULL || conn->stuck[to] == NULL)
        return;
    if (net_path(sim, conn->node[!to], conn->node[to])) {
        struct entry *next = conn->stuck[to];
        conn->stuck[to] = NULL;
        conn->stuck_tail[to] = &conn->stuck[to];
        conn->n_tries = 0;
        while (next != NULL) {
            struct entry *now = next;
            next = now->next;
            now->next = NULL;
            net_schedule(sim, conn, to, now);
        }
        return;
    }
    if (sim->now - conn->stuck_since[to] > net_patience(sim)) {
        net_free_stuck(sim, conn, to);
        if (conn->open[!to])
            heap_set(&sim->queue, &net_entry(sim, conn, !to, NET_RST)->node, sim->now);
        return;
    }
    int64_t pause = (int64_t)NET_RETRY_MS << (conn->n_tries < 8 ? conn->n_tries : 8);
    conn->n_tries++;
    struct entry *again =
        world_at(sim, sim->now + (pause < NET_RETRY_MAX_MS ? pause : NET_RETRY_MAX_MS),
                 -1, net_retry);
    again->conn = conn->id;
    again->a = to;
}

static void net_transmit(struct sim *sim, struct conn *conn, int to,
                         struct entry *entry)
{
    bool first = conn->stuck[to] == NULL;

    if (first && net_path(sim, conn->node[!to], conn->node[to])) {
        net_schedule(sim, conn, to, entry);
        return;
    }
    *conn->stuck_tail[to] = entry;
    conn->stuck_tail[to] = &entry->next;
    if (first) {
        conn->stuck_since[to] = sim->now;
        struct entry *again = world_at(sim, sim->now + NET_RETRY_MS, -1, net_retry);
        again->conn = conn->id;
        again->a = to;
    }
}

void net_send(struct sim *sim, struct conn *conn, int from_end, const char *bytes,
              size_t len)
{
    if (!conn->open[from_end] || len == 0)
        return;
    struct entry *entry = net_entry(sim, conn, !from_end, NET_DATA);
    buf_append(&entry->bytes, bytes, len);
    net_transmit(sim, conn, !from_end, entry);
}

void net_close(struct sim *sim, struct conn *conn, int end)
{
    if (!conn->open[end])
        return;
    conn->open[end] = false;
    net_free_stuck(sim, conn, end);
    if (conn->open[!end])
        net_transmit(sim, conn, !end, net_entry(sim, conn, !end, NET_FIN));
    else
        net_conn_free(sim, conn);
}

void net_process_gone(struct sim *sim, int node)
{
    struct conn *conn, *next;

    DL_FOREACH_SAFE(sim->conn_list, conn, next)
    {
        for (int end = 0; end < 2; end++) {
            if (conn->node[end] != node || !conn->open[end])
                continue;
            conn->open[end] = false;
            net_free_stuck(sim, conn, end);
            if (!conn->open[!end]) {
                net_conn_free(sim, conn);
                break;
            }
            net_reset(sim, conn, !end);
        }
    }
}

void net_leave(struct sim *sim, int node)
{
    struct conn *conn;

    DL_FOREACH(sim->conn_list, conn)
    {
        for (int end = 0; end < 2; end++)
            if (conn->node[end] == node)
                conn->node[end] = -1;
    }
}

/* -------------------------------------------------------------- connecting ------- */

static void net_syn(struct sim *sim, struct entry *entry)
{
    struct conn *conn = net_conn(sim, entry->conn);

    if (conn == NULL || !conn->open[END_CLIENT])
        return;
    int from = conn->node[END_CLIENT], to = conn->node[END_SERVER];
    if (!net_path(sim, from, to) || !net_path(sim, to, from)) {
        int64_t pause = (int64_t)NET_SYN_RETRY_MS << conn->n_tries;
        if (pause > NET_SYN_MAX_MS / 2) {
            heap_set(&sim->queue, &net_entry(sim, conn, END_CLIENT, NET_RST)->node,
                     sim->now);
            return;
        }
        conn->n_tries++;
        struct entry *again = world_at(sim, sim->now + pause, -1, net_syn);
        again->conn = conn->id;
        return;
    }
    conn->n_tries = 0;
    if (!sim->nodes[to].up) {
        net_transmit(sim, conn, END_CLIENT,
                     net_entry(sim, conn, END_CLIENT, NET_REFUSED));
        return;
    }
    conn->open[END_SERVER] = true;
    conn->last_at[END_SERVER] = sim->now;
    heap_set(&sim->queue, &net_entry(sim, conn, END_SERVER, NET_ACCEPT)->node,
             sim->now);
    net_transmit(sim, conn, END_CLIENT, net_entry(sim, conn, END_CLIENT, NET_UP));
}

struct slot_id net_connect(struct sim *sim, int from, const char *ip, int port,
                           void *end)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));
    int to = names_now_at(sim, ip, port);

    conn->id = slots_add(&sim->conns, conn);
    DL_APPEND(sim->conn_list, conn);
    conn->node[END_CLIENT] = from;
    conn->node[END_SERVER] = to;
    conn->open[END_CLIENT] = true;
    conn->end[END_CLIENT] = end;
    conn->stuck_tail[0] = &conn->stuck[0];
    conn->stuck_tail[1] = &conn->stuck[1];
    int64_t delay = to >= 0 ? net_latency(sim, from, to) : 0;
    struct entry *entry = world_at(sim, sim->now + delay, -1, net_syn);
    entry->conn = conn->id;
    return conn->id;
}
