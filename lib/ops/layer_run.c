/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layer_run.c - a layer by itself, forward and backward, without a model.
 *
 * One workspace holds, one behind the other, what a plan would keep apart:
 * packed weights, what forward saves for backward, an output nobody asked for
 * (backward of a batch norm needs a forward pass first), scratch.
 */
#include <string.h>

#include "base/checked.h"
#include "ops/layer.h"

struct layout {
    size_t packed, saved, y, scratch, total; /* offsets, and the end */
};

static void lay_out(const struct cconv_app *app, struct layout *l)
{
    struct cconv_space space = { 0 };
    const size_t y = cconv_size_mul(cconv_shape_count(&app->out), sizeof(cconv_real));

    if (app->op->space != NULL)
        app->op->space(app, &space);
    l->packed = 0;
    l->saved = cconv_size_align(space.packed);
    l->y = cconv_size_add(l->saved, cconv_size_align(space.saved));
    l->scratch = cconv_size_add(l->y, space.saved != 0 ? cconv_size_align(y) : 0);
    l->total = cconv_size_add(
        l->scratch, cconv_size_align(CCONV_MAX(space.forward, app->training ? space.backward : 0)));
}

/* Everything a call on one layer works with. */
struct call {
    struct cconv_app app;
    struct cconv_shape in;
    int32_t dtype;
    struct layout layout;
    char *memory;
    size_t allocated; /* bytes of memory that are ours, 0 if the caller's */
};

static coordconv_status call_shape(struct call *c, const coordconv_layer *layer, int32_t mode,
                                   const struct cconv_shape *in)
{
    const struct cconv_log *log = &layer->context->log;
    coordconv_status st;

    if (mode != COORDCONV_INFERENCE && mode != COORDCONV_TRAINING)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: mode %d", layer->op->name, mode);
    c->in = *in;
    c->dtype = CCONV_REAL_DTYPE;
    c->app = (struct cconv_app){ .op = layer->op,
                                 .context = layer->context,
                                 .attr = &layer->attr,
                                 .layer = (coordconv_layer *)(uintptr_t)layer,
                                 .input_count = 1,
                                 .in = &c->in,
                                 .in_dtype = &c->dtype,
                                 .training = mode == COORDCONV_TRAINING };
    if ((st = layer->op->infer(&c->app)) != COORDCONV_OK)
        return st;
    lay_out(&c->app, &c->layout);
    if (c->layout.total >= PTRDIFF_MAX)
        return cconv_fail(log, COORDCONV_ERR_SHAPE, "%s: an input this large cannot be addressed",
                          layer->op->name);
    return COORDCONV_OK;
}

static coordconv_status call_memory(struct call *c, void *workspace, size_t bytes)
{
    const struct cconv_log *log = &c->app.context->log;

    c->allocated = 0;
    if (workspace == NULL && bytes != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: workspace is NULL, but has %zu bytes",
                          c->app.op->name, bytes);
    if (workspace == NULL) {
        c->memory = cconv_alloc_raw(&c->app.context->allocator, c->layout.total);
        if (c->memory == NULL)
            return cconv_fail(log, COORDCONV_ERR_NOMEM, "%s: no memory for %zu bytes of workspace",
                              c->app.op->name, c->layout.total);
        c->allocated = c->layout.total;
        return COORDCONV_OK;
    }
    if (bytes < c->layout.total || (uintptr_t)workspace % CCONV_ALIGN != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "%s: workspace of %zu bytes at %p, needs %zu bytes aligned to %d",
                          c->app.op->name, bytes, workspace, c->layout.total, CCONV_ALIGN);
    c->memory = workspace;
    return COORDCONV_OK;
}

static void call_end(struct call *c)
{
    if (c->allocated != 0)
        cconv_free(&c->app.context->allocator, c->memory, c->allocated);
}

/* A tensor the kernels can work on directly, of the shape expected. */
static coordconv_status check_tensor(const struct call *c, const char *what,
                                     const coordconv_tensor *t, const struct cconv_shape *shape)
{
    const struct cconv_log *log = &c->app.context->log;
    const char *name = c->app.op->name;
    struct cconv_shape_text have, want;

    if (t == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s is NULL", name, what);
    if (t->dtype != CCONV_REAL_DTYPE)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "%s: %s has dtype %d, expected %d", name, what,
                          t->dtype, CCONV_REAL_DTYPE);
    if (!cconv_shape_equal(&t->shape, shape))
        return cconv_fail(log, COORDCONV_ERR_SHAPE, "%s: %s has shape %s, expected %s", name, what,
                          cconv_shape_print(&t->shape, &have), cconv_shape_print(shape, &want));
    if (!coordconv_tensor_is_contiguous(t))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s is not row-major", name, what);
    return COORDCONV_OK;
}

/* A tensor that is written must not share memory with one that is read. */
static coordconv_status check_apart(const struct call *c, const char *what,
                                    const coordconv_tensor *written, const char *other,
                                    const coordconv_tensor *read)
{
    if (written == NULL || !cconv_tensor_overlap(written, read))
        return COORDCONV_OK;
    return cconv_fail(&c->app.context->log, COORDCONV_ERR_INVALID, "%s: %s and %s overlap",
                      c->app.op->name, what, other);
}

static coordconv_status check_layer(const coordconv_layer *layer, const void *a, const char *what)
{
    if (layer == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "layer is NULL");
    if (a == NULL)
        return cconv_fail(&layer->context->log, COORDCONV_ERR_INVALID, "%s: %s is NULL",
                          layer->op->name, what);
    return COORDCONV_OK;
}

static coordconv_status shape_of(const coordconv_layer *layer, int32_t mode, int32_t ndim,
                                 const int64_t *shape, struct call *c)
{
    struct cconv_shape in;
    coordconv_status st =
        cconv_shape_read(&layer->context->log, layer->op->name, ndim, shape, 0, &in);

    return st == COORDCONV_OK ? call_shape(c, layer, mode, &in) : st;
}

coordconv_status coordconv_layer_output_shape(const coordconv_layer *layer, int32_t ndim,
                                              const int64_t *shape, int64_t *out_shape)
{
    struct call c;
    coordconv_status st;

    if ((st = check_layer(layer, shape, "shape")) != COORDCONV_OK ||
        (st = check_layer(layer, out_shape, "out_shape")) != COORDCONV_OK ||
        (st = shape_of(layer, COORDCONV_INFERENCE, ndim, shape, &c)) != COORDCONV_OK)
        return st;
    memcpy(out_shape, c.app.out.dim, (size_t)c.app.out.ndim * sizeof *out_shape);
    return COORDCONV_OK;
}

coordconv_status coordconv_layer_workspace(const coordconv_layer *layer, int32_t mode, int32_t ndim,
                                           const int64_t *shape, size_t *bytes)
{
    struct call c;
    coordconv_status st;

    if ((st = check_layer(layer, shape, "shape")) != COORDCONV_OK ||
        (st = check_layer(layer, bytes, "bytes")) != COORDCONV_OK ||
        (st = shape_of(layer, mode, ndim, shape, &c)) != COORDCONV_OK)
        return st;
    *bytes = CCONV_MAX(c.layout.total, CCONV_ALIGN);
    return COORDCONV_OK;
}

static void prepare(const struct call *c, const struct cconv_run *run)
{
    if (c->app.op->prepare != NULL)
        c->app.op->prepare(&c->app, run);
}

coordconv_status coordconv_layer_forward(const coordconv_layer *layer, int32_t mode,
                                         const coordconv_tensor *x, coordconv_tensor *y,
                                         void *workspace, size_t workspace_bytes)
{
    struct call c;
    coordconv_status st;

    if ((st = check_layer(layer, x, "x")) != COORDCONV_OK ||
        (st = call_shape(&c, layer, mode, &x->shape)) != COORDCONV_OK ||
        (st = check_tensor(&c, "x", x, &c.in)) != COORDCONV_OK ||
        (st = check_tensor(&c, "y", y, &c.app.out)) != COORDCONV_OK ||
        (st = check_apart(&c, "y", y, "x", x)) != COORDCONV_OK ||
        (st = call_memory(&c, workspace, workspace_bytes)) != COORDCONV_OK)
        return st;
    const void *const inputs[1] = { x->data };
    const struct cconv_run run = { .x = inputs,
                                   .y = cconv_tensor_reals(y),
                                   .packed = c.memory + c.layout.packed,
                                   .saved = c.memory + c.layout.saved,
                                   .scratch = c.memory + c.layout.scratch,
                                   .leave_out = CCONV_PASS_BACKWARD };
    prepare(&c, &run);
    st = layer->op->forward(&c.app, &run);
    if (st == COORDCONV_OK && c.app.training && layer->op->finish != NULL)
        layer->op->finish(&c.app, &run);
    call_end(&c);
    cconv_tensor_touch(y);
    return st;
}

/* Check dx and the gradients, and collect where the wanted ones lie. */
static coordconv_status check_gradients(const struct call *c, coordconv_tensor *dx,
                                        coordconv_tensor *const *gradients, cconv_real **dx_values,
                                        cconv_real **dparam)
{
    const coordconv_layer *layer = c->app.layer;
    coordconv_status st;

    *dx_values = dx != NULL ? cconv_tensor_reals(dx) : NULL;
    if (dx != NULL && (st = check_tensor(c, "dx", dx, &c->in)) != COORDCONV_OK)
        return st;
    for (int32_t i = 0; i < layer->trained; i++) {
        coordconv_tensor *g = gradients != NULL ? gradients[i] : NULL;

        dparam[i] = g != NULL ? cconv_tensor_reals(g) : NULL;
        if (g != NULL && (st = check_tensor(c, layer->tensors[i].name, g,
                                            &layer->tensors[i].tensor->shape)) != COORDCONV_OK)
            return st;
    }
    return COORDCONV_OK;
}

coordconv_status coordconv_layer_backward(const coordconv_layer *layer, const coordconv_tensor *x,
                                          const coordconv_tensor *dy, coordconv_tensor *dx,
                                          coordconv_tensor *const *gradients, void *workspace,
                                          size_t workspace_bytes)
{
    struct call c;
    cconv_real *dx_values, *dparam[CCONV_LAYER_MAX_TENSORS];
    coordconv_status st;

    if ((st = check_layer(layer, x, "x")) != COORDCONV_OK ||
        (st = call_shape(&c, layer, COORDCONV_TRAINING, &x->shape)) != COORDCONV_OK ||
        (st = check_tensor(&c, "x", x, &c.in)) != COORDCONV_OK ||
        (st = check_tensor(&c, "dy", dy, &c.app.out)) != COORDCONV_OK ||
        (st = check_gradients(&c, dx, gradients, &dx_values, dparam)) != COORDCONV_OK ||
        (st = check_apart(&c, "dx", dx, "x", x)) != COORDCONV_OK ||
        (st = check_apart(&c, "dx", dx, "dy", dy)) != COORDCONV_OK ||
        (st = call_memory(&c, workspace, workspace_bytes)) != COORDCONV_OK)
        return st;
    const void *const inputs[1] = { x->data };
    const int again = c.layout.y != c.layout.saved; /* backward reads what forward saved */
    const struct cconv_run run = { .x = inputs,
                                   .y = (cconv_real *)(void *)(c.memory + c.layout.y),
                                   .dy = cconv_tensor_reals(dy),
                                   .dx = &dx_values,
                                   .dparam = dparam,
                                   .packed = c.memory + c.layout.packed,
                                   .saved = c.memory + c.layout.saved,
                                   .scratch = c.memory + c.layout.scratch,
                                   .leave_out = (again ? 0 : CCONV_PASS_FORWARD) |
                                                (dx != NULL ? 0 : CCONV_PASS_BACKWARD) };
    prepare(&c, &run);
    if (again)
        layer->op->forward(&c.app, &run);
    layer->op->backward(&c.app, &run);
    call_end(&c);
    if (dx != NULL)
        cconv_tensor_touch(dx);
    for (int32_t i = 0; gradients != NULL && i < layer->trained; i++) {
        if (gradients[i] != NULL)
            cconv_tensor_touch(gradients[i]);
    }
    return COORDCONV_OK;
}
