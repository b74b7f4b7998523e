/* SPDX-License-Identifier: BSD-2-Clause
 *
 * settings.h - an optimizer's descriptor with its defaults filled in, and the
 * coefficients of a step worked out from it.
 */
#ifndef CCONV_TRAIN_SETTINGS_H
#define CCONV_TRAIN_SETTINGS_H

#include <coordconv/train.h>

#include "base/report.h"
#include "train/update.h"

struct cconv_settings {
    int32_t kind; /* COORDCONV_SGD, _ADAM or _ADAMW */
    double rate;
    double momentum, dampening;
    double beta1, beta2, epsilon;
    double weight_decay;
    double clip_norm; /* 0: off */
    int nesterov;
    int decoupled;
};

/* Check all of a descriptor but its layers. */
coordconv_status cconv_settings_read(const struct cconv_log *log, const coordconv_optimizer_desc *d,
                                     struct cconv_settings *out);

/* Clipping and decay, for gradients of this norm. */
void cconv_settings_update(const struct cconv_settings *s, double norm, struct cconv_update *out);

/* The rules' coefficients for the step after `steps` steps. */
void cconv_settings_sgd(const struct cconv_settings *s, int64_t steps, struct cconv_sgd *out);
void cconv_settings_adam(const struct cconv_settings *s, int64_t steps, struct cconv_adam *out);

#endif /* CCONV_TRAIN_SETTINGS_H */
