/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuse.c - which values may lie in the memory of another, and which activations
 * the layer before them applies as it stores its sums.
 *
 * Values that share memory form a group under one root. A reshape always joins
 * the group of its input. An elementwise operation may overwrite its input when
 * nobody else reads the group: not a second consumer, not the caller (inputs and
 * outputs), not a backward pass.
 */
#include "graph/compile.h"

/* What is known of the group of a root. */
enum {
    SHARED = 1,
    KEPT = 2
};

static int root_of(const coordconv_plan *plan, coordconv_value value)
{
    return plan->values[value].root;
}

static int read_by_others(const coordconv_plan *plan, coordconv_value value)
{
    const struct cconv_plan_value *v = &plan->values[value];

    return v->uses > 1 || v->is_output || cconv_plan_source(plan, value)->op == NULL;
}

/* The activation kinds a panel kernel applies. */
static int panel_activation(const struct cconv_app *app)
{
    return app->op == &cconv_op_act &&
           (app->attr->act.kind == CCONV_ACT_RELU || app->attr->act.kind == CCONV_ACT_LEAKY);
}

/* Let the producer of x apply the activation `node`, which then has nothing to do forward. */
static void fuse_activation(coordconv_plan *plan, int32_t node, coordconv_value x)
{
    struct cconv_plan_node *producer = &plan->nodes[x];
    const union cconv_attr *attr = plan->nodes[node].app.attr;

    producer->app.act = (enum cconv_activation)attr->act.kind;
    producer->app.act_slope = attr->act.slope;
    plan->nodes[node].skipped = 1;
}

/* group[root] holds SHARED and KEPT. It lives in values[].grad_uses until grad.c needs that. */
static int32_t *group(coordconv_plan *plan, coordconv_value value)
{
    return &plan->values[root_of(plan, value)].grad_uses;
}

static void fuse_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const uint32_t flags = node->op->flags;
    const coordconv_value x = node->input_count > 0 ? node->inputs[0] : COORDCONV_NO_VALUE;
    const int kept = plan->training && (flags & CCONV_KEEPS_X) != 0;

    for (int32_t k = 0; k < node->input_count; k++) {
        if (read_by_others(plan, node->inputs[k]))
            *group(plan, node->inputs[k]) |= SHARED;
        if (kept)
            *group(plan, node->inputs[k]) |= KEPT;
    }
    if ((flags & CCONV_ALIAS) != 0) {
        plan->values[i].root = root_of(plan, x);
    } else if ((flags & CCONV_IN_PLACE) != 0 && *group(plan, x) == 0 &&
               plan->values[root_of(plan, x)].bytes >= plan->values[i].bytes) {
        const struct cconv_plan_node *producer = &plan->nodes[x];

        plan->values[i].root = root_of(plan, x);
        if (panel_activation(&plan->nodes[i].app) &&
            (producer->app.op->flags & CCONV_FUSES_ACT) != 0 && producer->app.act == CCONV_ACT_NONE)
            fuse_activation(plan, i, x);
    }
    if (plan->training && (flags & CCONV_KEEPS_Y) != 0)
        *group(plan, i) |= KEPT;
}

void cconv_plan_fuse(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].used && cconv_plan_source(plan, i)->op != NULL)
            fuse_node(plan, i);
    }
    for (int32_t i = 0; i < plan->node_count; i++)
        plan->values[i].grad_uses = 0;
}
