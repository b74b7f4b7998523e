/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_anchors.c - the boxes that a region-proposal net starts from.
 */
#include "detect_anchors.h"

#include <math.h>

enum {
    FIRST = 8, /* the middle of the first place's 16 x 16 pixels */
    STRIDE = 4
};

static const double object_iou = 0.5, background_iou = 0.1;

static const float extents[ANCHOR_SHAPES][2] = { { 15, 15 }, { 20, 20 }, { 25, 25 },
                                                 { 15, 20 }, { 20, 25 }, { 20, 15 },
                                                 { 25, 20 }, { 15, 25 }, { 25, 15 } };

/* Number n of the 36 that stand one after the other for a place in the released code. */
static float released_number(float i, float j, int n)
{
    const int shape = n % ANCHOR_SHAPES;

    switch (n / ANCHOR_SHAPES) {
    case 0:
        return i;
    case 1:
        return j;
    case 2:
        return extents[shape][0];
    default:
        return extents[shape][1];
    }
}

struct box anchor_box(enum anchor_layout layout, int anchor)
{
    const int place = anchor / ANCHOR_SHAPES, shape = anchor % ANCHOR_SHAPES;
    const float i = (float)(FIRST + STRIDE * (place / ANCHOR_SIDE));
    const float j = (float)(FIRST + STRIDE * (place % ANCHOR_SIDE));

    if (layout == ANCHORS_WHOLE)
        return (struct box){ i, j, extents[shape][0], extents[shape][1] };
    return (struct box){ released_number(i, j, 4 * shape), released_number(i, j, 4 * shape + 1),
                         released_number(i, j, 4 * shape + 2),
                         released_number(i, j, 4 * shape + 3) };
}

int anchor_is_used(enum anchor_layout layout, int anchor)
{
    return box_is_inside(anchor_box(layout, anchor), FIELD_SIDE);
}

struct box anchor_move(struct box anchor, const float moves[ANCHOR_MOVES])
{
    return (struct box){ .i = anchor.i + moves[0] * anchor.height,
                         .j = anchor.j + moves[1] * anchor.width,
                         .height = anchor.height * expf(moves[2]),
                         .width = anchor.width * expf(moves[3]) };
}

void anchor_moves_to(struct box anchor, struct box truth, float moves[ANCHOR_MOVES])
{
    moves[0] = (truth.i - anchor.i) / anchor.height;
    moves[1] = (truth.j - anchor.j) / anchor.width;
    moves[2] = logf(truth.height / anchor.height);
    moves[3] = logf(truth.width / anchor.width);
}

/* The overlaps of one anchor: label and digit, and what it is to each object so far. */
static void assign_one(struct box box, int anchor, const struct field_digit digits[FIELD_DIGITS],
                       double most[FIELD_DIGITS], int nearest[FIELD_DIGITS], struct assignment *out)
{
    double best = 0, any = 0;

    for (int k = 0; k < FIELD_DIGITS; k++) {
        const double iou = box_iou(box, digits[k].box);

        any = fmax(any, iou);
        if (!digits[k].is_object)
            continue;
        if (iou > best) {
            best = iou;
            out->digit[anchor] = k;
        }
        if (iou > most[k]) {
            most[k] = iou;
            nearest[k] = anchor;
        }
    }
    out->label[anchor] = best > object_iou      ? ANCHOR_OBJECT
                         : any < background_iou ? ANCHOR_BACKGROUND
                                                : ANCHOR_IGNORED;
}

void anchors_assign(enum anchor_layout layout, const struct field_digit digits[FIELD_DIGITS],
                    struct assignment *out)
{
    double most[FIELD_DIGITS] = { 0 };
    int nearest[FIELD_DIGITS];

    for (int k = 0; k < FIELD_DIGITS; k++)
        nearest[k] = -1;
    for (int a = 0; a < ANCHORS; a++) {
        out->label[a] = ANCHOR_IGNORED;
        out->digit[a] = -1;
        if (anchor_is_used(layout, a))
            assign_one(anchor_box(layout, a), a, digits, most, nearest, out);
    }
    for (int k = 0; k < FIELD_DIGITS; k++) {
        if (nearest[k] >= 0) {
            out->label[nearest[k]] = ANCHOR_OBJECT;
            out->digit[nearest[k]] = k;
        }
    }
}

/* Keep the `most` anchors of a label that have the lowest keys; returns how many are left. */
static int keep_lowest(struct assignment *assignment, int32_t label, int most, const float *keys)
{
    int kept[ANCHOR_SAMPLED], count = 0;

    for (int a = 0; a < ANCHORS; a++) {
        if (assignment->label[a] != label)
            continue;
        assignment->label[a] = ANCHOR_IGNORED;
        int at = count;
        while (at > 0 && keys[kept[at - 1]] > keys[a])
            at--;
        if (at >= most)
            continue;
        count += count < most;
        for (int k = count - 1; k > at; k--)
            kept[k] = kept[k - 1];
        kept[at] = a;
    }
    for (int k = 0; k < count; k++)
        assignment->label[kept[k]] = label;
    return count;
}

void anchors_sample(struct assignment *assignment, const float keys[ANCHORS])
{
    const int objects = keep_lowest(assignment, ANCHOR_OBJECT, ANCHOR_MOST_OBJECTS, keys);

    keep_lowest(assignment, ANCHOR_BACKGROUND, ANCHOR_SAMPLED - objects, keys);
}
