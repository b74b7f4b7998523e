/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose.h - rows to columns.
 */
#ifndef CCONV_KERNELS_TRANSPOSE_H
#define CCONV_KERNELS_TRANSPOSE_H

#include <stddef.h>

#include "base/real.h"

/* to[c * to_stride + i * inner + j] = from[i * from_outer + j * from_inner + c] for
 * 0 <= i < outer, 0 <= j < inner, 0 <= c < columns. The two do not overlap. */
struct cconv_transpose {
    size_t outer, inner, columns;
    const cconv_real *from;
    size_t from_outer, from_inner;
    cconv_real *to;
    size_t to_stride;
};

typedef void cconv_transpose_fn(const struct cconv_transpose *t);

cconv_transpose_fn cconv_transpose_ref;
cconv_transpose_fn cconv_transpose_avx2;   /* CCONV_HAVE_AVX2 */
cconv_transpose_fn cconv_transpose_avx512; /* CCONV_HAVE_AVX512 */
cconv_transpose_fn cconv_transpose_neon;   /* CCONV_HAVE_NEON */

#endif /* CCONV_KERNELS_TRANSPOSE_H */
