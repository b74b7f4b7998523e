/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boxes.h - upright boxes: overlap, suppression of those that overlap, average precision.
 */
#ifndef EXAMPLES_BOXES_H
#define EXAMPLES_BOXES_H

#include <stddef.h>

/* A centre, i down and j to the right, and extents, all in pixels. */
struct box {
    float i, j, height, width;
};

/* Intersection over union, 0 .. 1; 0 where a box has no area. */
double box_iou(struct box a, struct box b);

/* The box lies within side x side pixels; its border may lie on theirs. */
int box_is_inside(struct box box, int side);

/* Place of the box that overlaps most with this one, the first of equals, and its overlap in *iou;
 * -1 and 0 where none overlaps. */
int box_best(struct box box, const struct box *others, int count, double *iou);

/*
 * Non-maximum suppression: take the box with the highest score, drop all that overlap more than
 * limit with it, and so on, until there are `most`. Places of those taken, best first, go to kept;
 * returns their number, or -1 without memory. Of equal scores the earlier box is better.
 */
int boxes_suppress(const struct box *boxes, const float *scores, int count, double limit, int most,
                   int *kept);

enum match {
    MATCH_FALSE,
    MATCH_TRUE,
    MATCH_IGNORED /* neither right nor wrong */
};

/*
 * Which of the found boxes of an image, best first, are right: each takes the true box with which
 * it overlaps most, by at least limit, among those not yet taken. One that fits no other true box
 * than one with wanted[k] 0 is ignored. taken has truth_count elements of scratch.
 */
void boxes_match(const struct box *found, int found_count, const struct box *truth,
                 const unsigned char *wanted, int truth_count, double limit, unsigned char *taken,
                 enum match *matches);

struct detection {
    float score;
    enum match match;
};

/*
 * Area under precision over recall, precision at a recall being the highest at that recall or
 * beyond (as Pascal VOC has computed it since 2010). wanted: how many boxes there were to find, in
 * all images; 0 gives 0. The detections are put in order of their scores, equal ones as they come.
 * NAN without memory.
 */
double average_precision(struct detection *detections, size_t count, size_t wanted);

#endif /* EXAMPLES_BOXES_H */
