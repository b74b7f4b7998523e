/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sort_of_clevr.h - the Sort-of-Clevr images with two objects (Liu et al. 2018), at half size.
 *
 * White, with a blue and then a red object, each a square or a circle with
 * even odds. The paper's canvas has 64 x 64 pixels, squares of 21 x 21, circles
 * of radius 10, centres on 10 .. 53, at least 20 apart. Half of all that,
 * 32 x 32, 11 x 11, radius 5, 5 .. 26 and 10, costs a quarter of the time. Where the
 * two overlap (squares may, with a corner) red covers blue.
 *
 * A sample is a function of the seed and its number, so nothing is stored.
 */
#ifndef EXAMPLES_SORT_OF_CLEVR_H
#define EXAMPLES_SORT_OF_CLEVR_H

#include <coordconv/coordconv.h>

enum {
    SCENE_SIDE = 32,
    SCENE_PIXELS = SCENE_SIDE * SCENE_SIDE,
    SCENE_VALUES = 3 * SCENE_PIXELS,
    SCENE_REACH = 5,                             /* of an object from its centre */
    SCENE_CENTRES = SCENE_SIDE - 2 * SCENE_REACH /* on each axis, from SCENE_REACH on */
};

enum scene_colour {
    SCENE_BLUE,
    SCENE_RED,
    SCENE_COLOURS
};

enum scene_shape {
    SCENE_SQUARE,
    SCENE_CIRCLE,
    SCENE_SHAPES
};

struct scene_object {
    int shape, x, y; /* enum scene_shape; centre in pixels from the left and from the top */
};

struct scene {
    struct scene_object objects[SCENE_COLOURS];
};

/* Whether an object with its centre at the origin covers this pixel. */
int scene_covers(int shape, int x, int y);

/* Sample `number`, 0 or more, of this seed. */
coordconv_status scene_draw_lots(uint64_t seed, int64_t number, struct scene *scene);

/* Values in [-1, 1], red, green and blue of a pixel side by side: SCENE_VALUES of them. */
void scene_paint(const struct scene *scene, float *image);

/* The images numbers[0 .. count - 1] of this seed, one behind the other. */
coordconv_status scene_paint_all(uint64_t seed, const int64_t *numbers, int64_t count,
                                 float *images);

#endif /* EXAMPLES_SORT_OF_CLEVR_H */
