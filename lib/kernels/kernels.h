/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kernels.h - the table of inner loops a context uses.
 *
 * Kernels take raw pointers and counts of elements, allocate nothing and cannot
 * fail. The table is filled with the reference set (plain C), then each
 * instruction set the processor has and the context allows replaces what it
 * does better. A slot without a tuned kernel stays correct.
 */
#ifndef CCONV_KERNELS_KERNELS_H
#define CCONV_KERNELS_KERNELS_H

#include "kernels/conv.h"
#include "kernels/eltwise.h"
#include "kernels/loss.h"
#include "kernels/moments.h"
#include "kernels/norm.h"
#include "kernels/pixels.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/transpose.h"
#include "kernels/winograd.h"

struct cconv_kernels {
    const char *isa; /* best set in use: "reference", "avx2", "avx512", "neon" */
    struct cconv_conv_kernels conv;
    struct cconv_winograd_kernels winograd;
    struct cconv_eltwise_kernels eltwise;
    struct cconv_pool_kernels pool;
    struct cconv_norm_kernels norm;
    struct cconv_loss_kernels loss;
    struct cconv_reduce_kernels reduce;
    struct cconv_pixel_kernels pixels;
    cconv_moments_fn *moments;
    cconv_transpose_fn *transpose;
};

/* Whether this build and this processor have COORDCONV_ISA_* isa. */
int cconv_cpu_has(int32_t isa);

/* Best COORDCONV_ISA_* of this processor and this build. */
int32_t cconv_cpu_isa(void);

/* Fill the table with the best set that max_isa, a COORDCONV_ISA_*, allows. */
void cconv_kernels_init(struct cconv_kernels *k, int32_t max_isa);

/* The best kernels for pixels, for callers without a context. */
void cconv_pixels_init(struct cconv_pixel_kernels *k);

#endif /* CCONV_KERNELS_KERNELS_H */
