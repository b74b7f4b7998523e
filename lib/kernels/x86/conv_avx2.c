/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_avx2.c - convolution panels for AVX2 and FMA.
 *
 *   16 channels  6 pixels x 2 vectors of 8 \
 *    8 channels  12 pixels x 1 vector of 8 / 12 of 16 registers
 *    1 channel   8 pixels, vectors of 8 or 4 along the run
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
#define STORE_PART(p, part, v) PASTE(store_part_, LANES)(p, part, v)

/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define ZERO    V(setzero_ps)()
#define RELU(v) V(and_ps)(v, V(cmp_ps)(v, ZERO, _CMP_NLE_UQ))
#define LEAKY(v, slope)                                                                            \
    V(blendv_ps)(v, V(add_ps)(V(mul_ps)(v, slope), ZERO), V(cmp_ps)(v, ZERO, _CMP_LE_OQ))

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    struct part_8
#define VECTORS 2
#define TILE    6
#define NAME(x) x##_16
#include "kernels/x86/conv_template.h"

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    struct part_8
#define VECTORS 1
#define TILE    12
#define NAME(x) x##_8
#include "kernels/x86/conv_template.h"

static inline __m128 fold_8(__m256 v)
{
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    struct part_8
#define FOLD(v) fold_8(v)
#define NAME(x) x##_by_8
#include "kernels/x86/narrow_forward_template.h"

#define VEC     __m128
#define LANES   4
#define MM      _mm_
#define PART    struct part_4
#define FOLD(v) (v)
#define NAME(x) x##_by_4
#include "kernels/x86/narrow_forward_template.h"

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    struct part_8
#define NAME(x) x
#include "kernels/x86/narrow_grad_template.h"

/* The shortest vector that holds a run; the run's length alone decides. */
static void forward_1(const struct cconv_panel_forward *p)
{
    if (p->segment_length <= 4)
        narrow_forward_by_4(p);
    else
        narrow_forward_by_8(p);
}

void cconv_conv_init_avx2(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 3,
        .panel = { { 1, forward_1, narrow_grad, 1.30F, 0.020F },
                   { 8, forward_8, grad_8, 0.80F, 0.140F },
                   { 16, forward_16, grad_16, 1.00F, 0.250F } },
    };

    *k = panels;
}
