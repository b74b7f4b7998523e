/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_plan.c - what plans promise: a caller's arena, no allocation while
 * running, what is left out, what is kept alive.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_net.h"

/* ---- what is left out, what is kept ---- */

static void unused_parts_are_left_out(void **state)
{
    const int64_t shape[4] = { -1, H, W, C };
    coordconv_layer *conv = new_conv(7), *idle = new_conv(8);
    coordconv_model *m = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value spare = coordconv_model_input(m, "spare", COORDCONV_F32, 4, shape);
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    coordconv_model_apply(m, idle, spare);
    const coordconv_value y = coordconv_model_apply(m, conv, x);
    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "loss", coordconv_model_mse(m, y, y));
    assert_int_equal(coordconv_model_layer_count(m), 2);
    assert_ptr_equal(coordconv_model_layer(m, 0), idle);
    assert_ptr_equal(coordconv_model_layer(m, 1), conv);
    coordconv_plan *plan = new_plan(m, COORDCONV_TRAINING);
    assert_int_equal(coordconv_plan_parameter_count(plan), 2);
    const char *name = NULL;
    check_ok(coordconv_plan_parameter(plan, 0, &name, NULL, NULL));
    assert_string_equal(name, "1.weight"); /* the number in the model, not in the plan */
    coordconv_tensor *image = whole_numbers(9);
    check_ok(coordconv_plan_bind(plan, "x", image));
    check_ok(coordconv_plan_run(plan)); /* "spare" is not bound */
    coordconv_tensor_unref(image);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(conv);
    coordconv_layer_unref(idle);
}

/* One output of two: without labels, in less memory, with the same result. */
static void outputs_not_wanted_are_left_out(void **state)
{
    static const char *const wanted[] = { "y" };
    coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .batch = N, .outputs = wanted, .output_count = 1
    };
    coordconv_layer *conv = new_conv(30);
    coordconv_model *model = new_model(conv);
    coordconv_plan *all = new_plan(model, COORDCONV_INFERENCE), *plan = NULL;
    coordconv_tensor *x = whole_numbers(31), *loss = NULL;
    (void)state;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    bind_target(all);
    check_ok(coordconv_plan_bind(all, "x", x));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(all));
    check_ok(coordconv_plan_run(plan)); /* "target" is not bound */
    coordconv_tensor *y = output(plan, "y"), *want = output(all, "y");
    test_check_same(y, want, "y");
    check_fails(coordconv_plan_output(plan, "loss", &loss), COORDCONV_ERR_NOT_FOUND, "loss");
    check_fails(coordconv_plan_bind(plan, "loss", x), COORDCONV_ERR_NOT_FOUND, "loss");
    bind_target(plan); /* takes it, and has no use for it */
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor_unref(y);
    coordconv_tensor_unref(want);
    coordconv_plan_unref(plan);
    coordconv_plan_unref(all);
    /* A descriptor that ends where it did before it had outputs means all of them. */
    desc.struct_size = offsetof(coordconv_plan_desc, outputs);
    check_ok(coordconv_plan_new(model, &desc, &plan));
    bind_target(plan);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor_unref(output(plan, "loss"));
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(x);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* Training computes the loss whatever is wanted besides. */
static void a_loss_that_is_no_wanted_output(void **state)
{
    static const char *const wanted[] = { "y" };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = N,
                                       .outputs = wanted,
                                       .output_count = 1 };
    coordconv_layer *conv = new_conv(32);
    coordconv_model *model = new_model(conv);
    coordconv_plan *plan[2] = { new_plan(model, COORDCONV_TRAINING), NULL };
    coordconv_tensor *x = whole_numbers(33), *gradients[2] = { NULL, NULL };
    (void)state;

    check_ok(coordconv_plan_new(model, &desc, &plan[1]));
    for (int i = 0; i < 2; i++) {
        bind_target(plan[i]);
        check_ok(coordconv_plan_bind(plan[i], "x", x));
        check_ok(coordconv_plan_run(plan[i]));
        check_ok(coordconv_plan_gradients(plan[i], &gradients[i]));
    }
    test_check_same(gradients[1], gradients[0], "gradients");
    for (int i = 0; i < 2; i++) {
        coordconv_tensor_unref(gradients[i]);
        coordconv_plan_unref(plan[i]);
    }
    coordconv_tensor_unref(x);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* A layer behind an output but not behind the loss, and an input likewise: zero gradients. */
static void gradients_off_the_path_are_zero(void **state)
{
    const int64_t shape[4] = { -1, H, W, C };
    coordconv_layer *conv = new_conv(10), *aside = new_conv(11);
    coordconv_model *m = NULL;
    coordconv_tensor *flat = NULL, *dx = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value other = coordconv_model_input(m, "other", COORDCONV_F32, 4, shape);
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    coordconv_model_output(m, "aside", coordconv_model_apply(m, aside, other));
    const coordconv_value y = coordconv_model_apply(m, conv, x);
    coordconv_model_output(
        m, "loss",
        coordconv_model_mse(m, y, coordconv_model_scale(m, coordconv_model_tanh(m, y), 2)));
    coordconv_plan *plan = new_plan(m, COORDCONV_TRAINING);
    coordconv_tensor *image = whole_numbers(12);
    check_ok(coordconv_plan_bind(plan, "x", image));
    check_ok(coordconv_plan_bind(plan, "other", image));
    for (int run = 0; run < 2; run++) {
        check_ok(coordconv_plan_run(plan));
        check_ok(coordconv_plan_gradients(plan, &flat));
        int64_t first = -1;
        check_ok(coordconv_plan_parameter(plan, 2, NULL, &first, NULL));
        for (int64_t i = 0; i < first; i++)
            assert_true(test_values(flat)[i] == 0);
        assert_true(test_values(flat)[first] != 0);
        check_ok(coordconv_plan_input_gradient(plan, "other", &dx));
        for (int64_t i = 0; i < coordconv_tensor_count(dx); i++)
            assert_true(test_values(dx)[i] == 0);
        coordconv_tensor_unref(flat);
        coordconv_tensor_unref(dx);
    }
    coordconv_tensor_unref(image);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(conv);
    coordconv_layer_unref(aside);
}

/* Everything a plan stands on may be dropped before it, and what it hands out lives on after. */
static void handles_in_any_order(void **state)
{
    struct test_heap own;
    test_heap_init(&own);
    coordconv_context *kept = context;
    (void)state;

    context = test_context(1, &own, NULL);
    coordconv_layer *conv = new_conv(13);
    coordconv_model *model = new_model(conv);
    coordconv_plan *plan = new_plan(model, COORDCONV_INFERENCE);
    coordconv_tensor *x = whole_numbers(14);
    bind_target(plan);
    check_ok(coordconv_plan_bind(plan, "x", x));
    coordconv_tensor_unref(x);
    coordconv_layer_unref(conv);
    coordconv_model_unref(model);
    coordconv_context_unref(context);
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *y = output(plan, "y");
    const float value = test_values(y)[5];
    coordconv_plan_unref(plan);
    assert_true(test_values(y)[5] == value);
    coordconv_tensor_unref(y);
    test_heap_check_empty(&own);
    context = kept;
}

/* An input that is an output, and one value under two names. */
static void outputs_without_an_operation(void **state)
{
    coordconv_model *m = NULL;
    coordconv_tensor *x = whole_numbers(15);
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value in = coordconv_model_input(m, "x", COORDCONV_F32, 4, x_shape);
    coordconv_model_output(m, "same", in);
    coordconv_model_output(m, "flat", coordconv_model_flatten(m, in, 1));
    coordconv_model_output(m, "again", in);
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *same = output(plan, "same"), *flat = output(plan, "flat");
    coordconv_tensor *again = output(plan, "again");
    test_check_same(same, x, "same");
    test_check_same(flat, x, "flat");
    test_check_same(again, x, "again");
    /* The outputs keep what they show alive. */
    coordconv_tensor *copy = plain(x);
    check_ok(coordconv_plan_bind(plan, "x", NULL));
    coordconv_tensor_unref(x);
    test_check_same(same, copy, "same, later");
    test_check_same(flat, copy, "flat, later");
    coordconv_tensor *all[] = { same, flat, again, copy };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

/* Both plans of one model see a weight change, whoever makes it. */
static void changed_weights_are_seen(void **state)
{
    coordconv_layer *conv = new_conv(16), *other = new_conv(17);
    coordconv_model *model = new_model(conv);
    coordconv_plan *plan = new_plan(model, COORDCONV_INFERENCE);
    coordconv_plan *training = new_plan(model, COORDCONV_TRAINING);
    coordconv_tensor *x = whole_numbers(18), *flat = NULL;
    coordconv_tensor *weight = test_parameter(conv, "weight");
    float *kept = coordconv_tensor_data(weight);
    const int64_t count = coordconv_model_parameter_count(model);
    float last = 0;
    (void)state;

    bind_target(plan);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 1, &count, &flat));
    check_ok(coordconv_tensor_fill(flat, 0.5));
    for (int change = 0; change < 5; change++) {
        if (change == 1)
            test_values(weight)[0] += 1; /* coordconv_tensor_data counts as a write */
        if (change == 2) {
            kept[0] += 1;
            coordconv_tensor_modified(weight);
        }
        if (change == 3)
            check_ok(coordconv_tensor_copy(weight, test_parameter(other, "weight")));
        if (change == 4)
            check_ok(coordconv_plan_set_parameters(training, flat));
        check_ok(coordconv_plan_run(plan));
        coordconv_tensor *y = output(plan, "y"), *alone = test_like(context, y);
        check_ok(coordconv_layer_forward(conv, COORDCONV_INFERENCE, x, alone, NULL, 0));
        float sum = 0;
        for (int64_t i = 0; i < coordconv_tensor_count(y); i++) {
            const float v = test_values(alone)[i];
            assert_true(test_values(y)[i] == (v > 0 ? v : 0));
            sum += v;
        }
        assert_true(sum != last);
        last = sum;
        coordconv_tensor_unref(y);
        coordconv_tensor_unref(alone);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(flat);
    coordconv_plan_unref(plan);
    coordconv_plan_unref(training);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
    coordconv_layer_unref(other);
}

/* ---- memory ---- */

static void callers_arena(void **state)
{
    coordconv_layer *conv = new_conv(19);
    coordconv_model *model = new_model(conv);
    coordconv_tensor *x = whole_numbers(20);
    (void)state;

    for (int32_t mode = COORDCONV_INFERENCE; mode <= COORDCONV_TRAINING; mode++) {
        coordconv_plan_desc desc = { .struct_size = sizeof desc, .mode = mode, .batch = N };
        coordconv_plan *own = new_plan(model, mode), *plan = NULL;
        size_t bytes = 0, packed = 0;
        check_ok(coordconv_plan_arena_size(model, &desc, &bytes));
        check_ok(coordconv_plan_packed_size(model, &desc, &packed));
        assert_true(packed > 0 && packed < bytes);
        unsigned char *memory = aligned_alloc(64, (bytes / 64 + 2) * 64);
        assert_non_null(memory);
        memset(memory, 0xff, (bytes / 64 + 2) * 64); /* NaN, wherever it is read unwritten */
        desc.arena = memory;
        desc.arena_bytes = bytes;
        check_ok(coordconv_plan_new(model, &desc, &plan));
        bind_target(own);
        bind_target(plan);
        check_ok(coordconv_plan_bind(own, "x", x));
        check_ok(coordconv_plan_bind(plan, "x", x));
        check_ok(coordconv_plan_run(own));
        check_ok(coordconv_plan_run(plan));
        coordconv_tensor *want = output(own, "y"), *got = output(plan, "y");
        test_check_same(got, want, "y");
        const unsigned char *data = coordconv_tensor_data(got);
        assert_true(data >= memory && data < memory + bytes);
        for (size_t i = bytes; i < (bytes / 64 + 2) * 64; i++)
            assert_int_equal(memory[i], 0xff);
        coordconv_tensor_unref(want);
        coordconv_tensor_unref(got);
        coordconv_plan_unref(own);
        coordconv_plan_unref(plan);
        free(memory);
    }
    coordconv_tensor_unref(x);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

static size_t allocations(void)
{
    return atomic_load(&heap.calls);
}

/* From the first run on, with staging copies and weights that change in between. */
static void running_allocates_nothing(void **state)
{
    static const int32_t planar[4] = { 0, 3, 1, 2 };
    coordconv_layer *conv = new_conv(21);
    coordconv_model *model = new_model(conv);
    (void)state;

    for (int32_t mode = COORDCONV_INFERENCE; mode <= COORDCONV_TRAINING; mode++) {
        coordconv_plan *plan = new_plan(model, mode);
        coordconv_optimizer *optimizers[3] = { NULL, NULL, NULL };
        coordconv_tensor *x = permuted(COORDCONV_F64, planar, C);
        coordconv_tensor *y = permuted(COORDCONV_F64, planar, OUT);
        for (int32_t k = 0; mode == COORDCONV_TRAINING && k < 3; k++) {
            const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                                    .kind = COORDCONV_SGD + k,
                                                    .momentum = k == 0 ? 0.9 : 0,
                                                    .clip_norm = 0.1 };
            check_ok(coordconv_optimizer_new(plan, &desc, &optimizers[k]));
        }
        bind_target(plan);
        check_ok(coordconv_plan_bind(plan, "x", x));
        check_ok(coordconv_plan_bind(plan, "y", y));
        const size_t before = allocations();
        for (int run = 0; run < 3; run++) {
            check_ok(coordconv_plan_run(plan));
            check_ok(coordconv_plan_forward(plan));
            if (mode == COORDCONV_TRAINING)
                check_ok(coordconv_plan_backward(plan));
            for (int32_t k = 0; mode == COORDCONV_TRAINING && k < 3; k++)
                check_ok(coordconv_optimizer_step(optimizers[k]));
            coordconv_tensor_modified(test_parameter(conv, "bias"));
        }
        assert_int_equal(allocations(), before);
        for (int32_t k = 0; k < 3; k++)
            coordconv_optimizer_unref(optimizers[k]);
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(y);
        coordconv_plan_unref(plan);
    }
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* A layer with a workspace allocates nothing either. */
static void layers_with_a_workspace_allocate_nothing(void **state)
{
    coordconv_layer *conv = new_conv(22);
    coordconv_tensor *x = whole_numbers(23), *dx = test_like(context, x), *y = NULL;
    const int64_t shape[4] = { N, H, W, OUT };
    size_t bytes = 0;
    (void)state;

    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &y));
    coordconv_tensor *gradients[2] = { test_like(context, test_parameter(conv, "weight")),
                                       test_like(context, test_parameter(conv, "bias")) };
    check_ok(coordconv_layer_workspace(conv, COORDCONV_TRAINING, 4, x_shape, &bytes));
    void *memory = aligned_alloc(64, (bytes / 64 + 1) * 64);
    assert_non_null(memory);
    const size_t before = allocations();
    check_ok(coordconv_layer_forward(conv, COORDCONV_TRAINING, x, y, memory, bytes));
    check_ok(coordconv_layer_backward(conv, x, y, dx, gradients, memory, bytes));
    assert_int_equal(allocations(), before);
    check_ok(coordconv_layer_forward(conv, COORDCONV_TRAINING, x, y, NULL, 0));
    assert_true(allocations() > before); /* the counter does count */
    free(memory);
    coordconv_tensor *all[] = { x, dx, y, gradients[0], gradients[1] };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_layer_unref(conv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_parts_are_left_out),
        cmocka_unit_test(outputs_not_wanted_are_left_out),
        cmocka_unit_test(a_loss_that_is_no_wanted_output),
        cmocka_unit_test(gradients_off_the_path_are_zero),
        cmocka_unit_test(handles_in_any_order),
        cmocka_unit_test(outputs_without_an_operation),
        cmocka_unit_test(changed_weights_are_seen),
        cmocka_unit_test(callers_arena),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(layers_with_a_workspace_allocate_nothing),
    };

    return cmocka_run_group_tests(tests, start_context, stop_context);
}
