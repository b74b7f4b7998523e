/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dots.h - groups of values over a common axis: a dot for each value, below them the mean and its
 * 95 % interval.
 */
#ifndef EXAMPLES_DOTS_H
#define EXAMPLES_DOTS_H

#include <stddef.h>

#include "picture.h"

struct dot_group {
    const char *name;
    const double *values; /* those that are not finite are left out */
    size_t count;
    uint32_t colour;
};

/* Draw into the rectangle at (x, y), a row for each group, labels included. */
void dots_draw(struct picture *p, int x, int y, int width, int height, const char *title,
               const char *axis, const struct dot_group *groups, size_t group_count);

#endif /* EXAMPLES_DOTS_H */
