/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords_write.c - coordinate channels of signals, images and volumes, by any grid
 * and frame.
 */
#include <inttypes.h>

#include "base/checked.h"
#include "core/coords.h"
#include "core/shape.h"

#define WHAT "coords_write"

enum {
    CHUNK = 256, /* columns whose x is made once for all rows */
    CHANNELS = CCONV_AXES + 1
};

int32_t cconv_coords_count(int32_t axes, uint32_t flags)
{
    const uint32_t z = axes == 3 ? flags & COORDCONV_COORDS_Z : 0;

    return coordconv_coords_channels(flags & ~z) + (z != 0);
}

struct writing {
    const struct cconv_channels *channels;
    const struct cconv_channel_strides *strides;
    struct cconv_axis axis[CCONV_AXES];
    double most;
    int order[CHANNELS]; /* axes in the order of the channels; CCONV_AXES: the radius */
    int count;
    void *to;
    int single; /* floats whatever cconv_real is */
};

static void put(const struct writing *w, int64_t at, double value)
{
#ifdef CCONV_DOUBLE
    if (w->single) {
        ((float *)w->to)[at] = (float)value;
        return;
    }
#endif
    ((cconv_real *)w->to)[at] = (cconv_real)value;
}

/* Columns first .. first + n - 1 of a row, whose x are given. */
static void write_row(const struct writing *w, int64_t row, int64_t first, int64_t n,
                      const double *x)
{
    const struct cconv_channels *c = w->channels;
    const struct cconv_channel_strides *s = w->strides;
    const int64_t i = row % c->extent[CCONV_Y], k = row / c->extent[CCONV_Y];
    double value[CCONV_AXES + 1];

    value[CCONV_Y] = cconv_axis_value(&w->axis[CCONV_Y], (double)i);
    value[CCONV_Z] = cconv_axis_value(&w->axis[CCONV_Z], (double)k);
    for (int64_t j = 0; j < n; j++) {
        const int64_t at = k * s->slice + i * s->row + (first + j) * s->column;

        value[CCONV_X] = x[j];
        if (c->coords & COORDCONV_COORDS_RADIUS)
            value[CCONV_AXES] = cconv_radius_value(&c->grid, c->axes, value, w->most);
        for (int q = 0; q < w->count; q++)
            put(w, at + q * s->channel, value[w->order[q]]);
    }
}

static void write_rows(struct writing *w, int64_t begin, int64_t end)
{
    const struct cconv_channels *c = w->channels;
    const int wanted[CHANNELS] = { cconv_coords_has_x(c->coords), cconv_coords_has_y(c->coords),
                                   (c->coords & COORDCONV_COORDS_Z) != 0,
                                   (c->coords & COORDCONV_COORDS_RADIUS) != 0 };
    const int64_t width = c->extent[CCONV_X];
    double x[CHUNK];

    for (int i = 0; i < CHANNELS; i++) {
        if (wanted[i])
            w->order[w->count++] = i < 2 ? 1 - i : i;
        if (i < CCONV_AXES)
            w->axis[i] = cconv_axis(&c->grid, &c->place, i);
    }
    w->most = cconv_radius_most(&c->grid, c->axes, &c->place);
    for (int64_t first = 0; first < width; first += CHUNK) {
        const int64_t n = CCONV_MIN(width - first, CHUNK);

        for (int64_t j = 0; j < n; j++)
            x[j] = cconv_axis_value(&w->axis[CCONV_X], (double)(first + j));
        for (int64_t row = begin; row < end; row++)
            write_row(w, row, first, n, x);
    }
}

void cconv_channels_write(const struct cconv_channels *c, int64_t first, int64_t last,
                          const struct cconv_channel_strides *s, cconv_real *to)
{
    struct writing w = { .channels = c, .strides = s, .to = to };

    write_rows(&w, first, last);
}

/* ---- for everyone ---- */

static coordconv_status fail(const char *field)
{
    return cconv_fail(NULL, COORDCONV_ERR_INVALID, WHAT ": %s is out of range", field);
}

/* Extents of the axes there are, and how many that is. */
static coordconv_status read_extents(const coordconv_coords_desc *d, struct cconv_channels *c)
{
    static const char names[CCONV_AXES][7] = { "height", "width", "depth" };
    const int64_t extents[CCONV_AXES] = { d->height, d->width, d->depth };
    size_t values = CHANNELS;

    c->axes = d->depth != 0 ? 3 : d->height != 0 ? 2 : 1;
    for (int i = 0; i < CCONV_AXES; i++) {
        const int missing = !cconv_axes_have(c->axes, i);
        const coordconv_status status =
            cconv_check_range(NULL, WHAT, names[i], extents[i], !missing, INT32_MAX);

        if (status != COORDCONV_OK)
            return status;
        c->extent[i] = missing ? 1 : extents[i];
        values = cconv_size_mul(values, (size_t)c->extent[i]);
    }
    return values > PTRDIFF_MAX / sizeof(float) ? fail("canvas") : COORDCONV_OK;
}

static coordconv_status read_channels(const coordconv_coords_desc *d, struct cconv_channels *c)
{
    coordconv_status status = read_extents(d, c);

    if (status != COORDCONV_OK)
        return status;
    c->coords = d->coords;
    if (cconv_coords_count(c->axes, c->coords) < 1 ||
        (c->axes == 1 && cconv_coords_has_y(c->coords)))
        return fail("coords");
    status = cconv_grid_of(NULL, WHAT, c->axes, c->coords, d->grid, &c->grid);
    c->place = cconv_place_whole(c->extent);
    if (status == COORDCONV_OK)
        status = cconv_place_read(NULL, WHAT, d->frame, c->axes, &c->place);
    return status;
}

/* The strides of the descriptor, or those of planes without gaps. */
static struct cconv_channel_strides strides_of(const coordconv_coords_desc *d,
                                               const int64_t extent[CCONV_AXES])
{
    struct cconv_channel_strides s = { d->channel_stride, d->slice_stride, d->row_stride,
                                       d->column_stride };

    if (s.channel != 0 || s.slice != 0 || s.row != 0 || s.column != 0)
        return s;
    s.column = 1;
    s.row = extent[CCONV_X];
    s.slice = s.row * extent[CCONV_Y];
    s.channel = s.slice * extent[CCONV_Z];
    return s;
}

static coordconv_status check_strides(const struct cconv_channels *c,
                                      const struct cconv_channel_strides *s)
{
    struct cconv_extent e[] = { cconv_extent(s->channel, cconv_coords_count(c->axes, c->coords)),
                                cconv_extent(s->slice, c->extent[CCONV_Z]),
                                cconv_extent(s->row, c->extent[CCONV_Y]),
                                cconv_extent(s->column, c->extent[CCONV_X]) };
    size_t reach;

    if (cconv_extents_overlap(e, 4, &reach))
        return cconv_fail(NULL, COORDCONV_ERR_INVALID,
                          WHAT ": channel, slice, row, column stride %" PRId64 ", %" PRId64
                               ", %" PRId64 ", %" PRId64 " let values share their places",
                          s->channel, s->slice, s->row, s->column);
    return reach > PTRDIFF_MAX / sizeof(float) ? fail("reach of the strides") : COORDCONV_OK;
}

coordconv_status coordconv_coords_write(const coordconv_coords_desc *desc, float *dst)
{
    coordconv_coords_desc d;
    struct cconv_channels c;
    coordconv_status status = cconv_desc_read(
        NULL, WHAT, desc, CCONV_DESC_END(coordconv_coords_desc, frame), sizeof d, &d);

    if (status == COORDCONV_OK && dst == NULL)
        status = cconv_fail(NULL, COORDCONV_ERR_INVALID, WHAT ": dst is NULL");
    if (status == COORDCONV_OK)
        status = read_channels(&d, &c);
    if (status != COORDCONV_OK)
        return status;
    const struct cconv_channel_strides strides = strides_of(&d, c.extent);
    struct writing w = { .channels = &c, .strides = &strides, .to = dst, .single = 1 };

    if ((status = check_strides(&c, &strides)) != COORDCONV_OK)
        return status;
    write_rows(&w, 0, c.extent[CCONV_Y] * c.extent[CCONV_Z]);
    return COORDCONV_OK;
}
