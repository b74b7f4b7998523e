/* SPDX-License-Identifier: BSD-2-Clause
 *
 * safetensors.h - the safetensors format over bytes in memory; no file, no model.
 *
 * A file is 8 bytes of header length N (little-endian), N bytes of JSON that
 * name every tensor with its type, shape and place, and the data. The reader
 * takes the header alone, so that a file is judged before its data is read.
 */
#ifndef CCONV_IO_SAFETENSORS_H
#define CCONV_IO_SAFETENSORS_H

#include <coordconv/io.h>

#include "base/memory.h"
#include "base/report.h"
#include "core/shape.h"

/* The length field before the header. */
#define CCONV_SAFETENSORS_PREFIX 8

/* Longest header that is read or written, in bytes: over 100,000 tensors. The format would allow
 * 100,000,000, and parsed JSON takes 18 times its text even where every entry is a good one. */
#define CCONV_SAFETENSORS_MAX_HEADER 16000000u

/* Everything is laid out little-endian, whatever the machine. */
static inline int cconv_is_little_endian(void)
{
    const uint16_t one = 1;

    return *(const unsigned char *)&one == 1;
}

/* A tensor of a file. Its bytes are in the file, and its shape is what they are. */
struct cconv_safetensor {
    const char *name;         /* borrowed from the header */
    const char *dtype;        /* as the file spells it: "F32" */
    struct cconv_shape shape; /* extents 0 .. 2^63 - 1 */
    uint64_t begin, end;      /* place in the data, which begins after the header */
};

struct cconv_safetensors {
    const struct cconv_allocator *allocator;
    void *json;                       /* the parsed header, owner of all strings */
    struct cconv_safetensor *tensors; /* sorted by name */
    size_t count;
};

/* Check the prefix of a file of file_bytes, of which `available` are at hand, and give N. */
coordconv_status cconv_safetensors_header_bytes(const struct cconv_log *log,
                                                const unsigned char *prefix, size_t available,
                                                uint64_t file_bytes, size_t *header_bytes);

/* Read the header (without prefix) of a file of file_bytes. *out is written on
 * success only; it keeps nothing of `header`. */
coordconv_status cconv_safetensors_read(const struct cconv_allocator *allocator,
                                        const struct cconv_log *log, const char *header,
                                        size_t header_bytes, uint64_t file_bytes,
                                        struct cconv_safetensors *out);

void cconv_safetensors_destroy(struct cconv_safetensors *file);

/* The value of a metadata key, NULL if there is none. */
const char *cconv_safetensors_metadata(const struct cconv_safetensors *file, const char *key);

/* What a file calls a dtype of ours; NULL where it has no name for it. */
const char *cconv_safetensors_dtype(int32_t dtype);

/* A tensor to be written. */
struct cconv_safetensor_item {
    const char *name;
    int32_t dtype;
    const struct cconv_shape *shape;
};

/* Write prefix and header of a file whose data are the items in this order, which
 * is that of their names, without gaps. Strings are UTF-8. *out is
 * *bytes long and the caller's to free. */
coordconv_status cconv_safetensors_write(const struct cconv_allocator *allocator,
                                         const struct cconv_log *log,
                                         const struct cconv_safetensor_item *items, size_t count,
                                         const coordconv_metadata *metadata, size_t metadata_count,
                                         char **out, size_t *bytes);

/* A string of a file made fit for a message: short, and no control characters. */
struct cconv_quoted {
    char text[72];
};

const char *cconv_quote(const char *string, struct cconv_quoted *buffer);

#endif /* CCONV_IO_SAFETENSORS_H */
