/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_cases.h - what the experiment's conditions and variants mean, and their scenes.
 */
#ifndef EXAMPLES_PERIPHERY_CASES_H
#define EXAMPLES_PERIPHERY_CASES_H

#include "periphery_nets.h"

enum {
    TRAINING_SCENES = 3072,
    CROP_ROWS = 8, /* of 12, and of 18: two thirds of the view */
    CROP_COLUMNS = 12,
    SHIFT_Y = 6, /* how far aside the turned camera looks */
    SHIFT_X = 9
};

struct condition {
    const char *name;
    struct rule rule;
    int crops; /* train on crops */
    int part;  /* of the training scenes, one in so many */
};

struct variant {
    const char *name;
    enum net_kind kind;
    int frames; /* train on crops with frames */
    int mask;   /* learn to see every sign; the rule is applied to the map */
};

/* The scenes of the seed and the rule that the runs under way have in common. */
struct shared {
    long scenes;   /* to train on; a quarter as many are for tests, a twelfth for tuning */
    uint64_t seed; /* and one; 0: none yet */
    struct rule rule;
    struct scenes training, tuning, test, other; /* other: shifted, or the sides swapped */
};

/* By the names of an experiment's case; NULL: no such. */
const struct condition *find_condition(const char *name);
const struct variant *find_variant(const char *name);

/* The sets of scenes of a seed. */
enum scene_set {
    TRAINING_SET,
    TUNING_SET,
    TEST_SET,
    OTHER_SET,
    CROP_LOTS /* no scenes: where crops are cut */
};

/* No two sets of any seeds share a scene. */
uint64_t set_seed(uint64_t seed, enum scene_set set);

/* Make the scenes unless they are there already. */
coordconv_status shared_make(struct shared *s, coordconv_context *context, uint64_t seed,
                             const struct rule *rule);
void shared_free(struct shared *s);

#endif /* EXAMPLES_PERIPHERY_CASES_H */
