/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss.c - mse, sigmoid cross-entropy and the losses of absolute differences: means or sums over
 * elements of a function of a value and its target, weighted by a third input if there is one.
 */
#include "ops/loss.h"

#include "base/checked.h"
#include "kernels/ref/set.h"
#include "ops/split.h"

enum {
    X,
    TARGET,
    WEIGHT,
    BLOCK = 512 /* terms made before they are added up */
};

coordconv_status cconv_loss_infer(struct cconv_app *app)
{
    struct cconv_shape_text text;

    if (cconv_shape_count(&app->in[0]) == 0)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE, "%s: input %s is empty",
                          app->op->name, cconv_shape_print(&app->in[0], &text));
    app->out = (struct cconv_shape){ .ndim = 0 };
    return COORDCONV_OK;
}

int cconv_loss_weighted(const struct cconv_app *app)
{
    return app->input_count > WEIGHT;
}

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, app->input_count);
    struct cconv_shape_text a, b;

    if (st == COORDCONV_OK)
        st = cconv_app_check_same(app);
    if (st == COORDCONV_OK && cconv_loss_weighted(app) &&
        !cconv_shape_equal(&app->in[X], &app->in[WEIGHT]))
        st = cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE, "%s: weights %s for values %s",
                        app->op->name, cconv_shape_print(&app->in[WEIGHT], &a),
                        cconv_shape_print(&app->in[X], &b));
    return st == COORDCONV_OK ? cconv_loss_infer(app) : st;
}

struct work {
    const struct cconv_kernels *kernels;
    const struct cconv_loss_sum
        *direct; /* the loss without weights, summed in one go; may be NULL */
    int sigmoid; /* else */
    struct cconv_loss_bend bend;
    struct cconv_split split;
    const cconv_real *x, *target, *weight; /* weight NULL: all 1 */
    double *partial;                       /* forward: [2][tasks]: losses, weights */
    double *divisor;                       /* saved, of a weighted mean */
    double scale; /* backward: dy over the divisor, which may be more than a float holds */
    cconv_real *dx;
};

/* An infinite beta leaves the square alone, one of 0 the absolute value. */
static struct cconv_loss_bend bend_of(const struct cconv_app *app)
{
    const double beta = app->attr->loss.beta;

    if (app->op == &cconv_op_mse)
        return (struct cconv_loss_bend){ (cconv_real)INFINITY, 1, 0 };
    if (app->attr->loss.kind == COORDCONV_LOSS_SMOOTH_L1)
        return (struct cconv_loss_bend){ (cconv_real)beta, (cconv_real)(0.5 / beta),
                                         (cconv_real)(0.5 * beta) };
    if (app->attr->loss.kind == COORDCONV_LOSS_ROBUST_L1)
        return (struct cconv_loss_bend){ (cconv_real)beta, (cconv_real)(1 / beta), 0 };
    return (struct cconv_loss_bend){ 0, 0, 0 };
}

static struct work make_work(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_kernels *kernels = &app->context->kernels;

    return (struct work){ .kernels = kernels,
                          .direct = app->op == &cconv_op_mse ? &kernels->loss.square
                                    : app->op == &cconv_op_sigmoid_cross_entropy
                                        ? &kernels->loss.sigmoid
                                        : NULL,
                          .sigmoid = app->op == &cconv_op_sigmoid_cross_entropy,
                          .bend = bend_of(app),
                          .split = cconv_split(cconv_shape_count(&app->in[X]), 1, 1),
                          .x = cconv_run_input(run, X),
                          .target = cconv_run_input(run, TARGET),
                          .weight = cconv_loss_weighted(app) ? cconv_run_input(run, WEIGHT) : NULL,
                          .divisor = run->saved };
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    s->forward = cconv_split(cconv_shape_count(&app->in[X]), 1, 1).tasks * 2 * sizeof(double);
    s->saved = app->training && cconv_loss_weighted(app) ? sizeof(double) : 0;
}

static double sum_of(const struct work *w, size_t n, const cconv_real *values)
{
    double sum;

    w->kernels->pool.column_sum(n, 1, values, &sum);
    return sum;
}

/* Sum of the losses of elements i to i + n - 1, by their weights. */
static double sum_terms(const struct work *w, size_t i, size_t n)
{
    cconv_real block[BLOCK];
    double sum = 0;

    for (const size_t end = i + n; i < end; i += BLOCK) {
        const size_t count = CCONV_MIN(end - i, BLOCK);

        if (w->sigmoid)
            w->kernels->loss.sigmoid_terms(count, w->x + i, w->target + i, block);
        else
            w->kernels->loss.bent(count, &w->bend, w->x + i, w->target + i, block);
        sum += w->weight != NULL ? w->kernels->loss.dot(count, w->weight + i, block)
                                 : sum_of(w, count, block);
    }
    return sum;
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    if (w->direct != NULL && w->weight == NULL)
        w->partial[task] = w->direct->forward(n, w->x + i, w->target + i);
    else
        w->partial[task] = sum_terms(w, i, n);
    if (w->weight != NULL)
        w->partial[w->split.tasks + task] = sum_of(w, n, w->weight + i);
}

/* dx *= scale * weight, made in double. */
static void weigh(size_t n, double scale, const cconv_real *weight, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] *= (cconv_real)(scale * (double)weight[i]);
}

static void backward_elements(const struct work *w, size_t i, size_t n)
{
    const cconv_real factor = w->weight != NULL ? 1 : (cconv_real)w->scale;

    if (w->direct != NULL)
        w->direct->backward(n, factor, w->x + i, w->target + i, w->dx + i);
    else
        w->kernels->loss.bent_backward(n, &w->bend, factor, w->x + i, w->target + i, w->dx + i);
    if (w->weight != NULL)
        weigh(n, w->scale, w->weight + i, w->dx + i);
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;

    (void)slot;
    backward_elements(w, cconv_split_begin(&w->split, task), cconv_split_count(&w->split, task));
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);
    double sum = 0, weights = 0, divisor = (double)w.split.items;

    w.partial = run->scratch;
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    for (size_t i = 0; i < w.split.tasks; i++) {
        sum += w.partial[i];
        weights += w.weight != NULL ? w.partial[w.split.tasks + i] : 0;
    }
    if (w.weight != NULL)
        divisor = weights;
    if (app->attr->loss.sum)
        divisor = 1;
    run->y[0] = (cconv_real)cconv_loss_share(sum, divisor);
    if (w.weight != NULL && app->training)
        *w.divisor = divisor;
    return COORDCONV_OK;
}

static struct work make_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);
    const double divisor = w.weight != NULL      ? *w.divisor
                           : app->attr->loss.sum ? 1
                                                 : (double)w.split.items;

    w.scale = cconv_loss_share((double)run->dy[0], divisor);
    w.dx = run->dx[0];
    return w;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_backward(app, run);

    if (w.dx != NULL)
        cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

/* Of a mean by weights the whole batch is needed first. */
static size_t samples(const struct cconv_app *app)
{
    return cconv_loss_weighted(app) ? 0 : cconv_shape_count(&app->in[X]);
}

static void some_backward(const struct cconv_app *app, const struct cconv_run *run, size_t first,
                          size_t count)
{
    const struct work w = make_backward(app, run);

    backward_elements(&w, first, count);
}

static void finish(const struct cconv_app *app, const struct cconv_run *run)
{
    forward(app, run);
}

/* Elements: their gradients need nothing of the forward pass. */
static const struct cconv_by_sample by_sample = {
    .samples = samples,
    .backward = some_backward,
    .finish = finish,
};

const struct cconv_op cconv_op_mse = {
    .name = "mse",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
    .by_sample = &by_sample,
};

const struct cconv_op cconv_op_sigmoid_cross_entropy = {
    .name = "sigmoid_cross_entropy",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
    .by_sample = &by_sample,
};

const struct cconv_op cconv_op_l1 = {
    .name = "l1",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
    .by_sample = &by_sample,
};
