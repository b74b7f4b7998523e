/* SPDX-License-Identifier: BSD-2-Clause
 *
 * random.c - Philox4x32-10, and uniform and normal deviates made from it.
 *
 * Initial weights must be the same everywhere. + - * / and square root are
 * rounded correctly by IEEE 754, but log, sin and cos of the C library are not:
 * their last bit differs between libraries. So normal deviates come from the
 * polar method (Marsaglia, Bray 1964), which needs no angle functions, with a
 * logarithm of our own made of those five operations alone. The build forbids
 * fusing a product with a sum, which would be a sixth.
 */
#include "base/random.h"

#include <math.h>
#include <string.h>

/* Multipliers of the rounds and increments of the key (the fractions of the
 * golden ratio and of sqrt(3)), from the paper. */
static const uint32_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
static const uint32_t weyl0 = 0x9E3779B9u, weyl1 = 0xBB67AE85u;

void cconv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)multiplier0 * c0;
        const uint64_t p1 = (uint64_t)multiplier1 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += weyl0;
        k1 += weyl1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Further words where the first were rejected: the output enciphered again. */
static void again(uint64_t seed, uint32_t words[4])
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };

    cconv_philox(words, key, words);
}

void cconv_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    out[0] = (uint32_t)index;
    out[1] = (uint32_t)(index >> 32);
    out[2] = (uint32_t)stream;
    out[3] = (uint32_t)(stream >> 32);
    again(seed, out);
}

static uint64_t join(const uint32_t words[2])
{
    return words[0] | (uint64_t)words[1] << 32;
}

/* An odd multiple of 2^-53: 52 random bits, and the 53rd set, which keeps off both ends. */
static double fraction(const uint32_t words[2])
{
    return (double)(join(words) >> 12 << 1 | 1) * 0x1p-53;
}

double cconv_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];

    cconv_random_words(seed, stream, index, words);
    return fraction(words);
}

uint64_t cconv_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound)
{
    /* The largest multiple of bound there is room for, less 1: above it lies a part
     * of a run of remainders, which would make the small ones more likely. */
    const uint64_t last = UINT64_MAX - (UINT64_MAX % bound + 1) % bound;
    uint32_t words[4];

    cconv_random_words(seed, stream, index, words);
    while (join(words) > last)
        again(seed, words);
    return join(words) % bound;
}

/* Natural logarithm of a positive normal number. x = 2^e m with m in
 * [sqrt(1/2), sqrt(2)), and log m = 2 atanh(f), f = (m - 1) / (m + 1). Then
 * |f| < 0.1716, and the first term left out, 2 f^23 / 23, is below 2^-60 of the sum. */
static double logarithm(double x)
{
    uint64_t bits;
    double m, series = 0;
    int e;

    memcpy(&bits, &x, sizeof bits);
    e = (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
    memcpy(&m, &bits, sizeof m);
    if (m >= 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }

    const double f = (m - 1) / (m + 1);
    const double square = f * f;

    for (int n = 21; n >= 1; n -= 2)
        series = series * square + 1.0 / n;
    return e * 0x1.62e42fefa39efp-1 + 2 * f * series;
}

double cconv_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    double u, v, square;

    cconv_random_words(seed, stream, index, words);
    for (;;) { /* a point in the square, until it lies in the circle: 1.27 tries on average */
        u = 2 * fraction(words) - 1; /* exact, and odd in its last bit, so never 0 */
        v = 2 * fraction(words + 2) - 1;
        square = u * u + v * v;
        if (square < 1)
            break;
        again(seed, words);
    }
    return u * sqrt(-2 * logarithm(square) / square);
}
