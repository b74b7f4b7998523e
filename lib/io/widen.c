/* SPDX-License-Identifier: BSD-2-Clause
 *
 * widen.c - F16, BF16, F32 and F64 into the type models compute in.
 *
 * Bits are put together by shifts: the same on every machine, without half
 * types of a compiler, and without a change to a NaN or a subnormal.
 */
#include "io/widen.h"

#include <string.h>

#include "io/safetensors.h"

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [CCONV_STORED_NONE] = { "", 0 },     [CCONV_STORED_F16] = { "F16", 2 },
    [CCONV_STORED_BF16] = { "BF16", 2 }, [CCONV_STORED_F32] = { "F32", 4 },
    [CCONV_STORED_F64] = { "F64", 8 },
};

enum cconv_stored cconv_stored_type(const char *dtype)
{
    for (int i = CCONV_STORED_F16; i <= CCONV_STORED_F64; i++) {
        if (strcmp(dtype, types[i].name) == 0)
            return (enum cconv_stored)i;
    }
    return CCONV_STORED_NONE;
}

size_t cconv_stored_size(enum cconv_stored type)
{
    return types[type].bytes;
}

uint32_t cconv_widen_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = bits >> 10 & 0x1fu;
    uint32_t fraction = bits & 0x3ffu;

    if (exponent == 0x1f) /* infinity or NaN */
        return sign | 0x7f800000u | fraction << 13;
    if (exponent == 0) {
        if (fraction == 0)
            return sign;
        /* fraction * 2^-24, whose leading bit goes into the exponent. */
        exponent = 1;
        while ((fraction & 0x400u) == 0) {
            fraction <<= 1;
            exponent--;
        }
        fraction &= 0x3ffu;
    }
    return sign | (exponent + 127 - 15) << 23 | fraction << 13;
}

static uint64_t read_bits(const unsigned char *from, size_t bytes)
{
    uint64_t bits = 0;

    for (size_t i = bytes; i-- > 0;)
        bits = bits << 8 | from[i];
    return bits;
}

static cconv_real from_single(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return (cconv_real)value;
}

static cconv_real from_double(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return (cconv_real)value;
}

static cconv_real from_stored(enum cconv_stored type, uint64_t bits)
{
    switch (type) {
    case CCONV_STORED_F16:
        return from_single(cconv_widen_f16((uint16_t)bits));
    case CCONV_STORED_BF16:
        return from_single((uint32_t)bits << 16);
    case CCONV_STORED_F32:
        return from_single((uint32_t)bits);
    default:
        return from_double(bits);
    }
}

void cconv_widen(enum cconv_stored type, const unsigned char *from, size_t count, cconv_real *to)
{
    const size_t bytes = types[type].bytes;
    const enum cconv_stored own =
        CCONV_REAL_DTYPE == COORDCONV_F64 ? CCONV_STORED_F64 : CCONV_STORED_F32;

    if (type == own && cconv_is_little_endian()) { /* nothing is to be done, to no bit of any NaN */
        memcpy(to, from, count * bytes);
        return;
    }
    for (size_t i = 0; i < count; i++, from += bytes)
        to[i] = from_stored(type, read_bits(from, bytes));
}
