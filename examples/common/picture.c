/* SPDX-License-Identifier: BSD-2-Clause
 *
 * picture.c - a small RGB canvas and its PNG file.
 */
#include "picture.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "letters.h"

struct picture *picture_new(int width, int height, uint32_t background)
{
    struct picture *p = malloc(sizeof *p);

    if (p == NULL)
        return NULL;
    p->width = width;
    p->height = height;
    p->rgb = malloc((size_t)width * (size_t)height * 3);
    if (p->rgb == NULL) {
        free(p);
        return NULL;
    }
    picture_fill(p, 0, 0, width, height, background);
    return p;
}

void picture_free(struct picture *picture)
{
    if (picture != NULL)
        free(picture->rgb);
    free(picture);
}

/* Mix colour into one pixel; cover 0 leaves it, 1 replaces it. */
static void blend(struct picture *p, int x, int y, uint32_t colour, double cover)
{
    if (x < 0 || y < 0 || x >= p->width || y >= p->height || cover <= 0)
        return;
    unsigned char *pixel = p->rgb + 3 * ((size_t)y * (size_t)p->width + (size_t)x);
    const double share = cover < 1 ? cover : 1;

    for (int c = 0; c < 3; c++) {
        const double old = pixel[c];
        const double wanted = (double)((colour >> (16 - 8 * c)) & 0xff);
        pixel[c] = (unsigned char)(old + (wanted - old) * share + 0.5);
    }
}

void picture_fill(struct picture *p, int x, int y, int width, int height, uint32_t colour)
{
    for (int i = y; i < y + height; i++)
        for (int j = x; j < x + width; j++)
            blend(p, j, i, colour, 1);
}

void picture_frame(struct picture *p, int x, int y, int width, int height, uint32_t colour)
{
    picture_fill(p, x, y, width, 1, colour);
    picture_fill(p, x, y + height - 1, width, 1, colour);
    picture_fill(p, x, y, 1, height, colour);
    picture_fill(p, x + width - 1, y, 1, height, colour);
}

/* Distance from (x, y) to the segment from a to b. */
static double segment_distance(double x, double y, double ax, double ay, double bx, double by)
{
    const double dx = bx - ax, dy = by - ay;
    const double length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? ((x - ax) * dx + (y - ay) * dy) / length2 : 0;

    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypot(x - (ax + t * dx), y - (ay + t * dy));
}

/* A pixel whose centre is d from the middle of the stroke is covered by about half a pixel more
 * than the stroke reaches beyond it: a smooth edge one pixel wide. */
void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t colour)
{
    const double reach = width / 2 + 1;
    const int left = (int)floor(fmin(x0, x1) - reach), right = (int)ceil(fmax(x0, x1) + reach);
    const int top = (int)floor(fmin(y0, y1) - reach), bottom = (int)ceil(fmax(y0, y1) + reach);

    for (int i = top; i <= bottom; i++)
        for (int j = left; j <= right; j++)
            blend(p, j, i, colour, width / 2 + 0.5 - segment_distance(j, i, x0, y0, x1, y1));
}

void picture_ring(struct picture *p, double x, double y, double radius, double width,
                  uint32_t colour)
{
    const double reach = radius + width / 2 + 1;

    for (int i = (int)floor(y - reach); i <= (int)ceil(y + reach); i++)
        for (int j = (int)floor(x - reach); j <= (int)ceil(x + reach); j++)
            blend(p, j, i, colour, width / 2 + 0.5 - fabs(hypot(j - x, i - y) - radius));
}

/* Draw one letter, its left edge at x; the pixels to the next letter. */
static double draw_letter(struct picture *p, double x, double y, double scale, uint32_t colour,
                          char letter)
{
    const char *strokes = letter_strokes(letter);
    const double top = y - LETTER_BASELINE * scale;
    const double width = 0.7 + 0.45 * scale;
    double last_x = 0, last_y = 0;
    int pen_down = 0;

    for (const char *s = strokes; *s != '\0'; s++) {
        if (*s == ',') {
            pen_down = 0;
            continue;
        }
        const double next_x = x + letter_unit(s[0]) * scale;
        const double next_y = top + letter_unit(s[1]) * scale;
        if (pen_down)
            picture_line(p, last_x, last_y, next_x, next_y, width, colour);
        last_x = next_x;
        last_y = next_y;
        pen_down = 1;
        s++;
    }
    return letter_advance(letter) * scale;
}

void picture_text(struct picture *p, double x, double y, double scale, uint32_t colour,
                  const char *text)
{
    for (; *text != '\0'; text++)
        x += draw_letter(p, x, y, scale, colour, *text);
}

double picture_text_width(double scale, const char *text)
{
    double width = 0;

    for (; *text != '\0'; text++)
        width += letter_advance(*text) * scale;
    return width;
}

/* From white over a pale and a full blue to nearly black, ever darker. */
uint32_t picture_heat_colour(double t)
{
    static const double stops[5][3] = {
        { 255, 255, 255 }, { 190, 217, 236 }, { 84, 155, 206 }, { 22, 88, 158 }, { 6, 26, 64 }
    };
    const double at = 4 * (t > 0 ? (t < 1 ? t : 1) : 0);
    const int stop = at < 4 ? (int)at : 3;
    uint32_t colour = 0;

    for (int c = 0; c < 3; c++) {
        const double value = stops[stop][c] + (stops[stop + 1][c] - stops[stop][c]) * (at - stop);
        colour = colour << 8 | (uint32_t)(value + 0.5);
    }
    return colour;
}

void picture_heat(struct picture *p, int x, int y, int cell, int rows, int columns,
                  const float *values, float low, float high)
{
    const double range = high > low ? (double)high - (double)low : 1;

    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            picture_fill(p, x + j * cell, y + i * cell, cell, cell,
                         picture_heat_colour(((double)values[i * columns + j] - low) / range));
}

int picture_write_png(const struct picture *p, const char *path, char *message, int message_size)
{
    png_image image;

    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)p->width;
    image.height = (png_uint_32)p->height;
    image.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&image, path, 0, p->rgb, 0, NULL))
        return 0;
    snprintf(message, (size_t)message_size, "%s: %s", path, image.message);
    png_image_free(&image);
    return -1;
}
