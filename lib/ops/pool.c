/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pool.c - max and average pooling.
 *
 * A window is worked through tap by tap over a whole output row, so the inner
 * loops are long whatever the number of channels. Backward owns bands of input
 * rows and collects from every output row that reaches into its band: no two
 * tasks write the same value.
 */
#include <string.h>

#include "base/checked.h"
#include "ops/common.h"
#include "ops/split.h"

static struct cconv_window window_over(const struct cconv_pool_attr *p, int axis, int64_t in)
{
    struct cconv_window w = { .in = in,
                              .kernel = p->kernel[axis],
                              .stride = p->stride[axis],
                              .dilation = 1,
                              .before = p->pads[axis],
                              .after = p->pads[axis + 2] };

    cconv_window_slide(&w, p->same);
    return w;
}

static struct cconv_window window(const struct cconv_app *app, int axis)
{
    return window_over(&app->attr->pool, axis, app->in[0].dim[1 + axis]);
}

static int carry(const struct cconv_app *app, const struct cconv_place *in, struct cconv_place *out)
{
    const struct cconv_pool_attr *a = &app->attr->pool;
    int fits = 1;

    *out = *in;
    for (int i = 0; i < 2; i++) {
        const struct cconv_window w = window(app, i), larger = window_over(a, i, in->extent[i]);

        fits &= cconv_place_carry(&w, &larger, i, 0, in, out);
    }
    return fits;
}

static coordconv_status check_attr(const struct cconv_app *app)
{
    const struct cconv_log *log = CCONV_APP_LOG(app);
    const struct cconv_pool_attr *p = &app->attr->pool;
    const char *name = app->op->name;

    for (int i = 0; i < 2; i++) {
        if (p->kernel[i] < 1 || p->kernel[i] > 1024)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: kernel %dx%d, expected 1 to 1024",
                              name, (int)p->kernel[0], (int)p->kernel[1]);
        if (p->stride[i] < 1 || p->stride[i] > 1024)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: stride %dx%d, expected 1 to 1024",
                              name, (int)p->stride[0], (int)p->stride[1]);
    }
    for (int i = 0; i < 4; i++) {
        if (p->pads[i] < 0 || p->pads[i] >= p->kernel[i % 2])
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "%s: pads[%d] is %d, expected 0 or more and less than the kernel %d",
                              name, i, (int)p->pads[i], (int)p->kernel[i % 2]);
        if (p->same && p->pads[i] != 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "%s: pads[%d] is %d beside COORDCONV_SAME, expected 0", name, i,
                              (int)p->pads[i]);
    }
    return COORDCONV_OK;
}

static coordconv_status infer(struct cconv_app *app)
{
    const struct cconv_shape *in = &app->in[0];
    const struct cconv_pool_attr *p = &app->attr->pool;
    coordconv_status st = cconv_app_check_image(app);

    if (st == COORDCONV_OK)
        st = check_attr(app);
    if (st != COORDCONV_OK)
        return st;
    const struct cconv_window y = window(app, 0), x = window(app, 1);

    if (y.out < 1 || x.out < 1)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: kernel %dx%d does not fit the padded input %lldx%lld", app->op->name,
                          (int)p->kernel[0], (int)p->kernel[1],
                          (long long)(y.in + y.before + y.after),
                          (long long)(x.in + x.before + x.after));
    const int64_t dims[4] = { in->dim[0], y.out, x.out, in->dim[3] };

    return cconv_shape_read(CCONV_APP_LOG(app), app->op->name, 4, dims, 1, &app->out);
}

/* One pass over a batch, forward or backward. */
struct pass {
    const struct cconv_pool_kernels *kernels;
    struct cconv_window y, x;
    struct cconv_split split; /* of the rows written, image by image */
    size_t channels;
    size_t in_row, out_row; /* elements of a row */
    int count_padding;
    const cconv_real *from; /* forward x; backward dy */
    cconv_real *to;         /* forward y; backward dx */
    int32_t *arg;        /* max: the tap that won, counted row-major in the kernel; may be NULL */
    cconv_real *scratch; /* average, backward: an output row for each slot */
};

static struct pass make_pass(const struct cconv_app *app)
{
    struct pass p = { .kernels = &app->context->kernels.pool,
                      .y = window(app, 0),
                      .x = window(app, 1),
                      .channels = (size_t)app->in[0].dim[3],
                      .count_padding = app->attr->pool.count_padding };

    p.in_row = (size_t)p.x.in * p.channels;
    p.out_row = (size_t)p.x.out * p.channels;
    return p;
}

/* The part of a window at output position o that lies inside the image: taps first .. last - 1. */
static void taps_inside(const struct cconv_window *w, int64_t o, int32_t *first, int32_t *last)
{
    const int64_t start = o * w->stride - w->before;

    *first = (int32_t)CCONV_MAX(-start, 0);
    *last = (int32_t)CCONV_MIN(w->in - start, w->kernel);
}

/* Output positions first .. last - 1 whose tap k lies inside the image. */
static void outputs_inside(const struct cconv_window *w, int32_t k, int64_t *first, int64_t *last)
{
    const int64_t below = w->before - k;    /* the tap is at o * stride - below */
    const int64_t room = w->in - 1 + below; /* o * stride may be this much */

    *first = below <= 0 ? 0 : (below + w->stride - 1) / w->stride;
    *last = room < 0 ? 0 : CCONV_MIN(room / w->stride + 1, w->out);
}

/* Pixels by which an average is divided at output (oy, ox). */
static cconv_real divisor(const struct pass *p, int64_t oy, int64_t ox)
{
    int32_t y0, y1, x0, x1;

    if (p->count_padding)
        return (cconv_real)((int64_t)p->y.kernel * p->x.kernel);
    taps_inside(&p->y, oy, &y0, &y1);
    taps_inside(&p->x, ox, &x0, &x1);
    return (cconv_real)((int64_t)(y1 - y0) * (x1 - x0));
}

/* to = from / divisor, pixel by pixel of output row oy. */
static void divide_row(const struct pass *p, int64_t oy, const cconv_real *from, cconv_real *to)
{
    for (int64_t ox = 0; ox < p->x.out; ox++) {
        const cconv_real d = divisor(p, oy, ox);
        for (size_t c = 0; c < p->channels; c++)
            to[c] = from[c] / d;
        from += p->channels;
        to += p->channels;
    }
}

/* Below everything, with the window's first tap inside as the one that won: so
 * a window of -infinities still has a winner. */
static void start_max_row(const struct pass *p, int64_t oy, cconv_real *y, int32_t *arg)
{
    int32_t ky, kx, end;

    for (size_t i = 0; i < p->out_row; i++)
        y[i] = -(cconv_real)INFINITY;
    if (arg == NULL)
        return;
    taps_inside(&p->y, oy, &ky, &end);
    for (int64_t ox = 0; ox < p->x.out; ox++) {
        taps_inside(&p->x, ox, &kx, &end);
        for (size_t c = 0; c < p->channels; c++)
            *arg++ = ky * p->x.kernel + kx;
    }
}

/* One output row; x is the image it is made from. */
static void forward_row(const struct pass *p, int64_t oy, const cconv_real *image, cconv_real *y,
                        int32_t *arg, int is_max)
{
    const size_t step = (size_t)p->x.stride * p->channels;
    int32_t ky, ky_end;

    taps_inside(&p->y, oy, &ky, &ky_end);
    for (; ky < ky_end; ky++) {
        const cconv_real *row = image + (size_t)(oy * p->y.stride - p->y.before + ky) * p->in_row;
        for (int32_t kx = 0; kx < p->x.kernel; kx++) {
            int64_t first, last;
            outputs_inside(&p->x, kx, &first, &last);
            if (first >= last)
                continue;
            const size_t pixels = (size_t)(last - first), at = (size_t)first * p->channels;
            const cconv_real *x =
                row + (size_t)(first * p->x.stride - p->x.before + kx) * p->channels;
            if (is_max)
                p->kernels->max_tap(pixels, p->channels, step, x, ky * p->x.kernel + kx, y + at,
                                    arg != NULL ? arg + at : NULL);
            else
                p->kernels->add_tap(pixels, p->channels, step, x, y + at);
        }
    }
}

static void max_task(void *arg, size_t task, size_t slot)
{
    const struct pass *p = arg;
    size_t r = cconv_split_begin(&p->split, task);

    (void)slot;
    for (const size_t end = r + cconv_split_count(&p->split, task); r < end; r++) {
        const size_t n = r / (size_t)p->y.out;
        const int64_t oy = (int64_t)(r % (size_t)p->y.out);
        const cconv_real *image = p->from + n * (size_t)p->y.in * p->in_row;
        cconv_real *y = p->to + r * p->out_row;
        int32_t *won = p->arg != NULL ? p->arg + r * p->out_row : NULL;
        start_max_row(p, oy, y, won);
        forward_row(p, oy, image, y, won, 1);
    }
}

static void avg_task(void *arg, size_t task, size_t slot)
{
    const struct pass *p = arg;
    size_t r = cconv_split_begin(&p->split, task);

    (void)slot;
    for (const size_t end = r + cconv_split_count(&p->split, task); r < end; r++) {
        const size_t n = r / (size_t)p->y.out;
        const int64_t oy = (int64_t)(r % (size_t)p->y.out);
        const cconv_real *image = p->from + n * (size_t)p->y.in * p->in_row;
        cconv_real *y = p->to + r * p->out_row;
        memset(y, 0, p->out_row * sizeof *y);
        forward_row(p, oy, image, y, NULL, 0);
        divide_row(p, oy, y, y);
    }
}

/* Spread output row oy (number r of the batch), already divided where it is an
 * average, over input rows first .. last - 1; dx is row `first`. */
static void backward_row(const struct pass *p, size_t r, int64_t oy, const cconv_real *dy,
                         int64_t first, int64_t last, cconv_real *dx)
{
    const size_t step = (size_t)p->x.stride * p->channels;

    for (int32_t ky = 0; ky < p->y.kernel; ky++) {
        const int64_t iy = oy * p->y.stride - p->y.before + ky;
        if (iy < first || iy >= last)
            continue;
        for (int32_t kx = 0; kx < p->x.kernel; kx++) {
            int64_t ox, ox_end;
            outputs_inside(&p->x, kx, &ox, &ox_end);
            if (ox >= ox_end)
                continue;
            const size_t pixels = (size_t)(ox_end - ox), at = (size_t)ox * p->channels;
            cconv_real *to = dx + (size_t)(iy - first) * p->in_row +
                             (size_t)(ox * p->x.stride - p->x.before + kx) * p->channels;
            if (p->arg != NULL)
                p->kernels->max_tap_backward(pixels, p->channels, step, dy + at,
                                             p->arg + r * p->out_row + at, ky * p->x.kernel + kx,
                                             to);
            else
                p->kernels->add_tap_backward(pixels, p->channels, step, dy + at, to);
        }
    }
}

/* Input rows first .. last - 1 of image n. */
static void backward_band(const struct pass *p, size_t n, int64_t first, int64_t last, size_t slot)
{
    const struct cconv_window *w = &p->y;
    const int64_t lowest = first + w->before - w->kernel + 1;
    const int64_t begin = lowest <= 0 ? 0 : (lowest + w->stride - 1) / w->stride;
    const int64_t end = CCONV_MIN((last - 1 + w->before) / w->stride + 1, w->out);
    cconv_real *dx = p->to + (n * (size_t)w->in + (size_t)first) * p->in_row;

    memset(dx, 0, (size_t)(last - first) * p->in_row * sizeof *dx);
    for (int64_t oy = begin; oy < end; oy++) {
        const size_t r = n * (size_t)w->out + (size_t)oy;
        const cconv_real *dy = p->from + r * p->out_row;
        if (p->scratch != NULL) {
            cconv_real *divided = p->scratch + slot * p->out_row;
            divide_row(p, oy, dy, divided);
            dy = divided;
        }
        backward_row(p, r, oy, dy, first, last, dx);
    }
}

static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct pass *p = arg;
    const size_t height = (size_t)p->y.in;
    size_t r = cconv_split_begin(&p->split, task);
    const size_t end = r + cconv_split_count(&p->split, task);

    while (r < end) {
        const size_t n = r / height, first = r % height;
        const size_t last = CCONV_MIN(height, first + (end - r));
        backward_band(p, n, (int64_t)first, (int64_t)last, slot);
        r += last - first;
    }
}

static void run_forward(const struct cconv_app *app, struct pass *p, cconv_task_fn *task)
{
    const size_t rows = (size_t)app->out.dim[0] * (size_t)p->y.out;

    p->split = cconv_split(rows, p->in_row * (size_t)p->y.stride, 1);
    cconv_parallel_run(&app->context->parallel, task, p, p->split.tasks);
}

/* Bands of at least one window, so that little is looked at twice. */
static void run_backward(const struct cconv_app *app, struct pass *p)
{
    const size_t rows = (size_t)app->in[0].dim[0] * (size_t)p->y.in;

    p->split = cconv_split(rows, p->in_row, (size_t)p->y.kernel);
    cconv_parallel_run(&app->context->parallel, backward_task, p, p->split.tasks);
}

static void max_space(const struct cconv_app *app, struct cconv_space *s)
{
    if (app->training)
        s->saved = cconv_size_mul(cconv_shape_count(&app->out), sizeof(int32_t));
}

static coordconv_status max_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct pass p = make_pass(app);

    p.from = run->x[0];
    p.to = run->y;
    p.arg = app->training ? run->saved : NULL;
    run_forward(app, &p, max_task);
    return COORDCONV_OK;
}

static void max_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct pass p = make_pass(app);

    p.from = run->dy;
    p.to = run->dx[0];
    p.arg = run->saved;
    if (p.to != NULL)
        run_backward(app, &p);
}

static void avg_space(const struct cconv_app *app, struct cconv_space *s)
{
    const size_t row = cconv_shape_span(&app->out, 2, 4);

    s->backward =
        cconv_size_mul(app->context->parallel.slots, cconv_size_mul(row, sizeof(cconv_real)));
}

static coordconv_status avg_forward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct pass p = make_pass(app);

    p.from = run->x[0];
    p.to = run->y;
    run_forward(app, &p, avg_task);
    return COORDCONV_OK;
}

static void avg_backward(const struct cconv_app *app, const struct cconv_run *run)
{
    struct pass p = make_pass(app);

    p.from = run->dy;
    p.to = run->dx[0];
    p.scratch = run->scratch;
    if (p.to != NULL)
        run_backward(app, &p);
}

const struct cconv_op cconv_op_max_pool2d = {
    .name = "max_pool2d",
    .infer = infer,
    .space = max_space,
    .forward = max_forward,
    .backward = max_backward,
    .carry = carry,
};

const struct cconv_op cconv_op_avg_pool2d = {
    .name = "avg_pool2d",
    .infer = infer,
    .space = avg_space,
    .forward = avg_forward,
    .backward = avg_backward,
    .carry = carry,
};
