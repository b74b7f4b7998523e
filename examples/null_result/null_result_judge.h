/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_judge.h - how many digits a trained net gets right, and where.
 *
 * Figures of a run:
 *
 *     accuracy    share of labels that are right, in %
 *     loss        mean cross-entropy, in nats
 *     side        where the side counts: of the answers right but for the side, the share right
 *                 with it, in %; who does not know the side has 50
 *     moved       share of the probability that changes its class when a digit goes SIDES_APART
 *                 columns to the right and nothing else changes, in %; 0: where a digit stands is
 *                 nothing to the net
 *
 * and the curve "accuracy by place".
 */
#ifndef EXAMPLES_NULL_RESULT_JUDGE_H
#define EXAMPLES_NULL_RESULT_JUDGE_H

#include "common/experiment.h"
#include "null_result_data.h"
#include "null_result_nets.h"

/* The digits first .. first + count - 1 of a set; every run sees them in the same places. */
struct jury {
    const struct digit_set *set;
    int64_t first, count;
};

coordconv_status judge_net(struct run *run, const struct net *net, const struct layout *layout,
                           const struct jury *jury);

#endif /* EXAMPLES_NULL_RESULT_JUDGE_H */
