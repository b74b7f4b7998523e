/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_ops.c - elementwise operations and changes of shape against plain loops.
 *
 * Tolerances are counts of rounding errors: one or two for a value made by a
 * few operations, more where an exponential is behind it.
 */
#include "op_driver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *doubles(size_t n)
{
    double *p = calloc(n, sizeof *p);

    assert_non_null(p);
    return p;
}

/* ---- windows ---- */

static void window_slides(void **state)
{
    static const struct {
        struct cconv_window w; /* in, out, kernel, stride, dilation, before, after */
        int same;
    } cases[] = {
        { { 5, 3, 3, 2, 1, 1, 1 }, 1 },
        { { 4, 2, 3, 2, 1, 0, 1 }, 1 },
        { { 7, 7, 3, 1, 2, 2, 2 }, 1 },
        { { 1, 1, 1024, 1, 1, 511, 512 }, 1 },
        { { 10, 4, 2, 3, 1, 0, 1 }, 1 },
        { { 9, 3, 2, 4, 1, 0, 1 }, 1 },
        { { 8, 2, 2, 4, 1, 0, 0 }, 1 },
        { { 4, 0, 5, 1, 1, 0, 0 }, 0 },
        { { 4, 1, 5, 1, 1, 1, 0 }, 0 },
        { { 6, 3, 3, 2, 1, 1, 1 }, 0 },
        { { 7, 2, 3, 2, 2, 0, 0 }, 0 },
        { { 64, 32, 2, 2, 1, 0, 0 }, 0 },
        { { INT32_MAX, INT32_MAX, 1, 1, 1, 0, 0 }, 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cconv_window w = cases[i].w;
        w.out = -5;
        if (cases[i].same)
            w.before = w.after = -5;
        cconv_window_slide(&w, cases[i].same);
        assert_int_equal(w.out, cases[i].w.out);
        assert_int_equal(w.before, cases[i].w.before);
        assert_int_equal(w.after, cases[i].w.after);
    }
}

/* ---- elementwise ---- */

/* Longer than a task, and no multiple of anything. */
#define LONG_COUNT 40011

static double act_value(int32_t kind, double slope, double x)
{
    switch (kind) {
    case CCONV_ACT_RELU:
        return x > 0 ? x : 0;
    case CCONV_ACT_LEAKY:
        return x > 0 ? x : slope * x;
    case CCONV_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case CCONV_ACT_TANH:
        return tanh(x);
    case CCONV_ACT_EXP:
        return exp(x);
    default:
        return x;
    }
}

static double act_slope(int32_t kind, double slope, double x)
{
    switch (kind) {
    case CCONV_ACT_RELU:
        return x > 0 ? 1 : 0;
    case CCONV_ACT_LEAKY:
        return x > 0 ? 1 : slope;
    case CCONV_ACT_SIGMOID:
        return 1 / ((1 + exp(-x)) * (1 + exp(x)));
    case CCONV_ACT_TANH:
        return 1 / (cosh(x) * cosh(x));
    case CCONV_ACT_EXP:
        return exp(x);
    default:
        return 1;
    }
}

static void activations(void **state)
{
    const double slope = 0.125;
    double *want = doubles(LONG_COUNT);

    (void)state;
    for (int32_t kind = CCONV_ACT_NONE; kind <= CCONV_ACT_EXP; kind++) {
        struct drive d;
        drive_begin(&d, &cconv_op_act);
        d.attr.act.kind = kind;
        d.attr.act.slope = slope;
        cconv_real *x = drive_input(&d, 2, (int64_t[]){ 3, LONG_COUNT / 3 });
        for (size_t i = 0; i < LONG_COUNT; i++)
            x[i] *= 3;
        x[0] = x[7777] = 0;
        drive_run(&d);
        for (size_t i = 0; i < LONG_COUNT; i++)
            want[i] = act_value(kind, slope, (double)x[i]);
        drive_check("y", d.y, want, LONG_COUNT, 2);
        for (size_t i = 0; i < LONG_COUNT; i++)
            want[i] = (double)d.dy[i] * act_slope(kind, slope, (double)x[i]);
        drive_check("dx", d.dx[0], want, LONG_COUNT, 4);
        drive_end(&d);
    }
    free(want);
}

static void activations_at_the_ends(void **state)
{
    static const struct {
        int32_t kind;
        double x, y;
    } cases[] = {
        { CCONV_ACT_RELU, -INFINITY, 0 },
        { CCONV_ACT_RELU, INFINITY, INFINITY },
        { CCONV_ACT_RELU, NAN, NAN },
        { CCONV_ACT_LEAKY, -8, -2 },
        { CCONV_ACT_LEAKY, NAN, NAN },
        { CCONV_ACT_LEAKY, -INFINITY, -INFINITY },
        { CCONV_ACT_SIGMOID, -1e30, 0 },
        { CCONV_ACT_SIGMOID, 1e30, 1 },
        { CCONV_ACT_SIGMOID, 0, 0.5 },
        { CCONV_ACT_SIGMOID, NAN, NAN },
        { CCONV_ACT_TANH, INFINITY, 1 },
        { CCONV_ACT_TANH, -INFINITY, -1 },
        { CCONV_ACT_EXP, -INFINITY, 0 },
        { CCONV_ACT_EXP, INFINITY, INFINITY },
        { CCONV_ACT_EXP, NAN, NAN },
        { CCONV_ACT_EXP, 0, 1 },
        { CCONV_ACT_LEAKY, INFINITY, INFINITY },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_act);
        d.app.training = 0;
        d.attr.act.kind = cases[i].kind;
        d.attr.act.slope = 0.25;
        cconv_real *x = drive_input(&d, 1, (int64_t[]){ 37 });
        for (size_t k = 0; k < 37; k++)
            x[k] = (cconv_real)cases[i].x;
        drive_run(&d);
        for (size_t k = 0; k < 37; k++) {
            if (isnan(cases[i].y))
                assert_true(isnan(d.y[k]));
            else
                assert_true((double)d.y[k] == cases[i].y);
        }
        drive_end(&d);
    }
}

static void scales(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_scale);
    d.attr.factor = -2.5;
    const cconv_real *x = drive_input(&d, 1, (int64_t[]){ LONG_COUNT });
    drive_run(&d);
    for (size_t i = 0; i < LONG_COUNT; i++) {
        assert_true(d.y[i] == (cconv_real)-2.5 * x[i]);
        assert_true(d.dx[0][i] == (cconv_real)-2.5 * d.dy[i]);
    }
    drive_end(&d);
}

static void adds_and_multiplies(void **state)
{
    (void)state;
    for (int skip = -1; skip < 2; skip++) {
        struct drive a, m;
        drive_begin(&a, &cconv_op_add);
        drive_begin(&m, &cconv_op_multiply);
        const cconv_real *x = drive_input(&a, 1, (int64_t[]){ LONG_COUNT });
        const cconv_real *y = drive_input(&a, 1, (int64_t[]){ LONG_COUNT });
        drive_input(&m, 1, (int64_t[]){ LONG_COUNT }); /* the same numbers again */
        drive_input(&m, 1, (int64_t[]){ LONG_COUNT });
        if (skip >= 0)
            a.skip_dx[skip] = m.skip_dx[skip] = 1;
        drive_run(&a);
        drive_run(&m);
        for (size_t i = 0; i < LONG_COUNT; i++) {
            assert_true(a.y[i] == x[i] + y[i]);
            assert_true(m.y[i] == x[i] * y[i]);
            assert_true(skip == 0 || a.dx[0][i] == a.dy[i]);
            assert_true(skip == 1 || a.dx[1][i] == a.dy[i]);
            assert_true(skip == 0 || m.dx[0][i] == m.dy[i] * y[i]);
            assert_true(skip == 1 || m.dx[1][i] == m.dy[i] * x[i]);
        }
        drive_end(&a);
        drive_end(&m);
    }
}

/* ---- shapes ---- */

static void reshapes(void **state)
{
    static const struct {
        struct cconv_shape want, out;
    } cases[] = {
        { { 2, { 6, 20 } }, { 2, { 6, 20 } } },
        { { 2, { 0, -1 } }, { 2, { 2, 60 } } },
        { { 1, { -1 } }, { 1, { 120 } } },
        { { 5, { 0, 0, 2, -1, 1 } }, { 5, { 2, 3, 2, 10, 1 } } },
        { { 3, { -1, 0, 0 } }, { 3, { 10, 3, 4 } } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_reshape);
        d.attr.reshape = cases[i].want;
        drive_image(&d, 2, 3, 4, 5);
        drive_run(&d);
        assert_true(cconv_shape_equal(&d.app.out, &cases[i].out));
        assert_memory_equal(d.y, d.x[0], 120 * sizeof(cconv_real));
        assert_memory_equal(d.dx[0], d.dy, 120 * sizeof(cconv_real));
        drive_end(&d);
    }
}

static void reshape_to_scalar(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_reshape);
    drive_image(&d, 1, 1, 1, 1);
    drive_run(&d);
    assert_int_equal(d.app.out.ndim, 0);
    drive_end(&d);
}

static void bad_reshapes(void **state)
{
    static const struct {
        struct cconv_shape want;
        coordconv_status status;
        const char *text;
    } cases[] = {
        { { 2, { 7, 20 } },
          COORDCONV_ERR_SHAPE,
          "120 elements of [2, 3, 4, 5] do not fill [7, 20]" },
        { { 2, { 7, -1 } }, COORDCONV_ERR_SHAPE, "do not fill [7, -1]" },
        { { 2, { -1, -1 } }, COORDCONV_ERR_INVALID, "axes 0 and 1 are both -1" },
        { { 2, { -2, 60 } }, COORDCONV_ERR_INVALID, "extent -2 of axis 0" },
        { { 5, { 0, 0, 0, 0, 0 } }, COORDCONV_ERR_SHAPE, "axis 4 copies an extent" },
        { { 8, { INT32_MAX, INT32_MAX, INT32_MAX, 2, 2, 2, 2, 2 } }, COORDCONV_ERR_SHAPE, "fill" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_reshape);
        d.attr.reshape = cases[i].want;
        drive_image(&d, 2, 3, 4, 5);
        check_fails(drive_infer(&d), cases[i].status, cases[i].text);
        drive_end(&d);
    }
}

static void reshape_of_nothing(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_reshape);
    drive_input(&d, 2, (int64_t[]){ 0, 3 });
    d.attr.reshape = (struct cconv_shape){ 3, { 0, 5, 7 } };
    drive_run(&d);
    assert_int_equal(d.app.out.dim[0], 0);
    d.attr.reshape = (struct cconv_shape){ 2, { 0, -1 } }; /* any extent would do */
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "0 elements of [0, 3] do not fill [0, -1]");
    drive_end(&d);
}

static void flattens(void **state)
{
    static const struct cconv_shape out[] = {
        { 1, { 120 } }, { 2, { 2, 60 } }, { 3, { 2, 3, 20 } }, { 4, { 2, 3, 4, 5 } }
    };

    (void)state;
    for (int32_t axis = -1; axis <= 4; axis++) {
        struct drive d;
        drive_begin(&d, &cconv_op_flatten);
        d.attr.axis = axis;
        drive_image(&d, 2, 3, 4, 5);
        if (axis < 0 || axis == 4) {
            check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "[2, 3, 4, 5]");
        } else {
            drive_run(&d);
            assert_true(cconv_shape_equal(&d.app.out, &out[axis]));
            assert_memory_equal(d.y, d.x[0], 120 * sizeof(cconv_real));
            assert_memory_equal(d.dx[0], d.dy, 120 * sizeof(cconv_real));
        }
        drive_end(&d);
    }
}

static void tiles(void **state)
{
    static const int64_t cases[][4] = { { 1, 1, 1, 1 }, { 2, 3, 5, 1 },    { 3, 1, 7, 4 },
                                        { 2, 6, 1, 9 }, { 2, 70, 100, 3 }, { 1, 5, 3, 700 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t n = cases[i][0], h = cases[i][1], w = cases[i][2], c = cases[i][3];
        struct drive d;
        drive_begin(&d, &cconv_op_tile);
        d.attr.tile[0] = h;
        d.attr.tile[1] = w;
        const cconv_real *x = drive_input(&d, 2, (int64_t[]){ n, c });
        drive_run(&d);
        double *sum = doubles((size_t)(n * c));
        for (int64_t k = 0; k < n * h * w * c; k++) {
            const int64_t from = k / (h * w * c) * c + k % c;
            assert_true(d.y[k] == x[from]);
            sum[from] += (double)d.dy[k];
        }
        drive_check("dx", d.dx[0], sum, (size_t)(n * c), 1 + drive_sum_units((size_t)(h * w)));
        free(sum);
        drive_end(&d);
    }
}

static void bad_tiles(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_tile);
    drive_input(&d, 2, (int64_t[]){ 2, 3 });
    d.attr.tile[0] = 4;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "tile");
    d.attr.tile[0] = d.attr.tile[1] = INT64_C(2147483647);
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "tile");
    d.attr.tile[1] = INT64_MAX;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "tile");
    d.attr.tile[0] = d.attr.tile[1] = 2;
    d.in[0].ndim = 1;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "input [2]");
    drive_end(&d);
}

/* Offset of an index within a row-major array. */
static size_t flat(const struct cconv_shape *s, const int64_t *index)
{
    size_t at = 0;

    for (int32_t i = 0; i < s->ndim; i++)
        at = at * (size_t)s->dim[i] + (size_t)index[i];
    return at;
}

static void unflat(const struct cconv_shape *s, size_t at, int64_t *index)
{
    for (int32_t i = s->ndim - 1; i >= 0; i--) {
        index[i] = (int64_t)(at % (size_t)s->dim[i]);
        at /= (size_t)s->dim[i];
    }
}

static void check_concat(const struct drive *d)
{
    const int32_t axis = d->attr.axis;

    for (size_t k = 0; k < d->y_count; k++) {
        int64_t index[COORDCONV_MAX_NDIM];
        int32_t i = 0;
        unflat(&d->app.out, k, index);
        while (index[axis] >= d->in[i].dim[axis])
            index[axis] -= d->in[i++].dim[axis];
        const size_t from = flat(&d->in[i], index);
        assert_true(d->y[k] == ((const cconv_real *)d->x[i])[from]);
        assert_true(d->dx[i] == NULL || d->dx[i][from] == d->dy[k]);
    }
}

static void concats(void **state)
{
    static const int64_t cases[][4] = { { 2, 3, 5, 4 }, { 3, 1, 1, 1 }, { 2, 40, 33, 17 } };
    static const int64_t lengths[DRIVE_INPUTS] = { 3, 1, 20, 2 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases) * 4; i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_concat);
        d.attr.axis = (int32_t)(i % 4);
        for (size_t k = 0; k < DRIVE_INPUTS; k++) {
            int64_t shape[4];
            memcpy(shape, cases[i / 4], sizeof shape);
            shape[i % 4] = lengths[k];
            drive_input(&d, 4, shape);
        }
        d.skip_dx[1] = i % 2 == 0;
        drive_run(&d);
        assert_int_equal(d.app.out.dim[i % 4], 26);
        check_concat(&d);
        drive_end(&d);
    }
}

static void concat_of_one(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_concat);
    d.attr.axis = 1;
    drive_input(&d, 2, (int64_t[]){ 5, 7 });
    drive_run(&d);
    check_concat(&d);
    drive_end(&d);
}

static void bad_concats(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_concat);
    drive_image(&d, 2, 3, 4, 5);
    drive_image(&d, 2, 3, 4, 6);
    d.attr.axis = 2;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE,
                "input 1 of shape [2, 3, 4, 6] does not join [2, 3, 4, 5] along axis 2");
    d.attr.axis = 4;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "axis 4");
    d.attr.axis = -1;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "axis -1");
    d.attr.axis = 3;
    d.in[0].dim[3] = INT32_MAX;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "axis 3 would have 2147483653");
    d.in[1].ndim = 3;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "does not join");
    d.dtype[1] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "input 1 is int32");
    drive_end(&d);
}

static void bad_elementwise(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_act);
    drive_input(&d, 2, (int64_t[]){ 4, 3 });
    drive_input(&d, 2, (int64_t[]){ 3, 4 });
    d.attr.act.kind = CCONV_ACT_LEAKY;
    d.attr.act.slope = 1;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "slope 1");
    d.attr.act.slope = -0.5;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "slope -0.5");
    d.attr.act.slope = NAN;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "slope");
    d.app.op = &cconv_op_scale;
    d.attr.factor = INFINITY;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "factor inf");
    d.app.op = &cconv_op_add;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "add: shapes [4, 3] and [3, 4]");
    d.app.op = &cconv_op_multiply;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "multiply: shapes [4, 3] and [3, 4]");
    d.dtype[0] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "multiply: input 0 is int32");
    drive_end(&d);
}

/* Extents of 0 are no error where nothing is divided by them. */
static void empty_inputs(void **state)
{
    static const struct cconv_op *const ops[] = { &cconv_op_act, &cconv_op_scale, &cconv_op_softmax,
                                                  &cconv_op_flatten, &cconv_op_concat };

    (void)state;
    for (size_t i = 0; i < COUNT(ops); i++) {
        struct drive d;
        drive_begin(&d, ops[i]);
        drive_input(&d, 2, (int64_t[]){ 0, 3 });
        if (ops[i] == &cconv_op_softmax)
            d.attr.axes = 2;
        drive_run(&d);
        drive_end(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_slides),
        cmocka_unit_test(activations),
        cmocka_unit_test(activations_at_the_ends),
        cmocka_unit_test(scales),
        cmocka_unit_test(adds_and_multiplies),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(reshape_to_scalar),
        cmocka_unit_test(bad_reshapes),
        cmocka_unit_test(reshape_of_nothing),
        cmocka_unit_test(flattens),
        cmocka_unit_test(tiles),
        cmocka_unit_test(bad_tiles),
        cmocka_unit_test(concats),
        cmocka_unit_test(concat_of_one),
        cmocka_unit_test(bad_concats),
        cmocka_unit_test(bad_elementwise),
        cmocka_unit_test(empty_inputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
