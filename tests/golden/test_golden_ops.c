/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_golden_ops.c - losses, pooling, activations and softmax against PyTorch.
 */
#include "golden.h"

enum {
    LOSS_X = GOLDEN_FIRST,
    LOSS_TARGET,
    LOSS_VALUE,
    LOSS_DX,
    LOSS_ARRAYS,
    DESCRIBED_WEIGHT = LOSS_ARRAYS,
    DESCRIBED_BETA,
    DESCRIBED_ARRAYS
};
enum {
    OP_X = GOLDEN_FIRST,
    OP_Y,
    OP_DY,
    OP_DX,
    OP_ARRAYS
};

static coordconv_value input(coordconv_model *model, const char *name, const struct golden_array *a)
{
    return coordconv_model_input(model, name, a->ints != NULL ? COORDCONV_I32 : COORDCONV_F32,
                                 a->ndim, a->shape);
}

/* Run a plan whose inputs are "x" and `second`. */
static void run_plan(coordconv_plan *plan, const struct golden *g, const char *second,
                     int32_t second_array)
{
    coordconv_tensor *x = golden_tensor(g, golden_context(), GOLDEN_FIRST);
    coordconv_tensor *other = golden_tensor(g, golden_context(), second_array);

    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, second, other));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(other);
}

/* A training plan with input gradients of a model that is given up; inputs "x" and `second`. */
static coordconv_plan *run_model(coordconv_model *model, const struct golden *g, const char *second,
                                 int32_t second_array)
{
    coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                 .mode = COORDCONV_TRAINING,
                                 .input_gradients = 1 };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    run_plan(plan, g, second, second_array);
    coordconv_model_unref(model);
    return plan;
}

static void check_plan(coordconv_plan *plan, const struct golden *g, const char *output,
                       int32_t y_array, int32_t dx_array)
{
    coordconv_tensor *y = NULL, *dx = NULL;

    check_ok(coordconv_plan_output(plan, output, &y));
    golden_check(g, y_array, 0, y, output);
    check_ok(coordconv_plan_input_gradient(plan, "x", &dx));
    golden_check(g, dx_array, 1, dx, "dx");
    coordconv_tensor_unref(y);
    coordconv_tensor_unref(dx);
    coordconv_plan_unref(plan);
}

static void loss(void **state)
{
    struct golden g;
    coordconv_model *model = NULL;
    coordconv_value value = COORDCONV_NO_VALUE;

    golden_load(&g, *state, LOSS_ARRAYS);
    check_ok(coordconv_model_new(golden_context(), &model));
    const coordconv_value x = input(model, "x", &g.array[LOSS_X]);
    const coordconv_value target = input(model, "target", &g.array[LOSS_TARGET]);
    switch (golden_config(&g, 0)) {
    case 0:
        value = coordconv_model_mse(model, x, target);
        break;
    case 1:
    case 2:
        value = coordconv_model_softmax_cross_entropy(model, x, target);
        break;
    case 3:
        value = coordconv_model_sigmoid_cross_entropy(model, x, target);
        break;
    case 4:
        value = coordconv_model_gaussian_kl(model, x, target);
        break;
    case 5:
        value = coordconv_model_gaussian_kl(model, target, x);
        break;
    default:
        fail();
    }
    coordconv_model_output(model, "loss", value);
    coordconv_plan *plan = run_model(model, &g, "target", LOSS_TARGET);
    check_plan(plan, &g, "loss", LOSS_VALUE, LOSS_DX);
    golden_free(&g);
}

static void described_loss(void **state)
{
    struct golden g;
    coordconv_model *model = NULL;
    coordconv_tensor *weight;
    coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                 .mode = COORDCONV_TRAINING,
                                 .input_gradients = 1 };
    coordconv_plan *plan = NULL;

    golden_load(&g, *state, DESCRIBED_ARRAYS);
    check_ok(coordconv_model_new(golden_context(), &model));
    coordconv_loss_desc loss_desc = { .struct_size = sizeof loss_desc,
                                      .kind = golden_config(&g, 0),
                                      .reduction = golden_config(&g, 1),
                                      .weighted = golden_config(&g, 2),
                                      .ignore = golden_config(&g, 3),
                                      .beta = (double)g.array[DESCRIBED_BETA].floats[0] };
    const coordconv_value x = input(model, "x", &g.array[LOSS_X]);
    const coordconv_value target = input(model, "target", &g.array[LOSS_TARGET]);

    if (loss_desc.weighted)
        loss_desc.weight = input(model, "weight", &g.array[DESCRIBED_WEIGHT]);
    coordconv_model_output(model, "loss", coordconv_model_loss(model, x, target, &loss_desc));
    check_ok(coordconv_plan_new(model, &desc, &plan));
    weight = golden_tensor(&g, golden_context(), DESCRIBED_WEIGHT);
    if (loss_desc.weighted)
        check_ok(coordconv_plan_bind(plan, "weight", weight));
    coordconv_tensor_unref(weight);
    run_plan(plan, &g, "target", LOSS_TARGET);
    coordconv_model_unref(model);
    check_plan(plan, &g, "loss", LOSS_VALUE, LOSS_DX);
    golden_free(&g);
}

static coordconv_value apply_pool(coordconv_model *model, coordconv_value x, const struct golden *g)
{
    coordconv_pool2d_desc desc = { .struct_size = sizeof desc };

    for (int32_t i = 0; i < 2; i++) {
        desc.kernel[i] = golden_config(g, 1 + i);
        desc.stride[i] = golden_config(g, 3 + i);
    }
    desc.padding = golden_config(g, 5) ? COORDCONV_SAME : COORDCONV_PADDING_EXPLICIT;
    for (int32_t i = 0; i < 4; i++)
        desc.pads[i] = golden_config(g, 6 + i);
    desc.count_padding = golden_config(g, 10);
    return golden_config(g, 0) == 0 ? coordconv_model_max_pool2d(model, x, &desc)
                                    : coordconv_model_avg_pool2d(model, x, &desc);
}

static coordconv_value apply_upsample(coordconv_model *model, coordconv_value x,
                                      const struct golden *g)
{
    const coordconv_upsample2d_desc desc = { .struct_size = sizeof desc,
                                             .factor = { golden_config(g, 0), golden_config(g, 1) },
                                             .mode = golden_config(g, 2),
                                             .align_corners = golden_config(g, 3) };

    return coordconv_model_upsample2d(model, x, &desc);
}

/* Kinds as make_golden.py numbers them. */
static coordconv_value apply_op(coordconv_model *model, coordconv_value x, const struct golden *g)
{
    switch (golden_config(g, 0)) {
    case 0:
        return coordconv_model_relu(model, x);
    case 1:
        return coordconv_model_leaky_relu(model, x, 0.125);
    case 2:
        return coordconv_model_sigmoid(model, x);
    case 3:
        return coordconv_model_tanh(model, x);
    case 4:
        return coordconv_model_softmax(model, x, 1u << 3);
    case 5:
        return coordconv_model_softmax(model, x, 1u << 1 | 1u << 2);
    case 6:
        return coordconv_model_global_max_pool(model, x);
    case 7:
        return coordconv_model_global_avg_pool(model, x);
    case 8:
        return coordconv_model_global_sum_pool(model, x);
    default:
        assert_int_equal(golden_config(g, 0), 9);
        return coordconv_model_exp(model, x);
    }
}

static void check_op(const char *name,
                     coordconv_value (*apply)(coordconv_model *model, coordconv_value x,
                                              const struct golden *g))
{
    struct golden g;
    coordconv_model *model = NULL;

    golden_load(&g, name, OP_ARRAYS);
    check_ok(coordconv_model_new(golden_context(), &model));
    const coordconv_value y = apply(model, input(model, "x", &g.array[OP_X]), &g);
    coordconv_model_output(model, "y", y);
    golden_add_loss(model, y, &g.array[OP_DY]);
    check_plan(run_model(model, &g, "dy", OP_DY), &g, "y", OP_Y, OP_DX);
    golden_free(&g);
}

static void pool(void **state)
{
    check_op(*state, apply_pool);
}

static void upsample(void **state)
{
    check_op(*state, apply_upsample);
}

static void op(void **state)
{
    check_op(*state, apply_op);
}

int main(void)
{
    static const char *const losses[] = {
        "mse-vector",           "mse-image",      "softmax-index-vector", "softmax-index-map",
        "softmax-distribution", "sigmoid-vector", "sigmoid-image",        "gaussian-kl-mean",
        "gaussian-kl-variance",
    };
    static const char *const described[] = {
        "loss-mse-weighted",     "loss-l1",           "loss-smooth-l1",
        "loss-smooth-l1-beta",   "loss-robust-l1",    "loss-robust-l1-beta",
        "loss-sigmoid-weighted", "loss-sigmoid-sum",  "loss-softmax-labels",
        "loss-softmax-ignore",   "loss-softmax-both", "loss-softmax-distribution",
    };
    static const char *const pools[] = {
        "max-pool", "max-pool-overlap", "max-pool-asymmetric", "max-pool-same",
        "avg-pool", "avg-pool-inside",  "avg-pool-whole",      "avg-pool-same",
    };
    static const char *const upsampled[] = {
        "upsample-nearest", "upsample-bilinear", "upsample-bilinear-3x1",
        "upsample-corners", "upsample-one-row",
    };
    static const char *const ops[] = {
        "relu",          "leaky-relu", "sigmoid",    "tanh",       "softmax-last",
        "softmax-space", "global-max", "global-avg", "global-sum", "exp",
    };

    return golden_run("losses", losses, COUNT(losses), loss) +
           golden_run("described losses", described, COUNT(described), described_loss) +
           golden_run("pooling", pools, COUNT(pools), pool) +
           golden_run("upsampling", upsampled, COUNT(upsampled), upsample) +
           golden_run("elementwise", ops, COUNT(ops), op);
}
