/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_run.h - one run: its steps, its figures, its checkpoints.
 */
#ifndef EXAMPLES_EXPERIMENT_RUN_H
#define EXAMPLES_EXPERIMENT_RUN_H

#include <jansson.h>

#include "experiment.h"
#include "progress.h"

struct run_state {
    const char *id; /* of the experiment */
    struct trainee trainees[MOST_TRAINEES];
    int32_t trainee_count;
    json_t *figures, *curves;
    int64_t first_step;         /* of this process */
    double before, core_before; /* seconds of the run in earlier processes */
    double started, core_started;
    double saved;   /* when the last checkpoint was written */
    int generation; /* of the next checkpoint */
    struct progress progress;
};

/* Start with nothing done. label: for the progress bar. */
void run_open(struct run *run, struct run_state *state, const char *label);
void run_close(struct run *run);

double run_seconds(const struct run *run);

/* Of processor time, all cores together. */
double run_core_seconds(const struct run *run);

/* Keep the weights that the run ended with. */
coordconv_status run_keep_weights(const struct run *run);

/* The run's result is safe: its checkpoints are no longer wanted. */
void run_forget_checkpoints(const struct run *run);

/* The object of a finished run for the results. */
json_t *run_result(const struct run *run);

#endif /* EXAMPLES_EXPERIMENT_RUN_H */
