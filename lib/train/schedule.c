/* SPDX-License-Identifier: BSD-2-Clause
 *
 * schedule.c - learning rates as functions of time. Nothing is kept: the same t
 * gives the same rate, in whatever order it is asked, so a resumed training
 * needs no state from here.
 */
#include <coordconv/train.h>

#include <inttypes.h>
#include <math.h>

#include "base/report.h"

static coordconv_status check_number(const char *name, double value, double least)
{
    if (!isfinite(value) || value < least)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: %s is %g", name, value);
    return COORDCONV_OK;
}

static coordconv_status check_numbers(const coordconv_schedule_desc *d, double t)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        { "t", t },
        { "rate", d->rate },
        { "final_rate", d->final_rate },
        { "ratio", d->ratio },
        { "every", d->every },
        { "total", d->total },
        { "warmup", d->warmup },
    };
    coordconv_status status = COORDCONV_OK;

    for (size_t i = 0; status == COORDCONV_OK && i < CCONV_COUNT(numbers); i++)
        status = check_number(numbers[i].name, numbers[i].value, 0);
    return status;
}

static coordconv_status check(const coordconv_schedule_desc *d, double t)
{
    if (d->kind < COORDCONV_SCHEDULE_CONSTANT || d->kind > COORDCONV_SCHEDULE_COSINE)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: kind %" PRId32 " is unknown",
                          d->kind);
    if (d->kind == COORDCONV_SCHEDULE_STEP && d->every == 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: every is not set");
    if (d->kind == COORDCONV_SCHEDULE_COSINE && d->total == 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: total is not set");
    if (d->max_steps < 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: max_steps is %" PRId32,
                          d->max_steps);
    if (d->reserved != 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: reserved is %" PRIu32 ", not 0",
                          d->reserved);
    return check_numbers(d, t);
}

/* The rate without warmup. */
static double rate_at(const coordconv_schedule_desc *d, double t)
{
    const double pi = 3.14159265358979323846;
    double steps;

    switch (d->kind) {
    case COORDCONV_SCHEDULE_STEP:
        steps = floor(t / d->every);
        if (d->max_steps > 0)
            steps = fmin(steps, d->max_steps);
        return d->rate * pow(d->ratio, steps);
    case COORDCONV_SCHEDULE_COSINE:
        if (t >= d->total)
            return d->final_rate;
        return d->final_rate + (d->rate - d->final_rate) * (1 + cos(pi * t / d->total)) / 2;
    default:
        return d->rate;
    }
}

coordconv_status coordconv_schedule_rate(const coordconv_schedule_desc *desc, double t,
                                         double *rate)
{
    coordconv_schedule_desc d;
    coordconv_status status;
    double result;

    if (rate == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "schedule: rate is NULL");
    status = cconv_desc_read(NULL, "schedule", desc,
                             CCONV_DESC_END(coordconv_schedule_desc, reserved), sizeof d, &d);
    if (status == COORDCONV_OK)
        status = check(&d, t);
    if (status != COORDCONV_OK)
        return status;
    d.rate = d.rate == 0 ? 0.001 : d.rate;
    d.ratio = d.ratio == 0 ? 0.1 : d.ratio;
    /* Up to where the schedule proper takes over, so that there is no jump. */
    result = t < d.warmup ? rate_at(&d, d.warmup) * (t / d.warmup) : rate_at(&d, t);
    status = check_number("the rate that results", result, 0);
    if (status == COORDCONV_OK)
        *rate = result;
    return status;
}
