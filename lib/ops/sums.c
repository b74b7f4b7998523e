/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/sums.h"

#include <string.h>

#include "base/checked.h"
#include "ops/split.h"

/* A run of sums that stays in the first-level cache; columns to fill vectors with;
 * rows that make clearing and adding up a partial sum no small part of the work. */
enum {
    RUN = 4096,
    GROUP = 64,
    LEAST_ROWS = 64
};

struct batch_sum {
    const coordconv_context *context;
    size_t batch, image;
    const cconv_real *x;
    cconv_real *sum;
};

static void batch_task(void *arg, size_t task, size_t slot)
{
    const struct batch_sum *s = arg;
    const size_t first = task * RUN, count = CCONV_MIN(RUN, s->image - first);

    (void)slot;
    memset(s->sum + first, 0, count * sizeof *s->sum);
    s->context->kernels.reduce.add_rows(s->batch, count, s->x + first, s->image, s->sum + first);
}

void cconv_sum_batch(coordconv_context *context, size_t batch, size_t image, const cconv_real *x,
                     cconv_real *sum)
{
    struct batch_sum s = { context, batch, image, x, sum };

    cconv_parallel_run(&context->parallel, batch_task, &s, (image + RUN - 1) / RUN);
}

/* Neighbouring pixels are summed side by side where a pixel has few channels. */
struct pixel_sum {
    const coordconv_context *context;
    size_t pixels, channels;
    size_t group; /* pixels side by side */
    size_t part;  /* pixels of a partial sum, a multiple of group but for the last */
    size_t parts;
    const cconv_real *x;
    cconv_real *partial; /* [parts][group][channels] */
};

static void plan_pixels(struct pixel_sum *s, size_t pixels, size_t channels)
{
    s->pixels = pixels;
    s->channels = channels;
    s->group = CCONV_MAX(GROUP / channels, 1);
    s->part = s->group * CCONV_MAX(CCONV_CHUNK / (s->group * channels), LEAST_ROWS);
    s->parts = (pixels + s->part - 1) / s->part;
}

static void pixel_task(void *arg, size_t task, size_t slot)
{
    const struct pixel_sum *s = arg;
    const size_t first = task * s->part, count = CCONV_MIN(s->part, s->pixels - first);
    const size_t columns = s->group * s->channels, rest = count % s->group;
    const cconv_real *x = s->x + first * s->channels;
    cconv_real *partial = s->partial + task * columns;

    (void)slot;
    memset(partial, 0, columns * sizeof *partial);
    s->context->kernels.moments(count / s->group, columns, x, columns, 0, partial, NULL);
    s->context->kernels.moments(1, rest * s->channels, x + (count - rest) * s->channels, 0, 0,
                                partial, NULL);
}

size_t cconv_sum_pixels_scratch(size_t pixels, size_t channels)
{
    struct pixel_sum s;

    plan_pixels(&s, pixels, channels);
    return cconv_size_mul(cconv_size_mul(s.parts, s.group),
                          cconv_size_mul(channels, sizeof(cconv_real)));
}

void cconv_sum_pixels(coordconv_context *context, size_t pixels, size_t channels,
                      const cconv_real *x, cconv_real *sum, void *scratch)
{
    struct pixel_sum s = { .context = context, .x = x, .partial = scratch };

    plan_pixels(&s, pixels, channels);
    cconv_parallel_run(&context->parallel, pixel_task, &s, s.parts);
    for (size_t c = 0; c < channels; c++) {
        double total = 0;

        for (size_t i = 0; i < s.parts * s.group; i++)
            total += (double)s.partial[i * channels + c];
        sum[c] = (cconv_real)total;
    }
}
