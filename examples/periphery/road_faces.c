/* SPDX-License-Identifier: BSD-2-Clause
 *
 * road_faces.c - the faces of signs, and of things that resemble them.
 */
#include "road_scene.h"

static const uint32_t red = 0xd0202a, white = 0xf4f4f0, blue = 0x1458b4, dark = 0x24242c,
                      green = 0x1d8348, yellow = 0xf0c020, orange = 0xe8781e;

static struct road_colour in_light(uint32_t rgb, float lit)
{
    return road_mix(road_colour(0), road_colour(rgb), lit);
}

static void square(struct road_canvas *c, float x, float y, float half, struct road_colour colour)
{
    road_rectangle(c, x - half, y - half, 2 * half, 2 * half, colour);
}

/* Point up, or down where up is -1; the middle of its height at y. */
static void triangle(struct road_canvas *c, float x, float y, float r, float up,
                     struct road_colour colour)
{
    const struct road_point corners[2][3] = {
        { { x, y - 0.9f * r }, { x + r, y + 0.85f * r }, { x - r, y + 0.85f * r } },
        { { x, y + 0.9f * r }, { x - r, y - 0.85f * r }, { x + r, y - 0.85f * r } }
    };

    road_polygon(c, corners[up < 0], 3, colour);
}

static void diamond(struct road_canvas *c, float x, float y, float r, struct road_colour colour)
{
    const struct road_point corners[4] = { { x, y - r }, { x + r, y }, { x, y + r }, { x - r, y } };

    road_polygon(c, corners, 4, colour);
}

static void limit(struct road_canvas *c, float x, float y, float r, float lit)
{
    const struct road_colour ink = in_light(dark, lit);

    road_disc(c, x, y, r, in_light(red, lit));
    road_disc(c, x, y, 0.68f * r, in_light(white, lit));
    road_line(c, x - 0.26f * r, y - 0.3f * r, x - 0.26f * r, y + 0.3f * r, 0.2f * r, ink);
    road_line(c, x + 0.22f * r, y - 0.28f * r, x + 0.22f * r, y + 0.28f * r, 0.34f * r, ink);
    road_line(c, x + 0.22f * r, y - 0.18f * r, x + 0.22f * r, y + 0.18f * r, 0.1f * r,
              in_light(white, lit));
}

static void warning(struct road_canvas *c, float x, float y, float r, float lit)
{
    triangle(c, x, y, r, 1, in_light(red, lit));
    triangle(c, x, y + 0.12f * r, 0.6f * r, 1, in_light(white, lit));
    road_line(c, x, y - 0.1f * r, x, y + 0.22f * r, 0.2f * r, in_light(dark, lit));
    road_disc(c, x, y + 0.46f * r, 0.11f * r, in_light(dark, lit));
}

static void ahead(struct road_canvas *c, float x, float y, float r, float lit)
{
    const struct road_colour paint = in_light(white, lit);
    const struct road_point head[3] = { { x, y - 0.7f * r },
                                        { x + 0.42f * r, y - 0.12f * r },
                                        { x - 0.42f * r, y - 0.12f * r } };

    road_disc(c, x, y, r, paint);
    road_disc(c, x, y, 0.92f * r, in_light(blue, lit));
    road_line(c, x, y - 0.1f * r, x, y + 0.55f * r, 0.28f * r, paint);
    road_polygon(c, head, 3, paint);
}

static void parking(struct road_canvas *c, float x, float y, float r, float lit)
{
    const struct road_colour paint = in_light(white, lit);

    square(c, x, y, 0.92f * r, paint);
    square(c, x, y, 0.84f * r, in_light(blue, lit));
    road_line(c, x - 0.22f * r, y - 0.45f * r, x - 0.22f * r, y + 0.5f * r, 0.24f * r, paint);
    road_disc(c, x + 0.08f * r, y - 0.2f * r, 0.36f * r, paint);
    road_disc(c, x + 0.08f * r, y - 0.2f * r, 0.13f * r, in_light(blue, lit));
}

/* Colours and outlines of signs, but never together: a net must look at both. */
static void decoy(struct road_canvas *c, int which, float x, float y, float r, float lit)
{
    switch (which) {
    case 0: /* a poster in white and red */
        square(c, x, y, 0.9f * r, in_light(red, lit));
        square(c, x, y, 0.62f * r, in_light(white, lit));
        break;
    case 1: /* a balloon, or a red lamp's glass */
        road_disc(c, x, y, r, in_light(red, lit));
        road_disc(c, x - 0.3f * r, y - 0.3f * r, 0.25f * r, in_light(0xf08080, lit));
        break;
    case 2: /* a way out, green */
        square(c, x, y, 0.9f * r, in_light(white, lit));
        square(c, x, y, 0.8f * r, in_light(green, lit));
        road_line(c, x - 0.4f * r, y, x + 0.4f * r, y, 0.25f * r, in_light(white, lit));
        break;
    case 3: /* give way, and no warning */
        triangle(c, x, y, r, -1, in_light(red, lit));
        triangle(c, x, y - 0.12f * r, 0.6f * r, -1, in_light(white, lit));
        break;
    case 4: /* a shop's sign */
        road_disc(c, x, y, r, in_light(yellow, lit));
        road_disc(c, x, y, 0.66f * r, in_light(orange, lit));
        break;
    default:
        diamond(c, x, y, r, in_light(white, lit));
        diamond(c, x, y, 0.8f * r, in_light(yellow, lit));
        break;
    }
}

void road_face_paint(struct road_canvas *c, int kind, float x, float y, float radius, float lit)
{
    switch (kind) {
    case ROAD_LIMIT:
        limit(c, x, y, radius, lit);
        break;
    case ROAD_WARNING:
        warning(c, x, y, radius, lit);
        break;
    case ROAD_AHEAD:
        ahead(c, x, y, radius, lit);
        break;
    case ROAD_PARKING:
        parking(c, x, y, radius, lit);
        break;
    default:
        decoy(c, -1 - kind, x, y, radius, lit);
        break;
    }
}

const char *road_kind_name(int kind)
{
    static const char *const names[ROAD_KINDS] = { "limit", "warning", "ahead", "parking" };

    return names[kind];
}
