/*
 * main.c - the command line of the simulator: seeds, replay, shrinking, statistics.
 *
 * Each seed runs in a worker process, so that a failed assertion of the core is one
 * failed seed and not the end.
 */
#include "tests/sim/sim.h"

#include "common/args.h"
#include "common/mem.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 64
#define FAILURES_MAX 10
#define EXCUSED_MAX 12       /* excused seeds that are named, of each kind */
#define SEED_SECONDS_MAX 600 /* a core that goes round in circles is ended */

struct cli {
    uint64_t first, last;
    bool one, trace, hash, statistics, shrink, twice;
    int n_jobs;
    const char *story; /* where a shrunk seed goes; NULL: nowhere */
    struct sim_options options;
};

/* What a worker tells about one seed. */
struct report {
    uint64_t seed, hash;
    bool begun, ok;
    char violation[512];
    struct sim_statistics stats;
};

static void usage(void)
{
    fputs(
        "usage: sim [--seeds A-B | --seed N] [--jobs N] [--trace] [--hash] [--twice]\n"
        "           [--statistics] [--shrink] [--story FILE] [--with kind,kind]\n"
        "           [--without kind,kind]\n"
        "           [--keep strike,strike] [--horizon MS] [--sentinels N] [--groups "
        "N]\n"
        "           [--servers N] [--check-every N]\n",
        stderr);
    exit(2);
}

/* --------------------------------------------------------------- one seed -------- */

static void print_line(void *ctx, int64_t at, const char *who, enum sim_line kind,
                       const char *text)
{
    static const char *const marks[] = {[SIM_LINE_EVENT] = ">",
                                        [SIM_LINE_LOG] = ":",
                                        [SIM_LINE_NOTE] = " ",
                                        [SIM_LINE_WORLD] = "--"};

    (void)ctx;
    printf("[%8" PRId64 "] %-3s%s %s\n", at, who, marks[kind], text);
}

static void run_seed(const struct cli *cli, uint64_t seed, struct report *report)
{
    struct sim_options options = cli->options;

    options.seed = seed;
    if (cli->trace)
        options.sink = print_line;
    struct sim *sim = sim_new(&options);
    if (cli->trace) {
        struct buf text = {0};
        sim_describe(sim, &text);
        printf("seed %" PRIu64 ": %s\n", seed, buf_text(&text));
        buf_release(&text);
    }
    report->seed = seed;
    report->ok = sim_play(sim);
    report->hash = sim_hash(sim);
    report->stats = *sim_statistics(sim);
    if (!report->ok)
        snprintf(report->violation, sizeof(report->violation), "%s",
                 sim_violation(sim));
    sim_free(sim);
}

static void report_write(int fd, const struct report *report)
{
    const char *at = (const char *)report;
    size_t left = sizeof(*report);

    while (left > 0) {
        ssize_t n = write(fd, at, left);
        if (n <= 0)
            _exit(3);
        at += n;
        left -= (size_t)n;
    }
}

static bool report_read(int fd, struct report *report)
{
    char *at = (char *)report;
    size_t left = sizeof(*report);

    while (left > 0) {
        ssize_t n = read(fd, at, left);
        if (n <= 0)
            return false;
        at += n;
        left -= (size_t)n;
    }
    return true;
}

/* ----------------------------------------------------------------- workers ------- */

struct worker {
    pid_t pid;
    int fd;
    uint64_t next; /* the seed it works on or will begin with */
};

static void worker_start(const struct cli *cli, struct worker *worker)
{
    int fds[2];

    if (pipe(fds) != 0)
        exit(3);
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid < 0)
        exit(3);
    if (worker->pid == 0) {
        close(fds[0]);
        for (uint64_t seed = worker->next; seed <= cli->last;
             seed += (uint64_t)cli->n_jobs) {
            struct report report = {.seed = seed, .begun = true};
            report_write(fds[1], &report);
            alarm(SEED_SECONDS_MAX);
            memset(&report, 0, sizeof(report));
            run_seed(cli, seed, &report);
            report_write(fds[1], &report);
        }
        fflush(NULL);
        exit(0);
    }
    close(fds[1]);
    worker->fd = fds[0];
}

/* Runs one seed in a process of its own. */
static void run_apart(const struct cli *cli, uint64_t seed, struct report *out)
{
    struct cli one = *cli;
    struct worker worker = {.next = seed};
    struct report report;
    int status;

    one.last = seed;
    one.n_jobs = 1;
    memset(out, 0, sizeof(*out));
    out->seed = seed;
    worker_start(&one, &worker);
    while (report_read(worker.fd, &report))
        if (!report.begun)
            *out = report;
    close(worker.fd);
    waitpid(worker.pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        out->ok = false;
        snprintf(out->violation, sizeof(out->violation), "died, signal %d, status %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                 WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    }
}

/* ------------------------------------------------------------------ totals ------- */

struct sample {
    int64_t ms;
    uint64_t seed;
};

struct samples {
    struct sample *at;
    size_t n;
};

struct totals {
    struct sim_statistics sum;
    struct samples detect, promoted, agreed, settle;
    uint64_t n_seeds, n_failed;
    uint64_t excused[EXCUSE_N][EXCUSED_MAX]; /* the first of each kind */
};

static void samples_add(struct samples *samples, int64_t ms, uint64_t seed)
{
    if (ms < 0)
        return;
    samples->at = mem_resize(samples->at, samples->n + 1, sizeof(*samples->at));
    samples->at[samples->n++] = (struct sample){ms, seed};
}

static int compare(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;

    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return x->seed < y->seed ? -1 : x->seed > y->seed;
}

static void samples_print(const char *what, struct samples *samples)
{
    const struct sample *at = samples->at;
    size_t n = samples->n;

    if (n == 0)
        return;
    qsort(samples->at, n, sizeof(*samples->at), compare);
    printf("  %-33s n %6zu  p50 %6" PRId64 "  p90 %6" PRId64 "  p99 %6" PRId64
           "  max %6" PRId64 " ms (seed %" PRIu64 ")\n",
           what, n, at[n / 2].ms, at[n * 9 / 10].ms, at[n * 99 / 100].ms, at[n - 1].ms,
           at[n - 1].seed);
}

static void totals_add(struct totals *totals, const struct report *report)
{
    const struct sim_statistics *s = &report->stats;
    struct sim_statistics *sum = &totals->sum;

    totals->n_seeds++;
    sum->n_events += s->n_events;
    sum->n_steps += s->n_steps;
    sum->virtual_ms += s->virtual_ms;
    sum->n_elections += s->n_elections;
    sum->n_contested += s->n_contested;
    sum->n_elected += s->n_elected;
    sum->n_promotions += s->n_promotions;
    sum->n_switches += s->n_switches;
    sum->n_aborts_votes += s->n_aborts_votes;
    sum->n_aborts_replica += s->n_aborts_replica;
    sum->n_aborts_timeout += s->n_aborts_timeout;
    sum->n_tilts += s->n_tilts;
    sum->n_restarts += s->n_restarts;
    for (int i = 0; i < EXCUSE_N; i++) {
        if (s->n_excused[i] > 0 && sum->n_excused[i] < EXCUSED_MAX)
            totals->excused[i][sum->n_excused[i]] = report->seed;
        sum->n_excused[i] += s->n_excused[i];
    }
    samples_add(&totals->settle, s->settle_ms, report->seed);
    for (int g = 0; g < s->n_groups; g++) {
        samples_add(&totals->detect, s->detect_ms[g], report->seed);
        samples_add(&totals->promoted, s->promoted_ms[g], report->seed);
        samples_add(&totals->agreed, s->agreed_ms[g], report->seed);
    }
}

static void totals_print(struct totals *totals)
{
    const struct sim_statistics *s = &totals->sum;

    printf("  %" PRIu64 " events, %" PRIu64 " core steps, %" PRId64
           " s of virtual time\n",
           s->n_events, s->n_steps, s->virtual_ms / 1000);
    printf("  elections %u (epochs with several candidates %u), elected %u, "
           "promotions %u, switches %u\n",
           s->n_elections, s->n_contested, s->n_elected, s->n_promotions,
           s->n_switches);
    printf("  aborts: not elected %u, no good replica %u, replica too slow %u; tilts "
           "%u, restarts %u\n",
           s->n_aborts_votes, s->n_aborts_replica, s->n_aborts_timeout, s->n_tilts,
           s->n_restarts);
    for (int i = 0; i < EXCUSE_N; i++) {
        if (s->n_excused[i] == 0)
            continue;
        printf("  excused %u, %s:", s->n_excused[i], excuse_text((enum excuse)i));
        for (uint32_t j = 0; j < s->n_excused[i] && j < EXCUSED_MAX; j++)
            printf(" %" PRIu64, totals->excused[i][j]);
        printf("\n");
    }
    samples_print("master dead to +odown", &totals->detect);
    samples_print("master dead to next one promoted", &totals->promoted);
    samples_print("master dead to all agreed", &totals->agreed);
    samples_print("healed to all agreed", &totals->settle);
}

/* ---------------------------------------------------------------- failures ------- */

static void print_command(const struct cli *cli, uint64_t seed)
{
    struct sim_options options = cli->options;
    struct buf text = {0};

    options.seed = seed;
    sim_options_print(&options, false, &text);
    printf("  replay: build/sim%s --trace\n", buf_text(&text));
    buf_release(&text);
}

static void print_failure(const struct cli *cli, const struct report *report)
{
    printf("FAILED seed %" PRIu64 ": %s\n", report->seed, report->violation);
    print_command(cli, report->seed);
    fflush(stdout);
}

/* Keeps |change| if the seed still breaks the same rule. */
static bool shrink_try(struct cli *cli, const struct cli *changed,
                       const char *violation)
{
    struct report report;
    struct cli quiet = *changed;

    quiet.trace = false;
    run_apart(&quiet, cli->first, &report);
    if (report.ok || strncmp(report.violation, violation, 3) != 0)
        return false;
    cli->options = changed->options;
    return true;
}

/* Leaves out strikes of faults: first many at once, in the end one by one. */
static void shrink_strikes(struct cli *cli, const char *violation)
{
    struct report report;
    struct cli quiet = *cli;

    quiet.trace = false;
    run_apart(&quiet, cli->first, &report);
    uint32_t n = report.stats.n_strikes;
    n = n < SIM_STRIKES_MAX ? n : SIM_STRIKES_MAX;
    if (!cli->options.is_kept)
        memset(cli->options.keep, 0xff, sizeof(cli->options.keep));
    cli->options.is_kept = true;
    for (uint32_t i = n; i < SIM_STRIKES_MAX; i++)
        cli->options.keep[i / 64] &= ~(UINT64_C(1) << i % 64);
    for (uint32_t many = n / 2 + 1; many > 0; many /= 2) {
        for (uint32_t from = 0; from < n; from += many) {
            struct cli changed = *cli;
            for (uint32_t i = from; i < from + many && i < n; i++)
                changed.options.keep[i / 64] &= ~(UINT64_C(1) << i % 64);
            if (memcmp(&changed.options, &cli->options, sizeof(cli->options)) != 0)
                shrink_try(cli, &changed, violation);
        }
    }
}

static void shrink_sizes(struct cli *cli, const char *violation)
{
    static const struct {
        const char *name;
        int from, to;
    } sizes[] = {{"groups", 1, 2}, {"sentinels", 3, 5}, {"servers", 2, 3}};
    struct cli changed;
    char value[16];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int n = sizes[i].from; n <= sizes[i].to; n++) {
            changed = *cli;
            snprintf(value, sizeof(value), "%d", n);
            sim_options_set(&changed.options, sizes[i].name, value);
            if (shrink_try(cli, &changed, violation))
                break;
        }
    }
}

/* A story that plays the seed and expects that nothing is broken. */
static void write_story(const struct cli *cli, const char *violation)
{
    struct sim_options options = cli->options;
    struct buf text = {0};
    FILE *file = fopen(cli->story, "w");

    options.seed = cli->first;
    sim_options_print(&options, true, &text);
    if (file == NULL ||
        fprintf(file, "# Seed %" PRIu64 ", shrunk. It broke %s\nswarm%s\n----\nok\n",
                cli->first, violation, buf_text(&text)) < 0 ||
        fclose(file) != 0) {
        fprintf(stderr, "cannot write %s\n", cli->story);
        exit(3);
    }
    printf("  story: %s\n", cli->story);
    buf_release(&text);
}

static void shrink(struct cli *cli, const char *violation)
{
    struct cli changed;

    shrink_sizes(cli, violation);
    for (int i = 0; i < FAULT_N; i++) {
        changed = *cli;
        changed.options.without |= FAULT_BIT(i);
        shrink_try(cli, &changed, violation);
    }
    for (int64_t horizon = 1000; horizon < 90000; horizon = horizon * 5 / 4) {
        changed = *cli;
        changed.options.horizon_ms = horizon;
        if (shrink_try(cli, &changed, violation))
            break;
    }
    shrink_strikes(cli, violation);
    printf("shrunk:\n");
    print_command(cli, cli->first);
    if (cli->story != NULL)
        write_story(cli, violation);
}

/* -------------------------------------------------------------------- runs ------- */

static void check_twice(const struct cli *cli, struct report *report)
{
    struct report again;

    if (!cli->twice || !report->ok)
        return;
    run_apart(cli, report->seed, &again);
    if (again.hash != report->hash) {
        report->ok = false;
        snprintf(report->violation, sizeof(report->violation),
                 "D1: two runs differ, %016" PRIx64 " and %016" PRIx64, report->hash,
                 again.hash);
    }
}

static void on_report(const struct cli *cli, struct totals *totals,
                      struct report *report)
{
    check_twice(cli, report);
    totals_add(totals, report);
    if (cli->hash)
        printf("%" PRIu64 " %016" PRIx64 "\n", report->seed, report->hash);
    if (!report->ok) {
        totals->n_failed++;
        print_failure(cli, report);
    }
}

/* The worker ended: done, or killed by the seed it worked on. */
static void on_worker_end(const struct cli *cli, struct totals *totals,
                          struct worker *worker, bool in_seed)
{
    struct report report = {.seed = worker->next};
    int status;

    close(worker->fd);
    worker->fd = -1;
    waitpid(worker->pid, &status, 0);
    if (!in_seed)
        return;
    snprintf(report.violation, sizeof(report.violation), "died, signal %d, status %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0,
             WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    on_report(cli, totals, &report);
    worker->next += (uint64_t)cli->n_jobs;
    if (worker->next <= cli->last)
        worker_start(cli, worker);
}

static void run_all(const struct cli *cli, struct totals *totals)
{
    struct worker workers[JOBS_MAX];
    struct pollfd polls[JOBS_MAX];
    bool in_seed[JOBS_MAX] = {false};
    int n_live = cli->n_jobs;

    for (int i = 0; i < cli->n_jobs; i++) {
        workers[i].next = cli->first + (uint64_t)i;
        worker_start(cli, &workers[i]);
    }
    while (n_live > 0 && totals->n_failed < FAILURES_MAX) {
        for (int i = 0; i < cli->n_jobs; i++)
            polls[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
        if (poll(polls, (nfds_t)cli->n_jobs, -1) < 0)
            continue;
        n_live = 0;
        for (int i = 0; i < cli->n_jobs; i++) {
            struct report report;
            if (workers[i].fd >= 0 && polls[i].revents != 0) {
                if (!report_read(workers[i].fd, &report)) {
                    on_worker_end(cli, totals, &workers[i], in_seed[i]);
                    in_seed[i] = false;
                } else {
                    in_seed[i] = report.begun;
                    workers[i].next = report.seed;
                    if (!report.begun)
                        on_report(cli, totals, &report);
                }
            }
            n_live += workers[i].fd >= 0;
        }
    }
    for (int i = 0; i < cli->n_jobs; i++)
        if (workers[i].fd >= 0)
            kill(workers[i].pid, SIGKILL);
}

/* ---------------------------------------------------------------- options -------- */

static int64_t number(const char *text)
{
    int64_t value = 0;

    if (text == NULL || !args_int(text, strlen(text), &value) || value < 0)
        usage();
    return value;
}

static void parse_seeds(struct cli *cli, const char *text)
{
    char first[32] = "";
    const char *dash = text != NULL ? strchr(text, '-') : NULL;

    if (dash == NULL || dash - text >= (int)sizeof(first)) {
        cli->first = cli->last = (uint64_t)number(text);
        return;
    }
    memcpy(first, text, (size_t)(dash - text));
    cli->first = (uint64_t)number(first);
    cli->last = (uint64_t)number(dash + 1);
    if (cli->last < cli->first)
        usage();
}

/* Options without a value. */
static bool parse_flag(struct cli *cli, const char *word)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--trace", &cli->trace},
                 {"--hash", &cli->hash},
                 {"--twice", &cli->twice},
                 {"--statistics", &cli->statistics},
                 {"--shrink", &cli->shrink}};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(word, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    return false;
}

static void parse(struct cli *cli, char **argv)
{
    for (char **at = argv + 1; *at != NULL; at++) {
        const char *word = *at;
        if (parse_flag(cli, word))
            continue;
        const char *value = *++at;
        if (value == NULL)
            usage();
        if (strcmp(word, "--seeds") == 0) {
            parse_seeds(cli, value);
        } else if (strcmp(word, "--seed") == 0) {
            cli->first = cli->last = (uint64_t)number(value);
            cli->one = true;
        } else if (strcmp(word, "--jobs") == 0) {
            cli->n_jobs = (int)number(value);
        } else if (strcmp(word, "--story") == 0) {
            cli->story = value;
            cli->shrink = true;
        } else if (strncmp(word, "--", 2) == 0 &&
                   sim_options_set(&cli->options, word + 2, value)) {
            continue;
        } else {
            usage();
        }
    }
}

int main(int argc, char **argv)
{
    struct cli cli = {
        .first = 1, .last = 200, .n_jobs = 1, .options.check_every = SIM_CHECK_EVERY};
    static struct totals totals;

    (void)argc;
    parse(&cli, argv);
    if (cli.n_jobs < 1 || cli.n_jobs > JOBS_MAX)
        usage();
    signal(SIGPIPE, SIG_IGN);
    if (cli.one) {
        struct report report;
        run_apart(&cli, cli.first, &report);
        on_report(&cli, &totals, &report);
        if (!report.ok && cli.shrink)
            shrink(&cli, report.violation);
    } else {
        run_all(&cli, &totals);
    }
    if (cli.statistics)
        totals_print(&totals);
    if (!cli.one && !cli.hash)
        printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", totals.n_seeds,
               totals.n_failed);
    return totals.n_failed > 0;
}
