/*
 * host_disk.c - a sentinel's disk and its scripts.
 *
 * One write is in flight at most. A crash loses it, or not: the rename may have
 * happened although nobody was told.
 */
#include "tests/sim/check.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------- what it says ------ */

/* "<word><rest>" -> <rest>; NULL if the line begins otherwise. */
static const char *line_after(const char *line, const char *word)
{
    size_t len = strlen(word);

    return strncmp(line, word, len) == 0 ? line + len : NULL;
}

/* "<master> <epoch>", of the group of that name. */
static void line_epoch(const struct sim *sim, const char *at, uint64_t *by_group)
{
    size_t len = strcspn(at, " \n");
    int group = check_group_named(sim, at, len);

    if (group >= 0)
        by_group[group] = strtoull(at + len, NULL, 10);
}

void host_read_facts(struct host *host)
{
    static const char directive[] = "sentinel ";
    struct disk_facts facts = {0};
    const char *at;

    for (const char *line = buf_text(&host->disk); line != NULL && *line != '\0';) {
        const char *word = line_after(line, directive);
        if (word == NULL)
            word = "";
        if ((at = line_after(word, "current-epoch ")) != NULL)
            facts.current_epoch = strtoull(at, NULL, 10);
        else if ((at = line_after(word, "config-epoch ")) != NULL)
            line_epoch(host->sim, at, facts.config_epoch);
        else if ((at = line_after(word, "leader-epoch ")) != NULL)
            line_epoch(host->sim, at, facts.leader_epoch);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    host->facts = facts;
}

/* ----------------------------------------------------------------- writing ------- */

static void disk_make_durable(struct host *host)
{
    buf_clear(&host->disk);
    buf_append(&host->disk, buf_text(&host->image), host->image.len);
    host_read_facts(host);
}

static void disk_report(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct core_event event = {.type = CORE_EV_PERSISTED};

    (void)sim;
    event.persisted.version = (uint64_t)entry->a;
    event.persisted.ok = entry->b != 0;
    event.persisted.reason = entry->b != 0 ? NULL : "No space left on device";
    host->writing = false;
    if (host->write_again)
        host_persist(host);
    host_step(host, &event);
}

static void disk_done(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct machine *machine = host->machine;

    if (!machine->up || (uint32_t)entry->b != machine->incarnation)
        return;
    bool ok = !host->disk_full && !host->disk_readonly;
    if (ok)
        disk_make_durable(host);
    struct entry *report = world_at(sim, sim->now, machine->id, disk_report);
    report->ptr = host;
    report->a = entry->a;
    report->b = ok;
}

static int64_t disk_delay(struct host *host)
{
    if (host->sim->options.calm)
        return 2 + host->disk_slow_ms;
    int64_t ms = rng_between(&host->rng, 1, 5) + host->disk_slow_ms;
    if (rng_chance(&host->rng, 1, 50))
        ms += rng_between(&host->rng, 20, 400);
    return ms;
}

void host_persist(struct host *host)
{
    struct sim *sim = host->sim;

    if (host->writing) {
        host->write_again = true;
        return;
    }
    host->writing = true;
    host->write_again = false;
    host->image_version = core_version(host->core);
    conf_render(host->conf, host->core, &host->image);
    /* A file that cannot be opened is known at once, a full disk after the writing. */
    int64_t delay = host->disk_readonly ? 0 : disk_delay(host);
    struct entry *entry = world_at(sim, sim->now + delay, -1, disk_done);
    entry->ptr = host;
    entry->a = (int64_t)host->image_version;
    entry->b = host->machine->incarnation;
}

void host_disk_crash(struct host *host)
{
    if (host->writing && !host->disk_full && !host->disk_readonly &&
        !host->sim->options.calm && !host->sim->dying && rng_chance(&host->rng, 1, 2))
        disk_make_durable(host);
    host->writing = false;
    host->write_again = false;
}

/* ----------------------------------------------------------------- scripts ------- */

struct job_run {
    struct slot_id id;
    int status;
    bool killed;
    struct job_run *next;
};

static void job_exit(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct core_event event = {.type = CORE_EV_JOB_EXIT};
    struct slot_id id = {(uint32_t)entry->a, (uint32_t)entry->b};

    (void)sim;
    for (struct job_run **at = &host->jobs; *at != NULL; at = &(*at)->next) {
        struct job_run *job = *at;
        if (job->id.slot != id.slot || job->id.gen != id.gen)
            continue;
        event.job_exit.job = id;
        event.job_exit.status = job->status < 0 || job->killed ? 0 : job->status;
        event.job_exit.signal = job->killed ? 9 : job->status < 0 ? -job->status : 0;
        *at = job->next;
        mem_free(job);
        host_step(host, &event);
        return;
    }
}

static void job_exit_at(struct host *host, const struct job_run *job, int64_t at)
{
    struct entry *entry = world_at(host->sim, at, host->machine->id, job_exit);

    entry->ptr = host;
    entry->a = job->id.slot;
    entry->b = job->id.gen;
}

static void job_started(struct sim *sim, struct entry *entry)
{
    struct host *host = entry->ptr;
    struct core_event event = {.type = CORE_EV_JOB_STARTED};

    (void)sim;
    event.job_started.job = (struct slot_id){(uint32_t)entry->a, (uint32_t)entry->b};
    event.job_started.pid = host->next_pid++;
    host_step(host, &event);
}

void host_job_start(struct host *host, const struct core_action *action)
{
    struct sim *sim = host->sim;
    struct job_run *job = mem_zalloc(sizeof(*job));
    struct buf words = {0};

    for (char *const *word = action->job_start.argv; *word != NULL; word++)
        buf_printf(&words, " %s", *word);
    world_note(sim, "%s runs%s", host->machine->name, buf_text(&words));
    buf_release(&words);
    job->id = action->job_start.job;
    if (host->n_job_status > 0) {
        job->status = host->job_status[0];
        host->n_job_status--;
        memmove(host->job_status, host->job_status + 1,
                (size_t)host->n_job_status * sizeof(host->job_status[0]));
    } else if (!sim->options.calm && rng_chance(&host->rng, 1, 10)) {
        job->status = (int)rng_between(&host->rng, -9, 2);
    }
    job->next = host->jobs;
    host->jobs = job;
    struct entry *entry = world_at(sim, sim->now, host->machine->id, job_started);
    entry->ptr = host;
    entry->a = job->id.slot;
    entry->b = job->id.gen;
    int64_t ms = sim->options.calm ? host->job_ms : rng_between(&host->rng, 1, 3000);
    job_exit_at(host, job, sim->now + ms);
}

void host_job_kill(struct host *host, struct slot_id id)
{
    for (struct job_run *job = host->jobs; job != NULL; job = job->next) {
        if (job->id.slot != id.slot || job->id.gen != id.gen)
            continue;
        job->killed = true;
        job_exit_at(host, job, host->sim->now + 1);
    }
}

void host_jobs_forget(struct host *host)
{
    while (host->jobs != NULL) {
        struct job_run *job = host->jobs;
        host->jobs = job->next;
        mem_free(job);
    }
}
