/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_nets.h - nets that halve their grid some times and say where the pixel is.
 *
 * Five convolutions to 32 channels, ReLU after each. The first ones, as many as
 * there are stages, are 3x3 of stride 2 and padding 1; the others are 1x1, so
 * that depth is always the same and nothing but the stages tells neighbours apart.
 * Then two 1x1 convolutions: a map of how much each sample counts, normalised by a
 * softmax, and what each sample says; the answer is the weighted mean. After five
 * stages one sample is left, and the net is the published one.
 */
#ifndef EXAMPLES_DOWNSAMPLE_NETS_H
#define EXAMPLES_DOWNSAMPLE_NETS_H

#include <coordconv/coordconv.h>

enum {
    STAGES = 5,
    CHANNELS = 32
};

/* Which convolutions see coordinates. */
enum where {
    NOWHERE,
    AT_INPUT,      /* the first */
    EVERYWHERE,    /* the five */
    BEHIND_STAGES, /* those that see the output of a stage, so not the first */
    AT_END         /* only the one that says where: place of the sample, and what to add to it */
};

/* What coordinates a sample behind s stages has: it stands on pixel 2^s j. */
enum places {
    CORNERS,    /* from -1 to 1 in each grid, whose last sample is not on the last pixel */
    CELLS,      /* middles of as many cells as there are samples */
    TRUE_PLACES /* those of its pixel */
};

enum start {
    PYTORCH, /* uniform, variance 1 / (3 fan_in), weights and biases */
    HE,      /* normal, variance 2 / fan_in, biases zero */
};

struct design {
    const char *name;
    enum where where;
    enum places places;
    double lit;  /* value of the lit pixel: 32 gives the image unit mean square, as coordinates
                  * nearly have */
    double rate; /* the learning rate it does best with */
    enum start start;
    int from_zero;  /* weights of coordinates begin at 0 */
    int batch_norm; /* behind each of the five */
};

/*
 * Inputs "image" [-1, 32, 32, 1] and "target" [-1, 2]; outputs "xy" [-1, 2] and
 * "loss". The first layer is called "first". Weights depend on the seed alone.
 */
coordconv_status net_new(coordconv_context *context, const struct design *design, int stages,
                         uint64_t seed, coordconv_model **model);

#endif /* EXAMPLES_DOWNSAMPLE_NETS_H */
