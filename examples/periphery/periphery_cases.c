/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_cases.c - what the experiment's conditions and variants mean, and their scenes.
 */
#include "periphery_cases.h"

#include <string.h>

static const struct condition conditions[] = {
    { "region 50 %", { 0.5f, 0 }, 0, 1 },  { "region 35 %", { 0.35f, 0 }, 0, 1 },
    { "region 75 %", { 0.75f, 0 }, 0, 1 }, { "crops", { 0.5f, 0 }, 1, 1 },
    { "sides", { 1, 1 }, 0, 1 },           { "sides, few scenes", { 1, 1 }, 0, 8 },
};

static const struct variant variants[] = {
    { "conv", NET_CONV, 0, 0 },
    { "zero padding", NET_PADDED, 0, 0 },
    { "zero padding, deep", NET_DEEP, 0, 0 },
    { "deep + coords at input", NET_DEEP_INPUT, 0, 0 },
    { "coords at input", NET_INPUT, 0, 0 },
    { "coords everywhere", NET_EVERYWHERE, 0, 0 },
    { "dense head", NET_DENSE, 0, 0 },
    { "rule by hand", NET_CONV, 0, 1 },
    { "input + frames", NET_INPUT, 1, 0 },
    { "everywhere + frames", NET_EVERYWHERE, 1, 0 },
};

const struct condition *find_condition(const char *name)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        if (strcmp(conditions[i].name, name) == 0)
            return &conditions[i];
    return NULL;
}

const struct variant *find_variant(const char *name)
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    return NULL;
}

/* ---- scenes ---- */

void shared_free(struct shared *s)
{
    scenes_free(&s->training);
    scenes_free(&s->tuning);
    scenes_free(&s->test);
    scenes_free(&s->other);
    s->seed = 0;
}

uint64_t set_seed(uint64_t seed, enum scene_set set)
{
    return 8 * seed + (uint64_t)set;
}

coordconv_status shared_make(struct shared *s, coordconv_context *context, uint64_t seed,
                             const struct rule *rule)
{
    const struct rule swapped = { rule->central, -rule->sides };
    const int shift_y = rule->sides == 0 ? SHIFT_Y : 0, shift_x = rule->sides == 0 ? SHIFT_X : 0;
    const int train = (int)s->scenes;

    if (s->seed == seed + 1 && memcmp(&s->rule, rule, sizeof *rule) == 0)
        return COORDCONV_OK;
    shared_free(s);
    coordconv_status status =
        scenes_make(&s->training, context, set_seed(seed, TRAINING_SET), rule, train, 0, 0);
    if (status == COORDCONV_OK)
        status =
            scenes_make(&s->tuning, context, set_seed(seed, TUNING_SET), rule, train / 12, 0, 0);
    if (status == COORDCONV_OK)
        status = scenes_make(&s->test, context, set_seed(seed, TEST_SET), rule, train / 4, 0, 0);
    if (status == COORDCONV_OK)
        status = scenes_make(&s->other, context, set_seed(seed, OTHER_SET), &swapped, train / 4,
                             shift_y, shift_x);
    s->seed = status == COORDCONV_OK ? seed + 1 : 0;
    s->rule = *rule;
    return status;
}
