/* SPDX-License-Identifier: BSD-2-Clause
 *
 * neon.h - what the templates ask of a vector, for four floats of AArch64 with
 * Advanced SIMD (NEON). For kernel files only.
 */
#ifndef CCONV_KERNELS_ARM_NEON_H
#define CCONV_KERNELS_ARM_NEON_H

#include <arm_neon.h>

#include "kernels/x86/unroll.h"

/* Lanes that are there, 0 to 4. */
static inline unsigned part_of_4(size_t n)
{
    return n < 4 ? (unsigned)n : 4U;
}

/* The rest of a vector that is not whole; other lanes are 0. Not inlined, as a
 * tile has many of them: a panel that is not full is slower at both ends of a
 * sum, and for each pixel of a gradient. */
NOINLINE
static float32x4_t load_some(const float *p, unsigned count)
{
    float32x4_t v = vdupq_n_f32(0);

    if (count & 2)
        v = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    if (count == 3)
        v = vld1q_lane_f32(p + 2, v, 2);
    else if (count == 1)
        v = vld1q_lane_f32(p, v, 0);
    return v;
}

static inline float32x4_t load_part(const float *p, unsigned count)
{
    if (count == 4)
        return vld1q_f32(p);
    return count == 0 ? vdupq_n_f32(0) : load_some(p, count);
}

NOINLINE
static void store_some(float *p, unsigned count, float32x4_t v)
{
    if (count & 2)
        vst1_f32(p, vget_low_f32(v));
    if (count == 3)
        vst1q_lane_f32(p + 2, v, 2);
    else if (count == 1)
        vst1q_lane_f32(p, v, 0);
}

static inline void store_part(float *p, unsigned count, float32x4_t v)
{
    if (count == 4)
        vst1q_f32(p, v);
    else if (count != 0)
        store_some(p, count, v);
}

/* sum + x * y */
static inline float32x4_t multiply_add(float32x4_t x, float32x4_t y, float32x4_t sum)
{
    return vfmaq_f32(sum, x, y);
}

#define part_of(n)             part_of_4(n)
#define LOAD_PART(p, part)     load_part(p, part)
#define LOAD_MASKED(p, part)   load_part(p, part)
#define PARTS_ARE_FREE         0
#define STORE_PART(p, part, v) store_part(p, part, v)

/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define NOT_POSITIVE(v) vcleq_f32(v, vdupq_n_f32(0))
#define RELU(v)         vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), NOT_POSITIVE(v)))
#define LEAKY(v, slope)                                                                            \
    vbslq_f32(NOT_POSITIVE(v), vaddq_f32(vmulq_f32(v, slope), vdupq_n_f32(0)), v)

/* Operations by the names that x86 has for them. A store past the caches is one
 * like any other. */
#define V(op)                  PASTE(neon_, op)
#define neon_setzero_ps()      vdupq_n_f32(0)
#define neon_set1_ps(x)        vdupq_n_f32(x)
#define neon_loadu_ps(p)       vld1q_f32(p)
#define neon_storeu_ps(p, v)   vst1q_f32(p, v)
#define neon_stream_ps(p, v)   vst1q_f32(p, v)
#define neon_add_ps(x, y)      vaddq_f32(x, y)
#define neon_mul_ps(x, y)      vmulq_f32(x, y)
#define neon_cvttps_epi32(x)   vcvtq_s32_f32(x)
#define neon_cvtepi32_ps(x)    vcvtq_f32_s32(x)
#define neon_fmadd_ps(x, y, s) multiply_add(x, y, s)

#endif /* CCONV_KERNELS_ARM_NEON_H */
