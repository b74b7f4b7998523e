/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_measure.h - how far a net's answers are off, and what its first layer learns from.
 */
#ifndef EXAMPLES_DOWNSAMPLE_MEASURE_H
#define EXAMPLES_DOWNSAMPLE_MEASURE_H

#include "downsample_data.h"

/* A net's answer for each position. */
struct answers {
    float distance[POSITIONS]; /* from the pixel, in pixels */
    int is_right[POSITIONS];   /* both coordinates round to the pixel's */
    double spread;             /* standard deviation of an answer's coordinate over all positions,
                                * in pixels: 0 of a net that always says the same, 9.2 of one
                                * that is right */
};

coordconv_status answers_make(struct answers *a, coordconv_context *context, coordconv_model *model,
                              double lit);

/* Gradients of the loss over all positions, by the weights of the first layer, as root mean squares
 * of their elements. */
struct gradients {
    double data;   /* by weights of the image */
    double coords; /* by those of coordinates, 0 where there are none */
    /* By weights of the image, over pixels of one parity alone. A convolution of stride 2 sees a
     * pixel in an even row and column with one tap, one in an odd row and column with four. */
    double even, odd;
};

/* plan: of training; image and target, bound to it, hold a batch that divides 256. */
coordconv_status gradients_make(struct gradients *g, coordconv_plan *plan, coordconv_tensor *image,
                                coordconv_tensor *target, double lit);

#endif /* EXAMPLES_DOWNSAMPLE_MEASURE_H */
