/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_recipes.h - the hyper-parameters of each task and net.
 */
#ifndef EXAMPLES_NOTSOCLEVR_RECIPES_H
#define EXAMPLES_NOTSOCLEVR_RECIPES_H

#include "notsoclevr_nets.h"

struct recipe {
    long epochs;
    int64_t batch;
    double rate;    /* of Adam, at the start */
    double penalty; /* the paper's l2: the loss has penalty * sum(w^2) over the kernels added */
    double clip;    /* the global norm of the gradients is held to this; 0: off */
    double budget;  /* seconds */
};

/* All zero for an analytic net. */
struct recipe recipe_for(enum net_kind net, enum task task);

#endif /* EXAMPLES_NOTSOCLEVR_RECIPES_H */
