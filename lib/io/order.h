/* SPDX-License-Identifier: BSD-2-Clause
 *
 * order.h - where coordinate channels stand in the weights of other implementations.
 */
#ifndef CCONV_IO_ORDER_H
#define CCONV_IO_ORDER_H

#include <coordconv/io.h>

#include "ops/layer.h"

/* A tensor as [outer, channels, inner], whose channels stand in another order in a file. */
struct cconv_order {
    size_t outer, channels, inner;
    size_t data;   /* data channels */
    size_t axes;   /* how many of x, y and z there are */
    int before;    /* coordinates stand before the data */
    int row_first; /* y before x, and z before y */
};

/* Everything in its place: one channel. */
void cconv_order_plain(const coordconv_tensor *tensor, struct cconv_order *out);

/* The input channels of the weight of a convolution with coordinates. */
void cconv_order_coords(const coordconv_layer *layer, const coordconv_convention_desc *convention,
                        struct cconv_order *out);

/* Channel of the file that is this one of ours. */
size_t cconv_order_channel(const struct cconv_order *order, size_t channel);

/* What is wrong with a layer that is to see the coordinates of a convention. */
struct cconv_order_text {
    char text[320];
};

/* NULL if nothing is; else fills *buffer and returns its text. */
const char *cconv_order_check(const coordconv_layer *layer, const char *name,
                              const coordconv_convention_desc *convention,
                              struct cconv_order_text *buffer);

#endif /* CCONV_IO_ORDER_H */
