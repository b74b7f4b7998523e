/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/weights_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weights_file_begin(struct weights_file *f)
{
    memset(f, 0, sizeof *f);
    f->header[f->header_bytes++] = '{';
}

/* Bytes of a number of type "BF16", "I64" ... */
static size_t size_of(const char *dtype)
{
    return (size_t)atoi(dtype + strcspn(dtype, "12346")) / 8;
}

void weights_file_add(struct weights_file *f, const char *name, const char *dtype, int32_t ndim,
                      const int64_t *shape, const void *data, size_t bytes)
{
    char *at = f->header + f->header_bytes;
    const size_t room = sizeof f->header - f->header_bytes;
    size_t n = (size_t)snprintf(at, room, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                                f->header_bytes > 1 ? "," : "", name, dtype);

    for (int32_t i = 0; i < ndim; i++)
        n += (size_t)snprintf(at + n, room - n, "%s%lld", i > 0 ? "," : "", (long long)shape[i]);
    n += (size_t)snprintf(at + n, room - n, "],\"data_offsets\":[%zu,%zu]}", f->data_bytes,
                          f->data_bytes + bytes);
    assert_true(n + 8 < room && f->data_bytes + bytes <= sizeof f->data);
    f->header_bytes += n;
    memcpy(f->data + f->data_bytes, data, bytes);
    test_file_order(f->data + f->data_bytes, bytes, size_of(dtype));
    f->data_bytes += bytes;
}

void weights_file_add_parameter(struct weights_file *f, const char *name, coordconv_layer *layer,
                                const char *parameter)
{
    coordconv_tensor *t = test_parameter(layer, parameter);
    int64_t shape[COORDCONV_MAX_NDIM];
    size_t count = 1;

    for (int32_t i = 0; i < coordconv_tensor_ndim(t); i++) {
        shape[i] = coordconv_tensor_dim(t, i);
        count *= (size_t)shape[i];
    }
    weights_file_add(f, name, "F32", coordconv_tensor_ndim(t), shape, test_values(t), 4 * count);
}

void weights_file_end(struct weights_file *f)
{
    f->header[f->header_bytes++] = '}';
    f->count = 8 + f->header_bytes + f->data_bytes;
    f->bytes = calloc(1, f->count);
    assert_non_null(f->bytes);
    for (int i = 0; i < 8; i++)
        f->bytes[i] = (unsigned char)((uint64_t)f->header_bytes >> 8 * i & 0xff);
    memcpy(f->bytes + 8, f->header, f->header_bytes);
    memcpy(f->bytes + 8 + f->header_bytes, f->data, f->data_bytes);
}

void weights_file_free(struct weights_file *f)
{
    free(f->bytes);
    f->bytes = NULL;
}

coordconv_status weights_load_exact(coordconv_model *model, const void *data, size_t count,
                                    const coordconv_weights_desc *desc)
{
    unsigned char *copy = malloc(count > 0 ? count : 1);
    coordconv_status status;

    assert_non_null(copy);
    memcpy(copy, data, count);
    status = coordconv_load_weights_memory(model, copy, count, desc);
    free(copy);
    return status;
}
