/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_plan_misuse.c - calls in an order, or with memory, that a plan cannot
 * work with: told, and nothing lost.
 */
#include <math.h>
#include <stdio.h>

#include "support.h"

enum {
    N = 4,
    C = 3
};

static struct test_heap heap;
static coordconv_context *context;

static coordconv_layer *new_norm(void)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = C };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_batch_norm_new(context, &desc, &layer));
    return layer;
}

/* x -> batch norm -> softmax cross-entropy with "label". */
static coordconv_model *new_model(coordconv_layer *norm)
{
    const int64_t shape[2] = { -1, C }, label[1] = { -1 };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 2, shape);
    const coordconv_value t = coordconv_model_input(m, "label", COORDCONV_I32, 1, label);
    const coordconv_value y = coordconv_model_apply(m, norm, x);

    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "loss", coordconv_model_softmax_cross_entropy(m, y, t));
    return m;
}

struct scene {
    coordconv_layer *norm;
    coordconv_model *model;
    coordconv_plan *plan;
    coordconv_tensor *x, *label;
};

static void begin(struct scene *s)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = N };
    const int64_t shape[2] = { N, C };

    s->norm = new_norm();
    s->model = new_model(s->norm);
    check_ok(coordconv_plan_new(s->model, &desc, &s->plan));
    s->x = test_tensor(context, 2, shape, 5);
    s->label = test_labels(context, N, C, 6);
    check_ok(coordconv_plan_bind(s->plan, "x", s->x));
    check_ok(coordconv_plan_bind(s->plan, "label", s->label));
}

static void end(struct scene *s)
{
    coordconv_tensor_unref(s->x);
    coordconv_tensor_unref(s->label);
    coordconv_plan_unref(s->plan);
    coordconv_model_unref(s->model);
    coordconv_layer_unref(s->norm);
}

static float running_mean(const struct scene *s)
{
    return test_values(test_parameter(s->norm, "running_mean"))[0];
}

/* The loss fails on its label after the norm has run: its statistics stay. */
static void a_failed_run_moves_no_statistics(void **state)
{
    struct scene s;
    (void)state;

    begin(&s);
    ((int32_t *)coordconv_tensor_data(s.label))[2] = C;
    const float before = running_mean(&s);
    check_fails(coordconv_plan_run(s.plan), COORDCONV_ERR_INVALID, "3");
    assert_true(running_mean(&s) == before);
    ((int32_t *)coordconv_tensor_data(s.label))[2] = 0;
    check_ok(coordconv_plan_run(s.plan));
    assert_true(running_mean(&s) != before);
    end(&s);
}

/* The optimizer refuses such a batch; inference afterwards must be what it was. */
static void a_batch_that_is_not_finite_moves_no_statistics(void **state)
{
    const float bad[2] = { NAN, INFINITY };
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct scene s;

        begin(&s);
        test_values(s.x)[0] = bad[i];
        const float before = running_mean(&s);
        check_ok(coordconv_plan_run(s.plan));
        assert_true(running_mean(&s) == before);
        end(&s);
    }
}

static void backward_wants_the_inputs_of_its_forward(void **state)
{
    struct scene s;
    (void)state;

    begin(&s);
    check_ok(coordconv_plan_forward(s.plan));
    check_ok(coordconv_plan_bind(s.plan, "x", NULL));
    coordconv_tensor_unref(s.x);
    s.x = NULL;
    check_fails(coordconv_plan_backward(s.plan), COORDCONV_ERR_STATE, "forward");
    end(&s);
}

static void memory_that_overlaps_is_refused(void **state)
{
    coordconv_tensor *y = NULL;
    struct scene s;
    (void)state;

    begin(&s);
    check_ok(coordconv_plan_run(s.plan));
    check_ok(coordconv_plan_output(s.plan, "y", &y));
    check_fails(coordconv_plan_bind(s.plan, "x", y), COORDCONV_ERR_INVALID, "arena");
    check_fails(coordconv_plan_bind(s.plan, "y", s.x), COORDCONV_ERR_INVALID, "overlap");
    check_ok(coordconv_plan_run(s.plan));
    coordconv_tensor_unref(y);
    end(&s);
}

static void layers_by_themselves_refuse_it_too(void **state)
{
    coordconv_layer *norm = new_norm();
    const int64_t shape[2] = { N, C };
    coordconv_tensor *x = test_tensor(context, 2, shape, 1),
                     *dy = test_tensor(context, 2, shape, 2);
    (void)state;

    check_fails(coordconv_layer_forward(norm, COORDCONV_INFERENCE, x, x, NULL, 0),
                COORDCONV_ERR_INVALID, "y and x overlap");
    check_fails(coordconv_layer_backward(norm, x, dy, x, NULL, NULL, 0), COORDCONV_ERR_INVALID,
                "dx and x overlap");
    check_fails(coordconv_layer_backward(norm, x, dy, dy, NULL, NULL, 0), COORDCONV_ERR_INVALID,
                "dx and dy overlap");
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(dy);
    coordconv_layer_unref(norm);
}

/* The plan keeps to what the model was; the heap checks the sizes given back. */
static void a_model_may_grow_after_its_plan(void **state)
{
    coordconv_layer *more[20];
    struct scene s;
    (void)state;

    begin(&s);
    for (int i = 0; i < 20; i++) {
        const int64_t shape[2] = { -1, C };
        char name[8] = "in_";

        name[2] = (char)('a' + i); /* the model's table of nodes grows, and moves */
        more[i] = new_norm();
        coordconv_model_apply(s.model, more[i],
                              coordconv_model_input(s.model, name, COORDCONV_F32, 2, shape));
    }
    check_ok(coordconv_model_status(s.model));
    check_ok(coordconv_plan_run(s.plan));
    end(&s);
    for (int i = 0; i < 20; i++)
        coordconv_layer_unref(more[i]);
}

static void shape_errors_name_the_layer(void **state)
{
    const int64_t wrong[2] = { -1, C + 1 };
    coordconv_layer *norm = new_norm();
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    (void)state;

    check_ok(coordconv_layer_set_name(norm, "stem"));
    check_ok(coordconv_model_new(context, &m));
    coordconv_model_output(
        m, "y",
        coordconv_model_apply(m, norm, coordconv_model_input(m, "x", COORDCONV_F32, 2, wrong)));
    check_fails(coordconv_plan_new(m, NULL, &plan), COORDCONV_ERR_SHAPE, "layer \"stem\"");
    coordconv_model_unref(m);
    coordconv_layer_unref(norm);
}

/* A log callback that fails in a call of its own. */
static void confused_log(void *user, coordconv_status status, const char *message)
{
    (void)status;
    coordconv_tensor_new(NULL, COORDCONV_F32, 0, NULL, NULL);
    snprintf(user, 200, "%s", message);
}

static void a_log_that_fails_keeps_the_message(void **state)
{
    char heard[200] = "";
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .log = confused_log,
                                          .log_user = heard };
    coordconv_context *other = NULL;
    coordconv_tensor *t = NULL;
    (void)state;

    check_ok(coordconv_context_new(&desc, &other));
    check_fails(coordconv_tensor_new(other, 99, 0, NULL, &t), COORDCONV_ERR_DTYPE, "99");
    assert_string_equal(heard, coordconv_last_error());
    coordconv_context_unref(other);
}

static int set_up(void **state)
{
    (void)state;
    test_heap_init(&heap);
    context = test_context(2, &heap, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_run_moves_no_statistics),
        cmocka_unit_test(a_batch_that_is_not_finite_moves_no_statistics),
        cmocka_unit_test(backward_wants_the_inputs_of_its_forward),
        cmocka_unit_test(memory_that_overlaps_is_refused),
        cmocka_unit_test(layers_by_themselves_refuse_it_too),
        cmocka_unit_test(a_model_may_grow_after_its_plan),
        cmocka_unit_test(shape_errors_name_the_layer),
        cmocka_unit_test(a_log_that_fails_keeps_the_message),
    };

    return cmocka_run_group_tests_name("plan_misuse", tests, set_up, tear_down);
}
