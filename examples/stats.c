/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stats.c - mean, spread and extremes of a few numbers.
 */
#include "stats.h"

#include <math.h>

/* Welford's update: the mean moves by its share of the surprise, so nothing large cancels. */
void stats_add(struct stats *s, double value)
{
    const double before = value - s->mean;

    s->least = s->count == 0 || value < s->least ? value : s->least;
    s->most = s->count == 0 || value > s->most ? value : s->most;
    s->count++;
    s->mean += before / (double)s->count;
    s->squares += before * (value - s->mean);
}

double stats_spread(const struct stats *s)
{
    return s->count < 2 ? 0 : sqrt(s->squares / (double)(s->count - 1));
}
