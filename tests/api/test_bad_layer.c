/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bad_layer.c - bad input to layer.h.
 */
#include "bad_input.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* ---- constructors ---- */

#define DEFINE_MAKE(name)                                                                          \
    static coordconv_status make_##name(const void *desc, void **out)                              \
    {                                                                                              \
        coordconv_layer *made = *out;                                                              \
        const coordconv_status status = coordconv_##name##_new(context, desc, &made);              \
                                                                                                   \
        *out = made;                                                                               \
        return status;                                                                             \
    }

DEFINE_MAKE(conv2d)
DEFINE_MAKE(conv_transpose2d)
DEFINE_MAKE(linear)
DEFINE_MAKE(batch_norm)
DEFINE_MAKE(group_norm)

static void unmake_layer(void *made)
{
    coordconv_layer_unref(made);
}

/* One row for a field with these two values out of range. */
#define RANGE(type, field, low, high)                                                              \
    BAD(type, field, low, INVALID, #low), BAD(type, field, high, INVALID, #high)

static const coordconv_conv2d_desc good_conv = {
    .struct_size = sizeof good_conv, .in_channels = 4, .out_channels = 6, .kernel = { 3, 3 }
};

static void conv2d(void **state)
{
    const struct bad_field fields[] = {
        BAD(coordconv_conv2d_desc, coords, 32, INVALID, "20"),
        BAD(coordconv_conv2d_desc, coords, -1, INVALID, "ffffffff"),
        RANGE(coordconv_conv2d_desc, in_channels, 0, -1),
        RANGE(coordconv_conv2d_desc, out_channels, 0, -6),
        RANGE(coordconv_conv2d_desc, kernel[0], 0, 1025),
        RANGE(coordconv_conv2d_desc, kernel[1], -1, 2147483647),
        RANGE(coordconv_conv2d_desc, stride[0], -1, 1025),
        RANGE(coordconv_conv2d_desc, stride[1], -2, 2147483647),
        RANGE(coordconv_conv2d_desc, dilation[0], -1, 1025),
        RANGE(coordconv_conv2d_desc, dilation[1], -2, 2147483647),
        RANGE(coordconv_conv2d_desc, padding, 2, -1),
        RANGE(coordconv_conv2d_desc, pads[0], -1, 65536),
        RANGE(coordconv_conv2d_desc, pads[3], -7, 2147483647),
        RANGE(coordconv_conv2d_desc, groups, -1, 3), /* 3 divides 6 but not 4 */
        RANGE(coordconv_conv2d_desc, groups, 4, 24), /* 4 divides 4 but not 6 */
        RANGE(coordconv_conv2d_desc, no_bias, 2, -1),
        RANGE(coordconv_conv2d_desc, init, 5, -1),
        BAD(coordconv_conv2d_desc, in_channels, 1 << 30, NOMEM, ""),
    };
    coordconv_conv2d_desc d = good_conv;
    (void)state;

    bad_fields(make_conv2d, &good_conv, sizeof good_conv, fields, COUNT(fields));
    bad_grown_size(make_conv2d, &good_conv, offsetof(coordconv_conv2d_desc, grid), sizeof good_conv,
                   unmake_layer);
    d.padding = COORDCONV_SAME;
    d.pads[2] = 5;
    check_refused(coordconv_layer, coordconv_conv2d_new(context, &d, &out), COORDCONV_ERR_INVALID,
                  "5");
    d = good_conv;
    d.coords = COORDCONV_COORDS_XY;
    d.groups = 2;
    check_refused(coordconv_layer, coordconv_conv2d_new(context, &d, &out),
                  COORDCONV_ERR_UNSUPPORTED, "groups");
    /* 2^30 * 2^30 * 2^20 weights: the product overflows 64 bits. */
    d = good_conv;
    d.in_channels = d.out_channels = 1 << 30;
    d.kernel[0] = d.kernel[1] = 1024;
    check_refused(coordconv_layer, coordconv_conv2d_new(context, &d, &out), COORDCONV_ERR_SHAPE,
                  "");
    check_refused(coordconv_layer, coordconv_conv2d_new(NULL, &good_conv, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_layer, coordconv_conv2d_new(context, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_conv2d_new(context, &good_conv, NULL), COORDCONV_ERR_INVALID, "NULL");
}

/* Coordinate channels may not push the number of input channels past an int32. */
static void channels_at_the_edge(void **state)
{
    coordconv_conv2d_desc d = good_conv;
    (void)state;

    d.coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS;
    d.in_channels = INT32_MAX;
    d.out_channels = 1;
    d.kernel[0] = d.kernel[1] = 1;
    check_refused(coordconv_layer, coordconv_conv2d_new(context, &d, &out), COORDCONV_ERR_INVALID,
                  "2147483647");
}

static void conv_transpose2d(void **state)
{
    const coordconv_conv_transpose2d_desc good = { .struct_size = sizeof good,
                                                   .in_channels = 4,
                                                   .out_channels = 6,
                                                   .kernel = { 3, 3 },
                                                   .stride = { 2, 2 } };
    const struct bad_field fields[] = {
        BAD(coordconv_conv_transpose2d_desc, coords, 32, INVALID, "20"),
        RANGE(coordconv_conv_transpose2d_desc, in_channels, 0, -1),
        RANGE(coordconv_conv_transpose2d_desc, out_channels, 0, -6),
        RANGE(coordconv_conv_transpose2d_desc, kernel[0], 0, 1025),
        RANGE(coordconv_conv_transpose2d_desc, stride[1], -2, 1025),
        RANGE(coordconv_conv_transpose2d_desc, dilation[0], -1, 1025),
        RANGE(coordconv_conv_transpose2d_desc, padding, 2, -1),
        RANGE(coordconv_conv_transpose2d_desc, pads[1], -1, 65536),
        RANGE(coordconv_conv_transpose2d_desc, output_padding[0], -1, 2),
        RANGE(coordconv_conv_transpose2d_desc, output_padding[1], -3, 2147483647),
        RANGE(coordconv_conv_transpose2d_desc, groups, -1, 3),
        RANGE(coordconv_conv_transpose2d_desc, no_bias, 2, -1),
        RANGE(coordconv_conv_transpose2d_desc, init, 5, -1),
    };
    coordconv_conv_transpose2d_desc d = good;
    (void)state;

    bad_fields(make_conv_transpose2d, &good, sizeof good, fields, COUNT(fields));
    bad_grown_size(make_conv_transpose2d, &good, offsetof(coordconv_conv_transpose2d_desc, grid),
                   sizeof good, unmake_layer);
    d.padding = COORDCONV_SAME;
    d.output_padding[0] = 1;
    check_refused(coordconv_layer, coordconv_conv_transpose2d_new(context, &d, &out),
                  COORDCONV_ERR_INVALID, "1");
    d = good;
    d.coords = COORDCONV_COORDS_RADIUS;
    d.groups = 2;
    check_refused(coordconv_layer, coordconv_conv_transpose2d_new(context, &d, &out),
                  COORDCONV_ERR_UNSUPPORTED, "groups");
    check_refused(coordconv_layer, coordconv_conv_transpose2d_new(NULL, &good, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_layer, coordconv_conv_transpose2d_new(context, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_conv_transpose2d_new(context, &good, NULL), COORDCONV_ERR_INVALID,
                "NULL");
}

static coordconv_status make_conv1d(const void *desc, void **out)
{
    return coordconv_conv1d_new(context, desc, (coordconv_layer **)out);
}

static void conv1d(void **state)
{
    const coordconv_conv1d_desc good = {
        .struct_size = sizeof good, .in_channels = 4, .out_channels = 6, .kernel = 3
    };
    const struct bad_field fields[] = {
        BAD(coordconv_conv1d_desc, coords, 32, INVALID, "20"),
        BAD(coordconv_conv1d_desc, coords, 1, INVALID, "y"),
        BAD(coordconv_conv1d_desc, coords, 16, INVALID, "y"),
        RANGE(coordconv_conv1d_desc, in_channels, 0, -1),
        RANGE(coordconv_conv1d_desc, out_channels, 0, -6),
        RANGE(coordconv_conv1d_desc, kernel, 0, 1025),
        RANGE(coordconv_conv1d_desc, stride, -2, 1025),
        RANGE(coordconv_conv1d_desc, dilation, -1, 1025),
        RANGE(coordconv_conv1d_desc, padding, 2, -1),
        RANGE(coordconv_conv1d_desc, pads[0], -1, 65536),
        RANGE(coordconv_conv1d_desc, pads[1], -1, 65536),
        RANGE(coordconv_conv1d_desc, groups, -1, 3),
        RANGE(coordconv_conv1d_desc, no_bias, 2, -1),
        RANGE(coordconv_conv1d_desc, init, 5, -1),
        BAD(coordconv_conv1d_desc, reserved, 1, INVALID, "reserved"),
    };
    static const int64_t shapes[][3] = { { 2, 5, 3 }, { 2, 2, 4 }, { 0, 5, 4 }, { 2, 0, 4 } };
    const int64_t image[4] = { 2, 5, 5, 4 };
    const coordconv_grid_desc swapped = { .struct_size = sizeof swapped,
                                          .sampling = COORDCONV_SAMPLING_SWAPPED };
    coordconv_conv1d_desc d = good;
    coordconv_layer *layer = NULL, *other = NULL;
    int64_t extents[4];
    (void)state;

    bad_fields(make_conv1d, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_conv1d, &good, sizeof good, unmake_layer);
    d.grid = &swapped;
    check_refused(coordconv_layer, coordconv_conv1d_new(context, &d, &out), COORDCONV_ERR_INVALID,
                  "swaps two axes");
    d.grid = NULL;
    d.coords = COORDCONV_COORDS_X;
    d.groups = 2;
    check_refused(coordconv_layer, coordconv_conv1d_new(context, &d, &out),
                  COORDCONV_ERR_UNSUPPORTED, "groups");
    check_refused(coordconv_layer, coordconv_conv1d_new(NULL, &good, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_refused(coordconv_layer, coordconv_conv1d_new(context, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_conv1d_new(context, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_ok(coordconv_conv1d_new(context, &good, &layer));
    for (size_t i = 0; i < COUNT(shapes); i++)
        check_fails(coordconv_layer_output_shape(layer, 3, shapes[i], extents), COORDCONV_ERR_SHAPE,
                    "conv1d");
    check_fails(coordconv_layer_output_shape(layer, 4, image, extents), COORDCONV_ERR_SHAPE,
                "[N, L, C]");
    check_fails(coordconv_layer_with_coords(layer, COORDCONV_COORDS_XY, &other),
                COORDCONV_ERR_INVALID, "y");
    assert_null(other);
    check_ok(
        coordconv_layer_with_coords(layer, COORDCONV_COORDS_X | COORDCONV_COORDS_RADIUS, &other));
    assert_int_equal(coordconv_tensor_dim(test_parameter(other, "weight"), 1), 6);
    coordconv_layer_unref(layer);
    coordconv_layer_unref(other);
}

static coordconv_status make_conv3d(const void *desc, void **out)
{
    return coordconv_conv3d_new(context, desc, (coordconv_layer **)out);
}

static void conv3d(void **state)
{
    const coordconv_conv3d_desc good = {
        .struct_size = sizeof good, .in_channels = 4, .out_channels = 6, .kernel = { 3, 2, 1 }
    };
    const struct bad_field fields[] = {
        BAD(coordconv_conv3d_desc, coords, 64, INVALID, "40"),
        BAD(coordconv_conv3d_desc, coords, 4, INVALID, "4"),
        RANGE(coordconv_conv3d_desc, in_channels, 0, -1),
        RANGE(coordconv_conv3d_desc, out_channels, 0, -6),
        BAD(coordconv_conv3d_desc, kernel[0], 1025, INVALID, "kernel[0]"),
        BAD(coordconv_conv3d_desc, kernel[1], 0, INVALID, "kernel[1]"),
        BAD(coordconv_conv3d_desc, kernel[2], -1, INVALID, "kernel[2]"),
        BAD(coordconv_conv3d_desc, stride[0], -2, INVALID, "stride[0]"),
        BAD(coordconv_conv3d_desc, stride[2], 1025, INVALID, "stride[2]"),
        BAD(coordconv_conv3d_desc, dilation[0], 1025, INVALID, "dilation[0]"),
        BAD(coordconv_conv3d_desc, dilation[1], -1, INVALID, "dilation[1]"),
        RANGE(coordconv_conv3d_desc, padding, 2, -1),
        BAD(coordconv_conv3d_desc, pads[0], -1, INVALID, "pads[0]"),
        BAD(coordconv_conv3d_desc, pads[1], 65536, INVALID, "pads[1]"),
        BAD(coordconv_conv3d_desc, pads[2], -1, INVALID, "pads[2]"),
        BAD(coordconv_conv3d_desc, pads[3], 65536, INVALID, "pads[3]"),
        BAD(coordconv_conv3d_desc, pads[4], -1, INVALID, "pads[4]"),
        BAD(coordconv_conv3d_desc, pads[5], 65536, INVALID, "pads[5]"),
        RANGE(coordconv_conv3d_desc, groups, -1, 3),
        RANGE(coordconv_conv3d_desc, no_bias, 2, -1),
        RANGE(coordconv_conv3d_desc, init, 5, -1),
    };
    static const int64_t shapes[][5] = { { 2, 5, 5, 5, 3 }, { 2, 2, 5, 5, 4 }, { 2, 5, 1, 5, 4 },
                                         { 0, 5, 5, 5, 4 }, { 2, 0, 5, 5, 4 }, { 2, 5, 5, 0, 4 } };
    const coordconv_grid_desc swapped = { .struct_size = sizeof swapped,
                                          .sampling = COORDCONV_SAMPLING_SWAPPED };
    const int64_t image[4] = { 2, 5, 5, 4 };
    const int64_t huge[5] = { 1, 3, 2147483647, 134217727, 4 };
    coordconv_conv3d_desc d = good;
    coordconv_layer *layer = NULL;
    int64_t extents[5];
    (void)state;

    bad_fields(make_conv3d, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_conv3d, &good, sizeof good, unmake_layer);
    d.coords = COORDCONV_COORDS_Z;
    d.grid = &swapped;
    check_refused(coordconv_layer, coordconv_conv3d_new(context, &d, &out), COORDCONV_ERR_INVALID,
                  "sampling");
    d.groups = 2;
    d.grid = NULL;
    check_refused(coordconv_layer, coordconv_conv3d_new(context, &d, &out),
                  COORDCONV_ERR_UNSUPPORTED, "groups");
    d = good;
    d.padding = COORDCONV_SAME;
    d.pads[3] = 1;
    check_refused(coordconv_layer, coordconv_conv3d_new(context, &d, &out), COORDCONV_ERR_INVALID,
                  "pads[3]");
    check_refused(coordconv_layer, coordconv_conv3d_new(NULL, &good, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_refused(coordconv_layer, coordconv_conv3d_new(context, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_conv3d_new(context, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_ok(coordconv_conv3d_new(context, &good, &layer));
    for (size_t i = 0; i < COUNT(shapes); i++)
        check_fails(coordconv_layer_output_shape(layer, 5, shapes[i], extents), COORDCONV_ERR_SHAPE,
                    "conv3d");
    check_fails(coordconv_layer_output_shape(layer, 4, image, extents), COORDCONV_ERR_SHAPE,
                "[N, D, H, W, C]");
    check_fails(coordconv_layer_output_shape(layer, 5, huge, extents), COORDCONV_ERR_SHAPE,
                "conv3d");
    coordconv_layer_unref(layer);
}

static void linear(void **state)
{
    const coordconv_linear_desc good = { .struct_size = sizeof good,
                                         .in_features = 3,
                                         .out_features = 2 };
    const struct bad_field fields[] = {
        RANGE(coordconv_linear_desc, in_features, 0, -1),
        RANGE(coordconv_linear_desc, out_features, 0, -2147483647),
        RANGE(coordconv_linear_desc, no_bias, 2, -1),
        RANGE(coordconv_linear_desc, init, 5, -1),
        BAD(coordconv_linear_desc, reserved, 9, INVALID, "9"),
        BAD(coordconv_linear_desc, in_features, INT32_MAX, NOMEM, ""),
    };
    coordconv_linear_desc d = good;
    (void)state;

    bad_fields(make_linear, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_linear, &good, sizeof good, unmake_layer);
    d.in_features = d.out_features = INT32_MAX;
    check_refused(coordconv_layer, coordconv_linear_new(context, &d, &out), COORDCONV_ERR_SHAPE,
                  "");
    check_refused(coordconv_layer, coordconv_linear_new(NULL, &good, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_refused(coordconv_layer, coordconv_linear_new(context, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_linear_new(context, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
}

static void batch_norm(void **state)
{
    const coordconv_batch_norm_desc good = { .struct_size = sizeof good, .channels = 2 };
    const struct bad_field fields[] = { RANGE(coordconv_batch_norm_desc, channels, 0, -1) };
    static const struct {
        double epsilon, momentum;
        const char *text;
    } numbers[] = {
        { -1e-5, 0, "-1e-05" }, { (double)NAN, 0, "nan" }, { (double)INFINITY, 0, "inf" },
        { 0, -0.5, "-0.5" },    { 0, 1.5, "1.5" },         { 0, (double)NAN, "nan" }
    };
    (void)state;

    bad_fields(make_batch_norm, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_batch_norm, &good, sizeof good, unmake_layer);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        coordconv_batch_norm_desc d = good;
        d.epsilon = numbers[i].epsilon;
        d.momentum = numbers[i].momentum;
        check_refused(coordconv_layer, coordconv_batch_norm_new(context, &d, &out),
                      COORDCONV_ERR_INVALID, numbers[i].text);
    }
    check_refused(coordconv_layer, coordconv_batch_norm_new(NULL, &good, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_layer, coordconv_batch_norm_new(context, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_batch_norm_new(context, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
}

static void group_norm(void **state)
{
    const coordconv_group_norm_desc good = { .struct_size = sizeof good,
                                             .channels = 6,
                                             .groups = 3 };
    const struct bad_field fields[] = { RANGE(coordconv_group_norm_desc, channels, 0, -1),
                                        RANGE(coordconv_group_norm_desc, groups, -1, 7),
                                        RANGE(coordconv_group_norm_desc, groups, 4, 5),
                                        BAD(coordconv_group_norm_desc, reserved, 1, INVALID, "1") };
    const double epsilons[] = { -1e-5, (double)NAN, (double)INFINITY };
    (void)state;

    bad_fields(make_group_norm, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_group_norm, &good, sizeof good, unmake_layer);
    for (size_t i = 0; i < COUNT(epsilons); i++) {
        coordconv_group_norm_desc d = good;
        d.epsilon = epsilons[i];
        check_refused(coordconv_layer, coordconv_group_norm_new(context, &d, &out),
                      COORDCONV_ERR_INVALID, "epsilon");
    }
    check_refused(coordconv_layer, coordconv_group_norm_new(NULL, &good, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_group_norm_new(context, &good, NULL), COORDCONV_ERR_INVALID, "NULL");
}

/* ---- names and parameters ---- */

static coordconv_layer *good_layer(void)
{
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, &good_conv, &layer));
    return layer;
}

static void names(void **state)
{
    coordconv_layer *layer = good_layer();
    char longest[257];
    (void)state;

    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    assert_string_equal(coordconv_layer_name(layer), "");
    check_ok(coordconv_layer_set_name(layer, longest + 1));
    check_fails(coordconv_layer_set_name(layer, longest), COORDCONV_ERR_INVALID, "256");
    check_fails(coordconv_layer_set_name(layer, ""), COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_layer_set_name(layer, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_set_name(NULL, "a"), COORDCONV_ERR_INVALID, "NULL");
    assert_string_equal(coordconv_layer_name(layer), longest + 1);
    assert_string_equal(coordconv_layer_name(NULL), "");
    coordconv_layer_unref(layer);
}

static void parameters(void **state)
{
    coordconv_layer *layer = good_layer();
    (void)state;

    check_refused(coordconv_tensor, coordconv_layer_parameter(NULL, "weight", &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_layer_parameter(layer, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_parameter(layer, "weight", NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_layer_parameter(layer, "running_mean", &out),
                  COORDCONV_ERR_NOT_FOUND, "running_mean");
    check_refused(coordconv_tensor, coordconv_layer_parameter(layer, "weigh", &out),
                  COORDCONV_ERR_NOT_FOUND, "weigh");
    assert_int_equal(coordconv_layer_parameter_count(NULL), 0);
    assert_int_equal(coordconv_layer_coords(NULL), 0);
    assert_null(coordconv_layer_ref(NULL));
    coordconv_layer_unref(NULL);
    coordconv_layer_unref(layer);
}

/* Both kinds of layers, with a grid. */
static void check_grid(const coordconv_grid_desc *grid, uint32_t coords, coordconv_status status,
                       const char *text)
{
    const coordconv_conv_transpose2d_desc up = { .struct_size = sizeof up,
                                                 .coords = coords,
                                                 .in_channels = 4,
                                                 .out_channels = 6,
                                                 .kernel = { 3, 3 },
                                                 .grid = grid };
    coordconv_conv2d_desc d = good_conv;

    d.coords = coords;
    d.grid = grid;
    check_refused(coordconv_layer, coordconv_conv2d_new(context, &d, &out), status, text);
    check_refused(coordconv_layer, coordconv_conv_transpose2d_new(context, &up, &out), status,
                  text);
}

static void grids(void **state)
{
    const coordconv_grid_desc good = { .struct_size = sizeof good, .low = -1, .high = 2 };
    coordconv_grid_desc g = good;
    coordconv_layer *plain = good_layer();
    (void)state;

    g.struct_size = 4;
    check_grid(&g, COORDCONV_COORDS_XY, COORDCONV_ERR_ABI, "4");
    g = good;
    g.sampling = 5;
    check_grid(&g, COORDCONV_COORDS_XY, COORDCONV_ERR_INVALID, "5");
    g = good;
    g.radius = -1;
    check_grid(&g, COORDCONV_COORDS_XY, COORDCONV_ERR_INVALID, "-1");
    g = good;
    g.low = 2;
    check_grid(&g, COORDCONV_COORDS_XY, COORDCONV_ERR_INVALID, "2");
    g = good;
    g.sampling = COORDCONV_SAMPLING_CENTER;
    check_grid(&g, COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, COORDCONV_ERR_INVALID, "2");
    g = good;
    g.radius = COORDCONV_RADIUS_CENTERED;
    check_grid(&g, COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, COORDCONV_ERR_INVALID, "3");
    g = good;
    check_fails(coordconv_layer_grid(NULL, &g), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_grid(plain, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_grid(plain, &g), COORDCONV_ERR_STATE, "conv2d");
    assert_memory_equal(&g, &good, sizeof g);
    coordconv_layer_unref(plain);
}

static void grid_sizes(void **state)
{
    coordconv_conv2d_desc d = good_conv;
    coordconv_layer *layer = NULL;
    coordconv_grid_desc g = { .struct_size = 8 };
    (void)state;

    d.coords = COORDCONV_COORDS_XY;
    check_ok(coordconv_conv2d_new(context, &d, &layer));
    check_fails(coordconv_layer_grid(layer, &g), COORDCONV_ERR_ABI, "8");
    coordconv_layer_unref(layer);
}

static void with_coords(void **state)
{
    const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                .in_features = 3,
                                                .out_features = 2 };
    coordconv_conv2d_desc d = good_conv;
    coordconv_layer *conv = good_layer(), *grouped = NULL, *other = NULL;
    (void)state;

    d.groups = 2;
    check_ok(coordconv_conv2d_new(context, &d, &grouped));
    check_ok(coordconv_linear_new(context, &linear_desc, &other));
    check_refused(coordconv_layer, coordconv_layer_with_coords(NULL, 1, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_with_coords(conv, 1, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_layer, coordconv_layer_with_coords(conv, 32, &out),
                  COORDCONV_ERR_INVALID, "20");
    check_refused(coordconv_layer, coordconv_layer_with_coords(other, 1, &out),
                  COORDCONV_ERR_INVALID, "linear");
    check_refused(coordconv_layer, coordconv_layer_with_coords(grouped, 1, &out),
                  COORDCONV_ERR_UNSUPPORTED, "2");
    coordconv_layer_unref(conv);
    coordconv_layer_unref(grouped);
    coordconv_layer_unref(other);
}

/* ---- shapes ---- */

static void shapes(void **state)
{
    static const struct {
        int32_t ndim;
        int64_t shape[4];
        coordconv_status status;
        const char *text;
    } cases[] = {
        { 3, { 2, 5, 4 }, COORDCONV_ERR_SHAPE, "[2, 5, 4]" },
        { 4, { 2, 5, 5, 3 }, COORDCONV_ERR_SHAPE, "3" },
        { 4, { 2, 2, 5, 4 }, COORDCONV_ERR_SHAPE, "2x5" },
        { 4, { 2, 0, 5, 4 }, COORDCONV_ERR_SHAPE, "0" },
        { 4, { 0, 5, 5, 4 }, COORDCONV_ERR_SHAPE, "0" },
        { 4, { 2, -5, 5, 4 }, COORDCONV_ERR_SHAPE, "-5" },
        { 4, { 2, INT64_C(1) << 40, 5, 4 }, COORDCONV_ERR_SHAPE, "1099511627776" },
        { 4, { INT32_MAX, INT32_MAX, INT32_MAX, 4 }, COORDCONV_ERR_SHAPE, "" },
        { -1, { 0 }, COORDCONV_ERR_INVALID, "-1" },
        { 9, { 0 }, COORDCONV_ERR_INVALID, "9" },
    };
    coordconv_layer *layer = good_layer();
    const int64_t good[4] = { 2, 5, 5, 4 };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t shape[9] = { 0 }, out[9] = { 77, 77, 77, 77, 77, 77, 77, 77, 77 };
        size_t bytes = 77;
        memcpy(shape, cases[i].shape, sizeof cases[i].shape);
        check_fails(coordconv_layer_output_shape(layer, cases[i].ndim, shape, out), cases[i].status,
                    cases[i].text);
        check_fails(coordconv_layer_workspace(layer, 0, cases[i].ndim, shape, &bytes),
                    cases[i].status, cases[i].text);
        assert_true(out[0] == 77 && out[8] == 77 && bytes == 77);
    }
    int64_t out[4] = { 77 };
    size_t bytes = 77;
    check_fails(coordconv_layer_output_shape(NULL, 4, good, out), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_output_shape(layer, 4, NULL, out), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_output_shape(layer, 4, good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_workspace(NULL, 0, 4, good, &bytes), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_workspace(layer, 0, 4, NULL, &bytes), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_layer_workspace(layer, 0, 4, good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_workspace(layer, 2, 4, good, &bytes), COORDCONV_ERR_INVALID, "2");
    check_fails(coordconv_layer_workspace(layer, -1, 4, good, &bytes), COORDCONV_ERR_INVALID, "-1");
    assert_true(out[0] == 77 && bytes == 77);
    coordconv_layer_unref(layer);
}

/* The output of a transposed convolution may be empty or overflow where its input is neither. */
static void transposed_shapes(void **state)
{
    coordconv_conv_transpose2d_desc d = { .struct_size = sizeof d,
                                          .in_channels = 1,
                                          .out_channels = 1,
                                          .kernel = { 3, 3 },
                                          .pads = { 9, 9, 9, 9 } };
    const int64_t small[4] = { 1, 4, 4, 1 }, tall[4] = { 1, INT32_MAX, 1, 1 };
    int64_t out[4] = { 77 };
    coordconv_layer *layer = NULL;
    (void)state;

    check_ok(coordconv_conv_transpose2d_new(context, &d, &layer));
    check_fails(coordconv_layer_output_shape(layer, 4, small, out), COORDCONV_ERR_SHAPE, "");
    coordconv_layer_unref(layer);
    memset(d.pads, 0, sizeof d.pads);
    d.stride[0] = 1024;
    check_ok(coordconv_conv_transpose2d_new(context, &d, &layer));
    check_fails(coordconv_layer_output_shape(layer, 4, tall, out), COORDCONV_ERR_SHAPE, "");
    assert_true(out[0] == 77);
    coordconv_layer_unref(layer);
}

/* ---- running ---- */

/* A layer with tensors that fit it, and some that do not. */
struct bench {
    coordconv_layer *layer;
    coordconv_tensor *x, *y, *dweight, *dbias;       /* right */
    coordconv_tensor *wrong_dtype, *wrong_shape;     /* as x */
    coordconv_tensor *strided;                       /* of the shape of x, not row-major */
    coordconv_tensor *y_dtype, *y_shape, *y_strided; /* as y */
};

static coordconv_tensor *typed(int32_t dtype, int64_t n, int64_t h, int64_t w, int64_t c)
{
    const int64_t shape[4] = { n, h, w, c };
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, dtype, 4, shape, &tensor));
    return tensor;
}

/* [n, h, w, c] seen through its transpose: right in shape, wrong in strides. */
static coordconv_tensor *strided(int64_t n, int64_t h, int64_t w, int64_t c)
{
    static const int32_t axes[4] = { 0, 2, 1, 3 };
    coordconv_tensor *tensor = typed(COORDCONV_F32, n, w, h, c), *view = NULL;

    check_ok(coordconv_tensor_permute(tensor, axes, &view));
    coordconv_tensor_unref(tensor);
    return view;
}

static struct bench make_bench(void)
{
    struct bench b = { .layer = good_layer() };

    b.x = typed(COORDCONV_F32, 2, 5, 5, 4);
    b.wrong_dtype = typed(COORDCONV_F64, 2, 5, 5, 4);
    b.wrong_shape = typed(COORDCONV_F32, 2, 5, 5, 5);
    b.strided = strided(2, 5, 5, 4);
    b.y = typed(COORDCONV_F32, 2, 3, 3, 6);
    b.y_dtype = typed(COORDCONV_I32, 2, 3, 3, 6);
    b.y_shape = typed(COORDCONV_F32, 2, 3, 4, 6);
    b.y_strided = strided(2, 3, 3, 6);
    b.dweight = typed(COORDCONV_F32, 6, 4, 3, 3);
    const int64_t six = 6;
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 1, &six, &b.dbias));
    return b;
}

static void drop_bench(struct bench *b)
{
    coordconv_tensor *all[] = { b->x,       b->y,       b->dweight, b->dbias,     b->wrong_dtype,
                                b->strided, b->y_dtype, b->y_shape, b->y_strided, b->wrong_shape };

    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_layer_unref(b->layer);
}

static void forward(void **state)
{
    struct bench b = make_bench();
    const coordconv_layer *l = b.layer;
    (void)state;

    check_ok(coordconv_tensor_fill(b.y, 7));
    check_fails(coordconv_layer_forward(NULL, 0, b.x, b.y, NULL, 0), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_forward(l, 0, NULL, b.y, NULL, 0), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_forward(l, 0, b.x, NULL, NULL, 0), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_forward(l, 2, b.x, b.y, NULL, 0), COORDCONV_ERR_INVALID, "2");
    check_fails(coordconv_layer_forward(l, 0, b.wrong_dtype, b.y, NULL, 0), COORDCONV_ERR_DTYPE,
                "");
    check_fails(coordconv_layer_forward(l, 0, b.wrong_shape, b.y, NULL, 0), COORDCONV_ERR_SHAPE,
                "5");
    check_fails(coordconv_layer_forward(l, 0, b.strided, b.y, NULL, 0), COORDCONV_ERR_INVALID,
                "row-major");
    check_fails(coordconv_layer_forward(l, 0, b.x, b.y_dtype, NULL, 0), COORDCONV_ERR_DTYPE, "");
    check_fails(coordconv_layer_forward(l, 0, b.x, b.y_shape, NULL, 0), COORDCONV_ERR_SHAPE,
                "[2, 3, 4, 6]");
    check_fails(coordconv_layer_forward(l, 0, b.x, b.y_strided, NULL, 0), COORDCONV_ERR_INVALID,
                "row-major");
    for (int i = 0; i < 2 * 3 * 3 * 6; i++)
        assert_true(test_values(b.y)[i] == 7);
    drop_bench(&b);
}

/* What a pass needs is known at once, however many rows there are to think of. */
static void workspace_of_a_tall_image(void **state)
{
    const coordconv_conv2d_desc d = { .struct_size = sizeof d,
                                      .in_channels = 32,
                                      .out_channels = 32,
                                      .kernel = { 3, 3 },
                                      .pads = { 1, 1, 1, 1 } };
    const int64_t shape[4] = { 1, INT32_MAX, 1, 32 };
    const clock_t begin = clock();
    coordconv_layer *layer = NULL;
    size_t bytes = 0;
    (void)state;

    check_ok(coordconv_conv2d_new(context, &d, &layer));
    check_ok(coordconv_layer_workspace(layer, COORDCONV_TRAINING, 4, shape, &bytes));
    assert_true(bytes > 0);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1);
    coordconv_layer_unref(layer);
}

static void workspaces(void **state)
{
    struct bench b = make_bench();
    const int64_t shape[4] = { 2, 5, 5, 4 };
    size_t forward_bytes = 0, training_bytes = 0;
    (void)state;

    check_ok(coordconv_layer_workspace(b.layer, COORDCONV_INFERENCE, 4, shape, &forward_bytes));
    check_ok(coordconv_layer_workspace(b.layer, COORDCONV_TRAINING, 4, shape, &training_bytes));
    assert_true(forward_bytes <= training_bytes && training_bytes < 1 << 20);
    char *memory = aligned_alloc(64, 1 << 20);
    assert_non_null(memory);
    check_fails(coordconv_layer_forward(b.layer, 0, b.x, b.y, memory, forward_bytes - 1),
                COORDCONV_ERR_INVALID, "bytes");
    check_fails(coordconv_layer_forward(b.layer, 0, b.x, b.y, memory + 4, forward_bytes),
                COORDCONV_ERR_INVALID, "aligned");
    check_fails(coordconv_layer_forward(b.layer, 0, b.x, b.y, NULL, 64), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_layer_backward(b.layer, b.x, b.y, NULL, NULL, memory, 0),
                COORDCONV_ERR_INVALID, "bytes");
    check_ok(coordconv_layer_forward(b.layer, 0, b.x, b.y, memory, forward_bytes));
    check_ok(coordconv_layer_backward(b.layer, b.x, b.y, NULL, NULL, memory, training_bytes));
    free(memory);
    drop_bench(&b);
}

static void backward(void **state)
{
    struct bench b = make_bench();
    const coordconv_layer *l = b.layer;
    coordconv_tensor *good[2] = { b.dweight, b.dbias };
    coordconv_tensor *shapes[2] = { b.dbias, b.dbias }, *dtypes[2] = { b.wrong_dtype, NULL };
    (void)state;

    check_ok(coordconv_tensor_fill(b.dweight, 7));
    check_fails(coordconv_layer_backward(NULL, b.x, b.y, NULL, good, NULL, 0),
                COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_layer_backward(l, NULL, b.y, NULL, good, NULL, 0), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_layer_backward(l, b.x, NULL, NULL, good, NULL, 0), COORDCONV_ERR_INVALID,
                "NULL");
    check_fails(coordconv_layer_backward(l, b.wrong_dtype, b.y, NULL, good, NULL, 0),
                COORDCONV_ERR_DTYPE, "");
    check_fails(coordconv_layer_backward(l, b.wrong_shape, b.y, NULL, good, NULL, 0),
                COORDCONV_ERR_SHAPE, "5");
    check_fails(coordconv_layer_backward(l, b.strided, b.y, NULL, good, NULL, 0),
                COORDCONV_ERR_INVALID, "row-major");
    check_fails(coordconv_layer_backward(l, b.x, b.y_dtype, NULL, good, NULL, 0),
                COORDCONV_ERR_DTYPE, "");
    check_fails(coordconv_layer_backward(l, b.x, b.y_shape, NULL, good, NULL, 0),
                COORDCONV_ERR_SHAPE, "[2, 3, 4, 6]");
    check_fails(coordconv_layer_backward(l, b.x, b.y, b.wrong_dtype, good, NULL, 0),
                COORDCONV_ERR_DTYPE, "");
    check_fails(coordconv_layer_backward(l, b.x, b.y, b.wrong_shape, good, NULL, 0),
                COORDCONV_ERR_SHAPE, "[2, 5, 5, 5]");
    check_fails(coordconv_layer_backward(l, b.x, b.y, b.strided, good, NULL, 0),
                COORDCONV_ERR_INVALID, "row-major");
    check_fails(coordconv_layer_backward(l, b.x, b.y, NULL, shapes, NULL, 0), COORDCONV_ERR_SHAPE,
                "[6]");
    check_fails(coordconv_layer_backward(l, b.x, b.y, NULL, dtypes, NULL, 0), COORDCONV_ERR_DTYPE,
                "");
    for (int i = 0; i < 6 * 4 * 3 * 3; i++)
        assert_true(test_values(b.dweight)[i] == 7);
    drop_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv2d),
        cmocka_unit_test(channels_at_the_edge),
        cmocka_unit_test(conv_transpose2d),
        cmocka_unit_test(conv1d),
        cmocka_unit_test(conv3d),
        cmocka_unit_test(linear),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(group_norm),
        cmocka_unit_test(names),
        cmocka_unit_test(parameters),
        cmocka_unit_test(with_coords),
        cmocka_unit_test(grids),
        cmocka_unit_test(grid_sizes),
        cmocka_unit_test(shapes),
        cmocka_unit_test(transposed_shapes),
        cmocka_unit_test(forward),
        cmocka_unit_test(workspaces),
        cmocka_unit_test(backward),
        cmocka_unit_test(workspace_of_a_tall_image),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
