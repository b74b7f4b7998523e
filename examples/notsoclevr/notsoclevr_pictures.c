/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_pictures.c - what a net does, as PNG pictures.
 */
#include "notsoclevr_pictures.h"

#include <math.h>
#include <stdio.h>

#include "common/chart.h"
#include "notsoclevr_report.h"
#include "common/picture.h"

/* Layout of the page of a run, in pixels. */
enum {
    MARGIN = 24,
    CELL = 5, /* a pixel of the canvas on a large panel */
    PANEL = CANVAS * CELL,
    SMALL_CELL = 2,
    SMALL = CANVAS * SMALL_CELL,
    PAGE_WIDTH = 4 * MARGIN + 3 * PANEL,
    SMALL_STEP = (PAGE_WIDTH - 2 * MARGIN - SMALL) / (EXAMPLES - 1),
    MAPS_TOP = 104,
    EXAMPLES_TOP = MAPS_TOP + PANEL + 76,
    CHARTS_TOP = EXAMPLES_TOP + 2 * SMALL + 50,
    CHART_HEIGHT = 270
};

static uint32_t position_colour(unsigned char position)
{
    static const uint32_t colours[4] = { COLOUR_SAND, COLOUR_PALE, COLOUR_ORANGE, COLOUR_BLUE };

    return colours[position & 3];
}

static void draw_map(struct picture *p, int x, int y, int cell, const unsigned char *positions)
{
    const int gap = cell > 3 ? 1 : 0;

    for (int64_t i = 0; i < POSITIONS; i++)
        picture_fill(p, x + position_x(i) * cell, y + position_y(i) * cell, cell - gap, cell - gap,
                     position_colour(positions[i]));
    picture_frame(p, x - 1, y - 1, CANVAS * cell + 2, CANVAS * cell + 2, COLOUR_FAINT);
}

/* A small square and its name; the place of the next. */
static double draw_key(struct picture *p, double x, double y, uint32_t colour, const char *name)
{
    picture_fill(p, (int)x, (int)y - 9, 10, 10, colour);
    picture_text(p, x + 16, y, 1, COLOUR_INK, name);
    return x + 16 + picture_text_width(1, name) + 14;
}

static void draw_keys(struct picture *p, double x, double y)
{
    x = draw_key(p, x, y, COLOUR_BLUE, "test right");
    draw_key(p, x, y, COLOUR_ORANGE, "wrong");
}

static void mark_positions(const struct data_set *set, const struct evaluation *e,
                           unsigned char *positions)
{
    for (int64_t i = 0; i < POSITIONS; i++)
        positions[i] = (unsigned char)(set->is_test[i] << 1 | e->outcomes[i].right);
}

/* The colours of a heat map from 0 to most. */
static void draw_scale(struct picture *p, int x, int y, float most)
{
    char text[24];

    picture_text(p, x, y, 1, COLOUR_INK, "0");
    for (int i = 0; i < 100; i++)
        picture_fill(p, x + 16 + i, y - 9, 1, 10, picture_heat_colour(i / 99.0));
    picture_frame(p, x + 15, y - 10, 102, 12, COLOUR_GRID);
    snprintf(text, sizeof text, "%.3g", (double)most);
    picture_text(p, x + 124, y, 1, COLOUR_INK, text);
}

static float largest(const float *values)
{
    float most = 0;

    for (int i = 0; i < PIXELS; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

static void draw_heat_panel(struct picture *p, int x, int y, int cell, const float *values,
                            float most)
{
    picture_heat(p, x, y, cell, CANVAS, CANVAS, values, 0, most);
    picture_frame(p, x - 1, y - 1, CANVAS * cell + 2, CANVAS * cell + 2, COLOUR_FAINT);
}

static void draw_maps(struct picture *p, const struct run *run, const struct result *result,
                      const struct data_set *set)
{
    const struct evaluation *e = &result->evaluation;
    const float most = largest(e->wanted_sum);
    const int x[3] = { MARGIN, 2 * MARGIN + PANEL, 3 * MARGIN + 2 * PANEL };
    const int under = MAPS_TOP + PANEL + 22;
    unsigned char positions[POSITIONS];

    mark_positions(set, e, positions);
    picture_text(p, x[0], MAPS_TOP - 10, 1, COLOUR_INK,
                 run->task == REGRESSION  ? "positions that round right, and others"
                 : run->task == RENDERING ? "positions with every pixel right, and others"
                                          : "positions found, and others");
    draw_map(p, x[0], MAPS_TOP, CELL, positions);
    draw_keys(p, x[0], under);
    draw_key(p, draw_key(p, x[0], under + 18, COLOUR_PALE, "train right"), under + 18, COLOUR_SAND,
             "wrong");
    picture_text(p, x[1], MAPS_TOP - 10, 1, COLOUR_INK, "sum of the targets, test positions");
    draw_heat_panel(p, x[1], MAPS_TOP, CELL, e->wanted_sum, most);
    draw_scale(p, x[1], under, most);
    picture_text(p, x[2], MAPS_TOP - 10, 1, COLOUR_INK, "sum of the answers, test positions");
    draw_heat_panel(p, x[2], MAPS_TOP, CELL, e->answer_sum, most);
    draw_scale(p, x[2], under, most);
}

/* A cross at pixel (x, y) of a small panel, held inside its frame. */
static void draw_cross(struct picture *p, int left, int top, double x, double y)
{
    const double most = CANVAS - 1;
    const double at_x = left + (fmin(fmax(x, 0), most) + 0.5) * SMALL_CELL - 0.5;
    const double at_y = top + (fmin(fmax(y, 0), most) + 0.5) * SMALL_CELL - 0.5;

    picture_line(p, at_x - 4, at_y - 4, at_x + 4, at_y + 4, 1.5, COLOUR_ORANGE);
    picture_line(p, at_x - 4, at_y + 4, at_x + 4, at_y - 4, 1.5, COLOUR_ORANGE);
}

static void draw_target(struct picture *p, int left, int top, enum task task, int64_t position)
{
    const int half = task == RENDERING ? HALF : 0;
    const int x = position_x(position), y = position_y(position);
    const int side = (2 * half + 1) * SMALL_CELL;

    picture_fill(p, left + (x - half) * SMALL_CELL, top + (y - half) * SMALL_CELL, side, side,
                 picture_heat_colour(1));
    picture_frame(p, left - 1, top - 1, SMALL + 2, SMALL + 2, COLOUR_FAINT);
    if (task != RENDERING)
        picture_ring(p, left + (x + 0.5) * SMALL_CELL - 0.5, top + (y + 0.5) * SMALL_CELL - 0.5, 6,
                     1.2, COLOUR_BLUE);
}

static void draw_answer(struct picture *p, int left, int top, enum task task, const float *image,
                        const struct outcome *o)
{
    if (task == REGRESSION)
        picture_frame(p, left - 1, top - 1, SMALL + 2, SMALL + 2, COLOUR_FAINT);
    else
        draw_heat_panel(p, left, top, SMALL_CELL, image, task == RENDERING ? 1 : largest(image));
    if (task != RENDERING)
        draw_cross(p, left, top, (double)o->x, (double)o->y);
}

static void draw_examples(struct picture *p, enum task task, const struct evaluation *e)
{
    picture_text(p, MARGIN, EXAMPLES_TOP - 8, 1, COLOUR_INK,
                 task == RENDERING ? "some test positions: the square wanted, below it the answer"
                                   : "some test positions: the pixel wanted (ringed), below it the "
                                     "answer (cross)");
    for (int k = 0; k < EXAMPLES; k++) {
        const int64_t position = e->example_positions[k];
        const struct outcome *o = &e->outcomes[position];
        const int left = MARGIN + k * SMALL_STEP, lower = EXAMPLES_TOP + SMALL + 6;
        char text[32];

        draw_target(p, left, EXAMPLES_TOP, task, position);
        draw_answer(p, left, lower, task, e->examples[k], o);
        if (task == CLASSIFICATION)
            snprintf(text, sizeof text, "%s", o->right ? "right" : "wrong");
        else if (task == REGRESSION)
            snprintf(text, sizeof text, "off %.3f px", (double)o->score);
        else
            snprintf(text, sizeof text, "IOU %.3f", (double)o->score);
        picture_text(p, left, lower + SMALL + 15, 1, o->right ? COLOUR_BLUE : COLOUR_ORANGE, text);
    }
}

static void draw_charts(struct picture *p, enum task task, const struct history *h)
{
    const int width = (PAGE_WIDTH - 3 * MARGIN) / 2;
    const struct chart loss = { "loss, mean of the epoch", "epoch", 1, 0, 0 };
    const struct chart_curve loss_curve = { "train", h->epoch, h->loss, h->count, COLOUR_BLUE };
    const struct chart metric = { task == CLASSIFICATION ? "accuracy"
                                  : task == REGRESSION   ? "distance in pixels"
                                                         : "IOU",
                                  "epoch", task == REGRESSION, 0, task == REGRESSION ? 0 : 1 };
    const struct chart_curve metric_curves[2] = {
        { "train (as met in the epoch)", h->epoch, h->train, h->count, COLOUR_BLUE },
        { "test (128 positions)", h->epoch, h->test, h->count, COLOUR_ORANGE },
    };

    chart_draw(p, MARGIN, CHARTS_TOP, width, CHART_HEIGHT, &loss, &loss_curve, 1);
    chart_draw(p, 2 * MARGIN + width, CHARTS_TOP, width, CHART_HEIGHT, &metric, metric_curves, 2);
}

static void draw_heading(struct picture *p, const struct run *run, const struct result *result)
{
    char text[160], sentence[96];

    snprintf(text, sizeof text, "%s, %s split: %s net, %lld parameters", task_name(run->task),
             split_name(run->split), net_name(run->net), (long long)result->parameters);
    picture_text(p, MARGIN, 38, 1.7, COLOUR_INK, text);
    report_sentence(run, result, sentence, sizeof sentence);
    if (run->net == ANALYTIC)
        snprintf(text, sizeof text, "%s; wired by hand", sentence);
    else
        snprintf(text, sizeof text, "%s; seed %llu, %.4g epochs, %.1f seconds, %d %s", sentence,
                 (unsigned long long)run->seed, result->epochs, result->seconds,
                 (int)result->threads, result->threads == 1 ? "thread" : "threads");
    picture_text(p, MARGIN, 64, 1.2, COLOUR_FAINT, text);
}

int picture_run(const char *path, const struct run *run, const struct result *result, char *message,
                int message_size)
{
    const int has_curves = result->history.count > 0;
    const int height = CHARTS_TOP + (has_curves ? CHART_HEIGHT + MARGIN : 0);
    struct picture *p = picture_new(PAGE_WIDTH, height, COLOUR_WHITE);
    struct data_set set;
    int failed;

    if (p == NULL || data_set_make(&set, run->split) != COORDCONV_OK) {
        snprintf(message, (size_t)message_size, "%s: no memory for a picture", path);
        picture_free(p);
        return -1;
    }
    draw_heading(p, run, result);
    draw_maps(p, run, result, &set);
    draw_examples(p, run->task, &result->evaluation);
    if (has_curves)
        draw_charts(p, run->task, &result->history);
    failed = picture_write_png(p, path, message, message_size);
    picture_free(p);
    return failed;
}

/* ---- the overview ---- */

void map_make(struct map *map, const struct run *run, const struct result *result)
{
    const struct evaluation *e = &result->evaluation;
    struct data_set set;

    map->task = run->task;
    map->split = run->split;
    map->net = run->net;
    if (data_set_make(&set, run->split) == COORDCONV_OK)
        mark_positions(&set, e, map->positions);
    if (run->task == CLASSIFICATION)
        snprintf(map->result, sizeof map->result, "%.1f %%", 100 * e->test);
    else
        snprintf(map->result, sizeof map->result, run->task == REGRESSION ? "%.3g px" : "IOU %.3f",
                 e->test);
}

enum {
    MAP_CELL = 3,
    MAP = CANVAS * MAP_CELL,
    MAP_STEP_X = MAP + 18,
    MAP_STEP_Y = MAP + 52,
    OVERVIEW_TOP = 84,
    OVERVIEW_LEFT = 118,
    OVERVIEW_COLUMNS = TASKS * 2 /* the splits a user asks for come in twos */
};

/* Which rows and columns have a map; a net without one gets no row. */
struct grid {
    int row[NET_KINDS]; /* its place from the top, -1 without a map */
    int rows;
};

static int map_column(const struct map *map)
{
    return (int)map->task * 2 + (int)map->split % 2;
}

static struct grid lay_out(const struct map *maps, size_t count)
{
    struct grid grid = { .rows = 0 };

    for (int net = 0; net < NET_KINDS; net++) {
        grid.row[net] = -1;
        for (size_t i = 0; i < count; i++)
            if ((int)maps[i].net == net)
                grid.row[net] = grid.rows;
        grid.rows += grid.row[net] >= 0;
    }
    return grid;
}

static void draw_overview_maps(struct picture *p, const struct grid *grid, const struct map *maps,
                               size_t count)
{
    int named_columns = 0, named_rows = 0; /* a bit each: no label twice, or it grows bold */

    for (size_t i = 0; i < count; i++) {
        const struct map *map = &maps[i];
        const int column = map_column(map), row = grid->row[map->net];
        const int x = OVERVIEW_LEFT + column * MAP_STEP_X;
        const int y = OVERVIEW_TOP + 34 + row * MAP_STEP_Y;

        draw_map(p, x, y, MAP_CELL, map->positions);
        picture_text(p, x, y - 7, 1, COLOUR_INK, map->result);
        if ((named_rows >> row & 1) == 0)
            picture_text(p, MARGIN, y + MAP / 2, 1, COLOUR_INK, net_name(map->net));
        if ((named_columns >> column & 1) == 0) {
            picture_text(p, x, OVERVIEW_TOP - 12, 1, COLOUR_INK, task_name(map->task));
            picture_text(p, x, OVERVIEW_TOP + 6, 1, COLOUR_FAINT, split_name(map->split));
        }
        named_rows |= 1 << row;
        named_columns |= 1 << column;
    }
}

int picture_overview(const char *path, const struct map *maps, size_t count, char *message,
                     int message_size)
{
    const int width = OVERVIEW_LEFT + OVERVIEW_COLUMNS * MAP_STEP_X + 6;
    const struct grid grid = lay_out(maps, count);
    struct picture *p =
        picture_new(width, OVERVIEW_TOP + 20 + grid.rows * MAP_STEP_Y, COLOUR_WHITE);
    int failed;

    if (p == NULL) {
        snprintf(message, (size_t)message_size, "%s: no memory for a picture", path);
        return -1;
    }
    picture_text(p, MARGIN, 34, 1.7, COLOUR_INK,
                 "Not-so-Clevr: which positions each net gets right");
    double x = width - 460;
    x = draw_key(p, x, 34, COLOUR_BLUE, "test right");
    x = draw_key(p, x, 34, COLOUR_ORANGE, "wrong");
    x = draw_key(p, x, 34, COLOUR_PALE, "train right");
    draw_key(p, x, 34, COLOUR_SAND, "wrong");
    draw_overview_maps(p, &grid, maps, count);
    failed = picture_write_png(p, path, message, message_size);
    picture_free(p);
    return failed;
}
