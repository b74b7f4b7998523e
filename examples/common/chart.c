/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chart.c - curves over a common axis, with ticks and a legend.
 */
#include "chart.h"

#include <math.h>
#include <stdio.h>

enum {
    MARGIN_LEFT = 58,
    MARGIN_RIGHT = 14,
    MARGIN_TOP = 42,
    MARGIN_BOTTOM = 40
};

/* The plotting area in pixels and the ranges shown on it; y in powers of ten if logarithmic. */
struct frame {
    double left, top, width, height;
    double x_low, x_high, y_low, y_high;
    int logarithmic;
};

/* The height of a value on the axis; not a number if it has none. */
static double level(const struct frame *f, double value)
{
    if (!isfinite(value) || (f->logarithmic && value <= 0))
        return NAN;
    return f->logarithmic ? log10(value) : value;
}

static double place_x(const struct frame *f, double x)
{
    return f->left + (x - f->x_low) / (f->x_high - f->x_low) * f->width;
}

static double place_level(const struct frame *f, double y)
{
    const double t = (y - f->y_low) / (f->y_high - f->y_low);

    return f->top + f->height * (1 - (t < 0 ? 0 : t > 1 ? 1 : t));
}

double chart_tick_step(double range, int count)
{
    const double rough = range / count;
    const double power = pow(10, floor(log10(rough)));
    const double digits = rough / power;

    return power * (digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10);
}

static void widen(double *low, double *high, double value)
{
    if (isfinite(value)) {
        *low = value < *low ? value : *low;
        *high = value > *high ? value : *high;
    }
}

static void find_ranges(struct frame *f, const struct chart *chart,
                        const struct chart_curve *curves, size_t curve_count)
{
    f->x_low = f->y_low = INFINITY;
    f->x_high = f->y_high = -INFINITY;
    for (size_t c = 0; c < curve_count; c++) {
        for (size_t i = 0; i < curves[c].count; i++) {
            widen(&f->x_low, &f->x_high, curves[c].x[i]);
            widen(&f->y_low, &f->y_high, level(f, curves[c].y[i]));
        }
    }
    if (chart->low < chart->high) {
        f->y_low = level(f, chart->low);
        f->y_high = level(f, chart->high);
    }
    if (!(f->x_low < f->x_high)) { /* no curve, or a single point */
        f->x_low = isfinite(f->x_low) ? f->x_low - 1 : 0;
        f->x_high = f->x_low + 2;
    }
    if (f->logarithmic && isfinite(f->y_low)) {
        f->y_low = floor(f->y_low);
        f->y_high = ceil(f->y_high);
    }
    if (!(f->y_low < f->y_high)) {
        f->y_low = isfinite(f->y_low) ? f->y_low - 1 : 0;
        f->y_high = f->y_low + 2;
    }
}

static void draw_y_axis(struct picture *p, const struct frame *f)
{
    const double step = f->logarithmic ? fmax(1, chart_tick_step(f->y_high - f->y_low, 5))
                                       : chart_tick_step(f->y_high - f->y_low, 5);

    for (double y = ceil(f->y_low / step - 1e-9) * step; y <= f->y_high + step * 1e-9; y += step) {
        const double at = floor(place_level(f, y) + 0.5);
        char text[24];

        if (f->logarithmic)
            snprintf(text, sizeof text, y >= -3 && y <= 4 ? "%g" : "%.0e", pow(10, y));
        else
            snprintf(text, sizeof text, "%g", fabs(y) < step * 1e-6 ? 0 : y);
        picture_line(p, f->left, at, f->left + f->width, at, 1, COLOUR_GRID);
        picture_text(p, f->left - 8 - picture_text_width(1, text), at + 4, 1, COLOUR_INK, text);
    }
}

static void draw_x_axis(struct picture *p, const struct frame *f, const char *label)
{
    const double step = chart_tick_step(f->x_high - f->x_low, 6);
    const double bottom = f->top + f->height;

    for (double x = ceil(f->x_low / step - 1e-9) * step; x <= f->x_high + step * 1e-9; x += step) {
        const double at = floor(place_x(f, x) + 0.5);
        char text[24];

        snprintf(text, sizeof text, "%g", fabs(x) < step * 1e-6 ? 0 : x);
        picture_line(p, at, bottom, at, bottom + 4, 1, COLOUR_FAINT);
        picture_text(p, at - picture_text_width(1, text) / 2, bottom + 18, 1, COLOUR_INK, text);
    }
    picture_text(p, f->left + f->width - picture_text_width(1, label), bottom + 34, 1, COLOUR_FAINT,
                 label);
}

static void draw_curve(struct picture *p, const struct frame *f, const struct chart_curve *curve)
{
    double last_x = NAN, last_y = NAN;

    for (size_t i = 0; i < curve->count; i++) {
        const double y = level(f, curve->y[i]);

        if (!isfinite(y) || !isfinite(curve->x[i]))
            continue;
        const double at_x = place_x(f, curve->x[i]), at_y = place_level(f, y);
        if (isfinite(last_x))
            picture_line(p, last_x, last_y, at_x, at_y, 2, curve->colour);
        if (curve->count <= 40)
            picture_ring(p, at_x, at_y, 1.5, 2, curve->colour);
        last_x = at_x;
        last_y = at_y;
    }
}

static void draw_legend(struct picture *p, const struct frame *f, const struct chart_curve *curves,
                        size_t curve_count)
{
    double x = f->left;
    const double y = f->top - 8;

    for (size_t c = 0; c < curve_count; c++) {
        picture_line(p, x, y - 4, x + 16, y - 4, 3, curves[c].colour);
        picture_text(p, x + 22, y, 1, COLOUR_INK, curves[c].name);
        x += 22 + picture_text_width(1, curves[c].name) + 14;
    }
}

void chart_draw(struct picture *p, int x, int y, int width, int height, const struct chart *chart,
                const struct chart_curve *curves, size_t curve_count)
{
    struct frame f = { .left = x + MARGIN_LEFT,
                       .top = y + MARGIN_TOP,
                       .width = width - MARGIN_LEFT - MARGIN_RIGHT,
                       .height = height - MARGIN_TOP - MARGIN_BOTTOM,
                       .logarithmic = chart->logarithmic };

    find_ranges(&f, chart, curves, curve_count);
    picture_text(p, f.left, y + 11, 1, COLOUR_INK, chart->title);
    draw_y_axis(p, &f);
    draw_x_axis(p, &f, chart->x_label);
    picture_line(p, f.left, f.top + f.height, f.left + f.width, f.top + f.height, 1, COLOUR_FAINT);
    draw_legend(p, &f, curves, curve_count);
    for (size_t c = 0; c < curve_count; c++)
        draw_curve(p, &f, &curves[c]);
}
