/* SPDX-License-Identifier: BSD-2-Clause
 *
 * digits.h - handwritten digits: MNIST where its files are, else digits drawn from strokes.
 *
 * Images are 28 x 28 bytes, 0 the background and 255 ink; labels 0 .. 9.
 */
#ifndef EXAMPLES_DIGITS_H
#define EXAMPLES_DIGITS_H

#include <coordconv/coordconv.h>

#include "idx.h"

enum {
    DIGIT_SIDE = 28,
    DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE,
    DIGIT_CLASSES = 10,
    DIGIT_STYLES = 3, /* ways in which each digit is drawn */
    DRAWN_TRAIN = 20000,
    DRAWN_TEST = 4000
};

struct digit_set {
    int64_t count;
    const unsigned char *pixels; /* [count, 28, 28] */
    const unsigned char *labels; /* [count] */
};

struct digits {
    struct digit_set train, test;
    int drawn;       /* 1: from strokes */
    char note[1024]; /* where the digits are from; for the program to print */
    struct idx images[2], classes[2];
    unsigned char *drawing[2];
};

/*
 * Load MNIST from a folder, which holds the four files
 * {train,t10k}-{images-idx3,labels-idx1}-ubyte under these names, with a dot for the dash before
 * "idx", with ".gz" or without. Where folder is NULL or lacks one of them, digits are drawn
 * instead, the same ones each time, and the note says how to get MNIST. A file that is there but
 * cannot be read is an error: -1 with the reason in message, else 0.
 */
int digits_load(coordconv_context *context, const char *folder, struct digits *digits,
                char *message, size_t message_size);

void digits_free(struct digits *digits);

/*
 * Draw digits, count of them into pixels [count, 28, 28] and labels [count]; number i is of class
 * i % 10. Every one has its style, its pen, its slant, its proportions and its unsteady hand.
 * Streams of one seed have nothing in common.
 */
coordconv_status digits_draw(coordconv_context *context, uint64_t seed, uint64_t stream,
                             int64_t count, unsigned char *pixels, unsigned char *labels);

#endif /* EXAMPLES_DIGITS_H */
