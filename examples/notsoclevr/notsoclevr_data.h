/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_data.h - the Not-so-Clevr data set (Liu et al. 2018).
 *
 * A canvas of 64 x 64 pixels and a filled square of 9 x 9 that is wholly
 * visible: its centre lies on 4 .. 59 on both axes, 56 * 56 = 3136 positions.
 * Position p has x = 4 + p / 56 (the column) and y = 4 + p % 56 (the row).
 */
#ifndef EXAMPLES_NOTSOCLEVR_DATA_H
#define EXAMPLES_NOTSOCLEVR_DATA_H

#include <coordconv/coordconv.h>

enum {
    CANVAS = 64,
    PIXELS = CANVAS * CANVAS,
    HALF = 4, /* the square reaches this far from its centre */
    FIRST_CENTRE = HALF,
    LAST_CENTRE = CANVAS - 1 - HALF,
    CENTRES = LAST_CENTRE - FIRST_CENTRE + 1,
    POSITIONS = CENTRES * CENTRES
};

enum task {
    CLASSIFICATION, /* (x, y) to the one lit pixel */
    REGRESSION,     /* the one lit pixel to (x, y) */
    RENDERING,      /* (x, y) to the square around it */
    TASKS
};

/*
 * Which positions are kept back for the test. The validation splits are for
 * choosing hyper-parameters without a look at the test positions: another draw
 * of the uniform rule, and the quadrant opposite the tested one.
 */
enum split {
    UNIFORM,             /* a quarter of the positions, drawn at random: 2352 / 784 */
    QUADRANT,            /* x > 32 and y > 32: 2407 / 729 */
    UNIFORM_VALIDATION,  /* as uniform, drawn with another seed */
    QUADRANT_VALIDATION, /* x < 31 and y < 31: 2407 / 729 */
    SPLITS
};

/* What a tensor says about a position. */
enum content {
    XY,        /* float [N, 2]: x and y in pixels */
    XY_SCALED, /* float [N, 2]: the same, -1 at pixel 0 and 1 at pixel 63 */
    XY_SHARE,  /* float [N, 2]: the same, divided by 64 */
    ONE_HOT,   /* float [N, 64, 64, 1]: 1 at the position */
    SQUARE,    /* float [N, 64, 64, 1]: 1 on the square */
    LABEL      /* int32 [N]: 64 y + x */
};

struct data_set {
    unsigned char is_test[POSITIONS];
    int64_t train[POSITIONS], test[POSITIONS]; /* positions */
    int64_t train_count, test_count;
};

const char *task_name(enum task task);
const char *split_name(enum split split);

static inline int position_x(int64_t position)
{
    return FIRST_CENTRE + (int)(position / CENTRES);
}

static inline int position_y(int64_t position)
{
    return FIRST_CENTRE + (int)(position % CENTRES);
}

/*
 * Split the positions. The uniform split takes the first quarter of
 * coordconv_permutation() with the seed 20202, stream 0, over all positions:
 * the same on every machine and for every seed of a run.
 */
coordconv_status data_set_make(struct data_set *set, enum split split);

/* A tensor for count positions. */
coordconv_status content_new(coordconv_context *context, enum content content, int64_t count,
                             coordconv_tensor **out);

/* Fill a tensor of content_new() with what is to be said about these positions. */
void content_fill(coordconv_tensor *tensor, enum content content, const int64_t *positions);

#endif /* EXAMPLES_NOTSOCLEVR_DATA_H */
