/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_frames_graph.c - frames on their way through a graph, for a batch of images
 * that each lie in a way of their own: same bits one by one and for any number of
 * threads; what they go through and what they do not.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static struct test_heap heap;
static coordconv_context *context;

static coordconv_frame_desc frame_of(double y, double x, int64_t height, int64_t width)
{
    return (coordconv_frame_desc){ .struct_size = sizeof(coordconv_frame_desc),
                                   .y = y,
                                   .x = x,
                                   .height = height,
                                   .width = width };
}

static coordconv_value conv(coordconv_model *m, coordconv_context *c,
                            const coordconv_conv2d_desc *desc, coordconv_value x, uint64_t seed)
{
    coordconv_conv2d_desc d = *desc;
    coordconv_layer *layer = NULL;

    d.struct_size = sizeof d;
    check_ok(coordconv_conv2d_new(c, &d, &layer));
    test_fill_layer(layer, seed);
    x = coordconv_model_apply(m, layer, x);
    coordconv_layer_unref(layer);
    return x;
}

/* ---- the same bits ---- */

enum {
    BATCH = 5,
    H = 34,
    W = 41
};

/* 3x3 and 5x5 layers, and with `chain` 1x1 ones that a plan runs tile by tile. */
static coordconv_model *bits_model(coordconv_context *c, int chain)
{
    const coordconv_grid_desc grid = { .struct_size = sizeof grid,
                                       .sampling = COORDCONV_SAMPLING_CENTER };
    const uint32_t xyr = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS;
    const int32_t k = chain ? 1 : 3;
    const coordconv_conv2d_desc descs[] = {
        { .coords = COORDCONV_COORDS_XY, .in_channels = 4, .out_channels = 24, .kernel = { k, k } },
        { .coords = xyr,
          .in_channels = 24,
          .out_channels = 17,
          .kernel = { k, k },
          .padding = COORDCONV_SAME,
          .grid = &grid },
        { .coords = COORDCONV_COORDS_Y, .in_channels = 17, .out_channels = 3, .kernel = { 1, 1 } }
    };
    const int64_t shape[4] = { -1, H, W, 4 };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(c, &m));
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 4, shape);
    for (int i = 0; i < 3; i++)
        h = coordconv_model_tanh(m, conv(m, c, &descs[i], h, 40 + (uint64_t)i));
    coordconv_model_output(m, "y", h);
    const int64_t target[4] = { -1, chain ? H : H - 2, chain ? W : W - 2, 3 };
    coordconv_model_output(
        m, "loss",
        coordconv_model_mse(m, h, coordconv_model_input(m, "target", TEST_REAL, 4, target)));
    return m;
}

static coordconv_plan *bits_plan(coordconv_model *m, int32_t mode, int64_t batch)
{
    static const char *const y[] = { "y" };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = mode,
                                       .batch = batch,
                                       .input_gradients = mode,
                                       .outputs = y,
                                       .output_count = 1 };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(m, &desc, &plan));
    return plan;
}

static void bits_frames(coordconv_frame_desc frames[BATCH])
{
    frames[0] = frame_of(3, 5, 100, 90);
    frames[1] = frame_of(17, -4, 61, 222);
    frames[2] = frames[1];
    frames[3] = frame_of(0, W - 1, 0, 0);
    frames[3].step_x = -1;
    frames[4] = frame_of(-0.25, 0.5, 70, 80);
    frames[4].step_y = frames[4].step_x = 2.5;
}

static coordconv_tensor *image_of(coordconv_tensor *batch, int64_t n)
{
    coordconv_tensor *one = NULL;

    check_ok(coordconv_tensor_slice(batch, 0, n, 1, &one));
    return one;
}

static coordconv_tensor *run_once(coordconv_plan *plan, coordconv_tensor *x)
{
    coordconv_tensor *y = NULL, *copy;

    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &y));
    copy = test_like(context, y);
    check_ok(coordconv_tensor_copy(copy, y));
    coordconv_tensor_unref(y);
    return copy;
}

static void one_by_one(int chain)
{
    const int64_t shape[4] = { BATCH, H, W, 4 };
    coordconv_model *m = bits_model(context, chain);
    coordconv_plan *all = bits_plan(m, COORDCONV_INFERENCE, BATCH);
    coordconv_plan *single = bits_plan(m, COORDCONV_INFERENCE, 1);
    coordconv_tensor *x = test_tensor(context, 4, shape, 9);
    coordconv_frame_desc frames[BATCH];

    bits_frames(frames);
    coordconv_tensor *plain = run_once(all, x);
    check_ok(coordconv_plan_set_frames(all, "x", BATCH, frames));
    coordconv_tensor *y = run_once(all, x), *again = run_once(all, x);
    test_check_same(again, y, "the same run again");
    coordconv_tensor_unref(again);
    for (int n = 0; n < BATCH; n++) {
        coordconv_tensor *image = image_of(x, n), *want = image_of(y, n), *got;

        check_ok(coordconv_plan_set_frames(single, "x", 1, &frames[n]));
        got = run_once(single, image);
        test_check_same(got, want, "one image of the batch");
        coordconv_tensor_unref(got);
        coordconv_tensor_unref(want);
        coordconv_tensor_unref(image);
    }
    check_ok(coordconv_plan_set_frames(all, "x", 0, NULL));
    again = run_once(all, x);
    test_check_same(again, plain, "without frames again");
    coordconv_tensor_unref(again);
    coordconv_tensor_unref(plain);
    coordconv_tensor_unref(y);
    coordconv_tensor_unref(x);
    coordconv_plan_unref(all);
    coordconv_plan_unref(single);
    coordconv_model_unref(m);
}

static void batches_are_their_images(void **state)
{
    (void)state;

    one_by_one(0);
    one_by_one(1);
}

/* All gradients, and that of the input. */
static coordconv_tensor *train(coordconv_context *c, int chain, coordconv_tensor **dx)
{
    const int64_t shape[4] = { BATCH, H, W, 4 };
    const int64_t target[4] = { BATCH, chain ? H : H - 2, chain ? W : W - 2, 3 };
    coordconv_model *m = bits_model(c, chain);
    coordconv_plan *plan = bits_plan(m, COORDCONV_TRAINING, BATCH);
    coordconv_tensor *x = test_tensor(c, 4, shape, 9), *t = test_tensor(c, 4, target, 10);
    coordconv_tensor *flat = NULL, *copy;
    coordconv_frame_desc frames[BATCH];

    bits_frames(frames);
    check_ok(coordconv_plan_set_frames(plan, "x", BATCH, frames));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "target", t));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_gradients(plan, &flat));
    copy = test_like(c, flat);
    check_ok(coordconv_tensor_copy(copy, flat));
    coordconv_tensor_unref(flat);
    check_ok(coordconv_plan_input_gradient(plan, "x", &flat));
    *dx = test_like(c, flat);
    check_ok(coordconv_tensor_copy(*dx, flat));
    coordconv_tensor_unref(flat);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(t);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    return copy;
}

static void threads_change_nothing(void **state)
{
    static struct test_pool pool = { .order = TEST_ORDER_THREADS, .threads = 3 };
    coordconv_context *three = test_context(3, NULL, &pool);
    (void)state;

    for (int chain = 0; chain < 2; chain++) {
        coordconv_tensor *dx, *dx_three;
        coordconv_tensor *a = train(context, chain, &dx), *b = train(three, chain, &dx_three);

        test_check_same(b, a, "gradients of parameters");
        test_check_same(dx_three, dx, "the gradient of the input");
        coordconv_tensor_unref(a);
        coordconv_tensor_unref(b);
        coordconv_tensor_unref(dx);
        coordconv_tensor_unref(dx_three);
    }
    coordconv_context_unref(three);
}

/* ---- through operations ---- */

/* Small integers, so that sums of products are exact. */
static void round_values(coordconv_tensor *t)
{
    for (int64_t i = 0; i < coordconv_tensor_count(t); i++)
        test_values(t)[i] = (test_real)(int)(3 * test_values(t)[i]);
    coordconv_tensor_modified(t);
}

static coordconv_value exact_conv(coordconv_model *m, uint32_t coords, int32_t in, int32_t out,
                                  int32_t kernel, int32_t stride, coordconv_value x)
{
    const coordconv_conv2d_desc d = { .struct_size = sizeof d,
                                      .coords = coords,
                                      .in_channels = in,
                                      .out_channels = out,
                                      .kernel = { kernel, kernel },
                                      .stride = { stride, stride } };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, &d, &layer));
    test_fill_layer(layer, (uint64_t)(in * 100 + out));
    round_values(test_parameter(layer, "weight"));
    round_values(test_parameter(layer, "bias"));
    x = coordconv_model_apply(m, layer, x);
    coordconv_layer_unref(layer);
    return x;
}

/* Everything a frame goes through, with windows of several strides: 4 x 4 pixels of the input to
 * 2 x 3 of the output. */
static coordconv_model *exact_model(int64_t height, int64_t width)
{
    const uint32_t xy = COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL;
    const int64_t shape[4] = { -1, height, width, 3 }, vector[2] = { -1, 2 };
    const coordconv_pool2d_desc two = { .struct_size = sizeof two, .kernel = { 2, 2 } };
    const coordconv_pool2d_desc one = { .struct_size = sizeof one,
                                        .kernel = { 2, 2 },
                                        .stride = { 1, 1 } };
    const coordconv_upsample2d_desc larger = { .struct_size = sizeof larger, .factor = { 2, 3 } };
    const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                .in_features = 4,
                                                .out_features = 4 };
    coordconv_layer *linear = NULL;
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value x = coordconv_model_input(m, "x", TEST_REAL, 4, shape);
    const coordconv_value v = coordconv_model_input(m, "v", TEST_REAL, 2, vector);
    coordconv_value h = coordconv_model_relu(m, exact_conv(m, xy, 3, 4, 3, 1, x));
    h = coordconv_model_max_pool2d(m, h, &two);
    check_ok(coordconv_linear_new(context, &linear_desc, &linear));
    test_fill_layer(linear, 77);
    round_values(test_parameter(linear, "weight"));
    round_values(test_parameter(linear, "bias"));
    const coordconv_value a = coordconv_model_scale(
        m, coordconv_model_apply(m, linear, coordconv_model_leaky_relu(m, h, 0.5)), 0.0625);
    coordconv_layer_unref(linear);
    h = coordconv_model_add(m, a, coordconv_model_scale(m, h, 0.125));
    const int64_t rows = (height - 2) / 2, columns = (width - 2) / 2;
    const coordconv_value parts[3] = { h, coordconv_model_tile(m, v, rows, columns), a };
    h = coordconv_model_concat(m, 3, parts, 3); /* 4 + 2 + 4 channels */
    h = exact_conv(m, xy, 10, 2, 1, 1, h);
    h = coordconv_model_avg_pool2d(m, coordconv_model_scale(m, h, 0.0625), &one);
    h = exact_conv(m, xy, 2, 3, 2, 2, h);
    h = coordconv_model_scale(m, coordconv_model_upsample2d(m, h, &larger), 0.0625);
    coordconv_model_output(m, "y", exact_conv(m, xy, 3, 5, 1, 1, h));
    return m;
}

static coordconv_plan *exact_plan(int64_t batch, int64_t height, int64_t width, coordconv_tensor *v)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = batch };
    coordconv_model *m = exact_model(height, width);
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(m, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "v", v));
    coordconv_model_unref(m);
    return plan;
}

/* A tile's rows y .. of an image as image n of a batch; to an output's rows, and back. */
static void check_crop(coordconv_tensor *whole, int64_t y, int64_t x, coordconv_tensor *tiles,
                       int64_t n, int write)
{
    const int64_t h = coordconv_tensor_dim(tiles, 1), row = coordconv_tensor_dim(whole, 2);
    const int64_t c = coordconv_tensor_dim(whole, 3), w = coordconv_tensor_dim(tiles, 2) * c;

    for (int64_t i = 0; i < h; i++) {
        test_real *from = test_values(whole) + ((y + i) * row + x) * c;
        test_real *to = test_values(tiles) + (n * h + i) * w;

        if (write)
            memcpy(to, from, (size_t)w * sizeof *to);
        else
            assert_memory_equal(to, from, (size_t)w * sizeof *to);
    }
}

/* In pixels all is exact: tiles have the bits of the whole image. */
static void frames_go_through_operations(void **state)
{
    enum {
        TILES = 4,
        TALL = 58,
        WIDE = 70,
        TILE = 26
    };
    static const int at[TILES][2] = { { 0, 0 }, { 32, 8 }, { 4, 44 }, { 12, 12 } };
    const int64_t whole_shape[4] = { 1, TALL, WIDE, 3 }, tile_shape[4] = { TILES, TILE, TILE, 3 };
    const int64_t one[2] = { 1, 2 }, many[2] = { TILES, 2 };
    coordconv_tensor *image = test_tensor(context, 4, whole_shape, 1);
    coordconv_tensor *tiles = test_tensor(context, 4, tile_shape, 2);
    coordconv_tensor *v1 = test_tensor(context, 2, one, 3), *v4 = test_tensor(context, 2, many, 3);
    coordconv_plan *whole = exact_plan(1, TALL, WIDE, v1);
    coordconv_plan *plan = exact_plan(TILES, TILE, TILE, v4);
    coordconv_frame_desc frames[TILES];
    (void)state;

    round_values(image);
    check_ok(coordconv_tensor_fill(v1, 2));
    check_ok(coordconv_tensor_fill(v4, 2));
    for (int n = 0; n < TILES; n++) {
        frames[n] = frame_of(at[n][0], at[n][1], TALL, WIDE);
        check_crop(image, at[n][0], at[n][1], tiles, n, 1);
    }
    check_ok(coordconv_plan_set_frames(plan, "x", TILES, frames));
    coordconv_tensor *want = run_once(whole, image), *got = run_once(plan, tiles);
    for (int n = 0; n < TILES; n++)
        check_crop(want, at[n][0] / 4 * 2, at[n][1] / 4 * 3, got, n, 0);
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(got);
    coordconv_tensor_unref(v1);
    coordconv_tensor_unref(v4);
    coordconv_tensor_unref(image);
    coordconv_tensor_unref(tiles);
    coordconv_plan_unref(whole);
    coordconv_plan_unref(plan);
}

/* A layer that makes of any image the rows and columns of its pixels. */
static coordconv_value places(coordconv_model *m, coordconv_value x)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL,
                                         .in_channels = 2,
                                         .out_channels = 2,
                                         .kernel = { 1, 1 },
                                         .init = COORDCONV_INIT_ZEROS };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, &desc, &layer));
    test_real *weight = test_values(test_parameter(layer, "weight")); /* [2][2 data, x, y] */
    weight[3] = weight[6] = 1;
    x = coordconv_model_apply(m, layer, x);
    coordconv_layer_unref(layer);
    return x;
}

/* Interpolating the places of pixels gives places: those that pixels behind the upsampling have, in
 * the larger image upsampled, said in pixels of the larger image. Without aligned corners that is
 * so from the middle of the first pixel to the middle of the last. A larger image of one row says
 * nothing of rows: those of the output are its own. */
static void check_upsampling(const int64_t *in, const int32_t *f, int align,
                             const coordconv_frame_desc *frame)
{
    const int64_t shape[4] = { 1, in[0], in[1], 2 }, extent[2] = { frame->height, frame->width };
    const coordconv_upsample2d_desc desc = { .struct_size = sizeof desc,
                                             .factor = { f[0], f[1] },
                                             .mode = COORDCONV_UPSAMPLE_BILINEAR,
                                             .align_corners = align };
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    coordconv_tensor *x = test_tensor(context, 4, shape, 9), *from = NULL, *to = NULL;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value input = coordconv_model_input(m, "x", TEST_REAL, 4, shape);
    const coordconv_value up = coordconv_model_upsample2d(m, places(m, input), &desc);
    coordconv_model_output(m, "from", up);
    coordconv_model_output(m, "to", places(m, up));
    check_ok(coordconv_plan_new(m, NULL, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_set_frames(plan, "x", 1, frame));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "from", &from));
    check_ok(coordconv_plan_output(plan, "to", &to));
    for (int64_t p = 0; p < in[0] * f[0] * in[1] * f[1]; p++)
        for (int axis = 0; axis < 2; axis++) {
            const int64_t out = in[axis] * f[axis], larger = extent[axis];
            const int64_t o = axis == 0 ? p / (in[1] * f[1]) : p % (in[1] * f[1]);
            const double place = (double)test_values(to)[2 * p + axis];
            const double want = align
                                    ? place * (double)(larger - 1) / (double)(larger * f[axis] - 1)
                                    : (place + 0.5) / f[axis] - 0.5;

            if (larger == 1)
                assert_true(place == (double)o);
            else if (align || (2 * o + 1 >= f[axis] && 2 * (out - o) - 1 >= f[axis]))
                assert_true(fabs((double)test_values(from)[2 * p + axis] - want) < 1e-4);
        }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(from);
    coordconv_tensor_unref(to);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

static void frames_go_through_upsampling(void **state)
{
    static const int64_t images[][2] = { { 5, 7 }, { 1, 7 }, { 5, 1 }, { 1, 1 } };
    (void)state;

    for (size_t k = 0; k < COUNT(images); k++)
        for (int i = 0; i < 8; i++) {
            const int32_t f[2] = { 1 + i % 3, 4 - i % 3 };
            coordconv_frame_desc frame = frame_of(4 - i, 11, 23, 31);

            frame.step_y = i % 4 < 2 ? 0.75 : 1;
            frame.step_x = i % 4 < 2 ? -1 : 2.5;
            check_upsampling(images[k], f, i % 2, &frame);
        }
    coordconv_frame_desc line = frame_of(0, 11, 1, 31);
    line.step_y = 3;
    check_upsampling(images[1], (const int32_t[]){ 3, 2 }, 1, &line);
}

/* Behind a norm pixels are where they were. */
static void frames_go_through_group_norms(void **state)
{
    enum {
        H1 = 5,
        W1 = 7
    };
    const coordconv_group_norm_desc desc = { .struct_size = sizeof desc,
                                             .channels = 2,
                                             .groups = 2 };
    const coordconv_frame_desc frame = frame_of(4, 11, 23, 31);
    const int64_t shape[4] = { 1, H1, W1, 2 };
    coordconv_tensor *x = test_tensor(context, 4, shape, 9);
    coordconv_layer *norm = NULL;
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    (void)state;

    check_ok(coordconv_group_norm_new(context, &desc, &norm));
    check_ok(coordconv_model_new(context, &m));
    const coordconv_value input = coordconv_model_input(m, "x", TEST_REAL, 4, shape);
    coordconv_model_output(m, "y", places(m, coordconv_model_apply(m, norm, input)));
    check_ok(coordconv_plan_new(m, NULL, &plan));
    check_ok(coordconv_plan_set_frames(plan, "x", 1, &frame));
    coordconv_tensor *y = run_once(plan, x);
    for (int p = 0; p < H1 * W1; p++) {
        assert_true(test_values(y)[2 * p] == (test_real)(4 + p / W1));
        assert_true(test_values(y)[2 * p + 1] == (test_real)(11 + p % W1));
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(norm);
}

/* A part of a signal, in pixels, has the bits of the whole signal. */
static coordconv_tensor *run_signal(int64_t length, const coordconv_frame_desc *frame,
                                    coordconv_tensor *x)
{
    const coordconv_conv1d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_X | COORDCONV_COORDS_RADIUS |
                                                   COORDCONV_COORDS_PIXEL,
                                         .in_channels = 2,
                                         .out_channels = 2,
                                         .kernel = 3 };
    const int64_t shape[3] = { 1, length, 2 };
    coordconv_layer *layer = NULL;
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;

    check_ok(coordconv_conv1d_new(context, &desc, &layer));
    test_fill_layer(layer, 12);
    round_values(test_parameter(layer, "weight"));
    round_values(test_parameter(layer, "bias"));
    check_ok(coordconv_model_new(context, &m));
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 3, shape);
    for (int i = 0; i < 2; i++) /* the layer twice: each use has a place of its own */
        h = coordconv_model_relu(m, coordconv_model_apply(m, layer, h));
    coordconv_model_output(m, "y", h);
    check_ok(coordconv_plan_new(m, NULL, &plan));
    if (frame != NULL)
        check_ok(coordconv_plan_set_frames(plan, "x", 1, frame));
    coordconv_tensor *y = run_once(plan, x);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(layer);
    return y;
}

static void signals(void **state)
{
    enum {
        WHOLE = 40,
        PART = 15,
        FIRST = 11
    };
    const int64_t shape[3] = { 1, WHOLE, 2 };
    const coordconv_frame_desc frame = { .struct_size = sizeof frame, .x = FIRST, .width = WHOLE };
    coordconv_tensor *x = test_tensor(context, 3, shape, 4), *part = NULL, *want, *got;
    (void)state;

    round_values(x);
    check_ok(coordconv_tensor_slice(x, 1, FIRST, PART, &part));
    want = run_signal(WHOLE, NULL, x);
    got = run_signal(PART, &frame, part);
    assert_int_equal(coordconv_tensor_dim(got, 1), PART - 4);
    assert_memory_equal(test_values(got), test_values(want) + 2 * FIRST,
                        (PART - 4) * 2 * sizeof(test_real));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(part);
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(got);
}

/* ---- where frames end ---- */

enum ending {
    RESHAPE,
    GLOBAL,
    ROWS,
    OTHER_FRAME,
    SMALL,
    ONE_ROW,
    NO_COORDINATES,
    SAME_FRAME,
    ENDINGS
};

static coordconv_model *ending_model(enum ending ending)
{
    const coordconv_conv2d_desc last = { .coords =
                                             ending == NO_COORDINATES ? 0 : COORDCONV_COORDS_XY,
                                         .in_channels = 2,
                                         .out_channels = 2,
                                         .kernel = { 1, 1 } };
    const coordconv_conv2d_desc wide = { .in_channels = 2, .out_channels = 2, .kernel = { 5, 5 } };
    const coordconv_upsample2d_desc aligned = { .struct_size = sizeof aligned,
                                                .factor = { 2, 2 },
                                                .mode = COORDCONV_UPSAMPLE_BILINEAR,
                                                .align_corners = 1 };
    const int64_t shape[4] = { -1, 8, 6, 2 }, other[4] = { -1, 6, 8, 2 }, pixel[4] = { 0, 1, 1, 2 };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    coordconv_value x = coordconv_model_input(m, "x", TEST_REAL, 4, shape);
    const coordconv_value z = coordconv_model_input(m, "z", TEST_REAL, 4, shape);
    const coordconv_value both[2] = { x, z };
    if (ending == RESHAPE || ending == NO_COORDINATES)
        x = coordconv_model_reshape(m, x, 4, other);
    else if (ending == GLOBAL)
        x = coordconv_model_reshape(m, coordconv_model_global_avg_pool(m, x), 4, pixel);
    else if (ending == ROWS)
        x = coordconv_model_concat(m, 2, both, 1);
    else if (ending == SMALL)
        x = conv(m, context, &wide, x, 2);
    else if (ending == ONE_ROW)
        x = coordconv_model_upsample2d(m, x, &aligned);
    else
        x = coordconv_model_add(m, x, z);
    coordconv_model_output(m, "y", conv(m, context, &last, x, 1));
    coordconv_model_output(m, "z", coordconv_model_scale(m, z, 2)); /* so that z is used */
    return m;
}

static void check_ending(enum ending ending)
{
    const int64_t shape[4] = { 2, 8, 6, 2 };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = 2 };
    static const int64_t heights[ENDINGS] = { [SMALL] = 4, [ONE_ROW] = 1 };
    const int no_fit = heights[ending] != 0;
    const coordconv_frame_desc f =
        no_fit ? frame_of(0, 0, heights[ending], 60) : frame_of(1, 2, 50, 60);
    coordconv_model *m = ending_model(ending);
    coordconv_tensor *x = test_tensor(context, 4, shape, 5);
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(m, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "z", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_set_frames(plan, "x", 1, &f));
    if (ending == SAME_FRAME)
        check_ok(coordconv_plan_set_frames(plan, "z", 1, &f));
    for (int again = 0; again < 2; again++) {
        if (ending == NO_COORDINATES || ending == SAME_FRAME)
            check_ok(coordconv_plan_run(plan));
        else
            check_fails(coordconv_plan_run(plan), COORDCONV_ERR_UNSUPPORTED,
                        no_fit ? "conv2d: no frame for its coordinates, past a layer that"
                               : "conv2d: no frame for its coordinates, past a reshape");
    }
    check_ok(coordconv_plan_set_frames(plan, "x", 0, NULL));
    check_ok(coordconv_plan_set_frames(plan, "z", 0, NULL));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor_unref(x);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

static void frames_end(void **state)
{
    (void)state;

    for (enum ending ending = RESHAPE; ending < ENDINGS; ending++)
        check_ending(ending);
}

/* ---- misuse ---- */

static void misuse(void **state)
{
    const int64_t shape[4] = { -1, 8, 6, 2 }, vector[2] = { -1, 3 }, line[3] = { -1, 7, 2 };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = 3 };
    coordconv_frame_desc f[3] = { frame_of(1, 2, 50, 60), frame_of(1, 2, 50, 60),
                                  frame_of(1, 2, 50, 60) };
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    (void)state;

    check_ok(coordconv_model_new(context, &m));
    coordconv_model_output(m, "y", coordconv_model_input(m, "x", TEST_REAL, 4, shape));
    coordconv_model_output(m, "w", coordconv_model_input(m, "v", TEST_REAL, 2, vector));
    coordconv_model_output(m, "t", coordconv_model_input(m, "s", TEST_REAL, 3, line));
    check_ok(coordconv_plan_new(m, &desc, &plan));
    check_fails(coordconv_plan_set_frames(NULL, "x", 3, f), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_set_frames(plan, NULL, 3, f), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_plan_set_frames(plan, "y", 3, f), COORDCONV_ERR_NOT_FOUND, "\"y\"");
    check_fails(coordconv_plan_set_frames(plan, "v", 3, f), COORDCONV_ERR_SHAPE, "[3, 3]");
    check_fails(coordconv_plan_set_frames(plan, "x", 2, f), COORDCONV_ERR_INVALID, "2");
    check_fails(coordconv_plan_set_frames(plan, "x", -1, f), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_plan_set_frames(plan, "x", 0, f), COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_plan_set_frames(plan, "x", 3, NULL), COORDCONV_ERR_INVALID, "NULL");
    f[0].struct_size = 8;
    check_fails(coordconv_plan_set_frames(plan, "x", 3, f), COORDCONV_ERR_ABI, "8");
    f[0].struct_size = sizeof f[0];
    f[1].struct_size = 8;
    check_fails(coordconv_plan_set_frames(plan, "x", 3, f), COORDCONV_ERR_ABI, "8");
    f[1].struct_size = sizeof f[1];
    f[2].height = -4;
    check_fails(coordconv_plan_set_frames(plan, "x", 3, f), COORDCONV_ERR_INVALID, "-4");
    f[2].height = 0;
    f[2].step_x = 1e300;
    check_fails(coordconv_plan_set_frames(plan, "x", 3, f), COORDCONV_ERR_INVALID, "1e+300");
    f[2].step_x = 0;
    check_fails(coordconv_plan_set_frames(plan, "s", 3, f), COORDCONV_ERR_INVALID, "frame y");
    check_ok(coordconv_plan_set_frames(plan, "x", 3, f));
    f[2].step_z = 1;
    check_fails(coordconv_plan_set_frames(plan, "x", 3, f), COORDCONV_ERR_INVALID, "frame z");
    f[2].step_z = 0;
    check_ok(coordconv_plan_set_frames(plan, "x", 1, f));
    check_ok(coordconv_plan_set_frames(plan, "x", 0, NULL));
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

/* Between the passes frames are as fixed as inputs; and runs allocate nothing. */
static void order_of_calls(void **state)
{
    coordconv_model *m = bits_model(context, 0);
    coordconv_plan *plan = bits_plan(m, COORDCONV_TRAINING, BATCH);
    const int64_t shape[4] = { BATCH, H, W, 4 }, target[4] = { BATCH, H - 2, W - 2, 3 };
    coordconv_tensor *x = test_tensor(context, 4, shape, 9),
                     *t = test_tensor(context, 4, target, 1);
    coordconv_frame_desc frames[BATCH];
    (void)state;

    bits_frames(frames);
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "target", t));
    check_ok(coordconv_plan_forward(plan));
    check_ok(coordconv_plan_set_frames(plan, "x", BATCH, frames));
    check_fails(coordconv_plan_backward(plan), COORDCONV_ERR_STATE, "forward");
    const size_t calls = heap.calls;
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_set_frames(plan, "x", 1, frames));
    check_ok(coordconv_plan_run(plan));
    assert_int_equal(heap.calls, calls);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(t);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_their_images),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(frames_go_through_operations),
        cmocka_unit_test(frames_go_through_upsampling),
        cmocka_unit_test(frames_go_through_group_norms),
        cmocka_unit_test(signals),
        cmocka_unit_test(frames_end),
        cmocka_unit_test(misuse),
        cmocka_unit_test(order_of_calls),
    };
    int failed;

    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return failed;
}
