/* SPDX-License-Identifier: BSD-2-Clause
 *
 * concat.c - values joined along an axis.
 *
 * Seen from the axis outwards, every value is a matrix: one row for each index
 * of the axes before, the axis and those behind it being the columns. The
 * output's rows are the inputs' rows side by side. Short rows are copied many to
 * a task, long ones a piece at a time.
 */
#include <inttypes.h>
#include <string.h>

#include "ops/common.h"
#include "ops/split.h"

static coordconv_status check_others(const struct cconv_app *app, int32_t i, int32_t axis)
{
    const struct cconv_shape *a = &app->in[0], *b = &app->in[i];
    struct cconv_shape_text at, bt;
    int same = a->ndim == b->ndim;

    for (int32_t k = 0; same && k < a->ndim; k++)
        same = k == axis || a->dim[k] == b->dim[k];
    if (!same)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "concat: input %d of shape %s does not join %s along axis %d", (int)i,
                          cconv_shape_print(b, &bt), cconv_shape_print(a, &at), (int)axis);
    return COORDCONV_OK;
}

static coordconv_status infer(struct cconv_app *app)
{
    const int32_t axis = app->attr->axis;
    coordconv_status st = cconv_app_check_real(app, 0, app->input_count);
    struct cconv_shape_text text;
    struct cconv_shape out;

    if (st != COORDCONV_OK)
        return st;
    if (app->input_count < 1)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID, "concat: no inputs");
    if (axis < 0 || axis >= app->in[0].ndim)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID, "concat: axis %d of inputs %s",
                          (int)axis, cconv_shape_print(&app->in[0], &text));
    out = app->in[0];
    for (int32_t i = 1; i < app->input_count; i++) {
        if ((st = check_others(app, i, axis)) != COORDCONV_OK)
            return st;
        out.dim[axis] += app->in[i].dim[axis];
        if (out.dim[axis] > INT32_MAX)
            return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                              "concat: axis %d would have %" PRId64 " or more indices", (int)axis,
                              out.dim[axis]);
    }
    return cconv_shape_read(CCONV_APP_LOG(app), "concat", out.ndim, out.dim, 0, &app->out);
}

/* Below this many columns a call of memcpy a row costs more than the copying. */
#define FEW_COLUMNS 8

static void copy_columns(size_t rows, size_t columns, const cconv_real *from, size_t from_step,
                         cconv_real *to, size_t to_step)
{
    if (from_step == columns && to_step == columns) {
        memcpy(to, from, rows * columns * sizeof *to);
    } else if (columns >= FEW_COLUMNS) {
        for (size_t r = 0; r < rows; r++)
            memcpy(to + r * to_step, from + r * from_step, columns * sizeof *to);
    } else {
        for (size_t c = 0; c < columns; c++) {
            for (size_t r = 0; r < rows; r++)
                to[r * to_step + c] = from[r * from_step + c];
        }
    }
}

struct work {
    const struct cconv_app *app;
    const struct cconv_run *run;
    size_t columns;           /* of the output */
    size_t pieces;            /* of up to CCONV_CHUNK columns that a row has */
    struct cconv_split split; /* of rows, or where they have several pieces of these */
};

static size_t columns(const struct cconv_shape *shape, int32_t axis)
{
    return cconv_shape_span(shape, axis, shape->ndim);
}

static void forward_rows(const struct work *w, size_t first, size_t rows)
{
    cconv_real *to = w->run->y + first * w->columns;

    for (int32_t i = 0; i < w->app->input_count; i++) {
        const size_t n = columns(&w->app->in[i], w->app->attr->axis);
        copy_columns(rows, n, cconv_run_input(w->run, i) + first * n, n, to, w->columns);
        to += n;
    }
}

static void backward_rows(const struct work *w, size_t first, size_t rows)
{
    const cconv_real *from = w->run->dy + first * w->columns;

    for (int32_t i = 0; i < w->app->input_count; i++) {
        const size_t n = columns(&w->app->in[i], w->app->attr->axis);
        if (w->run->dx[i] != NULL)
            copy_columns(rows, n, from, w->columns, w->run->dx[i] + first * n, n);
        from += n;
    }
}

/* What columns [begin, end) of the output's row share with an input of n columns whose first is
 * the output's `start`. */
struct overlap {
    size_t at; /* in the output's row */
    size_t in; /* in the input's row */
    size_t count;
};

static struct overlap overlap_of(size_t begin, size_t end, size_t start, size_t n)
{
    const size_t low = CCONV_MAX(begin, start), high = CCONV_MIN(end, start + n);
    struct overlap o = { low, low - start, high > low ? high - low : 0 };

    return o;
}

static void copy_piece(const struct work *w, size_t index, int back)
{
    const size_t row = index / w->pieces, begin = index % w->pieces * CCONV_CHUNK;
    const size_t end = CCONV_MIN(begin + CCONV_CHUNK, w->columns), to = row * w->columns;
    size_t start = 0, n;

    for (int32_t i = 0; i < w->app->input_count; i++, start += n) {
        struct overlap o;

        n = columns(&w->app->in[i], w->app->attr->axis);
        o = overlap_of(begin, end, start, n);
        if (o.count == 0)
            continue;
        if (!back)
            memcpy(w->run->y + to + o.at, cconv_run_input(w->run, i) + row * n + o.in,
                   o.count * sizeof(cconv_real));
        else if (w->run->dx[i] != NULL)
            memcpy(w->run->dx[i] + row * n + o.in, w->run->dy + to + o.at,
                   o.count * sizeof(cconv_real));
    }
}

static void work_on(const struct work *w, size_t task, int back)
{
    const size_t first = cconv_split_begin(&w->split, task);
    const size_t count = cconv_split_count(&w->split, task);

    if (w->pieces > 1) {
        for (size_t i = first; i < first + count; i++)
            copy_piece(w, i, back);
    } else if (back) {
        backward_rows(w, first, count);
    } else {
        forward_rows(w, first, count);
    }
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    (void)slot;
    work_on(arg, task, 0);
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    (void)slot;
    work_on(arg, task, 1);
}

static void each_row(const struct cconv_app *app, const struct cconv_run *run, cconv_task_fn *task)
{
    const size_t rows = cconv_shape_span(&app->out, 0, app->attr->axis);
    struct work w = { .app = app, .run = run, .columns = columns(&app->out, app->attr->axis) };

    w.pieces = CCONV_MAX((w.columns + CCONV_CHUNK - 1) / CCONV_CHUNK, 1);
    w.split = cconv_split(rows * w.pieces, CCONV_MIN(w.columns, CCONV_CHUNK), 1);
    cconv_parallel_run(&app->context->parallel, task, &w, w.split.tasks);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    each_row(app, run, forward_task);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    each_row(app, run, backward_task);
}

const struct cconv_op cconv_op_concat = {
    .name = "concat",
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
