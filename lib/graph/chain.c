/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chain.c - finding chains, what can stay within them, and how large a tile is.
 */
#include "graph/chain.h"

#include "base/checked.h"
#include "graph/compile.h"

enum {
    /* What a tile touches, and the weights, gradients and sums all tiles share,
     * each stay within a share of a second-level cache. */
    TILE_BYTES = 384 * 1024,
    WEIGHT_BYTES = 384 * 1024,
    /* Tiles end on whole register tiles of every panel where there are more. */
    TILE_STEP = 24,
    LEAST_TILE = 48,
    MOST_TILE = 480,
    /* Fewer tiles would leave threads idle that the nodes, one by one, keep busy. */
    LEAST_TILES = 16,
    /* Partial sums: enough for the threads, few enough to be cheap to clear and add. */
    MOST_PARTIALS = 32,
    PARTIAL_BYTES = 8 * 1024 * 1024
};

static size_t channels_of(const struct cconv_shape *shape)
{
    return (size_t)shape->dim[shape->ndim - 1];
}

static const struct cconv_pointwise *hooks(const coordconv_plan *plan, int32_t i)
{
    return cconv_plan_source(plan, i)->op->pointwise;
}

static struct cconv_pointwise_space space_of(const coordconv_plan *plan, int32_t i)
{
    struct cconv_pointwise_space space = { .weights = 0 };

    if (hooks(plan, i)->space != NULL)
        hooks(plan, i)->space(&plan->nodes[i].app, &space);
    return space;
}

/* ---- finding ---- */

/* Nothing is written to the memory of this value by the nodes after `from` and before `to`. */
static int stays(const coordconv_plan *plan, coordconv_value value, int32_t from, int32_t to)
{
    for (int32_t j = from + 1; j < to; j++) {
        if (cconv_plan_computes(plan, j) && plan->values[j].root == plan->values[value].root)
            return 0;
    }
    return 1;
}

/* Input 0 of node i is a vector an image, repeated by a node that nobody else needs. */
static int can_spread(const coordconv_plan *plan, int32_t i)
{
    const struct cconv_pointwise *pointwise = hooks(plan, i);
    const coordconv_value x = cconv_plan_source(plan, i)->inputs[0];
    const struct cconv_plan_value *v = &plan->values[x];

    return pointwise->spreads != NULL && pointwise->spreads(&plan->nodes[i].app) &&
           cconv_plan_source(plan, x)->op == &cconv_op_tile && v->uses == 1 && !v->is_output &&
           !v->wants_gradient && stays(plan, cconv_plan_source(plan, x)->inputs[0], x, i);
}

static int is_pointwise(const coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct cconv_app *app = &plan->nodes[i].app;
    const struct cconv_pointwise *pointwise = node->op->pointwise;

    return pointwise != NULL && node->input_count <= CCONV_CHAIN_INPUTS && app->out.ndim > 0 &&
           cconv_shape_count(&app->out) > 0 &&
           (!plan->nodes[i].backward || pointwise->backward != NULL) &&
           (pointwise->is == NULL || pointwise->is(app));
}

static size_t pixels_of(const coordconv_plan *plan, int32_t i)
{
    return cconv_shape_span(&plan->nodes[i].app.out, 0, plan->nodes[i].app.out.ndim - 1);
}

/* Backward reads the transposed weights as well and writes as many sums. */
static size_t weights_of(const coordconv_plan *plan, int32_t i)
{
    return cconv_size_mul(space_of(plan, i).weights, plan->training ? 3 : 1);
}

/* Passes over memory that nodes by themselves would make, 0 if nothing is to be won.
 * Where a vector is spread bits differ from those of the two nodes by
 * themselves, so that is decided whatever the batch. */
static int worthwhile(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    int32_t forward = 0, backward = 0;

    for (int32_t i = chain->first; i <= chain->last; i++) {
        if (!cconv_plan_computes(plan, i))
            continue;
        if (can_spread(plan, i))
            return 1;
        forward += !plan->nodes[i].skipped;
        backward += plan->nodes[i].backward;
    }
    return (forward > 1 || backward > 1) && chain->pixels >= (size_t)LEAST_TILES * LEAST_TILE;
}

static void take(coordconv_plan *plan, const struct cconv_chain *found)
{
    struct cconv_chain *chain = &plan->chains[plan->chain_count];

    if (found->pixels == 0 || !worthwhile(plan, found))
        return;
    *chain = *found;
    chain->last_backward = -1;
    plan->chain_count++;
    for (int32_t i = chain->first; i <= chain->last; i++) {
        if (!cconv_plan_computes(plan, i))
            continue;
        plan->nodes[i].chain = plan->chain_count;
        if (plan->nodes[i].backward)
            chain->last_backward = i;
        if (can_spread(plan, i)) {
            const coordconv_value x = cconv_plan_source(plan, i)->inputs[0];

            plan->nodes[i].spread = 1;
            plan->nodes[x].skipped = 1;
            plan->values[x].inner = 1;
        }
    }
}

static void find(coordconv_plan *plan)
{
    struct cconv_chain now = { .pixels = 0 };
    size_t weights = 0;

    for (int32_t i = 0; i < plan->node_count; i++) {
        if (!cconv_plan_computes(plan, i))
            continue;
        const int pointwise = is_pointwise(plan, i);
        const size_t more = pointwise ? weights_of(plan, i) : 0;

        if (!pointwise || pixels_of(plan, i) != now.pixels || weights + more > WEIGHT_BYTES) {
            take(plan, &now);
            now = (struct cconv_chain){ .first = i };
            weights = 0;
        }
        if (pointwise && more <= WEIGHT_BYTES) {
            now.last = i;
            now.pixels = pixels_of(plan, i);
            weights += more;
        }
    }
    take(plan, &now);
}

/* ---- what stays inside ---- */

static int outside(const coordconv_plan *plan, int32_t i, coordconv_value value)
{
    return plan->nodes[i].chain != plan->nodes[value].chain;
}

/* Node i makes or reads this value, and if `keeps` its backward pass wants it. */
static void meet(coordconv_plan *plan, int32_t i, coordconv_value value, int keeps)
{
    const int32_t root = plan->values[value].root;
    struct cconv_plan_value *v = &plan->values[root];

    if (plan->nodes[root].chain == 0) /* a vector that is spread is in none */
        return;
    v->local &= !outside(plan, i, root);
    v->inner &= v->local && !keeps;
}

/* A value, and with it all that share its memory, is local to a chain when every
 * node that makes or reads one of them is in it, and inner if no backward pass wants it. */
static void mark_inner_values(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].chain != 0 && plan->values[i].root == i)
            plan->values[i].local = plan->values[i].inner = 1;
    }
    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_plan_value *v = &plan->values[i];
        const struct cconv_node *node = cconv_plan_source(plan, i);

        if (!cconv_plan_computes(plan, i))
            continue;
        const int back = plan->nodes[i].backward;

        meet(plan, i, i, back && (node->op->flags & CCONV_KEEPS_Y) != 0);
        if (v->is_output)
            plan->values[v->root].local = plan->values[v->root].inner = 0;
        for (int32_t k = 0; k < node->input_count; k++)
            meet(plan, i, node->inputs[k], back && (node->op->flags & CCONV_KEEPS_X) != 0);
        if (plan->nodes[i].add != COORDCONV_NO_VALUE)
            meet(plan, i, plan->nodes[i].add, 0);
    }
}

/* Likewise the gradients, which are read by the node that made the value and
 * written by those that read it. */
static void mark_inner_gradients(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++)
        plan->values[i].grad_inner = plan->nodes[i].chain != 0 && plan->values[i].grad_root == i;
    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);
        const int32_t root = plan->values[i].grad_root;

        if (!cconv_plan_computes(plan, i) || !plan->nodes[i].backward)
            continue;
        if (outside(plan, i, root) || i == plan->loss)
            plan->values[root].grad_inner = 0;
        for (int32_t k = 0; k < node->input_count; k++) {
            const int32_t to = plan->values[node->inputs[k]].grad_root;

            if (cconv_plan_sends_gradient(plan, i, k) &&
                (outside(plan, i, to) || outside(plan, i, node->inputs[k])))
                plan->values[to].grad_inner = 0;
        }
    }
}

/* ---- sizes ---- */

/* Elements of a pixel that a tile touches, on the way it touches most of them. */
static size_t elements_touched(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    size_t values = channels_of(&plan->nodes[chain->first].app.in[0]), gradients = 0;

    for (int32_t i = chain->first; i <= chain->last; i++) {
        if (plan->nodes[i].chain == 0)
            continue;
        const size_t channels = channels_of(&plan->nodes[i].app.out);

        if (plan->values[i].root == i)
            values = cconv_size_add(values, channels);
        if (plan->nodes[i].backward) /* two of them at a time, as a rule */
            gradients = CCONV_MAX(gradients, 2 * channels);
    }
    return cconv_size_add(values, gradients);
}

static void choose_tile(const coordconv_plan *plan, struct cconv_chain *chain)
{
    const size_t bytes = cconv_size_mul(elements_touched(plan, chain), sizeof(cconv_real));
    const size_t fit = CCONV_MIN(TILE_BYTES / bytes, chain->pixels / LEAST_TILES);
    const size_t whole = CCONV_MIN(fit, MOST_TILE) / TILE_STEP * TILE_STEP;

    chain->tile = CCONV_MIN(CCONV_MAX(whole, LEAST_TILE), chain->pixels);
    chain->tiles = (chain->pixels + chain->tile - 1) / chain->tile;
}

static void count_products(const coordconv_plan *plan, struct cconv_chain *chain)
{
    for (int32_t i = chain->first; i <= chain->last; i++) {
        if (plan->nodes[i].chain != 0 && cconv_plan_sends_gradient(plan, i, 0))
            chain->products = cconv_size_add(chain->products, space_of(plan, i).products);
    }
}

static void choose_partials(coordconv_plan *plan, struct cconv_chain *chain)
{
    const size_t step = CCONV_ALIGN / sizeof(cconv_real);

    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_node *n = &plan->nodes[i];

        if (n->chain == 0)
            continue;
        const struct cconv_pointwise_space space = space_of(plan, i);

        chain->scratch = CCONV_MAX(chain->scratch, cconv_size_align(space.scratch));
        if (!n->backward)
            continue;
        n->partial = chain->partial_stride;
        chain->partial_stride =
            cconv_size_add(chain->partial_stride, (space.partial + step - 1) / step * step);
    }
    if (chain->partial_stride != 0)
        chain->partials = PARTIAL_BYTES / sizeof(cconv_real) / chain->partial_stride;
    else
        chain->partials = MOST_PARTIALS;
    chain->partials = CCONV_MIN(CCONV_MIN(chain->partials, MOST_PARTIALS), chain->tiles);
    chain->partials = CCONV_MAX(chain->partials, 1);
}

/* ---- buffers of a tile ---- */

/* Blocks as layout.c has them, for one chain and one tile. */
struct buffers {
    struct cconv_block_life *blocks;
    size_t *order;
    size_t count;
};

static size_t tile_bytes(const struct cconv_chain *chain, const struct cconv_shape *shape)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(chain->tile, channels_of(shape)), sizeof(cconv_real)));
}

static void live(struct cconv_block_life *b, size_t bytes, int32_t now)
{
    b->first = b->bytes == 0 ? now : CCONV_MIN(b->first, now);
    b->last = b->bytes == 0 ? now : CCONV_MAX(b->last, now);
    b->bytes = CCONV_MAX(b->bytes, bytes);
}

static void clear(struct buffers *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->blocks[i] = (struct cconv_block_life){ .bytes = 0 };
}

/* Bytes of a slot: the nodes' scratch, then the buffers. */
static size_t slot_bytes(const struct cconv_chain *chain, struct buffers *b)
{
    return cconv_size_add(chain->scratch, cconv_memplan(b->blocks, b->count, b->order));
}

/* Node i reads this value, which may lie in a buffer of the chain. */
static void live_root(const coordconv_plan *plan, const struct cconv_chain *chain,
                      coordconv_value value, int32_t i, const struct buffers *b)
{
    const int32_t root = plan->values[value].root;

    if (plan->nodes[root].chain != 0 && plan->values[root].inner)
        live(&b->blocks[root], tile_bytes(chain, &plan->values[root].shape), i);
}

static void lay_out_forward(coordconv_plan *plan, struct cconv_chain *chain, struct buffers *b)
{
    clear(b);
    for (int32_t i = chain->first; i <= chain->last; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        if (plan->nodes[i].chain == 0)
            continue;
        if (plan->values[plan->values[i].root].inner)
            live(&b->blocks[plan->values[i].root], tile_bytes(chain, &plan->values[i].shape), i);
        for (int32_t k = 0; k < node->input_count; k++)
            live_root(plan, chain, node->inputs[k], i, b);
        if (plan->nodes[i].add != COORDCONV_NO_VALUE)
            live_root(plan, chain, plan->nodes[i].add, i, b);
    }
    chain->forward_slot = slot_bytes(chain, b);
    for (int32_t i = chain->first; i <= chain->last; i++) {
        if (!plan->values[i].kept)
            plan->values[i].tile_offset = cconv_size_add(chain->scratch, b->blocks[i].offset);
    }
}

static struct cconv_block_life *sum_buffer(const coordconv_plan *plan, const struct buffers *b,
                                           int32_t i, int32_t k)
{
    return &b->blocks[plan->node_count + (plan->nodes[i].sink_x - plan->edge_sinks) + k];
}

/* 1 if going backward nobody has written this gradient before input k of node i does. */
static int writes_first(const coordconv_plan *plan, int32_t i, int32_t k)
{
    const coordconv_value value = cconv_plan_source(plan, i)->inputs[k];

    for (int32_t j = i; j <= plan->values[value].last_use; j++) {
        const struct cconv_node *node = cconv_plan_source(plan, j);
        const int32_t count = j == i ? k : node->input_count;

        for (int32_t l = 0; plan->nodes[j].backward && l < count; l++) {
            if (node->inputs[l] == value && cconv_plan_sends_gradient(plan, j, l))
                return 0;
        }
    }
    return 1;
}

static void live_gradients(const coordconv_plan *plan, const struct cconv_chain *chain, int32_t i,
                           const struct buffers *b)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const int32_t now = chain->last - i;

    if (plan->values[plan->values[i].grad_root].grad_inner)
        live(&b->blocks[plan->values[i].grad_root], tile_bytes(chain, &plan->values[i].shape), now);
    for (int32_t k = 0; k < node->input_count; k++) {
        const struct cconv_plan_value *x = &plan->values[node->inputs[k]];

        if (!cconv_plan_sends_gradient(plan, i, k))
            continue;
        if (plan->values[x->grad_root].grad_inner)
            live(&b->blocks[x->grad_root], tile_bytes(chain, &x->shape), now);
        if (!writes_first(plan, i, k))
            live(sum_buffer(plan, b, i, k), tile_bytes(chain, &x->shape), now);
    }
}

static void lay_out_backward(coordconv_plan *plan, struct cconv_chain *chain, struct buffers *b)
{
    clear(b);
    for (int32_t i = chain->last_backward; i >= chain->first; i--) {
        if (plan->nodes[i].chain != 0 && plan->nodes[i].backward)
            live_gradients(plan, chain, i, b);
    }
    chain->backward_slot = slot_bytes(chain, b);
    for (int32_t i = chain->first; i <= chain->last; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        plan->values[i].grad_tile_offset = cconv_size_add(chain->scratch, b->blocks[i].offset);
        for (int32_t k = 0; plan->nodes[i].chain != 0 && k < node->input_count; k++) {
            struct cconv_plan_sink *sink = &plan->nodes[i].sink_x[k];

            sink->in_tile = sum_buffer(plan, b, i, k)->bytes != 0;
            sink->tile_offset = cconv_size_add(chain->scratch, sum_buffer(plan, b, i, k)->offset);
        }
    }
}

static void lay_out(coordconv_plan *plan, struct cconv_chain *chain, struct buffers *b)
{
    const size_t slots = cconv_plan_context(plan)->parallel.slots;

    choose_tile(plan, chain);
    count_products(plan, chain);
    choose_partials(plan, chain);
    cconv_chain_join_loss(plan, chain);
    lay_out_forward(plan, chain, b);
    chain->forward_bytes = cconv_size_mul(chain->forward_slot, slots);
    if (chain->last_backward < 0)
        return;
    lay_out_backward(plan, chain, b);
    if (chain->piece != 0) { /* each slot goes both ways */
        chain->backward_slot = CCONV_MAX(chain->forward_slot, chain->backward_slot);
        chain->forward_bytes = 0;
    }
    chain->backward_bytes = cconv_size_add(
        cconv_size_mul(chain->backward_slot, slots),
        cconv_size_mul(cconv_size_add(cconv_size_mul(chain->partial_stride, chain->partials),
                                      cconv_size_mul(chain->keep_elements, chain->keepers)),
                       sizeof(cconv_real)));
}

coordconv_status cconv_plan_find_chains(coordconv_plan *plan)
{
    const struct cconv_allocator *a = &cconv_plan_context(plan)->allocator;
    struct buffers b = { .count = cconv_size_add((size_t)plan->node_count, plan->edge_count) };
    const size_t bytes = cconv_size_mul(b.count, sizeof *b.blocks);
    const size_t order_bytes = cconv_size_mul(b.count, sizeof *b.order);

    find(plan);
    if (plan->chain_count == 0)
        return COORDCONV_OK;
    mark_inner_values(plan);
    mark_inner_gradients(plan);
    b.blocks = cconv_alloc(a, bytes);
    b.order = cconv_alloc(a, order_bytes);
    for (int32_t i = 0; i < plan->chain_count && b.blocks != NULL && b.order != NULL; i++)
        lay_out(plan, &plan->chains[i], &b);
    const int made = b.blocks != NULL && b.order != NULL;

    cconv_free(a, b.blocks, bytes);
    cconv_free(a, b.order, order_bytes);
    return made ? COORDCONV_OK
                : cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOMEM,
                             "plan: out of memory");
}
