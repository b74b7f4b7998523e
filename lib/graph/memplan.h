/* SPDX-License-Identifier: BSD-2-Clause
 *
 * memplan.h - lay blocks of known lifetimes into one arena.
 */
#ifndef CCONV_GRAPH_MEMPLAN_H
#define CCONV_GRAPH_MEMPLAN_H

#include <stddef.h>
#include <stdint.h>

/* Bytes needed from time `first` to time `last`, both inclusive. */
struct cconv_block_life {
    size_t bytes; /* a multiple of CCONV_ALIGN; 0 takes no room */
    int32_t first, last;
    size_t offset; /* out: a multiple of CCONV_ALIGN */
};

/* Give every block an offset so that no two that live at one time overlap.
 * Largest first, each at the lowest gap it fits. `order` is room for count
 * indices. Returns the bytes of the arena, SIZE_MAX if they overflow. */
size_t cconv_memplan(struct cconv_block_life *blocks, size_t count, size_t *order);

#endif /* CCONV_GRAPH_MEMPLAN_H */
