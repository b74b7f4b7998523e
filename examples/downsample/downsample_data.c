/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_data.c - one lit pixel on a grid, and where it is.
 */
#include "downsample_data.h"

#include <string.h>

enum {
    SPLIT_SEED = 20202,
    VALIDATION_SEED = 20203
};

const char *split_name(enum split split)
{
    return split == UNIFORM ? "uniform" : "quadrant";
}

coordconv_status positions_make(struct positions *p, enum split split, int validation)
{
    int64_t order[POSITIONS];
    const coordconv_status status =
        coordconv_permutation(validation ? VALIDATION_SEED : SPLIT_SEED, 0, POSITIONS, order);

    memset(p, 0, sizeof *p);
    for (int64_t i = 0; i < POSITIONS && status == COORDCONV_OK; i++) {
        const int64_t turned = validation ? POSITIONS - 1 - i : i; /* by half a turn */

        if (split == UNIFORM)
            p->is_test[order[i]] = i < POSITIONS / 4;
        else
            p->is_test[i] = turned % SIDE >= SIDE / 2 && turned / SIDE >= SIDE / 2;
    }
    for (int64_t i = 0; i < POSITIONS; i++)
        if (!p->is_test[i])
            p->train[p->train_count++] = i;
    return status;
}

void draw_images(coordconv_tensor *images, int64_t count, const int64_t *positions, double lit)
{
    float *pixels = coordconv_tensor_data(images);

    memset(pixels, 0, (size_t)(count * POSITIONS) * sizeof *pixels);
    for (int64_t i = 0; i < count; i++)
        pixels[i * POSITIONS + positions[i]] = (float)lit;
}

void write_targets(coordconv_tensor *targets, int64_t count, const int64_t *positions)
{
    float *xy = coordconv_tensor_data(targets);

    for (int64_t i = 0; i < count; i++) {
        xy[2 * i] = (float)(positions[i] % SIDE) * 2 / (SIDE - 1) - 1;
        xy[2 * i + 1] = (float)(positions[i] / SIDE) * 2 / (SIDE - 1) - 1;
    }
}

double to_pixels(double target)
{
    return (target + 1) * (SIDE - 1) / 2;
}
