/* SPDX-License-Identifier: BSD-2-Clause
 *
 * naive.h - CoordConvs as plain loops in double over coordinates written down as
 * the conventions are published, for grids and frames.
 */
#ifndef COORDCONV_TESTS_NAIVE_H
#define COORDCONV_TESTS_NAIVE_H

#include "support.h"

/* An image, and beside each value the sum of the magnitudes it is made of. */
struct naive_image {
    int height, width, channels;
    double *value, *magnitude;
};

/* A convolution, or a transposed one. */
struct naive_conv {
    coordconv_conv2d_desc desc; /* grid NULL, or what is in `grid` */
    coordconv_grid_desc grid;
    int transposed;
    int32_t output_padding[2];
};

/* Kept until naive_free() frees all. */
struct naive_image naive_image(int height, int width, int channels);
struct naive_image naive_copy(coordconv_tensor *batch, int n);
void naive_free(void);

coordconv_layer *naive_layer(coordconv_context *context, const struct naive_conv *c);

/* Coordinate channel q of pixel (i, j) of an image; frame NULL: the image is the whole. */
double naive_coordinate(const struct naive_conv *c, const coordconv_frame_desc *frame, int height,
                        int width, int q, int i, int j);

/* Pixels of padding before an axis, those of COORDCONV_SAME too (not of transposed layers). */
int naive_pad(const struct naive_conv *c, int axis, int in, int out);

/* The layer's output for x. */
struct naive_image naive_run(const struct naive_conv *c, coordconv_layer *layer,
                             const coordconv_frame_desc *frame, const struct naive_image *x);

/* Values of image n of a batch against those of an image, of which row y and column x are
 * the first, within `units` roundings of the magnitude. */
void naive_check(const char *what, coordconv_tensor *batch, int n, const struct naive_image *want,
                 int y, int x, double units);

#endif /* COORDCONV_TESTS_NAIVE_H */
