/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_pictures.h - what the nets are shown, and how they fare, as PNG pictures.
 */
#ifndef EXAMPLES_NULL_RESULT_PICTURES_H
#define EXAMPLES_NULL_RESULT_PICTURES_H

#include "common/experiment.h"
#include "null_result_data.h"
#include "null_result_nets.h"

/* Wide and narrow strips with what each layout calls them: DIR/strips.png. */
coordconv_status picture_strips(const struct settings *settings, coordconv_context *context,
                                const struct digit_set *set);

/* Accuracy of every run, and by place: DIR/accuracy.png. cases: layouts outermost, then fronts. */
coordconv_status picture_accuracy(const struct settings *settings,
                                  const struct experiment_case cases[LAYOUTS * FRONTS]);

#endif /* EXAMPLES_NULL_RESULT_PICTURES_H */
