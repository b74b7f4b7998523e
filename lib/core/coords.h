/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords.h - coordinate channels for the floors above.
 */
#ifndef CCONV_CORE_COORDS_H
#define CCONV_CORE_COORDS_H

#include <coordconv/coords.h>

#include "base/real.h"

/* Coordinate of sample k on an axis of n samples, before it is rounded to the
 * type it is kept in. In [-1, 1] exactly antisymmetric: C(k) = -C(n - 1 - k). */
double cconv_coords_axis(uint32_t flags, int64_t k, int64_t n);

/* coordconv_coords_fill without the checks, into the type models compute in; only
 * part `part` of so many of the canvas. */
void cconv_coords_values(uint32_t flags, int64_t part, int64_t parts, int64_t height, int64_t width,
                         cconv_real *dst, int64_t channel_stride, int64_t row_stride,
                         int64_t column_stride);

#endif /* CCONV_CORE_COORDS_H */
