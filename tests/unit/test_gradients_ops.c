/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_gradients_ops.c - every operation and loss against central differences.
 *
 * Linked against the sources built with CCONV_DOUBLE.
 */
#include "gradient_check.h"
#include "fixture.h"

#include <stdio.h>

/* ---- operations of one value ---- */

typedef coordconv_value one_fn(coordconv_model *m, coordconv_value x);

static coordconv_value leaky(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_leaky_relu(m, x, 0.2);
}

static coordconv_value halve(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_scale(m, x, -0.5);
}

static coordconv_value softmax_last(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_softmax(m, x, 1u << 3);
}

static coordconv_value softmax_space(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_softmax(m, x, 1u << 1 | 1u << 2);
}

static coordconv_value softmax_apart(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_softmax(m, x, 1u << 0 | 1u << 2);
}

static coordconv_value flatten(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_flatten(m, x, 1);
}

static coordconv_value reshape(coordconv_model *m, coordconv_value x)
{
    const int64_t shape[3] = { 0, 6, -1 };

    return coordconv_model_reshape(m, x, 3, shape);
}

static coordconv_value tile(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_tile(m, coordconv_model_flatten(m, x, 1), 2, 3);
}

static coordconv_value square(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_multiply(m, x, x);
}

static coordconv_value twice(coordconv_model *m, coordconv_value x)
{
    return coordconv_model_add(m, x, x);
}

static coordconv_value pool(coordconv_model *m, coordconv_value x, int average, int32_t padding,
                            int32_t pad, int32_t count_padding)
{
    const coordconv_pool2d_desc desc = { .struct_size = sizeof desc,
                                         .kernel = { 2, 3 },
                                         .stride = { 1, 2 },
                                         .padding = padding,
                                         .pads = { pad, 0, 0, pad },
                                         .count_padding = count_padding };
    return average ? coordconv_model_avg_pool2d(m, x, &desc)
                   : coordconv_model_max_pool2d(m, x, &desc);
}

static coordconv_value max_pool(coordconv_model *m, coordconv_value x)
{
    return pool(m, x, 0, COORDCONV_PADDING_EXPLICIT, 1, 0);
}

static coordconv_value max_pool_same(coordconv_model *m, coordconv_value x)
{
    return pool(m, x, 0, COORDCONV_SAME, 0, 0);
}

static coordconv_value avg_pool(coordconv_model *m, coordconv_value x)
{
    return pool(m, x, 1, COORDCONV_PADDING_EXPLICIT, 1, 0);
}

static coordconv_value avg_pool_whole(coordconv_model *m, coordconv_value x)
{
    return pool(m, x, 1, COORDCONV_PADDING_EXPLICIT, 1, 1);
}

static coordconv_value avg_pool_same(coordconv_model *m, coordconv_value x)
{
    return pool(m, x, 1, COORDCONV_SAME, 0, 0);
}

static coordconv_value upsample(coordconv_model *m, coordconv_value x, int32_t mode,
                                int32_t align_corners)
{
    const coordconv_upsample2d_desc desc = {
        .struct_size = sizeof desc, .factor = { 3, 2 }, .mode = mode, .align_corners = align_corners
    };

    return coordconv_model_upsample2d(m, x, &desc);
}

static coordconv_value nearest(coordconv_model *m, coordconv_value x)
{
    return upsample(m, x, COORDCONV_UPSAMPLE_NEAREST, 0);
}

static coordconv_value bilinear(coordconv_model *m, coordconv_value x)
{
    return upsample(m, x, COORDCONV_UPSAMPLE_BILINEAR, 0);
}

static coordconv_value bilinear_corners(coordconv_model *m, coordconv_value x)
{
    return upsample(m, x, COORDCONV_UPSAMPLE_BILINEAR, 1);
}

static void operations(void **state)
{
    static const struct {
        const char *name;
        one_fn *apply;
    } ops[] = {
        { "relu", coordconv_model_relu },
        { "leaky_relu", leaky },
        { "sigmoid", coordconv_model_sigmoid },
        { "tanh", coordconv_model_tanh },
        { "exp", coordconv_model_exp },
        { "scale", halve },
        { "softmax, last", softmax_last },
        { "softmax, rows and columns", softmax_space },
        { "softmax, axes apart", softmax_apart },
        { "flatten", flatten },
        { "reshape", reshape },
        { "tile", tile },
        { "x * x", square },
        { "x + x", twice },
        { "max_pool2d", max_pool },
        { "max_pool2d, same", max_pool_same },
        { "avg_pool2d", avg_pool },
        { "avg_pool2d, whole", avg_pool_whole },
        { "avg_pool2d, same", avg_pool_same },
        { "upsample2d, nearest", nearest },
        { "upsample2d, bilinear", bilinear },
        { "upsample2d, corners aligned", bilinear_corners },
        { "global_max_pool", coordconv_model_global_max_pool },
        { "global_avg_pool", coordconv_model_global_avg_pool },
        { "global_sum_pool", coordconv_model_global_sum_pool },
    };
    const int64_t shape[4] = { 2, 3, 6, 2 };
    (void)state;

    for (size_t i = 0; i < COUNT(ops); i++) {
        struct net net;
        snprintf(subject, sizeof subject, "%s", ops[i].name);
        /* On an input, whose gradient is asked for, and on a computed value. */
        for (int computed = 0; computed < 2; computed++) {
            net_begin(&net, context, 100 + i);
            coordconv_value x = net_input(&net, 4, shape);
            if (computed)
                x = net_apply(&net, new_plain_conv(context, 2, 2, 3, 0), x);
            check_gradient(net_check(&net, net_sum(&net, ops[i].apply(net.model, x))));
        }
    }
}

static void operations_of_several_values(void **state)
{
    const int64_t shape[4] = { 2, 3, 4, 2 }, wide[4] = { 2, 3, 4, 5 }, high[4] = { 2, 2, 4, 2 };
    struct net net;
    (void)state;

    net_begin(&net, context, 200);
    coordconv_value a = net_input(&net, 4, shape), b = net_input(&net, 4, shape);
    check_gradient(net_check(&net, net_sum(&net, coordconv_model_add(net.model, a, b))));

    net_begin(&net, context, 201);
    a = net_input(&net, 4, shape), b = net_input(&net, 4, shape);
    check_gradient(net_check(&net, net_sum(&net, coordconv_model_multiply(net.model, a, b))));

    net_begin(&net, context, 202);
    coordconv_value parts[3] = { net_input(&net, 4, shape), net_input(&net, 4, wide), 0 };
    parts[2] = parts[0];
    check_gradient(net_check(&net, net_sum(&net, coordconv_model_concat(net.model, 3, parts, 3))));

    net_begin(&net, context, 203);
    parts[0] = net_input(&net, 4, shape), parts[1] = net_input(&net, 4, high);
    check_gradient(net_check(&net, net_sum(&net, coordconv_model_concat(net.model, 2, parts, 1))));
}

/* ---- losses ---- */

static void losses(void **state)
{
    const int64_t image[4] = { 3, 2, 4, 2 }, flat[2] = { 4, 5 };
    struct net net;
    (void)state;

    net_begin(&net, context, 300);
    coordconv_value x = net_input(&net, 4, image);
    check_gradient(
        net_check(&net, coordconv_model_mse(net.model, x, net_target(&net, 4, image, 0))));

    net_begin(&net, context, 301);
    x = net_input(&net, 2, flat);
    check_gradient(net_check(
        &net, coordconv_model_softmax_cross_entropy(net.model, x, net_labels(&net, 4, 5))));

    net_begin(&net, context, 302);
    x = net_input(&net, 4, image);
    check_gradient(net_check(
        &net, coordconv_model_softmax_cross_entropy(net.model, x, net_labels(&net, 3, 16))));

    net_begin(&net, context, 303);
    x = net_input(&net, 4, image);
    check_gradient(net_check(
        &net, coordconv_model_softmax_cross_entropy(net.model, x, net_target(&net, 4, image, 1))));

    net_begin(&net, context, 304);
    x = net_input(&net, 4, image);
    check_gradient(net_check(
        &net, coordconv_model_sigmoid_cross_entropy(net.model, x, net_target(&net, 4, image, 0))));
}

/* Every kind, weighted and not, averaged and summed; targets are in (0, 1), x around them. */
static void described_losses(void **state)
{
    const int64_t image[4] = { 3, 2, 4, 2 }, batch[1] = { 3 };
    (void)state;

    for (int32_t i = 0; i < 24; i++) {
        coordconv_loss_desc desc = { .struct_size = sizeof desc,
                                     .kind = 1 + i % 6,
                                     .weighted = i / 6 % 2,
                                     .reduction = i / 12 };
        const int softmax = desc.kind == COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY;
        struct net net;

        if (desc.kind == COORDCONV_LOSS_SMOOTH_L1 || desc.kind == COORDCONV_LOSS_ROBUST_L1)
            desc.beta = 0.4;
        snprintf(subject, sizeof subject, "loss %d, weighted %d, reduction %d", (int)desc.kind,
                 (int)desc.weighted, (int)desc.reduction);
        net_begin(&net, context, 330 + (uint64_t)i);
        const coordconv_value x = net_input(&net, 4, image);
        const coordconv_value target = net_target(&net, 4, image, softmax);
        if (desc.weighted)
            desc.weight = net_target(&net, softmax ? 1 : 4, softmax ? batch : image, 0);
        check_gradient(net_check(&net, coordconv_model_loss(net.model, x, target, &desc)));
    }
}

/* By labels, of which the first is made one that does not count. */
static void losses_by_labels(void **state)
{
    const int64_t flat[2] = { 4, 5 }, batch[1] = { 4 };
    (void)state;

    for (int32_t i = 0; i < 4; i++) {
        coordconv_loss_desc desc = { .struct_size = sizeof desc,
                                     .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY,
                                     .ignore = 1,
                                     .weighted = i % 2,
                                     .reduction = i / 2 };
        struct net net;

        snprintf(subject, sizeof subject, "labels, weighted %d, reduction %d", (int)desc.weighted,
                 (int)desc.reduction);
        net_begin(&net, context, 360 + (uint64_t)i);
        const coordconv_value x = net_input(&net, 2, flat), labels = net_labels(&net, 4, 5);
        *(int32_t *)coordconv_tensor_data(net.input[1].tensor) = -1;
        if (desc.weighted)
            desc.weight = net_target(&net, 1, batch, 0);
        check_gradient(net_check(&net, coordconv_model_loss(net.model, x, labels, &desc)));
    }
}

/* A loss that is not the last node: two of them, weighted. */
static void weighted_losses(void **state)
{
    const int64_t shape[4] = { 2, 3, 4, 1 };
    struct net net;
    (void)state;

    net_begin(&net, context, 310);
    const coordconv_value y = net_apply(&net, new_plain_conv(context, 1, 1, 3, COORDCONV_COORDS_XY),
                                        net_input(&net, 4, shape));
    const coordconv_value a = coordconv_model_mse(net.model, y, net_target(&net, 4, shape, 0));
    const coordconv_value b =
        coordconv_model_softmax_cross_entropy(net.model, y, net_labels(&net, 2, 12));
    coordconv_model_output(net.model, "part", b);
    check_gradient(net_check(
        &net, coordconv_model_add(net.model, a, coordconv_model_scale(net.model, b, 0.3))));
}

/* Reparameterised as a variational autoencoder is: both get gradients by two ways. */
static void gaussian_kl(void **state)
{
    const int64_t shape[2] = { 3, 5 }, image[4] = { 2, 3, 4, 2 };
    struct net net;
    (void)state;

    net_begin(&net, context, 320);
    coordconv_value m = net_input(&net, 4, image), v = net_input(&net, 4, image);
    check_gradient(net_check(&net, coordconv_model_gaussian_kl(net.model, m, v)));

    net_begin(&net, context, 321);
    m = net_input(&net, 2, shape);
    check_gradient(net_check(&net, coordconv_model_gaussian_kl(net.model, m, m)));

    net_begin(&net, context, 322);
    const coordconv_value h = net_input(&net, 2, shape), noise = net_target(&net, 2, shape, 0);
    m = net_apply(&net, new_linear(context, 5, 5, 0), h);
    v = net_apply(&net, new_linear(context, 5, 5, 0), h);
    coordconv_value z = coordconv_model_exp(net.model, coordconv_model_scale(net.model, v, 0.5));
    z = coordconv_model_add(net.model, m, coordconv_model_multiply(net.model, z, noise));
    const coordconv_value kl = coordconv_model_gaussian_kl(net.model, m, v);
    check_gradient(net_check(&net, coordconv_model_add(net.model, net_sum(&net, z), kl)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(operations, clear_subject),
        cmocka_unit_test_setup(operations_of_several_values, clear_subject),
        cmocka_unit_test_setup(losses, clear_subject),
        cmocka_unit_test_setup(described_losses, clear_subject),
        cmocka_unit_test_setup(losses_by_labels, clear_subject),
        cmocka_unit_test_setup(weighted_losses, clear_subject),
        cmocka_unit_test_setup(gaussian_kl, clear_subject),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
