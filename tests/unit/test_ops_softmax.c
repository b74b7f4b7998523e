/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_ops_softmax.c - softmax and the losses against plain loops in double.
 *
 * Tolerances are counts of rounding errors: one or two for a value made by a
 * few operations, more where an exponential is behind it.
 */
#include "op_driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Longer than a task, and no multiple of anything. */
#define LONG_COUNT 40011

static double *doubles(size_t n)
{
    double *p = calloc(n, sizeof *p);

    assert_non_null(p);
    return p;
}

static void unflat(const struct cconv_shape *s, size_t at, int64_t *index)
{
    for (int32_t i = s->ndim - 1; i >= 0; i--) {
        index[i] = (int64_t)(at % (size_t)s->dim[i]);
        at /= (size_t)s->dim[i];
    }
}

/* ---- softmax ---- */

static int same_group(const struct cconv_shape *s, uint32_t axes, size_t a, size_t b)
{
    int64_t i[COORDCONV_MAX_NDIM], j[COORDCONV_MAX_NDIM];

    unflat(s, a, i);
    unflat(s, b, j);
    for (int32_t k = 0; k < s->ndim; k++)
        if ((axes >> k & 1) == 0 && i[k] != j[k])
            return 0;
    return 1;
}

/* By comparing every element with every other: nothing in common with the code tested. */
static void check_softmax(const struct drive *d)
{
    const cconv_real *x = d->x[0];
    double *y = doubles(d->y_count), *dx = doubles(d->y_count);

    for (size_t a = 0; a < d->y_count; a++) {
        double sum = 0;
        for (size_t b = 0; b < d->y_count; b++)
            if (same_group(&d->app.out, d->attr.axes, a, b))
                sum += exp((double)x[b] - (double)x[a]);
        y[a] = 1 / sum;
    }
    for (size_t a = 0; a < d->y_count; a++) {
        for (size_t b = 0; b < d->y_count; b++)
            if (same_group(&d->app.out, d->attr.axes, a, b))
                dx[a] += (double)d->dy[b] * y[b] * ((a == b ? 1 : 0) - y[a]);
    }
    drive_check("y", d->y, y, d->y_count, 4 + drive_sum_units(d->y_count));
    drive_check("dx", d->dx[0], dx, d->y_count, 8 + drive_sum_units(d->y_count));
    free(y);
    free(dx);
}

static void softmax_over_any_axes(void **state)
{
    static const struct cconv_shape shapes[] = {
        { 4, { 3, 5, 2, 7 } },    { 4, { 2, 1, 3, 1 } }, { 4, { 1, 1, 1, 1 } },
        { 5, { 2, 3, 1, 2, 5 } }, { 1, { 11 } },         { 4, { 2, 9, 5, 1 } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        for (uint32_t axes = 1; axes < 1u << shapes[i].ndim; axes++) {
            struct drive d;
            drive_begin(&d, &cconv_op_softmax);
            d.attr.axes = axes;
            drive_input(&d, shapes[i].ndim, shapes[i].dim);
            drive_run(&d);
            check_softmax(&d);
            drive_end(&d);
        }
    }
}

/* A large case against direct sums: groups of `group` values `step` apart. */
static void check_large_softmax(const int64_t *shape, uint32_t axes, size_t group, size_t step)
{
    struct drive d;

    drive_begin(&d, &cconv_op_softmax);
    d.attr.axes = axes;
    cconv_real *x = drive_input(&d, 4, shape);
    for (size_t i = 0; i < d.x_count[0]; i++)
        x[i] = x[i] * 5 + 1000; /* exp of this overflows */
    drive_run(&d);
    double *want = doubles(group), *dx = doubles(group);
    for (size_t i = 0; i < d.y_count; i++) {
        if (i / step % group != 0)
            continue;
        double sum = 0, dot = 0;
        for (size_t k = 0; k < group; k++)
            sum += want[k] = exp((double)x[i + k * step] - 1000);
        for (size_t k = 0; k < group; k++)
            dot += (want[k] /= sum) * (double)d.dy[i + k * step];
        for (size_t k = 0; k < group; k++) {
            dx[k] = want[k] * ((double)d.dy[i + k * step] - dot);
            drive_check("y", &d.y[i + k * step], &want[k], 1, 100);
        }
        double largest = 0;
        for (size_t k = 0; k < group; k++)
            largest = fmax(largest, fabs(dx[k]));
        for (size_t k = 0; k < group; k++)
            assert_true(fabs((double)d.dx[0][i + k * step] - dx[k]) < 2e-5 * largest);
    }
    free(want);
    free(dx);
    drive_end(&d);
}

static void large_softmax(void **state)
{
    (void)state;
    check_large_softmax((int64_t[]){ 3, 64, 100, 1 }, 6, 6400, 1);
    check_large_softmax((int64_t[]){ 2, 30, 41, 3 }, 6, 1230, 3);
    check_large_softmax((int64_t[]){ 2, 9, 1, 1300 }, 2, 9, 1300);
    check_large_softmax((int64_t[]){ 50, 11, 7, 10 }, 8, 10, 1);
    check_large_softmax((int64_t[]){ 1, 200, 301, 1 }, 6, 60200, 1);
    check_large_softmax((int64_t[]){ 2, 110, 120, 3 }, 6, 13200, 3);
    check_large_softmax((int64_t[]){ 2, 3, 1, 40001 }, 8, 40001, 1);
    check_large_softmax((int64_t[]){ 1, 2, 400, 130 }, 4, 400, 130);
}

/* Two rows of several pieces each. */
static void large_softmax_of_two_groups(void **state)
{
    const int64_t shape[3] = { 2, 3, 17001 };
    const size_t row = 17001;
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_softmax);
    d.attr.axes = 5;
    const cconv_real *x = drive_input(&d, 3, shape);
    drive_run(&d);
    for (size_t h = 0; h < 3; h++) {
        double sum = 0, dot = 0;
        for (size_t i = 0; i < 2 * row; i++)
            sum += exp((double)x[(i / row * 3 + h) * row + i % row]);
        for (size_t i = 0; i < 2 * row; i++) {
            const size_t at = (i / row * 3 + h) * row + i % row;
            dot += exp((double)x[at]) / sum * (double)d.dy[at];
        }
        for (size_t i = 0; i < 2 * row; i++) {
            const size_t at = (i / row * 3 + h) * row + i % row;
            const double y = exp((double)x[at]) / sum, dx = y * ((double)d.dy[at] - dot);
            assert_true(fabs((double)d.y[at] - y) < 1e-6 * y);
            assert_true(fabs((double)d.dx[0][at] - dx) < 2e-6 * y);
        }
    }
    drive_end(&d);
}

/* One value towers above all others; wherever it is, it must be the maximum subtracted. */
static void softmax_of_one_large_value(void **state)
{
    (void)state;
    for (uint32_t axes = 1; axes < 8; axes++) {
        for (size_t place = 0; place < 24; place++) {
            struct drive d;
            drive_begin(&d, &cconv_op_softmax);
            d.attr.axes = axes;
            cconv_real *x = drive_input(&d, 3, (int64_t[]){ 3, 2, 4 });
            x[place] = 5000;
            drive_run(&d);
            for (size_t i = 0; i < 24; i++) {
                assert_true(isfinite(d.y[i]) && isfinite(d.dx[0][i]));
                if (same_group(&d.app.out, axes, i, place))
                    assert_true(d.y[i] == (i == place ? 1 : 0));
            }
            drive_end(&d);
        }
    }
}

static void bad_softmax(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_softmax);
    drive_input(&d, 2, (int64_t[]){ 2, 3 });
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "axes 0x0");
    d.attr.axes = 4;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "axes 0x4 of an input [2, 3]");
    d.attr.axes = 0x80000001u;
    check_fails(drive_infer(&d), COORDCONV_ERR_INVALID, "axes 0x80000001");
    drive_end(&d);
}

/* ---- losses ---- */

static void mse(void **state)
{
    static const int64_t counts[] = { 1, 7, 8, 9, LONG_COUNT };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        const size_t n = (size_t)counts[i];
        struct drive d;
        drive_begin(&d, &cconv_op_mse);
        const cconv_real *x = drive_input(&d, 1, &counts[i]), *t = drive_input(&d, 1, &counts[i]);
        drive_run(&d);
        double *dx = doubles(n), loss = 0;
        for (size_t k = 0; k < n; k++) {
            const double e = (double)x[k] - (double)t[k];
            loss += e * e / (double)n;
            dx[k] = 2 * e * (double)d.dy[0] / (double)n;
        }
        assert_int_equal(d.app.out.ndim, 0);
        drive_check("loss", d.y, &loss, 1, 1 + drive_sum_units(n));
        drive_check("dx", d.dx[0], dx, n, 4);
        free(dx);
        drive_end(&d);
    }
}

static void sigmoid_cross_entropy(void **state)
{
    static const int64_t counts[] = { 1, 9, LONG_COUNT };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        const size_t n = (size_t)counts[i];
        struct drive d;
        drive_begin(&d, &cconv_op_sigmoid_cross_entropy);
        cconv_real *z = drive_input(&d, 1, &counts[i]), *t = drive_input(&d, 1, &counts[i]);
        double *dz = doubles(n), loss = 0;
        for (size_t k = 0; k < n; k++) {
            z[k] *= 6;
            t[k] = (t[k] + 1) / 2;
        }
        drive_run(&d);
        for (size_t k = 0; k < n; k++) {
            const double p = 1 / (1 + exp(-(double)z[k]));
            loss -= ((double)t[k] * log(p) + (1 - (double)t[k]) * log1p(-p)) / (double)n;
            dz[k] = (p - (double)t[k]) * (double)d.dy[0] / (double)n;
        }
        drive_check("loss", d.y, &loss, 1, 4 + drive_sum_units(n));
        drive_check("dz", d.dx[0], dz, n, 4);
        free(dz);
        drive_end(&d);
    }
}

static void sigmoid_cross_entropy_of_huge_logits(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_sigmoid_cross_entropy);
    cconv_real *z = drive_input(&d, 1, (int64_t[]){ 4 }), *t = drive_input(&d, 1, (int64_t[]){ 4 });
    z[0] = z[2] = 4096;
    z[1] = z[3] = -4096;
    t[0] = t[3] = 1; /* right, right, wrong, wrong */
    t[1] = t[2] = 0;
    drive_run(&d);
    assert_true(d.y[0] == 2048);
    assert_true(d.dx[0][0] == 0 && d.dx[0][1] == 0);
    assert_true(d.dx[0][2] == d.dy[0] / 4 && d.dx[0][3] == -d.dy[0] / 4);
    drive_end(&d);
}

/* Loss and gradient of one sample with distribution t; classes values each. */
static double naive_cross_entropy(const cconv_real *z, const double *t, size_t classes, double *dz)
{
    double sum = 0, loss = 0, total = 0;

    for (size_t k = 0; k < classes; k++) {
        sum += exp((double)z[k]);
        total += t[k];
    }
    for (size_t k = 0; k < classes; k++) {
        loss -= t[k] * log(exp((double)z[k]) / sum);
        dz[k] = total * exp((double)z[k]) / sum - t[k];
    }
    return loss;
}

static void check_cross_entropy(const struct drive *d)
{
    const size_t samples = (size_t)d->in[0].dim[0], classes = d->x_count[0] / samples;
    double *t = doubles(classes), *dz = doubles(d->x_count[0]), loss = 0;

    for (size_t n = 0; n < samples; n++) {
        for (size_t k = 0; k < classes; k++) {
            if (d->dtype[1] == COORDCONV_I32)
                t[k] = (size_t)((int32_t *)d->x[1])[n] == k ? 1 : 0;
            else
                t[k] = (double)((cconv_real *)d->x[1])[n * classes + k];
        }
        loss +=
            naive_cross_entropy((cconv_real *)d->x[0] + n * classes, t, classes, dz + n * classes) /
            (double)samples;
    }
    for (size_t i = 0; i < d->x_count[0]; i++)
        dz[i] *= (double)d->dy[0] / (double)samples;
    drive_check("loss", d->y, &loss, 1, 8 + drive_sum_units(samples));
    drive_check("dz", d->dx[0], dz, d->x_count[0], 8 + drive_sum_units(classes));
    free(t);
    free(dz);
}

static const int64_t entropy_shapes[][4] = {
    { 1, 1, 1, 1 }, { 5, 1, 1, 3 }, { 2, 3, 7, 1 }, { 3, 64, 100, 1 }, { 4000, 1, 1, 10 }
};

static void softmax_cross_entropy_of_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(entropy_shapes); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_softmax_cross_entropy);
        cconv_real *z = drive_input(&d, 4, entropy_shapes[i]);
        int32_t *labels = drive_labels(&d, entropy_shapes[i][0]);
        const size_t classes = d.x_count[0] / (size_t)entropy_shapes[i][0];
        for (size_t k = 0; k < d.x_count[0]; k++)
            z[k] *= 3;
        for (int64_t n = 0; n < entropy_shapes[i][0]; n++)
            labels[n] = (int32_t)((size_t)(n + 1) * 31 % classes);
        labels[0] = (int32_t)classes - 1;
        drive_run(&d);
        check_cross_entropy(&d);
        cconv_real trained = d.y[0];
        d.app.training = 0; /* nothing is saved then, the loss stays the same */
        drive_run(&d);
        assert_true(d.y[0] == trained);
        drive_end(&d);
    }
}

static void softmax_cross_entropy_of_distributions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(entropy_shapes); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_softmax_cross_entropy);
        drive_input(&d, 4, entropy_shapes[i]);
        cconv_real *t = drive_input(&d, 4, entropy_shapes[i]);
        for (size_t k = 0; k < d.x_count[1]; k++)
            t[k] = t[k] > 0 ? t[k] : 0; /* sums to what it sums to */
        drive_run(&d);
        check_cross_entropy(&d);
        drive_end(&d);
    }
}

static void softmax_cross_entropy_by_hand(void **state)
{
    struct drive d;
    const cconv_real one = 1;
    const double third = log(3.0), gradient[3] = { 1.0 / 3, 1.0 / 3, -2.0 / 3 };

    (void)state;
    drive_begin(&d, &cconv_op_softmax_cross_entropy);
    cconv_real *z = drive_input(&d, 2, (int64_t[]){ 1, 3 });
    drive_labels(&d, 1)[0] = 2;
    z[0] = z[1] = z[2] = 10000; /* exp of this is infinite */
    check_ok(drive_try(&d, &one));
    drive_check("loss", d.y, &third, 1, 1e4);
    drive_check("dz", d.dx[0], gradient, 3, 2);
    z[0] = z[1] = -(cconv_real)INFINITY; /* impossible classes are no trouble */
    check_ok(drive_try(&d, &one));
    assert_true(d.y[0] == 0 && d.dx[0][0] == 0 && d.dx[0][2] == 0);
    drive_end(&d);
}

static void impossible_class_of_no_weight(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_softmax_cross_entropy);
    cconv_real *z = drive_input(&d, 2, (int64_t[]){ 1, 2 });
    cconv_real *t = drive_input(&d, 2, (int64_t[]){ 1, 2 });
    z[0] = -(cconv_real)INFINITY;
    z[1] = 3;
    t[0] = 0;
    t[1] = 1;
    drive_run(&d);
    assert_true(d.y[0] == 0);
    drive_end(&d);
}

static void class_out_of_range(void **state)
{
    static const int32_t wrong[] = { -1, 12, INT32_MIN, INT32_MAX };
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_softmax_cross_entropy);
    drive_image(&d, 5, 3, 4, 1);
    int32_t *labels = drive_labels(&d, 5);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char text[80];
        snprintf(text, sizeof text, "sample 3 has class %d, but there are 12 classes",
                 (int)wrong[i]);
        labels[3] = wrong[i];
        check_fails(drive_try(&d, NULL), COORDCONV_ERR_INVALID, text);
    }
    labels[3] = 11;
    drive_run(&d);
    drive_end(&d);
}

static void bad_losses(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_softmax_cross_entropy);
    drive_input(&d, 2, (int64_t[]){ 4, 3 });
    drive_labels(&d, 5);
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "labels [5] for logits [4, 3], expected [4]");
    d.in[1] = d.in[0];
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "labels [4, 3]");
    d.dtype[1] = CCONV_REAL_DTYPE;
    check_ok(drive_infer(&d));
    d.in[1].dim[1] = 2;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "shapes [4, 3] and [4, 2] are not the same");
    d.in[0].ndim = 1;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "logits [4]");
    d.dtype[0] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "input 0 is int32");
    d.dtype[0] = CCONV_REAL_DTYPE;
    d.app.op = &cconv_op_mse;
    d.in[0] = d.in[1] = (struct cconv_shape){ 2, { 0, 3 } };
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "mse: input [0, 3] is empty");
    d.dtype[1] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "mse: input 1 is int32");
    drive_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_over_any_axes),
        cmocka_unit_test(large_softmax),
        cmocka_unit_test(large_softmax_of_two_groups),
        cmocka_unit_test(softmax_of_one_large_value),
        cmocka_unit_test(bad_softmax),
        cmocka_unit_test(mse),
        cmocka_unit_test(sigmoid_cross_entropy),
        cmocka_unit_test(sigmoid_cross_entropy_of_huge_logits),
        cmocka_unit_test(softmax_cross_entropy_of_classes),
        cmocka_unit_test(softmax_cross_entropy_of_distributions),
        cmocka_unit_test(softmax_cross_entropy_by_hand),
        cmocka_unit_test(impossible_class_of_no_weight),
        cmocka_unit_test(class_out_of_range),
        cmocka_unit_test(bad_losses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
