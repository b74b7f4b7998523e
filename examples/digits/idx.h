/* SPDX-License-Identifier: BSD-2-Clause
 *
 * idx.h - IDX files of bytes: the format of MNIST and its relatives.
 *
 * A file is two zero bytes, the type of the elements, the number of axes, one extent an axis in
 * four bytes, the most significant first, then the elements, row-major, and nothing after them.
 * Only elements of type uint8 are read. Nothing in a file is believed before it has been checked,
 * and what is refused is refused with a message that names the value.
 */
#ifndef EXAMPLES_IDX_H
#define EXAMPLES_IDX_H

#include <stddef.h>
#include <stdint.h>

enum {
    IDX_MAX_NDIM = 4,
    IDX_MAX_BYTES = 1 << 28 /* of a whole file, unpacked; MNIST's largest has 47 million */
};

struct idx {
    int ndim;
    uint32_t shape[IDX_MAX_NDIM];
    size_t count;              /* elements: the product of the shape */
    const unsigned char *data; /* the elements, within the file's bytes */
    unsigned char *owned;      /* the file's bytes where idx_read_file() read them, else NULL */
};

/*
 * Read a file of so many axes from its bytes. out->data points into them. 0, or -1 with the reason
 * in message and *out left alone.
 */
int idx_read(const unsigned char *bytes, size_t size, int ndim, struct idx *out, char *message,
             size_t message_size);

/* The same from a file, gzip-compressed or not. */
int idx_read_file(const char *path, int ndim, struct idx *out, char *message, size_t message_size);

/* Give back what idx_read_file() read; a zeroed struct is fine. */
void idx_free(struct idx *idx);

/* Whether labels name a class below `classes` for each image: 0, or -1 with the reason. */
int idx_check_labels(const struct idx *images, const struct idx *labels, int classes, char *message,
                     size_t message_size);

#endif /* EXAMPLES_IDX_H */
