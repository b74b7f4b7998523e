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

static void square(const float *const row[SIDE], size_t rows, size_t columns, float *to,
                   size_t to_stride)
{
    __m256 r[SIDE];

    (void)rows, (void)columns;
    UNROLL
    for (int i = 0; i < SIDE; i++)
        r[i] = _mm256_loadu_ps(row[i]);
    turn(r);
    UNROLL
    for (int i = 0; i < SIDE; i++)
        _mm256_storeu_ps(to + (size_t)i * to_stride, r[i]);
}

#define SQUARES_HAVE_PARTS 0
#define TRANSPOSE          cconv_transpose_avx2
#include "kernels/x86/transpose_template.h"
