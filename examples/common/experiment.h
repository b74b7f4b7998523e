/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment.h - what the programs of the paper's experiments share.
 *
 * An experiment trains each of its cases (a variant of a net, under a condition)
 * with each of several seeds. This file has the options they all take, the loop
 * over the runs, the checkpoints that a killed run goes on from, and the
 * results: one JSON document, a table with means, standard deviations and 95 %
 * intervals, and paired tests between variants.
 *
 * What a run gives depends on its case, its seed and the program's own options
 * alone: not on the clock, unless a budget ends it, nor on the threads.
 */
#ifndef EXAMPLES_EXPERIMENT_H
#define EXAMPLES_EXPERIMENT_H

#include <coordconv/coordconv.h>

#include "options.h"

struct results;

/* What the command line says; every experiment takes these options. */
struct settings {
    long seeds, first_seed;
    long threads;    /* 0: one a usable processor */
    long steps;      /* 0: what the program's recipe says */
    long pause_at;   /* 0: never; else stop where a run comes to this step, as an interrupt would */
    double budget;   /* seconds a run */
    const char *out; /* folder of the results */
    const char *json;
    const char *mnist; /* NULL: not said */
    int quiet, resume, quick;
    const struct results *results; /* for finished_figure() and finished_curve() */
};

struct experiment_case {
    const char *condition; /* "" where there is but one */
    const char *variant;
};

/* Two variants compared under every condition they share, seed by seed. */
struct comparison {
    const char *metric, *variant, *against;
};

struct run_state;

/* One case with one seed, while it runs. */
struct run {
    const struct settings *settings;
    const struct experiment_case *which;
    uint64_t seed;
    coordconv_context *context; /* of the seed and the threads */
    int64_t step, steps;        /* done; all of them */
    struct run_state *state;
};

struct experiment {
    const char *name;  /* of the program */
    const char *about; /* what it does, for --help */
    const struct experiment_case *cases;
    size_t case_count;
    const struct comparison *comparisons;
    size_t comparison_count;
    /* Those of the table, NULL at the end. What the machine decides is called ..._seconds or
     * ..._bytes; everything else depends on the run alone. */
    const char *const *metrics;
    long seeds, quick_seeds;      /* defaults of --seeds, without and with --quick */
    double budget;                /* default of --budget */
    const struct option *options; /* of this program alone */
    size_t option_count;
    int uses_mnist;      /* what --mnist says counts */
    int forgets_weights; /* no run_weights_path(): they are large, and finish() does without */
    void *user;

    /* Once, before anything is written; may be NULL. */
    coordconv_status (*prepare)(const struct settings *settings, void *user);

    /*
     * Train and judge one case with one seed. A run that was stopped is not
     * judged: return COORDCONV_OK when run_stopped() says so.
     */
    coordconv_status (*run)(struct run *run, void *user);

    /*
     * Once, after the last run: pictures. The trained weights of a run lie in
     * run_weights_path(), what it gave is told by finished_figure() and
     * finished_curve(). May be NULL.
     */
    coordconv_status (*finish)(const struct settings *settings, void *user);
};

/* The whole program: what main() returns. */
int experiment_main(const struct experiment *experiment, int argc, char **argv);

/* ---- what a run calls ---- */

/* A model and its optimizer, as a checkpoint holds them. */
struct trainee {
    coordconv_model *model;
    coordconv_optimizer *optimizer;
};

enum {
    MOST_TRAINEES = 4
};

/*
 * Begin training: `steps` of them unless --steps says otherwise. The run keeps
 * references of its own to the trainees. Where it goes on from a checkpoint, their
 * weights and optimizers are loaded and run->step is the first step to do.
 *
 *     status = run_begin(run, trainees, count, 2000);
 *     while (status == COORDCONV_OK && run_goes_on(run)) {
 *         status = ... step number run->step ...
 *         if (status == COORDCONV_OK)
 *             status = run_advance(run, "loss 0.1");
 *     }
 */
coordconv_status run_begin(struct run *run, const struct trainee *trainees, int32_t count,
                           int64_t steps);

/* More steps to do, and neither an interrupt nor the budget in the way. */
int run_goes_on(const struct run *run);

/* A step is done: count it, show note beside the progress, at times write a checkpoint. */
coordconv_status run_advance(struct run *run, const char *note);

/* Interrupted: what was reached is kept in a checkpoint, and nothing is to be judged. */
int run_stopped(const struct run *run);

/* A result of the run. The same metric twice: the last one counts. */
void run_figure(struct run *run, const char *metric, double value);

/* A point of a curve, kept in checkpoints and in the results. */
void run_point(struct run *run, const char *curve, double x, double y);

/* A word about the run for the person who waits. */
void run_say(struct run *run, const char *line);

/* ---- what a program's pictures are made from ---- */

enum {
    PATH_SIZE = 4096
};

/* A file in the output folder. */
void settings_path(const struct settings *settings, const char *name, char path[PATH_SIZE]);

/* The weights that trainee number i of a finished run ended with. */
void run_weights_path(const struct settings *settings, const struct experiment_case *which,
                      uint64_t seed, int32_t i, char path[PATH_SIZE]);

/*
 * A figure of a finished run; NaN where there is none. Besides those of run_figure() a run has
 * "parameters", "steps", "seconds" and "core_seconds", in the table as well.
 */
double finished_figure(const struct settings *settings, const struct experiment_case *which,
                       uint64_t seed, const char *metric);

/* The first points of a curve of a finished run, at most `most`; how many they are. */
size_t finished_curve(const struct settings *settings, const struct experiment_case *which,
                      uint64_t seed, const char *curve, size_t most, double *x, double *y);

#endif /* EXAMPLES_EXPERIMENT_H */
