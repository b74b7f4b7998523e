/* SPDX-License-Identifier: BSD-2-Clause
 *
 * softmax.c - softmax over any set of axes.
 *
 * Axes of extent 1 are dropped and neighbours of the same kind joined, which
 * leaves alternating groups of reduced and kept axes. What remains is one of two
 * cases: the innermost group is reduced, and the work is done along runs of
 * consecutive values; or it is kept, and many softmaxes are done side by side, a
 * lane each. [N, H, W, 1] over H and W is a single run an image.
 */
#include "ops/common.h"
#include "ops/split.h"

/* Softmaxes done side by side in one task: their maxima and sums live on the stack. */
#define LANES 64

/* Some of the axes as one index, row-major. */
struct axes {
    int32_t count;
    size_t extent[COORDCONV_MAX_NDIM], stride[COORDCONV_MAX_NDIM];
    size_t total;
};

struct work {
    const struct cconv_kernels *kernels;
    struct axes kept, reduced; /* outside of the innermost group */
    size_t run;                /* innermost reduced values; 1 where the innermost group is kept */
    size_t lanes;              /* innermost kept values; 1 where the innermost group is reduced */
    size_t blocks;             /* of up to LANES lanes */
    struct cconv_split split;  /* of kept.total * blocks */
    const cconv_real *x, *y, *dy;
    cconv_real *out; /* forward y, backward dx */
};

static void push(struct axes *a, size_t extent, size_t stride)
{
    a->extent[a->count] = extent;
    a->stride[a->count++] = stride;
    a->total *= extent;
}

/* Offset of index i. With a single group this is one multiplication. */
static size_t offset(const struct axes *a, size_t i)
{
    size_t sum = 0;

    for (int32_t k = a->count - 1; k > 0; k--) {
        sum += i % a->extent[k] * a->stride[k];
        i /= a->extent[k];
    }
    return a->count > 0 ? sum + i * a->stride[0] : 0;
}

static int is_reduced(const struct cconv_app *app, int32_t axis)
{
    return (app->attr->axes >> axis & 1) != 0;
}

/* Next group of axes ending before *axis: its extent, kind and stride. */
static size_t take_group(const struct cconv_app *app, int32_t *axis, int *reduced, size_t *stride)
{
    const struct cconv_shape *shape = &app->out;
    size_t extent = 1;

    while (*axis > 0 && shape->dim[*axis - 1] == 1)
        --*axis;
    *stride = cconv_shape_span(shape, *axis, shape->ndim);
    *reduced = *axis > 0 ? is_reduced(app, *axis - 1) : 1;
    while (*axis > 0 && (shape->dim[*axis - 1] == 1 || is_reduced(app, *axis - 1) == *reduced))
        extent *= (size_t)shape->dim[--*axis];
    return extent;
}

static void reverse(struct axes *a)
{
    for (int32_t i = 0, j = a->count - 1; i < j; i++, j--) {
        const size_t extent = a->extent[i], stride = a->stride[i];
        a->extent[i] = a->extent[j];
        a->stride[i] = a->stride[j];
        a->extent[j] = extent;
        a->stride[j] = stride;
    }
}

static struct work make_work(const struct cconv_app *app)
{
    struct work w = { .kernels = &app->context->kernels, .run = 1, .lanes = 1 };
    int32_t axis = app->out.ndim;
    size_t extent, stride;
    int reduced;

    w.kept.total = w.reduced.total = 1;
    extent = take_group(app, &axis, &reduced, &stride);
    *(reduced ? &w.run : &w.lanes) = extent;
    while (axis > 0) {
        extent = take_group(app, &axis, &reduced, &stride);
        push(reduced ? &w.reduced : &w.kept, extent, stride);
    }
    reverse(&w.kept);
    reverse(&w.reduced);
    w.blocks = (w.lanes + LANES - 1) / LANES;
    w.split = cconv_split(w.kept.total * w.blocks,
                          w.reduced.total * w.run * CCONV_MIN(w.lanes, LANES), 1);
    return w;
}

static void forward_run(const struct work *w, size_t base)
{
    const struct cconv_loss_kernels *k = &w->kernels->loss;
    cconv_real max = w->x[base];
    double sum = 0;

    for (size_t r = 0; r < w->reduced.total; r++) {
        const cconv_real m = k->max(w->run, w->x + base + offset(&w->reduced, r));
        max = m > max ? m : max;
    }
    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        sum += k->exp_sum(w->run, w->x + at, max, w->out + at);
    }
    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        w->kernels->eltwise.scale(w->run, (cconv_real)(1 / sum), w->out + at, w->out + at);
    }
}

static void backward_run(const struct work *w, size_t base)
{
    const struct cconv_loss_kernels *k = &w->kernels->loss;
    double dot = 0;

    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        dot += k->dot(w->run, w->y + at, w->dy + at);
    }
    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        k->softmax_backward(w->run, (cconv_real)dot, w->y + at, w->dy + at, w->out + at);
    }
}

static void forward_lanes(const struct work *w, size_t base, size_t lanes)
{
    cconv_real max[LANES];
    double sum[LANES] = { 0 };

    for (size_t j = 0; j < lanes; j++)
        max[j] = w->x[base + j];
    for (size_t r = 1; r < w->reduced.total; r++) {
        const cconv_real *x = w->x + base + offset(&w->reduced, r);
        for (size_t j = 0; j < lanes; j++)
            max[j] = x[j] > max[j] ? x[j] : max[j];
    }
    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        for (size_t j = 0; j < lanes; j++) {
            const cconv_real e = cconv_math_exp(w->x[at + j] - max[j]);
            w->out[at + j] = e;
            sum[j] += (double)e;
        }
    }
    for (size_t j = 0; j < lanes; j++)
        max[j] = (cconv_real)(1 / sum[j]);
    for (size_t r = 0; r < w->reduced.total; r++) {
        cconv_real *y = w->out + base + offset(&w->reduced, r);
        for (size_t j = 0; j < lanes; j++)
            y[j] *= max[j];
    }
}

static void backward_lanes(const struct work *w, size_t base, size_t lanes)
{
    double dot[LANES] = { 0 };

    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        for (size_t j = 0; j < lanes; j++)
            dot[j] += (double)w->y[at + j] * (double)w->dy[at + j];
    }
    for (size_t r = 0; r < w->reduced.total; r++) {
        const size_t at = base + offset(&w->reduced, r);
        for (size_t j = 0; j < lanes; j++)
            w->out[at + j] = w->y[at + j] * (w->dy[at + j] - (cconv_real)dot[j]);
    }
}

static void task(void *arg, size_t index, size_t slot)
{
    const struct work *w = arg;
    size_t i = cconv_split_begin(&w->split, index);

    (void)slot;
    for (const size_t end = i + cconv_split_count(&w->split, index); i < end; i++) {
        const size_t lane = i % w->blocks * LANES, lanes = CCONV_MIN(w->lanes - lane, LANES);
        const size_t base = offset(&w->kept, i / w->blocks) + lane;
        if (w->lanes == 1 && w->dy == NULL)
            forward_run(w, base);
        else if (w->lanes == 1)
            backward_run(w, base);
        else if (w->dy == NULL)
            forward_lanes(w, base, lanes);
        else
            backward_lanes(w, base, lanes);
    }
}

static coordconv_status infer(struct cconv_app *app)
{
    const uint32_t axes = app->attr->axes;
    struct cconv_shape_text text;

    if (axes == 0 || axes >> app->in[0].ndim != 0)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                          "softmax: axes 0x%x of an input %s", (unsigned)axes,
                          cconv_shape_print(&app->in[0], &text));
    return cconv_app_infer_like(app);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w;

    if (cconv_shape_count(&app->out) == 0)
        return COORDCONV_OK;
    w = make_work(app);
    w.x = run->x[0];
    w.out = run->y;
    cconv_parallel_run(&app->context->parallel, task, &w, w.split.tasks);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct work w;

    if (run->dx[0] == NULL || cconv_shape_count(&app->out) == 0)
        return;
    w = make_work(app);
    w.y = run->y;
    w.dy = run->dy;
    w.out = run->dx[0];
    cconv_parallel_run(&app->context->parallel, task, &w, w.split.tasks);
}

const struct cconv_op cconv_op_softmax = {
    .name = "softmax",
    .flags = CCONV_KEEPS_Y | CCONV_IN_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
