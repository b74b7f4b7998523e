/* SPDX-License-Identifier: BSD-2-Clause
 *
 * optimizer_net.h - the net the optimizer tests train: two linear layers with a
 * batch norm between them, made anew for each test, on a heap that counts.
 */
#ifndef COORDCONV_TESTS_OPTIMIZER_NET_H
#define COORDCONV_TESTS_OPTIMIZER_NET_H

#include "support.h"

enum {
    INPUTS = 3,
    HIDDEN = 5,
    OUTPUTS = 2,
    PARAMETERS = 6,
    ELEMENTS = 15 + 5 + 5 + 5 + 10 + 2
};

/* Where each parameter begins, in the order of the net. */
struct net_parameter {
    const char *name;
    int first, count, kernel;
};

extern const struct net_parameter parameters[PARAMETERS];

extern struct test_heap heap;
extern coordconv_context *context;
extern coordconv_layer *layer_a, *layer_norm, *layer_b;
extern coordconv_model *model;
extern coordconv_plan *plan, *other; /* batches of 4 and of 2, both run once */

int net_set_up(void **state);
int net_tear_down(void **state);

/* All in the context of the net. */
coordconv_layer *linear(int32_t in, int32_t out, const char *name);
coordconv_plan *make_plan(coordconv_model *of, int32_t mode, int64_t batch);
coordconv_optimizer *make_optimizer(const coordconv_optimizer_desc *d); /* over `plan` */

void get_parameters(test_real *values);

/* Write the gradients a step is to see. */
void set_gradients(coordconv_plan *p, const test_real *values);
void random_gradients(test_real *values, uint64_t seed);

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_set_up, net_tear_down)

#endif /* COORDCONV_TESTS_OPTIMIZER_NET_H */
