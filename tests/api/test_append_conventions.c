/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_append_conventions.c - coordconv_append beside pixels: channels, order and place of
 * what other implementations have.
 */
#include <math.h>
#include <string.h>

#include "published.h"
#include "support.h"

#define UNTOUCHED 4242.5F

static void conventions_order_channels(void **state)
{
    static const unsigned char grey[6] = { 10, 20, 30, 40, 50, 60 };
    static const float wizaron[] = { -1, -1, -1, 1, 1, 1, -1, 0,  1,  -1, 0,  1,
                                     1,  0,  1,  1, 0, 1, 10, 20, 30, 40, 50, 60 };
    static const float solo[] = { 10, 20, 30, 40, 50, 60, -1, 0, 1, -1, 0, 1, -1, -1, -1, 1, 1, 1 };
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_GREY,
                                      .dtype = COORDCONV_U8,
                                      .data = grey,
                                      .bytes = sizeof grey,
                                      .height = 2,
                                      .width = 3 };
    coordconv_append_desc d = { .struct_size = sizeof d,
                                .convention = "wizaron",
                                .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS };
    float got[24];
    (void)state;

    check_ok(coordconv_append(NULL, &p, &d, got, 24));
    for (int i = 0; i < 24; i++)
        if (wizaron[i] != 0 || i / 6 != 2)
            assert_true(got[i] == wizaron[i]);
    assert_true(fabsf(got[13] - 0.70710678F) < 1e-7F && got[13] == got[16]);
    d.convention = "solo";
    check_fails(coordconv_append(NULL, &p, &d, got, 24), COORDCONV_ERR_INVALID, "no radius");
    d.coords = 0;
    check_ok(coordconv_append(NULL, &p, &d, got, 18));
    assert_memory_equal(got, solo, sizeof solo);
}

/* The plane of an image of so many pixels against published values. */
static void check_plane(const char *name, const float *got, const double *want, int pixels)
{
    for (int i = 0; i < pixels; i++)
        if (!published_near((double)got[i], want[i]))
            fail_msg("%s: value %d is %g, published %g", name, i, (double)got[i], want[i]);
}

/* All that is published, beside pixels: each plane in its place. */
static void check_published(const struct published *e, const char *name)
{
    static const unsigned char grey[9] = { 10, 20, 30, 40, 50, 60, 70, 80, 90 };
    const int pixels = e->height * e->width, y_alone = strcmp(name, "batdetect2") == 0;
    const int coords = (y_alone ? 1 : 2) + e->has_radius;
    const int at = e->before ? 0 : 1; /* of the first of them */
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_GREY,
                                      .dtype = COORDCONV_U8,
                                      .data = grey,
                                      .bytes = (size_t)pixels,
                                      .height = e->height,
                                      .width = e->width };
    const coordconv_append_desc d = { .struct_size = sizeof d,
                                      .convention = name,
                                      .coords = e->has_radius
                                                    ? COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS
                                                    : 0 };
    float got[36];

    for (int i = 0; i < 36; i++)
        got[i] = UNTOUCHED;
    check_ok(coordconv_append(NULL, &p, &d, got, (size_t)((1 + coords) * pixels)));
    for (int i = 0; i < pixels; i++)
        assert_true(got[(e->before ? coords : 0) * pixels + i] == (float)grey[i]);
    check_plane(name, got + at * pixels, e->first, pixels);
    if (!y_alone)
        check_plane(name, got + (at + 1) * pixels, e->second, pixels);
    if (e->has_radius)
        check_plane(name, got + (at + 2) * pixels, e->radius, pixels);
    for (int i = (1 + coords) * pixels; i < 36; i++)
        assert_true(got[i] == UNTOUCHED);
}

static void conventions_give_what_is_published(void **state)
{
    (void)state;

    published_each(check_published);
}

/* CondInst: where the instance at (c, d) of size s lies from each cell of a
 * stride of 8, x first, before the data. Its cells' places are 8 j + 4 and 8 i + 4. */
static void places_relative_to_an_instance(void **state)
{
    enum {
        H = 3,
        W = 5,
        C = 21,
        D = 9,
        S = 64
    };
    static const coordconv_channel relative[] = { { .kind = COORDCONV_CHANNEL_RAY_X },
                                                  { .kind = COORDCONV_CHANNEL_RAY_Y } };
    static const float mask[H * W] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_GREY,
                                      .dtype = COORDCONV_F32,
                                      .data = mask,
                                      .bytes = sizeof mask,
                                      .height = H,
                                      .width = W };
    const coordconv_frame_desc cells = {
        .struct_size = sizeof cells, .y = 4, .x = 4, .step_y = 8, .step_x = 8
    };
    const coordconv_append_desc d = { .struct_size = sizeof d,
                                      .before = 1,
                                      .channels = relative,
                                      .channel_count = 2,
                                      .frame = &cells,
                                      .center_x = C,
                                      .center_y = D,
                                      .focal_x = -S,
                                      .focal_y = -S };
    float got[3][H][W];
    (void)state;

    check_ok(coordconv_append(NULL, &p, &d, got[0][0], 3 * H * W));
    for (int i = 0; i < H; i++) {
        for (int j = 0; j < W; j++) {
            assert_true(got[0][i][j] == (float)(C - (8 * j + 4)) / S);
            assert_true(got[1][i][j] == (float)(D - (8 * i + 4)) / S);
            assert_true(got[2][i][j] == mask[i * W + j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conventions_order_channels),
        cmocka_unit_test(conventions_give_what_is_published),
        cmocka_unit_test(places_relative_to_an_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
