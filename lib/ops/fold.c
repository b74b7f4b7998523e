/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/fold.h"

#include "ops/norm.h"

/* Weights as [outer][channels][inner]. Output channel o of the layer is channel o of every
 * outer index, or, with groups in a transposed convolution, channel o % channels of those
 * outer indices that lie in group o / channels. */
struct axes {
    size_t outer, channels, inner;
    size_t groups, group_outer; /* outer indices of a group; what is beyond the last joins it */
};

static struct axes axes_of(const struct cconv_app *app)
{
    const struct cconv_shape *shape = &app->layer->tensors[0].tensor->shape;
    const int transposed = app->op == &cconv_op_conv_transpose2d;
    struct axes a = { .outer = 1, .groups = 1, .group_outer = 1 };

    if (transposed) {
        a.outer = (size_t)shape->dim[0];
        a.groups = (size_t)app->attr->conv.groups;
        a.group_outer = (size_t)app->attr->conv.in_channels / a.groups;
    }
    a.channels = (size_t)shape->dim[transposed];
    a.inner = cconv_shape_span(shape, transposed + 1, shape->ndim);
    return a;
}

size_t cconv_fold_weights(const struct cconv_app *app)
{
    return cconv_shape_count(&app->layer->tensors[0].tensor->shape);
}

size_t cconv_fold_channels(const struct cconv_app *app)
{
    const struct axes a = axes_of(app);

    return a.groups * a.channels;
}

void cconv_fold_norm(const struct cconv_app *app, const coordconv_layer *norm, cconv_real *weight,
                     cconv_real *bias)
{
    const cconv_real *from = cconv_layer_values(app->layer, 0);
    const cconv_real *from_bias = cconv_layer_values(app->layer, 1);
    const struct axes a = axes_of(app);

    for (size_t r = 0; r < a.outer; r++) {
        const size_t group = CCONV_MIN(r / a.group_outer, a.groups - 1);

        for (size_t c = 0; c < a.channels; c++) {
            const struct cconv_norm_affine f =
                cconv_norm_running_affine(norm, group * a.channels + c);

            for (size_t i = 0; i < a.inner; i++)
                *weight++ = (cconv_real)(f.scale * (double)*from++);
        }
    }
    for (size_t o = 0; o < a.groups * a.channels; o++) {
        const struct cconv_norm_affine f = cconv_norm_running_affine(norm, o);
        const double b = from_bias != NULL ? (double)from_bias[o] : 0;

        bias[o] = (cconv_real)(b * f.scale + f.shift);
    }
}
