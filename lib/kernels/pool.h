/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pool.h - inner loops of pooling: one tap of a window over a run of pixels,
 * and whole columns of a [rows][channels] matrix.
 *
 * Taps: output pixel p has its `channels` values at y + p * channels, and its
 * input under this tap at x + p * x_step. The caller leaves out the pixels whose
 * tap lies outside the image. x and y never overlap.
 */
#ifndef CCONV_KERNELS_POOL_H
#define CCONV_KERNELS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* y = max(y, x), a NaN counting as the largest; where x wins, arg = tap. arg may be NULL. */
typedef void cconv_pool_max_tap_fn(size_t pixels, size_t channels, size_t x_step,
                                   const cconv_real *x, int32_t tap, cconv_real *y, int32_t *arg);

/* dx += dy where arg = tap. */
typedef void cconv_pool_max_tap_backward_fn(size_t pixels, size_t channels, size_t x_step,
                                            const cconv_real *dy, const int32_t *arg, int32_t tap,
                                            cconv_real *dx);

/* y += x. */
typedef void cconv_pool_add_tap_fn(size_t pixels, size_t channels, size_t x_step,
                                   const cconv_real *x, cconv_real *y);

/* dx += dy. */
typedef void cconv_pool_add_tap_backward_fn(size_t pixels, size_t channels, size_t x_step,
                                            const cconv_real *dy, cconv_real *dx);

/* y[c] = the largest of x[r][c], a NaN counting as the largest; row[c] = the
 * first r that has it (of NaNs the last). row may be NULL. rows: 1 .. 2^31 - 1. */
typedef void cconv_pool_column_max_fn(size_t rows, size_t channels, const cconv_real *x,
                                      cconv_real *y, int32_t *row);

/* sum[c] = sum over r of x[r][c]. */
typedef void cconv_pool_column_sum_fn(size_t rows, size_t channels, const cconv_real *x,
                                      double *sum);

/* y[r][c] = factor * x[c]. */
typedef void cconv_pool_column_fill_fn(size_t rows, size_t channels, cconv_real factor,
                                       const cconv_real *x, cconv_real *y);

struct cconv_pool_kernels {
    cconv_pool_max_tap_fn *max_tap;
    cconv_pool_max_tap_backward_fn *max_tap_backward;
    cconv_pool_add_tap_fn *add_tap;
    cconv_pool_add_tap_backward_fn *add_tap_backward;
    cconv_pool_column_max_fn *column_max;
    cconv_pool_column_sum_fn *column_sum;
    cconv_pool_column_fill_fn *column_fill;
};

void cconv_pool_init_ref(struct cconv_pool_kernels *k);
void cconv_pool_init_avx2(struct cconv_pool_kernels *k);   /* where built: CCONV_HAVE_AVX2 */
void cconv_pool_init_avx512(struct cconv_pool_kernels *k); /* where built: CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_POOL_H */
