/* SPDX-License-Identifier: BSD-2-Clause
 *
 * objects_test.c - the measure of generated images, on images whose truth is known.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

enum {
    IMAGES = 1000,
    SEED = 7
};

/* Changes image `number` of a set, or leaves it as it is. */
typedef void change_fn(float *image, const struct scene *scene, int64_t number);

static int failures;

static void check(int right, const char *what, double got)
{
    if (right)
        return;
    fprintf(stderr, "objects_test: %s: %g\n", what, got);
    failures++;
}

static struct objects_tally tally_of(uint64_t seed, change_fn *change)
{
    struct objects_tally tally = { 0 };
    float image[SCENE_VALUES];
    struct scene scene;

    for (int64_t i = 0; i < IMAGES; i++) {
        if (scene_draw_lots(seed, i, &scene) != COORDCONV_OK)
            exit(EXIT_FAILURE);
        scene_paint(&scene, image);
        change(image, &scene, i);
        objects_add(&tally, image, 1);
    }
    return tally;
}

static double share(int64_t part)
{
    return (double)part / IMAGES;
}

/* ---- changes ---- */

static void leave(float *image, const struct scene *scene, int64_t number)
{
    (void)image;
    (void)scene;
    (void)number;
}

/* The mean over 3 x 3 pixels, of those inside. */
static void soften(float *image, const struct scene *scene, int64_t number)
{
    float old[SCENE_VALUES];

    (void)scene;
    (void)number;
    memcpy(old, image, sizeof old);
    for (int i = 0; i < SCENE_VALUES; i++) {
        const int x = i / 3 % SCENE_SIDE, y = i / 3 / SCENE_SIDE;
        float sum = 0, pixels = 0;

        for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < SCENE_SIDE; v++)
            for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < SCENE_SIDE; u++, pixels++)
                sum += old[3 * (v * SCENE_SIDE + u) + i % 3];
        image[i] = sum / pixels;
    }
}

static void whiten(float *image, int pixel)
{
    image[3 * pixel] = image[3 * pixel + 1] = image[3 * pixel + 2] = 1;
}

/* The upper left quarter of the red object, its middle row and column with it, becomes white. */
static void bite(float *image, const struct scene *scene, int64_t number)
{
    const struct scene_object *red = &scene->objects[SCENE_RED];

    (void)number;
    for (int y = red->y - SCENE_REACH; y <= red->y; y++)
        for (int x = red->x - SCENE_REACH; x <= red->x; x++)
            if (scene_covers(red->shape, x - red->x, y - red->y))
                whiten(image, y * SCENE_SIDE + x);
}

static void drop_red(float *image, const struct scene *scene, int64_t number)
{
    (void)scene;
    (void)number;
    for (int i = 0; i < SCENE_PIXELS; i++)
        if (image[3 * i] > 0 && image[3 * i + 1] < 0)
            whiten(image, i);
}

/* Three blue pixels at the border that is further from the blue object. */
static void add_speck(float *image, const struct scene *scene, int64_t number)
{
    const int beside = scene->objects[SCENE_BLUE].y < SCENE_SIDE / 2 ? SCENE_SIDE - 1 : 0;

    (void)number;
    for (int x = 0; x < 3; x++) {
        const float blue[3] = { -1, -1, 1 };

        memcpy(image + 3 * (beside * SCENE_SIDE + x), blue, sizeof blue);
    }
}

/* What a net draws that knows the mean only. */
static void average(float *image, const struct scene *scene, int64_t number)
{
    static float mean[SCENE_VALUES];
    static int made;

    (void)scene;
    (void)number;
    for (int64_t k = 0; k < 400 && !made; k++) {
        float one[SCENE_VALUES];

        if (scene_paint_all(SEED, &k, 1, one) != COORDCONV_OK)
            exit(EXIT_FAILURE);
        for (int i = 0; i < SCENE_VALUES; i++)
            mean[i] += one[i] / 400;
    }
    made = 1;
    memcpy(image, mean, sizeof mean);
}

static void collapse(float *image, const struct scene *scene, int64_t number)
{
    const int64_t first = 0;

    (void)scene;
    (void)number;
    if (scene_paint_all(SEED, &first, 1, image) != COORDCONV_OK)
        exit(EXIT_FAILURE);
}

/* Blue in the left half only. */
static void crowd(float *image, const struct scene *scene, int64_t number)
{
    struct scene moved = *scene;

    (void)number;
    moved.objects[SCENE_BLUE].x = SCENE_REACH + (scene->objects[SCENE_BLUE].x - SCENE_REACH) / 2;
    scene_paint(&moved, image);
}

static void make_noise(float *image, const struct scene *scene, int64_t number)
{
    uint32_t state = (uint32_t)number * 2654435761u + 1;

    (void)scene;
    for (int i = 0; i < SCENE_VALUES; i++) {
        state = state * 1664525u + 1013904223u;
        image[i] = (float)(state >> 8) / (1 << 23) - 1;
    }
}

/* ---- tests ---- */

static void test_data(void)
{
    int squares = 0, circles_of_red = 0;

    for (int64_t i = 0; i < IMAGES; i++) {
        struct scene scene;

        if (scene_draw_lots(SEED, i, &scene) != COORDCONV_OK)
            exit(EXIT_FAILURE);
        const struct scene_object *blue = &scene.objects[SCENE_BLUE];
        const struct scene_object *red = &scene.objects[SCENE_RED];
        const double apart = hypot(blue->x - red->x, blue->y - red->y);

        squares += blue->shape == SCENE_SQUARE;
        circles_of_red += red->shape == SCENE_CIRCLE;
        check(apart >= 10, "two centres too near", apart);
        check(blue->x >= 5 && blue->x <= 26 && blue->y >= 5 && blue->y <= 26, "blue outside", 0);
        check(red->x >= 5 && red->x <= 26 && red->y >= 5 && red->y <= 26, "red outside", 0);
    }
    /* Four standard deviations of a fair coin. */
    check(fabs(share(squares) - 0.5) < 0.064, "share of blue squares", share(squares));
    check(fabs(share(circles_of_red) - 0.5) < 0.064, "share of red circles", share(circles_of_red));
}

/* What is partly hidden is seen for what it is, too. */
static void test_sight(void)
{
    for (int64_t i = 0; i < IMAGES; i++) {
        struct scene scene;
        struct sight seen[SCENE_COLOURS];
        float image[SCENE_VALUES];

        if (scene_draw_lots(SEED, i, &scene) != COORDCONV_OK)
            exit(EXIT_FAILURE);
        scene_paint(&scene, image);
        objects_see(image, seen);
        for (int c = 0; c < SCENE_COLOURS; c++) {
            const struct scene_object *object = &scene.objects[c];
            const double off = hypot(seen[c].x - object->x, seen[c].y - object->y);

            check(seen[c].overlap == 1, "overlap of a real object", seen[c].overlap);
            check(seen[c].shape == object->shape, "shape of a real object", seen[c].shape);
            check(off < 1, "distance of a real object from its centre", off);
        }
    }
}

static void test_real(const struct objects_tally *real)
{
    const struct objects_tally other = tally_of(SEED + 1, leave);

    check(real->two == IMAGES, "real images with two objects", share(real->two));
    check(real->whole == IMAGES, "real images with whole objects", share(real->whole));
    for (int c = 0; c < SCENE_COLOURS; c++) {
        const double covers = objects_coverage(&other, real, c);
        const double diverges = objects_divergence(&other, real, c);

        check(real->objects[c] == IMAGES && real->specks[c] == 0, "objects of a colour",
              share(real->objects[c]));
        check(objects_entropy(real, c) > 6.6, "entropy", objects_entropy(real, c));
        check(covers > 0.95 && covers < 1.05, "coverage of one real set by another", covers);
        check(diverges < 0.06, "divergence of two real sets", diverges);
    }
}

static void test_shapes(void)
{
    const struct objects_tally softened = tally_of(SEED, soften);
    const struct objects_tally bitten = tally_of(SEED, bite), lone = tally_of(SEED, drop_red);
    const struct objects_tally specked = tally_of(SEED, add_speck);

    check(share(softened.whole) > 0.99, "softened objects that are whole", share(softened.whole));
    check(bitten.whole == 0, "bitten objects that are whole", share(bitten.whole));
    check(share(bitten.two) > 0.99, "images with bitten objects", share(bitten.two));
    check(lone.two == 0 && lone.objects[SCENE_RED] == 0, "red objects that are not there",
          share(lone.objects[SCENE_RED]));
    check(lone.objects[SCENE_BLUE] == IMAGES, "blue objects alone",
          share(lone.objects[SCENE_BLUE]));
    check(share(specked.specks[SCENE_BLUE]) > 0.8, "specks", share(specked.specks[SCENE_BLUE]));
    check(specked.objects[SCENE_BLUE] == IMAGES, "specks taken for objects",
          share(specked.objects[SCENE_BLUE]));
}

static void test_failed_nets(const struct objects_tally *real)
{
    const struct objects_tally mean = tally_of(SEED, average), one = tally_of(SEED, collapse);
    const struct objects_tally half = tally_of(SEED, crowd), noise = tally_of(SEED, make_noise);
    const double covers = objects_coverage(&half, real, SCENE_BLUE);

    check(mean.two == 0 && mean.objects[SCENE_BLUE] == 0, "objects in the mean image",
          share(mean.objects[SCENE_BLUE]));
    check(objects_coverage(&mean, real, SCENE_RED) == 0, "coverage without objects",
          objects_coverage(&mean, real, SCENE_RED));
    check(noise.two == 0 && noise.whole == 0, "objects in noise", share(noise.two));
    check(one.whole == IMAGES, "the collapsed set's whole objects", share(one.whole));
    for (int c = 0; c < SCENE_COLOURS; c++) {
        check(objects_coverage(&one, real, c) < 0.012, "coverage of a collapsed set",
              objects_coverage(&one, real, c));
        check(objects_divergence(&one, real, c) > 0.9, "divergence of a collapsed set",
              objects_divergence(&one, real, c));
    }
    check(covers > 0.45 && covers < 0.6, "coverage of half the positions", covers);
    check(objects_divergence(&half, real, SCENE_BLUE) > 0.25, "divergence of half the positions",
          objects_divergence(&half, real, SCENE_BLUE));
}

int main(void)
{
    const struct objects_tally real = tally_of(SEED, leave);

    test_data();
    test_sight();
    test_real(&real);
    test_shapes();
    test_failed_nets(&real);
    return failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
