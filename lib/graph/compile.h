/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compile.h - what a plan is made of; shared by the files that make and run one.
 *
 * Order of making: shapes (compile.c), which values share memory (fuse.c), who
 * needs gradients (grad.c), what is done tile by tile (chain.c), lifetimes and
 * the arena (layout.c). Node i of the plan is node i of the model, and so is
 * value i.
 */
#ifndef CCONV_GRAPH_COMPILE_H
#define CCONV_GRAPH_COMPILE_H

#include "graph/chain.h"
#include "graph/memplan.h"
#include "graph/plan.h"
#include "ops/pointwise.h"

/* A value: the output of the node of the same number, or an input. */
struct cconv_plan_value {
    struct cconv_shape shape;
    int32_t dtype;
    size_t bytes;
    int32_t root;       /* value in whose memory this one lies; itself as a rule */
    int32_t grad_root;  /* likewise for its gradient */
    int32_t uses;       /* inputs of nodes of this plan that read it */
    int32_t grad_uses;  /* of these, the ones that send a gradient back */
    int32_t last_use;   /* the last node that reads it */
    int32_t maker;      /* the node that writes it, not later than its own; -1: the caller */
    int32_t read_until; /* of a root, while fusing: the last node that reads what it now holds */
    uint8_t is_output;
    uint8_t wants_gradient;
    uint8_t gradient_begun; /* while laying out: a node nearer to the loss writes its gradient */
    uint8_t placed;     /* some of its images are not the whole: plan->places says where they lie */
    uint8_t lost;       /* an input's frame has no meaning here */
    uint8_t everywhere; /* each image is the same all over, so it lies wherever one wants */
    uint8_t private_so_far; /* nobody reads what the maker's output was before it became this */
    uint8_t pinned;         /* of a root: what it now holds must not be written over */
    uint8_t inner; /* of a root: nothing in the arena, a buffer of a chain's tile or none */
    uint8_t local; /* of a root: nothing but a chain, forward or backward, reads or writes it */
    uint8_t kept;  /* of a root: lies with what a chain joined with the loss keeps of a piece */
    uint8_t grad_inner; /* likewise its gradient, of a gradient's root */
    size_t tile_offset; /* of that buffer in a slot; of one that is kept, elements of a pixel that
                         * are kept before it */
    size_t grad_tile_offset;
    void *data;                /* of a root: where it lies in this run */
    void *home;                /* its place in the arena; NULL of an input */
    coordconv_tensor *outside; /* the bound output it lies in instead, borrowed; NULL: at home */
    cconv_real *gradient;
};

/* Where a gradient goes when backward writes it: straight to its place, or,
 * where something is there already, to scratch, to be added. */
struct cconv_plan_sink {
    cconv_real *target; /* what the op is told to write; NULL: not wanted */
    cconv_real *add_to; /* if not NULL, target is added to this afterwards */
    size_t count;
    uint8_t in_tile;    /* of a chain: target is a buffer of a tile, to be added */
    size_t tile_offset; /* of that buffer in a slot */
};

struct cconv_plan_node {
    struct cconv_app app;
    union cconv_attr attr; /* of the model's node, which may move when the model grows */
    uint8_t used;          /* some output depends on it */
    uint8_t backward;      /* takes part in the backward pass */
    uint8_t skipped;       /* forward is done by the maker of its value, or by the reader of its
                            * output (a vector that is spread) */
    uint8_t spread;        /* reads the vector before the node that repeats it, not its output */
    int32_t chain;         /* 1 + number of the chain it is in; 0: in none */
    size_t partial;        /* element of the chain's partial sums where its own begin */
    struct cconv_pointwise_state pointwise; /* during a run of the chain */
    uint8_t packed_once;
    uint8_t placed;          /* packed may hold coordinates of another place than the whole */
    uint64_t packed_version; /* of the parameters in packed */
    coordconv_value add;     /* value added as the output is stored; COORDCONV_NO_VALUE: none */
    coordconv_layer *norm;   /* batch norm folded into the weights, borrowed; NULL: none */
    cconv_real *folded;      /* with norm: app.scale, then app.bias */
    struct cconv_space space;
    struct cconv_run run;
    void *forward_scratch, *backward_scratch; /* run.scratch is one of them */
    const void **x;                           /* run.x */
    cconv_real **dx;                          /* run.dx */
    cconv_real **dparam;                      /* run.dparam; CCONV_LAYER_MAX_TENSORS */
    struct cconv_plan_sink *sink_x, *sink_param;
    int32_t parameter; /* first of the layer's in plan->parameters */
};

/* An input or output as the caller sees it. */
struct cconv_plan_port {
    const char *name; /* the model's */
    coordconv_value value;
    coordconv_tensor *bound;   /* reference held; NULL: not bound */
    coordconv_tensor *staging; /* of an input that had to be converted; may wait for the next */
    int staged;                /* what is bound now is converted into it */
    coordconv_tensor *written; /* of an output: reference to the bound tensor that the last run
                                * computed its value in; NULL: it lies in the arena */
};

struct coordconv_plan {
    atomic_int references;
    coordconv_model *model; /* reference held */
    int32_t training;
    int32_t input_gradients;
    coordconv_value loss; /* COORDCONV_NO_VALUE in inference */
    int32_t node_count;
    struct cconv_plan_node *nodes;
    struct cconv_plan_value *values;
    struct cconv_plan_port *inputs, *outputs;
    int32_t input_count, output_count;
    struct cconv_plan_parameter *parameters;
    int32_t parameter_count;
    size_t parameter_capacity; /* the model may gain layers later */
    size_t gradient_count;     /* elements of the flat gradient buffer */
    cconv_real *gradients;
    char *prepare_scratch;      /* of an operation */
    struct cconv_chain *chains; /* [node_count] */
    int32_t chain_count;
    int32_t loss_chain;              /* 1 + number of the chain joined with the loss; 0: none is */
    int32_t no_chains;               /* every node by itself */
    size_t edge_count;               /* inputs of all nodes */
    struct cconv_shape *edge_shapes; /* [edge_count], node after node; the rest alike */
    int32_t *edge_dtypes;
    const void **edge_x;
    cconv_real **edge_dx;
    struct cconv_plan_sink *edge_sinks;
    cconv_real **param_pointers;         /* [node_count * CCONV_LAYER_MAX_TENSORS] */
    struct cconv_plan_sink *param_sinks; /* likewise */
    struct cconv_block_life *blocks;     /* everything in the arena; see layout.c */
    size_t *block_order;                 /* room for the planner */
    size_t block_count;
    coordconv_tensor *arena; /* bytes, reference held; its memory is ours or the caller's */
    size_t arena_bytes;
    size_t packed_bytes; /* of these, weights as the kernels want them */
    int32_t forward_done, backward_done;
    int32_t may_fail;           /* some operation may fail on its data */
    int32_t bindings_new;       /* something was bound since the outputs were last placed */
    struct cconv_place *places; /* [node_count][place_batch] of values; NULL: never a frame set */
    size_t place_batch;
    int32_t frames_new; /* frames were set since they last went through the graph */
};

static inline const struct cconv_node *cconv_plan_source(const coordconv_plan *plan, int32_t i)
{
    return &plan->model->nodes[i];
}

static inline coordconv_context *cconv_plan_context(const coordconv_plan *plan)
{
    return plan->model->context;
}

/* 1 if node i takes part in the forward pass at all. */
static inline int cconv_plan_computes(const coordconv_plan *plan, int32_t i)
{
    return plan->nodes[i].used && cconv_plan_source(plan, i)->op != NULL;
}

/* The value input k of node i is read from. */
static inline coordconv_value cconv_plan_reads(const coordconv_plan *plan, int32_t i, int32_t k)
{
    const coordconv_value x = cconv_plan_source(plan, i)->inputs[k];

    return k == 0 && plan->nodes[i].spread ? cconv_plan_source(plan, x)->inputs[0] : x;
}

/* Where the images of a value lie, one for each of its batch. */
static inline struct cconv_place *cconv_plan_places(const coordconv_plan *plan,
                                                    coordconv_value value)
{
    return plan->places + (size_t)value * plan->place_batch;
}

/* Where a value that is not inner lies: values in the memory of an input move with it. */
static inline void *cconv_plan_data(const coordconv_plan *plan, coordconv_value value)
{
    return plan->values[plan->values[value].root].data;
}

/* The chain that node i is in; NULL: none. */
static inline const struct cconv_chain *cconv_plan_chain(const coordconv_plan *plan, int32_t i)
{
    return plan->nodes[i].chain != 0 ? &plan->chains[plan->nodes[i].chain - 1] : NULL;
}

/* The chain joined with the loss; NULL: none is. */
static inline const struct cconv_chain *cconv_plan_joined(const coordconv_plan *plan)
{
    return plan->loss_chain != 0 ? &plan->chains[plan->loss_chain - 1] : NULL;
}

/* 1 if node i sends a gradient back to its input k. */
int cconv_plan_sends_gradient(const coordconv_plan *plan, int32_t i, int32_t k);

/* Most inputs of a node in a chain. */
#define CCONV_CHAIN_INPUTS 2

/* The steps of compiling; each needs the ones before. */
coordconv_status cconv_plan_shapes(coordconv_plan *plan, const coordconv_plan_desc *desc);
void cconv_plan_fuse(coordconv_plan *plan);
coordconv_status cconv_plan_differentiate(coordconv_plan *plan);
coordconv_status cconv_plan_layout(coordconv_plan *plan); /* sets arena_bytes and all offsets */
void cconv_plan_place(coordconv_plan *plan, char *arena); /* offsets become pointers */

/* 1 if the plan reads or writes this tensor where it is: the port's type, row-major. */
int cconv_plan_readable(const coordconv_plan *plan, const struct cconv_plan_port *port,
                        const coordconv_tensor *tensor);

/* Before a run: let outputs be computed in the tensors bound to them where that makes no
 * difference but a copy less. */
void cconv_plan_place_outputs(coordconv_plan *plan);

/* Frames of inputs through the graph, to the nodes' run.places; fails where one has no meaning. */
coordconv_status cconv_plan_resolve_frames(coordconv_plan *plan);
void cconv_plan_free_frames(coordconv_plan *plan);

/* The input of this name, NULL if there is none. */
struct cconv_plan_port *cconv_plan_input(const coordconv_plan *plan, const char *name);

/* A row-major tensor over memory that `owner` keeps alive. */
coordconv_status cconv_plan_view(const coordconv_plan *plan, int32_t dtype,
                                 const struct cconv_shape *shape, coordconv_tensor *owner,
                                 void *data, coordconv_tensor **out);

/* Blocks that layout needs for a graph of so many nodes and edges. */
size_t cconv_plan_block_count(size_t nodes, size_t edges);

#endif /* CCONV_GRAPH_COMPILE_H */
