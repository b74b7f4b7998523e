/* SPDX-License-Identifier: BSD-2-Clause */
#include "train/settings.h"

#include <inttypes.h>
#include <math.h>

/* 0 stands for the default, -1 for a true 0. */
static double or_default(double value, double standard)
{
    return value == 0 ? standard : value == -1 ? 0 : value;
}

static coordconv_status check_range(const struct cconv_log *log, const char *name, double value,
                                    int allowed)
{
    if (!allowed || !isfinite(value))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: %s %g is out of range", name,
                          value);
    return COORDCONV_OK;
}

static coordconv_status check_ranges(const struct cconv_log *log, const struct cconv_settings *s)
{
    const struct {
        const char *name;
        double value;
        int allowed;
    } rules[] = {
        { "learning_rate", s->rate, s->rate > 0 },
        { "momentum", s->momentum, s->momentum >= 0 && s->momentum < 1 },
        { "dampening", s->dampening, s->dampening >= 0 && s->dampening <= 1 },
        { "beta1", s->beta1, s->beta1 >= 0 && s->beta1 < 1 },
        { "beta2", s->beta2, s->beta2 >= 0 && s->beta2 < 1 },
        { "epsilon", s->epsilon, s->epsilon >= 0 },
        { "weight_decay", s->weight_decay, s->weight_decay >= 0 },
        { "clip_norm", s->clip_norm, s->clip_norm >= 0 },
    };
    coordconv_status status = COORDCONV_OK;

    for (size_t i = 0; status == COORDCONV_OK && i < CCONV_COUNT(rules); i++)
        status = check_range(log, rules[i].name, rules[i].value, rules[i].allowed);
    return status;
}

/* Fields that the kind would silently ignore are mistakes. */
static coordconv_status check_kind(const struct cconv_log *log, const coordconv_optimizer_desc *d)
{
    const int sgd = d->kind == COORDCONV_SGD;
    const struct {
        const char *name;
        int set;
    } others[] = {
        { "momentum", !sgd && d->momentum != 0 }, { "dampening", !sgd && d->dampening != 0 },
        { "nesterov", !sgd && d->nesterov != 0 }, { "decoupled", !sgd && d->decoupled != 0 },
        { "beta1", sgd && d->beta1 != 0 },        { "beta2", sgd && d->beta2 != 0 },
        { "epsilon", sgd && d->epsilon != 0 },
    };

    if (d->kind < COORDCONV_SGD || d->kind > COORDCONV_ADAMW)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: kind %" PRId32 " is unknown",
                          d->kind);
    for (size_t i = 0; i < CCONV_COUNT(others); i++) {
        if (others[i].set)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: %s means nothing to %s",
                              others[i].name, sgd ? "SGD" : "Adam");
    }
    return COORDCONV_OK;
}

static coordconv_status check_switches(const struct cconv_log *log,
                                       const coordconv_optimizer_desc *d)
{
    if (d->nesterov < 0 || d->nesterov > 1)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: nesterov is %" PRId32,
                          d->nesterov);
    if (d->nesterov && (d->momentum == 0 || d->dampening != 0))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "optimizer: nesterov with momentum %g and dampening %g", d->momentum,
                          d->dampening);
    if (d->decay != COORDCONV_DECAY_ALL && d->decay != COORDCONV_DECAY_KERNELS)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: decay %" PRId32 " is unknown",
                          d->decay);
    if (d->decoupled < 0 || d->decoupled > 1)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "optimizer: decoupled is %" PRId32,
                          d->decoupled);
    return COORDCONV_OK;
}

coordconv_status cconv_settings_read(const struct cconv_log *log, const coordconv_optimizer_desc *d,
                                     struct cconv_settings *out)
{
    const struct cconv_settings s = {
        .kind = d->kind,
        .rate = d->learning_rate == 0 ? 0.001 : d->learning_rate,
        .momentum = d->momentum,
        .dampening = d->dampening,
        .beta1 = or_default(d->beta1, 0.9),
        .beta2 = or_default(d->beta2, 0.999),
        .epsilon = or_default(d->epsilon, 1e-8),
        .weight_decay = d->weight_decay,
        .clip_norm = d->clip_norm,
        .nesterov = d->nesterov,
        .decoupled = d->decoupled || d->kind == COORDCONV_ADAMW,
    };
    coordconv_status status = check_kind(log, d);

    if (status == COORDCONV_OK)
        status = check_ranges(log, &s);
    if (status == COORDCONV_OK)
        status = check_switches(log, d);
    if (status == COORDCONV_OK)
        *out = s;
    return status;
}

void cconv_settings_update(const struct cconv_settings *s, double norm, struct cconv_update *out)
{
    const int clips = s->clip_norm > 0 && norm > s->clip_norm;

    out->scale = clips ? (cconv_real)(s->clip_norm / norm) : 1;
    out->decay = s->decoupled ? 0 : (cconv_real)s->weight_decay;
    out->keep = s->decoupled ? (cconv_real)(1 - s->rate * s->weight_decay) : 1;
}

void cconv_settings_sgd(const struct cconv_settings *s, int64_t steps, struct cconv_sgd *out)
{
    out->rate = (cconv_real)s->rate;
    out->momentum = (cconv_real)s->momentum;
    out->undamped = (cconv_real)(1 - s->dampening);
    out->first = steps == 0;
    out->nesterov = s->nesterov;
}

void cconv_settings_adam(const struct cconv_settings *s, int64_t steps, struct cconv_adam *out)
{
    const double t = (double)steps + 1;

    out->beta1 = (cconv_real)s->beta1;
    out->rest1 = (cconv_real)(1 - s->beta1);
    out->beta2 = (cconv_real)s->beta2;
    out->rest2 = (cconv_real)(1 - s->beta2);
    out->step = (cconv_real)(s->rate / (1 - pow(s->beta1, t)));
    out->spread = (cconv_real)sqrt(1 - pow(s->beta2, t));
    out->epsilon = (cconv_real)s->epsilon;
}
