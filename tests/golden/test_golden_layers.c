/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_golden_layers.c - convolutions, CoordConv, linear and batch norm against
 * PyTorch: run by themselves, in an inference plan and in a training plan.
 */
#include "golden.h"

#include <stdlib.h>
#include <string.h>

/* Arrays of a convolution or linear case; its bounds are for y, dx, dweight, dbias. */
enum {
    X = GOLDEN_FIRST,
    WEIGHT,
    BIAS,
    Y,
    DY,
    DX,
    DWEIGHT,
    DBIAS,
    PRODUCT_ARRAYS
};

/* Arrays of a batch norm case; bounds for y, dx, dweight, dbias, new_mean, new_var, inference. */
enum {
    BN_NUMBERS = GOLDEN_FIRST,
    BN_X,
    BN_WEIGHT,
    BN_BIAS,
    BN_MEAN,
    BN_VAR,
    BN_Y,
    BN_DY,
    BN_DX,
    BN_DWEIGHT,
    BN_DBIAS,
    BN_NEW_MEAN,
    BN_NEW_VAR,
    BN_INFERENCE,
    BN_ARRAYS
};

enum {
    BOUND_Y,
    BOUND_DX,
    BOUND_DWEIGHT,
    BOUND_DBIAS,
    BOUND_MEAN,
    BOUND_VAR,
    BOUND_INFERENCE
};

enum {
    GN_EPSILON = GOLDEN_FIRST,
    GN_X,
    GN_WEIGHT,
    GN_BIAS,
    GN_Y,
    GN_DY,
    GN_DX,
    GN_DWEIGHT,
    GN_DBIAS,
    GN_ARRAYS
};

/* A layer and where its case keeps what. */
struct subject {
    struct golden g;
    coordconv_layer *layer;
    int32_t x, y, dy, dx, gradients[2]; /* arrays */
    int32_t inference, inference_bound;
    int32_t is_batch_norm;
};

/* A training forward pass moves the running statistics of a batch norm: put them back. */
static void reset_statistics(const struct subject *s)
{
    if (s->is_batch_norm) {
        golden_set(&s->g, BN_MEAN, s->layer, "running_mean");
        golden_set(&s->g, BN_VAR, s->layer, "running_var");
    }
}

static void check_statistics(const struct subject *s)
{
    if (s->is_batch_norm) {
        golden_check(&s->g, BN_NEW_MEAN, BOUND_MEAN, test_parameter(s->layer, "running_mean"),
                     "running mean");
        golden_check(&s->g, BN_NEW_VAR, BOUND_VAR, test_parameter(s->layer, "running_var"),
                     "running variance");
    }
}

/* A backward pass reads a layer and does not change it. */
static void check_untouched_statistics(const struct subject *s)
{
    if (s->is_batch_norm) {
        coordconv_tensor *mean = golden_tensor(&s->g, golden_context(), BN_MEAN);
        coordconv_tensor *var = golden_tensor(&s->g, golden_context(), BN_VAR);
        test_check_same(test_parameter(s->layer, "running_mean"), mean, "running mean");
        test_check_same(test_parameter(s->layer, "running_var"), var, "running variance");
        coordconv_tensor_unref(mean);
        coordconv_tensor_unref(var);
    }
}

/* ---- by itself ---- */

static void *get_workspace(const struct subject *s, int32_t mode, size_t *bytes)
{
    const struct golden_array *x = &s->g.array[s->x];

    check_ok(coordconv_layer_workspace(s->layer, mode, x->ndim, x->shape, bytes));
    void *memory = aligned_alloc(64, (*bytes / 64 + 1) * 64);
    assert_non_null(memory);
    memset(memory, 0xff, *bytes); /* NaN: it may not be read before it is written */
    return memory;
}

static void check_forward(const struct subject *s, int32_t mode, int own_workspace)
{
    coordconv_tensor *x = golden_tensor(&s->g, golden_context(), s->x);
    coordconv_tensor *y = golden_blank(&s->g, golden_context(), s->y);
    size_t bytes = 0;
    void *workspace = own_workspace ? get_workspace(s, mode, &bytes) : NULL;
    const int inference = mode == COORDCONV_INFERENCE;

    reset_statistics(s);
    check_ok(coordconv_tensor_fill(y, 1e30));
    check_ok(coordconv_layer_forward(s->layer, mode, x, y, workspace, bytes));
    golden_check(&s->g, inference ? s->inference : s->y, inference ? s->inference_bound : BOUND_Y,
                 y, inference ? "y, inference" : "y, training");
    if (!inference)
        check_statistics(s);
    free(workspace);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
}

/* want: bit 0 dx, bit 1 dweight, bit 2 dbias. */
static void check_backward(const struct subject *s, unsigned want, int own_workspace)
{
    const int32_t count = coordconv_layer_parameter_count(s->layer);
    coordconv_tensor *x = golden_tensor(&s->g, golden_context(), s->x);
    coordconv_tensor *dy = golden_tensor(&s->g, golden_context(), s->dy);
    coordconv_tensor *dx = want & 1 ? golden_blank(&s->g, golden_context(), s->dx) : NULL;
    coordconv_tensor *gradients[2] = { NULL, NULL };
    size_t bytes = 0;
    void *workspace = own_workspace ? get_workspace(s, COORDCONV_TRAINING, &bytes) : NULL;

    for (int32_t i = 0; i < count; i++)
        if (want & 2u << i)
            gradients[i] = golden_blank(&s->g, golden_context(), s->gradients[i]);
    reset_statistics(s);
    check_ok(coordconv_layer_backward(s->layer, x, dy, dx, gradients, workspace, bytes));
    if (dx != NULL)
        golden_check(&s->g, s->dx, BOUND_DX, dx, "dx");
    for (int32_t i = 0; i < count; i++)
        if (gradients[i] != NULL)
            golden_check(&s->g, s->gradients[i], BOUND_DWEIGHT + i, gradients[i],
                         i == 0 ? "dweight" : "dbias");
    check_untouched_statistics(s);
    free(workspace);
    for (int32_t i = 0; i < 2; i++)
        coordconv_tensor_unref(gradients[i]);
    coordconv_tensor_unref(dx);
    coordconv_tensor_unref(dy);
    coordconv_tensor_unref(x);
}

static void check_alone(const struct subject *s)
{
    for (int own = 0; own <= 1; own++) {
        check_forward(s, COORDCONV_INFERENCE, own);
        check_forward(s, COORDCONV_TRAINING, own);
        check_backward(s, 7, own);
    }
    for (unsigned want = 1; want < 7; want++)
        check_backward(s, want, 1);
}

/* ---- in a plan ---- */

static coordconv_plan *make_plan(const struct subject *s, int32_t mode)
{
    const struct golden_array *x = &s->g.array[s->x];
    coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                 .mode = mode,
                                 .input_gradients = mode };
    coordconv_model *model = NULL;
    coordconv_plan *plan = NULL;

    check_ok(coordconv_model_new(golden_context(), &model));
    const coordconv_value y = coordconv_model_apply(
        model, s->layer, coordconv_model_input(model, "x", COORDCONV_F32, x->ndim, x->shape));
    coordconv_model_output(model, "y", y);
    if (mode == COORDCONV_TRAINING)
        golden_add_loss(model, y, &s->g.array[s->dy]);
    check_ok(coordconv_plan_new(model, &desc, &plan));
    coordconv_model_unref(model);
    return plan;
}

static void bind(coordconv_plan *plan, const char *name, const struct golden *g, int32_t array)
{
    coordconv_tensor *tensor = golden_tensor(g, golden_context(), array);

    check_ok(coordconv_plan_bind(plan, name, tensor));
    coordconv_tensor_unref(tensor);
}

static void check_output(coordconv_plan *plan, const struct golden *g, int32_t array, int32_t bound,
                         const char *what)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_plan_output(plan, "y", &y));
    golden_check(g, array, bound, y, what);
    coordconv_tensor_unref(y);
}

static void check_inference_plan(const struct subject *s)
{
    coordconv_plan *plan = make_plan(s, COORDCONV_INFERENCE);

    reset_statistics(s);
    bind(plan, "x", &s->g, s->x);
    for (int run = 0; run < 2; run++) {
        check_ok(coordconv_plan_run(plan));
        check_output(plan, &s->g, s->inference, s->inference_bound, "y, inference plan");
    }
    coordconv_plan_unref(plan);
}

static void check_plan_gradients(const struct subject *s, coordconv_plan *plan)
{
    coordconv_tensor *dx = NULL, *flat = NULL;

    check_ok(coordconv_plan_input_gradient(plan, "x", &dx));
    golden_check(&s->g, s->dx, BOUND_DX, dx, "dx, plan");
    check_ok(coordconv_plan_gradients(plan, &flat));
    const int32_t count = coordconv_plan_parameter_count(plan);
    assert_int_equal(count, coordconv_layer_parameter_count(s->layer));
    for (int32_t i = 0; i < count; i++) {
        int64_t offset = -1;
        check_ok(coordconv_plan_parameter(plan, i, NULL, &offset, NULL));
        golden_check_values(&s->g, s->gradients[i], BOUND_DWEIGHT + i, test_values(flat) + offset,
                            i == 0 ? "dweight, plan" : "dbias, plan");
    }
    coordconv_tensor_unref(dx);
    coordconv_tensor_unref(flat);
}

static void check_training_plan(const struct subject *s)
{
    coordconv_plan *plan = make_plan(s, COORDCONV_TRAINING);

    bind(plan, "x", &s->g, s->x);
    bind(plan, "dy", &s->g, s->dy);
    for (int run = 0; run < 2; run++) { /* gradients are written, not added to */
        reset_statistics(s);
        check_ok(coordconv_plan_run(plan));
        check_output(plan, &s->g, s->y, BOUND_Y, "y, training plan");
        check_statistics(s);
        check_plan_gradients(s, plan);
    }
    coordconv_plan_unref(plan);
}

static void check_subject(struct subject *s)
{
    const struct golden_array *x = &s->g.array[s->x], *y = &s->g.array[s->y];
    int64_t shape[COORDCONV_MAX_NDIM] = { 0 };

    check_ok(coordconv_layer_output_shape(s->layer, x->ndim, x->shape, shape));
    assert_memory_equal(shape, y->shape, (size_t)y->ndim * sizeof shape[0]);
    check_alone(s);
    check_inference_plan(s);
    check_training_plan(s);
    coordconv_layer_unref(s->layer);
    golden_free(&s->g);
}

/* ---- families ---- */

static void set_product_parameters(struct subject *s)
{
    golden_set(&s->g, WEIGHT, s->layer, "weight");
    if (s->g.array[BIAS].count > 0)
        golden_set(&s->g, BIAS, s->layer, "bias");
    s->x = X;
    s->y = s->inference = Y;
    s->dy = DY;
    s->dx = DX;
    s->gradients[0] = DWEIGHT;
    s->gradients[1] = DBIAS;
    s->inference_bound = BOUND_Y;
}

/* Both descriptors have the same fields but for output_padding. */
#define FILL_CONV_DESC(d, g)                                                                       \
    do {                                                                                           \
        (d)->struct_size = sizeof *(d);                                                            \
        (d)->coords = (uint32_t)golden_config(g, 1);                                               \
        (d)->in_channels = golden_config(g, 2);                                                    \
        (d)->out_channels = golden_config(g, 3);                                                   \
        (d)->padding = golden_config(g, 10) ? COORDCONV_SAME : COORDCONV_PADDING_EXPLICIT;         \
        (d)->groups = golden_config(g, 17);                                                        \
        (d)->no_bias = golden_config(g, 18);                                                       \
        for (int32_t i = 0; i < 2; i++) {                                                          \
            (d)->kernel[i] = golden_config(g, 4 + i);                                              \
            (d)->stride[i] = golden_config(g, 6 + i);                                              \
            (d)->dilation[i] = golden_config(g, 8 + i);                                            \
        }                                                                                          \
        for (int32_t i = 0; i < 4; i++)                                                            \
            (d)->pads[i] = golden_config(g, 11 + i);                                               \
    } while (0)

static void conv(void **state)
{
    struct subject s = { .layer = NULL };

    golden_load(&s.g, *state, PRODUCT_ARRAYS);
    if (golden_config(&s.g, 0)) {
        coordconv_conv_transpose2d_desc desc = { 0 };
        FILL_CONV_DESC(&desc, &s.g);
        desc.output_padding[0] = golden_config(&s.g, 15);
        desc.output_padding[1] = golden_config(&s.g, 16);
        check_ok(coordconv_conv_transpose2d_new(golden_context(), &desc, &s.layer));
    } else {
        coordconv_conv2d_desc desc = { 0 };
        FILL_CONV_DESC(&desc, &s.g);
        check_ok(coordconv_conv2d_new(golden_context(), &desc, &s.layer));
    }
    set_product_parameters(&s);
    check_subject(&s);
}

static void conv1d(void **state)
{
    struct subject s = { .layer = NULL };

    golden_load(&s.g, *state, PRODUCT_ARRAYS);
    const coordconv_conv1d_desc desc = { .struct_size = sizeof desc,
                                         .coords = (uint32_t)golden_config(&s.g, 0),
                                         .in_channels = golden_config(&s.g, 1),
                                         .out_channels = golden_config(&s.g, 2),
                                         .kernel = golden_config(&s.g, 3),
                                         .stride = golden_config(&s.g, 4),
                                         .dilation = golden_config(&s.g, 5),
                                         .padding = golden_config(&s.g, 6),
                                         .pads = { golden_config(&s.g, 7), golden_config(&s.g, 8) },
                                         .groups = golden_config(&s.g, 9),
                                         .no_bias = golden_config(&s.g, 10) };
    check_ok(coordconv_conv1d_new(golden_context(), &desc, &s.layer));
    set_product_parameters(&s);
    check_subject(&s);
}

static void conv3d(void **state)
{
    struct subject s = { .layer = NULL };

    golden_load(&s.g, *state, PRODUCT_ARRAYS);
    coordconv_conv3d_desc desc = { .struct_size = sizeof desc,
                                   .coords = (uint32_t)golden_config(&s.g, 0),
                                   .in_channels = golden_config(&s.g, 1),
                                   .out_channels = golden_config(&s.g, 2),
                                   .padding = golden_config(&s.g, 12),
                                   .groups = golden_config(&s.g, 19),
                                   .no_bias = golden_config(&s.g, 20) };
    for (int i = 0; i < 3; i++) {
        desc.kernel[i] = golden_config(&s.g, 3 + i);
        desc.stride[i] = golden_config(&s.g, 6 + i);
        desc.dilation[i] = golden_config(&s.g, 9 + i);
    }
    for (int i = 0; i < 6; i++)
        desc.pads[i] = golden_config(&s.g, 13 + i);
    check_ok(coordconv_conv3d_new(golden_context(), &desc, &s.layer));
    set_product_parameters(&s);
    check_subject(&s);
}

static void linear(void **state)
{
    struct subject s = { .layer = NULL };

    golden_load(&s.g, *state, PRODUCT_ARRAYS);
    coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                   .in_features = golden_config(&s.g, 0),
                                   .out_features = golden_config(&s.g, 1),
                                   .no_bias = golden_config(&s.g, 2) };
    check_ok(coordconv_linear_new(golden_context(), &desc, &s.layer));
    set_product_parameters(&s);
    check_subject(&s);
}

static void batch_norm(void **state)
{
    struct subject s = { .x = BN_X,
                         .y = BN_Y,
                         .dy = BN_DY,
                         .dx = BN_DX,
                         .gradients = { BN_DWEIGHT, BN_DBIAS },
                         .inference = BN_INFERENCE,
                         .inference_bound = BOUND_INFERENCE,
                         .is_batch_norm = 1 };

    golden_load(&s.g, *state, BN_ARRAYS);
    coordconv_batch_norm_desc desc = { .struct_size = sizeof desc,
                                       .channels = golden_config(&s.g, 0),
                                       .epsilon = s.g.array[BN_NUMBERS].floats[0],
                                       .momentum = s.g.array[BN_NUMBERS].floats[1] };
    check_ok(coordconv_batch_norm_new(golden_context(), &desc, &s.layer));
    golden_set(&s.g, BN_WEIGHT, s.layer, "weight");
    golden_set(&s.g, BN_BIAS, s.layer, "bias");
    check_subject(&s);
}

static void group_norm(void **state)
{
    struct subject s = { .x = GN_X,
                         .y = GN_Y,
                         .dy = GN_DY,
                         .dx = GN_DX,
                         .gradients = { GN_DWEIGHT, GN_DBIAS },
                         .inference = GN_Y };

    golden_load(&s.g, *state, GN_ARRAYS);
    coordconv_group_norm_desc desc = { .struct_size = sizeof desc,
                                       .channels = golden_config(&s.g, 0),
                                       .groups = golden_config(&s.g, 1),
                                       .epsilon = s.g.array[GN_EPSILON].floats[0] };
    check_ok(coordconv_group_norm_new(golden_context(), &desc, &s.layer));
    golden_set(&s.g, GN_WEIGHT, s.layer, "weight");
    golden_set(&s.g, GN_BIAS, s.layer, "bias");
    check_subject(&s);
}

int main(void)
{
    static const char *const convs[] = {
        "conv2d-plain",        "conv2d-wide",
        "conv2d-narrow",       "conv2d-1x1",
        "conv2d-1x1-stride",   "conv2d-stride",
        "conv2d-dilation",     "conv2d-groups",
        "conv2d-depthwise",    "conv2d-asymmetric",
        "conv2d-wide-pads",    "conv2d-same-even",
        "conv2d-same-stride",  "conv2d-same-small-kernel",
        "conv2d-no-bias",      "conv2d-all",
        "transpose-plain",     "transpose-stride-2",
        "transpose-stride-3",  "transpose-dilation",
        "transpose-groups",    "transpose-depthwise",
        "transpose-wide",      "transpose-asymmetric",
        "transpose-same",      "transpose-same-small-kernel",
        "transpose-no-bias",   "coordconv-xy",
        "coordconv-xyr",       "coordconv-radius",
        "coordconv-pixel",     "coordconv-1x1",
        "coordconv-stride",    "coordconv-dilation",
        "coordconv-wide",      "coordconv-one-row",
        "coordconv-transpose", "coordconv-transpose-same",
    };
    static const char *const lines[] = {
        "conv1d-plain",      "conv1d-all",      "conv1d-same",     "coordconv1d-x",
        "coordconv1d-pixel", "coordconv1d-1x1", "coordconv1d-one", "coordconv1d-radius",
    };
    static const char *const volumes[] = {
        "conv3d-plain",       "conv3d-all",      "conv3d-same",      "conv3d-1x1",
        "conv3d-depthwise",   "coordconv3d-xyz", "coordconv3d-xyzr", "coordconv3d-pixel",
        "coordconv3d-radius", "coordconv3d-xz",
    };
    static const char *const linears[] = { "linear-plain", "linear-no-bias", "linear-4d" };
    static const char *const norms[] = { "batch-norm-image", "batch-norm-vector",
                                         "batch-norm-offset" };

    static const char *const groups[] = { "group-norm-image", "group-norm-layer",
                                          "group-norm-instance", "group-norm-vector" };

    return golden_run("convolutions", convs, COUNT(convs), conv) +
           golden_run("signals", lines, COUNT(lines), conv1d) +
           golden_run("volumes", volumes, COUNT(volumes), conv3d) +
           golden_run("linear", linears, COUNT(linears), linear) +
           golden_run("batch norm", norms, COUNT(norms), batch_norm) +
           golden_run("group norm", groups, COUNT(groups), group_norm);
}
