/*
 * fuzz_hello.c - hello messages to a small core, one a line (or, so that they may hold
 * line ends, one between zero bytes). What the core learns must survive being saved.
 */
#include "tests/fuzz/bench.h"
#include "tests/fuzz/fuzz.h"

static void send_hello(struct bench *bench, const char *text, size_t len,
                       bool by_client)
{
    struct link *link = bench_link(bench, 0);
    struct core_request request = {
        .type = CORE_RQ_HELLO, .text = text, .text_len = len};

    if (by_client || link == NULL)
        bench_request(bench, &request);
    else
        bench_message(bench, link->id, text, len);
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
    bench_set(&bench, NULL, CORE_OPT_ANNOUNCE_HOSTNAMES, bits >> 1 & 1, NULL);
    bench_load_master(&bench, "m1", 2);
    bench_load_master(&bench, "m 2", 2);
    bench_load_peers(&bench, "m1", 2);
    bench_load_peers(&bench, "m 2", 1);
    bench_start(&bench);
    if (bits & 4)
        bench_run(&bench, 1000);
    while (input_until(&input, bits & 8 ? '\0' : '\n', &text, &len)) {
        send_hello(&bench, text, len, bits & 16);
        bench_run(&bench, bits & 32 ? 1000 : 0);
    }
    bench_finish(&bench);
    return 0;
}
