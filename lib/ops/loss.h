/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss.h - what the losses share.
 */
#ifndef CCONV_OPS_LOSS_H
#define CCONV_OPS_LOSS_H

#include "ops/common.h"

/* Check that input 0 has elements; the output is a scalar. */
coordconv_status cconv_loss_infer(struct cconv_app *app);

/* 1 if there is a third input, of weights. */
int cconv_loss_weighted(const struct cconv_app *app);

/* A loss some samples at a time, in any order and by several threads, after check and before
 * finish. Where in a batch they are and what they share is known from shapes alone. */
struct cconv_by_sample {
    /* Number of samples, each as many elements of input 0 as any other; 0: not this application. */
    size_t (*samples)(const struct cconv_app *app);
    /* Whether forward can succeed. NULL: it always does. */
    coordconv_status (*check)(const struct cconv_app *app, const struct cconv_run *run);
    /* What backward and finish need of these samples. NULL: nothing. */
    void (*forward)(const struct cconv_app *app, const struct cconv_run *run, size_t first,
                    size_t count);
    /* Their gradient. */
    void (*backward)(const struct cconv_app *app, const struct cconv_run *run, size_t first,
                     size_t count);
    /* Write run->y, on all threads if it likes. */
    void (*finish)(const struct cconv_app *app, const struct cconv_run *run);
};

/* sum / divisor, or 0 where nothing weighs anything. */
static inline double cconv_loss_share(double sum, double divisor)
{
    return divisor != 0 ? sum / divisor : 0;
}

#endif /* CCONV_OPS_LOSS_H */
