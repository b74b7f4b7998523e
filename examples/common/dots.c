/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dots.c - groups of values over a common axis.
 */
#include "dots.h"

#include <math.h>
#include <stdio.h>

#include "chart.h"
#include "stats.h"

enum {
    MARGIN_LEFT = 150,
    MARGIN_RIGHT = 24,
    MARGIN_TOP = 30,
    MARGIN_BOTTOM = 40,
    DOT_LEVELS = 3 /* heights that dots take in turn, to be told apart */
};

struct frame {
    double left, top, width, height;
    double low, high;
};

static struct stats stats_of(const struct dot_group *group)
{
    struct stats s = { 0 };

    for (size_t i = 0; i < group->count; i++)
        if (isfinite(group->values[i]))
            stats_add(&s, group->values[i]);
    return s;
}

/* Half the interval's width; 0 where there is none. */
static double reach(const struct stats *s)
{
    return s->count > 1 ? stats_margin(s) : 0;
}

static void find_range(struct frame *f, const struct dot_group *groups, size_t group_count)
{
    f->low = INFINITY;
    f->high = -INFINITY;
    for (size_t g = 0; g < group_count; g++) {
        const struct stats s = stats_of(&groups[g]);

        if (s.count == 0)
            continue;
        f->low = fmin(f->low, fmin(s.least, s.mean - reach(&s)));
        f->high = fmax(f->high, fmax(s.most, s.mean + reach(&s)));
    }
    if (!isfinite(f->low))
        f->low = f->high = 0;
    const double room = f->high > f->low ? 0.04 * (f->high - f->low) : 1;
    f->low -= room;
    f->high += room;
}

static double place(const struct frame *f, double value)
{
    return f->left + (value - f->low) / (f->high - f->low) * f->width;
}

static void draw_axis(struct picture *p, const struct frame *f, const char *name)
{
    const double step = chart_tick_step(f->high - f->low, 6), bottom = f->top + f->height;

    for (double v = ceil(f->low / step) * step; v <= f->high; v += step) {
        const double at = floor(place(f, v) + 0.5);
        char text[24];

        snprintf(text, sizeof text, "%g", fabs(v) < step * 1e-6 ? 0 : v);
        picture_line(p, at, f->top, at, bottom, 1, COLOUR_GRID);
        picture_text(p, at - picture_text_width(1, text) / 2, bottom + 16, 1, COLOUR_INK, text);
    }
    picture_line(p, f->left, bottom, f->left + f->width, bottom, 1, COLOUR_FAINT);
    picture_text(p, f->left + f->width - picture_text_width(1, name), bottom + 32, 1, COLOUR_FAINT,
                 name);
}

/* A group in a row of this height whose top is at y. */
static void draw_group(struct picture *p, const struct frame *f, const struct dot_group *group,
                       double y, double height)
{
    const struct stats s = stats_of(group);
    const double bar = y + height * 0.78;

    picture_text(p, f->left - 12 - picture_text_width(1, group->name), y + height / 2 + 4, 1,
                 COLOUR_INK, group->name);
    for (size_t i = 0; i < group->count; i++)
        if (isfinite(group->values[i]))
            picture_ring(p, place(f, group->values[i]),
                         y + height * (0.2 + 0.14 * (double)(i % DOT_LEVELS)), 2, 3, group->colour);
    if (s.count == 0)
        return;
    picture_line(p, place(f, s.mean - reach(&s)), bar, place(f, s.mean + reach(&s)), bar, 4,
                 group->colour);
    picture_line(p, place(f, s.mean), bar - 6, place(f, s.mean), bar + 6, 2, COLOUR_INK);
}

void dots_draw(struct picture *p, int x, int y, int width, int height, const char *title,
               const char *axis, const struct dot_group *groups, size_t group_count)
{
    struct frame f = { .left = x + MARGIN_LEFT,
                       .top = y + MARGIN_TOP,
                       .width = width - MARGIN_LEFT - MARGIN_RIGHT,
                       .height = height - MARGIN_TOP - MARGIN_BOTTOM };

    find_range(&f, groups, group_count);
    picture_text(p, f.left, y + 11, 1, COLOUR_INK, title);
    draw_axis(p, &f, axis);
    for (size_t g = 0; g < group_count; g++)
        draw_group(p, &f, &groups[g], f.top + f.height * (double)g / (double)group_count,
                   f.height / (double)group_count);
}
