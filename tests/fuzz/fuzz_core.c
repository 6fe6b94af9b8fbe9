/*
 * fuzz_core.c - the input chooses what happens to one core: events, failures, times,
 * contents of replies. core_check() looks at it after each step, and at the end its
 * state must survive being saved and loaded.
 */
#include "common/assert.h"
#include "tests/fuzz/bench.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VALUE_DEPTH_MAX 2
#define VALUE_ITEMS_MAX 4

static const char *choose_host(struct input *input)
{
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.1", "localhost", "::1",
                                        "10.0.0.1",  "",          "1.2.3",     "a b"};

    return hosts[input_below(input, 8)];
}

static int64_t choose_port(struct input *input)
{
    uint8_t n = input_byte(input);

    if (n < 16)
        return BENCH_PORT + n % (BENCH_SERVERS + 1);
    if (n < 32)
        return BENCH_PEER_PORT + n % (BENCH_PEERS + 1);
    return n == 32 ? -1 : n == 33 ? 65536 : n;
}

static const char *choose_name(struct input *input)
{
    static const char *const names[] = {"m1", "m2", "m3", "*"};

    return names[input_below(input, 4)];
}

static const char *choose_run_id(const struct bench *bench, struct input *input)
{
    unsigned n = input_below(input, 7);

    if (n < BENCH_PEERS)
        return bench_world_peer_id((int)n);
    return n == 3   ? bench->core->myid
           : n == 4 ? "dddddddddddddddddddddddddddddddddddddddd"
                    : input_text(input);
}

/* Near the present one mostly. */
static uint64_t choose_epoch(const struct bench *bench, struct input *input)
{
    uint8_t n = input_byte(input);

    return n < 240 ? bench->core->current_epoch + n % 8 : (uint64_t)input_number(input);
}

/* ---------------------------------------------------------------------- events ---- */

static const char *const reply_texts[] = {
    "PONG",     "LOADING x",  "MASTERDOWN x", "BUSY x",
    "OK",       "QUEUED",     "NOAUTH x",     "ERR no",
    "*",        "",           "-1",           "role:master\r\n",
    "NOPERM x", "role:slave", "master",       "slave",
};

/* Items come from |pool|, of which |*n_used| are taken. */
static void make_value(struct input *input, int depth, struct resp_value *pool,
                       size_t *n_used, struct resp_value *value)
{
    memset(value, 0, sizeof(*value));
    value->str = "";
    value->type = (enum resp_type)input_below(input, RESP_ARRAY + 1);
    switch (value->type) {
    case RESP_NIL:
        break;
    case RESP_INT:
        value->integer = input_number(input);
        break;
    case RESP_STATUS:
    case RESP_ERROR:
    case RESP_BULK:
        value->str = input_below(input, 2) == 0 ? reply_texts[input_below(input, 16)]
                                                : input_text(input);
        value->len = strlen(value->str);
        break;
    case RESP_ARRAY:
        if (depth == VALUE_DEPTH_MAX)
            break;
        value->n_items = input_below(input, VALUE_ITEMS_MAX + 1);
        struct resp_value *items = pool + *n_used;
        value->items = items;
        *n_used += value->n_items;
        for (size_t i = 0; i < value->n_items; i++)
            make_value(input, depth + 1, pool, n_used, &items[i]);
        break;
    }
}

static void do_reply(struct bench *bench, struct input *input)
{
    struct resp_value pool[VALUE_ITEMS_MAX * (VALUE_ITEMS_MAX + 2)], value;
    struct bench_item *item = bench_item(bench, input_byte(input));
    size_t n_used = 0;

    if (item == NULL || item->wait != BENCH_REPLY)
        return;
    make_value(input, 0, pool, &n_used, &value);
    bench_reply(bench, item, &value);
}

/* INFO of any server with fields of its choice. */
static void do_info(struct bench *bench, struct input *input)
{
    static const char *const roles[] = {"master", "slave", "slave", "sentinel"};
    static const char *const fields[] = {"master_link_down_since_seconds",
                                         "slave_priority", "slave_repl_offset"};
    int port = BENCH_PORT + (int)input_below(input, BENCH_SERVERS);
    struct bench_item *item = bench_item_of(bench, port, "INFO");
    struct buf text = {0};

    if (item == NULL)
        return;
    buf_printf(&text, "run_id:%040u\r\n", input_below(input, 4));
    buf_printf(&text, "role:%s\r\n", roles[input_below(input, 4)]);
    buf_printf(&text, "master_host:%s\r\n", choose_host(input));
    buf_printf(&text, "master_port:%" PRId64 "\r\n", choose_port(input));
    buf_printf(&text, "master_link_status:%s\r\n",
               input_below(input, 2) != 0 ? "up" : "down");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        buf_printf(&text, "%s:%" PRId64 "\r\n", fields[i], input_number(input));
    for (unsigned i = input_below(input, 4); i > 0; i--) {
        const char *host = choose_host(input);
        buf_printf(&text, "slave%u:ip=%s,port=%" PRId64 ",state=online\r\n", i, host,
                   choose_port(input));
    }
    struct resp_value value = {.type = RESP_BULK, .str = text.data, .len = text.len};
    bench_reply(bench, item, &value);
    buf_release(&text);
}

static void make_hello(struct bench *bench, struct input *input, struct buf *text)
{
    if (input_below(input, 8) == 7) {
        buf_puts(text, input_text(input));
        return;
    }
    const char *ip = choose_host(input);
    int64_t port = choose_port(input);
    const char *run_id = choose_run_id(bench, input);
    uint64_t epoch = choose_epoch(bench, input);
    const char *name = choose_name(input);
    const char *host = choose_host(input);
    int64_t master_port = choose_port(input);
    uint64_t config_epoch = choose_epoch(bench, input);
    buf_printf(text, "%s,%" PRId64 ",%s,%" PRIu64 ",%s,%s,%" PRId64 ",%" PRIu64, ip,
               port, run_id, epoch, name, host, master_port, config_epoch);
}

static void do_hello(struct bench *bench, struct input *input)
{
    struct link *link = bench_link(bench, input_byte(input));
    struct buf text = {0};

    make_hello(bench, input, &text);
    if (link != NULL && link->sub.up) {
        bench_message(bench, link->id, buf_text(&text), text.len);
    } else {
        struct core_request request = {
            .type = CORE_RQ_HELLO, .text = buf_text(&text), .text_len = text.len};
        bench_request(bench, &request);
    }
    buf_release(&text);
}

/* Ids that may or may not mean something. */
static void do_stray(struct bench *bench, struct input *input)
{
    struct core_event event = {0};
    struct slot_id id;

    id.slot = input_below(input, 16);
    id.gen = input_below(input, 4);
    switch (input_below(input, 5)) {
    case 0:
        event.type = CORE_EV_RESOLVED;
        event.resolved.host = choose_host(input);
        event.resolved.ip = input_below(input, 2) != 0 ? "10.0.0.9" : NULL;
        break;
    case 1:
        event.type = CORE_EV_JOB_EXIT;
        event.job_exit.job = id;
        event.job_exit.status = input_byte(input);
        event.job_exit.signal = (int)input_below(input, 2) * 9;
        break;
    case 2:
        event.type = CORE_EV_LINK_UP;
        event.up.link = id;
        event.up.local_ip = "127.0.0.1";
        break;
    case 3:
        event.type = CORE_EV_PERSISTED;
        event.persisted.version = core_version(bench->core);
        event.persisted.ok = input_below(input, 2) != 0;
        break;
    default:
        event.type = CORE_EV_DEADLINE;
        break;
    }
    bench_step(bench, &event);
}

/* -------------------------------------------------------------------- requests ---- */

static const enum core_option set_options[] = {
    CORE_OPT_DOWN_AFTER, CORE_OPT_FAILOVER_TIMEOUT,    CORE_OPT_PARALLEL_SYNCS,
    CORE_OPT_QUORUM,     CORE_OPT_REBOOT_DOWN_AFTER,   CORE_OPT_FORGET_REPLICA,
    CORE_OPT_AUTH_PASS,  CORE_OPT_NOTIFICATION_SCRIPT, CORE_OPT_RECONFIG_SCRIPT,
    CORE_OPT_AUTH_USER,  CORE_OPT_RENAME_COMMAND,      CORE_OPT_TLS,
};
static const enum core_option config_options[] = {
    CORE_OPT_RESOLVE_HOSTNAMES,   CORE_OPT_ANNOUNCE_HOSTNAMES, CORE_OPT_ANNOUNCE_IP,
    CORE_OPT_ANNOUNCE_PORT,       CORE_OPT_SENTINEL_USER,      CORE_OPT_SENTINEL_PASS,
    CORE_OPT_TLS_VERIFY_HOSTNAME,
};

/* Values a server lets through (core.h: numbers are already checked). */
static void make_setting(struct input *input, struct core_setting *setting)
{
    static const char *const texts[] = {"", "/bin/good", "secret", "PING", "INFO"};
    int64_t number = input_number(input) & INT32_MAX;

    setting->number = number > 0 ? number : 1;
    setting->text = NULL;
    setting->text2 = NULL;
    setting->word = "word";
    switch (setting->option) {
    case CORE_OPT_RESOLVE_HOSTNAMES:
    case CORE_OPT_ANNOUNCE_HOSTNAMES:
    case CORE_OPT_TLS_VERIFY_HOSTNAME:
        setting->number &= 1;
        break;
    case CORE_OPT_TLS:
        setting->number = setting->number % 3 - 1;
        break;
    case CORE_OPT_ANNOUNCE_PORT:
        setting->number &= 65535;
        break;
    case CORE_OPT_RENAME_COMMAND:
        setting->text = texts[1 + input_below(input, 4)];
        setting->text2 = texts[1 + input_below(input, 4)];
        break;
    case CORE_OPT_NOTIFICATION_SCRIPT:
    case CORE_OPT_RECONFIG_SCRIPT:
    case CORE_OPT_AUTH_PASS:
    case CORE_OPT_AUTH_USER:
    case CORE_OPT_ANNOUNCE_IP:
    case CORE_OPT_SENTINEL_USER:
    case CORE_OPT_SENTINEL_PASS:
        setting->text = texts[input_below(input, 5)];
        break;
    default:
        break;
    }
}

static void do_set(struct bench *bench, struct input *input)
{
    struct core_setting settings[3];
    struct core_request request = {.settings = settings};

    request.type = (enum core_request_type)(CORE_RQ_SET + input_below(input, 3));
    request.name = choose_name(input);
    request.n_settings = 1 + input_below(input, 3);
    for (size_t i = 0; i < request.n_settings; i++) {
        if (request.type == CORE_RQ_SET)
            settings[i].option = set_options[input_below(input, 12)];
        else if (request.type == CORE_RQ_CONFIG)
            settings[i].option = config_options[input_below(input, 6)];
        else
            settings[i].option = (enum core_option)(
                CORE_OPT_INFO_PERIOD +
                input_below(input, CORE_OPT_N - CORE_OPT_INFO_PERIOD));
        make_setting(input, &settings[i]);
    }
    bench_request(bench, &request);
}

static void do_request(struct bench *bench, struct input *input)
{
    static const enum core_request_type types[] = {
        CORE_RQ_VOTE,     CORE_RQ_FAILOVER, CORE_RQ_RESET,
        CORE_RQ_FAILOVER, CORE_RQ_MONITOR,  CORE_RQ_REMOVE,
        CORE_RQ_SIMULATE, CORE_RQ_FLUSH,    CORE_RQ_FORGET,
    };
    struct core_request request = {.type = types[input_below(input, 9)]};

    request.name = request.text = choose_name(input);
    request.text_len = strlen(request.text);
    switch (request.type) {
    case CORE_RQ_VOTE:
        request.host = choose_host(input);
        request.port = choose_port(input);
        request.epoch = choose_epoch(bench, input);
        request.text = choose_run_id(bench, input);
        request.text_len = strlen(request.text);
        break;
    case CORE_RQ_FORGET:
        request.host = choose_host(input);
        request.port = choose_port(input);
        request.text = input_below(input, 2) != 0 ? choose_run_id(bench, input) : NULL;
        break;
    case CORE_RQ_MONITOR:
        request.host = choose_host(input);
        request.port = choose_port(input);
        request.number = 1 + input_below(input, 4);
        break;
    case CORE_RQ_SIMULATE:
        request.number = input_below(input, 4);
        break;
    default:
        break;
    }
    bench_request(bench, &request);
}

/* ----------------------------------------------------------------------- world ---- */

static void do_server(struct bench *bench, struct input *input)
{
    int n = (int)input_below(input, BENCH_SERVERS);
    struct bench_server *server = &bench->servers[n];
    uint8_t bits = input_byte(input);

    server->is_dead = bits & 1;
    server->is_behind = bits & 2;
    if (bits & 4)
        server->is_replica = !server->is_replica;
    if (bits & 8)
        server->master_port = choose_port(input);
    server->priority = bits & 16 ? 0 : 100;
    server->offset += bits & 32 ? 10 : 0;
    for (unsigned i = 0; server->is_dead && i < 16; i++) {
        struct link *link = bench_link(bench, i);
        if (link == NULL || link->node == NULL ||
            link->node->addr.port != BENCH_PORT + n)
            continue;
        struct slot_id id = link->id;
        bench_break(bench, id, LINK_CMD);
        bench_break(bench, id, LINK_SUB);
    }
}

static void do_peer(struct bench *bench, struct input *input)
{
    struct bench_peer *peer = &bench->peers[input_below(input, BENCH_PEERS)];
    uint8_t bits = input_byte(input);

    peer->is_dead = bits & 1;
    peer->says_down = bits & 2;
    peer->votes_for_itself = bits & 4;
}

static void do_link(struct bench *bench, struct input *input)
{
    struct link *link = bench_link(bench, input_byte(input));

    if (link != NULL)
        bench_break(bench, link->id, input_below(input, 2) ? LINK_SUB : LINK_CMD);
}

static void do_item(struct bench *bench, struct input *input, bool ok)
{
    struct bench_item *item = bench_item(bench, input_byte(input));

    if (item == NULL)
        return;
    if (ok)
        bench_end(bench, item);
    else
        bench_fail(bench, item);
}

/* ------------------------------------------------------------------------- run ---- */

static void do_one(struct bench *bench, struct input *input)
{
    switch (input_below(input, 20)) {
    case 0:
        bench_run(bench, 0);
        break;
    case 1:
        bench_run(bench, input_byte(input) * 20);
        break;
    case 2:
        bench_run(bench, input_byte(input) * 500);
        break;
    case 3:
        bench_wait_only(bench, input_byte(input) * 10);
        break;
    case 4: /* the process is frozen, or the wall clock is set */
        bench->now += input_byte(input) * 50;
        bench->wall += input_number(input) & INT32_MAX;
        break;
    case 5:
    case 6:
        do_item(bench, input, true);
        break;
    case 7:
        do_item(bench, input, false);
        break;
    case 8:
    case 9:
        do_reply(bench, input);
        break;
    case 10:
        do_info(bench, input);
        break;
    case 11:
        do_hello(bench, input);
        break;
    case 12:
        do_stray(bench, input);
        break;
    case 13:
        do_set(bench, input);
        break;
    case 14:
    case 15:
        do_request(bench, input);
        break;
    case 16:
        do_server(bench, input);
        break;
    case 17:
        do_peer(bench, input);
        break;
    case 18:
        do_link(bench, input);
        break;
    default:
        bench->is_disk_bad = input_below(input, 2) != 0;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    uint8_t bits = input_byte(&input);
    struct bench bench;

    bench_init(&bench, bits);
    bench_set(&bench, NULL, CORE_OPT_RESOLVE_HOSTNAMES, bits & 1, NULL);
    bench_set(&bench, NULL, CORE_OPT_ANNOUNCE_HOSTNAMES, bits >> 1 & 1, NULL);
    bench_load_master(&bench, "m1", 1 + (bits >> 2 & 1));
    bench_set(&bench, "m1", CORE_OPT_DOWN_AFTER, 1000, NULL);
    bench_set(&bench, "m1", CORE_OPT_FAILOVER_TIMEOUT, 10000, NULL);
    bench_load_peers(&bench, "m1", bits >> 3 & 3);
    if (bits & 32) {
        bench_load_master(&bench, "m2", 2);
        bench_load_peers(&bench, "m2", 1);
    }
    if (bits & 64)
        bench_set(&bench, "m1", CORE_OPT_NOTIFICATION_SCRIPT, 0, "/bin/good");
    if (bits & 128)
        bench_set(&bench, "m1", CORE_OPT_RECONFIG_SCRIPT, 0, "/bin/good");
    bench_start(&bench);
    if (input_below(&input, 2) != 0)
        bench_run(&bench, 3000);
    while (input.left > 0 && !bench.is_over)
        do_one(&bench, &input);
    bench_finish(&bench);
    return 0;
}
