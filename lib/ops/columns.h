/* SPDX-License-Identifier: BSD-2-Clause
 *
 * columns.h - between an image [N, H, W, C] and one value a channel, [N, C]:
 * what global pooling and tiling have in common.
 *
 * An image is cut into pieces of consecutive pixels, a small one being a single
 * piece; every sum is made piece by piece and then over the pieces in order.
 */
#ifndef CCONV_OPS_COLUMNS_H
#define CCONV_OPS_COLUMNS_H

#include "core/context.h"
#include "core/shape.h"
#include "ops/split.h"

struct cconv_columns {
    size_t images, pixels, channels;
    size_t piece;             /* pixels of a piece; the last of an image may have fewer */
    size_t pieces;            /* of one image */
    struct cconv_split split; /* of all pieces, image by image */
};

void cconv_columns_cut(const struct cconv_shape *image, struct cconv_columns *cut);

/* First pixel of piece `index`, counted through the whole batch, and its length. */
static inline size_t cconv_columns_begin(const struct cconv_columns *c, size_t index)
{
    return index / c->pieces * c->pixels + index % c->pieces * c->piece;
}

static inline size_t cconv_columns_count(const struct cconv_columns *c, size_t index)
{
    const size_t rest = c->pixels - index % c->pieces * c->piece;

    return CCONV_MIN(rest, c->piece);
}

/* y[n][p][c] = factor * x[n][c]. */
void cconv_columns_fill(coordconv_context *context, const struct cconv_shape *image, double factor,
                        const cconv_real *x, cconv_real *y);

/* y[n][c] = (sum over p of x[n][p][c]) / divisor, summed in double. */
void cconv_columns_sum(coordconv_context *context, const struct cconv_shape *image, double divisor,
                       const cconv_real *x, cconv_real *y, void *scratch);

/* Bytes of scratch cconv_columns_sum needs; SIZE_MAX where that overflows. */
size_t cconv_columns_scratch(const struct cconv_shape *image);

#endif /* CCONV_OPS_COLUMNS_H */
