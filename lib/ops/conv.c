/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv.c - convolution and transposed convolution, with or without coordinates.
 *
 * The coordinate channels are never joined to the input. Their share of the
 * output does not depend on the image, so every sum starts from it, bias
 * included, and it is made once per change of the weights. For x and y it is a
 * formula but for a border (position.h); for any other coordinates it is a map
 * over one image, computed as the convolution of the coordinate channels:
 *
 *   y[n] = position part + data part of x[n]
 *
 * Backward needs no gradient for the coordinates themselves, and that of their
 * weights is one image's work: with G = sum of dy over the batch it is the
 * weight gradient of the coordinate part for G. The bias gradient is the sum of
 * G over pixels. For x and y one pass over dy makes them all.
 */
#include "ops/conv.h"

#include <string.h>

#include "base/checked.h"
#include "ops/channels.h"
#include "ops/pointwise.h"
#include "ops/position.h"
#include "ops/sums.h"

/* Big and small image of the data part along one axis, SAME pads filled in. */
static struct cconv_window axis_window(const struct cconv_conv_attr *a, int axis, int64_t in)
{
    struct cconv_window w = { .in = in,
                              .kernel = a->kernel[axis],
                              .stride = a->stride[axis],
                              .dilation = a->dilation[axis],
                              .before = a->pads[axis],
                              .after = a->pads[axis + 2] };
    const int64_t reach = (int64_t)w.dilation * (w.kernel - 1) + 1;

    if (!a->transposed) {
        cconv_window_slide(&w, a->same);
        return w;
    }
    w.out = a->same ? in * w.stride
                    : (in - 1) * w.stride - w.before - w.after + reach + a->output_padding[axis];
    if (a->same) { /* the pads of the convolution that goes the other way */
        struct cconv_window back = w;

        back.in = w.out;
        cconv_window_slide(&back, 1);
        w.before = back.before;
        w.after = back.after;
    }
    return w;
}

static coordconv_status infer(struct cconv_app *app)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct cconv_window y, x;
    struct cconv_shape_text text;
    coordconv_status st = cconv_app_check_image(app);

    if (st != COORDCONV_OK)
        return st;
    if (app->in[0].dim[3] != a->in_channels)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: input %s has %lld channels, the layer takes %d", app->op->name,
                          cconv_shape_print(&app->in[0], &text), (long long)app->in[0].dim[3],
                          a->in_channels);
    y = axis_window(a, 0, app->in[0].dim[1]);
    x = axis_window(a, 1, app->in[0].dim[2]);
    if (y.out < 1 || x.out < 1)
        return cconv_fail(
            CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
            "%s: kernel %dx%d (dilation %d, %d) does not fit the padded input %lldx%lld",
            app->op->name, y.kernel, x.kernel, y.dilation, x.dilation,
            (long long)(y.in + y.before + y.after), (long long)(x.in + x.before + x.after));
    if (y.out > INT32_MAX || x.out > INT32_MAX)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: output %lldx%lld is too large", app->op->name, (long long)y.out,
                          (long long)x.out);
    app->out = (struct cconv_shape){ 4, { app->in[0].dim[0], y.out, x.out, a->out_channels } };
    return COORDCONV_OK;
}

static int carry(const struct cconv_app *app, const struct cconv_place *in, struct cconv_place *out)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const int64_t *dim = app->in[0].dim;
    const struct cconv_window_pair y = { axis_window(a, 0, dim[1]), axis_window(a, 0, in->height),
                                         in->y, in->step_y };
    const struct cconv_window_pair x = { axis_window(a, 1, dim[2]), axis_window(a, 1, in->width),
                                         in->x, in->step_x };

    *out = (struct cconv_place){ .y = cconv_window_carry(&y, a->transposed),
                                 .x = cconv_window_carry(&x, a->transposed),
                                 .step_y = in->step_y,
                                 .step_x = in->step_x,
                                 .height = y.larger.out,
                                 .width = x.larger.out };
    return out->height >= 1 && out->height <= INT32_MAX && out->width >= 1 &&
           out->width <= INT32_MAX;
}

void cconv_conv_geometry(const struct cconv_app *app, struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const struct cconv_shape *in = &app->in[0], *out = &app->out;
    const struct cconv_shape *big = a->transposed ? out : in, *small = a->transposed ? in : out;
    const size_t plane = cconv_conv_plane(a), groups = (size_t)a->groups;
    const size_t coords = (size_t)a->coord_channels;
    struct cconv_corr *d = &g->data;

    *d = (struct cconv_corr){ .batch = (size_t)in->dim[0],
                              .small_h = (size_t)small->dim[1],
                              .small_w = (size_t)small->dim[2],
                              .small_c = (size_t)small->dim[3],
                              .big_h = (size_t)big->dim[1],
                              .big_w = (size_t)big->dim[2],
                              .big_c = (size_t)big->dim[3],
                              .groups = groups };
    for (int i = 0; i < 2; i++) {
        d->kernel[i] = a->kernel[i];
        d->stride[i] = a->stride[i];
        d->dilation[i] = a->dilation[i];
        d->pad[i] = axis_window(a, i, in->dim[1 + i]).before;
    }
    /* Coordinates follow the data on the input's axis of the weights. */
    d->weight_s = (d->big_c / groups + (a->transposed ? 0 : coords)) * plane;
    g->coords = *d;
    g->coords.batch = 1;
    if (a->transposed)
        g->coords.small_c = coords;
    else
        g->coords.big_c = coords;
    g->coord_weights = a->transposed ? d->small_c * d->weight_s : d->big_c * plane;
    g->in_image = cconv_shape_span(in, 1, 4);
    g->out_image = cconv_shape_span(out, 1, 4);
    g->coord_image = cconv_size_mul(cconv_shape_span(in, 1, 3), coords);
    g->pixels = cconv_shape_span(out, 1, 3);
}

static size_t map_packed(const struct cconv_app *app, const struct cconv_corr *c)
{
    return app->attr->conv.transposed ? cconv_corr_scatter_packed(app->context, c)
                                      : cconv_corr_gather_packed(app->context, c);
}

static size_t map_scratch(const struct cconv_app *app, const struct cconv_corr *c)
{
    return app->attr->conv.transposed ? cconv_corr_scatter_scratch(app->context, c)
                                      : cconv_corr_gather_scratch(app->context, c);
}

/* What lies in run->packed, as offsets in bytes; first of all this itself. The
 * coordinates have a formula in `plane`, and a map where that does not hold
 * everywhere; or else only a map, made from channels by weights of its own. The
 * gradient of a few pixels (pointwise_backward) wants the channels, too. */
struct packed {
    size_t forward, backward, coords, channels, plane, map, total;
    int has_plane, has_map, has_channels;
    struct cconv_position position;
    struct cconv_place place; /* what the coordinates are made for */
    int placed;               /* 0: for none as a whole */
};

static size_t add_bytes(size_t *end, size_t bytes)
{
    const size_t at = *end;

    *end = cconv_size_add(at, cconv_size_align(bytes));
    return at;
}

static size_t image_bytes(size_t elements)
{
    return cconv_size_mul(elements, sizeof(cconv_real));
}

static int is_matrix(const struct cconv_app *app, const struct cconv_conv_geometry *g)
{
    return !app->attr->conv.transposed && cconv_corr_is_matrix(&g->data);
}

static struct packed lay_out(const struct cconv_app *app, const struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct packed p = { .total = cconv_size_align(sizeof p) };
    size_t reverse = 0;

    p.forward = add_bytes(&p.total, map_packed(app, &g->data));
    if (app->training)
        reverse = a->transposed ? cconv_corr_gather_packed(app->context, &g->data)
                                : cconv_corr_scatter_packed(app->context, &g->data);
    p.backward = add_bytes(&p.total, reverse);
    if (a->coord_channels == 0)
        return p;
    p.has_plane =
        cconv_position(&g->coords, a->coords, a->transposed,
                       cconv_corr_tile(app->context, &g->data, a->transposed), &p.position);
    p.has_map = !p.has_plane || cconv_position_has_map(&p.position);
    if (p.has_plane)
        p.plane = add_bytes(&p.total, image_bytes(cconv_position_plane_values(&p.position)));
    else
        p.coords = add_bytes(&p.total, map_packed(app, &g->coords));
    p.has_channels = !p.has_plane || (app->training && is_matrix(app, g));
    if (p.has_channels)
        p.channels = add_bytes(&p.total, image_bytes(g->coord_image));
    if (p.has_map)
        p.map = add_bytes(&p.total, image_bytes(g->out_image));
    return p;
}

static size_t sum_image_bytes(const struct cconv_conv_geometry *g)
{
    return cconv_size_align(cconv_size_mul(g->out_image, sizeof(cconv_real)));
}

/* The coordinate weights as `rows` runs of `length`, `step` elements apart. */
struct coord_rows {
    size_t rows, length, step;
};

static struct coord_rows coord_rows(const struct cconv_app *app,
                                    const struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const size_t channels = (size_t)a->coord_channels;

    if (a->transposed)
        return (struct coord_rows){ 1, cconv_size_mul(channels, g->data.weight_s), 0 };
    return (struct coord_rows){ (size_t)a->out_channels,
                                cconv_size_mul(channels, cconv_conv_plane(a)), g->data.weight_s };
}

static size_t coord_bytes(const struct cconv_app *app, const struct cconv_conv_geometry *g)
{
    const struct coord_rows r = coord_rows(app, g);

    return cconv_size_align(cconv_size_mul(cconv_size_mul(r.rows, r.length), sizeof(cconv_real)));
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct cconv_conv_geometry g;
    struct packed p;

    cconv_conv_geometry(app, &g);
    p = lay_out(app, &g);
    s->packed = p.total;
    s->forward = map_scratch(app, &g.data);
    if (p.has_plane)
        s->forward = CCONV_MAX(s->forward, cconv_position_scratch(app->context, &p.position));
    else if (p.has_map)
        s->forward = CCONV_MAX(s->forward, map_scratch(app, &g.coords));
    s->backward = a->transposed ? cconv_corr_gather_scratch(app->context, &g.data)
                                : cconv_corr_scatter_scratch(app->context, &g.data);
    s->backward = CCONV_MAX(s->backward, cconv_corr_grad_scratch(app->context, &g.data));
    s->backward = CCONV_MAX(
        s->backward, cconv_sum_pixels_scratch(g.data.batch * g.pixels, (size_t)a->out_channels));
    if (p.has_plane) {
        s->backward = CCONV_MAX(
            s->backward, cconv_position_grad_scratch(app->context, &p.position, g.data.batch));
    } else if (p.has_map) {
        s->backward = CCONV_MAX(s->backward, cconv_corr_grad_scratch(app->context, &g.coords));
        s->backward = cconv_size_add(s->backward, sum_image_bytes(&g));
    }
    if (a->coord_channels > 0)
        s->backward = cconv_size_add(s->backward, coord_bytes(app, &g));
}

static void *at(const struct cconv_run *run, size_t offset)
{
    return (char *)run->packed + offset;
}

static const cconv_real *bias_values(const struct cconv_app *app)
{
    return app->bias != NULL ? app->bias : cconv_layer_values(app->layer, 1);
}

/* y = act(init + map of x) of the data or the coordinate part. */
static void apply(const struct cconv_app *app, const struct cconv_corr *c, const void *packed,
                  const cconv_real *x, struct cconv_corr_init init, enum cconv_activation act,
                  cconv_real *y, void *scratch)
{
    const cconv_real slope = (cconv_real)app->act_slope;

    if (app->attr->conv.transposed)
        cconv_corr_scatter(app->context, c, packed, x, init, act, slope, y, scratch);
    else
        cconv_corr_gather(app->context, c, packed, x, init, act, slope, y, scratch);
}

static void pack(const struct cconv_app *app, const struct cconv_corr *c, int scatter,
                 const cconv_real *weight, void *packed)
{
    if (scatter)
        cconv_corr_scatter_pack(app->context, c, weight, app->scale, packed);
    else
        cconv_corr_gather_pack(app->context, c, weight, app->scale, packed);
}

static struct cconv_place whole_of(const struct cconv_app *app)
{
    return (struct cconv_place){
        .step_y = 1, .step_x = 1, .height = app->in[0].dim[1], .width = app->in[0].dim[2]
    };
}

/* Coordinates themselves: axes of the formula, and channels. */
static void place_channels(const struct cconv_app *app, const struct cconv_run *run,
                           struct packed *p, const struct cconv_place *place)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const struct cconv_channels channels = { .coords = a->coords,
                                             .grid = a->grid,
                                             .place = *place,
                                             .height = app->in[0].dim[1],
                                             .width = app->in[0].dim[2] };
    const struct cconv_axis y = cconv_axis_y(&a->grid, place), x = cconv_axis_x(&a->grid, place);

    if (p->has_plane)
        cconv_position_set(&p->position, &y, &x);
    if (p->has_channels)
        cconv_channels_fill(app->context, &channels, at(run, p->channels));
}

/* What sums start from: the formula and what there is of a map, bias included. */
static void place_starts(const struct cconv_app *app, const struct cconv_run *run,
                         const struct packed *p)
{
    const cconv_real *weight = cconv_layer_values(app->layer, 0);
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    if (p->has_plane)
        cconv_position_fill(app->context, &p->position, weight + g.coord_weights, app->scale,
                            bias_values(app), at(run, p->plane), at(run, p->map), run->scratch);
    else
        apply(app, &g.coords, at(run, p->coords), at(run, p->channels),
              (struct cconv_corr_init){ .values = bias_values(app) }, CCONV_ACT_NONE,
              at(run, p->map), run->scratch);
}

static void place(const struct cconv_app *app, const struct cconv_run *run,
                  const struct cconv_place *place, int backward)
{
    struct packed *p = run->packed;
    const struct cconv_place where = place != NULL ? *place : whole_of(app);

    if (app->attr->conv.coord_channels == 0 || (p->placed && cconv_place_same(&p->place, &where)))
        return;
    place_channels(app, run, p, &where);
    p->placed = !backward;
    p->place = where;
    if (!backward)
        place_starts(app, run, p);
}

static void prepare(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const cconv_real *weight = cconv_layer_values(app->layer, 0);
    struct cconv_conv_geometry g;
    struct packed p;

    cconv_conv_geometry(app, &g);
    p = lay_out(app, &g);
    *(struct packed *)run->packed = p;
    pack(app, &g.data, a->transposed, weight, at(run, p.forward));
    if (app->training)
        pack(app, &g.data, !a->transposed, weight, at(run, p.backward));
    if (a->coord_channels > 0 && !p.has_plane)
        pack(app, &g.coords, a->transposed, weight + g.coord_weights, at(run, p.coords));
    place(app, run, NULL, 0);
}

/* What sums start from; *plane is room for a formula. */
static struct cconv_corr_init start_of(const struct cconv_app *app, const struct cconv_run *run,
                                       struct cconv_corr_affine *plane)
{
    const struct packed *p = run->packed;
    struct cconv_corr_init init = { .values = bias_values(app), .add = run->add };

    if (p->has_plane && !cconv_position_map_is_whole(&p->position)) {
        *plane = cconv_position_plane(&p->position, at(run, p->plane));
        init = (struct cconv_corr_init){ .affine = plane, .add = run->add };
    }
    if (p->has_map) {
        init.values = at(run, p->map);
        init.is_map = 1;
    }
    return init;
}

/* Some images of a run, as an application and a run of their own. */
struct part {
    struct cconv_app app;
    struct cconv_run run;
    struct cconv_shape in;
    const void *x[1];
    cconv_real *dparam[2];
};

static void take_part(const struct cconv_app *app, const struct cconv_run *run,
                      const struct cconv_conv_geometry *g, size_t first, size_t count,
                      struct part *part)
{
    part->app = *app;
    part->run = *run;
    part->in = app->in[0];
    part->in.dim[0] = part->app.out.dim[0] = (int64_t)count;
    part->app.in = &part->in;
    part->x[0] = (const cconv_real *)run->x[0] + first * g->in_image;
    part->run.x = part->x;
    part->run.places = run->places + first;
    if (run->add != NULL)
        part->run.add = run->add + first * g->out_image;
    if (run->y != NULL)
        part->run.y = run->y + first * g->out_image;
    if (run->dy != NULL)
        part->run.dy = run->dy + first * g->out_image;
}

/* How many images from the first on lie alike. */
static size_t alike(const struct cconv_place *places, size_t count)
{
    size_t n = 1;

    while (n < count && cconv_place_same(&places[n], &places[0]))
        n++;
    return n;
}

static void forward_images(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct packed *p = run->packed;
    struct cconv_corr_affine plane;
    struct cconv_conv_geometry g;
    const struct cconv_corr_init init = start_of(app, run, &plane);

    cconv_conv_geometry(app, &g);
    apply(app, &g.data, at(run, p->forward), run->x[0], init, app->act, run->y, run->scratch);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t batch = (size_t)app->in[0].dim[0];
    struct cconv_conv_geometry g;

    if (run->places == NULL) {
        forward_images(app, run);
        return COORDCONV_OK;
    }
    cconv_conv_geometry(app, &g);
    for (size_t first = 0, count; first < batch; first += count) {
        struct part part;

        count = alike(run->places + first, batch - first);
        take_part(app, run, &g, first, count, &part);
        place(&part.app, &part.run, part.run.places, 0);
        forward_images(&part.app, &part.run);
    }
    return COORDCONV_OK;
}

/* Which of two images is small and which is big depends on the direction. */
static void weight_gradient(const struct cconv_app *app, const struct cconv_corr *c,
                            const cconv_real *in, const cconv_real *dout, cconv_real *dweight,
                            void *scratch)
{
    if (app->attr->conv.transposed)
        cconv_corr_grad(app->context, c, in, dout, dweight, scratch);
    else
        cconv_corr_grad(app->context, c, dout, in, dweight, scratch);
}

/* Gradients of any coordinates' weights and the bias, from the sum over the batch. */
static void map_gradient(const struct cconv_app *app, const struct cconv_run *run,
                         const struct cconv_conv_geometry *g, const struct packed *p,
                         cconv_real *bias)
{
    const size_t channels = (size_t)app->attr->conv.out_channels;
    const cconv_real *sum = run->dy;
    void *scratch = (char *)run->scratch + sum_image_bytes(g);

    if (g->data.batch > 1) {
        cconv_sum_batch(app->context, g->data.batch, g->out_image, run->dy, run->scratch);
        sum = run->scratch;
    }
    weight_gradient(app, &g->coords, at(run, p->channels), sum, run->dparam[0] + g->coord_weights,
                    scratch);
    if (bias != NULL)
        cconv_sum_pixels(app->context, g->pixels, channels, sum, bias, scratch);
}

/* Gradients of the coordinate weights and the bias. */
static void position_gradient(const struct cconv_app *app, const struct cconv_run *run,
                              const struct cconv_conv_geometry *g, const struct packed *p)
{
    const size_t channels = (size_t)app->attr->conv.out_channels;
    cconv_real *bias = app->attr->conv.bias ? run->dparam[1] : NULL;

    if (run->dparam[0] != NULL && p->has_plane)
        cconv_position_grad(app->context, &p->position, g->data.batch, run->dy,
                            run->dparam[0] + g->coord_weights, bias, run->scratch);
    else if (run->dparam[0] != NULL && p->has_map)
        map_gradient(app, run, g, p, bias);
    else if (bias != NULL)
        cconv_sum_pixels(app->context, g->data.batch * g->pixels, channels, run->dy, bias,
                         run->scratch);
}

/* sum += gradients, or where `back` gradients = sum. */
static void add_coord_rows(const struct coord_rows *r, cconv_real *sum, cconv_real *gradients,
                           int back)
{
    for (size_t i = 0; i < r->rows; i++, sum += r->length, gradients += r->step) {
        if (back)
            memcpy(gradients, sum, r->length * sizeof *sum);
        for (size_t k = 0; k < r->length && !back; k++)
            sum[k] += gradients[k];
    }
}

/* Images that lie each in a way of their own: one by one, the gradients added up. */
static void gradient_one_by_one(const struct cconv_app *app, const struct cconv_run *run,
                                const struct cconv_conv_geometry *g, const struct packed *p)
{
    const struct coord_rows rows = coord_rows(app, g);
    cconv_real *sum = run->scratch, *gradients = run->dparam[0] + g->coord_weights;

    memset(sum, 0, rows.rows * rows.length * sizeof *sum);
    for (size_t n = 0; n < g->data.batch; n++) {
        struct cconv_conv_geometry one;
        struct part part;

        take_part(app, run, g, n, 1, &part);
        part.dparam[0] = run->dparam[0];
        part.dparam[1] = NULL;
        part.run.dparam = part.dparam;
        part.run.scratch = (char *)run->scratch + coord_bytes(app, g);
        cconv_conv_geometry(&part.app, &one);
        place(&part.app, &part.run, part.run.places, 1);
        position_gradient(&part.app, &part.run, &one, p);
        add_coord_rows(&rows, sum, gradients, 0);
    }
    add_coord_rows(&rows, sum, gradients, 1);
    if (app->attr->conv.bias && run->dparam[1] != NULL)
        cconv_sum_pixels(app->context, g->data.batch * g->pixels,
                         (size_t)app->attr->conv.out_channels, run->dy, run->dparam[1],
                         (char *)run->scratch + coord_bytes(app, g));
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_corr_init none = { .values = NULL };
    const struct packed *p = run->packed;
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    if (run->dparam[0] != NULL)
        weight_gradient(app, &g.data, run->x[0], run->dy, run->dparam[0], run->scratch);
    if (run->places != NULL && run->dparam[0] != NULL &&
        alike(run->places, g.data.batch) < g.data.batch) {
        gradient_one_by_one(app, run, &g, p);
    } else {
        if (run->places != NULL)
            place(app, run, run->places, 1);
        position_gradient(app, run, &g, p);
    }
    if (run->dx[0] == NULL)
        return;
    if (app->attr->conv.transposed)
        cconv_corr_gather(app->context, &g.data, at(run, p->backward), run->dy, none,
                          CCONV_ACT_NONE, 0, run->dx[0], run->scratch);
    else
        cconv_corr_scatter(app->context, &g.data, at(run, p->backward), run->dy, none,
                           CCONV_ACT_NONE, 0, run->dx[0], run->scratch);
}

/* ---- some pixels at a time ---- */

static int is_pointwise(const struct cconv_app *app)
{
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    return is_matrix(app, &g);
}

static void pointwise_space(const struct cconv_app *app, struct cconv_pointwise_space *space)
{
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    cconv_dense_space(app->context, &g.data, (size_t)app->attr->conv.coord_channels, space);
}

static void pointwise_begin(const struct cconv_app *app, const struct cconv_run *run, int spread,
                            struct cconv_pointwise_state *state)
{
    const size_t coords = (size_t)app->attr->conv.coord_channels;
    const struct packed *p = run->packed;
    struct cconv_dense *d = &state->dense;
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    *d = (struct cconv_dense){ .context = app->context,
                               .spread = spread,
                               .image = coords != 0 || spread ? g.pixels : SIZE_MAX,
                               .row = g.data.small_w,
                               .coords = at(run, p->channels),
                               .coord_channels = coords,
                               .weight_s = g.data.weight_s,
                               .act = app->act,
                               .slope = (cconv_real)app->act_slope };
    d->start = start_of(app, run, &d->plane);
    cconv_dense_take(app, &g.data, at(run, p->forward), at(run, p->backward), d);
}

static const struct cconv_pointwise pointwise = {
    .is = is_pointwise,
    .spreads = is_pointwise,
    .space = pointwise_space,
    .begin = pointwise_begin,
    .forward = cconv_dense_forward,
    .backward = cconv_dense_backward,
    .gather = cconv_dense_gather,
};

const struct cconv_op cconv_op_conv2d = {
    .name = "conv2d",
    .flags = CCONV_KEEPS_X | CCONV_FUSES_ACT | CCONV_FUSES_NORM | CCONV_FUSES_ADD,
    .infer = infer,
    .space = space,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .place = place,
    .carry = carry,
    .pointwise = &pointwise,
};
const struct cconv_op cconv_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .flags = CCONV_KEEPS_X | CCONV_FUSES_ACT | CCONV_FUSES_NORM | CCONV_FUSES_ADD,
    .infer = infer,
    .space = space,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .place = place,
    .carry = carry,
};
