/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy_write.c - coordconv_npy_write().
 */
#include <coordconv/npy.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/tensor.h"
#include "io/file.h"
#include "io/safetensors.h"

/* What stands before the elements, filled up to a multiple of 64 bytes as NumPy does. The shape of
 * a tensor has 26 digits at most, so that 107 bytes are the longest there is to fill up. */
enum {
    HEADER = 128
};

static const char *descr(int32_t dtype)
{
    const int little = cconv_is_little_endian();

    switch (dtype) {
    case COORDCONV_F32:
        return little ? "<f4" : ">f4";
    case COORDCONV_F64:
        return little ? "<f8" : ">f8";
    case COORDCONV_I32:
        return little ? "<i4" : ">i4";
    case COORDCONV_I64:
        return little ? "<i8" : ">i8";
    default:
        assert(dtype == COORDCONV_U8);
        return "|u1";
    }
}

static void make_header(const coordconv_tensor *tensor, char header[HEADER])
{
    const struct cconv_shape *shape = &tensor->shape;
    size_t at = 10;

    memset(header, ' ', HEADER);
    memcpy(header, "\x93NUMPY\x01", 8); /* with the NUL, version 1.0 */
    header[8] = HEADER - 10;
    header[9] = 0;
    at += (size_t)snprintf(header + at, HEADER - at,
                           "{'descr': '%s', 'fortran_order': False, 'shape': (",
                           descr(tensor->dtype));
    for (int32_t i = 0; i < shape->ndim; i++)
        at += (size_t)snprintf(header + at, HEADER - at, "%" PRId64 "%s", shape->dim[i],
                               shape->ndim == 1      ? ","
                               : i < shape->ndim - 1 ? ", "
                                                     : "");
    at += (size_t)snprintf(header + at, HEADER - at, "), }");
    assert(at < HEADER - 1);
    header[at] = ' ';
    header[HEADER - 1] = '\n';
}

static coordconv_status write_file(const coordconv_tensor *tensor, const char *path)
{
    const size_t bytes = cconv_shape_count(&tensor->shape) * coordconv_dtype_size(tensor->dtype);
    char header[HEADER];
    struct cconv_new_file file;
    coordconv_status status =
        cconv_new_file_create(&file, &cconv_tensor_context(tensor)->log, path);

    if (status != COORDCONV_OK)
        return status;
    make_header(tensor, header);
    status = cconv_new_file_write(&file, header, sizeof header);
    if (status == COORDCONV_OK)
        status = cconv_new_file_write(&file, tensor->data, bytes);
    if (status == COORDCONV_OK)
        return cconv_new_file_commit(&file);
    cconv_new_file_discard(&file);
    return status;
}

coordconv_status coordconv_npy_write(const coordconv_tensor *tensor, const char *path)
{
    coordconv_tensor *copy = NULL;
    coordconv_status status;

    if (tensor == NULL || path == NULL)
        return cconv_fail(tensor != NULL ? &cconv_tensor_context(tensor)->log : NULL,
                          COORDCONV_ERR_INVALID, "npy: %s is NULL",
                          tensor == NULL ? "tensor" : "path");
    if (cconv_tensor_is_row_major(tensor))
        return write_file(tensor, path);
    status = coordconv_tensor_new(cconv_tensor_context(tensor), tensor->dtype, tensor->shape.ndim,
                                  tensor->shape.dim, &copy);
    if (status == COORDCONV_OK) {
        cconv_tensor_copy_elements(copy, tensor);
        status = write_file(copy, path);
    }
    coordconv_tensor_unref(copy);
    return status;
}
