/*
 * proc.c - scripts as child processes. They inherit environment, working directory and
 * the standard descriptors, and outlive us (behaviour.md 11).
 */
#include "sentinel/runtime/proc.h"

#include "common/buf.h"
#include "common/mem.h"
#include "sentinel/runtime/runtime.h"

#include "common/hash.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a shell's child would end with if its script cannot be executed. */
#define PROC_EXEC_FAILED 2

struct proc {
    uv_process_t process;
    struct runtime *rt; /* NULL once nobody wants to know how it ends */
    struct slot_id job;
    struct proc *prev, *next;
};

static void proc_on_closed(uv_handle_t *handle)
{
    struct proc *proc = handle->data;
    mem_free(proc);
}

static void proc_close(struct proc *proc)
{
    DL_DELETE(proc->rt->procs.all, proc);
    uv_close((uv_handle_t *)&proc->process, proc_on_closed);
}

static void proc_post_exit(struct runtime *rt, struct slot_id job, int status,
                           int signal)
{
    struct core_event event = {
        .type = CORE_EV_JOB_EXIT,
        .job_exit = {.job = job, .status = signal != 0 ? 0 : status, .signal = signal},
    };
    runtime_post(rt, &event);
}

static void proc_on_exit(uv_process_t *process, int64_t status, int signal)
{
    struct proc *proc = process->data;
    struct runtime *rt = proc->rt;
    struct slot_id job = proc->job;
    proc_close(proc);
    proc_post_exit(rt, job, (int)status, signal);
}

static int proc_spawn(struct proc *proc, char *const *argv)
{
    uv_stdio_container_t stdio[3];
    struct buf path = {0};

    for (int i = 0; i < 3; i++) {
        stdio[i].flags = UV_INHERIT_FD;
        stdio[i].data.fd = i;
    }
    /* A plain name is a file of the working directory, as it was when it was checked,
     * not something to be looked for in PATH. */
    if (strchr(argv[0], '/') == NULL)
        buf_puts(&path, "./");
    buf_puts(&path, argv[0]);
    uv_process_options_t options = {
        .exit_cb = proc_on_exit,
        .file = buf_text(&path),
        .args = (char **)argv,
        .stdio_count = 3,
        .stdio = stdio,
    };
    int status = uv_spawn(&proc->rt->loop, &proc->process, &options);
    buf_release(&path);
    return status;
}

void proc_start(struct runtime *rt, struct slot_id job, char *const *argv)
{
    struct proc *proc = mem_zalloc(sizeof *proc);
    proc->rt = rt;
    proc->job = job;
    int status = proc_spawn(proc, argv);
    proc->process.data = proc;
    DL_APPEND(rt->procs.all, proc);

    bool is_forked = status != UV_EAGAIN && status != UV_ENOMEM &&
                     status != UV_EMFILE && status != UV_ENFILE;
    struct core_event event = {
        .type = CORE_EV_JOB_STARTED,
        .job_started = {.job = job, .pid = is_forked ? proc->process.pid : -1},
    };
    if (status < 0)
        proc_close(proc);
    runtime_post(rt, &event);
    if (status < 0 && is_forked)
        proc_post_exit(rt, job, PROC_EXEC_FAILED, 0);
}

void proc_kill(struct runtime *rt, struct slot_id job)
{
    struct proc *proc;
    DL_FOREACH(rt->procs.all, proc)
    {
        if (proc->job.slot == job.slot && proc->job.gen == job.gen)
            uv_process_kill(&proc->process, SIGKILL);
    }
}

static bool procs_has(const struct runtime *rt, pid_t pid)
{
    const struct proc *proc;
    DL_FOREACH(rt->procs.all, proc)
    {
        if (proc->process.pid == pid)
            return true;
    }
    return false;
}

void procs_reap(struct runtime *rt)
{
    siginfo_t info;

    if (getpid() != 1)
        return;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0 || procs_has(rt, info.si_pid))
            return; /* none, or one that libuv is about to find */
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

void procs_close(struct runtime *rt)
{
    while (rt->procs.all != NULL)
        proc_close(rt->procs.all);
}
