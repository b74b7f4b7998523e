/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords.h - coordinate channels by themselves: no context, no model.
 *
 * Convention: channel order x, y, radius. x runs with the column, y with the
 * row. Both are aligned at the corners: -1 at the first sample of the axis, +1
 * at the last, k -> 2 k / (n - 1) - 1; an axis of length 1 gives 0. The radius
 * is sqrt(x^2 + y^2). With COORDCONV_COORDS_PIXEL x and y are the column and
 * row themselves, 0 .. n - 1, and the radius their distance from pixel (0, 0).
 *
 * Thread safety: the functions here touch nothing but their arguments.
 */
#ifndef COORDCONV_COORDS_H
#define COORDCONV_COORDS_H

#include <coordconv/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which coordinate channels; combine with |. */
enum {
    COORDCONV_COORDS_NONE = 0,
    COORDCONV_COORDS_XY = 1,     /* two channels, x then y */
    COORDCONV_COORDS_RADIUS = 2, /* one channel, after x and y where they are there */
    COORDCONV_COORDS_PIXEL = 4   /* unit pixels instead of [-1, 1]; exact for integers */
};

/** Number of channels that flags stand for: 0 .. 3; -1 for unknown flags. Since 0.1. */
COORDCONV_API int32_t coordconv_coords_channels(uint32_t flags);

/**
 * Write coordinate channels over a height x width canvas into float memory the
 * caller owns. Element (channel c, row i, column j) goes to
 * dst[c * channel_stride + i * row_stride + j * column_stride], so planar
 * (NCHW) and interleaved (NHWC) images are both reached. Since 0.1.
 *
 * height, width: 1 .. 2^31 - 1. Strides in elements; the caller answers for
 * the room behind dst.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID (dst NULL, unknown or no
 * flags, an extent below 1).
 */
COORDCONV_API coordconv_status coordconv_coords_fill(uint32_t flags, int64_t height, int64_t width,
                                                     float *dst, int64_t channel_stride,
                                                     int64_t row_stride, int64_t column_stride);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_COORDS_H */
