/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_judge.c - how well a trained net draws Sort-of-Clevr images, as figures of a run.
 */
#include "scene_judge.h"

#include <stdio.h>

long judged_images = JUDGED_IMAGES;

const struct option judge_options[1] = { { "images", OPTION_WHOLE, &judged_images, NULL, 1, 10000,
                                           "N", "how many images to judge a net by (2000)" } };

/* Real images nobody trained on: for comparison, and those that stand for a perfect painter. */
enum {
    FIRST_REFERENCE = TRAIN_IMAGES + 10000,
    FIRST_PERFECT = TRAIN_IMAGES + 20000
};

coordconv_status studio_open(struct studio *studio, coordconv_context *context,
                             coordconv_model *painter, int64_t code)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = STUDIO_BATCH };
    const int64_t code_shape[2] = { STUDIO_BATCH, code };
    const int64_t image_shape[4] = { STUDIO_BATCH, SCENE_SIDE, SCENE_SIDE, 3 };
    coordconv_status status;

    *studio = (struct studio){ 0 };
    if ((status = coordconv_plan_new(painter, &desc, &studio->plan)) != COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 2, code_shape, &studio->code)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, image_shape, &studio->image)) !=
            COORDCONV_OK ||
        (status = coordconv_plan_bind(studio->plan, "code", studio->code)) != COORDCONV_OK ||
        (status = coordconv_plan_bind(studio->plan, "image", studio->image)) != COORDCONV_OK)
        studio_close(studio);
    return status;
}

void studio_close(struct studio *studio)
{
    coordconv_plan_unref(studio->plan);
    coordconv_tensor_unref(studio->code);
    coordconv_tensor_unref(studio->image);
    *studio = (struct studio){ 0 };
}

int64_t studio_round(int64_t images)
{
    return (images + STUDIO_BATCH - 1) / STUDIO_BATCH * STUDIO_BATCH;
}

/* ---- figures ---- */

static coordconv_status judge_tally(struct run *run, const struct objects_tally *tally)
{
    static const char *const names[SCENE_COLOURS] = { "blue", "red" };
    struct objects_tally real = { 0 };
    const coordconv_status status =
        objects_add_real(&real, run->seed, FIRST_REFERENCE, tally->images);
    const double images = (double)tally->images;

    if (status != COORDCONV_OK)
        return status;
    run_figure(run, "two-objects", (double)tally->two / images);
    run_figure(run, "both-whole", (double)tally->whole / images);
    for (int c = 0; c < SCENE_COLOURS; c++) {
        char name[64];

        snprintf(name, sizeof name, "%s-found", names[c]);
        run_figure(run, name, (double)tally->objects[c] / images);
        snprintf(name, sizeof name, "%s-specks", names[c]);
        run_figure(run, name, (double)tally->specks[c] / images);
        snprintf(name, sizeof name, "%s-entropy", names[c]);
        run_figure(run, name, objects_entropy(tally, c));
        snprintf(name, sizeof name, "%s-data-entropy", names[c]);
        run_figure(run, name, objects_entropy(&real, c));
        snprintf(name, sizeof name, "%s-coverage", names[c]);
        run_figure(run, name, objects_coverage(tally, &real, c));
        snprintf(name, sizeof name, "%s-divergence", names[c]);
        run_figure(run, name, objects_divergence(tally, &real, c));
    }
    return COORDCONV_OK;
}

/* ---- painters ---- */

static coordconv_status paint(const struct studio *studio, struct objects_tally *tally)
{
    const coordconv_status status = coordconv_plan_run(studio->plan);

    if (status == COORDCONV_OK)
        objects_add(tally, coordconv_tensor_data(studio->image), STUDIO_BATCH);
    return status;
}

coordconv_status judge_samples(struct run *run, const struct studio *studio, codes_fn *codes,
                               void *user, int64_t images)
{
    struct objects_tally tally = { 0 };
    coordconv_status status = COORDCONV_OK;

    for (uint64_t i = 0; tally.images < images && status == COORDCONV_OK; i++) {
        status = codes(user, studio->code, i);
        if (status == COORDCONV_OK)
            status = paint(studio, &tally);
    }
    return status == COORDCONV_OK ? judge_tally(run, &tally) : status;
}

/* A batch of pairs at one place between their ends. */
static coordconv_status paint_between(const struct studio *studio, coordconv_tensor *ends[2],
                                      double place, struct objects_tally *tally)
{
    const float *a = coordconv_tensor_data(ends[0]), *b = coordconv_tensor_data(ends[1]);
    float *code = coordconv_tensor_data(studio->code);

    for (int64_t i = 0; i < coordconv_tensor_count(studio->code); i++)
        code[i] = (float)((1 - place) * (double)a[i] + place * (double)b[i]);
    return paint(studio, tally);
}

static coordconv_status tally_between(const struct studio *studio, codes_fn *codes, void *user,
                                      coordconv_tensor *ends[2], int64_t pairs,
                                      struct objects_tally *tally)
{
    coordconv_status status = COORDCONV_OK;

    for (uint64_t number = 0; tally->images < pairs * STUDIO_BETWEEN; number += 2) {
        for (uint64_t k = 0; k < 2 && status == COORDCONV_OK; k++)
            status = codes(user, ends[k], number + k);
        for (int k = 1; k <= STUDIO_BETWEEN && status == COORDCONV_OK; k++)
            status = paint_between(studio, ends, k / (STUDIO_BETWEEN + 1.0), tally);
        if (status != COORDCONV_OK)
            break;
    }
    return status;
}

coordconv_status judge_between(struct run *run, const struct studio *studio, codes_fn *codes,
                               void *user, int64_t pairs)
{
    const int64_t shape[2] = { STUDIO_BATCH, coordconv_tensor_dim(studio->code, 1) };
    struct objects_tally tally = { 0 };
    coordconv_tensor *ends[2] = { NULL, NULL };
    coordconv_status status;

    if ((status = coordconv_tensor_new(run->context, COORDCONV_F32, 2, shape, &ends[0])) ==
            COORDCONV_OK &&
        (status = coordconv_tensor_new(run->context, COORDCONV_F32, 2, shape, &ends[1])) ==
            COORDCONV_OK)
        status = tally_between(studio, codes, user, ends, pairs, &tally);
    coordconv_tensor_unref(ends[0]);
    coordconv_tensor_unref(ends[1]);
    run_figure(run, "between-two", (double)tally.two / (double)tally.images);
    run_figure(run, "between-specks",
               (double)(tally.specks[SCENE_BLUE] + tally.specks[SCENE_RED]) / (double)tally.images);
    run_figure(run, "between-whole", (double)tally.whole / (double)tally.images);
    return status;
}

coordconv_status judge_data(struct run *run, int64_t images)
{
    struct objects_tally tally = { 0 };
    const coordconv_status status =
        objects_add_real(&tally, run->seed, FIRST_PERFECT, studio_round(images));

    return status == COORDCONV_OK ? judge_tally(run, &tally) : status;
}
