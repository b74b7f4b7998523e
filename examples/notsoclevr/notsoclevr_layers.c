/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_layers.c - the paper's architectures, layer by layer.
 */
#include "notsoclevr_layers.h"

#include "notsoclevr_data.h"

enum {
    DECONV_WIDTH = 2,  /* the paper's multiplier m: 1, 2 or 3 */
    DECONV_KERNEL = 3, /* the paper's filter size fs: 2, 3 or 4 */
    STAGE_A = 5,       /* layers that find the pixel */
    STAGE_B = 5        /* layers that draw the square */
};

/* Count in the layer just made, or remember why there is none. */
static void took(struct layers *l, coordconv_status status)
{
    if (status == COORDCONV_OK)
        l->count++;
    else if (l->status == COORDCONV_OK)
        l->status = status;
}

static void add_conv(struct layers *l, int32_t in, int32_t out, int32_t kernel, int32_t stride,
                     uint32_t coords)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .padding = COORDCONV_SAME,
                                         .init = l->init };

    took(l, coordconv_conv2d_new(l->context, &desc, &l->items[l->count]));
}

/* Let the convolution added last see coordinates, with weights of zero to begin with. */
static void give_coords(struct layers *l, uint32_t coords)
{
    coordconv_layer **last = &l->items[l->count - 1], *seeing = NULL;

    if (l->status != COORDCONV_OK)
        return;
    l->status = coordconv_layer_with_coords(*last, coords, &seeing);
    if (l->status == COORDCONV_OK) {
        coordconv_layer_unref(*last);
        *last = seeing;
    }
}

static void add_deconv(struct layers *l, int32_t in, int32_t out)
{
    const coordconv_conv_transpose2d_desc desc = { .struct_size = sizeof desc,
                                                   .in_channels = in,
                                                   .out_channels = out,
                                                   .kernel = { DECONV_KERNEL, DECONV_KERNEL },
                                                   .stride = { 2, 2 },
                                                   .padding = COORDCONV_SAME };

    took(l, coordconv_conv_transpose2d_new(l->context, &desc, &l->items[l->count]));
}

static void add_batch_norm(struct layers *l, int32_t channels)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = channels };

    took(l, coordconv_batch_norm_new(l->context, &desc, &l->items[l->count]));
}

static void add_linear(struct layers *l, int32_t in, int32_t out)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = out };

    took(l, coordconv_linear_new(l->context, &desc, &l->items[l->count]));
}

/* A run of SAME convolutions of stride 1 through the given widths; coordinates for the first. */
static void add_convs(struct layers *l, const int32_t *widths, int32_t count, int32_t kernel,
                      uint32_t coords)
{
    for (int32_t i = 0; i < count; i++)
        add_conv(l, widths[i], widths[i + 1], kernel, 1, i == 0 ? coords : COORDCONV_COORDS_NONE);
}

/* Apply a run of layers with ReLU between them. */
static coordconv_value apply_with_relu(coordconv_model *m, coordconv_layer *const *items,
                                       int32_t count, coordconv_value h)
{
    for (int32_t i = 0; i < count; i++)
        h = coordconv_model_apply(m, items[i], i > 0 ? coordconv_model_relu(m, h) : h);
    return h;
}

/* ---- (x, y) to a map, with coordinates: the vector on every pixel, then 1 x 1 layers ---- */

/*
 * Small weights to begin with (Glorot, Bengio 2010) lead to few directions in
 * the first layer, differences of a pixel and the point, which hold in the
 * quadrant never seen. The paper's he_normal, three times as large there, finds
 * them late or, for some seeds, not at all.
 */
void layers_make_painter(struct layers *l)
{
    static const int32_t widths[STAGE_A + 1] = { 2, 32, 32, 64, 64, 1 };

    l->init = COORDCONV_INIT_GLOROT_UNIFORM;
    add_convs(l, widths, STAGE_A, 1, COORDCONV_COORDS_XY);
    l->init = COORDCONV_INIT_DEFAULT;
}

coordconv_value layers_apply_painter(coordconv_model *m, const struct layers *l, coordconv_value xy)
{
    return apply_with_relu(m, l->items, STAGE_A, coordconv_model_tile(m, xy, CANVAS, CANVAS));
}

/* ---- the same without: six transposed convolutions from 1 x 1 to 64 x 64 ---- */

void layers_make_deconv(struct layers *l)
{
    static const int32_t widths[7] = { 2, 64, 64, 64, 32, 32, 1 };

    for (int i = 0; i < 6; i++) {
        const int32_t in = i > 0 ? widths[i] * DECONV_WIDTH : widths[i];
        const int32_t out = i < 5 ? widths[i + 1] * DECONV_WIDTH : widths[i + 1];

        add_deconv(l, in, out);
        if (i < 5)
            add_batch_norm(l, out);
    }
}

coordconv_value layers_apply_deconv(coordconv_model *m, const struct layers *l, coordconv_value xy)
{
    const int64_t pixel[4] = { 0, 1, 1, 2 };
    coordconv_value h = coordconv_model_reshape(m, xy, 4, pixel);

    for (int32_t i = 0; i < l->count; i++) {
        h = coordconv_model_apply(m, l->items[i], h);
        if (i % 2 == 1)
            h = coordconv_model_relu(m, h);
    }
    return h;
}

/* ---- rendering: the painter, its map sharpened by a softmax, then 3 x 3 layers ---- */

void layers_make_renderer(struct layers *l)
{
    static const int32_t widths[STAGE_B + 1] = { 1, 8, 8, 16, 16, 1 };

    layers_make_painter(l);
    add_convs(l, widths, STAGE_B, 3, COORDCONV_COORDS_NONE);
}

coordconv_value layers_apply_stage_b(coordconv_model *m, const struct layers *l,
                                     coordconv_value map)
{
    const coordconv_value sharp = coordconv_model_softmax(m, map, 1u << 1 | 1u << 2);

    return apply_with_relu(m, l->items + STAGE_A, STAGE_B, sharp);
}

/* ---- one-hot image to (x, y) ---- */

/*
 * No activation between the layers: the maximum is the only thing not linear,
 * and it passes gradients to one pixel alone. Were the coordinate weights drawn
 * like the others, the net would begin with its maximum in a corner whatever
 * pixel is lit, and half of the seeds never leave there. Begun as a plain
 * convolution, with coordinate weights of zero, the lit pixel has the maximum.
 */
void layers_make_locator(struct layers *l)
{
    add_conv(l, 1, 8, 1, 1, COORDCONV_COORDS_NONE);
    give_coords(l, COORDCONV_COORDS_XY);
    add_conv(l, 8, 8, 1, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 8, 8, 1, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 8, 8, 3, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 8, 2, 3, 1, COORDCONV_COORDS_NONE);
}

coordconv_value layers_apply_locator(coordconv_model *m, const struct layers *l,
                                     coordconv_value image)
{
    coordconv_value h = image;

    for (int32_t i = 0; i < l->count; i++)
        h = coordconv_model_apply(m, l->items[i], h);
    return coordconv_model_global_max_pool(m, h);
}

/* The released code's net for the uniform split: convolutions and pooling, then two dense layers.
 */
void layers_make_pooling_conv(struct layers *l)
{
    static const int32_t widths[5] = { 1, 16, 16, 16, 16 };

    add_convs(l, widths, 4, 3, COORDCONV_COORDS_NONE);
    add_linear(l, CANVAS / 8 * (CANVAS / 8) * 16, 64);
    add_linear(l, 64, 2);
}

coordconv_value layers_apply_pooling_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image)
{
    const coordconv_pool2d_desc halve = { .struct_size = sizeof halve, .kernel = { 2, 2 } };
    coordconv_value h = image;

    for (int32_t i = 0; i < 4; i++) {
        h = coordconv_model_relu(m, coordconv_model_apply(m, l->items[i], h));
        if (i < 3)
            h = coordconv_model_max_pool2d(m, h, &halve);
    }
    return apply_with_relu(m, l->items + 4, 2, coordconv_model_flatten(m, h, 1));
}

/* Its net for the quadrant split: strides instead of pooling, batch norm after two of the layers.
 */
void layers_make_strided_conv(struct layers *l)
{
    add_conv(l, 1, 16, 5, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 1, 1, COORDCONV_COORDS_NONE);
    add_batch_norm(l, 16);
    add_conv(l, 16, 16, 3, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_batch_norm(l, 16);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 1, 1, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 16, 3, 2, COORDCONV_COORDS_NONE);
    add_conv(l, 16, 2, 3, 1, COORDCONV_COORDS_NONE);
}

coordconv_value layers_apply_strided_conv(coordconv_model *m, const struct layers *l,
                                          coordconv_value image)
{
    /* R: followed by ReLU. The first batch norm comes after its layer's ReLU, the second before. */
    static const char relu_after[] = "RR.RR.RRRRR";
    coordconv_value h = image;

    for (int32_t i = 0; i < l->count; i++) {
        h = coordconv_model_apply(m, l->items[i], h);
        if (relu_after[i] == 'R')
            h = coordconv_model_relu(m, h);
    }
    return coordconv_model_global_avg_pool(m, h);
}
