/* SPDX-License-Identifier: BSD-2-Clause
 *
 * eltwise.h - one value in, one value out. Outputs may be the inputs.
 */
#ifndef CCONV_KERNELS_ELTWISE_H
#define CCONV_KERNELS_ELTWISE_H

#include <stddef.h>

#include "base/real.h"
#include "kernels/conv.h"

/* y[i] = act(x[i]) for 0 <= i < n. A NaN comes out as a NaN, from RELU too. */
typedef void cconv_act_forward_fn(enum cconv_activation act, cconv_real slope, size_t n,
                                  const cconv_real *x, cconv_real *y);

/* dx[i] = dy[i] * act'(x[i]), the derivative taken from y = act(x) alone. */
typedef void cconv_act_backward_fn(enum cconv_activation act, cconv_real slope, size_t n,
                                   const cconv_real *y, const cconv_real *dy, cconv_real *dx);

/* z[i] = x[i] + y[i], x[i] * y[i], factor * x[i]. */
typedef void cconv_add_fn(size_t n, const cconv_real *x, const cconv_real *y, cconv_real *z);
typedef void cconv_multiply_fn(size_t n, const cconv_real *x, const cconv_real *y, cconv_real *z);
typedef void cconv_scale_fn(size_t n, cconv_real factor, const cconv_real *x, cconv_real *y);

struct cconv_eltwise_kernels {
    cconv_act_forward_fn *act_forward;
    cconv_act_backward_fn *act_backward;
    cconv_add_fn *add;
    cconv_multiply_fn *multiply;
    cconv_scale_fn *scale;
};

void cconv_eltwise_init_ref(struct cconv_eltwise_kernels *k);
void cconv_eltwise_init_avx2(struct cconv_eltwise_kernels *k); /* where built: CCONV_HAVE_AVX2 */
void cconv_eltwise_init_avx512(
    struct cconv_eltwise_kernels *k); /* where built: CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_ELTWISE_H */
