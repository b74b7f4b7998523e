/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tensor_copy.c - moving elements between tensors of any strides and types.
 *
 * The axes of both tensors are first put in the order in which they lie in the
 * destination, and neighbours that form one run in both are merged. What
 * remains, often one axis, is walked run by run. Where the innermost axes of the
 * two differ (channels first to last, or back), what the two span is a matrix
 * that is turned whole.
 */
#include <inttypes.h>
#include <string.h>

#include "core/tensor.h"
#include "kernels/turn.h"

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
static void walk_make(struct walk *w, const coordconv_tensor *dst, const coordconv_tensor *src)
{
    w->ndim = 0;
    for (int32_t i = 0; i < dst->shape.ndim; i++) {
        if (dst->shape.dim[i] != 1)
            walk_insert(w, dst->shape.dim[i], dst->stride[i], src->stride[i]);
    }
    if (w->ndim == 0)
        walk_insert(w, 1, 1, 1);
    walk_merge(w);
}

/* Put the axis along which src lies side by side next to the innermost, along which dst does;
 * 0 if there are no two such axes. */
static int walk_matrix(struct walk *w)
{
    const int32_t b = w->ndim - 1;
    int32_t a = 0;

    while (a < b && w->src[a] != 1)
        a++;
    if (a == b || w->dst[b] != 1)
        return 0;

    const int64_t dim = w->dim[a], dst = w->dst[a], src = w->src[a];

    for (; a < b - 1; a++) {
        w->dim[a] = w->dim[a + 1];
        w->dst[a] = w->dst[a + 1];
        w->src[a] = w->src[a + 1];
    }
    w->dim[a] = dim;
    w->dst[a] = dst;
    w->src[a] = src;
    return 1;
}

/* Go to the next run: outer axes are the first `outer`. 0 at the end. */
static int walk_next(const struct walk *w, int32_t outer, int64_t index[COORDCONV_MAX_NDIM],
                     int64_t *dst, int64_t *src)
{
    for (int32_t i = outer - 1; i >= 0; i--) {
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

#define CAST(dst_element, src_element)                                                             \
    do {                                                                                           \
        const src_element *s = (const src_element *)(const void *)src;                             \
        dst_element *d = (dst_element *)(void *)dst;                                               \
        if (dst_stride == 1 && src_stride == 1) {                                                  \
            for (int64_t i = 0; i < n; i++)                                                        \
                d[i] = (dst_element)s[i];                                                          \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                d[i * dst_stride] = (dst_element)s[i * src_stride];                                \
        }                                                                                          \
    } while (0)

#define CAST_FROM(src_element)                                                                     \
    do {                                                                                           \
        if (dst_type == COORDCONV_F32)                                                             \
            CAST(float, src_element);                                                              \
        else                                                                                       \
            CAST(double, src_element);                                                             \
    } while (0)

/* One run to floats from any type: C's own conversion is the one wanted. */
static void convert_to_float(int32_t dst_type, char *dst, int64_t dst_stride, int32_t src_type,
                             const char *src, int64_t src_stride, int64_t n)
{
    switch (src_type) {
    case COORDCONV_F32:
        CAST_FROM(float);
        break;
    case COORDCONV_F64:
        CAST_FROM(double);
        break;
    case COORDCONV_I32:
        CAST_FROM(int32_t);
        break;
    case COORDCONV_I64:
        CAST_FROM(int64_t);
        break;
    default:
        assert(src_type == COORDCONV_U8);
        CAST_FROM(uint8_t);
    }
}

/* One run from one type to another. */
static void convert(int32_t dst_type, char *dst, int64_t dst_stride, int32_t src_type,
                    const char *src, int64_t src_stride, int64_t n)
{
    const int64_t dst_step = dst_stride * (int64_t)coordconv_dtype_size(dst_type);
    const int64_t src_step = src_stride * (int64_t)coordconv_dtype_size(src_type);
    union value values[CHUNK];

    if (is_float(dst_type)) {
        convert_to_float(dst_type, dst, dst_stride, src_type, src, src_stride, n);
        return;
    }
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

/* A copy under way, or one part of it. */
struct copy {
    int32_t dst_type, src_type;
    char *dst;
    const char *src;
    struct walk walk;
    int matrix;    /* the last two axes are one, to be turned */
    int32_t split; /* the axis that is cut into parts */
    int64_t part;  /* indices of a part */
};

/* From another type: pieces are converted first, still unturned, in cache. */
static void convert_matrix(const struct copy *c, char *dst, const char *src)
{
    enum {
        COLUMNS = 16
    };
    const struct walk *w = &c->walk;
    const int32_t a = w->ndim - 2, b = w->ndim - 1;
    const int64_t src_size = (int64_t)coordconv_dtype_size(c->src_type);
    uint32_t piece[COLUMNS][CHUNK];

    for (int64_t r = 0; r < w->dim[a]; r += CHUNK) {
        const int64_t rows = CCONV_MIN(w->dim[a] - r, CHUNK);

        for (int64_t k = 0; k < w->dim[b]; k += COLUMNS) {
            const int64_t columns = CCONV_MIN(w->dim[b] - k, COLUMNS);

            for (int64_t i = 0; i < columns; i++)
                convert(c->dst_type, (char *)piece[i], 1, c->src_type,
                        src + (r + (k + i) * w->src[b]) * src_size, 1, rows);
            cconv_turn_32((size_t)rows, (size_t)columns, piece[0], CHUNK,
                          (uint32_t *)(void *)dst + r * w->dst[a] + k, (ptrdiff_t)w->dst[a]);
        }
    }
}

static void copy_matrix(const struct copy *c, char *dst, const char *src)
{
    const struct walk *w = &c->walk;
    const int32_t a = w->ndim - 2, b = w->ndim - 1;

    if (c->dst_type != c->src_type) {
        convert_matrix(c, dst, src);
        return;
    }
    cconv_turn_32((size_t)w->dim[a], (size_t)w->dim[b], (const uint32_t *)(const void *)src,
                  (ptrdiff_t)w->src[b], (uint32_t *)(void *)dst, (ptrdiff_t)w->dst[a]);
}

static void copy_run(const struct copy *c, char *dst, const char *src)
{
    const struct walk *w = &c->walk;
    const int32_t inner = w->ndim - 1;

    if (c->matrix)
        copy_matrix(c, dst, src);
    else if (c->dst_type == c->src_type)
        move(coordconv_dtype_size(c->dst_type), dst, w->dst[inner], src, w->src[inner],
             w->dim[inner]);
    else
        convert(c->dst_type, dst, w->dst[inner], c->src_type, src, w->src[inner], w->dim[inner]);
}

static void copy_all(const struct copy *c)
{
    const int64_t dst_size = (int64_t)coordconv_dtype_size(c->dst_type);
    const int64_t src_size = (int64_t)coordconv_dtype_size(c->src_type);
    int64_t index[COORDCONV_MAX_NDIM] = { 0 };
    int64_t to = 0, from = 0;

    do {
        copy_run(c, c->dst + to * dst_size, c->src + from * src_size);
    } while (walk_next(&c->walk, c->walk.ndim - 1 - c->matrix, index, &to, &from));
}

/* 0 if there is nothing to copy. */
static int copy_make(struct copy *c, coordconv_tensor *dst, const coordconv_tensor *src)
{
    if (dst->storage != NULL)
        cconv_tensor_touch(dst);
    if (cconv_shape_count(&dst->shape) == 0)
        return 0;
    *c = (struct copy){
        .dst_type = dst->dtype, .src_type = src->dtype, .dst = dst->data, .src = src->data
    };
    walk_make(&c->walk, dst, src);
    c->matrix = coordconv_dtype_size(dst->dtype) == 4 && walk_matrix(&c->walk);
    if (!c->matrix)
        walk_lengthen(&c->walk);
    return 1;
}

void cconv_tensor_copy_elements(coordconv_tensor *dst, const coordconv_tensor *src)
{
    struct copy c;

    if (copy_make(&c, dst, src))
        copy_all(&c);
}

/* Elements worth a task: some ten microseconds. Parts of a matrix begin at whole blocks. */
enum {
    PART_ELEMENTS = 128 * 1024,
    PART_MULTIPLE = 16
};

static void copy_part(void *arg, size_t task, size_t slot)
{
    struct copy c = *(const struct copy *)arg;
    const int64_t first = (int64_t)task * c.part;
    int64_t *dim = &c.walk.dim[c.split];

    (void)slot;
    *dim = CCONV_MIN(c.part, *dim - first);
    c.dst += first * c.walk.dst[c.split] * (int64_t)coordconv_dtype_size(c.dst_type);
    c.src += first * c.walk.src[c.split] * (int64_t)coordconv_dtype_size(c.src_type);
    copy_all(&c);
}

void cconv_tensor_copy_parallel(coordconv_context *context, coordconv_tensor *dst,
                                const coordconv_tensor *src)
{
    struct copy c;
    int64_t slice;

    if (!copy_make(&c, dst, src))
        return;
    for (int32_t i = 1; i < c.walk.ndim; i++) {
        if (c.walk.dim[i] > c.walk.dim[c.split])
            c.split = i;
    }
    slice = (int64_t)cconv_shape_count(&dst->shape) / c.walk.dim[c.split];
    c.part = CCONV_MAX(PART_ELEMENTS / slice, 1);
    c.part = (c.part + PART_MULTIPLE - 1) / PART_MULTIPLE * PART_MULTIPLE;
    cconv_parallel_run(&context->parallel, copy_part, &c,
                       (size_t)((c.walk.dim[c.split] + c.part - 1) / c.part));
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
    if (cconv_tensor_overlaps_itself(dst))
        return cconv_fail(&cconv_tensor_context(dst)->log, COORDCONV_ERR_INVALID,
                          "copy: elements of dst, of shape %s, share their places",
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
