/* SPDX-License-Identifier: BSD-2-Clause
 *
 * eltwise.c - the elementwise kernels over arrays of any length, a chunk to a task.
 */
#include "ops/eltwise.h"

#include <string.h>

#include "ops/split.h"

struct work {
    const struct cconv_eltwise_kernels *kernels;
    struct cconv_split split;
    enum cconv_activation act;
    cconv_real factor; /* or slope */
    const cconv_real *x, *y;
    cconv_real *z; /* the output */
};

static void run(coordconv_context *context, struct work *w, size_t n, cconv_task_fn *fn)
{
    w->kernels = &context->kernels.eltwise;
    w->split = cconv_split(n, 1, 1);
    cconv_parallel_run(&context->parallel, fn, w, w->split.tasks);
}

static void act_forward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->act_forward(w->act, w->factor, n, w->x + i, w->z + i);
}

static void act_backward_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->act_backward(w->act, w->factor, n, w->x + i, w->y + i, w->z + i);
}

static void add_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->add(n, w->x + i, w->y + i, w->z + i);
}

static void multiply_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->multiply(n, w->x + i, w->y + i, w->z + i);
}

static void scale_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    w->kernels->scale(n, w->factor, w->x + i, w->z + i);
}

static void copy_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    memcpy(w->z + i, w->x + i, n * sizeof *w->z);
}

static void zero_task(void *arg, size_t task, size_t slot)
{
    const struct work *w = arg;
    const size_t i = cconv_split_begin(&w->split, task), n = cconv_split_count(&w->split, task);

    (void)slot;
    memset(w->z + i, 0, n * sizeof *w->z);
}

void cconv_parallel_act_forward(coordconv_context *context, enum cconv_activation act, double slope,
                                size_t n, const cconv_real *x, cconv_real *y)
{
    struct work w = { .act = act, .factor = (cconv_real)slope, .x = x, .z = y };

    run(context, &w, n, act_forward_task);
}

void cconv_parallel_act_backward(coordconv_context *context, enum cconv_activation act,
                                 double slope, size_t n, const cconv_real *y, const cconv_real *dy,
                                 cconv_real *dx)
{
    struct work w = { .act = act, .factor = (cconv_real)slope, .x = y, .y = dy, .z = dx };

    run(context, &w, n, act_backward_task);
}

void cconv_parallel_add(coordconv_context *context, size_t n, const cconv_real *x,
                        const cconv_real *y, cconv_real *z)
{
    struct work w = { .x = x, .y = y, .z = z };

    run(context, &w, n, add_task);
}

void cconv_parallel_multiply(coordconv_context *context, size_t n, const cconv_real *x,
                             const cconv_real *y, cconv_real *z)
{
    struct work w = { .x = x, .y = y, .z = z };

    run(context, &w, n, multiply_task);
}

void cconv_parallel_scale(coordconv_context *context, size_t n, double factor, const cconv_real *x,
                          cconv_real *y)
{
    struct work w = { .factor = (cconv_real)factor, .x = x, .z = y };

    run(context, &w, n, scale_task);
}

void cconv_parallel_copy(coordconv_context *context, size_t n, const cconv_real *x, cconv_real *y)
{
    struct work w = { .x = x, .z = y };

    if (x != y)
        run(context, &w, n, copy_task);
}

void cconv_parallel_zero(coordconv_context *context, size_t n, cconv_real *y)
{
    struct work w = { .z = y };

    run(context, &w, n, zero_task);
}
