/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr.c - the whole Not-so-Clevr data set: three tasks, two splits, and for
 * each the CoordConv net, the convolution baseline, and a net wired by hand.
 *
 * Trains each net within a budget of seconds, then leaves in the output folder
 * results.json (a line a run), table.md and pictures.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/interrupt.h"
#include "notsoclevr_pictures.h"
#include "notsoclevr_report.h"
#include "common/options.h"

enum {
    ALL_TASKS = TASKS, /* the last choice of --task; --split and --net likewise */
    BOTH_SPLITS = SPLITS,
    ALL_NETS = NET_KINDS,
    MOST_SUMMARIES = TASKS * SPLITS * NET_KINDS,
    PATH_SIZE = 4096
};

static const char *const task_choices[] = { "classification", "regression", "rendering", "all",
                                            NULL };
static const char *const split_choices[] = {
    "uniform", "quadrant", "uniform-validation", "quadrant-validation", "both", NULL
};
static const char *const net_choices[] = { "coordconv", "baseline", "analytic", "all", NULL };

struct job {
    int task, split, net; /* places in the choices above */
    long seeds, seed;     /* seeds 1 .. seeds, or seed alone if it is not -1 */
    long threads, epochs;
    double budget;
    const char *out, *json;
    int quiet;

    char json_path[PATH_SIZE];
    FILE *json_file;
    struct summary summaries[MOST_SUMMARIES];
    size_t summary_count;
    struct map maps[MOST_SUMMARIES]; /* of the first seed */
    struct record *records;
    size_t record_count, record_room;
};

static enum options_result read_options(struct job *job, int argc, char **argv)
{
    const struct option options[] = {
        { "task", OPTION_CHOICE, &job->task, task_choices, 0, 0, "TASK", "what to learn" },
        { "split", OPTION_CHOICE, &job->split, split_choices, 0, 0, "SPLIT",
          "which positions to test on" },
        { "net", OPTION_CHOICE, &job->net, net_choices, 0, 0, "NET", "which net" },
        { "seeds", OPTION_WHOLE, &job->seeds, NULL, 1, 1e6, "N", "run the seeds 1 to N (1)" },
        { "seed", OPTION_WHOLE, &job->seed, NULL, 0, 1e9, "K", "run the seed K alone" },
        { "threads", OPTION_WHOLE, &job->threads, NULL, 1, 1024, "N",
          "most threads (one a processor)" },
        { "budget", OPTION_REAL, &job->budget, NULL, 0.1, 1e7, "SECONDS",
          "most seconds a run (60; rendering 120; baselines 20)" },
        { "epochs", OPTION_WHOLE, &job->epochs, NULL, 1, 1e6, "N",
          "epochs a run (depends on task and net)" },
        { "out", OPTION_TEXT, &job->out, NULL, 0, 0, "DIR", "folder for the results (notsoclevr)" },
        { "json", OPTION_TEXT, &job->json, NULL, 0, 0, "FILE",
          "JSON lines, one a run (DIR/results.json)" },
        { "quiet", OPTION_FLAG, &job->quiet, NULL, 0, 0, NULL, "no progress, only the table" },
    };
    const size_t count = sizeof options / sizeof options[0];
    char message[200];
    const enum options_result result =
        options_parse(options, count, argc, argv, message, sizeof message);

    if (result == OPTIONS_HELP) {
        puts("Usage: notsoclevr [options]\n\nTrain CoordConv and plain convolution nets on "
             "Not-so-Clevr and compare them.\n");
        options_print(stdout, options, count);
    } else if (result == OPTIONS_WRONG) {
        fprintf(stderr, "notsoclevr: %s\nnotsoclevr --help lists the options\n", message);
    }
    return result;
}

/* ---- files ---- */

static int complain(const char *path)
{
    fprintf(stderr, "notsoclevr: %s: %s\n", path, strerror(errno));
    return -1;
}

/* A file in the output folder. */
static void path_in(const struct job *job, char *path, const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", job->out, name);
}

static int open_results(struct job *job)
{
    if (mkdir(job->out, 0777) != 0 && errno != EEXIST)
        return complain(job->out);
    path_in(job, job->json_path, "results.json");
    if (job->json == NULL)
        job->json = job->json_path;
    job->json_file = strcmp(job->json, "-") == 0 ? stdout : fopen(job->json, "w");
    if (job->json_file == NULL)
        return complain(job->json);
    return 0;
}

static int close_results(struct job *job)
{
    if (job->json_file == NULL || job->json_file == stdout)
        return 0;
    return fclose(job->json_file) == 0 ? 0 : complain("results");
}

static int write_table(const struct job *job)
{
    char path[PATH_SIZE];

    path_in(job, path, "table.md");
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return complain(path);
    report_table(out, job->summaries, job->summary_count, 1);
    report_records(out, job->records, job->record_count);
    return fclose(out) == 0 ? 0 : complain(path);
}

static int write_overview(const struct job *job)
{
    char path[PATH_SIZE], message[PATH_SIZE + 80];

    path_in(job, path, "overview.png");
    if (picture_overview(path, job->maps, job->summary_count, message, sizeof message) == 0)
        return 0;
    fprintf(stderr, "notsoclevr: %s\n", message);
    return -1;
}

/* "classification-quadrant-coordconv.png"; further seeds carry their number. */
static int write_picture(const struct job *job, const struct run *run, const struct result *result,
                         int is_first)
{
    char name[160], path[PATH_SIZE], message[PATH_SIZE + 80], seed[32] = "";

    if (!is_first)
        snprintf(seed, sizeof seed, "-seed%llu", (unsigned long long)run->seed);
    snprintf(name, sizeof name, "%s-%s-%s%s.png", task_name(run->task), split_name(run->split),
             net_name(run->net), seed);
    path_in(job, path, name);
    if (picture_run(path, run, result, message, sizeof message) == 0)
        return 0;
    fprintf(stderr, "notsoclevr: %s\n", message);
    return -1;
}

/* ---- runs ---- */

static void announce(const struct run *run, const struct result *result)
{
    char sentence[96];

    if (run->quiet)
        return;
    report_sentence(run, result, sentence, sizeof sentence);
    fprintf(stderr, "%s %s %s %llu: %s; %.4g epochs, %.1f s, %s\n", task_name(run->task),
            split_name(run->split), net_name(run->net), (unsigned long long)run->seed, sentence,
            result->epochs, result->seconds, result->stopped);
}

static int keep_record(struct job *job, const struct record *record)
{
    if (job->record_count == job->record_room) {
        const size_t room = job->record_room > 0 ? 2 * job->record_room : 32;
        struct record *more = realloc(job->records, room * sizeof *more);

        if (more == NULL)
            return complain("results");
        job->records = more;
        job->record_room = room;
    }
    job->records[job->record_count++] = *record;
    return 0;
}

/* Train, then write everything that is known about this run. */
static int do_run(struct job *job, const struct run *run, struct result *result, int is_first)
{
    struct summary *summary = &job->summaries[job->summary_count];
    const coordconv_status status = run_train(run, result);

    if (status != COORDCONV_OK) {
        fprintf(stderr, "notsoclevr: %s: %s\n", coordconv_status_name(status),
                coordconv_last_error());
        return -1;
    }
    announce(run, result);
    if (is_first) {
        summary_start(summary, run);
        map_make(&job->maps[job->summary_count], run, result);
    }
    summary_add(summary, result);
    const struct record record = record_of(run, result);
    if (keep_record(job, &record) != 0)
        return -1;
    if (report_json(job->json_file, run, result) != 0)
        return complain(job->json);
    return write_picture(job, run, result, is_first);
}

/* All seeds of one task, split and net; an analytic net has nothing that a seed could change. */
static int do_seeds(struct job *job, struct run *run)
{
    const long first = job->seed >= 0 ? job->seed : 1;
    const long last = job->seed >= 0 || run->net == ANALYTIC ? first : job->seeds;
    struct result *result = calloc(1, sizeof *result);
    int failed = result == NULL ? complain("results") : 0;

    for (long seed = first; seed <= last && failed == 0 && !interrupt_asked(); seed++) {
        run->seed = (uint64_t)seed;
        failed = do_run(job, run, result, seed == first);
        result_free(result);
    }
    free(result);
    if (job->summaries[job->summary_count].train.count > 0)
        job->summary_count++;
    return failed;
}

static int is_wanted(int choice, int all, int value)
{
    return choice == all || choice == value;
}

static int is_split_wanted(const struct job *job, int split)
{
    return job->split == BOTH_SPLITS ? split == UNIFORM || split == QUADRANT : job->split == split;
}

static int do_all(struct job *job)
{
    struct run run = { .threads = (int32_t)job->threads,
                       .budget = job->budget,
                       .epochs = job->epochs,
                       .quiet = job->quiet,
                       .interrupted = interrupt_asked };
    int failed = 0;

    for (int task = 0; task < TASKS; task++) {
        for (int split = 0; split < SPLITS; split++) {
            for (int net = 0; net < NET_KINDS; net++) {
                if (!is_wanted(job->task, ALL_TASKS, task) || !is_split_wanted(job, split) ||
                    !is_wanted(job->net, ALL_NETS, net) || failed != 0 || interrupt_asked())
                    continue;
                run.task = (enum task)task;
                run.split = (enum split)split;
                run.net = (enum net_kind)net;
                failed = do_seeds(job, &run);
            }
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    /* Static: two maps and sums a summary are too much for a stack. */
    static struct job job = { .task = ALL_TASKS,
                              .split = BOTH_SPLITS,
                              .net = ALL_NETS,
                              .seeds = 1,
                              .seed = -1,
                              .out = "notsoclevr" };
    const enum options_result options = read_options(&job, argc, argv);

    if (options != OPTIONS_OK)
        return options == OPTIONS_HELP ? EXIT_SUCCESS : EXIT_FAILURE;
    interrupt_catch();
    int failed = open_results(&job);
    if (failed == 0)
        failed = do_all(&job);
    if (job.summary_count > 0) {
        report_table(stdout, job.summaries, job.summary_count, 0);
        failed |= write_table(&job);
        failed |= write_overview(&job);
    }
    failed |= close_results(&job);
    free(job.records);
    if (failed != 0)
        return EXIT_FAILURE;
    if (interrupt_asked())
        fputs("notsoclevr: interrupted; what was reached is above\n", stderr);
    return interrupt_asked() ? 128 + SIGINT : EXIT_SUCCESS;
}
