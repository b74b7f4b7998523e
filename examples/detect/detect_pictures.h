/* SPDX-License-Identifier: BSD-2-Clause
 *
 * detect_pictures.h - images with their digits' boxes and what the nets propose.
 */
#ifndef EXAMPLES_DETECT_PICTURES_H
#define EXAMPLES_DETECT_PICTURES_H

#include "detect_eval.h"

enum {
    DETECT_SHOWN = 5 /* images side by side */
};

/* What a net proposes for the images shown. */
struct sight {
    const char *name;
    struct proposals proposals[DETECT_SHOWN];
};

/*
 * One row a net: the images which[0 .. DETECT_SHOWN) of the field, true boxes, and the proposals
 * that the net is at least 90 % sure of. 0, or -1 with the reason in message.
 */
int detect_draw(const struct field *field, const int64_t *which, const struct sight *sights,
                int count, const char *path, char *message, int message_size);

#endif /* EXAMPLES_DETECT_PICTURES_H */
