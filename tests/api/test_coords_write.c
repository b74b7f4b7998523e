/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_coords_write.c - coordinate channels of signals, images and volumes: by hand,
 * and as layers see them.
 */
#include <math.h>
#include <string.h>

#include "published.h"
#include "support.h"

enum {
    ROOM = 4 * 6 * 7 * 9
};

static coordconv_context *context;

/* 0 .. bound - 1 */
static int32_t pick(uint64_t *state, int32_t bound)
{
    return (int32_t)((test_random(state) + 1.0) / 2.0 * bound);
}

static void check_values(const coordconv_coords_desc *desc, const float *want, size_t count)
{
    float got[ROOM];

    check_ok(coordconv_coords_write(desc, got));
    for (size_t i = 0; i < count; i++)
        if (got[i] != want[i])
            fail_msg("value %zu is %g, expected %g", i, (double)got[i], (double)want[i]);
}

static void by_hand(void **state)
{
    static const float volume[] = { -1, 0,  1,  -1, 0,  1,  -1, 0,  1,  -1, 0, 1,   /* x */
                                    -1, -1, -1, 1,  1,  1,  -1, -1, -1, 1,  1, 1,   /* y */
                                    -1, -1, -1, -1, -1, -1, 1,  1,  1,  1,  1, 1 }; /* z */
    static const float line[] = { -1, 0, 1, 1.5f, 0.5f, 0.5f };
    static const float part[] = { 4, 3, 2, 5, 5, 5 };
    static const float row[] = { 9, 9, 9, 9, 9 };
    const coordconv_grid_desc offset = { .struct_size = sizeof offset,
                                         .radius = COORDCONV_RADIUS_OFFSET };
    const coordconv_frame_desc mirrored = {
        .struct_size = sizeof mirrored, .y = 5, .x = 4, .step_x = -1, .height = 9, .width = 9
    };
    const coordconv_frame_desc deep = {
        .struct_size = sizeof deep, .z = 9, .step_z = 2, .depth = 30
    };
    coordconv_coords_desc desc = { .struct_size = sizeof desc,
                                   .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_Z,
                                   .depth = 2,
                                   .height = 2,
                                   .width = 3 };
    (void)state;

    check_values(&desc, volume, 36);
    desc = (coordconv_coords_desc){ .struct_size = sizeof desc,
                                    .coords = COORDCONV_COORDS_X | COORDCONV_COORDS_RADIUS,
                                    .width = 3,
                                    .grid = &offset };
    check_values(&desc, line, 6);
    desc = (coordconv_coords_desc){ .struct_size = sizeof desc,
                                    .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL,
                                    .height = 1,
                                    .width = 3,
                                    .frame = &mirrored };
    check_values(&desc, part, 6);
    desc = (coordconv_coords_desc){ .struct_size = sizeof desc,
                                    .coords = COORDCONV_COORDS_Z | COORDCONV_COORDS_PIXEL,
                                    .depth = 1,
                                    .height = 1,
                                    .width = 5,
                                    .frame = &deep };
    check_values(&desc, row, 5);
}

/* A canvas drawn at random, its grid and frame. */
struct canvas {
    coordconv_coords_desc desc;
    coordconv_grid_desc grid;
    coordconv_frame_desc frame;
    int32_t axes, channels;
};

static void draw_channels(struct canvas *c, uint64_t *seed)
{
    static const uint32_t flags[] = { COORDCONV_COORDS_RADIUS, COORDCONV_COORDS_X,
                                      COORDCONV_COORDS_Y, COORDCONV_COORDS_Z };

    c->desc.coords = 0;
    for (c->channels = 0; c->channels == 0;)
        for (int32_t i = 0; i <= c->axes; i++)
            if (pick(seed, 2)) {
                c->desc.coords |= flags[i];
                c->channels++;
            }
}

static void draw_grid(struct canvas *c, uint64_t *seed)
{
    c->grid = (coordconv_grid_desc){ .struct_size = sizeof c->grid,
                                     .sampling = pick(seed, c->axes == 2 ? 5 : 4),
                                     .low = -0.5,
                                     .high = 2,
                                     .single = pick(seed, 2) };
    c->grid.radius = pick(seed, c->grid.sampling == COORDCONV_SAMPLING_PIXEL ? 3 : 4);
}

static double draw_step(uint64_t *seed)
{
    return (pick(seed, 9) - 4) * 0.5;
}

static void draw(struct canvas *c, uint64_t *seed)
{
    c->axes = 1 + pick(seed, 3);
    draw_grid(c, seed);
    c->frame = (coordconv_frame_desc){
        .struct_size = sizeof c->frame, .x = pick(seed, 9), .step_x = draw_step(seed), .width = 31
    };
    c->desc = (coordconv_coords_desc){ .struct_size = sizeof c->desc,
                                       .width = 1 + pick(seed, 9),
                                       .grid = &c->grid,
                                       .frame = pick(seed, 2) ? &c->frame : NULL };
    draw_channels(c, seed);
    if (c->axes > 1) {
        c->desc.height = 1 + pick(seed, 7);
        c->frame.y = 2.5;
        c->frame.step_y = draw_step(seed);
        c->frame.height = pick(seed, 2) * 17;
    }
    if (c->axes > 2) {
        c->desc.depth = 1 + pick(seed, 6);
        c->frame.z = 7;
        c->frame.step_z = draw_step(seed);
        c->frame.depth = 20;
    }
}

/* A layer of kernels of one sample that passes on its coordinates alone. */
static coordconv_layer *new_layer(const struct canvas *c)
{
    const coordconv_conv1d_desc of_line = { .struct_size = sizeof of_line,
                                            .coords = c->desc.coords,
                                            .in_channels = 1,
                                            .out_channels = c->channels,
                                            .kernel = 1,
                                            .grid = &c->grid };
    const coordconv_conv2d_desc of_image = { .struct_size = sizeof of_image,
                                             .coords = c->desc.coords,
                                             .in_channels = 1,
                                             .out_channels = c->channels,
                                             .kernel = { 1, 1 },
                                             .grid = &c->grid };
    const coordconv_conv3d_desc of_volume = { .struct_size = sizeof of_volume,
                                              .coords = c->desc.coords,
                                              .in_channels = 1,
                                              .out_channels = c->channels,
                                              .kernel = { 1, 1, 1 },
                                              .grid = &c->grid };
    coordconv_layer *layer = NULL;

    check_ok(c->axes == 1   ? coordconv_conv1d_new(context, &of_line, &layer)
             : c->axes == 2 ? coordconv_conv2d_new(context, &of_image, &layer)
                            : coordconv_conv3d_new(context, &of_volume, &layer));
    coordconv_tensor *weight = test_parameter(layer, "weight");
    check_ok(coordconv_tensor_fill(weight, 0));
    for (int32_t o = 0; o < c->channels; o++)
        test_values(weight)[o * (c->channels + 1) + 1 + o] = 1;
    return layer;
}

/* What the layer sees, side by side. */
static coordconv_tensor *seen(const struct canvas *c)
{
    const int64_t extents[] = { 1, c->desc.depth, c->desc.height, c->desc.width, 1 };
    int64_t shape[5] = { 1 };
    coordconv_layer *layer = new_layer(c);
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    coordconv_tensor *x = NULL, *y = NULL;

    memcpy(shape + 1, extents + 4 - c->axes, (size_t)(c->axes + 1) * sizeof *shape);
    check_ok(coordconv_tensor_new(context, TEST_REAL, c->axes + 2, shape, &x));
    check_ok(coordconv_tensor_fill(x, 0));
    check_ok(coordconv_model_new(context, &m));
    coordconv_model_output(
        m, "y",
        coordconv_model_apply(m, layer,
                              coordconv_model_input(m, "x", TEST_REAL, c->axes + 2, shape)));
    check_ok(coordconv_plan_new(m, NULL, &plan));
    if (c->desc.frame != NULL)
        check_ok(coordconv_plan_set_frames(plan, "x", 1, c->desc.frame));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &y));
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(layer);
    coordconv_tensor_unref(x);
    return y;
}

/* Layers of volumes have these coordinates themselves, the others work with axes of their own. */
static void check_value(const struct canvas *c, int64_t i, float got, test_real value)
{
    const double near = c->axes == 3 ? 0 : 5e-7 * (1 + fabs((double)value));

    if (!(fabs((double)got - (double)(float)value) <= near))
        fail_msg("value %d of %d axes: %.9g, a layer sees %.9g", (int)i, (int)c->axes, (double)got,
                 (double)value);
}

/* Side by side and in planes. */
static void check_canvas(const struct canvas *c)
{
    const int64_t n = c->channels;
    const int64_t height = c->axes > 1 ? c->desc.height : 1,
                  depth = c->axes > 2 ? c->desc.depth : 1;
    const int64_t pixels = depth * height * c->desc.width;
    coordconv_coords_desc beside = c->desc;
    float got[ROOM], planes[ROOM];
    coordconv_tensor *want = seen(c);

    beside.channel_stride = 1;
    beside.column_stride = n;
    beside.row_stride = n * c->desc.width;
    beside.slice_stride = beside.row_stride * height;
    check_ok(coordconv_coords_write(&beside, got));
    check_ok(coordconv_coords_write(&c->desc, planes));
    assert_int_equal(coordconv_tensor_count(want), n * pixels);
    for (int64_t i = 0; i < n * pixels; i++) {
        check_value(c, i, got[i], test_values(want)[i]);
        assert_true(planes[i % n * pixels + i / n] == got[i]);
    }
    coordconv_tensor_unref(want);
}

static void as_layers_see_them(void **state)
{
    uint64_t seed = 5;
    (void)state;

    for (int i = 0; i < 600; i++) {
        struct canvas c;

        draw(&c, &seed);
        check_canvas(&c);
    }
}

/* x, y and the radius of a convention's grid, in this library's order. */
static void check_published(const struct published *e, const char *name)
{
    const int pixels = e->height * e->width;
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    coordconv_coords_desc desc = { .struct_size = sizeof desc,
                                   .coords = COORDCONV_COORDS_XY |
                                             (e->has_radius ? COORDCONV_COORDS_RADIUS : 0),
                                   .height = e->height,
                                   .width = e->width,
                                   .grid = &convention.grid };
    float got[3 * 9];

    check_ok(coordconv_convention(name, &convention));
    check_ok(coordconv_coords_write(&desc, got));
    for (int i = 0; i < (e->has_radius ? 3 : 2) * pixels; i++) {
        const double *const want = i / pixels == 2                ? e->radius
                                   : (i / pixels == e->row_first) ? e->first
                                                                  : e->second;

        if (!published_near((double)got[i], want[i % pixels]))
            fail_msg("%s: value %d is %g, published %g", name, i, (double)got[i], want[i % pixels]);
    }
}

static void conventions_give_what_is_published(void **state)
{
    (void)state;

    published_each(check_published);
}

/* Strides of single samples and of a single channel are of no importance; others may run back. */
static void any_strides_that_keep_values_apart(void **state)
{
    static const float line[] = { -1, 0, 1 };
    coordconv_coords_desc desc = { .struct_size = sizeof desc,
                                   .coords = COORDCONV_COORDS_Y | COORDCONV_COORDS_PIXEL,
                                   .height = 2,
                                   .width = 2,
                                   .row_stride = -3,
                                   .column_stride = 2 };
    float got[6] = { 0 };
    (void)state;

    check_ok(coordconv_coords_write(&desc, got + 3)); /* its second row comes first in memory */
    for (int i = 0; i < 6; i++)
        assert_true(got[i] == (i == 0 || i == 2 ? 1.0F : 0.0F));
    desc = (coordconv_coords_desc){ .struct_size = sizeof desc,
                                    .coords = COORDCONV_COORDS_X,
                                    .height = 1,
                                    .width = 3,
                                    .channel_stride = 1,
                                    .column_stride = 1 };
    check_values(&desc, line, 3);
}

static void bad_arguments_are_refused(void **state)
{
    const coordconv_coords_desc good = {
        .struct_size = sizeof good, .coords = COORDCONV_COORDS_XY, .height = 2, .width = 3
    };
    const coordconv_grid_desc bad_grid = { .struct_size = sizeof bad_grid, .sampling = 9 };
    const coordconv_grid_desc swapped = { .struct_size = sizeof swapped,
                                          .sampling = COORDCONV_SAMPLING_SWAPPED };
    const coordconv_frame_desc of_volume[] = { { .struct_size = sizeof *of_volume, .depth = 2 },
                                               { .struct_size = sizeof *of_volume, .z = 1 },
                                               { .struct_size = sizeof *of_volume, .step_z = 1 } };
    const coordconv_frame_desc of_image[] = { { .struct_size = sizeof *of_image, .height = 9 },
                                              { .struct_size = sizeof *of_image, .y = -1 },
                                              { .struct_size = sizeof *of_image, .step_y = 1 } };
    float dst[ROOM];
    (void)state;

#define REFUSED(change, status, text)                                                              \
    do {                                                                                           \
        coordconv_coords_desc d = good;                                                            \
        change;                                                                                    \
        memset(dst, 0x5a, sizeof dst);                                                             \
        check_fails(coordconv_coords_write(&d, dst), COORDCONV_ERR_##status, text);                \
        for (size_t byte = 0; byte < sizeof dst; byte++)                                           \
            assert_int_equal(((const unsigned char *)dst)[byte], 0x5a);                            \
    } while (0)
#define LINE                                                                                       \
    d.height = 0;                                                                                  \
    d.coords = COORDCONV_COORDS_X
    REFUSED(d.struct_size = 8, ABI, "struct_size 8");
    REFUSED(d.coords = 0, INVALID, "coords");
    REFUSED(d.coords = 64, INVALID, "coords");
    REFUSED(d.coords = COORDCONV_COORDS_PIXEL, INVALID, "coords");
    REFUSED(d.coords = COORDCONV_COORDS_Z, INVALID, "coords");
    REFUSED(d.height = 0, INVALID, "coords");
    REFUSED(d.width = 0, INVALID, "width is 0");
    REFUSED(d.height = -1, INVALID, "height is -1");
    REFUSED(d.depth = -1, INVALID, "depth is -1");
    REFUSED(d.depth = 2; d.height = 0, INVALID, "height is 0");
    REFUSED(d.width = INT64_C(1) << 31, INVALID, "2147483648");
    REFUSED(d.depth = d.height = d.width = INT32_MAX, INVALID, "canvas");
    REFUSED(d.grid = &bad_grid, INVALID, "sampling is 9");
    REFUSED(d.depth = 1; d.grid = &swapped, INVALID, "swaps two axes");
    REFUSED(LINE; d.grid = &swapped, INVALID, "swaps two axes");
    for (int i = 0; i < 3; i++) {
        REFUSED(d.frame = &of_volume[i], INVALID, "frame z");
        REFUSED(LINE; d.frame = &of_volume[i], INVALID, "frame z");
        REFUSED(LINE; d.frame = &of_image[i], INVALID, "frame y");
    }
    REFUSED(d.column_stride = 1, INVALID, "stride 0, 0, 0, 1 let values share");
    REFUSED(LINE | COORDCONV_COORDS_RADIUS; d.column_stride = 1, INVALID, "share their places");
    REFUSED(d.column_stride = 1; d.row_stride = 3; d.channel_stride = 5, INVALID, "share");
    REFUSED(d.column_stride = -1; d.row_stride = 2; d.channel_stride = 6, INVALID, "share");
    REFUSED(d.depth = 2; d.column_stride = 1; d.row_stride = 3; d.slice_stride = -5;
            d.channel_stride = 12, INVALID, "share");
    REFUSED(d.column_stride = 1; d.row_stride = INT64_MIN;
            d.channel_stride = 3, INVALID, "reach of the strides");
    check_fails(coordconv_coords_write(NULL, dst), COORDCONV_ERR_INVALID, "desc is NULL");
    check_fails(coordconv_coords_write(&good, NULL), COORDCONV_ERR_INVALID, "dst is NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(as_layers_see_them),
        cmocka_unit_test(conventions_give_what_is_published),
        cmocka_unit_test(any_strides_that_keep_values_apart),
        cmocka_unit_test(bad_arguments_are_refused),
    };

    context = test_context(1, NULL, NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    coordconv_context_unref(context);
    return failed;
}
