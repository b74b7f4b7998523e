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

/* Axes as they are numbered here; a signal has x alone, an image no z. */
enum {
    CCONV_Y = 0,
    CCONV_X = 1,
    CCONV_Z = 2,
    CCONV_AXES = 3
};

/* Whether an axis is one of the 1 of signals, the 2 of images or the 3 of volumes. */
static inline int cconv_axes_have(int32_t axes, int axis)
{
    return axis == CCONV_X || (axis == CCONV_Y ? axes > 1 : axes > 2);
}

/* A coordconv_frame_desc, likewise, of y, x and z: sample k of an axis stands at sample
 * first + k step of the larger image. What an image does not have is the whole of one sample. */
struct cconv_place {
    double first[CCONV_AXES], step[CCONV_AXES];
    int64_t extent[CCONV_AXES]; /* of the larger image */
};

/* desc NULL: this library's own way. `what` begins the message of a failure. */
coordconv_status cconv_grid_read(const struct cconv_log *log, const char *what,
                                 const coordconv_grid_desc *desc, struct cconv_grid *out);

/* The grid that flags and a descriptor, which may be NULL, ask for, on so many axes. */
coordconv_status cconv_grid_of(const struct cconv_log *log, const char *what, int32_t axes,
                               uint32_t coords, const coordconv_grid_desc *desc,
                               struct cconv_grid *out);

/* An image of these extents, y, x, z, each in 1 .. 2^31 - 1, that is the whole. */
struct cconv_place cconv_place_whole(const int64_t extent[CCONV_AXES]);
int cconv_place_same(const struct cconv_place *a, const struct cconv_place *b);

/* *place: the image is the whole, and is changed to what desc says; what it says of an axis that
 * is not one of so many is refused. */
coordconv_status cconv_place_read(const struct cconv_log *log, const char *what,
                                  const coordconv_frame_desc *desc, int32_t axes,
                                  struct cconv_place *place);

/* COORDCONV_SAMPLING_SWAPPED is for y and x. */
struct cconv_axis cconv_axis(const struct cconv_grid *grid, const struct cconv_place *place,
                             int axis);

/* For an aligned axis from -1 to 1 without a frame the bits of cconv_coords_axis. Samples at the
 * same place have the same bits in every frame, where places are exact in double. */
double cconv_axis_value(const struct cconv_axis *axis, double k);

/* From one sample to the next. */
double cconv_axis_slope(const struct cconv_axis *axis);

/* The radius where y, x and z have these values, as far as there are so many axes (1: x alone);
 * most: what cconv_radius_most said. */
double cconv_radius_value(const struct cconv_grid *grid, int axes, const double *value,
                          double most);

/* A value as the radius takes it: less its centre, in 0 .. 1 where the radius is centred. The
 * radius is the square root of the sum of two squares of these, divided by the divisor. */
double cconv_radius_part(const struct cconv_grid *grid, double value);
double cconv_radius_divisor(const struct cconv_grid *grid, double most);

/* Largest plain radius of the larger image; looked at by COORDCONV_RADIUS_NORMALIZED alone. */
double cconv_radius_most(const struct cconv_grid *grid, int axes, const struct cconv_place *place);

/* ---- channels (coords_write.c) ---- */

/* What the channels of a signal, an image or a volume show: x, y, z, radius, as far as wanted. */
struct cconv_channels {
    uint32_t coords; /* COORDCONV_COORDS_* */
    int32_t axes;    /* 1 .. 3 */
    struct cconv_grid grid;
    struct cconv_place place;
    int64_t extent[CCONV_AXES]; /* y, x, z */
};

/* Elements from one value to the next. */
struct cconv_channel_strides {
    int64_t channel, slice, row, column;
};

/* Number of channels; less than 1 where flags are unknown or there are none. */
int32_t cconv_coords_count(int32_t axes, uint32_t flags);

/* Write rows first .. last - 1, those of all slices counted, to `to`, where row 0 begins. */
void cconv_channels_write(const struct cconv_channels *c, int64_t first, int64_t last,
                          const struct cconv_channel_strides *s, cconv_real *to);

#endif /* CCONV_CORE_COORDS_H */
