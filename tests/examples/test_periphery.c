/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_periphery.c - signs lie where the rule says, windows show what they should, and a crop with
 * its frame is to a net what that part of the whole view is.
 */
#include <math.h>
#include <string.h>

#include "../../examples/periphery/periphery_eval.h"
#include "fixture.h"
#include "support.h"

enum {
    SCENES = 96,
    ROWS = 6,
    COLUMNS = 9
};

/* ---- scenes ---- */

static void zones_are_even(void **state)
{
    const struct rule rule = { 0.5f, 0 };
    struct scenes s;
    int zones[ZONES] = { 0 }, all = 0, ahead_by_zone[ZONES] = { 0 };
    (void)state;

    check_ok(scenes_make(&s, context, 1, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        for (int i = 0; i < s.sign_counts[k]; i++, all++) {
            const struct road_sign *sign = &s.signs[k][i];
            const enum zone zone = zone_of(&rule, sign->x, sign->y);

            zones[zone]++;
            ahead_by_zone[zone] += is_ahead(&rule, sign->x, sign->y);
        }
    }
    for (int z = 0; z < ZONES; z++)
        assert_true(zones[z] > all / 5 && zones[z] < all / 2);
    assert_true(all > 2 * SCENES && all < 4 * SCENES);
    assert_true(ahead_by_zone[ZONE_CENTRE] == zones[ZONE_CENTRE]);
    assert_true(ahead_by_zone[ZONE_PERIPHERY] == 0);
    assert_true(ahead_by_zone[ZONE_RING] > 0 && ahead_by_zone[ZONE_RING] < zones[ZONE_RING]);
    scenes_free(&s);
}

static void sides_are_kept(void **state)
{
    const struct rule rule = { 1, 1 };
    struct scenes s;
    (void)state;

    check_ok(scenes_make(&s, context, 1, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        for (int i = 0; i < s.sign_counts[k]; i++) {
            const struct road_sign *sign = &s.signs[k][i];
            const int right = sign->kind == ROAD_LIMIT || sign->kind == ROAD_WARNING;

            assert_true((sign->x > ROAD_WIDTH / 2.0f) == right);
            assert_true(is_ahead(&rule, sign->x, sign->y));
        }
    }
    scenes_free(&s);
}

static void scenes_repeat(void **state)
{
    const struct rule rule = { 0.5f, 0 };
    struct scenes a, b, c;
    const size_t bytes = 4 * scene_bytes();
    (void)state;

    check_ok(scenes_make(&a, context, 7, &rule, 4, 0, 0));
    check_ok(scenes_make(&b, context, 7, &rule, 4, 0, 0));
    check_ok(scenes_make(&c, context, 8, &rule, 4, 0, 0));
    assert_true(memcmp(a.pixels, b.pixels, bytes) == 0);
    assert_true(memcmp(a.pixels, c.pixels, bytes) != 0);
    assert_true(memcmp(a.pixels, a.pixels + scene_bytes(), scene_bytes()) != 0);
    scenes_free(&a);
    scenes_free(&b);
    scenes_free(&c);
}

/* ---- windows ---- */

static const struct window crop = { 8, 12, ROWS, COLUMNS }; /* whole cells */

static void windows_agree(void **state)
{
    const struct rule rule = { 0.5f, 0 };
    static float whole[ROAD_HEIGHT * ROAD_WIDTH * 3], part[ROAD_HEIGHT * ROAD_WIDTH * 3];
    static float seen[(ROAD_HEIGHT + RIM_BOTH) * (ROAD_WIDTH + RIM_BOTH) * 3];
    static float cells[VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS], few[ROWS * COLUMNS * ROAD_KINDS];
    struct scenes s;
    int lit = 0;
    (void)state;

    check_ok(scenes_make(&s, context, 3, &rule, SCENES, 0, 0));
    for (int k = 0; k < s.count; k++) {
        fill_image(&s, k, &whole_view, 1, whole);
        fill_image(&s, k, &crop, 1, part);
        fill_image(&s, k, &whole_view, 0, seen);
        assert_true(memcmp(whole, seen + 3 * (RIM_BEFORE * (ROAD_WIDTH + RIM_BOTH) + RIM_BEFORE),
                           3 * ROAD_WIDTH * sizeof *whole) == 0);
        assert_true(memcmp(whole + 3 * (crop.y * ROAD_WIDTH + crop.x), part,
                           3 * COLUMNS * CELL * sizeof *part) == 0);
        fill_target(&s, k, &whole_view, 0, cells);
        fill_target(&s, k, &crop, 0, few);
        for (int i = 0; i < ROWS; i++)
            assert_true(
                memcmp(cells + ((i + crop.y / CELL) * VIEW_COLUMNS + crop.x / CELL) * ROAD_KINDS,
                       few + i * COLUMNS * ROAD_KINDS, COLUMNS * ROAD_KINDS * sizeof *few) == 0);
        for (int i = 0; i < VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS; i++)
            lit += cells[i] > 0;
    }
    assert_true(lit > SCENES);
    scenes_free(&s);
}

/* ---- nets ---- */

/* Logits of scene 0 through a window. */
static void run(const struct net *net, const struct scenes *s, const struct window *w, int framed,
                float *logits)
{
    const int64_t shape[4] = { 1, seen_extent(w->rows, net->padded),
                               seen_extent(w->columns, net->padded), 3 };
    const int64_t cells[4] = { 1, w->rows, w->columns, ROAD_KINDS };
    coordconv_tensor *image = NULL, *out = NULL;
    coordconv_plan *plan = NULL;

    check_ok(net_plan(net, COORDCONV_INFERENCE, 1, w->rows, w->columns, &plan));
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &image));
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, cells, &out));
    fill_image(s, 0, w, net->padded, coordconv_tensor_data(image));
    check_ok(coordconv_plan_bind(plan, "image", image));
    check_ok(coordconv_plan_bind(plan, "logits", out));
    if (framed)
        check_ok(net_set_frames(net, plan, s, 1, w));
    check_ok(coordconv_plan_run(plan));
    memcpy(logits, coordconv_tensor_data(out),
           (size_t)coordconv_tensor_count(out) * sizeof *logits);
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(image);
    coordconv_tensor_unref(out);
}

/* Largest difference between a crop's logits and the view's. */
static double crop_difference(enum net_kind kind, int framed)
{
    static float whole[VIEW_ROWS * VIEW_COLUMNS * ROAD_KINDS], part[ROWS * COLUMNS * ROAD_KINDS];
    const struct rule rule = { 0.5f, 0 };
    struct scenes s;
    struct net net;
    double most = 0;

    check_ok(scenes_make(&s, context, 5, &rule, 1, 0, 0));
    check_ok(net_new(&net, context, kind));
    run(&net, &s, &whole_view, 0, whole);
    run(&net, &s, &crop, framed, part);
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

static void frames_tell_places(void **state)
{
    const double rounding = 1e-4; /* of logits of about 1, through seven layers */
    (void)state;

    assert_true(crop_difference(NET_CONV, 0) < rounding);
    assert_true(crop_difference(NET_PADDED, 0) > 100 * rounding);
    assert_true(crop_difference(NET_INPUT, 1) < rounding);
    assert_true(crop_difference(NET_EVERYWHERE, 1) < rounding);
    assert_true(crop_difference(NET_INPUT, 0) > 100 * rounding);
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
static void responses_are_apart(void **state)
{
    const struct rule rule = { 0.5f, 0 };
    struct net net;
    (void)state;

    check_ok(net_new(&net, context, NET_CONV));
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct responses all = { 0 }, masked = { 0 };
        struct scenes s;
        int signs = 0;

        check_ok(scenes_make(&s, context, seed, &rule, 1, 0, 0));
        check_ok(ask(&net, context, &(struct question){ .scenes = &s }, &all));
        check_ok(ask(&net, context, &(struct question){ .scenes = &s, .mask = 1 }, &masked));
        for (size_t i = 0; i < all.count; i++) {
            signs += all.items[i].is_sign;
            assert_true(all.items[i].is_sign || !is_near_sign(&s, &all.items[i], 9));
        }
        assert_true(signs == s.sign_counts[0]);
        assert_true(all.count > (size_t)signs);
        for (size_t i = 0; i < masked.count; i++)
            assert_true(masked.items[i].zone != ZONE_PERIPHERY ||
                        masked.items[i].logit == -INFINITY);
        responses_free(&all);
        responses_free(&masked);
        scenes_free(&s);
    }
    net_free(&net);
}

static void judging_counts(void **state)
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
    (void)state;

    assert_true(recall(&v.all) == 0.5);
    assert_true(fabs(precision(&v.all) - 1.0 / 3) < 1e-12);
    assert_true(fabs(f1(&v.all) - 0.4) < 1e-12);
    assert_true(alarm_rate(&v.zones[ZONE_PERIPHERY]) == 0.5);
    assert_true(precision(&v.zones[ZONE_CENTRE]) == 0.5);
    assert_true(isnan(recall(&v.zones[ZONE_PERIPHERY])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_even),     cmocka_unit_test(sides_are_kept),
        cmocka_unit_test(scenes_repeat),      cmocka_unit_test(windows_agree),
        cmocka_unit_test(frames_tell_places), cmocka_unit_test(responses_are_apart),
        cmocka_unit_test(judging_counts),
    };

    return cmocka_run_group_tests_name("periphery", tests, start, stop);
}
