/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chain_run.c - running a chain, tile by tile.
 */
#include <string.h>

#include "graph/compile.h"

/* One tile under way: its pixels and the slot's memory. */
struct tile {
    size_t first, count;
    char *slot;
};

struct run {
    coordconv_plan *plan;
    const struct cconv_chain *chain;
    char *slots;
    size_t slot_bytes;
    cconv_real *partials;
    size_t begin, end; /* pixels; all but where images lie in different ways */
    size_t tiles;
};

static struct tile take_tile(const struct run *r, size_t index, size_t slot)
{
    const struct cconv_chain *chain = r->chain;
    const size_t first = r->begin + index * chain->tile;

    return (struct tile){ .first = first,
                          .count = CCONV_MIN(chain->tile, r->end - first),
                          .slot = r->slots + slot * r->slot_bytes };
}

static size_t offset_of(const coordconv_plan *plan, coordconv_value value, const struct tile *t)
{
    const struct cconv_shape *shape = &plan->values[value].shape;

    return t->first * (size_t)shape->dim[shape->ndim - 1];
}

/* The tile's part of a value; NULL where nobody will read it. */
static cconv_real *value_at(const coordconv_plan *plan, coordconv_value value, const struct tile *t)
{
    const struct cconv_plan_value *root = &plan->values[plan->values[value].root];

    if (root->inner)
        return (cconv_real *)(void *)(t->slot + root->tile_offset);
    return (cconv_real *)root->data + offset_of(plan, value, t);
}

static cconv_real *gradient_at(const coordconv_plan *plan, coordconv_value value,
                               const struct tile *t)
{
    const struct cconv_plan_value *root = &plan->values[plan->values[value].grad_root];

    if (root->grad_inner)
        return (cconv_real *)(void *)(t->slot + root->grad_tile_offset);
    return root->gradient + offset_of(plan, value, t);
}

/* A vector that is spread is read as a whole. */
static const cconv_real *input_at(const coordconv_plan *plan, int32_t i, int32_t k,
                                  const struct tile *t)
{
    const coordconv_value x = cconv_plan_reads(plan, i, k);

    if (k == 0 && plan->nodes[i].spread)
        return cconv_plan_data(plan, x);
    return value_at(plan, x, t);
}

static int takes_part(const coordconv_plan *plan, const struct cconv_chain *chain, int32_t i)
{
    return plan->nodes[i].chain == (int32_t)(chain - plan->chains) + 1;
}

/* A node of the same chain makes what this one reads first. */
static int cached(const coordconv_plan *plan, int32_t i)
{
    const coordconv_value x = cconv_plan_reads(plan, i, 0);

    return !plan->nodes[i].spread && plan->nodes[x].chain == plan->nodes[i].chain;
}

static void forward_node(const coordconv_plan *plan, int32_t i, const struct tile *t)
{
    const struct cconv_plan_node *n = &plan->nodes[i];
    const cconv_real *x[CCONV_CHAIN_INPUTS] = { NULL };
    const struct cconv_pixels pixels = { .first = t->first,
                                         .count = t->count,
                                         .x = x,
                                         .cached = cached(plan, i),
                                         .y = value_at(plan, i, t),
                                         .add = n->add != COORDCONV_NO_VALUE
                                                    ? value_at(plan, n->add, t)
                                                    : NULL,
                                         .scratch = t->slot };

    for (int32_t k = 0; k < n->app.input_count; k++)
        x[k] = input_at(plan, i, k, t);
    n->app.op->pointwise->forward(&n->app, &n->pointwise, &pixels);
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    const struct run *r = arg;
    const struct tile t = take_tile(r, task, slot);

    for (int32_t i = r->chain->first; i <= r->chain->last; i++) {
        if (takes_part(r->plan, r->chain, i) && !r->plan->nodes[i].skipped)
            forward_node(r->plan, i, &t);
    }
}

static void begin(coordconv_plan *plan, const struct cconv_chain *chain)
{
    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_node *n = &plan->nodes[i];

        if (!takes_part(plan, chain, i))
            continue;
        if (n->app.op->pointwise->begin != NULL)
            n->app.op->pointwise->begin(&n->app, &n->run, n->spread, &n->pointwise);
    }
}

/* Let the coordinates be those of the image that pixel `pixel` of a node is in. Returns the
 * end of the images behind it that lie alike. */
static size_t place_node(struct cconv_plan_node *n, size_t pixels, size_t pixel, int backward)
{
    const size_t batch = (size_t)n->app.in[0].dim[0], image = pixels / batch;
    const size_t first = pixel / image;
    const size_t count = cconv_places_alike(n->run.places + first, batch - first);

    n->run.scratch = n->forward_scratch;
    n->app.op->place(&n->app, &n->run, &n->run.places[first], backward);
    return (first + count) * image;
}

/* Get the nodes ready for pixels from r->begin on, as far as they can be done together. */
static void begin_part(struct run *r, size_t first, int backward)
{
    const struct cconv_chain *chain = r->chain;

    r->begin = first;
    r->end = chain->pixels;
    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_node *n = &r->plan->nodes[i];

        if (takes_part(r->plan, chain, i) && n->run.places != NULL)
            r->end = CCONV_MIN(r->end, place_node(n, chain->pixels, first, backward));
    }
    r->tiles = (r->end - r->begin + chain->tile - 1) / chain->tile;
    begin(r->plan, chain);
}

void cconv_chain_forward(coordconv_plan *plan, const struct cconv_chain *chain)
{
    struct run r = { .plan = plan,
                     .chain = chain,
                     .slots = plan->nodes[chain->first].forward_scratch,
                     .slot_bytes = chain->forward_slot };

    for (size_t first = 0; first < chain->pixels; first = r.end) {
        begin_part(&r, first, 0);
        cconv_parallel_run(&cconv_plan_context(plan)->parallel, forward_task, &r, r.tiles);
    }
}

/* Add what was written to buffers of their own to the gradients they belong to. */
static void add_sums(const coordconv_plan *plan, int32_t i, const struct tile *t,
                     cconv_real *const *dx)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);

    for (int32_t k = 0; k < node->input_count; k++) {
        const struct cconv_shape *shape = &plan->values[node->inputs[k]].shape;
        const size_t count = t->count * (size_t)shape->dim[shape->ndim - 1];
        cconv_real *sum;

        if (!plan->nodes[i].sink_x[k].in_tile)
            continue;
        sum = gradient_at(plan, node->inputs[k], t);
        cconv_plan_context(plan)->kernels.eltwise.add(count, sum, dx[k], sum);
    }
}

/* Fetch this part of a value, if it is in memory and not in the list. */
static void ahead_of(const coordconv_plan *plan, coordconv_value value, const struct tile *t,
                     struct cconv_ahead *a)
{
    const struct cconv_shape *shape = &plan->values[value].shape;
    const size_t bytes = t->count * (size_t)shape->dim[shape->ndim - 1] * sizeof(cconv_real);
    const char *at = (const char *)value_at(plan, value, t);

    for (size_t i = 0; i < a->arrays; i++) {
        if (a->array[i].at == at)
            return;
    }
    if (plan->values[plan->values[value].root].inner || a->arrays == CCONV_AHEAD_ARRAYS)
        return;
    a->array[a->arrays].at = at;
    a->array[a->arrays].lines = (bytes + CCONV_AHEAD_LINE - 1) / CCONV_AHEAD_LINE;
    a->lines += a->array[a->arrays++].lines;
}

/* What backward reads of the values of a tile, in the order it does. */
static struct cconv_ahead backward_ahead(const struct run *r, const struct tile *t)
{
    const coordconv_plan *plan = r->plan;
    struct cconv_ahead a = { .products = CCONV_MAX(t->count * r->chain->products, 1) };

    for (int32_t i = r->chain->last_backward; i >= r->chain->first; i--) {
        const struct cconv_plan_node *n = &plan->nodes[i];

        if (!takes_part(plan, r->chain, i) || !n->backward)
            continue;
        if ((n->app.op->flags & CCONV_KEEPS_Y) != 0)
            ahead_of(plan, i, t, &a);
        for (int32_t k = n->spread; k < n->app.input_count; k++) {
            if ((n->app.op->flags & CCONV_KEEPS_X) != 0)
                ahead_of(plan, cconv_plan_source(plan, i)->inputs[k], t, &a);
        }
    }
    return a;
}

static void backward_node(const coordconv_plan *plan, int32_t i, const struct tile *t,
                          cconv_real *partial, struct cconv_ahead *ahead)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct cconv_plan_node *n = &plan->nodes[i];
    const cconv_real *x[CCONV_CHAIN_INPUTS] = { NULL };
    cconv_real *dx[CCONV_CHAIN_INPUTS] = { NULL };
    const struct cconv_pixels pixels = { .first = t->first,
                                         .count = t->count,
                                         .x = x,
                                         .y = value_at(plan, i, t),
                                         .dy = gradient_at(plan, i, t),
                                         .dx = dx,
                                         .partial = n->app.op->pointwise->gather != NULL
                                                        ? partial + n->partial
                                                        : NULL,
                                         .scratch = t->slot,
                                         .ahead = ahead };

    for (int32_t k = 0; k < node->input_count; k++) {
        x[k] = input_at(plan, i, k, t);
        if (cconv_plan_sends_gradient(plan, i, k))
            dx[k] = n->sink_x[k].in_tile
                        ? (cconv_real *)(void *)(t->slot + n->sink_x[k].tile_offset)
                        : gradient_at(plan, node->inputs[k], t);
    }
    n->app.op->pointwise->backward(&n->app, &n->pointwise, &pixels);
    add_sums(plan, i, t, dx);
}

static void backward_tile(const struct run *r, const struct tile *t, cconv_real *partial,
                          struct cconv_ahead *ahead)
{
    for (int32_t i = r->chain->last_backward; i >= r->chain->first; i--) {
        if (takes_part(r->plan, r->chain, i) && r->plan->nodes[i].backward)
            backward_node(r->plan, i, t, partial, ahead);
    }
}

/* The tiles of one partial sum, in order. */
static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct run *r = arg;
    const struct cconv_chain *chain = r->chain;
    cconv_real *partial = r->partials + task * chain->partial_stride;
    const size_t end = r->tiles * (task + 1) / chain->partials;

    if (chain->partial_stride != 0 && r->begin == 0) /* else there is no memory either */
        memset(partial, 0, chain->partial_stride * sizeof *partial);
    for (size_t i = r->tiles * task / chain->partials; i < end; i++) {
        const struct tile t = take_tile(r, i, slot);

        const int more = chain->products != 0 && i + 1 < end;
        struct cconv_ahead ahead;

        if (more) {
            const struct tile next = take_tile(r, i + 1, slot);

            ahead = backward_ahead(r, &next);
        }
        backward_tile(r, &t, partial, more ? &ahead : NULL);
    }
}

/* The parameters of one node. */
static void gather_task(void *arg, size_t task, size_t slot)
{
    const struct run *r = arg;
    const struct cconv_chain *chain = r->chain;
    const int32_t i = chain->first + (int32_t)task;
    const struct cconv_plan_node *n = &r->plan->nodes[i];

    (void)slot;
    if (takes_part(r->plan, chain, i) && n->backward && n->app.op->pointwise->gather != NULL)
        n->app.op->pointwise->gather(&n->app, &n->run, &n->pointwise, r->partials + n->partial,
                                     chain->partial_stride, chain->partials);
}

void cconv_chain_backward(coordconv_plan *plan, const struct cconv_chain *chain)
{
    struct cconv_parallel *parallel = &cconv_plan_context(plan)->parallel;
    struct run r = { .plan = plan,
                     .chain = chain,
                     .slots = plan->nodes[chain->first].backward_scratch,
                     .slot_bytes = chain->backward_slot };

    r.partials = (cconv_real *)(void *)(r.slots + parallel->slots * r.slot_bytes);
    for (size_t first = 0; first < chain->pixels; first = r.end) {
        begin_part(&r, first, 1);
        cconv_parallel_run(parallel, backward_task, &r, chain->partials);
    }
    cconv_parallel_run(parallel, gather_task, &r, (size_t)(chain->last - chain->first + 1));
}
