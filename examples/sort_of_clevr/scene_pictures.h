/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_pictures.h - a page of what nets draw, one column a net, beside the data.
 */
#ifndef EXAMPLES_SCENE_PICTURES_H
#define EXAMPLES_SCENE_PICTURES_H

#include "objects.h"
#include "scene_judge.h"

enum {
    PANEL_COLUMNS = 6, /* images in a row */
    PANEL_SAMPLES = 5 * PANEL_COLUMNS,
    PANEL_PATHS = 4, /* rows of images from one code to another */
    PANEL_BETWEEN = PANEL_PATHS * PANEL_COLUMNS,
    PANEL_REBUILT = 2 * PANEL_COLUMNS,
    PAGE_MOST_NETS = 4
};

/* A column of the page. Images in [-1, 1], SCENE_VALUES each. */
struct scene_panel {
    const char *title;
    struct objects_tally tally; /* for the maps of where objects are */
    float samples[PANEL_SAMPLES * SCENE_VALUES];
    float between[PANEL_BETWEEN * SCENE_VALUES];
    float rebuilt[PANEL_REBUILT * SCENE_VALUES];
    int has_between, has_rebuilt; /* of the last two */
};

/* A painter's panel, without what is rebuilt: so many images of codes for the maps, and the way
 * between the first of `ends`. To be freed with free(). */
coordconv_status panel_of_painter(const char *title, const struct studio *studio, codes_fn *codes,
                                  codes_fn *ends, void *user, int64_t images,
                                  struct scene_panel **out);

/*
 * Makes the panel of a trained net, that of case number i, with its first seed. The data's panel
 * has the test images in `rebuilt` and as many images in its maps as this shall have.
 */
typedef coordconv_status make_panel_fn(const struct settings *settings, coordconv_context *context,
                                       int32_t i, const struct scene_panel *data,
                                       struct scene_panel **out);

/* Write the page of the data and of the first `nets` cases into a file of the output folder. */
coordconv_status scene_page(const struct settings *settings, const char *file, const char *title,
                            int32_t nets, int64_t images, make_panel_fn *make_panel);

#endif /* EXAMPLES_SCENE_PICTURES_H */
