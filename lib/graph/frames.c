/* SPDX-License-Identifier: BSD-2-Clause
 *
 * frames.c - where images lie in larger ones: from the inputs of a plan, through
 * the graph, to the operations that see coordinates.
 *
 * The rules are in coordconv/plan.h. Each value has a place for each image of its
 * batch; a value of which all images are the whole is left out of it all.
 */
#include "base/checked.h"
#include "graph/compile.h"

static const struct cconv_log *plan_log(const coordconv_plan *plan)
{
    return &cconv_plan_context(plan)->log;
}

/* An image [N, H, W, C], a signal [N, L, C] or a volume [N, D, H, W, C]. */
static int is_image(const struct cconv_shape *s)
{
    int is = s->ndim >= 3 && s->ndim <= 5;

    for (int32_t i = 0; is && i < s->ndim - 1; i++)
        is = s->dim[i] >= 1;
    return is;
}

static size_t place_bytes(const coordconv_plan *plan)
{
    return cconv_size_mul(cconv_size_mul((size_t)plan->node_count, plan->place_batch),
                          sizeof *plan->places);
}

void cconv_plan_free_frames(coordconv_plan *plan)
{
    cconv_free(&cconv_plan_context(plan)->allocator, plan->places, place_bytes(plan));
}

/* Room for all frames there can be, those of the inputs being the whole. */
static coordconv_status allocate(coordconv_plan *plan)
{
    size_t batch = 1;

    for (int32_t i = 0; i < plan->node_count; i++) {
        const struct cconv_shape *s = &plan->values[i].shape;

        if (is_image(s))
            batch = CCONV_MAX(batch, (size_t)s->dim[0]);
    }
    plan->place_batch = batch;
    plan->places = cconv_alloc(&cconv_plan_context(plan)->allocator, place_bytes(plan));
    if (plan->places == NULL)
        return cconv_fail(plan_log(plan), COORDCONV_ERR_NOMEM, "plan_set_frames: out of memory");
    for (int32_t i = 0; i < plan->input_count; i++) {
        const coordconv_value value = plan->inputs[i].value;
        const struct cconv_shape *s = &plan->values[value].shape;

        for (int64_t n = 0; is_image(s) && n < s->dim[0]; n++)
            cconv_plan_places(plan, value)[n] = cconv_image_whole(s);
    }
    return COORDCONV_OK;
}

/* Frame n, of which the caller's struct may have another size than ours. */
static const coordconv_frame_desc *frame_at(const coordconv_frame_desc *frames, int64_t n)
{
    return (const coordconv_frame_desc *)(const void *)((const char *)frames +
                                                        (size_t)n * frames->struct_size);
}

static coordconv_status read_frame(const coordconv_plan *plan, const coordconv_frame_desc *frames,
                                   int64_t n, const struct cconv_shape *s, struct cconv_place *out)
{
    const coordconv_frame_desc *frame = frame_at(frames, n);

    if (n > 0 && frame->struct_size != frames->struct_size)
        return cconv_fail(plan_log(plan), COORDCONV_ERR_ABI,
                          "plan_set_frames: struct_size of frame %lld is %u, of the first %u",
                          (long long)n, (unsigned)frame->struct_size,
                          (unsigned)frames->struct_size);
    *out = cconv_image_whole(s);
    return cconv_place_read(plan_log(plan), "plan_set_frames", frame, s->ndim - 2, out);
}

static coordconv_status check_frames(const coordconv_plan *plan, const char *name, int64_t count,
                                     const coordconv_frame_desc *frames,
                                     const struct cconv_shape *s)
{
    struct cconv_shape_text text;
    struct cconv_place place;
    coordconv_status st = COORDCONV_OK;

    if (!is_image(s))
        return cconv_fail(plan_log(plan), COORDCONV_ERR_SHAPE,
                          "plan_set_frames: \"%s\" of shape %s is no image", name,
                          cconv_shape_print(s, &text));
    if (frames == NULL ? count != 0 : count != 1 && count != s->dim[0])
        return cconv_fail(plan_log(plan), COORDCONV_ERR_INVALID,
                          "plan_set_frames: %lld frames%s for the %lld images of \"%s\"",
                          (long long)count, frames == NULL ? " (NULL)" : "", (long long)s->dim[0],
                          name);
    for (int64_t n = 0; n < count && st == COORDCONV_OK; n++)
        st = read_frame(plan, frames, n, s, &place);
    return st;
}

coordconv_status coordconv_plan_set_frames(coordconv_plan *plan, const char *input, int64_t count,
                                           const coordconv_frame_desc *frames)
{
    const struct cconv_plan_port *port;
    const struct cconv_shape *s;
    struct cconv_place *places;
    coordconv_status st;

    if (plan == NULL || input == NULL)
        return cconv_fail(plan != NULL ? plan_log(plan) : NULL, COORDCONV_ERR_INVALID,
                          "plan_set_frames: %s is NULL", plan == NULL ? "plan" : "input");
    if ((port = cconv_plan_input(plan, input)) == NULL)
        return cconv_fail(plan_log(plan), COORDCONV_ERR_NOT_FOUND,
                          "plan_set_frames: the plan has no input \"%s\"", input);
    s = &plan->values[port->value].shape;
    if ((st = check_frames(plan, input, count, frames, s)) != COORDCONV_OK ||
        (plan->places == NULL && (st = allocate(plan)) != COORDCONV_OK))
        return st;
    places = cconv_plan_places(plan, port->value);
    for (int64_t n = 0; n < s->dim[0]; n++) {
        places[n] = cconv_image_whole(s);
        if (frames != NULL)
            read_frame(plan, frames, count == 1 ? 0 : n, s, &places[n]);
    }
    plan->frames_new = 1;
    plan->forward_done = 0;
    return COORDCONV_OK;
}

/* ---- through the graph ---- */

static struct cconv_place place_of(const coordconv_plan *plan, coordconv_value value, int64_t n)
{
    const struct cconv_plan_value *v = &plan->values[value];

    return v->placed ? cconv_plan_places(plan, value)[n] : cconv_image_whole(&v->shape);
}

static int any_placed(const coordconv_plan *plan, coordconv_value value)
{
    const struct cconv_shape *s = &plan->values[value].shape;

    for (int64_t n = 0; is_image(s) && n < s->dim[0]; n++) {
        const struct cconv_place all = cconv_image_whole(s);

        if (!cconv_place_same(&cconv_plan_places(plan, value)[n], &all))
            return 1;
    }
    return 0;
}

/* In cconv_plan_value.lost: a layer has no output in the larger image, or too much. Else 1. */
#define NO_FIT 2

/* A window slides over input 0. Where the larger image has no output, nothing behind can say
 * where it lies. */
static void carry(coordconv_plan *plan, int32_t i)
{
    const coordconv_value x = cconv_plan_source(plan, i)->inputs[0];
    const struct cconv_app *app = &plan->nodes[i].app;
    struct cconv_plan_value *v = &plan->values[i];

    v->lost = plan->values[x].lost;
    if (!plan->values[x].placed)
        return;
    for (int64_t n = 0; n < v->shape.dim[0] && !v->lost; n++)
        if (!app->op->carry(app, &cconv_plan_places(plan, x)[n], &cconv_plan_places(plan, i)[n]))
            v->lost = NO_FIT;
    v->placed = !v->lost && any_placed(plan, i);
}

static int lie_alike(const coordconv_plan *plan, coordconv_value a, coordconv_value b)
{
    const struct cconv_shape *s = &plan->values[a].shape;

    if (!plan->values[a].placed && !plan->values[b].placed)
        return 1;
    for (int64_t n = 0; n < s->dim[0]; n++) {
        const struct cconv_place p = place_of(plan, a, n), q = place_of(plan, b, n);

        if (!cconv_place_same(&p, &q))
            return 0;
    }
    return 1;
}

/* Pixel (i, j) is made of the pixels (i, j) of the inputs. */
static void join(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_value *v = &plan->values[i];
    coordconv_value first = COORDCONV_NO_VALUE;

    for (int32_t k = 0; k < node->input_count; k++) {
        const coordconv_value x = node->inputs[k];

        if (plan->values[x].everywhere)
            continue;
        v->lost |= plan->values[x].lost;
        if (first == COORDCONV_NO_VALUE)
            first = x;
        else if (!v->lost && !lie_alike(plan, first, x))
            v->lost = 1;
    }
    v->everywhere = first == COORDCONV_NO_VALUE;
    v->placed = !v->everywhere && !v->lost && plan->values[first].placed;
    for (int64_t n = 0; v->placed && n < v->shape.dim[0]; n++)
        cconv_plan_places(plan, i)[n] = cconv_plan_places(plan, first)[n];
}

static int keeps_place(const coordconv_plan *plan, int32_t i)
{
    const struct cconv_app *app = &plan->nodes[i].app;

    if (app->op == &cconv_op_concat)
        return is_image(&app->out) && app->attr->axis == app->out.ndim - 1;
    return (app->op->flags & CCONV_KEEPS_PLACE) != 0;
}

static void resolve_node(coordconv_plan *plan, int32_t i)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    struct cconv_plan_value *v = &plan->values[i];

    if (node->op->carry != NULL) {
        carry(plan, i);
    } else if (keeps_place(plan, i)) {
        join(plan, i);
    } else if (node->op == &cconv_op_tile) {
        v->everywhere = 1;
    } else {
        for (int32_t k = 0; k < node->input_count; k++)
            v->lost |= plan->values[node->inputs[k]].placed | plan->values[node->inputs[k]].lost;
    }
}

/* Let a node that sees coordinates know where its input lies. */
static coordconv_status tell_node(coordconv_plan *plan, int32_t i)
{
    struct cconv_plan_node *n = &plan->nodes[i];
    const coordconv_value x = cconv_plan_source(plan, i)->inputs[0];

    if (!cconv_app_sees_places(&n->app))
        return COORDCONV_OK;
    n->run.places = plan->values[x].placed ? cconv_plan_places(plan, x) : NULL;
    if (!plan->values[x].lost)
        return COORDCONV_OK;
    return cconv_fail(plan_log(plan), COORDCONV_ERR_UNSUPPORTED,
                      "plan_run: node %d, %s%s%s%s: no frame for its coordinates, past a %s",
                      (int)i, n->app.op->name, n->app.layer->name[0] != '\0' ? " \"" : "",
                      n->app.layer->name, n->app.layer->name[0] != '\0' ? "\"" : "",
                      plan->values[x].lost & NO_FIT ? "layer that does not fit the larger image"
                                                    : "reshape, a global pool or another frame");
}

coordconv_status cconv_plan_resolve_frames(coordconv_plan *plan)
{
    for (int32_t i = 0; i < plan->node_count; i++) {
        struct cconv_plan_value *v = &plan->values[i];
        coordconv_status st = COORDCONV_OK;

        v->placed = v->lost = v->everywhere = 0;
        if (cconv_plan_source(plan, i)->op == NULL) {
            v->placed = (uint8_t)any_placed(plan, i);
        } else if (plan->nodes[i].used) {
            resolve_node(plan, i);
            st = tell_node(plan, i);
        }
        if (st != COORDCONV_OK)
            return st;
    }
    plan->frames_new = 0;
    return COORDCONV_OK;
}
