/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dlpack.c - tensors handed to and taken from other libraries as DLPack structs.
 *
 * An import is a tensor over borrowed memory (coordconv_tensor_wrap) whose
 * release function is the producer's deleter. Only what the struct says can be
 * checked; whether the memory is there is the producer's word.
 */
#include <coordconv/dlpack.h>

#include <inttypes.h>

#include "base/checked.h"
#include "core/tensor.h"

/* DLPack's layout where pointers have 64 bits; with 32 the compiler pads as it does DLPack's. */
#if UINTPTR_MAX == UINT64_MAX
#define CHECK_OFFSET(type, field, offset)                                                          \
    static_assert(offsetof(type, field) == (offset), #type "." #field)
#define CHECK_SIZE(type, size) static_assert(sizeof(type) == (size), #type)

CHECK_SIZE(coordconv_dl_device, 8);
CHECK_OFFSET(coordconv_dl_device, device_type, 0);
CHECK_OFFSET(coordconv_dl_device, device_id, 4);
CHECK_SIZE(coordconv_dl_dtype, 4);
CHECK_OFFSET(coordconv_dl_dtype, code, 0);
CHECK_OFFSET(coordconv_dl_dtype, bits, 1);
CHECK_OFFSET(coordconv_dl_dtype, lanes, 2);
CHECK_SIZE(coordconv_dl_tensor, 48);
CHECK_OFFSET(coordconv_dl_tensor, data, 0);
CHECK_OFFSET(coordconv_dl_tensor, device, 8);
CHECK_OFFSET(coordconv_dl_tensor, ndim, 16);
CHECK_OFFSET(coordconv_dl_tensor, dtype, 20);
CHECK_OFFSET(coordconv_dl_tensor, shape, 24);
CHECK_OFFSET(coordconv_dl_tensor, strides, 32);
CHECK_OFFSET(coordconv_dl_tensor, byte_offset, 40);
CHECK_SIZE(coordconv_dl_managed, 64);
CHECK_OFFSET(coordconv_dl_managed, tensor, 0);
CHECK_OFFSET(coordconv_dl_managed, manager_ctx, 48);
CHECK_OFFSET(coordconv_dl_managed, deleter, 56);
CHECK_SIZE(coordconv_dl_version, 8);
CHECK_OFFSET(coordconv_dl_version, major, 0);
CHECK_OFFSET(coordconv_dl_version, minor, 4);
CHECK_SIZE(coordconv_dl_managed_versioned, 80);
CHECK_OFFSET(coordconv_dl_managed_versioned, version, 0);
CHECK_OFFSET(coordconv_dl_managed_versioned, manager_ctx, 8);
CHECK_OFFSET(coordconv_dl_managed_versioned, deleter, 16);
CHECK_OFFSET(coordconv_dl_managed_versioned, flags, 24);
CHECK_OFFSET(coordconv_dl_managed_versioned, tensor, 32);
#endif

static const struct {
    int32_t dtype;
    uint8_t code, bits;
} types[] = {
    { COORDCONV_F32, COORDCONV_DL_FLOAT, 32 }, { COORDCONV_F64, COORDCONV_DL_FLOAT, 64 },
    { COORDCONV_I32, COORDCONV_DL_INT, 32 },   { COORDCONV_I64, COORDCONV_DL_INT, 64 },
    { COORDCONV_U8, COORDCONV_DL_UINT, 8 },
};

/* ---- export ---- */

/* An exported struct and what it points to. */
struct loan {
    union {
        coordconv_dl_managed plain;
        coordconv_dl_managed_versioned versioned;
    } managed;
    coordconv_tensor *tensor; /* reference held */
    int64_t shape[COORDCONV_MAX_NDIM], strides[COORDCONV_MAX_NDIM];
};

static void end_loan(struct loan *loan)
{
    coordconv_tensor *tensor = loan->tensor;

    /* The tensor keeps the allocator alive, so it goes last. */
    cconv_free(&cconv_tensor_context(tensor)->allocator, loan, sizeof *loan);
    coordconv_tensor_unref(tensor);
}

static void delete_plain(coordconv_dl_managed *self)
{
    if (self != NULL)
        end_loan(self->manager_ctx);
}

static void delete_versioned(coordconv_dl_managed_versioned *self)
{
    if (self != NULL)
        end_loan(self->manager_ctx);
}

static coordconv_dl_dtype dl_dtype(int32_t dtype)
{
    size_t i = 0;

    while (types[i].dtype != dtype)
        i++;
    return (coordconv_dl_dtype){ types[i].code, types[i].bits, 1 };
}

static void describe(struct loan *loan, coordconv_dl_tensor *out)
{
    const coordconv_tensor *tensor = loan->tensor;

    for (int32_t i = 0; i < tensor->shape.ndim; i++) {
        loan->shape[i] = tensor->shape.dim[i];
        loan->strides[i] = tensor->stride[i];
    }
    *out =
        (coordconv_dl_tensor){ .data = cconv_shape_count(&tensor->shape) > 0 ? tensor->data : NULL,
                               .device = { COORDCONV_DL_CPU, 0 },
                               .ndim = tensor->shape.ndim,
                               .dtype = dl_dtype(tensor->dtype),
                               .shape = loan->shape,
                               .strides = loan->strides };
}

static coordconv_status begin_loan(coordconv_tensor *tensor, const void *out, struct loan **loan)
{
    if (tensor == NULL || out == NULL)
        return cconv_fail(tensor != NULL ? &cconv_tensor_context(tensor)->log : NULL,
                          COORDCONV_ERR_INVALID, "dlpack: %s is NULL",
                          tensor == NULL ? "tensor" : "out");

    const coordconv_context *context = cconv_tensor_context(tensor);

    *loan = cconv_alloc(&context->allocator, sizeof **loan);
    if (*loan == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "dlpack: no memory for a struct");
    (*loan)->tensor = coordconv_tensor_ref(tensor);
    cconv_tensor_touch(tensor);
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_to_dlpack(coordconv_tensor *tensor, coordconv_dl_managed **out)
{
    struct loan *loan;
    const coordconv_status status = begin_loan(tensor, out, &loan);

    if (status != COORDCONV_OK)
        return status;
    *out = &loan->managed.plain;
    (*out)->manager_ctx = loan;
    (*out)->deleter = delete_plain;
    describe(loan, &(*out)->tensor);
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_to_dlpack_versioned(coordconv_tensor *tensor,
                                                      coordconv_dl_managed_versioned **out)
{
    struct loan *loan;
    const coordconv_status status = begin_loan(tensor, out, &loan);

    if (status != COORDCONV_OK)
        return status;
    *out = &loan->managed.versioned;
    (*out)->version = (coordconv_dl_version){ COORDCONV_DL_MAJOR, COORDCONV_DL_MINOR };
    (*out)->manager_ctx = loan;
    (*out)->deleter = delete_versioned;
    describe(loan, &(*out)->tensor);
    return COORDCONV_OK;
}

/* ---- import ---- */

static coordconv_status read_device_and_type(const struct cconv_log *log,
                                             const coordconv_dl_tensor *t, int32_t *dtype)
{
    if (t->device.device_type != COORDCONV_DL_CPU)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "dlpack: memory of device type %" PRId32
                          ", only that of the CPU (%d) can be shared",
                          t->device.device_type, COORDCONV_DL_CPU);
    if (t->dtype.lanes != 1)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "dlpack: elements of %u lanes, only 1 is taken",
                          (unsigned)t->dtype.lanes);
    for (size_t i = 0; i < CCONV_COUNT(types); i++) {
        if (types[i].code == t->dtype.code && types[i].bits == t->dtype.bits) {
            *dtype = types[i].dtype;
            return COORDCONV_OK;
        }
    }
    return cconv_fail(log, COORDCONV_ERR_DTYPE,
                      "dlpack: elements of type code %u and %u bits are not taken",
                      (unsigned)t->dtype.code, (unsigned)t->dtype.bits);
}

/* Strides as they count here, and bytes from the first element to behind the last. Not for a
 * tensor without elements. */
static coordconv_status read_strides(const struct cconv_log *log, const coordconv_dl_tensor *t,
                                     const struct cconv_shape *shape, int64_t *strides,
                                     size_t element, size_t *bytes)
{
    size_t reach = 1;

    for (int32_t i = 0; i < shape->ndim; i++) {
        if (shape->dim[i] > 1 && t->strides != NULL)
            strides[i] = t->strides[i];
        if (strides[i] < 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "dlpack: stride %" PRId64 " of axis %" PRId32 " is negative",
                              strides[i], i);
        reach = cconv_size_add(
            reach, cconv_size_mul((size_t)(shape->dim[i] - 1), cconv_size_from(strides[i])));
    }
    *bytes = cconv_size_mul(reach, element);
    return COORDCONV_OK;
}

/* Where element 0 is, all elements lying within the address space. */
static coordconv_status read_data(const struct cconv_log *log, const coordconv_dl_tensor *t,
                                  size_t bytes, void **data)
{
    if (t->data == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "dlpack: data is NULL");
    if (t->byte_offset > PTRDIFF_MAX || bytes > PTRDIFF_MAX ||
        (size_t)t->byte_offset + bytes > UINTPTR_MAX - (uintptr_t)t->data)
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          "dlpack: strides and byte offset %" PRIu64 " reach too far to address",
                          t->byte_offset);
    *data = (char *)t->data + t->byte_offset;
    return COORDCONV_OK;
}

static coordconv_status import(coordconv_context *context, const coordconv_dl_tensor *t,
                               coordconv_release_fn release, void *user, coordconv_tensor **out)
{
    const struct cconv_log *log = &context->log;
    int64_t strides[COORDCONV_MAX_NDIM];
    struct cconv_shape shape;
    void *data = NULL;
    int32_t dtype = 0;
    size_t bytes = 0;
    coordconv_status status = read_device_and_type(log, t, &dtype);

    if (status == COORDCONV_OK)
        status = cconv_shape_read(log, "dlpack", t->ndim, t->shape, 0, &shape);
    if (status != COORDCONV_OK)
        return status;
    cconv_shape_strides(&shape, strides);
    if (cconv_shape_count(&shape) > 0) {
        status = read_strides(log, t, &shape, strides, coordconv_dtype_size(dtype), &bytes);
        if (status == COORDCONV_OK)
            status = read_data(log, t, bytes, &data);
    }
    if (status != COORDCONV_OK)
        return status;
    return coordconv_tensor_wrap(context, dtype, shape.ndim, shape.dim, strides, data, release,
                                 user, out);
}

static coordconv_status check_arguments(const coordconv_context *context, const void *managed,
                                        const void *out)
{
    if (context == NULL || managed == NULL || out == NULL)
        return cconv_fail(cconv_context_log(context), COORDCONV_ERR_INVALID, "dlpack: %s is NULL",
                          context == NULL   ? "context"
                          : managed == NULL ? "managed"
                                            : "out");
    return COORDCONV_OK;
}

static void release_plain(void *user, void *data)
{
    coordconv_dl_managed *managed = user;

    (void)data;
    managed->deleter(managed);
}

static void release_versioned(void *user, void *data)
{
    coordconv_dl_managed_versioned *managed = user;

    (void)data;
    managed->deleter(managed);
}

coordconv_status coordconv_tensor_from_dlpack(coordconv_context *context,
                                              coordconv_dl_managed *managed, coordconv_tensor **out)
{
    const coordconv_status status = check_arguments(context, managed, out);

    if (status != COORDCONV_OK)
        return status;
    return import(context, &managed->tensor, managed->deleter != NULL ? release_plain : NULL,
                  managed, out);
}

/* Of another major version nothing but the deleter's place is known. */
static coordconv_status check_version(const struct cconv_log *log,
                                      const coordconv_dl_managed_versioned *managed)
{
    const uint64_t known = COORDCONV_DL_IS_COPIED | COORDCONV_DL_SUBBYTE_PADDED;

    if (managed->version.major != COORDCONV_DL_MAJOR)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "dlpack: version %" PRIu32 ".%" PRIu32 ", only %d.x is read",
                          managed->version.major, managed->version.minor, COORDCONV_DL_MAJOR);
    if (managed->flags & COORDCONV_DL_READ_ONLY)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "dlpack: the memory is read-only, and a tensor over it is not");
    if (managed->flags & ~known)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "dlpack: flags 0x%" PRIx64 " are not all known", managed->flags);
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_from_dlpack_versioned(coordconv_context *context,
                                                        coordconv_dl_managed_versioned *managed,
                                                        coordconv_tensor **out)
{
    coordconv_status status = check_arguments(context, managed, out);

    if (status == COORDCONV_OK)
        status = check_version(&context->log, managed);
    if (status != COORDCONV_OK)
        return status;
    return import(context, &managed->tensor, managed->deleter != NULL ? release_versioned : NULL,
                  managed, out);
}
