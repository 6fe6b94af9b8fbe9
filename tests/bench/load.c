/*
 * load.c - a load generator that costs less than what it loads: requests are built
 * once, replies are only counted.
 *
 *   load query  PORT CLIENTS PIPELINE REQUESTS PID WORD...
 *   load fan    PORT SUBSCRIBERS ROUNDS PID CHANNEL WORD...
 *   load loop   SUBSCRIBERS ROUNDS BYTES
 *   load echo   CLIENTS PIPELINE REQUESTS CPU
 *   load storm  PORT CLIENTS PID
 *
 * query: CLIENTS connections send the command PIPELINE at a time, until REQUESTS are
 * answered or SIGTERM comes. fan: the command
 * makes a sentinel publish on CHANNEL once; timed until the last subscriber has the
 * message. loop: the same with a process that does nothing but write() BYTES to each.
 * echo: query with PING, of a process that answers without looking at what it read,
 * on processor CPU.
 * storm: all connect at once and send PING. Each prints one line of JSON. cpu_ms is
 * what process PID (0: none) used while the clock ran.
 */
#include "common/assert.h"
#include "common/buf.h"
#include "common/mem.h"
#include "common/resp.h"
#include "tests/bench/load_reply.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_CAP ((size_t)256 * 1024)
#define EVENTS_MAX 1024
#define PING_TEXT "*1\r\n$4\r\nPING\r\n"
#define PING_LEN (sizeof(PING_TEXT) - 1)
#define PONG_TEXT "+PONG\r\n"
#define PONG_LEN (sizeof(PONG_TEXT) - 1)
/* Nothing measured here takes longer, unless it hangs. */
#define PATIENCE_MS 60000

struct conn {
    int fd;
    bool is_up, is_broken;
    struct reply_scan scan;
    uint64_t n_wanted; /* replies, of all so far */
    uint64_t sent_at;
    const char *unsent; /* of the pipeline */
    size_t n_unsent;
};

struct load {
    struct conn *conns;
    int n;
    int epoll;
    struct buf pipeline;
    uint32_t *latencies_us;
    uint64_t n_latencies;
    char read_buf[READ_CAP];
};

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 0 || value > INT32_MAX) {
        fprintf(stderr, "load: '%s' is not a number\n", text);
        exit(2);
    }
    return (int)value;
}

/* CPU time of all threads of |pid|, in ns. */
static uint64_t cpu_ns(int pid)
{
    char path[64];
    uint64_t sum = 0, one;

    if (pid == 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        die(path);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.12s/schedstat", pid, d->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fscanf(file, "%" SCNu64, &one) == 1)
            sum += one;
        if (file != NULL)
            fclose(file);
    }
    closedir(dir);
    return sum;
}

/* ----------------------------------------------------------------- connections ---- */

static int open_socket(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static struct sockaddr_in address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)port)};
}

static void begin_connect(struct load *load, struct conn *conn, int port)
{
    struct sockaddr_in to = address(port);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.ptr = conn};

    conn->fd = open_socket();
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
        errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        die("epoll_ctl");
}

static void conn_fail(struct conn *conn)
{
    conn->is_broken = true;
    close(conn->fd);
}

static void conn_send(struct conn *conn)
{
    while (conn->n_unsent > 0) {
        ssize_t n = send(conn->fd, conn->unsent, conn->n_unsent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            conn_fail(conn);
            return;
        }
        conn->unsent += n;
        conn->n_unsent -= (size_t)n;
    }
}

/* Sends what |request| holds, of which |n| replies come. */
static void conn_ask(struct conn *conn, const struct buf *request, uint64_t n)
{
    conn->unsent = request->data;
    conn->n_unsent = request->len;
    conn->n_wanted += n;
    conn->sent_at = now_ns();
    conn_send(conn);
}

static bool conn_is_done(const struct conn *conn)
{
    return conn->is_broken || conn->scan.n_replies >= conn->n_wanted;
}

static void conn_read(struct load *load, struct conn *conn)
{
    ssize_t n;

    do {
        n = recv(conn->fd, load->read_buf, READ_CAP, 0);
        if (n > 0)
            reply_scan(&conn->scan, load->read_buf, (size_t)n);
    } while (n == (ssize_t)READ_CAP);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        conn_fail(conn);
}

static void conn_event(struct load *load, struct conn *conn, uint32_t events)
{
    if (conn->is_broken)
        return;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        conn_fail(conn);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        conn->is_up = true;
        conn_send(conn);
    }
    if (!conn->is_broken && (events & EPOLLIN) != 0)
        conn_read(load, conn);
}

/* Handles what happens until |n_left| is 0; |on_event| says by how much it changes. */
static void load_run(struct load *load, int n_left,
                     int (*on_event)(struct load *load, struct conn *conn))
{
    struct epoll_event events[EVENTS_MAX];

    while (n_left > 0) {
        int n = epoll_wait(load->epoll, events, EVENTS_MAX, PATIENCE_MS);
        if (n == 0) {
            fprintf(stderr, "load: nothing happens any more\n");
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            bool was_broken = conn->is_broken;
            conn_event(load, conn, events[i].events);
            if (!was_broken)
                n_left += on_event(load, conn);
        }
    }
}

static int on_up(struct load *load, struct conn *conn)
{
    (void)load;
    if (conn->is_broken || !conn->is_up || conn->n_wanted > 0)
        return conn->is_broken ? -1 : 0;
    conn->n_wanted = 1; /* counted */
    return -1;
}

static void load_report_broken(const struct load *load)
{
    for (int i = 0; i < load->n; i++)
        if (load->conns[i].is_broken || load->conns[i].scan.n_errors > 0) {
            fprintf(stderr, "load: a connection was lost or got an error reply\n");
            exit(1);
        }
}

/* At most this many are on their way at once: more would overflow the queue of the
 * listening socket, which is what `load storm` is for. */
#define DIAL_MAX 100

static void load_open(struct load *load, int n, int port)
{
    load->conns = mem_zalloc((size_t)n * sizeof(*load->conns));
    load->n = n;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int done = 0; done < n;) {
        int batch = n - done < DIAL_MAX ? n - done : DIAL_MAX;
        for (int i = 0; i < batch; i++)
            begin_connect(load, &load->conns[done + i], port);
        load_run(load, batch, on_up);
        done += batch;
    }
    for (int i = 0; i < n; i++)
        load->conns[i].n_wanted = 0;
    load_report_broken(load);
}

/* Sends |request| on all connections and waits for all replies. */
static int on_done(struct load *load, struct conn *conn)
{
    (void)load;
    if (!conn_is_done(conn) || conn->sent_at == 0)
        return 0;
    conn->sent_at = 0;
    return -1;
}

static void load_ask_all(struct load *load, const struct buf *request)
{
    for (int i = 0; i < load->n; i++)
        conn_ask(&load->conns[i], request, 1);
    load_run(load, load->n, on_done);
    load_report_broken(load);
}

/* ----------------------------------------------------------------------- query ---- */

static struct {
    uint64_t n_left; /* pipelines not yet sent */
    uint64_t pipeline;
    volatile sig_atomic_t is_over;
} query;

static void query_end(int signal_number)
{
    (void)signal_number;
    query.is_over = 1;
}

static int query_on_event(struct load *load, struct conn *conn)
{
    if (conn->is_broken) {
        fprintf(stderr, "load: a connection was lost\n");
        exit(1);
    }
    if (!conn_is_done(conn) || conn->sent_at == 0)
        return 0;
    load->latencies_us[load->n_latencies++] =
        (uint32_t)((now_ns() - conn->sent_at) / 1000);
    conn->sent_at = 0;
    if (query.n_left == 0 || query.is_over)
        return -1;
    query.n_left--;
    conn_ask(conn, &load->pipeline, query.pipeline);
    return 0;
}

static int compare_us(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static uint32_t percentile(struct load *load, double share)
{
    uint64_t at = (uint64_t)((double)load->n_latencies * share);

    return load->latencies_us[at < load->n_latencies ? at : load->n_latencies - 1];
}

static int run_query(struct load *load, char **argv)
{
    int n = number(argv[1]), pid = number(argv[4]);
    struct buf one = {0};
    size_t n_words = 0;

    query.pipeline = (uint64_t)number(argv[2]);
    uint64_t n_pipelines = (uint64_t)number(argv[3]) / query.pipeline;
    if (n_pipelines < (uint64_t)n)
        n_pipelines = (uint64_t)n;
    while (argv[5 + n_words] != NULL)
        n_words++;
    resp_command_v(&one, (const char *const *)&argv[5], n_words);
    for (uint64_t i = 0; i < query.pipeline; i++)
        buf_append(&load->pipeline, one.data, one.len);
    load->latencies_us = mem_array(n_pipelines, sizeof(*load->latencies_us));

    load_open(load, n, number(argv[0]));
    load_ask_all(load, &one);
    query.n_left = n_pipelines - (uint64_t)n;
    signal(SIGTERM, query_end);
    uint64_t cpu = cpu_ns(pid), began = now_ns();
    for (int i = 0; i < n; i++)
        conn_ask(&load->conns[i], &load->pipeline, query.pipeline);
    load_run(load, n, query_on_event);
    uint64_t took = now_ns() - began;
    cpu = cpu_ns(pid) - cpu;
    load_report_broken(load);
    qsort(load->latencies_us, load->n_latencies, sizeof(*load->latencies_us),
          compare_us);
    uint64_t n_requests = load->n_latencies * query.pipeline;
    printf("{\"requests\": %" PRIu64 ", \"ms\": %.3f, \"cpu_ms\": %.3f, "
           "\"p50_us\": %u, \"p99_us\": %u}\n",
           n_requests, (double)took / 1e6, (double)cpu / 1e6, percentile(load, 0.5),
           percentile(load, 0.99));
    buf_release(&one);
    return 0;
}

/* ------------------------------------------------------------------------- fan ---- */

/* Every connection is to get one more message. */
static void fan_expect(struct load *load)
{
    for (int i = 0; i < load->n; i++) {
        load->conns[i].n_wanted++;
        load->conns[i].sent_at = 1;
    }
}

static int fan_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void fan_print(double *rounds_ms, int n, uint64_t cpu)
{
    qsort(rounds_ms, (size_t)n, sizeof(*rounds_ms), fan_compare);
    printf("{\"median_ms\": %.3f, \"min_ms\": %.3f, \"max_ms\": %.3f, "
           "\"cpu_ms\": %.3f}\n",
           rounds_ms[n / 2], rounds_ms[0], rounds_ms[n - 1],
           (double)cpu / 1e6 / (double)n);
}

/* Rounds of: |trigger| leaves on |control|, every connection gets a message. */
static int fan_rounds(struct load *load, int control, const struct buf *trigger,
                      int n_rounds, int pid)
{
    double *rounds_ms = mem_array((size_t)n_rounds, sizeof(*rounds_ms));
    uint64_t cpu = cpu_ns(pid);
    char reply[512];

    for (int i = 0; i < n_rounds; i++) {
        fan_expect(load);
        uint64_t began = now_ns();
        if (write(control, trigger->data, trigger->len) != (ssize_t)trigger->len)
            die("write");
        load_run(load, load->n, on_done);
        rounds_ms[i] = (double)(now_ns() - began) / 1e6;
        if (read(control, reply, sizeof(reply)) <= 0 || reply[0] == '-')
            die("the command that should publish failed");
    }
    load_report_broken(load);
    fan_print(rounds_ms, n_rounds, cpu_ns(pid) - cpu);
    mem_free(rounds_ms);
    return 0;
}

static int blocking_connect(int port)
{
    struct sockaddr_in to = address(port);
    int fd = open_socket();

    fcntl(fd, F_SETFL, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    return fd;
}

static int run_fan(struct load *load, char **argv)
{
    struct buf request = {0};
    size_t n_words = 0;
    int port = number(argv[0]);

    load_open(load, number(argv[1]), port);
    resp_command(&request, "SUBSCRIBE", argv[4], NULL);
    load_ask_all(load, &request);
    buf_clear(&request);
    while (argv[5 + n_words] != NULL)
        n_words++;
    resp_command_v(&request, (const char *const *)&argv[5], n_words);
    int rc = fan_rounds(load, blocking_connect(port), &request, number(argv[2]),
                        number(argv[3]));
    buf_release(&request);
    return rc;
}

/* ------------------------------------------------------------------------ loop ---- */

/* What a server has to do at least: for each byte on the first connection, one write()
 * to each of the others. (Those may come in another order than they were opened.) */
static void loop_serve(int listener, int n, size_t len)
{
    int *fds = mem_array((size_t)n, sizeof(*fds));
    struct buf frame = {0};
    char byte[64];

    while (frame.len < len)
        buf_putc(&frame, 'x');
    char *text = mem_strndup(frame.data, frame.len);
    buf_clear(&frame);
    resp_bulk(&frame, text, len);
    int control = accept4(listener, NULL, NULL, 0);
    if (control < 0)
        die("accept");
    for (int i = 0; i < n; i++) {
        fds[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fds[i] < 0)
            die("accept");
    }
    while (read(control, byte, sizeof(byte)) > 0) {
        for (int i = 0; i < n; i++)
            if (write(fds[i], frame.data, frame.len) != (ssize_t)frame.len)
                die("write");
        if (write(control, "+OK\r\n", 5) != 5)
            die("write");
    }
    exit(0);
}

static void epoll_add(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static int loop_listen(int *port)
{
    struct sockaddr_in at = address(0);
    socklen_t len = sizeof(at);
    int fd = open_socket();

    fcntl(fd, F_SETFL, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 511) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    *port = ntohs(at.sin_port);
    return fd;
}

static int run_loop(struct load *load, char **argv)
{
    struct buf go = {0};
    int port, n = number(argv[0]);
    int listener = loop_listen(&port);

    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        loop_serve(listener, n, (size_t)number(argv[2]));
    }
    close(listener);
    int control = blocking_connect(port);
    load_open(load, n, port);
    buf_puts(&go, "!");
    int rc = fan_rounds(load, control, &go, number(argv[1]), (int)pid);
    close(control);
    waitpid(pid, NULL, 0);
    buf_release(&go);
    return rc;
}

/* The same for PING: one read() and one write() for all that has come. */
static void echo_serve(int listener)
{
    static char replies[READ_CAP / 2], bytes[READ_CAP];
    struct epoll_event events[EVENTS_MAX];
    size_t rest[UINT16_MAX] = {0}; /* bytes of a request cut short, by descriptor */
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (size_t at = 0; at + PONG_LEN <= sizeof(replies); at += PONG_LEN)
        memcpy(replies + at, PONG_TEXT, PONG_LEN);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    epoll_add(epoll, listener);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    epoll_add(epoll, fd);
                continue;
            }
            ssize_t len = read(fd, bytes, sizeof(bytes));
            if (len <= 0)
                exit(0);
            size_t have = rest[fd] + (size_t)len;
            rest[fd] = have % PING_LEN;
            if (write(fd, replies, have / PING_LEN * PONG_LEN) < 0)
                die("write");
        }
    }
}

static int run_echo(struct load *load, char **argv)
{
    char port_text[16], pid_text[16], ping[] = "PING";
    int port, listener = loop_listen(&port);

    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)number(argv[3]), &cpus);
        if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
            die("sched_setaffinity");
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo_serve(listener);
    }
    close(listener);
    snprintf(port_text, sizeof(port_text), "%d", port);
    snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
    char *words[] = {port_text, argv[0], argv[1], argv[2], pid_text, ping, NULL};
    return run_query(load, words);
}

/* ----------------------------------------------------------------------- storm ---- */

static int run_storm(struct load *load, char **argv)
{
    int port = number(argv[0]), pid = number(argv[2]), n_lost = 0;

    load->n = number(argv[1]);
    load->conns = mem_zalloc((size_t)load->n * sizeof(*load->conns));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    buf_puts(&load->pipeline, PING_TEXT);
    uint64_t cpu = cpu_ns(pid), began = now_ns();
    for (int i = 0; i < load->n; i++) {
        struct conn *conn = &load->conns[i];
        begin_connect(load, conn, port);
        conn->unsent = load->pipeline.data;
        conn->n_unsent = load->pipeline.len;
        conn->n_wanted = 1;
        conn->sent_at = began;
    }
    load_run(load, load->n, on_done);
    uint64_t took = now_ns() - began;
    for (int i = 0; i < load->n; i++)
        n_lost += load->conns[i].is_broken || load->conns[i].scan.n_errors > 0;
    printf("{\"ms\": %.3f, \"lost\": %d, \"cpu_ms\": %.3f}\n", (double)took / 1e6,
           n_lost, (double)(cpu_ns(pid) - cpu) / 1e6);
    return 0;
}

/* ------------------------------------------------------------------------ main ---- */

static const struct {
    const char *name;
    int n_args; /* at least */
    int (*run)(struct load *load, char **argv);
} commands[] = {
    {"query", 6, run_query}, {"fan", 6, run_fan},     {"loop", 3, run_loop},
    {"echo", 4, run_echo},   {"storm", 3, run_storm},
};

int main(int argc, char **argv)
{
    struct rlimit files;
    static struct load load;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (argc > 1 && strcmp(argv[1], commands[i].name) == 0 &&
            argc - 2 >= commands[i].n_args)
            return commands[i].run(&load, argv + 2);
    fprintf(stderr, "load: see the head of load.c for its arguments\n");
    return 2;
}
