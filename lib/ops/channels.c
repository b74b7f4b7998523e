/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/channels.h"

#include "ops/split.h"

enum {
    CHUNK = 256 /* columns whose x is made once for the rows of a task */
};

struct fill {
    const struct cconv_channels *channels;
    struct cconv_axis y, x;
    double most;
    size_t count; /* channels of a pixel */
    cconv_real *to;
    struct cconv_split split; /* of the rows */
};

/* Columns first .. first + n - 1 of row i, whose x are given. */
static void fill_row(const struct fill *f, int64_t i, int64_t first, int64_t n, const double *x)
{
    const struct cconv_channels *c = f->channels;
    const double y = cconv_axis_value(&f->y, (double)i);
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

void cconv_channels_fill(coordconv_context *context, const struct cconv_channels *c, cconv_real *to)
{
    struct fill f = { .channels = c,
                      .y = cconv_axis_y(&c->grid, &c->place),
                      .x = cconv_axis_x(&c->grid, &c->place),
                      .most = cconv_radius_most(&c->grid, &c->place),
                      .count = (size_t)coordconv_coords_channels(c->coords),
                      .to = to };

    f.split = cconv_split((size_t)c->height, (size_t)c->width * f.count, 1);
    cconv_parallel_run(&context->parallel, fill_task, &f, f.split.tasks);
}
