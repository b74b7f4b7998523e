/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scale.c - a constant times a value.
 */
#include "ops/common.h"
#include "ops/eltwise.h"
#include "ops/pointwise.h"

static coordconv_status infer(struct cconv_app *app)
{
    if (!isfinite(app->attr->factor))
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                          "scale: factor %g is not finite", app->attr->factor);
    return cconv_app_infer_like(app);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_parallel_scale(app->context, cconv_shape_count(&app->out), app->attr->factor,
                         cconv_run_input(run, 0), run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_parallel_scale(app->context, cconv_shape_count(&app->out), app->attr->factor, run->dy,
                             run->dx[0]);
}

static void some_forward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                         const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    app->context->kernels.eltwise.scale(n, (cconv_real)app->attr->factor, p->x[0], p->y);
}

static void some_backward(const struct cconv_app *app, const struct cconv_pointwise_state *state,
                          const struct cconv_pixels *p)
{
    const size_t n = cconv_pixels_elements(app, p);

    (void)state;
    if (p->dx[0] != NULL)
        app->context->kernels.eltwise.scale(n, (cconv_real)app->attr->factor, p->dy, p->dx[0]);
}

static const struct cconv_pointwise pointwise = {
    .forward = some_forward,
    .backward = some_backward,
};

const struct cconv_op cconv_op_scale = {
    .name = "scale",
    .flags = CCONV_IN_PLACE | CCONV_KEEPS_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .pointwise = &pointwise,
};
