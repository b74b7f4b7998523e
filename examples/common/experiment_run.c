/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_run.c - one run: its steps, its figures, its checkpoints.
 *
 * A checkpoint is a file for each trainee. So that a kill between two of them
 * does no harm, checkpoints alternate between two generations: the files of one
 * count only where they all tell the same step.
 */
#include "experiment_run.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interrupt.h"

enum {
    GENERATIONS = 2,
    CHECKPOINT_SECONDS = 15, /* between two */
    FILE_KINDS_SIZE = 32
};

/* ---- files ---- */

/* What names a run in files: letters and digits, everything else a dash. */
static void run_name(const struct experiment_case *which, uint64_t seed, char name[256])
{
    snprintf(name, 256, "%s%s%s-%llu", which->condition, which->condition[0] != '\0' ? "-" : "",
             which->variant, (unsigned long long)seed);
    for (char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c))
            *c = '-';
}

static void run_path(const struct settings *settings, const struct experiment_case *which,
                     uint64_t seed, const char *kind, char path[PATH_SIZE])
{
    char name[256], file[256 + FILE_KINDS_SIZE + 16];

    run_name(which, seed, name);
    snprintf(file, sizeof file, "%s%s.safetensors", name, kind);
    settings_path(settings, file, path);
}

void run_weights_path(const struct settings *settings, const struct experiment_case *which,
                      uint64_t seed, int32_t i, char path[PATH_SIZE])
{
    char kind[FILE_KINDS_SIZE];

    snprintf(kind, sizeof kind, "-%d", (int)i);
    run_path(settings, which, seed, kind, path);
}

static void checkpoint_path(const struct run *run, int generation, int32_t i, char path[PATH_SIZE])
{
    char kind[FILE_KINDS_SIZE];

    snprintf(kind, sizeof kind, ".checkpoint-%c%d", 'a' + generation, (int)i);
    run_path(run->settings, run->which, run->seed, kind, path);
}

coordconv_status run_keep_weights(const struct run *run)
{
    coordconv_status status = COORDCONV_OK;

    for (int32_t i = 0; i < run->state->trainee_count && status == COORDCONV_OK; i++) {
        char path[PATH_SIZE];

        run_weights_path(run->settings, run->which, run->seed, i, path);
        status = coordconv_save(run->state->trainees[i].model, NULL, path, 0, NULL);
    }
    return status;
}

void run_forget_checkpoints(const struct run *run)
{
    for (int generation = 0; generation < GENERATIONS; generation++) {
        for (int32_t i = 0; i < run->state->trainee_count; i++) {
            char path[PATH_SIZE];

            checkpoint_path(run, generation, i, path);
            unlink(path);
        }
    }
}

/* ---- checkpoints ---- */

/* Text of what a run has shown so far, to be freed. */
static char *dump_progress(const struct run *run)
{
    json_t *all = json_pack("{s:I, s:f, s:f, s:O, s:O}", "step", (json_int_t)run->step, "seconds",
                            run_seconds(run), "core_seconds", run_core_seconds(run), "figures",
                            run->state->figures, "curves", run->state->curves);
    char *text = all != NULL ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;

    json_decref(all);
    return text;
}

static coordconv_status write_checkpoint(struct run *run)
{
    struct run_state *s = run->state;
    char *progress = dump_progress(run);
    coordconv_status status = progress != NULL ? COORDCONV_OK : COORDCONV_ERR_NOMEM;

    for (int32_t i = 0; i < s->trainee_count && status == COORDCONV_OK; i++) {
        char path[PATH_SIZE], step[32];

        snprintf(step, sizeof step, "%lld", (long long)run->step);
        const coordconv_metadata words[] = { { "experiment", s->id },
                                             { "step", step },
                                             { "progress", progress } };
        checkpoint_path(run, s->generation, i, path);
        status = coordconv_save(s->trainees[i].model, s->trainees[i].optimizer, path, 3, words);
    }
    free(progress);
    s->generation = (s->generation + 1) % GENERATIONS;
    s->saved = progress_seconds();
    return status;
}

/* A word that a checkpoint keeps, to be freed; NULL where there is none. */
static char *read_word(const struct run *run, const char *path, const char *key)
{
    size_t length = 0;

    if (access(path, R_OK) != 0)
        return NULL;
    coordconv_load_metadata(run->context, path, key, NULL, 0, &length);
    char *word = calloc(length + 1, 1);
    if (word != NULL && coordconv_load_metadata(run->context, path, key, word, length + 1,
                                                &length) != COORDCONV_OK) {
        free(word);
        word = NULL;
    }
    return word;
}

/* The step that a file was saved at; -1 for none of this experiment. */
static int64_t file_step(const struct run *run, int generation, int32_t i)
{
    char path[PATH_SIZE];

    checkpoint_path(run, generation, i, path);
    char *id = read_word(run, path, "experiment"), *step = read_word(run, path, "step");
    const int is_ours = id != NULL && step != NULL && strcmp(id, run->state->id) == 0;
    const int64_t result = is_ours ? strtoll(step, NULL, 10) : -1;

    free(id);
    free(step);
    return result;
}

/* The step of a generation whose files are all there; else -1. */
static int64_t generation_step(const struct run *run, int generation)
{
    const int64_t step = file_step(run, generation, 0);

    for (int32_t i = 1; i < run->state->trainee_count; i++)
        if (file_step(run, generation, i) != step)
            return -1;
    return step;
}

static void load_progress(struct run *run, const char *text)
{
    struct run_state *s = run->state;
    json_t *all = json_loads(text, 0, NULL);
    json_t *figures = json_object_get(all, "figures"), *curves = json_object_get(all, "curves");

    if (json_is_object(figures))
        json_object_update(s->figures, figures);
    if (json_is_object(curves))
        json_object_update(s->curves, curves);
    s->before = json_number_value(json_object_get(all, "seconds"));
    s->core_before = json_number_value(json_object_get(all, "core_seconds"));
    json_decref(all);
}

static coordconv_status load_generation(struct run *run, int generation, int64_t step)
{
    struct run_state *s = run->state;
    coordconv_status status = COORDCONV_OK;
    char path[PATH_SIZE];

    for (int32_t i = 0; i < s->trainee_count && status == COORDCONV_OK; i++) {
        checkpoint_path(run, generation, i, path);
        status = coordconv_load(s->trainees[i].model, s->trainees[i].optimizer, path);
    }
    if (status != COORDCONV_OK)
        return status;
    checkpoint_path(run, generation, 0, path);
    char *progress = read_word(run, path, "progress");
    if (progress != NULL)
        load_progress(run, progress);
    free(progress);
    run->step = s->first_step = step;
    s->generation = (generation + 1) % GENERATIONS;
    return COORDCONV_OK;
}

static coordconv_status load_checkpoint(struct run *run)
{
    const int64_t a = generation_step(run, 0), b = generation_step(run, 1);

    if (a < 0 && b < 0)
        return COORDCONV_OK;
    return load_generation(run, b > a, b > a ? b : a);
}

/* ---- steps ---- */

static double core_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

void run_open(struct run *run, struct run_state *state, const char *label)
{
    run->state = state;
    state->figures = json_object();
    state->curves = json_object();
    state->started = state->saved = progress_seconds();
    state->core_started = core_seconds();
    progress_start(&state->progress, stderr, run->settings->quiet, label);
}

void run_close(struct run *run)
{
    struct run_state *s = run->state;

    progress_stop(&s->progress);
    for (int32_t i = 0; i < s->trainee_count; i++) {
        coordconv_model_unref(s->trainees[i].model);
        coordconv_optimizer_unref(s->trainees[i].optimizer);
    }
    json_decref(s->figures);
    json_decref(s->curves);
}

double run_seconds(const struct run *run)
{
    return run->state->before + progress_seconds() - run->state->started;
}

double run_core_seconds(const struct run *run)
{
    return run->state->core_before + core_seconds() - run->state->core_started;
}

coordconv_status run_begin(struct run *run, const struct trainee *trainees, int32_t count,
                           int64_t steps)
{
    struct run_state *s = run->state;

    for (int32_t i = 0; i < count; i++) {
        s->trainees[i].model = coordconv_model_ref(trainees[i].model);
        s->trainees[i].optimizer = coordconv_optimizer_ref(trainees[i].optimizer);
    }
    s->trainee_count = count;
    run->steps = run->settings->steps > 0 ? run->settings->steps : steps;
    return run->settings->resume ? load_checkpoint(run) : COORDCONV_OK;
}

static int is_over_budget(const struct run *run)
{
    return run_seconds(run) > run->settings->budget;
}

/* Not a run that was paused there in an earlier process. */
static int is_paused(const struct run *run)
{
    const long pause_at = run->settings->pause_at;

    return pause_at > 0 && run->step >= pause_at && run->state->first_step < pause_at;
}

int run_stopped(const struct run *run)
{
    return run->step < run->steps && (interrupt_asked() || is_paused(run));
}

int run_goes_on(const struct run *run)
{
    return run->step < run->steps && !run_stopped(run) && !is_over_budget(run);
}

coordconv_status run_advance(struct run *run, const char *note)
{
    struct run_state *s = run->state;

    run->step++;
    progress_show(
        &s->progress,
        fmax((double)run->step / (double)run->steps, run_seconds(run) / run->settings->budget),
        note);
    if (run_stopped(run) || progress_seconds() - s->saved > CHECKPOINT_SECONDS)
        return write_checkpoint(run);
    return COORDCONV_OK;
}

/* ---- what a run shows ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void run_figure(struct run *run, const char *metric, double value)
{
    json_object_set_new(run->state->figures, metric, number(value));
}

void run_point(struct run *run, const char *curve, double x, double y)
{
    json_t *points = json_object_get(run->state->curves, curve);

    if (points == NULL) {
        points = json_array();
        json_object_set_new(run->state->curves, curve, points);
    }
    json_array_append_new(points, json_pack("[o, o]", number(x), number(y)));
}

void run_say(struct run *run, const char *line)
{
    progress_line(&run->state->progress, line);
}

static int64_t parameters(const struct run *run)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < run->state->trainee_count; i++)
        sum += coordconv_model_parameter_count(run->state->trainees[i].model);
    return sum;
}

json_t *run_result(const struct run *run)
{
    const char *stopped = run->step >= run->steps ? "schedule" : "budget";

    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:s, s:O, s:O}", "condition",
                     run->which->condition, "variant", run->which->variant, "seed",
                     (json_int_t)run->seed, "parameters", (json_int_t)parameters(run), "steps",
                     (json_int_t)run->step, "seconds", run_seconds(run), "core_seconds",
                     run_core_seconds(run), "stopped", stopped, "figures", run->state->figures,
                     "curves", run->state->curves);
}
