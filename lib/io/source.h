/* SPDX-License-Identifier: BSD-2-Clause
 *
 * source.h - the bytes of a safetensors file, wherever they are.
 */
#ifndef CCONV_IO_SOURCE_H
#define CCONV_IO_SOURCE_H

#include "io/file.h"
#include "io/safetensors.h"

/* Memory, or a file where memory is NULL. */
struct cconv_source {
    const unsigned char *memory;
    struct cconv_file file;
    uint64_t bytes;
};

/* A file; to be closed. */
coordconv_status cconv_source_open(struct cconv_source *source, const struct cconv_log *log,
                                   const char *path);

void cconv_source_close(struct cconv_source *source);

/* Read `bytes` at offset, which are within the source. */
coordconv_status cconv_source_read(const struct cconv_source *source, uint64_t offset, void *data,
                                   size_t bytes);

/* Read and check the header. *data becomes the place where the data begin. */
coordconv_status cconv_source_header(const struct cconv_source *source,
                                     const struct cconv_allocator *allocator,
                                     const struct cconv_log *log, uint64_t *data,
                                     struct cconv_safetensors *out);

#endif /* CCONV_IO_SOURCE_H */
