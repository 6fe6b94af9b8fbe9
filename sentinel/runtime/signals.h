/*
 * signals.h - what the signals mean to the daemon (interface.md 8.5).
 */
#ifndef SENTINEL_RUNTIME_SIGNALS_H
#define SENTINEL_RUNTIME_SIGNALS_H

#include <uv.h>

struct runtime;

struct signals {
    uv_signal_t term, interrupt, hangup;
};

/* Once per process, before the loop: what is never to end it. */
void signals_ignore(void);
void signals_open(struct runtime *rt);
void signals_close(struct runtime *rt);

#endif
