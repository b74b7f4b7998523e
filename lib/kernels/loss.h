/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss.h - inner loops of softmax and of the losses. Sums are made in double.
 */
#ifndef CCONV_KERNELS_LOSS_H
#define CCONV_KERNELS_LOSS_H

#include <stddef.h>

#include "base/real.h"

/* Largest of x[0 .. n - 1], n at least 1; anything at all if one of them is NaN. */
typedef cconv_real cconv_loss_max_fn(size_t n, const cconv_real *x);

/* y[i] = exp(x[i] - max); returns the sum. y may be x, or NULL: only the sum is wanted. */
typedef double cconv_loss_exp_sum_fn(size_t n, const cconv_real *x, cconv_real max, cconv_real *y);

/* y[i] = exp(x[i] - max[i]), sum[i] += y[i]: softmaxes side by side. y may be x. */
typedef void cconv_loss_exp_sum_lanes_fn(size_t n, const cconv_real *x, const cconv_real *max,
                                         cconv_real *y, double *sum);

/* Sum of x[i] * y[i]. */
typedef double cconv_loss_dot_fn(size_t n, const cconv_real *x, const cconv_real *y);

/* dx[i] = y[i] * (dy[i] - dot). dx may be dy. */
typedef void cconv_loss_softmax_backward_fn(size_t n, cconv_real dot, const cconv_real *y,
                                            const cconv_real *dy, cconv_real *dx);

/* Sum of t[i] * (log_sum - z[i]), terms with t[i] = 0 being 0 whatever z[i]; *total = sum of t[i].
 */
typedef double cconv_loss_cross_entropy_fn(size_t n, double log_sum, const cconv_real *z,
                                           const cconv_real *t, double *total);

/* dz[i] = factor * (total * p[i] - t[i]). */
typedef void cconv_loss_cross_entropy_backward_fn(size_t n, cconv_real factor, cconv_real total,
                                                  const cconv_real *p, const cconv_real *t,
                                                  cconv_real *dz);

/* Sum over i of a loss of x[i] and its target t[i]. */
typedef double cconv_loss_sum_fn(size_t n, const cconv_real *x, const cconv_real *t);

/* dx[i] = factor * derivative of that loss by x[i]. */
typedef void cconv_loss_sum_backward_fn(size_t n, cconv_real factor, const cconv_real *x,
                                        const cconv_real *t, cconv_real *dx);

/* A loss that is a sum over elements. */
struct cconv_loss_sum {
    cconv_loss_sum_fn *forward;
    cconv_loss_sum_backward_fn *backward;
};

/* |d| bent at its foot: d * (d * quadratic) where |d| < beta, else |d| - offset. */
struct cconv_loss_bend {
    cconv_real beta, quadratic, offset;
};

/* y[i] = that of d = x[i] - t[i]. */
typedef void cconv_loss_bent_fn(size_t n, const struct cconv_loss_bend *bend, const cconv_real *x,
                                const cconv_real *t, cconv_real *y);

/* dx[i] = factor * its derivative by x[i]; where d is 0, 0. */
typedef void cconv_loss_bent_backward_fn(size_t n, const struct cconv_loss_bend *bend,
                                         cconv_real factor, const cconv_real *x,
                                         const cconv_real *t, cconv_real *dx);

/* y[i] = the loss `sigmoid` of x[i] and t[i]. */
typedef void cconv_loss_terms_fn(size_t n, const cconv_real *x, const cconv_real *t, cconv_real *y);

struct cconv_loss_kernels {
    cconv_loss_max_fn *max;
    cconv_loss_exp_sum_fn *exp_sum;
    cconv_loss_exp_sum_lanes_fn *exp_sum_lanes;
    cconv_loss_dot_fn *dot;
    cconv_loss_softmax_backward_fn *softmax_backward;
    cconv_loss_cross_entropy_fn *cross_entropy;
    cconv_loss_cross_entropy_backward_fn *cross_entropy_backward;
    struct cconv_loss_sum square;  /* (x - t)^2 */
    struct cconv_loss_sum sigmoid; /* max(x, 0) - x t + log(1 + exp(-|x|)) */
    cconv_loss_terms_fn *sigmoid_terms;
    cconv_loss_bent_fn *bent;
    cconv_loss_bent_backward_fn *bent_backward;
};

void cconv_loss_init_ref(struct cconv_loss_kernels *k);
void cconv_loss_init_avx2(struct cconv_loss_kernels *k);   /* where built: CCONV_HAVE_AVX2 */
void cconv_loss_init_avx512(struct cconv_loss_kernels *k); /* where built: CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_LOSS_H */
