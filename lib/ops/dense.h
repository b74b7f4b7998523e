/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dense.h - the same small matrix product for every pixel: a 1x1 convolution or
 * a linear layer, some pixels at a time.
 *
 *   y[p] = act(W x[p] + start[p] + add[p])
 *
 * start is the bias, or holds the coordinate part as well: then it is a map over
 * one image, or the formula of one. Where x is spread, it has one pixel an image instead: W x is
 * then made once for the pixels of an image that come together, and added to each.
 */
#ifndef CCONV_OPS_DENSE_H
#define CCONV_OPS_DENSE_H

#include "ops/corr.h"

struct cconv_dense {
    const coordconv_context *context;
    struct cconv_corr_matrix forward; /* W */
    struct cconv_corr_matrix reverse; /* its transpose, in training */
    struct cconv_corr_init start;     /* as of a correlation; add is not looked at */
    struct cconv_corr_affine plane;   /* what start.affine may point at */
    int spread;
    size_t image; /* pixels of an image, and of its rows; everything where it does not matter */
    size_t row;
    const cconv_real *coords; /* [image][coord_channels] */
    size_t coord_channels;
    size_t weight_s; /* elements of the weights from one output channel to the next */
    enum cconv_activation act;
    cconv_real slope;
};

struct cconv_pixels;

/* Elements of a partial sum and bytes of scratch, for a matrix and the coordinate
 * channels behind its columns. */
size_t cconv_dense_partial(const struct cconv_corr_matrix *matrix, size_t coord_channels);
size_t cconv_dense_scratch(const struct cconv_corr_matrix *matrix);

void cconv_dense_forward(const struct cconv_dense *d, const struct cconv_pixels *p);
void cconv_dense_backward(const struct cconv_dense *d, const struct cconv_pixels *p);

/* Partial sums to the gradients of weights and bias, either of which may be NULL. */
void cconv_dense_gather(const struct cconv_dense *d, cconv_real *partial, size_t stride,
                        size_t count, cconv_real *dweight, cconv_real *dbias);

#endif /* CCONV_OPS_DENSE_H */
