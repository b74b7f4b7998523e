/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_nets.h - the region-proposal net of the CoordConv paper, with coordinates and without.
 *
 * Inputs: "image" [N, 64, 64, 1]; for the loss "moves" and "counts" [N, 13, 13, 36], what the
 * anchors' four numbers should be and whether they count (1 or 0), and "labels" int32 [N * 1521],
 * ANCHOR_*. Outputs: "moved" [N, 13, 13, 36], "scores" [N, 13, 13, 18] (background and object,
 * before softmax), "loss".
 */
#ifndef EXAMPLES_DETECT_NETS_H
#define EXAMPLES_DETECT_NETS_H

#include <coordconv/coordconv.h>

/*
 * With coordinates, the image, the input of the third convolution and that of the mover's last one
 * have them; nothing else differs.
 */
coordconv_status detect_net_new(coordconv_context *context, int with_coords, coordconv_model **out);

/* A plan for training, or one for "moved" and "scores" alone. */
coordconv_status detect_plan_new(coordconv_model *model, int32_t mode, int64_t batch,
                                 coordconv_plan **out);

#endif /* EXAMPLES_DETECT_NETS_H */
