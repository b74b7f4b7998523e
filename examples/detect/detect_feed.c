/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_feed.c - a plan of the region-proposal net, and images going through it.
 */
#include "detect_feed.h"

#include <stdlib.h>
#include <string.h>

#include "common/draws.h"

enum {
    ANCHOR_STREAM = 1 << 28 /* random numbers for anchors: this one and the step */
};

/* ---- making ---- */

/* A tensor for an input or output of the plan, bound to it. */
static coordconv_status bind_new(struct feed *f, const char *name, int32_t dtype, int32_t ndim,
                                 const int64_t *shape, coordconv_tensor **out)
{
    coordconv_status status = coordconv_tensor_new(f->context, dtype, ndim, shape, out);

    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(f->plan, name, *out);
    return status;
}

static coordconv_status bind_all(struct feed *f, int32_t mode)
{
    const int64_t image[] = { f->batch, FIELD_SIDE, FIELD_SIDE, 1 };
    const int64_t moves[] = { f->batch, ANCHOR_SIDE, ANCHOR_SIDE, ANCHOR_MOVES * ANCHOR_SHAPES };
    const int64_t scores[] = { f->batch, ANCHOR_SIDE, ANCHOR_SIDE, 2 * ANCHOR_SHAPES };
    const int64_t labels = f->batch * ANCHORS;
    coordconv_status status = bind_new(f, "image", COORDCONV_F32, 4, image, &f->image);

    if (status == COORDCONV_OK && mode == COORDCONV_TRAINING) {
        status = bind_new(f, "moves", COORDCONV_F32, 4, moves, &f->moves);
        if (status == COORDCONV_OK)
            status = bind_new(f, "counts", COORDCONV_F32, 4, moves, &f->counts);
        if (status == COORDCONV_OK)
            status = bind_new(f, "labels", COORDCONV_I32, 1, &labels, &f->labels);
        return status;
    }
    if (status == COORDCONV_OK)
        status = bind_new(f, "moved", COORDCONV_F32, 4, moves, &f->moved);
    if (status == COORDCONV_OK)
        status = bind_new(f, "scores", COORDCONV_F32, 4, scores, &f->scores);
    return status;
}

coordconv_status feed_new(struct feed *feed, coordconv_context *context, coordconv_model *model,
                          int32_t mode, int64_t batch, enum anchor_layout layout)
{
    *feed = (struct feed){ .context = context, .batch = batch, .layout = layout };
    feed->keys = malloc((size_t)batch * ANCHORS * sizeof *feed->keys);
    if (feed->keys == NULL)
        return COORDCONV_ERR_NOMEM;
    const coordconv_status status = detect_plan_new(model, mode, batch, &feed->plan);
    return status == COORDCONV_OK ? bind_all(feed, mode) : status;
}

void feed_free(struct feed *feed)
{
    coordconv_plan_unref(feed->plan);
    coordconv_tensor_unref(feed->image);
    coordconv_tensor_unref(feed->moves);
    coordconv_tensor_unref(feed->counts);
    coordconv_tensor_unref(feed->labels);
    coordconv_tensor_unref(feed->moved);
    coordconv_tensor_unref(feed->scores);
    free(feed->keys);
    *feed = (struct feed){ 0 };
}

/* ---- running ---- */

static void write_image(struct feed *f, int64_t n, const struct field *field, int64_t which)
{
    float *out = (float *)coordconv_tensor_data(f->image) + n * FIELD_PIXELS;
    const unsigned char *pixels = field->pixels + which * FIELD_PIXELS;

    for (int p = 0; p < FIELD_PIXELS; p++)
        out[p] = (float)pixels[p] / 255;
}

/* What the sampled anchors should be; the others do not count. */
static void write_wanted(struct feed *f, int64_t n, const struct field_digit digits[FIELD_DIGITS],
                         const struct assignment *assignment)
{
    const int64_t first = n * ANCHORS;
    float *moves = (float *)coordconv_tensor_data(f->moves) + first * ANCHOR_MOVES;
    float *counts = (float *)coordconv_tensor_data(f->counts) + first * ANCHOR_MOVES;
    int32_t *labels = (int32_t *)coordconv_tensor_data(f->labels) + first;

    memcpy(labels, assignment->label, sizeof assignment->label);
    memset(moves, 0, ANCHORS * ANCHOR_MOVES * sizeof *moves);
    memset(counts, 0, ANCHORS * ANCHOR_MOVES * sizeof *counts);
    for (int a = 0; a < ANCHORS; a++) {
        if (assignment->label[a] != ANCHOR_OBJECT)
            continue;
        anchor_moves_to(anchor_box(f->layout, a), digits[assignment->digit[a]].box,
                        moves + a * ANCHOR_MOVES);
        for (int m = 0; m < ANCHOR_MOVES; m++)
            counts[a * ANCHOR_MOVES + m] = 1;
    }
}

coordconv_status feed_train(struct feed *feed, const struct field *field, const int64_t *which,
                            uint64_t seed, int64_t step)
{
    struct assignment assignment;
    const coordconv_status status = draws_uniform(
        feed->context, seed, ANCHOR_STREAM + (uint64_t)step, feed->batch * ANCHORS, feed->keys);

    if (status != COORDCONV_OK)
        return status;
    for (int64_t n = 0; n < feed->batch; n++) {
        const struct field_digit *digits = field->digits + which[n] * FIELD_DIGITS;

        write_image(feed, n, field, which[n]);
        anchors_assign(feed->layout, digits, &assignment);
        anchors_sample(&assignment, feed->keys + n * ANCHORS);
        write_wanted(feed, n, digits, &assignment);
    }
    return coordconv_plan_run(feed->plan);
}

coordconv_status feed_see(struct feed *feed, const struct field *field, int64_t first)
{
    for (int64_t n = 0; n < feed->batch && first + n < field->count; n++)
        write_image(feed, n, field, first + n);
    return coordconv_plan_run(feed->plan);
}

const float *feed_moved(const struct feed *feed, int64_t n)
{
    return (const float *)coordconv_tensor_data(feed->moved) + n * ANCHORS * ANCHOR_MOVES;
}

const float *feed_scores(const struct feed *feed, int64_t n)
{
    return (const float *)coordconv_tensor_data(feed->scores) + n * ANCHORS * 2;
}
