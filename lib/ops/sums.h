/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sums.h - sums of output gradients, the same bits for any number of threads.
 */
#ifndef CCONV_OPS_SUMS_H
#define CCONV_OPS_SUMS_H

#include "core/context.h"

/* sum[i] = x[0][i] + x[1][i] + ... over a batch of images of `image` elements. */
void cconv_sum_batch(coordconv_context *context, size_t batch, size_t image, const cconv_real *x,
                     cconv_real *sum);

/* sum[c] = sum of x[p][c] over all pixels. */
void cconv_sum_pixels(coordconv_context *context, size_t pixels, size_t channels,
                      const cconv_real *x, cconv_real *sum, void *scratch);
size_t cconv_sum_pixels_scratch(size_t pixels, size_t channels);

#endif /* CCONV_OPS_SUMS_H */
