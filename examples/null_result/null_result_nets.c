/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_nets.c - a small ResNet, layer by layer.
 */
#include "null_result_nets.h"

#include <string.h>

enum {
    FRONT_CHANNELS = 8,
    FIRST_CHANNELS = 16,
    SECOND_CHANNELS = 32
};

static const uint32_t front_coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS;

const char *front_name(enum front front)
{
    static const char *const names[FRONTS] = { "resnet", "conv first", "coordconv first" };

    return names[front];
}

/* A value of the graph with what is known of its shape. */
struct map {
    coordconv_value value;
    int32_t height, width, channels;
};

struct builder {
    coordconv_context *context;
    struct net *net;
    coordconv_status status; /* the first that was not OK */
};

/* Put a layer into the graph; the model keeps it. */
static coordconv_value apply(struct builder *b, coordconv_status status, coordconv_layer *layer,
                             coordconv_value x)
{
    if (b->status == COORDCONV_OK)
        b->status = status;
    const coordconv_value y = b->status == COORDCONV_OK
                                  ? coordconv_model_apply(b->net->model, layer, x)
                                  : COORDCONV_NO_VALUE;
    coordconv_layer_unref(layer);
    return y;
}

/* Forward, and backward as much again for the weights and for the input, where that has a
 * gradient. */
static void count(struct net *net, double products, int has_gradient)
{
    net->inference_operations += 2 * products;
    net->training_operations += 2 * products * (has_gradient ? 3 : 2);
}

static coordconv_layer *make_conv(struct builder *b, int32_t in, int32_t out, int32_t kernel,
                                  int32_t stride, uint32_t coords, int no_bias)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .padding = COORDCONV_SAME,
                                         .no_bias = no_bias };
    coordconv_layer *conv = NULL;

    if (b->status == COORDCONV_OK)
        b->status = coordconv_conv2d_new(b->context, &desc, &conv);
    return conv;
}

static struct map apply_conv(struct builder *b, coordconv_layer *conv, struct map x, int32_t out,
                             int32_t kernel, int32_t stride, int has_gradient)
{
    const int32_t seen = x.channels + coordconv_coords_channels(coordconv_layer_coords(conv));
    const struct map y = { apply(b, COORDCONV_OK, conv, x.value), (x.height + stride - 1) / stride,
                           (x.width + stride - 1) / stride, out };

    count(b->net, (double)seen * kernel * kernel * out * y.height * y.width, has_gradient);
    return y;
}

static struct map conv_and_norm(struct builder *b, struct map x, int32_t out, int32_t kernel,
                                int32_t stride, int has_gradient)
{
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = out };
    coordconv_layer *conv = make_conv(b, x.channels, out, kernel, stride, COORDCONV_COORDS_NONE, 1);
    struct map y = apply_conv(b, conv, x, out, kernel, stride, has_gradient);
    coordconv_layer *layer = NULL;
    const coordconv_status status = coordconv_batch_norm_new(b->context, &norm, &layer);

    y.value = apply(b, status, layer, y.value);
    return y;
}

static struct map relu(struct builder *b, struct map x)
{
    x.value = coordconv_model_relu(b->net->model, x.value);
    return x;
}

/* Two convolutions beside the input, which is brought to the same shape where it must be. */
static struct map block(struct builder *b, struct map x, int32_t out, int32_t stride)
{
    struct map y = relu(b, conv_and_norm(b, x, out, 3, stride, 1));
    struct map beside = x;

    y = conv_and_norm(b, y, out, 3, 1, 1);
    if (stride != 1 || x.channels != out)
        beside = conv_and_norm(b, x, out, 1, stride, 1);
    y.value = coordconv_model_add(b->net->model, y.value, beside.value);
    return relu(b, y);
}

static coordconv_value linear(struct builder *b, coordconv_value x, int32_t in, int32_t out)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = out };
    coordconv_layer *layer = NULL;
    const coordconv_status status = coordconv_linear_new(b->context, &desc, &layer);

    count(b->net, (double)in * out, 1);
    return apply(b, status, layer, x);
}

/* Made in any case: the layers after it are drawn alike for all fronts. */
static struct map apply_front(struct builder *b, enum front front, struct map image)
{
    coordconv_layer *layer = make_conv(b, image.channels, FRONT_CHANNELS, 1, 1,
                                       front == COORDCONV_FRONT ? front_coords : 0, 0);

    if (front == NOTHING) {
        coordconv_layer_unref(layer);
        return image;
    }
    return apply_conv(b, layer, image, FRONT_CHANNELS, 1, 1, 0);
}

static void build(struct builder *b, enum front front, int height, int width, int classes)
{
    coordconv_model *m = b->net->model;
    const int64_t shape[4] = { -1, height, width, 1 }, one = -1;
    const coordconv_value label = coordconv_model_input(m, "label", COORDCONV_I32, 1, &one);
    const struct map image = { coordconv_model_input(m, "strip", COORDCONV_F32, 4, shape), height,
                               width, 1 };
    struct map h = apply_front(b, front, image);

    h = relu(b, conv_and_norm(b, h, FIRST_CHANNELS, 3, 2, front != NOTHING));
    h = block(b, h, FIRST_CHANNELS, 1);
    h = block(b, h, SECOND_CHANNELS, 2);
    const coordconv_value mean = coordconv_model_global_avg_pool(m, h.value);
    const coordconv_value logits = linear(b, mean, h.channels, classes);
    coordconv_model_output(m, "logits", logits);
    coordconv_model_output(m, "loss", coordconv_model_softmax_cross_entropy(m, logits, label));
    if (b->status == COORDCONV_OK)
        b->status = coordconv_model_status(m);
}

coordconv_status net_new(struct net *net, coordconv_context *context, enum front front, int height,
                         int width, int classes)
{
    struct builder b = { .context = context, .net = net };

    memset(net, 0, sizeof *net);
    b.status = coordconv_model_new(context, &net->model);
    if (b.status == COORDCONV_OK)
        build(&b, front, height, width, classes);
    if (b.status != COORDCONV_OK)
        net_free(net);
    return b.status;
}

void net_free(struct net *net)
{
    coordconv_model_unref(net->model);
    memset(net, 0, sizeof *net);
}
