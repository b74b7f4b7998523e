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
#include "ops/op.h"

struct cconv_pixels;
struct cconv_pointwise_space;
struct cconv_pointwise_state;

struct cconv_dense {
    const coordconv_context *context;
    struct cconv_corr_matrix forward; /* W */
    struct cconv_corr_matrix reverse; /* its transpose, in training */
    struct cconv_corr_init start;     /* as of a correlation; add is not looked at */
    struct cconv_corr_affine plane;   /* what start.affine may point at */
    size_t shared; /* channels an image has beside those of W, all of a batch alike */
    const cconv_real *shared_values; /* [image][shared] */
    int spread;
    size_t image; /* pixels of an image, and of its rows; everything where it does not matter */
    size_t row;
    const cconv_real *coords; /* [image][coord_channels] */
    size_t coord_channels;
    size_t weight_s; /* elements of the weights from one output channel to the next */
    enum cconv_activation act;
    cconv_real slope;
};

/* Fill *space for a matrix and the coordinate channels behind its columns. */
void cconv_dense_space(const coordconv_context *context, const struct cconv_corr *c,
                       size_t coord_channels, struct cconv_pointwise_space *space);

/* Set d->forward, and in training d->reverse, from what is packed. */
void cconv_dense_take(const struct cconv_app *app, const struct cconv_corr *c, const void *forward,
                      const void *reverse, struct cconv_dense *d);

/* Hooks of pointwise.h, for an operation whose state is a dense layer's and whose
 * parameters are a weight and a bias. */
void cconv_dense_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p);
void cconv_dense_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p);
void cconv_dense_gather(const struct cconv_app *app, const struct cconv_run *run,
                        const struct cconv_pointwise_state *state, cconv_real *partial,
                        size_t stride, size_t count);

#endif /* CCONV_OPS_DENSE_H */
