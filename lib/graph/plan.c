/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan.c - making, binding and asking a plan. Compiling is in compile.c, fuse.c,
 * grad.c and layout.c, running in exec.c.
 */
#include <string.h>

#include "base/checked.h"
#include "graph/compile.h"

static void *plan_alloc(const coordconv_plan *plan, size_t count, size_t size)
{
    return cconv_alloc(&cconv_plan_context(plan)->allocator, cconv_size_mul(count, size));
}

static void plan_free(const coordconv_plan *plan, void *memory, size_t count, size_t size)
{
    cconv_free(&cconv_plan_context(plan)->allocator, memory, count * size);
}

static size_t node_total(const coordconv_plan *plan)
{
    return (size_t)plan->node_count;
}

static size_t param_total(const coordconv_plan *plan)
{
    return node_total(plan) * CCONV_LAYER_MAX_TENSORS;
}

static void free_ports(coordconv_plan *plan, struct cconv_plan_port *ports, int32_t count)
{
    for (int32_t i = 0; ports != NULL && i < count; i++) {
        coordconv_tensor_unref(ports[i].bound);
        coordconv_tensor_unref(ports[i].staging);
        coordconv_tensor_unref(ports[i].written);
    }
    plan_free(plan, ports, (size_t)count, sizeof *ports);
}

static void free_parameters(coordconv_plan *plan)
{
    for (int32_t i = 0; plan->parameters != NULL && i < plan->parameter_count; i++) {
        char *name = plan->parameters[i].name;

        if (name != NULL)
            plan_free(plan, name, strlen(name) + 1, 1);
    }
    plan_free(plan, plan->parameters, plan->parameter_capacity, sizeof *plan->parameters);
}

static void free_layout(coordconv_plan *plan)
{
    plan_free(plan, plan->blocks, plan->block_count, sizeof *plan->blocks);
    plan_free(plan, plan->block_order, plan->block_count, sizeof *plan->block_order);
    plan->blocks = NULL;
    plan->block_order = NULL;
}

/* Free a plan at whatever stage of its making. */
static void destroy(coordconv_plan *plan)
{
    coordconv_model *model = plan->model;

    free_ports(plan, plan->inputs, plan->input_count);
    free_ports(plan, plan->outputs, plan->output_count);
    free_parameters(plan);
    free_layout(plan);
    plan_free(plan, plan->nodes, node_total(plan), sizeof *plan->nodes);
    plan_free(plan, plan->values, node_total(plan), sizeof *plan->values);
    plan_free(plan, plan->chains, node_total(plan), sizeof *plan->chains);
    plan_free(plan, plan->edge_shapes, plan->edge_count, sizeof *plan->edge_shapes);
    plan_free(plan, plan->edge_dtypes, plan->edge_count, sizeof *plan->edge_dtypes);
    plan_free(plan, plan->edge_x, plan->edge_count, sizeof *plan->edge_x);
    plan_free(plan, plan->edge_dx, plan->edge_count, sizeof *plan->edge_dx);
    plan_free(plan, plan->edge_sinks, plan->edge_count, sizeof *plan->edge_sinks);
    plan_free(plan, plan->param_pointers, param_total(plan), sizeof *plan->param_pointers);
    plan_free(plan, plan->param_sinks, param_total(plan), sizeof *plan->param_sinks);
    coordconv_tensor_unref(plan->arena);
    cconv_plan_free_frames(plan);
    plan_free(plan, plan, 1, sizeof *plan);
    coordconv_model_unref(model);
}

static coordconv_status allocate(coordconv_plan *plan)
{
    plan->parameter_capacity = (size_t)plan->model->layer_count * CCONV_LAYER_MAX_TENSORS;
    plan->block_count = cconv_plan_block_count(node_total(plan), plan->edge_count);
    plan->nodes = plan_alloc(plan, node_total(plan), sizeof *plan->nodes);
    plan->values = plan_alloc(plan, node_total(plan), sizeof *plan->values);
    plan->chains = plan_alloc(plan, node_total(plan), sizeof *plan->chains);
    plan->inputs = plan_alloc(plan, (size_t)plan->input_count, sizeof *plan->inputs);
    plan->outputs = plan_alloc(plan, (size_t)plan->output_count, sizeof *plan->outputs);
    plan->parameters = plan_alloc(plan, plan->parameter_capacity, sizeof *plan->parameters);
    plan->edge_shapes = plan_alloc(plan, plan->edge_count, sizeof *plan->edge_shapes);
    plan->edge_dtypes = plan_alloc(plan, plan->edge_count, sizeof *plan->edge_dtypes);
    plan->edge_x = plan_alloc(plan, plan->edge_count, sizeof *plan->edge_x);
    plan->edge_dx = plan_alloc(plan, plan->edge_count, sizeof *plan->edge_dx);
    plan->edge_sinks = plan_alloc(plan, plan->edge_count, sizeof *plan->edge_sinks);
    plan->param_pointers = plan_alloc(plan, param_total(plan), sizeof *plan->param_pointers);
    plan->param_sinks = plan_alloc(plan, param_total(plan), sizeof *plan->param_sinks);
    plan->blocks = plan_alloc(plan, plan->block_count, sizeof *plan->blocks);
    plan->block_order = plan_alloc(plan, plan->block_count, sizeof *plan->block_order);
    if (plan->nodes == NULL || plan->values == NULL || plan->chains == NULL ||
        plan->inputs == NULL || plan->outputs == NULL || plan->parameters == NULL ||
        plan->edge_shapes == NULL || plan->edge_dtypes == NULL || plan->edge_x == NULL ||
        plan->edge_dx == NULL || plan->edge_sinks == NULL || plan->param_pointers == NULL ||
        plan->param_sinks == NULL || plan->blocks == NULL || plan->block_order == NULL)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOMEM,
                          "plan: out of memory");
    return COORDCONV_OK;
}

/* An empty plan with all its tables. */
static coordconv_status make(coordconv_model *model, int32_t output_count, coordconv_plan **out)
{
    coordconv_plan *plan = cconv_alloc(&model->context->allocator, sizeof *plan);
    coordconv_status st;

    if (plan == NULL)
        return cconv_fail(&model->context->log, COORDCONV_ERR_NOMEM, "plan: out of memory");
    atomic_init(&plan->references, 1);
    plan->model = coordconv_model_ref(model);
    plan->node_count = model->node_count;
    plan->output_count = output_count;
    plan->loss = COORDCONV_NO_VALUE;
    for (int32_t i = 0; i < model->node_count; i++) {
        plan->edge_count += (size_t)model->nodes[i].input_count;
        plan->input_count += model->nodes[i].op == NULL;
    }
    if ((st = allocate(plan)) != COORDCONV_OK) {
        destroy(plan);
        return st;
    }
    *out = plan;
    return COORDCONV_OK;
}

static const struct cconv_model_output *find_output(const coordconv_model *model, const char *name)
{
    for (int32_t i = 0; i < model->output_count; i++) {
        if (strcmp(model->outputs[i].name, name) == 0)
            return &model->outputs[i];
    }
    return NULL;
}

/* The names of desc->outputs have been checked. */
static void name_ports(coordconv_plan *plan, const coordconv_plan_desc *desc)
{
    int32_t input = 0;

    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_node *node = cconv_plan_source(plan, i);

        if (node->op == NULL)
            plan->inputs[input++] = (struct cconv_plan_port){ .name = node->name, .value = i };
    }
    for (int32_t i = 0; i < plan->output_count; i++) {
        const struct cconv_model_output *output = desc->output_count > 0
                                                      ? find_output(plan->model, desc->outputs[i])
                                                      : &plan->model->outputs[i];

        plan->outputs[i] = (struct cconv_plan_port){ .name = output->name, .value = output->value };
    }
}

static struct cconv_plan_port *find_port(struct cconv_plan_port *ports, int32_t count,
                                         const char *name)
{
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(ports[i].name, name) == 0)
            return &ports[i];
    }
    return NULL;
}

struct cconv_plan_port *cconv_plan_input(const coordconv_plan *plan, const char *name)
{
    return find_port(plan->inputs, plan->input_count, name);
}

static coordconv_status find_loss(coordconv_plan *plan, const coordconv_plan_desc *desc)
{
    const char *name = desc->loss != NULL ? desc->loss : "loss";
    const struct cconv_model_output *output = find_output(plan->model, name);

    if (output == NULL)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOT_FOUND,
                          "plan: the model has no output \"%s\" to train on", name);
    plan->loss = output->value;
    return COORDCONV_OK;
}

static coordconv_status check_loss(const coordconv_plan *plan)
{
    const struct cconv_plan_value *loss = &plan->values[plan->loss];
    struct cconv_shape_text text;

    if (cconv_shape_count(&loss->shape) == 1 && loss->dtype == CCONV_REAL_DTYPE)
        return COORDCONV_OK;
    return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_SHAPE,
                      "plan: the loss has shape %s, expected one float",
                      cconv_shape_print(&loss->shape, &text));
}

/* Every name is that of an output, and none is given twice. */
static coordconv_status check_outputs(const coordconv_model *model, const coordconv_plan_desc *d)
{
    const struct cconv_log *log = &model->context->log;

    if (d->output_count > 0 && d->outputs == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "plan: outputs is NULL, output_count %d",
                          d->output_count);
    for (int32_t i = 0; i < d->output_count; i++) {
        if (d->outputs[i] == NULL)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "plan: outputs[%d] is NULL", i);
        if (find_output(model, d->outputs[i]) == NULL)
            return cconv_fail(log, COORDCONV_ERR_NOT_FOUND, "plan: the model has no output \"%s\"",
                              d->outputs[i]);
        for (int32_t k = 0; k < i; k++) {
            if (strcmp(d->outputs[k], d->outputs[i]) == 0)
                return cconv_fail(log, COORDCONV_ERR_INVALID, "plan: output \"%s\" is named twice",
                                  d->outputs[i]);
        }
    }
    return COORDCONV_OK;
}

static coordconv_status read_desc(const coordconv_model *model, const coordconv_plan_desc *desc,
                                  coordconv_plan_desc *d)
{
    const struct cconv_log *log = &model->context->log;
    coordconv_status st = COORDCONV_OK;

    *d = (coordconv_plan_desc){ .struct_size = sizeof *d };
    if (desc != NULL)
        st = cconv_desc_read(log, "plan", desc, CCONV_DESC_END(coordconv_plan_desc, arena_bytes),
                             sizeof *d, d);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "mode", d->mode, COORDCONV_INFERENCE,
                               COORDCONV_TRAINING);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "batch", d->batch, 0, INT32_MAX);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "input_gradients", d->input_gradients, 0, 1);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "input_count", d->input_count, 0, INT32_MAX);
    if (st == COORDCONV_OK && d->input_count > 0 && d->inputs == NULL)
        st = cconv_fail(log, COORDCONV_ERR_INVALID, "plan: inputs is NULL, input_count %d",
                        d->input_count);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "output_count", d->output_count, 0, INT32_MAX);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, "plan", "reserved", d->reserved, 0, 0);
    return st;
}

/* Everything but the memory of the arena. */
static coordconv_status compile(coordconv_model *model, const coordconv_plan_desc *desc,
                                int no_chains, coordconv_plan **out)
{
    coordconv_plan *plan = NULL;
    coordconv_status st = coordconv_model_status(model);

    if (st != COORDCONV_OK)
        return st;
    if (model->output_count == 0)
        return cconv_fail(&model->context->log, COORDCONV_ERR_STATE,
                          "plan: the model has no outputs");
    if ((st = check_outputs(model, desc)) != COORDCONV_OK ||
        (st = make(model, desc->output_count > 0 ? desc->output_count : model->output_count,
                   &plan)) != COORDCONV_OK)
        return st;
    plan->no_chains = no_chains;
    plan->training = desc->mode == COORDCONV_TRAINING;
    plan->input_gradients = plan->training && desc->input_gradients;
    name_ports(plan, desc);
    if (plan->training)
        st = find_loss(plan, desc);
    if (st == COORDCONV_OK && (st = cconv_plan_shapes(plan, desc)) == COORDCONV_OK)
        cconv_plan_fuse(plan);
    if (st == COORDCONV_OK && plan->training && (st = check_loss(plan)) == COORDCONV_OK)
        st = cconv_plan_differentiate(plan);
    if (st == COORDCONV_OK && !plan->no_chains)
        st = cconv_plan_find_chains(plan);
    if (st == COORDCONV_OK)
        st = cconv_plan_layout(plan);
    if (st != COORDCONV_OK) {
        destroy(plan);
        return st;
    }
    *out = plan;
    return COORDCONV_OK;
}

/* Get the arena, or take the caller's, and clear it. */
static coordconv_status take_arena(coordconv_plan *plan, const coordconv_plan_desc *desc)
{
    coordconv_context *context = cconv_plan_context(plan);
    const int64_t shape[2] = { (int64_t)(plan->arena_bytes / CCONV_ALIGN), CCONV_ALIGN };
    coordconv_status st;

    if (desc->arena == NULL) {
        st = coordconv_tensor_new(context, COORDCONV_U8, 2, shape, &plan->arena);
    } else if (desc->arena_bytes < plan->arena_bytes || (uintptr_t)desc->arena % CCONV_ALIGN != 0) {
        return cconv_fail(&context->log, COORDCONV_ERR_INVALID,
                          "plan: arena of %zu bytes at %p, needs %zu bytes aligned to %d",
                          desc->arena_bytes, desc->arena, plan->arena_bytes, CCONV_ALIGN);
    } else {
        st = coordconv_tensor_wrap(context, COORDCONV_U8, 2, shape, NULL, desc->arena, NULL, NULL,
                                   &plan->arena);
        memset(desc->arena, 0, plan->arena_bytes);
    }
    if (st == COORDCONV_OK)
        cconv_plan_place(plan, plan->arena->data);
    return st;
}

coordconv_status cconv_plan_make(coordconv_model *model, const coordconv_plan_desc *desc,
                                 int no_chains, coordconv_plan **out)
{
    coordconv_plan_desc d;
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if (model == NULL || out == NULL)
        return cconv_fail(model != NULL ? &model->context->log : NULL, COORDCONV_ERR_INVALID,
                          "plan_new: %s is NULL", model == NULL ? "model" : "out");
    if ((st = read_desc(model, desc, &d)) != COORDCONV_OK ||
        (st = compile(model, &d, no_chains, &plan)) != COORDCONV_OK)
        return st;
    if ((st = take_arena(plan, &d)) != COORDCONV_OK) {
        destroy(plan);
        return st;
    }
    free_layout(plan);
    *out = plan;
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_new(coordconv_model *model, const coordconv_plan_desc *desc,
                                    coordconv_plan **out)
{
    return cconv_plan_make(model, desc, 0, out);
}

/* Sizes of a plan that is made for this question only. */
static coordconv_status ask_sizes(const char *call, coordconv_model *model,
                                  const coordconv_plan_desc *desc, const size_t *bytes,
                                  size_t *arena, size_t *packed)
{
    coordconv_plan_desc d;
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if (model == NULL || bytes == NULL)
        return cconv_fail(model != NULL ? &model->context->log : NULL, COORDCONV_ERR_INVALID,
                          "%s: %s is NULL", call, model == NULL ? "model" : "bytes");
    if ((st = read_desc(model, desc, &d)) != COORDCONV_OK ||
        (st = compile(model, &d, 0, &plan)) != COORDCONV_OK)
        return st;
    *arena = plan->arena_bytes;
    *packed = plan->packed_bytes;
    destroy(plan);
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_arena_size(coordconv_model *model, const coordconv_plan_desc *desc,
                                           size_t *bytes)
{
    size_t arena = 0, packed = 0;
    const coordconv_status st = ask_sizes("plan_arena_size", model, desc, bytes, &arena, &packed);

    if (st == COORDCONV_OK)
        *bytes = arena;
    return st;
}

coordconv_status coordconv_plan_packed_size(coordconv_model *model, const coordconv_plan_desc *desc,
                                            size_t *bytes)
{
    size_t arena = 0, packed = 0;
    const coordconv_status st = ask_sizes("plan_packed_size", model, desc, bytes, &arena, &packed);

    if (st == COORDCONV_OK)
        *bytes = packed;
    return st;
}

coordconv_plan *coordconv_plan_ref(coordconv_plan *plan)
{
    if (plan != NULL)
        atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
    return plan;
}

void coordconv_plan_unref(coordconv_plan *plan)
{
    if (plan != NULL && atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) == 1)
        destroy(plan);
}

/* The two arguments every question by name has. */
static coordconv_status check_named(const coordconv_plan *plan, const char *call, const void *a,
                                    const char *what)
{
    if (plan != NULL && a != NULL)
        return COORDCONV_OK;
    return cconv_fail(plan != NULL ? &cconv_plan_context(plan)->log : NULL, COORDCONV_ERR_INVALID,
                      "%s: %s is NULL", call, plan == NULL ? "plan" : what);
}

static coordconv_status no_port(const coordconv_plan *plan, const char *call, const char *kind,
                                const char *name)
{
    return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOT_FOUND,
                      "%s: the plan has no %s \"%s\"", call, kind, name);
}

int cconv_plan_readable(const coordconv_plan *plan, const struct cconv_plan_port *port,
                        const coordconv_tensor *tensor)
{
    return tensor->dtype == plan->values[port->value].dtype && cconv_tensor_is_row_major(tensor);
}

static coordconv_status stage_input(coordconv_plan *plan, struct cconv_plan_port *port,
                                    const coordconv_tensor *tensor)
{
    const struct cconv_plan_value *v = &plan->values[port->value];

    if (port->staging != NULL || cconv_plan_readable(plan, port, tensor))
        return COORDCONV_OK;
    return coordconv_tensor_new(cconv_plan_context(plan), v->dtype, v->shape.ndim, v->shape.dim,
                                &port->staging);
}

/* Memory of the arena moves under a run. In training an output is written before
 * the backward pass reads the inputs, so it must not lie over one that is read in
 * place. */
static coordconv_status check_overlap(const coordconv_plan *plan,
                                      const struct cconv_plan_port *port, int is_input,
                                      const coordconv_tensor *tensor)
{
    const struct cconv_plan_port *others = is_input ? plan->outputs : plan->inputs;
    int32_t count = is_input ? plan->output_count : plan->input_count;

    if (cconv_tensor_overlap(tensor, plan->arena))
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_INVALID,
                          "plan_bind: the tensor for \"%s\" lies in the plan's own arena",
                          port->name);
    if (!is_input && cconv_tensor_overlaps_itself(tensor))
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_INVALID,
                          "plan_bind: elements of the tensor for \"%s\" share their places",
                          port->name);
    if (!plan->training || (is_input && !cconv_plan_readable(plan, port, tensor)))
        count = 0;
    for (int32_t i = 0; i < count; i++) {
        if (others[i].bound != NULL && (is_input || !others[i].staged) &&
            cconv_tensor_overlap(tensor, others[i].bound))
            return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_INVALID,
                              "plan_bind: the tensors for \"%s\" and \"%s\" overlap", port->name,
                              others[i].name);
    }
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_bind(coordconv_plan *plan, const char *name,
                                     coordconv_tensor *tensor)
{
    struct cconv_plan_port *port;
    struct cconv_shape_text have, want;
    int is_input = 1;
    coordconv_status st = check_named(plan, "plan_bind", name, "name");

    if (st != COORDCONV_OK)
        return st;
    if ((port = find_port(plan->inputs, plan->input_count, name)) == NULL) {
        is_input = 0;
        port = find_port(plan->outputs, plan->output_count, name);
    }
    if (port == NULL)
        return no_port(plan, "plan_bind", "input or output", name);
    if (is_input && !plan->nodes[port->value].used)
        tensor = NULL;
    if (tensor != NULL && !cconv_shape_equal(&tensor->shape, &plan->values[port->value].shape))
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_SHAPE,
                          "plan_bind: \"%s\" has shape %s, the tensor %s", name,
                          cconv_shape_print(&plan->values[port->value].shape, &want),
                          cconv_shape_print(&tensor->shape, &have));
    if (tensor != NULL && is_input && (st = stage_input(plan, port, tensor)) != COORDCONV_OK)
        return st;
    if (tensor != NULL && (st = check_overlap(plan, port, is_input, tensor)) != COORDCONV_OK)
        return st;
    port->staged = is_input && tensor != NULL && !cconv_plan_readable(plan, port, tensor);
    plan->bindings_new = 1;
    if (is_input) /* what a backward pass would read is no longer there */
        plan->forward_done = 0;
    coordconv_tensor_ref(tensor);
    coordconv_tensor_unref(port->bound);
    port->bound = tensor;
    return COORDCONV_OK;
}

static void release_owner(void *user, void *data)
{
    (void)data;
    coordconv_tensor_unref(user);
}

coordconv_status cconv_plan_view(const coordconv_plan *plan, int32_t dtype,
                                 const struct cconv_shape *shape, coordconv_tensor *owner,
                                 void *data, coordconv_tensor **out)
{
    coordconv_status st =
        coordconv_tensor_wrap(cconv_plan_context(plan), dtype, shape->ndim, shape->dim, NULL, data,
                              release_owner, coordconv_tensor_ref(owner), out);

    if (st != COORDCONV_OK)
        coordconv_tensor_unref(owner);
    return st;
}

static coordconv_status view(const coordconv_plan *plan, const struct cconv_plan_value *v,
                             coordconv_tensor *owner, void *data, coordconv_tensor **out)
{
    return cconv_plan_view(plan, v->dtype, &v->shape, owner, data, out);
}

coordconv_status coordconv_plan_output(coordconv_plan *plan, const char *name,
                                       coordconv_tensor **out)
{
    const struct cconv_plan_port *port, *input = NULL;
    const struct cconv_plan_value *v;
    coordconv_status st;

    if ((st = check_named(plan, "plan_output", name, "name")) != COORDCONV_OK ||
        (st = check_named(plan, "plan_output", out, "out")) != COORDCONV_OK)
        return st;
    if ((port = find_port(plan->outputs, plan->output_count, name)) == NULL)
        return no_port(plan, "plan_output", "output", name);
    v = &plan->values[port->value];
    for (int32_t i = 0; i < plan->input_count; i++) {
        if (plan->inputs[i].value == v->root)
            input = &plan->inputs[i];
    }
    if (port->written != NULL)
        return view(plan, v, port->written, port->written->data, out);
    if (input == NULL)
        return view(plan, v, plan->arena, plan->values[v->root].home, out);
    if (input->bound == NULL) /* an output that is an input under another name */
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_STATE,
                          "plan_output: input \"%s\" is not bound", input->name);
    if (input->staged)
        return view(plan, v, input->staging, input->staging->data, out);
    return view(plan, v, input->bound, input->bound->data, out);
}

coordconv_status coordconv_plan_input_gradient(coordconv_plan *plan, const char *name,
                                               coordconv_tensor **out)
{
    const struct cconv_plan_port *port;
    const struct cconv_plan_value *v;
    coordconv_status st;

    if ((st = check_named(plan, "plan_input_gradient", name, "name")) != COORDCONV_OK ||
        (st = check_named(plan, "plan_input_gradient", out, "out")) != COORDCONV_OK)
        return st;
    if (!plan->input_gradients)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_STATE,
                          "plan_input_gradient: the plan was made without input_gradients");
    if ((port = find_port(plan->inputs, plan->input_count, name)) == NULL)
        return no_port(plan, "plan_input_gradient", "input", name);
    v = &plan->values[port->value];
    if (v->gradient == NULL)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_NOT_FOUND,
                          "plan_input_gradient: input \"%s\" holds integers", name);
    return view(plan, v, plan->arena, v->gradient, out);
}
