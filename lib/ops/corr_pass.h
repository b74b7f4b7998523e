/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr_pass.h - one dense sliding window over an image: what gather, each phase
 * of scatter, and grad have in common. Used by corr*.c only.
 */
#ifndef CCONV_OPS_CORR_PASS_H
#define CCONV_OPS_CORR_PASS_H

#include "ops/corr.h"

/* Output (i, j) sums taps (ky, kx) of input row i step - pad + ky dilation, likewise
 * the column. Taps are counted as they lie in the input, whatever their place in
 * the weights: tap ky reads weight row tap_first + ky tap_step. */
struct cconv_pass {
    size_t batch;
    size_t in_h, in_w, in_c;    /* channels of all groups: the pixel stride */
    size_t out_h, out_w, out_c; /* outputs computed */
    ptrdiff_t out_first;        /* element of output (0, 0) in its image */
    ptrdiff_t out_row, out_pixel;
    size_t out_image; /* elements of a whole output image */
    size_t groups, in_cg, out_cg;
    int64_t taps[2], step[2], dilation[2], pad[2];
    int64_t tap_first[2], tap_step[2];
    size_t plane;   /* taps of the whole kernel */
    size_t phase_c; /* 0, or the channels of a phase where several are one pass: those of their
                     * outputs follow each other, and tap_first rises by one with each phase */

    /* Chosen from the above. */
    size_t winograd; /* outputs of a tile along an axis; 0: the sum is made directly, and what
                      * follows is of that, but for panel and panels */
    const struct cconv_panel *panel;
    int depth;         /* one input channel for each output channel: panels of a single group */
    int strip;         /* the input is copied into a padded strip */
    int lines;         /* output is one line: a task takes block_w pixels of it */
    size_t line_w;     /* columns of the image whose rows make the line */
    size_t row;        /* elements between input rows as the kernel sees them */
    size_t segments_y; /* segments a tap row */
    size_t segment_length;
    size_t panels;           /* panels of a group */
    size_t run_weights;      /* elements of one packed run */
    size_t panel_weights;    /* elements of one packed panel */
    size_t block_h, block_w; /* outputs of a task */
    size_t block_work;       /* products of a whole block */
};

/* Elements between neighbours in the weights, seen from a pass. */
struct cconv_weight_strides {
    size_t out, in, group, kernel_w;
};

/* Weights of a panel's channels as packing reads them: output o, input i and tap are
 * at values[o * out + i * in + tap * (place of the tap in the weights)]. */
struct cconv_weight_view {
    const cconv_real *values;
    size_t out, in, tap;
    size_t inputs; /* there are */
};

/* A pass under way: out = act(init + window over in). */
struct cconv_pass_run {
    const struct cconv_pass *pass;
    const cconv_real *in;
    struct cconv_corr_init init;
    enum cconv_activation act;
    cconv_real slope;
    cconv_real *out;
    void *scratch;
};

/* The rows of an image as a panel kernel sees them. */
struct cconv_rows {
    const cconv_real *origin; /* input row `first`, the column that tap 0 of output 0 reads */
    int64_t first;
};

/* One block of outputs: rows y0 .. y1 - 1, columns x0 .. x1 - 1 of image n. */
struct cconv_block {
    size_t n, y0, y1, x0, x1;
};

void cconv_pass_gather(const coordconv_context *context, const struct cconv_corr *c,
                       struct cconv_pass *p);

/* A scatter falls into phases, the outputs that the same taps reach: along an axis
 * as many as returned here, and outputs that none does if that is less than the
 * stride. Phase (ky, kx) is that of tap (ky, kx), among others. */
int64_t cconv_pass_phases(const struct cconv_corr *c, int axis);
void cconv_pass_scatter(const coordconv_context *context, const struct cconv_corr *c, int64_t ky,
                        int64_t kx, struct cconv_pass *p);

/* The phases of a row side by side in one pass, whose outputs are pixels of stride x channels:
 * the input is read once, and panels are wider, for taps that some phases lack. A last pixel
 * that is not whole is a pass of its own. Is that less work? And whole pixel or rest of row
 * phase ky; returns 0 if there is none. */
int cconv_pass_merges(const coordconv_context *context, const struct cconv_corr *c);
int cconv_pass_scatter_merged(const coordconv_context *context, const struct cconv_corr *c,
                              int64_t ky, int rest, struct cconv_pass *p);

/* Whether any tap reaches the outputs that lie at r modulo the stride along an axis. */
int cconv_pass_reaches(const struct cconv_corr *c, int axis, int64_t r);

/* The outputs of a scatter in the rows ry and the columns rx (-1: all), modulo the strides,
 * without any tap. */
void cconv_pass_empty(const coordconv_context *context, const struct cconv_corr *c, int64_t ry,
                      int64_t rx, struct cconv_pass *p);

/* The same window over `channels` shared channels, by the same panel. */
struct cconv_pass cconv_pass_shared(const struct cconv_pass *p, size_t channels);

/* Make blocks so short that their outputs stay in the second-level cache as well,
 * for who reads them several times. */
void cconv_pass_shorten_blocks(struct cconv_pass *p);

/* Products below which handing a task to another thread costs more than it gains. */
enum {
    CCONV_LEAST_WORK = 128 * 1024
};

/* Blocks of a pass, and block i of them. */
size_t cconv_pass_blocks(const struct cconv_pass *p);
struct cconv_block cconv_pass_block(const struct cconv_pass *p, size_t i);

/* Are the outputs, written by whole vectors of 64 bytes, better written past the caches? */
int cconv_pass_streams(const struct cconv_pass *p, const cconv_real *out);

/* Pack panel `task` of `panels`, spread over threads where there is enough to pack. */
void cconv_pass_pack(coordconv_context *context, const struct cconv_pass *p, cconv_task_fn *pack,
                     void *arg, size_t panels);

/* Weights of inputs from `i` on, turned into room so that the channels of a panel lie side by
 * side, zeros for those that are not there; or where they are, if they do or the kernel is too
 * large. weight is the panel's. */
enum {
    CCONV_TURNED = 4608
};
struct cconv_weight_view cconv_pass_turn(const coordconv_context *context,
                                         const struct cconv_pass *p,
                                         const struct cconv_weight_strides *s,
                                         const cconv_real *weight, size_t channels, size_t i,
                                         cconv_real room[CCONV_TURNED]);

/* Bytes of a strip for one block. */
size_t cconv_pass_strip(const struct cconv_pass *p);

/* Table of segment offsets; [taps y * segments_y]. */
size_t cconv_pass_offset_count(const struct cconv_pass *p);
void cconv_pass_offsets(const struct cconv_pass *p, ptrdiff_t *offset);

/* Where the weight of tap (ky, kx), counted ky * taps x + kx, and of input channel i
 * for the first channel of a panel lies in the packed panel. */
size_t cconv_pass_place(const struct cconv_pass *p, size_t tap, size_t i);

/* Input rows for a block: in place, or copied into strip. */
struct cconv_rows cconv_pass_rows(const struct cconv_pass *p, const cconv_real *image,
                                  const struct cconv_block *b, cconv_real *strip);

/* Taps ky of output row y that lie inside the image: *first .. *first + returned - 1. */
int64_t cconv_pass_taps_inside(const struct cconv_pass *p, size_t y, int64_t *first);

#endif /* CCONV_OPS_CORR_PASS_H */
