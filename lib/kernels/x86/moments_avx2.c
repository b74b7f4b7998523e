/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments_avx2.c - sums and moments of rows for AVX2 and FMA.
 */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/moments.h"
#include "kernels/x86/unroll.h"

/* A masked store takes tens of cycles on several processors, but there is one a
 * call at most. */
struct part {
    __m256i mask;
    int whole;
};

/* A window that starts n before the middle has its first n lanes set. */
static const int32_t mask_window[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

static inline struct part first_lanes(size_t n)
{
    return (struct part){ _mm256_loadu_si256((const __m256i *)(const void *)(mask_window + 8 - n)),
                          n == 8 };
}

static inline void store_part(float *p, struct part part, __m256 v)
{
    if (part.whole)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, part.mask, v);
}

#define VEC                    __m256
#define LANES                  8
#define MM                     _mm256_
#define PART                   struct part
#define V(op)                  PASTE(MM, op)
#define part_of(n)             first_lanes(n)
#define LOAD_PART(p, part)     ((part).whole ? V(loadu_ps)(p) : V(maskload_ps)(p, (part).mask))
#define STORE_PART(p, part, v) store_part(p, part, v)
#define BLOCK                  4
#define MOMENTS                cconv_moments_avx2
#include "kernels/x86/moments_template.h"
