/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tensor.h - what a coordconv_tensor holds.
 */
#ifndef CCONV_CORE_TENSOR_H
#define CCONV_CORE_TENSOR_H

#include <stdatomic.h>

#include <coordconv/tensor.h>

#include "base/real.h"
#include "core/context.h"
#include "core/shape.h"

/* Memory shared by a tensor and its views. */
struct cconv_storage {
    atomic_int references;
    coordconv_context *context; /* reference held */
    void *data;
    size_t bytes;                 /* of owned memory; 0 when borrowed */
    coordconv_release_fn release; /* of borrowed memory; may be NULL */
    void *release_user;
    atomic_uint_fast64_t version; /* moves with every write the library knows of */
};

struct coordconv_tensor {
    atomic_int references;
    struct cconv_storage *storage; /* reference held */
    char *data;                    /* element at index 0 of every axis */
    int32_t dtype;
    struct cconv_shape shape;
    int64_t stride[COORDCONV_MAX_NDIM]; /* in elements */
};

static inline coordconv_context *cconv_tensor_context(const coordconv_tensor *t)
{
    return t->storage->context;
}

/* Say that the elements have changed: plans pack their copies of weights anew. */
static inline void cconv_tensor_touch(coordconv_tensor *t)
{
    atomic_fetch_add_explicit(&t->storage->version, 1, memory_order_release);
}

static inline uint64_t cconv_tensor_version(const coordconv_tensor *t)
{
    return atomic_load_explicit(&t->storage->version, memory_order_acquire);
}

/* Elements of a row-major tensor of the type models compute in. */
static inline cconv_real *cconv_tensor_reals(const coordconv_tensor *t)
{
    return (cconv_real *)(void *)t->data;
}

/* coordconv_tensor_copy without the checks. Either may be a struct made up on the
 * stack, with storage NULL: data, dtype, shape and strides are all that is read. */
void cconv_tensor_copy_elements(coordconv_tensor *dst, const coordconv_tensor *src);

/* The same by all threads of a context. Not from within a task. */
void cconv_tensor_copy_parallel(coordconv_context *context, coordconv_tensor *dst,
                                const coordconv_tensor *src);

/* coordconv_tensor_init with a random stream of its own: the same seed gives
 * other numbers for each stream; the public function uses stream 0. */
coordconv_status cconv_tensor_draw(coordconv_tensor *tensor, int32_t kind, double value,
                                   int64_t fan_in, int64_t fan_out, uint64_t seed, uint64_t stream);

/* 1 if the memory between the first and last element of the two has bytes in common. */
int cconv_tensor_overlap(const coordconv_tensor *a, const coordconv_tensor *b);

/* 1 if two elements may lie in one place: some stride does not reach past all that lies within. */
int cconv_tensor_overlaps_itself(const coordconv_tensor *tensor);

/* 1 if the elements lie row-major without gaps. */
int cconv_tensor_is_row_major(const coordconv_tensor *tensor);

#endif /* CCONV_CORE_TENSOR_H */
