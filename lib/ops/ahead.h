/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ahead.h - fetching what the next tile will read while this one is computed.
 *
 * A tile's inputs come from memory in a few arrays, each read a little at a time
 * and not in order by the loops that need it; a processor does not see that
 * coming. So lines of the next tile are asked for between the inner loops, a
 * share for each product made, and are there when their turn comes.
 */
#ifndef CCONV_OPS_AHEAD_H
#define CCONV_OPS_AHEAD_H

#include <stddef.h>

#include "base/compiler.h"

#define CCONV_AHEAD_ARRAYS 16
#define CCONV_AHEAD_LINE   64

struct cconv_ahead {
    struct {
        const char *at;
        size_t lines;
    } array[CCONV_AHEAD_ARRAYS];
    size_t arrays, now;
    size_t lines;    /* of all arrays, at the start */
    size_t products; /* over which they are spread; not 0 */
    size_t credit;   /* products times lines not yet used */
};

/* So many products are about to be made. */
static inline void cconv_ahead_fetch(struct cconv_ahead *a, size_t products)
{
    a->credit += products * a->lines;
    for (; a->credit >= a->products && a->now < a->arrays; a->credit -= a->products) {
        CCONV_PREFETCH(a->array[a->now].at);
        a->array[a->now].at += CCONV_AHEAD_LINE;
        if (--a->array[a->now].lines == 0)
            a->now++;
    }
}

#endif /* CCONV_OPS_AHEAD_H */
