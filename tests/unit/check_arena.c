/*
 * check_arena.c - memory freed all at once stays put until then.
 */
#include "common/arena.h"
#include "common/rng.h"
#include "tests/lib/runner.h"

#include <stdint.h>
#include <string.h>

#define N_PIECES 500

static bool is_filled(const unsigned char *piece, size_t size, int value)
{
    for (size_t i = 0; i < size; i++)
        if (piece[i] != value)
            return false;
    return true;
}

/* Every piece is aligned and still holds what was put there after all others came. */
START_TEST(pieces_keep_their_contents)
{
    struct arena arena = {0};
    struct rng rng;
    unsigned char *pieces[N_PIECES];
    size_t sizes[N_PIECES];

    rng_seed(&rng, (uint64_t)_i, 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N_PIECES; i++) {
            uint32_t most = rng_chance(&rng, 1, 50) ? 20000 : 200;
            sizes[i] = rng_below(&rng, most);
            pieces[i] = arena_alloc(&arena, sizes[i]);
            ck_assert_uint_eq((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], i & 255, sizes[i]);
        }
        for (int i = 0; i < N_PIECES; i++)
            ck_assert(is_filled(pieces[i], sizes[i], i & 255));
        arena_reset(&arena);
    }
    arena_release(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

START_TEST(texts)
{
    struct arena arena = {0};
    char *a = arena_strdup(&arena, "mymaster");
    char *b = arena_strndup(&arena, "a\0bcd", 3);
    char *c = arena_printf(&arena, "%s:%d", "10.0.0.1", 6379);
    char *d = arena_strdup(&arena, "");
    ck_assert_str_eq(a, "mymaster");
    ck_assert_mem_eq(b, "a\0b\0", 4);
    ck_assert_str_eq(c, "10.0.0.1:6379");
    ck_assert_str_eq(d, "");
    arena_release(&arena);
}
END_TEST

/* Also where the rest of a block is just too short for the text. */
START_TEST(printf_of_every_length)
{
    struct arena arena = {0};
    for (int len = 0; len < 9000; len += 7) {
        char *before = arena_strdup(&arena, "guard");
        char *text = arena_printf(&arena, "%*s", len, "");
        char *after = arena_strdup(&arena, "after");
        ck_assert_uint_eq(strlen(text), (size_t)len);
        ck_assert_str_eq(before, "guard");
        ck_assert_str_eq(after, "after");
    }
    arena_release(&arena);

    for (int len = 0; len < 200; len++) {
        arena_alloc(&arena, 4000);
        ck_assert_uint_eq(strlen(arena_printf(&arena, "%*s", len, "")), (size_t)len);
        arena_release(&arena);
    }
}
END_TEST

START_TEST(empty_arena_can_be_reset)
{
    struct arena arena = {0};
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
    arena_reset(&arena);
    arena_reset(&arena);
    arena_release(&arena);
    arena_release(&arena);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tc = tcase_create("arena");
    tcase_add_loop_test(tc, pieces_keep_their_contents, 0, 10);
    tcase_add_test(tc, texts);
    tcase_add_test(tc, printf_of_every_length);
    tcase_add_test(tc, empty_arena_can_be_reset);
    suite_add_tcase(suite, tc);
    return suite;
}
