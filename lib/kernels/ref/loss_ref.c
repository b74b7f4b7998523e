/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss_ref.c - softmax and loss kernels in plain C.
 *
 * Sums run in LANES separate chains, element i in chain i mod LANES, joined at
 * the end: a single chain would wait for each addition in turn.
 */
#include "kernels/loss.h"

#define LANES 8

static double joined(const double lanes[LANES])
{
    double sum = 0;

    for (size_t j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

static cconv_real max(size_t n, const cconv_real *x)
{
    cconv_real lanes[LANES], most = x[0];
    size_t i = 0;

    for (size_t j = 0; j < LANES; j++)
        lanes[j] = x[0];
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    }
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t j = 0; j < LANES; j++)
        most = lanes[j] > most ? lanes[j] : most;
    return most;
}

static double exp_sum(size_t n, const cconv_real *x, cconv_real max_value, cconv_real *y)
{
    double sum = 0; /* one chain: the exponentials take longer than the additions */

    for (size_t i = 0; i < n; i++) {
        const cconv_real e = cconv_math_exp(x[i] - max_value);
        sum += (double)e;
        if (y != NULL)
            y[i] = e;
    }
    return sum;
}

static double dot(size_t n, const cconv_real *x, const cconv_real *y)
{
    double lanes[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += (double)x[i + j] * (double)y[i + j];
    }
    for (; i < n; i++)
        lanes[i % LANES] += (double)x[i] * (double)y[i];
    return joined(lanes);
}

static void softmax_backward(size_t n, cconv_real dot_value, const cconv_real *y,
                             const cconv_real *dy, cconv_real *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - dot_value);
}

static inline double entropy_term(double log_sum, cconv_real z, cconv_real t)
{
    const double term = (double)t * (log_sum - (double)z);

    return t != 0 ? term : 0;
}

static double cross_entropy(size_t n, double log_sum, const cconv_real *z, const cconv_real *t,
                            double *total)
{
    double lanes[LANES] = { 0 }, totals[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += entropy_term(log_sum, z[i + j], t[i + j]);
            totals[j] += (double)t[i + j];
        }
    }
    for (; i < n; i++) {
        lanes[i % LANES] += entropy_term(log_sum, z[i], t[i]);
        totals[i % LANES] += (double)t[i];
    }
    *total = joined(totals);
    return joined(lanes);
}

static void cross_entropy_backward(size_t n, cconv_real factor, cconv_real total,
                                   const cconv_real *p, const cconv_real *t, cconv_real *dz)
{
    for (size_t i = 0; i < n; i++)
        dz[i] = factor * (total * p[i] - t[i]);
}

static double square(size_t n, const cconv_real *x, const cconv_real *t)
{
    double lanes[LANES] = { 0 };
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            const double d = (double)x[i + j] - (double)t[i + j];
            lanes[j] += d * d;
        }
    }
    for (; i < n; i++) {
        const double d = (double)x[i] - (double)t[i];
        lanes[i % LANES] += d * d;
    }
    return joined(lanes);
}

static void square_backward(size_t n, cconv_real factor, const cconv_real *x, const cconv_real *t,
                            cconv_real *dx)
{
    const cconv_real twice = 2 * factor;

    for (size_t i = 0; i < n; i++)
        dx[i] = twice * (x[i] - t[i]);
}

static double sigmoid(size_t n, const cconv_real *x, const cconv_real *t)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        const cconv_real positive = x[i] > 0 ? x[i] : 0;
        /* In double the logarithm needs no log1p, and takes half its time. */
        const double rest = log(1 + (double)cconv_math_exp(-cconv_math_abs(x[i])));
        sum += (double)positive - (double)x[i] * (double)t[i] + rest;
    }
    return sum;
}

static void sigmoid_backward(size_t n, cconv_real factor, const cconv_real *x, const cconv_real *t,
                             cconv_real *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = factor * (1 / (1 + cconv_math_exp(-x[i])) - t[i]);
}

void cconv_loss_init_ref(struct cconv_loss_kernels *k)
{
    k->max = max;
    k->exp_sum = exp_sum;
    k->dot = dot;
    k->softmax_backward = softmax_backward;
    k->cross_entropy = cross_entropy;
    k->cross_entropy_backward = cross_entropy_backward;
    k->square.forward = square;
    k->square.backward = square_backward;
    k->sigmoid.forward = sigmoid;
    k->sigmoid.backward = sigmoid_backward;
}
