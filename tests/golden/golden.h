/* SPDX-License-Identifier: BSD-2-Clause
 *
 * golden.h - reading and comparing with what make_golden.py has written.
 *
 * Tolerance: a sum of n products in float32, taken in any order, is off by at
 * most about n * 2^-24 * sum |a * b|, and since rounding errors add up like the
 * root of their number, by far less in practice. Sums here have up to 240 terms;
 * 1e-5 is 168 * 2^-24. A term that is missing, doubled or misplaced shows: the
 * terms are of order 1, the bounds below 1000.
 */
#ifndef COORDCONV_TESTS_GOLDEN_H
#define COORDCONV_TESTS_GOLDEN_H

#include "support.h"

#define GOLDEN_RTOL       1e-5
#define GOLDEN_MAX_ARRAYS 20

/* One array of a case, row-major; ints or floats is NULL. */
struct golden_array {
    int32_t ndim;
    int64_t shape[COORDCONV_MAX_NDIM];
    int64_t count;
    int32_t *ints;
    float *floats;
};

/* Arrays 0 and 1 of every case. */
enum {
    GOLDEN_CONFIG,
    GOLDEN_BOUNDS,
    GOLDEN_FIRST
};

struct golden {
    const char *name;
    int32_t count;
    struct golden_array array[GOLDEN_MAX_ARRAYS];
};

/* Read case `name`, which must have `count` arrays; else the test fails. */
void golden_load(struct golden *g, const char *name, int32_t count);
void golden_free(struct golden *g);

/* Number `index` of the configuration. */
int32_t golden_config(const struct golden *g, int32_t index);

/* A new tensor with the shape and the values of an array. */
coordconv_tensor *golden_tensor(const struct golden *g, coordconv_context *context, int32_t array);

/* A new tensor of zeros with the shape of an array. */
coordconv_tensor *golden_blank(const struct golden *g, coordconv_context *context, int32_t array);

/* Copy an array into a parameter of a layer. */
void golden_set(const struct golden *g, int32_t array, coordconv_layer *layer, const char *name);

/* got is of the shape of array and within the tolerance of it; bound is the index in the
 * bounds. */
void golden_check(const struct golden *g, int32_t array, int32_t bound, coordconv_tensor *got,
                  const char *what);
void golden_check_values(const struct golden *g, int32_t array, int32_t bound, const float *got,
                         const char *what);

/* Run a group of cases, one test each, once for every instruction set there is; returns failures.
 */
int golden_run(const char *group, const char *const *names, size_t count, CMUnitTestFunction test);

/* The context of the set under test. */
coordconv_context *golden_context(void);

/* Apply a scalar loss whose gradient with respect to y is the input "dy" exactly: sum y * dy. */
void golden_add_loss(coordconv_model *model, coordconv_value y, const struct golden_array *dy);

#endif /* COORDCONV_TESTS_GOLDEN_H */
