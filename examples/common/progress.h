/* SPDX-License-Identifier: BSD-2-Clause
 *
 * progress.h - how far a long computation is, for a person who waits.
 *
 * On a terminal one line is redrawn in place: a bar, what is being minimised,
 * the time left. Into a file or a pipe go plain lines, one a stage, seldom
 * enough to be read later.
 */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stdio.h>

struct progress {
    FILE *out;
    int quiet;       /* write nothing */
    int terminal;    /* out is a terminal: redraw one line */
    char label[64];  /* what is being done */
    double started;  /* seconds of progress_seconds() */
    double last;     /* of the last line written */
    double interval; /* seconds between lines */
    int drawn;       /* characters on the terminal's line now */
};

/* Seconds of a clock that only goes forward. */
double progress_seconds(void);

/* Begin; quiet writes nothing at all. */
void progress_start(struct progress *p, FILE *out, int quiet, const char *label);

/* done: share of the work, 0 .. 1. note: the rest of the line, such as "loss 0.012". */
void progress_show(struct progress *p, double done, const char *note);

/* Clear the bar and write one whole line. */
void progress_line(struct progress *p, const char *line);

/* Clear the bar. */
void progress_stop(struct progress *p);

#endif /* EXAMPLES_PROGRESS_H */
