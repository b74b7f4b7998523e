/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_nets.c - small detectors that differ in how they may know where they look.
 */
#include "periphery_nets.h"

#include <string.h>

enum {
    MOST_LAYERS = 10,
    MOST_BATCH = 64,
    CELL_VALUES = VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS
};

struct layer_desc {
    int in, out, kernel, stride;
    int before, behind; /* zeros above and left, below and right, in a net that pads */
};

/* Zeros are laid so that cells lie where they do without padding. */
static const struct layer_desc first = { 3, 16, 5, 2, 2, 1 }, second = { 16, 16, 3, 1, 1, 1 },
                               third = { 16, 32, 3, 2, 0, 1 }, inner = { 32, 32, 3, 1, 1, 1 },
                               mixing = { 32, 32, 1, 1, 0, 0 },
                               last = { 32, ROAD_KINDS, 1, 1, 0, 0 };

struct builder {
    coordconv_context *context;
    struct net *net;
    coordconv_value at;
    int count;
    coordconv_status status; /* the first failure */
};

static coordconv_layer *make_conv(struct builder *b, const struct layer_desc *d)
{
    const int sees = b->net->kind == NET_EVERYWHERE || (b->net->coords && b->count == 0);
    const int before = b->net->padded ? d->before : 0, behind = b->net->padded ? d->behind : 0;
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords =
                                             sees ? COORDCONV_COORDS_XY : COORDCONV_COORDS_NONE,
                                         .in_channels = d->in,
                                         .out_channels = d->out,
                                         .kernel = { d->kernel, d->kernel },
                                         .stride = { d->stride, d->stride },
                                         .pads = { before, before, behind, behind } };
    coordconv_layer *conv = NULL;

    if (b->status == COORDCONV_OK)
        b->status = coordconv_conv2d_new(b->context, &desc, &conv);
    return conv;
}

/* Apply and let go of a layer; the model keeps it. */
static void apply(struct builder *b, coordconv_layer *layer)
{
    b->at = coordconv_model_apply(b->net->model, layer, b->at);
    b->count++;
    coordconv_layer_unref(layer);
}

static void add_batch_norm(struct builder *b, int channels)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = channels };
    coordconv_layer *norm = NULL;

    if (b->status == COORDCONV_OK)
        b->status = coordconv_batch_norm_new(b->context, &desc, &norm);
    b->at = coordconv_model_apply(b->net->model, norm, b->at);
    coordconv_layer_unref(norm);
}

static void add_conv(struct builder *b, const struct layer_desc *d)
{
    apply(b, make_conv(b, d));
    add_batch_norm(b, d->out);
    b->at = coordconv_model_relu(b->net->model, b->at);
}

/* A sign is rare: begin with "no" everywhere. */
static void say_no(struct builder *b, coordconv_layer *layer)
{
    coordconv_tensor *bias = NULL;

    if (b->status == COORDCONV_OK)
        b->status = coordconv_layer_parameter(layer, "bias", &bias);
    if (b->status == COORDCONV_OK)
        b->status = coordconv_tensor_fill(bias, -4);
    coordconv_tensor_unref(bias);
}

static void add_dense(struct builder *b)
{
    const int64_t map[4] = { 0, VIEW_ROWS, VIEW_COLUMNS, ROAD_KINDS };
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = CELL_VALUES,
                                         .out_features = CELL_VALUES,
                                         .init = COORDCONV_INIT_ZEROS };
    coordconv_layer *dense = NULL;

    if (b->status == COORDCONV_OK)
        b->status = coordconv_linear_new(b->context, &desc, &dense);
    say_no(b, dense);
    b->at = coordconv_model_flatten(b->net->model, coordconv_model_relu(b->net->model, b->at), 1);
    apply(b, dense);
    b->at = coordconv_model_reshape(b->net->model, b->at, 4, map);
}

static void build(struct builder *b)
{
    const int64_t open[4] = { -1, -1, -1, 3 }, cells[4] = { -1, -1, -1, ROAD_KINDS };
    const int inners = b->net->kind == NET_DEEP || b->net->kind == NET_DEEP_INPUT ? 4 : 2;
    coordconv_model *m = b->net->model;

    b->at = coordconv_model_input(m, "image", COORDCONV_F32, 4, open);
    const coordconv_value target = coordconv_model_input(m, "target", COORDCONV_F32, 4, cells);
    add_conv(b, &first);
    add_conv(b, &second);
    add_conv(b, &third);
    for (int k = 0; k < inners; k++)
        add_conv(b, &inner);
    add_conv(b, &mixing);
    coordconv_layer *answer = make_conv(b, &last);
    if (b->net->kind != NET_DENSE)
        say_no(b, answer);
    apply(b, answer);
    if (b->net->kind == NET_DENSE)
        add_dense(b);
    coordconv_model_output(m, "logits", b->at);
    coordconv_model_output(m, "loss", coordconv_model_sigmoid_cross_entropy(m, b->at, target));
}

coordconv_status net_new(struct net *net, coordconv_context *context, enum net_kind kind)
{
    struct builder b = { .context = context, .net = net };

    *net = (struct net){ .kind = kind,
                         .padded = kind == NET_PADDED || kind == NET_DEEP || kind == NET_DEEP_INPUT,
                         .coords =
                             kind == NET_INPUT || kind == NET_EVERYWHERE || kind == NET_DEEP_INPUT,
                         .fixed = kind == NET_DENSE };
    b.status = coordconv_model_new(context, &net->model);
    if (b.status == COORDCONV_OK)
        build(&b);
    if (b.status == COORDCONV_OK)
        b.status = coordconv_model_status(net->model);
    if (b.status != COORDCONV_OK)
        net_free(net);
    return b.status;
}

void net_free(struct net *net)
{
    coordconv_model_unref(net->model);
    memset(net, 0, sizeof *net);
}

coordconv_status net_plan(const struct net *net, int mode, int64_t batch, int rows, int columns,
                          coordconv_plan **plan)
{
    static const char *const logits[] = { "logits" };
    const coordconv_input_shape shapes[2] = {
        { "image",
          4,
          0,
          { batch, seen_extent(rows, net->padded), seen_extent(columns, net->padded), 3 } },
        { "target", 4, 0, { batch, rows, columns, ROAD_KINDS } }
    };
    const int trains = mode == COORDCONV_TRAINING;
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = mode,
                                       .batch = batch,
                                       .inputs = shapes,
                                       .input_count = 2,
                                       .outputs = trains ? NULL : logits,
                                       .output_count = trains ? 0 : 1 };

    return coordconv_plan_new(net->model, &desc, plan);
}

/* A window that begins at y lies y rows into what the net sees of the whole view. */
coordconv_status net_set_frames(const struct net *net, coordconv_plan *plan, const struct scenes *s,
                                int64_t count, const struct window *windows)
{
    coordconv_frame_desc frames[MOST_BATCH];

    for (int64_t i = 0; i < count; i++)
        frames[i] = (coordconv_frame_desc){ .struct_size = sizeof frames[i],
                                            .y = windows[i].y + s->shift_y,
                                            .x = windows[i].x + s->shift_x,
                                            .height = seen_extent(VIEW_ROWS, net->padded),
                                            .width = seen_extent(VIEW_COLUMNS, net->padded) };
    return coordconv_plan_set_frames(plan, "image", count, frames);
}
