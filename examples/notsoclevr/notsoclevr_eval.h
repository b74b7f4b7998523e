/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_eval.h - batches through a plan, and what the answers are worth.
 */
#ifndef EXAMPLES_NOTSOCLEVR_EVAL_H
#define EXAMPLES_NOTSOCLEVR_EVAL_H

#include "notsoclevr_nets.h"

enum {
    EXAMPLES = 7 /* test positions whose answers are kept for the pictures */
};

/* A plan of one batch size with the tensors bound to it. */
struct batch {
    coordconv_plan *plan;
    int64_t size;
    int32_t feed_count;
    enum content contents[MAX_FEEDS];
    coordconv_tensor *inputs[MAX_FEEDS];
    coordconv_tensor *answer;
    coordconv_tensor *loss; /* training only */
};

/* Plans for training; batch_new_inference() for answers only. */
coordconv_status batch_new_training(struct batch *batch, const struct net *net,
                                    coordconv_context *context, int64_t size);
coordconv_status batch_new_inference(struct batch *batch, const struct net *net,
                                     coordconv_context *context, int64_t size);
void batch_free(struct batch *batch);

/* Fill the inputs for batch->size positions and run the plan. */
coordconv_status batch_run(struct batch *batch, const int64_t *positions);

/* Answers of position number i of the batch. */
const float *batch_answer(const struct batch *batch, int64_t i);

/* How the numbers of an answer are to be read. */
struct reading {
    float pixels; /* regression: one unit of the answer */
    float on;     /* rendering: a pixel is lit above this */
};

extern const struct reading reading_inference, reading_training;

/* One answer beside what was wanted. */
struct outcome {
    float x, y;          /* where the net sees or puts it; not a number in rendering */
    float score;         /* see metric_name() */
    float off;           /* regression: the larger of the errors in x and y, in pixels */
    unsigned char right; /* the right pixel; both coordinates round right; every pixel right */
};

void judge(enum task task, int64_t position, const float *answer, struct reading reading,
           struct outcome *outcome);

/* "accuracy", "distance" (mean, Euclidean, in pixels) or "iou". */
const char *metric_name(enum task task);

/* Everything the report and the pictures say about a net. */
struct evaluation {
    struct outcome outcomes[POSITIONS];
    double train, test;             /* mean score */
    double train_right, test_right; /* share of right ones */
    double test_worst;        /* regression: largest error of a coordinate; else least score */
    float wanted_sum[PIXELS]; /* of the targets over the test positions */
    float answer_sum[PIXELS]; /* of the answers */
    int64_t example_positions[EXAMPLES];
    float examples[EXAMPLES][PIXELS]; /* answers that are images */
};

/* Answer all positions with an inference batch. */
coordconv_status evaluate(struct batch *batch, enum task task, const struct data_set *set,
                          struct evaluation *evaluation);

/* Mean score over some positions. */
coordconv_status evaluate_some(struct batch *batch, enum task task, const int64_t *positions,
                               int64_t count, double *score);

#endif /* EXAMPLES_NOTSOCLEVR_EVAL_H */
