/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reduce.h - sums over rows.
 */
#ifndef CCONV_KERNELS_REDUCE_H
#define CCONV_KERNELS_REDUCE_H

#include <stddef.h>

#include "base/real.h"

/* sum[c] += x[0][c] + x[1][c] + ... in that order, for 0 <= c < columns; row r is at x + r *
 * stride. */
typedef void cconv_add_rows_fn(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                               cconv_real *sum);

struct cconv_reduce_kernels {
    cconv_add_rows_fn *add_rows;
};

void cconv_reduce_init_ref(struct cconv_reduce_kernels *k);

#endif /* CCONV_KERNELS_REDUCE_H */
