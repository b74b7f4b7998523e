/* SPDX-License-Identifier: BSD-2-Clause
 *
 * model.h - what a coordconv_model holds.
 */
#ifndef CCONV_GRAPH_MODEL_H
#define CCONV_GRAPH_MODEL_H

#include <coordconv/model.h>

#include "ops/layer.h"

/* A node: an input (op NULL) or an application. Its value's id is its index. */
struct cconv_node {
    const struct cconv_op *op;
    union cconv_attr attr;  /* of an application without layer; a layer brings its own */
    coordconv_layer *layer; /* reference held; NULL if none */
    int32_t input_count;
    coordconv_value *inputs;  /* [input_count], all below this node's own id */
    char *name;               /* of an input */
    int32_t dtype;            /* of an input; every other value is CCONV_REAL_DTYPE */
    struct cconv_shape shape; /* of an input; -1 where open */
};

struct cconv_model_output {
    char *name;
    coordconv_value value;
};

struct coordconv_model {
    atomic_int references;
    coordconv_context *context; /* reference held */
    coordconv_status status;    /* the first error of the building */
    char message[512];          /* its text */
    struct cconv_node *nodes;
    int32_t node_count, node_capacity;
    struct cconv_model_output *outputs;
    int32_t output_count, output_capacity;
    coordconv_layer **layers; /* borrowed from nodes, by first application */
    int32_t layer_count, layer_capacity;
};

/* What a layer is called in files and messages: its name, else the number of
 * its first use written into buffer. */
const char *cconv_model_layer_label(const coordconv_model *model, int32_t index, char buffer[16]);

#endif /* CCONV_GRAPH_MODEL_H */
