/* SPDX-License-Identifier: BSD-2-Clause
 *
 * channels.h - the coordinates of a layer as channels of what it is applied to.
 */
#ifndef CCONV_OPS_CHANNELS_H
#define CCONV_OPS_CHANNELS_H

#include "ops/op.h"

/* Where images of input 0 lie that lie so; NULL: each is the whole. */
struct cconv_place cconv_channels_place(const struct cconv_app *app,
                                        const struct cconv_place *place);

/* Write coordinates `coords` of an image of input 0 that lies so, side by side, the voxels in the
 * input's order; all threads at work. */
void cconv_channels_fill(const struct cconv_app *app, const struct cconv_place *place,
                         uint32_t coords, cconv_real *to);

#endif /* CCONV_OPS_CHANNELS_H */
