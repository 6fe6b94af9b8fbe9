/*
 * hello.c - what a hello costs the core, plain and signed: us per hello received, the
 * least of some rounds.
 */
#include "common/buf.h"
#include "sentinel/core/core.h"
#include "sentinel/runtime/hmac.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PEER "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SECRET "a secret of thirty-two bytes ...."
#define N_HELLOS 200000
#define N_ROUNDS 7

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void sign(struct buf *text, int64_t stamp)
{
    unsigned char mac[HMAC_LEN];

    buf_printf(text, ",hmac-sha256,%" PRId64 ",0", stamp);
    hmac_sha256(mac, SECRET, strlen(SECRET), text->data, text->len);
    buf_putc(text, ',');
    for (size_t i = 0; i < HMAC_LEN; i++)
        buf_printf(text, "%02x", mac[i]);
}

static struct core *begin(enum core_gossip_auth auth, struct core_actions *actions)
{
    struct core_setting secret = {.option = CORE_OPT_GOSSIP_SECRET, .text = SECRET};
    struct core_setting mode = {.option = CORE_OPT_GOSSIP_AUTH, .number = auth};
    struct core *core = core_new(1);
    struct error err;

    core_use_mac(core, hmac_sha256);
    if (core_load_setting(core, NULL, &secret, &err) != 0 ||
        core_load_setting(core, NULL, &mode, &err) != 0 ||
        core_load_monitor(core, "mymaster", "10.0.0.1", 6379, 2, &err) != 0 ||
        core_load_sentinel(core, "mymaster", "10.0.0.2", 26379, PEER, &err) != 0)
        return NULL;
    core_start(core, 1, 1, actions);
    return core;
}

/* us for each of N_HELLOS times |text|. */
static double measure(struct core *core, struct core_actions *actions,
                      const struct buf *text)
{
    struct core_request request = {
        .type = CORE_RQ_HELLO, .text = text->data, .text_len = text->len};
    struct core_event event = {
        .type = CORE_EV_REQUEST, .now = 1, .wall = 1, .request = &request};
    double start = now_us();

    for (int i = 0; i < N_HELLOS; i++)
        core_step(core, &event, actions);
    return (now_us() - start) / N_HELLOS;
}

int main(void)
{
    static const char hello[] = "10.0.0.2,26379," PEER ",0,mymaster,10.0.0.1,6379,0";
    static const struct {
        const char *what;
        enum core_gossip_auth auth;
        bool is_signed;
    } cases[] = {{"plain, no signatures demanded", GOSSIP_AUTH_OFF, false},
                 {"companion, accepted", GOSSIP_AUTH_REQUIRE, true},
                 {"plain beside it, ignored", GOSSIP_AUTH_REQUIRE, false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct core_actions *actions = core_actions_new();
        struct core *core = begin(cases[i].auth, actions);
        struct buf text = {0}, companion = {0};
        double least = 1e9;

        if (core == NULL)
            return 1;
        buf_puts(&text, hello);
        buf_puts(&companion, hello);
        sign(&companion, 1);
        measure(core, actions, &companion);
        for (int round = 0; round < N_ROUNDS; round++) {
            double us = measure(core, actions, cases[i].is_signed ? &companion : &text);
            least = us < least ? us : least;
        }
        printf("  %-32s %6.2f us\n", cases[i].what, least);
        buf_release(&text);
        buf_release(&companion);
        core_free(core);
        core_actions_free(actions);
    }
    return 0;
}
