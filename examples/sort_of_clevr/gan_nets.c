/* SPDX-License-Identifier: BSD-2-Clause
 *
 * gan_nets.c - a generative adversarial network of Sort-of-Clevr images.
 */
#include "gan_nets.h"

#include <string.h>

/* The paper's nets with fewer channels, and one stage less as the image has half the side. */
static void choose_sizes(struct gan *gan, int with_coords)
{
    gan->discriminator = (struct scene_looker){ .with_coords = with_coords,
                                                .with_norm = 1,
                                                .heads = 1,
                                                .out = 1,
                                                .kernel = 5,
                                                .widths = { 16, 32, 64 } };
    if (with_coords)
        gan->generator = (struct scene_painter){ .with_coords = 1,
                                                 .with_norm = 1,
                                                 .code = GAN_CODE,
                                                 .kernel = 3,
                                                 .widths = { 128, 64, 64, 32, 16, 16, 16 },
                                                 .pixelwise = 5 };
    else
        gan->generator = (struct scene_painter){
            .with_norm = 1, .code = GAN_CODE, .kernel = 5, .widths = { 128, 64, 32 }
        };
}

static coordconv_value add_images(coordconv_model *m, const char *name)
{
    const int64_t image[4] = { -1, SCENE_SIDE, SCENE_SIDE, 3 };

    return coordconv_model_input(m, name, COORDCONV_F32, 4, image);
}

static coordconv_value add_numbers(coordconv_model *m, const char *name, int64_t count)
{
    const int64_t shape[2] = { -1, count };

    return coordconv_model_input(m, name, COORDCONV_F32, 2, shape);
}

/* How far the discriminator is from taking these images for what `target` says. */
static coordconv_value mistaken(coordconv_model *m, const struct gan *gan, coordconv_value image,
                                coordconv_value target)
{
    coordconv_value is_real;

    scene_looker_apply(m, &gan->discriminator, image, &is_real);
    return coordconv_model_sigmoid_cross_entropy(m, is_real, target);
}

static coordconv_value paint(coordconv_model *m, const struct gan *gan)
{
    const coordconv_value code = add_numbers(m, "code", GAN_CODE);

    return coordconv_model_tanh(m, scene_painter_apply(m, &gan->generator, code));
}

static void build_deceiving(const struct gan *gan)
{
    coordconv_model *m = gan->deceiving;
    const coordconv_value painted = paint(m, gan);
    const coordconv_value image = coordconv_model_add(m, painted, add_images(m, "noise"));

    coordconv_model_output(m, "image", image);
    coordconv_model_output(m, "loss", mistaken(m, gan, image, add_numbers(m, "one", 1)));
}

static void build_discerning(const struct gan *gan)
{
    coordconv_model *m = gan->discerning;
    const coordconv_value real = add_images(m, "real"), fake = add_images(m, "fake");
    const coordconv_value one = add_numbers(m, "one", 1), zero = add_numbers(m, "zero", 1);

    coordconv_model_output(
        m, "loss",
        coordconv_model_add(m, mistaken(m, gan, real, one), mistaken(m, gan, fake, zero)));
}

static coordconv_status build(struct gan *gan, coordconv_context *context)
{
    coordconv_status status;

    if ((status = scene_painter_make(&gan->generator, context)) != COORDCONV_OK ||
        (status = scene_looker_make(&gan->discriminator, context)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &gan->deceiving)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &gan->discerning)) != COORDCONV_OK ||
        (status = coordconv_model_new(context, &gan->painter)) != COORDCONV_OK)
        return status;
    build_deceiving(gan);
    build_discerning(gan);
    coordconv_model_output(gan->painter, "image", paint(gan->painter, gan));
    if ((status = coordconv_model_status(gan->deceiving)) != COORDCONV_OK ||
        (status = coordconv_model_status(gan->discerning)) != COORDCONV_OK)
        return status;
    return coordconv_model_status(gan->painter);
}

coordconv_status gan_new(struct gan *gan, coordconv_context *context, int with_coords)
{
    memset(gan, 0, sizeof *gan);
    choose_sizes(gan, with_coords);
    const coordconv_status status = build(gan, context);
    if (status != COORDCONV_OK)
        gan_free(gan);
    return status;
}

void gan_free(struct gan *gan)
{
    scene_layers_free(&gan->generator.layers);
    scene_layers_free(&gan->discriminator.layers);
    coordconv_model_unref(gan->deceiving);
    coordconv_model_unref(gan->discerning);
    coordconv_model_unref(gan->painter);
    memset(gan, 0, sizeof *gan);
}
