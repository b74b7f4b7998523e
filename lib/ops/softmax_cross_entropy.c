/* SPDX-License-Identifier: BSD-2-Clause
 *
 * softmax_cross_entropy.c - softmax cross-entropy averaged over the batch.
 *
 * The loss of a sample is sum t (log_sum - z), log_sum being the logarithm of
 * the sum of exp(z). Training keeps the probabilities, so that backward has no
 * exponentials to make again, and reads the logits no more.
 */
#include <inttypes.h>

#include "base/checked.h"
#include "ops/loss.h"
#include "ops/split.h"

static int has_labels(const struct cconv_app *app)
{
    return app->in_dtype[1] == COORDCONV_I32;
}

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text a, b;

    if (st != COORDCONV_OK)
        return st;
    if (app->in[0].ndim < 2)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: logits %s have no axis of classes behind the batch", app->op->name,
                          cconv_shape_print(&app->in[0], &a));
    if (!has_labels(app)) {
        st = cconv_app_check_real(app, 1, 2);
        if (st == COORDCONV_OK)
            st = cconv_app_check_same(app);
    } else if (app->in[1].ndim != 1 || app->in[1].dim[0] != app->in[0].dim[0]) {
        st = cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                        "%s: labels %s for logits %s, expected [%" PRId64 "]", app->op->name,
                        cconv_shape_print(&app->in[1], &a), cconv_shape_print(&app->in[0], &b),
                        app->in[0].dim[0]);
    }
    return st == COORDCONV_OK ? cconv_loss_infer(app) : st;
}

struct work {
    const struct cconv_kernels *kernels;
    struct cconv_split split; /* of samples */
    size_t classes;
    const cconv_real *z;
    const int32_t *labels;    /* or */
    const cconv_real *target; /* a distribution a sample */
    double *losses;           /* forward: one a sample */
    cconv_real *p;            /* saved: probabilities; NULL in inference */
    cconv_real *totals;       /* saved: sum of the target of each sample, or */
    int32_t *kept;            /* saved: the labels; the caller's may have changed by backward */
    cconv_real factor, *dz;
};

static size_t probabilities_bytes(const struct cconv_app *app)
{
    return cconv_size_align(cconv_size_mul(cconv_shape_count(&app->in[0]), sizeof(cconv_real)));
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const size_t samples = (size_t)app->in[0].dim[0];

    s->forward = cconv_size_mul(samples, sizeof(double));
    if (app->training)
        s->saved =
            cconv_size_add(probabilities_bytes(app), cconv_size_mul(samples, sizeof(cconv_real)));
}

static struct work make_work(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t samples = (size_t)app->in[0].dim[0];
    struct work w = { .kernels = &app->context->kernels,
                      .classes = cconv_shape_span(&app->in[0], 1, app->in[0].ndim),
                      .z = run->x[0] };

    w.split = cconv_split(samples, w.classes, 1);
    if (has_labels(app))
        w.labels = run->x[1];
    else
        w.target = run->x[1];
    if (app->training) {
        w.p = run->saved;
        w.totals = (void *)((char *)run->saved + probabilities_bytes(app));
        w.kept = (void *)w.totals; /* an int32 is no larger than a real */
    }
    return w;
}

/* Loss of sample n; leaves the probabilities and the target's sum where they are kept. */
static double sample_loss(const struct work *w, size_t n)
{
    const struct cconv_loss_kernels *k = &w->kernels->loss;
    const cconv_real *z = w->z + n * w->classes;
    cconv_real *p = w->p != NULL ? w->p + n * w->classes : NULL;
    const cconv_real max = k->max(w->classes, z);
    const double sum = k->exp_sum(w->classes, z, max, p);
    const double log_sum = (double)max + log(sum);
    double loss, total = 1;

    if (w->labels != NULL)
        loss = log_sum - (double)z[w->labels[n]];
    else
        loss = k->cross_entropy(w->classes, log_sum, z, w->target + n * w->classes, &total);
    if (p != NULL) {
        w->kernels->eltwise.scale(w->classes, (cconv_real)(1 / sum), p, p);
        if (w->labels != NULL)
            w->kept[n] = w->labels[n];
        else
            w->totals[n] = (cconv_real)total;
    }
    return loss;
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    size_t n = cconv_split_begin(&w->split, task);

    (void)slot;
    for (const size_t end = n + cconv_split_count(&w->split, task); n < end; n++)
        w->losses[n] = sample_loss(w, n);
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    size_t n = cconv_split_begin(&w->split, task);

    (void)slot;
    for (const size_t end = n + cconv_split_count(&w->split, task); n < end; n++) {
        const cconv_real *p = w->p + n * w->classes;
        cconv_real *dz = w->dz + n * w->classes;
        if (w->labels != NULL) {
            w->kernels->eltwise.scale(w->classes, w->factor, p, dz);
            dz[w->kept[n]] = w->factor * (p[w->kept[n]] - 1);
        } else {
            w->kernels->loss.cross_entropy_backward(w->classes, w->factor, w->totals[n], p,
                                                    w->target + n * w->classes, dz);
        }
    }
}

static coordconv_status check_labels(const struct cconv_app *app, const struct work *w)
{
    for (size_t n = 0; w->labels != NULL && n < w->split.items; n++) {
        if (w->labels[n] < 0 || (size_t)w->labels[n] >= w->classes)
            return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                              "%s: sample %zu has class %" PRId32 ", but there are %zu classes",
                              app->op->name, n, w->labels[n], w->classes);
    }
    return COORDCONV_OK;
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);
    const coordconv_status st = check_labels(app, &w);
    double sum = 0;

    if (st != COORDCONV_OK)
        return st;
    w.losses = run->scratch;
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    for (size_t n = 0; n < w.split.items; n++)
        sum += w.losses[n];
    run->y[0] = (cconv_real)(sum / (double)w.split.items);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);

    if (run->dx[0] == NULL)
        return;
    w.factor = (cconv_real)((double)run->dy[0] / (double)w.split.items);
    w.dz = run->dx[0];
    cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

const struct cconv_op cconv_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS | CCONV_MAY_FAIL, /* of the inputs, the target */
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
};
