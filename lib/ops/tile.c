/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tile.c - a vector [N, C] repeated over a canvas [N, height, width, C].
 */
#include "base/checked.h"
#include "ops/columns.h"
#include "ops/common.h"

static coordconv_status infer(struct cconv_app *app)
{
    const struct cconv_shape *in = &app->in[0];
    const int64_t *canvas = app->attr->tile;
    const coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text text;

    if (st != COORDCONV_OK)
        return st;
    if (in->ndim != 2 || in->dim[0] < 1 || in->dim[1] < 1)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "tile: input %s is not a filled [N, C]", cconv_shape_print(in, &text));
    const int64_t dims[4] = { in->dim[0], canvas[0], canvas[1], in->dim[1] };

    return cconv_shape_read(CCONV_APP_LOG(app), "tile", 4, dims, 1, &app->out);
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    s->backward = cconv_columns_scratch(&app->out);
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_columns_fill(app->context, &app->out, 1, cconv_run_input(run, 0), run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_columns_sum(app->context, &app->out, 1, run->dy, run->dx[0], run->scratch);
}

const struct cconv_op cconv_op_tile = {
    .name = "tile",
    .space = space,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
