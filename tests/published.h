/* SPDX-License-Identifier: BSD-2-Clause
 *
 * published.h - coordinate channels of small images as other implementations make
 * them, to be met by every way this library has of making them.
 */
#ifndef COORDCONV_TESTS_PUBLISHED_H
#define COORDCONV_TESTS_PUBLISHED_H

/* Channels of one implementation, or of several that agree, over height x width samples. */
struct published {
    const char *names; /* between commas */
    int height, width;
    double first[9], second[9], radius[9]; /* radius: of those that have one */
    int has_radius, row_first, before;
};

/* Values are printed with six digits. */
int published_near(double got, double want);

/* Call check for each row of the table and each of its names. */
void published_each(void (*check)(const struct published *row, const char *name));

#endif /* COORDCONV_TESTS_PUBLISHED_H */
