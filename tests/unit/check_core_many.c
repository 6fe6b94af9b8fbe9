/*
 * check_core_many.c - one core with thousands of healthy servers: what it asks them
 * comes evenly, not in waves.
 */
#include "common/mem.h"
#include "sentinel/core/core.h"
#include "tests/lib/mac.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

#define N_MASTERS 6000
#define SPAN_MS 30000
#define QUEUE_CAP (4 * N_MASTERS)

/* How often one command was sent, by the moment. */
struct tally {
    int per_slice[SPAN_MS];
    int64_t slice_ms;
};

struct crowd {
    struct core *core;
    struct core_actions *actions;
    int64_t began_at, now;
    struct core_event *queue; /* what the servers answer, at once */
    size_t n_queued;
    struct tally pings, infos;
};

static const struct resp_value pong = {.type = RESP_STATUS, .str = "PONG", .len = 4};
static const struct resp_value ok = {.type = RESP_STATUS, .str = "OK", .len = 2};
static struct resp_value info = {.type = RESP_BULK, .str = "role:master\r\n"};

static void tally_add(struct tally *tally, const struct crowd *crowd)
{
    tally->per_slice[(crowd->now - crowd->began_at) / tally->slice_ms]++;
}

/* The busiest slice from |from_ms| on, in hundredths of the average one. */
static int tally_peak(const struct tally *tally, int64_t from_ms)
{
    int n = 0, sum = 0, most = 0;

    for (int64_t i = from_ms / tally->slice_ms; i < SPAN_MS / tally->slice_ms; i++) {
        n++;
        sum += tally->per_slice[i];
        most = tally->per_slice[i] > most ? tally->per_slice[i] : most;
    }
    ck_assert_int_gt(sum, 0);
    return (int)(100LL * most * n / sum);
}

static void crowd_on_send(struct crowd *crowd, const struct core_action *action)
{
    const char *name = memchr(action->send.bytes, '$', action->send.len);
    const struct resp_value *value = &ok;

    ck_assert_ptr_nonnull(name);
    if (strncmp(name, "$4\r\nPING", 8) == 0) {
        value = &pong;
        tally_add(&crowd->pings, crowd);
    } else if (strncmp(name, "$4\r\nINFO", 8) == 0) {
        value = &info;
        tally_add(&crowd->infos, crowd);
    }
    for (int i = 0; i < action->send.n_replies; i++) {
        struct core_event event = {.type = CORE_EV_REPLY};
        event.reply.link = action->send.link;
        event.reply.chan = action->send.chan;
        event.reply.tag = action->send.tag;
        event.reply.index = i;
        event.reply.value = value;
        ck_assert_uint_lt(crowd->n_queued, QUEUE_CAP);
        crowd->queue[crowd->n_queued++] = event;
    }
}

static void crowd_perform(struct crowd *crowd)
{
    const struct core_action *action;

    while ((action = core_actions_next(crowd->actions)) != NULL) {
        struct core_event event = {.type = CORE_EV_LINK_UP};
        if (action->type == CORE_AC_SEND)
            crowd_on_send(crowd, action);
        if (action->type != CORE_AC_LINK_OPEN)
            continue;
        event.up.link = action->open.link;
        event.up.chan = action->open.chan;
        event.up.local_ip = "127.0.0.1";
        ck_assert_uint_lt(crowd->n_queued, QUEUE_CAP);
        crowd->queue[crowd->n_queued++] = event;
    }
}

static void crowd_step(struct crowd *crowd, struct core_event *event)
{
    event->now = crowd->now;
    event->wall = 1700000000000 + crowd->now;
    core_step(crowd->core, event, crowd->actions);
    crowd_perform(crowd);
}

static void crowd_init(struct crowd *crowd)
{
    memset(crowd, 0, sizeof(*crowd));
    info.len = strlen(info.str);
    crowd->pings.slice_ms = 50;
    crowd->infos.slice_ms = 500;
    crowd->queue = mem_zalloc(QUEUE_CAP * sizeof(*crowd->queue));
    crowd->now = crowd->began_at = 1000000;
    crowd->core = core_new(7);
    core_use_mac(crowd->core, mac_fake);
    crowd->actions = core_actions_new();
    for (int i = 1; i <= N_MASTERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ck_assert_int_eq(core_load_monitor(crowd->core, name, "127.0.0.1", i, 2, NULL),
                         0);
    }
}

static void crowd_release(struct crowd *crowd)
{
    core_free(crowd->core);
    core_actions_free(crowd->actions);
    mem_free(crowd->queue);
}

/* All servers answer everything at once, for SPAN_MS. */
static void crowd_run(struct crowd *crowd)
{
    core_start(crowd->core, crowd->now, 1700000000000 + crowd->now, crowd->actions);
    crowd_perform(crowd);
    for (;;) {
        for (size_t i = 0; i < crowd->n_queued; i++) {
            struct core_event event = crowd->queue[i];
            crowd_step(crowd, &event);
        }
        crowd->n_queued = 0;
        int64_t due_at = core_deadline(crowd->core);
        if (due_at >= crowd->began_at + SPAN_MS)
            break;
        crowd->now = due_at > crowd->now ? due_at : crowd->now;
        struct core_event tick = {.type = CORE_EV_DEADLINE};
        crowd_step(crowd, &tick);
    }
}

/* Servers that were all connected within a second are asked evenly from then on: a wave
 * keeps the clients waiting, every time it comes. */
START_TEST(test_what_is_asked_comes_evenly)
{
    static struct crowd crowd;

    crowd_init(&crowd);
    crowd_run(&crowd);
    ck_assert_int_lt(tally_peak(&crowd.pings, 5000), 200);
    ck_assert_int_lt(tally_peak(&crowd.infos, 10500), 300);
    crowd_release(&crowd);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("core_many");
    TCase *tcase = tcase_create("core_many");

    tcase_add_test(tcase, test_what_is_asked_comes_evenly);
    suite_add_tcase(suite, tcase);
    return suite;
}
