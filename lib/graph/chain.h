/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chain.h - runs of pointwise operations, executed some pixels at a time.
 *
 * A chain is a stretch of the plan's nodes that are all pointwise (ops/pointwise.h)
 * over the same pixels. It is run tile by tile: a few hundred pixels go through
 * all of its nodes before the next ones begin, so that what one node leaves is
 * in the cache when the next one reads it. Values and gradients that nothing
 * outside the chain reads, nor its own backward pass, are never in memory at
 * all: they lie in buffers of one tile, one set a thread.
 *
 * Within a tile the nodes run in the plan's order, so every value comes out as
 * it would node by node. Gradients of parameters are summed over tiles dealt to
 * a number of partial sums that depends on shapes alone.
 *
 * In training, a chain that ends in the loss is joined with it where the loss is a
 * sum over samples (ops/loss.h): piece by piece, one or a few samples each, a task
 * goes forward, through the loss and backward before the next piece begins. What
 * only the chain's own backward pass reads then lies in memory of one piece, one a
 * thread, which stays in the last cache. A forward pass asked for by itself leaves
 * none of that, and the backward pass makes it again.
 */
#ifndef CCONV_GRAPH_CHAIN_H
#define CCONV_GRAPH_CHAIN_H

#include <coordconv/base.h>
#include <coordconv/plan.h>

struct cconv_chain {
    int32_t first, last;   /* nodes; those between that are inputs or unused take no part */
    int32_t last_backward; /* last with a backward pass, -1: none has */
    size_t pixels;
    size_t tile;     /* pixels of a tile; the last may have fewer */
    size_t tiles;    /* of all pixels */
    size_t products; /* a pixel, over which the reading of the next tile is spread */
    size_t partials;
    size_t partial_stride;                /* elements of a partial sum of all nodes */
    size_t scratch;                       /* bytes any node needs, before the buffers of a slot */
    size_t forward_slot, backward_slot;   /* bytes of a slot */
    size_t forward_bytes, backward_bytes; /* of all slots, and of the partial sums */
    /* Of a chain joined with the loss: */
    size_t piece;         /* pixels, whole samples; the last may have fewer. 0: it is not joined */
    size_t kept;          /* elements of a pixel that are kept for the way back */
    size_t keepers;       /* pieces that are kept at a time */
    size_t keep_elements; /* of each */
};

/* Find the chains and lay out their buffers. */
coordconv_status cconv_plan_find_chains(coordconv_plan *plan);

/* Join the chain with the loss if it can be; its tile and partial sums are known. */
void cconv_chain_join_loss(coordconv_plan *plan, struct cconv_chain *chain);

void cconv_chain_forward(coordconv_plan *plan, const struct cconv_chain *chain);
void cconv_chain_backward(coordconv_plan *plan, const struct cconv_chain *chain);

/* What is done with each piece of a chain joined with the loss, besides going forward. */
enum {
    CCONV_CHAIN_LOSS = 1, /* forward through the loss */
    CCONV_CHAIN_BACK = 2  /* backward through the loss and the chain */
};

/* The loss's run is set, and its labels are checked. */
void cconv_chain_run_joined(coordconv_plan *plan, const struct cconv_chain *chain, int what);

#endif /* CCONV_GRAPH_CHAIN_H */
