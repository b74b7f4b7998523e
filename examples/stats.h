/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stats.h - mean, spread and extremes of a few numbers.
 */
#ifndef EXAMPLES_STATS_H
#define EXAMPLES_STATS_H

#include <stddef.h>

/* Zero it, then add numbers one by one. */
struct stats {
    size_t count;
    double mean;
    double squares; /* sum of squared distances from the mean */
    double least, most;
};

void stats_add(struct stats *s, double value);

/* Sample standard deviation, 0 for fewer than two numbers. */
double stats_spread(const struct stats *s);

#endif /* EXAMPLES_STATS_H */
