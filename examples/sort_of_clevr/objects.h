/* SPDX-License-Identifier: BSD-2-Clause
 *
 * objects.h - what a generated Sort-of-Clevr image shows, decided without anyone looking.
 *
 * A pixel is blue where its blue exceeds both red and green by more than half
 * of the range, and red likewise. Pixels of a colour that touch along an edge
 * are a patch; a patch of at least a quarter of a circle's area is an object,
 * a smaller one is a speck. An object is whole if some square or circle of the
 * right size, inside the canvas, has an overlap (intersection over union) of
 * OBJECTS_WHOLE or more with it; pixels of the other colour do not count, as
 * they may hide it.
 *
 * OBJECTS_WHOLE is 0.8: a real object is whole (overlap 1), smoothed by a mean over
 * 3 x 3 pixels too; one that lacks a quarter of its area is not.
 */
#ifndef EXAMPLES_OBJECTS_H
#define EXAMPLES_OBJECTS_H

#include "sort_of_clevr.h"

#define OBJECTS_WHOLE 0.8

/* Positions are counted in OBJECTS_GRID x OBJECTS_GRID cells, of 2 x 2 pixels each. */
enum {
    OBJECTS_GRID = SCENE_CENTRES / 2,
    OBJECTS_CELLS = OBJECTS_GRID * OBJECTS_GRID
};

/* The objects of one colour in an image. */
struct sight {
    int count, specks;
    double overlap; /* of the largest object with the square or circle that fits best; 0: none */
    int shape;      /* of that: enum scene_shape */
    double x, y;    /* middle of the largest object's pixels */
};

void objects_see(const float *image, struct sight seen[SCENE_COLOURS]);

/* One object of each colour; and these whole. Specks are counted, but do not matter here. */
int objects_are_two(const struct sight seen[SCENE_COLOURS]);
int objects_are_whole(const struct sight seen[SCENE_COLOURS]);

/* What many images show. Zero it, then add them. */
struct objects_tally {
    int64_t images;
    int64_t objects[SCENE_COLOURS], specks[SCENE_COLOURS]; /* found in all images */
    int64_t two, whole;                                    /* images: as the functions above */
    int64_t covered[SCENE_COLOURS][OBJECTS_CELLS]; /* largest objects with their middle there */
};

void objects_add(struct objects_tally *tally, const float *images, int64_t count);

/* Add the real images number first .. first + count - 1 of this seed. */
coordconv_status objects_add_real(struct objects_tally *tally, uint64_t seed, int64_t first,
                                  int64_t count);

/* Entropy in bits of where the objects of a colour are. */
double objects_entropy(const struct objects_tally *tally, int colour);

/*
 * 2^(entropy - entropy of the reference): the share of the reference's positions that
 * are in use. 1: as the reference; near 0: all in one place; 0: no objects. The
 * reference should have as many images, as an entropy grows with their number.
 */
double objects_coverage(const struct objects_tally *tally, const struct objects_tally *reference,
                        int colour);

/* Jensen-Shannon divergence in bits of the two distributions of positions: 0: the same,
 * 1: disjoint, or no objects. */
double objects_divergence(const struct objects_tally *tally, const struct objects_tally *reference,
                          int colour);

#endif /* EXAMPLES_OBJECTS_H */
