/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_frames.c - coordinates of layers by any convention, and of images that lie
 * in larger ones, against plain loops over coordinates joined to the input.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "naive.h"

static struct test_heap heap;
static coordconv_context *context;
static uint32_t random_state;

static int pick(int least, int most)
{
    random_state = random_state * 1664525u + 1013904223u;
    return least + (int)((random_state >> 16) % (uint32_t)(most - least + 1));
}

/* Products of an output and roundings of what its sum starts from: a bound on the units of
 * rounding of one layer (see the documentation's page on numerics). */
static double units_of(const struct naive_conv *c)
{
    const int channels = c->desc.in_channels + coordconv_coords_channels(c->desc.coords);

    return 8 + c->desc.kernel[0] * c->desc.kernel[1] * channels;
}

static coordconv_tensor *new_tensor(int n, int h, int w, int c, uint64_t seed)
{
    const int64_t shape[4] = { n, h, w, c };

    return test_tensor(context, 4, shape, seed);
}

/* ---- conventions ---- */

static const char *const conventions[] = { "coordconv",
                                           "paper",
                                           "glastonburyc",
                                           "mkocabas-np",
                                           "uber",
                                           "ashwindcruz",
                                           "mkocabas",
                                           "mkocabas-th",
                                           "walsvid",
                                           "keras-coordconv",
                                           "mvoelk",
                                           "wizaron",
                                           "adaptive-wing-loss",
                                           "solo",
                                           "solov2",
                                           "mmdetection",
                                           "optimize-coordconv",
                                           "pfrendl",
                                           "batdetect2",
                                           "dominikandreas",
                                           "paddle",
                                           "paddle-slip",
                                           "ppyolo",
                                           "monai",
                                           "dref360",
                                           "n-mca",
                                           "cell-center" };

static const uint32_t channels[] = {
    COORDCONV_COORDS_XY,     COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
    COORDCONV_COORDS_RADIUS, COORDCONV_COORDS_X,
    COORDCONV_COORDS_Y,      COORDCONV_COORDS_Y | COORDCONV_COORDS_RADIUS
};

/* A layer of random geometry for images of random extents, which differ. */
static struct naive_conv pick_conv(int *h, int *w)
{
    static const int kernels[] = { 1, 3, 5 };
    struct naive_conv c = { .desc = { .in_channels = pick(1, 5), .out_channels = pick(1, 20) } };
    const int large = pick(0, 9) == 0;

    *h = pick(0, 4) == 0 ? 1 : large ? pick(30, 60) : pick(2, 12);
    *w = pick(0, 4) == 0 ? 1 : large ? pick(30, 60) : pick(2, 12);
    *w += *h == *w;
    c.transposed = pick(0, 3) == 0;
    c.desc.coords = channels[pick(0, COUNT(channels) - 1)];
    c.desc.no_bias = pick(0, 3) == 0;
    c.desc.padding = pick(0, 3) == 0 ? COORDCONV_SAME : 0;
    for (int i = 0; i < 2; i++) {
        c.desc.kernel[i] = kernels[pick(0, 2)];
        c.desc.stride[i] = pick(1, 3);
        c.desc.dilation[i] = pick(0, 3) == 0 ? 2 : 1;
        if (c.transposed && c.desc.padding == 0)
            c.output_padding[i] = pick(0, c.desc.stride[i] - 1);
    }
    for (int i = 0; i < 4 && c.desc.padding == 0 && pick(0, 1); i++)
        c.desc.pads[i] = pick(0, 3);
    return c;
}

static int fits(coordconv_layer *layer, int h, int w, int c)
{
    const int64_t shape[4] = { 1, h, w, c };
    int64_t out[4];

    return coordconv_layer_output_shape(layer, 4, shape, out) == COORDCONV_OK;
}

static void check_layer(const char *name, const struct naive_conv *c, int h, int w)
{
    coordconv_layer *layer = naive_layer(context, c);
    const int64_t shape[4] = { 2, h, w, c->desc.in_channels };
    int64_t out[4];
    char what[160];

    if (!fits(layer, h, w, c->desc.in_channels)) {
        coordconv_layer_unref(layer);
        return;
    }
    check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
    test_fill_layer(layer, 3);
    coordconv_tensor *x = test_tensor(context, 4, shape, 4), *y = test_tensor(context, 4, out, 5);

    snprintf(what, sizeof what, "%s, %dx%d, kernel %dx%d, coords %x%s", name, h, w,
             (int)c->desc.kernel[0], (int)c->desc.kernel[1], (unsigned)c->desc.coords,
             c->transposed ? ", transposed" : "");
    check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, y, NULL, 0));
    for (int n = 0; n < 2; n++) {
        const struct naive_image in = naive_copy(x, n);
        const struct naive_image want = naive_run(c, layer, NULL, &in);

        naive_check(what, y, n, &want, 0, 0, units_of(c));
        naive_free();
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_layer_unref(layer);
}

static void conventions_in_layers(void **state)
{
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? 10 : 40;
    (void)state;

    random_state = 1;
    for (size_t i = 0; i < COUNT(conventions); i++) {
        coordconv_convention_desc d = { .struct_size = sizeof d };

        check_ok(coordconv_convention(conventions[i], &d));
        for (int k = 0; k < cases; k++) {
            int h, w;
            struct naive_conv c = pick_conv(&h, &w);

            c.grid = d.grid;
            check_layer(conventions[i], &c, h, w);
        }
    }
}

/* Samplings and radii no convention has together; pixels by grid and by flag. */
static void grids_in_layers(void **state)
{
    (void)state;

    random_state = 2;
    for (int k = 0; k < 200; k++) {
        int h, w;
        struct naive_conv c = pick_conv(&h, &w);

        c.grid = (coordconv_grid_desc){ .struct_size = sizeof c.grid,
                                        .sampling = pick(0, 4),
                                        .low = pick(-4, 0),
                                        .high = pick(1, 4),
                                        .radius = pick(0, 3),
                                        .single = pick(0, 1) };
        if (c.grid.sampling == COORDCONV_SAMPLING_PIXEL && c.grid.radius == 3)
            c.grid.radius = 0;
        check_layer("a grid", &c, h, w);
    }
}

static void grids_are_kept(void **state)
{
    const coordconv_grid_desc cell = { .struct_size = sizeof cell,
                                       .sampling = COORDCONV_SAMPLING_CENTER,
                                       .radius = COORDCONV_RADIUS_CENTERED };
    const struct naive_conv c = { .desc = { .coords = COORDCONV_COORDS_XY,
                                            .in_channels = 2,
                                            .out_channels = 3,
                                            .kernel = { 3, 3 } },
                                  .grid = cell };
    coordconv_layer *layer = naive_layer(context, &c), *more = NULL, *pixels = NULL;
    coordconv_grid_desc got = { .struct_size = sizeof got };
    (void)state;

    check_ok(coordconv_layer_grid(layer, &got));
    assert_int_equal(got.sampling, COORDCONV_SAMPLING_CENTER);
    assert_true(got.low == -1 && got.high == 1);
    check_ok(
        coordconv_layer_with_coords(layer, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, &more));
    got = (coordconv_grid_desc){ .struct_size = sizeof got };
    check_ok(coordconv_layer_grid(more, &got));
    assert_int_equal(got.sampling, COORDCONV_SAMPLING_CENTER);
    assert_int_equal(got.radius, COORDCONV_RADIUS_CENTERED);
    check_fails(
        coordconv_layer_with_coords(layer, COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, &pixels),
        COORDCONV_ERR_INVALID, "pixels");
    assert_null(pixels);
    coordconv_layer_unref(layer);
    coordconv_layer_unref(more);
}

/* A line of three samples has these radii; the first of them is published. */
static void radii_of_lines(void **state)
{
    static const struct {
        int32_t radius;
        double want[3];
    } cases[] = {
        { COORDCONV_RADIUS_OFFSET, { 1.5, 0.5, 0.5 } },
        { COORDCONV_RADIUS_PLAIN, { 1, 0, 1 } },
        { COORDCONV_RADIUS_NORMALIZED, { 1, 0, 1 } },
        { COORDCONV_RADIUS_CENTERED, { 0.5, 0, 0.5 } },
    };
    const int64_t shape[3] = { 1, 3, 1 };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const coordconv_grid_desc grid = { .struct_size = sizeof grid, .radius = cases[i].radius };
        const coordconv_conv1d_desc desc = { .struct_size = sizeof desc,
                                             .coords = COORDCONV_COORDS_RADIUS,
                                             .in_channels = 1,
                                             .out_channels = 1,
                                             .kernel = 1,
                                             .grid = &grid };
        coordconv_tensor *x = test_tensor(context, 3, shape, 1), *y = test_like(context, x);
        coordconv_layer *layer = NULL;

        check_ok(coordconv_conv1d_new(context, &desc, &layer));
        test_values(test_parameter(layer, "weight"))[0] = 0;
        test_values(test_parameter(layer, "weight"))[1] = 1;
        check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, y, NULL, 0));
        for (int k = 0; k < 3; k++)
            assert_true((double)test_values(y)[k] == cases[i].want[k]);
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(y);
        coordconv_layer_unref(layer);
    }
}

/* ---- frames: one layer ---- */

static coordconv_frame_desc frame_of(double y, double x, int64_t height, int64_t width)
{
    return (coordconv_frame_desc){ .struct_size = sizeof(coordconv_frame_desc),
                                   .y = y,
                                   .x = x,
                                   .height = height,
                                   .width = width };
}

/* A crop, a mirrored or a letterboxed image. */
static coordconv_frame_desc pick_frame(void)
{
    coordconv_frame_desc f = frame_of(pick(-8, 40), pick(-8, 40), pick(1, 70), pick(1, 70));

    if (pick(0, 2) == 0)
        f.step_x = -1;
    if (pick(0, 2) == 0) {
        f.y -= 0.25;
        f.step_y = pick(1, 12) * 0.25;
        f.step_x = pick(-12, 12) * 0.125;
    }
    if (pick(0, 5) == 0)
        f.height = f.width = 0;
    return f;
}

/* x -> layers, with tanh between -> "y"; the loss is the mean square against "target". */
static coordconv_plan *new_plan(int count, coordconv_layer *const *layer, coordconv_tensor *x,
                                coordconv_tensor *y, int32_t mode, int32_t batch)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .mode = mode, .batch = batch };
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    int64_t in[4] = { -1, 0, 0, 0 }, out[4] = { -1, 0, 0, 0 };

    for (int i = 1; i < 4; i++) {
        in[i] = coordconv_tensor_dim(x, i);
        out[i] = coordconv_tensor_dim(y, i);
    }
    check_ok(coordconv_model_new(context, &m));
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 4, in);
    for (int i = 0; i < count; i++)
        h = coordconv_model_apply(m, layer[i], i > 0 ? coordconv_model_leaky_relu(m, h, 0.5) : h);
    coordconv_model_output(m, "y", h);
    if (mode == COORDCONV_TRAINING)
        coordconv_model_output(
            m, "loss",
            coordconv_model_mse(m, h, coordconv_model_input(m, "target", TEST_REAL, 4, out)));
    check_ok(coordconv_plan_new(m, &desc, &plan));
    coordconv_model_unref(m);
    return plan;
}

static void run(coordconv_plan *plan, coordconv_tensor *x, coordconv_tensor *y)
{
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "y", y));
    check_ok(coordconv_plan_run(plan));
}

static void one_layer(const struct naive_conv *c, int h, int w, int batch)
{
    coordconv_layer *layer = naive_layer(context, c);
    coordconv_frame_desc frames[4];
    const int64_t shape[4] = { batch, h, w, c->desc.in_channels };
    int64_t out[4];

    if (!fits(layer, h, w, c->desc.in_channels)) {
        coordconv_layer_unref(layer);
        return;
    }
    check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
    test_fill_layer(layer, 6);
    coordconv_tensor *x = test_tensor(context, 4, shape, 7), *y = test_tensor(context, 4, out, 8);
    coordconv_tensor *plain = test_tensor(context, 4, out, 8);
    coordconv_plan *plan = new_plan(1, &layer, x, y, COORDCONV_INFERENCE, batch);

    for (int n = 0; n < batch; n++)
        frames[n] = n == 1 && pick(0, 1) ? frames[0] : pick_frame();
    run(plan, x, plain);
    check_ok(coordconv_plan_set_frames(plan, "x", batch, frames));
    for (int again = 0; again < 2; again++) {
        run(plan, x, y);
        for (int n = 0; n < batch; n++) {
            const struct naive_image in = naive_copy(x, n);
            const struct naive_image want = naive_run(c, layer, &frames[n], &in);

            naive_check("a frame", y, n, &want, 0, 0, units_of(c));
            naive_free();
        }
    }
    check_ok(coordconv_plan_set_frames(plan, "x", 0, NULL));
    run(plan, x, y);
    test_check_same(y, plain, "the whole image again");
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(plain);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_layer_unref(layer);
}

static void frames_of_one_layer(void **state)
{
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? 100 : 400;
    (void)state;

    random_state = 3;
    for (int i = 0; i < cases; i++) {
        coordconv_convention_desc d = { .struct_size = sizeof d };
        int h, w;
        struct naive_conv c = pick_conv(&h, &w);

        check_ok(coordconv_convention(conventions[i % (int)COUNT(conventions)], &d));
        if (i % 2)
            c.grid = d.grid;
        one_layer(&c, h, w, pick(1, 4));
    }
}

/* ---- frames: tiles ---- */

enum {
    DEEP = 3
};

/* A network of layers without padding, and how far its output's rows are apart in the input. */
struct deep {
    struct naive_conv conv[DEEP];
    coordconv_layer *layer[DEEP];
    int stride[2];
    double units;
};

static struct deep pick_deep(uint32_t coords)
{
    static const int kernels[] = { 1, 3, 5 };
    struct deep d = { .stride = { 1, 1 } };
    coordconv_convention_desc convention = { .struct_size = sizeof convention };

    for (int i = 0; i < DEEP; i++) {
        struct naive_conv *c = &d.conv[i];

        check_ok(coordconv_convention(conventions[pick(0, COUNT(conventions) - 1)], &convention));
        c->desc.in_channels = i == 0 ? 3 : d.conv[i - 1].desc.out_channels;
        c->desc.out_channels = pick(2, 17);
        c->desc.coords = coords;
        c->grid = convention.grid;
        for (int k = 0; k < 2; k++) {
            c->desc.kernel[k] = kernels[pick(0, 2)];
            c->desc.stride[k] = pick(1, 2);
            c->desc.dilation[k] = c->desc.stride[k] == 1 ? pick(1, 2) : 1;
            d.stride[k] *= c->desc.stride[k];
        }
        d.layer[i] = naive_layer(context, c);
        test_fill_layer(d.layer[i], 20 + (uint64_t)i);
        d.units += units_of(c) + 2;
    }
    return d;
}

static void drop_deep(struct deep *d)
{
    for (int i = 0; i < DEEP; i++)
        coordconv_layer_unref(d->layer[i]);
}

static struct naive_image run_deep(const struct deep *d, const struct naive_image *x)
{
    struct naive_image y = *x;

    for (int i = 0; i < DEEP; i++) {
        for (int k = 0; i > 0 && k < y.height * y.width * y.channels; k++)
            y.value[k] *= y.value[k] < 0 ? 0.5 : 1;
        y = naive_run(&d->conv[i], d->layer[i], NULL, &y);
    }
    return y;
}

static void cut(coordconv_tensor *image, int y, int x, coordconv_tensor *tiles, int n)
{
    const int width = (int)coordconv_tensor_dim(image, 2);
    const int h = (int)coordconv_tensor_dim(tiles, 1), w = (int)coordconv_tensor_dim(tiles, 2);
    const int c = (int)coordconv_tensor_dim(tiles, 3);

    for (int i = 0; i < h; i++)
        memcpy(test_values(tiles) + ((size_t)n * (size_t)h + (size_t)i) * (size_t)(w * c),
               test_values(image) + (size_t)((y + i) * width + x) * (size_t)c,
               (size_t)(w * c) * sizeof(test_real));
}

static void output_shape_of(const struct deep *d, coordconv_tensor *x, int64_t shape[4])
{
    for (int i = 0; i < 4; i++)
        shape[i] = coordconv_tensor_dim(x, i);
    for (int i = 0; i < DEEP; i++)
        check_ok(coordconv_layer_output_shape(d->layer[i], 4, shape, shape));
}

/* Some tiles of a large image, each where the strides let outputs fall together. */
static void check_tiles(uint32_t coords, int32_t mode)
{
    enum {
        TILES = 5,
        SIDE = 43
    };
    struct deep d = pick_deep(coords);
    coordconv_tensor *image = new_tensor(1, 83, 71, 3, 31);
    coordconv_tensor *tiles = new_tensor(TILES, SIDE, SIDE - 4, 3, 32);
    const struct naive_image in = naive_copy(image, 0);
    const struct naive_image want = run_deep(&d, &in);
    coordconv_frame_desc frames[TILES];
    int y[TILES], x[TILES];
    int64_t out[4];

    for (int n = 0; n < TILES; n++) {
        y[n] = pick(0, (83 - SIDE) / d.stride[0]);
        x[n] = pick(0, (71 - SIDE + 4) / d.stride[1]);
        cut(image, y[n] * d.stride[0], x[n] * d.stride[1], tiles, n);
        frames[n] = frame_of(y[n] * d.stride[0], x[n] * d.stride[1], 83, 71);
    }
    output_shape_of(&d, tiles, out);
    coordconv_tensor *result = test_tensor(context, 4, out, 33);
    coordconv_tensor *target = test_tensor(context, 4, out, 34);
    coordconv_plan *plan = new_plan(DEEP, d.layer, tiles, result, mode, TILES);

    check_ok(coordconv_plan_set_frames(plan, "x", TILES, frames));
    if (mode == COORDCONV_TRAINING)
        check_ok(coordconv_plan_bind(plan, "target", target));
    run(plan, tiles, result);
    for (int n = 0; n < TILES; n++)
        naive_check("a tile", result, n, &want, y[n], x[n], d.units);
    naive_free();
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(target);
    coordconv_tensor_unref(result);
    coordconv_tensor_unref(tiles);
    coordconv_tensor_unref(image);
    drop_deep(&d);
}

static void tiles_are_the_whole(void **state)
{
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? 3 : 10;
    (void)state;

    random_state = 4;
    for (int i = 0; i < cases; i++) {
        check_tiles(COORDCONV_COORDS_XY, COORDCONV_INFERENCE);
        check_tiles(COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, COORDCONV_INFERENCE);
        check_tiles(COORDCONV_COORDS_Y, COORDCONV_TRAINING);
        check_tiles(COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, COORDCONV_TRAINING);
    }
}

/* ---- frames: tiles by transforms ---- */

/* The largest distance of an image from the exact values, of which row y and column x are the
 * first. */
static double farthest(coordconv_tensor *image, const struct naive_image *want, int y, int x)
{
    const int height = (int)coordconv_tensor_dim(image, 1), c = want->channels;
    const int row = (int)coordconv_tensor_dim(image, 2) * c;
    double far = 0;

    for (int i = 0; i < height * row; i++) {
        const int at = ((y + i / row) * want->width + x) * c + i % row;

        far = fmax(far, fabs((double)test_values(image)[i] - want->value[at]));
    }
    return far;
}

static coordconv_tensor *run_framed(coordconv_layer *layer, coordconv_tensor *x,
                                    const coordconv_frame_desc *frame)
{
    int64_t shape[4];
    coordconv_tensor *y;

    for (int i = 0; i < 4; i++)
        shape[i] = coordconv_tensor_dim(x, i);
    check_ok(coordconv_layer_output_shape(layer, 4, shape, shape));
    y = test_tensor(context, 4, shape, 1);
    coordconv_plan *plan = new_plan(1, &layer, x, y, COORDCONV_INFERENCE, 1);
    check_ok(coordconv_plan_set_frames(plan, "x", frame != NULL, frame));
    run(plan, x, y);
    coordconv_plan_unref(plan);
    return y;
}

/* 1 if some bits of a random tile are not those of the whole image. */
static int check_transformed(void)
{
    const struct naive_conv c = { .desc = { .coords = COORDCONV_COORDS_XY,
                                            .in_channels = pick(32, 40),
                                            .out_channels = pick(32, 40),
                                            .kernel = { 3, 3 } } };
    const int h = pick(36, 48), w = pick(36, 48), tile_h = pick(6, 30), tile_w = pick(6, 30);
    const int y = pick(0, h - tile_h), x = pick(0, w - tile_w);
    const double bound = 2 * 9 * (c.desc.in_channels + 2) * (double)FLT_EPSILON;
    const coordconv_frame_desc frame = frame_of(y, x, h, w);
    coordconv_tensor *image = new_tensor(1, h, w, c.desc.in_channels, 41);
    coordconv_tensor *tile = new_tensor(1, tile_h, tile_w, c.desc.in_channels, 42);
    coordconv_layer *layer = naive_layer(context, &c);
    const struct naive_image in = naive_copy(image, 0);
    uint64_t seed = 43;

    for (int i = 0; i < c.desc.out_channels * (c.desc.in_channels + 2) * 9; i++)
        test_values(test_parameter(layer, "weight"))[i] = (test_real)test_random(&seed);
    const struct naive_image want = naive_run(&c, layer, NULL, &in);
    cut(image, y, x, tile, 0);
    coordconv_tensor *whole = run_framed(layer, image, NULL);
    coordconv_tensor *part = run_framed(layer, tile, &frame);
    coordconv_tensor *same = test_like(context, part);

    assert_true(farthest(whole, &want, 0, 0) <= bound);
    assert_true(farthest(part, &want, y, x) <= bound);
    cut(whole, y, x, same, 0);
    const int differs = memcmp(test_values(same), test_values(part),
                               (size_t)coordconv_tensor_count(part) * sizeof(test_real)) != 0;
    naive_free();
    coordconv_tensor_unref(same);
    coordconv_tensor_unref(part);
    coordconv_tensor_unref(whole);
    coordconv_layer_unref(layer);
    coordconv_tensor_unref(tile);
    coordconv_tensor_unref(image);
    return differs;
}

/* Where transforms are allowed, the size of an image decides whether and which, so a tile need not
 * have the whole's bits; both are as near to the exact values as the documentation's page on
 * numerics says. */
static void tiles_are_near_the_whole_by_transforms(void **state)
{
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? 6 : 24;
    coordconv_context *const direct = context;
    int differ = 0;
    (void)state;

    random_state = 6;
    context = test_context(1, NULL, NULL);
    for (int i = 0; i < cases; i++)
        differ += check_transformed();
    if (TEST_REAL == COORDCONV_F32 && strcmp(coordconv_context_isa(context), "reference") != 0)
        assert_true(differ > 0); /* or nothing was transformed */
    coordconv_context_unref(context);
    context = direct;
}

/* ---- frames: behind layers ---- */

/* Output row or column 0 of a layer in the output of the larger image: where its window, or for a
 * transposed layer its image, holds the same samples. step is 1 or -1. */
static double place_behind(const struct naive_conv *c, int axis, int in, int larger, int out,
                           int larger_out, double first, int step)
{
    const int reach = (c->desc.kernel[axis] - 1) * c->desc.dilation[axis];
    const int pad = naive_pad(c, axis, in, out),
              larger_pad = naive_pad(c, axis, larger, larger_out);

    if (c->transposed) /* tap 0 of sample first is there; of a mirrored image the last tap */
        return first * c->desc.stride[axis] - larger_pad + (step > 0 ? pad : reach - pad);
    /* the first sample of the window, or the last one of a mirrored image's */
    return (first - step * pad - (step > 0 ? 0 : reach) + larger_pad) / c->desc.stride[axis];
}

/* A layer without coordinates, and behind it one whose two outputs are x and y in pixels. */
static void check_places(const struct naive_conv *c, int h, int w)
{
    const coordconv_conv2d_desc pixels = {
        .struct_size = sizeof pixels,
        .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL,
        .in_channels = c->desc.out_channels,
        .out_channels = 2,
        .kernel = { 1, 1 },
    };
    const int step[2] = { pick(0, 1) ? 1 : -1, pick(0, 1) ? 1 : -1 };
    const int larger[2] = { pick(30, 50), pick(30, 50) }, in[2] = { h, w };
    const int64_t shape[4] = { 1, h, w, c->desc.in_channels };
    const int64_t larger_shape[4] = { 1, larger[0], larger[1], c->desc.in_channels };
    coordconv_frame_desc frame = frame_of(pick(0, 20), pick(0, 20), larger[0], larger[1]);
    coordconv_layer *layer[2] = { naive_layer(context, c), NULL };
    int64_t out[4], larger_out[4];
    double first[2];

    frame.step_y = step[0];
    frame.step_x = step[1];
    check_ok(coordconv_conv2d_new(context, &pixels, &layer[1]));
    check_ok(coordconv_tensor_fill(test_parameter(layer[1], "weight"), 0));
    for (int o = 0; o < 2; o++) /* behind the data, output 0 has x and output 1 has y */
        test_values(test_parameter(
            layer[1], "weight"))[o * (c->desc.out_channels + 2) + c->desc.out_channels + o] = 1;
    if (fits(layer[0], h, w, c->desc.in_channels) &&
        fits(layer[0], larger[0], larger[1], c->desc.in_channels)) {
        check_ok(coordconv_layer_output_shape(layer[0], 4, shape, out));
        check_ok(coordconv_layer_output_shape(layer[0], 4, larger_shape, larger_out));
        for (int i = 0; i < 2; i++)
            first[i] = place_behind(c, i, in[i], larger[i], (int)out[1 + i], (int)larger_out[1 + i],
                                    i == 0 ? frame.y : frame.x, step[i]);
        out[3] = 2;
        coordconv_tensor *x = test_tensor(context, 4, shape, 1),
                         *y = test_tensor(context, 4, out, 2);
        coordconv_plan *plan = new_plan(2, layer, x, y, COORDCONV_INFERENCE, 1);

        check_ok(coordconv_plan_set_frames(plan, "x", 1, &frame));
        run(plan, x, y);
        for (int i = 0; i < out[1] * out[2]; i++) {
            const double row = first[0] + step[0] * (int)(i / out[2]);
            const double column = first[1] + step[1] * (int)(i % out[2]);

            if (fabs((double)test_values(y)[2 * i] - column) > 1e-4 ||
                fabs((double)test_values(y)[2 * i + 1] - row) > 1e-4)
                fail_msg("output %d of %dx%d lies at %g, %g, expected %g, %g", i, (int)out[1],
                         (int)out[2], (double)test_values(y)[2 * i + 1],
                         (double)test_values(y)[2 * i], row, column);
        }
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(y);
        coordconv_plan_unref(plan);
    }
    coordconv_layer_unref(layer[0]);
    coordconv_layer_unref(layer[1]);
}

static void places_behind_layers(void **state)
{
    (void)state;

    random_state = 5;
    for (int i = 0; i < 300; i++) {
        int h, w;
        struct naive_conv c = pick_conv(&h, &w);

        c.desc.coords = 0;
        check_places(&c, h, w);
    }
}

int main(void)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .threads = 1,
                                          .alloc = test_heap_alloc,
                                          .free = test_heap_free,
                                          .alloc_user = &heap,
                                          .direct_sums = 1 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conventions_in_layers),
        cmocka_unit_test(grids_in_layers),
        cmocka_unit_test(grids_are_kept),
        cmocka_unit_test(radii_of_lines),
        cmocka_unit_test(frames_of_one_layer),
        cmocka_unit_test(tiles_are_the_whole),
        cmocka_unit_test(tiles_are_near_the_whole_by_transforms),
        cmocka_unit_test(places_behind_layers),
    };
    int failed;

    test_heap_init(&heap);
    if (coordconv_context_new(&desc, &context) != COORDCONV_OK)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    coordconv_context_unref(context);
    return failed;
}
