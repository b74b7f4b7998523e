/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_nets.h - networks that draw and look at Sort-of-Clevr images.
 *
 * A painter makes an image from a code, by transposed convolutions from 4 x 4
 * pixels up, or by coordinates: the code on every pixel, then convolutions of
 * 1 x 1 and 3 x 3 at full size. A looker makes numbers from an image: three
 * convolutions of stride 2 down to 4 x 4 pixels, and one linear layer or more,
 * side by side.
 *
 * A make function adds the layers to a list, its apply function puts them into a
 * model, as often as it is called. Failures are kept: of making in the list, of
 * applying in the model.
 */
#ifndef EXAMPLES_SCENE_NETS_H
#define EXAMPLES_SCENE_NETS_H

#include "sort_of_clevr.h"

enum {
    SCENE_MOST_WIDTHS = 8,
    SCENE_MOST_LAYERS = 2 * SCENE_MOST_WIDTHS + 1,
    SCENE_MOST_HEADS = 2,
    SCENE_STAGES = 3 /* halvings from the image to 4 x 4 pixels */
};

struct scene_layers {
    coordconv_layer *items[SCENE_MOST_LAYERS];
    int32_t count;
    coordconv_status status; /* the first failure */
};

struct scene_painter {
    int with_coords, with_norm; /* norm: a batch norm before each ReLU */
    int32_t code;               /* numbers that an image is made from */
    int32_t kernel; /* of the transposed convolutions, or of the layers after the 1x1s */
    int32_t widths[SCENE_MOST_WIDTHS]; /* channels: at 4, 8 and 16 pixels; or of every layer but
                                          the last. 0 ends */
    int32_t pixelwise;                 /* with coordinates: how many of these are 1x1 */
    struct scene_layers layers;
};

struct scene_looker {
    int with_coords, with_norm; /* norm: a batch norm after each convolution but the first */
    int32_t heads, out; /* linear layers, 1 .. SCENE_MOST_HEADS, and how many numbers each gives */
    int32_t kernel;
    int32_t widths[SCENE_STAGES];
    struct scene_layers layers;
};

/* Make the layers; the fields before them are set. */
coordconv_status scene_painter_make(struct scene_painter *painter, coordconv_context *context);
coordconv_status scene_looker_make(struct scene_looker *looker, coordconv_context *context);
void scene_layers_free(struct scene_layers *layers);

/* [N, code] to an image [N, side, side, 3] that no activation has been applied to. */
coordconv_value scene_painter_apply(coordconv_model *m, const struct scene_painter *painter,
                                    coordconv_value code);

/* An image in [-1, 1] to [N, out], as many as there are heads. */
void scene_looker_apply(coordconv_model *m, const struct scene_looker *looker,
                        coordconv_value image, coordconv_value *out);

#endif /* EXAMPLES_SCENE_NETS_H */
