/* SPDX-License-Identifier: BSD-2-Clause
 *
 * softmax.c - softmax over any set of axes.
 *
 * Axes of extent 1 are dropped and neighbours of the same kind joined, which
 * leaves alternating groups of reduced and kept axes. What remains is one of two
 * cases: the innermost group is reduced, and the work is done along runs of
 * consecutive values; or it is kept, and many softmaxes are done side by side, a
 * lane each. [N, H, W, 1] over H and W is a single run an image.
 *
 * A softmax of many values is cut into pieces, for which maxima and sums are
 * found on several threads and joined in the order of the pieces.
 */
#include "base/checked.h"
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
    size_t items;              /* kept.total * blocks */
    size_t parts;              /* of up to CCONV_CHUNK values that a run has */
    size_t per_piece, pieces;  /* of an item's reduced.total * parts */
    struct cconv_split split;  /* of items * pieces */
    const cconv_real *x, *y, *dy;
    cconv_real *out; /* forward y, backward dx */
    cconv_real *max; /* scratch [items][pieces][LANES or 1] */
    double *sum;     /* the same; backward: dot products */
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

/* Pieces depend on one item's shape alone, not on how many there are. */
static void cut(struct work *w)
{
    const size_t lanes = CCONV_MIN(w->lanes, LANES), part = CCONV_MIN(w->run, CCONV_CHUNK) * lanes;
    size_t all;

    w->blocks = (w->lanes + LANES - 1) / LANES;
    w->items = w->kept.total * w->blocks;
    w->parts = (w->run + CCONV_CHUNK - 1) / CCONV_CHUNK;
    all = w->reduced.total * w->parts;
    w->per_piece = CCONV_MIN(CCONV_MAX(CCONV_CHUNK / part, 1), all);
    w->pieces = (all + w->per_piece - 1) / w->per_piece;
    w->split = cconv_split(w->items * w->pieces, w->per_piece * part, 1);
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
    cut(&w);
    return w;
}

/* Values of one softmax's piece, or of LANES side by side. */
struct piece {
    const struct work *w;
    size_t item, index;
    size_t base, lanes;
    size_t first, end; /* of the item's reduced.total * parts */
};

static struct piece make_piece(const struct work *w, size_t i)
{
    struct piece p = { .w = w, .item = i / w->pieces, .index = i % w->pieces };
    const size_t lane = p.item % w->blocks * LANES;

    p.base = offset(&w->kept, p.item / w->blocks) + lane;
    p.lanes = CCONV_MIN(w->lanes - lane, LANES);
    p.first = p.index * w->per_piece;
    p.end = CCONV_MIN(p.first + w->per_piece, w->reduced.total * w->parts);
    return p;
}

/* Where a part of a run is, and how many values it has; lanes have parts of one row. */
static size_t part_at(const struct piece *p, size_t part, size_t *count)
{
    const size_t begin = part % p->w->parts * CCONV_CHUNK;

    *count = CCONV_MIN(p->w->run - begin, CCONV_CHUNK);
    return p->base + offset(&p->w->reduced, part / p->w->parts) + begin;
}

/* Of this item's piece `index`, in max and sum. */
static size_t place(const struct piece *p, size_t index)
{
    return (p->item * p->w->pieces + index) * CCONV_MIN(p->w->lanes, LANES);
}

static void piece_max(const struct piece *p, cconv_real *max)
{
    const struct work *w = p->w;
    size_t n;

    for (size_t j = 0; j < p->lanes; j++)
        max[j] = w->x[part_at(p, p->first, &n) + j];
    for (size_t i = p->first; i < p->end; i++) {
        const cconv_real *x = w->x + part_at(p, i, &n);
        const cconv_real most = w->lanes == 1 ? w->kernels->loss.max(n, x) : 0;

        for (size_t j = 0; w->lanes > 1 && j < p->lanes; j++)
            max[j] = x[j] > max[j] ? x[j] : max[j];
        if (w->lanes == 1)
            max[0] = most > max[0] ? most : max[0];
    }
}

static void piece_exp(const struct piece *p, const cconv_real *max, double *sum)
{
    const struct work *w = p->w;
    size_t n;

    for (size_t j = 0; j < p->lanes; j++)
        sum[j] = 0;
    for (size_t i = p->first; i < p->end; i++) {
        const size_t at = part_at(p, i, &n);

        if (w->lanes == 1)
            sum[0] += w->kernels->loss.exp_sum(n, w->x + at, max[0], w->out + at);
        else
            w->kernels->loss.exp_sum_lanes(p->lanes, w->x + at, max, w->out + at, sum);
    }
}

static void piece_scale(const struct piece *p, const double *sum)
{
    const struct work *w = p->w;
    cconv_real factor[LANES];
    size_t n;

    for (size_t j = 0; j < p->lanes; j++)
        factor[j] = (cconv_real)(1 / sum[j]);
    for (size_t i = p->first; i < p->end; i++) {
        cconv_real *y = w->out + part_at(p, i, &n);

        if (w->lanes == 1)
            w->kernels->eltwise.scale(n, factor[0], y, y);
        for (size_t j = 0; w->lanes > 1 && j < p->lanes; j++)
            y[j] *= factor[j];
    }
}

static void piece_dot(const struct piece *p, double *dot)
{
    const struct work *w = p->w;
    size_t n;

    for (size_t j = 0; j < p->lanes; j++)
        dot[j] = 0;
    for (size_t i = p->first; i < p->end; i++) {
        const size_t at = part_at(p, i, &n);

        if (w->lanes == 1)
            dot[0] += w->kernels->loss.dot(n, w->y + at, w->dy + at);
        for (size_t j = 0; w->lanes > 1 && j < p->lanes; j++)
            dot[j] += (double)w->y[at + j] * (double)w->dy[at + j];
    }
}

static void piece_backward(const struct piece *p, const double *dot)
{
    const struct work *w = p->w;
    size_t n;

    for (size_t i = p->first; i < p->end; i++) {
        const size_t at = part_at(p, i, &n);

        if (w->lanes == 1)
            w->kernels->loss.softmax_backward(n, (cconv_real)dot[0], w->y + at, w->dy + at,
                                              w->out + at);
        for (size_t j = 0; w->lanes > 1 && j < p->lanes; j++)
            w->out[at + j] = w->y[at + j] * (w->dy[at + j] - (cconv_real)dot[j]);
    }
}

/* What the pieces of an item have found, joined in their order. */
static void joined_max(const struct piece *p, cconv_real *max)
{
    const size_t width = CCONV_MIN(p->w->lanes, LANES);
    const cconv_real *from = p->w->max + place(p, 0);

    for (size_t j = 0; j < p->lanes; j++) {
        max[j] = from[j];
        for (size_t i = 1; i < p->w->pieces; i++)
            max[j] = from[i * width + j] > max[j] ? from[i * width + j] : max[j];
    }
}

static void joined_sum(const struct piece *p, double *sum)
{
    const size_t width = CCONV_MIN(p->w->lanes, LANES);
    const double *from = p->w->sum + place(p, 0);

    for (size_t j = 0; j < p->lanes; j++) {
        sum[j] = 0;
        for (size_t i = 0; i < p->w->pieces; i++)
            sum[j] += from[i * width + j];
    }
}

/* The passes over an item of several pieces. */
static void max_pass(const struct piece *p)
{
    piece_max(p, p->w->max + place(p, p->index));
}

static void exp_pass(const struct piece *p)
{
    cconv_real max[LANES];

    joined_max(p, max);
    piece_exp(p, max, p->w->sum + place(p, p->index));
}

static void scale_pass(const struct piece *p)
{
    double sum[LANES];

    joined_sum(p, sum);
    piece_scale(p, sum);
}

static void dot_pass(const struct piece *p)
{
    piece_dot(p, p->w->sum + place(p, p->index));
}

static void backward_pass(const struct piece *p)
{
    double dot[LANES];

    joined_sum(p, dot);
    piece_backward(p, dot);
}

/* All passes over an item that is one piece. */
static void forward_whole(const struct piece *p)
{
    cconv_real max[LANES];
    double sum[LANES];

    piece_max(p, max);
    piece_exp(p, max, sum);
    piece_scale(p, sum);
}

static void backward_whole(const struct piece *p)
{
    double dot[LANES];

    piece_dot(p, dot);
    piece_backward(p, dot);
}

struct pass {
    const struct work *w;
    void (*fn)(const struct piece *p);
};

static void task(void *arg, size_t index, size_t slot)
{
    const struct pass *pass = arg;
    const struct cconv_split *split = &pass->w->split;
    size_t i = cconv_split_begin(split, index);

    (void)slot;
    for (const size_t end = i + cconv_split_count(split, index); i < end; i++) {
        const struct piece p = make_piece(pass->w, i);

        pass->fn(&p);
    }
}

static void over_pieces(const struct cconv_app *app, const struct work *w,
                        void (*fn)(const struct piece *p))
{
    struct pass pass = { w, fn };

    cconv_parallel_run(&app->context->parallel, task, &pass, w->split.tasks);
}

/* Scratch: sums, then maxima. Nothing where no item has several pieces. */
static size_t sums_bytes(const struct work *w)
{
    const size_t count = cconv_size_mul(w->items * w->pieces, CCONV_MIN(w->lanes, LANES));

    return cconv_size_align(cconv_size_mul(count, sizeof(double)));
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    struct work w;

    if (cconv_shape_count(&app->out) == 0)
        return;
    w = make_work(app);
    if (w.pieces == 1)
        return;
    s->forward = cconv_size_mul(sums_bytes(&w), 2);
    s->backward = sums_bytes(&w);
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
    if (w.pieces == 1) {
        over_pieces(app, &w, forward_whole);
        return COORDCONV_OK;
    }
    w.sum = run->scratch;
    w.max = (void *)((char *)run->scratch + sums_bytes(&w));
    over_pieces(app, &w, max_pass);
    over_pieces(app, &w, exp_pass);
    over_pieces(app, &w, scale_pass);
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
    if (w.pieces == 1) {
        over_pieces(app, &w, backward_whole);
        return;
    }
    w.sum = run->scratch;
    over_pieces(app, &w, dot_pass);
    over_pieces(app, &w, backward_pass);
}

const struct cconv_op cconv_op_softmax = {
    .name = "softmax",
    .flags = CCONV_KEEPS_Y | CCONV_IN_PLACE | CCONV_KEEPS_PLACE,
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
};
