/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vae_nets.c - a variational autoencoder of Sort-of-Clevr images.
 */
#include "vae_nets.h"

#include <string.h>

/* The paper gives no architecture. Widths are such that both nets have about as many parameters. */
static void choose_sizes(struct vae *vae, int with_coords)
{
    vae->encoder = (struct scene_looker){ .with_coords = with_coords,
                                          .heads = 2,
                                          .out = VAE_CODE,
                                          .kernel = 3,
                                          .widths = { 16, 32, 64 } };
    if (with_coords)
        vae->decoder = (struct scene_painter){ .with_coords = 1,
                                               .code = VAE_CODE,
                                               .kernel = 3,
                                               .widths = { 64, 64, 64, 32, 32 },
                                               .pixelwise = 3 };
    else
        vae->decoder =
            (struct scene_painter){ .code = VAE_CODE, .kernel = 3, .widths = { 48, 32, 32 } };
}

static coordconv_value add_input(coordconv_model *m, const char *name)
{
    const int64_t image[4] = { -1, SCENE_SIDE, SCENE_SIDE, 3 };

    return coordconv_model_input(m, name, COORDCONV_F32, 4, image);
}

static coordconv_value add_code(coordconv_model *m, const char *name)
{
    const int64_t code[2] = { -1, VAE_CODE };

    return coordconv_model_input(m, name, COORDCONV_F32, 2, code);
}

/* 2 sigmoid(x) - 1. */
static coordconv_value to_image(coordconv_model *m, coordconv_value logits)
{
    return coordconv_model_tanh(m, coordconv_model_scale(m, logits, 0.5));
}

static void build_training(const struct vae *vae)
{
    coordconv_model *m = vae->training;
    const coordconv_value image = add_input(m, "image"), target = add_input(m, "target");
    const coordconv_value noise = add_code(m, "noise");
    coordconv_value heads[2]; /* mean and logarithm of the variance */

    scene_looker_apply(m, &vae->encoder, image, heads);
    const coordconv_value deviation =
        coordconv_model_exp(m, coordconv_model_scale(m, heads[1], 0.5));
    const coordconv_value code =
        coordconv_model_add(m, heads[0], coordconv_model_multiply(m, deviation, noise));
    const coordconv_value logits = scene_painter_apply(m, &vae->decoder, code);
    const coordconv_value misfit = coordconv_model_scale(
        m, coordconv_model_sigmoid_cross_entropy(m, logits, target), SCENE_VALUES);
    const coordconv_value divergence = coordconv_model_gaussian_kl(m, heads[0], heads[1]);

    coordconv_model_output(m, "painted", to_image(m, logits));
    coordconv_model_output(m, "misfit", misfit);
    coordconv_model_output(m, "divergence", divergence);
    coordconv_model_output(m, "loss", coordconv_model_add(m, misfit, divergence));
}

static void build_reader(const struct vae *vae)
{
    coordconv_value heads[2];

    scene_looker_apply(vae->reader, &vae->encoder, add_input(vae->reader, "image"), heads);
    coordconv_model_output(vae->reader, "code", heads[0]);
}

static void build_painter(const struct vae *vae)
{
    coordconv_model *m = vae->painter;
    const coordconv_value code = add_code(m, "code");

    coordconv_model_output(m, "image", to_image(m, scene_painter_apply(m, &vae->decoder, code)));
}

static coordconv_status build(struct vae *vae, coordconv_context *context)
{
    coordconv_status status;

    if ((status = scene_looker_make(&vae->encoder, context)) != COORDCONV_OK ||
        (status = scene_painter_make(&vae->decoder, context)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &vae->training)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &vae->reader)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &vae->painter)) != COORDCONV_OK)
        return status;
    build_training(vae);
    build_reader(vae);
    build_painter(vae);
    if ((status = coordconv_model_status(vae->training)) != COORDCONV_OK ||
        (status = coordconv_model_status(vae->reader)) != COORDCONV_OK)
        return status;
    return coordconv_model_status(vae->painter);
}

coordconv_status vae_new(struct vae *vae, coordconv_context *context, int with_coords)
{
    memset(vae, 0, sizeof *vae);
    choose_sizes(vae, with_coords);
    const coordconv_status status = build(vae, context);
    if (status != COORDCONV_OK)
        vae_free(vae);
    return status;
}

void vae_free(struct vae *vae)
{
    scene_layers_free(&vae->encoder.layers);
    scene_layers_free(&vae->decoder.layers);
    coordconv_model_unref(vae->training);
    coordconv_model_unref(vae->reader);
    coordconv_model_unref(vae->painter);
    memset(vae, 0, sizeof *vae);
}
