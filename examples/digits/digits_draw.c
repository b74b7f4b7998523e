/* SPDX-License-Identifier: BSD-2-Clause
 *
 * digits_draw.c - digits from strokes.
 *
 * A style is a few strokes through points on a grid; a smooth curve leads through the points, every
 * one of which is moved a little. Then comes an affine map, and a round pen follows the curve. Only
 * arithmetic and square roots, so the same bytes on every machine.
 */
#include <math.h>
#include <string.h>

#include "digits.h"
#include "common/draws.h"
#include "common/letters.h"

/*
 * Points as in letters.h: x 0 .. 8 from the left, y 0 .. c from the top. A comma lifts the pen; a
 * point given twice is a corner.
 */
static const char *const styles[DIGIT_CLASSES][DIGIT_STYLES] = {
    { "4013064c7a86734012", "501419194c7a876250", "60310507195c7a86713021" },
    { "404c", "2440404c", "2340404c4c,1c7c" },
    { "0320607366390c0c8c", "1231617367391a0b195b8c", "0420607266480c0c4b8c" },
    { "023071733636778a4c0b", "00007070353568792c2c0b", "114061643535577a5c2c0b" },
    { "30070787,606c", "606008088888,606c", "2116165686,71666c" },
    { "701010151544888b4c0b", "1016164487894c1b,1070", "702020060657897a3c0b" },
    { "60220618296c8a875636", "40141a4c7a8765361a", "7132150a4c7b8866361a" },
    { "000080803c", "0000707040403c,2767", "030080804c" },
    { "71401346888a4c0a08467371", "4012144673714012,46080b4c8b8846", "6230123367997b3c0a29556362" },
    { "7351200316476374736c", "72410406376373727a5c", "734014365673737a4c1c" },
};

enum {
    MOST_POINTS = 16, /* of a style */
    STEPS = 6,        /* straight pieces from one point to the next */
    NUMBERS = 8 + 2 * MOST_POINTS,
    BLOCK = 256 /* digits whose numbers are drawn at a time */
};

struct point {
    double x, y;
};

/* What is drawn at random for one digit, from numbers in 0 .. 1. */
struct hand {
    const char *style;
    double slant, turn, wide, tall, width, right, down;
    const float *jitter;
};

static double between(float share, double low, double high)
{
    return low + (high - low) * (double)share;
}

static struct hand hand_of(int digit, const float numbers[NUMBERS])
{
    const struct hand hand = {
        .style = styles[digit][(int)(numbers[0] * DIGIT_STYLES)],
        .slant = between(numbers[1], -0.15, 0.35),
        .turn = between(numbers[2], -0.16, 0.16),
        .wide = between(numbers[3], 1.05, 1.75),
        .tall = between(numbers[4], 1.25, 1.7),
        .width = between(numbers[5], 1.6, 3.6),
        .right = between(numbers[6], -1, 1),
        .down = between(numbers[7], -1, 1),
        .jitter = numbers + 8,
    };

    return hand;
}

/* From the grid to the image: slanted, stretched, turned, its middle near the image's. */
static struct point place(const struct hand *hand, double x, double y)
{
    const double sx = hand->wide * (x - 4 + hand->slant * (6 - y)), sy = hand->tall * (y - 6);
    const double t = hand->turn / 2;
    const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);

    return (struct point){ DIGIT_SIDE / 2.0 + hand->right + cosine * sx - sine * sy,
                           DIGIT_SIDE / 2.0 + hand->down + sine * sx + cosine * sy };
}

/* Distance from p to the segment from a to b. */
static double segment_distance(struct point p, struct point a, struct point b)
{
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;

    t = t < 0 ? 0 : t > 1 ? 1 : t;
    const double ex = p.x - a.x - t * dx, ey = p.y - a.y - t * dy;

    return sqrt(ex * ex + ey * ey);
}

/* A straight piece with a round pen; the edge is one pixel wide. */
static void draw_piece(unsigned char *image, struct point a, struct point b, double width)
{
    const double reach = width / 2 + 1;
    const int left = (int)fmax(0, fmin(a.x, b.x) - reach);
    const int right = (int)fmin(DIGIT_SIDE - 1, fmax(a.x, b.x) + reach);
    const int top = (int)fmax(0, fmin(a.y, b.y) - reach);
    const int bottom = (int)fmin(DIGIT_SIDE - 1, fmax(a.y, b.y) + reach);

    for (int i = top; i <= bottom; i++) {
        for (int j = left; j <= right; j++) {
            const struct point pixel = { j + 0.5, i + 0.5 };
            const double cover = width / 2 + 0.5 - segment_distance(pixel, a, b);
            const int ink = (int)(255 * fmin(1, fmax(0, cover)) + 0.5);
            unsigned char *at = image + i * DIGIT_SIDE + j;
            *at = *at < ink ? (unsigned char)ink : *at;
        }
    }
}

/* The curve of Catmull and Rom from p[1] to p[2], at t of 0 .. 1. */
static double spline(double p0, double p1, double p2, double p3, double t)
{
    return p1 +
           t / 2 * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

/* A smooth curve through the points. */
static void draw_curve(unsigned char *image, const struct point *points, int count, double width)
{
    for (int k = 0; k + 1 < count; k++) {
        const struct point p0 = points[k > 0 ? k - 1 : 0], p1 = points[k], p2 = points[k + 1];
        const struct point p3 = points[k + 2 < count ? k + 2 : k + 1];
        struct point last = p1;

        for (int s = 1; s <= STEPS; s++) {
            const double t = (double)s / STEPS;
            const struct point next = { spline(p0.x, p1.x, p2.x, p3.x, t),
                                        spline(p0.y, p1.y, p2.y, p3.y, t) };
            draw_piece(image, last, next, width);
            last = next;
        }
    }
}

/* Strokes as far as a comma or a corner are one curve each. */
static void draw_digit(unsigned char *image, const struct hand *hand)
{
    struct point points[MOST_POINTS];
    int count = 0, jitters = 0;

    memset(image, 0, DIGIT_PIXELS);
    for (const char *s = hand->style; *s != '\0'; s += *s == ',' ? 1 : 2) {
        if (*s == ',') {
            draw_curve(image, points, count, hand->width);
            count = 0;
        } else if (count > 0 && s[0] == s[-2] && s[1] == s[-1]) {
            draw_curve(image, points, count, hand->width);
            points[0] = points[count - 1];
            count = 1;
        } else {
            const double x = letter_unit(s[0]) + between(hand->jitter[jitters], -0.5, 0.5);
            const double y = letter_unit(s[1]) + between(hand->jitter[jitters + 1], -0.5, 0.5);
            points[count++] = place(hand, x, y);
            jitters += 2;
        }
    }
    draw_curve(image, points, count, hand->width);
}

coordconv_status digits_draw(coordconv_context *context, uint64_t seed, uint64_t stream,
                             int64_t count, unsigned char *pixels, unsigned char *labels)
{
    static float numbers[BLOCK * NUMBERS];

    for (int64_t first = 0; first < count; first += BLOCK) {
        const uint64_t block = stream << 16 ^ (uint64_t)(first / BLOCK);
        const coordconv_status status =
            draws_uniform(context, seed, block, (int64_t)BLOCK * NUMBERS, numbers);

        if (status != COORDCONV_OK)
            return status;
        for (int64_t i = first; i < count && i < first + BLOCK; i++) {
            const int digit = (int)(i % DIGIT_CLASSES);
            const struct hand hand = hand_of(digit, numbers + (i - first) * NUMBERS);

            draw_digit(pixels + i * DIGIT_PIXELS, &hand);
            labels[i] = (unsigned char)digit;
        }
    }
    return COORDCONV_OK;
}
