/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect.c - where are the digits? The region-proposal net of the CoordConv paper on Field of
 * MNIST, with coordinates and without.
 *
 * Everything but the coordinates is the same in both nets: data, order, sampled anchors, schedule,
 * the first weights, as those of coordinates are zero at first. Each seed has images of its own.
 *
 * The recipe was chosen on other images and another seed (--validation --first-seed 101): a rate of
 * 0.002 is better than 0.001 for both nets, and 0.004 no better; with coordinates whose first
 * weights are random the net learns more slowly.
 */
#include <stdio.h>
#include <stdlib.h>

#include "detect_eval.h"
#include "detect_pictures.h"
#include "common/experiment.h"
#include "common/experiment_curves.h"

enum {
    MOST_TRAIN = 9000, /* images */
    MOST_TEST = 1000,
    BATCH = 8,
    STEPS = 6000,
    QUICK_STEPS = 3000,
    LOOKS = 10, /* at the test images, while training */
    LOOKED_AT = 200,
    TRAIN_STREAM = 0,
    TEST_STREAM = 1,
    VALIDATION_STREAM = 2
};

enum {
    VARIANTS = 2,
    CASES = 2 * VARIANTS
};

static const struct experiment_case cases[CASES] = {
    { "whole anchors", "conv" },
    { "whole anchors", "coordconv" },
    { "misread anchors", "conv" },
    { "misread anchors", "coordconv" },
};

static int has_coords(const struct experiment_case *which)
{
    return (which - cases) % VARIANTS == 1;
}

static enum anchor_layout layout_of(const struct experiment_case *which)
{
    return which - cases < VARIANTS ? ANCHORS_WHOLE : ANCHORS_MISREAD;
}

/* What one process shares among its runs, and its options. */
struct program {
    struct digits digits;
    double rate;
    long train, test; /* images */
    int on_validation;
};

/* One run's images and plans. */
struct trainer {
    struct run *run;
    const struct program *program;
    struct field train, test;
    coordconv_model *model;
    coordconv_optimizer *adam;
    struct feed training, inference;
    int64_t order[MOST_TRAIN], epoch; /* the order of the images in this epoch; -1: not drawn yet */
};

/* ---- data ---- */

/* Test digits are MNIST's test digits; those for choosing a recipe are further training digits. */
static coordconv_status make_fields(struct trainer *t)
{
    const struct digits *d = &t->program->digits;
    coordconv_context *context = t->run->context;
    const uint64_t seed = t->run->seed;
    coordconv_status status =
        field_make(context, &d->train, 0, t->program->train, seed, TRAIN_STREAM, &t->train);

    if (status == COORDCONV_OK && t->program->on_validation)
        return field_make(context, &d->train, MOST_TRAIN, t->program->test, seed, VALIDATION_STREAM,
                          &t->test);
    if (status == COORDCONV_OK)
        status = field_make(context, &d->test, 0, t->program->test, seed, TEST_STREAM, &t->test);
    return status;
}

static coordconv_status prepare(const struct settings *settings, void *user)
{
    struct program *program = user;
    coordconv_context *context = NULL;
    char message[512];
    const coordconv_status status = coordconv_context_new(NULL, &context);

    if (status != COORDCONV_OK)
        return status;
    const int failed =
        digits_load(context, settings->mnist, &program->digits, message, sizeof message);
    coordconv_context_unref(context);
    if (failed)
        fprintf(stderr, "detect: %s\n", message);
    else if (program->digits.train.count < MOST_TRAIN + MOST_TEST ||
             program->digits.test.count < MOST_TEST)
        fprintf(stderr, "detect: fewer than %d and %d digits\n", MOST_TRAIN + MOST_TEST, MOST_TEST);
    else {
        if (!settings->quiet)
            fprintf(stderr, "%s\n", program->digits.note);
        return COORDCONV_OK;
    }
    return COORDCONV_ERR_FORMAT;
}

/* ---- training ---- */

static coordconv_status set_up(struct trainer *t)
{
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam,
                                            .kind = COORDCONV_ADAM,
                                            .learning_rate = t->program->rate };
    coordconv_context *context = t->run->context;
    const enum anchor_layout layout = layout_of(t->run->which);
    coordconv_status status = detect_net_new(context, has_coords(t->run->which), &t->model);

    if (status == COORDCONV_OK)
        status = feed_new(&t->training, context, t->model, COORDCONV_TRAINING, BATCH, layout);
    if (status == COORDCONV_OK)
        status = feed_new(&t->inference, context, t->model, COORDCONV_INFERENCE, BATCH, layout);
    if (status == COORDCONV_OK)
        status = coordconv_optimizer_new(t->training.plan, &adam, &t->adam);
    return status;
}

static void tear_down(struct trainer *t)
{
    coordconv_optimizer_unref(t->adam);
    feed_free(&t->training);
    feed_free(&t->inference);
    coordconv_model_unref(t->model);
    field_free(&t->train);
    field_free(&t->test);
}

/* The images of a step. */
static coordconv_status choose_images(struct trainer *t, const int64_t **which)
{
    const int64_t count = t->train.count, an_epoch = count / BATCH, epoch = t->run->step / an_epoch;
    coordconv_status status = COORDCONV_OK;

    if (epoch != t->epoch)
        status = coordconv_permutation(t->run->seed, (uint64_t)epoch, count, t->order);
    t->epoch = epoch;
    *which = t->order + t->run->step % an_epoch * BATCH;
    return status;
}

static coordconv_status set_rate(struct trainer *t)
{
    const coordconv_schedule_desc cosine = { .struct_size = sizeof cosine,
                                             .kind = COORDCONV_SCHEDULE_COSINE,
                                             .rate = t->program->rate,
                                             .final_rate = t->program->rate / 100,
                                             .total = (double)t->run->steps };
    double rate = 0;
    const coordconv_status status = coordconv_schedule_rate(&cosine, (double)t->run->step, &rate);

    return status == COORDCONV_OK ? coordconv_optimizer_set_learning_rate(t->adam, rate) : status;
}

/* A point of the curves, LOOKS times in a run; before the step counts, so that a checkpoint of it
 * has the point. */
static coordconv_status look(struct trainer *t)
{
    struct judgement j;
    const int64_t step = t->run->step + 1, steps = t->run->steps;

    if (step * LOOKS / steps == (step - 1) * LOOKS / steps)
        return COORDCONV_OK;
    const int64_t count = t->test.count < LOOKED_AT ? t->test.count : LOOKED_AT;
    const coordconv_status status = detect_judge(&t->inference, &t->test, count, &j);
    if (status == COORDCONV_OK) {
        run_point(t->run, "positive_iou", (double)step, j.positive_iou);
        run_point(t->run, "average_precision", (double)step, j.average_precision);
    }
    return status;
}

static coordconv_status train_step(struct trainer *t, char *note, size_t note_size)
{
    const int64_t *which = NULL;
    coordconv_tensor *loss = NULL;
    coordconv_status status = choose_images(t, &which);

    if (status == COORDCONV_OK)
        status = set_rate(t);
    if (status == COORDCONV_OK)
        status = feed_train(&t->training, &t->train, which, t->run->seed, t->run->step);
    if (status == COORDCONV_OK)
        status = coordconv_optimizer_step(t->adam);
    if (status == COORDCONV_OK)
        status = coordconv_plan_output(t->training.plan, "loss", &loss);
    if (status == COORDCONV_OK)
        snprintf(note, note_size, "loss %.3f", (double)*(const float *)coordconv_tensor_data(loss));
    coordconv_tensor_unref(loss);
    return status;
}

static coordconv_status train(struct trainer *t)
{
    const struct trainee trainee = { t->model, t->adam };
    char note[40] = "";
    coordconv_status status =
        run_begin(t->run, &trainee, 1, t->run->settings->quick ? QUICK_STEPS : STEPS);

    while (status == COORDCONV_OK && run_goes_on(t->run)) {
        status = train_step(t, note, sizeof note);
        if (status == COORDCONV_OK)
            status = look(t);
        if (status == COORDCONV_OK)
            status = run_advance(t->run, note);
    }
    return status;
}

static coordconv_status judge(struct trainer *t)
{
    struct judgement j;
    const coordconv_status status = detect_judge(&t->inference, &t->test, t->test.count, &j);

    if (status != COORDCONV_OK)
        return status;
    run_figure(t->run, "positive_iou", j.positive_iou);
    run_figure(t->run, "proposal_iou", j.proposal_iou);
    run_figure(t->run, "object_iou", j.object_iou);
    run_figure(t->run, "average_precision", j.average_precision);
    run_figure(t->run, "digits_drawn", t->program->digits.drawn);
    return COORDCONV_OK;
}

static coordconv_status run_one(struct run *run, void *user)
{
    struct trainer *t = calloc(1, sizeof *t);

    if (t == NULL)
        return COORDCONV_ERR_NOMEM;
    t->run = run;
    t->program = user;
    t->epoch = -1;
    coordconv_status status = make_fields(t);
    if (status == COORDCONV_OK)
        status = set_up(t);
    if (status == COORDCONV_OK)
        status = train(t);
    if (status == COORDCONV_OK && !run_stopped(run))
        status = judge(t);
    tear_down(t);
    free(t);
    return status;
}

/* ---- pictures ---- */

/* What the net of a run's weights proposes for the images shown. */
static coordconv_status propose(coordconv_context *context, const struct experiment_case *which,
                                const char *weights, const struct field *field,
                                const int64_t *images, struct sight *sight)
{
    coordconv_model *model = NULL;
    struct feed feed = { 0 };
    coordconv_status status = detect_net_new(context, has_coords(which), &model);

    if (status == COORDCONV_OK)
        status = coordconv_load(model, NULL, weights);
    if (status == COORDCONV_OK)
        status = feed_new(&feed, context, model, COORDCONV_INFERENCE, 1, layout_of(which));
    for (int n = 0; n < DETECT_SHOWN && status == COORDCONV_OK; n++) {
        status = feed_see(&feed, field, images[n]);
        if (status == COORDCONV_OK &&
            detect_propose(&feed, 0, DETECT_STRICT, &sight->proposals[n]) != 0)
            status = COORDCONV_ERR_NOMEM;
    }
    feed_free(&feed);
    coordconv_model_unref(model);
    return status;
}

/* The first images that show at least so many objects. */
static void choose_shown(const struct field *field, int least, int64_t which[DETECT_SHOWN])
{
    int found = 0;

    for (int64_t n = 0; n < field->count && found < DETECT_SHOWN; n++) {
        int objects = 0;
        for (int k = 0; k < FIELD_DIGITS; k++)
            objects += field->digits[n * FIELD_DIGITS + k].is_object;
        if (objects >= least)
            which[found++] = n;
    }
}

/* Both nets of the first seed, with whole anchors, on images of its test. */
static coordconv_status draw(coordconv_context *context, const struct settings *settings,
                             const struct program *program)
{
    const uint64_t seed = (uint64_t)settings->first_seed;
    struct sight sights[VARIANTS];
    struct field field = { 0 };
    int64_t images[DETECT_SHOWN] = { 0 };
    char path[PATH_SIZE], message[512];
    coordconv_status status =
        field_make(context, &program->digits.test, 0, program->test, seed, TEST_STREAM, &field);

    if (status != COORDCONV_OK)
        return status;
    choose_shown(&field, 2, images);
    for (int v = 0; v < VARIANTS && status == COORDCONV_OK; v++) {
        sights[v].name = cases[v].variant;
        run_weights_path(settings, &cases[v], seed, 0, path);
        status = propose(context, &cases[v], path, &field, images, &sights[v]);
    }
    settings_path(settings, "detect.png", path);
    if (status == COORDCONV_OK &&
        detect_draw(&field, images, sights, VARIANTS, path, message, sizeof message) != 0) {
        fprintf(stderr, "detect: %s\n", message);
        status = COORDCONV_ERR_IO;
    }
    field_free(&field);
    return status;
}

static coordconv_status draw_curves(const struct settings *settings)
{
    static const struct curve_picture pictures[] = {
        { "positive_iou", "IOU of moved anchors with their digits, test images", "step",
          "positive_iou.png" },
        { "average_precision", "average precision at IOU 0.5, test images", "step",
          "precision.png" },
    };
    char message[512];

    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        if (curves_draw(settings, cases, CASES, &pictures[i], message, sizeof message) != 0) {
            fprintf(stderr, "detect: %s\n", message);
            return COORDCONV_ERR_IO;
        }
    }
    return COORDCONV_OK;
}

static coordconv_status finish(const struct settings *settings, void *user)
{
    coordconv_context *context = NULL;
    coordconv_status status = coordconv_context_new(NULL, &context);

    if (status == COORDCONV_OK)
        status = draw(context, settings, user);
    coordconv_context_unref(context);
    return status == COORDCONV_OK ? draw_curves(settings) : status;
}

int main(int argc, char **argv)
{
    static const struct comparison comparisons[] = { { "positive_iou", "coordconv", "conv" },
                                                     { "proposal_iou", "coordconv", "conv" },
                                                     { "object_iou", "coordconv", "conv" },
                                                     { "average_precision", "coordconv", "conv" } };
    static const char *const metrics[] = { "positive_iou", "proposal_iou", "object_iou",
                                           "average_precision", NULL };
    static struct program program = { .rate = 2e-3, .train = MOST_TRAIN, .test = MOST_TEST };
    const struct option options[] = {
        { "rate", OPTION_REAL, &program.rate, NULL, 1e-6, 1, "R", "learning rate at the start" },
        { "images", OPTION_WHOLE, &program.train, NULL, BATCH, MOST_TRAIN, "N",
          "images to train with (9000)" },
        { "test-images", OPTION_WHOLE, &program.test, NULL, 1, MOST_TEST, "N",
          "images to judge by (1000)" },
        { "validation", OPTION_FLAG, &program.on_validation, NULL, 0, 0, NULL,
          "judge by other images than those of the test: to choose a recipe" },
    };
    const struct experiment experiment = {
        .name = "detect",
        .about = "Train the region-proposal net of the CoordConv paper on Field of MNIST, with and "
                 "without coordinates.",
        .cases = cases,
        .case_count = CASES,
        .comparisons = comparisons,
        .comparison_count = sizeof comparisons / sizeof comparisons[0],
        .metrics = metrics,
        .seeds = 5,
        .quick_seeds = 1,
        .budget = 1800,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .uses_mnist = 1,
        .user = &program,
        .prepare = prepare,
        .run = run_one,
        .finish = finish,
    };
    const int result = experiment_main(&experiment, argc, argv);

    digits_free(&program.digits);
    return result;
}
