/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_nets.h - the networks of the paper, and the ones wired by hand.
 */
#ifndef EXAMPLES_NOTSOCLEVR_NETS_H
#define EXAMPLES_NOTSOCLEVR_NETS_H

#include "notsoclevr_data.h"

enum net_kind {
    COORDCONV_NET, /* the paper's */
    BASELINE,      /* the paper's net of convolutions or transposed convolutions */
    ANALYTIC,      /* wired by hand, nothing learned */
    NET_KINDS
};

enum {
    MAX_FEEDS = 3
};

/* An input of a model and what belongs into it. */
struct feed {
    const char *name;
    enum content content;
};

struct net {
    coordconv_model *training;    /* outputs "loss" and "answer"; NULL where nothing is learned */
    coordconv_model *inference;   /* the same layers, output `output` */
    struct feed feeds[MAX_FEEDS]; /* of the training model */
    int32_t feed_count;
    struct feed input;  /* of the inference model */
    const char *output; /* "image": in 0 .. 1; "xy": in pixels */
    int64_t parameters;
};

const char *net_name(enum net_kind kind);

/*
 * Build a net with the weights that the context's seed gives. The regression
 * baseline depends on the split, as in the released code. On failure the net
 * is empty.
 */
coordconv_status net_new(struct net *net, coordconv_context *context, enum net_kind kind,
                         enum task task, enum split split);
void net_free(struct net *net);

#endif /* EXAMPLES_NOTSOCLEVR_NETS_H */
