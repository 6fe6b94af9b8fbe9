/*
 * heap.h - an intrusive heap of deadlines.
 *
 * Nodes with the same deadline leave in the order in which they were put in, so runs
 * repeat exactly. A zeroed struct heap is a valid empty one; a zeroed node is "not in
 * a heap".
 *
 * Many deadlines are the same instant (PINGs go out in batches). Nodes that were put in
 * for one instant share a place in the heap as long as nothing else took its slot among
 * the recent ones, so that a batch costs a few steps and not some for each node.
 */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t at;   /* the deadline, in whatever unit the owner uses */
    uint64_t seq; /* order of insertion, breaks ties */
    size_t pos;   /* 1-based place in the array; 0: none, or behind another node */
    struct heap_node *prev, *next; /* the ring of a place; NULL when not in a heap */
};

/* A place in the array: the key is repeated there, so that sifting reads one array and
 * not objects from all over the memory. */
struct heap_place {
    int64_t at;
    uint64_t seq;
    struct heap_node *node; /* the first of its ring */
};

#define HEAP_RECENT 64

struct heap {
    struct heap_place *places;
    size_t n, cap;
    uint64_t next_seq;
    struct heap_node *recent[HEAP_RECENT]; /* by deadline: the last place made for it */
};

void heap_release(struct heap *heap); /* frees the array, not the nodes */

/* Puts |node| in with deadline |at|, or moves it there if it is in already (it then
 * counts as inserted now). */
void heap_set(struct heap *heap, struct heap_node *node, int64_t at);
void heap_remove(struct heap *heap, struct heap_node *node); /* no-op if not in */
struct heap_node *heap_min(const struct heap *heap);         /* NULL if empty */
static inline bool heap_has(const struct heap_node *node)
{
    return node->next != NULL;
}

/* Aborts unless the order and all positions are right. For tests. */
void heap_check(const struct heap *heap);

#endif
