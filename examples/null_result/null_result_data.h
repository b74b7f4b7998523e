/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_data.h - digits on a strip, and what their place has to do with their label.
 *
 * A strip is blank but for one digit. Columns where a digit may begin come in two sides with a
 * gap between them; every row is possible. Under one rule the class is the digit. Under the other
 * there are twice as many, the digits of the left side and those of the right: who reads every
 * digit but does not know where it stands is right every other time.
 *
 * A wide strip has so much blank beside both sides that no unit of the net (null_result_nets.h)
 * sees a part of a digit and what lies beyond the left or the right end at once. Without
 * coordinates such a net gives the same answer NET_STRIDE columns further on, and so on either
 * side: it has no way to know, however it is trained. On a narrow strip the ends are in sight, and
 * their zero padding tells where a digit stands.
 */
#ifndef EXAMPLES_NULL_RESULT_DATA_H
#define EXAMPLES_NULL_RESULT_DATA_H

#include "digits/digits.h"

enum {
    CLASSES = 2 * DIGIT_CLASSES,
    INK_SIDE = DIGIT_SIDE / 2, /* a digit on a strip: the mean of each 2 x 2 pixels */
    INK = 8, /* what full ink counts: the standard deviation of a strip's pixels is about 1 */
    SIDE_PLACES = 12, /* columns where a digit may begin, a multiple of the net's stride */
    PLACES = 2 * SIDE_PLACES,
    MIDDLE_GAP = 3,   /* columns between the sides where none begins */
    SIDES_APART = 16, /* columns, such a multiple too, to the right and on the other side */
    BLANK = 20,       /* columns beside the places of a wide strip */
    NARROW_WIDTH = PLACES + MIDDLE_GAP + INK_SIDE - 1,
    WIDE_WIDTH = NARROW_WIDTH + 2 * BLANK,
    STRIP_HEIGHT = 24,
    TOPS = STRIP_HEIGHT - INK_SIDE + 1 /* rows where a digit may begin */
};

struct layout {
    const char *name, *about;
    int is_narrow;
    int side_counts; /* the class depends on the side */
};

enum {
    LAYOUTS = 3
};

extern const struct layout layouts[LAYOUTS];

struct scene {
    int64_t digit; /* number in its set */
    int place;     /* 0 .. PLACES - 1, from the left */
    int top;       /* row where it begins */
};

int layout_width(const struct layout *layout);

/* The column where a digit of this place begins. */
int place_column(const struct layout *layout, int place);

/* The place SIDES_APART columns to the right of one of the left; -1 where there is none. */
int place_across(int place);

int32_t scene_label(const struct layout *layout, int digit, int place);

/* Draw place and top of count scenes; the digits are left to the caller. */
coordconv_status scenes_place(coordconv_context *context, uint64_t seed, uint64_t stream,
                              int64_t count, struct scene *scenes);

/* Write strips, 0 blank and INK ink, [count, STRIP_HEIGHT, width, 1], and, unless NULL, labels. */
void scenes_paint(const struct layout *layout, const struct digit_set *set, int64_t count,
                  const struct scene *scenes, float *strips, int32_t *labels);

/* The scenes of a training: passes over the digits, each in an order of its own. */
struct sampler {
    coordconv_context *context;
    uint64_t seed;
    int64_t digits, batch;
    int64_t pass; /* that order is of; -1: none */
    int64_t *order;
};

coordconv_status sampler_new(struct sampler *sampler, coordconv_context *context, uint64_t seed,
                             int64_t digits, int64_t batch);
void sampler_free(struct sampler *sampler);

/* The batch of a step, which depends on the seed and the step alone. */
coordconv_status sampler_batch(struct sampler *sampler, int64_t step, struct scene *scenes);

#endif /* EXAMPLES_NULL_RESULT_DATA_H */
