/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pointwise.h - operations done some pixels at a time.
 *
 * A pixel is all values along the last axis. Where each pixel of the output
 * depends on the same pixel of the inputs alone, a few hundred pixels can go
 * through several operations, forward or backward, before the next few hundred
 * do, and what lies between the operations need not leave the cache. A plan
 * does that with runs of such operations (graph/chain.h); these are the hooks.
 *
 * Gradients of parameters are added to partial sums, of which there are a
 * number that depends on shapes alone; gather makes the gradients of them.
 */
#ifndef CCONV_OPS_POINTWISE_H
#define CCONV_OPS_POINTWISE_H

#include "ops/ahead.h"
#include "ops/dense.h"
#include "ops/op.h"

/* What forward and backward need of an application, found once a run. */
struct cconv_pointwise_state {
    struct cconv_dense dense; /* conv2d, linear */
};

/* Pixels `first` to first + count - 1 of the product of all axes but the last.
 * Pointers are to the first of them; all pixels lie side by side. */
struct cconv_pixels {
    size_t first, count;
    const cconv_real *const *x; /* [input_count] */
    int cached;                 /* forward: x[0] was written just now, and is in a cache */
    cconv_real *y;
    const cconv_real *add; /* forward: as run->add; NULL: nothing */
    const cconv_real *dy;
    cconv_real *const *dx;     /* backward: [input_count], written; NULL entries where not wanted */
    cconv_real *partial;       /* backward: sums to add to; NULL: none wanted */
    void *scratch;             /* of this thread */
    struct cconv_ahead *ahead; /* NULL: nothing to fetch */
};

/* What an application takes; none of it is the default. */
struct cconv_pointwise_space {
    size_t weights;  /* bytes of packed weights and the like that every pixel reads */
    size_t products; /* a pixel of the gradient of input 0, between which backward fetches ahead */
    size_t partial;  /* elements of a partial sum */
    size_t scratch;  /* bytes */
};

struct cconv_pointwise {
    /* 1 if this application is pointwise. NULL: all are. */
    int (*is)(const struct cconv_app *app);
    /* 1 if input 0 may be one pixel an image, standing for all of them: x[0] is
     * then the whole of it, and dx[0] is never wanted. NULL: no. */
    int (*spreads)(const struct cconv_app *app);
    /* Fill *space (it comes zeroed). NULL: needs none. */
    void (*space)(const struct cconv_app *app, struct cconv_pointwise_space *space);
    /* After prepare, before the first pixels. NULL: nothing to find. */
    void (*begin)(const struct cconv_app *app, const struct cconv_run *run, int spread,
                  struct cconv_pointwise_state *state);
    void (*forward)(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                    const struct cconv_pixels *p);
    /* NULL: inference only. */
    void (*backward)(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                     const struct cconv_pixels *p);
    /* Write run->dparam from `count` partial sums, `stride` elements apart; they
     * are left in no particular state. NULL: no parameters. */
    void (*gather)(const struct cconv_app *app, const struct cconv_run *run,
                   const struct cconv_pointwise_state *state, cconv_real *partial, size_t stride,
                   size_t count);
};

/* Elements of some pixels of the output. */
static inline size_t cconv_pixels_elements(const struct cconv_app *app,
                                           const struct cconv_pixels *p)
{
    return p->count * (size_t)app->out.dim[app->out.ndim - 1];
}

#endif /* CCONV_OPS_POINTWISE_H */
