/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv.h - the inner loops every convolution, transposed convolution and linear
 * layer here comes down to: a run of pixels times a panel of output channels.
 *
 * A pixel's inputs are `segments` runs of `segment_length` consecutive values;
 * run s begins at a + pixel * a_stride + offset[s]. A 1x1 convolution over C
 * channels is one run of C. A KH x KW convolution without dilation is KH runs
 * of KW * C: neighbouring taps of a row lie side by side. Borders are not known
 * here: the caller points at an input that has been padded.
 *
 * nr is the panel's width. Panels narrower than a vector fill it with `group`
 * consecutive products of a run. Weights are packed
 *
 *   [segments][ceil(segment_length / group)][nr][group]
 *
 * zero in the channels and products that are not there; where group is 1, that
 * is [segments][segment_length][nr].
 */
#ifndef CCONV_KERNELS_CONV_H
#define CCONV_KERNELS_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* What is done to a sum before it is stored; LEAKY multiplies negatives by slope. */
enum cconv_activation {
    CCONV_ACT_NONE,
    CCONV_ACT_RELU,
    CCONV_ACT_LEAKY,
    CCONV_ACT_SIGMOID, /* eltwise only, never asked of a panel */
    CCONV_ACT_TANH,    /* eltwise only, never asked of a panel */
    CCONV_ACT_EXP      /* eltwise only, never asked of a panel */
};

/* Starts that are affine in a pixel's place, so that they need no map: pixel
 * (row, column) starts from (base[o] + row * down[o]) + column * right[o]. Pixel p
 * of a call lies `column + p` columns to the right in row `row`; past `width`
 * columns follows the next row. Only pixels begin .. end - 1 of the call start so,
 * the others from init. rows and columns are the two parts as tables, [row][o] and
 * [column][o], the latter for columns below `period` only: the rest of a column is
 * right[o] times a multiple of that. A kernel takes the formula or the tables, as
 * suits it. */
struct cconv_panel_affine {
    const cconv_real *base, *down, *right; /* [channels] */
    const cconv_real *rows, *columns;
    ptrdiff_t stride; /* from row to row and column to column of the tables */
    size_t period;
    size_t row, column, width; /* column < width; SIZE_MAX: a single row */
    size_t begin, end;
};

enum {
    CCONV_PANEL_ROW = 8 /* rows of fewer pixels, which are started apart, are slow */
};

/* c[p][o] = act(start[p][o] + sum_{s,k} a[p * a_stride + offset[s] + k] * b[s][k][o] + add[p][o])
 * for 0 <= p < pixels, 0 <= o < channels; start is init or affine. Strides in elements.
 *
 * The sum of one (p, o) is made in an order that does not depend on p, pixels
 * or channels, so results do not depend on how pixels are split into calls. */
struct cconv_panel_forward {
    size_t pixels;
    size_t channels; /* 1 .. nr */
    size_t segments;
    size_t segment_length;
    const ptrdiff_t *offset; /* [segments] */
    const cconv_real *a;
    ptrdiff_t a_stride;
    const cconv_real *b;    /* packed; 64-byte aligned when nr is a multiple of 16 */
    const cconv_real *init; /* NULL: zero */
    ptrdiff_t init_stride;  /* 0: one bias for all pixels */
    int init_far;           /* init is not in a core's own caches, and better fetched ahead */
    const struct cconv_panel_affine *affine; /* NULL: all pixels start from init */
    const cconv_real *add;                   /* NULL: nothing; may be c, with its stride */
    ptrdiff_t add_stride;
    ptrdiff_t b_block; /* depth only */
    cconv_real *c;
    ptrdiff_t c_stride;
    enum cconv_activation act; /* NONE, RELU or LEAKY */
    cconv_real slope;
    /* c is too large for the caches and better written past them. Then nr is a multiple of 16,
     * channels is nr, and c and c_stride are aligned to 64 bytes. */
    int stream;
    int cached; /* a is in a cache of this core: not to be asked for before its turn */
};

typedef void cconv_panel_forward_fn(const struct cconv_panel_forward *p);

/* w[s][k][o] += sum_{r,p} a[r * a_row + p * a_stride + offset[s] + k] * g[r * g_row + p * g_stride
 * + o] for 0 <= r < rows, 0 <= p < pixels, 0 <= o < channels; w is laid out as packed weights. Its
 * columns from channels on are left alone or stay zero; products that are not there may change. */
struct cconv_panel_grad {
    size_t rows;
    size_t pixels;
    size_t channels; /* 1 .. nr */
    size_t segments;
    size_t segment_length;
    const ptrdiff_t *offset; /* [segments] */
    const cconv_real *a;
    ptrdiff_t a_row;
    ptrdiff_t a_stride;
    const cconv_real *g;
    ptrdiff_t g_row;
    ptrdiff_t g_stride;
    cconv_real *w;
};

typedef void cconv_panel_grad_fn(const struct cconv_panel_grad *p);

/* A width and the two loops for it, chosen together because they share the packing. */
struct cconv_panel {
    size_t nr;
    size_t group;
    cconv_panel_forward_fn *forward;
    cconv_panel_grad_fn *grad;
    /* Measured forward times, in nanoseconds of a core of 2024; only ratios matter. */
    float pixel_cost;   /* of a pixel, whatever its products */
    float product_cost; /* of each product */
};

#define CCONV_MAX_PANELS 8

/* Depth: every output channel has one input channel of its own, beside it in
 * memory. A segment is one tap; vectors lie across channels in both images:
 *
 *   forward  c[p][o] = act(start[p][o] + sum_s a[p * a_stride + offset[s] + o] *
 *            b[o / nr * b_block + s * nr + o % nr] + add[p][o]), any number of channels
 *   grad     w[s][o] += sum_{r,p} a[.. + offset[s] + o] * g[.. + o], up to nr channels;
 *            w is [segments][nr]
 *
 * Otherwise as for panels, but segment_length, affine and stream are not looked at and costs
 * are not used. */

/* Panels in order of width. */
struct cconv_conv_kernels {
    size_t count;
    struct cconv_panel panel[CCONV_MAX_PANELS];
    struct cconv_panel depth;
};

/* The panel that takes least time for this many output channels and sums of
 * this many products. */
const struct cconv_panel *cconv_panel_choose(const struct cconv_conv_kernels *k, size_t channels,
                                             size_t segments, size_t segment_length);

/* The same among panels whose group is 1; every set has one. */
const struct cconv_panel *cconv_panel_choose_ungrouped(const struct cconv_conv_kernels *k,
                                                       size_t channels, size_t products);

/* Elements of one packed run. */
size_t cconv_panel_run(const struct cconv_panel *panel, size_t segment_length);

/* Where product k of channel o lies in a packed run; the next channel's is `group` further. */
size_t cconv_panel_place(const struct cconv_panel *panel, size_t k, size_t o);

void cconv_conv_init_ref(struct cconv_conv_kernels *k);
void cconv_conv_init_avx2(struct cconv_conv_kernels *k);   /* where built: CCONV_HAVE_AVX2 */
void cconv_conv_init_avx512(struct cconv_conv_kernels *k); /* where built: CCONV_HAVE_AVX512 */
void cconv_conv_init_neon(struct cconv_conv_kernels *k);   /* where built: CCONV_HAVE_NEON */

#endif /* CCONV_KERNELS_CONV_H */
