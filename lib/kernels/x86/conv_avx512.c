/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_avx512.c - convolution panels for AVX-512 F and VL.
 *
 *   32 channels  12 pixels x 2 vectors of 16 \
 *   16 channels  24 pixels x 1 vector of 16  / 24 of 32 registers
 *    8 channels  24 pixels x 1 vector of 8 x 2 products
 *    4 channels  6 pixels x 4 vectors of 16 products
 *    2 channels  24 pixels x 1 vector of 2 x 8 products
 *    1 channel   16 pixels x 1 vector of 16 products
 *
 *   depthwise    6 pixels x 2 or 1 vectors of 16 channels
 *
 * Built with compiler flags of its own: an inline function from elsewhere would
 * be compiled for AVX-512 as well, so none is included.
 */
#include <immintrin.h>

#include "kernels/conv.h"
#include "kernels/x86/unroll.h"

#define V(op)                  PASTE(MM, op)
#define part_of(n)             ((PART)first_bits(n, LANES))
#define LOAD_PART(p, part)     V(maskz_loadu_ps)(part, p)
#define LOAD_MASKED(p, part)   LOAD_PART(p, part)
#define STORE_PART(p, part, v) V(mask_storeu_ps)(p, part, v)
#define PARTS_ARE_FREE         1

#define ONE                    VEC
#define LOAD_ONE(p)            V(set1_ps)(*(p))
#define FMADD_ONE(x, v, sum)   V(fmadd_ps)(x, v, sum)

/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define ZERO    V(setzero_ps)()
#define RELU(v) V(maskz_mov_ps)(V(cmp_ps_mask)(v, ZERO, _CMP_NLE_UQ), v)
#define LEAKY(v, slope)                                                                            \
    V(mask_add_ps)(v, V(cmp_ps_mask)(v, ZERO, _CMP_LE_OQ), V(mul_ps)(v, slope), ZERO)

static inline unsigned first_bits(size_t n, unsigned lanes)
{
    return (1U << (n < lanes ? (unsigned)n : lanes)) - 1U;
}

#define VEC          __m512
#define LANES        16
#define MM           _mm512_
#define PART         __mmask16
#define VECTORS      2
#define TILE         12
#define DEPTH_PIXELS 6
#define NAME(x)      x##_32
#include "kernels/x86/conv_template.h"

#define VEC          __m512
#define LANES        16
#define MM           _mm512_
#define PART         __mmask16
#define VECTORS      1
#define TILE         24
#define DEPTH_PIXELS 6
#define DEPTH_GRAD
#define NAME(x) x##_16
#include "kernels/x86/conv_template.h"

#define COUNTING    _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define CYCLE(v, n) cycle_16(v, n)

static inline __m512 cycle_16(__m512 v, size_t n)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    return _mm512_permutexvar_ps(_mm512_and_si512(lane, _mm512_set1_epi32((int)n - 1)), v);
}

/* Two neighbours that travel as one double. */
static inline double two_floats(const float *p)
{
    double both;

    __builtin_memcpy(&both, p, sizeof both);
    return both;
}

/* Neighbouring lanes of a added up, then of b, in each quarter. */
static inline __m512 fold_pairs(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}

/* Each quarter: the sums of its lanes in s[0] to s[3]. */
static inline __m512 fold_quarters(const __m512 s[4])
{
    return fold_pairs(fold_pairs(s[0], s[1]), fold_pairs(s[2], s[3]));
}

/* Neighbouring quarters of a added up, then of b. */
static inline __m512 fold_halves(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}

static inline __m512 fold_by_2(const __m512 s[2])
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const __m512 sums = fold_pairs(s[0], s[1]);

    return _mm512_castpd_ps(_mm512_permutexvar_pd(order, _mm512_castps_pd(sums)));
}

static inline __m512 fold_by_8(const __m512 s[8])
{
    const __m512i order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);

    return _mm512_permutexvar_ps(order, fold_halves(fold_quarters(s), fold_quarters(s + 4)));
}

static inline __m512 fold_by_16(const __m512 s[16])
{
    return fold_halves(fold_halves(fold_quarters(s), fold_quarters(s + 4)),
                       fold_halves(fold_quarters(s + 8), fold_quarters(s + 12)));
}

/* Lane l: p[l >> shift], where that is below n; at most 8 are looked at, for a load of 16 would
 * as a rule lie in two cache lines. */
static inline __m512 repeat_16(const float *p, size_t n, unsigned shift)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    const __m256 v = _mm256_maskz_loadu_ps((__mmask8)first_bits(n, 8), p);

    return _mm512_permutexvar_ps(_mm512_srli_epi32(lane, shift), _mm512_castps256_ps512(v));
}

#define VEC        __m512
#define LANES      16
#define MM         _mm512_
#define PART       __mmask16
#define GROUP      2
#define VECTORS    1
#define TILE       24
#define REST       __mmask8
#define rest_of(n) ((REST)first_bits(n, GROUP))
#define SPREAD(p)  _mm512_castpd_ps(_mm512_set1_pd(two_floats(p)))
#define SPREAD_REST(p, rest)                                                                       \
    _mm512_castpd_ps(_mm512_broadcastsd_pd(_mm_castps_pd(_mm_maskz_loadu_ps(rest, p))))
#define REPEAT(p, v, n) repeat_16(p, n, 1)
#define FOLD(s)         fold_by_2(s)
#define NAME(x)         x##_8
#include "kernels/x86/group_template.h"

#define VEC                  __m512
#define LANES                16
#define MM                   _mm512_
#define PART                 __mmask16
#define GROUP                16
#define VECTORS              4
#define TILE                 6
#define REST                 __mmask16
#define rest_of(n)           ((REST)first_bits(n, GROUP))
#define SPREAD(p)            _mm512_loadu_ps(p)
#define SPREAD_REST(p, rest) _mm512_maskz_loadu_ps(rest, p)
#define REPEAT(p, v, n)      _mm512_set1_ps((p)[(v) < (int)(n) ? (v) : 0])
#define FOLD(s)              fold_by_16(s)
#define NAME(x)              x##_4
#include "kernels/x86/group_template.h"

#define VEC                  __m512
#define LANES                16
#define MM                   _mm512_
#define PART                 __mmask16
#define GROUP                8
#define VECTORS              1
#define TILE                 24
#define REST                 __mmask8
#define rest_of(n)           ((REST)first_bits(n, GROUP))
#define SPREAD(p)            _mm512_broadcast_f32x8(_mm256_loadu_ps(p))
#define SPREAD_REST(p, rest) _mm512_broadcast_f32x8(_mm256_maskz_loadu_ps(rest, p))
#define REPEAT(p, v, n)      repeat_16(p, n, 3)
#define FOLD(s)              fold_by_8(s)
#define NAME(x)              x##_2
#include "kernels/x86/group_template.h"

#define VEC                  __m512
#define LANES                16
#define MM                   _mm512_
#define PART                 __mmask16
#define GROUP                16
#define VECTORS              1
#define TILE                 16
#define REST                 __mmask16
#define rest_of(n)           ((REST)first_bits(n, GROUP))
#define SPREAD(p)            _mm512_loadu_ps(p)
#define SPREAD_REST(p, rest) _mm512_maskz_loadu_ps(rest, p)
#define REPEAT(p, v, n)      _mm512_set1_ps((p)[(v) < (int)(n) ? (v) : 0])
#define FOLD(s)              fold_by_16(s)
#define PIXEL_BY_PIXEL       128
#define NAME(x)              x##_1
#include "kernels/x86/group_template.h"

#define DEPTH_WIDE   32
#define DEPTH_NARROW 16
#include "kernels/x86/depth_forward.h"

void cconv_conv_init_avx512(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 6,
        .panel = { { 1, 16, forward_1, grad_1, 0.90F, 0.0135F },
                   { 2, 8, forward_2, grad_2, 1.00F, 0.0245F },
                   { 4, 16, forward_4, grad_4, 2.35F, 0.0295F },
                   { 8, 2, forward_8, grad_8, 1.15F, 0.0660F },
                   { 16, 1, forward_16, grad_16, 0.80F, 0.1290F },
                   { 32, 1, forward_32, grad_32, 1.30F, 0.2410F } },
        .depth = { 16, 1, depth_forward, depth_grad_16, 0, 0 },
    };

    *k = panels;
}
