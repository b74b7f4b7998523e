/* SPDX-License-Identifier: BSD-2-Clause
 *
 * norm.h - what a batch norm does to one channel at inference.
 */
#ifndef CCONV_OPS_NORM_H
#define CCONV_OPS_NORM_H

#include "ops/layer.h"

/* y = x * scale + shift, from the running statistics. */
struct cconv_norm_affine {
    double scale, shift;
};

struct cconv_norm_affine cconv_norm_running_affine(const coordconv_layer *norm, size_t channel);

/* An infer function of norms: a real [N, ..., channels] with no empty axis. */
coordconv_status cconv_norm_infer(struct cconv_app *app, int32_t channels);

#endif /* CCONV_OPS_NORM_H */
