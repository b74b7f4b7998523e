/* SPDX-License-Identifier: BSD-2-Clause
 *
 * exec.c - running a plan. Nothing here allocates.
 */
#include "graph/compile.h"
#include "ops/eltwise.h"
#include "ops/fold.h"
#include "ops/loss.h"

static coordconv_status plan_fail(const coordconv_plan *plan, coordconv_status status,
                                  const char *call, const char *text)
{
    return cconv_fail(plan != NULL ? &cconv_plan_context(plan)->log : NULL, status, "%s: %s", call,
                      text);
}

/* Point the input values at what is bound, converting where it must be. */
static coordconv_status take_inputs(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->input_count; i++) {
        struct cconv_plan_port *port = &plan->inputs[i];

        if (!plan->nodes[port->value].used)
            continue;
        if (port->bound == NULL)
            return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_STATE,
                              "plan_run: input \"%s\" is not bound", port->name);
        if (port->staged)
            cconv_tensor_copy_parallel(cconv_plan_context(plan), port->staging, port->bound);
        plan->values[port->value].data = port->staged ? port->staging->data : port->bound->data;
    }
    return COORDCONV_OK;
}

static void prepare_node(const coordconv_plan *plan, struct cconv_plan_node *n)
{
    uint64_t version = n->app.layer != NULL ? cconv_layer_version(n->app.layer) : 0;

    if (n->norm != NULL)
        version += cconv_layer_version(n->norm);
    n->run.scratch = plan->prepare_scratch;
    if (n->packed_once && n->packed_version == version) {
        if (n->placed && n->run.places == NULL)
            n->app.op->place(&n->app, &n->run, NULL, 0);
        n->placed = n->run.places != NULL;
        return;
    }
    if (n->norm != NULL)
        cconv_fold_norm(&n->app, n->norm, n->folded, n->folded + cconv_fold_channels(&n->app));
    n->app.op->prepare(&n->app, &n->run);
    n->packed_once = 1;
    n->placed = n->run.places != NULL;
    n->packed_version = version;
}

/* Before any node runs: what preparing needs lies where activations will. */
static void prepare(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        struct cconv_plan_node *n = &plan->nodes[i];

        if (n->used && !n->skipped && n->app.op != NULL && n->app.op->prepare != NULL)
            prepare_node(plan, n);
    }
}

/* Where the data of node i lies in this forward pass. */
static void open_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_node *n = &plan->nodes[i];

    for (int32_t k = 0; k < node->input_count; k++)
        n->x[k] = cconv_plan_data(plan, node->inputs[k]);
    n->run.add = n->add != COORDCONV_NO_VALUE ? cconv_plan_data(plan, n->add) : NULL;
    n->run.y = cconv_plan_data(plan, i);
    n->run.scratch = n->forward_scratch;
}

static coordconv_status forward_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_plan_node *n = &plan->nodes[i];

    open_node(plan, i);
    if (n->skipped || (n->app.op->flags & CCONV_ALIAS) != 0)
        return COORDCONV_OK;
    return n->app.op->forward(&n->app, &n->run);
}

static void give_copy(const coordconv_plan *plan, const struct cconv_plan_value *v,
                      coordconv_tensor *to)
{
    coordconv_tensor from = { .dtype = v->dtype, .shape = v->shape };

    from.data = plan->values[v->root].data;
    cconv_shape_strides(&v->shape, from.stride);
    cconv_tensor_copy_parallel(cconv_plan_context(plan), to, &from);
}

static void give_outputs(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->output_count; i++) {
        struct cconv_plan_port *port = &plan->outputs[i];
        const struct cconv_plan_value *v = &plan->values[port->value];
        coordconv_tensor *outside = plan->values[v->root].outside;

        coordconv_tensor_ref(outside);
        coordconv_tensor_unref(port->written);
        port->written = outside;
        if (port->bound != NULL && port->bound == outside)
            cconv_tensor_touch(port->bound);
        else if (port->bound != NULL)
            give_copy(plan, v, port->bound);
    }
}

static void add_sink(const coordconv_plan *plan, const struct cconv_plan_sink *s)
{
    if (s->add_to != NULL)
        cconv_parallel_add(cconv_plan_context(plan), s->count, s->add_to, s->target, s->add_to);
}

/* The parameters of a chain's nodes have their gradients; add those that are to be added. */
static void add_parameters(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    for (int32_t i = chain->last_backward; i >= chain->first; i--) {
        for (int32_t k = 0; plan->nodes[i].chain != 0 && k < CCONV_LAYER_MAX_TENSORS; k++)
            add_sink(plan, &plan->nodes[i].sink_param[k]);
    }
}

/* The chain that is joined with the loss, and the loss, backward, in `what` forward as well. */
static void backward_joined(coordconv_plan *plan, int what)
{
    struct cconv_plan_node *loss = &plan->nodes[plan->loss];

    loss->run.dy = plan->values[plan->loss].gradient;
    plan->values[plan->loss].gradient[0] = 1;
    cconv_chain_run_joined(plan, cconv_plan_joined(plan), what | CCONV_CHAIN_BACK);
    add_parameters(plan, cconv_plan_joined(plan));
}

static coordconv_status run_joined(coordconv_plan *plan)
{
    const struct cconv_plan_node *loss = &plan->nodes[plan->loss];
    const struct cconv_by_sample *by_sample = loss->app.op->by_sample;
    coordconv_status st;

    open_node(plan, plan->loss);
    if (by_sample->check != NULL && (st = by_sample->check(&loss->app, &loss->run)) != COORDCONV_OK)
        return st;
    backward_joined(plan, CCONV_CHAIN_LOSS);
    by_sample->finish(&loss->app, &loss->run);
    return COORDCONV_OK;
}

/* A node by itself, or with the first node of a chain the whole chain; `both`: where the chain
 * is joined with the loss, both, forward and backward. */
static coordconv_status forward_step(coordconv_plan *plan, int32_t i, int both)
{
    const struct cconv_chain *chain = cconv_plan_chain(plan, i);

    if (chain == NULL)
        return both && i == plan->loss ? COORDCONV_OK : forward_node(plan, i);
    if (i != chain->first)
        return COORDCONV_OK;
    if (chain != cconv_plan_joined(plan))
        cconv_chain_forward(plan, chain);
    else if (both)
        return run_joined(plan);
    else
        cconv_chain_run_joined(plan, chain, 0);
    return COORDCONV_OK;
}

static coordconv_status run_forward(coordconv_plan *plan, int both)
{
    coordconv_status st;

    if ((st = take_inputs(plan)) != COORDCONV_OK ||
        (plan->frames_new && (st = cconv_plan_resolve_frames(plan)) != COORDCONV_OK))
        return st;
    plan->forward_done = plan->backward_done = 0;
    if (plan->bindings_new)
        cconv_plan_place_outputs(plan);
    prepare(plan);
    for (int32_t i = 0; i < plan->node_count; i++) {
        if (cconv_plan_computes(plan, i) && (st = forward_step(plan, i, both)) != COORDCONV_OK)
            return st;
    }
    for (int32_t i = 0; plan->training && i < plan->node_count; i++) {
        if (plan->nodes[i].used && plan->nodes[i].app.op != NULL &&
            plan->nodes[i].app.op->finish != NULL)
            plan->nodes[i].app.op->finish(&plan->nodes[i].app, &plan->nodes[i].run);
    }
    give_outputs(plan);
    plan->forward_done = 1;
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_forward(coordconv_plan *plan)
{
    if (plan == NULL)
        return plan_fail(plan, COORDCONV_ERR_INVALID, "plan_forward", "plan is NULL");
    return run_forward(plan, 0);
}

static void backward_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_node *n = &plan->nodes[i];

    n->run.dy = plan->values[i].gradient;
    n->run.scratch = n->backward_scratch;
    if ((node->op->flags & CCONV_ALIAS) == 0)
        node->op->backward(&n->app, &n->run);
    else if (n->dx[0] != NULL && n->dx[0] != n->run.dy)
        cconv_parallel_copy(cconv_plan_context(plan), n->sink_x[0].count, n->run.dy, n->dx[0]);
    for (int32_t k = 0; k < node->input_count; k++)
        add_sink(plan, &n->sink_x[k]);
    for (int32_t k = 0; k < CCONV_LAYER_MAX_TENSORS; k++)
        add_sink(plan, &n->sink_param[k]);
}

static void backward_step(coordconv_plan *plan, int32_t i)
{
    const struct cconv_chain *chain = cconv_plan_chain(plan, i);

    if (chain == NULL) {
        backward_node(plan, i);
    } else if (i == chain->last_backward) {
        cconv_chain_backward(plan, chain);
        add_parameters(plan, chain);
    }
}

/* The backward pass, but of a chain joined with the loss and what is behind. */
static void run_backward(coordconv_plan *plan)
{
    const struct cconv_chain *joined = cconv_plan_joined(plan);

    for (int32_t i = joined != NULL ? joined->first - 1 : plan->loss; i >= 0; i--) {
        if (plan->nodes[i].backward && cconv_plan_source(plan, i)->op != NULL)
            backward_step(plan, i);
    }
    plan->forward_done = 0;
    plan->backward_done = 1;
}

coordconv_status coordconv_plan_backward(coordconv_plan *plan)
{
    if (plan == NULL)
        return plan_fail(plan, COORDCONV_ERR_INVALID, "plan_backward", "plan is NULL");
    if (!plan->training)
        return plan_fail(plan, COORDCONV_ERR_STATE, "plan_backward", "an inference plan");
    if (!plan->forward_done)
        return plan_fail(plan, COORDCONV_ERR_STATE, "plan_backward",
                         "no forward pass since the last backward pass");
    if (cconv_plan_joined(plan) != NULL)
        backward_joined(plan, 0);
    else if (plan->nodes[plan->loss].backward)
        plan->values[plan->loss].gradient[0] = 1;
    run_backward(plan);
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_run(coordconv_plan *plan)
{
    coordconv_status st;

    if (plan == NULL)
        return plan_fail(plan, COORDCONV_ERR_INVALID, "plan_run", "plan is NULL");
    const int both = cconv_plan_joined(plan) != NULL;

    st = run_forward(plan, both);
    if (st != COORDCONV_OK || !plan->training)
        return st;
    if (!both)
        return coordconv_plan_backward(plan);
    run_backward(plan);
    return COORDCONV_OK;
}
