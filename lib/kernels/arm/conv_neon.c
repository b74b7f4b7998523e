/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_neon.c - convolution panels for AArch64 with Advanced SIMD (NEON).
 *
 *   16 channels  6 pixels x 4 vectors of 4  \
 *    8 channels  12 pixels x 2 vectors of 4 / 24 of 32 registers
 *    4 channels  12 pixels x 1 vector of 4, 12 of 32
 *    2 channels  12 pixels, lanes are two channels times two products
 *    1 channel   8 pixels, lanes are four products
 *
 *   depthwise    6 pixels x 4 vectors of 4 channels, 12 pixels x 1
 *
 * Not measured on hardware, but reckoned from what is published of Cortex-A76
 * and Neoverse N1: two multiply-add units of 128 bits and four cycles want 8
 * independent sums, two load units and a decoder of four instructions a cycle.
 * A step of the panel of 16 channels takes 24 multiply-adds, 12 cycles, for 10
 * loads and about 5 instructions more, 10 cycles of the decoder; with 8 channels
 * it is 12 against 11, with 4 channels 6 against 8, so that one is bound by the
 * decoder. An input is loaded as a scalar and the multiply-add takes it from
 * lane 0: a load that fills all lanes would take up a multiply-add unit as well.
 */
#include "kernels/conv.h"

#include "kernels/arm/neon.h"

/* sum + x * y. Compilers fill a register with x where it is used several times,
 * so the instruction is written down. */
static inline float32x4_t multiply_add_one(float x, float32x4_t y, float32x4_t sum)
{
    __asm__("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(sum) : "w"(y), "w"(x));
    return sum;
}

#define ONE                float
#define LOAD_ONE(p)        (*(p))
#define FMADD_ONE(x, y, s) multiply_add_one(x, y, s)

#define VEC                float32x4_t
#define LANES              4
#define MM                 neon_
#define PART               unsigned
#define VECTORS            4
#define TILE               6
#define DEPTH_PIXELS       6
#define NAME(x)            x##_16
#include "kernels/x86/conv_template.h"

#define VEC     float32x4_t
#define LANES   4
#define MM      neon_
#define PART    unsigned
#define VECTORS 2
#define TILE    12
#define NAME(x) x##_8
#include "kernels/x86/conv_template.h"

#define VEC          float32x4_t
#define LANES        4
#define MM           neon_
#define PART         unsigned
#define VECTORS      1
#define TILE         12
#define DEPTH_PIXELS 12
#define DEPTH_GRAD
#define NAME(x) x##_4
#include "kernels/x86/conv_template.h"

#define COUNTING                                                                                   \
    (float32x4_t)                                                                                  \
    {                                                                                              \
        0, 1, 2, 3                                                                                 \
    }

static inline float32x4_t twice(float32x2_t v)
{
    return vcombine_f32(v, v);
}

#define CYCLE(v, n) cycle_4(v, n)

static inline float32x4_t cycle_4(float32x4_t v, size_t n)
{
    if (n == 1)
        return vdupq_n_f32(vgetq_lane_f32(v, 0));
    return n == 2 ? twice(vget_low_f32(v)) : v;
}

/* p[0], p[0], p[1], p[1]; the first alone where there is one. */
static inline float32x4_t each_twice(const float *p, size_t n)
{
    const float32x4_t first = vdupq_n_f32(p[0]);

    return vcombine_f32(vget_low_f32(first), vdup_n_f32(p[n > 1]));
}

#define VEC                  float32x4_t
#define LANES                4
#define MM                   neon_
#define PART                 unsigned
#define GROUP                2
#define VECTORS              1
#define TILE                 12
#define REST                 unsigned
#define rest_of(n)           part_of_4(n)
#define SPREAD(p)            twice(vld1_f32(p))
#define SPREAD_REST(p, rest) twice(vld1_lane_f32(p, vdup_n_f32(0), 0))
#define REPEAT(p, v, n)      each_twice(p, n)
#define FOLD(s)              vpaddq_f32((s)[0], (s)[1])
#define NAME(x)              x##_2
#include "kernels/x86/group_template.h"

#define VEC                  float32x4_t
#define LANES                4
#define MM                   neon_
#define PART                 unsigned
#define GROUP                4
#define VECTORS              1
#define TILE                 8
#define REST                 unsigned
#define rest_of(n)           part_of_4(n)
#define SPREAD(p)            vld1q_f32(p)
#define SPREAD_REST(p, rest) load_part(p, rest)
#define REPEAT(p, v, n)      vdupq_n_f32((p)[v < (int)(n) ? v : 0])
#define FOLD(s)              vpaddq_f32(vpaddq_f32((s)[0], (s)[1]), vpaddq_f32((s)[2], (s)[3]))
#define NAME(x)              x##_1
#include "kernels/x86/group_template.h"

#define DEPTH_WIDE   16
#define DEPTH_NARROW 4
#include "kernels/x86/depth_forward.h"

/* Costs are reckoned like the tiles above, at 3 GHz. */
void cconv_conv_init_neon(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 5,
        .panel = { { 1, 4, forward_1, grad_1, 1.60F, 0.060F },
                   { 2, 2, forward_2, grad_2, 1.60F, 0.110F },
                   { 4, 1, forward_4, grad_4, 1.60F, 0.200F },
                   { 8, 1, forward_8, grad_8, 1.80F, 0.340F },
                   { 16, 1, forward_16, grad_16, 2.40F, 0.670F } },
        .depth = { 4, 1, depth_forward, depth_grad_4, 0, 0 },
    };

    *k = panels;
}
