/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan_net.h - a small net and its tensors, for the tests of plans.
 */
#ifndef COORDCONV_TESTS_PLAN_NET_H
#define COORDCONV_TESTS_PLAN_NET_H

#include "support.h"

enum {
    N = 2,
    H = 6,
    W = 5,
    C = 3,
    OUT = 4
};

extern const int64_t x_shape[4]; /* N, H, W, C */

/* The context of a test program, set before its first test. */
extern struct test_heap heap;
extern coordconv_context *context;

int start_context(void **state);
int stop_context(void **state);

coordconv_layer *new_conv(uint64_t seed);

/* x -> conv -> relu -> "y"; the loss is the mean square of y against "target". */
coordconv_model *new_model(coordconv_layer *conv);

coordconv_plan *new_plan(coordconv_model *model, int32_t mode);

void bind_target(coordconv_plan *plan);

coordconv_tensor *output(coordconv_plan *plan, const char *name);

/* Values of a tensor of any strides and type, as a new row-major float tensor. */
coordconv_tensor *plain(const coordconv_tensor *tensor);

/* [N, H, W, C] of a type in memory with the axes in another order. */
coordconv_tensor *permuted(int32_t dtype, const int32_t *order, int64_t channels);

/* Whole numbers, which every type holds. */
coordconv_tensor *whole_numbers(uint64_t seed);

#endif /* COORDCONV_TESTS_PLAN_NET_H */
