/* SPDX-License-Identifier: BSD-2-Clause
 *
 * winograd_neon.c - Winograd's transforms, 4 channels at a time.
 *
 * Costs are reckoned like those of conv_neon.c: a vector of the inputs of F(4, 3)
 * is 144 multiply-adds, 36 loads, 36 stores and as much again for what 32
 * registers do not hold, about 90 cycles.
 */
#include "kernels/winograd.h"

#include "kernels/arm/neon.h"

#define VEC          float32x4_t
#define LANES        4
#define PART         unsigned
#define NO_PART      0
#define LOAD(p)      vld1q_f32(p)
#define STORE(p, v)  vst1q_f32(p, v)
#define ZERO         vdupq_n_f32(0)
#define SET1(x)      vdupq_n_f32((float)(x))
#define ADD(a, b)    vaddq_f32(a, b)
#define SUB(a, b)    vsubq_f32(a, b)
#define MUL(a, b)    vmulq_f32(a, b)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define STREAM(p, v) STORE(p, v)
#define PREFETCH(p)  __builtin_prefetch(p, 0, 2)
#define COSTS_2      2.0F, 1.5F
#define COSTS_4      7.5F, 5.8F
#include "kernels/winograd_template.h"

void cconv_winograd_init_neon(struct cconv_winograd_kernels *k)
{
    *k = winograd_kernels;
}
