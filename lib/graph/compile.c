/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compile.c - from a model and a descriptor to known shapes.
 */
#include "graph/compile.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

static const struct cconv_log *plan_log(const coordconv_plan *plan)
{
    return &cconv_plan_context(plan)->log;
}

/* Mark what the outputs depend on. Inputs of a node come before it, so one pass back is enough. */
static void mark_used(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->output_count; i++) {
        plan->nodes[plan->outputs[i].value].used = 1;
        plan->values[plan->outputs[i].value].is_output = 1;
    }
    if (plan->loss != COORDCONV_NO_VALUE)
        plan->nodes[plan->loss].used = 1;
    for (int32_t i = plan->node_count - 1; i >= 0; i--) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        for (int32_t k = 0; plan->nodes[i].used && k < node->input_count; k++)
            plan->nodes[node->inputs[k]].used = 1;
    }
}

static const coordconv_input_shape *find_shape(const coordconv_plan_desc *desc, const char *name)
{
    for (int32_t i = 0; i < desc->input_count; i++) {
        if (strcmp(desc->inputs[i].name, name) == 0)
            return &desc->inputs[i];
    }
    return NULL;
}

/* The extents of an input: the model's, the caller's where those are open, batch for an open axis
 * 0. */
static coordconv_status input_shape(coordconv_plan *plan, const coordconv_plan_desc *desc,
                                    const struct cconv_node *node, int used,
                                    struct cconv_shape *out)
{
    const coordconv_input_shape *given = find_shape(desc, node->name);
    struct cconv_shape s = node->shape;
    struct cconv_shape_text text;

    if (given != NULL && given->ndim != s.ndim)
        return cconv_fail(plan_log(plan), COORDCONV_ERR_SHAPE,
                          "plan: input \"%s\" has %d axes, %d were given", node->name, s.ndim,
                          given->ndim);
    for (int32_t i = 0; i < s.ndim; i++) {
        if (s.dim[i] == -1 && given != NULL)
            s.dim[i] = given->shape[i];
        else if (s.dim[i] == -1 && i == 0)
            s.dim[i] = desc->batch != 0 ? desc->batch : 1;
        else if (s.dim[i] == -1 && !used)
            s.dim[i] = 1; /* nobody will ask */
        else if (s.dim[i] == -1)
            return cconv_fail(plan_log(plan), COORDCONV_ERR_SHAPE,
                              "plan: extent %d of input \"%s\" %s is open and was not given", i,
                              node->name, cconv_shape_print(&node->shape, &text));
        else if (given != NULL && given->shape[i] != s.dim[i])
            return cconv_fail(plan_log(plan), COORDCONV_ERR_SHAPE,
                              "plan: extent %d of input \"%s\" is %lld, %lld was given", i,
                              node->name, (long long)s.dim[i], (long long)given->shape[i]);
    }
    return cconv_shape_read(plan_log(plan), node->name, s.ndim, s.dim, 1, out);
}

/* Say once more what went wrong, and at which node. */
static coordconv_status name_node(const coordconv_plan *plan, int32_t i, coordconv_status status)
{
    const coordconv_layer *layer = cconv_plan_source(plan, i)->layer;
    char text[400];

    snprintf(text, sizeof text, "%s", coordconv_last_error());
    if (layer != NULL && layer->name[0] != '\0')
        return cconv_fail(plan_log(plan), status, "plan: node %d, layer \"%s\": %s", i, layer->name,
                          text);
    return cconv_fail(plan_log(plan), status, "plan: node %d: %s", i, text);
}

static coordconv_status node_shape(coordconv_plan *plan, int32_t i, size_t edge)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_node *n = &plan->nodes[i];
    coordconv_status st;

    for (int32_t k = 0; k < node->input_count; k++) {
        plan->edge_shapes[edge + (size_t)k] = plan->values[node->inputs[k]].shape;
        plan->edge_dtypes[edge + (size_t)k] = plan->values[node->inputs[k]].dtype;
        plan->values[node->inputs[k]].uses++;
        plan->values[node->inputs[k]].last_use = i;
    }
    n->attr = node->attr;
    n->app = (struct cconv_app){ .op = node->op,
                                 .context = plan->model->context,
                                 .attr = node->layer != NULL ? &node->layer->attr : &n->attr,
                                 .layer = node->layer,
                                 .input_count = node->input_count,
                                 .in = plan->edge_shapes + edge,
                                 .in_dtype = plan->edge_dtypes + edge,
                                 .training = plan->training };
    plan->may_fail |= (node->op->flags & CCONV_MAY_FAIL) != 0;
    n->x = plan->edge_x + edge;
    n->dx = plan->edge_dx + edge;
    n->sink_x = plan->edge_sinks + edge;
    n->dparam = plan->param_pointers + (size_t)i * CCONV_LAYER_MAX_TENSORS;
    n->sink_param = plan->param_sinks + (size_t)i * CCONV_LAYER_MAX_TENSORS;
    if ((st = node->op->infer(&n->app)) != COORDCONV_OK)
        return name_node(plan, i, st);
    plan->values[i].shape = n->app.out;
    plan->values[i].dtype = CCONV_REAL_DTYPE;
    return COORDCONV_OK;
}

static coordconv_status check_desc(const coordconv_plan *plan, const coordconv_plan_desc *desc)
{
    const coordconv_model *model = plan->model;

    for (int32_t i = 0; i < desc->input_count; i++) {
        const char *name = desc->inputs[i].name;
        int32_t k = 0;

        if (name == NULL || desc->inputs[i].reserved != 0)
            return cconv_fail(plan_log(plan), COORDCONV_ERR_INVALID, "plan: inputs[%d].%s", i,
                              name == NULL ? "name is NULL" : "reserved is not 0");
        if (find_shape(desc, name) != &desc->inputs[i])
            return cconv_fail(plan_log(plan), COORDCONV_ERR_INVALID,
                              "plan: the shape of input \"%s\" is given twice", name);
        while (k < model->node_count &&
               (model->nodes[k].op != NULL || strcmp(model->nodes[k].name, name) != 0))
            k++;
        if (k == model->node_count)
            return cconv_fail(plan_log(plan), COORDCONV_ERR_NOT_FOUND,
                              "plan: the model has no input \"%s\"", name);
    }
    return COORDCONV_OK;
}

static coordconv_status value_bytes(coordconv_plan *plan, int32_t i)
{
    struct cconv_plan_value *v = &plan->values[i];
    struct cconv_shape_text text;

    v->root = v->grad_root = i;
    v->bytes = cconv_size_align(
        cconv_size_mul(cconv_shape_count(&v->shape), coordconv_dtype_size(v->dtype)));
    if (v->bytes > PTRDIFF_MAX)
        return cconv_fail(plan_log(plan), COORDCONV_ERR_SHAPE,
                          "plan: a value of shape %s is too large",
                          cconv_shape_print(&v->shape, &text));
    return COORDCONV_OK;
}

coordconv_status cconv_plan_shapes(coordconv_plan *plan, const coordconv_plan_desc *desc)
{
    size_t edge = 0;
    coordconv_status st = check_desc(plan, desc);

    mark_used(plan);
    for (int32_t i = 0; i < plan->node_count && st == COORDCONV_OK; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        if (node->op == NULL) {
            plan->values[i].dtype = node->dtype;
            st = input_shape(plan, desc, node, plan->nodes[i].used, &plan->values[i].shape);
        } else if (plan->nodes[i].used) {
            st = node_shape(plan, i, edge);
        }
        if (st == COORDCONV_OK)
            st = value_bytes(plan, i);
        edge += (size_t)node->input_count;
    }
    return st;
}
