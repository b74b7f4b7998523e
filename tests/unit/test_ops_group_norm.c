/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_ops_group_norm.c - group norm against plain loops in double.
 */
#include "op_driver.h"

#include <math.h>
#include <stdlib.h>

#include "ops/layer.h"

#define EPSILON 0.01

static double *doubles(size_t n)
{
    double *p = calloc(n, sizeof *p);

    assert_non_null(p);
    return p;
}

static coordconv_layer *make_norm(struct drive *d, int32_t channels, int32_t groups)
{
    const coordconv_group_norm_desc desc = {
        .struct_size = sizeof desc, .channels = channels, .groups = groups, .epsilon = EPSILON
    };
    coordconv_layer *layer = NULL;

    drive_begin(d, &cconv_op_group_norm);
    check_ok(coordconv_group_norm_new(d->contexts[0], &desc, &layer));
    test_fill_layer(layer, 99);
    d->app.layer = layer;
    d->app.attr = &layer->attr;
    return layer;
}

/* The elements of a group of one sample: rows of `channels`, of which columns first .. last - 1. */
struct part {
    size_t begin, rows, channels, first, last;
    double mean, deviation, count;
};

#define EACH(p, r, c, i)                                                                           \
    for (size_t r = 0; r < (p)->rows; r++)                                                         \
        for (size_t c = (p)->first, i = (p)->begin + r * (p)->channels + c; c < (p)->last; c++, i++)

static void measure(struct part *p, const cconv_real *x)
{
    double var = 0;

    p->count = (double)(p->rows * (p->last - p->first));
    EACH(p, r, c, i)
    p->mean += (double)x[i] / p->count;
    EACH(p, r, c, i)
    var += pow((double)x[i] - p->mean, 2) / p->count;
    p->deviation = sqrt(var + EPSILON);
}

/* dL/dx through mean and variance, by the chain rule step by step. */
static void check_part(const struct drive *d, const struct part *p, double *y, double *dx,
                       double *dparam)
{
    const cconv_real *x = d->x[0], *weight = cconv_layer_values(d->app.layer, 0);
    const cconv_real *bias = cconv_layer_values(d->app.layer, 1);
    double d_var = 0, d_mean = 0;

    EACH(p, r, c, i)
    {
        const double e = (double)x[i] - p->mean, dy = (double)d->dy[i], w = (double)weight[c];

        y[i] = w * e / p->deviation + (double)bias[c];
        dparam[c] += dy * e / p->deviation;
        dparam[p->channels + c] += dy;
        d_var += dy * w * e * -0.5 / pow(p->deviation, 3);
        d_mean -= dy * w / p->deviation;
    }
    EACH(p, r, c, i)
    dx[i] = (double)d->dy[i] * (double)weight[c] / p->deviation +
            (d_var * 2 * ((double)x[i] - p->mean) + d_mean) / p->count;
}

static void check(const struct drive *d, double units)
{
    const size_t samples = (size_t)d->in[0].dim[0];
    const size_t channels = (size_t)d->app.attr->group_norm.channels;
    const size_t each = channels / (size_t)d->app.attr->group_norm.groups;
    const size_t image = d->x_count[0] / samples;
    double *y = doubles(d->x_count[0]), *dx = doubles(d->x_count[0]);
    double *dparam = doubles(2 * channels);
    const double sums = drive_sum_units(image / channels * each);
    const double all = drive_sum_units(d->x_count[0] / channels);

    for (size_t n = 0; n < samples; n++)
        for (size_t c = 0; c < channels; c += each) {
            struct part p = { n * image, image / channels, channels, c, c + each, 0, 0, 0 };

            measure(&p, d->x[0]);
            check_part(d, &p, y, dx, dparam);
        }
    drive_check("y", d->y, y, d->y_count, units * (1 + sums));
    drive_check("dx", d->dx[0], dx, d->y_count, units * (1 + sums));
    drive_check("dweight", d->dparam[0], dparam, channels, units * (1 + sums + all));
    drive_check("dbias", d->dparam[1], dparam + channels, channels, 2 + all);
    free(y);
    free(dx);
    free(dparam);
}

/* Vectors, images of one piece and of many, few channels and more than a strip has. */
static void shapes_and_groups(void **state)
{
    static const struct {
        int64_t shape[4];
        int32_t groups;
    } cases[] = {
        { { 7, 1, 1, 6 }, 2 },    { { 3, 2, 5, 4 }, 1 },    { { 3, 2, 5, 4 }, 4 },
        { { 4, 9, 7, 3 }, 3 },    { { 2, 3, 4, 1 }, 1 },    { { 40, 7, 9, 8 }, 2 },
        { { 2, 5, 3, 600 }, 5 },  { { 2, 60, 41, 12 }, 3 }, { { 3, 31, 33, 64 }, 64 },
        { { 3, 31, 33, 64 }, 8 }, { { 2, 60, 41, 70 }, 1 }, { { 1, 5, 80, 700 }, 7 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t *s = cases[i].shape;
        struct drive d;
        coordconv_layer *layer = make_norm(&d, (int32_t)s[3], cases[i].groups);

        drive_image(&d, s[0], s[1], s[2], s[3]);
        drive_run(&d);
        check(&d, 8);
        drive_end(&d);
        coordconv_layer_unref(layer);
    }
}

/* A mean a thousand times the deviation: variances have no cancellation, but x itself is rounded
 * to a thousandth of the unit that its deviation has. */
static void far_from_zero(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 6, 2);
    (void)state;

    cconv_real *x = drive_image(&d, 2, 40, 70, 6);
    for (size_t i = 0; i < d.x_count[0]; i++)
        x[i] += 1000;
    drive_run(&d);
    check(&d, 8 * 1024);
    drive_end(&d);
    coordconv_layer_unref(layer);
}

static void vectors_and_volumes(void **state)
{
    const int64_t shapes[][5] = { { 5, 6 }, { 2, 9, 6 }, { 2, 3, 2, 4, 6 } };
    const int32_t ndim[] = { 2, 3, 5 };
    (void)state;

    for (size_t i = 0; i < COUNT(ndim); i++) {
        struct drive d;
        coordconv_layer *layer = make_norm(&d, 6, 3);

        drive_input(&d, ndim[i], shapes[i]);
        drive_run(&d);
        check(&d, 8);
        drive_end(&d);
        coordconv_layer_unref(layer);
    }
}

static void bad_shapes(void **state)
{
    const int64_t shapes[][2] = { { 3, 5 }, { 0, 6 } };
    (void)state;

    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct drive d;
        coordconv_layer *layer = make_norm(&d, 6, 3);

        drive_input(&d, 2, shapes[i]);
        check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "group_norm");
        drive_end(&d);
        coordconv_layer_unref(layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_groups),
        cmocka_unit_test(far_from_zero),
        cmocka_unit_test(vectors_and_volumes),
        cmocka_unit_test(bad_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
