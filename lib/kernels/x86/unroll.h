/* SPDX-License-Identifier: BSD-2-Clause
 *
 * unroll.h - what the convolution templates ask of the compiler.
 *
 * Sums live in small arrays that must become registers: functions that take a
 * constant count are inlined into one caller a count, and loops over it are
 * unrolled to the end.
 */
#ifndef CCONV_KERNELS_X86_UNROLL_H
#define CCONV_KERNELS_X86_UNROLL_H

#include <stddef.h>

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* Checks in every step of an unrolled loop keep clang busy for minutes. */
#if defined(__clang__)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define UNROLL
#else
#define UNROLL _Pragma("clang loop unroll(full)")
#endif
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* Hide where a value comes from. */
#define OPAQUE(x)    __asm__("" : "+r"(x))

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

/* F(1) F(2) ... F(n) for an n of 6, 8, 12, 16 or 24, but above 12 only for multiples of 4:
 * next_tile does without the others, which would be a tenth of the library. */
#define UP_TO(n, F) PASTE(UP_TO_, n)(F)
#define UP_TO_6(F)  F(1) F(2) F(3) F(4) F(5) F(6)
#define UP_TO_8(F)  UP_TO_6(F) F(7) F(8)
#define UP_TO_12(F) UP_TO_8(F) F(9) F(10) F(11) F(12)
#define UP_TO_16(F) UP_TO_12(F) F(16)
#define UP_TO_24(F) UP_TO_16(F) F(20) F(24)

/* F(1) F(2) F(4) F(6) ... F(n) for the same n. */
#define EVEN_TO(n, F) PASTE(EVEN_TO_, n)(F)
#define EVEN_TO_6(F)  F(1) F(2) F(4) F(6)
#define EVEN_TO_8(F)  EVEN_TO_6(F) F(8)
#define EVEN_TO_12(F) EVEN_TO_8(F) F(10) F(12)
#define EVEN_TO_16(F) EVEN_TO_12(F) F(14) F(16)
#define EVEN_TO_24(F) EVEN_TO_16(F) F(18) F(20) F(22) F(24)

/* Place of a count in what EVEN_TO lists, rounded up. */
static inline size_t even_index(size_t count)
{
    return count == 1 ? 0 : (count + 1) / 2;
}

/* As next_tile, for counts that EVEN_TO lists. */
static inline size_t next_even_tile(size_t left, size_t tile)
{
    const size_t tiles = (left + tile - 1) / tile, count = (left + tiles - 1) / tiles;

    if (count == 1 || count % 2 == 0)
        return count;
    return tiles > 1 ? count + 1 : count - 1;
}

/* Two multiply-add units of four cycles latency want eight independent sums. */
#define ENOUGH_SUMS 8

/* How many times `sums` must be doubled up to be enough. */
#define CHAINS(sums) ((sums) >= ENOUGH_SUMS ? 1 : ENOUGH_SUMS / (sums))

static inline size_t tiles_for(size_t n, size_t tile)
{
    return (n + tile - 1) / tile;
}

/* How many of `left` the next tile takes: nearly equal parts, each a count that
 * UP_TO lists. Two halves of a count are faster than most of it and a rest. */
static inline size_t next_tile(size_t left, size_t tile)
{
    const size_t tiles = tiles_for(left, tile), count = (left + tiles - 1) / tiles;

    if (count <= 12 || count % 4 == 0)
        return count;
    return tiles > 1 ? count + 4 - count % 4 : (count + 1) / 2;
}

/* Place of a count in what UP_TO lists. */
static inline size_t tile_index(size_t count)
{
    return count <= 12 ? count - 1 : count / 4 + 8;
}

#endif /* CCONV_KERNELS_X86_UNROLL_H */
