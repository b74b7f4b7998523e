/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_pictures.c - where the nets are wrong, and by how much.
 */
#include "downsample_pictures.h"

#include <stdio.h>

#include "common/chart.h"
#include "common/picture.h"

enum {
    PIXEL = 4, /* of a map, in pixels of the picture */
    MAP = SIDE * PIXEL,
    COLUMN = MAP + 16,
    ROW = MAP + 34,
    LEFT = 186,
    TOP = 96,
    MARGIN = 24,
    MOST_CURVES = 16,
    CHART_WIDTH = 560,
    CHART_HEIGHT = 480
};

/* What a full colour stands for, in pixels. */
static const double most_error = 4;

static void centred_text(struct picture *p, double x, double y, double scale, uint32_t colour,
                         const char *text)
{
    picture_text(p, x - picture_text_width(scale, text) / 2, y, scale, colour, text);
}

static void draw_map(struct picture *p, int x, int y, enum split split, const struct outcome *o)
{
    char text[32];

    if (o->seeds == 0) {
        centred_text(p, x + MAP / 2, y + MAP / 2, 1, COLOUR_FAINT, "not run");
        return;
    }
    picture_heat(p, x, y, PIXEL, SIDE, SIDE, o->map, 0, (float)most_error);
    picture_frame(p, x - 1, y - 1, MAP + 2, MAP + 2, COLOUR_GRID);
    if (split == QUADRANT)
        for (int i = 0; i < 2; i++)
            picture_frame(p, x + MAP / 2 - i, y + MAP / 2 - i, MAP / 2 + 2 * i, MAP / 2 + 2 * i,
                          COLOUR_ORANGE);
    snprintf(text, sizeof text, o->test < 0.1 ? "%.3f px" : "%.2f px", o->test);
    centred_text(p, x + MAP / 2, y + MAP + 16, 1, COLOUR_INK, text);
}

/* A bar from no error to the most that has a colour of its own. */
static void draw_scale(struct picture *p, int x, int y)
{
    char text[32];

    for (int i = 0; i < 120; i++)
        picture_fill(p, x + i, y, 1, 12, picture_heat_colour(i / 119.0));
    picture_frame(p, x - 1, y - 1, 122, 14, COLOUR_GRID);
    picture_text(p, x - 12, y + 11, 1, COLOUR_INK, "0");
    snprintf(text, sizeof text, "%g pixels off, or more", most_error);
    picture_text(p, x + 128, y + 11, 1, COLOUR_INK, text);
}

static int finish(struct picture *p, const char *path, char *message, int message_size)
{
    const int failed = picture_write_png(p, path, message, message_size);

    picture_free(p);
    return failed;
}

int picture_maps(const char *path, enum split split, const struct row *rows, int count,
                 char *message, int message_size)
{
    const int width = LEFT + (STAGES + 1) * COLUMN + MARGIN, height = TOP + count * ROW + MARGIN;
    struct picture *p = picture_new(width, height, COLOUR_WHITE);
    char text[64];

    if (p == NULL) {
        snprintf(message, (size_t)message_size, "%s: no memory", path);
        return -1;
    }
    picture_text(p, MARGIN, 36, 1.5, COLOUR_INK,
                 split == UNIFORM ? "Error at each position, a quarter of them held out"
                                  : "Error at each position, the framed quadrant held out");
    picture_text(p, MARGIN, 60, 1, COLOUR_FAINT,
                 "by stages of stride 2; mean over seeds, and that of held-out positions below");
    draw_scale(p, width - MARGIN - 290, 26);
    for (int stages = 0; stages <= STAGES; stages++) {
        snprintf(text, sizeof text, "%d stage%s", stages, stages == 1 ? "" : "s");
        centred_text(p, LEFT + stages * COLUMN + MAP / 2, TOP - 10, 1, COLOUR_INK, text);
    }
    for (int i = 0; i < count; i++) {
        picture_text(p, MARGIN, TOP + i * ROW + MAP / 2, 1.2, COLOUR_INK, rows[i].name);
        for (int stages = 0; stages <= STAGES; stages++)
            draw_map(p, LEFT + stages * COLUMN, TOP + i * ROW, split, &rows[i].at[stages]);
    }
    return finish(p, path, message, message_size);
}

static void draw_curves(struct picture *p, int x, const char *title, const struct row *rows,
                        int count)
{
    static const uint32_t colours[] = { COLOUR_BLUE, COLOUR_ORANGE, COLOUR_GREEN,
                                        COLOUR_SAND, COLOUR_INK,    COLOUR_FAINT };
    const struct chart chart = {
        .title = title, .x_label = "stages of stride 2", .logarithmic = 1, .low = 0.001, .high = 100
    };
    struct chart_curve curves[MOST_CURVES];
    double xs[MOST_CURVES][STAGES + 1], ys[MOST_CURVES][STAGES + 1];

    count = count < MOST_CURVES ? count : MOST_CURVES;
    for (int i = 0; i < count; i++) {
        curves[i] = (struct chart_curve){
            .name = rows[i].name, .x = xs[i], .y = ys[i], .colour = colours[(size_t)i % 6]
        };
        for (int stages = 0; stages <= STAGES; stages++) {
            const struct outcome *o = &rows[i].at[stages];
            if (o->seeds == 0)
                continue;
            xs[i][curves[i].count] = stages;
            ys[i][curves[i].count++] = o->test;
        }
    }
    chart_draw(p, x, MARGIN, CHART_WIDTH, CHART_HEIGHT, &chart, curves, (size_t)count);
}

int picture_curves(const char *path, const struct row *uniform, const struct row *quadrant,
                   int count, char *message, int message_size)
{
    struct picture *p =
        picture_new(2 * CHART_WIDTH + 3 * MARGIN, CHART_HEIGHT + 2 * MARGIN, COLOUR_WHITE);

    if (p == NULL) {
        snprintf(message, (size_t)message_size, "%s: no memory", path);
        return -1;
    }
    draw_curves(p, MARGIN, "Pixels off, a quarter of all positions held out", uniform, count);
    draw_curves(p, 2 * MARGIN + CHART_WIDTH, "Pixels off, a quadrant held out", quadrant, count);
    return finish(p, path, message, message_size);
}
