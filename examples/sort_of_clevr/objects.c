/* SPDX-License-Identifier: BSD-2-Clause
 *
 * objects.c - what a generated Sort-of-Clevr image shows, decided without anyone looking.
 */
#include "objects.h"

#include <math.h>
#include <string.h>

enum {
    NOTHING = -1,     /* a pixel of neither colour */
    LEAST_OBJECT = 22 /* pixels: a quarter of a circle's 89 */
};

/* A patch while it is looked at. */
struct patch {
    unsigned char inside[SCENE_PIXELS];
    int area, left, right, top, bottom;
    double sum_x, sum_y;
};

static int colour_of(const float *pixel)
{
    const float red = pixel[0], green = pixel[1], blue = pixel[2];

    if (blue - fmaxf(red, green) > 1)
        return SCENE_BLUE;
    if (red - fmaxf(green, blue) > 1)
        return SCENE_RED;
    return NOTHING;
}

static void take_pixel(struct patch *patch, int pixel)
{
    const int x = pixel % SCENE_SIDE, y = pixel / SCENE_SIDE;

    patch->inside[pixel] = 1;
    if (patch->area == 0 || x < patch->left)
        patch->left = x;
    if (patch->area == 0 || x > patch->right)
        patch->right = x;
    if (patch->area == 0 || y < patch->top)
        patch->top = y;
    if (patch->area == 0 || y > patch->bottom)
        patch->bottom = y;
    patch->sum_x += x;
    patch->sum_y += y;
    patch->area++;
}

/* The patch that `start` belongs to, wiped from the pixels still to be looked at. */
static void gather(signed char *left_over, int start, struct patch *patch)
{
    static const int step_x[4] = { 1, -1, 0, 0 }, step_y[4] = { 0, 0, 1, -1 };
    const signed char colour = left_over[start];
    int waiting[SCENE_PIXELS], count = 1;

    memset(patch, 0, sizeof *patch);
    waiting[0] = start;
    left_over[start] = NOTHING;
    while (count > 0) {
        const int pixel = waiting[--count];

        take_pixel(patch, pixel);
        for (int k = 0; k < 4; k++) {
            const int x = pixel % SCENE_SIDE + step_x[k], y = pixel / SCENE_SIDE + step_y[k];
            const int next = y * SCENE_SIDE + x;

            if (x < 0 || x >= SCENE_SIDE || y < 0 || y >= SCENE_SIDE || left_over[next] != colour)
                continue;
            left_over[next] = NOTHING; /* once in the list is enough */
            waiting[count++] = next;
        }
    }
}

/* Intersection over union of a patch and a shape around (x, y); the other colour hides both. */
static double overlap(const struct patch *patch, const signed char *colours, int other, int shape,
                      int x, int y)
{
    int both = 0, covered = 0;

    for (int i = y - SCENE_REACH; i <= y + SCENE_REACH; i++) {
        for (int j = x - SCENE_REACH; j <= x + SCENE_REACH; j++) {
            const int pixel = i * SCENE_SIDE + j;

            if (!scene_covers(shape, j - x, i - y) || colours[pixel] == other)
                continue;
            covered++;
            both += patch->inside[pixel];
        }
    }
    return (double)both / (double)(covered + patch->area - both);
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Try both shapes around the middle of the patch, and, as a part may be hidden, nearby. */
static void fit(const struct patch *patch, const signed char *colours, int colour,
                struct sight *sight)
{
    const int last = SCENE_SIDE - 1 - SCENE_REACH, around = SCENE_REACH - 1;
    const int middle_x = (patch->left + patch->right) / 2;
    const int middle_y = (patch->top + patch->bottom) / 2;
    const int other = SCENE_BLUE + SCENE_RED - colour;

    sight->overlap = 0;
    for (int shape = 0; shape < SCENE_SHAPES; shape++) {
        for (int y = clamp(middle_y - around, SCENE_REACH, last); y <= middle_y + around; y++) {
            for (int x = clamp(middle_x - around, SCENE_REACH, last); x <= middle_x + around; x++) {
                if (x > last || y > last)
                    continue;
                const double here = overlap(patch, colours, other, shape, x, y);
                if (here > sight->overlap) {
                    sight->overlap = here;
                    sight->shape = shape;
                }
            }
        }
    }
    sight->x = patch->sum_x / patch->area;
    sight->y = patch->sum_y / patch->area;
}

void objects_see(const float *image, struct sight seen[SCENE_COLOURS])
{
    signed char colours[SCENE_PIXELS], left_over[SCENE_PIXELS];
    struct patch patch, largest[SCENE_COLOURS];

    memset(seen, 0, SCENE_COLOURS * sizeof *seen);
    for (int i = 0; i < SCENE_PIXELS; i++)
        left_over[i] = colours[i] = (signed char)colour_of(image + 3 * i);
    for (int c = 0; c < SCENE_COLOURS; c++)
        largest[c].area = 0;
    for (int i = 0; i < SCENE_PIXELS; i++) {
        const int colour = left_over[i];

        if (colour == NOTHING)
            continue;
        gather(left_over, i, &patch);
        if (patch.area < LEAST_OBJECT)
            seen[colour].specks++;
        else
            seen[colour].count++;
        if (patch.area >= LEAST_OBJECT && patch.area > largest[colour].area)
            largest[colour] = patch;
    }
    for (int c = 0; c < SCENE_COLOURS; c++)
        if (largest[c].area > 0)
            fit(&largest[c], colours, c, &seen[c]);
}

int objects_are_two(const struct sight seen[SCENE_COLOURS])
{
    for (int c = 0; c < SCENE_COLOURS; c++)
        if (seen[c].count != 1)
            return 0;
    return 1;
}

int objects_are_whole(const struct sight seen[SCENE_COLOURS])
{
    return objects_are_two(seen) && seen[SCENE_BLUE].overlap >= OBJECTS_WHOLE &&
           seen[SCENE_RED].overlap >= OBJECTS_WHOLE;
}

/* ---- many images ---- */

static int cell_of(double position)
{
    const int cell = (int)floor((position - SCENE_REACH + 0.5) * OBJECTS_GRID / SCENE_CENTRES);

    return clamp(cell, 0, OBJECTS_GRID - 1);
}

void objects_add(struct objects_tally *tally, const float *images, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        struct sight seen[SCENE_COLOURS];

        objects_see(images + i * SCENE_VALUES, seen);
        tally->images++;
        tally->two += objects_are_two(seen);
        tally->whole += objects_are_whole(seen);
        for (int c = 0; c < SCENE_COLOURS; c++) {
            tally->objects[c] += seen[c].count;
            tally->specks[c] += seen[c].specks;
            if (seen[c].count > 0)
                tally->covered[c][cell_of(seen[c].y) * OBJECTS_GRID + cell_of(seen[c].x)]++;
        }
    }
}

coordconv_status objects_add_real(struct objects_tally *tally, uint64_t seed, int64_t first,
                                  int64_t count)
{
    float image[SCENE_VALUES];
    coordconv_status status = COORDCONV_OK;

    for (int64_t i = first; i < first + count && status == COORDCONV_OK; i++) {
        status = scene_paint_all(seed, &i, 1, image);
        if (status == COORDCONV_OK)
            objects_add(tally, image, 1);
    }
    return status;
}

/* Shares of the cells; 0 without objects. */
static int shares(const struct objects_tally *tally, int colour, double *share)
{
    double all = 0;

    for (int i = 0; i < OBJECTS_CELLS; i++)
        all += (double)tally->covered[colour][i];
    for (int i = 0; i < OBJECTS_CELLS; i++)
        share[i] = all > 0 ? (double)tally->covered[colour][i] / all : 0;
    return all > 0;
}

static double entropy(const double *share)
{
    double bits = 0;

    for (int i = 0; i < OBJECTS_CELLS; i++)
        if (share[i] > 0)
            bits -= share[i] * log2(share[i]);
    return bits;
}

double objects_entropy(const struct objects_tally *tally, int colour)
{
    double share[OBJECTS_CELLS];

    return shares(tally, colour, share) ? entropy(share) : 0;
}

double objects_coverage(const struct objects_tally *tally, const struct objects_tally *reference,
                        int colour)
{
    double share[OBJECTS_CELLS];

    if (!shares(tally, colour, share))
        return 0;
    return exp2(entropy(share) - objects_entropy(reference, colour));
}

double objects_divergence(const struct objects_tally *tally, const struct objects_tally *reference,
                          int colour)
{
    double a[OBJECTS_CELLS], b[OBJECTS_CELLS], middle[OBJECTS_CELLS];

    if (!shares(tally, colour, a) || !shares(reference, colour, b))
        return 1;
    for (int i = 0; i < OBJECTS_CELLS; i++)
        middle[i] = (a[i] + b[i]) / 2;
    return entropy(middle) - (entropy(a) + entropy(b)) / 2;
}
