/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_avx2.c - convolution panels for AVX2 and FMA.
 *
 *   16 channels  6 pixels x 2 vectors of 8 \
 *    8 channels  12 pixels x 1 vector of 8 / 12 of 16 registers
 *    4 channels  12 pixels x 1 vector of 4 x 2 products
 *    2 channels  12 pixels x 1 vector of 2 x 4 products
 *    1 channel   8 pixels x 1 vector of 8 products
 *
 *   depthwise    6 pixels x 2 or 1 vectors of 8 channels
 *
 * Built with compiler flags of its own: an inline function from elsewhere would
 * be compiled for AVX2 as well, so none is included.
 */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/conv.h"
#include "kernels/x86/unroll.h"

/* The mask is for loads. A masked store takes tens of cycles on several
 * processors, so stores are made of pieces by the count; and a masked load
 * costs enough to ask first whether it is needed. */
struct part_8 {
    __m256i mask;
    size_t count;
};

struct part_4 {
    __m128i mask;
    size_t count;
};

/* A window that starts n before the middle has its first n lanes set. */
static const int32_t mask_window[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

static inline struct part_8 part_of_8(size_t n)
{
    const size_t count = n < 8 ? n : 8;
    const struct part_8 part = {
        _mm256_loadu_si256((const __m256i *)(const void *)(mask_window + 8 - count)), count
    };
    return part;
}

static inline struct part_4 part_of_4(size_t n)
{
    const size_t count = n < 4 ? n : 4;
    const struct part_4 part = {
        _mm_loadu_si128((const __m128i *)(const void *)(mask_window + 8 - count)), count
    };
    return part;
}

static inline void store_part_4(float *p, struct part_4 part, __m128 v)
{
    if (part.count == 4) {
        _mm_storeu_ps(p, v);
        return;
    }
    if (part.count & 2) {
        _mm_storel_pi((__m64 *)(void *)p, v);
        v = _mm_movehl_ps(v, v);
        p += 2;
    }
    if (part.count & 1)
        _mm_store_ss(p, v);
}

static inline void store_part_8(float *p, struct part_8 part, __m256 v)
{
    __m128 half = _mm256_castps256_ps128(v);

    if (part.count == 8) {
        _mm256_storeu_ps(p, v);
        return;
    }
    if (part.count & 4) {
        _mm_storeu_ps(p, half);
        half = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    store_part_4(p, (struct part_4){ _mm_setzero_si128(), part.count & 3 }, half);
}

#define V(op)                  PASTE(MM, op)
#define part_of(n)             PASTE(part_of_, LANES)(n)
#define LOAD_PART(p, part)     ((part).count == LANES ? V(loadu_ps)(p) : V(maskload_ps)(p, (part).mask))
#define LOAD_MASKED(p, part)   V(maskload_ps)(p, (part).mask)
#define STORE_PART(p, part, v) PASTE(store_part_, LANES)(p, part, v)
#define PARTS_ARE_FREE         0

#define ONE                    VEC
#define LOAD_ONE(p)            V(set1_ps)(*(p))
#define FMADD_ONE(x, v, sum)   V(fmadd_ps)(x, v, sum)

/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define ZERO    V(setzero_ps)()
#define RELU(v) V(and_ps)(v, V(cmp_ps)(v, ZERO, _CMP_NLE_UQ))
#define LEAKY(v, slope)                                                                            \
    V(blendv_ps)(v, V(add_ps)(V(mul_ps)(v, slope), ZERO), V(cmp_ps)(v, ZERO, _CMP_LE_OQ))

#define VEC          __m256
#define LANES        8
#define MM           _mm256_
#define PART         struct part_8
#define VECTORS      2
#define TILE         6
#define DEPTH_PIXELS 6
#define NAME(x)      x##_16
#include "kernels/x86/conv_template.h"

#define VEC          __m256
#define LANES        8
#define MM           _mm256_
#define PART         struct part_8
#define VECTORS      1
#define TILE         12
#define DEPTH_PIXELS 6
#define DEPTH_GRAD
#define NAME(x) x##_8
#include "kernels/x86/conv_template.h"

#define COUNTING    _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)
#define CYCLE(v, n) cycle_8(v, n)

static inline __m256 cycle_8(__m256 v, size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_permutevar8x32_ps(v, _mm256_and_si256(lane, _mm256_set1_epi32((int)n - 1)));
}

/* Two neighbours that travel as one double. */
static inline double two_floats(const float *p)
{
    double both;

    __builtin_memcpy(&both, p, sizeof both);
    return both;
}

static inline __m128 load_part_4(const float *p, struct part_4 part)
{
    return _mm_maskload_ps(p, part.mask);
}

/* Each half: the sums of its lanes in s[0] to s[3]. */
static inline __m256 fold_quads(const __m256 s[4])
{
    return _mm256_hadd_ps(_mm256_hadd_ps(s[0], s[1]), _mm256_hadd_ps(s[2], s[3]));
}

static inline __m256 fold_by_2(const __m256 s[2])
{
    const __m256d sums = _mm256_castps_pd(_mm256_hadd_ps(s[0], s[1]));

    return _mm256_castpd_ps(_mm256_permute4x64_pd(sums, 0xD8));
}

static inline __m256 fold_by_4(const __m256 s[4])
{
    return _mm256_permutevar8x32_ps(fold_quads(s), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline __m256 fold_by_8(const __m256 s[8])
{
    const __m256 low = fold_quads(s), high = fold_quads(s + 4);

    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                         _mm256_permute2f128_ps(low, high, 0x31));
}

/* Lane l: p[l >> shift], where that is below n. */
static inline __m256 repeat_8(const float *p, size_t n, size_t nr, int shift)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m128 v = n == 4 && nr == 4 ? _mm_loadu_ps(p) : _mm_maskload_ps(p, part_of_4(n).mask);

    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(v), _mm256_srli_epi32(lane, shift));
}

#define VEC                  __m256
#define LANES                8
#define MM                   _mm256_
#define PART                 struct part_8
#define GROUP                2
#define VECTORS              1
#define TILE                 12
#define REST                 struct part_4
#define rest_of(n)           part_of_4(n)
#define SPREAD(p)            _mm256_castpd_ps(_mm256_set1_pd(two_floats(p)))
#define SPREAD_REST(p, rest) _mm256_castpd_ps(_mm256_broadcastsd_pd(_mm_castps_pd(_mm_load_ss(p))))
#define REPEAT(p, v, n)      repeat_8(p, n, 4, 1)
#define FOLD(s)              fold_by_2(s)
#define NAME(x)              x##_4
#include "kernels/x86/group_template.h"

#define VEC                  __m256
#define LANES                8
#define MM                   _mm256_
#define PART                 struct part_8
#define GROUP                4
#define VECTORS              1
#define TILE                 12
#define REST                 struct part_4
#define rest_of(n)           part_of_4(n)
#define SPREAD(p)            _mm256_broadcast_ps((const __m128 *)(const void *)(p))
#define SPREAD_REST(p, rest) _mm256_set_m128(load_part_4(p, rest), load_part_4(p, rest))
#define REPEAT(p, v, n)      repeat_8(p, n, 2, 2)
#define FOLD(s)              fold_by_4(s)
#define NAME(x)              x##_2
#include "kernels/x86/group_template.h"

#define VEC                  __m256
#define LANES                8
#define MM                   _mm256_
#define PART                 struct part_8
#define GROUP                8
#define VECTORS              1
#define TILE                 8
#define REST                 struct part_8
#define rest_of(n)           part_of_8(n)
#define SPREAD(p)            _mm256_loadu_ps(p)
#define SPREAD_REST(p, rest) _mm256_maskload_ps(p, (rest).mask)
#define REPEAT(p, v, n)      _mm256_set1_ps(p[v < (int)(n) ? v : 0])
#define FOLD(s)              fold_by_8(s)
#define PIXEL_BY_PIXEL       128
#define NAME(x)              x##_1
#include "kernels/x86/group_template.h"

#define DEPTH_WIDE   16
#define DEPTH_NARROW 8
#include "kernels/x86/depth_forward.h"

void cconv_conv_init_avx2(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 5,
        .panel = { { 1, 8, forward_1, grad_1, 0.95F, 0.0190F },
                   { 2, 4, forward_2, grad_2, 0.95F, 0.0350F },
                   { 4, 2, forward_4, grad_4, 0.95F, 0.0710F },
                   { 8, 1, forward_8, grad_8, 1.00F, 0.1410F },
                   { 16, 1, forward_16, grad_16, 1.30F, 0.2500F } },
        .depth = { 8, 1, depth_forward, depth_grad_8, 0, 0 },
    };

    *k = panels;
}
