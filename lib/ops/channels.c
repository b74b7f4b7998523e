/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/channels.h"

#include <math.h>

#include "ops/split.h"

enum {
    CHUNK = 256, /* columns whose x is made once for the rows of a task */
    /* Coordinates not worth another thread, and tasks where they are. */
    FEW_PIXELS = 32 * 1024,
    OWN_TASKS = 8
};

struct fill {
    const struct cconv_channels *channels;
    struct cconv_axis y, x;
    double most;
    size_t count; /* channels of a pixel */
    cconv_real *to;
    struct cconv_split split; /* of the rows */
};

/* The y that adds nothing to the radius of a line. */
static double middle_of(const struct cconv_grid *g)
{
    return g->radius == COORDCONV_RADIUS_OFFSET     ? 0.5
           : g->radius == COORDCONV_RADIUS_CENTERED ? (g->low + g->high) / 2
                                                    : 0;
}

/* Largest |x| of the whole line. */
static double most_of_line(const struct cconv_channels *c)
{
    const struct cconv_place whole = {
        .step_y = 1, .step_x = 1, .height = c->place.height, .width = c->place.width
    };
    const struct cconv_axis x = cconv_axis_x(&c->grid, &whole);

    return fmax(fabs(cconv_axis_value(&x, 0)),
                fabs(cconv_axis_value(&x, (double)(whole.width - 1))));
}

/* Columns first .. first + n - 1 of row i, whose x are given. */
static void fill_row(const struct fill *f, int64_t i, int64_t first, int64_t n, const double *x)
{
    const struct cconv_channels *c = f->channels;
    const double y = c->line ? middle_of(&c->grid) : cconv_axis_value(&f->y, (double)i);
    cconv_real *to = f->to + (size_t)(i * c->width + first) * f->count;

    for (int64_t j = 0; j < n; j++) {
        if (cconv_coords_has_x(c->coords))
            *to++ = (cconv_real)x[j];
        if (cconv_coords_has_y(c->coords))
            *to++ = (cconv_real)y;
        if (c->coords & COORDCONV_COORDS_RADIUS)
            *to++ = (cconv_real)cconv_radius_value(&c->grid, x[j], y, f->most);
    }
}

static void fill_task(void *arg, size_t task, size_t slot)
{
    const struct fill *f = arg;
    const int64_t width = f->channels->width;
    const int64_t begin = (int64_t)cconv_split_begin(&f->split, task);
    const int64_t end = begin + (int64_t)cconv_split_count(&f->split, task);
    double x[CHUNK];

    (void)slot;
    for (int64_t first = 0; first < width; first += CHUNK) {
        const int64_t n = CCONV_MIN(width - first, CHUNK);

        for (int64_t j = 0; j < n; j++)
            x[j] = cconv_axis_value(&f->x, (double)(first + j));
        for (int64_t i = begin; i < end; i++)
            fill_row(f, i, first, n, x);
    }
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
    cconv_coords_values(o->flags, (int64_t)task, OWN_TASKS, c->height, c->width, o->to, 1,
                        c->width * n, n);
}

static int is_own(const struct cconv_channels *c)
{
    const struct cconv_grid *g = &c->grid;

    return !c->line && g->low == -1 && g->high == 1 &&
           (g->sampling == COORDCONV_SAMPLING_ALIGNED || g->sampling == COORDCONV_SAMPLING_PIXEL) &&
           g->radius == COORDCONV_RADIUS_PLAIN && g->single == COORDCONV_SINGLE_MIDDLE &&
           cconv_coords_has_x(c->coords) == cconv_coords_has_y(c->coords) && c->place.y == 0 &&
           c->place.x == 0 && c->place.step_y == 1 && c->place.step_x == 1 &&
           c->place.height == c->height && c->place.width == c->width;
}

static void fill_own(coordconv_context *context, const struct cconv_channels *c, cconv_real *to)
{
    struct own o = { .channels = c, .to = to };

    o.flags = (c->coords & COORDCONV_COORDS_RADIUS) |
              (cconv_coords_has_x(c->coords) ? (uint32_t)COORDCONV_COORDS_XY : 0) |
              (c->grid.sampling == COORDCONV_SAMPLING_PIXEL ? (uint32_t)COORDCONV_COORDS_PIXEL : 0);
    if (c->height * c->width > FEW_PIXELS) {
        cconv_parallel_run(&context->parallel, own_task, &o, OWN_TASKS);
        return;
    }
    for (size_t i = 0; i < OWN_TASKS; i++)
        own_task(&o, i, 0);
}

void cconv_channels_fill(coordconv_context *context, const struct cconv_channels *c, cconv_real *to)
{
    if (is_own(c)) {
        fill_own(context, c, to);
        return;
    }
    struct fill f = { .channels = c,
                      .y = cconv_axis_y(&c->grid, &c->place),
                      .x = cconv_axis_x(&c->grid, &c->place),
                      .most = c->line ? most_of_line(c) : cconv_radius_most(&c->grid, &c->place),
                      .count = (size_t)coordconv_coords_channels(c->coords),
                      .to = to };

    f.split = cconv_split((size_t)c->height, (size_t)c->width * f.count, 1);
    cconv_parallel_run(&context->parallel, fill_task, &f, f.split.tasks);
}
