/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_ops_pool.c - pooling and batch norm against plain loops in double.
 */
#include "op_driver.h"

#include <math.h>
#include <stdlib.h>

#include "ops/layer.h"

static double *doubles(size_t n)
{
    double *p = calloc(n, sizeof *p);

    assert_non_null(p);
    return p;
}

/* ---- pooling ---- */

/* Element (n, y, x, c) of an image of shape s. */
static size_t at(const struct cconv_shape *s, int64_t n, int64_t y, int64_t x, int64_t c)
{
    return (size_t)(((n * s->dim[1] + y) * s->dim[2] + x) * s->dim[3] + c);
}

struct window_of {
    int64_t top, left, kernel_y, kernel_x;
};

static int inside(const struct cconv_shape *s, int64_t y, int64_t x)
{
    return y >= 0 && y < s->dim[1] && x >= 0 && x < s->dim[2];
}

/* Largest of a window, and where it is. */
static double max_of(const struct drive *d, const struct window_of *w, int64_t n, int64_t c,
                     size_t *where)
{
    double best = 0;
    int found = 0;

    for (int64_t y = w->top; y < w->top + w->kernel_y; y++) {
        for (int64_t x = w->left; x < w->left + w->kernel_x; x++) {
            if (!inside(&d->in[0], y, x))
                continue;
            const size_t i = at(&d->in[0], n, y, x, c);
            const double v = (double)((const cconv_real *)d->x[0])[i];
            if (!found || v > best) {
                best = v;
                *where = i;
            }
            found = 1;
        }
    }
    assert_true(found);
    return best;
}

/* Mean of a window; adds its share of dy to dx. */
static double mean_of(const struct drive *d, const struct window_of *w, int64_t n, int64_t c,
                      double dy, double *dx)
{
    double sum = 0;
    int64_t count = 0;

    for (int64_t y = w->top; y < w->top + w->kernel_y; y++)
        for (int64_t x = w->left; x < w->left + w->kernel_x; x++)
            count += inside(&d->in[0], y, x) || d->attr.pool.count_padding;
    for (int64_t y = w->top; y < w->top + w->kernel_y; y++) {
        for (int64_t x = w->left; x < w->left + w->kernel_x; x++) {
            if (!inside(&d->in[0], y, x))
                continue;
            const size_t i = at(&d->in[0], n, y, x, c);
            sum += (double)((const cconv_real *)d->x[0])[i];
            dx[i] += dy / (double)count;
        }
    }
    return sum / (double)count;
}

/* Padding before an axis with SAME: half of what is missing, rounded down. */
static int64_t same_before(int64_t in, int64_t kernel, int64_t stride)
{
    const int64_t out = (in - 1) / stride + 1, missing = (out - 1) * stride + kernel - in;

    return missing > 0 ? missing / 2 : 0;
}

static void check_pool(const struct drive *d, int is_max)
{
    const struct cconv_pool_attr *p = &d->attr.pool;
    const struct cconv_shape *out = &d->app.out;
    const int64_t top =
        p->same ? same_before(d->in[0].dim[1], p->kernel[0], p->stride[0]) : p->pads[0];
    const int64_t left =
        p->same ? same_before(d->in[0].dim[2], p->kernel[1], p->stride[1]) : p->pads[1];
    double *y = doubles(d->y_count), *dx = doubles(d->x_count[0]);

    for (size_t i = 0; i < d->y_count; i++) {
        const int64_t k = (int64_t)i, c = k % out->dim[3], ox = k / out->dim[3] % out->dim[2],
                      oy = k / (out->dim[3] * out->dim[2]) % out->dim[1],
                      n = k / (out->dim[3] * out->dim[2] * out->dim[1]);
        const struct window_of w = { oy * p->stride[0] - top, ox * p->stride[1] - left,
                                     p->kernel[0], p->kernel[1] };
        size_t where = 0;
        if (is_max) {
            y[i] = max_of(d, &w, n, c, &where);
            dx[where] += (double)d->dy[i];
        } else {
            y[i] = mean_of(d, &w, n, c, (double)d->dy[i], dx);
        }
    }
    drive_check("y", d->y, y, d->y_count, is_max ? 0 : 8);
    drive_check("dx", d->dx[0], dx, d->x_count[0], 8);
    free(y);
    free(dx);
}

/* Shape, then the window; stride 0 is for "the kernel". */
static const struct {
    int64_t shape[4];
    struct cconv_pool_attr pool; /* kernel, stride, pads, same, count_padding */
    int64_t out[2];
} pools[] = {
    { { 1, 1, 1, 1 }, { { 1, 1 }, { 1, 1 }, { 0, 0, 0, 0 }, 0, 0 }, { 1, 1 } },
    { { 1, 1, 1, 3 }, { { 3, 2 }, { 2, 2 }, { 1, 1, 2, 1 }, 0, 0 }, { 1, 1 } },
    { { 2, 6, 8, 1 }, { { 2, 2 }, { 2, 2 }, { 0, 0, 0, 0 }, 0, 0 }, { 3, 4 } },
    { { 2, 7, 9, 5 }, { { 2, 2 }, { 2, 2 }, { 0, 0, 0, 0 }, 0, 0 }, { 3, 4 } },
    { { 2, 7, 10, 3 }, { { 3, 3 }, { 2, 2 }, { 0, 0, 0, 0 }, 1, 0 }, { 4, 5 } },
    { { 2, 7, 10, 3 }, { { 3, 3 }, { 2, 2 }, { 0, 0, 0, 0 }, 1, 1 }, { 4, 5 } },
    { { 3, 5, 11, 2 }, { { 3, 5 }, { 1, 1 }, { 1, 2, 1, 2 }, 0, 0 }, { 5, 11 } },
    { { 3, 5, 11, 2 }, { { 3, 5 }, { 1, 1 }, { 1, 2, 1, 2 }, 0, 1 }, { 5, 11 } },
    { { 1, 9, 4, 4 }, { { 4, 3 }, { 3, 2 }, { 3, 0, 1, 2 }, 0, 0 }, { 4, 2 } },
    { { 2, 13, 8, 2 }, { { 2, 1 }, { 5, 3 }, { 0, 0, 0, 0 }, 0, 0 }, { 3, 3 } },
    { { 1, 1, 17, 1 }, { { 1, 4 }, { 1, 4 }, { 0, 0, 0, 0 }, 1, 0 }, { 1, 5 } },
    { { 2, 3, 2, 7 }, { { 9, 8 }, { 1, 1 }, { 0, 0, 0, 0 }, 1, 0 }, { 3, 2 } },
    { { 3, 70, 50, 6 }, { { 3, 3 }, { 2, 2 }, { 1, 1, 1, 1 }, 0, 0 }, { 35, 25 } },
    { { 5, 40, 64, 8 }, { { 2, 2 }, { 2, 2 }, { 0, 0, 0, 0 }, 0, 0 }, { 20, 32 } },
    { { 1, 300, 41, 3 }, { { 7, 5 }, { 1, 2 }, { 3, 1, 2, 4 }, 0, 0 }, { 299, 21 } },
    { { 2, 3, 901, 3 }, { { 2, 3 }, { 1, 2 }, { 0, 1, 0, 0 }, 0, 0 }, { 2, 450 } },
    { { 1, 4, 1030, 1 }, { { 2, 2 }, { 2, 2 }, { 0, 0, 0, 0 }, 0, 0 }, { 2, 515 } },
};

static void windows_are_pooled(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(pools); i++) {
        const int is_max = i % 2 == 0;
        const int64_t *s = pools[i / 2].shape;
        struct drive d;
        drive_begin(&d, is_max ? &cconv_op_max_pool2d : &cconv_op_avg_pool2d);
        d.attr.pool = pools[i / 2].pool;
        cconv_real *x = drive_image(&d, s[0], s[1], s[2], s[3]);
        for (size_t k = 0; k < d.x_count[0]; k++) /* many equal values */
            x[k] = (cconv_real)floor((double)x[k] * 4);
        drive_run(&d);
        assert_int_equal(d.app.out.dim[1], pools[i / 2].out[0]);
        assert_int_equal(d.app.out.dim[2], pools[i / 2].out[1]);
        check_pool(&d, is_max);
        drive_end(&d);
    }
}

/* 2 x 2 windows of a 2 x 8 image, by hand. */
static void max_pool_by_hand(void **state)
{
    static const cconv_real dy[4] = { 1, 2, 3, 4 };
    const cconv_real inf = (cconv_real)INFINITY;
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_max_pool2d);
    d.attr.pool = (struct cconv_pool_attr){ .kernel = { 2, 2 }, .stride = { 2, 2 } };
    cconv_real *x = drive_image(&d, 1, 2, 8, 1);
    const cconv_real rows[2][8] = { { 1, 5, -inf, -inf, 2, (cconv_real)NAN, 3, 3 },
                                    { 5, 2, -inf, -inf, 7, 8, 3, 3 } };
    for (int i = 0; i < 16; i++)
        x[i] = rows[i / 8][i % 8];
    check_ok(drive_try(&d, dy));
    assert_true(d.y[0] == 5 && d.y[1] == -inf && isnan(d.y[2]) && d.y[3] == 3);
    const cconv_real dx[16] = { 0, 1, 2, 0, 0, 3, 4, 0 };
    for (int i = 0; i < 16; i++)
        assert_true(d.dx[0][i] == dx[i]);
    drive_end(&d);
}

/* Every window is -infinity throughout; its first pixel inside the image gets the gradient. */
static void max_pool_of_nothing_but_infinity(void **state)
{
    static const cconv_real dy[4] = { 1, 2, 3, 4 };
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_max_pool2d);
    d.attr.pool =
        (struct cconv_pool_attr){ .kernel = { 2, 2 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 } };
    cconv_real *x = drive_image(&d, 1, 2, 2, 1);
    for (int i = 0; i < 4; i++)
        x[i] = -(cconv_real)INFINITY;
    check_ok(drive_try(&d, dy));
    assert_memory_equal(d.y, x, 4 * sizeof *x);
    assert_memory_equal(d.dx[0], dy, sizeof dy);
    drive_end(&d);
}

static void average_pool_by_hand(void **state)
{
    static const cconv_real dy[4] = { 4, 4, 4, 4 };
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_avg_pool2d);
    d.attr.pool = (struct cconv_pool_attr){
        .kernel = { 2, 2 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .count_padding = 1
    };
    cconv_real *x = drive_image(&d, 1, 2, 2, 1);
    for (int i = 0; i < 4; i++)
        x[i] = (cconv_real)(4 * (i + 1));
    check_ok(drive_try(&d, dy));
    for (int i = 0; i < 4; i++)
        assert_true(d.y[i] == (cconv_real)(i + 1) && d.dx[0][i] == 1);
    d.attr.pool.count_padding = 0;
    check_ok(drive_try(&d, dy));
    for (int i = 0; i < 4; i++)
        assert_true(d.y[i] == (cconv_real)(4 * (i + 1)) && d.dx[0][i] == 4);
    drive_end(&d);
}

static void max_pool_of_inference(void **state)
{
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_max_pool2d);
    d.attr.pool = (struct cconv_pool_attr){ .kernel = { 3, 2 }, .stride = { 2, 2 }, .same = 1 };
    drive_image(&d, 2, 31, 40, 12);
    drive_run(&d);
    cconv_real *y = d.y;
    d.y = NULL;
    d.app.training = 0;
    drive_run(&d);
    assert_memory_equal(d.y, y, d.y_count * sizeof *y);
    free(y);
    drive_end(&d);
}

static void bad_pools(void **state)
{
    static const struct {
        struct cconv_pool_attr pool;
        coordconv_status status;
        const char *text;
    } cases[] = {
        { { { 5, 5 }, { 1, 1 }, { 0, 0, 0, 0 }, 0, 0 },
          COORDCONV_ERR_SHAPE,
          "max_pool2d: kernel 5x5 does not fit the padded input 4x4" },
        { { { 2, 7 }, { 1, 1 }, { 0, 1, 0, 1 }, 0, 0 }, COORDCONV_ERR_SHAPE, "kernel 2x7" },
        { { { 0, 2 }, { 1, 1 }, { 0, 0, 0, 0 }, 0, 0 }, COORDCONV_ERR_INVALID, "kernel 0x2" },
        { { { 2, 1025 }, { 1, 1 }, { 0, 0, 0, 0 }, 1, 0 }, COORDCONV_ERR_INVALID, "kernel 2x1025" },
        { { { 2, 2 }, { 0, 1 }, { 0, 0, 0, 0 }, 0, 0 }, COORDCONV_ERR_INVALID, "stride 0x1" },
        { { { 2, 2 }, { 1, 2000 }, { 0, 0, 0, 0 }, 0, 0 }, COORDCONV_ERR_INVALID, "stride 1x2000" },
        { { { 2, 3 }, { 1, 1 }, { 2, 0, 0, 0 }, 0, 0 }, COORDCONV_ERR_INVALID, "pads[0] is 2" },
        { { { 2, 3 }, { 1, 1 }, { 0, 0, 0, 3 }, 0, 0 }, COORDCONV_ERR_INVALID, "pads[3] is 3" },
        { { { 2, 3 }, { 1, 1 }, { 0, -1, 0, 0 }, 0, 0 }, COORDCONV_ERR_INVALID, "pads[1] is -1" },
        { { { 2, 3 }, { 1, 1 }, { 0, 1, 0, 0 }, 1, 0 }, COORDCONV_ERR_INVALID, "COORDCONV_SAME" },
    };
    struct drive d;

    (void)state;
    drive_begin(&d, &cconv_op_max_pool2d);
    drive_image(&d, 1, 4, 4, 2);
    for (size_t i = 0; i < COUNT(cases); i++) {
        d.attr.pool = cases[i].pool;
        check_fails(drive_infer(&d), cases[i].status, cases[i].text);
    }
    d.in[0].dim[2] = 0;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "axis 2 of input [1, 4, 0, 2] is empty");
    d.in[0].ndim = 3;
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "[1, 4, 0] is not an image");
    d.dtype[0] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "input 0 is int32");
    drive_end(&d);
}

static const int64_t canvases[][4] = {
    { 1, 1, 1, 1 },   { 2, 3, 5, 1 },     { 3, 1, 9, 7 },    { 2, 70, 100, 3 },
    { 3, 64, 64, 9 }, { 2, 130, 131, 1 }, { 2, 3, 17, 600 }, { 600, 2, 3, 4 },
};

static void global_sums_and_averages(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(canvases); i++) {
        const int64_t *s = canvases[i / 2];
        const double divisor = i % 2 == 0 ? 1 : (double)(s[1] * s[2]);
        struct drive d;
        drive_begin(&d, i % 2 == 0 ? &cconv_op_global_sum_pool : &cconv_op_global_avg_pool);
        const cconv_real *x = drive_image(&d, s[0], s[1], s[2], s[3]);
        drive_run(&d);
        double *y = doubles(d.y_count), *dx = doubles(d.x_count[0]);
        for (size_t k = 0; k < d.x_count[0]; k++) {
            const size_t to = k / (size_t)(s[1] * s[2] * s[3]) * (size_t)s[3] + k % (size_t)s[3];
            y[to] += (double)x[k] / divisor;
            dx[k] = (double)d.dy[to] / divisor;
        }
        drive_check("y", d.y, y, d.y_count, 1 + drive_sum_units((size_t)(s[1] * s[2])));
        drive_check("dx", d.dx[0], dx, d.x_count[0], 2);
        free(y);
        free(dx);
        drive_end(&d);
    }
}

static void global_maxima(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(canvases); i++) {
        const int64_t *s = canvases[i];
        struct drive d;
        drive_begin(&d, &cconv_op_global_max_pool);
        cconv_real *x = drive_image(&d, s[0], s[1], s[2], s[3]);
        for (size_t k = 0; k < d.x_count[0]; k++) /* many equal values */
            x[k] = (cconv_real)floor((double)x[k] * 5);
        drive_run(&d);
        double *y = doubles(d.y_count), *dx = doubles(d.x_count[0]);
        for (size_t k = 0; k < d.y_count; k++) {
            const struct window_of all = { 0, 0, s[1], s[2] };
            size_t where = 0;
            y[k] = max_of(&d, &all, (int64_t)k / s[3], (int64_t)k % s[3], &where);
            dx[where] += (double)d.dy[k];
        }
        drive_check("y", d.y, y, d.y_count, 0);
        drive_check("dx", d.dx[0], dx, d.x_count[0], 0);
        free(y);
        free(dx);
        drive_end(&d);
    }
}

/* A NaN comes out wherever it is: at the start, in a later piece, before or after the maximum. */
static void global_maximum_of_nan(void **state)
{
    static const size_t places[] = { 0, 1, 9000, 20000, 39999 };

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        struct drive d;
        drive_begin(&d, &cconv_op_global_max_pool);
        cconv_real *x = drive_image(&d, 1, 200, 200, 2);
        x[2 * 12345] = 7;
        x[2 * places[i]] = (cconv_real)NAN;
        drive_run(&d);
        assert_true(isnan(d.y[0]));
        assert_true(d.y[1] < 1);
        assert_true(d.dx[0][2 * places[i]] == d.dy[0]);
        drive_end(&d);
    }
}

/* ---- batch norm ---- */

static coordconv_layer *make_norm(struct drive *d, int32_t channels)
{
    const coordconv_batch_norm_desc desc = {
        .struct_size = sizeof desc, .channels = channels, .epsilon = 0.01, .momentum = 0.25
    };
    coordconv_layer *layer = NULL;

    drive_begin(d, &cconv_op_batch_norm);
    check_ok(coordconv_batch_norm_new(d->contexts[0], &desc, &layer));
    test_fill_layer(layer, 99);
    d->app.layer = layer;
    d->app.attr = &layer->attr;
    return layer;
}

struct channel {
    double mean, var, weight, bias, running_mean, running_var;
};

static struct channel channel_of(const struct drive *d, size_t c, size_t channels)
{
    const cconv_real *x = d->x[0];
    const size_t rows = d->x_count[0] / channels;
    struct channel s = { .weight = (double)cconv_layer_values(d->app.layer, 0)[c],
                         .bias = (double)cconv_layer_values(d->app.layer, 1)[c],
                         .running_mean = (double)cconv_layer_values(d->app.layer, 2)[c],
                         .running_var = (double)cconv_layer_values(d->app.layer, 3)[c] };

    for (size_t r = 0; r < rows; r++)
        s.mean += (double)x[r * channels + c] / (double)rows;
    for (size_t r = 0; r < rows; r++)
        s.var += pow((double)x[r * channels + c] - s.mean, 2) / (double)rows;
    return s;
}

/* dL/dx through mean and variance, by the chain rule step by step. */
static void check_norm_channel(const struct drive *d, const struct channel *s, size_t c,
                               size_t channels, double *y, double *dx, double *dparam)
{
    const cconv_real *x = d->x[0];
    const size_t rows = d->x_count[0] / channels;
    const double deviation = sqrt(s->var + 0.01);
    double d_var = 0, d_mean = 0;

    for (size_t r = 0; r < rows; r++) {
        const size_t i = r * channels + c;
        const double e = (double)x[i] - s->mean, dy = (double)d->dy[i];
        y[i] = s->weight * e / deviation + s->bias;
        dparam[c] += dy * e / deviation;
        dparam[channels + c] += dy;
        d_var += dy * s->weight * e * -0.5 / pow(deviation, 3);
        d_mean -= dy * s->weight / deviation;
    }
    for (size_t r = 0; r < rows; r++) {
        const size_t i = r * channels + c;
        const double e = (double)x[i] - s->mean;
        dx[i] = (double)d->dy[i] * s->weight / deviation + d_var * 2 * e / (double)rows +
                d_mean / (double)rows;
    }
}

static void check_norm(struct drive *d, size_t channels, double units)
{
    double *y = doubles(d->x_count[0]), *dx = doubles(d->x_count[0]),
           *dparam = doubles(2 * channels);
    const double sums = drive_sum_units(d->x_count[0] / channels);

    for (size_t c = 0; c < channels; c++) {
        const struct channel s = channel_of(d, c, channels);
        check_norm_channel(d, &s, c, channels, y, dx, dparam);
    }
    drive_check("y", d->y, y, d->y_count, units * (1 + sums));
    drive_check("dx", d->dx[0], dx, d->y_count, units * (1 + sums));
    drive_check("dweight", d->dparam[0], dparam, channels, units * (1 + sums));
    drive_check("dbias", d->dparam[1], dparam + channels, channels, 2 + sums);
    free(y);
    free(dx);
    free(dparam);
}

static const int64_t batches[][4] = {
    { 3, 1, 1, 1 },  { 7, 1, 1, 5 },    { 2, 3, 5, 2 },    { 4, 9, 7, 3 },   { 3, 33, 35, 6 },
    { 2, 5, 3, 40 }, { 5, 31, 33, 64 }, { 2, 60, 41, 70 }, { 3, 5, 9, 200 }, { 20000, 1, 1, 2 },
};

static void norms_of_training(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(batches); i++) {
        const int64_t *s = batches[i];
        const size_t channels = (size_t)s[3];
        struct drive d;
        coordconv_layer *layer = make_norm(&d, (int32_t)s[3]);
        drive_image(&d, s[0], s[1], s[2], s[3]);
        double *mean = doubles(channels), *var = doubles(channels);
        const double rows = (double)(s[0] * s[1] * s[2]);
        for (size_t c = 0; c < channels; c++) {
            const struct channel k = channel_of(&d, c, channels);
            mean[c] = 0.75 * k.running_mean + 0.25 * k.mean;
            var[c] = 0.75 * k.running_var + 0.25 * k.var * rows / (rows - 1);
        }
        const uint64_t mean_version = cconv_tensor_version(layer->tensors[2].tensor);
        const uint64_t var_version = cconv_tensor_version(layer->tensors[3].tensor);
        drive_run(&d);
        check_norm(&d, channels, 8);
        drive_check("running mean", cconv_layer_values(layer, 2), mean, channels,
                    2 + drive_sum_units((size_t)rows));
        drive_check("running var", cconv_layer_values(layer, 3), var, channels,
                    2 + drive_sum_units((size_t)rows));
        assert_true(cconv_tensor_version(layer->tensors[2].tensor) != mean_version);
        assert_true(cconv_tensor_version(layer->tensors[3].tensor) != var_version);
        free(mean);
        free(var);
        coordconv_layer_unref(layer);
        drive_end(&d);
    }
}

/* A mean a thousand times the deviation: float sums of squares would lose all
 * digits. Inputs and the saved mean are good to a rounding error of 1024. */
static void norm_far_from_zero(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 3);

    (void)state;
    cconv_real *x = drive_image(&d, 3, 90, 80, 3);
    for (size_t i = 0; i < d.x_count[0]; i++)
        x[i] += 1024;
    drive_run(&d);
    check_norm(&d, 3, 1024);
    drive_end(&d);
    coordconv_layer_unref(layer);
}

static void norm_of_one_value(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 2);

    (void)state;
    drive_image(&d, 1, 1, 1, 2);
    drive_run(&d);
    for (size_t c = 0; c < 2; c++) {
        assert_true(d.y[c] == cconv_layer_values(layer, 1)[c]);
        assert_true(d.dx[0][c] == 0);
        assert_true(isfinite(cconv_layer_values(layer, 3)[c]));
    }
    drive_end(&d);
    coordconv_layer_unref(layer);
}

static void norm_of_inference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(batches); i++) {
        const int64_t *s = batches[i];
        const size_t channels = (size_t)s[3];
        struct drive d;
        coordconv_layer *layer = make_norm(&d, (int32_t)s[3]);
        const cconv_real *x = drive_image(&d, s[0], s[1], s[2], s[3]);
        const uint64_t version = cconv_layer_version(layer);
        d.app.training = 0;
        drive_run(&d);
        double *y = doubles(d.y_count);
        for (size_t k = 0; k < d.y_count; k++) {
            const size_t c = k % channels;
            const double mean = (double)cconv_layer_values(layer, 2)[c];
            const double var = (double)cconv_layer_values(layer, 3)[c];
            y[k] =
                ((double)x[k] - mean) / sqrt(var + 0.01) * (double)cconv_layer_values(layer, 0)[c] +
                (double)cconv_layer_values(layer, 1)[c];
        }
        drive_check("y", d.y, y, d.y_count, 3);
        assert_true(cconv_layer_version(layer) == version);
        free(y);
        coordconv_layer_unref(layer);
        drive_end(&d);
    }
}

/* With an activation joined on, y is max(plain y, slope * plain y); backward is
 * given the gradient before the activation, so it does not change. */
static void norm_with_activation(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        struct drive plain, fused;
        coordconv_layer *a = make_norm(&plain, 5), *b = make_norm(&fused, 5);
        drive_image(&plain, 2, 70, 51, 5);
        drive_image(&fused, 2, 70, 51, 5);
        plain.app.training = fused.app.training = training;
        fused.app.act = CCONV_ACT_LEAKY;
        fused.app.act_slope = 0.25;
        drive_run(&plain);
        drive_run(&fused);
        for (size_t i = 0; i < plain.y_count; i++) {
            assert_true(fused.y[i] == CCONV_MAX(plain.y[i], plain.y[i] / 4));
            assert_true(!training || fused.dx[0][i] == plain.dx[0][i]);
        }
        drive_end(&plain);
        drive_end(&fused);
        coordconv_layer_unref(a);
        coordconv_layer_unref(b);
    }
}

static void norm_keeps_buffers(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 2);
    const uint64_t version = cconv_layer_version(layer);
    const cconv_real mean = cconv_layer_values(layer, 2)[1];

    (void)state;
    drive_image(&d, 4, 3, 2, 2);
    d.keeps_buffers = 1;
    drive_run(&d);
    assert_true(cconv_layer_version(layer) == version);
    assert_true(cconv_layer_values(layer, 2)[1] == mean);
    drive_end(&d);
    coordconv_layer_unref(layer);
}

/* Parameter gradients without dx, dx without parameter gradients. */
static void norm_of_frozen_parts(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 4);

    (void)state;
    drive_image(&d, 2, 9, 5, 4);
    drive_run(&d);
    cconv_real weight[4];
    for (size_t c = 0; c < 4; c++)
        weight[c] = d.dparam[0][c];
    d.skip_dx[0] = 1;
    drive_run(&d);
    assert_null(d.dx[0]);
    assert_memory_equal(d.dparam[0], weight, sizeof weight);
    drive_end(&d);
    coordconv_layer_unref(layer);
}

static void bad_norms(void **state)
{
    struct drive d;
    coordconv_layer *layer = make_norm(&d, 4), *other = NULL;
    coordconv_batch_norm_desc desc = { .struct_size = sizeof desc };

    (void)state;
    drive_image(&d, 2, 9, 5, 3);
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "input [2, 9, 5, 3], expected [N, ..., 4]");
    d.in[0] = (struct cconv_shape){ 1, { 4 } };
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "input [4]");
    d.in[0] = (struct cconv_shape){ 2, { 0, 4 } };
    check_fails(drive_infer(&d), COORDCONV_ERR_SHAPE, "no empty axis");
    d.dtype[0] = COORDCONV_I32;
    check_fails(drive_infer(&d), COORDCONV_ERR_DTYPE, "int32");
    coordconv_layer_unref(layer);

    coordconv_context *context = d.contexts[0];
    check_fails(coordconv_batch_norm_new(NULL, &desc, &other), COORDCONV_ERR_INVALID, "context");
    check_fails(coordconv_batch_norm_new(context, &desc, NULL), COORDCONV_ERR_INVALID, "out");
    check_fails(coordconv_batch_norm_new(context, NULL, &other), COORDCONV_ERR_INVALID, "desc");
    check_fails(coordconv_batch_norm_new(context, &desc, &other), COORDCONV_ERR_INVALID,
                "channels 0");
    desc.channels = 3;
    desc.epsilon = -1;
    check_fails(coordconv_batch_norm_new(context, &desc, &other), COORDCONV_ERR_INVALID,
                "epsilon -1");
    desc.epsilon = 0;
    desc.momentum = 1.5;
    check_fails(coordconv_batch_norm_new(context, &desc, &other), COORDCONV_ERR_INVALID,
                "momentum 1.5");
    desc.momentum = 0;
    desc.struct_size = 4;
    check_fails(coordconv_batch_norm_new(context, &desc, &other), COORDCONV_ERR_ABI,
                "struct_size 4");
    assert_null(other);
    drive_end(&d);
}

static void norm_defaults(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = 3 };
    coordconv_layer *layer = NULL;

    (void)state;
    check_ok(coordconv_batch_norm_new(context, &desc, &layer));
    assert_true(layer->attr.batch_norm.epsilon == 1e-5);
    assert_true(layer->attr.batch_norm.momentum == 0.1);
    assert_int_equal(coordconv_layer_parameter_count(layer), 2);
    assert_int_equal(layer->tensor_count, 4);
    assert_int_equal(layer->kernel, -1);
    for (size_t c = 0; c < 3; c++) {
        assert_true(test_values(test_parameter(layer, "weight"))[c] == 1);
        assert_true(test_values(test_parameter(layer, "bias"))[c] == 0);
        assert_true(test_values(test_parameter(layer, "running_mean"))[c] == 0);
        assert_true(test_values(test_parameter(layer, "running_var"))[c] == 1);
    }
    coordconv_layer_unref(layer);
    coordconv_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_pooled),
        cmocka_unit_test(max_pool_by_hand),
        cmocka_unit_test(max_pool_of_nothing_but_infinity),
        cmocka_unit_test(average_pool_by_hand),
        cmocka_unit_test(max_pool_of_inference),
        cmocka_unit_test(bad_pools),
        cmocka_unit_test(global_sums_and_averages),
        cmocka_unit_test(global_maxima),
        cmocka_unit_test(global_maximum_of_nan),
        cmocka_unit_test(norms_of_training),
        cmocka_unit_test(norm_far_from_zero),
        cmocka_unit_test(norm_of_one_value),
        cmocka_unit_test(norm_of_inference),
        cmocka_unit_test(norm_with_activation),
        cmocka_unit_test(norm_keeps_buffers),
        cmocka_unit_test(norm_of_frozen_parts),
        cmocka_unit_test(bad_norms),
        cmocka_unit_test(norm_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
