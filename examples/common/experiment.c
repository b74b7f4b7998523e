/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment.c - options, and the loop over cases and seeds.
 */
#include "experiment.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "experiment_results.h"
#include "experiment_run.h"
#include "interrupt.h"

enum {
    MOST_OPTIONS = 40
};

/* ---- options ---- */

static size_t list_options(const struct experiment *e, struct settings *s,
                           struct option options[MOST_OPTIONS])
{
    const struct option common[] = {
        { "seeds", OPTION_WHOLE, &s->seeds, NULL, 1, 1e6, "N", "how many seeds of each case" },
        { "first-seed", OPTION_WHOLE, &s->first_seed, NULL, 0, 1e9, "K", "the first of them (1)" },
        { "threads", OPTION_WHOLE, &s->threads, NULL, 1, 1024, "N",
          "most threads (one a processor)" },
        { "steps", OPTION_WHOLE, &s->steps, NULL, 1, 1e9, "N", "training steps of each run" },
        { "budget", OPTION_REAL, &s->budget, NULL, 0.1, 1e7, "SECONDS", "most seconds a run" },
        { "out", OPTION_TEXT, &s->out, NULL, 0, 0, "DIR", "folder for the results" },
        { "json", OPTION_TEXT, &s->json, NULL, 0, 0, "FILE", "the results (DIR/results.json)" },
        { "resume", OPTION_FLAG, &s->resume, NULL, 0, 0, NULL, "go on where DIR's runs ended" },
        { "pause-at", OPTION_WHOLE, &s->pause_at, NULL, 1, 1e9, "N",
          "stop where a run comes to step N, as Ctrl-C would" },
        { "quick", OPTION_FLAG, &s->quick, NULL, 0, 0, NULL, "fewer seeds and shorter runs" },
        { "quiet", OPTION_FLAG, &s->quiet, NULL, 0, 0, NULL, "no progress, only the table" },
        { "mnist", OPTION_TEXT, &s->mnist, NULL, 0, 0, "DIR",
          e->uses_mnist ? "folder of the four MNIST files" : "not used by this program" },
    };
    const size_t count = sizeof common / sizeof common[0];

    memcpy(options, common, count * sizeof common[0]);
    if (e->option_count > 0)
        memcpy(options + count, e->options, e->option_count * sizeof common[0]);
    return count + e->option_count;
}

static void print_help(const struct experiment *e, const struct option *options, size_t count)
{
    printf("Usage: %s [options]\n\n%s\n\n%ld seeds of each case (%ld with --quick), at most %g "
           "seconds a run.\n\n",
           e->name, e->about, e->seeds, e->quick_seeds, e->budget);
    options_print(stdout, options, count);
}

static enum options_result read_options(const struct experiment *e, struct settings *s, int argc,
                                        char *const *argv)
{
    struct option options[MOST_OPTIONS];
    const size_t count = list_options(e, s, options);
    char message[200];
    const enum options_result result =
        options_parse(options, count, argc, argv, message, sizeof message);

    if (result == OPTIONS_HELP)
        print_help(e, options, count);
    else if (result == OPTIONS_WRONG)
        fprintf(stderr, "%s: %s\n%s --help lists the options\n", e->name, message, e->name);
    if (s->seeds == 0)
        s->seeds = s->quick ? e->quick_seeds : e->seeds;
    return result;
}

void settings_path(const struct settings *settings, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", settings->out, name);
}

/* ---- runs ---- */

static int complain(const struct experiment *e, const char *what, coordconv_status status)
{
    fprintf(stderr, "%s: %s: %s: %s\n", e->name, what, coordconv_status_name(status),
            coordconv_last_error());
    return -1;
}

/* Train and judge; what the run gave is in the results when this returns. */
static coordconv_status do_run(struct results *r, struct run *run, int *failed)
{
    const struct experiment *e = r->experiment;
    coordconv_status status = e->run(run, e->user);

    if (run_stopped(run))
        interrupt_ask(); /* a pause ends the program as well */
    if (status != COORDCONV_OK || run_stopped(run))
        return status;
    if (!e->forgets_weights)
        status = run_keep_weights(run);
    if (status == COORDCONV_OK) {
        *failed = results_add(r, run_result(run));
        if (*failed == 0)
            run_forget_checkpoints(run);
    }
    return status;
}

static int run_case(struct results *r, const struct experiment_case *which, uint64_t seed)
{
    const struct coordconv_context_desc desc = { .struct_size = sizeof desc,
                                                 .seed = seed,
                                                 .threads = (int32_t)r->settings->threads };
    struct run_state state = { .id = results_id(r) };
    struct run run = { .settings = r->settings, .which = which, .seed = seed };
    char label[64];
    int failed = 0;
    coordconv_status status = coordconv_context_new(&desc, &run.context);

    if (status != COORDCONV_OK)
        return complain(r->experiment, "context", status);
    snprintf(label, sizeof label, "%s%s%s seed %llu", which->condition,
             which->condition[0] != '\0' ? " " : "", which->variant, (unsigned long long)seed);
    run_open(&run, &state, label);
    status = do_run(r, &run, &failed);
    run_close(&run);
    coordconv_context_unref(run.context);
    return status != COORDCONV_OK ? complain(r->experiment, label, status) : failed;
}

/* Seeds outermost, so that all cases have as many when the time is up. */
static int run_all(struct results *r)
{
    const struct experiment *e = r->experiment;
    const uint64_t first = (uint64_t)r->settings->first_seed;
    int failed = 0;

    for (uint64_t seed = first; seed < first + (uint64_t)r->settings->seeds; seed++)
        for (size_t i = 0; i < e->case_count; i++)
            if (failed == 0 && !interrupt_asked() && !results_has(r, &e->cases[i], seed))
                failed = run_case(r, &e->cases[i], seed);
    return failed;
}

static int all_done(const struct results *r)
{
    const struct experiment *e = r->experiment;
    const uint64_t first = (uint64_t)r->settings->first_seed;

    for (uint64_t seed = first; seed < first + (uint64_t)r->settings->seeds; seed++)
        for (size_t i = 0; i < e->case_count; i++)
            if (!results_has(r, &e->cases[i], seed))
                return 0;
    return 1;
}

/* Runs, table, pictures. */
static int do_all(struct results *r)
{
    const struct experiment *e = r->experiment;
    int failed = run_all(r);

    failed |= results_summarise(r, stdout);
    if (failed == 0 && all_done(r) && e->finish != NULL) {
        const coordconv_status status = e->finish(r->settings, e->user);
        if (status != COORDCONV_OK)
            return complain(e, "pictures", status);
    }
    return failed;
}

/* 0, or -1 after a word on standard error. */
static int prepare(const struct experiment *e, const struct settings *settings)
{
    const coordconv_status status =
        e->prepare != NULL ? e->prepare(settings, e->user) : COORDCONV_OK;

    if (status != COORDCONV_OK)
        return complain(e, "data", status);
    if (mkdir(settings->out, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s: %s\n", e->name, settings->out, strerror(errno));
        return -1;
    }
    return 0;
}

int experiment_main(const struct experiment *e, int argc, char **argv)
{
    struct settings settings = { .first_seed = 1, .budget = e->budget, .out = e->name };
    struct results results;
    const enum options_result options = read_options(e, &settings, argc, argv);

    if (options != OPTIONS_OK)
        return options == OPTIONS_HELP ? EXIT_SUCCESS : EXIT_FAILURE;
    interrupt_catch();
    int failed = prepare(e, &settings);
    if (failed == 0)
        failed = results_open(&results, e, &settings, argc, argv);
    if (failed != 0)
        return EXIT_FAILURE;
    settings.results = &results;
    failed = do_all(&results);
    const int is_whole = all_done(&results);
    results_close(&results);
    if (failed != 0)
        return EXIT_FAILURE;
    if (!is_whole)
        fprintf(stderr, "%s: interrupted; --resume goes on\n", e->name);
    return is_whole ? EXIT_SUCCESS : 128 + SIGINT;
}
