/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_pictures.h - where the nets are wrong, and by how much.
 */
#ifndef EXAMPLES_DOWNSAMPLE_PICTURES_H
#define EXAMPLES_DOWNSAMPLE_PICTURES_H

#include "downsample_data.h"
#include "downsample_nets.h"

/* Mean over seeds of one design's errors at one number of stages. */
struct outcome {
    float map[POSITIONS]; /* distance from the pixel, in pixels */
    double test;          /* mean of the held-out positions */
    int seeds;            /* 0: not run */
};

/* One design at all numbers of stages. */
struct row {
    const char *name;
    struct outcome at[STAGES + 1];
};

/* A picture of maps, a row a design, a column a number of stages. 0, or -1 with the reason in
 * message. */
int picture_maps(const char *path, enum split split, const struct row *rows, int count,
                 char *message, int message_size);

/* Curves of the errors of held-out positions over the number of stages, for both splits. */
int picture_curves(const char *path, const struct row *uniform, const struct row *quadrant,
                   int count, char *message, int message_size);

#endif /* EXAMPLES_DOWNSAMPLE_PICTURES_H */
