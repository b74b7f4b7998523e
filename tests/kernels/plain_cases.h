/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plain_cases.h - a call of each kernel but the convolutions, all in one form,
 * for the test that compares them and for the bench.
 */
#ifndef COORDCONV_TESTS_PLAIN_CASES_H
#define COORDCONV_TESTS_PLAIN_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

#define PLAIN_MAX_CHANNELS 700

/* Arrays of n = rows * channels values; what a kernel gives for each channel, or
 * at all, goes to sums. */
struct plain_data {
    size_t rows, channels, n;
    const cconv_real *x, *y;
    const int32_t *arg;       /* 0 and 1 */
    const cconv_real *vector; /* [4][channels] */
    cconv_real *out;
    int32_t *where;
    double *sums; /* [2][channels] */
};

struct plain_case {
    const char *name;
    void (*run)(const struct cconv_kernels *k, const struct plain_data *d);
    int arrays;  /* of n values, read and written: what goes through memory */
    int updates; /* out or where is read, too */
    int matrix;  /* rows and channels matter, not n alone */
    size_t least_rows;
};

extern const struct plain_case plain_cases[];
extern const size_t plain_case_count;

#endif /* COORDCONV_TESTS_PLAIN_CASES_H */
