/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chain_run.c - running a chain, tile by tile.
 */
#include <string.h>

#include "graph/compile.h"
#include "ops/loss.h"

/* One tile under way: its pixels and the slot's memory. */
struct tile {
    size_t first, count;
    char *slot;
    cconv_real *kept; /* what is kept of its pixels, value after value */
};

struct run {
    coordconv_plan *plan;
    const struct cconv_chain *chain;
    char *slots;
    size_t slot_bytes;
    cconv_real *partials;
    size_t begin, end; /* pixels; all but where images lie in different ways, or of a piece */
    size_t tiles;
    cconv_real *kept; /* of the piece that begins with this pixel */
    size_t piece;
    int what; /* joined: CCONV_CHAIN_* */
};

static struct tile take_tile(const struct run *r, size_t index, size_t slot)
{
    const struct cconv_chain *chain = r->chain;
    const size_t first = r->begin + index * chain->tile;

    return (struct tile){ .first = first,
                          .count = CCONV_MIN(chain->tile, r->end - first),
                          .slot = r->slots + slot * r->slot_bytes,
                          .kept = chain->kept != 0 ? r->kept + (first - r->piece) * chain->kept
                                                   : NULL };
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
    if (root->kept)
        return t->kept + t->count * root->tile_offset;
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

static void forward_tile(const struct run *r, size_t index, size_t slot)
{
    const struct tile t = take_tile(r, index, slot);

    for (int32_t i = r->chain->first; i <= r->chain->last; i++) {
        if (cconv_plan_chain(r->plan, i) == r->chain && !r->plan->nodes[i].skipped)
            forward_node(r->plan, i, &t);
    }
}

static void forward_task(void *arg, size_t task, size_t slot)
{
    forward_tile(arg, task, slot);
}

static void begin(coordconv_plan *plan, const struct cconv_chain *chain)
{
    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_node *n = &plan->nodes[i];

        if (cconv_plan_chain(plan, i) != chain)
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

static void set_range(struct run *r, size_t begin, size_t end)
{
    r->begin = begin;
    r->end = end;
    r->tiles = (end - begin + r->chain->tile - 1) / r->chain->tile;
}

/* Get the nodes ready for pixels first .. last - 1, as far as they can be done together. */
static void begin_part(struct run *r, size_t first, size_t last, int backward)
{
    const struct cconv_chain *chain = r->chain;
    size_t end = last;

    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_node *n = &r->plan->nodes[i];

        if (cconv_plan_chain(r->plan, i) == chain && n->run.places != NULL)
            end = CCONV_MIN(end, place_node(n, chain->pixels, first, backward));
    }
    set_range(r, first, end);
    begin(r->plan, chain);
}

/* Tile by tile from pixel `first` to `last`, on all threads. */
static void forward_range(struct run *r, size_t first, size_t last)
{
    for (; first < last; first = r->end) {
        begin_part(r, first, last, 0);
        cconv_parallel_run(&cconv_plan_context(r->plan)->parallel, forward_task, r, r->tiles);
    }
}

void cconv_chain_forward(coordconv_plan *plan, const struct cconv_chain *chain)
{
    struct run r = { .plan = plan,
                     .chain = chain,
                     .slots = plan->nodes[chain->first].forward_scratch,
                     .slot_bytes = chain->forward_slot };

    forward_range(&r, 0, chain->pixels);
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

        if (cconv_plan_chain(plan, i) != r->chain || !n->backward)
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
        if (cconv_plan_chain(r->plan, i) == r->chain && r->plan->nodes[i].backward)
            backward_node(r->plan, i, t, partial, ahead);
    }
}

/* A partial sum, cleared by the first pixels that are dealt. */
static cconv_real *open_partial(const struct run *r, size_t task)
{
    const struct cconv_chain *chain = r->chain;
    cconv_real *partial = r->partials + task * chain->partial_stride;

    if (chain->partial_stride != 0 && r->begin == 0) /* else there is no memory either */
        memset(partial, 0, chain->partial_stride * sizeof *partial);
    return partial;
}

/* Tiles i .. end - 1, in order. What is kept of a piece is near, and nothing is fetched ahead. */
static void backward_tiles(const struct run *r, size_t i, size_t end, size_t slot,
                           cconv_real *partial)
{
    for (; i < end; i++) {
        const struct tile t = take_tile(r, i, slot);

        const int more = r->chain->products != 0 && r->chain->piece == 0 && i + 1 < end;
        struct cconv_ahead ahead;

        if (more) {
            const struct tile next = take_tile(r, i + 1, slot);

            ahead = backward_ahead(r, &next);
        }
        backward_tile(r, &t, partial, more ? &ahead : NULL);
    }
}

/* The tiles of one partial sum. */
static void backward_task(void *arg, size_t task, size_t slot)
{
    const struct run *r = arg;
    const size_t partials = r->chain->partials;

    backward_tiles(r, r->tiles * task / partials, r->tiles * (task + 1) / partials, slot,
                   open_partial(r, task));
}

static void backward_range(struct run *r, size_t first, size_t last)
{
    for (; first < last; first = r->end) {
        begin_part(r, first, last, 1);
        cconv_parallel_run(&cconv_plan_context(r->plan)->parallel, backward_task, r,
                           r->chain->partials);
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
    if (cconv_plan_chain(r->plan, i) == chain && n->backward &&
        n->app.op->pointwise->gather != NULL)
        n->app.op->pointwise->gather(&n->app, &n->run, &n->pointwise, r->partials + n->partial,
                                     chain->partial_stride, chain->partials);
}

static void gather(struct run *r)
{
    cconv_parallel_run(&cconv_plan_context(r->plan)->parallel, gather_task, r,
                       (size_t)(r->chain->last - r->chain->first + 1));
}

static struct run make_backward(coordconv_plan *plan, const struct cconv_chain *chain)
{
    struct run r = { .plan = plan,
                     .chain = chain,
                     .slots = plan->nodes[chain->first].backward_scratch,
                     .slot_bytes = chain->backward_slot };

    r.partials =
        (cconv_real *)(void *)(r.slots + cconv_plan_context(plan)->parallel.slots * r.slot_bytes);
    return r;
}

void cconv_chain_backward(coordconv_plan *plan, const struct cconv_chain *chain)
{
    struct run r = make_backward(plan, chain);

    backward_range(&r, 0, chain->pixels);
    gather(&r);
}

/* ---- joined with the loss ---- */

/* The samples of the loss that these pixels are, if it is to be done. */
static void run_loss(const struct run *r, size_t first, size_t last)
{
    const struct cconv_plan_node *n = &r->plan->nodes[r->plan->loss];
    const struct cconv_by_sample *loss = n->app.op->by_sample;
    const size_t pixels = r->chain->pixels, samples = loss->samples(&n->app);
    const size_t from = samples >= pixels ? first * (samples / pixels) : first / (pixels / samples);
    const size_t to = samples >= pixels ? last * (samples / pixels) : last / (pixels / samples);

    if ((r->what & CCONV_CHAIN_LOSS) != 0 && loss->forward != NULL)
        loss->forward(&n->app, &n->run, from, to - from);
    if ((r->what & CCONV_CHAIN_BACK) != 0 && n->run.dx[0] != NULL)
        loss->backward(&n->app, &n->run, from, to - from);
}

/* The pieces of one partial sum, in order; each goes both ways before the next one begins. */
static void piece_task(void *arg, size_t task, size_t slot)
{
    struct run r = *(const struct run *)arg;
    const struct cconv_chain *chain = r.chain;
    const size_t pieces = (chain->pixels + chain->piece - 1) / chain->piece;
    const size_t end = pieces * (task + 1) / chain->partials;
    cconv_real *partial = open_partial(&r, task);

    r.kept += slot * chain->keep_elements;
    for (size_t i = pieces * task / chain->partials; i < end; i++) {
        r.piece = i * chain->piece;
        set_range(&r, r.piece, CCONV_MIN(r.piece + chain->piece, chain->pixels));
        for (size_t k = 0; k < r.tiles; k++)
            forward_tile(&r, k, slot);
        run_loss(&r, r.begin, r.end);
        if ((r.what & CCONV_CHAIN_BACK) != 0)
            backward_tiles(&r, 0, r.tiles, slot, partial);
    }
}

/* Piece after piece on all threads, as images that lie in different ways can only be done one
 * after another. */
static void run_pieces(struct run *r)
{
    const struct cconv_chain *chain = r->chain;

    for (r->piece = 0; r->piece < chain->pixels; r->piece += chain->piece) {
        const size_t end = CCONV_MIN(r->piece + chain->piece, chain->pixels);

        forward_range(r, r->piece, end);
        run_loss(r, r->piece, end);
        if ((r->what & CCONV_CHAIN_BACK) != 0)
            backward_range(r, r->piece, end);
    }
}

void cconv_chain_run_joined(coordconv_plan *plan, const struct cconv_chain *chain, int what)
{
    struct run r = make_backward(plan, chain);

    r.kept = r.partials + chain->partials * chain->partial_stride;
    r.what = what;
    begin_part(&r, 0, chain->pixels, 0);
    if (r.end == chain->pixels)
        cconv_parallel_run(&cconv_plan_context(plan)->parallel, piece_task, &r, chain->partials);
    else
        run_pieces(&r);
    if ((what & CCONV_CHAIN_BACK) != 0)
        gather(&r);
}
