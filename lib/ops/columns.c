/* SPDX-License-Identifier: BSD-2-Clause
 *
 * columns.c - filling and summing the channels of images.
 */
#include "ops/columns.h"

#include "base/checked.h"

/* Partial sums of fewer pixels than this would be no small part of the work. */
#define LEAST_PIECE 32

void cconv_columns_cut(const struct cconv_shape *image, struct cconv_columns *cut)
{
    cut->images = (size_t)image->dim[0];
    cut->pixels = (size_t)image->dim[1] * (size_t)image->dim[2];
    cut->channels = (size_t)image->dim[3];
    cut->piece = CCONV_MAX(CCONV_CHUNK / cut->channels, LEAST_PIECE);
    cut->piece = CCONV_MIN(cut->piece, cut->pixels);
    cut->pieces = (cut->pixels + cut->piece - 1) / cut->piece;
    cut->split = cconv_split(cut->images * cut->pieces, cut->piece * cut->channels, 1);
}

struct work {
    const struct cconv_pool_kernels *kernels;
    struct cconv_columns cut;
    cconv_real factor;
    const cconv_real *x;
    cconv_real *y;
    double *partial; /* [images * pieces][channels] */
};

static void fill_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const struct cconv_columns *c = &w->cut;
    size_t i = cconv_split_begin(&c->split, task);

    (void)slot;
    for (const size_t end = i + cconv_split_count(&c->split, task); i < end; i++)
        w->kernels->column_fill(cconv_columns_count(c, i), c->channels, w->factor,
                                w->x + i / c->pieces * c->channels,
                                w->y + cconv_columns_begin(c, i) * c->channels);
}

static void sum_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const struct cconv_columns *c = &w->cut;
    size_t i = cconv_split_begin(&c->split, task);

    (void)slot;
    for (const size_t end = i + cconv_split_count(&c->split, task); i < end; i++)
        w->kernels->column_sum(cconv_columns_count(c, i), c->channels,
                               w->x + cconv_columns_begin(c, i) * c->channels,
                               w->partial + i * c->channels);
}

void cconv_columns_fill(coordconv_context *context, const struct cconv_shape *image, double factor,
                        const cconv_real *x, cconv_real *y)
{
    struct work w = {
        .kernels = &context->kernels.pool, .factor = (cconv_real)factor, .x = x, .y = y
    };

    cconv_columns_cut(image, &w.cut);
    cconv_parallel_run(&context->parallel, fill_task, &w, w.cut.split.tasks);
}

void cconv_columns_sum(coordconv_context *context, const struct cconv_shape *image, double divisor,
                       const cconv_real *x, cconv_real *y, void *scratch)
{
    struct work w = { .kernels = &context->kernels.pool, .x = x, .partial = scratch };

    cconv_columns_cut(image, &w.cut);
    cconv_parallel_run(&context->parallel, sum_task, &w, w.cut.split.tasks);
    for (size_t n = 0; n < w.cut.images; n++) {
        const double *partial = w.partial + n * w.cut.pieces * w.cut.channels;
        for (size_t c = 0; c < w.cut.channels; c++) {
            double sum = 0;
            for (size_t i = 0; i < w.cut.pieces; i++)
                sum += partial[i * w.cut.channels + c];
            y[n * w.cut.channels + c] = (cconv_real)(sum / divisor);
        }
    }
}

size_t cconv_columns_scratch(const struct cconv_shape *image)
{
    struct cconv_columns cut;

    cconv_columns_cut(image, &cut);
    return cconv_size_mul(cut.images * cut.pieces, cconv_size_mul(cut.channels, sizeof(double)));
}
