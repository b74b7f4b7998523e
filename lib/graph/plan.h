/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan.h - what the floors above may see of a plan.
 */
#ifndef CCONV_GRAPH_PLAN_H
#define CCONV_GRAPH_PLAN_H

#include <coordconv/plan.h>

#include "graph/model.h"

/* A trained parameter of a training plan. */
struct cconv_plan_parameter {
    char *name;               /* "conv1.weight" */
    coordconv_layer *layer;   /* borrowed from the model */
    int32_t index;            /* of the tensor in the layer */
    coordconv_tensor *values; /* borrowed from the layer */
    size_t offset;            /* of its gradient in the gradient buffer, in elements */
    size_t count;             /* elements */
    int gradient_begun;       /* while laying out, as of a value */
};

/* coordconv_plan_new; no_chains: every node by itself, for tests. */
coordconv_status cconv_plan_make(coordconv_model *model, const coordconv_plan_desc *desc,
                                 int no_chains, coordconv_plan **out);

/* All trained parameters in order; *count is 0 for an inference plan. */
const struct cconv_plan_parameter *cconv_plan_parameters(const coordconv_plan *plan,
                                                         int32_t *count);

/* The gradient buffer; NULL unless a backward pass has filled it. */
cconv_real *cconv_plan_gradient_values(const coordconv_plan *plan);

/* The model a plan was made from, borrowed. */
coordconv_model *cconv_plan_model(const coordconv_plan *plan);

int cconv_plan_is_training(const coordconv_plan *plan);

#endif /* CCONV_GRAPH_PLAN_H */
