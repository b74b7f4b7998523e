/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_train.c - one run: build a net, train it, evaluate it.
 *
 * The test positions have no say in the training: they are looked at after
 * each epoch for the curves and at the end for the result.
 */
#include "notsoclevr_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notsoclevr_recipes.h"
#include "common/progress.h"

enum {
    INFERENCE_BATCH = 16,
    EARLY_STEPS = 32,
    WATCHED = 128 /* test positions that the curves are drawn from */
};

struct trainer {
    const struct run *run;
    struct recipe recipe;
    struct data_set set;
    struct batch full,
        rest;           /* rest: the last, smaller batch of an epoch; no plan if there is none */
    struct batch check; /* inference */
    coordconv_optimizer *optimizer;
    coordconv_schedule_desc schedule;
    const struct batch *current; /* the one the optimizer stands on */
    int64_t steps, steps_an_epoch, planned;
    double started, first_step;
    struct progress progress;
    struct result *result;
};

/* Sums over an epoch under way. */
struct tally {
    double loss, score;
    int64_t batches, samples, right;
};

/* ---- setting up ---- */

static coordconv_status make_optimizer(struct trainer *t)
{
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                            .kind = COORDCONV_ADAM,
                                            .learning_rate = t->recipe.rate,
                                            .beta2 = 0.99,
                                            .weight_decay = 2 * t->recipe.penalty,
                                            .clip_norm = t->recipe.clip,
                                            .decay = COORDCONV_DECAY_KERNELS };

    t->current = &t->full;
    return coordconv_optimizer_new(t->full.plan, &desc, &t->optimizer);
}

/* Train for this many steps; the rate reaches its end with them. */
static void set_length(struct trainer *t, int64_t steps)
{
    t->planned = steps;
    t->schedule = (coordconv_schedule_desc){ .struct_size = sizeof t->schedule,
                                             .kind = COORDCONV_SCHEDULE_COSINE,
                                             .rate = t->recipe.rate,
                                             .final_rate = t->recipe.rate * 1e-3,
                                             .total = (double)steps };
}

static coordconv_status trainer_start(struct trainer *t, const struct net *net,
                                      coordconv_context *context)
{
    const int64_t batch = t->recipe.batch, count = t->set.train_count;
    coordconv_status status = batch_new_training(&t->full, net, context, batch);

    if (status == COORDCONV_OK && count % batch != 0)
        status = batch_new_training(&t->rest, net, context, count % batch);
    if (status == COORDCONV_OK)
        status = make_optimizer(t);
    t->steps_an_epoch = (count + batch - 1) / batch;
    set_length(t, t->recipe.epochs * t->steps_an_epoch);
    return status;
}

static void trainer_free(struct trainer *t)
{
    coordconv_optimizer_unref(t->optimizer);
    batch_free(&t->full);
    batch_free(&t->rest);
    batch_free(&t->check);
}

/* ---- time ---- */

static double elapsed(const struct trainer *t)
{
    return progress_seconds() - t->started;
}

/* The last evaluation needs a forward pass over everything: a third of an epoch, about. */
static double time_for_training(const struct trainer *t)
{
    const double spent = progress_seconds() - t->first_step;
    const double a_step = t->steps > 10 ? spent / (double)t->steps : 0; /* the first are slower */

    return t->recipe.budget - a_step * (double)t->steps_an_epoch * 0.4;
}

/*
 * Once it is known what a step costs: where the steps of the recipe do not fit
 * into the budget, plan for as many as do, so that the rate still reaches its
 * end. Asked after the first epoch, and early in it where not even that fits.
 * With room enough nothing changes: the result does not depend on the clock.
 */
static void fit_into_budget(struct trainer *t)
{
    const double a_step = (progress_seconds() - t->first_step) / (double)t->steps;
    const double left = time_for_training(t) - elapsed(t);
    const int64_t fitting = t->steps + (int64_t)(0.97 * fmax(left, 0) / a_step);
    const int64_t wanted = t->recipe.epochs * t->steps_an_epoch;
    char line[200];

    if (fitting >= wanted || (t->steps < t->steps_an_epoch && fitting > t->steps_an_epoch))
        return;
    set_length(t, fitting);
    snprintf(line, sizeof line, "%s: the budget of %g s has room for %.1f of %ld epochs",
             t->progress.label, t->recipe.budget, (double)fitting / (double)t->steps_an_epoch,
             t->recipe.epochs);
    progress_line(&t->progress, line);
}

/* Why to stop now, or NULL. */
static const char *reason_to_stop(const struct trainer *t)
{
    if (t->run->interrupted != NULL && t->run->interrupted())
        return "interrupted";
    if (t->steps >= t->planned)
        return t->planned < t->recipe.epochs * t->steps_an_epoch ? "budget" : "schedule";
    return elapsed(t) > time_for_training(t) ? "budget" : NULL;
}

/* ---- an epoch ---- */

static coordconv_status move_to(struct trainer *t, const struct batch *batch)
{
    if (t->current == batch)
        return COORDCONV_OK;
    t->current = batch;
    return coordconv_optimizer_set_plan(t->optimizer, batch->plan);
}

/* One batch forward, backward, and a step of the optimizer. */
static coordconv_status train_batch(struct trainer *t, struct batch *batch,
                                    const int64_t *positions, struct tally *tally)
{
    double rate = 0;
    coordconv_status status = coordconv_schedule_rate(&t->schedule, (double)t->steps, &rate);

    if (status == COORDCONV_OK)
        status = coordconv_optimizer_set_learning_rate(t->optimizer, rate);
    if (status == COORDCONV_OK)
        status = move_to(t, batch);
    if (status == COORDCONV_OK)
        status = batch_run(batch, positions);
    if (status == COORDCONV_OK)
        status = coordconv_optimizer_step(t->optimizer);
    if (status != COORDCONV_OK)
        return status;
    t->steps++;
    tally->batches++;
    tally->loss += (double)*(const float *)coordconv_tensor_data(batch->loss);
    for (int64_t i = 0; i < batch->size; i++) {
        struct outcome outcome;

        judge(t->run->task, positions[i], batch_answer(batch, i), reading_training, &outcome);
        tally->score += (double)outcome.score;
        tally->right += outcome.right;
        tally->samples++;
    }
    return COORDCONV_OK;
}

static void show_progress(struct trainer *t, const struct tally *tally)
{
    const double by_steps = (double)t->steps / (double)t->planned;
    const double by_time = elapsed(t) / t->recipe.budget;
    char note[80];

    snprintf(note, sizeof note, "epoch %.1f of %.3g  loss %.3g  %s %.4g",
             (double)t->steps / (double)t->steps_an_epoch,
             (double)t->planned / (double)t->steps_an_epoch, tally->loss / (double)tally->batches,
             metric_name(t->run->task), tally->score / (double)tally->samples);
    progress_show(&t->progress, fmax(by_steps, by_time), note);
}

/* The training positions in the order of this epoch. */
static coordconv_status shuffle(const struct trainer *t, long epoch, int64_t *positions)
{
    int64_t order[POSITIONS];
    const coordconv_status status =
        coordconv_permutation(t->run->seed, (uint64_t)epoch, t->set.train_count, order);

    for (int64_t i = 0; i < t->set.train_count && status == COORDCONV_OK; i++)
        positions[i] = t->set.train[order[i]];
    return status;
}

static coordconv_status train_epoch(struct trainer *t, long epoch, struct tally *tally,
                                    const char **stop)
{
    int64_t positions[POSITIONS];
    const int64_t count = t->set.train_count, size = t->recipe.batch;
    coordconv_status status = shuffle(t, epoch, positions);

    for (int64_t at = 0; at < count && status == COORDCONV_OK && *stop == NULL; at += size) {
        struct batch *batch = count - at >= size ? &t->full : &t->rest;

        status = train_batch(t, batch, positions + at, tally);
        if (status == COORDCONV_OK) {
            if (t->steps == EARLY_STEPS || t->steps == t->steps_an_epoch)
                fit_into_budget(t);
            show_progress(t, tally);
            *stop = reason_to_stop(t);
        }
    }
    return status;
}

/* ---- the whole training ---- */

static int history_new(struct history *h, size_t capacity)
{
    h->capacity = capacity;
    h->epoch = calloc(4 * capacity, sizeof *h->epoch);
    if (h->epoch == NULL)
        return 0;
    h->loss = h->epoch + capacity;
    h->train = h->loss + capacity;
    h->test = h->train + capacity;
    return 1;
}

static coordconv_status add_to_history(struct trainer *t, const struct tally *tally)
{
    struct history *h = &t->result->history;
    int64_t watched[WATCHED];
    double score = 0;

    if (h->count == h->capacity)
        return COORDCONV_OK;
    for (int64_t i = 0; i < WATCHED; i++)
        watched[i] = t->set.test[i * t->set.test_count / WATCHED];
    const coordconv_status status =
        evaluate_some(&t->check, t->run->task, watched, WATCHED, &score);
    if (status != COORDCONV_OK)
        return status;
    h->epoch[h->count] = (double)t->steps / (double)t->steps_an_epoch;
    h->loss[h->count] = tally->loss / (double)tally->batches;
    h->train[h->count] = tally->score / (double)tally->samples;
    h->test[h->count] = score;
    h->count++;
    return COORDCONV_OK;
}

static coordconv_status train(struct trainer *t)
{
    const char *stop = NULL;
    coordconv_status status = COORDCONV_OK;

    t->first_step = progress_seconds();
    for (long epoch = 0; stop == NULL; epoch++) {
        struct tally tally = { 0 };

        status = train_epoch(t, epoch, &tally, &stop);
        if (status == COORDCONV_OK)
            status = add_to_history(t, &tally);
        if (status == COORDCONV_ERR_NUMERIC) {
            stop = "overflow"; /* the weights are those of the step before */
            status = COORDCONV_OK;
        }
        if (status != COORDCONV_OK)
            return status;
    }
    t->result->stopped = stop;
    t->result->epochs = (double)t->steps / (double)t->steps_an_epoch;
    return COORDCONV_OK;
}

/* ---- a run ---- */

static coordconv_status run_net(struct trainer *t, const struct net *net,
                                coordconv_context *context)
{
    coordconv_status status = batch_new_inference(&t->check, net, context, INFERENCE_BATCH);

    if (status == COORDCONV_OK && net->training != NULL) {
        if (!history_new(&t->result->history, (size_t)t->recipe.epochs))
            return COORDCONV_ERR_NOMEM;
        status = trainer_start(t, net, context);
        if (status == COORDCONV_OK)
            status = train(t);
    }
    if (status == COORDCONV_OK)
        status = evaluate(&t->check, t->run->task, &t->set, &t->result->evaluation);
    return status;
}

static void choose_recipe(struct trainer *t)
{
    const struct run *run = t->run;

    t->recipe = recipe_for(run->net, run->task);
    if (run->epochs > 0)
        t->recipe.epochs = run->epochs;
    if (run->budget > 0)
        t->recipe.budget = run->budget;
}

static void label_run(const struct run *run, char *label, size_t size)
{
    snprintf(label, size, "%s %s %s %llu", task_name(run->task), split_name(run->split),
             net_name(run->net), (unsigned long long)run->seed);
}

coordconv_status run_train(const struct run *run, struct result *result)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .seed = run->seed,
                                          .threads = run->threads };
    struct trainer t = { .run = run, .result = result, .started = progress_seconds() };
    coordconv_context *context = NULL;
    struct net net = { 0 };
    char label[sizeof t.progress.label];
    coordconv_status status;

    memset(result, 0, sizeof *result);
    result->stopped = "nothing to learn";
    choose_recipe(&t);
    label_run(run, label, sizeof label);
    progress_start(&t.progress, stderr, run->quiet, label);

    status = data_set_make(&t.set, run->split);
    if (status == COORDCONV_OK)
        status = coordconv_context_new(&desc, &context);
    if (status == COORDCONV_OK)
        status = net_new(&net, context, run->net, run->task, run->split);
    if (status == COORDCONV_OK)
        status = run_net(&t, &net, context);
    result->parameters = net.parameters;
    result->threads = coordconv_context_threads(context);
    result->budget = t.recipe.budget;
    result->seconds = elapsed(&t);

    progress_stop(&t.progress);
    trainer_free(&t);
    net_free(&net);
    coordconv_context_unref(context);
    return status;
}

void result_free(struct result *result)
{
    free(result->history.epoch);
    memset(&result->history, 0, sizeof result->history);
}
