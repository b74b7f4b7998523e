/* SPDX-License-Identifier: BSD-2-Clause
 *
 * winograd_avx2.c - Winograd's transforms, 8 channels at a time. Channels that
 * do not fill a vector go one by one through the plain C of the same template.
 */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/winograd.h"
#include "kernels/x86/unroll.h"

static const int32_t mask_window[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

static inline __m256i part_of(size_t n)
{
    const size_t count = n < 8 ? n : 8;

    return _mm256_loadu_si256((const __m256i *)(const void *)(mask_window + 8 - count));
}

#define VEC                    __m256
#define LANES                  8
#define PART                   __m256i
#define LOAD(p)                _mm256_loadu_ps(p)
#define STORE(p, v)            _mm256_storeu_ps(p, v)
#define LOAD_PART(p, part)     _mm256_maskload_ps(p, part)
#define STORE_PART(p, part, v) _mm256_maskstore_ps(p, part, v)
#define ZERO                   _mm256_setzero_ps()
#define SET1(x)                _mm256_set1_ps((float)(x))
#define ADD(a, b)              _mm256_add_ps(a, b)
#define SUB(a, b)              _mm256_sub_ps(a, b)
#define MUL(a, b)              _mm256_mul_ps(a, b)
#define FMA(a, b, c)           _mm256_fmadd_ps(a, b, c)
/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define RELU(v) _mm256_and_ps(v, _mm256_cmp_ps(v, ZERO, _CMP_NLE_UQ))
#define LEAKY(v, slope)                                                                            \
    _mm256_blendv_ps(v, ADD(MUL(v, slope), ZERO), _mm256_cmp_ps(v, ZERO, _CMP_LE_OQ))
#define STREAM(p, v) STORE(p, v)
#define PREFETCH(p)  __builtin_prefetch(p, 0, 2)
#define COSTS_2      2.0F, 1.4F
#define COSTS_4      5.0F, 3.2F
#include "kernels/winograd_template.h"

void cconv_winograd_init_avx2(struct cconv_winograd_kernels *k)
{
    *k = winograd_kernels;
}
