/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sort_of_clevr.c - the Sort-of-Clevr images with two objects, at half size.
 */
#include "sort_of_clevr.h"

enum {
    POSITIONS = SCENE_CENTRES * SCENE_CENTRES,
    APART = 10 /* least distance of the two centres */
};

int scene_covers(int shape, int x, int y)
{
    if (shape == SCENE_CIRCLE) /* a quarter of a pixel more than the reach, or it has spikes */
        return 4 * (x * x + y * y) <= 2 * SCENE_REACH * (2 * SCENE_REACH + 1);
    return x >= -SCENE_REACH && x <= SCENE_REACH && y >= -SCENE_REACH && y <= SCENE_REACH;
}

static void place(struct scene_object *object, int64_t position)
{
    object->x = SCENE_REACH + (int)(position % SCENE_CENTRES);
    object->y = SCENE_REACH + (int)(position / SCENE_CENTRES);
}

static int are_apart(const struct scene_object *a, const struct scene_object *b)
{
    const int dx = a->x - b->x, dy = a->y - b->y;

    return dx * dx + dy * dy >= APART * APART;
}

/* All positions in random order: blue is on the first, and red on the first that is far enough
 * from it, which is as likely as drawing again until it is. */
coordconv_status scene_draw_lots(uint64_t seed, int64_t number, struct scene *scene)
{
    struct scene_object *blue = &scene->objects[SCENE_BLUE], *red = &scene->objects[SCENE_RED];
    int64_t positions[POSITIONS], shapes[SCENE_SHAPES * SCENE_SHAPES];
    const uint64_t stream = 2 * (uint64_t)number;
    coordconv_status status = coordconv_permutation(seed, stream, POSITIONS, positions);

    if (status == COORDCONV_OK)
        status = coordconv_permutation(seed, stream + 1, SCENE_SHAPES * SCENE_SHAPES, shapes);
    if (status != COORDCONV_OK)
        return status;
    blue->shape = (int)shapes[0] / SCENE_SHAPES;
    red->shape = (int)shapes[0] % SCENE_SHAPES;
    place(blue, positions[0]);
    for (int i = 1; i < POSITIONS; i++) { /* there is always one: in the opposite corner */
        place(red, positions[i]);
        if (are_apart(blue, red))
            break;
    }
    return COORDCONV_OK;
}

void scene_paint(const struct scene *scene, float *image)
{
    static const float paint[SCENE_COLOURS][3] = { { -1, -1, 1 }, { 1, -1, -1 } };

    for (int i = 0; i < SCENE_VALUES; i++)
        image[i] = 1;
    for (int colour = 0; colour < SCENE_COLOURS; colour++) {
        const struct scene_object *object = &scene->objects[colour];

        for (int i = 0; i < SCENE_PIXELS; i++)
            if (scene_covers(object->shape, i % SCENE_SIDE - object->x, i / SCENE_SIDE - object->y))
                for (int c = 0; c < 3; c++)
                    image[3 * i + c] = paint[colour][c];
    }
}

coordconv_status scene_paint_all(uint64_t seed, const int64_t *numbers, int64_t count,
                                 float *images)
{
    coordconv_status status = COORDCONV_OK;

    for (int64_t i = 0; i < count && status == COORDCONV_OK; i++) {
        struct scene scene;

        status = scene_draw_lots(seed, numbers[i], &scene);
        if (status == COORDCONV_OK)
            scene_paint(&scene, images + i * SCENE_VALUES);
    }
    return status;
}
