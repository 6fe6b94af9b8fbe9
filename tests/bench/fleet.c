/*
 * fleet.c - many data servers in one process, for benchmarks: masters with replicas on
 * addresses of their own, which answer what sentinels ask them.
 *
 * fleet INFO-FILE FIRST MASTERS REPLICAS PORT
 *
 * INFO-FILE holds the INFO text of a real server; its Replication section and run id
 * are replaced. Server |r| of group |g| (r 0: the master) listens on
 * 127.<1+r>.<g/1000>.1, port PORT + g % 1000; the groups are FIRST to FIRST+MASTERS-1.
 *
 * Commands come on standard input, a line each; each is answered by one line:
 *   kill FIRST COUNT     ends the present masters of these groups; times of begin and
 * end hang FIRST COUNT     the same, but they only fall silent restart FIRST COUNT
 * brings back all that is down or silent, as what it was state                groups
 * with one living master which all others follow stats                counters since
 * the start
 */
#include "tests/bench/fleet.h"

#include "common/assert.h"
#include "common/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 512
#define WORDS_MAX 16

struct fleet fleet;

void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ------------------------------------------------------------ connections ------- */

void conn_touch(struct conn *conn)
{
    if (conn->dirty || conn->fd < 0)
        return;
    conn->dirty = true;
    conn->dirty_next = fleet.dirty;
    fleet.dirty = conn;
}

void conn_close(struct conn *conn)
{
    if (conn->fd < 0)
        return;
    close(conn->fd);
    conn->fd = -1;
    fleet.n_conns--;
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conn->server->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    conn->next = fleet.graveyard;
    fleet.graveyard = conn;
}

static void conns_bury(void)
{
    while (fleet.graveyard != NULL) {
        struct conn *conn = fleet.graveyard;
        fleet.graveyard = conn->next;
        buf_release(&conn->in);
        buf_release(&conn->out);
        mem_free(conn->queued);
        mem_free(conn);
    }
}

static void watch(int fd, void *what, uint32_t events, int op)
{
    struct epoll_event event = {.events = events, .data = {.ptr = what}};
    if (epoll_ctl(fleet.epoll, op, fd, &event) != 0)
        die("epoll_ctl");
}

static void conn_flush(struct conn *conn)
{
    conn->dirty = false;
    if (conn->fd < 0 || conn->out.len == 0)
        return;
    ssize_t n = send(conn->fd, conn->out.data, conn->out.len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        conn_close(conn);
        return;
    }
    if (n > 0)
        buf_consume(&conn->out, (size_t)n);
    bool wants_out = conn->out.len > 0;
    if (wants_out != conn->wants_out)
        watch(conn->fd, conn, EPOLLIN | (wants_out ? EPOLLOUT : 0), EPOLL_CTL_MOD);
    conn->wants_out = wants_out;
    if (!wants_out)
        buf_release(&conn->out);
}

static void server_accept(struct server *server)
{
    for (;;) {
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *conn = mem_zalloc(sizeof *conn);
        conn->is_conn = true;
        conn->fd = fd;
        conn->server = server;
        conn->next = server->conns;
        if (conn->next != NULL)
            conn->next->prev = conn;
        server->conns = conn;
        fleet.n_conns++;
        fleet.n_accepted++;
        watch(fd, conn, EPOLLIN, EPOLL_CTL_ADD);
    }
}

/* ---------------------------------------------------------------- requests ------ */

/* The number behind |mark| at *|at|, which moves behind its line; -1: more is needed.
 */
static long parse_number(const char **at, const char *end, char mark)
{
    const char *eol = memchr(*at, '\n', (size_t)(end - *at));

    if (eol == NULL)
        return -1;
    if (**at != mark)
        die("not a request");
    long value = strtol(*at + 1, NULL, 10);
    *at = eol + 1;
    return value;
}

/* Runs the command at |at|; NULL if it is not complete, else what follows it. */
static const char *parse_one(struct conn *conn, const char *at, const char *end)
{
    struct word words[WORDS_MAX];
    long n = parse_number(&at, end, '*');

    if (n < 0)
        return NULL;
    ASSERT_CMP(n, <=, WORDS_MAX);
    for (long i = 0; i < n; i++) {
        if (at == end)
            return NULL;
        long len = parse_number(&at, end, '$');
        if (len < 0 || end - at < len + 2)
            return NULL;
        words[i] = (struct word){at, (size_t)len};
        at += len + 2;
    }
    if (n > 0)
        run(conn, words, (size_t)n);
    return at;
}

static void conn_read(struct conn *conn)
{
    static char bytes[65536];
    size_t kept = conn->in.len;

    memcpy(bytes, buf_text(&conn->in), kept);
    ssize_t n = recv(conn->fd, bytes + kept, sizeof bytes - 1 - kept, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn_close(conn);
        return;
    }
    fleet.n_reads++;
    const char *at = bytes, *end = bytes + kept + n;
    bytes[kept + (size_t)n] = '\0';
    while (at < end) {
        const char *next = parse_one(conn, at, end);
        if (next == NULL)
            break;
        at = next;
    }
    if (at == end && kept == 0)
        return;
    buf_release(&conn->in);
    if (at < end)
        buf_append(&conn->in, at, (size_t)(end - at));
}

/* ----------------------------------------------------------------- servers ------ */

static void server_listen(struct server *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    int on = 1;

    inet_pton(AF_INET, server->ip, &at.sin_addr);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listen_fd < 0)
        die("socket");
    setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server->listen_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(server->listen_fd, 64) != 0)
        die(server->ip);
    watch(server->listen_fd, server, EPOLLIN, EPOLL_CTL_ADD);
}

static void server_silence(struct server *server, bool hung)
{
    uint32_t events = hung ? 0 : EPOLLIN;

    server->hung = hung;
    watch(server->listen_fd, server, events, EPOLL_CTL_MOD);
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next)
        watch(conn->fd, conn, events, EPOLL_CTL_MOD);
}

static void server_kill(struct server *server)
{
    struct conn *next;

    server->offset = server_offset(server);
    close(server->listen_fd);
    server->listen_fd = -1;
    for (struct conn *conn = server->conns; conn != NULL; conn = next) {
        next = conn->next;
        conn_close(conn);
    }
    server_feed(server);
}

static void server_start(struct server *server)
{
    if (server->hung) {
        server_silence(server, false);
    } else if (server->listen_fd < 0) {
        server_listen(server);
    }
    server_feed(server);
    if (server->follows != NOBODY)
        server_feed(&fleet.servers[server->follows]);
}

static void servers_make(void)
{
    fleet.servers =
        mem_array((size_t)(fleet.n_groups * fleet.n_members), sizeof *fleet.servers);
    for (int i = 0; i < fleet.n_groups * fleet.n_members; i++) {
        struct server *server = &fleet.servers[i];
        int group = fleet.first + i / fleet.n_members, r = i % fleet.n_members;
        memset(server, 0, sizeof *server);
        server->index = i;
        server->port = (uint16_t)(fleet.base_port + group % 1000);
        snprintf(server->ip, sizeof server->ip, "127.%d.%d.1", 1 + r, group / 1000);
        snprintf(server->run_id, sizeof server->run_id, "%040x",
                 (unsigned)(fleet.now << 20) ^ (unsigned)(group * 256 + r + 1));
        server->follows = r == 0 ? NOBODY : i - r;
        server->link_at = r == 0 ? INT64_MAX : 0;
        server_listen(server);
    }
}

/* ----------------------------------------------------------------- control ------ */

static struct server *group_master(int group)
{
    for (int r = 0; r < fleet.n_members; r++) {
        struct server *server = &fleet.servers[group * fleet.n_members + r];
        if (server->listen_fd >= 0 && !server->hung && server->follows == NOBODY)
            return server;
    }
    return NULL;
}

/* One living master, and everybody else alive follows it. */
static bool group_is_right(int group)
{
    const struct server *master = group_master(group);

    if (master == NULL)
        return false;
    for (int r = 0; r < fleet.n_members; r++) {
        const struct server *s = &fleet.servers[group * fleet.n_members + r];
        bool is_live = s->listen_fd >= 0 && !s->hung;
        if (is_live && s != master &&
            (s->follows != master->index || !server_link_up(s)))
            return false;
    }
    return true;
}

/* Clips a range of group numbers to those that are ours. */
static void control_range(const char *line, int *from, int *to)
{
    int first = 0, count = 0;
    char *end;

    line += strcspn(line, " ");
    first = (int)strtol(line, &end, 10);
    count = (int)strtol(end, NULL, 10);
    *from = first > fleet.first ? first - fleet.first : 0;
    *to = first + count - fleet.first;
    if (*to > fleet.n_groups)
        *to = fleet.n_groups;
}

static void control_strike(const char *line, bool hang)
{
    int from, to;
    int64_t begin = clock_ms(CLOCK_REALTIME);

    control_range(line, &from, &to);
    for (int group = from; group < to; group++) {
        struct server *master = group_master(group);
        if (master != NULL && hang) {
            server_silence(master, true);
            server_feed(master);
        } else if (master != NULL) {
            server_kill(master);
        }
    }
    printf("%" PRId64 " %" PRId64 "\n", begin, clock_ms(CLOCK_REALTIME));
}

static void control_stats(void)
{
    printf("conns %zu accepted %" PRIu64 " reads %" PRIu64 " ping %" PRIu64
           " info %" PRIu64 " info_bytes %" PRIu64 " publish %" PRIu64
           " delivered %" PRIu64 " slaveof %" PRIu64 " client %" PRIu64
           " other %" PRIu64 "\n",
           fleet.n_conns, fleet.n_accepted, fleet.n_reads, fleet.n_ping, fleet.n_info,
           fleet.n_info_bytes, fleet.n_publish, fleet.n_delivered, fleet.n_slaveof,
           fleet.n_client, fleet.n_other);
}

static void control_line(const char *line)
{
    int from, to, n_right = 0;

    if (strncmp(line, "kill ", 5) == 0) {
        control_strike(line, false);
    } else if (strncmp(line, "hang ", 5) == 0) {
        control_strike(line, true);
    } else if (strncmp(line, "restart ", 8) == 0) {
        control_range(line, &from, &to);
        for (int i = from * fleet.n_members; i < to * fleet.n_members; i++)
            server_start(&fleet.servers[i]);
        puts("ok");
    } else if (strcmp(line, "state") == 0) {
        for (int group = 0; group < fleet.n_groups; group++)
            n_right += group_is_right(group);
        printf("%d\n", n_right);
    } else if (strcmp(line, "stats") == 0) {
        control_stats();
    } else {
        puts("what?");
    }
    fflush(stdout);
}

/* The end of the input is the end of the fleet. */
static void control_read(void)
{
    static struct buf in;
    char bytes[1024];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

    if (n <= 0)
        exit(0);
    buf_append(&in, bytes, (size_t)n);
    char *eol;
    while ((eol = memchr(in.data, '\n', in.len)) != NULL) {
        *eol = '\0';
        control_line(in.data);
        buf_consume(&in, (size_t)(eol + 1 - in.data));
    }
}

/* --------------------------------------------------------------------- main ----- */

static void on_event(const struct epoll_event *event)
{
    if (event->data.ptr == NULL) {
        control_read();
        return;
    }
    if (!*(bool *)event->data.ptr) {
        struct server *server = event->data.ptr;
        if (server->listen_fd >= 0 && !server->hung)
            server_accept(server);
        return;
    }
    struct conn *conn = event->data.ptr;
    if (conn->fd >= 0 && (event->events & EPOLLOUT) != 0)
        conn_touch(conn);
    if (conn->fd >= 0 && (event->events & ~(uint32_t)EPOLLOUT) != 0)
        conn_read(conn);
}

static void loop(void)
{
    static struct epoll_event events[BATCH];

    for (;;) {
        int n = epoll_wait(fleet.epoll, events, BATCH, -1);
        fleet.now = clock_ms(CLOCK_MONOTONIC);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        while (fleet.dirty != NULL) {
            struct conn *conn = fleet.dirty;
            fleet.dirty = conn->dirty_next;
            conn_flush(conn);
        }
        conns_bury();
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;

    if (argc != 6) {
        fprintf(stderr, "usage: fleet INFO-FILE FIRST MASTERS REPLICAS PORT\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    fleet.now = clock_ms(CLOCK_MONOTONIC);
    fleet.first = (int)strtol(argv[2], NULL, 10);
    fleet.n_groups = (int)strtol(argv[3], NULL, 10);
    fleet.n_members = 1 + (int)strtol(argv[4], NULL, 10);
    fleet.base_port = (int)strtol(argv[5], NULL, 10);
    fleet.epoll = epoll_create1(EPOLL_CLOEXEC);
    info_load(argv[1]);
    servers_make();
    watch(STDIN_FILENO, NULL, EPOLLIN, EPOLL_CTL_ADD);
    printf("ready %d\n", fleet.n_groups);
    fflush(stdout);
    loop();
}
