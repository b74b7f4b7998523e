/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stats.h - mean, spread and extremes of a few numbers, and how sure the mean is.
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

/*
 * Probability that Student's t with so many degrees of freedom lies in -t .. t
 * (Abramowitz and Stegun, 26.7.3 and 26.7.4).
 */
double student_within(double t, size_t freedom);

/* Half the width of the mean's 95 % interval, if the numbers are normal; infinite for fewer than
 * two. */
double stats_margin(const struct stats *s);

/* The two-sided p of a mean this far from zero, by the t test; 1 for fewer than two numbers. */
double stats_p(const struct stats *s);

#endif /* EXAMPLES_STATS_H */
