/* SPDX-License-Identifier: BSD-2-Clause
 *
 * train.h - optimizers and learning-rate schedules.
 *
 * Thread safety: an optimizer belongs to its plan: one thread at a time for both.
 */
#ifndef COORDCONV_TRAIN_H
#define COORDCONV_TRAIN_H

#include <coordconv/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What moves the parameters of a training plan, and its state. */
typedef struct coordconv_optimizer coordconv_optimizer;

enum {
    COORDCONV_SGD = 1,
    COORDCONV_ADAM = 2, /* Kingma, Ba 2015; weight decay coupled: added to the gradient */
    COORDCONV_ADAMW = 3 /* Loshchilov, Hutter 2019; decay decoupled: w -= rate * decay * w */
};

enum {
    COORDCONV_DECAY_ALL = 0,    /* every trained parameter */
    COORDCONV_DECAY_KERNELS = 1 /* weights of conv, transposed conv and linear layers only */
};

/**
 * g is the gradient after clipping, plus weight_decay * w where the decay is
 * coupled. The penalty l2 * sum(w^2) of the CoordConv paper, which has no
 * factor 1/2, is weight_decay = 2 * l2.
 *
 * SGD    v = momentum * v + (1 - dampening) * g (the first step v = g);
 *        w -= rate * v, with Nesterov w -= rate * (g + momentum * v)
 * Adam   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *        w -= rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * These are PyTorch's definitions. Where 0 means a default, -1 means a true 0.
 */
typedef struct coordconv_optimizer_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t kind;         /* COORDCONV_SGD, _ADAM or _ADAMW; no default */
    double learning_rate; /* above 0; default 0.001 */
    double momentum;      /* SGD: 0 .. below 1; default 0 */
    double dampening;     /* SGD: 0 .. 1; default 0 */
    double beta1;         /* Adam: 0 .. below 1; default 0.9; -1 for 0 */
    double beta2;         /* Adam: 0 .. below 1; default 0.999; -1 for 0 */
    double epsilon;       /* Adam: 0 or more; default 1e-8; -1 for 0 */
    double weight_decay;  /* 0 or more; default 0 */
    double clip_norm; /* scale gradients so that their global 2-norm is at most this; default off */
    int32_t nesterov; /* SGD with momentum and no dampening: 1; default 0 */
    int32_t decay;    /* COORDCONV_DECAY_*; default all */
    int32_t decoupled;   /* SGD: 1 decays as AdamW does; default 0. Adam: use COORDCONV_ADAMW */
    int32_t layer_count; /* length of layers */
    coordconv_layer *const *layers; /* train these only; default every layer of the plan */
} coordconv_optimizer_desc;

/**
 * Make an optimizer over the parameters of a training plan. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_ABI, COORDCONV_ERR_INVALID, COORDCONV_ERR_STATE
 * (no training plan), COORDCONV_ERR_NOT_FOUND (a layer not in the plan) or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_optimizer_new(coordconv_plan *plan,
                                                       const coordconv_optimizer_desc *desc,
                                                       coordconv_optimizer **out);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_optimizer *coordconv_optimizer_ref(coordconv_optimizer *optimizer);

/** Drop a reference. Since 0.1. */
COORDCONV_API void coordconv_optimizer_unref(coordconv_optimizer *optimizer);

/**
 * Move the parameters by the gradients of the plan's last backward pass.
 * Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_STATE (no
 * backward pass yet) or COORDCONV_ERR_NUMERIC (a gradient is NaN or infinite:
 * parameters and state are left as they were).
 */
COORDCONV_API coordconv_status coordconv_optimizer_step(coordconv_optimizer *optimizer);

/**
 * Move the optimizer to another training plan of the same model (say, one for
 * the last, smaller batch), state and all. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_STATE (no
 * training plan) or COORDCONV_ERR_NOT_FOUND (a parameter the other plan lacks).
 */
COORDCONV_API coordconv_status coordconv_optimizer_set_plan(coordconv_optimizer *optimizer,
                                                            coordconv_plan *plan);

/** Learning rate of the next steps, above 0 and finite. Since 0.1. Returns OK or
 * COORDCONV_ERR_INVALID. */
COORDCONV_API coordconv_status coordconv_optimizer_set_learning_rate(coordconv_optimizer *optimizer,
                                                                     double rate);

/** The learning rate in force; 0 for NULL. Since 0.1. */
COORDCONV_API double coordconv_optimizer_learning_rate(const coordconv_optimizer *optimizer);

/** Steps taken; 0 for NULL. Since 0.1. */
COORDCONV_API int64_t coordconv_optimizer_steps(const coordconv_optimizer *optimizer);

/** Global 2-norm of the gradients of the last step, before clipping; 0 before it. Since 0.1. */
COORDCONV_API double coordconv_optimizer_gradient_norm(const coordconv_optimizer *optimizer);

/** COORDCONV_SGD, _ADAM or _ADAMW; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_optimizer_kind(const coordconv_optimizer *optimizer);

/** Set the number of steps taken, 0 or more: with the state tensors, all there is to restore. Since
 * 0.1. Returns OK or COORDCONV_ERR_INVALID. */
COORDCONV_API coordconv_status coordconv_optimizer_set_steps(coordconv_optimizer *optimizer,
                                                             int64_t steps);

/** Number of state tensors: one or two a trained parameter; 0 for SGD without momentum. Since 0.1.
 */
COORDCONV_API int32_t coordconv_optimizer_state_count(const coordconv_optimizer *optimizer);

/**
 * State tensor `index`, of the shape of its parameter. name is the parameter's
 * and the slot's: "conv1.weight.momentum" (SGD), "conv1.weight.m" and
 * "conv1.weight.v" (Adam); both name and tensor are borrowed from the optimizer,
 * and either may be NULL. Since 0.1.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID (NULL, index).
 */
COORDCONV_API coordconv_status coordconv_optimizer_state(const coordconv_optimizer *optimizer,
                                                         int32_t index, const char **name,
                                                         coordconv_tensor **tensor);

enum {
    COORDCONV_SCHEDULE_CONSTANT = 0,
    COORDCONV_SCHEDULE_STEP = 1, /* rate * ratio^min(floor(t / every), max_steps) */
    COORDCONV_SCHEDULE_COSINE =
        2 /* final + (rate - final) (1 + cos(pi t / total)) / 2; final after total */
};

/** A learning rate as a function of t, counted in what the caller likes: steps or epochs. */
typedef struct coordconv_schedule_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t kind;         /* COORDCONV_SCHEDULE_*; default constant */
    double rate;          /* at the start, above 0; default 0.001 */
    double final_rate;    /* cosine: 0 or more; default 0 */
    double ratio;         /* step: above 0; default 0.1 */
    double every;         /* step: above 0; no default */
    double total;         /* cosine: above 0; no default */
    double warmup;        /* for t < warmup rise linearly from 0 at t = 0; default 0. A loop that
                           * counts from 0 asks for t + 1: no optimizer takes a rate of 0 */
    int32_t max_steps;    /* step: at most this many; default no limit */
    uint32_t reserved;    /* 0 */
} coordconv_schedule_desc;

/**
 * The rate at t >= 0. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_ABI or COORDCONV_ERR_INVALID.
 */
COORDCONV_API coordconv_status coordconv_schedule_rate(const coordconv_schedule_desc *desc,
                                                       double t, double *rate);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_TRAIN_H */
