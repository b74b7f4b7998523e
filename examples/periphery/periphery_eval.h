/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_eval.h - on which signs a net acts, by zone.
 *
 * A net's response to a sign is the largest logit of the sign's kind in the cells about its middle.
 * Elsewhere, a cell whose logit is not exceeded by its neighbours' is a response to nothing. The
 * net acts where a response is above its threshold: the one with the best F1 on validation scenes.
 */
#ifndef EXAMPLES_PERIPHERY_EVAL_H
#define EXAMPLES_PERIPHERY_EVAL_H

#include "periphery_nets.h"

struct response {
    float logit, x, y; /* place in the scene */
    int kind;
    unsigned char zone, is_sign, ahead;
};

/* Zero it before its first use. */
struct responses {
    struct response *items;
    size_t count, room;
};

/* Signs and others on which a net acts in one zone. */
struct zone_count {
    int64_t ahead, hits;   /* signs ahead; of these, acted on */
    int64_t aside, alarms; /* signs not ahead; of these, acted on */
    int64_t clutter;       /* acted on where there is no sign */
};

struct verdict {
    struct zone_count zones[ZONES], all;
};

/* How a net is asked. */
struct question {
    const struct scenes *scenes;
    int crop_rows, crop_columns; /* 0: the whole view; else crops at places of the scene's number */
    int framed;                  /* say where crops and shifted views lie */
    int mask; /* the rule in words: cells outside the central region are silent */
};

/* The window of scene `which`. */
struct window question_window(const struct question *q, int which);

/* Add the net's responses to all scenes. */
coordconv_status ask(const struct net *net, coordconv_context *context, const struct question *q,
                     struct responses *responses);

void responses_free(struct responses *responses);

/* The threshold with the best F1 on these scenes. */
coordconv_status tune(const struct net *net, coordconv_context *context,
                      const struct scenes *scenes, int mask, float *threshold);

struct verdict judge(const struct responses *responses, float threshold);

/* NAN where nothing was there to be counted. */
double recall(const struct zone_count *c);
double precision(const struct zone_count *c);
double alarm_rate(const struct zone_count *c); /* signs not ahead that the net acts on */
double f1(const struct zone_count *c);

#endif /* EXAMPLES_PERIPHERY_EVAL_H */
