/* SPDX-License-Identifier: BSD-2-Clause
 *
 * saved_model.h - a small model with every kind of thing a file keeps: a
 * CoordConv with a name, a batch norm (buffers) without, a linear layer, and an
 * optimizer where one is asked for.
 */
#ifndef COORDCONV_TESTS_SAVED_MODEL_H
#define COORDCONV_TESTS_SAVED_MODEL_H

#include "support.h"

enum {
    saved_model_layers = 3
};

struct saved_model {
    coordconv_context *context;
    coordconv_layer *layer[saved_model_layers]; /* "conv1", without name, "head"; held by model */
    coordconv_model *model;
    coordconv_plan *plan;           /* training; NULL without optimizer */
    coordconv_plan *inference;      /* NULL until it is run */
    coordconv_optimizer *optimizer; /* NULL without */
};

/* Kinds of optimizer: COORDCONV_SGD with momentum, _ADAM, _ADAMW, and this: SGD
 * without momentum, which has no state. 0 is none. */
#define SAVED_MODEL_PLAIN_SGD 4
enum {
    saved_model_optimizer_count = 4
};

void saved_model_make(struct saved_model *m, uint64_t seed, int32_t optimizer);

/* The same with another number of channels between conv1 and head (usually 3). */
void saved_model_make_wide(struct saved_model *m, uint64_t seed, int32_t optimizer,
                           int32_t channels);
void saved_model_make_on(struct saved_model *m, uint64_t seed, int32_t optimizer, int32_t channels,
                         struct test_heap *heap);
void saved_model_free(struct saved_model *m);

/* Take steps on data that depend on the number of the step alone. */
void saved_model_train(struct saved_model *m, int steps);

/* Output "y" for an input that is always the same, by one plan kept for the
 * purpose; the caller unrefs. */
coordconv_tensor *saved_model_run(struct saved_model *m);

/* Parameters and buffers have the same bits; with _same, the optimizers' too. */
void saved_model_check_parameters(const struct saved_model *got, const struct saved_model *want);
void saved_model_check_same(const struct saved_model *got, const struct saved_model *want);

#endif /* COORDCONV_TESTS_SAVED_MODEL_H */
