/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bad_model.c - bad input to model.h and analytic.h: a bad call poisons the
 * model, the first error stays, and a plan reports it; shapes that do not fit
 * are reported by the plan.
 */
#include "bad_input.h"
#include "fixture.h"

#include <math.h>
#include <stdio.h>

/* A model with four inputs to build on. */
struct scene {
    coordconv_model *m;
    coordconv_value x;      /* [-1, 6, 8, 3] */
    coordconv_value other;  /* [-1, 6, 7, 3] */
    coordconv_value vector; /* [-1, 5] */
    coordconv_value labels; /* int32 [-1] */
};

static struct scene begin(void)
{
    const int64_t image[4] = { -1, 6, 8, 3 }, near[4] = { -1, 6, 7, 3 }, flat[2] = { -1, 5 };
    struct scene s = { .m = NULL };

    check_ok(coordconv_model_new(context, &s.m));
    s.x = coordconv_model_input(s.m, "x", COORDCONV_F32, 4, image);
    s.other = coordconv_model_input(s.m, "other", COORDCONV_F32, 4, near);
    s.vector = coordconv_model_input(s.m, "vector", COORDCONV_F32, 2, flat);
    s.labels = coordconv_model_input(s.m, "labels", COORDCONV_I32, 1, flat);
    check_ok(coordconv_model_status(s.m));
    return s;
}

static void check_poisoned(struct scene *s, coordconv_status status, const char *text)
{
    check_fails(coordconv_model_status(s->m), status, text);
    /* Whatever comes after changes nothing, not even the error. */
    assert_int_equal(coordconv_model_relu(s->m, s->x), COORDCONV_NO_VALUE);
    assert_int_equal(coordconv_model_scale(s->m, s->x, (double)NAN), COORDCONV_NO_VALUE);
    coordconv_model_output(s->m, "", 99);
    check_fails(coordconv_model_status(s->m), status, text);
    check_refused(coordconv_plan, coordconv_plan_new(s->m, NULL, &out), status, text);
    coordconv_model_unref(s->m);
}

/* An expression over `s` that must poison the model at once. */
#define check_poisons(status, text, expression)                                                    \
    do {                                                                                           \
        struct scene s = begin();                                                                  \
        assert_int_equal(expression, COORDCONV_NO_VALUE);                                          \
        check_poisoned(&s, status, text);                                                          \
    } while (0)

/* An expression that is well formed, but whose shapes or types no plan can take. */
#define check_no_plan(status, text, expression)                                                    \
    do {                                                                                           \
        struct scene s = begin();                                                                  \
        const coordconv_value value = expression;                                                  \
        if (value != COORDCONV_NO_VALUE)                                                           \
            coordconv_model_output(s.m, "y", value);                                               \
        check_refused(coordconv_plan, coordconv_plan_new(s.m, NULL, &out), status, text);          \
        size_t bytes = 77;                                                                         \
        check_fails(coordconv_plan_arena_size(s.m, NULL, &bytes), status, text);                   \
        assert_int_equal(bytes, 77);                                                               \
        coordconv_model_unref(s.m);                                                                \
    } while (0)

static void models(void **state)
{
    (void)state;
    check_refused(coordconv_model, coordconv_model_new(NULL, &out), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_model_new(context, NULL), COORDCONV_ERR_INVALID, "NULL");
    assert_null(coordconv_model_ref(NULL));
    coordconv_model_unref(NULL);
    check_fails(coordconv_model_status(NULL), COORDCONV_ERR_INVALID, "NULL");
    assert_int_equal(coordconv_model_layer_count(NULL), 0);
    assert_int_equal(coordconv_model_parameter_count(NULL), 0);
    assert_null(coordconv_model_layer(NULL, 0));
    struct scene s = begin();
    assert_null(coordconv_model_layer(s.m, 0));
    assert_null(coordconv_model_layer(s.m, -1));
    assert_null(coordconv_model_layer(s.m, INT32_MAX));
    coordconv_model_unref(s.m);
}

static void null_model(void **state)
{
    const int64_t shape[4] = { 1, 2, 3, 4 };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    const coordconv_value two[2] = { 0, 0 };
    (void)state;

    test_forget_error();
    const coordconv_value got[] = {
        coordconv_model_input(NULL, "x", COORDCONV_F32, 4, shape),
        coordconv_model_apply(NULL, NULL, 0),
        coordconv_model_relu(NULL, 0),
        coordconv_model_leaky_relu(NULL, 0, 0.1),
        coordconv_model_sigmoid(NULL, 0),
        coordconv_model_tanh(NULL, 0),
        coordconv_model_exp(NULL, 0),
        coordconv_model_scale(NULL, 0, 1),
        coordconv_model_softmax(NULL, 0, 2),
        coordconv_model_flatten(NULL, 0, 1),
        coordconv_model_reshape(NULL, 0, 4, shape),
        coordconv_model_tile(NULL, 0, 2, 2),
        coordconv_model_concat(NULL, 2, two, 1),
        coordconv_model_add(NULL, 0, 0),
        coordconv_model_multiply(NULL, 0, 0),
        coordconv_model_max_pool2d(NULL, 0, &pool),
        coordconv_model_avg_pool2d(NULL, 0, &pool),
        coordconv_model_global_max_pool(NULL, 0),
        coordconv_model_global_avg_pool(NULL, 0),
        coordconv_model_global_sum_pool(NULL, 0),
        coordconv_model_mse(NULL, 0, 0),
        coordconv_model_softmax_cross_entropy(NULL, 0, 0),
        coordconv_model_sigmoid_cross_entropy(NULL, 0, 0),
        coordconv_model_gaussian_kl(NULL, 0, 0),
        coordconv_model_loss(NULL, 0, 0, NULL),
        coordconv_model_upsample2d(NULL, 0, NULL),
    };
    coordconv_model_output(NULL, "y", 0);
    for (size_t i = 0; i < COUNT(got); i++)
        assert_int_equal(got[i], COORDCONV_NO_VALUE);
    assert_non_null(strstr(coordconv_last_error(), "NULL"));
}

static void inputs(void **state)
{
    const int64_t good[1] = { 2 }, below[1] = { -2 }, above[1] = { INT64_C(1) << 31 };
    const int64_t huge[4] = { INT32_MAX, INT32_MAX, INT32_MAX, 4 };
    const int64_t many[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    char name[257];
    (void)state;

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    check_poisons(COORDCONV_ERR_INVALID, "256",
                  coordconv_model_input(s.m, name, COORDCONV_F32, 1, good));
    check_poisons(COORDCONV_ERR_INVALID, "0",
                  coordconv_model_input(s.m, "", COORDCONV_F32, 1, good));
    check_poisons(COORDCONV_ERR_INVALID, "",
                  coordconv_model_input(s.m, NULL, COORDCONV_F32, 1, good));
    check_poisons(COORDCONV_ERR_INVALID, "\"x\"",
                  coordconv_model_input(s.m, "x", COORDCONV_F32, 1, good));
    check_poisons(COORDCONV_ERR_DTYPE, "5", coordconv_model_input(s.m, "a", COORDCONV_U8, 1, good));
    check_poisons(COORDCONV_ERR_DTYPE, "4",
                  coordconv_model_input(s.m, "a", COORDCONV_I64, 1, good));
    check_poisons(COORDCONV_ERR_DTYPE, "99", coordconv_model_input(s.m, "a", 99, 1, good));
    check_poisons(COORDCONV_ERR_INVALID, "9",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, 9, many));
    check_poisons(COORDCONV_ERR_INVALID, "-1",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, -1, good));
    check_poisons(COORDCONV_ERR_INVALID, "NULL",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, 1, NULL));
    check_poisons(COORDCONV_ERR_SHAPE, "-2",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, 1, below));
    check_poisons(COORDCONV_ERR_SHAPE, "2147483648",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, 1, above));
    check_poisons(COORDCONV_ERR_SHAPE, "2147483647",
                  coordconv_model_input(s.m, "a", COORDCONV_F32, 4, huge));
}

static void outputs(void **state)
{
    struct scene s = begin();
    (void)state;

    coordconv_model_output(s.m, "y", 4);
    check_poisoned(&s, COORDCONV_ERR_INVALID, "4");
    s = begin();
    coordconv_model_output(s.m, "y", COORDCONV_NO_VALUE);
    check_poisoned(&s, COORDCONV_ERR_INVALID, "-1");
    s = begin();
    coordconv_model_output(s.m, NULL, s.x);
    check_poisoned(&s, COORDCONV_ERR_INVALID, "");
    s = begin();
    coordconv_model_output(s.m, "", s.x);
    check_poisoned(&s, COORDCONV_ERR_INVALID, "0");
    s = begin();
    coordconv_model_output(s.m, "y", s.x);
    coordconv_model_output(s.m, "also y", s.x);
    check_ok(coordconv_model_status(s.m));
    coordconv_model_output(s.m, "y", s.other);
    check_poisoned(&s, COORDCONV_ERR_INVALID, "\"y\"");
}

/* A value that is not there, as every argument that takes a value. */
static void values(void **state)
{
    static const coordconv_value bad[] = { COORDCONV_NO_VALUE, 4, INT32_MAX, INT32_MIN };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc, .channels = 3 };
    const int64_t shape[2] = { 0, -1 };
    coordconv_layer *norm = NULL;
    (void)state;

    check_ok(coordconv_batch_norm_new(context, &norm_desc, &norm));
    for (size_t i = 0; i < COUNT(bad); i++) {
        const coordconv_value b = bad[i];
        char text[16];
        snprintf(text, sizeof text, "%d", (int)b);
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_apply(s.m, norm, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_relu(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_leaky_relu(s.m, b, 0.1));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_sigmoid(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_tanh(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_exp(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_scale(s.m, b, 2));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_softmax(s.m, b, 2));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_flatten(s.m, b, 1));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_reshape(s.m, b, 2, shape));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_tile(s.m, b, 2, 2));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_add(s.m, b, s.x));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_add(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_multiply(s.m, b, s.x));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_multiply(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_max_pool2d(s.m, b, &pool));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_avg_pool2d(s.m, b, &pool));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_global_max_pool(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_global_avg_pool(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_global_sum_pool(s.m, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_mse(s.m, b, s.x));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_mse(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text,
                      coordconv_model_softmax_cross_entropy(s.m, b, s.labels));
        check_poisons(COORDCONV_ERR_INVALID, text,
                      coordconv_model_softmax_cross_entropy(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text,
                      coordconv_model_sigmoid_cross_entropy(s.m, b, s.x));
        check_poisons(COORDCONV_ERR_INVALID, text,
                      coordconv_model_sigmoid_cross_entropy(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_gaussian_kl(s.m, b, s.x));
        check_poisons(COORDCONV_ERR_INVALID, text, coordconv_model_gaussian_kl(s.m, s.x, b));
        check_poisons(COORDCONV_ERR_INVALID, text,
                      coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.x, b }, 3));
    }
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_apply(s.m, NULL, s.x));
    coordconv_layer_unref(norm);
}

static void numbers(void **state)
{
    const int64_t many[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    (void)state;

    check_poisons(COORDCONV_ERR_INVALID, "1", coordconv_model_leaky_relu(s.m, s.x, 1.0));
    check_poisons(COORDCONV_ERR_INVALID, "-0.5", coordconv_model_leaky_relu(s.m, s.x, -0.5));
    check_poisons(COORDCONV_ERR_INVALID, "nan", coordconv_model_leaky_relu(s.m, s.x, (double)NAN));
    check_poisons(COORDCONV_ERR_INVALID, "nan", coordconv_model_scale(s.m, s.x, (double)NAN));
    check_poisons(COORDCONV_ERR_INVALID, "inf", coordconv_model_scale(s.m, s.x, (double)INFINITY));
    check_no_plan(COORDCONV_ERR_INVALID, "0", coordconv_model_softmax(s.m, s.x, 0));
    check_no_plan(COORDCONV_ERR_INVALID, "0x10", coordconv_model_softmax(s.m, s.x, 1u << 4));
    check_no_plan(COORDCONV_ERR_INVALID, "0x80000002",
                  coordconv_model_softmax(s.m, s.x, 1u << 31 | 2));
    check_no_plan(COORDCONV_ERR_INVALID, "-1", coordconv_model_flatten(s.m, s.x, -1));
    check_no_plan(COORDCONV_ERR_INVALID, "4", coordconv_model_flatten(s.m, s.x, 4));
    check_poisons(COORDCONV_ERR_INVALID, "9", coordconv_model_reshape(s.m, s.x, 9, many));
    check_poisons(COORDCONV_ERR_INVALID, "-3", coordconv_model_reshape(s.m, s.x, -3, many));
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_reshape(s.m, s.x, 2, NULL));
    check_no_plan(COORDCONV_ERR_INVALID, "0", coordconv_model_tile(s.m, s.vector, 0, 2));
    check_no_plan(COORDCONV_ERR_INVALID, "-4", coordconv_model_tile(s.m, s.vector, 2, -4));
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_concat(s.m, 2, NULL, 1));
    check_poisons(COORDCONV_ERR_INVALID, "0",
                  coordconv_model_concat(s.m, 0, (const coordconv_value[]){ s.x }, 1));
    check_poisons(COORDCONV_ERR_INVALID, "-1",
                  coordconv_model_concat(s.m, -1, (const coordconv_value[]){ s.x }, 1));
}

static void reshapes(void **state)
{
    (void)state;
#define RESHAPE(ndim, ...) coordconv_model_reshape(s.m, s.x, ndim, (const int64_t[]){ __VA_ARGS__ })
    check_no_plan(COORDCONV_ERR_SHAPE, "", RESHAPE(2, 0, 143));
    check_no_plan(COORDCONV_ERR_SHAPE, "", RESHAPE(2, 5, -1));
    check_no_plan(COORDCONV_ERR_SHAPE, "", RESHAPE(5, 1, 6, 8, 3, 0)); /* no axis 4 to copy */
    check_no_plan(COORDCONV_ERR_SHAPE, "", RESHAPE(4, INT32_MAX, INT32_MAX, INT32_MAX, -1));
    check_no_plan(COORDCONV_ERR_INVALID, "", RESHAPE(3, 0, -1, -1));
    check_no_plan(COORDCONV_ERR_INVALID, "-2", RESHAPE(2, 0, -2));
    check_no_plan(COORDCONV_ERR_SHAPE, "", RESHAPE(0, 0)); /* 144 elements as a scalar */
#undef RESHAPE
}

static void shapes_that_do_not_fit(void **state)
{
    (void)state;
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]", coordconv_model_add(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 8, 3]", coordconv_model_multiply(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_add(s.m, s.x, s.vector));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]", coordconv_model_mse(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]",
                  coordconv_model_sigmoid_cross_entropy(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]",
                  coordconv_model_gaussian_kl(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]",
                  coordconv_model_softmax_cross_entropy(s.m, s.x, s.other));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]",
                  coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.x, s.other }, 3));
    check_no_plan(COORDCONV_ERR_SHAPE, "",
                  coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.x, s.vector }, 1));
    check_no_plan(COORDCONV_ERR_INVALID, "4",
                  coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.x, s.x }, 4));
    check_no_plan(COORDCONV_ERR_INVALID, "-1",
                  coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.x, s.x }, -1));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 8, 3]", coordconv_model_tile(s.m, s.x, 2, 2));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_global_max_pool(s.m, s.vector));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_global_avg_pool(s.m, s.vector));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_global_sum_pool(s.m, s.vector));
}

static void types_that_do_not_fit(void **state)
{
    (void)state;
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_relu(s.m, s.labels));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_exp(s.m, s.labels));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_gaussian_kl(s.m, s.labels, s.x));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_scale(s.m, s.labels, 2));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_softmax(s.m, s.labels, 1));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_add(s.m, s.labels, s.labels));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_multiply(s.m, s.labels, s.labels));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_flatten(s.m, s.labels, 0));
    check_no_plan(
        COORDCONV_ERR_DTYPE, "int32",
        coordconv_model_concat(s.m, 2, (const coordconv_value[]){ s.labels, s.labels }, 0));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_mse(s.m, s.labels, s.labels));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32",
                  coordconv_model_softmax_cross_entropy(s.m, s.labels, s.labels));
}

static void applied_layers(void **state)
{
    const coordconv_conv2d_desc conv_desc = {
        .struct_size = sizeof conv_desc, .in_channels = 3, .out_channels = 2, .kernel = { 7, 9 }
    };
    const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc, .channels = 4 };
    const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                .in_features = 4,
                                                .out_features = 2 };
    coordconv_layer *conv = NULL, *norm = NULL, *linear = NULL;
    (void)state;

    check_ok(coordconv_conv2d_new(context, &conv_desc, &conv));
    check_ok(coordconv_batch_norm_new(context, &norm_desc, &norm));
    check_ok(coordconv_linear_new(context, &linear_desc, &linear));
    check_no_plan(COORDCONV_ERR_SHAPE, "7x9", coordconv_model_apply(s.m, conv, s.x));
    check_no_plan(COORDCONV_ERR_SHAPE, "6x8", coordconv_model_apply(s.m, conv, s.x));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_apply(s.m, conv, s.vector));
    check_no_plan(COORDCONV_ERR_SHAPE, "4", coordconv_model_apply(s.m, norm, s.x));
    check_no_plan(COORDCONV_ERR_SHAPE, "4", coordconv_model_apply(s.m, linear, s.vector));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_apply(s.m, linear, s.labels));
    coordconv_layer_unref(conv);
    coordconv_layer_unref(norm);
    coordconv_layer_unref(linear);
}

/* ---- pooling ---- */

static int pool_average;

/* A plan of a scene with this output; gives the scene up. */
static coordconv_status make_plan(struct scene s, coordconv_value y, void **out)
{
    coordconv_plan *plan = *out;

    coordconv_model_output(s.m, "y", y);
    const coordconv_status status = coordconv_plan_new(s.m, NULL, &plan);
    *out = plan;
    coordconv_model_unref(s.m);
    return status;
}

static coordconv_status make_pool(const void *desc, void **out)
{
    const struct scene s = begin();

    return make_plan(s,
                     pool_average ? coordconv_model_avg_pool2d(s.m, s.x, desc)
                                  : coordconv_model_max_pool2d(s.m, s.x, desc),
                     out);
}

static void unmake_plan(void *made)
{
    coordconv_plan_unref(made);
}

static void pools(void **state)
{
    const coordconv_pool2d_desc good = { .struct_size = sizeof good, .kernel = { 2, 3 } };
    const struct bad_field fields[] = {
        BAD(coordconv_pool2d_desc, kernel[0], 0, INVALID, "0"),
        BAD(coordconv_pool2d_desc, kernel[1], -1, INVALID, "-1"),
        BAD(coordconv_pool2d_desc, kernel[0], 1025, INVALID, "1025"),
        BAD(coordconv_pool2d_desc, stride[0], -1, INVALID, "-1"),
        BAD(coordconv_pool2d_desc, stride[1], 1025, INVALID, "1025"),
        BAD(coordconv_pool2d_desc, padding, 2, INVALID, "2"),
        BAD(coordconv_pool2d_desc, pads[0], -1, INVALID, "-1"),
        BAD(coordconv_pool2d_desc, pads[0], 2, INVALID, "2"),
        BAD(coordconv_pool2d_desc, pads[3], 3, INVALID, "3"),
        BAD(coordconv_pool2d_desc, count_padding, 2, INVALID, "2"),
        BAD(coordconv_pool2d_desc, kernel[0], 7, SHAPE, "7x3"),
        BAD(coordconv_pool2d_desc, kernel[1], 9, SHAPE, "2x9"),
    };
    (void)state;

    for (pool_average = 0; pool_average < 2; pool_average++) {
        bad_fields(make_pool, &good, sizeof good, fields, COUNT(fields));
        bad_struct_size(make_pool, &good, sizeof good, unmake_plan);
    }
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_max_pool2d(s.m, s.x, NULL));
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_avg_pool2d(s.m, s.x, NULL));
    coordconv_pool2d_desc d = good;
    d.padding = COORDCONV_SAME;
    d.pads[1] = 1;
    check_no_plan(COORDCONV_ERR_INVALID, "1", coordconv_model_max_pool2d(s.m, s.x, &d));
}

static coordconv_status make_upsample(const void *desc, void **out)
{
    const struct scene s = begin();

    return make_plan(s, coordconv_model_upsample2d(s.m, s.x, desc), out);
}

static void upsampling(void **state)
{
    const coordconv_upsample2d_desc good = { .struct_size = sizeof good, .factor = { 2, 1024 } };
    const struct bad_field fields[] = {
        BAD(coordconv_upsample2d_desc, factor[0], 0, INVALID, "0"),
        BAD(coordconv_upsample2d_desc, factor[1], 1025, INVALID, "1025"),
        BAD(coordconv_upsample2d_desc, mode, 2, INVALID, "2"),
        BAD(coordconv_upsample2d_desc, mode, -1, INVALID, "-1"),
        BAD(coordconv_upsample2d_desc, align_corners, 1, INVALID, "1"),
        BAD(coordconv_upsample2d_desc, reserved, 1, INVALID, "reserved"),
    };
    const int64_t huge[4] = { 1, 1 << 22, 2, 1 };
    (void)state;

    bad_fields(make_upsample, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_upsample, &good, sizeof good, unmake_plan);
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_upsample2d(s.m, s.x, NULL));
    check_poisons(COORDCONV_ERR_INVALID, "77", coordconv_model_upsample2d(s.m, 77, &good));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_upsample2d(s.m, s.vector, &good));
    coordconv_upsample2d_desc d = good;
    d.factor[0] = 1024;
    check_no_plan(COORDCONV_ERR_SHAPE, "4294967296",
                  coordconv_model_upsample2d(
                      s.m, coordconv_model_input(s.m, "huge", COORDCONV_F32, 4, huge), &d));
}

static coordconv_status make_loss(const void *desc, void **out)
{
    const struct scene s = begin();

    return make_plan(s, coordconv_model_loss(s.m, s.x, s.x, desc), out);
}

static void losses(void **state)
{
    const coordconv_loss_desc good = { .struct_size = sizeof good,
                                       .kind = COORDCONV_LOSS_SMOOTH_L1 };
    const struct bad_field fields[] = {
        BAD(coordconv_loss_desc, kind, 0, INVALID, "0"),
        BAD(coordconv_loss_desc, kind, 7, INVALID, "7"),
        BAD(coordconv_loss_desc, reduction, 2, INVALID, "2"),
        BAD(coordconv_loss_desc, reduction, -1, INVALID, "-1"),
        BAD(coordconv_loss_desc, weighted, 2, INVALID, "2"),
        BAD(coordconv_loss_desc, weight, 1, INVALID, "1"),
        BAD(coordconv_loss_desc, ignore, 1, INVALID, "1"),
    };
    (void)state;

    bad_fields(make_loss, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_loss, &good, sizeof good, unmake_plan);
    check_poisons(COORDCONV_ERR_INVALID, "NULL", coordconv_model_loss(s.m, s.x, s.x, NULL));
    check_poisons(COORDCONV_ERR_INVALID, "77", coordconv_model_loss(s.m, 77, s.x, &good));
    check_poisons(COORDCONV_ERR_INVALID, "-1", coordconv_model_loss(s.m, s.x, -1, &good));
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]",
                  coordconv_model_loss(s.m, s.x, s.other, &good));
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_loss(s.m, s.x, s.labels, &good));
    coordconv_loss_desc d = good;
    static const struct {
        double beta;
        const char *text;
    } betas[] = { { -1, "beta -1" },          { 9e-38, "beta 9e-38" },
                  { 1e-40, "beta 1e-40" },    { 1e-320, "9.99989e-321" },
                  { 1.1e37, "beta 1.1e+37" }, { (double)INFINITY, "inf" },
                  { (double)NAN, "nan" } };

    for (size_t i = 0; i < COUNT(betas); i++)
        for (d.kind = COORDCONV_LOSS_SMOOTH_L1; d.kind <= COORDCONV_LOSS_ROBUST_L1; d.kind++) {
            d.beta = betas[i].beta;
            check_poisons(COORDCONV_ERR_INVALID, betas[i].text,
                          coordconv_model_loss(s.m, s.x, s.x, &d));
        }
    d = good;
    d.kind = COORDCONV_LOSS_L1;
    d.beta = 0.5;
    check_poisons(COORDCONV_ERR_INVALID, "0.5", coordconv_model_loss(s.m, s.x, s.x, &d));
}

/* Inputs of the scene are x 0, other 1, vector 2, labels 3. */
static void weights_of_losses(void **state)
{
    coordconv_loss_desc d = { .struct_size = sizeof d,
                              .kind = COORDCONV_LOSS_SIGMOID_CROSS_ENTROPY,
                              .weighted = 1,
                              .weight = 77 };
    (void)state;

    check_poisons(COORDCONV_ERR_INVALID, "77", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.weight = COORDCONV_NO_VALUE;
    check_poisons(COORDCONV_ERR_INVALID, "-1", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.weight = 1;
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 6, 7, 3]", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.weight = 3;
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY;
    check_no_plan(COORDCONV_ERR_DTYPE, "int32", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.weight = 2;
    check_no_plan(COORDCONV_ERR_SHAPE, "[1, 5]", coordconv_model_loss(s.m, s.x, s.x, &d));
    d.ignore = 1;
    check_no_plan(COORDCONV_ERR_INVALID, "ignore", coordconv_model_loss(s.m, s.x, s.x, &d));
}

/* ---- analytic ---- */

static void analytic(void **state)
{
    const int64_t over = (INT64_C(1) << 24) + 1, half = (INT64_C(1) << 22) + 1;
    const int64_t bad[] = { 0, -1, over, INT64_MAX, INT64_MIN };
    (void)state;

    check_refused(coordconv_model, coordconv_analytic_onehot_to_xy(NULL, 2, 2, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_model, coordconv_analytic_xy_to_onehot(NULL, 2, 2, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_model, coordconv_analytic_xy_to_rectangle(NULL, 2, 2, 1, 1, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_analytic_onehot_to_xy(context, 2, 2, NULL), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_analytic_xy_to_onehot(context, 2, 2, NULL), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_analytic_xy_to_rectangle(context, 2, 2, 1, 1, NULL),
                COORDCONV_ERR_INVALID, "NULL");
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)bad[i]);
        for (int axis = 0; axis < 2; axis++) {
            const int64_t h = axis == 0 ? bad[i] : 2, w = axis == 0 ? 2 : bad[i];
            check_refused(coordconv_model, coordconv_analytic_onehot_to_xy(context, h, w, &out),
                          COORDCONV_ERR_INVALID, text);
            check_refused(coordconv_model, coordconv_analytic_xy_to_onehot(context, h, w, &out),
                          COORDCONV_ERR_INVALID, text);
            check_refused(coordconv_model,
                          coordconv_analytic_xy_to_rectangle(context, h, w, 1, 1, &out),
                          COORDCONV_ERR_INVALID, text);
        }
    }
    check_refused(coordconv_model, coordconv_analytic_xy_to_rectangle(context, 2, 2, -1, 1, &out),
                  COORDCONV_ERR_INVALID, "-1");
    check_refused(coordconv_model, coordconv_analytic_xy_to_rectangle(context, 2, 2, 1, half, &out),
                  COORDCONV_ERR_INVALID, "4194305");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),
        cmocka_unit_test(null_model),
        cmocka_unit_test(inputs),
        cmocka_unit_test(outputs),
        cmocka_unit_test(values),
        cmocka_unit_test(numbers),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(shapes_that_do_not_fit),
        cmocka_unit_test(types_that_do_not_fit),
        cmocka_unit_test(applied_layers),
        cmocka_unit_test(upsampling),
        cmocka_unit_test(losses),
        cmocka_unit_test(weights_of_losses),
        cmocka_unit_test(pools),
        cmocka_unit_test(analytic),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
