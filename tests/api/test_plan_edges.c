/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_plan_edges.c - what is bound to a plan: any strides and types, memory that
 * overlaps, results computed where they are wanted.
 */
#include "plan_net.h"

/* The inside of something larger: rows, columns and channels have gaps. */
static coordconv_tensor *inside(int32_t dtype, int64_t channels)
{
    const int64_t shape[4] = { N, H, W + 1, channels + 2 };
    coordconv_tensor *all = NULL, *columns = NULL, *view = NULL;

    check_ok(coordconv_tensor_new(context, dtype, 4, shape, &all));
    check_ok(coordconv_tensor_slice(all, 2, 1, W, &columns));
    check_ok(coordconv_tensor_slice(columns, 3, 2, channels, &view));
    coordconv_tensor_unref(all);
    coordconv_tensor_unref(columns);
    return view;
}

/* Row-major floats that begin 4 bytes past any alignment to speak of. */
static coordconv_tensor *misaligned(int64_t channels)
{
    static float memory[N * H * W * (C + OUT) + 16];
    const int64_t shape[4] = { N, H, W, channels };
    float *data = memory;
    coordconv_tensor *view = NULL;

    while ((uintptr_t)data % 64 != 4)
        data++;
    check_ok(
        coordconv_tensor_wrap(context, COORDCONV_F32, 4, shape, NULL, data, NULL, NULL, &view));
    return view;
}

enum {
    EDGES = 8
};

/* Tensor of kind `kind`, [N, H, W, channels]. */
static coordconv_tensor *edge(int kind, int64_t channels)
{
    static const int32_t planar[4] = { 0, 3, 1, 2 }, reversed[4] = { 3, 2, 1, 0 };
    static const int32_t in_order[4] = { 0, 1, 2, 3 };

    switch (kind) {
    case 0:
        return permuted(COORDCONV_F32, planar, channels); /* NCHW */
    case 1:
        return permuted(COORDCONV_F64, in_order, channels);
    case 2:
        return permuted(COORDCONV_U8, planar, channels);
    case 3:
        return permuted(COORDCONV_I64, reversed, channels);
    case 4:
        return inside(COORDCONV_F32, channels);
    case 5:
        return inside(COORDCONV_I32, channels);
    case 6:
        return misaligned(channels);
    default:
        return permuted(COORDCONV_F32, in_order, channels);
    }
}

static void bound_inputs_of_any_kind(void **state)
{
    coordconv_layer *conv = new_conv(1);
    coordconv_model *model = new_model(conv);
    coordconv_plan *plan = new_plan(model, COORDCONV_TRAINING);
    coordconv_tensor *first = NULL, *first_dx = NULL;
    (void)state;

    bind_target(plan);
    for (int kind = EDGES - 1; kind >= -1; kind--) { /* at the end, the first again */
        coordconv_tensor *x = edge(kind < 0 ? EDGES - 1 : kind, C), *values = whole_numbers(2);
        coordconv_tensor *dx = NULL;
        check_ok(coordconv_tensor_copy(x, values));
        check_ok(coordconv_plan_bind(plan, "x", x));
        coordconv_tensor_unref(x); /* the plan keeps it */
        check_ok(coordconv_plan_run(plan));
        coordconv_tensor *y = output(plan, "y");
        check_ok(coordconv_plan_input_gradient(plan, "x", &dx));
        if (first == NULL) {
            first = plain(y);
            first_dx = plain(dx);
        }
        test_check_same(y, first, "y");
        test_check_same(dx, first_dx, "dx");
        coordconv_tensor_unref(values);
        coordconv_tensor_unref(dx);
        coordconv_tensor_unref(y);
    }
    coordconv_tensor_unref(first);
    coordconv_tensor_unref(first_dx);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

static void bound_outputs_of_any_kind(void **state)
{
    coordconv_layer *conv = new_conv(3);
    coordconv_model *model = new_model(conv);
    coordconv_plan *plan = new_plan(model, COORDCONV_INFERENCE);
    coordconv_tensor *x = whole_numbers(4);
    (void)state;

    bind_target(plan);
    check_ok(coordconv_plan_bind(plan, "x", x));
    for (int kind = 0; kind < EDGES; kind++) {
        coordconv_tensor *bound = edge(kind, OUT);
        check_ok(coordconv_plan_bind(plan, "y", bound));
        check_ok(coordconv_plan_run(plan));
        coordconv_tensor *y = output(plan, "y"), *want = test_like(context, y);
        /* What a copy of the output to such a tensor gives. */
        coordconv_tensor *same_kind = kind == 6 ? coordconv_tensor_ref(want) : edge(kind, OUT);
        check_ok(coordconv_tensor_copy(same_kind, y));
        coordconv_tensor *got = plain(bound), *expected = plain(same_kind);
        test_check_same(got, expected, "bound output");
        check_ok(coordconv_plan_bind(plan, "y", NULL));
        check_ok(coordconv_tensor_fill(bound, 1));
        check_ok(coordconv_plan_run(plan)); /* unbound: left alone */
        coordconv_tensor *after = plain(bound);
        assert_true(test_values(after)[0] == 1 && test_values(after)[N * H * W * OUT - 1] == 1);
        coordconv_tensor *all[] = { bound, y, want, same_kind, got, expected, after };
        for (size_t i = 0; i < COUNT(all); i++)
            coordconv_tensor_unref(all[i]);
    }
    coordconv_tensor_unref(x);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* 1 if the plan's view of output y is the memory of this tensor. */
static int lies_in(coordconv_plan *plan, coordconv_tensor *tensor)
{
    coordconv_tensor *y = output(plan, "y");
    const int same = coordconv_tensor_data(y) == coordconv_tensor_data(tensor);

    coordconv_tensor_unref(y);
    return same;
}

/* A plan of output y alone, x bound; and what y is. */
static coordconv_plan *plan_of_y(coordconv_model *model, coordconv_tensor *x,
                                 coordconv_tensor **want)
{
    static const char *const wanted[] = { "y" };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .batch = N, .outputs = wanted, .output_count = 1
    };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *y = output(plan, "y");
    *want = plain(y);
    coordconv_tensor_unref(y);
    return plan;
}

/* Where nothing is to be converted the result is computed in the bound tensor. */
static void outputs_computed_where_they_are_bound(void **state)
{
    coordconv_layer *conv = new_conv(34);
    coordconv_model *model = new_model(conv);
    coordconv_tensor *x = whole_numbers(35), *want;
    coordconv_plan *plan = plan_of_y(model, x, &want);
    coordconv_tensor *first = test_like(context, want), *second = test_like(context, want);
    (void)state;

    check_ok(coordconv_plan_bind(plan, "y", first));
    assert_false(lies_in(plan, first)); /* the value is still that of the last run */
    check_ok(coordconv_plan_run(plan));
    assert_true(lies_in(plan, first));
    test_check_same(first, want, "first");
    check_ok(coordconv_plan_bind(plan, "y", second));
    assert_true(lies_in(plan, first));
    check_ok(coordconv_tensor_fill(x, 0));
    check_ok(coordconv_plan_run(plan));
    assert_true(lies_in(plan, second));
    test_check_same(first, want, "first, left alone");
    check_ok(coordconv_tensor_fill(first, 0));
    check_ok(coordconv_plan_bind(plan, "y", NULL));
    check_ok(coordconv_tensor_copy(first, second));
    coordconv_tensor_unref(second);
    coordconv_tensor *y = output(plan, "y"); /* what the last run made is there until the next */
    test_check_same(y, first, "y, unbound");
    coordconv_tensor_unref(y);
    check_ok(coordconv_plan_run(plan));
    y = output(plan, "y");
    test_check_same(y, first, "y, in the arena");
    coordconv_tensor *all[] = { x, want, first, y };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* Tensors over one piece of memory, `first` floats from its beginning. */
static coordconv_tensor *over(float *memory, int64_t first, int64_t channels)
{
    const int64_t shape[4] = { N, H, W, channels };
    coordconv_tensor *t = NULL;

    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 4, shape, NULL, memory + first, NULL,
                                   NULL, &t));
    return t;
}

/* An output that shares memory with an input is written when all has been read. */
static void outputs_over_what_is_read(void **state)
{
    static _Alignas(64) float memory[N * H * W * (C + OUT)];
    coordconv_layer *conv = new_conv(36);
    coordconv_model *model = new_model(conv);
    coordconv_tensor *given = whole_numbers(37), *want;
    coordconv_plan *plan = plan_of_y(model, given, &want);
    (void)state;

    for (int64_t first = 0; first <= 16; first += 16) {
        coordconv_tensor *x = over(memory, first, C), *y = over(memory, 0, OUT);
        check_ok(coordconv_tensor_copy(x, given));
        check_ok(coordconv_plan_bind(plan, "y", NULL));
        check_ok(coordconv_plan_bind(plan, "x", x));
        check_ok(coordconv_plan_bind(plan, "y", y));
        check_ok(coordconv_plan_run(plan));
        test_check_same(y, want, "y over x");
        assert_false(lies_in(plan, y));
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(y);
    }
    coordconv_tensor *all[] = { given, want };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
    coordconv_layer_unref(conv);
}

/* The same of a parameter: the first summand would lie in the bias of the second. */
static void an_output_over_a_parameter(void **state)
{
    enum {
        WIDTH = 16
    };
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = WIDTH,
                                         .out_features = WIDTH };
    const int64_t shape[2] = { 1, WIDTH };
    coordconv_layer *layer[2] = { NULL, NULL };
    coordconv_value sum[2];
    coordconv_model *m = NULL;
    coordconv_tensor *x = test_tensor(context, 2, shape, 43), *y = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value in = coordconv_model_input(m, "x", COORDCONV_F32, 2, shape);
    for (int i = 0; i < 2; i++) {
        check_ok(coordconv_linear_new(context, &desc, &layer[i]));
        test_fill_layer(layer[i], 44 + (uint64_t)i);
        sum[i] = coordconv_model_apply(m, layer[i], in);
    }
    coordconv_model_output(m, "y", coordconv_model_add(m, sum[0], sum[1]));
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *first = output(plan, "y"), *want = plain(first);
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL,
                                   coordconv_tensor_data(test_parameter(layer[1], "bias")), NULL,
                                   NULL, &y));
    check_ok(coordconv_plan_bind(plan, "y", y));
    check_ok(coordconv_plan_run(plan));
    test_check_same(y, want, "y over bias");
    coordconv_tensor *all[] = { x, y, first, want };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(layer[0]);
    coordconv_layer_unref(layer[1]);
}

/* One value under two names, both bound; and two outputs bound to one tensor. */
static void outputs_that_share_a_value(void **state)
{
    const int64_t shape[4] = { -1, H, W, C };
    coordconv_layer *conv = new_conv(38);
    coordconv_model *m = NULL;
    coordconv_tensor *x = whole_numbers(39);
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value in = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    const coordconv_value y = coordconv_model_relu(m, coordconv_model_apply(m, conv, in));
    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "flat", coordconv_model_flatten(m, y, 1));
    coordconv_model_output(m, "half", coordconv_model_scale(m, y, 0.5));
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *first = output(plan, "y"), *flat = output(plan, "flat");
    coordconv_tensor *want = plain(first), *bound = test_like(context, want);
    coordconv_tensor *bound_flat = test_like(context, flat), *half = output(plan, "half");
    coordconv_tensor *want_half = plain(half);
    check_ok(coordconv_plan_bind(plan, "y", bound));
    check_ok(coordconv_plan_bind(plan, "flat", bound_flat));
    check_ok(coordconv_plan_run(plan));
    test_check_same(bound, want, "y");
    test_check_same(bound_flat, want, "flat");
    check_ok(coordconv_plan_bind(plan, "half", bound)); /* the last to be written stays */
    check_ok(coordconv_plan_run(plan));
    test_check_same(bound, want_half, "half over y");
    test_check_same(bound_flat, want, "flat");
    coordconv_tensor *all[] = { x, first, flat, want, bound, bound_flat, half, want_half };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(conv);
}

/* A run that fails on a label has written no output. */
static void a_failed_run_writes_nothing(void **state)
{
    const int64_t shape[2] = { -1, 3 }, one[1] = { -1 };
    coordconv_model *m = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 2, shape);
    const coordconv_value labels = coordconv_model_input(m, "labels", COORDCONV_I32, 1, one);
    const coordconv_value y = coordconv_model_tanh(m, x);
    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "loss", coordconv_model_softmax_cross_entropy(m, y, labels));
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE);
    coordconv_tensor *values = test_tensor(context, 2, (int64_t[]){ N, 3 }, 40);
    coordconv_tensor *bound = test_like(context, values), *zero = test_like(context, values);
    coordconv_tensor *wrong = test_labels(context, N, 3, 41);
    ((int32_t *)coordconv_tensor_data(wrong))[N - 1] = 3;
    check_ok(coordconv_plan_bind(plan, "x", values));
    check_ok(coordconv_plan_bind(plan, "labels", wrong));
    check_ok(coordconv_plan_bind(plan, "y", bound));
    check_fails(coordconv_plan_run(plan), COORDCONV_ERR_INVALID, "3");
    test_check_same(bound, zero, "y");
    coordconv_tensor *all[] = { values, bound, zero, wrong };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

/* An input that was converted once is read in place again when it can be. */
static void inputs_read_in_place_again(void **state)
{
    static const int32_t planar[4] = { 0, 3, 1, 2 };
    coordconv_model *m = NULL;
    coordconv_tensor *x = whole_numbers(42), *turned = permuted(COORDCONV_F32, planar, C);
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    coordconv_model_output(m, "y", coordconv_model_input(m, "x", COORDCONV_F32, 4, x_shape));
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE);
    check_ok(coordconv_tensor_copy(turned, x));
    check_ok(coordconv_plan_bind(plan, "x", turned));
    check_ok(coordconv_plan_run(plan));
    assert_false(lies_in(plan, turned));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    assert_true(lies_in(plan, x));
    check_ok(coordconv_tensor_fill(turned, 2));
    check_ok(coordconv_plan_bind(plan, "x", turned));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor *y = output(plan, "y");
    assert_true(test_values(y)[0] == 2);
    coordconv_tensor *all[] = { x, turned, y };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

/* Layers by themselves take memory of any alignment too. */
static void misaligned_layer_tensors(void **state)
{
    coordconv_layer *conv = new_conv(5);
    coordconv_tensor *x = whole_numbers(6), *odd = misaligned(C), *odd_dx = test_like(context, x);
    const int64_t shape[4] = { N, H, W, OUT };
    float memory[N * H * W * OUT + 1];
    coordconv_tensor *y = NULL, *odd_y = NULL;
    (void)state;

    check_ok(coordconv_tensor_copy(odd, x));
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &y));
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 4, shape, NULL, memory + 1, NULL, NULL,
                                   &odd_y));
    check_ok(coordconv_layer_forward(conv, COORDCONV_INFERENCE, x, y, NULL, 0));
    check_ok(coordconv_layer_forward(conv, COORDCONV_INFERENCE, odd, odd_y, NULL, 0));
    test_check_same(odd_y, y, "y");
    coordconv_tensor *dx = test_like(context, x);
    check_ok(coordconv_layer_backward(conv, x, y, dx, NULL, NULL, 0));
    check_ok(coordconv_layer_backward(conv, odd, odd_y, odd_dx, NULL, NULL, 0));
    test_check_same(odd_dx, dx, "dx");
    coordconv_tensor *all[] = { x, odd, y, odd_y, dx, odd_dx };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_layer_unref(conv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_inputs_of_any_kind),
        cmocka_unit_test(bound_outputs_of_any_kind),
        cmocka_unit_test(outputs_computed_where_they_are_bound),
        cmocka_unit_test(outputs_over_what_is_read),
        cmocka_unit_test(an_output_over_a_parameter),
        cmocka_unit_test(outputs_that_share_a_value),
        cmocka_unit_test(a_failed_run_writes_nothing),
        cmocka_unit_test(inputs_read_in_place_again),
        cmocka_unit_test(misaligned_layer_tensors),
    };

    return cmocka_run_group_tests(tests, start_context, stop_context);
}
