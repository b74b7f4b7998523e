/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose_avx512.c - squares of 16 x 16, turned in registers.
 */
#include <immintrin.h>

#include "kernels/transpose.h"
#include "kernels/x86/unroll.h"

#define SIDE 16

static inline __mmask16 first_bits(size_t n)
{
    return (__mmask16)(n >= SIDE ? 0xFFFFU : (1U << n) - 1U);
}

/* Turn 4 x 4 squares of floats, then squares of them: r[k] becomes column k. */
INLINE void turn(__m512 r[SIDE])
{
    __m512 a[SIDE], b[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i += 4) {
        a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
        a[i + 2] = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
        a[i + 3] = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xEE);
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        const __m512 even01 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        const __m512 odd01 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xDD);
        const __m512 even23 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        const __m512 odd23 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xDD);

        r[i] = _mm512_shuffle_f32x4(even01, even23, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(even01, even23, 0xDD);
        r[i + 12] = _mm512_shuffle_f32x4(odd01, odd23, 0xDD);
    }
}

/* Rows that are not there read as rows of zeros that nobody stores. */
static void square(const float *const row[SIDE], size_t rows, size_t columns, float *to,
                   size_t to_stride)
{
    const __mmask16 in = first_bits(columns), out = first_bits(rows);
    __m512 r[SIDE];

    UNROLL
    for (int i = 0; i < SIDE; i++)
        r[i] = _mm512_maskz_loadu_ps((size_t)i < rows ? in : 0, row[i]);
    turn(r);
    UNROLL
    for (int i = 0; i < SIDE; i++) {
        if ((size_t)i < columns)
            _mm512_mask_storeu_ps(to + (size_t)i * to_stride, out, r[i]);
    }
}

#define SQUARES_HAVE_PARTS 1
#define TRANSPOSE          cconv_transpose_avx512
#include "kernels/x86/transpose_template.h"
