/*
 * persist.h - saving the state: rendered on the loop, written by a thread of the pool.
 *
 * One write at a time, and the newest state wins: however many saves are asked for
 * while one is under way, one more follows it.
 */
#ifndef SENTINEL_RUNTIME_PERSIST_H
#define SENTINEL_RUNTIME_PERSIST_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct runtime;

struct persist {
    bool wanted;  /* since the last rendering */
    bool writing; /* what follows belongs to the thread until it is done */
    uv_work_t work;
    uv_work_t first; /* starts the threads */
    struct buf text;
    uint64_t version; /* of |text| */
    int status;
    int error; /* errno of the failure */
    struct error reason;
    int lost_error; /* of the failure that was logged last; 0: saving works */
};

/* Saves a run id that is new, and waits for it: before the core starts there is nothing
 * to hold up, and nobody shall see an id that could be lost. False, after log lines, if
 * it cannot be saved. */
bool persist_new_id(struct runtime *rt);
/* Starts the threads of the pool. Left to the first save, which may be a vote, that
 * would hold up the loop for milliseconds. */
void persist_start(struct runtime *rt);
/* The core wants its state saved; it is rendered at the end of the turn. */
void persist_want(struct runtime *rt);
void persist_end_turn(struct runtime *rt);
void persist_release(struct runtime *rt);

#endif
