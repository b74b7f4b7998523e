/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv.h - geometry shared by the operations of convolutions.
 */
#ifndef CCONV_OPS_CONV_H
#define CCONV_OPS_CONV_H

#include "ops/corr.h"
#include "ops/layer.h"

/* The two maps a (transposed) convolution is the sum of: data and coordinates,
 * the latter over a batch of one. */
struct cconv_conv_geometry {
    struct cconv_corr data;
    struct cconv_corr coords;   /* only when coord_channels is not 0 */
    size_t coord_weights;       /* elements from the layer's weight to its coordinate part */
    size_t channel_weights;     /* elements from an input channel of the weight to the next */
    size_t in_image, out_image; /* elements of one image; coordinates not counted */
    size_t coord_image;         /* elements of the coordinate channels */
    size_t pixels;              /* output pixels of one image */
};

/* Of an application's input or output [N, H, W, C], also where it is a line [N, L, C]; of a volume
 * a slice of each. */
struct cconv_shape cconv_conv_image(const struct cconv_app *app, const struct cconv_shape *s);

/* Big and small image along one axis (0 y, 1 x, 2 z), SAME pads filled in. */
struct cconv_window cconv_conv_window(const struct cconv_conv_attr *a, int axis, int64_t in);

/* The hooks of op.h. The output's depth is left to volumes. */
coordconv_status cconv_conv_infer(struct cconv_app *app);
int cconv_conv_carry(const struct cconv_app *app, const struct cconv_place *in,
                     struct cconv_place *out);

/* From attributes and input shape; app->out must be known. Of a volume: slices, as if its kernel
 * had no depth. */
void cconv_conv_geometry(const struct cconv_app *app, struct cconv_conv_geometry *g);

/* Elements of one kernel plane, and of the planes of a volume's kernel. */
static inline size_t cconv_conv_plane(const struct cconv_conv_attr *a)
{
    return (size_t)a->kernel[0] * (size_t)a->kernel[1];
}

static inline size_t cconv_conv_taps(const struct cconv_conv_attr *a)
{
    return cconv_conv_plane(a) * (a->volume ? (size_t)a->kernel[2] : 1);
}

#endif /* CCONV_OPS_CONV_H */
