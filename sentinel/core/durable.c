/*
 * durable.c - a vote or an epoch that leaves the process is on disk first.
 *
 * Every change of something that is saved bumps a version. At the end of a step the
 * driver is asked, at most once, to save; what must not leave before is kept here until
 * PERSISTED says that its version is on disk. What nothing waits for is saved at once,
 * too, but not again for a while: who meets a thousand masters writes the file some
 * times, not a thousand. If saving fails, votes are withheld, commands that save report
 * the error, and saving is retried with growing delays.
 */
#include "sentinel/core/internal.h"

/* Between saves that nothing waits for: this and 1 ms for ten masters, whose lines are
 * some 5 KB. */
#define SAVE_PAUSE_MS 100
#define SAVE_PAUSE_MAX_MS 1000
#define SAVE_RETRY_FIRST_MS 100
#define SAVE_RETRY_MAX_MS 1000
/* Longer saves say nothing of the others' disks. */
#define SAVE_MS_MAX 500

enum held_kind {
    HELD_VOTE,     /* the answer to a vote request */
    HELD_ELECTION, /* our questions for votes */
    HELD_HELLO,    /* hellos about a new address or config epoch */
    HELD_OK,       /* OK of a command that saves */
    HELD_EXIT,     /* simulated crash */
};

struct held {
    enum held_kind kind;
    uint64_t version;
    const struct master *master; /* NULL: none */
    uint64_t client;
    bool down;
    char leader[RUN_ID_CAP];
    uint64_t epoch;
    int code;
    struct held *prev, *next;
};

void durable_touch(struct core *core, struct master *master)
{
    core->version++;
    if (master != NULL)
        master->dirty_version = core->version;
}

void durable_touch_epoch(struct core *core)
{
    durable_touch(core, NULL);
    core->epoch_version = core->version;
}

static struct held *hold(struct core *core, enum held_kind kind,
                         const struct master *master)
{
    struct held *held = mem_zalloc(sizeof(*held));

    held->kind = kind;
    held->version = core->version;
    held->master = master;
    DL_APPEND(core->held, held);
    return held;
}

void durable_touch_config(struct core *core, struct master *master)
{
    durable_touch(core, master);
    master->config_version = core->version;
    hold(core, HELD_HELLO, master);
}

bool durable_hello_allowed(const struct master *master)
{
    return master->config_version <= master->core->disk_version;
}

void durable_hold_vote(struct core *core, struct master *master, uint64_t client,
                       bool down)
{
    if (master->dirty_version <= core->disk_version &&
        core->epoch_version <= core->disk_version) {
        /* An old vote, long since on disk. */
        emit_answer_vote(core, client, down, master->leader, master->leader_epoch);
        return;
    }
    if (core->save_failed) {
        /* The disk is known to be broken: do not let the asker wait for it. */
        emit_note(core, "vote withheld: the state cannot be saved");
        emit_answer_vote(core, client, down, NULL, 0);
        return;
    }
    struct held *held = hold(core, HELD_VOTE, master);
    held->client = client;
    held->down = down;
    memcpy(held->leader, master->leader, sizeof(held->leader));
    held->epoch = master->leader_epoch;
}

void durable_hold_election(struct core *core, struct master *master)
{
    hold(core, HELD_ELECTION, master)->epoch = master->failover.epoch;
}

void durable_hold_ok(struct core *core, uint64_t client)
{
    /* "Saved" means a save that started after the command, even if nothing changed. */
    durable_touch(core, NULL);
    hold(core, HELD_OK, NULL)->client = client;
    timer_disarm(core, &core->persist_timer); /* and it is tried now */
}

void durable_hold_exit(struct core *core, int code)
{
    hold(core, HELD_EXIT, NULL)->code = code;
}

static void held_let_go(struct core *core, struct held *held)
{
    struct master *master = (struct master *)held->master;

    switch (held->kind) {
    case HELD_VOTE:
        emit_answer_vote(core, held->client, held->down, held->leader, held->epoch);
        break;
    case HELD_ELECTION:
        if (master->failover.state == FO_ELECT && master->failover.epoch == held->epoch)
            failover_input(core, master, FI_DURABLE, NULL);
        break;
    case HELD_HELLO:
        if (durable_hello_allowed(master))
            hello_publish_all(core, master);
        break;
    case HELD_OK:
        emit_answer_ok(core, held->client);
        break;
    case HELD_EXIT:
        emit(core, CORE_AC_EXIT)->exit.code = held->code;
        break;
    }
}

static void held_free(struct core *core, struct held *held)
{
    DL_DELETE(core->held, held);
    mem_free(held);
}

/* A slow save counts at once, a fast one little by little. */
static void durable_note_time(struct core *core, uint64_t version)
{
    if (core->timed_version == 0 || version < core->timed_version)
        return;
    core->timed_version = 0;
    core->save_ms = min_i64(max_i64(core->now - core->timed_at, core->save_ms * 3 / 4),
                            SAVE_MS_MAX);
}

static void durable_on_saved(struct core *core, uint64_t version)
{
    durable_note_time(core, version);
    core->save_failed = false;
    if (core->save_failed_at != CORE_NEVER)
        emit_plain(core, LOG_LVL_WARNING, "-save-failed", NULL, "after %" PRId64 " ms",
                   core->now - core->save_failed_at);
    core->save_failed_at = CORE_NEVER;
    core->save_retry_ms = 0;
    timer_disarm(core, &core->persist_timer);
    if (version > core->disk_version)
        core->disk_version = version;
    if (core->epoch_version <= core->disk_version)
        core->disk_epoch = core->current_epoch;
    /* What is let go may hold something else; that goes to the tail, with a version
     * that is not on disk yet. */
    while (core->held != NULL && core->held->version <= core->disk_version) {
        struct held *held = core->held;
        DL_DELETE(core->held, held);
        held_let_go(core, held);
        mem_free(held);
    }
}

static void durable_on_save_failed(struct core *core, uint64_t version,
                                   const char *reason)
{
    struct held *held, *next;

    core->save_failed = true;
    core->timed_version = 0;
    if (core->save_failed_at == CORE_NEVER) {
        core->save_failed_at = core->now;
        emit_plain(core, LOG_LVL_WARNING, "+save-failed", NULL, "%s",
                   reason != NULL ? reason : "");
        emit_note(core, "no vote is given and no failover begun until it can be saved");
    }
    core->save_retry_ms = core->save_retry_ms == 0
                              ? SAVE_RETRY_FIRST_MS
                              : min_i64(core->save_retry_ms * 2, SAVE_RETRY_MAX_MS);
    timer_arm(core, &core->persist_timer, core->now + core->save_retry_ms);
    DL_FOREACH_SAFE(core->held, held, next)
    {
        if (held->version > version)
            continue;
        if (held->kind == HELD_VOTE) {
            emit_note(core, "vote withheld: it could not be saved");
            emit_answer_vote(core, held->client, held->down, NULL, 0);
            held_free(core, held);
        } else if (held->kind == HELD_OK) {
            emit_answer_error(core, held->client,
                              "Failed to save config file. Check server logs.");
            held_free(core, held);
        }
    }
}

void durable_on_persisted(struct core *core, uint64_t version, bool ok,
                          const char *reason)
{
    if (ok)
        durable_on_saved(core, version);
    else
        durable_on_save_failed(core, version, reason);
}

void durable_hurry(struct core *core)
{
    core->save_again_at = core->now;
}

void durable_on_timer(struct core *core)
{
    core->asked_version = 0; /* the next settle asks again */
    core->save_failed =
        core->save_failed_at != CORE_NEVER && core->version != core->disk_version;
}

/* Does anything that is held wait for a save that nobody has asked for? The last one
 * has the greatest version. */
static bool durable_is_awaited(const struct core *core)
{
    return core->held != NULL && core->held->prev->version > core->asked_version;
}

static int64_t durable_pause_ms(const struct core *core)
{
    return min_i64(SAVE_PAUSE_MS + (int64_t)HASH_COUNT(core->masters) / 10,
                   SAVE_PAUSE_MAX_MS);
}

void durable_settle(struct core *core)
{
    if (core->version == core->disk_version || core->version <= core->asked_version)
        return;
    bool is_failing = core->save_failed_at != CORE_NEVER;
    if (is_failing && heap_has(&core->persist_timer.node))
        return; /* a failed save is retried when its time comes */
    if (!is_failing && !durable_is_awaited(core) && core->now < core->save_again_at) {
        timer_arm_by(core, &core->persist_timer, core->save_again_at);
        return;
    }
    timer_disarm(core, &core->persist_timer);
    core->save_again_at = core->now + durable_pause_ms(core);
    core->asked_version = core->version;
    if (core->timed_version == 0) {
        core->timed_version = core->version;
        core->timed_at = core->now;
    }
    emit(core, CORE_AC_PERSIST)->persist.version = core->version;
}

void durable_forget(struct core *core, const struct master *master)
{
    struct held *held, *next;

    DL_FOREACH_SAFE(core->held, held, next)
    {
        if (held->master != master)
            continue;
        if (held->kind == HELD_VOTE)
            emit_answer_vote(core, held->client, false, NULL, 0);
        held_free(core, held);
    }
}

void durable_release(struct core *core)
{
    struct held *held, *next;

    DL_FOREACH_SAFE(core->held, held, next)
    held_free(core, held);
}
