/* SPDX-License-Identifier: BSD-2-Clause
 *
 * upsample.c - images made larger by whole factors, nearest or bilinear.
 *
 * Both are made of taps: an output row is a mixture of two input rows, or one of them as it is,
 * and a pixel of it one of two pixels. The rows come first, in long loops; a row that is the one
 * before it again is copied. Backward owns input rows and collects from the output rows that have
 * a tap there: no two tasks write the same value.
 */
#include <string.h>

#include "base/checked.h"
#include "kernels/ref/set.h"
#include "ops/common.h"
#include "ops/split.h"

/* An output is near * (1 - share) + far * share. */
struct tap {
    int32_t near, far;
    cconv_real share;
};

static struct tap tap_at(const struct cconv_upsample_attr *a, int axis, int64_t in, int64_t o)
{
    const int64_t out = in * a->factor[axis];
    double at;
    int64_t near;

    if (a->mode == COORDCONV_UPSAMPLE_NEAREST)
        return (struct tap){ (int32_t)(o / a->factor[axis]), (int32_t)(o / a->factor[axis]), 0 };
    if (a->align_corners) /* rounded once: a place that is a pixel's is that pixel alone */
        at = out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0;
    else
        at = CCONV_MAX(((double)o + 0.5) / a->factor[axis] - 0.5, 0);
    near = CCONV_MIN((int64_t)at, in - 1);
    if (near == in - 1)
        return (struct tap){ (int32_t)near, (int32_t)near, 0 };
    return (struct tap){ (int32_t)near, (int32_t)near + 1, (cconv_real)(at - (double)near) };
}

/* ---- frames ---- */

/* Along one axis. Without aligned corners, and nearest, it is a transposed window of as many
 * samples as its stride. With them, sample o of the output is at o r, r = (in - 1) / (out - 1), and
 * the same of the larger image. That has no r if it has one sample: all its output is that sample,
 * and only an image that is the whole of it has a place there. */
static int carry_axis(const struct cconv_upsample_attr *a, int axis, int64_t in,
                      const struct cconv_place *from, struct cconv_place *out)
{
    const int32_t f = a->factor[axis];
    const int64_t larger = from->extent[axis];
    const struct cconv_window w = { .out = larger * f, .kernel = f, .stride = f, .dilation = 1 };

    if (!a->align_corners || f == 1)
        return cconv_place_carry(&w, &w, axis, 1, from, out);
    out->extent[axis] = w.out;
    if (larger == 1) {
        out->step[axis] = 1;
        return in == 1 && from->first[axis] == 0;
    }
    const double image = (double)(in - 1) / (double)(in * f - 1);
    const double whole = (double)(larger - 1) / (double)(larger * f - 1);

    out->first[axis] = from->first[axis] / whole;
    out->step[axis] = from->step[axis] * (image / whole);
    return w.out <= INT32_MAX;
}

static int carry(const struct cconv_app *app, const struct cconv_place *in, struct cconv_place *out)
{
    const struct cconv_upsample_attr *a = &app->attr->upsample;
    const struct cconv_shape *s = &app->in[0];

    *out = *in;
    return carry_axis(a, 0, s->dim[1], in, out) && carry_axis(a, 1, s->dim[2], in, out);
}

/* ---- shapes ---- */

static coordconv_status infer(struct cconv_app *app)
{
    const struct cconv_upsample_attr *a = &app->attr->upsample;
    const struct cconv_shape *in = &app->in[0];
    const coordconv_status st = cconv_app_check_image(app);

    if (st != COORDCONV_OK)
        return st;
    const int64_t dims[4] = { in->dim[0], in->dim[1] * a->factor[0], in->dim[2] * a->factor[1],
                              in->dim[3] };

    return cconv_shape_read(CCONV_APP_LOG(app), app->op->name, 4, dims, 1, &app->out);
}

static size_t taps_bytes(const struct cconv_app *app)
{
    return cconv_size_align(
        cconv_size_mul((size_t)(app->out.dim[1] + app->out.dim[2]), sizeof(struct tap)));
}

/* Scratch: the taps, then a row for each slot, of the input forward and of the output backward. */
static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const size_t each = cconv_size_mul(app->context->parallel.slots, sizeof(cconv_real));

    s->forward =
        cconv_size_add(taps_bytes(app), cconv_size_mul(each, cconv_shape_span(&app->in[0], 2, 4)));
    s->backward =
        cconv_size_add(taps_bytes(app), cconv_size_mul(each, cconv_shape_span(&app->out, 2, 4)));
}

struct pass {
    struct tap *y, *x;
    size_t in_height, out_height, out_width, channels;
    size_t in_row, out_row; /* elements */
    struct cconv_split split;
    const cconv_real *from; /* forward x; backward dy */
    cconv_real *to;         /* forward y; backward dx */
    cconv_real *rows;       /* one for each slot */
};

static struct pass make_pass(const struct cconv_app *app, const struct cconv_run *run)
{
    const int64_t *in = app->in[0].dim, *out = app->out.dim;
    struct pass p = { .y = run->scratch,
                      .in_height = (size_t)in[1],
                      .out_height = (size_t)out[1],
                      .out_width = (size_t)out[2],
                      .channels = (size_t)in[3],
                      .in_row = (size_t)(in[2] * in[3]),
                      .out_row = (size_t)(out[2] * in[3]),
                      .rows = (void *)((char *)run->scratch + taps_bytes(app)) };

    p.x = p.y + out[1];
    for (int64_t o = 0; o < out[1]; o++)
        p.y[o] = tap_at(&app->attr->upsample, 0, in[1], o);
    for (int64_t o = 0; o < out[2]; o++)
        p.x[o] = tap_at(&app->attr->upsample, 1, in[2], o);
    return p;
}

/* ---- forward ---- */

/* y = near * (1 - share) + far * share. */
static void mix(size_t n, cconv_real share, const cconv_real *near, const cconv_real *far,
                cconv_real *y)
{
    const cconv_real rest = 1 - share;

    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = rest * near[i] + share * far[i];
}

static void expand_row(const struct pass *p, const cconv_real *row, cconv_real *y)
{
    for (size_t o = 0; o < p->out_width; o++, y += p->channels) {
        const struct tap t = p->x[o];
        const cconv_real *near = row + (size_t)t.near * p->channels;

        if (t.share == 0)
            memcpy(y, near, p->channels * sizeof *y);
        else
            mix(p->channels, t.share, near, row + (size_t)t.far * p->channels, y);
    }
}

/* Row `o` of an image; again: the row before it is there already. */
static void forward_row(const struct pass *p, const cconv_real *image, size_t o, int again,
                        cconv_real *room, cconv_real *y)
{
    const struct tap t = p->y[o];
    const cconv_real *near = image + (size_t)t.near * p->in_row;

    if (again && t.near == p->y[o - 1].near && t.share == p->y[o - 1].share) {
        memcpy(y, y - p->out_row, p->out_row * sizeof *y);
        return;
    }
    if (t.share != 0) {
        mix(p->in_row, t.share, near, image + (size_t)t.far * p->in_row, room);
        near = room;
    }
    expand_row(p, near, y);
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct pass *p = arg;
    const size_t begin = cconv_split_begin(&p->split, task);
    const size_t end = begin + cconv_split_count(&p->split, task);

    for (size_t r = begin; r < end; r++) {
        const size_t o = r % p->out_height;

        forward_row(p, p->from + r / p->out_height * p->in_height * p->in_row, o,
                    r > begin && o > 0, p->rows + slot * p->in_row, p->to + r * p->out_row);
    }
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct pass p = make_pass(app, run);

    p.from = run->x[0];
    p.to = run->y;
    p.split = cconv_split((size_t)app->out.dim[0] * p.out_height, p.out_row,
                          (size_t)app->attr->upsample.factor[0]);
    cconv_parallel_run(&app->context->parallel, forward_task, &p, p.split.tasks);
    return COORDCONV_OK;
}

/* ---- backward ---- */

/* y += factor * x. */
static void add_multiple(size_t n, cconv_real factor, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* First output whose near tap is at `near` or behind it. */
static size_t first_from(const struct tap *taps, size_t count, int64_t near)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (taps[middle].near < near)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fold_row(const struct pass *p, const cconv_real *dy, cconv_real *dx)
{
    memset(dx, 0, p->in_row * sizeof *dx);
    for (size_t o = 0; o < p->out_width; o++, dy += p->channels) {
        const struct tap t = p->x[o];

        add_multiple(p->channels, 1 - t.share, dy, dx + (size_t)t.near * p->channels);
        if (t.share != 0)
            add_multiple(p->channels, t.share, dy, dx + (size_t)t.far * p->channels);
    }
}

/* Gradient of input row i, from the image dy. */
static void backward_row(const struct pass *p, const cconv_real *dy, int64_t i, cconv_real *room,
                         cconv_real *dx)
{
    memset(room, 0, p->out_row * sizeof *room);
    for (size_t o = first_from(p->y, p->out_height, i - 1); o < p->out_height; o++) {
        const struct tap t = p->y[o];

        if (t.near > i)
            break;
        if (t.near == i)
            add_multiple(p->out_row, 1 - t.share, dy + o * p->out_row, room);
        else if (t.share != 0)
            add_multiple(p->out_row, t.share, dy + o * p->out_row, room);
    }
    fold_row(p, room, dx);
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct pass *p = arg;
    size_t r = cconv_split_begin(&p->split, task);

    for (const size_t end = r + cconv_split_count(&p->split, task); r < end; r++)
        backward_row(p, p->from + r / p->in_height * p->out_height * p->out_row,
                     (int64_t)(r % p->in_height), p->rows + slot * p->out_row,
                     p->to + r * p->in_row);
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] == NULL)
        return;
    struct pass p = make_pass(app, run);

    p.from = run->dy;
    p.to = run->dx[0];
    p.split = cconv_split((size_t)app->in[0].dim[0] * p.in_height,
                          p.out_row * (size_t)app->attr->upsample.factor[0], 1);
    cconv_parallel_run(&app->context->parallel, backward_task, &p, p.split.tasks);
}

const struct cconv_op cconv_op_upsample2d = {
    .name = "upsample2d",
    .infer = infer,
    .space = space,
    .forward = forward,
    .backward = backward,
    .carry = carry,
};
