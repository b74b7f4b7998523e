/* SPDX-License-Identifier: BSD-2-Clause
 *
 * road_canvas.h - smooth shapes on an RGB canvas of any resolution.
 *
 * Positions and lengths are in units of the scene, x to the right and y down; the canvas shows the
 * window of the scene that begins at (left, top), `scale` pixels a unit. So one scene can be
 * painted small for a net and large for a person. Colours are light, 0 dark and 1 full.
 */
#ifndef EXAMPLES_ROAD_CANVAS_H
#define EXAMPLES_ROAD_CANVAS_H

#include <stdint.h>

struct road_canvas {
    int width, height; /* pixels */
    double left, top, scale;
    float *rgb; /* 3 values a pixel, rows from the top */
};

struct road_colour {
    float r, g, b;
};

/* 0xRRGGBB. */
struct road_colour road_colour(uint32_t rgb);

/* a, and the share t of the way to b. */
struct road_colour road_mix(struct road_colour a, struct road_colour b, float t);

struct road_point {
    float x, y;
};

enum {
    ROAD_MOST_CORNERS = 6
};

/* Mix colour into a pixel; cover 0 leaves it, 1 replaces it. Outside the canvas: nothing. */
void road_blend(struct road_canvas *c, int row, int column, struct road_colour colour, float cover);

/* A convex polygon, corners clockwise as seen. */
void road_polygon(struct road_canvas *c, const struct road_point *corners, int count,
                  struct road_colour colour);

void road_rectangle(struct road_canvas *c, float x, float y, float width, float height,
                    struct road_colour colour);

void road_disc(struct road_canvas *c, float x, float y, float radius, struct road_colour colour);

/* A stroke of this width with round ends. */
void road_line(struct road_canvas *c, float x0, float y0, float x1, float y1, float width,
               struct road_colour colour);

/* Light that is added, full in the middle and gone at the radius. */
void road_glow(struct road_canvas *c, float x, float y, float radius, struct road_colour colour);

#endif /* EXAMPLES_ROAD_CANVAS_H */
