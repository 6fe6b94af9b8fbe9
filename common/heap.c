/*
 * heap.c - a binary heap of deadlines that knows where its nodes are.
 */
#include "common/heap.h"

#include "common/assert.h"
#include "common/mem.h"

#define HEAP_CAP_MIN 16

/* Places are 1-based, so the children of i are 2i and 2i + 1. */
static struct heap_node *heap_at(const struct heap *heap, size_t pos)
{
    return heap->nodes[pos - 1];
}

static void heap_place(struct heap *heap, struct heap_node *node, size_t pos)
{
    heap->nodes[pos - 1] = node;
    node->pos = pos;
}

static bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void heap_sift_up(struct heap *heap, struct heap_node *node)
{
    size_t pos = node->pos;
    while (pos > 1 && heap_before(node, heap_at(heap, pos / 2))) {
        heap_place(heap, heap_at(heap, pos / 2), pos);
        pos /= 2;
    }
    heap_place(heap, node, pos);
}

static void heap_sift_down(struct heap *heap, struct heap_node *node)
{
    size_t pos = node->pos;
    for (;;) {
        size_t child = pos * 2;
        if (child > heap->n)
            break;
        if (child < heap->n &&
            heap_before(heap_at(heap, child + 1), heap_at(heap, child)))
            child++;
        if (!heap_before(heap_at(heap, child), node))
            break;
        heap_place(heap, heap_at(heap, child), pos);
        pos = child;
    }
    heap_place(heap, node, pos);
}

static void heap_sift(struct heap *heap, struct heap_node *node)
{
    heap_sift_up(heap, node);
    heap_sift_down(heap, node);
}

void heap_release(struct heap *heap)
{
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t at)
{
    if (!heap_has(node)) {
        if (heap->n == heap->cap) {
            heap->cap = heap->cap > 0 ? heap->cap * 2 : HEAP_CAP_MIN;
            heap->nodes = mem_resize(heap->nodes, heap->cap, sizeof *heap->nodes);
        }
        heap->n++;
        heap_place(heap, node, heap->n);
    }
    ASSERT(node->pos <= heap->n && heap_at(heap, node->pos) == node);

    node->at = at;
    node->seq = heap->next_seq++;
    heap_sift(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node))
        return;
    ASSERT(node->pos <= heap->n && heap_at(heap, node->pos) == node);

    size_t hole = node->pos;
    struct heap_node *last = heap_at(heap, heap->n);
    heap->n--;
    node->pos = 0;
    if (last != node) {
        heap_place(heap, last, hole);
        heap_sift(heap, last);
    }
}

struct heap_node *heap_min(const struct heap *heap)
{
    return heap->n > 0 ? heap->nodes[0] : NULL;
}

void heap_check(const struct heap *heap)
{
    ASSERT_CMP(heap->n, <=, heap->cap);
    for (size_t pos = 1; pos <= heap->n; pos++) {
        const struct heap_node *node = heap_at(heap, pos);
        ASSERT_CMP(node->pos, ==, pos);
        ASSERT(node->seq < heap->next_seq);
        ASSERT(pos == 1 || heap_before(heap_at(heap, pos / 2), node));
    }
}
