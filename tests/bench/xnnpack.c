/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xnnpack.c - the benchmark's worker for XNNPACK: forward, channels last.
 *
 * The coordinates stand in the buffer of C + coordinates channels beforehand; a
 * run copies the image beside them, in parallel over rows, and convolves. A
 * plain convolution reads the image where it is.
 */
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#include "worker.h"

struct convolution {
    struct job_desc desc;
    pthreadpool_t pool;
    xnn_operator_t op;
    float *x, *joined, *y, *weight, *bias;
};

/* One row of all images: the image's channels into their places beside the coordinates. */
static void join_row(void *context, size_t row)
{
    const struct convolution *job = context;
    const size_t c = (size_t)job->desc.c, w = (size_t)job->desc.w;
    const size_t stride = c + (size_t)job->desc.coords;
    const float *from = job->x + row * w * c;
    float *to = job->joined + row * w * stride;

    for (size_t j = 0; j < w; j++)
        memcpy(to + j * stride, from + j * c, c * sizeof *to);
}

static int run(void *work)
{
    struct convolution *job = work;
    const size_t rows = (size_t)job->desc.n * (size_t)job->desc.h;

    if (job->desc.coords > 0)
        pthreadpool_parallelize_1d(job->pool, join_row, job, rows, 0);
    return xnn_run_operator(job->op, job->pool) != xnn_status_success;
}

static float *joined_input(const struct job_desc *d)
{
    const size_t c = (size_t)d->c, coords = (size_t)d->coords, pixels = (size_t)(d->h * d->w);
    float *values = worker_coords(d);
    float *joined = worker_floats((size_t)d->n * pixels * (c + coords) + 64);

    for (size_t p = 0; p < (size_t)d->n * pixels; p++)
        memcpy(joined + p * (c + coords) + c, values + p % pixels * coords,
               coords * sizeof *joined);
    free(values);
    return joined;
}

/* [O, I, K, K] to [O, K, K, I]. */
static float *weight_ohwi(const struct job_desc *d)
{
    const size_t o = (size_t)d->o, in = (size_t)(d->c + d->coords), taps = (size_t)(d->k * d->k);
    float *oihw = worker_weight(d), *to = worker_floats(o * in * taps);

    for (size_t a = 0; a < o; a++)
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0; t < taps; t++)
                to[(a * taps + t) * in + i] = oihw[(a * in + i) * taps + t];
    free(oihw);
    return to;
}

static void drop(void *work)
{
    struct convolution *job = work;

    if (job->op != NULL)
        xnn_delete_operator(job->op);
    pthreadpool_destroy(job->pool);
    free(job->x);
    free(job->joined);
    free(job->y);
    free(job->weight);
    free(job->bias);
    free(job);
}

static enum xnn_status make_operator(struct convolution *job)
{
    const struct job_desc *d = &job->desc;
    const uint32_t p = (uint32_t)d->p, k = (uint32_t)d->k, s = (uint32_t)d->s;
    const size_t in = (size_t)(d->c + d->coords), o = (size_t)d->o;
    enum xnn_status status =
        xnn_create_convolution2d_nhwc_f32(p, p, p, p, k, k, s, s, 1, 1, 1, in, o, in, o,
                                          job->weight, job->bias, -1e30F, 1e30F, 0, &job->op);

    if (status == xnn_status_success)
        status = xnn_setup_convolution2d_nhwc_f32(job->op, (size_t)d->n, (size_t)d->h, (size_t)d->w,
                                                  d->coords > 0 ? job->joined : job->x, job->y,
                                                  job->pool);
    return status;
}

static void *make(const struct job_desc *d, char *note, size_t note_size)
{
    const size_t out = (size_t)d->n * (size_t)(d->oh * d->ow) * (size_t)d->o;
    struct convolution *job = calloc(1, sizeof *job);

    if (job == NULL || strcmp(d->what, "fwd") != 0 || xnn_initialize(NULL) != xnn_status_success) {
        snprintf(note, note_size, "such job for XNNPACK");
        free(job);
        return NULL;
    }
    job->desc = *d;
    job->pool = d->threads > 1 ? pthreadpool_create((size_t)d->threads) : NULL;
    job->x = worker_read(d, "x.nhwc", (size_t)d->n * (size_t)(d->h * d->w * d->c));
    job->bias = worker_read(d, "b", (size_t)d->o);
    job->weight = weight_ohwi(d);
    job->y = worker_floats(out + 64);
    if (d->coords > 0)
        job->joined = joined_input(d);
    if (make_operator(job) == xnn_status_success) {
        snprintf(note, note_size, "nhwc");
        return job;
    }
    snprintf(note, note_size, "operator");
    drop(job);
    return NULL;
}

static const char *output(void *work, const char *what, const char *file)
{
    const struct convolution *job = work;
    const struct job_desc *d = &job->desc;

    if (strcmp(what, "y") != 0)
        return NULL;
    return worker_write(file, job->y, (size_t)d->n * (size_t)(d->oh * d->ow) * (size_t)d->o) == 0
               ? "nhwc"
               : NULL;
}

int main(void)
{
    static const struct worker worker = {
        .make = make, .run = run, .output = output, .drop = drop
    };

    return worker_serve(&worker);
}
