/* SPDX-License-Identifier: BSD-2-Clause
 *
 * optimizer.c - an optimizer over chosen parameters of a training plan.
 *
 * A step is two passes over fixed chunks of the parameters: the first sums the
 * squares of the gradients, which gives the norm and finds every NaN before
 * anything has changed; the second updates. Chunks depend on shapes alone and
 * sums are made in their order, so the bits do not depend on the threads.
 *
 * State belongs to a tensor of a layer, not to a place in the plan, which is
 * how an optimizer moves from plan to plan.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "graph/plan.h"
#include "train/settings.h"
#include "train/update.h"

#define MAX_SLOTS 2
#define CHUNK     16384 /* elements */

/* Below this many elements waking the threads costs more than they save. */
#define PARALLEL_LEAST 65536

struct trained {
    coordconv_layer *layer; /* kept alive by the plan */
    int32_t index;          /* of the tensor in the layer */
    int32_t at;             /* of the parameter in the plan */
    int decays;
    coordconv_tensor *state[MAX_SLOTS]; /* reference held */
    char *name[MAX_SLOTS];              /* of the state */
};

struct chunk {
    int32_t parameter; /* of the trained ones */
    size_t first, count;
};

struct coordconv_optimizer {
    atomic_int references;
    coordconv_context *context; /* reference held */
    coordconv_plan *plan;       /* reference held */
    struct cconv_settings settings;
    int64_t steps;
    double norm;
    int32_t slots; /* state tensors a parameter */
    int32_t trained_count;
    struct trained *trained;
    size_t elements;
    size_t chunk_count;
    struct chunk *chunks;
    double *sums; /* [chunk_count] squares of the gradients */
};

static const char *slot_name(int32_t kind, int32_t slot)
{
    if (kind == COORDCONV_SGD)
        return "momentum";
    return slot == 0 ? "m" : "v";
}

/* ---- making and dropping ---- */

static void destroy(coordconv_optimizer *o)
{
    const struct cconv_allocator *allocator = &o->context->allocator;
    coordconv_context *context = o->context;

    for (int32_t i = 0; o->trained != NULL && i < o->trained_count; i++) {
        struct trained *t = &o->trained[i];

        for (int32_t slot = 0; slot < MAX_SLOTS; slot++) {
            coordconv_tensor_unref(t->state[slot]);
            if (t->name[slot] != NULL)
                cconv_free(allocator, t->name[slot], strlen(t->name[slot]) + 1);
        }
    }
    cconv_free(allocator, o->trained, (size_t)o->trained_count * sizeof *o->trained);
    cconv_free(allocator, o->chunks, o->chunk_count * sizeof *o->chunks);
    cconv_free(allocator, o->sums, o->chunk_count * sizeof *o->sums);
    coordconv_plan_unref(o->plan);
    cconv_free(allocator, o, sizeof *o);
    coordconv_context_unref(context);
}

static int chosen(const coordconv_optimizer_desc *d, const coordconv_layer *layer)
{
    for (int32_t i = 0; i < d->layer_count; i++) {
        if (d->layers[i] == layer)
            return 1;
    }
    return d->layer_count == 0;
}

static coordconv_status check_layers(const struct cconv_log *log, const coordconv_optimizer_desc *d,
                                     const coordconv_plan *plan)
{
    int32_t count;
    const struct cconv_plan_parameter *p = cconv_plan_parameters(plan, &count);

    if (d->layer_count < 0 || (d->layer_count > 0 && d->layers == NULL))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "optimizer: layers is %s, layer_count %" PRId32,
                          d->layers == NULL ? "NULL" : "set", d->layer_count);
    for (int32_t i = 0; i < d->layer_count; i++) {
        int32_t at = 0;

        if (d->layers[i] == NULL)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: layers[%" PRId32 "] is NULL",
                              i);
        while (at < count && p[at].layer != d->layers[i])
            at++;
        if (at == count)
            return cconv_fail(log, COORDCONV_ERR_NOT_FOUND,
                              "optimizer: layers[%" PRId32 "] \"%s\" has no parameter in the plan",
                              i, coordconv_layer_name(d->layers[i]));
    }
    return COORDCONV_OK;
}

/* A state tensor of the parameter's shape, and its name. */
static coordconv_status make_state(coordconv_optimizer *o, struct trained *t, int32_t slot,
                                   const struct cconv_plan_parameter *p)
{
    const char *ending = slot_name(o->settings.kind, slot);
    const size_t bytes = strlen(p->name) + 1 + strlen(ending) + 1;
    const struct cconv_shape *shape = &p->values->shape;

    t->name[slot] = cconv_alloc_raw(&o->context->allocator, bytes);
    if (t->name[slot] == NULL)
        return cconv_fail(&o->context->log, COORDCONV_ERR_NOMEM, "optimizer: no memory for a name");
    snprintf(t->name[slot], bytes, "%s.%s", p->name, ending);
    return coordconv_tensor_new(o->context, CCONV_REAL_DTYPE, shape->ndim, shape->dim,
                                &t->state[slot]);
}

static coordconv_status make_trained(coordconv_optimizer *o, const coordconv_optimizer_desc *d)
{
    int32_t count, at = 0;
    const struct cconv_plan_parameter *p = cconv_plan_parameters(o->plan, &count);

    for (int32_t i = 0; i < count; i++)
        o->trained_count += chosen(d, p[i].layer);
    o->trained = cconv_alloc(&o->context->allocator, (size_t)o->trained_count * sizeof *o->trained);
    if (o->trained == NULL)
        return cconv_fail(&o->context->log, COORDCONV_ERR_NOMEM,
                          "optimizer: no memory for %" PRId32 " parameters", o->trained_count);
    for (int32_t i = 0; i < count; i++) {
        if (!chosen(d, p[i].layer))
            continue;

        struct trained *t = &o->trained[at++];

        t->layer = p[i].layer;
        t->index = p[i].index;
        t->at = i;
        t->decays = d->decay == COORDCONV_DECAY_ALL || p[i].index == p[i].layer->kernel;
        o->elements += p[i].count;
        for (int32_t slot = 0; slot < o->slots; slot++) {
            coordconv_status status = make_state(o, t, slot, &p[i]);

            if (status != COORDCONV_OK)
                return status;
        }
    }
    return COORDCONV_OK;
}

static size_t chunks_of(size_t elements)
{
    return elements / CHUNK + (elements % CHUNK != 0);
}

static coordconv_status make_chunks(coordconv_optimizer *o)
{
    const struct cconv_allocator *allocator = &o->context->allocator;
    int32_t count;
    const struct cconv_plan_parameter *p = cconv_plan_parameters(o->plan, &count);
    size_t at = 0;

    for (int32_t i = 0; i < o->trained_count; i++)
        o->chunk_count += chunks_of(p[o->trained[i].at].count);
    o->chunks = cconv_alloc(allocator, cconv_size_mul(o->chunk_count, sizeof *o->chunks));
    o->sums = cconv_alloc(allocator, cconv_size_mul(o->chunk_count, sizeof *o->sums));
    if (o->chunks == NULL || o->sums == NULL)
        return cconv_fail(&o->context->log, COORDCONV_ERR_NOMEM,
                          "optimizer: no memory for %zu chunks", o->chunk_count);
    for (int32_t i = 0; i < o->trained_count; i++) {
        const size_t elements = p[o->trained[i].at].count;

        for (size_t first = 0; first < elements; first += CHUNK)
            o->chunks[at++] = (struct chunk){ i, first, CCONV_MIN(elements - first, CHUNK) };
    }
    return COORDCONV_OK;
}

static coordconv_status make(coordconv_plan *plan, const coordconv_optimizer_desc *d,
                             const struct cconv_settings *settings, coordconv_optimizer **out)
{
    coordconv_context *context = cconv_plan_model(plan)->context;
    coordconv_optimizer *o = cconv_alloc(&context->allocator, sizeof *o);
    coordconv_status status;

    if (o == NULL)
        return cconv_fail(&context->log, COORDCONV_ERR_NOMEM, "optimizer: no memory for a handle");
    atomic_init(&o->references, 1);
    o->context = coordconv_context_ref(context);
    o->plan = coordconv_plan_ref(plan);
    o->settings = *settings;
    o->slots = settings->kind != COORDCONV_SGD ? 2 : settings->momentum > 0;
    status = make_trained(o, d);
    if (status == COORDCONV_OK)
        status = make_chunks(o);
    if (status != COORDCONV_OK)
        destroy(o);
    else
        *out = o;
    return status;
}

coordconv_status coordconv_optimizer_new(coordconv_plan *plan, const coordconv_optimizer_desc *desc,
                                         coordconv_optimizer **out)
{
    const struct cconv_log *log = plan != NULL ? &cconv_plan_model(plan)->context->log : NULL;
    struct cconv_settings settings;
    coordconv_optimizer_desc d;
    coordconv_status status;

    if (plan == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: %s is NULL",
                          plan == NULL ? "plan" : "out");
    status = cconv_desc_read(log, "optimizer", desc,
                             CCONV_DESC_END(coordconv_optimizer_desc, layers), sizeof d, &d);
    if (status == COORDCONV_OK)
        status = cconv_settings_read(log, &d, &settings);
    if (status == COORDCONV_OK && !cconv_plan_is_training(plan))
        status = cconv_fail(log, COORDCONV_ERR_STATE, "optimizer: the plan is made for inference");
    if (status == COORDCONV_OK)
        status = check_layers(log, &d, plan);
    return status == COORDCONV_OK ? make(plan, &d, &settings, out) : status;
}

coordconv_optimizer *coordconv_optimizer_ref(coordconv_optimizer *optimizer)
{
    if (optimizer != NULL)
        atomic_fetch_add_explicit(&optimizer->references, 1, memory_order_relaxed);
    return optimizer;
}

void coordconv_optimizer_unref(coordconv_optimizer *optimizer)
{
    if (optimizer != NULL &&
        atomic_fetch_sub_explicit(&optimizer->references, 1, memory_order_acq_rel) == 1)
        destroy(optimizer);
}

/* ---- a step ---- */

/* What the tasks of one step share. */
struct step {
    coordconv_optimizer *optimizer;
    const struct cconv_plan_parameter *parameters; /* of the plan */
    const cconv_real *gradients;
    struct cconv_update update; /* with decay */
    struct cconv_sgd sgd;
    struct cconv_adam adam;
};

static void sum_task(void *arg, size_t task, size_t slot)
{
    const struct step *s = arg;
    coordconv_optimizer *o = s->optimizer;
    const struct chunk *c = &o->chunks[task];
    const struct cconv_plan_parameter *p = &s->parameters[o->trained[c->parameter].at];

    (void)slot;
    o->sums[task] = cconv_square_sum(c->count, s->gradients + p->offset + c->first);
}

static void update_task(void *arg, size_t task, size_t slot)
{
    const struct step *s = arg;
    const coordconv_optimizer *o = s->optimizer;
    const struct chunk *c = &o->chunks[task];
    const struct trained *t = &o->trained[c->parameter];
    const struct cconv_plan_parameter *p = &s->parameters[t->at];
    const cconv_real *g = s->gradients + p->offset + c->first;
    cconv_real *w = cconv_tensor_reals(p->values) + c->first;
    struct cconv_update update = s->update;
    cconv_real *state[MAX_SLOTS] = { NULL, NULL };

    (void)slot;
    if (!t->decays) {
        update.decay = 0;
        update.keep = 1;
    }
    for (int32_t i = 0; i < o->slots; i++)
        state[i] = cconv_tensor_reals(t->state[i]) + c->first;
    if (o->settings.kind == COORDCONV_SGD)
        cconv_update_sgd(&update, &s->sgd, c->count, w, g, state[0]);
    else
        cconv_update_adam(&update, &s->adam, c->count, w, g, state[0], state[1]);
}

static void run_chunks(coordconv_optimizer *o, cconv_task_fn *fn, struct step *step)
{
    if (o->elements >= PARALLEL_LEAST) {
        cconv_parallel_run(&o->context->parallel, fn, step, o->chunk_count);
        return;
    }
    for (size_t i = 0; i < o->chunk_count; i++)
        fn(step, i, 0);
}

/* The element that ruined a chunk's sum. */
static coordconv_status fail_ruined(const struct step *s, const struct chunk *c)
{
    const struct cconv_plan_parameter *p = &s->parameters[s->optimizer->trained[c->parameter].at];
    const cconv_real *g = s->gradients + p->offset;
    size_t at = c->first;

    while (at + 1 < c->first + c->count && isfinite(g[at]))
        at++;
    return cconv_fail(&s->optimizer->context->log, COORDCONV_ERR_NUMERIC,
                      "optimizer: element %zu of the gradient of %s is %g", at, p->name,
                      (double)g[at]);
}

/* Sum of squares; a NaN or an infinity anywhere makes it one too. */
static coordconv_status sum_squares(struct step *s, double *sum)
{
    const coordconv_optimizer *o = s->optimizer;

    run_chunks(s->optimizer, sum_task, s);
    *sum = 0;
    for (size_t i = 0; i < o->chunk_count; i++) {
        if (!isfinite(o->sums[i]))
            return fail_ruined(s, &o->chunks[i]);
        *sum += o->sums[i];
    }
    return COORDCONV_OK;
}

static void mark_written(coordconv_optimizer *o, const struct cconv_plan_parameter *parameters)
{
    for (int32_t i = 0; i < o->trained_count; i++) {
        cconv_tensor_touch(parameters[o->trained[i].at].values);
        for (int32_t slot = 0; slot < o->slots; slot++)
            cconv_tensor_touch(o->trained[i].state[slot]);
    }
}

coordconv_status coordconv_optimizer_step(coordconv_optimizer *optimizer)
{
    struct step s = { .optimizer = optimizer };
    coordconv_status status;
    int32_t count;
    double sum;

    if (optimizer == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "optimizer: NULL");
    s.parameters = cconv_plan_parameters(optimizer->plan, &count);
    s.gradients = cconv_plan_gradient_values(optimizer->plan);
    if (s.gradients == NULL)
        return cconv_fail(&optimizer->context->log, COORDCONV_ERR_STATE,
                          "optimizer: the plan has had no backward pass yet");
    status = sum_squares(&s, &sum);
    if (status != COORDCONV_OK)
        return status;

    const double norm = sqrt(sum);

    cconv_settings_update(&optimizer->settings, norm, &s.update);
    cconv_settings_sgd(&optimizer->settings, optimizer->steps, &s.sgd);
    cconv_settings_adam(&optimizer->settings, optimizer->steps, &s.adam);
    run_chunks(optimizer, update_task, &s);
    mark_written(optimizer, s.parameters);
    optimizer->norm = norm;
    optimizer->steps++;
    return COORDCONV_OK;
}

/* ---- asking and setting ---- */

/* Place of a trained parameter in a plan, -1 if it has none. */
static int32_t find(const coordconv_plan *plan, const struct trained *t)
{
    int32_t count;
    const struct cconv_plan_parameter *p = cconv_plan_parameters(plan, &count);

    for (int32_t i = 0; i < count; i++) {
        if (p[i].layer == t->layer && p[i].index == t->index)
            return i;
    }
    return -1;
}

coordconv_status coordconv_optimizer_set_plan(coordconv_optimizer *optimizer, coordconv_plan *plan)
{
    if (optimizer == NULL || plan == NULL)
        return cconv_fail(optimizer != NULL ? &optimizer->context->log : NULL,
                          COORDCONV_ERR_INVALID, "optimizer: %s is NULL",
                          optimizer == NULL ? "optimizer" : "plan");

    const struct cconv_log *log = &optimizer->context->log;
    int32_t count;
    const struct cconv_plan_parameter *p = cconv_plan_parameters(optimizer->plan, &count);

    if (!cconv_plan_is_training(plan))
        return cconv_fail(log, COORDCONV_ERR_STATE, "optimizer: the plan is made for inference");
    for (int32_t i = 0; i < optimizer->trained_count; i++) {
        if (find(plan, &optimizer->trained[i]) < 0)
            return cconv_fail(log, COORDCONV_ERR_NOT_FOUND,
                              "optimizer: %s is not in the other plan",
                              p[optimizer->trained[i].at].name);
    }
    for (int32_t i = 0; i < optimizer->trained_count; i++)
        optimizer->trained[i].at = find(plan, &optimizer->trained[i]);
    coordconv_plan_ref(plan); /* before the old one goes: they may be the same */
    coordconv_plan_unref(optimizer->plan);
    optimizer->plan = plan;
    return COORDCONV_OK;
}

coordconv_status coordconv_optimizer_set_learning_rate(coordconv_optimizer *optimizer, double rate)
{
    if (optimizer == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "optimizer: NULL");
    if (!isfinite(rate) || rate <= 0)
        return cconv_fail(&optimizer->context->log, COORDCONV_ERR_INVALID,
                          "optimizer: learning rate %g is not above 0 and finite", rate);
    optimizer->settings.rate = rate;
    return COORDCONV_OK;
}

double coordconv_optimizer_learning_rate(const coordconv_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->settings.rate : 0;
}

int64_t coordconv_optimizer_steps(const coordconv_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->steps : 0;
}

double coordconv_optimizer_gradient_norm(const coordconv_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->norm : 0;
}

int32_t coordconv_optimizer_kind(const coordconv_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->settings.kind : 0;
}

coordconv_status coordconv_optimizer_set_steps(coordconv_optimizer *optimizer, int64_t steps)
{
    if (optimizer == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "optimizer: NULL");
    if (steps < 0)
        return cconv_fail(&optimizer->context->log, COORDCONV_ERR_INVALID,
                          "optimizer: %" PRId64 " steps", steps);
    optimizer->steps = steps;
    return COORDCONV_OK;
}

int32_t coordconv_optimizer_state_count(const coordconv_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->trained_count * optimizer->slots : 0;
}

coordconv_status coordconv_optimizer_state(const coordconv_optimizer *optimizer, int32_t index,
                                           const char **name, coordconv_tensor **tensor)
{
    const int32_t count = coordconv_optimizer_state_count(optimizer);

    if (optimizer == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "optimizer: NULL");
    if (index < 0 || index >= count)
        return cconv_fail(&optimizer->context->log, COORDCONV_ERR_INVALID,
                          "optimizer: state tensor %" PRId32 " of %" PRId32, index, count);

    const struct trained *t = &optimizer->trained[index / optimizer->slots];
    const int32_t slot = index % optimizer->slots;

    if (name != NULL)
        *name = t->name[slot];
    if (tensor != NULL)
        *tensor = t->state[slot];
    return COORDCONV_OK;
}
