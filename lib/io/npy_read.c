/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy_read.c - coordconv_npy_read(), _read_memory() and _map().
 */
#include <coordconv/npy.h>

#include <string.h>

#include "core/tensor.h"
#include "io/file.h"
#include "io/npy.h"

/* ---- elements ---- */

static void swap_bytes(unsigned char *data, size_t bytes, size_t element)
{
    for (size_t at = 0; at < bytes; at += element) {
        for (size_t i = 0; i < element / 2; i++) {
            const unsigned char low = data[at + i];
            data[at + i] = data[at + element - 1 - i];
            data[at + element - 1 - i] = low;
        }
    }
}

/* The shape in which the elements lie row-major: of Fortran order with the axes reversed. */
static struct cconv_shape stored_shape(const struct cconv_npy *npy)
{
    struct cconv_shape shape = npy->shape;

    for (int32_t i = 0; npy->fortran && i < shape.ndim; i++)
        shape.dim[i] = npy->shape.dim[shape.ndim - 1 - i];
    return shape;
}

/* From the stored shape to the one the program sees. Takes over the reference. */
static coordconv_status present(const struct cconv_npy *npy, coordconv_tensor *stored,
                                coordconv_tensor **out)
{
    int32_t axes[COORDCONV_MAX_NDIM];
    coordconv_status status;

    if (!npy->fortran) {
        *out = stored;
        return COORDCONV_OK;
    }
    for (int32_t i = 0; i < npy->shape.ndim; i++)
        axes[i] = npy->shape.ndim - 1 - i;
    status = coordconv_tensor_permute(stored, axes, out);
    coordconv_tensor_unref(stored);
    return status;
}

/* Fill from memory, or, where that is NULL, from the file. */
static coordconv_status load(coordconv_context *context, const struct cconv_npy *npy,
                             const struct cconv_file *file, const unsigned char *memory,
                             coordconv_tensor **out)
{
    const struct cconv_shape shape = stored_shape(npy);
    coordconv_tensor *tensor;
    coordconv_status status =
        coordconv_tensor_new(context, npy->dtype, shape.ndim, shape.dim, &tensor);

    if (status != COORDCONV_OK)
        return status;
    if (memory == NULL)
        status = cconv_file_read(file, npy->data, tensor->data, npy->bytes);
    else
        memcpy(tensor->data, memory + npy->data, npy->bytes);
    if (status != COORDCONV_OK) {
        coordconv_tensor_unref(tensor);
        return status;
    }
    if (npy->swapped)
        swap_bytes((unsigned char *)tensor->data, npy->bytes, coordconv_dtype_size(npy->dtype));
    return present(npy, tensor, out);
}

/* ---- mapping ---- */

struct mapping {
    const coordconv_context *context; /* the tensor's storage holds a reference */
    size_t bytes;
    void *memory;
};

static void release_mapping(void *user, void *data)
{
    struct mapping *mapping = user;

    (void)data;
    cconv_file_unmap(mapping->memory, mapping->bytes);
    cconv_free(&mapping->context->allocator, mapping, sizeof *mapping);
}

static coordconv_status wrap(coordconv_context *context, const struct cconv_npy *npy, void *memory,
                             coordconv_tensor **out)
{
    const struct cconv_shape shape = stored_shape(npy);
    struct mapping *mapping = cconv_alloc(&context->allocator, sizeof *mapping);
    coordconv_tensor *tensor;
    coordconv_status status;

    if (mapping == NULL) {
        cconv_file_unmap(memory, npy->data + npy->bytes);
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "npy: no memory for a mapping");
    }
    *mapping = (struct mapping){ context, npy->data + npy->bytes, memory };
    status = coordconv_tensor_wrap(context, npy->dtype, shape.ndim, shape.dim, NULL,
                                   (char *)memory + npy->data, release_mapping, mapping, &tensor);
    if (status != COORDCONV_OK) {
        release_mapping(mapping, NULL);
        return status;
    }
    return present(npy, tensor, out);
}

static int can_map(const struct cconv_npy *npy)
{
    return npy->bytes > 0 && !npy->swapped && npy->data % coordconv_dtype_size(npy->dtype) == 0;
}

/* ---- files ---- */

static coordconv_status read_header(coordconv_context *context, const struct cconv_file *file,
                                    struct cconv_npy *npy)
{
    const size_t most = CCONV_NPY_MAX_PREFIX + CCONV_NPY_MAX_HEADER;
    const size_t bytes = file->bytes < most ? (size_t)file->bytes : most;
    unsigned char *begin = cconv_alloc(&context->allocator, bytes);
    coordconv_status status;

    if (begin == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "npy: no memory for a header");
    status = cconv_file_read(file, 0, begin, bytes);
    if (status == COORDCONV_OK)
        status = cconv_npy_header_read(&context->log, begin, bytes, file->bytes, npy);
    cconv_free(&context->allocator, begin, bytes);
    return status;
}

static coordconv_status read_file(coordconv_context *context, const char *path, int map,
                                  coordconv_tensor **out)
{
    const struct cconv_log *log = cconv_context_log(context);
    struct cconv_file file;
    struct cconv_npy npy;
    coordconv_status status;
    void *memory = NULL;

    if (context == NULL || path == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "npy: %s is NULL",
                          context == NULL ? "context"
                          : path == NULL  ? "path"
                                          : "out");
    if ((status = cconv_file_open(&file, log, path)) != COORDCONV_OK)
        return status;
    status = read_header(context, &file, &npy);
    if (status == COORDCONV_OK && map && can_map(&npy))
        memory = cconv_file_map(&file, npy.data + npy.bytes);
    if (memory != NULL)
        status = wrap(context, &npy, memory, out);
    else if (status == COORDCONV_OK)
        status = load(context, &npy, &file, NULL, out);
    cconv_file_close(&file);
    return status;
}

coordconv_status coordconv_npy_read(coordconv_context *context, const char *path,
                                    coordconv_tensor **out)
{
    return read_file(context, path, 0, out);
}

coordconv_status coordconv_npy_map(coordconv_context *context, const char *path,
                                   coordconv_tensor **out)
{
    return read_file(context, path, 1, out);
}

coordconv_status coordconv_npy_read_memory(coordconv_context *context, const void *data,
                                           size_t bytes, coordconv_tensor **out)
{
    const struct cconv_log *log = cconv_context_log(context);
    struct cconv_npy npy;
    coordconv_status status;

    if (context == NULL || data == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "npy: %s is NULL",
                          context == NULL ? "context"
                          : data == NULL  ? "data"
                                          : "out");
    status = cconv_npy_header_read(log, data, bytes, bytes, &npy);
    if (status != COORDCONV_OK)
        return status;
    return load(context, &npy, NULL, data, out);
}
