/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_coords.c - coordinate channels against numbers worked out by hand, on
 * canvases that are not square, and against the symmetries they must have.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

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
    static const int32_t want[8] = { 0, 2, 1, 3, 0, 2, 1, 3 };
    (void)state;

    for (uint32_t flags = 0; flags < 8; flags++)
        assert_int_equal(coordconv_coords_channels(flags), want[flags]);
    assert_int_equal(coordconv_coords_channels(8), -1);
    assert_int_equal(coordconv_coords_channels(UINT32_MAX), -1);
}

static void bad_arguments_are_refused(void **state)
{
    float one = 42;
    (void)state;

    check_fails(coordconv_coords_fill(XYR, 1, 1, NULL, 1, 1, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_coords_fill(0, 1, 1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x0");
    check_fails(coordconv_coords_fill(COORDCONV_COORDS_PIXEL, 1, 1, &one, 1, 1, 1),
                COORDCONV_ERR_INVALID, "no channel");
    check_fails(coordconv_coords_fill(9, 1, 1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x9");
    check_fails(coordconv_coords_fill(XYR, 0, 3, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "0x3");
    check_fails(coordconv_coords_fill(XYR, 3, -1, &one, 1, 1, 1), COORDCONV_ERR_INVALID, "3x-1");
    check_fails(coordconv_coords_fill(XYR, INT64_C(1) << 31, 1, &one, 1, 1, 1),
                COORDCONV_ERR_INVALID, "2147483648x1");
    assert_true(one == 42);
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
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
