/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose_neon.c - squares of 4 x 4, turned in registers; what does not fill
 * one goes value by value.
 */
#include <arm_neon.h>

#include "kernels/transpose.h"

#define SIDE 4

static inline void square(const float *const row[SIDE], size_t rows, size_t columns, float *to,
                          size_t to_stride)
{
    const float32x4_t r0 = vld1q_f32(row[0]), r1 = vld1q_f32(row[1]);
    const float32x4_t r2 = vld1q_f32(row[2]), r3 = vld1q_f32(row[3]);
    const float32x4_t even01 = vtrn1q_f32(r0, r1), odd01 = vtrn2q_f32(r0, r1);
    const float32x4_t even23 = vtrn1q_f32(r2, r3), odd23 = vtrn2q_f32(r2, r3);

    (void)rows, (void)columns;
    vst1q_f32(to, vcombine_f32(vget_low_f32(even01), vget_low_f32(even23)));
    vst1q_f32(to + to_stride, vcombine_f32(vget_low_f32(odd01), vget_low_f32(odd23)));
    vst1q_f32(to + 2 * to_stride, vcombine_f32(vget_high_f32(even01), vget_high_f32(even23)));
    vst1q_f32(to + 3 * to_stride, vcombine_f32(vget_high_f32(odd01), vget_high_f32(odd23)));
}

#define SQUARES_HAVE_PARTS 0
#define TRANSPOSE          cconv_transpose_neon
#include "kernels/x86/transpose_template.h"
