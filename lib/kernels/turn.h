/* SPDX-License-Identifier: BSD-2-Clause
 *
 * turn.h - a matrix of 32-bit elements with rows and columns exchanged: what a
 * change between channels first and channels last comes down to.
 */
#ifndef CCONV_KERNELS_TURN_H
#define CCONV_KERNELS_TURN_H

#include <stddef.h>
#include <stdint.h>

/* to[r * to_stride + c] = from[c * from_stride + r] for 0 <= r < rows, 0 <= c < columns, as bits.
 * The two do not overlap; strides in elements, of any sign. */
void cconv_turn_32(size_t rows, size_t columns, const uint32_t *from, ptrdiff_t from_stride,
                   uint32_t *to, ptrdiff_t to_stride);

#endif /* CCONV_KERNELS_TURN_H */
