/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_curves.h - the curves of an experiment's results, drawn.
 */
#ifndef EXAMPLES_EXPERIMENT_CURVES_H
#define EXAMPLES_EXPERIMENT_CURVES_H

#include "experiment.h"

struct curve_picture {
    const char *curve;   /* as run_point() calls it */
    const char *title;   /* says what y is */
    const char *x_label; /* and this what x is */
    const char *file;    /* in the output folder */
};

/*
 * Draw a curve of several cases, at most four, into one PNG: of each the mean over the seeds in the
 * results, point by point. 0, or -1 with the reason in message.
 */
int curves_draw(const struct settings *settings, const struct experiment_case *cases, size_t count,
                const struct curve_picture *picture, char *message, int message_size);

#endif /* EXAMPLES_EXPERIMENT_CURVES_H */
