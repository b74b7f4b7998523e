/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chain_loss.c - whether a chain can be joined with the loss, and how large its pieces are.
 *
 * The chain's forward pass may be made again before its backward pass, so nothing
 * but the chain writes to the memory of its values, and it writes to no other.
 */
#include "base/checked.h"
#include "graph/chain.h"
#include "graph/compile.h"
#include "ops/loss.h"

enum {
    /* What is kept of a piece: a share of a second-level cache where samples are small
     * enough, and of a last one where a single sample has more. */
    PIECE_BYTES = 384 * 1024,
    MOST_BYTES = 4 * 1024 * 1024,
    /* Fewer would leave threads idle that tiles, pass by pass, keep busy. */
    LEAST_PIECES = 16
};

/* The value that this one is under another shape. */
static coordconv_value plain_value(const coordconv_plan *plan, coordconv_value value)
{
    const struct cconv_node *node = cconv_plan_source(plan, value);

    while (node->op != NULL && (node->op->flags & CCONV_ALIAS) != 0) {
        value = node->inputs[0];
        node = cconv_plan_source(plan, value);
    }
    return value;
}

/* The loss reads what the chain leaves last, and sends its gradient there. */
static int ends_in_loss(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    const coordconv_value x = cconv_plan_source(plan, plan->loss)->inputs[0];
    const coordconv_value end = plain_value(plan, x);

    return end == chain->last_backward && cconv_plan_chain(plan, end) == chain &&
           plan->values[x].root == plan->values[end].root &&
           plan->values[x].grad_root == plan->values[end].grad_root;
}

/* All else the loss reads is there before it would run: made before the chain, or in it. */
static int targets_ready(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    const struct cconv_node *loss = cconv_plan_source(plan, plan->loss);

    for (int32_t k = 1; k < loss->input_count; k++) {
        const coordconv_value target = plain_value(plan, loss->inputs[k]);

        if (target >= chain->first && cconv_plan_source(plan, target)->op != NULL &&
            cconv_plan_chain(plan, target) != chain)
            return 0;
    }
    return 1;
}

static int can_run_again(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_plan_value *v = &plan->values[i];

        if (cconv_plan_computes(plan, i) && v->maker >= 0 &&
            (cconv_plan_chain(plan, v->maker) == chain) !=
                (cconv_plan_chain(plan, v->root) == chain))
            return 0;
    }
    return 1;
}

/* Pixels of a sample of the loss; 0: it has none, or they are not the chain's pixels. */
static size_t sample_pixels(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    const struct cconv_app *loss = &plan->nodes[plan->loss].app;
    const size_t samples = loss->op->by_sample != NULL ? loss->op->by_sample->samples(loss) : 0;

    if (samples >= chain->pixels)
        return samples % chain->pixels == 0;
    return samples != 0 && chain->pixels % samples == 0 ? chain->pixels / samples : 0;
}

/* Elements of a pixel that only the chain's way back reads. */
static size_t count_kept(const coordconv_plan *plan, const struct cconv_chain *chain)
{
    size_t kept = 0;

    for (int32_t i = chain->first; i <= chain->last; i++) {
        const struct cconv_plan_value *v = &plan->values[i];

        if (v->local && !v->inner)
            kept = cconv_size_add(kept, (size_t)v->shape.dim[v->shape.ndim - 1]);
    }
    return kept;
}

/* Whole samples, and whole tiles where samples are small. */
static size_t choose_piece(const struct cconv_chain *chain, size_t kept, size_t sample)
{
    const size_t fit = PIECE_BYTES / sizeof(cconv_real) / CCONV_MAX(kept, 1);
    const size_t few = CCONV_MIN(fit, chain->pixels / LEAST_PIECES);

    if (few > chain->tile && chain->tile % sample == 0)
        return few / chain->tile * chain->tile;
    return CCONV_MAX(few / sample, 1) * sample;
}

static void keep(coordconv_plan *plan, struct cconv_chain *chain)
{
    for (int32_t i = chain->first; i <= chain->last; i++) {
        struct cconv_plan_value *v = &plan->values[i];

        if (!v->local || v->inner)
            continue;
        v->kept = 1;
        v->tile_offset = chain->kept;
        chain->kept += (size_t)v->shape.dim[v->shape.ndim - 1];
    }
}

void cconv_chain_join_loss(coordconv_plan *plan, struct cconv_chain *chain)
{
    if (!plan->training || chain->last_backward < 0 || !plan->nodes[plan->loss].backward ||
        plan->nodes[plan->loss].chain != 0 || !ends_in_loss(plan, chain) ||
        !targets_ready(plan, chain) || !can_run_again(plan, chain))
        return;
    const size_t sample = sample_pixels(plan, chain), kept = count_kept(plan, chain);
    const size_t piece = sample != 0 ? choose_piece(chain, kept, sample) : chain->pixels;
    const size_t pieces = (chain->pixels + piece - 1) / piece;

    if (cconv_size_mul(cconv_size_mul(piece, kept), sizeof(cconv_real)) > MOST_BYTES ||
        CCONV_MIN(pieces, chain->partials) < LEAST_PIECES)
        return;
    keep(plan, chain);
    chain->piece = piece;
    chain->partials = CCONV_MIN(pieces, chain->partials);
    chain->keepers = CCONV_MIN(cconv_plan_context(plan)->parallel.slots, chain->partials);
    chain->keep_elements = piece * kept;
    plan->loss_chain = (int32_t)(chain - plan->chains) + 1;
}
