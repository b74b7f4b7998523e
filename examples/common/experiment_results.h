/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_results.h - the JSON document of an experiment: written after every run,
 * read again to go on, and the table made from it.
 */
#ifndef EXAMPLES_EXPERIMENT_RESULTS_H
#define EXAMPLES_EXPERIMENT_RESULTS_H

#include <jansson.h>
#include <stdio.h>

#include "experiment.h"

struct results {
    const struct experiment *experiment;
    const struct settings *settings;
    json_t *document;
    char path[PATH_SIZE];
};

/*
 * A new document or, with --resume, the one that is there. 0, or -1 after a
 * word on standard error: what is there has other settings, cannot be read, or
 * would be lost without --resume.
 */
int results_open(struct results *results, const struct experiment *experiment,
                 const struct settings *settings, int argc, char *const *argv);
void results_close(struct results *results);

/* What tells checkpoints of this experiment from those of an older one in the same folder. */
const char *results_id(const struct results *results);

int results_has(const struct results *results, const struct experiment_case *which, uint64_t seed);

/* Takes the run's object; the document is written, whole or not at all. */
int results_add(struct results *results, json_t *run);

/* Means, intervals and tests of all runs, into the document and as text. */
int results_summarise(struct results *results, FILE *out);

/* A file that appears whole or not at all. 0, or -1 after a word on standard error. */
int results_write(const struct results *results);

#endif /* EXAMPLES_EXPERIMENT_RESULTS_H */
