/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common.h - checks and shape rules several operations share, beside those in op.h.
 */
#ifndef CCONV_OPS_COMMON_H
#define CCONV_OPS_COMMON_H

#include "ops/op.h"

/* Check that inputs 0 and 1 have the same shape. */
coordconv_status cconv_app_check_same(const struct cconv_app *app);

/* An infer function: one real input, an output of its shape. */
coordconv_status cconv_app_infer_like(struct cconv_app *app);

/* Input i as the reals it is. */
static inline const cconv_real *cconv_run_input(const struct cconv_run *run, int32_t i)
{
    return run->x[i];
}

#endif /* CCONV_OPS_COMMON_H */
