/* SPDX-License-Identifier: BSD-2-Clause
 *
 * global_pool.c - global max, average and sum pooling: [N, H, W, C] to [N, C].
 */
#include <string.h>

#include "base/checked.h"
#include "ops/columns.h"
#include "ops/common.h"

static coordconv_status infer(struct cconv_app *app)
{
    const coordconv_status st = cconv_app_check_image(app);

    if (st != COORDCONV_OK)
        return st;
    app->out = (struct cconv_shape){ .ndim = 2, .dim = { app->in[0].dim[0], app->in[0].dim[3] } };
    return COORDCONV_OK;
}

static double pixels(const struct cconv_app *app)
{
    return (double)app->in[0].dim[1] * (double)app->in[0].dim[2];
}

static void sum_space(const struct cconv_app *app, struct cconv_space *s)
{
    s->forward = cconv_columns_scratch(&app->in[0]);
}

static coordconv_status sum_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_columns_sum(app->context, &app->in[0], 1, cconv_run_input(run, 0), run->y, run->scratch);
    return COORDCONV_OK;
}

static void sum_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_columns_fill(app->context, &app->in[0], 1, run->dy, run->dx[0]);
}

static coordconv_status avg_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_columns_sum(app->context, &app->in[0], pixels(app), cconv_run_input(run, 0), run->y,
                      run->scratch);
    return COORDCONV_OK;
}

static void avg_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_columns_fill(app->context, &app->in[0], 1 / pixels(app), run->dy, run->dx[0]);
}

/* Largest values of the pieces of images; `where` counts pixels from the start
 * of the piece. */
struct max_work {
    const struct cconv_pool_kernels *kernels;
    struct cconv_columns cut;
    const cconv_real *x;
    cconv_real *partial; /* [images * pieces][channels] */
    int32_t *where;      /* the same; NULL: not wanted */
};

static void max_task(void *arg, size_t task, size_t slot)
{
    const struct max_work *w = arg;
    const struct cconv_columns *c = &w->cut;
    size_t i = cconv_split_begin(&c->split, task);

    (void)slot;
    for (const size_t end = i + cconv_split_count(&c->split, task); i < end; i++)
        w->kernels->column_max(
            cconv_columns_count(c, i), c->channels, w->x + cconv_columns_begin(c, i) * c->channels,
            w->partial + i * c->channels, w->where != NULL ? w->where + i * c->channels : NULL);
}

/* Scratch: partial, then where. Saved: for each [n][c] the pixel that has the maximum. */
static size_t max_partial_bytes(const struct cconv_columns *c)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(c->images * c->pieces, c->channels), sizeof(cconv_real)));
}

static void max_space(const struct cconv_app *app, struct cconv_space *s)
{
    struct cconv_columns cut;

    cconv_columns_cut(&app->in[0], &cut);
    s->forward = max_partial_bytes(&cut);
    if (app->training) {
        s->forward = cconv_size_add(s->forward, s->forward);
        s->saved = cconv_size_mul(cconv_shape_count(&app->out), sizeof(int64_t));
    }
}

/* The largest over the pieces of one image and channel; the first of equals, and
 * a NaN counts as the largest. */
static size_t best_piece(const struct max_work *w, size_t image, size_t channel)
{
    const cconv_real *partial = w->partial + image * w->cut.pieces * w->cut.channels + channel;
    size_t best = 0;

    for (size_t i = 1; i < w->cut.pieces; i++) {
        const cconv_real v = partial[i * w->cut.channels];
        if (v > partial[best * w->cut.channels] || v != v)
            best = i;
    }
    return best;
}

static coordconv_status max_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct max_work w = { .kernels = &app->context->kernels.pool,
                          .x = cconv_run_input(run, 0),
                          .partial = run->scratch };
    int64_t *saved = run->saved;

    cconv_columns_cut(&app->in[0], &w.cut);
    if (app->training)
        w.where = (void *)((char *)run->scratch + max_partial_bytes(&w.cut));
    cconv_parallel_run(&app->context->parallel, max_task, &w, w.cut.split.tasks);
    for (size_t n = 0; n < w.cut.images; n++) {
        for (size_t c = 0; c < w.cut.channels; c++) {
            const size_t piece = best_piece(&w, n, c);
            const size_t from = (n * w.cut.pieces + piece) * w.cut.channels + c;
            run->y[n * w.cut.channels + c] = w.partial[from];
            if (app->training)
                saved[n * w.cut.channels + c] =
                    (int64_t)(piece * w.cut.piece) + (int64_t)w.where[from];
        }
    }
    return COORDCONV_OK;
}

struct max_back {
    struct cconv_columns cut;
    const int64_t *saved;
    const cconv_real *dy;
    cconv_real *dx;
};

/* A piece is zero but for the maxima of its image that lie in it. */
static void max_back_piece(const struct max_back *w, size_t i)
{
    const struct cconv_columns *c = &w->cut;
    const size_t rows = cconv_columns_count(c, i), at = i / c->pieces * c->channels;
    const int64_t first = (int64_t)(i % c->pieces * c->piece), end = first + (int64_t)rows;
    cconv_real *dx = w->dx + cconv_columns_begin(c, i) * c->channels;

    memset(dx, 0, rows * c->channels * sizeof *dx);
    for (size_t k = 0; k < c->channels; k++) {
        const int64_t pixel = w->saved[at + k];

        if (pixel >= first && pixel < end)
            dx[(size_t)(pixel - first) * c->channels + k] = w->dy[at + k];
    }
}

static void max_back_task(void *arg, size_t task, size_t slot)
{
    const struct max_back *w = arg;
    size_t i = cconv_split_begin(&w->cut.split, task);

    (void)slot;
    for (const size_t end = i + cconv_split_count(&w->cut.split, task); i < end; i++)
        max_back_piece(w, i);
}

static void max_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct max_back w = { .saved = run->saved, .dy = run->dy, .dx = run->dx[0] };

    if (w.dx == NULL)
        return;
    cconv_columns_cut(&app->in[0], &w.cut);
    cconv_parallel_run(&app->context->parallel, max_back_task, &w, w.cut.split.tasks);
}

const struct cconv_op cconv_op_global_max_pool = {
    .name = "global_max_pool",
    .infer = infer,
    .space = max_space,
    .forward = max_forward,
    .backward = max_backward,
};

const struct cconv_op cconv_op_global_avg_pool = {
    .name = "global_avg_pool",
    .infer = infer,
    .space = sum_space,
    .forward = avg_forward,
    .backward = avg_backward,
};

const struct cconv_op cconv_op_global_sum_pool = {
    .name = "global_sum_pool",
    .infer = infer,
    .space = sum_space,
    .forward = sum_forward,
    .backward = sum_backward,
};
