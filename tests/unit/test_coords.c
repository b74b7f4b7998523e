/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_coords.c - coordinate channels against numbers worked out by hand, on
 * canvases that are not square, and against the symmetries they must have.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "support.h"

#include "core/coords.h"

#define XYR (COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS)

static void check_planes(uint32_t flags, int64_t height, int64_t width, int32_t channels,
                         const float *want)
{
    float got[64];
    const int64_t plane = height * width;

    assert_true(channels * plane < (int64_t)COUNT(got));
    for (size_t i = 0; i < COUNT(got); i++)
        got[i] = 42;
    check_ok(coordconv_coords_fill(flags, height, width, got, plane, width, 1));
    for (int64_t i = 0; i < channels * plane; i++)
        assert_true(got[i] == want[i]);
    for (size_t i = (size_t)(channels * plane); i < COUNT(got); i++)
        assert_true(got[i] == 42);
}

#define R2 0x1.6a09e6p+0f /* sqrt(2) in float */

static void two_rows_by_three_columns(void **state)
{
    static const float want[] = {
        -1, 0,  1,  -1, 0, 1,  /* x runs with the column */
        -1, -1, -1, 1,  1, 1,  /* y with the row */
        R2, 1,  R2, R2, 1, R2, /* no offset */
    };
    (void)state;
    check_planes(XYR, 2, 3, 3, want);
}

static void three_by_three(void **state)
{
    static const float want[] = {
        -1, 0,  1,  -1, 0, 1, -1, 0, 1, /* */
        -1, -1, -1, 0,  0, 0, 1,  1, 1, /* */
        R2, 1,  R2, 1,  0, 1, R2, 1, R2,
    };
    (void)state;
    check_planes(XYR, 3, 3, 3, want);
}

static void single_rows_and_columns_are_the_middle(void **state)
{
    static const float row[] = { -1, 0, 1, 0, 0, 0, 1, 0, 1 };
    static const float column[] = { 0, 0, -1, 1, 1, 1 };
    static const float pixel[] = { 0, 0, 0 };
    (void)state;

    check_planes(XYR, 1, 3, 3, row);
    check_planes(XYR, 2, 1, 3, column);
    check_planes(XYR, 1, 1, 3, pixel);
}

static void radius_alone_is_one_channel(void **state)
{
    static const float want[] = { R2, 1, R2, R2, 1, R2 };
    (void)state;
    check_planes(COORDCONV_COORDS_RADIUS, 2, 3, 1, want);
}

static void pixels_count_from_the_top_left(void **state)
{
    static const float want[] = {
        0,
        1,
        2,
        3,
        0,
        1,
        2,
        3, /* */
        0,
        0,
        0,
        0,
        1,
        1,
        1,
        1, /* */
        0,
        1,
        2,
        3,
        1,
        R2,
        0x1.1e377ap+1f, /* sqrt(5) */
        0x1.94c584p+1f, /* sqrt(10) */
    };
    (void)state;
    check_planes(XYR | COORDCONV_COORDS_PIXEL, 2, 4, 3, want);
}

/* The canvas of the paper: steps of 2/63, no sample at 0. */
static void sixty_four_by_sixty_four(void **state)
{
    static const struct {
        int k;
        double want;
    } known[] = { { 0, -1 },         { 4, -0.8730159 }, { 31, -0.0158730 },
                  { 32, 0.0158730 }, { 59, 0.8730159 }, { 63, 1 } };
    static float at[3][64][64];
    (void)state;

    check_ok(coordconv_coords_fill(XYR, 64, 64, at[0][0], 64 * 64, 64, 1));
    for (size_t i = 0; i < COUNT(known); i++) {
        for (int other = 0; other < 64; other++) {
            assert_true(fabs(at[0][other][known[i].k] - known[i].want) < 5e-8);
            assert_true(fabs(at[1][known[i].k][other] - known[i].want) < 5e-8);
        }
    }
    assert_true(fabs(at[2][0][0] - 1.4142136) < 1e-7);
    assert_true(fabs(at[2][31][31] - 0.0224478) < 5e-8);
}

/* Ends exact, mirror images equal but for the sign, rounded once: for every length. */
static void every_length_is_symmetric_with_exact_ends(void **state)
{
    enum {
        LONGEST = 600
    };
    float x[3 * LONGEST];
    (void)state;

    for (int64_t n = 2; n <= LONGEST; n++) {
        check_ok(coordconv_coords_fill(XYR, 1, n, x, n, n, 1));
        assert_true(x[0] == -1 && x[n - 1] == 1);
        for (int64_t k = 0; k < n; k++) {
            const double exact = 2.0 * (double)k / (double)(n - 1) - 1;

            assert_true(x[k] == -x[n - 1 - k]);
            assert_true(x[2 * n + k] == fabsf(x[k])); /* y is 0 */
            assert_true(fabs(x[k] - exact) <= fabs(exact) * 0x1p-24 + 2 * DBL_EPSILON);
        }
    }
}

static void interleaved_memory_is_reached(void **state)
{
    enum {
        H = 3,
        W = 5,
        C = 4,
        PAD = 2
    }; /* one data channel in front, rows with a gap */
    float image[H][W * C + PAD];
    (void)state;

    for (int i = 0; i < H; i++)
        for (int j = 0; j < W * C + PAD; j++)
            image[i][j] = 42;
    check_ok(coordconv_coords_fill(XYR, H, W, &image[0][1], 1, W * C + PAD, C));
    for (int i = 0; i < H; i++) {
        for (int j = 0; j < W; j++) {
            const float *at = &image[i][j * C];

            assert_true(at[0] == 42);
            assert_true(at[1] == (float)(j - 2) / 2);
            assert_true(at[2] == (float)(i - 1));
            assert_true(fabsf(at[3] - sqrtf(at[1] * at[1] + at[2] * at[2])) < 1e-7f);
        }
        assert_true(image[i][W * C] == 42 && image[i][W * C + 1] == 42);
    }
}

static void wide_canvases_keep_exact_pixels(void **state)
{
    enum {
        WIDE = 1 << 24
    };
    float *x = malloc(sizeof *x * 2 * WIDE);
    (void)state;

    assert_non_null(x);
    check_ok(coordconv_coords_fill(COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, 1, WIDE, x, WIDE,
                                   WIDE, 1));
    for (int32_t j = 0; j < WIDE; j += 4095)
        assert_true((int32_t)x[j] == j);
    free(x);
}

/* What layers use: the public function rounds the same values to float. */
static void internal_values_are_the_public_ones(void **state)
{
    enum {
        H = 7,
        W = 4,
        PARTS = 3,
        ALL = 3 * H * W
    };
    float want[ALL];
    cconv_real got[ALL];
    (void)state;

    check_ok(coordconv_coords_fill(XYR, H, W, want, H * W, W, 1));
    for (int i = 0; i < PARTS; i++)
        cconv_coords_values(XYR, i, PARTS, H, W, got, H * W, W, 1);
    for (int i = 0; i < ALL; i++)
        assert_true((float)got[i] == want[i]);
    assert_true(cconv_coords_axis(COORDCONV_COORDS_XY, 1, 4) == -1.0 / 3);
    assert_true(cconv_coords_axis(COORDCONV_COORDS_PIXEL, 3, 4) == 3);
}

static void channels_are_counted(void **state)
{
    static const int32_t want[32] = { 0, 2, 1, 3, 0, 2, 1, 3, 1, 2, 2, 3, 1, 2, 2, 3,
                                      1, 2, 2, 3, 1, 2, 2, 3, 2, 2, 3, 3, 2, 2, 3, 3 };
    (void)state;

    for (uint32_t flags = 0; flags < COUNT(want); flags++)
        assert_int_equal(coordconv_coords_channels(flags), want[flags]);
    assert_int_equal(coordconv_coords_channels(32), -1);
    assert_int_equal(coordconv_coords_channels(UINT32_MAX), -1);
}

/* x and y by themselves, with and without a radius, are the channels of all three. */
static void single_axes_are_filled(void **state)
{
    static const uint32_t flags[] = { COORDCONV_COORDS_X, COORDCONV_COORDS_Y,
                                      COORDCONV_COORDS_X | COORDCONV_COORDS_Y };
    float all[3][3][4], some[3][3][4];
    (void)state;

    for (uint32_t more = 0; more < 8; more++) {
        const uint32_t f = flags[more % 3] | (more & COORDCONV_COORDS_PIXEL);
        const int count = more % 3 == 2 ? 2 : 1;

        check_ok(coordconv_coords_fill(XYR | (more & COORDCONV_COORDS_PIXEL), 3, 4, all[0][0], 12,
                                       4, 1));
        check_ok(coordconv_coords_fill(f | (more & COORDCONV_COORDS_RADIUS), 3, 4, some[0][0], 12,
                                       4, 1));
        assert_memory_equal(some[0], all[more % 3 == 1], sizeof all[0]);
        if (count == 2)
            assert_memory_equal(some[1], all[1], sizeof all[0]);
        if (more & COORDCONV_COORDS_RADIUS)
            assert_memory_equal(some[count], all[2], sizeof all[0]);
    }
}

static void bad_arguments_are_refused(void **state)
{
    float one = 42;
    (void)state;

    check_fails(coordconv_coords_fill(XYR, 1, 1, NULL, 1, 1, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_coords_fill(0, 1, 1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x0");
    check_fails(coordconv_coords_fill(COORDCONV_COORDS_PIXEL, 1, 1, &one, 1, 1, 1),
                COORDCONV_ERR_INVALID, "no channel");
    check_fails(coordconv_coords_fill(33, 1, 1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x21");
    check_fails(coordconv_coords_fill(XYR, 0, 3, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x3");
    check_fails(coordconv_coords_fill(XYR, 3, -1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "3x-1");
    check_fails(coordconv_coords_fill(XYR, INT64_C(1) << 31, 1, &one, 1, 1, 1),
                COORDCONV_ERR_INVALID, "2147483648x1");
    assert_true(one == 42);
}

/* ---- conventions ---- */

static struct cconv_place place_of(const coordconv_frame_desc *frame, int64_t height, int64_t width)
{
    const int64_t extent[CCONV_AXES] = { height, width, 1 };
    struct cconv_place place = cconv_place_whole(extent);

    check_ok(cconv_place_read(NULL, "test", frame, 2, &place));
    return place;
}

static void check_values(const struct published *e, const coordconv_convention_desc *d)
{
    struct cconv_grid grid;
    struct cconv_place place;
    struct cconv_axis along_y, along_x;
    double most;

    check_ok(cconv_grid_read(NULL, "test", &d->grid, &grid));
    place = place_of(NULL, e->height, e->width);
    along_y = cconv_axis(&grid, &place, CCONV_Y);
    along_x = cconv_axis(&grid, &place, CCONV_X);
    most = cconv_radius_most(&grid, 2, &place);
    for (int i = 0; i < e->height; i++) {
        for (int j = 0; j < e->width; j++) {
            const double y = cconv_axis_value(&along_y, i), x = cconv_axis_value(&along_x, j);
            const double yx[] = { y, x };
            const int at = i * e->width + j;

            assert_true(published_near(e->row_first ? y : x, e->first[at]));
            assert_true(published_near(e->row_first ? x : y, e->second[at]));
            if (e->has_radius)
                assert_true(published_near(cconv_radius_value(&grid, 2, yx, most), e->radius[at]));
        }
    }
}

static void check_convention(const struct published *e, const char *name)
{
    coordconv_convention_desc d = { .struct_size = sizeof d };

    check_ok(coordconv_convention(name, &d));
    assert_int_equal(d.row_first, e->row_first);
    assert_int_equal(d.before, e->before);
    assert_int_equal(d.coords & (COORDCONV_COORDS_XY | COORDCONV_COORDS_Y),
                     strcmp(name, "batdetect2") == 0 ? COORDCONV_COORDS_Y : COORDCONV_COORDS_XY);
    if (strcmp(name, "ashwindcruz") != 0)
        assert_int_equal((d.coords & COORDCONV_COORDS_RADIUS) != 0, e->has_radius);
    assert_int_equal(d.struct_size, sizeof d);
    assert_int_equal(d.grid.struct_size, sizeof d.grid);
    check_values(e, &d);
}

static void conventions_give_what_they_are_known_for(void **state)
{
    (void)state;

    published_each(check_convention);
}

/* A program of 0.1 has room for the grid of 0.1, whatever the library's grid has become; one of
 * later times gets no more than the library knows. */
static void conventions_fit_what_callers_know(void **state)
{
    enum {
        OF_0_1 = 48,
        GRID_OF_0_1 = 32
    };
    union {
        coordconv_convention_desc desc;
        unsigned char bytes[sizeof(coordconv_convention_desc) + 8];
    } u;
    const uint32_t all = sizeof u.bytes;
    (void)state;

    memset(&u, 0, sizeof u);
    memset(u.bytes + OF_0_1, 0x5a, sizeof u.bytes - OF_0_1);
    u.desc.struct_size = OF_0_1;
    check_ok(coordconv_convention("monai", &u.desc));
    assert_int_equal(u.desc.struct_size, OF_0_1);
    assert_int_equal(u.desc.grid.struct_size, GRID_OF_0_1);
    assert_int_equal(u.desc.grid.single, COORDCONV_SINGLE_LOW);
    for (size_t i = OF_0_1; i < sizeof u.bytes; i++)
        assert_int_equal(u.bytes[i], 0x5a);
    memset(&u, 0, sizeof u);
    u.desc.struct_size = all;
    check_ok(coordconv_convention("monai", &u.desc));
    assert_int_equal(u.desc.struct_size, all);
    assert_int_equal(u.desc.grid.struct_size, sizeof u.desc.grid);
}

static struct cconv_axis whole_axis(const coordconv_grid_desc *desc, int64_t n)
{
    struct cconv_grid grid;
    struct cconv_place place;

    check_ok(cconv_grid_read(NULL, "test", desc, &grid));
    place = place_of(NULL, 7, n);
    return cconv_axis(&grid, &place, CCONV_X);
}

/* One dimension, and the paper's canvas. */
static void one_axis_has_the_same_values(void **state)
{
    static const double three[] = { -1, 0, 1 }, radius[] = { 1.5, 0.5, 0.5 };
    static const double at[][2] = { { 0, -1 },         { 4, -0.8730159 }, { 31, -0.0158730 },
                                    { 32, 0.0158730 }, { 59, 0.8730159 }, { 63, 1 } };
    coordconv_convention_desc d = { .struct_size = sizeof d };
    struct cconv_axis a;
    (void)state;

    check_ok(coordconv_convention("walsvid", &d));
    a = whole_axis(&d.grid, 3);
    for (int k = 0; k < 3; k++) {
        assert_true(cconv_axis_value(&a, k) == three[k]);
        assert_true(fabs(cconv_axis_value(&a, k) - 0.5) == radius[k]);
    }
    a = whole_axis(&d.grid, 64);
    for (size_t i = 0; i < COUNT(at); i++)
        assert_true(fabs(cconv_axis_value(&a, at[i][0]) - at[i][1]) < 5e-8);
    assert_true(fabs(cconv_axis_slope(&a) - 0.0317460) < 5e-8);
}

static void our_own_axis_has_the_same_bits(void **state)
{
    (void)state;

    for (int64_t n = 1; n < 300; n++) {
        const struct cconv_axis a = whole_axis(NULL, n);

        for (int64_t k = 0; k < n; k++)
            assert_true(cconv_axis_value(&a, (double)k) ==
                        cconv_coords_axis(COORDCONV_COORDS_XY, k, n));
    }
}

static const int32_t samplings[] = { COORDCONV_SAMPLING_ALIGNED, COORDCONV_SAMPLING_START,
                                     COORDCONV_SAMPLING_CENTER, COORDCONV_SAMPLING_PIXEL,
                                     COORDCONV_SAMPLING_SWAPPED };

/* Part of an image, mirrored or not: the bits of the whole image at the same places. */
static void frames_keep_places(void **state)
{
    (void)state;

    for (size_t s = 0; s < COUNT(samplings); s++) {
        for (int mirrored = 0; mirrored < 2; mirrored++) {
            const coordconv_grid_desc grid_desc = {
                .struct_size = sizeof grid_desc, .sampling = samplings[s], .low = -0.3, .high = 7.1
            };
            const coordconv_frame_desc frame = { .struct_size = sizeof frame,
                                                 .y = 5,
                                                 .x = mirrored ? 40 : 11,
                                                 .step_x = mirrored ? -2 : 2,
                                                 .height = 37,
                                                 .width = 53 };
            struct cconv_grid grid;
            struct cconv_place part, whole;
            struct cconv_axis a, b;

            check_ok(cconv_grid_read(NULL, "test", &grid_desc, &grid));
            part = place_of(&frame, 6, 9);
            whole = place_of(NULL, 37, 53);
            a = cconv_axis(&grid, &part, CCONV_X);
            b = cconv_axis(&grid, &whole, CCONV_X);
            for (int k = 0; k < 9; k++)
                assert_true(cconv_axis_value(&a, k) ==
                            cconv_axis_value(&b, mirrored ? 40 - 2 * k : 11 + 2 * k));
            a = cconv_axis(&grid, &part, CCONV_Y);
            b = cconv_axis(&grid, &whole, CCONV_Y);
            for (int k = 0; k < 6; k++)
                assert_true(cconv_axis_value(&a, k) == cconv_axis_value(&b, 5 + k));
            assert_true(cconv_radius_most(&grid, 2, &part) == cconv_radius_most(&grid, 2, &whole));
        }
    }
}

static void radii_differ_as_said(void **state)
{
    static const double want[] = { 5, 0, 1, 0 };
    (void)state;

    for (int32_t radius = 0; radius < 4; radius++) {
        /* from -3 to 9, so 3 is in the middle; the largest plain radius is 10 */
        const struct cconv_grid grid = { .low = -3, .high = 9, .radius = radius };
        const double middle = radius == COORDCONV_RADIUS_OFFSET ? 0.5 : 3;
        const double y = radius == COORDCONV_RADIUS_PLAIN ? 4 : middle;
        const double x = radius == COORDCONV_RADIUS_NORMALIZED ? 9.5393920141694561 : middle;
        const double yx[] = { y, x };

        assert_true(published_near(cconv_radius_value(&grid, 2, yx, 10), want[radius]));
    }
}

static void bad_grids_and_frames_are_refused(void **state)
{
    const coordconv_grid_desc good = { .struct_size = sizeof good };
    const coordconv_frame_desc whole = { .struct_size = sizeof whole };
    coordconv_convention_desc d = { .struct_size = sizeof d };
    struct cconv_grid grid = { .low = 42 };
    struct cconv_place place = { .first = { 42 } };
    int32_t axes = 2;
    (void)state;

#define REFUSED(type, read, from, field, bad, text)                                                \
    do {                                                                                           \
        type desc = from;                                                                          \
        desc.field = bad;                                                                          \
        check_fails(read, COORDCONV_ERR_INVALID, text);                                            \
    } while (0)
#define BAD_GRID(field, bad, text)                                                                 \
    REFUSED(coordconv_grid_desc, cconv_grid_read(NULL, "grid", &desc, &grid), good, field, bad,    \
            text)
#define BAD_FRAME(field, bad, text)                                                                \
    REFUSED(coordconv_frame_desc, cconv_place_read(NULL, "frame", &desc, axes, &place), whole,     \
            field, bad, text)
    BAD_GRID(sampling, 5, "sampling is 5");
    BAD_GRID(sampling, -1, "sampling is -1");
    BAD_GRID(radius, 4, "radius is 4");
    BAD_GRID(single, 2, "single is 2");
    BAD_GRID(low, NAN, "low is nan");
    BAD_GRID(high, INFINITY, "high is inf");
    BAD_GRID(low, -1e10, "-1e+10");
    BAD_GRID(low = desc.high, 2.5, "both 2.5");
    BAD_GRID(sampling = COORDCONV_SAMPLING_PIXEL; desc.radius, COORDCONV_RADIUS_CENTERED, "range");
    BAD_FRAME(y, NAN, "frame y is nan");
    BAD_FRAME(x, 1e300, "frame x");
    BAD_FRAME(step_y, -INFINITY, "step_y is -inf");
    BAD_FRAME(step_x, 3e9, "step_x");
    BAD_FRAME(height, -1, "height is -1");
    BAD_FRAME(width, INT64_C(1) << 31, "2147483648");
    BAD_FRAME(z, 1, "frame z");
    BAD_FRAME(step_z, 1, "frame z");
    BAD_FRAME(depth, 1, "frame z");
    axes = 1;
    BAD_FRAME(y, 1, "frame y where");
    BAD_FRAME(step_y, 1, "frame y where");
    BAD_FRAME(height, 1, "frame y where");
    BAD_FRAME(depth, 1, "frame z where");
    BAD_FRAME(x, NAN, "frame x is nan");
    axes = 3;
    BAD_FRAME(z, -3e9, "frame z is -3e+09");
    BAD_FRAME(step_z, NAN, "step_z is nan");
    BAD_FRAME(depth, -1, "depth is -1");
    assert_true(grid.low == 42 && place.first[CCONV_Y] == 42);
    /* As it was before it had a z. */
    const coordconv_frame_desc flat = { .struct_size = offsetof(coordconv_frame_desc, z),
                                        .y = 5,
                                        .z = 9 };
    check_ok(cconv_place_read(NULL, "frame", &flat, 3, &place));
    assert_true(place.first[CCONV_Y] == 5 && place.first[CCONV_Z] == 0);

    check_fails(coordconv_convention("SOLO", &d), COORDCONV_ERR_NOT_FOUND, "\"SOLO\"");
    check_fails(coordconv_convention("", &d), COORDCONV_ERR_NOT_FOUND, "\"\"");
    d.struct_size = 4;
    check_fails(coordconv_convention("solo", &d), COORDCONV_ERR_ABI, "struct_size 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_rows_by_three_columns),
        cmocka_unit_test(three_by_three),
        cmocka_unit_test(single_rows_and_columns_are_the_middle),
        cmocka_unit_test(radius_alone_is_one_channel),
        cmocka_unit_test(pixels_count_from_the_top_left),
        cmocka_unit_test(sixty_four_by_sixty_four),
        cmocka_unit_test(every_length_is_symmetric_with_exact_ends),
        cmocka_unit_test(interleaved_memory_is_reached),
        cmocka_unit_test(wide_canvases_keep_exact_pixels),
        cmocka_unit_test(internal_values_are_the_public_ones),
        cmocka_unit_test(channels_are_counted),
        cmocka_unit_test(single_axes_are_filled),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(conventions_give_what_they_are_known_for),
        cmocka_unit_test(conventions_fit_what_callers_know),
        cmocka_unit_test(one_axis_has_the_same_values),
        cmocka_unit_test(our_own_axis_has_the_same_bits),
        cmocka_unit_test(frames_keep_places),
        cmocka_unit_test(radii_differ_as_said),
        cmocka_unit_test(bad_grids_and_frames_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
