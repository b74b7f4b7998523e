/* SPDX-License-Identifier: BSD-2-Clause */
#include "resnet.h"

const struct resnet resnet_50 = { { 3, 4, 6, 3 }, 64, 1000, 0 };

/* A model under construction. */
struct builder {
    coordconv_context *context;
    coordconv_model *model;
};

/* Apply a layer and drop it: the model keeps it. A layer that could not be made poisons. */
static coordconv_value apply(struct builder *b, coordconv_layer *layer, coordconv_value x)
{
    const coordconv_value y = coordconv_model_apply(b->model, layer, x);

    coordconv_layer_unref(layer);
    return y;
}

/* Convolution and batch norm. */
static coordconv_value conv(struct builder *b, coordconv_value x, int32_t in, int32_t out,
                            int32_t kernel, int32_t stride, uint32_t coords)
{
    const int32_t pad = kernel / 2;
    const coordconv_conv2d_desc conv_desc = { .struct_size = sizeof conv_desc,
                                              .coords = coords,
                                              .in_channels = in,
                                              .out_channels = out,
                                              .kernel = { kernel, kernel },
                                              .stride = { stride, stride },
                                              .pads = { pad, pad, pad, pad },
                                              .no_bias = 1 };
    const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc,
                                                  .channels = out };
    coordconv_layer *layer = NULL, *norm = NULL;

    coordconv_conv2d_new(b->context, &conv_desc, &layer);
    coordconv_batch_norm_new(b->context, &norm_desc, &norm);
    return apply(b, norm, apply(b, layer, x));
}

/* 1x1, 3x3 (with the stride), 1x1 to four times the width, and a shortcut. */
static coordconv_value bottleneck(struct builder *b, coordconv_value x, int32_t in, int32_t width,
                                  int32_t stride, uint32_t coords)
{
    coordconv_value y = coordconv_model_relu(b->model, conv(b, x, in, width, 1, 1, coords));

    y = coordconv_model_relu(b->model, conv(b, y, width, width, 3, stride, 0));
    y = conv(b, y, width, 4 * width, 1, 1, 0);
    if (stride != 1 || in != 4 * width)
        x = conv(b, x, in, 4 * width, 1, stride, 0);
    return coordconv_model_relu(b->model, coordconv_model_add(b->model, y, x));
}

static coordconv_value head(struct builder *b, coordconv_value x, int32_t in, int32_t classes)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = classes };
    coordconv_layer *layer = NULL;

    coordconv_linear_new(b->context, &desc, &layer);
    return apply(b, layer, coordconv_model_global_avg_pool(b->model, x));
}

coordconv_model *resnet_new(coordconv_context *context, const struct resnet *net)
{
    const int64_t shape[4] = { -1, -1, -1, 3 };
    const coordconv_pool2d_desc pool = {
        .struct_size = sizeof pool, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }
    };
    struct builder b = { .context = context };
    int32_t in = net->width, width = net->width;

    if (coordconv_model_new(context, &b.model) != COORDCONV_OK)
        return NULL;
    coordconv_value x = coordconv_model_input(b.model, "image", COORDCONV_F32, 4, shape);
    x = coordconv_model_relu(b.model, conv(&b, x, 3, in, 7, 2, net->coords));
    x = coordconv_model_max_pool2d(b.model, x, &pool);
    for (int stage = 0; stage < 4; stage++, width *= 2) {
        for (int32_t i = 0; i < net->blocks[stage]; i++) {
            x = bottleneck(&b, x, in, width, i == 0 && stage > 0 ? 2 : 1, i == 0 ? net->coords : 0);
            in = 4 * width;
        }
    }
    coordconv_model_output(b.model, "logits", head(&b, x, in, net->classes));
    return b.model;
}

size_t resnet_most_alive(size_t batch, size_t side, int32_t width)
{
    const size_t s = side / 4, w = (size_t)width;

    return batch * (s * s * (4 * w + 2 * w) + s / 2 * (s / 2) * 2 * w) * sizeof(float);
}
