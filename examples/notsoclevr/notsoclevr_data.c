/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_data.c - the positions of Not-so-Clevr, split, and written into tensors.
 */
#include "notsoclevr_data.h"

#include <string.h>

enum {
    SPLIT_SEED = 20202,
    VALIDATION_SEED = 20203
};

const char *task_name(enum task task)
{
    static const char *const names[TASKS] = { "classification", "regression", "rendering" };

    return names[task];
}

const char *split_name(enum split split)
{
    static const char *const names[SPLITS] = { "uniform", "quadrant", "uniform-validation",
                                               "quadrant-validation" };

    return names[split];
}

static coordconv_status mark_uniform(struct data_set *set, uint64_t seed)
{
    int64_t order[POSITIONS];
    const coordconv_status status = coordconv_permutation(seed, 0, POSITIONS, order);

    if (status == COORDCONV_OK)
        for (int i = 0; i < POSITIONS / 4; i++)
            set->is_test[order[i]] = 1;
    return status;
}

/* The released code tests x / 64 > 0.5, so 32 itself belongs to the training part. */
static void mark_quadrant(struct data_set *set)
{
    for (int64_t p = 0; p < POSITIONS; p++)
        set->is_test[p] = position_x(p) > CANVAS / 2 && position_y(p) > CANVAS / 2;
}

/* The tested quadrant turned by half a turn: 63 - x > 32. */
static void mark_opposite_quadrant(struct data_set *set)
{
    for (int64_t p = 0; p < POSITIONS; p++)
        set->is_test[p] =
            CANVAS - 1 - position_x(p) > CANVAS / 2 && CANVAS - 1 - position_y(p) > CANVAS / 2;
}

coordconv_status data_set_make(struct data_set *set, enum split split)
{
    coordconv_status status = COORDCONV_OK;

    memset(set, 0, sizeof *set);
    if (split == QUADRANT)
        mark_quadrant(set);
    else if (split == QUADRANT_VALIDATION)
        mark_opposite_quadrant(set);
    else
        status = mark_uniform(set, split == UNIFORM ? SPLIT_SEED : VALIDATION_SEED);
    if (status != COORDCONV_OK)
        return status;
    for (int64_t p = 0; p < POSITIONS; p++) {
        if (set->is_test[p])
            set->test[set->test_count++] = p;
        else
            set->train[set->train_count++] = p;
    }
    return COORDCONV_OK;
}

coordconv_status content_new(coordconv_context *context, enum content content, int64_t count,
                             coordconv_tensor **out)
{
    const int64_t image[4] = { count, CANVAS, CANVAS, 1 };
    const int64_t pair[2] = { count, 2 };

    switch (content) {
    case ONE_HOT:
    case SQUARE:
        return coordconv_tensor_new(context, COORDCONV_F32, 4, image, out);
    case LABEL:
        return coordconv_tensor_new(context, COORDCONV_I32, 1, &count, out);
    case XY:
    case XY_SCALED:
    case XY_SHARE:
        break;
    }
    return coordconv_tensor_new(context, COORDCONV_F32, 2, pair, out);
}

/* Light the pixels of a square; half 0 is a single pixel. */
static void draw_square(float *image, int x, int y, int half)
{
    memset(image, 0, PIXELS * sizeof *image);
    for (int i = y - half; i <= y + half; i++)
        for (int j = x - half; j <= x + half; j++)
            image[i * CANVAS + j] = 1;
}

static void write_pair(float *pair, enum content content, int x, int y)
{
    const float half = (CANVAS - 1) / 2.0f;
    const float scale = content == XY_SCALED ? 1 / half : content == XY_SHARE ? 1.0f / CANVAS : 1;
    const float shift = content == XY_SCALED ? -1 : 0;

    pair[0] = (float)x * scale + shift;
    pair[1] = (float)y * scale + shift;
}

void content_fill(coordconv_tensor *tensor, enum content content, const int64_t *positions)
{
    const int64_t count = coordconv_tensor_dim(tensor, 0);
    float *values = coordconv_tensor_data(tensor);
    int32_t *labels = coordconv_tensor_data(tensor);

    for (int64_t i = 0; i < count; i++) {
        const int x = position_x(positions[i]), y = position_y(positions[i]);

        if (content == ONE_HOT || content == SQUARE)
            draw_square(values + i * PIXELS, x, y, content == SQUARE ? HALF : 0);
        else if (content == LABEL)
            labels[i] = y * CANVAS + x;
        else
            write_pair(values + 2 * i, content, x, y);
    }
}
