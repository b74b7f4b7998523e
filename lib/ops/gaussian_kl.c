/* SPDX-License-Identifier: BSD-2-Clause
 *
 * gaussian_kl.c - the Kullback-Leibler divergence of normal distributions from the standard one.
 *
 * Of one number with mean m and log-variance v it is (m^2 + e^v - 1 - v) / 2. Near the standard
 * normal that is (m^2 + v^2 / 2) / 2, of which e^v - 1 - v, made part by part, would leave nothing
 * but rounding errors: terms are made whole, in double.
 */
#include "base/checked.h"
#include "ops/loss.h"
#include "ops/split.h"

enum {
    MEAN,
    LOG_VARIANCE
};

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, 2);
    struct cconv_shape_text text;

    if (st == COORDCONV_OK)
        st = cconv_app_check_same(app);
    if (st == COORDCONV_OK && app->in[MEAN].ndim < 1)
        st = cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE, "%s: mean %s has no batch",
                        app->op->name, cconv_shape_print(&app->in[MEAN], &text));
    return st == COORDCONV_OK ? cconv_loss_infer(app) : st;
}

struct work {
    const struct cconv_kernels *kernels;
    struct cconv_split split;
    const cconv_real *mean, *log_variance;
    double *partial;                   /* forward: one a task */
    double factor;                     /* backward: dy / batch */
    cconv_real *dmean, *dlog_variance; /* NULL: not wanted */
};

static struct work make_work(const struct cconv_app *app, const struct cconv_run *run)
{
    return (struct work){ .kernels = &app->context->kernels,
                          .split = cconv_split(cconv_shape_count(&app->in[MEAN]), 1, 1),
                          .mean = cconv_run_input(run, MEAN),
                          .log_variance = cconv_run_input(run, LOG_VARIANCE) };
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    s->forward = cconv_split(cconv_shape_count(&app->in[MEAN]), 1, 1).tasks * sizeof(double);
}

/* e^v - 1 - v: near 0 the first terms of its series; the rest is about 1e-11 of them at most. */
static double excess(double v)
{
    if (fabs(v) < 0x1p-7)
        return v * v * (1.0 / 2 + v * (1.0 / 6 + v * (1.0 / 24 + v / 120)));
    return expm1(v) - v;
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);
    double sum = w->kernels->loss.dot(n, w->mean + i, w->mean + i);

    (void)slot;
    for (size_t k = i; k < i + n; k++)
        sum += excess((double)w->log_variance[k]);
    w->partial[task] = sum;
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);
    double sum = 0;

    w.partial = run->scratch;
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    for (size_t i = 0; i < w.split.tasks; i++)
        sum += w.partial[i];
    run->y[0] = (cconv_real)(sum / (2 * (double)app->in[MEAN].dim[0]));
    return COORDCONV_OK;
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    if (w->dmean != NULL)
        w->kernels->eltwise.scale(n, (cconv_real)w->factor, w->mean + i, w->dmean + i);
    for (size_t k = i; w->dlog_variance != NULL && k < i + n; k++)
        w->dlog_variance[k] = (cconv_real)(w->factor / 2 * expm1((double)w->log_variance[k]));
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);

    w.factor = (double)run->dy[0] / (double)app->in[MEAN].dim[0];
    w.dmean = run->dx[MEAN];
    w.dlog_variance = run->dx[LOG_VARIANCE];
    cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

const struct cconv_op cconv_op_gaussian_kl = {
    .name = "gaussian_kl",
    .flags = CCONV_KEEPS_X,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
};
