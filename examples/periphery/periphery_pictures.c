/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_pictures.c - scenes, where nets act, and what becomes of it when the camera turns.
 */
#include "periphery_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "periphery_cases.h"
#include "common/picture.h"

enum {
    MARGIN = 20,
    LARGE = 4, /* pixels a unit of the view */
    MEDIUM = 3,
    LABEL_WIDTH = 92,
    SHOWN_SCENES = 4,
    MOST_LOOKED_AT = 1000 /* scenes, for enough by day and by night */
};

/* What all pictures need. */
struct album {
    const struct settings *settings;
    coordconv_context *context;
    uint64_t seed;
    struct shared shared;
};

/* A trained net and its threshold. */
struct trained {
    struct net net;
    float threshold;
    int mask;
};

static const char region[] = "region 50 %";

/* ---- trained nets ---- */

static coordconv_status load_net(struct album *a, const struct experiment_case *which,
                                 struct trained *t)
{
    const struct condition *condition = find_condition(which->condition);
    const struct variant *variant = find_variant(which->variant);
    char path[PATH_SIZE];

    t->mask = variant->mask;
    run_weights_path(a->settings, which, a->seed, 0, path);
    coordconv_status status = shared_make(&a->shared, a->context, a->seed, &condition->rule);
    if (status == COORDCONV_OK)
        status = net_new(&t->net, a->context, variant->kind);
    if (status == COORDCONV_OK)
        status = coordconv_load(t->net.model, NULL, path);
    if (status == COORDCONV_OK)
        status = tune(&t->net, a->context, &a->shared.tuning, t->mask, &t->threshold);
    return status;
}

/* ---- panels ---- */

/* Paint a scene as it is, not as a net sees it, at `scale` pixels a unit. */
static coordconv_status draw_scene(struct picture *p, int x, int y, int scale,
                                   const struct road_scene *scene)
{
    struct road_canvas c = { .width = ROAD_WIDTH * scale,
                             .height = ROAD_HEIGHT * scale,
                             .scale = scale };

    c.rgb = malloc((size_t)c.width * (size_t)c.height * 3 * sizeof *c.rgb);
    if (c.rgb == NULL)
        return COORDCONV_ERR_NOMEM;
    road_scene_paint(scene, &c);
    for (int i = 0; i < c.height; i++) {
        for (int j = 0; j < 3 * c.width; j++) {
            const float value = c.rgb[(size_t)i * 3 * (size_t)c.width + (size_t)j];
            p->rgb[3 * ((size_t)(y + i) * (size_t)p->width + (size_t)x) + (size_t)j] =
                (unsigned char)(255 * fminf(fmaxf(value, 0), 1) + 0.5f);
        }
    }
    free(c.rgb);
    return COORDCONV_OK;
}

/* The edge of the central region. */
static void draw_region(struct picture *p, int x, int y, int scale, const struct rule *rule,
                        uint32_t colour)
{
    const double width = (double)(ROAD_WIDTH * rule->central) * scale;
    const double height = (double)(ROAD_HEIGHT * rule->central) * scale;
    const double left = x + (ROAD_WIDTH * scale - width) / 2;
    const double top = y + (ROAD_HEIGHT * scale - height) / 2;

    if (rule->central >= 1)
        return;
    for (double at = 0; at < width; at += 8)
        for (int side = 0; side < 2; side++)
            picture_line(p, left + at, top + side * height, fmin(left + at + 4, left + width),
                         top + side * height, 1.2, colour);
    for (double at = 0; at < height; at += 8)
        for (int side = 0; side < 2; side++)
            picture_line(p, left + side * width, top + at, left + side * width,
                         fmin(top + at + 4, top + height), 1.2, colour);
}

/* Colour of what a net does with something. */
static uint32_t deed_colour(const struct response *r, float threshold)
{
    const int acts = r->logit > threshold;

    if (r->ahead)
        return acts ? COLOUR_BLUE : COLOUR_SAND;
    return acts ? COLOUR_ORANGE : COLOUR_GRID;
}

static double draw_key(struct picture *p, double x, double y, uint32_t colour, const char *name)
{
    picture_fill(p, (int)x, (int)y - 9, 10, 10, colour);
    picture_text(p, x + 16, y, 1, COLOUR_INK, name);
    return x + 16 + picture_text_width(1, name) + 18;
}

static void draw_keys(struct picture *p, double x, double y)
{
    x = draw_key(p, x, y, COLOUR_BLUE, "ahead, acts");
    x = draw_key(p, x, y, COLOUR_SAND, "ahead, misses it");
    x = draw_key(p, x, y, COLOUR_ORANGE, "aside or no sign, acts");
    draw_key(p, x, y, COLOUR_GRID, "aside, silent");
}

/* A dot for each sign, those of what is wrong on top. */
static void draw_dots(struct picture *p, int x, int y, int scale, const struct responses *r,
                      float threshold, const struct scenes *scenes)
{
    picture_fill(p, x, y, ROAD_WIDTH * scale, ROAD_HEIGHT * scale, 0xfafbfc);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->count; i++) {
            const struct response *one = &r->items[i];
            const int acts = one->logit > threshold, wrong = acts != one->ahead;
            const double at_x = x + (double)(one->x - (float)scenes->shift_x) * scale;
            const double at_y = y + (double)(one->y - (float)scenes->shift_y) * scale;

            if (wrong == pass && one->is_sign)
                picture_line(p, at_x, at_y, at_x, at_y, 3, deed_colour(one, threshold));
        }
    }
    picture_frame(p, x - 1, y - 1, ROAD_WIDTH * scale + 2, ROAD_HEIGHT * scale + 2, COLOUR_FAINT);
}

/* Ask a net about the test scenes, or those of the turned camera, and draw the dots. */
static coordconv_status draw_places(struct album *a, struct picture *p, int x, int y,
                                    const struct experiment_case *which, int turned, int framed)
{
    struct trained t = { .mask = 0 };
    struct responses responses = { 0 };
    coordconv_status status = load_net(a, which, &t);
    const struct scenes *scenes = turned ? &a->shared.other : &a->shared.test;
    const struct question q = { .scenes = scenes, .framed = framed, .mask = t.mask };
    char text[40];

    if (status == COORDCONV_OK)
        status = ask(&t.net, a->context, &q, &responses);
    if (status == COORDCONV_OK) {
        const struct verdict v = judge(&responses, t.threshold);

        draw_dots(p, x, y, MEDIUM, &responses, t.threshold, scenes);
        draw_region(p, x - scenes->shift_x * MEDIUM, y - scenes->shift_y * MEDIUM, MEDIUM,
                    &scenes->rule, COLOUR_INK);
        snprintf(text, sizeof text, "F1 %.2f", f1(&v.all));
        picture_text(p, x, y + ROAD_HEIGHT * MEDIUM + 15, 1, COLOUR_INK, text);
    }
    responses_free(&responses);
    net_free(&t.net);
    return status;
}

static coordconv_status write_picture(struct album *a, struct picture *p, const char *name)
{
    char path[PATH_SIZE], message[PATH_SIZE + 80];

    settings_path(a->settings, name, path);
    if (picture_write_png(p, path, message, sizeof message) == 0)
        return COORDCONV_OK;
    fprintf(stderr, "%s\n", message);
    return COORDCONV_ERR_IO;
}

/* ---- pages ---- */

/* Scenes by day and by night, the region drawn in. */
static coordconv_status scenes_page(struct album *a, struct picture *p)
{
    const struct condition *condition = find_condition(region);
    const int step_x = ROAD_WIDTH * LARGE + 8, step_y = ROAD_HEIGHT * LARGE + 8;
    coordconv_status status = COORDCONV_OK;
    int drawn[2] = { 0, 0 };

    picture_text(p, MARGIN, 34, 1.5, COLOUR_INK,
                 "Road scenes, each with up to four signs; those within the dashes are ahead");
    for (int k = 0; k < MOST_LOOKED_AT && drawn[0] + drawn[1] < 8 && status == COORDCONV_OK; k++) {
        struct road_scene scene;
        int noise;

        status =
            scene_of(a->context, set_seed(a->seed, TEST_SET), &condition->rule, k, &scene, &noise);
        if (status != COORDCONV_OK || drawn[scene.night != 0] == 4)
            continue;
        const int x = MARGIN + drawn[scene.night != 0] * step_x;
        const int y = 54 + (scene.night != 0) * step_y;
        status = draw_scene(p, x, y, LARGE, &scene);
        draw_region(p, x, y, LARGE, &condition->rule, COLOUR_WHITE);
        drawn[scene.night != 0]++;
    }
    return status;
}

/* Rings about everything a net did or should have done in one scene. */
static void draw_deeds(struct picture *p, int x, int y, const struct responses *r,
                       const struct trained *t)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct response *one = &r->items[i];

        if (one->logit > t->threshold || one->ahead)
            picture_ring(p, x + (double)one->x * MEDIUM, y + (double)one->y * MEDIUM, 25, 4,
                         deed_colour(one, t->threshold));
    }
}

/* One scene of the test set, by itself. */
static coordconv_status ask_one(struct album *a, const struct trained *t, int which,
                                struct responses *responses)
{
    const struct scenes *test = &a->shared.test;
    struct scenes one = *test;
    const size_t size = scene_bytes();

    one.count = 1;
    one.signs = test->signs + which;
    one.sign_counts = test->sign_counts + which;
    one.pixels = test->pixels + (size_t)which * size;
    const struct question q = { .scenes = &one, .mask = t->mask };
    return ask(&t->net, a->context, &q, responses);
}

/* The n-th test scene that has signs ahead and aside, away from the edge; -1: none. */
static int telling_scene(const struct scenes *s, int n)
{
    for (int k = 0; k < s->count; k++) {
        int zones[ZONES] = { 0 };

        for (int i = 0; i < s->sign_counts[k]; i++)
            zones[zone_of(&s->rule, s->signs[k][i].x, s->signs[k][i].y)]++;
        if (zones[ZONE_CENTRE] > 0 && zones[ZONE_PERIPHERY] > 0 && zones[ZONE_RING] == 0 &&
            n-- == 0)
            return k;
    }
    return -1;
}

static coordconv_status acts_column(struct album *a, struct picture *p, int column,
                                    const char *variant)
{
    const struct experiment_case which = { region, variant };
    const int x = MARGIN + column * (ROAD_WIDTH * MEDIUM + 10);
    struct trained t = { .mask = 0 };
    coordconv_status status = load_net(a, &which, &t);

    picture_text(p, x, 76, 1.1, COLOUR_INK, variant);
    for (int row = 0; row < SHOWN_SCENES && status == COORDCONV_OK; row++) {
        const int y = 86 + row * (ROAD_HEIGHT * MEDIUM + 10);
        const int scene_number = telling_scene(&a->shared.test, row);
        struct responses responses = { 0 };
        struct road_scene scene;
        int noise;

        if (scene_number < 0)
            break;
        status = scene_of(a->context, set_seed(a->seed, TEST_SET), &a->shared.rule, scene_number,
                          &scene, &noise);
        if (status == COORDCONV_OK)
            status = ask_one(a, &t, scene_number, &responses);
        if (status == COORDCONV_OK)
            status = draw_scene(p, x, y, MEDIUM, &scene);
        draw_region(p, x, y, MEDIUM, &a->shared.rule, COLOUR_WHITE);
        draw_deeds(p, x, y, &responses, &t);
        responses_free(&responses);
    }
    net_free(&t.net);
    return status;
}

static const char *const shown_variants[] = { "conv", "zero padding", "zero padding, deep",
                                              "coords at input", "coords everywhere" };

enum {
    SHOWN_VARIANTS = sizeof shown_variants / sizeof shown_variants[0]
};

static coordconv_status acts_page(struct album *a, struct picture *p)
{
    coordconv_status status = COORDCONV_OK;

    picture_text(p, MARGIN, 30, 1.5, COLOUR_INK, "Where each net acts, on the same scenes");
    draw_keys(p, MARGIN, 52);
    for (int k = 0; k < SHOWN_VARIANTS && status == COORDCONV_OK; k++)
        status = acts_column(a, p, k, shown_variants[k]);
    return status;
}

static coordconv_status places_page(struct album *a, struct picture *p)
{
    static const char *const rows[] = { "region 35 %", "region 50 %", "region 75 %" };
    coordconv_status status = COORDCONV_OK;

    picture_text(p, MARGIN, 30, 1.5, COLOUR_INK,
                 "Every sign of the test scenes as a dot at its place in the view");
    draw_keys(p, MARGIN, 52);
    for (int column = 0; column < SHOWN_VARIANTS; column++)
        picture_text(p, MARGIN + LABEL_WIDTH + column * (ROAD_WIDTH * MEDIUM + 10), 76, 1.1,
                     COLOUR_INK, shown_variants[column]);
    for (int row = 0; row < 3; row++) {
        const int y = 86 + row * (ROAD_HEIGHT * MEDIUM + 32);

        picture_text(p, MARGIN, y + 14, 1, COLOUR_INK, rows[row]);
        for (int column = 0; column < SHOWN_VARIANTS && status == COORDCONV_OK; column++) {
            const struct experiment_case which = { rows[row], shown_variants[column] };

            if (column != 2 || row != 2) /* where any padding will do there is no deep net */
                status =
                    draw_places(a, p, MARGIN + LABEL_WIDTH + column * (ROAD_WIDTH * MEDIUM + 10), y,
                                &which, 0, 0);
        }
    }
    return status;
}

/* The camera straight, turned, and turned with frames; trained on whole views. */
static coordconv_status turned_page(struct album *a, struct picture *p)
{
    static const char *const titles[] = { "camera straight", "turned, not told",
                                          "turned, told by a frame" };
    const struct experiment_case which = { region, "coords at input" };
    coordconv_status status = COORDCONV_OK;

    picture_text(p, MARGIN, 30, 1.5, COLOUR_INK, "The same net when the camera turns aside");
    draw_keys(p, MARGIN, 52);
    for (int k = 0; k < 3 && status == COORDCONV_OK; k++) {
        const int x = MARGIN + k * (ROAD_WIDTH * MEDIUM + 24);

        picture_text(p, x, 76, 1.1, COLOUR_INK, titles[k]);
        status = draw_places(a, p, x, 86, &which, k > 0, k == 2);
    }
    return status;
}

struct page {
    const char *file;
    int width, height;
    coordconv_status (*draw)(struct album *a, struct picture *p);
};

static const struct page pages[] = {
    { "scenes.png", 2 * MARGIN + 4 * (ROAD_WIDTH * LARGE + 8) - 8,
      54 + 2 * (ROAD_HEIGHT * LARGE + 8) + 8, scenes_page },
    { "acts.png", 2 * MARGIN + SHOWN_VARIANTS *(ROAD_WIDTH *MEDIUM + 10) - 10,
      86 + SHOWN_SCENES *(ROAD_HEIGHT *MEDIUM + 10) + 8, acts_page },
    { "places.png", 2 * MARGIN + LABEL_WIDTH + SHOWN_VARIANTS *(ROAD_WIDTH *MEDIUM + 10) - 10,
      86 + 3 * (ROAD_HEIGHT * MEDIUM + 32) + 4, places_page },
    { "turned.png", 2 * MARGIN + 3 * (ROAD_WIDTH * MEDIUM + 24) - 24, 86 + ROAD_HEIGHT *MEDIUM + 36,
      turned_page },
};

coordconv_status pictures_make(const struct settings *settings, long scenes)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .seed = (uint64_t)settings->first_seed,
                                          .threads = (int32_t)settings->threads };
    struct album a = { .settings = settings,
                       .seed = (uint64_t)settings->first_seed,
                       .shared = { .scenes = scenes } };
    coordconv_status status = coordconv_context_new(&desc, &a.context);

    for (size_t i = 0; i < sizeof pages / sizeof pages[0] && status == COORDCONV_OK; i++) {
        struct picture *p = picture_new(pages[i].width, pages[i].height, COLOUR_WHITE);

        status = p != NULL ? pages[i].draw(&a, p) : COORDCONV_ERR_NOMEM;
        if (status == COORDCONV_OK)
            status = write_picture(&a, p, pages[i].file);
        picture_free(p);
    }
    shared_free(&a.shared);
    coordconv_context_unref(a.context);
    return status;
}
