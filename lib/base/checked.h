/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checked.h - sizes that cannot overflow unseen.
 *
 * A sum or product that does not fit becomes SIZE_MAX and stays SIZE_MAX
 * through further calls, so a chain is checked once, at its end.
 */
#ifndef CCONV_BASE_CHECKED_H
#define CCONV_BASE_CHECKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

static inline size_t cconv_size_mul(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static inline size_t cconv_size_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* A number from outside, 0 or more, as a size: it may not fit where sizes have 32 bits. */
static inline size_t cconv_size_from(int64_t n)
{
    return (uint64_t)n > SIZE_MAX ? SIZE_MAX : (size_t)n;
}

/* Round up to CCONV_ALIGN. */
static inline size_t cconv_size_align(size_t a)
{
    return a > SIZE_MAX - CCONV_ALIGN ? SIZE_MAX
                                      : (a + CCONV_ALIGN - 1) & ~(size_t)(CCONV_ALIGN - 1);
}

#endif /* CCONV_BASE_CHECKED_H */
