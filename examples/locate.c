/* SPDX-License-Identifier: BSD-2-Clause
 *
 * locate.c - train a CoordConv layer to say where a single lit pixel is.
 *
 * A pointwise convolution to two channels, read at the lit pixel: what it says
 * there is taken for x and y. With coordinates it learns to be exact; without,
 * it says the same wherever the pixel is. The program trains both.
 */
#include <coordconv/coordconv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SIDE = 8,
    ALL = SIDE * SIDE, /* one image for each pixel: the whole problem is one batch */
    STEPS = 300
};

/* Image i has pixel (i % SIDE, i / SIDE) lit; the target is that place scaled to [-1, 1]. */
static coordconv_status make_data(coordconv_context *context, coordconv_tensor **image,
                                  coordconv_tensor **target)
{
    const int64_t image_shape[4] = { ALL, SIDE, SIDE, 1 }, target_shape[2] = { ALL, 2 };
    coordconv_status st;

    if ((st = coordconv_tensor_new(context, COORDCONV_F32, 4, image_shape, image)) != COORDCONV_OK)
        return st;
    if ((st = coordconv_tensor_new(context, COORDCONV_F32, 2, target_shape, target)) !=
        COORDCONV_OK)
        return st;
    float *pixels = coordconv_tensor_data(*image), *xy = coordconv_tensor_data(*target);
    for (int i = 0; i < ALL; i++) {
        pixels[i * ALL + i] = 1;
        xy[2 * i] = 2.0f * (float)(i % SIDE) / (SIDE - 1) - 1;
        xy[2 * i + 1] = 2.0f * (float)(i / SIDE) / (SIDE - 1) - 1;
    }
    return COORDCONV_OK;
}

/* Compile image -> convolution -> sum over the pixels of (image * what it says) -> loss. */
static coordconv_status make_plan(coordconv_context *context, uint32_t coords,
                                  coordconv_plan **plan)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = 1,
                                         .out_channels = 2,
                                         .kernel = { 1, 1 } };
    const coordconv_plan_desc training = { .struct_size = sizeof training,
                                           .mode = COORDCONV_TRAINING,
                                           .batch = ALL };
    const int64_t image_shape[4] = { -1, SIDE, SIDE, 1 }, target_shape[2] = { -1, 2 };
    coordconv_layer *conv = NULL;
    coordconv_model *m = NULL;
    coordconv_status st;

    if ((st = coordconv_conv2d_new(context, &desc, &conv)) == COORDCONV_OK &&
        (st = coordconv_model_new(context, &m)) == COORDCONV_OK) {
        /* Nothing here needs a check: coordconv_plan_new() reports the first failure. */
        const coordconv_value image =
            coordconv_model_input(m, "image", COORDCONV_F32, 4, image_shape);
        const coordconv_value target =
            coordconv_model_input(m, "target", COORDCONV_F32, 2, target_shape);
        const coordconv_value twice =
            coordconv_model_concat(m, 2, (const coordconv_value[]){ image, image }, 3);
        const coordconv_value said = coordconv_model_apply(m, conv, image);
        const coordconv_value place =
            coordconv_model_global_sum_pool(m, coordconv_model_multiply(m, twice, said));
        coordconv_model_output(m, "place", place);
        coordconv_model_output(m, "loss", coordconv_model_mse(m, place, target));
        st = coordconv_plan_new(m, &training, plan);
    }
    coordconv_layer_unref(conv); /* the model keeps a reference, and the plan one on the model */
    coordconv_model_unref(m);
    return st;
}

static coordconv_status train(coordconv_plan *plan)
{
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    const coordconv_schedule_desc rates = { .struct_size = sizeof rates,
                                            .kind = COORDCONV_SCHEDULE_COSINE,
                                            .rate = 0.1,
                                            .final_rate = 1e-5,
                                            .total = STEPS };
    coordconv_optimizer *optimizer = NULL;
    coordconv_status st = coordconv_optimizer_new(plan, &adam, &optimizer);

    for (int step = 0; step < STEPS && st == COORDCONV_OK; step++) {
        double rate = 0;

        if ((st = coordconv_plan_run(plan)) == COORDCONV_OK &&
            (st = coordconv_schedule_rate(&rates, step, &rate)) == COORDCONV_OK &&
            (st = coordconv_optimizer_set_learning_rate(optimizer, rate)) == COORDCONV_OK)
            st = coordconv_optimizer_step(optimizer);
    }
    coordconv_optimizer_unref(optimizer);
    return st;
}

/* Back to pixels: a place is right if both coordinates round to the lit pixel. */
static coordconv_status count_right(coordconv_plan *plan, int *right)
{
    coordconv_tensor *place = NULL;
    coordconv_status st = coordconv_plan_forward(plan);

    if (st != COORDCONV_OK || (st = coordconv_plan_output(plan, "place", &place)) != COORDCONV_OK)
        return st;
    const float *xy = coordconv_tensor_data(place);
    for (int i = 0; i < ALL; i++) {
        const float x = (xy[2 * i] + 1) * (SIDE - 1) / 2, y = (xy[2 * i + 1] + 1) * (SIDE - 1) / 2;

        *right += lroundf(x) == i % SIDE && lroundf(y) == i / SIDE;
        if (i % 20 == 7)
            printf("  lit (%d, %d), said (%.3f, %.3f)\n", i % SIDE, i / SIDE, (double)x, (double)y);
    }
    coordconv_tensor_unref(place);
    return COORDCONV_OK;
}

int main(void)
{
    coordconv_context *context = NULL;
    coordconv_tensor *image = NULL, *target = NULL;
    int right[2] = { 0, 0 };
    coordconv_status st = coordconv_context_new(NULL, &context);

    if (st == COORDCONV_OK)
        st = make_data(context, &image, &target);
    for (int with = 0; with < 2 && st == COORDCONV_OK; with++) {
        coordconv_plan *plan = NULL;

        printf("%s coordinates:\n", with ? "with" : "without");
        st = make_plan(context, with ? COORDCONV_COORDS_XY : COORDCONV_COORDS_NONE, &plan);
        if (st == COORDCONV_OK &&
            (st = coordconv_plan_bind(plan, "image", image)) == COORDCONV_OK &&
            (st = coordconv_plan_bind(plan, "target", target)) == COORDCONV_OK &&
            (st = train(plan)) == COORDCONV_OK)
            st = count_right(plan, &right[with]);
        coordconv_plan_unref(plan);
        printf("  %d of %d places right\n", right[with], ALL);
    }
    if (st != COORDCONV_OK)
        fprintf(stderr, "locate: %s: %s\n", coordconv_status_name(st), coordconv_last_error());
    coordconv_tensor_unref(image);
    coordconv_tensor_unref(target);
    coordconv_context_unref(context);
    return st == COORDCONV_OK && right[0] <= 1 && right[1] == ALL ? EXIT_SUCCESS : EXIT_FAILURE;
}
