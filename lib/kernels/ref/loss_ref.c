/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss_ref.c - softmax and loss kernels in plain C.
 *
 * Sums run in LANES separate chains, element i in chain i mod LANES, joined at
 * the end: a single chain would wait for each addition in turn. Where a term
 * takes an exponential, the terms of a block are computed first, in a loop of
 * nothing else.
 */
#include "kernels/loss.h"

#include "base/compiler.h"
#include "kernels/ref/functions.h"
#include "kernels/ref/set.h"

#define LANES     16
#define MAX_LANES 32
#define BLOCK     64 /* a multiple of LANES */

static double joined(const double lanes[LANES])
{
    double sum = 0;

    for (size_t j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

static cconv_real max(size_t n, const cconv_real *x)
{
    cconv_real lanes[MAX_LANES], most = x[0];
    size_t i = 0;

    for (size_t j = 0; j < MAX_LANES; j++)
        lanes[j] = x[0];
    for (; i + MAX_LANES <= n; i += MAX_LANES) {
        for (size_t j = 0; j < MAX_LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    }
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t j = 0; j < MAX_LANES; j++)
        most = lanes[j] > most ? lanes[j] : most;
    return most;
}

static void exp_run(size_t n, const cconv_real *x, cconv_real max_value, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = cconv_exp(x[i] - max_value);
}

static inline void add_run(size_t n, const cconv_real *x, double lanes[LANES])
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += (double)x[i + j];
    }
    for (; i < n; i++)
        lanes[i % LANES] += (double)x[i];
}

static double exp_sum(size_t n, const cconv_real *x, cconv_real max_value, cconv_real *y)
{
    double lanes[LANES] = { 0 };
    cconv_real block[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = CCONV_MIN(n - i, BLOCK);
        cconv_real *const e = y != NULL ? y + i : block;

        exp_run(count, x + i, max_value, e);
        add_run(count, e, lanes);
    }
    return joined(lanes);
}

static void exp_sum_lanes(size_t n, const cconv_real *x, const cconv_real *max_values,
                          cconv_real *y, double *sum)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real e = cconv_exp(x[i] - max_values[i]);

        y[i] = e;
        sum[i] += (double)e;
    }
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
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - dot_value);
}

/* t (log_sum - z), or 0 where t is 0, whatever z. */
static inline double entropy_term(double log_sum, cconv_real z, cconv_real t)
{
    const double term = (double)t * (log_sum - (double)z);

    return cconv_choose_double((double)t != 0, term, 0);
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
    CCONV_INDEPENDENT
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

    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] = twice * (x[i] - t[i]);
}

/* log(1 + exp(-|x|)) */
static void softplus_run(size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = cconv_log_1p(cconv_exp(-cconv_math_abs(x[i])));
}

static inline double sigmoid_term(cconv_real x, cconv_real t, cconv_real softplus)
{
    const cconv_real positive = x > 0 ? x : 0;

    return (double)positive - (double)x * (double)t + (double)softplus;
}

static double sigmoid(size_t n, const cconv_real *x, const cconv_real *t)
{
    double lanes[LANES] = { 0 };
    cconv_real softplus[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = CCONV_MIN(n - i, BLOCK);
        size_t b = 0;

        softplus_run(count, x + i, softplus);
        for (; b + LANES <= count; b += LANES)
            for (size_t j = 0; j < LANES; j++)
                lanes[j] += sigmoid_term(x[i + b + j], t[i + b + j], softplus[b + j]);
        for (; b < count; b++)
            lanes[b % LANES] += sigmoid_term(x[i + b], t[i + b], softplus[b]);
    }
    return joined(lanes);
}

static void sigmoid_backward(size_t n, cconv_real factor, const cconv_real *x, const cconv_real *t,
                             cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] = factor * (cconv_sigmoid(x[i]) - t[i]);
}

static void sigmoid_terms(size_t n, const cconv_real *x, const cconv_real *t, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real positive = x[i] > 0 ? x[i] : 0;

        y[i] = (positive - x[i] * t[i]) + cconv_log_1p(cconv_exp(-cconv_math_abs(x[i])));
    }
}

static void bent(size_t n, const struct cconv_loss_bend *bend, const cconv_real *x,
                 const cconv_real *t, cconv_real *y)
{
    const struct cconv_loss_bend b = *bend;

    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real d = x[i] - t[i], size = cconv_math_abs(d);
        const cconv_real near = d * (d * b.quadratic), far = size - b.offset;

        y[i] = size < b.beta ? near : far;
    }
}

/* A NaN is neither above nor below 0 and stays. */
static void bent_backward(size_t n, const struct cconv_loss_bend *bend, cconv_real factor,
                          const cconv_real *x, const cconv_real *t, cconv_real *dx)
{
    const cconv_real beta = bend->beta, twice = 2 * bend->quadratic;

    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real d = x[i] - t[i], near = twice * d;
        const cconv_real below = d < 0 ? -1 : d, sign = d > 0 ? 1 : below;

        dx[i] = factor * (cconv_math_abs(d) < beta ? near : sign);
    }
}

void CCONV_SET(cconv_loss_init)(struct cconv_loss_kernels *k)
{
    k->max = max;
    k->exp_sum = exp_sum;
    k->exp_sum_lanes = exp_sum_lanes;
    k->dot = dot;
    k->softmax_backward = softmax_backward;
    k->cross_entropy = cross_entropy;
    k->cross_entropy_backward = cross_entropy_backward;
    k->square.forward = square;
    k->square.backward = square_backward;
    k->sigmoid.forward = sigmoid;
    k->sigmoid.backward = sigmoid_backward;
    k->sigmoid_terms = sigmoid_terms;
    k->bent = bent;
    k->bent_backward = bent_backward;
}
