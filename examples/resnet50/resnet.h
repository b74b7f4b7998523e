/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet.h - a residual network of bottlenecks (He, Zhang, Ren, Sun 2015), its
 * layers named as in a state dict of torchvision, and if wanted with the CoordConv
 * layer that the CoordConv paper put before it.
 *
 * As there, a bottleneck's stride is that of its 3x3 convolution.
 */
#ifndef EXAMPLES_RESNET_H
#define EXAMPLES_RESNET_H

#include <coordconv/coordconv.h>

/* What varies. ResNet-50 is { { 3, 4, 6, 3 }, 64, 1000 }. */
struct resnet {
    int32_t blocks[4]; /* of the four stages */
    int32_t width;     /* channels of the stem and of the first stage's bottlenecks */
    int32_t classes;
    uint32_t coords; /* COORDCONV_COORDS_* of the first convolution of each stage and the stem */

    /*
     * Channels of a 1x1 convolution "coordconv" with coordinates and a bias before the stem; 0:
     * none. How it is coupled is not published; here nothing stands between it and the stem.
     * The coordinates are those of the convention, all that it has; NULL: our own, with radius.
     */
    int32_t extra;
    const coordconv_convention_desc *convention;
};

extern const struct resnet resnet_50;

/* The channels of the paper's extra layer. */
enum {
    RESNET_EXTRA = 8
};

/* "image" [-1, -1, -1, 3] -> "logits" [-1, classes], which *logits (may be NULL) becomes. Weights
 * are drawn from the context's seed. An error is in the model's status; NULL: no memory. */
coordconv_model *resnet_new(coordconv_context *context, const struct resnet *net,
                            coordconv_value *logits);

/* Bytes of activations that must be there at once in a fused forward pass, counted by hand: the
 * input of the second stage's first block, its reduction to half the channels, and the 3x3
 * convolution of that, with its stride. */
size_t resnet_most_alive(size_t batch, size_t side, int32_t width);

#endif /* EXAMPLES_RESNET_H */
