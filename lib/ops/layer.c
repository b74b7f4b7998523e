/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/layer.h"

#include <string.h>

coordconv_status cconv_layer_new(coordconv_context *context, const struct cconv_op *op,
                                 coordconv_layer **out)
{
    coordconv_layer *layer = cconv_alloc(&context->allocator, sizeof *layer);

    if (layer == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "%s: out of memory", op->name);
    atomic_init(&layer->references, 1);
    layer->context = coordconv_context_ref(context);
    layer->op = op;
    layer->kernel = -1;
    *out = layer;
    return COORDCONV_OK;
}

coordconv_layer *coordconv_layer_ref(coordconv_layer *layer)
{
    if (layer != NULL)
        atomic_fetch_add_explicit(&layer->references, 1, memory_order_relaxed);
    return layer;
}

void coordconv_layer_unref(coordconv_layer *layer)
{
    coordconv_context *context;

    if (layer == NULL ||
        atomic_fetch_sub_explicit(&layer->references, 1, memory_order_acq_rel) != 1)
        return;
    for (int32_t i = 0; i < layer->tensor_count; i++)
        coordconv_tensor_unref(layer->tensors[i].tensor);
    context = layer->context;
    cconv_free(&context->allocator, layer, sizeof *layer);
    coordconv_context_unref(context);
}

coordconv_status cconv_layer_add(coordconv_layer *layer, const char *name, int trained,
                                 int32_t ndim, const int64_t *shape, double value)
{
    struct cconv_parameter *p = &layer->tensors[layer->tensor_count];
    coordconv_status st;

    assert(layer->tensor_count < CCONV_LAYER_MAX_TENSORS);
    assert(!trained || layer->trained == layer->tensor_count);
    st = coordconv_tensor_new(layer->context, CCONV_REAL_DTYPE, ndim, shape, &p->tensor);
    if (st != COORDCONV_OK)
        return st;
    p->name = name;
    layer->tensor_count++;
    layer->trained += trained ? 1 : 0;
    return value != 0 ? coordconv_tensor_fill(p->tensor, value) : COORDCONV_OK;
}

coordconv_status cconv_layer_draw(coordconv_layer *layer, int32_t tensor, int32_t init,
                                  double init_value, int64_t fan_in, int64_t fan_out)
{
    const uint64_t stream = atomic_fetch_add(&layer->context->layers_made, 1);

    layer->kernel = tensor;
    return cconv_tensor_draw(layer->tensors[tensor].tensor,
                             init == COORDCONV_INIT_DEFAULT ? COORDCONV_INIT_HE_NORMAL : init,
                             init_value, fan_in, fan_out, layer->context->seed, stream);
}

uint64_t cconv_layer_version(const coordconv_layer *layer)
{
    uint64_t sum = 0;

    for (int32_t i = 0; i < layer->tensor_count; i++)
        sum += cconv_tensor_version(layer->tensors[i].tensor);
    return sum;
}

coordconv_status coordconv_layer_set_name(coordconv_layer *layer, const char *name)
{
    size_t length;

    if (layer == NULL || name == NULL)
        return cconv_fail(layer != NULL ? &layer->context->log : NULL, COORDCONV_ERR_INVALID,
                          "layer_set_name: %s is NULL", layer == NULL ? "layer" : "name");
    length = strnlen(name, sizeof layer->name);
    if (length == 0 || length >= sizeof layer->name)
        return cconv_fail(&layer->context->log, COORDCONV_ERR_INVALID,
                          "layer_set_name: a name of %s bytes, expected 1 to %zu",
                          length == 0 ? "0" : "256 or more", sizeof layer->name - 1);
    if (strcmp(name, "optimizer") == 0 || strncmp(name, "optimizer.", 10) == 0)
        return cconv_fail(&layer->context->log, COORDCONV_ERR_INVALID,
                          "layer_set_name: \"%s\": files keep optimizer state under that name",
                          name);
    memcpy(layer->name, name, length + 1);
    return COORDCONV_OK;
}

const char *coordconv_layer_name(const coordconv_layer *layer)
{
    return layer != NULL ? layer->name : "";
}

int32_t coordconv_layer_parameter_count(const coordconv_layer *layer)
{
    return layer != NULL ? layer->trained : 0;
}

coordconv_status coordconv_layer_parameter(const coordconv_layer *layer, const char *name,
                                           coordconv_tensor **out)
{
    if (layer == NULL || name == NULL || out == NULL)
        return cconv_fail(layer != NULL ? &layer->context->log : NULL, COORDCONV_ERR_INVALID,
                          "layer_parameter: %s is NULL",
                          layer == NULL  ? "layer"
                          : name == NULL ? "name"
                                         : "out");
    for (int32_t i = 0; i < layer->tensor_count; i++) {
        if (strcmp(layer->tensors[i].name, name) == 0) {
            *out = coordconv_tensor_ref(layer->tensors[i].tensor);
            return COORDCONV_OK;
        }
    }
    return cconv_fail(&layer->context->log, COORDCONV_ERR_NOT_FOUND,
                      "layer_parameter: a %s has no \"%s\"", layer->op->name, name);
}
