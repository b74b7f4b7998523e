/* SPDX-License-Identifier: BSD-2-Clause
 *
 * shape.h - the extents of a tensor, passed by pointer inside the library.
 */
#ifndef CCONV_CORE_SHAPE_H
#define CCONV_CORE_SHAPE_H

#include <coordconv/base.h>

#include "base/report.h"

struct cconv_shape {
    int32_t ndim;
    int64_t dim[COORDCONV_MAX_NDIM];
};

/* A shape as text, "[2, 3]", for messages. */
struct cconv_shape_text {
    char text[160];
};

/* Copy caller's extents after checking them: ndim 0 .. COORDCONV_MAX_NDIM, each
 * extent least .. 2^31 - 1, element count x 8 within ptrdiff_t. */
coordconv_status cconv_shape_read(const struct cconv_log *log, const char *what, int32_t ndim,
                                  const int64_t *dims, int64_t least, struct cconv_shape *out);

/* Number of elements; SIZE_MAX if it overflows. */
size_t cconv_shape_count(const struct cconv_shape *shape);

/* Product of the extents of axes first .. last - 1. */
size_t cconv_shape_span(const struct cconv_shape *shape, int32_t first, int32_t last);

/* Row-major strides in elements; room for shape->ndim. */
void cconv_shape_strides(const struct cconv_shape *shape, int64_t *stride);

/* How far apart neighbours of an axis lie, either way, and how many there are. */
struct cconv_extent {
    size_t stride, count;
};

/* SIZE_MAX for the stride that has no absolute value. */
struct cconv_extent cconv_extent(int64_t stride, int64_t count);

/* The distance of the elements furthest apart, SIZE_MAX if it overflows. 1 unless all that lies
 * within each stride ends before it: then no two elements are in one place. Orders the axes. */
int cconv_extents_overlap(struct cconv_extent *axes, int32_t n, size_t *reach);

int cconv_shape_equal(const struct cconv_shape *a, const struct cconv_shape *b);

/* Fills *buffer and returns its text. */
const char *cconv_shape_print(const struct cconv_shape *shape, struct cconv_shape_text *buffer);

#endif /* CCONV_CORE_SHAPE_H */
