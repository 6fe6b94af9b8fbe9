/*
 * heap.c - a binary heap of deadlines that knows where its nodes are.
 */
#include "common/heap.h"

#include "common/assert.h"
#include "common/mem.h"

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

void heap_set(struct heap *heap, struct heap_node *node, int64_t at)
{
    if (!heap_has(node)) {
        if (heap->n == heap->cap) {
            heap->cap = heap->cap > 0 ? heap->cap * 2 : HEAP_CAP_MIN;
            heap->places = mem_resize(heap->places, heap->cap, sizeof *heap->places);
        }
        node->pos = ++heap->n;
    } else {
        ASSERT(node->pos <= heap->n && heap_at(heap, node->pos)->node == node);
    }
    node->at = at;
    node->seq = heap->next_seq++;
    heap_sift(heap, (struct heap_place){at, node->seq, node}, node->pos);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node))
        return;
    ASSERT(node->pos <= heap->n && heap_at(heap, node->pos)->node == node);

    size_t hole = node->pos;
    struct heap_place last = *heap_at(heap, heap->n);
    heap->n--;
    node->pos = 0;
    if (last.node != node)
        heap_sift(heap, last, hole);
}

struct heap_node *heap_min(const struct heap *heap)
{
    return heap->n > 0 ? heap->places[0].node : NULL;
}

void heap_check(const struct heap *heap)
{
    ASSERT_CMP(heap->n, <=, heap->cap);
    for (size_t pos = 1; pos <= heap->n; pos++) {
        const struct heap_place *place = heap_at(heap, pos);
        ASSERT_CMP(place->node->pos, ==, pos);
        ASSERT(place->at == place->node->at && place->seq == place->node->seq);
        ASSERT(place->seq < heap->next_seq);
        ASSERT(pos == 1 || heap_before(heap_at(heap, pos / 2), place));
    }
}
