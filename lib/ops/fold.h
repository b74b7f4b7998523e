/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fold.h - a batch norm at inference as part of the linear layer before it.
 *
 * With s = weight / sqrt(running_var + epsilon) of the norm, channel by channel,
 *
 *   norm(W x + b) = (s W) x + (bias + (b - running_mean) s)
 *
 * so the layer computes both with weights that are scaled as they are packed. Coordinate weights
 * are scaled like the rest.
 */
#ifndef CCONV_OPS_FOLD_H
#define CCONV_OPS_FOLD_H

#include "ops/layer.h"

/* Output channels of an application that says CCONV_FUSES_NORM. */
size_t cconv_fold_channels(const struct cconv_app *app);

/* Write the scale and bias that do the work of app's layer and of the batch norm behind it. */
void cconv_fold_norm(const struct cconv_app *app, const coordconv_layer *norm, cconv_real *scale,
                     cconv_real *bias);

#endif /* CCONV_OPS_FOLD_H */
