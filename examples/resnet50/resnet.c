/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet.c - a residual network of bottlenecks, from the public API.
 */
#include "resnet.h"

#include <stdio.h>

const struct resnet resnet_50 = { .blocks = { 3, 4, 6, 3 }, .width = 64, .classes = 1000 };

/* A model under construction. */
struct builder {
    coordconv_context *context;
    coordconv_model *model;
    char prefix[32]; /* of the names of layers, as "layer2.0." */
};

/* A convolution and the batch norm behind it. */
struct unit {
    const char *conv, *norm; /* their names behind the prefix */
    int32_t in, out, kernel, stride;
    uint32_t coords;
};

/* Name a layer, apply it and drop it: the model keeps it. A layer that could not be made or named
 * poisons. */
static coordconv_value apply(struct builder *b, coordconv_layer *layer, const char *name,
                             coordconv_value x)
{
    char whole[64];

    snprintf(whole, sizeof whole, "%s%s", b->prefix, name);
    const int named = coordconv_layer_set_name(layer, whole) == COORDCONV_OK;
    const coordconv_value y = coordconv_model_apply(b->model, named ? layer : NULL, x);
    coordconv_layer_unref(layer);
    return y;
}

static coordconv_value conv(struct builder *b, coordconv_value x, const struct unit *u)
{
    const int32_t pad = u->kernel / 2;
    const coordconv_conv2d_desc conv_desc = { .struct_size = sizeof conv_desc,
                                              .coords = u->coords,
                                              .in_channels = u->in,
                                              .out_channels = u->out,
                                              .kernel = { u->kernel, u->kernel },
                                              .stride = { u->stride, u->stride },
                                              .pads = { pad, pad, pad, pad },
                                              .no_bias = 1 };
    const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc,
                                                  .channels = u->out };
    coordconv_layer *layer = NULL, *norm = NULL;

    coordconv_conv2d_new(b->context, &conv_desc, &layer);
    coordconv_batch_norm_new(b->context, &norm_desc, &norm);
    return apply(b, norm, u->norm, apply(b, layer, u->conv, x));
}

/* 1x1, 3x3 (with the stride), 1x1 to four times the width, and a shortcut. */
static coordconv_value bottleneck(struct builder *b, coordconv_value x, int32_t in, int32_t width,
                                  int32_t stride, uint32_t coords)
{
    const int32_t out = 4 * width;
    const struct unit reduce = { "conv1", "bn1", in, width, 1, 1, coords };
    const struct unit look = { "conv2", "bn2", width, width, 3, stride, 0 };
    const struct unit expand = { "conv3", "bn3", width, out, 1, 1, 0 };
    const struct unit shortcut = { "downsample.0", "downsample.1", in, out, 1, stride, 0 };
    coordconv_value y = coordconv_model_relu(b->model, conv(b, x, &reduce));

    y = coordconv_model_relu(b->model, conv(b, y, &look));
    y = conv(b, y, &expand);
    if (stride != 1 || in != out)
        x = conv(b, x, &shortcut);
    return coordconv_model_relu(b->model, coordconv_model_add(b->model, y, x));
}

/* The paper's extra layer. */
static coordconv_value extra_layer(struct builder *b, const struct resnet *net, coordconv_value x)
{
    const coordconv_convention_desc *convention = net->convention;
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = convention != NULL
                                                       ? convention->coords
                                                       : (uint32_t)COORDCONV_COORDS_XY |
                                                             COORDCONV_COORDS_RADIUS,
                                         .in_channels = 3,
                                         .out_channels = net->extra,
                                         .kernel = { 1, 1 },
                                         .grid = convention != NULL ? &convention->grid : NULL };
    coordconv_layer *layer = NULL;

    coordconv_conv2d_new(b->context, &desc, &layer);
    return apply(b, layer, "coordconv", x);
}

static coordconv_value stem(struct builder *b, const struct resnet *net, coordconv_value x)
{
    const struct unit first = { "conv1", "bn1",      net->extra > 0 ? net->extra : 3, net->width, 7,
                                2,       net->coords };
    const coordconv_pool2d_desc pool = {
        .struct_size = sizeof pool, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }
    };

    if (net->extra > 0)
        x = extra_layer(b, net, x);
    x = coordconv_model_relu(b->model, conv(b, x, &first));
    return coordconv_model_max_pool2d(b->model, x, &pool);
}

static coordconv_value head(struct builder *b, coordconv_value x, int32_t in, int32_t classes)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = classes };
    coordconv_layer *layer = NULL;

    coordconv_linear_new(b->context, &desc, &layer);
    return apply(b, layer, "fc", coordconv_model_global_avg_pool(b->model, x));
}

coordconv_model *resnet_new(coordconv_context *context, const struct resnet *net,
                            coordconv_value *logits)
{
    const int64_t shape[4] = { -1, -1, -1, 3 };
    struct builder b = { .context = context };
    int32_t in = net->width, width = net->width;

    if (coordconv_model_new(context, &b.model) != COORDCONV_OK)
        return NULL;
    coordconv_value x = coordconv_model_input(b.model, "image", COORDCONV_F32, 4, shape);
    x = stem(&b, net, x);
    for (int stage = 0; stage < 4; stage++, width *= 2) {
        for (int32_t i = 0; i < net->blocks[stage]; i++) {
            snprintf(b.prefix, sizeof b.prefix, "layer%d.%d.", stage + 1, (int)i);
            x = bottleneck(&b, x, in, width, i == 0 && stage > 0 ? 2 : 1, i == 0 ? net->coords : 0);
            in = 4 * width;
        }
    }
    b.prefix[0] = '\0';
    x = head(&b, x, in, net->classes);
    coordconv_model_output(b.model, "logits", x);
    if (logits != NULL)
        *logits = x;
    return b.model;
}

size_t resnet_most_alive(size_t batch, size_t side, int32_t width)
{
    const size_t s = side / 4, w = (size_t)width;

    return batch * (s * s * (4 * w + 2 * w) + s / 2 * (s / 2) * 2 * w) * sizeof(float);
}
