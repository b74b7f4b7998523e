/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_shape.c - extents and places of the images of a convolution.
 */
#include "ops/conv.h"

#include "base/checked.h"

struct cconv_window cconv_conv_window(const struct cconv_conv_attr *a, int axis, int64_t in)
{
    struct cconv_window w = { .in = in,
                              .kernel = a->kernel[axis],
                              .stride = a->stride[axis],
                              .dilation = a->dilation[axis],
                              .before = a->pads[axis],
                              .after = a->pads[axis + 3] };
    const int64_t reach = (int64_t)w.dilation * (w.kernel - 1) + 1;

    if (!a->transposed) {
        cconv_window_slide(&w, a->same);
        return w;
    }
    w.out = a->same ? in * w.stride
                    : (in - 1) * w.stride - w.before - w.after + reach + a->output_padding[axis];
    if (a->same) { /* the pads of the convolution that goes the other way */
        struct cconv_window back = w;

        back.in = w.out;
        cconv_window_slide(&back, 1);
        w.before = back.before;
        w.after = back.after;
    }
    return w;
}

struct cconv_shape cconv_conv_image(const struct cconv_app *app, const struct cconv_shape *s)
{
    if (app->attr->conv.line)
        return (struct cconv_shape){ 4, { s->dim[0], 1, s->dim[1], s->dim[2] } };
    if (app->attr->conv.volume)
        return (struct cconv_shape){ 4, { s->dim[0], s->dim[2], s->dim[3], s->dim[4] } };
    return *s;
}

coordconv_status cconv_conv_infer(struct cconv_app *app)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    struct cconv_window y, x;
    struct cconv_shape in;
    struct cconv_shape_text text;
    coordconv_status st = a->line     ? cconv_app_check_line(app)
                          : a->volume ? cconv_app_check_volume(app)
                                      : cconv_app_check_image(app);

    if (st != COORDCONV_OK)
        return st;
    in = cconv_conv_image(app, &app->in[0]);
    if (in.dim[3] != a->in_channels)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: input %s has %lld channels, the layer takes %d", app->op->name,
                          cconv_shape_print(&app->in[0], &text), (long long)in.dim[3],
                          a->in_channels);
    y = cconv_conv_window(a, 0, in.dim[1]);
    x = cconv_conv_window(a, 1, in.dim[2]);
    if (y.out < 1 || x.out < 1)
        return cconv_fail(
            CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
            "%s: kernel %dx%d (dilation %d, %d) does not fit the padded input %lldx%lld",
            app->op->name, y.kernel, x.kernel, y.dilation, x.dilation,
            (long long)(y.in + y.before + y.after), (long long)(x.in + x.before + x.after));
    if (y.out > INT32_MAX || x.out > INT32_MAX)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "%s: output %lldx%lld is too large", app->op->name, (long long)y.out,
                          (long long)x.out);
    if (a->volume) {
        app->out = (struct cconv_shape){ 5, { in.dim[0], 0, y.out, x.out, a->out_channels } };
        return COORDCONV_OK;
    }
    app->out = a->line ? (struct cconv_shape){ 3, { in.dim[0], x.out, a->out_channels } }
                       : (struct cconv_shape){ 4, { in.dim[0], y.out, x.out, a->out_channels } };
    return COORDCONV_OK;
}

int cconv_conv_carry(const struct cconv_app *app, const struct cconv_place *in,
                     struct cconv_place *out)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const struct cconv_place whole = cconv_image_whole(&app->in[0]);
    int fits = 1;

    *out = *in;
    for (int i = 0; i < (a->volume ? 3 : 2); i++) {
        const struct cconv_window w = cconv_conv_window(a, i, whole.extent[i]);
        const struct cconv_window larger = cconv_conv_window(a, i, in->extent[i]);

        fits &= cconv_place_carry(&w, &larger, i, a->transposed, in, out);
    }
    return fits;
}

void cconv_conv_geometry(const struct cconv_app *app, struct cconv_conv_geometry *g)
{
    const struct cconv_conv_attr *a = &app->attr->conv;
    const struct cconv_shape in_image = cconv_conv_image(app, &app->in[0]);
    const struct cconv_shape out_image = cconv_conv_image(app, &app->out);
    const struct cconv_shape *in = &in_image, *out = &out_image;
    const struct cconv_shape *big = a->transposed ? out : in, *small = a->transposed ? in : out;
    const size_t plane = cconv_conv_plane(a), groups = (size_t)a->groups;
    const size_t coords = (size_t)a->coord_channels;
    struct cconv_corr *d = &g->data;

    *d = (struct cconv_corr){ .batch = (size_t)in->dim[0],
                              .small_h = (size_t)small->dim[1],
                              .small_w = (size_t)small->dim[2],
                              .small_c = (size_t)small->dim[3],
                              .big_h = (size_t)big->dim[1],
                              .big_w = (size_t)big->dim[2],
                              .big_c = (size_t)big->dim[3],
                              .groups = groups };
    for (int i = 0; i < 2; i++) {
        d->kernel[i] = a->kernel[i];
        d->stride[i] = a->stride[i];
        d->dilation[i] = a->dilation[i];
        d->pad[i] = cconv_conv_window(a, i, in->dim[1 + i]).before;
    }
    /* Coordinates follow the data on the input's axis of the weights. */
    d->weight_s = (d->big_c / groups + (a->transposed ? 0 : coords)) * plane;
    g->coords = *d;
    g->coords.batch = 1;
    if (a->transposed)
        g->coords.small_c = coords;
    else
        g->coords.big_c = coords;
    g->coord_weights = a->transposed ? d->small_c * d->weight_s : d->big_c * plane;
    g->channel_weights = a->transposed ? d->weight_s : plane;
    g->in_image = cconv_shape_span(in, 1, 4);
    g->out_image = cconv_shape_span(out, 1, 4);
    g->coord_image = cconv_size_mul(cconv_shape_span(in, 1, 3), coords);
    g->pixels = cconv_shape_span(out, 1, 3);
}
