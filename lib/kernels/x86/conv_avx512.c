/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_avx512.c - convolution panels for AVX-512 F and VL.
 *
 *   32 channels  12 pixels x 2 vectors of 16 \
 *   16 channels  24 pixels x 1 vector of 16   } 24 of 32 registers
 *    8 channels  24 pixels x 1 vector of 8   /
 *    1 channel   8 pixels, vectors of 16, 8 or 4 along the run
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
#define STORE_PART(p, part, v) V(mask_storeu_ps)(p, part, v)

/* As eltwise has it: NaN stays NaN, zeros are positive. */
#define ZERO    V(setzero_ps)()
#define RELU(v) V(maskz_mov_ps)(V(cmp_ps_mask)(v, ZERO, _CMP_NLE_UQ), v)
#define LEAKY(v, slope)                                                                            \
    V(mask_add_ps)(v, V(cmp_ps_mask)(v, ZERO, _CMP_LE_OQ), V(mul_ps)(v, slope), ZERO)

static inline unsigned first_bits(size_t n, unsigned lanes)
{
    return (1U << (n < lanes ? (unsigned)n : lanes)) - 1U;
}

#define VEC     __m512
#define LANES   16
#define MM      _mm512_
#define PART    __mmask16
#define VECTORS 2
#define TILE    12
#define NAME(x) x##_32
#include "kernels/x86/conv_template.h"

#define VEC     __m512
#define LANES   16
#define MM      _mm512_
#define PART    __mmask16
#define VECTORS 1
#define TILE    24
#define NAME(x) x##_16
#include "kernels/x86/conv_template.h"

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    __mmask8
#define VECTORS 1
#define TILE    24
#define NAME(x) x##_8
#include "kernels/x86/conv_template.h"

static inline __m128 fold_8(__m256 v)
{
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

static inline __m128 fold_16(__m512 v)
{
    return fold_8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

#define VEC     __m512
#define LANES   16
#define MM      _mm512_
#define PART    __mmask16
#define FOLD(v) fold_16(v)
#define NAME(x) x##_by_16
#include "kernels/x86/narrow_forward_template.h"

#define VEC     __m256
#define LANES   8
#define MM      _mm256_
#define PART    __mmask8
#define FOLD(v) fold_8(v)
#define NAME(x) x##_by_8
#include "kernels/x86/narrow_forward_template.h"

#define VEC     __m128
#define LANES   4
#define MM      _mm_
#define PART    __mmask8
#define FOLD(v) (v)
#define NAME(x) x##_by_4
#include "kernels/x86/narrow_forward_template.h"

#define VEC     __m512
#define LANES   16
#define MM      _mm512_
#define PART    __mmask16
#define NAME(x) x
#include "kernels/x86/narrow_grad_template.h"

/* The shortest vector that holds a run; the run's length alone decides. */
static void forward_1(const struct cconv_panel_forward *p)
{
    if (p->segment_length <= 4)
        narrow_forward_by_4(p);
    else if (p->segment_length <= 8)
        narrow_forward_by_8(p);
    else
        narrow_forward_by_16(p);
}

void cconv_conv_init_avx512(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 4,
        .panel = { { 1, forward_1, narrow_grad, 1.30F, 0.020F },
                   { 8, forward_8, grad_8, 0.75F, 0.133F },
                   { 16, forward_16, grad_16, 0.80F, 0.133F },
                   { 32, forward_32, grad_32, 1.20F, 0.250F } },
    };

    *k = panels;
}
