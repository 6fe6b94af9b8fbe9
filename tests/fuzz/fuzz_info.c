/*
 * fuzz_info.c - replies to INFO: facts printed and parsed again must be the same facts,
 * and a small core must live with them. The input is a list of replies with a zero byte
 * behind each; the first byte of a reply says which server sends it.
 */
#include "common/assert.h"
#include "sentinel/core/internal.h"
#include "tests/fuzz/bench.h"
#include "tests/fuzz/fuzz.h"

static const char *const roles[] = {"", "role:master\r\n", "role:slave\r\n"};

static void print_info(const struct info *info, struct buf *out)
{
    if (info->run_id[0] != '\0')
        buf_printf(out, "run_id:%s\r\n", info->run_id);
    buf_puts(out, roles[info->role]);
    buf_printf(out, "master_link_down_since_seconds:%" PRId64 "\r\n",
               info->link_down_ms / 1000);
    for (size_t i = 0; i < info->n_replicas; i++) {
        const struct info_replica *r = &info->replicas[i];
        buf_puts(out, "slave0:ip=");
        buf_append(out, r->host, r->host_len);
        buf_printf(out, ",port=%" PRId64 "\r\n", r->port);
    }
    /* Those of a replica count only behind its role, which the last line tells. */
    if (info->role != ROLE_REPLICA)
        return;
    if (info->master_host[0] != '\0')
        buf_printf(out, "master_host:%s\r\n", info->master_host);
    if (info->master_port != -1)
        buf_printf(out, "master_port:%" PRId64 "\r\n", info->master_port);
    if (info->link_up >= 0)
        buf_printf(out, "master_link_status:%s\r\n", info->link_up ? "up" : "down");
    if (info->priority != -1)
        buf_printf(out, "slave_priority:%" PRId64 "\r\n", info->priority);
    if (info->has_offset)
        buf_printf(out, "slave_repl_offset:%" PRIu64 "\r\n", info->offset);
    if (info->announced >= 0)
        buf_printf(out, "replica_announced:%d\r\n", info->announced);
}

/* The old form of a replica line may have "port=" in its host, the new one cannot. */
static bool is_printable(const struct info *info)
{
    for (size_t i = 0; i < info->n_replicas; i++)
        if (memmem(info->replicas[i].host, info->replicas[i].host_len, "port=", 5))
            return false;
    return true;
}

static void check_parse(const char *text, size_t len)
{
    struct info *first = mem_zalloc(sizeof(*first));
    struct info *again = mem_zalloc(sizeof(*again));
    struct buf once = {0}, twice = {0};

    info_parse(first, text, len);
    print_info(first, &once);
    info_parse(again, buf_text(&once), once.len);
    print_info(again, &twice);
    if (is_printable(first)) {
        ASSERT_CMP(once.len, ==, twice.len);
        ASSERT(memcmp(once.data, twice.data, once.len) == 0);
    }
    buf_release(&once);
    buf_release(&twice);
    mem_free(first);
    mem_free(again);
}

static void send_info(struct bench *bench, const char *text, size_t len)
{
    char *copy = mem_strndup(text, len);
    struct resp_value value = {.type = RESP_BULK, .str = copy, .len = len};
    struct bench_item *item = NULL;
    unsigned server = len > 0 ? (unsigned char)text[0] % BENCH_SERVERS : 0;

    if (len > 0) {
        value.str++;
        value.len--;
    }
    check_parse(value.str, value.len);
    /* All is well but the answer to this question. */
    for (int i = 0; i < 20 && item == NULL && !bench->is_over; i++) {
        bench_wait_only(bench, 100);
        item = bench_item_of(bench, BENCH_PORT + (int)server, "INFO");
        if (item == NULL)
            bench_run(bench, 0);
    }
    if (item != NULL)
        bench_reply(bench, item, &value);
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    uint8_t bits = input_byte(&input);
    struct bench bench;
    const char *text;
    size_t len;

    bench_init(&bench, 1);
    bench_set(&bench, NULL, CORE_OPT_RESOLVE_HOSTNAMES, bits & 1, NULL);
    bench_load_master(&bench, "m1", 1);
    bench_set(&bench, "m1", CORE_OPT_DOWN_AFTER, 1000, NULL);
    bench_set(&bench, NULL, CORE_OPT_INFO_PERIOD, 200, NULL);
    bench_start(&bench);
    bench_run(&bench, 1000);
    bench.servers[0].is_dead = bits & 2;
    while (input_until(&input, '\0', &text, &len)) {
        send_info(&bench, text, len);
        bench_run(&bench, bits & 4 ? 500 : 0);
    }
    bench_finish(&bench);
    return 0;
}
