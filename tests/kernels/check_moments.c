/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_moments.c - sums and moments of rows, against sums in a wider type,
 * between inaccessible pages: every count of columns up to some vectors.
 */
#include "check_conv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"

enum {
    MOST_ROWS = 40,
    MOST_COLUMNS = 300,
    GAP = 3
};

struct arena {
    struct guard x, sum, moment;
};

struct shape {
    size_t rows, columns;
    int last, weighted;
};

static cconv_real *at_side(const struct guard *g, int last, size_t elements)
{
    return last ? guard_last(g, elements * sizeof(cconv_real))
                : guard_first(g, elements * sizeof(cconv_real));
}

static void check_column(const struct shape *s, size_t column, const cconv_real *x, size_t stride,
                         cconv_real first, cconv_real sum, cconv_real moment)
{
    wide_real want_sum = 1, want_moment = 2, magnitude = 1, weighted = 2;

    for (size_t r = 0; r < s->rows; r++) {
        const wide_real value = x[r * stride + column], weight = (wide_real)first + (wide_real)r;
        const wide_real product = value * weight;

        want_sum += value;
        want_moment += product;
        magnitude += value < 0 ? -value : value;
        weighted += product < 0 ? -product : product;
    }
    if (!near_enough(sum, want_sum, magnitude, s->rows + 1) ||
        !near_enough(moment, s->weighted ? want_moment : 2, weighted, s->rows + 2))
        fail_msg("isa %d, %zu rows, %zu columns, weighted %d: column %zu is %.9g, %.9g, expected "
                 "%.9g, %.9g",
                 (int)checked_isa, s->rows, s->columns, s->weighted, column, (double)sum,
                 (double)moment, (double)want_sum, (double)want_moment);
}

static void check_shape(const struct cconv_kernels *k, const struct arena *arena,
                        const struct shape *s, uint64_t *state)
{
    const size_t stride = s->columns + GAP;
    const size_t elements = s->rows == 0 ? 0 : (s->rows - 1) * stride + s->columns;
    const cconv_real first = (cconv_real)0.5 - (cconv_real)random_below(state, 50);
    cconv_real *x = at_side(&arena->x, s->last, elements);
    cconv_real *sum = at_side(&arena->sum, s->last, s->columns);
    cconv_real *moment = at_side(&arena->moment, s->last, s->columns);

    for (size_t i = 0; i < elements; i++)
        x[i] = i % stride < s->columns ? random_value(FILL_UNIFORM, 1, state) : (cconv_real)NAN;
    for (size_t c = 0; c < s->columns; c++) {
        sum[c] = 1;
        moment[c] = 2;
    }
    k->moments(s->rows, s->columns, x, stride, first, sum, s->weighted ? moment : NULL);
    for (size_t c = 0; c < s->columns; c++)
        check_column(s, c, x, stride, first, sum[c], moment[c]);
}

void moments_match_sums(void **state)
{
    struct cconv_kernels k;
    struct arena arena;
    uint64_t random = 5;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    guard_open(&arena.x, MOST_ROWS * (MOST_COLUMNS + GAP) * sizeof(cconv_real));
    guard_open(&arena.sum, MOST_COLUMNS * sizeof(cconv_real));
    guard_open(&arena.moment, MOST_COLUMNS * sizeof(cconv_real));
    for (size_t columns = 0; columns <= MOST_COLUMNS; columns++)
        for (int turn = 0; turn < 4; turn++) {
            const struct shape s = { random_below(&random, MOST_ROWS + 1), columns, turn % 2,
                                     turn / 2 };

            check_shape(&k, &arena, &s, &random);
        }
    guard_close(&arena.x);
    guard_close(&arena.sum);
    guard_close(&arena.moment);
}
