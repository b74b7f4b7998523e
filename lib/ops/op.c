/* SPDX-License-Identifier: BSD-2-Clause
 *
 * op.c - checks and arithmetic that several operations share.
 */
#include "ops/common.h"

static const char *dtype_name(int32_t dtype)
{
    static const char *const names[] = { "float32", "float64", "int32", "int64", "uint8" };

    return dtype >= 1 && dtype <= (int32_t)CCONV_COUNT(names) ? names[dtype - 1] : "unknown";
}

coordconv_status cconv_app_check_real(const struct cconv_app *app, int32_t first, int32_t last)
{
    for (int32_t i = first; i < last; i++) {
        if (app->in_dtype[i] != CCONV_REAL_DTYPE)
            return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_DTYPE,
                              "%s: input %d is %s, expected %s", app->op->name, (int)i,
                              dtype_name(app->in_dtype[i]), dtype_name(CCONV_REAL_DTYPE));
    }
    return COORDCONV_OK;
}

static coordconv_status check_axes(const struct cconv_app *app, int32_t ndim, const char *what)
{
    const coordconv_status st = cconv_app_check_real(app, 0, 1);
    struct cconv_shape_text text;

    if (st != COORDCONV_OK)
        return st;
    if (app->in[0].ndim != ndim)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE, "%s: input %s is not %s",
                          app->op->name, cconv_shape_print(&app->in[0], &text), what);
    for (int32_t i = 0; i < ndim; i++) {
        if (app->in[0].dim[i] < 1)
            return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                              "%s: axis %d of input %s is empty", app->op->name, (int)i,
                              cconv_shape_print(&app->in[0], &text));
    }
    return COORDCONV_OK;
}

coordconv_status cconv_app_check_image(const struct cconv_app *app)
{
    return check_axes(app, 4, "an image [N, H, W, C]");
}

coordconv_status cconv_app_check_line(const struct cconv_app *app)
{
    return check_axes(app, 3, "a signal [N, L, C]");
}

coordconv_status cconv_app_check_volume(const struct cconv_app *app)
{
    return check_axes(app, 5, "a volume [N, D, H, W, C]");
}

coordconv_status cconv_app_check_same(const struct cconv_app *app)
{
    struct cconv_shape_text a, b;

    if (!cconv_shape_equal(&app->in[0], &app->in[1]))
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: shapes %s and %s are not the same", app->op->name,
                          cconv_shape_print(&app->in[0], &a), cconv_shape_print(&app->in[1], &b));
    return COORDCONV_OK;
}

coordconv_status cconv_app_infer_like(struct cconv_app *app)
{
    const coordconv_status st = cconv_app_check_real(app, 0, 1);

    if (st == COORDCONV_OK)
        app->out = app->in[0];
    return st;
}

/* With s the stride, d the dilation, c = (kernel - 1) d / 2 and p, P the pads before the
 * image and the larger one: the middle of output o's window is sample o s - p + c, that of
 * O in the larger image O s - P + c. */
int cconv_place_carry(const struct cconv_window *image, const struct cconv_window *larger, int axis,
                      int back, const struct cconv_place *in, struct cconv_place *out)
{
    const double middle = 0.5 * (double)(image->kernel - 1) * (double)image->dilation;
    const double lead = middle - (double)image->before;
    const double larger_lead = middle - (double)larger->before;
    const double first = in->first[axis], step = in->step[axis];

    out->first[axis] = back ? first * image->stride - step * lead + larger_lead
                            : (first + step * lead - larger_lead) / image->stride;
    out->step[axis] = step;
    out->extent[axis] = larger->out;
    return larger->out >= 1 && larger->out <= INT32_MAX;
}

size_t cconv_places_alike(const struct cconv_place *places, size_t count)
{
    size_t n = 1;

    if (places == NULL)
        return count;
    while (n < count && cconv_place_same(&places[n], &places[0]))
        n++;
    return n;
}

struct cconv_place cconv_image_whole(const struct cconv_shape *s)
{
    const int64_t extent[CCONV_AXES] = { [CCONV_Y] = s->ndim > 3 ? s->dim[s->ndim - 3] : 1,
                                         [CCONV_X] = s->dim[s->ndim - 2],
                                         [CCONV_Z] = s->ndim > 4 ? s->dim[1] : 1 };

    return cconv_place_whole(extent);
}

void cconv_window_slide(struct cconv_window *w, int same)
{
    const int64_t reach = (int64_t)w->dilation * (w->kernel - 1) + 1;

    if (same) {
        w->out = (w->in + w->stride - 1) / w->stride;
        const int64_t total = CCONV_MAX((w->out - 1) * w->stride + reach - w->in, 0);
        w->before = (int32_t)(total / 2);
        w->after = (int32_t)(total - total / 2);
    } else {
        const int64_t room = w->in + w->before + w->after - reach;
        w->out = room < 0 ? 0 : room / w->stride + 1;
    }
}
