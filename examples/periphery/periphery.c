/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery.c - the same sign means one thing ahead and another aside.
 *
 * A net has to act on signs in the central region of the view and on no others. Conditions: regions
 * of three sizes; training on random crops, with frames that say where a crop lies or without; and
 * a rule that position has nothing to do with, though in the training scenes it seems to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/draws.h"
#include "common/experiment.h"
#include "periphery_cases.h"
#include "periphery_pictures.h"

enum {
    BATCH = 16,
    STEPS = 1400,
    QUICK_STEPS = 900
};

/* Those with the same scenes side by side, so that these are made once. */
static const struct experiment_case cases[] = {
    { "region 50 %", "conv" },
    { "region 50 %", "zero padding" },
    { "region 50 %", "zero padding, deep" },
    { "region 50 %", "deep + coords at input" },
    { "region 50 %", "coords at input" },
    { "region 50 %", "coords everywhere" },
    { "region 50 %", "dense head" },
    { "region 50 %", "rule by hand" },
    { "crops", "conv" },
    { "crops", "zero padding" },
    { "crops", "coords at input" },
    { "crops", "coords everywhere" },
    { "crops", "input + frames" },
    { "crops", "everywhere + frames" },
    { "region 35 %", "conv" },
    { "region 35 %", "zero padding" },
    { "region 35 %", "zero padding, deep" },
    { "region 35 %", "coords at input" },
    { "region 35 %", "coords everywhere" },
    { "region 75 %", "conv" },
    { "region 75 %", "zero padding" },
    { "region 75 %", "coords at input" },
    { "region 75 %", "coords everywhere" },
    { "sides", "conv" },
    { "sides", "zero padding" },
    { "sides", "coords at input" },
    { "sides", "coords everywhere" },
    { "sides, few scenes", "conv" },
    { "sides, few scenes", "zero padding" },
    { "sides, few scenes", "coords at input" },
    { "sides, few scenes", "coords everywhere" },
};

static const struct comparison comparisons[] = {
    { "f1", "coords everywhere", "conv" },
    { "f1", "coords at input", "conv" },
    { "f1", "coords everywhere", "coords at input" },
    { "f1", "coords at input", "zero padding" },
    { "f1", "zero padding", "conv" },
    { "f1", "zero padding, deep", "zero padding" },
    { "f1", "deep + coords at input", "zero padding, deep" },
    { "f1", "coords at input", "rule by hand" },
    { "f1", "everywhere + frames", "coords everywhere" },
    { "f1", "input + frames", "coords at input" },
    { "swapped_f1", "coords everywhere", "conv" },
    { "swapped_f1", "coords at input", "conv" },
    { "swapped_f1", "zero padding", "conv" },
};

static const char *const metrics[] = { "f1",
                                       "precision",
                                       "recall",
                                       "precision_centre",
                                       "recall_centre",
                                       "precision_ring",
                                       "recall_ring",
                                       "alarms_ring",
                                       "alarms_periphery",
                                       "clutter_scene",
                                       "crop_f1",
                                       "crop_framed_f1",
                                       "shifted_f1",
                                       "shifted_framed_f1",
                                       "swapped_f1",
                                       "swapped_recall",
                                       NULL };

/* ---- training ---- */

struct trainer {
    struct run *run;
    const struct condition *condition;
    const struct variant *variant;
    const struct shared *shared;
    struct net net;
    int rows, columns;            /* of the windows trained on */
    int64_t count, *order, epoch; /* of the training scenes, in the epoch under way; -1: none yet */
    coordconv_plan *plan;
    coordconv_optimizer *optimizer;
    coordconv_tensor *images, *targets, *loss;
};

static coordconv_status bind_new(struct trainer *t, const char *name, int32_t ndim,
                                 const int64_t *shape, coordconv_tensor **tensor)
{
    const coordconv_status status =
        coordconv_tensor_new(t->run->context, COORDCONV_F32, ndim, shape, tensor);

    return status == COORDCONV_OK ? coordconv_plan_bind(t->plan, name, *tensor) : status;
}

static coordconv_status trainer_start(struct trainer *t)
{
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    coordconv_status status = net_new(&t->net, t->run->context, t->variant->kind);

    t->epoch = -1;
    t->count = t->shared->training.count / t->condition->part;
    t->order = malloc((size_t)t->count * sizeof *t->order);
    if (t->order == NULL)
        return COORDCONV_ERR_NOMEM;
    t->rows = t->condition->crops ? CROP_ROWS : VIEW_ROWS;
    t->columns = t->condition->crops ? CROP_COLUMNS : VIEW_COLUMNS;
    const int64_t image[4] = { BATCH, seen_extent(t->rows, t->net.padded),
                               seen_extent(t->columns, t->net.padded), 3 };
    const int64_t target[4] = { BATCH, t->rows, t->columns, ROAD_KINDS };
    if (status == COORDCONV_OK)
        status = net_plan(&t->net, COORDCONV_TRAINING, BATCH, t->rows, t->columns, &t->plan);
    if (status == COORDCONV_OK)
        status = bind_new(t, "image", 4, image, &t->images);
    if (status == COORDCONV_OK)
        status = bind_new(t, "target", 4, target, &t->targets);
    if (status == COORDCONV_OK)
        status = bind_new(t, "loss", 0, NULL, &t->loss);
    return status == COORDCONV_OK ? coordconv_optimizer_new(t->plan, &adam, &t->optimizer) : status;
}

static void trainer_free(struct trainer *t)
{
    coordconv_optimizer_unref(t->optimizer);
    coordconv_plan_unref(t->plan);
    coordconv_tensor_unref(t->images);
    coordconv_tensor_unref(t->targets);
    coordconv_tensor_unref(t->loss);
    net_free(&t->net);
    free(t->order);
}

/* Number of the scene that stands at place `at` of all training: one permutation after the other.
 */
static coordconv_status scene_at(struct trainer *t, int64_t at, int *which)
{
    const int64_t epoch = at / t->count;
    coordconv_status status = COORDCONV_OK;

    if (t->epoch != epoch)
        status = coordconv_permutation(t->run->seed, (uint64_t)epoch, t->count, t->order);
    t->epoch = epoch;
    *which = (int)t->order[at % t->count];
    return status;
}

/* Whole views, or crops at random places. */
static coordconv_status choose_batch(struct trainer *t, int which[BATCH],
                                     struct window windows[BATCH])
{
    const int room_y = ROAD_HEIGHT - CELL * t->rows + 1,
              room_x = ROAD_WIDTH - CELL * t->columns + 1;
    float lots[2 * BATCH];
    coordconv_status status = draws_uniform(t->run->context, set_seed(t->run->seed, CROP_LOTS),
                                            (uint64_t)t->run->step, 2 * BATCH, lots);

    for (int i = 0; i < BATCH && status == COORDCONV_OK; i++) {
        windows[i] = (struct window){ (int)(lots[2 * i] * (float)room_y),
                                      (int)(lots[2 * i + 1] * (float)room_x), t->rows, t->columns };
        status = scene_at(t, t->run->step * BATCH + i, &which[i]);
    }
    return status;
}

static coordconv_status fill_batch(struct trainer *t)
{
    const struct scenes *scenes = &t->shared->training;
    float *image = coordconv_tensor_data(t->images), *target = coordconv_tensor_data(t->targets);
    int which[BATCH];
    struct window windows[BATCH];
    const coordconv_status status = choose_batch(t, which, windows);

    if (status != COORDCONV_OK)
        return status;
    for (int i = 0; i < BATCH; i++) {
        fill_image(scenes, which[i], &windows[i], t->net.padded,
                   image + i * coordconv_tensor_stride(t->images, 0));
        fill_target(scenes, which[i], &windows[i], t->variant->mask,
                    target + i * coordconv_tensor_stride(t->targets, 0));
    }
    return t->variant->frames ? net_set_frames(&t->net, t->plan, scenes, BATCH, windows)
                              : COORDCONV_OK;
}

static coordconv_status train_step(struct trainer *t)
{
    const coordconv_schedule_desc cosine = { .struct_size = sizeof cosine,
                                             .kind = COORDCONV_SCHEDULE_COSINE,
                                             .rate = 0.008,
                                             .final_rate = 0.00008,
                                             .total = (double)t->run->steps };
    double rate = 0;
    coordconv_status status = coordconv_schedule_rate(&cosine, (double)t->run->step, &rate);

    if (status == COORDCONV_OK)
        status = coordconv_optimizer_set_learning_rate(t->optimizer, rate);
    if (status == COORDCONV_OK)
        status = fill_batch(t);
    if (status == COORDCONV_OK)
        status = coordconv_plan_run(t->plan);
    return status == COORDCONV_OK ? coordconv_optimizer_step(t->optimizer) : status;
}

static coordconv_status train(struct trainer *t)
{
    const struct trainee trainee = { t->net.model, t->optimizer };
    const int64_t steps = t->run->settings->quick ? QUICK_STEPS : STEPS;
    coordconv_status status = run_begin(t->run, &trainee, 1, steps);

    while (status == COORDCONV_OK && run_goes_on(t->run)) {
        char note[40];

        status = train_step(t);
        const double loss = (double)*(const float *)coordconv_tensor_data(t->loss);
        if (status == COORDCONV_OK && t->run->step % 20 == 0)
            run_point(t->run, "loss", (double)t->run->step, loss);
        snprintf(note, sizeof note, "loss %.4f", loss);
        if (status == COORDCONV_OK)
            status = run_advance(t->run, note);
    }
    return status;
}

/* ---- judging ---- */

static coordconv_status verdict_of(struct trainer *t, const struct question *q, float threshold,
                                   struct verdict *v)
{
    struct responses responses = { 0 };
    const coordconv_status status = ask(&t->net, t->run->context, q, &responses);

    *v = judge(&responses, threshold);
    responses_free(&responses);
    return status;
}

static int64_t signs_of(const struct zone_count *c)
{
    return c->ahead + c->aside;
}

/* Share of all signs that stand in the zone. */
static double share_of_signs(const struct verdict *v, int zone)
{
    return (double)signs_of(&v->zones[zone]) / (double)signs_of(&v->all);
}

static void tell_zones(struct run *run, const struct verdict *v, int scenes)
{
    run_figure(run, "f1", f1(&v->all));
    run_figure(run, "precision", precision(&v->all));
    run_figure(run, "recall", recall(&v->all));
    run_figure(run, "clutter_scene", (double)v->all.clutter / scenes);
    if (v->all.aside == 0)
        return;
    run_figure(run, "signs_centre", share_of_signs(v, ZONE_CENTRE));
    run_figure(run, "signs_ring", share_of_signs(v, ZONE_RING));
    run_figure(run, "precision_centre", precision(&v->zones[ZONE_CENTRE]));
    run_figure(run, "recall_centre", recall(&v->zones[ZONE_CENTRE]));
    run_figure(run, "precision_ring", precision(&v->zones[ZONE_RING]));
    run_figure(run, "recall_ring", recall(&v->zones[ZONE_RING]));
    run_figure(run, "alarms_ring", alarm_rate(&v->zones[ZONE_RING]));
    run_figure(run, "alarms_periphery", alarm_rate(&v->zones[ZONE_PERIPHERY]));
}

/* One more F1 of the same net, asked otherwise. */
static coordconv_status tell_f1(struct trainer *t, const char *metric, struct question q,
                                float threshold)
{
    struct verdict v;

    q.mask = t->variant->mask;
    const coordconv_status status = verdict_of(t, &q, threshold, &v);
    run_figure(t->run, metric, f1(&v.all));
    if (strcmp(metric, "swapped_f1") == 0)
        run_figure(t->run, "swapped_recall", recall(&v.all));
    return status;
}

/* Crops, and a camera that looks aside, without and with word of where the images lie. */
static coordconv_status tell_places(struct trainer *t, float threshold)
{
    const struct question crop = { &t->shared->test, CROP_ROWS, CROP_COLUMNS, 0, 0 };
    const struct question shifted = { .scenes = &t->shared->other };
    struct question crop_framed = crop, shifted_framed = shifted;
    coordconv_status status = COORDCONV_OK;

    crop_framed.framed = shifted_framed.framed = 1;
    if (!t->net.fixed)
        status = tell_f1(t, "crop_f1", crop, threshold);
    if (status == COORDCONV_OK && t->net.coords)
        status = tell_f1(t, "crop_framed_f1", crop_framed, threshold);
    if (status == COORDCONV_OK)
        status = tell_f1(t, "shifted_f1", shifted, threshold);
    if (status == COORDCONV_OK && t->net.coords)
        status = tell_f1(t, "shifted_framed_f1", shifted_framed, threshold);
    return status;
}

static coordconv_status judge_net(struct trainer *t)
{
    const struct question test = { .scenes = &t->shared->test, .mask = t->variant->mask };
    const struct question other = { .scenes = &t->shared->other };
    struct verdict v;
    float threshold = 0;
    coordconv_status status =
        tune(&t->net, t->run->context, &t->shared->tuning, t->variant->mask, &threshold);

    if (status == COORDCONV_OK)
        status = verdict_of(t, &test, threshold, &v);
    if (status != COORDCONV_OK)
        return status;
    run_figure(t->run, "threshold", (double)threshold);
    tell_zones(t->run, &v, t->shared->test.count);
    return t->condition->rule.sides != 0 ? tell_f1(t, "swapped_f1", other, threshold)
                                         : tell_places(t, threshold);
}

static coordconv_status run_net(struct run *run, void *user)
{
    struct shared *shared = user;
    struct trainer t = { .run = run,
                         .condition = find_condition(run->which->condition),
                         .variant = find_variant(run->which->variant),
                         .shared = shared };
    coordconv_status status = shared_make(shared, run->context, run->seed, &t.condition->rule);

    if (status == COORDCONV_OK)
        status = trainer_start(&t);
    if (status == COORDCONV_OK)
        status = train(&t);
    if (status == COORDCONV_OK && !run_stopped(run))
        status = judge_net(&t);
    trainer_free(&t);
    return status;
}

static coordconv_status finish(const struct settings *settings, void *user)
{
    const struct shared *shared = user;

    return pictures_make(settings, shared->scenes);
}

int main(int argc, char **argv)
{
    struct shared shared = { .scenes = TRAINING_SCENES };
    const struct option options[] = {
        { "scenes", OPTION_WHOLE, &shared.scenes, NULL, 48, 1e5, "N",
          "scenes to train on (3072); a quarter as many to test" },
    };
    const struct experiment experiment = {
        .name = "periphery",
        .about = "Act on signs ahead and on no others: who needs coordinates, and who is hurt.",
        .cases = cases,
        .case_count = sizeof cases / sizeof cases[0],
        .comparisons = comparisons,
        .comparison_count = sizeof comparisons / sizeof comparisons[0],
        .metrics = metrics,
        .seeds = 5,
        .quick_seeds = 1,
        .budget = 120,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .user = &shared,
        .run = run_net,
        .finish = finish,
    };
    const int result = experiment_main(&experiment, argc, argv);

    shared_free(&shared);
    return result;
}
