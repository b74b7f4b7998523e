/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet.h - a residual network of bottlenecks (He, Zhang, Ren, Sun 2015), built
 * from the public API: a net as large as people use, for tests and benchmarks.
 */
#ifndef COORDCONV_TESTS_RESNET_H
#define COORDCONV_TESTS_RESNET_H

#include <coordconv/coordconv.h>

/* What varies. ResNet-50 is { { 3, 4, 6, 3 }, 64, 1000, 0 }. */
struct resnet {
    int32_t blocks[4]; /* of the four stages */
    int32_t width;     /* channels of the stem and of the first stage's bottlenecks */
    int32_t classes;
    uint32_t coords; /* COORDCONV_COORDS_* of the first convolution of each stage and the stem */
};

extern const struct resnet resnet_50;

/* "image" [-1, -1, -1, 3] -> "logits" [-1, classes]. Weights are drawn from the
 * context's seed. An error is in the model's status. */
coordconv_model *resnet_new(coordconv_context *context, const struct resnet *net);

/* Bytes of activations that must be there at once in a fused forward pass, counted by hand: the
 * input of the second stage's first block, its reduction to half the channels, and the 3x3
 * convolution of that, with its stride. */
size_t resnet_most_alive(size_t batch, size_t side, int32_t width);

#endif /* COORDCONV_TESTS_RESNET_H */
