/* SPDX-License-Identifier: BSD-2-Clause
 *
 * model_build.h - adding to a model: between model.c and model_ops.c.
 */
#ifndef CCONV_GRAPH_MODEL_BUILD_H
#define CCONV_GRAPH_MODEL_BUILD_H

#include "graph/model.h"

/* Record the first error of the building; returns COORDCONV_NO_VALUE. */
coordconv_value cconv_model_poison(coordconv_model *model, coordconv_status status,
                                   const char *format, ...) CCONV_PRINTF(3, 4);

/* 1 if something may be added: not NULL, not poisoned. */
int cconv_model_open(const coordconv_model *model, const char *call);

/* Append an application; a bad input poisons. attr may be NULL, so may layer. */
coordconv_value cconv_model_add(coordconv_model *model, const struct cconv_op *op,
                                const union cconv_attr *attr, coordconv_layer *layer,
                                int32_t input_count, const coordconv_value *inputs);

#endif /* CCONV_GRAPH_MODEL_BUILD_H */
