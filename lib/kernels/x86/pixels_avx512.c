/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels_avx512.c - pixels in vectors of 16 floats.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/pixels.h"
#include "kernels/x86/unroll.h"

#define LANES 16
typedef __m512 vec;

#define bytes_to_vec(bytes) _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
#define load(p)             _mm512_loadu_ps(p)
#define store_to(p, v)      _mm512_storeu_ps(p, v)
#define stream_to(p, v)     _mm512_stream_ps(p, v)
#define all(value)          _mm512_set1_ps(value)
#define subtract(a, b)      _mm512_sub_ps(a, b)
#define times(a, b)         _mm512_mul_ps(a, b)
#define join(a, b)          _mm512_or_ps(a, b)
#define load_bytes(p)       _mm_loadu_si128((const __m128i *)(p))

INLINE __m256 eight_distances(const double *xx, double yy, double divisor)
{
    const __m512d sum = _mm512_add_pd(_mm512_loadu_pd(xx), _mm512_set1_pd(yy));

    return _mm512_cvtpd_ps(_mm512_div_pd(_mm512_sqrt_pd(sum), _mm512_set1_pd(divisor)));
}

INLINE void distances(float *to, const double *xx, double yy, double divisor)
{
    _mm256_storeu_ps(to, eight_distances(xx, yy, divisor));
    _mm256_storeu_ps(to + 8, eight_distances(xx + 8, yy, divisor));
}

#define INIT cconv_pixels_init_avx512
#include "kernels/x86/pixels_template.h"
