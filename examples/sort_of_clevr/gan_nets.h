/* SPDX-License-Identifier: BSD-2-Clause
 *
 * gan_nets.h - a generative adversarial network (Goodfellow et al. 2014) of Sort-of-Clevr images.
 *
 * The paper's two: a generator of transposed convolutions with a plain
 * discriminator, and one of coordinates with a discriminator that sees
 * coordinates beside the image. Both generators end in tanh.
 */
#ifndef EXAMPLES_GAN_NETS_H
#define EXAMPLES_GAN_NETS_H

#include "scene_nets.h"

enum {
    GAN_CODE = 32
};

struct gan {
    struct scene_painter generator;
    struct scene_looker discriminator;

    /*
     * The generator behind which the discriminator stands, to train the former. Inputs "code",
     * "noise" [N, side, side, 3] and "one", ones [N, 1]; outputs "loss", and "image" with the
     * noise added, as the discriminator sees it.
     */
    coordconv_model *deceiving;

    /* The discriminator. Inputs "real", "fake", "one" and "zero"; output "loss". */
    coordconv_model *discerning;

    coordconv_model *painter; /* "code" to "image" in [-1, 1]: see scene_judge.h */
};

/* On failure it is empty. */
coordconv_status gan_new(struct gan *gan, coordconv_context *context, int with_coords);
void gan_free(struct gan *gan);

#endif /* EXAMPLES_GAN_NETS_H */
