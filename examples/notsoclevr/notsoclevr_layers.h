/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_layers.h - the paper's architectures, layer by layer.
 *
 * A make function adds the layers of an architecture to an empty list; its
 * apply function puts them into a model, as often as it is called. Failures are
 * kept: of making in the list, of applying in the model.
 */
#ifndef EXAMPLES_NOTSOCLEVR_LAYERS_H
#define EXAMPLES_NOTSOCLEVR_LAYERS_H

#include <coordconv/coordconv.h>

enum {
    MAX_LAYERS = 16
};

/* The layers of a net while it is built; the models keep their own references. */
struct layers {
    coordconv_context *context;
    coordconv_layer *items[MAX_LAYERS];
    int32_t count;
    int32_t init;            /* COORDCONV_INIT_* of the convolutions added next */
    coordconv_status status; /* the first failure */
};

/* (x, y) to a map of 64 x 64 logits, with coordinates. */
void layers_make_painter(struct layers *l);
coordconv_value layers_apply_painter(coordconv_model *m, const struct layers *l,
                                     coordconv_value xy);

/* The same by transposed convolutions. */
void layers_make_deconv(struct layers *l);
coordconv_value layers_apply_deconv(coordconv_model *m, const struct layers *l, coordconv_value xy);

/* The painter, and a second stage that draws the square around the pixel of its map. */
void layers_make_renderer(struct layers *l);
coordconv_value layers_apply_stage_b(coordconv_model *m, const struct layers *l,
                                     coordconv_value map);

/* One-hot image to (x, y), with coordinates. */
void layers_make_locator(struct layers *l);
coordconv_value layers_apply_locator(coordconv_model *m, const struct layers *l,
                                     coordconv_value image);

/* The same by convolutions: the released code's net for the uniform split, and for the quadrant. */
void layers_make_pooling_conv(struct layers *l);
coordconv_value layers_apply_pooling_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image);
void layers_make_strided_conv(struct layers *l);
coordconv_value layers_apply_strided_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image);

#endif /* EXAMPLES_NOTSOCLEVR_LAYERS_H */
