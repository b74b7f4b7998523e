/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_nets.h - a small ResNet (He et al. 2016), as it is and with a layer before it.
 *
 * A 3 x 3 convolution of stride 2, a block of two 3 x 3 convolutions beside the identity, a block
 * whose first convolution has stride 2 beside a 1 x 1 convolution, the mean over all places, a
 * linear layer; batch norm behind each convolution, and zero padding, as in ResNet-50.
 */
#ifndef EXAMPLES_NULL_RESULT_NETS_H
#define EXAMPLES_NULL_RESULT_NETS_H

#include <coordconv/coordconv.h>

/* What stands before the ResNet. */
enum front {
    NOTHING,
    PLAIN_FRONT,     /* a 1 x 1 convolution of 8 channels */
    COORDCONV_FRONT, /* the paper's: the same with x, y and the radius */
    FRONTS
};

/* What the net with this front is called. */
const char *front_name(enum front front);

enum {
    NET_WINDOW = 23, /* pixels, rows as columns, that a place before the mean sees */
    NET_STRIDE = 4   /* from the window of one place to that of the next */
};

struct net {
    coordconv_model *model; /* inputs "strip" and "label", outputs "logits" and "loss" */
    /* Of the convolutions and the linear layer, one image: an addition and a multiplication are
     * two. */
    double inference_operations, training_operations;
};

/* On failure the net is empty. */
coordconv_status net_new(struct net *net, coordconv_context *context, enum front front, int height,
                         int width, int classes);
void net_free(struct net *net);

#endif /* EXAMPLES_NULL_RESULT_NETS_H */
