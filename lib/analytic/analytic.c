/* SPDX-License-Identifier: BSD-2-Clause
 *
 * analytic.c - networks whose weights are written down instead of learned.
 *
 * All arithmetic is on integers of at most 2^24 as long as the coordinates are
 * integers, and so exact in float32 in whatever order the sums are made. Only
 * 1 x 1 convolutions see coordinates: every pixel is a function of its own
 * place, and the border is no special case.
 */
#include <coordconv/analytic.h>

#include "analytic/arguments.h"

#define MAX_SIDE (1 << 24)
#define MAX_HALF (1 << 22)
#define PIXEL_XY (COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL)

/* A model under construction; status is the first failure outside the model's own. */
struct net {
    coordconv_context *context;
    coordconv_model *model;
    coordconv_status status;
};

/* Write a parameter of a layer; values row-major. */
static coordconv_status set_parameter(coordconv_context *context, coordconv_layer *layer,
                                      const char *name, const double *values)
{
    coordconv_tensor *parameter = NULL, *source = NULL;
    int64_t shape[COORDCONV_MAX_NDIM];
    coordconv_status status = coordconv_layer_parameter(layer, name, &parameter);

    if (status != COORDCONV_OK)
        return status;
    for (int32_t i = 0; i < COORDCONV_MAX_NDIM; i++)
        shape[i] = coordconv_tensor_dim(parameter, i);
    /* The wrapped values are read only; wrap takes a plain pointer as it serves writers too. */
    status = coordconv_tensor_wrap(context, COORDCONV_F64, coordconv_tensor_ndim(parameter), shape,
                                   NULL, (void *)(uintptr_t)values, NULL, NULL, &source);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_copy(parameter, source);
    coordconv_tensor_unref(source);
    coordconv_tensor_unref(parameter);
    return status;
}

/* Give a new layer its name and numbers, apply it and let the model keep it. */
static coordconv_value apply(struct net *n, coordconv_layer *layer, const char *name,
                             const double *weight, const double *bias, coordconv_value x)
{
    coordconv_value y = COORDCONV_NO_VALUE;

    n->status = coordconv_layer_set_name(layer, name);
    if (n->status == COORDCONV_OK)
        n->status = set_parameter(n->context, layer, "weight", weight);
    if (n->status == COORDCONV_OK && bias != NULL)
        n->status = set_parameter(n->context, layer, "bias", bias);
    if (n->status == COORDCONV_OK)
        y = coordconv_model_apply(n->model, layer, x);
    coordconv_layer_unref(layer);
    return y;
}

/* A 1 x 1 convolution. weight: for each of `out` channels one number for each of
 * `in` channels and then, with coords, for X and Y. bias may be NULL. */
static coordconv_value pixelwise(struct net *n, const char *name, coordconv_value x, int32_t in,
                                 int32_t out, uint32_t coords, const double *weight,
                                 const double *bias)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { 1, 1 },
                                         .no_bias = bias == NULL,
                                         .init = COORDCONV_INIT_ZEROS };
    coordconv_layer *layer = NULL;

    if (n->status == COORDCONV_OK)
        n->status = coordconv_conv2d_new(n->context, &desc, &layer);
    return n->status == COORDCONV_OK ? apply(n, layer, name, weight, bias, x) : COORDCONV_NO_VALUE;
}

/* [N, 2] to [N, 2]: weight is row-major, bias added. */
static coordconv_value linear(struct net *n, const char *name, coordconv_value x,
                              const double weight[4], const double bias[2])
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = 2,
                                         .out_features = 2,
                                         .init = COORDCONV_INIT_ZEROS };
    coordconv_layer *layer = NULL;

    if (n->status == COORDCONV_OK)
        n->status = coordconv_linear_new(n->context, &desc, &layer);
    return n->status == COORDCONV_OK ? apply(n, layer, name, weight, bias, x) : COORDCONV_NO_VALUE;
}

/* Hand the model out if nothing went wrong, else drop it. */
static coordconv_status finish(struct net *n, const char *output, coordconv_value value,
                               coordconv_model **out)
{
    if (n->status == COORDCONV_OK) {
        coordconv_model_output(n->model, output, value);
        n->status = coordconv_model_status(n->model);
    }
    if (n->status == COORDCONV_OK)
        *out = n->model;
    else
        coordconv_model_unref(n->model);
    return n->status;
}

static coordconv_status begin(struct net *n, coordconv_context *context)
{
    *n = (struct net){ .context = context };
    n->status = coordconv_model_new(context, &n->model);
    return n->status;
}

coordconv_status coordconv_analytic_onehot_to_xy(coordconv_context *context, int64_t height,
                                                 int64_t width, coordconv_model **out)
{
    const struct cconv_extent extents[] = { { "height", height, 1, MAX_SIDE },
                                            { "width", width, 1, MAX_SIDE } };
    const int64_t shape[] = { -1, height, width, 1 };
    const double size[] = { (double)width, (double)height };
    const double distance[] = {
        size[0], -1, 0,  /* W A - X */
        size[1], 0,  -1, /* H A - Y */
    };
    static const double minus[] = { -1, 0, 0, -1 };
    coordconv_status status =
        cconv_analytic_check(context, out, "analytic_onehot_to_xy", extents, 2);
    coordconv_value x;
    struct net n;

    if (status != COORDCONV_OK || (status = begin(&n, context)) != COORDCONV_OK)
        return status;
    x = coordconv_model_input(n.model, "image", COORDCONV_F32, 4, shape);
    x = pixelwise(&n, "distance", x, 1, 2, PIXEL_XY, distance, NULL);
    x = coordconv_model_global_sum_pool(n.model, coordconv_model_relu(n.model, x));
    x = linear(&n, "position", x, minus, size);
    return finish(&n, "xy", x, out);
}

/* From [N, 2] to what ReLU leaves of X - x, x - X, Y - y, y - Y at each pixel:
 * the first two add up to |X - x|, the others to |Y - y|. */
static coordconv_value distances(struct net *n, int64_t height, int64_t width)
{
    static const int64_t shape[] = { -1, 2 };
    static const double weight[] = {
        -1, 0,  1,  0,  /* X - x */
        1,  0,  -1, 0,  /* x - X */
        0,  -1, 0,  1,  /* Y - y */
        0,  1,  0,  -1, /* y - Y */
    };
    coordconv_value x = coordconv_model_input(n->model, "xy", COORDCONV_F32, 2, shape);

    x = coordconv_model_tile(n->model, x, height, width);
    x = pixelwise(n, "distance", x, 2, 4, PIXEL_XY, weight, NULL);
    return coordconv_model_relu(n->model, x);
}

/* ReLU(1 - the sum of all channels). */
static coordconv_value light(struct net *n, coordconv_value x, int32_t channels)
{
    static const double weight[] = { -1, -1, -1, -1 };
    static const double bias[] = { 1 };

    x = pixelwise(n, "light", x, channels, 1, COORDCONV_COORDS_NONE, weight, bias);
    return coordconv_model_relu(n->model, x);
}

coordconv_status coordconv_analytic_xy_to_onehot(coordconv_context *context, int64_t height,
                                                 int64_t width, coordconv_model **out)
{
    const struct cconv_extent extents[] = { { "height", height, 1, MAX_SIDE },
                                            { "width", width, 1, MAX_SIDE } };
    coordconv_status status =
        cconv_analytic_check(context, out, "analytic_xy_to_onehot", extents, 2);
    struct net n;

    if (status != COORDCONV_OK || (status = begin(&n, context)) != COORDCONV_OK)
        return status;
    return finish(&n, "image", light(&n, distances(&n, height, width), 4), out);
}

coordconv_status coordconv_analytic_xy_to_rectangle(coordconv_context *context, int64_t height,
                                                    int64_t width, int64_t half_height,
                                                    int64_t half_width, coordconv_model **out)
{
    const struct cconv_extent extents[] = { { "height", height, 1, MAX_SIDE },
                                            { "width", width, 1, MAX_SIDE },
                                            { "half_height", half_height, 0, MAX_HALF },
                                            { "half_width", half_width, 0, MAX_HALF } };
    /* How far a pixel lies outside: |X - x| - half_width, |Y - y| - half_height. Taken
     * off after the distance, not in one sum with it: x + half_width may need 25 bits. */
    static const double weight[] = { 1, 1, 0, 0, 0, 0, 1, 1 };
    const double bias[] = { -(double)half_width, -(double)half_height };
    coordconv_status status =
        cconv_analytic_check(context, out, "analytic_xy_to_rectangle", extents, 4);
    coordconv_value x;
    struct net n;

    if (status != COORDCONV_OK || (status = begin(&n, context)) != COORDCONV_OK)
        return status;
    x = distances(&n, height, width);
    x = pixelwise(&n, "outside", x, 4, 2, COORDCONV_COORDS_NONE, weight, bias);
    return finish(&n, "image", light(&n, coordconv_model_relu(n.model, x), 2), out);
}
