/* SPDX-License-Identifier: BSD-2-Clause
 *
 * loss.h - what the losses share.
 */
#ifndef CCONV_OPS_LOSS_H
#define CCONV_OPS_LOSS_H

#include "ops/common.h"

/* Check that input 0 has elements; the output is a scalar. */
coordconv_status cconv_loss_infer(struct cconv_app *app);

#endif /* CCONV_OPS_LOSS_H */
