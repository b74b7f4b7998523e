/* SPDX-License-Identifier: BSD-2-Clause
 *
 * load_weights.c - run a CoordConv net that was trained in PyTorch.
 *
 * usage: load_weights FILE CONVENTION
 *
 * FILE is a state dict in safetensors of the net of tests/golden/make_checkpoints.py,
 * CONVENTION the way its coordinates were made ("wizaron", "solo"). Prints what
 * does not fit, or the net's output for an image of ones.
 */
#include <coordconv/coordconv.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEIGHT = 5,
    WIDTH = 7,
    LAYERS = 5
};

/* Every mismatch comes here, before the call fails. */
static void report(void *user, int32_t kind, const char *name, const char *text)
{
    (void)kind;
    (void)name;
    fprintf(user, "  %s\n", text);
}

/* A 3x3 convolution that sees the coordinates of a convention, whatever their order there. */
static coordconv_status add_coord_conv(coordconv_context *context,
                                       const coordconv_convention_desc *convention, int32_t in,
                                       int32_t out, int32_t stride, int32_t no_bias,
                                       coordconv_layer **layer)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = convention->coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { 3, 3 },
                                         .stride = { stride, stride },
                                         .pads = { 1, 1, 1, 1 },
                                         .no_bias = no_bias,
                                         .grid = &convention->grid };

    return coordconv_conv2d_new(context, &desc, layer);
}

static coordconv_status make_layers(coordconv_context *context, const char *name,
                                    coordconv_layer *layers[LAYERS])
{
    static const char *const names[LAYERS] = { "stem", "norm", "block", "head", "fc" };
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = 4 };
    const coordconv_conv2d_desc head = {
        .struct_size = sizeof head, .in_channels = 3, .out_channels = 3, .kernel = { 1, 1 }
    };
    const coordconv_linear_desc fc = { .struct_size = sizeof fc,
                                       .in_features = 3,
                                       .out_features = 2 };
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    coordconv_status st = coordconv_convention(name, &convention);

    if (st != COORDCONV_OK ||
        (st = add_coord_conv(context, &convention, 2, 4, 1, 1, &layers[0])) != COORDCONV_OK ||
        (st = coordconv_batch_norm_new(context, &norm, &layers[1])) != COORDCONV_OK ||
        (st = add_coord_conv(context, &convention, 4, 3, 2, 0, &layers[2])) != COORDCONV_OK ||
        (st = coordconv_conv2d_new(context, &head, &layers[3])) != COORDCONV_OK)
        return st;
    st = coordconv_linear_new(context, &fc, &layers[4]);
    for (int i = 0; i < LAYERS && st == COORDCONV_OK; i++)
        st = coordconv_layer_set_name(layers[i], names[i]);
    return st;
}

static coordconv_status load(coordconv_model *model, const char *path, const char *convention)
{
    static const coordconv_name_pair names[] = { { "stem.conv", "stem" },
                                                 { "block.conv", "block" } };
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .prefix = "module", /* of DataParallel */
                                          .convention = convention,
                                          .names = names,
                                          .name_count = 2,
                                          .report = report,
                                          .report_user = stderr };

    return coordconv_load_weights(model, path, &desc);
}

static coordconv_status run(coordconv_context *context, coordconv_model *model)
{
    static const int64_t shape[] = { 1, HEIGHT, WIDTH, 2 };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc };
    coordconv_tensor *x = NULL, *y = NULL;
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if ((st = coordconv_plan_new(model, &desc, &plan)) == COORDCONV_OK &&
        (st = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &x)) == COORDCONV_OK &&
        (st = coordconv_tensor_fill(x, 1)) == COORDCONV_OK &&
        (st = coordconv_plan_bind(plan, "x", x)) == COORDCONV_OK &&
        (st = coordconv_plan_run(plan)) == COORDCONV_OK &&
        (st = coordconv_plan_output(plan, "y", &y)) == COORDCONV_OK) {
        const float *values = coordconv_tensor_data(y);
        for (int64_t i = 0; i < coordconv_tensor_count(y); i += 2)
            printf("%9.5f %9.5f\n", (double)values[i], (double)values[i + 1]);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_plan_unref(plan);
    return st;
}

int main(int argc, char **argv)
{
    static const int64_t shape[] = { 1, HEIGHT, WIDTH, 2 };
    coordconv_layer *layers[LAYERS] = { NULL };
    coordconv_context *context = NULL;
    coordconv_model *model = NULL;
    coordconv_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: load_weights FILE CONVENTION\n");
        return EXIT_FAILURE;
    }
    if ((st = coordconv_context_new(NULL, &context)) == COORDCONV_OK &&
        (st = make_layers(context, argv[2], layers)) == COORDCONV_OK &&
        (st = coordconv_model_new(context, &model)) == COORDCONV_OK) {
        coordconv_value x = coordconv_model_input(model, "x", COORDCONV_F32, 4, shape);
        for (int i = 0; i < LAYERS; i++) {
            x = coordconv_model_apply(model, layers[i], x);
            if (i == 1 || i == 3)
                x = coordconv_model_relu(model, x);
        }
        coordconv_model_output(model, "y", x);
        if ((st = load(model, argv[1], argv[2])) == COORDCONV_OK)
            st = run(context, model);
    }
    if (st != COORDCONV_OK)
        fprintf(stderr, "load_weights: %s: %s\n", coordconv_status_name(st),
                coordconv_last_error());
    for (int i = 0; i < LAYERS; i++)
        coordconv_layer_unref(layers[i]);
    coordconv_model_unref(model);
    coordconv_context_unref(context);
    return st == COORDCONV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
