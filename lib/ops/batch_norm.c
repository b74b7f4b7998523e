/* SPDX-License-Identifier: BSD-2-Clause
 *
 * batch_norm.c - batch norm, the operation and its layer.
 *
 * The input is a matrix [rows][channels], taken in pieces of rows. In training
 * each piece gives a mean and a sum of squared deviations in double, joined in
 * the order of the pieces (Chan, Golub, LeVeque 1983): one pass over memory, and
 * no cancellation when the mean is large against the deviation.
 *
 * A channel with a single value has variance 0, the unbiased one included.
 */
#include <inttypes.h>

#include "base/checked.h"
#include "ops/common.h"
#include "ops/norm.h"
#include "ops/split.h"

enum {
    WEIGHT,
    BIAS,
    RUNNING_MEAN,
    RUNNING_VAR
};

/* Joining the pieces is done by one thread; with this many rows a piece it is no
 * more than a hundredth of the work. */
#define LEAST_ROWS 64

struct work {
    const struct cconv_kernels *kernels;
    struct cconv_split split; /* of rows */
    size_t channels;
    const cconv_real *x, *dy;
    cconv_real *out;                  /* forward y, backward dx */
    double *batch;                    /* saved [2][channels]: mean, unbiased variance */
    cconv_real *mean, *rstd;          /* saved [channels] */
    double *sum;                      /* scratch [2][channels] */
    double *partial;                  /* scratch [tasks][2][channels] */
    cconv_real *scale;                /* scratch [channels]; inference: packed */
    const cconv_real *shift;          /* bias; inference: packed */
    const cconv_real *offset, *slope; /* backward, scratch [channels] */
    enum cconv_activation act;
    cconv_real act_slope;
};

/* Scratch: sum, partial, then three vectors of reals. */
static size_t sums_bytes(const struct work *w)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(w->split.tasks + 1, w->channels), 2 * sizeof(double)));
}

static struct work make_work(const struct cconv_app *app)
{
    const int32_t last = app->in[0].ndim - 1;
    struct work w = { .kernels = &app->context->kernels,
                      .channels = (size_t)app->attr->batch_norm.channels,
                      .act = app->act,
                      .act_slope = (cconv_real)app->act_slope };

    w.split = cconv_split(cconv_shape_span(&app->in[0], 0, last), w.channels, LEAST_ROWS);
    return w;
}

static void use_scratch(struct work *w, const struct cconv_run *run)
{
    w->sum = run->scratch;
    w->partial = w->sum + 2 * w->channels;
    w->scale = (void *)((char *)run->scratch + sums_bytes(w));
    w->batch = run->saved;
    w->mean = (cconv_real *)(void *)(w->batch + 2 * w->channels);
    w->rstd = w->mean + w->channels;
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const struct work w = make_work(app);
    const size_t vector = cconv_size_mul(w.channels, sizeof(cconv_real));

    if (app->training) {
        s->saved = cconv_size_mul(w.channels, 2 * (sizeof(double) + sizeof(cconv_real)));
        s->forward = cconv_size_add(sums_bytes(&w), vector);
        s->backward = cconv_size_add(sums_bytes(&w), cconv_size_mul(vector, 3));
    } else {
        s->packed = cconv_size_mul(vector, 2);
    }
}

coordconv_status cconv_norm_infer(struct cconv_app *app, int32_t channels)
{
    const struct cconv_shape *in = &app->in[0];
    const coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text text;

    if (st != COORDCONV_OK)
        return st;
    if (in->ndim < 2 || in->dim[in->ndim - 1] != channels || cconv_shape_count(in) == 0)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: input %s, expected [N, ..., %" PRId32 "] with no empty axis",
                          app->op->name, cconv_shape_print(in, &text), channels);
    app->out = *in;
    return COORDCONV_OK;
}

static coordconv_status infer(struct cconv_app *app)
{
    return cconv_norm_infer(app, app->attr->batch_norm.channels);
}

struct cconv_norm_affine cconv_norm_running_affine(const coordconv_layer *norm, size_t channel)
{
    const double var = (double)cconv_layer_values(norm, RUNNING_VAR)[channel];
    const double mean = (double)cconv_layer_values(norm, RUNNING_MEAN)[channel];
    const double scale = (double)cconv_layer_values(norm, WEIGHT)[channel] /
                         sqrt(var + norm->attr.batch_norm.epsilon);

    return (struct cconv_norm_affine){ scale, (double)cconv_layer_values(norm, BIAS)[channel] -
                                                  mean * scale };
}

/* Inference is y = x * scale + shift: packed holds the two vectors. */
static void prepare(const struct cconv_app *app, const struct cconv_run *run)
{
    if (app->training)
        return;
    const size_t channels = (size_t)app->attr->batch_norm.channels;
    cconv_real *scale = run->packed, *shift = scale + channels;

    for (size_t c = 0; c < channels; c++) {
        const struct cconv_norm_affine f = cconv_norm_running_affine(app->layer, c);
        scale[c] = (cconv_real)f.scale;
        shift[c] = (cconv_real)f.shift;
    }
}

static void moments_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    double *mean = w->partial + task * 2 * w->channels;

    (void)slot;
    w->kernels->norm.moments(cconv_split_count(&w->split, task), w->channels,
                             w->x + cconv_split_begin(&w->split, task) * w->channels, mean,
                             mean + w->channels);
}

/* Join the pieces into sum: means, then sums of squared deviations. */
static void join_moments(const struct work *w)
{
    double *mean = w->sum, *m2 = w->sum + w->channels;
    double rows = 0;

    for (size_t c = 0; c < 2 * w->channels; c++)
        w->sum[c] = 0;
    for (size_t task = 0; task < w->split.tasks; task++) {
        const double *piece = w->partial + task * 2 * w->channels;
        const double more = (double)cconv_split_count(&w->split, task);
        const double share = more / (rows + more);
        for (size_t c = 0; c < w->channels; c++) {
            const double delta = piece[c] - mean[c];
            mean[c] += delta * share;
            m2[c] += piece[w->channels + c] + delta * delta * rows * share;
        }
        rows += more;
    }
}

static void use_moments(const struct work *w, const struct cconv_app *app)
{
    const cconv_real *weight = cconv_layer_values(app->layer, WEIGHT);
    const double rows = (double)w->split.items, degrees = CCONV_MAX(rows - 1, 1);

    for (size_t c = 0; c < w->channels; c++) {
        const double var = w->sum[w->channels + c] / rows;
        const double rstd = 1 / sqrt(var + app->attr->batch_norm.epsilon);
        w->mean[c] = (cconv_real)w->sum[c];
        w->rstd[c] = (cconv_real)rstd;
        w->scale[c] = (cconv_real)((double)weight[c] * rstd);
        w->batch[c] = w->sum[c];
        w->batch[w->channels + c] = w->sum[w->channels + c] / degrees;
    }
}

/* Move the running statistics. A batch that is not finite is left out: one bad
 * batch, which the optimizer refuses too, would spoil them for ever. */
static void finish(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t channels = (size_t)app->attr->batch_norm.channels;
    const double momentum = app->attr->batch_norm.momentum;
    const double *batch = run->saved;
    cconv_real *mean = cconv_layer_values(app->layer, RUNNING_MEAN);
    cconv_real *var = cconv_layer_values(app->layer, RUNNING_VAR);

    for (size_t c = 0; c < 2 * channels; c++) {
        if (!isfinite(batch[c]))
            return;
    }
    for (size_t c = 0; c < channels; c++) {
        mean[c] = (cconv_real)((1 - momentum) * (double)mean[c] + momentum * batch[c]);
        var[c] = (cconv_real)((1 - momentum) * (double)var[c] + momentum * batch[channels + c]);
    }
    cconv_tensor_touch(app->layer->tensors[RUNNING_MEAN].tensor);
    cconv_tensor_touch(app->layer->tensors[RUNNING_VAR].tensor);
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t first = cconv_split_begin(&w->split, task) * w->channels;
    const size_t rows = cconv_split_count(&w->split, task);
    cconv_real *y = w->out + first;

    (void)slot;
    if (w->mean != NULL)
        w->kernels->norm.forward(rows, w->channels, w->mean, w->scale, w->shift, w->x + first, y);
    else
        w->kernels->norm.affine(rows, w->channels, w->scale, w->shift, w->x + first, y);
    if (w->act != CCONV_ACT_NONE)
        w->kernels->eltwise.act_forward(w->act, w->act_slope, rows * w->channels, y, y);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app);

    w.x = run->x[0];
    w.out = run->y;
    if (app->training) {
        use_scratch(&w, run);
        cconv_parallel_run(&app->context->parallel, moments_task, &w, w.split.tasks);
        join_moments(&w);
        use_moments(&w, app);
        w.shift = cconv_layer_values(app->layer, BIAS);
    } else {
        w.scale = run->packed;
        w.shift = w.scale + w.channels;
    }
    cconv_parallel_run(&app->context->parallel, forward_task, &w, w.split.tasks);
    return COORDCONV_OK;
}

static void sums_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t first = cconv_split_begin(&w->split, task) * w->channels;
    double *sum = w->partial + task * 2 * w->channels;

    (void)slot;
    w->kernels->norm.backward_sums(cconv_split_count(&w->split, task), w->channels, w->mean,
                                   w->x + first, w->dy + first, sum, sum + w->channels);
}

static void join_sums(const struct work *w)
{
    const size_t n = 2 * w->channels;

    for (size_t c = 0; c < n; c++)
        w->sum[c] = 0;
    for (size_t task = 0; task < w->split.tasks; task++) {
        for (size_t c = 0; c < n; c++)
            w->sum[c] += w->partial[task * n + c];
    }
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t first = cconv_split_begin(&w->split, task) * w->channels;

    (void)slot;
    w->kernels->norm.backward(cconv_split_count(&w->split, task), w->channels, w->mean, w->scale,
                              w->offset, w->slope, w->x + first, w->dy + first, w->out + first);
}

/* With u = (x - mean) rstd and averages over the rows,
 *   dx = weight rstd (dy - avg(dy) - u avg(dy u)),  dweight = sum(dy u),  dbias = sum(dy). */
static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app);
    const cconv_real *weight = cconv_layer_values(app->layer, WEIGHT);
    const double rows = (double)w.split.items;

    use_scratch(&w, run);
    w.x = run->x[0];
    w.dy = run->dy;
    w.out = run->dx[0];
    cconv_parallel_run(&app->context->parallel, sums_task, &w, w.split.tasks);
    join_sums(&w);

    cconv_real *offset = w.scale + w.channels, *slope = offset + w.channels;

    for (size_t c = 0; c < w.channels; c++) {
        const double rstd = (double)w.rstd[c], sum_xdy = w.sum[w.channels + c];
        w.scale[c] = (cconv_real)((double)weight[c] * rstd);
        offset[c] = (cconv_real)(w.sum[c] / rows);
        slope[c] = (cconv_real)(sum_xdy * rstd * rstd / rows);
        if (run->dparam != NULL && run->dparam[WEIGHT] != NULL)
            run->dparam[WEIGHT][c] = (cconv_real)(sum_xdy * rstd);
        if (run->dparam != NULL && run->dparam[BIAS] != NULL)
            run->dparam[BIAS][c] = (cconv_real)w.sum[c];
    }
    w.offset = offset;
    w.slope = slope;
    if (w.out != NULL)
        cconv_parallel_run(&app->context->parallel, backward_task, &w, w.split.tasks);
}

const struct cconv_op cconv_op_batch_norm = {
    .name = "batch_norm",
    .flags = CCONV_KEEPS_X | CCONV_IN_PLACE | CCONV_FUSES_ACT | CCONV_KEEPS_PLACE,
    .infer = infer,
    .space = space,
    .prepare = prepare,
    .forward = forward,
    .finish = finish,
    .backward = backward,
};

static coordconv_status read_desc(const struct cconv_log *log,
                                  const coordconv_batch_norm_desc *desc,
                                  coordconv_batch_norm_desc *d)
{
    const coordconv_status st = cconv_desc_read(
        log, "batch_norm", desc, CCONV_DESC_END(coordconv_batch_norm_desc, momentum), sizeof *d, d);

    if (st != COORDCONV_OK)
        return st;
    if (d->epsilon == 0)
        d->epsilon = 1e-5;
    if (d->momentum == 0)
        d->momentum = 0.1;
    else if (d->momentum == -1)
        d->momentum = 0;
    if (d->channels < 1)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "batch_norm: channels %" PRId32 ", expected 1 or more", d->channels);
    if (!(d->epsilon > 0) || !isfinite(d->epsilon))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "batch_norm: epsilon %g, expected more than 0", d->epsilon);
    if (!(d->momentum >= 0 && d->momentum <= 1))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "batch_norm: momentum %g, expected 0 to 1, or -1 for a true 0",
                          d->momentum);
    return COORDCONV_OK;
}

static coordconv_status add_tensors(coordconv_layer *layer)
{
    static const struct {
        const char *name;
        int trained;
        double value;
    } tensors[] = { [WEIGHT] = { "weight", 1, 1 },
                    [BIAS] = { "bias", 1, 0 },
                    [RUNNING_MEAN] = { "running_mean", 0, 0 },
                    [RUNNING_VAR] = { "running_var", 0, 1 } };
    const int64_t shape[1] = { layer->attr.batch_norm.channels };
    coordconv_status st = COORDCONV_OK;

    for (size_t i = 0; st == COORDCONV_OK && i < CCONV_COUNT(tensors); i++)
        st =
            cconv_layer_add(layer, tensors[i].name, tensors[i].trained, 1, shape, tensors[i].value);
    return st;
}

coordconv_status coordconv_batch_norm_new(coordconv_context *context,
                                          const coordconv_batch_norm_desc *desc,
                                          coordconv_layer **out)
{
    const struct cconv_log *log = cconv_context_log(context);
    coordconv_batch_norm_desc d;
    coordconv_layer *layer = NULL;
    coordconv_status st;

    if (context == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "batch_norm: %s is NULL",
                          context == NULL ? "context" : "out");
    if ((st = read_desc(log, desc, &d)) != COORDCONV_OK ||
        (st = cconv_layer_new(context, &cconv_op_batch_norm, &layer)) != COORDCONV_OK)
        return st;
    layer->attr.batch_norm.channels = d.channels;
    layer->attr.batch_norm.epsilon = d.epsilon;
    layer->attr.batch_norm.momentum = d.momentum;
    st = add_tensors(layer);
    if (st != COORDCONV_OK) {
        coordconv_layer_unref(layer);
        return st;
    }
    *out = layer;
    return COORDCONV_OK;
}
