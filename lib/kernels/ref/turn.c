/* SPDX-License-Identifier: BSD-2-Clause
 *
 * turn.c - squares of 4 x 4 in registers, 16 x 16 of them in cache.
 *
 * Bound by memory: vectors of 16 bytes, which every processor this runs on has,
 * store four elements a cycle. A block of 16 x 16 reads and writes whole cache
 * lines once, whatever the strides. Two and three columns or rows (coordinates,
 * colours) are interleaved in whole vectors.
 */
#include "kernels/turn.h"

#include <string.h>

enum {
    SIDE = 4,
    BLOCK = 16
};

/* Element by element: what is left at the edges, and everything without vectors. */
static void turn_rest(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t from_stride,
                      uint32_t *to, ptrdiff_t to_stride)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++)
            to[(ptrdiff_t)r * to_stride + (ptrdiff_t)c] =
                from[(ptrdiff_t)c * from_stride + (ptrdiff_t)r];
    }
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define VECTORS 1
#endif
#endif

#ifdef VECTORS
typedef uint32_t vec __attribute__((vector_size(16)));

static inline vec load(const uint32_t *p)
{
    vec v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(uint32_t *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline void turn_square(const uint32_t *from, ptrdiff_t from_stride, uint32_t *to,
                               ptrdiff_t to_stride)
{
    const vec a = load(from), b = load(from + from_stride);
    const vec c = load(from + 2 * from_stride), d = load(from + 3 * from_stride);
    const vec ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const vec ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const vec cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const vec cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);

    store(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(to + to_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(to + 2 * to_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(to + 3 * to_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

static void turn_block(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t from_stride,
                       uint32_t *to, ptrdiff_t to_stride)
{
    const size_t whole_rows = rows / SIDE * SIDE, whole_columns = columns / SIDE * SIDE;

    for (size_t r = 0; r < whole_rows; r += SIDE) {
        for (size_t c = 0; c < whole_columns; c += SIDE)
            turn_square(from + (ptrdiff_t)c * from_stride + (ptrdiff_t)r, from_stride,
                        to + (ptrdiff_t)r * to_stride + (ptrdiff_t)c, to_stride);
    }
    turn_rest(whole_rows, columns - whole_columns, from + (ptrdiff_t)whole_columns * from_stride,
              from_stride, to + whole_columns, to_stride);
    turn_rest(rows - whole_rows, columns, from + whole_rows, from_stride,
              to + (ptrdiff_t)whole_rows * to_stride, to_stride);
}

/* Rows taken, of whole vectors, when the columns lie side by side. */
static size_t join_columns(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t stride,
                           uint32_t *to)
{
    size_t r = 0;

    for (; columns == 2 && r + SIDE <= rows; r += SIDE, to += 2 * SIDE) {
        const vec a = load(from + r), b = load(from + stride + (ptrdiff_t)r);

        store(to, __builtin_shufflevector(a, b, 0, 4, 1, 5));
        store(to + 4, __builtin_shufflevector(a, b, 2, 6, 3, 7));
    }
    for (; columns == 3 && r + SIDE <= rows; r += SIDE, to += 3 * SIDE) {
        const vec a = load(from + r), b = load(from + stride + (ptrdiff_t)r);
        const vec c = load(from + 2 * stride + (ptrdiff_t)r);
        const vec ab = __builtin_shufflevector(a, b, 0, 2, 4, 6); /* a0 a2 b0 b2 */
        const vec bc = __builtin_shufflevector(b, c, 1, 3, 5, 7); /* b1 b3 c1 c3 */
        const vec ca = __builtin_shufflevector(c, a, 0, 2, 5, 7); /* c0 c2 a1 a3 */

        store(to, __builtin_shufflevector(ab, ca, 0, 2, 4, 6));
        store(to + 4, __builtin_shufflevector(bc, ab, 0, 2, 5, 7));
        store(to + 8, __builtin_shufflevector(ca, bc, 1, 3, 5, 7));
    }
    return r;
}

/* Columns taken, of whole vectors, when the rows lie side by side. */
static size_t part_rows(size_t rows, size_t columns, const uint32_t *from, uint32_t *to,
                        ptrdiff_t stride)
{
    size_t c = 0;

    for (; rows == 2 && c + SIDE <= columns; c += SIDE, from += 2 * SIDE) {
        const vec x = load(from), y = load(from + 4);

        store(to + c, __builtin_shufflevector(x, y, 0, 2, 4, 6));
        store(to + stride + (ptrdiff_t)c, __builtin_shufflevector(x, y, 1, 3, 5, 7));
    }
    for (; rows == 3 && c + SIDE <= columns; c += SIDE, from += 3 * SIDE) {
        const vec x = load(from), y = load(from + 4), z = load(from + 8);
        const vec bc = __builtin_shufflevector(x, y, 1, 2, 4, 5); /* b0 c0 b1 c1 */
        const vec ab = __builtin_shufflevector(y, z, 2, 3, 5, 6); /* a2 b2 a3 b3 */

        store(to + c, __builtin_shufflevector(x, ab, 0, 3, 4, 6));
        store(to + stride + (ptrdiff_t)c, __builtin_shufflevector(bc, ab, 0, 2, 5, 7));
        store(to + 2 * stride + (ptrdiff_t)c, __builtin_shufflevector(bc, z, 1, 3, 4, 7));
    }
    return c;
}

#else
static void turn_block(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t from_stride,
                       uint32_t *to, ptrdiff_t to_stride)
{
    turn_rest(rows, columns, from, from_stride, to, to_stride);
}

static size_t join_columns(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t stride,
                           uint32_t *to)
{
    (void)rows, (void)columns, (void)from, (void)stride, (void)to;
    return 0;
}

static size_t part_rows(size_t rows, size_t columns, const uint32_t *from, uint32_t *to,
                        ptrdiff_t stride)
{
    (void)rows, (void)columns, (void)from, (void)to, (void)stride;
    return 0;
}
#endif

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

void cconv_turn_32(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t from_stride,
                   uint32_t *to, ptrdiff_t to_stride)
{
    const size_t r0 =
        to_stride == (ptrdiff_t)columns ? join_columns(rows, columns, from, from_stride, to) : 0;
    const size_t c0 = r0 == 0 && from_stride == (ptrdiff_t)rows
                          ? part_rows(rows, columns, from, to, to_stride)
                          : 0;
    const int down = rows >= columns; /* walk along the longer side: fewer streams at once */
    const size_t inner_end = down ? rows : columns, outer_end = down ? columns : rows;

    for (size_t outer = down ? c0 : r0; outer < outer_end; outer += BLOCK) {
        for (size_t inner = down ? r0 : c0; inner < inner_end; inner += BLOCK) {
            const size_t r = down ? inner : outer, c = down ? outer : inner;

            turn_block(at_most(rows - r, BLOCK), at_most(columns - c, BLOCK),
                       from + (ptrdiff_t)c * from_stride + (ptrdiff_t)r, from_stride,
                       to + (ptrdiff_t)r * to_stride + (ptrdiff_t)c, to_stride);
        }
    }
}
