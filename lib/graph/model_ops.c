/* SPDX-License-Identifier: BSD-2-Clause
 *
 * model_ops.c - the operations a model can hold. Here only what needs no shapes
 * is checked; an operation's infer checks the rest when a plan is made.
 */
#include <math.h>
#include <string.h>

#include "graph/model_build.h"

static coordconv_value unary(coordconv_model *model, const struct cconv_op *op,
                             const union cconv_attr *attr, coordconv_value x)
{
    if (!cconv_model_open(model, op->name))
        return COORDCONV_NO_VALUE;
    return cconv_model_add(model, op, attr, NULL, 1, &x);
}

static coordconv_value binary(coordconv_model *model, const struct cconv_op *op, coordconv_value a,
                              coordconv_value b)
{
    const coordconv_value inputs[2] = { a, b };

    if (!cconv_model_open(model, op->name))
        return COORDCONV_NO_VALUE;
    return cconv_model_add(model, op, NULL, NULL, 2, inputs);
}

coordconv_value coordconv_model_apply(coordconv_model *model, coordconv_layer *layer,
                                      coordconv_value x)
{
    if (!cconv_model_open(model, "model_apply"))
        return COORDCONV_NO_VALUE;
    if (layer == NULL)
        return cconv_model_poison(model, COORDCONV_ERR_INVALID, "model_apply: layer is NULL");
    return cconv_model_add(model, layer->op, NULL, layer, 1, &x);
}

static coordconv_value activation(coordconv_model *model, int32_t kind, double slope,
                                  coordconv_value x)
{
    const union cconv_attr attr = { .act = { kind, slope } };

    return unary(model, &cconv_op_act, &attr, x);
}

coordconv_value coordconv_model_relu(coordconv_model *model, coordconv_value x)
{
    return activation(model, CCONV_ACT_RELU, 0, x);
}

coordconv_value coordconv_model_leaky_relu(coordconv_model *model, coordconv_value x, double slope)
{
    if (!cconv_model_open(model, "leaky_relu"))
        return COORDCONV_NO_VALUE;
    if (!(slope >= 0 && slope < 1))
        return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                  "leaky_relu: slope %g, expected 0 to below 1", slope);
    return activation(model, CCONV_ACT_LEAKY, slope, x);
}

coordconv_value coordconv_model_sigmoid(coordconv_model *model, coordconv_value x)
{
    return activation(model, CCONV_ACT_SIGMOID, 0, x);
}

coordconv_value coordconv_model_tanh(coordconv_model *model, coordconv_value x)
{
    return activation(model, CCONV_ACT_TANH, 0, x);
}

coordconv_value coordconv_model_exp(coordconv_model *model, coordconv_value x)
{
    return activation(model, CCONV_ACT_EXP, 0, x);
}

coordconv_value coordconv_model_scale(coordconv_model *model, coordconv_value x, double factor)
{
    const union cconv_attr attr = { .factor = factor };

    if (!cconv_model_open(model, "scale"))
        return COORDCONV_NO_VALUE;
    if (!isfinite(factor))
        return cconv_model_poison(model, COORDCONV_ERR_INVALID, "scale: factor %g", factor);
    return unary(model, &cconv_op_scale, &attr, x);
}

coordconv_value coordconv_model_softmax(coordconv_model *model, coordconv_value x, uint32_t axes)
{
    const union cconv_attr attr = { .axes = axes };

    if (!cconv_model_open(model, "softmax"))
        return COORDCONV_NO_VALUE;
    if (axes == 0 || axes >> COORDCONV_MAX_NDIM != 0)
        return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                  "softmax: axes 0x%x, expected a set of bits 0 to %d",
                                  (unsigned)axes, COORDCONV_MAX_NDIM - 1);
    return unary(model, &cconv_op_softmax, &attr, x);
}

coordconv_value coordconv_model_flatten(coordconv_model *model, coordconv_value x,
                                        int32_t first_axis)
{
    const union cconv_attr attr = { .axis = first_axis };

    if (!cconv_model_open(model, "flatten"))
        return COORDCONV_NO_VALUE;
    if (first_axis < 0 || first_axis >= COORDCONV_MAX_NDIM)
        return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                  "flatten: first_axis %d, expected 0 to %d", first_axis,
                                  COORDCONV_MAX_NDIM - 1);
    return unary(model, &cconv_op_flatten, &attr, x);
}

coordconv_value coordconv_model_reshape(coordconv_model *model, coordconv_value x, int32_t ndim,
                                        const int64_t *shape)
{
    union cconv_attr attr = { .reshape = { .ndim = ndim } };
    int inferred = 0;

    if (!cconv_model_open(model, "reshape"))
        return COORDCONV_NO_VALUE;
    if (ndim < 0 || ndim > COORDCONV_MAX_NDIM || (shape == NULL && ndim != 0))
        return cconv_model_poison(model, COORDCONV_ERR_INVALID, "reshape: ndim %d%s", ndim,
                                  shape == NULL ? ", shape is NULL" : ", expected 0 to 8");
    for (int32_t i = 0; i < ndim; i++) {
        inferred += shape[i] == -1;
        if (shape[i] < -1 || shape[i] > INT32_MAX || inferred > 1)
            return cconv_model_poison(model, COORDCONV_ERR_INVALID, "reshape: extent %d is %lld%s",
                                      i, (long long)shape[i], inferred > 1 ? ", a second -1" : "");
        attr.reshape.dim[i] = shape[i];
    }
    return unary(model, &cconv_op_reshape, &attr, x);
}

coordconv_value coordconv_model_tile(coordconv_model *model, coordconv_value x, int64_t height,
                                     int64_t width)
{
    const union cconv_attr attr = { .tile = { height, width } };

    if (!cconv_model_open(model, "tile"))
        return COORDCONV_NO_VALUE;
    if (height < 1 || height > INT32_MAX || width < 1 || width > INT32_MAX)
        return cconv_model_poison(model, COORDCONV_ERR_INVALID,
                                  "tile: canvas %lldx%lld, each side expected 1 to 2147483647",
                                  (long long)height, (long long)width);
    return unary(model, &cconv_op_tile, &attr, x);
}

coordconv_value coordconv_model_concat(coordconv_model *model, int32_t count,
                                       const coordconv_value *values, int32_t axis)
{
    const union cconv_attr attr = { .axis = axis };

    if (!cconv_model_open(model, "concat"))
        return COORDCONV_NO_VALUE;
    if (count < 1 || values == NULL || axis < 0 || axis >= COORDCONV_MAX_NDIM)
        return cconv_model_poison(model, COORDCONV_ERR_INVALID, "concat: %d values%s, axis %d",
                                  count, values == NULL ? " (NULL)" : "", axis);
    return cconv_model_add(model, &cconv_op_concat, &attr, NULL, count, values);
}

coordconv_value coordconv_model_add(coordconv_model *model, coordconv_value a, coordconv_value b)
{
    return binary(model, &cconv_op_add, a, b);
}

coordconv_value coordconv_model_multiply(coordconv_model *model, coordconv_value a,
                                         coordconv_value b)
{
    return binary(model, &cconv_op_multiply, a, b);
}

static coordconv_status check_pool(const struct cconv_log *log, const char *what,
                                   const coordconv_pool2d_desc *d)
{
    coordconv_status st = COORDCONV_OK;

    for (int i = 0; i < 2 && st == COORDCONV_OK; i++) {
        st =
            cconv_check_range(log, what, i == 0 ? "kernel[0]" : "kernel[1]", d->kernel[i], 1, 1024);
        if (st == COORDCONV_OK)
            st = cconv_check_range(log, what, i == 0 ? "stride[0]" : "stride[1]", d->stride[i], 0,
                                   1024);
    }
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "padding", d->padding, COORDCONV_PADDING_EXPLICIT,
                               COORDCONV_SAME);
    for (int i = 0; i < 4 && st == COORDCONV_OK; i++) {
        static const char *const name[4] = { "pads[0]", "pads[1]", "pads[2]", "pads[3]" };
        const int64_t most = d->padding == COORDCONV_SAME ? 0 : d->kernel[i % 2] - 1;

        st = cconv_check_range(log, what, name[i], d->pads[i], 0, most);
    }
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "count_padding", d->count_padding, 0, 1);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "reserved", d->reserved, 0, 0);
    return st;
}

/* Poison with what the last error says. */
static coordconv_value poison_as_said(coordconv_model *model, coordconv_status status)
{
    char text[sizeof model->message];

    memcpy(text, coordconv_last_error(), sizeof text);
    return cconv_model_poison(model, status, "%s", text);
}

static coordconv_value pool(coordconv_model *model, const struct cconv_op *op,
                            const coordconv_pool2d_desc *desc, coordconv_value x)
{
    union cconv_attr attr = { .pool = { .same = 0 } };
    coordconv_pool2d_desc d;
    coordconv_status st;

    if (!cconv_model_open(model, op->name))
        return COORDCONV_NO_VALUE;
    if ((st = cconv_desc_read(NULL, op->name, desc, CCONV_DESC_END(coordconv_pool2d_desc, reserved),
                              sizeof d, &d)) != COORDCONV_OK ||
        (st = check_pool(NULL, op->name, &d)) != COORDCONV_OK)
        return poison_as_said(model, st);
    for (int i = 0; i < 2; i++) {
        attr.pool.kernel[i] = d.kernel[i];
        attr.pool.stride[i] = d.stride[i] != 0 ? d.stride[i] : d.kernel[i];
    }
    memcpy(attr.pool.pads, d.pads, sizeof d.pads);
    attr.pool.same = d.padding == COORDCONV_SAME;
    attr.pool.count_padding = d.count_padding;
    return unary(model, op, &attr, x);
}

coordconv_value coordconv_model_max_pool2d(coordconv_model *model, coordconv_value x,
                                           const coordconv_pool2d_desc *desc)
{
    return pool(model, &cconv_op_max_pool2d, desc, x);
}

coordconv_value coordconv_model_avg_pool2d(coordconv_model *model, coordconv_value x,
                                           const coordconv_pool2d_desc *desc)
{
    return pool(model, &cconv_op_avg_pool2d, desc, x);
}

static coordconv_status check_upsample(const struct cconv_log *log,
                                       const coordconv_upsample2d_desc *d)
{
    static const char what[] = "upsample2d";
    coordconv_status st = cconv_check_range(log, what, "factor[0]", d->factor[0], 1, 1024);

    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "factor[1]", d->factor[1], 1, 1024);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "mode", d->mode, COORDCONV_UPSAMPLE_NEAREST,
                               COORDCONV_UPSAMPLE_BILINEAR);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "align_corners", d->align_corners, 0,
                               d->mode == COORDCONV_UPSAMPLE_BILINEAR);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "reserved", d->reserved, 0, 0);
    return st;
}

coordconv_value coordconv_model_upsample2d(coordconv_model *model, coordconv_value x,
                                           const coordconv_upsample2d_desc *desc)
{
    coordconv_upsample2d_desc d;
    coordconv_status st;

    if (!cconv_model_open(model, "upsample2d"))
        return COORDCONV_NO_VALUE;
    if ((st = cconv_desc_read(NULL, "upsample2d", desc,
                              CCONV_DESC_END(coordconv_upsample2d_desc, reserved), sizeof d, &d)) !=
            COORDCONV_OK ||
        (st = check_upsample(NULL, &d)) != COORDCONV_OK)
        return poison_as_said(model, st);
    const union cconv_attr attr = { .upsample = {
                                        { d.factor[0], d.factor[1] }, d.mode, d.align_corners } };

    return unary(model, &cconv_op_upsample2d, &attr, x);
}

coordconv_value coordconv_model_global_max_pool(coordconv_model *model, coordconv_value x)
{
    return unary(model, &cconv_op_global_max_pool, NULL, x);
}

coordconv_value coordconv_model_global_avg_pool(coordconv_model *model, coordconv_value x)
{
    return unary(model, &cconv_op_global_avg_pool, NULL, x);
}

coordconv_value coordconv_model_global_sum_pool(coordconv_model *model, coordconv_value x)
{
    return unary(model, &cconv_op_global_sum_pool, NULL, x);
}

coordconv_value coordconv_model_mse(coordconv_model *model, coordconv_value x,
                                    coordconv_value target)
{
    return binary(model, &cconv_op_mse, x, target);
}

coordconv_value coordconv_model_softmax_cross_entropy(coordconv_model *model,
                                                      coordconv_value logits,
                                                      coordconv_value target)
{
    return binary(model, &cconv_op_softmax_cross_entropy, logits, target);
}

coordconv_value coordconv_model_sigmoid_cross_entropy(coordconv_model *model,
                                                      coordconv_value logits,
                                                      coordconv_value target)
{
    return binary(model, &cconv_op_sigmoid_cross_entropy, logits, target);
}

/* Between these one over beta is a float, and not a denormal. */
#define LEAST_BETA 1e-37
#define MOST_BETA  1e37

static coordconv_status check_loss(const struct cconv_log *log, const coordconv_loss_desc *d)
{
    static const char what[] = "loss";
    const int softmax = d->kind == COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY;
    const int bent = d->kind == COORDCONV_LOSS_SMOOTH_L1 || d->kind == COORDCONV_LOSS_ROBUST_L1;
    coordconv_status st = cconv_check_range(log, what, "kind", d->kind, COORDCONV_LOSS_MSE,
                                            COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY);

    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "reduction", d->reduction, COORDCONV_REDUCE_MEAN,
                               COORDCONV_REDUCE_SUM);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "weighted", d->weighted, 0, 1);
    if (st == COORDCONV_OK && !d->weighted)
        st = cconv_check_range(log, what, "weight of a loss not weighted", d->weight, 0, 0);
    if (st == COORDCONV_OK)
        st = cconv_check_range(log, what, "ignore", d->ignore, 0, softmax);
    if (st == COORDCONV_OK && d->beta != 0 &&
        !(bent && d->beta >= LEAST_BETA && d->beta <= MOST_BETA))
        st = cconv_fail(log, COORDCONV_ERR_INVALID, "loss: beta %g of kind %d", d->beta, d->kind);
    return st;
}

coordconv_value coordconv_model_loss(coordconv_model *model, coordconv_value x,
                                     coordconv_value target, const coordconv_loss_desc *desc)
{
    static const struct cconv_op *const ops[] = {
        [COORDCONV_LOSS_MSE] = &cconv_op_mse,
        [COORDCONV_LOSS_L1] = &cconv_op_l1,
        [COORDCONV_LOSS_SMOOTH_L1] = &cconv_op_l1,
        [COORDCONV_LOSS_ROBUST_L1] = &cconv_op_l1,
        [COORDCONV_LOSS_SIGMOID_CROSS_ENTROPY] = &cconv_op_sigmoid_cross_entropy,
        [COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY] = &cconv_op_softmax_cross_entropy,
    };
    coordconv_loss_desc d;
    coordconv_status st;

    if (!cconv_model_open(model, "loss"))
        return COORDCONV_NO_VALUE;
    if ((st = cconv_desc_read(NULL, "loss", desc, CCONV_DESC_END(coordconv_loss_desc, beta),
                              sizeof d, &d)) != COORDCONV_OK ||
        (st = check_loss(NULL, &d)) != COORDCONV_OK)
        return poison_as_said(model, st);
    const union cconv_attr attr = { .loss = { .kind = d.kind,
                                              .sum = d.reduction == COORDCONV_REDUCE_SUM,
                                              .ignore = d.ignore,
                                              .beta = d.beta != 0 ? d.beta : 1 } };
    const coordconv_value inputs[3] = { x, target, d.weight };

    return cconv_model_add(model, ops[d.kind], &attr, NULL, d.weighted ? 3 : 2, inputs);
}

coordconv_value coordconv_model_gaussian_kl(coordconv_model *model, coordconv_value mean,
                                            coordconv_value log_variance)
{
    return binary(model, &cconv_op_gaussian_kl, mean, log_variance);
}
