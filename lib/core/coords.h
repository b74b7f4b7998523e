/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords.h - coordinate channels for the floors above.
 */
#ifndef CCONV_CORE_COORDS_H
#define CCONV_CORE_COORDS_H

#include <coordconv/coords.h>

#include "base/real.h"
#include "base/report.h"

/* Whether flags ask for a channel of x, and for one of y. */
static inline int cconv_coords_has_x(uint32_t flags)
{
    return (flags & (COORDCONV_COORDS_XY | COORDCONV_COORDS_X)) != 0;
}

static inline int cconv_coords_has_y(uint32_t flags)
{
    return (flags & (COORDCONV_COORDS_XY | COORDCONV_COORDS_Y)) != 0;
}

/* Coordinate of sample k on an axis of n samples, before it is rounded to the
 * type it is kept in. In [-1, 1] exactly antisymmetric: C(k) = -C(n - 1 - k). */
double cconv_coords_axis(uint32_t flags, int64_t k, int64_t n);

/* coordconv_coords_fill without the checks, into the type models compute in; only
 * part `part` of so many of the canvas. X and Y by themselves are not known here. */
void cconv_coords_values(uint32_t flags, int64_t part, int64_t parts, int64_t height, int64_t width,
                         cconv_real *dst, int64_t channel_stride, int64_t row_stride,
                         int64_t column_stride);

/* ---- grids and frames (coords_grid.c) ---- */

/* coordconv_convention, with somebody to tell. */
coordconv_status cconv_convention(const struct cconv_log *log, const char *name,
                                  coordconv_convention_desc *out);

/* The first of x, y and radius that is wanted and not offered, NULL if there is none. */
const char *cconv_coords_lacking(uint32_t wanted, uint32_t offered);

/* An axis ready for use: the coordinate of sample k is
 * ((length - t) * low + t * high) / length with t = first + k * step, in double.
 * length is never 0. */
struct cconv_axis {
    double low, high, length, first, step;
};

/* A coordconv_grid_desc with its defaults filled in and checked. */
struct cconv_grid {
    double low, high;
    int32_t sampling, radius, single;
};

/* A coordconv_frame_desc, likewise. */
struct cconv_place {
    double y, x, step_y, step_x;
    int64_t height, width;
};

/* desc NULL: this library's own way. `what` begins the message of a failure. */
coordconv_status cconv_grid_read(const struct cconv_log *log, const char *what,
                                 const coordconv_grid_desc *desc, struct cconv_grid *out);

/* desc NULL: the image, of extents in 1 .. 2^31 - 1, is the whole. */
coordconv_status cconv_place_read(const struct cconv_log *log, const char *what,
                                  const coordconv_frame_desc *desc, int64_t height, int64_t width,
                                  struct cconv_place *out);

struct cconv_axis cconv_axis_y(const struct cconv_grid *grid, const struct cconv_place *place);
struct cconv_axis cconv_axis_x(const struct cconv_grid *grid, const struct cconv_place *place);

/* For an aligned axis from -1 to 1 without a frame the bits of cconv_coords_axis. Samples at the
 * same place have the same bits in every frame, where places are exact in double. */
double cconv_axis_value(const struct cconv_axis *axis, double k);

/* From one sample to the next. */
double cconv_axis_slope(const struct cconv_axis *axis);

/* The radius at x, y; most: what cconv_radius_most said. */
double cconv_radius_value(const struct cconv_grid *grid, double x, double y, double most);

/* A value as the radius takes it: less its centre, in 0 .. 1 where the radius is centred. The
 * radius is the square root of the sum of two squares of these, divided by the divisor. */
double cconv_radius_part(const struct cconv_grid *grid, double value);
double cconv_radius_divisor(const struct cconv_grid *grid, double most);

/* Largest plain radius of the larger image; looked at by COORDCONV_RADIUS_NORMALIZED alone. */
double cconv_radius_most(const struct cconv_grid *grid, const struct cconv_place *place);

#endif /* CCONV_CORE_COORDS_H */
