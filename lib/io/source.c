/* SPDX-License-Identifier: BSD-2-Clause
 *
 * source.c - reading from memory as from a file.
 */
#include "io/source.h"

#include <assert.h>
#include <string.h>

coordconv_status cconv_source_open(struct cconv_source *source, const struct cconv_log *log,
                                   const char *path)
{
    *source = (struct cconv_source){ .memory = NULL };
    const coordconv_status status = cconv_file_open(&source->file, log, path);

    source->bytes = status == COORDCONV_OK ? source->file.bytes : 0;
    return status;
}

void cconv_source_close(struct cconv_source *source)
{
    cconv_file_close(&source->file);
}

coordconv_status cconv_source_read(const struct cconv_source *source, uint64_t offset, void *data,
                                   size_t bytes)
{
    assert(offset <= source->bytes && bytes <= source->bytes - offset);
    if (source->memory == NULL)
        return cconv_file_read(&source->file, offset, data, bytes);
    memcpy(data, source->memory + offset, bytes);
    return COORDCONV_OK;
}

coordconv_status cconv_source_header(const struct cconv_source *source,
                                     const struct cconv_allocator *allocator,
                                     const struct cconv_log *log, uint64_t *data,
                                     struct cconv_safetensors *out)
{
    unsigned char prefix[CCONV_SAFETENSORS_PREFIX] = { 0 };
    const size_t available = (size_t)CCONV_MIN(source->bytes, sizeof prefix);
    coordconv_status status = cconv_source_read(source, 0, prefix, available);
    size_t bytes = 0;
    char *header;

    if (status == COORDCONV_OK)
        status = cconv_safetensors_header_bytes(log, prefix, available, source->bytes, &bytes);
    if (status != COORDCONV_OK)
        return status;
    header = cconv_alloc_raw(allocator, bytes);
    if (header == NULL)
        return cconv_fail(log, COORDCONV_ERR_NOMEM, "load: no memory for a header of %zu bytes",
                          bytes);
    status = cconv_source_read(source, CCONV_SAFETENSORS_PREFIX, header, bytes);
    if (status == COORDCONV_OK)
        status = cconv_safetensors_read(allocator, log, header, bytes, source->bytes, out);
    cconv_free(allocator, header, bytes);
    if (status == COORDCONV_OK)
        *data = CCONV_SAFETENSORS_PREFIX + bytes;
    return status;
}
