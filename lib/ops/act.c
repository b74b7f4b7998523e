/* SPDX-License-Identifier: BSD-2-Clause
 *
 * act.c - relu, leaky relu, sigmoid, tanh and exp.
 *
 * Backward needs the output alone: all are monotone, and the slope of each
 * can be told from its value.
 */
#include "ops/common.h"
#include "ops/eltwise.h"
#include "ops/pointwise.h"

static coordconv_status infer(struct cconv_app *app)
{
    const int32_t kind = app->attr->act.kind;
    const double slope = app->attr->act.slope;

    if (kind < CCONV_ACT_NONE || kind > CCONV_ACT_EXP)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID, "%s: unknown kind %d",
                          app->op->name, (int)kind);
    if (kind == CCONV_ACT_LEAKY && !(slope >= 0 && slope < 1))
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                          "leaky_relu: slope %g, expected 0 or more and less than 1", slope);
    return cconv_app_infer_like(app);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_parallel_act_forward(app->context, (enum cconv_activation)app->attr->act.kind,
                               app->attr->act.slope, cconv_shape_count(&app->out),
                               cconv_run_input(run, 0), run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_parallel_act_backward(app->context, (enum cconv_activation)app->attr->act.kind,
                                    app->attr->act.slope, cconv_shape_count(&app->out), run->y,
                                    run->dy, run->dx[0]);
}

static void some_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    app->context->kernels.eltwise.act_forward((enum cconv_activation)app->attr->act.kind,
                                              (cconv_real)app->attr->act.slope, n, p->x[0], p->y);
}

static void some_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    if (p->dx[0] != NULL)
        app->context->kernels.eltwise.act_backward((enum cconv_activation)app->attr->act.kind,
                                                   (cconv_real)app->attr->act.slope, n, p->y, p->dy,
                                                   p->dx[0]);
}

static const struct cconv_pointwise pointwise = {
    .forward = some_forward,
    .backward = some_backward,
};

const struct cconv_op cconv_op_act = {
    .name = "activation",
    .flags = CCONV_KEEPS_Y | CCONV_IN_PLACE | CCONV_KEEPS_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .pointwise = &pointwise,
};
