/*
 * queue.h - events that wait for the core, with everything they point to.
 *
 * core_step() is never entered twice, so what happens while actions are performed waits
 * here. Entries are deep copies: whoever posted may free its own at once.
 */
#ifndef SENTINEL_RUNTIME_QUEUE_H
#define SENTINEL_RUNTIME_QUEUE_H

#include "common/arena.h"
#include "sentinel/core/core.h"

#include <stdint.h>

struct queued {
    struct queued *next;
    struct core_event event;
    enum link_chan chan; /* of a link's event; not every event says it itself */
    uint64_t dial;       /* the connection it belongs to (conn.h); 0: none */
    struct arena arena;
};

/* A zeroed queue is a valid empty one. */
struct queue {
    struct queued *first, *last;
};

void queue_push(struct queue *queue, const struct core_event *event,
                enum link_chan chan, uint64_t dial);
struct queued *queue_pop(struct queue *queue); /* NULL if empty */
void queue_free(struct queued *queued);
void queue_release(struct queue *queue);

#endif
