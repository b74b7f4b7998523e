/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/fold.h"

#include "ops/norm.h"

size_t cconv_fold_channels(const struct cconv_app *app)
{
    return (size_t)app->out.dim[app->out.ndim - 1];
}

void cconv_fold_norm(const struct cconv_app *app, const coordconv_layer *norm, cconv_real *scale,
                     cconv_real *bias)
{
    const cconv_real *from = cconv_layer_values(app->layer, 1);

    for (size_t o = 0; o < cconv_fold_channels(app); o++) {
        const struct cconv_norm_affine f = cconv_norm_running_affine(norm, o);
        const double b = from != NULL ? (double)from[o] : 0;

        scale[o] = (cconv_real)f.scale;
        bias[o] = (cconv_real)(b * f.scale + f.shift);
    }
}
