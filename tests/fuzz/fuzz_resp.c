/*
 * fuzz_resp.c - requests of clients: however the bytes are cut up, the same requests
 * and the same error must come out, and arguments must survive more input.
 */
#include "common/assert.h"
#include "common/resp.h"
#include "common/rng.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#include <string.h>

/* Small enough for the fuzzer to reach each of them. */
static const struct resp_limits tiny = {
    .inline_max = 64, .elements_max = 40, .bulk_max = 200};
static const struct resp_limits tiny_unauth = {
    .inline_max = 64, .elements_max = 10, .bulk_max = 100};

static const struct resp_limits *const limits[] = {
    &resp_limits_default, &resp_limits_unauth, &tiny, &tiny_unauth};

static void print_request(struct buf *out, const struct resp_request *rq)
{
    buf_printf(out, "[%zu", rq->n_args);
    for (size_t i = 0; i < rq->n_args; i++) {
        ASSERT(rq->args[i].str[rq->args[i].len] == '\0');
        buf_printf(out, " %zu:", rq->args[i].len);
        buf_append(out, rq->args[i].str, rq->args[i].len);
    }
    buf_putc(out, ']');
}

/* Takes all there is; false once the protocol is broken. */
static bool take_requests(struct resp_request *rq, const struct resp_limits *limit,
                          struct buf *out)
{
    struct error err = {0};
    int rc;

    while ((rc = resp_request_next(rq, limit, &err)) == 0)
        print_request(out, rq);
    if (rc == ERR_MORE)
        return true;
    ASSERT(rc == ERR_SYNTAX && err.text[0] != '\0');
    buf_printf(out, "!%s", err.text);
    return false;
}

static void read_whole(const struct input *input, const struct resp_limits *limit,
                       struct buf *out)
{
    struct resp_request rq = {0};

    resp_request_feed(&rq, input->at, input->left);
    take_requests(&rq, limit, out);
    resp_request_release(&rq);
}

/* Takes one request, feeds more, and looks at it again. */
static bool take_and_feed(struct resp_request *rq, const struct resp_limits *limit,
                          const char *bytes, size_t len, struct buf *out)
{
    struct buf before = {0}, after = {0};
    struct error err = {0};

    int rc = resp_request_next(rq, limit, &err);
    if (rc == 0) {
        print_request(&before, rq);
        resp_request_feed(rq, bytes, len);
        print_request(&after, rq);
        ASSERT(before.len == after.len);
        ASSERT(memcmp(before.data, after.data, before.len) == 0);
        buf_append(out, before.data, before.len);
    } else if (rc == ERR_MORE) {
        resp_request_feed(rq, bytes, len);
    } else {
        buf_printf(out, "!%s", err.text);
    }
    buf_release(&before);
    buf_release(&after);
    return rc == 0 || rc == ERR_MORE;
}

static void read_chunks(const struct input *input, const struct resp_limits *limit,
                        struct rng *rng, struct buf *out)
{
    uint32_t max = 1u << rng_below(rng, 8);
    struct resp_request rq = {0};
    bool is_well = true;

    for (size_t pos = 0; pos < input->left && is_well;) {
        size_t len = 1 + rng_below(rng, max);
        if (len > input->left - pos)
            len = input->left - pos;
        is_well = take_and_feed(&rq, limit, input->at + pos, len, out);
        pos += len;
        if (is_well && rng_chance(rng, 1, 2))
            is_well = take_requests(&rq, limit, out);
    }
    if (is_well)
        take_requests(&rq, limit, out);
    resp_request_release(&rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    const struct resp_limits *limit = limits[input_below(&input, 4)];
    uint8_t seed = input_byte(&input);
    struct buf whole = {0}, chunks = {0};
    struct rng rng;

    rng_seed(&rng, seed, 1);
    read_whole(&input, limit, &whole);
    for (int i = 0; i < 3; i++) {
        buf_clear(&chunks);
        read_chunks(&input, limit, &rng, &chunks);
        ASSERT_CMP(whole.len, ==, chunks.len);
        ASSERT(memcmp(buf_text(&whole), buf_text(&chunks), whole.len) == 0);
    }
    buf_release(&whole);
    buf_release(&chunks);
    return 0;
}
