/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose_avx2.c - squares of 8 x 8, turned in registers; what does not fill
 * one goes value by value.
 */
#include <immintrin.h>

#include "kernels/transpose.h"
#include "kernels/x86/unroll.h"

#define SIDE 8

INLINE void turn(__m256 r[SIDE])
{
    __m256 a[SIDE], b[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i += 4) {
        a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
        a[i + 2] = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
        a[i + 3] = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xEE);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

static void square(const float *const row[SIDE], float *to, size_t to_stride)
{
    __m256 r[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++)
        r[i] = _mm256_loadu_ps(row[i]);
    turn(r);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        _mm256_storeu_ps(to + (size_t)i * to_stride, r[i]);
}

void cconv_transpose_avx2(const struct cconv_transpose *t)
{
    const size_t rows = t->outer * t->inner;
    size_t i = 0, j = 0;

    for (size_t first = 0; first < rows; first += SIDE) {
        const float *row[SIDE] = { NULL };
        const size_t count = rows - first < SIDE ? rows - first : SIDE;
        size_t c = 0;

        for (size_t k = 0; k < count; k++) {
            row[k] = t->from + i * t->from_outer + j * t->from_inner;
            if (++j == t->inner) {
                j = 0;
                i++;
            }
        }
        for (; count == SIDE && t->columns - c >= SIDE; c += SIDE) {
            square(row, t->to + c * t->to_stride + first, t->to_stride);
            for (size_t k = 0; k < SIDE; k++)
                row[k] += SIDE;
        }
        for (size_t k = 0; k < count; k++) {
            for (size_t rest = c; rest < t->columns; rest++)
                t->to[rest * t->to_stride + first + k] = row[k][rest - c];
        }
    }
}
