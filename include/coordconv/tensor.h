/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tensor.h - an n-dimensional array: element type, shape, strides, storage.
 *
 * Strides count elements. Any strides are accepted wherever a tensor is read
 * or written by a copy: an image stored as NCHW is handed to a model, whose
 * axes are N, H, W, C, as the permuted view of itself.
 *
 * Thread safety: a tensor may be read by any number of threads at once, and
 * written by one thread while no other uses it.
 */
#ifndef COORDCONV_TENSOR_H
#define COORDCONV_TENSOR_H

#include <coordconv/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An n-dimensional array. */
typedef struct coordconv_tensor coordconv_tensor;

/** Called once, when the last reference to borrowed memory is gone, from the thread that drops it.
 */
typedef void (*coordconv_release_fn)(void *user, void *data);

/**
 * Make a tensor that owns its memory: row-major, 64-byte aligned, zero filled.
 *
 * ndim 0 (a scalar, shape may then be NULL) .. COORDCONV_MAX_NDIM; extents 0 ..
 * 2^31 - 1. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, ndim), COORDCONV_ERR_DTYPE,
 * COORDCONV_ERR_SHAPE (an extent out of range, a size that overflows) or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_tensor_new(coordconv_context *context, int32_t dtype,
                                                    int32_t ndim, const int64_t *shape,
                                                    coordconv_tensor **out);

/**
 * Make a tensor over memory the caller owns. Nothing is copied.
 *
 * strides: elements from one index to the next on each axis, 0 or more; NULL
 * means row-major. With a stride of 0, or others that let elements share a
 * place, a tensor is for reading: a copy into it or binding it to an output is
 * refused. data must be aligned for its element type and stay valid until
 * release has been called. release may be NULL; then data must stay valid as
 * long as the tensor, a view of it, an export of it or a plan it is bound to. On
 * failure release is not called. Since 0.1.
 *
 * Returns as coordconv_tensor_new; COORDCONV_ERR_INVALID also for a NULL data
 * of a tensor that has elements, a misaligned one, and a negative stride.
 */
COORDCONV_API coordconv_status coordconv_tensor_wrap(coordconv_context *context, int32_t dtype,
                                                     int32_t ndim, const int64_t *shape,
                                                     const int64_t *strides, void *data,
                                                     coordconv_release_fn release, void *user,
                                                     coordconv_tensor **out);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_tensor *coordconv_tensor_ref(coordconv_tensor *tensor);

/** Drop a reference. Since 0.1. */
COORDCONV_API void coordconv_tensor_unref(coordconv_tensor *tensor);

/** Element type; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_tensor_dtype(const coordconv_tensor *tensor);

/** Number of axes; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_tensor_ndim(const coordconv_tensor *tensor);

/** Extent of an axis; 0 for NULL or an axis that is not there. Since 0.1. */
COORDCONV_API int64_t coordconv_tensor_dim(const coordconv_tensor *tensor, int32_t axis);

/** Stride of an axis in elements; 0 for NULL or an axis that is not there. Since 0.1. */
COORDCONV_API int64_t coordconv_tensor_stride(const coordconv_tensor *tensor, int32_t axis);

/** Number of elements, the product of the extents; 0 for NULL. Since 0.1. */
COORDCONV_API int64_t coordconv_tensor_count(const coordconv_tensor *tensor);

/**
 * First element, at index 0 of every axis, to read and to write; NULL for NULL.
 * Counts as a write, see coordconv_tensor_modified(): no other thread may use the
 * tensor during the call. To read alone, take coordconv_tensor_const_data().
 * Since 0.1.
 */
COORDCONV_API void *coordconv_tensor_data(coordconv_tensor *tensor);

/**
 * First element, at index 0 of every axis, to read; NULL for NULL. Counts as
 * reading, so any number of threads may call it at once, also while plans read
 * the tensor. Since 0.1.
 */
COORDCONV_API const void *coordconv_tensor_const_data(const coordconv_tensor *tensor);

/**
 * Say that elements were written through a pointer kept from an earlier
 * coordconv_tensor_data(). Plans keep packed copies of weights and look here
 * whether these are stale; every function of the library that writes to a
 * tensor does this by itself. NULL does nothing. Since 0.1.
 */
COORDCONV_API void coordconv_tensor_modified(coordconv_tensor *tensor);

/** 1 if the elements lie row-major without gaps, else 0. Since 0.1. */
COORDCONV_API int32_t coordconv_tensor_is_contiguous(const coordconv_tensor *tensor);

/**
 * A view with the axes in another order: axis i of the view is axis axes[i] of
 * the tensor. NCHW seen as NHWC: axes = {0, 2, 3, 1}. Shares the memory and
 * keeps it alive. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, axes no permutation) or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_tensor_permute(coordconv_tensor *tensor,
                                                        const int32_t *axes,
                                                        coordconv_tensor **out);

/**
 * A view of indices start .. start + length - 1 of one axis. Shares the memory
 * and keeps it alive. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, axis, a range outside the
 * extent) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_tensor_slice(coordconv_tensor *tensor, int32_t axis,
                                                      int64_t start, int64_t length,
                                                      coordconv_tensor **out);

/**
 * Copy src into dst: same shape, any strides, any two dtypes. Values are
 * converted as C does; a value outside an integer's range gives its nearest
 * end, a NaN gives 0. The two must not overlap unless they are the same view,
 * and no two elements of dst may share a place: ordered by size, each of its
 * strides reaches past all that lies within it. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, elements of dst that share
 * a place) or COORDCONV_ERR_SHAPE.
 */
COORDCONV_API coordconv_status coordconv_tensor_copy(coordconv_tensor *dst,
                                                     const coordconv_tensor *src);

/** Set every element to value, converted as in coordconv_tensor_copy. Since 0.1. Returns
 * COORDCONV_OK or COORDCONV_ERR_INVALID (NULL). */
COORDCONV_API coordconv_status coordconv_tensor_fill(coordconv_tensor *tensor, double value);

/** How coordconv_tensor_init fills a weight. */
enum {
    COORDCONV_INIT_DEFAULT = 0, /* what the call's comment says */
    COORDCONV_INIT_ZEROS = 1,
    COORDCONV_INIT_CONSTANT = 2,  /* every element = value */
    COORDCONV_INIT_HE_NORMAL = 3, /* normal, deviation sqrt(2 / fan_in) (He et al. 2015) */
    COORDCONV_INIT_GLOROT_UNIFORM =
        4 /* uniform, +-sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010) */
};

/**
 * Fill a float tensor from a counter-based generator (Philox4x32-10, key =
 * seed, one counter an element): the same numbers on every platform, whatever
 * the thread count.
 *
 * kind default: zeros. fan_in, fan_out: at least 1 where the formula uses them.
 * Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID or COORDCONV_ERR_DTYPE (neither
 * F32 nor F64).
 */
COORDCONV_API coordconv_status coordconv_tensor_init(coordconv_tensor *tensor, int32_t kind,
                                                     double value, int64_t fan_in, int64_t fan_out,
                                                     uint64_t seed);

/**
 * Fill a float tensor with independent normal numbers, from the generator of
 * coordconv_tensor_init(): element i, counted row-major, depends on seed, stream and i alone.
 * stream tells apart what is drawn from one seed, for example the step of a training; nothing
 * drawn here is drawn for initial weights or permutations. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, a mean or deviation that is not finite, a
 * deviation below 0) or COORDCONV_ERR_DTYPE (neither F32 nor F64).
 */
COORDCONV_API coordconv_status coordconv_tensor_normal(coordconv_tensor *tensor, double mean,
                                                       double deviation, uint64_t seed,
                                                       uint64_t stream);

/**
 * Fill a float tensor with numbers uniform between low and high, never either of the two before
 * they are rounded, in double and to the tensor's type; where the two are equal, with that number.
 * Otherwise as coordconv_tensor_normal(), whose numbers have nothing to do with these. Since 0.1.
 *
 * Returns as coordconv_tensor_normal; COORDCONV_ERR_INVALID for low > high, and where high - low is
 * not finite in double.
 */
COORDCONV_API coordconv_status coordconv_tensor_uniform(coordconv_tensor *tensor, double low,
                                                        double high, uint64_t seed,
                                                        uint64_t stream);

/**
 * Write a random permutation of 0 .. count - 1 to out (Fisher-Yates over
 * Philox4x32-10): the same order on every platform. stream tells apart the
 * permutations drawn from one seed, for example the epoch. Since 0.1.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID (out NULL, count < 0).
 */
COORDCONV_API coordconv_status coordconv_permutation(uint64_t seed, uint64_t stream, int64_t count,
                                                     int64_t *out);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_TENSOR_H */
