/* SPDX-License-Identifier: BSD-2-Clause
 *
 * winograd_avx512.c - Winograd's transforms, 16 channels at a time.
 */
#include <immintrin.h>

#include "kernels/winograd.h"
#include "kernels/x86/unroll.h"

#define VEC                    __m512
#define LANES                  16
#define PART                   __mmask16
#define part_of(n)             ((__mmask16)((n) >= 16 ? 0xFFFFU : (1U << (n)) - 1U))
#define LOAD(p)                _mm512_loadu_ps(p)
#define STORE(p, v)            _mm512_storeu_ps(p, v)
#define LOAD_PART(p, part)     _mm512_maskz_loadu_ps(part, p)
#define STORE_PART(p, part, v) _mm512_mask_storeu_ps(p, part, v)
#define ZERO                   _mm512_setzero_ps()
#define SET1(x)                _mm512_set1_ps((float)(x))
#define ADD(a, b)              _mm512_add_ps(a, b)
#define SUB(a, b)              _mm512_sub_ps(a, b)
#define MUL(a, b)              _mm512_mul_ps(a, b)
#define FMA(a, b, c)           _mm512_fmadd_ps(a, b, c)
/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define RELU(v) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, ZERO, _CMP_NLE_UQ), v)
#define LEAKY(v, slope)                                                                            \
    _mm512_mask_add_ps(v, _mm512_cmp_ps_mask(v, ZERO, _CMP_LE_OQ), _mm512_mul_ps(v, slope), ZERO)
#define STREAM(p, v) _mm512_stream_ps(p, v)
#define PREFETCH(p)  __builtin_prefetch(p, 0, 2)
#define COSTS_2      1.1F, 0.8F
#define COSTS_4      2.5F, 1.75F
#include "kernels/winograd_template.h"

void cconv_winograd_init_avx512(struct cconv_winograd_kernels *k)
{
    *k = winograd_kernels;
}
