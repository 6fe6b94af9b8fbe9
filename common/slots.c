/*
 * slots.c - ids that outlive their objects safely.
 */
#include "common/slots.h"

#include "common/assert.h"
#include "common/mem.h"

#define SLOTS_CAP_MIN 16

struct slot_entry {
    void *object;       /* NULL: free */
    uint32_t gen;       /* of the object, or of the next one if free */
    uint32_t next_free; /* index + 1; 0: end of the list */
};

/* A free entry, from the list or new. */
static uint32_t slots_take(struct slots *slots)
{
    if (slots->free_head != 0) {
        uint32_t slot = slots->free_head - 1;
        slots->free_head = slots->entries[slot].next_free;
        return slot;
    }
    if (slots->n == slots->cap) {
        ASSERT_CMP(slots->cap, <, UINT32_MAX / 2);
        slots->cap = slots->cap > 0 ? slots->cap * 2 : SLOTS_CAP_MIN;
        slots->entries = mem_resize(slots->entries, slots->cap, sizeof *slots->entries);
    }
    slots->entries[slots->n] = (struct slot_entry){.gen = 1};
    return slots->n++;
}

static struct slot_entry *slots_find(const struct slots *slots, struct slot_id id)
{
    if (id.slot >= slots->n)
        return NULL;
    struct slot_entry *entry = &slots->entries[id.slot];
    return entry->object != NULL && entry->gen == id.gen ? entry : NULL;
}

struct slot_id slots_add(struct slots *slots, void *object)
{
    ASSERT(object != NULL);
    uint32_t slot = slots_take(slots);
    struct slot_entry *entry = &slots->entries[slot];
    ASSERT(entry->object == NULL && entry->gen != 0);
    entry->object = object;
    slots->n_used++;
    return (struct slot_id){.slot = slot, .gen = entry->gen};
}

void *slots_get(const struct slots *slots, struct slot_id id)
{
    const struct slot_entry *entry = slots_find(slots, id);
    return entry != NULL ? entry->object : NULL;
}

void slots_remove(struct slots *slots, struct slot_id id)
{
    struct slot_entry *entry = slots_find(slots, id);
    if (entry == NULL)
        return;

    entry->object = NULL;
    entry->gen++;
    /* After four thousand million objects old ids could match again; 0 never may. */
    if (entry->gen == 0)
        entry->gen = 1;
    entry->next_free = slots->free_head;
    slots->free_head = id.slot + 1;
    slots->n_used--;
}

void slots_release(struct slots *slots)
{
    mem_free(slots->entries);
    *slots = (struct slots){0};
}
