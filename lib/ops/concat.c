/* SPDX-License-Identifier: BSD-2-Clause
 *
 * concat.c - values joined along an axis.
 *
 * Seen from the axis outwards, every value is a matrix: one row for each index
 * of the axes before, the axis and those behind it being the columns. The
 * output's rows are the inputs' rows side by side.
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
    struct cconv_split split; /* of rows */
    size_t columns;           /* of the output */
};

static size_t columns(const struct cconv_shape *shape, int32_t axis)
{
    return cconv_shape_span(shape, axis, shape->ndim);
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t r = cconv_split_begin(&w->split, task), rows = cconv_split_count(&w->split, task);
    cconv_real *to = w->run->y + r * w->columns;

    (void)slot;
    for (int32_t i = 0; i < w->app->input_count; i++) {
        const size_t n = columns(&w->app->in[i], w->app->attr->axis);
        copy_columns(rows, n, cconv_run_input(w->run, i) + r * n, n, to, w->columns);
        to += n;
    }
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t r = cconv_split_begin(&w->split, task), rows = cconv_split_count(&w->split, task);
    const cconv_real *from = w->run->dy + r * w->columns;

    (void)slot;
    for (int32_t i = 0; i < w->app->input_count; i++) {
        const size_t n = columns(&w->app->in[i], w->app->attr->axis);
        if (w->run->dx[i] != NULL)
            copy_columns(rows, n, from, w->columns, w->run->dx[i] + r * n, n);
        from += n;
    }
}

static void each_row(const struct cconv_app *app, const struct cconv_run *run, cconv_task_fn *task)
{
    struct work w = { .app = app, .run = run, .columns = columns(&app->out, app->attr->axis) };

    w.split = cconv_split(cconv_shape_span(&app->out, 0, app->attr->axis), w.columns, 1);
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
