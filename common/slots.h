/*
 * slots.h - a table that hands out ids which outlive their objects safely.
 *
 * An id is a slot and a generation. When the object goes, the generation of its slot
 * moves on, so an old id finds nothing. Generation 0 is never valid: a zeroed id means
 * "none". A zeroed struct slots is a valid empty table.
 */
#ifndef COMMON_SLOTS_H
#define COMMON_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct slot_id {
    uint32_t slot, gen;
};

struct slots {
    struct slot_entry *entries;
    uint32_t n, cap, n_used;
    uint32_t free_head; /* index + 1 of the first free entry, 0 if none */
};

struct slot_id slots_add(struct slots *slots, void *object);   /* object is not NULL */
void *slots_get(const struct slots *slots, struct slot_id id); /* NULL if gone */
void slots_remove(struct slots *slots, struct slot_id id);     /* no-op if gone */
void slots_release(struct slots *slots);                       /* not the objects */

#endif
