/* SPDX-License-Identifier: BSD-2-Clause
 *
 * idx_file.c - IDX files of bytes, from a file, through zlib, which reads both what is compressed
 * and what is not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "idx.h"

enum {
    FIRST_BLOCK = 1 << 16
};

static int fail(char *message, size_t message_size, const char *path, const char *reason)
{
    snprintf(message, message_size, "%s: %s", path, reason);
    return -1;
}

/* All bytes of an open file. The block grows with what has arrived, not with what a header says. */
static int read_all(gzFile file, unsigned char **bytes, size_t *size, const char **reason)
{
    size_t capacity = 0, used = 0;
    unsigned char *block = NULL;
    int got = 1;

    while (got > 0 && used <= IDX_MAX_BYTES) {
        if (used == capacity) {
            capacity = capacity > 0 ? 2 * capacity : FIRST_BLOCK;
            unsigned char *larger = realloc(block, capacity);
            if (larger == NULL) {
                free(block);
                *reason = "no memory";
                return -1;
            }
            block = larger;
        }
        got = gzread(file, block + used, (unsigned)(capacity - used));
        used += got > 0 ? (size_t)got : 0;
    }
    if (got < 0 || used > IDX_MAX_BYTES) {
        int number;
        free(block);
        *reason = got < 0 ? gzerror(file, &number) : "larger than 2^28 bytes";
        return -1;
    }
    *bytes = block;
    *size = used;
    return 0;
}

int idx_read_file(const char *path, int ndim, struct idx *out, char *message, size_t message_size)
{
    const gzFile file = gzopen(path, "rb");
    unsigned char *bytes = NULL;
    size_t size = 0;
    const char *reason = NULL;
    char inner[160];

    if (file == NULL)
        return fail(message, message_size, path, strerror(errno));
    if (read_all(file, &bytes, &size, &reason) != 0) {
        fail(message, message_size, path, reason);
        gzclose(file);
        return -1;
    }
    /* A compressed file that ends too early is noticed here. */
    if (gzclose(file) != Z_OK) {
        free(bytes);
        return fail(message, message_size, path, "the compressed data end too early");
    }
    if (idx_read(bytes, size, ndim, out, inner, sizeof inner) != 0) {
        free(bytes);
        return fail(message, message_size, path, inner);
    }
    out->owned = bytes;
    return 0;
}

void idx_free(struct idx *idx)
{
    free(idx->owned);
    memset(idx, 0, sizeof *idx);
}
