/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/channels.h"

#include <string.h>

#include "ops/split.h"

enum {
    /* Coordinates not worth another thread, and tasks where they are. */
    FEW_PIXELS = 32 * 1024,
    OWN_TASKS = 8
};

struct fill {
    const struct cconv_channels *channels;
    struct cconv_channel_strides strides;
    cconv_real *to;
    struct cconv_split split; /* of the rows */
};

static void fill_task(void *arg, size_t task, size_t slot)
{
    const struct fill *f = arg;
    const int64_t begin = (int64_t)cconv_split_begin(&f->split, task);
    const int64_t count = (int64_t)cconv_split_count(&f->split, task);

    (void)slot;
    cconv_channels_write(f->channels, begin, begin + count, &f->strides, f->to);
}

/* ---- the library's own coordinates, which are symmetric ---- */

struct own {
    const struct cconv_channels *channels;
    uint32_t flags;
    cconv_real *to;
};

static void own_task(void *arg, size_t task, size_t slot)
{
    const struct own *o = arg;
    const struct cconv_channels *c = o->channels;
    const int64_t n = coordconv_coords_channels(o->flags);

    (void)slot;
    cconv_coords_values(o->flags, (int64_t)task, OWN_TASKS, c->extent[CCONV_Y], c->extent[CCONV_X],
                        o->to, 1, c->extent[CCONV_X] * n, n);
}

static int is_own(const struct cconv_channels *c)
{
    const struct cconv_grid *g = &c->grid;
    const struct cconv_place whole = cconv_place_whole(c->extent);

    return c->axes == 2 && g->low == -1 && g->high == 1 &&
           (g->sampling == COORDCONV_SAMPLING_ALIGNED || g->sampling == COORDCONV_SAMPLING_PIXEL) &&
           g->radius == COORDCONV_RADIUS_PLAIN && g->single == COORDCONV_SINGLE_MIDDLE &&
           cconv_coords_has_x(c->coords) == cconv_coords_has_y(c->coords) &&
           cconv_place_same(&c->place, &whole);
}

static void fill_own(coordconv_context *context, const struct cconv_channels *c, cconv_real *to)
{
    struct own o = { .channels = c, .to = to };

    o.flags = (c->coords & COORDCONV_COORDS_RADIUS) |
              (cconv_coords_has_x(c->coords) ? (uint32_t)COORDCONV_COORDS_XY : 0) |
              (c->grid.sampling == COORDCONV_SAMPLING_PIXEL ? (uint32_t)COORDCONV_COORDS_PIXEL : 0);
    if (c->extent[CCONV_Y] * c->extent[CCONV_X] > FEW_PIXELS) {
        cconv_parallel_run(&context->parallel, own_task, &o, OWN_TASKS);
        return;
    }
    for (size_t i = 0; i < OWN_TASKS; i++)
        own_task(&o, i, 0);
}

/* ---- of an application ---- */

struct cconv_place cconv_channels_place(const struct cconv_app *app,
                                        const struct cconv_place *place)
{
    return place != NULL ? *place : cconv_image_whole(&app->in[0]);
}

void cconv_channels_fill(const struct cconv_app *app, const struct cconv_place *place,
                         uint32_t coords, cconv_real *to)
{
    const struct cconv_place whole = cconv_image_whole(&app->in[0]);
    struct cconv_channels c = { .coords = coords,
                                .axes = app->in[0].ndim - 2,
                                .grid = app->attr->conv.grid,
                                .place = place != NULL ? *place : whole };
    struct fill f = { .channels = &c, .to = to };

    memcpy(c.extent, whole.extent, sizeof c.extent);
    if (is_own(&c)) {
        fill_own(app->context, &c, to);
        return;
    }
    f.strides.channel = 1;
    f.strides.column = cconv_coords_count(c.axes, coords);
    f.strides.row = f.strides.column * c.extent[CCONV_X];
    f.strides.slice = f.strides.row * c.extent[CCONV_Y];
    f.split =
        cconv_split((size_t)(c.extent[CCONV_Y] * c.extent[CCONV_Z]), (size_t)f.strides.row, 1);
    cconv_parallel_run(&app->context->parallel, fill_task, &f, f.split.tasks);
}
