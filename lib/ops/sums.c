/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/sums.h"

#include <string.h>

#include "base/checked.h"

/* A run of sums that stays in the first-level cache, and pixels of one partial sum. */
enum {
    RUN = 4096,
    PARTIAL_PIXELS = 1024
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

struct pixel_sum {
    const coordconv_context *context;
    size_t pixels, channels;
    const cconv_real *x;
    cconv_real *partial; /* [tasks][channels] */
};

static void pixel_task(void *arg, size_t task, size_t slot)
{
    const struct pixel_sum *s = arg;
    const size_t first = task * PARTIAL_PIXELS,
                 count = CCONV_MIN(PARTIAL_PIXELS, s->pixels - first);
    cconv_real *partial = s->partial + task * s->channels;

    (void)slot;
    memset(partial, 0, s->channels * sizeof *partial);
    s->context->kernels.reduce.add_rows(count, s->channels, s->x + first * s->channels, s->channels,
                                        partial);
}

static size_t partials(size_t pixels)
{
    return (pixels + PARTIAL_PIXELS - 1) / PARTIAL_PIXELS;
}

size_t cconv_sum_pixels_scratch(size_t pixels, size_t channels)
{
    return cconv_size_mul(cconv_size_mul(partials(pixels), channels), sizeof(cconv_real));
}

void cconv_sum_pixels(coordconv_context *context, size_t pixels, size_t channels,
                      const cconv_real *x, cconv_real *sum, void *scratch)
{
    struct pixel_sum s = { context, pixels, channels, x, scratch };

    cconv_parallel_run(&context->parallel, pixel_task, &s, partials(pixels));
    for (size_t c = 0; c < channels; c++) {
        double total = 0;

        for (size_t i = 0; i < partials(pixels); i++)
            total += (double)s.partial[i * channels + c];
        sum[c] = (cconv_real)total;
    }
}
