/* SPDX-License-Identifier: BSD-2-Clause
 *
 * locate.c - train a CoordConv layer to say where a single lit pixel is.
 *
 * One pointwise convolution that sees the coordinates, then the largest value
 * over the image: enough to be exact, and all a convolution without
 * coordinates can never learn.
 */
#include <coordconv/coordconv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SIDE = 16,
    ALL = SIDE * SIDE, /* one image for each pixel: the whole problem is one batch */
    STEPS = 1500
};

static coordconv_context *context;
static coordconv_model *model;
static coordconv_plan *plan;
static coordconv_optimizer *optimizer;
static coordconv_tensor *image, *target, *loss, *place;

static coordconv_status build_model(void)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_XY,
                                         .in_channels = 1,
                                         .out_channels = 2,
                                         .kernel = { 1, 1 } };
    const coordconv_plan_desc training = { .struct_size = sizeof training,
                                           .mode = COORDCONV_TRAINING,
                                           .batch = ALL };
    coordconv_layer *conv = NULL;
    coordconv_status st;

    if ((st = coordconv_conv2d_new(context, &desc, &conv)) != COORDCONV_OK ||
        (st = coordconv_model_new(context, &model)) != COORDCONV_OK)
        goto done;
    /* No call below needs a check: the first failure is reported by coordconv_plan_new(). */
    const coordconv_value x = coordconv_model_input(model, "image", COORDCONV_F32, 4,
                                                    (const int64_t[]){ -1, SIDE, SIDE, 1 });
    const coordconv_value wanted =
        coordconv_model_input(model, "target", COORDCONV_F32, 2, (const int64_t[]){ -1, 2 });
    const coordconv_value found =
        coordconv_model_global_max_pool(model, coordconv_model_apply(model, conv, x));
    coordconv_model_output(model, "place", found);
    coordconv_model_output(model, "loss", coordconv_model_mse(model, found, wanted));
    st = coordconv_plan_new(model, &training, &plan);
done:
    coordconv_layer_unref(conv); /* the model keeps its own reference */
    return st;
}

/* Image i has pixel (i % SIDE, i / SIDE) lit; the target is that place scaled to [-1, 1]. */
static coordconv_status make_data(void)
{
    coordconv_status st;

    if ((st = coordconv_tensor_new(context, COORDCONV_F32, 4,
                                   (const int64_t[]){ ALL, SIDE, SIDE, 1 }, &image)) !=
            COORDCONV_OK ||
        (st = coordconv_tensor_new(context, COORDCONV_F32, 2, (const int64_t[]){ ALL, 2 },
                                   &target)) != COORDCONV_OK ||
        (st = coordconv_tensor_new(context, COORDCONV_F32, 2, (const int64_t[]){ ALL, 2 },
                                   &place)) != COORDCONV_OK ||
        (st = coordconv_tensor_new(context, COORDCONV_F32, 0, NULL, &loss)) != COORDCONV_OK)
        return st;
    float *pixels = coordconv_tensor_data(image), *xy = coordconv_tensor_data(target);
    for (int i = 0; i < ALL; i++) {
        pixels[i * ALL + i] = 1;
        xy[2 * i] = 2.0f * (float)(i % SIDE) / (SIDE - 1) - 1;
        xy[2 * i + 1] = 2.0f * (float)(i / SIDE) / (SIDE - 1) - 1;
    }
    if ((st = coordconv_plan_bind(plan, "image", image)) != COORDCONV_OK ||
        (st = coordconv_plan_bind(plan, "target", target)) != COORDCONV_OK ||
        (st = coordconv_plan_bind(plan, "place", place)) != COORDCONV_OK)
        return st;
    return coordconv_plan_bind(plan, "loss", loss);
}

static coordconv_status train(void)
{
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    const coordconv_schedule_desc rate = { .struct_size = sizeof rate,
                                           .kind = COORDCONV_SCHEDULE_COSINE,
                                           .rate = 0.05,
                                           .final_rate = 1e-5,
                                           .total = STEPS };
    coordconv_status st = coordconv_optimizer_new(plan, &adam, &optimizer);

    for (int step = 0; step <= STEPS && st == COORDCONV_OK; step++) {
        double now = 0;

        if ((st = coordconv_plan_run(plan)) != COORDCONV_OK)
            break;
        if (step % (STEPS / 5) == 0)
            printf("step %4d  loss %.2e\n", step, (double)*(float *)coordconv_tensor_data(loss));
        if ((st = coordconv_schedule_rate(&rate, step, &now)) == COORDCONV_OK &&
            (st = coordconv_optimizer_set_learning_rate(optimizer, now)) == COORDCONV_OK)
            st = coordconv_optimizer_step(optimizer);
    }
    return st;
}

/* Back to pixels: a place is right if both coordinates round to the lit pixel. */
static int count_right(void)
{
    const float *xy = coordconv_tensor_data(place);
    int right = 0;

    for (int i = 0; i < ALL; i++) {
        const float x = (xy[2 * i] + 1) * (SIDE - 1) / 2, y = (xy[2 * i + 1] + 1) * (SIDE - 1) / 2;

        right += lroundf(x) == i % SIDE && lroundf(y) == i / SIDE;
        if (i % 50 == 0)
            printf("lit pixel (%2d, %2d)  found (%6.3f, %6.3f)\n", i % SIDE, i / SIDE, (double)x,
                   (double)y);
    }
    return right;
}

int main(void)
{
    coordconv_status st;
    int right = 0;

    if ((st = coordconv_context_new(NULL, &context)) == COORDCONV_OK &&
        (st = build_model()) == COORDCONV_OK && (st = make_data()) == COORDCONV_OK &&
        (st = train()) == COORDCONV_OK) {
        right = count_right();
        printf("%d of %d places right\n", right, ALL);
    } else {
        fprintf(stderr, "locate: %s: %s\n", coordconv_status_name(st), coordconv_last_error());
    }
    coordconv_tensor *const tensors[] = { image, target, loss, place };
    for (int i = 0; i < 4; i++)
        coordconv_tensor_unref(tensors[i]);
    coordconv_optimizer_unref(optimizer);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_context_unref(context);
    return right == ALL ? EXIT_SUCCESS : EXIT_FAILURE;
}
