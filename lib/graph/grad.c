/* SPDX-License-Identifier: BSD-2-Clause
 *
 * grad.c - the backward pass: which nodes take part, which gradients share
 * memory, and where a gradient meets another and must be added.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "graph/compile.h"

/* Number of inputs of a node that can send a gradient back: a loss's target cannot. */
static int32_t differentiable_inputs(const struct cconv_node *node)
{
    return (node->op->flags & CCONV_SCALAR_LOSS) != 0 ? 1 : node->input_count;
}

/* Forward: a value wants a gradient if a parameter, or an input whose gradient
 * the caller wants, lies behind it. */
static void mark_wanted(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);
        struct cconv_plan_value *v = &plan->values[i];

        if (node->op == NULL) {
            v->wants_gradient = (uint8_t)(plan->input_gradients && v->dtype == CCONV_REAL_DTYPE);
            continue;
        }
        v->wants_gradient = node->layer != NULL && node->layer->trained > 0;
        for (int32_t k = 0; k < differentiable_inputs(node); k++)
            v->wants_gradient |= plan->values[node->inputs[k]].wants_gradient;
    }
}

/* Backward: of these, the nodes the loss depends on. */
static void mark_backward(coordconv_plan *plan)
{
    plan->nodes[plan->loss].backward = plan->values[plan->loss].wants_gradient;
    for (int32_t i = plan->loss; i >= 0; i--) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        if (node->op == NULL || !plan->nodes[i].backward)
            continue;
        for (int32_t k = 0; k < differentiable_inputs(node); k++) {
            struct cconv_plan_value *v = &plan->values[node->inputs[k]];

            v->grad_uses += v->wants_gradient;
            plan->nodes[node->inputs[k]].backward |= v->wants_gradient;
        }
    }
}

/* An operation that may write dx over dy lets both lie in one place, if no
 * other gradient is added to that of x. */
static void share_gradients(coordconv_plan *plan)
{
    for (int32_t i = plan->node_count - 1; i >= 0; i--) {
        const struct cconv_node *node = cconv_plan_source(plan, i);
        coordconv_value x;

        if (node->op == NULL || !plan->nodes[i].backward ||
            (node->op->flags & (CCONV_ALIAS | CCONV_IN_PLACE)) == 0)
            continue;
        x = node->inputs[0];
        if (plan->values[x].wants_gradient && plan->values[x].grad_uses == 1 &&
            plan->values[x].bytes == plan->values[i].bytes)
            plan->values[x].grad_root = plan->values[i].grad_root;
    }
}

static int uses_layer(const coordconv_plan *plan, const coordconv_layer *layer)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].used && cconv_plan_source(plan, i)->layer == layer)
            return 1;
    }
    return 0;
}

static coordconv_status name_parameter(coordconv_plan *plan, struct cconv_plan_parameter *p,
                                       int32_t layer)
{
    const struct cconv_allocator *a = &cconv_plan_context(plan)->allocator;
    char buffer[16];
    const char *label = cconv_model_layer_label(plan->model, layer, buffer);
    const char *name = p->layer->tensors[p->index].name;
    const size_t bytes = strlen(label) + strlen(name) + 2;

    p->name = cconv_alloc(a, bytes);
    if (p->name == NULL)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOMEM,
                          "plan: out of memory");
    snprintf(p->name, bytes, "%s.%s", label, name);
    return COORDCONV_OK;
}

/* List the trained parameters of the layers in this plan, in the model's order. */
static coordconv_status list_parameters(coordconv_plan *plan)
{
    const coordconv_model *model = plan->model;

    for (int32_t i = 0; i < model->layer_count; i++) {
        coordconv_layer *layer = model->layers[i];

        const int32_t trained = uses_layer(plan, layer) ? layer->trained : 0;

        for (int32_t j = 0; j < trained; j++) {
            struct cconv_plan_parameter *p = &plan->parameters[plan->parameter_count];

            p->layer = layer;
            p->index = j;
            p->values = layer->tensors[j].tensor;
            p->offset = plan->gradient_count;
            p->count = (size_t)coordconv_tensor_count(p->values);
            plan->gradient_count = cconv_size_add(plan->gradient_count, p->count);
            plan->parameter_count++;
            if (name_parameter(plan, p, i) != COORDCONV_OK)
                return COORDCONV_ERR_NOMEM;
        }
    }
    return COORDCONV_OK;
}

static void find_first_parameters(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        const coordconv_layer *layer = cconv_plan_source(plan, i)->layer;
        int32_t p = 0;

        while (layer != NULL && p < plan->parameter_count && plan->parameters[p].layer != layer)
            p++;
        plan->nodes[i].parameter = p;
    }
}

coordconv_status cconv_plan_differentiate(coordconv_plan *plan)
{
    coordconv_status st = list_parameters(plan);

    if (st != COORDCONV_OK)
        return st;
    find_first_parameters(plan);
    mark_wanted(plan);
    mark_backward(plan);
    share_gradients(plan);
    return COORDCONV_OK;
}
