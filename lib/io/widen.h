/* SPDX-License-Identifier: BSD-2-Clause
 *
 * widen.h - floating-point numbers of files as the numbers models compute in.
 */
#ifndef CCONV_IO_WIDEN_H
#define CCONV_IO_WIDEN_H

#include <stddef.h>

#include "base/real.h"

enum cconv_stored {
    CCONV_STORED_NONE, /* no type that is read */
    CCONV_STORED_F16,
    CCONV_STORED_BF16,
    CCONV_STORED_F32,
    CCONV_STORED_F64
};

/* By the name files have for it: "F16", "BF16", "F32", "F64". */
enum cconv_stored cconv_stored_type(const char *dtype);

/* Bytes of a number. */
size_t cconv_stored_size(enum cconv_stored type);

/* The single-precision number of the same value; infinities and NaN stay what they are, the bits
 * of a NaN beginning with those it had. */
uint32_t cconv_widen_f16(uint16_t bits);

/* Read count numbers, little-endian at any address. A wider type than cconv_real is rounded to the
 * nearest, ties to even; a narrower one is kept exactly. */
void cconv_widen(enum cconv_stored type, const unsigned char *from, size_t count, cconv_real *to);

#endif /* CCONV_IO_WIDEN_H */
