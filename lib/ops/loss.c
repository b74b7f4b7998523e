/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss.c - mse and sigmoid cross-entropy: means over elements of a function of
 * a value and its target.
 */
#include "ops/loss.h"

#include "base/checked.h"
#include "ops/split.h"

coordconv_status cconv_loss_infer(struct cconv_app *app)
{
    struct cconv_shape_text text;

    if (cconv_shape_count(&app->in[0]) == 0)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE, "%s: input %s is empty",
                          app->op->name, cconv_shape_print(&app->in[0], &text));
    app->out = (struct cconv_shape){ .ndim = 0 };
    return COORDCONV_OK;
}

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, 2);

    if (st == COORDCONV_OK)
        st = cconv_app_check_same(app);
    return st == COORDCONV_OK ? cconv_loss_infer(app) : st;
}

struct work {
    const struct cconv_loss_sum *kernels;
    struct cconv_split split;
    const cconv_real *x, *target;
    double *partial; /* forward: one a task */
    cconv_real factor, *dx;
};

static struct work make_work(const struct cconv_app *app, const struct cconv_run *run,
                             const struct cconv_loss_sum *kernels)
{
    return (struct work){ .kernels = kernels,
                          .split = cconv_split(cconv_shape_count(&app->in[0]), 1, 1),
                          .x = cconv_run_input(run, 0),
                          .target = cconv_run_input(run, 1) };
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    s->forward = cconv_split(cconv_shape_count(&app->in[0]), 1, 1).tasks * sizeof(double);
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->partial[task] = w->kernels->forward(n, w->x + i, w->target + i);
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->backward(n, w->factor, w->x + i, w->target + i, w->dx + i);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run,
                                const struct cconv_loss_sum *kernels)
{
    struct work w = make_work(app, run, kernels);
    double sum = 0;

    w.partial = run->scratch;
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    for (size_t i = 0; i < w.split.tasks; i++)
        sum += w.partial[i];
    run->y[0] = (cconv_real)(sum / (double)w.split.items);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run,
                     const struct cconv_loss_sum *kernels)
{
    struct work w = make_work(app, run, kernels);

    if (run->dx[0] == NULL)
        return;
    w.factor = (cconv_real)((double)run->dy[0] / (double)w.split.items);
    w.dx = run->dx[0];
    cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

static coordconv_status mse_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    return forward(app, run, &app->context->kernels.loss.square);
}

static void mse_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    backward(app, run, &app->context->kernels.loss.square);
}

static coordconv_status sigmoid_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    return forward(app, run, &app->context->kernels.loss.sigmoid);
}

static void sigmoid_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    backward(app, run, &app->context->kernels.loss.sigmoid);
}

const struct cconv_op cconv_op_mse = {
    .name = "mse",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS,
    .infer = infer,
    .space = space,
    .forward = mse_forward,
    .backward = mse_backward,
};

const struct cconv_op cconv_op_sigmoid_cross_entropy = {
    .name = "sigmoid_cross_entropy",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS,
    .infer = infer,
    .space = space,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
};
