/* SPDX-License-Identifier: BSD-2-Clause
 *
 * strip.h - a [rows][channels] matrix cut into pieces of a vector-friendly width.
 *
 * Work per channel wants the channels in the inner loop, where one or three of
 * them would leave nothing but loop overhead. So narrow matrices are read as
 * wider ones: with 3 channels, 21 rows become one row of 63 lanes, lane j being
 * channel j mod 3. Matrices wider than CCONV_STRIP are done a strip of columns
 * at a time: a few vectors of as many floats fit the first-level cache, and a
 * strip's part of a row is long enough for memory.
 */
#ifndef CCONV_KERNELS_REF_STRIP_H
#define CCONV_KERNELS_REF_STRIP_H

#include <stddef.h>

#include "base/real.h"

#define CCONV_STRIP 512 /* most lanes of a strip */
#define CCONV_FOLD  64  /* most lanes that several rows are made into */

struct cconv_strip {
    size_t first;    /* channel of lane 0, and where the strip begins in memory */
    size_t channels; /* of the matrix that are in this strip */
    size_t rows;     /* of `width` lanes, `pitch` elements apart */
    size_t width, pitch;
    size_t tail; /* lanes of one more, shorter row */
};

/* The strip that begins at channel `first`. */
static inline struct cconv_strip cconv_strip_at(size_t rows, size_t channels, size_t first)
{
    struct cconv_strip s = { .first = first };

    if (channels <= CCONV_FOLD / 2) {
        const size_t fold = CCONV_FOLD / channels;
        s.channels = channels;
        s.rows = rows / fold;
        s.width = fold * channels;
        s.pitch = s.width;
        s.tail = rows % fold * channels;
    } else {
        s.channels = channels - first < CCONV_STRIP ? channels - first : CCONV_STRIP;
        s.rows = rows;
        s.width = s.channels;
        s.pitch = channels;
    }
    return s;
}

/* lanes[j] = values of the channel of lane j. */
static inline void cconv_strip_spread(const struct cconv_strip *s, const cconv_real *values,
                                      cconv_real lanes[CCONV_STRIP])
{
    for (size_t j = 0, c = 0; j < s->width; j++) {
        lanes[j] = values[s->first + c];
        c = c + 1 < s->channels ? c + 1 : 0;
    }
}

static inline void cconv_strip_zero(const struct cconv_strip *s, double lanes[CCONV_STRIP])
{
    for (size_t j = 0; j < s->width; j++)
        lanes[j] = 0;
}

/* sums[c] = sum of the lanes of channel c, in their order. */
static inline void cconv_strip_fold(const struct cconv_strip *s, const double lanes[CCONV_STRIP],
                                    double *sums)
{
    for (size_t c = 0; c < s->channels; c++) {
        double sum = 0;
        for (size_t j = c; j < s->width; j += s->channels)
            sum += lanes[j];
        sums[s->first + c] = sum;
    }
}

#endif /* CCONV_KERNELS_REF_STRIP_H */
