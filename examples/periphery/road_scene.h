/* SPDX-License-Identifier: BSD-2-Clause
 *
 * road_scene.h - what a camera in a car sees: road, verge, sky, things beside the road, and signs.
 *
 * The view is ROAD_WIDTH x ROAD_HEIGHT units, a pixel each for a net; a scene goes on for ROAD_RIM
 * units around it. The camera turns and nods a good deal: vanishing point and horizon lie anywhere
 * in a wide range, and how large a sign is says nothing about where it is. So that little but a
 * place itself tells the place: no vignette, no bonnet, no light that falls off from the middle.
 *
 * A scene is a function of the seed, its number and the signs in it: the caller says which signs
 * stand where, everything else is drawn by lot.
 */
#ifndef EXAMPLES_ROAD_SCENE_H
#define EXAMPLES_ROAD_SCENE_H

#include <coordconv/coordconv.h>

#include "road_canvas.h"

enum {
    ROAD_WIDTH = 72,
    ROAD_HEIGHT = 48,
    ROAD_RIM = 13,
    ROAD_MOST_SIGNS = 4,
    ROAD_LOTS = 768
};

enum road_kind {
    ROAD_LIMIT,   /* white disc, red ring, dark figure */
    ROAD_WARNING, /* white triangle, red border, point up */
    ROAD_AHEAD,   /* blue disc, white arrow */
    ROAD_PARKING, /* blue square, white letter */
    ROAD_KINDS
};

struct road_sign {
    int kind;           /* enum road_kind */
    float x, y, radius; /* its middle in the view, and half its width */
};

struct road_scene {
    struct road_sign signs[ROAD_MOST_SIGNS];
    int sign_count;
    int night;
    float lots[ROAD_LOTS];
};

/* "limit", "warning", "ahead", "parking" */
const char *road_kind_name(int kind);

/* Draw the lots of scene `number`; the signs are copied. */
coordconv_status road_scene_make(struct road_scene *scene, coordconv_context *context,
                                 uint64_t seed, uint32_t number, const struct road_sign *signs,
                                 int count);

/* Paint what the canvas's window shows. Noise is not painted: it belongs to a camera. */
void road_scene_paint(const struct road_scene *scene, struct road_canvas *canvas);

/* A sign's face alone, in light `lit` of full; kind -1 - k: decoy k, which is no sign. */
void road_face_paint(struct road_canvas *c, int kind, float x, float y, float radius, float lit);

enum {
    ROAD_DECOYS = 6
};

#endif /* EXAMPLES_ROAD_SCENE_H */
