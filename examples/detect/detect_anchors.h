/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_anchors.h - the boxes that a region-proposal net starts from, and what it is to say of
 * them.
 *
 * On each place of the net's 13 x 13 map there are nine boxes of different extents around the
 * middle of what the place sees: pixel 8 + 4 k. Anchor number a is shape a % 9 of place a / 9,
 * row by row; the net gives four numbers and two scores to each, in this order. Anchors that cross
 * the border of the image are never used.
 *
 * The paper's released code stores nine rows, nine columns, nine heights and nine widths a place
 * and reads them back as nine groups of four, so that rows and columns become extents, and what a
 * place stands for depends on where it is. ANCHORS_MISREAD is this, to see what it does.
 */
#ifndef EXAMPLES_DETECT_ANCHORS_H
#define EXAMPLES_DETECT_ANCHORS_H

#include <stdint.h>

#include "boxes.h"
#include "field_of_mnist.h"

enum {
    ANCHOR_SHAPES = 9,
    ANCHOR_SIDE = 13,
    ANCHORS = ANCHOR_SIDE * ANCHOR_SIDE * ANCHOR_SHAPES,
    ANCHOR_MOVES = 4,       /* i, j, height, width */
    ANCHOR_SAMPLED = 12,    /* an image and step */
    ANCHOR_MOST_OBJECTS = 6 /* of these */
};

enum anchor_layout {
    ANCHORS_WHOLE,
    ANCHORS_MISREAD
};

struct box anchor_box(enum anchor_layout layout, int anchor);

int anchor_is_used(enum anchor_layout layout, int anchor);

/* i and j in extents of the anchor, height and width as logarithms of the ratio. */
struct box anchor_move(struct box anchor, const float moves[ANCHOR_MOVES]);
void anchor_moves_to(struct box anchor, struct box truth, float moves[ANCHOR_MOVES]);

enum {
    ANCHOR_IGNORED = -1,
    ANCHOR_BACKGROUND = 0,
    ANCHOR_OBJECT = 1
};

/* What each anchor of an image is, and which of its digits one of an object is on. */
struct assignment {
    int32_t label[ANCHORS]; /* ANCHOR_* */
    int digit[ANCHORS];
};

/*
 * An anchor whose overlap with an object is above 0.5 is of that object, and so is the one nearest
 * to each object. One that overlaps less than 0.1 with every digit, those that are to be found and
 * those that are not, is background.
 */
void anchors_assign(enum anchor_layout layout, const struct field_digit digits[FIELD_DIGITS],
                    struct assignment *out);

/*
 * Make all but ANCHOR_SAMPLED anchors ignored: up to half of objects, the rest background, those of
 * the lowest keys, which are random numbers.
 */
void anchors_sample(struct assignment *assignment, const float keys[ANCHORS]);

#endif /* EXAMPLES_DETECT_ANCHORS_H */
