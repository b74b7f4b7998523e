/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reduce.h - sums over rows.
 */
#ifndef CCONV_KERNELS_REDUCE_H
#define CCONV_KERNELS_REDUCE_H

#include <stddef.h>

#include "base/real.h"

/* sum[c] += x[0][c] + x[1][c] + ..., for 0 <= c < columns; row r is at x + r * stride. The order
 * of the additions depends on rows and columns, and on whether stride is columns, alone. */
typedef void cconv_add_rows_fn(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                               cconv_real *sum);

struct cconv_reduce_kernels {
    cconv_add_rows_fn *add_rows;
};

void cconv_reduce_init_ref(struct cconv_reduce_kernels *k);
void cconv_reduce_init_avx2(struct cconv_reduce_kernels *k);   /* where built: CCONV_HAVE_AVX2 */
void cconv_reduce_init_avx512(struct cconv_reduce_kernels *k); /* where built: CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_REDUCE_H */
