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
    pid_t pid; /* nobody else's until procs_on_ended() has waited for it */
    struct slot_id job;
    struct proc *prev, *next;
};

static void proc_free(struct runtime *rt, struct proc *proc)
{
    DL_DELETE(rt->procs.all, proc);
    mem_free(proc);
}

static void proc_post_exit(struct runtime *rt, struct slot_id job, int status)
{
    struct core_event event = {
        .type = CORE_EV_JOB_EXIT,
        .job_exit = {.job = job,
                     .status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                     .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0},
    };
    runtime_post(rt, &event);
}

/* One signal may stand for several children. */
static void procs_on_ended(uv_signal_t *handle, int number)
{
    struct runtime *rt = handle->data;
    struct proc *proc, *next;

    (void)number;
    DL_FOREACH_SAFE(rt->procs.all, proc, next)
    {
        struct slot_id job = proc->job;
        int status = 0;
        if (waitpid(proc->pid, &status, WNOHANG) != proc->pid)
            continue;
        proc_free(rt, proc);
        proc_post_exit(rt, job, status); /* may start others, at the end of the list */
    }
}

void procs_open(struct runtime *rt)
{
    uv_signal_init(&rt->loop, &rt->procs.ended);
    rt->procs.ended.data = rt;
    uv_signal_start(&rt->procs.ended, procs_on_ended, SIGCHLD);
}

/* In the child: nothing that might wait for a lock another thread held. */
static void proc_exec(const char *path, char *const *argv)
{
    sigset_t none;

    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(path, argv);
    _exit(PROC_EXEC_FAILED);
}

/*
 * Not uv_spawn(), vfork() or posix_spawn(): they wait until the child has executed its
 * script, and a disk or file server that does not answer would stop the loop. What we
 * have open is all closed by exec. -1 if there can be no process.
 */
static pid_t proc_fork(char *const *argv)
{
    struct buf path = {0};
    sigset_t all;
    sigset_t before;

    /* A plain name is a file of the working directory, as it was when it was checked,
     * not something to be looked for in PATH. */
    if (strchr(argv[0], '/') == NULL)
        buf_puts(&path, "./");
    buf_puts(&path, argv[0]);
    /* No handler of ours may run in the child: it shares libuv's pipe with us. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        proc_exec(path.data, argv);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    buf_release(&path);
    return pid;
}

void proc_start(struct runtime *rt, struct slot_id job, char *const *argv)
{
    pid_t pid = proc_fork(argv);
    struct core_event event = {
        .type = CORE_EV_JOB_STARTED,
        .job_started = {.job = job, .pid = pid},
    };

    if (pid > 0) {
        struct proc *proc = mem_zalloc(sizeof *proc);
        proc->pid = pid;
        proc->job = job;
        DL_APPEND(rt->procs.all, proc);
    }
    runtime_post(rt, &event);
}

void proc_kill(struct runtime *rt, struct slot_id job)
{
    struct proc *proc;
    DL_FOREACH(rt->procs.all, proc)
    {
        if (proc->job.slot == job.slot && proc->job.gen == job.gen)
            kill(proc->pid, SIGKILL);
    }
}

static bool procs_has(const struct runtime *rt, pid_t pid)
{
    const struct proc *proc;
    DL_FOREACH(rt->procs.all, proc)
    {
        if (proc->pid == pid)
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
            return; /* none, or one that procs_on_ended() is about to find */
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

void procs_close(struct runtime *rt)
{
    uv_close((uv_handle_t *)&rt->procs.ended, NULL);
    while (rt->procs.all != NULL)
        proc_free(rt, rt->procs.all);
}
