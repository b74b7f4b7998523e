/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_layer.c - making convolution layers, and giving one other coordinates.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "ops/conv.h"

enum {
    MOST_EXTENT = 1024,
    MOST_PAD = 65535
};

/* What the descriptors of all convolutions have, under one roof. */
struct fields {
    const char *what;
    const struct cconv_op *op;
    struct cconv_conv_attr attr;
    int32_t padding, no_bias, init;
    double init_value;
    const coordconv_grid_desc *grid;
};

/* From a descriptor of any of them, which have these fields by the same names. */
#define READ_FIELDS(f, d)                                                                          \
    do {                                                                                           \
        (f).attr.coords = (d).coords;                                                              \
        (f).attr.in_channels = (d).in_channels;                                                    \
        (f).attr.out_channels = (d).out_channels;                                                  \
        (f).attr.groups = (d).groups != 0 ? (d).groups : 1;                                        \
        (f).padding = (d).padding;                                                                 \
        (f).no_bias = (d).no_bias;                                                                 \
        (f).init = (d).init;                                                                       \
        (f).init_value = (d).init_value;                                                           \
        (f).grid = (d).grid;                                                                       \
    } while (0)

static void pair(int32_t to[2], const int32_t from[2], int32_t zero_means)
{
    for (int i = 0; i < 2; i++)
        to[i] = from[i] != 0 ? from[i] : zero_means;
}

/* z, y, x as y, x, z. */
static void triple(int32_t to[3], const int32_t from[3], int32_t zero_means)
{
    for (int i = 0; i < 3; i++)
        to[i] = from[(i + 1) % 3] != 0 ? from[(i + 1) % 3] : zero_means;
}

static void pads_of_image(int32_t to[6], const int32_t from[4])
{
    for (int i = 0; i < 4; i++)
        to[i + i / 2] = from[i];
}

/* Field `name` of an axis y, x, z, by its number there. */
static coordconv_status check_axis(const struct cconv_log *log, const struct fields *f,
                                   const char *name, int axis, int64_t value, int64_t least,
                                   int64_t most)
{
    const int number = f->attr.volume ? (axis + 1) % 3 + axis / 3 * 3 : axis - axis / 3;
    char text[32];

    snprintf(text, sizeof text, "%s[%d]", name, number);
    return cconv_check_range(log, f->what, text, value, least, most);
}

static coordconv_status check_windows(const struct cconv_log *log, const struct fields *f)
{
    const struct cconv_conv_attr *a = &f->attr;
    const int axes = a->volume ? 3 : 2, same = f->padding == COORDCONV_SAME;
    coordconv_status st;

    for (int i = 0; i < axes; i++) {
        if ((st = check_axis(log, f, "kernel", i, a->kernel[i], 1, MOST_EXTENT)) != COORDCONV_OK ||
            (st = check_axis(log, f, "stride", i, a->stride[i], 1, MOST_EXTENT)) != COORDCONV_OK ||
            (st = check_axis(log, f, "dilation", i, a->dilation[i], 1, MOST_EXTENT)) !=
                COORDCONV_OK)
            return st;
        if (i < 2 && (st = check_axis(log, f, "output_padding", i, a->output_padding[i], 0,
                                      same ? 0 : a->stride[i] - 1)) != COORDCONV_OK)
            return st;
    }
    for (int i = 0; i < 6; i++) {
        if ((st = check_axis(log, f, "pads", i, a->pads[i], 0, same ? 0 : MOST_PAD)) !=
            COORDCONV_OK)
            return st;
    }
    return COORDCONV_OK;
}

static int32_t axes_of(const struct cconv_conv_attr *a)
{
    return a->line ? 1 : a->volume ? 3 : 2;
}

/* Whether a convolution can have these coordinates, `channels` of them. */
static coordconv_status check_coords(const struct cconv_log *log, const char *what,
                                     const struct cconv_conv_attr *a, uint32_t coords)
{
    if (cconv_coords_count(axes_of(a), coords) < (coords != 0))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "%s: coords has unknown flags or no channel: 0x%x", what,
                          (unsigned)coords);
    if (coords != 0 && a->groups > 1)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "%s: coordinates with groups = %d; only 1 is possible", what, a->groups);
    return COORDCONV_OK;
}

static coordconv_status check_groups(const struct cconv_log *log, const struct fields *f)
{
    const struct cconv_conv_attr *a = &f->attr;

    if (a->groups < 1 || a->in_channels % a->groups != 0 || a->out_channels % a->groups != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "%s: groups is %d, no divisor of in_channels %d and out_channels %d",
                          f->what, a->groups, a->in_channels, a->out_channels);
    return check_coords(log, f->what, a, a->coords);
}

static coordconv_status check(const struct cconv_log *log, const struct fields *f)
{
    const struct cconv_conv_attr *a = &f->attr;
    coordconv_status st;

    if ((st = cconv_check_range(log, f->what, "in_channels", a->in_channels, 1, INT32_MAX - 3)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(log, f->what, "out_channels", a->out_channels, 1, INT32_MAX)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(log, f->what, "padding", f->padding, COORDCONV_PADDING_EXPLICIT,
                                COORDCONV_SAME)) != COORDCONV_OK ||
        (st = cconv_check_range(log, f->what, "no_bias", f->no_bias, 0, 1)) != COORDCONV_OK ||
        (st = cconv_check_range(log, f->what, "init", f->init, COORDCONV_INIT_DEFAULT,
                                COORDCONV_INIT_GLOROT_UNIFORM)) != COORDCONV_OK ||
        (st = check_windows(log, f)) != COORDCONV_OK)
        return st;
    return check_groups(log, f);
}

/* [O, I, KH, KW], or [I, O, KH, KW] when transposed, or [O, I, K] of a line, [O, I, KD, KH, KW] of
 * a volume; coordinates on the I axis. Returns the number of axes. */
static int32_t weight_shape(const struct cconv_conv_attr *a, int64_t shape[5])
{
    const int64_t in = a->in_channels / (a->transposed ? 1 : a->groups) + a->coord_channels;
    const int64_t out = a->out_channels / (a->transposed ? a->groups : 1);

    int32_t n = 2;

    shape[0] = a->transposed ? in : out;
    shape[1] = a->transposed ? out : in;
    if (a->volume)
        shape[n++] = a->kernel[2];
    if (!a->line)
        shape[n++] = a->kernel[0];
    shape[n++] = a->kernel[1];
    return n;
}

/* An empty layer with the parameters that attr asks for, weights zero. */
static coordconv_status make(coordconv_context *context, const struct cconv_op *op,
                             const struct cconv_conv_attr *attr, coordconv_layer **out)
{
    const int64_t channels = attr->out_channels;
    int64_t shape[5];
    const int32_t ndim = weight_shape(attr, shape);
    coordconv_status st = cconv_layer_new(context, op, out);

    if (st != COORDCONV_OK)
        return st;
    (*out)->attr.conv = *attr;
    (*out)->kernel = 0;
    st = cconv_layer_add(*out, "weight", 1, ndim, shape, 0);
    if (st == COORDCONV_OK && attr->bias)
        st = cconv_layer_add(*out, "bias", 1, 1, &channels, 0);
    if (st != COORDCONV_OK)
        coordconv_layer_unref(*out);
    return st;
}

static coordconv_status make_and_draw(coordconv_context *context, struct fields *f,
                                      coordconv_layer **out)
{
    struct cconv_conv_attr *a = &f->attr;
    coordconv_layer *layer;
    coordconv_status st;

    a->same = f->padding == COORDCONV_SAME;
    a->bias = !f->no_bias;
    a->coord_channels = cconv_coords_count(axes_of(a), a->coords);
    if ((st = check(&context->log, f)) != COORDCONV_OK ||
        (st = cconv_grid_of(&context->log, f->what, axes_of(a), a->coords, f->grid, &a->grid)) !=
            COORDCONV_OK ||
        (st = make(context, f->op, a, &layer)) != COORDCONV_OK)
        return st;
    const int64_t plane = (int64_t)cconv_conv_taps(a);

    st = cconv_layer_draw(layer, 0, f->init, f->init_value,
                          (a->in_channels / a->groups + a->coord_channels) * plane,
                          a->out_channels / a->groups * plane);
    if (st != COORDCONV_OK) {
        coordconv_layer_unref(layer);
        return st;
    }
    *out = layer;
    return COORDCONV_OK;
}

static coordconv_status check_call(coordconv_context *context, const void *out, const char *what)
{
    if (context != NULL && out != NULL)
        return COORDCONV_OK;
    return cconv_fail(cconv_context_log(context), COORDCONV_ERR_INVALID, "%s: %s is NULL", what,
                      context == NULL ? "context" : "out");
}

coordconv_status coordconv_conv2d_new(coordconv_context *context, const coordconv_conv2d_desc *desc,
                                      coordconv_layer **out)
{
    struct fields f = { .what = "conv2d", .op = &cconv_op_conv2d };
    coordconv_conv2d_desc d;
    coordconv_status st = check_call(context, out, f.what);

    if (st != COORDCONV_OK ||
        (st = cconv_desc_read(&context->log, f.what, desc,
                              CCONV_DESC_END(coordconv_conv2d_desc, init_value), sizeof d, &d)) !=
            COORDCONV_OK)
        return st;
    READ_FIELDS(f, d);
    pair(f.attr.kernel, d.kernel, 0);
    pair(f.attr.stride, d.stride, 1);
    pair(f.attr.dilation, d.dilation, 1);
    pads_of_image(f.attr.pads, d.pads);
    return make_and_draw(context, &f, out);
}

/* A line has no y. */
static coordconv_status check_line(const struct cconv_log *log, const char *what, uint32_t coords)
{
    if (!cconv_coords_has_y(coords))
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: coords 0x%x ask for y; a signal has x alone",
                      what, (unsigned)coords);
}

coordconv_status coordconv_conv1d_new(coordconv_context *context, const coordconv_conv1d_desc *desc,
                                      coordconv_layer **out)
{
    struct fields f = { .what = "conv1d", .op = &cconv_op_conv1d };
    coordconv_conv1d_desc d;
    coordconv_status st = check_call(context, out, f.what);

    if (st != COORDCONV_OK ||
        (st = cconv_desc_read(&context->log, f.what, desc,
                              CCONV_DESC_END(coordconv_conv1d_desc, grid), sizeof d, &d)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(&context->log, f.what, "reserved", d.reserved, 0, 0)) !=
            COORDCONV_OK ||
        (st = check_line(&context->log, f.what, d.coords)) != COORDCONV_OK)
        return st;
    f.attr = (struct cconv_conv_attr){ .line = 1,
                                       .kernel = { 1, d.kernel },
                                       .stride = { 1, d.stride != 0 ? d.stride : 1 },
                                       .dilation = { 1, d.dilation != 0 ? d.dilation : 1 },
                                       .pads = { 0, d.pads[0], 0, 0, d.pads[1], 0 } };
    READ_FIELDS(f, d);
    return make_and_draw(context, &f, out);
}

coordconv_status coordconv_conv3d_new(coordconv_context *context, const coordconv_conv3d_desc *desc,
                                      coordconv_layer **out)
{
    struct fields f = { .what = "conv3d", .op = &cconv_op_conv3d };
    coordconv_conv3d_desc d;
    coordconv_status st = check_call(context, out, f.what);

    if (st != COORDCONV_OK || (st = cconv_desc_read(&context->log, f.what, desc,
                                                    CCONV_DESC_END(coordconv_conv3d_desc, grid),
                                                    sizeof d, &d)) != COORDCONV_OK)
        return st;
    f.attr.volume = 1;
    READ_FIELDS(f, d);
    triple(f.attr.kernel, d.kernel, 0);
    triple(f.attr.stride, d.stride, 1);
    triple(f.attr.dilation, d.dilation, 1);
    triple(f.attr.pads, d.pads, 0);
    triple(f.attr.pads + 3, d.pads + 3, 0);
    return make_and_draw(context, &f, out);
}

coordconv_status coordconv_conv_transpose2d_new(coordconv_context *context,
                                                const coordconv_conv_transpose2d_desc *desc,
                                                coordconv_layer **out)
{
    struct fields f = { .what = "conv_transpose2d", .op = &cconv_op_conv_transpose2d };
    coordconv_conv_transpose2d_desc d;
    coordconv_status st = check_call(context, out, f.what);

    if (st != COORDCONV_OK ||
        (st = cconv_desc_read(&context->log, f.what, desc,
                              CCONV_DESC_END(coordconv_conv_transpose2d_desc, init_value), sizeof d,
                              &d)) != COORDCONV_OK)
        return st;
    f.attr.transposed = 1;
    READ_FIELDS(f, d);
    pair(f.attr.kernel, d.kernel, 0);
    pair(f.attr.stride, d.stride, 1);
    pair(f.attr.dilation, d.dilation, 1);
    pair(f.attr.output_padding, d.output_padding, 0);
    pads_of_image(f.attr.pads, d.pads);
    return make_and_draw(context, &f, out);
}

static int is_conv(const coordconv_layer *layer)
{
    return layer->op == &cconv_op_conv1d || layer->op == &cconv_op_conv2d ||
           layer->op == &cconv_op_conv3d || layer->op == &cconv_op_conv_transpose2d;
}

uint32_t coordconv_layer_coords(const coordconv_layer *layer)
{
    return layer != NULL && is_conv(layer) ? layer->attr.conv.coords : 0;
}

coordconv_status coordconv_layer_grid(const coordconv_layer *layer, coordconv_grid_desc *out)
{
    const struct cconv_log *log = layer != NULL ? &layer->context->log : NULL;
    coordconv_grid_desc d;
    coordconv_status st;

    if (layer == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "layer_grid: %s is NULL",
                          layer == NULL ? "layer" : "out");
    if (!is_conv(layer) || layer->attr.conv.coord_channels == 0)
        return cconv_fail(log, COORDCONV_ERR_STATE, "layer_grid: this %s sees no coordinates",
                          layer->op->name);
    st = cconv_desc_read(log, "layer_grid", out, CCONV_DESC_END(coordconv_grid_desc, single),
                         sizeof d, &d);
    if (st != COORDCONV_OK)
        return st;
    const struct cconv_grid *g = &layer->attr.conv.grid;

    out->sampling = g->sampling;
    out->low = g->low;
    out->high = g->high;
    out->radius = g->radius;
    out->single = g->single;
    return COORDCONV_OK;
}

/* What a coordinate channel shows; the same channel in two layers has the same kind. */
enum kind {
    X,
    Y,
    Z,
    RADIUS
};

/* Kinds of the channels that flags stand for, in order; returns how many. */
static int channel_kinds(uint32_t flags, enum kind kinds[4])
{
    int n = 0;

    if (cconv_coords_has_x(flags))
        kinds[n++] = X;
    if (cconv_coords_has_y(flags))
        kinds[n++] = Y;
    if ((flags & COORDCONV_COORDS_Z) != 0)
        kinds[n++] = Z;
    if ((flags & COORDCONV_COORDS_RADIUS) != 0)
        kinds[n++] = RADIUS;
    return n;
}

/* Where channel i of the weights' input axis lies: `outer` runs of `length` elements, `step` apart.
 */
struct input_axis {
    size_t outer, step, length;
};

static struct input_axis input_axis(const struct cconv_conv_attr *a)
{
    const size_t plane = cconv_conv_taps(a);
    const size_t in =
        (size_t)(a->in_channels / (a->transposed ? 1 : a->groups) + a->coord_channels);
    const size_t out = (size_t)(a->out_channels / (a->transposed ? a->groups : 1));

    if (a->transposed)
        return (struct input_axis){ 1, in * out * plane, out * plane };
    return (struct input_axis){ out, in * plane, plane };
}

static cconv_real largest(const coordconv_layer *layer, size_t channel)
{
    const struct input_axis axis = input_axis(&layer->attr.conv);
    const cconv_real *w = cconv_layer_values(layer, 0) + channel * axis.length;
    cconv_real most = 0;

    for (size_t o = 0; o < axis.outer; o++) {
        for (size_t i = 0; i < axis.length; i++) {
            const cconv_real v = cconv_math_abs(w[o * axis.step + i]);

            if (!(v <= most)) /* a NaN counts as in use */
                most = v;
        }
    }
    return most;
}

static void copy_channel(coordconv_layer *to, size_t to_channel, const coordconv_layer *from,
                         size_t from_channel)
{
    const struct input_axis ta = input_axis(&to->attr.conv), fa = input_axis(&from->attr.conv);
    cconv_real *t = cconv_layer_values(to, 0) + to_channel * ta.length;
    const cconv_real *f = cconv_layer_values(from, 0) + from_channel * fa.length;

    for (size_t o = 0; o < ta.outer; o++)
        memcpy(t + o * ta.step, f + o * fa.step, ta.length * sizeof *t);
}

/* The number of the channel of `kind` under other flags, -1 if it is not there. */
static int find_channel(uint32_t flags, uint32_t other, enum kind kind)
{
    enum kind kinds[4];
    const int n = channel_kinds(other, kinds);

    if (((flags ^ other) & COORDCONV_COORDS_PIXEL) != 0)
        return -1;
    for (int i = 0; i < n; i++) {
        if (kinds[i] == kind)
            return i;
    }
    return -1;
}

static coordconv_status check_dropped(const coordconv_layer *layer, uint32_t coords)
{
    static const char *const name[] = { "x", "y", "z", "radius" };
    const struct cconv_conv_attr *a = &layer->attr.conv;
    enum kind kinds[4];
    const int n = channel_kinds(a->coords, kinds);

    for (int i = 0; i < n; i++) {
        const cconv_real most = largest(layer, (size_t)a->in_channels + (size_t)i);

        if (most != 0 && find_channel(a->coords, coords, kinds[i]) < 0)
            return cconv_fail(&layer->context->log, COORDCONV_ERR_INVALID,
                              "layer_with_coords: channel %s%s cannot be dropped: its "
                              "largest weight is %g",
                              name[kinds[i]],
                              (a->coords & COORDCONV_COORDS_PIXEL) != 0 ? " (pixels)" : "",
                              (double)most);
    }
    return COORDCONV_OK;
}

static coordconv_status check_with_coords(const coordconv_layer *layer, uint32_t coords,
                                          const void *out)
{
    const struct cconv_log *log = layer != NULL ? &layer->context->log : NULL;
    coordconv_status st;

    if (layer == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "layer_with_coords: %s is NULL",
                          layer == NULL ? "layer" : "out");
    if (!is_conv(layer))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "layer_with_coords: a %s sees no coordinates",
                          layer->op->name);
    st = check_coords(log, "layer_with_coords", &layer->attr.conv, coords);
    if (st == COORDCONV_OK && layer->attr.conv.line)
        st = check_line(log, "layer_with_coords", coords);
    if (st != COORDCONV_OK)
        return st;
    if ((coords & COORDCONV_COORDS_PIXEL) != 0 &&
        layer->attr.conv.grid.radius == COORDCONV_RADIUS_CENTERED)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "layer_with_coords: the grid's radius has no meaning in pixels");
    return check_dropped(layer, coords);
}

/* Weights of data channels and of the coordinate channels both have; new ones stay zero. */
static void copy_weights(coordconv_layer *to, const coordconv_layer *from)
{
    const struct cconv_conv_attr *f = &from->attr.conv, *t = &to->attr.conv;
    const int data = f->in_channels / (f->transposed ? 1 : f->groups);
    enum kind kinds[4];
    const int n = channel_kinds(f->coords, kinds);

    for (int i = 0; i < data; i++)
        copy_channel(to, (size_t)i, from, (size_t)i);
    for (int i = 0; i < n; i++) {
        const int j = find_channel(f->coords, t->coords, kinds[i]);

        if (j >= 0)
            copy_channel(to, (size_t)(data + j), from, (size_t)(data + i));
    }
    if (f->bias)
        cconv_tensor_copy_elements(to->tensors[1].tensor, from->tensors[1].tensor);
}

coordconv_status coordconv_layer_with_coords(const coordconv_layer *layer, uint32_t coords,
                                             coordconv_layer **out)
{
    coordconv_status st = check_with_coords(layer, coords, out);
    struct cconv_conv_attr attr;
    coordconv_layer *copy;

    if (st != COORDCONV_OK)
        return st;
    attr = layer->attr.conv;
    if (((coords ^ attr.coords) & COORDCONV_COORDS_PIXEL) != 0)
        attr.grid.sampling = (coords & COORDCONV_COORDS_PIXEL) != 0 ? COORDCONV_SAMPLING_PIXEL
                                                                    : COORDCONV_SAMPLING_ALIGNED;
    attr.coords = coords;
    attr.coord_channels = cconv_coords_count(axes_of(&attr), coords);
    if ((st = make(layer->context, layer->op, &attr, &copy)) != COORDCONV_OK)
        return st;
    copy_weights(copy, layer);
    memcpy(copy->name, layer->name, sizeof copy->name);
    *out = copy;
    return COORDCONV_OK;
}
