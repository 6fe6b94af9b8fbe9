/*
 * check_slots.c - an old id finds nothing, ever.
 */
#include "common/rng.h"
#include "common/slots.h"
#include "tests/lib/runner.h"

#include <stdbool.h>

#define N_IDS 2000

START_TEST(zeroed_id_is_nobody)
{
    struct slots slots = {0};
    int object;
    struct slot_id none = {0, 0};
    ck_assert_ptr_null(slots_get(&slots, none));
    slots_remove(&slots, none);
    struct slot_id id = slots_add(&slots, &object);
    ck_assert_uint_ne(id.gen, 0);
    ck_assert_ptr_null(slots_get(&slots, none));
    ck_assert_ptr_eq(slots_get(&slots, id), &object);
    slots_release(&slots);
}
END_TEST

START_TEST(made_up_ids_find_nothing)
{
    struct slots slots = {0};
    int object;
    struct slot_id id = slots_add(&slots, &object);
    struct slot_id wrong_gen = {id.slot, id.gen + 1};
    struct slot_id far_slot = {UINT32_MAX, id.gen};
    ck_assert_ptr_null(slots_get(&slots, wrong_gen));
    ck_assert_ptr_null(slots_get(&slots, far_slot));
    slots_remove(&slots, wrong_gen);
    ck_assert_ptr_eq(slots_get(&slots, id), &object);
    slots_release(&slots);
}
END_TEST

/* All ids ever given out are asked for: the living find their object, the dead none. */
START_TEST(dead_ids_stay_dead)
{
    struct slots slots = {0};
    struct slot_id ids[N_IDS];
    static int objects[N_IDS];
    static bool alive[N_IDS];
    uint32_t n_alive = 0;
    struct rng rng;

    rng_seed(&rng, (uint64_t)_i, 3);
    for (size_t n = 0; n < N_IDS; n++) {
        ids[n] = slots_add(&slots, &objects[n]);
        alive[n] = true;
        n_alive++;
        while (rng_chance(&rng, 1, 2)) {
            size_t victim = rng_below(&rng, (uint32_t)n + 1);
            slots_remove(&slots, ids[victim]);
            n_alive -= alive[victim];
            alive[victim] = false;
        }
        ck_assert_uint_eq(slots.n_used, n_alive);
    }
    for (size_t n = 0; n < N_IDS; n++)
        ck_assert_ptr_eq(slots_get(&slots, ids[n]), alive[n] ? &objects[n] : NULL);
    ck_assert_uint_lt(slots.n, N_IDS); /* slots are used again */
    slots_release(&slots);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("slots");
    TCase *tc = tcase_create("slots");
    tcase_add_test(tc, zeroed_id_is_nobody);
    tcase_add_test(tc, made_up_ids_find_nothing);
    tcase_add_loop_test(tc, dead_ids_stay_dead, 0, 10);
    suite_add_tcase(suite, tc);
    return suite;
}
