/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_pictures.c - a page of what nets draw, one column a net, beside the data.
 */
#include "scene_pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/picture.h"

enum {
    MARGIN = 28,
    ZOOM = 2,
    STEP = SCENE_SIDE * ZOOM + 4,
    PANEL_WIDTH = PANEL_COLUMNS * STEP - 4,
    PANEL_STEP = PANEL_WIDTH + MARGIN,
    TOP = 96,
    SECTION = 34, /* above a section, for its heading */
    MAP_CELL = 15,
    MAP = OBJECTS_GRID * MAP_CELL,
    MAPS_TOP = TOP + SECTION + PANEL_SAMPLES / PANEL_COLUMNS * STEP,
    BETWEEN_TOP = MAPS_TOP + SECTION + MAP + 22,
    REBUILT_TOP = BETWEEN_TOP + SECTION + PANEL_PATHS * STEP,
    BOTTOM = REBUILT_TOP + SECTION + PANEL_REBUILT / PANEL_COLUMNS * STEP,
    MAP_LOTS = 4 /* a cell is darkest with so many times its even share */
};

/* ---- what goes into a panel ---- */

static coordconv_status fill_with_data(struct scene_panel *panel, uint64_t seed, int64_t images)
{
    int64_t numbers[PANEL_SAMPLES];

    for (int64_t i = 0; i < PANEL_SAMPLES; i++)
        numbers[i] = TRAIN_IMAGES + i;
    coordconv_status status = scene_paint_all(seed, numbers, PANEL_REBUILT, panel->rebuilt);
    if (status == COORDCONV_OK)
        status = scene_paint_all(seed, numbers, PANEL_SAMPLES, panel->samples);
    if (status == COORDCONV_OK)
        status = objects_add_real(&panel->tally, seed, TRAIN_IMAGES, images);
    return status;
}

static coordconv_status panel_of_data(uint64_t seed, int64_t images, struct scene_panel **out)
{
    struct scene_panel *panel = calloc(1, sizeof *panel);

    if (panel == NULL)
        return COORDCONV_ERR_NOMEM;
    panel->title = "data";
    *out = panel;
    return fill_with_data(panel, seed, images);
}

static coordconv_status take_samples(struct scene_panel *panel, const struct studio *studio,
                                     codes_fn *codes, void *user, int64_t images)
{
    coordconv_status status = COORDCONV_OK;

    for (uint64_t i = 0; panel->tally.images < images && status == COORDCONV_OK; i++) {
        status = codes(user, studio->code, i);
        if (status == COORDCONV_OK)
            status = coordconv_plan_run(studio->plan);
        if (status != COORDCONV_OK)
            break;
        const float *batch = coordconv_tensor_data(studio->image);
        if (i == 0)
            memcpy(panel->samples, batch, sizeof panel->samples);
        objects_add(&panel->tally, batch, STUDIO_BATCH);
    }
    return status;
}

/* Overwrite the first codes by the way from each code to the next. */
static void spread_codes(coordconv_tensor *tensor)
{
    const int64_t length = coordconv_tensor_dim(tensor, 1);
    float *code = coordconv_tensor_data(tensor);
    const float *ends = code + PANEL_BETWEEN * length; /* these stay */

    for (int64_t i = 0; i < PANEL_BETWEEN; i++) {
        const float *a = ends + i / PANEL_COLUMNS * length, *b = a + length;
        const float place = (float)(i % PANEL_COLUMNS) / (PANEL_COLUMNS - 1);

        for (int64_t k = 0; k < length; k++)
            code[i * length + k] = (1 - place) * a[k] + place * b[k];
    }
}

static coordconv_status take_between(struct scene_panel *panel, const struct studio *studio,
                                     codes_fn *ends, void *user)
{
    coordconv_status status = ends(user, studio->code, 0);

    if (status != COORDCONV_OK)
        return status;
    spread_codes(studio->code);
    status = coordconv_plan_run(studio->plan);
    if (status == COORDCONV_OK)
        memcpy(panel->between, coordconv_tensor_data(studio->image), sizeof panel->between);
    panel->has_between = 1;
    return status;
}

coordconv_status panel_of_painter(const char *title, const struct studio *studio, codes_fn *codes,
                                  codes_fn *ends, void *user, int64_t images,
                                  struct scene_panel **out)
{
    struct scene_panel *panel = calloc(1, sizeof *panel);

    if (panel == NULL)
        return COORDCONV_ERR_NOMEM;
    panel->title = title;
    *out = panel;
    const coordconv_status status = take_samples(panel, studio, codes, user, images);
    return status == COORDCONV_OK ? take_between(panel, studio, ends, user) : status;
}

/* ---- drawing ---- */

static uint32_t colour_of(const float *pixel)
{
    uint32_t colour = 0;

    for (int c = 0; c < 3; c++) {
        const float share = (pixel[c] + 1) / 2;

        colour = colour << 8 | (uint32_t)(share < 0 ? 0 : share > 1 ? 255 : share * 255 + 0.5f);
    }
    return colour;
}

static void draw_image(struct picture *p, int x, int y, const float *image)
{
    for (int i = 0; i < SCENE_PIXELS; i++)
        picture_fill(p, x + i % SCENE_SIDE * ZOOM, y + i / SCENE_SIDE * ZOOM, ZOOM, ZOOM,
                     colour_of(image + 3 * i));
    picture_frame(p, x - 1, y - 1, SCENE_SIDE * ZOOM + 2, SCENE_SIDE * ZOOM + 2, COLOUR_GRID);
}

static void draw_images(struct picture *p, int x, int y, const float *images, int count)
{
    for (int i = 0; i < count; i++)
        draw_image(p, x + i % PANEL_COLUMNS * STEP, y + i / PANEL_COLUMNS * STEP,
                   images + (size_t)i * SCENE_VALUES);
}

static void draw_map(struct picture *p, int x, int y, const struct objects_tally *tally, int colour)
{
    float cells[OBJECTS_CELLS];
    char text[64];

    for (int i = 0; i < OBJECTS_CELLS; i++)
        cells[i] = (float)tally->covered[colour][i];
    picture_heat(p, x, y, MAP_CELL, OBJECTS_GRID, OBJECTS_GRID, cells, 0,
                 (float)MAP_LOTS * (float)tally->images / OBJECTS_CELLS);
    picture_frame(p, x - 1, y - 1, MAP + 2, MAP + 2, COLOUR_FAINT);
    snprintf(text, sizeof text, "%s: %.2f found", colour == SCENE_BLUE ? "blue" : "red",
             (double)tally->objects[colour] / (double)tally->images);
    picture_text(p, x, y + MAP + 16, 1, COLOUR_INK, text);
}

static void draw_panel(struct picture *p, int x, const struct scene_panel *panel)
{
    const int second = x + PANEL_WIDTH - MAP;
    char text[96];

    picture_text(p, x, TOP - 14, 1.5, COLOUR_INK, panel->title);
    snprintf(text, sizeof text, "samples: both objects whole in %.1f %%",
             100 * (double)panel->tally.whole / (double)panel->tally.images);
    picture_text(p, x, TOP + SECTION - 12, 1, COLOUR_FAINT, text);
    draw_images(p, x, TOP + SECTION, panel->samples, PANEL_SAMPLES);
    picture_text(p, x, MAPS_TOP + SECTION - 12, 1, COLOUR_FAINT, "where they are");
    draw_map(p, x, MAPS_TOP + SECTION, &panel->tally, SCENE_BLUE);
    draw_map(p, second, MAPS_TOP + SECTION, &panel->tally, SCENE_RED);
    if (panel->has_between) {
        picture_text(p, x, BETWEEN_TOP + SECTION - 12, 1, COLOUR_FAINT, "from one code to another");
        draw_images(p, x, BETWEEN_TOP + SECTION, panel->between, PANEL_BETWEEN);
    }
    if (panel->has_rebuilt) {
        picture_text(p, x, REBUILT_TOP + SECTION - 12, 1, COLOUR_FAINT,
                     panel->has_between ? "test images rebuilt" : "test images");
        draw_images(p, x, REBUILT_TOP + SECTION, panel->rebuilt, PANEL_REBUILT);
    }
}

/* panels[0] is of the data, and shows the test images if others rebuild them. */
static coordconv_status draw_page(const struct settings *settings, const char *file,
                                  const char *title, struct scene_panel *const *panels,
                                  int32_t count)
{
    const int has_rebuilt = panels[count - 1]->has_rebuilt;
    const int height = (has_rebuilt ? BOTTOM : REBUILT_TOP) + MARGIN;
    struct picture *p = picture_new(MARGIN + count * PANEL_STEP, height, COLOUR_WHITE);
    char path[PATH_SIZE], message[PATH_SIZE + 80], heading[160];

    if (p == NULL)
        return COORDCONV_ERR_NOMEM;
    snprintf(heading, sizeof heading, "%s, seed %ld", title, settings->first_seed);
    picture_text(p, MARGIN, 44, 1.9, COLOUR_INK, heading);
    panels[0]->has_rebuilt = has_rebuilt;
    for (int32_t i = 0; i < count; i++)
        draw_panel(p, MARGIN + i * PANEL_STEP, panels[i]);
    settings_path(settings, file, path);
    const int failed = picture_write_png(p, path, message, sizeof message);
    picture_free(p);
    if (failed != 0)
        fprintf(stderr, "%s\n", message);
    return failed != 0 ? COORDCONV_ERR_IO : COORDCONV_OK;
}

coordconv_status scene_page(const struct settings *settings, const char *file, const char *title,
                            int32_t nets, int64_t images, make_panel_fn *make_panel)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .threads = (int32_t)settings->threads };
    struct scene_panel *panels[1 + PAGE_MOST_NETS] = { NULL };
    coordconv_context *context = NULL;
    coordconv_status status = coordconv_context_new(&desc, &context);

    if (status == COORDCONV_OK)
        status = panel_of_data((uint64_t)settings->first_seed, studio_round(images), &panels[0]);
    for (int32_t i = 0; i < nets && status == COORDCONV_OK; i++)
        status = make_panel(settings, context, i, panels[0], &panels[1 + i]);
    if (status == COORDCONV_OK)
        status = draw_page(settings, file, title, panels, 1 + nets);
    for (int32_t i = 0; i <= nets; i++)
        free(panels[i]);
    coordconv_context_unref(context);
    return status;
}
