/* SPDX-License-Identifier: BSD-2-Clause
 *
 * field_of_mnist.h - the Field of MNIST data set (Liu et al. 2018), the cropped version.
 *
 * Five digits, each stretched to a height and a width drawn from 15 .. 25 pixels, are added to a
 * canvas of 120 x 120 on which all of each is visible; the image is the 64 x 64 pixels in the
 * middle. So digits may be cut by its border, or lie outside. Sums stop at full ink.
 */
#ifndef EXAMPLES_FIELD_OF_MNIST_H
#define EXAMPLES_FIELD_OF_MNIST_H

#include "boxes.h"
#include "digits/digits.h"

enum {
    FIELD_SIDE = 64,
    FIELD_PIXELS = FIELD_SIDE * FIELD_SIDE,
    FIELD_CANVAS = 120,
    FIELD_DIGITS = 5
};

/* One of an image's digits. The box is all of it, the part outside the image too. */
struct field_digit {
    struct box box;
    unsigned char label;
    unsigned char is_object; /* its centre is in the image: it is to be found */
};

struct field {
    int64_t count;
    unsigned char *pixels;      /* [count, 64, 64], 0 .. 255 */
    struct field_digit *digits; /* [count, 5] */
};

/*
 * Make `count` images from as many digits, number first on; each is in five images, once as the
 * first digit, once as the second, ... Streams of one seed are independent.
 */
coordconv_status field_make(coordconv_context *context, const struct digit_set *digits,
                            int64_t first, int64_t count, uint64_t seed, uint64_t stream,
                            struct field *out);

void field_free(struct field *field);

#endif /* EXAMPLES_FIELD_OF_MNIST_H */
