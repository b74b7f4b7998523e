/* SPDX-License-Identifier: BSD-2-Clause
 *
 * softmax_cross_entropy.c - softmax cross-entropy averaged or summed over the batch.
 *
 * The loss of a sample is sum t (log_sum - z), log_sum being the logarithm of
 * the sum of exp(z). Training keeps the probabilities, so that backward has no
 * exponentials to make again, and reads the logits no more. Samples that weigh nothing, or whose
 * label says so, are not looked at.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "ops/loss.h"
#include "ops/split.h"

static int has_labels(const struct cconv_app *app)
{
    return app->in_dtype[1] == COORDCONV_I32;
}

/* 1 if samples may count differently. */
static int is_uneven(const struct cconv_app *app)
{
    return cconv_loss_weighted(app) || app->attr->loss.ignore;
}

/* Behind the batch there is nothing but [N]. */
static coordconv_status check_samples(const struct cconv_app *app, int32_t input, const char *what)
{
    const struct cconv_shape *s = &app->in[input];
    struct cconv_shape_text a, b;

    if (s->ndim == 1 && s->dim[0] == app->in[0].dim[0])
        return COORDCONV_OK;
    return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                      "%s: %s %s for logits %s, expected [%" PRId64 "]", app->op->name, what,
                      cconv_shape_print(s, &a), cconv_shape_print(&app->in[0], &b),
                      app->in[0].dim[0]);
}

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text a;

    if (st != COORDCONV_OK)
        return st;
    if (app->in[0].ndim < 2)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: logits %s have no axis of classes behind the batch", app->op->name,
                          cconv_shape_print(&app->in[0], &a));
    if (has_labels(app)) {
        st = check_samples(app, 1, "labels");
    } else {
        st = cconv_app_check_real(app, 1, 2);
        if (st == COORDCONV_OK)
            st = cconv_app_check_same(app);
        if (st == COORDCONV_OK && app->attr->loss.ignore)
            st = cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                            "%s: ignore is for labels, and the target is a distribution",
                            app->op->name);
    }
    if (st == COORDCONV_OK && cconv_loss_weighted(app))
        st = cconv_app_check_real(app, 2, 3);
    if (st == COORDCONV_OK && cconv_loss_weighted(app))
        st = check_samples(app, 2, "weights");
    return st == COORDCONV_OK ? cconv_loss_infer(app) : st;
}

struct work {
    const struct cconv_kernels *kernels;
    struct cconv_split split; /* of samples */
    size_t classes;
    const cconv_real *z;
    const int32_t *labels;    /* or */
    const cconv_real *target; /* a distribution a sample */
    const cconv_real *weight; /* of each sample; NULL: all 1 */
    int ignore;               /* a label below 0 makes it 0 */
    double divisor;           /* forward */
    double *losses;           /* forward: one a sample */
    cconv_real *p;            /* saved: probabilities; NULL in inference */
    cconv_real *totals;       /* saved: sum of the target of each sample, or */
    int32_t *kept;            /* saved: the labels; the caller's may have changed by backward */
    cconv_real *share;        /* saved: of each sample in the loss; NULL: all have the same */
    double dy;
    cconv_real factor, *dz; /* factor: dy times the share, if all have the same */
};

static size_t probabilities_bytes(const struct cconv_app *app)
{
    return cconv_size_align(cconv_size_mul(cconv_shape_count(&app->in[0]), sizeof(cconv_real)));
}

/* Saved: the probabilities, then one value a sample, then the shares if they differ. */
static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const size_t samples = (size_t)app->in[0].dim[0];

    s->forward = cconv_size_mul(samples, sizeof(double));
    if (app->training)
        s->saved =
            cconv_size_add(probabilities_bytes(app),
                           cconv_size_mul(samples, (is_uneven(app) ? 2 : 1) * sizeof(cconv_real)));
}

static struct work make_work(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t samples = (size_t)app->in[0].dim[0];
    struct work w = { .kernels = &app->context->kernels,
                      .classes = cconv_shape_span(&app->in[0], 1, app->in[0].ndim),
                      .z = run->x[0] };

    w.split = cconv_split(samples, w.classes, 1);
    w.weight = cconv_loss_weighted(app) ? run->x[2] : NULL;
    w.ignore = app->attr->loss.ignore;
    if (has_labels(app))
        w.labels = run->x[1];
    else
        w.target = run->x[1];
    if (app->training) {
        w.p = run->saved;
        w.totals = (void *)((char *)run->saved + probabilities_bytes(app));
        w.kept = (void *)w.totals; /* an int32 is no larger than a real */
        w.share = is_uneven(app) ? w.totals + samples : NULL;
    }
    return w;
}

static double weight_of(const struct work *w, size_t n)
{
    if (w->ignore && w->labels[n] < 0)
        return 0;
    return w->weight != NULL ? (double)w->weight[n] : 1;
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

static void forward_samples(const struct work *w, size_t first, size_t count)
{
    for (size_t n = first; n < first + count; n++) {
        const double weight = weight_of(w, n);

        w->losses[n] = weight != 0 ? weight * sample_loss(w, n) : 0;
        if (w->share != NULL) /* 0 of a sample not looked at, even if the divisor is no number */
            w->share[n] = weight != 0 ? (cconv_real)cconv_loss_share(weight, w->divisor) : 0;
    }
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;

    (void)slot;
    forward_samples(w, cconv_split_begin(&w->split, task), cconv_split_count(&w->split, task));
}

static void backward_samples(const struct work *w, size_t first, size_t count)
{
    for (size_t n = first; n < first + count; n++) {
        const cconv_real *p = w->p + n * w->classes;
        cconv_real *dz = w->dz + n * w->classes;
        const cconv_real factor =
            w->share != NULL ? (cconv_real)(w->dy * (double)w->share[n]) : w->factor;

        if (w->share != NULL && w->share[n] == 0) { /* forward has left nothing */
            memset(dz, 0, w->classes * sizeof *dz);
        } else if (w->labels != NULL) {
            w->kernels->eltwise.scale(w->classes, factor, p, dz);
            dz[w->kept[n]] = factor * (p[w->kept[n]] - 1);
        } else {
            w->kernels->loss.cross_entropy_backward(w->classes, factor, w->totals[n], p,
                                                    w->target + n * w->classes, dz);
        }
    }
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;

    (void)slot;
    backward_samples(w, cconv_split_begin(&w->split, task), cconv_split_count(&w->split, task));
}

static coordconv_status check_labels(const struct cconv_app *app, const struct work *w)
{
    for (size_t n = 0; w->labels != NULL && n < w->split.items; n++) {
        if (w->labels[n] < 0 ? !w->ignore : (size_t)w->labels[n] >= w->classes)
            return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                              "%s: sample %zu has class %" PRId32 ", but there are %zu classes",
                              app->op->name, n, w->labels[n], w->classes);
    }
    return COORDCONV_OK;
}

static struct work make_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);

    w.losses = run->scratch;
    w.divisor = app->attr->loss.sum ? 1 : (double)w.split.items;
    if (is_uneven(app) && !app->attr->loss.sum) {
        w.divisor = 0;
        for (size_t n = 0; n < w.split.items; n++)
            w.divisor += weight_of(&w, n);
    }
    return w;
}

static struct work make_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app, run);

    w.dy = (double)run->dy[0];
    w.factor = (cconv_real)(app->attr->loss.sum ? w.dy : w.dy / (double)w.split.items);
    w.dz = run->dx[0];
    return w;
}

static void add_up(const struct work *w, cconv_real *y)
{
    double sum = 0;

    for (size_t n = 0; n < w->split.items; n++)
        sum += w->losses[n];
    *y = (cconv_real)cconv_loss_share(sum, w->divisor);
}

static coordconv_status check(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct work w = make_work(app, run);

    return check_labels(app, &w);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    const coordconv_status st = check(app, run);
    struct work w;

    if (st != COORDCONV_OK)
        return st;
    w = make_forward(app, run);
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    add_up(&w, run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_backward(app, run);

    if (w.dz != NULL)
        cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

/* Where samples differ in what they count, the whole batch says how much one does. */
static size_t samples(const struct cconv_app *app)
{
    return is_uneven(app) ? 0 : (size_t)app->in[0].dim[0];
}

static void some_forward(const struct cconv_app *app, const struct cconv_run *run, size_t first,
                         size_t count)
{
    const struct work w = make_forward(app, run);

    forward_samples(&w, first, count);
}

static void some_backward(const struct cconv_app *app, const struct cconv_run *run, size_t first,
                          size_t count)
{
    const struct work w = make_backward(app, run);

    backward_samples(&w, first, count);
}

static void finish(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct work w = make_forward(app, run);

    add_up(&w, run->y);
}

static const struct cconv_by_sample by_sample = {
    .samples = samples,
    .check = check,
    .forward = some_forward,
    .backward = some_backward,
    .finish = finish,
};

const struct cconv_op cconv_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .flags = CCONV_KEEPS_X | CCONV_SCALAR_LOSS | CCONV_MAY_FAIL, /* of the inputs, the target */
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
    .by_sample = &by_sample,
};
