/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_optimizer_calls.c - optimizers: state tensors, lifetimes, failures, refusals.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "optimizer_net.h"

static void states_have_names_and_shapes(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_ADAM };
    coordconv_optimizer *o = make_optimizer(&d);
    const char *name = NULL;
    coordconv_tensor *t = NULL;
    (void)state;

    assert_int_equal(coordconv_optimizer_kind(o), COORDCONV_ADAM);
    assert_int_equal(coordconv_optimizer_state_count(o), 2 * PARAMETERS);
    for (int32_t i = 0; i < 2 * PARAMETERS; i++) {
        char want[32];

        check_ok(coordconv_optimizer_state(o, i, &name, &t));
        snprintf(want, sizeof want, "%s.%s", parameters[i / 2].name, i % 2 == 0 ? "m" : "v");
        assert_string_equal(name, want);
        assert_int_equal(coordconv_tensor_count(t), parameters[i / 2].count);
    }
    check_ok(coordconv_optimizer_state(o, 8, NULL, &t)); /* b.weight.m */
    assert_int_equal(coordconv_tensor_ndim(t), 2);
    assert_int_equal(coordconv_tensor_dim(t, 0), OUTPUTS);
    assert_int_equal(coordconv_tensor_dim(t, 1), HIDDEN);
    check_ok(coordconv_optimizer_state(o, 0, NULL, NULL));
    check_fails(coordconv_optimizer_state(o, -1, &name, &t), COORDCONV_ERR_INVALID, "-1 of 12");
    check_fails(coordconv_optimizer_state(o, 12, &name, &t), COORDCONV_ERR_INVALID, "12 of 12");
    coordconv_optimizer_unref(o);

    d.kind = COORDCONV_SGD;
    o = make_optimizer(&d);
    assert_int_equal(coordconv_optimizer_state_count(o), 0);
    check_fails(coordconv_optimizer_state(o, 0, &name, &t), COORDCONV_ERR_INVALID, "0 of 0");
    coordconv_optimizer_unref(o);
    d.momentum = 0.5;
    o = make_optimizer(&d);
    assert_int_equal(coordconv_optimizer_state_count(o), PARAMETERS);
    check_ok(coordconv_optimizer_state(o, 5, &name, NULL));
    assert_string_equal(name, "b.bias.momentum");
    coordconv_optimizer_unref(o);
}

/* ---- what must not happen ---- */

static void ruined_gradients_change_nothing(void **state)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_ADAM };
    coordconv_optimizer *o = make_optimizer(&d);
    test_real before[ELEMENTS], after[ELEMENTS], g[ELEMENTS];
    coordconv_tensor *m;
    double norm;
    (void)state;

    random_gradients(g, 4);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    norm = coordconv_optimizer_gradient_norm(o);
    get_parameters(before);
    check_ok(coordconv_optimizer_state(o, 0, NULL, &m));

    const test_real moment = test_values(m)[0];

    for (size_t i = 0; i < COUNT(bad); i++) {
        for (int at = 0; at < ELEMENTS; at += 41) { /* the first and the last */
            const test_real good = g[at];

            g[at] = (test_real)bad[i];
            set_gradients(plan, g);
            check_fails(coordconv_optimizer_step(o), COORDCONV_ERR_NUMERIC,
                        at == 0 ? "element 0 of the gradient of a.weight"
                                : "element 1 of the gradient of b.bias");
            assert_non_null(strstr(coordconv_last_error(), i == 0 ? "nan" : "inf"));
            g[at] = good;
        }
    }
    get_parameters(after);
    assert_memory_equal(after, before, sizeof before);
    assert_true(test_values(m)[0] == moment);
    assert_int_equal(coordconv_optimizer_steps(o), 1);
    assert_true(coordconv_optimizer_gradient_norm(o) == norm);
    coordconv_optimizer_unref(o);
}

static void steps_allocate_nothing(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d,
                                   .kind = COORDCONV_ADAM,
                                   .clip_norm = 1 };
    coordconv_optimizer *o = make_optimizer(&d);
    const size_t calls = heap.calls;
    (void)state;

    check_ok(coordconv_optimizer_step(o));
    check_ok(coordconv_optimizer_set_plan(o, other));
    check_ok(coordconv_optimizer_step(o));
    assert_int_equal(heap.calls, calls);
    coordconv_optimizer_unref(o);
}

static void every_allocation_may_fail(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_ADAM };
    coordconv_optimizer *o = NULL;
    const size_t begun = heap.calls;
    size_t needed, live;
    (void)state;

    coordconv_optimizer_unref(make_optimizer(&d));
    needed = heap.calls - begun;
    live = heap.live_blocks;
    assert_true(needed > 12);
    for (size_t i = 0; i < needed; i++) {
        heap.fail_at = heap.calls + i;
        check_fails(coordconv_optimizer_new(plan, &d, &o), COORDCONV_ERR_NOMEM, "no memory");
        assert_null(o);
        assert_int_equal(heap.live_blocks, live);
    }
    heap.fail_at = SIZE_MAX;
    check_ok(coordconv_optimizer_new(plan, &d, &o));
    coordconv_optimizer_unref(o);
}

static void an_optimizer_keeps_its_plan_alive(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_SGD };
    coordconv_optimizer *o = make_optimizer(&d);
    (void)state;

    coordconv_plan_unref(plan);
    plan = NULL;
    check_ok(coordconv_optimizer_step(coordconv_optimizer_ref(o)));
    coordconv_optimizer_unref(o);
    check_ok(coordconv_optimizer_step(o));
    coordconv_optimizer_unref(o);
}

static void bad_descriptors_are_refused(void **state)
{
    const coordconv_optimizer_desc sgd = { .struct_size = sizeof sgd, .kind = COORDCONV_SGD };
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    coordconv_layer *stranger = linear(1, 1, "stranger");
    coordconv_layer *const strangers[] = { layer_a, stranger }, *const nothing[] = { NULL };
    coordconv_optimizer_desc d;
    coordconv_optimizer *o = NULL;
    (void)state;

#define REFUSED(base, field, value, status, text)                                                  \
    do {                                                                                           \
        d = base;                                                                                  \
        d.field = (value);                                                                         \
        check_fails(coordconv_optimizer_new(plan, &d, &o), status, text);                          \
        assert_null(o);                                                                            \
    } while (0)
#define INVALID(base, field, value, text) REFUSED(base, field, value, COORDCONV_ERR_INVALID, text)
    REFUSED(sgd, struct_size, 8, COORDCONV_ERR_ABI, "struct_size 8");
    INVALID(sgd, kind, 0, "kind 0");
    INVALID(sgd, kind, 4, "kind 4");
    INVALID(sgd, learning_rate, -1, "learning_rate -1");
    INVALID(sgd, learning_rate, NAN, "learning_rate nan");
    INVALID(sgd, learning_rate, INFINITY, "learning_rate inf");
    INVALID(sgd, momentum, 1, "momentum 1");
    INVALID(sgd, momentum, -0.5, "momentum -0.5");
    INVALID(sgd, dampening, 1.5, "dampening 1.5");
    INVALID(sgd, nesterov, 1, "nesterov");
    INVALID(sgd, nesterov, 2, "nesterov is 2");
    INVALID(sgd, weight_decay, -1, "weight_decay -1");
    INVALID(sgd, clip_norm, -1, "clip_norm -1");
    INVALID(sgd, clip_norm, NAN, "clip_norm nan");
    INVALID(sgd, decay, 2, "decay 2");
    INVALID(sgd, decoupled, 2, "decoupled is 2");
    INVALID(sgd, beta1, 0.5, "beta1 means nothing to SGD");
    INVALID(adam, beta1, 1, "beta1 1");
    INVALID(adam, beta2, -2, "beta2 -2");
    INVALID(adam, epsilon, -3, "epsilon -3");
    INVALID(adam, momentum, 0.5, "momentum means nothing to Adam");
    INVALID(adam, decoupled, 1, "decoupled");
    INVALID(sgd, layer_count, -1, "layer_count -1");
    INVALID(sgd, layer_count, 2, "layers is NULL");
#undef INVALID
#undef REFUSED
    d = sgd;
    d.layers = strangers;
    d.layer_count = 2;
    check_fails(coordconv_optimizer_new(plan, &d, &o), COORDCONV_ERR_NOT_FOUND, "stranger");
    d.layers = nothing;
    d.layer_count = 1;
    check_fails(coordconv_optimizer_new(plan, &d, &o), COORDCONV_ERR_INVALID, "layers[0] is NULL");
    check_fails(coordconv_optimizer_new(NULL, &sgd, &o), COORDCONV_ERR_INVALID, "plan is NULL");
    check_fails(coordconv_optimizer_new(plan, NULL, &o), COORDCONV_ERR_INVALID, "desc is NULL");
    check_fails(coordconv_optimizer_new(plan, &sgd, NULL), COORDCONV_ERR_INVALID, "out is NULL");
    assert_null(o);
    coordconv_layer_unref(stranger);
}

static void wrong_plans_are_refused(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_SGD };
    coordconv_plan *inference = make_plan(model, COORDCONV_INFERENCE, 4);
    coordconv_plan *fresh = make_plan(model, COORDCONV_TRAINING, 4), *small;
    coordconv_optimizer *o = NULL;
    coordconv_model *half;
    const int64_t shape[] = { -1, INPUTS };
    coordconv_value x;
    (void)state;

    check_fails(coordconv_optimizer_new(inference, &d, &o), COORDCONV_ERR_STATE, "inference");
    assert_null(o);
    check_ok(coordconv_optimizer_new(fresh, &d, &o));
    check_fails(coordconv_optimizer_step(o), COORDCONV_ERR_STATE, "backward");
    assert_int_equal(coordconv_optimizer_steps(o), 0);
    check_fails(coordconv_optimizer_set_plan(o, inference), COORDCONV_ERR_STATE, "inference");
    check_fails(coordconv_optimizer_set_plan(o, NULL), COORDCONV_ERR_INVALID, "plan is NULL");

    /* A model of the first layer alone lacks the others. */
    check_ok(coordconv_model_new(context, &half));
    x = coordconv_model_input(half, "x", TEST_REAL, 2, shape);
    x = coordconv_model_apply(half, layer_a, x);
    coordconv_model_output(half, "loss", coordconv_model_mse(half, x, x));
    small = make_plan(half, COORDCONV_TRAINING, 4);
    check_fails(coordconv_optimizer_set_plan(o, small), COORDCONV_ERR_NOT_FOUND, "norm.weight");
    check_ok(coordconv_optimizer_set_plan(o, plan));
    check_ok(coordconv_optimizer_step(o));
    coordconv_optimizer_unref(o);
    coordconv_plan_unref(small);
    coordconv_plan_unref(fresh);
    coordconv_plan_unref(inference);
    coordconv_model_unref(half);
}

static void nothing_is_asked_of_null(void **state)
{
    coordconv_tensor *t = NULL;
    (void)state;

    check_fails(coordconv_optimizer_step(NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_plan(NULL, plan), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_learning_rate(NULL, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_steps(NULL, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_state(NULL, 0, NULL, &t), COORDCONV_ERR_INVALID, "NULL");
    assert_true(coordconv_optimizer_learning_rate(NULL) == 0);
    assert_true(coordconv_optimizer_gradient_norm(NULL) == 0);
    assert_int_equal(coordconv_optimizer_steps(NULL), 0);
    assert_int_equal(coordconv_optimizer_kind(NULL), 0);
    assert_int_equal(coordconv_optimizer_state_count(NULL), 0);
    assert_null(coordconv_optimizer_ref(NULL));
    coordconv_optimizer_unref(NULL);
}

static void steps_may_not_be_negative(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_SGD };
    coordconv_optimizer *o = make_optimizer(&d);
    (void)state;

    check_fails(coordconv_optimizer_set_steps(o, -1), COORDCONV_ERR_INVALID, "-1 steps");
    check_ok(coordconv_optimizer_set_steps(o, 7));
    assert_int_equal(coordconv_optimizer_steps(o), 7);
    coordconv_optimizer_unref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_have_names_and_shapes),
        TEST(ruined_gradients_change_nothing),
        TEST(steps_allocate_nothing),
        TEST(every_allocation_may_fail),
        TEST(an_optimizer_keeps_its_plan_alive),
        TEST(bad_descriptors_are_refused),
        TEST(wrong_plans_are_refused),
        TEST(nothing_is_asked_of_null),
        TEST(steps_may_not_be_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
