/* SPDX-License-Identifier: BSD-2-Clause
 *
 * norm.h - inner loops of norms over a [rows][channels] matrix. All read
 * and write memory once; sums are made in double.
 */
#ifndef CCONV_KERNELS_NORM_H
#define CCONV_KERNELS_NORM_H

#include <stddef.h>

#include "base/real.h"

/* mean[c] of x[.][c] and m2[c] = sum of (x - mean)^2; rows at least 1. Meant for
 * pieces that fit the cache, because it reads x twice. */
typedef void cconv_norm_moments_fn(size_t rows, size_t channels, const cconv_real *x, double *mean,
                                   double *m2);

/* y = (x - mean[c]) * scale[c] + shift[c]. y may be x. */
typedef void cconv_norm_forward_fn(size_t rows, size_t channels, const cconv_real *mean,
                                   const cconv_real *scale, const cconv_real *shift,
                                   const cconv_real *x, cconv_real *y);

/* y = x * scale[c] + shift[c]. y may be x. */
typedef void cconv_norm_affine_fn(size_t rows, size_t channels, const cconv_real *scale,
                                  const cconv_real *shift, const cconv_real *x, cconv_real *y);

/* sum_dy[c] = sum of dy, sum_xdy[c] = sum of (x - mean[c]) * dy. */
typedef void cconv_norm_backward_sums_fn(size_t rows, size_t channels, const cconv_real *mean,
                                         const cconv_real *x, const cconv_real *dy, double *sum_dy,
                                         double *sum_xdy);

/* dx = scale[c] * (dy - offset[c] - (x - mean[c]) * slope[c]). dx may be dy. */
typedef void cconv_norm_backward_fn(size_t rows, size_t channels, const cconv_real *mean,
                                    const cconv_real *scale, const cconv_real *offset,
                                    const cconv_real *slope, const cconv_real *x,
                                    const cconv_real *dy, cconv_real *dx);

/* dx = dy * scale[c] + (x - mean[c]) * slope[c] + offset[c]. dx may be dy. */
typedef void cconv_norm_combine_fn(size_t rows, size_t channels, const cconv_real *mean,
                                   const cconv_real *scale, const cconv_real *slope,
                                   const cconv_real *offset, const cconv_real *x,
                                   const cconv_real *dy, cconv_real *dx);

struct cconv_norm_kernels {
    cconv_norm_moments_fn *moments;
    cconv_norm_forward_fn *forward;
    cconv_norm_affine_fn *affine;
    cconv_norm_backward_sums_fn *backward_sums;
    cconv_norm_backward_fn *backward;
    cconv_norm_combine_fn *combine;
};

void cconv_norm_init_ref(struct cconv_norm_kernels *k);
void cconv_norm_init_avx2(struct cconv_norm_kernels *k);   /* where built: CCONV_HAVE_AVX2 */
void cconv_norm_init_avx512(struct cconv_norm_kernels *k); /* where built: CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_NORM_H */
