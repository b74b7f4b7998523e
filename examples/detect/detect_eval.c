/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_eval.c - what a region-proposal net proposes, and how good it is.
 */
#include "detect_eval.h"

#include <stdlib.h>

#include "common/stats.h"

/* Overlap from which a box is that of a digit. */
static const double match_iou = 0.5;

int detect_propose(const struct feed *feed, int64_t n, double limit, struct proposals *out)
{
    const float *moved = feed_moved(feed, n), *scores = feed_scores(feed, n);
    struct box boxes[ANCHORS];
    float odds[ANCHORS];
    int kept[MOST_PROPOSALS], used = 0;

    for (int a = 0; a < ANCHORS; a++) {
        if (!anchor_is_used(feed->layout, a))
            continue;
        boxes[used] = anchor_move(anchor_box(feed->layout, a), moved + a * ANCHOR_MOVES);
        odds[used++] = scores[2 * a + ANCHOR_OBJECT] - scores[2 * a + ANCHOR_BACKGROUND];
    }
    out->count = boxes_suppress(boxes, odds, used, limit, MOST_PROPOSALS, kept);
    for (int k = 0; k < out->count; k++) {
        out->boxes[k] = boxes[kept[k]];
        out->scores[k] = odds[kept[k]];
    }
    return out->count < 0 ? -1 : 0;
}

/* What is gathered over the images. */
struct tally {
    struct stats positives, proposals, objects;
    struct detection *detections;
    size_t detection_count, wanted;
};

static void add_positives(struct tally *t, const struct feed *feed, int64_t n,
                          const struct field_digit *digits)
{
    const float *moved = feed_moved(feed, n);
    struct assignment assignment;

    anchors_assign(feed->layout, digits, &assignment);
    for (int a = 0; a < ANCHORS; a++) {
        if (assignment.label[a] == ANCHOR_OBJECT) {
            const struct box box =
                anchor_move(anchor_box(feed->layout, a), moved + a * ANCHOR_MOVES);
            stats_add(&t->positives, box_iou(box, digits[assignment.digit[a]].box));
        }
    }
}

/* The boxes of an image's digits that are objects, or of the others; returns their number. */
static int list_boxes(const struct field_digit *digits, int objects, struct box boxes[FIELD_DIGITS])
{
    int count = 0;

    for (int k = 0; k < FIELD_DIGITS; k++)
        if (digits[k].is_object == objects)
            boxes[count++] = digits[k].box;
    return count;
}

static void add_overlaps(struct tally *t, const struct field_digit *digits,
                         const struct proposals *p)
{
    struct box objects[FIELD_DIGITS], others[FIELD_DIGITS];
    const int count = list_boxes(digits, 1, objects), more = list_boxes(digits, 0, others);
    double iou, other_iou;

    for (int k = 0; k < p->count && count > 0; k++) {
        box_best(p->boxes[k], objects, count, &iou);
        box_best(p->boxes[k], others, more, &other_iou);
        if (other_iou < match_iou || iou >= other_iou)
            stats_add(&t->proposals, iou);
    }
    for (int k = 0; k < count; k++) {
        box_best(objects[k], p->boxes, p->count, &iou);
        stats_add(&t->objects, iou);
    }
}

static void add_detections(struct tally *t, const struct field_digit *digits,
                           const struct proposals *p)
{
    struct box truth[FIELD_DIGITS];
    unsigned char wanted[FIELD_DIGITS], taken[FIELD_DIGITS];
    enum match matches[MOST_PROPOSALS];

    for (int k = 0; k < FIELD_DIGITS; k++) {
        truth[k] = digits[k].box;
        wanted[k] = digits[k].is_object;
        t->wanted += wanted[k];
    }
    boxes_match(p->boxes, p->count, truth, wanted, FIELD_DIGITS, match_iou, taken, matches);
    for (int k = 0; k < p->count; k++)
        t->detections[t->detection_count++] = (struct detection){ p->scores[k], matches[k] };
}

static coordconv_status add_batch(struct tally *t, struct feed *feed, const struct field *field,
                                  int64_t first, int64_t count)
{
    struct proposals proposals;
    const coordconv_status status = feed_see(feed, field, first);

    for (int64_t n = 0; n < feed->batch && first + n < count && status == COORDCONV_OK; n++) {
        const struct field_digit *digits = field->digits + (first + n) * FIELD_DIGITS;

        add_positives(t, feed, n, digits);
        if (detect_propose(feed, n, DETECT_LOOSE, &proposals) != 0)
            return COORDCONV_ERR_NOMEM;
        add_overlaps(t, digits, &proposals);
        if (detect_propose(feed, n, DETECT_STRICT, &proposals) != 0)
            return COORDCONV_ERR_NOMEM;
        add_detections(t, digits, &proposals);
    }
    return status;
}

coordconv_status detect_judge(struct feed *feed, const struct field *field, int64_t count,
                              struct judgement *out)
{
    struct tally t = { .detections =
                           malloc((size_t)count * MOST_PROPOSALS * sizeof *t.detections) };
    coordconv_status status = t.detections != NULL ? COORDCONV_OK : COORDCONV_ERR_NOMEM;

    for (int64_t first = 0; first < count && status == COORDCONV_OK; first += feed->batch)
        status = add_batch(&t, feed, field, first, count);
    if (status == COORDCONV_OK)
        *out = (struct judgement){ t.positives.mean, t.proposals.mean, t.objects.mean,
                                   average_precision(t.detections, t.detection_count, t.wanted) };
    free(t.detections);
    return status;
}
