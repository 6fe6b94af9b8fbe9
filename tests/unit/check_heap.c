/*
 * check_heap.c - deadlines come out in order, ties as they went in.
 */
#include "common/heap.h"
#include "common/rng.h"
#include "tests/lib/death.h"
#include "tests/lib/runner.h"

#include <stdint.h>
#include <string.h>

#define N_NODES 40
#define N_OPS 3000

START_TEST(empty)
{
    struct heap heap = {0};
    struct heap_node node = {0};
    ck_assert_ptr_null(heap_min(&heap));
    heap_remove(&heap, &node);
    heap_check(&heap);
    heap_release(&heap);
}
END_TEST

START_TEST(ties_leave_in_order_of_insertion)
{
    struct heap heap = {0};
    struct heap_node nodes[100];
    memset(nodes, 0, sizeof nodes);
    for (int i = 0; i < 100; i++)
        heap_set(&heap, &nodes[i], 7);
    for (int i = 0; i < 100; i++) {
        ck_assert_ptr_eq(heap_min(&heap), &nodes[i]);
        heap_remove(&heap, &nodes[i]);
    }
    ck_assert_ptr_null(heap_min(&heap));
    heap_release(&heap);
}
END_TEST

START_TEST(setting_again_counts_as_inserted_now)
{
    struct heap heap = {0};
    struct heap_node a = {0};
    struct heap_node b = {0};
    heap_set(&heap, &a, 5);
    heap_set(&heap, &b, 5);
    heap_set(&heap, &a, 5);
    ck_assert_ptr_eq(heap_min(&heap), &b);
    heap_set(&heap, &a, INT64_MIN);
    ck_assert_ptr_eq(heap_min(&heap), &a);
    heap_set(&heap, &a, INT64_MAX);
    ck_assert_ptr_eq(heap_min(&heap), &b);
    heap_release(&heap);
}
END_TEST

/* The model: all nodes in a row, the least found by looking at each. */
struct model {
    struct heap_node nodes[N_NODES];
    bool is_in[N_NODES];
    int64_t at[N_NODES];
    int order[N_NODES]; /* of insertion */
    int n_inserted;
};

static struct heap_node *model_min(struct model *model)
{
    int best = -1;
    for (int i = 0; i < N_NODES; i++) {
        if (!model->is_in[i])
            continue;
        if (best < 0 || model->at[i] < model->at[best] ||
            (model->at[i] == model->at[best] && model->order[i] < model->order[best]))
            best = i;
    }
    return best >= 0 ? &model->nodes[best] : NULL;
}

START_TEST(agrees_with_a_naive_model)
{
    struct heap heap = {0};
    struct model model = {.n_inserted = 0};
    struct rng rng;

    rng_seed(&rng, (uint64_t)_i, 2);
    for (int op = 0; op < N_OPS; op++) {
        int i = (int)rng_below(&rng, N_NODES);
        if (rng_chance(&rng, 1, 3)) {
            heap_remove(&heap, &model.nodes[i]);
            model.is_in[i] = false;
        } else {
            /* Often the same instants, some of which have one slot in the heap. */
            model.at[i] =
                rng_between(&rng, -2, 4) + HEAP_RECENT * rng_between(&rng, 0, 2);
            model.order[i] = model.n_inserted++;
            model.is_in[i] = true;
            heap_set(&heap, &model.nodes[i], model.at[i]);
        }
        heap_check(&heap);
        ck_assert_int_eq(heap_has(&model.nodes[i]), model.is_in[i]);
        ck_assert_ptr_eq(heap_min(&heap), model_min(&model));
    }
    heap_release(&heap);
}
END_TEST

static void check_spoilt_heap(void)
{
    struct heap heap = {0};
    struct heap_node a = {0};
    struct heap_node b = {0};
    heap_set(&heap, &a, 1);
    heap_set(&heap, &b, 2);
    a.at = 3; /* behind the heap's back */
    heap_check(&heap);
}

START_TEST(check_notices_disorder)
{
    char said[1024];
    ck_assert(death_aborts(check_spoilt_heap, said, sizeof said));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("heap");
    TCase *tc = tcase_create("heap");
    tcase_add_test(tc, empty);
    tcase_add_test(tc, ties_leave_in_order_of_insertion);
    tcase_add_test(tc, setting_again_counts_as_inserted_now);
    tcase_add_loop_test(tc, agrees_with_a_naive_model, 0, 20);
    tcase_add_test(tc, check_notices_disorder);
    suite_add_tcase(suite, tc);
    return suite;
}
