/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_conv.h - what the tests of convolution panels share: layouts of inputs,
 * numbers to fill them with, and how near a result has to come.
 */
#ifndef COORDCONV_TESTS_CHECK_CONV_H
#define COORDCONV_TESTS_CHECK_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Sums are compared with sums in a wider type. */
#ifdef CCONV_DOUBLE
typedef long double wide_real;
#else
typedef double wide_real;
#endif

/* Twice the largest tile and one. */
#define MAX_PIXELS   49
#define MAX_SEGMENTS 4
#define MAX_LENGTH   600
#define MAX_NR       32
/* Elements of packed weights: groups of up to 16 products fill the last of a run. */
#define MAX_PACKED (MAX_SEGMENTS * (MAX_LENGTH + 16) * MAX_NR)

/* The instruction set under test: set by main, one after the other. */
extern int32_t checked_isa;

/* ---- numbers ---- */

enum fill {
    FILL_UNIFORM,  /* in [-1, 1) */
    FILL_MIXED,    /* both signs, from 1e-17 to 1e17 */
    FILL_ZEROS,    /* half of them 0 or -0 */
    FILL_TINY,     /* denormals and their products */
    FILL_INFINITE, /* positive, a few infinite */
    FILLS
};

uint64_t random_bits(uint64_t *state);
size_t random_below(uint64_t *state, size_t n);

/* A value; weights stay finite where inputs may be infinite. */
cconv_real random_value(enum fill fill, int finite, uint64_t *state);

/* ---- inputs ---- */

enum layout {
    LAYOUT_DENSE,    /* pixel after pixel */
    LAYOUT_SHARED,   /* pixels share all but one value of a run */
    LAYOUT_GAPS,     /* nothing to be read between pixels and between runs */
    LAYOUT_BACKWARD, /* falling addresses of pixels and of runs */
    LAYOUTS
};

struct inputs {
    size_t pixels, segments, length;
    ptrdiff_t stride;
    ptrdiff_t offset[MAX_SEGMENTS];
    ptrdiff_t origin; /* of offset, from the first element */
    size_t elements;  /* from the first to the last used */
};

struct inputs inputs_laid(enum layout layout, size_t pixels, size_t segments, size_t length);

/* Values where there are any, NaN between them. */
void inputs_fill(const struct inputs *in, enum fill fill, uint64_t *state, cconv_real *a);

static inline cconv_real input_at(const struct inputs *in, const cconv_real *a, size_t pixel,
                                  size_t segment, size_t k)
{
    return a[in->origin + in->offset[segment] + (ptrdiff_t)pixel * in->stride + (ptrdiff_t)k];
}

/* ---- results ---- */

/* Any sum of `terms` products in any order, fused or not, is within terms *
 * epsilon * the sum of their magnitudes, and what underflows is lost besides. */
int near_enough(cconv_real got, wide_real want, wide_real magnitude, size_t terms);

/* ---- the tests ---- */

void forward_matches_sums(void **state);
void forward_same_bits_however_split(void **state);
void forward_keeps_nan(void **state);
void grad_matches_sums(void **state);
void grad_every_count(void **state);
void depth_forward_matches_sums(void **state);
void depth_grad_matches_sums(void **state);
void choice_wastes_least(void **state);
void transpose_moves_every_value(void **state);

void pixels_unpack_every_count(void **state);
void pixels_store_every_count(void **state);
void pixels_weave_every_count(void **state);
void pixels_distance_every_count(void **state);
void plain_same_bits(void **state);
void plain_same_bits_long(void **state);
void column_max_is_the_first(void **state);
void add_rows_matches_sums(void **state);
void functions_are_near(void **state);
void functions_of_what_is_no_number(void **state);
void moments_match_sums(void **state);

#endif /* COORDCONV_TESTS_CHECK_CONV_H */
