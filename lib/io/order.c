/* SPDX-License-Identifier: BSD-2-Clause
 *
 * order.c - from the channel order of a convention to data, x, y, z, radius.
 */
#include "io/order.h"

#include <stdio.h>
#include <string.h>

#include "core/coords.h"

void cconv_order_plain(const coordconv_tensor *tensor, struct cconv_order *out)
{
    *out = (struct cconv_order){
        .outer = 1, .channels = 1, .inner = cconv_shape_count(&tensor->shape), .data = 1
    };
}

void cconv_order_coords(const coordconv_layer *layer, const coordconv_convention_desc *convention,
                        struct cconv_order *out)
{
    const struct cconv_conv_attr *a = &layer->attr.conv;
    const struct cconv_shape *shape = &layer->tensors[0].tensor->shape;
    const int32_t axis = a->transposed ? 0 : 1; /* of the input channels */

    *out = (struct cconv_order){ .outer = cconv_shape_span(shape, 0, axis),
                                 .channels = (size_t)shape->dim[axis],
                                 .inner = cconv_shape_span(shape, axis + 1, shape->ndim),
                                 .data = (size_t)a->in_channels,
                                 .before = convention->before,
                                 .row_first = convention->row_first,
                                 .axes = (size_t)cconv_coords_count(
                                     3, a->coords & ~(uint32_t)COORDCONV_COORDS_RADIUS) };
}

size_t cconv_order_channel(const struct cconv_order *order, size_t channel)
{
    const size_t coords = order->channels - order->data;

    if (channel < order->data)
        return order->before ? coords + channel : channel;
    channel -= order->data;
    if (order->row_first && channel < order->axes)
        channel = order->axes - 1 - channel;
    return order->before ? channel : order->data + channel;
}

/* The radius, where there is one, stands last everywhere. */
static void describe(const struct cconv_grid *grid, uint32_t coords, char *text, size_t bytes)
{
    static const char *const sampling[] = { "aligned", "i/n", "cell centers", "pixels", "swapped" };
    static const char *const radius[] = { "plain", "offset", "normalized", "centered" };
    int n;

    if (grid->sampling == COORDCONV_SAMPLING_PIXEL)
        n = snprintf(text, bytes, "%s", sampling[grid->sampling]);
    else
        n = snprintf(text, bytes, "%s %g to %g", sampling[grid->sampling], grid->low, grid->high);
    if ((coords & COORDCONV_COORDS_RADIUS) && n >= 0 && (size_t)n < bytes)
        snprintf(text + n, bytes - (size_t)n, ", radius %s", radius[grid->radius]);
}

static int same_grid(const struct cconv_grid *a, const struct cconv_grid *b, uint32_t coords)
{
    if (a->sampling != b->sampling)
        return 0;
    if (a->sampling != COORDCONV_SAMPLING_PIXEL && (a->low != b->low || a->high != b->high))
        return 0;
    return !(coords & COORDCONV_COORDS_RADIUS) || a->radius == b->radius;
}

/* Whether an implementation makes coordinates of volumes: where the row stands first of images,
 * in the order z, y, x. */
static int has_volumes(const char *convention)
{
    return strcmp(convention, "coordconv") == 0 || strcmp(convention, "keras-coordconv") == 0 ||
           strcmp(convention, "monai") == 0;
}

/* What layers of so many axes may see by a convention: of volumes nobody else has a radius. */
static uint32_t offered(const char *name, uint32_t coords, int32_t ndim)
{
    if (ndim != 5 || !has_volumes(name))
        return coords;
    if (strcmp(name, "coordconv") != 0)
        coords &= ~(uint32_t)COORDCONV_COORDS_RADIUS;
    return coords | COORDCONV_COORDS_Z;
}

const char *cconv_order_check(const coordconv_layer *layer, const char *name,
                              const coordconv_convention_desc *convention,
                              struct cconv_order_text *buffer)
{
    const struct cconv_conv_attr *a = &layer->attr.conv;
    const int32_t ndim = layer->tensors[0].tensor->shape.ndim;
    const char *missing = cconv_coords_lacking(a->coords, offered(name, convention->coords, ndim));
    struct cconv_grid theirs;
    char mine[128], other[128];

    if (missing != NULL) {
        snprintf(buffer->text, sizeof buffer->text, "the convention \"%s\" has no %s", name,
                 missing);
        return buffer->text;
    }
    cconv_grid_read(NULL, "convention", &convention->grid, &theirs);
    if (same_grid(&a->grid, &theirs, a->coords))
        return NULL;
    describe(&a->grid, a->coords, mine, sizeof mine);
    describe(&theirs, a->coords, other, sizeof other);
    snprintf(buffer->text, sizeof buffer->text,
             "the layer's coordinates are %s, those of the convention \"%s\" %s", mine, name,
             other);
    return buffer->text;
}
