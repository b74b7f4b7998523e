/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linear.c - y = x weight^T + bias: the 1x1 correlation of one row of pixels.
 */
#include "base/checked.h"
#include "ops/corr.h"
#include "ops/layer.h"
#include "ops/pointwise.h"
#include "ops/sums.h"

static coordconv_status infer(struct cconv_app *app)
{
    const int32_t last = app->in[0].ndim - 1;
    struct cconv_shape_text text;
    coordconv_status st = cconv_app_check_real(app, 0, 1);

    if (st != COORDCONV_OK)
        return st;
    if (last < 0 || app->in[0].dim[last] != app->attr->linear.in_features ||
        cconv_shape_count(&app->in[0]) == 0)
        return cconv_fail(CCONV_APP_LOG(app), COORDCONV_ERR_SHAPE,
                          "linear: input %s, the layer takes %d features on the last axis",
                          cconv_shape_print(&app->in[0], &text), app->attr->linear.in_features);
    app->out = app->in[0];
    app->out.dim[last] = app->attr->linear.out_features;
    return COORDCONV_OK;
}

static struct cconv_corr geometry(const struct cconv_app *app)
{
    const size_t rows = cconv_shape_span(&app->in[0], 0, app->in[0].ndim - 1);

    return (struct cconv_corr){ .batch = 1,
                                .small_h = 1,
                                .small_w = rows,
                                .small_c = (size_t)app->attr->linear.out_features,
                                .big_h = 1,
                                .big_w = rows,
                                .big_c = (size_t)app->attr->linear.in_features,
                                .groups = 1,
                                .kernel = { 1, 1 },
                                .stride = { 1, 1 },
                                .dilation = { 1, 1 },
                                .weight_s = (size_t)app->attr->linear.in_features };
}

static void space(const struct cconv_app *app, struct cconv_space *s)
{
    const struct cconv_corr c = geometry(app);

    s->packed = cconv_size_align(cconv_corr_gather_packed(app->context, &c));
    if (app->training)
        s->packed = cconv_size_add(s->packed, cconv_corr_scatter_packed(app->context, &c));
    s->forward = cconv_corr_gather_scratch(app->context, &c);
    s->backward = CCONV_MAX(cconv_corr_scatter_scratch(app->context, &c),
                            cconv_corr_grad_scratch(app->context, &c));
    s->backward = CCONV_MAX(s->backward, cconv_sum_pixels_scratch(c.small_w, c.small_c));
}

static void *reverse(const struct cconv_app *app, const struct cconv_corr *c,
                     const struct cconv_run *run)
{
    return (char *)run->packed + cconv_size_align(cconv_corr_gather_packed(app->context, c));
}

static void prepare(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_corr c = geometry(app);
    const cconv_real *weight = cconv_layer_values(app->layer, 0);

    cconv_corr_gather_pack(app->context, &c, weight, app->scale, run->packed);
    if (app->training)
        cconv_corr_scatter_pack(app->context, &c, weight, NULL, reverse(app, &c, run));
}

static coordconv_status forward(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_corr c = geometry(app);
    const struct cconv_corr_init init = {
        .values = app->bias != NULL ? app->bias : cconv_layer_values(app->layer, 1),
        .add = run->add,
    };

    cconv_corr_gather(app->context, &c, run->packed, run->x[0], init, app->act,
                      (cconv_real)app->act_slope, run->y, run->scratch);
    return COORDCONV_OK;
}

static void backward(const struct cconv_app *app, const struct cconv_run *run)
{
    const struct cconv_corr c = geometry(app);
    const struct cconv_corr_init none = { .values = NULL };

    if (run->dparam[0] != NULL)
        cconv_corr_grad(app->context, &c, run->dy, run->x[0], run->dparam[0], run->scratch);
    if (app->attr->linear.bias && run->dparam[1] != NULL)
        cconv_sum_pixels(app->context, c.small_w, c.small_c, run->dy, run->dparam[1], run->scratch);
    if (run->dx[0] != NULL)
        cconv_corr_scatter(app->context, &c, reverse(app, &c, run), run->dy, none, CCONV_ACT_NONE,
                           0, run->dx[0], run->scratch);
}

/* ---- some rows at a time ---- */

static void pointwise_space(const struct cconv_app *app, struct cconv_pointwise_space *space)
{
    const struct cconv_corr c = geometry(app);

    cconv_dense_space(app->context, &c, 0, space);
}

static void pointwise_begin(const struct cconv_app *app, const struct cconv_run *run, int spread,
                            struct cconv_pointwise_state *state)
{
    const struct cconv_corr c = geometry(app);
    struct cconv_dense *d = &state->dense;

    (void)spread;
    *d =
        (struct cconv_dense){ .context = app->context,
                              .start.values =
                                  app->bias != NULL ? app->bias : cconv_layer_values(app->layer, 1),
                              .image = SIZE_MAX,
                              .weight_s = c.weight_s,
                              .act = app->act,
                              .slope = (cconv_real)app->act_slope };
    cconv_dense_take(app, &c, run->packed, reverse(app, &c, run), d);
}

static const struct cconv_pointwise pointwise = {
    .space = pointwise_space,
    .begin = pointwise_begin,
    .forward = cconv_dense_forward,
    .backward = cconv_dense_backward,
    .gather = cconv_dense_gather,
};

const struct cconv_op cconv_op_linear = {
    .name = "linear",
    .flags = CCONV_KEEPS_X | CCONV_FUSES_ACT | CCONV_FUSES_NORM | CCONV_FUSES_ADD |
             CCONV_KEEPS_PLACE,
    .infer = infer,
    .space = space,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .pointwise = &pointwise,
};

static coordconv_status build(const coordconv_linear_desc *d, coordconv_layer *layer)
{
    const int64_t shape[2] = { d->out_features, d->in_features };
    coordconv_status st = cconv_layer_add(layer, "weight", 1, 2, shape, 0);

    layer->attr.linear.in_features = d->in_features;
    layer->attr.linear.out_features = d->out_features;
    layer->attr.linear.bias = !d->no_bias;
    if (st == COORDCONV_OK && !d->no_bias)
        st = cconv_layer_add(layer, "bias", 1, 1, shape, 0);
    if (st == COORDCONV_OK) /* last: a layer that cannot be made is not counted */
        st = cconv_layer_draw(layer, 0, d->init, d->init_value, d->in_features, d->out_features);
    return st;
}

coordconv_status coordconv_linear_new(coordconv_context *context, const coordconv_linear_desc *desc,
                                      coordconv_layer **out)
{
    const struct cconv_log *log = cconv_context_log(context);
    coordconv_linear_desc d;
    coordconv_layer *layer;
    coordconv_status st;

    if (context == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "linear: %s is NULL",
                          context == NULL ? "context" : "out");
    if ((st = cconv_desc_read(log, "linear", desc,
                              CCONV_DESC_END(coordconv_linear_desc, init_value), sizeof d, &d)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(log, "linear", "in_features", d.in_features, 1, INT32_MAX)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(log, "linear", "out_features", d.out_features, 1, INT32_MAX)) !=
            COORDCONV_OK ||
        (st = cconv_check_range(log, "linear", "no_bias", d.no_bias, 0, 1)) != COORDCONV_OK ||
        (st = cconv_check_range(log, "linear", "init", d.init, COORDCONV_INIT_DEFAULT,
                                COORDCONV_INIT_GLOROT_UNIFORM)) != COORDCONV_OK ||
        (st = cconv_check_range(log, "linear", "reserved", d.reserved, 0, 0)) != COORDCONV_OK ||
        (st = cconv_layer_new(context, &cconv_op_linear, &layer)) != COORDCONV_OK)
        return st;
    st = build(&d, layer);
    if (st != COORDCONV_OK) {
        coordconv_layer_unref(layer);
        return st;
    }
    *out = layer;
    return COORDCONV_OK;
}
