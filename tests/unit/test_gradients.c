/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_gradients.c - every layer, and graphs of them, against central differences.
 *
 * Linked against the sources built with CCONV_DOUBLE.
 */
#include "gradient_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/context.h"
#include "fixture.h"

/* ---- layers ---- */

static coordconv_layer *new_conv(const coordconv_conv2d_desc *desc)
{
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, desc, &layer));
    return layer;
}

static coordconv_layer *plain_conv(int32_t in, int32_t out, int32_t kernel, uint32_t coords)
{
    return new_plain_conv(context, in, out, kernel, coords);
}

/* 0 .. bound - 1 */
static int32_t pick(uint64_t *state, int32_t bound)
{
    return (int32_t)((test_random(state) + 1.0) / 2.0 * bound);
}

/* A crop, a mirrored or resized part of a larger image. */
static coordconv_frame_desc draw_frame(uint64_t *state)
{
    return (coordconv_frame_desc){ .struct_size = sizeof(coordconv_frame_desc),
                                   .y = 0.5 * pick(state, 9) - 2,
                                   .x = pick(state, 9) - 2,
                                   .step_y = pick(state, 2) ? 0 : 0.75,
                                   .step_x = pick(state, 2) ? 0 : -1,
                                   .height = 30 + pick(state, 9),
                                   .width = 30 + pick(state, 9) };
}

/* A frame for each signal, image or volume of the first input. */
static void draw_frames(struct net *net, int32_t ndim, int64_t count, uint64_t seed)
{
    uint64_t state = seed;

    assert_in_range(count, 1, NET_MAX);
    net->frame_count = count;
    for (int64_t i = 0; i < count; i++) {
        coordconv_frame_desc *f = &net->frames[i];

        *f = draw_frame(&state);
        if (ndim < 4) {
            f->y = f->step_y = 0;
            f->height = 0;
        }
        if (ndim < 5)
            continue;
        f->z = 0.25 * pick(&state, 9);
        f->step_z = pick(&state, 2) ? -1 : 0;
        f->depth = 20 + pick(&state, 9);
        if (i > 0 && pick(&state, 2))
            *f = f[-1];
    }
}

/* A layer in a net of its own, of images that each lie in a way of their own. */
static void check_framed(coordconv_layer *layer, int32_t ndim, const int64_t *shape, uint64_t seed)
{
    struct net net;

    net_begin(&net, context, seed + 30);
    draw_frames(&net, ndim, shape[0], seed);
    coordconv_layer_ref(layer);
    const coordconv_value framed = net_apply(&net, layer, net_input(&net, ndim, shape));
    check_gradient(net_check(&net, net_sum(&net, framed)));
}

/* Both ways: by itself and in a model, there of images with frames too. Volumes have an activation,
 * which is fused with the layer. */
static void check_both(coordconv_layer *layer, int32_t ndim, const int64_t *shape, uint64_t seed)
{
    struct net net;

    test_fill_layer(layer, seed);
    check_gradient(check_layer(context, layer, ndim, shape, seed + 10));
    net_begin(&net, context, seed + 20);
    const coordconv_value x = net_input(&net, ndim, shape);
    coordconv_layer_ref(layer);
    const coordconv_value y = net_apply(&net, layer, x);
    check_gradient(net_check(
        &net, net_sum(&net, ndim == 5 ? coordconv_model_leaky_relu(net.model, y, 0.3) : y)));
    if (coordconv_layer_coords(layer) != 0)
        check_framed(layer, ndim, shape, seed);
    coordconv_layer_unref(layer);
}

/* Everything of a convolution drawn at random; H and W differ. */
struct draw {
    int64_t shape[4];
    coordconv_conv2d_desc conv;
    int32_t output_padding[2];
    int32_t has_grid;
    coordconv_grid_desc grid;
};

static struct draw draw_conv(uint64_t *state)
{
    static const uint32_t coords[] = { 0,
                                       COORDCONV_COORDS_XY,
                                       COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
                                       COORDCONV_COORDS_RADIUS,
                                       COORDCONV_COORDS_X,
                                       COORDCONV_COORDS_Y | COORDCONV_COORDS_RADIUS,
                                       COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL,
                                       COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS |
                                           COORDCONV_COORDS_PIXEL };
    const int32_t groups = pick(state, 3) == 0 ? 2 : 1;
    const int32_t height = 1 + pick(state, 6);
    struct draw d = { .conv = { .struct_size = sizeof d.conv, .groups = groups } };

    d.conv.in_channels = groups * (1 + pick(state, 3));
    d.conv.out_channels = groups * (1 + pick(state, 3));
    d.conv.coords = groups == 1 ? coords[pick(state, COUNT(coords))] : 0;
    d.conv.padding = pick(state, 3) == 0 ? COORDCONV_SAME : COORDCONV_PADDING_EXPLICIT;
    d.conv.no_bias = pick(state, 4) == 0;
    d.grid = (coordconv_grid_desc){ .struct_size = sizeof d.grid,
                                    .sampling = pick(state, 5),
                                    .low = -pick(state, 3),
                                    .high = 1 + pick(state, 3),
                                    .radius = pick(state, 3),
                                    .single = pick(state, 2) };
    if ((d.conv.coords & COORDCONV_COORDS_PIXEL) != 0)
        d.grid.sampling = 0;
    d.has_grid = pick(state, 2);
    for (int i = 0; i < 2; i++) {
        d.conv.kernel[i] = 1 + pick(state, 4);
        d.conv.stride[i] = 1 + pick(state, 3);
        d.conv.dilation[i] = 1 + pick(state, 2);
        d.output_padding[i] = pick(state, d.conv.stride[i]);
    }
    for (int i = 0; i < 4 && d.conv.padding == COORDCONV_PADDING_EXPLICIT; i++)
        d.conv.pads[i] = pick(state, 3);
    d.shape[0] = 1 + pick(state, 3);
    d.shape[1] = height;
    d.shape[2] = height + 1 + pick(state, 3);
    d.shape[3] = d.conv.in_channels;
    return d;
}

static coordconv_layer *new_transpose(const struct draw *d)
{
    const coordconv_conv2d_desc *c = &d->conv;
    coordconv_conv_transpose2d_desc desc = { .struct_size = sizeof desc,
                                             .coords = c->coords,
                                             .in_channels = c->in_channels,
                                             .out_channels = c->out_channels,
                                             .padding = c->padding,
                                             .groups = c->groups,
                                             .no_bias = c->no_bias,
                                             .grid = c->grid };
    coordconv_layer *layer = NULL;

    memcpy(desc.kernel, c->kernel, sizeof desc.kernel);
    memcpy(desc.stride, c->stride, sizeof desc.stride);
    memcpy(desc.dilation, c->dilation, sizeof desc.dilation);
    memcpy(desc.pads, c->pads, sizeof desc.pads);
    if (c->padding == COORDCONV_PADDING_EXPLICIT)
        memcpy(desc.output_padding, d->output_padding, sizeof desc.output_padding);
    check_ok(coordconv_conv_transpose2d_new(context, &desc, &layer));
    return layer;
}

/* Check `wanted` random layers; draws whose kernel does not fit do not count. */
static void check_draws(uint64_t seed, int transposed, int wanted)
{
    uint64_t state = seed;

    for (int tried = 0, done = 0; done < wanted; tried++) {
        int64_t out[4];
        struct draw d = draw_conv(&state);

        d.conv.grid = d.has_grid ? &d.grid : NULL;
        coordconv_layer *layer = transposed ? new_transpose(&d) : new_conv(&d.conv);
        assert_true(tried < 10 * wanted);
        if (coordconv_layer_output_shape(layer, 4, d.shape, out) != COORDCONV_OK) {
            coordconv_layer_unref(layer);
            continue;
        }
        snprintf(subject, sizeof subject,
                 "[%d,%d,%d,%d] to %d channels, coords %u, kernel %dx%d, stride %dx%d, "
                 "dilation %dx%d, padding %d (%d %d %d %d), groups %d",
                 (int)d.shape[0], (int)d.shape[1], (int)d.shape[2], (int)d.shape[3],
                 (int)d.conv.out_channels, (unsigned)d.conv.coords, (int)d.conv.kernel[0],
                 (int)d.conv.kernel[1], (int)d.conv.stride[0], (int)d.conv.stride[1],
                 (int)d.conv.dilation[0], (int)d.conv.dilation[1], (int)d.conv.padding,
                 (int)d.conv.pads[0], (int)d.conv.pads[1], (int)d.conv.pads[2], (int)d.conv.pads[3],
                 (int)d.conv.groups);
        context->small_map = done % 2 == 0 ? CCONV_SMALL_MAP : 0;
        check_both(layer, 4, d.shape, seed + (uint64_t)tried);
        done++;
    }
}

static void convolutions(void **state)
{
    (void)state;
    check_draws(1, 0, 60);
}

static void transposed_convolutions(void **state)
{
    (void)state;
    check_draws(2, 1, 60);
}

/* More channels than one panel of any kernel holds. */
static void wide_convolutions(void **state)
{
    const int64_t shape[4] = { 1, 3, 4, 19 };
    (void)state;

    check_both(plain_conv(19, 35, 3, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS), 4, shape, 3);
    check_both(plain_conv(19, 1, 1, COORDCONV_COORDS_XY), 4, shape, 4);
}

static void depthwise_convolutions(void **state)
{
    const int64_t shape[4] = { 2, 4, 5, 6 };
    struct draw d = { .conv = { .struct_size = sizeof d.conv,
                                .in_channels = 6,
                                .out_channels = 12,
                                .groups = 6,
                                .kernel = { 3, 2 },
                                .stride = { 2, 1 },
                                .dilation = { 1, 1 },
                                .pads = { 1, 0, 2, 1 } } };
    (void)state;

    check_both(new_conv(&d.conv), 4, shape, 5);
    check_both(new_transpose(&d), 4, shape, 6);
}

static void linear(void **state)
{
    const int64_t flat[2] = { 3, 7 }, image[4] = { 2, 3, 2, 7 };
    (void)state;

    check_both(new_linear(context, 7, 5, 0), 2, flat, 7);
    check_both(new_linear(context, 7, 1, 1), 2, flat, 8);
    check_both(new_linear(context, 7, 20, 0), 4, image, 9);
}

static void batch_norm(void **state)
{
    const int64_t flat[2] = { 5, 3 }, image[4] = { 2, 3, 4, 5 };
    (void)state;

    check_both(new_batch_norm(context, 3), 2, flat, 10);
    check_both(new_batch_norm(context, 5), 4, image, 11);
}

/* By itself, and with an activation in its work. */
static void group_norm(void **state)
{
    const int64_t flat[2] = { 5, 6 }, image[4] = { 2, 3, 4, 6 };
    struct net net;
    (void)state;

    check_both(new_group_norm(context, 6, 2), 2, flat, 12);
    for (int32_t groups = 1; groups <= 6; groups++) {
        if (6 % groups == 0)
            check_both(new_group_norm(context, 6, groups), 4, image, 13 + (uint64_t)groups);
    }
    net_begin(&net, context, 20);
    coordconv_value y = net_apply(&net, plain_conv(6, 4, 3, 0), net_input(&net, 4, image));
    y = coordconv_model_leaky_relu(net.model, net_apply(&net, new_group_norm(context, 4, 2), y),
                                   0.2);
    check_gradient(net_check(&net, net_sum(&net, y)));
}

/* ---- graphs ---- */

/* A convolution feeds an activation and something else: nothing may be fused over that. */
static void value_used_twice(void **state)
{
    const int64_t shape[4] = { 2, 3, 4, 2 };
    struct net net;
    (void)state;

    net_begin(&net, context, 400);
    coordconv_value y = net_apply(&net, plain_conv(2, 3, 3, 0), net_input(&net, 4, shape));
    const coordconv_value relu = coordconv_model_relu(net.model, y);
    coordconv_model_output(net.model, "before", y);
    y = coordconv_model_add(net.model, coordconv_model_tanh(net.model, y), relu);
    y = coordconv_model_add(net.model, y, coordconv_model_sigmoid(net.model, relu));
    check_gradient(net_check(&net, net_sum(&net, y)));
}

static void shared_layer(void **state)
{
    const int64_t shape[4] = { 2, 4, 5, 2 };
    coordconv_layer *conv = plain_conv(2, 2, 3, COORDCONV_COORDS_XY);
    coordconv_layer *norm = new_batch_norm(context, 2);
    struct net net;
    (void)state;

    test_fill_layer(conv, 410);
    test_fill_layer(norm, 411);
    net_begin(&net, context, 412);
    coordconv_value y = net_input(&net, 4, shape);
    for (int i = 0; i < 3; i++)
        y = coordconv_model_relu(
            net.model,
            coordconv_model_apply(net.model, norm, coordconv_model_apply(net.model, conv, y)));
    assert_int_equal(coordconv_model_layer_count(net.model), 2);
    check_gradient(net_check(&net, net_sum(&net, y)));
    coordconv_layer_unref(conv);
    coordconv_layer_unref(norm);
}

/* One layer at two image sizes: two sets of sizes, one set of weights. */
static void shared_layer_of_two_sizes(void **state)
{
    const int64_t large[4] = { 2, 6, 4, 2 }, small[4] = { 2, 3, 2, 2 };
    coordconv_layer *conv = plain_conv(2, 3, 3, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS);
    struct net net;
    (void)state;

    test_fill_layer(conv, 420);
    net_begin(&net, context, 421);
    coordconv_value a = net_input(&net, 4, large), b = net_input(&net, 4, small);
    a = coordconv_model_global_avg_pool(net.model, coordconv_model_apply(net.model, conv, a));
    b = coordconv_model_global_avg_pool(net.model, coordconv_model_apply(net.model, conv, b));
    check_gradient(net_check(&net, net_sum(&net, coordconv_model_multiply(net.model, a, b))));
    coordconv_layer_unref(conv);
}

static void residual_net(void **state)
{
    const int64_t shape[4] = { 2, 5, 6, 3 };
    struct net net;
    (void)state;

    net_begin(&net, context, 430);
    coordconv_value x = net_input(&net, 4, shape);
    for (int i = 0; i < 2; i++) {
        coordconv_value h = net_apply(&net, plain_conv(3, 4, 3, COORDCONV_COORDS_XY), x);
        h = coordconv_model_relu(net.model, net_apply(&net, new_batch_norm(context, 4), h));
        h = net_apply(&net, plain_conv(4, 3, 1, 0), h);
        x = coordconv_model_leaky_relu(net.model, coordconv_model_add(net.model, h, x), 0.1);
    }
    x = coordconv_model_flatten(net.model, coordconv_model_global_max_pool(net.model, x), 1);
    x = net_apply(&net, new_linear(context, 3, 4, 0), x);
    check_gradient(net_check(
        &net, coordconv_model_softmax_cross_entropy(net.model, x, net_labels(&net, 2, 4))));
}

/* Down and up again with the two halves joined. */
static void hourglass_net(void **state)
{
    const int64_t shape[4] = { 2, 4, 6, 2 };
    const struct draw up = { .conv = { .struct_size = sizeof up.conv,
                                       .in_channels = 4,
                                       .out_channels = 3,
                                       .kernel = { 2, 2 },
                                       .stride = { 2, 2 } } };
    const coordconv_pool2d_desc halve_desc = { .struct_size = sizeof halve_desc,
                                               .kernel = { 2, 2 } };
    struct net net;
    (void)state;

    net_begin(&net, context, 440);
    coordconv_value parts[2] = { 0, 0 };
    parts[0] = net_apply(&net, plain_conv(2, 4, 3, 0), net_input(&net, 4, shape));
    parts[0] = coordconv_model_relu(net.model, parts[0]);
    parts[1] = coordconv_model_max_pool2d(net.model, parts[0], &halve_desc);
    parts[1] = coordconv_model_relu(net.model, net_apply(&net, new_transpose(&up), parts[1]));
    coordconv_value y = coordconv_model_concat(net.model, 2, parts, 3);
    y = net_apply(&net, plain_conv(7, 1, 1, COORDCONV_COORDS_XY), y);
    check_gradient(net_check(
        &net, coordconv_model_sigmoid_cross_entropy(
                  net.model, y, net_target(&net, 4, (const int64_t[]){ 2, 4, 6, 1 }, 0))));
}

/* ---- the check itself ---- */

/* A gradient that is right passes, and one that is wrong in any of the usual ways does not. */
static void wrong_gradients_are_seen(void **state)
{
    const double right[4] = { 0.5, -2.0, 1e-3, 0.0 };
    (void)state;

    assert_true(check_error(right, right, 4, 1.0) <= 1.0);
    for (int i = 0; i < 4; i++) {
        double wrong[4];
        memcpy(wrong, right, sizeof wrong);
        wrong[i] += 1e-6;
        assert_true(check_error(wrong, right, 4, 1.0) > 1.0);
        wrong[i] = (double)NAN;
        assert_true(check_error(wrong, right, 4, 1.0) > 1.0);
    }
}

static void convolutions_of_signals(void **state)
{
    static const uint32_t coords[] = { 0, COORDCONV_COORDS_X,
                                       COORDCONV_COORDS_X | COORDCONV_COORDS_RADIUS,
                                       COORDCONV_COORDS_X | COORDCONV_COORDS_PIXEL };
    uint64_t seed = 700;
    (void)state;

    for (int i = 0; i < 24; i++) {
        const coordconv_grid_desc grid = { .struct_size = sizeof grid,
                                           .radius = pick(&seed, 3),
                                           .single = pick(&seed, 2) };
        const coordconv_conv1d_desc desc = { .struct_size = sizeof desc,
                                             .coords = coords[i % 4],
                                             .in_channels = 1 + pick(&seed, 3),
                                             .out_channels = 1 + pick(&seed, 4),
                                             .kernel = 1 + pick(&seed, 4),
                                             .stride = 1 + pick(&seed, 3),
                                             .dilation = 1 + pick(&seed, 2),
                                             .pads = { pick(&seed, 3), pick(&seed, 3) },
                                             .grid = i % 3 == 0 ? &grid : NULL };
        const int64_t shape[3] = { 1 + pick(&seed, 3), 1 + pick(&seed, 12), desc.in_channels };
        int64_t out[3];
        coordconv_layer *layer = NULL;

        check_ok(coordconv_conv1d_new(context, &desc, &layer));
        snprintf(subject, sizeof subject, "[%d,%d,%d] signal, kernel %d, coords %u", (int)shape[0],
                 (int)shape[1], (int)shape[2], (int)desc.kernel, (unsigned)desc.coords);
        if (coordconv_layer_output_shape(layer, 3, shape, out) == COORDCONV_OK)
            check_both(layer, 3, shape, seed);
        else
            coordconv_layer_unref(layer);
    }
}

static coordconv_conv3d_desc draw_conv3d(uint64_t *seed)
{
    static const uint32_t coords[] = {
        0, COORDCONV_COORDS_XY | COORDCONV_COORDS_Z, COORDCONV_COORDS_Z,
        COORDCONV_COORDS_XY | COORDCONV_COORDS_Z | COORDCONV_COORDS_RADIUS,
        COORDCONV_COORDS_Y | COORDCONV_COORDS_RADIUS | COORDCONV_COORDS_PIXEL
    };
    const int32_t groups = pick(seed, 4) == 0 ? 2 : 1;
    coordconv_conv3d_desc d = { .struct_size = sizeof d,
                                .coords = groups == 1 ? coords[pick(seed, COUNT(coords))] : 0,
                                .in_channels = groups * (1 + pick(seed, 3)),
                                .out_channels = groups * (1 + pick(seed, 3)),
                                .padding = pick(seed, 3) == 0,
                                .groups = groups,
                                .no_bias = pick(seed, 4) == 0 };
    for (int i = 0; i < 3; i++) {
        d.kernel[i] = 1 + pick(seed, 3);
        d.stride[i] = 1 + pick(seed, 3);
        d.dilation[i] = 1 + pick(seed, 2);
        d.pads[i] = d.padding == COORDCONV_SAME ? 0 : pick(seed, 3);
        d.pads[i + 3] = d.padding == COORDCONV_SAME ? 0 : pick(seed, 3);
    }
    return d;
}

static void convolutions_of_volumes(void **state)
{
    uint64_t seed = 900;
    (void)state;

    for (int i = 0; i < 40; i++) {
        const coordconv_grid_desc grid = { .struct_size = sizeof grid,
                                           .sampling = pick(&seed, 3),
                                           .low = 0.5,
                                           .high = 2,
                                           .radius = pick(&seed, 3),
                                           .single = pick(&seed, 2) };
        coordconv_conv3d_desc desc = draw_conv3d(&seed);
        const int64_t shape[5] = { 1 + pick(&seed, 3), 1 + pick(&seed, 5), 1 + pick(&seed, 5),
                                   1 + pick(&seed, 5), desc.in_channels };
        int64_t out[5];
        coordconv_layer *layer = NULL;

        if (i % 3 == 0 && (desc.coords & COORDCONV_COORDS_PIXEL) == 0)
            desc.grid = &grid;
        check_ok(coordconv_conv3d_new(context, &desc, &layer));
        snprintf(subject, sizeof subject, "[%d,%d,%d,%d,%d] volume, kernel %dx%dx%d, coords %u",
                 (int)shape[0], (int)shape[1], (int)shape[2], (int)shape[3], (int)shape[4],
                 (int)desc.kernel[0], (int)desc.kernel[1], (int)desc.kernel[2],
                 (unsigned)desc.coords);
        if (coordconv_layer_output_shape(layer, 5, shape, out) == COORDCONV_OK)
            check_both(layer, 5, shape, seed);
        else
            coordconv_layer_unref(layer);
    }
}

/* 1x1 CoordConvs that a plan runs tile by tile, of images that each lie in a way of their own,
 * behind a layer that passes their frames on. */
static void frames_in_chains(void **state)
{
    const uint32_t xyr = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS;
    const int64_t shape[4] = { 3, 17, 18, 2 };
    struct net net;
    (void)state;

    net_begin(&net, context, 600);
    draw_frames(&net, 4, 3, 5);
    coordconv_value y = net_input(&net, 4, shape);
    y = net_apply(&net, plain_conv(2, 2, 3, 0), y);
    y = net_apply(&net, plain_conv(2, 3, 1, xyr), y);
    y = coordconv_model_tanh(net.model, y);
    y = net_apply(&net, plain_conv(3, 2, 1, COORDCONV_COORDS_Y), y);
    check_gradient(net_check(&net, net_sum(&net, y)));
}

/* A loss that is a sum over pixels or over images, by its number. */
static coordconv_value loss_by_sample(struct net *net, int kind, const int64_t *shape,
                                      coordconv_value y)
{
    const coordconv_loss_desc smooth = { .struct_size = sizeof smooth,
                                         .kind = COORDCONV_LOSS_SMOOTH_L1,
                                         .reduction = COORDCONV_REDUCE_SUM };
    const int64_t pixels = shape[0] * shape[1] * shape[2];
    coordconv_model *m = net->model;

    switch (kind) {
    case 0:
        return coordconv_model_mse(m, y, net_target(net, 4, shape, 0));
    case 1:
        return coordconv_model_loss(m, y, net_target(net, 4, shape, 0), &smooth);
    case 2: /* a class for each pixel */
        y = coordconv_model_reshape(m, y, 2, (const int64_t[]){ pixels, shape[3] });
        return coordconv_model_softmax_cross_entropy(m, y,
                                                     net_labels(net, pixels, (int32_t)shape[3]));
    default: /* a value for each image */
        y = coordconv_model_flatten(m, y, 1);
        return coordconv_model_softmax_cross_entropy(
            m, y, net_labels(net, shape[0], (int32_t)(pixels / shape[0] * shape[3])));
    }
}

/* Chains that a plan runs both ways piece by piece, all images being the whole, lying in one way
 * or each in its own. */
static void chains_joined_with_the_loss(void **state)
{
    const int64_t in[4] = { 16, 7, 8, 2 }, out[4] = { 16, 7, 8, 3 };
    (void)state;

    for (int i = 0; i < 4 * 3; i++) {
        const int kind = i % 4, frames = i / 4;
        struct net net;

        snprintf(subject, sizeof subject, "loss %d, frames %d", kind, frames);
        net_begin(&net, context, (uint64_t)(700 + i));
        if (frames > 0)
            draw_frames(&net, 4, frames == 1 ? 1 : in[0], (uint64_t)i);
        coordconv_value y = net_input(&net, 4, in);
        y = coordconv_model_relu(net.model, net_apply(&net, plain_conv(2, 3, 3, 0), y));
        const coordconv_value skip = y;
        y = net_apply(&net, plain_conv(3, 4, 1, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS), y);
        y = net_apply(&net, plain_conv(4, 3, 1, 0), coordconv_model_tanh(net.model, y));
        y = coordconv_model_multiply(net.model, y, skip);
        y = net_apply(&net, plain_conv(3, 3, 1, COORDCONV_COORDS_Y), y);
        check_gradient(net_check(&net, loss_by_sample(&net, kind, out, y)));
        assert_true(net.joined);
    }
}

/* The same of the whole machinery: the target of mse is an input like any other to the
 * differences, but gets no gradient, so asking for one must show as an error. */
static void missing_gradients_are_seen(void **state)
{
    const int64_t shape[2] = { 2, 3 };
    struct net net;
    (void)state;

    net_begin(&net, context, 500);
    const coordconv_value x = net_input(&net, 2, shape);
    const coordconv_value y = net_apply(&net, new_linear(context, 3, 3, 0), x);
    /* y is on both sides: half of the true gradient runs through the target and is missing. */
    assert_true(net_check(&net, coordconv_model_mse(net.model, coordconv_model_tanh(net.model, y),
                                                    y)) > 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_gradients_are_seen, clear_subject),
        cmocka_unit_test_setup(missing_gradients_are_seen, clear_subject),
        cmocka_unit_test_setup(convolutions, clear_subject),
        cmocka_unit_test_setup(transposed_convolutions, clear_subject),
        cmocka_unit_test_setup(wide_convolutions, clear_subject),
        cmocka_unit_test_setup(frames_in_chains, clear_subject),
        cmocka_unit_test_setup(chains_joined_with_the_loss, clear_subject),
        cmocka_unit_test_setup(convolutions_of_signals, clear_subject),
        cmocka_unit_test_setup(convolutions_of_volumes, clear_subject),
        cmocka_unit_test_setup(depthwise_convolutions, clear_subject),
        cmocka_unit_test_setup(linear, clear_subject),
        cmocka_unit_test_setup(batch_norm, clear_subject),
        cmocka_unit_test_setup(group_norm, clear_subject),
        cmocka_unit_test_setup(value_used_twice, clear_subject),
        cmocka_unit_test_setup(shared_layer, clear_subject),
        cmocka_unit_test_setup(shared_layer_of_two_sizes, clear_subject),
        cmocka_unit_test_setup(residual_net, clear_subject),
        cmocka_unit_test_setup(hourglass_net, clear_subject),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
