/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_conv.c - layouts, numbers and bounds for the tests of convolution panels.
 */
#include "check_conv.h"

#include <float.h>
#include <math.h>

#ifdef CCONV_DOUBLE
#define REAL_EPSILON DBL_EPSILON
#define REAL_LEAST   DBL_TRUE_MIN
#else
#define REAL_EPSILON FLT_EPSILON
#define REAL_LEAST   FLT_TRUE_MIN
#endif

uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U; /* splitmix64, Steele et al. 2014 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

size_t random_below(uint64_t *state, size_t n)
{
    return (size_t)(random_bits(state) % n);
}

cconv_real random_value(enum fill fill, int finite, uint64_t *state)
{
    const uint64_t bits = random_bits(state);
    const double uniform = (double)(bits >> 11) * 0x1p-52 - 1;
    const unsigned pick = bits & 0xff;

    switch (fill) {
    case FILL_MIXED:
        return (cconv_real)(uniform * pow(10, (int)(pick % 35) - 17));
    case FILL_ZEROS:
        return pick & 1 ? (cconv_real)uniform : (cconv_real)(pick & 2 ? -0.0 : 0.0);
    case FILL_TINY:
        return (cconv_real)(uniform * (pick & 1 ? 100 * (double)REAL_LEAST : 1));
    case FILL_INFINITE:
        return (cconv_real)(!finite && pick < 8 ? (double)INFINITY : uniform + 1.5);
    default:
        return (cconv_real)uniform;
    }
}

struct inputs inputs_laid(enum layout layout, size_t pixels, size_t segments, size_t length)
{
    const size_t gap = layout == LAYOUT_GAPS ? 3 : layout == LAYOUT_BACKWARD ? 1 : 0;
    const size_t step = layout == LAYOUT_SHARED ? 1 : length + gap;
    const size_t row = (pixels - 1) * step + length + gap;
    const int back = layout == LAYOUT_BACKWARD;
    struct inputs in = { .pixels = pixels, .segments = segments, .length = length };

    in.stride = back ? -(ptrdiff_t)step : (ptrdiff_t)step;
    in.origin = back ? (ptrdiff_t)(segments / 2 * row) : 0;
    in.elements = segments * row - gap;
    for (size_t s = 0; s < segments; s++) {
        const size_t place = back ? segments - 1 - s : s;

        in.offset[s] = (ptrdiff_t)(place * row + (back ? (pixels - 1) * step : 0)) - in.origin;
    }
    return in;
}

void inputs_fill(const struct inputs *in, enum fill fill, uint64_t *state, cconv_real *a)
{
    for (size_t i = 0; i < in->elements; i++)
        a[i] = (cconv_real)NAN;
    for (size_t s = 0; s < in->segments; s++)
        for (size_t p = 0; p < in->pixels; p++)
            for (size_t k = 0; k < in->length; k++)
                a[in->origin + in->offset[s] + (ptrdiff_t)p * in->stride + (ptrdiff_t)k] =
                    random_value(fill, 0, state);
}

int near_enough(cconv_real got, wide_real want, wide_real magnitude, size_t terms)
{
    const wide_real slack = (wide_real)terms * ((wide_real)REAL_EPSILON * magnitude + REAL_LEAST);

    if (isinf(want))
        return got == (cconv_real)want;
    return (got > want ? got - want : want - got) <= slack;
}
