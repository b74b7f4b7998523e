/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vae_nets.h - a variational autoencoder (Kingma, Welling 2014) of Sort-of-Clevr images.
 *
 * The pixels' three channels are either full or empty, so their likelihood is
 * Bernoulli, and -loss is the evidence lower bound (ELBO) of an image in nats.
 */
#ifndef EXAMPLES_VAE_NETS_H
#define EXAMPLES_VAE_NETS_H

#include "scene_nets.h"

enum {
    VAE_CODE = 8 /* two positions and two shapes are six numbers */
};

/* All models have the same layers. */
struct vae {
    struct scene_looker encoder;
    struct scene_painter decoder;

    /*
     * Inputs "image" in [-1, 1], "target", the same in [0, 1], and "noise" [N, VAE_CODE]; outputs
     * "loss" = "misfit" + "divergence", nats an image, and "painted", the image of the
     * code that was drawn, in [-1, 1].
     */
    coordconv_model *training;
    coordconv_model *reader;  /* "image" to "code", the mean of its distribution */
    coordconv_model *painter; /* "code" to "image" in [-1, 1]: see scene_judge.h */
};

/* On failure it is empty. */
coordconv_status vae_new(struct vae *vae, coordconv_context *context, int with_coords);
void vae_free(struct vae *vae);

#endif /* EXAMPLES_VAE_NETS_H */
