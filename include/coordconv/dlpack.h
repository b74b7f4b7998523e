/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dlpack.h - tensors shared with other libraries, without a copy, by DLPack.
 *
 * The structs below have the layout of DLPack's own (DLTensor, DLManagedTensor,
 * DLManagedTensorVersioned of version 1), so a pointer to one is a pointer to
 * the other after a cast; they have names of our own so that both headers can be
 * included. In Python, a coordconv_dl_managed travels in a capsule named
 * "dltensor", a coordconv_dl_managed_versioned in one named
 * "dltensor_versioned" (see Python in the documentation).
 *
 * What is shared: memory of the CPU, element types float32, float64, int32,
 * int64 and uint8, one lane, up to COORDCONV_MAX_NDIM axes, strides of 0 or
 * more. Both sides see what either writes. Whoever writes to a tensor through an
 * export says so with coordconv_tensor_modified() before a plan that reads the
 * tensor runs again.
 *
 * Thread safety: as reading the tensor. Deleters and release may come from any
 * thread.
 */
#ifndef COORDCONV_DLPACK_H
#define COORDCONV_DLPACK_H

#include <coordconv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Values of DLPack that mean something here. */
enum {
    COORDCONV_DL_CPU = 1, /* device_type */
    COORDCONV_DL_INT = 0, /* codes of element types */
    COORDCONV_DL_UINT = 1,
    COORDCONV_DL_FLOAT = 2,
    COORDCONV_DL_MAJOR = 1, /* the version that exports carry; any minor is read */
    COORDCONV_DL_MINOR = 0,
    COORDCONV_DL_READ_ONLY = 1, /* flags */
    COORDCONV_DL_IS_COPIED = 2,
    COORDCONV_DL_SUBBYTE_PADDED = 4
};

/** DLDevice. */
typedef struct coordconv_dl_device {
    int32_t device_type; /* COORDCONV_DL_CPU, nothing else here */
    int32_t device_id;   /* 0 */
} coordconv_dl_device;

/** DLDataType. */
typedef struct coordconv_dl_dtype {
    uint8_t code;   /* COORDCONV_DL_INT, _UINT or _FLOAT */
    uint8_t bits;   /* of one element */
    uint16_t lanes; /* 1 */
} coordconv_dl_dtype;

/** DLTensor: element 0 is at data + byte_offset; strides count elements, NULL means row-major. */
typedef struct coordconv_dl_tensor {
    void *data;                 /* NULL where there is no element */
    coordconv_dl_device device; /* where the memory is */
    int32_t ndim;               /* number of axes */
    coordconv_dl_dtype dtype;   /* of the elements */
    int64_t *shape;             /* [ndim] */
    int64_t *strides;           /* [ndim] in elements, or NULL */
    uint64_t byte_offset;       /* from data to element 0 */
} coordconv_dl_tensor;

struct coordconv_dl_managed;
struct coordconv_dl_managed_versioned;

/** Frees the struct and gives back the memory behind it; called once, from any thread. */
typedef void (*coordconv_dl_deleter_fn)(struct coordconv_dl_managed *self);

/** The same for the versioned struct. */
typedef void (*coordconv_dl_versioned_deleter_fn)(struct coordconv_dl_managed_versioned *self);

/** DLManagedTensor. */
typedef struct coordconv_dl_managed {
    coordconv_dl_tensor tensor;      /* what is shared */
    void *manager_ctx;               /* the exporter's own */
    coordconv_dl_deleter_fn deleter; /* NULL: nothing to give back */
} coordconv_dl_managed;

/** DLPackVersion. */
typedef struct coordconv_dl_version {
    uint32_t major; /* another one: the struct is of another form */
    uint32_t minor; /* another one: the same form */
} coordconv_dl_version;

/** DLManagedTensorVersioned. */
typedef struct coordconv_dl_managed_versioned {
    coordconv_dl_version version;              /* of the struct */
    void *manager_ctx;                         /* the exporter's own */
    coordconv_dl_versioned_deleter_fn deleter; /* NULL: nothing to give back */
    uint64_t flags;                            /* COORDCONV_DL_READ_ONLY and others */
    coordconv_dl_tensor tensor;                /* what is shared */
} coordconv_dl_managed_versioned;

/**
 * Export a tensor. *out holds a reference to it, and belongs to the caller until
 * its deleter is called, which must happen exactly once: by the consumer, or by
 * the caller if there is none. The struct comes from the context's allocator.
 * Shape and strides are always there; a tensor without elements has data NULL.
 * The memory is the tensor's own, so an output of a plan is overwritten by the
 * plan's next run. Counts as a write, as coordconv_tensor_data(). Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_tensor_to_dlpack(coordconv_tensor *tensor,
                                                          coordconv_dl_managed **out);

/** The same as a versioned struct, of version 1.0 and with no flag set. Since 0.1. */
COORDCONV_API coordconv_status coordconv_tensor_to_dlpack_versioned(
    coordconv_tensor *tensor, coordconv_dl_managed_versioned **out);

/**
 * Make a tensor over memory that another library exported. Nothing is copied.
 *
 * On success the deleter (which may be NULL) is called once, by the thread that
 * drops the last reference to the tensor and its views; *managed must stay until
 * then. Where it is NULL, the memory and *managed must stay as long as the tensor, a view of it,
 * an export of it or a plan it is bound to. On failure it is not called and the caller still owns
 * *managed. A stride of 0 makes a tensor for reading, see coordconv_tensor_wrap(). Strides
 * of axes with fewer than two indices are ignored, and so are all strides, data and
 * byte_offset of a tensor without elements. data + byte_offset must be aligned
 * for the element type; nothing is copied behind the caller's back. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, number of axes, a negative
 * stride, misaligned data), COORDCONV_ERR_UNSUPPORTED (a device other than the
 * CPU), COORDCONV_ERR_DTYPE (an element type we do not have, more than one lane),
 * COORDCONV_ERR_SHAPE (an extent outside 0 .. 2^31 - 1, sizes, strides or an
 * offset that overflow) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_tensor_from_dlpack(coordconv_context *context,
                                                            coordconv_dl_managed *managed,
                                                            coordconv_tensor **out);

/**
 * The same from a versioned struct of version 1.x. Memory marked read-only is
 * refused, since nothing would keep a tensor over it from being written: who
 * only reads it wraps it with coordconv_tensor_wrap(). Since 0.1.
 *
 * Returns as coordconv_tensor_from_dlpack, COORDCONV_ERR_UNSUPPORTED also for
 * another major version, for read-only memory and for flags we do not know.
 */
COORDCONV_API coordconv_status coordconv_tensor_from_dlpack_versioned(
    coordconv_context *context, coordconv_dl_managed_versioned *managed, coordconv_tensor **out);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_DLPACK_H */
