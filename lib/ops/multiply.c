/* SPDX-License-Identifier: BSD-2-Clause
 *
 * multiply.c - the product, element by element, of two values of the same shape.
 */
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
    cconv_parallel_multiply(app->context, cconv_shape_count(&app->out), cconv_run_input(run, 0),
                            cconv_run_input(run, 1), run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    const size_t n = cconv_shape_count(&app->out);

    /* dx[0] may be dy, so it comes last. */
    if (run->dx[1] != NULL)
        cconv_parallel_multiply(app->context, n, run->dy, cconv_run_input(run, 0), run->dx[1]);
    if (run->dx[0] != NULL)
        cconv_parallel_multiply(app->context, n, run->dy, cconv_run_input(run, 1), run->dx[0]);
}

static void some_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    app->context->kernels.eltwise.multiply(n, p->x[0], p->x[1], p->y);
}

static void some_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    if (p->dx[1] != NULL)
        app->context->kernels.eltwise.multiply(n, p->dy, p->x[0], p->dx[1]);
    if (p->dx[0] != NULL) /* may be dy, so it comes last */
        app->context->kernels.eltwise.multiply(n, p->dy, p->x[1], p->dx[0]);
}

static const struct cconv_pointwise pointwise = {
    .forward = some_forward,
    .backward = some_backward,
};

const struct cconv_op cconv_op_multiply = {
    .name = "multiply",
    .flags = CCONV_KEEPS_X | CCONV_IN_PLACE | CCONV_IN_PLACE_1 | CCONV_KEEPS_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .pointwise = &pointwise,
};
