/* SPDX-License-Identifier: BSD-2-Clause
 *
 * group_norm.c - group norm, the operation and its layer.
 *
 * Each image is a matrix [rows][channels], taken in pieces of rows. A piece gives a mean and a sum
 * of squared deviations of each channel, in double, of which those of a group are made. Images of
 * one piece go through all steps while they are in the cache, others step by step.
 */
#include <inttypes.h>

#include "base/checked.h"
#include "ops/common.h"
#include "ops/norm.h"
#include "ops/split.h"

enum {
    WEIGHT,
    BIAS,
    LEAST_ROWS = 64, /* of a piece: what is done once a piece is then little */
    VECTORS = 4      /* of channels, for each slot */
};

struct work {
    const struct cconv_kernels *kernels;
    size_t samples, rows, channels, groups;
    struct cconv_split split; /* of the rows of an image */
    struct cconv_split whole; /* of the images, where each is one piece */
    double epsilon;
    const cconv_real *weight, *bias;
    const cconv_real *x, *dy;
    cconv_real *out;     /* forward y; backward dx, NULL: not wanted */
    cconv_real *stats;   /* [samples][2][groups]: mean, 1 / deviation; saved for backward */
    double *partial;     /* [samples][pieces][2][channels] */
    cconv_real *vectors; /* [slots][VECTORS][channels] */
    enum cconv_activation act;
    cconv_real act_slope;
};

static struct work make_work(const struct cconv_app *app)
{
    const struct cconv_shape *in = &app->in[0];
    struct work w = { .kernels = &app->context->kernels,
                      .samples = (size_t)in->dim[0],
                      .rows = cconv_shape_span(in, 1, in->ndim - 1),
                      .channels = (size_t)app->attr->group_norm.channels,
                      .groups = (size_t)app->attr->group_norm.groups,
                      .epsilon = app->attr->group_norm.epsilon,
                      .act = app->act,
                      .act_slope = (cconv_real)app->act_slope };

    w.split = cconv_split(w.rows, w.channels, LEAST_ROWS);
    w.whole = cconv_split(w.samples, w.rows * w.channels, 1);
    return w;
}

static size_t stats_bytes(const struct work *w)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(w->samples, w->groups), 2 * sizeof(cconv_real)));
}

static size_t partial_bytes(const struct work *w)
{
    const size_t pieces = cconv_size_mul(w->samples, w->split.tasks);

    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(pieces, w->channels), 2 * sizeof(double)));
}

/* Scratch: partial, vectors, then the statistics if they are not saved. */
static size_t vectors_bytes(const struct cconv_app *app)
{
    const size_t channels = (size_t)app->attr->group_norm.channels;

    return cconv_size_align(cconv_size_mul(cconv_size_mul(app->context->parallel.slots, channels),
                                           VECTORS * sizeof(cconv_real)));
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const struct work w = make_work(app);
    const size_t work = cconv_size_add(partial_bytes(&w), vectors_bytes(app));

    s->saved = app->training ? stats_bytes(&w) : 0;
    s->forward = cconv_size_add(work, app->training ? 0 : stats_bytes(&w));
    s->backward = app->training ? work : 0;
}

static struct work begin(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = make_work(app);

    w.weight = cconv_layer_values(app->layer, WEIGHT);
    w.bias = cconv_layer_values(app->layer, BIAS);
    w.x = run->x[0];
    w.partial = run->scratch;
    w.vectors = (void *)((char *)run->scratch + partial_bytes(&w));
    w.stats = app->training ? run->saved : (void *)((char *)w.vectors + vectors_bytes(app));
    return w;
}

static coordconv_status infer(struct cconv_app *app)
{
    return cconv_norm_infer(app, app->attr->group_norm.channels);
}

/* ---- the pieces of an image ---- */

static double *partial_at(const struct work *w, size_t sample, size_t piece)
{
    return w->partial + (sample * w->split.tasks + piece) * 2 * w->channels;
}

static size_t element_at(const struct work *w, size_t sample, size_t piece)
{
    return (sample * w->rows + cconv_split_begin(&w->split, piece)) * w->channels;
}

static cconv_real *vectors_at(const struct work *w, size_t slot)
{
    return w->vectors + slot * VECTORS * w->channels;
}

/* A step over pieces, between whose sums is one over samples. */
struct steps {
    const struct work *work;
    void (*sum)(const struct work *w, size_t sample, size_t piece, size_t slot);
    void (*join)(const struct work *w, size_t sample);
    void (*apply)(const struct work *w, size_t sample, size_t piece, size_t slot);
};

static void sum_task(void *arg, size_t task, size_t slot)
{
    const struct steps *s = arg;

    s->sum(s->work, task / s->work->split.tasks, task % s->work->split.tasks, slot);
}

static void join_task(void *arg, size_t task, size_t slot)
{
    const struct steps *s = arg;

    (void)slot;
    s->join(s->work, task);
}

static void apply_task(void *arg, size_t task, size_t slot)
{
    const struct steps *s = arg;

    s->apply(s->work, task / s->work->split.tasks, task % s->work->split.tasks, slot);
}

static void whole_task(void *arg, size_t task, size_t slot)
{
    const struct steps *s = arg;
    const struct cconv_split *whole = &s->work->whole;
    size_t n = cconv_split_begin(whole, task);

    for (const size_t end = n + cconv_split_count(whole, task); n < end; n++) {
        s->sum(s->work, n, 0, slot);
        s->join(s->work, n);
        s->apply(s->work, n, 0, slot);
    }
}

static void take(const struct cconv_app *app, struct steps s)
{
    struct cconv_parallel *parallel = &app->context->parallel;
    const size_t samples = s.work->samples, pieces = samples * s.work->split.tasks;

    if (s.work->split.tasks == 1) {
        cconv_parallel_run(parallel, whole_task, &s, s.work->whole.tasks);
        return;
    }
    cconv_parallel_run(parallel, sum_task, &s, pieces);
    cconv_parallel_run(parallel, join_task, &s, samples);
    cconv_parallel_run(parallel, apply_task, &s, pieces);
}

/* ---- forward ---- */

static void sum_moments(const struct work *w, size_t sample, size_t piece, size_t slot)
{
    double *mean = partial_at(w, sample, piece);

    (void)slot;
    w->kernels->norm.moments(cconv_split_count(&w->split, piece), w->channels,
                             w->x + element_at(w, sample, piece), mean, mean + w->channels);
}

/* Mean and variance of channels first .. last - 1. About the mean of all, what a piece deviates
 * is what it deviates about its own, and that about the mean of all. */
static void join_group(const struct work *w, size_t sample, size_t first, size_t last,
                       cconv_real *mean, cconv_real *rstd)
{
    const double count = (double)w->rows * (double)(last - first);
    double sum = 0, m2 = 0;

    for (size_t p = 0; p < w->split.tasks; p++) {
        const double *means = partial_at(w, sample, p);

        for (size_t c = first; c < last; c++)
            sum += (double)cconv_split_count(&w->split, p) * means[c];
    }
    for (size_t p = 0; p < w->split.tasks; p++) {
        const double *means = partial_at(w, sample, p), *squares = means + w->channels;

        for (size_t c = first; c < last; c++) {
            const double delta = means[c] - sum / count;

            m2 += squares[c] + (double)cconv_split_count(&w->split, p) * delta * delta;
        }
    }
    *mean = (cconv_real)(sum / count);
    *rstd = (cconv_real)(1 / sqrt(m2 / count + w->epsilon));
}

static void join_moments(const struct work *w, size_t sample)
{
    cconv_real *mean = w->stats + sample * 2 * w->groups, *rstd = mean + w->groups;
    const size_t each = w->channels / w->groups;

    for (size_t g = 0; g < w->groups; g++)
        join_group(w, sample, g * each, (g + 1) * each, &mean[g], &rstd[g]);
}

/* Vectors of channels: the means; weights over deviations. */
static void spread(const struct work *w, size_t sample, cconv_real *vectors)
{
    const cconv_real *mean = w->stats + sample * 2 * w->groups, *rstd = mean + w->groups;
    const size_t each = w->channels / w->groups;

    for (size_t c = 0; c < w->channels; c++) {
        vectors[c] = mean[c / each];
        vectors[w->channels + c] = w->weight[c] * rstd[c / each];
    }
}

static void normalise(const struct work *w, size_t sample, size_t piece, size_t slot)
{
    const size_t rows = cconv_split_count(&w->split, piece), i = element_at(w, sample, piece);
    cconv_real *mean = vectors_at(w, slot), *scale = mean + w->channels;

    spread(w, sample, mean);
    w->kernels->norm.forward(rows, w->channels, mean, scale, w->bias, w->x + i, w->out + i);
    if (w->act != CCONV_ACT_NONE)
        w->kernels->eltwise.act_forward(w->act, w->act_slope, rows * w->channels, w->out + i,
                                        w->out + i);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = begin(app, run);

    w.out = run->y;
    take(app, (struct steps){ &w, sum_moments, join_moments, normalise });
    return COORDCONV_OK;
}

/* ---- backward ---- */

static void sum_gradients(const struct work *w, size_t sample, size_t piece, size_t slot)
{
    const size_t i = element_at(w, sample, piece);
    double *sum = partial_at(w, sample, piece);
    cconv_real *mean = vectors_at(w, slot);

    spread(w, sample, mean);
    w->kernels->norm.backward_sums(cconv_split_count(&w->split, piece), w->channels, mean, w->x + i,
                                   w->dy + i, sum, sum + w->channels);
}

/* Into the sums of the first piece. */
static void join_gradients(const struct work *w, size_t sample)
{
    double *sum = partial_at(w, sample, 0);

    for (size_t p = 1; p < w->split.tasks; p++) {
        const double *more = partial_at(w, sample, p);

        for (size_t c = 0; c < 2 * w->channels; c++)
            sum[c] += more[c];
    }
}

/* With u = (x - mean) / deviation and averages over a group,
 *   dx = (weight dy - avg(weight dy) - u avg(weight dy u)) / deviation. */
static void differentiate(const struct work *w, size_t sample, size_t piece, size_t slot)
{
    const double *sum_dy = partial_at(w, sample, 0), *sum_xdy = sum_dy + w->channels;
    const size_t each = w->channels / w->groups, i = element_at(w, sample, piece);
    const cconv_real *rstds = w->stats + (sample * 2 + 1) * w->groups;
    cconv_real *mean = vectors_at(w, slot), *scale = mean + w->channels;
    cconv_real *slope = scale + w->channels, *offset = slope + w->channels;

    if (w->out == NULL)
        return;
    spread(w, sample, mean);
    for (size_t first = 0; first < w->channels; first += each) {
        const double rstd = (double)rstds[first / each], count = (double)w->rows * (double)each;
        double dy = 0, xdy = 0;

        for (size_t c = first; c < first + each; c++) {
            dy += (double)w->weight[c] * sum_dy[c];
            xdy += (double)w->weight[c] * sum_xdy[c];
        }
        for (size_t c = first; c < first + each; c++) {
            slope[c] = (cconv_real)(-rstd * rstd * rstd * xdy / count);
            offset[c] = (cconv_real)(-rstd * dy / count);
        }
    }
    w->kernels->norm.combine(cconv_split_count(&w->split, piece), w->channels, mean, scale, slope,
                             offset, w->x + i, w->dy + i, w->out + i);
}

/* dweight = sum of dy u, dbias = sum of dy, over everything. */
static void parameters(const struct work *w, cconv_real *dweight, cconv_real *dbias)
{
    const size_t each = w->channels / w->groups;

    for (size_t c = 0; c < w->channels; c++) {
        double weight = 0, bias = 0;

        for (size_t n = 0; n < w->samples; n++) {
            const double *sum = partial_at(w, n, 0);

            bias += sum[c];
            weight += sum[w->channels + c] * (double)w->stats[(n * 2 + 1) * w->groups + c / each];
        }
        if (dweight != NULL)
            dweight[c] = (cconv_real)weight;
        if (dbias != NULL)
            dbias[c] = (cconv_real)bias;
    }
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w = begin(app, run);

    w.dy = run->dy;
    w.out = run->dx[0];
    take(app, (struct steps){ &w, sum_gradients, join_gradients, differentiate });
    if (run->dparam != NULL)
        parameters(&w, run->dparam[WEIGHT], run->dparam[BIAS]);
}

const struct cconv_op cconv_op_group_norm = {
    .name = "group_norm",
    .flags = CCONV_KEEPS_X | CCONV_IN_PLACE | CCONV_FUSES_ACT | CCONV_KEEPS_PLACE,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
};

/* ---- the layer ---- */

static coordconv_status read_desc(const struct cconv_log *log,
                                  const coordconv_group_norm_desc *desc,
                                  coordconv_group_norm_desc *d)
{
    coordconv_status st = cconv_desc_read(
        log, "group_norm", desc, CCONV_DESC_END(coordconv_group_norm_desc, epsilon), sizeof *d, d);

    if (st != COORDCONV_OK)
        return st;
    if (d->groups == 0)
        d->groups = 1;
    if (d->epsilon == 0)
        d->epsilon = 1e-5;
    st = cconv_check_range(log, "group_norm", "channels", d->channels, 1, INT32_MAX);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "group_norm", "groups", d->groups, 1, d->channels);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "group_norm", "reserved", d->reserved, 0, 0);
    if (st == COORDCONV_OK && d->channels % d->groups != 0)
        st = cconv_fail(log, COORDCONV_ERR_INVALID,
                        "group_norm: %" PRId32 " groups do not divide %" PRId32 " channels",
                        d->groups, d->channels);
    if (st == COORDCONV_OK && (!(d->epsilon > 0) || !isfinite(d->epsilon)))
        st = cconv_fail(log, COORDCONV_ERR_INVALID, "group_norm: epsilon %g, expected more than 0",
                        d->epsilon);
    return st;
}

coordconv_status coordconv_group_norm_new(coordconv_context *context,
                                          const coordconv_group_norm_desc *desc,
                                          coordconv_layer **out)
{
    const struct cconv_log *log = cconv_context_log(context);
    coordconv_group_norm_desc d;
    coordconv_layer *layer = NULL;
    coordconv_status st;

    if (context == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "group_norm: %s is NULL",
                          context == NULL ? "context" : "out");
    if ((st = read_desc(log, desc, &d)) != COORDCONV_OK ||
        (st = cconv_layer_new(context, &cconv_op_group_norm, &layer)) != COORDCONV_OK)
        return st;
    const int64_t shape[1] = { d.channels };

    layer->attr.group_norm.channels = d.channels;
    layer->attr.group_norm.groups = d.groups;
    layer->attr.group_norm.epsilon = d.epsilon;
    st = cconv_layer_add(layer, "weight", 1, 1, shape, 1);
    if (st == COORDCONV_OK)
        st = cconv_layer_add(layer, "bias", 1, 1, shape, 0);
    if (st != COORDCONV_OK) {
        coordconv_layer_unref(layer);
        return st;
    }
    *out = layer;
    return COORDCONV_OK;
}
