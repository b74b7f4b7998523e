/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_nets.c - nets that halve their grid some times and say where the pixel is.
 */
#include "downsample_nets.h"

#include "downsample_data.h"

enum {
    DEPTH = 5
};

struct builder {
    coordconv_context *context;
    coordconv_model *model;
    const struct design *design;
    int stage; /* how often the grid has been halved */
    uint64_t seed;
    uint64_t drawn; /* tensors drawn so far */
    coordconv_status status;
};

static void keep(struct builder *b, coordconv_status status)
{
    if (b->status == COORDCONV_OK)
        b->status = status;
}

/* Coordinates on the grid behind b->stage stages. */
static coordconv_grid_desc grid_of(const struct builder *b)
{
    const int n = SIDE >> b->stage, step = 1 << b->stage;
    coordconv_grid_desc grid = { .struct_size = sizeof grid };

    if (b->design->places == CELLS)
        grid.sampling = COORDCONV_SAMPLING_CENTER;
    if (b->design->places == TRUE_PLACES && n > 1) {
        grid.low = -1;
        grid.high = 2.0 * step * (n - 1) / (SIDE - 1) - 1;
    }
    return grid;
}

/* Uniform between plus and minus 1 / sqrt(fan_in), as PyTorch begins with: variance
 * 1 / (3 fan_in), which is Glorot's for both fans three times as large. */
static void draw_as_pytorch(struct builder *b, coordconv_layer *layer)
{
    static const char *const names[] = { "weight", "bias" };
    int64_t fan = 0;

    for (int i = 0; i < 2 && b->status == COORDCONV_OK; i++) {
        coordconv_tensor *t = NULL;
        keep(b, coordconv_layer_parameter(layer, names[i], &t));
        if (i == 0)
            fan = coordconv_tensor_count(t) / coordconv_tensor_dim(t, 0);
        if (b->status == COORDCONV_OK)
            keep(b, coordconv_tensor_init(t, COORDCONV_INIT_GLOROT_UNIFORM, 0, 3 * fan, 3 * fan,
                                          b->seed * 1000 + b->drawn++));
        coordconv_tensor_unref(t);
    }
}

/* Weights of the two coordinates behind `in` channels: all 0, or of a 1x1 convolution to two
 * channels the identity. */
static void set_coordinate_weights(struct builder *b, coordconv_layer *layer, int32_t in,
                                   int identity)
{
    coordconv_tensor *weight = NULL;

    if (b->status == COORDCONV_OK)
        keep(b, coordconv_layer_parameter(layer, "weight", &weight));
    if (b->status != COORDCONV_OK)
        return;
    const int64_t out = coordconv_tensor_dim(weight, 0), channels = coordconv_tensor_dim(weight, 1);
    const int64_t taps = coordconv_tensor_count(weight) / (out * channels);
    float *w = coordconv_tensor_data(weight);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = in; i < channels; i++)
            for (int64_t t = 0; t < taps; t++)
                w[(o * channels + i) * taps + t] = identity && o == i - in ? 1 : 0;
    coordconv_tensor_unref(weight);
}

/* A convolution that keeps the grid, or (stride 2) halves it. */
static coordconv_layer *make_conv(struct builder *b, int32_t in, int32_t out, int stride,
                                  int has_coords)
{
    const struct design *design = b->design;
    const int32_t kernel = stride == 2 ? 3 : 1, pad = kernel / 2;
    const coordconv_grid_desc grid = grid_of(b);
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = has_coords ? (uint32_t)COORDCONV_COORDS_XY : 0,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .pads = { pad, pad, pad, pad },
                                         .grid = &grid };
    coordconv_layer *layer = NULL;

    keep(b, coordconv_conv2d_new(b->context, &desc, &layer));
    if (design->start == PYTORCH)
        draw_as_pytorch(b, layer);
    if (has_coords && (design->from_zero || design->where == AT_END))
        set_coordinate_weights(b, layer, in, design->where == AT_END);
    return layer;
}

/* Apply a layer and drop it: the model keeps it. */
static coordconv_value apply(struct builder *b, coordconv_layer *layer, coordconv_value x)
{
    const coordconv_value y = coordconv_model_apply(b->model, layer, x);

    coordconv_layer_unref(layer);
    return y;
}

static int sees_coordinates(const struct builder *b, int layer)
{
    switch (b->design->where) {
    case AT_INPUT:
        return layer == 0;
    case EVERYWHERE:
        return 1;
    case BEHIND_STAGES:
        return b->stage > 0;
    case NOWHERE:
    case AT_END:
        break;
    }
    return 0;
}

static coordconv_value batch_norm(struct builder *b, coordconv_value x)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = CHANNELS };
    coordconv_layer *layer = NULL;

    keep(b, coordconv_batch_norm_new(b->context, &desc, &layer));
    return apply(b, layer, x);
}

static coordconv_value add_convs(struct builder *b, coordconv_value x, int stages)
{
    for (int i = 0; i < DEPTH; i++) {
        const int stride = i < stages ? 2 : 1;
        coordconv_layer *layer =
            make_conv(b, i == 0 ? 1 : CHANNELS, CHANNELS, stride, sees_coordinates(b, i));

        if (i == 0)
            keep(b, coordconv_layer_set_name(layer, "first"));
        x = apply(b, layer, x);
        if (b->design->batch_norm)
            x = batch_norm(b, x);
        x = coordconv_model_relu(b->model, x);
        b->stage += stride - 1;
    }
    return x;
}

/* The mean of what samples say, by how much they count. */
static coordconv_value add_answer(struct builder *b, coordconv_value x)
{
    const coordconv_value counts = apply(b, make_conv(b, CHANNELS, 1, 1, 0), x);
    const coordconv_value share = coordconv_model_softmax(b->model, counts, 1u << 1 | 1u << 2);
    const coordconv_value twice[2] = { share, share };
    const coordconv_value says =
        apply(b, make_conv(b, CHANNELS, 2, 1, b->design->where == AT_END), x);
    const coordconv_value product =
        coordconv_model_multiply(b->model, coordconv_model_concat(b->model, 2, twice, 3), says);

    return coordconv_model_global_sum_pool(b->model, product);
}

coordconv_status net_new(coordconv_context *context, const struct design *design, int stages,
                         uint64_t seed, coordconv_model **model)
{
    const int64_t image[4] = { -1, SIDE, SIDE, 1 }, pair[2] = { -1, 2 };
    struct builder b = { .context = context, .design = design, .seed = seed };

    b.status = coordconv_model_new(context, &b.model);
    if (b.status != COORDCONV_OK)
        return b.status;
    coordconv_value x = coordconv_model_input(b.model, "image", COORDCONV_F32, 4, image);
    const coordconv_value target = coordconv_model_input(b.model, "target", COORDCONV_F32, 2, pair);
    x = add_answer(&b, add_convs(&b, x, stages));
    coordconv_model_output(b.model, "xy", x);
    coordconv_model_output(b.model, "loss", coordconv_model_mse(b.model, x, target));
    keep(&b, coordconv_model_status(b.model));
    if (b.status == COORDCONV_OK)
        *model = b.model;
    else
        coordconv_model_unref(b.model);
    return b.status;
}
