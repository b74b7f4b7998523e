/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_eval.c - on which signs a net acts, by zone.
 */
#include "periphery_eval.h"

#include <math.h>
#include <stdlib.h>

enum {
    BATCH = 32
};

static const float near_sign = 5, clear_of_signs = 9; /* pixels from a sign's middle */

/* The map of one scene: logits [rows, columns, ROAD_KINDS] of a window. */
struct map {
    const struct scenes *scenes;
    int which;
    struct window window;
    int mask;
    const float *logits;
};

/* ---- responses ---- */

static coordconv_status keep(struct responses *r, const struct response *response)
{
    if (r->count == r->room) {
        const size_t room = r->room > 0 ? 2 * r->room : 1024;
        struct response *more = realloc(r->items, room * sizeof *more);

        if (more == NULL)
            return COORDCONV_ERR_NOMEM;
        r->items = more;
        r->room = room;
    }
    r->items[r->count++] = *response;
    return COORDCONV_OK;
}

void responses_free(struct responses *responses)
{
    free(responses->items);
    *responses = (struct responses){ 0 };
}

static float cell_x(const struct map *m, int column)
{
    return cell_middle(m->window.x, column, m->scenes->shift_x);
}

static float cell_y(const struct map *m, int row)
{
    return cell_middle(m->window.y, row, m->scenes->shift_y);
}

/* -infinity outside the map, and where the mask is silent. */
static float logit_at(const struct map *m, int row, int column, int kind)
{
    if (row < 0 || column < 0 || row >= m->window.rows || column >= m->window.columns)
        return -INFINITY;
    if (m->mask && !is_ahead(&m->scenes->rule, cell_x(m, column), cell_y(m, row)))
        return -INFINITY;
    return m->logits[(row * m->window.columns + column) * ROAD_KINDS + kind];
}

static float distance2(float x, float y, float ax, float ay)
{
    return (x - ax) * (x - ax) + (y - ay) * (y - ay);
}

static int is_in_window(const struct map *m, const struct road_sign *s)
{
    const float x = s->x - (float)(m->scenes->shift_x + m->window.x);
    const float y = s->y - (float)(m->scenes->shift_y + m->window.y);

    return x >= 2 && y >= 2 && x <= (float)(m->window.columns * CELL - 2) &&
           y <= (float)(m->window.rows * CELL - 2);
}

static coordconv_status keep_sign(const struct map *m, const struct road_sign *s,
                                  struct responses *out)
{
    const struct rule *rule = &m->scenes->rule;
    struct response response = { .logit = -INFINITY,
                                 .x = s->x,
                                 .y = s->y,
                                 .kind = s->kind,
                                 .zone = (unsigned char)zone_of(rule, s->x, s->y),
                                 .is_sign = 1,
                                 .ahead = (unsigned char)is_ahead(rule, s->x, s->y) };

    if (!is_in_window(m, s))
        return COORDCONV_OK;
    for (int i = 0; i < m->window.rows; i++)
        for (int j = 0; j < m->window.columns; j++)
            if (distance2(cell_x(m, j), cell_y(m, i), s->x, s->y) < near_sign * near_sign)
                response.logit = fmaxf(response.logit, logit_at(m, i, j, s->kind));
    return keep(out, &response);
}

static int is_clear(const struct map *m, float x, float y, int kind)
{
    for (int k = 0; k < m->scenes->sign_counts[m->which]; k++) {
        const struct road_sign *s = &m->scenes->signs[m->which][k];
        if (s->kind == kind && distance2(x, y, s->x, s->y) < clear_of_signs * clear_of_signs)
            return 0;
    }
    return 1;
}

/* Of equals the first: a neighbour before must be less, one behind at most as large. */
static int is_peak(const struct map *m, int row, int column, int kind)
{
    const float logit = logit_at(m, row, column, kind);

    for (int i = -1; i <= 1; i++) {
        for (int j = -1; j <= 1; j++) {
            const float other = logit_at(m, row + i, column + j, kind);
            const int before = i < 0 || (i == 0 && j < 0);

            if ((i != 0 || j != 0) && (other > logit || (before && other == logit)))
                return 0;
        }
    }
    return logit > -INFINITY;
}

static coordconv_status keep_elsewhere(const struct map *m, int kind, struct responses *out)
{
    const float unlikely = -6; /* below any threshold that is of use */
    coordconv_status status = COORDCONV_OK;

    for (int i = 0; i < m->window.rows; i++) {
        for (int j = 0; j < m->window.columns; j++) {
            const float x = cell_x(m, j), y = cell_y(m, i);
            const struct response response = { .logit = logit_at(m, i, j, kind),
                                               .x = x,
                                               .y = y,
                                               .kind = kind,
                                               .zone =
                                                   (unsigned char)zone_of(&m->scenes->rule, x, y) };
            if (status == COORDCONV_OK && response.logit > unlikely && is_peak(m, i, j, kind) &&
                is_clear(m, x, y, kind))
                status = keep(out, &response);
        }
    }
    return status;
}

static coordconv_status keep_map(const struct map *m, struct responses *out)
{
    coordconv_status status = COORDCONV_OK;

    for (int k = 0; k < m->scenes->sign_counts[m->which] && status == COORDCONV_OK; k++)
        status = keep_sign(m, &m->scenes->signs[m->which][k], out);
    for (int kind = 0; kind < ROAD_KINDS && status == COORDCONV_OK; kind++)
        status = keep_elsewhere(m, kind, out);
    return status;
}

/* ---- asking ---- */

/* Steps of the golden section through the places a crop may have: without lots, and all over. */
struct window question_window(const struct question *q, int which)
{
    if (q->crop_rows == 0)
        return whole_view;
    const int room_y = ROAD_HEIGHT - CELL * q->crop_rows + 1;
    const int room_x = ROAD_WIDTH - CELL * q->crop_columns + 1;
    const double a = 0.6180339887498949 * which, b = 0.7548776662466927 * which;

    return (struct window){ (int)((a - floor(a)) * room_y), (int)((b - floor(b)) * room_x),
                            q->crop_rows, q->crop_columns };
}

static coordconv_status ask_batch(const struct net *net, coordconv_plan *plan,
                                  const struct question *q, int from, coordconv_tensor *images,
                                  coordconv_tensor *logits, struct responses *out)
{
    struct window windows[BATCH];
    float *image = coordconv_tensor_data(images), *logit = coordconv_tensor_data(logits);
    const int64_t image_step = coordconv_tensor_stride(images, 0);
    coordconv_status status = COORDCONV_OK;

    for (int i = 0; i < BATCH; i++) { /* past the end the last scene again */
        const int which = from + i < q->scenes->count ? from + i : q->scenes->count - 1;
        windows[i] = question_window(q, which);
        fill_image(q->scenes, which, &windows[i], net->padded, image + i * image_step);
    }
    if (q->framed)
        status = net_set_frames(net, plan, q->scenes, BATCH, windows);
    if (status == COORDCONV_OK)
        status = coordconv_plan_run(plan);
    for (int i = 0; i < BATCH && from + i < q->scenes->count && status == COORDCONV_OK; i++) {
        const struct map map = { q->scenes, from + i, windows[i], q->mask,
                                 logit + i * coordconv_tensor_stride(logits, 0) };
        status = keep_map(&map, out);
    }
    return status;
}

coordconv_status ask(const struct net *net, coordconv_context *context, const struct question *q,
                     struct responses *responses)
{
    const struct window w = question_window(q, 0);
    const int64_t image[4] = { BATCH, seen_extent(w.rows, net->padded),
                               seen_extent(w.columns, net->padded), 3 };
    const int64_t cells[4] = { BATCH, w.rows, w.columns, ROAD_KINDS };
    coordconv_tensor *images = NULL, *logits = NULL;
    coordconv_plan *plan = NULL;
    coordconv_status status = net_plan(net, COORDCONV_INFERENCE, BATCH, w.rows, w.columns, &plan);

    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_F32, 4, image, &images);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_F32, 4, cells, &logits);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(plan, "image", images);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(plan, "logits", logits);
    for (int from = 0; from < q->scenes->count && status == COORDCONV_OK; from += BATCH)
        status = ask_batch(net, plan, q, from, images, logits, responses);
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(images);
    coordconv_tensor_unref(logits);
    return status;
}

/* ---- judging ---- */

static int by_logit(const void *a, const void *b)
{
    const float x = ((const struct response *)a)->logit, y = ((const struct response *)b)->logit;

    return (x < y) - (x > y);
}

/* Going down the responses, each may be the last that is acted on. */
static float best_threshold(const struct responses *responses)
{
    struct zone_count all = { 0 };
    double best = -1;
    float threshold = 0;

    qsort(responses->items, responses->count, sizeof *responses->items, by_logit);
    for (size_t i = 0; i < responses->count; i++)
        all.ahead += responses->items[i].ahead;
    for (size_t i = 0; i < responses->count; i++) {
        const struct response *r = &responses->items[i];
        const float next = i + 1 < responses->count ? responses->items[i + 1].logit : r->logit - 1;

        all.hits += r->ahead;
        all.clutter += !r->ahead;
        if (next < r->logit && r->logit > -INFINITY && f1(&all) > best) {
            best = f1(&all);
            threshold = next > -INFINITY ? (r->logit + next) / 2 : r->logit - 1;
        }
    }
    return threshold;
}

coordconv_status tune(const struct net *net, coordconv_context *context,
                      const struct scenes *scenes, int mask, float *threshold)
{
    const struct question q = { .scenes = scenes, .mask = mask };
    struct responses responses = { 0 };
    const coordconv_status status = ask(net, context, &q, &responses);

    *threshold = best_threshold(&responses);
    responses_free(&responses);
    return status;
}

static void count_in(struct zone_count *c, const struct response *r, int acts)
{
    c->ahead += r->ahead;
    c->hits += r->ahead && acts;
    c->aside += r->is_sign && !r->ahead;
    c->alarms += r->is_sign && !r->ahead && acts;
    c->clutter += !r->is_sign && acts;
}

struct verdict judge(const struct responses *responses, float threshold)
{
    struct verdict v = { 0 };

    for (size_t i = 0; i < responses->count; i++) {
        const struct response *r = &responses->items[i];
        const int acts = r->logit > threshold;

        count_in(&v.zones[r->zone], r, acts);
        count_in(&v.all, r, acts);
    }
    return v;
}

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : NAN;
}

double recall(const struct zone_count *c)
{
    return ratio(c->hits, c->ahead);
}

double precision(const struct zone_count *c)
{
    return ratio(c->hits, c->hits + c->alarms + c->clutter);
}

double alarm_rate(const struct zone_count *c)
{
    return ratio(c->alarms, c->aside);
}

double f1(const struct zone_count *c)
{
    return ratio(2 * c->hits, c->ahead + c->hits + c->alarms + c->clutter);
}
