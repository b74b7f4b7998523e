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

/* sum / divisor, or 0 where nothing weighs anything. */
static inline double cconv_loss_share(double sum, double divisor)
{
    return divisor != 0 ? sum / divisor : 0;
}

#endif /* CCONV_OPS_LOSS_H */
