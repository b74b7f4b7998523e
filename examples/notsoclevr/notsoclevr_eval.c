/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_eval.c - batches through a plan, and what the answers are worth.
 */
#include "notsoclevr_eval.h"

#include <math.h>
#include <string.h>

enum {
    MAX_BATCH = 256
};

/* Inference answers in pixels and in 0 .. 1; training in shares of the canvas and in logits. */
const struct reading reading_inference = { .pixels = 1, .on = 0.5f };
const struct reading reading_training = { .pixels = CANVAS, .on = 0 };

const char *metric_name(enum task task)
{
    static const char *const names[TASKS] = { "accuracy", "distance", "iou" };

    return names[task];
}

/* ---- batches ---- */

static coordconv_status bind_input(struct batch *b, coordconv_context *context,
                                   const struct feed *feed)
{
    coordconv_tensor **tensor = &b->inputs[b->feed_count];
    const coordconv_status status = content_new(context, feed->content, b->size, tensor);

    if (status != COORDCONV_OK)
        return status;
    b->contents[b->feed_count++] = feed->content;
    return coordconv_plan_bind(b->plan, feed->name, *tensor);
}

static coordconv_status bind_answer(struct batch *b, coordconv_context *context, const char *name,
                                    int is_image)
{
    const coordconv_status status =
        content_new(context, is_image ? ONE_HOT : XY, b->size, &b->answer);

    return status == COORDCONV_OK ? coordconv_plan_bind(b->plan, name, b->answer) : status;
}

static coordconv_status bind_loss(struct batch *b, coordconv_context *context)
{
    const coordconv_status status = coordconv_tensor_new(context, COORDCONV_F32, 0, NULL, &b->loss);

    return status == COORDCONV_OK ? coordconv_plan_bind(b->plan, "loss", b->loss) : status;
}

static int answers_image(const struct net *net)
{
    return strcmp(net->output, "image") == 0;
}

coordconv_status batch_new_training(struct batch *batch, const struct net *net,
                                    coordconv_context *context, int64_t size)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = size };
    coordconv_status status;

    memset(batch, 0, sizeof *batch);
    batch->size = size;
    status = coordconv_plan_new(net->training, &desc, &batch->plan);
    for (int32_t i = 0; i < net->feed_count && status == COORDCONV_OK; i++)
        status = bind_input(batch, context, &net->feeds[i]);
    if (status == COORDCONV_OK)
        status = bind_answer(batch, context, "answer", answers_image(net));
    if (status == COORDCONV_OK)
        status = bind_loss(batch, context);
    if (status != COORDCONV_OK)
        batch_free(batch);
    return status;
}

coordconv_status batch_new_inference(struct batch *batch, const struct net *net,
                                     coordconv_context *context, int64_t size)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = size };
    coordconv_status status;

    memset(batch, 0, sizeof *batch);
    batch->size = size;
    status = coordconv_plan_new(net->inference, &desc, &batch->plan);
    if (status == COORDCONV_OK)
        status = bind_input(batch, context, &net->input);
    if (status == COORDCONV_OK)
        status = bind_answer(batch, context, net->output, answers_image(net));
    if (status != COORDCONV_OK)
        batch_free(batch);
    return status;
}

void batch_free(struct batch *batch)
{
    coordconv_plan_unref(batch->plan);
    for (int32_t i = 0; i < MAX_FEEDS; i++)
        coordconv_tensor_unref(batch->inputs[i]);
    coordconv_tensor_unref(batch->answer);
    coordconv_tensor_unref(batch->loss);
    memset(batch, 0, sizeof *batch);
}

coordconv_status batch_run(struct batch *batch, const int64_t *positions)
{
    for (int32_t i = 0; i < batch->feed_count; i++)
        content_fill(batch->inputs[i], batch->contents[i], positions);
    return coordconv_plan_run(batch->plan);
}

const float *batch_answer(const struct batch *batch, int64_t i)
{
    return (const float *)coordconv_tensor_data(batch->answer) +
           i * coordconv_tensor_stride(batch->answer, 0);
}

/* ---- one answer ---- */

static void judge_pixel(int x, int y, const float *map, struct outcome *o)
{
    int best = 0;

    for (int i = 1; i < PIXELS; i++)
        if (map[i] > map[best])
            best = i;
    o->x = (float)(best % CANVAS);
    o->y = (float)(best / CANVAS);
    o->right = best == y * CANVAS + x;
    o->score = o->right;
}

static void judge_point(int x, int y, const float *pair, float pixels, struct outcome *o)
{
    o->x = pair[0] * pixels;
    o->y = pair[1] * pixels;
    const float dx = o->x - (float)x, dy = o->y - (float)y;
    o->score = hypotf(dx, dy);
    o->off = fmaxf(fabsf(dx), fabsf(dy));
    o->right = o->off < 0.5f;
}

static void judge_square(int x, int y, const float *image, float on, struct outcome *o)
{
    int both = 0, either = 0;

    for (int i = 0; i < CANVAS; i++) {
        for (int j = 0; j < CANVAS; j++) {
            const int wanted = i >= y - HALF && i <= y + HALF && j >= x - HALF && j <= x + HALF;
            const int lit = image[i * CANVAS + j] > on;
            both += wanted & lit;
            either += wanted | lit;
        }
    }
    o->x = o->y = NAN;
    o->score = (float)both / (float)either; /* the square itself is never empty */
    o->right = both == either;
}

void judge(enum task task, int64_t position, const float *answer, struct reading reading,
           struct outcome *outcome)
{
    const int x = position_x(position), y = position_y(position);

    memset(outcome, 0, sizeof *outcome);
    if (task == CLASSIFICATION)
        judge_pixel(x, y, answer, outcome);
    else if (task == REGRESSION)
        judge_point(x, y, answer, reading.pixels, outcome);
    else
        judge_square(x, y, answer, reading.on, outcome);
}

/* ---- all answers ---- */

/* Positions taken[0 .. size - 1] from at on; past the end the last one again. */
static int64_t take(const int64_t *positions, int64_t count, int64_t at, int64_t size,
                    int64_t *taken)
{
    for (int64_t i = 0; i < size; i++)
        taken[i] = positions[at + i < count ? at + i : count - 1];
    return count - at < size ? count - at : size;
}

coordconv_status evaluate_some(struct batch *batch, enum task task, const int64_t *positions,
                               int64_t count, double *score)
{
    int64_t taken[MAX_BATCH];
    double sum = 0;

    for (int64_t at = 0; at < count; at += batch->size) {
        const int64_t fresh = take(positions, count, at, batch->size, taken);
        const coordconv_status status = batch_run(batch, taken);
        struct outcome outcome;

        if (status != COORDCONV_OK)
            return status;
        for (int64_t i = 0; i < fresh; i++) {
            judge(task, taken[i], batch_answer(batch, i), reading_inference, &outcome);
            sum += (double)outcome.score;
        }
    }
    *score = count > 0 ? sum / (double)count : 0;
    return COORDCONV_OK;
}

static void add_wanted(float *sum, enum task task, int64_t position)
{
    const int half = task == RENDERING ? HALF : 0;
    const int x = position_x(position), y = position_y(position);

    for (int i = y - half; i <= y + half; i++)
        for (int j = x - half; j <= x + half; j++)
            sum[i * CANVAS + j] += 1;
}

/* An image is added up as it is, a point as the one pixel it rounds to. */
static void add_answer(float *sum, enum task task, const float *answer, const struct outcome *o)
{
    if (task != REGRESSION) {
        for (int i = 0; i < PIXELS; i++)
            sum[i] += answer[i];
    } else if (o->x > -0.5f && o->x < CANVAS - 0.5f && o->y > -0.5f && o->y < CANVAS - 0.5f) {
        sum[(int)(o->y + 0.5f) * CANVAS + (int)(o->x + 0.5f)] += 1;
    }
}

static void keep_example(struct evaluation *e, enum task task, int64_t position,
                         const float *answer)
{
    for (int k = 0; k < EXAMPLES; k++)
        if (e->example_positions[k] == position && task != REGRESSION)
            memcpy(e->examples[k], answer, sizeof e->examples[k]);
}

/* Test positions far from each other: steps of the golden section through their list. */
static void choose_examples(struct evaluation *e, const struct data_set *set)
{
    for (int k = 0; k < EXAMPLES; k++) {
        const double share = 0.5 + 0.6180339887498949 * k;
        e->example_positions[k] =
            set->test[(int64_t)((share - floor(share)) * (double)set->test_count)];
    }
}

/* Means of the outcomes of one part; the worst of them too. */
static void summarise(const struct evaluation *e, enum task task, const int64_t *positions,
                      int64_t count, double *mean, double *right, double *worst)
{
    double sum = 0, rights = 0, least = 1, most = 0;

    for (int64_t i = 0; i < count; i++) {
        const struct outcome *o = &e->outcomes[positions[i]];

        sum += (double)o->score;
        rights += o->right;
        most = fmax(most, (double)o->off);
        least = fmin(least, (double)o->score);
    }
    *mean = sum / (double)count;
    *right = rights / (double)count;
    *worst = task == REGRESSION ? most : least;
}

coordconv_status evaluate(struct batch *batch, enum task task, const struct data_set *set,
                          struct evaluation *e)
{
    int64_t all[POSITIONS], taken[MAX_BATCH];
    double ignored;

    memset(e, 0, sizeof *e);
    choose_examples(e, set);
    for (int64_t p = 0; p < POSITIONS; p++)
        all[p] = p;
    for (int64_t at = 0; at < POSITIONS; at += batch->size) {
        const int64_t fresh = take(all, POSITIONS, at, batch->size, taken);
        const coordconv_status status = batch_run(batch, taken);

        if (status != COORDCONV_OK)
            return status;
        for (int64_t i = 0; i < fresh; i++) {
            const int64_t p = taken[i];
            const float *answer = batch_answer(batch, i);

            judge(task, p, answer, reading_inference, &e->outcomes[p]);
            if (set->is_test[p]) {
                add_wanted(e->wanted_sum, task, p);
                add_answer(e->answer_sum, task, answer, &e->outcomes[p]);
                keep_example(e, task, p, answer);
            }
        }
    }
    summarise(e, task, set->train, set->train_count, &e->train, &e->train_right, &ignored);
    summarise(e, task, set->test, set->test_count, &e->test, &e->test_right, &e->test_worst);
    return COORDCONV_OK;
}
