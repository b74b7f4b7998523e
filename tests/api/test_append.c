/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_append.c - coordconv_append: pixels of every layout against a loop over them, coordinates
 * against their formulas, parts of images against the whole, and arguments that are refused.
 * Conventions are in test_append_conventions.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define UNTOUCHED 4242.5F
#define PI        3.14159265358979323846

/* ---- any layout ---- */

/* Position of red (or grey), green, blue, alpha in a format, and their number. */
static const struct {
    int channels, place[4];
} formats[] = { { 0, { 0 } },       { 1, { 0 } },          { 3, { 0, 1, 2 } },
                { 3, { 2, 1, 0 } }, { 4, { 0, 1, 2, 3 } }, { 4, { 2, 1, 0, 3 } } };

static uint64_t below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((test_random(state) + 1) / 2 * (double)n);
}

struct image {
    coordconv_pixels_desc desc;
    unsigned char *memory;
};

/* Exactly the bytes that may be read, so that a sanitizer sees one too many. */
static struct image random_image(uint64_t *state, int64_t height, int64_t width)
{
    struct image im = { .desc = { .struct_size = sizeof im.desc,
                                  .format = (int32_t)(1 + below(state, 5)),
                                  .dtype = below(state, 2) ? COORDCONV_F32 : COORDCONV_U8,
                                  .planar = (int32_t)below(state, 2),
                                  .height = height,
                                  .width = width } };
    const int64_t channels = formats[im.desc.format].channels;
    const int64_t size = im.desc.dtype == COORDCONV_U8 ? 1 : 4;
    const int64_t row = width * size * (im.desc.planar ? 1 : channels);
    const int64_t stride = row + size * (int64_t)below(state, 3) * 5;
    const int64_t plane = height * stride + size * (int64_t)below(state, 2) * 7;
    const size_t all =
        (size_t)((height - 1) * stride + row + (im.desc.planar ? (channels - 1) * plane : 0));
    const int upwards = below(state, 3) == 0;

    im.memory = malloc(all);
    assert_non_null(im.memory);
    for (size_t i = 0; i < all; i++)
        im.memory[i] = (unsigned char)below(state, 256);
    for (size_t i = 0; size == 4 && i < all / 4; i++)
        ((float *)(void *)im.memory)[i] = (float)test_random(state);
    im.desc.data = im.memory + (upwards ? (height - 1) * stride : 0);
    im.desc.row_stride = upwards ? -stride : stride == row && below(state, 2) ? 0 : stride;
    im.desc.plane_stride = im.desc.planar && channels > 1 ? plane : 0;
    im.desc.bytes = upwards ? 0 : all;
    return im;
}

static float pixel(const coordconv_pixels_desc *p, int64_t i, int64_t j, int64_t c)
{
    const int64_t channels = formats[p->format].channels, size = p->dtype == COORDCONV_U8 ? 1 : 4;
    const int64_t row =
        p->row_stride != 0 ? p->row_stride : p->width * size * (p->planar ? 1 : channels);
    const unsigned char *const at =
        (const unsigned char *)p->data + i * row +
        (p->planar ? c * p->plane_stride + j * size : (j * channels + c) * size);

    return size == 1 ? (float)*at : *(const float *)(const void *)at;
}

static void random_strides(uint64_t *state, coordconv_append_desc *d, int64_t channels,
                           int64_t height, int64_t width)
{
    const int64_t gap = (int64_t)below(state, 3);

    switch (below(state, 5)) {
    case 0:
        return; /* all 0 */
    case 1:     /* NHWC */
        d->channel_stride = 1;
        d->column_stride = channels;
        d->row_stride = width * channels + gap;
        return;
    case 2: /* among other channels */
        d->channel_stride = 1;
        d->column_stride = channels + 1 + gap;
        d->row_stride = width * d->column_stride;
        return;
    case 3: /* planar, with gaps */
        d->column_stride = 1;
        d->row_stride = width + gap;
        d->channel_stride = height * d->row_stride + gap;
        return;
    default: /* columns last */
        d->channel_stride = 1;
        d->row_stride = channels;
        d->column_stride = height * channels + gap;
    }
}

/* The stride along a single column is of no importance. */
static void random_layout(uint64_t *state, coordconv_append_desc *d, int64_t channels,
                          int64_t height, int64_t width)
{
    random_strides(state, d, channels, height, width);
    if (width == 1 && d->column_stride != 0)
        d->column_stride = 1 + (int64_t)below(state, (uint64_t)channels + 3);
}

static const coordconv_channel many[] = {
    { COORDCONV_CHANNEL_Y, 0, 0, 0 },          { COORDCONV_CHANNEL_SINE, 0, 4, 0 },
    { COORDCONV_CHANNEL_COSINE, 0, 0, 2 },     { COORDCONV_CHANNEL_RADIUS, 0, 0, 0 },
    { COORDCONV_CHANNEL_X, 0, 0, 0 },          { COORDCONV_CHANNEL_ANGLE, 0, 0, 0 },
    { COORDCONV_CHANNEL_LOG_RADIUS, 0, 0, 0 }, { COORDCONV_CHANNEL_CENTERED_X, 0, 0, 0 },
    { COORDCONV_CHANNEL_FIELD_Y, 0, 0, 0 },    { COORDCONV_CHANNEL_RAY_Y, 0, 0, 0 },
    { COORDCONV_CHANNEL_SINE, 0, 1.5, -2.5 },  { COORDCONV_CHANNEL_RAY_X, 0, 0, 0 },
    { COORDCONV_CHANNEL_CENTERED_Y, 0, 0, 0 }, { COORDCONV_CHANNEL_FIELD_X, 0, 0, 0 },
    { COORDCONV_CHANNEL_COSINE, 0, 3, 1 },
};

/* Coordinates of an image alone, planar. */
static void coordinates_of(const coordconv_append_desc *like, int64_t height, int64_t width,
                           int32_t count, float *to)
{
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_GREY,
                                      .dtype = COORDCONV_U8,
                                      .height = height,
                                      .width = width };
    coordconv_append_desc d = *like;
    float *const planes = malloc((size_t)(count + 1) * (size_t)(height * width) * sizeof *planes);

    assert_non_null(planes);
    d.parts = COORDCONV_PARTS_COORDS;
    d.format = 0;
    d.before = 1;
    d.channel_stride = d.row_stride = d.column_stride = 0;
    check_ok(coordconv_append(NULL, &p, &d, planes, (size_t)((count + 1) * height * width)));
    memcpy(to, planes, (size_t)(count * height * width) * sizeof *planes);
    free(planes);
}

/* Values expected at every place of dst, as a loop over pixels has them. */
static void expect(const coordconv_pixels_desc *p, const coordconv_append_desc *d, int64_t data,
                   int64_t coords, const float *planes, float *want)
{
    const int32_t to = d->format != 0 ? d->format : p->format;
    const int dense = d->column_stride == 0;
    const int64_t sc = dense ? p->height * p->width : d->channel_stride;
    const int64_t sr = dense ? p->width : d->row_stride, sj = dense ? 1 : d->column_stride;

    for (int64_t i = 0; i < p->height; i++) {
        for (int64_t j = 0; j < p->width; j++) {
            float *const at = want + i * sr + j * sj;

            for (int colour = 0; colour < data && d->parts != COORDCONV_PARTS_COORDS; colour++) {
                const int c = formats[to].place[colour];
                const float scale = d->scale[c] != 0 ? d->scale[c] : 1;

                at[(c + (d->before ? coords : 0)) * sc] =
                    (pixel(p, i, j, formats[p->format].place[colour]) - d->mean[c]) * scale;
            }
            for (int k = 0; k < coords && d->parts != COORDCONV_PARTS_DATA; k++)
                at[(k + (d->before ? 0 : data)) * sc] = planes[(k * p->height + i) * p->width + j];
        }
    }
}

static int32_t random_target(uint64_t *state, int32_t from)
{
    int32_t to;

    do
        to = (int32_t)below(state, 6);
    while (formats[to].channels > formats[from].channels ||
           (to == COORDCONV_PIXELS_GREY && from != COORDCONV_PIXELS_GREY));
    return to;
}

static void check_random(coordconv_context *context, uint64_t *state)
{
    const int64_t height = 1 + (int64_t)below(state, 12);
    const uint64_t widths[] = { 1, 30, 90, 1200 };
    const int64_t width = 1 + (int64_t)below(state, widths[below(state, 4)]);
    struct image im = random_image(state, height, width);
    const int32_t coords = (int32_t)(1 + below(state, below(state, 3) ? 3 : COUNT(many)));
    coordconv_append_desc d = { .struct_size = sizeof d,
                                .parts = (int32_t)below(state, 3),
                                .format = random_target(state, im.desc.format),
                                .before = (int32_t)below(state, 2),
                                .channels = many,
                                .channel_count = coords,
                                .center_x = 3.5,
                                .center_y = -2,
                                .focal_x = 80,
                                .focal_y = -70,
                                .mean = { 127.5F, 0.3F },
                                .scale = { 1 / 255.0F, 0, 3 } };
    const int64_t data = formats[d.format != 0 ? d.format : im.desc.format].channels;
    float *const planes = malloc((size_t)(coords * height * width) * sizeof *planes);
    float *got, *want;
    size_t room;

    random_layout(state, &d, data + coords, height, width);
    room = (size_t)(d.column_stride == 0
                        ? (data + coords) * height * width
                        : (data + coords - 1) * d.channel_stride + (height - 1) * d.row_stride +
                              (width - 1) * d.column_stride + 1);
    got = malloc(room * sizeof *got);
    want = malloc(room * sizeof *want);
    assert_true(planes != NULL && got != NULL && want != NULL);
    for (size_t i = 0; i < room; i++)
        got[i] = want[i] = UNTOUCHED;
    coordinates_of(&d, height, width, coords, planes);
    expect(&im.desc, &d, data, coords, planes, want);
    check_ok(coordconv_append(context, &im.desc, &d, got, room));
    assert_memory_equal(got, want, room * sizeof *got);
    check_fails(coordconv_append(context, &im.desc, &d, got, room - 1), COORDCONV_ERR_SHAPE, "dst");
    free(im.memory);
    free(planes);
    free(got);
    free(want);
}

static void any_layout_is_read_and_written(void **state)
{
    uint32_t isas[TEST_MAX_ISAS];
    const size_t count = test_isas(isas);
    uint64_t seed = 1;
    (void)state;

    for (int n = 0; n < 400; n++)
        check_random(NULL, &seed);
    for (size_t i = 0; i < count; i++) {
        const coordconv_context_desc desc = { .struct_size = sizeof desc, .max_isa = isas[i] };
        coordconv_context *context = NULL;

        check_ok(coordconv_context_new(&desc, &context));
        for (int n = 0; n < 200; n++)
            check_random(context, &seed);
        coordconv_context_unref(context);
    }
}

/* Large enough to go past the caches, and for several tasks; rows that begin within a cache line.
 */
static void large_images_are_the_same_on_any_threads_and_allocate_nothing(void **state)
{
    enum {
        H = 701,
        W = 1333,
        WIDE = 1344 /* whole lines of cache */
    };
    const int64_t layouts[][3] = {
        { 0, 0, 0 }, { H * WIDE, WIDE, 1 }, { 1, 5 * W, 5 }, { 1, 5 * WIDE, 5 }
    };
    unsigned char *const pixels = malloc(3 * H * W);
    const size_t room = (size_t)5 * H * WIDE;
    float *const got = aligned_alloc(64, room * sizeof *got), *const want =
                                                                  malloc(room * sizeof *want);
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_BGR,
                                      .dtype = COORDCONV_U8,
                                      .data = pixels,
                                      .bytes = 3 * H * W,
                                      .height = H,
                                      .width = W };
    coordconv_append_desc d = { .struct_size = sizeof d, .format = COORDCONV_PIXELS_RGB };
    float *const planes = malloc(2 * H * W * sizeof *planes);
    struct test_heap heap;
    (void)state;

    test_heap_init(&heap);
    coordconv_context *const context = test_context(3, &heap, NULL);
    const size_t allocations = heap.calls;
    assert_true(pixels != NULL && got != NULL && want != NULL && planes != NULL);
    for (size_t i = 0; i < 3 * H * W; i++)
        pixels[i] = (unsigned char)(i * 2654435761U >> 13);
    check_ok(coordconv_coords_fill(COORDCONV_COORDS_XY, H, W, planes, H * W, W, 1));
    for (size_t layout = 0; layout < COUNT(layouts); layout++) {
        d.channel_stride = layouts[layout][0];
        d.row_stride = layouts[layout][1];
        d.column_stride = layouts[layout][2];
        for (size_t i = 0; i < room; i++)
            want[i] = UNTOUCHED;
        expect(&p, &d, 3, 2, planes, want);
        for (int threads = 0; threads < 2; threads++) {
            for (size_t i = 0; i < room; i++)
                got[i] = UNTOUCHED;
            check_ok(coordconv_append(threads ? context : NULL, &p, &d, got, room));
            assert_memory_equal(got, want, room * sizeof *got);
        }
    }
    assert_int_equal(heap.calls, allocations);
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    free(planes);
    free(pixels);
    free(got);
    free(want);
}

/* A frame of video: 321 pixels of 3 bytes are 963, the stride 964; one of its corners is taken. */
static void a_region_of_a_padded_frame(void **state)
{
    static unsigned char frame[5 * 964];
    float got[5][2][3];
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_BGR,
                                      .dtype = COORDCONV_U8,
                                      .data = frame + 2 * 964 + 318 * 3,
                                      .bytes = sizeof frame - 2 * 964 - 318 * 3,
                                      .height = 2,
                                      .width = 3,
                                      .row_stride = 964 };
    const coordconv_frame_desc place = {
        .struct_size = sizeof place, .y = 2, .x = 318, .height = 5, .width = 321
    };
    const coordconv_append_desc d = { .struct_size = sizeof d,
                                      .format = COORDCONV_PIXELS_RGB,
                                      .frame = &place };
    (void)state;

    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 321; j++)
            for (int c = 0; c < 3; c++)
                frame[i * 964 + j * 3 + c] = (unsigned char)(i * 50 + (j - 300) + c * 7);
    check_ok(coordconv_append(NULL, &p, &d, got[0][0], 30));
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            for (int c = 0; c < 3; c++)
                assert_true(got[c][i][j] == (float)((i + 2) * 50 + 18 + j + (2 - c) * 7));
            assert_true(got[3][i][j] == (float)((318 + j - 160) / 160.0));
            assert_true(got[4][i][j] == (float)(i * 0.5));
        }
    }
}

/* ---- coordinates ---- */

static double formula(const coordconv_channel *c, double x, double y, double u, double v)
{
    const double radius = sqrt(x * x + y * y);

    switch (c->kind) {
    case COORDCONV_CHANNEL_X:
        return x;
    case COORDCONV_CHANNEL_Y:
        return y;
    case COORDCONV_CHANNEL_RADIUS:
        return radius;
    case COORDCONV_CHANNEL_ANGLE:
        return radius == 0 ? 0 : y < 0 ? -acos(x / radius) : acos(x / radius);
    case COORDCONV_CHANNEL_LOG_RADIUS:
        return log2(fmax(radius, 1 / 1024.0)) * 0.69314718055994531;
    case COORDCONV_CHANNEL_CENTERED_X:
        return u - 3.5;
    case COORDCONV_CHANNEL_CENTERED_Y:
        return v + 2;
    case COORDCONV_CHANNEL_RAY_X:
        return (u - 3.5) / 80;
    case COORDCONV_CHANNEL_RAY_Y:
        return (v + 2) / -70;
    case COORDCONV_CHANNEL_FIELD_X:
        return asin((u - 3.5) / hypot(u - 3.5, 80));
    case COORDCONV_CHANNEL_FIELD_Y:
        return -asin((v + 2) / hypot(v + 2, 70));
    case COORDCONV_CHANNEL_SINE:
        return cos(PI * (c->a * x + c->b * y - 0.5));
    default:
        return cos(PI * c->a * x) * cos(PI * c->b * y) - sin(PI * c->a * x) * sin(PI * c->b * y);
    }
}

static void channels_are_what_they_say(void **state)
{
    static const int64_t sizes[][2] = { { 5, 9 }, { 1, 7 }, { 6, 1 }, { 1, 1 }, { 4, 530 } };
    static float got[COUNT(many) * 4 * 530];
    const coordconv_append_desc d = { .struct_size = sizeof d,
                                      .channels = many,
                                      .channel_count = COUNT(many),
                                      .center_x = 3.5,
                                      .center_y = -2,
                                      .focal_x = 80,
                                      .focal_y = -70 };
    (void)state;

    for (size_t s = 0; s < COUNT(sizes); s++) {
        const int64_t h = sizes[s][0], w = sizes[s][1];

        coordinates_of(&d, h, w, COUNT(many), got);
        for (int64_t at = 0; at < (int64_t)COUNT(many) * h * w; at++) {
            const int64_t k = at / (h * w), i = at / w % h, j = at % w;
            const double x = w == 1 ? 0 : 2.0 * (double)j / (double)(w - 1) - 1;
            const double y = h == 1 ? 0 : 2.0 * (double)i / (double)(h - 1) - 1;
            const double want = formula(&many[k], x, y, (double)j, (double)i);

            assert_true(fabs(got[at] - want) <= 1e-7 * (1 + fabs(want)));
        }
    }
}

/* The bits of coordconv_coords_fill, all three channels. */
static void our_own_way_is_that_of_coords_fill(void **state)
{
    static float want[3 * 37 * 601], got[3 * 37 * 601];
    const coordconv_append_desc d = { .struct_size = sizeof d,
                                      .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS };
    const coordconv_grid_desc pixels = { .struct_size = sizeof pixels,
                                         .sampling = COORDCONV_SAMPLING_PIXEL };
    coordconv_append_desc in_pixels = d;
    (void)state;

    check_ok(coordconv_coords_fill(d.coords, 37, 601, want, 37 * 601, 601, 1));
    coordinates_of(&d, 37, 601, 3, got);
    assert_memory_equal(got, want, sizeof want);
    in_pixels.grid = &pixels;
    check_ok(
        coordconv_coords_fill(d.coords | COORDCONV_COORDS_PIXEL, 37, 601, want, 37 * 601, 601, 1));
    coordinates_of(&in_pixels, 37, 601, 3, got);
    assert_memory_equal(got, want, sizeof want);
}

/* Flags choose among the channels of a convention, and keep its order. */
static void flags_choose_channels(void **state)
{
    static const struct {
        const char *convention;
        uint32_t coords;
        int32_t count, kind[3];
    } cases[] = {
        { NULL, COORDCONV_COORDS_X, 1, { COORDCONV_CHANNEL_X } },
        { NULL, COORDCONV_COORDS_Y, 1, { COORDCONV_CHANNEL_Y } },
        { NULL, COORDCONV_COORDS_RADIUS, 1, { COORDCONV_CHANNEL_RADIUS } },
        { NULL,
          COORDCONV_COORDS_X | COORDCONV_COORDS_Y,
          2,
          { COORDCONV_CHANNEL_X, COORDCONV_CHANNEL_Y } },
        { "mkocabas", 0, 2, { COORDCONV_CHANNEL_Y, COORDCONV_CHANNEL_X } },
        { "mkocabas",
          COORDCONV_COORDS_X | COORDCONV_COORDS_RADIUS,
          2,
          { COORDCONV_CHANNEL_X, COORDCONV_CHANNEL_RADIUS } },
        { "mkocabas",
          COORDCONV_COORDS_XY | COORDCONV_COORDS_Y | COORDCONV_COORDS_RADIUS,
          3,
          { COORDCONV_CHANNEL_Y, COORDCONV_CHANNEL_X, COORDCONV_CHANNEL_RADIUS } },
        { "batdetect2", 0, 1, { COORDCONV_CHANNEL_Y } },
        { "batdetect2", COORDCONV_COORDS_Y, 1, { COORDCONV_CHANNEL_Y } },
    };
    static float want[3 * 5 * 7], got[3 * 5 * 7];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const int32_t count = cases[i].count;
        coordconv_append_desc d = { .struct_size = sizeof d, .convention = cases[i].convention };
        coordconv_channel list[3] = { { .kind = cases[i].kind[0] },
                                      { .kind = cases[i].kind[1] },
                                      { .kind = cases[i].kind[2] } };

        d.coords = cases[i].coords;
        coordinates_of(&d, 5, 7, count, got);
        d.coords = 0;
        d.channels = list;
        d.channel_count = count;
        coordinates_of(&d, 5, 7, count, want);
        assert_memory_equal(got, want, (size_t)count * 5 * 7 * sizeof *want);
    }
}

/* For a network whose layers see where they are: pixels alone, without gaps. */
static void an_empty_list_leaves_the_pixels(void **state)
{
    enum {
        H = 3,
        W = 37
    };
    static unsigned char bgra[H * W * 4];
    static float got[3 * H * W];
    const coordconv_pixels_desc p = { .struct_size = sizeof p,
                                      .format = COORDCONV_PIXELS_BGRA,
                                      .dtype = COORDCONV_U8,
                                      .data = bgra,
                                      .bytes = sizeof bgra,
                                      .height = H,
                                      .width = W };
    coordconv_append_desc d = { .struct_size = sizeof d,
                                .format = COORDCONV_PIXELS_RGB,
                                .convention = "wizaron",
                                .channels = many,
                                .channel_stride = 1,
                                .column_stride = 3,
                                .row_stride = 3 * W };
    (void)state;

    for (size_t i = 0; i < sizeof bgra; i++)
        bgra[i] = (unsigned char)(i * 7);
    for (int planar = 0; planar < 2; planar++) {
        check_ok(coordconv_append(NULL, &p, &d, got, COUNT(got)));
        for (size_t i = 0; i < H * W; i++)
            for (size_t c = 0; c < 3; c++)
                assert_true(got[planar ? c * H * W + i : 3 * i + c] == (float)bgra[4 * i + 2 - c]);
        d.channel_stride = d.column_stride = d.row_stride = 0;
    }
    d.parts = COORDCONV_PARTS_COORDS; /* none of them */
    got[0] = UNTOUCHED;
    check_ok(coordconv_append(NULL, &p, &d, got, COUNT(got)));
    assert_true(got[0] == UNTOUCHED);
}

/* ---- frames ---- */

/* A part, taken with steps, mirrored or not: the bits of the whole. */
static void check_part(uint64_t *state, const coordconv_grid_desc *grid)
{
    enum {
        H = 61,
        W = 77,
        K = COUNT(many)
    };
    static float whole[K * H * W], part[K * H * W];
    const int64_t step = 1 + (int64_t)below(state, 3);
    const int64_t h = 1 + (int64_t)below(state, H / 4), w = 1 + (int64_t)below(state, W / 4);
    const int64_t y = (int64_t)below(state, (uint64_t)(H - step * (h - 1)));
    const int64_t x = (int64_t)below(state, (uint64_t)(W - step * (w - 1)));
    const int flip = (int)below(state, 2), upside_down = (int)below(state, 2);
    const coordconv_frame_desc frame = {
        .struct_size = sizeof frame,
        .y = (double)(upside_down ? y + step * (h - 1) : y),
        .x = (double)(flip ? x + step * (w - 1) : x),
        .step_y = (double)(upside_down ? -step : step),
        .step_x = (double)(flip ? -step : step),
        .height = H,
        .width = W,
    };
    coordconv_append_desc d = { .struct_size = sizeof d,
                                .channels = many,
                                .channel_count = K,
                                .grid = grid,
                                .center_x = 3.5,
                                .focal_x = 80,
                                .focal_y = -70 };

    coordinates_of(&d, H, W, K, whole);
    d.frame = &frame;
    coordinates_of(&d, h, w, K, part);
    for (int64_t at = 0; at < K * h * w; at++) {
        const int64_t k = at / (h * w), i = at / w % h, j = at % w;
        const int64_t row = (int64_t)frame.y + i * (int64_t)frame.step_y;
        const int64_t column = (int64_t)frame.x + j * (int64_t)frame.step_x;

        assert_memory_equal(&part[at], &whole[(k * H + row) * W + column], sizeof *part);
    }
}

static void parts_have_the_bits_of_the_whole(void **state)
{
    uint64_t seed = 3;
    (void)state;

    for (int n = 0; n < 60; n++) {
        const coordconv_grid_desc grid = { .struct_size = sizeof grid,
                                           .sampling = n % 5,
                                           .low = n % 2 ? -0.3 : 0,
                                           .high = n % 2 ? 0.7 : 0,
                                           .radius = n % 3 };

        check_part(&seed, &grid);
    }
}

/* A picture of 4 x 2 in the middle of a square of 4 x 4: the picture's coordinates, going on. */
static void letterboxes_keep_places(void **state)
{
    static const float x[] = { -1, -1 / 3.0F, 1 / 3.0F, 1 }, y[] = { -3, -1, 1, 3 };
    const coordconv_frame_desc frame = { .struct_size = sizeof frame, .y = -1, .height = 2 };
    const coordconv_append_desc d = { .struct_size = sizeof d, .frame = &frame };
    float got[2 * 16];
    (void)state;

    coordinates_of(&d, 4, 4, 2, got);
    for (int at = 0; at < 16; at++)
        assert_true(got[at] == x[at % 4] && got[16 + at] == y[at / 4]);
}

/* ---- bad arguments ---- */

struct call {
    coordconv_pixels_desc p;
    coordconv_append_desc d;
    float *dst;
    size_t count;
};

static void bad_arguments_are_refused(void **state)
{
    static _Alignas(8) unsigned char pixels[256];
    static const coordconv_channel kinds[] = { { 14, 0, 0, 0 },
                                               { 0, 0, 0, 0 },
                                               { COORDCONV_CHANNEL_X, 1, 0, 0 },
                                               { COORDCONV_CHANNEL_X, 0, 1, 0 },
                                               { COORDCONV_CHANNEL_SINE, 0, NAN, 0 },
                                               { COORDCONV_CHANNEL_SINE, 0, 0, INFINITY },
                                               { COORDCONV_CHANNEL_LOG_RADIUS, 0, -1, 0 },
                                               { COORDCONV_CHANNEL_LOG_RADIUS, 0, 1, 1 },
                                               { COORDCONV_CHANNEL_RAY_X, 0, 0, 0 },
                                               { COORDCONV_CHANNEL_FIELD_Y, 0, 0, 0 } };
    const coordconv_grid_desc grid = { .struct_size = sizeof grid },
                              bad_grid = { .struct_size = 4 };
    const coordconv_frame_desc old_frame = { .struct_size = 4 };
    const coordconv_frame_desc bad_frame = { .struct_size = sizeof bad_frame, .x = NAN };
    float dst[64];
    const struct call good = { .p = { .struct_size = sizeof good.p,
                                      .format = COORDCONV_PIXELS_RGB,
                                      .dtype = COORDCONV_U8,
                                      .data = pixels,
                                      .height = 2,
                                      .width = 3 },
                               .d = { .struct_size = sizeof good.d },
                               .dst = dst,
                               .count = 64 };
    (void)state;

#define REFUSED(change, status, text)                                                              \
    do {                                                                                           \
        struct call c = good;                                                                      \
        change;                                                                                    \
        check_fails(coordconv_append(NULL, &c.p, &c.d, c.dst, c.count), status, text);             \
    } while (0)
#define INVALID(change, text) REFUSED(change, COORDCONV_ERR_INVALID, text)
#define MISFIT(change, text)  REFUSED(change, COORDCONV_ERR_SHAPE, text)
    for (size_t i = 0; i < COUNT(dst); i++)
        dst[i] = UNTOUCHED;
    check_fails(coordconv_append(NULL, NULL, &good.d, dst, 64), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_append(NULL, &good.p, NULL, dst, 64), COORDCONV_ERR_INVALID, "NULL");
    REFUSED(c.p.struct_size = 8, COORDCONV_ERR_ABI, "pixels: struct_size 8");
    REFUSED(c.d.struct_size = 8, COORDCONV_ERR_ABI, "struct_size 8");
    INVALID(c.p.format = 0, "format of the pixels is 0");
    INVALID(c.p.format = 6, "format of the pixels is 6");
    REFUSED(c.p.dtype = COORDCONV_F64, COORDCONV_ERR_DTYPE, "dtype 2");
    INVALID(c.p.planar = 2, "planar is 2");
    INVALID(c.p.data = NULL, "NULL");
    INVALID(c.p.height = 0, "height is 0");
    INVALID(c.p.width = INT64_C(1) << 31, "width is 2147483648");
    MISFIT(c.p.row_stride = 8, "row_stride 8 is less than the 9 bytes");
    MISFIT(c.p.row_stride = -8, "row_stride -8");
    MISFIT(c.p.row_stride = INT64_MIN, "exceed memory");
    MISFIT(c.p.row_stride = INT64_MAX, "exceed memory");
    MISFIT(c.p.plane_stride = 100, "plane_stride 100 for interleaved");
    MISFIT(c.p.planar = 1; c.p.plane_stride = 2, "plane_stride 2 for planar");
    MISFIT(c.p.planar = 1; c.p.plane_stride = INT64_MAX, "exceed memory");
    MISFIT(c.p.bytes = 17, "take 18 bytes, there are 17");
    INVALID(c.p.bytes = 18; c.p.row_stride = -9, "begin before data");
    MISFIT(c.p.dtype = COORDCONV_F32; c.p.data = pixels + 2, "multiples of 4");
    MISFIT(c.p.dtype = COORDCONV_F32; c.p.row_stride = 38, "row_stride 38");
    INVALID(c.d.parts = 3, "parts is 3");
    INVALID(c.d.format = 6, "format is 6");
    INVALID(c.d.format = COORDCONV_PIXELS_BGRA, "format 5 cannot be made of pixels of format 2");
    INVALID(c.d.format = COORDCONV_PIXELS_GREY, "format 1");
    INVALID(c.p.format = COORDCONV_PIXELS_GREY; c.d.format = COORDCONV_PIXELS_RGB, "format 2");
    INVALID(c.d.before = 2, "before is 2");
    INVALID(c.d.convention = "solo"; c.d.grid = &grid, "both");
    REFUSED(c.d.convention = "sol", COORDCONV_ERR_NOT_FOUND, "\"sol\"");
    INVALID(c.d.channel_count = 1, "channels is NULL");
    INVALID(c.d.channels = kinds; c.d.channel_count = 1025, "1025");
    INVALID(c.d.channels = many; c.d.channel_count = 1; c.d.coords = 1, "coords 0x1");
    INVALID(c.d.channels = many; c.d.coords = 1, "coords 0x1");
    INVALID(c.d.coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, "coords is 0x5");
    INVALID(c.d.coords = 32, "coords is 0x20");
    INVALID(c.d.convention = "batdetect2";
            c.d.coords = COORDCONV_COORDS_X, "\"batdetect2\" has no x");
    INVALID(c.d.convention = "solo"; c.d.coords = COORDCONV_COORDS_RADIUS, "has no radius");
    REFUSED(c.d.grid = &bad_grid, COORDCONV_ERR_ABI, "grid: struct_size 4");
    REFUSED(c.d.frame = &old_frame, COORDCONV_ERR_ABI, "frame: struct_size 4");
    for (size_t i = 0; i < COUNT(kinds); i++)
        INVALID(c.d.channels = &kinds[i]; c.d.channel_count = 1, "kind");
    INVALID(c.d.frame = &bad_frame, "frame x is nan");
    INVALID(c.d.mean[1] = INFINITY, "mean[1] is inf");
    INVALID(c.d.scale[3] = NAN, "scale[3] is nan");
    INVALID(c.dst = NULL, "dst is NULL");
    INVALID(c.dst = (float *)(void *)(pixels + 2), "dst is no multiple");
    MISFIT(c.count = 29, "5 channels of 2x3 reach float 29, dst has 29");
    MISFIT(c.d.row_stride = -3, ", -3, ");
    MISFIT(c.d.column_stride = 1; c.d.row_stride = 2; c.d.channel_stride = 6, "overlap");
    MISFIT(c.d.column_stride = 1; c.d.row_stride = 3; c.d.channel_stride = 5, "overlap");
    MISFIT(c.d.column_stride = 1, "overlap");
    MISFIT(c.d.column_stride = 1; c.d.row_stride = 3;
           c.d.channel_stride = INT64_MAX, "reach float");
    for (size_t i = 0; i < COUNT(dst); i++)
        assert_true(dst[i] == UNTOUCHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_layout_is_read_and_written),
        cmocka_unit_test(large_images_are_the_same_on_any_threads_and_allocate_nothing),
        cmocka_unit_test(a_region_of_a_padded_frame),
        cmocka_unit_test(channels_are_what_they_say),
        cmocka_unit_test(our_own_way_is_that_of_coords_fill),
        cmocka_unit_test(flags_choose_channels),
        cmocka_unit_test(an_empty_list_leaves_the_pixels),
        cmocka_unit_test(parts_have_the_bits_of_the_whole),
        cmocka_unit_test(letterboxes_keep_places),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
