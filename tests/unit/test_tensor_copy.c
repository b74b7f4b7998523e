/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_tensor_copy.c - what is written to tensors: copies between all types and
 * strides, fills, initial values.
 */
#include <math.h>
#include <string.h>

#include "support.h"

#include "base/random.h"
#include "core/tensor.h"

static coordconv_context *context;
static struct test_heap heap;

static int make_context(void **state)
{
    (void)state;
    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    return 0;
}

static int drop_context(void **state)
{
    (void)state;
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}

static coordconv_tensor *make(int32_t dtype, int32_t ndim, const int64_t *shape)
{
    coordconv_tensor *t = NULL;

    check_ok(coordconv_tensor_new(context, dtype, ndim, shape, &t));
    return t;
}

/* ---- copies ---- */

static double value_at(const coordconv_tensor *t, int64_t at)
{
    switch (t->dtype) {
    case COORDCONV_F32:
        return ((const float *)(const void *)t->data)[at];
    case COORDCONV_F64:
        return ((const double *)(const void *)t->data)[at];
    case COORDCONV_I32:
        return ((const int32_t *)(const void *)t->data)[at];
    case COORDCONV_I64:
        return (double)((const int64_t *)(const void *)t->data)[at];
    default:
        return ((const uint8_t *)(const void *)t->data)[at];
    }
}

/* Every pair of types over every order of three axes on both sides, element by element. */
static void copies_convert_any_types_over_any_strides(void **state)
{
    static const int32_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                          { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static const int64_t shape[3] = { 3, 150, 2 }; /* more than a chunk, less than a long run */
    (void)state;

    for (int32_t from = COORDCONV_F32; from <= COORDCONV_U8; from++) {
        for (int32_t to = COORDCONV_F32; to <= COORDCONV_U8; to++) {
            for (int o = 0; o < 36; o++) {
                const int32_t *a = orders[o / 6], *b = orders[o % 6];
                int64_t a_shape[3], b_shape[3];
                coordconv_tensor *whole_a, *whole_b, *src, *dst;

                for (int i = 0; i < 3; i++) { /* memory in another order, the view back in ours */
                    a_shape[a[i]] = shape[i];
                    b_shape[b[i]] = shape[i];
                }
                whole_a = make(from, 3, a_shape);
                whole_b = make(to, 3, b_shape);
                check_ok(coordconv_tensor_permute(whole_a, a, &src));
                check_ok(coordconv_tensor_permute(whole_b, b, &dst));
                for (int64_t k = 0; k < 900; k++) {
                    const double v = (double)(k * 7 % 251);

                    switch (from) {
                    case COORDCONV_F32:
                        ((float *)(void *)src->data)[k] = (float)v;
                        break;
                    case COORDCONV_F64:
                        ((double *)(void *)src->data)[k] = v;
                        break;
                    case COORDCONV_I32:
                        ((int32_t *)(void *)src->data)[k] = (int32_t)v;
                        break;
                    case COORDCONV_I64:
                        ((int64_t *)(void *)src->data)[k] = (int64_t)v;
                        break;
                    default:
                        ((uint8_t *)(void *)src->data)[k] = (uint8_t)v;
                    }
                }
                check_ok(coordconv_tensor_copy(dst, src));
                for (int64_t i = 0; i < shape[0]; i++) {
                    for (int64_t j = 0; j < shape[1]; j++) {
                        for (int64_t k = 0; k < shape[2]; k++) {
                            const int64_t *s = src->stride, *d = dst->stride;

                            assert_true(value_at(dst, i * d[0] + j * d[1] + k * d[2]) ==
                                        value_at(src, i * s[0] + j * s[1] + k * s[2]));
                        }
                    }
                }
                coordconv_tensor_unref(src);
                coordconv_tensor_unref(dst);
                coordconv_tensor_unref(whole_a);
                coordconv_tensor_unref(whole_b);
            }
        }
    }
}

/* [2, rows, columns] with the last two axes exchanged in memory, inside something larger by
 * `gap` on both; *whole is what it lies in. */
static coordconv_tensor *turned(int32_t dtype, int64_t rows, int64_t columns, int64_t gap,
                                coordconv_tensor **whole)
{
    static const int32_t exchanged[3] = { 0, 2, 1 };
    coordconv_tensor *view, *part, *rest;

    *whole = make(dtype, 3, (int64_t[]){ 2, columns + gap, rows + gap });
    check_ok(coordconv_tensor_permute(*whole, exchanged, &view));
    check_ok(coordconv_tensor_slice(view, 1, gap, rows, &part));
    check_ok(coordconv_tensor_slice(part, 2, 0, columns, &rest));
    coordconv_tensor_unref(view);
    coordconv_tensor_unref(part);
    return rest;
}

static void check_turned(const coordconv_tensor *got, const coordconv_tensor *want)
{
    const int64_t *g = got->stride, *w = want->stride, *dim = got->shape.dim;

    for (int64_t i = 0; i < dim[0]; i++) {
        for (int64_t r = 0; r < dim[1]; r++) {
            for (int64_t c = 0; c < dim[2]; c++)
                assert_true(value_at(got, i * g[0] + r * g[1] + c * g[2]) ==
                            value_at(want, i * w[0] + r * w[1] + c * w[2]));
        }
    }
}

static void fill_numbers(coordconv_tensor *t)
{
    for (int64_t i = 0; i < coordconv_tensor_count(t); i++) {
        if (t->dtype == COORDCONV_F32)
            ((float *)(void *)t->data)[i] = (float)(i * 7 % 251);
        else
            ((uint8_t *)(void *)t->data)[i] = (uint8_t)(i * 7 % 251);
    }
}

static void turn_both_ways(int32_t dtype, int64_t rows, int64_t columns, int64_t gap)
{
    coordconv_tensor *whole, *from = turned(dtype, rows, columns, gap, &whole), *whole_to;
    coordconv_tensor *plain = make(COORDCONV_F32, 3, (int64_t[]){ 2, rows, columns });
    coordconv_tensor *back = turned(COORDCONV_F32, rows, columns, gap, &whole_to);
    double outside = 0;

    fill_numbers(whole);
    check_ok(coordconv_tensor_copy(plain, from));
    check_turned(plain, from);
    check_ok(coordconv_tensor_fill(whole_to, 1000));
    check_ok(coordconv_tensor_copy(back, plain));
    check_turned(back, plain);
    for (int64_t i = 0; i < coordconv_tensor_count(whole_to); i++)
        outside += value_at(whole_to, i) == 1000;
    assert_true(outside == (double)(coordconv_tensor_count(whole_to) - 2 * rows * columns));
    coordconv_tensor *all[] = { whole, from, whole_to, plain, back };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
}

/* Every size around the squares and blocks that are turned in one piece. */
static void matrices_are_turned(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows < 39; rows++) {
        for (int64_t columns = 1; columns < 39; columns++) {
            turn_both_ways(COORDCONV_F32, rows, columns, rows * columns % 3);
            turn_both_ways(COORDCONV_U8, rows, columns, rows * columns % 2);
        }
    }
    turn_both_ways(COORDCONV_U8, 300, 3, 0);
    turn_both_ways(COORDCONV_U8, 17, 300, 1);
}

/* All threads together write what one does, whatever is cut. */
static void parallel_copies_are_copies(void **state)
{
    static const int32_t last[4] = { 0, 2, 3, 1 };
    static const int64_t shapes[][4] = { { 1, 3, 500, 301 },
                                         { 7, 67, 33, 29 },
                                         { 3, 2, 1, 1 },
                                         { 200, 1, 50, 40 },
                                         { 2, 300000, 1, 1 } };
    struct test_pool pool = { .threads = 3 };
    coordconv_context *threads = test_context(3, NULL, &pool);
    (void)state;

    for (size_t i = 0; i < COUNT(shapes); i++) {
        for (int32_t dtype = COORDCONV_F32; dtype <= COORDCONV_U8; dtype += 4) {
            const int64_t *s = shapes[i];
            const int64_t shape[4] = { s[0], s[2], s[3], s[1] };
            coordconv_tensor *planar = make(dtype, 4, s), *view;
            coordconv_tensor *want = make(COORDCONV_F32, 4, shape);
            coordconv_tensor *got = make(COORDCONV_F32, 4, shape);

            fill_numbers(planar);
            check_ok(coordconv_tensor_permute(planar, last, &view));
            cconv_tensor_copy_elements(want, view);
            cconv_tensor_copy_parallel(threads, got, view);
            test_check_same(got, want, "copy");
            coordconv_tensor *all[] = { planar, view, want, got };
            for (size_t k = 0; k < COUNT(all); k++)
                coordconv_tensor_unref(all[k]);
        }
    }
    assert_true(atomic_load(&pool.calls) >= 6);
    coordconv_context_unref(threads);
}

/* A slice as destination: what lies between its rows stays. */
static void copies_leave_gaps_alone(void **state)
{
    static const int64_t shape[] = { 5, 7 }, part[] = { 5, 3 };
    static const int32_t dtypes[] = { COORDCONV_F32, COORDCONV_U8 };
    (void)state;

    for (size_t d = 0; d < COUNT(dtypes); d++) {
        coordconv_tensor *t = make(COORDCONV_F32, 2, shape), *middle;
        coordconv_tensor *src = make(dtypes[d], 2, part);
        const float *data = coordconv_tensor_data(t);

        check_ok(coordconv_tensor_fill(t, 42));
        check_ok(coordconv_tensor_fill(src, 7));
        check_ok(coordconv_tensor_slice(t, 1, 2, 3, &middle));
        check_ok(coordconv_tensor_copy(middle, src));
        for (int i = 0; i < 35; i++)
            assert_true(data[i] == (i % 7 >= 2 && i % 7 < 5 ? 7 : 42));
        coordconv_tensor_unref(middle);
        coordconv_tensor_unref(src);
        coordconv_tensor_unref(t);
    }
}

/* Stride 0: one row seen many times. */
static void copies_read_broadcast_axes(void **state)
{
    static const int64_t shape[] = { 4, 3 }, strides[] = { 0, 1 };
    float row[3] = { 1, 2, 3 };
    coordconv_tensor *src, *dst = make(COORDCONV_F32, 2, shape);
    const float *data = coordconv_tensor_data(dst);
    (void)state;

    check_ok(
        coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, strides, row, NULL, NULL, &src));
    check_ok(coordconv_tensor_copy(dst, src));
    for (int i = 0; i < 12; i++)
        assert_true(data[i] == row[i % 3]);
    coordconv_tensor_unref(src);
    coordconv_tensor_unref(dst);
}

static void real_to_integer_saturates(void **state)
{
    static const double in[] = { 1.9,
                                 -1.9,
                                 255.9,
                                 256,
                                 -0.5,
                                 2147483647.5,
                                 2147483648.0,
                                 -2147483648.5,
                                 -2147483649.0,
                                 9223372036854774784.0,
                                 9223372036854775808.0,
                                 -9223372036854775808.0,
                                 1e300,
                                 -1e300,
                                 INFINITY,
                                 -INFINITY,
                                 NAN };
    static const uint8_t u8[] = {
        1, 0, 255, 255, 0, 255, 255, 0, 0, 255, 255, 0, 255, 0, 255, 0, 0
    };
    static const int32_t i32[] = { 1,         -1,        255,       256,       0,         INT32_MAX,
                                   INT32_MAX, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX, INT32_MIN,
                                   INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0 };
    static const int64_t i64[] = {
        1,          -1,         255,         256,         0,
        2147483647, 2147483648, -2147483648, -2147483649, 9223372036854774784,
        INT64_MAX,  INT64_MIN,  INT64_MAX,   INT64_MIN,   INT64_MAX,
        INT64_MIN,  0
    };
    const int64_t n = COUNT(in);
    coordconv_tensor *src = make(COORDCONV_F64, 1, &n), *a = make(COORDCONV_U8, 1, &n);
    coordconv_tensor *b = make(COORDCONV_I32, 1, &n), *c = make(COORDCONV_I64, 1, &n);
    (void)state;

    memcpy(coordconv_tensor_data(src), in, sizeof in);
    check_ok(coordconv_tensor_copy(a, src));
    check_ok(coordconv_tensor_copy(b, src));
    check_ok(coordconv_tensor_copy(c, src));
    assert_memory_equal(coordconv_tensor_data(a), u8, sizeof u8);
    assert_memory_equal(coordconv_tensor_data(b), i32, sizeof i32);
    assert_memory_equal(coordconv_tensor_data(c), i64, sizeof i64);
    coordconv_tensor_unref(src);
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
    coordconv_tensor_unref(c);
}

static void integer_to_narrower_integer_saturates(void **state)
{
    static const int64_t in[] = { -1, 256, 255, INT64_MAX, INT64_MIN, 7 };
    static const uint8_t u8[] = { 0, 255, 255, 255, 0, 7 };
    static const int32_t i32[] = { -1, 256, 255, INT32_MAX, INT32_MIN, 7 };
    const int64_t n = COUNT(in);
    coordconv_tensor *src = make(COORDCONV_I64, 1, &n), *a = make(COORDCONV_U8, 1, &n);
    coordconv_tensor *b = make(COORDCONV_I32, 1, &n);
    (void)state;

    memcpy(coordconv_tensor_data(src), in, sizeof in);
    check_ok(coordconv_tensor_copy(a, src));
    check_ok(coordconv_tensor_copy(b, src));
    assert_memory_equal(coordconv_tensor_data(a), u8, sizeof u8);
    assert_memory_equal(coordconv_tensor_data(b), i32, sizeof i32);
    coordconv_tensor_unref(src);
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
}

/* 2^53 + 1 is an integer double lacks. 2^60 + 2^36 + 1 by way of double would lose its
 * last bit, be halfway between two floats, and go to the wrong one. */
static void integers_are_rounded_once(void **state)
{
    static const int64_t in[] = { (INT64_C(1) << 53) + 1,
                                  (INT64_C(1) << 60) + (INT64_C(1) << 36) + 1 };
    const int64_t n = COUNT(in);
    coordconv_tensor *src = make(COORDCONV_I64, 1, &n), *same = make(COORDCONV_I64, 1, &n);
    coordconv_tensor *narrow = make(COORDCONV_F32, 1, &n);
    (void)state;

    memcpy(coordconv_tensor_data(src), in, sizeof in);
    check_ok(coordconv_tensor_copy(same, src));
    assert_memory_equal(coordconv_tensor_data(same), in, sizeof in);
    check_ok(coordconv_tensor_copy(narrow, src));
    assert_true(((float *)coordconv_tensor_data(narrow))[1] == 0x1p60f + 0x1p37f);
    coordconv_tensor_unref(src);
    coordconv_tensor_unref(same);
    coordconv_tensor_unref(narrow);
}

static void floats_keep_nan_and_infinity(void **state)
{
    static const float in[] = { NAN, INFINITY, -INFINITY, -0.0f, 0x1p-149f };
    const int64_t n = COUNT(in);
    coordconv_tensor *src = make(COORDCONV_F32, 1, &n), *wide = make(COORDCONV_F64, 1, &n);
    coordconv_tensor *back = make(COORDCONV_F32, 1, &n);
    const float *got = coordconv_tensor_data(back);
    (void)state;

    memcpy(coordconv_tensor_data(src), in, sizeof in);
    check_ok(coordconv_tensor_copy(wide, src));
    check_ok(coordconv_tensor_copy(back, wide));
    assert_true(isnan(got[0]));
    assert_memory_equal(got + 1, in + 1, sizeof in - sizeof in[0]);
    coordconv_tensor_unref(src);
    coordconv_tensor_unref(wide);
    coordconv_tensor_unref(back);
}

static void copy_refuses_other_shapes(void **state)
{
    static const int64_t a_shape[] = { 2, 3 }, b_shape[] = { 3, 2 };
    coordconv_tensor *a = make(COORDCONV_F32, 2, a_shape), *b = make(COORDCONV_F32, 2, b_shape);
    coordconv_tensor *c = make(COORDCONV_F32, 1, a_shape);
    (void)state;

    check_fails(coordconv_tensor_copy(a, b), COORDCONV_ERR_SHAPE, "[3, 2] into shape [2, 3]");
    check_fails(coordconv_tensor_copy(a, c), COORDCONV_ERR_SHAPE, "[2]");
    check_fails(coordconv_tensor_copy(NULL, b), COORDCONV_ERR_INVALID, "dst is NULL");
    check_fails(coordconv_tensor_copy(a, NULL), COORDCONV_ERR_INVALID, "src is NULL");
    check_fails(coordconv_tensor_fill(NULL, 1), COORDCONV_ERR_INVALID, "NULL");
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
    coordconv_tensor_unref(c);
}

/* Elements of the destination in one place: which of the values would stay is anyone's guess. What
 * neither index of a single one nor an extent of 0 reaches does not count. */
static void copy_refuses_elements_that_share_places(void **state)
{
    static const struct {
        int64_t shape[3], strides[3];
        int good;
    } cases[] = {
        { { 2, 3, 2 }, { 0, 2, 1 }, 0 },  { { 2, 3, 2 }, { 6, 2, 0 }, 0 },
        { { 2, 3, 2 }, { 6, 1, 1 }, 0 },  { { 2, 3, 2 }, { 5, 2, 1 }, 0 },
        { { 2, 3, 2 }, { 6, 2, 1 }, 1 },  { { 2, 3, 2 }, { 1, 4, 2 }, 1 },
        { { 1, 3, 2 }, { 0, 2, 1 }, 1 },  { { 2, 1, 2 }, { 2, 1, 1 }, 1 },
        { { 2, 0, 2 }, { 0, 0, 0 }, 1 },  { { 1, 1, 1 }, { 0, 0, 0 }, 1 },
        { { 2, 3, 2 }, { 20, 6, 3 }, 1 },
    };
    float data[64];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_tensor *dst, *src = make(COORDCONV_F32, 3, cases[i].shape);

        check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 3, cases[i].shape, cases[i].strides,
                                       data, NULL, NULL, &dst));
        data[0] = 42;
        if (cases[i].good) {
            check_ok(coordconv_tensor_copy(dst, src));
        } else {
            check_fails(coordconv_tensor_copy(dst, src), COORDCONV_ERR_INVALID,
                        "of shape [2, 3, 2], share their places");
            assert_true(data[0] == 42);
        }
        check_ok(coordconv_tensor_fill(dst, 3)); /* all the same */
        coordconv_tensor_unref(dst);
        coordconv_tensor_unref(src);
    }
}

static void fill_converts_as_copies_do(void **state)
{
    static const int64_t shape[] = { 3, 200 };
    coordconv_tensor *bytes = make(COORDCONV_U8, 2, shape), *reals = make(COORDCONV_F32, 2, shape);
    (void)state;

    check_ok(coordconv_tensor_fill(bytes, 300));
    check_ok(coordconv_tensor_fill(reals, 0.1));
    for (int64_t i = 0; i < 600; i++) {
        assert_true(value_at(bytes, i) == 255);
        assert_true(value_at(reals, i) == 0.1f);
    }
    check_ok(coordconv_tensor_fill(bytes, NAN));
    assert_true(value_at(bytes, 599) == 0);
    coordconv_tensor_unref(bytes);
    coordconv_tensor_unref(reals);
}

/* ---- initial values ---- */

static void init_draws_element_by_counter(void **state)
{
    static const int64_t shape[] = { 40, 50 };
    coordconv_tensor *narrow = make(COORDCONV_F32, 2, shape), *wide = make(COORDCONV_F64, 2, shape);
    const double deviation = sqrt(2.0 / 18), limit = sqrt(6.0 / 50);
    (void)state;

    check_ok(coordconv_tensor_init(narrow, COORDCONV_INIT_HE_NORMAL, 0, 18, 0, 3));
    check_ok(coordconv_tensor_init(wide, COORDCONV_INIT_HE_NORMAL, 0, 18, 0, 3));
    for (int64_t i = 0; i < 2000; i++) {
        const double want = deviation * cconv_random_normal(3, 0, (uint64_t)i);

        assert_true(value_at(wide, i) == want);
        assert_true(value_at(narrow, i) == (float)want);
    }
    check_ok(coordconv_tensor_init(wide, COORDCONV_INIT_GLOROT_UNIFORM, 0, 18, 32, 3));
    for (int64_t i = 0; i < 2000; i++) {
        assert_true(value_at(wide, i) == limit * (2 * cconv_random_uniform(3, 0, (uint64_t)i) - 1));
        assert_true(fabs(value_at(wide, i)) < limit);
    }
    coordconv_tensor_unref(narrow);
    coordconv_tensor_unref(wide);
}

/* Element i is counted row-major in the view, wherever it lies. */
static void init_does_not_depend_on_strides(void **state)
{
    static const int64_t shape[] = { 3, 4, 5 }, turned[] = { 5, 3, 4 };
    static const int32_t axes[] = { 1, 2, 0 };
    coordconv_tensor *a = make(COORDCONV_F32, 3, shape), *memory = make(COORDCONV_F32, 3, turned);
    coordconv_tensor *b, *flat = make(COORDCONV_F32, 3, shape);
    (void)state;

    check_ok(coordconv_tensor_permute(memory, axes, &b));
    check_ok(coordconv_tensor_init(a, COORDCONV_INIT_HE_NORMAL, 0, 9, 9, 1));
    check_ok(coordconv_tensor_init(b, COORDCONV_INIT_HE_NORMAL, 0, 9, 9, 1));
    check_ok(coordconv_tensor_copy(flat, b));
    test_check_same(flat, a, "permuted");
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
    coordconv_tensor_unref(flat);
    coordconv_tensor_unref(memory);
}

static void init_knows_zeros_constant_and_default(void **state)
{
    const int64_t n = 3;
    coordconv_tensor *t = make(COORDCONV_F32, 1, &n);
    (void)state;

    check_ok(coordconv_tensor_init(t, COORDCONV_INIT_CONSTANT, 2.5, 0, 0, 0));
    assert_true(value_at(t, 2) == 2.5);
    check_ok(coordconv_tensor_init(t, COORDCONV_INIT_DEFAULT, 2.5, 0, 0, 0));
    assert_true(value_at(t, 2) == 0);
    check_ok(coordconv_tensor_fill(t, 1));
    check_ok(coordconv_tensor_init(t, COORDCONV_INIT_ZEROS, 2.5, 0, 0, 0));
    assert_true(value_at(t, 0) == 0);
    coordconv_tensor_unref(t);
}

static void streams_give_other_numbers(void **state)
{
    const int64_t n = 8;
    coordconv_tensor *a = make(COORDCONV_F32, 1, &n), *b = make(COORDCONV_F32, 1, &n);
    (void)state;

    check_ok(cconv_tensor_draw(a, COORDCONV_INIT_HE_NORMAL, 0, 1, 1, 5, 0));
    check_ok(cconv_tensor_draw(b, COORDCONV_INIT_HE_NORMAL, 0, 1, 1, 5, 1));
    for (int64_t i = 0; i < n; i++)
        assert_true(value_at(a, i) != value_at(b, i));
    check_ok(coordconv_tensor_init(b, COORDCONV_INIT_HE_NORMAL, 0, 1, 1, 5));
    test_check_same(b, a, "stream 0");
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
}

/* Numbers of their own, whatever else is drawn from the seed and the stream; and those are never
 * to change. */
static void normal_and_uniform_draw_by_counter(void **state)
{
    static const int64_t shape[] = { 4, 50 }, turned[] = { 50, 4 };
    const uint64_t normal = UINT64_C(1) << 62, uniform = UINT64_C(1) << 61;
    coordconv_tensor *narrow = make(COORDCONV_F32, 2, shape), *wide = make(COORDCONV_F64, 2, shape);
    coordconv_tensor *memory = make(COORDCONV_F64, 2, turned), *view;
    (void)state;

    check_ok(coordconv_tensor_permute(memory, (const int32_t[]){ 1, 0 }, &view));
    check_ok(coordconv_tensor_normal(narrow, 0.5, 2, 3, 7));
    check_ok(coordconv_tensor_normal(view, 0.5, 2, 3, 7));
    check_ok(coordconv_tensor_copy(wide, view));
    for (uint64_t i = 0; i < 200; i++) {
        const double want = 0.5 + 2 * cconv_random_normal(3, 7, normal + i);

        assert_true(value_at(wide, (int64_t)i) == want);
        assert_true(value_at(narrow, (int64_t)i) == (float)want);
    }
    check_ok(coordconv_tensor_uniform(wide, -1, 3, 3, 7));
    for (uint64_t i = 0; i < 200; i++) {
        const double got = value_at(wide, (int64_t)i);

        assert_true(got == -1 + 4 * cconv_random_uniform(3, 7, uniform + i));
        assert_true(got > -1 && got < 3);
    }
    coordconv_tensor_unref(view);
    coordconv_tensor_unref(memory);
    coordconv_tensor_unref(narrow);
    coordconv_tensor_unref(wide);
}

static void init_refuses_bad_arguments(void **state)
{
    const int64_t n = 3;
    coordconv_tensor *t = make(COORDCONV_F32, 1, &n), *integers = make(COORDCONV_I64, 1, &n);
    (void)state;

    check_ok(coordconv_tensor_fill(t, 42));
    check_fails(coordconv_tensor_init(NULL, COORDCONV_INIT_ZEROS, 0, 1, 1, 0),
                COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_init(t, 5, 0, 1, 1, 0), COORDCONV_ERR_INVALID, "kind 5");
    check_fails(coordconv_tensor_init(t, -1, 0, 1, 1, 0), COORDCONV_ERR_INVALID, "kind -1");
    check_fails(coordconv_tensor_init(t, COORDCONV_INIT_HE_NORMAL, 0, 0, 1, 0),
                COORDCONV_ERR_INVALID, "fan_in is 0");
    check_fails(coordconv_tensor_init(t, COORDCONV_INIT_GLOROT_UNIFORM, 0, 1, -2, 0),
                COORDCONV_ERR_INVALID, "fan_out is -2");
    check_fails(coordconv_tensor_init(integers, COORDCONV_INIT_ZEROS, 0, 1, 1, 0),
                COORDCONV_ERR_DTYPE, "dtype 4");
    assert_true(value_at(t, 0) == 42 && value_at(t, 2) == 42);
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(integers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_context, drop_context)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(copies_convert_any_types_over_any_strides),
        TEST(matrices_are_turned),
        TEST(parallel_copies_are_copies),
        TEST(copies_leave_gaps_alone),
        TEST(copies_read_broadcast_axes),
        TEST(real_to_integer_saturates),
        TEST(integer_to_narrower_integer_saturates),
        TEST(integers_are_rounded_once),
        TEST(floats_keep_nan_and_infinity),
        TEST(copy_refuses_other_shapes),
        TEST(copy_refuses_elements_that_share_places),
        TEST(fill_converts_as_copies_do),
        TEST(init_draws_element_by_counter),
        TEST(init_does_not_depend_on_strides),
        TEST(init_knows_zeros_constant_and_default),
        TEST(streams_give_other_numbers),
        TEST(normal_and_uniform_draw_by_counter),
        TEST(init_refuses_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
