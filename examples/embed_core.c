/*
 * embed_core.c - the smallest driver of the core.
 *
 * One sentinel watches one imaginary master that answers for three seconds of virtual
 * time and then falls silent. There is no socket, no file and no clock here: the
 * program hands events to the core, performs its actions in a few lines, and prints
 * what the sentinel would have logged. It runs in no time and prints the same every
 * time.
 */
#include "sentinel/core/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_AT 3000 /* ms at which the master stops answering */
#define END_AT 10000
#define QUEUE_CAP 64

/* What the core has asked for and gets an answer to; in order. */
struct world {
    struct core *core;
    struct core_actions *actions;
    struct core_event queue[QUEUE_CAP];
    int n_queued;
    int64_t now;
    bool saw_odown;
};

static void post(struct world *world, struct core_event event)
{
    if (world->n_queued == QUEUE_CAP)
        abort();
    world->queue[world->n_queued++] = event;
}

/* Every command gets the answer PONG while the master lives. */
static void answer(struct world *world, const struct core_action *action)
{
    static const struct resp_value pong = {
        .type = RESP_STATUS, .str = "PONG", .len = 4};

    if (world->now >= SILENT_AT)
        return;
    for (int i = 0; i < action->send.n_replies; i++)
        post(world, (struct core_event){.type = CORE_EV_REPLY,
                                        .reply = {.link = action->send.link,
                                                  .chan = action->send.chan,
                                                  .tag = action->send.tag,
                                                  .index = i,
                                                  .value = &pong}});
}

static void perform(struct world *world, const struct core_action *action)
{
    switch (action->type) {
    case CORE_AC_LINK_OPEN:
        post(world, (struct core_event){.type = CORE_EV_LINK_UP,
                                        .up = {.link = action->open.link,
                                               .chan = action->open.chan,
                                               .local_ip = "192.0.2.1"}});
        break;
    case CORE_AC_SEND:
        answer(world, action);
        break;
    case CORE_AC_PERSIST: /* nothing is saved, so it is saved at once */
        post(world, (struct core_event){
                        .type = CORE_EV_PERSISTED,
                        .persisted = {.version = action->persist.version, .ok = true}});
        break;
    case CORE_AC_EVENT:
        printf("%6" PRId64 " ms  %s %s\n", world->now, action->event.channel,
               action->event.text);
        if (strcmp(action->event.channel, "+odown") == 0)
            world->saw_odown = true;
        break;
    default: /* log lines, narration and the rest do not matter here */
        break;
    }
}

static void perform_all(struct world *world)
{
    const struct core_action *action;

    while ((action = core_actions_next(world->actions)) != NULL)
        perform(world, action);
}

/* Hands over what is queued, then lets time jump to the core's next deadline. */
static void run(struct world *world)
{
    while (world->now < END_AT) {
        struct core_event event = {.type = CORE_EV_DEADLINE};

        if (world->n_queued > 0) {
            event = world->queue[0];
            world->n_queued--;
            memmove(world->queue, world->queue + 1,
                    (size_t)world->n_queued * sizeof(world->queue[0]));
        } else {
            world->now = core_deadline(world->core);
        }
        event.now = event.wall = world->now;
        core_step(world->core, &event, world->actions);
        perform_all(world);
    }
}

int main(void)
{
    struct world world = {.core = core_new(1), .actions = core_actions_new()};
    struct core_setting down_after = {.option = CORE_OPT_DOWN_AFTER, .number = 2000};
    struct error err;

    if (core_load_monitor(world.core, "mymaster", "192.0.2.10", 6379, 1, &err) != 0 ||
        core_load_setting(world.core, "mymaster", &down_after, &err) != 0)
        return EXIT_FAILURE;
    core_start(world.core, world.now, world.now, world.actions);
    perform_all(&world);
    run(&world);
    core_actions_free(world.actions);
    core_free(world.core);
    return world.saw_odown ? EXIT_SUCCESS : EXIT_FAILURE;
}
