/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_test.c - signs lie where the rule says, windows show what they should, and a crop with
 * its frame is to a net what that part of the whole view is.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "periphery_eval.h"

enum {
    SCENES = 96,
    ROWS = 6,
    COLUMNS = 9
};

static int failures;

static void check(int holds, const char *what)
{
    if (!holds)
        fprintf(stderr, "periphery_test: not so: %s\n", what);
    failures += !holds;
}

static void need(coordconv_status status)
{
    if (status == COORDCONV_OK)
        return;
    fprintf(stderr, "periphery_test: %s\n", coordconv_last_error());
    exit(EXIT_FAILURE);
}

/* ---- scenes ---- */

static void zones_are_even(coordconv_context *context)
{
    const struct rule rule = { 0.5f, 0 };
    struct scenes s;
    int zones[ZONES] = { 0 }, all = 0, ahead_by_zone[ZONES] = { 0 };

    need(scenes_make(&s, context, 1, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        for (int i = 0; i < s.sign_counts[k]; i++, all++) {
            const struct road_sign *sign = &s.signs[k][i];
            const enum zone zone = zone_of(&rule, sign->x, sign->y);

            zones[zone]++;
            ahead_by_zone[zone] += is_ahead(&rule, sign->x, sign->y);
        }
    }
    for (int z = 0; z < ZONES; z++)
        check(zones[z] > all / 5 && zones[z] < all / 2, "about a third of the signs in each zone");
    check(all > 2 * SCENES && all < 4 * SCENES, "two to four signs a scene");
    check(ahead_by_zone[ZONE_CENTRE] == zones[ZONE_CENTRE], "in the centre all are ahead");
    check(ahead_by_zone[ZONE_PERIPHERY] == 0, "in the periphery none is ahead");
    check(ahead_by_zone[ZONE_RING] > 0 && ahead_by_zone[ZONE_RING] < zones[ZONE_RING],
          "in the ring some are ahead");
    scenes_free(&s);
}

static void sides_are_kept(coordconv_context *context)
{
    const struct rule rule = { 1, 1 };
    struct scenes s;

    need(scenes_make(&s, context, 1, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        for (int i = 0; i < s.sign_counts[k]; i++) {
            const struct road_sign *sign = &s.signs[k][i];
            const int right = sign->kind == ROAD_LIMIT || sign->kind == ROAD_WARNING;

            check((sign->x > ROAD_WIDTH / 2.0f) == right, "each kind on its side");
            check(is_ahead(&rule, sign->x, sign->y), "without a region every sign counts");
        }
    }
    scenes_free(&s);
}

static void scenes_repeat(coordconv_context *context)
{
    const struct rule rule = { 0.5f, 0 };
    struct scenes a, b, c;
    const size_t bytes = 4 * scene_bytes();

    need(scenes_make(&a, context, 7, &rule, 4, 0, 0));
    need(scenes_make(&b, context, 7, &rule, 4, 0, 0));
    need(scenes_make(&c, context, 8, &rule, 4, 0, 0));
    check(memcmp(a.pixels, b.pixels, bytes) == 0, "the same seed, the same scenes");
    check(memcmp(a.pixels, c.pixels, bytes) != 0, "another seed, other scenes");
    check(memcmp(a.pixels, a.pixels + scene_bytes(), scene_bytes()) != 0, "no two scenes alike");
    scenes_free(&a);
    scenes_free(&b);
    scenes_free(&c);
}

/* ---- windows ---- */

static const struct window crop = { 8, 12, ROWS, COLUMNS }; /* whole cells */

static void windows_agree(coordconv_context *context)
{
    const struct rule rule = { 0.5f, 0 };
    static float whole[ROAD_HEIGHT * ROAD_WIDTH * 3], part[ROAD_HEIGHT * ROAD_WIDTH * 3];
    static float seen[(ROAD_HEIGHT + RIM_BOTH) * (ROAD_WIDTH + RIM_BOTH) * 3];
    static float cells[VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS], few[ROWS * COLUMNS * ROAD_KINDS];
    struct scenes s;
    int lit = 0;

    need(scenes_make(&s, context, 3, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        fill_image(&s, k, &whole_view, 1, whole);
        fill_image(&s, k, &crop, 1, part);
        fill_image(&s, k, &whole_view, 0, seen);
        check(memcmp(whole, seen + 3 * (RIM_BEFORE * (ROAD_WIDTH + RIM_BOTH) + RIM_BEFORE),
                     3 * ROAD_WIDTH * sizeof *whole) == 0,
              "within its rim a net without padding sees the view");
        check(memcmp(whole + 3 * (crop.y * ROAD_WIDTH + crop.x), part,
                     3 * COLUMNS * CELL * sizeof *part) == 0,
              "a crop's first row is that of the view");
        fill_target(&s, k, &whole_view, 0, cells);
        fill_target(&s, k, &crop, 0, few);
        for (int i = 0; i < ROWS; i++)
            check(memcmp(cells + ((i + crop.y / CELL) * VIEW_COLUMNS + crop.x / CELL) * ROAD_KINDS,
                         few + i * COLUMNS * ROAD_KINDS, COLUMNS * ROAD_KINDS * sizeof *few) == 0,
                  "a crop's targets are those of the view");
        for (int i = 0; i < VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS; i++)
            lit += cells[i] > 0;
    }
    check(lit > SCENES, "targets mark the signs ahead");
    scenes_free(&s);
}

/* ---- nets ---- */

/* Logits of scene 0 through a window. */
static void run(coordconv_context *context, const struct net *net, const struct scenes *s,
                const struct window *w, int framed, float *logits)
{
    const int64_t shape[4] = { 1, seen_extent(w->rows, net->padded),
                               seen_extent(w->columns, net->padded), 3 };
    const int64_t cells[4] = { 1, w->rows, w->columns, ROAD_KINDS };
    coordconv_tensor *image = NULL, *out = NULL;
    coordconv_plan *plan = NULL;

    need(net_plan(net, COORDCONV_INFERENCE, 1, w->rows, w->columns, &plan));
    need(coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &image));
    need(coordconv_tensor_new(context, COORDCONV_F32, 4, cells, &out));
    fill_image(s, 0, w, net->padded, coordconv_tensor_data(image));
    need(coordconv_plan_bind(plan, "image", image));
    need(coordconv_plan_bind(plan, "logits", out));
    if (framed)
        need(net_set_frames(net, plan, s, 1, w));
    need(coordconv_plan_run(plan));
    memcpy(logits, coordconv_tensor_data(out),
           (size_t)coordconv_tensor_count(out) * sizeof *logits);
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(image);
    coordconv_tensor_unref(out);
}

/* Largest difference between a crop's logits and the view's. */
static double crop_difference(coordconv_context *context, enum net_kind kind, int framed)
{
    static float whole[VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS], part[ROWS * COLUMNS * ROAD_KINDS];
    const struct rule rule = { 0.5f, 0 };
    struct scenes s;
    struct net net;
    double most = 0;

    need(scenes_make(&s, context, 5, &rule, 1, 0, 0));
    need(net_new(&net, context, kind));
    run(context, &net, &s, &whole_view, 0, whole);
    run(context, &net, &s, &crop, framed, part);
    for (int i = 0; i < ROWS; i++) {
        const float *row =
            whole + ((i + crop.y / CELL) * VIEW_COLUMNS + crop.x / CELL) * ROAD_KINDS;
        for (int j = 0; j < COLUMNS * ROAD_KINDS; j++)
            most = fmax(most, fabs((double)row[j] - (double)part[i * COLUMNS * ROAD_KINDS + j]));
    }
    net_free(&net);
    scenes_free(&s);
    return most;
}

static void frames_tell_places(coordconv_context *context)
{
    const double rounding = 1e-4; /* of logits of about 1, through seven layers */

    check(crop_difference(context, NET_CONV, 0) < rounding, "without padding a place is no matter");
    check(crop_difference(context, NET_PADDED, 0) > 100 * rounding, "padding tells the border");
    check(crop_difference(context, NET_INPUT, 1) < rounding, "a frame tells the place, at input");
    check(crop_difference(context, NET_EVERYWHERE, 1) < rounding, "a frame tells it, everywhere");
    check(crop_difference(context, NET_INPUT, 0) > 100 * rounding, "without, it is another place");
}

/* ---- judging ---- */

static int is_near_sign(const struct scenes *s, const struct response *r, float reach)
{
    for (int k = 0; k < s->sign_counts[0]; k++) {
        const struct road_sign *sign = &s->signs[0][k];
        if (sign->kind == r->kind && hypotf(sign->x - r->x, sign->y - r->y) < reach)
            return 1;
    }
    return 0;
}

/* Whatever a net says: a response to each sign, others away from signs, none where it is masked. */
static void responses_are_apart(coordconv_context *context)
{
    const struct rule rule = { 0.5f, 0 };
    struct net net;

    need(net_new(&net, context, NET_CONV));
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct responses all = { 0 }, masked = { 0 };
        struct scenes s;
        int signs = 0;

        need(scenes_make(&s, context, seed, &rule, 1, 0, 0));
        need(ask(&net, context, &(struct question){ .scenes = &s }, &all));
        need(ask(&net, context, &(struct question){ .scenes = &s, .mask = 1 }, &masked));
        for (size_t i = 0; i < all.count; i++) {
            signs += all.items[i].is_sign;
            check(all.items[i].is_sign || !is_near_sign(&s, &all.items[i], 9),
                  "what is near a sign of its kind is the sign's");
        }
        check(signs == s.sign_counts[0], "a response to each sign");
        check(all.count > (size_t)signs, "an untrained net responds to something else, too");
        for (size_t i = 0; i < masked.count; i++)
            check(masked.items[i].zone != ZONE_PERIPHERY || masked.items[i].logit == -INFINITY,
                  "a mask is silent in the periphery");
        responses_free(&all);
        responses_free(&masked);
        scenes_free(&s);
    }
    net_free(&net);
}

static void judging_counts(void)
{
    struct response items[] = {
        { .logit = 2, .zone = ZONE_CENTRE, .is_sign = 1, .ahead = 1 },
        { .logit = -2, .zone = ZONE_CENTRE, .is_sign = 1, .ahead = 1 },
        { .logit = 1, .zone = ZONE_PERIPHERY, .is_sign = 1 },
        { .logit = -1, .zone = ZONE_PERIPHERY, .is_sign = 1 },
        { .logit = 3, .zone = ZONE_CENTRE },
    };
    const struct responses r = { items, sizeof items / sizeof items[0], 0 };
    const struct verdict v = judge(&r, 0);

    check(recall(&v.all) == 0.5, "one of two signs ahead");
    check(fabs(precision(&v.all) - 1.0 / 3) < 1e-12, "one of three deeds");
    check(fabs(f1(&v.all) - 0.4) < 1e-12, "F1 of the two");
    check(alarm_rate(&v.zones[ZONE_PERIPHERY]) == 0.5, "one of two signs aside");
    check(precision(&v.zones[ZONE_CENTRE]) == 0.5, "one of two deeds in the centre");
    check(isnan(recall(&v.zones[ZONE_PERIPHERY])), "nothing is ahead in the periphery");
}

int main(void)
{
    coordconv_context *context = NULL;

    need(coordconv_context_new(NULL, &context));
    zones_are_even(context);
    sides_are_kept(context);
    scenes_repeat(context);
    windows_agree(context);
    frames_tell_places(context);
    responses_are_apart(context);
    judging_counts();
    coordconv_context_unref(context);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
