/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_data.h - road scenes with a rule: which signs are ahead, and where a net should act.
 *
 * A sign is ahead where its middle lies in the central region of the view: the middle `central` of
 * its width and of its height. Signs are laid so that a third lie well inside (the zone `centre`),
 * a third within a cell of the region's edge (`ring`) and a third well outside (`periphery`),
 * whatever the region's size.
 *
 * A net answers in cells of CELL x CELL pixels, for each kind of sign: act here or not.
 */
#ifndef EXAMPLES_PERIPHERY_DATA_H
#define EXAMPLES_PERIPHERY_DATA_H

#include <stddef.h>

#include "road_scene.h"

enum {
    CELL = 4,
    VIEW_ROWS = ROAD_HEIGHT / CELL,
    VIEW_COLUMNS = ROAD_WIDTH / CELL,
    /* What a net without padding sees above and left of its first cell, and in all: its window of
     * 29 pixels about the middle of a cell, less the cell. */
    RIM_BEFORE = 12,
    RIM_BOTH = 25
};

enum zone {
    ZONE_CENTRE,
    ZONE_RING,
    ZONE_PERIPHERY,
    ZONES
};

/* Which signs lie where, and which of them count. */
struct rule {
    float central; /* share of width and height; 1: everywhere, without zones */
    int sides;     /* 1: limit and warning signs on the right, the others on the left; -1: the
                    * other way round; 0: anywhere */
};

/* Scenes painted as a camera saw them that looks (shift_x, shift_y) units aside. */
struct scenes {
    struct rule rule;
    int count, shift_y, shift_x;
    struct road_sign (*signs)[ROAD_MOST_SIGNS];
    int *sign_counts;
    unsigned char *pixels;
};

/* A part of the camera's view: the whole, or a crop. */
struct window {
    int y, x, rows, columns; /* first pixel; extents in cells */
};

extern const struct window whole_view;

enum zone zone_of(const struct rule *rule, float x, float y);
int is_ahead(const struct rule *rule, float x, float y);

/* Scene `which` of a set, to be painted; noise is where its noise begins. */
coordconv_status scene_of(coordconv_context *context, uint64_t seed, const struct rule *rule,
                          int which, struct road_scene *scene, int *noise);

coordconv_status scenes_make(struct scenes *s, coordconv_context *context, uint64_t seed,
                             const struct rule *rule, int count, int shift_y, int shift_x);
void scenes_free(struct scenes *s);

/* Bytes of a scene's pixels. */
size_t scene_bytes(void);

/* Pixels along an axis that a net sees of this many cells. */
int seen_extent(int cells, int padded);

/* Scene number `which` through a window, values in -1 .. 1. */
void fill_image(const struct scenes *s, int which, const struct window *w, int padded,
                float *image);

/* Cells x ROAD_KINDS: 1 about the middle of each sign ahead, or of each sign. */
void fill_target(const struct scenes *s, int which, const struct window *w, int every_sign,
                 float *target);

/* Middle of a cell in the scene, of row or column k of a window that begins at `first`. */
float cell_middle(int first, int k, int shift);

#endif /* EXAMPLES_PERIPHERY_DATA_H */
