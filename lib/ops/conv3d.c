/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv3d.c - convolutions of volumes, with or without coordinates.
 *
 * A slice of the output is the convolution of one image: the slices of the input
 * that its window reaches, stacked (stack.h). Its weights are those of the layer,
 * [O, I, KD, KH, KW], turned into [O, KD, I, KH, KW]; the passes of corr.h do the
 * rest, some slices at a time. Where the kernel has no depth the input is its own
 * stack.
 *
 * Coordinates are a volume of their own. Its share of the output, bias included, is
 * a map that is made once per change of the weights, and for volumes that lie in another
 * way than those before; the gradient of its weights is made of the sum of dy over those
 * that lie alike.
 */
#include <string.h>

#include "base/checked.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/stack.h"
#include "ops/sums.h"

enum {
    STACKED = 256 * 1024 /* elements of stacks made at a time: they stay in cache */
};

/* The data or the coordinates, and how they are cut. */
struct part {
    struct cconv_corr corr; /* of one slice */
    struct cconv_stack stack;
    size_t out_depth;
    size_t volume, out_slice; /* elements */
    size_t plane;             /* of the kernel */
    size_t weight_o;          /* elements between output channels of the layer's weights */
    size_t slices;            /* of the output, in order, that no pass goes beyond */
    size_t together;          /* of these in one pass */
    int direct;               /* slices are stacks */
    /* Bytes of a run's stacks, of the weights they meet, of a volume and of its outputs. */
    size_t stack_bytes, weight_bytes, volume_bytes, output_bytes;
};

/* Some of the output's slices, counted through all volumes; the first of them is in volume n. */
struct run {
    size_t at, count;
    size_t n, first;
};

static size_t real_bytes(size_t elements)
{
    return cconv_size_align(cconv_size_mul(elements, sizeof(cconv_real)));
}

/* Passes of so many slices at most. */
static void cut(struct part *p, size_t slices)
{
    const size_t stack = cconv_stack_elements(&p->stack);

    p->slices = slices;
    p->together = CCONV_MAX(CCONV_MIN(p->direct ? slices : STACKED / stack, slices), 1);
    p->stack_bytes = p->direct ? 0 : real_bytes(cconv_size_mul(p->together, stack));
}

static void set_part(const struct cconv_app *app, int coords, struct part *p)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const size_t taps = (size_t)a->kernel[2];
    struct cconv_conv_geometry g;
    struct cconv_stack *s = &p->stack;

    cconv_conv_geometry(app, &g);
    *p = (struct part){ .corr = coords ? g.coords : g.data,
                        .out_depth = (size_t)app->out.dim[1],
                        .out_slice = g.out_image,
                        .plane = cconv_conv_plane(a) };
    *s = (struct cconv_stack){ .depth = (size_t)app->in[0].dim[1],
                               .height = p->corr.big_h,
                               .width = p->corr.big_w,
                               .groups = p->corr.groups,
                               .channels = p->corr.big_c / p->corr.groups,
                               .taps = a->kernel[2],
                               .stride = a->stride[2],
                               .dilation = a->dilation[2],
                               .pad = cconv_conv_window(a, 2, app->in[0].dim[1]).before };
    p->weight_o = p->corr.weight_s * taps;
    p->corr.batch = 1;
    p->corr.big_c *= taps;
    p->corr.weight_s = s->channels * taps * p->plane;
    p->volume = cconv_size_mul(coords ? g.coord_image : g.in_image, s->depth);
    p->direct = taps == 1 && s->stride == 1 && s->pad == 0 && s->depth == p->out_depth;
    cut(p, p->out_depth);
    p->weight_bytes = real_bytes(cconv_size_mul(p->corr.small_c, p->corr.weight_s));
    p->volume_bytes = real_bytes(p->volume);
    p->output_bytes = real_bytes(cconv_size_mul(p->out_depth, p->out_slice));
}

/* The gradient of the weights is a sum over all slices: its passes may go on from one volume to
 * the next. */
static void cut_batch(const struct cconv_app *app, struct part *p)
{
    cut(p, (size_t)app->in[0].dim[0] * p->out_depth);
}

static size_t coord_weights(const struct cconv_app *app)
{
    return (size_t)app->attr->conv.in_channels * cconv_conv_taps(&app->attr->conv);
}

/* From run to run, until there is none; begin with zeros. The batch of p->corr is the run's. */
static int next_run(struct part *p, size_t batch, struct run *r)
{
    r->at += r->count;
    r->n = r->at / p->out_depth;
    r->first = r->at % p->out_depth;
    r->count = p->corr.batch = CCONV_MIN(p->together, p->slices - r->at % p->slices);
    return r->n < batch;
}

static size_t output_at(const struct part *p, const struct run *r)
{
    return r->at * p->out_slice;
}

/* ---- stacks ---- */

/* The stacks of a run; room for them at `room`. */
static const cconv_real *stacked(coordconv_context *context, const struct part *p,
                                 const struct run *r, const cconv_real *x, void *room)
{
    const cconv_real *volume = x + r->n * p->volume;
    cconv_real *stacks = room;
    size_t first = r->first;

    if (p->direct)
        return volume;
    for (size_t left = r->count, count; left > 0; left -= count) {
        count = CCONV_MIN(left, p->out_depth - first);
        cconv_stack_move(context, &p->stack, first, count, (cconv_real *)(uintptr_t)volume, stacks,
                         0);
        stacks += count * cconv_stack_elements(&p->stack);
        volume += p->volume;
        first = 0;
    }
    return room;
}

/* ---- weights ---- */

enum turn {
    THERE,   /* turned = weight */
    BACK,    /* weight = turned */
    ADD_BACK /* weight += turned */
};

/* Weights of the layer, [O, I, KD] planes, and as stacks have them, [O, KD, I]. */
static void turn_weights(const struct part *p, cconv_real *weight, cconv_real *turned,
                         enum turn turn)
{
    const size_t taps = (size_t)p->stack.taps, planes = p->stack.channels * taps;

    for (size_t i = 0; i < p->corr.small_c * planes; i++) {
        const size_t o = i / planes, c = i % planes / taps, k = i % taps;
        cconv_real *w = weight + o * p->weight_o + i % planes * p->plane;
        cconv_real *t = turned + o * p->corr.weight_s + (k * p->stack.channels + c) * p->plane;

        for (size_t e = 0; e < p->plane; e++) {
            if (turn == THERE)
                t[e] = w[e];
            else
                w[e] = t[e] + (turn == ADD_BACK ? w[e] : 0);
        }
    }
}

/* The layer's own, from a channel on; room for them at `room`. */
static const cconv_real *turned_weights(const struct cconv_app *app, const struct part *p,
                                        size_t offset, void *room)
{
    const cconv_real *weight = cconv_layer_values(app->layer, 0);

    turn_weights(p, (cconv_real *)(uintptr_t)(weight + offset), room, THERE);
    return room;
}

/* ---- the three maps ---- */

typedef size_t scratch_fn(const coordconv_context *context, const struct cconv_corr *c);

/* Of any run; stacks come first. */
static size_t scratch_bytes(const struct cconv_app *app, const struct part *p, scratch_fn *bytes)
{
    struct cconv_corr c = p->corr;
    size_t most;

    c.batch = p->together;
    most = bytes(app->context, &c);
    if (p->slices % p->together != 0) {
        c.batch = p->slices % p->together;
        most = CCONV_MAX(most, bytes(app->context, &c));
    }
    return cconv_size_add(p->stack_bytes, most);
}

/* y = act(bias + map + correlation of x); bias and map may be NULL. */
static void correlate(const struct cconv_app *app, struct part *p, const void *packed, size_t batch,
                      const cconv_real *x, const cconv_real *bias, const cconv_real *map,
                      enum cconv_activation act, cconv_real *y, char *scratch)
{
    for (struct run r = { 0 }; next_run(p, batch, &r);) {
        const struct cconv_corr_init init = { .values = bias,
                                              .add = map != NULL ? map + r.first * p->out_slice
                                                                 : NULL };

        cconv_corr_gather(app->context, &p->corr, packed, stacked(app->context, p, &r, x, scratch),
                          init, act, (cconv_real)app->act_slope, y + output_at(p, &r),
                          scratch + p->stack_bytes);
    }
}

/* dx = the transpose of that map. */
static void spread(const struct cconv_app *app, struct part *p, const void *packed, size_t batch,
                   const cconv_real *dy, cconv_real *dx, char *scratch)
{
    const struct cconv_corr_init none = { .values = NULL };

    if (!p->direct)
        memset(dx, 0, batch * p->volume * sizeof *dx);
    for (struct run r = { 0 }; next_run(p, batch, &r);) {
        cconv_real *volume = dx + r.n * p->volume;
        cconv_real *stacks = p->direct ? volume : (cconv_real *)(void *)scratch;

        cconv_corr_scatter(app->context, &p->corr, packed, dy + output_at(p, &r), none,
                           CCONV_ACT_NONE, 0, stacks, scratch + p->stack_bytes);
        if (!p->direct)
            cconv_stack_move(app->context, &p->stack, r.first, r.count, volume, stacks, 1);
    }
}

/* dweight, or where `add` dweight and what it holds; scratch: weight_bytes, and that of a run. */
static void weight_gradient(const struct cconv_app *app, struct part *p, size_t batch,
                            const cconv_real *x, const cconv_real *dy, int add, cconv_real *dweight,
                            char *scratch)
{
    cconv_real *turned = (cconv_real *)(void *)scratch;

    scratch += p->weight_bytes;
    for (struct run r = { 0 }; next_run(p, batch, &r);) {
        const int is_first = !add && r.at == 0;

        cconv_corr_grad(app->context, &p->corr, dy + output_at(p, &r),
                        stacked(app->context, p, &r, x, scratch), turned, scratch + p->stack_bytes);
        turn_weights(p, dweight, turned, is_first ? BACK : ADD_BACK);
    }
}

/* ---- the operation ---- */

static coordconv_status infer(struct cconv_app *app)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const coordconv_status st = cconv_conv_infer(app);
    struct cconv_window z;

    if (st != COORDCONV_OK)
        return st;
    z = cconv_conv_window(a, 2, app->in[0].dim[1]);
    app->out.dim[1] = z.out;
    if (z.out >= 1 && z.out <= INT32_MAX &&
        cconv_size_mul(cconv_shape_span(&app->in[0], 2, 4),
                       (size_t)(a->in_channels + a->coord_channels) * (size_t)z.kernel) <
            PTRDIFF_MAX / sizeof(double))
        return COORDCONV_OK;
    return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                      "%s: kernel of depth %d (dilation %d) in a padded %lld", app->op->name,
                      z.kernel, z.dilation, (long long)(z.in + z.before + z.after));
}

/* What lies in run->packed, as offsets in bytes; first of all this itself. */
struct packed {
    size_t forward, backward, map, total;
    struct cconv_place place; /* what the map is made for */
    int placed;               /* 0: for none as a whole */
};

static struct packed lay_out(const struct cconv_app *app, const struct part *p)
{
    struct packed l = { .forward = cconv_size_align(sizeof l) };

    l.backward = cconv_size_add(l.forward,
                                cconv_size_align(cconv_corr_gather_packed(app->context, &p->corr)));
    l.map = l.total = l.backward;
    if (app->training)
        l.map = l.total = cconv_size_add(
            l.map, cconv_size_align(cconv_corr_scatter_packed(app->context, &p->corr)));
    if (app->attr->conv.coord_channels != 0)
        l.total = cconv_size_add(l.map, p->output_bytes);
    return l;
}

static size_t pixels_of(const struct cconv_app *app)
{
    return cconv_shape_span(&app->out, 0, 4);
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const int has_coords = app->attr->conv.coord_channels != 0;
    struct part data, coords;

    set_part(app, 0, &data);
    s->packed = lay_out(app, &data).total;
    s->forward = CCONV_MAX(data.weight_bytes, scratch_bytes(app, &data, cconv_corr_gather_scratch));
    s->backward = scratch_bytes(app, &data, cconv_corr_scatter_scratch);
    cut_batch(app, &data);
    s->backward =
        CCONV_MAX(s->backward, cconv_size_add(data.weight_bytes,
                                              scratch_bytes(app, &data, cconv_corr_grad_scratch)));
    s->backward =
        CCONV_MAX(s->backward, cconv_sum_pixels_scratch(pixels_of(app), data.corr.small_c));
    if (!has_coords)
        return;
    set_part(app, 1, &coords);
    const size_t weights = cconv_size_align(cconv_corr_gather_packed(app->context, &coords.corr));
    const size_t once = cconv_size_add(
        coords.volume_bytes,
        CCONV_MAX(coords.weight_bytes, scratch_bytes(app, &coords, cconv_corr_gather_scratch)));

    s->forward = CCONV_MAX(s->forward, cconv_size_add(weights, once));
    s->backward = CCONV_MAX(
        s->backward,
        cconv_size_add(coords.weight_bytes, scratch_bytes(app, &coords, cconv_corr_grad_scratch)));
    s->backward = cconv_size_add(s->backward, coords.volume_bytes);
    if (app->in[0].dim[0] > 1)
        s->backward = cconv_size_add(s->backward, coords.output_bytes);
}

static void *at(const struct cconv_run *run, size_t offset)
{
    return (char *)run->packed + offset;
}

static const cconv_real *bias_values(const struct cconv_app *app)
{
    return app->bias != NULL ? app->bias : cconv_layer_values(app->layer, 1);
}

/* The share of the coordinates, and the bias. */
static void make_map(const struct cconv_app *app, const struct cconv_run *run,
                     const struct cconv_place *place, cconv_real *map)
{
    char *scratch = run->scratch;
    struct part p;

    set_part(app, 1, &p);
    cconv_real *volume = (cconv_real *)(void *)scratch;
    scratch += p.volume_bytes;
    char *weights = scratch;
    scratch += cconv_size_align(cconv_corr_gather_packed(app->context, &p.corr));
    cconv_channels_fill(app, place, app->attr->conv.coords, volume);
    cconv_corr_gather_pack(app->context, &p.corr,
                           turned_weights(app, &p, coord_weights(app), scratch), app->scale,
                           weights);
    correlate(app, &p, weights, 1, volume, bias_values(app), NULL, CCONV_ACT_NONE, map, scratch);
}

static void place(const struct cconv_app *app, const struct cconv_run *run,
                  const struct cconv_place *place, int backward)
{
    struct packed *l = run->packed;
    const struct cconv_place where = cconv_channels_place(app, place);

    if (backward || app->attr->conv.coord_channels == 0 ||
        (l->placed && cconv_place_same(&l->place, &where)))
        return;
    make_map(app, run, &where, at(run, l->map));
    l->placed = 1;
    l->place = where;
}

static void prepare(const struct cconv_app *app, const struct cconv_run *run)
{
    struct part p;

    set_part(app, 0, &p);
    const struct packed l = lay_out(app, &p);
    const cconv_real *weight = turned_weights(app, &p, 0, run->scratch);

    *(struct packed *)run->packed = l;
    if (app->training && (run->leave_out & CCONV_PASS_BACKWARD) == 0)
        cconv_corr_scatter_pack(app->context, &p.corr, weight, app->scale, at(run, l.backward));
    if ((run->leave_out & CCONV_PASS_FORWARD) != 0)
        return;
    cconv_corr_gather_pack(app->context, &p.corr, weight, app->scale, at(run, l.forward));
    place(app, run, NULL, 0);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    const int has_coords = app->attr->conv.coord_channels != 0;
    const size_t batch = (size_t)app->in[0].dim[0];
    const cconv_real *x = run->x[0];
    const struct packed *l = run->packed;
    struct part p;

    set_part(app, 0, &p);
    for (size_t n = 0, count; n < batch; n += count) {
        const struct cconv_place *places = run->places != NULL ? run->places + n : NULL;

        count = cconv_places_alike(places, batch - n);
        place(app, run, places, 0);
        correlate(app, &p, at(run, l->forward), count, x + n * p.volume,
                  has_coords ? NULL : bias_values(app), has_coords ? at(run, l->map) : NULL,
                  app->act, run->y + n * p.out_depth * p.out_slice, run->scratch);
    }
    return COORDCONV_OK;
}

/* In scratch: the sum of dy over volumes, their coordinates, what passes need. */
static void coord_gradient(const struct cconv_app *app, const struct cconv_run *run)
{
    char *scratch = run->scratch;
    const size_t batch = (size_t)app->in[0].dim[0];
    struct part p;

    set_part(app, 1, &p);
    const size_t outputs = p.out_depth * p.out_slice;
    cconv_real *sum = (cconv_real *)(void *)scratch;
    scratch += batch > 1 ? p.output_bytes : 0;
    cconv_real *volume = (cconv_real *)(void *)scratch;
    scratch += p.volume_bytes;

    for (size_t n = 0, count; n < batch; n += count) {
        const struct cconv_place *places = run->places != NULL ? run->places + n : NULL;
        const cconv_real *dy = run->dy + n * outputs;

        count = cconv_places_alike(places, batch - n);
        if (count > 1)
            cconv_sum_batch(app->context, count, outputs, dy, sum);
        cconv_channels_fill(app, places, app->attr->conv.coords, volume);
        weight_gradient(app, &p, 1, volume, count > 1 ? sum : dy, n > 0,
                        run->dparam[0] + coord_weights(app), scratch);
    }
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t batch = (size_t)app->in[0].dim[0];
    struct part p;

    set_part(app, 0, &p);
    if (run->dparam[0] != NULL) {
        struct part all = p;

        cut_batch(app, &all);
        weight_gradient(app, &all, batch, run->x[0], run->dy, 0, run->dparam[0], run->scratch);
        if (app->attr->conv.coord_channels != 0)
            coord_gradient(app, run);
    }
    if (app->attr->conv.bias && run->dparam[1] != NULL)
        cconv_sum_pixels(app->context, pixels_of(app), p.corr.small_c, run->dy, run->dparam[1],
                         run->scratch);
    if (run->dx[0] != NULL)
        spread(app, &p, at(run, ((const struct packed *)run->packed)->backward), batch, run->dy,
               run->dx[0], run->scratch);
}

const struct cconv_op cconv_op_conv3d = {
    .name = "conv3d",
    .flags = CCONV_KEEPS_X | CCONV_FUSES_ACT | CCONV_FUSES_NORM,
    .infer = infer,
    .space = space,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .place = place,
    .carry = cconv_conv_carry,
};
