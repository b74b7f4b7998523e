/* SPDX-License-Identifier: BSD-2-Clause
 *
 * curves_test.c - a point of a curve that is no number counts for nothing: the picture is that of
 * the runs that have one.
 */
#include "experiment_curves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_BYTES = 1 << 20
};

static unsigned char pictures[2][MOST_BYTES];

/* Draws the curves of a document; how many bytes the picture has, 0 for a failure. */
static size_t draw(const char *runs, unsigned char *bytes)
{
    static const struct experiment_case which = { "", "conv" };
    static const struct curve_picture picture = { "loss", "loss", "step", "curves_test.png" };
    const struct settings settings = { .out = ".", .json = "curves_test.json" };
    char message[512] = "cannot be written";
    FILE *file = fopen(settings.json, "w");
    size_t size = 0;

    if (file != NULL && fprintf(file, "{ \"runs\": [ %s ] }", runs) > 0 && fclose(file) == 0 &&
        curves_draw(&settings, &which, 1, &picture, message, sizeof message) == 0 &&
        (file = fopen(picture.file, "rb")) != NULL) {
        size = fread(bytes, 1, MOST_BYTES, file);
        fclose(file);
    } else {
        fprintf(stderr, "%s\n", message);
    }
    remove(settings.json);
    remove(picture.file);
    return size;
}

static int is_same(const char *runs, const char *others)
{
    const size_t size = draw(runs, pictures[0]), other = draw(others, pictures[1]);

    return size > 0 && size == other && memcmp(pictures[0], pictures[1], size) == 0;
}

#define RUN(points)                                                                                \
    "{ \"condition\": \"\", \"variant\": \"conv\", \"curves\": { \"loss\": [ " points " ] } }"

int main(void)
{
    static const char whole[] = RUN("[0, 5], [1, 3], [2, 1]");
    static const char other[] = RUN("[0, 3], [1, 2], [2, 1]");
    static const char mean[] = RUN("[0, 4], [1, 3], [2, 1]");
    static const char both[] = RUN("[0, 5], [1, 3], [2, 1]") ", " RUN("[0, 3], [1, null]");
    static const char first[] = RUN("[0, null], [1, null]") ", " RUN("[0, 5], [1, 3], [2, 1]");
    int failures = 0;

    if (is_same(whole, other)) {
        fprintf(stderr, "two curves have one picture\n");
        failures++;
    }
    if (!is_same(both, mean) || !is_same(first, whole)) {
        fprintf(stderr, "what is no number changes a mean\n");
        failures++;
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
