/* SPDX-License-Identifier: BSD-2-Clause */
#include "graph/memplan.h"

#include "base/checked.h"

static int lives_with(const struct cconv_block_life *a, const struct cconv_block_life *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Insert index i into order[0 .. count), sorted by falling size; ties keep their order. */
static void insert_by_size(const struct cconv_block_life *blocks, size_t *order, size_t count,
                           size_t i)
{
    size_t at = count;

    for (; at > 0 && blocks[order[at - 1]].bytes < blocks[i].bytes; at--)
        order[at] = order[at - 1];
    order[at] = i;
}

/* Lowest offset where `block` fits between placed blocks that live with it.
 * placed[0 .. count) is sorted by offset. */
static size_t lowest_gap(const struct cconv_block_life *blocks, const size_t *placed, size_t count,
                         const struct cconv_block_life *block)
{
    size_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        const struct cconv_block_life *other = &blocks[placed[i]];

        if (!lives_with(block, other))
            continue;
        if (other->offset >= offset && other->offset - offset >= block->bytes)
            return offset;
        offset = CCONV_MAX(offset, other->offset + other->bytes);
    }
    return offset;
}

/* Move order[i], now placed, down among order[0 .. i), which is sorted by offset. */
static void sort_in(const struct cconv_block_life *blocks, size_t *order, size_t i)
{
    const size_t moved = order[i];

    for (; i > 0 && blocks[order[i - 1]].offset > blocks[moved].offset; i--)
        order[i] = order[i - 1];
    order[i] = moved;
}

size_t cconv_memplan(struct cconv_block_life *blocks, size_t count, size_t *order)
{
    size_t total = 0, used = 0;

    for (size_t i = 0; i < count; i++) {
        blocks[i].offset = 0;
        total = cconv_size_add(total, blocks[i].bytes);
        if (blocks[i].bytes > 0)
            insert_by_size(blocks, order, used++, i);
    }
    if (total > PTRDIFF_MAX) /* below that no sum of sizes can overflow */
        return SIZE_MAX;
    total = 0;
    for (size_t i = 0; i < used; i++) {
        struct cconv_block_life *b = &blocks[order[i]];

        b->offset = lowest_gap(blocks, order, i, b);
        total = CCONV_MAX(total, b->offset + b->bytes);
        sort_in(blocks, order, i);
    }
    return total;
}
