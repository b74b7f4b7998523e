/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_report.h - results as JSON lines, as a table for people, as Markdown.
 */
#ifndef EXAMPLES_NOTSOCLEVR_REPORT_H
#define EXAMPLES_NOTSOCLEVR_REPORT_H

#include <stdio.h>

#include "notsoclevr_train.h"
#include "common/stats.h"

/* One line of the table: a task, split and net over all seeds. */
struct summary {
    enum task task;
    enum split split;
    enum net_kind net;
    int64_t parameters;
    struct stats train, test, test_right, test_worst, epochs, seconds;
    size_t reached; /* seeds that are as good as can be asked */
};

/* What is kept of a run when its result is gone. */
struct record {
    enum task task;
    enum split split;
    enum net_kind net;
    uint64_t seed;
    double train, test, test_worst, epochs, seconds;
    const char *stopped;
};

/* One JSON object for a run; 0, or -1 where writing failed. */
int report_json(FILE *out, const struct run *run, const struct result *result);

/* One line in words: "100.00 % right on the test positions". */
void report_sentence(const struct run *run, const struct result *result, char *text, size_t size);

void summary_start(struct summary *summary, const struct run *run);
void summary_add(struct summary *summary, const struct result *result);

/* The whole table, in columns for a terminal or in Markdown. */
void report_table(FILE *out, const struct summary *summaries, size_t count, int markdown);

struct record record_of(const struct run *run, const struct result *result);

/* Every run by itself, in Markdown. */
void report_records(FILE *out, const struct record *records, size_t count);

#endif /* EXAMPLES_NOTSOCLEVR_REPORT_H */
