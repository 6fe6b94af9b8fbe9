/*
 * jobs.c - notification and reconfiguration scripts: a queue with limits, retries and a
 * time limit for each run (behaviour.md 11).
 */
#include "sentinel/core/internal.h"

#define JOBS_QUEUE_MAX 256
#define JOBS_RUNNING_MAX 16
#define JOB_RUNS_MAX 10
#define JOB_ARGV_MAX 16

static void job_free(struct core *core, struct job *job)
{
    timer_disarm(core, &job->timer);
    for (char **arg = job->argv; *arg != NULL; arg++)
        mem_free(*arg);
    mem_free(job->argv);
    slots_remove(&core->job_ids, job->id);
    DL_DELETE(core->jobs, job);
    core->n_jobs--;
    mem_free(job);
}

static void job_start(struct core *core, struct job *job)
{
    int n = 0;

    job->running = job->starting = true;
    job->killed = false;
    job->pid = 0;
    job->n_runs++;
    job->start_at = core->now;
    core->n_jobs_running++;
    timer_arm(core, &job->timer,
              core->now + core_number(core, CORE_OPT_SCRIPT_MAX_RUNTIME) + 1);
    while (job->argv[n] != NULL)
        n++;
    char **argv = arena_alloc(emit_arena(core), (size_t)(n + 1) * sizeof(*argv));
    for (int i = 0; i < n; i++)
        argv[i] = arena_strdup(emit_arena(core), job->argv[i]);
    argv[n] = NULL;
    struct core_action *action = emit(core, CORE_AC_JOB_START);
    action->job_start.job = job->id;
    action->job_start.argv = argv;
}

/* Oldest first, as many as may run. */
static void jobs_start_ready(struct core *core)
{
    struct job *job;

    DL_FOREACH(core->jobs, job)
    {
        if (core->n_jobs_running >= JOBS_RUNNING_MAX)
            return;
        if (!job->running && core->now >= job->start_at)
            job_start(core, job);
    }
}

static void jobs_drop_oldest(struct core *core)
{
    struct job *job;

    DL_FOREACH(core->jobs, job)
    {
        if (job->running)
            continue;
        emit_log(core, LOG_LVL_WARNING, "Script queue full: dropped '%s %s'",
                 job->argv[0], job->argv[1] != NULL ? job->argv[1] : "");
        job_free(core, job);
        return;
    }
}

static void job_queue(struct core *core, const char *const *argv, int n)
{
    struct job *job = mem_zalloc(sizeof(*job));

    ASSERT_CMP(n, <=, JOB_ARGV_MAX);
    job->id = slots_add(&core->job_ids, job);
    job->argv = mem_array((size_t)n + 1, sizeof(*job->argv));
    for (int i = 0; i < n; i++)
        job->argv[i] = mem_strdup(argv[i]);
    job->argv[n] = NULL;
    job->start_at = core->now;
    timer_init(&job->timer, TIMER_JOB, job);
    DL_APPEND(core->jobs, job);
    core->n_jobs++;
    if (core->n_jobs > JOBS_QUEUE_MAX)
        jobs_drop_oldest(core);
    jobs_start_ready(core);
}

void jobs_notify(struct core *core, const struct master *master, const char *event,
                 const char *text)
{
    if (master->notification_script == NULL)
        return;
    const char *argv[] = {master->notification_script, event, text};
    job_queue(core, argv, 3);
}

void jobs_reconfig(struct core *core, const struct master *master, const char *role,
                   const struct addr *from, const struct addr *to)
{
    char from_port[8], to_port[8];

    if (master->reconfig_script == NULL)
        return;
    snprintf(from_port, sizeof(from_port), "%u", from->port);
    snprintf(to_port, sizeof(to_port), "%u", to->port);
    const char *argv[] = {
        master->reconfig_script,
        master->name,
        role,
        "start",
        core_host(core, from),
        from_port,
        core_host(core, to),
        to_port,
    };
    job_queue(core, argv, 8);
}

/* The run is over: forget the job or try again later. */
static void job_ended(struct core *core, struct job *job, int status, int signal)
{
    int64_t delay = core_number(core, CORE_OPT_SCRIPT_RETRY_DELAY);
    bool retry = (signal != 0 || status == 1) && job->n_runs < JOB_RUNS_MAX;

    job->running = job->starting = false;
    job->pid = 0;
    core->n_jobs_running--;
    timer_disarm(core, &job->timer);
    if (retry) {
        job->start_at = core->now + (delay << (job->n_runs - 1));
        timer_arm(core, &job->timer, job->start_at);
    } else {
        if (status != 0 || signal != 0)
            emit_plain(core, LOG_LVL_WARNING, "-script-error", NULL, "%s %d %d",
                       job->argv[0], signal, status);
        job_free(core, job);
    }
    jobs_start_ready(core);
}

void jobs_on_started(struct core *core, struct slot_id id, int pid)
{
    struct job *job = slots_get(&core->job_ids, id);

    if (job == NULL || !job->starting)
        return;
    job->starting = false;
    if (pid >= 0) {
        job->pid = pid;
        emit_plain(core, LOG_LVL_DEBUG, "+script-child", NULL, "%d", pid);
        return;
    }
    /* No process could be made; the run does not count, and is tried again soon. */
    emit_plain(core, LOG_LVL_WARNING, "-script-error", NULL, "%s 99 0", job->argv[0]);
    job->running = false;
    job->n_runs--;
    core->n_jobs_running--;
    job->start_at = core->now + 1000;
    timer_arm(core, &job->timer, job->start_at);
}

void jobs_on_exit(struct core *core, struct slot_id id, int status, int signal)
{
    struct job *job = slots_get(&core->job_ids, id);

    if (job == NULL || !job->running)
        return;
    emit_plain(core, LOG_LVL_DEBUG, "-script-child", NULL, "%d %d %d", job->pid, status,
               signal);
    job_ended(core, job, status, signal);
}

void jobs_on_timer(struct core *core, struct job *job)
{
    if (!job->running) {
        jobs_start_ready(core);
        return;
    }
    if (job->killed)
        return;
    job->killed = true;
    emit_plain(core, LOG_LVL_WARNING, "-script-timeout", NULL, "%s %d", job->argv[0],
               job->pid);
    emit(core, CORE_AC_JOB_KILL)->job_kill.job = job->id;
}

void jobs_release(struct core *core)
{
    struct job *job, *next;

    DL_FOREACH_SAFE(core->jobs, job, next)
    job_free(core, job);
}
