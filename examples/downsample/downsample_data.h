/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_data.h - one lit pixel on a grid of 32 x 32, and where it is.
 */
#ifndef EXAMPLES_DOWNSAMPLE_DATA_H
#define EXAMPLES_DOWNSAMPLE_DATA_H

#include <coordconv/coordconv.h>

enum {
    SIDE = 32,
    POSITIONS = SIDE * SIDE /* position p is column p % SIDE, row p / SIDE */
};

enum split {
    UNIFORM,  /* a quarter of all positions, drawn once for all runs, is held out */
    QUADRANT, /* the lower right quadrant is */
    SPLITS
};

const char *split_name(enum split split);

struct positions {
    int is_test[POSITIONS];
    int64_t train[POSITIONS];
    int64_t train_count;
};

/*
 * validation: the split for choosing hyper-parameters without a look at the test positions:
 * another draw of the uniform rule, and the quadrant opposite the tested one.
 */
coordconv_status positions_make(struct positions *p, enum split split, int validation);

/* Images [count, 32, 32, 1] of zeros and one pixel of value lit. */
void draw_images(coordconv_tensor *images, int64_t count, const int64_t *positions, double lit);

/* Targets [count, 2]: column and row, from -1 to 1. */
void write_targets(coordconv_tensor *targets, int64_t count, const int64_t *positions);

/* Back from a target to pixels. */
double to_pixels(double target);

#endif /* EXAMPLES_DOWNSAMPLE_DATA_H */
