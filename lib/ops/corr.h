/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr.h - the one linear map behind every convolution here.
 *
 * A strided correlation ties a big image to a small one: small pixel (i, j) sees
 * big pixels (i stride - pad + ky dilation, j ...). Weights are W[s][b][ky][kx],
 * s a channel of the small image, b one of the big image within its group. Then
 *
 *   gather   small = correlate(big, W): convolution forward, and the gradient of
 *            the input of a transposed convolution
 *   scatter  big = the transpose of that map: transposed convolution forward, and
 *            the gradient of the input of a convolution
 *   grad     dW = sum over pixels small x big: the gradient of the weights of both
 *
 * so conv2d and conv_transpose2d are the same code with the roles swapped, and a
 * linear layer is the 1x1 case. Images are [batch, height, width, channels],
 * row-major.
 *
 * How: a task is a block of output rows of one image. Where the kernel reaches
 * over the left or right border, the rows it needs are copied once into a
 * zero-padded strip; rows above and below are left out of the sum. The strip is
 * fed to a panel kernel (kernels/conv.h) row by row. A scatter of stride s is s x s
 * gathers, one for each position of an output pixel modulo the stride, each with
 * the taps that reach it; or s, each with all positions of a row (corr_pass.h,
 * cconv_pass_merges). What no tap reaches is written by itself.
 *
 * Taps 3x3 by stride 1, or of such a gather, may go by Winograd's transforms
 * instead (corr_winograd.h).
 */
#ifndef CCONV_OPS_CORR_H
#define CCONV_OPS_CORR_H

#include "core/context.h"

struct cconv_corr {
    size_t batch;
    size_t small_h, small_w, small_c; /* channels of all groups */
    size_t big_h, big_w, big_c;
    size_t groups;
    int32_t kernel[2], stride[2], dilation[2]; /* y, x */
    int32_t pad[2];                            /* top, left, on the big image */
    size_t weight_s; /* elements from W[s] to W[s + 1]; W[s][b] to W[s][b + 1] is a kernel plane */

    /* Further input channels, the same for the whole batch: [height, width, shared], of
     * which the weights are those of input channels shared_first on. One group only. Sizes
     * do not ask for the values. */
    size_t shared, shared_first;
    const cconv_real *shared_values;
};

enum {
    CCONV_CORR_BLOCK = 32 /* a multiple of every panel's width */
};

/* A map's interior as a formula: pixel (y, x) of it holds, in channel o,
 * (base[o] + y * down[o]) + x * right[o] wherever y0 <= y < y1 and x0 <= x < x1.
 * rows and columns are the two parts as tables, for 0 <= y < y1 and 0 <= x < period (see
 * cconv_panel_affine), in blocks of CCONV_CORR_BLOCK channels: what one kernel reads of them
 * lies together, and not a power of two apart, as many lines of it as a set of the cache has. */

struct cconv_corr_affine {
    const cconv_real *base, *down, *right; /* [channels of the output] */
    const cconv_real *rows, *columns;
    size_t y0, y1, x0, x1;
    size_t period;
};

/* What the sums start from, and what is added to them in the end. A bias per
 * channel, or a map of one image's size (channels innermost) shared by the
 * batch (the output itself, if that is one image); values NULL: zero. Where affine holds, the map
 * is not read and need not be written. A scatter by strides other than 1 knows no affine part, and
 * rows have at least CCONV_PANEL_ROW pixels where there is one. add, if not NULL, is a batch of
 * images like the output, added before the activation; it may be the output. */
struct cconv_corr_init {
    const cconv_real *values;
    int is_map;
    const struct cconv_corr_affine *affine;
    const cconv_real *add;
};

/* Bytes of packed weights (pack to 64-byte aligned memory) and of scratch. */
size_t cconv_corr_gather_packed(const coordconv_context *context, const struct cconv_corr *c);
size_t cconv_corr_gather_scratch(const coordconv_context *context, const struct cconv_corr *c);
size_t cconv_corr_scatter_packed(const coordconv_context *context, const struct cconv_corr *c);
size_t cconv_corr_scatter_scratch(const coordconv_context *context, const struct cconv_corr *c);
size_t cconv_corr_grad_scratch(const coordconv_context *context, const struct cconv_corr *c);

/* Whether a gather, or a scatter, may have shared channels: none where it is made by
 * Winograd's transforms. For cconv_corr_grad, that of the gather counts. */
int cconv_corr_shares(const coordconv_context *context, const struct cconv_corr *c, int scatter);

/* scale: a factor of all weights of each output channel, or NULL. */
void cconv_corr_gather_pack(coordconv_context *context, const struct cconv_corr *c,
                            const cconv_real *weight, const cconv_real *scale, void *packed);
void cconv_corr_scatter_pack(coordconv_context *context, const struct cconv_corr *c,
                             const cconv_real *weight, const cconv_real *scale, void *packed);

/* A correlation of one tap, stride 1, one group and no padding is one matrix for
 * all pixels. Its packed weights, panel by panel: [in][nr]. */
struct cconv_corr_matrix {
    const struct cconv_panel *panel;
    size_t panels, panel_weights; /* elements of one */
    size_t in, out;
    const cconv_real *weights;
    const cconv_real *shared; /* those of the shared channels, likewise */
};

int cconv_corr_is_matrix(const struct cconv_corr *c);

/* Side of the tiles that outputs of a gather or a scatter of stride 1 are made in, 1 if in none. */
size_t cconv_corr_tile(const coordconv_context *context, const struct cconv_corr *c, int scatter);

/* packed: as cconv_corr_gather_pack or cconv_corr_scatter_pack left it, or NULL. */
void cconv_corr_gather_matrix(const coordconv_context *context, const struct cconv_corr *c,
                              const void *packed, struct cconv_corr_matrix *m);
void cconv_corr_scatter_matrix(const coordconv_context *context, const struct cconv_corr *c,
                               const void *packed, struct cconv_corr_matrix *m);

/* Whether a core keeps little of so large a map in caches of its own. */
int cconv_corr_is_far(size_t elements);

/* The starts of `pixels` pixels from pixel `at` on of an image whose rows have
 * `width`, where the formula holds for all of them; channels from `channel` on. */
struct cconv_panel_affine cconv_corr_affine_line(const struct cconv_corr_affine *a, size_t channel,
                                                 size_t width, size_t at, size_t pixels);

/* small = act(init + gather(big) + add). */
void cconv_corr_gather(coordconv_context *context, const struct cconv_corr *c, const void *packed,
                       const cconv_real *big, struct cconv_corr_init init,
                       enum cconv_activation act, cconv_real slope, cconv_real *small,
                       void *scratch);

/* big = act(init + scatter(small) + add). */
void cconv_corr_scatter(coordconv_context *context, const struct cconv_corr *c, const void *packed,
                        const cconv_real *small, struct cconv_corr_init init,
                        enum cconv_activation act, cconv_real slope, cconv_real *big,
                        void *scratch);

/* dweight = sum over the batch and all pixels of small x big; written, laid out as the weights. */
void cconv_corr_grad(coordconv_context *context, const struct cconv_corr *c,
                     const cconv_real *small, const cconv_real *big, cconv_real *dweight,
                     void *scratch);

#endif /* CCONV_OPS_CORR_H */
