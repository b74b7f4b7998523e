/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stats.c - mean, spread and extremes of a few numbers, and how sure the mean is.
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

double student_within(double t, size_t freedom)
{
    const double angle = atan(t / sqrt((double)freedom));
    const double c = cos(angle), s = sin(angle);
    const int is_odd = freedom % 2 == 1;
    double term = is_odd ? c : 1, sum = 0;

    /* The series of either kind ends by itself. */
    for (size_t i = is_odd ? 1 : 0; i + 2 <= freedom; i += 2) {
        sum += term;
        term *= (double)(i + 1) / (double)(i + 2) * c * c;
    }
    return is_odd ? 2 / acos(-1) * (angle + s * sum) : s * sum;
}

/* The t that student_within() gives this probability for, by halving. */
static double student_quantile(double within, size_t freedom)
{
    double low = 0, high = 1;

    while (student_within(high, freedom) < within)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;

        if (student_within(middle, freedom) < within)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

double stats_margin(const struct stats *s)
{
    if (s->count < 2)
        return INFINITY;
    return student_quantile(0.95, s->count - 1) * stats_spread(s) / sqrt((double)s->count);
}

double stats_p(const struct stats *s)
{
    if (s->count < 2)
        return 1;
    if (stats_spread(s) == 0)
        return s->mean == 0 ? 1 : 0;
    const double t = fabs(s->mean) / stats_spread(s) * sqrt((double)s->count);
    return 1 - student_within(t, s->count - 1);
}
