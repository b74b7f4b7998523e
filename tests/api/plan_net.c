/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_net.h"

struct test_heap heap;
coordconv_context *context;

const int64_t x_shape[4] = { N, H, W, C };

int start_context(void **state)
{
    (void)state;
    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    return 0;
}

int stop_context(void **state)
{
    (void)state;
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}

coordconv_layer *new_conv(uint64_t seed)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_XY,
                                         .in_channels = C,
                                         .out_channels = OUT,
                                         .kernel = { 3, 3 },
                                         .padding = COORDCONV_SAME };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, &desc, &layer));
    test_fill_layer(layer, seed);
    return layer;
}

coordconv_model *new_model(coordconv_layer *conv)
{
    const int64_t shape[4] = { -1, H, W, C }, target[4] = { -1, H, W, OUT };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    coordconv_value y = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    y = coordconv_model_relu(m, coordconv_model_apply(m, conv, y));
    coordconv_model_output(m, "y", y);
    coordconv_model_output(
        m, "loss",
        coordconv_model_mse(m, y, coordconv_model_input(m, "target", COORDCONV_F32, 4, target)));
    return m;
}

coordconv_plan *new_plan(coordconv_model *model, int32_t mode)
{
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .batch = N, .input_gradients = mode
    };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    return plan;
}

void bind_target(coordconv_plan *plan)
{
    const int64_t shape[4] = { N, H, W, OUT };
    coordconv_tensor *target = test_tensor(context, 4, shape, 77);

    check_ok(coordconv_plan_bind(plan, "target", target));
    coordconv_tensor_unref(target);
}

coordconv_tensor *output(coordconv_plan *plan, const char *name)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_plan_output(plan, name, &y));
    return y;
}

coordconv_tensor *plain(const coordconv_tensor *tensor)
{
    coordconv_tensor *copy = test_like(context, tensor);

    check_ok(coordconv_tensor_copy(copy, tensor));
    return copy;
}

coordconv_tensor *permuted(int32_t dtype, const int32_t *order, int64_t channels)
{
    const int64_t shape[4] = { N, H, W, channels };
    int64_t stored[4];
    int32_t back[4];
    coordconv_tensor *memory = NULL, *view = NULL;

    for (int32_t i = 0; i < 4; i++) {
        stored[i] = shape[order[i]];
        back[order[i]] = i;
    }
    check_ok(coordconv_tensor_new(context, dtype, 4, stored, &memory));
    check_ok(coordconv_tensor_permute(memory, back, &view));
    coordconv_tensor_unref(memory);
    return view;
}

coordconv_tensor *whole_numbers(uint64_t seed)
{
    coordconv_tensor *t = test_tensor(context, 4, x_shape, seed);

    for (int64_t i = 0; i < coordconv_tensor_count(t); i++)
        test_values(t)[i] = (float)(int)(100 * (test_values(t)[i] + 1));
    return t;
}
