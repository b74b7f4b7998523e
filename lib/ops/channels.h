/* SPDX-License-Identifier: BSD-2-Clause
 *
 * channels.h - the coordinates of a layer as channels of an image.
 */
#ifndef CCONV_OPS_CHANNELS_H
#define CCONV_OPS_CHANNELS_H

#include "core/context.h"
#include "core/coords.h"

/* What the channels of an image of height x width show. */
struct cconv_channels {
    uint32_t coords; /* COORDCONV_COORDS_* */
    struct cconv_grid grid;
    struct cconv_place place;
    int64_t height, width;
};

/* Write them side by side, [height, width, channels], all threads at work. */
void cconv_channels_fill(coordconv_context *context, const struct cconv_channels *c,
                         cconv_real *to);

#endif /* CCONV_OPS_CHANNELS_H */
