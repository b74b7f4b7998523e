/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout.c - when each piece of memory is needed, and where in the arena it lies.
 *
 * Time: weights are prepared at 0, which is no node's: the first is an input.
 * Node i runs forward at i and backward at 2 n - i, so a pass of a training
 * plan is the times 0 .. 2 n; `end` is after all of them. What must
 * outlive a run (packed weights, the gradient buffer, outputs, wanted input
 * gradients) lives until the end; what must live from run to run, from 0 on.
 */
#include "base/checked.h"
#include "graph/compile.h"
#include "ops/fold.h"

/* Blocks of node i are numbered i * BLOCKS_A_NODE + one of these; behind those of
 * all nodes come one for each edge, CCONV_LAYER_MAX_TENSORS for each node's
 * parameters (where a gradient is added to another), the scratch of preparing and
 * the gradient buffer. */
enum {
    VALUE,
    GRADIENT,
    SAVED,
    PACKED,
    FOLDED,
    FORWARD,
    BACKWARD,
    BLOCKS_A_NODE
};

size_t cconv_plan_block_count(size_t nodes, size_t edges)
{
    return cconv_size_add(cconv_size_mul(nodes, BLOCKS_A_NODE + CCONV_LAYER_MAX_TENSORS),
                          cconv_size_add(edges, 2));
}

static struct cconv_block_life *node_block(const coordconv_plan *plan, int32_t i, int kind)
{
    return &plan->blocks[(size_t)i * BLOCKS_A_NODE + (size_t)kind];
}

static struct cconv_block_life *edge_block(const coordconv_plan *plan, int32_t i, int32_t k)
{
    const size_t edge = (size_t)(plan->nodes[i].sink_x - plan->edge_sinks) + (size_t)k;

    return &plan->blocks[(size_t)plan->node_count * BLOCKS_A_NODE + edge];
}

static struct cconv_block_life *param_block(const coordconv_plan *plan, int32_t i, int32_t k)
{
    return &plan->blocks[(size_t)plan->node_count * BLOCKS_A_NODE + plan->edge_count +
                         (size_t)i * CCONV_LAYER_MAX_TENSORS + (size_t)k];
}

static struct cconv_block_life *gradients_block(const coordconv_plan *plan)
{
    return &plan->blocks[plan->block_count - 1];
}

static struct cconv_block_life *prepare_block(const coordconv_plan *plan)
{
    return &plan->blocks[plan->block_count - 2];
}

static int32_t end_time(const coordconv_plan *plan)
{
    return 2 * plan->node_count + 1;
}

/* The times of a node's forward pass, and of its backward pass. The nodes of a
 * chain run at one time, so each has the times of all; those of one joined with the
 * loss, and the loss, run backward with the forward pass or forward with the backward
 * pass, so each of these passes has the times of both. */
struct times {
    int32_t first, last;
};

static struct times forward_times(const coordconv_plan *plan, int32_t i)
{
    const struct cconv_chain *joined = cconv_plan_joined(plan), *chain = cconv_plan_chain(plan, i);

    if (joined != NULL && (chain == joined || i == plan->loss))
        return (struct times){ joined->first, 2 * plan->node_count - joined->first };
    return chain == NULL ? (struct times){ i, i } : (struct times){ chain->first, chain->last };
}

static struct times backward_times(const coordconv_plan *plan, int32_t i)
{
    const struct times t = forward_times(plan, i);

    return (struct times){ 2 * plan->node_count - t.last, 2 * plan->node_count - t.first };
}

static void live(struct cconv_block_life *b, size_t bytes, int32_t first, int32_t last)
{
    b->first = b->bytes == 0 ? first : CCONV_MIN(b->first, first);
    b->last = b->bytes == 0 ? last : CCONV_MAX(b->last, last);
    b->bytes = CCONV_MAX(b->bytes, bytes);
}

int cconv_plan_sends_gradient(const coordconv_plan *plan, int32_t i, int32_t k)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);

    return plan->nodes[i].backward && plan->values[node->inputs[k]].wants_gradient &&
           (k == 0 || (node->op->flags & CCONV_SCALAR_LOSS) == 0);
}

/* Unless it lies in the caller's tensor or in no memory at all. */
static void live_value(coordconv_plan *plan, coordconv_value value, int32_t first, int32_t last)
{
    const struct cconv_plan_value *v = &plan->values[value];

    if (!plan->values[v->root].inner && !plan->values[v->root].kept &&
        cconv_plan_source(plan, v->root)->op != NULL)
        live(node_block(plan, v->root, VALUE), v->bytes, first, last);
}

/* A value lives from its making to its last reading, forward or backward. */
static void live_values(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct cconv_plan_value *v = &plan->values[i];
    const uint32_t flags = node->op->flags;
    const int back = plan->nodes[i].backward, skipped = plan->nodes[i].skipped;
    const struct times now = forward_times(plan, i);
    const int32_t later = backward_times(plan, i).last;

    live_value(plan, i, now.first,
               v->is_output                           ? end_time(plan)
               : back && (flags & CCONV_KEEPS_Y) != 0 ? later
                                                      : now.last);
    if (plan->nodes[i].add != COORDCONV_NO_VALUE)
        live_value(plan, plan->nodes[i].add, now.first, now.last);
    for (int32_t k = 0; !skipped && k < node->input_count; k++)
        live_value(plan, cconv_plan_reads(plan, i, k), now.first,
                   back && (flags & CCONV_KEEPS_X) != 0 ? later : now.last);
}

static void live_gradient(coordconv_plan *plan, const struct cconv_plan_value *v, struct times now)
{
    if (!plan->values[v->grad_root].grad_inner)
        live(node_block(plan, v->grad_root, GRADIENT), v->bytes, now.first, now.last);
}

/* A gradient lives from the first consumer that writes it, going backward, to its producer. */
static void live_gradients(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct times now = backward_times(plan, i);

    live_gradient(plan, &plan->values[i], now);
    for (int32_t k = 0; k < node->input_count; k++) {
        if (cconv_plan_sends_gradient(plan, i, k))
            live_gradient(plan, &plan->values[node->inputs[k]], now);
    }
}

static void live_packed(coordconv_plan *plan, int32_t i)
{
    const struct cconv_plan_node *n = &plan->nodes[i];

    if (n->skipped)
        return;
    live(node_block(plan, i, PACKED), cconv_size_align(n->space.packed), 0, end_time(plan));
    if (n->norm != NULL) {
        live(node_block(plan, i, FOLDED),
             cconv_size_align(cconv_size_mul(cconv_fold_channels(&n->app), 2 * sizeof(cconv_real))),
             0, end_time(plan));
    }
    plan->packed_bytes = cconv_size_add(plan->packed_bytes, node_block(plan, i, PACKED)->bytes);
    plan->packed_bytes = cconv_size_add(plan->packed_bytes, node_block(plan, i, FOLDED)->bytes);
    if (n->app.op->prepare != NULL)
        live(prepare_block(plan), cconv_size_align(n->space.forward), 0, 0);
}

/* The nodes of a chain share the scratch of its first, which is the chain's; one with
 * coordinates has besides what place wants. */
static void live_scratch(coordconv_plan *plan, int32_t i)
{
    const struct cconv_plan_node *n = &plan->nodes[i];
    const struct cconv_chain *chain = cconv_plan_chain(plan, i);
    const struct times now = forward_times(plan, i), later = backward_times(plan, i);
    size_t forward = n->skipped ? 0 : n->space.forward;
    size_t backward = n->backward ? n->space.backward : 0;

    if (chain != NULL) {
        if (!cconv_app_sees_places(&n->app)) /* else coordinates may be made anew, before tiles */
            forward = 0;
        if (i == chain->first)
            forward = CCONV_MAX(forward, chain->forward_bytes);
        backward = i == chain->first ? chain->backward_bytes : 0;
    }
    live(node_block(plan, i, FORWARD), cconv_size_align(forward), now.first, now.last);
    live(node_block(plan, i, BACKWARD), cconv_size_align(backward), later.first, later.last);
}

static void live_node(coordconv_plan *plan, int32_t i)
{
    struct cconv_plan_node *n = &plan->nodes[i];

    if (n->app.op->space != NULL)
        n->app.op->space(&n->app, &n->space);
    live_values(plan, i);
    live_packed(plan, i);
    live_scratch(plan, i);
    live(node_block(plan, i, SAVED), cconv_size_align(n->space.saved), forward_times(plan, i).first,
         n->backward ? backward_times(plan, i).last
                     : plan->node_count); /* to the end of the forward pass: see finish */
    if (n->backward)
        live_gradients(plan, i);
}

/* The first to write a gradient, going backward, writes it to its place; those that follow write
 * beside it, and it is added. Called from the last node to the first. */
static void live_sums(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct times now = backward_times(plan, i);

    for (int32_t k = 0; k < node->input_count; k++) {
        struct cconv_plan_value *x = &plan->values[node->inputs[k]];

        if (!cconv_plan_sends_gradient(plan, i, k))
            continue;
        if (x->gradient_begun && plan->nodes[i].chain == 0) /* a chain adds within its tiles */
            live(edge_block(plan, i, k), x->bytes, now.first, now.last);
        x->gradient_begun = 1;
    }
    for (int32_t k = 0; node->layer != NULL && k < node->layer->trained; k++) {
        struct cconv_plan_parameter *p = &plan->parameters[plan->nodes[i].parameter + k];

        if (p->gradient_begun)
            live(param_block(plan, i, k), cconv_size_align(p->count * sizeof(cconv_real)),
                 now.first, now.last);
        p->gradient_begun = 1;
    }
}

coordconv_status cconv_plan_layout(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_plan_value *v = &plan->values[i];

        if (cconv_plan_source(plan, i)->op == NULL) {
            if (plan->training && v->wants_gradient)
                live(node_block(plan, v->grad_root, GRADIENT), v->bytes, 0, end_time(plan));
            continue;
        }
        if (!plan->nodes[i].used)
            continue;
        live_node(plan, i);
    }
    for (int32_t i = plan->node_count - 1; i >= 0; i--) {
        if (plan->nodes[i].backward && cconv_plan_source(plan, i)->op != NULL)
            live_sums(plan, i);
    }
    live(gradients_block(plan),
         cconv_size_align(cconv_size_mul(plan->gradient_count, sizeof(cconv_real))), 0,
         end_time(plan));
    plan->arena_bytes = cconv_memplan(plan->blocks, plan->block_count, plan->block_order);
    if (plan->arena_bytes > PTRDIFF_MAX)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_SHAPE,
                          "plan: an arena this large cannot be addressed");
    return COORDCONV_OK;
}

static void *place(char *arena, const struct cconv_block_life *b)
{
    return b->bytes != 0 ? arena + b->offset : NULL;
}

static void place_sinks(coordconv_plan *plan, int32_t i, char *arena)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_node *n = &plan->nodes[i];

    for (int32_t k = 0; k < node->input_count; k++) {
        const struct cconv_plan_value *x = &plan->values[node->inputs[k]];
        const struct cconv_block_life *sum = edge_block(plan, i, k);

        if (!cconv_plan_sends_gradient(plan, i, k))
            continue;
        n->sink_x[k].count = cconv_shape_count(&x->shape);
        n->sink_x[k].target = sum->bytes != 0 ? place(arena, sum) : x->gradient;
        n->sink_x[k].add_to = sum->bytes != 0 ? x->gradient : NULL;
    }
    for (int32_t k = 0; node->layer != NULL && k < node->layer->trained; k++) {
        const struct cconv_plan_parameter *p = &plan->parameters[n->parameter + k];
        const struct cconv_block_life *sum = param_block(plan, i, k);
        cconv_real *gradient = plan->gradients + p->offset;

        n->sink_param[k].count = p->count;
        n->sink_param[k].target = sum->bytes != 0 ? place(arena, sum) : gradient;
        n->sink_param[k].add_to = sum->bytes != 0 ? gradient : NULL;
    }
}

static void place_node(coordconv_plan *plan, int32_t i, char *arena)
{
    struct cconv_plan_node *n = &plan->nodes[i];

    n->run.packed = place(arena, node_block(plan, i, PACKED));
    n->folded = place(arena, node_block(plan, i, FOLDED));
    n->app.scale = n->folded;
    n->app.bias = n->folded != NULL ? n->folded + cconv_fold_channels(&n->app) : NULL;
    n->run.saved = place(arena, node_block(plan, i, SAVED));
    n->forward_scratch = place(arena, node_block(plan, i, FORWARD));
    n->backward_scratch = place(arena, node_block(plan, i, BACKWARD));
    n->run.x = n->x;
    n->run.dx = n->dx;
    n->run.dparam = n->dparam;
    if (n->backward)
        place_sinks(plan, i, arena);
    for (int32_t k = 0; k < n->app.input_count; k++)
        n->dx[k] = n->sink_x[k].target;
    for (int32_t k = 0; k < CCONV_LAYER_MAX_TENSORS; k++)
        n->dparam[k] = n->sink_param[k].target;
}

void cconv_plan_place(coordconv_plan *plan, char *arena)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        struct cconv_plan_value *v = &plan->values[i];

        v->data = v->home = place(arena, node_block(plan, v->root, VALUE));
        v->gradient = place(arena, node_block(plan, v->grad_root, GRADIENT));
    }
    plan->gradients = place(arena, gradients_block(plan));
    plan->prepare_scratch = place(arena, prepare_block(plan));
    for (int32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].used && cconv_plan_source(plan, i)->op != NULL)
            place_node(plan, i, arena);
    }
}
