/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_pictures.c - what the nets are shown, and how they fare.
 */
#include "null_result_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/chart.h"
#include "common/dots.h"
#include "common/picture.h"
#include "common/stats.h"

enum {
    MARGIN = 28,
    CELL = 6, /* a pixel of a strip */
    STRIP_ROWS = 4,
    STRIPS_SEED = 1,
    STRIPS_TOP = 84,
    STRIP_STEP = STRIP_HEIGHT * CELL + 34,
    PANEL_WIDTH = 660,
    CHART_WIDTH = 520,
    PANEL_TOP = 92,
    PANEL_HEIGHT = 210,
    PANEL_STEP = PANEL_HEIGHT + 56,
    MOST_SEEDS = 1000
};

static coordconv_status save(const struct settings *settings, struct picture *p, const char *name)
{
    char path[PATH_SIZE], message[200];

    settings_path(settings, name, path);
    const int failed = picture_write_png(p, path, message, sizeof message);
    if (failed)
        fprintf(stderr, "null_result: %s\n", message);
    picture_free(p);
    return failed ? COORDCONV_ERR_IO : COORDCONV_OK;
}

/* ---- strips ---- */

/* A line of dashes down a strip, between two of its columns. */
static void draw_middle(struct picture *p, int x, int y)
{
    for (int i = 0; i < STRIP_HEIGHT * CELL; i += 8)
        picture_fill(p, x, y + i, 1, 4, COLOUR_ORANGE);
}

static void draw_strip(struct picture *p, int x, int y, const struct layout *layout,
                       const struct digit_set *set, const struct scene *scene)
{
    static float strip[STRIP_HEIGHT * WIDE_WIDTH];
    const int width = layout_width(layout);
    const int digit = set->labels[scene->digit];
    char text[80];

    scenes_paint(layout, set, 1, scene, strip, NULL);
    picture_heat(p, x, y, CELL, STRIP_HEIGHT, width, strip, 0, INK);
    picture_frame(p, x - 1, y - 1, width * CELL + 2, STRIP_HEIGHT * CELL + 2, COLOUR_FAINT);
    draw_middle(p, x + width * CELL / 2, y);
    if (layout->is_narrow)
        snprintf(text, sizeof text, "%s: class %d", layout->name,
                 (int)scene_label(layout, digit, scene->place));
    else
        snprintf(text, sizeof text, "%s: class %d     %s: class %d", layouts[0].name,
                 (int)scene_label(&layouts[0], digit, scene->place), layouts[1].name,
                 (int)scene_label(&layouts[1], digit, scene->place));
    picture_text(p, x, y + STRIP_HEIGHT * CELL + 16, 1, COLOUR_INK, text);
}

/* What one place before the mean sees of a strip. */
static void draw_window(struct picture *p, int x, int y)
{
    const int side = NET_WINDOW * CELL;

    picture_frame(p, x, y, side, side, COLOUR_GREEN);
    picture_frame(p, x + 1, y + 1, side - 2, side - 2, COLOUR_GREEN);
}

coordconv_status picture_strips(const struct settings *settings, coordconv_context *context,
                                const struct digit_set *set)
{
    const int second = 2 * MARGIN + WIDE_WIDTH * CELL;
    struct scene scenes[STRIP_ROWS];
    const coordconv_status status = scenes_place(context, STRIPS_SEED, 0, STRIP_ROWS, scenes);
    struct picture *p = picture_new(second + NARROW_WIDTH * CELL + MARGIN,
                                    STRIPS_TOP + STRIP_ROWS * STRIP_STEP + 36, COLOUR_WHITE);

    if (p == NULL || status != COORDCONV_OK) {
        picture_free(p);
        return status != COORDCONV_OK ? status : COORDCONV_ERR_NOMEM;
    }
    picture_text(p, MARGIN, 36, 1.6, COLOUR_INK, "The same digit on either side");
    picture_text(p, MARGIN, STRIPS_TOP - 14, 1, COLOUR_FAINT, "wide: the ends are out of sight");
    picture_text(p, second, STRIPS_TOP - 14, 1, COLOUR_FAINT, "narrow: they are in sight");
    for (int i = 0; i < STRIP_ROWS; i++) {
        struct scene *s = &scenes[i];
        const int y = STRIPS_TOP + i * STRIP_STEP;

        s->digit = i / 2;
        s->place = s->place % SIDE_PLACES + i % 2 * SIDE_PLACES;
        draw_strip(p, MARGIN, y, &layouts[1], set, s);
        draw_strip(p, second, y, &layouts[2], set, s);
    }
    draw_window(p, MARGIN, STRIPS_TOP);
    draw_window(p, second, STRIPS_TOP);
    picture_text(p, MARGIN, STRIPS_TOP + STRIP_ROWS * STRIP_STEP + 14, 1, COLOUR_GREEN,
                 "green: what the net sees at once, before the mean over all places");
    return save(settings, p, "strips.png");
}

/* ---- accuracy ---- */

static const uint32_t front_colours[FRONTS] = { COLOUR_FAINT, COLOUR_GREEN, COLOUR_BLUE };

static size_t collect(const struct settings *settings, const struct experiment_case *which,
                      double values[MOST_SEEDS])
{
    size_t count = 0;

    for (long i = 0; i < settings->seeds && count < MOST_SEEDS; i++)
        values[count++] =
            finished_figure(settings, which, (uint64_t)(settings->first_seed + i), "accuracy");
    return count;
}

/* "coordconv first less conv first: +0.12 (-0.05 .. +0.29), p 0.15" */
static void describe_difference(const double *values, const double *others, size_t count,
                                enum front front, enum front other, char *text, size_t size)
{
    struct stats s = { 0 };

    for (size_t i = 0; i < count; i++)
        stats_add(&s, values[i] - others[i]);
    int length =
        snprintf(text, size, "%s less %s: %+.2f", front_name(front), front_name(other), s.mean);
    if (s.count > 1 && length >= 0 && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, " (%+.2f .. %+.2f), p %.2g",
                 s.mean - stats_margin(&s), s.mean + stats_margin(&s), stats_p(&s));
}

static void draw_runs(struct picture *p, int x, int y, const struct settings *settings,
                      const struct layout *layout, const struct experiment_case cases[FRONTS])
{
    static double values[FRONTS][MOST_SEEDS];
    struct dot_group groups[FRONTS];
    char title[80], text[160];
    size_t count = 0;

    for (int f = 0; f < FRONTS; f++) {
        count = collect(settings, &cases[f], values[f]);
        groups[f] =
            (struct dot_group){ front_name((enum front)f), values[f], count, front_colours[f] };
    }
    snprintf(title, sizeof title, "%s: %s", layout->name, layout->about);
    dots_draw(p, x, y, PANEL_WIDTH, PANEL_HEIGHT, title, "accuracy, %", groups, FRONTS);
    describe_difference(values[COORDCONV_FRONT], values[PLAIN_FRONT], count, COORDCONV_FRONT,
                        PLAIN_FRONT, text, sizeof text);
    picture_text(p, x, y + PANEL_HEIGHT + 12, 1, COLOUR_INK, text);
}

/* Mean over the seeds of the accuracy at each place. */
static void mean_by_place(const struct settings *settings, const struct experiment_case *which,
                          double y[PLACES])
{
    double places[PLACES], values[PLACES];
    struct stats means[PLACES] = { { 0 } };

    for (long i = 0; i < settings->seeds; i++) {
        const uint64_t seed = (uint64_t)(settings->first_seed + i);
        const size_t count =
            finished_curve(settings, which, seed, "accuracy by place", PLACES, places, values);

        for (size_t k = 0; k < count; k++)
            if (isfinite(values[k]))
                stats_add(&means[k], values[k]);
    }
    for (int k = 0; k < PLACES; k++)
        y[k] = means[k].count > 0 ? means[k].mean : NAN;
}

static void draw_places(struct picture *p, int x, int y, const struct settings *settings,
                        const struct layout *layout, const struct experiment_case cases[FRONTS])
{
    const struct chart chart = { .title = "accuracy by place, %",
                                 .x_label = "column where the digit begins" };
    struct chart_curve curves[FRONTS];
    double columns[PLACES], values[FRONTS][PLACES];

    for (int k = 0; k < PLACES; k++)
        columns[k] = place_column(layout, k);
    for (int f = 0; f < FRONTS; f++) {
        mean_by_place(settings, &cases[f], values[f]);
        curves[f] = (struct chart_curve){ front_name((enum front)f), columns, values[f], PLACES,
                                          front_colours[f] };
    }
    chart_draw(p, x, y, CHART_WIDTH, PANEL_HEIGHT, &chart, curves, FRONTS);
}

coordconv_status picture_accuracy(const struct settings *settings,
                                  const struct experiment_case cases[LAYOUTS * FRONTS])
{
    struct picture *p = picture_new(3 * MARGIN + PANEL_WIDTH + CHART_WIDTH,
                                    PANEL_TOP + LAYOUTS * PANEL_STEP, COLOUR_WHITE);

    if (p == NULL)
        return COORDCONV_ERR_NOMEM;
    picture_text(p, MARGIN, 36, 1.6, COLOUR_INK, "A CoordConv layer before a ResNet");
    picture_text(p, MARGIN, 60, 1, COLOUR_FAINT,
                 "a dot a run, one seed; the bar is the mean and its 95 % interval; on the right "
                 "the mean over the seeds");
    for (int l = 0; l < LAYOUTS; l++) {
        const int y = PANEL_TOP + l * PANEL_STEP;

        draw_runs(p, MARGIN, y, settings, &layouts[l], cases + l * FRONTS);
        draw_places(p, 2 * MARGIN + PANEL_WIDTH, y, settings, &layouts[l], cases + l * FRONTS);
    }
    return save(settings, p, "accuracy.png");
}
