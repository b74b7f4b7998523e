/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tensor.c - making tensors and views, and asking them.
 *
 * A tensor is a view of a storage; the storage is what owns or borrows memory,
 * holds the context and counts writes. Slices and permutations are further
 * views of the same storage.
 */
#include "core/tensor.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"

static void storage_unref(struct cconv_storage *storage)
{
    if (atomic_fetch_sub_explicit(&storage->references, 1, memory_order_acq_rel) != 1)
        return;

    coordconv_context *context = storage->context;

    if (storage->bytes > 0)
        cconv_free(&context->allocator, storage->data, storage->bytes);
    else if (storage->release != NULL)
        storage->release(storage->release_user, storage->data);
    cconv_free(&context->allocator, storage, sizeof *storage);
    coordconv_context_unref(context);
}

/* A storage without memory yet, and the tensor that holds it; shape and strides
 * are the caller's to fill. NULL when out of memory. */
static coordconv_tensor *make(coordconv_context *context, int32_t dtype)
{
    const struct cconv_allocator *allocator = &context->allocator;
    struct cconv_storage *storage = cconv_alloc(allocator, sizeof *storage);
    coordconv_tensor *tensor = NULL;

    if (storage != NULL)
        tensor = cconv_alloc(allocator, sizeof *tensor);
    if (tensor == NULL) {
        cconv_free(allocator, storage, sizeof *storage);
        return NULL;
    }
    atomic_init(&storage->references, 1);
    atomic_init(&storage->version, 0);
    storage->context = coordconv_context_ref(context);
    atomic_init(&tensor->references, 1);
    tensor->storage = storage;
    tensor->dtype = dtype;
    return tensor;
}

static coordconv_status check_dtype(const struct cconv_log *log, int32_t dtype)
{
    if (coordconv_dtype_size(dtype) == 0)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "tensor: unknown dtype %" PRId32, dtype);
    return COORDCONV_OK;
}

static coordconv_status check_new(const coordconv_context *context, int32_t dtype, int32_t ndim,
                                  const int64_t *dims, coordconv_tensor *const *out,
                                  struct cconv_shape *shape)
{
    const struct cconv_log *log = cconv_context_log(context);
    coordconv_status status;

    if (context == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "tensor: %s is NULL",
                          context == NULL ? "context" : "out");
    status = check_dtype(log, dtype);
    if (status == COORDCONV_OK)
        status = cconv_shape_read(log, "tensor", ndim, dims, 0, shape);
    return status;
}

coordconv_status coordconv_tensor_new(coordconv_context *context, int32_t dtype, int32_t ndim,
                                      const int64_t *shape, coordconv_tensor **out)
{
    struct cconv_shape checked;
    struct cconv_shape_text text;
    coordconv_status status = check_new(context, dtype, ndim, shape, out, &checked);
    coordconv_tensor *tensor;

    if (status != COORDCONV_OK)
        return status;

    /* At least one byte, so that bytes tells owned memory from borrowed. */
    const size_t bytes =
        CCONV_MAX(cconv_size_mul(cconv_shape_count(&checked), coordconv_dtype_size(dtype)), 1);

    tensor = make(context, dtype);
    if (tensor == NULL)
        goto nomem;
    tensor->storage->data = cconv_alloc(&context->allocator, bytes);
    if (tensor->storage->data == NULL)
        goto nomem;
    tensor->storage->bytes = bytes;
    tensor->data = tensor->storage->data;
    tensor->shape = checked;
    cconv_shape_strides(&checked, tensor->stride);
    *out = tensor;
    return COORDCONV_OK;
nomem:
    coordconv_tensor_unref(tensor);
    return cconv_fail(&context->log, COORDCONV_ERR_NOMEM,
                      "tensor: no memory for %zu bytes of shape %s", bytes,
                      cconv_shape_print(&checked, &text));
}

/* Each stride 0 or more, and all extents times strides together within ptrdiff_t
 * bytes: then no loop over the axes overflows, not even one step past its end. */
static coordconv_status check_strides(const struct cconv_log *log, const struct cconv_shape *shape,
                                      const int64_t *strides, size_t element)
{
    size_t reach = 1;

    for (int32_t i = 0; i < shape->ndim; i++) {
        if (strides[i] < 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "tensor: stride %" PRId64 " of axis %" PRId32 " is negative",
                              strides[i], i);
        reach = cconv_size_add(reach, cconv_size_mul((size_t)CCONV_MAX(shape->dim[i], 1),
                                                     cconv_size_from(strides[i])));
    }
    if (cconv_size_mul(reach, element) > PTRDIFF_MAX)
        return cconv_fail(log, COORDCONV_ERR_SHAPE, "tensor: the strides reach too far to address");
    return COORDCONV_OK;
}

static coordconv_status check_data(const struct cconv_log *log, const struct cconv_shape *shape,
                                   const void *data, size_t element)
{
    if (data == NULL && cconv_shape_count(shape) > 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "tensor: data is NULL");
    if ((uintptr_t)data % element != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "tensor: data %p is not aligned to its %zu-byte elements", data, element);
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_wrap(coordconv_context *context, int32_t dtype, int32_t ndim,
                                       const int64_t *shape, const int64_t *strides, void *data,
                                       coordconv_release_fn release, void *user,
                                       coordconv_tensor **out)
{
    struct cconv_shape checked;
    coordconv_status status = check_new(context, dtype, ndim, shape, out, &checked);
    coordconv_tensor *tensor;

    if (status == COORDCONV_OK && strides != NULL)
        status = check_strides(&context->log, &checked, strides, coordconv_dtype_size(dtype));
    if (status == COORDCONV_OK)
        status = check_data(&context->log, &checked, data, coordconv_dtype_size(dtype));
    if (status != COORDCONV_OK)
        return status;
    tensor = make(context, dtype);
    if (tensor == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "tensor: no memory for a handle");
    tensor->storage->data = data;
    tensor->storage->release = release;
    tensor->storage->release_user = user;
    tensor->data = data;
    tensor->shape = checked;
    cconv_shape_strides(&checked, tensor->stride);
    if (strides != NULL && ndim > 0)
        memcpy(tensor->stride, strides, (size_t)ndim * sizeof *strides);
    *out = tensor;
    return COORDCONV_OK;
}

coordconv_tensor *coordconv_tensor_ref(coordconv_tensor *tensor)
{
    if (tensor != NULL)
        atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

void coordconv_tensor_unref(coordconv_tensor *tensor)
{
    if (tensor == NULL ||
        atomic_fetch_sub_explicit(&tensor->references, 1, memory_order_acq_rel) != 1)
        return;

    struct cconv_storage *storage = tensor->storage;

    cconv_free(&storage->context->allocator, tensor, sizeof *tensor);
    storage_unref(storage);
}

int32_t coordconv_tensor_dtype(const coordconv_tensor *tensor)
{
    return tensor != NULL ? tensor->dtype : 0;
}

int32_t coordconv_tensor_ndim(const coordconv_tensor *tensor)
{
    return tensor != NULL ? tensor->shape.ndim : 0;
}

static int has_axis(const coordconv_tensor *tensor, int32_t axis)
{
    return tensor != NULL && axis >= 0 && axis < tensor->shape.ndim;
}

int64_t coordconv_tensor_dim(const coordconv_tensor *tensor, int32_t axis)
{
    return has_axis(tensor, axis) ? tensor->shape.dim[axis] : 0;
}

int64_t coordconv_tensor_stride(const coordconv_tensor *tensor, int32_t axis)
{
    return has_axis(tensor, axis) ? tensor->stride[axis] : 0;
}

int64_t coordconv_tensor_count(const coordconv_tensor *tensor)
{
    return tensor != NULL ? (int64_t)cconv_shape_count(&tensor->shape) : 0;
}

void *coordconv_tensor_data(coordconv_tensor *tensor)
{
    if (tensor == NULL)
        return NULL;
    cconv_tensor_touch(tensor);
    return tensor->data;
}

const void *coordconv_tensor_const_data(const coordconv_tensor *tensor)
{
    return tensor != NULL ? tensor->data : NULL;
}

void coordconv_tensor_modified(coordconv_tensor *tensor)
{
    if (tensor != NULL)
        cconv_tensor_touch(tensor);
}

int cconv_tensor_is_row_major(const coordconv_tensor *tensor)
{
    int64_t step = 1;

    if (cconv_shape_count(&tensor->shape) == 0)
        return 1; /* there is nothing a stride could misplace */
    for (int32_t i = tensor->shape.ndim - 1; i >= 0; i--) {
        if (tensor->shape.dim[i] > 1 && tensor->stride[i] != step)
            return 0;
        step *= tensor->shape.dim[i];
    }
    return 1;
}

/* One past the last byte; the first for a tensor without elements. */
static const char *end_of(const coordconv_tensor *t)
{
    int64_t last = 0;

    if (cconv_shape_count(&t->shape) == 0)
        return t->data;
    for (int32_t i = 0; i < t->shape.ndim; i++)
        last += (t->shape.dim[i] - 1) * t->stride[i];
    return t->data + (last + 1) * (int64_t)coordconv_dtype_size(t->dtype);
}

int cconv_tensor_overlap(const coordconv_tensor *a, const coordconv_tensor *b)
{
    return (uintptr_t)a->data < (uintptr_t)end_of(b) && (uintptr_t)b->data < (uintptr_t)end_of(a);
}

int cconv_tensor_overlaps_itself(const coordconv_tensor *tensor)
{
    struct cconv_extent axes[COORDCONV_MAX_NDIM];
    size_t reach;

    for (int32_t i = 0; i < tensor->shape.ndim; i++)
        axes[i] = cconv_extent(tensor->stride[i], tensor->shape.dim[i]);
    return cconv_shape_count(&tensor->shape) > 0 &&
           cconv_extents_overlap(axes, tensor->shape.ndim, &reach);
}

int32_t coordconv_tensor_is_contiguous(const coordconv_tensor *tensor)
{
    return tensor != NULL && cconv_tensor_is_row_major(tensor);
}

/* Another tensor over the same storage, equal in all to begin with. */
static coordconv_status view(coordconv_tensor *tensor, coordconv_tensor **out)
{
    const coordconv_context *context = cconv_tensor_context(tensor);
    coordconv_tensor *made = cconv_alloc(&context->allocator, sizeof *made);

    if (made == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "tensor: no memory for a view");
    atomic_init(&made->references, 1);
    made->storage = tensor->storage;
    made->data = tensor->data;
    made->dtype = tensor->dtype;
    made->shape = tensor->shape;
    memcpy(made->stride, tensor->stride, sizeof made->stride);
    atomic_fetch_add_explicit(&tensor->storage->references, 1, memory_order_relaxed);
    *out = made;
    return COORDCONV_OK;
}

static coordconv_status check_axes(const coordconv_tensor *tensor, const int32_t *axes)
{
    const struct cconv_log *log = &cconv_tensor_context(tensor)->log;
    uint32_t seen = 0;

    for (int32_t i = 0; i < tensor->shape.ndim; i++) {
        if (axes[i] < 0 || axes[i] >= tensor->shape.ndim)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "permute: axis %" PRId32 " of a tensor of %" PRId32 " axes", axes[i],
                              tensor->shape.ndim);
        if (seen & 1u << axes[i])
            return cconv_fail(log, COORDCONV_ERR_INVALID, "permute: axis %" PRId32 " comes twice",
                              axes[i]);
        seen |= 1u << axes[i];
    }
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_permute(coordconv_tensor *tensor, const int32_t *axes,
                                          coordconv_tensor **out)
{
    coordconv_tensor *made;
    coordconv_status status;

    if (tensor == NULL || out == NULL || (axes == NULL && tensor->shape.ndim > 0))
        return cconv_fail(tensor != NULL ? &cconv_tensor_context(tensor)->log : NULL,
                          COORDCONV_ERR_INVALID, "permute: an argument is NULL");
    status = check_axes(tensor, axes);
    if (status == COORDCONV_OK)
        status = view(tensor, &made);
    if (status != COORDCONV_OK)
        return status;
    for (int32_t i = 0; i < tensor->shape.ndim; i++) {
        made->shape.dim[i] = tensor->shape.dim[axes[i]];
        made->stride[i] = tensor->stride[axes[i]];
    }
    *out = made;
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_slice(coordconv_tensor *tensor, int32_t axis, int64_t start,
                                        int64_t length, coordconv_tensor **out)
{
    coordconv_tensor *made;
    coordconv_status status;

    if (tensor == NULL || out == NULL)
        return cconv_fail(tensor != NULL ? &cconv_tensor_context(tensor)->log : NULL,
                          COORDCONV_ERR_INVALID, "slice: an argument is NULL");

    const struct cconv_log *log = &cconv_tensor_context(tensor)->log;

    if (!has_axis(tensor, axis))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "slice: axis %" PRId32 " of a tensor of %" PRId32 " axes", axis,
                          tensor->shape.ndim);

    const int64_t extent = tensor->shape.dim[axis];

    if (start < 0 || length < 0 || start > extent || length > extent - start)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "slice: %" PRId64 " indices from %" PRId64 " of an axis of %" PRId64,
                          length, start, extent);
    status = view(tensor, &made);
    if (status != COORDCONV_OK)
        return status;
    made->shape.dim[axis] = length;
    if (cconv_shape_count(&made->shape) > 0) /* an empty view must not point past the end */
        made->data += start * tensor->stride[axis] * (int64_t)coordconv_dtype_size(tensor->dtype);
    *out = made;
    return COORDCONV_OK;
}
