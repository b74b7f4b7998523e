/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tensor_copy.c - moving elements between tensors of any strides and types.
 *
 * The axes of both tensors are first put in the order in which they lie in the
 * destination, and neighbours that form one run in both are merged. What
 * remains, often one axis, is walked run by run.
 */
#include <inttypes.h>
#include <string.h>

#include "core/tensor.h"

/* Two tensors of one shape as nested loops, outermost first; strides in elements. */
struct walk {
    int32_t ndim;
    int64_t dim[COORDCONV_MAX_NDIM];
    int64_t dst[COORDCONV_MAX_NDIM];
    int64_t src[COORDCONV_MAX_NDIM];
};

static void walk_insert(struct walk *w, int64_t dim, int64_t dst, int64_t src)
{
    int32_t at = w->ndim++;

    for (; at > 0 && w->dst[at - 1] < dst; at--) {
        w->dim[at] = w->dim[at - 1];
        w->dst[at] = w->dst[at - 1];
        w->src[at] = w->src[at - 1];
    }
    w->dim[at] = dim;
    w->dst[at] = dst;
    w->src[at] = src;
}

static void walk_merge(struct walk *w)
{
    int32_t kept = 0; /* the axis the next may become part of */

    for (int32_t i = 1; i < w->ndim; i++) {
        if (w->dst[kept] == w->dst[i] * w->dim[i] && w->src[kept] == w->src[i] * w->dim[i]) {
            w->dim[kept] *= w->dim[i];
        } else {
            kept++;
            w->dim[kept] = w->dim[i];
        }
        w->dst[kept] = w->dst[i];
        w->src[kept] = w->src[i];
    }
    w->ndim = kept + 1;
}

/* Runs shorter than this cost more to begin than to walk. */
#define SHORT_RUN 16

/* Few channels side by side: go along the pixels instead, once a channel. */
static void walk_lengthen(struct walk *w)
{
    const int32_t a = w->ndim - 2, b = w->ndim - 1;
    const int64_t dim = w->dim[b], dst = w->dst[b], src = w->src[b];

    if (a < 0 || dim >= SHORT_RUN || dim >= w->dim[a])
        return;
    w->dim[b] = w->dim[a];
    w->dst[b] = w->dst[a];
    w->src[b] = w->src[a];
    w->dim[a] = dim;
    w->dst[a] = dst;
    w->src[a] = src;
}

/* At least one axis comes out, so that every walk has an innermost loop. */
static void walk_init(struct walk *w, const coordconv_tensor *dst, const coordconv_tensor *src)
{
    w->ndim = 0;
    for (int32_t i = 0; i < dst->shape.ndim; i++) {
        if (dst->shape.dim[i] != 1)
            walk_insert(w, dst->shape.dim[i], dst->stride[i], src->stride[i]);
    }
    if (w->ndim == 0)
        walk_insert(w, 1, 1, 1);
    walk_merge(w);
    walk_lengthen(w);
}

/* Go to the next run: outer is every axis but the innermost. 0 at the end. */
static int walk_next(const struct walk *w, int64_t index[COORDCONV_MAX_NDIM], int64_t *dst,
                     int64_t *src)
{
    for (int32_t i = w->ndim - 2; i >= 0; i--) {
        *dst += w->dst[i];
        *src += w->src[i];
        if (++index[i] < w->dim[i])
            return 1;
        index[i] = 0;
        *dst -= w->dim[i] * w->dst[i];
        *src -= w->dim[i] * w->src[i];
    }
    return 0;
}

/* Values on their way: of float types as double, of integer types as int64_t,
 * so that neither loses anything before the one conversion to the destination. */
union value {
    double real;
    int64_t integer;
};

#define CHUNK 128

static int is_float(int32_t dtype)
{
    return dtype == COORDCONV_F32 || dtype == COORDCONV_F64;
}

#define LOAD(type, member)                                                                         \
    do {                                                                                           \
        const type *s = (const type *)src;                                                         \
        for (int64_t i = 0; i < n; i++)                                                            \
            values[i].member = s[i * stride];                                                      \
    } while (0)

static void load(int32_t dtype, int64_t n, const void *src, int64_t stride, union value *values)
{
    switch (dtype) {
    case COORDCONV_F32:
        LOAD(float, real);
        break;
    case COORDCONV_F64:
        LOAD(double, real);
        break;
    case COORDCONV_I32:
        LOAD(int32_t, integer);
        break;
    case COORDCONV_I64:
        LOAD(int64_t, integer);
        break;
    default:
        assert(dtype == COORDCONV_U8);
        LOAD(uint8_t, integer);
    }
}

#define STORE(type, expression)                                                                    \
    do {                                                                                           \
        type *d = (type *)dst;                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            d[i * stride] = (type)(expression);                                                    \
    } while (0)

/* The integer next to v towards zero, within least .. most; a NaN is 0. most + 1.0 is a power
 * of two, and double has it exactly even where it has not most itself. */
static int64_t saturate_real(double v, int64_t least, int64_t most)
{
    if (v >= (double)most + 1.0)
        return most;
    if (v <= (double)least)
        return least;
    return v == v ? (int64_t)v : 0;
}

static int64_t saturate_integer(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static void store_reals(int32_t dtype, int64_t n, const union value *values, void *dst,
                        int64_t stride)
{
    switch (dtype) {
    case COORDCONV_F32:
        STORE(float, values[i].real);
        break;
    case COORDCONV_F64:
        STORE(double, values[i].real);
        break;
    case COORDCONV_I32:
        STORE(int32_t, saturate_real(values[i].real, INT32_MIN, INT32_MAX));
        break;
    case COORDCONV_I64:
        STORE(int64_t, saturate_real(values[i].real, INT64_MIN, INT64_MAX));
        break;
    default:
        assert(dtype == COORDCONV_U8);
        STORE(uint8_t, saturate_real(values[i].real, 0, UINT8_MAX));
    }
}

static void store_integers(int32_t dtype, int64_t n, const union value *values, void *dst,
                           int64_t stride)
{
    switch (dtype) {
    case COORDCONV_F32:
        STORE(float, values[i].integer);
        break;
    case COORDCONV_F64:
        STORE(double, values[i].integer);
        break;
    case COORDCONV_I32:
        STORE(int32_t, saturate_integer(values[i].integer, INT32_MIN, INT32_MAX));
        break;
    case COORDCONV_I64:
        STORE(int64_t, values[i].integer);
        break;
    default:
        assert(dtype == COORDCONV_U8);
        STORE(uint8_t, saturate_integer(values[i].integer, 0, UINT8_MAX));
    }
}

/* One run from one type to another. */
static void convert(int32_t dst_type, char *dst, int64_t dst_stride, int32_t src_type,
                    const char *src, int64_t src_stride, int64_t n)
{
    const int64_t dst_step = dst_stride * (int64_t)coordconv_dtype_size(dst_type);
    const int64_t src_step = src_stride * (int64_t)coordconv_dtype_size(src_type);
    union value values[CHUNK];

    for (int64_t at = 0; at < n; at += CHUNK) {
        const int64_t count = CCONV_MIN(n - at, CHUNK);

        load(src_type, count, src + at * src_step, src_stride, values);
        if (is_float(src_type))
            store_reals(dst_type, count, values, dst + at * dst_step, dst_stride);
        else
            store_integers(dst_type, count, values, dst + at * dst_step, dst_stride);
    }
}

#define MOVE(type)                                                                                 \
    do {                                                                                           \
        const type *s = (const type *)(const void *)src;                                           \
        type *d = (type *)(void *)dst;                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            d[i * dst_stride] = s[i * src_stride];                                                 \
    } while (0)

/* One run between equal types, as bits: a NaN keeps its payload. */
static void move(size_t element, char *dst, int64_t dst_stride, const char *src, int64_t src_stride,
                 int64_t n)
{
    if (dst_stride == 1 && src_stride == 1)
        memmove(dst, src, (size_t)n * element);
    else if (element == 1)
        MOVE(uint8_t);
    else if (element == 4)
        MOVE(uint32_t);
    else
        MOVE(uint64_t);
}

void cconv_tensor_copy_elements(coordconv_tensor *dst, const coordconv_tensor *src)
{
    const size_t dst_size = coordconv_dtype_size(dst->dtype);
    const size_t src_size = coordconv_dtype_size(src->dtype);
    int64_t index[COORDCONV_MAX_NDIM] = { 0 };
    int64_t to = 0, from = 0;
    struct walk w;

    if (dst->storage != NULL)
        cconv_tensor_touch(dst);
    if (cconv_shape_count(&dst->shape) == 0)
        return;
    walk_init(&w, dst, src);

    const int32_t inner = w.ndim - 1;

    do {
        char *d = dst->data + to * (int64_t)dst_size;
        const char *s = src->data + from * (int64_t)src_size;

        if (dst->dtype == src->dtype)
            move(dst_size, d, w.dst[inner], s, w.src[inner], w.dim[inner]);
        else
            convert(dst->dtype, d, w.dst[inner], src->dtype, s, w.src[inner], w.dim[inner]);
    } while (walk_next(&w, index, &to, &from));
}

coordconv_status coordconv_tensor_copy(coordconv_tensor *dst, const coordconv_tensor *src)
{
    struct cconv_shape_text to, from;

    if (dst == NULL || src == NULL)
        return cconv_fail(dst != NULL ? &cconv_tensor_context(dst)->log : NULL,
                          COORDCONV_ERR_INVALID, "copy: %s is NULL", dst == NULL ? "dst" : "src");
    if (!cconv_shape_equal(&dst->shape, &src->shape))
        return cconv_fail(&cconv_tensor_context(dst)->log, COORDCONV_ERR_SHAPE,
                          "copy: shape %s into shape %s", cconv_shape_print(&src->shape, &from),
                          cconv_shape_print(&dst->shape, &to));
    cconv_tensor_copy_elements(dst, src);
    return COORDCONV_OK;
}

/* A fill is a copy from one element that all indices share. */
coordconv_status coordconv_tensor_fill(coordconv_tensor *tensor, double value)
{
    uint64_t element[1]; /* room and alignment for any type */
    union value given = { .real = value };
    coordconv_tensor single;

    if (tensor == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "fill: tensor is NULL");
    store_reals(tensor->dtype, 1, &given, element, 1);
    single.data = (char *)element;
    single.dtype = tensor->dtype;
    single.shape = tensor->shape;
    single.storage = NULL;
    memset(single.stride, 0, sizeof single.stride);
    cconv_tensor_copy_elements(tensor, &single);
    return COORDCONV_OK;
}
