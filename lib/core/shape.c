/* SPDX-License-Identifier: BSD-2-Clause
 *
 * shape.c - the extents of a tensor: checks, products, text.
 */
#include "core/shape.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/checked.h"

/* Elements of the smallest shape without empty axes around this one. Row-major
 * strides and offsets are products of these extents, so they fit as well. */
static size_t bounding_count(int32_t ndim, const int64_t *dims)
{
    size_t count = 1;

    for (int32_t i = 0; i < ndim; i++)
        count = cconv_size_mul(count, (size_t)CCONV_MAX(dims[i], 1));
    return count;
}

coordconv_status cconv_shape_read(const struct cconv_log *log, const char *what, int32_t ndim,
                                  const int64_t *dims, int64_t least, struct cconv_shape *out)
{
    struct cconv_shape shape = { .ndim = ndim };
    struct cconv_shape_text text;

    if (ndim < 0 || ndim > COORDCONV_MAX_NDIM)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %" PRId32 " axes, 0 to %d are possible",
                          what, ndim, COORDCONV_MAX_NDIM);
    if (ndim > 0 && dims == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: shape is NULL", what);
    for (int32_t i = 0; i < ndim; i++) {
        if (dims[i] < least || dims[i] > INT32_MAX)
            return cconv_fail(log, COORDCONV_ERR_SHAPE,
                              "%s: extent %" PRId64 " of axis %" PRId32 " is not in %" PRId64
                              " .. %" PRId32,
                              what, dims[i], i, least, INT32_MAX);
        shape.dim[i] = dims[i];
    }
    if (cconv_size_mul(bounding_count(ndim, dims), 8) > PTRDIFF_MAX)
        return cconv_fail(log, COORDCONV_ERR_SHAPE, "%s: shape %s is too large to address", what,
                          cconv_shape_print(&shape, &text));
    *out = shape;
    return COORDCONV_OK;
}

size_t cconv_shape_count(const struct cconv_shape *shape)
{
    return cconv_shape_span(shape, 0, shape->ndim);
}

size_t cconv_shape_span(const struct cconv_shape *shape, int32_t first, int32_t last)
{
    size_t count = 1;

    for (int32_t i = first; i < last; i++)
        count = cconv_size_mul(count, (size_t)shape->dim[i]);
    return count;
}

struct cconv_extent cconv_extent(int64_t stride, int64_t count)
{
    const size_t apart =
        stride == INT64_MIN ? SIZE_MAX : cconv_size_from(stride < 0 ? -stride : stride);

    return (struct cconv_extent){ apart, cconv_size_from(count) };
}

/* By stride, the least first. */
static void sort(struct cconv_extent *axes, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        const struct cconv_extent e = axes[i];
        int32_t at = i;

        for (; at > 0 && axes[at - 1].stride > e.stride; at--)
            axes[at] = axes[at - 1];
        axes[at] = e;
    }
}

int cconv_extents_overlap(struct cconv_extent *axes, int32_t n, size_t *reach)
{
    int overlap = 0;

    sort(axes, n);
    *reach = 0;
    for (int32_t i = 0; i < n; i++) {
        overlap |= axes[i].count > 1 && axes[i].stride <= *reach;
        *reach = cconv_size_add(*reach, cconv_size_mul(axes[i].stride, axes[i].count - 1));
    }
    return overlap;
}

int cconv_shape_equal(const struct cconv_shape *a, const struct cconv_shape *b)
{
    if (a->ndim != b->ndim)
        return 0;
    for (int32_t i = 0; i < a->ndim; i++) {
        if (a->dim[i] != b->dim[i])
            return 0;
    }
    return 1;
}

const char *cconv_shape_print(const struct cconv_shape *shape, struct cconv_shape_text *buffer)
{
    const size_t room = sizeof buffer->text; /* eight of the longest int64 and commas would not fit,
                                              * but extents have 10 digits at most */
    size_t at = (size_t)snprintf(buffer->text, room, "[");

    for (int32_t i = 0; i < shape->ndim && at < room; i++)
        at += (size_t)snprintf(buffer->text + at, room - at, "%s%" PRId64, i == 0 ? "" : ", ",
                               shape->dim[i]);
    if (at < room)
        snprintf(buffer->text + at, room - at, "]");
    return buffer->text;
}

void cconv_shape_strides(const struct cconv_shape *shape, int64_t *stride)
{
    int64_t step = 1;

    for (int32_t i = shape->ndim - 1; i >= 0; i--) {
        stride[i] = step;
        step *= CCONV_MAX(shape->dim[i], 1);
    }
}
