/*
 * exchange.c - is the model of a stock sentinel like the real one? Plays the situations
 * of stock.exchange with it and compares what it sends with what was recorded.
 *
 *     exchange [--print] FILE
 *
 * The others are fakes, as in tests/integration/exchange.py, which made the file.
 */
#include "tests/sim/check.h"

#include "common/args.h"
#include "common/file.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 128
#define TIMES_MAX 512
#define TOLERANCE_MS 2100 /* phases of periods of up to two seconds */
#define PROMPT_MS 350     /* from the votes to the promotion: four ticks */

/* What was sent to somebody, and when. */
struct row {
    char to[8], text[160];
    int64_t at[TIMES_MAX];
    int n;
    int64_t every;   /* median of the pauses; 0: too few */
    bool found, may; /* need not be seen */
};

struct table {
    struct row rows[ROWS_MAX];
    int n;
};

struct stage {
    struct sim *sim;
    int64_t from, until, began;
    struct table seen, recorded;
};

/* One of the others: a process that answers. */
struct fake {
    struct stage *stage;
    struct host *host;
    bool silent;
    char down[4], leader[4]; /* what a sentinel answers */
    char master[4];          /* of a server; "": it is one */
};

struct fake_conn {
    struct fake *fake;
    struct slot_id conn;
    struct resp_request parser;
    struct reply_parser replies; /* to its own question */
    struct buf queued;
    bool in_multi;
};

static const char *const names[] = {"M", "R1", "R2", "P1", "P2", "P3", "S"};

/* -------------------------------------------------------------------- rows ------- */

static struct row *row_get(struct table *table, const char *to, const char *text)
{
    for (int i = 0; i < table->n; i++)
        if (strcmp(table->rows[i].to, to) == 0 &&
            strcmp(table->rows[i].text, text) == 0)
            return &table->rows[i];
    if (table->n == ROWS_MAX)
        return &table->rows[ROWS_MAX - 1];
    struct row *row = &table->rows[table->n++];
    memset(row, 0, sizeof(*row));
    snprintf(row->to, sizeof(row->to), "%s", to);
    snprintf(row->text, sizeof(row->text), "%s", text);
    return row;
}

static void saw(struct stage *stage, const char *to, const char *text)
{
    int64_t at = stage->sim->now - stage->began - stage->from;

    if (at < 0)
        return;
    struct row *row = row_get(&stage->seen, to, text);
    if (row->n < TIMES_MAX)
        row->at[row->n++] = at;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void row_finish(struct row *row)
{
    int64_t gaps[TIMES_MAX];

    for (int i = 1; i < row->n; i++)
        gaps[i - 1] = row->at[i] - row->at[i - 1];
    qsort(gaps, (size_t)(row->n > 0 ? row->n - 1 : 0), sizeof(*gaps), by_size);
    row->every = row->n > 3 ? gaps[(row->n - 2) / 2] : 0;
}

/* -------------------------------------------------------------- text of rows ----- */

static const char *name_at(const struct stage *stage, const char *ip, const char *port)
{
    int node = world_node_at(stage->sim, ip, strtoll(port, NULL, 10));

    return node >= 0 ? stage->sim->nodes[node].name : ip;
}

static const char *name_of(const struct stage *stage, const char *id)
{
    for (int i = 0; i < stage->sim->n_nodes; i++)
        if (strcmp(stage->sim->nodes[i].host->id, id) == 0)
            return stage->sim->nodes[i].name;
    return id;
}

static void text_hello(const struct stage *stage, const char *payload, struct buf *out)
{
    char copy[400], *field[8] = {copy};
    int n = 1;

    snprintf(copy, sizeof(copy), "%s", payload);
    for (char *at = copy; n < 8 && (at = strchr(at, ',')) != NULL; n++) {
        *at++ = '\0';
        field[n] = at;
    }
    if (n == 8)
        buf_printf(out, "hello %s %s %s %s %s %s", name_at(stage, field[0], field[1]),
                   name_of(stage, field[2]), field[3], field[4],
                   name_at(stage, field[5], field[6]), field[7]);
}

static void text_of(const struct stage *stage, const struct resp_request *rq,
                    struct buf *out)
{
    const struct resp_arg *word = rq->args;

    if (strcmp(word[0].str, "PUBLISH") == 0 && rq->n_args == 3) {
        text_hello(stage, word[2].str, out);
    } else if (strcmp(word[0].str, "SENTINEL") == 0 && rq->n_args == 6) {
        buf_printf(out, "ask %s %s %s", name_at(stage, word[2].str, word[3].str),
                   word[4].str, name_of(stage, word[5].str));
    } else if (strcmp(word[0].str, "SLAVEOF") == 0 && strcmp(word[1].str, "NO") != 0) {
        buf_printf(out, "SLAVEOF %s", name_at(stage, word[1].str, word[2].str));
    } else if (strcmp(word[0].str, "CLIENT") == 0 && rq->n_args == 3) {
        const char *kind = strrchr(word[2].str, '-');
        buf_printf(out, "CLIENT SETNAME sentinel-S%s", kind != NULL ? kind : "");
    } else {
        for (size_t i = 0; i < rq->n_args; i++)
            buf_printf(out, "%s%s", i > 0 ? " " : "", word[i].str);
    }
}

/* ------------------------------------------------------------------- fakes ------- */

static struct fake *fake_named(const struct stage *stage, const char *name)
{
    struct machine *machine = world_node_named(stage->sim, name);

    return machine->host->impl;
}

static void fake_info(const struct fake *fake, struct buf *out)
{
    struct buf text = {0};

    buf_printf(&text, "# Server\r\nrun_id:%s\r\n# Replication\r\n", fake->host->id);
    if (fake->master[0] == '\0')
        buf_puts(&text, "role:master\r\n");
    else
        buf_printf(&text,
                   "role:slave\r\nmaster_host:%s\r\nmaster_port:26379\r\n"
                   "master_link_status:up\r\nslave_repl_offset:100\r\n"
                   "slave_priority:%d\r\n",
                   world_node_named(fake->stage->sim, fake->master)->ip,
                   strcmp(fake->host->machine->name, "R1") == 0 ? 10 : 100);
    resp_bulk(out, text.data, text.len);
    buf_release(&text);
}

static void fake_vote(const struct fake *fake, const struct resp_request *rq,
                      struct buf *out)
{
    bool vote = strcmp(fake->leader, "*") != 0 && strcmp(rq->args[5].str, "*") != 0;
    const char *leader =
        vote ? world_node_named(fake->stage->sim, fake->leader)->host->id : "*";

    resp_array(out, 3);
    resp_int(out, strtoll(fake->down, NULL, 10));
    resp_bulk_str(out, leader);
    resp_int(out, vote ? strtoll(rq->args[4].str, NULL, 10) : 0);
}

static void fake_reply(struct fake_conn *end, const struct resp_request *rq,
                       struct buf *out)
{
    const char *word = rq->args[0].str;

    if (strcmp(word, "PING") == 0) {
        resp_status(out, "PONG");
    } else if (strcmp(word, "INFO") == 0) {
        fake_info(end->fake, out);
    } else if (strcmp(word, "PUBLISH") == 0) {
        resp_int(out, 1);
    } else if (strcmp(word, "SUBSCRIBE") == 0) {
        resp_array(out, 3);
        resp_bulk_str(out, "subscribe");
        resp_bulk_str(out, SIM_HELLO);
        resp_int(out, 1);
    } else if (strcmp(word, "SENTINEL") == 0 && rq->n_args == 6) {
        fake_vote(end->fake, rq, out);
    } else {
        resp_status(out, end->in_multi ? "QUEUED" : "OK");
    }
}

static void fake_command(struct fake_conn *end, const struct resp_request *rq,
                         struct buf *out)
{
    struct stage *stage = end->fake->stage;
    const char *word = rq->args[0].str;
    struct buf text = {0};

    end->in_multi |= strcmp(word, "MULTI") == 0;
    text_of(stage, rq, &text);
    if (end->in_multi)
        buf_printf(&end->queued, "%s%s", end->queued.len > 0 ? "; " : "", text.data);
    else
        saw(stage, end->fake->host->machine->name, text.data);
    if (strcmp(word, "SLAVEOF") == 0)
        snprintf(end->fake->master, sizeof(end->fake->master), "%s",
                 strcmp(rq->args[1].str, "NO") == 0
                     ? ""
                     : name_at(stage, rq->args[1].str, rq->args[2].str));
    fake_reply(end, rq, out);
    if (strcmp(word, "EXEC") == 0) {
        saw(stage, end->fake->host->machine->name, end->queued.data);
        buf_clear(&end->queued);
        end->in_multi = false;
    }
    buf_release(&text);
}

static void fake_start(struct host *host)
{
    (void)host;
}

static void fake_stop(struct host *host)
{
    mem_free(host->impl);
    host->impl = NULL;
}

static struct fake_conn *fake_conn_new(struct fake *fake, struct slot_id conn)
{
    struct fake_conn *end = mem_zalloc(sizeof(*end));

    end->fake = fake;
    end->conn = conn;
    return end;
}

static void fake_accept(struct host *host, struct conn *conn)
{
    conn->end[END_SERVER] = fake_conn_new(host->impl, conn->id);
}

/* The answer to an own question. */
static void fake_answered(struct fake_conn *end, const char *bytes, size_t len)
{
    struct stage *stage = end->fake->stage;
    const struct resp_value *value;
    char text[160];

    reply_feed(&end->replies, bytes, len);
    while (reply_next(&end->replies, &value) == 0) {
        if (value->type != RESP_ARRAY || value->n_items != 3)
            continue;
        snprintf(text, sizeof(text), "answer %" PRId64 " %s %" PRId64,
                 value->items[0].integer, name_of(stage, value->items[1].str),
                 value->items[2].integer);
        saw(stage, end->fake->host->machine->name, text);
    }
}

static void fake_data(struct host *host, struct conn *conn, int side, const char *bytes,
                      size_t len)
{
    struct fake_conn *end = conn->end[side];
    struct buf out = {0};
    struct error err;

    if (side == END_CLIENT) {
        fake_answered(end, bytes, len);
        return;
    }
    resp_request_feed(&end->parser, bytes, len);
    while (resp_request_next(&end->parser, &resp_limits_default, &err) == 0)
        fake_command(end, &end->parser, &out);
    if (!end->fake->silent)
        net_send(host->sim, conn, END_SERVER, out.data, out.len);
    buf_release(&out);
}

static void fake_up(struct host *host, struct conn *conn)
{
    struct fake_conn *end = conn->end[END_CLIENT];

    net_send(host->sim, conn, END_CLIENT, end->queued.data, end->queued.len);
    buf_clear(&end->queued);
}

static void fake_down(struct host *host, struct conn *conn, int side)
{
    struct fake_conn *end = conn->end[side];

    (void)host;
    conn->end[side] = NULL;
    resp_request_release(&end->parser);
    reply_release(&end->replies);
    buf_release(&end->queued);
    mem_free(end);
}

static const struct host_kind fake_kind = {.start = fake_start,
                                           .stop = fake_stop,
                                           .accept = fake_accept,
                                           .up = fake_up,
                                           .data = fake_data,
                                           .down = fake_down};

/* Something |from| says to S. */
static void fake_say(struct stage *stage, const char *from, const char *const *words,
                     size_t n)
{
    struct fake *fake = fake_named(stage, from);
    const struct machine *to = world_node_named(stage->sim, "S");
    struct fake_conn *end = fake_conn_new(fake, (struct slot_id){0, 0});

    resp_command_v(&end->queued, words, n);
    end->conn = net_connect(stage->sim, fake->host->machine->id, to->ip, to->port, end);
}

/* ------------------------------------------------------------------- stage ------- */

static void stage_open(struct stage *stage)
{
    static const char *const ids[] = {"b0", "b1", "b2", "a1", "a2", "a3", "5"};
    struct sim_options options = {.seed = 1, .calm = true};
    struct sim *sim = stage->sim = sim_new(&options);
    char id[RUN_ID_CAP];

    sim->n_groups = 1;
    snprintf(sim->groups[0].name, sizeof(sim->groups[0].name), "m1");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(ids[i]);
        memset(id, '0', RUN_ID_LEN);
        memcpy(id, ids[i], len);
        id[RUN_ID_LEN] = '\0';
        struct host *host = host_new(sim, names[i], id);
        host->kind = i < 6 ? &fake_kind : &stock_kind;
        if (i == 6)
            break;
        struct fake *fake = mem_zalloc(sizeof(*fake));
        fake->stage = stage;
        fake->host = host;
        snprintf(fake->down, sizeof(fake->down), "0");
        snprintf(fake->leader, sizeof(fake->leader), "*");
        snprintf(fake->master, sizeof(fake->master), "%s", i == 0 ? "" : "M");
        host->impl = fake;
        host_start(host);
    }
}

static void stage_start(struct stage *stage)
{
    struct sim *sim = stage->sim;
    struct host *host = sim->nodes[6].host;

    buf_printf(&host->disk,
               "sentinel myid %s\nsentinel monitor m1 %s 26379 2\n"
               "sentinel down-after-milliseconds m1 2000\n"
               "sentinel failover-timeout m1 4000\nsentinel parallel-syncs m1 1\n",
               host->id, sim->nodes[0].ip);
    for (int i = 1; i <= 2; i++)
        buf_printf(&host->disk, "sentinel known-replica m1 %s 26379\n",
                   sim->nodes[i].ip);
    for (int i = 3; i <= 4; i++)
        buf_printf(&host->disk, "sentinel known-sentinel m1 %s 26379 %s\n",
                   sim->nodes[i].ip, sim->nodes[i].host->id);
    stage->began = sim->now;
    host_start(host);
}

static void stage_say(struct stage *stage, const struct args *args)
{
    struct sim *sim = stage->sim;
    const char *who = args->words[2], *epoch = args->words[4], *last = args->words[5];
    const struct machine *about = world_node_named(sim, args->words[3]);
    char text[400];

    if (strcmp(args->words[1], "ask") == 0) {
        if (strcmp(last, "*") != 0)
            last = world_node_named(sim, last)->host->id;
        const char *const words[] = {
            "SENTINEL", "is-master-down-by-addr", about->ip, "26379", epoch, last};
        fake_say(stage, who, words, 6);
        return;
    }
    snprintf(text, sizeof(text), "%s,26379,%s,%s,m1,%s,26379,%s", about->ip,
             world_node_named(sim, who)->host->id, epoch,
             world_node_named(sim, last)->ip, args->words[6]);
    const char *const words[] = {"PUBLISH", SIM_HELLO, text};
    fake_say(stage, who, words, 3);
}

/* "<at> <what> ..." */
static bool stage_do(struct stage *stage, const struct args *args)
{
    struct sim *sim = stage->sim;
    const char *what = args->n > 1 ? args->words[1] : "";
    int64_t at = strtoll(args->words[0], NULL, 10);

    sim_run(sim, at - (sim->now - stage->began));
    if (strcmp(what, "silent") == 0 && args->n == 3) {
        fake_named(stage, args->words[2])->silent = true;
    } else if (strcmp(what, "answers") == 0 && args->n == 5) {
        struct fake *fake = fake_named(stage, args->words[2]);
        snprintf(fake->down, sizeof(fake->down), "%s", args->words[3]);
        snprintf(fake->leader, sizeof(fake->leader), "%s", args->words[4]);
    } else if ((strcmp(what, "ask") == 0 && args->n == 6) ||
               (strcmp(what, "hello") == 0 && args->n == 7)) {
        stage_say(stage, args);
    } else if (strcmp(what, "restart") == 0) {
        host_crash(sim->nodes[6].host);
        host_start(sim->nodes[6].host);
    } else if (strcmp(what, "stall") == 0 && args->n == 3) {
        world_freeze(sim, 6);
        sim_run(sim, strtoll(args->words[2], NULL, 10));
        world_thaw(sim, 6);
    } else {
        return false;
    }
    return true;
}

static void recorded(struct stage *stage, const struct args *args, bool may)
{
    struct buf text = {0};

    for (size_t i = 3; i < args->n; i++)
        buf_printf(&text, "%s%s", i > 3 ? " " : "", args->words[i]);
    struct row *row = row_get(&stage->recorded, args->words[2], buf_text(&text));
    row->at[row->n++] = strtoll(args->words[0], NULL, 10);
    row->every = strtoll(args->words[1], NULL, 10); /* 0 for "-" */
    row->may = may;
    buf_release(&text);
}

/* ----------------------------------------------------------------- compare ------- */

static int differs(const char *name, const struct row *row, const char *what,
                   int64_t got, int64_t wanted)
{
    printf("%s: %s %" PRId64 ", recorded %" PRId64 ": %s %s\n", name, what, got, wanted,
           row->to, row->text);
    return 1;
}

/* When the first votes were asked for, and when the promotion follows. */
static int64_t promotion_delay(const struct table *table)
{
    int64_t asked = -1;

    for (int i = 0; i < table->n; i++) {
        const struct row *row = &table->rows[i];
        const char *last = strrchr(row->text, ' ');
        if (strncmp(row->text, "ask ", 4) == 0 && strcmp(last, " S") == 0)
            asked = row->at[0];
        if (strncmp(row->text, "MULTI; SLAVEOF NO ONE", 21) == 0)
            return row->at[0] - asked;
    }
    return 0;
}

static int compare(const char *name, struct stage *stage)
{
    int n_bad = 0;
    int64_t wanted = promotion_delay(&stage->recorded);
    int64_t got = promotion_delay(&stage->seen);

    for (int i = 0; i < stage->recorded.n; i++) {
        const struct row *want = &stage->recorded.rows[i];
        struct row *have = row_get(&stage->seen, want->to, want->text);
        if (have->n == 0 && want->may)
            continue;
        if (have->n == 0) {
            n_bad += differs(name, want, "not seen at", want->at[0], want->at[0]);
            continue;
        }
        have->found = true;
        if (llabs(have->at[0] - want->at[0]) > TOLERANCE_MS)
            n_bad += differs(name, want, "at", have->at[0], want->at[0]);
        if (want->every > 0 && have->every > 0 &&
            (have->every * 3 < want->every * 2 || have->every * 2 > want->every * 3))
            n_bad += differs(name, want, "every", have->every, want->every);
    }
    for (int i = 0; i < stage->seen.n; i++)
        if (stage->seen.rows[i].n > 0 && !stage->seen.rows[i].found)
            n_bad += differs(name, &stage->seen.rows[i], "new at",
                             stage->seen.rows[i].at[0], -1);
    if (llabs(got - wanted) > PROMPT_MS) {
        printf("%s: promotes %" PRId64 " ms after it asked, recorded %" PRId64 "\n",
               name, got, wanted);
        n_bad++;
    }
    return n_bad;
}

static int stage_close(const char *name, struct stage *stage, bool print)
{
    int n_bad;

    sim_run(stage->sim, stage->until - (stage->sim->now - stage->began));
    for (int i = 0; i < stage->seen.n; i++) {
        struct row *row = &stage->seen.rows[i];
        row_finish(row);
        if (print)
            printf("saw %" PRId64 " %" PRId64 " %s %s\n", row->at[0], row->every,
                   row->to, row->text);
    }
    n_bad = compare(name, stage);
    host_crash(stage->sim->nodes[6].host);
    for (struct conn *conn = stage->sim->conn_list; conn != NULL; conn = conn->next)
        for (int end = 0; end < 2; end++)
            if (conn->end[end] != NULL)
                fake_down(NULL, conn, end);
    sim_free(stage->sim);
    return n_bad;
}

/* -------------------------------------------------------------------- file ------- */

/* One situation: the lines up to the next one. Returns how much differs, -1: a line
 * that makes no sense. */
static int play(const char *name, const char *text, const char *end, bool print)
{
    struct stage *stage = mem_zalloc(sizeof(*stage));
    struct args args;
    int rc = 0;

    stage_open(stage);
    stage_start(stage);
    for (const char *line = text; line < end && rc == 0;) {
        size_t len = strcspn(line, "\n");
        size_t word = strcspn(line, " \n");
        if (args_split(&args, line + word, len - word) != 0)
            rc = -1;
        else if (strncmp(line, "from ", 5) == 0)
            stage->from = strtoll(args.words[0], NULL, 10);
        else if (strncmp(line, "until ", 6) == 0)
            stage->until = strtoll(args.words[0], NULL, 10);
        else if (strncmp(line, "do ", 3) == 0)
            rc = stage_do(stage, &args) ? 0 : -1;
        else if (strncmp(line, "saw ", 4) == 0 || strncmp(line, "may ", 4) == 0)
            recorded(stage, &args, line[0] == 'm');
        args_release(&args);
        line += len + 1;
    }
    int n_bad = stage_close(name, stage, print);
    mem_free(stage);
    return rc < 0 ? rc : n_bad;
}

int main(int argc, char **argv)
{
    bool print = argc == 3 && strcmp(argv[1], "--print") == 0;
    static const char word[] = "\nsituation ";
    struct buf text = {0};
    struct error err;
    int bad = 0, n = 0;

    if (argc != 2 + print) {
        fputs("usage: exchange [--print] FILE\n", stderr);
        return 2;
    }
    if (file_read(argv[1 + print], 1 << 20, &text, &err) != 0) {
        fprintf(stderr, "exchange: %s: %s\n", argv[1 + print], err.text);
        return 2;
    }
    const char *at = strstr(text.data, word);
    while (at != NULL) {
        const char *name = at + strlen(word), *next = strstr(name, word);
        const char *end = next != NULL ? next : text.data + text.len;
        char shown[40];
        snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(name, "\n"), name);
        int rc = play(shown, name + strcspn(name, "\n") + 1, end, print);
        if (rc < 0)
            printf("%s: a line makes no sense\n", shown);
        bad += rc != 0;
        n++;
        at = next;
    }
    buf_release(&text);
    printf("%d situations, %d unlike stock\n", n, bad);
    return n == 0 || bad > 0;
}
