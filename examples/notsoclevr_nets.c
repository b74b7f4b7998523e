/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_nets.c - the networks of the paper, and the ones wired by hand.
 *
 * Each learned net is two models over the same layers: one ends in the loss,
 * the other in what a user wants to have.
 */
#include "notsoclevr_nets.h"

#include <string.h>

enum {
    DECONV_WIDTH = 2,  /* the paper's multiplier m: 1, 2 or 3 */
    DECONV_KERNEL = 3, /* the paper's filter size fs: 2, 3 or 4 */
    STAGE_A = 5,       /* layers that find the pixel */
    STAGE_B = 5        /* layers that draw the square */
};

/* How much the loss on the map between the two stages counts in rendering. */
static const double map_loss_share = 0.1;

/* The layers of a net while it is built; the models keep their own references. */
struct layers {
    coordconv_context *context;
    coordconv_layer *items[MAX_LAYERS];
    int32_t count;
    coordconv_status status; /* the first failure */
};

const char *net_name(enum net_kind kind)
{
    static const char *const names[NET_KINDS] = { "coordconv", "baseline", "analytic" };

    return names[kind];
}

/* Count in the layer just made, or remember why there is none. */
static void took(struct layers *l, coordconv_status status)
{
    if (status == COORDCONV_OK)
        l->count++;
    else if (l->status == COORDCONV_OK)
        l->status = status;
}

static void add_conv(struct layers *l, int32_t in, int32_t out, int32_t kernel, int32_t stride,
                     uint32_t coords)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .padding = COORDCONV_SAME };

    took(l, coordconv_conv2d_new(l->context, &desc, &l->items[l->count]));
}

static void add_deconv(struct layers *l, int32_t in, int32_t out)
{
    const coordconv_conv_transpose2d_desc desc = { .struct_size = sizeof desc,
                                                   .in_channels = in,
                                                   .out_channels = out,
                                                   .kernel = { DECONV_KERNEL, DECONV_KERNEL },
                                                   .stride = { 2, 2 },
                                                   .padding = COORDCONV_SAME };

    took(l, coordconv_conv_transpose2d_new(l->context, &desc, &l->items[l->count]));
}

static void add_batch_norm(struct layers *l, int32_t channels)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = channels };

    took(l, coordconv_batch_norm_new(l->context, &desc, &l->items[l->count]));
}

static void add_linear(struct layers *l, int32_t in, int32_t out)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = out };

    took(l, coordconv_linear_new(l->context, &desc, &l->items[l->count]));
}

/* A run of SAME convolutions of stride 1 through the given widths; coordinates for the first. */
static void add_convs(struct layers *l, const int32_t *widths, int32_t count, int32_t kernel,
                      uint32_t coords)
{
    for (int32_t i = 0; i < count; i++)
        add_conv(l, widths[i], widths[i + 1], kernel, 1, i == 0 ? coords : COORDCONV_COORDS_NONE);
}

/* Apply a run of layers with ReLU between them. */
static coordconv_value apply_with_relu(coordconv_model *m, coordconv_layer *const *items,
                                       int32_t count, coordconv_value h)
{
    for (int32_t i = 0; i < count; i++)
        h = coordconv_model_apply(m, items[i], i > 0 ? coordconv_model_relu(m, h) : h);
    return h;
}

/* ---- (x, y) to a map of 64 x 64, with coordinates: the vector on every pixel, 1 x 1 layers ----
 */

static void make_painter(struct layers *l)
{
    static const int32_t widths[STAGE_A + 1] = { 2, 32, 32, 64, 64, 1 };

    add_convs(l, widths, STAGE_A, 1, COORDCONV_COORDS_XY);
}

static coordconv_value apply_painter(coordconv_model *m, const struct layers *l, coordconv_value xy)
{
    return apply_with_relu(m, l->items, STAGE_A, coordconv_model_tile(m, xy, CANVAS, CANVAS));
}

/* ---- the same without: six transposed convolutions from 1 x 1 to 64 x 64 ---- */

static void make_deconv(struct layers *l)
{
    static const int32_t widths[7] = { 2, 64, 64, 64, 32, 32, 1 };

    for (int i = 0; i < 6; i++) {
        const int32_t in = i > 0 ? widths[i] * DECONV_WIDTH : widths[i];
        const int32_t out = i < 5 ? widths[i + 1] * DECONV_WIDTH : widths[i + 1];

        add_deconv(l, in, out);
        if (i < 5)
            add_batch_norm(l, out);
    }
}

static coordconv_value apply_deconv(coordconv_model *m, const struct layers *l, coordconv_value xy)
{
    const int64_t pixel[4] = { 0, 1, 1, 2 };
    coordconv_value h = coordconv_model_reshape(m, xy, 4, pixel);

    for (int32_t i = 0; i < l->count; i++) {
        h = coordconv_model_apply(m, l->items[i], h);
        if (i % 2 == 1)
            h = coordconv_model_relu(m, h);
    }
    return h;
}

/* ---- rendering: the painter, its map sharpened by a softmax, then 3 x 3 layers ---- */

static void make_renderer(struct layers *l)
{
    static const int32_t widths[STAGE_B + 1] = { 1, 8, 8, 16, 16, 1 };

    make_painter(l);
    add_convs(l, widths, STAGE_B, 3, COORDCONV_COORDS_NONE);
}

static coordconv_value apply_stage_b(coordconv_model *m, const struct layers *l,
                                     coordconv_value map)
{
    const coordconv_value sharp = coordconv_model_softmax(m, map, 1u << 1 | 1u << 2);

    return apply_with_relu(m, l->items + STAGE_A, STAGE_B, sharp);
}

/* ---- one-hot image to (x, y) ---- */

/* No activation between the layers: the maximum is the only thing not linear. */
static void make_locator(struct layers *l)
{
    static const int32_t pointwise[4] = { 1, 8, 8, 8 };

    add_convs(l, pointwise, 3, 1, COORDCONV_COORDS_XY);
    add_conv(l, 8, 8, 3, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 8, 2, 3, 1, COORDCONV_COORDS_NONE);
}

static coordconv_value apply_locator(coordconv_model *m, const struct layers *l,
                                     coordconv_value image)
{
    coordconv_value h = image;

    for (int32_t i = 0; i < l->count; i++)
        h = coordconv_model_apply(m, l->items[i], h);
    return coordconv_model_global_max_pool(m, h);
}

/* The released code's net for the uniform split: convolutions and pooling, then two dense layers.
 */
static void make_pooling_conv(struct layers *l)
{
    static const int32_t widths[5] = { 1, 16, 16, 16, 16 };

    add_convs(l, widths, 4, 3, COORDCONV_COORDS_NONE);
    add_linear(l, CANVAS / 8 * (CANVAS / 8) * 16, 64);
    add_linear(l, 64, 2);
}

static coordconv_value apply_pooling_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image)
{
    const coordconv_pool2d_desc halve = { .struct_size = sizeof halve, .kernel = { 2, 2 } };
    coordconv_value h = image;

    for (int32_t i = 0; i < 4; i++) {
        h = coordconv_model_relu(m, coordconv_model_apply(m, l->items[i], h));
        if (i < 3)
            h = coordconv_model_max_pool2d(m, h, &halve);
    }
    return apply_with_relu(m, l->items + 4, 2, coordconv_model_flatten(m, h, 1));
}

/* Its net for the quadrant split: strides instead of pooling, batch norm after two of the layers.
 */
static void make_strided_conv(struct layers *l)
{
    add_conv(l, 1, 16, 5, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 1, 1, COORDCONV_COORDS_NONE);
    add_batch_norm(l, 16);
    add_conv(l, 16, 16, 3, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_batch_norm(l, 16);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 1, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 2, 3, 1, COORDCONV_COORDS_NONE);
}

static coordconv_value apply_strided_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image)
{
    /* R: followed by ReLU. The first batch norm comes after its layer's ReLU, the second before. */
    static const char relu_after[] = "RR.RR.RRRRR";
    coordconv_value h = image;

    for (int32_t i = 0; i < l->count; i++) {
        h = coordconv_model_apply(m, l->items[i], h);
        if (relu_after[i] == 'R')
            h = coordconv_model_relu(m, h);
    }
    return coordconv_model_global_avg_pool(m, h);
}

/* ---- whole nets ---- */

static void make_layers(struct layers *l, enum net_kind kind, enum task task, enum split split)
{
    const int uniform = split == UNIFORM || split == UNIFORM_VALIDATION;

    if (kind == COORDCONV_NET)
        (task == CLASSIFICATION ? make_painter
         : task == RENDERING    ? make_renderer
                                : make_locator)(l);
    else
        (task != REGRESSION ? make_deconv : uniform ? make_pooling_conv : make_strided_conv)(l);
}

/* From the input to logits, or for regression to (x, y) / 64; *map is where rendering has it. */
static coordconv_value apply_layers(coordconv_model *m, const struct layers *l, enum net_kind kind,
                                    enum task task, enum split split, coordconv_value input,
                                    coordconv_value *map)
{
    const int uniform = split == UNIFORM || split == UNIFORM_VALIDATION;

    *map = COORDCONV_NO_VALUE;
    if (task == REGRESSION && kind == COORDCONV_NET)
        return apply_locator(m, l, input);
    if (task == REGRESSION)
        return (uniform ? apply_pooling_conv : apply_strided_conv)(m, l, input);
    if (kind == BASELINE)
        return apply_deconv(m, l, input);
    const coordconv_value drawn = apply_painter(m, l, input);
    if (task == CLASSIFICATION)
        return drawn;
    *map = drawn;
    return apply_stage_b(m, l, drawn);
}

static coordconv_value add_input(coordconv_model *m, const struct feed *feed)
{
    const int64_t image[4] = { -1, CANVAS, CANVAS, 1 };
    const int64_t pair[2] = { -1, 2 };
    const int64_t label = -1;

    if (feed->content == ONE_HOT || feed->content == SQUARE)
        return coordconv_model_input(m, feed->name, COORDCONV_F32, 4, image);
    if (feed->content == LABEL)
        return coordconv_model_input(m, feed->name, COORDCONV_I32, 1, &label);
    return coordconv_model_input(m, feed->name, COORDCONV_F32, 2, pair);
}

static void build_training(struct net *net, const struct layers *l, enum net_kind kind,
                           enum task task, enum split split)
{
    coordconv_model *m = net->training;
    coordconv_value inputs[MAX_FEEDS], map, loss;

    for (int32_t i = 0; i < net->feed_count; i++)
        inputs[i] = add_input(m, &net->feeds[i]);
    const coordconv_value answer = apply_layers(m, l, kind, task, split, inputs[0], &map);
    if (task == CLASSIFICATION)
        loss = coordconv_model_softmax_cross_entropy(m, answer, inputs[1]);
    else if (task == REGRESSION)
        loss = coordconv_model_mse(m, answer, inputs[1]);
    else
        loss = coordconv_model_sigmoid_cross_entropy(m, answer, inputs[1]);
    if (map != COORDCONV_NO_VALUE) {
        const coordconv_value extra = coordconv_model_softmax_cross_entropy(m, map, inputs[2]);
        loss = coordconv_model_add(m, loss, coordconv_model_scale(m, extra, map_loss_share));
    }
    coordconv_model_output(m, "answer", answer);
    coordconv_model_output(m, "loss", loss);
}

static void build_inference(struct net *net, const struct layers *l, enum net_kind kind,
                            enum task task, enum split split)
{
    coordconv_model *m = net->inference;
    const coordconv_value input = add_input(m, &net->input);
    coordconv_value map;
    coordconv_value answer = apply_layers(m, l, kind, task, split, input, &map);

    if (task == CLASSIFICATION)
        answer = coordconv_model_softmax(m, answer, 1u << 1 | 1u << 2);
    else if (task == REGRESSION)
        answer = coordconv_model_scale(m, answer, CANVAS);
    else
        answer = coordconv_model_sigmoid(m, answer);
    coordconv_model_output(m, net->output, answer);
}

static void choose_feeds(struct net *net, enum net_kind kind, enum task task)
{
    const enum content xy = kind == ANALYTIC ? XY : XY_SCALED;

    if (task == REGRESSION) {
        net->input = (struct feed){ "image", ONE_HOT };
        net->feeds[1] = (struct feed){ "target", XY_SHARE };
    } else {
        net->input = (struct feed){ "xy", xy };
        net->feeds[1] =
            task == RENDERING ? (struct feed){ "target", SQUARE } : (struct feed){ "label", LABEL };
        net->feeds[2] = (struct feed){ "label", LABEL };
    }
    net->feeds[0] = net->input;
    net->feed_count = task == RENDERING && kind == COORDCONV_NET ? 3 : 2;
    net->output = task == REGRESSION ? "xy" : "image";
}

static coordconv_status build_learned(struct net *net, coordconv_context *context,
                                      enum net_kind kind, enum task task, enum split split)
{
    struct layers l = { .context = context };
    coordconv_status status;

    make_layers(&l, kind, task, split);
    if ((status = l.status) == COORDCONV_OK &&
        (status = coordconv_model_new(context, &net->training)) == COORDCONV_OK &&
        (status = coordconv_model_new(context, &net->inference)) == COORDCONV_OK) {
        build_training(net, &l, kind, task, split);
        build_inference(net, &l, kind, task, split);
        if ((status = coordconv_model_status(net->training)) == COORDCONV_OK)
            status = coordconv_model_status(net->inference);
    }
    for (int32_t i = 0; i < l.count; i++)
        coordconv_layer_unref(l.items[i]);
    return status;
}

static coordconv_status build_analytic(struct net *net, coordconv_context *context, enum task task)
{
    if (task == CLASSIFICATION)
        return coordconv_analytic_xy_to_onehot(context, CANVAS, CANVAS, &net->inference);
    if (task == REGRESSION)
        return coordconv_analytic_onehot_to_xy(context, CANVAS, CANVAS, &net->inference);
    return coordconv_analytic_xy_to_rectangle(context, CANVAS, CANVAS, HALF, HALF, &net->inference);
}

coordconv_status net_new(struct net *net, coordconv_context *context, enum net_kind kind,
                         enum task task, enum split split)
{
    memset(net, 0, sizeof *net);
    choose_feeds(net, kind, task);
    const coordconv_status status = kind == ANALYTIC
                                        ? build_analytic(net, context, task)
                                        : build_learned(net, context, kind, task, split);
    if (status == COORDCONV_OK)
        net->parameters = coordconv_model_parameter_count(net->inference);
    if (status != COORDCONV_OK)
        net_free(net);
    return status;
}

void net_free(struct net *net)
{
    coordconv_model_unref(net->training);
    coordconv_model_unref(net->inference);
    memset(net, 0, sizeof *net);
}
