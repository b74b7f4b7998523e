/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_nets.h - small detectors that differ in how they may know where they look.
 *
 * All are convolutions from the image to a map of logits, ROAD_KINDS a cell of 4 x 4 pixels: 5x5 of
 * 16 with stride 2, 3x3 of 16, 3x3 of 32 with stride 2, twice 3x3 of 32, then 1x1 of 32 and of
 * ROAD_KINDS, batch norm and ReLU between. Nothing in that is tied to a place. What a net may know
 * of places comes from coordinates, or from the border: a net that pads with zeros sees where the
 * image ends; one without padding is shown as much of the scene around its cells as its window
 * needs.
 */
#ifndef EXAMPLES_PERIPHERY_NETS_H
#define EXAMPLES_PERIPHERY_NETS_H

#include "periphery_data.h"

enum net_kind {
    NET_CONV,       /* no padding, no coordinates */
    NET_PADDED,     /* zeros around every map, no coordinates */
    NET_DEEP,       /* the same with two more 3x3 layers, which see the border from farther */
    NET_INPUT,      /* no padding, coordinates (x, y) beside the image's colours only */
    NET_EVERYWHERE, /* no padding, coordinates in every layer */
    NET_DEEP_INPUT, /* NET_DEEP, and coordinates beside the image's colours */
    NET_DENSE,      /* no padding, and a fully connected layer from all cells to all cells */
    NET_KINDS
};

struct net {
    enum net_kind kind;
    int padded, coords, fixed; /* fixed: for the whole view only */
    coordconv_model *model;    /* image, target -> logits, loss */
};

/* In the context's seed. On failure nothing is left. */
coordconv_status net_new(struct net *net, coordconv_context *context, enum net_kind kind);
void net_free(struct net *net);

/* A plan for images of this many cells. */
coordconv_status net_plan(const struct net *net, int mode, int64_t batch, int rows, int columns,
                          coordconv_plan **plan);

/* Tell where windows lie in the view of a camera that looks shifted as `s` does. */
coordconv_status net_set_frames(const struct net *net, coordconv_plan *plan, const struct scenes *s,
                                int64_t count, const struct window *windows);

#endif /* EXAMPLES_PERIPHERY_NETS_H */
