/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_golden_optimizers.c - three steps of a small net against PyTorch.
 */
#include "golden.h"

enum {
    NUMBERS = GOLDEN_FIRST,
    X,
    TARGET,
    PARAMETERS,
    LOSSES,
    TRACE,
    ARRAYS
};

#define STEPS 3

/* Adam without decay is given its coefficients as they are; 0 in SGD cases is the default too. */
static coordconv_optimizer *make_optimizer(const struct golden *g, coordconv_plan *plan)
{
    const float *numbers = g->array[NUMBERS].floats;
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                            .kind = golden_config(g, 0),
                                            .learning_rate = numbers[0],
                                            .momentum = numbers[1],
                                            .dampening = numbers[2],
                                            .beta1 = numbers[3],
                                            .beta2 = numbers[4],
                                            .epsilon = numbers[5],
                                            .weight_decay = numbers[6],
                                            .clip_norm = numbers[7],
                                            .nesterov = golden_config(g, 1),
                                            .decoupled = golden_config(g, 2),
                                            .decay = golden_config(g, 3) ? COORDCONV_DECAY_KERNELS
                                                                         : COORDCONV_DECAY_ALL };
    coordconv_optimizer *optimizer = NULL;

    check_ok(coordconv_optimizer_new(plan, &desc, &optimizer));
    return optimizer;
}

static coordconv_plan *make_plan(const struct golden *g)
{
    const struct golden_array *x = &g->array[X], *target = &g->array[TARGET];
    const int32_t pixels = (int32_t)(x->shape[1] * x->shape[2]);
    const coordconv_conv2d_desc conv_desc = { .struct_size = sizeof conv_desc,
                                              .in_channels = 2,
                                              .out_channels = 2,
                                              .kernel = { 3, 3 },
                                              .padding = COORDCONV_SAME };
    const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                .in_features = 2 * pixels,
                                                .out_features = 4 };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .mode = COORDCONV_TRAINING };
    coordconv_layer *conv = NULL, *linear = NULL;
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;

    check_ok(coordconv_conv2d_new(golden_context(), &conv_desc, &conv));
    check_ok(coordconv_linear_new(golden_context(), &linear_desc, &linear));
    check_ok(coordconv_model_new(golden_context(), &m));
    coordconv_value h = coordconv_model_input(m, "x", COORDCONV_F32, x->ndim, x->shape);
    h = coordconv_model_relu(m, coordconv_model_apply(m, conv, h));
    h = coordconv_model_apply(m, linear, coordconv_model_flatten(m, h, 1));
    const coordconv_value labels =
        coordconv_model_input(m, "target", COORDCONV_I32, target->ndim, target->shape);
    coordconv_model_output(m, "loss", coordconv_model_softmax_cross_entropy(m, h, labels));
    check_ok(coordconv_plan_new(m, &desc, &plan));
    coordconv_model_unref(m);
    coordconv_layer_unref(conv);
    coordconv_layer_unref(linear);
    return plan;
}

static void bind(coordconv_plan *plan, const struct golden *g, const char *name, int32_t array)
{
    coordconv_tensor *tensor = golden_tensor(g, golden_context(), array);

    check_ok(coordconv_plan_bind(plan, name, tensor));
    coordconv_tensor_unref(tensor);
}

/* The files keep the steps in one array: gather ours likewise and compare at the end. */
static void steps(void **state)
{
    struct golden g;
    float losses[STEPS] = { 0 }, trace[STEPS * 256];

    golden_load(&g, *state, ARRAYS);
    const int64_t count = g.array[PARAMETERS].count;
    assert_true(count > 0 && count <= 256 && g.array[TRACE].count == STEPS * count);
    coordconv_plan *plan = make_plan(&g);
    coordconv_optimizer *optimizer = make_optimizer(&g, plan);
    coordconv_tensor *flat = golden_tensor(&g, golden_context(), PARAMETERS);
    check_ok(coordconv_plan_set_parameters(plan, flat));
    bind(plan, &g, "x", X);
    bind(plan, &g, "target", TARGET);
    for (int step = 0; step < STEPS; step++) {
        coordconv_tensor *loss = NULL;
        check_ok(coordconv_plan_run(plan));
        check_ok(coordconv_plan_output(plan, "loss", &loss));
        losses[step] = test_values(loss)[0];
        coordconv_tensor_unref(loss);
        check_ok(coordconv_optimizer_step(optimizer));
        check_ok(coordconv_plan_get_parameters(plan, flat));
        for (int64_t i = 0; i < count; i++)
            trace[step * count + i] = test_values(flat)[i];
    }
    assert_int_equal(coordconv_optimizer_steps(optimizer), STEPS);
    golden_check_values(&g, LOSSES, 0, losses, "loss");
    golden_check_values(&g, TRACE, 1, trace, "parameters");
    coordconv_tensor_unref(flat);
    coordconv_optimizer_unref(optimizer);
    coordconv_plan_unref(plan);
    golden_free(&g);
}

int main(void)
{
    static const char *const names[] = {
        "sgd-plain",  "sgd-momentum",      "sgd-dampening", "sgd-nesterov",
        "sgd-decay",  "sgd-decay-kernels", "sgd-clip",      "adam-plain",
        "adam-decay", "adam-coefficients", "adamw-plain",
    };

    return golden_run("optimizers", names, COUNT(names), steps);
}
