/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_plain.c - the kernels in plain C, of one instruction set and of the
 * reference: the same bits, NaNs for NaNs, at every length and alignment.
 *
 * Arrays lie against inaccessible pages, in one round their ends and in another
 * their beginnings; what lies beside an output is a canary.
 */
#include "check_conv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <coordconv/context.h>

#include "base/compiler.h"
#include "guard.h"
#include "plain_cases.h"

#define MAX_N  (67 * 67)
#define CANARY ((cconv_real)-12345.678)

/* What a case writes. */
struct results {
    cconv_real out[MAX_N];
    int32_t where[MAX_N];
    double sums[2 * PLAIN_MAX_CHANNELS];
};

struct arena {
    struct guard x, y, arg, vector, out, where;
};

static cconv_real x_values[MAX_N], y_values[MAX_N], vector_values[4 * PLAIN_MAX_CHANNELS];
static int32_t arg_values[MAX_N];
static struct results before, want, got;

static void arena_open(struct arena *a)
{
    guard_open(&a->x, sizeof x_values);
    guard_open(&a->y, sizeof y_values);
    guard_open(&a->arg, sizeof arg_values);
    guard_open(&a->vector, sizeof vector_values);
    guard_open(&a->out, sizeof got.out);
    guard_open(&a->where, sizeof got.where);
}

static void arena_close(struct arena *a)
{
    guard_close(&a->x);
    guard_close(&a->y);
    guard_close(&a->arg);
    guard_close(&a->vector);
    guard_close(&a->out);
    guard_close(&a->where);
}

static void *placed(const struct guard *g, int last, const void *values, size_t bytes)
{
    void *p = last ? guard_last(g, bytes) : guard_first(g, bytes);

    memcpy(p, values, bytes);
    return p;
}

/* Values of all kinds, now and then a NaN or an infinity. */
static void fill(enum fill kind, uint64_t *state)
{
    for (size_t i = 0; i < MAX_N; i++) {
        x_values[i] = random_value(kind, 0, state);
        y_values[i] = random_value(kind, 0, state);
        arg_values[i] = (int32_t)random_below(state, 2);
        before.out[i] = random_value(kind, 0, state);
        before.where[i] = (int32_t)random_below(state, 1000);
        if (kind == FILL_INFINITE && random_below(state, 20) == 0)
            x_values[i] = (cconv_real)(random_below(state, 2) ? NAN : -INFINITY);
    }
    for (size_t i = 0; i < CCONV_COUNT(vector_values); i++)
        vector_values[i] = random_value(kind, 1, state);
    for (size_t i = 0; i < CCONV_COUNT(before.sums); i++)
        before.sums[i] = (double)CANARY;
}

static void run(const struct plain_case *c, const struct cconv_kernels *k, const struct arena *a,
                int last, size_t rows, size_t channels, struct results *r)
{
    const size_t n = rows * channels, outputs = CCONV_MAX(n, channels);
    struct plain_data d = { .rows = rows, .channels = channels, .n = n, .sums = r->sums };

    *r = before;
    d.x = placed(&a->x, last, x_values, n * sizeof(cconv_real));
    d.y = placed(&a->y, last, y_values, n * sizeof(cconv_real));
    d.arg = placed(&a->arg, last, arg_values, n * sizeof(int32_t));
    d.vector = placed(&a->vector, last, vector_values, 4 * channels * sizeof(cconv_real));
    d.out = placed(&a->out, last, before.out, outputs * sizeof(cconv_real));
    d.where = placed(&a->where, last, before.where, n * sizeof(int32_t));
    c->run(k, &d);
    memcpy(r->out, d.out, outputs * sizeof(cconv_real));
    memcpy(r->where, d.where, n * sizeof(int32_t));
}

static int same_real(cconv_real a, cconv_real b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

static int same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

static void compare(const struct plain_case *c, size_t rows, size_t channels)
{
    for (size_t i = 0; i < CCONV_MAX(rows, 1) * channels; i++) {
        if (!same_real(got.out[i], want.out[i]) || got.where[i] != want.where[i])
            fail_msg("isa %d, %s, %zu x %zu: element %zu is %.9g (%d), not %.9g (%d)",
                     (int)checked_isa, c->name, rows, channels, i, (double)got.out[i],
                     (int)got.where[i], (double)want.out[i], (int)want.where[i]);
    }
    for (size_t i = 0; i < CCONV_COUNT(got.sums); i++) {
        if (!same_double(got.sums[i], want.sums[i]))
            fail_msg("isa %d, %s, %zu x %zu: sum %zu is %.17g, not %.17g", (int)checked_isa,
                     c->name, rows, channels, i, got.sums[i], want.sums[i]);
    }
}

static void check_sizes(const struct plain_case *c, const struct cconv_kernels *reference,
                        const struct cconv_kernels *k, const struct arena *a)
{
    static const size_t all_rows[] = { 0, 1, 2, 3, 7, 9, 24, 67 };
    const size_t count = c->matrix ? CCONV_COUNT(all_rows) : 68;

    for (size_t channels = 1; channels <= (c->matrix ? 67 : 1); channels++)
        for (size_t i = 0; i < count; i++) {
            const size_t rows = c->matrix ? all_rows[i] : i;

            if (rows < c->least_rows)
                continue;
            for (int last = 0; last < 2; last++) {
                run(c, reference, a, last, rows, channels, &want);
                run(c, k, a, last, rows, channels, &got);
                compare(c, rows, channels);
            }
        }
}

void plain_same_bits(void **state)
{
    struct cconv_kernels reference, k;
    struct arena arena;
    uint64_t random = 3;
    (void)state;

    cconv_kernels_init(&reference, COORDCONV_ISA_REFERENCE);
    cconv_kernels_init(&k, checked_isa);
    if (k.eltwise.add == reference.eltwise.add)
        skip();
    arena_open(&arena);
    for (int kind = 0; kind < FILLS; kind++) {
        fill((enum fill)kind, &random);
        for (size_t i = 0; i < plain_case_count; i++)
            check_sizes(&plain_cases[i], &reference, &k, &arena);
    }
    arena_close(&arena);
}

/* Longer runs and wider matrices than all blocks and strips. */
void plain_same_bits_long(void **state)
{
    static const size_t sizes[][2] = { { 4489, 1 }, { 4480, 1 }, { 8, 512 },  { 6, 700 },
                                       { 9, 333 },  { 1000, 3 }, { 130, 33 }, { 131, 32 } };
    struct cconv_kernels reference, k;
    struct arena arena;
    uint64_t random = 4;
    (void)state;

    cconv_kernels_init(&reference, COORDCONV_ISA_REFERENCE);
    cconv_kernels_init(&k, checked_isa);
    if (k.eltwise.add == reference.eltwise.add)
        skip();
    arena_open(&arena);
    fill(FILL_UNIFORM, &random);
    for (size_t i = 0; i < plain_case_count; i++)
        for (size_t j = 0; j < CCONV_COUNT(sizes); j++) {
            run(&plain_cases[i], &reference, &arena, 1, sizes[j][0], sizes[j][1], &want);
            run(&plain_cases[i], &k, &arena, 1, sizes[j][0], sizes[j][1], &got);
            compare(&plain_cases[i], sizes[j][0], sizes[j][1]);
        }
    arena_close(&arena);
}

/* The first row with the largest value, or the last with a NaN. */
static size_t largest_row(const cconv_real *x, size_t rows, size_t channels)
{
    size_t best = 0;

    for (size_t r = 1; r < rows; r++) {
        const cconv_real v = x[r * channels], most = x[best * channels];

        best = v != v || v > most ? r : best;
    }
    return best;
}

/* Few different values, so that many rows have the largest; NaNs now and then. */
void column_max_is_the_first(void **state)
{
    struct cconv_kernels k;
    uint64_t random = 5;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    for (size_t channels = 1; channels <= 67; channels++)
        for (size_t rows = 1; rows <= 67; rows++) {
            for (size_t i = 0; i < rows * channels; i++) {
                const size_t pick = random_below(&random, 300);

                x_values[i] = pick == 0 ? (cconv_real)NAN : (cconv_real)(pick % 5);
            }
            k.pool.column_max(rows, channels, x_values, got.out, got.where);
            k.pool.column_max(rows, channels, x_values, want.out, NULL);
            for (size_t c = 0; c < channels; c++) {
                const size_t row = largest_row(x_values + c, rows, channels);

                assert_int_equal(got.where[c], row);
                assert_true(same_real(got.out[c], x_values[row * channels + c]));
                assert_true(same_real(want.out[c], got.out[c]));
            }
        }
}

/* Dense and with a stride, one row more and one column more than a block. */
void add_rows_matches_sums(void **state)
{
    struct cconv_kernels k;
    uint64_t random = 6;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    fill(FILL_UNIFORM, &random);
    for (size_t channels = 1; channels <= 67; channels++)
        for (size_t rows = 0; rows <= 66; rows++) {
            const size_t stride = channels + rows % 2;

            memcpy(got.out, before.out, sizeof got.out);
            k.reduce.add_rows(rows, channels, x_values, stride, got.out);
            for (size_t c = 0; c < channels; c++) {
                wide_real sum = (wide_real)before.out[c], magnitude = sum < 0 ? -sum : sum;

                for (size_t r = 0; r < rows; r++) {
                    const wide_real v = (wide_real)x_values[r * stride + c];

                    sum += v;
                    magnitude += v < 0 ? -v : v;
                }
                assert_true(near_enough(got.out[c], sum, magnitude, rows));
            }
            assert_memory_equal(got.out + channels, before.out + channels, 8 * sizeof(cconv_real));
        }
}
