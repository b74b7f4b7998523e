/* SPDX-License-Identifier: BSD-2-Clause
 *
 * winograd.h - the transforms of Winograd's minimal filtering for 3x3 kernels of
 * stride 1 (Lavin and Gray 2016, arXiv 1509.09308).
 *
 * F(m, 3) makes m x m outputs from (m + 2) x (m + 2) inputs with (m + 2)^2
 * products a channel pair instead of 9 m^2. With d a tile of inputs, g a kernel,
 * and the matrices of F(m, 3),
 *
 *   y = A^T [ (G g G^T) * (B^T d B) ] A,    * element by element
 *
 * summed over input channels between the brackets: one matrix product for each of
 * the (m + 2)^2 elements, here called planes. Going backward, the adjoint of the
 * same maps: with e the gradient of y,
 *
 *   gradient of g = G^T [ (A e A^T) * (B^T d B) ] G,    summed over tiles;
 *
 * that of d is a forward pass with the kernel turned round.
 *
 * Points: F(2, 3) 0, 1, -1, infinity. F(4, 3) 0, 3/4, -3/4, 3/2, -3/2, infinity:
 * their powers are exact in float and of one size, and the root mean square error
 * is about twice that of the direct sum; the customary 1 and 2 err more.
 *
 * All kernels work on `channels` neighbouring values at once; only memory said to
 * be inside is touched.
 */
#ifndef CCONV_KERNELS_WINOGRAD_H
#define CCONV_KERNELS_WINOGRAD_H

#include "kernels/conv.h"

/* From a tile of an image to planes: v[k * plane + c] for plane k, row by row. */
struct cconv_winograd_spread {
    size_t channels;
    const cconv_real *x; /* pixel (0, 0) of the tile */
    ptrdiff_t row, pixel;
    int32_t y0, y1, x0, x1; /* rows y0 .. y1 - 1, columns x0 .. x1 - 1 exist; the rest is zero */
    cconv_real *v;
    ptrdiff_t plane;
};

/* From planes back: c = act(start + transform + add) where it exists. Pixels
 * (y, x) of the tile with ay0 <= y < ay1 and ax0 <= x < ax1 start from
 * (base[o] + (y + row0) * down[o]) + (x + column0) * right[o], as panels do from
 * cconv_panel_affine; the others from init. */
struct cconv_winograd_join {
    size_t channels;
    const cconv_real *v;
    ptrdiff_t plane;
    int32_t rows, columns;  /* rows 0 .. rows - 1 and columns likewise exist */
    const cconv_real *init; /* NULL: zero */
    ptrdiff_t init_row, init_pixel;
    const cconv_real *base, *down, *right;
    int32_t ay0, ay1, ax0, ax1; /* none: zero */
    cconv_real row0, column0;
    const cconv_real *add; /* NULL: nothing; laid out as c */
    cconv_real *c;
    ptrdiff_t row, pixel;
    int stream; /* c is too large for the caches; then c, row and pixel are aligned to 64 bytes */
    enum cconv_activation act; /* NONE, RELU or LEAKY */
    cconv_real slope;
};

typedef void cconv_winograd_spread_fn(const struct cconv_winograd_spread *s);
typedef void cconv_winograd_join_fn(const struct cconv_winograd_join *j);

struct cconv_winograd {
    size_t m;                                /* outputs of a tile along an axis */
    cconv_winograd_spread_fn *input;         /* B^T d B of an (m + 2) x (m + 2) tile */
    cconv_winograd_spread_fn *gradient;      /* A e A^T of an m x m tile */
    cconv_winograd_spread_fn *filter;        /* G g G^T of a 3 x 3 tile, all of it inside */
    cconv_winograd_join_fn *output;          /* A^T v A, m x m */
    cconv_winograd_join_fn *filter_gradient; /* c = G^T v G, 3 x 3, all of it and nothing else */
    /* Measured as those of struct cconv_panel, for a channel of one tile. */
    float input_cost, output_cost;
};

struct cconv_winograd_kernels {
    struct cconv_winograd f2, f4; /* F(2, 3), F(4, 3) */
};

void cconv_winograd_init_ref(struct cconv_winograd_kernels *k);
void cconv_winograd_init_avx2(struct cconv_winograd_kernels *k);   /* CCONV_HAVE_AVX2 */
void cconv_winograd_init_avx512(struct cconv_winograd_kernels *k); /* CCONV_HAVE_AVX512 */
void cconv_winograd_init_neon(struct cconv_winograd_kernels *k);   /* CCONV_HAVE_NEON */

#endif /* CCONV_KERNELS_WINOGRAD_H */
