/* SPDX-License-Identifier: BSD-2-Clause
 *
 * position.h - the share of the coordinates x and y, or one of them, in a convolution.
 *
 * Along each axis the coordinate of input sample k is origin + k scale, so what
 * an output takes from the coordinate channels is affine in its place wherever
 * the same taps lie inside the canvas. Along each axis that holds for the run of
 * outputs begin .. end - 1, the longest there is; the outputs before and after
 * it are the border, and are treated one by one. So an axis falls into groups:
 * each output of the border is one, and the run is one.
 *
 * Coordinates that are not affine (the radius), and transposed convolutions of
 * stride 2 and more, are not for this file.
 */
#ifndef CCONV_OPS_POSITION_H
#define CCONV_OPS_POSITION_H

#include "core/coords.h"
#include "ops/corr.h"

/* Output i takes, with tap k, input sample i step - pad + k dilation. Taps are
 * counted as they lie on the input: tap k is tap_first + k tap_step in the weights. */
struct cconv_position_axis {
    int64_t in, out, taps, step, pad, dilation, tap_first, tap_step;
    double origin, scale;
    int64_t begin, end;
    int64_t formula_begin, formula_end; /* of the run, those that the formula is used for */
};

struct cconv_position {
    struct cconv_position_axis y, x;
    size_t channels; /* of the output */
    int has_x, has_y;
    size_t weight_o, weight_y; /* elements between output channels, and from the first to y */
    size_t kernel_w;
};

/* Fill *p for the coordinate part of a gather or a scatter whose outputs are made in
 * tiles of tile x tile; 0 where that is not possible. The formula is for whole tiles. The
 * axes are still to be set. */
int cconv_position(const struct cconv_corr *coords, uint32_t flags, int scatter, size_t tile,
                   struct cconv_position *p);

/* What the coordinates of the input are. */
void cconv_position_set(struct cconv_position *p, const struct cconv_axis *y,
                        const struct cconv_axis *x);

/* Outputs first .. last - 1 of group i, of how many groups. */
struct cconv_position_group {
    int64_t first, last;
};

size_t cconv_position_groups(const struct cconv_position_axis *a);
struct cconv_position_group cconv_position_group(const struct cconv_position_axis *a, size_t i);

/* Taps of output i that lie inside: *first .. *first + returned - 1. */
int64_t cconv_position_taps(const struct cconv_position_axis *a, int64_t i, int64_t *first);

/* Whether there is a map, of the border or whole. A small map is whole, and that
 * of short rows: then it is the formula that need not be used. */
int cconv_position_has_map(const struct cconv_position *p);
int cconv_position_map_is_whole(const struct cconv_position *p);

/* The formula, with room at `values` for base, down, right and the tables. */
size_t cconv_position_plane_values(const struct cconv_position *p);
struct cconv_corr_affine cconv_position_plane(const struct cconv_position *p,
                                              const cconv_real *values);

/* Write the formula to `values`, and what there is of a map to map, an image of
 * the output's size; the rest of it is left alone. scale, a factor of the weights of
 * each output channel, and bias may be NULL. */
size_t cconv_position_scratch(const coordconv_context *context, const struct cconv_position *p);
void cconv_position_fill(coordconv_context *context, const struct cconv_position *p,
                         const cconv_real *weight, const cconv_real *scale, const cconv_real *bias,
                         cconv_real *values, cconv_real *map, void *scratch);

/* Gradients of the coordinate weights, and of the bias if not NULL, from those of
 * a batch of outputs. */
size_t cconv_position_grad_scratch(const coordconv_context *context, const struct cconv_position *p,
                                   size_t batch);
void cconv_position_grad(coordconv_context *context, const struct cconv_position *p, size_t batch,
                         const cconv_real *dy, cconv_real *dweight, cconv_real *dbias,
                         void *scratch);

#endif /* CCONV_OPS_POSITION_H */
