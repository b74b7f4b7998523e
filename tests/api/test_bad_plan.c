/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bad_plan.c - bad input to plan.h, train.h and io.h.
 */
#include "bad_input.h"
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a small net ---- */

static coordconv_layer *make_linear(int32_t in, int32_t out)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = out };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_linear_new(context, &desc, &layer));
    return layer;
}

/* x [-1, side, 3] -> linear -> y, and the loss against labels. */
static coordconv_model *make_model(void)
{
    const int64_t shape[3] = { -1, -1, 3 }, one[1] = { -1 };
    coordconv_layer *layer = make_linear(3, 2);
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    coordconv_value y = coordconv_model_input(m, "x", COORDCONV_F32, 3, shape);
    y = coordconv_model_apply(m, layer, y);
    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "loss",
                           coordconv_model_softmax_cross_entropy(
                               m, y, coordconv_model_input(m, "labels", COORDCONV_I32, 1, one)));
    coordconv_layer_unref(layer);
    return m;
}

static const coordconv_input_shape x_shape = { .name = "x", .ndim = 3, .shape = { 4, 5, 3 } };

static coordconv_plan_desc good_desc(int32_t mode)
{
    return (coordconv_plan_desc){ .struct_size = sizeof(coordconv_plan_desc),
                                  .mode = mode,
                                  .batch = 4,
                                  .inputs = &x_shape,
                                  .input_count = 1,
                                  .input_gradients = mode };
}

static coordconv_plan *make_plan(int32_t mode)
{
    const coordconv_plan_desc desc = good_desc(mode);
    coordconv_model *model = make_model();
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    coordconv_model_unref(model);
    return plan;
}

/* ---- making plans ---- */

static coordconv_status new_plan(const void *desc, void **out)
{
    coordconv_model *model = make_model();
    coordconv_plan *plan = *out;
    size_t bytes = 77;
    const coordconv_status status = coordconv_plan_new(model, desc, &plan);

    /* Asking for the size meets the same errors. */
    *out = plan;
    if (status != COORDCONV_OK) {
        assert_int_equal(coordconv_plan_arena_size(model, desc, &bytes), status);
        assert_int_equal(bytes, 77);
    }
    coordconv_model_unref(model);
    return status;
}

static void unmake_plan(void *made)
{
    coordconv_plan_unref(made);
}

static void plan_descriptors(void **state)
{
    const coordconv_plan_desc good = good_desc(COORDCONV_TRAINING);
    const struct bad_field fields[] = {
        BAD(coordconv_plan_desc, mode, 2, INVALID, "2"),
        BAD(coordconv_plan_desc, mode, -1, INVALID, "-1"),
        BAD(coordconv_plan_desc, input_count, -1, INVALID, "-1"),
        BAD(coordconv_plan_desc, input_gradients, 2, INVALID, "2"),
        BAD(coordconv_plan_desc, output_count, -1, INVALID, "-1"),
        BAD(coordconv_plan_desc, output_count, 1, INVALID, "NULL"),
        BAD(coordconv_plan_desc, reserved, 1, INVALID, "reserved"),
        /* Without its shape, the second axis stays open. */
        BAD(coordconv_plan_desc, input_count, 0, SHAPE, "x"),
    };
    coordconv_plan_desc d = good;
    coordconv_model *model = make_model();
    (void)state;

    bad_fields(new_plan, &good, sizeof good, fields, COUNT(fields));
    bad_grown_size(new_plan, &good, offsetof(coordconv_plan_desc, outputs), sizeof good,
                   unmake_plan);
    d.batch = -3;
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_INVALID, "-3");
    d.batch = INT64_C(1) << 31;
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_INVALID, "2147483648");
    d = good;
    d.inputs = NULL;
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_INVALID, "NULL");
    d = good;
    d.loss = "lost";
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_NOT_FOUND, "lost");
    d.loss = "y";
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_SHAPE, "[4, 5, 2]");
    check_refused(coordconv_plan, coordconv_plan_new(NULL, &good, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_plan_new(model, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
    size_t bytes = 77;
    check_fails(coordconv_plan_arena_size(NULL, &good, &bytes), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_arena_size(model, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_packed_size(NULL, &good, &bytes), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_packed_size(model, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
    assert_int_equal(bytes, 77);
    assert_null(coordconv_plan_ref(NULL));
    coordconv_plan_unref(NULL);
    coordconv_model_unref(model);
}

static void plan_input_shapes(void **state)
{
    static const struct {
        coordconv_input_shape shape;
        coordconv_status status;
        const char *text;
    } cases[] = {
        { { .name = "z", .ndim = 3, .shape = { 4, 5, 3 } }, COORDCONV_ERR_NOT_FOUND, "z" },
        { { .name = "y", .ndim = 3, .shape = { 4, 5, 2 } }, COORDCONV_ERR_NOT_FOUND, "y" },
        { { .name = NULL, .ndim = 3, .shape = { 4, 5, 3 } }, COORDCONV_ERR_INVALID, "NULL" },
        { { .name = "x", .ndim = 2, .shape = { 4, 5 } }, COORDCONV_ERR_SHAPE, "x" },
        { { .name = "x", .ndim = 9, .shape = { 4, 5, 3 } }, COORDCONV_ERR_SHAPE, "9" },
        { { .name = "x", .ndim = -1, .shape = { 4, 5, 3 } }, COORDCONV_ERR_SHAPE, "-1" },
        { { .name = "x", .ndim = 3, .shape = { 4, 5, 2 } }, COORDCONV_ERR_SHAPE, "2" },
        { { .name = "x", .ndim = 3, .shape = { 4, 0, 3 } }, COORDCONV_ERR_SHAPE, "0" },
        { { .name = "x", .ndim = 3, .shape = { 4, -1, 3 } }, COORDCONV_ERR_SHAPE, "-1" },
        { { .name = "x", .ndim = 3, .shape = { 4, INT64_C(1) << 31, 3 } },
          COORDCONV_ERR_SHAPE,
          "2147483648" },
        { { .name = "x", .ndim = 3, .shape = { INT32_MAX, INT32_MAX, 3 } },
          COORDCONV_ERR_SHAPE,
          "" },
        { { .name = "x", .ndim = 3, .reserved = 8, .shape = { 4, 5, 3 } },
          COORDCONV_ERR_INVALID,
          "reserved" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_plan_desc d = good_desc(COORDCONV_INFERENCE);
        d.inputs = &cases[i].shape;
        check_refused(void, new_plan(&d, &out), cases[i].status, cases[i].text);
    }
    /* Twice, and differently. */
    const coordconv_input_shape twice[2] = {
        { .name = "x", .ndim = 3, .shape = { 4, 5, 3 } },
        { .name = "x", .ndim = 3, .shape = { 4, 6, 3 } },
    };
    coordconv_plan_desc d = good_desc(COORDCONV_INFERENCE);
    d.inputs = twice;
    d.input_count = 2;
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_INVALID, "x");
    /* A canvas no machine holds, in a model that is small otherwise. */
    d = good_desc(COORDCONV_INFERENCE);
    d.batch = INT32_MAX;
    check_refused(void, new_plan(&d, &out), COORDCONV_ERR_SHAPE, "");
}

static void wanted_outputs(void **state)
{
    const struct {
        const char *name[2];
        coordconv_status status;
        const char *text;
    } cases[] = {
        { { "z", "y" }, COORDCONV_ERR_NOT_FOUND, "z" },
        { { "y", "" }, COORDCONV_ERR_NOT_FOUND, "\"\"" },
        { { "x", "y" }, COORDCONV_ERR_NOT_FOUND, "x" },
        { { "y", NULL }, COORDCONV_ERR_INVALID, "outputs[1]" },
        { { "y", "y" }, COORDCONV_ERR_INVALID, "twice" },
    };
    coordconv_plan_desc d = good_desc(COORDCONV_INFERENCE);
    (void)state;

    d.output_count = 2;
    for (size_t i = 0; i < COUNT(cases); i++) {
        d.outputs = cases[i].name;
        check_refused(void, new_plan(&d, &out), cases[i].status, cases[i].text);
    }
}

static void arenas(void **state)
{
    coordconv_plan_desc d = good_desc(COORDCONV_TRAINING);
    coordconv_model *model = make_model();
    size_t bytes = 0;
    (void)state;

    check_ok(coordconv_plan_arena_size(model, &d, &bytes));
    char *memory = aligned_alloc(64, (bytes / 64 + 2) * 64);
    assert_non_null(memory);
    d.arena = memory;
    d.arena_bytes = bytes - 1;
    check_refused(coordconv_plan, coordconv_plan_new(model, &d, &out), COORDCONV_ERR_INVALID,
                  "arena");
    d.arena_bytes = 0;
    check_refused(coordconv_plan, coordconv_plan_new(model, &d, &out), COORDCONV_ERR_INVALID,
                  "arena");
    d.arena = memory + 4;
    d.arena_bytes = bytes;
    check_refused(coordconv_plan, coordconv_plan_new(model, &d, &out), COORDCONV_ERR_INVALID,
                  "align");
    free(memory);
    coordconv_model_unref(model);
}

static void models_without_a_plan(void **state)
{
    const coordconv_plan_desc training = { .struct_size = sizeof training,
                                           .mode = COORDCONV_TRAINING };
    const int64_t shape[1] = { 3 };
    coordconv_model *m = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    check_refused(coordconv_plan, coordconv_plan_new(m, NULL, &out), COORDCONV_ERR_STATE, "output");
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 1, shape);
    check_refused(coordconv_plan, coordconv_plan_new(m, NULL, &out), COORDCONV_ERR_STATE, "output");
    coordconv_model_output(m, "y", x);
    check_refused(coordconv_plan, coordconv_plan_new(m, &training, &out), COORDCONV_ERR_NOT_FOUND,
                  "loss");
    coordconv_model_unref(m);
}

/* ---- running plans ---- */

static coordconv_tensor *new_tensor(int32_t dtype, int32_t ndim, const int64_t *shape)
{
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, dtype, ndim, shape, &tensor));
    return tensor;
}

static void bind_good(coordconv_plan *plan)
{
    const int64_t four = 4;
    coordconv_tensor *x = new_tensor(COORDCONV_F32, 3, x_shape.shape);
    coordconv_tensor *labels = new_tensor(COORDCONV_I32, 1, &four);

    check_ok(coordconv_tensor_init(x, COORDCONV_INIT_HE_NORMAL, 0, 2, 1, 3));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "labels", labels));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(labels);
}

static void binding(void **state)
{
    coordconv_plan *plan = make_plan(COORDCONV_INFERENCE);
    const int64_t wrong[3] = { 4, 3, 5 }, fewer[2] = { 4, 15 };
    coordconv_tensor *x = new_tensor(COORDCONV_F32, 3, x_shape.shape);
    coordconv_tensor *permuted = new_tensor(COORDCONV_F32, 3, wrong);
    coordconv_tensor *flat = new_tensor(COORDCONV_F32, 2, fewer);
    (void)state;

    check_fails(coordconv_plan_bind(NULL, "x", x), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_bind(plan, NULL, x), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_bind(plan, "z", x), COORDCONV_ERR_NOT_FOUND, "z");
    check_fails(coordconv_plan_bind(plan, "", x), COORDCONV_ERR_NOT_FOUND, "");
    check_fails(coordconv_plan_bind(plan, "x", permuted), COORDCONV_ERR_SHAPE, "[4, 3, 5]");
    check_fails(coordconv_plan_bind(plan, "x", flat), COORDCONV_ERR_SHAPE, "[4, 15]");
    check_fails(coordconv_plan_bind(plan, "y", x), COORDCONV_ERR_SHAPE, "[4, 5, 3]");
    check_fails(coordconv_plan_run(plan), COORDCONV_ERR_STATE, "x");
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_fails(coordconv_plan_run(plan), COORDCONV_ERR_STATE, "labels");
    bind_good(plan);
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_bind(plan, "x", NULL));
    check_fails(coordconv_plan_forward(plan), COORDCONV_ERR_STATE, "x");
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(permuted);
    coordconv_tensor_unref(flat);
    coordconv_plan_unref(plan);
}

/* One row for all images of the batch: good to read, not to write. */
static void binding_what_shares_places(void **state)
{
    static const int64_t strides[] = { 0, 3, 1 };
    coordconv_plan *plan = make_plan(COORDCONV_INFERENCE);
    coordconv_tensor *y = NULL, *x = NULL, *repeated = NULL;
    float one[15] = { 1, 2, 3, 4, 5 };
    int64_t shape[3];
    (void)state;

    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 3, x_shape.shape, strides, one, NULL,
                                   NULL, &x));
    bind_good(plan);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &y));
    for (int32_t i = 0; i < 3; i++)
        shape[i] = coordconv_tensor_dim(y, i);
    assert_int_equal(coordconv_tensor_ndim(y), 3);
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 3, shape, strides, one, NULL, NULL,
                                   &repeated));
    check_fails(coordconv_plan_bind(plan, "y", repeated), COORDCONV_ERR_INVALID,
                "\"y\" share their places");
    check_ok(coordconv_plan_run(plan)); /* as it was bound */
    assert_true(one[0] == 1 && one[4] == 5);
    coordconv_tensor_unref(repeated);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_plan_unref(plan);
}

static void labels_out_of_range(void **state)
{
    static const int32_t bad[] = { -1, 10, INT32_MAX, INT32_MIN };
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
    const int64_t four = 4;
    (void)state;

    bind_good(plan);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[16];
        coordconv_tensor *labels = new_tensor(COORDCONV_I32, 1, &four);
        snprintf(text, sizeof text, "%d", (int)bad[i]);
        ((int32_t *)coordconv_tensor_data(labels))[3] = bad[i];
        check_ok(coordconv_plan_bind(plan, "labels", labels));
        check_fails(coordconv_plan_run(plan), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_plan_forward(plan), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_plan_backward(plan), COORDCONV_ERR_STATE, "");
        coordconv_tensor_unref(labels);
    }
    bind_good(plan); /* and it is none the worse for it */
    check_ok(coordconv_plan_run(plan));
    coordconv_plan_unref(plan);
}

static void order_of_calls(void **state)
{
    coordconv_plan *inference = make_plan(COORDCONV_INFERENCE);
    coordconv_plan *training = make_plan(COORDCONV_TRAINING);
    (void)state;

    bind_good(inference);
    bind_good(training);
    check_fails(coordconv_plan_run(NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_forward(NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_backward(NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_backward(training), COORDCONV_ERR_STATE, "forward");
    check_ok(coordconv_plan_forward(training));
    check_ok(coordconv_plan_backward(training));
    check_fails(coordconv_plan_backward(training), COORDCONV_ERR_STATE, "forward");
    check_ok(coordconv_plan_forward(inference));
    check_fails(coordconv_plan_backward(inference), COORDCONV_ERR_STATE, "inference");
    coordconv_plan_unref(inference);
    coordconv_plan_unref(training);
}

static void results(void **state)
{
    coordconv_plan *inference = make_plan(COORDCONV_INFERENCE);
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
    (void)state;

    bind_good(plan);
    bind_good(inference);
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_run(inference));
    check_refused(coordconv_tensor, coordconv_plan_output(NULL, "y", &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_refused(coordconv_tensor, coordconv_plan_output(plan, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_plan_output(plan, "y", NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_plan_output(plan, "x", &out), COORDCONV_ERR_NOT_FOUND,
                  "x");
    check_refused(coordconv_tensor, coordconv_plan_input_gradient(NULL, "x", &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_plan_input_gradient(plan, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_input_gradient(plan, "x", NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_plan_input_gradient(plan, "y", &out),
                  COORDCONV_ERR_NOT_FOUND, "y");
    check_refused(coordconv_tensor, coordconv_plan_input_gradient(inference, "x", &out),
                  COORDCONV_ERR_STATE, "");
    check_refused(coordconv_tensor, coordconv_plan_gradients(NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_plan_gradients(plan, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_plan_gradients(inference, &out), COORDCONV_ERR_STATE,
                  "inference");
    coordconv_plan_unref(plan);
    coordconv_plan_unref(inference);
}

static void flat_parameters(void **state)
{
    coordconv_plan *inference = make_plan(COORDCONV_INFERENCE);
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
    const int64_t right = 8, wrong = 9, square[2] = { 2, 4 };
    coordconv_tensor *flat = new_tensor(COORDCONV_F32, 1, &right);
    coordconv_tensor *longer = new_tensor(COORDCONV_F32, 1, &wrong);
    coordconv_tensor *folded = new_tensor(COORDCONV_F32, 2, square);
    coordconv_tensor *repeated = NULL;
    const int64_t still = 0;
    float one = 1;
    const char *name = "unchanged";
    int64_t offset = 77;
    (void)state;

    assert_int_equal(coordconv_plan_parameter_count(NULL), 0);
    assert_int_equal(coordconv_plan_parameter_count(inference), 0);
    assert_int_equal(coordconv_plan_parameter_count(plan), 2);
    check_fails(coordconv_plan_parameter(NULL, 0, &name, &offset, NULL), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_plan_parameter(plan, 2, &name, &offset, NULL), COORDCONV_ERR_INVALID,
                "2");
    check_fails(coordconv_plan_parameter(plan, -1, &name, &offset, NULL), COORDCONV_ERR_INVALID,
                "-1");
    check_fails(coordconv_plan_parameter(inference, 0, &name, &offset, NULL), COORDCONV_ERR_INVALID,
                "0");
    assert_string_equal(name, "unchanged");
    assert_int_equal(offset, 77);
    check_fails(coordconv_plan_get_parameters(NULL, flat), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_get_parameters(plan, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_get_parameters(plan, longer), COORDCONV_ERR_SHAPE, "9");
    check_fails(coordconv_plan_get_parameters(plan, folded), COORDCONV_ERR_SHAPE, "[2, 4]");
    check_fails(coordconv_plan_get_parameters(inference, flat), COORDCONV_ERR_STATE, "inference");
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 1, &right, &still, &one, NULL, NULL,
                                   &repeated));
    check_fails(coordconv_plan_get_parameters(plan, repeated), COORDCONV_ERR_INVALID,
                "share their places");
    check_ok(coordconv_plan_set_parameters(plan, repeated));
    check_fails(coordconv_plan_set_parameters(NULL, flat), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_set_parameters(plan, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_set_parameters(plan, longer), COORDCONV_ERR_SHAPE, "9");
    check_fails(coordconv_plan_set_parameters(inference, flat), COORDCONV_ERR_STATE, "inference");
    coordconv_tensor_unref(flat);
    coordconv_tensor_unref(longer);
    coordconv_tensor_unref(folded);
    coordconv_tensor_unref(repeated);
    coordconv_plan_unref(plan);
    coordconv_plan_unref(inference);
}

/* ---- optimizers ---- */

static coordconv_plan *optimizer_plan;

static coordconv_status new_optimizer(const void *desc, void **out)
{
    coordconv_optimizer *made = *out;
    const coordconv_status status = coordconv_optimizer_new(optimizer_plan, desc, &made);

    *out = made;
    return status;
}

static void unmake_optimizer(void *made)
{
    coordconv_optimizer_unref(made);
}

static const coordconv_optimizer_desc good_optimizer = { .struct_size = sizeof good_optimizer,
                                                         .kind = COORDCONV_SGD };

static void optimizer_descriptors(void **state)
{
    const struct bad_field fields[] = {
        BAD(coordconv_optimizer_desc, kind, 0, INVALID, "0"),
        BAD(coordconv_optimizer_desc, kind, 4, INVALID, "4"),
        BAD(coordconv_optimizer_desc, kind, -1, INVALID, "-1"),
        BAD(coordconv_optimizer_desc, nesterov, 2, INVALID, "2"),
        BAD(coordconv_optimizer_desc, nesterov, 1, INVALID, "momentum"), /* without momentum */
        BAD(coordconv_optimizer_desc, decay, 2, INVALID, "2"),
        BAD(coordconv_optimizer_desc, decoupled, -1, INVALID, "-1"),
        BAD(coordconv_optimizer_desc, layer_count, -1, INVALID, "-1"),
        BAD(coordconv_optimizer_desc, layer_count, 1, INVALID, "NULL"),
    };
    coordconv_plan *inference = make_plan(COORDCONV_INFERENCE);
    (void)state;

    optimizer_plan = make_plan(COORDCONV_TRAINING);
    bad_fields(new_optimizer, &good_optimizer, sizeof good_optimizer, fields, COUNT(fields));
    bad_struct_size(new_optimizer, &good_optimizer, sizeof good_optimizer, unmake_optimizer);
    check_refused(coordconv_optimizer, coordconv_optimizer_new(NULL, &good_optimizer, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_optimizer, coordconv_optimizer_new(optimizer_plan, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_new(optimizer_plan, &good_optimizer, NULL),
                COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_optimizer, coordconv_optimizer_new(inference, &good_optimizer, &out),
                  COORDCONV_ERR_STATE, "inference");
    coordconv_plan_unref(optimizer_plan);
    coordconv_plan_unref(inference);
}

static void optimizer_numbers(void **state)
{
    const double nan = (double)NAN, inf = (double)INFINITY;
    const struct {
        int32_t kind;
        size_t offset;
        double value;
        const char *text;
    } cases[] = {
#define FIELD(field) offsetof(coordconv_optimizer_desc, field)
        { COORDCONV_SGD, FIELD(learning_rate), -0.5, "-0.5" },
        { COORDCONV_SGD, FIELD(learning_rate), nan, "nan" },
        { COORDCONV_SGD, FIELD(learning_rate), inf, "inf" },
        { COORDCONV_SGD, FIELD(momentum), 1.0, "1" },
        { COORDCONV_SGD, FIELD(momentum), -0.25, "-0.25" },
        { COORDCONV_SGD, FIELD(dampening), 1.5, "1.5" },
        { COORDCONV_SGD, FIELD(dampening), nan, "nan" },
        { COORDCONV_ADAM, FIELD(beta1), 1.0, "1" },
        { COORDCONV_ADAM, FIELD(beta1), -0.5, "-0.5" },
        { COORDCONV_ADAM, FIELD(beta2), 1.5, "1.5" },
        { COORDCONV_ADAMW, FIELD(beta2), nan, "nan" },
        { COORDCONV_ADAM, FIELD(epsilon), -0.5, "-0.5" },
        { COORDCONV_ADAM, FIELD(epsilon), inf, "inf" },
        { COORDCONV_ADAMW, FIELD(weight_decay), -0.5, "-0.5" },
        { COORDCONV_SGD, FIELD(weight_decay), inf, "inf" },
        { COORDCONV_SGD, FIELD(clip_norm), -2.0, "-2" },
        { COORDCONV_SGD, FIELD(clip_norm), nan, "nan" },
#undef FIELD
    };
    (void)state;

    optimizer_plan = make_plan(COORDCONV_TRAINING);
    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_optimizer_desc d = good_optimizer;
        d.kind = cases[i].kind;
        memcpy((char *)&d + cases[i].offset, &cases[i].value, sizeof(double));
        check_refused(void, new_optimizer(&d, &out), COORDCONV_ERR_INVALID, cases[i].text);
    }
    coordconv_plan_unref(optimizer_plan);
}

static void optimizer_layers(void **state)
{
    coordconv_layer *stranger = make_linear(3, 2), *none = NULL;
    coordconv_optimizer_desc d = good_optimizer;
    (void)state;

    optimizer_plan = make_plan(COORDCONV_TRAINING);
    d.layers = &stranger;
    d.layer_count = 1;
    check_ok(coordconv_layer_set_name(stranger, "stranger"));
    check_refused(void, new_optimizer(&d, &out), COORDCONV_ERR_NOT_FOUND, "");
    d.layers = &none;
    check_refused(void, new_optimizer(&d, &out), COORDCONV_ERR_INVALID, "NULL");
    coordconv_layer_unref(stranger);
    coordconv_plan_unref(optimizer_plan);
}

static void optimizer_calls(void **state)
{
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING), *stranger = make_plan(COORDCONV_TRAINING);
    coordconv_plan *inference = make_plan(COORDCONV_INFERENCE);
    coordconv_optimizer *o = NULL;
    (void)state;

    bind_good(plan);
    check_ok(coordconv_optimizer_new(plan, &good_optimizer, &o));
    check_fails(coordconv_optimizer_step(NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_step(o), COORDCONV_ERR_STATE, "backward");
    check_ok(coordconv_plan_forward(plan));
    check_fails(coordconv_optimizer_step(o), COORDCONV_ERR_STATE, "backward");
    check_ok(coordconv_plan_backward(plan));
    check_ok(coordconv_optimizer_step(o));
    check_fails(coordconv_optimizer_set_plan(NULL, plan), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_plan(o, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_plan(o, inference), COORDCONV_ERR_STATE, "inference");
    check_fails(coordconv_optimizer_set_plan(o, stranger), COORDCONV_ERR_NOT_FOUND, "");
    check_fails(coordconv_optimizer_set_learning_rate(NULL, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_learning_rate(o, 0), COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_optimizer_set_learning_rate(o, -1), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_optimizer_set_learning_rate(o, (double)NAN), COORDCONV_ERR_INVALID,
                "nan");
    check_fails(coordconv_optimizer_set_learning_rate(o, (double)INFINITY), COORDCONV_ERR_INVALID,
                "inf");
    assert_true(coordconv_optimizer_learning_rate(o) == 0.001);
    check_fails(coordconv_optimizer_set_steps(NULL, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_optimizer_set_steps(o, -1), COORDCONV_ERR_INVALID, "-1");
    assert_int_equal(coordconv_optimizer_steps(o), 1);
    coordconv_optimizer_unref(o);
    coordconv_plan_unref(plan);
    coordconv_plan_unref(stranger);
    coordconv_plan_unref(inference);
}

static void optimizer_null(void **state)
{
    coordconv_tensor *tensor = UNTOUCHED;
    const char *name = UNTOUCHED;
    coordconv_optimizer_desc d = good_optimizer;
    coordconv_optimizer *o = NULL;
    (void)state;

    assert_null(coordconv_optimizer_ref(NULL));
    coordconv_optimizer_unref(NULL);
    assert_true(coordconv_optimizer_learning_rate(NULL) == 0);
    assert_true(coordconv_optimizer_gradient_norm(NULL) == 0);
    assert_int_equal(coordconv_optimizer_steps(NULL), 0);
    assert_int_equal(coordconv_optimizer_kind(NULL), 0);
    assert_int_equal(coordconv_optimizer_state_count(NULL), 0);
    check_fails(coordconv_optimizer_state(NULL, 0, &name, &tensor), COORDCONV_ERR_INVALID, "NULL");
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
    d.momentum = 0.5;
    check_ok(coordconv_optimizer_new(plan, &d, &o));
    assert_int_equal(coordconv_optimizer_state_count(o), 2);
    check_fails(coordconv_optimizer_state(o, 2, &name, &tensor), COORDCONV_ERR_INVALID, "2");
    check_fails(coordconv_optimizer_state(o, -1, &name, &tensor), COORDCONV_ERR_INVALID, "-1");
    assert_ptr_equal(tensor, UNTOUCHED);
    assert_ptr_equal(name, UNTOUCHED);
    coordconv_optimizer_unref(o);
    coordconv_plan_unref(plan);
}

/* A NaN on the way to the parameters is told, and changes nothing. */
static void gradients_that_are_no_numbers(void **state)
{
    static const int32_t kinds[] = { COORDCONV_SGD, COORDCONV_ADAM, COORDCONV_ADAMW };
    const int64_t eight = 8;
    (void)state;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (int bad = 0; bad < 2; bad++) {
            coordconv_optimizer_desc d = good_optimizer;
            coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
            coordconv_tensor *before = new_tensor(COORDCONV_F32, 1, &eight), *gradients = NULL;
            coordconv_tensor *after = new_tensor(COORDCONV_F32, 1, &eight);
            coordconv_optimizer *o = NULL;
            d.kind = kinds[k];
            d.clip_norm = bad ? 1.0 : 0.0;
            check_ok(coordconv_optimizer_new(plan, &d, &o));
            bind_good(plan);
            check_ok(coordconv_plan_run(plan));
            check_ok(coordconv_plan_gradients(plan, &gradients));
            test_values(gradients)[7] = bad ? (float)INFINITY : (float)NAN;
            check_ok(coordconv_plan_get_parameters(plan, before));
            check_fails(coordconv_optimizer_step(o), COORDCONV_ERR_NUMERIC, "0.bias");
            check_ok(coordconv_plan_get_parameters(plan, after));
            test_check_same(after, before, "parameters");
            assert_int_equal(coordconv_optimizer_steps(o), 0);
            for (int32_t i = 0; i < coordconv_optimizer_state_count(o); i++) {
                coordconv_tensor *t = NULL;
                check_ok(coordconv_optimizer_state(o, i, NULL, &t));
                assert_true(test_values(t)[0] == 0);
            }
            coordconv_tensor_unref(before);
            coordconv_tensor_unref(after);
            coordconv_tensor_unref(gradients);
            coordconv_optimizer_unref(o);
            coordconv_plan_unref(plan);
        }
    }
}

/* ---- schedules ---- */

static coordconv_status ask_rate(const void *desc, void **out)
{
    double rate = 77;
    const coordconv_status status = coordconv_schedule_rate(desc, 1.0, &rate);

    if (status != COORDCONV_OK)
        assert_true(rate == 77);
    (void)out;
    return status;
}

static void unmake_nothing(void *made)
{
    (void)made;
}

static void schedules(void **state)
{
    const coordconv_schedule_desc good = { .struct_size = sizeof good };
    const struct bad_field fields[] = {
        BAD(coordconv_schedule_desc, kind, 3, INVALID, "3"),
        BAD(coordconv_schedule_desc, kind, -1, INVALID, "-1"),
        BAD(coordconv_schedule_desc, max_steps, -1, INVALID, "-1"),
        BAD(coordconv_schedule_desc, reserved, 5, INVALID, "5"),
        BAD(coordconv_schedule_desc, kind, COORDCONV_SCHEDULE_STEP, INVALID, "every"),
        BAD(coordconv_schedule_desc, kind, COORDCONV_SCHEDULE_COSINE, INVALID, "total"),
    };
    double rate = 77;
    (void)state;

    bad_fields(ask_rate, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(ask_rate, &good, sizeof good, unmake_nothing);
    check_fails(coordconv_schedule_rate(&good, 0, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_schedule_rate(NULL, 0, &rate), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_schedule_rate(&good, -1, &rate), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_schedule_rate(&good, (double)NAN, &rate), COORDCONV_ERR_INVALID, "nan");
    coordconv_schedule_desc d = good;
    d.rate = -0.5;
    check_fails(coordconv_schedule_rate(&d, 0, &rate), COORDCONV_ERR_INVALID, "-0.5");
    d = good;
    d.warmup = -2;
    check_fails(coordconv_schedule_rate(&d, 0, &rate), COORDCONV_ERR_INVALID, "-2");
    assert_true(rate == 77);
}

/* ---- files ---- */

static void files(void **state)
{
    coordconv_plan *plan = make_plan(COORDCONV_TRAINING);
    coordconv_model *m = make_model();
    const coordconv_metadata no_key = { NULL, "v" }, no_value = { "k", NULL }, empty = { "", "v" };
    const coordconv_metadata ours = { "coordconv.version", "v" }, not_text = { "k", "\xff" };
    char value[8] = "old";
    size_t length = 77;
    const coordconv_status status = coordconv_save(m, NULL, "/nonexistent/folder/file", 0, NULL);
    (void)state;

    coordconv_plan_unref(plan);
    if (status == COORDCONV_ERR_UNSUPPORTED) { /* built without jansson */
        coordconv_model_unref(m);
        skip();
    }
    assert_int_equal(status, COORDCONV_ERR_IO);
    check_fails(coordconv_save(NULL, NULL, "f", 0, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_save(m, NULL, NULL, 0, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_save(m, NULL, "f", 1, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_save(m, NULL, "f", -1, &no_key), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_save(m, NULL, "f", 1, &no_key), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_save(m, NULL, "f", 1, &no_value), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_save(m, NULL, "f", 1, &empty), COORDCONV_ERR_INVALID, "");
    check_fails(coordconv_save(m, NULL, "f", 1, &ours), COORDCONV_ERR_INVALID, "coordconv.");
    check_fails(coordconv_save(m, NULL, "f", 1, &not_text), COORDCONV_ERR_INVALID, "UTF-8");
    check_fails(coordconv_load(NULL, NULL, "f"), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load(m, NULL, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load(m, NULL, "/nonexistent/file"), COORDCONV_ERR_NOT_FOUND,
                "/nonexistent/file");
    check_fails(coordconv_load_memory(NULL, NULL, value, 8), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load_memory(m, NULL, NULL, 8), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load_memory(m, NULL, value, 0), COORDCONV_ERR_FORMAT, "0");
    check_fails(coordconv_load_memory(m, NULL, value, 8), COORDCONV_ERR_FORMAT, "");
    check_fails(coordconv_load_metadata(NULL, "f", "k", value, 8, &length), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_load_metadata(context, NULL, "k", value, 8, &length),
                COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load_metadata(context, "f", NULL, value, 8, &length),
                COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_load_metadata(context, "f", "k", NULL, 8, &length), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_load_metadata(context, "/nonexistent/file", "k", value, 8, &length),
                COORDCONV_ERR_NOT_FOUND, "/nonexistent/file");
    assert_string_equal(value, "old");
    assert_int_equal(length, 77);
    coordconv_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_descriptors),
        cmocka_unit_test(wanted_outputs),
        cmocka_unit_test(plan_input_shapes),
        cmocka_unit_test(arenas),
        cmocka_unit_test(models_without_a_plan),
        cmocka_unit_test(binding),
        cmocka_unit_test(binding_what_shares_places),
        cmocka_unit_test(labels_out_of_range),
        cmocka_unit_test(order_of_calls),
        cmocka_unit_test(results),
        cmocka_unit_test(flat_parameters),
        cmocka_unit_test(optimizer_descriptors),
        cmocka_unit_test(optimizer_numbers),
        cmocka_unit_test(optimizer_layers),
        cmocka_unit_test(optimizer_calls),
        cmocka_unit_test(optimizer_null),
        cmocka_unit_test(gradients_that_are_no_numbers),
        cmocka_unit_test(schedules),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
