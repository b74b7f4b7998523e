/* SPDX-License-Identifier: BSD-2-Clause
 *
 * append.h - a call of coordconv_append, checked and spelt out.
 */
#ifndef CCONV_CORE_APPEND_H
#define CCONV_CORE_APPEND_H

#include <coordconv/pixels.h>

#include "core/coords.h"
#include "kernels/pixels.h"

struct cconv_append {
    /* The image. unpack has all but from, to and n; data is NULL where none is written. */
    const unsigned char *data;
    int64_t row_stride, plane_stride; /* bytes */
    size_t height, width, value_bytes;
    int planar, is_float;
    struct cconv_unpack unpack;

    /* Coordinates: count is 0 where none are written. */
    const coordconv_channel *channels;
    size_t count;
    coordconv_channel usual[3]; /* what channels points to without a list */
    struct cconv_grid grid;
    struct cconv_place place;
    struct cconv_axis along_y, along_x;
    double most; /* radius */
    double center_y, center_x, focal_y, focal_x;

    /* The result. */
    float *dst;
    int64_t to_channel, to_row, to_column;
    size_t data_at, coords_at; /* first channels of both */
};

/* Everything but kernels: checks and resolves the arguments of coordconv_append. */
coordconv_status cconv_append_read(const struct cconv_log *log, const coordconv_pixels_desc *pixels,
                                   const coordconv_append_desc *desc, float *dst, size_t count,
                                   struct cconv_append *out);

/* Fill in *w but for its rows, if the result is made of these channels alone, side by side, and the
 * pixels are bytes side by side. Else returns 0. */
int cconv_append_weave(const struct cconv_append *a, struct cconv_weave *w);

/* Channels that are written. */
static inline size_t cconv_append_written(const struct cconv_append *a)
{
    return a->count + (a->data != NULL ? a->unpack.channels : 0);
}

#endif /* CCONV_CORE_APPEND_H */
