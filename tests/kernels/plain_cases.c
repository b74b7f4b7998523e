/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plain_cases.c - a call of each kernel but the convolutions.
 */
#include "plain_cases.h"

#include "base/compiler.h"

#define SLOPE  ((cconv_real)0.2)
#define FACTOR ((cconv_real)0.7)

/* A function of k and d that makes one call. */
#define CASE(name, call)                                                                           \
    static void name(const struct cconv_kernels *k, const struct plain_data *d)                    \
    {                                                                                              \
        call;                                                                                      \
    }

#define ACT(name, act)                                                                             \
    CASE(name##_forward, k->eltwise.act_forward(act, SLOPE, d->n, d->x, d->out))                   \
    CASE(name##_backward, k->eltwise.act_backward(act, SLOPE, d->n, d->x, d->y, d->out))

ACT(relu, CCONV_ACT_RELU)
ACT(leaky, CCONV_ACT_LEAKY)
ACT(sigmoid, CCONV_ACT_SIGMOID)
ACT(tangent, CCONV_ACT_TANH)
ACT(exponential, CCONV_ACT_EXP)
CASE(relu_in_place, k->eltwise.act_backward(CCONV_ACT_RELU, SLOPE, d->n, d->x, d->out, d->out))
CASE(add, k->eltwise.add(d->n, d->x, d->y, d->out))
CASE(add_in_place, k->eltwise.add(d->n, d->x, d->out, d->out))
CASE(multiply, k->eltwise.multiply(d->n, d->x, d->y, d->out))
CASE(scale, k->eltwise.scale(d->n, FACTOR, d->x, d->out))

CASE(max, d->sums[0] = (double)k->loss.max(d->n, d->x))
CASE(exp_sum, d->sums[0] = k->loss.exp_sum(d->n, d->x, FACTOR, d->out))
CASE(exp_sum_only, d->sums[0] = k->loss.exp_sum(d->n, d->x, FACTOR, NULL))
CASE(exp_sum_lanes, k->loss.exp_sum_lanes(d->channels, d->x, d->vector, d->out, d->sums))
CASE(dot, d->sums[0] = k->loss.dot(d->n, d->x, d->y))
CASE(softmax_backward, k->loss.softmax_backward(d->n, FACTOR, d->x, d->y, d->out))
CASE(cross_entropy,
     d->sums[0] = k->loss.cross_entropy(d->n, (double)FACTOR, d->x, d->y, &d->sums[1]))
CASE(cross_entropy_backward,
     k->loss.cross_entropy_backward(d->n, FACTOR, SLOPE, d->x, d->y, d->out))
CASE(square, d->sums[0] = k->loss.square.forward(d->n, d->x, d->y))
CASE(square_backward, k->loss.square.backward(d->n, FACTOR, d->x, d->y, d->out))
CASE(sigmoid_loss, d->sums[0] = k->loss.sigmoid.forward(d->n, d->x, d->y))
CASE(sigmoid_loss_backward, k->loss.sigmoid.backward(d->n, FACTOR, d->x, d->y, d->out))

static const struct cconv_loss_bend bend = { (cconv_real)0.75, SLOPE, FACTOR };

CASE(sigmoid_terms, k->loss.sigmoid_terms(d->n, d->x, d->y, d->out))
CASE(bent, k->loss.bent(d->n, &bend, d->x, d->y, d->out))
CASE(bent_backward, k->loss.bent_backward(d->n, &bend, FACTOR, d->x, d->y, d->out))

#define VECTOR(i) (d->vector + (i)*d->channels)

CASE(moments, k->norm.moments(d->rows, d->channels, d->x, d->sums, d->sums + d->channels))
CASE(norm_forward,
     k->norm.forward(d->rows, d->channels, VECTOR(0), VECTOR(1), VECTOR(2), d->x, d->out))
CASE(affine, k->norm.affine(d->rows, d->channels, VECTOR(0), VECTOR(1), d->x, d->out))
CASE(norm_sums, k->norm.backward_sums(d->rows, d->channels, VECTOR(0), d->x, d->y, d->sums,
                                      d->sums + d->channels))
CASE(norm_backward, k->norm.backward(d->rows, d->channels, VECTOR(0), VECTOR(1), VECTOR(2),
                                     VECTOR(3), d->x, d->y, d->out))

CASE(norm_combine, k->norm.combine(d->rows, d->channels, VECTOR(0), VECTOR(1), VECTOR(2), VECTOR(3),
                                   d->x, d->y, d->out))

/* Taps with a step: every other pixel of x, so half as many pixels. */
CASE(max_tap, k->pool.max_tap(d->rows, d->channels, d->channels, d->x, 1, d->out, d->where))
CASE(max_tap_only, k->pool.max_tap(d->rows, d->channels, d->channels, d->x, 1, d->out, NULL))
CASE(max_tap_step,
     k->pool.max_tap(d->rows / 2, d->channels, 2 * d->channels, d->x, 1, d->out, d->where))
CASE(max_tap_backward,
     k->pool.max_tap_backward(d->rows, d->channels, d->channels, d->x, d->arg, 1, d->out))
CASE(max_tap_backward_step,
     k->pool.max_tap_backward(d->rows / 2, d->channels, 2 * d->channels, d->x, d->arg, 1, d->out))
CASE(add_tap, k->pool.add_tap(d->rows, d->channels, d->channels, d->x, d->out))
CASE(add_tap_step, k->pool.add_tap(d->rows / 2, d->channels, 2 * d->channels, d->x, d->out))
CASE(add_tap_backward, k->pool.add_tap_backward(d->rows, d->channels, d->channels, d->x, d->out))
CASE(add_tap_backward_step,
     k->pool.add_tap_backward(d->rows / 2, d->channels, 2 * d->channels, d->x, d->out))
CASE(column_max, k->pool.column_max(d->rows, d->channels, d->x, d->out, d->where))
CASE(column_max_only, k->pool.column_max(d->rows, d->channels, d->x, d->out, NULL))
CASE(column_sum, k->pool.column_sum(d->rows, d->channels, d->x, d->sums))
CASE(column_fill, k->pool.column_fill(d->rows, d->channels, FACTOR, d->x, d->out))

CASE(add_rows, k->reduce.add_rows(d->rows, d->channels, d->x, d->channels, d->out))
CASE(add_rows_part, k->reduce.add_rows(d->rows, (d->channels + 1) / 2, d->x, d->channels, d->out))

const struct plain_case plain_cases[] = {
    { "relu forward", relu_forward, 2, 0, 0, 0 },
    { "relu backward", relu_backward, 3, 0, 0, 0 },
    { "relu backward in place", relu_in_place, 3, 1, 0, 0 },
    { "leaky forward", leaky_forward, 2, 0, 0, 0 },
    { "leaky backward", leaky_backward, 3, 0, 0, 0 },
    { "sigmoid forward", sigmoid_forward, 2, 0, 0, 0 },
    { "sigmoid backward", sigmoid_backward, 3, 0, 0, 0 },
    { "tanh forward", tangent_forward, 2, 0, 0, 0 },
    { "tanh backward", tangent_backward, 3, 0, 0, 0 },
    { "exp forward", exponential_forward, 2, 0, 0, 0 },
    { "exp backward", exponential_backward, 3, 0, 0, 0 },
    { "add", add, 3, 0, 0, 0 },
    { "add in place", add_in_place, 3, 1, 0, 0 },
    { "multiply", multiply, 3, 0, 0, 0 },
    { "scale", scale, 2, 0, 0, 0 },
    { "max", max, 1, 0, 0, 1 },
    { "exp and sum", exp_sum, 2, 0, 0, 0 },
    { "sum of exp", exp_sum_only, 1, 0, 0, 0 },
    { "exp and sum, lanes", exp_sum_lanes, 0, 0, 1, 1 },
    { "dot", dot, 2, 0, 0, 0 },
    { "softmax backward", softmax_backward, 3, 0, 0, 0 },
    { "cross-entropy", cross_entropy, 2, 0, 0, 0 },
    { "cross-entropy backward", cross_entropy_backward, 3, 0, 0, 0 },
    { "square loss", square, 2, 0, 0, 0 },
    { "square loss backward", square_backward, 3, 0, 0, 0 },
    { "sigmoid loss", sigmoid_loss, 2, 0, 0, 0 },
    { "sigmoid loss backward", sigmoid_loss_backward, 3, 0, 0, 0 },
    { "sigmoid loss, terms", sigmoid_terms, 3, 0, 0, 0 },
    { "bent loss", bent, 3, 0, 0, 0 },
    { "bent loss backward", bent_backward, 3, 0, 0, 0 },
    { "norm moments", moments, 2, 0, 1, 1 },
    { "norm forward", norm_forward, 2, 0, 1, 0 },
    { "norm affine", affine, 2, 0, 1, 0 },
    { "norm backward sums", norm_sums, 2, 0, 1, 0 },
    { "norm backward", norm_backward, 3, 0, 1, 0 },
    { "norm combine", norm_combine, 3, 0, 1, 0 },
    { "max tap", max_tap, 5, 1, 1, 0 },
    { "max tap, no argument", max_tap_only, 3, 1, 1, 0 },
    { "max tap, step 2", max_tap_step, 3, 1, 1, 0 },
    { "max tap backward", max_tap_backward, 4, 1, 1, 0 },
    { "max tap backward, step 2", max_tap_backward_step, 3, 1, 1, 0 },
    { "add tap", add_tap, 3, 1, 1, 0 },
    { "add tap, step 2", add_tap_step, 2, 1, 1, 0 },
    { "add tap backward", add_tap_backward, 3, 1, 1, 0 },
    { "add tap backward, step 2", add_tap_backward_step, 2, 1, 1, 0 },
    { "column max", column_max, 1, 0, 1, 1 },
    { "column max, no row", column_max_only, 1, 0, 1, 1 },
    { "column sum", column_sum, 1, 0, 1, 0 },
    { "column fill", column_fill, 1, 0, 1, 1 },
    { "add rows", add_rows, 1, 1, 1, 0 },
    { "add rows, half of each", add_rows_part, 1, 1, 1, 0 },
};

const size_t plain_case_count = CCONV_COUNT(plain_cases);
