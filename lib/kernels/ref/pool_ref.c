/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pool_ref.c - pooling kernels in plain C.
 *
 * Choices are made with ?: on values already loaded and with | instead of ||:
 * the loops then have no branches and can be vectorised.
 */
#include "kernels/pool.h"

#include <string.h>

#include "kernels/ref/set.h"
#include "kernels/ref/strip.h"

/* True where x takes the place of the largest so far; a NaN, once there, stays. */
static inline int wins(cconv_real x, cconv_real largest)
{
    return (x > largest) | (x != x);
}

static void max_run(size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = wins(x[i], y[i]) ? x[i] : y[i];
}

static void max_run_arg(size_t n, const cconv_real *x, int32_t tap, cconv_real *y, int32_t *arg)
{
    if (arg == NULL) {
        max_run(n, x, y);
        return;
    }
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const int won = wins(x[i], y[i]);
        y[i] = won ? x[i] : y[i];
        arg[i] = won ? tap : arg[i];
    }
}

static void choose_run(size_t n, const cconv_real *dy, const int32_t *arg, int32_t tap,
                       cconv_real *chosen)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real d = dy[i];
        chosen[i] = arg[i] == tap ? d : 0;
    }
}

static inline void add_run(size_t n, const cconv_real *from, size_t from_step, cconv_real *to,
                           size_t to_step)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        to[i * to_step] += from[i * from_step];
}

/* Pixels that touch are one long run. */
static void join(size_t *pixels, size_t *channels, size_t x_step)
{
    if (x_step == *channels) {
        *channels *= *pixels;
        *pixels = 1;
    }
}

/* With fewer channels than this a loop over them is mostly overhead. Loops then
 * go over the pixels, once for each channel; and the maxima, which as scalars
 * would be branches nobody can predict, are taken of values brought together in
 * a block of their own. */
#define NARROW 8
#define BLOCK  256

static void gather(size_t pixels, size_t channels, size_t x_step, const cconv_real *x,
                   cconv_real *block)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t p = 0; p < pixels; p++)
            block[p * channels + c] = x[p * x_step + c];
    }
}

static void max_tap_narrow(size_t pixels, size_t channels, size_t x_step, const cconv_real *x,
                           int32_t tap, cconv_real *y, int32_t *arg)
{
    cconv_real block[BLOCK];
    size_t n;

    for (size_t p = 0; p < pixels; p += n) {
        const size_t rest = pixels - p, at = p * channels;
        n = rest < BLOCK / channels ? rest : BLOCK / channels;
        gather(n, channels, x_step, x + p * x_step, block);
        max_run_arg(n * channels, block, tap, y + at, arg != NULL ? arg + at : NULL);
    }
}

static void max_tap(size_t pixels, size_t channels, size_t x_step, const cconv_real *x, int32_t tap,
                    cconv_real *y, int32_t *arg)
{
    join(&pixels, &channels, x_step);
    if (pixels > 1 && channels < NARROW) {
        max_tap_narrow(pixels, channels, x_step, x, tap, y, arg);
        return;
    }
    for (size_t p = 0; p < pixels; p++)
        max_run_arg(channels, x + p * x_step, tap, y + p * channels,
                    arg != NULL ? arg + p * channels : NULL);
}

static void max_tap_backward_narrow(size_t pixels, size_t channels, size_t x_step,
                                    const cconv_real *dy, const int32_t *arg, int32_t tap,
                                    cconv_real *dx)
{
    cconv_real block[BLOCK];
    size_t n;

    for (size_t p = 0; p < pixels; p += n) {
        const size_t rest = pixels - p, at = p * channels;
        n = rest < BLOCK / channels ? rest : BLOCK / channels;
        choose_run(n * channels, dy + at, arg + at, tap, block);
        for (size_t c = 0; c < channels; c++)
            add_run(n, block + c, channels, dx + p * x_step + c, x_step);
    }
}

static void max_tap_backward(size_t pixels, size_t channels, size_t x_step, const cconv_real *dy,
                             const int32_t *arg, int32_t tap, cconv_real *dx)
{
    join(&pixels, &channels, x_step);
    if (pixels > 1 && channels < NARROW) {
        max_tap_backward_narrow(pixels, channels, x_step, dy, arg, tap, dx);
        return;
    }
    for (size_t p = 0; p < pixels; p++, dx += x_step, dy += channels, arg += channels) {
        CCONV_INDEPENDENT
        for (size_t c = 0; c < channels; c++) {
            const cconv_real d = dy[c];
            dx[c] += arg[c] == tap ? d : 0;
        }
    }
}

static void add_tap(size_t pixels, size_t channels, size_t x_step, const cconv_real *x,
                    cconv_real *y)
{
    join(&pixels, &channels, x_step);
    for (size_t c = 0; channels < NARROW && c < channels; c++)
        add_run(pixels, x + c, x_step, y + c, channels);
    for (size_t p = 0; channels >= NARROW && p < pixels; p++)
        add_run(channels, x + p * x_step, 1, y + p * channels, 1);
}

static void add_tap_backward(size_t pixels, size_t channels, size_t x_step, const cconv_real *dy,
                             cconv_real *dx)
{
    join(&pixels, &channels, x_step);
    for (size_t c = 0; channels < NARROW && c < channels; c++)
        add_run(pixels, dy + c, channels, dx + c, x_step);
    for (size_t p = 0; channels >= NARROW && p < pixels; p++)
        add_run(channels, dy + p * channels, 1, dx + p * x_step, 1);
}

/* The columns of a [rows][n] matrix, y and row holding those of row 0. */
static void max_rows(size_t rows, size_t n, const cconv_real *x, cconv_real *y, int32_t *row)
{
    for (size_t r = 1; r < rows; r++)
        max_run_arg(n, x + r * n, (int32_t)r, y, row);
}

/* Is the value v of a row `at` what column_max gives, rather than that of another? */
static int comes_first(cconv_real v, int32_t at, cconv_real other, int32_t other_at)
{
    if (v != v || other != other)
        return v != v && (other == other || at > other_at);
    return v > other || (v == other && at < other_at);
}

/* Few channels: several rows read as one, lane j being channel j mod channels. */
static void column_max_narrow(size_t rows, size_t channels, const cconv_real *x, cconv_real *y,
                              int32_t *row)
{
    const struct cconv_strip s = cconv_strip_at(rows, channels, 0);
    const size_t fold = s.width / channels;
    cconv_real most[CCONV_STRIP];
    int32_t at[CCONV_STRIP] = { 0 };

    memcpy(most, x, s.width * sizeof *most);
    max_rows(s.rows, s.width, x, most, at);
    max_run_arg(s.tail, x + s.rows * s.pitch, (int32_t)s.rows, most, at);
    for (size_t j = 0; j < s.width; j++)
        at[j] = at[j] * (int32_t)fold + (int32_t)(j / channels);
    for (size_t j = channels; j < s.width; j++) {
        const size_t c = j % channels;
        const int better = comes_first(most[j], at[j], most[c], at[c]);

        most[c] = better ? most[j] : most[c];
        at[c] = better ? at[j] : at[c];
    }
    memcpy(y, most, channels * sizeof *y);
    if (row != NULL)
        memcpy(row, at, channels * sizeof *row);
}

static void column_max(size_t rows, size_t channels, const cconv_real *x, cconv_real *y,
                       int32_t *row)
{
    if (channels <= CCONV_FOLD / 2 && rows >= CCONV_FOLD / channels) {
        column_max_narrow(rows, channels, x, y, row);
        return;
    }
    memcpy(y, x, channels * sizeof *y);
    if (row != NULL)
        memset(row, 0, channels * sizeof *row);
    max_rows(rows, channels, x, y, row);
}

static void sum_row(size_t n, const cconv_real *x, double *sum)
{
    CCONV_INDEPENDENT
    for (size_t j = 0; j < n; j++)
        sum[j] += (double)x[j];
}

static void column_sum(size_t rows, size_t channels, const cconv_real *x, double *sum)
{
    double lanes[CCONV_STRIP];
    struct cconv_strip s;

    for (size_t c = 0; c < channels; c += s.channels) {
        s = cconv_strip_at(rows, channels, c);
        cconv_strip_zero(&s, lanes);
        for (size_t r = 0; r < s.rows; r++)
            sum_row(s.width, x + c + r * s.pitch, lanes);
        sum_row(s.tail, x + c + s.rows * s.pitch, lanes);
        cconv_strip_fold(&s, lanes, sum);
    }
}

/* The first row is computed, then what is there is doubled until all is filled:
 * as fast with one channel as with many. */
static void column_fill(size_t rows, size_t channels, cconv_real factor, const cconv_real *x,
                        cconv_real *y)
{
    if (rows == 0)
        return;
    for (size_t c = 0; c < channels; c++)
        y[c] = factor * x[c];
    for (size_t filled = 1; filled < rows;) {
        const size_t more = filled < rows - filled ? filled : rows - filled;
        memcpy(y + filled * channels, y, more * channels * sizeof *y);
        filled += more;
    }
}

void CCONV_SET(cconv_pool_init)(struct cconv_pool_kernels *k)
{
    k->max_tap = max_tap;
    k->max_tap_backward = max_tap_backward;
    k->add_tap = add_tap;
    k->add_tap_backward = add_tap_backward;
    k->column_max = column_max;
    k->column_sum = column_sum;
    k->column_fill = column_fill;
}
