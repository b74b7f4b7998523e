/* SPDX-License-Identifier: BSD-2-Clause
 *
 * functions.h - exponentials and a logarithm without branches, for loops that are to
 * become vectors.
 *
 * For float they are made of additions, multiplications, one division at most,
 * and shifts of the exponent, so every set gives the same bits; errors, found
 * by comparing with double over a dense sweep of all floats, stay within
 *
 *   cconv_exp      1 unit in the last place, denormals included
 *   cconv_tanh     1.5 units
 *   cconv_sigmoid  2.5 units, but 0 for x < -88.7, where it is less than 1e-38
 *   cconv_log_1p   2 units, for 0 <= u <= 1
 *
 * The coefficients of the polynomials minimise the largest relative error on
 * their intervals; that error is given with each and is far below a float's
 * half unit of 6e-8.
 */
#ifndef CCONV_KERNELS_REF_FUNCTIONS_H
#define CCONV_KERNELS_REF_FUNCTIONS_H

#include <stdint.h>

#include "base/real.h"

union cconv_double_bits {
    double value;
    uint64_t bits;
};

/* first ? a : b, but in no way a branch: a compiler that sees ?: may follow both
 * ways to the end, and then has no loop it can vectorise. */
static inline double cconv_choose_double(int first, double a, double b)
{
    const union cconv_double_bits one = { .value = a }, other = { .value = b };
    const uint64_t mask = 0U - (uint64_t)first;
    const union cconv_double_bits chosen = { .bits = (one.bits & mask) | (other.bits & ~mask) };

    return chosen.value;
}

#ifdef CCONV_DOUBLE

static inline double cconv_exp(double x)
{
    return exp(x);
}

static inline double cconv_tanh(double x)
{
    return tanh(x);
}

static inline double cconv_log_1p(double u)
{
    return log1p(u);
}

#else

union cconv_float_bits {
    float value;
    uint32_t bits;
};

/* As above. */
static inline float cconv_choose(int first, float a, float b)
{
    const uint32_t mask = 0U - (uint32_t)first;
    const union cconv_float_bits one = { .value = a }, other = { .value = b };
    const union cconv_float_bits chosen = { .bits = (one.bits & mask) | (other.bits & ~mask) };

    return chosen.value;
}

/* 2^n for -126 <= n <= 127, given biased = n + 127. */
static inline float cconv_power_of_2(uint32_t biased)
{
    const union cconv_float_bits p = { .bits = biased << 23 };

    return p.value;
}

/* x = n ln 2 + r with |r| <= ln 2 / 2, so exp(x) = 2^n exp(r). Outside of the
 * limits the result is 0 or infinite already; a NaN passes both. */
static inline float cconv_exp(float x)
{
    const float low = cconv_choose(x < -104.0F, -104.0F, x);
    const float v = cconv_choose(low > 89.0F, 89.0F, low);
    /* Added to a float of less than 2^22 this leaves the nearest integer in the last bits. */
    const union cconv_float_bits rounder = { .value = 0x1.8p23F };
    const union cconv_float_bits shifted = { .value = v * 0x1.715476p0F + rounder.value };
    const float n = shifted.value - rounder.value;
    /* ln 2 in two parts, the first of so few bits that its product with n is exact. */
    const float r = (v - n * 0x1.62e4p-1F) - n * 0x1.7f7d1cp-20F;
    /* exp(r) = 1 + r + r^2 q(r), relative error 3.3e-9. */
    const float q =
        0x1.fffffcp-2F +
        r * (0x1.55548ap-3F + r * (0x1.555916p-5F + r * (0x1.123fc6p-7F + r * 0x1.6a1a72p-10F)));
    const float e = 1.0F + (r + r * r * q);
    /* In two steps: 2^n itself may be no float, and a denormal is to be rounded once. */
    const uint32_t n_256 = shifted.bits - rounder.bits + 256U, half = n_256 >> 1;

    return e * cconv_power_of_2(half - 1U) * cconv_power_of_2(n_256 - half - 1U);
}

static inline float cconv_tanh(float x)
{
    const float a = cconv_math_abs(x), low = cconv_choose(a < 0.625F, a, 0.0F), z = low * low;
    /* tanh(a) = a + a z q(z), relative error 4.4e-9. */
    const float q =
        -0x1.555532p-2F +
        z * (0x1.110726p-3F + z * (-0x1.b83c5ap-5F + z * (0x1.52269ap-6F + z * -0x1.75e1ccp-8F)));
    const float near = low + low * (z * q);
    const float far = 1.0F - 2.0F / (cconv_exp(2.0F * a) + 1.0F);
    const union cconv_float_bits sign = { .value = x };
    union cconv_float_bits y = { .value = cconv_choose(a < 0.625F, near, far) };

    y.bits |= sign.bits & 0x80000000U;
    return y.value;
}

/* log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)). */
static inline float cconv_log_1p(float u)
{
    const float s = u / (2.0F + u), z = s * s, twice = s + s;
    /* artanh(s) = s + s z q(z), relative error 4.6e-9. */
    const float q = 0x1.5555p-2F + z * (0x1.99d2acp-3F + z * (0x1.1eb2b8p-3F + z * 0x1.1f0a4ep-3F));

    return twice + twice * (z * q);
}

#endif

static inline cconv_real cconv_sigmoid(cconv_real x)
{
    return 1 / (1 + cconv_exp(-x));
}

#endif /* CCONV_KERNELS_REF_FUNCTIONS_H */
