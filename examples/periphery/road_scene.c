/* SPDX-License-Identifier: BSD-2-Clause
 *
 * road_scene.c - lots, and a scene painted from far to near.
 */
#include "road_scene.h"

#include <math.h>
#include <string.h>

#include "common/draws.h"

static const float bottom = ROAD_HEIGHT + ROAD_RIM; /* of what can be seen, the rim included */

/* A scene being painted: the canvas, the lots not used yet, the lie of the land, the light. */
struct painter {
    struct road_canvas *canvas;
    const float *lots;
    int used;
    float horizon;             /* y of the far end of the ground */
    float far_x, near_x, bend; /* middle of the road at the horizon and at the bottom */
    float half;                /* of the road's width at the bottom */
    int night;
    struct road_colour light;  /* what white looks like */
    struct road_colour sky[2]; /* at the top, at the horizon */
    struct road_colour verge, asphalt;
};

/* ---- lots ---- */

coordconv_status road_scene_make(struct road_scene *scene, coordconv_context *context,
                                 uint64_t seed, uint32_t number, const struct road_sign *signs,
                                 int count)
{
    scene->sign_count = count;
    memcpy(scene->signs, signs, (size_t)count * sizeof *signs);
    const coordconv_status status = draws_uniform(context, seed, number, ROAD_LOTS, scene->lots);
    scene->night = scene->lots[0] < 0.35f;
    return status;
}

/* A number in low .. high. The lots begin anew after the last: a scene needs fewer. */
static float lot(struct painter *p, float low, float high)
{
    return low + (high - low) * p->lots[p->used++ % ROAD_LOTS];
}

static int pick(struct painter *p, int count)
{
    return (int)lot(p, 0, (float)count);
}

static int chance(struct painter *p, float share)
{
    return lot(p, 0, 1) < share;
}

static struct road_colour lit(const struct painter *p, uint32_t rgb)
{
    const struct road_colour c = road_colour(rgb);

    return (struct road_colour){ c.r * p->light.r, c.g * p->light.g, c.b * p->light.b };
}

/* One of these, a little lighter or darker. */
static struct road_colour lit_one_of(struct painter *p, const uint32_t *colours, int count)
{
    const struct road_colour c = lit(p, colours[pick(p, count)]);
    const float shade = lot(p, 0.8f, 1.15f);

    return (struct road_colour){ c.r * shade, c.g * shade, c.b * shade };
}

/* ---- the lie of the land ---- */

static void choose_day(struct painter *p)
{
    const int dusk = chance(p, 0.25f);
    const float grey = lot(p, 0, 1);

    p->light = dusk ? (struct road_colour){ 0.82f, 0.66f, 0.6f }
                    : (struct road_colour){ 1, 0.98f - 0.02f * grey, 0.95f };
    p->sky[0] =
        dusk ? road_colour(0x4a5a8c) : road_mix(road_colour(0x3c82d2), road_colour(0x9aa6b2), grey);
    p->sky[1] = dusk ? road_mix(road_colour(0xf0a060), road_colour(0xd87a6a), grey)
                     : road_mix(road_colour(0xbfdcf2), road_colour(0xd4d9dd), grey);
}

static void choose_night(struct painter *p)
{
    const float moon = lot(p, 0.14f, 0.26f);

    p->light = (struct road_colour){ moon, moon * 1.05f, moon * 1.3f };
    p->sky[0] = road_colour(0x070a16);
    p->sky[1] = road_mix(road_colour(0x141b33), road_colour(0x33304a), lot(p, 0, 1));
}

static void choose_land(struct painter *p)
{
    static const uint32_t verges[] = { 0x6d9244, 0x5b8340, 0x87924a, 0xa39266, 0x8a9a80 };

    p->horizon = lot(p, 8, 38);
    p->far_x = lot(p, -10, ROAD_WIDTH + 10);
    p->near_x = p->far_x + lot(p, -45, 45);
    p->bend = lot(p, -20, 20);
    p->half = lot(p, 20, 44);
    (p->night ? choose_night : choose_day)(p);
    p->verge = lit_one_of(p, verges, 5);
    p->asphalt = lit_one_of(p, (const uint32_t[]){ 0x6a6a6e, 0x5a5c62, 0x77736e }, 3);
}

/* Middle of the road at nearness t, 0 at the horizon and 1 at the bottom. */
static float road_middle(const struct painter *p, float t)
{
    return p->far_x + (p->near_x - p->far_x) * t + p->bend * (1 - t) * (1 - t) - p->bend;
}

static float ground_y(const struct painter *p, float t)
{
    return p->horizon + t * (bottom - p->horizon);
}

/* ---- sky and ground ---- */

static void paint_sky(struct painter *p)
{
    struct road_canvas *c = p->canvas;

    for (int i = 0; i < c->height; i++) {
        const float y = (float)(c->top + (i + 0.5) / c->scale);
        const float t = (y + ROAD_RIM) / (p->horizon + ROAD_RIM);
        const struct road_colour colour = road_mix(p->sky[0], p->sky[1], fminf(t * t, 1));

        for (int j = 0; j < c->width; j++)
            road_blend(c, i, j, colour, 1);
    }
}

static void paint_stars(struct painter *p)
{
    for (int i = 0; i < 14; i++) {
        const float x = lot(p, -ROAD_RIM, ROAD_WIDTH + ROAD_RIM), y = lot(p, -ROAD_RIM, p->horizon);

        road_glow(p->canvas, x, y, 0.7f, road_colour(0x9098a8));
    }
}

static void paint_clouds(struct painter *p)
{
    const struct road_colour here = road_mix(p->sky[0], p->sky[1], 0.5f);
    const struct road_colour towards_white = { p->light.r - here.r, p->light.g - here.g,
                                               p->light.b - here.b };
    const int clouds = pick(p, 4);

    for (int i = 0; i < clouds; i++) {
        float x = lot(p, -ROAD_RIM, ROAD_WIDTH);
        const float y = lot(p, -ROAD_RIM, p->horizon - 4), size = lot(p, 3, 7);

        for (int k = 0; k < 5; k++) {
            road_glow(p->canvas, x, y + lot(p, -0.3f, 0.1f) * size, size * lot(p, 0.6f, 1.2f),
                      road_mix(road_colour(0), towards_white, 0.35f));
            x += size * 0.8f;
        }
    }
}

/* Hills: knots at even distances, joined by smooth steps. */
static void paint_hills(struct painter *p, float height, struct road_colour colour)
{
    enum {
        KNOTS = 8
    };
    struct road_canvas *c = p->canvas;
    const float step = (ROAD_WIDTH + 2 * ROAD_RIM) / (float)(KNOTS - 1);
    float knots[KNOTS + 1];

    for (int k = 0; k <= KNOTS; k++)
        knots[k] = height * lot(p, 0, 1);
    for (int j = 0; j < c->width; j++) {
        const float at = ((float)(c->left + (j + 0.5) / c->scale) + ROAD_RIM) / step;
        const int k = at < 0 ? 0 : at < KNOTS ? (int)at : KNOTS - 1;
        const float t = at - (float)k, s = t * t * (3 - 2 * t);
        const float crest = p->horizon - (knots[k] + (knots[k + 1] - knots[k]) * s);

        for (int i = 0; i < c->height; i++) {
            const float y = (float)(c->top + (i + 0.5) / c->scale);
            road_blend(c, i, j, colour, (y - crest) * (float)c->scale + 0.5f);
        }
    }
}

static void paint_skyline(struct painter *p)
{
    const struct road_colour colour = road_mix(lit(p, 0x707888), p->sky[1], 0.45f);
    float x = lot(p, -ROAD_RIM, 30);
    const float end = x + lot(p, 20, 60);

    while (x < end) {
        const float width = lot(p, 3, 8), height = lot(p, 2, 9);

        road_rectangle(p->canvas, x, p->horizon - height, width, height + 1, colour);
        if (p->night)
            for (int k = 0; k < 3; k++)
                road_rectangle(p->canvas, x + lot(p, 0.5f, width - 1),
                               p->horizon - lot(p, 1, height), 0.6f, 0.6f, road_colour(0xc8a860));
        x += width + lot(p, 0, 2);
    }
}

/* How much of a pixel with its middle at v, `size` wide, lies within low .. high. */
static float within(float v, float low, float high, float size)
{
    const float a = fmaxf(low, v - size / 2), b = fminf(high, v + size / 2);

    return b > a ? (b - a) / size : 0;
}

/* One row of ground: verge, asphalt, edge lines, and dashes in the middle, u from -1 to 1 over
 * the road. */
static void paint_ground_row(struct painter *p, int row, float t, float dash)
{
    struct road_canvas *c = p->canvas;
    const float half = p->half * t, middle = road_middle(p, t);
    const float size = 1 / ((float)c->scale * half);
    const float haze = 0.5f * (1 - t) * (1 - t);
    const float depth = 0.8f / t + dash,
                dash_cover = t > 0.12f ? depth - floorf(depth) < 0.5f : 0.5f;
    const struct road_colour verge = road_mix(p->verge, p->sky[1], haze);
    const struct road_colour asphalt = road_mix(p->asphalt, p->sky[1], haze);
    const struct road_colour line = road_mix(asphalt, lit(p, 0xf0f0ea), 0.8f);

    for (int j = 0; j < c->width; j++) {
        const float u = ((float)(c->left + (j + 0.5) / c->scale) - middle) / half;

        road_blend(c, row, j, verge, 1);
        road_blend(c, row, j, asphalt, within(u, -1, 1, size));
        road_blend(c, row, j, line, within(fabsf(u), 0.88f, 0.94f, size));
        road_blend(c, row, j, line, within(u, -0.03f, 0.03f, size) * dash_cover);
    }
}

static void paint_ground(struct painter *p)
{
    struct road_canvas *c = p->canvas;
    const float dash = lot(p, 0, 1);

    for (int i = 0; i < c->height; i++) {
        const float y = (float)(c->top + (i + 0.5) / c->scale);
        if (y > p->horizon)
            paint_ground_row(p, i, fmaxf((y - p->horizon) / (bottom - p->horizon), 0.01f), dash);
    }
}

/* The light of our own lamps on the road. */
static void paint_headlights(struct painter *p)
{
    for (int k = -1; k <= 1; k += 2)
        road_glow(p->canvas, road_middle(p, 0.6f) + (float)k * 5, ground_y(p, 0.55f), 18,
                  road_colour(0x3a3628));
}

/* ---- things beside the road ---- */

static void paint_tree(struct painter *p, float x, float y, float size)
{
    static const uint32_t leaves[] = { 0x3f6b2c, 0x557d35, 0x6b7f38, 0x8a6a2c, 0x2f5a35 };
    const struct road_colour leaf = lit_one_of(p, leaves, 5);
    const struct road_colour shade = road_mix(leaf, road_colour(0), 0.25f);
    const float height = size * lot(p, 9, 15);

    road_line(p->canvas, x, y, x, y - height * 0.6f, size * 1.1f, lit(p, 0x5a4632));
    if (chance(p, 0.3f)) { /* a fir */
        for (int k = 0; k < 3; k++) {
            const float top = y - height * (1.05f - 0.22f * (float)k);
            const float half = size * (1.8f + 0.8f * (float)k);
            const struct road_point corners[3] = { { x, top },
                                                   { x + half, top + height * 0.42f },
                                                   { x - half, top + height * 0.42f } };
            road_polygon(p->canvas, corners, 3, k == 1 ? shade : leaf);
        }
        return;
    }
    for (int k = 0; k < 6; k++) {
        const float dx = lot(p, -2.4f, 2.4f) * size, dy = lot(p, 0.5f, 1) * height;
        road_disc(p->canvas, x + dx, y - dy, size * lot(p, 1.5f, 2.8f), k < 3 ? shade : leaf);
    }
}

static void paint_windows(struct painter *p, float x, float y, float width, float height,
                          float size)
{
    const float side = size * 1.1f;

    for (float wy = y + size; wy + side < y + height; wy += size * 2.6f)
        for (float wx = x + size * 0.8f; wx + side < x + width; wx += size * 2.2f) {
            const int bright = p->night && chance(p, 0.45f);
            road_rectangle(p->canvas, wx, wy, side, side * 1.3f,
                           bright ? road_colour(0xe0b860) : lit(p, 0x3c4654));
        }
}

static void paint_house(struct painter *p, float x, float y, float size)
{
    static const uint32_t walls[] = { 0xd9cdb8, 0xb98a6a, 0xcfc6bd, 0x9c5a48, 0xc9b27c };
    const float width = size * lot(p, 9, 15), height = size * lot(p, 5, 10);
    const float left = x - width / 2, eave = size;
    const struct road_point roof[4] = { { left + width * 0.2f, y - height - size * 3.4f },
                                        { left + width * 0.8f, y - height - size * 3.4f },
                                        { left + width + eave, y - height },
                                        { left - eave, y - height } };

    road_rectangle(p->canvas, left, y - height, width, height, lit_one_of(p, walls, 5));
    road_polygon(p->canvas, roof, 4,
                 lit_one_of(p, (const uint32_t[]){ 0x7a3b2e, 0x4d4a50, 0x8a5a3c }, 3));
    paint_windows(p, left, y - height, width, height, size);
}

static void paint_lamp(struct painter *p, float x, float y, float size)
{
    const float top = y - 14 * size, arm = chance(p, 0.5f) ? 3.5f * size : -3.5f * size;
    const struct road_colour metal = lit(p, 0x8a9098);

    road_line(p->canvas, x, y, x, top, 0.45f * size, metal);
    road_line(p->canvas, x, top, x + arm, top - 0.4f * size, 0.4f * size, metal);
    if (p->night) {
        road_glow(p->canvas, x + arm, top, 5 * size, road_colour(0x8a6a34));
        road_disc(p->canvas, x + arm, top, 0.6f * size, road_colour(0xffe2a0));
    } else {
        road_line(p->canvas, x + arm * 0.8f, top, x + arm, top, 0.8f * size, lit(p, 0x50545a));
    }
}

static void paint_post(struct painter *p, float x, float y, float size)
{
    const float top = y - 15 * size;
    const struct road_colour wood = lit(p, 0x6a5642);

    road_line(p->canvas, x, y, x, top, 0.5f * size, wood);
    road_line(p->canvas, x - 2 * size, top + size, x + 2 * size, top + size, 0.35f * size, wood);
}

/* Three lamps in a dark box; one of them is lit, and the red one resembles a sign from far. */
static void paint_traffic_light(struct painter *p, float x, float y, float size)
{
    static const uint32_t lamps[3] = { 0xf03028, 0xf0b428, 0x30d060 };
    const float top = y - 11 * size;
    const int on = pick(p, 3);

    road_line(p->canvas, x, y, x, top, 0.5f * size, lit(p, 0x6a7078));
    road_rectangle(p->canvas, x - 1.1f * size, top - 5 * size, 2.2f * size, 6 * size,
                   lit(p, 0x2c3034));
    for (int k = 0; k < 3; k++)
        road_disc(p->canvas, x, top - 4 * size + 2 * size * (float)k, 0.8f * size,
                  k == on ? road_colour(lamps[k]) : lit(p, 0x484c50));
}

/* From behind, or coming towards us. */
static void paint_car(struct painter *p, float x, float y, float size)
{
    static const uint32_t paints[] = { 0xb03030, 0x305a9c, 0xd8d8d8, 0x2c2c32, 0x8a9098, 0xc8a83c };
    const struct road_colour body = lit_one_of(p, paints, 6);
    const int towards = chance(p, 0.5f);
    const float half = 3.4f * size;
    const uint32_t lamp = towards ? 0xfff4d0 : 0xe02828;
    const struct road_point cabin[4] = { { x - 0.62f * half, y - 5.4f * size },
                                         { x + 0.62f * half, y - 5.4f * size },
                                         { x + 0.85f * half, y - 3.4f * size },
                                         { x - 0.85f * half, y - 3.4f * size } };

    road_rectangle(p->canvas, x - half * 0.9f, y - 1.2f * size, half * 0.4f, 1.4f * size,
                   lit(p, 0x1c1c20));
    road_rectangle(p->canvas, x + half * 0.5f, y - 1.2f * size, half * 0.4f, 1.4f * size,
                   lit(p, 0x1c1c20));
    road_polygon(p->canvas, cabin, 4, lit(p, 0x3a4450));
    road_rectangle(p->canvas, x - half, y - 3.5f * size, 2 * half, 2.8f * size, body);
    for (int k = -1; k <= 1; k += 2) {
        const float at = x + (float)k * half * 0.72f;

        if (p->night)
            road_glow(p->canvas, at, y - 2.6f * size, 2.4f * size,
                      road_mix(road_colour(0), road_colour(lamp), 0.5f));
        road_disc(p->canvas, at, y - 2.6f * size, 0.6f * size,
                  p->night ? road_colour(lamp) : lit(p, lamp));
    }
}

/* A poster: coloured fields, and often something that looks like a sign. */
static void paint_billboard(struct painter *p, float x, float y, float size)
{
    static const uint32_t fields[] = { 0xe8e0d0, 0xd04838, 0x3468b0, 0xe0b030, 0x3c8a5a };
    const float width = 12 * size, height = 7 * size, top = y - 13 * size;
    const float bright = p->night ? 0.55f : 0.95f;

    road_line(p->canvas, x - 4 * size, y, x - 4 * size, top, 0.5f * size, lit(p, 0x6a6a6a));
    road_line(p->canvas, x + 4 * size, y, x + 4 * size, top, 0.5f * size, lit(p, 0x6a6a6a));
    road_rectangle(p->canvas, x - width / 2, top, width, height, lit(p, 0x505050));
    road_rectangle(p->canvas, x - width / 2 + 0.4f * size, top + 0.4f * size, width - 0.8f * size,
                   height - 0.8f * size,
                   road_mix(road_colour(0), road_colour(fields[pick(p, 5)]), bright));
    road_face_paint(p->canvas, -1 - pick(p, ROAD_DECOYS), x + lot(p, -2.5f, 2.5f) * size,
                    top + height / 2, 2.2f * size, bright);
    road_line(p->canvas, x - 4 * size, top + 6 * size, x + lot(p, 0, 4) * size, top + 6 * size,
              0.6f * size, road_mix(road_colour(0), road_colour(fields[pick(p, 5)]), bright));
}

static void paint_thing(struct painter *p, float t)
{
    static void (*const roadside[])(struct painter *, float, float,
                                    float) = { paint_tree,  paint_tree,          paint_tree,
                                               paint_house, paint_house,         paint_lamp,
                                               paint_post,  paint_traffic_light, paint_billboard };
    const float y = ground_y(p, t), size = 0.35f + 1.5f * t;
    const float lane = road_middle(p, t) + p->half * t * lot(p, -0.75f, 0.75f);

    if (chance(p, 0.25f)) {
        paint_car(p, lane, y, size);
    } else {
        const float beyond = p->half * t * 1.15f + lot(p, 2, 40) * (0.3f + t);
        const float x = road_middle(p, t) + (chance(p, 0.5f) ? beyond : -beyond);
        roadside[pick(p, (int)(sizeof roadside / sizeof roadside[0]))](p, x, y, size);
    }
}

/* From far to near. */
static void paint_things(struct painter *p)
{
    const int count = 7 + pick(p, 8);

    for (int k = 0; k < count; k++)
        paint_thing(p, 0.06f + 0.6f * ((float)k + lot(p, 0, 1)) / (float)count);
}

/* ---- signs ---- */

/* A post down to the ground, an arm from a post at the side, or hung from above. */
static void paint_mount(struct painter *p, float x, float y, float radius)
{
    const struct road_colour metal = lit(p, 0x9aa0a6);
    const int way = pick(p, 4);
    const float foot = fmaxf(y + radius * lot(p, 2.5f, 4.5f), p->horizon + 2);
    const float side = chance(p, 0.5f) ? radius * 3.5f : -radius * 3.5f;

    if (way == 0 && y < p->horizon) {
        road_line(p->canvas, x, y, x, -ROAD_RIM - 1, 0.22f * radius, metal);
    } else if (way == 1) {
        road_line(p->canvas, x, y, x + side, y, 0.2f * radius, metal);
        road_line(p->canvas, x + side, y, x + side, foot, 0.26f * radius, metal);
    } else {
        road_line(p->canvas, x, y, x, foot, 0.24f * radius, metal);
    }
}

/* Leaves over one side, a post in front, or a pillar. At most about a third of
 * the face is hidden. */
static void paint_in_front(struct painter *p, float x, float y, float radius)
{
    static const uint32_t leaves[] = { 0x3f6b2c, 0x557d35, 0x6b7f38 };
    const int way = pick(p, 3);
    const float sign = chance(p, 0.5f) ? 1 : -1;

    if (way == 0) {
        const struct road_colour leaf = lit_one_of(p, leaves, 3);
        for (int k = 0; k < 5; k++)
            road_disc(p->canvas, x + sign * radius * lot(p, 0.7f, 1.5f), y + radius * lot(p, -1, 1),
                      radius * lot(p, 0.25f, 0.5f), leaf);
    } else if (way == 1) {
        const float at = x + radius * lot(p, -0.7f, 0.7f), lean = radius * lot(p, -0.3f, 0.3f);
        road_line(p->canvas, at - lean, y - 2.2f * radius, at + lean, y + 2.6f * radius,
                  0.3f * radius, lit(p, 0x6e6a64));
    } else {
        const float edge = x + sign * radius * lot(p, 0.35f, 0.8f), width = radius * lot(p, 1, 2);
        road_rectangle(p->canvas, sign > 0 ? edge : edge - width, y - radius * lot(p, 0.8f, 1.6f),
                       width, bottom - y + 2 * radius,
                       lit_one_of(p, (const uint32_t[]){ 0x8a8276, 0x5c6670, 0xa8a090 }, 3));
    }
}

/* By night a sign shines back more or less of our light. */
static float face_light(struct painter *p)
{
    const float shine = lot(p, 0.4f, 0.9f);

    return p->night ? shine : p->light.g * (0.8f + 0.2f * shine);
}

static void paint_signs(struct painter *p, const struct road_scene *scene)
{
    for (int k = 0; k < scene->sign_count; k++) {
        const struct road_sign *s = &scene->signs[k];

        paint_mount(p, s->x, s->y, s->radius);
        road_face_paint(p->canvas, s->kind, s->x, s->y, s->radius, face_light(p));
        if (chance(p, 0.3f))
            paint_in_front(p, s->x, s->y, s->radius);
    }
}

static int is_free(const struct road_scene *scene, float x, float y, float radius)
{
    for (int k = 0; k < scene->sign_count; k++) {
        const struct road_sign *s = &scene->signs[k];

        if (fmaxf(fabsf(s->x - x), fabsf(s->y - y)) < s->radius + radius + 1)
            return 0;
    }
    return 1;
}

/* As large as signs, as bright, anywhere; one that would touch a sign is left out. */
static void paint_decoys(struct painter *p, const struct road_scene *scene)
{
    const int count = 1 + pick(p, 3);

    for (int k = 0; k < count; k++) {
        const float x = lot(p, 0, ROAD_WIDTH), y = lot(p, 0, ROAD_HEIGHT), r = lot(p, 4, 7);
        const int which = pick(p, ROAD_DECOYS);
        const float light = face_light(p);

        if (is_free(scene, x, y, r)) {
            paint_mount(p, x, y, r);
            road_face_paint(p->canvas, -1 - which, x, y, r, light);
        }
    }
}

void road_scene_paint(const struct road_scene *scene, struct road_canvas *canvas)
{
    struct painter p = { .canvas = canvas, .lots = scene->lots, .used = 1, .night = scene->night };

    choose_land(&p);
    paint_sky(&p);
    (p.night ? paint_stars : paint_clouds)(&p);
    paint_hills(&p, lot(&p, 3, 12), road_mix(lit(&p, 0x6c86a0), p.sky[1], 0.6f));
    paint_hills(&p, lot(&p, 1, 6), road_mix(lit(&p, 0x5a7a52), p.sky[1], 0.35f));
    if (chance(&p, 0.35f))
        paint_skyline(&p);
    paint_ground(&p);
    if (p.night)
        paint_headlights(&p);
    paint_things(&p);
    paint_decoys(&p, scene);
    paint_signs(&p, scene);
}
