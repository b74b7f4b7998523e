/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chart.h - curves over a common axis, with ticks and a legend.
 */
#ifndef EXAMPLES_CHART_H
#define EXAMPLES_CHART_H

#include <stddef.h>

#include "picture.h"

struct chart_curve {
    const char *name;
    const double *x, *y; /* points that are not finite are left out */
    size_t count;
    uint32_t colour;
};

struct chart {
    const char *title;
    const char *x_label;
    int logarithmic;  /* powers of ten upwards; values not above 0 are left out */
    double low, high; /* range of y; both 0: what the curves need */
};

/* Draw into the rectangle at (x, y), labels included. */
void chart_draw(struct picture *p, int x, int y, int width, int height, const struct chart *chart,
                const struct chart_curve *curves, size_t curve_count);

/* 1, 2 or 5 times a power of ten: the distance of about count ticks over a range. */
double chart_tick_step(double range, int count);

#endif /* EXAMPLES_CHART_H */
