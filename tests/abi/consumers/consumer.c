/* SPDX-License-Identifier: BSD-2-Clause
 *
 * consumer.c - a program as a user would write it, in what C11 and C++17 share.
 *
 * A 1x1 CoordConv over an empty image learns the x coordinate: the loss begins
 * at the mean of x^2 over -1, -1/3, 1/3, 1, which is 5/9, and ends at 0 with the
 * weights 1 (of x) and 0 (of y).
 */
#include <coordconv/coordconv.h>
#include <stdio.h>
#include <string.h>

enum {
    HEIGHT = 3,
    WIDTH = 4,
    STEPS = 60
};

static coordconv_context *context;
static coordconv_layer *conv;
static coordconv_model *model;
static coordconv_plan *plan;
static coordconv_optimizer *optimizer;
static coordconv_tensor *image, *target, *loss, *weight;

static coordconv_status build(void)
{
    const int64_t shape[] = { -1, HEIGHT, WIDTH, 1 };
    coordconv_conv2d_desc desc;
    coordconv_value x, t;
    coordconv_status status;

    memset(&desc, 0, sizeof desc);
    desc.struct_size = sizeof desc;
    desc.coords = COORDCONV_COORDS_XY;
    desc.in_channels = desc.out_channels = 1;
    desc.kernel[0] = desc.kernel[1] = 1;
    desc.init = COORDCONV_INIT_ZEROS;
    if ((status = coordconv_context_new(NULL, &context)) != COORDCONV_OK ||
        (status = coordconv_conv2d_new(context, &desc, &conv)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &model)) != COORDCONV_OK)
        return status;
    x = coordconv_model_input(model, "image", COORDCONV_F32, 4, shape);
    t = coordconv_model_input(model, "target", COORDCONV_F32, 4, shape);
    coordconv_model_output(model, "loss",
                           coordconv_model_mse(model, coordconv_model_apply(model, conv, x), t));
    return coordconv_model_status(model);
}

static coordconv_status prepare(void)
{
    const int64_t shape[] = { 1, HEIGHT, WIDTH, 1 };
    coordconv_plan_desc plan_desc;
    coordconv_optimizer_desc optimizer_desc;
    float channels[2 * HEIGHT * WIDTH]; /* x and y; x is the target */
    coordconv_status status;

    memset(&plan_desc, 0, sizeof plan_desc);
    plan_desc.struct_size = sizeof plan_desc;
    plan_desc.mode = COORDCONV_TRAINING;
    memset(&optimizer_desc, 0, sizeof optimizer_desc);
    optimizer_desc.struct_size = sizeof optimizer_desc;
    optimizer_desc.kind = COORDCONV_SGD;
    optimizer_desc.learning_rate = 0.5;
    if ((status = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &image)) != COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &target)) !=
            COORDCONV_OK ||
        (status = coordconv_coords_fill(COORDCONV_COORDS_XY, HEIGHT, WIDTH, channels,
                                        HEIGHT * WIDTH, WIDTH, 1)) != COORDCONV_OK ||
        (status = coordconv_plan_new(model, &plan_desc, &plan)) != COORDCONV_OK ||
        (status = coordconv_plan_bind(plan, "image", image)) != COORDCONV_OK ||
        (status = coordconv_plan_bind(plan, "target", target)) != COORDCONV_OK)
        return status;
    memcpy(coordconv_tensor_data(target), channels, sizeof channels / 2);
    return coordconv_optimizer_new(plan, &optimizer_desc, &optimizer);
}

static coordconv_status train(float *first, float *last)
{
    coordconv_status status = COORDCONV_OK;

    for (int step = 0; step < STEPS && status == COORDCONV_OK; step++) {
        if ((status = coordconv_plan_run(plan)) == COORDCONV_OK &&
            (status = coordconv_plan_output(plan, "loss", &loss)) == COORDCONV_OK) {
            *last = *(const float *)coordconv_tensor_data(loss);
            *first = step == 0 ? *last : *first;
            coordconv_tensor_unref(loss);
            status = coordconv_optimizer_step(optimizer);
        }
    }
    return status;
}

int main(void)
{
    const uint32_t version = coordconv_version();
    const float *w;
    float first = 0, last = 0;
    coordconv_status status;

    if ((status = build()) == COORDCONV_OK && (status = prepare()) == COORDCONV_OK &&
        (status = train(&first, &last)) == COORDCONV_OK &&
        (status = coordconv_layer_parameter(conv, "weight", &weight)) == COORDCONV_OK) {
        w = (const float *)coordconv_tensor_data(weight);
        printf("coordconv %u.%u: loss %.3f to %.3f, x %.3f, y %.3f\n", version >> 16,
               version >> 8 & 255, (double)first, (double)last, (double)w[1], (double)w[2]);
    } else {
        fprintf(stderr, "%s: %s\n", coordconv_status_name(status), coordconv_last_error());
    }
    coordconv_tensor_unref(weight);
    coordconv_tensor_unref(image);
    coordconv_tensor_unref(target);
    coordconv_optimizer_unref(optimizer);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
    coordconv_context_unref(context);
    return status == COORDCONV_OK ? 0 : 1;
}
