/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr_winograd.h - passes and weight gradients by Winograd's transforms.
 */
#ifndef CCONV_OPS_CORR_WINOGRAD_H
#define CCONV_OPS_CORR_WINOGRAD_H

#include "ops/corr_pass.h"

/* Tiles of a whole batch in one row, and where one of them begins. */
struct cconv_tiles {
    size_t down, across, count;
};

struct cconv_tile {
    size_t n, y, x; /* image, first output row and column */
};

/* Set p->winograd, and p->panel and p->panels to go with it, where tiles are the
 * faster way for a dense 3x3 window that moves by one pixel. */
void cconv_winograd_choose(const coordconv_context *context, struct cconv_pass *p);

/* What corr_winograd.c and corr_winograd_grad.c share. p->winograd is not 0. */
size_t cconv_winograd_planes(const struct cconv_pass *p);
const struct cconv_winograd *cconv_winograd_kernels(const coordconv_context *context,
                                                    const struct cconv_pass *p);
struct cconv_tiles cconv_winograd_tiles(const struct cconv_pass *p);
struct cconv_tile cconv_winograd_tile(const struct cconv_pass *p, const struct cconv_tiles *t,
                                      size_t i);
void cconv_winograd_spread_input(const struct cconv_pass *p, const struct cconv_winograd *k,
                                 const struct cconv_tile *tile, const cconv_real *in, cconv_real *v,
                                 size_t plane);

/* Bytes of packed weights, and of scratch of a pass and of a gradient. */
size_t cconv_winograd_packed(const struct cconv_pass *p);
size_t cconv_winograd_scratch(const coordconv_context *context, const struct cconv_pass *p);
size_t cconv_winograd_grad_scratch(const coordconv_context *context, const struct cconv_pass *p);

/* Transform weights: element (o, i, ky, kx) is at weight[o * s->out + i * s->in + ...]. */
void cconv_winograd_pack(coordconv_context *context, const struct cconv_pass *p,
                         const struct cconv_weight_strides *s, const cconv_real *weight,
                         const cconv_real *scale, void *packed);

void cconv_winograd_run(coordconv_context *context, const struct cconv_pass_run *r,
                        const void *packed);

/* dweight[o][i][ky][kx], rows of weight_s elements, from the input of a gather and the gradient of
 * its output. */
void cconv_winograd_grad(coordconv_context *context, const struct cconv_pass *p, size_t weight_s,
                         const cconv_real *in, const cconv_real *dout, cconv_real *dweight,
                         void *scratch);

#endif /* CCONV_OPS_CORR_WINOGRAD_H */
