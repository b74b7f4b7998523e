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

/* Products a value of dy that take no longer than to read it once more. */
enum {
    FEW_PRODUCTS = 16
};

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

/* What lies in run->packed, as offsets in bytes; first of all this itself.
 *
 * x and y have a formula in `plane`, and a map where that does not hold everywhere.
 * The other coordinates, `rest` of them from the channel `rest_first` on, are channels
 * that the batch shares; or they are added to the map, by weights of their own, which
 * is whole then. The gradient of a few pixels (pointwise_backward) wants all
 * coordinates as channels, too. */
struct packed {
    size_t forward, backward, channels, rest_weights, rest_channels, plane, map, total;
    int has_plane, has_map, has_channels, shares;
    size_t rest, rest_first;
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

/* The coordinates that have no formula. */
static struct cconv_corr rest_of(const struct cconv_conv_geometry *g, const struct packed *p,
                                 int transposed)
{
    struct cconv_corr c = g->coords;

    if (transposed)
        c.small_c = p->rest;
    else
        c.big_c = p->rest;
    return c;
}

/* The data part with the rest as shared channels. */
static struct cconv_corr with_rest(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                                   const struct packed *p)
{
    struct cconv_corr c = g->data;

    c.shared = p->rest;
    c.shared_first = (app->attr->conv.transposed ? c.small_c : c.big_c) + p->rest_first;
    return c;
}

/* As the forward pass sees it. */
static struct cconv_corr data_of(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                                 const struct packed *p)
{
    return p->shares ? with_rest(app, g, p) : g->data;
}

/* In training a large map is made in each step, so that it is worth more than its
 * products only where a batch reads it. At inference it is made once, and fetched ahead. */
static int shares(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                  const struct packed *p)
{
    return p->rest > 0 && app->training && g->data.batch == 1 &&
           image_bytes(g->out_image) > app->context->small_map &&
           cconv_corr_shares(app->context, &g->data, app->attr->conv.transposed);
}

/* Side of the tiles that sums which start from the formula are made in: the data's, or
 * those of a map that the radius is added to. */
static size_t tile_of(const struct cconv_app *app, const struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct packed p = { .rest = (a->coords & COORDCONV_COORDS_RADIUS) != 0 };
    struct cconv_corr c = g->data;

    if (p.rest > 0 && !shares(app, g, &p))
        c = rest_of(g, &p, a->transposed);
    return cconv_corr_tile(app->context, &c, a->transposed);
}

/* x and y beside a radius: a small map takes less time, and so do its gradients, if it is
 * made of all coordinates at once. */
static int has_plane(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                     struct cconv_position *position)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const uint32_t radius = COORDCONV_COORDS_RADIUS;

    if ((a->coords & radius) != 0 && image_bytes(g->out_image) <= app->context->small_map)
        return 0;
    return cconv_position(&g->coords, a->coords & ~radius, a->transposed, tile_of(app, g),
                          app->context->small_map, position);
}

static void lay_out_coords(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                           struct packed *p)
{
    const struct cconv_conv_attr *a = &app->attr->conv;

    p->has_plane = has_plane(app, g, &p->position);
    p->rest_first = p->has_plane ? (size_t)(p->position.has_x + p->position.has_y) : 0;
    p->rest = (size_t)a->coord_channels - p->rest_first;
    p->shares = shares(app, g, p);
    p->has_map =
        (p->rest > 0 && !p->shares) || (p->has_plane && cconv_position_has_map(&p->position));
    if (p->has_plane)
        p->plane = add_bytes(&p->total, image_bytes(cconv_position_plane_values(&p->position)));
    if (p->rest > 0) {
        const struct cconv_corr rest = rest_of(g, p, a->transposed);

        p->rest_weights = add_bytes(&p->total, p->shares ? 0 : map_packed(app, &rest));
        p->rest_channels = add_bytes(
            &p->total,
            image_bytes(cconv_size_mul(g->coord_image / (size_t)a->coord_channels, p->rest)));
    }
    p->has_channels = app->training && is_matrix(app, g);
    p->channels = p->rest_channels;
    if (p->has_channels && p->has_plane)
        p->channels = add_bytes(&p->total, image_bytes(g->coord_image));
    if (p->has_map)
        p->map = add_bytes(&p->total, image_bytes(g->out_image));
}

static struct packed lay_out(const struct cconv_app *app, const struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct packed p = { .total = cconv_size_align(sizeof p) };
    struct cconv_corr data;
    size_t reverse = 0;

    if (a->coord_channels != 0)
        lay_out_coords(app, g, &p);
    data = data_of(app, g, &p);
    p.forward = add_bytes(&p.total, map_packed(app, &data));
    if (app->training)
        reverse = a->transposed ? cconv_corr_gather_packed(app->context, &g->data)
                                : cconv_corr_scatter_packed(app->context, &g->data);
    p.backward = add_bytes(&p.total, reverse);
    return p;
}

static size_t sum_image_bytes(const struct cconv_conv_geometry *g)
{
    return cconv_size_align(cconv_size_mul(g->out_image, sizeof(cconv_real)));
}

/* Whether the gradient of the rest is made with that of the data. Otherwise it is made of
 * the sum over the batch, which is a pass over memory more, but takes fewer products. Of a
 * transposed convolution the coordinates are the small image, which is not shared. */
static int shares_gradient(const struct cconv_app *app, const struct cconv_conv_geometry *g,
                           const struct packed *p)
{
    const struct cconv_conv_attr *a = &app->attr->conv;

    return p->rest > 0 && !a->transposed && image_bytes(g->out_image) > app->context->small_map &&
           (g->data.batch == 1 || p->rest * cconv_conv_plane(a) <= FEW_PRODUCTS) &&
           cconv_corr_shares(app->context, &g->data, 0);
}

/* The data part as the gradient of the weights sees it. */
static struct cconv_corr gradient_of(const struct cconv_app *app,
                                     const struct cconv_conv_geometry *g, const struct packed *p)
{
    return shares_gradient(app, g, p) ? with_rest(app, g, p) : g->data;
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
    struct cconv_corr data, rest;
    struct packed p;

    cconv_conv_geometry(app, &g);
    p = lay_out(app, &g);
    data = data_of(app, &g, &p);
    rest = rest_of(&g, &p, a->transposed);
    s->packed = p.total;
    s->forward = map_scratch(app, &data);
    if (p.has_plane)
        s->forward = CCONV_MAX(s->forward, cconv_position_scratch(app->context, &p.position));
    if (p.rest > 0 && !p.shares)
        s->forward = CCONV_MAX(s->forward, map_scratch(app, &rest));
    s->backward = a->transposed ? cconv_corr_gather_scratch(app->context, &g.data)
                                : cconv_corr_scatter_scratch(app->context, &g.data);
    data = gradient_of(app, &g, &p);
    s->backward = CCONV_MAX(s->backward, cconv_corr_grad_scratch(app->context, &data));
    s->backward = CCONV_MAX(
        s->backward, cconv_sum_pixels_scratch(g.data.batch * g.pixels, (size_t)a->out_channels));
    if (p.has_plane)
        s->backward = CCONV_MAX(
            s->backward, cconv_position_grad_scratch(app->context, &p.position, g.data.batch));
    if (p.rest > 0)
        s->backward = CCONV_MAX(s->backward, cconv_corr_grad_scratch(app->context, &rest));
    if (p.rest > 0 && !shares_gradient(app, &g, &p))
        s->backward = cconv_size_add(s->backward, sum_image_bytes(&g));
    if (a->coord_channels > 0 && g.data.batch > 1)
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

/* What sums start from if x and y, and the bias, are all; *plane is room for a formula. */
static struct cconv_corr_init plain_start(const struct cconv_app *app, const struct cconv_run *run,
                                          const struct packed *p, struct cconv_corr_affine *plane)
{
    struct cconv_corr_init init = { .values = bias_values(app) };

    if (!p->has_plane)
        return init;
    if (!cconv_position_map_is_whole(&p->position)) {
        *plane = cconv_position_plane(&p->position, at(run, p->plane));
        init = (struct cconv_corr_init){ .affine = plane };
    }
    if (cconv_position_has_map(&p->position)) {
        init.values = at(run, p->map);
        init.is_map = 1;
    }
    return init;
}

/* Coordinates themselves: axes of the formula, and channels. */
static void place_channels(const struct cconv_app *app, const struct cconv_run *run,
                           struct packed *p, const struct cconv_place *place)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const uint32_t axes = COORDCONV_COORDS_XY | COORDCONV_COORDS_X | COORDCONV_COORDS_Y;
    const struct cconv_axis y = cconv_axis(&a->grid, place, CCONV_Y);
    const struct cconv_axis x = cconv_axis(&a->grid, place, CCONV_X);

    if (p->has_plane)
        cconv_position_set(&p->position, &y, &x);
    if (p->has_channels && p->channels != p->rest_channels)
        cconv_channels_fill(app, place, a->coords, at(run, p->channels));
    if (p->rest > 0)
        cconv_channels_fill(app, place, p->has_plane ? a->coords & ~axes : a->coords,
                            at(run, p->rest_channels));
}

/* What sums start from: the formula and what there is of a map, bias included; and in a whole
 * map the share of the other coordinates. */
static void place_starts(const struct cconv_app *app, const struct cconv_run *run,
                         const struct packed *p)
{
    const cconv_real *weight = cconv_layer_values(app->layer, 0);
    struct cconv_corr_affine plane;
    struct cconv_conv_geometry g;
    struct cconv_corr rest;

    cconv_conv_geometry(app, &g);
    if (p->has_plane)
        cconv_position_fill(app->context, &p->position, weight + g.coord_weights, app->scale,
                            bias_values(app), at(run, p->plane), at(run, p->map), run->scratch);
    if (p->rest == 0 || p->shares)
        return;
    rest = rest_of(&g, p, app->attr->conv.transposed);
    apply(app, &rest, at(run, p->rest_weights), at(run, p->rest_channels),
          plain_start(app, run, p, &plane), CCONV_ACT_NONE, at(run, p->map), run->scratch);
}

static void place(const struct cconv_app *app, const struct cconv_run *run,
                  const struct cconv_place *place, int backward)
{
    struct packed *p = run->packed;
    const struct cconv_place where = cconv_channels_place(app, place);

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
    struct cconv_corr data, rest;
    struct packed p;

    cconv_conv_geometry(app, &g);
    p = lay_out(app, &g);
    data = data_of(app, &g, &p);
    rest = rest_of(&g, &p, a->transposed);
    *(struct packed *)run->packed = p;
    if (app->training && (run->leave_out & CCONV_PASS_BACKWARD) == 0)
        pack(app, &g.data, !a->transposed, weight, at(run, p.backward));
    if ((run->leave_out & CCONV_PASS_FORWARD) != 0) {
        place(app, run, NULL, 1);
        return;
    }
    pack(app, &data, a->transposed, weight, at(run, p.forward));
    if (p.rest > 0 && !p.shares)
        pack(app, &rest, a->transposed, weight + g.coord_weights + p.rest_first * g.channel_weights,
             at(run, p.rest_weights));
    place(app, run, NULL, 0);
}

/* What sums start from; *plane is room for a formula. */
static struct cconv_corr_init start_of(const struct cconv_app *app, const struct cconv_run *run,
                                       struct cconv_corr_affine *plane)
{
    const struct packed *p = run->packed;
    struct cconv_corr_init init = plain_start(app, run, p, plane);

    if (p->rest > 0 && !p->shares)
        init = (struct cconv_corr_init){ .values = at(run, p->map), .is_map = 1 };
    init.add = run->add;
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

static void forward_images(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct packed *p = run->packed;
    struct cconv_corr_affine plane;
    struct cconv_conv_geometry g;
    struct cconv_corr data;
    const struct cconv_corr_init init = start_of(app, run, &plane);

    cconv_conv_geometry(app, &g);
    data = data_of(app, &g, p);
    data.shared_values = at(run, p->rest_channels);
    apply(app, &data, at(run, p->forward), run->x[0], init, app->act, run->y, run->scratch);
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

        count = cconv_places_alike(run->places + first, batch - first);
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

/* The gradients of the weights of coordinates without a formula.
 * Returns the sum over the batch, which replaces dy, and sets *batch to 1. */
static const cconv_real *rest_gradient(const struct cconv_app *app, const struct cconv_run *run,
                                       const struct cconv_conv_geometry *g, const struct packed *p,
                                       size_t *batch)
{
    const struct cconv_corr rest = rest_of(g, p, app->attr->conv.transposed);
    const cconv_real *sum = run->dy;
    char *scratch = run->scratch;

    if (*batch > 1) {
        cconv_sum_batch(app->context, *batch, g->out_image, run->dy, run->scratch);
        sum = run->scratch;
        scratch += sum_image_bytes(g);
        *batch = 1;
    }
    weight_gradient(app, &rest, at(run, p->rest_channels), sum,
                    run->dparam[0] + g->coord_weights + p->rest_first * g->channel_weights,
                    scratch);
    return sum;
}

/* Gradients of the coordinate weights and the bias; without those of coordinates without a
 * formula where they are made with the data's. */
static void position_gradient(const struct cconv_app *app, const struct cconv_run *run,
                              const struct cconv_conv_geometry *g, const struct packed *p, int rest)
{
    cconv_real *bias = app->attr->conv.bias ? run->dparam[1] : NULL;
    const cconv_real *dy = run->dy;
    char *scratch = run->scratch;
    size_t batch = g->data.batch;

    if (run->dparam[0] != NULL && rest)
        dy = rest_gradient(app, run, g, p, &batch);
    if (dy == (const cconv_real *)run->scratch)
        scratch += sum_image_bytes(g);
    if (run->dparam[0] != NULL && p->has_plane)
        cconv_position_grad(app->context, &p->position, batch, dy,
                            run->dparam[0] + g->coord_weights, bias, scratch);
    else if (bias != NULL)
        cconv_sum_pixels(app->context, batch * g->pixels, (size_t)app->attr->conv.out_channels, dy,
                         bias, scratch);
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
        position_gradient(&part.app, &part.run, &one, p, p->rest > 0);
        add_coord_rows(&rows, sum, gradients, 0);
    }
    add_coord_rows(&rows, sum, gradients, 1);
    if (app->attr->conv.bias && run->dparam[1] != NULL)
        cconv_sum_pixels(app->context, g->data.batch * g->pixels,
                         (size_t)app->attr->conv.out_channels, run->dy, run->dparam[1],
                         (char *)run->scratch + coord_bytes(app, g));
}

/* All gradients of parameters, of images that lie alike. */
static void gradient_together(const struct cconv_app *app, const struct cconv_run *run,
                              const struct cconv_conv_geometry *g, const struct packed *p)
{
    struct cconv_corr data = gradient_of(app, g, p);

    data.shared_values = at(run, p->rest_channels);
    if (run->places != NULL)
        place(app, run, run->places, 1);
    if (run->dparam[0] != NULL)
        weight_gradient(app, &data, run->x[0], run->dy, run->dparam[0], run->scratch);
    position_gradient(app, run, g, p, p->rest > 0 && !shares_gradient(app, g, p));
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_corr_init none = { .values = NULL };
    const struct packed *p = run->packed;
    struct cconv_conv_geometry g;

    cconv_conv_geometry(app, &g);
    if (run->dparam[0] == NULL || cconv_places_alike(run->places, g.data.batch) == g.data.batch) {
        gradient_together(app, run, &g, p);
    } else {
        weight_gradient(app, &g.data, run->x[0], run->dy, run->dparam[0], run->scratch);
        gradient_one_by_one(app, run, &g, p);
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
    if (p->shares) {
        d->shared = p->rest;
        d->shared_values = at(run, p->rest_channels);
    }
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

/* Signals, images and transposed: the attributes tell them apart. */
#define CONVOLUTION(its_name, its_pointwise)                                                       \
    {                                                                                              \
        .name = (its_name),                                                                        \
        .flags = CCONV_KEEPS_X | CCONV_FUSES_ACT | CCONV_FUSES_NORM | CCONV_FUSES_ADD,             \
        .infer = cconv_conv_infer, .space = space, .prepare = prepare, .forward = forward,         \
        .backward = backward, .place = place, .carry = cconv_conv_carry,                           \
        .pointwise = (its_pointwise),                                                              \
    }

const struct cconv_op cconv_op_conv1d = CONVOLUTION("conv1d", &pointwise);
const struct cconv_op cconv_op_conv2d = CONVOLUTION("conv2d", &pointwise);
const struct cconv_op cconv_op_conv_transpose2d = CONVOLUTION("conv_transpose2d", NULL);
