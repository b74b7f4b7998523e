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
typedef __m256i indices;

#define bytes_to_vec(bytes) _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
#define load(p)             _mm256_loadu_ps(p)
#define store_to(p, v)      _mm256_storeu_ps(p, v)
#define stream_to(p, v)     _mm256_stream_ps(p, v)
#define all(value)          _mm256_set1_ps(value)
#define subtract(a, b)      _mm256_sub_ps(a, b)
#define times(a, b)         _mm256_mul_ps(a, b)
#define load_indices(p)     _mm256_loadu_si256((const __m256i *)(p))

/* Bit l of lanes becomes the sign of lane l, which is what blends look at. */
INLINE __m256 pick(__m256 v, __m256 from, __m256i where, uint32_t lanes)
{
    const __m256i shift = _mm256_set_epi32(24, 25, 26, 27, 28, 29, 30, 31);
    const __m256 mask =
        _mm256_castsi256_ps(_mm256_sllv_epi32(_mm256_set1_epi32((int32_t)lanes), shift));

    return _mm256_blendv_ps(v, _mm256_permutevar8x32_ps(from, where), mask);
}

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
