/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_with_coords.c - a trained convolution becomes a CoordConv: the same bits
 * until it learns; and back, where nothing is lost.
 */
#include <string.h>

#include "support.h"

static coordconv_context *context;

#define XY     ((uint32_t)COORDCONV_COORDS_XY)
#define RADIUS ((uint32_t)COORDCONV_COORDS_RADIUS)
#define PIXEL  ((uint32_t)COORDCONV_COORDS_PIXEL)

static coordconv_layer *new_layer(int transposed, uint32_t coords, int32_t out, int32_t stride)
{
    const coordconv_conv2d_desc conv = { .struct_size = sizeof conv,
                                         .coords = coords,
                                         .in_channels = 3,
                                         .out_channels = out,
                                         .kernel = { 3, 2 },
                                         .stride = { stride, 1 },
                                         .padding = COORDCONV_SAME };
    const coordconv_conv_transpose2d_desc up = { .struct_size = sizeof up,
                                                 .coords = coords,
                                                 .in_channels = 3,
                                                 .out_channels = out,
                                                 .kernel = { 3, 2 },
                                                 .stride = { stride, 1 },
                                                 .padding = COORDCONV_SAME };
    coordconv_layer *layer = NULL;

    check_ok(transposed ? coordconv_conv_transpose2d_new(context, &up, &layer)
                        : coordconv_conv2d_new(context, &conv, &layer));
    test_fill_layer(layer, 40 + (uint64_t)out);
    return layer;
}

static coordconv_tensor *run(coordconv_layer *layer)
{
    const int64_t shape[4] = { 2, 7, 5, 3 };
    int64_t out[4];
    coordconv_tensor *x = test_tensor(context, 4, shape, 3), *y = NULL;

    check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, out, &y));
    check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, y, NULL, 0));
    coordconv_tensor_unref(x);
    return y;
}

static void check_same_output(coordconv_layer *got, coordconv_layer *want)
{
    coordconv_tensor *a = run(got), *b = run(want);

    test_check_same(a, b, "output");
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
}

static coordconv_layer *converted(const coordconv_layer *layer, uint32_t coords)
{
    coordconv_layer *copy = NULL;

    check_ok(coordconv_layer_with_coords(layer, coords, &copy));
    assert_int_equal(coordconv_layer_coords(copy), coords);
    return copy;
}

static void same_bits_until_it_learns(void **state)
{
    static const uint32_t flags[] = { 0, XY, RADIUS, XY | RADIUS, XY | PIXEL, XY | RADIUS | PIXEL };
    static const int32_t widths[] = { 1, 3, 8, 16, 33 };
    (void)state;

    for (size_t i = 0; i < COUNT(flags) * COUNT(widths) * 4; i++) {
        const int transposed = (int)(i % 2);
        const int32_t stride = 1 + (int32_t)(i / 2 % 2);
        coordconv_layer *plain = new_layer(transposed, 0, widths[i / 4 % COUNT(widths)], stride);
        coordconv_layer *coord = converted(plain, flags[i / 4 / COUNT(widths)]);
        check_same_output(coord, plain);
        coordconv_layer *back = converted(coord, 0); /* its coordinate weights are still zero */
        check_same_output(back, plain);
        test_check_same(test_parameter(back, "weight"), test_parameter(plain, "weight"), "weight");
        coordconv_layer_unref(plain);
        coordconv_layer_unref(coord);
        coordconv_layer_unref(back);
    }
}

/* Channels both have keep their weights, wherever they stand in the order. */
static void common_channels_are_kept(void **state)
{
    (void)state;
    for (int transposed = 0; transposed < 2; transposed++) {
        coordconv_layer *radius = new_layer(transposed, RADIUS, 4, 1);
        coordconv_layer *all = converted(radius, XY | RADIUS);
        check_same_output(all, radius);
        coordconv_layer *again = converted(all, RADIUS);
        check_same_output(again, radius);
        test_check_same(test_parameter(again, "weight"), test_parameter(radius, "weight"),
                        "weight");
        coordconv_layer_unref(radius);
        coordconv_layer_unref(all);
        coordconv_layer_unref(again);
    }
}

static void a_copy_is_a_copy(void **state)
{
    coordconv_layer *plain = new_layer(0, 0, 4, 1);
    (void)state;

    check_ok(coordconv_layer_set_name(plain, "conv1"));
    coordconv_layer *coord = converted(plain, XY);
    assert_string_equal(coordconv_layer_name(coord), "conv1");
    assert_ptr_not_equal(test_parameter(coord, "bias"), test_parameter(plain, "bias"));
    const float before = test_values(test_parameter(plain, "bias"))[0];
    check_ok(coordconv_tensor_fill(test_parameter(coord, "bias"), 9));
    check_ok(coordconv_tensor_fill(test_parameter(coord, "weight"), 9));
    assert_true(test_values(test_parameter(plain, "bias"))[0] == before);
    coordconv_layer_unref(plain); /* and lives without the original */
    coordconv_tensor *y = run(coord);
    coordconv_tensor_unref(y);
    coordconv_layer_unref(coord);
}

/* Element of the weight of data or coordinate channel `channel`, output channel 2, tap (1, 0). */
static float *weight_at(coordconv_layer *layer, int transposed, int64_t channel)
{
    coordconv_tensor *w = test_parameter(layer, "weight");
    const int64_t outer = transposed ? channel : 2, inner = transposed ? 2 : channel;

    return test_values(w) + ((outer * coordconv_tensor_dim(w, 1) + inner) * 3 + 1) * 2;
}

static void set_zero(coordconv_layer *layer)
{
    check_ok(coordconv_tensor_fill(test_parameter(layer, "weight"), 0));
}

/* A channel in use is not dropped; the message names it and its largest weight. */
static void channels_in_use_stay(void **state)
{
    static const struct {
        uint32_t from, to;
        int64_t channel; /* counted from the first coordinate channel */
        const char *name;
    } cases[] = {
        { XY, 0, 0, "x" },
        { XY, 0, 1, "y" },
        { XY | RADIUS, XY, 2, "radius" },
        { XY | RADIUS, RADIUS, 1, "y" },
        { RADIUS, XY, 0, "radius" },
        { XY, XY | PIXEL, 0, "x" }, /* pixels are other channels */
        { XY | RADIUS | PIXEL, XY | RADIUS, 2, "radius" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        const int transposed = (int)(i % 2);
        coordconv_layer *layer = new_layer(transposed, cases[i / 2].from, 4, 1);
        coordconv_layer *out = NULL;
        set_zero(layer);
        *weight_at(layer, transposed, 3 + cases[i / 2].channel) = -0.375f;
        coordconv_tensor_modified(test_parameter(layer, "weight"));
        check_fails(coordconv_layer_with_coords(layer, cases[i / 2].to, &out),
                    COORDCONV_ERR_INVALID, cases[i / 2].name);
        assert_non_null(strstr(coordconv_last_error(), "0.375"));
        assert_null(out);
        /* The data channels do not count, and a zero does not either. */
        *weight_at(layer, transposed, 3 + cases[i / 2].channel) = 0.0f;
        *weight_at(layer, transposed, 1) = 2.0f;
        coordconv_tensor_modified(test_parameter(layer, "weight"));
        check_ok(coordconv_layer_with_coords(layer, cases[i / 2].to, &out));
        check_same_output(out, layer);
        coordconv_layer_unref(out);
        coordconv_layer_unref(layer);
    }
}

/* Grouped convolutions see no coordinates, but may be copied without. */
static void groups(void **state)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .in_channels = 3,
                                         .out_channels = 6,
                                         .groups = 3,
                                         .kernel = { 3, 3 } };
    coordconv_layer *layer = NULL, *out = NULL;
    (void)state;

    check_ok(coordconv_conv2d_new(context, &desc, &layer));
    test_fill_layer(layer, 6);
    check_fails(coordconv_layer_with_coords(layer, XY, &out), COORDCONV_ERR_UNSUPPORTED, "3");
    assert_null(out);
    check_ok(coordconv_layer_with_coords(layer, 0, &out));
    check_same_output(out, layer);
    coordconv_layer_unref(out);
    coordconv_layer_unref(layer);
}

/* And then it does learn: the gradient of the new channels is not zero. */
static void new_channels_learn(void **state)
{
    const int64_t shape[4] = { 2, 7, 5, 3 }, out[4] = { 2, 7, 5, 4 };
    coordconv_layer *plain = new_layer(0, 0, 4, 1);
    coordconv_layer *coord = converted(plain, XY);
    coordconv_tensor *x = test_tensor(context, 4, shape, 8), *dy = test_tensor(context, 4, out, 9);
    coordconv_tensor *dw[2] = { test_like(context, test_parameter(coord, "weight")), NULL };
    (void)state;

    check_ok(coordconv_layer_backward(coord, x, dy, NULL, dw, NULL, 0));
    for (int64_t q = 3; q < 5; q++)
        assert_true(test_values(dw[0])[((2 * 5 + q) * 3 + 1) * 2] != 0);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(dy);
    coordconv_tensor_unref(dw[0]);
    coordconv_layer_unref(plain);
    coordconv_layer_unref(coord);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(same_bits_until_it_learns),
    cmocka_unit_test(common_channels_are_kept),
    cmocka_unit_test(a_copy_is_a_copy),
    cmocka_unit_test(channels_in_use_stay),
    cmocka_unit_test(groups),
    cmocka_unit_test(new_channels_learn),
};

int main(void)
{
    uint32_t isas[TEST_MAX_ISAS];
    const size_t count = test_isas(isas);
    int failures = 0;

    for (size_t i = 0; i < count; i++) {
        const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                              .max_isa = isas[i],
                                              .threads = 1 };
        if (coordconv_context_new(&desc, &context) != COORDCONV_OK)
            return 1;
        failures += cmocka_run_group_tests_name(coordconv_context_isa(context), tests, NULL, NULL);
        coordconv_context_unref(context);
    }
    return failures;
}
