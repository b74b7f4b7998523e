/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_eval.h - what a region-proposal net proposes, and how good it is.
 */
#ifndef EXAMPLES_DETECT_EVAL_H
#define EXAMPLES_DETECT_EVAL_H

#include "detect_feed.h"

enum {
    MOST_PROPOSALS = 10 /* an image */
};

/* Overlap above which the weaker of two proposals is dropped: the paper's, and for precision. */
#define DETECT_LOOSE  0.8
#define DETECT_STRICT 0.5

/* Best first. */
struct proposals {
    int count;
    struct box boxes[MOST_PROPOSALS];
    float scores[MOST_PROPOSALS]; /* log of the odds of an object */
};

/* The proposals for image n of the feed's batch; 0, or -1 without memory. */
int detect_propose(const struct feed *feed, int64_t n, double limit, struct proposals *out);

struct judgement {
    double positive_iou; /* anchors of objects, moved, with their digit: mean over the anchors */
    double proposal_iou; /* proposals, with the object each fits best: mean over the proposals,
                          * but those on a digit that is none */
    double object_iou;   /* objects, with the proposal each fits best: mean over the objects */
    double average_precision; /* at an overlap of 0.5, one class: digit */
};

/* Judge the first `count` images of a field. The feed is one for inference. */
coordconv_status detect_judge(struct feed *feed, const struct field *field, int64_t count,
                              struct judgement *out);

#endif /* EXAMPLES_DETECT_EVAL_H */
