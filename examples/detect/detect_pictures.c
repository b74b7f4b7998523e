/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_pictures.c - images with their digits' boxes and what the nets propose.
 */
#include "detect_pictures.h"

#include <math.h>
#include <stdio.h>

#include "common/picture.h"

enum {
    SCALE = 4,  /* screen pixels a pixel */
    BORDER = 5, /* pixels shown around an image, where boxes may reach */
    PANEL = (FIELD_SIDE + 2 * BORDER) * SCALE,
    GAP = 16,
    LEFT = 24,
    TOP = 72,
    ROW_TITLE = 34,
    ROW = ROW_TITLE + PANEL + GAP
};

static const float sure = 2.2f; /* log of the odds of 9 to 1 */

/* Ink is grey on white, so that boxes stand out. */
static uint32_t shade(unsigned char value)
{
    const uint32_t grey = 255 - (uint32_t)value * 5 / 8;

    return grey << 16 | grey << 8 | grey;
}

static void draw_image(struct picture *p, int x, int y, const unsigned char *pixels)
{
    picture_frame(p, x - 1, y - 1, FIELD_SIDE * SCALE + 2, FIELD_SIDE * SCALE + 2, COLOUR_FAINT);
    for (int i = 0; i < FIELD_SIDE; i++)
        for (int j = 0; j < FIELD_SIDE; j++)
            picture_fill(p, x + j * SCALE, y + i * SCALE, SCALE, SCALE,
                         shade(pixels[i * FIELD_SIDE + j]));
}

/* The sides of a box as far as they are within the panel around an image at (x, y). */
static void draw_box(struct picture *p, int x, int y, struct box box, double width, uint32_t colour)
{
    const double low = -BORDER, high = FIELD_SIDE + BORDER;
    const double top = (double)(box.i - box.height / 2), bottom = (double)(box.i + box.height / 2);
    const double left = (double)(box.j - box.width / 2), right = (double)(box.j + box.width / 2);
    const double ends[4][4] = { { left, top, right, top },
                                { left, bottom, right, bottom },
                                { left, top, left, bottom },
                                { right, top, right, bottom } };

    for (int k = 0; k < 4; k++) {
        const double *e = ends[k];

        if (fmax(e[0], e[2]) < low || fmin(e[0], e[2]) > high || fmax(e[1], e[3]) < low ||
            fmin(e[1], e[3]) > high)
            continue;
        picture_line(p, x + SCALE * fmax(e[0], low), y + SCALE * fmax(e[1], low),
                     x + SCALE * fmin(e[2], high), y + SCALE * fmin(e[3], high), width, colour);
    }
}

static void draw_panel(struct picture *p, int x, int y, const struct field *field, int64_t which,
                       const struct proposals *proposals)
{
    const int inner_x = x + BORDER * SCALE, inner_y = y + BORDER * SCALE;
    const struct field_digit *digits = field->digits + which * FIELD_DIGITS;

    draw_image(p, inner_x, inner_y, field->pixels + which * FIELD_PIXELS);
    for (int k = 0; k < FIELD_DIGITS; k++)
        if (digits[k].is_object)
            draw_box(p, inner_x, inner_y, digits[k].box, 3, COLOUR_GREEN);
    for (int k = 0; k < proposals->count; k++)
        if (proposals->scores[k] > sure)
            draw_box(p, inner_x, inner_y, proposals->boxes[k], 1.5, COLOUR_ORANGE);
}

static void draw_legend(struct picture *p, double x, double y)
{
    static const char *const words[] = { "digit to be found", "proposed, at least 90 % sure" };
    static const uint32_t colours[] = { COLOUR_GREEN, COLOUR_ORANGE };

    for (int k = 0; k < 2; k++) {
        picture_line(p, x, y - 5, x + 26, y - 5, k == 0 ? 3 : 1.5, colours[k]);
        picture_text(p, x + 34, y, 1, COLOUR_INK, words[k]);
        x += 34 + picture_text_width(1, words[k]) + 36;
    }
}

int detect_draw(const struct field *field, const int64_t *which, const struct sight *sights,
                int count, const char *path, char *message, int message_size)
{
    struct picture *p =
        picture_new(2 * LEFT + DETECT_SHOWN * (PANEL + GAP) - GAP, TOP + count * ROW, COLOUR_WHITE);

    if (p == NULL) {
        snprintf(message, (size_t)message_size, "no memory for a picture");
        return -1;
    }
    picture_text(p, LEFT, 34, 1.4, COLOUR_INK, "Field of MNIST, test images");
    draw_legend(p, LEFT, 60);
    for (int s = 0; s < count; s++) {
        const int y = TOP + s * ROW;

        picture_text(p, LEFT, y + ROW_TITLE - 10, 1.2, COLOUR_INK, sights[s].name);
        for (int n = 0; n < DETECT_SHOWN; n++)
            draw_panel(p, LEFT + n * (PANEL + GAP), y + ROW_TITLE, field, which[n],
                       &sights[s].proposals[n]);
    }
    const int failed = picture_write_png(p, path, message, message_size);
    picture_free(p);
    return failed;
}
