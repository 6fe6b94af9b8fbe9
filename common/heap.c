/*
 * heap.c - a binary heap of deadlines that knows where its nodes are.
 */
#include "common/heap.h"

#include "common/assert.h"
#include "common/mem.h"

#include <utlist.h>

#define HEAP_CAP_MIN 16

/* Places are 1-based, so the children of i are 2i and 2i + 1. */
static struct heap_place *heap_at(const struct heap *heap, size_t pos)
{
    return &heap->places[pos - 1];
}

static void heap_put(struct heap *heap, struct heap_place place, size_t pos)
{
    *heap_at(heap, pos) = place;
    place.node->pos = pos;
}

/* Without branches, which no processor could predict. */
static bool heap_before(const struct heap_place *a, const struct heap_place *b)
{
    return (a->at < b->at) | ((a->at == b->at) & (a->seq < b->seq));
}

/* Puts |place| where it belongs on the way from |pos| to the top. */
static size_t heap_sift_up(struct heap *heap, struct heap_place place, size_t pos)
{
    while (pos > 1 && heap_before(&place, heap_at(heap, pos / 2))) {
        heap_put(heap, *heap_at(heap, pos / 2), pos);
        pos /= 2;
    }
    heap_put(heap, place, pos);
    return pos;
}

static void heap_sift_down(struct heap *heap, struct heap_place place, size_t pos)
{
    for (;;) {
        size_t child = pos * 2;
        if (child > heap->n)
            break;
        if (child < heap->n)
            child += heap_before(heap_at(heap, child + 1), heap_at(heap, child));
        if (!heap_before(heap_at(heap, child), &place))
            break;
        heap_put(heap, *heap_at(heap, child), pos);
        pos = child;
    }
    heap_put(heap, place, pos);
}

static void heap_sift(struct heap *heap, struct heap_place place, size_t pos)
{
    if (heap_sift_up(heap, place, pos) == pos)
        heap_sift_down(heap, place, pos);
}

void heap_release(struct heap *heap)
{
    mem_free(heap->places);
    *heap = (struct heap){0};
}

static struct heap_node **heap_recent(struct heap *heap, int64_t at)
{
    return &heap->recent[(uint64_t)at % HEAP_RECENT];
}

static void heap_check_member(const struct heap *heap, const struct heap_node *node)
{
    ASSERT(node->pos <= heap->n && heap_at(heap, node->pos)->node == node);
}

/* A place of its own at the end, where it does not belong yet. */
static void heap_append(struct heap *heap, struct heap_node *node)
{
    if (heap->n == heap->cap) {
        heap->cap = heap->cap > 0 ? heap->cap * 2 : HEAP_CAP_MIN;
        heap->places = mem_resize(heap->places, heap->cap, sizeof *heap->places);
    }
    node->pos = ++heap->n;
    node->prev = node->next = node;
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t at)
{
    struct heap_node **recent = heap_recent(heap, at);
    bool is_alone = node->pos != 0 && node->next == node;

    if (!is_alone)
        heap_remove(heap, node);
    /* The ring that is joined is the youngest of its instant: the order holds. */
    struct heap_node *first = *recent;
    bool joins = first != NULL && first != node && first->at == at;
    if (is_alone && joins)
        heap_remove(heap, node);
    else if (is_alone && *heap_recent(heap, node->at) == node)
        *heap_recent(heap, node->at) = NULL;
    node->at = at;
    node->seq = heap->next_seq++;
    if (joins) {
        CDL_APPEND(first, node);
        return;
    }
    if (!is_alone)
        heap_append(heap, node);
    else
        heap_check_member(heap, node);
    *recent = node;
    heap_sift(heap, (struct heap_place){at, node->seq, node}, node->pos);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node))
        return;

    size_t hole = node->pos;
    struct heap_node **recent = heap_recent(heap, node->at);
    struct heap_node *ring = node;
    CDL_DELETE(ring, node); /* the one behind it is first now, if there is one */
    node->prev = node->next = NULL;
    if (hole == 0)
        return;
    heap_check_member(heap, node);
    node->pos = 0;
    if (*recent == node)
        *recent = ring;
    if (ring != NULL) { /* later than |node|, but earlier than those put in since */
        heap_put(heap, (struct heap_place){ring->at, ring->seq, ring}, hole);
        return;
    }
    struct heap_place last = *heap_at(heap, heap->n);
    heap->n--;
    if (last.node != node)
        heap_sift(heap, last, hole);
}

struct heap_node *heap_min(const struct heap *heap)
{
    return heap->n > 0 ? heap->places[0].node : NULL;
}

static void heap_check_ring(const struct heap_node *first)
{
    for (const struct heap_node *n = first; n->next != first; n = n->next) {
        ASSERT(n->next->prev == n && n->next->pos == 0);
        ASSERT(n->next->at == first->at && n->next->seq > n->seq);
    }
}

void heap_check(const struct heap *heap)
{
    ASSERT_CMP(heap->n, <=, heap->cap);
    for (size_t pos = 1; pos <= heap->n; pos++) {
        const struct heap_place *place = heap_at(heap, pos);
        ASSERT_CMP(place->node->pos, ==, pos);
        ASSERT(place->at == place->node->at && place->seq == place->node->seq);
        ASSERT(place->node->prev->seq < heap->next_seq);
        ASSERT(pos == 1 || heap_before(heap_at(heap, pos / 2), place));
        heap_check_ring(place->node);
    }
}
