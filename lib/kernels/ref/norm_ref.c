/* SPDX-License-Identifier: BSD-2-Clause
 *
 * norm_ref.c - norm kernels in plain C.
 *
 * Each kernel is a loop over strips (strip.h) with a row function inside: rows
 * of the strip's width, then its tail.
 */
#include "kernels/norm.h"

#include "kernels/ref/set.h"
#include "kernels/ref/strip.h"

static void sum_row(size_t n, const cconv_real *x, double *sum)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        sum[j] += (double)x[j];
}

static void square_row(size_t n, const cconv_real *x, const double *mean, double *sum)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++) {
        const double d = (double)x[j] - mean[j];
        sum[j] += d * d;
    }
}

static void strip_means(const struct cconv_strip *s, size_t rows, const cconv_real *x, double *mean)
{
    double sum[CCONV_STRIP];

    cconv_strip_zero(s, sum);
    for (size_t r = 0; r < s->rows; r++)
        sum_row(s->width, x + r * s->pitch, sum);
    sum_row(s->tail, x + s->rows * s->pitch, sum);
    cconv_strip_fold(s, sum, mean);
    for (size_t c = s->first; c < s->first + s->channels; c++)
        mean[c] /= (double)rows;
}

static void strip_squares(const struct cconv_strip *s, const cconv_real *x, const double *mean,
                          double *m2)
{
    double sum[CCONV_STRIP], center[CCONV_STRIP];

    cconv_strip_zero(s, sum);
    for (size_t j = 0; j < s->width; j++)
        center[j] = mean[s->first + j % s->channels];
    for (size_t r = 0; r < s->rows; r++)
        square_row(s->width, x + r * s->pitch, center, sum);
    square_row(s->tail, x + s->rows * s->pitch, center, sum);
    cconv_strip_fold(s, sum, m2);
}

static void moments(size_t rows, size_t channels, const cconv_real *x, double *mean, double *m2)
{
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        strip_means(&s, rows, x + c, mean);
        strip_squares(&s, x + c, mean, m2);
    }
}

static void forward_row(size_t n, const cconv_real *mean, const cconv_real *scale,
                        const cconv_real *shift, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        y[j] = (x[j] - mean[j]) * scale[j] + shift[j];
}

static void forward(size_t rows, size_t channels, const cconv_real *mean, const cconv_real *scale,
                    const cconv_real *shift, const cconv_real *x, cconv_real *y)
{
    cconv_real m[CCONV_STRIP], a[CCONV_STRIP], b[CCONV_STRIP];
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        cconv_strip_spread(&s, mean, m);
        cconv_strip_spread(&s, scale, a);
        cconv_strip_spread(&s, shift, b);
        for (size_t r = 0; r < s.rows; r++)
            forward_row(s.width, m, a, b, x + c + r * s.pitch, y + c + r * s.pitch);
        forward_row(s.tail, m, a, b, x + c + s.rows * s.pitch, y + c + s.rows * s.pitch);
    }
}

static void affine_row(size_t n, const cconv_real *scale, const cconv_real *shift,
                       const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        y[j] = x[j] * scale[j] + shift[j];
}

static void affine(size_t rows, size_t channels, const cconv_real *scale, const cconv_real *shift,
                   const cconv_real *x, cconv_real *y)
{
    cconv_real a[CCONV_STRIP], b[CCONV_STRIP];
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        cconv_strip_spread(&s, scale, a);
        cconv_strip_spread(&s, shift, b);
        for (size_t r = 0; r < s.rows; r++)
            affine_row(s.width, a, b, x + c + r * s.pitch, y + c + r * s.pitch);
        affine_row(s.tail, a, b, x + c + s.rows * s.pitch, y + c + s.rows * s.pitch);
    }
}

static void backward_sums_row(size_t n, const cconv_real *mean, const cconv_real *x,
                              const cconv_real *dy, double *sum_dy, double *sum_xdy)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++) {
        sum_dy[j] += (double)dy[j];
        sum_xdy[j] += ((double)x[j] - (double)mean[j]) * (double)dy[j];
    }
}

static void backward_sums(size_t rows, size_t channels, const cconv_real *mean, const cconv_real *x,
                          const cconv_real *dy, double *sum_dy, double *sum_xdy)
{
    double s1[CCONV_STRIP], s2[CCONV_STRIP];
    cconv_real m[CCONV_STRIP];
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        cconv_strip_zero(&s, s1);
        cconv_strip_zero(&s, s2);
        cconv_strip_spread(&s, mean, m);
        for (size_t r = 0; r < s.rows; r++)
            backward_sums_row(s.width, m, x + c + r * s.pitch, dy + c + r * s.pitch, s1, s2);
        backward_sums_row(s.tail, m, x + c + s.rows * s.pitch, dy + c + s.rows * s.pitch, s1, s2);
        cconv_strip_fold(&s, s1, sum_dy);
        cconv_strip_fold(&s, s2, sum_xdy);
    }
}

struct backward_lanes {
    cconv_real mean[CCONV_STRIP], scale[CCONV_STRIP], offset[CCONV_STRIP], slope[CCONV_STRIP];
};

static void backward_row(size_t n, const struct backward_lanes *l, const cconv_real *x,
                         const cconv_real *dy, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        dx[j] = l->scale[j] * (dy[j] - l->offset[j] - (x[j] - l->mean[j]) * l->slope[j]);
}

static void spread_lanes(const struct cconv_strip *s, const cconv_real *mean,
                         const cconv_real *scale, const cconv_real *offset, const cconv_real *slope,
                         struct backward_lanes *l)
{
    cconv_strip_spread(s, mean, l->mean);
    cconv_strip_spread(s, scale, l->scale);
    cconv_strip_spread(s, offset, l->offset);
    cconv_strip_spread(s, slope, l->slope);
}

static void backward(size_t rows, size_t channels, const cconv_real *mean, const cconv_real *scale,
                     const cconv_real *offset, const cconv_real *slope, const cconv_real *x,
                     const cconv_real *dy, cconv_real *dx)
{
    struct backward_lanes l;
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        spread_lanes(&s, mean, scale, offset, slope, &l);
        for (size_t r = 0; r < s.rows; r++)
            backward_row(s.width, &l, x + c + r * s.pitch, dy + c + r * s.pitch,
                         dx + c + r * s.pitch);
        backward_row(s.tail, &l, x + c + s.rows * s.pitch, dy + c + s.rows * s.pitch,
                     dx + c + s.rows * s.pitch);
    }
}

static void combine_row(size_t n, const struct backward_lanes *l, const cconv_real *x,
                        const cconv_real *dy, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        dx[j] = dy[j] * l->scale[j] + ((x[j] - l->mean[j]) * l->slope[j] + l->offset[j]);
}

static void combine(size_t rows, size_t channels, const cconv_real *mean, const cconv_real *scale,
                    const cconv_real *slope, const cconv_real *offset, const cconv_real *x,
                    const cconv_real *dy, cconv_real *dx)
{
    struct backward_lanes l;
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        spread_lanes(&s, mean, scale, offset, slope, &l);
        for (size_t r = 0; r < s.rows; r++)
            combine_row(s.width, &l, x + c + r * s.pitch, dy + c + r * s.pitch,
                        dx + c + r * s.pitch);
        combine_row(s.tail, &l, x + c + s.rows * s.pitch, dy + c + s.rows * s.pitch,
                    dx + c + s.rows * s.pitch);
    }
}

void CCONV_SET(cconv_norm_init)(struct cconv_norm_kernels *k)
{
    k->moments = moments;
    k->forward = forward;
    k->affine = affine;
    k->backward_sums = backward_sums;
    k->backward = backward;
    k->combine = combine;
}
