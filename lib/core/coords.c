/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords.c - coordinate channels: the formula, and canvases full of it.
 *
 * Values are made in double and rounded once, to the type they are stored in;
 * the radius is made from the unrounded x and y.
 */
#include "core/coords.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "base/report.h"

#define KNOWN_FLAGS                                                                                \
    ((uint32_t)(COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS | COORDCONV_COORDS_PIXEL |           \
                COORDCONV_COORDS_X | COORDCONV_COORDS_Y))

int32_t coordconv_coords_channels(uint32_t flags)
{
    if ((flags & ~KNOWN_FLAGS) != 0)
        return -1;
    return cconv_coords_has_x(flags) + cconv_coords_has_y(flags) +
           (flags & COORDCONV_COORDS_RADIUS ? 1 : 0);
}

/* 2 k / (n - 1) - 1 as one quotient of two integers, both exact in double: the
 * numerator changes its sign with the direction of the axis and nothing else does. */
double cconv_coords_axis(uint32_t flags, int64_t k, int64_t n)
{
    if (flags & COORDCONV_COORDS_PIXEL)
        return (double)k;
    return n == 1 ? 0.0 : (double)(2 * k - (n - 1)) / (double)(n - 1);
}

#define CHUNK 256

/* x of columns first .. first + n - 1. */
static void chunk_of_x(uint32_t flags, int64_t first, int64_t n, int64_t width, double *x)
{
    for (int64_t j = 0; j < n; j++)
        x[j] = cconv_coords_axis(flags, first + j, width);
}

/* A strip of columns at a time, so that the divisions for x are made once a
 * column and not once a pixel. One function for each type of element, the same text. */
#define DEFINE_FILL(name, type)                                                                    \
    static void name(uint32_t flags, int64_t height, int64_t width, type *dst,                     \
                     int64_t channel_stride, int64_t row_stride, int64_t column_stride)            \
    {                                                                                              \
        const int xy = (flags & COORDCONV_COORDS_XY) != 0;                                         \
        const int radius = (flags & COORDCONV_COORDS_RADIUS) != 0;                                 \
        double x[CHUNK];                                                                           \
                                                                                                   \
        for (int64_t first = 0; first < width; first += CHUNK) {                                   \
            const int64_t n = CCONV_MIN(width - first, CHUNK);                                     \
                                                                                                   \
            chunk_of_x(flags, first, n, width, x);                                                 \
            for (int64_t i = 0; i < height; i++) {                                                 \
                const double y = cconv_coords_axis(flags, i, height);                              \
                type *at = dst + i * row_stride + first * column_stride;                           \
                                                                                                   \
                for (int64_t j = 0; xy && j < n; j++) {                                            \
                    at[j * column_stride] = (type)x[j];                                            \
                    at[j * column_stride + channel_stride] = (type)y;                              \
                }                                                                                  \
                at += xy && radius ? 2 * channel_stride : 0;                                       \
                for (int64_t j = 0; radius && j < n; j++)                                          \
                    at[j * column_stride] = (type)sqrt(x[j] * x[j] + y * y);                       \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_FILL(fill_real, cconv_real)

void cconv_coords_values(uint32_t flags, int64_t height, int64_t width, cconv_real *dst,
                         int64_t channel_stride, int64_t row_stride, int64_t column_stride)
{
    fill_real(flags, height, width, dst, channel_stride, row_stride, column_stride);
}

#ifdef CCONV_DOUBLE
DEFINE_FILL(fill_float, float)
#else
#define fill_float fill_real
#endif

/* A channel of x or of y alone. */
static void fill_axis(uint32_t flags, int64_t height, int64_t width, float *dst, int64_t row_stride,
                      int64_t column_stride)
{
    const int is_x = cconv_coords_has_x(flags);

    for (int64_t i = 0; i < height; i++, dst += row_stride)
        for (int64_t j = 0; j < width; j++)
            dst[j * column_stride] =
                (float)cconv_coords_axis(flags, is_x ? j : i, is_x ? width : height);
}

coordconv_status coordconv_coords_fill(uint32_t flags, int64_t height, int64_t width, float *dst,
                                       int64_t channel_stride, int64_t row_stride,
                                       int64_t column_stride)
{
    if (dst == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "coords: dst is NULL");
    if (coordconv_coords_channels(flags) <= 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "coords: flags 0x%" PRIx32 " %s", flags,
                          coordconv_coords_channels(flags) < 0 ? "are unknown" : "name no channel");
    if (height < 1 || height > INT32_MAX || width < 1 || width > INT32_MAX)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID,
                          "coords: canvas %" PRId64 "x%" PRId64 ", sides of 1 .. %" PRId32
                          " are possible",
                          height, width, INT32_MAX);
    if (cconv_coords_has_x(flags) != cconv_coords_has_y(flags)) {
        fill_axis(flags, height, width, dst, row_stride, column_stride);
        dst += channel_stride;
    } else if (cconv_coords_has_x(flags)) {
        flags |= COORDCONV_COORDS_XY;
    }
    fill_float(flags, height, width, dst, channel_stride, row_stride, column_stride);
    return COORDCONV_OK;
}
