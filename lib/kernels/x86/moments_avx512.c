/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments_avx512.c - sums and moments of rows for AVX-512.
 */
#include <immintrin.h>

#include "kernels/moments.h"
#include "kernels/x86/unroll.h"

#define VEC                    __m512
#define LANES                  16
#define MM                     _mm512_
#define PART                   __mmask16
#define V(op)                  PASTE(MM, op)
#define part_of(n)             ((PART)((1U << (n)) - 1U)) /* n from 1 to 16 */
#define LOAD_PART(p, part)     V(maskz_loadu_ps)(part, p)
#define STORE_PART(p, part, v) V(mask_storeu_ps)(p, part, v)
#define BLOCK                  8
#define MOMENTS                cconv_moments_avx512
#include "kernels/x86/moments_template.h"
