/*
 * signals.h - what the signals mean to the daemon (interface.md 8.5).
 */
#ifndef SENTINEL_RUNTIME_SIGNALS_H
#define SENTINEL_RUNTIME_SIGNALS_H

#include <uv.h>

struct runtime;

struct signals {
    uv_signal_t term, interrupt, hangup;
    uv_signal_t quit, user; /* used by process 1 only */
};

/*
 * signals_begin() is the first thing of the process. The kernel keeps every signal from
 * process 1 of a container that it has no handler for; here those that would have ended
 * it do so until signals_open() does it in an orderly way.
 */
void signals_begin(void);

/* Once per process, before the loop: what is never to end it. */
void signals_ignore(void);
void signals_open(struct runtime *rt);
void signals_close(struct runtime *rt);

#endif
