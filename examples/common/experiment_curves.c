/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_curves.c - the curves of an experiment's results, drawn.
 */
#include "experiment_curves.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chart.h"

enum {
    MOST_CASES = 4,
    MOST_POINTS = 400,
    WIDTH = 920,
    HEIGHT = 420
};

struct mean_curve {
    double x[MOST_POINTS], y[MOST_POINTS];
    size_t count;
};

static int is_text(const json_t *run, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(run, name));

    return text != NULL && strcmp(text, wanted) == 0;
}

/* count: of the values that the mean is of. */
static void add_to_mean(double *mean, size_t count, double value)
{
    *mean = count == 0 ? value : *mean + (value - *mean) / (double)(count + 1);
}

/* Mean over the runs of a case, of each point over those that have it as a number; a point that
 * none has is not a number. */
static void find_mean(const json_t *runs, const struct experiment_case *which, const char *curve,
                      struct mean_curve *out)
{
    size_t seeds[MOST_POINTS] = { 0 };

    out->count = 0;
    for (size_t p = 0; p < MOST_POINTS; p++)
        out->x[p] = out->y[p] = NAN;
    for (size_t r = 0; r < json_array_size(runs); r++) {
        const json_t *run = json_array_get(runs, r);
        const json_t *points = json_object_get(json_object_get(run, "curves"), curve);

        if (!is_text(run, "condition", which->condition) ||
            !is_text(run, "variant", which->variant))
            continue;
        for (size_t p = 0; p < json_array_size(points) && p < MOST_POINTS; p++) {
            const json_t *point = json_array_get(points, p);
            const json_t *y = json_array_get(point, 1);

            out->count = p + 1 > out->count ? p + 1 : out->count;
            if (!json_is_number(y))
                continue;
            add_to_mean(&out->x[p], seeds[p], json_number_value(json_array_get(point, 0)));
            add_to_mean(&out->y[p], seeds[p], json_number_value(y));
            seeds[p]++;
        }
    }
}

static int draw(const struct mean_curve *means, const struct experiment_case *cases, size_t count,
                const struct curve_picture *picture, const char *path, char *message,
                int message_size)
{
    static const uint32_t colours[MOST_CASES] = { COLOUR_ORANGE, COLOUR_BLUE, COLOUR_GREEN,
                                                  COLOUR_SAND };
    const struct chart chart = { .title = picture->title, .x_label = picture->x_label };
    struct chart_curve curves[MOST_CASES];
    char names[MOST_CASES][80];
    struct picture *p = picture_new(WIDTH, HEIGHT, COLOUR_WHITE);

    if (p == NULL) {
        snprintf(message, (size_t)message_size, "no memory for a picture");
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *condition = cases[i].condition;

        snprintf(names[i], sizeof names[i], "%s%s%s", cases[i].variant,
                 condition[0] != '\0' ? ", " : "", condition);
        curves[i] =
            (struct chart_curve){ names[i], means[i].x, means[i].y, means[i].count, colours[i] };
    }
    chart_draw(p, 16, 16, WIDTH - 32, HEIGHT - 32, &chart, curves, count);
    const int failed = picture_write_png(p, path, message, message_size);
    picture_free(p);
    return failed;
}

int curves_draw(const struct settings *settings, const struct experiment_case *cases, size_t count,
                const struct curve_picture *picture, char *message, int message_size)
{
    struct mean_curve means[MOST_CASES];
    char path[PATH_SIZE];
    json_error_t error;

    if (settings->json != NULL)
        snprintf(path, sizeof path, "%s", settings->json);
    else
        settings_path(settings, "results.json", path);
    json_t *document = json_load_file(path, 0, &error);
    if (document == NULL) {
        snprintf(message, (size_t)message_size, "%s: %s", path, error.text);
        return -1;
    }
    count = count < MOST_CASES ? count : MOST_CASES;
    for (size_t i = 0; i < count; i++)
        find_mean(json_object_get(document, "runs"), &cases[i], picture->curve, &means[i]);
    json_decref(document);
    settings_path(settings, picture->file, path);
    return draw(means, cases, count, picture, path, message, message_size);
}
