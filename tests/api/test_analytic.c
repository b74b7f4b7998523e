/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_analytic.c - the networks wired by hand are exact, at every position and
 * every pixel of the answer.
 *
 * usage: test_analytic [POSITIONS]
 *
 * POSITIONS random places on a canvas of 2000 x 3000 are tried with each
 * network: 1000, or 10 where COORDCONV_TEST_SHORT is set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static long positions = 1000;

enum kind {
    ONEHOT_TO_XY,
    XY_TO_ONEHOT,
    XY_TO_RECTANGLE
};

/* A network on a canvas, compiled for a batch, with its tensors. */
struct net {
    coordconv_context *context;
    coordconv_model *model;
    coordconv_plan *plan;
    coordconv_tensor *input, *output;
    float *in, *out; /* their elements */
    int64_t height, width, half_height, half_width, batch;
    enum kind kind;
};

static coordconv_tensor *bind(struct net *n, const char *name, int32_t ndim, const int64_t *shape)
{
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(n->context, COORDCONV_F32, ndim, shape, &tensor));
    check_ok(coordconv_plan_bind(n->plan, name, tensor));
    return tensor;
}

/* What is not written then shows. */
static void spoil(struct net *n)
{
    memset(n->out, 0xa5, (size_t)coordconv_tensor_count(n->output) * sizeof(float));
}

static void make(struct net *n, enum kind kind, int64_t height, int64_t width, int64_t half_height,
                 int64_t half_width, int64_t batch)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = batch };
    const int64_t image[] = { batch, height, width, 1 };
    const int64_t pair[] = { batch, 2 };

    *n = (struct net){ .height = height, .width = width, .batch = batch, .kind = kind };
    n->half_height = half_height;
    n->half_width = half_width;
    n->context = test_context(1, NULL, NULL); /* other tests use the other processors */
    if (kind == ONEHOT_TO_XY)
        check_ok(coordconv_analytic_onehot_to_xy(n->context, height, width, &n->model));
    else if (kind == XY_TO_ONEHOT)
        check_ok(coordconv_analytic_xy_to_onehot(n->context, height, width, &n->model));
    else
        check_ok(coordconv_analytic_xy_to_rectangle(n->context, height, width, half_height,
                                                    half_width, &n->model));
    check_ok(coordconv_plan_new(n->model, &desc, &n->plan));
    if (kind == ONEHOT_TO_XY) {
        n->input = bind(n, "image", 4, image);
        n->output = bind(n, "xy", 2, pair);
    } else {
        n->input = bind(n, "xy", 2, pair);
        n->output = bind(n, "image", 4, image);
    }
    n->in = coordconv_tensor_data(n->input);
    n->out = coordconv_tensor_data(n->output);
    spoil(n);
}

static void drop(struct net *n)
{
    coordconv_tensor_unref(n->input);
    coordconv_tensor_unref(n->output);
    coordconv_plan_unref(n->plan);
    coordconv_model_unref(n->model);
    coordconv_context_unref(n->context);
}

/* Before a large image this would take longer than the network; there, once has to do. */
static void run(struct net *n)
{
    if (coordconv_tensor_count(n->output) < 100000)
        spoil(n);
    check_ok(coordconv_plan_run(n->plan));
}

/* 1 if a row is `one` from column first to last and 0 elsewhere. Every element is looked at. */
static int row_is(const float *row, int64_t width, int64_t first, int64_t last)
{
    int wrong = 0;

    first = first < 0 ? 0 : first;
    last = last >= width ? width - 1 : last;
    if (first > last)
        first = last = width; /* nothing lit */
    for (int64_t i = 0; i < first; i++)
        wrong |= row[i] != 0.0f;
    for (int64_t i = first; i <= last && i < width; i++)
        wrong |= row[i] != 1.0f;
    for (int64_t i = last + 1; i < width; i++)
        wrong |= row[i] != 0.0f;
    return !wrong;
}

/* Image `index` of the output is the rectangle around (x, y), cut at the border. */
static void check_image(const struct net *n, int64_t index, int64_t x, int64_t y)
{
    const float *image = n->out + index * n->height * n->width;

    for (int64_t i = 0; i < n->height; i++) {
        const int lit = i >= y - n->half_height && i <= y + n->half_height;
        if (!row_is(image + i * n->width, n->width, lit ? x - n->half_width : n->width,
                    x + n->half_width)) {
            print_error("%lld x %lld, batch %lld: row %lld wrong for (%lld, %lld)\n",
                        (long long)n->height, (long long)n->width, (long long)n->batch,
                        (long long)i, (long long)x, (long long)y);
            fail();
        }
    }
}

/* Run a batch of places and check every answer. */
static void check_places(struct net *n, const int64_t (*places)[2])
{
    const int64_t pixels = n->height * n->width;

    for (int64_t b = 0; b < n->batch; b++) {
        if (n->kind == ONEHOT_TO_XY) {
            n->in[b * pixels + places[b][1] * n->width + places[b][0]] = 1.0f;
        } else {
            n->in[2 * b] = (float)places[b][0];
            n->in[2 * b + 1] = (float)places[b][1];
        }
    }
    run(n);
    for (int64_t b = 0; b < n->batch; b++) {
        if (n->kind == ONEHOT_TO_XY) {
            assert_true(n->out[2 * b] == (float)places[b][0]);
            assert_true(n->out[2 * b + 1] == (float)places[b][1]);
            n->in[b * pixels + places[b][1] * n->width + places[b][0]] = 0.0f;
        } else {
            check_image(n, b, places[b][0], places[b][1]);
        }
    }
}

/* Every position of a canvas; the last batch is filled up with the first positions. */
static void check_canvas(enum kind kind, int64_t height, int64_t width, int64_t half_height,
                         int64_t half_width, int64_t batch)
{
    const int64_t count = height * width;
    int64_t places[7][2];
    struct net n;

    assert_true(batch <= 7);
    make(&n, kind, height, width, half_height, half_width, batch);
    for (int64_t i = 0; i < count; i += batch) {
        for (int64_t b = 0; b < batch; b++) {
            places[b][0] = (i + b) % count % width;
            places[b][1] = (i + b) % count / width;
        }
        check_places(&n, (const int64_t(*)[2])places);
    }
    drop(&n);
}

static void check_all_nets(int64_t height, int64_t width, int64_t batch)
{
    check_canvas(ONEHOT_TO_XY, height, width, 0, 0, batch);
    check_canvas(XY_TO_ONEHOT, height, width, 0, 0, batch);
    check_canvas(XY_TO_RECTANGLE, height, width, 4, 4, batch);
}

static void every_position_of_64_by_64(void **state)
{
    (void)state;

    check_all_nets(64, 64, 1);
    check_all_nets(64, 64, 7);
}

static void every_position_of_70_by_100(void **state)
{
    (void)state;

    check_all_nets(70, 100, 1);
    check_all_nets(70, 100, 7);
}

static void every_position_of_a_pixel_a_row_and_a_column(void **state)
{
    static const int64_t lengths[] = { 1, 2, 3, 16, 17, 100, 1023 };
    (void)state;

    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (int64_t batch = 1; batch <= 7; batch += 6) {
            check_all_nets(1, lengths[i], batch);
            check_all_nets(lengths[i], 1, batch);
        }
    }
}

static void rectangles_of_any_size(void **state)
{
    static const int64_t halves[][2] = { { 0, 0 }, { 1, 0 }, { 0, 3 }, { 5, 2 }, { 20, 30 } };
    (void)state;

    for (size_t i = 0; i < COUNT(halves); i++) {
        check_canvas(XY_TO_RECTANGLE, 11, 14, halves[i][0], halves[i][1], 1);
        check_canvas(XY_TO_RECTANGLE, 11, 14, halves[i][0], halves[i][1], 7);
    }
}

static void random_positions_of_2000_by_3000(void **state)
{
    (void)state;

    for (int kind = ONEHOT_TO_XY; kind <= XY_TO_RECTANGLE; kind++) {
        uint64_t random = 42;
        struct net n;
        const int64_t half = kind == XY_TO_RECTANGLE ? 4 : 0;
        make(&n, (enum kind)kind, 2000, 3000, half, half, 1);
        for (long i = 0; i < positions; i++) {
            const int64_t place[1][2] = { { (int64_t)((test_random(&random) + 1) * 1500),
                                            (int64_t)((test_random(&random) + 1) * 1000) } };
            check_places(&n, place);
        }
        drop(&n);
    }
}

/* Where float32 begins to run out of integers. */
static void the_longest_sides_are_exact(void **state)
{
    static const int64_t side = 1 << 24;
    const int64_t places[] = { 0, 1, side / 2 + 1, side - 2, side - 1 };
    struct net n;
    (void)state;

    if (positions < 1000)
        skip(); /* a gigabyte is not for the builds with checks */
    for (int tall = 0; tall <= 1; tall++) {
        make(&n, ONEHOT_TO_XY, tall ? side : 1, tall ? 1 : side, 0, 0, 1);
        for (size_t i = 0; i < COUNT(places); i++) {
            const int64_t place[1][2] = { { tall ? 0 : places[i], tall ? places[i] : 0 } };
            check_places(&n, place);
        }
        drop(&n);
    }
    make(&n, XY_TO_RECTANGLE, 1, side, 0, (1 << 22) - 1, 1);
    for (size_t i = 0; i < COUNT(places); i++) {
        const int64_t place[1][2] = { { places[i], 0 } };
        check_places(&n, place);
    }
    drop(&n);
}

/* ---- what else is defined ---- */

/* Run one-hot to coordinates on a 5 x 64 canvas with pixels (x, y, value) set. */
static void check_xy(size_t count, const float (*pixels)[3], float x, float y)
{
    struct net n;

    make(&n, ONEHOT_TO_XY, 5, 64, 0, 0, 1);
    for (size_t i = 0; i < count; i++)
        n.in[(int64_t)pixels[i][1] * 64 + (int64_t)pixels[i][0]] = pixels[i][2];
    run(&n);
    assert_true(n.out[0] == x);
    assert_true(n.out[1] == y);
    drop(&n);
}

static void images_that_are_not_one_hot(void **state)
{
    static const float two[][3] = { { 60, 1, 1 }, { 63, 4, 1 } };
    static const float far[][3] = { { 10, 0, 1 }, { 20, 2, 1 }, { 30, 4, 1 } };
    static const float half[][3] = { { 10, 1, 0.5f } };
    static const float faint[][3] = { { 40, 4, 0.5f } };
    static const float zero[][3] = { { 0, 0, 0 } };
    (void)state;

    check_xy(0, NULL, 64, 5);
    check_xy(1, zero, 64, 5);
    check_xy(2, two, 64 - 4 - 1, 5 - 4 - 1);
    check_xy(3, far, 64 - 54 - 44 - 34, 5 - 5 - 3 - 1); /* well below the canvas */
    check_xy(1, half, 64 - (32 - 10), 5 - 1.5f);
    check_xy(1, faint, 64, 5);
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

static double beyond(double distance, double half)
{
    return positive((distance > 0 ? distance : -distance) - half);
}

/* Points on a grid of quarters, on the canvas and far around it: the formula of
 * the header, whose values are exact in both types. */
static void check_points(enum kind kind, int64_t half_height, int64_t half_width)
{
    struct net n;

    make(&n, kind, 5, 7, half_height, half_width, 1);
    for (double y = -8; y <= 12; y += 0.25) {
        for (double x = -10; x <= 17; x += 0.25) {
            n.in[0] = (float)x;
            n.in[1] = (float)y;
            run(&n);
            for (int64_t i = 0; i < 5 * 7; i++) {
                const double want = 1 - beyond((double)(i % 7) - x, (double)half_width) -
                                    beyond((double)(i / 7) - y, (double)half_height);
                assert_true((double)n.out[i] == positive(want));
            }
        }
    }
    drop(&n);
}

static void points_between_pixels_and_off_the_canvas(void **state)
{
    (void)state;

    check_points(XY_TO_ONEHOT, 0, 0);
    check_points(XY_TO_RECTANGLE, 0, 0);
    check_points(XY_TO_RECTANGLE, 1, 3);
    check_points(XY_TO_RECTANGLE, 4, 4);
}

/* The example of the header, word for word. */
static void a_fractional_point_makes_a_tent(void **state)
{
    struct net n;
    (void)state;

    make(&n, XY_TO_ONEHOT, 6, 8, 0, 0, 1);
    n.in[0] = 2.25f;
    n.in[1] = 3;
    run(&n);
    for (int64_t i = 0; i < 6 * 8; i++)
        assert_true(n.out[i] == (i == 3 * 8 + 2 ? 0.75f : i == 3 * 8 + 3 ? 0.25f : 0.0f));
    drop(&n);
}

static void points_far_off_give_an_empty_image(void **state)
{
    static const float far[] = { -1, 9, 1e3f, -1e6f, 16777216, -16777216, 1e9f, -1e30f, 1e38f };
    (void)state;

    for (int kind = XY_TO_ONEHOT; kind <= XY_TO_RECTANGLE; kind++) {
        struct net n;
        make(&n, (enum kind)kind, 9, 9, 0, 0, 1);
        for (size_t i = 0; i < COUNT(far); i++) {
            for (int axis = 0; axis < 3; axis++) { /* x, y, both */
                n.in[0] = axis != 1 ? far[i] : 4;
                n.in[1] = axis != 0 ? far[i] : 4;
                run(&n);
                for (int64_t k = 0; k < 81; k++)
                    assert_true(n.out[k] == 0);
            }
        }
        drop(&n);
    }
}

/* ---- arguments ---- */

static void bad_arguments_are_named(void **state)
{
    static const int64_t bad[] = { 0, -1, (1 << 24) + 1, INT64_MAX, INT64_MIN };
    static const int64_t bad_half[] = { -1, (1 << 22) + 1, INT64_MAX, INT64_MIN };
    coordconv_context *c = test_context(1, NULL, NULL);
    coordconv_model *const untouched = (coordconv_model *)(void *)c;
    coordconv_model *m = untouched;
    char text[32];
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof text, "height %lld is", (long long)bad[i]);
        check_fails(coordconv_analytic_onehot_to_xy(c, bad[i], 1, &m), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_analytic_xy_to_onehot(c, bad[i], 1, &m), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_analytic_xy_to_rectangle(c, bad[i], 1, 0, 0, &m),
                    COORDCONV_ERR_INVALID, text);
        snprintf(text, sizeof text, "width %lld is", (long long)bad[i]);
        check_fails(coordconv_analytic_onehot_to_xy(c, 1, bad[i], &m), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_analytic_xy_to_onehot(c, 1, bad[i], &m), COORDCONV_ERR_INVALID, text);
        check_fails(coordconv_analytic_xy_to_rectangle(c, 1, bad[i], 0, 0, &m),
                    COORDCONV_ERR_INVALID, text);
    }
    for (size_t i = 0; i < COUNT(bad_half); i++) {
        snprintf(text, sizeof text, "half_height %lld", (long long)bad_half[i]);
        check_fails(coordconv_analytic_xy_to_rectangle(c, 1, 1, bad_half[i], 0, &m),
                    COORDCONV_ERR_INVALID, text);
        snprintf(text, sizeof text, "half_width %lld", (long long)bad_half[i]);
        check_fails(coordconv_analytic_xy_to_rectangle(c, 1, 1, 0, bad_half[i], &m),
                    COORDCONV_ERR_INVALID, text);
    }
    check_fails(coordconv_analytic_onehot_to_xy(NULL, 1, 1, &m), COORDCONV_ERR_INVALID,
                "context is NULL");
    check_fails(coordconv_analytic_xy_to_onehot(NULL, 1, 1, &m), COORDCONV_ERR_INVALID,
                "context is NULL");
    check_fails(coordconv_analytic_xy_to_rectangle(NULL, 1, 1, 0, 0, &m), COORDCONV_ERR_INVALID,
                "context is NULL");
    check_fails(coordconv_analytic_onehot_to_xy(c, 1, 1, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    check_fails(coordconv_analytic_xy_to_onehot(c, 1, 1, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    check_fails(coordconv_analytic_xy_to_rectangle(c, 1, 1, 0, 0, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    assert_ptr_equal(m, untouched);
    coordconv_context_unref(c);
}

/* The largest canvas can be described; that it cannot be run is for a plan to say. */
static void the_largest_arguments_are_taken(void **state)
{
    coordconv_context *c = test_context(1, NULL, NULL);
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    (void)state;

    check_ok(coordconv_analytic_xy_to_rectangle(c, 1 << 24, 1 << 24, 1 << 22, 1 << 22, &m));
    assert_int_not_equal(coordconv_plan_new(m, NULL, &plan), COORDCONV_OK);
    assert_null(plan);
    coordconv_model_unref(m);
    coordconv_context_unref(c);
}

static coordconv_status construct(enum kind kind, coordconv_context *context, coordconv_model **m)
{
    return kind == ONEHOT_TO_XY   ? coordconv_analytic_onehot_to_xy(context, 4, 5, m)
           : kind == XY_TO_ONEHOT ? coordconv_analytic_xy_to_onehot(context, 4, 5, m)
                                  : coordconv_analytic_xy_to_rectangle(context, 4, 5, 1, 2, m);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;

    for (int kind = ONEHOT_TO_XY; kind <= XY_TO_RECTANGLE; kind++) {
        struct test_heap heap;
        coordconv_context *context;
        coordconv_model *m = NULL;
        size_t n;
        test_heap_init(&heap);
        context = test_context(1, &heap, NULL);
        for (n = 0;; n++) {
            const size_t live = atomic_load(&heap.live_blocks);
            heap.fail_at = atomic_load(&heap.calls) + n;
            if (construct((enum kind)kind, context, &m) == COORDCONV_OK)
                break;
            assert_null(m);
            assert_int_equal(atomic_load(&heap.live_blocks), live);
        }
        assert_true(n > 10);
        coordconv_model_unref(m);
        coordconv_context_unref(context);
        test_heap_check_empty(&heap);
    }
}

/* ---- ordinary models ---- */

/* Few parameters, all of them trainable, each layer with a name of its own: it can be saved. */
static void they_are_models_like_others(void **state)
{
    static const int64_t parameters[] = { 2 * 3 + 4 + 2, 4 * 4 + 4 + 1, 4 * 4 + 8 + 2 + 2 + 1 };
    char path[] = "/tmp/coordconv-analytic-XXXXXX";
    const int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0 && close(fd) == 0);
    for (int kind = ONEHOT_TO_XY; kind <= XY_TO_RECTANGLE; kind++) {
        struct net n;
        make(&n, (enum kind)kind, 6, 8, 1, 1, 1);
        assert_true(coordconv_model_parameter_count(n.model) == parameters[kind]);
        const coordconv_status status = coordconv_save(n.model, NULL, path, 0, NULL);
        if (status != COORDCONV_ERR_UNSUPPORTED) {
            const int64_t place[1][2] = { { 5, 2 } };
            check_ok(status);
            for (int32_t i = 0; i < coordconv_model_layer_count(n.model); i++)
                test_fill_layer(coordconv_model_layer(n.model, i), 7);
            check_ok(coordconv_load(n.model, NULL, path));
            if (kind == XY_TO_ONEHOT)
                n.half_height = n.half_width = 0;
            check_places(&n, place);
        }
        drop(&n);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_position_of_64_by_64),
        cmocka_unit_test(every_position_of_70_by_100),
        cmocka_unit_test(every_position_of_a_pixel_a_row_and_a_column),
        cmocka_unit_test(rectangles_of_any_size),
        cmocka_unit_test(random_positions_of_2000_by_3000),
        cmocka_unit_test(the_longest_sides_are_exact),
        cmocka_unit_test(images_that_are_not_one_hot),
        cmocka_unit_test(points_between_pixels_and_off_the_canvas),
        cmocka_unit_test(a_fractional_point_makes_a_tent),
        cmocka_unit_test(points_far_off_give_an_empty_image),
        cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(the_largest_arguments_are_taken),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(they_are_models_like_others),
    };

    if (argc > 1)
        positions = strtol(argv[1], NULL, 10);
    else if (getenv("COORDCONV_TEST_SHORT") != NULL)
        positions = 10;
    return cmocka_run_group_tests_name("analytic", tests, NULL, NULL);
}
