/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_memplan.c - blocks in an arena: never two at once in one place, and tight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/memplan.h"

enum {
    MOST = 60
};

static size_t plan(struct cconv_block_life *blocks, size_t count)
{
    size_t order[MOST];

    return cconv_memplan(blocks, count, order);
}

static void check_apart(const struct cconv_block_life *b, size_t count, size_t arena)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(b[i].bytes == 0 || b[i].offset + b[i].bytes <= arena);
        assert_int_equal(b[i].offset % 64, 0);
        for (size_t k = 0; k < i; k++) {
            const int together = b[i].first <= b[k].last && b[k].first <= b[i].last;
            const int overlap =
                b[i].offset < b[k].offset + b[k].bytes && b[k].offset < b[i].offset + b[i].bytes;

            assert_false(together && overlap);
        }
    }
}

static void a_chain_needs_its_two_largest_neighbours(void **state)
{
    struct cconv_block_life b[4] = {
        { 256, 0, 1, 0 }, { 1024, 1, 2, 0 }, { 512, 2, 3, 0 }, { 64, 3, 4, 0 }
    };

    (void)state;
    assert_int_equal(plan(b, 4), 1024 + 512);
    check_apart(b, 4, 1024 + 512);
}

static void a_gap_is_filled(void **state)
{
    struct cconv_block_life b[3] = { { 512, 0, 9, 0 }, { 256, 0, 1, 0 }, { 256, 2, 9, 0 } };

    (void)state;
    assert_int_equal(plan(b, 3), 768);
    check_apart(b, 3, 768);
}

static void nothing_needs_nothing(void **state)
{
    struct cconv_block_life b[2] = { { 0, 0, 5, 0 }, { 0, 0, 5, 0 } };

    (void)state;
    assert_int_equal(plan(b, 2), 0);
    assert_int_equal(plan(b, 0), 0);
}

static void sizes_that_overflow_are_told(void **state)
{
    struct cconv_block_life b[2] = { { (SIZE_MAX / 2) & ~(size_t)63, 0, 5, 0 },
                                     { (SIZE_MAX / 2) & ~(size_t)63, 6, 7, 0 } };

    (void)state;
    assert_true(plan(b, 2) == SIZE_MAX);
}

static void random_lives(void **state)
{
    uint32_t r = 7;

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct cconv_block_life b[MOST];
        size_t bound = 0, arena;

        for (size_t i = 0; i < MOST; i++) {
            r = r * 1664525u + 1013904223u;
            b[i].first = (int32_t)(r >> 8) % 40;
            b[i].last = b[i].first + (int32_t)(r >> 16) % 12;
            b[i].bytes = (r >> 24) % 30 * 64;
        }
        arena = plan(b, MOST);
        check_apart(b, MOST, arena);
        for (int32_t t = 0; t < 60; t++) { /* the largest sum alive at one time */
            size_t alive = 0;

            for (size_t i = 0; i < MOST; i++)
                alive += b[i].first <= t && t <= b[i].last ? b[i].bytes : 0;
            bound = alive > bound ? alive : bound;
        }
        assert_true(arena >= bound);
        assert_true(arena <= bound + bound / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_needs_its_two_largest_neighbours),
        cmocka_unit_test(a_gap_is_filled),
        cmocka_unit_test(nothing_needs_nothing),
        cmocka_unit_test(sizes_that_overflow_are_told),
        cmocka_unit_test(random_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
