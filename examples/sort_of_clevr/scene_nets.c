/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_nets.c - networks that draw and look at Sort-of-Clevr images.
 */
#include "scene_nets.h"

enum {
    SMALL_SIDE = SCENE_SIDE >> SCENE_STAGES,
    SMALL_PIXELS = SMALL_SIDE * SMALL_SIDE
};

static const double slope = 0.2; /* of leaky ReLU, as in the paper's code */

/* Count in the layer just made, or remember why there is none. */
static void took(struct scene_layers *l, coordconv_status status)
{
    if (status == COORDCONV_OK)
        l->count++;
    else if (l->status == COORDCONV_OK)
        l->status = status;
}

static void add_conv(struct scene_layers *l, coordconv_context *context, int32_t in, int32_t out,
                     int32_t kernel, int32_t stride, int with_coords)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = with_coords ? COORDCONV_COORDS_XY
                                                               : COORDCONV_COORDS_NONE,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .padding = COORDCONV_SAME };

    took(l, coordconv_conv2d_new(context, &desc, &l->items[l->count]));
}

static void add_deconv(struct scene_layers *l, coordconv_context *context, int32_t in, int32_t out,
                       int32_t kernel)
{
    const coordconv_conv_transpose2d_desc desc = { .struct_size = sizeof desc,
                                                   .in_channels = in,
                                                   .out_channels = out,
                                                   .kernel = { kernel, kernel },
                                                   .stride = { 2, 2 },
                                                   .padding = COORDCONV_SAME,
                                                   .init = COORDCONV_INIT_GLOROT_UNIFORM };

    took(l, coordconv_conv_transpose2d_new(context, &desc, &l->items[l->count]));
}

static void add_linear(struct scene_layers *l, coordconv_context *context, int32_t in, int32_t out)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = in,
                                         .out_features = out,
                                         .init = COORDCONV_INIT_GLOROT_UNIFORM };

    took(l, coordconv_linear_new(context, &desc, &l->items[l->count]));
}

static void add_norm(struct scene_layers *l, coordconv_context *context, int32_t channels)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = channels };

    took(l, coordconv_batch_norm_new(context, &desc, &l->items[l->count]));
}

void scene_layers_free(struct scene_layers *layers)
{
    for (int32_t i = 0; i < layers->count; i++)
        coordconv_layer_unref(layers->items[i]);
    layers->count = 0;
}

/* ---- painting by coordinates ---- */

static int32_t last_width(const struct scene_painter *p, int32_t *count)
{
    *count = 0;
    while (*count < SCENE_MOST_WIDTHS && p->widths[*count] > 0)
        ++*count;
    return p->widths[*count - 1];
}

static void make_by_coords(struct scene_painter *p, coordconv_context *context)
{
    int32_t count, in = p->code;
    const int32_t last = last_width(p, &count);

    for (int32_t i = 0; i < count; in = p->widths[i++]) {
        add_conv(&p->layers, context, in, p->widths[i], i < p->pixelwise ? 1 : p->kernel, 1,
                 i == 0);
        if (p->with_norm)
            add_norm(&p->layers, context, p->widths[i]);
    }
    add_conv(&p->layers, context, last, 3, 1, 1, 0);
}

static coordconv_value apply_by_coords(coordconv_model *m, const struct scene_painter *p,
                                       coordconv_value code)
{
    coordconv_layer *const *layer = p->layers.items, *const *last = layer + p->layers.count - 1;
    coordconv_value h = coordconv_model_tile(m, code, SCENE_SIDE, SCENE_SIDE);

    while (layer < last) {
        h = coordconv_model_apply(m, *layer++, h);
        if (p->with_norm)
            h = coordconv_model_apply(m, *layer++, h);
        h = coordconv_model_relu(m, h);
    }
    return coordconv_model_apply(m, *last, h);
}

/* ---- painting by transposed convolutions ---- */

static void make_by_deconv(struct scene_painter *p, coordconv_context *context)
{
    add_linear(&p->layers, context, p->code, SMALL_PIXELS * p->widths[0]);
    for (int32_t i = 0; i < SCENE_STAGES; i++) {
        if (p->with_norm)
            add_norm(&p->layers, context, p->widths[i]);
        add_deconv(&p->layers, context, p->widths[i], i + 1 < SCENE_STAGES ? p->widths[i + 1] : 3,
                   p->kernel);
    }
}

static coordconv_value apply_by_deconv(coordconv_model *m, const struct scene_painter *p,
                                       coordconv_value code)
{
    const int64_t small[4] = { 0, SMALL_SIDE, SMALL_SIDE, p->widths[0] };
    coordconv_layer *const *layer = p->layers.items;
    coordconv_value h = coordconv_model_apply(m, *layer++, code);

    h = coordconv_model_reshape(m, h, 4, small);
    for (int32_t i = 0; i < SCENE_STAGES; i++) {
        if (p->with_norm)
            h = coordconv_model_apply(m, *layer++, h);
        h = coordconv_model_apply(m, *layer++, coordconv_model_relu(m, h));
    }
    return h;
}

coordconv_status scene_painter_make(struct scene_painter *painter, coordconv_context *context)
{
    (painter->with_coords ? make_by_coords : make_by_deconv)(painter, context);
    return painter->layers.status;
}

coordconv_value scene_painter_apply(coordconv_model *m, const struct scene_painter *painter,
                                    coordconv_value code)
{
    return (painter->with_coords ? apply_by_coords : apply_by_deconv)(m, painter, code);
}

/* ---- looking ---- */

coordconv_status scene_looker_make(struct scene_looker *looker, coordconv_context *context)
{
    struct scene_layers *l = &looker->layers;

    for (int32_t i = 0, in = 3; i < SCENE_STAGES; in = looker->widths[i++]) {
        add_conv(l, context, in, looker->widths[i], looker->kernel, 2,
                 i == 0 && looker->with_coords);
        if (i > 0 && looker->with_norm)
            add_norm(l, context, looker->widths[i]);
    }
    for (int32_t i = 0; i < looker->heads; i++)
        add_linear(l, context, SMALL_PIXELS * looker->widths[SCENE_STAGES - 1], looker->out);
    return l->status;
}

void scene_looker_apply(coordconv_model *m, const struct scene_looker *looker,
                        coordconv_value image, coordconv_value *out)
{
    coordconv_layer *const *layer = looker->layers.items;
    coordconv_value h = image;

    for (int32_t i = 0; i < SCENE_STAGES; i++) {
        h = coordconv_model_apply(m, *layer++, h);
        if (i > 0 && looker->with_norm)
            h = coordconv_model_apply(m, *layer++, h);
        h = coordconv_model_leaky_relu(m, h, slope);
    }
    h = coordconv_model_flatten(m, h, 1);
    for (int32_t i = 0; i < looker->heads; i++)
        out[i] = coordconv_model_apply(m, *layer++, h);
}
