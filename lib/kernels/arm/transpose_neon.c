/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose_neon.c - squares of 4 x 4, turned in registers; what does not fill
 * one goes value by value.
 */
#include <arm_neon.h>

#include "kernels/transpose.h"

#define SIDE 4

static inline void square(const float *const row[SIDE], float *to, size_t to_stride)
{
    const float32x4_t r0 = vld1q_f32(row[0]), r1 = vld1q_f32(row[1]);
    const float32x4_t r2 = vld1q_f32(row[2]), r3 = vld1q_f32(row[3]);
    const float32x4_t even01 = vtrn1q_f32(r0, r1), odd01 = vtrn2q_f32(r0, r1);
    const float32x4_t even23 = vtrn1q_f32(r2, r3), odd23 = vtrn2q_f32(r2, r3);

    vst1q_f32(to, vcombine_f32(vget_low_f32(even01), vget_low_f32(even23)));
    vst1q_f32(to + to_stride, vcombine_f32(vget_low_f32(odd01), vget_low_f32(odd23)));
    vst1q_f32(to + 2 * to_stride, vcombine_f32(vget_high_f32(even01), vget_high_f32(even23)));
    vst1q_f32(to + 3 * to_stride, vcombine_f32(vget_high_f32(odd01), vget_high_f32(odd23)));
}

/* `count` rows, the first of which becomes column 0 of `to`. */
static void turn_rows(const float *row[SIDE], size_t count, size_t columns, float *to,
                      size_t to_stride)
{
    for (; count == SIDE && columns >= SIDE; columns -= SIDE, to += SIDE * to_stride) {
        square(row, to, to_stride);
        for (size_t k = 0; k < SIDE; k++)
            row[k] += SIDE;
    }
    for (size_t k = 0; k < count; k++) {
        for (size_t c = 0; c < columns; c++)
            to[c * to_stride + k] = row[k][c];
    }
}

void cconv_transpose_neon(const struct cconv_transpose *t)
{
    const size_t rows = t->outer * t->inner;
    size_t i = 0, j = 0;

    for (size_t first = 0; first < rows; first += SIDE) {
        const float *row[SIDE] = { NULL };
        const size_t count = rows - first < SIDE ? rows - first : SIDE;

        for (size_t k = 0; k < count; k++) {
            row[k] = t->from + i * t->from_outer + j * t->from_inner;
            if (++j == t->inner) {
                j = 0;
                i++;
            }
        }
        turn_rows(row, count, t->columns, t->to + first, t->to_stride);
    }
}
