/*
 * timers.c - one heap for everything in the core that waits.
 */
#include "sentinel/core/internal.h"

void timer_init(struct timer *timer, enum timer_kind kind, void *owner)
{
    memset(timer, 0, sizeof(*timer));
    timer->kind = kind;
    timer->owner = owner;
}

void timer_arm(struct core *core, struct timer *timer, int64_t at)
{
    if (at == CORE_NEVER) {
        heap_remove(&core->timers, &timer->node);
        return;
    }
    /* Not in the past: a timer armed during a run must sort behind the ones that were
     * due before it, or it would run in the same call. */
    heap_set(&core->timers, &timer->node, max_i64(at, core->now));
}

void timer_arm_by(struct core *core, struct timer *timer, int64_t at)
{
    if (at == CORE_NEVER)
        return;
    if (!heap_has(&timer->node) || timer->node.at > at)
        timer_arm(core, timer, at);
}

void timer_disarm(struct core *core, struct timer *timer)
{
    heap_remove(&core->timers, &timer->node);
}

static void timer_run(struct core *core, struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_PULSE:
        clock_pulse(core);
        break;
    case TIMER_PERSIST:
        durable_on_timer(core);
        break;
    case TIMER_LINK:
        link_on_timer(core, timer->owner);
        break;
    case TIMER_NODE:
        node_on_timer(core, timer->owner);
        break;
    case TIMER_NODE_DOWN:
        detect_node(core, timer->owner);
        break;
    case TIMER_NODE_FORGET:
        node_on_forget_timer(core, timer->owner);
        break;
    case TIMER_VOTER_DOWN:
        detect_voter(core, timer->owner);
        break;
    case TIMER_PEER_HELLO:
        hello_on_peer_timer(core, timer->owner);
        break;
    case TIMER_MASTER:
        master_on_timer(core, timer->owner);
        break;
    case TIMER_JOB:
        jobs_on_timer(core, timer->owner);
        break;
    }
}

void timers_run(struct core *core)
{
    uint64_t limit = core->timers.next_seq;

    for (;;) {
        struct heap_node *node = heap_min(&core->timers);
        if (node == NULL || node->at > core->now || node->seq >= limit)
            return;
        heap_remove(&core->timers, node);
        timer_run(core, (struct timer *)(void *)((char *)node -
                                                 offsetof(struct timer, node)));
    }
}
