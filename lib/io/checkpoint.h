/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checkpoint.h - what a file keeps of a model and its optimizer.
 */
#ifndef CCONV_IO_CHECKPOINT_H
#define CCONV_IO_CHECKPOINT_H

#include <coordconv/io.h>

#include "core/tensor.h"

/* Metadata keys that are the library's own begin with this. */
#define CCONV_KEY_PREFIX        "coordconv."
#define CCONV_KEY_VERSION       CCONV_KEY_PREFIX "version"
#define CCONV_KEY_OPTIMIZER     CCONV_KEY_PREFIX "optimizer"
#define CCONV_KEY_STEPS         CCONV_KEY_PREFIX "steps"
#define CCONV_KEY_LEARNING_RATE CCONV_KEY_PREFIX "learning_rate"

/* Optimizer state is kept under its own name with this before it. */
#define CCONV_STATE_PREFIX "optimizer."

/* Tensors by the name they have in a file; tensors borrowed from their owners. */
struct cconv_named_tensor {
    const char *name;
    coordconv_tensor *tensor; /* row-major */
};

struct cconv_checkpoint {
    const struct cconv_allocator *allocator;
    struct cconv_named_tensor *tensors; /* sorted by name, no name twice */
    size_t count;
    char *names; /* behind all names */
    size_t names_bytes;
};

/* List every parameter and buffer of the model and, if optimizer is not NULL,
 * its state, which must belong to the model. *out is written on success only. */
coordconv_status cconv_checkpoint_make(const coordconv_model *model,
                                       const coordconv_optimizer *optimizer,
                                       struct cconv_checkpoint *out);

void cconv_checkpoint_destroy(struct cconv_checkpoint *checkpoint);

/* "sgd", "adam" or "adamw"; NULL for another kind. */
const char *cconv_optimizer_kind_name(int32_t kind);

/* The learning rate travels as its 64 bits, in 16 hexadecimal digits: no
 * rounding, and no locale that could have its say about the decimal point. */
void cconv_rate_print(double rate, char text[17]);

/* 1 if text is a rate an optimizer takes: above 0 and finite. */
int cconv_rate_parse(const char *text, double *rate);

/* 1 if text is a decimal number from 0 to 2^63 - 1 and nothing else. */
int cconv_steps_parse(const char *text, int64_t *steps);

#endif /* CCONV_IO_CHECKPOINT_H */
