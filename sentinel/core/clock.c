/*
 * clock.c - what time means to the core.
 *
 * Decisions use lived time: a monotonic clock that does not advance while this process
 * is frozen (stopped, swapped out, starved), so that silence we caused ourselves is
 * never held against anyone. The pulse makes sure that an event comes at least every
 * CORE_PULSE_MS; a greater gap means that we were frozen.
 *
 * TILT is kept as stock has it (behaviour.md 9), because tools watch for it: entered
 * when the gap exceeds tilt-trigger. A step of the wall clock does not enter it:
 * nothing here depends on the wall clock (decision 0011).
 */
#include "sentinel/core/internal.h"

/* A gap up to this is scheduling noise, not a freeze. */
#define CLOCK_SLACK_MS (2 * CORE_PULSE_MS)

static void clock_enter_tilt(struct core *core)
{
    core->tilt = true;
    core->tilt_at = core->now;
    core->n_tilts++;
    emit_plain(core, LOG_LVL_WARNING, "+tilt", NULL, "#tilt mode entered");
}

/* Opinions given before a long freeze say nothing about now. */
static void clock_drop_opinions(struct core *core)
{
    for (struct master *m = core->masters; m != NULL; m = m->hh.next)
        for (struct voter *v = m->voters; v != NULL; v = v->hh.next)
            voter_forget_opinion(v);
}

void clock_observe(struct core *core, int64_t now, int64_t wall)
{
    int64_t gap = now - core->seen_at;
    int64_t wall_jump = wall - core->seen_wall - gap;
    int64_t trigger = core_number(core, CORE_OPT_TILT_TRIGGER);

    if (gap < 0) { /* the driver's promise was broken; time stands still for us */
        now = core->seen_at;
        gap = 0;
    }
    if (gap > CLOCK_SLACK_MS)
        core->stalled_ms += gap - CORE_PULSE_MS;
    core->seen_at = now;
    core->seen_wall = wall;
    core->now = now - core->stalled_ms;
    core->wall = wall;

    if (gap > trigger) {
        emit_note(core, "frozen for %" PRId64 " ms", gap);
        clock_drop_opinions(core);
        clock_enter_tilt(core);
    } else if (wall_jump > trigger || wall_jump < -trigger) {
        /* A stepped clock, or a machine that was suspended and whose monotonic clock
         * did not count it. Opinions may be older than they seem. */
        emit_log(core, LOG_LVL_NOTICE,
                 "The wall clock moved by %" PRId64 " ms; timers are not affected",
                 wall_jump);
        clock_drop_opinions(core);
    }
}

void clock_pulse(struct core *core)
{
    timer_arm(core, &core->pulse_timer, core->now + CORE_PULSE_MS);
    if (core->tilt &&
        core->now - core->tilt_at >= core_number(core, CORE_OPT_TILT_PERIOD)) {
        core->tilt = false;
        emit_plain(core, LOG_LVL_WARNING, "-tilt", NULL, "#tilt mode exited");
        /* What was not decided meanwhile is decided now. */
        detect_all(core);
        for (struct master *m = core->masters; m != NULL; m = m->hh.next)
            failover_resume(core, m);
    }
}
