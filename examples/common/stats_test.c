/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stats_test.c - means, intervals and p against values known otherwise.
 */
#include "stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failures;

static void check(const char *what, double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) {
        fprintf(stderr, "%s: %.9g, not %.9g\n", what, value, wanted);
        failures++;
    }
}

/* Two-sided 95 % points of Student's t, as every table of it has them. */
static void check_quantiles(void)
{
    static const struct {
        size_t freedom;
        double t;
    } points[] = { { 1, 12.706 }, { 2, 4.303 },  { 3, 3.182 }, { 4, 2.776 },
                   { 9, 2.262 },  { 10, 2.228 }, { 30, 2.042 } };

    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        check("table", student_within(points[i].t, points[i].freedom), 0.95, 2e-4);
    }
    /* One degree of freedom is Cauchy's distribution, two have a closed form. */
    check("Cauchy", student_within(2, 1), 2 / acos(-1) * atan(2), 1e-15);
    check("two", student_within(2, 2), 2 / sqrt(6), 1e-15);
}

int main(void)
{
    static const double values[] = { 1, 2, 3, 4, 7 };
    struct stats s = { 0 };

    check("p of nothing", stats_p(&s), 1, 0);
    stats_add(&s, values[0]);
    if (!isinf(stats_margin(&s)))
        check("one number has no interval", stats_margin(&s), INFINITY, 0);
    for (size_t i = 1; i < 5; i++)
        stats_add(&s, values[i]);
    check("mean", s.mean, 3.4, 1e-15);
    check("deviation", stats_spread(&s), sqrt(5.3), 1e-15);
    check("margin", stats_margin(&s), 2.776445105 * sqrt(5.3 / 5), 1e-8);
    /* t = 3.4 / sqrt(5.3 / 5) with 4 degrees of freedom, whose tail has a closed form too. */
    const double t = 3.4 / sqrt(5.3 / 5), u = t / sqrt(4 + t * t);
    check("p", stats_p(&s), 1 - u * (1 + (1 - u * u) / 2), 1e-12);
    check_quantiles();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
