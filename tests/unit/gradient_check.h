/* SPDX-License-Identifier: BSD-2-Clause
 *
 * gradient_check.h - gradients of the library against central differences, in double.
 *
 * Of a smooth f, (f(x + h) - f(x - h)) / 2h is off by h^2 f''' / 6, 1e-13 and
 * less for h = 1e-6, and by the rounding of f, 2^-53 |f| / h or about 1e-10 |f|.
 * So a right gradient agrees to 1e-7 of the largest one beside it plus 1e-9 of
 * the loss; a wrong one is off by a part of itself.
 */
#ifndef COORDCONV_TESTS_GRADIENT_CHECK_H
#define COORDCONV_TESTS_GRADIENT_CHECK_H

#include "support.h"

#define CHECK_STEP     1e-6
#define CHECK_RELATIVE 1e-7
#define CHECK_ABSOLUTE 1e-9

/* Largest error over an array in units of the tolerance: 1 or less is right. */
double check_error(const double *gradient, const double *difference, int64_t count, double loss);

/* What is being checked, for the message of a failure; and a setup that forgets it. */
extern char subject[256];
int clear_subject(void **state);

/* Fail, naming the subject, unless an error is 1 or less. */
void check_gradient(double error);

/* ---- a layer by itself ---- */

/* Compare coordconv_layer_backward with differences of coordconv_layer_forward;
 * the error as above, over dx and all parameters. */
double check_layer(coordconv_context *context, coordconv_layer *layer, int32_t ndim,
                   const int64_t *shape, uint64_t seed);

/* ---- a model ---- */

enum {
    NET_MAX = 16
};

/* A model under construction, with the tensors to be bound to its inputs. */
struct net {
    coordconv_context *context;
    coordconv_model *model;
    uint64_t seed;
    int32_t input_count;
    int64_t frame_count; /* of "x0"; 0: none */
    coordconv_frame_desc frames[NET_MAX];
    int joined; /* set by net_check: the plan goes both ways through a chain and the loss at once */
    struct {
        char name[16];
        coordconv_tensor *tensor;
        int32_t fixed; /* a target: gets no gradient */
    } input[NET_MAX];
};

void net_begin(struct net *net, coordconv_context *context, uint64_t seed);

/* Inputs named "x0", "x1" ... of random numbers; net_target without a gradient, in (0, 1). */
coordconv_value net_input(struct net *net, int32_t ndim, const int64_t *shape);
coordconv_value net_target(struct net *net, int32_t ndim, const int64_t *shape, int per_sample);
coordconv_value net_labels(struct net *net, int64_t count, int32_t classes);

/* Apply a layer made just for this place, filled with random numbers, and give it up. */
coordconv_value net_apply(struct net *net, coordconv_layer *layer, coordconv_value x);

/* Sum of y tanh(0.7 y) over all elements: a loss with another gradient for each element. */
coordconv_value net_sum(struct net *net, coordconv_value y);

/* Compare all gradients of the model with this loss; frees the model. */
double net_check(struct net *net, coordconv_value loss);

/* Layers with what matters to a gradient. */
coordconv_layer *new_plain_conv(coordconv_context *context, int32_t in, int32_t out, int32_t kernel,
                                uint32_t coords);
coordconv_layer *new_linear(coordconv_context *context, int32_t in, int32_t out, int32_t no_bias);
coordconv_layer *new_group_norm(coordconv_context *context, int32_t channels, int32_t groups);
coordconv_layer *new_batch_norm(coordconv_context *context, int32_t channels);

#endif /* COORDCONV_TESTS_GRADIENT_CHECK_H */
