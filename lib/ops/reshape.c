/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reshape.c - reshape and flatten: the same elements under another shape.
 *
 * The graph lets the output be the input. Run by themselves, they copy.
 */
#include <inttypes.h>

#include "base/checked.h"
#include "ops/common.h"
#include "ops/eltwise.h"

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    cconv_parallel_copy(app->context, cconv_shape_count(&app->out), cconv_run_input(run, 0),
                        run->y);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    if (run->dx[0] != NULL)
        cconv_parallel_copy(app->context, cconv_shape_count(&app->out), run->dy, run->dx[0]);
}

/* Copy the shape wanted to *out, zeros taken from the input; *open is the axis to
 * infer or -1, *known the product of the others. */
static coordconv_status known_extents(const struct cconv_app *app, struct cconv_shape *out,
                                      int32_t *open, size_t *known)
{
    const struct cconv_log *log = CCONV_APP_LOG(app);
    const struct cconv_shape *want = &app->attr->reshape;

    *out = *want;
    *open = -1;
    *known = 1;
    for (int32_t i = 0; i < want->ndim; i++) {
        if (want->dim[i] == -1 && *open >= 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "reshape: axes %d and %d are both -1",
                              (int)*open, (int)i);
        if (want->dim[i] < -1)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "reshape: extent %" PRId64 " of axis %d, expected -1 or more",
                              want->dim[i], (int)i);
        if (want->dim[i] == 0 && i >= app->in[0].ndim)
            return cconv_fail(log, COORDCONV_ERR_SHAPE,
                              "reshape: axis %d copies an extent, but the input has %d axes",
                              (int)i, (int)app->in[0].ndim);
        if (want->dim[i] == -1) {
            *open = i;
            continue;
        }
        if (want->dim[i] == 0)
            out->dim[i] = app->in[0].dim[i];
        *known = cconv_size_mul(*known, (size_t)out->dim[i]);
    }
    return COORDCONV_OK;
}

static coordconv_status reshape_infer(struct cconv_app *app)
{
    const size_t count = cconv_shape_count(&app->in[0]);
    coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text a, b;
    struct cconv_shape out;
    int32_t open;
    size_t known;

    assert(app->attr->reshape.ndim >= 0 && app->attr->reshape.ndim <= COORDCONV_MAX_NDIM);
    if (st == COORDCONV_OK)
        st = known_extents(app, &out, &open, &known);
    if (st != COORDCONV_OK)
        return st;
    if (open >= 0 ? known == 0 || count % known != 0 : known != count)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "reshape: the %zu elements of %s do not fill %s", count,
                          cconv_shape_print(&app->in[0], &a),
                          cconv_shape_print(&app->attr->reshape, &b));
    if (open >= 0)
        out.dim[open] = (int64_t)(count / known);
    return cconv_shape_read(CCONV_APP_LOG(app), "reshape", out.ndim, out.dim, 0, &app->out);
}

static coordconv_status flatten_infer(struct cconv_app *app)
{
    const struct cconv_shape *in = &app->in[0];
    const int32_t first = app->attr->axis;
    const coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text text;
    struct cconv_shape out = { 0 };

    if (st != COORDCONV_OK)
        return st;
    if (first < 0 || first >= in->ndim)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_INVALID,
                          "flatten: first axis %d of an input %s", (int)first,
                          cconv_shape_print(in, &text));
    for (int32_t i = 0; i < first; i++)
        out.dim[i] = in->dim[i];
    out.dim[first] = (int64_t)cconv_shape_span(in, first, in->ndim);
    return cconv_shape_read(CCONV_APP_LOG(app), "flatten", first + 1, out.dim, 0, &app->out);
}

const struct cconv_op cconv_op_reshape = {
    .name = "reshape",
    .flags = CCONV_ALIAS,
    .infer = reshape_infer,
    .forward = forward,
    .backward = backward,
};

const struct cconv_op cconv_op_flatten = {
    .name = "flatten",
    .flags = CCONV_ALIAS,
    .infer = flatten_infer,
    .forward = forward,
    .backward = backward,
};
