/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_feed.h - a plan of the region-proposal net, and images going through it.
 */
#ifndef EXAMPLES_DETECT_FEED_H
#define EXAMPLES_DETECT_FEED_H

#include "detect_anchors.h"
#include "detect_nets.h"

struct feed {
    coordconv_context *context; /* borrowed */
    coordconv_plan *plan;
    int64_t batch;
    enum anchor_layout layout;
    coordconv_tensor *image, *moves, *counts, *labels; /* the last three for training alone */
    coordconv_tensor *moved, *scores;
    float *keys; /* random numbers, one an anchor of the batch */
};

/* Zero the struct before, free it whatever this returns. */
coordconv_status feed_new(struct feed *feed, coordconv_context *context, coordconv_model *model,
                          int32_t mode, int64_t batch, enum anchor_layout layout);
void feed_free(struct feed *feed);

/* Forward and backward over the images which[0 .. batch); anchors are drawn by seed and step. */
coordconv_status feed_train(struct feed *feed, const struct field *field, const int64_t *which,
                            uint64_t seed, int64_t step);

/* Forward over the images from number first on, as many as fit the batch. */
coordconv_status feed_see(struct feed *feed, const struct field *field, int64_t first);

/* What the net says of the anchors of image n of the batch: four numbers and two scores each. */
const float *feed_moved(const struct feed *feed, int64_t n);
const float *feed_scores(const struct feed *feed, int64_t n);

#endif /* EXAMPLES_DETECT_FEED_H */
