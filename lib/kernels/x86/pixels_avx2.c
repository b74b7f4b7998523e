/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels_avx2.c - pixels in vectors of 8 floats.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/pixels.h"
#include "kernels/x86/unroll.h"

#define LANES 8
typedef __m256 vec;

#define bytes_to_vec(bytes) _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
#define load(p)             _mm256_loadu_ps(p)
#define store_to(p, v)      _mm256_storeu_ps(p, v)
#define stream_to(p, v)     _mm256_stream_ps(p, v)
#define all(value)          _mm256_set1_ps(value)
#define subtract(a, b)      _mm256_sub_ps(a, b)
#define times(a, b)         _mm256_mul_ps(a, b)
#define join(a, b)          _mm256_or_ps(a, b)
#define load_bytes(p)       _mm_loadl_epi64((const __m128i *)(p))

INLINE __m128 four_distances(const double *xx, double yy, double divisor)
{
    const __m256d sum = _mm256_add_pd(_mm256_loadu_pd(xx), _mm256_set1_pd(yy));

    return _mm256_cvtpd_ps(_mm256_div_pd(_mm256_sqrt_pd(sum), _mm256_set1_pd(divisor)));
}

INLINE void distances(float *to, const double *xx, double yy, double divisor)
{
    _mm_storeu_ps(to, four_distances(xx, yy, divisor));
    _mm_storeu_ps(to + 4, four_distances(xx + 4, yy, divisor));
}

#define INIT cconv_pixels_init_avx2
#include "kernels/x86/pixels_template.h"
