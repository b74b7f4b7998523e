/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_judge.c - how many digits a trained net gets right, and where.
 */
#include "null_result_judge.h"

#include <math.h>

enum {
    BATCH = 100,
    JUDGE_SEED = 70518, /* of the places; far from the seeds of runs */
    MOST_MOVED = 500    /* digits */
};

/* A net ready to answer. */
struct bench {
    const struct layout *layout;
    const struct digit_set *set;
    coordconv_plan *plan;
    coordconv_tensor *strips, *logits;
};

struct tally {
    double loss;
    int64_t right, right_but_side, judged;
    int64_t place_right[PLACES], place_judged[PLACES];
};

/* ---- answers ---- */

static coordconv_status bench_open(struct bench *b, coordconv_context *context,
                                   const struct net *net)
{
    const char *const outputs[] = { "logits" };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .batch = BATCH, .outputs = outputs, .output_count = 1
    };
    const int64_t strips[4] = { BATCH, STRIP_HEIGHT, layout_width(b->layout), 1 };
    const int64_t logits[2] = { BATCH, CLASSES };
    coordconv_status status = coordconv_plan_new(net->model, &desc, &b->plan);

    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_F32, 4, strips, &b->strips);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_F32, 2, logits, &b->logits);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(b->plan, "strip", b->strips);
    return status == COORDCONV_OK ? coordconv_plan_bind(b->plan, "logits", b->logits) : status;
}

static void bench_close(struct bench *b)
{
    coordconv_plan_unref(b->plan);
    coordconv_tensor_unref(b->strips);
    coordconv_tensor_unref(b->logits);
}

/* Logarithms of the probabilities of a batch's classes. */
static coordconv_status answer(struct bench *b, const struct scene scenes[BATCH],
                               double answers[BATCH][CLASSES])
{
    scenes_paint(b->layout, b->set, BATCH, scenes, coordconv_tensor_data(b->strips), NULL);
    const coordconv_status status = coordconv_plan_run(b->plan);
    const float *logits = coordconv_tensor_data(b->logits);

    for (int i = 0; i < BATCH && status == COORDCONV_OK; i++) {
        double most = -INFINITY, sum = 0;

        for (int c = 0; c < CLASSES; c++)
            most = fmax(most, (double)logits[i * CLASSES + c]);
        for (int c = 0; c < CLASSES; c++)
            sum += exp((double)logits[i * CLASSES + c] - most);
        for (int c = 0; c < CLASSES; c++)
            answers[i][c] = (double)logits[i * CLASSES + c] - most - log(sum);
    }
    return status;
}

static int likeliest(const double answer[CLASSES])
{
    int best = 0;

    for (int c = 1; c < CLASSES; c++)
        if (answer[c] > answer[best])
            best = c;
    return best;
}

/* The batch whose first digit is number `from` of the jury; behind its end the last one again. */
static coordconv_status draw_batch(const struct jury *jury, int64_t from,
                                   coordconv_context *context, struct scene scenes[BATCH])
{
    for (int64_t i = 0; i < BATCH; i++)
        scenes[i].digit = jury->first + (from + i < jury->count ? from + i : jury->count - 1);
    return scenes_place(context, JUDGE_SEED, (uint64_t)from, BATCH, scenes);
}

/* ---- right and wrong ---- */

static void take(struct tally *t, const struct bench *b, const struct scene *scene,
                 const double answer[CLASSES])
{
    const int label = scene_label(b->layout, b->set->labels[scene->digit], scene->place);
    const int said = likeliest(answer);

    t->judged++;
    t->loss -= answer[label];
    t->right += said == label;
    t->right_but_side += said % DIGIT_CLASSES == label % DIGIT_CLASSES;
    t->place_judged[scene->place]++;
    t->place_right[scene->place] += said == label;
}

static coordconv_status judge_all(struct bench *b, const struct jury *jury,
                                  coordconv_context *context, struct tally *t)
{
    struct scene scenes[BATCH];
    double answers[BATCH][CLASSES];
    coordconv_status status = COORDCONV_OK;

    for (int64_t from = 0; from < jury->count && status == COORDCONV_OK; from += BATCH) {
        status = draw_batch(jury, from, context, scenes);
        if (status == COORDCONV_OK)
            status = answer(b, scenes, answers);
        for (int64_t i = 0; i < BATCH && from + i < jury->count && status == COORDCONV_OK; i++)
            take(t, b, &scenes[i], answers[i]);
    }
    return status;
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : NAN;
}

static void tell(struct run *run, const struct layout *layout, const struct tally *t)
{
    run_figure(run, "accuracy", percent(t->right, t->judged));
    run_figure(run, "loss", t->loss / (double)t->judged);
    if (layout->side_counts)
        run_figure(run, "side", percent(t->right, t->right_but_side));
    for (int place = 0; place < PLACES; place++)
        run_point(run, "accuracy by place", place,
                  percent(t->place_right[place], t->place_judged[place]));
}

/* ---- the same digit on the other side ---- */

/* Half the sum of the differences: the share of probability that one must move to get the other. */
static double distance(const double a[CLASSES], const double b[CLASSES])
{
    double sum = 0;

    for (int c = 0; c < CLASSES; c++)
        sum += fabs(exp(a[c]) - exp(b[c])) / 2;
    return sum;
}

/* Where a digit of the left side stands on the other; the rest stay where they are. */
static int cross(struct scene scenes[BATCH], int crossed[BATCH])
{
    int count = 0;

    for (int i = 0; i < BATCH; i++) {
        const int across = place_across(scenes[i].place);

        crossed[i] = across >= 0;
        count += crossed[i];
        if (crossed[i])
            scenes[i].place = across;
    }
    return count;
}

static coordconv_status judge_moves(struct bench *b, const struct jury *jury,
                                    coordconv_context *context, double *moved)
{
    const int64_t count = jury->count < MOST_MOVED ? jury->count : MOST_MOVED;
    struct scene scenes[BATCH];
    double before[BATCH][CLASSES], after[BATCH][CLASSES], sum = 0;
    int crossed[BATCH], pairs = 0;
    coordconv_status status = COORDCONV_OK;

    for (int64_t from = 0; from < count && status == COORDCONV_OK; from += BATCH) {
        status = draw_batch(jury, from, context, scenes);
        if (status == COORDCONV_OK)
            status = answer(b, scenes, before);
        if (status != COORDCONV_OK)
            return status;
        pairs += cross(scenes, crossed);
        status = answer(b, scenes, after);
        for (int i = 0; i < BATCH; i++)
            sum += crossed[i] ? distance(before[i], after[i]) : 0;
    }
    *moved = pairs > 0 ? 100 * sum / pairs : NAN;
    return status;
}

coordconv_status judge_net(struct run *run, const struct net *net, const struct layout *layout,
                           const struct jury *jury)
{
    struct bench b = { .layout = layout, .set = jury->set };
    struct tally tally = { 0 };
    double moved = NAN;
    coordconv_status status = bench_open(&b, run->context, net);

    if (status == COORDCONV_OK)
        status = judge_all(&b, jury, run->context, &tally);
    if (status == COORDCONV_OK)
        status = judge_moves(&b, jury, run->context, &moved);
    if (status == COORDCONV_OK) {
        tell(run, layout, &tally);
        run_figure(run, "moved", moved);
    }
    bench_close(&b);
    return status;
}
