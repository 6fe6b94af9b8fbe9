/*
 * proc.h - notification and reconfiguration scripts as child processes.
 */
#ifndef SENTINEL_RUNTIME_PROC_H
#define SENTINEL_RUNTIME_PROC_H

#include "common/slots.h"

#include <uv.h>

struct proc;
struct runtime;

struct procs {
    struct proc *all; /* that have not ended */
    uv_signal_t ended;
};

/* Begins to notice how children end. */
void procs_open(struct runtime *rt);
/* CORE_EV_JOB_STARTED, then CORE_EV_JOB_EXIT follow. Does not wait for the disk the
 * script is on: one that cannot be executed is one that ends with status 2. */
void proc_start(struct runtime *rt, struct slot_id job, char *const *argv);
void proc_kill(struct runtime *rt, struct slot_id job);
/* As process 1 of a container: ends the remains of what scripts left in the background.
 * Now and then. */
void procs_reap(struct runtime *rt);
/* Forgets the children, which go on by themselves. */
void procs_close(struct runtime *rt);

#endif
