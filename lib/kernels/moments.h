/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments.h - sums of rows, and of rows weighted by their place.
 */
#ifndef CCONV_KERNELS_MOMENTS_H
#define CCONV_KERNELS_MOMENTS_H

#include <stddef.h>

#include "base/real.h"

/* sum[c] += x[0][c] + x[1][c] + ...
 * moment[c] += first * x[0][c] + (first + 1) * x[1][c] + ...
 * for 0 <= c < columns; row r is at x + r * stride. moment may be NULL. What is
 * added is made apart, in an order that does not depend on columns. */
typedef void cconv_moments_fn(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                              cconv_real first, cconv_real *sum, cconv_real *moment);

void cconv_moments_ref(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                       cconv_real first, cconv_real *sum, cconv_real *moment);

/* Where built: CCONV_HAVE_AVX2, CCONV_HAVE_AVX512, CCONV_HAVE_NEON. */
void cconv_moments_avx2(size_t rows, size_t columns, const float *x, size_t stride, float first,
                        float *sum, float *moment);
void cconv_moments_avx512(size_t rows, size_t columns, const float *x, size_t stride, float first,
                          float *sum, float *moment);
void cconv_moments_neon(size_t rows, size_t columns, const float *x, size_t stride, float first,
                        float *sum, float *moment);

#endif /* CCONV_KERNELS_MOMENTS_H */
