/* SPDX-License-Identifier: BSD-2-Clause
 *
 * model.c - the graph under construction. The operations themselves are in model_ops.c.
 */
#include "graph/model_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

coordconv_status coordconv_model_new(coordconv_context *context, coordconv_model **out)
{
    coordconv_model *model;

    if (context == NULL || out == NULL)
        return cconv_fail(cconv_context_log(context), COORDCONV_ERR_INVALID,
                          "model_new: %s is NULL", context == NULL ? "context" : "out");
    model = cconv_alloc(&context->allocator, sizeof *model);
    if (model == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "model_new: out of memory");
    atomic_init(&model->references, 1);
    model->context = coordconv_context_ref(context);
    *out = model;
    return COORDCONV_OK;
}

coordconv_model *coordconv_model_ref(coordconv_model *model)
{
    if (model != NULL)
        atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

static void free_string(const struct cconv_allocator *a, char *string)
{
    if (string != NULL)
        cconv_free(a, string, strlen(string) + 1);
}

static void free_node(const struct cconv_allocator *a, struct cconv_node *node)
{
    coordconv_layer_unref(node->layer);
    free_string(a, node->name);
    cconv_free(a, node->inputs, (size_t)node->input_count * sizeof *node->inputs);
}

void coordconv_model_unref(coordconv_model *model)
{
    coordconv_context *context;
    const struct cconv_allocator *a;

    if (model == NULL ||
        atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1)
        return;
    context = model->context;
    a = &context->allocator;
    for (int32_t i = 0; i < model->node_count; i++)
        free_node(a, &model->nodes[i]);
    for (int32_t i = 0; i < model->output_count; i++)
        free_string(a, model->outputs[i].name);
    cconv_free(a, model->nodes, (size_t)model->node_capacity * sizeof *model->nodes);
    cconv_free(a, model->outputs, (size_t)model->output_capacity * sizeof *model->outputs);
    cconv_free(a, model->layers, (size_t)model->layer_capacity * sizeof *model->layers);
    cconv_free(a, model, sizeof *model);
    coordconv_context_unref(context);
}

coordconv_value cconv_model_poison(coordconv_model *model, coordconv_status status,
                                   const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(model->message, sizeof model->message, format, arguments);
    va_end(arguments);
    model->status = cconv_fail(&model->context->log, status, "%s", model->message);
    return COORDCONV_NO_VALUE;
}

int cconv_model_open(const coordconv_model *model, const char *call)
{
    if (model == NULL)
        cconv_fail(NULL, COORDCONV_ERR_INVALID, "%s: model is NULL", call);
    return model != NULL && model->status == COORDCONV_OK;
}

coordconv_status coordconv_model_status(const coordconv_model *model)
{
    if (model == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "model_status: model is NULL");
    if (model->status != COORDCONV_OK) /* the log has heard it already */
        cconv_fail(NULL, model->status, "%s", model->message);
    return model->status;
}

/* Make room for one more element of `size` bytes. */
static coordconv_status reserve(coordconv_model *model, void **array, int32_t count,
                                int32_t *capacity, size_t size)
{
    const struct cconv_allocator *a = &model->context->allocator;
    int32_t more;
    void *grown;

    if (count < *capacity)
        return COORDCONV_OK;
    more = *capacity == 0 ? 16 : *capacity * 2;
    if (*capacity > INT32_MAX / 2 ||
        (grown = cconv_alloc(a, cconv_size_mul((size_t)more, size))) == NULL) {
        cconv_model_poison(model, COORDCONV_ERR_NOMEM, "model: no memory for %d elements", more);
        return COORDCONV_ERR_NOMEM;
    }
    if (count > 0)
        memcpy(grown, *array, (size_t)count * size);
    cconv_free(a, *array, (size_t)*capacity * size);
    *array = grown;
    *capacity = more;
    return COORDCONV_OK;
}

/* A copy of a name of 1 .. 255 bytes, NULL (and a poisoned model) otherwise. */
static char *copy_name(coordconv_model *model, const char *call, const char *name)
{
    const size_t length = name != NULL ? strnlen(name, 256) : 0;
    char *copy;

    if (length == 0 || length > 255) {
        cconv_model_poison(model, COORDCONV_ERR_INVALID,
                           "%s: a name of %s bytes, expected 1 to 255", call,
                           length == 0 ? "0" : "256 or more");
        return NULL;
    }
    copy = cconv_alloc(&model->context->allocator, length + 1);
    if (copy == NULL)
        cconv_model_poison(model, COORDCONV_ERR_NOMEM, "%s: out of memory", call);
    else
        memcpy(copy, name, length);
    return copy;
}

static struct cconv_node *push_node(coordconv_model *model)
{
    void *nodes = model->nodes;

    if (reserve(model, &nodes, model->node_count, &model->node_capacity, sizeof *model->nodes) !=
        COORDCONV_OK)
        return NULL;
    model->nodes = nodes;
    return &model->nodes[model->node_count];
}

static coordconv_status add_layer(coordconv_model *model, coordconv_layer *layer)
{
    void *layers = model->layers;

    for (int32_t i = 0; i < model->layer_count; i++) {
        if (model->layers[i] == layer)
            return COORDCONV_OK;
    }
    if (reserve(model, &layers, model->layer_count, &model->layer_capacity,
                sizeof *model->layers) != COORDCONV_OK)
        return COORDCONV_ERR_NOMEM;
    model->layers = layers;
    model->layers[model->layer_count++] = layer;
    return COORDCONV_OK;
}

coordconv_value cconv_model_add(coordconv_model *model, const struct cconv_op *op,
                                const union cconv_attr *attr, coordconv_layer *layer,
                                int32_t input_count, const coordconv_value *inputs)
{
    struct cconv_node *node;
    const size_t bytes = (size_t)input_count * sizeof *inputs;

    for (int32_t i = 0; i < input_count; i++) {
        if (inputs[i] < 0 || inputs[i] >= model->node_count)
            return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                      "%s: input %d is value %d, the model has 0 to %d", op->name,
                                      i, inputs[i], model->node_count - 1);
    }
    node = push_node(model);
    if (node == NULL)
        return COORDCONV_NO_VALUE;
    *node = (struct cconv_node){ .op = op, .input_count = input_count };
    node->inputs = cconv_alloc(&model->context->allocator, bytes);
    if (node->inputs == NULL)
        return cconv_model_poison(model, COORDCONV_ERR_NOMEM, "%s: out of memory", op->name);
    memcpy(node->inputs, inputs, bytes);
    if (attr != NULL)
        node->attr = *attr;
    if (layer != NULL && add_layer(model, layer) != COORDCONV_OK) {
        cconv_free(&model->context->allocator, node->inputs, bytes);
        return COORDCONV_NO_VALUE;
    }
    node->layer = coordconv_layer_ref(layer);
    return model->node_count++;
}

static coordconv_status read_input_shape(coordconv_model *model, int32_t ndim, const int64_t *shape,
                                         struct cconv_shape *out)
{
    int64_t known[COORDCONV_MAX_NDIM] = { 0 };
    coordconv_status st = COORDCONV_OK;

    if (ndim < 0 || ndim > COORDCONV_MAX_NDIM || (shape == NULL && ndim != 0)) {
        cconv_model_poison(model, COORDCONV_ERR_INVALID, "model_input: ndim %d%s", ndim,
                           shape == NULL ? ", shape is NULL" : ", expected 0 to 8");
        return COORDCONV_ERR_INVALID;
    }
    for (int32_t i = 0; i < ndim; i++)
        known[i] = shape[i] == -1 ? 1 : shape[i];
    st = cconv_shape_read(NULL, "model_input", ndim, known, 1, out);
    if (st != COORDCONV_OK) {
        char text[400];

        snprintf(text, sizeof text, "%s", coordconv_last_error());
        cconv_model_poison(model, st, "%s", text);
        return st;
    }
    for (int32_t i = 0; i < ndim; i++)
        out->dim[i] = shape[i];
    return COORDCONV_OK;
}

coordconv_value coordconv_model_input(coordconv_model *model, const char *name, int32_t dtype,
                                      int32_t ndim, const int64_t *shape)
{
    struct cconv_shape read;
    struct cconv_node *node;
    char *copy;

    if (!cconv_model_open(model, "model_input"))
        return COORDCONV_NO_VALUE;
    if (dtype != CCONV_REAL_DTYPE && dtype != COORDCONV_I32)
        return cconv_model_poison(model, COORDCONV_ERR_DTYPE,
                                  "model_input: dtype %d, expected %d (float) or %d (int32)", dtype,
                                  CCONV_REAL_DTYPE, COORDCONV_I32);
    if (read_input_shape(model, ndim, shape, &read) != COORDCONV_OK)
        return COORDCONV_NO_VALUE;
    for (int32_t i = 0; name != NULL && i < model->node_count; i++) {
        if (model->nodes[i].op == NULL && strcmp(model->nodes[i].name, name) == 0)
            return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                      "model_input: there is an input \"%s\" already", name);
    }
    if ((copy = copy_name(model, "model_input", name)) == NULL)
        return COORDCONV_NO_VALUE;
    if ((node = push_node(model)) == NULL) {
        free_string(&model->context->allocator, copy);
        return COORDCONV_NO_VALUE;
    }
    *node = (struct cconv_node){ .name = copy, .dtype = dtype, .shape = read };
    return model->node_count++;
}

void coordconv_model_output(coordconv_model *model, const char *name, coordconv_value value)
{
    void *outputs;
    char *copy;

    if (!cconv_model_open(model, "model_output"))
        return;
    if (value < 0 || value >= model->node_count) {
        cconv_model_poison(model, COORDCONV_ERR_INVALID,
                           "model_output: value %d, the model has 0 to %d", value,
                           model->node_count - 1);
        return;
    }
    for (int32_t i = 0; name != NULL && i < model->output_count; i++) {
        if (strcmp(model->outputs[i].name, name) == 0) {
            cconv_model_poison(model, COORDCONV_ERR_INVALID,
                               "model_output: there is an output \"%s\" already", name);
            return;
        }
    }
    if ((copy = copy_name(model, "model_output", name)) == NULL)
        return;
    outputs = model->outputs;
    if (reserve(model, &outputs, model->output_count, &model->output_capacity,
                sizeof *model->outputs) != COORDCONV_OK) {
        free_string(&model->context->allocator, copy);
        return;
    }
    model->outputs = outputs;
    model->outputs[model->output_count++] = (struct cconv_model_output){ copy, value };
}

int32_t coordconv_model_layer_count(const coordconv_model *model)
{
    return model != NULL ? model->layer_count : 0;
}

coordconv_layer *coordconv_model_layer(const coordconv_model *model, int32_t index)
{
    return model != NULL && index >= 0 && index < model->layer_count ? model->layers[index] : NULL;
}

int64_t coordconv_model_parameter_count(const coordconv_model *model)
{
    int64_t count = 0;

    for (int32_t i = 0; model != NULL && i < model->layer_count; i++) {
        for (int32_t j = 0; j < model->layers[i]->trained; j++)
            count += coordconv_tensor_count(model->layers[i]->tensors[j].tensor);
    }
    return count;
}

const char *cconv_model_layer_label(const coordconv_model *model, int32_t index, char buffer[16])
{
    if (model->layers[index]->name[0] != '\0')
        return model->layers[index]->name;
    snprintf(buffer, 16, "%d", index);
    return buffer;
}
