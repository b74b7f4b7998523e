/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_train.h - one run: build a net, train it, evaluate it.
 */
#ifndef EXAMPLES_NOTSOCLEVR_TRAIN_H
#define EXAMPLES_NOTSOCLEVR_TRAIN_H

#include "notsoclevr_eval.h"

struct run {
    enum task task;
    enum split split;
    enum net_kind net;
    uint64_t seed;   /* of the weights and of the order of the batches */
    int32_t threads; /* 0: one per usable processor */
    double budget;   /* seconds, evaluation included; 0: the usual for the task and net */
    long epochs;     /* 0: the usual */
    int quiet;
    int (*interrupted)(void); /* asked after every batch */
};

/* What the training looked like, one point an epoch. */
struct history {
    double *epoch, *loss, *train, *test; /* allocated for `capacity` points */
    size_t count, capacity;
};

struct result {
    int64_t parameters;
    int32_t threads;
    double budget;
    double epochs; /* a part of one where the run was stopped within it */
    double seconds;
    const char *stopped; /* "schedule", "budget", "interrupted", "overflow" or "nothing to learn" */
    struct history history;
    struct evaluation evaluation;
};

/* On failure the result is empty but for what result_free() would free. */
coordconv_status run_train(const struct run *run, struct result *result);
void result_free(struct result *result);

#endif /* EXAMPLES_NOTSOCLEVR_TRAIN_H */
