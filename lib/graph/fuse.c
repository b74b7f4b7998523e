/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuse.c - which values lie in the memory of another, and which operations are
 * done by the one before them: an activation and a residual sum as the sums of
 * a layer are stored, a batch norm at inference by other weights.
 *
 * Values that share memory form a group under one root, and follow each other
 * there: each is written over the one before. A reshape is its input under
 * another shape. An elementwise operation may overwrite an input that nobody
 * reads later, neither forward nor backward nor from outside.
 *
 * A fused operation goes further: its input never exists, so nobody else may
 * ever have read it.
 */
#include "graph/compile.h"

static struct cconv_plan_value *value_of(const coordconv_plan *plan, coordconv_value value)
{
    return &plan->values[value];
}

static struct cconv_plan_value *root_of(const coordconv_plan *plan, coordconv_value value)
{
    return value_of(plan, value_of(plan, value)->root);
}

/* 1 if the next operation may do away with x: one reader, which is inside the plan, and so for
 * all that lies between x and the operation that writes it. */
static int fusable(const coordconv_plan *plan, coordconv_value x)
{
    const struct cconv_plan_value *v = value_of(plan, x);

    return v->maker >= 0 && v->private_so_far && v->uses == 1 && !v->is_output &&
           !root_of(plan, x)->pinned;
}

/* Value i is what x becomes in its place. */
static void follow(coordconv_plan *plan, int32_t i, coordconv_value x)
{
    struct cconv_plan_value *v = value_of(plan, i), *root = root_of(plan, x);

    v->root = value_of(plan, x)->root;
    v->maker = value_of(plan, x)->maker;
    v->private_so_far = (uint8_t)fusable(plan, x);
    root->read_until = CCONV_MAX(root->read_until, v->last_use);
}

static void skip(coordconv_plan *plan, int32_t i, coordconv_value x)
{
    follow(plan, i, x);
    plan->nodes[i].skipped = 1;
}

/* The operation that writes x, if it can still take one with `flag` on. */
static struct cconv_plan_node *open_maker(const coordconv_plan *plan, coordconv_value x,
                                          uint32_t flag)
{
    struct cconv_plan_node *maker;

    if (!fusable(plan, x))
        return NULL;
    maker = &plan->nodes[value_of(plan, x)->maker];
    return (maker->app.op->flags & flag) != 0 && maker->app.act == CCONV_ACT_NONE ? maker : NULL;
}

/* The channels of a batch norm are those of the layer only if it reads the very output, not a
 * reshape of it. */
static int fuse_norm(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_node *maker;

    if (node->op != &cconv_op_batch_norm || plan->training)
        return 0;
    maker = open_maker(plan, node->inputs[0], CCONV_FUSES_NORM);
    if (maker == NULL || maker != &plan->nodes[node->inputs[0]])
        return 0;
    maker->norm = node->layer;
    skip(plan, i, node->inputs[0]);
    return 1;
}

static int fuse_activation(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const union cconv_attr *attr = plan->nodes[i].app.attr;
    struct cconv_plan_node *maker;

    if (node->op != &cconv_op_act ||
        (attr->act.kind != CCONV_ACT_RELU && attr->act.kind != CCONV_ACT_LEAKY))
        return 0;
    maker = open_maker(plan, node->inputs[0], CCONV_FUSES_ACT);
    if (maker == NULL)
        return 0;
    maker->app.act = (enum cconv_activation)attr->act.kind;
    maker->app.act_slope = attr->act.slope;
    skip(plan, i, node->inputs[0]);
    return 1;
}

/* 1 if node m may write what it adds, the sum of node i, over `other`: nobody reads the group
 * of `other` from m on but the sum, m's own inputs included. */
static int may_add_over(const coordconv_plan *plan, int32_t m, int32_t i, coordconv_value other)
{
    const struct cconv_plan_value *root = root_of(plan, other);

    if (root->pinned || root->read_until > i || root->bytes < value_of(plan, i)->bytes)
        return 0;
    for (int32_t j = m; j < i; j++) {
        const struct cconv_node *node = cconv_plan_source(plan, j);

        for (int32_t k = 0; plan->nodes[j].used && k < node->input_count; k++) {
            if (root_of(plan, node->inputs[k]) == root)
                return 0;
        }
    }
    return 1;
}

/* Let the values of m's group, none of which will exist but the last, lie in that of `other`. */
static void move_group(coordconv_plan *plan, int32_t m, int32_t i, coordconv_value other)
{
    const int32_t from = value_of(plan, m)->root;

    for (int32_t j = m; j <= i; j++) {
        if (value_of(plan, j)->root == from)
            value_of(plan, j)->root = value_of(plan, other)->root;
    }
    root_of(plan, i)->read_until = value_of(plan, i)->last_use;
}

/* A sum of x and a value that is there before x's maker runs is made by x's maker. */
static int fuse_add_to(coordconv_plan *plan, int32_t i, coordconv_value x, coordconv_value other)
{
    struct cconv_plan_node *maker = open_maker(plan, x, CCONV_FUSES_ADD);
    const int32_t m = value_of(plan, x)->maker;

    if (maker == NULL || maker->add != COORDCONV_NO_VALUE || value_of(plan, other)->maker >= m ||
        root_of(plan, other) == root_of(plan, x))
        return 0;
    maker->add = other;
    skip(plan, i, x);
    if (may_add_over(plan, m, i, other))
        move_group(plan, m, i, other);
    return 1;
}

static int fuse_add(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);

    return node->op == &cconv_op_add && (fuse_add_to(plan, i, node->inputs[0], node->inputs[1]) ||
                                         fuse_add_to(plan, i, node->inputs[1], node->inputs[0]));
}

/* 1 if node i may write over its input k. Another input that is the same memory is no
 * hindrance: each element is read before it is written. */
static int may_overwrite(const coordconv_plan *plan, int32_t i, int32_t k)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct cconv_plan_value *root = root_of(plan, node->inputs[k]);

    return !root->pinned && root->read_until <= i && root->bytes >= value_of(plan, i)->bytes;
}

static void overwrite(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const uint32_t flags[2] = { CCONV_IN_PLACE, CCONV_IN_PLACE_1 };

    for (int32_t k = 0; k < CCONV_MIN(node->input_count, 2); k++) {
        if ((node->op->flags & flags[k]) != 0 && may_overwrite(plan, i, k)) {
            value_of(plan, i)->root = value_of(plan, node->inputs[k])->root;
            root_of(plan, i)->read_until = value_of(plan, i)->last_use;
            return;
        }
    }
}

static void pin_inputs(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);

    for (int32_t k = 0; k < node->input_count; k++)
        root_of(plan, node->inputs[k])->pinned = 1;
}

static void fuse_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const uint32_t flags = node->op->flags;

    if (plan->training && (flags & CCONV_KEEPS_X) != 0)
        pin_inputs(plan, i);
    if ((flags & CCONV_ALIAS) != 0)
        follow(plan, i, node->inputs[0]);
    else if (!fuse_norm(plan, i) && !fuse_add(plan, i) && !fuse_activation(plan, i))
        overwrite(plan, i);
    if (value_of(plan, i)->is_output || (plan->training && (flags & CCONV_KEEPS_Y) != 0))
        root_of(plan, i)->pinned = 1;
}

void cconv_plan_fuse(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        struct cconv_plan_value *v = &plan->values[i];
        const int input = cconv_plan_source(plan, i)->op == NULL;

        v->maker = input ? -1 : i;
        v->pinned = (uint8_t)input;
        v->private_so_far = 1;
        v->read_until = v->last_use;
        plan->nodes[i].add = COORDCONV_NO_VALUE;
        if (plan->nodes[i].used && !input)
            fuse_node(plan, i);
    }
}
