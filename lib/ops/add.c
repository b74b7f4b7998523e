/* SPDX-License-Identifier: BSD-2-Clause
 *
 * add.c - the sum of two values of the same shape.
 */
#include <string.h>

#include "ops/common.h"
#include "ops/eltwise.h"
#include "ops/pointwise.h"

static coordconv_status infer(struct cconv_app *app)
{
    coordconv_status st = cconv_app_check_real(app, 0, 2);

    if (st == COORDCONV_OK)
        st = cconv_app_check_same(app);
    if (st == COORDCONV_OK)
        app->out = app->in[0];
    return st;
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_parallel_add(app->context, cconv_shape_count(&app->out), cconv_run_input(run, 0),
                       cconv_run_input(run, 1), run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    for (int i = 0; i < 2; i++) {
        if (run->dx[i] != NULL)
            cconv_parallel_copy(app->context, cconv_shape_count(&app->out), run->dy, run->dx[i]);
    }
}

static void some_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    app->context->kernels.eltwise.add(n, p->x[0], p->x[1], p->y);
}

static void some_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    for (int i = 0; i < 2; i++) {
        if (p->dx[i] != NULL && p->dx[i] != p->dy)
            memcpy(p->dx[i], p->dy, n * sizeof *p->dy);
    }
}

static const struct cconv_pointwise pointwise = {
    .forward = some_forward,
    .backward = some_backward,
};

const struct cconv_op cconv_op_add = {
    .name = "add",
    .flags = CCONV_IN_PLACE | CCONV_IN_PLACE_1 | CCONV_KEEPS_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .pointwise = &pointwise,
};
