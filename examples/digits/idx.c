/* SPDX-License-Identifier: BSD-2-Clause
 *
 * idx.c - IDX files of bytes, from memory.
 */
#include "idx.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PREFIX = 4, /* bytes before the extents */
    TYPE_U8 = 0x08
};

static const char *type_name(unsigned type)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
        { TYPE_U8, "uint8" }, { 0x09, "int8" },    { 0x0b, "int16" },
        { 0x0c, "int32" },    { 0x0d, "float32" }, { 0x0e, "float64" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    return "no type of the format";
}

/* Magic number, type and number of axes. */
static int check_prefix(const unsigned char *bytes, size_t size, int ndim, char *message,
                        size_t message_size)
{
    if (size < PREFIX)
        snprintf(message, message_size, "idx: %zu bytes, the header begins with %d", size, PREFIX);
    else if (bytes[0] != 0 || bytes[1] != 0)
        snprintf(message, message_size, "idx: the file begins with %02x %02x instead of 00 00",
                 bytes[0], bytes[1]);
    else if (bytes[2] != TYPE_U8)
        snprintf(message, message_size, "idx: elements of type 0x%02x (%s), only 0x08 is read",
                 bytes[2], type_name(bytes[2]));
    else if (bytes[3] != ndim)
        snprintf(message, message_size, "idx: %d axes, %d wanted", bytes[3], ndim);
    else
        return 0;
    return -1;
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The product of the extents as long as it stays within what a file may have; a 0 anywhere makes
 * it 0, whatever the others are. */
static int count_elements(struct idx *idx, char *message, size_t message_size)
{
    uint64_t count = 1;

    for (int i = 0; i < idx->ndim; i++)
        if (idx->shape[i] == 0)
            count = 0;
    for (int i = 0; i < idx->ndim; i++) {
        count *= idx->shape[i]; /* at most 2^28 times less than 2^32 */
        if (count > IDX_MAX_BYTES) {
            snprintf(message, message_size,
                     "idx: axis %d of extent %" PRIu32 " makes %" PRIu64 " elements, at most %d", i,
                     idx->shape[i], count, (int)IDX_MAX_BYTES);
            return -1;
        }
    }
    idx->count = (size_t)count;
    return 0;
}

int idx_read(const unsigned char *bytes, size_t size, int ndim, struct idx *out, char *message,
             size_t message_size)
{
    struct idx idx = { .ndim = ndim };

    if (ndim < 1 || ndim > IDX_MAX_NDIM) {
        snprintf(message, message_size, "idx: %d axes wanted, 1 to %d can be read", ndim,
                 IDX_MAX_NDIM);
        return -1;
    }
    if (check_prefix(bytes, size, ndim, message, message_size) != 0)
        return -1;

    const size_t header = PREFIX + 4 * (size_t)ndim;

    if (size < header) {
        snprintf(message, message_size, "idx: %zu bytes, a header of %d axes has %zu", size, ndim,
                 header);
        return -1;
    }
    for (int i = 0; i < ndim; i++)
        idx.shape[i] = big_endian(bytes + PREFIX + 4 * i);
    if (count_elements(&idx, message, message_size) != 0)
        return -1;
    if (size - header != idx.count) {
        snprintf(message, message_size, "idx: %zu bytes after the header, %zu elements announced",
                 size - header, idx.count);
        return -1;
    }
    idx.data = bytes + header;
    *out = idx;
    return 0;
}

int idx_check_labels(const struct idx *images, const struct idx *labels, int classes, char *message,
                     size_t message_size)
{
    if (images->ndim < 1 || labels->ndim != 1) {
        snprintf(message, message_size, "idx: images of %d axes, labels of %d", images->ndim,
                 labels->ndim);
        return -1;
    }
    if (images->shape[0] != labels->shape[0]) {
        snprintf(message, message_size, "idx: %" PRIu32 " images but %" PRIu32 " labels",
                 images->shape[0], labels->shape[0]);
        return -1;
    }
    for (size_t i = 0; i < labels->count; i++) {
        if (labels->data[i] >= classes) {
            snprintf(message, message_size, "idx: label %zu is %d, the last class is %d", i,
                     labels->data[i], classes - 1);
            return -1;
        }
    }
    return 0;
}
