/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/winograd.h"

#define INLINE static inline
#define UNROLL
#define VEC                    cconv_real
#define LANES                  1
#define PART                   int
#define part_of(n)             1
#define LOAD(p)                (*(p))
#define STORE(p, v)            (*(p) = (v))
#define LOAD_PART(p, part)     ((part) ? *(p) : 0)
#define STORE_PART(p, part, v) ((void)(part), *(p) = (v))
#define ZERO                   0
#define SET1(x)                ((cconv_real)(x))
#define ADD(a, b)              ((a) + (b))
#define SUB(a, b)              ((a) - (b))
#define MUL(a, b)              ((a) * (b))
#define FMA(a, b, c)           ((a) * (b) + (c))
#define RELU(v)                ((v) <= 0 ? 0 : (v))
#define LEAKY(v, slope)        ((v) <= 0 ? (v) * (slope) + 0 : (v))
#define STREAM(p, v)           STORE(p, v)
#define PREFETCH(p)            ((void)0)
#define COSTS_2                40.0F, 25.0F
#define COSTS_4                120.0F, 80.0F
#include "kernels/winograd_template.h"

void cconv_winograd_init_ref(struct cconv_winograd_kernels *k)
{
    *k = winograd_kernels;
}
