/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_golden_weights.c - PyTorch checkpoints of every convention (make_checkpoints.py):
 * loaded by the convention's name, a net gives what PyTorch's gave.
 *
 * Prints a table: convention, channels, type, largest difference as a part of
 * the largest output.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "golden/golden.h"

enum {
    STEM,
    NORM,
    BLOCK,
    HEAD,
    FC,
    LAYERS
};

enum {
    X = GOLDEN_FIRST,
    OUTPUT,
    ARRAYS
};

static const char *const layer_names[LAYERS] = { "stem", "norm", "block", "head", "fc" };

static coordconv_context *context;

static coordconv_layer *conv(const char *convention, uint32_t coords, int32_t in, int32_t out,
                             int32_t kernel, int32_t stride, int32_t no_bias)
{
    coordconv_convention_desc c = { .struct_size = sizeof c };
    coordconv_conv2d_desc d = { .struct_size = sizeof d,
                                .coords = coords,
                                .in_channels = in,
                                .out_channels = out,
                                .kernel = { kernel, kernel },
                                .stride = { stride, stride },
                                .no_bias = no_bias };
    coordconv_layer *layer = NULL;

    for (int i = 0; i < 4; i++)
        d.pads[i] = kernel / 2;
    if (coords != 0) {
        check_ok(coordconv_convention(convention, &c));
        d.grid = &c.grid;
    }
    check_ok(coordconv_conv2d_new(context, &d, &layer));
    return layer;
}

/* The net of make_checkpoints.py, its layers by their names there. */
static coordconv_model *make_net(const char *convention, uint32_t coords, const int64_t *shape)
{
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = 4 };
    const coordconv_linear_desc fc = { .struct_size = sizeof fc,
                                       .in_features = 3,
                                       .out_features = 2 };
    coordconv_layer *layers[LAYERS] = { NULL };
    coordconv_model *m = NULL;

    layers[STEM] = conv(convention, coords, 2, 4, 3, 1, 1);
    check_ok(coordconv_batch_norm_new(context, &norm, &layers[NORM]));
    layers[BLOCK] = conv(convention, coords, 4, 3, 3, 2, 0);
    layers[HEAD] = conv(convention, 0, 3, 3, 1, 1, 0);
    check_ok(coordconv_linear_new(context, &fc, &layers[FC]));
    check_ok(coordconv_model_new(context, &m));
    coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    for (int i = 0; i < LAYERS; i++) {
        check_ok(coordconv_layer_set_name(layers[i], layer_names[i]));
        x = coordconv_model_apply(m, layers[i], x);
        if (i == NORM || i == HEAD)
            x = coordconv_model_relu(m, x);
        coordconv_layer_unref(layers[i]);
    }
    coordconv_model_output(m, "y", x);
    check_ok(coordconv_model_status(m));
    return m;
}

static void load(coordconv_model *model, const char *name, const char *convention)
{
    static const coordconv_name_pair names[] = { { "stem.conv", "stem" },
                                                 { "block.conv", "block" } };
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .prefix = "module.",
                                          .convention = convention,
                                          .names = names,
                                          .name_count = COUNT(names) };
    char path[1024];

    snprintf(path, sizeof path, "%s/weights-%s.safetensors", GOLDEN_DIR, name);
    check_ok(coordconv_load_weights(model, path, &desc));
}

static double largest_difference(const struct golden *g, coordconv_model *model)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc };
    coordconv_tensor *x = golden_tensor(g, context, X), *y = NULL;
    coordconv_plan *plan = NULL;
    double most = 0;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &y));
    assert_int_equal(coordconv_tensor_count(y), g->array[OUTPUT].count);
    for (int64_t i = 0; i < g->array[OUTPUT].count; i++) {
        const double d = fabs((double)test_values(y)[i] - (double)g->array[OUTPUT].floats[i]);
        assert_true(isfinite(d));
        most = d > most ? d : most;
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_plan_unref(plan);
    return most / (double)g->array[GOLDEN_BOUNDS].floats[0];
}

/* A checkpoint, read by the name of its convention. */
static void check_case(const char *name, const char *convention)
{
    struct golden g;
    coordconv_model *model;
    char file[64];
    double difference;

    snprintf(file, sizeof file, "weights-%s", name);
    golden_load(&g, file, ARRAYS);
    context = test_context(1, NULL, NULL);
    model = make_net(convention, (uint32_t)golden_config(&g, 0), g.array[X].shape);
    load(model, name, convention);
    difference = largest_difference(&g, model);
    print_message("%-18s %-18s %lld x %lld  %.1e\n", convention, name,
                  (long long)g.array[X].shape[1], (long long)g.array[X].shape[2], difference);
    assert_true(difference < GOLDEN_RTOL);
    coordconv_model_unref(model);
    coordconv_context_unref(context);
    golden_free(&g);
}

static void outputs_are_those_of_pytorch(void **state)
{
    static const char *const cases[][2] = {
        { "coordconv", "coordconv" },
        { "paper", "paper" },
        { "uber", "uber" },
        { "mkocabas", "mkocabas" },
        { "mkocabas-f16", "mkocabas" },
        { "mkocabas-bf16", "mkocabas" },
        { "keras-coordconv", "keras-coordconv" },
        { "wizaron", "wizaron" },
        { "adaptive-wing-loss", "adaptive-wing-loss" },
        { "solo", "solo" },
        { "solo-one-row", "solo" },
        { "pfrendl", "pfrendl" },
        { "batdetect2", "batdetect2" },
        { "dominikandreas", "dominikandreas" },
        { "paddle", "paddle" },
        { "paddle-slip", "paddle-slip" },
        { "monai", "monai" },
        { "monai-one-column", "monai" },
        { "dref360", "dref360" },
        { "n-mca", "n-mca" },
        { "cell-center", "cell-center" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        check_case(cases[i][0], cases[i][1]);
}

/* The table would show nothing if a wrong convention passed as well. */
static void another_convention_shows(void **state)
{
    static const char *const wrong[] = { "solo", "wizaron" };
    (void)state;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct golden g;
        golden_load(&g, "weights-pfrendl", ARRAYS);
        context = test_context(1, NULL, NULL);
        coordconv_model *model = make_net("pfrendl", COORDCONV_COORDS_XY, g.array[X].shape);
        load(model, "pfrendl", wrong[i]);
        assert_true(largest_difference(&g, model) > 0.01);
        coordconv_model_unref(model);
        coordconv_context_unref(context);
        golden_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_those_of_pytorch),
        cmocka_unit_test(another_convention_shows),
    };

    return cmocka_run_group_tests_name("golden_weights", tests, NULL, NULL);
}
