/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layer.h - what a coordconv_layer holds.
 */
#ifndef CCONV_OPS_LAYER_H
#define CCONV_OPS_LAYER_H

#include <stdatomic.h>

#include "ops/op.h"

#define CCONV_LAYER_MAX_TENSORS 4

/* A parameter or buffer of a layer. */
struct cconv_parameter {
    const char *name;         /* "weight": a literal */
    coordconv_tensor *tensor; /* row-major CCONV_REAL_DTYPE, reference held */
};

struct coordconv_layer {
    atomic_int references;
    coordconv_context *context; /* reference held */
    const struct cconv_op *op;
    union cconv_attr attr;
    char name[256];
    int32_t trained; /* the first `trained` of tensors have gradients; the others are buffers */
    int32_t tensor_count;
    struct cconv_parameter tensors[CCONV_LAYER_MAX_TENSORS];
    int32_t kernel; /* index of the tensor that is a kernel for weight decay, -1 if none */
};

/* Make an empty layer; its maker adds tensors and may then unref it whole at any point. */
coordconv_status cconv_layer_new(coordconv_context *context, const struct cconv_op *op,
                                 coordconv_layer **out);

/* Add a tensor of CCONV_REAL_DTYPE filled with `value`. Trained ones come first. */
coordconv_status cconv_layer_add(coordconv_layer *layer, const char *name, int trained,
                                 int32_t ndim, const int64_t *shape, double value);

/* Draw a weight as its desc says: init COORDCONV_INIT_*, default he_normal, from the
 * context's seed and its count of layers. */
coordconv_status cconv_layer_draw(coordconv_layer *layer, int32_t tensor, int32_t init,
                                  double init_value, int64_t fan_in, int64_t fan_out);

/* Sum of the versions of all tensors: it moves when any of them is written. */
uint64_t cconv_layer_version(const coordconv_layer *layer);

/* Elements of tensor `index`, NULL if the layer has fewer. */
static inline cconv_real *cconv_layer_values(const coordconv_layer *layer, int32_t index)
{
    return index < layer->tensor_count ? cconv_tensor_reals(layer->tensors[index].tensor) : NULL;
}

#endif /* CCONV_OPS_LAYER_H */
