/* SPDX-License-Identifier: BSD-2-Clause */
#include "optimizer_net.h"

#include <string.h>

const struct net_parameter parameters[PARAMETERS] = {
    { "a.weight", 0, 15, 1 },  { "a.bias", 15, 5, 0 },    { "norm.weight", 20, 5, 0 },
    { "norm.bias", 25, 5, 0 }, { "b.weight", 30, 10, 1 }, { "b.bias", 40, 2, 0 },
};

struct test_heap heap;
coordconv_context *context;
coordconv_layer *layer_a, *layer_norm, *layer_b;
coordconv_model *model;
coordconv_plan *plan, *other;

coordconv_layer *linear(int32_t in, int32_t out, const char *name)
{
    coordconv_linear_desc d = { .struct_size = sizeof d, .in_features = in, .out_features = out };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_linear_new(context, &d, &layer));
    check_ok(coordconv_layer_set_name(layer, name));
    return layer;
}

coordconv_plan *make_plan(coordconv_model *of, int32_t mode, int64_t batch)
{
    coordconv_plan_desc d = { .struct_size = sizeof d, .mode = mode, .batch = batch };
    coordconv_plan *made = NULL;

    check_ok(coordconv_plan_new(of, &d, &made));
    return made;
}

static void make_model(void)
{
    const int64_t x_shape[] = { -1, INPUTS }, y_shape[] = { -1, OUTPUTS };
    coordconv_value x, y;

    check_ok(coordconv_model_new(context, &model));
    x = coordconv_model_input(model, "x", TEST_REAL, 2, x_shape);
    y = coordconv_model_input(model, "y", TEST_REAL, 2, y_shape);
    x = coordconv_model_apply(model, layer_a, x);
    x = coordconv_model_apply(model, layer_norm, x);
    x = coordconv_model_apply(model, layer_b, x);
    coordconv_model_output(model, "loss", coordconv_model_mse(model, x, y));
}

/* Bind random data and run, so that there is a backward pass. */
static void run_plan(coordconv_plan *p, int64_t batch)
{
    const int64_t x_shape[] = { batch, INPUTS }, y_shape[] = { batch, OUTPUTS };
    coordconv_tensor *x = test_tensor(context, 2, x_shape, 1);
    coordconv_tensor *y = test_tensor(context, 2, y_shape, 2);

    check_ok(coordconv_plan_bind(p, "x", x));
    check_ok(coordconv_plan_bind(p, "y", y));
    check_ok(coordconv_plan_run(p));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
}

int net_set_up(void **state)
{
    coordconv_batch_norm_desc d = { .struct_size = sizeof d, .channels = HIDDEN };
    (void)state;

    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    layer_a = linear(INPUTS, HIDDEN, "a");
    layer_b = linear(HIDDEN, OUTPUTS, "b");
    check_ok(coordconv_batch_norm_new(context, &d, &layer_norm));
    check_ok(coordconv_layer_set_name(layer_norm, "norm"));
    make_model();
    test_fill_layer(layer_a, 10);
    test_fill_layer(layer_norm, 20);
    test_fill_layer(layer_b, 30);
    plan = make_plan(model, COORDCONV_TRAINING, 4);
    other = make_plan(model, COORDCONV_TRAINING, 2);
    assert_int_equal(coordconv_plan_parameter_count(plan), PARAMETERS);
    run_plan(plan, 4);
    run_plan(other, 2);
    return 0;
}

int net_tear_down(void **state)
{
    (void)state;
    coordconv_plan_unref(plan);
    coordconv_plan_unref(other);
    coordconv_model_unref(model);
    coordconv_layer_unref(layer_a);
    coordconv_layer_unref(layer_b);
    coordconv_layer_unref(layer_norm);
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}

coordconv_optimizer *make_optimizer(const coordconv_optimizer_desc *d)
{
    coordconv_optimizer *o = NULL;

    check_ok(coordconv_optimizer_new(plan, d, &o));
    return o;
}

void get_parameters(test_real *values)
{
    const int64_t count = ELEMENTS;
    coordconv_tensor *flat = NULL;

    check_ok(coordconv_tensor_new(context, TEST_REAL, 1, &count, &flat));
    check_ok(coordconv_plan_get_parameters(plan, flat));
    memcpy(values, test_values(flat), ELEMENTS * sizeof *values);
    coordconv_tensor_unref(flat);
}

void set_gradients(coordconv_plan *p, const test_real *values)
{
    coordconv_tensor *flat = NULL;

    check_ok(coordconv_plan_gradients(p, &flat));
    assert_int_equal(coordconv_tensor_count(flat), ELEMENTS);
    memcpy(test_values(flat), values, ELEMENTS * sizeof *values);
    coordconv_tensor_unref(flat);
}

void random_gradients(test_real *values, uint64_t seed)
{
    for (int i = 0; i < ELEMENTS; i++)
        values[i] = (test_real)(2 * test_random(&seed));
}
