/* SPDX-License-Identifier: BSD-2-Clause
 *
 * road_canvas.c - smooth shapes by their distance to a pixel's middle.
 *
 * A pixel whose middle lies d pixels inside a shape is covered by d + 1/2, held in 0 .. 1: an edge
 * that is smooth over one pixel, at any resolution.
 */
#include "road_canvas.h"

#include <math.h>

/* What can be painted: the distance of a point to it, positive inside, in units. */
struct shape {
    const struct road_point *points;
    int count;
    float radius; /* of a disc or of a stroke's half width */
    float (*inside)(const struct shape *shape, float x, float y);
};

struct road_colour road_colour(uint32_t rgb)
{
    return (struct road_colour){ (float)(rgb >> 16 & 255) / 255, (float)(rgb >> 8 & 255) / 255,
                                 (float)(rgb & 255) / 255 };
}

struct road_colour road_mix(struct road_colour a, struct road_colour b, float t)
{
    return (struct road_colour){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t,
                                 a.b + (b.b - a.b) * t };
}

static float *pixel_at(const struct road_canvas *c, int row, int column)
{
    return c->rgb + 3 * ((int64_t)row * c->width + column);
}

void road_blend(struct road_canvas *c, int row, int column, struct road_colour colour, float cover)
{
    if (row < 0 || column < 0 || row >= c->height || column >= c->width || cover <= 0)
        return;
    float *pixel = pixel_at(c, row, column);
    const float rest = cover < 1 ? 1 - cover : 0, share = 1 - rest;

    if (rest == 0) { /* what was there, perhaps nothing yet, leaves no trace */
        pixel[0] = colour.r;
        pixel[1] = colour.g;
        pixel[2] = colour.b;
        return;
    }
    pixel[0] = pixel[0] * rest + colour.r * share;
    pixel[1] = pixel[1] * rest + colour.g * share;
    pixel[2] = pixel[2] * rest + colour.b * share;
}

/* First and last pixel of low .. high units along an axis of the canvas, with room for the edge. */
static void span(double low, double high, double from, double scale, int extent, int *first,
                 int *last)
{
    const double a = floor((low - from) * scale) - 1, b = ceil((high - from) * scale) + 1;

    *first = a > 0 ? (a < extent ? (int)a : extent) : 0;
    *last = b < extent - 1 ? (b > -1 ? (int)b : -1) : extent - 1;
}

static void paint(struct road_canvas *c, const struct shape *s, struct road_colour colour)
{
    float left = s->points[0].x, right = left, top = s->points[0].y, bottom = top;
    int row0, row1, column0, column1;

    for (int i = 1; i < s->count; i++) {
        left = fminf(left, s->points[i].x);
        right = fmaxf(right, s->points[i].x);
        top = fminf(top, s->points[i].y);
        bottom = fmaxf(bottom, s->points[i].y);
    }
    span((double)(top - s->radius), (double)(bottom + s->radius), c->top, c->scale, c->height,
         &row0, &row1);
    span((double)(left - s->radius), (double)(right + s->radius), c->left, c->scale, c->width,
         &column0, &column1);
    for (int i = row0; i <= row1; i++) {
        const float y = (float)(c->top + (i + 0.5) / c->scale);

        for (int j = column0; j <= column1; j++) {
            const float x = (float)(c->left + (j + 0.5) / c->scale);
            const float cover = s->inside(s, x, y) * (float)c->scale + 0.5f;

            road_blend(c, i, j, colour, cover);
        }
    }
}

static float inside_polygon(const struct shape *s, float x, float y)
{
    float least = INFINITY;

    for (int i = 0; i < s->count; i++) {
        const struct road_point a = s->points[i], b = s->points[(i + 1) % s->count];
        const float dx = b.x - a.x, dy = b.y - a.y;

        least = fminf(least, (dx * (y - a.y) - dy * (x - a.x)) / sqrtf(dx * dx + dy * dy));
    }
    return least;
}

static float inside_disc(const struct shape *s, float x, float y)
{
    const float dx = x - s->points[0].x, dy = y - s->points[0].y;

    return s->radius - sqrtf(dx * dx + dy * dy);
}

static float inside_stroke(const struct shape *s, float x, float y)
{
    const struct road_point a = s->points[0], b = s->points[1];
    const float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    const float along = length2 > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / length2 : 0;
    const float t = fminf(fmaxf(along, 0), 1);
    const float ex = x - (a.x + t * dx), ey = y - (a.y + t * dy);

    return s->radius - sqrtf(ex * ex + ey * ey);
}

void road_polygon(struct road_canvas *c, const struct road_point *corners, int count,
                  struct road_colour colour)
{
    const struct shape shape = { corners, count, 0, inside_polygon };

    paint(c, &shape, colour);
}

void road_rectangle(struct road_canvas *c, float x, float y, float width, float height,
                    struct road_colour colour)
{
    const struct road_point corners[4] = {
        { x, y }, { x + width, y }, { x + width, y + height }, { x, y + height }
    };

    road_polygon(c, corners, 4, colour);
}

void road_disc(struct road_canvas *c, float x, float y, float radius, struct road_colour colour)
{
    const struct road_point middle = { x, y };
    const struct shape shape = { &middle, 1, radius, inside_disc };

    paint(c, &shape, colour);
}

void road_line(struct road_canvas *c, float x0, float y0, float x1, float y1, float width,
               struct road_colour colour)
{
    const struct road_point ends[2] = { { x0, y0 }, { x1, y1 } };
    const struct shape shape = { ends, 2, width / 2, inside_stroke };

    paint(c, &shape, colour);
}

void road_glow(struct road_canvas *c, float x, float y, float radius, struct road_colour colour)
{
    int row0, row1, column0, column1;

    span((double)(y - radius), (double)(y + radius), c->top, c->scale, c->height, &row0, &row1);
    span((double)(x - radius), (double)(x + radius), c->left, c->scale, c->width, &column0,
         &column1);
    for (int i = row0; i <= row1; i++) {
        const float dy = (float)(c->top + (i + 0.5) / c->scale) - y;

        for (int j = column0; j <= column1; j++) {
            const float dx = (float)(c->left + (j + 0.5) / c->scale) - x;
            const float far = (dx * dx + dy * dy) / (radius * radius);
            const float light = far < 1 ? (1 - far) * (1 - far) : 0;
            float *pixel = pixel_at(c, i, j);

            pixel[0] += light * colour.r;
            pixel[1] += light * colour.g;
            pixel[2] += light * colour.b;
        }
    }
}
