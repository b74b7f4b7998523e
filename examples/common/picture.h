/* SPDX-License-Identifier: BSD-2-Clause
 *
 * picture.h - a small RGB canvas: rectangles, smooth lines, text, heat maps, PNG.
 *
 * Positions are in pixels, (0, 0) the top left corner; colours are 0xRRGGBB.
 * What lies outside the canvas is cut off. No drawing call can fail.
 */
#ifndef EXAMPLES_PICTURE_H
#define EXAMPLES_PICTURE_H

#include <stdint.h>

struct picture {
    int width, height;
    unsigned char *rgb; /* 3 bytes a pixel, rows from the top */
};

/* Colours that people who see red and green alike can tell apart. */
enum {
    COLOUR_WHITE = 0xffffff,
    COLOUR_INK = 0x22262b,
    COLOUR_FAINT = 0x8b929b,
    COLOUR_GRID = 0xdfe3e8,
    COLOUR_BLUE = 0x2166ac,
    COLOUR_ORANGE = 0xd95f02,
    COLOUR_GREEN = 0x1b9e77,
    COLOUR_PALE = 0xc6dbef,
    COLOUR_SAND = 0xf5c26b
};

/* NULL when there is no memory. */
struct picture *picture_new(int width, int height, uint32_t background);
void picture_free(struct picture *picture);

void picture_fill(struct picture *p, int x, int y, int width, int height, uint32_t colour);

/* One pixel wide, just inside the rectangle. */
void picture_frame(struct picture *p, int x, int y, int width, int height, uint32_t colour);

/* (x, y) are pixel centres, width is the thickness of the stroke. */
void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t colour);

void picture_ring(struct picture *p, double x, double y, double radius, double width,
                  uint32_t colour);

/* Letters whose capitals are 9 * scale pixels high, the baseline at y. */
void picture_text(struct picture *p, double x, double y, double scale, uint32_t colour,
                  const char *text);

/* Pixels that text takes from left to right. */
double picture_text_width(double scale, const char *text);

/* A map of rows x columns values, each a square of cell pixels: low is white, high is dark. */
void picture_heat(struct picture *p, int x, int y, int cell, int rows, int columns,
                  const float *values, float low, float high);

/* The colour picture_heat() gives a value whose place between low and high is t. */
uint32_t picture_heat_colour(double t);

/* Read a PNG, or a PPM of bytes (P6); what is transparent shows white. NULL with the reason in
 * message. */
struct picture *picture_read(const char *path, char *message, int message_size);

/* 0, or -1 with the reason in message. */
int picture_write_png(const struct picture *p, const char *path, char *message, int message_size);

#endif /* EXAMPLES_PICTURE_H */
