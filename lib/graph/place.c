/* SPDX-License-Identifier: BSD-2-Clause
 *
 * place.c - outputs computed where the caller wants them.
 *
 * An output whose bound tensor has the plan's type and order can be computed there
 * instead of in the arena, with all values that share its memory. Nobody may be
 * able to tell but by the clock, so this is done only where nothing else reads or
 * writes that memory during the run, and where a run that begins also ends.
 */
#include "graph/compile.h"

static int overlaps_ports(const coordconv_plan *plan, const struct cconv_plan_port *port)
{
    for (int32_t i = 0; i < plan->input_count; i++) {
        const struct cconv_plan_port *input = &plan->inputs[i];

        if (input->bound != NULL && !input->staged &&
            cconv_tensor_overlap(port->bound, input->bound))
            return 1;
    }
    for (int32_t i = 0; i < plan->output_count; i++) {
        const struct cconv_plan_port *output = &plan->outputs[i];

        if (output != port && output->bound != NULL &&
            cconv_tensor_overlap(port->bound, output->bound))
            return 1;
    }
    return 0;
}

static int overlaps_parameters(const coordconv_plan *plan, const coordconv_tensor *tensor)
{
    for (int32_t i = 0; i < plan->model->layer_count; i++) {
        const coordconv_layer *layer = plan->model->layers[i];

        for (int32_t k = 0; k < layer->tensor_count; k++) {
            if (cconv_tensor_overlap(tensor, layer->tensors[k].tensor))
                return 1;
        }
    }
    return 0;
}

/* Inference alone: a backward pass may read what the caller has by then overwritten. */
static int may_place(const coordconv_plan *plan, const struct cconv_plan_port *port)
{
    const struct cconv_plan_value *v = &plan->values[port->value];
    const struct cconv_plan_value *root = &plan->values[v->root];

    return !plan->training && !plan->may_fail && port->bound != NULL && root->home != NULL &&
           root->outside == NULL && root->bytes == v->bytes &&
           cconv_plan_readable(plan, port, port->bound) &&
           (uintptr_t)port->bound->data % CCONV_ALIGN == 0 && !overlaps_ports(plan, port) &&
           !overlaps_parameters(plan, port->bound);
}

void cconv_plan_place_outputs(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->output_count; i++) {
        struct cconv_plan_value *root = &plan->values[plan->values[plan->outputs[i].value].root];

        if (root->home != NULL)
            root->data = root->home;
        root->outside = NULL;
    }
    for (int32_t i = 0; i < plan->output_count; i++) {
        const struct cconv_plan_port *port = &plan->outputs[i];
        struct cconv_plan_value *root = &plan->values[plan->values[port->value].root];

        if (may_place(plan, port)) {
            root->data = port->bound->data;
            root->outside = port->bound;
        }
    }
    plan->bindings_new = 0;
}
