/* SPDX-License-Identifier: BSD-2-Clause
 *
 * eltwise.h - elementwise work spread over the context's threads.
 *
 * Outputs may be the inputs, but not overlap them otherwise.
 */
#ifndef CCONV_OPS_ELTWISE_H
#define CCONV_OPS_ELTWISE_H

#include "core/context.h"

/* y = act(x). */
void cconv_parallel_act_forward(coordconv_context *context, enum cconv_activation act, double slope,
                                size_t n, const cconv_real *x, cconv_real *y);

/* dx = dy * act'(x), from y = act(x). */
void cconv_parallel_act_backward(coordconv_context *context, enum cconv_activation act,
                                 double slope, size_t n, const cconv_real *y, const cconv_real *dy,
                                 cconv_real *dx);

/* z = x + y, z = x * y, y = factor * x, y = x, y = 0. */
void cconv_parallel_add(coordconv_context *context, size_t n, const cconv_real *x,
                        const cconv_real *y, cconv_real *z);
void cconv_parallel_multiply(coordconv_context *context, size_t n, const cconv_real *x,
                             const cconv_real *y, cconv_real *z);
void cconv_parallel_scale(coordconv_context *context, size_t n, double factor, const cconv_real *x,
                          cconv_real *y);
void cconv_parallel_copy(coordconv_context *context, size_t n, const cconv_real *x, cconv_real *y);
void cconv_parallel_zero(coordconv_context *context, size_t n, cconv_real *y);

#endif /* CCONV_OPS_ELTWISE_H */
