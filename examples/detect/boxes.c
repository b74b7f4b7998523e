/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boxes.c - upright boxes: overlap, suppression of those that overlap, average precision.
 */
#include "boxes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How far two intervals, given by middle and length, overlap. */
static double common(float a, float a_length, float b, float b_length)
{
    const double low = fmax((double)a - (double)a_length / 2, (double)b - (double)b_length / 2);
    const double high = fmin((double)a + (double)a_length / 2, (double)b + (double)b_length / 2);

    return fmax(high - low, 0);
}

double box_iou(struct box a, struct box b)
{
    const double both = common(a.i, a.height, b.i, b.height) * common(a.j, a.width, b.j, b.width);
    const double either =
        (double)a.height * (double)a.width + (double)b.height * (double)b.width - both;

    return both > 0 ? both / either : 0;
}

int box_is_inside(struct box box, int side)
{
    const float limit = (float)side;

    return box.i - box.height / 2 >= 0 && box.i + box.height / 2 <= limit &&
           box.j - box.width / 2 >= 0 && box.j + box.width / 2 <= limit;
}

int box_best(struct box box, const struct box *others, int count, double *iou)
{
    int best = -1;

    *iou = 0;
    for (int k = 0; k < count; k++) {
        const double overlap = box_iou(box, others[k]);
        if (overlap > *iou) {
            *iou = overlap;
            best = k;
        }
    }
    return best;
}

/* ---- suppression ---- */

struct ranked {
    float score;
    size_t place;
};

static int by_score(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

int boxes_suppress(const struct box *boxes, const float *scores, int count, double limit, int most,
                   int *kept)
{
    struct ranked *ranked = malloc((size_t)(count > 0 ? count : 1) * sizeof *ranked);
    int taken = 0;

    if (ranked == NULL)
        return -1;
    for (int k = 0; k < count; k++)
        ranked[k] = (struct ranked){ scores[k], (size_t)k };
    qsort(ranked, (size_t)count, sizeof *ranked, by_score);
    for (int k = 0; k < count && taken < most; k++) {
        const struct box candidate = boxes[ranked[k].place];
        int free_standing = 1;

        for (int t = 0; t < taken && free_standing; t++)
            free_standing = box_iou(candidate, boxes[kept[t]]) <= limit;
        if (free_standing)
            kept[taken++] = (int)ranked[k].place;
    }
    free(ranked);
    return taken;
}

/* ---- average precision ---- */

/* The box not yet taken that overlaps most with this one, by at least limit; -1: none. */
static int best_left(struct box box, const struct box *truth, const unsigned char *wanted,
                     const unsigned char *taken, int count, double limit)
{
    double most = 0;
    int best = -1;

    for (int k = 0; k < count; k++) {
        const double overlap = wanted[k] && !taken[k] ? box_iou(box, truth[k]) : 0;
        if (overlap >= limit && overlap > most) {
            most = overlap;
            best = k;
        }
    }
    return best;
}

static int fits_unwanted(struct box box, const struct box *truth, const unsigned char *wanted,
                         int count, double limit)
{
    for (int k = 0; k < count; k++)
        if (!wanted[k] && box_iou(box, truth[k]) >= limit)
            return 1;
    return 0;
}

void boxes_match(const struct box *found, int found_count, const struct box *truth,
                 const unsigned char *wanted, int truth_count, double limit, unsigned char *taken,
                 enum match *matches)
{
    memset(taken, 0, (size_t)truth_count);
    for (int k = 0; k < found_count; k++) {
        const int best = best_left(found[k], truth, wanted, taken, truth_count, limit);

        if (best >= 0)
            taken[best] = 1;
        matches[k] = best >= 0                                                    ? MATCH_TRUE
                     : fits_unwanted(found[k], truth, wanted, truth_count, limit) ? MATCH_IGNORED
                                                                                  : MATCH_FALSE;
    }
}

/* Best first; 0 without memory. */
static int sort_detections(struct detection *detections, size_t count)
{
    struct detection *copy = malloc((count > 0 ? count : 1) * sizeof *copy);
    struct ranked *ranked = malloc((count > 0 ? count : 1) * sizeof *ranked);
    const int has_memory = copy != NULL && ranked != NULL;

    for (size_t k = 0; has_memory && k < count; k++) {
        copy[k] = detections[k];
        ranked[k] = (struct ranked){ detections[k].score, k };
    }
    if (has_memory)
        qsort(ranked, count, sizeof *ranked, by_score);
    for (size_t k = 0; has_memory && k < count; k++)
        detections[k] = copy[ranked[k].place];
    free(copy);
    free(ranked);
    return has_memory;
}

/* Recall rises by 1 / wanted with each that is right; from the last one back, the highest
 * precision so far is what that step counts. */
double average_precision(struct detection *detections, size_t count, size_t wanted)
{
    size_t right = 0, wrong = 0;
    double highest = 0, sum = 0;

    if (wanted == 0 || !sort_detections(detections, count))
        return wanted == 0 ? 0 : NAN;
    for (size_t k = 0; k < count; k++) {
        right += detections[k].match == MATCH_TRUE;
        wrong += detections[k].match == MATCH_FALSE;
    }
    for (size_t k = count; k-- > 0;) {
        if (detections[k].match == MATCH_TRUE) {
            highest = fmax(highest, (double)right / (double)(right + wrong));
            sum += highest;
        }
        right -= detections[k].match == MATCH_TRUE;
        wrong -= detections[k].match == MATCH_FALSE;
    }
    return sum / (double)wanted;
}
