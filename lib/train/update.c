/* SPDX-License-Identifier: BSD-2-Clause
 *
 * update.c - the loops of the optimizers' rules: three to seven streams of
 * memory and a few operations an element.
 */
#include "train/update.h"

static void sgd_plain(const struct cconv_update *update, const struct cconv_sgd *sgd, size_t n,
                      cconv_real *restrict w, const cconv_real *restrict gradient)
{
    const struct cconv_update u = *update; /* a copy: the stores below cannot touch it */
    const cconv_real rate = sgd->rate;

    for (size_t i = 0; i < n; i++) {
        const cconv_real g = u.scale * gradient[i] + u.decay * w[i];

        w[i] = u.keep * w[i] - rate * g;
    }
}

static void sgd_momentum(const struct cconv_update *update, const struct cconv_sgd *rule, size_t n,
                         cconv_real *restrict w, const cconv_real *restrict gradient,
                         cconv_real *restrict v)
{
    const struct cconv_update u = *update;
    const struct cconv_sgd sgd = *rule;

    for (size_t i = 0; i < n; i++) {
        const cconv_real g = u.scale * gradient[i] + u.decay * w[i];
        const cconv_real moved = sgd.first ? g : sgd.momentum * v[i] + sgd.undamped * g;
        const cconv_real d = sgd.nesterov ? g + sgd.momentum * moved : moved;

        v[i] = moved;
        w[i] = u.keep * w[i] - sgd.rate * d;
    }
}

void cconv_update_sgd(const struct cconv_update *u, const struct cconv_sgd *sgd, size_t n,
                      cconv_real *w, const cconv_real *gradient, cconv_real *v)
{
    if (v == NULL)
        sgd_plain(u, sgd, n, w, gradient);
    else
        sgd_momentum(u, sgd, n, w, gradient, v);
}

void cconv_update_adam(const struct cconv_update *update, const struct cconv_adam *rule, size_t n,
                       cconv_real *restrict w, const cconv_real *restrict gradient,
                       cconv_real *restrict m, cconv_real *restrict v)
{
    const struct cconv_update u = *update;
    const struct cconv_adam adam = *rule;

    for (size_t i = 0; i < n; i++) {
        const cconv_real g = u.scale * gradient[i] + u.decay * w[i];

        m[i] = adam.beta1 * m[i] + adam.rest1 * g;
        v[i] = adam.beta2 * v[i] + adam.rest2 * g * g;
        w[i] =
            u.keep * w[i] - adam.step * m[i] / (cconv_math_sqrt(v[i]) / adam.spread + adam.epsilon);
    }
}

#define LANES 8 /* so that the additions need not wait for each other */

double cconv_square_sum(size_t n, const cconv_real *values)
{
    double lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;

    for (; n - i >= LANES; i += LANES) {
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (double)values[i + k] * (double)values[i + k];
    }
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    for (; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}
