/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_nets.c - the region-proposal net of the CoordConv paper.
 */
#include "detect_nets.h"

#include "detect_anchors.h"

/* A net under construction: the first failure stays. */
struct builder {
    coordconv_context *context;
    coordconv_model *model;
    coordconv_status status;
};

/* Coordinates come in with weights of zero: both nets begin as the same function. */
static coordconv_status new_conv(struct builder *b, const coordconv_conv2d_desc *desc,
                                 uint32_t coords, coordconv_layer **out)
{
    coordconv_layer *plain = NULL;
    coordconv_status status = coordconv_conv2d_new(b->context, desc, &plain);

    if (status != COORDCONV_OK || coords == COORDCONV_COORDS_NONE) {
        *out = plain;
        return status;
    }
    status = coordconv_layer_with_coords(plain, coords, out);
    coordconv_layer_unref(plain);
    return status;
}

static coordconv_value add_conv(struct builder *b, coordconv_value x,
                                const coordconv_conv2d_desc *desc, uint32_t coords)
{
    coordconv_layer *layer = NULL;

    if (b->status == COORDCONV_OK)
        b->status = new_conv(b, desc, coords, &layer);
    if (b->status != COORDCONV_OK)
        return COORDCONV_NO_VALUE;
    const coordconv_value y = coordconv_model_apply(b->model, layer, x);
    coordconv_layer_unref(layer);
    return y;
}

static coordconv_conv2d_desc conv(int32_t in, int32_t out, int32_t kernel)
{
    return (coordconv_conv2d_desc){ .struct_size = sizeof(coordconv_conv2d_desc),
                                    .in_channels = in,
                                    .out_channels = out,
                                    .kernel = { kernel, kernel } };
}

static coordconv_value add_pooled(struct builder *b, coordconv_value x, int32_t in, int32_t out,
                                  uint32_t coords)
{
    const coordconv_pool2d_desc half = { .struct_size = sizeof half, .kernel = { 2, 2 } };
    const coordconv_conv2d_desc desc = conv(in, out, 5);

    x = coordconv_model_relu(b->model, add_conv(b, x, &desc, coords));
    return coordconv_model_max_pool2d(b->model, x, &half);
}

/* 3 x 3 on the map, which keeps its size. */
static coordconv_value add_same(struct builder *b, coordconv_value x, int32_t in, int32_t out,
                                uint32_t coords)
{
    coordconv_conv2d_desc desc = conv(in, out, 3);

    desc.padding = COORDCONV_SAME;
    return coordconv_model_relu(b->model, add_conv(b, x, &desc, coords));
}

/* The mover begins by leaving every anchor where it is. */
static coordconv_value add_mover(struct builder *b, coordconv_value x, uint32_t coords)
{
    coordconv_conv2d_desc desc = conv(32, ANCHOR_MOVES * ANCHOR_SHAPES, 1);

    desc.init = COORDCONV_INIT_ZEROS;
    return add_conv(b, add_same(b, x, 32, 32, COORDCONV_COORDS_NONE), &desc, coords);
}

/* Robust L1, summed over a box's four numbers, mean over the boxes that count. */
static coordconv_value add_move_loss(struct builder *b, coordconv_value moved)
{
    const int64_t shape[] = { -1, ANCHOR_SIDE, ANCHOR_SIDE, ANCHOR_MOVES * ANCHOR_SHAPES };
    const coordconv_value wanted =
        coordconv_model_input(b->model, "moves", COORDCONV_F32, 4, shape);
    const coordconv_value counts =
        coordconv_model_input(b->model, "counts", COORDCONV_F32, 4, shape);
    const coordconv_loss_desc desc = { .struct_size = sizeof desc,
                                       .kind = COORDCONV_LOSS_ROBUST_L1,
                                       .weighted = 1,
                                       .weight = counts };

    return coordconv_model_scale(b->model, coordconv_model_loss(b->model, moved, wanted, &desc),
                                 ANCHOR_MOVES);
}

static coordconv_value add_score_loss(struct builder *b, coordconv_value scores)
{
    const int64_t one_each = -1, pairs[] = { -1, 2 };
    const coordconv_value labels =
        coordconv_model_input(b->model, "labels", COORDCONV_I32, 1, &one_each);
    const coordconv_loss_desc desc = { .struct_size = sizeof desc,
                                       .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY,
                                       .ignore = 1 };

    return coordconv_model_loss(b->model, coordconv_model_reshape(b->model, scores, 2, pairs),
                                labels, &desc);
}

static void build(struct builder *b, uint32_t coords)
{
    const int64_t image[] = { -1, FIELD_SIDE, FIELD_SIDE, 1 };
    const coordconv_conv2d_desc scorer = conv(32, 2 * ANCHOR_SHAPES, 1);
    coordconv_value x = coordconv_model_input(b->model, "image", COORDCONV_F32, 4, image);

    x = add_pooled(b, x, 1, 32, coords);
    x = add_pooled(b, x, 32, 64, COORDCONV_COORDS_NONE);
    x = add_same(b, x, 64, 32, coords);
    const coordconv_value moved = add_mover(b, x, coords),
                          scores = add_conv(b, x, &scorer, COORDCONV_COORDS_NONE);
    coordconv_model_output(b->model, "moved", moved);
    coordconv_model_output(b->model, "scores", scores);
    coordconv_model_output(
        b->model, "loss",
        coordconv_model_add(b->model, add_move_loss(b, moved), add_score_loss(b, scores)));
}

coordconv_status detect_net_new(coordconv_context *context, int with_coords, coordconv_model **out)
{
    struct builder b = { .context = context };

    b.status = coordconv_model_new(context, &b.model);
    if (b.status == COORDCONV_OK)
        build(&b, with_coords ? COORDCONV_COORDS_XY : COORDCONV_COORDS_NONE);
    if (b.status == COORDCONV_OK)
        b.status = coordconv_model_status(b.model);
    if (b.status == COORDCONV_OK)
        *out = b.model;
    else
        coordconv_model_unref(b.model);
    return b.status;
}

coordconv_status detect_plan_new(coordconv_model *model, int32_t mode, int64_t batch,
                                 coordconv_plan **out)
{
    static const char *const outputs[] = { "moved", "scores" };
    const coordconv_input_shape labels = { .name = "labels",
                                           .ndim = 1,
                                           .shape = { batch * ANCHORS } };
    const int is_training = mode == COORDCONV_TRAINING;
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = mode,
                                       .batch = batch,
                                       .inputs = is_training ? &labels : NULL,
                                       .input_count = is_training,
                                       .outputs = is_training ? NULL : outputs,
                                       .output_count = is_training ? 0 : 2 };

    return coordconv_plan_new(model, &desc, out);
}
