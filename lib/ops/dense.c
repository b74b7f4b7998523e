/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dense.c - forward and backward of some pixels of a dense layer.
 *
 * A partial sum is a run of packed products for each panel of the weights, then
 * the same for the coordinate channels, then [panels][nr] for the bias.
 */
#include "ops/dense.h"

#include <string.h>

#include "base/checked.h"
#include "ops/layer.h"
#include "ops/pointwise.h"
#include "ops/shared.h"

/* Whole register tiles of every panel. */
enum {
    AHEAD_PIXELS = 24
};

static const ptrdiff_t no_offset[1] = { 0 };

static size_t padded(const struct cconv_corr_matrix *m)
{
    return cconv_size_mul(m->panels, m->panel->nr);
}

static size_t panel_channels(const struct cconv_corr_matrix *m, size_t panel)
{
    return CCONV_MIN(m->panel->nr, m->out - panel * m->panel->nr);
}

/* Elements of all panels' runs of `length` products, packed. */
static size_t runs(const struct cconv_corr_matrix *m, size_t length)
{
    return cconv_size_mul(m->panels, cconv_panel_run(m->panel, length));
}

void cconv_dense_space(const coordconv_context *context, const struct cconv_corr *c,
                       size_t coord_channels, struct cconv_pointwise_space *space)
{
    struct cconv_corr_matrix m;

    cconv_corr_gather_matrix(context, c, NULL, &m);
    space->weights = cconv_size_mul(cconv_size_mul(m.panels, m.panel_weights), sizeof(cconv_real));
    space->products = cconv_size_mul(m.in, m.out);
    space->partial =
        cconv_size_add(cconv_size_add(runs(&m, m.in), runs(&m, coord_channels)), padded(&m));
    space->scratch = cconv_size_align(
        cconv_size_mul(cconv_size_add(padded(&m), runs(&m, 1)), sizeof(cconv_real)));
}

void cconv_dense_take(const struct cconv_app *app, const struct cconv_corr *c, const void *forward,
                      const void *reverse, struct cconv_dense *d)
{
    cconv_corr_gather_matrix(app->context, c, forward, &d->forward);
    if (app->training)
        cconv_corr_scatter_matrix(app->context, c, reverse, &d->reverse);
}

/* c = act(init + M a + add), pixel by pixel. */
struct product {
    size_t pixels;
    const cconv_real *a;
    const cconv_real *init;
    size_t init_stride;
    const struct cconv_corr_affine *affine; /* instead of init: pixel `at` of rows of `row` on */
    size_t at, row;
    int init_far;
    size_t shared; /* channels, [pixels][shared], whose products come first; 0: none */
    const cconv_real *shared_values;
    const cconv_real *add;
    cconv_real *c;
    enum cconv_activation act;
    cconv_real slope;
    int cached; /* a was written just now */
};

/* a is [pixels][length] in steps of a_stride, weights panel i at b + i * b_panel. */
static void multiply_by(const struct cconv_corr_matrix *m, const struct product *p,
                        const cconv_real *a, size_t length, size_t a_stride, const cconv_real *b,
                        size_t b_panel)
{
    for (size_t i = 0; i < m->panels; i++) {
        const size_t first = i * m->panel->nr;
        struct cconv_panel_affine affine;
        struct cconv_panel_forward call = {
            .pixels = p->pixels,
            .channels = panel_channels(m, i),
            .segments = 1,
            .segment_length = length,
            .offset = no_offset,
            .a = a,
            .a_stride = (ptrdiff_t)a_stride,
            .b = b + i * b_panel,
            .init = p->init == NULL ? NULL : p->init + first,
            .init_stride = (ptrdiff_t)p->init_stride,
            .init_far = p->init_far,
            .add = p->add == NULL ? NULL : p->add + first,
            .add_stride = (ptrdiff_t)m->out,
            .c = p->c + first,
            .c_stride = (ptrdiff_t)m->out,
            .act = p->act,
            .slope = p->slope,
            .cached = p->cached,
        };

        if (p->affine != NULL) {
            affine = cconv_corr_affine_line(p->affine, first, p->row, p->at, p->pixels);
            call.affine = &affine;
        }
        if (p->shared == 0) {
            m->panel->forward(&call);
            continue;
        }
        const struct cconv_panel_forward shared = { .segments = 1,
                                                    .segment_length = p->shared,
                                                    .offset = no_offset,
                                                    .a = p->shared_values,
                                                    .a_stride = (ptrdiff_t)p->shared,
                                                    .b = m->shared +
                                                         i * cconv_panel_run(m->panel, p->shared) };

        cconv_shared_forward(m->panel, &call, &shared);
    }
}

static void multiply(const struct cconv_corr_matrix *m, const struct product *p)
{
    multiply_by(m, p, p->a, m->in, m->in, m->weights, m->panel_weights);
}

/* As multiply, but with one product that is known: the weights of a matrix of
 * one column, times 1. packed is room for these weights. */
static void add_known(const struct cconv_corr_matrix *m, const struct product *p,
                      const cconv_real *known, cconv_real *packed)
{
    static const cconv_real one[1] = { 1 };
    const size_t nr = m->panel->nr, run = cconv_panel_run(m->panel, 1);

    memset(packed, 0, runs(m, 1) * sizeof *packed);
    for (size_t o = 0; o < m->out; o++)
        packed[o / nr * run + cconv_panel_place(m->panel, 0, o % nr)] = known[o];
    multiply_by(m, p, one, 1, 0, packed, run);
}

/* Pixels of one image, `at` being the first's place in it. */
static void forward_part(const struct cconv_dense *d, const struct cconv_pixels *p, size_t at,
                         size_t n, size_t done, size_t count)
{
    const struct cconv_corr_matrix *m = &d->forward;
    const struct cconv_corr_init *start = &d->start;
    const struct product call = {
        .pixels = count,
        .a = p->x[0] + done * m->in,
        .init =
            start->is_map && start->values != NULL ? start->values + at * m->out : start->values,
        .init_stride = start->is_map ? m->out : 0,
        .affine = start->affine,
        .at = at,
        .row = d->row,
        .init_far = start->is_map && start->affine == NULL && cconv_corr_is_far(d->image * m->out),
        .shared = d->shared,
        .shared_values = d->shared == 0 ? NULL : d->shared_values + at * d->shared,
        .add = p->add == NULL ? NULL : p->add + done * m->out,
        .c = p->y + done * m->out,
        .act = d->act,
        .slope = d->slope,
        .cached = p->cached
    };

    if (!d->spread) {
        multiply(m, &call);
        return;
    }
    cconv_real *known = p->scratch;
    const struct product once = { .pixels = 1, .a = p->x[0] + n * m->in, .c = known };

    multiply(m, &once);
    add_known(m, &call, known, known + padded(m));
}

void cconv_dense_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p)
{
    const struct cconv_dense *d = &state->dense;

    (void)app;
    for (size_t done = 0, count; done < p->count; done += count) {
        const size_t pixel = p->first + done, at = pixel % d->image;

        count = CCONV_MIN(p->count - done, d->image - at);
        forward_part(d, p, at, pixel / d->image, done, count);
    }
}

/* Product (k, o) of sum's packed panels += sum over pixels of a[k] g[o]. */
static void add_products(const struct cconv_corr_matrix *m, size_t pixels, const cconv_real *a,
                         size_t length, const cconv_real *g, cconv_real *sum)
{
    const size_t nr = m->panel->nr;

    for (size_t i = 0; i < m->panels; i++) {
        const struct cconv_panel_grad call = {
            .rows = 1,
            .pixels = pixels,
            .channels = panel_channels(m, i),
            .segments = 1,
            .segment_length = length,
            .offset = no_offset,
            .a = a,
            .a_stride = (ptrdiff_t)length,
            .g = g + i * nr,
            .g_stride = (ptrdiff_t)m->out,
            .w = sum + i * cconv_panel_run(m->panel, length),
        };

        m->panel->grad(&call);
    }
}

static void backward_part(const struct cconv_dense *d, const struct cconv_pixels *p, size_t at,
                          size_t n, size_t done, size_t count)
{
    const struct cconv_corr_matrix *m = &d->forward;
    const cconv_real *dy = p->dy + done * m->out;
    cconv_real *weights = p->partial, *coords = weights + runs(m, m->in);
    cconv_real *bias = coords + runs(m, d->coord_channels);
    cconv_real *sum = p->scratch;

    /* Summed by itself first: the error grows with the parts, not with the pixels. */
    memset(sum, 0, m->out * sizeof *sum);
    d->context->kernels.reduce.add_rows(count, m->out, dy, m->out, sum);
    d->context->kernels.eltwise.add(m->out, bias, sum, bias);
    if (d->coord_channels != 0)
        add_products(m, count, d->coords + at * d->coord_channels, d->coord_channels, dy, coords);
    if (d->spread)
        add_products(m, 1, p->x[0] + n * m->in, m->in, sum, weights);
    else
        add_products(m, count, p->x[0] + done * m->in, m->in, dy, weights);
}

/* The gradient of the input, a few pixels at a time where there is something to
 * fetch in between: no more than a processor has requests under way while it
 * computes. */
static void backward_input(const struct cconv_dense *d, const struct cconv_pixels *p)
{
    const struct cconv_corr_matrix *m = &d->reverse;
    const size_t step = p->ahead != NULL ? AHEAD_PIXELS : p->count;

    for (size_t done = 0; done < p->count; done += step) {
        const struct product call = { .pixels = CCONV_MIN(step, p->count - done),
                                      .a = p->dy + done * m->in,
                                      .c = p->dx[0] + done * m->out,
                                      .cached = 1 };

        if (p->ahead != NULL)
            cconv_ahead_fetch(p->ahead, call.pixels * m->in * m->out);
        multiply(m, &call);
    }
}

void cconv_dense_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p)
{
    const struct cconv_dense *d = &state->dense;

    (void)app;
    for (size_t done = 0, count; p->partial != NULL && done < p->count; done += count) {
        const size_t pixel = p->first + done, at = pixel % d->image;

        count = CCONV_MIN(p->count - done, d->image - at);
        backward_part(d, p, at, pixel / d->image, done, count);
    }
    if (p->dx[0] != NULL)
        backward_input(d, p);
}

/* Packed panels of `length` products, to columns `column` .. of the weights. */
static void place(const struct cconv_dense *d, const cconv_real *sum, size_t length, size_t column,
                  cconv_real *dweight)
{
    const struct cconv_corr_matrix *m = &d->forward;

    for (size_t i = 0; i < m->panels; i++) {
        cconv_real *to = dweight + i * m->panel->nr * d->weight_s + column;

        for (size_t k = 0; k < length; k++) {
            for (size_t o = 0; o < panel_channels(m, i); o++)
                to[o * d->weight_s + k] = sum[cconv_panel_place(m->panel, k, o)];
        }
        sum += cconv_panel_run(m->panel, length);
    }
}

void cconv_dense_gather(const struct cconv_app *app, const struct cconv_run *run,
                        const struct cconv_pointwise_state *state, cconv_real *partial,
                        size_t stride, size_t count)
{
    const struct cconv_dense *d = &state->dense;
    const struct cconv_corr_matrix *m = &d->forward;
    const cconv_real *coords = partial + runs(m, m->in);
    const cconv_real *bias = coords + runs(m, d->coord_channels);
    cconv_real *dweight = run->dparam[0];
    cconv_real *dbias = app->layer->trained > 1 ? run->dparam[1] : NULL;

    d->context->kernels.reduce.add_rows(count - 1, (size_t)(bias - partial) + padded(m),
                                        partial + stride, stride, partial);
    if (dweight != NULL) {
        place(d, partial, m->in, 0, dweight);
        place(d, coords, d->coord_channels, m->in, dweight);
    }
    if (dbias != NULL)
        memcpy(dbias, bias, m->out * sizeof *dbias);
}
