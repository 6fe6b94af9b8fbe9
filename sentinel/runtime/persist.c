/*
 * persist.c - saving the state.
 */
#include "sentinel/runtime/persist.h"

#include "common/assert.h"
#include "common/file.h"
#include "common/log.h"
#include "sentinel/core/state.h"
#include "sentinel/runtime/runtime.h"

#include <errno.h>
#include <string.h>

/* A rendering of this size is not kept between saves. */
#define PERSIST_IDLE_CAP ((size_t)1 << 20)

void persist_want(struct runtime *rt)
{
    rt->persist.wanted = true;
}

/* On a thread of the pool. */
static void persist_work(uv_work_t *work)
{
    struct runtime *rt = work->data;
    struct persist *persist = &rt->persist;
    persist->status = file_replace(rt->state_path, persist->text.data,
                                   persist->text.len, &persist->reason);
    persist->error = errno;
}

/* A failure that lasts is said once: the core tries again every second. */
static void persist_report(struct runtime *rt, bool ok)
{
    struct persist *persist = &rt->persist;

    if (ok) {
        log_line(LOG_LVL_NOTICE, "Sentinel new configuration saved on disk");
    } else if (persist->error != persist->lost_error) {
        log_line(LOG_LVL_WARNING, "%s", persist->reason.text);
        log_line(LOG_LVL_WARNING,
                 "WARNING: Sentinel was not able to save the new configuration on "
                 "disk!!!: %s",
                 strerror(persist->error));
    }
    persist->lost_error = ok ? 0 : persist->error;
}

static void persist_done(uv_work_t *work, int status)
{
    struct runtime *rt = work->data;
    struct persist *persist = &rt->persist;
    bool ok = status == 0 && persist->status == 0;

    persist->writing = false;
    persist_report(rt, ok);
    if (persist->text.cap > PERSIST_IDLE_CAP)
        buf_release(&persist->text);

    struct core_event event = {
        .type = CORE_EV_PERSISTED,
        .persisted = {.version = persist->version,
                      .ok = ok,
                      .reason = ok ? NULL : persist->reason.text},
    };
    runtime_post(rt, &event);
    /* No turn follows any more, and what changed during this save was acknowledged. The
     * end waits for both no longer than for one. */
    if (rt->stopped)
        persist_end_turn(rt);
}

bool persist_new_id(struct runtime *rt)
{
    struct persist *persist = &rt->persist;

    if (!rt->core->id_is_new)
        return true;
    persist->version = core_version(rt->core);
    conf_render(rt->conf, rt->core, &persist->text);
    persist->work.data = rt;
    persist_work(&persist->work);
    persist_report(rt, persist->status == 0);
    if (persist->status != 0)
        return false;
    core_id_is_saved(rt->core);
    return true;
}

static void persist_nothing(uv_work_t *work)
{
    (void)work; /* libuv starts its threads for the first work it is given */
}

void persist_start(struct runtime *rt)
{
    int status = uv_queue_work(&rt->loop, &rt->persist.first, persist_nothing, NULL);
    ASSERT_CMP(status, ==, 0);
}

/* Not at once when asked: all that this turn changes shares one write. */
void persist_end_turn(struct runtime *rt)
{
    struct persist *persist = &rt->persist;

    /* The core puts off what nothing waits for; who ends does not. */
    if (rt->stopping && core_version(rt->core) > rt->core->disk_version &&
        core_version(rt->core) > persist->version)
        persist->wanted = true;
    if (!persist->wanted || persist->writing)
        return;
    persist->wanted = false;
    persist->version = core_version(rt->core);
    conf_set_loglevel(rt->conf, log_get_level());
    conf_render(rt->conf, rt->core, &persist->text);

    persist->writing = true;
    persist->work.data = rt;
    int status = uv_queue_work(&rt->loop, &persist->work, persist_work, persist_done);
    ASSERT_CMP(status, ==, 0);
}

void persist_release(struct runtime *rt)
{
    buf_release(&rt->persist.text);
}
